"""
A file made anew from the service gets back what its author had written and Graph cannot hold.

The stash comes from outside and is not trusted: a line is put back only where it is one that Graph
has no field for, and only if the file says the same of everything else as it did without it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from syncd.core.lines import (
    Component,
    Document,
    Line,
    line_text,
    new_line,
    param,
    parse,
    to_bytes,
    with_params,
)
from syncd.core.owner import Owner
from syncd.core.wire.ics_edit import component_of, insert_after, insert_parts
from syncd.core.wire.ics_people import mail_address
from syncd.core.wire.ics_read import FileItem, read_document, used_zones
from syncd.core.wire.ics_slots import parse_wall
from syncd.core.wire.ics_stash import Stash, blocks, is_unknown, spelled_params, unpacked
from syncd.core.wire.ics_write import zone_block
from syncd.core.zones import WindowsZone, windows_zone, zone_info

__all__ = ["restored"]

MAX_DEPTH = 4
_COMPONENT = re.compile(r"[A-Z][A-Z0-9-]{0,63}", re.IGNORECASE)
_NEVER_INSIDE = re.compile(
    r"V(?:CALENDAR|EVENT|TODO|JOURNAL|FREEBUSY|TIMEZONE|POLL)", re.IGNORECASE
)


def restored(data: bytes, text: str, owner: Owner) -> bytes:
    """
    The file with the lines of a stash in it.

    Args:
        data: a file of ours, just made from the event. text: the event's stash, "" for none.
    """
    stash = unpacked(text) if text else None
    if stash is None:
        return data
    for attempt in (stash, Stash(m=stash.m, o=stash.o, a=stash.a, p=stash.p)):
        made = _with_stash(data, attempt, owner)
        if _says_the_same(data, made, owner):
            return made
    return data


def _says_the_same(one: bytes, other: bytes, owner: Owner) -> bool:
    return _said(one, owner) == _said(other, owner)


def _said(data: bytes, owner: Owner) -> object:
    document = parse(data)
    found = read_document(document, owner, None) if isinstance(document, Document) else document
    return (found.item, found.holds) if isinstance(found, FileItem) else found


def _with_stash(data: bytes, stash: Stash, owner: Owner) -> bytes:
    document = parse(data)
    if not isinstance(document, Document):
        return data
    events = document.calendar.components("VEVENT")
    master = next((one for one in events if one.first("RECURRENCE-ID") is None), None)
    if master is None:
        return data
    _name_zones(document, master, stash.t, owner)
    _put_lines(master, stash.m)
    _put_params(master, stash)
    for event in events:
        line = event.first("RECURRENCE-ID")
        if line is not None:
            _put_lines(event, stash.o.get(_slot_name(line), ()))
    return to_bytes(document)


def _slot_name(line: Line) -> str:
    digits = line.value[:8]
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


def _put_lines(component: Component, lines: Sequence[str]) -> None:
    for block in blocks(lines):
        if len(block) == 1:
            line = _safe_line(block[0])
            if line is not None and is_unknown(line) and not _stands(component, line):
                insert_after(component, line.name, [line])
        elif _is_sound(block):
            insert_parts(component, [component_of(block, b"\r\n")], last=True)


def _stands(component: Component, line: Line) -> bool:
    """STATUS may stand once, and what Graph says of it goes first."""
    return line.name == "STATUS" and component.first("STATUS") is not None


def _safe_line(text: str) -> Line | None:
    if any(c in text for c in "\r\n\0"):
        return None
    line = new_line(text)
    return line if line.name and line.name not in ("BEGIN", "END") else None


def _is_sound(block: Sequence[str]) -> bool:
    """Whether lines are one whole component that may stand inside an event."""
    open_: list[str] = []
    for at, text in enumerate(block):
        head, _, name = text.partition(":")
        if head == "BEGIN":
            if not _COMPONENT.fullmatch(name) or _NEVER_INSIDE.fullmatch(name):
                return False
            open_.append(name)
        elif head == "END":
            if not open_ or open_.pop() != name:
                return False
        elif _safe_line(text) is None:
            return False
        if len(open_) > MAX_DEPTH or (not open_ and at < len(block) - 1):
            return False
    return not open_


def _put_params(master: Component, stash: Stash) -> None:
    for line in master.lines("ATTENDEE", *stash.p):
        known = stash.a.get(mail_address(line).casefold(), "")
        spelled = known if line.name == "ATTENDEE" else stash.p.get(line.name, "")
        text = line_text(line)
        name = len(line.name)
        changed = _safe_line(f"{text[:name]}{spelled}{text[name:]}") if spelled else None
        if changed is None or changed.value != line.value:
            continue
        before = {one[1].upper() for one in spelled_params(line)}
        names = [one[1].upper() for one in spelled_params(changed)]
        if len(names) == len(set(names)) and before <= set(names):
            master.parts[master.parts.index(line)] = changed


# --- zones ---


def _name_zones(document: Document, master: Component, named: dict[str, str], owner: Owner) -> None:
    """Start and end under the zone names of the file's author, where they mean the same."""
    before = used_zones(document.calendar.components("VEVENT"))
    for part, name in (("start", "DTSTART"), ("end", "DTEND")):
        line = master.first(name)
        if line is None or "T" not in line.value:
            continue
        if named.get("float"):
            _make_floating(document, master, line, owner)
        elif part in named:
            _rename_zone(document, master, line, named[part])
    _zone_blocks(document, before)


def _make_floating(document: Document, master: Component, line: Line, owner: Owner) -> None:
    here = "UTC" if line.value.endswith("Z") else param(line, "TZID")
    if windows_zone(here) != owner.zone:
        return
    for component, same in _like(document, master, line):
        text = f"{same.name}:{same.value.removesuffix('Z')}"
        component.parts[component.parts.index(same)] = new_line(text)


def _rename_zone(document: Document, master: Component, line: Line, tzid: str) -> None:
    here = param(line, "TZID")
    if not here:
        _leave_utc(master, line, tzid)
    elif windows_zone(tzid) == windows_zone(here) and _zone_of(tzid) is not None:
        for component, same in _like(document, master, line):
            text = with_params(same, {"TZID": tzid})
            component.parts[component.parts.index(same)] = new_line(text)


def _like(document: Document, master: Component, line: Line) -> list[tuple[Component, Line]]:
    """The line, and with a series' start every line that names one of its slots."""
    found = [(master, line)]
    if line.name == "DTSTART":
        for component in document.calendar.components("VEVENT"):
            slots = component.lines("EXDATE", "RECURRENCE-ID")
            found += [
                (component, one) for one in slots if param(one, "TZID") == param(line, "TZID")
            ]
    return found


def _leave_utc(master: Component, line: Line, tzid: str) -> None:
    """A zone that the world knows and Outlook does not: its event is kept there as UTC."""
    wall = parse_wall(line.value[:-1]) if line.value.endswith("Z") else None
    zone = _zone_of(tzid)
    if wall is None or zone is None or master.first("RRULE") is not None:
        return
    local = wall.replace(tzinfo=zone_info(WindowsZone("UTC"))).astimezone(zone)
    text = with_params(new_line(f"{line.name}:{local:%Y%m%dT%H%M%S}"), {"TZID": tzid})
    master.parts[master.parts.index(line)] = new_line(text)


def _zone_of(tzid: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(tzid)
    except (KeyError, ValueError, OSError):
        return None


def _zone_blocks(document: Document, before: set[str]) -> None:
    """A block for each zone that is named now, none for one that no longer is."""
    calendar = document.calendar
    now = used_zones(calendar.components("VEVENT"))
    for block in calendar.components("VTIMEZONE"):
        line = block.first("TZID")
        if line is not None and line.value in before - now:
            calendar.parts.remove(block)
    start = _year_of(calendar)
    for tzid in sorted(now - before):
        if _zone_of(tzid) is not None:
            block = component_of(zone_block(tzid, start), b"\r\n")
            insert_parts(calendar, [block], before="VEVENT")


def _year_of(calendar: Component) -> int:
    for event in calendar.components("VEVENT"):
        line = event.first("DTSTART")
        if line is not None and line.value[:4].isdigit():
            return int(line.value[:4])
    return datetime.min.year
