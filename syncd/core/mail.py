"""
Which writes make the service mail people, and which of them the configuration lets go.

Graph has no switch that suppresses these mails: whoever writes to an organised meeting mails its
attendees, except where only categories, reminder or our own extended properties change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

from syncd.core.event import Event
from syncd.core.owner import Owner
from syncd.core.wire.graph import RemoteEvent

__all__ = [
    "SILENT_FIELDS",
    "MailClass",
    "MailPolicy",
    "MailRule",
    "Mailing",
    "deletion",
    "of_both",
    "update",
]

MailClass = Literal["invitations", "updates", "cancellations", "responses"]
MailRule = Literal["send", "hold", "never"]
SILENT_FIELDS = frozenset({"categories", "reminder_min"})


@dataclass(frozen=True, slots=True)
class MailPolicy:
    """What becomes of each kind of mailing write."""

    invitations: MailRule = "hold"
    updates: MailRule = "send"
    cancellations: MailRule = "hold"
    responses: MailRule = "send"

    def rule(self, kind: MailClass) -> MailRule:
        """The rule for one kind."""
        match kind:
            case "invitations":
                return self.invitations
            case "updates":
                return self.updates
            case "cancellations":
                return self.cancellations
            case "responses":
                return self.responses
            case _:
                assert_never(kind)


@dataclass(frozen=True, slots=True)
class Mailing:
    """That a write mails, as what, and whom (addresses)."""

    kind: MailClass
    to: tuple[str, ...]


def others(event: RemoteEvent, owner: Owner) -> tuple[str, ...]:
    """The addresses of everyone but the owner who is invited."""
    return tuple(
        one.email_address.address
        for one in event.attendees or ()
        if one.email_address
        and one.email_address.address
        and not owner.is_own(one.email_address.address)
    )


def update(event: RemoteEvent, wanted: Event | None, owner: Owner) -> Mailing | None:
    """Whether a PATCH of `event` towards `wanted` mails; silent fields are the caller's matter."""
    if event.is_organizer is False:
        return None
    there = others(event, owner)
    coming = tuple(one.address for one in wanted.attendees) if wanted else ()
    if there:
        return Mailing("updates", tuple(dict.fromkeys((*there, *coming))))
    return Mailing("invitations", coming) if coming else None


def of_both(one: Mailing | None, other: Mailing | None) -> Mailing | None:
    """What two events make of one write together: an occurrence, and the series that it is of."""
    if one is None or other is None:
        return one or other
    return Mailing(one.kind, tuple(dict.fromkeys((*one.to, *other.to))))


def deletion(event: RemoteEvent, owner: Owner) -> Mailing | None:
    """Whether deleting `event` mails a cancellation."""
    if event.is_organizer is False or event.is_cancelled:
        return None
    there = others(event, owner)
    return Mailing("cancellations", there) if there else None
