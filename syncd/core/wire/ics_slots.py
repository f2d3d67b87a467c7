"""Times, durations and slots as content lines spell them; None where a value says nothing."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from syncd.core.event import FIRST_YEAR, LAST_YEAR, AllDay, When
from syncd.core.lines import Line, param
from syncd.core.zones import WindowsZone, instant, wall_time, windows_zone, zone_info

__all__ = [
    "later",
    "names_start",
    "parse_day",
    "parse_duration",
    "parse_wall",
    "slot_named",
    "slots_named",
]

UTC = WindowsZone("UTC")


def slots_named(line: Line, when: When) -> list[date]:
    """The slots that the values of a line name, in a series whose first occurrence is `when`."""
    found = [slot_named(line, value, when) for value in line.value.split(",")]
    return [slot for slot in found if slot is not None]


def slot_named(line: Line, value: str, when: When) -> date | None:
    """
    One value as a slot: a date names that day; a time names its day in the series' zone.

    Clients write EXDATE and RECURRENCE-ID in UTC or in another zone than DTSTART.
    """
    slot = _slot_named(line, value.strip().upper(), when)
    return slot if slot is not None and FIRST_YEAR <= slot.year <= LAST_YEAR else None


def _slot_named(line: Line, value: str, when: When) -> date | None:
    if _DAY.fullmatch(value):
        return parse_day(value)
    found = _WALL.fullmatch(value)
    wall = parse_wall(found[1]) if found else None
    if found is None or wall is None:
        return None
    if isinstance(when, AllDay):
        return wall.date()
    own = WindowsZone(when.start_zone)
    zone = UTC if found[2] else windows_zone(param(line, "TZID")) or own
    return wall.date() if zone == own else _moved(wall, zone, own)


_DAY = re.compile(r"[0-9]{8}")
_LOCAL = re.compile(r"[0-9]{8}T[0-9]{6}")
_WALL = re.compile(r"([0-9]{8}T[0-9]{6})(Z?)")


def _moved(wall: datetime, zone: WindowsZone, to: WindowsZone) -> date | None:
    try:
        return wall_time(wall.replace(tzinfo=zone_info(zone)), to).date()
    except OverflowError:
        return None


def names_start(line: Line, value: str, slot: date, when: When) -> bool:
    """
    Whether a value is exactly the start of the slot's occurrence, in whatever zone it is spelled.

    Readers match EXDATE and RECURRENCE-ID by the instant, or by the date in an all-day series.
    """
    found = _WALL.fullmatch(value.strip().upper())
    if found is None or isinstance(when, AllDay):
        return found is None and isinstance(when, AllDay)
    wall, own = parse_wall(found[1]), WindowsZone(when.start_zone)
    zone = UTC if found[2] else windows_zone(param(line, "TZID")) or own
    start = datetime.combine(slot, when.start.time())
    return wall is not None and instant(wall, zone) == instant(start, own)


def later(wall: datetime, zone: WindowsZone, by: timedelta) -> datetime | None:
    """
    The local time a DURATION later; None beyond the calendar.

    RFC 5545 3.3.6: days are nominal, hours and less are exact.
    """
    try:
        days = timedelta(days=by.days)
        if by == days:
            return wall + days
        begin = (wall + days).replace(tzinfo=zone_info(zone))
        instant = begin.timestamp() + (by - days).total_seconds()
        return datetime.fromtimestamp(instant, zone_info(zone)).replace(tzinfo=None, fold=0)
    except (OverflowError, ValueError, OSError):
        return None


def parse_day(value: str) -> date | None:
    """Eight digits as a day; None where there is no such day."""
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:8]))
    except ValueError:
        return None


def parse_wall(value: str) -> datetime | None:
    """`yyyymmddThhmmss` as a naive wall-clock time; None where there is no such time."""
    if _LOCAL.fullmatch(value) is None:
        return None
    day = parse_day(value[:8])
    hour, minute, second = int(value[9:11]), int(value[11:13]), int(value[13:15])
    if day is None or hour > 23 or minute > 59 or second > 60:
        return None
    # RFC 5545 3.3.12 allows a leap second, Python and Graph do not.
    return datetime(day.year, day.month, day.day, hour, minute, min(second, 59))


def parse_duration(value: str) -> timedelta | None:
    """A DURATION value (RFC 5545 3.3.6)."""
    # Imported where it is needed: most files have no duration, and every start would pay for it.
    from icalendar.prop import vDuration

    try:
        found = vDuration.from_ical(value.strip().upper())  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, OverflowError):
        return None
    return found if isinstance(found, timedelta) else None
