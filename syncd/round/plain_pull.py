"""
The pull of a calendar that has no delta rounds (Graph "event: delta": no group calendar has).

Each round reads the whole view and compares it by versions: a series is read again where a row of
it is new, gone, or of another version than in the round before. What the view shows no more is
asked for by id, as after every whole view; what lies beyond its edges, at the true-up.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from syncd.core.delta import read_rows
from syncd.core.ids import GraphId, Uid
from syncd.core.state import Change, Doubt, DropDoubt, PutDoubt, PutView, View
from syncd.round.desk import Bench
from syncd.round.doubts import ask_doubts
from syncd.round.linking import Links, LocalItem, find_links
from syncd.round.pull import (
    Pulled,
    due,
    is_linking,
    opened,
    plain_pages,
    pull,
    row_changes,
    want,
)

__all__ = ["pull_any"]

MOST_DOUBTS = 1_000_000


async def pull_any(bench: Bench, locals_: Mapping[Uid, LocalItem], *, true_up: bool) -> Pulled:
    """As `syncd.round.pull.pull`, for any calendar."""
    if bench.dialect.has_delta:
        return await pull(bench, locals_, true_up=true_up)
    return await _pull_plainly(bench, locals_, true_up=true_up)


async def _pull_plainly(bench: Bench, locals_: Mapping[Uid, LocalItem], *, true_up: bool) -> Pulled:
    pulled = Pulled()
    before = await bench.store.view(bench.key)
    window = await due(bench, None, pulled, true_up=True)
    assert window is not None
    linking = await is_linking(bench, locals_, window if before is None else None)
    links = await find_links(bench, locals_) if linking else Links()
    view = opened(before, window, bench.clock.now())
    versions = await _read(bench, view, links, pulled)
    whole = true_up or before is None
    await bench.store.commit(bench.key, [] if whole else _unchanged(bench, versions))
    await want(bench, links)
    pulled.unsure = await _asked(bench, view, whole=whole)
    at = bench.clock.now() if whole or before is None else before.true_up_at
    await bench.store.commit(bench.key, [PutView(replace(view, true_up_at=at))])
    # What could not be read yet is asked for again, whatever its rows say.
    left = {one.graph_id for one in await bench.store.doubts(bench.key, MOST_DOUBTS)}
    bench.versions.clear()
    bench.versions.update({one: said for one, said in versions.items() if one not in left})
    return pulled


async def _read(bench: Bench, view: View, links: Links, pulled: Pulled) -> dict[GraphId, str]:
    """Store the rows of the whole view; of each series, a digest of the rows that it has there."""
    found: dict[GraphId, list[str]] = defaultdict(list)
    async for page in plain_pages(bench, view):
        rows = read_rows(page)
        pulled.unreadable_rows += rows.unreadable
        await bench.store.commit(bench.key, await row_changes(bench, rows, view, links))
        for series, version in rows.versions:
            found[series].append(version)
    return {series: _digest(versions) for series, versions in found.items()}


def _digest(versions: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(versions)).encode()).hexdigest()


def _unchanged(bench: Bench, versions: Mapping[GraphId, str]) -> list[Change]:
    """Series whose rows are as they were need not be asked about."""
    return [
        DropDoubt(Doubt(series, "series"))
        for series, version in versions.items()
        if bench.versions.get(series) == version
    ]


async def _asked(bench: Bench, view: View, *, whole: bool) -> set[GraphId]:
    """Ask for what the view does not show; what the next round asks again."""
    unseen = await bench.store.unseen(bench.key, view.sweep)
    doubts = [PutDoubt(Doubt(one.graph_id, "unseen")) for one in unseen if whole or not one.outside]
    await bench.store.commit(bench.key, doubts)
    return await ask_doubts(bench, view)
