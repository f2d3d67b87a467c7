"""ORGANIZER and ATTENDEE lines: who is invited, and what the owner answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from syncd.core.event import (
    Attendee,
    Event,
    Person,
    one_line,
    plain_address,
)
from syncd.core.html import tidy
from syncd.core.lines import (
    Component,
    Line,
    param,
    unescape,
)
from syncd.core.owner import Owner

__all__ = [
    "People",
    "is_silent",
    "mail_address",
    "own_lines",
    "read_attendee",
    "read_comment",
    "read_people",
    "response_silenced",
    "stated_response",
]


def own_lines(component: Component, owner: Owner) -> list[Line]:
    """The ATTENDEE lines that name the owner."""
    return [line for line in component.lines("ATTENDEE") if owner.is_own(mail_address(line))]


@dataclass(frozen=True, slots=True)
class People:
    """Who is concerned; `is_foreign`: somebody else's meeting, which the service does not know."""

    attendees: tuple[Attendee, ...]
    response: Any
    organizer: Person | None
    invited_as: str
    is_foreign: bool = False


_PARTSTAT: Mapping[str, Any] = {
    "ACCEPTED": "accepted",
    "TENTATIVE": "tentativelyAccepted",
    "DECLINED": "declined",
}


def mail_address(line: Line) -> str:
    """The address that an ATTENDEE or ORGANIZER line names, "" for one without mail."""
    value = line.value.strip()
    if value[:7].lower() == "mailto:":
        return plain_address(value[7:])
    if value[:5].lower() == "smtp:":
        return plain_address(value[5:])
    return plain_address(param(line, "EMAIL"))  # RFC 7986 6.2


def stated_response(line: Line) -> Any:
    """The answer that an ATTENDEE line states, in Graph's words."""
    return _PARTSTAT.get(param(line, "PARTSTAT").upper(), "none")


def is_silent(line: Line) -> bool:
    """Whether the line asks that nobody is mailed because of it (RFC 6638 7.1)."""
    return param(line, "SCHEDULE-AGENT").upper() in ("NONE", "CLIENT")


def read_people(component: Component, owner: Owner, base: Event | None) -> People:
    organizer = _organizer(component, base)
    own = own_lines(component, owner)
    attendees = _guests(component, owner, base)
    if _is_host(organizer, owner, base):
        return People(attendees, "none", organizer, "")
    if base is not None and base.organizer is None and not base.invited_as:
        # The service knows no such meeting: whoever the file names, the owner would invite them.
        return People(base.attendees, "none", None, "", is_foreign=True)
    if own:
        return People(attendees, stated_response(own[0]), organizer, mail_address(own[0]))
    # The owner's line is the service's: without it nothing was answered, or taken back.
    kept = (base.response, base.invited_as) if base else ("none", "")
    return People(attendees, kept[0], organizer, kept[1])


def _is_host(organizer: Person | None, owner: Owner, base: Event | None) -> bool:
    """Whether the owner organizes; what the service knows to be an invitation stays one, also from
    another address of the owner's."""
    if base is not None and base.invited_as and _address(organizer) == _address(base.organizer):
        return False
    return organizer is None or owner.is_own(organizer.address)


def _address(person: Person | None) -> str:
    return person.address.casefold() if person is not None else ""


def _guests(component: Component, owner: Owner, base: Event | None) -> tuple[Attendee, ...]:
    organizer = component.first("ORGANIZER")
    all_silent = organizer is not None and is_silent(organizer)
    invited = {one.address.casefold() for one in base.attendees} if base else set()
    found: dict[str, Attendee] = {}
    for line in component.lines("ATTENDEE"):
        address = mail_address(line)
        if not address or owner.is_own(address):
            continue
        # Whom the service has invited already stays; nobody is invited or disinvited silently.
        if (all_silent or is_silent(line)) and address.casefold() not in invited:
            continue
        found.setdefault(address.casefold(), read_attendee(line, address))
    return tuple(found.values())


def _organizer(component: Component, base: Event | None) -> Person | None:
    line = component.first("ORGANIZER")
    if line is None:
        return base.organizer if base else None
    address = mail_address(line)
    return Person(address, one_line(param(line, "CN"))) if address else None


def read_attendee(line: Line, address: str) -> Attendee:
    """One invited person; PARTSTAT is what the file shows of the answer."""
    kind, role = param(line, "CUTYPE").upper(), param(line, "ROLE").upper()
    name = one_line(param(line, "CN"))
    status = stated_response(line)
    if kind in ("RESOURCE", "ROOM"):
        return Attendee(address, name, "resource", status)
    if role in ("OPT-PARTICIPANT", "NON-PARTICIPANT"):
        return Attendee(address, name, "optional", status)
    return Attendee(address, name, "required", status)


def read_comment(component: Component, owner: Owner) -> str:
    """What the owner's line says beside its answer, else the event's COMMENT (RFC 5546 3.2.3)."""
    for line in own_lines(component, owner):
        if comment := tidy(param(line, "X-RESPONSE-COMMENT")):
            return comment
    return tidy("\n".join(unescape(line.value) for line in component.lines("COMMENT")))


def response_silenced(component: Component, owner: Owner) -> bool:
    return any(
        param(line, "RSVP").upper() == "FALSE" or is_silent(line)
        for line in own_lines(component, owner)
    )
