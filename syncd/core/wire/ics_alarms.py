"""Which of a file's alarms is Graph's one reminder, and how many minutes it says."""

from __future__ import annotations

from collections.abc import Container

from syncd.core.event import (
    AllDay,
    Event,
    When,
)
from syncd.core.lines import (
    Component,
    Line,
    param,
)
from syncd.core.wire.ics_slots import parse_duration, parse_wall
from syncd.core.wire.ics_status import upper_value
from syncd.core.wire.ics_times import UTC_INFO, WALL
from syncd.core.zones import (
    WindowsZone,
    zone_info,
)

__all__ = ["alarm_minutes", "read_reminder"]


LEAST_REMINDER_S, MOST_REMINDER_S = -60 * 2**31, 60 * (2**31 - 1)


def read_reminder(component: Component, when: When, base: Event | None) -> int | None:
    repeats = component.first("RRULE") is not None
    minutes = [
        found
        for alarm in component.components("VALARM")
        if (found := _minutes(alarm, when, repeats=repeats)) is not None
    ]
    before = base.reminder_min if base else None
    if before in minutes:
        return before
    return next((found for found in minutes if found >= 0), None)


def alarm_minutes(
    alarm: Component, when: When, *, repeats: bool = False, known: Container[int | None] = ()
) -> int | None:
    """
    Whole minutes before the start at which an alarm goes off; None where Graph cannot say it.

    Args:
        repeats: the event is a series, in which an absolute time means one occurrence only.
        known: reminders that the service holds; after the start (negative) no others count.
    """
    found = _minutes(alarm, when, repeats=repeats)
    return found if found is not None and (found >= 0 or found in known) else None


def _minutes(alarm: Component, when: When, *, repeats: bool) -> int | None:
    """The same, negative after the start: other programs can make Exchange hold such a reminder."""
    line = alarm.first("TRIGGER")
    if line is None or upper_value(alarm, "ACTION") not in ("DISPLAY", "AUDIO"):
        return None
    if alarm.first("RELATED-TO") is not None:  # RFC 9074 snooze alarms are a client's own state
        return None
    if alarm.first("PROXIMITY") is not None or alarm.first("X-APPLE-PROXIMITY") is not None:
        return None  # RFC 9074 8: it goes off at a place, whatever its trigger says
    value = line.value.strip().upper()
    absolute = value[:1].isdigit()
    if absolute and repeats:
        return None
    before_s = _absolute(value, when) if absolute else _relative(line, value, when)
    if before_s is None or not LEAST_REMINDER_S <= before_s <= MOST_REMINDER_S:
        return None
    return -int(-before_s // 60)


def _relative(line: Line, value: str, when: When) -> float | None:
    offset = parse_duration(value)
    if offset is None:
        return None
    before_s = -offset.total_seconds()
    if param(line, "RELATED").upper() == "END":
        before_s -= _length_s(when)
    return before_s


def _absolute(value: str, when: When) -> float | None:
    found = WALL.fullmatch(value)
    wall = parse_wall(found[1]) if found and found[2] else None
    if wall is None or isinstance(when, AllDay):
        return None
    start = when.start.replace(tzinfo=zone_info(WindowsZone(when.start_zone)))
    return start.timestamp() - wall.replace(tzinfo=UTC_INFO).timestamp()


def _length_s(when: When) -> float:
    if isinstance(when, AllDay):
        return (when.end - when.start).total_seconds()
    start = when.start.replace(tzinfo=zone_info(WindowsZone(when.start_zone)))
    end = when.end.replace(tzinfo=zone_info(WindowsZone(when.end_zone)))
    return end.timestamp() - start.timestamp()
