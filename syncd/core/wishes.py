"""
What a person may ask of a meeting by a command, as the request that says it, and whom it mails.

Plain values in, one value out; a wish that the service would refuse, or that the mail policy does
not let go, is refused here (Graph "event: accept", "event: decline", "event: cancel").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, Literal

from syncd.core.errors import CommandError
from syncd.core.event import Item
from syncd.core.mail import MailClass, MailPolicy, others
from syncd.core.owner import Owner
from syncd.core.pattern import occurs_on
from syncd.core.state import WishKind
from syncd.core.wire.graph import RemoteEvent

__all__ = [
    "ANSWERS",
    "Answering",
    "Meeting",
    "Wish",
    "cancelled",
    "dismissed",
    "forwarded",
    "responded",
    "snoozed",
    "word_of",
]

ANSWERS: Final[Mapping[str, str]] = {
    "accept": "accept",
    "tentative": "tentativelyAccept",
    "decline": "decline",
}
"""A person's word for each answer, and Graph's."""


def word_of(kind: str, action: str) -> str:
    """What a person calls a wish: the command's name, or which answer it is."""
    return next((word for word, one in ANSWERS.items() if one == action), kind)


MOST_COMMENT: Final = 10_000
"""Characters of a comment; more would be a letter."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """An event that is on the service, as it was last received; `slot` None is all of a series."""

    item: Item
    event: RemoteEvent
    owner: Owner
    slot: date | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """
    What is sent: `action` is the last segment of the path, `body` its JSON.

    `mails` are those that the service mails, and `mail_class` the policy's word for that ("" where
    nobody is mailed); `rule` is what the policy says of it. `noticed` is who learns of it besides.
    """

    kind: WishKind
    action: str
    body: Mapping[str, Any]
    mails: tuple[str, ...]
    mail_class: MailClass | Literal[""]
    rule: str
    noticed: str = ""


@dataclass(frozen=True, slots=True)
class Answering:
    """How a person answers: with words, with another time, or without telling the organizer."""

    answer: str
    comment: str = ""
    proposed: tuple[datetime, datetime] | None = None
    zone: str = "UTC"
    sends: bool = True


def responded(meeting: Meeting, how: Answering, policy: MailPolicy) -> Wish:
    """
    An answer to an invitation.

    Args: how.proposed: wall times in `how.zone`, a Windows zone.
    Raises: CommandError: this meeting takes no such answer, or the policy no mail.
    """
    _check(meeting)
    event = meeting.event
    if event.is_organizer is not False:
        raise CommandError(
            "this is an event of your own: nobody waits for an answer",
            hint="`syncd cancel` tells its guests that it is off; edit the file to change it.",
        )
    action = ANSWERS[how.answer]
    _check_proposal(event, how)
    sends = how.sends and event.response_requested is not False
    if how.comment and not sends:
        raise CommandError(
            "words go with an answer that is sent, and this one is not"
            + ("" if how.sends else " (--no-send)"),
            hint="Leave the comment out.",
        )
    organizer = meeting.item.master.organizer
    to = (organizer.address,) if organizer is not None and sends else ()
    body: dict[str, Any] = {"sendResponse": sends}
    if how.comment:
        body["comment"] = _comment(how.comment)
    if how.proposed is not None:
        body["proposedNewTime"] = _slot(how.proposed, how.zone)
    return _allowed(Wish("respond", action, body, to, "responses" if sends else "", ""), policy)


def _check_proposal(event: RemoteEvent, how: Answering) -> None:
    if how.proposed is None:
        return
    if how.answer == "accept":
        raise CommandError(
            "a new time goes with `tentative` or `decline`, not with `accept`",
            hint=f"Write `tentative` instead of {how.answer!r}.",
        )
    if event.allow_new_time_proposals is False:
        raise CommandError("the organizer takes no proposals of a new time for this meeting")
    if not how.sends:
        raise CommandError(
            "a new time is proposed to the organizer", hint="Leave --no-send out, or --propose."
        )
    if how.proposed[0] >= how.proposed[1]:
        raise CommandError("the proposed time ends before it begins")


def _slot(span: tuple[datetime, datetime], zone: str) -> dict[str, Any]:
    return {
        name: {"dateTime": at.isoformat(timespec="seconds"), "timeZone": zone}
        for name, at in zip(("start", "end"), span, strict=True)
    }


def cancelled(meeting: Meeting, comment: str, policy: MailPolicy) -> Wish:
    """
    The end of a meeting of one's own, with words to its guests.

    Raises: CommandError: it is somebody else's, or the policy lets no such mail go.
    """
    _check(meeting)
    if meeting.event.is_organizer is False:
        raise CommandError(
            "only its organizer can cancel a meeting",
            hint="`syncd respond UID decline` says that you do not come.",
        )
    to = others(meeting.event, meeting.owner)
    wish = Wish("cancel", "cancel", {"comment": _comment(comment)}, to, "", "")
    return _allowed(_as(wish, "cancellations") if to else wish, policy)


def forwarded(meeting: Meeting, to: Sequence[str], comment: str, policy: MailPolicy) -> Wish:
    """
    Word of a meeting to others; its organizer is told, and has them among the guests.

    Raises: CommandError: nobody, or no address, is named, or the policy lets no such mail go.
    """
    _check(meeting)
    addresses = tuple(dict.fromkeys(one.strip() for one in to if one.strip()))
    if not addresses:
        raise CommandError("nobody is named", hint="Name them: --to bob@example.org")
    for one in addresses:
        if not _is_address(one):
            raise CommandError(f"{one!r} is no address")
    recipients = [{"emailAddress": {"address": one}} for one in addresses]
    body = {"toRecipients": recipients, "comment": _comment(comment)}
    organizer = meeting.item.master.organizer
    notice = organizer.address if organizer and meeting.event.is_organizer is False else ""
    wish = Wish("forward", "forward", body, addresses, "invitations", "", notice)
    return _allowed(wish, policy)


def snoozed(meeting: Meeting, until: datetime, zone: str) -> Wish:
    """
    The reminder once more, later. Nobody else learns of it.

    Args: until: a wall time in `zone`, a Windows zone.
    Raises: CommandError: there is no such occurrence.
    """
    _check(meeting)
    at = {"dateTime": until.isoformat(timespec="seconds"), "timeZone": zone}
    return Wish("snooze", "snoozeReminder", {"newReminderTime": at}, (), "", "")


def dismissed(meeting: Meeting) -> Wish:
    """No reminder any more. Raises: CommandError: there is no such occurrence."""
    _check(meeting)
    return Wish("dismiss", "dismissReminder", {}, (), "", "")


def _as(wish: Wish, mail_class: MailClass) -> Wish:
    return replace(wish, mail_class=mail_class)


def _allowed(wish: Wish, policy: MailPolicy) -> Wish:
    if not wish.mail_class:
        return wish
    rule = policy.rule(wish.mail_class)
    if rule == "never":
        raise CommandError(
            f"the configuration lets no such mail go ({wish.mail_class} = never)",
            hint="Change `mail` in the configuration"
            + (", or say --no-send." if wish.kind == "respond" else "."),
        )
    return replace(wish, rule=rule)


def _check(meeting: Meeting) -> None:
    if meeting.event.is_cancelled:
        raise CommandError("this meeting was cancelled by its organizer")
    slot, item = meeting.slot, meeting.item
    if slot is None:
        return
    if item.recurrence is None:
        raise CommandError("this is no series", hint="Leave --occurrence out.")
    start = item.master.when.start
    first = start.date() if isinstance(start, datetime) else start
    there = slot in item.overrides or occurs_on(item.recurrence, first, slot)
    if slot in item.cancelled or not there:
        raise CommandError(
            f"the series has no occurrence on {slot}",
            hint="A day that was moved counts by where the rule had it.",
        )


def _comment(text: str) -> str:
    if len(text) > MOST_COMMENT:
        raise CommandError(f"a comment has at most {MOST_COMMENT} characters")
    return text


def _is_address(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    return bool(local and domain) and text.isprintable() and " " not in text and "," not in text
