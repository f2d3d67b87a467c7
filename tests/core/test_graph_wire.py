"""Graph's JSON read into items, and items as the JSON of writes."""

from __future__ import annotations

import json
import timeit
from collections.abc import Mapping
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from syncd.core.event import AllDay, Attendee, Changes, Event, Item, Timed
from syncd.core.ids import Uid
from syncd.core.merge import changed
from syncd.core.wire.graph import (
    RemoteEvent,
    create_body,
    decode_event,
    patch_fields,
    read_item,
    stamps,
)
from syncd.core.wire.ics_read import FileItem, read
from syncd.core.wire.ics_write import Stamps, local_view, render
from syncd.simulator.render import Look, full_row
from syncd.simulator.service import Service
from syncd.simulator.switches import Switches
from tests.strategies import BERLIN, OWNER, items, said

ME = "me@example.org"
UID = Uid("u-1")
WRITTEN = frozenset(
    (
        *("when", "subject", "body", "location", "show_as", "sensitivity", "importance"),
        *("categories", "reminder_min", "attendees", "recurrence"),
        *("geo", "allow_new_times", "response_requested"),
    )
)


def stored(body: Mapping[str, Any]) -> RemoteEvent:
    """What the service answers after it was given `body`."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    service = Service(now=lambda: now, random=Random(1), switches=Switches())
    box = service.add_mailbox(ME, "Me")
    event = box.create(box.default_calendar.id, json.loads(json.dumps(body)))
    return decode_event(json.dumps(full_row(event, Look())).encode())


@settings(max_examples=60, deadline=None)
@given(items())
def test_what_is_created_reads_back_as_it_was(item: Item) -> None:
    """Through the service and back, every field of the master keeps its meaning."""
    own = {"organizer": None, "invited_as": "", "response": "none", "online_meeting": False}
    item = Item(msgspec.structs.replace(item.master, **own), item.recurrence)
    if item.master.show_as == "unknown":
        return
    body = create_body(item, OWNER, UID, "t-1", with_attendees=True)

    found = read_item(stored(body), OWNER)

    assert said(_loose(found), WRITTEN) == said(_loose(item), WRITTEN)


def _loose(item: Item) -> Item:
    """The service keeps texts as HTML, which holds no indentation and no runs of spaces, and no
    point without a name."""
    text = " ".join(item.master.body.split())
    geo = item.master.geo if item.master.location else None
    master = msgspec.structs.replace(item.master, body=text, geo=geo)
    return msgspec.structs.replace(item, master=master)


def graph(**more: Any) -> RemoteEvent:
    """A plain event as Graph sends it, with some members changed."""
    event: dict[str, Any] = {
        "id": "AAMk1",
        "type": "singleInstance",
        "iCalUId": "040000008200E00074C5B7101A82E008" + "0" * 80,
        "subject": "Lunch",
        "start": {"dateTime": "2026-07-01T08:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-07-01T09:00:00.0000000", "timeZone": "UTC"},
        "originalStartTimeZone": "W. Europe Standard Time",
        "originalEndTimeZone": "W. Europe Standard Time",
        "isOrganizer": True,
    }
    return decode_event(json.dumps(event | more).encode())


def moment(text: str, zone: str | None = "UTC") -> dict[str, str | None]:
    return {"dateTime": text, "timeZone": zone}


WEEKLY = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["wednesday"]},
    "range": {
        "type": "noEnd",
        "startDate": "2026-07-01",
        "endDate": "0001-01-01",
        "recurrenceTimeZone": "W. Europe Standard Time",
    },
}


@pytest.mark.parametrize(
    "more",
    [
        {"subject": "  \t "},
        {"subject": "a\r\nb\x0bc\x00"},
        {"body": {"contentType": "text", "content": "\r\n\r\n  x \r\n\x00y\t\n\n\n\nz\n\n"}},
        {"body": {"contentType": None, "content": None}},
        {"categories": ["a,b", " Red ", "red", "", None, "x;y"]},
        {"location": {"displayName": None}},
        {"isReminderOn": True, "reminderMinutesBeforeStart": -5},
        {"start": moment("2026-07-01T08:00:00"), "end": moment("2026-07-01T07:00:00")},
        {"start": moment("2026-07-01T08:00:00", None), "end": moment("2026-07-01T09:00:00", "?")},
        {
            "isAllDay": True,
            "start": moment("2026-07-01T22:00:00"),
            "end": moment("2026-07-01T22:00:00"),
        },
        {
            "attendees": [
                {"emailAddress": {"name": "No Address"}, "type": None},
                {"emailAddress": {"address": "/o=Ex/cn=legacy", "name": 'A "B" ^C\r\nX:y'}},
                {"emailAddress": {"address": "a b\r\nX-EVIL:1@x", "name": "n"}},
                {"emailAddress": None},
            ],
            "organizer": {"emailAddress": {"address": ME, "name": "Me"}},
        },
        {"sensitivity": "personal", "showAs": "unknown", "importance": "urgent"},
        {
            "isOrganizer": False,
            "attendees": [{"emailAddress": {"address": "bob@example.org"}}],
            "organizer": {"emailAddress": {"address": "carol@example.com"}},
            "responseStatus": {"response": "accepted"},
        },
        {"isOrganizer": False, "responseStatus": {"response": "accepted"}},
        {"onlineMeeting": {"joinUrl": "https://x/\r\nX-EVIL:1"}},
        {"start": moment("2020-01-01T08:00:00"), "end": moment("2026-07-01T09:00:00")},
    ],
)
def test_a_hostile_or_odd_event_makes_a_file_that_was_not_edited(more: dict[str, Any]) -> None:
    """Its file reads as its base, with no hold, so that nothing is ever sent back."""
    item = read_item(graph(**more), OWNER)
    base = local_view(item)
    data = render(UID, item, Stamps("", "20260101T000000Z"), OWNER)

    found = read(data, OWNER, base)

    assert isinstance(found, FileItem)
    assert found.item is not None
    assert found.holds == ()
    assert changed(base, found.item, local=True) == frozenset()
    assert b"\nX-EVIL" not in data


def exception(**more: Any) -> dict[str, Any]:
    return {
        "id": "AAMk2",
        "type": "exception",
        "subject": "Lunch",
        "start": moment("2026-07-08T08:00:00"),
        "end": moment("2026-07-08T09:00:00"),
        "originalStart": "2026-07-08T08:00:00Z",
        **more,
    }


def series(**more: Any) -> Item:
    return read_item(graph(type="seriesMaster", recurrence=WEEKLY, **more), OWNER)


def test_garbage_among_cancelled_occurrences_is_skipped() -> None:
    """Only days that the rule has become EXDATEs."""
    entries = ["OID.x.2026-07-08", "OID.x.2026-99-99", "", None, "x", "OID.x.2026-01-07"]

    assert series(cancelledOccurrences=entries).cancelled == {date(2026, 7, 8)}


@pytest.mark.parametrize(
    "named",
    [
        {"originalStart": "2026-07-08T10:00:00+02:00"},
        {"originalStart": "2026-07-08T08:00:00.0000000Z"},
        {"occurrenceId": "OID.x.2026-07-08", "originalStart": None},
        {"occurrenceId": "OID.x.nonsense"},
    ],
)
def test_an_exception_is_found_by_whatever_names_its_slot(named: dict[str, Any]) -> None:
    """Its id's date, or its original start in any offset."""
    item = series(exceptionOccurrences=[exception(subject="Moved", **named)])

    assert item.overrides == {date(2026, 7, 8): Changes(subject="Moved")}


def test_an_exception_in_another_zone_and_on_another_day_keeps_its_slot() -> None:
    """Its time is told in the zone of the series."""
    moved = exception(
        start=moment("2026-07-09T03:00:00"),
        end=moment("2026-07-09T04:00:00"),
        originalStartTimeZone="Eastern Standard Time",
    )

    own = series(exceptionOccurrences=[moved]).overrides[date(2026, 7, 8)]

    assert own == Changes(
        when=Timed(datetime(2026, 7, 9, 5), BERLIN, datetime(2026, 7, 9, 6), BERLIN)
    )


def test_a_category_that_holds_a_comma_is_no_endless_patch() -> None:
    """The service's `a,b` is one value in the file, and one when it is read again."""
    item = read_item(graph(categories=["a,b", "Red"]), OWNER)
    data = render(UID, item, Stamps("", "20260101T000000Z"), OWNER)

    found = read(data, OWNER, local_view(item))

    assert b"CATEGORIES:a\\,b,Red\r\n" in data
    assert isinstance(found, FileItem)
    assert found.item is not None
    assert found.item.master.categories == ("a,b", "Red")


@pytest.mark.parametrize("year", ["0001", "1600", "4501", "9999"])
def test_a_year_that_no_calendar_holds_is_a_value_error(year: str) -> None:
    """The caller lists it; nothing overflows."""
    odd = {"start": moment(f"{year}-12-31T00:00:00"), "end": moment(f"{year}-12-31T00:00:00")}

    with pytest.raises(ValueError, match="year"):
        read_item(graph(**odd), OWNER)
    with pytest.raises(ValueError, match="year"):
        read_item(graph(isAllDay=True, **odd), OWNER)


def patched(names: list[str], wanted: Event, server: RemoteEvent, slot: str = "") -> Any:
    parts, holds = patch_fields(
        names, wanted, server, OWNER, slot=slot, recurrence=None, replace_rich=False
    )
    assert holds == []
    return parts


def test_case_20_an_edited_place_keeps_the_places_that_are_still_named() -> None:
    """`locations` with the address of A, and C by its name."""
    first = {"displayName": "A", "address": {"city": "Wien"}}
    server = graph(location={"displayName": "A; B"}, locations=[first, {"displayName": "B"}])
    wanted = msgspec.structs.replace(read_item(server, OWNER).master, location="A; C")

    parts = patched(["location"], wanted, server)

    assert parts == {"location": {"locations": [first, {"displayName": "C"}]}}


def test_the_owners_own_entry_and_those_without_address_stay_in_the_list() -> None:
    """Graph takes whole lists only: who is not shown in a file is not thrown out by it."""
    server = graph(
        attendees=[
            {"emailAddress": {"address": "ME@example.org", "name": "Me"}, "type": "required"},
            {"emailAddress": {"name": "Somebody"}, "type": "optional"},
        ]
    )
    wanted = msgspec.structs.replace(
        read_item(server, OWNER).master, attendees=(Attendee("bob@example.org"),)
    )

    sent = patched(["attendees"], wanted, server)["attendees"]["attendees"]

    assert [one["emailAddress"] for one in sent] == [
        {"address": "ME@example.org", "name": "Me"},
        {"name": "Somebody"},
        {"address": "bob@example.org"},
    ]


def test_an_occurrence_that_becomes_all_day_says_so() -> None:
    """`isAllDay` goes along where it changes, and only there."""
    whole = Event(AllDay(date(2026, 7, 8), date(2026, 7, 9)))
    hour = Event(Timed(datetime(2026, 7, 8, 9), BERLIN, datetime(2026, 7, 8, 10), BERLIN))

    assert patched(["when"], whole, graph(), "2026-07-08")["when"]["isAllDay"] is True
    assert "isAllDay" not in patched(["when"], hour, graph(), "2026-07-08")["when"]


def test_stamps_are_plain_digits_or_nothing() -> None:
    """A hostile time stamp does not reach the file."""
    event = graph(createdDateTime="2026-01-01T00:00:00\r\nX:1", lastModifiedDateTime="²²²²-01-01T")

    assert stamps(event) == Stamps("20260101T000000Z", "19700101T000000Z")


def test_reading_and_writing_an_event_is_fast() -> None:
    """A typical event takes some tens of microseconds; the limit leaves room for slow machines."""
    event = graph(body={"contentType": "text", "content": "Hello"}, categories=["Red"])
    stamp = stamps(event)

    best = min(
        timeit.repeat(lambda: render(UID, read_item(event, OWNER), stamp, OWNER), number=200)
    )

    assert best / 200 < 0.001
