"""
What an event means, whichever side it was read from.

An `Event` is one VEVENT or one Graph event; an `Item` is one UID: a single event, or a series with
its overrides and cancelled slots. Both sides are read into these values, and everything that is
compared, merged or stored as a base is one of them. An override holds only what differs from what
the series would give for its slot, since that is what it owns (Exchange stores it so).

Knows nothing of JSON member names, content lines, ids or etags.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from syncd.core.recurrence import Recurrence

__all__ = [
    "FIELDS_SINCE_2",
    "FIRST_YEAR",
    "LAST_YEAR",
    "MASTER",
    "OVERRIDE_FIELDS",
    "PROJECTION",
    "PUSHED_FIELDS",
    "SERVICE_FIELDS",
    "SHOWN_FIELDS",
    "WITH_BODY",
    "AllDay",
    "Attached",
    "Attendee",
    "Changes",
    "Event",
    "FieldKey",
    "Geo",
    "Importance",
    "Item",
    "Person",
    "Response",
    "Sensitivity",
    "ShowAs",
    "Timed",
    "When",
    "differing",
    "effective",
    "field_meaning",
    "fields",
    "geo_of",
    "meaning",
    "one_line",
    "overlaid",
    "plain_address",
    "shifted",
    "slot_of",
]

ShowAs = Literal["free", "tentative", "busy", "oof", "workingElsewhere", "unknown"]
Sensitivity = Literal["normal", "personal", "private", "confidential"]
Importance = Literal["low", "normal", "high"]
Response = Literal["none", "accepted", "tentativelyAccepted", "declined"]
AttendeeType = Literal["required", "optional", "resource"]


class Timed(msgspec.Struct, frozen=True, tag="timed"):
    """Wall-clock start and end, each in its own zone (a Windows zone name); naive datetimes."""

    start: datetime
    start_zone: str
    end: datetime
    end_zone: str


class AllDay(msgspec.Struct, frozen=True, tag="allday"):
    """Whole days; `end` is exclusive, as in RFC 5545 and in Graph."""

    start: date
    end: date


When = Timed | AllDay


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """A mail address as given, and the name shown for it."""

    address: str
    name: str = ""


class Attendee(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    One invited person or room; `status` is Graph's word for the answer.

    `is_room`: a resource that is one of the event's places. Shown in new files, never compared.
    """

    address: str
    name: str = ""
    type: AttendeeType = "required"
    status: str = "none"
    is_room: bool = False


class Attached(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """
    A file that hangs on an event on the service. `link` leads to the event in a browser; `content`
    is base64, "" where it is not to be in the calendar's files. `digest` is that of the line which
    it was made from (`wire.ics_attach`), "" where it is not known to have been one.
    """

    id: str
    name: str
    media_type: str = ""
    size_bytes: int = 0
    link: str = ""
    content: str = ""
    digest: str = ""


class Geo(msgspec.Struct, frozen=True):
    """A point on the globe in degrees, to six decimals (RFC 5545 3.8.1.6): a tenth of a metre."""

    latitude: float
    longitude: float


def geo_of(latitude: float, longitude: float) -> Geo | None:
    """A point as both sides hold it; None where there is no such place on the globe."""
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    # Adding zero makes the zero of a negative number a plain one.
    return Geo(round(latitude, 6) + 0.0, round(longitude, 6) + 0.0)


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """
    One event in full. The fields from `organizer` on are shown, never pushed.

    `attendees` never names the owner: `invited_as` is the owner's address among the invited, ""
    when the owner is the organizer, and `response` the owner's answer. `online_meeting` is true
    where one exists or was asked for; it cannot be taken back.

    Two fields go along with `body` and are never compared by themselves: `html_text`, on the
    local side, is the text of an HTML form that says something else than the file's plain text;
    `body_mark`, on the remote side, a digest of the body that `body` was read from.
    """

    when: When
    subject: str = ""
    body: str = ""
    location: str = ""
    show_as: ShowAs = "busy"
    sensitivity: Sensitivity = "normal"
    importance: Importance = "normal"
    categories: tuple[str, ...] = ()
    reminder_min: int | None = None
    attendees: tuple[Attendee, ...] = ()
    response: Response = "none"
    geo: Geo | None = None
    allow_new_times: bool = True
    response_requested: bool = True
    online_meeting: bool = False
    organizer: Person | None = None
    is_cancelled: bool = False
    join_url: str = ""
    attached: tuple[Attached, ...] = ()
    invited_as: str = ""
    html_text: str = ""
    body_mark: str = ""


class Changes(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an override owns: a set field differs from the series, an unset one is inherited."""

    when: When | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    body: str | UnsetType = UNSET
    location: str | UnsetType = UNSET
    show_as: ShowAs | UnsetType = UNSET
    sensitivity: Sensitivity | UnsetType = UNSET
    importance: Importance | UnsetType = UNSET
    categories: tuple[str, ...] | UnsetType = UNSET
    reminder_min: int | UnsetType | None = UNSET
    attendees: tuple[Attendee, ...] | UnsetType = UNSET
    response: Response | UnsetType = UNSET
    geo: Geo | UnsetType | None = UNSET
    allow_new_times: bool | UnsetType = UNSET
    response_requested: bool | UnsetType = UNSET
    online_meeting: bool | UnsetType = UNSET
    organizer: Person | UnsetType | None = UNSET
    is_cancelled: bool | UnsetType = UNSET
    join_url: str | UnsetType = UNSET
    attached: tuple[Attached, ...] | UnsetType = UNSET
    invited_as: str | UnsetType = UNSET
    html_text: str | UnsetType = UNSET
    body_mark: str | UnsetType = UNSET


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    One UID.

    `overrides` and `cancelled` are keyed by slot: the local date, in the series' zone, on which
    the rule puts the occurrence. Exchange has at most one occurrence of a series a day.
    """

    master: Event
    recurrence: Recurrence | None = None
    overrides: dict[date, Changes] = msgspec.field(default_factory=dict)
    cancelled: frozenset[date] = frozenset()

    @property
    def has_guests_of_occurrences(self) -> bool:
        """Whether an occurrence names attendees of its own; the master may name none."""
        own = (one.attendees for one in self.overrides.values())
        return any(one for one in own if one is not UNSET)


PUSHED_FIELDS = (
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
    "geo",
    "allow_new_times",
    "response_requested",
    "online_meeting",
)
"""Fields of an `Event` that a person can change in a file."""

SERVICE_FIELDS = ("organizer", "is_cancelled", "join_url", "attached", "invited_as")

SHOWN_FIELDS = ("people", *SERVICE_FIELDS)
"""Fields that only the service decides; `people` stands for names and answers of attendees."""

OVERRIDE_FIELDS = PUSHED_FIELDS + SHOWN_FIELDS

WITH_BODY = ("html_text", "body_mark")
"""Fields that go wherever `body` goes, and are no fields of their own."""


class FieldKey(NamedTuple):
    """One mergeable field: `slot` is "" for the master, else the ISO date of the occurrence."""

    slot: str
    name: str


MASTER = ""

PROJECTION = 2
"""The version of what both sides are read into; higher ones know more fields."""

FIELDS_SINCE_2 = ("geo", "allow_new_times", "response_requested", "online_meeting")

FIRST_YEAR, LAST_YEAR = 1601, 4500
"""The years that Outlook holds."""


def one_line(text: str) -> str:
    """A title, place or name: one line without control characters, trimmed."""
    if not text.isprintable():
        text = text.replace("\r\n", " ").translate(_TO_SPACES)
    return text.strip()


def plain_address(address: str) -> str:
    """A mail address without what no address has and no line could hold: spaces and controls."""
    if address.isprintable() and " " not in address:
        return address
    return "".join(c for c in address if c.isprintable() and not c.isspace())


_TO_SPACES = dict.fromkeys((*range(0x20), 0x7F), " ")
# Lone surrogates, which JSON can spell, are no characters.
_TO_SPACES.update(dict.fromkeys(range(0xD800, 0xE000), "?"))


def slot_of(when: When) -> date:
    """The local date on which an occurrence starts."""
    return when.start if isinstance(when, AllDay) else when.start.date()


def shifted(when: When, slot: date) -> When:
    """The time that a series starting at `when` gives the occurrence of `slot`."""
    match when:
        case AllDay(start, end):
            return AllDay(slot, slot + (end - start))
        case Timed(start, start_zone, end, end_zone):
            by = timedelta(days=(slot - start.date()).days)
            return Timed(start + by, start_zone, end + by, end_zone)


def effective(item: Item, slot: date) -> Event:
    """The event that stands on `slot`: the series' values, and over them what the override owns."""
    plain = msgspec.structs.replace(item.master, when=shifted(item.master.when, slot))
    own = item.overrides.get(slot)
    return plain if own is None else overlaid(plain, own)


def overlaid(event: Event, own: Changes) -> Event:
    """`event` with the set fields of `own` put over it."""
    given = {
        name: value
        for name in Event.__struct_fields__
        if (value := getattr(own, name)) is not UNSET
    }
    return msgspec.structs.replace(event, **given)


def differing(event: Event, plain: Event) -> Changes:
    """What `event`, standing where the series gives `plain`, has of its own."""
    own = {
        name: getattr(event, name)
        for name in _COMPARED
        if field_meaning(event, name) != field_meaning(plain, name)
    }
    if "body" in own:
        own |= {name: getattr(event, name) for name in WITH_BODY}
    return Changes(**own)


# What hangs on one occurrence alone is asked for by nobody: all show what hangs on their series.
_COMPARED = tuple(name for name in Event.__struct_fields__ if name not in (*WITH_BODY, "attached"))


def field_meaning(event: Event, name: str) -> object:
    """The comparable meaning of one of the event's own members (attendees with their answers)."""
    value = getattr(event, name)
    if name == "attendees":
        return (meaning("attendees", value), meaning("people", value))
    return meaning(name, value)


def meaning(name: str, value: Any) -> object:
    """
    What a value says, so that two spellings of the same thing compare equal.

    Categories are a set regardless of case (the service's master list is), attendees a set of
    address and type (order is not significant, a name alone is no edit); `people` adds answers.
    """
    match name:
        case "categories":
            return frozenset(category.casefold() for category in value)
        case "attendees":
            return frozenset((one.address.casefold(), one.type) for one in value)
        case "attached":
            return frozenset((one.id, one.name, bool(one.content), one.digest) for one in value)
        case "people":
            return frozenset((one.address.casefold(), one.name, one.status) for one in value)
        case _:
            return value


def fields(item: Item) -> Mapping[FieldKey, Any]:
    """
    All mergeable fields of an item, flat; an override contributes only what it owns.

    `people` are the attendees for their names and answers; an override whose list differs from the
    series' in nothing else contributes `people` alone.
    """
    flat = dict(_event_fields(MASTER, item.master))
    flat[FieldKey(MASTER, "recurrence")] = item.recurrence
    invited = meaning("attendees", item.master.attendees)
    for slot, own in item.overrides.items():
        flat.update(_override_fields(slot.isoformat(), own, invited))
    for slot in item.cancelled:
        flat[FieldKey(slot.isoformat(), "cancelled")] = True
    return flat


def _event_fields(slot: str, event: Event) -> Mapping[FieldKey, Any]:
    flat = {FieldKey(slot, name): getattr(event, name) for name in PUSHED_FIELDS}
    flat[FieldKey(slot, "people")] = event.attendees
    for name in SERVICE_FIELDS:
        flat[FieldKey(slot, name)] = getattr(event, name)
    return flat


def _override_fields(slot: str, own: Changes, invited: object) -> Mapping[FieldKey, Any]:
    flat: dict[FieldKey, Any] = {}
    for name in _COMPARED:
        value = getattr(own, name)
        if value is UNSET:
            continue
        if name == "attendees":
            flat[FieldKey(slot, "people")] = value
            # The same people with other answers: nobody was invited to this occurrence alone.
            if meaning(name, value) == invited:
                continue
        flat[FieldKey(slot, name)] = value
    return flat
