"""
Failures: each kind does to a client what its name says, and a seed repeats a run.
"""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from syncd.simulator.faults import Fault, FaultKind, Faults, RandomPlan, Script, applies
from tests.simulator.mailbox_world import MARCH, Client, serving, single


@pytest.fixture
async def graph() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


def count(graph: Client) -> int:
    return len(graph.mailbox.items(graph.mailbox.default_calendar.id))


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (FaultKind.THROTTLED, 429, "ApplicationThrottled"),
        (FaultKind.THROTTLED_SILENT, 429, "ErrorTooManyObjectsOpened"),
        (FaultKind.UNAVAILABLE, 503, "serviceNotAvailable"),
        (FaultKind.TIMEOUT_BEFORE, 504, "UnknownError"),
        (FaultKind.TOKEN_EXPIRED, 401, "InvalidAuthenticationToken"),
        (FaultKind.PRECONDITION, 412, "ErrorIrresolvableConflict"),
        (FaultKind.LAGGING, 404, "ErrorItemNotFound"),
    ],
)
async def test_a_failure_before_the_write_leaves_nothing_behind(
    graph: Client, kind: Any, status: Any, code: Any
) -> None:
    """And strikes once."""
    graph.server.faults.script(kind, "POST")

    failed = await graph.post("/me/events", single())

    assert (failed.status, failed.data["error"]["code"]) == (status, code)
    assert count(graph) == 0
    assert (await graph.post("/me/events", single())).status == 201


async def test_only_some_throttling_says_how_long_to_wait(graph: Client) -> None:
    """Retry-After is in whole seconds."""
    graph.server.faults.script(FaultKind.THROTTLED, retry_after_s=9)
    graph.server.faults.script(FaultKind.THROTTLED_SILENT)

    told, silent = await graph.get("/me"), await graph.get("/me")

    assert told.headers["Retry-After"] == "9"
    assert "Retry-After" not in silent.headers


async def test_a_timeout_after_the_write_hides_that_it_took_effect(graph: Client) -> None:
    """The event exists."""
    graph.server.faults.script(FaultKind.TIMEOUT_AFTER, "POST")

    assert (await graph.post("/me/events", single())).status == 504
    assert count(graph) == 1


@pytest.mark.parametrize(
    ("kind", "made"),
    [(FaultKind.RESET_BEFORE, 0), (FaultKind.RESET_AFTER, 1), (FaultKind.TRUNCATED, 1)],
)
async def test_a_lost_connection_is_lost_before_or_after_the_write(
    graph: Client, kind: Any, made: Any
) -> None:
    """A client cannot tell which."""
    graph.server.faults.script(kind, "POST")

    with pytest.raises(aiohttp.ClientError):
        await graph.post("/me/events", single())

    assert count(graph) == made
    assert graph.server.faults.struck == {kind: 1}


async def test_a_proxys_page_is_a_success_that_is_no_json(graph: Client) -> None:
    """Status alone proves nothing."""
    graph.server.faults.script(FaultKind.NOT_JSON)

    reply = await graph.get("/me/calendar")

    assert reply.status == 200
    assert reply.data.startswith("<!DOCTYPE html>")


async def test_a_slow_answer_waits_as_long_as_it_was_told() -> None:
    """Through the sleep it was given."""
    waited: list[float] = []

    async def sleep(delay: float) -> None:
        waited.append(delay)

    async with serving(sleep=sleep) as graph:
        graph.server.faults.script(FaultKind.SLOW, delay_s=30)
        assert (await graph.get("/me/calendar")).status == 200

    assert waited == [30, 0.0]


@pytest.mark.parametrize(
    ("kind", "status"), [(FaultKind.SYNC_STATE_GONE, 410), (FaultKind.SYNC_STATE_BAD, 400)]
)
async def test_a_delta_token_dies_with_either_status(graph: Client, kind: Any, status: Any) -> None:
    """Both name the sync state."""
    _, link = await graph.round(f"/me/calendarView/delta?{MARCH}")
    graph.server.faults.script(kind, path="deltatoken")

    reply = await graph.get(link)

    assert (reply.status, reply.data["error"]["code"]) == (status, "SyncStateNotFound")


async def test_endless_pages_lead_round_and_round(graph: Client) -> None:
    """Each link is new, the rows are not, and there is never a deltaLink."""
    await graph.post("/me/events", single())
    graph.server.faults.script(FaultKind.ENDLESS_PAGES, path="delta")
    target, links, rows = f"/me/calendarView/delta?{MARCH}", set(), []

    for _ in range(5):
        data = (await graph.get(target)).data
        target = data["@odata.nextLink"]
        links.add(target)
        rows.append([row["id"] for row in data["value"]])

    assert len(links) == 5
    assert rows == [rows[0]] * 5


async def test_a_script_lets_some_through_and_strikes_more_than_once(graph: Client) -> None:
    """Skip comes before times."""
    graph.server.faults.script(FaultKind.UNAVAILABLE, "GET", "/me/calendar$", skip=1, times=2)

    replies = [await graph.get("/me/calendar") for _ in range(4)]

    assert [reply.status for reply in replies] == [200, 503, 503, 200]


def drawn(seed: int) -> list[Any]:
    faults = Faults(RandomPlan(rate=0.3, seed=seed))
    return [faults.take("GET", f"/me/events?n={number}", fresh=False) for number in range(200)]


def test_a_seed_repeats_a_run_exactly() -> None:
    """Another seed makes another one."""
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert 30 < sum(fault is not None for fault in drawn(1)) < 90


@pytest.mark.parametrize(
    ("kind", "method", "target", "possible"),
    [
        (FaultKind.SYNC_STATE_GONE, "GET", "/me/calendarView/delta?$deltatoken=x", True),
        (FaultKind.SYNC_STATE_GONE, "GET", "/me/calendarView/delta?startdatetime=x", False),
        (FaultKind.ENDLESS_PAGES, "GET", "/me/events", False),
        (FaultKind.PRECONDITION, "GET", "/me/events", False),
        (FaultKind.PRECONDITION, "PATCH", "/me/events/x", True),
        (FaultKind.LAGGING, "GET", "/me/events/x", False),
        (FaultKind.THROTTLED, "GET", "/me/events/x", True),
    ],
)
def test_a_random_failure_is_one_that_the_request_could_meet(
    kind: Any, method: Any, target: Any, possible: Any
) -> None:
    """Nothing is told that the real service would not tell."""
    assert applies(kind, method, target, fresh=False) is possible


async def test_an_event_made_a_moment_ago_may_not_be_found_yet() -> None:
    """Only a fresh one."""
    faults = Faults(RandomPlan(rate=1.0, kinds=(FaultKind.LAGGING,)))
    async with serving(faults=faults) as graph:
        old = graph.mailbox.create(graph.mailbox.default_calendar.id, single()).id
        fresh = (await graph.post("/me/events", single())).data["id"]

        assert (await graph.get(f"/me/events/{old}")).status == 200
        assert (await graph.get(f"/me/events/{fresh}")).status == 404


def test_scripts_come_before_the_plan_and_clear_ends_both() -> None:
    """What a test asks for it gets."""
    faults = Faults(RandomPlan(rate=1.0, kinds=(FaultKind.UNAVAILABLE,)))
    faults.add([Script.of(drawn_fault(), "GET")])

    assert faults.take("GET", "/me", fresh=False) == drawn_fault()
    faults.clear()
    assert faults.take("GET", "/me", fresh=False) is None


def drawn_fault() -> Fault:
    return Fault(FaultKind.SLOW)
