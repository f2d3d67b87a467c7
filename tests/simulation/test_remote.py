"""The remote without HTTP keeps the same contract as the one over a socket: outcome by outcome."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from syncd.core.errors import SyncdError
from syncd.graph.transport import GraphRemote
from syncd.graph.waits import NoPauses, Patience
from syncd.ports import Answered, Lost, Remote, Request, Unsent, WriteOutcome
from syncd.simulator.exchange import Exchange
from syncd.simulator.faults import FaultKind, Faults
from syncd.simulator.graph_http import GraphApi
from syncd.simulator.request_log import RequestLog
from syncd.simulator.server import SimulatorServer
from syncd.simulator.service import Service
from syncd.simulator.tokens import StaticTokens
from syncd.testing import FakeClock
from tests.simulation.machine import Machine
from tests.simulation.remote import PureRemote

ME = "me@example.org"
JSON = {"Content-Type": "application/json"}
READ = Request("GET", "/me/calendar", label="calendar")
LIST = Request("GET", "/me/calendars", label="calendars")


def create(subject: str) -> Request:
    at = {"dateTime": "2026-03-05T10:00:00", "timeZone": "UTC"}
    body = json.dumps({"subject": subject, "start": at, "end": at}).encode()
    return Request("POST", "/me/events", JSON, body, "create")


class _Token:
    """One token for ever."""

    async def token(self) -> str:
        return f"sim-{ME}"

    async def refused(self, token: str) -> None:
        return None


@asynccontextmanager
async def _over_http(service: Service, faults: Faults) -> AsyncIterator[Remote]:
    clock = FakeClock()
    async with (
        SimulatorServer(service, tokens=StaticTokens(), faults=faults) as server,
        GraphRemote(
            server.base_url,
            _Token(),
            pauses=NoPauses(),
            clock=clock,
            ca_file=None,
            patience=Patience(60.0),
            rng=Random(1),
        ) as remote,
    ):
        yield remote


async def _at_once(seconds: float) -> None:
    pass


@asynccontextmanager
async def _pure(service: Service, faults: Faults) -> AsyncIterator[Remote]:
    api = GraphApi(service, StaticTokens())
    yield PureRemote(
        Exchange(api, faults, RequestLog(), sleep=_at_once),
        f"sim-{ME}",
        pauses=NoPauses(),
        clock=FakeClock(),
        machine=Machine(),
        patience=Patience(60.0),
        rng=Random(1),
    )


def _told(outcome: WriteOutcome) -> tuple[str, object]:
    match outcome:
        case Answered(answer):
            return "answered", answer.status
        case Lost():
            return "lost", None
        case Unsent(error):
            return "unsent", type(error).__name__


async def _writes(way: Any, kind: FaultKind | None, count: int, times: int) -> Any:
    service, faults = Service(random=Random(7)), Faults()
    box = service.add_mailbox(ME)
    if kind is not None:
        faults.script(kind, method="^POST$", path="/events", times=times)
    async with way(service, faults) as remote:
        outcomes = await remote.write_all([create(f"e{number}") for number in range(count)])
    made = sorted(item.values["subject"] for item in box.items(box.default_calendar.id))
    return sorted(map(_told, outcomes)), len(made)


async def _reads(way: Any, kind: FaultKind | None, count: int, times: int) -> Any:
    service, faults = Service(random=Random(7)), Faults()
    service.add_mailbox(ME)
    if kind is not None:
        faults.script(kind, method="^GET$", times=times)
    async with way(service, faults) as remote:
        try:
            answers = await remote.read_all([READ, LIST][:count])
        except SyncdError as error:
            return type(error).__name__
    return [sorted(json.loads(one.body))[:3] for one in answers]


KINDS = [None, *(kind for kind in FaultKind if kind not in ("slow", "endless-pages", "lagging"))]


@pytest.mark.parametrize("times", [1, 9])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_a_write_has_the_same_outcome(kind: FaultKind | None, count: int, times: int) -> None:
    """One and several, the failure passing or staying: answered, lost or unsent alike."""
    here = await _writes(_pure, kind, count, times)

    assert here == await _writes(_over_http, kind, count, times)


@pytest.mark.parametrize("times", [1, 40])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_a_read_has_the_same_outcome(kind: FaultKind | None, count: int, times: int) -> None:
    """One and several, the failure passing or staying: the same answers or the same error."""
    here = await _reads(_pure, kind, count, times)

    assert here == await _reads(_over_http, kind, count, times)
