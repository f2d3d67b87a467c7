"""
The deletion guard: what is too much to be believed at once.

A side that suddenly has nothing, or deletions that add up within the hour beyond both limits, are
held, whole, until a person says so.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EMPTIED_FROM", "DeletionLimit", "Emptied", "TooMany", "Verdict", "judge"]

EMPTIED_FROM = 3
"""From this many known items on, the loss of all of them is suspicious."""


@dataclass(frozen=True, slots=True)
class DeletionLimit:
    """Both must be exceeded: `most` deletions, and `percent` of the items known an hour ago."""

    most: int = 10
    percent: float = 10.0

    def exceeded(self, deletions: int, *, known: int) -> bool:
        """Whether so many deletions within the hour, of so many items, are too many."""
        return deletions > self.most and deletions * 100 > self.percent * known


@dataclass(frozen=True, slots=True)
class Emptied:
    """One side lost everything it had."""

    known: int


@dataclass(frozen=True, slots=True)
class TooMany:
    """The deletions of the last hour, these included, exceed the limit."""

    within_hour: int
    known: int


Verdict = Emptied | TooMany | None


def judge(
    planned: int,
    *,
    vanished: int,
    recent: int,
    known_now: int,
    limit: DeletionLimit,
    had: int | None = None,
) -> Verdict:
    """
    Judge the deletions planned for one calendar and side.

    Args:
        planned: deletions of this round. recent: deletions of the hour before it.
        vanished: what is gone from that side, whatever is planned for it: a deletion that waits for
            other reasons, and what is put back, have left the side as empty.
        known_now: items of the calendar, without the recent deletions.
        had: of `known_now`, what that side had before; all, if not given.
    """
    if vanished == 0:
        return None
    had = known_now if had is None else had
    if vanished >= had and vanished >= EMPTIED_FROM:
        return Emptied(had)
    if planned and limit.exceeded(planned + recent, known=known_now + recent):
        return TooMany(planned + recent, known_now + recent)
    return None
