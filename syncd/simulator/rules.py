"""
What makes an event's times legal, and how a write settles into stored values.

Knows the rules for all-day events, series starts, neighbours of an occurrence and online
meetings. Pure: it looks at values and returns values.
"""

from collections.abc import Mapping
from datetime import date, time, timedelta
from typing import Any

from syncd.simulator import bodies
from syncd.simulator.errors import ServiceError, invalid_property, invalid_request
from syncd.simulator.model import Event, Item
from syncd.simulator.recurrence import Recurrence
from syncd.simulator.zones import Wall

__all__ = [
    "FAR",
    "check_neighbours",
    "check_times",
    "fit_series",
    "online_values",
]

ONE_DAY = timedelta(days=1)
FAR = date(9990, 1, 1)


def check_times(start: Wall, end: Wall, *, all_day: bool) -> None:
    """
    Check an event's start and end together.

    Raises: ServiceError: 400 for an end before the start, or an all-day event that is not whole
        days in one zone (Graph "event resource type", isAllDay).
    """
    if all_day:
        _check_days(start, end)
    elif end.instant < start.instant:
        raise invalid_property("The event's end time must not be before its start time.")


def _check_days(start: Wall, end: Wall) -> None:
    if start.local.time() != time() or end.local.time() != time():
        raise invalid_property(
            "The Event.Start and Event.End properties of an all-day event must be set to midnight."
        )
    if start.zone.casefold() != end.zone.casefold():
        raise invalid_property("An all-day event must start and end in the same time zone.")
    if end.local - start.local < ONE_DAY:
        raise invalid_property(
            "The duration of an event marked as All day must be at least 24 hours."
        )


def fit_series(
    series: Recurrence, start: Wall, end: Wall, *, all_day: bool, sent: bool
) -> tuple[Recurrence, Wall, Wall]:
    """
    Return a series whose range, start and end begin on its first real day.

    Args: sent: whether the range came with this write; else it follows the start.
    Raises: ServiceError: 400 when `startDate` is not the day of `start`.
    """
    zone = start.zone if all_day else (series.range.zone or start.zone)
    day = start.seen_from(zone).local.date()
    if sent and series.range.start not in (day, start.local.date()):
        raise invalid_property("The recurrence range's startDate must be the event's start date.")
    fitted = series.starting(day)
    first = fitted.first()
    if first is None:
        raise invalid_property("The recurrence pattern has no occurrence within its range.")
    shift = first - day
    return fitted.starting(first), start.plus(shift), end.plus(shift)


def check_neighbours(item: Item, slot: date, start: Wall) -> None:
    """
    Check that a moved occurrence stays between its neighbours, by days in the series' zone.

    Raises: ServiceError: 400 ErrorOccurrenceCrossingBoundary (Graph "Update event").
    """
    day = start.seen_from(item.zone).local.date()
    before, after = _neighbours(item, slot)
    if (before is not None and day <= before) or (after is not None and day >= after):
        raise ServiceError(
            400,
            "ErrorOccurrenceCrossingBoundary",
            "Modified occurrence is crossing or overlapping adjacent occurrence.",
        )


def _neighbours(item: Item, slot: date) -> tuple[date | None, date | None]:
    before: date | None = None
    for day in item.live_slots(FAR):
        if day < slot:
            before = day
        elif day > slot:
            return _day_of(item, before), _day_of(item, day)
    return _day_of(item, before), None


def _day_of(item: Item, slot: date | None) -> date | None:
    if slot is None:
        return None
    return Event(item, slot).start.seen_from(item.zone).local.date()


def online_values(old: Mapping[str, Any], new: Mapping[str, Any], mint_url: str) -> dict[str, Any]:
    """
    Return what a write does to the online meeting, beside the values it names.

    A meeting once made cannot be switched off or changed; a body sent without the join link
    loses it (Graph "Update event").
    """
    merged = {**old, **new}
    if old["onlineMeeting"] is not None:
        fixed = {"isOnlineMeeting": True, "onlineMeetingProvider": old["onlineMeetingProvider"]}
        lost = "body" in new and not bodies.join_url_in(new["body"], _url(old))
        return {**fixed, "onlineMeeting": None} if lost else fixed
    if old["isOnlineMeeting"]:
        return {"isOnlineMeeting": True, "onlineMeetingProvider": old["onlineMeetingProvider"]}
    if not merged["isOnlineMeeting"]:
        return {}
    provider = merged["onlineMeetingProvider"]
    return {
        "onlineMeetingProvider": "teamsForBusiness" if provider == "unknown" else provider,
        "onlineMeeting": {"joinUrl": mint_url},
        "body": bodies.with_join_block(merged["body"], mint_url),
    }


def _url(values: Mapping[str, Any]) -> str:
    url: str = values["onlineMeeting"]["joinUrl"]
    return url


def need_times(start: Wall | None, end: Wall | None) -> tuple[Wall, Wall]:
    """Return both times of a new event. Raises: ServiceError: 400 when one is missing."""
    if start is None or end is None:
        raise invalid_request("The event's start and end are required.")
    return start, end
