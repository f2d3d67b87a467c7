"""
An `Item` as the content lines of a whole new file, field by field.

The same item gives the same bytes. Rewriting an existing file is `ics_rewrite`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

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
    plain_address,
    shifted,
)
from syncd.core.ids import Uid
from syncd.core.lines import (
    escape,
    folded,
    quoted,
)
from syncd.core.owner import Owner
from syncd.core.recurrence import to_rrule
from syncd.core.vtimezone import vtimezone_lines
from syncd.core.wire.ics_attach import attached_texts
from syncd.core.wire.ics_geo import geo_texts
from syncd.core.zones import WindowsZone, iana_name

__all__ = [
    "MINTED_LABEL",
    "PARTSTAT",
    "PRODID",
    "ROLE",
    "Stamps",
    "alarm_texts",
    "attendee_text",
    "body_texts",
    "categories_texts",
    "first_year",
    "importance_texts",
    "join_url_texts",
    "local_view",
    "location_texts",
    "mailto",
    "moment_text",
    "new_times_texts",
    "organizer_text",
    "people_texts",
    "render",
    "rrule_texts",
    "sensitivity_texts",
    "show_as_texts",
    "slot_start",
    "subject_texts",
    "trigger_text",
    "vevent_texts",
    "when_texts",
    "zone_block",
]


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

    An unknown free/busy state shows as busy.
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
    if event.show_as == "unknown":
        event = msgspec.structs.replace(event, show_as="busy")
    return event


def _changes_view(own: Changes) -> Changes:
    if own.show_as == "unknown":
        own = msgspec.structs.replace(own, show_as="busy")
    return own


def _still_own(item: Item, slot: date) -> Changes:
    """What the override owns once its word has become the file's."""
    plain = msgspec.structs.replace(item.master, when=shifted(item.master.when, slot))
    return differing(effective(item, slot), plain)


def render(uid: Uid, item: Item, stamps: Stamps, owner: Owner) -> bytes:
    """A whole new file for an item, the same bytes for the same item (whoever the owner is)."""
    head = b"".join([_HEAD, *(_zone_bytes(tzid, first_year(item)) for tzid in _zones_of(item))])
    lines = vevent_texts(uid, item.master, stamps, _series_lines(item))
    for slot in sorted(item.overrides):
        slot_line = _recurrence_id(slot, item.master.when)
        lines.extend(vevent_texts(uid, effective(item, slot), stamps, [slot_line], item.master))
    lines.append("END:VCALENDAR")
    return head + b"".join([_folded(line) for line in lines])


_HEAD = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODID}\r\n".encode()


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


def first_year(item: Item) -> int:
    when = item.master.when
    return when.start.year


def zone_block(tzid: str, year: int) -> list[str]:
    # The block starts at a round year, so that it does not differ from file to file.
    return vtimezone_lines(tzid, tzid, from_year=max(1970, year - year % 10))


@lru_cache(maxsize=256)
def _zone_bytes(tzid: str, year: int) -> bytes:
    return b"".join([_folded(line) for line in zone_block(tzid, year)])


def _series_lines(item: Item) -> list[str]:
    return [*rrule_texts(item), *_exdate_lines(sorted(item.cancelled), item.master.when)]


def rrule_texts(item: Item, *, floating: bool = False) -> list[str]:
    """The RRULE line; UNTIL is local where DTSTART is (RFC 5545 3.3.10)."""
    if item.recurrence is None:
        return []
    when = item.master.when
    zone = None if isinstance(when, AllDay) or floating else WindowsZone(when.start_zone)
    return [f"RRULE:{to_rrule(item.recurrence, when.start, zone)}"]


def _exdate_lines(slots: Iterable[date], when: When) -> list[str]:
    return [moment_text("EXDATE", slot_start(slot, when)) for slot in slots]


def _recurrence_id(slot: date, when: When) -> str:
    return moment_text("RECURRENCE-ID", slot_start(slot, when))


def slot_start(slot: date, when: When) -> date | tuple[datetime, str]:
    moved = shifted(when, slot)
    return moved.start if isinstance(moved, AllDay) else (moved.start, moved.start_zone)


def moment_text(name: str, at: date | tuple[datetime, str], tzid: str | None = None) -> str:
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


def vevent_texts(
    uid: Uid, event: Event, stamps: Stamps, series: Iterable[str], master: Event | None = None
) -> list[str]:
    """One VEVENT; `master` is the series' own event where this is an override."""
    lines = ["BEGIN:VEVENT", f"UID:{escape(uid)}", f"DTSTAMP:{stamps.modified}"]
    if stamps.created:
        lines.append(f"CREATED:{stamps.created}")
    lines.append(f"LAST-MODIFIED:{stamps.modified}")
    lines.extend(subject_texts(event))
    lines.extend(when_texts(event.when))
    lines.extend(series)
    lines.extend(location_texts(event))
    lines.extend(geo_texts(event))
    lines.extend(body_texts(event))
    lines.extend(show_as_texts(event, master))
    for write in (
        sensitivity_texts,
        importance_texts,
        categories_texts,
        people_texts,
    ):
        lines.extend(write(event))
    lines.extend(new_times_texts(event, master))
    lines.extend(join_url_texts(event))
    lines.extend(attached_texts(event))
    lines.extend(alarm_texts(event))
    lines.append("END:VEVENT")
    return lines


def subject_texts(event: Event) -> list[str]:
    return [f"SUMMARY:{escape(event.subject)}"] if event.subject else []


def body_texts(event: Event) -> list[str]:
    return [f"DESCRIPTION:{escape(event.body)}"] if event.body else []


def location_texts(event: Event) -> list[str]:
    return [f"LOCATION:{escape(event.location)}"] if event.location else []


def when_texts(when: When, start_tzid: str | None = None, end_tzid: str | None = None) -> list[str]:
    if isinstance(when, AllDay):
        return [moment_text("DTSTART", when.start), moment_text("DTEND", when.end)]
    return [
        moment_text("DTSTART", (when.start, when.start_zone), start_tzid),
        moment_text("DTEND", (when.end, when.end_zone), end_tzid),
    ]


_STICKY = frozenset({"tentative", "oof", "workingElsewhere"})
"""What an override without a word about free/busy takes over from its series."""


def show_as_texts(event: Event, master: Event | None = None) -> list[str]:
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


def sensitivity_texts(event: Event) -> list[str]:
    match event.sensitivity:
        case "normal":
            return []
        case "confidential":
            return ["CLASS:CONFIDENTIAL"]
        case "private" | "personal":
            return ["CLASS:PRIVATE"]


def importance_texts(event: Event) -> list[str]:
    match event.importance:
        case "normal":
            return []
        case "high":
            return ["PRIORITY:1"]
        case "low":
            return ["PRIORITY:9"]


def categories_texts(event: Event) -> list[str]:
    if not event.categories:
        return []
    return ["CATEGORIES:" + ",".join(escape(category) for category in event.categories)]


def new_times_texts(event: Event, master: Event | None = None) -> list[str]:
    if not event.allow_new_times:
        return ["X-MICROSOFT-DISALLOW-COUNTER:TRUE"]
    # An override without the line takes it over from its series.
    inherits = master is not None and not master.allow_new_times
    return ["X-MICROSOFT-DISALLOW-COUNTER:FALSE"] if inherits else []


def join_url_texts(event: Event) -> list[str]:
    url = "".join(c for c in event.join_url if c > " " and c != "\x7f")
    if not url:
        return []
    return [f"CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO;LABEL={MINTED_LABEL}:{url}"]


def alarm_texts(event: Event) -> list[str]:
    if event.reminder_min is None:
        return []
    return [
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "DESCRIPTION:Reminder",
        trigger_text(event.reminder_min),
        "END:VALARM",
    ]


def trigger_text(minutes: int) -> str:
    # Always in minutes: -P1D is a nominal day, which differs from 24 hours across a DST change.
    if minutes == 0:
        return "TRIGGER:PT0S"
    return f"TRIGGER:-PT{minutes}M" if minutes > 0 else f"TRIGGER:PT{-minutes}M"


def people_texts(event: Event) -> list[str]:
    if not event.attendees and not event.invited_as:
        return []
    lines = [attendee_text(one, rsvp=event.response_requested) for one in event.attendees]
    if event.organizer is not None and event.organizer.address:
        lines.insert(0, organizer_text(event.organizer))
    if event.invited_as:
        stat = PARTSTAT[event.response]
        lines.append(f"ATTENDEE;PARTSTAT={stat};RSVP=TRUE:{mailto(event.invited_as)}")
    return lines


PARTSTAT: Mapping[str, str] = {
    "none": "NEEDS-ACTION",
    "accepted": "ACCEPTED",
    "tentativelyAccepted": "TENTATIVE",
    "declined": "DECLINED",
}


ROLE: Mapping[str, Mapping[str, str]] = {
    "required": {"ROLE": "REQ-PARTICIPANT"},
    "optional": {"ROLE": "OPT-PARTICIPANT"},
    "resource": {"CUTYPE": "RESOURCE", "ROLE": "NON-PARTICIPANT"},
}


def organizer_text(person: Person) -> str:
    return f"ORGANIZER{_cn(person.name)}:{mailto(person.address)}"


def attendee_text(one: Attendee, *, rsvp: bool) -> str:
    """One invited person; `rsvp`: an answer is asked of those who gave none."""
    params = {**ROLE[one.type], "PARTSTAT": PARTSTAT.get(one.status, "NEEDS-ACTION")}
    if one.is_room:
        params["CUTYPE"] = "ROOM"
    if rsvp and one.status == "none":
        params["RSVP"] = "TRUE"
    spelled = "".join(f";{name}={value}" for name, value in params.items())
    return f"ATTENDEE{_cn(one.name)}{spelled}:{mailto(one.address)}"


def _cn(name: str) -> str:
    return f";CN={quoted(name)}" if name else ""


def mailto(address: str) -> str:
    return f"mailto:{plain_address(address)}"
