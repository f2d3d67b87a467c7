"""The last step of a round towards the folder: files written, swapped and removed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from syncd.core.errors import SyncdError
from syncd.core.ids import Fingerprint, RoundId
from syncd.core.plan import FileJob, ItemPlan, stat_of
from syncd.core.state import (
    AddHistory,
    Change,
    ClearVerdict,
    CountDeletion,
    DropItem,
    HistoryRecord,
    ItemRecord,
    NoTodo,
    PutItem,
)
from syncd.ports import (
    Displaced,
    Failed,
    FileOutcome,
    FileWork,
    Removed,
    RemoveFile,
    ReplaceFile,
    Taken,
    Vanished,
    WriteFile,
    Wrote,
)
from syncd.round.desk import Bench

__all__ = ["FilesDone", "write_files"]

AT_ONCE = 250


@dataclass(slots=True)
class FilesDone:
    """What came of a round's file work: the first trouble, and whether someone was faster."""

    trouble: SyncdError | None = None
    again: bool = False


async def write_files(bench: Bench, plans: Sequence[ItemPlan], round_: RoundId) -> FilesDone:
    """
    Do the file work of all plans, some hundred at a time; each settles in one transaction.

    What a swap would overwrite is kept in the history before it happens.
    """
    done = FilesDone()
    waiting = [plan for plan in plans if plan.file is not None]
    for at in range(0, len(waiting), AT_ONCE):
        part = waiting[at : at + AT_ONCE]
        await bench.store.commit(bench.key, _history(bench, part, round_))
        outcomes = await bench.folder.work([_work(plan.file) for plan in part if plan.file])
        changes: list[Change] = []
        for plan, outcome in zip(part, outcomes, strict=True):
            changes += _settled(bench, plan, outcome, done)
        await bench.store.commit(bench.key, changes)
        bench.observe("files.written", {"count": len(part)})
        if done.trouble is not None:
            return done
    return done


def _work(job: FileJob) -> FileWork:
    if job.data is None:
        return RemoveFile(job.name, Fingerprint(job.expect or ""))
    if job.expect is None:
        return WriteFile(job.name, job.data)
    return ReplaceFile(job.name, job.data, Fingerprint(job.expect))


def _history(bench: Bench, plans: Iterable[ItemPlan], round_: RoundId) -> list[Change]:
    changes: list[Change] = []
    for plan in plans:
        job = plan.file
        assert job is not None
        known = plan.sides.known
        before = plan.lost or (known.content if known is not None else b"")
        what = "delete" if job.data is None else ("update" if job.expect else "create")
        # A version that is the item's present content is not kept twice.
        after = b"" if job.data is None or what == "create" else job.data
        record = HistoryRecord(
            0,
            round_,
            bench.clock.now(),
            bench.calendar.name,
            plan.uid,
            "remote",
            what,
            (),
            before if what != "create" else plan.lost,
            after,
        )
        changes.append(AddHistory(record))
    return changes


def _settled(bench: Bench, plan: ItemPlan, outcome: FileOutcome, done: FilesDone) -> list[Change]:
    match outcome:
        case Wrote(fingerprint, stat):
            bench.counts.files_written += 1
            done.again |= plan.file is not None and plan.file.unread
            return _written(plan, fingerprint, stat)
        case Removed():
            bench.counts.files_removed += 1
            return [
                DropItem(plan.uid),
                NoTodo(plan.uid),
                CountDeletion("remote", plan.uid, bench.clock.now()),
                *(ClearVerdict(problem) for problem in plan.used_verdicts),
            ]
        case Taken() | Displaced() | Vanished():
            # A person was faster: the folder holds their version, and it is planned anew.
            done.again = True
            return _forgotten_stat(plan)
        case Failed(error):
            done.trouble = done.trouble or error
            return []
        case _:
            assert_never(outcome)


def _written(plan: ItemPlan, fingerprint: Fingerprint, stat: object) -> list[Change]:
    after = plan.after_file
    assert after is not None
    assert plan.file is not None
    if plan.file.unread or _brought_back(plan):
        after = replace(after, fingerprint=None, stat=None)
    # None says that edits of the file are still on their way: it is read again.
    elif plan.file.expect is None or after.fingerprint is not None:
        after = replace(after, fingerprint=fingerprint, stat=stat_of(stat))
    cleared = [ClearVerdict(problem) for problem in plan.used_verdicts if not plan.writes]
    return [PutItem(after), NoTodo(plan.uid), *cleared]


def _brought_back(plan: ItemPlan) -> bool:
    """Whether a file is back as a person had left it: what was held of it is held again."""
    known = plan.sides.known
    assert plan.file is not None
    return plan.file.expect is None and known is not None and bool(known.content)


def _forgotten_stat(plan: ItemPlan) -> list[Change]:
    record: ItemRecord | None = plan.sides.known
    if record is None:
        return []
    return [PutItem(replace(record, fingerprint=None, stat=None))]
