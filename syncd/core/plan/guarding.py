"""The guards that look at all plans of a calendar together: deletions, imports, lost states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

from syncd.core.decide import (
    DeleteEvent,
    DeleteFile,
    KeepText,
    MakeEvent,
    Nothing,
    RestoreFile,
)
from syncd.core.guard import DeletionLimit, Emptied, TooMany, Verdict, judge
from syncd.core.ids import ProblemId, Uid
from syncd.core.plan.files import make_file
from syncd.core.plan.values import Desk, ItemPlan, file_of, problem_id, summary_of
from syncd.core.state import (
    Change,
    ClearVerdict,
    Phase,
    Problem,
    PutVerdict,
    Side,
    VerdictRecord,
)

__all__ = [
    "DELETIONS",
    "DeletionCounts",
    "Held",
    "hold_creations",
    "hold_deletions",
    "verdict_changes",
]

Held = Literal["local", "remote", "import"]
"""What is held as one list: deletions by the side where things vanished, or an import."""


@dataclass(frozen=True, slots=True)
class DeletionCounts:
    """
    What the guard counts on one side of a calendar.

    `recent` deletions were carried out within the hour, or may have been; `known` are the items of
    an hour ago, on whichever side they went since. `vanished`, of what the side `had` as the round
    began: by looking, whatever follows from it.
    """

    recent: int
    known: int
    vanished: int
    had: int
    limit: DeletionLimit = field(default_factory=DeletionLimit)


DELETIONS: Mapping[Side, tuple[type, ...]] = {
    "local": (DeleteEvent,),
    "remote": (DeleteFile, KeepText),
}


def hold_deletions(
    plans: list[ItemPlan], side: Side, counts: DeletionCounts, desk: Desk
) -> tuple[list[ItemPlan], Problem | None]:
    """
    Hold the deletions of one side when there are too many of them, or everything is gone.

    Args:
        side: where the things vanished: "local" deletions would delete events, "remote" ones files.
    Returns: the plans, deletions that are held replaced by doing nothing; and the problem.
    """
    gone = [plan for plan in plans if isinstance(plan.decision, DELETIONS[side])]
    approved, discarded, rest = _by_verdict(side, gone, desk)
    verdict = _judged(rest, approved, counts)
    # What was held stays held until a person decides, whatever has appeared since.
    held = rest if verdict is not None else _still_held(rest, side, desk)
    instead = {plan.uid: _approved(side, plan, desk) for plan in approved}
    instead |= {one.uid: _using(side, _undone(one, side, desk), desk) for one in discarded}
    instead |= {plan.uid: _kept(plan) for plan in held}
    problem = _deletions_problem(held, side, verdict, desk) if held else None
    return [instead.get(plan.uid, plan) for plan in plans], problem


def _judged(plans: list[ItemPlan], approved: list[ItemPlan], counts: DeletionCounts) -> Verdict:
    recent = counts.recent + _leaving(approved)
    return judge(
        _leaving(plans),
        vanished=counts.vanished,
        recent=recent,
        known_now=counts.known - recent,
        limit=counts.limit,
        had=counts.had,
    )


def _leaving(plans: Iterable[ItemPlan]) -> int:
    return sum(1 for plan in plans if plan.writes or plan.file)


def _still_held(plans: list[ItemPlan], side: Side, desk: Desk) -> list[ItemPlan]:
    before = desk.open_problems.get(_item_id(side, "", desk))
    listed = {item["uid"] for item in before.items} if before is not None else set()
    return [plan for plan in plans if plan.uid in listed]


# --- what a person decided ---


def verdict_changes(which: Held, uids: Iterable[Uid], desk: Desk) -> list[Change]:
    """
    Turn what a person decided of a list into a decision about each of its items.

    So each counts until it is carried out: an approved write that the service throttled is not
    asked about again, and one that came after the list was shown is not approved with it.

    Args: uids: the items that the matter is still about; decisions about others are forgotten.
    """
    lines = {_line(uid) for uid in uids}
    changes: list[Change] = [
        ClearVerdict(one.problem)
        for one in desk.verdicts.values()
        if one.problem == _item_id(which, one.exact, desk) and one.exact not in lines
    ]
    listed = desk.verdicts.get(_item_id(which, "", desk))
    if listed is None:
        return changes
    changes.append(ClearVerdict(listed.problem))
    decided = [line for line in listed.exact.split("\n") if line in lines]
    return changes + [
        PutVerdict(VerdictRecord(_item_id(which, line, desk), listed.kind, line))
        for line in decided
    ]


def _by_verdict(
    which: Held, plans: Iterable[ItemPlan], desk: Desk
) -> tuple[list[ItemPlan], list[ItemPlan], list[ItemPlan]]:
    """The plans that a person approved, those that were discarded, and the others."""
    sorted_: dict[str, list[ItemPlan]] = {"approved": [], "discarded": [], "": []}
    for plan in plans:
        line = _line(plan.uid)
        sorted_[desk.verdict(_item_id(which, line, desk), line)].append(plan)
    return sorted_["approved"], sorted_["discarded"], sorted_[""]


def _approved(which: Held, plan: ItemPlan, desk: Desk) -> ItemPlan:
    # What waits for something else as well is not asked about again meanwhile.
    return _using(which, plan, desk) if plan.writes or plan.file else plan


def _using(which: Held, plan: ItemPlan, desk: Desk) -> ItemPlan:
    """The decision of a person counts once: it is forgotten when it is carried out."""
    own = _item_id(which, _line(plan.uid), desk)
    return replace(plan, used_verdicts=(*plan.used_verdicts, own))


_LISTS: Mapping[Held, tuple[str, str]] = {
    "local": ("held-deletions", "local-deletions"),
    "remote": ("held-deletions", "remote-deletions"),
    "import": ("held-import", "many-creates"),
}


def _item_id(which: Held, line: str, desk: Desk) -> ProblemId:
    """Under which id a person's decision is kept; of the whole list with no item's line."""
    return problem_id(desk.account, desk.calendar, line, *_LISTS[which], "")


def _line(uid: str) -> str:
    return " ".join(uid.split("\n"))


def _list_problem(
    which: Held, plans: Iterable[ItemPlan], desk: Desk, *, reason: str, hint: str
) -> Problem:
    items = _listed(plans)
    exact = "\n".join(_line(item["uid"]) for item in items)
    kind, code = _LISTS[which]
    return desk.problem(kind, code, None, reason=reason, hint=hint, items=items, exact=exact)


# --- new events ---


def hold_creations(
    plans: list[ItemPlan], phase: Phase, most: int, desk: Desk
) -> tuple[list[ItemPlan], list[Problem]]:
    """
    Hold new events of a folder that was never synced when they are many (`max_imports`); list,
    instead of making, those of a folder whose state was lost: they may have been deleted elsewhere.
    """
    if phase == "import":
        return _hold_import(plans, most, desk)
    return [_gone_or_new(plan, phase, desk) for plan in plans], []


def _hold_import(
    plans: list[ItemPlan], most: int, desk: Desk
) -> tuple[list[ItemPlan], list[Problem]]:
    new = [plan for plan in plans if isinstance(plan.decision, MakeEvent)]
    approved, discarded, rest = _by_verdict("import", new, desk)
    instead = {plan.uid: _approved("import", plan, desk) for plan in approved}
    instead |= {one.uid: _using("import", _local_only(one), desk) for one in discarded}
    problems: list[Problem] = []
    if len(rest) > most:
        instead |= {plan.uid: replace(plan, writes=(), problems=()) for plan in rest}
        problems.append(_import_problem(rest, desk))
    return [instead.get(plan.uid, plan) for plan in plans], problems


def _import_problem(new: list[ItemPlan], desk: Desk) -> Problem:
    return _list_problem(
        "import",
        new,
        desk,
        reason=f"the folder was never synced and holds {len(new)} files that the service lacks",
        hint="`syncd approve ID` creates these events; `syncd discard ID` keeps them local-only.",
    )


def _local_only(plan: ItemPlan) -> ItemPlan:
    assert plan.record is not None
    record = replace(plan.record, local_only=True)
    return replace(plan, record=record, writes=(), problems=())


def _gone_or_new(plan: ItemPlan, phase: Phase, desk: Desk) -> ItemPlan:
    if not isinstance(plan.decision, MakeEvent) or plan.decision.again:
        return plan
    is_copy = _was_duplicate(plan, desk)
    why = "the file was a copy of one that went" if is_copy else "the state was lost"
    problem = desk.problem(
        "gone-or-new",
        "gone-or-new",
        plan.sides,
        reason=f"{why}, and the service has no event for this file",
        hint="`syncd problems resolve ID --take local` creates it; remove the file if it is gone.",
    )
    if phase != "recovery" and not is_copy and problem.id not in desk.open_problems:
        return plan
    if desk.verdict(problem.id, problem.exact) == "local":
        return replace(plan, used_verdicts=(*plan.used_verdicts, problem.id))
    return replace(plan, writes=(), problems=(*plan.problems, problem))


def _was_duplicate(plan: ItemPlan, desk: Desk) -> bool:
    """Whether the file was listed as another one of a UID whose event is gone by now."""
    file = file_of(plan.sides)
    return any(
        one.code == "duplicate-uid" and (one.uid, one.file) == (plan.uid, file)
        for one in desk.open_problems.values()
    )


def _deletions_problem(going: list[ItemPlan], side: Side, verdict: Verdict, desk: Desk) -> Problem:
    gone_from, to = (
        ("the folder", "on the service") if side == "local" else ("the service", "in the folder")
    )
    match verdict:
        case Emptied(known):
            reason = f"all {known} items are gone from {gone_from} at once"
        case TooMany(within_hour, known):
            reason = f"{within_hour} of {known} items are gone from {gone_from} within the hour"
        case None:
            reason = f"{len(going)} items that were gone from {gone_from} at once still are"
        case _:
            assert_never(verdict)
    undo = "writes the files again" if side == "local" else "keeps the files as local-only"
    return _list_problem(
        side,
        going,
        desk,
        reason=f"{reason}: nothing was deleted {to}",
        hint=f"`syncd approve ID` deletes these {len(going)} {to}; `syncd discard ID` {undo}.",
    )


def _listed(plans: Iterable[ItemPlan]) -> tuple[Mapping[str, str], ...]:
    return tuple(
        {"uid": str(plan.uid), "summary": summary_of(plan.sides), "file": file_of(plan.sides)}
        for plan in sorted(plans, key=lambda one: one.uid)
    )


def _kept(plan: ItemPlan) -> ItemPlan:
    return ItemPlan(plan.uid, plan.decision, plan.sides, plan.sides.known, keep_todo=True)


def _undone(plan: ItemPlan, side: Side, desk: Desk) -> ItemPlan:
    if side == "local":
        return replace(make_file(plan.sides, RestoreFile(), desk), problems=())
    known = plan.sides.known
    assert known is not None
    record = replace(known, local_only=True, graph_id=None, base_local=None, base_remote=None)
    return ItemPlan(plan.uid, Nothing(), plan.sides, record)
