"""
The machine's clocks. Knows how to ask them; what a jump of the wall clock means is for others.
"""

import asyncio
import time
from datetime import UTC, datetime

__all__ = ["SystemClock"]


class SystemClock:
    """The real `Clock`: wall time from the system, waits on the monotonic clock."""

    def now(self) -> datetime:
        """The wall clock, as aware UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Seconds on a clock that never jumps; it stands still while the machine is suspended."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Come back after `seconds`; a pause that is not positive still lets others run."""
        await asyncio.sleep(max(seconds, 0.0))
