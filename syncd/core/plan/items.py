"""From a decision to a plan: one way for each kind of decision."""

from __future__ import annotations

from typing import assert_never

from syncd.core.decide import (
    Decision,
    DeleteEvent,
    DeleteFile,
    Forget,
    HeldFile,
    KeepText,
    MakeEvent,
    MakeFile,
    Merged,
    Nothing,
    RestoreFile,
    Sides,
)
from syncd.core.plan.events import delete_event, make_event
from syncd.core.plan.files import delete_file, held_file, keep_text, make_file
from syncd.core.plan.merging import merge_item, nothing
from syncd.core.plan.values import Desk, ItemPlan

__all__ = ["plan_item"]


def plan_item(sides: Sides, decision: Decision, desk: Desk) -> ItemPlan:
    """Plan one item."""
    match decision:
        case Nothing():
            return nothing(sides, decision, desk)
        case MakeFile() | RestoreFile():
            return make_file(sides, decision, desk)
        case MakeEvent():
            return make_event(sides, decision, desk)
        case DeleteFile():
            return delete_file(sides, decision)
        case KeepText():
            return keep_text(sides, decision, desk)
        case DeleteEvent():
            return delete_event(sides, decision, desk)
        case Forget():
            return ItemPlan(sides.uid, decision, sides, None)
        case HeldFile():
            return held_file(sides, decision, desk)
        case Merged():
            return merge_item(sides, decision, desk)
        case _:
            assert_never(decision)
