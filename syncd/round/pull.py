"""
The first steps of a round: pull what moved on the service, and store it.

The cursor moves in the transaction that stores what it paid for. What a page only hints at (a
series was touched, something left the view) is stored as a doubt and settled by a read by id, so
that a killed round goes on where it stopped, and nothing is removed on the word of a view.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec

from syncd.core.delta import (
    Endless,
    LoopGuard,
    PageRows,
    Window,
    due_window,
    next_view,
    read_rows,
)
from syncd.core.errors import BadAnswer, RefusedByService
from syncd.core.event import AllDay, Item, When, slot_of
from syncd.core.ids import GraphId, Uid
from syncd.core.recurrence import occurrences
from syncd.core.state import (
    Change,
    Doubt,
    DoubtKind,
    DropDoubt,
    DropRemote,
    DropView,
    PutDoubt,
    PutRemote,
    PutView,
    RemoteRecord,
    SeenRemote,
    View,
)
from syncd.core.wire.dialects.graph_v1 import is_dead_token
from syncd.core.wire.graph import RemoteEvent, decode_event, exception_slots, read_item, uid_of
from syncd.core.zones import WindowsZone, instant
from syncd.ports import Answer, Request
from syncd.round.desk import Bench

__all__ = ["LocalItem", "Pulled", "pull", "record_of", "refetch"]

DOUBTS_AT_ONCE = 200
SKEW_LIMIT_S = 600.0
"""How far this machine's clock may be off before the view stops sliding by it."""


@dataclass(frozen=True, slots=True)
class LocalItem:
    """What linking needs of a file: its subject and start (aware UTC)."""

    subject: str
    start: datetime


@dataclass(slots=True)
class Pulled:
    """What a pull found out besides what it stored."""

    opened_view: bool = False
    clock_off: bool = False
    unreadable_rows: int = 0


@dataclass(slots=True)
class _Links:
    """Which file UIDs events go by, learnt from the whole calendar: by id, and ids to fetch."""

    uids: dict[GraphId, Uid] = field(default_factory=dict)
    wanted: list[GraphId] = field(default_factory=list)
    known: bool = False


async def pull(bench: Bench, locals_: Mapping[Uid, LocalItem], *, true_up: bool) -> Pulled:
    """
    Bring the store up to what the service has.

    Args:
        locals_: files without a known event, to be linked on a first sync or a recovery.
        true_up: whether to compare the whole view although nothing seems to have changed.
    Raises: SyncdError: the service cannot be asked; what was stored stays.
    """
    pulled = Pulled()
    view = await bench.store.view(bench.key)
    fresh = await _due(bench, view, pulled, true_up=true_up)
    links = _Links()
    if fresh is not None:
        pulled.opened_view = True
        view = _opened(view, fresh, bench.clock.now())
        if bench.calendar.phase != "live":
            links = await _links(bench, locals_)
    assert view is not None
    view = await _pages(bench, view, links, pulled)
    await _want(bench, links)
    await _settle_doubts(bench, view)
    if view.complete and view.true_up_at is None:
        await _sweep(bench, view, whole=true_up)
    return pulled


async def _due(bench: Bench, view: View | None, pulled: Pulled, *, true_up: bool) -> Window | None:
    """The window to open anew, if it is time; a clock that is far off slides nothing."""
    now = bench.clock.now()
    skew = bench.remote.clock_skew_s
    if skew is not None and abs(skew) > SKEW_LIMIT_S:
        pulled.clock_off = True
        now -= timedelta(seconds=skew)
    rules = bench.rules
    if view is not None and not view.complete and view.link is not None:
        return None
    if true_up or view is None:
        return due_window(None, now, rules.past_days, rules.future_days)
    if pulled.clock_off:
        return None
    return due_window(view, now, rules.past_days, rules.future_days)


def _opened(view: View | None, window: Window, now: datetime) -> View:
    sweep = view.sweep + 1 if view is not None else 1
    return View(None, False, window.start, window.end, now, sweep)


# --- linking ---


async def _links(bench: Bench, locals_: Mapping[Uid, LocalItem]) -> _Links:
    """Look over the whole calendar: by extended property, by UID, then by equal content."""
    links = _Links(known=True)
    by_content: dict[tuple[str, str], list[GraphId]] = {}
    by_uid: dict[Uid, GraphId] = {}
    async for event in _identities(bench):
        uid = uid_of(event)
        if event.single_value_extended_properties:
            links.uids[GraphId(event.id)] = uid
        if uid in locals_:
            by_uid[uid] = GraphId(event.id)
        elif locals_ and event.start is not None:
            content = (event.subject or "").strip(), event.start.date_time[:16]
            by_content.setdefault(content, []).append(GraphId(event.id))
    for uid, local in locals_.items():
        _link(links, uid, local, by_uid, by_content)
    return links


def _link(
    links: _Links,
    uid: Uid,
    local: LocalItem,
    by_uid: Mapping[Uid, GraphId],
    by_content: Mapping[tuple[str, str], list[GraphId]],
) -> None:
    if uid in by_uid:
        links.wanted.append(by_uid[uid])
        return
    content = local.subject.strip(), local.start.strftime("%Y-%m-%dT%H:%M")
    alike = by_content.get(content, [])
    if len(alike) == 1:
        links.uids[alike[0]] = uid
        links.wanted.append(alike[0])


async def _identities(bench: Bench) -> AsyncIterator[RemoteEvent]:
    request = bench.dialect.identities(bench.calendar.id)
    guard = LoopGuard()
    while True:
        page = bench.dialect.read_list(await bench.remote.read(request), "identities")
        try:
            guard.check(page.value, page.next_link)
        except Endless:
            raise BadAnswer("the service lists the calendar in an endless circle") from None
        for raw in page.value:
            yield decode_event(raw)
        if not page.next_link:
            return
        request = bench.dialect.follow(page.next_link, "identities")


async def _want(bench: Bench, links: _Links) -> None:
    known = await bench.store.remotes_by_id(bench.key, links.wanted)
    fetch = [one for one in links.wanted if one not in known]
    changes: list[Change] = [PutDoubt(Doubt(one, "fetch")) for one in fetch]
    for graph_id, record in known.items():
        uid = links.uids.get(graph_id)
        if uid is not None and record.uid != uid:
            changes.append(PutRemote(replace(record, uid=uid)))
    await bench.store.commit(bench.key, changes)
    await _fetch_linked(bench, fetch, links)


async def _fetch_linked(bench: Bench, fetch: Sequence[GraphId], links: _Links) -> None:
    """Events that the view does not show and a file names: fetched with the file's UID."""
    for at in range(0, len(fetch), DOUBTS_AT_ONCE):
        part = fetch[at : at + DOUBTS_AT_ONCE]
        await _fetch(bench, part, {}, sweep=0, links=links, drop="fetch")


# --- pages ---


async def _pages(bench: Bench, view: View, links: _Links, pulled: Pulled) -> View:
    guard = LoopGuard()
    restarted = False
    while True:
        answer = await _page(bench, view)
        if is_dead_token(answer) and view.link is not None and not restarted:
            restarted = True
            view = await _reopened(bench, view)
            continue
        page = bench.dialect.read_delta(answer)
        try:
            guard.check(page.value, page.next_link)
        except Endless:
            return await _read_plainly(bench, view, links)
        rows = read_rows(page)
        pulled.unreadable_rows += rows.unreadable
        view = next_view(view, page)
        if view.link is None:
            raise BadAnswer("the service's delta page names neither a next nor a delta link")
        await bench.store.commit(
            bench.key, [*await _row_changes(bench, rows, view, links), PutView(view)]
        )
        bench.observe("page.stored", {"rows": len(page.value)})
        if view.complete:
            return view


async def _page(bench: Bench, view: View) -> Answer:
    if view.link is None:
        request = bench.dialect.delta(bench.calendar.id, view.start, view.end)
    else:
        request = bench.dialect.follow(view.link, "delta")
    return await bench.remote.read(request)


async def _reopened(bench: Bench, view: View) -> View:
    """A dead token means a fresh view, never a deletion."""
    bench.observe("token.dead", {})
    await bench.store.commit(bench.key, [DropView()])
    now = bench.clock.now()
    window = due_window(None, now, bench.rules.past_days, bench.rules.future_days)
    if window is None or (bench.remote.clock_skew_s or 0) > SKEW_LIMIT_S:
        window = Window(view.start, view.end)
    return _opened(view, window, now)


async def _read_plainly(bench: Bench, view: View, links: _Links) -> View:
    """
    A chain of delta pages that never ends, completed by a plain read of the same window.

    The token is dropped, so that the next round opens a fresh view.
    """
    bench.observe("pages.endless", {})
    view = replace(view, sweep=view.sweep + 1, link=None, true_up_at=None)
    request = bench.dialect.view(bench.calendar.id, view.start, view.end, full=True)
    guard = LoopGuard()
    while True:
        answer = await bench.remote.read(request)
        page = bench.dialect.read_delta(answer)
        try:
            guard.check(page.value, page.next_link)
        except Endless:
            raise BadAnswer("the service lists the view in an endless circle") from None
        rows = read_rows(page)
        await bench.store.commit(bench.key, await _row_changes(bench, rows, view, links))
        if not page.next_link:
            break
        request = bench.dialect.follow(page.next_link, "calendarView")
    await bench.store.commit(bench.key, [DropView()])
    return replace(view, complete=True)


async def _row_changes(bench: Bench, rows: PageRows, view: View, links: _Links) -> list[Change]:
    ids = [GraphId(event.id) for event, _ in rows.singles]
    known = await bench.store.remotes_by_id(bench.key, [*ids, *rows.removed])
    changes: list[Change] = [PutDoubt(Doubt(one, "series")) for one in rows.series]
    changes += _removed_changes(rows.removed, known)
    seen: list[GraphId] = []
    fresh: list[tuple[RemoteEvent, bytes]] = []
    for event, raw in rows.singles:
        record = known.get(GraphId(event.id))
        if record is None:
            fresh.append((event, raw))
        elif record.etag and record.etag == event.etag and not record.outside:
            seen.append(record.graph_id)
        else:
            changes.append(PutRemote(record_of(event, raw, record.uid, view.sweep, bench)))
            bench.counts.pulled += 1
    if seen:
        changes.append(SeenRemote(tuple(seen), view.sweep))
    return changes + await _fresh_changes(bench, fresh, view, links)


def _removed_changes(
    removed: Sequence[GraphId], known: Mapping[GraphId, RemoteRecord]
) -> list[Change]:
    """Unknown ids are passed over: the view names what it never showed. An exception's id means
    that its series moved."""
    changes: list[Change] = []
    for one in removed:
        record = known.get(one)
        if record is not None:
            kind: DoubtKind = "removed" if record.graph_id == one else "series"
            changes.append(PutDoubt(Doubt(record.graph_id, kind)))
    return changes


async def _fresh_changes(
    bench: Bench, fresh: Sequence[tuple[RemoteEvent, bytes]], view: View, links: _Links
) -> list[Change]:
    """New events; on a first view their UIDs are known from the listing, else asked for."""
    fresh = [(event, raw) for event, raw in fresh if not event.is_draft]
    if not links.known:
        return [PutDoubt(Doubt(GraphId(event.id), "fetch")) for event, _ in fresh]
    uids = {event.id: links.uids.get(GraphId(event.id)) or uid_of(event) for event, _ in fresh}
    taken = await bench.store.remotes_by_uid(bench.key, uids.values())
    changes: list[Change] = []
    used: set[Uid] = set(taken)
    for event, raw in fresh:
        uid = _unique(uids[event.id], GraphId(event.id), used)
        used.add(uid)
        changes.append(PutRemote(record_of(event, raw, uid, view.sweep, bench)))
        bench.counts.pulled += 1
    return changes


def _unique(uid: Uid, graph_id: GraphId, used: set[Uid]) -> Uid:
    """Copies of a meeting share their iCalUId; a folder cannot hold a UID twice."""
    if uid not in used:
        return uid
    return Uid(f"{uid}-{graph_id[-12:]}")


def record_of(event: RemoteEvent, raw: bytes, uid: Uid, sweep: int, bench: Bench) -> RemoteRecord:
    """An event as the store keeps it."""
    exceptions = tuple(GraphId(one.id) for one in event.exception_occurrences or ())
    return RemoteRecord(
        GraphId(event.id), uid, event.etag or "", raw, bench.clock.now(), sweep, False, exceptions
    )


# --- doubts ---


async def _settle_doubts(bench: Bench, view: View) -> None:
    """Ask by id about everything that pages only hinted at."""
    while doubts := await bench.store.doubts(bench.key, DOUBTS_AT_ONCE):
        by_kind: dict[DoubtKind, list[GraphId]] = {}
        for doubt in doubts:
            by_kind.setdefault(doubt.kind, []).append(doubt.graph_id)
        known = await bench.store.remotes_by_id(bench.key, [one.graph_id for one in doubts])
        asked: tuple[DoubtKind, ...] = ("series", "fetch")
        for kind in asked:
            if kind in by_kind:
                await _fetch(bench, by_kind[kind], known, sweep=view.sweep, links=None, drop=kind)
        unproved: tuple[DoubtKind, ...] = ("removed", "unseen")
        for kind in unproved:
            if kind in by_kind:
                await _verify(bench, by_kind[kind], known, view, drop=kind)
        bench.observe("doubts.settled", {"count": len(doubts)})


async def refetch(bench: Bench, series: Sequence[GraphId]) -> None:
    """Read some series again after a write of ours."""
    known = await bench.store.remotes_by_id(bench.key, series)
    view = await bench.store.view(bench.key)
    sweep = view.sweep if view is not None else 0
    await _fetch(bench, series, known, sweep=sweep, links=None, drop="series")


async def _fetch(
    bench: Bench,
    ids: Sequence[GraphId],
    known: Mapping[GraphId, RemoteRecord],
    *,
    sweep: int,
    links: _Links | None,
    drop: DoubtKind,
) -> None:
    """Read whole events: series with their exceptions and cancelled slots."""
    ask = bench.dialect.series if drop == "series" else bench.dialect.event
    answers = await bench.remote.read_all([ask(bench.calendar.id, one) for one in ids])
    found: list[tuple[RemoteEvent, bytes]] = []
    changes: list[Change] = []
    for graph_id, answer in zip(ids, answers, strict=True):
        changes.append(DropDoubt(Doubt(graph_id, drop)))
        if answer.status == 404:
            if graph_id in known:
                changes.append(DropRemote(graph_id))
        elif answer.status >= 300:
            # One event that may not be read is no reason to stop all the others.
            bench.observe("event.refused", {"status": answer.status})
        else:
            found.append((_decoded(answer), answer.body))
    if drop == "series":
        found = await _completed(bench, found)
    changes += await _found_changes(bench, found, known, sweep, links)
    changes += _more_of_series(found) if drop != "series" else []
    await bench.store.commit(bench.key, changes)


def _more_of_series(found: Sequence[tuple[RemoteEvent, bytes]]) -> list[Change]:
    """A series that was fetched as a plain event lacks its exceptions and cancelled slots."""
    return [
        PutDoubt(Doubt(GraphId(event.id), "series"))
        for event, _ in found
        if event.recurrence is not None
    ]


def _decoded(answer: Answer) -> RemoteEvent:
    try:
        return decode_event(answer.body)
    except msgspec.DecodeError as error:
        raise BadAnswer(f"the service's event cannot be read: {error}") from None


async def _found_changes(
    bench: Bench,
    found: Sequence[tuple[RemoteEvent, bytes]],
    known: Mapping[GraphId, RemoteRecord],
    sweep: int,
    links: _Links | None,
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
            uid = uid if same else _unique(uid, GraphId(event.id), used)
            used.add(uid)
        else:
            uid = record.uid
        changes.append(PutRemote(record_of(event, raw, uid, sweep, bench)))
        bench.counts.pulled += 1
    return changes


# --- series: exceptions and cancelled slots ---


async def _completed(
    bench: Bench, found: Sequence[tuple[RemoteEvent, bytes]]
) -> list[tuple[RemoteEvent, bytes]]:
    """
    Add what a series' answer may lack: original starts of its exceptions, or, where the service
    does not tell cancelled slots, the slots at which the living instances are missing.
    """
    done: list[tuple[RemoteEvent, bytes]] = []
    for event, raw in found:
        if event.recurrence is None:
            done.append((event, raw))
        elif event.cancelled_occurrences is None:
            done.append(await _from_instances(bench, event, raw))
        else:
            done.append(await _with_original_starts(bench, event, raw))
    return done


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
        one: _decoded(answer).original_start
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


# --- removed or unseen ---


async def _verify(
    bench: Bench,
    ids: Sequence[GraphId],
    known: Mapping[GraphId, RemoteRecord],
    view: View,
    *,
    drop: DoubtKind,
) -> None:
    """Ask for what a view does not show: gone, elsewhere, outside, or there after all."""
    asked = [one for one in ids if one in known]
    answers = await bench.remote.read_all([_ask_again(bench, known[one]) for one in asked])
    changes: list[Change] = [DropDoubt(Doubt(one, drop)) for one in ids]
    alive: list[tuple[RemoteEvent, bytes]] = []
    for graph_id, answer in zip(asked, answers, strict=True):
        if answer.status == 404:
            changes.append(DropRemote(graph_id))
        elif answer.status >= 300:
            bench.observe("event.refused", {"status": answer.status})
        else:
            alive.append((_decoded(answer), answer.body))
    alive = await _completed(bench, alive)
    changes += await _alive_changes(bench, alive, known, view)
    await bench.store.commit(bench.key, changes)


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
        record = record_of(event, raw, known[graph_id].uid, view.sweep, bench)
        if _is_elsewhere(home, bench):
            changes.append(DropRemote(graph_id))
        elif not _is_inside(event, bench, view):
            changes.append(PutRemote(replace(record, outside=True)))
        elif await _is_shown(bench, event, view):
            changes.append(PutRemote(record))
        else:
            changes.append(DropRemote(graph_id))
    return changes


def _is_elsewhere(home: Answer, bench: Bench) -> bool:
    if home.status != 200:
        return False
    try:
        found = msgspec.json.decode(home.body)
    except msgspec.DecodeError:
        return False
    return isinstance(found, dict) and found.get("id", bench.calendar.id) != bench.calendar.id


def _is_inside(event: RemoteEvent, bench: Bench, view: View) -> bool:
    try:
        item = read_item(event, bench.owner)
    except ValueError:
        return True
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


async def _sweep(bench: Bench, view: View, *, whole: bool) -> None:
    """
    After a whole view: ask for what it should have shown and did not.

    At the true-up (`whole`) what lies outside the window is asked for as well.
    """
    window = Window(view.start, view.end)
    unseen = await bench.store.unseen(bench.key, view.sweep)
    doubts = [
        PutDoubt(Doubt(record.graph_id, "unseen"))
        for record in unseen
        if whole or _expected_in(record, window, bench)
    ]
    await bench.store.commit(bench.key, doubts)
    await _settle_doubts(bench, view)
    if view.link is not None:
        swept = replace(view, true_up_at=bench.clock.now())
        await bench.store.commit(bench.key, [PutView(swept)])


def _expected_in(record: RemoteRecord, window: Window, bench: Bench) -> bool:
    try:
        return _overlaps(read_item(decode_event(record.raw), bench.owner), window, bench)
    except (ValueError, msgspec.DecodeError, RefusedByService):
        return True
