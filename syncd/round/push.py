"""
The last step of a round towards the service: writes that are durable before they leave.

A write is journaled as sent, leaves once, and its entry goes in the transaction that settles its
answer. An entry that is found later is in doubt, and is settled by looking (`settle_doubts`),
never by sending blindly again: only a create is repeated, byte for byte, with its transaction id.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

import msgspec

from syncd.core.errors import BadAnswer, LoginNeeded, SyncdError
from syncd.core.event import FieldKey, Item, meaning, slot_of
from syncd.core.ids import GraphId, RoundId, TransactionId, Uid
from syncd.core.merge import ABSENT, overlay
from syncd.core.plan import ItemPlan, Write, fields_value, problem_id, refusal_digest
from syncd.core.state import (
    AddHistory,
    Change,
    ClearVerdict,
    CountDeletion,
    Doubt,
    DropItem,
    DropOutbox,
    DropRemote,
    HistoryRecord,
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
    VerdictRecord,
)
from syncd.core.wire.dialects.graph_v1 import error_code
from syncd.core.wire.graph import (
    RemoteEvent,
    decode_event,
    exception_slots,
    read_item,
    uid_of,
)
from syncd.core.wire.ics_write import local_view
from syncd.ports import Answer, Answered, Lost, Request, Unsent, WriteOutcome
from syncd.round.desk import Bench
from syncd.round.pull import record_of, refetch

__all__ = ["Pushed", "push", "settle_doubts"]

LOOK_TWICE_S = 5.0
"""A mailing write that shows no effect is looked at again after this time before it is repeated."""

CANNOT_TELL_S = 120.0
"""After this time an answer that looking cannot find becomes a matter for a person."""

AT_ONCE = 20


@dataclass(slots=True)
class Pushed:
    """What came of a round's writes: the first trouble that passes, and whether more is to do."""

    trouble: SyncdError | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class _Leaving:
    """One write with its plan and its request; `entry` is its journal entry."""

    plan: ItemPlan
    write: Write
    entry: OutboxEntry
    request: Request


async def push(bench: Bench, plans: Sequence[ItemPlan], round_: RoundId) -> Pushed:
    """Carry out the writes of all plans: in batches, serial for each item."""
    pushed = Pushed()
    queues = [(plan, list(plan.writes)) for plan in plans if plan.writes]
    while queues and pushed.trouble is None:
        heads = [(plan, writes[0]) for plan, writes in queues[:AT_ONCE]]
        going_on = await _push_some(bench, heads, round_, pushed)
        rest = [
            (plan, writes[1:])
            for plan, writes in queues[:AT_ONCE]
            if plan.uid in going_on and len(writes) > 1
        ]
        queues = queues[AT_ONCE:] + rest
    return pushed


async def _push_some(
    bench: Bench, heads: Sequence[tuple[ItemPlan, Write]], round_: RoundId, pushed: Pushed
) -> set[Uid]:
    """Send one write of each item; the UIDs whose write was accepted."""
    leaving = await _prepared(bench, heads)
    numbers = await bench.store.new_outbox(bench.key, [one.entry for one in leaving])
    leaving = [
        replace(one, entry=replace(one.entry, number=number))
        for one, number in zip(leaving, numbers, strict=True)
    ]
    outcomes = await bench.remote.write_all([one.request for one in leaving])
    accepted: set[Uid] = set()
    reread: list[GraphId] = []
    for one, outcome in zip(leaving, outcomes, strict=True):
        if await _settle(bench, one, outcome, round_, pushed, reread):
            accepted.add(one.plan.uid)
    if reread:
        await _reread(bench, [one for one in leaving if one.plan.uid in accepted], reread)
    bench.observe("writes.settled", {"count": len(leaving)})
    return accepted


# --- requests ---


async def _prepared(bench: Bench, heads: Sequence[tuple[ItemPlan, Write]]) -> list[_Leaving]:
    """Find the ids of occurrences, build bodies and requests."""
    leaving = []
    for plan, write in heads:
        graph_id = write.graph_id
        if write.slot and graph_id is None:
            graph_id = await _occurrence_id(bench, plan, write.slot)
            if graph_id is None:
                # The slot is not there any more: the series has moved, and the next pull says how.
                assert plan.sides.remote is not None
                master = plan.sides.remote.record.graph_id
                await bench.store.commit(bench.key, [PutDoubt(Doubt(master, "series"))])
                continue
        leaving.append(_leaving(bench, plan, write, graph_id))
    return leaving


def _leaving(bench: Bench, plan: ItemPlan, write: Write, graph_id: GraphId | None) -> _Leaving:
    transaction = TransactionId(str(uuid.uuid4())) if write.kind == "create" else None
    body = dict(write.body)
    if transaction is not None:
        body["transactionId"] = transaction
    encoded = b"" if write.kind.startswith("delete") else msgspec.json.encode(body)
    entry = OutboxEntry(
        0,
        plan.uid,
        write.kind,
        write.slot,
        graph_id,
        write.action,
        encoded,
        transaction,
        "sent",
        bench.clock.now(),
        tuple(sorted((key.slot, key.name) for key in write.keys)),
        write.expects,
        write.before_etag,
        write.mailing.to if write.mailing else (),
        write.mailing.kind if write.mailing else "",
    )
    return _Leaving(plan, write, entry, _request(bench, entry))


def _request(bench: Bench, entry: OutboxEntry) -> Request:
    calendar, dialect = bench.calendar.id, bench.dialect
    if entry.kind == "create":
        return dialect.create(calendar, entry.body)
    assert entry.graph_id is not None
    match entry.kind:
        case "patch":
            return dialect.patch(calendar, entry.graph_id, entry.body, entry.before_etag)
        case "delete" | "delete-occurrence":
            return dialect.delete(calendar, entry.graph_id)
        case "respond":
            action: Any = entry.action
            return dialect.respond(calendar, entry.graph_id, action, entry.body)


async def _occurrence_id(bench: Bench, plan: ItemPlan, slot: str) -> GraphId | None:
    """
    The id of the occurrence that stands for a slot.

    An exception is known by its series; a plain occurrence is found among the instances around
    its start by its exact start, never by "the first of that day".
    """
    remote = plan.sides.remote
    assert remote is not None
    for day, exception in exception_slots(remote.event, bench.owner).items():
        if day.isoformat() == slot:
            return GraphId(exception.id)
    around = datetime.fromisoformat(f"{slot}T00:00:00+00:00")
    request = bench.dialect.instances(
        bench.calendar.id,
        remote.record.graph_id,
        around - timedelta(days=2),
        around + timedelta(days=3),
    )
    page = bench.dialect.read_list(await bench.remote.read(request), "instances")
    found = [
        GraphId(event.id)
        for raw in page.value
        if (event := decode_event(raw)).type == "occurrence" and _day_of(event, bench) == slot
    ]
    return found[0] if len(found) == 1 else None


def _day_of(event: RemoteEvent, bench: Bench) -> str:
    return slot_of(read_item(event, bench.owner).master.when).isoformat()


# --- answers ---


async def _settle(
    bench: Bench,
    one: _Leaving,
    outcome: WriteOutcome,
    round_: RoundId,
    pushed: Pushed,
    reread: list[GraphId],
) -> bool:
    """Settle one outcome in one transaction; whether the write was accepted."""
    match outcome:
        case Answered(answer) if 200 <= answer.status < 300:
            await _accepted(bench, one, answer, round_, reread)
            pushed.again = True
            return True
        case Answered(answer):
            pushed.again |= await _refused(bench, one, answer)
            return False
        case Lost(reason):
            bench.counts.in_doubt += 1
            bench.observe("write.lost", {"kind": one.entry.kind, "reason": reason})
            entry = replace(one.entry, state="doubt")
            await bench.store.commit(bench.key, [PutOutbox(entry)])
            pushed.again = True
            return False
        case Unsent(error):
            await bench.store.commit(bench.key, [DropOutbox(one.entry.number)])
            if pushed.trouble is None or isinstance(error, LoginNeeded):
                pushed.trouble = error
            return False
        case _:
            assert_never(outcome)


async def _accepted(
    bench: Bench, one: _Leaving, answer: Answer, round_: RoundId, reread: list[GraphId]
) -> None:
    entry, plan = one.entry, one.plan
    record = await _record(bench, plan)
    changes: list[Change] = [DropOutbox(entry.number)]
    changes += [ClearVerdict(problem) for problem in plan.used_verdicts]
    changes += _history(bench, plan, entry, round_)
    match entry.kind:
        case "create":
            event = _event_of(answer)
            changes += await _created(bench, record, entry, event, answer.body)
            bench.counts.created += 1
        case "patch" if not entry.slot:
            changes += _patched(bench, record, entry, _event_of(answer), answer.body, one)
            bench.counts.updated += 1
        case "delete":
            assert entry.graph_id is not None
            changes += _gone(bench, entry)
            bench.counts.deleted += 1
        case "patch" | "delete-occurrence" | "respond":
            changes.append(PutItem(_agreed(record, entry)))
            if entry.kind == "respond":
                bench.counts.answered += 1
            else:
                bench.counts.updated += 1
        case _:
            assert_never(entry.kind)
    if plan.sides.remote is not None and _needs_reread(one):
        reread.append(plan.sides.remote.record.graph_id)
    await bench.store.commit(bench.key, changes)


def _needs_reread(one: _Leaving) -> bool:
    """Answers do not carry exceptions and cancelled slots: a touched series is read again."""
    if one.entry.kind == "delete":
        return False
    remote = one.plan.sides.remote
    assert remote is not None
    return (
        bool(one.entry.slot) or one.entry.kind == "respond" or remote.event.recurrence is not None
    )


async def _record(bench: Bench, plan: ItemPlan) -> ItemRecord:
    """The item as the state has it by now (its file may have been written in this round)."""
    found = await bench.store.items(bench.key, [plan.uid])
    return found.get(plan.uid) or plan.record or ItemRecord(plan.uid)


def _event_of(answer: Answer) -> RemoteEvent:
    try:
        return decode_event(answer.body)
    except msgspec.DecodeError as error:
        raise BadAnswer(f"the service's answer to a write cannot be read: {error}") from None


async def _created(
    bench: Bench, record: ItemRecord, entry: OutboxEntry, event: RemoteEvent, raw: bytes
) -> list[Change]:
    assert entry.expects is not None
    view = await bench.store.view(bench.key)
    sweep = view.sweep if view is not None else 0
    remote = record_of(event, raw, entry.uid, sweep, bench)
    item = replace(
        record,
        graph_id=remote.graph_id,
        base_local=entry.expects,
        base_remote=read_item(event, bench.owner),
        fingerprint=None,
        stat=None,
    )
    return [PutRemote(remote, quiet=True), PutItem(item), Todo(entry.uid)]


def _patched(
    bench: Bench,
    record: ItemRecord,
    entry: OutboxEntry,
    event: RemoteEvent,
    raw: bytes,
    one: _Leaving,
) -> list[Change]:
    """
    The named fields are agreed, as the answer has them; whatever else the answer shows is news.
    """
    remote = one.plan.sides.remote
    assert remote is not None
    if remote.event.recurrence is not None or event.recurrence is not None:
        return [PutItem(_agreed(record, entry))]
    seen = record_of(event, raw, entry.uid, remote.record.sweep, bench)
    after = read_item(event, bench.owner)
    return [PutRemote(seen), PutItem(_agreed(record, entry, after))]


def _agreed(record: ItemRecord, entry: OutboxEntry, answer: Item | None = None) -> ItemRecord:
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


def _gone(bench: Bench, entry: OutboxEntry) -> list[Change]:
    assert entry.graph_id is not None
    return [
        DropRemote(entry.graph_id),
        DropItem(entry.uid),
        CountDeletion("local", entry.uid, bench.clock.now()),
    ]


def _history(bench: Bench, plan: ItemPlan, entry: OutboxEntry, round_: RoundId) -> list[Change]:
    known = plan.sides.known
    record = HistoryRecord(
        0,
        round_,
        bench.clock.now(),
        bench.calendar.name,
        entry.uid,
        "local",
        entry.kind,
        tuple(sorted({name for _, name in entry.keys})),
        known.content if known is not None else b"",
        plan.record.content if plan.record is not None and entry.kind != "delete" else b"",
    )
    return [AddHistory(record)]


async def _reread(bench: Bench, accepted: Sequence[_Leaving], series: Sequence[GraphId]) -> None:
    """
    Read touched events again, and move the remote bases to what they say of the agreed fields.

    When this fails the next round reads them: the fields are agreed as they were sent.
    """
    unique = list(dict.fromkeys(series))
    try:
        await refetch(bench, unique)
    except SyncdError:
        await bench.store.commit(
            bench.key, [PutDoubt(Doubt(graph_id, "series")) for graph_id in unique]
        )
        return
    remotes = await bench.store.remotes_by_id(bench.key, unique)
    items = await bench.store.items(bench.key, [one.plan.uid for one in accepted])
    changes: list[Change] = []
    for one in accepted:
        remote = one.plan.sides.remote
        fresh = remotes.get(remote.record.graph_id) if remote is not None else None
        record = items.get(one.plan.uid)
        if fresh is not None and record is not None and record.base_remote is not None:
            changes.append(PutItem(_as_reread(bench, record, one, fresh)))
    await bench.store.commit(bench.key, changes)


def _as_reread(bench: Bench, record: ItemRecord, one: _Leaving, fresh: RemoteRecord) -> ItemRecord:
    item = read_item(decode_event(fresh.raw), bench.owner)
    assert record.base_remote is not None
    assert record.base_local is not None
    keys = frozenset(FieldKey(slot, name) for slot, name in one.entry.keys)
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


# --- refusals ---

_MOVED = (404, 409, 412, 423)


async def _refused(bench: Bench, one: _Leaving, answer: Answer) -> bool:
    """A definite no; whether the next round may already do better."""
    entry = one.entry
    drop = DropOutbox(entry.number)
    if entry.kind in ("delete", "delete-occurrence") and answer.status == 404:
        changes: list[Change] = [drop]
        if entry.kind == "delete":
            changes += _gone(bench, entry)
        await bench.store.commit(bench.key, changes + _ask_about(one))
        return True
    if answer.status in _MOVED and entry.kind != "create":
        # Someone else moved it: the next pull tells how, and the merge starts from there.
        await bench.store.commit(bench.key, [drop, *_ask_about(one)])
        return True
    if entry.kind == "create" and answer.status == 409:
        await bench.store.commit(bench.key, [PutOutbox(replace(entry, state="doubt"))])
        return True
    bench.counts.refused += 1
    problem = _refusal(bench, one, answer)
    await bench.store.commit(
        bench.key, [drop, PutProblems(one.plan.uid, (*one.plan.problems, problem))]
    )
    return False


def _ask_about(one: _Leaving) -> list[Change]:
    remote = one.plan.sides.remote
    if remote is None:
        return []
    return [PutDoubt(Doubt(remote.record.graph_id, "removed"))]


_CODES = {
    "ErrorOccurrenceCrossingBoundary": "crosses-neighbour",
    "ErrorQuotaExceeded": "mailbox-full",
    "ErrorAccessDenied": "access-denied",
}


def _refusal(bench: Bench, one: _Leaving, answer: Answer) -> Problem:
    code = error_code(answer) or str(answer.status)
    entry, plan = one.entry, one.plan
    known = plan.sides.known
    item = entry.expects
    return Problem(
        id=problem_id(
            bench.calendar.account, bench.calendar.id, plan.uid, "refused", entry.kind, entry.slot
        ),
        kind="refused",
        code=_CODES.get(code, code),
        needs_person=True,
        account=bench.calendar.account,
        calendar=bench.calendar.name,
        uid=plan.uid,
        file=str(known.file or "") if known else "",
        summary=item.master.subject if item is not None else "",
        line=0,
        reason=f"the service refused to {entry.kind.replace('-', ' ')} it: {answer.status} {code}",
        hint="Change the file; it is tried again when it is saved.",
        since=bench.clock.now(),
        fields=tuple(sorted({name for _, name in entry.keys})),
        exact=refusal_digest(one.write),
    )


# --- doubts ---


async def settle_doubts(
    bench: Bench, round_: RoundId, verdicts: dict[Any, VerdictRecord]
) -> set[Uid]:
    """
    Settle writes whose answers were lost, by looking. Returns the UIDs that stay in doubt.

    Raises: SyncdError: the service cannot be asked.
    """
    waiting: set[Uid] = set()
    for entry in await bench.store.outbox(bench.key):
        if not await _settle_doubt(bench, entry, round_, verdicts):
            waiting.add(entry.uid)
    return waiting


async def _settle_doubt(
    bench: Bench, entry: OutboxEntry, round_: RoundId, verdicts: dict[Any, VerdictRecord]
) -> bool:
    match entry.kind:
        case "create":
            return await _doubtful_create(bench, entry, round_)
        case "delete":
            return await _doubtful_delete(bench, entry, round_)
        case "patch" | "delete-occurrence" | "respond":
            return await _doubtful_change(bench, entry, round_, verdicts)
        case _:
            assert_never(entry.kind)


async def _doubtful_create(bench: Bench, entry: OutboxEntry, round_: RoundId) -> bool:
    found = await _find_created(bench, entry)
    if found is None:
        outcome = (await bench.remote.write_all([_request(bench, entry)]))[0]
        match outcome:
            case Answered(answer) if 200 <= answer.status < 300:
                found = _event_of(answer), answer.body
            case Answered(answer) if answer.status == 409:
                found = await _find_created(bench, entry)
                if found is None:
                    return await _cannot_tell(bench, entry)
            case Answered():
                await bench.store.commit(bench.key, [DropOutbox(entry.number)])
                return True
            case Lost():
                return False
            case Unsent(error):
                raise error
    event, raw = found
    records = await bench.store.items(bench.key, [entry.uid])
    record = records.get(entry.uid, ItemRecord(entry.uid))
    bench.counts.created += 1
    await bench.store.commit(
        bench.key,
        [
            DropOutbox(entry.number),
            *await _created(bench, record, entry, event, raw),
            *_doubt_history(bench, entry, round_, record),
        ],
    )
    return True


def _doubt_history(
    bench: Bench, entry: OutboxEntry, round_: RoundId, record: ItemRecord
) -> list[Change]:
    names = tuple(sorted({name for _, name in entry.keys}))
    return [
        AddHistory(
            HistoryRecord(
                0,
                round_,
                bench.clock.now(),
                bench.calendar.name,
                entry.uid,
                "local",
                entry.kind,
                names,
                b"",
                record.content,
            )
        )
    ]


async def _find_created(bench: Bench, entry: OutboxEntry) -> tuple[RemoteEvent, bytes] | None:
    """The event that a lost create made: by the UID in our extended property, and not one that
    another item already stands for."""
    answer = await bench.remote.read(bench.dialect.find_uid(bench.calendar.id, entry.uid))
    page = bench.dialect.read_list(answer, "find")
    known = await bench.store.remotes_by_uid(bench.key, [entry.uid])
    taken = {one.graph_id for one in known.get(entry.uid, ())}
    for raw in page.value:
        event = decode_event(raw)
        if uid_of(event) == entry.uid and event.id not in taken:
            return event, bytes(raw)
    for one in known.get(entry.uid, ()):
        return decode_event(one.raw), one.raw
    return None


async def _doubtful_delete(bench: Bench, entry: OutboxEntry, round_: RoundId) -> bool:
    assert entry.graph_id is not None
    answer = await bench.remote.read(bench.dialect.event(bench.calendar.id, entry.graph_id))
    drop = DropOutbox(entry.number)
    if answer.status == 404:
        records = await bench.store.items(bench.key, [entry.uid])
        record = records.get(entry.uid, ItemRecord(entry.uid))
        bench.counts.deleted += 1
        history = _doubt_history(bench, entry, round_, replace(record, content=b""))
        await bench.store.commit(bench.key, [drop, *_gone(bench, entry), *history])
        return True
    # It answers: there after all, or in Deleted Items. The view decides; then it is planned anew.
    await bench.store.commit(bench.key, [drop, PutDoubt(Doubt(entry.graph_id, "removed"))])
    return True


async def _doubtful_change(
    bench: Bench, entry: OutboxEntry, round_: RoundId, verdicts: dict[Any, VerdictRecord]
) -> bool:
    records = await bench.store.items(bench.key, [entry.uid])
    record = records.get(entry.uid)
    if record is None or record.graph_id is None or entry.expects is None:
        await bench.store.commit(bench.key, [DropOutbox(entry.number)])
        return True
    await refetch(bench, [record.graph_id])
    remotes = await bench.store.remotes_by_id(bench.key, [record.graph_id])
    remote = remotes.get(record.graph_id)
    if remote is None:  # gone: a declined meeting leaves the calendar
        await bench.store.commit(bench.key, [DropOutbox(entry.number)])
        return True
    item = read_item(decode_event(remote.raw), bench.owner)
    if _took_effect(entry, item):
        settled = _agreed(record, entry, item)
        history = _doubt_history(bench, entry, round_, record)
        await bench.store.commit(
            bench.key, [DropOutbox(entry.number), PutItem(settled), Todo(entry.uid), *history]
        )
        return True
    return await _no_effect(bench, entry, verdicts)


def _took_effect(entry: OutboxEntry, item: Item) -> bool:
    assert entry.expects is not None
    return all(
        _same(name, fields_value(entry.expects, FieldKey(slot, name)), _value(item, slot, name))
        for slot, name in entry.keys
    )


def _value(item: Item, slot: str, name: str) -> Any:
    return fields_value(item, FieldKey(slot, name))


def _same(name: str, wanted: Any, there: Any) -> bool:
    if wanted is ABSENT or there is ABSENT:
        return wanted is there
    return meaning(name, wanted) == meaning(name, there)


async def _no_effect(bench: Bench, entry: OutboxEntry, verdicts: dict[Any, VerdictRecord]) -> bool:
    """Nothing of the write is seen: a silent one is planned anew, a mailing one is watched."""
    age_s = (bench.clock.now() - entry.since).total_seconds()
    drop = DropOutbox(entry.number)
    if entry.kind == "respond" and entry.mail_kind:
        verdict = verdicts.get(_doubt_id(bench, entry))
        if verdict is not None and verdict.kind in ("approved", "discarded"):
            return await _told(bench, entry, verdict)
        if 0 <= age_s < CANNOT_TELL_S:
            return False
        return await _cannot_tell(bench, entry)
    if entry.mail_kind and 0 <= age_s < LOOK_TWICE_S:
        await bench.clock.sleep(LOOK_TWICE_S - age_s)
        return await _doubtful_change(
            bench,
            replace(entry, since=entry.since - timedelta(seconds=LOOK_TWICE_S)),
            RoundId(0),
            verdicts,
        )
    await bench.store.commit(bench.key, [drop, Todo(entry.uid)])
    return True


async def _told(bench: Bench, entry: OutboxEntry, verdict: VerdictRecord) -> bool:
    """A person said "send again" (approved: planned anew) or "was sent" (discarded: agreed)."""
    changes: list[Change] = [DropOutbox(entry.number), ClearVerdict(verdict.problem)]
    if verdict.kind == "discarded":
        records = await bench.store.items(bench.key, [entry.uid])
        if entry.uid in records:
            changes.append(PutItem(_agreed(records[entry.uid], entry)))
    await bench.store.commit(bench.key, [*changes, Todo(entry.uid), PutProblems(entry.uid)])
    return True


def _doubt_id(bench: Bench, entry: OutboxEntry) -> Any:
    calendar = bench.calendar
    return problem_id(calendar.account, calendar.id, entry.uid, "in-doubt", entry.kind, entry.slot)


async def _cannot_tell(bench: Bench, entry: OutboxEntry) -> bool:
    summary = entry.expects.master.subject if entry.expects is not None else ""
    problem = Problem(
        id=_doubt_id(bench, entry),
        kind="in-doubt",
        code=f"{entry.kind}-in-doubt",
        needs_person=True,
        account=bench.calendar.account,
        calendar=bench.calendar.name,
        uid=entry.uid,
        file="",
        summary=summary,
        line=0,
        reason="its answer was lost, and looking does not tell whether it took effect",
        hint="`syncd approve ID` sends it again, `syncd discard ID` says that it was sent.",
        since=entry.since,
        mail_class=entry.mail_kind,
        to=entry.mails,
    )
    await bench.store.commit(bench.key, [PutProblems(entry.uid, (problem,))])
    return False
