"""Files as other programs write and rewrite them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.event import AllDay, Item, Timed
from syncd.core.ids import Uid
from syncd.core.lines import Document, Unreadable, parse, to_bytes
from syncd.core.merge import changed
from syncd.core.wire.ics_read import FileItem, quick_uid, read
from syncd.core.wire.ics_write import Stamps, local_view, render
from tests.strategies import OWNER, items

STAMPS = Stamps("20260101T100000Z", "20260201T100000Z")
ONE = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:u\r\n%s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


def seen(data: bytes, base: Item | None = None) -> Item:
    found = read(data, OWNER, base)
    assert isinstance(found, FileItem), found
    assert found.item is not None
    return found.item


Rewrite = Callable[[str], str]


def per_event(text: str, line: str) -> str:
    return text.replace("BEGIN:VEVENT\r\n", f"BEGIN:VEVENT\r\n{line}\r\n")


def lower_names(text: str) -> str:
    return re.sub(r"(?m)^(?!BEGIN|END)[A-Z-]+(?=[;:])", lambda m: m[0].lower(), text)


def respelled(text: str) -> str:
    return text.replace("Europe/Berlin", "europe/berlin").replace(
        "TZID=America/New_York", 'TZID="Eastern Standard Time"'
    )


def reversed_lines(text: str) -> str:
    """Every event's properties in the opposite order, its alarm left where it is."""

    def turned(match: re.Match[str]) -> str:
        lines = re.split(r"(?<=\r\n)(?![ \t])", match[1])[:-1]
        return "BEGIN:VEVENT\r\n" + "".join(reversed(lines)) + match[2]

    return re.sub(r"(?s)BEGIN:VEVENT\r\n(.*?)(BEGIN:VALARM|END:VEVENT)", turned, text)


def refolded(text: str) -> str:
    whole = text.replace("\r\n ", "")
    return re.sub(r"(?m)^((?!BEGIN|END)[^\r\n]{30})(?=[^\r\n])", "\\1\r\n\t", whole)


def in_utc_exdates(text: str) -> str:
    """EXDATEs merged into one line."""
    found = re.findall(r"(?m)^EXDATE(?:;[^:\r\n]*)?:([^\r\n]*)\r\n", text)
    if len(found) < 2:
        return text
    first = True

    def merged(match: re.Match[str]) -> str:
        nonlocal first
        line = f"{match[1]}:{','.join(reversed(found))}\r\n" if first else ""
        first = False
        return line

    return re.sub(r"(?m)^(EXDATE(?:;[^:\r\n]*)?):[^\r\n]*\r\n", merged, text)


REWRITES: dict[str, Rewrite] = {
    "LF line ends": lambda text: text.replace("\r\n", "\n"),
    "other folding": refolded,
    "names in lower case": lower_names,
    "another program": lambda text: re.sub("(?m)^PRODID:.*", "PRODID:-//khal//\r", text),
    "new stamps": lambda text: re.sub(
        r"(?m)^(DTSTAMP|LAST-MODIFIED|CREATED):\d+", r"\1:2030010", text
    ),
    "a sequence": lambda text: per_event(text, "SEQUENCE:7"),
    "no zone blocks": lambda text: re.sub(r"(?ms)^BEGIN:VTIMEZONE.*?END:VTIMEZONE\r\n", "", text),
    "zones respelled": respelled,
    "Z as a zone": lambda text: re.sub(r"(?m)^(DTSTART|DTEND):(\d+T\d+)Z", r"\1;TZID=UTC:\2", text),
    "defaults spelled out": lambda text: (
        per_event(text, "X-MOZ-GENERATION:1\r\nSEQUENCE:0")
        if "TRANSP" in text
        else per_event(text, "TRANSP:OPAQUE")
    ),
    "EXDATEs merged": in_utc_exdates,
    "properties turned around": reversed_lines,
    "categories split": lambda text: re.sub(
        r"(?m)^CATEGORIES:(Red|Work),", lambda m: f"CATEGORIES:{m[1].upper()}\r\nCATEGORIES:", text
    ),
    "triggers respelled": lambda text: re.sub(
        r"(?m)^TRIGGER:-PT(\d+)M", r"TRIGGER:-P0DT\1M0S", text
    ),
    "alarm text": lambda text: re.sub(
        "(?m)^DESCRIPTION:Reminder\r$", "DESCRIPTION:Beep\r\nUID:x\r", text
    ),
    "minted lines removed": lambda text: re.sub(
        r"(?m)^(?:CONFERENCE|X-MICROSOFT-CDO-BUSYSTATUS)[;:][^\r\n]*(?:\r\n [^\r\n]*)*\r\n",
        "",
        text,
    ),
    "names of people": lambda text: re.sub(r"(?m)^ATTENDEE;CN=[A-Za-z0-9 ]+;", "ATTENDEE;", text),
    "answers of others": lambda text: re.sub(
        r"(ROLE=[A-Z-]+;PARTSTAT)=[A-Z-]+", r"\1=DECLINED;X-NUM-GUESTS=0", text
    ),
    "a BOM and blank lines": lambda text: "\ufeff" + text + "\r\n\r\n",
}


@settings(max_examples=120, deadline=None)
@given(items(), st.lists(st.sampled_from(sorted(REWRITES)), min_size=1, max_size=5, unique=True))
def test_what_clients_do_on_saving_is_no_edit(item: Item, names: list[str]) -> None:
    """Any mix of their rewrites changes no field."""
    base = local_view(item)
    text = render(Uid("u-1"), item, STAMPS, OWNER).decode()
    last = ("other folding", "LF line ends")
    names.sort(key=lambda name: last.index(name) + 1 if name in last else 0)

    for name in names:
        text = REWRITES[name](text)

    assert changed(base, seen(text.encode(), base), local=True) == frozenset()


@settings(max_examples=100, deadline=None)
@given(items())
def test_a_parsed_file_goes_back_byte_for_byte(item: Item) -> None:
    """Nothing is lost between bytes and lines."""
    data = render(Uid("u-1"), item, STAMPS, OWNER)

    document = parse(data)

    assert isinstance(document, Document)
    assert to_bytes(document) == data


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: ONE % text.encode()))
def test_arbitrary_bytes_are_an_answer_not_a_crash(data: bytes) -> None:
    """Every file is an item, no event, or unreadable for a reason."""
    began = time.process_time()

    read(data, OWNER, None)

    assert time.process_time() - began < 5
    quick_uid(data)


SNIPPETS = (
    *("DTSTART:99991231T235959Z", "DTSTART;TZID=Corp:99991231T000000", "DTSTART:00010101T000000"),
    *("DTEND;VALUE=DATE:99991231", "DTSTART;VALUE=DATE:45001231", "DURATION:P99999999999W"),
    *("DURATION:-PT5M", "RRULE:FREQ=DAILY", "RRULE:FREQ=YEARLY;COUNT=999", "RRULE:;;=", "RDATE:x"),
    *("EXDATE:99991231T000000Z,,0,20260399", "EXDATE;TZID=X:00010101T000000", "RECURRENCE-ID:x"),
    *("RECURRENCE-ID:99991231T000000Z", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260302T090000Z"),
    *("BEGIN:VALARM", "END:VALARM", "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VTIMEZONE", "TZID:Corp"),
    *("END:VTIMEZONE", "TRIGGER:-P99999999W", "TRIGGER;RELATED=END:PT0S", "ACTION:DISPLAY"),
    *("TRIGGER;VALUE=DATE-TIME:99991231T235959Z", "ATTENDEE:mailto:", 'ATTENDEE;CN="x:mailto:a'),
    *("ORGANIZER:mailto:c@x", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:me@example.org", "UID:", "UID:v"),
    *("CATEGORIES:" + "a\\,," * 9, "PRIORITY:" + "9" * 5000, "X-WR-TIMEZONE:Nowhere", "junk", " "),
    *("STATUS:CANCELLED", "DTSTART;TZID=Antarctica/Troll:20260701T100000", "SUMMARY:\\", "\x00"),
    *("TZOFFSETTO:+9999", "TZOFFSETFROM:x", "BEGIN:STANDARD", "END:STANDARD", "DTSTART:19700101"),
)


@settings(max_examples=200, deadline=None)
@given(items(), st.lists(st.tuples(st.integers(0, 80), st.sampled_from(SNIPPETS)), max_size=6))
def test_a_mutated_file_is_an_answer_not_a_crash(item: Item, strewn: list[tuple[int, str]]) -> None:
    """Hostile lines anywhere are read, held or refused, quickly, with a base and without."""
    lines = render(Uid("u-1"), item, STAMPS, OWNER).decode().split("\r\n")
    for at, text in strewn:
        lines.insert(min(at, len(lines)), text)
    data = "\r\n".join(lines).encode()
    began = time.process_time()

    read(data, OWNER, None)
    read(data, OWNER, local_view(item), delete_cancelled=True)

    assert time.process_time() - began < 5


def test_many_dates_and_alarms_are_read_quickly() -> None:
    """A series with ten thousand EXDATEs does not stall the reader."""
    values = ",".join(f"2{n:03}0101T090000Z" for n in range(2000))
    exdates = "\r\n".join(f"EXDATE:{values}" for _ in range(5))
    body = f"DTSTART:16010101T090000Z\r\nRRULE:FREQ=DAILY\r\n{exdates}".encode()
    began = time.process_time()

    seen(ONE % body)

    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("lines", "when"),
    [
        (b"X-WR-TIMEZONE:America/New_York", "Eastern Standard Time"),
        (b"X-WR-TIMEZONE:Nowhere/Land", "W. Europe Standard Time"),
        (b"X-WR-CALNAME:Mine", "W. Europe Standard Time"),
    ],
)
def test_a_floating_time_is_in_the_calendars_zone(lines: bytes, when: str) -> None:
    """X-WR-TIMEZONE, where it names a zone; else the mailbox's."""
    data = (ONE % b"DTSTART:20260701T100000").replace(b"BEGIN:VEVENT", lines + b"\r\nBEGIN:VEVENT")

    found = seen(data).master.when

    assert isinstance(found, Timed)
    assert (found.start, found.start_zone) == (datetime(2026, 7, 1, 10), when)


@pytest.mark.parametrize(
    ("lines", "show_as"),
    [
        (b"TRANSP:TRANSPARENT\r\nX-MICROSOFT-CDO-BUSYSTATUS:BUSY", "free"),
        (b"TRANSP:OPAQUE\r\nX-MICROSOFT-CDO-BUSYSTATUS:FREE", "busy"),
        (b"STATUS:CONFIRMED\r\nX-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE", "busy"),
        (b"STATUS:TENTATIVE", "tentative"),
        (b"X-MICROSOFT-CDO-BUSYSTATUS:OutOfOffice", "oof"),
    ],
)
def test_a_contradictory_file_reads_the_same_every_time(lines: bytes, show_as: str) -> None:
    """What it says does not depend on what it said before."""
    data = ONE % (b"DTSTART:20260701T100000Z\r\n" + lines)

    first = seen(data)

    assert first.master.show_as == show_as
    assert seen(data, first) == first


def test_the_first_events_uid_is_found_without_parsing() -> None:
    """Not a calendar's (RFC 7986) nor an alarm's (RFC 9074); escapes are undone."""
    data = (
        b"BEGIN:VCALENDAR\nUID:calendar\nBEGIN:VEVENT\nBEGIN:VALARM\nUID:alarm\nEND:VALARM\n"
        b"uid;X=1:a\\,b\nEND:VEVENT\nEND:VCALENDAR\n"
    )

    assert quick_uid(data) == "a,b"
    assert quick_uid(b"BEGIN:VEVENT\r\nUID:folded\r\n x\r\n") == ""


def test_a_held_override_reads_as_it_was_agreed() -> None:
    """Its slot stays what the base says, so that nothing counts as edited."""
    series = (
        b"DTSTART:20260302T090000Z\r\nRRULE:FREQ=WEEKLY\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:u\r\n"
        b"RECURRENCE-ID%s:20260309T090000Z\r\nDTSTART:20260309T100000Z\r\nSUMMARY:x"
    )
    base = seen(ONE % (series % b""))

    found = read(ONE % (series % b";RANGE=THISANDFUTURE"), OWNER, base)

    assert isinstance(found, FileItem)
    assert [one.code for one in found.holds] == ["this-and-future"]
    assert found.item == base


def test_a_rule_that_is_held_holds_a_new_time_too() -> None:
    """Time and rule go to the service together or not at all."""
    base = seen(ONE % b"DTSTART:20260302T090000Z\r\nRRULE:FREQ=WEEKLY")

    found = read(ONE % b"DTSTART:20260303T090000Z\r\nRRULE:FREQ=HOURLY", OWNER, base)

    assert isinstance(found, FileItem)
    assert [one.fields for one in found.holds] == [{"recurrence", "when"}]
    assert found.item == base


def test_a_span_that_the_service_itself_holds_is_no_trouble() -> None:
    """A six-year event came from the service: its file is not held."""
    data = ONE % b"DTSTART;VALUE=DATE:20260101\r\nDTEND;VALUE=DATE:20320101"
    there = Item(seen(ONE % b"DTSTART;VALUE=DATE:20260101").master)
    base = Item(type(there.master)(AllDay(date(2026, 1, 1), date(2032, 1, 1))))

    fresh, known = read(data, OWNER, None), read(data, OWNER, base)

    assert isinstance(fresh, FileItem)
    assert isinstance(known, FileItem)
    assert ([one.code for one in fresh.holds], known.holds) == (["too-long"], ())


def test_a_calendar_of_blank_lines_is_read_in_linear_time() -> None:
    """A megabyte of line ends around the calendar does not stall the round."""
    blank = b"\r\n" * 45_000
    began = time.process_time()

    found = read(blank + ONE % b"DTSTART:20260302T090000Z" + blank, OWNER, None)

    assert isinstance(found, FileItem)
    assert time.process_time() - began < 10


def test_an_unreadable_file_says_where() -> None:
    """The line counts from one."""
    assert read(b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", OWNER, None) == Unreadable(
        "parse-error", 2, "END:VEVENT is missing"
    )
