"""
Graph over HTTP: batches.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from syncd.simulator.faults import FaultKind
from tests.simulator.mailbox_world import IMMUTABLE, ME, Client, Reply, serving, single

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def graph() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


async def batch(graph: Client, *parts: dict[str, Any]) -> Reply:
    return await graph.post("/$batch", {"requests": list(parts)})


def part(
    identity: str, url: str = "/me/calendar", method: str = "GET", **more: Any
) -> dict[str, Any]:
    return {"id": identity, "method": method, "url": url, **more}


def by_id(reply: Reply) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in reply.data["responses"]}


async def test_parts_are_answered_by_id_and_four_are_under_way_at_once(graph: Client) -> None:
    """The whole is a 200 whatever became of them."""
    reply = await batch(graph, *(part(str(number)) for number in range(20)))

    assert reply.status == 200
    assert {row["status"] for row in by_id(reply).values()} == {200}
    assert len(by_id(reply)) == 20
    assert graph.server.requests.most_in_flight[ME] == 4


async def test_answers_come_in_another_order(graph: Client) -> None:
    """They must be matched by id."""
    reply = await batch(graph, *(part(str(number)) for number in range(20)))

    order = [row["id"] for row in reply.data["responses"]]
    assert order != [str(number) for number in range(20)]


async def test_each_part_has_its_own_headers_and_refusal(graph: Client) -> None:
    """Preferences of the outer request do not count."""
    made = await batch(
        graph,
        part("a", "/me/events", "POST", body=single(), headers={**JSON, **IMMUTABLE}),
        part("b", "/me/events", "POST", body=single(), headers=JSON),
        part("c", "/me/events/nope"),
    )

    rows = by_id(made)
    assert rows["a"]["body"]["id"].startswith("AAkA")
    assert rows["b"]["body"]["id"].startswith("AAMk")
    assert rows["c"]["body"]["error"]["code"] == "ErrorInvalidIdMalformed"


async def test_a_part_that_depends_on_a_failed_one_is_not_tried(graph: Client) -> None:
    """It is a 424."""
    reply = await batch(
        graph,
        part("1", "/me/events/nope"),
        part("2", "/me/events", "POST", body=single(), headers=JSON, dependsOn=["1"]),
    )

    assert by_id(reply)["2"]["status"] == 424
    assert graph.mailbox.items(graph.mailbox.default_calendar.id) == []


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [part(str(number)) for number in range(21)],
        [part("a"), part("A")],
        [part("")],
        [part("1", "/me/events", "POST", body={})],
        [part("1", dependsOn=["2"]), part("2")],
        [part("1", "https://elsewhere.example/me")],
        ["nonsense"],
    ],
)
async def test_a_batch_that_breaks_the_rules_is_refused_whole(graph: Client, parts: Any) -> None:
    """Nothing of it is done."""
    reply = await graph.post("/$batch", {"requests": parts})

    assert reply.status == 400
    assert graph.server.requests.entries == []


async def test_a_fault_hits_a_single_part(graph: Client) -> None:
    """A dropped connection becomes a timeout there, after the effect if it says so."""
    graph.server.faults.script(FaultKind.RESET_AFTER, "POST", "/me/events")
    graph.server.faults.script(FaultKind.THROTTLED, "GET", "/me/calendar", retry_after_s=7)

    reply = await batch(
        graph,
        part("1", "/me/events", "POST", body=single(), headers=JSON),
        part("2"),
        part("3", "/me/calendars"),
    )

    rows = by_id(reply)
    assert [rows[name]["status"] for name in "123"] == [504, 429, 200]
    assert rows["2"]["headers"]["Retry-After"] == "7"
    assert len(graph.mailbox.items(graph.mailbox.default_calendar.id)) == 1
