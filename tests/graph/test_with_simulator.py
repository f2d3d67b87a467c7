"""The transport against the simulated service, with faults: what it says is what happened."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from random import Random

import pytest

from syncd.core.errors import LoginNeeded
from syncd.graph.transport import GraphRemote, NoPauses, Patience, Timeouts
from syncd.ports import Answered, Lost, Request, Unsent
from syncd.simulator.faults import FaultKind, Faults, RandomPlan
from syncd.simulator.server import SimulatorServer
from syncd.simulator.service import Service
from syncd.simulator.tokens import StaticTokens
from syncd.testing import FakeClock

ME = "me@example.org"
HARMLESS_TO_READS = (
    FaultKind.THROTTLED, FaultKind.THROTTLED_SILENT, FaultKind.UNAVAILABLE,
    FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER, FaultKind.TRUNCATED, FaultKind.NOT_JSON,
    FaultKind.TIMEOUT_BEFORE, FaultKind.TIMEOUT_AFTER, FaultKind.TOKEN_EXPIRED,
)  # fmt: skip


class Fresh:
    """A new token of the same person after each refusal."""

    def __init__(self) -> None:
        self.generation = 0

    async def token(self) -> str:
        return f"sim-{ME}~{self.generation}"

    async def refused(self, token: str) -> None:
        self.generation += 1


@pytest.fixture
async def server() -> AsyncIterator[SimulatorServer]:
    clock = FakeClock()
    service = Service(now=clock.now, random=Random(7))
    service.add_mailbox(ME, "Me Myself")
    async with SimulatorServer(
        service, tokens=StaticTokens(), faults=Faults(), sleep=clock.sleep
    ) as running:
        yield running


def remote_of(server: SimulatorServer) -> GraphRemote:
    """A patient remote for the simulated mailbox."""
    return GraphRemote(
        server.base_url,
        Fresh(),
        pauses=NoPauses(),
        clock=FakeClock(),
        ca_file=None,
        patience=Patience(10_000.0),
        rng=Random(2),
        timeouts=Timeouts(connect_s=5, read_s=5, total_s=10),
    )


def create(number: int) -> Request:
    """A create that can be recognised."""
    when = {"dateTime": "2026-01-06T09:00:00", "timeZone": "UTC"}
    body = {"subject": f"event {number}", "start": when, "end": when}
    return Request("POST", "/me/events", body=json.dumps(body).encode(), label="create")


async def subjects(remote: GraphRemote) -> list[str]:
    """The subjects of all events on the service."""
    answer = await remote.read(Request("GET", "/me/events?$top=1000&$select=subject"))
    return [event["subject"] for event in json.loads(answer.body)["value"]]


async def test_a_first_sync_in_small(server: SimulatorServer) -> None:
    """Batched creates and reads against a service that behaves."""
    async with remote_of(server) as remote:
        outcomes = await remote.write_all([create(n) for n in range(45)])
        ids = [json.loads(o.answer.body)["id"] for o in outcomes if isinstance(o, Answered)]
        answers = await remote.read_all([Request("GET", f"/me/events/{each}") for each in ids])

    told = [json.loads(answer.body)["subject"] for answer in answers]
    assert told == [f"event {n}" for n in range(45)]
    assert server.requests.most_in_flight[ME] == 4


@pytest.mark.parametrize("seed", range(4))
async def test_outcomes_tell_the_truth_under_faults(server: SimulatorServer, seed: int) -> None:
    """
    Answered writes are there once, unsent ones are not, and none is there twice, whatever fails.
    """
    server.faults.follow(RandomPlan(rate=0.25, kinds=HARMLESS_TO_READS, seed=seed))
    async with remote_of(server) as remote:
        outcomes = list(await remote.write_all([create(n) for n in range(60)]))
        for n in range(60, 90):
            outcomes += await remote.write_all([create(n)])
        server.faults.clear()
        server.faults.follow(None)
        there = await subjects(remote)

    for n, outcome in enumerate(outcomes):
        times = there.count(f"event {n}")
        match outcome:
            case Answered(answer):
                assert (answer.status, times) == (201, 1)
            case Unsent(error):
                assert times == 0
                assert isinstance(error, LoginNeeded)
            case Lost():
                assert times <= 1
    assert {type(outcome) for outcome in outcomes} >= {Answered, Lost}


@pytest.mark.parametrize("seed", range(4))
async def test_reads_get_there_under_faults(server: SimulatorServer, seed: int) -> None:
    """A fault in ten requests delays a read and never falsifies it."""
    async with remote_of(server) as remote:
        await remote.write_all([create(n) for n in range(30)])
        server.faults.follow(RandomPlan(rate=0.1, kinds=HARMLESS_TO_READS, seed=seed))
        answers = await remote.read_all(
            [Request("GET", "/me/events?$top=1&$select=subject") for _ in range(60)]
        )

    assert {answer.status for answer in answers} == {200}
