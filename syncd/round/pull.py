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

from syncd.core.delta import (
    Endless,
    LoopGuard,
    PageRows,
    Window,
    due_window,
    next_view,
    read_rows,
)
from syncd.core.errors import BadAnswer, LinkAstray
from syncd.core.ids import GraphId, Uid
from syncd.core.state import (
    Change,
    Doubt,
    DoubtKind,
    DropDoubt,
    PutDoubt,
    PutRemote,
    PutView,
    RemoteRecord,
    SeenRemote,
    View,
)
from syncd.core.wire.dialects.graph_v1 import DeltaPage, is_dead_token
from syncd.core.wire.graph import Row, uid_of
from syncd.ports import Answer
from syncd.round.attached import to_be_asked
from syncd.round.desk import SKEW_LIMIT_S, Bench
from syncd.round.doubts import (
    DOUBTS_AT_ONCE,
    ask_doubts,
    fetch_events,
    record_of,
    sweep,
    unique_uid,
)
from syncd.round.linking import Links, LocalItem, find_links

__all__ = ["Pulled", "due", "is_linking", "opened", "plain_pages", "pull", "row_changes", "want"]


@dataclass(slots=True)
class Pulled:
    """What a pull found out besides what it stored; `unsure`: 404s that are not believed yet."""

    clock_off: bool = False
    unreadable_rows: int = 0
    unsure: set[GraphId] = field(default_factory=set)


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
    if true_up and view is not None and view.complete:
        # What the service tells by itself comes first: the rest is what it did not tell.
        view = await _pages(bench, view, Links(), pulled)
        await _settled(bench, view)
        bench.comparing = view.complete
    fresh = await due(bench, view, pulled, true_up=true_up)
    links = Links()
    if fresh is not None:
        view = opened(view, fresh, bench.clock.now())
    if await is_linking(bench, locals_, fresh):
        links = await find_links(bench, locals_)
    assert view is not None
    view = await _pages(bench, view, links, pulled)
    await want(bench, links)
    pulled.unsure = await _settled(bench, view)
    bench.comparing = False
    return pulled


async def is_linking(bench: Bench, locals_: Mapping[Uid, LocalItem], fresh: Window | None) -> bool:
    """
    Whether files are still to be linked, be it that an earlier attempt was cut short: what it had
    learnt is lost, and a file that is not linked would be made a second event.
    """
    if bench.calendar.phase == "live":
        return False
    if fresh is not None:
        return True
    # A held import has been linked, and waits for a person, be it for days.
    return bool(locals_) and not await bench.store.problems(bench.key, subject="*import")


async def _settled(bench: Bench, view: View) -> set[GraphId]:
    """Ask for all that the pages only hinted at; what the next round asks again."""
    if view.complete and view.true_up_at is None:
        # What is gone comes first: an event that was made again takes the UID of the one before.
        return await sweep(bench, view)
    return await ask_doubts(bench, view)


async def due(bench: Bench, view: View | None, pulled: Pulled, *, true_up: bool) -> Window | None:
    """The window to open anew, if it is time; a clock that is far off slides nothing."""
    now = bench.clock.now()
    skew = bench.remote.clock_skew_s
    if skew is not None and abs(skew) > SKEW_LIMIT_S:
        pulled.clock_off = True
        now -= timedelta(seconds=skew)
    rules = bench.rules
    if view is not None and not view.complete and view.link is not None:
        return None
    if view is not None and view.link is None and pulled.clock_off:
        return Window(view.start, view.end)
    if true_up or view is None or view.link is None:
        return due_window(None, now, rules.past_days, rules.future_days)
    if pulled.clock_off:
        return None
    return due_window(view, now, rules.past_days, rules.future_days)


def opened(view: View | None, window: Window, now: datetime) -> View:
    """A fresh view, with the next number."""
    sweep = view.sweep + 1 if view is not None else 1
    return View(None, False, window.start, window.end, now, sweep)


async def want(bench: Bench, links: Links) -> None:
    """Read what files name and the view does not show, and give known events their files' UIDs."""
    known = await bench.store.remotes_by_id(bench.key, links.wanted)
    fetch = [one for one in links.wanted if one not in known]
    changes: list[Change] = [PutDoubt(Doubt(one, "fetch")) for one in fetch]
    for graph_id, record in known.items():
        uid = links.uids.get(graph_id)
        if uid is not None and record.uid != uid:
            changes.append(PutRemote(replace(record, uid=uid)))
    await bench.store.commit(bench.key, changes)
    await _fetch_linked(bench, fetch, links)


async def _fetch_linked(bench: Bench, fetch: Sequence[GraphId], links: Links) -> None:
    """Events that the view does not show and a file names: fetched with the file's UID."""
    for at in range(0, len(fetch), DOUBTS_AT_ONCE):
        part = fetch[at : at + DOUBTS_AT_ONCE]
        await fetch_events(bench, part, {}, sweep=0, links=links, drop="fetch")


async def _pages(bench: Bench, view: View, links: Links, pulled: Pulled) -> View:
    guard = LoopGuard()
    restarted = False
    while True:
        answer = await _page(bench, view, or_none=not restarted)
        if answer is None:
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
            bench.key, [*await row_changes(bench, rows, view, links), PutView(view)]
        )
        bench.observe("page.stored", {"rows": len(page.value)})
        if view.complete:
            return view


async def _page(bench: Bench, view: View, *, or_none: bool) -> Answer | None:
    """
    The next page; with `or_none`, None for a link that is dead or leads astray.

    A link that led astray once would stop every round to come: a fresh view gets another.
    """
    if view.link is None:
        request = bench.dialect.delta(bench.calendar.id, view.start, view.end)
        return await bench.remote.read(request)
    try:
        answer = await bench.remote.read(bench.dialect.follow(view.link, "delta"))
    except LinkAstray:
        if or_none:
            return None
        raise
    return None if or_none and is_dead_token(answer) else answer


def _without_link(view: View) -> View:
    """The view without its token; it keeps its number, by which later ones find what is gone."""
    return replace(view, link=None, complete=False, true_up_at=None)


async def _reopened(bench: Bench, view: View) -> View:
    """A dead token means a fresh view, never a deletion."""
    bench.observe("token.dead", {})
    await bench.store.commit(bench.key, [PutView(_without_link(view))])
    now = bench.clock.now()
    window = due_window(None, now, bench.rules.past_days, bench.rules.future_days)
    if window is None or (bench.remote.clock_skew_s or 0) > SKEW_LIMIT_S:
        window = Window(view.start, view.end)
    return opened(view, window, now)


async def _read_plainly(bench: Bench, view: View, links: Links) -> View:
    """
    A chain of delta pages that never ends, completed by a plain read of the same window.

    The token is dropped, so that the next round opens a fresh view.
    """
    bench.observe("pages.endless", {})
    view = replace(view, sweep=view.sweep + 1, link=None, true_up_at=None)
    async for page in plain_pages(bench, view):
        changes = await row_changes(bench, read_rows(page), view, links)
        await bench.store.commit(bench.key, changes)
    await bench.store.commit(bench.key, [PutView(_without_link(view))])
    return replace(view, complete=True)


async def plain_pages(bench: Bench, view: View) -> AsyncIterator[DeltaPage]:
    """The pages of a plain read of a view. Raises: SyncdError."""
    request = bench.dialect.view(bench.calendar.id, view.start, view.end, full=True)
    guard = LoopGuard()
    while True:
        page = bench.dialect.read_delta(await bench.remote.read(request))
        try:
            guard.check(page.value, page.next_link)
        except Endless:
            raise BadAnswer("the service lists the view in an endless circle") from None
        yield page
        if not page.next_link:
            return
        request = bench.dialect.follow(page.next_link, "calendarView")


async def row_changes(bench: Bench, rows: PageRows, view: View, links: Links) -> list[Change]:
    """What follows from the rows of a page: events that are stored, and hints to be asked about."""
    ids = [GraphId(event.id) for event, _ in rows.singles]
    known = await bench.store.remotes_by_id(bench.key, [*ids, *rows.removed])
    changes: list[Change] = [PutDoubt(Doubt(one, "series")) for one in rows.series]
    changes += _removed_changes(rows.removed, known)
    seen = [*rows.series]
    fresh: list[tuple[Row, bytes]] = []
    for event, raw in rows.singles:
        record = known.get(GraphId(event.id))
        if record is None:
            fresh.append((event, raw))
        elif record.etag and record.etag == event.etag and not record.outside:
            seen.append(record.graph_id)
            changes += to_be_asked(bench, event, record)
        else:
            fresher = record_of(event, raw, record.uid, view.sweep, bench, record)
            changes += [PutRemote(fresher), *to_be_asked(bench, event, record)]
            bench.received(news=record.etag != event.etag)
    if seen:
        changes.append(SeenRemote(tuple(seen), view.sweep))
    return changes + await _fresh_changes(bench, fresh, view, links)


def _removed_changes(
    removed: Sequence[GraphId], known: Mapping[GraphId, RemoteRecord]
) -> list[Change]:
    """
    Unknown ids are passed over: the view names what it never showed, and what went before it could
    be read. An exception's id means that its series moved.
    """
    changes: list[Change] = []
    for one in removed:
        record = known.get(one)
        if record is not None:
            kind: DoubtKind = "removed" if record.graph_id == one else "series"
            changes.append(PutDoubt(Doubt(record.graph_id, kind)))
        else:
            changes += [DropDoubt(Doubt(one, "fetch")), DropDoubt(Doubt(one, "series"))]
    return changes


async def _fresh_changes(
    bench: Bench, fresh: Sequence[tuple[Row, bytes]], view: View, links: Links
) -> list[Change]:
    """New events; on a first view their UIDs are known from the listing, else asked for."""
    fresh = [(event, raw) for event, raw in fresh if not event.is_draft]
    asked = [one for one, _ in fresh if not links.known or GraphId(one.id) in links.stashed]
    doubts: list[Change] = [PutDoubt(Doubt(GraphId(one.id), "fetch")) for one in asked]
    if len(asked) == len(fresh):
        return doubts
    fresh = [(event, raw) for event, raw in fresh if GraphId(event.id) not in links.stashed]
    uids = {event.id: links.uids.get(GraphId(event.id)) or uid_of(event) for event, _ in fresh}
    taken = await bench.store.remotes_by_uid(bench.key, uids.values())
    changes: list[Change] = []
    used: set[Uid] = set(taken)
    for event, raw in fresh:
        uid = unique_uid(uids[event.id], GraphId(event.id), used)
        used.add(uid)
        record = record_of(event, raw, uid, view.sweep, bench)
        changes += [PutRemote(record), *to_be_asked(bench, event, None)]
        bench.received(news=True)
    return doubts + changes
