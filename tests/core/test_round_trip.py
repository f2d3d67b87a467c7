"""
Laws of the round trip, over events and files of every kind.

Graph to file and back says what Graph said; a file of whatever program goes to the service and back
without losing a byte; and what programs do to a file on saving is no edit.

`SYNCD_EXAMPLES` is how many examples each law tries, `SYNCD_SEARCH=1` looks for new ones.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any
from urllib.parse import quote

import icalendar
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tzlocal.windows_tz import tz_win, win_tz

from syncd.core.event import (
    AllDay,
    Changes,
    Event,
    FieldKey,
    Geo,
    Item,
    Person,
    Timed,
    effective,
    slot_of,
)
from syncd.core.html import text_to_html
from syncd.core.ids import Uid
from syncd.core.lines import unescape
from syncd.core.merge import Merge, Times, changed, merge, overlay
from syncd.core.plan.events import without_attendees
from syncd.core.policies import POLICIES
from syncd.core.recurrence import Recurrence, from_graph, occurrences, occurs_on
from syncd.core.wire.graph import (
    RemoteEvent,
    create_body,
    decode_event,
    exception_slots,
    patch_fields,
    read_item,
    stamps,
    uid_of,
)
from syncd.core.wire.ics_forms import NO_FORMS, Forms, with_forms
from syncd.core.wire.ics_html import HtmlForm
from syncd.core.wire.ics_read import FileItem, read
from syncd.core.wire.ics_rewrite import rewrite
from syncd.core.wire.ics_write import (
    Stamps,
    local_view,
    moment_text,
    render,
    slot_start,
    vevent_texts,
)
from syncd.core.zones import WindowsZone, iana_name, instant, wall_time, windows_zone
from syncd.simulator.errors import ServiceError
from syncd.simulator.generator_texts import HOSTILE_TEXTS, PEOPLE, html_body
from syncd.simulator.model import Event as ServiceEvent
from syncd.simulator.render import Look as ServiceLook
from syncd.simulator.render import full_row, original_start
from syncd.simulator.service import Service
from syncd.simulator.switches import Switches
from tests.core.test_body import BLOCKS, EXCHANGE_PLAIN, HEAD, JOIN, OUTLOOK, SAFE
from tests.core.test_ics_read import REWRITES, Rewrite, per_event
from tests.core.test_ics_write import LOCAL, UNSAID
from tests.strategies import OWNER, said

EXAMPLES = int(os.environ.get("SYNCD_EXAMPLES", "0"))
TIMES = Times(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))


def law(examples: int) -> settings:
    return settings(
        max_examples=EXAMPLES or examples, deadline=None, suppress_health_check=list(HealthCheck)
    )


# What an event's members hold is made once, and then drawn from: a draw from strategies of their
# own would take longer than the law itself.
RANDOM = Random(os.urandom(8) if os.environ.get("SYNCD_SEARCH") else 20310304)
POOL = 60

# --- words -----------------------------------------------------------------------------------

ODD = (
    *("Lunch", "", " \t ", "a, b; c\\d", "literal \\n, \\, \\; \\\\", "quotes \"a\" 'b' ^n ^' ^^"),
    *("BEGIN:VEVENT\r\nUID:stolen\r\nEND:VEVENT", "a\r\nb\x0bc\x00", "\x7f\x1f", "\ufeffmark"),
    *("\u00a0edges\u00a0", "line\u2028separator\u2029next\u0085", "e\u0301", "\u202egnp.exe\u202c"),
    *("W" * 255, "a" * 74 + "é" + "b" * 74 + "漢" + "c" * 74 + "🎉", "x:y;z=1,2", *HOSTILE_TEXTS),
)
SIGNS = "ab ,;:\\\"'^=\t\n\r\x00é漢😀\u00a0<&>-"


def line(rng: Random) -> str:
    if rng.random() < 0.5:
        return rng.choice(ODD)
    if rng.random() < 0.5:
        return "".join(rng.choices(SIGNS, k=rng.randint(0, 12)))
    return "".join(
        chr(rng.choice((0x250, 0xD800, 0x1FFFF)) - rng.randint(1, 0x240)) for _ in "lines"
    )


def maybe_line(rng: Random) -> str | None:
    return line(rng) if rng.random() < 0.9 else None


def one_of(*values: Any) -> Callable[[Random], Any]:
    return lambda rng: rng.choice(values)


def listed(member: Callable[[Random], Any], most: int) -> Callable[[Random], list[Any] | None]:
    """Some of them, or now and then no list at all."""
    return lambda rng: (
        [member(rng) for _ in range(rng.randint(0, most))] if rng.random() < 0.9 else None
    )


ALL_ZONES = tuple(sorted(win_tz))
ZONES = (
    *("W. Europe Standard Time", "UTC", "Eastern Standard Time", "New Zealand Standard Time"),
    *("India Standard Time", "Line Islands Standard Time", "Dateline Standard Time"),
    *("Lord Howe Standard Time", "Chatham Islands Standard Time", "Morocco Standard Time"),
)
ZONE_NAMES = st.sampled_from(ZONES * 60 + ALL_ZONES)
# What the service shows where it has no name for a zone, or another one.
ODD_ZONES = ("tzone://Microsoft/Custom", "tzone://Microsoft/Utc", "", None, "Nowhere", "Etc/GMT-3")

# --- bodies ----------------------------------------------------------------------------------

PIECES = (
    *("<p>Hi <b>Bob</b></p>", "plain words", "<div>one<br>two</div>", "<br>", "<p>&nbsp;</p>"),
    *("<ul><li>a</li><li>b <i>c</i></li></ul>", "<ol><li>x<ul><li>nested</li></ul></li></ol>"),
    *("<table><tr><td>10:00</td><td>Start</td></tr></table>", "<hr>", "<h1>Title</h1>"),
    *('<img src="cid:a@b">', '<a href="https://x.example/?a=1&amp;b=2">link</a>'),
    *("<pre>  two\n spaces\t</pre>", "<blockquote>said</blockquote>", "a &lt; b &amp;&amp; c"),
    *('<span style="white-space:pre">\t</span>', "<style>p.x{color:red}</style><p class=x>r</p>"),
    *("<script>alert(1)</script>", "<!-- converted from text -->", "<p>unclosed <b>bold", "</div>"),
    *('<a href="mailto:a@b">a@b</a>', "&#128512; &nbsp;&nbsp; x&copy;", "a\r\nb\n\nc", "\x00\x0b"),
    *("<p>trailing   </p>", "&#13;&#10;", "<![CDATA[x]]>", "&unknown; &#xD800; &#99999999999;"),
)
WHOLE = (
    *(EXCHANGE_PLAIN, OUTLOOK, *BLOCKS, "", HEAD, "<html></html>", "x" * 70_000),
    *(f"{HEAD}</head><body>{block}</body></html>" for block in BLOCKS),
)


def html(rng: Random) -> str:
    if rng.random() < 0.6:
        return "".join(rng.choices(PIECES, k=rng.randint(0, 5)))
    if rng.random() < 0.5:
        return rng.choice(WHOLE)
    return html_body(rng, online=rng.random() < 0.3)["content"]


def body(rng: Random) -> dict[str, Any] | None:
    """Of every class: none, plain, simple, rich, with the block of an online meeting, broken."""
    kind = rng.choice(("html", "html", "html", "HTML", "text", "text", "Text", None))
    if kind is None:
        return rng.choice((None, {}, {"contentType": None, "content": None}, {"content": ""}))
    if kind.lower() == "html":
        return {"contentType": kind, "content": html(rng)}
    lines = [line(rng) for _ in range(rng.randint(0, 4))]
    return {"contentType": kind, "content": rng.choice(("\r\n", "\n", "\r\n\r\n\r\n")).join(lines)}


# --- places and people -----------------------------------------------------------------------

degrees = one_of(48.2, -0.0, 0, 1e-7, 16.3738, -33.8568, 90, 91, 180.0, -180.5, None, 51.4769999999)
address = one_of(
    *({}, None, {"city": "Wien", "street": None}, {"type": "unknown"}),
    {"street": "Graben 1, 2; 3\n4\\5", "countryOrRegion": "AT", "postalCode": "1010"},
)
PLACE: Mapping[str, Callable[[Random], Any]] = {
    "coordinates": lambda rng: rng.choice(
        (None, {}, *[{"latitude": degrees(rng), "longitude": degrees(rng), "altitude": 3}] * 4)
    ),
    "address": address,
    "locationType": one_of("default", "conferenceRoom", "hotel", "geoCoordinates", None),
    "locationEmailAddress": one_of("room@example.org", "", None),
    "locationUri": one_of("room@example.org", "https://maps.example/?q=1,2", None),
    "uniqueId": one_of("x"),
    "uniqueIdType": one_of("private", "unknown"),
}


def place(rng: Random) -> dict[str, Any]:
    details = {name: make(rng) for name, make in PLACE.items() if rng.random() < 0.5}
    return {"displayName": maybe_line(rng), **details}


NEVER = "0001-01-01T00:00:00Z"
mail = one_of(
    *("bob@example.org", "BOB@example.org", "Ann@Example.org", "o'neil+x@example.com"),
    *("room@example.org", "me@example.org", "ME@Example.Org", "/o=Ex/ou=x/cn=legacy", "", None),
    *("a b\r\nX-EVIL:1@x", "carol@example.com", "ü@exämple.org", '"odd;,:"@example.org'),
)
moment = one_of(NEVER, "4501-01-01T00:00:00Z", "2026-01-01T00:00:00.1234567Z", None)
response = one_of(
    *("none", "organizer", "tentativelyAccepted", "accepted", "declined", "notResponded", None)
)


def person(rng: Random) -> dict[str, Any] | None:
    if rng.random() < 0.2:
        return rng.choice((None, {}, *({"name": n, "address": a} for n, a in PEOPLE)))
    return {"name": maybe_line(rng), "address": mail(rng)}


def status(rng: Random) -> dict[str, Any] | None:
    return {"response": response(rng), "time": moment(rng)} if rng.random() < 0.8 else None


def attendee(rng: Random) -> dict[str, Any]:
    kind = rng.choice(("required", "optional", "resource", None))
    return {"type": kind, "emailAddress": person(rng), "status": status(rng)}


def host(rng: Random) -> dict[str, Any] | None:
    if rng.random() < 0.2:
        return rng.choice((None, {}, {"emailAddress": None}))
    whose = rng.choice(("me@example.org", "carol@example.com", "carol@example.com", None))
    return {"emailAddress": {"name": maybe_line(rng), "address": whose}}


# --- an event's members ----------------------------------------------------------------------

flag = one_of(True, False, None)
stamp = one_of(
    *("2026-01-01T10:00:00Z", "2026-01-01T10:00:00.9999999Z", NEVER, None, "", "x\r\nX-EVIL:1")
)
category = one_of(
    *("Red", "red", "Work", "a,b", "x;y", " Größe ", "ß", "SS", "", None, 'q"t', "back\\slash"),
    *("line\nbreak", "a\\,b", "\\", "\u00a0", "C" * 300),
)
PLAIN: Mapping[str, Callable[[Random], Any]] = {
    "subject": maybe_line,
    "body": body,
    "location": lambda rng: place(rng) if rng.random() < 0.9 else None,
    "locations": listed(place, 3),
    "showAs": one_of(
        *("free", "tentative", "busy", "oof", "workingElsewhere", "unknown", None, "new")
    ),
    "sensitivity": one_of("normal", "personal", "private", "confidential", None),
    "importance": one_of("low", "normal", "high", None),
    "categories": listed(category, 4),
    "isReminderOn": flag,
    "reminderMinutesBeforeStart": one_of(
        *(0, 1, 15, 1080, 1440, 20_160, -5, -1440, 2**31 - 1, -(2**31), None)
    ),
    "responseRequested": flag,
    "allowNewTimeProposals": flag,
    "attendees": listed(attendee, 4),
    "responseStatus": status,
    "isCancelled": flag,
    "isOnlineMeeting": flag,
    "onlineMeeting": one_of(
        *(None, {}, {"joinUrl": None}, {"joinUrl": JOIN}, {"joinUrl": SAFE}),
        {"joinUrl": "https://x/\r\nX-EVIL:1", "conferenceId": "1", "phones": []},
    ),
}
WHOLE_ONLY: Mapping[str, Callable[[Random], Any]] = {
    "organizer": host,
    "isOrganizer": flag,
    "iCalUId": one_of(
        "040000008200E00074C5B7101A82E008" + "0" * 40 + "1F000000"
        "7643616C2D556964010000006D6565742D37406578616D706C652E6F726700",
        "040000008200e00074c5b7101a82e00807ea0301" + "0" * 72,
        *("a,b;c\\d@example.org", "x\r\ny", "", None),
    ),
    "createdDateTime": stamp,
    "lastModifiedDateTime": stamp,
}
IGNORED = {
    "changeKey": "x",
    "bodyPreview": "",
    "webLink": "https://x",
    "hasAttachments": False,
    "transactionId": None,
    "hideAttendees": False,
    "onlineMeetingUrl": None,
    "onlineMeetingProvider": "unknown",
    "seriesMasterId": None,
    "isDraft": False,
}


def some_of(members: Mapping[str, Callable[[Random], Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """A few of the members, each as often as any other."""
    values = [(name, make(RANDOM)) for _ in range(POOL) for name, make in members.items()]
    return st.lists(st.sampled_from(values), max_size=14).map(dict)


def made(rng: Random, members: Mapping[str, Callable[[Random], Any]], most: int) -> dict[str, Any]:
    return {name: members[name](rng) for name in rng.sample(list(members), rng.randint(0, most))}


MEMBERS = some_of({**PLAIN, **WHOLE_ONLY})
OWN = st.sampled_from(({}, *(made(RANDOM, PLAIN, 6) for _ in range(300))))


# --- times -----------------------------------------------------------------------------------

CHANGES_OF_CLOCKS = (
    *(date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 8), date(2026, 11, 1)),
    *(date(2026, 4, 5), date(2026, 9, 27), date(2028, 2, 29), date(2026, 12, 31)),
)
FAR_DAYS = (date(1601, 1, 2), date(1969, 12, 31), date(2038, 1, 19), date(4500, 12, 30))
SOME_DAYS = tuple(date(2020, 1, 1) + timedelta(days=RANDOM.randrange(3650)) for _ in range(300))
DAYS = st.sampled_from((*SOME_DAYS, *CHANGES_OF_CLOCKS * 10, *FAR_DAYS * 5))
CLOCKS = st.sampled_from(
    tuple(
        timedelta(hours=hour, minutes=minute, seconds=second)
        for second in (0, 59)
        for minute in (0, 30, 59)
        for hour in (10, 0, 1, 2, 3, 12, 23)
    )
)
LENGTHS = st.sampled_from((60, 30, 0, 1, 1440, 2880, 60 * 24 * 40, 60 * 24 * 1900, -60))
SHORT = st.sampled_from((60, 30, 0, 1, 600))
# How a request may want times shown: UTC unless told, the event's own zone, or any other; and
# with how many digits after the second.
Look = tuple[str | None, str]
LOOKS: st.SearchStrategy[Look] = st.sampled_from(
    tuple(
        (name, fraction)
        for name in ("UTC", "own", "iana", "Tokyo Standard Time", None, "Nowhere")
        for fraction in ("", ".0000000", ".1", ".1234567", ".9999999", ".000")
    )
)
OTHER_NAMES = st.sampled_from(
    (
        *({},) * 12,
        *({"originalStartTimeZone": name} for name in ODD_ZONES),
        *({"originalEndTimeZone": name} for name in ODD_ZONES),
    )
)


def shown(wall: datetime, zone: str, look: Look) -> dict[str, str | None]:
    """A wall-clock time as an answer shows it."""
    asked, fraction = look
    name = {"own": zone, "iana": iana_name(WindowsZone(zone))}.get(asked or "", asked)
    told = WindowsZone(asked if asked in ("UTC", "Tokyo Standard Time") else zone)
    wall = wall_time(instant(wall, WindowsZone(zone)), told)
    return {"dateTime": f"{wall.isoformat()}{fraction}", "timeZone": name}


def midnight(day: date, look: Look) -> dict[str, str | None]:
    """An all-day event's edge: the label follows the request, the clock does not."""
    asked, fraction = look
    label = {"own": "W. Europe Standard Time", "iana": "Europe/Berlin"}.get(asked or "", asked)
    return {"dateTime": f"{day.isoformat()}T00:00:00{fraction}", "timeZone": label}


def all_day(start: date, end: date, look: Look = ("UTC", "")) -> dict[str, Any]:
    return {"isAllDay": True, "start": midnight(start, look), "end": midnight(end, look)}


def timed(
    wall: datetime, minutes: int, zone: str, end_zone: str = "", look: Look = ("UTC", "")
) -> dict[str, Any]:
    begins, end_zone = instant(wall, WindowsZone(zone)), end_zone or zone
    ends = wall_time(begins + timedelta(minutes=minutes), WindowsZone(end_zone))
    return {
        "isAllDay": False,
        "start": shown(wall, zone, look),
        "end": shown(ends, end_zone, look),
        "originalStartTimeZone": zone,
        "originalEndTimeZone": end_zone,
    }


@st.composite
def single_times(draw: st.DrawFn) -> dict[str, Any]:
    day, look, zone = draw(DAYS), draw(LOOKS), draw(ZONE_NAMES)
    kind = draw(st.integers(0, 3))
    if kind == 3:
        days = draw(st.sampled_from((1, 2, 5, 0, -1, 2000)))
        return all_day(day, day + timedelta(days=days), look)
    other = draw(ZONE_NAMES) if kind == 2 else zone
    wall = datetime(day.year, day.month, day.day) + draw(CLOCKS)
    return timed(wall, draw(LENGTHS), zone, other, look) | draw(OTHER_NAMES)


# --- series ----------------------------------------------------------------------------------

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
INDEXES = ("first", "second", "third", "fourth", "last")
USED = {
    "daily": (),
    "weekly": ("daysOfWeek", "firstDayOfWeek"),
    "absoluteMonthly": ("dayOfMonth",),
    "relativeMonthly": ("daysOfWeek", "index"),
    "absoluteYearly": ("dayOfMonth", "month"),
    "relativeYearly": ("daysOfWeek", "index", "month"),
}
FILLERS = {"dayOfMonth": 0, "month": 0, "index": "first", "firstDayOfWeek": "sunday"}


def pattern(rng: Random) -> dict[str, Any]:
    """A pattern with the members that its type uses, and fillers for the others or none."""
    kind = rng.choice(tuple(USED))
    values = {
        "daysOfWeek": rng.choices(WEEKDAYS, k=rng.choice((1, 1, 2, 3, 7))),
        "firstDayOfWeek": rng.choice((*WEEKDAYS, None)),
        "dayOfMonth": rng.choice((1, 15, 28, 29, 30, 31)),
        "month": rng.randint(1, 12),
        "index": rng.choice((*INDEXES, None)),
    }
    interval = rng.choice((1, 1, 1, 2, 3, 5, 12, 99))
    used = {name: values[name] for name in USED[kind]}
    return {**rng.choice(({}, FILLERS)), "type": kind, "interval": interval, **used}


PATTERNS = st.sampled_from(
    ({"type": "daily", "interval": 1}, *(pattern(RANDOM) for _ in range(300)))
)
ENDS = st.sampled_from(
    (
        *({"type": "noEnd"}, {"type": "noEnd", "endDate": "0001-01-01", "numberOfOccurrences": 0}),
        *({"type": "numbered", "numberOfOccurrences": n} for n in (1, 2, 10, 999, 1000)),
        *({"type": "endDate", "endDate": days} for days in (0, 1, 45, 400, 4000)),
        {"type": "noEnd", "endDate": "2011-01-01"},
    )
)
UNKNOWN_ZONES = tuple(name for name in ODD_ZONES if windows_zone(name or "") is None)
SERIES_ZONES = st.sampled_from((*("same",) * 12, *UNKNOWN_ZONES, "iana", "missing"))


def aligned(pattern: Mapping[str, Any], day: date) -> date:
    """The first day of the pattern: the service moves a start that is none."""
    rule = from_graph({"pattern": pattern, "range": {"type": "noEnd"}}, day)
    assert isinstance(rule, Recurrence)
    return next(occurrences(rule, day), day)


def shown_rule(
    repeats: Mapping[str, Any],
    end: Mapping[str, Any],
    start: date,
    zone: str,
    named: str | None = "same",
    *,
    whole: bool = False,
) -> dict[str, Any]:
    """A rule in the zone of its event, or by another name; whole days begin in that zone alone."""
    span = {**end, "startDate": start.isoformat(), "recurrenceTimeZone": zone}
    if end["type"] == "endDate":
        span["endDate"] = min(start + timedelta(days=end["endDate"]), date(9000, 1, 1)).isoformat()
    if named == "iana":
        span["recurrenceTimeZone"] = iana_name(WindowsZone(zone))
    elif named == "missing":
        del span["recurrenceTimeZone"]
    elif named != "same" and not whole:
        span["recurrenceTimeZone"] = named
    return {"pattern": repeats, "range": span}


@st.composite
def series_rows(draw: st.DrawFn) -> dict[str, Any]:
    """A series as the service shows it, with exceptions and cancelled days."""
    repeats, zone, look = draw(PATTERNS), draw(ZONE_NAMES), draw(LOOKS)
    day, whole = aligned(repeats, draw(DAYS)), not draw(st.integers(0, 3))
    clock, minutes = timedelta() if whole else draw(CLOCKS), draw(SHORT)
    wall = datetime(day.year, day.month, day.day) + clock
    when = timed(wall, minutes, zone, look=look)
    if whole:
        when |= all_day(day, day + timedelta(days=1), look)
    rule = shown_rule(repeats, draw(ENDS), day, zone, draw(SERIES_ZONES), whole=whole)
    row = {**draw(MEMBERS), **when, "recurrence": rule, "type": "seriesMaster", "id": "AAMk"}
    slots = slots_of(row, day)
    chosen = draw(st.lists(st.sampled_from(slots), unique=True, max_size=4)) if slots else []
    cut = draw(st.integers(0, len(chosen)))
    cancelled = [f"OID.AAMk.{slot}" for slot in chosen[cut:]]
    shape = (zone, clock, minutes, whole)
    edited = [draw(exceptions(row, slot, *shape)) for slot in chosen[:cut]]
    row["cancelledOccurrences"] = cancelled + draw(st.sampled_from(([], GARBAGE)))
    row["exceptionOccurrences"] = edited
    return row


GARBAGE = [None, "", "x", "OID.AAMk.2026-99-99", "OID.AAMk.1990-01-01"]


def slots_of(row: Mapping[str, Any], day: date) -> list[date]:
    """The first few days of the series, and some far ahead."""
    rule = from_graph(row["recurrence"], day)
    if not isinstance(rule, Recurrence):
        return []
    found = [slot for slot, _ in zip(occurrences(rule, day), range(8), strict=False)]
    ahead = min(day + timedelta(days=5000), date(9000, 1, 1))
    far = next(occurrences(rule, day, from_date=ahead), None)
    return [slot for slot in [*found, *([far] if far else [])] if slot.year < 4500]


MOVES = st.sampled_from((0, 0, 0, 1, 30, 60, -30, 24 * 60, 300, "other kind"))


SLOT_NAMES: tuple[Callable[[datetime, date], dict[str, Any]], ...] = (
    lambda at, slot: {"originalStart": f"{at:%Y-%m-%dT%H:%M:%SZ}"},
    lambda at, slot: {"originalStart": f"{at:%Y-%m-%dT%H:%M:%S.0000000Z}"},
    lambda at, slot: {"originalStart": (at + timedelta(hours=2)).isoformat()[:19] + "+02:00"},
    lambda at, slot: {"originalStart": None, "occurrenceId": f"OID.AAMk.{slot}"},
    lambda at, slot: {"originalStart": "garbage", "occurrenceId": f"OID.AAMk.{slot}"},
)


@st.composite
def exceptions(
    draw: st.DrawFn,
    row: Mapping[str, Any],
    slot: date,
    zone: str,
    clock: timedelta,
    minutes: int,
    whole: bool,
) -> dict[str, Any]:
    """An occurrence that was edited, whole rows as they are, with whatever names its slot."""
    look, move = draw(LOOKS), draw(MOVES)
    wall = datetime(slot.year, slot.month, slot.day) + clock
    if whole == (move != "other kind"):
        days = 2 if move == 30 else 1
        when = all_day(slot, slot + timedelta(days=days), look)
    else:
        by = move if isinstance(move, int) else 0
        length = 45 if move == 60 else minutes
        when = timed(wall + timedelta(minutes=by), length, zone, look=look)
    at = instant(wall, WindowsZone(zone)).astimezone(UTC)
    named = draw(st.sampled_from(SLOT_NAMES))(at, slot)
    told = {k: v for k, v in row.items() if k not in ("recurrence", "iCalUId")}
    return {**told, **draw(OWN), **when, **named, "type": "exception", "id": f"AAMk{slot}"}


@st.composite
def single_rows(draw: st.DrawFn) -> dict[str, Any]:
    return {"id": "AAMk", "type": "singleInstance", **draw(MEMBERS), **draw(single_times())}


ROWS = st.one_of(single_rows(), series_rows()).map(lambda row: {**IGNORED, **row})


def decoded(row: Mapping[str, Any]) -> RemoteEvent:
    return decode_event(json.dumps(row).encode())


# --- Graph, file, Graph ----------------------------------------------------------------------

FORM_NAMES: tuple[HtmlForm, ...] = ("altrep", "x-alt-desc", "styled", "none")
FORMS = st.sampled_from(
    (NO_FORMS, *(Forms(name, places) for places in (False, True) for name in FORM_NAMES))
)


def item_of(event: RemoteEvent) -> Item | None:
    """None where no calendar can hold the event's time or rule."""
    try:
        return read_item(event, OWNER)
    except ValueError:
        return None


def file_item(data: bytes, base: Item | None) -> FileItem:
    found = read(data, OWNER, base)
    assert isinstance(found, FileItem), found
    return found


def seen_again(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same event in a later answer: other stamps, zones, fillers, nulls and order."""
    again = {**row, "@odata.etag": "W/new", "changeKey": "new", "lastModifiedDateTime": None}
    again |= {"bodyPreview": "new", "webLink": None, "hasAttachments": True}
    for name in ("subject", "categories", "attendees", "location", "locations"):
        if name in again and not again[name]:
            again[name] = None
    if row.get("categories"):
        again["categories"] = [swapped(one) for one in reversed(row["categories"])]
    if row.get("location"):
        flicker = {"locationType": "default", "uniqueId": "new", "uniqueIdType": "unknown"}
        again["location"] = {**row["location"], **flicker}
    for name in ("start", "end"):
        again[name] = in_utc(row[name], whole=row["isAllDay"])
    if row.get("recurrence"):
        again["recurrence"] = respelled_rule(row["recurrence"])
    if row.get("exceptionOccurrences"):
        again["exceptionOccurrences"] = [
            seen_again(one) for one in reversed(row["exceptionOccurrences"])
        ]
        again["cancelledOccurrences"] = row["cancelledOccurrences"][::-1]
    return again


def swapped(category: str | None) -> str | None:
    other = category.swapcase() if category else None
    return other if other and category and other.casefold() == category.casefold() else category


def in_utc(moment: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    stated, zone = moment["dateTime"][:19], windows_zone(moment["timeZone"] or "")
    if whole or zone is None:
        return {"dateTime": f"{stated}.0000000", "timeZone": moment["timeZone"]}
    wall = wall_time(instant(datetime.fromisoformat(stated), zone), WindowsZone("UTC"))
    return {"dateTime": f"{wall.isoformat()}.5", "timeZone": "UTC"}


def respelled_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    pattern, span = {**FILLERS, **rule["pattern"]}, dict(rule["range"])
    if "daysOfWeek" in pattern:
        pattern["daysOfWeek"] = pattern["daysOfWeek"][::-1]
    zone = windows_zone(span.get("recurrenceTimeZone") or "")
    if zone is not None:
        span["recurrenceTimeZone"] = iana_name(zone)
    return {"pattern": pattern, "range": span}


LASTING = {"RR19", "RR22"}


def lasting_troubles(item: Item) -> set[str]:
    """What stays held even beside its base: rules that other programs gave the service."""
    codes = set()
    start, rule = slot_of(item.master.when), item.recurrence
    if rule is not None and rule.count > 999:
        codes.add("RR19")
    if rule is not None and not occurs_on(rule, start, start):
        codes.add("RR22")
    return codes


NOTHING = Merge(frozenset(), frozenset(), frozenset())
NEW_TROUBLES = {
    *("too-long", "category-separator", "category-too-long", "cancelled-override"),
    *("crosses-neighbour", "foreign-meeting"),
}


def unsaid(item: Item, found: FileItem) -> set[tuple[str, str]]:
    """What a file says only beside a base: what is held, and what would be a client's slip."""
    master, slots = item.master, [*map(date.isoformat, item.overrides)]
    keys = {(one.slot, name) for one in found.holds for name in one.fields}
    held = {"category": "categories", "attendees": "people"}
    keys |= {(slot, held[name]) for slot, name in keys if name in held}
    everywhere = {name for slot, name in keys if not slot}
    if "personal" in said(item).values():  # PRIVATE is a file's word for both
        everywhere.add("sensitivity")
    if (master.reminder_min or 0) < 0:  # after the start: the service's own doing
        everywhere.add("reminder_min")
    if master.organizer is None or OWNER.is_own(master.organizer.address):
        everywhere.add("response")  # nothing tells that the owner is a guest
    keys |= {(slot, name) for slot in ["", *slots] for name in everywhere}
    for day in item.overrides:
        event, slot = effective(item, day), day.isoformat()
        if event.reminder_min is None or event.reminder_min < 0:
            keys.add((slot, "reminder_min"))
        if not event.attendees and not event.invited_as:
            keys |= {(slot, "attendees"), (slot, "people")}
    return keys


@law(600)
@given(ROWS, FORMS)
def test_an_event_becomes_a_file_that_says_what_the_event_says(
    row: dict[str, Any], forms: Forms
) -> None:
    """With any second forms: beside its base nothing was edited, and nothing would be sent."""
    event = decoded(row)
    item = item_of(event)
    if item is None:
        return
    base, plain = local_view(item), render(uid_of(event), item, stamps(event), OWNER)
    again = read_item(decoded(seen_again(row)), OWNER)

    for data in {plain, with_forms(plain, event, forms, OWNER)}:
        found = file_item(data, base)
        assert b"\nX-EVIL" not in data
        assert (found.uid, found.by_html) == (uid_of(event), False)
        assert {one.code for one in found.holds} <= lasting_troubles(item)
        assert found.item is not None
        assert merge(base, item, found.item, again, POLICIES["remote"], TIMES) == NOTHING
    assert_told(item, base, plain)


def assert_told(item: Item, base: Item, data: bytes) -> None:
    """Without a base the file says all that a file can say."""
    fresh = file_item(data, None)
    assert {one.code for one in fresh.holds} <= lasting_troubles(item) | NEW_TROUBLES
    if fresh.item is None or (fresh.item.recurrence is None and item.recurrence is not None):
        return  # the time or the rule is held, and with it the rest
    told, left = (LOCAL | {"people"}) - UNSAID, unsaid(item, fresh)
    here, there = (
        {key: value for key, value in said(one, told).items() if key not in left}
        for one in (fresh.item, base)
    )
    assert here == there


# --- what programs do to a file on saving ----------------------------------------------------

STAMPS = Stamps("20260101T100000Z", "20260201T100000Z")
LATER = Stamps("20260101T100000Z", "20260301T100000Z")
UID = Uid("u-1")
Change = Callable[[str, Item], str]
PARAMS = r'(?:;[A-Za-z0-9-]+=(?:"[^"\r\n]*"|[^";:\r\n])*)*'
LINE = re.compile(rf"(?m)^([A-Z-]+)({PARAMS}):([^\r\n]*)\r$")
PARAM = re.compile(r';([A-Za-z0-9-]+)=((?:"[^"\r\n]*"|[^";:\r\n])*)')


def whole_lines(data: bytes) -> str:
    return data.replace(b"\r\n ", b"").decode()


def each(text: str, names: str, change: Callable[[str, str, str], str]) -> str:
    """`change(name, params, value)` in place of every line with one of the names."""
    wanted = names.split()

    def changed_line(found: re.Match[str]) -> str:
        return f"{change(*found.groups())}\r" if found[1] in wanted else found[0]

    return LINE.sub(changed_line, text)


def rule_parts(text: str, change: Callable[[str], str]) -> str:
    """The series' rule changed, those of zones left alone."""
    head, begin, rest = text.partition("BEGIN:VEVENT\r\n")
    return head + begin + each(rest, "RRULE", lambda n, p, value: f"{n}{p}:{change(value)}")


def in_events(text: str, change: Callable[[list[str]], list[str]]) -> str:
    """`change` of each event's lines and components, from BEGIN to END."""

    def events(found: re.Match[str]) -> str:
        return "".join(f"{line}\r\n" for line in change(found[0].split("\r\n")[:-1]))

    return re.sub(r"(?ms)^BEGIN:VEVENT\r\n.*?^END:VEVENT\r\n", events, text)


def lacks(lines: list[str], *names: str) -> bool:
    return not {re.split("[;:]", line)[0] for line in lines} & set(names)


def defaulted(lines: list[str]) -> list[str]:
    """Lines that say what their absence says."""
    given = [
        *(["CLASS:PUBLIC"] if lacks(lines, "CLASS") else []),
        *(["PRIORITY:0"] if lacks(lines, "PRIORITY") else []),
        *(["STATUS:CONFIRMED"] if lacks(lines, "STATUS", "X-MICROSOFT-CDO-BUSYSTATUS") else []),
        *(["SUMMARY:  "] if lacks(lines, "SUMMARY") else []),
        *(["LOCATION: "] if lacks(lines, "LOCATION") else []),
        *(["CATEGORIES:"] if lacks(lines, "CATEGORIES") else []),
        *(["DESCRIPTION:\\n "] if lacks(lines, "DESCRIPTION") else []),
    ]
    return [lines[0], *given, *lines[1:]]


def tokens(value: str) -> list[str]:
    """A TEXT value's characters, an escape being one."""
    return re.findall(r"\\.|[^\\]", value)


def texts(
    text: str, change: Callable[[str], str], names: str = "SUMMARY LOCATION DESCRIPTION"
) -> str:
    return each(
        text, names, lambda n, p, value: f"{n}{p}:{''.join(change(one) for one in tokens(value))}"
    )


def lasting(text: str, item: Item) -> str:
    """DURATION for DTEND, event by event."""

    def change(lines: list[str]) -> list[str]:
        said_ = {m[1]: (m[2], m[3]) for line in lines if (m := LINE.match(f"{line}\r"))}
        start, end = said_.get("DTSTART"), said_.get("DTEND")
        if start is None or end is None or start[0] != end[0]:
            return lines
        length = duration_of(start, end, repeats=item.recurrence is not None)
        done = [f"DURATION:{length}" if line.startswith("DTEND") else line for line in lines]
        return done if length else lines

    return in_events(text, change)


def duration_of(start: tuple[str, str], end: tuple[str, str], *, repeats: bool) -> str:
    """The exact length; none for a series whose first occurrence alone is longer or shorter."""
    if "T" not in start[1]:
        days = date.fromisoformat(end[1]) - date.fromisoformat(start[1])
        return f"P{days.days}D"
    zone = windows_zone(start[0].partition("TZID=")[2]) if start[0] else WindowsZone("UTC")
    if zone is None:
        return ""
    began, ended = (datetime.fromisoformat(one[1].rstrip("Z")) for one in (start, end))
    seconds = (instant(ended, zone) - instant(began, zone)).total_seconds()
    again = wall_time(instant(began, zone) + timedelta(seconds=seconds), zone)
    odd = repeats and seconds != (ended - began).total_seconds()
    return f"PT{seconds:.0f}S" if again == ended and not odd else ""


def slots_in(names: str, head: str, other: str) -> Change:
    """The same instants in another zone."""

    def change(text: str, item: Item) -> str:
        when = item.master.when
        if isinstance(when, AllDay):
            return text
        own, end = WindowsZone(when.start_zone), "" if head else "Z"

        def moved(name: str, params: str, value: str) -> str:
            if not re.fullmatch(r"\d{8}T\d{6}", value) or "Tokyo" in params:
                return f"{name}{params}:{value}"
            at = wall_time(instant(datetime.fromisoformat(value), own), WindowsZone(other))
            return f"{name}{head}:{at:%Y%m%dT%H%M%S}{end}"

        return each(text, names, moved)

    return change


def as_dates(text: str, item: Item) -> str:
    def day(name: str, params: str, value: str) -> str:
        if "Z" in value or "Tokyo" in params:
            return f"{name}{params}:{value}"
        return f"{name};VALUE=DATE:{','.join(one[:8] for one in value.split(','))}"

    return each(text, "EXDATE", day)


def until_later(text: str, item: Item) -> str:
    """The last occurrence is the same one, as the next is a day away."""

    def later(found: re.Match[str]) -> str:
        return f"UNTIL={datetime.fromisoformat(found[1]) + timedelta(hours=22):%Y%m%dT%H%M%SZ}"

    return rule_parts(text, lambda rule: re.sub(r"UNTIL=(\d{8}T\d{6})Z", later, rule))


def until_day(text: str, item: Item) -> str:
    when = item.master.when
    if isinstance(when, AllDay) or item.recurrence is None or not item.recurrence.until:
        return text
    day = item.recurrence.until.replace("-", "")
    return rule_parts(text, lambda rule: re.sub(r"UNTIL=\d{8}T\d{6}Z", f"UNTIL={day}", rule))


def timed_rule(text: str, item: Item) -> str:
    when = item.master.when
    if isinstance(when, AllDay):
        return text
    at = when.start
    clock = f";BYHOUR={at.hour};BYMINUTE={at.minute};BYSECOND={at.second}"
    return rule_parts(text, lambda rule: rule if "BYHOUR" in rule.upper() else rule + clock)


def implied_rule(text: str, item: Item) -> str:
    """Without the day that DTSTART says anyway."""
    start = item.master.when.start
    day = WEEKDAYS[start.weekday()][:2].upper()

    def change(rule: str) -> str:
        rule = re.sub(rf"^(FREQ=WEEKLY(?:;INTERVAL=\d+)?);BYDAY={day}(?=;|$)", r"\1", rule)
        if start.day > 28:
            return rule
        rule = re.sub(
            rf"^(FREQ=MONTHLY(?:;INTERVAL=\d+)?);BYMONTHDAY={start.day}(?=;|$)", r"\1", rule
        )
        return re.sub(
            rf"^(FREQ=YEARLY(?:;INTERVAL=\d+)?);BYMONTH={start.month};BYMONTHDAY={start.day}(?=;|$)",
            r"\1",
            rule,
        )

    return rule_parts(text, change)


ORDINAL = re.compile(r"BYDAY=(-?\d)([A-Z]{2})(?=;|$)")


def ordinals(spelled: Callable[[int, str], str]) -> Change:
    def change(rule: str) -> str:
        if "BYSETPOS" in rule or "BYMONTHDAY" in rule:
            return rule
        return ORDINAL.sub(lambda m: spelled(int(m[1]), m[2]), rule)

    return lambda text, item: rule_parts(text, change)


def week_block(ordinal: int, day: str) -> str:
    first = 7 * ordinal - 6 if ordinal > 0 else -7
    return f"BYDAY={day};BYMONTHDAY={','.join(str(first + n) for n in range(7))}"


def every_month(rule: str) -> str:
    months = ",".join(map(str, range(1, 13)))
    named = "BYMONTH=" in rule.upper() or "MONTHLY" not in rule.upper()
    return rule if named else f"{rule};BYMONTH={months}"


def respelled_rule_text(rule: str) -> str:
    """Other order and case, the interval of one, a day named twice."""
    rule = re.sub(r"BYDAY=([A-Z]{2})\b", r"BYDAY=\1,\1", rule)
    parts = [*([] if "INTERVAL" in rule.upper() else ["INTERVAL=1"]), *rule.split(";")]
    return ";".join(reversed(parts)).lower()


def week_start(rule: str) -> str:
    """Any WKST, where weeks are not counted."""
    counted = "WEEKLY" in rule.upper() and "INTERVAL" in rule.upper()
    return rule if counted or "WKST" in rule.upper() else f"{rule};WKST=SU"


def alternatives(tzid: str) -> str:
    """Another name of the same Windows zone."""
    zone = windows_zone(tzid)
    others = [name for name, windows in tz_win.items() if windows == zone and name != tzid]
    return others[0] if others and "/" in others[0] else tzid


def renamed_zones(change: Callable[[str], str]) -> Change:
    return lambda text, item: re.sub(
        r'(?m)((?:;TZID=)|(?:^TZID:))"?([A-Z][A-Za-z_]+(?:/[A-Za-z_-]+)+)"?(?=[:\r])',
        lambda m: m[1] + change(m[2]),
        text,
    )


EVOLUTIONS_ZONES = renamed_zones(lambda tzid: f"/freeassociation.sourceforge.net/{tzid}")


def free_slots(item: Item) -> list[date]:
    """Of the first days of a series those that are as the series has them."""
    if item.recurrence is None:
        return []
    slots = occurrences(item.recurrence, slot_of(item.master.when))
    first = [slot for slot, _ in zip(slots, range(9), strict=False)]
    return [slot for slot in first if slot not in item.overrides and slot not in item.cancelled]


def same_override(text: str, item: Item) -> str:
    """One more occurrence spelled out as the series has it."""
    free = free_slots(item)
    if not free:
        return text
    slot = free[-1]
    named = moment_text("RECURRENCE-ID", slot_start(slot, item.master.when))
    lines = vevent_texts(UID, effective(item, slot), STAMPS, [named], item.master)
    return at_the_end(text, "".join(f"{one}\r\n" for one in lines))


def before_end(text: str, name: str, lines: str) -> str:
    return re.sub(rf"(?m)^END:{name}\r$", lambda m: lines + m[0], text)


def at_the_end(text: str, blocks: str) -> str:
    return text.removesuffix("END:VCALENDAR\r\n") + f"{blocks}END:VCALENDAR\r\n"


def properties_turned(text: str, item: Item) -> str:
    return re.sub(
        r"(?ms)^BEGIN:VEVENT\r\n(.*?)^(?=BEGIN:|END:VEVENT)",
        lambda m: f"BEGIN:VEVENT\r\n{''.join(reversed(re.findall(LINES, m[1])))}",
        text,
    )


def components_turned(text: str, item: Item) -> str:
    parts = re.findall(r"(?ms)^BEGIN:(VEVENT|VTIMEZONE)\r\n(.*?)^END:\1\r\n", text)
    rest = re.sub(r"(?ms)^BEGIN:(VEVENT|VTIMEZONE)\r\n(.*?)^END:\1\r\n", "", text)
    blocks = "".join(f"BEGIN:{name}\r\n{inner}END:{name}\r\n" for name, inner in reversed(parts))
    return at_the_end(rest, blocks)


def alarms_first(text: str, item: Item) -> str:
    return re.sub(
        r"(?ms)^BEGIN:VEVENT\r\n((?:(?!^END:VEVENT).)*?)(^BEGIN:VALARM\r\n.*?^END:VALARM\r\n)",
        r"BEGIN:VEVENT\r\n\2\1",
        text,
    )


def params_turned(text: str, item: Item) -> str:
    return LINE.sub(
        lambda m: f"{m[1]}{''.join(reversed([one[0] for one in PARAM.finditer(m[2])]))}:{m[3]}\r",
        text,
    )


def params_quoted(text: str, item: Item) -> str:
    def quoted_params(params: str) -> str:
        return PARAM.sub(
            lambda m: m[0] if '"' in m[2] or "," in m[2] else f';{m[1]}="{m[2]}"', params
        )

    return LINE.sub(lambda m: f"{m[1]}{quoted_params(m[2])}:{m[3]}\r", text)


def guests(change: Callable[[str], str]) -> Change:
    """The parameters of ATTENDEE lines that name others."""

    def told(name: str, params: str, value: str) -> str:
        mine = value.casefold() == "mailto:me@example.org"
        return f"{name}{params if mine else change(params)}:{value}"

    return lambda text, item: each(text, "ATTENDEE", told)


def saved_by_khal(text: str, item: Item) -> str:
    """icalendar's writer: a calendar of khal's own, with the events and zone blocks made anew."""
    if any("\\" in line[2] for line in LINE.finditer(text)):
        return text  # icalendar takes the sign after a backslash for a part of the parameter
    try:
        calendar: Any = icalendar.Calendar.from_ical(text.encode())
    except ValueError:
        return text
    made_ = icalendar.Calendar()
    made_.add("VERSION", "2.0")
    made_.add("PRODID", "-//PIMUTILS.ORG//NONSGML khal / icalendar //EN")
    for event in calendar.walk("VEVENT"):
        event["SEQUENCE"] = 1
        made_.add_component(event)
    year = item.master.when.start.year
    if 1970 <= year < 2030:
        made_.add_missing_timezones(date(year, 1, 1), date(year + 2, 1, 1))
    data: bytes = made_.to_ical()
    return whole_lines(data)


def saved_by_evolution(text: str, item: Item) -> str:
    """libical: the vendor's zones, its marks on alarms and on lines that it did not know."""
    text = EVOLUTIONS_ZONES(text, item)
    text = before_end(text, "VALARM", "X-EVOLUTION-ALARM-UID:1a2b\r\n")
    return per_event(text, 'X-LIC-ERROR;X-LIC-ERRORTYPE=VALUE-PARSE-ERROR:No value for "GEO"')


def altrep(text: str, item: Item) -> str:
    """Thunderbird's HTML of the very text."""

    def told(name: str, params: str, value: str) -> str:
        html = text_to_html(unescape(value))
        uri = f'"data:text/html,{quote(html)}"'
        return (
            f"{name}{params};ALTREP={uri}:{value}"
            if html and not params
            else f"{name}{params}:{value}"
        )

    return in_master_only(text, lambda part: each(part, "DESCRIPTION", told))


def in_master_only(text: str, change: Callable[[str], str]) -> str:
    """Events with no alarm in them, whose DESCRIPTION is another."""
    return re.sub(
        r"(?ms)^BEGIN:VEVENT\r\n.*?^(?=BEGIN:VALARM|END:VEVENT)", lambda m: change(m[0]), text
    )


STREWN = (
    *(
        "X-FOO;B=2;A=1:a\\,b;c",
        "COLOR:turquoise",
        "URL:https://x.example/?a=1,2;b",
        "COMMENT:a\\,b",
    ),
    *('CONTACT;ALTREP="cid:x:y;z":Ann\\, room 7', "RELATED-TO;RELTYPE=PARENT:x", "RESOURCES:a,b"),
    *("REQUEST-STATUS:2.0;Success", "X-MOZ-LASTACK:20300101T000000Z", "X-EVOLUTION-CALDAV-HREF:x"),
    *("X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC", "X-MICROSOFT-CDO-INTENDEDSTATUS:BUSY"),
    *("IMAGE;VALUE=URI;DISPLAY=BADGE;FMTTYPE=image/png:https://x.example/a.png", 'x-low;p="a:b":c'),
    *("CONFERENCE;VALUE=URI;FEATURE=PHONE;LABEL=Dial:tel:+1", "X-GOOGLE-CONFERENCE:https://x/y"),
    *("ATTACH;FMTTYPE=text/plain;FILENAME=a.txt:https://x.example/a.txt", "a line that is none"),
    *("ATTACH;ENCODING=BASE64;VALUE=BINARY:AAAA", "IANA-PROP;VALUE=DATE:20260101", "SEQUENCE:3"),
    *("X-LONG;P=" + "p" * 90 + ":" + "é漢" * 90, "X-TAB:a\tb\x01", "X-EMPTY:", "X-BROKEN;=:x"),
    *("ATTENDEE;SCHEDULE-AGENT=NONE:mailto:quiet@example.org", "ATTENDEE;CN=Nobody:urn:uuid:1"),
    *(
        "X-SYNCD-WEBLINK:https://x.example/",
        "STYLED-DESCRIPTION;VALUE=URI:https://x.example/",
        "REFID:a",
    ),
    "BEGIN:VALARM\r\nACTION:EMAIL\r\nTRIGGER:-P1D\r\nSUMMARY:x\r\nDESCRIPTION:y\r\nEND:VALARM",
    "BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER;RELATED=END:PT5M\r\nX-A:1\r\nEND:VALARM",
    "BEGIN:VALARM\r\nACTION:DISPLAY\r\nRELATED-TO;RELTYPE=SNOOZE:x\r\nTRIGGER:-PT3M\r\nEND:VALARM",
    "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER;VALUE=DATE-TIME:20260101T000000Z\r\nEND:VALARM",
    "BEGIN:VLOCATION\r\nUID:l\r\nNAME:Hall\r\nGEO:1;2\r\nEND:VLOCATION",
    "BEGIN:PARTICIPANT\r\nUID:p\r\nPARTICIPANT-TYPE:SPEAKER\r\nEND:PARTICIPANT",
    "BEGIN:X-BOX\r\nX-A;Q=1:2\r\nBEGIN:X-INNER\r\nSUMMARY:inner\r\nEND:X-INNER\r\nEND:X-BOX",
)
LINES = r"[^\n]*\n"
CARETS = r"\^\^(?![n'^])"
GRADES = {"1": "03", "9": "7"}
CALENDAR_LINES = (
    "CALSCALE:GREGORIAN\r\nMETHOD:PUBLISH\r\nX-WR-CALNAME:Mine\r\nNAME:Mine\r\nUID:calendar\r\n"
    "X-WR-TIMEZONE:America/New_York\r\nREFRESH-INTERVAL;VALUE=DURATION:PT1H\r\nCOLOR:red\r\n"
    "X-WR-RELCALID:x\r\nLAST-MODIFIED:20300101T000000Z\r\n"
)
MORE_ALARMS = (
    "BEGIN:VALARM\r\nACTION:EMAIL\r\nTRIGGER:-P1D\r\nSUMMARY:x\r\nDESCRIPTION:y\r\n"
    "ATTENDEE:mailto:me@example.org\r\nEND:VALARM\r\n"
    "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:late\r\nTRIGGER:PT7M\r\nEND:VALARM\r\n"
)
VOLATILE = (
    "X-MOZ-LASTACK:20300101T000000Z\r\nX-MOZ-SNOOZE-TIME:20300101T000000Z\r\nX-LIC-ERROR:x\r\n"
    "X-EVOLUTION-CALDAV-HREF:x\r\nX-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC\r\nCOMMENT:note"
)


def old(rewrite_: Rewrite) -> Change:
    return lambda text, item: rewrite_(text)


# Those that say less than the file did: only beside a base they are no edit.
BESIDE_A_BASE: dict[str, Change] = {
    "minted lines removed": old(REWRITES["minted lines removed"]),
    "answers of others": old(REWRITES["answers of others"]),
    "names of people": old(REWRITES["names of people"]),
    "unknown lines dropped": lambda text, item: re.sub(
        r"(?m)^X-MICROSOFT-(?:DISALLOW-COUNTER|CDO-BUSYSTATUS):[^\r\n]*\r\n", "", text
    ),
    "nobody is asked to answer": guests(
        lambda params: re.sub(";RSVP=[A-Z]+", "", params) + ";RSVP=FALSE"
    ),
    "another name for a guest": guests(
        lambda params: (
            "".join(m[0] for m in PARAM.finditer(params) if m[1] != "CN") + ";CN=Somebody Else"
        )
    ),
    "more alarms": lambda text, item: before_end(text, "VEVENT", MORE_ALARMS),
    "lines of other programs": lambda text, item: per_event(
        text, "\r\n".join(one for one in STREWN if "VALARM" not in one)
    ),
    "the organizer's name": lambda text, item: each(
        text, "ORGANIZER", lambda n, p, value: f"{n};CN=Other:{value.upper()}"
    ),
}
CHANGES: dict[str, Change] = {
    **{name: old(one) for name, one in REWRITES.items() if name not in BESIDE_A_BASE},
    "properties turned around": properties_turned,
    "the time of day in the rule": timed_rule,
    "all months in the rule": lambda text, item: rule_parts(text, every_month),
    "the implied day left out": implied_rule,
    "+2TU": ordinals(lambda n, day: f"BYDAY={n:+}{day}"),
    "TU and BYSETPOS": ordinals(lambda n, day: f"BYDAY={day};BYSETPOS={n}"),
    "2TU and BYSETPOS": ordinals(lambda n, day: f"BYDAY={n}{day};BYSETPOS=1"),
    "TU of a week": ordinals(week_block),
    "the rule respelled": lambda text, item: rule_parts(text, respelled_rule_text),
    "weeks from sunday": lambda text, item: rule_parts(text, week_start),
    "RSCALE": lambda text, item: rule_parts(text, lambda rule: f"RSCALE=GREGORIAN;{rule}"),
    "UNTIL later in the day": until_later,
    "UNTIL as a day": until_day,
    "EXDATEs in UTC": slots_in("EXDATE", "", "UTC"),
    "EXDATEs in Tokyo": slots_in("EXDATE", ";TZID=Asia/Tokyo", "Tokyo Standard Time"),
    "RECURRENCE-IDs in UTC": slots_in("RECURRENCE-ID", "", "UTC"),
    "EXDATEs as days": as_dates,
    "zeros of a point": lambda text, item: each(
        text,
        "GEO",
        lambda n, p, value: f"{n}{p}:{';'.join(f'{float(one):+.9f}' for one in value.split(';'))}",
    ),
    "DURATION": lasting,
    "components turned around": components_turned,
    "alarms first": alarms_first,
    "parameters turned around": params_turned,
    "needless quotes": params_quoted,
    "plain carets": lambda text, item: LINE.sub(
        lambda m: f"{m[1]}{re.sub(CARETS, '^', m[2])}:{m[3]}\r", text
    ),
    "\\N": lambda text, item: texts(text, lambda one: "\\N" if one == "\\n" else one),
    "signs not escaped": lambda text, item: texts(
        text, lambda one: one[1] if one in ("\\,", "\\;") else one
    ),
    "signs escaped": lambda text, item: texts(
        text, lambda one: f"\\{one}" if one in ":'(" else one
    ),
    "Evolution": saved_by_evolution,
    "Evolution's zones": EVOLUTIONS_ZONES,
    "Mozilla's zones": renamed_zones(lambda tzid: f"/mozilla.org/20050126_1/{tzid}"),
    "other towns": renamed_zones(alternatives),
    "an override like the series": same_override,
    "lines of the calendar": lambda text, item: text.replace(
        "PRODID", f"{CALENDAR_LINES}PRODID", 1
    ),
    "individuals": guests(
        lambda params: params if "CUTYPE" in params else f"{params};CUTYPE=INDIVIDUAL"
    ),
    "MAILTO": lambda text, item: text.replace(":mailto:", ":MAILTO:"),
    "spaces after the text": lambda text, item: each(
        text, "DESCRIPTION", lambda n, p, value: f"{n}{p}:{value} \\n \\n"
    ),
    "spaces around the title": lambda text, item: each(
        text, "SUMMARY LOCATION", lambda n, p, value: f"{n}{p}: {value}  "
    ),
    "defaults": lambda text, item: in_events(text, defaulted),
    "values in lower case": lambda text, item: each(
        text,
        "CLASS TRANSP STATUS ACTION X-MICROSOFT-CDO-BUSYSTATUS X-MICROSOFT-DISALLOW-COUNTER",
        lambda n, p, value: f"{n}{p}:{value.lower()}",
    ),
    "parameters in lower case": lambda text, item: each(
        text,
        "ATTENDEE",
        lambda n, p, v: (
            f"{n}{re.sub('(?:ROLE|CUTYPE|PARTSTAT)=[A-Z-]+', lambda m: m[0].lower(), p)}:{v}"
        ),
    ),
    "other grades": lambda text, item: each(
        text, "PRIORITY", lambda n, p, value: f"{n}{p}:{GRADES.get(value, value)}"
    ),
    "categories spaced": lambda text, item: each(
        text, "CATEGORIES", lambda n, p, value: f"{n}{p}: {value} ,{value.upper()},"
    ),
    "an alarm seen": lambda text, item: before_end(
        text, "VALARM", "ACKNOWLEDGED:20300101T000000Z\r\nX-MOZ-SNOOZE-TIME:20300101T000000Z\r\n"
    ),
    "volatile lines": lambda text, item: per_event(text, VOLATILE),
    "Thunderbird's HTML": altrep,
    "a lying zone block": lambda text, item: re.sub(
        r"(?m)^TZOFFSET(FROM|TO):[+-]\d+", r"TZOFFSET\1:-1100", text
    ),
    "days without VALUE": lambda text, item: text.replace(";VALUE=DATE:", ":"),
    "days with a zone": lambda text, item: re.sub(
        "(?m)^(DTSTART|DTEND);VALUE=DATE:", r"\1;VALUE=DATE;TZID=Europe/Berlin:", text
    ),
}
FIRST = "khal"
CHANGES[FIRST] = saved_by_khal
CHANGES["no last line end"] = lambda text, item: text.rstrip("\r\n")
LAST = (
    *("names in lower case", "other folding", "a BOM and blank lines", "no last line end"),
    "LF line ends",
)
EVERY = {**CHANGES, **BESIDE_A_BASE}


def in_order(names: list[str]) -> list[str]:
    """Bytes are changed last, and the one that reads the whole file comes first."""
    return sorted(
        names, key=lambda name: (LAST.index(name) + 1 if name in LAST else 0) - (name == FIRST)
    )


ITEMS = ROWS.map(lambda row: item_of(decoded(row))).filter(lambda item: item is not None)


@law(300)
@given(ITEMS, st.lists(st.sampled_from(sorted(EVERY)), min_size=1, max_size=6, unique=True))
def test_what_programs_do_to_a_file_on_saving_is_no_edit(item: Item, names: list[str]) -> None:
    """Any six of their habits at once; beside a base, and where it tells all by itself without."""
    base = local_view(item)
    before = render(UID, item, STAMPS, OWNER)
    text = whole_lines(before)

    for name in in_order(names):
        text = EVERY[name](text, item)

    assert_same(before, text.encode(), base)
    if not BESIDE_A_BASE.keys() & set(names):
        assert_same(before, text.encode(), None)


def test_every_habit_changes_a_file() -> None:
    """Each is tried on something that it can change."""
    people = {
        "attendees": [
            {"type": "optional", "emailAddress": {"address": mail_, "name": name}}
            for mail_, name in (("bob@example.org", "Bob B"), ("ann@example.org", "^x"))
        ],
        "organizer": {"emailAddress": {"address": "carol@example.com", "name": "Carol"}},
        "onlineMeeting": {"joinUrl": JOIN},
    }
    rich = {
        "subject": "a, b: c",
        "body": {"contentType": "text", "content": "x\r\ny"},
        "location": {"displayName": "L", "coordinates": {"latitude": 48.2, "longitude": 16.3}},
        "importance": "high",
        "showAs": "oof",
        "sensitivity": "private",
        "categories": ["Red", "Work"],
        "isReminderOn": True,
        "reminderMinutesBeforeStart": 60,
        "allowNewTimeProposals": False,
        **people,
    }
    gone = ["OID.AAMk.2026-03-04", "OID.AAMk.2026-03-05"]
    series = series_row(
        **rich, cancelledOccurrences=gone, exceptionOccurrences=[exception_row(6, subject="x")]
    )
    second = {"pattern": {"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["monday"]}}
    monthly = {**second, "range": {"type": "endDate", "endDate": "2027-03-01"}}
    weekly = {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]}
    rows = [
        series,
        single_row(**rich),
        single_row(originalStartTimeZone="UTC", originalEndTimeZone="UTC"),
        {"id": "AAMk", **all_day(date(2026, 3, 2), date(2026, 3, 3))},
        {**single_row(recurrence=monthly), "type": "seriesMaster"},
        {**single_row(recurrence={**monthly, "pattern": weekly}), "type": "seriesMaster"},
    ]
    items_ = [read_item(decoded(row), OWNER) for row in rows]
    plain = [whole_lines(render(UID, item, STAMPS, OWNER)) for item in items_]

    idle = {
        name
        for name, change in EVERY.items()
        if all(change(text, item) == text for text, item in zip(plain, items_, strict=True))
    }

    assert idle == set()


def assert_same(before: bytes, after: bytes, base: Item | None) -> None:
    one, other = file_item(before, base), file_item(after, base)
    held = [sorted({hold.code for hold in found.holds} - LASTING) for found in (one, other)]
    assert held[0] == held[1]
    if one.item is None or other.item is None:
        assert one.item == other.item
    else:
        assert changed(one.item, other.item, local=True) == frozenset()


# --- file, service, file ---------------------------------------------------------------------

ME = Person("me@example.org", "Me")
SHOWN = ("organizer", "response", "invited_as", "is_cancelled", "online_meeting", "join_url")
AT_A_TIME = b"TRIGGER;VALUE=DATE-TIME"
FOLDS = ("\r\n ", "\r\n\t", "\n ")


def hosted(item: Item) -> Item:
    """The same as something that the owner made in a file."""
    people = item.master.attendees
    own = {"organizer": ME if people else None, "invited_as": "", "response": "none"}
    own |= {"is_cancelled": False, "online_meeting": False, "join_url": ""}
    master = msgspec.structs.replace(item.master, **own)
    overrides = {slot: own_alone(one, master) for slot, one in item.overrides.items()}
    return msgspec.structs.replace(item, master=master, overrides=overrides)


def own_alone(own: Changes, master: Event) -> Changes:
    """
    An override as its author made it.

    A new place without a new point drops the series' point on the service: that is an edit.
    """
    left: set[str] = {*SHOWN, "attendees"}
    if master.geo is not None and own.geo is msgspec.UNSET:
        left.add("location")
    return msgspec.structs.replace(own, **dict.fromkeys(left, msgspec.UNSET))


def with_strewn(text: str, strewn: list[tuple[int, str]]) -> str:
    """Lines and components put between those of the events, in the order of the file."""
    lines = text.split("\r\n")
    for at, one in strewn:
        places, inside = [], ""
        for number, line in enumerate(lines):
            if inside == "VEVENT" and not line.startswith((" ", "\t")):
                places.append(number)
            if line.startswith("BEGIN:"):
                inside = line[6:]
            elif line.startswith("END:"):
                inside = "VEVENT" if line != "END:VEVENT" else ""
        lines[places[at % len(places)] : places[at % len(places)]] = one.split("\r\n")
    return "\r\n".join(lines)


def folded_oddly(text: str, every: int, fold: str) -> str:
    """Lines folded where another program would not."""
    return "\r\n".join(
        fold.join(line[at : at + every] for at in range(0, len(line), every)) or line
        for line in text.split("\r\n")
    )


@st.composite
def foreign_files(draw: st.DrawFn) -> bytes:
    """A file in which another program says an item."""
    item = hosted(draw(ITEMS))
    text = whole_lines(render(UID, item, STAMPS, OWNER))
    names = draw(st.lists(st.sampled_from(sorted(CHANGES)), max_size=4, unique=True))
    for name in in_order(names):
        if name not in LAST:
            text = CHANGES[name](text, item)
    strewn = st.tuples(st.integers(0, 99), st.sampled_from(STREWN))
    text = with_strewn(text, draw(st.lists(strewn, max_size=6)))
    if item.recurrence is None and not draw(st.integers(0, 3)):
        text = per_event(text, "X-SYNCD-ONLINE-MEETING:TRUE")
    every = draw(st.sampled_from((0, 75, 30, 7)))
    if every:
        text = folded_oddly(text, every, draw(st.sampled_from(FOLDS)))
    for name in in_order(names):
        if name in LAST[2:]:
            text = CHANGES[name](text, item)
    return text.encode()


class Box:
    """A mailbox of the service, as pure as it comes, with one event in it."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        service = Service(now=lambda: now, random=Random(1), switches=Switches())
        self.mailbox = service.add_mailbox(ME.address, ME.name)
        sent = json.loads(json.dumps(body))
        self.item = self.mailbox.create(self.mailbox.default_calendar.id, sent).item

    def event(self) -> RemoteEvent:
        """The event as it is asked for by its id: a series with what was done to its days."""
        row = full_row(ServiceEvent(self.item), ServiceLook())
        row["cancelledOccurrences"] = [f"OID.x.{day}" for day in sorted(self.item.cancelled)]
        touched_ = [ServiceEvent(self.item, slot) for slot in sorted(self.item.overrides)]
        row["exceptionOccurrences"] = [
            {**full_row(one, ServiceLook()), "originalStart": original_start(one)}
            for one in touched_
        ]
        return decoded(row)

    def write(self, keys: frozenset[FieldKey], local: Item) -> None:
        """What a round sends of the changed fields, the master's first."""
        server = self.event()
        exceptions = exception_slots(server, OWNER)
        for slot in sorted({key.slot for key in keys}):
            names = sorted(key.name for key in keys if key.slot == slot)
            day = date.fromisoformat(slot) if slot else None
            there = ServiceEvent(self.item, day)
            if names == ["cancelled"]:
                self.mailbox.delete(there.id)
                continue
            wanted = effective(local, day) if day else local.master
            met = exceptions.get(day, server) if day else server
            parts, holds = patch_fields(
                names, wanted, met, OWNER, slot=slot, recurrence=local.recurrence, replace_rich=True
            )
            assert holds == []
            body = {name: value for part in parts.values() for name, value in part.items()}
            self.mailbox.patch(there.id, json.loads(json.dumps(body)))


@dataclass(frozen=True)
class Agreed:
    """A file after its rounds: what it says, both bases, and what the service says."""

    local: Item
    base_local: Item
    base_remote: Item


def accepted(data: bytes) -> FileItem | None:
    """What a file says that would be sent whole as it is."""
    found = read(data, OWNER, None)
    if not isinstance(found, FileItem) or found.item is None or found.holds:
        return None
    return found


def synced(data: bytes) -> Agreed | None:
    """The file created, and its exceptions after it; None for what the service refuses."""
    file = accepted(data)
    if file is None or file.item is None:
        return None
    staged, whole = bool(file.item.overrides or file.item.cancelled), Item(file.item.master)
    pushed = msgspec.structs.replace(whole, recurrence=file.item.recurrence)
    if staged:
        pushed = without_attendees(pushed)
    body = create_body(
        pushed,
        OWNER,
        UID,
        "t",
        with_attendees=not staged,
        stash=file.stash,
        html=file.html.get("", ""),
    )
    try:
        box = Box(body)
        agreed = Agreed(file.item, pushed, read_item(box.event(), OWNER))
        return pushed_further(box, data, agreed)
    except ServiceError:
        return None


def pushed_further(box: Box, data: bytes, agreed: Agreed) -> Agreed:
    """
    Rounds until nothing is left to send.

    What the service tells anew after a write (who invites the first guests) the file says already.
    """
    for _ in range(4):
        bases = agreed.base_local, agreed.base_remote
        local, remote = file_item(data, bases[0]).item, read_item(box.event(), OWNER)
        assert local is not None
        met = merge(*bases, local, remote, POLICIES["remote"], TIMES)
        if met == NOTHING:
            return Agreed(local, *bases)
        assert agreed.local.overrides or agreed.local.cancelled
        assert {key.name for key in met.push if not key.slot} <= {"attendees"}
        told = overlay(local, met.pull, remote)
        assert rewrite(data, UID, told, met.pull, LATER, OWNER, bases[0]) == data
        box.write(met.push, local)
        answer = read_item(box.event(), OWNER)
        agreed = Agreed(
            local,
            overlay(overlay(bases[0], met.pull, local_view(remote)), met.push, local),
            overlay(overlay(bases[1], met.pull, remote), met.push, answer),
        )
    raise AssertionError(f"still to send: {met.push}")


OWNED: dict[str, frozenset[str]] = {
    "subject": frozenset({"SUMMARY"}),
    "body": frozenset({"DESCRIPTION", "X-ALT-DESC", "STYLED-DESCRIPTION"}),
    "location": frozenset({"LOCATION"}),
    "geo": frozenset({"GEO"}),
    "show_as": frozenset({"TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS", "STATUS"}),
    "is_cancelled": frozenset({"TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS", "STATUS"}),
    "sensitivity": frozenset({"CLASS"}),
    "importance": frozenset({"PRIORITY", "X-MICROSOFT-CDO-IMPORTANCE"}),
    "categories": frozenset({"CATEGORIES"}),
    "attendees": frozenset({"ORGANIZER", "ATTENDEE"}),
    "people": frozenset({"ORGANIZER", "ATTENDEE"}),
    "allow_new_times": frozenset({"X-MICROSOFT-DISALLOW-COUNTER"}),
    "response_requested": frozenset({"X-MICROSOFT-CDO-ISRESPONSEREQUESTED"}),
    "join_url": frozenset({"CONFERENCE"}),
    "reminder_min": frozenset(),
    "cancelled": frozenset({"EXDATE"}),
    "when": frozenset(
        (
            *("DTSTART", "DTEND", "DURATION", "RRULE", "EXDATE", "RECURRENCE-ID"),
            "X-MICROSOFT-CDO-ALLDAYEVENT",
        )
    ),
}
STAMPED = frozenset({"DTSTAMP", "LAST-MODIFIED"})


def unfolded(data: bytes) -> bytes:
    return re.sub(rb"\r?\n[ \t]", b"", data)


def logical(data: bytes) -> Iterator[tuple[tuple[str, ...], str, bytes]]:
    """Every line as it stands, with the components that it stands in and its name."""
    path: list[str] = []
    for raw in re.findall(rb"[^\n]*\n(?:[ \t][^\n]*\n)*", data):
        text = unfolded(raw)
        name = re.match(rb"[A-Za-z0-9-]*", text.removeprefix(b"\xef\xbb\xbf"))
        assert name is not None
        word = name[0].decode().upper()
        if word == "BEGIN":
            path.append(text.partition(b":")[2].decode().strip().upper())
        yield tuple(path), word, raw
        if word == "END":
            path.pop()


def untouched(data: bytes, name: str) -> list[bytes]:
    """The lines that a change of the field is none of the business of."""
    return [raw for path, word, raw in logical(data) if not is_owned(path, word, name)]


def is_owned(path: tuple[str, ...], word: str, name: str) -> bool:
    if path[-1:] == ("VEVENT",):
        return word in OWNED[name] | STAMPED
    if name == "when":
        return "VTIMEZONE" in path or (path[-1:] == ("VALARM",) and word == "TRIGGER")
    return name == "reminder_min" and "VALARM" in path


def alarms(data: bytes) -> list[bytes]:
    """The alarms of the events, whenever they go off."""
    found: list[bytes] = []
    for path, word, raw in logical(data):
        if path[-1:] == ("VALARM",) and word == "BEGIN":
            found.append(b"")
        if "VALARM" in path and word != "TRIGGER":
            found[-1] += raw
    return found


def changed_there(remote: Item, name: str, donor: Item) -> Item:
    """The service's item after one field of it took the donor's value."""
    if remote.recurrence is None and name == "cancelled":
        return remote
    if remote.recurrence is None or name not in ("when", "cancelled"):
        return overlay(remote, frozenset({FieldKey("", name)}), donor)
    if name == "cancelled":
        # The last one the file may have spelled out, as the series has it.
        slots = free_slots(remote)[:-1]
        return msgspec.structs.replace(remote, cancelled=remote.cancelled | set(slots[:1]))
    when = remote.master.when
    if isinstance(when, AllDay) or when.start.hour > 20:
        return remote
    hour = timedelta(hours=1)
    later = Timed(when.start + hour, when.start_zone, when.end + hour, when.end_zone)
    return msgspec.structs.replace(
        remote, master=msgspec.structs.replace(remote.master, when=later)
    )


@lru_cache
def donor(number: int) -> Item:
    """An item to take other values from."""
    rng = Random(number)
    row = single_row(**{**made(rng, {**PLAIN, **WHOLE_ONLY}, 20), "isOrganizer": True})
    return read_item(decoded(row), OWNER)


@law(300)
@given(foreign_files(), st.sampled_from(sorted(OWNED)), st.integers(0, 99))
def test_a_file_goes_to_the_service_and_back_without_losing_a_byte(
    data: bytes, name: str, number: int
) -> None:
    """
    A second look finds nothing to send, nothing to fetch and writes not a byte; a field that the
    service changes then touches its own lines and the stamps alone, and nothing is sent back.
    """
    agreed = synced(data)
    if agreed is None:
        return
    assert rewrite(data, UID, agreed.local, frozenset(), LATER, OWNER, agreed.base_local) == data
    if name == "when" and AT_A_TIME in unfolded(data):
        return  # an alarm at a fixed time is the reminder of a start that moves behind it
    remote = changed_there(agreed.base_remote, name, donor(number))
    moved = changed(agreed.base_remote, remote, local=False)
    target = overlay(agreed.local, moved, remote)
    base = overlay(agreed.base_local, moved, local_view(remote))

    after = rewrite(data, UID, target, moved, LATER, OWNER, agreed.base_local)

    assert isinstance(after, bytes)
    assert untouched(after, name) == untouched(data, name)
    fewer, more = sorted((alarms(data), alarms(after)), key=len)
    assert not Counter(fewer) - Counter(more)
    found = file_item(after, base)
    assert found.item is not None
    assert merge(base, remote, found.item, remote, POLICIES["remote"], TIMES) == NOTHING
    assert rewrite(after, UID, target, moved, LATER, OWNER, base) == after


# --- what the laws found ---------------------------------------------------------------------


def event_lines(*lines: str) -> bytes:
    return "\r\n".join(
        ("BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:u", *lines, "END:VEVENT", "END:VCALENDAR", "")
    ).encode()


BERLIN = "W. Europe Standard Time"


def single_row(**members: Any) -> dict[str, Any]:
    return {"id": "AAMk", **timed(datetime(2026, 3, 2, 10), 60, BERLIN), **members}


def series_row(**members: Any) -> dict[str, Any]:
    daily = {"type": "daily", "interval": 1}
    rule = shown_rule(daily, {"type": "noEnd"}, date(2026, 3, 2), BERLIN)
    return single_row(type="seriesMaster", recurrence=rule, **members)


def exception_row(day: int, **members: Any) -> dict[str, Any]:
    named = {"id": f"AAMk{day}", "type": "exception", "occurrenceId": f"OID.AAMk.2026-03-{day:02}"}
    return {**timed(datetime(2026, 3, day, 10), 60, BERLIN), **named, **members}


def edits(row: dict[str, Any], forms: Forms = NO_FORMS) -> tuple[set[str], list[str]]:
    """What counts as changed in the file that was just made of an event, and what is held."""
    event = decoded(row)
    item = read_item(event, OWNER)
    data = with_forms(render(UID, item, STAMPS, OWNER), event, forms, OWNER)
    found = file_item(data, local_view(item))
    assert found.item is not None
    keys = changed(local_view(item), found.item, local=True)
    return {key.name for key in keys}, [one.code for one in found.holds]


def test_the_longest_reminder_of_all_is_no_edit() -> None:
    """Exchange keeps any 32-bit number of minutes, before the start or after it."""
    for minutes in (2**31 - 1, -(2**31)):
        row = single_row(isReminderOn=True, reminderMinutesBeforeStart=minutes)

        assert edits(row) == (set(), [])


def test_an_invitation_from_another_self_stays_an_invitation() -> None:
    """The organizer is one of the owner's own addresses, and yet the service says: a guest."""
    host_ = {"emailAddress": {"address": "ME@example.org"}}
    row = single_row(isOrganizer=False, organizer=host_, responseStatus={"response": "accepted"})

    assert read_item(decoded(row), OWNER).master.response == "accepted"
    assert edits(row) == (set(), [])


@pytest.mark.parametrize("form", ["altrep", "x-alt-desc", "styled"])
def test_html_that_a_line_cannot_hold_is_no_edit(form: Any) -> None:
    """Control characters make a line of their own in HTML, and are left out of TEXT."""
    html_ = "<p>a</p>\x00\x0b<p>b</p>"

    assert edits(single_row(body={"contentType": "html", "content": html_}), Forms(form)) == (
        set(),
        [],
    )


def test_an_occurrence_may_allow_what_its_series_does_not() -> None:
    """A file says so in the override, whose missing line would say what the series says."""
    allowing = exception_row(3, allowNewTimeProposals=True)
    row = series_row(allowNewTimeProposals=False, exceptionOccurrences=[allowing])
    item = read_item(decoded(row), OWNER)

    found = file_item(render(UID, item, STAMPS, OWNER), None).item

    assert found is not None
    assert found.overrides == {date(2026, 3, 3): Changes(allow_new_times=True)}


def test_an_occurrence_of_a_cancelled_series_is_not_held_for_being_cancelled_too() -> None:
    """A client spelled it out as the series has it; beside a base, and without one."""
    item = read_item(decoded(series_row(isCancelled=True)), OWNER)
    data = same_override(whole_lines(render(UID, item, STAMPS, OWNER)), item).encode()

    assert data.count(b"STATUS:CANCELLED") == 2
    assert file_item(data, None).holds == ()
    assert file_item(data, local_view(item)).holds == ()
    assert read(data, OWNER, None, delete_cancelled=True) == file_item(data, None)


def test_degrees_with_an_exponent_are_degrees() -> None:
    """So icalendar, and with it khal, writes small ones."""
    found = file_item(event_lines("DTSTART:20260302T100000Z", "GEO:-90.0;2e-06"), None)

    assert found.item is not None
    assert found.item.master.geo == Geo(-90.0, 0.000002)
    assert found.lint == ()


def test_a_long_span_of_the_services_own_may_be_spelled_as_a_duration() -> None:
    """It is held where it is new, not where the service has it."""
    start, long = "DTSTART;VALUE=DATE:20260302", "DURATION:P2000D"
    base = Item(Event(AllDay(date(2026, 3, 2), date(2026, 3, 2) + timedelta(days=2000))))

    assert [one.code for one in file_item(event_lines(start, long), None).holds] == ["too-long"]
    assert file_item(event_lines(start, long), base).holds == ()
    assert file_item(event_lines(start, "DURATION:P9999999D"), base).item == base


@pytest.mark.parametrize(("length", "hour"), [("P1D", 10), ("PT24H", 11), ("P1DT1H", 11)])
def test_twenty_four_hours_are_no_day_when_the_clock_changes(length: str, hour: int) -> None:
    """RFC 5545 3.3.6: days are nominal, hours are exact."""
    start = "DTSTART;TZID=Europe/Berlin:20260328T100000"
    data = event_lines(start, f"DURATION:{length}")

    found = file_item(data, None).item

    assert found is not None
    assert isinstance(found.master.when, Timed)
    assert found.master.when.end == datetime(2026, 3, 29, hour)
    assert rewrite(data, UID, found, [FieldKey("", "when")], LATER, OWNER, found) == data


def test_a_z_beside_a_zone_that_is_always_utc_says_nothing_new() -> None:
    """So icalendar, and with it khal, writes the times of Iceland; elsewhere it is a question."""
    iceland = event_lines("DTSTART;TZID=Atlantic/Reykjavik:20260302T100000Z")
    london = event_lines("DTSTART;TZID=Europe/London:20260302T100000Z")

    found = file_item(iceland, None).item

    assert found is not None
    assert found == file_item(iceland.replace(b"00Z", b"00"), None).item
    assert [one.code for one in file_item(london, None).holds] == ["z-and-tzid"]


def test_a_reminder_after_the_start_moves_with_its_one_alarm() -> None:
    """Other programs can make Exchange hold one; the file has an alarm for it, never two."""

    def reminded(minutes: int | None) -> Item:
        on = {"isReminderOn": minutes is not None, "reminderMinutesBeforeStart": minutes}
        return read_item(decoded(single_row(**on)), OWNER)

    key = FieldKey("", "reminder_min")
    five, ten, none = reminded(-5), reminded(-10), reminded(None)
    data = render(UID, five, STAMPS, OWNER)

    later = rewrite(data, UID, ten, [key], LATER, OWNER, five)

    assert isinstance(later, bytes)
    assert alarms(later) == alarms(data)
    assert b"TRIGGER:PT10M" in later
    assert rewrite(later, UID, ten, [key], LATER, OWNER, ten) == later
    off = rewrite(later, UID, none, [key], LATER, OWNER, ten)
    assert isinstance(off, bytes)
    assert alarms(off) == []


def test_the_last_evening_that_outlook_knows_is_a_year_later_in_utc() -> None:
    """The limit is on the event's own clock, as it is for a file."""
    row = {"id": "AAMk", **timed(datetime(4500, 12, 31, 20), 60, "Dateline Standard Time")}

    assert row["start"]["dateTime"] == "4501-01-01T08:00:00"
    assert edits(row) == (set(), [])
    with pytest.raises(ValueError, match="year"):
        read_item(decoded({**row, "originalStartTimeZone": "UTC"}), OWNER)
