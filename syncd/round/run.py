"""
One round over one calendar, a straight line: pull, store, reconcile, plan, apply.

No step calls back to an earlier one; whatever is left over, or moved meanwhile, is the next
round's matter, and a killed round goes on from the store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import msgspec

from syncd.core.decide import (
    Absent,
    Broken,
    DeleteEvent,
    DeleteFile,
    Forget,
    Local,
    MakeEvent,
    Nothing,
    Present,
    Remote,
    Same,
    Sides,
    decide,
)
from syncd.core.errors import SyncdError
from syncd.core.event import AllDay, Item
from syncd.core.ids import FileName, RoundId, Uid
from syncd.core.lines import Unreadable
from syncd.core.names import file_name, folded
from syncd.core.plan import (
    DeletionCounts,
    Desk,
    ItemPlan,
    hold_creations,
    hold_deletions,
    plan_item,
    problem_id,
    stat_of,
)
from syncd.core.policies import POLICIES
from syncd.core.state import (
    Change,
    ClearVerdict,
    DropItem,
    ItemRecord,
    NoTodo,
    Problem,
    PutItem,
    PutProblems,
    RemoteRecord,
    Restamp,
    Side,
)
from syncd.core.wire.graph import decode_event, read_item
from syncd.core.wire.ics_read import FileItem, NotAnEvent, quick_uid, read
from syncd.core.zones import WindowsZone, instant
from syncd.ports import FileSeen, FolderLook
from syncd.round.desk import Bench, Counts
from syncd.round.files import write_files
from syncd.round.pull import LocalItem, pull
from syncd.round.push import push, settle_doubts

__all__ = ["LocalState", "Moves", "RoundReport", "dry_round", "read_folder", "run_round"]

CHUNK = 500
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _File:
    """A changed file, read as far as its UID."""

    seen: FileSeen
    uid: Uid | None
    trouble: Unreadable | None
    not_an_event: bool = False


@dataclass(slots=True)
class LocalState:
    """
    What one look at the folder says, by UID.

    `missing` are known UIDs whose file is gone and that turned up under no other name here;
    `whole` is False when the folder was not looked at.
    """

    standing: str = "ours"
    whole: bool = True
    files: dict[Uid, FileSeen] = field(default_factory=dict)
    broken: dict[Uid, tuple[FileSeen, Unreadable]] = field(default_factory=dict)
    missing: set[Uid] = field(default_factory=set)
    renamed: dict[Uid, FileName] = field(default_factory=dict)
    loose: list[Problem] = field(default_factory=list)
    restamped: list[Restamp] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


@dataclass(slots=True)
class RoundReport:
    """What a round did, what is left, and what stopped it."""

    counts: Counts
    again: bool = False
    trouble: SyncdError | None = None
    plans: list[ItemPlan] = field(default_factory=list)
    waiting: set[Uid] = field(default_factory=set)
    watching: int = 0
    disk_trouble: bool = False
    linked: bool = False


# --- the folder ---


async def read_folder(bench: Bench, look: FolderLook | None) -> LocalState:
    """Sort one look at the folder by UID; None where nothing was looked at."""
    if look is None:
        return LocalState(whole=False)
    state = LocalState(standing=look.standing)
    known_names = await bench.store.known_files(bench.key)
    state.names = {folded(name) for name in known_names}
    state.names |= {folded(one.name) for one in look.changed}
    state.names |= {folded(one.name) for one in look.trouble}
    state.restamped = [Restamp(name, stat_of(stat)) for name, stat in look.restamped.items()]
    files = [_read_head(bench, seen) for seen in look.changed]
    uids = [one.uid for one in files if one.uid is not None]
    records = await bench.store.items(bench.key, uids)
    names = await bench.store.uids_of_files(
        bench.key, [*look.missing, *(one.seen.name for one in files)]
    )
    _sort_files(bench, state, files, records, names, look.missing)
    _sort_missing(state, names, look.missing)
    _sort_trouble(bench, state, look, names)
    return state


def _read_head(bench: Bench, seen: FileSeen) -> _File:
    uid = quick_uid(seen.data)
    found = read(seen.data, bench.owner, None)
    if isinstance(found, FileItem):
        return _File(seen, found.uid, None)
    if isinstance(found, NotAnEvent):
        return _File(seen, None, None, not_an_event=True)
    return _File(seen, Uid(uid) if uid and found.code not in _NO_UID else None, found)


_NO_UID = frozenset({"several-uids", "no-uid", "not-an-event"})


def _sort_files(
    bench: Bench,
    state: LocalState,
    files: Sequence[_File],
    records: Mapping[Uid, ItemRecord],
    names: Mapping[FileName, Uid],
    missing: frozenset[FileName],
) -> None:
    holds = {one.seen.name: one.uid for one in files}
    for one in sorted(files, key=lambda f: (f.seen.stat.mtime_ns, f.seen.name)):
        uid = one.uid or (names.get(one.seen.name) if one.trouble else None)
        if uid is None:
            state.loose.append(_loose_problem(bench, one))
            if one.seen.name in names:
                state.missing.add(names[one.seen.name])
            continue
        known = records.get(uid)
        if _is_duplicate(state, uid, one.seen.name, known, missing, holds):
            state.loose.append(_duplicate_problem(bench, one, uid))
            continue
        if one.trouble is not None:
            state.broken[uid] = one.seen, one.trouble
        else:
            state.files[uid] = one.seen
        if known is not None and known.file is not None and known.file != one.seen.name:
            state.renamed[uid] = one.seen.name


def _is_duplicate(
    state: LocalState,
    uid: Uid,
    name: FileName,
    known: ItemRecord | None,
    missing: frozenset[FileName],
    holds: Mapping[FileName, Uid | None],
) -> bool:
    """Whether another file, which is still there and still holds it, has the UID already."""
    if uid in state.files or uid in state.broken:
        return True
    if known is None or known.file is None or known.file == name:
        return False
    return known.file not in missing and holds.get(known.file, uid) == uid


def _loose_problem(bench: Bench, one: _File) -> Problem:
    if one.not_an_event:
        trouble = Unreadable("not-an-event", 0, "the file holds no event; it is left alone")
    else:
        assert one.trouble is not None
        trouble = one.trouble
    return _file_problem(bench, one.seen.name, trouble, needs_person=not one.not_an_event)


def _duplicate_problem(bench: Bench, one: _File, uid: Uid) -> Problem:
    trouble = Unreadable("duplicate-uid", 0, "another file of this folder has the same UID")
    return _file_problem(bench, one.seen.name, trouble, needs_person=True, uid=uid)


def _file_problem(
    bench: Bench,
    name: FileName,
    trouble: Unreadable,
    *,
    needs_person: bool,
    uid: Uid | None = None,
) -> Problem:
    calendar = bench.calendar
    hints = {
        "duplicate-uid": "Give the copy a UID of its own, or remove it.",
        "not-an-event": "Nothing to do; other programs may use it.",
        "no-uid": "Add a UID line with a text that no other event has.",
        "several-uids": "Put each event into a file of its own.",
    }
    return Problem(
        id=problem_id(calendar.account, calendar.id, f"file:{name}", trouble.code),
        kind="unreadable" if trouble.code != "duplicate-uid" else "hold",
        code=trouble.code,
        needs_person=needs_person,
        account=calendar.account,
        calendar=calendar.name,
        uid=uid,
        file=name,
        summary="",
        line=trouble.line,
        reason=trouble.reason,
        hint=hints.get(trouble.code, "Mend the file, or move it out of the folder."),
        since=bench.clock.now(),
    )


def _sort_missing(
    state: LocalState, names: Mapping[FileName, Uid], missing: frozenset[FileName]
) -> None:
    found = state.files.keys() | state.broken.keys()
    state.missing |= {uid for name, uid in names.items() if name in missing and uid not in found}
    # A known name that now holds another UID took its former item away.
    for uid, seen in state.files.items():
        former = names.get(seen.name)
        if former is not None and former != uid and former not in found:
            state.missing.add(former)


def _sort_trouble(
    bench: Bench, state: LocalState, look: FolderLook, names: Mapping[FileName, Uid]
) -> None:
    for one in look.trouble:
        trouble = Unreadable(one.code, 0, one.reason)
        state.loose.append(_file_problem(bench, one.name, trouble, needs_person=True))


# --- the round ---


@dataclass(frozen=True, slots=True)
class Moves:
    """
    UIDs on their way between calendars of the account.

    `away`: missing here, their file turned up elsewhere and is not followed there yet, so they are
    no deletions for now. `here`: new here, known elsewhere. `done`: missing here and followed
    elsewhere by now: they go here without counting as deletions.
    """

    away: frozenset[Uid] = frozenset()
    here: frozenset[Uid] = frozenset()
    done: frozenset[Uid] = frozenset()


async def run_round(
    bench: Bench,
    local: LocalState,
    round_: RoundId,
    look_again: Callable[[], Awaitable[LocalState]],
    *,
    moves: Moves = Moves(),
    true_up: bool = False,
) -> RoundReport:
    """
    One round.

    Args:
        local: what the look at the folder said; not `whole` where none seemed needed.
        look_again: looks, for when the pull brought something after all.
    Returns: a report; trouble that passes is in it, everything that could be done is done.
    """
    report = RoundReport(bench.counts)
    try:
        await pull(bench, await _unlinked(bench, local), true_up=true_up)
        report.waiting = await settle_doubts(bench, round_, await bench.store.verdicts())
    except SyncdError as error:
        report.trouble = error
        report.waiting = {entry.uid for entry in await bench.store.outbox(bench.key)}
    if not local.whole and await bench.store.todo(bench.key, 1, Uid("")):
        local = await look_again()
    await _reconcile(bench, local, moves, round_, report)
    report.watching = len(report.waiting) - await _listed(bench, report.waiting)
    report.again |= report.watching > 0
    return report


async def _listed(bench: Bench, waiting: set[Uid]) -> int:
    """How many of the writes in doubt are a person's matter by now."""
    problems = await bench.store.problems(bench.key)
    return len({one.uid for one in problems if one.kind == "in-doubt"} & waiting)


async def dry_round(bench: Bench, local: LocalState, moves: Moves = Moves()) -> RoundReport:
    """What a round would do with what is stored and in the folder; nothing is written."""
    report = RoundReport(bench.counts)
    desk = await _desk(bench, local, moves)
    async for plans in _planned(bench, local, moves, desk, set()):
        report.plans += plans
    report.plans, _ = await _guarded(bench, report.plans, local, desk, moves)
    return report


async def _reconcile(
    bench: Bench, local: LocalState, moves: Moves, round_: RoundId, report: RoundReport
) -> None:
    """
    Plan and apply. What needs no weighing together is done chunk by chunk, so that memory does not
    grow with the calendar; deletions and new events wait for the guard.
    """
    desk = await _desk(bench, local, moves)
    later: list[ItemPlan] = []
    async for plans in _planned(bench, local, moves, desk, report.waiting):
        later += [plan for plan in plans if _is_weighed(plan)]
        await _apply_files(bench, local, [p for p in plans if not _is_weighed(p)], round_, report)
    later, problems = await _guarded(bench, later, local, desk, moves)
    await _store_notes(bench, local, problems)
    await _apply_files(bench, local, later, round_, report)
    if report.trouble is None and local.standing == "ours":
        pushed = await push(bench, later, round_)
        report.again |= pushed.again
        report.trouble = pushed.trouble
    await _end_of_linking(bench, report, problems)


def _is_weighed(plan: ItemPlan) -> bool:
    return bool(plan.writes) or isinstance(plan.decision, (DeleteEvent, DeleteFile, MakeEvent))


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
    await _store_plans(bench, plans, frozen=frozen)
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
            found[uid] = LocalItem(file.item.master.subject, _start(file.item))
    return found


def _start(item: Item) -> datetime:
    when = item.master.when
    if isinstance(when, AllDay):
        return datetime(when.start.year, when.start.month, when.start.day, tzinfo=UTC)
    return instant(when.start, WindowsZone(when.start_zone))


# --- reconcile and plan ---


async def _planned(
    bench: Bench, local: LocalState, moves: Moves, desk: Desk, waiting: set[Uid]
) -> AsyncIterator[list[ItemPlan]]:
    """Decide and plan every item that moved on either side, some hundred at a time."""
    async for uids in _moved(bench, local):
        wanted = [uid for uid in uids if uid not in waiting and uid not in moves.away]
        sides = await _sides(bench, wanted, local)
        yield [_plan(one, desk) for one in sides]


async def _moved(bench: Bench, local: LocalState) -> AsyncIterator[Sequence[Uid]]:
    changed = list(dict.fromkeys([*local.files, *local.broken, *sorted(local.missing)]))
    for at in range(0, len(changed), CHUNK):
        yield changed[at : at + CHUNK]
    seen = frozenset(changed)
    last = Uid("")
    while uids := await bench.store.todo(bench.key, CHUNK, last):
        last = uids[-1]
        yield [uid for uid in uids if uid not in seen]


async def _desk(bench: Bench, local: LocalState, moves: Moves) -> Desk:
    calendar, rules = bench.calendar, bench.rules
    names = local.names
    if not local.whole:
        names = {folded(name) for name in await bench.store.known_files(bench.key)}

    holders = {folded(one.name): uid for uid, one in local.files.items()}
    holders |= {folded(one.name): uid for uid, (one, _) in local.broken.items()}
    loose = {folded(one.file) for one in local.loose}

    def new_name(uid: Uid, former: FileName | None) -> FileName:
        """The name it had, unless another file bears it by now; else a fresh one."""
        if former and folded(former) not in loose and holders.get(folded(former), uid) == uid:
            return former
        name = file_name(uid, names)
        names.add(folded(name))
        return name

    return Desk(
        account=calendar.account,
        calendar=calendar.id,
        calendar_name=calendar.name,
        owner=bench.owner,
        now=bench.clock.now(),
        policy=POLICIES[rules.conflict],
        mail=rules.mail,
        may_write=rules.two_way and calendar.can_edit,
        why_not=_why_not(bench),
        replace_rich=rules.replace_rich_bodies,
        foreign_meeting=rules.foreign_meeting,
        verdicts=await bench.store.verdicts(),
        open_problems={one.id: one for one in await bench.store.problems(bench.key)},
        new_name=new_name,
        moving=moves.here | moves.away,
    )


def _why_not(bench: Bench) -> str:
    if not bench.rules.two_way:
        return 'the calendar is followed one way (direction = "pull")'
    return "" if bench.calendar.can_edit else "the calendar is read-only"


async def _sides(bench: Bench, uids: Sequence[Uid], local: LocalState) -> list[Sides]:
    records = await bench.store.items(bench.key, uids)
    remotes = await bench.store.remotes_by_uid(bench.key, uids)
    found = []
    for uid in uids:
        known = records.get(uid)
        known = _with_name(known, uid, local)
        remote = _remote(bench, remotes.get(uid, ()), known)
        side = _local(bench, uid, local, known)
        found.append(Sides(uid, known, side, remote))
    return found


def _with_name(known: ItemRecord | None, uid: Uid, local: LocalState) -> ItemRecord | None:
    """The record with the name that the file has now; a new file's record begins with its name."""
    if known is not None:
        return replace(known, file=local.renamed[uid]) if uid in local.renamed else known
    seen = local.files.get(uid) or (local.broken[uid][0] if uid in local.broken else None)
    return ItemRecord(uid, file=seen.name) if seen is not None else None


def _remote(
    bench: Bench, records: Sequence[RemoteRecord], known: ItemRecord | None
) -> Remote | None:
    for record in sorted(records, key=lambda one: one.graph_id != (known and known.graph_id)):
        try:
            event = decode_event(record.raw)
            return Remote(record, event, read_item(event, bench.owner))
        except (ValueError, msgspec.DecodeError) as error:
            bench.observe("event.unreadable", {"reason": str(error)[:200]})
    return None


def _local(bench: Bench, uid: Uid, local: LocalState, known: ItemRecord | None) -> Local:
    if uid in local.broken:
        seen, trouble = local.broken[uid]
        return Broken(trouble, seen.data, seen.fingerprint)
    if uid in local.files:
        return _present(bench, local.files[uid], known)
    if uid in local.missing or known is None or known.file is None:
        return Absent()
    return Same()


def _present(bench: Bench, seen: FileSeen, known: ItemRecord | None) -> Local:
    base = known.base_local if known is not None else None
    delete = bench.rules.delete_cancelled_overrides
    file = read(seen.data, bench.owner, base, delete_cancelled=delete)
    assert isinstance(file, FileItem)
    saved_at = datetime.fromtimestamp(seen.stat.mtime_ns / 1e9, UTC)
    return Present(file, seen.data, seen.fingerprint, saved_at)


def _plan(sides: Sides, desk: Desk) -> ItemPlan:
    known = sides.known
    if known is not None and known.local_only and not isinstance(sides.local, Absent):
        return ItemPlan(sides.uid, Nothing(), sides, _as_seen(known, sides))
    return plan_item(sides, decide(sides, desk.policy), desk)


def _as_seen(known: ItemRecord, sides: Sides) -> ItemRecord:
    """A file that is not followed on the service is known by its bytes alone."""
    if not isinstance(sides.local, Present):
        return known
    return replace(known, content=sides.local.data, fingerprint=sides.local.fingerprint, stat=None)


async def _guarded(
    bench: Bench, plans: list[ItemPlan], local: LocalState, desk: Desk, moves: Moves
) -> tuple[list[ItemPlan], list[Problem]]:
    """The guards that look at all items together, and what they hold."""
    counts = await bench.store.counts(bench.key)
    problems: list[Problem] = []
    plans, found = hold_creations(plans, bench.calendar.phase, bench.rules.max_imports, desk)
    problems += found
    sides: tuple[Side, ...] = ("local", "remote")
    for side in sides:
        recent = await bench.store.recent_deletions(bench.key, side, bench.clock.now(), HOUR)
        figures = DeletionCounts(recent, counts["items"], bench.rules.limit)
        moved = [plan for plan in plans if plan.uid in moves.done]
        plans = [plan for plan in plans if plan.uid not in moves.done]
        plans, problem = hold_deletions(plans, side, figures, desk)
        plans += moved
        problems += [problem] if problem is not None else []
    return plans, problems + _folder_problem(local, desk)


_STANDING = {
    "missing": ("folder-missing", "the calendar's folder is not there"),
    "unmarked": ("folder-unmarked", "the calendar's folder lost its marker (.syncd)"),
    "foreign": ("folder-foreign", "the calendar's folder is marked as another calendar's"),
}


def _folder_problem(local: LocalState, desk: Desk) -> list[Problem]:
    if local.standing == "ours":
        return []
    code, reason = _STANDING[local.standing]
    problem = desk.problem(
        "folder",
        code,
        None,
        reason=f"{reason}: nothing is deleted, written or sent",
        hint="Mount the disk or put the folder back; `syncd approve ID` fills a new one.",
        exact=code,
    )
    return [problem]


# --- the store ---


async def _store_plans(bench: Bench, plans: Sequence[ItemPlan], *, frozen: bool) -> None:
    """Keep what was decided and listed, before any file or event is touched."""
    changes: list[Change] = []
    for plan in plans:
        known = plan.sides.known
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
