"""
Exchange's recurrence: six patterns, three ranges, and the days they name.

Knows the wire form of `patternedRecurrence` and its expansion into dates, with Outlook's habit of
taking a month's last day when the day asked for is missing.
Refuses to know times of day: a slot is a date in the zone of the series.
"""

import calendar as months
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from syncd.simulator.checks import choice, number
from syncd.simulator.errors import ServiceError, bad_body, invalid_property
from syncd.simulator.zones import zone_of

__all__ = ["DAYS", "Pattern", "Range", "Recurrence", "read_recurrence"]

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
INDEXES = ("first", "second", "third", "fourth", "last")
NEEDS: Mapping[str, tuple[str, ...]] = {
    "daily": (),
    "weekly": ("daysOfWeek",),
    "absoluteMonthly": ("dayOfMonth",),
    "relativeMonthly": ("daysOfWeek",),
    "absoluteYearly": ("dayOfMonth", "month"),
    "relativeYearly": ("daysOfWeek", "month"),
}
_MAX_INTERVAL = 999


@dataclass(frozen=True, slots=True)
class Pattern:
    """
    How often. Args: days: 0 is Monday; index: 0..3, 4 is the last; unused fields are fillers.
    """

    kind: str
    interval: int
    days: tuple[int, ...] = ()
    first_day: int = 6
    day_of_month: int = 0
    month: int = 0
    index: int = 0

    def wire(self) -> dict[str, Any]:
        """Return the pattern with fillers in the fields its type does not use."""
        return {
            "type": self.kind,
            "interval": self.interval,
            "month": self.month,
            "dayOfMonth": self.day_of_month,
            "daysOfWeek": [DAYS[day] for day in self.days],
            "firstDayOfWeek": DAYS[self.first_day],
            "index": INDEXES[self.index],
        }


@dataclass(frozen=True, slots=True)
class Range:
    """How long. Args: end: inclusive; count: of the pattern's slots; zone: None is the event's."""

    start: date
    end: date | None = None
    count: int | None = None
    zone: str | None = None

    @property
    def kind(self) -> str:
        """The `type` of the wire form."""
        if self.count is not None:
            return "numbered"
        return "noEnd" if self.end is None else "endDate"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A pattern and the range it runs over."""

    pattern: Pattern
    range: Range

    def slots(self, until: date = date.max) -> Iterator[date]:
        """Yield the days of the series in order, up to and including `until`."""
        last = min(until, self.range.end or date.max)
        left = self.range.count if self.range.count is not None else -1
        for day in _from(_EXPAND[self.pattern.kind](self.pattern, self.range.start), self):
            if day > last or left == 0:
                return
            left -= 1
            yield day

    def first(self) -> date | None:
        """Return the first day of the series, or None when there is none."""
        return next(self.slots(), None)

    def starting(self, day: date) -> "Recurrence":
        """Return the same series with its range moved to its first real day."""
        return replace(self, range=replace(self.range, start=day))

    def wire(self, zone: str) -> dict[str, Any]:
        """Return the wire form; `zone` is the name to show for the series' zone."""
        span = self.range
        return {
            "pattern": self.pattern.wire(),
            "range": {
                "type": span.kind,
                "startDate": span.start.isoformat(),
                "endDate": span.end.isoformat() if span.end else "0001-01-01",
                "recurrenceTimeZone": zone,
                "numberOfOccurrences": span.count or 0,
            },
        }


def _from(days: Iterator[date], series: Recurrence) -> Iterator[date]:
    return (day for day in days if day >= series.range.start)


def _daily(pattern: Pattern, start: date) -> Iterator[date]:
    ordinal = start.toordinal()
    while ordinal <= date.max.toordinal():
        yield date.fromordinal(ordinal)
        ordinal += pattern.interval


def _weekly(pattern: Pattern, start: date) -> Iterator[date]:
    week = start.toordinal() - (start.weekday() - pattern.first_day) % 7
    offsets = sorted((day - pattern.first_day) % 7 for day in pattern.days)
    while week + 6 <= date.max.toordinal():
        for offset in offsets:
            yield date.fromordinal(week + offset)
        week += 7 * pattern.interval


def _months(start: date, step: int) -> Iterator[tuple[int, int]]:
    number = start.year * 12 + start.month - 1
    while number // 12 <= date.max.year:
        yield number // 12, number % 12 + 1
        number += step


def _clamped(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, months.monthrange(year, month)[1]))


def _nth(pattern: Pattern, year: int, month: int) -> date:
    length = months.monthrange(year, month)[1]
    days = [date(year, month, day) for day in range(1, length + 1)]
    matching = [day for day in days if day.weekday() in pattern.days]
    return matching[-1 if pattern.index == 4 else pattern.index]


def _absolute_monthly(pattern: Pattern, start: date) -> Iterator[date]:
    return (_clamped(y, m, pattern.day_of_month) for y, m in _months(start, pattern.interval))


def _relative_monthly(pattern: Pattern, start: date) -> Iterator[date]:
    return (_nth(pattern, year, month) for year, month in _months(start, pattern.interval))


def _absolute_yearly(pattern: Pattern, start: date) -> Iterator[date]:
    years = range(start.year, date.max.year + 1, pattern.interval)
    return (_clamped(year, pattern.month, pattern.day_of_month) for year in years)


def _relative_yearly(pattern: Pattern, start: date) -> Iterator[date]:
    years = range(start.year, date.max.year + 1, pattern.interval)
    return (_nth(pattern, year, pattern.month) for year in years)


_EXPAND: Mapping[str, Callable[[Pattern, date], Iterator[date]]] = {
    "daily": _daily,
    "weekly": _weekly,
    "absoluteMonthly": _absolute_monthly,
    "relativeMonthly": _relative_monthly,
    "absoluteYearly": _absolute_yearly,
    "relativeYearly": _relative_yearly,
}


def read_recurrence(value: object) -> Recurrence:
    """
    Return a `patternedRecurrence` that was sent.

    Raises: ServiceError: 400 for a missing part or a value outside its range.
    """
    if not isinstance(value, dict):
        raise bad_body("Property recurrence in payload has a value that does not match schema.")
    pattern, span = value.get("pattern"), value.get("range")
    if not isinstance(pattern, dict) or not isinstance(span, dict):
        raise invalid_property("A recurrence needs both a pattern and a range.")
    series = Recurrence(_read_pattern(pattern), _read_range(span))
    if series.first() is None:
        raise invalid_property("The recurrence pattern has no occurrence within its range.")
    return series


def _read_pattern(sent: Mapping[str, object]) -> Pattern:
    kind = choice(sent.get("type"), tuple(NEEDS), "pattern/type")
    pattern = Pattern(
        kind=kind,
        interval=number(sent.get("interval"), 1, _MAX_INTERVAL, "pattern/interval"),
        days=_days(sent.get("daysOfWeek")),
        first_day=DAYS.index(choice(sent.get("firstDayOfWeek") or "sunday", DAYS, "day")),
        day_of_month=number(sent.get("dayOfMonth") or 0, 0, 31, "pattern/dayOfMonth"),
        month=number(sent.get("month") or 0, 0, 12, "pattern/month"),
        index=INDEXES.index(choice(sent.get("index") or "first", INDEXES, "pattern/index")),
    )
    given = {
        "daysOfWeek": pattern.days,
        "dayOfMonth": pattern.day_of_month,
        "month": pattern.month,
    }
    if missing := [name for name in NEEDS[kind] if not given[name]]:
        raise invalid_property(f"A {kind} pattern needs {', '.join(missing)}.")
    return _only_used(pattern)


def _only_used(pattern: Pattern) -> Pattern:
    """Return the pattern with fillers in what its type does not use, as answers show it."""
    used = NEEDS[pattern.kind]
    relative = pattern.kind.startswith("relative")
    return Pattern(
        kind=pattern.kind,
        interval=pattern.interval,
        days=pattern.days if "daysOfWeek" in used else (),
        first_day=pattern.first_day if pattern.kind == "weekly" else 6,
        day_of_month=pattern.day_of_month if "dayOfMonth" in used else 0,
        month=pattern.month if "month" in used else 0,
        index=pattern.index if relative else 0,
    )


def _read_range(sent: Mapping[str, object]) -> Range:
    kind = choice(sent.get("type"), ("endDate", "noEnd", "numbered"), "range/type")
    start = _date(sent.get("startDate"), "range/startDate")
    zone = sent.get("recurrenceTimeZone")
    if zone is not None and not isinstance(zone, str):
        raise bad_body("Property recurrenceTimeZone has a value that does not match schema.")
    if zone:
        zone_of(zone)
    if kind == "numbered":
        count = number(sent.get("numberOfOccurrences"), 1, 2**31 - 1, "range/numberOfOccurrences")
        return Range(start, count=count, zone=zone or None)
    if kind == "noEnd":
        return Range(start, zone=zone or None)
    end = _date(sent.get("endDate"), "range/endDate")
    if end < start:
        raise invalid_property("The recurrence range ends before it starts.")
    return Range(start, end=end, zone=zone or None)


def _days(value: object) -> tuple[int, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise bad_body("Property daysOfWeek in payload has a value that does not match schema.")
    days = {DAYS.index(choice(day, DAYS, "pattern/daysOfWeek")) for day in value}
    return tuple(sorted(days, key=lambda day: (day + 1) % 7))


def _date(value: object, name: str) -> date:
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise _bad_date(name)


def _bad_date(name: str) -> ServiceError:
    return bad_body(f"Cannot convert the value of {name} to the expected type 'Edm.Date'.")
