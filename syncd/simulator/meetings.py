"""
Who gets which mail, and what a response, a cancellation or a forward may be.

Knows Exchange's matrix of writes and mails as plain functions over attendee lists.
Refuses to know storage: it returns mails to write down.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from syncd.simulator.checks import boolean, mapping, optional_text
from syncd.simulator.errors import ServiceError, bad_body, invalid_request
from syncd.simulator.fields import MAX_ATTENDEES, NEVER, attendee_key, read_changes
from syncd.simulator.model import Event, MailKind
from syncd.simulator.zones import read_wall

__all__ = [
    "ANSWERS",
    "LOCAL",
    "PRIVATE",
    "Answer",
    "Forwarding",
    "Recipients",
    "Verb",
    "addresses",
    "after_patch",
    "carry_statuses",
    "own_response",
    "read_answer",
    "read_cancellation",
    "read_forwarding",
    "received_values",
    "status",
    "with_people",
    "with_status",
]

Verb = Literal["accept", "tentativelyAccept", "decline"]
ANSWERS: Mapping[Verb, str] = {
    "accept": "accepted",
    "tentativelyAccept": "tentativelyAccepted",
    "decline": "declined",
}
# Properties that belong to one person's copy: changing them tells nobody.
PRIVATE = frozenset(
    {
        "categories",
        "isReminderOn",
        "reminderMinutesBeforeStart",
        "singleValueExtendedProperties",
        "transactionId",
    }
)
# What an attendee may change in the own copy without the organizer's leave.
LOCAL = PRIVATE | {"showAs", "sensitivity", "subject", "body", "importance"}

Recipients = tuple[MailKind, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response action's body. Args: proposal: the new time proposed, in wire form."""

    comment: str
    send: bool
    proposal: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Forwarding:
    """A forward's body. Args: people: as attendees who have not answered."""

    comment: str
    people: tuple[dict[str, Any], ...]


def addresses(attendees: Iterable[Mapping[str, Any]], but: str) -> tuple[str, ...]:
    """Return the attendees' addresses without the organizer's own."""
    found = (attendee["emailAddress"]["address"] for attendee in attendees)
    return tuple(address for address in found if address.casefold() != but.casefold())


def after_patch(
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    names: frozenset[str],
    owner: str,
) -> list[Recipients]:
    """
    Return who is mailed after the organizer changed `names` of a meeting.

    A change of private properties tells nobody, one of the attendees alone only those who came or
    went, and any other everybody (Graph "Update event").
    """
    public = names - PRIVATE
    if not public:
        return []
    known = {attendee_key(person) for person in before}
    still = {attendee_key(person) for person in after}
    came = [person for person in after if attendee_key(person) not in known]
    went = [person for person in before if attendee_key(person) not in still]
    stayed = [person for person in after if attendee_key(person) in known]
    told = stayed if public != {"attendees"} else []
    groups: tuple[tuple[MailKind, list[Mapping[str, Any]]], ...] = (
        ("update", told),
        ("invitation", came),
        ("cancellation", went),
    )
    listed = [(kind, addresses(people, owner)) for kind, people in groups]
    return [(kind, to) for kind, to in listed if to]


def carry_statuses(
    before: Sequence[Mapping[str, Any]], after: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the new list with the answers that the people in it had already given."""
    known = {attendee_key(person): person["status"] for person in before}
    return [
        {**person, "status": known.get(attendee_key(person), person["status"])} for person in after
    ]


def read_answer(body: object, event: Event, verb: Verb) -> Answer:
    """
    Return the body of accept, tentativelyAccept or decline.

    Raises: ServiceError: 400 for the organizer, for a proposal that may not be made, and for a
        response nobody asked for (Graph "event: decline").
    """
    sent = {name.casefold(): value for name, value in mapping(body or {}, "body").items()}
    flag = sent.get("sendresponse")
    send = True if flag is None else boolean(flag, "sendResponse")
    answer = Answer(
        comment=optional_text(sent.get("comment"), "comment"),
        send=send,
        proposal=_read_proposal(sent.get("proposednewtime"), verb),
    )
    values = event.values
    if values["isOrganizer"]:
        raise invalid_request(
            "Your request can't be completed. You can't respond to this meeting because you're "
            "the meeting organizer."
        )
    if answer.proposal is not None and not (values["allowNewTimeProposals"] and send):
        raise invalid_request("A new time cannot be proposed for this meeting.")
    if send and not values["responseRequested"]:
        raise invalid_request(
            "Your request can't be completed. The meeting organizer hasn't requested a response."
        )
    return answer


def _read_proposal(value: object, verb: Verb) -> Mapping[str, Any] | None:
    if value is None:
        return None
    if verb == "accept":
        raise bad_body("The parameter 'proposedNewTime' is not a parameter of action 'accept'.")
    sent = mapping(value, "proposedNewTime")
    start = read_wall(sent.get("start"), "proposedNewTime/start")
    end = read_wall(sent.get("end"), "proposedNewTime/end")
    return {"start": start.wire(), "end": end.wire()}


def read_cancellation(body: object, event: Event) -> str:
    """
    Return the comment of a cancellation.

    An event without people may be cancelled: then it is only deleted (Graph "event: cancel" asks
    for an organizer, and for nothing else). Raises: ServiceError: 400 for an attendee.
    """
    if not event.values["isOrganizer"]:
        raise invalid_request(
            "Your request can't be completed. You need to be an organizer to cancel a meeting."
        )
    return optional_text(_folded(body, "body").get("comment"), "comment")


def read_forwarding(body: object) -> Forwarding:
    """Return the body of a forward. Raises: ServiceError: 400 when it names nobody."""
    sent = _folded(body, "body")
    named = sent.get("torecipients")
    if not isinstance(named, list) or not named:
        raise ServiceError(
            400, "ErrorInvalidRecipients", "At least one recipient must be specified."
        )
    people = [{"emailAddress": _email(recipient)} for recipient in named]
    return Forwarding(
        comment=optional_text(sent.get("comment"), "comment"),
        people=tuple(read_changes({"attendees": people}).values["attendees"]),
    )


def _email(recipient: object) -> dict[str, object]:
    # Graph's own samples of this action spell these names with capitals.
    return _folded(_folded(recipient, "toRecipients").get("emailaddress"), "emailAddress")


def _folded(value: object, name: str) -> dict[str, object]:
    return {key.casefold(): it for key, it in mapping(value, name).items()}


def with_people(
    attendees: Sequence[Mapping[str, Any]], people: Iterable[dict[str, Any]], owner: str
) -> list[dict[str, Any]]:
    """Return the attendees and those who are new. Raises: ServiceError: 400 for too many."""
    known = {attendee_key(person) for person in attendees} | {owner.casefold()}
    grown = [*map(dict, attendees), *(one for one in people if attendee_key(one) not in known)]
    if len(grown) > MAX_ATTENDEES:
        raise invalid_request(f"The number of attendees exceeds the limit of {MAX_ATTENDEES}.")
    return grown


def status(response: str, at: datetime) -> dict[str, str]:
    """Return a `responseStatus`, its time in whole seconds as Exchange shows it."""
    return {"response": response, "time": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}


def with_status(
    attendees: Sequence[Mapping[str, Any]],
    address: str,
    given: Mapping[str, str],
    proposal: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Return the attendees with one person's answer, and the time proposed with it."""
    wanted = address.casefold()
    answer: dict[str, Any] = {"status": given}
    if proposal is not None:
        answer["proposedNewTime"] = dict(proposal)
    return [
        {**person, **answer} if attendee_key(person) == wanted else dict(person)
        for person in attendees
    ]


def own_response(
    values: Mapping[str, Any], address: str, given: Mapping[str, str]
) -> dict[str, Any]:
    """Return what the owner's answer changes in the own copy."""
    tentative = given["response"] == "tentativelyAccepted"
    return {
        "attendees": with_status(values["attendees"], address, given),
        "responseStatus": given,
        "showAs": "tentative" if tentative else "busy",
    }


def received_values(values: Mapping[str, Any], owner: Mapping[str, str]) -> dict[str, Any]:
    """Return what makes an event an invitation from somebody else."""
    unanswered = {"response": "none", "time": NEVER}
    me = {"type": "required", "status": unanswered, "emailAddress": dict(owner)}
    people = list(values["attendees"])
    known = {attendee_key(person) for person in people}
    return {
        "attendees": people if attendee_key(me) in known else [*people, me],
        "isOrganizer": False,
        "responseStatus": {"response": "notResponded", "time": NEVER},
    }
