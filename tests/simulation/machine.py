"""
The machine syncd runs on, as far as it can fail: its points, its disk, its death.

A point is any moment at which the run touches something outside itself. Points of one sync are
counted; what shall happen at the k-th is given by a hook. Nothing here knows what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

__all__ = ["Clock", "Killed", "Machine", "Time", "finished"]

R = TypeVar("R")


class Killed(BaseException):
    """The process is gone, at once: nothing of it is tidied up."""


@dataclass(slots=True)
class Machine:
    """
    Counts points and calls `hook` at each, unless it is busy with one already.

    Args: hook: told number and kind. full: how many writes to the disk are still to fail.
    """

    hook: Callable[[int, str], None] | None = None
    points: int = 0
    full: int = 0
    busy: bool = False
    trace: list[str] = field(default_factory=list)

    def at(self, kind: str) -> None:
        """A point. Raises: Killed."""
        if self.hook is None or self.busy:
            return
        self.points += 1
        self.busy = True
        try:
            self.hook(self.points, kind)
        finally:
            self.busy = False

    def begin(self, hook: Callable[[int, str], None] | None) -> None:
        """Count anew."""
        self.hook, self.points, self.full = hook, 0, 0

    def disk_is_full(self) -> bool:
        """Whether this write to the disk fails; each costs one failure."""
        if self.full <= 0 or self.busy:
            return False
        self.full -= 1
        return True


@dataclass(slots=True)
class Time:
    """What time it really is, for everybody."""

    wall: datetime
    monotonic_s: float = 0.0

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.monotonic_s += seconds
        self.wall += timedelta(seconds=seconds)

    def now(self) -> datetime:
        """The true time, as aware UTC."""
        return self.wall


@dataclass(slots=True)
class Clock:
    """A machine's clock, which may be wrong by `off_s` (`ports.Clock`)."""

    time: Time
    machine: Machine
    off_s: float = 0.0

    def now(self) -> datetime:
        """The wall clock."""
        return self.time.wall + timedelta(seconds=self.off_s)

    def monotonic_s(self) -> float:
        """Seconds on a clock that never jumps."""
        return self.time.monotonic_s

    async def sleep(self, seconds: float) -> None:
        """Let the time pass, and others act meanwhile."""
        self.machine.at("sleep")
        self.time.pass_(max(0.0, seconds))


def finished(work: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine that never has to wait for anything."""
    try:
        while True:
            work.send(None)
    except StopIteration as end:
        found: R = end.value
        return found
