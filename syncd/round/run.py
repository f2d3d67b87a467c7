"""
One round over one calendar, a straight line: pull, store, reconcile, plan, apply.

No step calls back to an earlier one; whatever is left over, or moved meanwhile, is the next
round's matter, and a killed round goes on from the store.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from syncd.core.decide import (
    Broken,
    DeleteEvent,
    DeleteFile,
    Forget,
    KeepText,
    MakeEvent,
    Present,
    RestoreFile,
)
from syncd.core.errors import SyncdError
from syncd.core.event import AllDay, Item, When
from syncd.core.ids import GraphId, RoundId, Uid
from syncd.core.plan import (
    ItemPlan,
)
from syncd.core.state import (
    Change,
    ClearVerdict,
    DropItem,
    NoTodo,
    Problem,
    PutItem,
    PutProblems,
)
from syncd.core.wire.ics_read import FileItem, read
from syncd.core.zones import WindowsZone, instant
from syncd.round.asked import carry_out, take_out
from syncd.round.desk import Bench, Counts
from syncd.round.files import write_files
from syncd.round.in_doubt import settle_doubts
from syncd.round.interrupted import settle_interrupted
from syncd.round.linking import LocalItem
from syncd.round.look import LocalState
from syncd.round.plain_pull import pull_any
from syncd.round.pull import Pulled
from syncd.round.push import push
from syncd.round.reconcile import NO_MOVES, Moves, guarded, planned, planning_desk
from syncd.round.versions import edited, forgotten, turned_down

__all__ = ["RoundReport", "dry_round", "run_round"]


@dataclass(slots=True)
class RoundReport:
    """What a round did, what is left, and what stopped it."""

    counts: Counts
    again: bool = False
    trouble: SyncdError | None = None
    plans: list[ItemPlan] = field(default_factory=list)
    waiting: set[Uid] = field(default_factory=set)
    watching: int = 0
    unsure: set[GraphId] = field(default_factory=set)
    disk_trouble: bool = False
    linked: bool = False


async def run_round(
    bench: Bench,
    local: LocalState,
    round_: RoundId,
    look_again: Callable[[], Awaitable[tuple[LocalState, Moves]]],
    *,
    moves: Moves = NO_MOVES,
    true_up: bool = False,
) -> RoundReport:
    """
    One round.

    Args:
        local: what the look at the folder said; not `whole` where none seemed needed.
        look_again: looks, for when the pull brought something after all; what moved is made out
            anew, over the whole account.
    Returns: a report; trouble that passes is in it, everything that could be done is done.
    """
    report = RoundReport(bench.counts)
    try:
        pulled = await pull_any(bench, await _unlinked(bench, local), true_up=true_up)
        report.unsure = pulled.unsure
        _tell(bench, pulled)
        report.waiting = await settle_doubts(bench, round_)
        # What was made after all may be a file that came from elsewhere: there it goes now.
        report.again = bench.counts.created > 0
    except SyncdError as error:
        report.trouble = error
        report.waiting = {entry.uid for entry in await bench.store.outbox(bench.key)}
    if not local.whole and await bench.store.todo(bench.key, 1, Uid("")):
        local, moves = await look_again()
    if local.whole:
        # Otherwise nothing moved on either side: such a round costs the same for any size.
        report.again |= await settle_interrupted(bench, local)
        await _reconcile(bench, local, moves, round_, report)
    if report.trouble is None:
        wishes = await carry_out(bench, round_, report.waiting)
        report.again |= wishes.again
        report.trouble = wishes.trouble
    report.watching = (
        len(report.waiting) - await _listed(bench, report.waiting) + len(report.unsure)
    )
    report.again |= report.watching > 0
    return report


def _tell(bench: Bench, pulled: Pulled) -> None:
    """What a person may want to know of a pull that went well."""
    if pulled.clock_off:
        bench.observe("clock.off", {"seconds": round(bench.remote.clock_skew_s or 0)})
    if pulled.unreadable_rows:
        bench.observe("rows.unreadable", {"count": pulled.unreadable_rows})


async def _unread(bench: Bench, unsure: Collection[GraphId]) -> set[Uid]:
    """Items whose event has news that could not be read yet: a write would go over them."""
    records = await bench.store.remotes_by_id(bench.key, unsure)
    return {one.uid for one in records.values()}


async def _listed(bench: Bench, waiting: set[Uid]) -> int:
    """How many of the writes in doubt are a person's matter by now."""
    if not waiting:
        return 0
    problems = await bench.store.problems(bench.key)
    return len({one.uid for one in problems if one.kind == "in-doubt"} & waiting)


async def dry_round(bench: Bench, local: LocalState, moves: Moves = NO_MOVES) -> RoundReport:
    """What a round would do with what is stored and in the folder; nothing is written."""
    report = RoundReport(bench.counts)
    desk = await planning_desk(bench, local, moves)
    async for plans in planned(bench, local, moves, desk, set()):
        report.plans += plans
    report.plans, _ = await guarded(bench, report.plans, local, desk, moves)
    return report


async def _reconcile(
    bench: Bench, local: LocalState, moves: Moves, round_: RoundId, report: RoundReport
) -> None:
    """
    Plan and apply. What needs no weighing together is done chunk by chunk, so that memory does not
    grow with the calendar; deletions and new events wait for the guard.
    """
    desk = await planning_desk(bench, local, moves)
    later: list[ItemPlan] = []
    files: list[ItemPlan] = []
    unread = await _unread(bench, report.unsure)
    is_emptied = len(local.missing | local.absent) >= max(desk.tally.files, 1)
    async for found in planned(bench, local, moves, desk, report.waiting | unread):
        plans = [plan for plan in found if not _is_carried_next(plan, moves)]
        report.again |= len(plans) < len(found)
        later += [plan for plan in plans if _is_weighed(plan)]
        files += [plan for plan in plans if not _is_weighed(plan)]
        if not is_emptied:
            await _apply_files(bench, local, files, round_, report)
            files = []
    later, problems = await guarded(bench, later, local, desk, moves)
    await _store_notes(bench, local, problems)
    # A folder that was emptied gets no file before that is noted: whoever comes after a kill would
    # see a folder that is not empty any more.
    await _apply_files(bench, local, files, round_, report)
    await _apply_files(bench, local, later, round_, report)
    if report.trouble is None and local.standing == "ours":
        pushed = await push(bench, later, round_)
        report.again |= pushed.again
        report.trouble = pushed.trouble
    if local.in_flight:
        report.again = True  # by the next look it is somewhere, or was deleted
    else:
        await _end_of_linking(bench, report, problems)


def _is_carried_next(plan: ItemPlan, moves: Moves) -> bool:
    """
    Whether the event of a file that moved was edited since this round began: the edit goes after
    the file before the next one does.
    """
    return isinstance(plan.decision, RestoreFile) and plan.uid in moves.done


def _is_weighed(plan: ItemPlan) -> bool:
    return bool(plan.writes) or isinstance(plan.decision, _WEIGHED)


_WEIGHED = (DeleteEvent, DeleteFile, KeepText, MakeEvent)


async def _apply_files(
    bench: Bench,
    local: LocalState,
    plans: Sequence[ItemPlan],
    round_: RoundId,
    report: RoundReport,
) -> None:
    if not plans:
        return
    frozen = local.standing != "ours" or report.disk_trouble
    await _store_plans(bench, plans, round_, frozen=frozen)
    if frozen:
        return
    files = await write_files(bench, plans, round_)
    report.again |= files.again
    report.disk_trouble |= files.trouble is not None
    report.trouble = report.trouble or files.trouble


async def _end_of_linking(bench: Bench, report: RoundReport, problems: Sequence[Problem]) -> None:
    if bench.calendar.phase == "live" or report.trouble is not None:
        return
    if not any(problem.kind == "held-import" for problem in problems):
        report.linked = True


async def _unlinked(bench: Bench, local: LocalState) -> dict[Uid, LocalItem]:
    """Files that stand for no known event, while the calendar is being linked."""
    if bench.calendar.phase == "live" or not local.files:
        return {}
    known = await bench.store.items(bench.key, local.files)
    found: dict[Uid, LocalItem] = {}
    for uid, seen in local.files.items():
        if uid in known and known[uid].graph_id is not None:
            continue
        file = read(seen.data, bench.owner, None)
        if isinstance(file, FileItem) and file.item is not None:
            found[uid] = _local_item(bench, file.item)
    return found


def _local_item(bench: Bench, item: Item) -> LocalItem:
    person = item.master.organizer
    foreign = person is not None and not bench.owner.is_own(person.address)
    organizer = person.address.casefold() if person is not None and foreign else ""
    return LocalItem(item.master.subject, *_times(item.master.when), organizer)


def _times(when: When) -> tuple[datetime, datetime]:
    if isinstance(when, AllDay):
        start = datetime(when.start.year, when.start.month, when.start.day, tzinfo=UTC)
        return start, datetime(when.end.year, when.end.month, when.end.day, tzinfo=UTC)
    start = instant(when.start, WindowsZone(when.start_zone))
    return start, instant(when.end, WindowsZone(when.end_zone))


async def _store_plans(
    bench: Bench, plans: Sequence[ItemPlan], round_: RoundId, *, frozen: bool
) -> None:
    """Keep what was decided and listed, before any file or event is touched."""
    changes = await take_out(bench, plans)
    for plan in plans:
        known = plan.sides.known
        changes += [*edited(bench, plan, round_), *forgotten(bench, plan, round_)]
        changes += turned_down(bench, plan, round_)
        if plan.record is not None:
            if plan.record is not known or _was_read(plan):
                changes.append(PutItem(plan.record))
        elif isinstance(plan.decision, Forget):
            changes.append(DropItem(plan.uid))
        if not plan.keep_todo and not frozen:
            changes.append(NoTodo(plan.uid))
        changes.append(PutProblems(plan.uid, plan.problems))
        if not plan.writes and plan.file is None:
            changes += [ClearVerdict(problem) for problem in plan.used_verdicts]
    await bench.store.commit(bench.key, changes)


def _was_read(plan: ItemPlan) -> bool:
    return isinstance(plan.sides.local, (Present, Broken))


async def _store_notes(bench: Bench, local: LocalState, problems: Sequence[Problem]) -> None:
    """List what concerns no single item: loose files, held deletions and imports, the folder."""
    changes: list[Change] = list(local.restamped)
    if local.whole:
        changes.append(PutProblems("*files", tuple(local.loose)))
        changes.append(PutProblems("*folder", tuple(p for p in problems if p.kind == "folder")))
        held = tuple(p for p in problems if p.code == "local-deletions")
        changes.append(PutProblems("*local", held))
        imports = tuple(p for p in problems if p.kind == "held-import")
        changes.append(PutProblems("*import", imports))
    remote = tuple(p for p in problems if p.code == "remote-deletions")
    changes.append(PutProblems("*remote", remote))
    await bench.store.commit(bench.key, changes)
