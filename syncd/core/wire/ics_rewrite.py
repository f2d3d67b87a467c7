"""
An existing file brought up to date: the lines whose meaning moved are written anew.

All other lines stay byte for byte, in their place, with their own folding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

import msgspec

from syncd.core.event import (
    AllDay,
    Attendee,
    Changes,
    Event,
    FieldKey,
    Item,
    Timed,
    When,
    effective,
    one_line,
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
    line_text,
    new_line,
    param,
    parse,
    quoted,
    split_list,
    to_bytes,
    with_params,
    with_value,
)
from syncd.core.owner import Owner
from syncd.core.recurrence import Inexpressible, from_rrule, occurs_on
from syncd.core.wire.ics_alarms import alarm_minutes, read_reminder
from syncd.core.wire.ics_attach import has_minted_attachments, rewrite_attached
from syncd.core.wire.ics_edit import (
    component_of,
    insert_after,
    insert_parts,
    put_lines,
    remove_parts,
    replace_lines,
)
from syncd.core.wire.ics_geo import geo_texts
from syncd.core.wire.ics_html import HTML_NAMES
from syncd.core.wire.ics_people import (
    is_silent,
    mail_address,
    own_lines,
    read_attendee,
    stated_response,
)
from syncd.core.wire.ics_read import OVERRIDE, FileItem, read_document, used_zones
from syncd.core.wire.ics_slots import (
    ZoneOf,
    later,
    names_start,
    nominal_days,
    parse_duration,
    parse_wall,
    slot_meant,
)
from syncd.core.wire.ics_times import (
    floating_zone,
    floats,
    maybe_all_day,
    private_zones,
    zone_named,
)
from syncd.core.wire.ics_write import (
    MINTED_LABEL,
    PARTSTAT,
    ROLE,
    Stamps,
    alarm_texts,
    attendee_text,
    body_texts,
    categories_texts,
    first_year,
    importance_texts,
    join_url_texts,
    location_texts,
    mailto,
    moment_text,
    new_times_texts,
    organizer_text,
    rrule_texts,
    sensitivity_texts,
    show_as_texts,
    slot_start,
    subject_texts,
    trigger_text,
    vevent_texts,
    when_texts,
    zone_block,
)
from syncd.core.zones import WindowsZone, iana_name, windows_zone

__all__ = ["rewrite"]


_OWNED: Mapping[str, tuple[str, ...]] = {
    "subject": ("SUMMARY",),
    "body": ("DESCRIPTION", *HTML_NAMES),
    "location": ("LOCATION",),
    "geo": ("GEO",),
    "allow_new_times": ("X-MICROSOFT-DISALLOW-COUNTER",),
    "sensitivity": ("CLASS",),
    "importance": ("PRIORITY", "X-MICROSOFT-CDO-IMPORTANCE"),
    "categories": ("CATEGORIES",),
}


_WRITERS: Mapping[str, Callable[[Event], list[str]]] = {
    "subject": subject_texts,
    "body": body_texts,
    "location": location_texts,
    "geo": geo_texts,
    "sensitivity": sensitivity_texts,
    "importance": importance_texts,
    "categories": categories_texts,
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
    zone_of = private_zones(document, owner, _master(document.calendar).first("DTSTART"))
    held = frozenset(one.slot for one in now.holds if one.fields == OVERRIDE)
    rewriter = _Rewriter(
        document, uid, target, stamps, owner, now.item, base, zone_of, followed, held
    )
    rewriter.apply(_groups(moved))
    if any(component_bytes(one) != text for one, text in zip(events, before, strict=True)):
        rewriter.mint_again()
    there = {id(event) for event in document.calendar.components("VEVENT")}
    for event, text in zip(events, before, strict=True):
        if id(event) in there and component_bytes(event) != text:
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
    """
    `now` is what the file says before; None where its time cannot be read. `zone_of` is what its
    own TZIDs mean before its DTSTART is written. `held` are slots whose overrides are left alone.

    `start` is the series' DTSTART once it is written, `tzid` what it calls its zone. `dropped` are
    the ids of overrides that go, all at once: a file may hold thousands.
    """

    document: Document
    uid: Uid
    target: Item
    stamps: Stamps
    owner: Owner
    now: Item | None
    base: Item | None
    zone_of: ZoneOf
    followed: frozenset[str]
    held: frozenset[str]
    start: Line | None = None
    tzid: str | None = None
    dropped: set[int] = field(default_factory=set)

    def apply(self, groups: dict[str, set[str]]) -> None:
        master = _master(self.document.calendar)
        mine = groups.pop("", set())
        if "recurrence" in mine and self._lacks_zone(master):
            mine.add("when")
        before = self.now.master if self.now else None
        overrides = self._overrides()
        zones = used_zones(self.document.calendar.components("VEVENT"))
        self._fields(master, self.target.master, mine, before)
        if mine & {"when", "recurrence"}:
            self._rule(master, mine)
        self._slots(master, mine | self.followed, groups, overrides)
        self._zones(zones)

    def mint_again(self) -> None:
        """Lines of ours that some client dropped come back with a write, never by themselves."""
        master, event = _master(self.document.calendar), self.target.master
        gone: set[str] = set()
        if event.join_url and not _minted_conferences(master):
            gone.add("join_url")
        if event.attached and not has_minted_attachments(master):
            gone.add("attached")
        if event.invited_as and not own_lines(master, self.owner):
            gone.add("attendees")
        if event.organizer and event.attendees and master.first("ORGANIZER") is None:
            gone.add("attendees")
        self._fields(master, event, gone, self.now.master if self.now else None)

    def _lacks_zone(self, master: Component) -> bool:
        """Whether the zone of a series stands for UTC only as long as its offset stays."""
        start, when = master.first("DTSTART"), self.target.master.when
        if start is None or isinstance(when, AllDay) or not param(start, "TZID"):
            return False
        return self._kept_tzid(start, when.start_zone) is None

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
                put_lines(component, ("DTSTART", "DTEND", "DURATION"), texts, eol)
                _keep_reading(component, event, before, eol)
            elif name == "show_as":
                texts = _show_as_texts(component, event, master, names)
                put_lines(component, ("TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS", "STATUS"), texts, eol)
            elif name == "attendees":
                put_lines(
                    component,
                    ("ORGANIZER", "ATTENDEE"),
                    self._people(component, event, before),
                    eol,
                )
            elif name == "reminder_min":
                _rewrite_alarm(component, event, before, eol)
            elif name == "join_url":
                _rewrite_conference(component, event, eol)
            elif name == "attached":
                rewrite_attached(component, event, eol)
            elif name == "response_requested":
                _rewrite_requested(component, event, eol)
            elif name == "allow_new_times":
                put_lines(component, _OWNED[name], new_times_texts(event, master), eol)
            elif name in _OWNED:
                held = _held_categories(component, before) if name == "categories" else []
                texts = [_in_language(component, text) for text in _WRITERS[name](event)]
                put_lines(component, _OWNED[name], [*texts, *held], eol)

    def _when_texts(self, component: Component, when: When) -> list[str]:
        present = {
            line.name: line for line in reversed(component.lines("DTSTART", "DTEND", "DURATION"))
        }
        if isinstance(when, AllDay):
            texts = when_texts(when)
        else:
            start_line = present.get("DTSTART")
            start_tzid = self._kept_tzid(start_line, when.start_zone)
            end_tzid = self._kept_tzid(present.get("DTEND") or start_line, when.end_zone)
            texts = when_texts(when, start_tzid, end_tzid)
        duration = present.get("DURATION")
        repeats = self.target.recurrence is not None and component.first("RECURRENCE-ID") is None
        if duration is not None and _lasts(duration, when, repeats=repeats):
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
        texts = [
            _attendee_text(others.get(one.address.casefold()), one, rsvp=event.response_requested)
            for one in event.attendees
        ]
        if event.invited_as:
            texts.append(_own_text(own, event))
        return [*_organizer_texts(component, event, before), *texts, *map(line_text, kept)]

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
        texts = rrule_texts(self.target, floating=floats(master.first("DTSTART")))
        put_lines(master, ("RRULE",), texts, self.document.eol)

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
        self._read_start(master)
        rebind = bool(mine & {"when", "recurrence"})
        if rebind or any("cancelled" in names for names in groups.values()):
            self._exdates(master)
        for component, slot in overrides:
            names = groups.pop(slot.isoformat(), set())
            if self._override(component, slot, mine, names) and rebind:
                self._rebind(component, slot)
        remove_parts(self.document.calendar, self.dropped)
        for name in sorted(groups):
            self._new_override(date.fromisoformat(name))

    def _read_start(self, master: Component) -> None:
        when = self.target.master.when
        self.start = master.first("DTSTART")
        if isinstance(when, Timed):
            floating = floats(self.start)
            self.tzid = "" if floating else self._kept_tzid(self.start, when.start_zone)

    def _no_series(self, master: Component, overrides: list[tuple[Component, date]]) -> None:
        put_lines(master, ("EXDATE",), [], self.document.eol)
        remove_parts(self.document.calendar, {id(component) for component, _ in overrides})

    def _rebind(self, component: Component, slot: date) -> None:
        line = component.first("RECURRENCE-ID")
        if line is not None and not self._is_exact(line, line.value, slot):
            text = self._at("RECURRENCE-ID", slot)
            put_lines(component, ("RECURRENCE-ID",), [text], self.document.eol)

    def _is_exact(self, line: Line, value: str, slot: date) -> bool:
        """Whether the line still names the occurrence's start: readers match it by that."""
        when = self.target.master.when
        if isinstance(when, AllDay) and "VALUE=DATE:" not in self._at("", slot):
            return True  # midnights stand for days in this file
        return names_start(line, value, slot, when, self.zone_of)

    def _occurs(self, slot: date) -> bool:
        rule, when = self.target.recurrence, self.target.master.when
        return rule is not None and occurs_on(rule, slot_of(when), slot)

    def _overrides(self) -> list[tuple[Component, date]]:
        found = []
        for component in self.document.calendar.components("VEVENT"):
            line = component.first("RECURRENCE-ID")
            slot = self._slot_meant(line, line.value) if line is not None else None
            if slot is not None:
                found.append((component, slot))
        return found

    def _slot_meant(self, line: Line, value: str) -> date | None:
        return slot_meant(line, value, self.old_when, self.base, self.zone_of)

    def _exdates(self, master: Component) -> None:
        """Drop and add single slots; values that name a start that moved are spelled anew."""
        eol, wanted = self.document.eol, self.target.cancelled
        gone = (self.now.cancelled if self.now else frozenset()) - wanted
        gone |= self._coming(master)
        known: set[date] = set()
        new: dict[int, list[Line]] = {}
        for line in master.lines("EXDATE"):
            known |= self._exdate(line, gone, new)
        replace_lines(master, new)
        fresh = [new_line(self._at("EXDATE", slot), eol) for slot in sorted(wanted - known)]
        insert_after(master, "EXDATE", fresh)

    def _coming(self, master: Component) -> frozenset[date]:
        """
        Slots that an EXDATE names and the rule did not have so far, while the new one has them: a
        line that meant nothing would take an occurrence away that nobody took away.
        """
        named = (
            slot
            for line in master.lines("EXDATE")
            for value in line.value.split(",")
            if (slot := self._slot_meant(line, value)) is not None
        )
        cancelled = self.target.cancelled | (self.now.cancelled if self.now else frozenset())
        return frozenset(slot for slot in named if slot not in cancelled and self._occurs(slot))

    def _exdate(self, line: Line, gone: frozenset[date], new: dict[int, list[Line]]) -> set[date]:
        """One EXDATE line brought up to date in `new`; returns the slots it goes on naming."""
        named = [(value, self._slot_meant(line, value)) for value in line.value.split(",")]
        slots = {slot for _, slot in named if slot is not None and slot not in gone}
        wanted = slots & self.target.cancelled
        stale = any(
            slot in wanted and not self._is_exact(line, v, slot) for v, slot in named if slot
        )
        kept = [value for value, slot in named if slot is None or slot not in gone]
        eol = self.document.eol
        if stale:
            new[id(line)] = [new_line(self._at("EXDATE", slot), eol) for slot in sorted(wanted)]
        elif len(kept) < len(named):
            texts = [with_value(line, ",".join(kept))] if kept else []
            new[id(line)] = [new_line(text, eol) for text in texts]
        return wanted if stale else slots

    def _at(self, name: str, slot: date) -> str:
        """An EXDATE or RECURRENCE-ID in the form of the series' DTSTART (RFC 5545 3.8.4.4)."""
        when = self.target.master.when
        start = self.start
        if isinstance(when, Timed):
            return moment_text(name, slot_start(slot, when), self.tzid)
        if start is None or "T" not in start.value.upper():
            return moment_text(name, slot)
        # Outlook's all-day event in the form of midnights.
        zone = "UTC" if start.value.strip().upper().endswith("Z") else ""
        midnight = datetime.combine(slot, time())
        return moment_text(name, (midnight, zone), None if zone else param(start, "TZID"))

    def _override(self, component: Component, slot: date, mine: set[str], names: set[str]) -> bool:
        """Bring one override up to date; returns whether it is there and takes part in syncing."""
        if slot.isoformat() in self.held:
            return False
        own = self.target.overrides.get(slot)
        if own is None and (slot in self.target.cancelled or names):
            self.dropped.add(id(component))
            return False
        if own == Changes() and mine & {"when", "recurrence"} and not self._occurs(slot):
            self.dropped.add(id(component))
            return False
        said = self.now.overrides.get(slot) if self.now else None
        if own is None and said is None:
            return False  # held
        inherited = {
            name
            for name in mine & _INHERITED
            if not (_owns(own, name) or (own is None and _owns(said, name)))
        }
        if any(name in mine and not _owns(own, name) for name in _OF_PEOPLE):
            inherited.add("attendees")  # the owner's line stands among lines that it may own
        if names & {"is_cancelled"} or (mine & {"is_cancelled"} and not _owns(own, "is_cancelled")):
            inherited.add("is_cancelled")
        before = effective(self.now, slot) if self.now and said is not None else None
        event = effective(self.target, slot)
        if "show_as" in mine and event.show_as in ("busy", "tentative"):
            inherited.add("show_as")  # without a word of its own it would take over the series'
        self._fields(component, event, names | inherited, before, self.target.master)
        return True

    def _new_override(self, slot: date) -> None:
        own = self.target.overrides.get(slot)
        if own is None or own == Changes() or slot in self.target.cancelled:
            return
        first = self._at("RECURRENCE-ID", slot)
        event = effective(self.target, slot)
        texts = vevent_texts(self.uid, event, self.stamps, [first], self.target.master)
        made = component_of(texts, self.document.eol)
        tzid = self._own_tzids()
        for line in made.lines("DTSTART", "DTEND"):
            if param(line, "TZID") in tzid:
                made.parts[made.parts.index(line)] = new_line(
                    with_params(line, {"TZID": tzid[param(line, "TZID")]}), self.document.eol
                )
        insert_parts(self.document.calendar, [made], last=True)

    def _own_tzids(self) -> dict[str, str]:
        """How the file spells the zone of its series, by the usual name of that zone."""
        when = self.target.master.when
        if isinstance(when, AllDay):
            return {}
        return {iana_name(WindowsZone(when.start_zone)): self.tzid} if self.tzid else {}

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
            block = zone_block(tzid, first_year(self.target))
            insert_parts(calendar, [component_of(block, self.document.eol)], before="VEVENT")


_INHERITED = frozenset(
    (
        *_OWNED,
        *("show_as", "when", "attendees", "reminder_min", "join_url", "attached"),
        "response_requested",
    )
)


_OF_PEOPLE = ("organizer", "response", "invited_as")


def _owns(own: Changes | None, name: str) -> bool:
    return own is not None and getattr(own, name) is not msgspec.UNSET


def _master(calendar: Component) -> Component:
    return next(
        component
        for component in calendar.components("VEVENT")
        if component.first("RECURRENCE-ID") is None
    )


def _lasts(line: Line, when: When, *, repeats: bool) -> bool:
    """Whether a DURATION line still gives the end."""
    length = parse_duration(line.value)
    if length is None:
        return False
    if isinstance(when, AllDay):
        return length == when.end - when.start
    zone, days = WindowsZone(when.start_zone), nominal_days(line.value)
    end = later(when.start, zone, length, days, repeats=repeats)
    return end == when.end and when.end_zone == when.start_zone


def _needs_no_end(when: When) -> bool:
    """RFC 5545 3.6.1: without an end, a date lasts a day and a date-time no time at all."""
    if isinstance(when, AllDay):
        return when.end - when.start == timedelta(days=1)
    return when.end == when.start and when.end_zone == when.start_zone


def _show_as_texts(
    component: Component, event: Event, master: Event | None, names: set[str]
) -> list[str]:
    """Our lines, and what a person wrote that does not contradict them."""
    texts = show_as_texts(event, master)
    transp, status = component.first("TRANSP"), component.first("STATUS")
    if transp is not None and transp.value.strip().upper() == "OPAQUE" and event.show_as != "free":
        texts.append(line_text(transp))
    if status is not None and not any(text.startswith("STATUS:") for text in texts):
        stated = status.value.strip().upper()
        if stated == "CONFIRMED" or (stated == "CANCELLED" and "is_cancelled" not in names):
            texts.append(line_text(status))
    return texts


def _organizer_texts(component: Component, event: Event, before: Event | None) -> list[str]:
    """The organizer's line; one that the service once gave goes with the meeting."""
    line, person = component.first("ORGANIZER"), event.organizer
    if person is None or not person.address:
        given = before.organizer if before else None
        theirs = line is not None and given and mail_address(line) == given.address
        return [line_text(line)] if line is not None and not theirs else []
    if line is not None and mail_address(line).casefold() == person.address.casefold():
        return [line_text(line)]
    return [organizer_text(person)]


def _attendee_text(line: Line | None, one: Attendee, *, rsvp: bool) -> str:
    """The person's line with what moved; Graph knows nothing of its other parameters."""
    if line is None:
        return attendee_text(one, rsvp=rsvp)
    said, moved = read_attendee(line, one.address), dict[str, str]()
    if said.status != one.status:
        moved["PARTSTAT"] = PARTSTAT.get(one.status, "NEEDS-ACTION")
    if said.type != one.type:
        moved |= {"CUTYPE": "INDIVIDUAL", **ROLE[one.type]}
    if one.name and said.name != one.name:
        moved["CN"] = one.name
    return with_params(line, moved) if moved else line_text(line)


def _own_text(line: Line | None, event: Event) -> str:
    stat = PARTSTAT[event.response]
    if line is None:
        return f"ATTENDEE;PARTSTAT={stat};RSVP=TRUE:{mailto(event.invited_as)}"
    if stated_response(line) == event.response:
        return line_text(line)
    return with_params(line, {"PARTSTAT": stat})


def _rewrite_alarm(component: Component, event: Event, before: Event | None, eol: bytes) -> None:
    """Move the trigger of the alarm that Graph's reminder stands for; other alarms stay."""
    repeats = component.first("RRULE") is not None
    known = (event.reminder_min, before.reminder_min if before else None)
    counted = {
        alarm: minutes
        for alarm in component.components("VALARM")
        if (minutes := alarm_minutes(alarm, event.when, repeats=repeats, known=known)) is not None
    }
    if event.reminder_min is None:
        remove_parts(component, {id(alarm) for alarm in counted})
        return
    if event.reminder_min in counted.values():
        return
    matched = _alarms_of(component, before, repeats=repeats) or list(counted)
    if matched:
        put_lines(matched[0], ("TRIGGER",), [trigger_text(event.reminder_min)], eol)
    else:
        insert_parts(component, [component_of(alarm_texts(event), eol)], last=True)


def _alarms_of(component: Component, before: Event | None, *, repeats: bool) -> list[Component]:
    """The alarms that said the reminder before."""
    if before is None or before.reminder_min is None:
        return []
    known = (before.reminder_min,)
    return [
        alarm
        for alarm in component.components("VALARM")
        if alarm_minutes(alarm, before.when, repeats=repeats, known=known) == before.reminder_min
    ]


def _keep_reading(component: Component, event: Event, before: Event | None, eol: bytes) -> None:
    """What other lines say by means of the start and the end goes on being said."""
    if isinstance(event.when, Timed) and maybe_all_day(component, event.when) != event.when:
        put_lines(component, ("X-MICROSOFT-CDO-ALLDAYEVENT",), [], eol)
    if event.reminder_min is None or not component.components("VALARM"):
        return
    # An alarm at a fixed time, or before the end, would say another reminder by now.
    if read_reminder(component, event.when, event) != event.reminder_min:
        _rewrite_alarm(component, event, before, eol)


def _in_language(component: Component, text: str) -> str:
    """A new title or place keeps the LANGUAGE that its author gave the old one."""
    name = text.partition(":")[0]
    line = component.first(name) if name in ("SUMMARY", "LOCATION") else None
    language = param(line, "LANGUAGE") if line is not None else ""
    return f"{name};LANGUAGE={quoted(language)}{text[len(name) :]}" if language else text


def _rewrite_requested(component: Component, event: Event, eol: bytes) -> None:
    """Only where Outlook's line is there already."""
    name = "X-MICROSOFT-CDO-ISRESPONSEREQUESTED"
    if component.first(name) is not None:
        put_lines(component, (name,), [f"{name}:{str(event.response_requested).upper()}"], eol)


def _rewrite_conference(component: Component, event: Event, eol: bytes) -> None:
    """Only the line that we minted; a CONFERENCE of the file's own stays."""
    minted = _minted_conferences(component)
    new = [new_line(text, eol) for text in join_url_texts(event)]
    if [line.value for line in minted] == [line.value for line in new]:
        return
    for line in minted:
        component.parts.remove(line)
    insert_after(component, "CONFERENCE", new)


def _minted_conferences(component: Component) -> list[Line]:
    return [line for line in component.lines("CONFERENCE") if param(line, "LABEL") == MINTED_LABEL]


def _held_categories(component: Component, before: Event | None) -> list[str]:
    """What the file says and the service cannot take; `before` is what was read of it."""
    read = {category.casefold() for category in before.categories} if before is not None else None
    texts = [text for line in component.lines("CATEGORIES") for text in split_list(line.value)]
    held = [text for text in texts if read is not None and one_line(text).casefold() not in read]
    return ["CATEGORIES:" + ",".join(map(escape, held))] if held else []


def _touch_stamps(component: Component, stamps: Stamps, eol: bytes) -> None:
    for name in ("DTSTAMP", "LAST-MODIFIED"):
        if component.first(name) is not None:
            put_lines(component, (name,), [f"{name}:{stamps.modified}"], eol)
