"""The machine's clocks, behind the port."""

import asyncio
from datetime import UTC, timedelta

from syncd.clock import SystemClock
from syncd.ports import Clock


def test_it_is_a_clock() -> None:
    """The type checker and the program agree that this is a Clock."""
    clock: Clock = SystemClock()

    assert clock.now().tzinfo is UTC
    assert timedelta(0) == clock.now().utcoffset()


def test_monotonic_time_never_goes_back() -> None:
    """A later look is never earlier."""
    looks = [SystemClock().monotonic_s() for _ in range(1000)]

    assert sorted(looks) == looks


async def test_no_pause_still_lets_others_run() -> None:
    """A pause of nothing, or less, gives the turn away once."""
    seen: list[str] = []
    other = asyncio.create_task(_append(seen))

    await SystemClock().sleep(-1)

    assert seen == ["other"]
    await other


async def _append(seen: list[str]) -> None:
    seen.append("other")
