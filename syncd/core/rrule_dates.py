"""
The dates of monthly and yearly rules by RFC 5545 3.3.10, in bounded time.

Skips what a month lacks, as the RFC says; what Exchange makes of a pattern instead is `pattern`.
Knows nothing of intervals of days and weeks, of COUNT and of times of day.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import date

from syncd.core.rrule_parts import Rule

__all__ = ["dates_of"]


def dates_of(rule: Rule, first: date, until: date) -> list[date]:
    """
    The dates of a MONTHLY rule, or of a YEARLY one with its months, from `first` to `until`.

    General readers of rules look at UNTIL only when they find a date: a rule that never has one
    keeps them busy for eight thousand years.
    """
    dates: list[date] = []
    for months in _periods(rule, first, until):
        found = [day for year, month in months for day in _matching(rule, year, month)]
        dates += _positioned(rule, found)
    return [day for day in dates if first <= day <= until]


def _periods(rule: Rule, first: date, until: date) -> Iterator[list[tuple[int, int]]]:
    """The months of each period that the rule looks into together, as (year, month)."""
    if rule.freq == "YEARLY":
        for year in range(first.year, until.year + 1, rule.interval):
            yield [(year, month) for month in rule.months]
        return
    begin, end = first.year * 12 + first.month - 1, until.year * 12 + until.month
    for number in range(begin, end, rule.interval):
        year, month = divmod(number, 12)
        if not rule.months or month + 1 in rule.months:
            yield [(year, month + 1)]


def _matching(rule: Rule, year: int, month: int) -> list[date]:
    """The days of a month that are in BYMONTHDAY and in BYDAY, as far as these are given."""
    weekday, length = monthrange(year, month)
    days: Iterable[int] = range(1, length + 1)
    if rule.month_days:
        listed = {day if day > 0 else length + 1 + day for day in rule.month_days}
        days = sorted(day for day in listed if 1 <= day <= length)
    return [
        date(year, month, day)
        for day in days
        if not rule.days or _is_listed(rule, (weekday + day - 1) % 7, day, length)
    ]


def _is_listed(rule: Rule, weekday: int, day: int, length: int) -> bool:
    """Whether BYDAY has the weekday, by itself or with its ordinal from either end of the month."""
    ordinals = (0, (day + 6) // 7, -((length - day) // 7 + 1))
    return any((ordinal, weekday) in rule.days for ordinal in ordinals)


def _positioned(rule: Rule, days: list[date]) -> list[date]:
    if not rule.positions:
        return days
    places = {place - 1 if place > 0 else len(days) + place for place in rule.positions}
    return [day for place, day in enumerate(days) if place in places]
