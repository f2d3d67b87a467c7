"""
An `Item` as content lines: whole new files, and the lines of an existing file whose meaning moved.

One table says which lines a field owns and how they are written; a new file is every field
written, a rewrite is the moved fields written in place. All other lines stay byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import msgspec

from syncd.core.event import (
    AllDay,
    Attendee,
    Event,
    FieldKey,
    Item,
    Timed,
    When,
    effective,
    shifted,
)
from syncd.core.ids import Uid
from syncd.core.lines import (
    Component,
    Document,
    Line,
    Unreadable,
    escape,
    folded,
    new_component,
    new_line,
    param,
    parse,
    to_bytes,
)
from syncd.core.recurrence import to_rrule
from syncd.core.vtimezone import vtimezone_lines
from syncd.core.wire.ics_read import Owner, alarm_minutes, used_zones
from syncd.core.wire.ics_slots import parse_duration, slots_named
from syncd.core.zones import WindowsZone, iana_name, windows_zone

__all__ = ["PRODID", "Stamps", "local_view", "render", "rewrite"]

PRODID = "-//syncd//syncd//EN"
CRLF = b"\r\n"


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
    return item if master is item.master else msgspec.structs.replace(item, master=master)


def _event_view(event: Event) -> Event:
    if event.sensitivity == "personal":
        event = msgspec.structs.replace(event, sensitivity="private")
    if event.show_as == "unknown":
        event = msgspec.structs.replace(event, show_as="busy")
    return event


# --- new files ---


def render(uid: Uid, item: Item, stamps: Stamps, owner: Owner) -> bytes:
    """A whole new file for an item, the same bytes for the same item."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODID}"]
    for tzid in _zones_of(item):
        lines.extend(_zone_block(tzid, _first_year(item)))
    lines.extend(_vevent(uid, item.master, stamps, owner, _series_lines(item)))
    for slot in sorted(item.overrides):
        slot_line = _recurrence_id(slot, item.master.when)
        lines.extend(_vevent(uid, effective(item, slot), stamps, owner, [slot_line]))
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
        return (
            f"{name};VALUE=DATE:{at:%Y%m%d}" if at.year >= 1000 else f"{name};VALUE=DATE:00010101"
        )
    wall, zone = at
    digits = (
        f"{wall.year:04}{wall.month:02}{wall.day:02}T{wall.hour:02}{wall.minute:02}{wall.second:02}"
    )
    if tzid is None:
        if zone == "UTC":
            return f"{name}:{digits}Z"
        tzid = iana_name(WindowsZone(zone))
    return f"{name};TZID={_quoted(tzid)}:{digits}" if tzid else f"{name}:{digits}"


def _quoted(value: str) -> str:
    value = "".join(c for c in value if c >= " " and c != "\x7f")
    if '"' in value or "^" in value:  # RFC 6868
        value = value.replace("^", "^^").replace('"', "^'")
    return f'"{value}"' if any(c in value for c in ",;:") else value


def _vevent(
    uid: Uid, event: Event, stamps: Stamps, owner: Owner, series: Iterable[str]
) -> list[str]:
    lines = ["BEGIN:VEVENT", f"UID:{escape(uid)}", f"DTSTAMP:{stamps.modified}"]
    if stamps.created:
        lines.append(f"CREATED:{stamps.created}")
    lines.append(f"LAST-MODIFIED:{stamps.modified}")
    lines.extend(_subject(event))
    lines.extend(_when(event.when, {}))
    lines.extend(series)
    for write in (_location, _body, _show_as, _sensitivity, _importance, _categories):
        lines.extend(write(event))
    lines.extend(_people(event, []))
    lines.extend(_join_url(event))
    lines.extend(_alarm(event))
    lines.append("END:VEVENT")
    return lines


# --- one field ---


def _subject(event: Event) -> list[str]:
    return [f"SUMMARY:{escape(event.subject)}"] if event.subject else []


def _body(event: Event) -> list[str]:
    return [f"DESCRIPTION:{escape(event.body)}"] if event.body else []


def _location(event: Event) -> list[str]:
    return [f"LOCATION:{escape(event.location)}"] if event.location else []


def _when(when: When, present: Mapping[str, Line]) -> list[str]:
    """DTSTART and DTEND (or DURATION, where the file has it and the length is unchanged)."""
    if isinstance(when, AllDay):
        return [f"DTSTART;VALUE=DATE:{when.start:%Y%m%d}", f"DTEND;VALUE=DATE:{when.end:%Y%m%d}"]
    start_tzid = _kept_tzid(present.get("DTSTART"), when.start_zone)
    end_tzid = _kept_tzid(present.get("DTEND") or present.get("DTSTART"), when.end_zone)
    return [
        _moment("DTSTART", (when.start, when.start_zone), start_tzid),
        _moment("DTEND", (when.end, when.end_zone), end_tzid),
    ]


def _kept_tzid(line: Line | None, zone: str) -> str | None:
    """The file's own spelling of the zone, "" where it floats, None where it must change."""
    if line is None or "T" not in line.value.upper():
        return None
    if line.value.strip().upper().endswith("Z"):
        return None
    tzid = param(line, "TZID")
    if not tzid:
        return ""
    return tzid if windows_zone(tzid) == zone else None


def _show_as(event: Event) -> list[str]:
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
            lines = []
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
    return [f"CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO;LABEL=Online meeting:{url}"] if url else []


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


def _people(event: Event, present: Iterable[Line]) -> list[str]:
    if not event.attendees and not event.invited_as:
        return []
    lines = []
    if event.organizer is not None and event.organizer.address:
        lines.append(
            f"ORGANIZER{_cn(event.organizer.name)}:mailto:{_safe(event.organizer.address)}"
        )
    lines.extend(_attendee(one) for one in event.attendees)
    if event.invited_as:
        stat = _PARTSTAT_OUT[event.response]
        lines.append(f"ATTENDEE;PARTSTAT={stat};RSVP=TRUE:mailto:{_safe(event.invited_as)}")
    return lines


_PARTSTAT_OUT: Mapping[str, str] = {
    "none": "NEEDS-ACTION",
    "notResponded": "NEEDS-ACTION",
    "organizer": "ACCEPTED",
    "accepted": "ACCEPTED",
    "tentativelyAccepted": "TENTATIVE",
    "declined": "DECLINED",
}
_ROLE: Mapping[str, str] = {
    "required": "ROLE=REQ-PARTICIPANT",
    "optional": "ROLE=OPT-PARTICIPANT",
    "resource": "CUTYPE=RESOURCE;ROLE=NON-PARTICIPANT",
}


def _attendee(one: Attendee) -> str:
    stat = _PARTSTAT_OUT.get(one.status, "NEEDS-ACTION")
    return f"ATTENDEE{_cn(one.name)};{_ROLE[one.type]};PARTSTAT={stat}:mailto:{_safe(one.address)}"


def _cn(name: str) -> str:
    return f";CN={_quoted(name)}" if name else ""


def _safe(address: str) -> str:
    return "".join(c for c in address if c > " " and c != "\x7f")


# --- rewriting ---

_OWNED: Mapping[str, tuple[str, ...]] = {
    "subject": ("SUMMARY",),
    "body": ("DESCRIPTION", "X-ALT-DESC", "STYLED-DESCRIPTION"),
    "location": ("LOCATION",),
    "show_as": ("TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS", "STATUS"),
    "sensitivity": ("CLASS",),
    "importance": ("PRIORITY", "X-MICROSOFT-CDO-IMPORTANCE"),
    "categories": ("CATEGORIES",),
}
_WRITERS: Mapping[str, Callable[[Event], list[str]]] = {
    "subject": _subject,
    "body": _body,
    "location": _location,
    "show_as": _show_as,
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
    followed: Iterable[str] = (),
) -> bytes | Unreadable:
    """
    The file with the `moved` fields saying what `target` says, everything else byte for byte.

    Args:
        data: the file as it is. followed: fields of the series that its author changed in the
            file: overrides that inherit them, and slots that their time names, are brought along.
    """
    document = parse(data)
    if isinstance(document, Unreadable):
        return document
    before = to_bytes(document)
    _Rewriter(document, uid, target, stamps, owner).apply(_groups(moved), set(followed))
    if to_bytes(document) == before:
        return data
    _touch_stamps(document, stamps)
    return to_bytes(document)


def _groups(moved: Iterable[FieldKey]) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = {}
    for slot, name in moved:
        groups.setdefault(slot, set()).add(_GROUP.get(name, name))
    return groups


@dataclass(slots=True)
class _Rewriter:
    document: Document
    uid: Uid
    target: Item
    stamps: Stamps
    owner: Owner

    def apply(self, groups: dict[str, set[str]], followed: set[str]) -> None:
        calendar = self.document.calendar
        master = _master(calendar)
        if master is None:
            return
        mine = groups.pop("", set())
        self._fields(master, self.target.master, mine)
        if mine & {"when", "recurrence"}:
            self._series(master)
        self._slots(master, mine | followed, groups)
        self._zones()

    def _fields(self, component: Component, event: Event, names: set[str]) -> None:
        eol = self.document.eol
        for name in names:
            if name == "when":
                _put(
                    component,
                    ("DTSTART", "DTEND", "DURATION"),
                    _rewrite_when(component, event),
                    eol,
                )
            elif name == "attendees":
                _rewrite_people(component, event, self.owner, eol)
            elif name == "reminder_min":
                _rewrite_alarm(component, event, eol)
            elif name == "join_url":
                _rewrite_conference(component, event, eol)
            elif name in _OWNED:
                _put(component, _OWNED[name], _WRITERS[name](event), eol)

    def _series(self, master: Component) -> None:
        eol = self.document.eol
        _put(master, ("RRULE",), _rrule_lines(self.target), eol)

    def _slots(self, master: Component, mine: set[str], groups: dict[str, set[str]]) -> None:
        moved_series = bool(mine & {"when", "recurrence"})
        if moved_series or any("cancelled" in names for names in groups.values()):
            self._exdates(master, rewrite_all=moved_series)
        for component, slot in self._overrides():
            self._override(component, slot, mine, groups.pop(slot.isoformat(), set()))
        for name in sorted(groups):
            self._new_override(date.fromisoformat(name))

    def _exdates(self, master: Component, *, rewrite_all: bool) -> None:
        """Add missing EXDATEs as lines of their own; existing ones stay unless the series moved."""
        eol, when = self.document.eol, self.target.master.when
        if rewrite_all:
            _put(master, ("EXDATE",), self._exdate_lines(self.target.cancelled), eol)
            return
        known = {slot for line in master.lines("EXDATE") for slot in slots_named(line, when)}
        for line in master.lines("EXDATE"):
            stale = [slot for slot in slots_named(line, when) if slot not in self.target.cancelled]
            if stale and len(stale) == len(slots_named(line, when)):
                master.parts.remove(line)
        for text in self._exdate_lines(self.target.cancelled - known):
            _insert(master, [new_line(text, eol)])

    def _exdate_lines(self, slots: Iterable[date]) -> list[str]:
        master = _master(self.document.calendar)
        assert master is not None
        tzid = self._series_tzid(master)
        when = self.target.master.when
        return [_moment("EXDATE", _slot_start(slot, when), tzid) for slot in sorted(slots)]

    def _series_tzid(self, master: Component) -> str | None:
        when = self.target.master.when
        if isinstance(when, AllDay):
            return None
        return _kept_tzid(master.first("DTSTART"), when.start_zone)

    def _overrides(self) -> list[tuple[Component, date]]:
        found = []
        for component in self.document.calendar.components("VEVENT"):
            line = component.first("RECURRENCE-ID")
            if line is not None:
                slots = slots_named(line, self.target.master.when)
                if slots:
                    found.append((component, slots[0]))
        return found

    def _override(self, component: Component, slot: date, mine: set[str], names: set[str]) -> None:
        own = self.target.overrides.get(slot)
        if own is None and (slot in self.target.cancelled or names):
            self.document.calendar.parts.remove(component)
            return
        inherited = {name for name in mine if name in _INHERITED and not _owns(own, name)}
        self._fields(component, effective(self.target, slot), names | inherited)
        if mine & {"when", "recurrence"}:
            master = _master(self.document.calendar)
            assert master is not None
            start = _slot_start(slot, self.target.master.when)
            line = _moment("RECURRENCE-ID", start, self._series_tzid(master))
            _put(component, ("RECURRENCE-ID",), [line], self.document.eol)

    def _new_override(self, slot: date) -> None:
        if slot not in self.target.overrides or slot in self.target.cancelled:
            return
        master = _master(self.document.calendar)
        assert master is not None
        start = _slot_start(slot, self.target.master.when)
        first = _moment("RECURRENCE-ID", start, self._series_tzid(master))
        event = effective(self.target, slot)
        texts = _vevent(self.uid, event, self.stamps, self.owner, [first])
        _insert(self.document.calendar, [_component_of(texts, self.document.eol)], last=True)

    def _zones(self) -> None:
        calendar = self.document.calendar
        present = {
            line.value.strip()
            for block in calendar.components("VTIMEZONE")
            if (line := block.first("TZID"))
        }
        # A TZID that the file used before without a block is its author's choice.
        for tzid in sorted(used_zones(calendar.components("VEVENT")) - present):
            zone = windows_zone(tzid)
            if zone is None or iana_name(zone) != tzid or not self._is_new(tzid):
                continue
            block = _zone_block(tzid, _first_year(self.target))
            _insert(calendar, [_component_of(block, self.document.eol)], before="VEVENT")

    def _is_new(self, tzid: str) -> bool:
        """Whether one of our own new lines brought the zone into the file (number 0)."""
        events = self.document.calendar.components("VEVENT")
        return not any(
            line.number and param(line, "TZID") == tzid
            for event in events
            for line in event.lines()
        )


_INHERITED = frozenset((*_OWNED, "when", "attendees", "reminder_min", "join_url"))


def _owns(own: object, name: str) -> bool:
    return own is not None and getattr(own, name) is not msgspec.UNSET


def _master(calendar: Component) -> Component | None:
    for component in calendar.components("VEVENT"):
        if component.first("RECURRENCE-ID") is None:
            return component
    return None


def _put(component: Component, names: tuple[str, ...], texts: list[str], eol: bytes) -> None:
    """Replace the lines called `names` by `texts`, at the place of the first of them."""
    old = component.lines(*names)
    if [_unfolded(line) for line in old] == texts:
        return
    new = [new_line(text, eol) for text in texts]
    if not old:
        _insert(component, new)
        return
    at = next(i for i, part in enumerate(component.parts) if part is old[0])
    for line in old:
        component.parts.remove(line)
    component.parts[at:at] = new


def _unfolded(line: Line) -> str:
    return line.raw.replace(b"\r\n", b"\n").replace(b"\n ", b"").rstrip(b"\n").decode()


def _insert(
    component: Component,
    new: Iterable[Line | Component],
    *,
    before: str = "",
    last: bool = False,
) -> None:
    """Put lines after the properties, components before the first one called `before`, or last."""
    at = len(component.parts)
    if not last:
        for i, part in enumerate(component.parts):
            if isinstance(part, Component) and before in ("", part.name):
                at = i
                break
    component.parts[at:at] = list(new)


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


def _rewrite_when(component: Component, event: Event) -> list[str]:
    present = {line.name: line for line in component.lines("DTSTART", "DTEND", "DURATION")}
    texts = _when(event.when, present)
    duration = present.get("DURATION")
    if duration is not None and _keeps_length(duration, event.when):
        return [texts[0], _unfolded(duration)]
    if "DTEND" not in present and duration is None and _needs_no_end(event.when):
        return texts[:1]
    return texts


def _keeps_length(line: Line, when: When) -> bool:
    return parse_duration(line.value) == when.end - when.start


def _needs_no_end(when: When) -> bool:
    """RFC 5545 3.6.1: without an end, a date lasts a day and a date-time no time at all."""
    if isinstance(when, AllDay):
        return when.end - when.start == timedelta(days=1)
    return when.end == when.start and when.end_zone == when.start_zone


def _rewrite_people(component: Component, event: Event, owner: Owner, eol: bytes) -> None:
    """ORGANIZER and ATTENDEE lines; a line that already says the same stays as it is."""
    present = {
        _mail(line): line for line in component.lines("ATTENDEE", "ORGANIZER") if _mail(line)
    }
    texts: list[str] = []
    for text in _people(event, present.values()):
        fresh = new_line(text)
        old = present.get(_mail(fresh))
        same = old is not None and old.name == fresh.name and _says(old) == _says(fresh)
        texts.append(_unfolded(old) if same and old is not None else text)
    _put(component, ("ORGANIZER", "ATTENDEE"), texts, eol)


def _mail(line: Line) -> tuple[str, str]:
    return line.name, line.value.strip().casefold()


def _says(line: Line) -> tuple[str, ...]:
    defaults = {"ROLE": "REQ-PARTICIPANT", "PARTSTAT": "NEEDS-ACTION", "CUTYPE": "", "CN": ""}
    values = []
    for name, default in defaults.items():
        value = param(line, name)
        values.append((value if name == "CN" else value.upper()) or default)
    if values[0] == "CHAIR":
        values[0] = "REQ-PARTICIPANT"
    if values[2] == "INDIVIDUAL":
        values[2] = ""
    return tuple(values)


def _rewrite_alarm(component: Component, event: Event, eol: bytes) -> None:
    """Move the trigger of the alarm that Graph's reminder stands for; other alarms stay."""
    alarms = component.components("VALARM")
    counted = [alarm for alarm in alarms if alarm_minutes(alarm, event.when) is not None]
    if event.reminder_min is None:
        for alarm in counted:
            component.parts.remove(alarm)
        return
    if any(alarm_minutes(alarm, event.when) == event.reminder_min for alarm in counted):
        return
    if counted:
        _put(counted[0], ("TRIGGER",), [_trigger(event.reminder_min)], eol)
    else:
        _insert(component, [_component_of(_alarm(event), eol)], last=True)


def _rewrite_conference(component: Component, event: Event, eol: bytes) -> None:
    minted = [
        line for line in component.lines("CONFERENCE") if param(line, "LABEL") == "Online meeting"
    ]
    new = [new_line(text, eol) for text in _join_url(event)]
    if [line.value for line in minted] == [line.value for line in new]:
        return
    for line in minted:
        component.parts.remove(line)
    _insert(component, new)


def _touch_stamps(document: Document, stamps: Stamps) -> None:
    for component in document.calendar.components("VEVENT"):
        for name in ("DTSTAMP", "LAST-MODIFIED"):
            if component.first(name) is not None:
                _put(component, (name,), [f"{name}:{stamps.modified}"], document.eol)
