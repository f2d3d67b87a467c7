"""
What a page only hinted at, settled by reads by id: touched series, new events, and what a view
does not show, which may be gone, elsewhere, outside the window, or there after all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from syncd.core.delta import (
    Endless,
    LoopGuard,
    Window,
)
from syncd.core.errors import BadAnswer
from syncd.core.event import AllDay, Item, When, slot_of
from syncd.core.ids import GraphId, Uid
from syncd.core.merge import changed
from syncd.core.recurrence import occurrences
from syncd.core.state import (
    Change,
    Doubt,
    DoubtKind,
    DropDoubt,
    DropRemote,
    FieldTimes,
    PutDoubt,
    PutRemote,
    PutView,
    RemoteRecord,
    View,
)
from syncd.core.wire.graph import RemoteEvent, Row, decode_event, read_item, uid_of
from syncd.core.zones import WindowsZone, instant
from syncd.ports import Answer, Request
from syncd.round.attached import ask_attached, to_be_asked, with_known_list
from syncd.round.desk import LAG_S, Bench
from syncd.round.linking import Links
from syncd.round.series import completed, decoded

__all__ = [
    "DOUBTS_AT_ONCE",
    "ask_doubts",
    "fetch_events",
    "is_elsewhere",
    "is_gone",
    "is_recent",
    "record_of",
    "refetch",
    "sweep",
    "unique_uid",
]


DOUBTS_AT_ONCE = 200


def unique_uid(uid: Uid, graph_id: GraphId, used: set[Uid]) -> Uid:
    """Copies of a meeting share their iCalUId; a folder cannot hold a UID twice."""
    if uid not in used:
        return uid
    return Uid(f"{uid}-{graph_id[-12:]}")


def record_of(
    event: RemoteEvent | Row,
    raw: bytes,
    uid: Uid,
    sweep: int,
    bench: Bench,
    before: RemoteRecord | None = None,
) -> RemoteRecord:
    """An event as the store keeps it. Args: before: how the store has had it until now."""
    return RemoteRecord(
        GraphId(event.id),
        uid,
        event.etag or "",
        with_known_list(event, raw, before),
        bench.clock.now(),
        sweep,
        False,
        tuple(GraphId(one.id) for one in event.exception_occurrences or ()),
        _field_times(bench, before, raw),
    )


def _field_times(bench: Bench, before: RemoteRecord | None, raw: bytes) -> FieldTimes | None:
    """When each field was seen to change: only `newest` asks, and reading twice has its price."""
    if before is None or bench.rules.conflict != "newest":
        return None
    try:
        old, new = (read_item(decode_event(one), bench.owner) for one in (before.raw, raw))
    except (ValueError, msgspec.DecodeError):
        return None
    times = before.field_times or FieldTimes(before.seen_at)
    return times.moved(changed(old, new, local=False), bench.clock.now())


async def ask_doubts(bench: Bench, view: View) -> set[GraphId]:
    """Ask by id about everything that pages only hinted at; what the next round asks again."""
    kept: set[GraphId] = set()
    behind: set[GraphId] = set()
    while doubts := await _doubts(bench, kept | behind):
        by_kind: dict[DoubtKind, list[GraphId]] = {}
        for doubt in doubts:
            by_kind.setdefault(doubt.kind, []).append(doubt.graph_id)
        known = await bench.store.remotes_by_id(bench.key, [one.graph_id for one in doubts])
        # What is gone comes first: an event that was made again takes the UID of the one before.
        settled: set[GraphId] = set()
        unproved: tuple[DoubtKind, ...] = ("removed", "unseen")
        for kind in unproved:
            ids = [one for one in by_kind.get(kind, ()) if one not in settled]
            kept |= await _verify(bench, ids, known, view, kind=kind)
            settled |= set(ids)
        asked: tuple[DoubtKind, ...] = ("series", "fetch")
        for kind in asked:
            ids = [one for one in by_kind.get(kind, ()) if one not in settled]
            kept |= await fetch_events(
                bench, ids, known, sweep=view.sweep, links=None, drop=kind, view=view
            )
        attached = by_kind.get("attached", ())
        ids = [one for one in attached if one not in settled | kept]
        behind |= await ask_attached(bench, ids)
        bench.observe("doubts.settled", {"count": len(doubts)})
    return kept


async def _doubts(bench: Bench, kept: set[GraphId]) -> list[Doubt]:
    """The next to be asked about; an event has at most five."""
    found = await bench.store.doubts(bench.key, DOUBTS_AT_ONCE + 5 * len(kept))
    return [one for one in found if one.graph_id not in kept][:DOUBTS_AT_ONCE]


async def refetch(bench: Bench, series: Sequence[GraphId]) -> set[GraphId]:
    """Read some series again after a write of ours; those of which a 404 is not believed yet."""
    known = await bench.store.remotes_by_id(bench.key, series)
    view = await bench.store.view(bench.key)
    sweep = view.sweep if view is not None else 0
    return await fetch_events(bench, series, known, sweep=sweep, links=None, drop="series")


# --- a 404 that may be too early -----------------------------------------------------------------


BELIEVED_AFTER_S = 40.0
"""A 404 that comes for so long is no lag: within the minute that `syncd sync` waits."""


def is_recent(bench: Bench, record: RemoteRecord) -> bool:
    """Whether the event was written or seen a moment ago, by either of the clocks that tell it."""
    # Which one was right when it was seen is not known: a clock that jumped since makes it old.
    earliest = min(bench.clock.now(), bench.true_now())
    return (earliest - record.seen_at).total_seconds() < LAG_S


async def is_gone(
    bench: Bench,
    graph_id: GraphId,
    record: RemoteRecord | None,
    view: View | None,
    *,
    shown: bool = False,
) -> bool:
    """
    Whether a 404 says that an event is gone.

    Exchange answers from several copies of a mailbox, and one may not have yet what another has
    shown (Graph documentation, "Known issues": 404 right after a create). Of what was there a
    moment ago it is believed once it has come for a while, and a fresh view shows nothing either.

    Args:
        record: None for what is new, or, without a view, for what is gone already.
        shown: a page, or the answer to a write of ours, has just told of it.
    """
    if record is None and view is None:
        return True
    recent = shown or record is None or is_recent(bench, record)
    if not recent and graph_id not in bench.denied:
        return True
    now_s = bench.clock.monotonic_s()
    if now_s - bench.denied.setdefault(graph_id, now_s) < BELIEVED_AFTER_S:
        bench.observe("event.denied", {})
        return False
    del bench.denied[graph_id]
    return record is None or view is None or not await _is_still_shown(bench, record, view)


async def _is_still_shown(bench: Bench, record: RemoteRecord, view: View) -> bool:
    event = decode_event(record.raw)
    return _is_inside(event, bench, view) is True and await _is_shown(bench, event, view)


async def fetch_events(
    bench: Bench,
    ids: Sequence[GraphId],
    known: Mapping[GraphId, RemoteRecord],
    *,
    sweep: int,
    links: Links | None,
    drop: DoubtKind,
    view: View | None = None,
) -> set[GraphId]:
    """
    Read whole events: series with their exceptions and cancelled slots.

    Returns: those of which a 404 is not believed yet; their doubt stays.
    """
    kept: set[GraphId] = set()
    ask = bench.dialect.series if drop == "series" else bench.dialect.event
    answers = await bench.remote.read_all([ask(bench.calendar.id, one) for one in ids])
    found: list[tuple[RemoteEvent, bytes]] = []
    changes: list[Change] = []
    for graph_id, answer in zip(ids, answers, strict=True):
        if answer.status != 404:
            bench.denied.pop(graph_id, None)
        elif not await is_gone(bench, graph_id, known.get(graph_id), view, shown=True):
            kept.add(graph_id)
            changes.append(PutDoubt(Doubt(graph_id, drop)))
            continue
        changes.append(DropDoubt(Doubt(graph_id, drop)))
        if answer.status == 404:
            if graph_id in known:
                changes.append(DropRemote(graph_id))
        elif answer.status >= 300:
            # One event that may not be read is no reason to stop all the others.
            bench.observe("event.refused", {"status": answer.status})
        else:
            found += _readable(bench, answer)
    if drop == "series":
        found = await completed(bench, found)
    changes += await _found_changes(bench, found, known, sweep, links)
    changes += _more_of_series(found) if drop != "series" else []
    await bench.store.commit(bench.key, changes)
    return kept


def _readable(bench: Bench, answer: Answer) -> list[tuple[RemoteEvent, bytes]]:
    """One event that cannot be read is no reason to stop all the others."""
    try:
        return [(decoded(answer), answer.body)]
    except BadAnswer as error:
        bench.observe("event.unreadable", {"reason": str(error)[:200]})
        return []


def _more_of_series(found: Sequence[tuple[RemoteEvent, bytes]]) -> list[Change]:
    """A series that was fetched as a plain event lacks its exceptions and cancelled slots."""
    return [
        PutDoubt(Doubt(GraphId(event.id), "series"))
        for event, _ in found
        if event.recurrence is not None
    ]


async def _found_changes(
    bench: Bench,
    found: Sequence[tuple[RemoteEvent, bytes]],
    known: Mapping[GraphId, RemoteRecord],
    sweep: int,
    links: Links | None,
) -> list[Change]:
    by_link = links.uids if links is not None else {}
    uids = {
        event.id: by_link.get(GraphId(event.id)) or uid_of(event)
        for event, _ in found
        if GraphId(event.id) not in known
    }
    taken = await bench.store.remotes_by_uid(bench.key, uids.values())
    used = {uid for uid, records in taken.items()}
    changes: list[Change] = []
    for event, raw in found:
        record = known.get(GraphId(event.id))
        if record is None:
            if event.is_draft or event.type in ("occurrence", "exception"):
                continue
            uid = uids[event.id]
            same = [one for one in taken.get(uid, ()) if one.graph_id == event.id]
            uid = uid if same else unique_uid(uid, GraphId(event.id), used)
            used.add(uid)
        else:
            uid = record.uid
        fresher = record_of(event, raw, uid, sweep, bench, record)
        changes += [PutRemote(fresher), *to_be_asked(bench, event, record)]
        bench.received(news=record is None or record.raw != fresher.raw)
    return changes


async def _verify(
    bench: Bench,
    ids: Sequence[GraphId],
    known: Mapping[GraphId, RemoteRecord],
    view: View,
    *,
    kind: DoubtKind,
) -> set[GraphId]:
    """
    Ask for what a view does not show: gone, elsewhere, outside, or there after all.

    A 404 for what a view names as removed, and should show, is believed at once: two have said it.
    Returns: those of which a 404 is not believed yet; their doubt stays.
    """
    gone: list[GraphId] = []
    kept: set[GraphId] = set()
    alive: list[tuple[RemoteEvent, bytes]] = []
    asked = [one for one in ids if one in known]
    answers = await bench.remote.read_all([_ask_again(bench, known[one]) for one in asked])
    for graph_id, answer in zip(asked, answers, strict=True):
        if answer.status != 404:
            bench.denied.pop(graph_id, None)
            alive += _told(bench, answer)
        elif await _is_believed(bench, known[graph_id], view, kind):
            gone.append(graph_id)
        else:
            kept.add(graph_id)
    changes = [change for one in gone for change in _farewell(one)]
    changes += await _alive_changes(bench, await completed(bench, alive), known, view)
    if bench.comparing and kind == "unseen":
        bench.counts.drift += sum(isinstance(one, DropRemote) for one in changes)
    for one in ids:
        if one not in kept:
            changes += [DropDoubt(Doubt(one, "removed")), DropDoubt(Doubt(one, "unseen"))]
    await bench.store.commit(bench.key, changes)
    return kept


def _told(bench: Bench, answer: Answer) -> list[tuple[RemoteEvent, bytes]]:
    """The event of an answer, if it is one that can be read."""
    if answer.is_success:
        return _readable(bench, answer)
    bench.observe("event.refused", {"status": answer.status})
    return []


async def _is_believed(bench: Bench, record: RemoteRecord, view: View, kind: DoubtKind) -> bool:
    """Whether a 404 means that the event is gone."""
    # A view names also what changed beyond its edges: that says nothing of being gone.
    if kind == "removed" and _belongs_inside(record, bench, view):
        return True
    return await is_gone(bench, record.graph_id, record, view)


def _farewell(graph_id: GraphId) -> list[Change]:
    """Nothing is left to ask of it."""
    asked: tuple[DoubtKind, ...] = ("series", "fetch", "attached")
    doubts = (Doubt(graph_id, kind) for kind in asked)
    return [DropRemote(graph_id), *map(DropDoubt, doubts)]


def _ask_again(bench: Bench, record: RemoteRecord) -> Request:
    is_series = decode_event(record.raw).recurrence is not None
    ask = bench.dialect.series if is_series else bench.dialect.event
    return ask(bench.calendar.id, record.graph_id)


async def _alive_changes(
    bench: Bench,
    alive: Sequence[tuple[RemoteEvent, bytes]],
    known: Mapping[GraphId, RemoteRecord],
    view: View,
) -> list[Change]:
    """An answer proves no life: Deleted Items and other calendars answer as well."""
    homes = await bench.remote.read_all(
        [bench.dialect.calendar_of(bench.calendar.id, GraphId(event.id)) for event, _ in alive]
    )
    changes: list[Change] = []
    for (event, raw), home in zip(alive, homes, strict=True):
        graph_id = GraphId(event.id)
        before = known[graph_id]
        record = record_of(event, raw, before.uid, view.sweep, bench, before)
        changes += to_be_asked(bench, event, before)
        if is_elsewhere(home, bench):
            changes.append(DropRemote(graph_id))
        elif (inside := _is_inside(event, bench, view)) is None:
            changes.append(PutRemote(record))
        elif not inside:
            changes.append(PutRemote(replace(record, outside=True)))
        elif await _is_shown(bench, event, view):
            changes.append(PutRemote(record))
        else:
            changes.append(DropRemote(graph_id))
    return changes


def is_elsewhere(home: Answer, bench: Bench) -> bool:
    """Whether the answer about an event's calendar names another one, such as Deleted Items."""
    if home.status != 200:
        return False
    try:
        found = msgspec.json.decode(home.body)
    except msgspec.DecodeError:
        return False
    return isinstance(found, dict) and found.get("id", bench.calendar.id) != bench.calendar.id


def _belongs_inside(record: RemoteRecord, bench: Bench, view: View) -> bool:
    try:
        return _is_inside(decode_event(record.raw), bench, view) is True
    except msgspec.DecodeError:
        return False


def _is_inside(event: RemoteEvent, bench: Bench, view: View) -> bool | None:
    """Whether it should be in the view; None where its time cannot be read."""
    try:
        item = read_item(event, bench.owner)
    except ValueError:
        return None
    return _overlaps(item, Window(view.start, view.end), bench)


def _overlaps(item: Item, window: Window, bench: Bench) -> bool:
    """Whether any instance lies in the window; exceptions that moved into it count."""
    whens: list[When] = [item.master.when]
    whens += [
        own.when for own in item.overrides.values() if not isinstance(own.when, msgspec.UnsetType)
    ]
    if any(window.overlaps(*_span(when, bench)) for when in whens):
        return True
    if item.recurrence is None:
        return False
    first = window.start.date() - timedelta(days=1)
    for day in occurrences(item.recurrence, slot_of(item.master.when), from_date=first):
        return day <= window.end.date()
    return False


def _span(when: When, bench: Bench) -> tuple[datetime, datetime]:
    if isinstance(when, AllDay):
        start = datetime(when.start.year, when.start.month, when.start.day)
        end = datetime(when.end.year, when.end.month, when.end.day)
        zone = bench.owner.zone
        return instant(start, zone), instant(end, zone)
    return (
        instant(when.start, WindowsZone(when.start_zone)),
        instant(when.end, WindowsZone(when.end_zone)),
    )


async def _is_shown(bench: Bench, event: RemoteEvent, view: View) -> bool:
    """A fresh view decides about what should be inside the window."""
    window = Window(view.start, view.end)
    item = read_item(event, bench.owner)
    start, end = _span(item.master.when, bench)
    if item.recurrence is None:
        first, last = start - timedelta(days=1), end + timedelta(days=1)
    else:
        first, last = window.start, window.end
    request = bench.dialect.view(bench.calendar.id, first, last, full=False)
    guard = LoopGuard()
    while True:
        page = bench.dialect.read_list(await bench.remote.read(request), "calendarView")
        try:
            guard.check(page.value, page.next_link)
        except Endless:
            raise BadAnswer("the service lists the view in an endless circle") from None
        for raw in page.value:
            shown = decode_event(raw)
            if event.id in (shown.id, shown.series_master_id):
                return True
        if not page.next_link:
            return False
        request = bench.dialect.follow(page.next_link, "calendarView")


async def sweep(bench: Bench, view: View) -> set[GraphId]:
    """
    After a whole view: ask for all that it did not show.

    What lies outside the window is asked for as well, whatever made the view a fresh one: it counts
    as the last true-up, and tokens that die again and again must not put that off for ever.
    Returns: what the next round asks again.
    """
    unseen = await bench.store.unseen(bench.key, view.sweep)
    doubts = [PutDoubt(Doubt(record.graph_id, "unseen")) for record in unseen]
    await bench.store.commit(bench.key, doubts)
    unsure = await ask_doubts(bench, view)
    if view.link is not None:
        swept = replace(view, true_up_at=bench.clock.now())
        await bench.store.commit(bench.key, [PutView(swept)])
    return unsure
