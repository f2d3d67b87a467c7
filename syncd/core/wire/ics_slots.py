"""Times, durations and slots as content lines spell them; None where a value says nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo

from syncd.core.event import FIRST_YEAR, LAST_YEAR, AllDay, Item, Timed, When
from syncd.core.lines import Line, param
from syncd.core.zones import WindowsZone, instant, wall_time, windows_zone, zone_info

__all__ = [
    "ZoneOf",
    "later",
    "names_start",
    "nominal_days",
    "parse_day",
    "parse_duration",
    "parse_wall",
    "slot_meant",
    "slot_named",
    "slots_named",
]

UTC = WindowsZone("UTC")

ZoneOf = Callable[[str], tzinfo | None]
"""The offsets of a TZID that no table knows; None where the file does not tell them either."""


def _untold(tzid: str) -> None:
    return None


def slots_named(line: Line, when: When) -> list[date]:
    """The slots that the values of a line name, in a series whose first occurrence is `when`."""
    found = [slot_named(line, value, when) for value in line.value.split(",")]
    return [slot for slot in found if slot is not None]


def slot_meant(
    line: Line, value: str, when: When, base: Item | None, zone_of: ZoneOf
) -> date | None:
    """
    The slot that an EXDATE or RECURRENCE-ID stands for in a series that starts at `when` by now.

    A client that puts a series into another zone may leave other lines behind: what is no start
    any more stands for the slot whose start it was at the last agreement (`base`).
    """
    slot = slot_named(line, value, when, zone_of)
    if base is None or (slot is not None and names_start(line, value, slot, when, zone_of)):
        return slot
    before = base.master.when
    left = slot_named(line, value, before, zone_of)
    if left is None or (left not in base.cancelled and left not in base.overrides):
        return slot
    return left if names_start(line, value, left, before, zone_of) else slot


def slot_named(line: Line, value: str, when: When, zone_of: ZoneOf = _untold) -> date | None:
    """
    One value as a slot: a date names that day; a time names its day in the series' zone.

    Clients write EXDATE and RECURRENCE-ID in UTC or in another zone than DTSTART.
    """
    slot = _slot_named(line, value.strip().upper(), when, zone_of)
    return slot if slot is not None and FIRST_YEAR <= slot.year <= LAST_YEAR else None


def _slot_named(line: Line, value: str, when: When, zone_of: ZoneOf) -> date | None:
    if _DAY.fullmatch(value):
        return parse_day(value)
    found = _WALL.fullmatch(value)
    wall = parse_wall(found[1]) if found else None
    if found is None or wall is None:
        return None
    if isinstance(when, AllDay):
        return wall.date()
    zone = _zone_named(line, found[2], when, zone_of)
    if zone is zone_info(WindowsZone(when.start_zone)):
        return wall.date()
    at = _instant(wall, zone)
    return None if at is None else _slot_at(at, when)


def _zone_named(line: Line, z: str, when: Timed, zone_of: ZoneOf) -> tzinfo:
    """The zone of a value: UTC, that of its TZID, or the series' own where it has or tells none."""
    if z:
        return zone_info(UTC)
    tzid = param(line, "TZID")
    known = windows_zone(tzid)
    if known is not None:
        return zone_info(known)
    return (zone_of(tzid) if tzid else None) or zone_info(WindowsZone(when.start_zone))


_DAY = re.compile(r"[0-9]{8}")
_LOCAL = re.compile(r"[0-9]{8}T[0-9]{6}")
_WALL = re.compile(r"([0-9]{8}T[0-9]{6})(Z?)")


def _instant(wall: datetime, zone: tzinfo) -> datetime | None:
    try:
        return wall.replace(tzinfo=zone).astimezone(zone_info(UTC))
    except OverflowError:
        return None


def _slot_at(at: datetime, when: Timed) -> date:
    """A gap may carry a start over midnight (Greenland), to the day after its slot."""
    day = wall_time(at, WindowsZone(when.start_zone)).date()
    eve = day - timedelta(days=1) if day > date.min else day
    return eve if _slot_start(eve, when) == at else day


def _slot_start(slot: date, when: Timed) -> datetime:
    return instant(datetime.combine(slot, when.start.time()), WindowsZone(when.start_zone))


def names_start(line: Line, value: str, slot: date, when: When, zone_of: ZoneOf = _untold) -> bool:
    """
    Whether a value is exactly the start of the slot's occurrence, in whatever zone it is spelled.

    Readers match EXDATE and RECURRENCE-ID by the instant, or by the date in an all-day series.
    """
    found = _WALL.fullmatch(value.strip().upper())
    if found is None or isinstance(when, AllDay):
        return found is None and isinstance(when, AllDay)
    wall = parse_wall(found[1])
    if wall is None:
        return False
    at = _instant(wall, _zone_named(line, found[2], when, zone_of))
    return at == _slot_start(slot, when)


def later(
    wall: datetime, zone: WindowsZone, by: timedelta, nominal: int, *, repeats: bool = False
) -> datetime | None:
    """
    The local time a DURATION later; None beyond the calendar.

    RFC 5545 3.3.6: days are nominal, hours and less are exact.

    Args: by: the whole length. nominal: its `nominal_days`. repeats: the start is a series': what
        the service holds is one length by the clocks, which must not be that of a night of change.
    """
    try:
        days = timedelta(days=nominal)
        if repeats or by == days:
            return wall + by
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


def nominal_days(value: str) -> int:
    """The weeks and days of a DURATION as it is written: 24 hours are none (RFC 5545 3.3.6)."""
    found = _NOMINAL.match(value.strip().upper())
    if found is None:
        return 0
    days = 7 * int(found[2] or 0) + int(found[3] or 0)
    return -days if found[1] == "-" else days


_NOMINAL = re.compile(r"([+-]?)P(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?")


def parse_duration(value: str) -> timedelta | None:
    """A DURATION value (RFC 5545 3.3.6)."""
    # Imported where it is needed: most files have no duration, and every start would pay for it.
    from icalendar.prop import vDuration

    try:
        found = vDuration.from_ical(value.strip().upper())  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, OverflowError):
        return None
    return found if isinstance(found, timedelta) else None
