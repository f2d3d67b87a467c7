"""
Recurrences at random, both ways, until two readers disagree about one.

A pattern of the service becomes a whole file, as syncd renders it, and is read back; an RRULE
becomes the JSON that syncd would send, or is held with a code and a hint. The judges share no code
with syncd's core: the simulator's engine says which days a `patternedRecurrence` names,
python-dateutil (and recurring-ical-events, for a sample of whole files) what a file says. Their
occurrences must be the same for years, as times on the wall and as instants.

The same seed draws the same recurrences. Ends with 1 at the first difference, and shows it.

Run as: python -m scripts.recurrence [--patterns N] [--seed S] [--years N] [--jobs N].
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain, groupby, islice, takewhile
from multiprocessing import get_context
from random import Random
from time import perf_counter
from traceback import format_exc
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events
from dateutil.rrule import rrulestr

from syncd.core.event import Item, slot_of
from syncd.core.ids import Uid
from syncd.core.merge import changed
from syncd.core.owner import Owner
from syncd.core.recurrence import from_graph, occurrences
from syncd.core.wire.graph import create_body, decode_event, read_item
from syncd.core.wire.holds import Hold
from syncd.core.wire.ics_read import FileItem, read
from syncd.core.wire.ics_write import Stamps, local_view, render
from syncd.core.zones import WindowsZone
from syncd.simulator.recurrence import DAYS, INDEXES, read_recurrence
from syncd.simulator.zones import Wall, zone_of

__all__ = [
    "ZONES",
    "Difference",
    "DrawnRule",
    "Expansion",
    "Series",
    "Span",
    "check_rule",
    "check_series",
    "compare",
    "drawn_series",
    "search",
]

ZONES = (
    *("UTC", "W. Europe Standard Time", "GMT Standard Time", "FLE Standard Time"),
    *("Eastern Standard Time", "Central Standard Time", "Pacific Standard Time"),
    *("US Mountain Standard Time", "Alaskan Standard Time", "Hawaiian Standard Time"),
    *("Aleutian Standard Time", "Newfoundland Standard Time", "Greenland Standard Time"),
    *("Central Standard Time (Mexico)", "Cuba Standard Time", "Paraguay Standard Time"),
    *("E. South America Standard Time", "Pacific SA Standard Time", "Easter Island Standard Time"),
    *("Azores Standard Time", "Cape Verde Standard Time", "Morocco Standard Time"),
    *("Egypt Standard Time", "South Africa Standard Time", "Israel Standard Time"),
    *("West Bank Standard Time", "Iran Standard Time", "India Standard Time"),
    *("Nepal Standard Time", "Myanmar Standard Time", "China Standard Time"),
    *("North Korea Standard Time", "AUS Eastern Standard Time", "Cen. Australia Standard Time"),
    *("Lord Howe Standard Time", "New Zealand Standard Time", "Chatham Islands Standard Time"),
    *("Samoa Standard Time", "Line Islands Standard Time", "Dateline Standard Time"),
)
"""The edges of the world: every kind of offset and of summer time, and both sides of the date."""

OWNER = Owner(frozenset({"me@example.org"}), WindowsZone("W. Europe Standard Time"))
UID = Uid("series")
STAMPS = Stamps("20260101T000000Z", "20260201T000000Z")
ONE_DAY = timedelta(days=1)
LEAST = 12
"""So many occurrences are compared in any case, however many years they take."""
SAMPLED = 1000
"""Of so many patterns one is read as a whole file by recurring-ical-events."""
CHUNK = 50
PROGRESS = 10_000


class Difference(Exception):
    """Two readers say different things of one recurrence; the text shows it."""


# --- patterns ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Series:
    """A series as the service holds it; `start` is the wall time of its first occurrence."""

    zone: str
    start: datetime
    length: timedelta
    is_all_day: bool
    is_told_in_utc: bool
    recurrence: dict[str, Any]

    def event(self) -> dict[str, Any]:
        """The event's JSON, with its times in UTC, as Graph tells them, or in its own zone."""
        return {
            "id": "AAMk1",
            "type": "seriesMaster",
            "iCalUId": UID,
            "subject": "Series",
            "isAllDay": self.is_all_day,
            "start": self._moment(self.start),
            "end": self._moment(self.start + self.length),
            "originalStartTimeZone": self.zone,
            "originalEndTimeZone": self.zone,
            "recurrence": self.recurrence,
        }

    def _moment(self, wall: datetime) -> dict[str, str]:
        if self.is_told_in_utc:
            return Wall(wall, self.zone).seen_from("UTC").wire()
        return Wall(wall, self.zone).wire()


def drawn_series(random: Random) -> Series:
    """Any pattern, any range, any zone; the start is the first day that the pattern names."""
    zone, is_all_day = random.choice(ZONES), random.random() < 0.2
    pattern = drawn_pattern(random)
    endless = {"type": "noEnd", "startDate": _anywhere(random).isoformat()}
    first = read_recurrence({"pattern": pattern, "range": endless}).first()
    assert first is not None
    start = datetime.combine(first, time() if is_all_day else drawn_clock(random))
    length = ONE_DAY if is_all_day else timedelta(minutes=random.choice((0, 15, 30, 60, 600)))
    span = drawn_range(random, first) | {"recurrenceTimeZone": zone}
    recurrence = {"pattern": pattern, "range": span}
    return Series(
        zone,
        start,
        length,
        is_all_day,
        not is_all_day and random.random() < 0.5 and _is_plain(start, length, zone),
        recurrence,
    )


def _anywhere(random: Random) -> date:
    return date(1990, 1, 1) + timedelta(days=random.randrange(55 * 365))


def drawn_clock(random: Random) -> time:
    """Any time, and those more often at which clocks change."""
    if random.random() < 0.4:
        return time(random.choice((0, 1, 2, 3, 23)), random.choice((0, 15, 30, 59)))
    return time(random.randrange(24), random.randrange(60), random.choice((0, 0, 0, 1, 59)))


def _is_plain(start: datetime, length: timedelta, zone: str) -> bool:
    """Whether start and end can be told in UTC: a clock shows them, and only once."""
    info = zone_of(zone)
    return all(
        wall.replace(tzinfo=info).utcoffset() == wall.replace(tzinfo=info, fold=1).utcoffset()
        for wall in (start, start + length)
    )


def drawn_interval(random: Random, most: int) -> int:
    kind = random.random()
    if kind < 0.45:
        return 1
    return random.randint(1, 4 if kind < 0.75 else 12 if kind < 0.9 else most)


def drawn_days(random: Random) -> list[str]:
    kind = random.random()
    if kind < 0.4:
        return [random.choice(DAYS)]
    if kind < 0.8:
        return random.sample(DAYS, random.randint(2, 6))
    return list(random.choice((DAYS, DAYS[:5], DAYS[5:])))


def drawn_pattern(random: Random) -> dict[str, Any]:
    """One of the six types, with the fillers that Graph puts into unused members, or without."""
    kind = random.choice(TYPES)
    pattern: dict[str, Any] = {"type": kind}
    pattern["interval"] = drawn_interval(random, 999 if kind == "daily" else 99)
    if kind == "weekly" or kind.startswith("relative"):
        pattern["daysOfWeek"] = drawn_days(random)
    if kind == "weekly":
        pattern["firstDayOfWeek"] = random.choice(DAYS)
    if kind.startswith("relative"):
        pattern["index"] = random.choice(INDEXES)
    if kind.startswith("absolute"):
        late = random.random() < 0.4
        pattern["dayOfMonth"] = random.randint(28 if late else 1, 31)
    if kind.endswith("Yearly"):
        pattern["month"] = random.randint(1, 12)
    return FILLERS | pattern if random.random() < 0.5 else pattern


TYPES = (
    "daily",
    "weekly",
    "absoluteMonthly",
    "relativeMonthly",
    "absoluteYearly",
    "relativeYearly",
)
FILLERS: dict[str, Any] = {
    "month": 0,
    "dayOfMonth": 0,
    "daysOfWeek": [],
    "firstDayOfWeek": "sunday",
    "index": "first",
}


def drawn_range(random: Random, first: date) -> dict[str, Any]:
    """One of the three types; an end need not be an occurrence."""
    span: dict[str, Any] = {"startDate": first.isoformat()}
    match random.choice(("noEnd", "endDate", "numbered")):
        case "endDate":
            last = first + timedelta(days=random.randrange(random.choice((1, 60, 800, 5000))))
            return span | {"type": "endDate", "endDate": last.isoformat()}
        case "numbered":
            count = random.randint(1, random.choice((1, 12, 100, 999)))
            return span | {"type": "numbered", "numberOfOccurrences": count}
        case _:
            return span | {"type": "noEnd", "endDate": "0001-01-01", "numberOfOccurrences": 0}


# --- what the judges say -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expansion:
    """Wall times in order, and the instants of those that have any."""

    walls: list[datetime]
    instants: list[datetime]


def by_simulator(
    recurrence: object, start: datetime, zone: str | None, until: datetime, least: int
) -> Expansion:
    """What the service makes of a `patternedRecurrence`; `zone` None for whole days."""
    days = read_recurrence(recurrence).slots()
    clock = start.time()
    walls = _seen((datetime.combine(day, clock) for day in days), until, least)
    return Expansion(walls, [Wall(wall, zone).instant for wall in walls] if zone else [])


def _seen(moments: Iterable[datetime], until: datetime, least: int) -> list[datetime]:
    """All of them up to `until`, a wall time, and so many (from 1) as there must be."""
    rest = iter(moments)
    found = list(islice(rest, least))
    if len(found) < least:
        return found
    # With the very same zone two times are compared as they stand on the wall.
    end = until.replace(tzinfo=found[0].tzinfo)
    return found + list(takewhile(lambda moment: moment <= end, rest))


def expanded(rule: Iterable[datetime], until: datetime, least: int) -> Expansion:
    """Moments, aware or naive, as an expansion."""
    moments = _seen(rule, until, least)
    if not moments or moments[0].tzinfo is None:
        return Expansion(moments, [])
    walls = [moment.replace(tzinfo=None) for moment in moments]
    return Expansion(walls, [moment.astimezone(UTC) for moment in moments])


def compare(one: str, first: Expansion, other: str, second: Expansion) -> None:
    """Raises: Difference: the two are not the same; with the first occurrence that tells."""
    for what in ("walls", "instants"):
        left: list[datetime] = getattr(first, what)
        right: list[datetime] = getattr(second, what)
        if left != right:
            place = next(
                (n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b),
                min(len(left), len(right)),
            )
            raise Difference(
                f"occurrence {place + 1} differs ({what})\n"
                f"  {one}: {_told(left, place)} ({len(left)} in all)\n"
                f"  {other}: {_told(right, place)} ({len(right)} in all)"
            )


def _told(moments: Sequence[datetime], place: int) -> str:
    return f"{moments[place]:%a %Y-%m-%d %H:%M:%S}" if place < len(moments) else "none"


# --- pattern to file and back --------------------------------------------------------------------


def check_series(
    series: Series, years: int, *, is_sampled: bool = False, alter: Callable[[bytes], bytes] = bytes
) -> int:
    """
    The service's series through a file and back; how many occurrences were compared.

    Args: alter: what happens to the file before anyone reads it.
    Raises: Difference: someone reads something else; the text shows series and file.
    """
    remote = decode_event(json.dumps(series.event()).encode())
    item = read_item(remote, OWNER)
    data = alter(render(UID, item, STAMPS, OWNER))
    try:
        return _compared(series, item, data, years, is_sampled=is_sampled)
    except Difference as difference:
        shown = json.dumps(series.event(), indent=1)
        raise Difference(f"{difference}\n{shown}\n{_event_text(data)}") from None


def _compared(series: Series, item: Item, data: bytes, years: int, *, is_sampled: bool) -> int:
    zone = None if series.is_all_day else series.zone
    until = series.start + timedelta(days=366 * years)
    graph = by_simulator(series.recurrence, series.start, zone, until, LEAST)
    compare("the service", graph, "dateutil", expanded(_rule_of(data), until, LEAST))
    back = _read_back(item, data)
    sent = create_body(back, OWNER, UID, "t", with_attendees=False)["recurrence"]
    again = by_simulator(sent, series.start, None, until, LEAST)
    compare("the service", graph, "what syncd would send back", _at(again.walls, graph))
    assert item.recurrence is not None
    clock, days = series.start.time(), occurrences(item.recurrence, series.start.date())
    ours = _seen((datetime.combine(day, clock) for day in days), until, LEAST)
    compare("the service", graph, "syncd itself", _at(ours, graph))
    if is_sampled:
        compare("the service", _before(graph, until), "recurring-ical-events", _whole(data, until))
    return len(graph.walls)


def _at(walls: list[datetime], graph: Expansion) -> Expansion:
    """Wall times at whose instants nobody needs to look again."""
    return Expansion(walls, graph.instants)


def _read_back(item: Item, data: bytes) -> Item:
    """The file as syncd reads it without knowing where it comes from."""
    found = read(data, OWNER, None)
    if not isinstance(found, FileItem) or found.item is None or found.holds:
        raise Difference(f"syncd does not read its own file: {found}")
    edits = changed(local_view(item), found.item, local=True)
    if edits:
        raise Difference(f"syncd takes its own file for an edit of {sorted(edits)}")
    return found.item


def _rule_of(data: bytes) -> Iterable[datetime]:
    """RRULE and DTSTART of a file, as dateutil reads them."""
    lines = _event_text(data).splitlines()
    (rule,) = (line.removeprefix("RRULE:") for line in lines if line.startswith("RRULE:"))
    (start,) = (line for line in lines if line.startswith("DTSTART"))
    return rrulestr(rule, dtstart=_start_of(start))


def _event_text(data: bytes) -> str:
    unfolded = data.decode().replace("\r\n ", "").replace("\r\n", "\n")
    return "BEGIN:VEVENT" + unfolded.partition("BEGIN:VEVENT")[2].partition("END:VCALENDAR")[0]


def _start_of(line: str) -> datetime:
    head, _, value = line.partition(":")
    named = re.search(r'TZID="?([^";]+)', head)
    wall = datetime.strptime(value[:15], STAMP if "T" in value else DAY)
    if value.endswith("Z"):
        return wall.replace(tzinfo=UTC)
    return wall.replace(tzinfo=ZoneInfo(named[1])) if named else wall


DAY, STAMP = "%Y%m%d", "%Y%m%dT%H%M%S"


def _before(expansion: Expansion, until: datetime) -> Expansion:
    walls = [wall for wall in expansion.walls if wall < until]
    return Expansion(walls, expansion.instants[: len(walls)])


def _whole(data: bytes, until: datetime) -> Expansion:
    """Every occurrence of a whole file before `until`, as recurring-ical-events shows them."""
    calendar = icalendar.Calendar.from_ical(data)
    begin = calendar.events[0].start
    zone = begin.tzinfo if isinstance(begin, datetime) else None
    found = recurring_ical_events.of(calendar).between(begin, until.replace(tzinfo=zone))
    starts = sorted(one.start for one in found)
    moments = [
        one if isinstance(one, datetime) else datetime.combine(one, time()) for one in starts
    ]
    return _before(expanded(moments, until, 1), until)


# --- rules ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DrawnRule:
    """
    A file's series: the value of its RRULE, and its start.

    Args: tzid: "" for floating times and whole days, "UTC" for a Z. extra: further lines.
    """

    text: str
    start: datetime
    tzid: str
    is_all_day: bool
    extra: str = ""

    def data(self) -> bytes:
        lines = [
            *("BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", f"UID:{UID}", self.start_line()),
            *(f"RRULE:{self.text}", *filter(None, (self.extra,))),
            *("END:VEVENT", "END:VCALENDAR", ""),
        ]
        return "\r\n".join(lines).encode()

    def start_line(self) -> str:
        if self.is_all_day:
            return f"DTSTART;VALUE=DATE:{self.start:%Y%m%d}"
        stamp = self.start.strftime(STAMP)
        if self.tzid == "UTC":
            return f"DTSTART:{stamp}Z"
        return f"DTSTART;TZID={self.tzid}:{stamp}" if self.tzid else f"DTSTART:{stamp}"

    def aware_start(self) -> datetime:
        return _start_of(self.start_line())


CODES = tuple(code[:2].upper() for code in DAYS)
Parts = dict[str, str]


def drawn_rule(random: Random) -> DrawnRule:
    """From what calendars write to what nobody should; mostly with a start that fits."""
    is_all_day = random.random() < 0.2
    tzid = "" if is_all_day or random.random() < 0.1 else _tzid(random)
    parts = _plain_parts(random) if random.random() < 0.6 else _exotic_parts(random)
    clock = time() if is_all_day else drawn_clock(random)
    start = datetime.combine(_anywhere(random), clock)
    if random.random() < 0.9:
        start = _fitting(parts, start)
    if not is_all_day and random.random() < 0.1:
        parts["BYHOUR"], parts["BYMINUTE"] = str(start.hour), str(start.minute)
    parts |= _drawn_end(random, start, is_all_day=is_all_day)
    extra = random.choice(EXTRAS) if random.random() < 0.01 else ""
    return DrawnRule(_spelled(random, parts), start, tzid, is_all_day, extra)


def _tzid(random: Random) -> str:
    zone = random.choice(ZONES)
    return "UTC" if zone == "UTC" else zone_of(zone).key


EXTRAS = (
    "RRULE:FREQ=DAILY;COUNT=2",
    "EXRULE:FREQ=WEEKLY;COUNT=2",
    "RDATE:20300101T100000",
    "RDATE;VALUE=DATE:20300101",
)


def _plain_parts(random: Random) -> Parts:
    """Forms that a pattern may well have, in all their spellings."""
    match random.choice(("DAILY", "WEEKLY", "MONTHLY", "MONTHLY", "YEARLY", "YEARLY")):
        case "DAILY":
            parts = {"FREQ": "DAILY"} | _sometimes(random, 0.3, BYDAY=_listed_days(random))
            parts |= _sometimes(random, 0.3, **_day_of_month(random))
        case "WEEKLY":
            parts = {"FREQ": "WEEKLY"} | _sometimes(random, 0.8, BYDAY=_listed_days(random))
        case freq:
            chance = 0.2 if freq == "MONTHLY" else 0.8
            parts = {"FREQ": freq} | _day_of_month(random)
            parts |= _sometimes(random, chance, BYMONTH=_drawn_months(random))
    parts |= _sometimes(random, 0.5, INTERVAL=str(random.choice((1, 2, 3, 4, 6, 12, 99))))
    parts |= _sometimes(random, 0.3, WKST=random.choice(CODES))
    return parts | _sometimes(random, 0.08, RSCALE="GREGORIAN", SKIP=random.choice(SKIPS))


def _sometimes(random: Random, chance: float, **parts: str) -> Parts:
    return parts if random.random() < chance else {}


SKIPS = ("OMIT", "BACKWARD", "BACKWARD")


def _listed_days(random: Random) -> str:
    return ",".join(day[:2].upper() for day in drawn_days(random))


def _drawn_months(random: Random) -> str:
    step = random.choice((1, 2, 3, 4, 6, 12, 12, 12))
    first = random.randint(1, step)
    return _joined(range(first, 13, step))


def _joined(numbers: Iterable[int]) -> str:
    return ",".join(str(number) for number in numbers)


def _day_of_month(random: Random) -> Parts:
    """The ways to name one day of a month."""
    day = random.choice((*range(1, 29), *(29, 30, 31) * 4))
    code, ordinal = random.choice(CODES), random.choice((1, 2, 3, 4, -1))
    sign = random.choice(("", "+")) if ordinal > 0 else ""
    first = 7 * ordinal - 6
    block = range(first, first + 7) if ordinal > 0 else range(-7, 0)
    days = _listed_days(random).split(",")
    return random.choice(
        (
            {},
            {"BYMONTHDAY": "-1"},
            {"BYMONTHDAY": str(day)},
            {"BYMONTHDAY": _joined(range(min(28, day), day + 1)), "BYSETPOS": "-1"},
            {"BYDAY": f"{sign}{ordinal}{code}"},
            {"BYDAY": code, "BYSETPOS": str(ordinal)},
            {"BYDAY": ",".join(days), "BYSETPOS": str(ordinal)},
            {"BYDAY": code, "BYMONTHDAY": _joined(block)},
            {"BYDAY": code, "BYMONTHDAY": _joined(range(day - 6, day + 1)) if day > 6 else "1"},
            {"BYDAY": f"{ordinal}{code}", "BYSETPOS": random.choice(("1", "-1"))},
            {"BYDAY": ",".join(f"1{one}" for one in days), "BYSETPOS": "1"},
            {"BYDAY": ",".join(f"-1{one}" for one in days), "BYSETPOS": "-1"},
        )
    )


FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "MONTHLY", "YEARLY", "YEARLY")
WITHIN_A_DAY = ("HOURLY", "MINUTELY", "SECONDLY")


def _exotic_parts(random: Random) -> Parts:
    """Every part that RFC 5545 has, and its extension, in mixtures that nobody asked for."""
    within = random.random() < 0.03
    parts = {"FREQ": random.choice(WITHIN_A_DAY if within else FREQUENCIES)}
    for name, chance in (
        *(("INTERVAL", 0.3), ("BYMONTH", 0.3), ("BYMONTHDAY", 0.35), ("BYDAY", 0.4)),
        *(("BYSETPOS", 0.25), ("WKST", 0.2), ("BYWEEKNO", 0.04), ("BYYEARDAY", 0.04)),
        *(("BYHOUR", 0.05), ("BYMINUTE", 0.05), ("BYSECOND", 0.03), ("RSCALE", 0.06)),
    ):
        if random.random() < chance:
            parts[name] = _exotic_value(random, name)
    chance = 0.9 if "RSCALE" in parts else 0.01
    return parts | _sometimes(random, chance, SKIP=random.choice((*SKIPS, "FORWARD", "NEVER")))


def _exotic_value(random: Random, name: str) -> str:
    match name:
        case "INTERVAL":
            odd = random.random() < 0.1
            return str(random.choice((0, 100, 999, 1000) if odd else (1, 1, 2, 3, 5, 12, 24, 99)))
        case "BYDAY":
            ordinals = random.choice((("",), ("1", "2", "-1"), ("", "+3", "4", "5", "-2", "20")))
            count = random.choice((1, 1, 1, 2, 3, 7))
            return ",".join(
                f"{random.choice(ordinals)}{random.choice(CODES)}" for _ in range(count)
            )
        case "WKST":
            return random.choice((*CODES, "XX"))
        case "RSCALE":
            return random.choice(("GREGORIAN", "GREGORIAN", "gregorian", "HEBREW"))
        case _:
            low, high = RANGES[name]
            count = random.choice((1, 1, 1, 2, 3, 12))
            numbers = [random.randint(max(1, low), high) for _ in range(count)]
            is_signed = low < 0 and random.random() < 0.3
            return _joined(-number if is_signed else number for number in numbers)


RANGES: Mapping[str, tuple[int, int]] = {
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYSETPOS": (-5, 5),
    "BYWEEKNO": (-53, 53),
    "BYYEARDAY": (-366, 366),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSECOND": (0, 60),
}


def _fitting(parts: Parts, anywhere: datetime) -> datetime:
    """A start that BYMONTH, BYMONTHDAY, BYDAY and BYSETPOS let through, or the same if none is."""
    days = (anywhere + ahead * ONE_DAY for ahead in range(6 * 366))
    fitting = (day for day in days if _fits(parts, day))
    positions = parts.get("BYSETPOS")
    if positions is None:
        return next(fitting, anywhere)
    periods = [list(period) for _, period in islice(groupby(fitting, _period_of(parts)), 2)]
    place = int(positions.split(",")[0])
    chosen = periods[-1][place - 1 if place > 0 else place :] if periods else []
    return chosen[0] if chosen else anywhere


def _fits(parts: Parts, day: datetime) -> bool:
    if "BYMONTH" in parts and str(day.month) not in parts["BYMONTH"].split(","):
        return False
    length = monthrange(day.year, day.month)[1]
    month_days = parts.get("BYMONTHDAY", str(day.day)).split(",")
    if not {str(day.day), str(day.day - length - 1)} & set(month_days):
        return False
    from_start, from_end = (day.day + 6) // 7, -((length - day.day) // 7 + 1)
    code = CODES[day.weekday()]
    spelled = {f"{ordinal}{code}" for ordinal in ("", from_start, f"+{from_start}", from_end)}
    return "BYDAY" not in parts or bool(spelled & set(parts["BYDAY"].split(",")))


def _period_of(parts: Parts) -> Callable[[datetime], object]:
    match parts["FREQ"]:
        case "WEEKLY":
            return lambda day: day.isocalendar()[:2]
        case "MONTHLY":
            return lambda day: (day.year, day.month)
        case "YEARLY":
            return lambda day: day.year
        case _:
            return lambda day: day


def _drawn_end(random: Random, start: datetime, *, is_all_day: bool) -> Parts:
    kind = random.random()
    if kind < 0.4:
        return {}
    if kind < 0.7:
        odd = random.random() < 0.03
        return {"COUNT": str(random.choice((999, 1000, 0)) if odd else random.randint(1, 60))}
    last = start + timedelta(days=random.randrange(-20, random.choice((60, 800, 5000))))
    last += timedelta(hours=random.randrange(-30, 30), seconds=random.choice((0, 0, 1, -1)))
    forms = (DAY,) * 3 + (f"{STAMP}Z",) if is_all_day else (f"{STAMP}Z",) * 3
    end = {"UNTIL": last.strftime(random.choice((*forms, DAY, STAMP)))}
    return end | _sometimes(random, 0.01, COUNT="5")


def _spelled(random: Random, parts: Parts) -> str:
    """The parts as text, sometimes in another order, in lower case, or with a blemish."""
    texts = [f"{name}={text}" for name, text in parts.items()]
    if random.random() < 0.3:
        random.shuffle(texts)
    if random.random() < 0.03:
        blemish = random.choice(("X-FOO=1", "FOO=1", texts[-1], "BYDAY=", "COUNT=ten", " "))
        texts.insert(random.randrange(len(texts) + 1), blemish)
    text = ";".join(texts)
    return text.lower() if random.random() < 0.05 else text


# --- rule to pattern -----------------------------------------------------------------------------

HELD = re.compile(r"RR[0-9]{2}|empty-recurrence")


def check_rule(rule: DrawnRule, years: int) -> tuple[str, int]:
    """
    A file's series as syncd would send it: the code that holds it, or "" and how many occurrences
    were compared.

    Raises: Difference: the service would show something else than the file, or nothing says why
        the rule is held.
    """
    data = rule.data()
    found = read(data, OWNER, None)
    try:
        if not isinstance(found, FileItem) or found.item is None:
            raise Difference(f"the whole file is refused: {found}")
        if found.holds:
            return _held(rule, found.holds), 0
        return "", _accepted(rule, found.item, years)
    except Difference as difference:
        raise Difference(f"{difference}\n{_event_text(data)}") from None


def _held(rule: DrawnRule, holds: tuple[Hold, ...]) -> str:
    codes = [one.code for one in holds]
    (one,) = holds if len(holds) == 1 else (None,)
    if one is None or not HELD.fullmatch(one.code):
        raise Difference(f"held with {codes}")
    if not one.reason or not one.hint:
        raise Difference(f"held with {one.code}, and no word about why, or about what to do")
    if one.code == "RR22" and _is_met(rule):
        raise Difference("held with RR22, and the start is an occurrence")
    return one.code


NOT_JUDGED = {"SKIP", "BYHOUR", "BYMINUTE", "BYSECOND"}


def _is_met(rule: DrawnRule) -> bool:
    """Whether the start is the first occurrence; False where nobody says so in short time."""
    parts = _lexed(rule)
    if {"BYMONTH", "BYMONTHDAY"} <= parts.keys() or parts.keys() & NOT_JUDGED:
        return False
    return next(iter(_judged(rule, parts)), None) == rule.aware_start()


def _accepted(rule: DrawnRule, item: Item, years: int) -> int:
    parts = _lexed(rule)
    sent = create_body(item, OWNER, UID, "t", with_attendees=False)
    zone = None if rule.is_all_day or not rule.tzid else sent["start"]["timeZone"]
    until = rule.start + timedelta(days=366 * years)
    clamped = _clamped_by_hand(rule, parts)
    least = LEAST if clamped is None else 1
    graph = by_simulator(sent["recurrence"], rule.start, zone, until, least)
    judged = expanded(_judged(rule, parts) if clamped is None else clamped, until, least)
    judge = "dateutil" if clamped is None else "day by day"
    try:
        compare("the service", graph, judge, judged)
        _check_echo(sent["recurrence"], item)
    except Difference as difference:
        raise Difference(f"{difference}\n{json.dumps(sent['recurrence'], indent=1)}") from None
    return len(graph.walls)


def _check_echo(sent: object, item: Item) -> None:
    """What the service answers, fillers and all, is no change of the rule that was sent."""
    echo = read_recurrence(sent)
    zone = echo.range.zone or "UTC"
    if from_graph(echo.wire(zone), slot_of(item.master.when)) != item.recurrence:
        raise Difference("the service's answer reads as another rule than the one it was sent")


def _lexed(rule: DrawnRule) -> Parts:
    """The parts that dateutil reads, in upper case, and SKIP; RFC 5545: a date has no hours."""
    pairs = (part.strip().partition("=") for part in rule.text.upper().split(";"))
    found = {name: value for name, _, value in pairs if name and not name.startswith("X-")}
    ignored = ("RSCALE", *(("BYHOUR", "BYMINUTE", "BYSECOND") if rule.is_all_day else ()))
    return {name: value for name, value in found.items() if name not in ignored}


def _judged(rule: DrawnRule, parts: Parts) -> Iterator[datetime]:
    """
    The occurrences by dateutil.

    It wants an UNTIL of the very kind of DTSTART. An UNTIL of another kind, which calendars write,
    is read here: a date lets its whole day through, a time without a zone is local to the series.
    """
    others = {name: text for name, text in parts.items() if name not in ("SKIP", "UNTIL")}
    start = rule.aware_start()
    ends = _is_over(rule, parts.get("UNTIL", ""))
    if parts.get("UNTIL", "").endswith("Z") and rule.tzid and not parts["UNTIL"].endswith("60Z"):
        others["UNTIL"] = parts["UNTIL"]
    text = ";".join(f"{name}={value}" for name, value in others.items())
    return takewhile(lambda moment: not ends(moment), iter(rrulestr(text, dtstart=start)))


def _is_over(rule: DrawnRule, until: str) -> Callable[[datetime], bool]:
    if not until:
        return lambda moment: False
    last = datetime.strptime(until[:8], DAY)
    if "T" not in until or rule.is_all_day:
        return lambda moment: moment.date() > last.date()
    exact = datetime.strptime(until.removesuffix("Z"), STAMP)
    if until.endswith("Z"):
        zone, end = ZoneInfo(rule.tzid or zone_of(OWNER.zone).key), exact.replace(tzinfo=UTC)
        return lambda moment: moment.replace(tzinfo=zone).astimezone(UTC) > end
    return lambda moment: moment.replace(tzinfo=None) > exact


def _clamped_by_hand(rule: DrawnRule, parts: Parts) -> Iterator[datetime] | None:
    """
    The occurrences where SKIP=BACKWARD has an effect, day by day; None where it has none.

    RFC 7529 4.1: a month that lacks the day has its last day instead. dateutil knows no SKIP.
    """
    freq, days = parts["FREQ"], parts.get("BYMONTHDAY", str(rule.start.day)).split(",")
    is_plain = not parts.keys() & {"BYDAY", "BYSETPOS"} and len(set(days)) == 1
    if parts.get("SKIP") != "BACKWARD" or freq not in ("MONTHLY", "YEARLY") or not is_plain:
        return None
    ends = _is_over(rule, parts.get("UNTIL", ""))
    moments = (
        datetime.combine(day, rule.start.time(), rule.aware_start().tzinfo)
        for day in _clamped_days(rule.start.date(), parts, int(days[0]))
    )
    most = int(parts.get("COUNT", "100000"))
    counted = (moment for _, moment in zip(range(most), moments, strict=False))
    return takewhile(lambda moment: not ends(moment), counted)


def _clamped_days(start: date, parts: Parts, day_of_month: int) -> Iterator[date]:
    interval, is_yearly = int(parts.get("INTERVAL", "1")), parts["FREQ"] == "YEARLY"
    months = {int(one) for one in parts.get("BYMONTH", "").split(",") if one}
    if is_yearly and not months and "BYMONTHDAY" not in parts:
        months = {start.month}
    for ahead in range(366 * 120):
        day = start + ahead * ONE_DAY
        passed = day.year - start.year
        passed = passed if is_yearly else passed * 12 + day.month - start.month
        length = monthrange(day.year, day.month)[1]
        wanted = min(day_of_month, length) if day_of_month > 0 else length + 1 + day_of_month
        if passed % interval == 0 and (not months or day.month in months) and day.day == wanted:
            yield day


# --- the search ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """Some of the recurrences of a seed, by number."""

    seed: int
    first: int
    end: int
    years: int


def search(span: Span) -> Counter[str]:
    """
    Draw and check one pattern and one rule for each number; what was seen, counted.

    Raises: Difference: with the number at which it was.
    """
    seen: Counter[str] = Counter()
    for number in range(span.first, span.end):
        random = Random(f"{span.seed}/{number}")
        try:
            _search_one(random, number, span.years, seen)
        except Difference as difference:
            raise Difference(f"seed {span.seed}, number {number}: {difference}") from None
        except Exception:
            raise Difference(f"seed {span.seed}, number {number}: {format_exc()}") from None
    return seen


def _search_one(random: Random, number: int, years: int, seen: Counter[str]) -> None:
    series = drawn_series(random)
    is_sampled = number % SAMPLED == 0
    seen["patterns, occurrences"] += check_series(series, years, is_sampled=is_sampled)
    seen["patterns, whole files"] += is_sampled
    seen[f"type {series.recurrence['pattern']['type']}"] += 1
    seen[f"range {series.recurrence['range']['type']}"] += 1
    seen[f"zone {'whole days' if series.is_all_day else series.zone}"] += 1
    code, count = check_rule(drawn_rule(random), years)
    seen["rules, occurrences"] += count
    seen[f"code {code}"] += 1


def spans(count: int, seed: int, years: int) -> Iterator[Span]:
    for first in range(0, count, CHUNK):
        yield Span(seed, first, min(first + CHUNK, count), years)


def searched(asked: argparse.Namespace) -> Counter[str]:
    """The whole search, in one process or in several; progress goes to stderr."""
    seen: Counter[str] = Counter()
    todo = list(spans(asked.patterns, asked.seed, asked.years))
    with workers(asked.jobs) as results:
        for number, one in enumerate(results(todo), 1):
            seen += one
            if number * CHUNK % PROGRESS == 0:
                print(f"{number * CHUNK} of {asked.patterns}", file=sys.stderr, flush=True)
    return seen


@contextmanager
def workers(jobs: int) -> Iterator[Callable[[Iterable[Span]], Iterator[Counter[str]]]]:
    """A way to run `search` over spans, in order: here, or in processes of their own."""
    if jobs == 1:
        yield lambda todo: map(search, todo)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield lambda todo: pool.imap(search, todo)


def told(seen: Counter[str], asked: argparse.Namespace, took_s: float) -> Iterator[str]:
    """Yield the lines of the report."""
    patterns, accepted = asked.patterns, seen["code "]
    zones = sum(name.startswith("zone ") for name in seen) - ("zone whole days" in seen)
    yield f"seed {asked.seed}, {asked.years} years, {took_s:.0f} s, no difference"
    yield (
        f"patterns: {patterns} in {zones} zones ({seen['zone whole days']} of whole days), "
        f"{seen['patterns, occurrences']} occurrences; "
        f"{seen['patterns, whole files']} also as whole files"
    )
    yield "  " + ", ".join(chain(_counted(seen, "type "), _counted(seen, "range ")))
    yield f"rules: {patterns}, accepted {accepted} ({seen['rules, occurrences']} occurrences)"
    yield f"  held {patterns - accepted}: " + ", ".join(_counted(seen, "code "))


def _counted(seen: Counter[str], kind: str) -> list[str]:
    names = sorted(name for name in seen if name.startswith(kind) and name != kind)
    return [f"{name.removeprefix(kind)} {seen[name]}" for name in names]


def main() -> int:
    """Search, and print what was seen; 1 at a difference."""
    asked = arguments()
    begun = perf_counter()
    try:
        seen = searched(asked)
    except Difference as difference:
        print(f"recurrence: {difference}", file=sys.stderr)
        return 1
    print("\n".join(told(seen, asked, perf_counter() - begun)))
    return 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="recurrence", description="Search for a recurrence that means two things."
    )
    parser.add_argument(
        "--patterns", type=int, default=100_000, help="how many, and as many rules [100000]"
    )
    parser.add_argument("--seed", type=int, default=1, help="draws the same again [1]")
    parser.add_argument("--years", type=int, default=10, help="how far to compare [10]")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes [1]")
    asked = parser.parse_args()
    if min(asked.patterns, asked.years, asked.jobs) < 1:
        parser.error("at least one pattern, one year and one process")
    return asked


if __name__ == "__main__":
    sys.exit(main())
