"""
The writable properties of an event: what may be sent, and what is stored for it.

Knows each property's check and its stored form, which is the wire form of the answer.
Refuses to know what already is in a mailbox: a change is read before it meets an event.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from syncd.simulator import bodies
from syncd.simulator.checks import boolean, choice, mapping, number, optional_text, text
from syncd.simulator.errors import ServiceError, bad_body, invalid_property, invalid_request
from syncd.simulator.recurrence import Recurrence, read_recurrence
from syncd.simulator.zones import Wall, read_wall

__all__ = [
    "KEEP",
    "MAX_ATTENDEES",
    "NEVER",
    "Changes",
    "Keep",
    "attendee_key",
    "defaults",
    "no_location",
    "property_key",
    "read_changes",
]

MAX_ATTENDEES = 500
NEVER = "0001-01-01T00:00:00Z"
SHOW_AS = ("free", "tentative", "busy", "oof", "workingElsewhere", "unknown")
PROVIDERS = ("unknown", "teamsForBusiness", "skypeForBusiness", "skypeForConsumer")
LOCATION_TYPES = (
    *("default", "conferenceRoom", "homeAddress", "businessAddress", "geoCoordinates"),
    *("streetAddress", "hotel", "restaurant", "localBusiness", "postalAddress"),
)


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave the recurrence as it is; None would end the series."""


KEEP: Final = Keep()


@dataclass(frozen=True, slots=True)
class Changes:
    """
    A POST or PATCH body that was found legal.

    Args:
        values: plain properties in stored form.
        extended: single-value extended properties by normalised id; None removes one.
        names: every writable property the body named, extended ones under one name.
    """

    values: Mapping[str, Any]
    start: Wall | None = None
    end: Wall | None = None
    recurrence: Recurrence | Keep | None = KEEP
    extended: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    names: frozenset[str] = frozenset()


def no_location() -> dict[str, Any]:
    """Return what the service shows for an event without a place."""
    return {
        "displayName": "",
        "locationType": "default",
        "uniqueIdType": "unknown",
        "address": {},
        "coordinates": {},
    }


def defaults() -> dict[str, Any]:
    """Return the stored properties of an event of which nothing was said."""
    return {
        "categories": [],
        "transactionId": None,
        "reminderMinutesBeforeStart": 15,
        "isReminderOn": True,
        "hasAttachments": False,
        "subject": "",
        "body": "",
        "importance": "normal",
        "sensitivity": "normal",
        "isAllDay": False,
        "isCancelled": False,
        "isOrganizer": True,
        "responseRequested": True,
        "showAs": "busy",
        "onlineMeetingUrl": None,
        "isOnlineMeeting": False,
        "onlineMeetingProvider": "unknown",
        "allowNewTimeProposals": True,
        "isDraft": False,
        "hideAttendees": False,
        "responseStatus": {"response": "organizer", "time": NEVER},
        "location": no_location(),
        "locations": [],
        "attendees": [],
        "onlineMeeting": None,
    }


def attendee_key(attendee: Mapping[str, Any]) -> str:
    """Return what makes two attendees the same person."""
    address: str = attendee["emailAddress"]["address"]
    return address.casefold()


def property_key(identity: str) -> str:
    """
    Return an extended property's id in comparable form: the GUID in any case, the name exact.

    Raises: ServiceError: 400 when it is neither `Type {guid} Name x`, `Type {guid} Id 0x…`
        nor `Type 0x…`.
    """
    words = identity.strip().split(" ", 3)
    if len(words) == 4 and words[2].casefold() in ("name", "id") and words[1].startswith("{"):
        return f"{words[0].casefold()} {words[1].casefold()} {words[2].casefold()} {words[3]}"
    if len(words) == 2 and words[1].casefold().startswith("0x"):
        return f"{words[0].casefold()} {words[1].casefold()}"
    raise invalid_request("The property ID is not valid for a legacy extended property.")


def read_changes(body: object) -> Changes:
    """
    Return a POST or PATCH body as changes.

    Raises: ServiceError: 400, at the first property that is not legal.
    """
    sent = {name: value for name, value in mapping(body, "event").items() if "@" not in name}
    for name in sent:
        if name not in _READERS and name not in _OTHERS and name not in _READ_ONLY:
            raise bad_body(
                f"The property '{name[:60]}' does not exist on type 'microsoft.graph.event'. Make "
                "sure to only use property names that are defined by the type."
            )
    values: dict[str, Any] = {}
    for name, reader in _READERS.items():
        if name in sent:
            values.update(reader(sent[name]))
    return Changes(
        values=values,
        start=read_wall(sent["start"], "start") if "start" in sent else None,
        end=read_wall(sent["end"], "end") if "end" in sent else None,
        recurrence=_read_series(sent),
        extended=_read_extended(sent.get("singleValueExtendedProperties")),
        names=frozenset(sent) - _READ_ONLY,
    )


def _read_series(sent: Mapping[str, object]) -> Recurrence | Keep | None:
    if "recurrence" not in sent:
        return KEEP
    return None if sent["recurrence"] is None else read_recurrence(sent["recurrence"])


def _read_extended(value: object) -> dict[str, tuple[str, str | None]]:
    if value is None:
        return {}
    if not isinstance(value, list):
        raise bad_body("singleValueExtendedProperties has a value that does not match schema.")
    found: dict[str, tuple[str, str | None]] = {}
    for entry in value:
        pair = mapping(entry, "singleValueExtendedProperties")
        identity = text(pair.get("id"), "id")
        content = pair.get("value")
        value_text = None if content is None else text(content, "value")
        found[property_key(identity)] = (identity, value_text)
    return found


def _plain(name: str, check: Callable[[object], Any]) -> Callable[[object], dict[str, Any]]:
    return lambda value: {name: check(value)}


def _flag(name: str) -> Callable[[object], dict[str, Any]]:
    return _plain(name, lambda value: boolean(value, name))


def _one_of(name: str, *allowed: str) -> Callable[[object], dict[str, Any]]:
    return _plain(name, lambda value: choice(value, allowed, name))


def _body(value: object) -> dict[str, Any]:
    if value is None:
        raise ServiceError(400, "ErrorInvalidRequest", "The body of the item is invalid.")
    sent = mapping(value, "body")
    kind = choice(sent.get("contentType", "text"), ("html", "text"), "body/contentType")
    return {"body": bodies.read_body(kind, optional_text(sent.get("content"), "body/content"))}


def _categories(value: object) -> dict[str, Any]:
    if not isinstance(value, list):
        raise bad_body("Property categories in payload has a value that does not match schema.")
    return {"categories": list(dict.fromkeys(text(name, "categories") for name in value))}


def _reminder(value: object) -> dict[str, Any]:
    minutes = number(value, -(2**31), 2**31 - 1, "reminderMinutesBeforeStart")
    if not 0 <= minutes <= 1_576_800:
        raise invalid_property("reminderMinutesBeforeStart is out of range.")
    return {"reminderMinutesBeforeStart": minutes}


def _place(value: object) -> dict[str, Any]:
    sent = mapping(value, "location")
    name = optional_text(sent.get("displayName"), "location/displayName")
    choice(sent.get("locationType") or "default", LOCATION_TYPES, "locationType")
    place = {
        "displayName": name,
        "locationUri": optional_text(sent.get("locationUri"), "locationUri"),
        "locationEmailAddress": optional_text(sent.get("locationEmailAddress"), "email"),
        "locationType": "default",
        "uniqueIdType": "unknown",
        "address": dict(mapping(sent.get("address") or {}, "address")),
        "coordinates": dict(mapping(sent.get("coordinates") or {}, "coordinates")),
    }
    for optional in ("locationUri", "locationEmailAddress"):
        if not place[optional]:
            del place[optional]
    return place


def _main_place(place: dict[str, Any]) -> dict[str, Any]:
    if not place["displayName"]:
        return no_location()
    return {**place, "uniqueId": place["displayName"], "uniqueIdType": "private"}


def _location(value: object) -> dict[str, Any]:
    place = no_location() if value is None else _place(value)
    return {
        "location": _main_place(place),
        "locations": [place] if place["displayName"] else [],
    }


def _locations(value: object) -> dict[str, Any]:
    if not isinstance(value, list):
        raise bad_body("Property locations in payload has a value that does not match schema.")
    places = [_place(place) for place in value]
    if not places:
        return {"location": no_location(), "locations": []}
    joined = "; ".join(place["displayName"] for place in places)
    return {"location": _main_place({**places[0], "displayName": joined}), "locations": places}


def _attendee(value: object) -> dict[str, Any]:
    sent = mapping(value, "attendees")
    email = mapping(sent.get("emailAddress"), "emailAddress")
    address = optional_text(email.get("address"), "address").strip()
    if not address:
        raise ServiceError(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
    kind = choice(sent.get("type") or "required", ("required", "optional", "resource"), "type")
    return {
        "type": kind,
        "status": {"response": "none", "time": NEVER},
        "emailAddress": {
            "name": optional_text(email.get("name"), "name") or address,
            "address": address,
        },
    }


def _attendees(value: object) -> dict[str, Any]:
    if not isinstance(value, list):
        raise bad_body("Property attendees in payload has a value that does not match schema.")
    if len(value) > MAX_ATTENDEES:
        raise invalid_request(f"The number of attendees exceeds the limit of {MAX_ATTENDEES}.")
    people = [_attendee(entry) for entry in value]
    return {"attendees": list({attendee_key(person): person for person in people}.values())}


def _transaction(value: object) -> dict[str, Any]:
    return {"transactionId": None if value is None else text(value, "transactionId")}


_READERS: Mapping[str, Callable[[object], dict[str, Any]]] = {
    "subject": _plain("subject", lambda value: optional_text(value, "subject")[:255]),
    "body": _body,
    "categories": _categories,
    "importance": _one_of("importance", "low", "normal", "high"),
    "sensitivity": _one_of("sensitivity", "normal", "personal", "private", "confidential"),
    "showAs": _one_of("showAs", *SHOW_AS),
    "isAllDay": _flag("isAllDay"),
    "isReminderOn": _flag("isReminderOn"),
    "reminderMinutesBeforeStart": _reminder,
    "responseRequested": _flag("responseRequested"),
    "allowNewTimeProposals": _flag("allowNewTimeProposals"),
    "hideAttendees": _flag("hideAttendees"),
    "isOnlineMeeting": _flag("isOnlineMeeting"),
    "onlineMeetingProvider": _one_of("onlineMeetingProvider", *PROVIDERS),
    "location": _location,
    "locations": _locations,
    "attendees": _attendees,
    "transactionId": _transaction,
}
_OTHERS = frozenset({"start", "end", "recurrence", "singleValueExtendedProperties"})
_READ_ONLY = frozenset(
    {
        *("id", "changeKey", "createdDateTime", "lastModifiedDateTime", "iCalUId", "type"),
        *("originalStartTimeZone", "originalEndTimeZone", "hasAttachments", "bodyPreview"),
        *("isCancelled", "isDraft", "isOrganizer", "seriesMasterId", "webLink", "organizer"),
        *("onlineMeetingUrl", "onlineMeeting", "responseStatus", "originalStart"),
        *("cancelledOccurrences", "occurrenceId", "exceptionOccurrences", "attachments"),
        *("instances", "calendar", "extensions", "multiValueExtendedProperties"),
    }
)
