"""
A recurrence value from RRULE text, or the reason why there is none.

Tables propose a pattern; then the dates of the rule, by RFC 5545, must be those that Exchange makes
of the pattern. The comparison is left out only where the rule, with its implied parts spelled out,
is the very text that the pattern is written as.

Knows nothing of the other lines of an event: several rules, RDATE and overlaps are the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import takewhile
from math import gcd
from typing import NamedTuple

import msgspec

from syncd.core.pattern import (
    COMPARED_DATES,
    INDEXES,
    LONGEST_MONTH,
    WEEKDAYS,
    Inexpressible,
    Recurrence,
    canonical,
    canonical_pattern,
    nth_occurrence,
    occurrences,
    occurs_on,
    refusal,
)
from syncd.core.rrule_dates import dates_of
from syncd.core.rrule_parts import (
    Refused,
    Rule,
    check_times_of_day,
    lexed,
    limited,
    rule_of,
    unskipped,
)
from syncd.core.rrule_write import pattern_parts
from syncd.core.zones import WindowsZone, instant, wall_time

__all__ = ["from_rrule"]

LONGEST_RULE = 1000
"""Characters; the longest rule that makes sense lists every day of the year."""

MOST_COUNT = 999
COMPARED_DAYS = 40 * 365 + 10
"""How far two expansions are compared, unless `COMPARED_DATES` take longer."""

ONE_DAY = timedelta(days=1)

ALL_MONTHS = tuple(range(1, 13))
WEEK_BLOCKS = {
    frozenset(range(first, first + 7)): ordinal
    for ordinal, first in ((1, 1), (2, 8), (3, 15), (4, 22), (-1, -7))
}
"""The days of the month among which each weekday is the first, second, ... or last of its kind."""

ORDINAL_NAMES = {ordinal: index for index, ordinal in INDEXES.items()}

STAMP = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z?))?")


class _End(NamedTuple):
    """COUNT, or the last date that UNTIL lets through."""

    most: int = 0
    until: date | None = None


def from_rrule(value: str, start: date, zone: WindowsZone | None) -> Recurrence | Inexpressible:
    """
    Read the value of an RRULE property.

    Args:
        start: DTSTART: a naive wall time, or a plain date for whole days.
        zone: the zone of a timed start; None for whole days and floating times.

    Returns: the canonical recurrence, or why Graph cannot hold exactly the dates of the rule.
    """
    if len(value) > LONGEST_RULE:
        return refusal("RR23", "too long")
    return _read(value, start, zone)


@lru_cache(maxsize=8192)
def _read(value: str, start: date, zone: WindowsZone | None) -> Recurrence | Inexpressible:
    try:
        return _recurrence(lexed(value), start, zone)
    except Refused as refused:
        return refused.answer
    except OverflowError:
        return refusal("RR24", "beyond the calendar")


def _recurrence(parts: Mapping[str, str], start: date, zone: WindowsZone | None) -> Recurrence:
    check_times_of_day(parts, start)
    first = _plain_date(start)
    rule = unskipped(_spelled_out(rule_of(parts), first), parts)
    end = _end(parts, start, zone)
    pattern = canonical_pattern(_proposed(rule, first))
    if end.until is not None and end.until < first:
        raise Refused("empty-recurrence")
    if not occurs_on(pattern, first, first) and not _is_date_of(rule, first):
        raise Refused("RR22")
    _check_dates(rule, pattern, first, end)
    until = end.until.isoformat() if end.until else ""
    found = canonical(msgspec.structs.replace(pattern, count=end.most, until=until), first)
    if found is None:
        raise Refused("empty-recurrence")
    return found


def _plain_date(start: date) -> date:
    return start.date() if isinstance(start, datetime) else start


def _end(parts: Mapping[str, str], start: date, zone: WindowsZone | None) -> _End:
    count = limited(parts, "COUNT", MOST_COUNT)
    if "UNTIL" not in parts:
        return _End(count)
    if count:
        raise Refused("RR23", "COUNT and UNTIL")
    return _End(until=_until(parts["UNTIL"], start, zone))


def _until(text: str, start: date, zone: WindowsZone | None) -> date:
    """
    The last local date on which an occurrence is not after UNTIL.

    A date is inclusive whatever the start is; a time without a zone is local to the series; with a
    start of whole days only the date counts.
    """
    found = STAMP.fullmatch(text)
    if found is None:
        raise Refused("RR23", "UNTIL")
    day, clock = _date(found[1]), found[2]
    if clock is None or not isinstance(start, datetime):
        return day
    end = datetime.combine(day, _time(clock))
    if not found[3] or zone is None:
        return _on_or_before(day, is_before=datetime.combine(day, start.time()) > end)
    day = wall_time(end.replace(tzinfo=UTC), zone).date()
    is_before = instant(datetime.combine(day, start.time()), zone) > end.replace(tzinfo=UTC)
    return _on_or_before(day, is_before=is_before)


def _on_or_before(day: date, *, is_before: bool) -> date:
    """The day, or the one before it."""
    if is_before and day == date.min:
        raise Refused("empty-recurrence")
    return day - ONE_DAY if is_before else day


def _date(text: str) -> date:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        raise Refused("RR23", "UNTIL") from None


def _time(text: str) -> time:
    try:
        # RFC 5545 3.3.12: a positive leap second is read as the second before it.
        return time(int(text[:2]), int(text[2:4]), min(int(text[4:]), 59))
    except ValueError:
        raise Refused("RR23", "UNTIL") from None


def _spelled_out(rule: Rule, first: date) -> Rule:
    """The same rule with the parts that RFC 5545 takes from the start, and none without effect."""
    if rule.months == ALL_MONTHS and rule.freq != "YEARLY":
        rule = rule._replace(months=())
    match rule.freq:
        case "WEEKLY" if not rule.days:
            return rule._replace(days=((0, first.weekday()),))
        case "MONTHLY" if not rule.days and not rule.month_days:
            return rule._replace(month_days=(first.day,))
        case "YEARLY" if not rule.days and not rule.month_days:
            return rule._replace(months=rule.months or (first.month,), month_days=(first.day,))
        case "DAILY":
            return _spelled_out_daily(rule)
        case _:
            return rule


def _spelled_out_daily(rule: Rule) -> Rule:
    """Every day filtered by weekday or day of the month is a weekly or a monthly rule."""
    if rule.interval > 1 or rule.positions or rule.months:
        return rule
    if rule.month_days:
        return rule._replace(freq="MONTHLY")
    return rule._replace(freq="WEEKLY") if rule.days else rule


def _proposed(rule: Rule, first: date) -> Recurrence:
    """The pattern that the rule looks like; whether it is, the comparison of dates tells."""
    match rule.freq:
        case "DAILY":
            return _daily(rule)
        case "WEEKLY":
            return _weekly(rule)
        case _:
            day = _week_block(rule) or _weekday(rule) or _month_day(rule)
            return _in_months(rule, day, first)


def _daily(rule: Rule) -> Recurrence:
    if rule.months:
        raise Refused("RR11")
    if rule.positions:
        raise Refused("RR06")
    if rule.days or rule.month_days:
        raise Refused("RR15")
    return Recurrence("daily", rule.interval)


def _weekly(rule: Rule) -> Recurrence:
    if rule.months:
        raise Refused("RR11")
    if rule.month_days:
        raise Refused("RR23", "BYMONTHDAY with FREQ=WEEKLY")
    if rule.positions or any(ordinal for ordinal, _ in rule.days):
        raise Refused("RR16")
    first_day = WEEKDAYS[rule.week_start]
    return Recurrence("weekly", rule.interval, days=_names(rule), first_day=first_day)


def _names(rule: Rule) -> tuple[str, ...]:
    return tuple(WEEKDAYS[day] for _, day in rule.days)


def _position(rule: Rule) -> int:
    """The one BYSETPOS, 0 if there is none."""
    if len(rule.positions) > 1:
        raise Refused("RR06")
    return rule.positions[0] if rule.positions else 0


class _Day(NamedTuple):
    """Which day of a month: either its number, or a weekday by its index."""

    day_of_month: int = 0
    days: tuple[str, ...] = ()
    which: str = ""


def _week_block(rule: Rule) -> _Day | None:
    """A weekday among seven days of the month, such as MO among 8 to 14, the second monday."""
    if not rule.days or not rule.month_days:
        return None
    ordinal = (WEEK_BLOCKS | _last_block(rule.months)).get(frozenset(rule.month_days))
    is_one_day = len(rule.days) == 1 and rule.days[0][0] == 0
    if ordinal is None or not is_one_day or _position(rule) not in {-1, 0, 1}:
        raise Refused("RR10")
    _check_months(rule)
    return _Day(days=_names(rule), which=ORDINAL_NAMES[ordinal])


def _check_months(rule: Rule) -> None:
    """A day of the month, in a yearly rule, is the day of a month that is named."""
    if rule.freq == "YEARLY" and not rule.months:
        raise Refused("RR14")


def _last_block(months: tuple[int, ...]) -> dict[frozenset[int], int]:
    """The last seven days of the one month, unless its length changes."""
    if len(months) != 1 or months == (2,):
        return {}
    length = LONGEST_MONTH[months[0] - 1]
    return {frozenset(range(length - 6, length + 1)): -1}


def _weekday(rule: Rule) -> _Day | None:
    if not rule.days:
        return None
    _check_months(rule)
    position = _position(rule)
    ordinals = {ordinal for ordinal, _ in rule.days}
    if ordinals == {0}:
        return _Day(days=_names(rule), which=_index(position, absent="RR09", other="RR06"))
    if len(rule.days) == 1 and position in {-1, 0, 1}:
        return _Day(days=_names(rule), which=_index(*ordinals, absent="RR07", other="RR07"))
    # The first of the first monday, first tuesday, ... is the first day that is one of them.
    if ordinals == {position} and position in {1, -1}:
        return _Day(days=_names(rule), which=ORDINAL_NAMES[position])
    raise Refused("RR06" if len(rule.days) == 1 else "RR08")


def _index(ordinal: int, *, absent: str, other: str) -> str:
    if ordinal not in ORDINAL_NAMES:
        raise Refused(other if ordinal else absent)
    return ORDINAL_NAMES[ordinal]


def _month_day(rule: Rule) -> _Day:
    _check_months(rule)
    days, position = rule.month_days, _position(rule)
    if len(days) > 1 and (position == 0 or days[0] < 0):
        raise Refused("RR03")
    if not -len(days) <= position <= len(days):
        raise Refused("RR06")
    chosen = days[position - 1 if position > 0 else position]
    if chosen < -1:
        raise Refused("RR04")
    return _Day(31 if chosen == -1 else chosen)


def _in_months(rule: Rule, day: _Day, first: date) -> Recurrence:
    """The pattern of that day in the months of the rule."""
    months = len(rule.months)
    if months == 1:
        years = rule.interval if rule.freq == "YEARLY" else _years(rule.interval)
        return _pattern("yearly", years, day, rule.months[0])
    if months == 0:
        return _pattern("monthly", rule.interval, day)
    # BYSETPOS of a yearly rule counts through all months of the year.
    if rule.freq == "YEARLY" and rule.positions:
        raise Refused("RR11")
    rotated = rule.months[1:] + rule.months[:1]
    spaces = {(later - month) % 12 for month, later in zip(rule.months, rotated, strict=True)}
    if rule.interval > 1 or spaces != {12 // months}:
        raise Refused("RR11")
    if first.month not in rule.months:
        raise Refused("RR22")
    return _pattern("monthly", 12 // months, day)


def _years(months: int) -> int:
    """After how many years every so many months come upon the same month again."""
    return months // gcd(months, 12)


def _pattern(period: str, interval: int, day: _Day, month: int = 0) -> Recurrence:
    is_relative = bool(day.which)
    match (period, is_relative):
        case ("monthly", False):
            return Recurrence("absoluteMonthly", interval, day_of_month=day.day_of_month)
        case ("monthly", True):
            return Recurrence("relativeMonthly", interval, days=day.days, index=day.which)
        case (_, False):
            return Recurrence(
                "absoluteYearly", interval, day_of_month=day.day_of_month, month=month
            )
        case _:
            return Recurrence(
                "relativeYearly", interval, days=day.days, index=day.which, month=month
            )


def _check_dates(rule: Rule, pattern: Recurrence, first: date, end: _End) -> None:
    """
    Refuse a rule whose dates are not those of the pattern, all of them or the first forty years.

    Raises: Refused: with the first date that differs.
    """
    if _is_spelling_of(pattern, rule):
        return
    until = _compared_until(pattern, first, end)
    ours = list(takewhile(lambda day: day <= until, occurrences(pattern, first)))
    theirs = dates_of(rule, first, until)
    if ours[: end.most or None] == theirs[: end.most or None]:
        return
    differing = min(set(ours) ^ set(theirs), default=until)
    is_skipping = not rule.days and bool(rule.month_days) and max(rule.month_days) > 28
    raise Refused("RR05" if is_skipping else "RR24", f"first on {differing.isoformat()}")


def _is_date_of(rule: Rule, first: date) -> bool:
    """Whether a monthly or yearly rule has a date that its pattern may lack."""
    # The last of 6, 26 and 31 is the 26th in February, where the pattern has another day.
    return rule.freq in {"MONTHLY", "YEARLY"} and dates_of(rule, first, first) == [first]


def _is_spelling_of(pattern: Recurrence, rule: Rule) -> bool:
    """Whether the pattern is written as this very rule (WKST counts in weekly ones only)."""
    if rule.freq == "WEEKLY":
        return True
    written = rule_of(pattern_parts(pattern))
    return written._replace(week_start=0) == rule._replace(week_start=0)


def _compared_until(pattern: Recurrence, first: date, end: _End) -> date:
    if end.most:
        return nth_occurrence(pattern, first, end.most) or date.max
    dates_later = nth_occurrence(pattern, first, COMPARED_DATES) or date.max
    years_later = date.fromordinal(min(first.toordinal() + COMPARED_DAYS, date.max.toordinal()))
    return min(max(dates_later, years_later), end.until or date.max)
