"""The last step of a round towards the folder: files written, swapped and removed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from syncd.core.errors import SyncdError
from syncd.core.ids import Fingerprint, RoundId
from syncd.core.plan import FileJob, ItemPlan, stat_of
from syncd.core.state import (
    Change,
    ClearVerdict,
    CountDeletion,
    DropItem,
    ItemRecord,
    NameItem,
    NoTodo,
    PutItem,
    Todo,
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
from syncd.round.versions import written

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

    What a swap would overwrite is kept in the history before it happens, and so is what a new
    file is made of: whoever finds it after a kill knows what of it is a person's edit.
    """
    done = FilesDone()
    waiting = [plan for plan in plans if plan.file is not None]
    for at in range(0, len(waiting), AT_ONCE):
        part = waiting[at : at + AT_ONCE]
        kept = [one for plan in part for one in written(bench, plan, round_)]
        await bench.store.commit(bench.key, [*kept, *_announced(part)])
        outcomes = await bench.folder.work([_work(plan.file) for plan in part if plan.file])
        changes: list[Change] = []
        for plan, outcome in zip(part, outcomes, strict=True):
            changes += _settled(bench, plan, outcome, done)
        await bench.store.commit(bench.key, changes)
        bench.observe("files.written", {"count": len(part)})
        if done.trouble is not None:
            return done
    return done


def _announced(plans: Iterable[ItemPlan]) -> list[Change]:
    """
    The bases of files that are about to be made, under no name yet.

    Without them, an edit of a file that a kill left unrecorded would have no base: the service's
    version would win although nobody touched it, and an event deleted meanwhile would be made anew.
    What has no name is missed by no look: that it is still to be made has to be noted.
    """
    return [
        change
        for plan in plans
        if plan.after_file is not None and _is_announced(plan)
        for change in (
            PutItem(replace(plan.after_file, file=None, fingerprint=None, stat=None)),
            Todo(plan.uid),
        )
    ]


def _is_announced(plan: ItemPlan) -> bool:
    job, after = plan.file, plan.after_file
    assert job is not None
    is_new = job.data is not None and job.expect is None and not job.unread
    # What a person decided has to be planned again in the same way, until it is done.
    return is_new and after is not None and after.base_local is not None and not plan.used_verdicts


def _work(job: FileJob) -> FileWork:
    if job.data is None:
        return RemoveFile(job.name, Fingerprint(job.expect or ""))
    if job.expect is None:
        return WriteFile(job.name, job.data)
    return ReplaceFile(job.name, job.data, Fingerprint(job.expect))


def _settled(bench: Bench, plan: ItemPlan, outcome: FileOutcome, done: FilesDone) -> list[Change]:
    match outcome:
        case Wrote(fingerprint, stat):
            bench.counts.files_written += 1
            done.again |= plan.file is not None and (plan.file.unread or plan.file.again)
            return _written(plan, fingerprint, stat)
        case Removed():
            bench.counts.files_removed += 1
            return [
                DropItem(plan.uid),
                NoTodo(plan.uid),
                CountDeletion("remote", plan.uid, bench.true_now()),
                *(ClearVerdict(problem) for problem in plan.used_verdicts),
            ]
        case Taken() | Displaced() | Vanished():
            # A person was faster: the folder holds their version, and it is planned anew.
            done.again = True
            return [*_taken_back(plan), *_forgotten_stat(plan)]
        case Failed(error):
            done.trouble = done.trouble or error
            return _taken_back(plan)
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
    put: Change = PutItem(after)
    if _is_announced(plan) and after.file is not None:
        put = NameItem(plan.uid, after.file, after.fingerprint, after.stat)
    cleared = [ClearVerdict(problem) for problem in plan.used_verdicts if not plan.writes]
    return [put, NoTodo(plan.uid), *cleared]


def _brought_back(plan: ItemPlan) -> bool:
    """Whether a file is back as a person had left it: what was held of it is held again."""
    known = plan.sides.known
    assert plan.file is not None
    return plan.file.expect is None and known is not None and bool(known.content)


def _taken_back(plan: ItemPlan) -> list[Change]:
    """The item as it was before its file was announced."""
    if not _is_announced(plan):
        return []
    known = plan.sides.known
    return [DropItem(plan.uid) if known is None else PutItem(known)]


def _forgotten_stat(plan: ItemPlan) -> list[Change]:
    # As this round read it, and not as it was before: a write of it may be on its way.
    record: ItemRecord | None = plan.record
    if record is None:
        return []
    return [PutItem(replace(record, fingerprint=None, stat=None))]
