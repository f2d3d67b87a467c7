"""
Stand-ins for the outside world: public, small, and held to the same contracts as the real things.

Knows the ports only. Nothing here listens, sleeps or writes.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

__all__ = ["FakeClock"]

_START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)  # a Monday


class FakeClock:
    """
    A clock on which waiting costs nothing.

    A sleep moves the time to its end and yields once; sleeps that run side by side end with the
    longest. `slept` lists what was asked for, in seconds.
    """

    def __init__(self, start: datetime = _START) -> None:
        self._wall = start
        self._monotonic_s = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        """The wall clock, as aware UTC."""
        return self._wall

    def monotonic_s(self) -> float:
        """Seconds since this clock was made."""
        return self._monotonic_s

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once, and give the other tasks a turn."""
        self.slept.append(seconds)
        end_s = self._monotonic_s + seconds
        await asyncio.sleep(0)
        self.advance(max(0.0, end_s - self._monotonic_s))

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass, on both clocks."""
        self._monotonic_s += seconds
        self._wall += timedelta(seconds=seconds)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward (or back, if negative), as a person or NTP would."""
        self._wall += timedelta(seconds=seconds)
