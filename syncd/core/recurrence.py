"""
Recurrence between Graph and RRULE: the one door to the value, its readers and its writers.

Reads and writes the JSON of Graph's `patternedRecurrence`; RRULE text is `rrule_write` and
`rrule_read`, the value and its dates are `pattern`. What cannot be held exactly is an
`Inexpressible`, never an approximation. Knows nothing of whole events.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import TypeVar

import msgspec

from syncd.core.pattern import (
    INDEXES,
    REFUSALS,
    WEEKDAYS,
    Inexpressible,
    PatternType,
    Recurrence,
    canonical,
    last_occurrence,
    nth_occurrence,
    occurrences,
    occurs_on,
    overlap,
    refusal,
)
from syncd.core.rrule_read import from_rrule
from syncd.core.rrule_write import to_rrule

__all__ = [
    "REFUSALS",
    "Inexpressible",
    "Recurrence",
    "canonical",
    "from_graph",
    "from_rrule",
    "last_occurrence",
    "nth_occurrence",
    "occurrences",
    "occurs_on",
    "overlap",
    "refusal",
    "to_graph",
    "to_rrule",
]

Word = TypeVar("Word", bound=str)

TYPES: Mapping[str, PatternType] = {
    "daily": "daily",
    "weekly": "weekly",
    "absolutemonthly": "absoluteMonthly",
    "relativemonthly": "relativeMonthly",
    "absoluteyearly": "absoluteYearly",
    "relativeyearly": "relativeYearly",
}

LARGEST_NUMBER = 99_999
"""No interval or count above this is believed; Outlook's own limits are 99 and 999."""

UNSET_YEAR = "0001"
"""Graph answers 0001-01-01 for an end date that is not set."""

ISO_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])")


class _Unreadable(ValueError):
    """A member of the JSON is missing or has a value that Graph does not document."""


def from_graph(recurrence: Mapping[str, object], start: date) -> Recurrence | Inexpressible:
    """
    Read a `patternedRecurrence`; members that its type does not use are ignored.

    Graph fills unused members with 0, "first" and "sunday", and unset dates with 0001-01-01.

    Args: recurrence: `pattern` and `range`. start: the local start date in the zone of the series.
    """
    try:
        rule = _rule(_mapping(recurrence, "pattern"), start)
        rule = _with_end(rule, _mapping(recurrence, "range"))
    except _Unreadable as trouble:
        return refusal("RR23", str(trouble))
    return canonical(rule, _plain_date(start)) or refusal("empty-recurrence")


def to_graph(rule: Recurrence, start: date, zone: str) -> dict[str, object]:
    """
    The whole `patternedRecurrence`, as a create or an update sends it.

    `firstDayOfWeek` is always given for weekly patterns, since Graph's default is sunday and RFC
    5545's is monday; `recurrenceTimeZone` too, since a zone other than the event's breaks a series.

    Args: start: the local start date. zone: the zone sent in the event's `start`.
    """
    return {"pattern": _pattern(rule), "range": _range(rule, _plain_date(start), zone)}


def _plain_date(start: date) -> date:
    return start.date() if isinstance(start, datetime) else start


def _rule(pattern: Mapping[str, object], start: date) -> Recurrence:
    kind = _word(pattern, "type", TYPES)
    interval = _number(pattern, "interval", LARGEST_NUMBER)
    match kind:
        case "daily":
            return Recurrence(kind, interval)
        case "weekly":
            days = _days(pattern) or (WEEKDAYS[start.weekday()],)
            first = _word(pattern, "firstDayOfWeek", {day: day for day in WEEKDAYS}, "sunday")
            return Recurrence(kind, interval, days=days, first_day=first)
        case "absoluteMonthly":
            return Recurrence(kind, interval, day_of_month=_number(pattern, "dayOfMonth", 31))
        case "absoluteYearly":
            day, month = _number(pattern, "dayOfMonth", 31), _number(pattern, "month", 12)
            return Recurrence(kind, interval, day_of_month=day, month=month)
        case "relativeMonthly":
            return Recurrence(kind, interval, days=_listed(pattern), index=_index(pattern))
        case "relativeYearly":
            month = _number(pattern, "month", 12)
            return Recurrence(
                kind, interval, days=_listed(pattern), index=_index(pattern), month=month
            )


def _with_end(rule: Recurrence, span: Mapping[str, object]) -> Recurrence:
    kinds = {"noend": "noEnd", "enddate": "endDate", "numbered": "numbered"}
    match _word(span, "type", kinds):
        case "numbered":
            count = _number(span, "numberOfOccurrences", LARGEST_NUMBER)
            return msgspec.structs.replace(rule, count=count)
        case "endDate":
            return msgspec.structs.replace(rule, until=_end_date(span))
        case _:
            return rule


def _end_date(span: Mapping[str, object]) -> str:
    """The end as an ISO date; an older dialect writes a full time stamp."""
    found = ISO_DATE.match(str(span.get("endDate")))
    if found is None:
        raise _Unreadable("endDate")
    text = found.group(1)
    if text.startswith(UNSET_YEAR):
        return ""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as trouble:
        raise _Unreadable("endDate") from trouble


def _mapping(whole: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = whole.get(name)
    if not isinstance(value, Mapping):
        raise _Unreadable(name)
    return value


def _number(part: Mapping[str, object], name: str, largest: int) -> int:
    value = part.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise _Unreadable(name)
    return value


def _word(
    part: Mapping[str, object], name: str, known: Mapping[str, Word], default: str = ""
) -> Word:
    value = part.get(name) or default
    if not isinstance(value, str) or value.lower() not in known:
        raise _Unreadable(name)
    return known[value.lower()]


def _days(pattern: Mapping[str, object]) -> tuple[str, ...]:
    value = pattern.get("daysOfWeek") or ()
    if not isinstance(value, list | tuple):
        raise _Unreadable("daysOfWeek")
    days = tuple(day.lower() if isinstance(day, str) else "" for day in value)
    if not set(days) <= set(WEEKDAYS):
        raise _Unreadable("daysOfWeek")
    return days


def _listed(pattern: Mapping[str, object]) -> tuple[str, ...]:
    days = _days(pattern)
    if not days:
        raise _Unreadable("daysOfWeek")
    return days


def _index(pattern: Mapping[str, object]) -> str:
    return _word(pattern, "index", {index: index for index in INDEXES}, "first")


def _pattern(rule: Recurrence) -> dict[str, object]:
    pattern: dict[str, object] = {"type": rule.type, "interval": rule.interval}
    if rule.days:
        pattern["daysOfWeek"] = list(rule.days)
    if rule.type == "weekly":
        pattern["firstDayOfWeek"] = rule.first_day or "monday"
    if rule.day_of_month:
        pattern["dayOfMonth"] = rule.day_of_month
    if rule.month:
        pattern["month"] = rule.month
    if rule.index:
        pattern["index"] = rule.index
    return pattern


def _range(rule: Recurrence, start: date, zone: str) -> dict[str, object]:
    span: dict[str, object] = {"startDate": start.isoformat(), "recurrenceTimeZone": zone}
    if rule.count:
        return span | {"type": "numbered", "numberOfOccurrences": rule.count}
    if rule.until:
        return span | {"type": "endDate", "endDate": rule.until}
    return span | {"type": "noEnd"}
