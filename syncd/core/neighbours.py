"""
Where an occurrence of a series may stand: between its neighbours, by days in the series' zone.

Exchange refuses one that is moved to the day of the occurrence before or after it, or past it
(`ErrorOccurrenceCrossingBoundary`).
"""

from __future__ import annotations

from datetime import date, timedelta

from syncd.core.event import AllDay, Item, When, effective, shifted, slot_of
from syncd.core.recurrence import last_occurrence, occurrences
from syncd.core.zones import WindowsZone, instant, wall_time

__all__ = ["crosses_neighbour"]

ONE_DAY = timedelta(days=1)
MOST_STEPS = 60
"""How many slots that are left out are passed over in search of a neighbour."""


def crosses_neighbour(item: Item, slot: date, when: When) -> bool:
    """Exchange: an occurrence stays between its neighbours, by days in the series' zone."""
    if when == shifted(item.master.when, slot):
        return False
    before, after = _neighbours(item, slot)
    day = _day_in_series(item, when)
    return (before is not None and day <= _day_in_series(item, effective(item, before).when)) or (
        after is not None and day >= _day_in_series(item, effective(item, after).when)
    )


def _day_in_series(item: Item, when: When) -> date:
    series = item.master.when
    if isinstance(when, AllDay) or isinstance(series, AllDay):
        return slot_of(when)
    at = instant(when.start, WindowsZone(when.start_zone))
    return wall_time(at, WindowsZone(series.start_zone)).date()


def _neighbours(item: Item, slot: date) -> tuple[date | None, date | None]:
    """The nearest slots that are not left out, if they are near."""
    assert item.recurrence is not None
    first, rule = slot_of(item.master.when), item.recurrence
    before = last_occurrence(rule, first, slot - ONE_DAY)
    for _ in range(MOST_STEPS):
        if before is None or before not in item.cancelled:
            break
        before = last_occurrence(rule, first, before - ONE_DAY)
    later = occurrences(rule, first, from_date=slot + ONE_DAY)
    after = (day for _, day in zip(range(MOST_STEPS), later, strict=False))
    return before, next((day for day in after if day not in item.cancelled), None)
