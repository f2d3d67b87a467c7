"""
The text of an RRULE as numbers, checked part by part.

Reads RFC 5545 3.3.10 and, of RFC 7529, the gregorian scale. Whatever cannot stand in any pattern of
Graph is refused here (`Refused`); what the parts mean together is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple

from syncd.core.pattern import WEEKDAYS, refusal

__all__ = [
    "DAY_CODES",
    "Refused",
    "Rule",
    "check_times_of_day",
    "lexed",
    "limited",
    "rule_of",
    "unskipped",
]

MOST_INTERVAL_DAYS = 999
MOST_INTERVAL = 99
"""The service's limits (EWS: NumberedRecurrence, IntervalRecurrencePattern)."""

WITHIN_A_DAY = frozenset({"HOURLY", "MINUTELY", "SECONDLY"})

FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})

KNOWN_PARTS = frozenset(
    {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "RSCALE", "SKIP"}
    | {"BYSECOND", "BYMINUTE", "BYHOUR"}
    | {"BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS"}
)

DAY_CODES = tuple(day[:2].upper() for day in WEEKDAYS)
NUMBER = re.compile(r"[+-]?[0-9]{1,6}")
ORDINAL_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")


class Refused(Exception):
    """Ends the reading of a rule; carries the answer."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.answer = refusal(code, detail)


class Rule(NamedTuple):
    """The parts that select dates, as sorted tuples of numbers; an ordinal of 0 is none."""

    freq: str
    interval: int = 1
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    days: tuple[tuple[int, int], ...] = ()
    positions: tuple[int, ...] = ()
    week_start: int = 0


def lexed(value: str) -> dict[str, str]:
    """The parts by name, in upper case; X- parts are left out, as they select nothing."""
    parts: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in value.upper().split(";"))):
        name, equals, text = (piece.strip() for piece in part.partition("="))
        if name.startswith("X-"):
            continue
        if name not in KNOWN_PARTS or not equals or not text or name in parts:
            raise Refused("RR23", name[:20] if name.isascii() and name.isalpha() else "")
        parts[name] = text
    if parts.get("FREQ") in WITHIN_A_DAY:
        raise Refused("RR01")
    if parts.get("FREQ") not in FREQUENCIES:
        raise Refused("RR23", "FREQ")
    return parts


def _numbers(parts: Mapping[str, str], name: str, low: int, high: int) -> tuple[int, ...]:
    """A list part, sorted and without repetitions; its members' size is `low` to `high`."""
    texts = [text.strip() for text in parts[name].split(",")] if name in parts else []
    if not all(NUMBER.fullmatch(text) for text in texts):
        raise Refused("RR23", name)
    numbers = tuple(sorted({int(text) for text in texts}))
    if any(not low <= abs(number) <= high for number in numbers):
        raise Refused("RR23", name)
    return numbers


def limited(parts: Mapping[str, str], name: str, most: int) -> int:
    """INTERVAL or COUNT, 0 if it is not given."""
    text = parts.get(name)
    if text is None:
        return 0
    if re.fullmatch(r"[+-]?[0-9]+", text) is None:
        raise Refused("RR23", name)
    if len(text) > 6 or not 1 <= int(text) <= most:
        raise Refused("RR19", name)
    return int(text)


def _ordinal_days(parts: Mapping[str, str]) -> tuple[tuple[int, int], ...]:
    """BYDAY as (ordinal, weekday) pairs."""
    texts = parts["BYDAY"].split(",") if "BYDAY" in parts else []
    found = [ORDINAL_DAY.fullmatch(text.strip()) for text in texts]
    days = {(int(one[1] or 0), DAY_CODES.index(one[2])) for one in found if one}
    if None in found or any(one is not None and one[1] and not int(one[1]) for one in found):
        raise Refused("RR23", "BYDAY")
    return tuple(sorted(days))


def check_times_of_day(parts: Mapping[str, str], start: date) -> None:
    """
    Times in the rule must say what the start says anyway.

    RFC 5545 3.3.10: with a DATE start they are to be ignored.
    """
    if not isinstance(start, datetime):
        return
    clock = {"BYHOUR": (start.hour, 23), "BYMINUTE": (start.minute, 59)}
    clock["BYSECOND"] = (start.second, 60)
    for name, (own, most) in clock.items():
        given = _numbers(parts, name, 0, most)
        if len(given) > 1:
            raise Refused("RR02")
        if given and given != (own,):
            raise Refused("RR22", name)


def rule_of(parts: Mapping[str, str]) -> Rule:
    freq = parts["FREQ"]
    most = MOST_INTERVAL_DAYS if freq == "DAILY" else MOST_INTERVAL
    week_start = parts.get("WKST", "MO")
    if week_start not in DAY_CODES:
        raise Refused("RR23", "WKST")
    for name, code in (("BYWEEKNO", "RR12"), ("BYYEARDAY", "RR13")):
        if name in parts:
            raise Refused(code)
    return Rule(
        freq,
        limited(parts, "INTERVAL", most) or 1,
        _months(parts),
        _numbers(parts, "BYMONTHDAY", 1, 31),
        _ordinal_days(parts),
        _numbers(parts, "BYSETPOS", 1, 366),
        DAY_CODES.index(week_start),
    )


def _months(parts: Mapping[str, str]) -> tuple[int, ...]:
    if "RSCALE" in parts and "L" in parts.get("BYMONTH", ""):
        raise Refused("RR21", "leap month")
    months = _numbers(parts, "BYMONTH", 1, 12)
    if months and months[0] < 0:
        raise Refused("RR23", "BYMONTH")
    return months


def unskipped(rule: Rule, parts: Mapping[str, str]) -> Rule:
    """RFC 7529 4.1: SKIP=BACKWARD takes the last day of a month that lacks the day."""
    if "SKIP" in parts and "RSCALE" not in parts:
        raise Refused("RR23", "SKIP without RSCALE")
    if parts.get("RSCALE", "GREGORIAN") != "GREGORIAN":
        raise Refused("RR21")
    match parts.get("SKIP", "OMIT"):
        case "OMIT":
            return rule
        case "FORWARD":
            raise Refused("RR21")
        case "BACKWARD" if parts["FREQ"] == "DAILY":
            return rule  # BYMONTHDAY only leaves days out there: none is made that could be missing
        case "BACKWARD":
            return _backward(rule)
        case _:
            raise Refused("RR23", "SKIP")


def _backward(rule: Rule) -> Rule:
    """The same dates without SKIP: the last of 28, 29, ... up to the day."""
    if rule.freq not in {"MONTHLY", "YEARLY"} or rule.days or rule.positions:
        return rule
    match rule.month_days:
        case (int() as day,) if day > 28:
            return rule._replace(month_days=tuple(range(28, day + 1)), positions=(-1,))
        case _:
            return rule
