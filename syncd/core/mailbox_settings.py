"""
What a mailbox says of its owner's days besides the zone: working hours, and how dates are written.

Knows the patterns of Graph's `dateFormat` and `timeFormat`, which are those of .NET ("Custom date
and time format strings"); names of days and months are English ones, as everywhere in syncd.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Final

import msgspec

from syncd.core.free_busy import Hours

__all__ = ["MailboxSettings", "shown_day", "shown_time"]

ISO_DAY: Final = "yyyy-MM-dd"
SHORT_TIME: Final = "HH:mm"
LONGEST_PATTERN: Final = 64
"""Characters; a longer pattern is no pattern of a person's."""


class MailboxSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """`hours` is None where they are not known, a format "" where the mailbox tells none."""

    hours: Hours | None = None
    date_format: str = ""
    time_format: str = ""


_TOKEN = re.compile(r"'([^']*)'|\\(.)|(d{1,4}|M{1,4}|y{1,5}|HH?|hh?|mm?|ss?|tt?)|(.)", re.DOTALL)

_PARTS: Final[Mapping[str, Callable[[datetime], str]]] = {
    "d": lambda at: str(at.day),
    "dd": lambda at: f"{at.day:02}",
    "ddd": lambda at: f"{at:%a}",
    "dddd": lambda at: f"{at:%A}",
    "M": lambda at: str(at.month),
    "MM": lambda at: f"{at.month:02}",
    "MMM": lambda at: f"{at:%b}",
    "MMMM": lambda at: f"{at:%B}",
    "y": lambda at: str(at.year % 100),
    "yy": lambda at: f"{at.year % 100:02}",
    "H": lambda at: str(at.hour),
    "HH": lambda at: f"{at.hour:02}",
    "h": lambda at: str(at.hour % 12 or 12),
    "hh": lambda at: f"{at.hour % 12 or 12:02}",
    "m": lambda at: str(at.minute),
    "mm": lambda at: f"{at.minute:02}",
    "s": lambda at: str(at.second),
    "ss": lambda at: f"{at.second:02}",
    "t": lambda at: "A" if at.hour < 12 else "P",
    "tt": lambda at: "AM" if at.hour < 12 else "PM",
}


def shown_day(day: date, pattern: str) -> str:
    """A day as the mailbox's owner writes it; by ISO 8601 where there is no such pattern."""
    at = datetime.combine(day, time())
    return _shown(at, pattern, "dMy") or _shown(at, ISO_DAY, "dMy")


def shown_time(at: datetime, pattern: str) -> str:
    """A wall time as the mailbox's owner writes it; hours of the day and minutes without one."""
    return _shown(at, pattern, "hHmst") or _shown(at, SHORT_TIME, "hHmst")


def _shown(at: datetime, pattern: str, letters: str) -> str:
    """By a pattern that has no other letters than these; "" for any other."""
    if len(pattern) > LONGEST_PATTERN:
        return ""
    parts = []
    for quoted, escaped, token, other in _TOKEN.findall(pattern):
        if token and token[0] not in letters:
            return ""
        part = _PARTS.get(token, _year) if token else None
        parts.append(part(at) if part is not None else quoted or escaped or other)
    return "".join(parts).strip()


def _year(at: datetime) -> str:
    return f"{at.year:04}"
