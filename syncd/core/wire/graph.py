"""
Graph's event JSON, read into an `Item`, and an `Item`'s fields as the JSON that a write sends.

Knows Graph's member names and habits (fillers, seven fraction digits, UTC by default, all-day
midnights whose zone is only a label). Knows no URLs and no rights.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from syncd.core.body import HeldBody, KeepBody, SendBody, ServerBody, edit, shown_text
from syncd.core.event import (
    FIRST_YEAR,
    LAST_YEAR,
    AllDay,
    Attached,
    Attendee,
    Changes,
    Event,
    Geo,
    Item,
    Person,
    Timed,
    When,
    differing,
    geo_of,
    one_line,
    plain_address,
    shifted,
)
from syncd.core.ids import Uid
from syncd.core.owner import Owner
from syncd.core.recurrence import Inexpressible, Recurrence, from_graph, occurs_on, to_graph
from syncd.core.wire.holds import Hold, hold
from syncd.core.wire.ics_write import Stamps
from syncd.core.zones import (
    WindowsZone,
    instant,
    is_unresolvable_server_zone,
    wall_time,
    windows_zone,
    zone_info,
)

__all__ = [
    "ICAL_STASH_PROPERTY",
    "ICAL_UID_PROPERTY",
    "AttachmentRow",
    "Proposal",
    "RemoteEvent",
    "Row",
    "create_body",
    "decode_event",
    "decode_row",
    "exception_slots",
    "file_uid",
    "has_guessed_zone",
    "held_with",
    "occurrence_slots",
    "patch_fields",
    "proposals",
    "read_item",
    "sent_stash",
    "server_body",
    "stamps",
    "stash_fields",
    "stash_of_event",
    "uid_of",
]

UTC = WindowsZone("UTC")
UTC_INFO = zone_info(UTC)
ICAL_UID_PROPERTY = "String {BD59F806-683C-4EB2-90FF-7ED5109F6324} Name ical-uid"
ICAL_STASH_PROPERTY = "String {BD59F806-683C-4EB2-90FF-7ED5109F6324} Name ical-stash"
T = TypeVar("T")
_GLOBAL_OBJECT_ID = "040000008200E00074C5B7101A82E008"
_WRAPPED_UID = "7643616C2D55696401000000"  # "vCal-Uid" and a version number, MS-OXCICAL


class _Moment(Struct, rename="camel", gc=False):
    date_time: str
    time_zone: str | None = "UTC"


class _Body(Struct, rename="camel", gc=False):
    content_type: str | None = "html"
    content: str | None = ""


class _Coordinates(Struct, gc=False):
    latitude: Any = None
    longitude: Any = None


class _Location(Struct, rename="camel", gc=False):
    display_name: str | None = ""
    location_uri: str | None = ""
    location_email_address: str | None = ""
    coordinates: _Coordinates | None = None


class _EmailAddress(Struct, gc=False):
    address: str | None = ""
    name: str | None = ""


class _Recipient(Struct, rename="camel", gc=False):
    email_address: _EmailAddress | None = None


class _Status(Struct, gc=False):
    response: str | None = "none"
    time: str | None = None


class _GraphAttendee(Struct, rename="camel"):
    email_address: _EmailAddress | None = None
    type: str | None = "required"
    status: _Status | None = None
    proposed_new_time: msgspec.Raw = msgspec.Raw()


class _TimeSlot(Struct):
    start: _Moment
    end: _Moment


class Proposal(Struct):
    """Another time that a guest proposes: ISO 8601 wall times in a zone that the service names."""

    address: str
    start: str
    end: str
    zone: str


class _OnlineMeeting(Struct, rename="camel", gc=False):
    join_url: str | None = ""


class AttachmentRow(Struct, rename="camel", omit_defaults=True, gc=False):
    """
    One attachment as Graph lists it; `content_bytes` is base64, and in no list.

    `digest` and `sent_at` are ours, and no word of the service: of a file that was sent from here,
    see `syncd.core.event.Attached`.
    """

    id: str
    odata_type: str | None = msgspec.field(default="", name="@odata.type")
    name: str | None = ""
    content_type: str | None = ""
    size: int | None = 0
    is_inline: bool | None = False
    content_bytes: str | None = ""
    digest: str = msgspec.field(default="", name="@syncd.digest")
    sent_at: datetime | None = msgspec.field(default=None, name="@syncd.sentAt")


class _Extended(Struct, gc=False):
    id: str
    value: str | None = ""


class RemoteEvent(Struct, rename="camel"):
    """One event as Graph sends it; what syncd does not use is not decoded."""

    id: str
    type: str | None = "singleInstance"
    etag: str | None = msgspec.field(default="", name="@odata.etag")
    series_master_id: str | None = None
    i_cal_uid: str | None = msgspec.field(default="", name="iCalUId")
    created_date_time: str | None = None
    last_modified_date_time: str | None = None
    subject: str | None = ""
    body: _Body | None = None
    start: _Moment | None = None
    end: _Moment | None = None
    is_all_day: bool | None = False
    original_start_time_zone: str | None = ""
    original_end_time_zone: str | None = ""
    original_start: str | None = None
    occurrence_id: str | None = None
    recurrence: dict[str, Any] | None = None
    location: _Location | None = None
    locations: list[dict[str, Any]] | None = None
    show_as: str | None = "busy"
    sensitivity: str | None = "normal"
    importance: str | None = "normal"
    categories: list[str | None] | None = None
    is_reminder_on: bool | None = False
    reminder_minutes_before_start: int | None = 0
    attendees: list[_GraphAttendee] | None = None
    organizer: _Recipient | None = None
    is_organizer: bool | None = True
    is_cancelled: bool | None = False
    is_draft: bool | None = False
    is_online_meeting: bool | None = False
    online_meeting: _OnlineMeeting | None = None
    has_attachments: bool | None = False
    attachments: list[AttachmentRow] | None = None
    web_link: str | None = ""
    response_status: _Status | None = None
    response_requested: bool | None = True
    allow_new_time_proposals: bool | None = True
    cancelled_occurrences: list[str | None] | None = None
    exception_occurrences: list[RemoteEvent] | None = None
    single_value_extended_properties: list[_Extended] | None = None

    @property
    def has_others(self) -> bool:
        """Whether anyone but the owner could be mailed about it."""
        return bool(self.attendees)

    @property
    def join_url(self) -> str:
        """The link to an online meeting, "" for other events."""
        return (self.online_meeting.join_url or "") if self.online_meeting else ""


class Row(Struct, rename="camel"):
    """The head of a delta row: which kind it is, which event, and in which version."""

    id: str
    type: str | None = None
    etag: str | None = msgspec.field(default="", name="@odata.etag")
    i_cal_uid: str | None = msgspec.field(default="", name="iCalUId")
    series_master_id: str | None = None
    is_draft: bool | None = False
    has_attachments: bool | None = False
    removed: dict[str, Any] | None = msgspec.field(default=None, name="@removed")
    single_value_extended_properties: list[_Extended] | None = None
    exception_occurrences: list[RemoteEvent] | None = None


_event_decoder = msgspec.json.Decoder(RemoteEvent)
_row_decoder = msgspec.json.Decoder(Row)


def decode_event(raw: bytes | msgspec.Raw) -> RemoteEvent:
    """One event. Raises msgspec.DecodeError (ValidationError included)."""
    return _decoded(_event_decoder, raw)


def decode_row(raw: bytes | msgspec.Raw) -> Row:
    """The head of one row. Raises msgspec.DecodeError."""
    return _decoded(_row_decoder, raw)


def _decoded(decoder: msgspec.json.Decoder[T], raw: bytes | msgspec.Raw) -> T:
    try:
        return decoder.decode(raw)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(f"the event cannot be read: {type(error).__name__}") from None


# --- identity ---


def uid_of(event: RemoteEvent | Row) -> Uid:
    """
    The UID of the event's file: the one it was created with from a file, else Graph's iCalUId.

    Exchange wraps the UIDs of foreign calendars in a hexadecimal Global Object ID (MS-OXCICAL
    2.1.3.1.1.20.26); they are unwrapped, so that the file bears the UID that others know.
    """
    if own := file_uid(event):
        return own
    series = isinstance(event, RemoteEvent) and event.recurrence is not None
    unwrapped = _unwrapped(event.i_cal_uid or "", series=series)
    return Uid(one_line(unwrapped) or one_line(f"graph-{event.id}"))


def file_uid(event: RemoteEvent | Row) -> Uid | None:
    """The UID of the file that the event was created from; None where it was not, or not asked."""
    for extended in event.single_value_extended_properties or ():
        uid = one_line(extended.value or "")
        if uid and extended.id.casefold() == ICAL_UID_PROPERTY.casefold():
            return Uid(uid)
    return None


def _unwrapped(ical_uid: str, *, series: bool) -> str:
    upper = ical_uid.upper()
    if not upper.startswith(_GLOBAL_OBJECT_ID) or len(upper) < 80:
        return ical_uid
    if series:  # bytes 17 to 20 date a single instance; a series has none
        upper = upper[:32] + "0" * 8 + upper[40:]
    data = upper[80:]
    if data.startswith(_WRAPPED_UID):
        try:
            text = bytes.fromhex(data[len(_WRAPPED_UID) :]).split(b"\0")[0].decode()
        except ValueError:
            return upper
        return text or upper
    return upper


def stamps(event: RemoteEvent) -> Stamps:
    """CREATED and LAST-MODIFIED for the file; a fixed instant where Graph gives none."""
    modified = _stamp(event.last_modified_date_time) or "19700101T000000Z"
    return Stamps(_stamp(event.created_date_time), modified)


def _stamp(value: str | None) -> str:
    if not value or len(value) < 19 or value.startswith("0001"):
        return ""
    digits = value[:19].replace("-", "").replace(":", "")
    return f"{digits}Z" if _STAMP.fullmatch(digits) else ""


_STAMP = re.compile(r"[0-9]{8}T[0-9]{6}")


# --- reading ---


def read_item(event: RemoteEvent, owner: Owner) -> Item:
    """
    A single event or a series (a master fetched with its exceptions and cancelled slots).

    Raises: ValueError: a time or a rule that cannot be read.
    """
    if event.recurrence is None:
        return Item(_event(event, owner, None))
    zone = _series_zone(event, owner)
    master = _event(event, owner, zone)
    rule = from_graph(event.recurrence, _start_date(master.when))
    if isinstance(rule, Inexpressible):
        raise ValueError(f"the recurrence cannot be read: {rule.reason}")
    cancelled = frozenset(_cancelled(event, rule, _start_date(master.when)))
    overrides = _overrides(event, owner, zone, master, rule, cancelled)
    return Item(master, rule, overrides, cancelled)


def _start_date(when: When) -> date:
    return when.start if isinstance(when, AllDay) else when.start.date()


def _cancelled(event: RemoteEvent, rule: Recurrence, start: date) -> Iterable[date]:
    """The days in entries like `OID.AAMk.2026-03-30`, as far as the rule has them."""
    for entry in event.cancelled_occurrences or ():
        day = _ending_day(entry)
        slot = _nearest(day, start, rule) if day is not None else None
        if slot is not None:
            yield slot


def _ending_day(entry: str | None) -> date | None:
    try:
        return date.fromisoformat((entry or "")[-10:])
    except ValueError:
        return None


def _overrides(
    event: RemoteEvent,
    owner: Owner,
    zone: WindowsZone,
    master: Event,
    rule: Recurrence,
    cancelled: frozenset[date],
) -> dict[date, Changes]:
    found: dict[date, Changes] = {}
    for exception in event.exception_occurrences or ():
        slot = _slot(exception, zone, master.when, rule)
        if slot is None or slot in cancelled:
            continue
        plain = msgspec.structs.replace(master, when=shifted(master.when, slot))
        own = differing(_event(exception, owner, zone), plain)
        if own != Changes():
            found[slot] = own
    return found


def proposals(event: RemoteEvent) -> list[Proposal]:
    """What the guests of one's own meeting propose; what of it cannot be read is left out."""
    found = []
    for one in event.attendees or ():
        try:
            slot = msgspec.json.decode(one.proposed_new_time, type=_TimeSlot)
        except msgspec.DecodeError:
            continue
        address = one.email_address.address if one.email_address else ""
        start, end = slot.start.date_time[:16], slot.end.date_time[:16]
        found.append(Proposal(address or "", start, end, slot.start.time_zone or ""))
    return found


def exception_slots(event: RemoteEvent, owner: Owner) -> dict[date, RemoteEvent]:
    """The exceptions of a series by the slot that each stands for."""
    series = _series(event, owner)
    if series is None:
        return {}
    found = {}
    for exception in event.exception_occurrences or ():
        slot = _slot(exception, *series)
        if slot is not None:
            found[slot] = exception
    return found


def occurrence_slots(
    instances: Iterable[RemoteEvent], event: RemoteEvent, owner: Owner
) -> Iterator[tuple[date, RemoteEvent]]:
    """
    Unedited occurrences of a series, each with the slot at whose start it stands.

    By the zone in which the series repeats (`recurrenceTimeZone`): `originalStartTimeZone` may be
    another, where a start has another date.
    """
    series = _series(event, owner)
    if series is None:
        return
    for one in instances:
        slot = _standing_slot(one, series.when, series.rule)
        if slot is not None:
            yield slot, one


class _Series(NamedTuple):
    """What decides where a series has its slots."""

    zone: WindowsZone
    when: When
    rule: Recurrence


def _series(event: RemoteEvent, owner: Owner) -> _Series | None:
    if event.recurrence is None:
        return None
    zone = _series_zone(event, owner)
    when = _when(event, owner, zone)
    rule = from_graph(event.recurrence, _start_date(when))
    return None if isinstance(rule, Inexpressible) else _Series(zone, when, rule)


def _standing_slot(occurrence: RemoteEvent, when: When, rule: Recurrence) -> date | None:
    if occurrence.start is None:
        return None
    if isinstance(when, AllDay):
        day = _day(occurrence.start)
        return day if occurs_on(rule, when.start, day) else None
    return _slot_at(instant(_wall(occurrence.start, UTC), UTC), when, rule)


def _slot(exception: RemoteEvent, zone: WindowsZone, when: When, rule: Recurrence) -> date | None:
    """The slot an exception stands for: by its id's date, or its original start."""
    if exception.occurrence_id and exception.occurrence_id.startswith("OID."):
        day = _ending_day(exception.occurrence_id)
        if day is not None:
            return _nearest(day, _start_date(when), rule)
    original = _original_start(exception.original_start)
    if original is None:
        return None
    slot = _slot_at(original, when, rule) if isinstance(when, Timed) else None
    if slot is None:
        day = _original_day(original, zone, all_day=isinstance(when, AllDay))
        slot = None if day is None else _nearest(day, _start_date(when), rule)
    return slot


def _slot_at(at: datetime, when: Timed, rule: Recurrence) -> date | None:
    """
    The slot that starts at an instant; None where the rule has none near it.

    Not by the instant's date, since a gap may carry a start over midnight (Greenland), nor by the
    very instant, since a zone that only the service knows may change its clocks at other times.
    Slots are a day apart, so that the nearest one is the only one within half a day.
    """
    zone, first = WindowsZone(when.start_zone), when.start.date()
    found = [
        (abs(instant(datetime.combine(day, when.start.time()), zone) - at), day)
        for day in _days_about(wall_time(at, zone).date())
        if occurs_on(rule, first, day)
    ]
    off, slot = min(found, default=(HALF_A_DAY, None))
    return slot if off < HALF_A_DAY else None


HALF_A_DAY = timedelta(hours=12)


def _original_start(stated: str | None) -> datetime | None:
    try:
        original = datetime.fromisoformat(stated or "")
    except ValueError:
        return None
    return original if original.tzinfo is not None else original.replace(tzinfo=UTC_INFO)


def _original_day(original: datetime, zone: WindowsZone, *, all_day: bool) -> date | None:
    try:
        local = wall_time(original, zone)
        # Midnight in the series' zone, which is not always known: the midnight that is nearest.
        return (local + HALF_A_DAY).date() if all_day else local.date()
    except OverflowError:
        return None


def _nearest(slot: date, start: date, rule: Recurrence) -> date | None:
    """
    The occurrence on a day, or a day beside it; None where the series has none.

    A day more or less is the most that a zone which only the service knows can make of it.
    """
    return next((day for day in _days_about(slot) if occurs_on(rule, start, day)), None)


def _days_about(day: date) -> Iterator[date]:
    """The day, the one after and the one before, as far as Outlook has them."""
    for by in (0, 1, -1):
        try:
            near = day + timedelta(days=by)
        except OverflowError:
            continue
        if near.year <= LAST_YEAR:
            yield near


def has_guessed_zone(event: RemoteEvent) -> bool:
    """Whether a series repeats in a zone that only the service knows (`tzone://Microsoft/Custom`)."""
    if event.recurrence is None or event.is_all_day:
        return False
    span = event.recurrence.get("range")
    named = span.get("recurrenceTimeZone") if isinstance(span, dict) else None
    return not any(
        isinstance(name, str)
        and name
        and not is_unresolvable_server_zone(name)
        and windows_zone(name) is not None
        for name in (named, event.original_start_time_zone)
    )


def _series_zone(event: RemoteEvent, owner: Owner) -> WindowsZone:
    assert event.recurrence is not None
    span = event.recurrence.get("range")
    named = span.get("recurrenceTimeZone") if isinstance(span, dict) else None
    return _zone(named, event.original_start_time_zone, owner=owner)


def _zone(*names: object, owner: Owner) -> WindowsZone:
    for name in names:
        if isinstance(name, str) and name and not is_unresolvable_server_zone(name):
            zone = windows_zone(name)
            if zone is not None:
                return zone
    return owner.zone


def _event(event: RemoteEvent, owner: Owner, zone: WindowsZone | None) -> Event:
    invited_as = _invited_as(event, owner)
    attendees = _attendees(event, owner)
    body = server_body(event)
    return Event(
        when=_when(event, owner, zone),
        subject=one_line(event.subject or ""),
        body=shown_text(body),
        location=one_line((event.location.display_name or "") if event.location else ""),
        show_as=_word(event.show_as, _SHOW_AS, "busy"),
        sensitivity=_word(event.sensitivity, _SENSITIVITY, "normal"),
        importance=_word(event.importance, _IMPORTANCE, "normal"),
        categories=_categories(event.categories),
        reminder_min=_reminder(event),
        attendees=attendees,
        response=_response(event) if invited_as else "none",
        geo=_geo(event.location),
        allow_new_times=event.allow_new_time_proposals is not False,
        response_requested=event.response_requested is not False,
        online_meeting=bool(event.is_online_meeting),
        organizer=_organizer(event) if attendees or invited_as else None,
        is_cancelled=bool(event.is_cancelled),
        join_url=event.join_url,
        attached=_attached(event),
        invited_as=invited_as,
        body_mark=_mark(body) if body.content else "",
    )


_LONGEST_NAME, _LONGEST_ID = 255, 1000


def _attached(event: RemoteEvent) -> tuple[Attached, ...]:
    """The files that hang on it, by name; pictures in the text and attached items are none."""
    found = [
        Attached(
            one.id,
            one_line(one.name or "")[:_LONGEST_NAME] or "attachment",
            one_line(one.content_type or "")[:_LONGEST_NAME],
            one.size or 0,
            event.web_link or "",
            one.content_bytes or "",
            one.digest,
        )
        for one in event.attachments or ()
        if (one.odata_type or "fileattachment").casefold().endswith("fileattachment")
        and not one.is_inline
        and len(one.id) <= _LONGEST_ID
    ]
    return tuple(sorted(found, key=lambda one: (one.name, one.id)))


MAX_REMINDER_MIN = 2**31 - 1


def _reminder(event: RemoteEvent) -> int | None:
    """Minutes before the start; Graph's number is an Int32, whatever else is sent."""
    if not event.is_reminder_on:
        return None
    minutes = event.reminder_minutes_before_start or 0
    return max(-MAX_REMINDER_MIN, min(minutes, MAX_REMINDER_MIN))


def _mark(body: ServerBody) -> str:
    source = f"{body.content_type}:{body.content}".encode("utf-8", "surrogatepass")
    return blake2b(source, digest_size=9).hexdigest()


def _geo(place: _Location | None) -> Geo | None:
    point = place.coordinates if place is not None else None
    degrees = (point.latitude, point.longitude) if point is not None else ()
    numbers = [float(one) for one in degrees if isinstance(one, int | float)]
    return geo_of(*numbers) if len(numbers) == 2 else None


_SHOW_AS = frozenset({"free", "tentative", "busy", "oof", "workingElsewhere", "unknown"})
_SENSITIVITY = frozenset({"normal", "personal", "private", "confidential"})
_IMPORTANCE = frozenset({"low", "normal", "high"})


def _word(value: str | None, allowed: frozenset[str], default: str) -> Any:
    return value if value in allowed else default


def _categories(values: list[str | None] | None) -> tuple[str, ...]:
    if not values:
        return ()
    named = [name for value in values if (name := one_line(value or ""))]
    return tuple({name.casefold(): name for name in reversed(named)}.values())[::-1]


def server_body(event: RemoteEvent) -> ServerBody:
    """The body as the service holds it."""
    body = event.body
    kind: Any = (
        "text" if body is not None and (body.content_type or "").lower() == "text" else "html"
    )
    content = (body.content or "") if body is not None else ""
    return ServerBody(kind, content, bool(event.is_online_meeting), event.join_url)


def _when(event: RemoteEvent, owner: Owner, zone: WindowsZone | None) -> When:
    if event.start is None or event.end is None:
        raise ValueError("the event has no start or no end")
    if event.is_all_day:
        start, end = _day(event.start), _day(event.end)
        return AllDay(start, max(end, start + timedelta(days=1)))
    start_zone = zone or _zone(event.original_start_time_zone, owner=owner)
    end_zone = zone or _zone(event.original_end_time_zone, start_zone, owner=owner)
    told = _tells(start_zone, event.start) and _tells(end_zone, event.end)
    # A series keeps its zone, which its other occurrences need. Where only the end is in UTC, some
    # programs (recurring-ical-events) count it in the zone of the start.
    if not told and event.recurrence is None:
        start_zone = end_zone = UTC
    begins, ends = _wall(event.start, start_zone), _wall(event.end, end_zone)
    if instant(ends, end_zone) < instant(begins, start_zone):
        ends, end_zone = begins, start_zone
    return Timed(begins, start_zone, ends, end_zone)


def _day(moment: _Moment) -> date:
    return _in_range(date.fromisoformat(moment.date_time[:10]))


def _wall(moment: _Moment, zone: WindowsZone) -> datetime:
    wall = _seen_from(zone, moment)
    _in_range(wall.date())
    return wall


def _seen_from(zone: WindowsZone, moment: _Moment) -> datetime:
    """The same in any year that can be converted: in UTC the last evening of 4500 is in 4501."""
    stated = datetime.fromisoformat(moment.date_time[:19]).replace(tzinfo=None)
    if not 1 < stated.year < 9999:
        raise ValueError("the year is out of range")
    named = _named_zone(moment)
    if named == zone or named is None:
        return stated
    return wall_time(instant(stated, named), zone)


def _tells(zone: WindowsZone, moment: _Moment) -> bool:
    """
    Whether the zone's wall time means the moment: not in the second of two equal hours.

    RFC 5545 3.3.5: a wall time that occurs twice is the first.
    """
    if _named_zone(moment) is None:
        return True
    return instant(_seen_from(zone, moment), zone) == instant(_seen_from(UTC, moment), UTC)


def _named_zone(moment: _Moment) -> WindowsZone | None:
    return UTC if moment.time_zone == "UTC" else windows_zone(moment.time_zone or "")


def _in_range(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError("the year is out of range")
    return day


def _invited_as(event: RemoteEvent, owner: Owner) -> str:
    if event.is_organizer is not False:
        return ""
    for one in event.attendees or ():
        address = _address(one)
        if address and owner.is_own(address):
            return address
    return min(owner.addresses, default="")


def _organizer(event: RemoteEvent) -> Person | None:
    named = event.organizer.email_address if event.organizer else None
    address = plain_address(named.address or "") if named else ""
    return Person(address, _shown_name(named)) if named and address else None


def _address(one: _GraphAttendee) -> str:
    return plain_address((one.email_address.address or "") if one.email_address else "")


def _shown_name(address: _EmailAddress) -> str:
    name = one_line(address.name or "")
    return "" if name.casefold() == (address.address or "").casefold() else name


_RANK = ("none", "notResponded", "declined", "tentativelyAccepted", "accepted")


def _attendees(event: RemoteEvent, owner: Owner) -> tuple[Attendee, ...]:
    found: dict[str, Attendee] = {}
    rooms = _rooms(event)
    for one in event.attendees or ():
        address = _address(one)
        if one.email_address is None or not address or owner.is_own(address):
            continue
        name, kind = _shown_name(one.email_address), _attendee_type(one.type)
        is_room = kind == "resource" and address.casefold() in rooms
        fresh = Attendee(address, name, kind, _status(one.status), is_room)
        known = found.get(address.casefold())
        if known is None or _RANK.index(fresh.status) > _RANK.index(known.status):
            found[address.casefold()] = fresh
    return tuple(found.values())


def _rooms(event: RemoteEvent) -> frozenset[str]:
    """The addresses of the event's places, in lower case."""
    place = event.location
    named = [place.location_email_address, place.location_uri] if place is not None else []
    for one in event.locations or ():
        named += [one.get("locationEmailAddress"), one.get("locationUri")]
    return frozenset(address.casefold() for address in named if isinstance(address, str))


def _attendee_type(value: str | None) -> Any:
    return value if value in ("required", "optional", "resource") else "required"


def _status(status: _Status | None) -> str:
    # Whether Graph says none or notResponded depends on who looks: both are no answer.
    response = (status.response if status else None) or "none"
    return response if response in _RANK[2:] else "none"


def _response(event: RemoteEvent) -> Any:
    response = event.response_status.response if event.response_status else "none"
    return response if response in ("accepted", "tentativelyAccepted", "declined") else "none"


# --- writing ---


def create_body(
    item: Item,
    owner: Owner,
    uid: Uid,
    transaction_id: str,
    *,
    with_attendees: bool,
    stash: str = "",
    html: str = "",
) -> dict[str, Any]:
    """
    The whole of a new event.

    `isReminderOn` is always named, since Exchange switches a 15-minute reminder on where it is
    not. The file's UID goes along in our extended property, where a filter can find it again, and
    its `stash` in another. `html` is the body's HTML form, where the file has one.
    """
    event = item.master
    kind, content = ("html", html) if html else ("text", event.body)
    body: dict[str, Any] = {
        "subject": event.subject,
        "body": {"contentType": kind, "content": content},
        **_when_json(event.when, owner),
        "location": _place(event.location, event.geo),
        "showAs": event.show_as,
        "sensitivity": event.sensitivity,
        "importance": event.importance,
        "categories": list(event.categories),
        **_reminder_json(event.reminder_min),
        **_meeting_json(event),
        "transactionId": transaction_id,
        "singleValueExtendedProperties": [{"id": ICAL_UID_PROPERTY, "value": uid}],
    }
    if stash:
        body["singleValueExtendedProperties"].append(_stash_json(stash))
    if item.recurrence is not None:
        body["recurrence"] = _recurrence_json(item.recurrence, event.when, owner)
    if with_attendees and event.attendees:
        body["attendees"] = [_attendee_json(one) for one in event.attendees]
    return body


def _meeting_json(event: Event) -> dict[str, Any]:
    """What differs from Graph's defaults; an online meeting is only ever asked for."""
    given: dict[str, Any] = {}
    if not event.allow_new_times:
        given["allowNewTimeProposals"] = False
    if not event.response_requested:
        given["responseRequested"] = False
    if event.online_meeting:
        given["isOnlineMeeting"] = True
    return given


def _place(name: str, point: Geo | None) -> dict[str, Any]:
    place: dict[str, Any] = {"displayName": name}
    if point is not None:
        place["coordinates"] = {"latitude": point.latitude, "longitude": point.longitude}
    return place


def _stash_json(stash: str) -> dict[str, str]:
    return {"id": ICAL_STASH_PROPERTY, "value": stash}


def stash_fields(stash: str) -> dict[str, Any]:
    """The part of a PATCH that keeps a file's stash; other extended properties stay as they are."""
    return {"singleValueExtendedProperties": [_stash_json(stash)]}


def sent_stash(body: Mapping[str, Any]) -> str | None:
    """The stash that a write carries, None where it carries none."""
    for one in body.get("singleValueExtendedProperties") or ():
        if one["id"] == ICAL_STASH_PROPERTY:
            return str(one["value"])
    return None


def stash_of_event(event: RemoteEvent) -> str:
    """The stash that an event brings along, "" where it has none or was not asked for it."""
    for extended in event.single_value_extended_properties or ():
        if extended.id.casefold() == ICAL_STASH_PROPERTY.casefold():
            return extended.value or ""
    return ""


def _when_json(when: When, owner: Owner) -> dict[str, Any]:
    match when:
        case AllDay(start, end):
            zone = str(owner.zone)
            return {
                "isAllDay": True,
                "start": {"dateTime": f"{start.isoformat()}T00:00:00", "timeZone": zone},
                "end": {"dateTime": f"{end.isoformat()}T00:00:00", "timeZone": zone},
            }
        case Timed(start, start_zone, end, end_zone):
            return {
                "isAllDay": False,
                "start": {"dateTime": start.isoformat(), "timeZone": start_zone},
                "end": {"dateTime": end.isoformat(), "timeZone": end_zone},
            }


def _recurrence_json(rule: Recurrence, when: When, owner: Owner) -> dict[str, Any]:
    zone = str(owner.zone) if isinstance(when, AllDay) else when.start_zone
    return to_graph(rule, _start_date(when), zone)


def _reminder_json(minutes: int | None) -> dict[str, Any]:
    if minutes is None:
        return {"isReminderOn": False}
    return {"isReminderOn": True, "reminderMinutesBeforeStart": minutes}


def _attendee_json(one: Attendee) -> dict[str, Any]:
    address = {"address": one.address, **({"name": one.name} if one.name else {})}
    return {"emailAddress": address, "type": one.type}


def patch_fields(
    names: Iterable[str],
    wanted: Event,
    server: RemoteEvent,
    owner: Owner,
    *,
    slot: str,
    recurrence: Recurrence | None,
    replace_rich: bool,
    html: str = "",
    keep_point: bool = False,
) -> tuple[dict[str, dict[str, Any]], list[Hold]]:
    """
    What a PATCH says for each of the changed fields, by field name, and what cannot be sent.

    Args:
        html: the HTML form of the wanted text, where the file has one that agrees with it.
        keep_point: a new name for a place keeps the point, which was moved on the service.

    A field that turns out to need nothing sent is named with an empty object. For a series,
    `when` and `recurrence` always bring start, end and recurrence together, because Exchange
    refuses to move a series' zone otherwise.
    """
    parts: dict[str, dict[str, Any]] = {}
    holds: list[Hold] = []
    for name in names:
        if name == "body":
            _body_part(wanted, server, slot, replace_rich, html, parts, holds)
        elif name in ("when", "recurrence"):
            parts[name] = _when_part(wanted, server, owner, slot, recurrence)
        else:
            parts[name] = _plain_part(name, wanted, server, owner, keep_point)
    return parts, holds


def _body_part(
    wanted: Event,
    server: RemoteEvent,
    slot: str,
    replace_rich: bool,
    html: str,
    parts: dict[str, dict[str, Any]],
    holds: list[Hold],
) -> None:
    match edit(server_body(server), wanted.body, replace_rich=replace_rich, html=html):
        case SendBody(content_type, content):
            parts["body"] = {"body": {"contentType": content_type, "content": content}}
        case KeepBody():
            parts["body"] = {}
        case HeldBody(reason=reason, hint=hint, code=code):
            holds.append(hold(code, reason, slot=slot, fields=frozenset({"body"}), hint=hint))


def _when_part(
    wanted: Event, server: RemoteEvent, owner: Owner, slot: str, recurrence: Recurrence | None
) -> dict[str, Any]:
    part = _when_json(wanted.when, owner)
    if slot:
        if part["isAllDay"] == bool(server.is_all_day):
            del part["isAllDay"]
    elif recurrence is not None:
        part["recurrence"] = _recurrence_json(recurrence, wanted.when, owner)
    elif server.recurrence is not None:
        part["recurrence"] = None
    return part


def _plain_part(
    name: str, wanted: Event, server: RemoteEvent, owner: Owner, keep_point: bool
) -> dict[str, Any]:
    match name:
        case "subject":
            return {"subject": wanted.subject}
        case "location" | "geo":
            return _location_part(wanted, server, keep_point)
        case "show_as":
            return {"showAs": wanted.show_as}
        case "sensitivity":
            return {"sensitivity": wanted.sensitivity}
        case "importance":
            return {"importance": wanted.importance}
        case "categories":
            return {"categories": list(wanted.categories)}
        case "reminder_min":
            return _reminder_json(wanted.reminder_min)
        case "allow_new_times":
            return {"allowNewTimeProposals": wanted.allow_new_times}
        case "response_requested":
            return {"responseRequested": wanted.response_requested}
        case "online_meeting":
            return {"isOnlineMeeting": True} if wanted.online_meeting else {}
        case "attendees":
            return {"attendees": _attendee_list(wanted, server, owner)}
        case _:
            raise AssertionError(f"{name} is never patched")


def _location_part(wanted: Event, server: RemoteEvent, keep_point: bool) -> dict[str, Any]:
    """
    A changed place or point, which Graph keeps in one object.

    A new name drops the old address and coordinates on purpose. Where the service holds several
    places, those still named keep their details: PATCHing `location` alone would replace them all.
    """
    known = server.locations or []
    if not wanted.location and wanted.geo is None:
        return {"location": {"displayName": ""}, "locations": []}
    if len(known) < 2:
        return {"location": _one_place(wanted, server, known, keep_point)}
    by_name = {str(one.get("displayName") or ""): one for one in known}
    pieces = [piece.strip() for piece in wanted.location.split("; ") if piece.strip()]
    places = [by_name.get(piece, {"displayName": piece}) for piece in pieces or [""]]
    if _geo(server.location) != wanted.geo:
        places[0] = {**places[0], "coordinates": _place("", wanted.geo).get("coordinates", {})}
    return {"locations": places}


def _one_place(
    wanted: Event, server: RemoteEvent, known: list[dict[str, Any]], keep_point: bool
) -> dict[str, Any]:
    """The place with its point; one that keeps its name and gets a point keeps its address."""
    before = server.location
    named = one_line((before.display_name or "") if before else "")
    same = wanted.geo is not None and wanted.geo == _geo(before)
    if same and wanted.location != named and not keep_point:
        return {"displayName": wanted.location}
    place = _place(wanted.location, wanted.geo)
    kept = known[0] if known and wanted.geo is not None and wanted.location == named else {}
    told = ("locationUri", "locationEmailAddress", "address")
    return {**{name: kept[name] for name in told if kept.get(name)}, **place}


def held_with(body: Mapping[str, Any], provider: str) -> dict[str, Any]:
    """A write's body; an online meeting is held with the calendar's provider, if it has one."""
    if not body.get("isOnlineMeeting") or provider in ("", "unknown"):
        return dict(body)
    return {**body, "onlineMeetingProvider": provider}


def _attendee_list(wanted: Event, server: RemoteEvent, owner: Owner) -> list[dict[str, Any]]:
    """The whole list, as Graph wants it; entries that no file shows (the owner's) stay."""
    unshown = [
        {"emailAddress": _plain(one.email_address), "type": one.type or "required"}
        for one in server.attendees or ()
        if one.email_address and (not _address(one) or owner.is_own(_address(one)))
    ]
    return unshown + [_attendee_json(one) for one in wanted.attendees]


def _plain(address: _EmailAddress) -> dict[str, str]:
    given = {"address": address.address or "", "name": address.name or ""}
    return {key: value for key, value in given.items() if value}
