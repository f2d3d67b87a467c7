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
from syncd.core.recurrence import Inexpressible, Recurrence, from_rrule, occurs_on
from syncd.core.wire.holds import Hold, hold
from syncd.core.wire.ics_slots import parse_day, parse_duration, parse_wall, slot_named
from syncd.core.zones import (
    WindowsZone,
    fixed_offsets,
    windows_zone,
    zone_by_rules,
    zone_info,
)

__all__ = ["FileItem", "NotAnEvent", "Owner", "alarm_minutes", "own_lines", "quick_uid", "read"]

UTC = WindowsZone("UTC")
ONE_DAY = timedelta(days=1)
WHEN = frozenset({"when"})
RECURRENCE = frozenset({"recurrence"})
MAX_ATTENDEES = 500
LONGEST_DAYS = 1825


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose calendar it is: addresses in lower case, the mailbox's zone."""

    addresses: frozenset[str]
    zone: WindowsZone

    def is_own(self, address: str) -> bool:
        """Whether an address is one of the owner's."""
        return address.casefold() in self.addresses


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
    """The UID of a file without reading all of it; "" when there is none or it is folded."""
    found = re.search(rb"^UID[^:\r\n]*:([^\r\n]*)\r?\n(?![ \t])", data, re.MULTILINE)
    return found[1].decode("utf-8", "replace").strip() if found else ""


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
        self._lint_lines(component)
        event = self._event(component, "", base.master if base else None)
        silent = _response_silenced(component, self.owner)
        if event is None:
            return FileItem(self.sorted.uid, None, tuple(self.holds), tuple(self.lint))
        item = Item(event, self._recurrence(component, event))
        item = self._with_slots(item, component)
        return FileItem(
            self.sorted.uid, item, tuple(self.holds), tuple(self.lint), sends_response=not silent
        )

    def _lint_lines(self, component: Component) -> None:
        for part in component.parts:
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
        people = self._people(component, slot, base)
        return Event(
            when=when,
            subject=_one_line(_text(component, "SUMMARY")),
            body=_normal(_text(component, "DESCRIPTION")),
            location=_one_line(_text(component, "LOCATION")),
            show_as=_show_as(component, base),
            sensitivity=_sensitivity(component, base),
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
        _check_span(when, start_line)
        return when

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
            return Timed(wall, zone, _later(wall, zone, _duration(duration)), zone)
        return Timed(wall, zone, wall, zone)

    def _moment(self, line: Line, component: Component) -> _Moment:
        value = line.value.strip().upper()
        if re.fullmatch(r"\d{8}", value):
            return _day(value, line)
        found = re.fullmatch(r"(\d{8}T\d{6})(Z?)", value)
        if found is None:
            raise _Held("bad-time", "the value is no date and no date-time", line)
        wall = _wall(found[1], line)
        tzid = param(line, "TZID")
        if found[2]:
            if tzid and windows_zone(tzid) != UTC:
                raise _Held("z-and-tzid", "a UTC time (Z) stands with a TZID", line)
            return wall, UTC
        if not tzid:
            return wall, self.owner.zone
        return self._zoned(wall, tzid, line, component)

    def _zoned(
        self, wall: datetime, tzid: str, line: Line, component: Component
    ) -> tuple[datetime, WindowsZone]:
        if (zone := windows_zone(tzid)) is not None:
            return wall, zone
        block = _timezone_block(self.document, tzid)
        if block is None:
            return self._known_elsewhere(wall, tzid, line, component)
        zone = zone_by_rules(
            block, first=wall, last=wall + timedelta(days=400), preferred=self.owner.zone
        )
        if zone is not None:
            return wall, zone
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
        for line in component.lines("CATEGORIES"):
            for category in split_list(line.value):
                if "," in category or ";" in category:
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

    def _recurrence(self, component: Component, event: Event) -> Recurrence | None:
        base = self.base.recurrence if self.base else None
        if any(one.slot == "" and "when" in one.fields for one in self.holds):
            return base
        try:
            return _read_rule(component, event)
        except _Held as trouble:
            self._hold(trouble, "", RECURRENCE)
            return base

    def _with_slots(self, item: Item, component: Component) -> Item:
        if item.recurrence is None:
            for override in self.sorted.overrides:
                if not any(one.fields == RECURRENCE for one in self.holds):
                    trouble = _Held(
                        "orphan-override",
                        "an override stands in an event that does not repeat",
                        override.begin,
                    )
                    self._hold(trouble, _raw_slot(override), frozenset({"override"}))
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
                if slot is not None and self._occurs(item, slot):
                    slots.add(slot)
                else:
                    self.lint.append(f"line {line.number}: EXDATE names no occurrence")
        return slots

    def _occurs(self, item: Item, slot: date) -> bool:
        assert item.recurrence is not None
        return occurs_on(item.recurrence, slot_of(item.master.when), slot)

    def _overrides(self, item: Item, cancelled: set[date]) -> dict[date, Changes]:
        found: dict[date, Changes] = {}
        for component in self.sorted.overrides:
            slot = self._override_slot(component, item, cancelled)
            if slot is None:
                continue
            if slot in found:
                trouble = _Held(
                    "two-overrides", "two overrides stand for one slot", component.begin
                )
                self._hold(trouble, slot.isoformat(), frozenset({"override"}))
                continue
            own = self._override(component, slot, item)
            if own is not None:
                found[slot] = own
        return found

    def _override_slot(self, component: Component, item: Item, cancelled: set[date]) -> date | None:
        """The slot of an override that takes part in syncing; None (held or cancelled) otherwise."""
        line = component.first("RECURRENCE-ID")
        assert line is not None
        slot = slot_named(line, line.value, item.master.when)
        name = slot.isoformat() if slot else _raw_slot(component)
        trouble = self._override_trouble(component, line, slot, item)
        if trouble is not None:
            self._hold(trouble, name, frozenset({"override"}))
            if slot is not None and self.base is not None:
                self._keep_base(item, slot, cancelled)
            return None
        status = component.first("STATUS")
        if slot is not None and status is not None and status.value.strip().upper() == "CANCELLED":
            if self.delete_cancelled:
                cancelled.add(slot)
                return None
            if not (self.base and slot in self.base.cancelled):
                trouble = _Held("cancelled-override", "an override is marked cancelled", status)
                self._hold(trouble, name, frozenset({"cancelled"}))
        return slot

    def _keep_base(self, item: Item, slot: date, cancelled: set[date]) -> None:
        assert self.base is not None
        if slot in self.base.overrides:
            item.overrides[slot] = self.base.overrides[slot]
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
        return self._own(event, before, plain, slot)

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
    return [line for line in component.lines("ATTENDEE") if owner.is_own(_address(line))]


# --- texts ---


def _text(component: Component, name: str) -> str:
    line = component.first(name)
    return "" if line is None else unescape(line.value)


def _one_line(text: str) -> str:
    return text.strip() if "\n" not in text else " ".join(text.split("\n")).strip()


def _normal(text: str) -> str:
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return "\n".join(lines).strip("\n")


# --- times ---

_Moment = date | tuple[datetime, WindowsZone]


def _day(value: str, line: Line) -> date:
    day = parse_day(value)
    if day is None:
        raise _Held("bad-time", "there is no such day", line)
    return day


def _wall(value: str, line: Line) -> datetime:
    wall = parse_wall(value)
    if wall is None:
        raise _Held("bad-time", "there is no such time", line)
    return wall


def _duration(line: Line) -> timedelta:
    value = parse_duration(line.value)
    if value is None:
        raise _Held("bad-time", "the DURATION cannot be read", line)
    return value


def _later(wall: datetime, zone: WindowsZone, by: timedelta) -> datetime:
    # RFC 5545 3.3.6: days are nominal, hours and less are exact.
    try:
        days = timedelta(days=by.days)
        begin = (wall + days).replace(tzinfo=zone_info(zone))
        if by == days:
            return wall + days
        instant = begin.timestamp() + (by - days).total_seconds()
        return datetime.fromtimestamp(instant, zone_info(zone)).replace(tzinfo=None, fold=0)
    except (OverflowError, ValueError, OSError):
        raise _Held("year-out-of-range", "the end lies beyond the calendar", None) from None


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
    if not (1601 <= first.year <= 4500 and 1601 <= last.year <= 4500):
        raise _Held("year-out-of-range", "the year is out of range", line)
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


def _show_as(component: Component, base: Event | None) -> Any:
    transp, status = _upper(component, "TRANSP"), _upper(component, "STATUS")
    stated = _BUSY_STATUS.get(_upper(component, "X-MICROSOFT-CDO-BUSYSTATUS"))
    before = base.show_as if base else None
    if stated is None:
        return _plain_show_as(transp, status, before)
    if (stated == "free") == (transp == "TRANSPARENT"):
        if stated == "tentative" == before and status == "CONFIRMED":
            return "busy"
        return stated
    if transp and stated == before:
        return "free" if transp == "TRANSPARENT" else "busy"
    if before is None or (before == "free") == (transp == "TRANSPARENT"):
        return stated
    return "free" if transp == "TRANSPARENT" else stated


def _plain_show_as(transp: str, status: str, before: str | None) -> Any:
    """Without Outlook's own line: clients drop unknown lines, so its absence alone is no edit."""
    if transp == "TRANSPARENT":
        return "free"
    if status == "TENTATIVE":
        return "tentative"
    if before in ("oof", "workingElsewhere", "unknown"):
        return before
    if before == "tentative" and status != "CONFIRMED":
        return before
    return "busy"


def _sensitivity(component: Component, base: Event | None) -> Any:
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
    minutes = [
        found
        for alarm in component.components("VALARM")
        if (found := alarm_minutes(alarm, when)) is not None
    ]
    if base is not None and base.reminder_min in minutes:
        return base.reminder_min
    return minutes[0] if minutes else None


def alarm_minutes(alarm: Component, when: When) -> int | None:
    """Whole minutes before the start at which an alarm goes off; None where Graph cannot say it."""
    line = alarm.first("TRIGGER")
    if line is None or _upper(alarm, "ACTION") not in ("DISPLAY", "AUDIO"):
        return None
    if alarm.first("RELATED-TO") is not None:  # RFC 9074 snooze alarms are a client's own state
        return None
    value = line.value.strip().upper()
    before_s = _absolute(value, when) if value[:1].isdigit() else _relative(line, value, when)
    if before_s is None or before_s < 0:
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
    found = re.fullmatch(r"(\d{8}T\d{6})Z", value)
    wall = parse_wall(found[1]) if found else None
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


def _address(line: Line) -> str:
    value = line.value.strip()
    if value[:7].lower() == "mailto:":
        value = value[7:]
    elif value[:5].lower() == "smtp:":
        value = value[5:]
    else:
        value = param(line, "EMAIL")
    return value.strip() if "@" in value else ""


def _read_people(component: Component, owner: Owner, base: Event | None) -> _People:
    organizer = _organizer(component, base)
    attendees: dict[str, Attendee] = {}
    for line in component.lines("ATTENDEE"):
        address = _address(line)
        silent = param(line, "SCHEDULE-AGENT").upper() in ("NONE", "CLIENT")
        if address and not owner.is_own(address) and not silent:
            attendees.setdefault(address.casefold(), _attendee(line, address))
    if _organizer_silent(component):
        attendees.clear()
    invited_as = _invited_as(component, owner, organizer)
    response = _own_response(component, owner) if invited_as else "none"
    if response is None:
        response = base.response if base else "none"
    return _People(tuple(attendees.values()), response, organizer, invited_as)


def _organizer(component: Component, base: Event | None) -> Person | None:
    line = component.first("ORGANIZER")
    if line is None:
        return base.organizer if base else None
    address = _address(line)
    return Person(address, param(line, "CN")) if address else None


def _organizer_silent(component: Component) -> bool:
    line = component.first("ORGANIZER")
    return line is not None and param(line, "SCHEDULE-AGENT").upper() in ("NONE", "CLIENT")


def _attendee(line: Line, address: str) -> Attendee:
    kind, role = param(line, "CUTYPE").upper(), param(line, "ROLE").upper()
    name = param(line, "CN")
    if kind in ("RESOURCE", "ROOM"):
        return Attendee(address, name, "resource")
    if role in ("OPT-PARTICIPANT", "NON-PARTICIPANT"):
        return Attendee(address, name, "optional")
    return Attendee(address, name)


def _invited_as(component: Component, owner: Owner, organizer: Person | None) -> str:
    if organizer is None or owner.is_own(organizer.address):
        return ""
    for line in own_lines(component, owner):
        return _address(line)
    return ""


def _own_response(component: Component, owner: Owner) -> Any:
    for line in own_lines(component, owner):
        stated = param(line, "PARTSTAT").upper()
        return _PARTSTAT.get(stated, "none")
    return None


def _response_silenced(component: Component, owner: Owner) -> bool:
    return any(
        param(line, "RSVP").upper() == "FALSE"
        or param(line, "SCHEDULE-AGENT").upper() in ("NONE", "CLIENT")
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
