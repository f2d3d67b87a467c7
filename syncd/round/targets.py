"""
What writes are about to meet, looked at once more where a mail or another's edit hangs on it.

Whether Graph honours If-Match on events is not documented: whoever was invited since an event was
planned would be mailed by a write that was to be silent. So where the policy does not simply let
such a mail go, people are asked for right before; so is a series that is about to lose exceptions.
If-Match covers the rest where it is honoured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import msgspec

from syncd.core.decide import Merged
from syncd.core.errors import RefusedByService
from syncd.core.ids import GraphId
from syncd.core.mail import SILENT_FIELDS, Mailing, deletion, update
from syncd.core.plan import ItemPlan, Write
from syncd.core.state import Doubt, PutDoubt
from syncd.core.wire.graph import AttachmentRow, RemoteEvent, decode_event
from syncd.ports import Answer
from syncd.round.attached import attached_changes, find_attached
from syncd.round.desk import Bench
from syncd.round.requests import has_moved, occurrence_of, settle_missing

__all__ = ["Target", "targets"]


@dataclass(frozen=True, slots=True)
class Target:
    """
    A write and the event that it meets, None for one that it makes.

    `etag` is the version that it was planned for; `event` what was read of it just now.
    """

    plan: ItemPlan
    write: Write
    graph_id: GraphId | None
    etag: str
    event: RemoteEvent | None = None


async def targets(
    bench: Bench, heads: Sequence[tuple[ItemPlan, Write]]
) -> tuple[list[Target], bool]:
    """
    What may leave as it was planned, and whether the next round plans something anew.

    Raises: SyncdError: the service cannot be asked.
    """
    found: list[Target] = []
    again = False
    for plan, write in heads:
        if write.reshapes and await _was_reshaped(bench, plan):
            again = True
            continue
        target = await _target(bench, plan, write)
        if target is None:
            again |= await settle_missing(bench, plan, write)
        else:
            found.append(target)
    found, met = await _not_there_yet(bench, found)
    again |= met
    found = await _looked_at(bench, found)
    surprised = [one for one in found if _mails_others(bench, one)]
    await bench.store.commit(bench.key, [_ask_about(one) for one in surprised])
    return [one for one in found if one not in surprised], again or bool(surprised)


async def _not_there_yet(bench: Bench, found: Sequence[Target]) -> tuple[list[Target], bool]:
    """
    Without the files that hang on their events already: a lost state, or another machine, has sent
    them before. Whether there are any.
    """
    left: list[Target] = []
    for one in found:
        row = await _met(bench, one)
        if one.graph_id is None or row is None:
            left.append(one)
            continue
        changes = await attached_changes(bench, one.graph_id, one.write.action, row)
        await bench.store.commit(bench.key, changes)
    return left, len(left) < len(found)


async def _met(bench: Bench, one: Target) -> AttachmentRow | None:
    if one.write.kind != "attach" or one.graph_id is None:
        return None
    row = await find_attached(bench, one.graph_id, one.write.body)
    return row if row != "unknown" else None


async def _was_reshaped(bench: Bench, plan: ItemPlan) -> bool:
    """
    Whether a series whose time or rule is to change has news by now.

    The service drops its exceptions then, and those that nobody has told of could not be put again.
    """
    assert plan.sides.remote is not None
    return await has_moved(bench, plan.sides.remote.record)


async def _target(bench: Bench, plan: ItemPlan, write: Write) -> Target | None:
    if not write.slot or write.graph_id is not None:
        return Target(plan, write, write.graph_id, write.before_etag)
    found = await _found_occurrence(bench, plan, write.slot)
    if found is None:
        return None
    event, is_fresh = found
    # A write of ours to another slot of the series may have moved what is known of this one.
    is_first = write is plan.writes[0]
    etag = (event.etag or "") if is_fresh or is_first else ""
    return Target(plan, write, GraphId(event.id), etag, event if is_fresh else None)


async def _found_occurrence(
    bench: Bench, plan: ItemPlan, slot: str
) -> tuple[RemoteEvent, bool] | None:
    """One series that may not or cannot be read is no reason to hold up all other writes."""
    try:
        assert plan.sides.remote is not None
        return await occurrence_of(bench, plan.sides.remote, slot)
    except (RefusedByService, ValueError, msgspec.DecodeError) as error:
        bench.observe("event.unreadable", {"reason": str(error)[:200]})
        return None


async def _looked_at(bench: Bench, found: Sequence[Target]) -> list[Target]:
    """With the people of every event whose write might mail what has to wait."""
    asked = {
        one.graph_id: bench.dialect.people(bench.calendar.id, one.graph_id)
        for one in found
        if one.graph_id is not None and one.event is None and _is_watched(bench, one)
    }
    answers = dict(zip(asked, await bench.remote.read_all([*asked.values()]), strict=True))
    return [
        _with_answer(one, answers[one.graph_id]) if one.graph_id in answers else one
        for one in found
    ]


def _with_answer(one: Target, answer: Answer) -> Target:
    """What cannot be read, as no refusal can, is left to the write: its own answer tells."""
    try:
        event = decode_event(answer.body)
    except msgspec.DecodeError:
        return one
    return replace(one, event=event, etag=one.etag or event.etag or "")


def _is_watched(bench: Bench, one: Target) -> bool:
    """
    Whether the write could mail somebody, which the policy does not simply let go.

    The policy is about what people changed: what a lost state left apart, nobody did.
    """
    rules = bench.rules.mail
    nobodys = isinstance(one.plan.decision, Merged) and one.plan.decision.adopting
    match one.write.kind:
        case "patch":
            loud = any(key.name not in SILENT_FIELDS for key in one.write.keys)
            return loud and (nobodys or rules.updates != "send")
        case "delete" | "delete-occurrence":
            return nobodys or rules.cancellations != "send"
        case "create" | "respond" | "attach":
            return False
        case _:
            assert_never(one.write.kind)


def _mails_others(bench: Bench, one: Target) -> bool:
    """Whether it would mail somebody whom its plan did not name."""
    if one.event is None or not _is_watched(bench, one):
        return False
    now = _mailing(bench, one.write, one.event)
    planned = one.write.mailing.to if one.write.mailing is not None else ()
    return now is not None and not _folded(now.to) <= _folded(planned)


def _folded(addresses: Iterable[str]) -> set[str]:
    return {address.casefold() for address in addresses}


def _mailing(bench: Bench, write: Write, event: RemoteEvent) -> Mailing | None:
    if write.kind == "patch":
        return update(event, None, bench.owner)
    return deletion(event, bench.owner)


def _ask_about(one: Target) -> PutDoubt:
    assert one.plan.sides.remote is not None
    return PutDoubt(Doubt(one.plan.sides.remote.record.graph_id, "unseen"))
