"""
Series in full: original starts of exceptions, and cancelled slots where the service is silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from syncd.core.delta import (
    Endless,
    LoopGuard,
)
from syncd.core.errors import BadAnswer, RefusedByService
from syncd.core.event import Item, slot_of
from syncd.core.ids import GraphId
from syncd.core.recurrence import occurrences
from syncd.core.state import (
    View,
)
from syncd.core.wire.graph import RemoteEvent, decode_event, exception_slots, read_item
from syncd.ports import Answer
from syncd.round.desk import Bench

__all__ = ["completed", "decoded"]


async def completed(
    bench: Bench, found: Sequence[tuple[RemoteEvent, bytes]]
) -> list[tuple[RemoteEvent, bytes]]:
    """
    Add what a series' answer may lack: original starts of its exceptions, or, where the service
    does not tell cancelled slots, the slots at which the living instances are missing.
    """
    done: list[tuple[RemoteEvent, bytes]] = []
    for event, raw in found:
        try:
            done.append(await _completed_one(bench, event, raw))
        except (RefusedByService, ValueError) as error:
            bench.observe("event.unreadable", {"reason": str(error)[:200]})
    return done


async def _completed_one(bench: Bench, event: RemoteEvent, raw: bytes) -> tuple[RemoteEvent, bytes]:
    if event.recurrence is None:
        return event, raw
    if event.cancelled_occurrences is None:
        return await _from_instances(bench, event, raw)
    return await _with_original_starts(bench, event, raw)


async def _with_original_starts(
    bench: Bench, event: RemoteEvent, raw: bytes
) -> tuple[RemoteEvent, bytes]:
    bare = [
        GraphId(one.id)
        for one in event.exception_occurrences or ()
        if not one.original_start and not one.occurrence_id
    ]
    if not bare:
        return event, raw
    answers = await bench.remote.read_all(
        [bench.dialect.original_start(bench.calendar.id, one) for one in bare]
    )
    starts = {
        one: decoded(answer).original_start
        for one, answer in zip(bare, answers, strict=True)
        if answer.status == 200
    }
    whole = msgspec.json.decode(raw)
    for exception in whole.get("exceptionOccurrences") or ():
        if exception.get("id") in starts:
            exception["originalStart"] = starts[exception["id"]]
    return _reencoded(whole)


def _reencoded(whole: object) -> tuple[RemoteEvent, bytes]:
    raw = msgspec.json.encode(whole)
    return decode_event(raw), raw


async def _from_instances(
    bench: Bench, event: RemoteEvent, raw: bytes
) -> tuple[RemoteEvent, bytes]:
    view = await bench.store.view(bench.key)
    if view is None:
        return event, raw
    rows = await _instances(bench, GraphId(event.id), view)
    living: set[str] = set()
    exceptions = []
    for row in rows:
        one = decode_event(row)
        if one.type == "exception":
            exceptions.append(msgspec.json.decode(row))
        elif one.start is not None:
            living.add(_day_of(one, bench))
    item = read_item(event, bench.owner)
    whole = msgspec.json.decode(raw)
    whole["exceptionOccurrences"] = exceptions
    whole["cancelledOccurrences"] = []
    with_exceptions, _ = _reencoded(whole)
    moved = {slot.isoformat() for slot in exception_slots(with_exceptions, bench.owner)}
    whole["cancelledOccurrences"] = [
        f"OID.{event.id}.{slot}"
        for slot in _expected(item, view, bench)
        if slot not in living and slot not in moved
    ]
    return _reencoded(whole)


async def _instances(bench: Bench, master: GraphId, view: View) -> list[msgspec.Raw]:
    request = bench.dialect.instances(bench.calendar.id, master, view.start, view.end)
    rows: list[msgspec.Raw] = []
    guard = LoopGuard()
    while True:
        page = bench.dialect.read_list(await bench.remote.read(request), "instances")
        try:
            guard.check(page.value, page.next_link)
        except Endless:
            raise BadAnswer("the service lists instances in an endless circle") from None
        rows.extend(page.value)
        if not page.next_link:
            return rows
        request = bench.dialect.follow(page.next_link, "instances")


def _day_of(occurrence: RemoteEvent, bench: Bench) -> str:
    item = read_item(occurrence, bench.owner)
    return slot_of(item.master.when).isoformat()


def _expected(item: Item, view: View, bench: Bench) -> list[str]:
    """The slots that the rule puts well inside the view (a day off each edge, for zones)."""
    assert item.recurrence is not None
    first, last = view.start.date() + timedelta(days=2), view.end.date() - timedelta(days=2)
    slots = []
    for day in occurrences(item.recurrence, slot_of(item.master.when), from_date=first):
        if day > last:
            break
        slots.append(day.isoformat())
    return slots


def decoded(answer: Answer) -> RemoteEvent:
    try:
        return decode_event(answer.body)
    except msgspec.DecodeError as error:
        raise BadAnswer(f"the service's event cannot be read: {error}") from None
