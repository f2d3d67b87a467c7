"""
A series' file cut in two where an override with RANGE=THISANDFUTURE stands.

Such an override speaks for all later occurrences (RFC 5545 3.2.13, 3.8.4.4), which no service
keeps: the series ends before it, and another one begins there, in a file of its own. Lines that
the cut does not concern stay byte for byte. What cannot be cut exactly is not cut at all; whether
anybody may be mailed because of a cut is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import takewhile
from typing import assert_never

import msgspec

from syncd.core.event import AllDay, Event, Item, When, shifted, slot_of
from syncd.core.ids import Uid
from syncd.core.lines import (
    Component,
    Document,
    Line,
    Unreadable,
    escape,
    new_line,
    param,
    parse,
    to_bytes,
    with_value,
)
from syncd.core.owner import Owner
from syncd.core.pattern import WEEKDAYS
from syncd.core.recurrence import (
    Recurrence,
    canonical,
    from_rrule,
    last_occurrence,
    occurrences,
    occurs_on,
    to_rrule,
)
from syncd.core.wire.ics_read import FileItem, read, read_document, used_zones
from syncd.core.wire.ics_slots import slot_named
from syncd.core.wire.ics_status import upper_value
from syncd.core.wire.ics_write import moment_text
from syncd.core.zones import WindowsZone

__all__ = ["Split", "split_series"]

ONE_DAY = timedelta(days=1)

LONGEST_UID = 199
"""Characters; a longer UID would not fit everywhere, and its hash takes its place."""

_REPEATING = ("RRULE", "RDATE", "EXDATE", "EXRULE", "X-MICROSOFT-RRULE")

_PLACING = frozenset({"when", "recurrence", "override"})
"""Held fields that leave open which occurrences there are, or where."""


@dataclass(frozen=True, slots=True)
class Split:
    """
    A series' file cut in two at `slot`.

    Args:
        slot: the local date, in the series' zone, that the override's RECURRENCE-ID names: the
            first one that the old series loses. The new series may begin on another day, where
            the override moved it. uid: the new series' UID. old: the file as it goes on, with its
            end and without what moved. new: the new file.
    """

    slot: date
    uid: Uid
    old: bytes
    new: bytes


class _Inexact(Exception):
    """Ends the cutting of a file that cannot be cut exactly."""


def split_series(data: bytes, owner: Owner) -> Split | None:
    """
    Cut a file at its latest override with RANGE=THISANDFUTURE.

    With several of them the old file still holds the earlier ones, to be cut again.

    Returns: None if the file has no such override, cannot be read, or cannot be cut so that both
        files together say exactly what it says. The same file gives the same cut.
    """
    document = parse(data)
    if isinstance(document, Unreadable):
        return None
    try:
        cut = _cut(document, owner)
        begin = _begin(cut)
        split = Split(cut.slot, begin.uid, _old_file(cut), _new_file(cut, begin))
        _check_old(cut, split.old)
        _check_new(cut, begin, split.new)
    except (_Inexact, OverflowError):  # OverflowError: a date beyond the calendar
        return None
    return split


# --- where the file is cut ---


@dataclass(frozen=True, slots=True)
class _Cut:
    """
    `said` is the file's item as it is read with the override held; `ended` is the rule of what
    stays and `rest` of what goes on. `head` is the override, `later` are those after it.
    """

    document: Document
    owner: Owner
    uid: Uid
    said: Item
    master: Component
    rule_line: Line
    ended: Recurrence
    rest: Recurrence
    slot: date
    head: Component
    later: Mapping[Component, date]

    @property
    def eol(self) -> bytes:
        return self.document.eol


def _cut(document: Document, owner: Owner) -> _Cut:
    events = document.calendar.components("VEVENT")
    if not any(_range(event) == "THISANDFUTURE" for event in events):
        raise _Inexact
    found = read_document(document, owner, None)
    if not isinstance(found, FileItem) or found.item is None or found.item.recurrence is None:
        raise _Inexact
    rule, first = found.item.recurrence, slot_of(found.item.master.when)
    master = next(event for event in events if event.first("RECURRENCE-ID") is None)
    slots = {event: _slot(event, found.item) for event in events if event is not master}
    head, slot = _head(slots)
    if slot <= first or not occurs_on(rule, first, slot):
        raise _Inexact
    ended, rest = _parted(rule, first, slot)
    later = {event: day for event, day in slots.items() if day > slot}
    [rule_line] = master.lines("RRULE")
    return _Cut(
        document, owner, found.uid, found.item, master, rule_line, ended, rest, slot, head, later
    )


def _range(event: Component) -> str:
    line = event.first("RECURRENCE-ID")
    return "" if line is None else param(line, "RANGE").upper()


def _slot(override: Component, item: Item) -> date:
    lines = override.lines("RECURRENCE-ID")
    slot = slot_named(lines[0], lines[0].value, item.master.when)
    # THISANDPRIOR was in RFC 2445; nobody can tell on which side of the cut it belongs.
    if slot is None or len(lines) > 1 or _range(override) not in ("", "THISANDFUTURE"):
        raise _Inexact
    return slot


def _head(slots: Mapping[Component, date]) -> tuple[Component, date]:
    """The latest override for all later occurrences, alone on its slot."""
    slot = max(day for event, day in slots.items() if _range(event))
    there = [event for event, day in slots.items() if day == slot]
    if len(there) > 1 or there[0].lines(*_REPEATING):
        raise _Inexact
    # Cancelling all that is to come begins no new series.
    if upper_value(there[0], "STATUS") == "CANCELLED":
        raise _Inexact
    return there[0], slot


def _parted(rule: Recurrence, first: date, slot: date) -> tuple[Recurrence, Recurrence]:
    """The recurrence before a slot and from it on; cancelled occurrences count too."""
    if rule.count:
        staying = sum(1 for _ in takewhile(lambda day: day < slot, occurrences(rule, first)))
        ended = msgspec.structs.replace(rule, count=staying)
        return ended, msgspec.structs.replace(rule, count=rule.count - staying)
    last = last_occurrence(rule, first, slot - ONE_DAY)
    assert last is not None
    return msgspec.structs.replace(rule, until=last.isoformat()), rule


# --- how the new series begins ---


@dataclass(frozen=True, slots=True)
class _Begin:
    """`days` is how far its dates moved; `is_moved` whether its starts did, by day or by hour."""

    uid: Uid
    when: When
    start_line: Line
    rule: Recurrence
    days: int
    is_moved: bool


def _begin(cut: _Cut) -> _Begin:
    event, start_line = _first_event(cut), cut.head.first("DTSTART")
    before = shifted(cut.said.master.when, cut.slot)
    assert start_line is not None
    _check_kind(cut, before, event.when)
    _check_host(cut, event)
    days = (slot_of(event.when) - cut.slot).days
    rule = canonical(_moved_rule(cut.rest, days), slot_of(event.when))
    if rule is None:
        raise _Inexact
    is_moved = event.when.start != before.start
    return _Begin(_new_uid(cut.uid, cut.slot), event.when, start_line, rule, days, is_moved)


def _first_event(cut: _Cut) -> Event:
    """What the override says when it is read as the beginning of a series."""
    parts = [cut.rule_line, *(part for part in cut.head.parts if not _is_recurrence_id(part))]
    draft = _with_events(cut, [replace(cut.head, parts=parts)])
    found = read_document(draft, cut.owner, None)
    if not isinstance(found, FileItem) or found.item is None:
        raise _Inexact
    return found.item.master


def _is_recurrence_id(part: Line | Component) -> bool:
    return isinstance(part, Line) and part.name == "RECURRENCE-ID"


def _check_kind(cut: _Cut, before: When, when: When) -> None:
    """
    Dates stay dates, and times stay in their zone.

    In another zone the occurrences would be the same hours apart only until a clock changes.
    """
    if isinstance(before, AllDay) or isinstance(when, AllDay):
        lines = (cut.master.first("DTSTART"), cut.head.first("DTSTART"))
        has_time = any(line is None or "T" in line.value.upper() for line in lines)
        if type(before) is not type(when) or has_time:
            raise _Inexact
    elif before.start_zone != when.start_zone:
        raise _Inexact


def _check_host(cut: _Cut, event: Event) -> None:
    """Without its ORGANIZER somebody else's meeting would become one that the owner sends out."""
    host = cut.said.master.organizer
    if host is None or cut.owner.is_own(host.address):
        return
    if event.organizer is None or event.organizer.address.casefold() != host.address.casefold():
        raise _Inexact


def _moved_rule(rule: Recurrence, days: int) -> Recurrence:
    """The rule of the same dates, all so many days later."""
    if rule.until:
        until = date.fromisoformat(rule.until) + days * ONE_DAY
        rule = msgspec.structs.replace(rule, until=until.isoformat())
    match rule.type:
        case "daily":
            return rule
        case "weekly":
            moved = tuple(_weekday_later(day, days) for day in rule.days)
            first = _weekday_later(rule.first_day, days) if rule.first_day else ""
            return msgspec.structs.replace(rule, days=moved, first_day=first)
        case "absoluteMonthly" | "relativeMonthly" | "absoluteYearly" | "relativeYearly":
            if days:  # months are of different lengths
                raise _Inexact
            return rule
        case _:
            assert_never(rule.type)


def _weekday_later(weekday: str, days: int) -> str:
    return WEEKDAYS[(WEEKDAYS.index(weekday) + days) % 7]


def _new_uid(uid: Uid, slot: date) -> Uid:
    text = f"{uid}-{slot:%Y%m%d}"
    if len(text) <= LONGEST_UID:
        return Uid(text)
    return Uid(f"{sha256(uid.encode()).hexdigest()}-{slot:%Y%m%d}")


# --- the old file ---


def _old_file(cut: _Cut) -> bytes:
    calendar = cut.document.calendar
    gone = {cut.head, *cut.later}
    parts = [
        _ended_master(cut) if part is cut.master else part
        for part in calendar.parts
        if not (isinstance(part, Component) and part in gone)
    ]
    return to_bytes(replace(cut.document, calendar=replace(calendar, parts=parts)))


def _ended_master(cut: _Cut) -> Component:
    parts: list[Line | Component] = []
    for part in cut.master.parts:
        if part is cut.rule_line:
            start = cut.master.first("DTSTART")
            parts.append(_rule_line(cut, cut.ended, cut.said.master.when, start))
        elif isinstance(part, Line) and part.name == "EXDATE":
            parts += _with_values(
                cut, part, [v for v in _values(part) if not _leaves(cut, part, v)]
            )
        else:
            parts.append(part)
    return replace(cut.master, parts=parts)


def _values(exdate: Line) -> list[str]:
    return exdate.value.split(",")


def _leaves(cut: _Cut, exdate: Line, value: str) -> bool:
    """Whether a value of an EXDATE is about the new series; what names no date stays."""
    slot = slot_named(exdate, value, cut.said.master.when)
    return slot is not None and slot >= cut.slot


def _with_values(cut: _Cut, exdate: Line, values: list[str]) -> list[Line]:
    """An EXDATE line with some of its values: as it stands, rewritten, or none."""
    if values == _values(exdate):
        return [exdate]
    return [new_line(with_value(exdate, ",".join(values)), cut.eol)] if values else []


def _rule_line(
    cut: _Cut, rule: Recurrence, when: When, start: Line | None, *, keep: bool = False
) -> Line:
    """
    The RRULE line saying `rule`, in its author's words as far as they go on meaning it.

    Args: keep: let even the end stand as it is spelled, if that means the same.
    """
    said, line = cut.rule_line.value.strip(), cut.rule_line
    at, zone = when.start, None if isinstance(when, AllDay) else WindowsZone(when.start_zone)
    if keep and from_rrule(said, at, zone) == rule:
        return line
    # RFC 5545 3.3.10: the UNTIL of a floating start is local.
    usual = to_rrule(rule, at, None if _floats(start) else zone)
    parts = [part for part in said.split(";") if part and not _is_end(part)]
    text = ";".join([*parts, *(part for part in usual.split(";") if _is_end(part))])
    spelled = text if from_rrule(text, at, zone) == rule else usual
    return new_line(with_value(line, spelled), cut.eol)


def _is_end(part: str) -> bool:
    return part.partition("=")[0].strip().upper() in ("COUNT", "UNTIL")


def _floats(start: Line | None) -> bool:
    return start is not None and not (param(start, "TZID") or _is_utc(start))


def _is_utc(start: Line) -> bool:
    return start.value.strip().upper().endswith("Z")


# --- the new file ---


def _new_file(cut: _Cut, begin: _Begin) -> bytes:
    later = [_rebound(cut, begin, event, slot) for event, slot in cut.later.items()]
    return to_bytes(_with_events(cut, [_new_master(cut, begin), *later]))


def _with_events(cut: _Cut, events: list[Component]) -> Document:
    """The file's calendar with other events, and of its zones those that they use."""
    calendar, used = cut.document.calendar, used_zones(events)
    kept = [part for part in calendar.parts if isinstance(part, Line) or _is_zone(part, used)]
    return replace(cut.document, calendar=replace(calendar, parts=[*kept, *events]))


def _is_zone(component: Component, used: set[str]) -> bool:
    tzid = component.first("TZID")
    return component.name == "VTIMEZONE" and tzid is not None and tzid.value.strip() in used


def _new_master(cut: _Cut, begin: _Begin) -> Component:
    """The override itself, where its RECURRENCE-ID stood with the rule and its exceptions."""
    parts: list[Line | Component] = []
    for part in cut.head.parts:
        if _is_recurrence_id(part):
            parts += _series_lines(cut, begin)
        else:
            parts.append(_renamed(cut, part, begin.uid))
    if not cut.head.components("VALARM"):
        # Clients drop alarms by accident: an override without any is read as having the series'.
        parts += cut.master.components("VALARM")
    return replace(cut.head, parts=parts)


def _series_lines(cut: _Cut, begin: _Begin) -> list[Line]:
    keep = not begin.is_moved
    rule = _rule_line(cut, begin.rule, begin.when, begin.start_line, keep=keep)
    leaving = [
        (line, [value for value in _values(line) if _leaves(cut, line, value)])
        for line in cut.master.lines("EXDATE")
    ]
    if not begin.is_moved:
        kept = [_with_values(cut, line, values) for line, values in leaving]
        return [rule, *(line for lines in kept for line in lines)]
    slots = {slot_named(line, v, cut.said.master.when) for line, values in leaving for v in values}
    moved = sorted(slot for slot in slots if slot is not None)
    return [rule, *(_moment_line(cut, begin, "EXDATE", slot) for slot in moved)]


def _moment_line(cut: _Cut, begin: _Begin, name: str, slot: date) -> Line:
    """The new start of an occurrence of the old series, in the form of the new DTSTART."""
    day = slot + begin.days * ONE_DAY
    if isinstance(begin.when, AllDay):
        return new_line(moment_text(name, day), cut.eol)
    wall = datetime.combine(day, begin.when.start.time())
    tzid = None if _is_utc(begin.start_line) else param(begin.start_line, "TZID")
    return new_line(moment_text(name, (wall, "UTC"), tzid), cut.eol)


def _rebound(cut: _Cut, begin: _Begin, override: Component, slot: date) -> Component:
    """A later override as one of the new series; what it says of its occurrence stays."""
    parts = [
        _moment_line(cut, begin, "RECURRENCE-ID", slot)
        if begin.is_moved and _is_recurrence_id(part)
        else _renamed(cut, part, begin.uid)
        for part in override.parts
    ]
    return replace(override, parts=parts)


def _renamed(cut: _Cut, part: Line | Component, uid: Uid) -> Line | Component:
    if isinstance(part, Component) or part.name != "UID":
        return part
    return new_line(with_value(part, escape(uid)), cut.eol)


# --- whether the two files say what the one did ---


def _check_old(cut: _Cut, data: bytes) -> None:
    """Nothing but what is on or after the slot is gone."""
    said = cut.said
    wanted = msgspec.structs.replace(
        said,
        recurrence=cut.ended,
        overrides={day: own for day, own in said.overrides.items() if day < cut.slot},
        cancelled=frozenset(day for day in said.cancelled if day < cut.slot),
    )
    found = read(data, cut.owner, None)
    if not isinstance(found, FileItem) or (found.uid, found.item) != (cut.uid, wanted):
        raise _Inexact


def _check_new(cut: _Cut, begin: _Begin, data: bytes) -> None:
    """Everything on or after the slot is there, and nothing of it is in doubt."""
    found = read(data, cut.owner, None)
    if not isinstance(found, FileItem) or found.item is None or found.uid != begin.uid:
        raise _Inexact
    if any(one.fields & _PLACING for one in found.holds):
        raise _Inexact
    item = found.item
    if (item.master.when, item.recurrence) != (begin.when, begin.rule):
        raise _Inexact
    if set(item.overrides) != _moved_slots(cut, begin, cut.said.overrides):
        raise _Inexact
    if item.cancelled != _moved_slots(cut, begin, cut.said.cancelled):
        raise _Inexact


def _moved_slots(cut: _Cut, begin: _Begin, slots: Iterable[date]) -> set[date]:
    return {slot + begin.days * ONE_DAY for slot in slots if slot >= cut.slot}
