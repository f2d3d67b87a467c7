"""
What else a mailbox answers: counts, languages, forms of ids, working hours.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.simulator.mailbox_world import IMMUTABLE, Client, serving, single


@pytest.fixture
async def graph() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


async def test_collections_can_be_counted(graph: Client) -> None:
    """As plain text, and as far as a filter goes."""
    folders = graph.mailbox.folders
    folders.add("Work")
    folders.create_category({"displayName": "Red", "color": "preset0"})
    counts = {
        "/me/calendars/$count": "2",
        "/me/calendars/$count?$filter=name%20eq%20'Work'": "1",
        "/me/calendarGroup/calendars/$count": "2",
        f"/me/calendarGroups/{folders.other_group.id}/calendars/$count": "0",
        "/me/calendarGroups/$count": "2",
        "/me/outlook/masterCategories/$count": "1",
    }

    for path, count in counts.items():
        assert (await graph.get(path)).data == count, path


async def test_supported_languages_are_listed(graph: Client) -> None:
    """The one that a mailbox begins with is among them."""
    reply = await graph.get("/me/outlook/supportedLanguages()")

    own = graph.mailbox.folders.settings["language"]
    assert own in reply.data["value"]


async def translated(graph: Client, ids: list[str], source: str, target: str) -> list[Any]:
    body = {"inputIds": ids, "sourceIdType": source, "targetIdType": target}
    reply = await graph.post("/me/translateExchangeIds", body)
    assert reply.status == 200, reply.data
    return [row.get("targetId") or row["errorDetails"]["code"] for row in reply.data["value"]]


async def test_ids_go_from_one_form_into_another_and_back(graph: Client) -> None:
    """The two of Graph are those that events are shown with."""
    event = graph.mailbox.create(graph.mailbox.default_calendar.id, single())
    lasting = (await graph.get(f"/me/events/{event.id}", IMMUTABLE)).data["id"]

    assert await translated(graph, [event.id], "restId", "restImmutableEntryId") == [lasting]
    for form, start in (
        ("restImmutableEntryId", event.id),
        ("ewsId", event.id),
        ("entryId", event.id),
        ("immutableEntryId", event.id),
    ):
        there = await translated(graph, [start], "restId", form)
        assert await translated(graph, there, form, "restId") == [event.id], form


async def test_an_id_that_cannot_be_translated_is_told_by_itself(graph: Client) -> None:
    """The others are; a calendar has no immutable id."""
    event = graph.mailbox.create(graph.mailbox.default_calendar.id, single())
    calendar = graph.mailbox.default_calendar.id

    found = await translated(graph, ["x", event.id, calendar], "restId", "restImmutableEntryId")
    same = await translated(graph, [calendar], "restId", "restId")

    assert found == ["ErrorInvalidIdMalformed", event.immutable_id, "ErrorItemNotFound"]
    assert same == [calendar]
    assert await translated(graph, ["!"], "entryId", "restId") == ["ErrorInvalidIdMalformed"]


@pytest.mark.parametrize(
    "body",
    [
        {"inputIds": ["x"] * 1001, "sourceIdType": "restId", "targetIdType": "ewsId"},
        {"inputIds": "x", "sourceIdType": "restId", "targetIdType": "ewsId"},
        {"inputIds": [], "sourceIdType": "restId", "targetIdType": "uid"},
    ],
)
async def test_a_translation_that_makes_no_sense_is_refused(graph: Client, body: Any) -> None:
    """A thousand ids, between the known forms."""
    assert (await graph.post("/me/translateExchangeIds", body)).status == 400


async def test_working_hours_change_part_by_part(graph: Client) -> None:
    """What is not sent stays; what is no time is refused."""
    hours = {"workingHours": {"endTime": "16:00:00"}}

    changed = await graph.ask("PATCH", "/me/mailboxSettings", hours)
    refused = await graph.ask("PATCH", "/me/mailboxSettings", {"workingHours": {"endTime": "4pm"}})

    found = changed.data["workingHours"]
    assert (found["startTime"], found["endTime"]) == ("08:00:00.0000000", "16:00:00")
    assert refused.status == 400
