"""Pauses that the service asked for, under clocks that are wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from syncd.core.pauses import LONGEST_PAUSE_S, later_end, pause_left_s

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LONGEST = timedelta(seconds=LONGEST_PAUSE_S)


@pytest.mark.parametrize(
    ("end", "left_s"),
    [
        (None, 0.0),
        (NOW - timedelta(seconds=1), 0.0),
        (NOW + timedelta(seconds=30), 30.0),
        (NOW + LONGEST, LONGEST_PAUSE_S),
        (NOW + LONGEST + timedelta(seconds=1), 0.0),
        (NOW + timedelta(days=40), 0.0),
    ],
)
def test_a_pause_is_never_longer_than_any_that_can_be_asked_for(
    end: datetime | None, left_s: float
) -> None:
    """An end further ahead was noted by a clock that was ahead: it holds up nothing."""
    assert pause_left_s(end, NOW) == left_s


@pytest.mark.parametrize(
    ("known", "counts"),
    [
        (None, NOW),
        (NOW - timedelta(seconds=5), NOW),
        (NOW + timedelta(seconds=5), NOW + timedelta(seconds=5)),
        (NOW + timedelta(days=40), NOW),
    ],
)
def test_a_new_pause_counts_beside_an_end_that_a_clock_ahead_has_noted(
    known: datetime | None, counts: datetime
) -> None:
    """The later end counts, unless no pause can end so late: then it would hide the new one."""
    assert later_end(known, NOW) == counts
