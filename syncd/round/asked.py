"""
What people asked for by a command: an answer, the end of a meeting, word of it to others; and what
they took out of a file that no later look at the file would tell.

A wish is journaled before anything is sent, and waits for as long as the service cannot be reached;
one that has become pointless is told and not sent. Knows how each is seen to have taken effect.
No base moves here: what follows from it comes back as the service's news.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, assert_never

import msgspec

from syncd.core.decide import Present, Remote
from syncd.core.errors import RefusedByService, SyncdError
from syncd.core.event import Item, Timed, effective
from syncd.core.ids import GraphId, RoundId, Uid
from syncd.core.mail import others
from syncd.core.plan import ItemPlan, problem_id
from syncd.core.state import (
    Change,
    CountDeletion,
    Doubt,
    DropOutbox,
    OutboxEntry,
    Problem,
    PutDoubt,
    PutOutbox,
    PutProblems,
)
from syncd.core.wire.dialects.graph_v1 import error_code
from syncd.core.wire.graph import RemoteEvent, decode_event
from syncd.core.wishes import word_of
from syncd.core.zones import WindowsZone, instant
from syncd.ports import Answer, Answered, Lost, Unsent, WriteOutcome
from syncd.round.attached import detached_changes
from syncd.round.desk import Bench
from syncd.round.reconcile import HOUR, remote_of
from syncd.round.requests import occurrence_of, request_of
from syncd.round.versions import sent, title_of

__all__ = ["CarriedOut", "carry_out", "is_seen", "subject_of", "take_out", "tell"]

_RESPONSES: Final = {
    "accept": "accepted",
    "tentativelyAccept": "tentativelyAccepted",
    "decline": "declined",
}
"""What an event's `responseStatus` says after each answer."""


@dataclass(slots=True)
class CarriedOut:
    """What came of the wishes: the first trouble that passes, and whether more is to do."""

    trouble: SyncdError | None = None
    again: bool = False


async def take_out(bench: Bench, plans: Sequence[ItemPlan]) -> list[Change]:
    """
    What a person took out of files, as wishes: the files cannot say it a second time.

    A line that is back takes its wish back. More at once than the limit of deletions lets go are
    no person's doing, but a program's that does not know such lines: then nothing is asked for.
    """
    changes = await _taken_back(bench, plans)
    wishes = [_detaching(bench, plan, one.id) for plan in plans for one in plan.detached]
    if not wishes:
        return changes
    now = bench.true_now()
    recent = await bench.store.recent_deletions(bench.key, "local", now, HOUR)
    if recent + len(wishes) > bench.rules.limit.most:
        return [*changes, PutProblems("*detached", (_too_many(bench, len(wishes)),))]
    await bench.store.new_outbox(bench.key, wishes)
    for one in wishes:
        counted = Uid(f"{one.uid} {one.action}")
        changes.append(CountDeletion("local", counted, now))
        assert one.graph_id is not None
        changes += await detached_changes(bench, one.graph_id, one.action)
    return changes


async def _taken_back(bench: Bench, plans: Sequence[ItemPlan]) -> list[Change]:
    named = {
        (plan.uid, one)
        for plan in plans
        if isinstance(plan.sides.local, Present)
        for one in plan.sides.local.file.attached_ids
    }
    if not named:
        return []
    asked = await bench.store.asked(bench.key)
    back = [one for one in asked if one.kind == "detach" and (one.uid, one.action) in named]
    return [change for one in back for change in (DropOutbox(one.number), *_asked_anew(one))]


def _asked_anew(entry: OutboxEntry) -> list[Change]:
    """Its list is asked for: what was taken for gone is there."""
    assert entry.graph_id is not None
    return [PutDoubt(Doubt(entry.graph_id, "attached"))]


def _detaching(bench: Bench, plan: ItemPlan, attachment: str) -> OutboxEntry:
    remote = plan.sides.remote
    assert remote is not None
    return OutboxEntry(
        0,
        plan.uid,
        "detach",
        "",
        remote.record.graph_id,
        attachment,
        b"",
        None,
        "ready",
        bench.clock.now(),
        (),
        None,
        "",
    )


def _too_many(bench: Bench, count: int) -> Problem:
    calendar = bench.calendar
    return Problem(
        id=problem_id(calendar.account, calendar.id, "", "notice", "many-detached", ""),
        kind="notice",
        code="many-detached",
        needs_person=False,
        account=calendar.account,
        calendar=calendar.name,
        uid=None,
        file="",
        summary="",
        line=0,
        reason=f"{count} lines of attachments went at once: nothing was taken away on the service",
        hint="They come back as their files are written; `syncd attach UID rm` takes one away.",
        since=bench.clock.now(),
    )


async def carry_out(bench: Bench, round_: RoundId, waiting: Collection[Uid]) -> CarriedOut:
    """
    Send what was asked for, one after the other.

    Args: waiting: UIDs with a write in doubt; what is asked of them comes after that.
    """
    done = CarriedOut()
    if not bench.rules.two_way:
        return done  # it was asked for before the calendar was set to be followed one way
    held = set(waiting)
    for entry in await bench.store.asked(bench.key):
        if entry.uid in held or done.trouble is not None:
            continue
        try:
            if not await _carry_out(bench, entry, round_, done):
                held.add(entry.uid)
        except (RefusedByService, ValueError, msgspec.DecodeError) as error:
            # One event that may not or cannot be read holds up no other's.
            await tell(bench, entry, f"the event cannot be read: {str(error)[:200]}")
        except SyncdError as error:
            done.trouble = error
    return done


async def _carry_out(bench: Bench, entry: OutboxEntry, round_: RoundId, done: CarriedOut) -> bool:
    """Send one wish; whether what else is asked of the event may follow."""
    remote = await _remote(bench, entry)
    event = await _event(bench, entry, remote)
    if entry.kind == "detach" and (event is None or not bench.rules.delete_attachments):
        await bench.store.commit(bench.key, [DropOutbox(entry.number)])
        return True
    why_not = _why_pointless(entry, event) or _why_forbidden(bench, entry, event)
    if remote is not None and event is not None and not why_not:
        why_not = _why_too_late(bench, entry, remote, event)
    if remote is None or event is None or why_not:
        await tell(bench, entry, why_not)
        return True
    # It keeps its number: where it cannot leave, what was asked later still goes later.
    leaving = replace(
        entry,
        graph_id=GraphId(event.id),
        state="sent",
        since=bench.clock.now(),
        before_etag=_looks(entry, event),
    )
    if not await bench.store.new_outbox(bench.key, [leaving], instead_of=[entry.number]):
        return True  # it was taken back just now
    [outcome] = await bench.remote.write_all([request_of(bench, leaving)])
    return await _settled(bench, leaving, entry.since, remote, outcome, round_, done)


async def _settled(
    bench: Bench,
    entry: OutboxEntry,
    asked_at: datetime,
    remote: Remote,
    outcome: WriteOutcome,
    round_: RoundId,
    done: CarriedOut,
) -> bool:
    """Note what came of a wish that left; whether what else is asked of the event may follow."""
    match outcome:
        case Answered(answer) if answer.is_success or _is_gone(entry, answer):
            await _accepted(bench, entry, remote, round_)
            done.again = True
            # Who is told of what comes next is known when the event was read with its new guests.
            return entry.kind != "forward"
        case Answered(answer):
            reason = f"{answer.status} {error_code(answer)}".rstrip()
            await tell(bench, entry, f"the service refused it: {reason}")
            return True
        case Lost(reason):
            bench.counts.in_doubt += 1
            bench.observe("write.lost", {"kind": entry.kind, "reason": reason})
            await bench.store.commit(bench.key, [PutOutbox(replace(entry, state="doubt"))])
            done.again = True
        case Unsent(error):
            waiting = replace(entry, state="ready", since=asked_at)
            await bench.store.commit(bench.key, [PutOutbox(waiting)])
            done.trouble = error
        case _:
            assert_never(outcome)
    return False


def _is_gone(entry: OutboxEntry, answer: Answer) -> bool:
    """Whether what was to be taken away is not there any more."""
    return entry.kind == "detach" and answer.status == 404


async def _remote(bench: Bench, entry: OutboxEntry) -> Remote | None:
    known = (await bench.store.items(bench.key, [entry.uid])).get(entry.uid)
    records = (await bench.store.remotes_by_uid(bench.key, [entry.uid])).get(entry.uid, ())
    return remote_of(bench, records, known)


async def _event(bench: Bench, entry: OutboxEntry, remote: Remote | None) -> RemoteEvent | None:
    """The event, or the occurrence of it, that is meant."""
    if remote is None or not entry.slot:
        return remote.event if remote is not None else None
    found = await occurrence_of(bench, remote, entry.slot)
    return found[0] if found is not None else None


def _why_pointless(entry: OutboxEntry, event: RemoteEvent | None) -> str:
    """Why a wish is not sent, "" where it is."""
    if event is None:
        return "there is no such event any more"
    if event.is_cancelled:
        return "the meeting was cancelled meanwhile"
    if entry.kind == "respond" and event.is_organizer is not False:
        return "it is an event of your own: nobody waits for an answer"
    if entry.kind == "cancel" and event.is_organizer is False:
        return "only its organizer can cancel a meeting"
    return ""


def _why_too_late(bench: Bench, entry: OutboxEntry, remote: Remote, event: RemoteEvent) -> str:
    """Why a wish that waited for the service came too late, "" where it did not."""
    if bench.clock.now() - entry.since < _WAITED:
        return ""
    is_endless = not entry.slot and remote.item.recurrence is not None
    if entry.kind in ("respond", "cancel", "forward") and not is_endless:
        slot = date.fromisoformat(entry.slot) if entry.slot else None
        if entry.since < _end_of(remote.item, slot) <= bench.true_now():
            return "it waited until the event was over"
    if entry.kind == "respond" and _is_answered(bench, entry, event):
        return "it was answered so in Outlook meanwhile"
    return ""


def _is_answered(bench: Bench, entry: OutboxEntry, event: RemoteEvent) -> bool:
    """Whether the very answer was given since it was asked for, and nothing goes along with it."""
    status = event.response_status
    answered_at = _instant(status.time) if status is not None else None
    if status is None or answered_at is None or set(msgspec.json.decode(entry.body)) - _BARE:
        return False
    # The service dates it by its own clock, and what nobody answered by the year 1.
    asked_at = entry.since - timedelta(seconds=bench.remote.clock_skew_s or 0)
    return status.response == _RESPONSES.get(entry.action) and answered_at > asked_at


_BARE = {"sendResponse"}
_WAITED = timedelta(minutes=1)
"""What was asked for just now is meant for things as they are, however the clocks differ."""


def _end_of(item: Item, slot: date | None) -> datetime:
    """When an event or an occurrence ends, aware UTC."""
    when = item.master.when if slot is None else effective(item, slot).when
    if isinstance(when, Timed):
        return instant(when.end, WindowsZone(when.end_zone))
    return datetime.combine(when.end, time(23, 59), UTC)  # somewhere on earth it lasts till then


def _instant(written: str | None) -> datetime | None:
    found: datetime | None = None
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(written or "").astimezone(UTC)
    return found


def _why_forbidden(bench: Bench, entry: OutboxEntry, event: RemoteEvent | None) -> str:
    """Why a mail may not go as the rules and the guests are by now, "" where it may."""
    shown = {one.casefold() for one in entry.mails}
    if entry.kind == "cancel" and event is not None:
        more = [one for one in others(event, bench.owner) if one.casefold() not in shown]
        if more:
            return f"{', '.join(more)} would be told as well, and was not shown to you"
    kind: Any = entry.mail_kind
    if kind and bench.rules.mail.rule(kind) == "never":
        return f"the configuration lets no such mail go ({kind} = never)"
    return ""


def _looks(entry: OutboxEntry, event: RemoteEvent) -> str:
    """What an event shows of a wish before it is sent: the same afterwards says nothing."""
    match entry.kind:
        case "respond":
            status = event.response_status
            return f"{status.response} {status.time}" if status is not None else ""
        case "forward":
            return "listed" if _has_everyone(entry, event) else ""
        case _:
            return ""


async def _accepted(bench: Bench, entry: OutboxEntry, remote: Remote, round_: RoundId) -> None:
    """It was accepted; what the event says by now is asked for, since answers show up later."""
    bench.counts.answered += entry.kind == "respond"
    bench.counts.updated += entry.kind in ("cancel", "forward", "detach")
    doubt = Doubt(remote.record.graph_id, "series" if entry.slot else "unseen")
    changes: list[Change] = [DropOutbox(entry.number), PutDoubt(doubt)]
    if entry.kind == "detach":
        changes += await detached_changes(bench, remote.record.graph_id, entry.action)
    await bench.store.commit(bench.key, changes + sent(bench, entry, round_))


# --- what is told of a wish ----------------------------------------------------------------------


def subject_of(entry: OutboxEntry) -> str:
    """Under what it is listed that a wish was not sent."""
    return f"*asked {entry.kind} {entry.slot} {entry.uid}"


async def tell(bench: Bench, entry: OutboxEntry, reason: str) -> None:
    """Drop a wish, and list why it was not sent."""
    calendar = bench.calendar
    known = (await bench.store.items(bench.key, [entry.uid])).get(entry.uid)
    what = word_of(entry.kind, entry.action)
    of = f" of {entry.slot}" if entry.slot else ""
    problem = Problem(
        id=problem_id(
            calendar.account, calendar.id, entry.uid, "notice", f"{entry.kind}-not-sent", entry.slot
        ),
        kind="notice",
        code=f"{entry.kind}-not-sent",
        needs_person=False,
        account=calendar.account,
        calendar=calendar.name,
        uid=entry.uid,
        file=str(known.file or "") if known else "",
        summary=await title_of(bench, entry.uid),
        line=0,
        reason=f"{what!r}{of} was not sent: {reason}",
        hint="`syncd discard ID` takes it off the list; give the command again if you mean it.",
        since=bench.clock.now(),
    )
    changes: list[Change] = [DropOutbox(entry.number), PutProblems(subject_of(entry), (problem,))]
    changes += _asked_anew(entry) if entry.kind == "detach" else []
    await bench.store.commit(bench.key, changes)


# --- how it is seen ------------------------------------------------------------------------------


def is_seen(entry: OutboxEntry, answer: Answer) -> bool:
    """
    Whether an event shows that a wish took effect.

    Args: answer: to a GET of the event; a declined or cancelled one leaves the calendar.
    Raises: msgspec.DecodeError: it is no event.
    """
    if answer.status == 404:
        return entry.kind == "cancel" or entry.action == "decline"
    if not answer.is_success:
        return False
    event = decode_event(answer.body)
    match entry.kind:
        case "respond":
            said = event.response_status.response if event.response_status else ""
            return said == _RESPONSES[entry.action] and _looks(entry, event) != entry.before_etag
        case "cancel":
            return bool(event.is_cancelled)
        case "forward":
            return _has_everyone(entry, event) and not entry.before_etag
        case _:
            return False


def _has_everyone(entry: OutboxEntry, event: RemoteEvent) -> bool:
    """Whether those it was forwarded to are on the list: an organizer sees them there."""
    listed = {
        (one.email_address.address or "").casefold()
        for one in event.attendees or ()
        if one.email_address is not None
    }
    return event.is_organizer is not False and {one.casefold() for one in entry.mails} <= listed
