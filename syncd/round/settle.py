"""
What follows from an answered write: bases, events, history; from a refused one, a problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import assert_never

import msgspec

from syncd.core.errors import BadAnswer, RefusedByService, SyncdError
from syncd.core.event import SERVICE_FIELDS, FieldKey, Item, effective, field_meaning
from syncd.core.ids import GraphId, RoundId
from syncd.core.merge import overlay
from syncd.core.plan import ItemPlan, Write, problem_id, refusal_digest
from syncd.core.plan.values import summary_of
from syncd.core.state import (
    Change,
    ClearVerdict,
    CountDeletion,
    Doubt,
    DropItem,
    DropOutbox,
    DropRemote,
    ItemRecord,
    OutboxEntry,
    Problem,
    PutDoubt,
    PutItem,
    PutOutbox,
    PutProblems,
    PutRemote,
    RemoteRecord,
    Todo,
)
from syncd.core.wire.dialects.graph_attachments import read_whole
from syncd.core.wire.dialects.graph_v1 import error_code
from syncd.core.wire.graph import (
    AttachmentRow,
    RemoteEvent,
    decode_event,
    exception_slots,
    read_item,
    sent_stash,
)
from syncd.core.wire.ics_write import local_view
from syncd.ports import Answer, Request
from syncd.round.attached import attached_changes
from syncd.round.desk import Bench
from syncd.round.doubts import is_recent, record_of, refetch
from syncd.round.versions import sent

__all__ = [
    "Leaving",
    "agreed_record",
    "created_changes",
    "event_of",
    "gone_changes",
    "met_changes",
    "reread_series",
    "settle_accepted",
    "settle_refused",
]


@dataclass(frozen=True, slots=True)
class Leaving:
    """One write with its plan and its request; `entry` is its journal entry."""

    plan: ItemPlan
    write: Write
    entry: OutboxEntry
    request: Request


async def settle_accepted(
    bench: Bench, one: Leaving, answer: Answer, round_: RoundId, reread: list[GraphId]
) -> None:
    entry, plan = one.entry, one.plan
    record = await _record(bench, plan)
    changes: list[Change] = [DropOutbox(entry.number)]
    changes += [ClearVerdict(problem) for problem in plan.used_verdicts]
    changes += sent(bench, entry, round_, _content(plan))
    match one.write.kind:
        case "create":
            event = event_of(answer)
            changes += await created_changes(bench, record, entry, event, answer.body)
            bench.counts.created += 1
        case "patch" if not entry.slot:
            record = _with_sent_stash(record, entry)
            changes += _patched(bench, record, entry, event_of(answer), answer.body, one)
            bench.counts.updated += 1
        case "delete":
            assert entry.graph_id is not None
            changes += await gone_changes(bench, entry)
            bench.counts.deleted += 1
        case "attach":
            assert entry.graph_id is not None
            row = _row_of(answer)
            if row is None:
                # Which one it is does not show: the list is looked at, as for a lost answer.
                await bench.store.commit(bench.key, [PutOutbox(replace(entry, state="doubt"))])
                return
            changes += await attached_changes(bench, entry.graph_id, entry.action, row)
            bench.counts.updated += 1
        case "patch" | "delete-occurrence" | "respond":
            changes.append(PutItem(agreed_record(record, entry)))
            if entry.kind == "respond":
                bench.counts.answered += 1
            else:
                bench.counts.updated += 1
        case _:
            assert_never(one.write.kind)
    if plan.sides.remote is not None and _needs_reread(one):
        reread.append(plan.sides.remote.record.graph_id)
        # A kill before it is read would leave what is stored behind what was agreed.
        changes.append(PutDoubt(Doubt(plan.sides.remote.record.graph_id, "series")))
    await bench.store.commit(bench.key, changes)


def _needs_reread(one: Leaving) -> bool:
    """Answers do not carry exceptions and cancelled slots: a touched series is read again."""
    if one.entry.kind in ("delete", "attach"):
        return False
    remote = one.plan.sides.remote
    assert remote is not None
    return (
        bool(one.entry.slot) or one.entry.kind == "respond" or remote.event.recurrence is not None
    )


def _content(plan: ItemPlan) -> bytes:
    return plan.sides.known.content if plan.sides.known is not None else b""


async def _record(bench: Bench, plan: ItemPlan) -> ItemRecord:
    """The item as the state has it by now (its file may have been written in this round)."""
    found = await bench.store.items(bench.key, [plan.uid])
    return found.get(plan.uid) or plan.record or ItemRecord(plan.uid)


def event_of(answer: Answer) -> RemoteEvent:
    try:
        return decode_event(answer.body)
    except msgspec.DecodeError as error:
        raise BadAnswer(f"the service's answer to a write cannot be read: {error}") from None


async def created_changes(
    bench: Bench,
    record: ItemRecord,
    entry: OutboxEntry,
    event: RemoteEvent,
    raw: bytes,
    *,
    late: bool = False,
) -> list[Change]:
    """
    A new event as it was answered.

    Args: late: it was found, or answered to a repeated create, some time after it was made. By
        then people may have changed it, and what they changed must count as their change: agreed
        is what was sent, not what is there now.
    """
    assert entry.expects is not None
    view = await bench.store.view(bench.key)
    sweep = view.sweep if view is not None else 0
    remote = record_of(event, raw, entry.uid, sweep, bench)
    item = replace(
        record if late else _with_sent_stash(record, entry),
        graph_id=remote.graph_id,
        base_local=entry.expects,
        base_remote=entry.expects if late else _without_shown(event, entry.expects, bench),
        fingerprint=None,
        stat=None,
    )
    return [PutRemote(remote, quiet=True), PutItem(item), Todo(entry.uid)]


def _without_shown(event: RemoteEvent, expected: Item, bench: Bench) -> Item:
    """
    What the answer to a create says, but for what only the service decides, such as the link of
    its online meeting: no file has that yet, so it counts as news.
    """
    said = _said(event, expected, bench)
    lacks = {name: getattr(expected.master, name) for name in SERVICE_FIELDS}
    lacks = {name: value for name, value in lacks.items() if not value}
    return msgspec.structs.replace(said, master=msgspec.structs.replace(said.master, **lacks))


async def met_changes(
    bench: Bench, record: ItemRecord, event: RemoteEvent, raw: bytes
) -> list[Change]:
    """An event that stands for the item, and of which nothing is agreed yet."""
    view = await bench.store.view(bench.key)
    remote = record_of(event, raw, record.uid, view.sweep if view is not None else 0, bench)
    item = replace(
        record,
        graph_id=remote.graph_id,
        base_local=None,
        base_remote=None,
        fingerprint=None,
        stat=None,
    )
    # Before the one in whose place it came was known to be gone, it bore another UID here.
    before = (await bench.store.remotes_by_id(bench.key, [remote.graph_id])).values()
    others = {one.uid for one in before} - {record.uid}
    return [
        PutRemote(remote, quiet=True),
        PutItem(item),
        *(Todo(uid) for uid in sorted({record.uid, *others})),
    ]


def _with_sent_stash(record: ItemRecord, entry: OutboxEntry) -> ItemRecord:
    """The record with the stash that a write carried; one without leaves it."""
    sent = sent_stash(msgspec.json.decode(entry.body)) if b"ical-stash" in entry.body else None
    return record if sent is None else replace(record, sent_stash=sent)


def _patched(
    bench: Bench,
    record: ItemRecord,
    entry: OutboxEntry,
    event: RemoteEvent,
    raw: bytes,
    one: Leaving,
) -> list[Change]:
    """
    The named fields are agreed, as the answer has them; whatever else the answer shows is news.
    """
    remote = one.plan.sides.remote
    assert remote is not None
    assert entry.expects is not None
    after = _said(event, entry.expects, bench)
    if remote.event.recurrence is not None or event.recurrence is not None:
        return [PutItem(agreed_record(record, entry, after))]
    before = remote.record
    seen = record_of(event, raw, entry.uid, before.sweep, bench, before)
    return [PutRemote(seen), PutItem(agreed_record(record, entry, after))]


def _said(event: RemoteEvent, expected: Item, bench: Bench) -> Item:
    """What an answer says, or, where it cannot be read, what was asked for."""
    try:
        return read_item(event, bench.owner)
    except ValueError:
        return expected


def agreed_record(record: ItemRecord, entry: OutboxEntry, answer: Item | None = None) -> ItemRecord:
    """Both bases moved to what was sent, and to what the answer says of it."""
    assert entry.expects is not None
    if record.base_local is None or record.base_remote is None:
        return record
    keys = frozenset(FieldKey(slot, name) for slot, name in entry.keys)
    return replace(
        record,
        base_local=overlay(record.base_local, keys, entry.expects),
        base_remote=overlay(record.base_remote, keys, answer or entry.expects),
        fingerprint=None,
        stat=None,
    )


async def gone_changes(bench: Bench, entry: OutboxEntry) -> list[Change]:
    """An event that was deleted; one whose file moved to another calendar is no deletion."""
    assert entry.graph_id is not None
    changes: list[Change] = [DropRemote(entry.graph_id), DropItem(entry.uid)]
    homes = await bench.store.homes(bench.calendar.account, [entry.uid])
    followed = {key for key, is_followed in homes.get(entry.uid, {}).items() if is_followed}
    if not followed - {bench.key}:
        changes.append(CountDeletion("local", entry.uid, bench.true_now()))
    return changes


async def reread_series(
    bench: Bench, accepted: Sequence[tuple[Leaving, Answer]], series: Sequence[GraphId]
) -> None:
    """
    Read touched events again, and move the remote bases to what they say of the agreed fields.

    When this fails the next round reads them: the fields are agreed as they were sent.
    """
    unique = list(dict.fromkeys(series))
    try:
        denied = await refetch(bench, unique)
    except SyncdError:
        await bench.store.commit(
            bench.key, [PutDoubt(Doubt(graph_id, "series")) for graph_id in unique]
        )
        return
    remotes = await bench.store.remotes_by_id(bench.key, unique)
    items = await bench.store.items(bench.key, [one.plan.uid for one, _ in accepted])
    changes: list[Change] = []
    for one, answer in accepted:
        remote = one.plan.sides.remote
        fresh = remotes.get(remote.record.graph_id) if remote is not None else None
        if fresh is not None and fresh.graph_id in denied:
            continue  # it could not be read: agreed is what was sent
        record = items.get(one.plan.uid)
        if fresh is not None and record is not None and record.base_remote is not None:
            changes.append(PutItem(_as_reread(bench, record, one, answer, fresh)))
    await bench.store.commit(bench.key, changes)


def _as_reread(
    bench: Bench, record: ItemRecord, one: Leaving, answer: Answer, fresh: RemoteRecord
) -> ItemRecord:
    item = _without_news(read_item(decode_event(fresh.raw), bench.owner), one)
    assert record.base_remote is not None
    assert record.base_local is not None
    # What a series itself says was answered with its PATCH; by now somebody may have changed it.
    answered = one.entry.kind == "patch" and not one.entry.slot
    keys = frozenset(FieldKey(slot, name) for slot, name in one.entry.keys if not answered)
    if _moved_on(bench, one, answer, item, fresh):
        keys = frozenset()
    base_remote = overlay(record.base_remote, keys, item)
    if not one.write.reshapes:
        return replace(record, base_remote=base_remote)
    # Exceptions that the service dropped by itself are not a person's doing: they are put again.
    local = local_view(item)
    return replace(
        record,
        base_remote=msgspec.structs.replace(
            base_remote, overrides=item.overrides, cancelled=item.cancelled
        ),
        base_local=msgspec.structs.replace(
            record.base_local, overrides=local.overrides, cancelled=local.cancelled
        ),
    )


def _moved_on(bench: Bench, one: Leaving, answer: Answer, item: Item, fresh: RemoteRecord) -> bool:
    """
    Whether an occurrence was written by somebody after a write of ours was answered, or a new rule
    made it plain: that is news against what was sent.

    A version that was known before may come from another copy of the mailbox, which has not seen
    yet what was sent.
    """
    remote, entry = one.plan.sides.remote, one.entry
    assert remote is not None
    if not entry.slot or entry.kind != "patch" or fresh.etag == remote.record.etag:
        return False
    slot = date.fromisoformat(entry.slot)
    if slot in item.cancelled:
        return False
    exception = exception_slots(decode_event(fresh.raw), bench.owner).get(slot)
    if exception is None:
        return not _says_the_same(entry, item, slot)
    try:
        return decode_event(answer.body).etag != exception.etag
    except msgspec.DecodeError:
        return False


def _says_the_same(entry: OutboxEntry, item: Item, slot: date) -> bool:
    """Whether an occurrence says what was sent, be it by itself or as its series does."""
    assert entry.expects is not None
    names = {name for _, name in entry.keys}
    there, wanted = effective(item, slot), effective(entry.expects, slot)
    return all(field_meaning(there, name) == field_meaning(wanted, name) for name in names)


def _without_news(item: Item, one: Leaving) -> Item:
    """A series without the exceptions that somebody made since it was planned: they are news."""
    remote = one.plan.sides.remote
    assert remote is not None
    if not one.write.reshapes:
        return item
    own = {
        slot: override for slot, override in item.overrides.items() if slot in remote.item.overrides
    }
    return msgspec.structs.replace(
        item, overrides=own, cancelled=item.cancelled & remote.item.cancelled
    )


_MOVED = (404, 409, 412, 423)
_TOO_MUCH = (400, 403, 413)


async def settle_refused(bench: Bench, one: Leaving, answer: Answer, round_: RoundId) -> bool:
    """A definite no; whether the next round may already do better."""
    entry = one.entry
    drop = DropOutbox(entry.number)
    if entry.kind in ("delete", "delete-occurrence") and _is_gone(bench, one, answer):
        changes: list[Change] = [drop]
        if entry.kind == "delete":
            changes += await gone_changes(bench, entry)
            # Somebody else was faster: nobody was mailed by us.
            unmailed = replace(entry, mail_kind="", mails=())
            changes += sent(bench, unmailed, round_, _content(one.plan))
        await bench.store.commit(bench.key, changes + _ask_about(one))
        return True
    if answer.status in _MOVED and entry.kind != "create":
        # Someone else moved it: the next pull tells how, and the merge starts from there.
        await bench.store.commit(bench.key, [drop, *_ask_about(one)])
        # It names no version of the event, so that no news can make it pass: it waits for a poll.
        return entry.kind != "attach"
    has_stash = entry.kind in ("create", "patch") and b"ical-stash" in entry.body
    if answer.status in _TOO_MUCH and has_stash:
        # How much a property may hold is not documented: without the stash the rest may pass.
        record = _with_sent_stash(await _record(bench, one.plan), entry)
        await bench.store.commit(bench.key, [drop, PutItem(record), Todo(entry.uid)])
        return True
    if entry.kind == "create" and answer.status == 409:
        await bench.store.commit(bench.key, [PutOutbox(replace(entry, state="doubt"))])
        return True
    bench.counts.refused += 1
    problem = _refusal(bench, one, answer)
    await bench.store.commit(
        bench.key, [drop, PutProblems(one.plan.uid, (*one.plan.problems, problem))]
    )
    return entry.kind == "attach"  # the next line is another file


def _row_of(answer: Answer) -> AttachmentRow | None:
    """The attachment that was made; None where the answer does not tell."""
    try:
        return read_whole(answer)
    except (BadAnswer, RefusedByService):
        return None


def _is_gone(bench: Bench, one: Leaving, answer: Answer) -> bool:
    """Whether a 404 is believed at once."""
    if answer.status != 404:
        return False
    remote = one.plan.sides.remote
    if one.entry.kind != "delete" or remote is None:
        return True
    return not is_recent(bench, remote.record)


def _ask_about(one: Leaving) -> list[Change]:
    remote = one.plan.sides.remote
    assert remote is not None
    return [PutDoubt(Doubt(remote.record.graph_id, "unseen"))]


_CODES = {
    "ErrorOccurrenceCrossingBoundary": "crosses-neighbour",
    "ErrorQuotaExceeded": "mailbox-full",
    "ErrorAccessDenied": "access-denied",
}


def _refusal(bench: Bench, one: Leaving, answer: Answer) -> Problem:
    code = error_code(answer) or str(answer.status)
    entry, plan = one.entry, one.plan
    known = plan.sides.known
    item = entry.expects
    slot = entry.action if entry.kind == "attach" else entry.slot
    return Problem(
        id=problem_id(
            bench.calendar.account, bench.calendar.id, plan.uid, "refused", entry.kind, slot
        ),
        kind="refused",
        code=_CODES.get(code, code),
        needs_person=True,
        account=bench.calendar.account,
        calendar=bench.calendar.name,
        uid=plan.uid,
        file=str(known.file or "") if known else "",
        summary=item.master.subject if item is not None else summary_of(plan.sides),
        line=0,
        reason=f"the service refused to {entry.kind.replace('-', ' ')} it: {answer.status} {code}",
        hint="Change the file; it is tried again when it is saved.",
        since=bench.clock.now(),
        fields=tuple(sorted({name for _, name in entry.keys})),
        exact=refusal_digest(one.write),
    )
