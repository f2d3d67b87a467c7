"""
The offsets that a VTIMEZONE describes (RFC 5545 3.6.5).

Reads a block by itself: icalendar puts every block that it parses into a cache for the whole
process, where one lying block changes all later files. Only yearly rules are expanded, and never
beyond `LATEST`, since a block is hostile input and a rule by the second would never end.

Knows nothing of zone names; the block's TZID is not looked at.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from syncd.core.rrule_dates import dates_of
from syncd.core.rrule_parts import Refused, Rule, lexed, limited, rule_of

__all__ = ["ZoneRules", "read_rules"]

EARLIEST = date(1900, 1, 1)
"""Exchange lets its rules begin in 1601; what they did before this is not looked at."""

LATEST = datetime(2100, 12, 31)
"""Rules without an end are expanded up to here; later, the last offset stays."""

MOST_CHARACTERS = 30_000
"""Of a block; 68 years of RDATE lines take a sixth of it."""

MOST_ONSETS = 400
MOST_CHANGES = 4000
MOST_RULES = 100
MOST_A_YEAR = 12
"""Of one rule; where clocks are changed at all, it is mostly once, and at most for Ramadan too."""

MOST_MONTHS = 2000
"""That all rules of a block look into: two hundred years of ten rules."""

KNOWN_PARTS = frozenset(
    {"FREQ", "INTERVAL", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "UNTIL", "COUNT", "WKST"}
)

DAY = timedelta(days=1)

STAMP = re.compile(r"([0-9]{8})(?:T([0-9]{6}))?(Z?)")
OFFSET = re.compile(r"([+-])([0-9]{2})([0-9]{2})([0-9]{2})?")


_Part = list[tuple[str, str]]
"""The properties (name, value) of one STANDARD or DAYLIGHT part."""


class _Unreadable(ValueError):
    """The block says something that is no rule for offsets."""


class _Change(NamedTuple):
    """The instant (naive UTC) from which an offset holds."""

    at: datetime
    offset_from: timedelta
    offset_to: timedelta


class ZoneRules(tzinfo):
    """
    A block's offsets as a `tzinfo`.

    Before the first change the offset is the one that the first change comes from.
    """

    def __init__(self, changes: Sequence[_Change]) -> None:
        self._changes = tuple(changes)
        self._instants = [change.at for change in changes]

    def changes(self) -> list[datetime]:
        """The aware instants at which an offset sets in."""
        return [at.replace(tzinfo=UTC) for at in self._instants]

    def offset_at(self, at: datetime) -> timedelta:
        """The offset at an aware instant."""
        return self._offset(at.astimezone(UTC).replace(tzinfo=None))

    def _offset(self, utc: datetime) -> timedelta:
        place = bisect_right(self._instants, utc)
        if place == 0:
            return self._changes[0].offset_from
        return self._changes[place - 1].offset_to

    def utcoffset(self, dt: datetime | None) -> timedelta:
        """RFC 5545 3.3.5: of two readings the first; in a gap, the offset before it."""
        if dt is None:
            return self._changes[-1].offset_to
        wall = dt.replace(tzinfo=None, fold=0)
        before, after = self._offset(_shifted(wall, -DAY)), self._offset(_shifted(wall, DAY))
        by_before = self._offset(_shifted(wall, -before))
        by_after = self._offset(_shifted(wall, -after))
        if by_before == by_after:
            return by_before
        return after if dt.fold else before

    def dst(self, dt: datetime | None) -> timedelta:
        """Always zero: which part of an offset is summer time does not matter here."""
        return timedelta(0)

    def tzname(self, dt: datetime | None) -> str:
        """A name for messages; the block's own names are not kept."""
        return "VTIMEZONE"

    def fromutc(self, dt: datetime) -> datetime:
        """The local time of an instant, marked by `fold` if it is the second of its kind."""
        utc = dt.replace(tzinfo=None)
        offset = self._offset(utc)
        wall = _shifted(utc, offset)
        first = _shifted(wall, -self.utcoffset(wall))
        return wall.replace(tzinfo=self, fold=int(first < utc))


def _shifted(at: datetime, by: timedelta) -> datetime:
    try:
        return at + by
    except OverflowError:
        return at


def read_rules(lines: tuple[str, ...]) -> ZoneRules | None:
    """
    The offsets of a block; None if it has none that can be read.

    Args: lines: unfolded content lines, with or without BEGIN:VTIMEZONE and its END.
    """
    return _read_rules(lines) if sum(map(len, lines)) <= MOST_CHARACTERS else None


@lru_cache(maxsize=256)
def _read_rules(lines: tuple[str, ...]) -> ZoneRules | None:
    try:
        changes = sorted(_changes(list(_parts(lines))))
    except (ValueError, OverflowError):
        return None
    return ZoneRules(changes) if changes else None


def _parts(lines: Sequence[str]) -> Iterator[_Part]:
    """The properties (name, value) of each STANDARD and DAYLIGHT part."""
    part: _Part | None = None
    for line in lines:
        head, _, value = line.strip().partition(":")
        name = head.partition(";")[0].upper()
        if name == "BEGIN" and value.upper() in {"STANDARD", "DAYLIGHT"}:
            part = []
        elif name == "END" and part is not None:
            yield part
            part = None
        elif part is not None:
            part.append((name, value.strip()))


def _changes(parts: Sequence[_Part]) -> list[_Change]:
    if sum(name == "RRULE" for part in parts for name, _ in part) > MOST_RULES:
        raise _Unreadable
    changes: list[_Change] = []
    months = _Allowance(MOST_MONTHS)
    for part in parts:
        changes += _part_changes(part, months)
        if len(changes) > MOST_CHANGES:
            raise _Unreadable
    return changes


class _Allowance:
    """What may be spent on one block, all of its rules together."""

    def __init__(self, left: int) -> None:
        self._left = left

    def spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise _Unreadable


def _part_changes(part: _Part, months: _Allowance) -> list[_Change]:
    single = dict(reversed(part))
    if not {"DTSTART", "TZOFFSETFROM", "TZOFFSETTO"} <= single.keys():
        raise _Unreadable
    before, after = _offset(single["TZOFFSETFROM"]), _offset(single["TZOFFSETTO"])
    start = _stamp(single["DTSTART"], before)
    onsets = {start}
    for name, value in part:
        if name == "RDATE":
            onsets.update(_stamp(one, before) for one in value.split(","))
        elif name == "RRULE":
            onsets.update(_expanded(value, start, before, months))
    return [_Change(_shifted(onset, -before), before, after) for onset in onsets]


def _offset(text: str) -> timedelta:
    found = OFFSET.fullmatch(text)
    if found is None:
        raise _Unreadable
    sign, hours, minutes, seconds = found.groups("0")
    size = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds))
    if size >= DAY:
        raise _Unreadable
    return -size if sign == "-" else size


def _stamp(text: str, offset: timedelta) -> datetime:
    """A local time before the change, from one in UTC too; a date is midnight."""
    found = STAMP.fullmatch(text.strip().partition("/")[0])
    if found is None:
        raise _Unreadable
    day, clock, is_utc = found.groups()
    local = datetime.strptime(day + (clock or "000000"), "%Y%m%d%H%M%S")
    return local + offset if is_utc else local


def _expanded(text: str, start: datetime, offset: timedelta, months: _Allowance) -> list[datetime]:
    """The onsets that a yearly rule gives up to `LATEST`, `MOST_ONSETS` at most."""
    try:
        parts = lexed(text)
        rule, most = rule_of(parts), limited(parts, "COUNT", MOST_ONSETS) or MOST_ONSETS
    except Refused as refused:
        raise _Unreadable from refused
    is_never = any(abs(ordinal) > 5 for ordinal, _ in rule.days)
    if rule.freq != "YEARLY" or parts.keys() - KNOWN_PARTS or is_never:
        raise _Unreadable
    if not rule.months and not rule.month_days and not rule.days:
        rule = rule._replace(months=(start.month,), month_days=(start.day,))
    first, end = start.date(), _end(parts.get("UNTIL"), offset)
    if "COUNT" not in parts and rule.interval == 1:
        first = max(first, EARLIEST)
    months.spend((max(0, end.year - first.year) // rule.interval + 1) * len(rule.months))
    onsets = (datetime.combine(day, start.time()) for day in _days(rule, first, end.date()))
    return [onset for onset in islice(onsets, most) if onset <= end]


def _days(rule: Rule, first: date, last: date) -> Iterator[date]:
    """The dates of a yearly rule, no more years of them than are asked for."""
    for year in range(first.year, last.year + 1, rule.interval):
        begin, end = max(first, date(year, 1, 1)), min(last, date(year, 12, 31))
        days = dates_of(rule, begin, end)
        if len(days) > MOST_A_YEAR:
            raise _Unreadable
        yield from days


def _end(until: str | None, offset: timedelta) -> datetime:
    if until is None:
        return LATEST
    end = _stamp(until, offset)
    return min(LATEST, end if "T" in until else end + DAY - timedelta(seconds=1))
