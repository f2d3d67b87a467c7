"""
File work that was cut off between its swap and its record: settled by looking at the file.

What a swap was to make is in the history before it happens (`versions.written`). Where the file
shows that it did happen, that text is what both sides last agreed on: an edit made since counts as
one of it, not as a rival of what the service has had all the while.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from syncd.core.event import PROJECTION, Item
from syncd.core.history import FOUND
from syncd.core.ids import Uid
from syncd.core.merge import changed, overlay
from syncd.core.state import Change, HistoryRecord, ItemRecord, PutItem
from syncd.core.wire.graph import decode_event, read_item
from syncd.core.wire.ics_read import FileItem, read
from syncd.core.wire.ics_write import local_view
from syncd.ports import ReplaceFile
from syncd.round.desk import Bench
from syncd.round.look import LocalState

__all__ = ["settle_interrupted"]


async def settle_interrupted(bench: Bench, local: LocalState) -> bool:
    """
    Move the bases of changed files whose last swap was done and never recorded.

    What the swap took out is put back where it is a save that nobody had read yet; whether it was:
    then that file is another matter, for the next round.
    """
    records = await bench.store.items(bench.key, local.files)
    changes: list[Change] = []
    returns: list[ReplaceFile] = []
    for uid, record in records.items():
        if record.content and record.graph_id is not None and record.projection >= PROJECTION:
            meant, seen = await _meant(bench, record), local.files[uid]
            newer = bench.swept.get(seen.name)
            if meant == seen.data and newer not in (None, meant, record.content):
                returns.append(ReplaceFile(seen.name, newer, seen.fingerprint))
                del local.files[uid]
            elif meant and _shows(seen.data, record.content, meant):
                changes += await _as_written(bench, record, meant)
    await bench.store.commit(bench.key, changes)
    bench.swept.clear()
    if returns:
        await bench.folder.work(returns)
    return bool(returns)


async def _meant(bench: Bench, record: ItemRecord) -> bytes:
    """What the last file work was to make of the file's known content, b"" if it is settled."""
    for one in await bench.store.history(record.uid, _MOST):
        if one.key == bench.key and one.what != FOUND:
            is_open = _is_open(one, record) and await bench.store.is_cut_short(one.round)
            return one.after if is_open else b""
    return b""


_MOST = 4
"""A killed swap leaves one orphan, a decision one rival; more than a few come from elsewhere."""


def _is_open(one: HistoryRecord, record: ItemRecord) -> bool:
    made = one.side == "remote" and one.what in ("update", "restore")
    return made and one.before == record.content != one.after


def _shows(data: bytes, before: bytes, after: bytes) -> bool:
    """Whether a text has lines that only `after` has, and none that only `before` has."""
    lines, old, new = (set(one.splitlines()) for one in (data, before, after))
    return bool(lines & (new - old)) and not lines & (old - new)


async def _as_written(bench: Bench, record: ItemRecord, meant: bytes) -> list[Change]:
    base_local, base_remote = record.base_local, record.base_remote
    before, after = (_item(bench, record, one) for one in (record.content, meant))
    if base_local is None or base_remote is None or before is None or after is None:
        return []
    brought = changed(before, after, local=True)
    base_local = overlay(base_local, brought, after)
    there = await _there(bench, record.uid)
    if there is not None:
        # What the service has said since is news, be it what it said before the file was made; the
        # rest is what the file was made of.
        news = brought & changed(after, local_view(there), local=True)
        base_local = overlay(base_local, brought - news, local_view(there))
        base_remote = overlay(overlay(base_remote, brought - news, there), news, after)
    moved = replace(record, base_local=base_local, base_remote=base_remote, content=meant)
    return [PutItem(replace(moved, fingerprint=None, stat=None))]


def _item(bench: Bench, record: ItemRecord, data: bytes) -> Item | None:
    file = read(data, bench.owner, record.base_local)
    return file.item if isinstance(file, FileItem) else None


async def _there(bench: Bench, uid: Uid) -> Item | None:
    found = await bench.store.remotes_by_uid(bench.key, [uid])
    for one in found.get(uid, ()):
        try:
            return read_item(decode_event(one.raw), bench.owner)
        except (ValueError, msgspec.DecodeError):
            return None
    return None
