"""
When a request may go out: the service's pauses, back-off, patience, and four at a time.

Knows time only through the clock it is given, and the pauses through their port. Refuses to know
what is sent.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import Random

from syncd.core.errors import SyncdError, Throttled
from syncd.core.pauses import LONGEST_PAUSE_S, later_end, pause_left_s
from syncd.ports import Clock, Pauses

__all__ = [
    "LONGEST_PAUSE_S",
    "Gate",
    "Lane",
    "NoPauses",
    "Patience",
    "asked_pause_s",
    "backoff_s",
    "http_date",
]

SHORTEST_PAUSE_S = 1.0  # a date that is nearly reached must not make us hammer
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 60.0
# Graph documentation, page "Throttling limits": four concurrent requests per app and mailbox.
MOST_IN_FLIGHT = 4
_SECONDS = re.compile(r"(\d+)(\.\d*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait in all without an answer that counts, in seconds, before giving up."""

    most_s: float


def asked_pause_s(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """
    Return the pause that the service asks for, in seconds, at most `LONGEST_PAUSE_S`.

    Args: headers: `retry-after` is seconds or an HTTP date (RFC 9110 section 10.2.3). now: aware
    UTC. None if it is absent, unreadable or not in the future: then back-off decides.
    """
    text = headers.get("retry-after", "").strip()
    seconds = _SECONDS.fullmatch(text)
    if seconds:
        # More digits than any pause has; int() would refuse a number of thousands of them.
        asked = float(text) if len(text) < 12 else LONGEST_PAUSE_S
    else:
        date = http_date(text)
        asked = (date - now).total_seconds() if date else 0.0
    return min(max(asked, SHORTEST_PAUSE_S), LONGEST_PAUSE_S) if asked > 0 else None


def http_date(text: str) -> datetime | None:
    """Return an HTTP date (RFC 9110 section 5.6.7) as aware UTC; None if it is none."""
    try:
        date = parsedate_to_datetime(text)
        # "-0000" leaves the zone open; HTTP dates are always UTC.
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def backoff_s(tries: int, rng: Random) -> float:
    """Return how long to rest after the `tries`-th failure in a row: doubling, with jitter."""
    ceiling_s: float = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(tries - 1, 16))
    return ceiling_s * rng.uniform(0.5, 1.0)


class NoPauses:
    """Pauses that this process alone remembers."""

    def __init__(self) -> None:
        self._until: datetime | None = None

    async def until(self) -> datetime | None:
        """The end of the pause as aware UTC, or None."""
        return self._until

    async def extend(self, until: datetime) -> None:
        """Keep the later of `until` and what is known, unless that was noted by a clock ahead."""
        self._until = later_end(self._until, until)


class Lane:
    """At most four requests of a mailbox side by side; a batch takes the whole lane."""

    def __init__(self, width: int = MOST_IN_FLIGHT) -> None:
        self._width = width
        self._slots = asyncio.Semaphore(width)
        self._whole = asyncio.Lock()  # two batches that hold two slots each would wait for ever

    @asynccontextmanager
    async def take(self, *, whole: bool) -> AsyncIterator[None]:
        """Hold one slot, or all of them, until the block ends."""
        if not whole:
            async with self._slots:
                yield
            return
        async with self._whole:
            taken = 0
            try:
                while taken < self._width:
                    await self._slots.acquire()
                    taken += 1
                yield
            finally:
                for _ in range(taken):
                    self._slots.release()


class Gate:
    """
    The one pause of a mailbox, and the patience that is left.

    Waits that overlap are counted once: four requests that wait for the same pause wait as long
    as one does.
    """

    def __init__(self, pauses: Pauses, clock: Clock, patience: Patience, rng: Random) -> None:
        self._pauses, self._clock, self._patience, self._rng = pauses, clock, patience, rng
        self._waited_s = 0.0
        self._counted_until_s = 0.0  # monotonic

    async def pass_through(self) -> None:
        """
        Come back when the pause is over.

        Raises: Throttled: it ends beyond the patience that is left.
        """
        while (left_s := await self._left_s()) > 0:
            if not self._spend(left_s):
                raise Throttled(
                    f"the service asked for a pause, {left_s:.0f} s of it are left", pause_s=left_s
                )
            await self._clock.sleep(left_s)

    async def throttled(self, headers: Mapping[str, str], tries: int) -> None:
        """Begin or lengthen the pause after the `tries`-th refusal of the same request."""
        now = self._clock.now()
        pause_s = asked_pause_s(headers, now=now) or backoff_s(tries, self._rng)
        await self._pauses.extend(now + timedelta(seconds=pause_s))

    async def asked(self, headers: Mapping[str, str]) -> None:
        """Begin or lengthen the pause if the answer names one."""
        now = self._clock.now()
        pause_s = asked_pause_s(headers, now=now)
        if pause_s is not None:
            await self._pauses.extend(now + timedelta(seconds=pause_s))

    async def rest(self, tries: int, cause: SyncdError) -> None:
        """
        Rest after the `tries`-th failure of a request.

        Raises: `cause` itself, when the patience does not reach that far.
        """
        pause_s = backoff_s(tries, self._rng)
        if not self._spend(pause_s):
            raise cause
        await self._clock.sleep(pause_s)

    def progressed(self) -> None:
        """Something was answered for good: patience begins anew."""
        self._waited_s = 0.0

    async def _left_s(self) -> float:
        return pause_left_s(await self._pauses.until(), self._clock.now())

    def _spend(self, seconds: float) -> bool:
        now_s = self._clock.monotonic_s()
        end_s = now_s + seconds
        more_s = max(0.0, end_s - max(now_s, self._counted_until_s))
        if self._waited_s + more_s > self._patience.most_s:
            return False
        self._waited_s += more_s
        self._counted_until_s = max(self._counted_until_s, end_s)
        return True
