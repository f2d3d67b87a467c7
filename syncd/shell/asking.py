"""
What people ask of a meeting by a command: found, journaled, and carried out by the next round.

Knows which event is meant by the beginning of a UID or by words, and what became of a wish. Asking
and carrying out are the same whether the daemon does it or the command itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

import msgspec

from syncd.core.errors import CommandError, ExitCode, LoginNeeded
from syncd.core.event import effective
from syncd.core.ids import Uid
from syncd.core.plan import exactly
from syncd.core.state import CalendarRecord, OutboxEntry
from syncd.core.wire.graph import RemoteEvent, decode_event, exception_slots, read_item
from syncd.core.wishes import (
    Answering,
    Meeting,
    Wish,
    cancelled,
    dismissed,
    forwarded,
    responded,
    snoozed,
)
from syncd.core.zones import UTC_ZONE, WindowsZone, instant
from syncd.round.asked import subject_of
from syncd.shell.actions import sync_now
from syncd.shell.config import Config
from syncd.shell.finding import Asked, found_item, known_remote
from syncd.shell.mailbox import CalendarReport, rules_of
from syncd.shell.way_back import owner_of
from syncd.shell.workshop import Workshop
from syncd.store.store import Store

__all__ = [
    "Outcome",
    "Planned",
    "entry_of",
    "plan_wish",
    "wish_for",
    "wish_in",
]


@dataclass(frozen=True, slots=True)
class Planned:
    """A wish and the event that it is about; `exact` is what a person agrees to."""

    calendar: CalendarRecord
    uid: Uid
    slot: str
    summary: str
    wish: Wish

    @property
    def exact(self) -> str:
        """A digest of precisely what would be sent, and to whom."""
        wish = self.wish
        about = [self.calendar.account, self.calendar.id, self.uid, self.slot]
        return exactly([*about, wish.kind, wish.action, dict(wish.body), wish.mails])


State = Literal["sent", "kept", "doubt", "not-sent"]
"""`kept`: the service cannot be reached, and it goes when it can; `doubt`: its answer was lost."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a wish; `reason` says why it was not, or not yet, sent."""

    state: State
    reason: str
    reports: Sequence[CalendarReport]
    needs_login: bool = False

    def as_json(self) -> dict[str, str | int]:
        """`{state, reason, code}`; `code` is what the command ends with."""
        code = ExitCode.LOGIN if self.needs_login else ExitCode.OK
        return {"state": self.state, "reason": self.reason, "code": int(code)}


async def plan_wish(config: Config, store: Store, asked: Asked) -> Planned:
    """
    What would be sent.

    Raises: CommandError: no such event or several, it takes no such wish, or the policy no mail.
    """
    calendar, record = await found_item(store, asked)
    account = config.accounts.get(calendar.account)
    if account is None:
        raise CommandError(f"account {calendar.account!r} is not in the configuration any more")
    if not account.calendar_filter.admits(calendar.name):
        raise CommandError(f"the configuration leaves the calendar {calendar.name!r} out")
    rules = rules_of(account.sync_for(calendar.name))
    if not rules.two_way:
        raise CommandError(f'{calendar.name!r} is followed one way (direction = "pull")')
    if not calendar.can_edit:
        raise CommandError(f"the calendar {calendar.name!r} is read-only")
    owner = calendar.whose(await owner_of(config, store, calendar.account))
    remote = await known_remote(store, calendar, record)
    event = decode_event(remote.raw)
    slot = date.fromisoformat(asked.occurrence) if asked.occurrence else None
    meeting = Meeting(read_item(event, owner), event, owner, slot)
    if slot is not None and slot in meeting.item.overrides:
        meeting = Meeting(meeting.item, _exception(event, slot, meeting), owner, slot)
    match asked.kind:
        case "respond":
            how = Answering(
                asked.answer, asked.comment, asked.propose, str(owner.zone or UTC_ZONE), asked.sends
            )
            wish = responded(meeting, how, rules.mail)
        case "cancel":
            wish = cancelled(meeting, asked.comment, rules.mail)
        case "forward":
            wish = forwarded(meeting, asked.to, asked.comment, rules.mail)
        case "snooze" if asked.until is not None:
            zone = WindowsZone(asked.zone or str(owner.zone or UTC_ZONE))
            if instant(asked.until, zone) <= datetime.now(UTC):
                raise CommandError(f"{asked.until:%Y-%m-%d %H:%M} is over")
            wish = snoozed(meeting, asked.until, zone)
        case "dismiss":
            wish = dismissed(meeting)
        case _:
            raise CommandError(f"{asked.kind!r} is nothing that can be asked for")
    shown = effective(meeting.item, slot) if slot is not None else meeting.item.master
    return Planned(calendar, record.uid, asked.occurrence, shown.subject, wish)


def _exception(event: RemoteEvent, slot: date, meeting: Meeting) -> RemoteEvent:
    return exception_slots(event, meeting.owner).get(slot, event)


def wish_in(data: object) -> Asked:
    """What another process asks for. Raises: CommandError: it is not to be understood."""
    try:
        return msgspec.convert(data, Asked)
    except msgspec.ValidationError as error:
        raise CommandError(f"this cannot be asked for: {error}") from None


async def wish_for(workshop: Workshop, asked: Asked, exact: str) -> Outcome:
    """
    Journal a wish and let a round carry it out.

    Args: exact: `Planned.exact` as it was shown to the person.
    Raises: CommandError: it is another matter than was shown.
    """
    planned = await plan_wish(workshop.config, workshop.store, asked)
    if planned.exact != exact:
        raise CommandError(
            "the event changed since this was shown; nothing was done",
            hint="Run the command again.",
        )
    entry = entry_of(planned.wish, planned.uid, planned.slot, workshop.clock.now())
    key = planned.calendar.key
    # What was told of the same wish before is not about this one.
    for told in await workshop.store.problems(key, subject=subject_of(entry)):
        await workshop.store.drop_problem(told.id)
    waiting = await workshop.store.asked(key)
    replaced = [one for one in waiting if _is_same(one, entry) or _is_instead(entry, one)]
    numbers = [one.number for one in replaced]
    is_kept = await workshop.store.new_outbox(key, [entry], instead_of=numbers)
    # Where one of them has just left, what was the same is not sent twice.
    if not is_kept and not any(_is_same(one, entry) for one in replaced):
        await workshop.store.new_outbox(key, [entry])
    reports = await sync_now(workshop, [f"{planned.calendar.account}/{planned.calendar.name}"])
    trouble = next((one.trouble for one in reports if one.trouble is not None), None)
    state, reason = await _became(workshop.store, planned, entry, str(trouble or ""))
    needs_login = any(isinstance(one.trouble, LoginNeeded) for one in reports)
    return Outcome(state, reason, reports, needs_login=needs_login and state == "kept")


def entry_of(wish: Wish, uid: Uid, slot: str, now: datetime) -> OutboxEntry:
    """What is journaled of a wish. Args: now: aware UTC."""
    return OutboxEntry(
        number=0,
        uid=uid,
        kind=wish.kind,
        slot=slot,
        graph_id=None,
        action=wish.action,
        body=msgspec.json.encode(wish.body),
        transaction_id=None,
        state="ready",
        since=now,
        keys=(),
        expects=None,
        before_etag="",
        mails=wish.mails,
        mail_kind=wish.mail_class,
    )


def _is_same(one: OutboxEntry, other: OutboxEntry) -> bool:
    return (one.uid, one.kind, one.action, one.slot, one.body) == (
        *(other.uid, other.kind, other.action),
        *(other.slot, other.body),
    )


_INSTEAD = ({"respond"}, {"snooze", "dismiss"})


def _is_instead(entry: OutboxEntry, before: OutboxEntry) -> bool:
    """Whether a wish takes the place of one that waits: it was thought better of."""
    same = (entry.uid, entry.slot) == (before.uid, before.slot)
    return same and any({entry.kind, before.kind} <= kinds for kinds in _INSTEAD)


async def _became(
    store: Store, planned: Planned, entry: OutboxEntry, trouble: str
) -> tuple[State, str]:
    key = planned.calendar.key
    if any(_is_same(one, entry) for one in await store.asked(key)):
        return "kept", trouble
    if any(_is_same(one, entry) for one in await store.outbox(key)):
        return "doubt", trouble
    for told in await store.problems(key, subject=subject_of(entry)):
        return "not-sent", told.reason
    return "sent", ""
