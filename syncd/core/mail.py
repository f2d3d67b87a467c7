"""
Which writes make the service mail people, and which of them the configuration lets go.

Graph has no switch that suppresses these mails: whoever writes to an organised meeting mails its
attendees, except where only categories, reminder or our own extended properties change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, assert_never

from syncd.core.event import Event
from syncd.core.owner import Owner
from syncd.core.wire.graph import RemoteEvent

__all__ = [
    "SILENT_FIELDS",
    "MailClass",
    "MailPolicy",
    "MailRule",
    "Mailing",
    "Told",
    "deletion",
    "of_both",
    "told_of_patch",
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


class Told(NamedTuple):
    """What somebody gets of a write, and how often."""

    kind: MailClass
    address: str
    mails: int = 1


@dataclass(frozen=True, slots=True)
class Mailing:
    """
    That a write mails, by which rule it may, and who could be concerned (addresses).

    `each` is who gets what by Graph's rules; without it everybody concerned gets one.
    """

    kind: MailClass
    to: tuple[str, ...]
    each: tuple[Told, ...] = ()

    @property
    def told(self) -> tuple[Told, ...]:
        """Who gets what."""
        return self.each or tuple(Told(self.kind, address) for address in self.to)

    @property
    def addressed(self) -> tuple[str, ...]:
        """Whom the mails go to."""
        return tuple(dict.fromkeys(one.address for one in self.told))


def others(event: RemoteEvent, owner: Owner) -> tuple[str, ...]:
    """The addresses of everyone but the owner who is invited."""
    named = (one.email_address.address for one in event.attendees or () if one.email_address)
    plain = (one.strip() for one in named if one)
    return tuple(one for one in plain if one and not owner.is_own(one))


def update(event: RemoteEvent, wanted: Event | None, owner: Owner) -> Mailing | None:
    """Whether a PATCH of `event` towards `wanted` mails; silent fields are the caller's matter."""
    if event.is_organizer is False:
        return None
    there = others(event, owner)
    coming = tuple(one.address for one in wanted.attendees) if wanted else ()
    if there:
        return Mailing("updates", tuple(dict.fromkeys((*there, *coming))))
    return Mailing("invitations", coming) if coming else None


def told_of_patch(
    events: Iterable[RemoteEvent], wanted: Event | None, owner: Owner, *, others_too: bool
) -> tuple[Told, ...]:
    """
    Who gets what of a PATCH of an event, or of a series and those of its exceptions that follow it.

    Graph documentation, "Update event": where `attendees` alone change, only those who come or go
    are told. Args: wanted: who shall be invited, None where that stays. others_too: something
    else changes as well.
    """
    found: Counter[tuple[MailClass, str]] = Counter()
    coming = None if wanted is None else _by_folded(one.address for one in wanted.attendees)
    first: frozenset[str] | None = None
    for event in events:
        names = _by_folded(others(event, owner))
        there = frozenset(names)
        first = there if first is None else first
        follows = there == first
        if not (others_too or follows):
            continue  # an exception with people of its own keeps them, and nobody is told
        now = names if coming is None or not follows else coming
        found.update(("invitations", now[one]) for one in now.keys() - there)
        found.update(("cancellations", names[one]) for one in there - now.keys())
        if others_too or now.keys() == there != frozenset():
            found.update(("updates", names[one]) for one in there & now.keys())
    return tuple(Told(*one, mails) for one, mails in sorted(found.items()))


def _by_folded(addresses: Iterable[str]) -> dict[str, str]:
    return {one.casefold(): one for one in addresses}


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
