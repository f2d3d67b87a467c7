"""
Writes whose answers were lost: settled by looking, never by sending blindly again.

Only a create is repeated, byte for byte, with its transaction id. Where looking cannot tell, the
write becomes a matter for a person.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, assert_never

import msgspec

from syncd.core.event import FieldKey, Item, meaning
from syncd.core.ids import GraphId, RoundId, Uid
from syncd.core.merge import ABSENT, changed
from syncd.core.plan import fields_value, mail_code, problem_id
from syncd.core.state import (
    Change,
    ClearVerdict,
    DropOutbox,
    ItemRecord,
    OutboxEntry,
    Problem,
    PutItem,
    PutOutbox,
    PutProblems,
    Todo,
    VerdictRecord,
)
from syncd.core.wire.graph import (
    RemoteEvent,
    decode_event,
    file_uid,
    read_item,
    uid_of,
)
from syncd.core.wire.ics_write import local_view
from syncd.ports import Answered, Lost, Unsent
from syncd.round.asked import is_seen
from syncd.round.attached import attached_changes, find_attached
from syncd.round.desk import Bench
from syncd.round.doubts import is_elsewhere, is_gone, refetch
from syncd.round.linking import identities
from syncd.round.requests import request_of
from syncd.round.settle import (
    agreed_record,
    created_changes,
    event_of,
    gone_changes,
    met_changes,
)
from syncd.round.versions import sent, title_of

__all__ = ["settle_doubts"]


LOOK_TWICE_S = 5.0
"""A mailing write that shows no effect is looked at again after this time before it is repeated."""


CANNOT_TELL_S = 120.0
"""After this time an answer that looking cannot find becomes a matter for a person."""


async def settle_doubts(bench: Bench, round_: RoundId) -> set[Uid]:
    """
    Settle writes whose answers were lost, by looking. Returns the UIDs that stay in doubt.

    Raises: SyncdError: the service cannot be asked.
    """
    waiting: set[Uid] = set()
    for entry in await bench.store.outbox(bench.key):
        if not await _settle_doubt(bench, entry, round_):
            waiting.add(entry.uid)
    return waiting


async def _settle_doubt(bench: Bench, entry: OutboxEntry, round_: RoundId) -> bool:
    match entry.kind:
        case "create":
            return await _doubtful_create(bench, entry, round_)
        case "delete":
            return await _doubtful_delete(bench, entry, round_)
        case "patch" | "delete-occurrence":
            return await _doubtful_change(bench, entry, round_)
        case "respond" if entry.expects is not None:
            return await _doubtful_change(bench, entry, round_)
        case "attach":
            return await _doubtful_attachment(bench, entry, round_)
        case "respond" | "cancel" | "forward" | "snooze" | "dismiss" | "detach":
            return await _doubtful_wish(bench, entry, round_)
        case _:
            assert_never(entry.kind)


async def _doubtful_create(bench: Bench, entry: OutboxEntry, round_: RoundId) -> bool:
    found = await _find_created(bench, entry)
    verdict = await _verdict(bench, entry)
    if found is None and verdict is not None:
        return await _create_told(bench, entry, verdict)
    if found is None and await _is_listed(bench, entry):
        return False
    made = found or await _made_again(bench, entry)
    if isinstance(made, bool):
        return made
    event, raw = made
    records = await bench.store.items(bench.key, [entry.uid])
    record = records.get(entry.uid, ItemRecord(entry.uid))
    if entry.action and not _is_as_sent(bench, entry, event):
        # Another installation was faster, or somebody edited it since: both versions are weighed.
        await bench.store.commit(
            bench.key, [DropOutbox(entry.number), *await met_changes(bench, record, event, raw)]
        )
        return True
    bench.counts.created += 1
    await bench.store.commit(
        bench.key,
        [
            DropOutbox(entry.number),
            *_spent(bench, entry),
            *await created_changes(bench, record, entry, event, raw, late=True),
            *sent(bench, entry, round_),
        ],
    )
    return True


def _is_as_sent(bench: Bench, entry: OutboxEntry, event: RemoteEvent) -> bool:
    assert entry.expects is not None
    there = local_view(read_item(event, bench.owner))
    return not changed(there, local_view(entry.expects), local=True)


async def _is_listed(bench: Bench, entry: OutboxEntry) -> bool:
    """Whether a person is asked already: until they answer, it is looked for and not sent."""
    listed = await bench.store.problems(bench.key, subject=entry.uid)
    return any(one.id == _doubt_id(bench, entry) for one in listed)


async def _create_told(bench: Bench, entry: OutboxEntry, verdict: VerdictRecord) -> bool:
    """A person said "send again" (planned anew) or that the file is to stay by itself."""
    changes: list[Change] = [DropOutbox(entry.number), ClearVerdict(verdict.problem)]
    records = await bench.store.items(bench.key, [entry.uid])
    if verdict.kind == "discarded" and entry.uid in records:
        changes.append(PutItem(replace(records[entry.uid], local_only=True)))
    await bench.store.commit(bench.key, [*changes, Todo(entry.uid), PutProblems(entry.uid)])
    return True


LONGEST_FILTERED_UID = 1000
"""Characters; a longer one would not fit into the address of a request."""


async def _rows_of(bench: Bench, uid: Uid) -> list[tuple[RemoteEvent, bytes]]:
    """The events that may have been made from the file with this UID."""
    if len(uid) <= LONGEST_FILTERED_UID:
        answer = await bench.remote.read(bench.dialect.find_uid(bench.calendar.id, uid))
        rows = bench.dialect.read_list(answer, "find").value
        return [(decode_event(raw), bytes(raw)) for raw in rows]
    ids = [one.id async for one in identities(bench) if file_uid(one) == uid]
    asked = [bench.dialect.event(bench.calendar.id, GraphId(one)) for one in ids]
    answers = await bench.remote.read_all(asked)
    return [(decode_event(one.body), one.body) for one in answers if one.status == 200]


async def _made_again(bench: Bench, entry: OutboxEntry) -> tuple[RemoteEvent, bytes] | bool:
    """Send a create once more, byte for byte: what it made, or whether it is settled without."""
    (outcome,) = await bench.remote.write_all([request_of(bench, entry)])
    match outcome:
        case Answered(answer) if answer.is_success:
            return event_of(answer), answer.body
        case Answered(answer) if answer.status == 409:
            return await _find_created(bench, entry) or await _cannot_tell(bench, entry)
        case Answered():
            await bench.store.commit(bench.key, [DropOutbox(entry.number)])
            return True
        case Lost():
            return False
        case Unsent(error):
            raise error
        case _:
            assert_never(outcome)


async def _find_created(bench: Bench, entry: OutboxEntry) -> tuple[RemoteEvent, bytes] | None:
    """
    The event that a lost create made: by the UID in our extended property.

    One that the view has shown under this UID comes first. Another installation may have made the
    same file at the same time: the second of two has a UID and a file of its own by then.
    """
    known = await bench.store.remotes_by_uid(bench.key, [entry.uid])
    for one in known.get(entry.uid, ()):
        return decode_event(one.raw), one.raw
    for event, raw in await _rows_of(bench, entry.uid):
        if uid_of(event) == entry.uid:
            return event, raw
    return None


async def _doubtful_delete(bench: Bench, entry: OutboxEntry, round_: RoundId) -> bool:
    assert entry.graph_id is not None
    answer = await bench.remote.read(bench.dialect.event(bench.calendar.id, entry.graph_id))
    drop = DropOutbox(entry.number)
    if answer.status == 404:
        remotes = await bench.store.remotes_by_id(bench.key, [entry.graph_id])
        if not await is_gone(bench, entry.graph_id, remotes.get(entry.graph_id), None):
            return False
    elif not await _is_in_deleted_items(bench, entry):
        # There after all: it is planned anew.
        await bench.store.commit(bench.key, [drop, Todo(entry.uid)])
        return True
    records = await bench.store.items(bench.key, [entry.uid])
    record = records.get(entry.uid, ItemRecord(entry.uid))
    bench.counts.deleted += 1
    history = sent(bench, entry, round_, record.content)
    await bench.store.commit(
        bench.key, [drop, *_spent(bench, entry), *await gone_changes(bench, entry), *history]
    )
    return True


async def _doubtful_change(bench: Bench, entry: OutboxEntry, round_: RoundId) -> bool:
    records = await bench.store.items(bench.key, [entry.uid])
    record = records.get(entry.uid)
    if record is None or record.graph_id is None:
        await bench.store.commit(bench.key, [DropOutbox(entry.number)])
        return True
    if await refetch(bench, [record.graph_id]):
        return False
    remotes = await bench.store.remotes_by_id(bench.key, [record.graph_id])
    remote = remotes.get(record.graph_id)
    if remote is None:  # gone: a declined meeting leaves the calendar
        await bench.store.commit(bench.key, [DropOutbox(entry.number)])
        return True
    item = read_item(decode_event(remote.raw), bench.owner)
    if _took_effect(entry, item):
        settled = agreed_record(record, entry, item)
        await bench.store.commit(
            bench.key,
            [
                DropOutbox(entry.number),
                *_spent(bench, entry),
                PutItem(settled),
                Todo(entry.uid),
                *sent(bench, entry, round_),
            ],
        )
        return True
    return await _no_effect(
        bench, entry, record, round_, overtaken=_is_overtaken(entry, record, item)
    )


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


def _is_overtaken(entry: OutboxEntry, record: ItemRecord, item: Item) -> bool:
    """Whether a field says neither what it said before nor what was sent: somebody wrote after."""
    base = record.base_remote
    return base is not None and any(
        not _same(name, _value(base, slot, name), _value(item, slot, name))
        for slot, name in entry.keys
    )


async def _no_effect(
    bench: Bench, entry: OutboxEntry, record: ItemRecord, round_: RoundId, *, overtaken: bool
) -> bool:
    """
    Nothing of the write is seen: a silent one is planned anew, a mailing one is watched.

    Args: overtaken: somebody wrote the same fields. Whether that was before the write or after it,
        nobody can tell; where the service does not win anyway, planning anew could mail twice.
    """
    unclear = entry.kind == "respond" or (overtaken and bench.rules.conflict != "remote")
    age_s = (bench.clock.now() - entry.since).total_seconds()
    drop = DropOutbox(entry.number)
    if unclear and entry.mail_kind:
        verdict = await _verdict(bench, entry)
        if verdict is not None and verdict.kind in ("approved", "discarded"):
            return await _told(bench, entry, record, verdict)
        if 0 <= age_s < CANNOT_TELL_S:
            return False
        return await _cannot_tell(bench, entry)
    if entry.mail_kind and 0 <= age_s < LOOK_TWICE_S:
        await bench.clock.sleep(LOOK_TWICE_S - age_s)
        return await _doubtful_change(bench, entry, round_)
    await bench.store.commit(bench.key, [drop, Todo(entry.uid)])
    return True


async def _told(
    bench: Bench, entry: OutboxEntry, record: ItemRecord, verdict: VerdictRecord
) -> bool:
    """A person said "send again" (approved: planned anew) or "was sent" (discarded: agreed)."""
    changes: list[Change] = [DropOutbox(entry.number), ClearVerdict(verdict.problem)]
    if verdict.kind == "discarded":
        changes.append(PutItem(agreed_record(record, entry)))
    await bench.store.commit(bench.key, [*changes, Todo(entry.uid), PutProblems(entry.uid)])
    return True


async def _doubtful_wish(bench: Bench, entry: OutboxEntry, round_: RoundId) -> bool:
    """What a person asked for by a command: seen on the event, or a matter for them again."""
    assert entry.graph_id is not None
    verdict = await _verdict(bench, entry)
    answer = await bench.remote.read(bench.dialect.event(bench.calendar.id, entry.graph_id))
    if answer.status == 404:
        remotes = await bench.store.remotes_by_id(bench.key, [entry.graph_id])
        if not await is_gone(bench, entry.graph_id, remotes.get(entry.graph_id), None):
            return False
    leaves = entry.kind == "cancel" or entry.action == "decline"
    seen = is_seen(entry, answer) or (leaves and await _is_in_deleted_items(bench, entry))
    changes: list[Change] = [DropOutbox(entry.number)]
    if verdict is not None:
        changes += [ClearVerdict(verdict.problem), PutProblems(entry.uid), Todo(entry.uid)]
    if seen or (verdict is not None and verdict.kind == "discarded"):
        await bench.store.commit(bench.key, changes + sent(bench, entry, round_))
        return True
    if not entry.mail_kind or verdict is not None:
        # Nobody is mailed, or a person said "send again".
        ready = replace(entry, state="ready")
        await bench.store.commit(bench.key, [*changes, PutOutbox(ready)])
        return True
    age_s = (bench.clock.now() - entry.since).total_seconds()
    if 0 <= age_s < CANNOT_TELL_S:
        return False
    return await _cannot_tell(bench, entry)


async def _doubtful_attachment(bench: Bench, entry: OutboxEntry, round_: RoundId) -> bool:
    """The list tells; what it does not show after a while did not get through."""
    assert entry.graph_id is not None
    drop: list[Change] = [DropOutbox(entry.number), Todo(entry.uid)]
    if entry.graph_id not in await bench.store.remotes_by_id(bench.key, [entry.graph_id]):
        await bench.store.commit(bench.key, drop)
        return True
    body = msgspec.json.decode(entry.body, type=dict[str, str])
    row = await find_attached(bench, entry.graph_id, body)
    if row is not None and row != "unknown":
        changes = await attached_changes(bench, entry.graph_id, entry.action, row)
        await bench.store.commit(bench.key, [*drop, *changes, *sent(bench, entry, round_)])
        return True
    if 0 <= (bench.clock.now() - entry.since).total_seconds() < CANNOT_TELL_S:
        return False
    verdict = await _verdict(bench, entry)
    if row == "unknown" and verdict is None:
        return await _cannot_tell(bench, entry)
    if verdict is not None:
        drop += [ClearVerdict(verdict.problem), PutProblems(entry.uid)]
    await bench.store.commit(bench.key, drop)
    return True


async def _is_in_deleted_items(bench: Bench, entry: OutboxEntry) -> bool:
    """What is deleted may go on answering from there."""
    assert entry.graph_id is not None
    home = await bench.remote.read(bench.dialect.calendar_of(bench.calendar.id, entry.graph_id))
    return is_elsewhere(home, bench)


def _spent(bench: Bench, entry: OutboxEntry) -> list[Change]:
    """What a person approved was done: it is not approved for another time."""
    if not entry.mail_kind:
        return []
    kind: Any = entry.mail_kind
    slot = "" if kind == "invitations" else entry.slot
    calendar = bench.calendar
    listed = problem_id(
        calendar.account, calendar.id, entry.uid, "held-mail", mail_code(kind), slot
    )
    return [ClearVerdict(listed)]


async def _verdict(bench: Bench, entry: OutboxEntry) -> VerdictRecord | None:
    return (await bench.store.verdicts()).get(_doubt_id(bench, entry))


def _doubt_id(bench: Bench, entry: OutboxEntry) -> Any:
    calendar = bench.calendar
    slot = entry.action if entry.kind == "attach" else entry.slot
    return problem_id(calendar.account, calendar.id, entry.uid, "in-doubt", entry.kind, slot)


async def _cannot_tell(bench: Bench, entry: OutboxEntry) -> bool:
    expected = entry.expects
    title = expected.master.subject if expected is not None else await title_of(bench, entry.uid)
    problem = Problem(
        id=_doubt_id(bench, entry),
        kind="in-doubt",
        code=f"{entry.kind}-in-doubt",
        needs_person=True,
        account=bench.calendar.account,
        calendar=bench.calendar.name,
        uid=entry.uid,
        file="",
        summary=title,
        line=0,
        reason="its answer was lost, and looking does not tell whether it took effect",
        hint="`syncd approve ID` sends it again, `syncd discard ID` says that it was sent.",
        since=entry.since,
        mail_class=entry.mail_kind,
        to=entry.mails,
    )
    await bench.store.commit(bench.key, [PutProblems(entry.uid, (problem,))])
    return False
