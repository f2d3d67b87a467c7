"""A chain of delta pages that never ends is noticed."""

from __future__ import annotations

import msgspec
import pytest

from syncd.core.delta import MOST_EMPTY_PAGES, Endless, LoopGuard


def test_hundreds_of_empty_pages_in_a_row_are_endless() -> None:
    """Each has a fresh link, so that only their number tells."""
    guard = LoopGuard()
    for number in range(MOST_EMPTY_PAGES):
        guard.check([], f"link-{number}")

    with pytest.raises(Endless):
        guard.check([], "one-more")


def test_empty_pages_between_others_are_not_endless() -> None:
    """Graph skips what it filters out: only those in a row are counted."""
    guard = LoopGuard()
    for number in range(3):
        for empty in range(MOST_EMPTY_PAGES):
            guard.check([], f"link-{number}-{empty}")
        guard.check([msgspec.Raw(b'{"id":"%d"}' % number)], f"link-{number}")
