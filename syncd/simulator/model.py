"""
What a mailbox holds: items, their overrides, and single events seen through them.

Knows how a series lays out its instances in the zone of the series.
Refuses to know rules of change; those are the mailbox's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

from syncd.simulator import ids
from syncd.simulator.attachments import Attachment
from syncd.simulator.recurrence import Recurrence
from syncd.simulator.zones import Wall

__all__ = ["Actor", "Event", "Item", "Kind", "Mail", "MailKind", "Override", "Signal", "Window"]

Actor = Literal["api", "person"]
Kind = Literal["singleInstance", "seriesMaster", "occurrence", "exception"]
MailKind = Literal[
    "invitation",
    "update",
    "cancellation",
    "response",
    "forward",  # an invitation that somebody passed on
    "forward-notice",  # to the organizer, of an attendee's forward
    "sharing",  # to whom a calendar is shared; about no event
]


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, both ends in UTC and both inclusive, as calendar views count."""

    start: datetime
    end: datetime

    def touches(self, start: datetime, end: datetime) -> bool:
        """Tell whether an event from `start` to `end` is in view."""
        return start <= self.end and end >= self.start


@dataclass(frozen=True, slots=True)
class Mail:
    """
    One mail that the real service would send.

    Args:
        at: aware UTC. event_id: default form, of the instance if it was about one.
        slot: the instance's original day. to: addresses. actor: who caused it.
        response: for kind `response`, the answer given.
    """

    at: datetime
    kind: MailKind
    event_id: str
    ical_uid: str
    subject: str
    to: tuple[str, ...]
    actor: Actor
    comment: str = ""
    slot: date | None = None
    response: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """
    What the owner did about a reminder.

    Args:
        due: the instant at which it would have fired by itself; when that moves, this is void.
        fires: the instant it was put off to; None when it was dismissed.
    """

    due: datetime
    fires: datetime | None


@dataclass(slots=True, eq=False)
class Override:
    """
    An edited instance.

    Args: values: only what differs; start, end, attachments: None follow slot and series.
    """

    change_key: str
    created: datetime
    modified: datetime
    values: dict[str, Any] = field(default_factory=dict)
    start: Wall | None = None
    end: Wall | None = None
    extended: dict[str, tuple[str, str]] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Item:
    """
    A single event or a whole series.

    Args:
        calendar: id of its calendar. default_id: changes on a move; immutable_id does not.
        values: stored properties under their wire names. start, end: as sent.
        original_zones: Windows names, of start and of end.
        cancelled: days of deleted instances, in the zone of the series.
        signals: by the day of an instance; None for a single event.
    """

    calendar: str
    default_id: str
    immutable_id: str
    uid: str
    change_key: str
    created: datetime
    modified: datetime
    values: dict[str, Any]
    start: Wall
    end: Wall
    original_zones: tuple[str, str]
    recurrence: Recurrence | None = None
    overrides: dict[date, Override] = field(default_factory=dict)
    cancelled: set[date] = field(default_factory=set)
    extended: dict[str, tuple[str, str]] = field(default_factory=dict)
    organizer: dict[str, Any] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    signals: dict[date | None, Signal] = field(default_factory=dict)
    alive: bool = True
    rendered: dict[object, bytes] = field(default_factory=dict)

    @property
    def zone(self) -> str:
        """The zone in which the series repeats."""
        if self.recurrence is None or self.values["isAllDay"]:
            return self.start.zone
        return self.recurrence.range.zone or self.start.zone

    def slot_walls(self, slot: date) -> tuple[Wall, Wall]:
        """Return start and end that the pattern gives to a slot."""
        first, last = self.start.seen_from(self.zone), self.end.seen_from(self.zone)
        start = Wall(datetime.combine(slot, first.local.time()), first.zone)
        return start, start.plus(last.local - first.local)

    def is_slot(self, slot: date) -> bool:
        """Tell whether the pattern names that day."""
        if self.recurrence is None:
            return False
        return any(day == slot for day in self.recurrence.slots(slot))

    def live_slots(self, until: date = date.max) -> Iterator[date]:
        """Yield the days of instances that were not deleted, in order."""
        if self.recurrence is not None:
            for day in self.recurrence.slots(until):
                if day not in self.cancelled:
                    yield day

    def instances(self, window: Window) -> Iterator["Event"]:
        """Yield the instances in view: the event itself, or those of the series."""
        if self.recurrence is None:
            yield from (event for event in (Event(self),) if event.in_view(window))
            return
        seen = set()
        for day in self.live_slots(_day_after(window.end)):
            if day in self.overrides or self._slot_in_view(day, window):
                seen.add(day)
                if (event := Event(self, day)).in_view(window):
                    yield event
        for day in sorted(set(self.overrides) - seen):
            if (event := Event(self, day)).in_view(window):
                yield event

    def _slot_in_view(self, day: date, window: Window) -> bool:
        """Skip days far before the window cheaply; an instance may last for days."""
        length = self.end.local - self.start.local
        return day >= (window.start - length - timedelta(days=3)).date()


def _day_after(instant: datetime) -> date:
    try:
        return instant.date() + timedelta(days=2)
    except OverflowError:
        return date.max


@dataclass(frozen=True, slots=True)
class Event:
    """
    One event as the service names it: an item whole, or one day of a series.

    Args: slot: the original day of an occurrence or exception, in the zone of the series.
    """

    item: Item
    slot: date | None = None

    @property
    def override(self) -> Override | None:
        """The edits of this instance, if any."""
        return None if self.slot is None else self.item.overrides.get(self.slot)

    @property
    def kind(self) -> Kind:
        """Graph's `type`."""
        if self.slot is None:
            return "singleInstance" if self.item.recurrence is None else "seriesMaster"
        return "occurrence" if self.override is None else "exception"

    @property
    def id(self) -> str:
        """The id in its default form."""
        return self.id_form(immutable=False)

    @property
    def immutable_id(self) -> str:
        """The id that survives a move."""
        return self.id_form(immutable=True)

    def id_form(self, *, immutable: bool) -> str:
        """Return the id in one of its two forms."""
        whole = self.item.immutable_id if immutable else self.item.default_id
        return whole if self.slot is None else ids.occurrence_id(whole, self.slot)

    @property
    def ical_uid(self) -> str:
        """One value for master, occurrences and exceptions."""
        return self.item.uid

    @property
    def change_key(self) -> str:
        """The version; an unmodified occurrence follows its master."""
        if self.slot is None:
            return self.item.change_key
        if self.override is not None:
            return self.override.change_key
        return ids.occurrence_change_key(self.item.change_key)

    @property
    def start(self) -> Wall:
        """Start on the wall; of a master, that of its first slot."""
        if self.slot is None:
            return self.item.start
        override = self.override
        if override is not None and override.start is not None:
            return override.start
        return self.item.slot_walls(self.slot)[0]

    @property
    def end(self) -> Wall:
        """End on the wall, exclusive."""
        if self.slot is None:
            return self.item.end
        override = self.override
        if override is not None and override.end is not None:
            return override.end
        return self.item.slot_walls(self.slot)[1]

    @property
    def created(self) -> datetime:
        """When it was made, aware UTC."""
        return self.item.created if self.override is None else self.override.created

    @property
    def modified(self) -> datetime:
        """When it was last changed, aware UTC."""
        return self.item.modified if self.override is None else self.override.modified

    @property
    def extended(self) -> dict[str, tuple[str, str]]:
        """Extended properties: normalised id to the id as stored and the value."""
        if self.slot is None:
            return self.item.extended
        return {} if self.override is None else self.override.extended

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """What is attached; an instance shows its series' until it has its own."""
        override = self.override
        own = None if override is None else override.attachments
        return self.item.attachments if own is None else own

    @property
    def values(self) -> dict[str, Any]:
        """All stored properties; an exception's own over its master's."""
        override = self.override
        return self.item.values if override is None else {**self.item.values, **override.values}

    @property
    def subject(self) -> str:
        """The title."""
        subject: str = self.values["subject"]
        return subject

    @property
    def is_meeting(self) -> bool:
        """Whether the owner organises it and somebody else is invited."""
        values = self.values
        return bool(values["isOrganizer"] and values["attendees"])

    def in_view(self, window: Window) -> bool:
        """Tell whether the instance overlaps a window, edges included."""
        return window.touches(self.start.instant, self.end.instant)
