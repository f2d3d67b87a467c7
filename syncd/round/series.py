"""
Series in full: original starts of exceptions, and cancelled slots where the service is silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from syncd.core.delta import (
    Endless,
    LoopGuard,
    Window,
)
from syncd.core.errors import BadAnswer, RefusedByService
from syncd.core.event import Item, slot_of
from syncd.core.ids import GraphId
from syncd.core.recurrence import occurrences
from syncd.core.wire.graph import (
    RemoteEvent,
    decode_event,
    exception_slots,
    occurrence_slots,
    read_item,
)
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
    window = await _looked_at(bench, event, Window(view.start, view.end))
    rows = await _instances(bench, GraphId(event.id), window)
    instances = [decode_event(row) for row in rows]
    exceptions = [
        msgspec.json.decode(row)
        for row, one in zip(rows, instances, strict=True)
        if one.type == "exception"
    ]
    plain = [one for one in instances if one.type != "exception"]
    living = {slot.isoformat() for slot, _ in occurrence_slots(plain, event, bench.owner)}
    item = read_item(event, bench.owner)
    whole = msgspec.json.decode(raw)
    whole["exceptionOccurrences"] = exceptions
    whole["cancelledOccurrences"] = []
    with_exceptions, _ = _reencoded(whole)
    moved = {slot.isoformat() for slot in exception_slots(with_exceptions, bench.owner)}
    whole["cancelledOccurrences"] = [
        f"OID.{event.id}.{slot}"
        for slot in _expected(item, window)
        if slot not in living and slot not in moved
    ]
    return _reencoded(whole)


async def _looked_at(bench: Bench, event: RemoteEvent, view: Window) -> Window:
    """
    The view, and as far beyond it as occurrences are known to be edited or cancelled.

    A view that moves on leaves them behind, which takes nothing back.
    """
    records = await bench.store.remotes_by_id(bench.key, [GraphId(event.id)])
    items = await bench.store.items(bench.key, [one.uid for one in records.values()])
    bases = [one.base_remote for one in items.values() if one.base_remote is not None]
    days = [day for base in bases for day in _edited_days(base)]
    if not days:
        return view
    first, last = (datetime.combine(day, time(), UTC) for day in (min(days), max(days)))
    return Window(min(view.start, first - 2 * MARGIN), max(view.end, last + 2 * MARGIN))


MARGIN = timedelta(days=2)
"""A day for the zone, and one more for an occurrence that begins the day before."""


def _edited_days(base: Item) -> Iterator[date]:
    yield from base.cancelled
    for slot, own in base.overrides.items():
        yield slot
        if not isinstance(own.when, msgspec.UnsetType):
            yield slot_of(own.when)


MOST_AT_ONCE = timedelta(days=1800)
"""Graph lists no more than 1,825 days at once."""


async def _instances(bench: Bench, master: GraphId, window: Window) -> list[msgspec.Raw]:
    """The rows of all instances in a window, each once."""
    rows: dict[str, msgspec.Raw] = {}
    start = window.start
    while start < window.end:
        end = min(window.end, start + MOST_AT_ONCE)
        for row in await _instances_between(bench, master, start, end):
            rows[decode_event(row).id] = row
        start = end
    return list(rows.values())


async def _instances_between(
    bench: Bench, master: GraphId, start: datetime, end: datetime
) -> list[msgspec.Raw]:
    request = bench.dialect.instances(bench.calendar.id, master, start, end)
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


def _expected(item: Item, window: Window) -> list[str]:
    """The slots that the rule puts well inside the window."""
    assert item.recurrence is not None
    first, last = window.start.date() + MARGIN, window.end.date() - MARGIN
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
