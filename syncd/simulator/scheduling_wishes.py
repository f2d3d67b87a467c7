"""
What may be asked of `findMeetingTimes` and `getSchedule`, read from the bodies of requests.

Knows parameters, defaults and limits, and how the service refuses what breaks them.
Refuses to know calendars: what becomes of a wish is decided elsewhere.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from syncd.simulator.checks import boolean, choice, mapping, optional_text, text
from syncd.simulator.errors import ServiceError, bad_body, invalid_property, invalid_request
from syncd.simulator.zones import Wall, read_wall

__all__ = [
    "Attendee",
    "Domain",
    "MeetingWish",
    "PlaceItem",
    "PlaceWish",
    "ScheduleWish",
    "Span",
    "read_meeting_wish",
    "read_schedule_wish",
]

Span = tuple[datetime, datetime]
Domain = Literal["work", "personal", "unrestricted"]
DOMAINS: Mapping[str, Domain] = {
    "work": "work",
    "personal": "personal",
    "unrestricted": "unrestricted",
    "unknown": "work",  # Graph: "currently behaves the same as work"
}
MAX_SCHEDULE_SPAN = timedelta(days=62)
MAX_MEETING_SPAN = timedelta(days=366)  # of ours: the real limit is not documented
_DURATION = re.compile(
    r"P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,5})(?:\.\d+)?S)?)?\Z"
)
_INT = (-(2**31), 2**31 - 1)
_MEETING_PARAMETERS = frozenset(
    {
        *("attendees", "isorganizeroptional", "locationconstraint", "maxcandidates"),
        *("meetingduration", "minimumattendeepercentage", "returnsuggestionreasons"),
        "timeconstraint",
    }
)
_SCHEDULE_PARAMETERS = frozenset({"schedules", "starttime", "endtime", "availabilityviewinterval"})


@dataclass(frozen=True, slots=True)
class Attendee:
    """Args: is_person: people always count as required. email: as the answer repeats it."""

    address: str
    is_person: bool
    email: Mapping[str, str]

    def wire(self) -> dict[str, Any]:
        """Return the `attendeeBase` resource."""
        return {
            "type": "required" if self.is_person else "resource",
            "emailAddress": dict(self.email),
        }


@dataclass(frozen=True, slots=True)
class PlaceItem:
    """A location asked for. Args: resolve: take another one when it is busy."""

    name: str
    address: str
    resolve: bool


@dataclass(frozen=True, slots=True)
class PlaceWish:
    """A `locationConstraint`."""

    required: bool = False
    suggest: bool = False
    items: tuple[PlaceItem, ...] = ()


@dataclass(frozen=True, slots=True)
class MeetingWish:
    """
    The body of findMeetingTimes.

    Args: slots: empty for any time soon. most: 0 leaves the number to the service.
    """

    attendees: tuple[Attendee, ...]
    slots: tuple[tuple[Wall, Wall], ...]
    domain: Domain
    duration: timedelta
    most: int
    least_percent: float
    organizer_optional: bool
    with_reasons: bool
    place: PlaceWish

    def window(self) -> Span:
        """Return the span that all slots lie in."""
        starts, ends = zip(*self.slots, strict=True)
        return min(wall.instant for wall in starts), max(wall.instant for wall in ends)


def read_meeting_wish(body: object, *, now: datetime) -> MeetingWish:
    """
    Return what was asked of findMeetingTimes. Names are taken in any case.

    Args: now: aware UTC; without time slots the week from then on is searched.
    Raises: ServiceError: 400 for an unknown parameter or a value that is not legal.
    """
    sent = _parameters(body, _MEETING_PARAMETERS, "findMeetingTimes")
    times = mapping(_or(sent.get("timeconstraint"), {}), "timeConstraint")
    attendees = tuple(map(_attendee, _list(sent.get("attendees"), "attendees")))
    domain = choice(_or(times.get("activitydomain"), "work"), tuple(DOMAINS), "activityDomain")
    wish = MeetingWish(
        attendees=attendees,
        slots=tuple(map(_slot, _list(times.get("timeslots"), "timeSlots"))) or (_next_week(now),),
        domain=DOMAINS[domain],
        duration=_duration(_or(sent.get("meetingduration"), "PT30M")),
        most=int(_figure(sent.get("maxcandidates"), 0, (0, _INT[1]), "maxCandidates")),
        least_percent=_figure(
            sent.get("minimumattendeepercentage"), 50, (0, 100), "minimumAttendeePercentage"
        ),
        organizer_optional=_flag(sent.get("isorganizeroptional"), "isOrganizerOptional"),
        with_reasons=_flag(sent.get("returnsuggestionreasons"), "returnSuggestionReasons"),
        place=_place(sent.get("locationconstraint"), bool(attendees)),
    )
    start, end = wish.window()
    if end - start > MAX_MEETING_SPAN:
        raise invalid_request("The time slots must lie within a year.")
    return wish


def _parameters(body: object, known: frozenset[str], action: str) -> dict[str, Any]:
    sent = mapping(_folded(body), "body")
    for name in sent:
        if name not in known and "@" not in name:
            raise bad_body(
                f"The parameter '{name[:60]}' in the request payload is not a valid parameter for "
                f"the operation '{action}'."
            )
    return sent


def _folded(value: object) -> object:
    """Return JSON with names in lower case: the samples have `Timeslots` as well as `timeSlots`."""
    if isinstance(value, dict):
        return {str(name).casefold(): _folded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_folded(inner) for inner in value]
    return value


def _or(value: object, default: object) -> object:
    return default if value is None else value


def _list(value: object, name: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad_body(f"Property {name} in payload has a value that does not match schema.")
    return value


def _flag(value: object, name: str) -> bool:
    return False if value is None else boolean(value, name)


def _figure(value: object, default: float, bounds: tuple[float, float], name: str) -> float:
    """Return a number, which the vendor's samples also send as text. Raises: ServiceError: 400."""
    if value is None:
        return default
    try:
        found = float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        found = None
    if found is None or isinstance(value, bool):
        raise bad_body(f"Cannot convert the value of {name} to the expected type.")
    if not bounds[0] <= found <= bounds[1]:
        raise invalid_property(f"The value of {name} is out of range.")
    return found


def _wall(value: object, name: str) -> Wall:
    sent = mapping(value, name)
    return read_wall({"dateTime": sent.get("datetime"), "timeZone": sent.get("timezone")}, name)


def _slot(value: object) -> tuple[Wall, Wall]:
    sent = mapping(value, "timeSlots")
    start, end = (_wall(sent.get(name), f"timeSlots/{name}") for name in ("start", "end"))
    if end.instant < start.instant:
        raise invalid_request("The end of a time slot must not be before its start.")
    return start, end


def _next_week(now: datetime) -> tuple[Wall, Wall]:
    start = Wall(now.replace(tzinfo=None), "UTC")
    return start, start.plus(timedelta(days=7))


def _duration(value: object) -> timedelta:
    found = _DURATION.match(value) if isinstance(value, str) else None
    if found is None or not any(found.groups()):
        raise bad_body("Cannot convert the value to the expected type 'Edm.Duration'.")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta(0) < length <= MAX_MEETING_SPAN:
        raise invalid_property("The value of meetingDuration is out of range.")
    return length


def _attendee(value: object) -> Attendee:
    sent = mapping(value, "attendees")
    email = mapping(_or(sent.get("emailaddress"), {}), "emailAddress")
    address = optional_text(email.get("address"), "address").strip()
    if not address:
        raise ServiceError(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
    kinds = ("required", "optional", "resource")
    kind = choice(_or(sent.get("type"), "required"), kinds, "type")
    name = optional_text(email.get("name"), "name")
    named = {"name": name} if name else {}
    return Attendee(address, kind != "resource", {**named, "address": address})


def _place(value: object, has_attendees: bool) -> PlaceWish:
    """Return the constraint. Without one, rooms are suggested for meetings with attendees only."""
    # So do the vendor's samples: "Tokyo conference room" was not asked for.
    if value is None:
        return PlaceWish(suggest=has_attendees)
    sent = mapping(value, "locationConstraint")
    return PlaceWish(
        required=_flag(sent.get("isrequired"), "isRequired"),
        suggest=_flag(sent.get("suggestlocation"), "suggestLocation"),
        items=tuple(map(_place_item, _list(sent.get("locations"), "locations"))),
    )


def _place_item(value: object) -> PlaceItem:
    sent = mapping(value, "locations")
    resolve = sent.get("resolveavailability")
    return PlaceItem(
        name=optional_text(sent.get("displayname"), "displayName"),
        address=optional_text(sent.get("locationemailaddress"), "locationEmailAddress"),
        resolve=True if resolve is None else boolean(resolve, "resolveAvailability"),
    )


@dataclass(frozen=True, slots=True)
class ScheduleWish:
    """The body of getSchedule. Args: start, end: aware UTC. interval: of one digit of the view."""

    schedules: tuple[str, ...]
    start: datetime
    end: datetime
    interval: timedelta


def read_schedule_wish(body: object, *, most: int) -> ScheduleWish:
    """
    Return what was asked of getSchedule. Names are taken in any case.

    Args: most: addresses in one request.
    Raises: ServiceError: 400, with the codes that the service has for each limit.
    """
    sent = _parameters(body, _SCHEDULE_PARAMETERS, "getSchedule")
    asked = _list(sent.get("schedules"), "schedules")
    schedules = tuple(text(address, "schedules") for address in asked)
    start = _wall(sent.get("starttime"), "startTime").instant
    end = _wall(sent.get("endtime"), "endTime").instant
    minutes = _figure(sent.get("availabilityviewinterval"), 30, _INT, "availabilityViewInterval")
    wish = ScheduleWish(schedules, start, end, timedelta(minutes=int(minutes)))
    _check_number(wish, most)
    _check_window(wish)
    _check_interval(wish)
    return wish


def _check_number(wish: ScheduleWish, most: int) -> None:
    if not wish.schedules:
        raise ServiceError(400, "ErrorMailboxDataArrayEmpty", "There is no target user.")
    if len(wish.schedules) > most:
        raise ServiceError(
            400,
            "ErrorMailboxDataArrayTooBig",
            "There are too many target users in the EmailAddress array. The allowed size = "
            f"{most}; the actual size = {len(wish.schedules)}.",
        )


def _check_window(wish: ScheduleWish) -> None:
    span = wish.end - wish.start
    if span <= timedelta(0):
        raise ServiceError(
            400,
            "ErrorInvalidTimeInterval",
            "The time duration specified for FreeBusyViewOptions.TimeWindow is invalid.",
        )
    if span > MAX_SCHEDULE_SPAN:
        raise ServiceError(
            400,
            "ErrorTimeIntervalTooBig",
            "The requested time duration specified for FreeBusyViewOptions.TimeWindow is too long. "
            f"The allowed limit = {MAX_SCHEDULE_SPAN.days} days; the actual limit = {span.days} "
            "days.",
        )


def _check_interval(wish: ScheduleWish) -> None:
    minutes = wish.interval // timedelta(minutes=1)
    if not 5 <= minutes <= 1440 or wish.interval > wish.end - wish.start:
        raise ServiceError(
            400,
            "ErrorInvalidMergedFreeBusyInterval",
            "The specified merged free/busy interval is not valid. Specify an interval that is "
            "less than the free/busy time window and between 5 and 1440 minutes.",
        )
