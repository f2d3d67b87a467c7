"""
What a file says and Graph has no field for: one text, kept in an extended property of the event.

It is read only where a file is made from the service (another machine, a lost file), and never
overrides what Graph says itself. A stash that cannot be trusted (another version, a checksum that
does not fit) is as good as none: the file is the truth.
"""

from __future__ import annotations

import re
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec

from syncd.core.event import Item, Timed, When, shifted
from syncd.core.lines import PARAM, Component, Line, line_text, param
from syncd.core.owner import Owner
from syncd.core.wire.ics_alarms import alarm_minutes
from syncd.core.wire.ics_people import is_silent, mail_address
from syncd.core.wire.ics_slots import slot_named
from syncd.core.zones import WindowsZone, iana_name

__all__ = [
    "MAX_LINE_BYTES",
    "MAX_STASH_BYTES",
    "PLACE_UID",
    "Stash",
    "blocks",
    "differs",
    "is_minted_place",
    "is_unknown",
    "spelled_params",
    "stash_of",
    "unpacked",
]

VERSION = 1
PLACE_UID = "syncd-place-"
MAX_LINE_BYTES = 4 * 1024
MAX_STASH_BYTES = 16 * 1024

Lines = tuple[str, ...]


class Stash(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    Lines are unfolded, a component is its lines from BEGIN to END.

    `m` are the master's, `o` an override's by the ISO date of its slot, `a` are parameters of
    attendees by address and `p` those of other mapped lines by name, both as they are spelled,
    `t` is how DTSTART and DTEND name their zones.
    """

    m: Lines = ()
    o: dict[str, Lines] = {}
    a: dict[str, str] = {}
    p: dict[str, str] = {}
    t: dict[str, str] = {}


class _Packed(Stash, frozen=True, omit_defaults=False):
    v: int = VERSION
    c: str = ""


_encoder = msgspec.json.Encoder(order="deterministic")

_MAPPED = frozenset(
    (
        *("UID", "SUMMARY", "DESCRIPTION", "X-ALT-DESC", "STYLED-DESCRIPTION", "LOCATION", "GEO"),
        *("DTSTART", "DTEND", "DURATION", "RRULE", "EXDATE", "RDATE", "EXRULE", "RECURRENCE-ID"),
        *("ORGANIZER", "TRANSP", "CLASS", "PRIORITY", "CATEGORIES", "X-MICROSOFT-RRULE"),
        *("X-MICROSOFT-CDO-BUSYSTATUS", "X-MICROSOFT-CDO-ALLDAYEVENT"),
        *("X-MICROSOFT-CDO-IMPORTANCE", "X-MICROSOFT-DISALLOW-COUNTER"),
        *("X-MICROSOFT-CDO-ISRESPONSEREQUESTED", "DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE"),
    )
)
_VOLATILE = re.compile(
    r"X-MOZ-(?:GENERATION|LASTACK|SNOOZE-TIME|RECEIVED-).*|X-LIC-ERROR|X-EVOLUTION-.*"
    r"|X-RADICALE-NAME|X-APPLE-.*|ACKNOWLEDGED|X-SYNCD-.*"
)
_OWN_PARAMS = frozenset({"CN", "ROLE", "PARTSTAT", "RSVP"})
_KINDS = frozenset({"", "INDIVIDUAL", "RESOURCE", "ROOM"})
_PARAMS_KEPT = {
    "SUMMARY": frozenset({"LANGUAGE", "ALTREP"}),
    "LOCATION": frozenset({"LANGUAGE", "ALTREP"}),
}


def stash_of(
    master: Component, overrides: Iterable[Component], item: Item, owner: Owner
) -> tuple[str, bool]:
    """
    The stash of a file as the property holds it, "" where Graph has a field for everything.

    Also whether all of it fits: what is too long stays in this file alone.
    """
    found = Stash(
        m=tuple(_lines(master, item.master.reminder_min, item.master.when)),
        o=dict(_by_slot(overrides, item)),
        a=dict(_people(master, owner)),
        p=dict(_params(master)),
        t=_zones(master, item),
    )
    if found == Stash():
        return "", True
    kept = _fitting(found)
    return _packed(kept), kept == found


def _by_slot(overrides: Iterable[Component], item: Item) -> Iterable[tuple[str, Lines]]:
    for component in overrides:
        line = component.first("RECURRENCE-ID")
        slot = slot_named(line, line.value, item.master.when) if line is not None else None
        own = item.overrides.get(slot) if slot is not None else None
        if slot is None or own is None:
            continue
        minutes = (
            item.master.reminder_min if own.reminder_min is msgspec.UNSET else own.reminder_min
        )
        when = shifted(item.master.when, slot) if own.when is msgspec.UNSET else own.when
        if lines := tuple(_lines(component, minutes, when)):
            yield slot.isoformat(), lines


def _lines(component: Component, reminder_min: int | None, when: When) -> Iterable[str]:
    counted = _counted_alarm(component, reminder_min, when)
    for part in component.parts:
        if isinstance(part, Component):
            if part is not counted and part.name not in ("STANDARD", "DAYLIGHT"):
                yield from _flat(part)
        elif is_unknown(part):
            yield line_text(part)


def _counted_alarm(component: Component, reminder_min: int | None, when: When) -> Component | None:
    """The alarm that is Graph's reminder."""
    if reminder_min is None:
        return None
    repeats = component.first("RRULE") is not None
    for alarm in component.components("VALARM"):
        if alarm_minutes(alarm, when, repeats=repeats, known=(reminder_min,)) == reminder_min:
            return alarm
    return None


def _flat(component: Component) -> Iterable[str]:
    if component.name == "VALARM" and component.first("RELATED-TO") is not None:
        return  # a client's snooze
    if component.name == "VLOCATION" and is_minted_place(component):
        return
    yield f"BEGIN:{component.name}"
    for part in component.parts:
        if isinstance(part, Component):
            yield from _flat(part)
        elif part.name and not _VOLATILE.fullmatch(part.name):
            yield line_text(part)
    yield f"END:{component.name}"


def is_minted_place(component: Component) -> bool:
    """Whether a VLOCATION is one of ours."""
    line = component.first("UID")
    return line is not None and line.value.startswith(PLACE_UID)


def is_unknown(line: Line) -> bool:
    """Whether Graph has no field for a line, and it is no passing state of some client."""
    name = line.name
    if not name or name in _MAPPED or _VOLATILE.fullmatch(name):
        return False
    match name:
        case "ATTENDEE":
            return not mail_address(line) or is_silent(line)
        case "CONFERENCE":
            return param(line, "LABEL") != "Online meeting"
        case "STATUS":
            return line.value.strip().upper() not in ("", "CONFIRMED", "TENTATIVE")
        case "ATTACH":
            return (
                not param(line, "X-SYNCD-ATTACHMENT-ID")
                and param(line, "VALUE").upper() != "BINARY"
            )
        case _:
            return True


def _people(master: Component, owner: Owner) -> Iterable[tuple[str, str]]:
    for line in master.lines("ATTENDEE"):
        address = mail_address(line)
        if not address or owner.is_own(address) or is_silent(line):
            continue
        kept = [found[0] for found in spelled_params(line) if _is_kept(found[1].upper(), found[2])]
        if kept:
            yield address.casefold(), "".join(kept)


def _is_kept(name: str, value: str) -> bool:
    if name == "CUTYPE":
        return value.strip('"').upper() not in _KINDS
    return name not in _OWN_PARAMS and not _VOLATILE.fullmatch(name)


def _params(master: Component) -> Iterable[tuple[str, str]]:
    for name, kept in _PARAMS_KEPT.items():
        line = master.first(name)
        spelled = [one[0] for one in spelled_params(line) if one[1].upper() in kept] if line else []
        if spelled:
            yield name, "".join(spelled)


def spelled_params(line: Line) -> list[re.Match[str]]:
    """The parameters of a line as they are written."""
    text, at, found = line_text(line), len(line.name), []
    while (one := PARAM.match(text, at)) is not None:
        found.append(one)
        at = one.end()
    return found


def _zones(master: Component, item: Item) -> dict[str, str]:
    """How the file names its zones, where that is not the name that a new file would use."""
    when, found = item.master.when, dict[str, str]()
    if not isinstance(when, Timed):
        return found
    for name, zone in (("start", when.start_zone), ("end", when.end_zone)):
        line = master.first(f"DT{name.upper()}")
        if line is None:
            continue
        tzid = param(line, "TZID")
        if not tzid and not line.value.strip().upper().endswith("Z"):
            found["float"] = "true"
        elif tzid and tzid != iana_name(WindowsZone(zone)) and len(tzid) < 200:
            found[name] = tzid
    return found


# --- the property's text ---


def _fitting(stash: Stash) -> Stash:
    """Without what is too long: single lines first, then the longest, until the rest fits."""
    kept = _without_longer(stash, MAX_LINE_BYTES)
    if _packed_bytes(kept) <= MAX_STASH_BYTES:
        return kept
    # A few tries: leaving out one length after the other would pack megabytes thousands of times.
    limits = range(1, MAX_LINE_BYTES + 1)
    tried = bisect_right(
        limits, MAX_STASH_BYTES, key=lambda limit: _packed_bytes(_without_longer(kept, limit))
    )
    return _without_longer(kept, tried)


def _packed_bytes(stash: Stash) -> int:
    return len(_packed(stash).encode())


def _without_longer(stash: Stash, limit: int) -> Stash:
    overrides = {slot: _shorter(lines, limit) for slot, lines in stash.o.items()}
    return Stash(
        m=_shorter(stash.m, limit),
        o={slot: lines for slot, lines in overrides.items() if lines},
        a={name: text for name, text in stash.a.items() if _size(text) <= limit},
        p={name: text for name, text in stash.p.items() if _size(text) <= limit},
        t=stash.t,
    )


def _shorter(lines: Sequence[str], limit: int) -> Lines:
    """The lines up to a length; a component goes as a whole."""
    return tuple(
        line for block in blocks(lines) if max(map(_size, block)) <= limit for line in block
    )


def blocks(lines: Sequence[str]) -> Iterable[list[str]]:
    """Single lines, and components from BEGIN to END."""
    block: list[str] = []
    depth = 0
    for line in lines:
        block.append(line)
        head = line[:6].upper()
        depth += head == "BEGIN:"
        depth -= head[:4] == "END:"
        if depth <= 0:
            yield block
            block, depth = [], 0


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _packed(stash: Stash) -> str:
    fields = {name: getattr(stash, name) for name in Stash.__struct_fields__}
    return _encoder.encode(_Packed(**fields, c=_checksum(stash))).decode("utf-8", "replace")


def _checksum(stash: Stash) -> str:
    return f"{zlib.crc32(_encoder.encode(stash)):08x}"


def differs(one: str, other: str) -> bool:
    """Whether two stashes say something else; another spelling of a zone alone is nothing."""
    return one != other and _without_zones(one) != _without_zones(other)


def _without_zones(text: str) -> Stash:
    found = unpacked(text) if text else None
    return msgspec.structs.replace(found, t={}) if found is not None else Stash()


def unpacked(text: str) -> Stash | None:
    """The stash that a property holds; None for one that was cut, altered or made otherwise."""
    if _size(text) > 2 * MAX_STASH_BYTES:
        return None
    try:
        found = msgspec.json.decode(text, type=_Packed)
    except (msgspec.DecodeError, RecursionError):
        return None
    stash = Stash(**{name: getattr(found, name) for name in Stash.__struct_fields__})
    if found.v != VERSION or found.c != _checksum(stash):
        return None
    return stash
