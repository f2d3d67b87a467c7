"""The request of each journaled write, and the occurrences that writes meet."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, assert_never

import msgspec

from syncd.core.decide import Remote
from syncd.core.errors import SyncdError
from syncd.core.merge import changed
from syncd.core.plan import ItemPlan, Write, problem_id, refusal_digest
from syncd.core.plan.values import file_of, summary_of
from syncd.core.state import (
    Doubt,
    OutboxEntry,
    Problem,
    PutDoubt,
    PutProblems,
    RemoteRecord,
)
from syncd.core.wire.dialects.graph_attachments import EventAttachments
from syncd.core.wire.graph import (
    RemoteEvent,
    decode_event,
    exception_slots,
    occurrence_slots,
    read_item,
)
from syncd.ports import Request
from syncd.round.desk import Bench
from syncd.round.doubts import refetch

__all__ = ["has_moved", "occurrence_of", "request_of", "settle_missing"]


def request_of(bench: Bench, entry: OutboxEntry) -> Request:
    calendar, dialect = bench.calendar.id, bench.dialect
    if entry.kind == "create":
        return dialect.create(calendar, entry.body)
    assert entry.graph_id is not None
    match entry.kind:
        case "patch":
            return dialect.patch(calendar, entry.graph_id, entry.body, entry.before_etag)
        case "delete" | "delete-occurrence":
            request = dialect.delete(calendar, entry.graph_id)
            # What was changed since it was last seen is not deleted with it.
            return replace(request, headers=_if_match(entry.before_etag))
        case "attach":
            return EventAttachments(dialect, calendar, entry.graph_id).post(entry.body)
        case "detach":
            return EventAttachments(dialect, calendar, entry.graph_id).remove(entry.action)
        case "respond" | "cancel" | "forward" | "snooze" | "dismiss":
            action: Any = entry.action
            return dialect.act(calendar, entry.graph_id, action, entry.body)
        case _:
            assert_never(entry.kind)


def _if_match(etag: str) -> dict[str, str]:
    return {"If-Match": etag} if etag else {}


async def occurrence_of(bench: Bench, remote: Remote, slot: str) -> tuple[RemoteEvent, bool] | None:
    """
    The occurrence that stands for a slot, and whether it was asked for just now.

    An exception is known by its series; a plain occurrence is found among the instances around
    its start by that start, never by "the first of that day".
    """
    for day, exception in exception_slots(remote.event, bench.owner).items():
        if day.isoformat() == slot:
            return exception, False
    around = datetime.fromisoformat(f"{slot}T00:00:00+00:00")
    request = bench.dialect.instances(
        bench.calendar.id,
        remote.record.graph_id,
        around - timedelta(days=2),
        around + timedelta(days=3),
    )
    page = bench.dialect.read_list(await bench.remote.read(request), "instances")
    plain = [event for raw in page.value if (event := decode_event(raw)).type == "occurrence"]
    found = [
        event
        for day, event in occurrence_slots(plain, remote.event, bench.owner)
        if day.isoformat() == slot
    ]
    return (found[0], True) if len(found) == 1 else None


async def settle_missing(bench: Bench, plan: ItemPlan, write: Write) -> bool:
    """
    What follows where the occurrence of a write is not found: its series is read again.

    A series that stands as it was is listed, and the write waits until it is another.

    Returns: whether the next round may do better: the series has moved, or cannot be read now.
    """
    assert plan.sides.remote is not None
    if await has_moved(bench, plan.sides.remote.record):
        return True
    bench.counts.refused += 1
    problems = (*plan.problems, _not_found(bench, plan, write))
    await bench.store.commit(bench.key, [PutProblems(plan.uid, problems)])
    return False


async def has_moved(bench: Bench, before: RemoteRecord) -> bool:
    """Whether a series, read again, is another than a write was planned for, or cannot be read."""
    try:
        denied = await refetch(bench, [before.graph_id])
    except SyncdError:
        await bench.store.commit(bench.key, [PutDoubt(Doubt(before.graph_id, "series"))])
        return True
    if denied:
        return True
    fresh = await bench.store.remotes_by_id(bench.key, [before.graph_id])
    return before.graph_id not in fresh or _differs(bench, before, fresh[before.graph_id])


def _differs(bench: Bench, one: RemoteRecord, other: RemoteRecord) -> bool:
    """Whether two versions of a series say something else, or cannot be read."""
    try:
        first, second = (read_item(decode_event(it.raw), bench.owner) for it in (one, other))
    except (ValueError, msgspec.DecodeError):
        return True
    return bool(changed(first, second, local=False))


def _not_found(bench: Bench, plan: ItemPlan, write: Write) -> Problem:
    calendar = bench.calendar
    return Problem(
        id=problem_id(calendar.account, calendar.id, plan.uid, "refused", write.kind, write.slot),
        kind="refused",
        code="occurrence-not-found",
        needs_person=True,
        account=calendar.account,
        calendar=calendar.name,
        uid=plan.uid,
        file=file_of(plan.sides),
        summary=summary_of(plan.sides),
        line=0,
        reason=f"the service has no occurrence of {write.slot}: its edit cannot be sent",
        hint="Look at that day in Outlook and edit it there, or change the file again.",
        since=bench.clock.now(),
        fields=tuple(sorted({name for _, name in write.keys})),
        exact=refusal_digest(write),
    )
