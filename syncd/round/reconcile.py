"""
Every item that moved on either side, brought together, decided and planned.

Nothing is done, but what a person decided of a list is kept for each of its items.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import msgspec

from syncd.core.basis import brought_up, steady
from syncd.core.decide import (
    Absent,
    Broken,
    Local,
    MakeEvent,
    Nothing,
    Present,
    Remote,
    Same,
    Sides,
    decide,
)
from syncd.core.guard import EMPTIED_FROM
from syncd.core.ids import FileName, Uid
from syncd.core.names import file_name, folded
from syncd.core.plan import (
    DeletionCounts,
    Desk,
    ItemPlan,
    hold_creations,
    hold_deletions,
    is_made,
    plan_item,
    split_of,
    split_plans,
)
from syncd.core.plan.guarding import DELETIONS, Held, verdict_changes
from syncd.core.policies import POLICIES
from syncd.core.state import (
    CalendarKey,
    ItemRecord,
    Problem,
    RemoteRecord,
    Side,
)
from syncd.core.wire.graph import decode_event, read_item
from syncd.core.wire.ics_read import FileItem, read
from syncd.ports import FileSeen
from syncd.round.desk import Bench
from syncd.round.look import LocalState

__all__ = [
    "HOUR",
    "NO_MOVES",
    "Moves",
    "guarded",
    "planned",
    "planning_desk",
    "present_of",
    "remote_of",
]


CHUNK = 500


HOUR = timedelta(hours=1)
"""Over which deletions add up."""


@dataclass(frozen=True, slots=True)
class Moves:
    """
    UIDs on their way between calendars of the account.

    `away`: missing here, their file turned up elsewhere and is not followed there yet, so they are
    no deletions for now. `here`: new here, known elsewhere. `done`: missing here, and come to be
    followed elsewhere, in which calendar: they go here without counting as deletions.
    """

    away: frozenset[Uid] = frozenset()
    here: frozenset[Uid] = frozenset()
    done: Mapping[Uid, CalendarKey] = field(default_factory=dict)


NO_MOVES = Moves()


@dataclass(slots=True)
class Tally:
    """
    What the guards know of both sides besides the plans.

    `items`, `files` and `events` are known as planning begins: by then the service's news are
    stored, and no file is touched. `gone` are UIDs of which the service's event is not there any
    more; of `events`, so many are `fresh` that no item is known by.
    """

    items: int
    files: int
    events: int
    gone: set[Uid] = field(default_factory=set)
    fresh: int = 0

    def note(self, sides: Sequence[Sides], unreadable: Sequence[Sides]) -> None:
        """Count some items; an event that cannot be read is there all the same."""
        self.gone |= {one.uid for one in sides if one.remote is None and _is_followed(one)}
        there = [*(one for one in sides if one.remote is not None), *unreadable]
        self.fresh += sum(not _is_followed(one) for one in there)


def _is_followed(sides: Sides) -> bool:
    known = sides.known
    return known is not None and known.graph_id is not None and not known.local_only


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundDesk(Desk):
    """What planning needs to know, and what the guards count while all items pass by."""

    tally: Tally


async def planned(
    bench: Bench, local: LocalState, moves: Moves, desk: RoundDesk, waiting: set[Uid]
) -> AsyncIterator[list[ItemPlan]]:
    """Decide and plan every item that moved on either side, some hundred at a time."""
    async for uids in _moved(bench, local, desk):
        wanted = [uid for uid in uids if uid not in waiting and uid not in moves.away]
        sides, unreadable = await _sides(bench, wanted, local)
        desk.tally.note(sides, unreadable)
        yield [
            *[plan for one in sides for plan in await _plans(bench, one, local, desk)],
            *(_unread(one, desk) for one in unreadable),
        ]


async def _moved(bench: Bench, local: LocalState, desk: Desk) -> AsyncIterator[Sequence[Uid]]:
    # A deletion that waits for `approve` is over when its file is back as it was.
    waiting = [
        one.uid for one in desk.open_problems.values() if one.kind == "held-mail" and one.uid
    ]
    moved = [*local.files, *local.broken, *sorted(local.missing), *waiting]
    changed = list(dict.fromkeys(moved))
    for at in range(0, len(changed), CHUNK):
        yield changed[at : at + CHUNK]
    seen = frozenset(changed)
    last = Uid("")
    while uids := await bench.store.todo(bench.key, CHUNK, last):
        last = uids[-1]
        yield [uid for uid in uids if uid not in seen]


async def planning_desk(bench: Bench, local: LocalState, moves: Moves) -> RoundDesk:
    calendar, rules = bench.calendar, bench.rules
    counts = await bench.store.counts(bench.key)
    names = local.names

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

    return RoundDesk(
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
        forms=rules.forms,
        moving=moves.here | moves.away | moves.done.keys(),
        attaches=rules.attachments != "off" and bench.dialect.has_attachments,
        detaches=rules.delete_attachments,
        tally=Tally(counts["items"], counts["files"], counts["events"]),
    )


def _why_not(bench: Bench) -> str:
    if not bench.rules.two_way:
        return 'the calendar is followed one way (direction = "pull")'
    return "" if bench.calendar.can_edit else "the calendar is read-only"


def _unread(sides: Sides, desk: Desk) -> ItemPlan:
    """An event that cannot be read is there all the same: nothing is done about its file."""
    problem = desk.problem(
        "unreadable",
        "unreadable-event",
        sides,
        reason="the service's event cannot be read; its file is left as it is",
        hint="Look at the event in Outlook; it is read again when it changes.",
        needs_person=False,
    )
    return ItemPlan(sides.uid, Nothing(), sides, sides.known, problems=(problem,), keep_todo=True)


async def _sides(
    bench: Bench, uids: Sequence[Uid], local: LocalState
) -> tuple[list[Sides], list[Sides]]:
    """Both sides of some items; apart, those of which the service's side cannot be read."""
    records = await bench.store.items(bench.key, uids)
    remotes = await bench.store.remotes_by_uid(bench.key, uids)
    found: list[Sides] = []
    unreadable: list[Sides] = []
    for uid in uids:
        known = _with_name(records.get(uid), uid, local)
        remote = remote_of(bench, remotes.get(uid, ()), known)
        if known is not None:
            known = brought_up(known, remote.item if remote else None, bench.owner)
        sides = Sides(uid, known, _local(bench, uid, local, known), remote)
        is_lost = remote is None and bool(remotes.get(uid))
        (unreadable if is_lost else found).append(sides)
    return found, unreadable


def _with_name(known: ItemRecord | None, uid: Uid, local: LocalState) -> ItemRecord | None:
    """
    The record with the name that the file has now; a new file's record begins with its name.

    A record without a name may have got its file just before a kill (`files._announced`); where
    that is missing by now, it had one.
    """
    if known is not None and known.file is not None:
        return replace(known, file=local.renamed[uid]) if uid in local.renamed else known
    if known is not None and uid in local.missing:
        return replace(known, file=file_name(uid, ()))
    seen = local.files.get(uid) or (local.broken[uid][0] if uid in local.broken else None)
    return replace(known or ItemRecord(uid), file=seen.name) if seen is not None else known


def remote_of(
    bench: Bench, records: Sequence[RemoteRecord], known: ItemRecord | None
) -> Remote | None:
    """The event that an item stands for, as it was received; None where there is none to read."""
    for record in sorted(records, key=lambda one: one.graph_id != (known and known.graph_id)):
        try:
            event = decode_event(record.raw)
            item = read_item(event, bench.owner)
            return Remote(record, event, steady(item, known.base_remote if known else None))
        except (ValueError, msgspec.DecodeError) as error:
            bench.observe("event.unreadable", {"reason": str(error)[:200]})
    return None


def _local(bench: Bench, uid: Uid, local: LocalState, known: ItemRecord | None) -> Local:
    if uid in local.broken:
        seen, trouble = local.broken[uid]
        return Broken(trouble, seen.data, seen.fingerprint)
    if uid in local.files:
        return present_of(bench, local.files[uid], known)
    if uid in local.missing or known is None or known.file is None:
        return Absent()
    return Same()


def present_of(bench: Bench, seen: FileSeen, known: ItemRecord | None) -> Present:
    """An item's file as it was read, and what it says beside what was known of it."""
    base = known.base_local if known is not None else None
    delete = bench.rules.delete_cancelled_overrides
    file = read(seen.data, bench.owner, base, delete_cancelled=delete)
    assert isinstance(file, FileItem)
    saved_at = datetime.fromtimestamp(seen.stat.mtime_ns / 1e9, UTC)
    return Present(file, seen.data, seen.fingerprint, saved_at)


async def _plans(bench: Bench, sides: Sides, local: LocalState, desk: Desk) -> list[ItemPlan]:
    split = split_of(sides, desk) if bench.calendar.phase == "live" else None
    if split is None:
        return [_plan(sides, local, desk)]
    there = local.files.get(split.uid)
    known = (await bench.store.items(bench.key, [split.uid])).get(split.uid)
    data = there.data if there is not None else known.content if known is not None else None
    if data is not None and not is_made(split, data, bench.owner):
        return [_plan(sides, local, desk)]  # the UID is another's: the cut stays held
    return split_plans(sides, split, desk, made=data is not None)


def _plan(sides: Sides, local: LocalState, desk: Desk) -> ItemPlan:
    known = sides.known
    if known is None and isinstance(sides.local, Absent) and local.may_hold(sides.uid):
        # Perhaps its own, from before the state was lost: a second file would be one of the same
        # UID. The file is on the list; the item waits until it can be read or is gone.
        return ItemPlan(sides.uid, Nothing(), sides, None, keep_todo=True)
    if known is not None and known.local_only and not isinstance(sides.local, Absent):
        return ItemPlan(sides.uid, Nothing(), sides, _as_seen(known, sides))
    return plan_item(sides, decide(sides, desk.policy), desk)


def _as_seen(known: ItemRecord, sides: Sides) -> ItemRecord:
    """A file that is not followed on the service is known by its bytes alone."""
    if not isinstance(sides.local, Present):
        return known
    return replace(known, content=sides.local.data, fingerprint=sides.local.fingerprint, stat=None)


async def guarded(
    bench: Bench, plans: list[ItemPlan], local: LocalState, desk: RoundDesk, moves: Moves
) -> tuple[list[ItemPlan], list[Problem]]:
    """The guards that look at all items together, and what they hold."""
    if local.standing == "ours":
        desk = await _with_item_verdicts(bench, plans, local, desk)
    plans, problems = hold_creations(plans, bench.calendar.phase, bench.rules.max_imports, desk)
    if any(isinstance(plan.decision, _ALL_DELETIONS) for plan in plans):
        moved = [plan for plan in plans if plan.uid in moves.done]
        others = [plan for plan in plans if plan.uid not in moves.done]
        others, held = await _deletions_guarded(bench, others, local, desk, moves)
        plans, problems = [*others, *moved], problems + held
    return plans, problems + _folder_problem(local, desk)


_ALL_DELETIONS = (*DELETIONS["local"], *DELETIONS["remote"])


async def _with_item_verdicts(
    bench: Bench, plans: list[ItemPlan], local: LocalState, desk: RoundDesk
) -> RoundDesk:
    """What a person decided of a list, kept for each of its items before any of them is touched."""
    if not desk.verdicts:
        return desk
    waiting = {entry.uid for entry in await bench.store.outbox(bench.key)}
    new = {plan.uid for plan in plans if isinstance(plan.decision, MakeEvent)}
    about: dict[Held, set[Uid]] = {
        "local": local.missing | waiting,
        "remote": desk.tally.gone | waiting,
        "import": new | waiting,
    }
    changes = [one for held, uids in about.items() for one in verdict_changes(held, uids, desk)]
    await bench.store.commit(bench.key, changes)
    return replace(desk, verdicts=await bench.store.verdicts())


async def _deletions_guarded(
    bench: Bench, plans: list[ItemPlan], local: LocalState, desk: RoundDesk, moves: Moves
) -> tuple[list[ItemPlan], list[Problem]]:
    problems: list[Problem] = []
    for side, counts in (await _deletion_counts(bench, local, desk.tally, moves)).items():
        plans, problem = hold_deletions(plans, side, counts, desk)
        problems += [problem] if problem is not None else []
    return plans, problems


async def _deletion_counts(
    bench: Bench, local: LocalState, tally: Tally, moves: Moves
) -> dict[Side, DeletionCounts]:
    now = bench.true_now()
    by_local = await bench.store.recent_deletions(bench.key, "local", now, HOUR)
    by_remote = await bench.store.recent_deletions(bench.key, "remote", now, HOUR)
    known = tally.items + by_local + by_remote
    # A deletion whose answer was lost may have been carried out.
    lost = [one for one in await bench.store.outbox(bench.key) if one.kind == "delete"]
    by_local += len({one.uid for one in lost} - moves.done.keys())
    absent = local.missing | local.absent
    missing = absent - moves.away - moves.done.keys()
    elsewhere = absent - missing
    files, limit = tally.files - len(elsewhere), bench.rules.limit
    if len(missing) >= EMPTIED_FROM:
        # A folder that was emptied while a new file was on its way is an emptied one all the same.
        new = await bench.store.recent_files(bench.key, now, HOUR)
        if len(missing - new) >= max(files - len(new), EMPTIED_FROM):
            files = min(files, len(missing))
    had = tally.events - tally.fresh + len(tally.gone)
    return {
        "local": DeletionCounts(by_local, known, len(missing), files, limit),
        "remote": DeletionCounts(by_remote, known, len(tally.gone), had, limit),
    }


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
