"""
Time zones by their Windows names, which are what Graph takes and gives.

Two spellings of a zone are the same zone exactly if they have the same Windows name. The tables are
Unicode CLDR's windowsZones with all territories (through tzlocal), the names that it lacks, and the
display names that Outlook writes into files. Offsets come from the IANA database, except for a zone
that only a file describes: then from its VTIMEZONE (`zone_rules`).

Knows nothing of mailbox settings: where a name means nothing, the caller decides what to use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NewType
from zoneinfo import ZoneInfo

from tzlocal.windows_tz import tz_win, win_tz

from syncd.core.zone_names import CURRENT_IANA, CURRENT_WINDOWS, DISPLAYED
from syncd.core.zone_rules import ZoneRules, read_rules

__all__ = [
    "UTC_ZONE",
    "WindowsZone",
    "fixed_offsets",
    "iana_name",
    "instant",
    "is_unresolvable_server_zone",
    "wall_time",
    "windows_zone",
    "zone_by_rules",
    "zone_info",
]

WindowsZone = NewType("WindowsZone", str)
"""A Windows time zone name, such as "W. Europe Standard Time"; made by `windows_zone` only."""

UTC_ZONE = WindowsZone("UTC")

LONGEST_TZID = 255
"""No name of a zone is longer; longer ones are not looked up (nor kept in the cache)."""

UTC_NAMES = frozenset(
    {"utc", "etc/utc", "z", "gmt", "etc/gmt", "tzone://microsoft/utc", "coordinated universal time"}
)

UNRESOLVABLE = frozenset({"", "tzone://microsoft/custom", "customized time zone"})
"""What the service answers for a zone that only it knows."""

DISPLAY_NAME = re.compile(r"\((?:utc|gmt)(?:[+-][0-9]{1,2}[:.]?[0-9]{2})?\)\s*(.+)")
"""Outlook: "(UTC+01:00) Amsterdam, Berlin, ..."; older versions write GMT, or a dot."""

SAMPLE_EVERY = timedelta(days=7)
"""The shortest change of rules between two zones is a few weeks long (Ramadan in Morocco)."""

FIRST_YEAR, LAST_YEAR = 1900, 2100


def windows_zone(tzid: str) -> WindowsZone | None:
    """
    The zone that a TZID or a zone name of the service means; None if it means none by itself.

    In this order: UTC by any name, an IANA name in any case (deprecated ones too), a Windows name
    in any case (obsolete ones too), an IANA name behind a vendor's prefix (such as
    `/mozilla.org/20050126_1/`), an Outlook display name.
    """
    return _windows_zone(tzid) if len(tzid) <= LONGEST_TZID else None


@lru_cache(maxsize=4096)
def _windows_zone(tzid: str) -> WindowsZone | None:
    name = tzid.strip().strip('"').strip().casefold()
    if name in UTC_NAMES:
        return UTC_ZONE
    return _by_iana(name) or _by_windows(name) or _by_suffix(name) or _by_display_name(name)


def _by_iana(name: str) -> WindowsZone | None:
    return _iana_zones().get(name)


def _by_windows(name: str) -> WindowsZone | None:
    return _windows_zones().get(name)


def _by_suffix(name: str) -> WindowsZone | None:
    """A vendor's globally unique name (RFC 5545 3.8.3.1) ends in the IANA name it stands for."""
    if not name.startswith("/"):
        return None
    segments = name.split("/")[2:]
    return next(filter(None, (_by_iana("/".join(segments[-n:])) for n in (3, 2, 1))), None)


def _by_display_name(name: str) -> WindowsZone | None:
    found = DISPLAY_NAME.fullmatch(name)
    if found is None:
        return None
    shown = found.group(1).strip()
    if shown in UTC_NAMES:
        return UTC_ZONE
    return _displayed_zones().get(shown) or _by_cities(shown)


def _by_cities(shown: str) -> WindowsZone | None:
    """The zone of the listed cities, as far as they are IANA names, if it is one and the same."""
    cities = (city.strip().replace(" ", "_") for city in shown.split(","))
    zones = {zone for city in cities if (zone := _city_zones().get(city)) is not None}
    return zones.pop() if len(zones) == 1 else None


@lru_cache(maxsize=1)
def _iana_zones() -> dict[str, WindowsZone]:
    # tzlocal's table has an empty name, which is no zone.
    zones = {iana.casefold(): WindowsZone(zone) for iana, zone in tz_win.items() if iana}
    aliases = {old.casefold(): zones[new.casefold()] for old, new in CURRENT_IANA.items()}
    return aliases | zones


@lru_cache(maxsize=1)
def _windows_zones() -> dict[str, WindowsZone]:
    zones = {zone.casefold(): WindowsZone(zone) for zone in win_tz}
    return {old.casefold(): zones[new.casefold()] for old, new in CURRENT_WINDOWS.items()} | zones


@lru_cache(maxsize=1)
def _displayed_zones() -> dict[str, WindowsZone]:
    return {
        shown.casefold(): _windows_zones()[zone.casefold()] for shown, zone in DISPLAYED.items()
    }


@lru_cache(maxsize=1)
def _city_zones() -> dict[str, WindowsZone]:
    return {iana.rpartition("/")[2]: zone for iana, zone in _iana_zones().items() if "/" in iana}


def is_unresolvable_server_zone(name: str) -> bool:
    """Whether the service gave a zone that only it can resolve; the mailbox zone then stands in."""
    return name.strip().casefold() in UNRESOLVABLE


def iana_name(zone: WindowsZone) -> str:
    """The IANA name that CLDR gives the zone for the whole world (territory 001)."""
    return win_tz[zone]


@lru_cache(maxsize=256)
def zone_info(zone: WindowsZone) -> ZoneInfo:
    """The offsets of the zone."""
    return ZoneInfo(iana_name(zone))


def wall_time(instant: datetime, zone: WindowsZone) -> datetime:
    """The naive local time of an aware instant; at the ends of the calendar, UTC's."""
    try:
        return instant.astimezone(zone_info(zone)).replace(tzinfo=None, fold=0)
    except OverflowError:
        return instant.replace(tzinfo=None)


def instant(wall: datetime, zone: WindowsZone) -> datetime:
    """
    The aware UTC instant of a naive local time; at the ends of the calendar, the same figures.

    RFC 5545 3.3.5: a time that occurs twice is the first of them, one that does not occur is read
    with the offset before the gap.
    """
    try:
        return wall.replace(tzinfo=zone_info(zone), fold=0).astimezone(UTC)
    except OverflowError:
        return wall.replace(tzinfo=UTC)


def zone_by_rules(
    vtimezone_lines: Sequence[str],
    *,
    first: datetime,
    last: datetime,
    preferred: WindowsZone,
) -> WindowsZone | None:
    """
    The zone whose offsets are those of a VTIMEZONE, for a year before and five years after.

    Args:
        vtimezone_lines: unfolded content lines from BEGIN to END. first, last: the span of time in
            which the zone is used. preferred: tried first, then UTC, then by name.

    Returns: None if no zone is equal throughout, or the lines cannot be read.
    """
    rules = read_rules(tuple(vtimezone_lines))
    if rules is None:
        return None
    begin, end = _year(first.year - 1), _year(last.year + 5)
    offsets = _samples(rules, begin, max(begin, end))
    return next((zone for zone in _candidates(preferred) if _agrees(zone, offsets)), None)


def _year(year: int) -> int:
    return min(max(year, FIRST_YEAR), LAST_YEAR)


def _candidates(preferred: WindowsZone) -> Iterator[WindowsZone]:
    yield preferred
    yield UTC_ZONE
    yield from map(WindowsZone, sorted(win_tz))


def _samples(rules: ZoneRules, begin: int, end: int) -> list[tuple[datetime, timedelta]]:
    """The offsets of `rules` every week, and just before and at each of its changes."""
    start, stop = datetime(begin, 1, 1, tzinfo=UTC), datetime(end, 12, 31, tzinfo=UTC)
    weekly = (start + n * SAMPLE_EVERY for n in range((stop - start) // SAMPLE_EVERY))
    changes = [change for change in rules.changes() if start <= change <= stop]
    before = (change - timedelta(seconds=1) for change in changes)
    return [(one, rules.offset_at(one)) for one in (*changes, *before, *weekly)]


def _agrees(zone: WindowsZone, offsets: Iterable[tuple[datetime, timedelta]]) -> bool:
    info = zone_info(zone)
    return all(at.astimezone(info).utcoffset() == offset for at, offset in offsets)


def fixed_offsets(vtimezone_lines: Sequence[str]) -> tzinfo | None:
    """
    A VTIMEZONE as a `tzinfo`, to find the instants of a single event whose zone nobody knows.

    Returns: None if the lines cannot be read.
    """
    return read_rules(tuple(vtimezone_lines))
