"""
A file's content lines, read into an `Item`.

Reads meaning, never judges rights or decides what is sent. What cannot be expressed on the
service becomes a `Hold` of the smallest group, in which case the item carries the base's value
for that group, so that it compares as unedited. VTIMEZONE blocks never decide a time unless their
TZID is unknown everywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from syncd.core.event import (
    FIRST_YEAR,
    LAST_YEAR,
    AllDay,
    Attendee,
    Changes,
    Event,
    Item,
    Person,
    Timed,
    When,
    differing,
    effective,
    field_meaning,
    meaning,
    one_line,
    plain_address,
    shifted,
    slot_of,
)
from syncd.core.html import tidy
from syncd.core.ids import Uid
from syncd.core.lines import (
    Component,
    Document,
    Line,
    Unreadable,
    param,
    parse,
    split_list,
    unescape,
)
from syncd.core.owner import Owner
from syncd.core.recurrence import Inexpressible, Recurrence, from_rrule, occurs_on
from syncd.core.wire.holds import Hold, hold
from syncd.core.wire.ics_slots import later, parse_day, parse_duration, parse_wall, slot_named
from syncd.core.zones import (
    WindowsZone,
    fixed_offsets,
    windows_zone,
    zone_by_rules,
    zone_info,
)

__all__ = [
    "FileItem",
    "NotAnEvent",
    "Owner",
    "alarm_minutes",
    "floating_zone",
    "is_silent",
    "mail_address",
    "own_lines",
    "quick_uid",
    "read",
    "read_attendee",
    "read_document",
    "stated_response",
    "used_zones",
    "zone_named",
]

UTC = WindowsZone("UTC")
ONE_DAY = timedelta(days=1)
WHEN = frozenset({"when"})
RECURRENCE = frozenset({"recurrence"})
OVERRIDE = frozenset({"override"})
MAX_ATTENDEES = 500
MAX_LINT = 100
MAX_REMINDER_S = 60 * (2**31 - 1)
LONGEST_DAYS = 1825


@dataclass(frozen=True, slots=True)
class NotAnEvent:
    """A calendar object without events (tasks, journals): left alone, and listed."""

    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileItem:
    """
    What a file says.

    `item` is None when a hold concerns what no item can be without (its time) and there is no
    base to stand in. `sends_response` is False where the owner's own line asks for silence.
    """

    uid: Uid
    item: Item | None
    holds: tuple[Hold, ...]
    lint: tuple[str, ...] = ()
    sends_response: bool = True


def quick_uid(data: bytes) -> str:
    """The UID of a file's first event without reading all of it; "" where it is not found so."""
    depth = 0
    for found in _LANDMARK.finditer(data):
        word = found[1].upper()
        if word == b"BEGIN":
            if depth == 0 and found[2].strip().upper() == b"VEVENT":
                depth = 1
            elif depth:
                depth += 1
        elif word == b"END":
            depth = max(depth - 1, 0)
        elif depth == 1:
            value = (
                b"" if data[found.end() : found.end() + 3].lstrip(b"\r")[:2] in _FOLDS else found[2]
            )
            return unescape(value.decode("utf-8", "replace")).strip()
    return ""


_LANDMARK = re.compile(rb"^(BEGIN|END|UID)(?:;[^:\r\n]*)?:([^\r\n]*)", re.MULTILINE | re.IGNORECASE)
_FOLDS = (b"\n ", b"\n\t")


def read(
    data: bytes, owner: Owner, base: Item | None, *, delete_cancelled: bool = False
) -> FileItem | NotAnEvent | Unreadable:
    """
    Read one file.

    Args:
        base: the local projection at the last agreement; decides what is inherited, what a
            dropped line means, and stands in for what is held.
        delete_cancelled: whether an override with STATUS:CANCELLED counts as an EXDATE.
    """
    document = parse(data)
    if isinstance(document, Unreadable):
        return document
    return read_document(document, owner, base, delete_cancelled=delete_cancelled)


def read_document(
    document: Document, owner: Owner, base: Item | None, *, delete_cancelled: bool = False
) -> FileItem | NotAnEvent | Unreadable:
    """The same for a file that is parsed already."""
    sorted_ = _sort(document)
    if not isinstance(sorted_, _Sorted):
        return sorted_
    return _Reader(document, sorted_, owner, base, delete_cancelled).read()


@dataclass(frozen=True, slots=True)
class _Sorted:
    uid: Uid
    master: Component
    overrides: tuple[Component, ...]


_ITIP = frozenset({"REQUEST", "REPLY", "CANCEL", "ADD", "REFRESH", "COUNTER", "DECLINECOUNTER"})
_OTHER = frozenset({"VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY", "VPOLL"})


def _sort(document: Document) -> _Sorted | NotAnEvent | Unreadable:
    calendar = document.calendar
    events = calendar.components("VEVENT")
    others = sorted(
        {p.name for p in calendar.parts if isinstance(p, Component) and p.name in _OTHER}
    )
    if not events:
        return NotAnEvent(tuple(others))
    if others:
        return Unreadable(
            "mixed-components", events[0].begin.number, f"the file holds events and {others[0]}"
        )
    trouble = _calendar_trouble(calendar)
    return trouble or _sort_events(events)


def _calendar_trouble(calendar: Component) -> Unreadable | None:
    method = calendar.first("METHOD")
    if method is not None and method.value.strip().upper() in _ITIP:
        return Unreadable(
            "itip-message", method.number, "the file is a scheduling message (METHOD), not an event"
        )
    scale = calendar.first("CALSCALE")
    if scale is not None and scale.value.strip().upper() != "GREGORIAN":
        return Unreadable("calscale", scale.number, "only the Gregorian calendar can be synced")
    return None


def _sort_events(events: list[Component]) -> _Sorted | Unreadable:
    uids: dict[str, int] = {}
    for event in events:
        for line in event.lines("UID"):
            uids.setdefault(unescape(line.value).strip(), line.number)
        if not event.lines("UID") or "" in uids:
            return Unreadable("no-uid", event.begin.number, "an event has no UID")
    if len(uids) > 1:
        return Unreadable("several-uids", max(uids.values()), "the file holds more than one UID")
    masters = [event for event in events if event.first("RECURRENCE-ID") is None]
    if len(masters) > 1:
        return Unreadable("two-masters", masters[1].begin.number, "the UID stands twice")
    if not masters:
        return Unreadable(
            "no-master", events[0].begin.number, "the file holds overrides without their series"
        )
    overrides = tuple(event for event in events if event is not masters[0])
    return _Sorted(Uid(next(iter(uids))), masters[0], overrides)


class _Held(Exception):
    """Raised inside the reading of one group; becomes a Hold."""

    def __init__(self, code: str, reason: str, line: Line | None, hint: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason, self.hint = code, reason, hint
        self.line = line.number if line else 0


@dataclass(slots=True)
class _Reader:
    document: Document
    sorted: _Sorted
    owner: Owner
    base: Item | None
    delete_cancelled: bool
    holds: list[Hold] = field(default_factory=list)
    lint: list[str] = field(default_factory=list)

    def read(self) -> FileItem:
        base = self.base
        component = self.sorted.master
        for one in (component, *self.sorted.overrides):
            self._lint_lines(one)
        event = self._event(component, "", base.master if base else None)
        silent = _response_silenced(component, self.owner)
        if event is None:
            return FileItem(self.sorted.uid, None, tuple(self.holds), tuple(self.lint))
        item = self._with_slots(self._series(component, event), component)
        return FileItem(
            self.sorted.uid, item, tuple(self.holds), tuple(self.lint), sends_response=not silent
        )

    def _lint_lines(self, component: Component) -> None:
        for part in component.parts:
            if len(self.lint) >= MAX_LINT:
                return
            if isinstance(part, Line) and not part.name and part.raw.strip():
                self.lint.append(f"line {part.number} is no content line; it is kept as it is")

    def _hold(self, trouble: _Held, slot: str, fields: frozenset[str]) -> None:
        self.holds.append(
            hold(
                trouble.code,
                trouble.reason,
                slot=slot,
                fields=fields,
                line=trouble.line,
                hint=trouble.hint,
            )
        )

    # --- one VEVENT --------------------------------------------------------------------------

    def _event(self, component: Component, slot: str, base: Event | None) -> Event | None:
        try:
            when: When = self._when(component, base)
        except _Held as trouble:
            self._hold(trouble, slot, WHEN)
            if base is None:
                return None
            when = base.when
        self._check_place(component, slot)
        people = self._people(component, slot, base)
        return Event(
            when=when,
            subject=one_line(_text(component, "SUMMARY")),
            body=tidy(_text(component, "DESCRIPTION")),
            location=one_line(_text(component, "LOCATION")),
            show_as=_show_as(component, base, invited=bool(people.invited_as)),
            sensitivity=_sensitivity(component),
            importance=_importance(component),
            categories=self._categories(component, slot, base),
            reminder_min=_reminder(component, when, base),
            attendees=people.attendees,
            response=people.response,
            organizer=people.organizer,
            invited_as=people.invited_as,
        )

    def _when(self, component: Component, base: Event | None) -> When:
        start_line = component.first("DTSTART")
        if start_line is None:
            raise _Held("bad-time", "the event has no DTSTART", component.begin)
        start = self._moment(start_line, component)
        when = self._span(component, start_line, start)
        if base is None or when != base.when:  # what the service itself holds is no trouble
            _check_span(when, start_line)
        return when

    def _check_place(self, component: Component, slot: str) -> None:
        lines = component.lines("LOCATION")
        if len({one_line(unescape(line.value)) for line in lines}) > 1:
            trouble = _Held("multiple-location", "LOCATION stands more than once", lines[1])
            self._hold(trouble, slot, frozenset({"location"}))

    def _span(self, component: Component, start_line: Line, start: _Moment) -> When:
        end_line, duration = component.first("DTEND"), component.first("DURATION")
        if end_line is not None and duration is not None:
            raise _Held("dtend-and-duration", "DTEND and DURATION stand together", duration)
        if isinstance(start, date) and not isinstance(start, datetime):
            return _all_day(self, component, start, end_line, duration)
        assert isinstance(start, tuple)
        wall, zone = start
        if end_line is not None:
            end = self._moment(end_line, component)
            if not isinstance(end, tuple):
                raise _Held("mixed-date-types", "DTSTART has a time and DTEND has none", end_line)
            return _maybe_all_day(component, Timed(wall, zone, end[0], end[1]))
        if duration is not None:
            end_wall = later(wall, zone, _duration(duration))
            if end_wall is None:
                raise _Held("year-out-of-range", "the end lies beyond the calendar", duration)
            return Timed(wall, zone, end_wall, zone)
        return Timed(wall, zone, wall, zone)

    def _moment(self, line: Line, component: Component) -> _Moment:
        value = line.value.strip().upper()
        if _DAY.fullmatch(value):
            return _day(value, line)
        found = _WALL.fullmatch(value)
        if found is None:
            raise _Held("bad-time", "the value is no date and no date-time", line)
        wall = _wall(found[1], line)
        tzid = param(line, "TZID")
        if found[2]:
            if tzid and windows_zone(tzid) != UTC:
                raise _Held("z-and-tzid", "a UTC time (Z) stands with a TZID", line)
            return wall, UTC
        if not tzid:
            return wall, floating_zone(self.document, self.owner)
        return self._zoned(wall, tzid, line, component)

    def _zoned(
        self, wall: datetime, tzid: str, line: Line, component: Component
    ) -> tuple[datetime, WindowsZone]:
        if (zone := zone_named(tzid, wall, self.document, self.owner)) is not None:
            return wall, zone
        block = _timezone_block(self.document, tzid)
        if block is None:
            return self._known_elsewhere(wall, tzid, line, component)
        offsets = fixed_offsets(block)
        if offsets is None or component.first("RRULE") is not None:
            raise _Held("zone-not-expressible", "Outlook has no zone with these rules", line)
        return _as_utc(wall, offsets), UTC

    def _known_elsewhere(
        self, wall: datetime, tzid: str, line: Line, component: Component
    ) -> tuple[datetime, WindowsZone]:
        # Antarctica/Troll and the like: the world knows the zone, Windows does not.
        try:
            zone = ZoneInfo(tzid)
        except (KeyError, ValueError, OSError):
            raise _Held("unknown-tzid", "the TZID names no known zone", line) from None
        if component.first("RRULE") is not None:
            raise _Held("zone-not-expressible", "Outlook has no such zone", line)
        return _as_utc(wall, zone), UTC

    def _categories(self, component: Component, slot: str, base: Event | None) -> tuple[str, ...]:
        found: dict[str, str] = {}
        there = {category.casefold() for category in base.categories} if base else set()
        for line in component.lines("CATEGORIES"):
            for category in map(one_line, split_list(line.value)):
                unusable = "," in category or ";" in category
                if unusable and category.casefold() not in there:
                    trouble = _Held("category-separator", "a category holds a separator", line)
                    self._hold(trouble, slot, frozenset({"category"}))
                else:
                    found.setdefault(category.casefold(), category)
        return tuple(found.values())

    def _people(self, component: Component, slot: str, base: Event | None) -> _People:
        people = _read_people(component, self.owner, base)
        if len(people.attendees) > MAX_ATTENDEES:
            line = component.first("ATTENDEE")
            trouble = _Held("too-many-attendees", "the event has more than 500 attendees", line)
            self._hold(trouble, slot, frozenset({"attendees"}))
            kept = base.attendees if base else ()
            return _People(kept, people.response, people.organizer, people.invited_as)
        return people

    # --- the series --------------------------------------------------------------------------

    def _series(self, component: Component, event: Event) -> Item:
        base = self.base
        if any(one.slot == "" and "when" in one.fields for one in self.holds):
            return Item(event, base.recurrence if base else None)
        try:
            return Item(event, _read_rule(component, event))
        except _Held as trouble:
            if base is None or event.when == base.master.when:
                self._hold(trouble, "", RECURRENCE)
                return Item(event, base.recurrence if base else None)
            # A series' time goes to the service together with its rule, or not at all.
            self._hold(trouble, "", RECURRENCE | WHEN)
            return Item(msgspec.structs.replace(event, when=base.master.when), base.recurrence)

    def _with_slots(self, item: Item, component: Component) -> Item:
        if item.recurrence is None:
            for override in self.sorted.overrides:
                if not any(one.fields >= RECURRENCE for one in self.holds):
                    trouble = _Held(
                        "orphan-override",
                        "an override stands in an event that does not repeat",
                        override.begin,
                    )
                    self._hold(trouble, _raw_slot(override), OVERRIDE)
            return item
        cancelled = self._cancelled(item, component)
        overrides = self._overrides(item, cancelled)
        gone = frozenset(cancelled)
        kept = {slot: own for slot, own in overrides.items() if slot not in gone}
        return msgspec.structs.replace(item, overrides=kept, cancelled=gone)

    def _cancelled(self, item: Item, component: Component) -> set[date]:
        slots: set[date] = set()
        for line in component.lines("EXDATE"):
            for value in line.value.split(","):
                slot = slot_named(line, value, item.master.when)
                if slot in slots:
                    continue
                if slot is not None and self._occurs(item, slot):
                    slots.add(slot)
                elif len(self.lint) < MAX_LINT:
                    self.lint.append(f"line {line.number}: EXDATE names no occurrence")
        return slots

    def _occurs(self, item: Item, slot: date) -> bool:
        assert item.recurrence is not None
        return occurs_on(item.recurrence, slot_of(item.master.when), slot)

    def _overrides(self, item: Item, cancelled: set[date]) -> dict[date, Changes]:
        found: dict[date, Changes] = {}
        seen: set[date] = set()
        for component in self.sorted.overrides:
            slot = self._override_slot(component, item, cancelled, found)
            if slot is None:
                continue
            if slot in seen:
                trouble = _Held(
                    "two-overrides", "two overrides stand for one slot", component.begin
                )
                self._hold(trouble, slot.isoformat(), OVERRIDE)
                self._keep_base(slot, cancelled, found)
                continue
            seen.add(slot)
            own = self._override(component, slot, item)
            if own is not None:
                found[slot] = own
        return found

    def _override_slot(
        self, component: Component, item: Item, cancelled: set[date], found: dict[date, Changes]
    ) -> date | None:
        """The slot of an override that takes part in syncing; None if held or cancelled."""
        line = component.first("RECURRENCE-ID")
        assert line is not None
        slot = slot_named(line, line.value, item.master.when)
        trouble = self._override_trouble(component, line, slot, item)
        if trouble is not None:
            self._hold(trouble, slot.isoformat() if slot else _raw_slot(component), OVERRIDE)
            if slot is not None:
                self._keep_base(slot, cancelled, found)
            return None
        assert slot is not None
        return None if self._is_cancelled(component, slot, cancelled) else slot

    def _is_cancelled(self, component: Component, slot: date, cancelled: set[date]) -> bool:
        """STATUS:CANCELLED on an override: a deletion only where the configuration says so."""
        base = self.base
        status = component.first("STATUS")
        if status is None or status.value.strip().upper() != "CANCELLED":
            return False
        if base is not None and _shown_cancelled(base, slot):
            return False
        if self.delete_cancelled:
            cancelled.add(slot)
            return True
        trouble = _Held("cancelled-override", "an override is marked cancelled", status)
        self._hold(trouble, slot.isoformat(), frozenset({"cancelled"}))
        return False

    def _keep_base(self, slot: date, cancelled: set[date], found: dict[date, Changes]) -> None:
        """What is held reads as it was at the last agreement."""
        if self.base is None:
            return
        if slot in self.base.overrides:
            found[slot] = self.base.overrides[slot]
        if slot in self.base.cancelled:
            cancelled.add(slot)

    def _override_trouble(
        self, component: Component, line: Line, slot: date | None, item: Item
    ) -> _Held | None:
        if param(line, "RANGE").upper() == "THISANDFUTURE":
            return _Held("this-and-future", "the override changes all later occurrences too", line)
        if component.lines("RRULE", "RDATE", "EXDATE"):
            return _Held("recurring-override", "an override cannot repeat", component.begin)
        if slot is None or not self._occurs(item, slot):
            return _Held("orphan-override", "the RECURRENCE-ID names no occurrence", line)
        return None

    def _override(self, component: Component, slot: date, item: Item) -> Changes | None:
        plain = msgspec.structs.replace(item.master, when=shifted(item.master.when, slot))
        before = self._base_override(slot)
        event = self._event(component, slot.isoformat(), before or plain)
        if event is None:
            return None
        if not component.components("VALARM") and not self._had_own_reminder(slot):
            inherited = before.reminder_min if before else plain.reminder_min
            event = msgspec.structs.replace(event, reminder_min=inherited)
        if before is None:
            return _pushed_only(differing(event, plain))
        own = self._own(event, before, plain, slot)
        return self._with_guests(own, event, before, plain)

    def _base_override(self, slot: date) -> Event | None:
        if self.base is None or slot not in self.base.overrides:
            return None
        return effective(self.base, slot)

    def _had_own_reminder(self, slot: date) -> bool:
        if self.base is None or slot not in self.base.overrides:
            return False
        return self.base.overrides[slot].reminder_min is not msgspec.UNSET

    def _own(self, event: Event, before: Event, plain: Event, slot: date) -> Changes:
        """What the override owns: an unedited inherited value goes on being inherited."""
        assert self.base is not None
        owned = self.base.overrides[slot]
        own: dict[str, Any] = {}
        for name in _OVERRIDABLE:
            value = getattr(event, name)
            if field_meaning(event, name) == field_meaning(before, name):
                if getattr(owned, name) is not msgspec.UNSET:
                    own[name] = value
            elif field_meaning(event, name) != field_meaning(plain, name):
                own[name] = value
        return Changes(**own)

    def _with_guests(self, own: Changes, event: Event, before: Event, plain: Event) -> Changes:
        """Whoever joins or leaves the series does so here too, where only answers were apart."""
        assert self.base is not None
        guests = meaning("attendees", before.attendees)
        inherits = guests == meaning("attendees", self.base.master.attendees)
        if own.attendees is msgspec.UNSET or not inherits:
            return own
        if meaning("attendees", event.attendees) != guests:
            return own
        answers = {one.address.casefold(): one for one in event.attendees}
        kept = tuple(answers.get(one.address.casefold(), one) for one in plain.attendees)
        return msgspec.structs.replace(own, attendees=kept)


def _shown_cancelled(base: Item, slot: date) -> bool:
    """Whether the service cancelled the occurrence and the file says so (or will lose it)."""
    if slot in base.cancelled:
        return True
    return slot in base.overrides and effective(base, slot).is_cancelled


_OVERRIDABLE = (
    "when",
    "subject",
    "body",
    "location",
    "show_as",
    "sensitivity",
    "importance",
    "categories",
    "reminder_min",
    "attendees",
    "response",
)


def _pushed_only(changes: Changes) -> Changes:
    return Changes(**{name: getattr(changes, name) for name in _OVERRIDABLE})


def own_lines(component: Component, owner: Owner) -> list[Line]:
    """The ATTENDEE lines that name the owner."""
    return [line for line in component.lines("ATTENDEE") if owner.is_own(mail_address(line))]


# --- texts ---


def _text(component: Component, name: str) -> str:
    line = component.first(name)
    return "" if line is None else unescape(line.value)


# --- times ---

_Moment = date | tuple[datetime, WindowsZone]


def _day(value: str, line: Line) -> date:
    day = parse_day(value)
    if day is None:
        raise _Held("bad-time", "there is no such day", line)
    _check_year(day.year, line)
    return day


def _wall(value: str, line: Line) -> datetime:
    wall = parse_wall(value)
    if wall is None:
        raise _Held("bad-time", "there is no such time", line)
    _check_year(wall.year, line)
    return wall


def _check_year(year: int, line: Line) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise _Held("year-out-of-range", "the year is out of range", line)


_DAY = re.compile(r"[0-9]{8}")
_WALL = re.compile(r"([0-9]{8}T[0-9]{6})(Z?)")


def _duration(line: Line) -> timedelta:
    value = parse_duration(line.value)
    if value is None:
        raise _Held("bad-time", "the DURATION cannot be read", line)
    return value


def _all_day(
    reader: _Reader, component: Component, start: date, end_line: Line | None, duration: Line | None
) -> AllDay:
    if end_line is not None:
        end = reader._moment(end_line, component)
        if isinstance(end, tuple):
            raise _Held("mixed-date-types", "DTSTART is a date and DTEND has a time", end_line)
        # Some exporters write the last day itself: a day that ends where it starts is one day.
        return AllDay(start, start + ONE_DAY if end == start else end)
    if duration is not None:
        length = _duration(duration)
        if length % ONE_DAY or length < ONE_DAY:
            raise _Held("date-with-time-duration", "a date lasts whole days", duration)
        if length.days > LONGEST_DAYS:
            raise _Held("too-long", "the event is longer than 1,825 days", duration)
        return AllDay(start, start + length)
    return AllDay(start, start + ONE_DAY)


def _maybe_all_day(component: Component, when: Timed) -> When:
    hint = component.first("X-MICROSOFT-CDO-ALLDAYEVENT")
    if hint is None or hint.value.strip().upper() != "TRUE":
        return when
    midnight = when.start.time() == when.end.time() == datetime.min.time()
    if not midnight or when.start_zone != when.end_zone or when.end <= when.start:
        return when
    return AllDay(when.start.date(), when.end.date())


def _check_span(when: When, line: Line) -> None:
    first, last = (
        (when.start, when.end) if isinstance(when, AllDay) else (when.start.date(), when.end.date())
    )
    _check_year(last.year, line)
    if _ends_first(when):
        raise _Held("ends-before-start", "the event ends before it starts", line)
    if (last - first).days > LONGEST_DAYS:
        raise _Held("too-long", "the event is longer than 1,825 days", line)


def _ends_first(when: When) -> bool:
    if isinstance(when, AllDay):
        return when.end <= when.start
    if when.start_zone == when.end_zone:
        return when.end < when.start
    start = when.start.replace(tzinfo=zone_info(WindowsZone(when.start_zone)))
    return when.end.replace(tzinfo=zone_info(WindowsZone(when.end_zone))) < start


def _as_utc(wall: datetime, zone: Any) -> datetime:
    return datetime.fromtimestamp(wall.replace(tzinfo=zone).timestamp(), _UTC).replace(tzinfo=None)


_UTC = zone_info(UTC)


def zone_named(tzid: str, wall: datetime, document: Document, owner: Owner) -> WindowsZone | None:
    """The zone that a TZID means in this file: by its name, else by the rules of its VTIMEZONE."""
    if (zone := windows_zone(tzid)) is not None:
        return zone
    block = _timezone_block(document, tzid)
    if block is None:
        return None
    until = wall + timedelta(days=400)
    return zone_by_rules(block, first=wall, last=until, preferred=owner.zone)


def floating_zone(document: Document, owner: Owner) -> WindowsZone:
    """The zone of a file's floating times: the calendar's own (X-WR-TIMEZONE), or the mailbox's."""
    line = document.calendar.first("X-WR-TIMEZONE")
    named = windows_zone(unescape(line.value).strip()) if line is not None else None
    return named or owner.zone


def _timezone_block(document: Document, tzid: str) -> list[str] | None:
    for block in document.calendar.components("VTIMEZONE"):
        line = block.first("TZID")
        if line is not None and line.value.strip() == tzid:
            return _flat(block)
    return None


def _flat(component: Component) -> list[str]:
    lines = [f"BEGIN:{component.name}"]
    for part in component.parts:
        if isinstance(part, Component):
            lines.extend(_flat(part))
        elif part.name:
            lines.append(re.sub(rb"\r?\n[ \t]", b"", part.raw).decode().rstrip("\r\n"))
    lines.append(f"END:{component.name}")
    return lines


# --- recurrence ---


def _read_rule(component: Component, event: Event) -> Recurrence | None:
    rules = component.lines("RRULE")
    for name in ("RDATE", "EXRULE", "X-MICROSOFT-RRULE"):
        if (line := component.first(name)) is not None:
            code = "RR18" if name == "RDATE" else "RR17"
            raise _Held(code, f"{name} cannot be kept by Outlook", line, "Make separate events.")
    if len(rules) > 1:
        raise _Held("RR17", "there is more than one RRULE", rules[1], "Make one file a rule.")
    if not rules:
        return None
    rule = from_rrule(rules[0].value.strip(), *_rule_start(event.when))
    if isinstance(rule, Inexpressible):
        raise _Held(rule.code, rule.reason, rules[0], rule.suggestion)
    return rule


def _rule_start(when: When) -> tuple[date | datetime, WindowsZone | None]:
    if isinstance(when, AllDay):
        return when.start, None
    return when.start, WindowsZone(when.start_zone)


def _raw_slot(component: Component) -> str:
    line = component.first("RECURRENCE-ID")
    day = parse_day(line.value.strip()[:8]) if line and line.value[:8].isdigit() else None
    return day.isoformat() if day else "0001-01-01"


# --- free/busy, privacy, priority ---

_BUSY_STATUS: Mapping[str, Any] = {
    "FREE": "free",
    "TENTATIVE": "tentative",
    "BUSY": "busy",
    "OOF": "oof",
    "OUTOFOFFICE": "oof",
    "WORKINGELSEWHERE": "workingElsewhere",
}


def _upper(component: Component, name: str) -> str:
    line = component.first(name)
    return "" if line is None else line.value.strip().upper()


def _show_as(component: Component, base: Event | None, *, invited: bool) -> Any:
    """
    Free/busy from TRANSP, STATUS and Outlook's own line.

    Where TRANSP and Outlook's line contradict each other, TRANSP holds: clients edit it and carry
    unknown lines along. The same goes for STATUS:CONFIRMED beside a tentative line, except at
    meetings of others, whose STATUS says nothing of the owner.
    """
    transp, status = _upper(component, "TRANSP"), _upper(component, "STATUS")
    stated = _BUSY_STATUS.get(_upper(component, "X-MICROSOFT-CDO-BUSYSTATUS"))
    before = base.show_as if base else None
    if stated is None:
        return _plain_show_as(transp, status, before, invited=invited)
    if transp == "TRANSPARENT":
        return "free"
    if stated == "free" and transp == "OPAQUE":
        return "busy"
    if stated == "tentative" and status == "CONFIRMED" and not invited:
        return "busy"
    return stated


def _plain_show_as(transp: str, status: str, before: str | None, *, invited: bool) -> Any:
    """Without Outlook's own line: clients drop unknown lines, so its absence alone is no edit."""
    if transp == "TRANSPARENT":
        return "free"
    if before in ("oof", "workingElsewhere", "unknown"):
        return before
    if status == "TENTATIVE":
        return "tentative"
    if before == "tentative" and (invited or status != "CONFIRMED"):
        return before
    return "busy"


def _sensitivity(component: Component) -> Any:
    stated = _upper(component, "CLASS")
    if stated in ("", "PUBLIC"):
        return "normal"
    if stated == "CONFIDENTIAL":
        return "confidential"
    # RFC 5545 3.8.1.3: unknown classes are treated as PRIVATE.
    return "private"


def _importance(component: Component) -> Any:
    stated = _upper(component, "PRIORITY")
    if not stated:
        return {"0": "low", "2": "high"}.get(
            _upper(component, "X-MICROSOFT-CDO-IMPORTANCE"), "normal"
        )
    try:
        priority = int(stated)
    except ValueError:
        return "normal"
    if 1 <= priority <= 4:
        return "high"
    return "low" if 6 <= priority <= 9 else "normal"


# --- alarms ---


def _reminder(component: Component, when: When, base: Event | None) -> int | None:
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


def alarm_minutes(alarm: Component, when: When, *, repeats: bool = False) -> int | None:
    """
    Whole minutes before the start at which an alarm goes off; None where Graph cannot say it.

    `repeats`: the event is a series, in which an absolute time means one occurrence only.
    """
    found = _minutes(alarm, when, repeats=repeats)
    return found if found is not None and found >= 0 else None


def _minutes(alarm: Component, when: When, *, repeats: bool) -> int | None:
    """The same, negative after the start: other programs can make Exchange hold such a reminder."""
    line = alarm.first("TRIGGER")
    if line is None or _upper(alarm, "ACTION") not in ("DISPLAY", "AUDIO"):
        return None
    if alarm.first("RELATED-TO") is not None:  # RFC 9074 snooze alarms are a client's own state
        return None
    value = line.value.strip().upper()
    absolute = value[:1].isdigit()
    if absolute and repeats:
        return None
    before_s = _absolute(value, when) if absolute else _relative(line, value, when)
    if before_s is None or abs(before_s) > MAX_REMINDER_S:
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
    found = _WALL.fullmatch(value)
    wall = parse_wall(found[1]) if found and found[2] else None
    if wall is None or isinstance(when, AllDay):
        return None
    start = when.start.replace(tzinfo=zone_info(WindowsZone(when.start_zone)))
    return start.timestamp() - wall.replace(tzinfo=_UTC).timestamp()


def _length_s(when: When) -> float:
    if isinstance(when, AllDay):
        return (when.end - when.start).total_seconds()
    start = when.start.replace(tzinfo=zone_info(WindowsZone(when.start_zone)))
    end = when.end.replace(tzinfo=zone_info(WindowsZone(when.end_zone)))
    return end.timestamp() - start.timestamp()


# --- people ---


@dataclass(frozen=True, slots=True)
class _People:
    attendees: tuple[Attendee, ...]
    response: Any
    organizer: Person | None
    invited_as: str


_PARTSTAT: Mapping[str, Any] = {
    "ACCEPTED": "accepted",
    "TENTATIVE": "tentativelyAccepted",
    "DECLINED": "declined",
}


def mail_address(line: Line) -> str:
    """The address that an ATTENDEE or ORGANIZER line names, "" for one without mail."""
    value = line.value.strip()
    if value[:7].lower() == "mailto:":
        return plain_address(value[7:])
    if value[:5].lower() == "smtp:":
        return plain_address(value[5:])
    return plain_address(param(line, "EMAIL"))  # RFC 7986 6.2


def stated_response(line: Line) -> Any:
    """The answer that an ATTENDEE line states, in Graph's words."""
    return _PARTSTAT.get(param(line, "PARTSTAT").upper(), "none")


def is_silent(line: Line) -> bool:
    """Whether the line asks that nobody is mailed because of it (RFC 6638 7.1)."""
    return param(line, "SCHEDULE-AGENT").upper() in ("NONE", "CLIENT")


def _read_people(component: Component, owner: Owner, base: Event | None) -> _People:
    organizer = _organizer(component, base)
    own = own_lines(component, owner)
    attendees = _guests(component, owner, base)
    hosted = organizer is None and not (base and base.invited_as)
    if hosted or (organizer is not None and owner.is_own(organizer.address)):
        return _People(attendees, "none", organizer, "")
    if own:
        return _People(attendees, stated_response(own[0]), organizer, mail_address(own[0]))
    # The owner's line is the service's: without it nothing was answered, or taken back.
    kept = (base.response, base.invited_as) if base else ("none", "")
    return _People(attendees, kept[0], organizer, kept[1])


def _guests(component: Component, owner: Owner, base: Event | None) -> tuple[Attendee, ...]:
    organizer = component.first("ORGANIZER")
    all_silent = organizer is not None and is_silent(organizer)
    invited = {one.address.casefold() for one in base.attendees} if base else set()
    found: dict[str, Attendee] = {}
    for line in component.lines("ATTENDEE"):
        address = mail_address(line)
        if not address or owner.is_own(address):
            continue
        # Whom the service has invited already stays; nobody is invited or disinvited silently.
        if (all_silent or is_silent(line)) and address.casefold() not in invited:
            continue
        found.setdefault(address.casefold(), read_attendee(line, address))
    return tuple(found.values())


def _organizer(component: Component, base: Event | None) -> Person | None:
    line = component.first("ORGANIZER")
    if line is None:
        return base.organizer if base else None
    address = mail_address(line)
    return Person(address, one_line(param(line, "CN"))) if address else None


def read_attendee(line: Line, address: str) -> Attendee:
    """One invited person; PARTSTAT is what the file shows of the answer."""
    kind, role = param(line, "CUTYPE").upper(), param(line, "ROLE").upper()
    name = one_line(param(line, "CN"))
    status = stated_response(line)
    if kind in ("RESOURCE", "ROOM"):
        return Attendee(address, name, "resource", status)
    if role in ("OPT-PARTICIPANT", "NON-PARTICIPANT"):
        return Attendee(address, name, "optional", status)
    return Attendee(address, name, "required", status)


def _response_silenced(component: Component, owner: Owner) -> bool:
    return any(
        param(line, "RSVP").upper() == "FALSE" or is_silent(line)
        for line in own_lines(component, owner)
    )


def used_zones(components: Iterable[Component]) -> set[str]:
    """Every TZID that the lines of some components name."""
    return {
        tzid
        for component in components
        for line in component.lines()
        if (tzid := param(line, "TZID"))
    }
