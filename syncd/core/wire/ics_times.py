"""
What DTSTART, DTEND and DURATION say, and by which zone.

A zone is resolved by its name; a VTIMEZONE block decides only where the name is unknown everywhere.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from syncd.core.event import (
    FIRST_YEAR,
    LAST_YEAR,
    AllDay,
    Timed,
    When,
)
from syncd.core.lines import (
    Component,
    Document,
    Line,
    line_text,
    param,
    unescape,
)
from syncd.core.owner import Owner
from syncd.core.recurrence import Inexpressible, Recurrence, from_rrule, last_occurrence
from syncd.core.wire.ics_slots import ZoneOf, parse_day, parse_duration, parse_wall
from syncd.core.zones import (
    WindowsZone,
    fixed_offsets,
    windows_zone,
    zone_by_rules,
    zone_info,
)

__all__ = [
    "DAY",
    "UTC",
    "UTC_INFO",
    "WALL",
    "Held",
    "as_utc",
    "check_span",
    "floating_zone",
    "floats",
    "is_same_in_utc",
    "maybe_all_day",
    "offsets_of",
    "private_zones",
    "read_day",
    "read_duration",
    "read_wall",
    "timezone_block",
    "zone_named",
]


UTC = WindowsZone("UTC")


LONGEST_DAYS = 1825


class Held(Exception):
    """Raised inside the reading of one group; becomes a Hold."""

    def __init__(self, code: str, reason: str, line: Line | None, hint: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason, self.hint = code, reason, hint
        self.line = line.number if line else 0


def read_day(value: str, line: Line) -> date:
    day = parse_day(value)
    if day is None:
        raise Held("bad-time", "there is no such day", line)
    _check_year(day.year, line)
    return day


def read_wall(value: str, line: Line) -> datetime:
    wall = parse_wall(value)
    if wall is None:
        raise Held("bad-time", "there is no such time", line)
    _check_year(wall.year, line)
    return wall


def _check_year(year: int, line: Line) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Held("year-out-of-range", "the year is out of range", line)


DAY = re.compile(r"[0-9]{8}")


WALL = re.compile(r"([0-9]{8}T[0-9]{6})(Z?)")


def read_duration(line: Line) -> timedelta:
    value = parse_duration(line.value)
    if value is None:
        raise Held("bad-time", "the DURATION cannot be read", line)
    return value


def maybe_all_day(component: Component, when: Timed) -> When:
    hint = component.first("X-MICROSOFT-CDO-ALLDAYEVENT")
    if hint is None or hint.value.strip().upper() != "TRUE":
        return when
    midnight = when.start.time() == when.end.time() == datetime.min.time()
    if not midnight or when.start_zone != when.end_zone or when.end <= when.start:
        return when
    return AllDay(when.start.date(), when.end.date())


def check_span(when: When, line: Line) -> None:
    first, last = (
        (when.start, when.end) if isinstance(when, AllDay) else (when.start.date(), when.end.date())
    )
    _check_year(last.year, line)
    if _ends_first(when):
        raise Held("ends-before-start", "the event ends before it starts", line)
    if (last - first).days > LONGEST_DAYS:
        raise Held("too-long", "the event is longer than 1,825 days", line)


def _ends_first(when: When) -> bool:
    if isinstance(when, AllDay):
        return when.end <= when.start
    if when.start_zone == when.end_zone:
        return when.end < when.start
    start = when.start.replace(tzinfo=zone_info(WindowsZone(when.start_zone)))
    return when.end.replace(tzinfo=zone_info(WindowsZone(when.end_zone))) < start


def as_utc(wall: datetime, zone: Any) -> datetime:
    return datetime.fromtimestamp(wall.replace(tzinfo=zone).timestamp(), UTC_INFO).replace(
        tzinfo=None
    )


UTC_INFO = zone_info(UTC)


def zone_named(tzid: str, wall: datetime, document: Document, owner: Owner) -> WindowsZone | None:
    """The zone that a TZID means in this file: by its name, else by the rules of its VTIMEZONE."""
    if (zone := windows_zone(tzid)) is not None:
        return zone
    block = timezone_block(document, tzid)
    if block is None or not FIRST_YEAR <= wall.year <= LAST_YEAR:
        return None
    until = wall + timedelta(days=400)
    # One comparison takes a millisecond, and thousands of lines may name the same block.
    key = "zone", tzid, wall.year, until.year, owner.zone
    if key not in document.notes:
        document.notes[key] = zone_by_rules(block, first=wall, last=until, preferred=owner.zone)
    found: WindowsZone | None = document.notes[key]
    return found


def private_zones(document: Document, owner: Owner, start: Line | None) -> ZoneOf:
    """What the file's own TZIDs mean; that of `start`, a DTSTART, is the zone of its series."""
    tzid = param(start, "TZID") if start is not None else ""
    wall = parse_wall(start.value.strip().upper()) if start is not None else None
    own = zone_named(tzid, wall, document, owner) if tzid and wall is not None else None

    def zone_of(named: str) -> tzinfo | None:
        if own is not None and named == tzid:
            return zone_info(own)
        return offsets_of(named, document)

    return zone_of


def offsets_of(tzid: str, document: Document) -> tzinfo | None:
    """The offsets of a zone that Windows lacks: by the file's VTIMEZONE, or as the world has it."""
    block = timezone_block(document, tzid)
    if block is not None:
        return fixed_offsets(block)
    try:
        return ZoneInfo(tzid)
    except (KeyError, ValueError, OSError):
        return None


def is_same_in_utc(component: Component, tzid: str, zone: tzinfo) -> bool:
    """
    Whether a series in a zone that Windows lacks has the same occurrences in UTC.

    It ends, until then the zone keeps its offset, and no occurrence has another date in UTC, which
    would be another weekday.
    """
    start = component.first("DTSTART")
    wall = parse_wall(start.value.strip().upper()) if start is not None else None
    if start is None or wall is None or param(start, "TZID") != tzid:
        return False
    utc = as_utc(wall, zone)
    rule = _finite_rule(component, utc)
    if rule is None or utc.date() != wall.date():
        return False
    last = last_occurrence(rule, wall.date(), date.max) or date.max
    return _keeps_offset(zone, wall, (last - wall.date()).days + _most_days(component, wall))


def _finite_rule(component: Component, start: datetime) -> Recurrence | None:
    lines = component.lines("RRULE")
    text = lines[0].value.strip() if len(lines) == 1 else ""
    # A local UNTIL would be a time in the zone that is given up.
    if _LOCAL_UNTIL.search(text):
        return None
    rule = from_rrule(text, start, UTC)
    return None if isinstance(rule, Inexpressible) or not (rule.count or rule.until) else rule


_LOCAL_UNTIL = re.compile(r"UNTIL=[0-9]{8}T[0-9]{6}(?!Z)", re.IGNORECASE)


def _most_days(component: Component, start: datetime) -> int:
    """How long an occurrence lasts, in whole days and one more."""
    end, duration = component.first("DTEND"), component.first("DURATION")
    length = parse_duration(duration.value) if duration is not None else None
    wall = parse_wall(end.value.strip().upper()[:15]) if end is not None else None
    days = (wall - start).days if wall is not None else length.days if length is not None else 0
    return max(days, 0) + 1


MOST_STEADY_DAYS = 3660
"""A longer series is not looked at; hardly a zone keeps its offset for ten years."""


def _keeps_offset(zone: tzinfo, start: datetime, days: int) -> bool:
    if days > MOST_STEADY_DAYS:
        return False
    offset = start.replace(tzinfo=zone).utcoffset()
    later = (start + timedelta(days=n) for n in range(1, days + 1))
    return all(day.replace(tzinfo=zone).utcoffset() == offset for day in later)


def floats(line: Line | None) -> bool:
    """Whether a value is a local time of no zone (RFC 5545 3.3.5)."""
    if line is None or param(line, "TZID"):
        return False
    value = line.value.strip().upper()
    return "T" in value and not value.endswith("Z")


def floating_zone(
    document: Document, owner: Owner, start: Line | None = None, before: When | None = None
) -> WindowsZone:
    """
    The zone of a file's floating times: the calendar's own (X-WR-TIMEZONE), or the mailbox's.

    Args: start: the DTSTART of the event. before: its time at the last agreement: as long as it
        says the same wall time it keeps its zone, since a mailbox that moves moves no event.
    """
    if "floating" not in document.notes:
        document.notes["floating"] = _calendar_zone(document)
    stated: WindowsZone | None = document.notes["floating"]
    return stated or _kept_zone(start, before) or owner.zone


def _kept_zone(start: Line | None, before: When | None) -> WindowsZone | None:
    if start is None or not isinstance(before, Timed) or not floats(start):
        return None
    same = parse_wall(start.value.strip().upper()) == before.start
    return WindowsZone(before.start_zone) if same else None


def _calendar_zone(document: Document) -> WindowsZone | None:
    line = document.calendar.first("X-WR-TIMEZONE")
    return windows_zone(unescape(line.value).strip()) if line is not None else None


def timezone_block(document: Document, tzid: str) -> tuple[str, ...] | None:
    """The unfolded lines of the file's first VTIMEZONE of that name."""
    if "blocks" not in document.notes:
        document.notes["blocks"] = _blocks(document)
    found: Component | tuple[str, ...] | None = document.notes["blocks"].get(tzid)
    if isinstance(found, Component):
        found = document.notes["blocks"][tzid] = tuple(_flat(found))
    return found


def _blocks(document: Document) -> dict[str, Component | tuple[str, ...]]:
    blocks: dict[str, Component | tuple[str, ...]] = {}
    for block in document.calendar.components("VTIMEZONE"):
        line = block.first("TZID")
        if line is not None:
            blocks.setdefault(line.value.strip(), block)
    return blocks


def _flat(component: Component) -> list[str]:
    lines = [f"BEGIN:{component.name}"]
    for part in component.parts:
        if isinstance(part, Component):
            lines.extend(_flat(part))
        elif part.name:
            lines.append(line_text(part))
    lines.append(f"END:{component.name}")
    return lines
