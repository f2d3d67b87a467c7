"""The request of each journaled write, and the ids of occurrences."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from syncd.core.event import slot_of
from syncd.core.ids import GraphId
from syncd.core.plan import ItemPlan
from syncd.core.state import (
    OutboxEntry,
)
from syncd.core.wire.graph import (
    RemoteEvent,
    decode_event,
    exception_slots,
    read_item,
)
from syncd.ports import Request
from syncd.round.desk import Bench

__all__ = ["occurrence_id", "request_of"]


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
        case "respond":
            action: Any = entry.action
            return dialect.respond(calendar, entry.graph_id, action, entry.body)


def _if_match(etag: str) -> dict[str, str]:
    return {"If-Match": etag} if etag else {}


async def occurrence_id(bench: Bench, plan: ItemPlan, slot: str) -> GraphId | None:
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
