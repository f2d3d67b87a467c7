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

import msgspec

from syncd.core.event import (
    PUSHED_FIELDS,
    AllDay,
    Changes,
    Event,
    Geo,
    Item,
    Timed,
    When,
    differing,
    effective,
    field_meaning,
    meaning,
    one_line,
    shifted,
    slot_of,
)
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
from syncd.core.neighbours import crosses_neighbour
from syncd.core.owner import Owner
from syncd.core.pattern import overlap
from syncd.core.recurrence import Inexpressible, Recurrence, from_rrule, occurs_on, to_rrule
from syncd.core.wire.holds import Hold, hold
from syncd.core.wire.ics_alarms import read_reminder
from syncd.core.wire.ics_attach import NewAttachment, attached_ids, new_attachments
from syncd.core.wire.ics_geo import read_geo
from syncd.core.wire.ics_html import Text, read_text
from syncd.core.wire.ics_people import People, read_comment, read_people, response_silenced
from syncd.core.wire.ics_slots import (
    ZoneOf,
    later,
    names_start,
    nominal_days,
    parse_day,
    slot_meant,
)
from syncd.core.wire.ics_stash import stash_of
from syncd.core.wire.ics_status import (
    read_allow_new_times,
    read_importance,
    read_online_meeting,
    read_response_requested,
    read_sensitivity,
    read_show_as,
    upper_value,
)
from syncd.core.wire.ics_times import (
    DAY,
    UTC,
    WALL,
    Held,
    as_utc,
    check_span,
    floating_zone,
    is_same_in_utc,
    maybe_all_day,
    offsets_of,
    private_zones,
    read_day,
    read_duration,
    read_wall,
    timezone_block,
    zone_named,
)
from syncd.core.zones import (
    WindowsZone,
    instant,
    wall_time,
    windows_zone,
)

__all__ = ["FileItem", "NotAnEvent", "quick_uid", "read", "read_document", "used_zones"]


ONE_DAY = timedelta(days=1)


WHEN = frozenset({"when"})


RECURRENCE = frozenset({"recurrence"})


OVERRIDE = frozenset({"override"})


MAX_ATTENDEES = 500


MAX_LINT = 100


LONGEST_CATEGORY = 255


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
    `html` are HTML forms that say the same as the text, by slot; `by_html`: such a form was
    edited, and the text follows it. `stash` is what Graph has no field for. `comments` are what
    the owner may have written to go with an answer, by slot. `attachments` are files that it brings
    along, `attached_ids` those of the service that it names, of all its `attach_lines`.
    """

    uid: Uid
    item: Item | None
    holds: tuple[Hold, ...]
    lint: tuple[str, ...] = ()
    sends_response: bool = True
    html: Mapping[str, str] = field(default_factory=dict)
    by_html: bool = False
    stash: str = ""
    comments: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[NewAttachment, ...] = ()
    attached_ids: frozenset[str] = frozenset()
    attach_lines: int = 0


MOST_UID_CHARACTERS = 10_000
"""RFC 5545 3.8.4.7 asks for 255 at least; the service is asked for events by their UIDs."""


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
            if len(value) > MOST_UID_CHARACTERS:
                return ""
            return one_line(unescape(value.decode("utf-8", "replace")))
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
    if not events and not others:
        # Whoever cut the event out of its file, or is about to write it, has not deleted it.
        return Unreadable("no-event", calendar.begin.number, "the calendar holds no event")
    if not events:
        return NotAnEvent(tuple(others))
    if others:
        return Unreadable(
            "mixed-components", events[0].begin.number, f"the file holds events and {others[0]}"
        )
    trouble = _calendar_trouble(calendar) or _excess(events)
    return trouble or _sort_events(events)


MOST_EVENTS = 5000


MOST_EXDATES = 10_000


MOST_ZONES = 10
"""Of those that only a VTIMEZONE can explain."""


MOST_ZONE_YEARS = 100
"""In which they are used, added up: a zone is found by its offsets in these years."""


def _excess(events: list[Component]) -> Unreadable | None:
    """More of something than any calendar has: what it says could not be told in a second."""
    if len(events) > MOST_EVENTS:
        return _too_many(events[MOST_EVENTS].begin, f"{MOST_EVENTS:,} events")
    exdates, zones, years = 0, set[str](), set[tuple[str, str]]()
    for line in (line for event in events for line in event.lines()):
        if line.name == "EXDATE":
            exdates += line.value.count(",") + 1
            if exdates > MOST_EXDATES:
                return _too_many(line, f"{MOST_EXDATES:,} EXDATE values")
        elif (tzid := param(line, "TZID")) and windows_zone(tzid) is None:
            zones.add(tzid)
            years.add((tzid, line.value.strip()[:4]))
            if len(zones) > MOST_ZONES or len(years) > MOST_ZONE_YEARS:
                return _too_many(line, f"{MOST_ZONES} zones of its own")
    return None


def _too_many(line: Line, what: str) -> Unreadable:
    return Unreadable("too-large", line.number, f"the file has more than {what}")


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
            uids.setdefault(one_line(unescape(line.value)), line.number)
            if len(line.value) > MOST_UID_CHARACTERS:
                reason = f"the UID is longer than {MOST_UID_CHARACTERS:,} characters"
                return Unreadable("uid-too-long", line.number, reason)
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


@dataclass(slots=True)
class _Reader:
    document: Document
    sorted: _Sorted
    owner: Owner
    base: Item | None
    delete_cancelled: bool
    holds: list[Hold] = field(default_factory=list)
    lint: list[str] = field(default_factory=list)
    html: dict[str, str] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    by_html: bool = False
    is_foreign: bool = False
    begins: dict[date, Line] = field(default_factory=dict)

    def read(self) -> FileItem:
        base = self.base
        component = self.sorted.master
        for one in (component, *self.sorted.overrides):
            self._lint_lines(one)
        event = self._event(component, "", base.master if base else None)
        silent = response_silenced(component, self.owner)
        if event is None:
            return FileItem(self.sorted.uid, None, tuple(self.holds), tuple(self.lint))
        item = self._with_slots(self._series(component, event), component)
        stash = self._stash(item)
        return FileItem(
            self.sorted.uid,
            item,
            tuple(self.holds),
            tuple(self.lint),
            sends_response=not silent,
            html=self.html,
            by_html=self.by_html,
            stash=stash,
            comments=self.comments,
            attachments=new_attachments(component),
            attached_ids=attached_ids(component),
            attach_lines=len(component.lines("ATTACH")),
        )

    def _stash(self, item: Item) -> str:
        stash, whole = stash_of(self.sorted.master, self.sorted.overrides, item, self.owner)
        if not whole and len(self.lint) < MAX_LINT:
            self.lint.append("some lines are too long to travel: they stay on this machine")
        return stash

    def _lint_lines(self, component: Component) -> None:
        for part in component.parts:
            if len(self.lint) >= MAX_LINT:
                return
            if isinstance(part, Line) and not part.name and part.raw.strip():
                self.lint.append(f"line {part.number} is no content line; it is kept as it is")

    def _hold(self, trouble: Held, slot: str, fields: frozenset[str]) -> None:
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
        except Held as trouble:
            self._hold(trouble, slot, WHEN)
            if base is None:
                return None
            when = base.when
        self._check_place(component, slot)
        people = self._people(component, slot, base)
        if comment := read_comment(component, self.owner):
            self.comments[slot] = comment
        text = self._body(component, slot, base)
        return Event(
            when=when,
            subject=one_line(_text(component, "SUMMARY")),
            body=text.body,
            location=one_line(_text(component, "LOCATION")),
            show_as=read_show_as(component, base, invited=bool(people.invited_as)),
            sensitivity=read_sensitivity(component, base),
            importance=read_importance(component),
            categories=self._categories(component, slot, base),
            reminder_min=read_reminder(component, when, base),
            attendees=people.attendees,
            response=people.response,
            geo=self._geo(component, base),
            allow_new_times=read_allow_new_times(component, base),
            response_requested=read_response_requested(component, base),
            online_meeting=read_online_meeting(component, base),
            organizer=people.organizer,
            invited_as=people.invited_as,
            html_text=text.other,
        )

    def _body(self, component: Component, slot: str, base: Event | None) -> Text:
        text = read_text(component, base)
        if text.html:
            self.html[slot] = text.html
        self.by_html |= text.by_html
        return text

    def _geo(self, component: Component, base: Event | None) -> Geo | None:
        point, readable = read_geo(component, base)
        if not readable and len(self.lint) < MAX_LINT:
            self.lint.append("GEO names no point on the globe; it is kept as it is")
        return point

    def _when(self, component: Component, base: Event | None) -> When:
        start_line = component.first("DTSTART")
        if start_line is None:
            raise Held("bad-time", "the event has no DTSTART", component.begin)
        start = self._moment(start_line, component)
        when = self._span(component, start_line, start)
        if base is None or when != base.when:  # what the service itself holds is no trouble
            check_span(when, start_line)
        return when

    def _check_place(self, component: Component, slot: str) -> None:
        lines = component.lines("LOCATION")
        if len({one_line(unescape(line.value)) for line in lines}) > 1:
            trouble = Held("multiple-location", "LOCATION stands more than once", lines[1])
            self._hold(trouble, slot, frozenset({"location"}))

    def _span(self, component: Component, start_line: Line, start: _Moment) -> When:
        end_line, duration = component.first("DTEND"), component.first("DURATION")
        if end_line is not None and duration is not None:
            raise Held("dtend-and-duration", "DTEND and DURATION stand together", duration)
        if isinstance(start, date) and not isinstance(start, datetime):
            return _all_day(self, component, start, end_line, duration)
        assert isinstance(start, tuple)
        wall, zone = start
        if end_line is not None:
            end = self._moment(end_line, component)
            if not isinstance(end, tuple):
                raise Held("mixed-date-types", "DTSTART has a time and DTEND has none", end_line)
            return maybe_all_day(component, Timed(wall, zone, end[0], end[1]))
        if duration is not None:
            length = read_duration(duration)
            repeats = component.first("RRULE") is not None
            end_wall = later(wall, zone, length, nominal_days(duration.value), repeats=repeats)
            if end_wall is None:
                raise Held("year-out-of-range", "the end lies beyond the calendar", duration)
            return _lasting(Timed(wall, zone, end_wall, zone), duration, component)
        return Timed(wall, zone, wall, zone)

    def _moment(self, line: Line, component: Component) -> _Moment:
        value = line.value.strip().upper()
        if DAY.fullmatch(value):
            return read_day(value, line)
        found = WALL.fullmatch(value)
        if found is None:
            raise Held("bad-time", "the value is no date and no date-time", line)
        wall = read_wall(found[1], line)
        tzid = param(line, "TZID")
        if found[2]:
            zone = windows_zone(tzid) if tzid else UTC
            if zone is None or not _is_like_utc(zone, wall.year):
                raise Held("z-and-tzid", "a UTC time (Z) stands with a TZID", line)
            return wall, zone
        if not tzid:
            return wall, self._floating_zone()
        return self._zoned(wall, tzid, line, component)

    def _floating_zone(self) -> WindowsZone:
        before = self.base.master.when if self.base else None
        start = self.sorted.master.first("DTSTART")
        return floating_zone(self.document, self.owner, start, before)

    def _zoned(
        self, wall: datetime, tzid: str, line: Line, component: Component
    ) -> tuple[datetime, WindowsZone]:
        if (zone := zone_named(tzid, wall, self.document, self.owner)) is not None:
            return wall, zone
        # A zone of the file's own, or one that the world knows and Windows does not
        # (Antarctica/Troll).
        offsets = offsets_of(tzid, self.document)
        if offsets is None and timezone_block(self.document, tzid) is None:
            raise Held("unknown-tzid", "the TZID names no known zone", line)
        repeats = component.first("RRULE") is not None
        if offsets is None or (repeats and not is_same_in_utc(component, tzid, offsets)):
            raise Held("zone-not-expressible", "Outlook has no zone with these rules", line)
        return as_utc(wall, offsets), UTC

    def _categories(self, component: Component, slot: str, base: Event | None) -> tuple[str, ...]:
        found: dict[str, str] = {}
        there = {category.casefold() for category in base.categories} if base else set()
        for line in component.lines("CATEGORIES"):
            for category in map(one_line, split_list(line.value)):
                trouble = _category_trouble(category, line)
                if trouble is not None and category.casefold() not in there:
                    self._hold(trouble, slot, frozenset({"category"}))
                else:
                    found.setdefault(category.casefold(), category)
        return tuple(found.values())

    def _people(self, component: Component, slot: str, base: Event | None) -> People:
        people = read_people(component, self.owner, base)
        if slot and self.is_foreign and component.first("ORGANIZER") is None:
            # An override without a line inherits the series', like everything else.
            guests = base.attendees if base else ()
            people = People(guests, "none", None, "", is_foreign=True)
        self.is_foreign |= not slot and people.is_foreign
        if people.is_foreign and component.first("ATTENDEE") is not None:
            reason = "the meeting is another organizer's; its guests would be invited anew"
            trouble = Held("foreign-meeting", reason, component.first("ORGANIZER"))
            self._hold(trouble, slot, frozenset({"attendees"}))
        if len(people.attendees) > MAX_ATTENDEES:
            line = component.first("ATTENDEE")
            trouble = Held("too-many-attendees", "the event has more than 500 attendees", line)
            self._hold(trouble, slot, frozenset({"attendees"}))
            kept = base.attendees if base else ()
            return People(kept, people.response, people.organizer, people.invited_as)
        return people

    # --- the series --------------------------------------------------------------------------

    def _series(self, component: Component, event: Event) -> Item:
        base = self.base
        if any(one.slot == "" and "when" in one.fields for one in self.holds):
            return Item(event, base.recurrence if base else None)
        try:
            rule = _read_rule(component, event, base)
            _check_overlap(component, event, rule, base)
            return Item(event, rule)
        except Held as trouble:
            if base is None or event.when == base.master.when:
                self._hold(trouble, "", RECURRENCE)
                return Item(event, base.recurrence if base else None)
            # A series' time goes to the service together with its rule, or not at all.
            self._hold(trouble, "", RECURRENCE | WHEN)
            return Item(msgspec.structs.replace(event, when=base.master.when), base.recurrence)

    def _with_slots(self, item: Item, component: Component) -> Item:
        if item.recurrence is None:
            if any(one.fields >= RECURRENCE for one in self.holds):
                return item
            for override in self.sorted.overrides:
                trouble = Held(
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
        return self._between(msgspec.structs.replace(item, overrides=kept, cancelled=gone))

    def _between(self, item: Item) -> Item:
        """Occurrences that were moved to a neighbour's day or past it stay where they were."""
        there = self.base.overrides if self.base else {}
        kept = dict(item.overrides)
        for slot, own in item.overrides.items():
            before = there[slot].when if slot in there else msgspec.UNSET
            if own.when is msgspec.UNSET or own.when == before:
                continue
            if crosses_neighbour(item, slot, own.when):
                reason = "the occurrence is moved to the day of its neighbour or past it"
                trouble = Held("crosses-neighbour", reason, self.begins.get(slot))
                self._hold(trouble, slot.isoformat(), WHEN)
                kept[slot] = msgspec.structs.replace(own, when=before)
        # One that owns nothing stays too: it goes on inheriting what the series comes to say.
        return msgspec.structs.replace(item, overrides=kept)

    def _cancelled(self, item: Item, component: Component) -> set[date]:
        slots: set[date] = set()
        zone_of = self._zone_of()
        for line in component.lines("EXDATE"):
            for value in line.value.split(","):
                slot = slot_meant(line, value, item.master.when, self.base, zone_of)
                if slot in slots:
                    continue
                if slot is not None and self._cancels(line, value, slot, item, zone_of):
                    slots.add(slot)
                elif len(self.lint) < MAX_LINT:
                    self.lint.append(f"line {line.number}: EXDATE names no occurrence")
        return slots

    def _cancels(self, line: Line, value: str, slot: date, item: Item, zone_of: ZoneOf) -> bool:
        """
        Whether an EXDATE takes an occurrence away: by its instant, or by its date.

        One that stood for it before a client moved the series still does; for any other, a time
        at which nothing happens is a line that some client left behind.
        """
        if not self._occurs(item, slot):
            return False
        if isinstance(item.master.when, AllDay) or DAY.fullmatch(value.strip()):
            return True
        stood = self.base is not None and slot in self.base.cancelled
        return stood or names_start(line, value, slot, item.master.when, zone_of)

    def _zone_of(self) -> ZoneOf:
        return private_zones(self.document, self.owner, self.sorted.master.first("DTSTART"))

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
                if self._override(component, slot, item) == found.get(slot):
                    continue
                trouble = Held("two-overrides", "two overrides stand for one slot", component.begin)
                self._hold(trouble, slot.isoformat(), OVERRIDE)
                self._keep_base(slot, cancelled, found)
                continue
            seen.add(slot)
            self.begins[slot] = component.first("DTSTART") or component.begin
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
        slot = slot_meant(line, line.value, item.master.when, self.base, self._zone_of())
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
        if upper_value(self.sorted.master, "STATUS") == "CANCELLED":
            return False  # the occurrence is spelled out as the whole series is
        if base is not None and _shown_cancelled(base, slot):
            return False
        if self.delete_cancelled:
            cancelled.add(slot)
            return True
        trouble = Held("cancelled-override", "an override is marked cancelled", status)
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
    ) -> Held | None:
        match param(line, "RANGE").upper():
            case "":
                pass
            case "THISANDFUTURE":
                reason = "the override changes all later occurrences too"
                return Held("this-and-future", reason, line)
            case _:
                reason = "the override changes other occurrences too"
                return Held("range", reason, line)
        if component.lines("RRULE", "RDATE", "EXDATE"):
            return Held("recurring-override", "an override cannot repeat", component.begin)
        if slot is None or not self._stands_for(line, slot, item):
            return Held("orphan-override", "the RECURRENCE-ID names no occurrence", line)
        return None

    def _stands_for(self, line: Line, slot: date, item: Item) -> bool:
        """Whether a RECURRENCE-ID names an occurrence, by its instant or by its date."""
        if not self._occurs(item, slot):
            return False
        if isinstance(item.master.when, AllDay) or DAY.fullmatch(line.value.strip()):
            return True
        stood = self.base is not None and slot in self.base.overrides
        return stood or names_start(line, line.value, slot, item.master.when, self._zone_of())

    def _override(self, component: Component, slot: date, item: Item) -> Changes | None:
        plain = msgspec.structs.replace(item.master, when=shifted(item.master.when, slot))
        before = self._base_override(slot)
        event = self._event(component, slot.isoformat(), before or plain)
        if event is None:
            return None
        if not component.components("VALARM") and not self._had_own_reminder(slot):
            inherited = before.reminder_min if before else plain.reminder_min
            event = msgspec.structs.replace(event, reminder_min=inherited)
        if component.first("ATTENDEE") is None and not self._had_own_guests(slot):
            # Clients drop them by accident: nobody is disinvited by what a file leaves out.
            people = (before or plain).attendees
            event = msgspec.structs.replace(event, attendees=people)
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

    def _had_own_guests(self, slot: date) -> bool:
        if self.base is None or slot not in self.base.overrides:
            return False
        return self.base.overrides[slot].attendees is not msgspec.UNSET

    def _own(self, event: Event, before: Event, plain: Event, slot: date) -> Changes:
        """What the override owns: an unedited inherited value goes on being inherited."""
        assert self.base is not None
        owned = self.base.overrides[slot]
        own: dict[str, Any] = {}
        for name in PUSHED_FIELDS:
            value = getattr(event, name)
            if field_meaning(event, name) == field_meaning(before, name):
                if getattr(owned, name) is not msgspec.UNSET:
                    own[name] = value
            elif field_meaning(event, name) != field_meaning(plain, name):
                own[name] = value
        if "body" in own:
            own["html_text"] = event.html_text
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


def _is_like_utc(zone: WindowsZone, year: int) -> bool:
    """Whether the zone keeps UTC all year: icalendar, and so khal, adds a Z to Iceland's times."""
    days = datetime(year, 1, 1), datetime(year, 7, 1)
    return zone == UTC or all(instant(day, zone) == instant(day, UTC) for day in days)


def _shown_cancelled(base: Item, slot: date) -> bool:
    """Whether the service cancelled the occurrence and the file says so (or will lose it)."""
    if slot in base.cancelled:
        return True
    return slot in base.overrides and effective(base, slot).is_cancelled


def _pushed_only(changes: Changes) -> Changes:
    names = (*PUSHED_FIELDS, "html_text")
    return Changes(**{name: getattr(changes, name) for name in names})


def _text(component: Component, name: str) -> str:
    line = component.first(name)
    return "" if line is None else unescape(line.value)


_Moment = date | tuple[datetime, WindowsZone]


def _all_day(
    reader: _Reader, component: Component, start: date, end_line: Line | None, duration: Line | None
) -> AllDay:
    if end_line is not None:
        end = reader._moment(end_line, component)
        if isinstance(end, tuple):
            raise Held("mixed-date-types", "DTSTART is a date and DTEND has a time", end_line)
        # Some exporters write the last day itself: a day that ends where it starts is one day.
        return AllDay(start, start + ONE_DAY if end == start else end)
    if duration is not None:
        length = read_duration(duration)
        if length % ONE_DAY or length < ONE_DAY:
            raise Held("date-with-time-duration", "a date lasts whole days", duration)
        try:
            return AllDay(start, start + length)
        except OverflowError:
            raise Held("too-long", "the event is longer than 1,825 days", duration) from None
    return AllDay(start, start + ONE_DAY)


def _lasting(when: Timed, duration: Line, component: Component) -> Timed:
    """
    A time with a length; an end in the hour that a clock change repeats is told in UTC.

    Its wall time alone would be the first of both, an hour too early.
    """
    zone = WindowsZone(when.start_zone)
    length, days = read_duration(duration), timedelta(days=nominal_days(duration.value))
    if length == days or component.first("RRULE") is not None:
        return when
    end = instant(when.start + days, zone) + (length - days)
    if instant(when.end, zone) == end or wall_time(end, zone) != when.end:
        return when
    return Timed(when.start, when.start_zone, wall_time(end, UTC), UTC)


def _category_trouble(category: str, line: Line) -> Held | None:
    if "," in category or ";" in category:
        return Held("category-separator", "a category holds a separator", line)
    if len(category) > LONGEST_CATEGORY:
        return Held("category-too-long", "a category is longer than 255 characters", line)
    return None


def _check_overlap(
    component: Component, event: Event, rule: Recurrence | None, base: Item | None
) -> None:
    """Outlook has no series whose occurrences last until after the next has begun."""
    if rule is None or (base and (rule, event.when) == (base.recurrence, base.master.when)):
        return
    found = overlap(rule, slot_of(event.when), event.when.end - event.when.start)
    if found is not None:
        line = component.first("DTEND") or component.first("DURATION") or component.begin
        raise Held(found.code, found.reason, line, found.suggestion)


def _read_rule(component: Component, event: Event, base: Item | None) -> Recurrence | None:
    rules = component.lines("RRULE")
    for name in ("RDATE", "EXRULE", "X-MICROSOFT-RRULE"):
        if (line := component.first(name)) is not None:
            code = "RR18" if name == "RDATE" else "RR17"
            raise Held(code, f"{name} cannot be kept by Outlook", line)
    if len(rules) > 1:
        raise Held("RR17", "there is more than one RRULE", rules[1])
    if not rules:
        return None
    text, start = rules[0].value.strip(), _rule_start(event.when)
    rule = from_rrule(text, *start)
    if isinstance(rule, Inexpressible):
        if base is not None and base.recurrence and text == to_rrule(base.recurrence, *start):
            return base.recurrence  # what the service itself holds is no trouble
        raise Held(rule.code, rule.reason, rules[0], rule.suggestion)
    return rule


def _rule_start(when: When) -> tuple[date | datetime, WindowsZone | None]:
    if isinstance(when, AllDay):
        return when.start, None
    return when.start, WindowsZone(when.start_zone)


def _raw_slot(component: Component) -> str:
    line = component.first("RECURRENCE-ID")
    day = parse_day(line.value.strip()[:8]) if line and line.value[:8].isdigit() else None
    return day.isoformat() if day else "0001-01-01"


def used_zones(components: Iterable[Component]) -> set[str]:
    """Every TZID that the lines of some components name."""
    return {
        tzid
        for component in components
        for line in component.lines()
        if (tzid := param(line, "TZID"))
    }
