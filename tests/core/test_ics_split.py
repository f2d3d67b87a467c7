"""A series cut in two where an override speaks for all later occurrences; others judge the dates."""

from __future__ import annotations

import re
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import icalendar
import pytest
import recurring_ical_events
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from syncd.core.event import AllDay, Event, Item, When, shifted, slot_of
from syncd.core.ids import Uid
from syncd.core.recurrence import occurrences
from syncd.core.wire.ics_read import FileItem, read
from syncd.core.wire.ics_split import Split, split_series
from syncd.core.wire.ics_write import Stamps, moment_text, render, slot_start, vevent_texts
from tests.core.test_ics_read import REWRITES, SNIPPETS
from tests.strategies import OWNER, events, series

STAMPS = Stamps("20260101T100000Z", "20260201T100000Z")
BERLIN = ";TZID=Europe/Berlin:"
START = f"DTSTART{BERLIN}20260302T100000"
SLOT = "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260323T100000"  # a monday
WEEKLY = (START, "RRULE:FREQ=WEEKLY", "SUMMARY:a")
SAME = (SLOT, f"DTSTART{BERLIN}20260323T100000", "SUMMARY:b")
LATER = (SLOT, f"DTSTART{BERLIN}20260323T113000", "SUMMARY:b")
NEXT_DAY = (SLOT, f"DTSTART{BERLIN}20260324T100000", "SUMMARY:b")


def file(*vevents: tuple[str, ...], head: tuple[str, ...] = (), uid: str = "u") -> bytes:
    lines = ["BEGIN:VCALENDAR", *head]
    for one in vevents:
        lines += ["BEGIN:VEVENT", f"UID:{uid}", *one, "END:VEVENT"]
    return ("\r\n".join([*lines, "END:VCALENDAR"]) + "\r\n").encode()


def cut(*vevents: tuple[str, ...], head: tuple[str, ...] = (), uid: str = "u") -> Split:
    found = split_series(file(*vevents, head=head, uid=uid), OWNER)
    assert found is not None
    return found


def lines(data: bytes, *names: str) -> list[str]:
    return [line for line in data.decode().split("\r\n") if line.startswith(names)]


def said(data: bytes) -> FileItem:
    found = read(data, OWNER, None)
    assert isinstance(found, FileItem), found
    return found


def item(data: bytes) -> Item:
    found = said(data)
    assert found.holds == ()
    assert found.item is not None
    return found.item


def all_of(data: bytes) -> list[bytes]:
    """A file cut until nothing is left to cut: the new files, and the old one last."""
    files = []
    while (found := split_series(data, OWNER)) is not None:
        files.append(found.new)
        data = found.old
    return [*files, data]


def instances(data: bytes, first: date, last: date) -> Counter[tuple[str, str, str, str]]:
    """Title, start, end and place of each instance as recurring-ical-events sees them."""
    calendar: Any = icalendar.Calendar.from_ical(data)
    return Counter(
        (
            str(one.get("SUMMARY", "")),
            moment(one["DTSTART"].dt),
            moment(one["DTEND"].dt),
            str(one.get("LOCATION", "")),
        )
        for one in recurring_ical_events.of(calendar).between(first, last)
    )


def moment(at: date | datetime) -> str:
    aware = isinstance(at, datetime) and at.tzinfo is not None
    return at.astimezone(UTC).isoformat() if aware else at.isoformat()  # type: ignore[union-attr]


def test_case_67_a_series_ends_where_the_new_one_begins() -> None:
    """The override is the new series; what it does not concern stays as it was."""
    found = cut((*WEEKLY, "X-A:1"), LATER, head=("PRODID:p", "X-WR-CALNAME:c"))

    assert (found.slot, found.uid) == (date(2026, 3, 23), "u-20260323")
    ended = (START, "RRULE:FREQ=WEEKLY;UNTIL=20260316T090000Z", "SUMMARY:a", "X-A:1")
    assert found.old == file(ended, head=("PRODID:p", "X-WR-CALNAME:c"))
    begun = ("RRULE:FREQ=WEEKLY", *LATER[1:])
    assert found.new == file(begun, head=("PRODID:p", "X-WR-CALNAME:c"), uid="u-20260323")


@pytest.mark.parametrize(
    ("rule", "override", "old", "new"),
    [
        ("FREQ=WEEKLY;COUNT=9", LATER, "FREQ=WEEKLY;COUNT=3", "FREQ=WEEKLY;COUNT=6"),
        ("COUNT=4;FREQ=WEEKLY", SAME, "FREQ=WEEKLY;COUNT=3", "FREQ=WEEKLY;COUNT=1"),
        (
            "FREQ=WEEKLY;UNTIL=20261231T225959Z;BYDAY=MO",
            SAME,
            "FREQ=WEEKLY;BYDAY=MO;UNTIL=20260316T090000Z",
            "FREQ=WEEKLY;UNTIL=20261231T225959Z;BYDAY=MO",
        ),
        (
            "FREQ=WEEKLY;UNTIL=20260402T080000Z",
            LATER,
            "FREQ=WEEKLY;UNTIL=20260316T090000Z",
            "FREQ=WEEKLY;UNTIL=20260330T093000Z",
        ),
        (
            "FREQ=WEEKLY;UNTIL=20260330T080000Z",
            LATER,
            "FREQ=WEEKLY;UNTIL=20260316T090000Z",
            "FREQ=WEEKLY;UNTIL=20260330T093000Z",
        ),
        (
            "FREQ=WEEKLY;UNTIL=20260330;BYDAY=MO",
            NEXT_DAY,
            "FREQ=WEEKLY;BYDAY=MO;UNTIL=20260316T090000Z",
            "FREQ=WEEKLY;BYDAY=TU;UNTIL=20260331T080000Z",
        ),
        (
            "FREQ=DAILY;INTERVAL=7;COUNT=5",
            NEXT_DAY,
            "FREQ=DAILY;INTERVAL=7;COUNT=3",
            "FREQ=DAILY;INTERVAL=7;COUNT=2",
        ),
        (
            "FREQ=WEEKLY;BYHOUR=10;X-A=1",
            SAME,
            "FREQ=WEEKLY;BYHOUR=10;X-A=1;UNTIL=20260316T090000Z",
            "FREQ=WEEKLY;BYHOUR=10;X-A=1",
        ),
        (
            "FREQ=WEEKLY;BYHOUR=10",
            LATER,
            "FREQ=WEEKLY;BYHOUR=10;UNTIL=20260316T090000Z",
            "FREQ=WEEKLY;BYDAY=MO",
        ),
    ],
)
def test_a_rule_is_shared_out(rule: str, override: tuple[str, ...], old: str, new: str) -> None:
    """COUNT stays COUNT, everything else ends by UNTIL; the other parts keep their spelling."""
    found = cut((START, f"RRULE:{rule}", "SUMMARY:a"), override)

    assert lines(found.old, "RRULE") == [f"RRULE:{old}"]
    assert lines(found.new, "RRULE") == [f"RRULE:{new}"]


def test_cancelled_occurrences_count() -> None:
    """RFC 5545 3.8.5.1: EXDATE takes out of what COUNT has counted."""
    exdates = f"EXDATE{BERLIN}20260309T100000,20260330T100000"
    found = cut((START, "RRULE:FREQ=WEEKLY;COUNT=5", exdates, "SUMMARY:a"), SAME)

    assert lines(found.old, "RRULE", "EXDATE") == [
        "RRULE:FREQ=WEEKLY;COUNT=3",
        f"EXDATE{BERLIN}20260309T100000",
    ]
    assert lines(found.new, "RRULE", "EXDATE") == [
        "RRULE:FREQ=WEEKLY;COUNT=2",
        f"EXDATE{BERLIN}20260330T100000",
    ]


def test_the_days_of_a_week_move_together() -> None:
    """Every other week too, whose beginning moves along."""
    rule = "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SA;WKST=MO"
    slot = "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260321T100000"  # a saturday
    data = file((START, rule), (slot, f"DTSTART{BERLIN}20260323T100000", "SUMMARY:b"))

    found = split_series(data, OWNER)

    assert found is not None
    assert lines(found.new, "RRULE") == ["RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=WE"]
    assert found_dates(found.new, 5) == [
        date(2026, 3, 23),
        *(date(2026, 4, 1), date(2026, 4, 6)),
        *(date(2026, 4, 15), date(2026, 4, 20)),
    ]


def found_dates(data: bytes, most: int) -> list[date]:
    one = said(data).item
    assert one is not None
    return first_dates(one, most)


def first_dates(one: Item, most: int) -> list[date]:
    assert one.recurrence is not None
    return list(islice(occurrences(one.recurrence, slot_of(one.master.when)), most))


def test_exceptions_move_along() -> None:
    """By the hours and days between the override's DTSTART and its RECURRENCE-ID."""
    exdates = (
        f"EXDATE{BERLIN}20260309T100000,20260330T100000",
        "EXDATE:20260413T080000Z,20260309T090000Z",
        "EXDATE;VALUE=DATE:20260504",
    )
    later = (f"RECURRENCE-ID{BERLIN}20260420T100000", f"DTSTART{BERLIN}20260420T070000", "X-A:1")
    found = cut((*WEEKLY, *exdates), (SLOT, f"DTSTART{BERLIN}20260325T110000"), later)

    assert lines(found.old, "EXDATE") == [
        f"EXDATE{BERLIN}20260309T100000",
        "EXDATE:20260309T090000Z",
    ]
    assert lines(found.new, "EXDATE", "RECURRENCE-ID", "DTSTART", "X-A") == [
        f"EXDATE{BERLIN}20260401T110000",
        f"EXDATE{BERLIN}20260415T110000",
        f"EXDATE{BERLIN}20260506T110000",
        f"DTSTART{BERLIN}20260325T110000",
        f"RECURRENCE-ID{BERLIN}20260422T110000",
        f"DTSTART{BERLIN}20260420T070000",
        "X-A:1",
    ]


def test_exceptions_are_spelled_like_the_start() -> None:
    """In UTC, or in a zone by the override's own name for it."""
    master = ("DTSTART:20260302T100000Z", "RRULE:FREQ=WEEKLY", "EXDATE:20260330T100000Z")
    slot = "RECURRENCE-ID;RANGE=THISANDFUTURE:20260323T100000Z"
    zone = "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna"

    utc = cut(master, (slot, "DTSTART:20260323T120000Z"))
    named = cut(
        (*WEEKLY, "EXDATE:20260330T080000Z"), (SLOT, f'DTSTART;TZID="{zone}":20260323T120000')
    )

    assert lines(utc.new, "EXDATE") == ["EXDATE:20260330T120000Z"]
    found = re.findall(r"EXDATE.*", unfolded(named.new))
    assert found == [f'EXDATE;TZID="{zone}":20260330T120000\r']


def test_where_nothing_moves_exceptions_keep_their_spelling() -> None:
    """Whatever it is: a line that goes along whole keeps its folding, too."""
    exdates = ("EXDATE:20260330T0\r\n 80000Z", f"EXDATE{BERLIN}20260309T100000,20260413T100000")
    later = ("RECURRENCE-ID;X-A=1:20260420T080000Z", f"DTSTART{BERLIN}20260420T070000")
    found = cut((*WEEKLY, *exdates), SAME, later)

    assert b"\r\n" + exdates[0].encode() + b"\r\n" in found.new
    assert lines(found.new, "EXDATE;")[0] == f"EXDATE{BERLIN}20260413T100000"
    assert lines(found.new, "RECURRENCE-ID")[0] == later[0]
    assert set(item(found.new).overrides) == {date(2026, 4, 20)}


def test_an_exdate_that_names_nothing_stays() -> None:
    """Nobody knows where it belongs."""
    found = cut((*WEEKLY, "EXDATE:junk,20260330T080000Z,,"), SAME)

    assert lines(found.old, "EXDATE") == ["EXDATE:junk,,"]
    assert lines(found.new, "EXDATE") == ["EXDATE:20260330T080000Z"]


def test_a_new_series_may_begin_with_a_cancelled_occurrence() -> None:
    """The override stands for what follows, all the same."""
    found = cut((*WEEKLY, f"EXDATE{BERLIN}20260323T100000"), LATER)

    assert lines(found.old, "EXDATE") == []
    assert item(found.new).cancelled == {date(2026, 3, 23)}


def test_whole_days_are_cut_as_dates() -> None:
    """UNTIL, EXDATE and RECURRENCE-ID are dates; the length is the override's own."""
    found = cut(
        (
            *("DTSTART;VALUE=DATE:20260302", "RRULE:FREQ=WEEKLY;UNTIL=20260420"),
            "EXDATE;VALUE=DATE:20260309,20260330",
        ),
        (
            "RECURRENCE-ID;VALUE=DATE;RANGE=THISANDFUTURE:20260323",
            *("DTSTART;VALUE=DATE:20260325", "DURATION:P2D"),
        ),
        ("RECURRENCE-ID;VALUE=DATE:20260413", "DTSTART;VALUE=DATE:20260414"),
    )

    assert lines(found.old, "RRULE", "EXDATE") == [
        "RRULE:FREQ=WEEKLY;UNTIL=20260316",
        "EXDATE;VALUE=DATE:20260309",
    ]
    assert lines(found.new, "RRULE", "EXDATE", "RECURRENCE-ID") == [
        "RRULE:FREQ=WEEKLY;UNTIL=20260422",
        "EXDATE;VALUE=DATE:20260401",
        "RECURRENCE-ID;VALUE=DATE:20260415",
    ]
    assert item(found.new).master.when == AllDay(date(2026, 3, 25), date(2026, 3, 27))


def test_months_and_years_keep_their_day() -> None:
    """Another hour is fine."""
    start, slot = f"DTSTART{BERLIN}20260131T100000", f"DTSTART{BERLIN}20260228T090000"
    range_ = "RECURRENCE-ID;RANGE=THISANDFUTURE:20260228T090000Z"
    found = cut((start, "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1"), (range_, slot))

    assert found_dates(found.new, 3) == [date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]


def test_a_floating_series_ends_by_local_time() -> None:
    """RFC 5545 3.3.10: UNTIL is local where DTSTART is."""
    found = cut(
        ("DTSTART:20260302T100000", "RRULE:FREQ=WEEKLY;UNTIL=20260330T100000"),
        ("RECURRENCE-ID;RANGE=THISANDFUTURE:20260323T100000", "DTSTART:20260324T093000"),
        ("RECURRENCE-ID:20260330T100000", "DTSTART:20260330T120000"),
    )

    assert lines(found.old, "RRULE") == ["RRULE:FREQ=WEEKLY;UNTIL=20260316T100000"]
    assert lines(found.new, "RRULE", "RECURRENCE-ID") == [
        "RRULE:FREQ=WEEKLY;UNTIL=20260331T093000",
        "RECURRENCE-ID:20260331T093000",
    ]


ALARM = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-P0DT5M", "X-A:1", "END:VALARM")


def test_alarms_are_inherited() -> None:
    """All of them, byte for byte."""
    email = ("BEGIN:valarm", "ACTION:EMAIL", "TRIGGER:-PT1H", "END:valarm")
    found = cut((*WEEKLY, *ALARM, *email), SAME)

    assert "\r\n".join([*ALARM, *email]) in found.new.decode()
    assert item(found.new).master.reminder_min == 5


def test_an_alarm_of_its_own_is_enough() -> None:
    """The series' are not added to it."""
    own = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT9M", "END:VALARM")
    found = cut((*WEEKLY, *ALARM), (*SAME, *own))

    assert lines(found.new, "TRIGGER") == ["TRIGGER:-PT9M"]


def test_the_new_file_has_the_zones_that_it_uses() -> None:
    """As they stand in the old one, which keeps its own."""
    zones = [f"BEGIN:VTIMEZONE\r\nTZID:{name}\r\nX-A:1\r\nEND:VTIMEZONE" for name in "ABC"]
    master = ("DTSTART:20260302T100000Z", "DTEND;TZID=A:20260302T110000", "RRULE:FREQ=WEEKLY")
    utc = tuple(zone.replace("TZID:A", "TZID:UTC") for zone in zones)
    head = (
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20260309T100000Z",
        "DTSTART;TZID=UTC:20260309T100000",
    )
    found = cut((master[0], master[2]), head, head=utc)

    assert lines(found.old, "TZID") == ["TZID:UTC", "TZID:B", "TZID:C"]
    assert lines(found.new, "TZID", "X-A", "BEGIN:VT") == ["BEGIN:VTIMEZONE", "TZID:UTC", "X-A:1"]


def test_the_latest_of_several_is_cut_first() -> None:
    """The old file is cut again for the others; no part is."""
    early = "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260309T100000"
    between = (f"RECURRENCE-ID{BERLIN}20260316T100000", f"DTSTART{BERLIN}20260316T130000")
    data = file(WEEKLY, LATER, between, (early, f"DTSTART{BERLIN}20260310T110000", "SUMMARY:c"))

    first = split_series(data, OWNER)

    assert first is not None
    assert first.slot == date(2026, 3, 23)
    assert [one.code for one in said(first.old).holds] == ["this-and-future"]
    second = split_series(first.old, OWNER)
    assert second is not None
    assert second.slot == date(2026, 3, 9)
    assert lines(second.new, "RRULE", "RECURRENCE-ID") == [
        "RRULE:FREQ=WEEKLY;UNTIL=20260317T100000Z",
        f"RECURRENCE-ID{BERLIN}20260317T110000",
    ]
    assert found_dates(second.old, 9) == [date(2026, 3, 2)]
    for part in (second.old, second.new, first.new):
        assert split_series(part, OWNER) is None


def test_each_uid_is_another() -> None:
    """Of bounded length, and spelled as TEXT."""
    long = "x" * 400

    escaped = cut(WEEKLY, SAME, uid="a\\,b")
    assert (escaped.uid, lines(escaped.new, "UID")) == ("a,b-20260323", ["UID:a\\,b-20260323"])
    assert len(cut(WEEKLY, SAME, uid=long).uid) < 200
    assert cut(WEEKLY, SAME, uid=long).uid != cut(WEEKLY, SAME, uid=long + "x").uid


def test_lines_that_are_not_concerned_stay_byte_for_byte() -> None:
    """Line ends, folding, case, blank lines and what is no content line."""
    data = (
        b"\xef\xbb\xbf\r\nBEGIN:VCALENDAR\r\nX-A;b=1:\xc3\r\n \xa4\r\nbegin:vevent\n"
        b"uid;X=1:u\r\nrrule;X=1:FREQ=WEEKLY\r\n\r\njunk\ndtstart:20260302T100000Z\r\n"
        b"exdate:20260309T100000Z\r\nend:vevent\r\nBEGIN:VEVENT\r\nX-B:\r\n\tfolded\r\nUID:u\r\n"
        b"RECURRENCE-ID;RANGE=THISANDFUTURE:20260316T100000Z\r\n\r\nDTSTART:20260316T100000Z\n"
        b"END:VEVENT\r\nEND:VCALENDAR\r\n\x1a\r\n"
    )

    found = split_series(data, OWNER)

    assert found is not None
    assert found.old == re.sub(rb"(?s)BEGIN:VEVENT.*END:VEVENT\r\n", b"", data).replace(
        b"FREQ=WEEKLY", b"FREQ=WEEKLY;UNTIL=20260309T100000Z"
    )
    assert found.new == re.sub(rb"(?s)begin:vevent.*end:vevent\r\n", b"", data).replace(
        b"UID:u\r\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260316T100000Z",
        b"UID:u-20260316\r\nrrule;X=1:FREQ=WEEKLY",
    )


def test_an_override_without_an_end_has_none() -> None:
    """RFC 5545 3.6.1: it takes no time; the series' DTEND says nothing about it."""
    found = cut((*WEEKLY, f"DTEND{BERLIN}20260302T110000"), SAME)

    when = item(found.new).master.when
    assert when.start == when.end


CAROL = "ORGANIZER:mailto:carol@example.com"
ME = "ATTENDEE:mailto:me@example.org"
BOB = "ATTENDEE:mailto:bob@example.org"
MONTHLY = (START, "RRULE:FREQ=MONTHLY;BYDAY=1MO")
SECOND = "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260406T100000"
ALONE = f"DTSTART{BERLIN}20260323T113000"
PLAIN = SLOT.replace(";RANGE=THISANDFUTURE", "")
HELD: dict[str, tuple[tuple[str, ...], ...]] = {
    "no such override": (WEEKLY, (PLAIN, ALONE)),
    "another range": (WEEKLY, (SLOT.replace("FUTURE", "PRIOR"), ALONE)),
    "a second one with another range": (
        WEEKLY,
        LATER,
        (
            SLOT.replace("FUTURE", "PRIOR").replace("0323", "0309"),
            f"DTSTART{BERLIN}20260309T110000",
        ),
    ),
    "no series": ((START,), LATER),
    "no master": (LATER,),
    "two masters": (WEEKLY, WEEKLY, LATER),
    "on the first occurrence": (WEEKLY, (SLOT.replace("0323", "0302"), START)),
    "before the first occurrence": (WEEKLY, (SLOT.replace("0323", "0223"), START)),
    "no occurrence": (WEEKLY, (SLOT.replace("0323", "0324"), ALONE)),
    "beyond the end": ((START, "RRULE:FREQ=WEEKLY;COUNT=3"), LATER),
    "no date": (WEEKLY, ("RECURRENCE-ID;RANGE=THISANDFUTURE:x", ALONE)),
    "no start": (WEEKLY, (SLOT, "SUMMARY:b")),
    "a bad start": (WEEKLY, (SLOT, "DTSTART:20261340T000000Z")),
    "ends before it starts": (WEEKLY, (*LATER, f"DTEND{BERLIN}20260323T100000")),
    "a rule that is held": ((START, "RRULE:FREQ=HOURLY"), LATER),
    "extra dates": ((*WEEKLY, f"RDATE{BERLIN}20260303T100000"), LATER),
    "two rules": ((*WEEKLY, "RRULE:FREQ=DAILY"), LATER),
    "an override that repeats": (WEEKLY, (*LATER, "RRULE:FREQ=WEEKLY")),
    "an override with exceptions": (WEEKLY, (*LATER, f"EXDATE{BERLIN}20260309T100000")),
    "a later override that repeats": (
        WEEKLY,
        LATER,
        (PLAIN.replace("0323", "0330"), f"DTSTART{BERLIN}20260330T100000", "RRULE:FREQ=WEEKLY"),
    ),
    "a later override that names no occurrence": (
        WEEKLY,
        LATER,
        (PLAIN.replace("0323", "0331"), ALONE),
    ),
    "an override without a date": (WEEKLY, LATER, ("RECURRENCE-ID:x", ALONE)),
    "two overrides on the slot": (WEEKLY, LATER, (PLAIN, ALONE)),
    "two overrides on a later slot": (
        WEEKLY,
        LATER,
        (PLAIN.replace("0323", "0330"), ALONE),
        (PLAIN.replace("0323", "0330"), ALONE),
    ),
    "two RECURRENCE-IDs": (WEEKLY, LATER, (PLAIN.replace("0323", "0330"), PLAIN, ALONE)),
    "all cancelled from here on": (WEEKLY, (*LATER, "STATUS:CANCELLED")),
    "a monthly rule on another day": (MONTHLY, (SECOND, f"DTSTART{BERLIN}20260407T100000")),
    "a monthly rule in another month": (MONTHLY, (SECOND, f"DTSTART{BERLIN}20260504T100000")),
    "another zone": (WEEKLY, (SLOT, "DTSTART:20260323T093000Z")),
    "a day instead of a time": (WEEKLY, (SLOT, "DTSTART;VALUE=DATE:20260323")),
    "somebody's meeting without its host": ((*WEEKLY, CAROL, ME), (*LATER, ME, BOB)),
    "somebody else's meeting": (
        (*WEEKLY, CAROL, ME),
        (*LATER, CAROL.replace("carol", "dave"), ME),
    ),
    "beyond the calendar": (
        ("DTSTART:20260302T100000Z", "RRULE:FREQ=WEEKLY;UNTIL=99991231T235959Z"),
        ("RECURRENCE-ID;RANGE=THISANDFUTURE:20260309T100000Z", "DTSTART:44991231T100000Z"),
    ),
}


@pytest.mark.parametrize("vevents", HELD.values(), ids=HELD.keys())
def test_what_cannot_be_cut_exactly_is_not_cut(vevents: tuple[tuple[str, ...], ...]) -> None:
    """It stays held, and its file as it is."""
    assert split_series(file(*vevents), OWNER) is None


@pytest.mark.parametrize(
    "host", [(CAROL, ME), (CAROL.replace("carol", "Carol"), ME, BOB), (CAROL, BOB)]
)
def test_a_meeting_keeps_its_host(host: tuple[str, ...]) -> None:
    """Then it may have other guests."""
    assert item(cut((*WEEKLY, CAROL, ME), (*LATER, *host)).new).master.organizer is not None


def test_midnights_that_stand_for_days_are_not_cut() -> None:
    """Outlook's all-day flag beside times: whether UNTIL is a day or a time, readers disagree."""
    flag = "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE"
    master = ("DTSTART:20260302T000000", "DTEND:20260303T000000", "RRULE:FREQ=WEEKLY", flag)
    head = ("RECURRENCE-ID;RANGE=THISANDFUTURE:20260309T000000", "DTSTART:20260309T000000")

    assert split_series(file(master, (*head, "DTEND:20260310T000000", flag)), OWNER) is None


def test_what_is_held_for_its_contents_does_not_stand_in_the_way() -> None:
    """A category with a separator, say: the hold goes along with its lines."""
    found = cut((*WEEKLY, "CATEGORIES:a\\,b"), (*LATER, "CATEGORIES:c\\;d"))

    codes = [[one.code for one in said(data).holds] for data in (found.old, found.new)]
    assert codes == [["category-separator"], ["category-separator"]]


# --- laws ---


RESPELLINGS = (
    *("LF line ends", "other folding", "names in lower case", "EXDATEs merged", "Z as a zone"),
    *("properties turned around", "no zone blocks", "a BOM and blank lines", "a sequence"),
)


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, date, date]:
    """A series with one or two overrides for all that follows, and the days to look at."""
    one = draw(series(meetings=False))
    begin = slot_of(one.master.when)
    slots = first_dates(one, 9)
    free = [day for day in slots[1:] if day not in one.overrides]
    assume(free)
    chosen = draw(st.lists(st.sampled_from(free), min_size=1, max_size=2, unique=True))
    text = render(Uid("u-1"), one, STAMPS, OWNER).decode()
    for slot in chosen:
        text = text.replace("END:VCALENDAR", draw(ranged(one, slot)) + "END:VCALENDAR")
    for name in draw(st.lists(st.sampled_from(RESPELLINGS[2:]), max_size=3, unique=True)):
        text = REWRITES[name](text)
    for name in draw(st.lists(st.sampled_from(RESPELLINGS[:2]), max_size=1)):
        text = REWRITES[name](text)
    last = max(begin + timedelta(days=950), slots[-1] + timedelta(days=400))
    return text.encode(), begin - timedelta(days=30), last


@st.composite
def ranged(draw: st.DrawFn, one: Item, slot: date) -> str:
    """An override for all that follows: another hour, day and length, where the rule allows it."""
    assert one.recurrence is not None
    anywhere = one.recurrence.type in ("daily", "weekly")
    days = draw(st.integers(-9, 9)) if anywhere and draw(st.booleans()) else 0
    when = displaced(
        shifted(one.master.when, slot),
        timedelta(days=days),
        timedelta(minutes=draw(st.integers(-480, 480))) * draw(st.booleans()),
        draw(st.integers(0, 600)),
    )
    event: Event = draw(events(when, meetings=False))
    at = moment_text("RECURRENCE-ID;RANGE=THISANDFUTURE", slot_start(slot, one.master.when))
    texts = vevent_texts(Uid("u-1"), event, STAMPS, [at], one.master)
    kept = [line for line in texts if draw(st.booleans()) or not line.startswith("DTEND")]
    return "".join(f"{line}\r\n" for line in kept)


def displaced(when: When, days: timedelta, clock: timedelta, length: int) -> When:
    if isinstance(when, AllDay):
        return AllDay(when.start + days, when.start + days + timedelta(days=1 + length // 200))
    start = when.start + days + clock
    end = start + timedelta(minutes=length)
    return type(when)(start, when.start_zone, end, when.start_zone)


def crosses(data: bytes) -> bool:
    """Whether a part would have an occurrence beyond its neighbour: it stays whole, and held."""
    whole = said(data).item
    assert whole is not None
    return (bool(whole.overrides) or outgrows(data, whole)) and split_series(data, OWNER) is None


def outgrows(data: bytes, whole: Item) -> bool:
    """Whether the later occurrences are longer than the days between two of them."""
    cut = icalendar.Calendar.from_ical(data).walk("VEVENT")[-1]
    dates = first_dates(whole, 60)
    gap = min((later - day for day, later in pairwise(dates)), default=timedelta.max)
    return bool(cut.end - cut.start > gap)


@settings(max_examples=40)
@given(files())
def test_the_parts_have_the_instances_of_the_whole(case: tuple[bytes, date, date]) -> None:
    """As an independent reader of RANGE sees them, for years; nothing of the parts is held."""
    data, first, last = case
    assume(not crosses(data))

    parts = all_of(data)

    assert len(parts) == 1 + unfolded(data).upper().count("THISANDFUTURE")
    together = sum((instances(part, first, last) for part in parts), Counter[Any]())
    assert together == instances(data, first, last)
    assert len({said(part).uid for part in parts}) == len(parts)
    for part in parts:
        item(part)


def unfolded(data: bytes) -> str:
    return re.sub(rb"\r?\n[ \t]", b"", data).decode()


@settings(max_examples=40)
@given(files())
def test_we_read_the_occurrences_that_the_override_moved(case: tuple[bytes, date, date]) -> None:
    """Computed without any library: each later date by as much as the override's own."""
    found = split_series(case[0], OWNER)
    assume(not crosses(case[0]))
    assert found is not None
    whole, old, new = said(case[0]).item, said(found.old).item, item(found.new)
    assert whole is not None
    assert old is not None

    by = slot_of(new.master.when) - found.slot
    dates = first_dates(whole, 300)
    later = [day + by for day in dates if day >= found.slot]
    assert first_dates(new, len(later)) == later
    assert first_dates(old, 300) == [day for day in dates if day < found.slot]
    assert {day - by for day in new.cancelled} | old.cancelled == whole.cancelled
    assert {day - by for day in new.overrides} | old.overrides.keys() == whole.overrides.keys()


@settings(max_examples=60)
@given(files())
def test_only_lines_of_the_cut_are_new(case: tuple[bytes, date, date]) -> None:
    """Every other line of the parts is one of the file's, in its order; twice it is the same."""
    data = case[0]

    found = split_series(data, OWNER)

    assume(not crosses(data))
    assert found is not None
    assert split_series(data, OWNER) == found
    there = logical(data)
    for part, own in (
        (found.old, ("RRULE", "EXDATE")),
        (found.new, ("UID", "RRULE", "EXDATE", "RECURRENCE-ID")),
    ):
        left = Counter(there)
        for line in logical(part):
            assert left[line] or line.upper().startswith(own), line
            left[line] -= line in left
    rest = iter(there)
    assert all(line in rest for line in logical(found.old) if line in there)


def logical(data: bytes) -> list[str]:
    """The lines with their folds and line ends."""
    return re.split(r"(?<=\n)(?![ \t])", data.decode())


HOSTILE = (
    *SNIPPETS,
    *("RECURRENCE-ID;RANGE=THISANDFUTURE:20260323T100000Z", "RRULE:FREQ=WEEKLY;COUNT=999"),
    *("UID:\\", "UID:u\x01", "EXDATE;X=\r\r\n Y:20260330T080000Z", "DTSTART:20260324T100000Z"),
    *("RRULE:FREQ=WEEKLY;\r\r\n COUNT=5", "DTSTART;TZID=:20260323T100000", "BEGIN:X", "END:X"),
)


@settings(max_examples=120)
@given(
    files() | st.just((file(WEEKLY, LATER), date(2026, 1, 1), date(2027, 1, 1))),
    st.lists(st.tuples(st.integers(0, 99), st.sampled_from(HOSTILE)), max_size=5),
    st.lists(st.integers(0, 99), max_size=2),
)
def test_a_mutated_file_is_cut_or_not(
    case: tuple[bytes, date, date], strewn: list[tuple[int, str]], dropped: list[int]
) -> None:
    """Hostile lines anywhere, and others gone: no crash, and what is cut can be read."""
    rows = case[0].split(b"\n")
    for at, text in strewn:
        rows.insert(min(at, len(rows)), text.encode() + b"\r")
    for at in dropped:
        del rows[min(at, len(rows) - 1)]
    began = time.process_time()

    found = split_series(b"\n".join(rows), OWNER)

    assert time.process_time() - began < 5
    if found is not None:
        assert said(found.old).uid != said(found.new).uid
        assert split_series(found.new, OWNER) is None


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_not_cut(data: bytes) -> None:
    """Nor do they crash."""
    assert split_series(data, OWNER) is None


def test_many_exceptions_are_cut_quickly() -> None:
    """Ten thousand EXDATEs and a thousand overrides do not stall the round."""
    days = [date(2026, 3, 2) + timedelta(days=n) for n in range(10_000)]
    exdates = tuple(f"EXDATE{BERLIN}{day:%Y%m%d}T100000" for day in days[1_500:])
    overrides = [
        (PLAIN.replace("20260323", f"{day:%Y%m%d}"), f"DTSTART{BERLIN}{day:%Y%m%d}T120000")
        for day in days[100:1_100]
    ]
    data = file((START, "RRULE:FREQ=DAILY", *exdates), LATER, *overrides)
    began = time.process_time()

    found = split_series(data, OWNER)

    assert time.process_time() - began < 10
    assert found is not None
    assert len(lines(found.new, "EXDATE")) == len(exdates)
