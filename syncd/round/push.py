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
from typing import assert_never

import msgspec

from syncd.core.decide import Merged
from syncd.core.errors import LoginNeeded, SyncdError
from syncd.core.ids import GraphId, RoundId, TransactionId, Uid
from syncd.core.plan import ItemPlan, Write
from syncd.core.state import (
    DropOutbox,
    OutboxEntry,
    PutItem,
    PutOutbox,
)
from syncd.core.wire.graph import held_with
from syncd.ports import Answer, Answered, Lost, Unsent, WriteOutcome
from syncd.round.desk import Bench
from syncd.round.requests import request_of
from syncd.round.settle import Leaving, reread_series, settle_accepted, settle_refused
from syncd.round.targets import Target, targets

__all__ = ["Pushed", "push"]


AT_ONCE = 20

_AGAIN = uuid.UUID("5b0a7c9e-3f43-4c2e-9a54-6d2f7b1c8e10")


@dataclass(slots=True)
class Pushed:
    """What came of a round's writes: the first trouble that passes, and whether more is to do."""

    trouble: SyncdError | None = None
    again: bool = False


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
    found, again = await targets(bench, heads)
    pushed.again |= again
    leaving = [_leaving(bench, one) for one in found]
    numbers = await bench.store.new_outbox(bench.key, [one.entry for one in leaving])
    leaving = [
        replace(one, entry=replace(one.entry, number=number))
        for one, number in zip(leaving, numbers, strict=True)
    ]
    outcomes = await bench.remote.write_all([one.request for one in leaving])
    accepted: list[tuple[Leaving, Answer]] = []
    reread: list[GraphId] = []
    for one, outcome in zip(leaving, outcomes, strict=True):
        is_accepted = await _settle(bench, one, outcome, round_, pushed, reread)
        if is_accepted and isinstance(outcome, Answered):
            accepted.append((one, outcome.answer))
    if reread:
        await reread_series(bench, accepted, reread)
    bench.observe("writes.settled", {"count": len(leaving)})
    going_on = {one.plan.uid for one, _ in accepted}
    held_up = [one for one, write in heads if write.kind != "attach" and one.uid not in going_on]
    await _meet_anew(bench, held_up)
    return going_on


async def _meet_anew(bench: Bench, plans: Sequence[ItemPlan]) -> None:
    """
    Forget the bases of what is linked without a common one, and of which a write did not get
    through.

    What a lost state left apart is nobody's edit: it is weighed anew, with the guests that the
    event may have by then.
    """
    linked = [
        one.uid for one in plans if isinstance(one.decision, Merged) and one.decision.adopting
    ]
    if linked:
        items = await bench.store.items(bench.key, linked)
        bare = [
            replace(one, base_local=None, base_remote=None, fingerprint=None, stat=None)
            for one in items.values()
        ]
        await bench.store.commit(bench.key, [PutItem(one) for one in bare])


def _leaving(bench: Bench, target: Target) -> Leaving:
    plan, write = target.plan, target.write
    transaction = _transaction_id(plan.uid, write) if write.kind == "create" else None
    body = held_with(write.body, bench.calendar.meetings_by)
    if transaction is not None:
        body["transactionId"] = transaction
    entry = OutboxEntry(
        0,
        plan.uid,
        write.kind,
        write.slot,
        target.graph_id,
        write.action,
        msgspec.json.encode(body),
        transaction,
        "sent",
        bench.clock.now(),
        tuple(sorted((key.slot, key.name) for key in write.keys)),
        write.expects,
        target.etag,
        write.mailing.addressed if write.mailing else (),
        write.mailing.kind if write.mailing else "",
    )
    return Leaving(plan, write, entry, request_of(bench, entry))


def _transaction_id(uid: Uid, write: Write) -> TransactionId:
    """
    A fresh one, since deleting an event does not certainly free its own.

    What is made in another event's place gets the one that every installation would give it: of
    two that make it at the same time the service takes one.
    """
    if not write.action:
        return TransactionId(str(uuid.uuid4()))
    return TransactionId(str(uuid.uuid5(_AGAIN, f"{uid}\0{write.action}")))


async def _settle(
    bench: Bench,
    one: Leaving,
    outcome: WriteOutcome,
    round_: RoundId,
    pushed: Pushed,
    reread: list[GraphId],
) -> bool:
    """Settle one outcome in one transaction; whether the write was accepted."""
    match outcome:
        case Answered(answer) if answer.is_success:
            await settle_accepted(bench, one, answer, round_, reread)
            pushed.again = True
            return True
        case Answered(answer):
            pushed.again |= await settle_refused(bench, one, answer, round_)
        case Lost(reason):
            bench.counts.in_doubt += 1
            bench.observe("write.lost", {"kind": one.entry.kind, "reason": reason})
            entry = replace(one.entry, state="doubt")
            await bench.store.commit(bench.key, [PutOutbox(entry)])
            pushed.again = True
        case Unsent(error):
            await bench.store.commit(bench.key, [DropOutbox(one.entry.number)])
            pushed.trouble = _graver(pushed.trouble, error)
        case _:
            assert_never(outcome)
    return False


def _graver(before: SyncdError | None, error: SyncdError) -> SyncdError:
    """Of several troubles the first is told, but a login that is needed before all."""
    return error if before is None or isinstance(error, LoginNeeded) else before
