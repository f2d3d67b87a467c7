"""
Pauses that the service asked for, kept as the time of their end, and clocks that were wrong.

A pause is noted by a wall clock. One that was ahead by a month would silence a mailbox for a month
after it was set right: an end that no pause can have says nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

__all__ = ["LONGEST_PAUSE_S", "later_end", "pause_left_s"]

# Outlook answers with minutes at most. A longer figure is a mistake or malice that would silence a
# mailbox for days; asking again after an hour costs at most one more 429.
LONGEST_PAUSE_S = 3600.0
_LONGEST = timedelta(seconds=LONGEST_PAUSE_S)


def pause_left_s(until: datetime | None, now: datetime) -> float:
    """How much of a pause is left, in seconds; 0 when it is over, or noted by a clock ahead."""
    if until is None or not now < until <= now + _LONGEST:
        return 0.0
    return (until - now).total_seconds()


def later_end(known: datetime | None, until: datetime) -> datetime:
    """
    The end that counts of two, the second noted just now.

    It is the later one, unless that lies further ahead than any pause that begins now can.
    """
    if known is None or known > until + _LONGEST:
        return until
    return max(known, until)
