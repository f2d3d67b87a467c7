"""Answers as values."""

from __future__ import annotations

import pytest

from syncd.core.wire.exchange import Answer


@pytest.mark.parametrize(
    ("status", "is_success"), [(199, False), (200, True), (204, True), (299, True), (300, False)]
)
def test_a_success_has_a_status_of_two_hundred_and_something(status: int, is_success: bool) -> None:
    assert Answer(status, {}, b"").is_success is is_success
