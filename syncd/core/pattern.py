"""
The recurrence of a series as one canonical value, and the dates it selects.

A `Recurrence` is a Graph `patternedRecurrence` with everything removed that changes nothing, so
that two spellings of one meaning are equal values. Dates are local dates in the zone of the series:
Exchange has at most one occurrence of a series on a date, and takes the last day of a month that
lacks the day.

Knows nothing of JSON, RRULE text, times of day or zones.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import count as counting
from itertools import islice, pairwise
from typing import Literal, NamedTuple, assert_never

import msgspec

__all__ = [
    "COMPARED_DATES",
    "INDEXES",
    "LONGEST_MONTH",
    "REFUSALS",
    "WEEKDAYS",
    "Inexpressible",
    "PatternType",
    "Recurrence",
    "canonical",
    "last_occurrence",
    "nth_occurrence",
    "occurrences",
    "occurs_on",
    "overlap",
    "refusal",
]

PatternType = Literal[
    "daily",
    "weekly",
    "absoluteMonthly",
    "relativeMonthly",
    "absoluteYearly",
    "relativeYearly",
]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""Graph's day names; the position is `date.weekday()`."""

INDEXES = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
"""Graph's week indexes as RFC 5545 ordinals."""

LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""The most days each month can have."""

EVERY_DAY_INDEX = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": 31}
"""The day of the month that an index picks out of all seven weekdays."""

COMPARED_DATES = 400
"""So many dates of a series show what it is like: leap years repeat after 400 years."""

ONE_DAY = timedelta(days=1)
LAST_ORDINAL = date.max.toordinal()


class Recurrence(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    What repeats and how long; fields that the type does not use keep their defaults.

    Build it through `canonical` (the readers do): only canonical values compare by meaning.

    Args:
        interval: every how many days, weeks, months or years, from 1.
        days: Graph day names in week order from monday; for weekly and relative types.
        first_day: for weekly with an interval above 1 and several days, else "". Of all first days
            that cut the weeks alike, monday is kept, else sunday, else the first listed day.
        day_of_month: 1..31, for absolute types. month: 1..12, for yearly types.
        index: first, second, third, fourth or last, for relative types.
        count: number of occurrences, 0 for none given.
        until: ISO date of the last occurrence, "" for none given. Never together with `count`.
    """

    type: PatternType
    interval: int = 1
    days: tuple[str, ...] = ()
    first_day: str = ""
    day_of_month: int = 0
    month: int = 0
    index: str = ""
    count: int = 0
    until: str = ""


class Inexpressible(msgspec.Struct, frozen=True):
    """
    A rule that Graph cannot hold exactly, or that cannot be read.

    Args:
        code: RR01..RR25, or `empty-recurrence`. reason: what about the rule, for a person.
        suggestion: what could be written instead.
    """

    code: str
    reason: str
    suggestion: str


REFUSALS = {
    "RR01": ("it repeats within a day", "Use one daily series for each time of day."),
    "RR02": ("it names several times of day", "Use one series for each time."),
    "RR03": ("it names several days of the month", "Use one series for each day."),
    "RR04": (
        "it counts days from the end of the month",
        "Only the last day, BYMONTHDAY=-1, can be counted from the end; or use one series for each "
        "day.",
    ),
    "RR05": (
        "it skips months that lack the day, where the service takes their last day",
        "Use BYMONTHDAY=-1 for the last day, or BYMONTHDAY=28,29,30;BYSETPOS=-1 for the 30th "
        "or the last day before it.",
    ),
    "RR06": (
        "its BYSETPOS is not one of 1, 2, 3, 4 and -1",
        "Use one series for each position, and -1 for the last one.",
    ),
    "RR07": (
        "its weekday ordinal is not one of 1, 2, 3, 4 and -1",
        "Use -1 if the fifth was meant as the last.",
    ),
    "RR08": ("it names several weekday ordinals", "Use one series for each."),
    "RR09": ("it repeats several times within its months", "Use FREQ=WEEKLY."),
    "RR10": (
        "it ties weekdays to days of the month",
        "Leave out BYDAY or BYMONTHDAY, or make a single event for each date.",
    ),
    "RR11": ("its months are not evenly spaced", "Use one yearly series for each month."),
    "RR12": ("it names week numbers", "Use a weekday of a month, such as BYMONTH=5;BYDAY=2MO."),
    "RR13": ("it names days of the year", "Name the month and its day: BYMONTH and BYMONTHDAY."),
    "RR14": (
        "it names days of a year without naming the month",
        "Use FREQ=WEEKLY or FREQ=MONTHLY, or add BYMONTH.",
    ),
    "RR15": (
        "it filters every nth day by weekday or day of the month",
        "Use FREQ=WEEKLY with these weekdays, or leave out the filter.",
    ),
    "RR16": (
        "it gives days of a week an ordinal or a BYSETPOS",
        "Leave these out, or use FREQ=MONTHLY.",
    ),
    "RR17": ("there are several rules, or an exception rule", "Make one file for each rule."),
    "RR18": ("it has extra dates", "Use separate events for the extra dates."),
    "RR19": (
        "its COUNT or INTERVAL is out of range",
        "Use UNTIL instead of a COUNT over 999; INTERVAL is at most 999 days, or 99 weeks, months "
        "or years.",
    ),
    "RR20": (
        "it has more than 999 occurrences, which classic Outlook refuses",
        "End the series earlier, and make a second one for the rest.",
    ),
    "RR21": (
        "it uses another calendar scale, or skips forward",
        "Leave out RSCALE and SKIP, or make a single event for each date.",
    ),
    "RR22": (
        "the start is not an occurrence of the rule",
        "Move the start to the first occurrence.",
    ),
    "RR23": ("it cannot be read", "Correct the rule."),
    "RR24": (
        "the service would put its occurrences on other dates",
        "End the series before that date, and make a second one for the rest.",
    ),
    "RR25": (
        "its occurrences overlap, or share a date",
        "Make the event shorter, or let it repeat less often.",
    ),
    "empty-recurrence": ("it ends before its first occurrence", "Correct the end of the rule."),
}
"""Every reason to hold a recurrence: what is the matter, and what a person can do."""


def refusal(code: str, detail: str = "") -> Inexpressible:
    """The refusal of that code in `REFUSALS`, with `detail` appended to its reason."""
    reason, suggestion = REFUSALS[code]
    return Inexpressible(code, f"{reason} ({detail})" if detail else reason, suggestion)


def canonical(rule: Recurrence, start: date) -> Recurrence | None:
    """
    The one spelling of what `rule` means for a series that starts on `start`.

    Args:
        rule: fields in their documented ranges; those the type does not use may hold anything.
            `until` may be any date.
        start: an occurrence; the interval is counted from it.

    Returns: None if `until` lies before the first occurrence.
    """
    pattern = canonical_pattern(rule)
    if not rule.until:
        return pattern
    last = last_occurrence(pattern, start, date.fromisoformat(rule.until))
    return None if last is None else msgspec.structs.replace(pattern, until=last.isoformat())


def canonical_pattern(rule: Recurrence) -> Recurrence:
    """`rule` without unused fields and with equal patterns spelled alike; `until` is left out."""
    days = tuple(day for day in WEEKDAYS if day in rule.days)
    every_day = days == WEEKDAYS
    plain = Recurrence(rule.type, interval=rule.interval, count=rule.count)
    match rule.type:
        case "daily":
            return plain
        case "weekly" if every_day and rule.interval == 1:
            return msgspec.structs.replace(plain, type="daily")
        case "weekly":
            first = _first_day(rule.first_day, days, rule.interval)
            return msgspec.structs.replace(plain, days=days, first_day=first)
        case "absoluteMonthly":
            return _absolute_monthly(plain, rule.day_of_month)
        case "relativeMonthly" if every_day:
            return _absolute_monthly(plain, EVERY_DAY_INDEX[rule.index])
        case "relativeMonthly":
            return msgspec.structs.replace(plain, days=days, index=rule.index)
        case "absoluteYearly":
            return _absolute_yearly(plain, rule.month, rule.day_of_month)
        case "relativeYearly" if every_day:
            return _absolute_yearly(plain, rule.month, EVERY_DAY_INDEX[rule.index])
        case "relativeYearly":
            return msgspec.structs.replace(plain, days=days, index=rule.index, month=rule.month)
        case _:
            assert_never(rule.type)


def _first_day(given: str, days: tuple[str, ...], interval: int) -> str:
    """Monday, else sunday, else the first listed day, if the weeks are cut as `given` cuts them."""
    if interval == 1 or len(days) < 2:
        return ""
    leader = _leader(given or "monday", days)
    alike = (first for first in ("monday", "sunday", leader) if _leader(first, days) == leader)
    return next(alike)


def _leader(first_day: str, days: tuple[str, ...]) -> str:
    """The listed day that comes first in a week beginning on `first_day`."""
    first = WEEKDAYS.index(first_day)
    return min(days, key=lambda day: (WEEKDAYS.index(day) - first) % 7)


def _absolute_monthly(plain: Recurrence, day: int) -> Recurrence:
    # The 31st or the last day before it is the last day of every month: both are BYMONTHDAY=-1.
    if day == 31:
        return msgspec.structs.replace(plain, type="relativeMonthly", days=WEEKDAYS, index="last")
    return msgspec.structs.replace(plain, type="absoluteMonthly", day_of_month=day)


def _absolute_yearly(plain: Recurrence, month: int, day: int) -> Recurrence:
    day = min(day, LONGEST_MONTH[month - 1])
    return msgspec.structs.replace(plain, type="absoluteYearly", month=month, day_of_month=day)


def occurrences(rule: Recurrence, start: date, *, from_date: date | None = None) -> Iterator[date]:
    """
    The local dates of a series, lazily and in order, cancelled ones included.

    Args:
        rule: canonical or not. start: the date of the series' start; it sets the phase of the
            interval. from_date: leave out earlier dates, without the cost of walking them.

    Returns: dates up to `count`, `until` or the end of the year 9999.
    """
    first = start if from_date is None else max(start, from_date)
    for day, rank in _ranked(rule, start, first):
        if _is_past_end(rule, day, rank):
            return
        yield day


def occurs_on(rule: Recurrence, start: date, day: date) -> bool:
    """Whether `day` is a date of the series."""
    return next(occurrences(rule, start, from_date=day), None) == day if day >= start else False


def last_occurrence(rule: Recurrence, start: date, at_most: date) -> date | None:
    """The last date of the series on or before `at_most`; None if there is none."""
    if rule.until:
        at_most = min(at_most, date.fromisoformat(rule.until))
    counted = nth_occurrence(rule, start, rule.count) if rule.count else None
    if counted is not None and counted <= at_most:
        return counted
    periods = _Periods(rule, start)
    number = periods.number_of(at_most)
    days = [day for near in (number - 1, number) if near >= 0 for day, _ in periods.ranked(near)]
    return max((day for day in days if day <= at_most), default=None)


def nth_occurrence(rule: Recurrence, start: date, rank: int) -> date | None:
    """The date of the `rank`th occurrence (from 1) of a rule without end; None past year 9999."""
    periods = _Periods(rule, start)
    walk = periods.walk((rank - 1 + periods.missing) // periods.size)
    return next((day for day, ranked in walk if ranked == rank), None)


def overlap(rule: Recurrence, start: date, length: timedelta) -> Inexpressible | None:
    """
    The refusal of a series whose occurrences last, on the wall, until after the next has begun.

    Outlook has no such series. Monthly and yearly gaps are looked at for `COMPARED_DATES` only:
    they are weeks apart, and the shortest of them is met every few years.
    """
    if length <= ONE_DAY:
        return None
    dates = islice(occurrences(rule, start), COMPARED_DATES)
    early = (later for day, later in pairwise(dates) if later - day < length)
    day = next(early, None)
    return None if day is None else refusal("RR25", f"first on {day.isoformat()}")


def _is_past_end(rule: Recurrence, day: date, rank: int) -> bool:
    return bool(rule.count and rank > rule.count) or bool(
        rule.until and day.isoformat() > rule.until
    )


def _ranked(rule: Recurrence, start: date, first: date) -> Iterator[tuple[date, int]]:
    periods = _Periods(rule, start)
    return ((day, rank) for day, rank in periods.walk(periods.number_of(first)) if day >= first)


class _Periods:
    """
    The days, weeks, months or years in which a rule has its dates.

    Each period has equally many (`size`), except that the first lacks those before the start
    (`missing`). So the rank of a date, which `count` limits, needs no walk from the start.
    """

    def __init__(self, rule: Recurrence, start: date) -> None:
        self._rule = rule
        self._start = start
        self._days = tuple(WEEKDAYS.index(day) for day in rule.days)
        self._first_day = WEEKDAYS.index(rule.first_day or "monday")
        self._first_week = start.toordinal() - (start.weekday() - self._first_day) % 7
        self.size = len(self._days) if rule.type == "weekly" else 1
        self.missing = self.size - sum(day >= start for day in self._dates(0))

    def walk(self, number: int) -> Iterator[tuple[date, int]]:
        """Dates with their ranks from that period on, until the calendar ends."""
        for later in counting(number):
            try:
                dates = self.ranked(later)
            except (OverflowError, ValueError):
                return
            yield from dates

    def ranked(self, number: int) -> Sequence[tuple[date, int]]:
        """
        The dates of one period, each with its rank from 1 in the series.

        Raises: OverflowError, ValueError: the period lies past the year 9999.
        """
        dates = (day for day in self._dates(number) if day >= self._start)
        rank = number * self.size - self.missing + 1 if number else 1
        return [(day, rank + place) for place, day in enumerate(dates)]

    def number_of(self, day: date) -> int:
        """The number of the period that holds `day`, or of the last one before it; 0 at least."""
        start, interval = self._start, self._rule.interval
        match self._rule.type:
            case "daily":
                passed = (day - start).days
            case "weekly":
                passed = (day.toordinal() - self._first_week) // 7
            case "absoluteMonthly" | "relativeMonthly":
                passed = (day.year - start.year) * 12 + day.month - start.month
            case "absoluteYearly" | "relativeYearly":
                passed = day.year - start.year
            case _:
                assert_never(self._rule.type)
        return max(0, passed // interval)

    def _dates(self, number: int) -> list[date]:
        rule, start, ahead = self._rule, self._start, number * self._rule.interval
        match rule.type:
            case "daily":
                return [start + ahead * ONE_DAY]
            case "weekly":
                return self._week_dates(ahead)
            case "absoluteMonthly":
                return [_clamped(*_month_after(start, ahead), rule.day_of_month)]
            case "relativeMonthly":
                return [self._chosen(*_month_after(start, ahead))]
            case "absoluteYearly":
                return [_clamped(start.year + ahead, rule.month, rule.day_of_month)]
            case "relativeYearly":
                return [self._chosen(start.year + ahead, rule.month)]
            case _:
                assert_never(rule.type)

    def _week_dates(self, ahead: int) -> list[date]:
        begin = self._first_week + 7 * ahead
        if begin > LAST_ORDINAL:
            raise OverflowError
        ordinals = sorted(begin + (day - self._first_day) % 7 for day in self._days)
        return [date.fromordinal(one) for one in ordinals if 1 <= one <= LAST_ORDINAL]

    def _chosen(self, year: int, month: int) -> date:
        """The first, second, ... or last day of a month that is one of the listed weekdays."""
        weekday, length = monthrange(year, month)
        ordinal = INDEXES[self._rule.index]
        matching = [day for day in range(1, length + 1) if (weekday + day - 1) % 7 in self._days]
        return date(year, month, matching[ordinal - 1 if ordinal > 0 else ordinal])


class _Month(NamedTuple):
    year: int
    month: int


def _month_after(start: date, months: int) -> _Month:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return _Month(year, month + 1)


def _clamped(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))
