"""
Microsoft Graph v1.0, scheduling: free and busy times, times that suit a meeting, reminders.

Which request asks for what, and how its answer is read. All times go out and come back as instants:
answers are asked for in UTC, whatever the mailbox's zone. Two of the requests are POSTs that change
nothing (Graph "getSchedule", "findMeetingTimes"); they may be asked again like any read.
Nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeVar, get_args
from urllib.parse import quote

import msgspec

from syncd.core.errors import BadAnswer
from syncd.core.event import FIRST_YEAR, LAST_YEAR, Attendee, ShowAs, one_line
from syncd.core.free_busy import Availability, Taken
from syncd.core.wire.dialects.graph_hours import WorkingHours, read_hours
from syncd.core.wire.dialects.graph_v1 import GraphV1
from syncd.core.wire.exchange import Answer, Request
from syncd.core.zones import UTC_ZONE, WindowsZone, instant, wall_time, windows_zone

__all__ = [
    "ACTIVITIES",
    "MOST_ADDRESSES",
    "MOST_DAYS",
    "MOST_INTERVAL_MIN",
    "SHORTEST_INTERVAL_MIN",
    "Activity",
    "Found",
    "GraphScheduling",
    "MeetingWish",
    "Place",
    "Reminder",
    "Suggestion",
    "Window",
]

MOST_ADDRESSES: Final = 20
"""Graph "getSchedule": so many schedules are looked up at once."""
MOST_DAYS: Final = 62
"""Exchange "FreeBusyViewOptions.TimeWindow": no longer window is answered."""
SHORTEST_INTERVAL_MIN: Final = 5
MOST_INTERVAL_MIN: Final = 1440

MOST_ENTRIES: Final = 100
LONGEST_TEXT: Final = 255
LONGEST_LINK: Final = 2000

Activity = Literal["work", "personal", "unrestricted"]
ACTIVITIES: Final[tuple[Activity, ...]] = get_args(Activity)
Window = tuple[datetime, datetime]
"""Two instants, aware UTC."""

T = TypeVar("T")

_HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "application/json",
    "Prefer": 'outlook.timezone="UTC"',
}
_STATUSES: Final[Mapping[str, ShowAs]] = {one.casefold(): one for one in get_args(ShowAs)}
# msgspec's own, and what it lets through: a text that is no UTF-8, brackets without end.
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


# --- what is asked and answered ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where to meet: a name, and the address of a room that can be invited.

    `is_checked`: a wish takes it only where it is free.
    """

    name: str
    address: str = ""
    is_checked: bool = True


@dataclass(frozen=True, slots=True)
class MeetingWish:
    """
    Everything that "findMeetingTimes" takes; None leaves a choice to the service.

    Args: slots: where to look, each an aware window. zone: whose hours and half hours count.
        minimum_percent: the least chance that people come. most: suggestions at most.
    """

    attendees: tuple[Attendee, ...]
    duration_s: int
    slots: tuple[Window, ...]
    zone: WindowsZone
    places: tuple[Place, ...] = ()
    suggest_place: bool = False
    place_required: bool = False
    minimum_percent: float | None = None
    most: int | None = None
    activity: Activity = "work"
    organizer_optional: bool = False


@dataclass(frozen=True, slots=True)
class Suggestion:
    """
    A time that suits, aware UTC.

    Args: confidence: in percent. people: the address of each attendee, and how it is then.
    """

    start: datetime
    end: datetime
    confidence: float
    organizer: ShowAs
    people: tuple[tuple[str, ShowAs], ...]
    places: tuple[Place, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """Suggestions in the service's order; `empty_reason` is its word for why there are none."""

    suggestions: tuple[Suggestion, ...]
    empty_reason: str


@dataclass(frozen=True, slots=True)
class Reminder:
    """One reminder of an event or occurrence; aware UTC. Args: fires_at: after a snooze, later."""

    event_id: str
    subject: str
    start: datetime
    end: datetime
    fires_at: datetime
    location: str
    link: str


# --- the wire ------------------------------------------------------------------------------------


class _Moment(msgspec.Struct, rename="camel"):
    date_time: str
    time_zone: str | None = "UTC"


class _Slot(msgspec.Struct):
    start: _Moment
    end: _Moment


class _Location(msgspec.Struct, rename="camel"):
    display_name: str | None = ""
    location_email_address: str | None = ""


class _ScheduleItem(_Slot, rename="camel"):
    status: str | None = "unknown"
    subject: str | None = ""
    location: str | None = ""
    is_private: bool | None = False


class _ScheduleError(msgspec.Struct, rename="camel"):
    message: str | None = ""
    response_code: str | None = ""


class _Schedule(msgspec.Struct, rename="camel"):
    schedule_id: str | None = ""
    availability_view: str | None = None
    schedule_items: list[_ScheduleItem] | None = None
    working_hours: WorkingHours | None = None
    error: _ScheduleError | None = None


class _Schedules(msgspec.Struct):
    value: list[_Schedule]


class _EmailAddress(msgspec.Struct):
    address: str | None = ""
    name: str | None = ""


class _AttendeeBase(msgspec.Struct, rename="camel"):
    email_address: _EmailAddress | None = None


class _AttendeeAvailability(msgspec.Struct):
    attendee: _AttendeeBase | None = None
    availability: str | None = "unknown"


class _TimeSuggestion(msgspec.Struct, rename="camel"):
    meeting_time_slot: _Slot
    confidence: float | None = None
    order: int | None = None
    organizer_availability: str | None = "unknown"
    attendee_availability: list[_AttendeeAvailability] | None = None
    locations: list[_Location] | None = None
    suggestion_reason: str | None = ""


class _Suggestions(msgspec.Struct, rename="camel"):
    meeting_time_suggestions: list[_TimeSuggestion] | None = None
    empty_suggestions_reason: str | None = ""


class _Reminder(msgspec.Struct, rename="camel"):
    event_id: str
    event_start_time: _Moment
    event_end_time: _Moment
    reminder_fire_time: _Moment
    event_subject: str | None = ""
    event_location: _Location | None = None
    event_web_link: str | None = ""


class _Reminders(msgspec.Struct):
    value: list[_Reminder]
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")


class _Own(msgspec.Struct, rename="camel"):
    mail: str | None = ""
    user_principal_name: str | None = ""


class _Id(msgspec.Struct):
    id: str


# --- requests ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GraphScheduling:
    """The requests of one mailbox; `user` is "me", an id or a user principal name."""

    user: str

    @property
    def root(self) -> str:
        """The mailbox's path."""
        return GraphV1(self.user).root

    def own_address(self) -> Request:
        """Under which address the mailbox invites people."""
        return Request("GET", f"{self.root}?$select=mail,userPrincipalName", label="user")

    def default_calendar(self) -> Request:
        """The calendar that meetings are kept in."""
        return Request("GET", f"{self.root}/calendar?$select=id", label="calendar")

    def schedules(self, addresses: Sequence[str], window: Window, interval_min: int) -> Request:
        """When at most `MOST_ADDRESSES` people and rooms are free or busy (Graph "getSchedule")."""
        start, end = window
        body = {
            "schedules": list(addresses),
            "startTime": _moment(start, UTC_ZONE),
            "endTime": _moment(end, UTC_ZONE),
            "availabilityViewInterval": interval_min,
        }
        return _question(f"{self.root}/calendar/getSchedule", body, "getSchedule")

    def meeting_times(self, wish: MeetingWish) -> Request:
        """Times that suit a meeting (Graph "findMeetingTimes"), always with their reasons."""
        return _question(f"{self.root}/findMeetingTimes", _wish_body(wish), "findMeetingTimes")

    def reminders(self, window: Window) -> Request:
        """The reminders of the events in a window (Graph "user: reminderView"); paged."""
        start, end = (quote(f"{_utc_text(at)}.0000000", safe="") for at in window)
        path = f"{self.root}/reminderView(startDateTime='{start}',endDateTime='{end}')"
        return Request("GET", path, {"Prefer": _HEADERS["Prefer"]}, label="reminderView")

    def follow(self, link: str) -> Request:
        """The next page of reminders, by the service's own link."""
        return Request("GET", link, {"Prefer": _HEADERS["Prefer"]}, label="reminderView")

    # --- answers -----------------------------------------------------------------------------

    def read_own_address(self, answer: Answer) -> str:
        """The address of a 2xx answer, "" where there is none. Raises: BadAnswer."""
        own = _decoded(answer, _Own, "user")
        return own.mail or own.user_principal_name or ""

    def read_default_calendar(self, answer: Answer) -> str:
        """The id of a 2xx answer. Raises: BadAnswer."""
        return _decoded(answer, _Id, "calendar").id

    def read_schedules(
        self,
        answer: Answer,
        addresses: Sequence[str],
        window: Window,
        interval_min: int,
        now: datetime,
    ) -> list[Availability]:
        """
        What a 2xx answer says of each address asked for, in their order.

        What it does not speak of, or not in a way that can be used, has its own `error`.
        Raises: BadAnswer.
        """
        rows = _decoded(answer, _Schedules, "getSchedule").value
        said = {(row.schedule_id or "").casefold(): row for row in rows}
        found = []
        for address in addresses:
            bare = Availability(address, *window, interval_min, now)
            found.append(_availability(bare, said.get(address.casefold())))
        return found

    def read_meeting_times(self, answer: Answer) -> Found:
        """The suggestions of a 2xx answer. Raises: BadAnswer."""
        told = _decoded(answer, _Suggestions, "findMeetingTimes")
        rows = sorted(told.meeting_time_suggestions or (), key=lambda one: one.order or 0)
        suggestions = tuple(_suggestion(one) for one in rows)
        return Found(suggestions, _text(told.empty_suggestions_reason))

    def read_reminders(self, answer: Answer) -> tuple[list[Reminder], str | None]:
        """One page of reminders of a 2xx answer, and the link to the next. Raises: BadAnswer."""
        page = _decoded(answer, _Reminders, "reminderView")
        return [_reminder(one) for one in page.value], page.next_link


def _question(path: str, body: Mapping[str, Any], label: str) -> Request:
    return Request("POST", path, _HEADERS, msgspec.json.encode(body), label)


def _wish_body(wish: MeetingWish) -> dict[str, Any]:
    body: dict[str, Any] = {
        "attendees": [
            {"type": one.type, "emailAddress": {"address": one.address}} for one in wish.attendees
        ],
        "isOrganizerOptional": wish.organizer_optional,
        # Always told: without a word about it the service suggests rooms that nobody asked for.
        "locationConstraint": {
            "isRequired": wish.place_required,
            "suggestLocation": wish.suggest_place,
            "locations": [_place_body(one) for one in wish.places],
        },
        "meetingDuration": _duration(wish.duration_s),
        "returnSuggestionReasons": True,
        "timeConstraint": {
            "activityDomain": wish.activity,
            "timeSlots": [
                {"start": _moment(start, wish.zone), "end": _moment(end, wish.zone)}
                for start, end in wish.slots
            ],
        },
    }
    if wish.minimum_percent is not None:
        body["minimumAttendeePercentage"] = wish.minimum_percent
    if wish.most is not None:
        body["maxCandidates"] = wish.most
    return body


def _place_body(place: Place) -> dict[str, Any]:
    body: dict[str, Any] = {
        "displayName": place.name,
        "resolveAvailability": place.is_checked,
    }
    if place.address:
        body["locationEmailAddress"] = place.address
    return body


def _duration(seconds: int) -> str:
    """ISO 8601, as Edm.Duration takes it."""
    return f"PT{seconds}S" if seconds % 60 else f"PT{seconds // 60}M"


def _moment(at: datetime, zone: WindowsZone) -> dict[str, str]:
    """An instant on the clocks of a zone; of UTC where those show another instant as well."""
    wall = wall_time(at, zone)
    if instant(wall, zone) != at:
        zone, wall = UTC_ZONE, wall_time(at, UTC_ZONE)
    return {"dateTime": wall.isoformat(timespec="seconds"), "timeZone": zone}


def _utc_text(at: datetime) -> str:
    return wall_time(at, UTC_ZONE).isoformat(timespec="seconds")


# --- answers -------------------------------------------------------------------------------------


def _decoded(answer: Answer, kind: type[T], label: str) -> T:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except _UNREADABLE as error:
        raise BadAnswer(f"the service's answer to {label} cannot be read: {error}") from None


def _text(value: str | None) -> str:
    return one_line(value or "")[:LONGEST_TEXT]


def _status(word: str | None) -> ShowAs:
    return _STATUSES.get((word or "").casefold(), "unknown")


def _at(moment: _Moment) -> datetime:
    zone = windows_zone(moment.time_zone or "UTC")
    try:
        # Seven digits of fraction, which Python does not read; an offset is not documented here.
        wall = datetime.fromisoformat(moment.date_time[:19]).replace(tzinfo=None)
    except ValueError:
        raise BadAnswer("the service's answer has a time that is none") from None
    if zone is None or not FIRST_YEAR <= wall.year <= LAST_YEAR:
        raise BadAnswer("the service's answer has a time that cannot be used")
    return instant(wall, zone)


def _availability(bare: Availability, said: _Schedule | None) -> Availability:
    if said is None:
        return msgspec.structs.replace(bare, error="the service says nothing about it")
    if said.error is not None:
        return msgspec.structs.replace(bare, error=_why(said.error))
    if said.availability_view is None:
        return msgspec.structs.replace(bare, error="the service tells no free and busy times")
    cells = -((bare.start - bare.end) // timedelta(minutes=bare.interval_min))
    return msgspec.structs.replace(
        bare,
        view=said.availability_view[:cells],
        entries=tuple(_taken(one) for one in (said.schedule_items or ())[:MOST_ENTRIES]),
        hours=read_hours(said.working_hours),
    )


def _why(error: _ScheduleError) -> str:
    message, code = _text(error.message), _text(error.response_code)
    return f"{message} ({code})".strip() if code else message or "the service gives no reason"


def _taken(item: _ScheduleItem) -> Taken:
    return Taken(
        _status(item.status),
        _at(item.start),
        _at(item.end),
        _text(item.subject),
        _text(item.location),
        bool(item.is_private),
    )


def _suggestion(said: _TimeSuggestion) -> Suggestion:
    people = (
        (_address(one.attendee), _status(one.availability))
        for one in said.attendee_availability or ()
    )
    return Suggestion(
        _at(said.meeting_time_slot.start),
        _at(said.meeting_time_slot.end),
        min(max(said.confidence or 0.0, 0.0), 100.0),
        _status(said.organizer_availability),
        tuple((address, status) for address, status in people if address),
        tuple(_places(said.locations or ())),
        _text(said.suggestion_reason),
    )


def _address(said: _AttendeeBase | None) -> str:
    return _text(said.email_address.address) if said and said.email_address else ""


def _places(said: Iterable[_Location]) -> list[Place]:
    places = (Place(_text(one.display_name), _text(one.location_email_address)) for one in said)
    return [one for one in places if one.name or one.address]


def _reminder(said: _Reminder) -> Reminder:
    place = said.event_location
    return Reminder(
        said.event_id,
        _text(said.event_subject),
        _at(said.event_start_time),
        _at(said.event_end_time),
        _at(said.reminder_fire_time),
        _text(place.display_name) if place else "",
        one_line(said.event_web_link or "")[:LONGEST_LINK],
    )
