"""Seeds by the thousand, on several processors; the first finding of each kind is told in full."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from time import monotonic

from tests.simulation.run import ran
from tests.simulation.script import drawn
from tests.simulation.shrink import kind_of, shrunk, story

__all__ = ["Found", "search"]

_AT_ONCE = 50


@dataclass(slots=True)
class Found:
    """What some seeds came to; `seeds` with a finding, by its kind."""

    runs: int = 0
    syncs: int = 0
    points: int = 0
    kills: int = 0
    kinds: dict[str, list[int]] = field(default_factory=dict)

    def add(self, other: Found) -> None:
        """Add up."""
        self.runs += other.runs
        self.syncs += other.syncs
        self.points += other.points
        self.kills += other.kills
        for kind, seeds in other.kinds.items():
            self.kinds.setdefault(kind, []).extend(seeds)

    def __str__(self) -> str:
        findings = sum(Counter({kind: len(seeds) for kind, seeds in self.kinds.items()}).values())
        return (
            f"{self.runs} seeds, {self.syncs} syncs, {self.points} points, {self.kills} kills, "
            f"{findings} findings of {len(self.kinds)} kinds"
        )


def _some(first: int, count: int) -> Found:
    found = Found()
    gc.disable()
    for seed in range(first, first + count):
        outcome = ran(drawn(seed))
        found.runs += 1
        found.syncs += outcome.syncs
        found.points += outcome.points
        found.kills += outcome.kills
        if kind := kind_of(outcome):
            found.kinds.setdefault(kind, []).append(seed)
    gc.collect()
    return found


def search(first: int, count: int, jobs: int, minutes: float) -> Iterator[tuple[Found, str]]:
    """
    Run seeds; yields all that was found so far, and the story of what is new, "" where nothing is.

    Args: minutes: no more are begun after these; 0 is no limit.
    """
    end = monotonic() + minutes * 60 if minutes else None
    found = Found()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs or os.cpu_count() or 1, mp_context=spawn) as pool:
        portions = [
            pool.submit(_some, at, min(_AT_ONCE, first + count - at))
            for at in range(first, first + count, _AT_ONCE)
        ]
        for done in as_completed(portions):
            known = set(found.kinds)
            found.add(done.result())
            yield (
                found,
                "\n\n".join(_told(found, kind) for kind in found.kinds if kind not in known),
            )
            if end is not None and monotonic() > end:
                pool.shutdown(cancel_futures=True)
                return


def _told(found: Found, kind: str) -> str:
    script = shrunk(drawn(found.kinds[kind][0]))
    return story(script, ran(script))
