"""
The occurrences of stored items in a span of time, for reading offline.

Knows how items become occurrences, in whose zone they are told, and in which order. Reads no file
and no service: what is stored is what is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from syncd.core.event import AllDay, Event, Item, Timed, When, effective, slot_of
from syncd.core.recurrence import occurrences
from syncd.core.zones import UTC_ZONE, instant, windows_zone

__all__ = ["Moment", "Span", "moment_of", "moments_of"]

LONGEST_MARGIN_DAYS = 400  # an occurrence that began earlier than that is not looked for


@dataclass(frozen=True, slots=True)
class Span:
    """From the start of one day to the end of another, both in `zone`."""

    first: date
    last: date
    zone: tzinfo

    @property
    def start(self) -> datetime:
        """The instant at which the first day begins."""
        return datetime.combine(self.first, time(), self.zone)

    @property
    def end(self) -> datetime:
        """The instant at which the last day ends."""
        return datetime.combine(self.last + timedelta(days=1), time(), self.zone)


@dataclass(frozen=True, slots=True)
class Moment:
    """One occurrence; `start` and `end` are aware, in the zone it is told in, or bare days."""

    start: datetime
    end: datetime
    all_day: bool
    event: Event

    @property
    def order(self) -> tuple[datetime, bool, datetime, str]:
        """By start, whole days first."""
        return (self.start, not self.all_day, self.end, self.event.subject)


def moments_of(item: Item, span: Span) -> Iterator[Moment]:
    """The occurrences of an item that touch the span, in no order."""
    for event in _events(item, span):
        moment = _moment(event, span.zone)
        if moment is None:
            continue
        # What takes no time at all still stands at its start.
        end = max(moment.end, moment.start + timedelta(microseconds=1))
        if moment.start < span.end and end > span.start:
            yield moment


def moment_of(item: Item, slot: date | None, zone: tzinfo) -> Moment | None:
    """One occurrence, or, without a slot, the event or the first of the series."""
    return _moment(item.master if slot is None else effective(item, slot), zone)


def _events(item: Item, span: Span) -> Iterator[Event]:
    if item.recurrence is None:
        yield item.master
        return
    start = slot_of(item.master.when)
    margin = timedelta(days=min(_days(item.master.when) + 2, LONGEST_MARGIN_DAYS))
    moved = set(item.overrides) - item.cancelled
    for slot in occurrences(item.recurrence, start, from_date=_earlier(span.first, margin)):
        if slot > span.last + timedelta(days=2):
            break
        if slot not in item.cancelled and slot not in moved:
            yield effective(item, slot)
    # An override may have been moved here from any other time.
    for slot in moved:
        yield effective(item, slot)


def _days(when: When) -> int:
    return (when.end - when.start).days + 1


def _earlier(day: date, by: timedelta) -> date:
    return day - by if day - date.min > by else date.min


def _moment(event: Event, zone: tzinfo) -> Moment | None:
    match event.when:
        case AllDay(start, end):
            first, last = (datetime.combine(day, time(), zone) for day in (start, end))
            return Moment(first, last, True, event)
        case Timed(start, start_zone, end, end_zone):
            try:
                first = instant(start, windows_zone(start_zone) or UTC_ZONE).astimezone(zone)
                last = instant(end, windows_zone(end_zone) or UTC_ZONE).astimezone(zone)
            except (OverflowError, ValueError):
                return None  # the ends of the calendar have no instant in every zone
            return Moment(first, max(first, last), False, event)
