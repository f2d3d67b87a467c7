"""
Reminders over HTTP: what a window shows, and what snooze and dismiss do to it.
"""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from syncd.simulator.folders import Person
from syncd.simulator.tokens import StaticTokens
from tests.simulator.mailbox_world import (
    MARCH,
    ME,
    Client,
    serving,
    single,
    weekly,
    when,
)

WINDOW = "startDateTime='2031-03-01T00:00:00',endDateTime='2031-04-01T00:00:00'"
LATER = {"newReminderTime": when("2031-03-04T08:55:00")}


@pytest.fixture
async def graph() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


async def view(graph: Client, headers: Any = None) -> list[dict[str, Any]]:
    reply = await graph.get(f"/me/reminderView({WINDOW})", headers)
    assert reply.status == 200, reply.data
    rows: list[dict[str, Any]] = reply.data["value"]
    return rows


async def times(graph: Client) -> list[str]:
    """Return when reminders fire, in UTC."""
    return [row["reminderFireTime"]["dateTime"][5:16] for row in await view(graph)]


async def series(graph: Client, **more: Any) -> list[str]:
    """Make three Tuesdays at 8:00 UTC; return the paths of the series and its instances."""
    master = (await graph.post("/me/events", weekly(count=3, **more))).data["id"]
    rows = (await graph.get(f"/me/events/{master}/instances?{MARCH}")).data["value"]
    return [f"/me/events/{identity}" for identity in (master, *(row["id"] for row in rows))]


async def test_a_view_lists_one_reminder_for_each_instance(graph: Client) -> None:
    """Times in the zone that is preferred, with the ids under which to act."""
    _, first, *_ = await series(graph)

    rows = await view(graph, {"Prefer": 'outlook.timezone="Tokyo Standard Time"'})

    event = (await graph.get(first)).data
    assert len(rows) == 3
    assert rows[0] == {
        "eventId": event["id"],
        "changeKey": event["changeKey"],
        "eventSubject": "Stand-up",
        "eventStartTime": when("2031-03-04T17:00:00.0000000", "Tokyo Standard Time"),
        "eventEndTime": when("2031-03-04T17:30:00.0000000", "Tokyo Standard Time"),
        "eventLocation": event["location"],
        "eventWebLink": event["webLink"],
        "reminderFireTime": when("2031-03-04T16:45:00.0000000", "Tokyo Standard Time"),
    }


@pytest.mark.parametrize(
    "function",
    [
        f"ReminderView({WINDOW.replace('start', 'Start').replace('end', 'End')})",
        quote(f"reminderView({WINDOW})", safe=""),
        "REMINDERVIEW(endDateTime='2031-04-01T00:00:00Z',startDateTime='2031-03-01')",
    ],
)
async def test_the_functions_name_and_arguments_come_in_any_spelling(
    graph: Client, function: str
) -> None:
    """In any case, percent-encoded, in any order, and for `/users/{id}` too."""
    await series(graph)

    for root in ("/me", f"/users/{ME}"):
        assert len((await graph.get(f"{root}/{function}")).data["value"]) == 3


@pytest.mark.parametrize(
    "function",
    [
        "reminderView",
        "reminderView(startDateTime='2031-03-01')",
        "reminderView(startDateTime='2031-03-01',endDateTime='soon')",
        "reminderView(startDateTime='2031-03-02',endDateTime='2031-03-01')",
    ],
)
async def test_a_view_without_a_window_is_a_400(graph: Client, function: str) -> None:
    """Both ends, in order."""
    assert (await graph.get(f"/me/{function}")).status == 400


async def test_only_what_reminds_the_owner_is_listed(graph: Client) -> None:
    """Of every calendar of the mailbox, and of nobody else's."""
    calendar = (await graph.post("/me/calendars", {"name": "Work"})).data["id"]
    shared = graph.mailbox.folders.add("Team", owner=Person("Boss", "boss@example.org"))
    graph.mailbox.create(shared.id, single("Theirs"))
    await graph.post(f"/me/calendars/{calendar}/events", single("Mine"))
    await graph.post("/me/events", single("Quiet", isReminderOn=False))
    await graph.post("/me/events", single("Far", "2031-05-04T12:00:00", "2031-05-04T13:00:00"))

    assert [row["eventSubject"] for row in await view(graph)] == ["Mine"]


async def test_a_long_view_comes_in_pages(graph: Client) -> None:
    """Its links are followed verbatim."""
    await series(graph)

    first = await graph.get(f"/me/reminderView({WINDOW})?$top=2&$count=true")
    second = await graph.get(first.data["@odata.nextLink"])

    assert (len(first.data["value"]), first.data["@odata.count"]) == (2, 3)
    assert [len(second.data["value"]), "@odata.nextLink" in second.data] == [1, False]


async def test_a_snooze_puts_one_instance_off(graph: Client) -> None:
    """200 without a body; neither the event nor a delta round shows it, and nobody is mailed."""
    _, first, *_ = await series(graph)
    before = (await graph.get(first)).data
    _, link = await graph.round(f"/me/calendarView/delta?{MARCH}")

    reply = await graph.post(f"{first}/snoozeReminder", LATER)

    assert (reply.status, reply.data) == (200, "")
    assert await times(graph) == ["03-04T07:55", "03-11T07:45", "03-18T07:45"]
    assert (await graph.get(first)).data == before
    assert (await graph.round(link))[0] == []
    assert graph.service.ledger == []


async def test_a_dismissed_reminder_is_listed_no_more(graph: Client) -> None:
    """The other instances go on reminding, and so does the property."""
    _, first, *_ = await series(graph)

    reply = await graph.post(f"{first}/dismissReminder", None)

    assert (reply.status, reply.data) == (200, "")
    assert await times(graph) == ["03-11T07:45", "03-18T07:45"]
    assert (await graph.get(first)).data["isReminderOn"] is True


async def test_moving_an_event_brings_its_reminder_back(graph: Client) -> None:
    """What was dismissed was the one for the old time."""
    event = (await graph.post("/me/events", single())).data["id"]
    await graph.post(f"/me/events/{event}/dismissReminder", None)
    assert await times(graph) == []

    times_of = {"start": when("2031-03-05T12:00:00"), "end": when("2031-03-05T13:00:00")}
    await graph.ask("PATCH", f"/me/events/{event}", times_of)

    assert await times(graph) == ["03-05T10:45"]


async def test_on_a_series_the_next_instance_is_meant(graph: Client) -> None:
    """The one that is not over and still reminds; after the last there is none."""
    master, *_ = await series(graph)
    control = graph.server.origin + "/_simulator/"

    await graph.post(f"{master}/dismissReminder", None)
    await graph.post(control + "clock", {"now": "2031-03-15T00:00:00Z"})
    await graph.post(f"{master}/snoozeReminder", LATER)
    await graph.post(control + "clock", {"now": "2031-03-25T00:00:00Z"})
    late = await graph.post(f"{master}/dismissReminder", None)

    assert await times(graph) == ["03-11T07:45", "03-04T07:55"]
    assert late.status == 200


async def test_whether_a_reminders_action_changes_the_event_is_unknown() -> None:
    """It may move the version and show in a delta round, also of an exception."""
    async with serving(reminder_action_changes_event=True) as graph:
        _, first, second, _ = await series(graph)
        await graph.ask("PATCH", second, {"subject": "Special"})
        _, link = await graph.round(f"/me/calendarView/delta?{MARCH}")
        before = [(await graph.get(path)).data["changeKey"] for path in (first, second)]

        await graph.post(f"{second}/dismissReminder", None)
        rows, link = await graph.round(link)
        await graph.post(f"{first}/snoozeReminder", LATER)
        more, _ = await graph.round(link)

        after = [(await graph.get(path)).data["changeKey"] for path in (first, second)]
        assert [row["type"] for row in rows] == ["exception"]
        assert "seriesMaster" in [row["type"] for row in more]
        assert not set(before) & set(after)


async def test_a_service_may_turn_the_reminder_of_a_single_event_off_when_it_is_dismissed() -> None:
    """Then the event changed; an instance of a series keeps its own."""
    async with serving(dismissing_turns_reminder_off=True) as graph:
        event = (await graph.post("/me/events", single())).data["id"]
        _, first, *_ = await series(graph)

        for path in (f"/me/events/{event}", first):
            await graph.post(f"{path}/dismissReminder", None)

        assert (await graph.get(f"/me/events/{event}")).data["isReminderOn"] is False
        assert (await graph.get(first)).data["isReminderOn"] is True


@pytest.mark.parametrize(
    "body", [{}, {"newReminderTime": {"dateTime": "2031-03-04T09:55:00", "timeZone": "Moon"}}]
)
async def test_a_snooze_needs_a_legal_time(graph: Client, body: Any) -> None:
    """It is a 400."""
    _, first, *_ = await series(graph)

    assert (await graph.post(f"{first}/snoozeReminder", body)).status == 400


async def test_the_most_basic_right_to_read_shows_no_reminders() -> None:
    """It is a 403."""
    async with serving(tokens=StaticTokens(scopes=frozenset({"Calendars.ReadBasic"}))) as graph:
        assert (await graph.get(f"/me/reminderView({WINDOW})")).status == 403
