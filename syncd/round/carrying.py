"""
What was edited in Outlook of an event whose file has gone to another calendar meanwhile.

The edit goes into the file where it is now, as one of a person, which the next round sends from
there; the event that the file left is then as it was agreed, and goes. Knows two calendars of one
account and one item; refuses to choose where both sides wrote the same field and the policy would
put the service's value aside, and to bring guests along, who would be invited anew: then the event
gets its file back, and both are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from syncd.core.decide import Decision, Merged, Sides, decide, is_edited
from syncd.core.history import FOUND
from syncd.core.ids import FileName, RoundId, Uid
from syncd.core.merge import overlay
from syncd.core.policies import POLICIES
from syncd.core.state import AddHistory, HistoryRecord, ItemRecord, PutItem, StoredStat
from syncd.core.wire.ics_rewrite import rewrite
from syncd.core.wire.ics_write import Stamps, local_view
from syncd.ports import FileSeen, FileStat, ReplaceFile, Wrote
from syncd.round.desk import Bench
from syncd.round.reconcile import present_of, remote_of

__all__ = ["Carried", "carry"]

Carried = Literal["nothing", "written", "later", "never"]
"""
`written`: the file has news for the next round. `later`: it cannot be read or swapped just now;
`never`: a person has to see to it.
"""


async def carry(
    source: Bench,
    target: Bench | None,
    uid: Uid,
    seen: FileSeen | None,
    stats: Mapping[FileName, StoredStat],
    *,
    in_sight: bool,
) -> Carried:
    """
    Bring what the event in `source` says by now into the item's file in `target`.

    Args: seen: the file as the last look read it, None where it was as it was known. stats: what
        that look found of files of which no stat was known. in_sight: whether the folder of
        `target` is there. target: None where nothing is followed any more.
    """
    known = (await source.store.items(source.key, [uid])).get(uid)
    records = (await source.store.remotes_by_uid(source.key, [uid])).get(uid, ())
    remote = remote_of(source, records, known)
    if known is None or remote is None:
        return "nothing"
    # Where nothing was ever agreed the two meet for the first time.
    if known.base_remote is not None and not is_edited(known.base_remote, remote.item):
        return "nothing"
    has_guests = remote.event.has_others or remote.item.has_guests_of_occurrences
    may_write = target is not None and target.rules.two_way and target.calendar.can_edit
    if target is None or has_guests or not may_write:
        return "never"
    if not in_sight:
        return "later"
    there = seen or await _as_known(target, uid, stats)
    if there is None:
        return "later"
    present = present_of(source, there, known)
    decision = decide(Sides(uid, known, present, remote), POLICIES[source.rules.conflict])
    data = _carried(present.data, uid, decision, known, source)
    if data is None:
        return "never"
    if not await _is_swapped(target, uid, there, data):
        return "later"
    agreed = replace(known, base_local=local_view(remote.item), base_remote=remote.item)
    await source.store.commit(source.key, [PutItem(agreed)])
    return "written"


_NOBODYS = StoredStat(0, 0, 0, 0)
"""Of a file whose stat nobody noted: whether it is as it was, the swap tells by its bytes."""


async def _as_known(
    target: Bench, uid: Uid, stats: Mapping[FileName, StoredStat]
) -> FileSeen | None:
    item = (await target.store.items(target.key, [uid])).get(uid)
    if item is None or item.file is None or item.fingerprint is None:
        return None
    stat = stats.get(item.file, item.stat) or _NOBODYS
    as_looked = FileStat(stat.mtime_ns, stat.ctime_ns, stat.size, stat.inode)
    return FileSeen(item.file, item.fingerprint, as_looked, item.content)


def _carried(
    data: bytes, uid: Uid, decision: Decision, known: ItemRecord, source: Bench
) -> bytes | None:
    """
    The file with what the service changed; None where its value would lose a conflict, or where the
    file does not tell its time, and cannot be merged.
    """
    if not isinstance(decision, Merged):
        return None
    merge = decision.merge
    if any(one.winner != "remote" for one in merge.conflicts):
        return None
    target = overlay(decision.local, merge.pull, decision.remote)
    stamp = Stamps("", source.clock.now().strftime("%Y%m%dT%H%M%SZ"))
    written = rewrite(data, uid, target, merge.pull, stamp, source.owner, known.base_local)
    return written if isinstance(written, bytes) else None


async def _is_swapped(target: Bench, uid: Uid, there: FileSeen, data: bytes) -> bool:
    if data == there.data:
        return True
    # What the file says may be read by no round yet, and is kept before it goes; what it is to say
    # may be saved over before a round reads it, and then the event that had it is gone as well.
    kept = [AddHistory(_displaced(target, uid, one)) for one in (there.data, data)]
    await target.store.commit(target.key, kept)
    job = ReplaceFile(there.name, data, there.fingerprint)
    [outcome] = await target.folder.work([job])
    return isinstance(outcome, Wrote)


def _displaced(target: Bench, uid: Uid, text: bytes) -> HistoryRecord:
    return HistoryRecord(
        number=0,
        round=RoundId(0),
        at=target.clock.now(),
        calendar=target.calendar.name,
        uid=uid,
        side="local",
        what=FOUND,
        fields=(),
        before=text,
        after=b"",
    )
