"""
Durations as people write them in the configuration: a whole number and one unit, "90s" or "6h".

Knows the units and the longest span that calendar arithmetic survives; does not know what a
duration is for, nor which ones make sense where.
"""

import re

__all__ = ["MOST_S", "UNITS_S", "format_duration", "parse_duration"]

UNITS_S = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
"""Seconds in each unit, the largest first."""

MOST_S = 36_500 * UNITS_S["d"]
"""A hundred years: beyond it a date minus a duration may fall out of the calendar."""

_WRITTEN = re.compile(r"([0-9]{1,12})([smhd])")


def parse_duration(text: str) -> int:
    """
    Return the seconds that `text` ("90s", "5m", "1h", "90d") stands for, at most `MOST_S`.

    Raises: ValueError: another form, or too long.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError("not a whole number followed by s, m, h or d")
    seconds = int(match[1]) * UNITS_S[match[2]]
    if seconds > MOST_S:
        raise ValueError(f"longer than {format_duration(MOST_S)}")
    return seconds


def format_duration(seconds: int) -> str:
    """Return whole, non-negative `seconds` in the largest unit that tells them exactly."""
    unit = next(unit for unit, size_s in UNITS_S.items() if seconds % size_s == 0)
    return f"{seconds // UNITS_S[unit]}{unit}" if seconds else "0s"
