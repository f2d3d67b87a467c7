"""
Files that were made to do harm, and those that ever did: each stays under a name of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta

from tests.hostile.real import REAL

__all__ = ["BIG", "HOSTILE"]

START = "DTSTART;TZID=Europe/Berlin:20260302T100000"
MONDAY = date(2026, 3, 2)


def _event(*lines: str, head: Iterable[str] = ()) -> bytes:
    """One event with the UID u, or several where the lines say so."""
    whole = ["BEGIN:VCALENDAR", *head, "BEGIN:VEVENT", "UID:u", *lines]
    return "\r\n".join([*whole, "END:VEVENT", "END:VCALENDAR", ""]).encode()


def _days(count: int) -> list[str]:
    return [f"{MONDAY + timedelta(days=n):%Y%m%d}" for n in range(count)]


def _override(day: str) -> list[str]:
    zone = ";TZID=Europe/Berlin:"
    start, end = f"DTSTART{zone}{day}T110000", f"DTEND{zone}{day}T120000"
    return ["END:VEVENT", "BEGIN:VEVENT", "UID:u", f"RECURRENCE-ID{zone}{day}T100000", start, end]


def _zone(*parts: str, tzid: str = "Corp") -> list[str]:
    return ["BEGIN:VTIMEZONE", f"TZID:{tzid}", *parts, "END:VTIMEZONE"]


def _onset(*more: str, start: str = "19700101T000000", to: str = "+0200") -> list[str]:
    times = [f"DTSTART:{start}", "TZOFFSETFROM:+0100", f"TZOFFSETTO:{to}"]
    return ["BEGIN:STANDARD", *times, *more, "END:STANDARD"]


def _alarm(trigger: str) -> list[str]:
    return ["BEGIN:VALARM", "ACTION:DISPLAY", f"TRIGGER{trigger}", "END:VALARM"]


_GOOGLE = REAL["Google"]
_MARCH = "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"
_CORP = "DTSTART;TZID=Corp:20260302T100000"

_EVERY_DAY = "RRULE:FREQ=YEARLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;BYDAY=MO,TU,WE,TH,FR,SA,SU"

HOSTILE: dict[str, tuple[str, bytes]] = {
    # no calendar at all
    "nothing": ("empty-file", b""),
    "spaces": ("empty-file", b"\xef\xbb\xbf \r\n\t"),
    "zeros": ("parse-error", b"\0" * 4096),
    "a ZIP archive": ("encoding", b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(range(32, 256)) * 4),
    "a web page": ("parse-error", b"<!DOCTYPE html><title>Sign in</title>"),
    "UTF-16": ("encoding", _GOOGLE.decode().encode("utf-16")),
    "UTF-16 without a mark": ("parse-error", _GOOGLE.decode().encode("utf-16-le")),
    "Latin-1": ("encoding", "BEGIN:VCALENDAR\r\nX:é".encode("latin-1")),
    "a lone surrogate": ("encoding", _GOOGLE.replace(b"Team", b"\xed\xa0\x80")),
    "half a character": ("encoding", _GOOGLE.replace(b"Team sync", b"\xf0\x9f\x98")),
    "lone CRs": ("parse-error", _GOOGLE.replace(b"\r\n", b"\r")),
    "a mark of its byte order": ("item", b"\xef\xbb\xbf" + _GOOGLE),
    # a calendar that is cut or put together wrongly
    "cut in the middle": ("parse-error", _GOOGLE[: len(_GOOGLE) // 2]),
    "cut within a character": ("encoding", REAL["Apple"].partition(b"\x98\x80")[0]),
    "cut before the last line": ("parse-error", _GOOGLE.removesuffix(b"END:VCALENDAR\r\n")),
    "no begin": ("parse-error", _GOOGLE.partition(b"\r\n")[2]),
    "another END": ("parse-error", _GOOGLE.replace(b"END:VALARM", b"END:VEVENT")),
    "text behind": ("parse-error", _GOOGLE + b"<<<<<<< mine\r\n"),
    "marks of a merge": ("parse-error", b"<<<<<<< mine\r\n" + _GOOGLE),
    "two calendars": ("several-calendars", _GOOGLE * 2),
    "20,000 open": ("parse-error", b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 20_000),
    "20,000 within each other": (
        "parse-error",
        b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 20_000 + b"END:VEVENT\r\n" * 20_000,
    ),
    "no event": ("no-event", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"),
    "a task": ("not-an-event", _GOOGLE.replace(b"VEVENT", b"VTODO")),
    "a task beside": (
        "mixed-components",
        _event(START, "END:VEVENT", "BEGIN:VTODO", "END:VTODO", "BEGIN:VEVENT", "UID:u"),
    ),
    "a message": ("itip-message", _GOOGLE.replace(b"PUBLISH", b"REQUEST")),
    "another calendar": ("calscale", _GOOGLE.replace(b"GREGORIAN", b"CHINESE")),
    # UIDs
    "no UID": ("no-uid", _GOOGLE.replace(b"UID:u", b"X-UID:u")),
    "a UID of spaces": ("no-uid", _GOOGLE.replace(b"UID:u", b"UID: \\n\x01 ")),
    "another UID in an override": (
        "several-uids",
        _GOOGLE[::-1].replace(b"u:DIU", b"v:DIU", 1)[::-1],
    ),
    "the master twice": ("two-masters", _GOOGLE.replace(b"RECURRENCE-ID", b"X-ID")),
    "no master": ("no-master", _GOOGLE.replace(b"RRULE:", b"RECURRENCE-ID:20260302\r\nX:")),
    "a UID of a million letters": (
        "uid-too-long",
        _event(START).replace(b"UID:u", b"UID:" + b"u" * 10**6),
    ),
    "a UID of two lines": ("item", _event(START).replace(b"UID:u", b"UID:a\\nb\\tc\x01d")),
    # times
    "no start": ("held", _event("SUMMARY:x")),
    "year 1": ("held", _event("DTSTART:00010101T000000")),
    "year 9999": ("held", _event("DTSTART:99991231T235959Z")),
    "year 9999, a zone of its own": (
        "held",
        _event("DTSTART;TZID=Corp:99991231T235959", head=_zone(*_onset())),
    ),
    "year 9999, no zone": ("held", _event("DTSTART;TZID=Antarctica/Troll:99991231T235959")),
    "the last half-hour": (
        "item",
        _event("DTSTART;TZID=Europe/Berlin:45001231T233000", "RRULE:FREQ=DAILY"),
    ),
    "the first hour": (
        "item",
        _event("DTSTART;TZID=Pacific/Auckland:16010101T000000", "RRULE:FREQ=DAILY"),
    ),
    "an endless duration": ("held", _event(START, "DURATION:P" + "9" * 5000 + "W")),
    "a start that is no time": ("held", _event("DTSTART:２０２６0302T100000")),
    "a path as a zone": ("held", _event("DTSTART;TZID=../../../etc/passwd:20260302T100000")),
    "a NUL as a zone": ("held", _event("DTSTART;TZID=a\0b:20260302T100000")),
    "a folder as a zone": ("held", _event("DTSTART;TZID=America:20260302T100000")),
    "a zone of a million letters": ("held", _event(f"DTSTART;TZID={'x' * 10**6}:20260302T100000")),
    # zones that lie
    "a lying block": ("item", _event(START, head=_zone(*_onset(to="-0500"), tzid="Europe/Berlin"))),
    "a block without parts": ("held", _event(_CORP, head=_zone())),
    "a block by the second": ("held", _event(_CORP, head=_zone(*_onset("RRULE:FREQ=SECONDLY")))),
    "a block without end": (
        "item",
        _event(_CORP, head=_zone(*_onset(_MARCH), *_onset(_MARCH, to="+0100"))),
    ),
    "a block of 28 hours": ("held", _event(_CORP, head=_zone(*_onset(to="+2800")))),
    "a block of a thousand rules": ("held", _event(_CORP, head=_zone(*_onset(_MARCH) * 1000))),
    "a block of a hundred rules": (
        "held",
        _event(_CORP, head=_zone(*_onset(_MARCH, start="16010101T000000") * 100)),
    ),
    "a block of a hundred rules for every day": (
        "held",
        _event(
            _CORP,
            head=_zone(*_onset(f"{_EVERY_DAY};COUNT=1", start="16010101T000000") * 100),
        ),
    ),
    "a character cut by a fold of CRs": (
        "item",
        _event(_CORP, head=_zone("TZNAME:@", *_onset())).replace(b"@", b"\xc3\r\r\n \xa9"),
    ),
    # rules
    "a rule by the second": ("held-in-part", _event(START, "RRULE:FREQ=SECONDLY")),
    "an interval of ages": ("held-in-part", _event(START, "RRULE:FREQ=DAILY;INTERVAL=999999")),
    "a count without end": ("held-in-part", _event(START, "RRULE:FREQ=DAILY;COUNT=999999999")),
    "a date that never comes": (
        "held-in-part",
        _event("DTSTART:20240229T100000Z", "RRULE:FREQ=YEARLY;INTERVAL=99;BYMONTH=2;BYMONTHDAY=30"),
    ),
    "every weekday of a year": (
        "held-in-part",
        _event(START, "RRULE:FREQ=YEARLY;BYDAY=" + ",".join(f"{n}MO" for n in range(1, 54))),
    ),
    "a rule of a million letters": (
        "held-in-part",
        _event(START, "RRULE:FREQ=DAILY" + ";X-A=1" * 200_000),
    ),
    "an UNTIL beyond all": ("item", _event(START, "RRULE:FREQ=DAILY;UNTIL=99991231T235959Z")),
    "an override that repeats": (
        "held-in-part",
        _event(START, "RRULE:FREQ=DAILY", *_override("20260303"), "RRULE:FREQ=DAILY"),
    ),
    "a range that is no slot": (
        "held-in-part",
        _event(START, "RRULE:FREQ=DAILY", *_override("20260303")).replace(
            b"RECURRENCE-ID", b"RECURRENCE-ID;RANGE=THISANDFUTURE"
        ),
    ),
    # lines
    "a CR in a time of an override": (
        "held-in-part",
        _event(START, "RRULE:FREQ=DAILY", *_override("20260303")).replace(
            b"20260303T110000", b"20260303T\r10000"
        ),
    ),
    "more parameters than a line has": (
        "parse-error",
        _event(START, "SUMMARY" + ";X=1" * 200 + ":x"),
    ),
    "a line of half a megabyte": ("item", _event(START, "SUMMARY:" + "x" * 500_000)),
    "a line of folds": ("item", _event(START, "SUMMARY:" + "\r\n ".join("x" * 50_000))),
    "control characters": (
        "item",
        _event(
            START,
            "SUMMARY:" + "".join(map(chr, range(32))).replace("\n", ""),
            "DESCRIPTION:\0\x0b\x0c\x1f\x7f",
        ),
    ),
    "unclosed quotes": ("item", _event(START, 'ATTENDEE;CN="a;b:mailto:bob@example.org')),
    "carets": ("item", _event(START, "ATTENDEE;CN=" + "^" * 100_001 + ":mailto:bob@example.org")),
    "backslashes": (
        "held-in-part",
        _event(START, "CATEGORIES:" + "\\" * 100_001, "DESCRIPTION:" + "\\" * 100_001),
    ),
    "a TZID of colons": ("held", _event("DTSTART;TZID=(" + ":2026" * 100_000 + ":20260302T100000")),
    "numbers without end": (
        "item",
        _event(
            START,
            *(f"{name}:{'9' * 10_000}" for name in ("PRIORITY", "GEO", "SEQUENCE")),
            *_alarm(":-PT" + "9" * 10_000 + "S"),
        ),
    ),
    "an HTML form without text": (
        "item",
        _event(START, "DESCRIPTION:x", "X-ALT-DESC;FMTTYPE=text/html:<p5x</p>"),
    ),
    "HTML that never closes": (
        "item",
        _event(START, "X-ALT-DESC;FMTTYPE=text/html:" + "<div>" * 20_000),
    ),
    # times that other lines count from
    "an alarm at a fixed time": ("item", REAL["khal"]),
    "an alarm counted from the end": (
        "item",
        _event(START, "DURATION:PT2H", *_alarm(";RELATED=END:-PT150M")),
    ),
    "an override that is busy by saying nothing": (
        "item",
        _event(START, "TRANSP:TRANSPARENT", "RRULE:FREQ=DAILY", *_override("20260303")),
    ),
    "an override that is tentative by its status alone": (
        "item",
        _event(START, "RRULE:FREQ=DAILY", *_override("20260303"), "STATUS:TENTATIVE"),
    ),
    "midnights that are no whole day": (
        "item",
        REAL["Outlook, whole days"].replace(
            b"X-MICROSOFT-CDO-ALLDAYEVENT:TRUE\r\nSUMMARY:Daily", b"SUMMARY:Daily"
        ),
    ),
}
"""By what they are: what `examined` says of each, and its bytes."""


def _big(
    lines: Iterable[str], *, head: Iterable[str] = (), rule: str = "RRULE:FREQ=DAILY"
) -> bytes:
    return _event(START, rule, *lines, head=head)


BIG: dict[str, tuple[str, Callable[[], bytes]]] = {
    "10,000 EXDATE values": (
        "item",
        lambda: _big(
            ["EXDATE;TZID=Europe/Berlin:" + ",".join(f"{day}T100000" for day in _days(10_000))]
        ),
    ),
    "10,000 EXDATE lines": (
        "item",
        lambda: _big([f"EXDATE;TZID=Europe/Berlin:{day}T100000" for day in _days(10_000)]),
    ),
    "100,000 EXDATE values": ("too-large", lambda: _big(["EXDATE:" + ",".join("x" * 100_000)])),
    "1,000 overrides": (
        "item",
        lambda: _big([line for day in _days(1000) for line in _override(day)]),
    ),
    "3,000 overrides that stand for nothing": (
        "held-in-part",
        lambda: _big([line for day in _days(3000) for line in _override(day)], rule="SUMMARY:x"),
    ),
    "3,000 overrides in a zone of their own": (
        "item",
        lambda: _big(
            [
                line.replace("Europe/Berlin", "Corp")
                for day in _days(3000)
                for line in _override(day)
            ],
            head=["X:y"] * 20_000
            + _zone(
                *_onset(_MARCH), *_onset("RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", to="+0100")
            ),
        ),
    ),
    "6,000 overrides": (
        "too-large",
        lambda: _big([line for day in _days(6000) for line in _override(day)]),
    ),
    "500 zones": (
        "too-large",
        lambda: _big(
            [
                line.replace("Europe/Berlin", f"Corp{day}")
                for day in _days(500)
                for line in _override(day)
            ],
            head=[line for day in _days(500) for line in _zone(*_onset(_MARCH), tzid=f"Corp{day}")],
        ),
    ),
    "9 zones of a hundred rules": (
        "held-in-part",
        lambda: _big(
            [
                line.replace("Europe/Berlin", f"Corp{day}")
                for day in _days(9)
                for line in _override(day)
            ],
            head=[
                line
                for day in _days(9)
                for line in _zone(*_onset(_MARCH, start=f"{day}T000000") * 99, tzid=f"Corp{day}")
            ],
        ),
    ),
    "20,000 guests": (
        "held-in-part",
        lambda: _big([f"ATTENDEE;CN=A:mailto:a{n}@example.org" for n in range(20_000)]),
    ),
    "20,000 answers of the owner": (
        "item",
        lambda: _big(
            ["ORGANIZER:mailto:c@example.org", *["ATTENDEE:mailto:me@example.org"] * 20_000]
        ),
    ),
    "10,000 alarms": ("item", lambda: _big(_alarm(":-PT5M") * 10_000)),
    "50,000 categories": (
        "item",
        lambda: _big(["CATEGORIES:" + ",".join(f"c{n}" for n in range(50_000))]),
    ),
    "90,000 lines": ("item", lambda: _big(["X:y"] * 90_000)),
    "lines of all lengths": ("item", lambda: _big(["X:" + "y" * n for n in range(4000)])),
    "ten megabytes of short lines": ("too-large", lambda: _big(["X:"] * 2_400_000)),
    "ten megabytes of blank lines": ("too-large", lambda: _big([""] * 5_000_000)),
    "ten megabytes of CRs": ("item", lambda: _big(["\r" * 9_900_000])),
    "ten megabytes in one line": ("item", lambda: _big(["SUMMARY:" + "x" * 9_900_000])),
    "a megabyte of carets": (
        "item",
        lambda: _big(["ATTENDEE;CN=" + "^" * 1_000_001 + ":mailto:bob@example.org"]),
    ),
    "a megabyte of spaces": ("item", lambda: _big(["DESCRIPTION:" + " " * 1_000_000 + "x \\n"])),
    "ten megabytes of backslashes": ("item", lambda: _big(["DESCRIPTION:" + "\\n" * 4_900_000])),
    "ten megabytes of parameters": (
        "parse-error",
        lambda: _big(["SUMMARY" + ";X=1" * 2_400_000 + ":x"]),
    ),
    "ten megabytes of an attachment": (
        "item",
        lambda: _big(
            ["ATTACH;ENCODING=BASE64;VALUE=BINARY:" + "\r\n ".join(["QUJD" * 18] * 130_000)]
        ),
    ),
    "100,000 components": ("too-large", lambda: _big(["BEGIN:X", "END:X"] * 100_000)),
}
"""The same for what is too big to keep at hand."""
