"""The guards that look at all plans of a calendar together: deletions, imports, lost states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

from syncd.core.decide import (
    DeleteEvent,
    DeleteFile,
    MakeEvent,
    Nothing,
    RestoreFile,
)
from syncd.core.guard import DeletionLimit, Emptied, TooMany, Verdict, judge
from syncd.core.plan.files import make_file
from syncd.core.plan.values import Desk, ItemPlan, file_of, problem_id, summary_of
from syncd.core.state import Phase, Problem

__all__ = ["DeletionCounts", "hold_creations", "hold_deletions"]


@dataclass(frozen=True, slots=True)
class DeletionCounts:
    """What the guard counts on one side of a calendar."""

    recent: int
    known_now: int
    limit: DeletionLimit = field(default_factory=DeletionLimit)


def hold_deletions(
    plans: list[ItemPlan], side: Literal["local", "remote"], counts: DeletionCounts, desk: Desk
) -> tuple[list[ItemPlan], Problem | None]:
    """
    Hold the deletions of one side when there are too many of them, or everything is gone.

    Args:
        side: where the things vanished: "local" deletions would delete events, "remote" ones files.
    Returns: the plans, deletions that are held replaced by doing nothing; and the problem.
    """
    kind = DeleteEvent if side == "local" else DeleteFile
    gone = [plan for plan in plans if isinstance(plan.decision, kind)]
    going = [plan for plan in gone if plan.writes or plan.file]
    verdict = judge(
        len(going),
        vanished=len(gone),
        recent=counts.recent,
        known_now=counts.known_now,
        limit=counts.limit,
    )
    if verdict is None:
        # What was held stays held until a person decides, whatever has appeared since.
        gone = _still_held(gone, side, desk)
    if not gone:
        return plans, None
    gone_uids = {plan.uid for plan in gone}
    problem = _deletions_problem(gone, side, verdict, desk)
    match _decided(problem, desk):
        case "approved":
            return [_using(one, problem) if one.uid in gone_uids else one for one in plans], None
        case "discarded":
            undone = [_undone(one, side, desk) if one.uid in gone_uids else one for one in plans]
            return [_using(one, problem) for one in undone], None
        case _:
            kept = [_kept(one) if one.uid in gone_uids else one for one in plans]
            return kept, problem


def _open_problem(side: str, desk: Desk) -> Problem | None:
    code = f"{side}-deletions"
    listed = problem_id(desk.account, desk.calendar, "", "held-deletions", code, "")
    return desk.open_problems.get(listed)


def _still_held(gone: list[ItemPlan], side: str, desk: Desk) -> list[ItemPlan]:
    before = _open_problem(side, desk)
    if before is None:
        return []
    listed = {item["uid"] for item in before.items}
    return [plan for plan in gone if plan.uid in listed]


def _using(plan: ItemPlan, problem: Problem) -> ItemPlan:
    """The decision of a person counts once: it is forgotten when it is carried out."""
    return replace(plan, used_verdicts=(*plan.used_verdicts, problem.id))


def _decided(problem: Problem, desk: Desk) -> str:
    """What a person decided of a list; it holds for what is left of the list as well."""
    found = desk.verdicts.get(problem.id)
    if found is None or not set(problem.exact.split("\n")) <= set(found.exact.split("\n")):
        return ""
    return found.kind


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
    if len(new) <= most:
        return plans, []
    new_uids = {plan.uid for plan in new}
    items = _listed(new)
    problem = desk.problem(
        "held-import",
        "many-creates",
        None,
        reason=f"the folder was never synced and holds {len(new)} files that the service lacks",
        hint="`syncd approve ID` creates these events; `syncd discard ID` keeps them local-only.",
        items=items,
        exact="\n".join(item["uid"] for item in items),
    )
    match _decided(problem, desk):
        case "approved":
            return [_using(one, problem) if one.uid in new_uids else one for one in plans], []
        case "discarded":
            kept = [_local_only(one) if one.uid in new_uids else one for one in plans]
            return [_using(one, problem) for one in kept], []
        case _:
            held = [
                replace(one, writes=(), problems=()) if one.uid in new_uids else one
                for one in plans
            ]
            return held, [problem]


def _local_only(plan: ItemPlan) -> ItemPlan:
    assert plan.record is not None
    record = replace(plan.record, local_only=True)
    return replace(plan, record=record, writes=(), problems=())


def _gone_or_new(plan: ItemPlan, phase: Phase, desk: Desk) -> ItemPlan:
    if not isinstance(plan.decision, MakeEvent) or plan.decision.again:
        return plan
    problem = desk.problem(
        "gone-or-new",
        "gone-or-new",
        plan.sides,
        reason="the state was lost, and the service has no event for this file",
        hint="`syncd problems resolve ID --take local` creates it; remove the file if it is gone.",
    )
    if phase != "recovery" and problem.id not in desk.open_problems:
        return plan
    if desk.verdict(problem.id, problem.exact) == "local":
        return replace(plan, used_verdicts=(*plan.used_verdicts, problem.id))
    return replace(plan, writes=(), problems=(*plan.problems, problem))


def _deletions_problem(going: list[ItemPlan], side: str, verdict: Verdict, desk: Desk) -> Problem:
    gone_from, to = (
        ("the folder", "the service") if side == "local" else ("the service", "the folder")
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
    items = _listed(going)
    undo = "writes the files again" if side == "local" else "keeps the files as local-only"
    return desk.problem(
        "held-deletions",
        f"{side}-deletions",
        None,
        reason=f"{reason}: nothing was deleted on {to}",
        hint=f"`syncd approve ID` deletes these {len(items)} on {to}; `syncd discard ID` {undo}.",
        items=items,
        exact="\n".join(item["uid"] for item in items),
    )


def _listed(plans: Iterable[ItemPlan]) -> tuple[Mapping[str, str], ...]:
    return tuple(
        {"uid": str(plan.uid), "summary": summary_of(plan.sides), "file": file_of(plan.sides)}
        for plan in sorted(plans, key=lambda one: one.uid)
    )


def _kept(plan: ItemPlan) -> ItemPlan:
    return ItemPlan(plan.uid, plan.decision, plan.sides, plan.sides.known, keep_todo=True)


def _undone(plan: ItemPlan, side: str, desk: Desk) -> ItemPlan:
    if side == "local":
        return replace(make_file(plan.sides, RestoreFile(), desk), problems=())
    known = plan.sides.known
    assert known is not None
    record = replace(known, local_only=True, graph_id=None, base_local=None, base_remote=None)
    return ItemPlan(plan.uid, Nothing(), plan.sides, record)
