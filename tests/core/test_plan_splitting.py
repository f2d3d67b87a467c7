"""When a series whose file says THISANDFUTURE is cut in two, and in which steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.core.decide import Absent, Local, Nothing, Remote, Same, Sides
from syncd.core.ids import FileName
from syncd.core.plan import is_made, split_of, split_plans
from syncd.core.state import ItemRecord
from syncd.core.wire.ics_split import Split
from tests.core.planning import (
    READ_ONLY,
    UID,
    WEEKLY,
    desk,
    edited,
    event_text,
    exception,
    invited,
    known,
    moment,
    person,
    saved,
    series,
    there,
)
from tests.strategies import OWNER

FROM_THE_23RD = "\r\n".join(
    [
        *("END:VEVENT", "BEGIN:VEVENT", f"UID:{UID}", "DTSTAMP:20260102T000000Z"),
        "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260323T090000",
        "DTSTART;TZID=Europe/Berlin:20260323T090000",
        "DTEND;TZID=Europe/Berlin:20260323T100000",
        *("SUMMARY:From now on", "LOCATION:Room 1", "END:VEVENT", "END:VCALENDAR"),
    ]
)
FORTNIGHTLY = {**WEEKLY, "pattern": {**WEEKLY["pattern"], "interval": 2}}
CUT = {"END:VEVENT\r\nEND:VCALENDAR": FROM_THE_23RD}
BEFORE = series()
RECORD = known(BEFORE)
EDITED = edited(RECORD.content, CUT)


def sides(
    *,
    data: bytes = EDITED,
    record: ItemRecord | None = RECORD,
    remote: Remote | None = BEFORE,
    local: Local | None = None,
) -> Sides:
    return Sides(UID, record, local or saved(data, record), remote)


def split() -> Split:
    found = split_of(sides(), desk())
    assert found is not None
    return found


def test_a_series_that_says_this_and_future_is_cut_there() -> None:
    """Into one that ends before, and one that begins then."""
    found = split()

    assert found.slot.isoformat() == "2026-03-23"
    assert b"UNTIL=" in found.old
    assert b"From now on" not in found.old
    assert b"SUMMARY:From now on" in found.new
    assert found.uid != UID


@pytest.mark.parametrize(
    "given",
    [
        {"local": Same()},
        {"data": RECORD.content},
        {"remote": series(attendees=[person("bob@example.org")])},
        {"data": edited(EDITED, {"CREATED:": "ATTENDEE:mailto:bob@example.org\r\nCREATED:"})},
        {"data": event_text("SUMMARY:no time")},
        {"remote": None},
        {"record": None},
        {"record": replace(RECORD, base_remote=None)},
        {"record": replace(RECORD, base_local=None)},
    ],
    ids=[
        *("no new file", "no cut in it", "guests on the service", "guests in the file"),
        *("a file without a time", "an event that went", "an item without a record"),
        *("no base of the service", "no base of the file"),
    ],
)
def test_a_series_is_not_cut_where_that_may_concern_others_or_undo_them(
    given: dict[str, Any],
) -> None:
    """It stays whole, and the line is held."""
    assert split_of(sides(**given), desk()) is None


def test_guests_of_an_occurrence_alone_are_guests() -> None:
    """They would be told twice."""
    with_guest = edited(
        EDITED, {"SUMMARY:From now on": "SUMMARY:From now on\r\nATTENDEE:mailto:bob@example.org"}
    )

    assert split_of(sides(data=with_guest), desk()) is None


BOSS = "ORGANIZER:mailto:boss@example.com\r\n"
NO_LIST = series(**invited(attendees=[]))
HOSTLESS = series(attendees=[person("bob@example.org")], organizer=None)


def without_guests(data: bytes) -> bytes:
    lines = data.replace(b"\r\n ", b"").split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.startswith(b"ATTENDEE"))


@pytest.mark.parametrize(
    ("before", "now", "changes"),
    [
        (NO_LIST, NO_LIST, {"SUMMARY:From": f"{BOSS}SUMMARY:From"}),
        (
            HOSTLESS,
            series(),
            {"CREATED:": f"{BOSS}CREATED:", "SUMMARY:From": f"{BOSS}SUMMARY:From"},
        ),
    ],
    ids=["a meeting of somebody else without a list", "guests that only both sides knew"],
)
def test_guests_that_the_file_does_not_name_any_more_are_guests(
    before: Remote, now: Remote, changes: dict[str, str]
) -> None:
    """Clients drop such lines by accident."""
    record = known(before)
    data = edited(without_guests(edited(record.content, CUT)), changes)

    assert split_of(sides(data=data, record=record, remote=now), desk()) is None


def test_a_series_in_a_read_only_calendar_is_not_cut() -> None:
    """The new half could not be sent."""
    assert split_of(sides(), desk(**READ_ONLY)) is None


def test_a_new_file_may_be_cut_before_anything_is_sent() -> None:
    """The service knows nothing of it yet."""
    new = ItemRecord(UID, file=FileName("u-1.ics"))

    assert split_of(sides(record=new, remote=None), desk()) is not None
    assert split_of(sides(record=None, remote=None), desk()) is not None


def test_a_series_in_no_zone_is_one_in_the_owners() -> None:
    """Its halves are too, before and after."""
    floating = EDITED.replace(b";TZID=Europe/Berlin", b"")

    found = split_of(sides(data=floating, record=None, remote=None), desk())

    assert found is not None
    assert b"DTSTART:20260323T090000\r\n" in found.new
    assert is_made(found, found.new, OWNER)


@pytest.mark.parametrize(
    ("now", "cut"),
    [
        (series(subject="Moved on"), True),
        (series(exceptionOccurrences=[exception("2026-03-09", subject="Early")]), True),
        (series(exceptionOccurrences=[exception("2026-03-23", subject="There")]), False),
        (series(exceptionOccurrences=[exception("2026-03-30", subject="Later")]), False),
        (series(exceptionOccurrences=[exception("2026-03-30", isCancelled=True)]), False),
        (series(start=moment("2026-03-02", 8)), False),
        (there(type="seriesMaster", recurrence=FORTNIGHTLY), False),
    ],
    ids=[
        *("its title", "an early occurrence", "the day of the cut", "a later day"),
        *("that a later day is off", "its time", "its rule"),
    ],
)
def test_what_the_service_changed_of_the_part_that_is_cut_off_comes_first(
    now: Remote, cut: bool
) -> None:
    """It is merged before, so that nobody's edit is lost by the cut."""
    assert (split_of(sides(remote=now), desk()) is not None) == cut


def test_the_new_file_comes_first() -> None:
    """Nothing is gone in between, wherever it is interrupted."""
    new, waiting = split_plans(sides(), split(), desk(), made=False)

    assert new.file is not None
    assert (new.file.data, new.file.expect, new.file.unread) == (split().new, None, True)
    assert new.after_file == ItemRecord(split().uid, file=new.file.name)
    assert (new.record, new.uid, new.keep_todo) == (None, split().uid, True)
    assert new.sides == Sides(split().uid, None, Absent(), None)
    assert (new.decision, waiting.decision, waiting.sides) == (Nothing(), Nothing(), sides())
    assert new.file.name == f"{split().uid}.ics"
    assert (waiting.uid, waiting.file, waiting.writes, waiting.keep_todo) == (UID, None, (), True)
    assert waiting.record is not None
    assert (waiting.record.fingerprint, waiting.record.content) == (None, EDITED)


def test_then_the_old_one_is_cut() -> None:
    """Its former text goes to the history, and it is read as a person's words."""
    (old,) = split_plans(sides(), split(), desk(), made=True)

    assert (old.uid, old.sides, old.decision) == (UID, sides(), Nothing())
    assert old.record is not None
    assert (old.record.content, old.record.fingerprint) == (EDITED, None)

    assert old.file is not None
    assert (old.file.name, old.file.data, old.file.expect) == ("u-1.ics", split().old, "f-2")
    assert old.file.unread
    assert (old.lost, old.keep_todo) == (EDITED, True)
    assert old.after_file is not None
    after = old.after_file
    assert (after.content, after.fingerprint, after.stat) == (split().old, None, None)
    assert after.base_remote == RECORD.base_remote


def test_the_new_file_is_known_by_what_it_says() -> None:
    """However it was written since."""
    data = split().new
    same = edited(data, {"DTSTAMP:2026": "DTSTAMP:2025"})
    another = edited(data, {"SUMMARY:From now on": "SUMMARY:Something else"})

    assert is_made(split(), data, OWNER)
    assert is_made(split(), same, OWNER)
    assert not is_made(split(), another, OWNER)
    assert not is_made(split(), edited(data, {f"UID:{split().uid}": "UID:other"}), OWNER)
    assert not is_made(split(), b"no calendar", OWNER)
    assert not is_made(split(), event_text("SUMMARY:no time", uid=split().uid), OWNER)
