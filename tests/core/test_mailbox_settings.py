"""Days and times as a mailbox's owner writes them."""

from __future__ import annotations

from datetime import date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from syncd.core.free_busy import Hours
from syncd.core.mailbox_settings import shown_day, shown_time

DAY = date(2026, 3, 5)
NOON, MIDNIGHT = datetime(2026, 3, 5, 12, 4), datetime(2026, 3, 5, 0, 30)


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [
        ("yyyy-MM-dd", "2026-03-05"),
        ("dd.MM.yyyy", "05.03.2026"),
        ("M/d/yyyy", "3/5/2026"),
        ("d/M/yy", "5/3/26"),
        ("ddd d MMM yyyy", "Thu 5 Mar 2026"),
        ("d 'de' MMMM 'de' yyyy", "5 de March de 2026"),
        ("", "2026-03-05"),
        ("HH:mm", "2026-03-05"),
        ("d" * 400, "2026-03-05"),
    ],
)
def test_a_day_is_written_as_the_mailbox_has_it(pattern: str, shown: str) -> None:
    """What is no pattern of days is written by ISO 8601."""
    assert shown_day(DAY, pattern) == shown


@pytest.mark.parametrize(
    ("pattern", "noon", "midnight"),
    [
        ("HH:mm", "12:04", "00:30"),
        ("H.mm", "12.04", "0.30"),
        ("h:mm tt", "12:04 PM", "12:30 AM"),
        ("hh:mm t", "12:04 P", "12:30 A"),
        ("", "12:04", "00:30"),
        ("yyyy", "12:04", "00:30"),
    ],
)
def test_a_time_is_written_as_the_mailbox_has_it(pattern: str, noon: str, midnight: str) -> None:
    assert (shown_time(NOON, pattern), shown_time(MIDNIGHT, pattern)) == (noon, midnight)


@given(some.text(max_size=80), some.datetimes())
def test_every_pattern_writes_something(pattern: str, at: datetime) -> None:
    """It comes from the service, and may be anything."""
    assert shown_time(at, pattern)
    assert shown_day(at.date(), pattern)


@pytest.mark.parametrize(
    ("days", "said"),
    [((0, 1, 2, 3, 4), "Mon-Fri "), ((0, 2), "Mon Wed "), ((5, 6), "Sat Sun "), ((), "")],
)
def test_working_hours_are_told_in_short(days: tuple[int, ...], said: str) -> None:
    hours = Hours(days, time(8), time(17), "W. Europe Standard Time")

    assert str(hours) == f"{said}08:00-17:00 (W. Europe Standard Time)"
