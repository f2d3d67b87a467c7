"""
What the history is told: each version that either side made of an item, and each write that left.

A version is kept when it is read from the folder, or just before it is written there; never twice.
A file that the service's event is made into for the first time is the item's content, and is not
kept beside it. Writes that were answered are named without texts, with the mail that they sent.
"""

from __future__ import annotations

from collections.abc import Iterable

from syncd.core.decide import Forget, KeepText, MakeFile, Merged, Nothing, Present, RestoreFile
from syncd.core.event import FieldKey
from syncd.core.history import FOUND
from syncd.core.ids import RoundId, Uid
from syncd.core.plan import FileJob, ItemPlan
from syncd.core.state import AddHistory, Change, HistoryRecord, OutboxEntry, Side
from syncd.core.wire.ics_read import FileItem, read
from syncd.round.desk import Bench

__all__ = ["edited", "forgotten", "sent", "turned_down", "written"]


def edited(bench: Bench, plan: ItemPlan, round_: RoundId) -> list[Change]:
    """The version that was read from the folder, where it says something new."""
    local = plan.sides.local
    before = _known_content(plan)
    if not isinstance(local, Present) or local.data == before or not _is_taken(plan, local.data):
        return []
    what = "update" if before else "create"
    keys = _keys(plan, by_local=True)
    return [_version(bench, plan, round_, "local", what, keys, before, local.data)]


def _is_taken(plan: ItemPlan, data: bytes) -> bool:
    """Whether what the file says is kept as the item's content, or put aside with a decision."""
    known = plan.sides.known
    match plan.decision:
        case KeepText():
            return True
        case Merged(adopting=True) if known is None or not known.content:
            return False  # a file that was there before syncd is nobody's change
        case Nothing() if not (plan.writes or plan.problems or plan.file or plan.detached):
            # A rewrite that changes nothing of meaning; a file by itself has no other reader.
            return known is not None and known.local_only
        case _:
            return plan.record is not None and plan.record.content == data


def written(bench: Bench, plan: ItemPlan, round_: RoundId) -> list[Change]:
    """The version that file work is about to make, with the one that it replaces."""
    job = plan.file
    assert job is not None
    before = plan.lost or _known_content(plan)
    what = _work(plan, job)
    if what == "create":
        # Words of a person are read, and kept, by the next look; others are the item's content.
        return [] if job.unread else [_version(bench, plan, round_, "remote", what, (), b"", b"")]
    if job.data == before:
        return []
    side: Side = "local" if job.unread else "remote"
    keys = _keys(plan, by_local=False)
    return [_version(bench, plan, round_, side, what, keys, before, job.data or b"")]


def _work(plan: ItemPlan, job: FileJob) -> str:
    if job.data is None:
        return "delete"
    match plan.decision:
        case RestoreFile() if _known_content(plan):
            return "restore"
        case MakeFile() if _known_content(plan):
            return "update"  # a folder that is filled anew
        case _:
            return "update" if job.expect is not None else "create"


def turned_down(bench: Bench, plan: ItemPlan, round_: RoundId) -> list[Change]:
    """The service's version that a person did not want, as a file would have said it."""
    if not plan.rival:
        return []
    return [_version(bench, plan, round_, "remote", FOUND, (), plan.rival, b"")]


def forgotten(bench: Bench, plan: ItemPlan, round_: RoundId) -> list[Change]:
    """The last version of an item that both sides have deleted."""
    before = _known_content(plan)
    if not isinstance(plan.decision, Forget) or not before:
        return []
    return [_version(bench, plan, round_, "local", "delete", (), before, b"")]


def sent(bench: Bench, entry: OutboxEntry, round_: RoundId, content: bytes = b"") -> list[Change]:
    """A write that took effect; a deletion is a version too. `content`: of the file before it."""
    before = content if entry.kind == "delete" else b""
    record = HistoryRecord(
        0,
        round_,
        bench.clock.now(),
        bench.calendar.name,
        entry.uid,
        "local",
        entry.kind,
        tuple(sorted({name for _, name in entry.keys})),
        before,
        b"",
        entry.mail_kind,
        entry.mails if entry.mail_kind else (),
    )
    return [AddHistory(record)]


async def title_of(bench: Bench, uid: Uid) -> str:
    """Of an item, or of the last version that the history has of it; "" where nothing tells."""
    known = (await bench.store.items(bench.key, [uid])).get(uid)
    if known is not None and known.base_local is not None:
        return known.base_local.master.subject
    for one in await bench.store.history(uid, _MOST):
        text = one.after or one.before
        if one.key == bench.key and text:
            found = read(text, bench.owner, None)
            if isinstance(found, FileItem) and found.item is not None:
                return found.item.master.subject
    return ""


_MOST = 20
"""Versions in which a title is looked for."""


def _known_content(plan: ItemPlan) -> bytes:
    known = plan.sides.known
    return known.content if known is not None else b""


def _keys(plan: ItemPlan, *, by_local: bool) -> frozenset[FieldKey]:
    """Which fields a merge found changed on a side."""
    if not isinstance(plan.decision, Merged):
        return frozenset()
    merge = plan.decision.merge
    disputed = frozenset(one.conflict.key for one in merge.conflicts)
    return disputed | (merge.push | merge.agreed if by_local else merge.pull)


def _version(
    bench: Bench,
    plan: ItemPlan,
    round_: RoundId,
    side: Side,
    what: str,
    keys: Iterable[FieldKey],
    before: bytes,
    after: bytes,
) -> Change:
    names = tuple(sorted({key.name for key in keys}))
    now = bench.clock.now()
    name = bench.calendar.name
    return AddHistory(
        HistoryRecord(0, round_, now, name, plan.uid, side, what, names, before, after)
    )
