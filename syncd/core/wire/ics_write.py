"""
An `Item` as content lines: whole new files, and the lines of an existing file whose meaning moved.

One table says which lines a field owns and how they are written; a new file is every field
written, a rewrite is the moved fields written in place. All other lines stay byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import msgspec

from syncd.core.event import (
    AllDay,
    Attendee,
    Changes,
    Event,
    FieldKey,
    Item,
    Person,
    Timed,
    When,
    differing,
    effective,
    plain_address,
    shifted,
    slot_of,
)
from syncd.core.ids import Uid
from syncd.core.lines import (
    Component,
    Document,
    Line,
    Unreadable,
    component_bytes,
    escape,
    folded,
    line_text,
    new_component,
    new_line,
    param,
    parse,
    quoted,
    to_bytes,
    with_params,
    with_value,
)
from syncd.core.owner import Owner
from syncd.core.recurrence import Inexpressible, from_rrule, occurs_on, to_rrule
from syncd.core.vtimezone import vtimezone_lines
from syncd.core.wire.ics_read import (
    FileItem,
    alarm_minutes,
    floating_zone,
    is_silent,
    mail_address,
    read_attendee,
    read_document,
    stated_response,
    used_zones,
    zone_named,
)
from syncd.core.wire.ics_slots import (
    later,
    names_start,
    parse_duration,
    parse_wall,
    slot_named,
)
from syncd.core.zones import WindowsZone, iana_name, windows_zone

__all__ = ["PRODID", "Stamps", "local_view", "render", "rewrite"]

PRODID = "-//syncd//syncd//EN"
CRLF = b"\r\n"
MINTED_LABEL = "Online meeting"


@dataclass(frozen=True, slots=True)
class Stamps:
    """When the event was made and last changed on the service, as UTC in RFC 5545 form."""

    created: str
    modified: str


def local_view(item: Item) -> Item:
    """
    What a file written from `item` says when it is read again.

    iCalendar has no word for Outlook's `personal`, and an unknown free/busy state shows as busy.
    """
    master = _event_view(item.master)
    overrides = {slot: _changes_view(own) for slot, own in item.overrides.items()}
    same = all(overrides[slot] is own for slot, own in item.overrides.items())
    if master is item.master and same:
        return item
    seen = msgspec.structs.replace(item, master=master, overrides=overrides)
    return msgspec.structs.replace(
        seen, overrides={slot: _still_own(seen, slot) for slot in seen.overrides}
    )


def _event_view(event: Event) -> Event:
    if event.sensitivity == "personal":
        event = msgspec.structs.replace(event, sensitivity="private")
    if event.show_as == "unknown":
        event = msgspec.structs.replace(event, show_as="busy")
    return event


def _changes_view(own: Changes) -> Changes:
    if own.sensitivity == "personal":
        own = msgspec.structs.replace(own, sensitivity="private")
    if own.show_as == "unknown":
        own = msgspec.structs.replace(own, show_as="busy")
    return own


def _still_own(item: Item, slot: date) -> Changes:
    """What the override owns once both words have become the file's."""
    plain = msgspec.structs.replace(item.master, when=shifted(item.master.when, slot))
    return differing(effective(item, slot), plain)


# --- new files ---


def render(uid: Uid, item: Item, stamps: Stamps, owner: Owner) -> bytes:
    """A whole new file for an item, the same bytes for the same item (whoever the owner is)."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODID}"]
    for tzid in _zones_of(item):
        lines.extend(_zone_block(tzid, _first_year(item)))
    lines.extend(_vevent(uid, item.master, stamps, _series_lines(item)))
    for slot in sorted(item.overrides):
        slot_line = _recurrence_id(slot, item.master.when)
        lines.extend(_vevent(uid, effective(item, slot), stamps, [slot_line], item.master))
    lines.append("END:VCALENDAR")
    return b"".join([_folded(line) for line in lines])


def _folded(line: str) -> bytes:
    if len(line) <= 75 and line.isascii():
        return line.encode() + CRLF
    return folded(line)


def _zones_of(item: Item) -> list[str]:
    zones: dict[str, None] = {}
    events = [item.master.when, *(own.when for own in item.overrides.values())]
    for when in events:
        if isinstance(when, Timed):
            for zone in (when.start_zone, when.end_zone):
                if zone != "UTC":
                    zones[iana_name(WindowsZone(zone))] = None
    return list(zones)


def _first_year(item: Item) -> int:
    when = item.master.when
    return when.start.year


def _zone_block(tzid: str, year: int) -> list[str]:
    # The block starts at a round year, so that it does not differ from file to file.
    return vtimezone_lines(tzid, tzid, from_year=max(1970, year - year % 10))


def _series_lines(item: Item) -> list[str]:
    return [*_rrule_lines(item), *_exdate_lines(sorted(item.cancelled), item.master.when)]


def _rrule_lines(item: Item) -> list[str]:
    if item.recurrence is None:
        return []
    when = item.master.when
    zone = None if isinstance(when, AllDay) else WindowsZone(when.start_zone)
    return [f"RRULE:{to_rrule(item.recurrence, when.start, zone)}"]


def _exdate_lines(slots: Iterable[date], when: When) -> list[str]:
    return [_moment("EXDATE", _slot_start(slot, when)) for slot in slots]


def _recurrence_id(slot: date, when: When) -> str:
    return _moment("RECURRENCE-ID", _slot_start(slot, when))


def _slot_start(slot: date, when: When) -> date | tuple[datetime, str]:
    moved = shifted(when, slot)
    return moved.start if isinstance(moved, AllDay) else (moved.start, moved.start_zone)


def _moment(name: str, at: date | tuple[datetime, str], tzid: str | None = None) -> str:
    """A date or date-time line; `tzid` "" writes a floating time, None the zone's usual name."""
    if not isinstance(at, tuple):
        return f"{name};VALUE=DATE:{_digits(at)}"
    wall, zone = at
    digits = f"{_digits(wall)}T{wall.hour:02}{wall.minute:02}{wall.second:02}"
    if tzid is None:
        if zone == "UTC":
            return f"{name}:{digits}Z"
        tzid = iana_name(WindowsZone(zone))
    return f"{name};TZID={quoted(tzid)}:{digits}" if tzid else f"{name}:{digits}"


def _digits(day: date) -> str:
    return f"{day.year:04}{day.month:02}{day.day:02}"


def _vevent(
    uid: Uid, event: Event, stamps: Stamps, series: Iterable[str], master: Event | None = None
) -> list[str]:
    """One VEVENT; `master` is the series' own event where this is an override."""
    lines = ["BEGIN:VEVENT", f"UID:{escape(uid)}", f"DTSTAMP:{stamps.modified}"]
    if stamps.created:
        lines.append(f"CREATED:{stamps.created}")
    lines.append(f"LAST-MODIFIED:{stamps.modified}")
    lines.extend(_subject(event))
    lines.extend(_when(event.when))
    lines.extend(series)
    lines.extend(_location(event))
    lines.extend(_body(event))
    lines.extend(_show_as(event, master))
    for write in (_sensitivity, _importance, _categories, _people, _join_url, _alarm):
        lines.extend(write(event))
    lines.append("END:VEVENT")
    return lines


# --- one field ---


def _subject(event: Event) -> list[str]:
    return [f"SUMMARY:{escape(event.subject)}"] if event.subject else []


def _body(event: Event) -> list[str]:
    return [f"DESCRIPTION:{escape(event.body)}"] if event.body else []


def _location(event: Event) -> list[str]:
    return [f"LOCATION:{escape(event.location)}"] if event.location else []


def _when(when: When, start_tzid: str | None = None, end_tzid: str | None = None) -> list[str]:
    if isinstance(when, AllDay):
        return [_moment("DTSTART", when.start), _moment("DTEND", when.end)]
    return [
        _moment("DTSTART", (when.start, when.start_zone), start_tzid),
        _moment("DTEND", (when.end, when.end_zone), end_tzid),
    ]


_STICKY = frozenset({"tentative", "oof", "workingElsewhere"})
"""What an override without a word about free/busy takes over from its series."""


def _show_as(event: Event, master: Event | None = None) -> list[str]:
    lines = []
    match event.show_as:
        case "free":
            lines = ["TRANSP:TRANSPARENT"]
        case "tentative":
            lines = ["X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE"]
        case "oof":
            lines = ["X-MICROSOFT-CDO-BUSYSTATUS:OOF"]
        case "workingElsewhere":
            lines = ["X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE"]
        case "busy" | "unknown":
            sticky = master is not None and master.show_as in _STICKY
            lines = ["X-MICROSOFT-CDO-BUSYSTATUS:BUSY"] if sticky else []
    if event.is_cancelled:
        lines.append("STATUS:CANCELLED")
    elif event.show_as == "tentative" and not event.invited_as:
        lines.append("STATUS:TENTATIVE")
    return lines


def _sensitivity(event: Event) -> list[str]:
    match event.sensitivity:
        case "normal":
            return []
        case "confidential":
            return ["CLASS:CONFIDENTIAL"]
        case "private" | "personal":
            return ["CLASS:PRIVATE"]


def _importance(event: Event) -> list[str]:
    match event.importance:
        case "normal":
            return []
        case "high":
            return ["PRIORITY:1"]
        case "low":
            return ["PRIORITY:9"]


def _categories(event: Event) -> list[str]:
    if not event.categories:
        return []
    return ["CATEGORIES:" + ",".join(escape(category) for category in event.categories)]


def _join_url(event: Event) -> list[str]:
    url = "".join(c for c in event.join_url if c > " " and c != "\x7f")
    if not url:
        return []
    return [f"CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO;LABEL={MINTED_LABEL}:{url}"]


def _alarm(event: Event) -> list[str]:
    if event.reminder_min is None:
        return []
    return [
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "DESCRIPTION:Reminder",
        _trigger(event.reminder_min),
        "END:VALARM",
    ]


def _trigger(minutes: int) -> str:
    # Always in minutes: -P1D is a nominal day, which differs from 24 hours across a DST change.
    if minutes == 0:
        return "TRIGGER:PT0S"
    return f"TRIGGER:-PT{minutes}M" if minutes > 0 else f"TRIGGER:PT{-minutes}M"


def _people(event: Event) -> list[str]:
    if not event.attendees and not event.invited_as:
        return []
    lines = [_attendee(one) for one in event.attendees]
    if event.organizer is not None and event.organizer.address:
        lines.insert(0, _organizer(event.organizer))
    if event.invited_as:
        stat = _PARTSTAT[event.response]
        lines.append(f"ATTENDEE;PARTSTAT={stat};RSVP=TRUE:{_mailto(event.invited_as)}")
    return lines


_PARTSTAT: Mapping[str, str] = {
    "none": "NEEDS-ACTION",
    "accepted": "ACCEPTED",
    "tentativelyAccepted": "TENTATIVE",
    "declined": "DECLINED",
}
_ROLE: Mapping[str, Mapping[str, str]] = {
    "required": {"ROLE": "REQ-PARTICIPANT"},
    "optional": {"ROLE": "OPT-PARTICIPANT"},
    "resource": {"CUTYPE": "RESOURCE", "ROLE": "NON-PARTICIPANT"},
}


def _organizer(person: Person) -> str:
    return f"ORGANIZER{_cn(person.name)}:{_mailto(person.address)}"


def _attendee(one: Attendee) -> str:
    role = "".join(f";{name}={value}" for name, value in _ROLE[one.type].items())
    stat = _PARTSTAT.get(one.status, "NEEDS-ACTION")
    return f"ATTENDEE{_cn(one.name)}{role};PARTSTAT={stat}:{_mailto(one.address)}"


def _cn(name: str) -> str:
    return f";CN={quoted(name)}" if name else ""


def _mailto(address: str) -> str:
    return f"mailto:{plain_address(address)}"


# --- rewriting ---

_OWNED: Mapping[str, tuple[str, ...]] = {
    "subject": ("SUMMARY",),
    "body": ("DESCRIPTION", "X-ALT-DESC", "STYLED-DESCRIPTION"),
    "location": ("LOCATION",),
    "sensitivity": ("CLASS",),
    "importance": ("PRIORITY", "X-MICROSOFT-CDO-IMPORTANCE"),
    "categories": ("CATEGORIES",),
}
_WRITERS: Mapping[str, Callable[[Event], list[str]]] = {
    "subject": _subject,
    "body": _body,
    "location": _location,
    "sensitivity": _sensitivity,
    "importance": _importance,
    "categories": _categories,
}
_GROUP: Mapping[str, str] = {
    "is_cancelled": "show_as",
    "people": "attendees",
    "organizer": "attendees",
    "response": "attendees",
    "invited_as": "attendees",
}


def rewrite(
    data: bytes,
    uid: Uid,
    target: Item,
    moved: Iterable[FieldKey],
    stamps: Stamps,
    owner: Owner,
    base: Item | None = None,
    followed: frozenset[str] = frozenset(),
) -> bytes | Unreadable:
    """
    The file with the `moved` fields saying what `target` says, everything else byte for byte.

    Args:
        data: the file as it is. base: what it said at the last agreement, which tells what its
            overrides inherit. followed: fields of the series that its author changed in the
            file: overrides that inherit them, and slots that their time names, are brought along.
    """
    document = parse(data)
    if isinstance(document, Unreadable):
        return document
    now = read_document(document, owner, base)
    if not isinstance(now, FileItem):
        return data
    events = document.calendar.components("VEVENT")
    before = [component_bytes(event) for event in events]
    rewriter = _Rewriter(document, uid, target, stamps, owner, now.item, followed)
    rewriter.apply(_groups(moved))
    there = document.calendar.components("VEVENT")
    for event, text in zip(events, before, strict=True):
        if event in there and component_bytes(event) != text:
            _touch_stamps(event, stamps, document.eol)
    return to_bytes(document)


def _groups(moved: Iterable[FieldKey]) -> dict[str, set[str]]:
    """The names of moved fields by slot, each with the one whose lines it shares."""
    groups: dict[str, set[str]] = {}
    for slot, name in moved:
        groups.setdefault(slot, set()).update((name, _GROUP.get(name, name)))
    return groups


@dataclass(slots=True)
class _Rewriter:
    """`now` is what the file says before; None where its time cannot be read."""

    document: Document
    uid: Uid
    target: Item
    stamps: Stamps
    owner: Owner
    now: Item | None
    followed: frozenset[str]

    def apply(self, groups: dict[str, set[str]]) -> None:
        master = _master(self.document.calendar)
        mine = groups.pop("", set())
        before = self.now.master if self.now else None
        overrides = self._overrides()
        zones = used_zones(self.document.calendar.components("VEVENT"))
        self._fields(master, self.target.master, mine, before)
        if mine & {"when", "recurrence"}:
            self._rule(master, mine)
        self._slots(master, mine | self.followed, groups, overrides)
        self._zones(zones)

    @property
    def old_when(self) -> When:
        """The time by which the slots in the file are named."""
        return self.now.master.when if self.now else self.target.master.when

    # --- the fields of one VEVENT ---

    def _fields(
        self,
        component: Component,
        event: Event,
        names: set[str],
        before: Event | None,
        master: Event | None = None,
    ) -> None:
        eol = self.document.eol
        for name in sorted(names):
            if name == "when":
                texts = self._when_texts(component, event.when)
                _put(component, ("DTSTART", "DTEND", "DURATION"), texts, eol)
            elif name == "show_as":
                texts = _show_as_texts(component, event, master, names)
                _put(component, ("TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS", "STATUS"), texts, eol)
            elif name == "attendees":
                _put(
                    component,
                    ("ORGANIZER", "ATTENDEE"),
                    self._people(component, event, before),
                    eol,
                )
            elif name == "reminder_min":
                _rewrite_alarm(component, event, before, eol)
            elif name == "join_url":
                _rewrite_conference(component, event, eol)
            elif name in _OWNED:
                _put(component, _OWNED[name], _WRITERS[name](event), eol)

    def _when_texts(self, component: Component, when: When) -> list[str]:
        present = {
            line.name: line for line in reversed(component.lines("DTSTART", "DTEND", "DURATION"))
        }
        if isinstance(when, AllDay):
            texts = _when(when)
        else:
            start_line = present.get("DTSTART")
            start_tzid = self._kept_tzid(start_line, when.start_zone)
            end_tzid = self._kept_tzid(present.get("DTEND") or start_line, when.end_zone)
            texts = _when(when, start_tzid, end_tzid)
        duration = present.get("DURATION")
        if duration is not None and _lasts(duration, when):
            return [texts[0], line_text(duration)]
        if "DTEND" not in present and duration is None and _needs_no_end(when):
            return texts[:1]
        return texts

    def _kept_tzid(self, line: Line | None, zone: str) -> str | None:
        """The file's own spelling of the zone, "" where it floats, None where it must change."""
        if line is None or "T" not in line.value.upper():
            return None
        value = line.value.strip().upper()
        if value.endswith("Z"):
            return None
        tzid = param(line, "TZID")
        if not tzid:
            return "" if floating_zone(self.document, self.owner) == zone else None
        wall = parse_wall(value) if len(value) == 15 else None
        named = zone_named(tzid, wall, self.document, self.owner) if wall else None
        return tzid if named == zone else None

    def _people(self, component: Component, event: Event, before: Event | None) -> list[str]:
        """ORGANIZER and ATTENDEE lines; a line that already says the same stays as it is."""
        was_guest = before is not None and bool(before.invited_as)
        own, others, kept = self._people_lines(component, event, was_guest=was_guest)
        if not event.attendees and not event.invited_as and not kept:
            return []
        texts = [_attendee_text(others.get(one.address.casefold()), one) for one in event.attendees]
        if event.invited_as:
            texts.append(_own_text(own, event))
        return [*_organizer_texts(component, event), *texts, *map(line_text, kept)]

    def _people_lines(
        self, component: Component, event: Event, *, was_guest: bool
    ) -> tuple[Line | None, dict[str, Line], list[Line]]:
        """The owner's line, the others by address, and those that are no business of Graph's."""
        own: Line | None = None
        others: dict[str, Line] = {}
        kept: list[Line] = []
        there = {one.address.casefold() for one in event.attendees}
        for line in component.lines("ATTENDEE"):
            address = mail_address(line).casefold()
            if event.invited_as and self.owner.is_own(address):
                own = own or line
            elif address in there:
                others.setdefault(address, line)
            elif not address or is_silent(line) or (self.owner.is_own(address) and not was_guest):
                kept.append(line)
        return own, others, kept

    # --- the series ---

    def _rule(self, master: Component, mine: set[str]) -> None:
        """RRULE, unless the file's line already means the rule, or the rule is not what moved."""
        lines = master.lines("RRULE")
        rule = self.target.recurrence
        if len(lines) == 1 and rule is not None:
            when = self.target.master.when
            zone = None if isinstance(when, AllDay) else WindowsZone(when.start_zone)
            found = from_rrule(lines[0].value.strip(), when.start, zone)
            if found == rule or (isinstance(found, Inexpressible) and "recurrence" not in mine):
                return
        elif "recurrence" not in mine:
            return
        _put(master, ("RRULE",), _rrule_lines(self.target), self.document.eol)

    def _slots(
        self,
        master: Component,
        mine: set[str],
        groups: dict[str, set[str]],
        overrides: list[tuple[Component, date]],
    ) -> None:
        if self.target.recurrence is None:
            if "recurrence" in mine - self.followed:
                self._no_series(master, overrides)
            return
        rebind = bool(mine & {"when", "recurrence"})
        if rebind or any("cancelled" in names for names in groups.values()):
            self._exdates(master)
        for component, slot in overrides:
            names = groups.pop(slot.isoformat(), set())
            if self._override(component, slot, mine, names) and rebind:
                self._rebind(component, slot)
        for name in sorted(groups):
            self._new_override(date.fromisoformat(name))

    def _no_series(self, master: Component, overrides: list[tuple[Component, date]]) -> None:
        _put(master, ("EXDATE",), [], self.document.eol)
        for component, _ in overrides:
            self.document.calendar.parts.remove(component)

    def _rebind(self, component: Component, slot: date) -> None:
        line = component.first("RECURRENCE-ID")
        if line is not None and not self._is_exact(line, line.value, slot):
            text = self._at("RECURRENCE-ID", slot)
            _put(component, ("RECURRENCE-ID",), [text], self.document.eol)

    def _is_exact(self, line: Line, value: str, slot: date) -> bool:
        """Whether the line still names the occurrence's start: readers match it by that."""
        when = self.target.master.when
        if isinstance(when, AllDay) and "VALUE=DATE:" not in self._at("", slot):
            return True  # midnights stand for days in this file
        return names_start(line, value, slot, when)

    def _occurs(self, slot: date) -> bool:
        rule, when = self.target.recurrence, self.target.master.when
        return rule is not None and occurs_on(rule, slot_of(when), slot)

    def _overrides(self) -> list[tuple[Component, date]]:
        found = []
        for component in self.document.calendar.components("VEVENT"):
            line = component.first("RECURRENCE-ID")
            slot = slot_named(line, line.value, self.old_when) if line is not None else None
            if slot is not None:
                found.append((component, slot))
        return found

    def _exdates(self, master: Component) -> None:
        """Drop and add single slots; values that name a start that moved are spelled anew."""
        eol, wanted = self.document.eol, self.target.cancelled
        gone = (self.now.cancelled if self.now else frozenset()) - wanted
        known: set[date] = set()
        for line in master.lines("EXDATE"):
            known |= self._exdate(master, line, gone)
        fresh = [new_line(self._at("EXDATE", slot), eol) for slot in sorted(wanted - known)]
        _insert_after(master, "EXDATE", fresh)

    def _exdate(self, master: Component, line: Line, gone: frozenset[date]) -> set[date]:
        """One EXDATE line brought up to date; returns the slots it goes on naming."""
        named = [(value, slot_named(line, value, self.old_when)) for value in line.value.split(",")]
        slots = {slot for _, slot in named if slot is not None and slot not in gone}
        wanted = sorted(slots & self.target.cancelled)
        stale = any(
            slot in wanted and not self._is_exact(line, v, slot) for v, slot in named if slot
        )
        kept = [value for value, slot in named if slot is None or slot not in gone]
        eol = self.document.eol
        if stale:
            _replace(master, line, [self._at("EXDATE", slot) for slot in wanted], eol)
        elif not kept:
            master.parts.remove(line)
        elif len(kept) < len(named):
            _replace(master, line, [with_value(line, ",".join(kept))], eol)
        return set(wanted) if stale else slots

    def _at(self, name: str, slot: date) -> str:
        """An EXDATE or RECURRENCE-ID in the form of the series' DTSTART (RFC 5545 3.8.4.4)."""
        when = self.target.master.when
        start = _master(self.document.calendar).first("DTSTART")
        if isinstance(when, Timed):
            return _moment(name, _slot_start(slot, when), self._kept_tzid(start, when.start_zone))
        if start is None or "T" not in start.value.upper():
            return _moment(name, slot)
        # Outlook's all-day event in the form of midnights.
        zone = "UTC" if start.value.strip().upper().endswith("Z") else ""
        midnight = datetime.combine(slot, time())
        return _moment(name, (midnight, zone), None if zone else param(start, "TZID"))

    def _override(self, component: Component, slot: date, mine: set[str], names: set[str]) -> bool:
        """Bring one override up to date; returns whether it is there and takes part in syncing."""
        own = self.target.overrides.get(slot)
        if own is None and (slot in self.target.cancelled or names):
            self.document.calendar.parts.remove(component)
            return False
        if own == Changes() and mine & {"when", "recurrence"} and not self._occurs(slot):
            self.document.calendar.parts.remove(component)
            return False
        said = self.now.overrides.get(slot) if self.now else None
        if own is None and said is None:
            return False  # held
        inherited = {
            name
            for name in mine & _INHERITED
            if not (_owns(own, name) or (own is None and _owns(said, name)))
        }
        if names & {"is_cancelled"} or (mine & {"is_cancelled"} and not _owns(own, "is_cancelled")):
            inherited.add("is_cancelled")
        before = effective(self.now, slot) if self.now and said is not None else None
        event = effective(self.target, slot)
        self._fields(component, event, names | inherited, before, self.target.master)
        return True

    def _new_override(self, slot: date) -> None:
        own = self.target.overrides.get(slot)
        if own is None or own == Changes() or slot in self.target.cancelled:
            return
        first = self._at("RECURRENCE-ID", slot)
        event = effective(self.target, slot)
        texts = _vevent(self.uid, event, self.stamps, [first], self.target.master)
        made = _component_of(texts, self.document.eol)
        tzid = self._own_tzids()
        for line in made.lines("DTSTART", "DTEND"):
            if param(line, "TZID") in tzid:
                made.parts[made.parts.index(line)] = new_line(
                    with_params(line, {"TZID": tzid[param(line, "TZID")]}), self.document.eol
                )
        _insert(self.document.calendar, [made], last=True)

    def _own_tzids(self) -> dict[str, str]:
        """How the file spells the zone of its series, by the usual name of that zone."""
        when = self.target.master.when
        if isinstance(when, AllDay):
            return {}
        line = _master(self.document.calendar).first("DTSTART")
        kept = self._kept_tzid(line, when.start_zone)
        return {iana_name(WindowsZone(when.start_zone)): kept} if kept else {}

    # --- zones ---

    def _zones(self, before: set[str]) -> None:
        """Blocks for zones that our lines brought in; one used before is its author's choice."""
        calendar = self.document.calendar
        present = {
            line.value.strip()
            for block in calendar.components("VTIMEZONE")
            if (line := block.first("TZID"))
        }
        for tzid in sorted(used_zones(calendar.components("VEVENT")) - present - before):
            zone = windows_zone(tzid)
            if zone is None or iana_name(zone) != tzid:
                continue
            block = _zone_block(tzid, _first_year(self.target))
            _insert(calendar, [_component_of(block, self.document.eol)], before="VEVENT")


_INHERITED = frozenset((*_OWNED, "show_as", "when", "attendees", "reminder_min", "join_url"))


def _owns(own: Changes | None, name: str) -> bool:
    return own is not None and getattr(own, name) is not msgspec.UNSET


def _master(calendar: Component) -> Component:
    return next(
        component
        for component in calendar.components("VEVENT")
        if component.first("RECURRENCE-ID") is None
    )


# --- lines ---


def _put(component: Component, names: tuple[str, ...], texts: list[str], eol: bytes) -> None:
    """
    Make `texts` the lines called `names`.

    A line that stays keeps its bytes and place; a changed one takes the place of one of its name.
    """
    parts, left = component.parts, component.lines(*names)
    kept = [_taken(left, text) for text in texts]
    at = -1
    for text, line in zip(texts, kept, strict=True):
        if line is None:
            old = _named(left, text)
            line = new_line(text, eol)
            if old is not None:
                parts[parts.index(old)] = line
            else:
                parts.insert(at + 1 if at >= 0 else _end_of_lines(component), line)
        at = parts.index(line)
    for line in left:
        parts.remove(line)


def _taken(left: list[Line], text: str) -> Line | None:
    """The line that says exactly `text`, taken out of `left`."""
    for line in left:
        if line_text(line) == text:
            left.remove(line)
            return line
    return None


def _named(left: list[Line], text: str) -> Line | None:
    for line in left:
        if text.startswith((f"{line.name};", f"{line.name}:")):
            left.remove(line)
            return line
    return None


def _end_of_lines(component: Component) -> int:
    for at, part in enumerate(component.parts):
        if isinstance(part, Component):
            return at
    return len(component.parts)


def _insert(
    component: Component, new: Iterable[Component], *, before: str = "", last: bool = False
) -> None:
    """Put components before the first one called `before`, or last."""
    at = len(component.parts)
    if not last:
        for i, part in enumerate(component.parts):
            if isinstance(part, Component) and part.name == before:
                at = i
                break
    component.parts[at:at] = list(new)


def _insert_after(component: Component, name: str, new: Iterable[Line]) -> None:
    """Put lines after the last one called `name`, else after the properties."""
    present = component.lines(name)
    at = component.parts.index(present[-1]) + 1 if present else _end_of_lines(component)
    component.parts[at:at] = list(new)


def _replace(component: Component, line: Line, texts: list[str], eol: bytes) -> None:
    at = component.parts.index(line)
    component.parts[at : at + 1] = [new_line(text, eol) for text in texts]


def _component_of(texts: list[str], eol: bytes) -> Component:
    stack: list[Component] = []
    for text in texts:
        if text.startswith("BEGIN:"):
            stack.append(new_component(text[6:], [], eol))
        elif text.startswith("END:"):
            done = stack.pop()
            if not stack:
                return done
            stack[-1].parts.append(done)
        else:
            stack[-1].parts.append(new_line(text, eol))
    raise AssertionError("the lines of a component end with its END")


# --- times ---


def _lasts(line: Line, when: When) -> bool:
    """Whether a DURATION line still gives the end."""
    length = parse_duration(line.value)
    if length is None:
        return False
    if isinstance(when, AllDay):
        return length == when.end - when.start
    end = later(when.start, WindowsZone(when.start_zone), length)
    return end == when.end and when.end_zone == when.start_zone


def _needs_no_end(when: When) -> bool:
    """RFC 5545 3.6.1: without an end, a date lasts a day and a date-time no time at all."""
    if isinstance(when, AllDay):
        return when.end - when.start == timedelta(days=1)
    return when.end == when.start and when.end_zone == when.start_zone


# --- free/busy ---


def _show_as_texts(
    component: Component, event: Event, master: Event | None, names: set[str]
) -> list[str]:
    """Our lines, and what a person wrote that does not contradict them."""
    texts = _show_as(event, master)
    transp, status = component.first("TRANSP"), component.first("STATUS")
    if transp is not None and transp.value.strip().upper() == "OPAQUE" and event.show_as != "free":
        texts.append(line_text(transp))
    if status is not None and not any(text.startswith("STATUS:") for text in texts):
        stated = status.value.strip().upper()
        if stated == "CONFIRMED" or (stated == "CANCELLED" and "is_cancelled" not in names):
            texts.append(line_text(status))
    return texts


# --- people ---


def _organizer_texts(component: Component, event: Event) -> list[str]:
    line, person = component.first("ORGANIZER"), event.organizer
    if person is None or not person.address:
        return [line_text(line)] if line is not None else []
    if line is not None and mail_address(line).casefold() == person.address.casefold():
        return [line_text(line)]
    return [_organizer(person)]


def _attendee_text(line: Line | None, one: Attendee) -> str:
    """The person's line with what moved; Graph knows nothing of its other parameters."""
    if line is None:
        return _attendee(one)
    said, moved = read_attendee(line, one.address), dict[str, str]()
    if said.status != one.status:
        moved["PARTSTAT"] = _PARTSTAT.get(one.status, "NEEDS-ACTION")
    if said.type != one.type:
        moved |= {"CUTYPE": "INDIVIDUAL", **_ROLE[one.type]}
    if one.name and said.name != one.name:
        moved["CN"] = one.name
    return with_params(line, moved) if moved else line_text(line)


def _own_text(line: Line | None, event: Event) -> str:
    stat = _PARTSTAT[event.response]
    if line is None:
        return f"ATTENDEE;PARTSTAT={stat};RSVP=TRUE:{_mailto(event.invited_as)}"
    if stated_response(line) == event.response:
        return line_text(line)
    return with_params(line, {"PARTSTAT": stat})


# --- alarms and online meetings ---


def _rewrite_alarm(component: Component, event: Event, before: Event | None, eol: bytes) -> None:
    """Move the trigger of the alarm that Graph's reminder stands for; other alarms stay."""
    repeats = component.first("RRULE") is not None
    counted = {
        alarm: minutes
        for alarm in component.components("VALARM")
        if (minutes := alarm_minutes(alarm, event.when, repeats=repeats)) is not None
    }
    if event.reminder_min is None:
        for alarm in counted:
            component.parts.remove(alarm)
        return
    if event.reminder_min in counted.values():
        return
    old = before.reminder_min if before else None
    matched = [alarm for alarm, minutes in counted.items() if minutes == old] or list(counted)
    if matched:
        _put(matched[0], ("TRIGGER",), [_trigger(event.reminder_min)], eol)
    else:
        _insert(component, [_component_of(_alarm(event), eol)], last=True)


def _rewrite_conference(component: Component, event: Event, eol: bytes) -> None:
    """Only the line that we minted; a CONFERENCE of the file's own stays."""
    minted = [
        line for line in component.lines("CONFERENCE") if param(line, "LABEL") == MINTED_LABEL
    ]
    new = [new_line(text, eol) for text in _join_url(event)]
    if [line.value for line in minted] == [line.value for line in new]:
        return
    for line in minted:
        component.parts.remove(line)
    _insert_after(component, "CONFERENCE", new)


def _touch_stamps(component: Component, stamps: Stamps, eol: bytes) -> None:
    for name in ("DTSTAMP", "LAST-MODIFIED"):
        if component.first(name) is not None:
            _put(component, (name,), [f"{name}:{stamps.modified}"], eol)
