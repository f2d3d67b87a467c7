"""
Recurrences that the service accepts, each built backwards from the day it shall start on.

Knows the six patterns and three ranges of Graph's `patternedRecurrence`, and on which dates they
fall. Refuses to know times of day and zones: a series is a list of local dates.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice, takewhile
from random import Random
from typing import Any

__all__ = ["PATTERNS", "RANGES", "SHAPES", "Series", "make_series", "occurrences"]

PATTERNS = (
    *("daily", "weekly", "absoluteMonthly"),
    *("relativeMonthly", "absoluteYearly", "relativeYearly"),
)
RANGES = ("noEnd", "endDate", "numbered")
SHAPES = tuple((pattern, span) for pattern in PATTERNS for span in RANGES)
DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
INDEXES = ("first", "second", "third", "fourth")
MAX_DATES, MAX_SPAN = 60, timedelta(days=5 * 365)  # how far into a series anybody edits it
ONE_DAY = timedelta(days=1)

Pattern = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Series:
    """A `patternedRecurrence` and its first dates, ascending; the first is its start date."""

    recurrence: dict[str, Any]
    dates: tuple[date, ...]


def make_series(rng: Random, start: date, shape: tuple[str, str], zone: str) -> Series:
    """
    Return a series of `shape` whose first occurrence is on `start`.

    Args: shape: a member of SHAPES. zone: becomes `recurrenceTimeZone`.
    """
    pattern = _PATTERNS[shape[0]](rng, start)
    span = _range(rng, shape[1], pattern, start) | {"recurrenceTimeZone": zone}
    recurrence = {"pattern": pattern, "range": span}
    near = takewhile(lambda day: day <= start + MAX_SPAN, occurrences(recurrence))
    return Series(recurrence, tuple(islice(near, MAX_DATES)))


def occurrences(recurrence: dict[str, Any]) -> Iterator[date]:
    """Yield the local dates of a series in order, endlessly if it has no end."""
    span = recurrence["range"]
    start = date.fromisoformat(span["startDate"])
    days = (day for day in _dates(recurrence["pattern"], start) if day >= start)
    match span["type"]:
        case "numbered":
            yield from islice(days, span["numberOfOccurrences"])
        case "endDate":
            last = date.fromisoformat(span["endDate"])
            yield from takewhile(lambda day: day <= last, days)
        case _:
            yield from days


def _range(rng: Random, kind: str, pattern: Pattern, start: date) -> dict[str, Any]:
    span: dict[str, Any] = {"type": kind, "startDate": start.isoformat()}
    yearly = pattern["type"].endswith("Yearly")
    count = rng.randint(1, 4 if yearly else 40)
    if kind == "numbered":
        span["numberOfOccurrences"] = count
    if kind == "endDate":
        (last,) = islice((day for day in _dates(pattern, start) if day >= start), count - 1, count)
        # The end need not be an occurrence: some fall between the last one and the next.
        span["endDate"] = (last + timedelta(days=rng.choice((0, 0, 1, 3)))).isoformat()
    return span


def _daily(rng: Random, start: date) -> Pattern:
    return {"type": "daily", "interval": rng.choice((1, 1, 2, 3, 10))}


def _weekly(rng: Random, start: date) -> Pattern:
    days = {start.weekday(), *rng.sample(range(7), rng.choice((0, 0, 1, 2, 4)))}
    return {
        "type": "weekly",
        "interval": rng.choice((1, 1, 1, 2, 4)),
        "daysOfWeek": [DAY_NAMES[day] for day in sorted(days)],
        "firstDayOfWeek": rng.choice(("sunday", "monday", "saturday")),
    }


def _absolute_monthly(rng: Random, start: date) -> Pattern:
    return {
        "type": "absoluteMonthly",
        "interval": rng.choice((1, 1, 2, 3)),
        "dayOfMonth": start.day,
    }


def _relative_monthly(rng: Random, start: date) -> Pattern:
    return {"type": "relativeMonthly", "interval": rng.choice((1, 1, 2, 3))} | _nth(rng, start)


def _absolute_yearly(rng: Random, start: date) -> Pattern:
    return {
        "type": "absoluteYearly",
        "interval": 1,
        "dayOfMonth": start.day,
        "month": start.month,
    }


def _relative_yearly(rng: Random, start: date) -> Pattern:
    return {"type": "relativeYearly", "interval": 1, "month": start.month} | _nth(rng, start)


_PATTERNS: dict[str, Callable[[Random, date], Pattern]] = {
    "daily": _daily,
    "weekly": _weekly,
    "absoluteMonthly": _absolute_monthly,
    "relativeMonthly": _relative_monthly,
    "absoluteYearly": _absolute_yearly,
    "relativeYearly": _relative_yearly,
}


def _nth(rng: Random, start: date) -> Pattern:
    """Name `start` as the n-th of one weekday, or of working days, weekend days or all days."""
    names = [start.weekday()]
    group = [day for day in range(7) if (day >= 5) == (start.weekday() >= 5)]
    for days in rng.sample([names, names, group, list(range(7))], 4):
        matching = _matching(days, start.year, start.month)
        if matching[-1] == start:
            return {"daysOfWeek": [DAY_NAMES[day] for day in days], "index": "last"}
        if matching.index(start) < len(INDEXES):
            index = INDEXES[matching.index(start)]
            return {"daysOfWeek": [DAY_NAMES[day] for day in days], "index": index}
    raise AssertionError("a single weekday falls at most five times in a month")


def _matching(days: list[int], year: int, month: int) -> list[date]:
    length = calendar.monthrange(year, month)[1]
    every = (date(year, month, day) for day in range(1, length + 1))
    return [day for day in every if day.weekday() in days]


def _dates(pattern: Pattern, start: date) -> Iterator[date]:
    match pattern["type"]:
        case "daily":
            return _every(start, pattern["interval"])
        case "weekly":
            return _weeks(pattern, start)
        case "absoluteMonthly" | "absoluteYearly":
            months = _months(pattern, start)
            return (_clamped(year, month, pattern["dayOfMonth"]) for year, month in months)
        case _:
            return (_nth_of(pattern, year, month) for year, month in _months(pattern, start))


def _every(start: date, days: int) -> Iterator[date]:
    for step in range(0, date.max.toordinal() - start.toordinal(), days):
        yield start + timedelta(days=step)


def _weeks(pattern: Pattern, start: date) -> Iterator[date]:
    first = DAY_NAMES.index(pattern["firstDayOfWeek"])
    week = start - timedelta(days=(start.weekday() - first) % 7)
    offsets = sorted((DAY_NAMES.index(name) - first) % 7 for name in pattern["daysOfWeek"])
    for monday in _every(week, 7 * pattern["interval"]):
        for offset in offsets:
            yield monday + offset * ONE_DAY


def _months(pattern: Pattern, start: date) -> Iterator[tuple[int, int]]:
    step = pattern["interval"] * (12 if pattern["type"].endswith("Yearly") else 1)
    for number in range(start.year * 12 + start.month - 1, date.max.year * 12, step):
        yield number // 12, number % 12 + 1


def _clamped(year: int, month: int, day: int) -> date:
    """Outlook takes the last day of a month that lacks the day asked for."""
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def _nth_of(pattern: Pattern, year: int, month: int) -> date:
    days = [DAY_NAMES.index(name) for name in pattern["daysOfWeek"]]
    matching = _matching(days, year, month)
    return matching[-1 if pattern["index"] == "last" else INDEXES.index(pattern["index"])]
