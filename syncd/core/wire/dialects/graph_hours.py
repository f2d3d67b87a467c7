"""Working hours as Graph tells them, of oneself in the settings, of others in schedules."""

from __future__ import annotations

from datetime import time
from typing import Any

import msgspec

from syncd.core.free_busy import WEEKDAYS, Hours
from syncd.core.zones import windows_zone

__all__ = ["WorkingHours", "read_hours"]


class _Zone(msgspec.Struct, rename="camel"):
    name: str | None = ""
    bias: int | None = None
    daylight_offset: dict[str, Any] | None = None


class WorkingHours(msgspec.Struct, rename="camel"):
    """Graph resource type "workingHours"."""

    days_of_week: list[str] | None = None
    start_time: str | None = None
    end_time: str | None = None
    time_zone: _Zone | None = None


def read_hours(said: WorkingHours | None) -> Hours | None:
    """Working hours, None where they are not told or in a clock that nobody here can read."""
    if said is None or said.start_time is None or said.end_time is None:
        return None
    names = {day.casefold() for day in said.days_of_week or ()}
    days = tuple(number for number, name in enumerate(WEEKDAYS) if name in names)
    try:
        opens, closes = (time.fromisoformat(one[:8]) for one in (said.start_time, said.end_time))
    except ValueError:
        return None
    if opens.tzinfo or closes.tzinfo:
        return None
    zone = said.time_zone or _Zone("UTC")
    name = windows_zone(zone.name or "")
    if name is not None:
        return Hours(days, opens, closes, name)
    return _by_bias(days, opens, closes, zone)


def _by_bias(days: tuple[int, ...], opens: time, closes: time, zone: _Zone) -> Hours | None:
    """A custom zone has its own rules; one that knows no summer time is an offset and no more."""
    # Graph "customTimeZone": the bias is what is added to local time to get UTC, in minutes.
    if zone.bias is None or abs(zone.bias) >= 1440 or zone.daylight_offset:
        return None
    return Hours(days, opens, closes, "", -zone.bias)
