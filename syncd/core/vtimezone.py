"""
VTIMEZONE blocks for the files we write (RFC 5545 3.6.5): compact, and the same bytes every time.

A block has the offsets of the IANA database from the first year asked for. The years in which the
zone keeps to yearly rules are written as these rules, the years before them as lists of dates.
Writes only; `zone_rules` reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

__all__ = ["vtimezone_lines"]

FIRST_YEAR, LAST_YEAR = 1970, 2200

YEARS_COVERED = 10
"""What a block promises at the least, and how many years make a rule."""

DECADE = 10

RULES_SETTLED_YEAR = 2037
"""A series that began under older rules runs on: rules are followed up to here in any case."""

STEP = timedelta(days=7)
"""The shortest time between two changes of a zone is a month (Ramadan in Morocco)."""

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
DAY_CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class _Change(NamedTuple):
    """`wall` is the local time of a change, by the offset before it."""

    wall: datetime
    before: timedelta
    after: timedelta
    name: str
    is_summer: bool


class _Kind(NamedTuple):
    """Changes of one kind go into one part of the block."""

    before: timedelta
    after: timedelta
    name: str
    is_summer: bool


def vtimezone_lines(tzid: str, iana: str, *, from_year: int) -> list[str]:
    """
    The unfolded content lines of a block, BEGIN and END included, without line ends.

    Args:
        tzid: the name that the file uses for the zone. iana: whose offsets to describe.
        from_year: the first year in which the file uses it.

    Raises: zoneinfo.ZoneInfoNotFoundError: `iana` is unknown.
    """
    year = min(max(from_year, FIRST_YEAR), LAST_YEAR)
    return ["BEGIN:VTIMEZONE", f"TZID:{tzid}", *_parts(iana, year), "END:VTIMEZONE"]


@lru_cache(maxsize=512)
def _parts(iana: str, from_year: int) -> tuple[str, ...]:
    zone = ZoneInfo(iana)
    # A file that shares its block with those of a whole decade looks ten years beyond its own.
    last_year = max(from_year + DECADE + YEARS_COVERED - 1, RULES_SETTLED_YEAR)
    changes = list(_changes(zone, from_year - 1, last_year))
    settled = _settled_year(changes, from_year - 1, last_year)
    early = [change for change in changes if change.wall.year < settled]
    late = [change for change in changes if change.wall.year >= settled]
    lines = _baseline(zone, from_year - 1) if early or not changes else []
    lines += [line for group in _by_kind(early) for line in _listed_part(group)]
    lines += [line for group in _by_kind(late) for line in _rule_part(group)]
    return tuple(lines)


def _changes(zone: ZoneInfo, first_year: int, last_year: int) -> Iterator[_Change]:
    """The changes of the offset in these local years, in order."""
    at, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year, 12, 31, tzinfo=UTC)
    while at < end:
        later = min(at + STEP, end)
        if _offset(zone, at) != _offset(zone, later):
            yield _change(zone, _found(zone, at, later))
        at = later


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


def _found(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second of the offset in force at `after`."""
    offset = _offset(zone, before)
    while after - before > SECOND:
        middle = before + (after - before) // (2 * SECOND) * SECOND
        before, after = (middle, after) if _offset(zone, middle) == offset else (before, middle)
    return after


def _change(zone: ZoneInfo, at: datetime) -> _Change:
    old, new = (at - SECOND).astimezone(zone), at.astimezone(zone)
    before, after = _offset(zone, old), _offset(zone, new)
    # Ireland and Morocco count their winter as the exception; the larger offset is summer anyway.
    is_summer = after > before and bool(old.dst() or new.dst())
    wall = at.replace(tzinfo=None) + before
    return _Change(wall, before, after, new.tzname() or "", is_summer)


def _kind(change: _Change) -> _Kind:
    return _Kind(change.before, change.after, change.name, change.is_summer)


def _by_kind(changes: Iterable[_Change]) -> list[list[_Change]]:
    """The changes of each kind, in the order in which the kinds first appear."""
    kinds: dict[_Kind, list[_Change]] = {}
    for change in changes:
        kinds.setdefault(_kind(change), []).append(change)
    return list(kinds.values())


def _settled_year(changes: Sequence[_Change], first: int, last: int) -> int:
    """The year from which on the changes keep to yearly rules; the one after `last` if none."""
    years = range(first, last - YEARS_COVERED + 2)
    return next((year for year in years if _keep_to_rules(changes, year, last)), last + 1)


def _keep_to_rules(changes: Sequence[_Change], year: int, last: int) -> bool:
    every_year = list(range(year, last + 1))
    groups = _by_kind(change for change in changes if change.wall.year >= year)
    return all(
        every_year == [change.wall.year for change in group] and _yearly(group) for group in groups
    )


def _yearly(group: Sequence[_Change]) -> str:
    """The day of the year on which all the changes are, as RRULE parts; "" if they differ."""
    walls = [change.wall for change in group]
    if len({(wall.month, wall.time()) for wall in walls}) > 1:
        return ""
    days = _same_day(walls) or _same_weekday(walls)
    return f"BYMONTH={walls[0].month};{days}" if days else ""


def _same_day(walls: Sequence[datetime]) -> str:
    days = {wall.day for wall in walls}
    return f"BYMONTHDAY={days.pop()}" if len(days) == 1 else ""


def _same_weekday(walls: Sequence[datetime]) -> str:
    if len({wall.weekday() for wall in walls}) > 1:
        return ""
    code = DAY_CODES[walls[0].weekday()]
    if all((wall + 7 * DAY).month != wall.month for wall in walls):
        return f"BYDAY=-1{code}"
    first, last = min(wall.day for wall in walls), max(wall.day for wall in walls)
    if (first - 1) // 7 == (last - 1) // 7:
        return f"BYDAY={(first - 1) // 7 + 1}{code}"
    if last - first == 6:
        return f"BYMONTHDAY={','.join(str(day) for day in range(first, last + 1))};BYDAY={code}"
    return ""


def _baseline(zone: ZoneInfo, year: int) -> list[str]:
    """The offset in force when the block begins, as a part without a change."""
    start = datetime(year, 1, 1, tzinfo=zone)
    offset = _offset(zone, start)
    return _part(_Change(start.replace(tzinfo=None), offset, offset, start.tzname() or "", False))


def _listed_part(group: Sequence[_Change]) -> list[str]:
    dates = ",".join(_stamp(change.wall) for change in group[1:])
    return _part(group[0], *([f"RDATE:{dates}"] if dates else []))


def _rule_part(group: Sequence[_Change]) -> list[str]:
    return _part(group[0], f"RRULE:FREQ=YEARLY;{_yearly(group)}")


def _part(first: _Change, *repeats: str) -> list[str]:
    name = "DAYLIGHT" if first.is_summer else "STANDARD"
    return [
        f"BEGIN:{name}",
        f"DTSTART:{_stamp(first.wall)}",
        f"TZOFFSETFROM:{_signed(first.before)}",
        f"TZOFFSETTO:{_signed(first.after)}",
        f"TZNAME:{first.name}",
        *repeats,
        f"END:{name}",
    ]


def _stamp(wall: datetime) -> str:
    return wall.strftime("%Y%m%dT%H%M%S")


def _signed(offset: timedelta) -> str:
    minutes, seconds = divmod(abs(offset) // SECOND, 60)
    sign = "-" if offset < timedelta(0) else "+"
    return f"{sign}{minutes // 60:02}{minutes % 60:02}" + (f"{seconds:02}" if seconds else "")
