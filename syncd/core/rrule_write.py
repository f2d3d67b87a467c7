"""
RRULE text from a recurrence value.

Exchange takes the last day of a month that lacks the 29th, 30th or 31st, where RFC 5545 (3.3.10)
skips the month; a plain BYMONTHDAY=31 would lose five meetings a year, so these days are written
as "the last of 28, 29, ...". Writes one spelling for each value and reads none.
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import assert_never

from syncd.core.pattern import INDEXES, LONGEST_MONTH, Recurrence, canonical_pattern
from syncd.core.zones import WindowsZone, instant

__all__ = ["pattern_parts", "to_rrule"]

ALWAYS_THERE = 28
"""The last day of the month that every month has."""


def to_rrule(rule: Recurrence, start: date, zone: WindowsZone | None) -> str:
    """
    The value of the RRULE property; its UNTIL has the kind of DTSTART, as RFC 5545 demands.

    Args:
        start: a naive wall time for a timed series, a plain date for one of whole days.
        zone: the zone of a timed series, None for whole days and floating times.
    """
    parts = pattern_parts(rule)
    if rule.count:
        parts["COUNT"] = str(rule.count)
    if rule.until:
        parts["UNTIL"] = _until(date.fromisoformat(rule.until), start, zone)
    return ";".join(f"{name}={value}" for name, value in parts.items())


def pattern_parts(rule: Recurrence) -> dict[str, str]:
    """The RRULE parts of the pattern, in the order of writing, without COUNT and UNTIL."""
    rule = canonical_pattern(rule)
    parts = {"FREQ": _frequency(rule)}
    if rule.interval > 1:
        parts["INTERVAL"] = str(rule.interval)
    if rule.month:
        parts["BYMONTH"] = str(rule.month)
    return parts | _days(rule)


def _frequency(rule: Recurrence) -> str:
    match rule.type:
        case "daily":
            return "DAILY"
        case "weekly":
            return "WEEKLY"
        case "absoluteMonthly" | "relativeMonthly":
            return "MONTHLY"
        case "absoluteYearly" | "relativeYearly":
            return "YEARLY"
        case _:
            assert_never(rule.type)


def _days(rule: Recurrence) -> dict[str, str]:
    match rule.type:
        case "daily":
            return {}
        case "weekly":
            first = {"WKST": _code(rule.first_day)} if rule.first_day else {}
            return {"BYDAY": _codes(rule)} | first
        case "absoluteMonthly":
            return _month_day(rule.day_of_month)
        case "absoluteYearly":
            return _year_day(rule.month, rule.day_of_month)
        case "relativeMonthly" | "relativeYearly":
            return _chosen_day(rule)
        case _:
            assert_never(rule.type)


def _month_day(day: int) -> dict[str, str]:
    if day <= ALWAYS_THERE:
        return {"BYMONTHDAY": str(day)}
    days = ",".join(str(one) for one in range(ALWAYS_THERE, day + 1))
    return {"BYMONTHDAY": days, "BYSETPOS": "-1"}


def _year_day(month: int, day: int) -> dict[str, str]:
    # Only February changes its length, so only there does the day need to be counted from the end.
    is_last = month == 2 and day == LONGEST_MONTH[1]
    return {"BYMONTHDAY": "-1" if is_last else str(day)}


def _chosen_day(rule: Recurrence) -> dict[str, str]:
    ordinal = INDEXES[rule.index]
    if len(rule.days) == 7:
        return {"BYMONTHDAY": str(ordinal)}
    if len(rule.days) == 1:
        return {"BYDAY": f"{ordinal}{_codes(rule)}"}
    return {"BYDAY": _codes(rule), "BYSETPOS": str(ordinal)}


def _codes(rule: Recurrence) -> str:
    return ",".join(_code(day) for day in rule.days)


def _code(day: str) -> str:
    return day[:2].upper()


def _until(last: date, start: date, zone: WindowsZone | None) -> str:
    if not isinstance(start, datetime):
        return _date(last)
    wall = datetime.combine(last, start.time().replace(tzinfo=None))
    if zone is None:
        return f"{_date(wall)}T{_time(wall.time())}"
    end = instant(wall, zone)
    return f"{_date(end)}T{_time(end.time())}Z"


def _date(day: date) -> str:
    return f"{day.year:04}{day.month:02}{day.day:02}"


def _time(clock: time) -> str:
    return f"{clock.hour:02}{clock.minute:02}{clock.second:02}"
