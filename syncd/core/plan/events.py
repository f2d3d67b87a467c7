"""Plans that make or delete an event because of what the folder has."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from syncd.core.decide import (
    Decision,
    MakeEvent,
    Present,
    RestoreFile,
    Sides,
)
from syncd.core.event import Item
from syncd.core.ids import (
    ProblemId,
)
from syncd.core.mail import Mailing, deletion
from syncd.core.plan.attaching import brings_along, leaves_attachments
from syncd.core.plan.files import held_problems, make_file, restored_file
from syncd.core.plan.mailing import mail_problem, mail_stands
from syncd.core.plan.stash import stash_to_create
from syncd.core.plan.values import Desk, ItemPlan, Write, unless_refused
from syncd.core.state import ItemRecord, Problem
from syncd.core.wire.graph import create_body

__all__ = ["delete_event", "make_event"]


_WHOLE = frozenset({"when", "recurrence", "attendees"})


def make_event(sides: Sides, decision: MakeEvent, desk: Desk) -> ItemPlan:
    assert isinstance(sides.local, Present)
    record = _new_record(sides)
    holds = held_problems(sides, desk)
    plan = ItemPlan(sides.uid, decision, sides, record, problems=holds)
    if any(one.slot == "" and one.fields & _WHOLE for one in sides.local.file.holds):
        return plan
    if not desk.may_write:
        return replace(plan, problems=(*holds, _read_only_problem(sides, desk)))
    item = _as_created(decision.item, sides, desk)
    if isinstance(item, Problem):
        return replace(plan, problems=(*holds, item))
    return _create(plan, item, desk)


def _new_record(sides: Sides) -> ItemRecord:
    assert isinstance(sides.local, Present)
    known = sides.known or ItemRecord(sides.uid)
    return replace(
        known,
        graph_id=None,
        base_local=None,
        base_remote=None,
        fingerprint=None,
        stat=None,
        content=sides.local.data,
    )


def _read_only_problem(sides: Sides, desk: Desk) -> Problem:
    return desk.problem(
        "hold",
        "read-only",
        sides,
        reason=f"a new file cannot be sent: {desk.why_not}",
        hint="Move the file to another calendar's folder, or out of the export folder.",
    )


def _as_created(item: Item, sides: Sides, desk: Desk) -> Item | Problem:
    """The item as it may be created; meetings of other organizers are held or lose attendees."""
    local = sides.local
    assert isinstance(local, Present)
    organizer = item.master.organizer
    foreign = organizer is not None and not desk.owner.hosts(organizer.address)
    if foreign and (item.master.attendees or item.master.invited_as):
        if desk.foreign_meeting == "copy":
            return without_attendees(item)
        return desk.problem(
            "hold",
            "foreign-meeting",
            sides,
            reason="the meeting is another organizer's; sending it would invite everyone anew",
            hint='Accept the invitation in the mailbox, or set foreign_meeting = "copy".',
        )
    if sides.uid in desk.moving and _names_guests(item):
        return desk.problem(
            "hold",
            "move-meeting",
            sides,
            reason="a meeting cannot change calendars without inviting and cancelling everyone",
            hint="Move the file back, or move the meeting in Outlook.",
        )
    if sides.uid in desk.moving and local.file.attached_ids:
        return desk.problem(
            "hold",
            "move-attachments",
            sides,
            reason="what hangs on an event does not follow its file to another calendar",
            hint="Move the file back, and the event in Outlook.",
        )
    return item


def _names_guests(item: Item) -> bool:
    return bool(item.master.attendees) or item.has_guests_of_occurrences


def without_attendees(item: Item) -> Item:
    """The item as nobody's but the owner's own; occurrences, which follow a create, are left."""
    alone = {"attendees": (), "organizer": None, "invited_as": "", "response": "none"}
    return msgspec.structs.replace(item, master=msgspec.structs.replace(item.master, **alone))


def _create(plan: ItemPlan, item: Item, desk: Desk) -> ItemPlan:
    sides, mailing = plan.sides, None
    used: tuple[ProblemId, ...] = ()
    if item.master.attendees:
        mailing = Mailing("invitations", tuple(one.address for one in item.master.attendees))
        problem = mail_problem(sides, mailing, desk, would="create the meeting")
        stands = mail_stands(problem, mailing, desk)
        if stands == "discarded":
            # The file stays by itself for as long as it would invite these same people.
            return plan
        if stands == "held":
            return replace(plan, problems=(*plan.problems, problem))
        used = (problem.id,)
    attached = bool(item.master.attendees and brings_along(sides, desk))
    staged = bool(item.overrides or item.cancelled or attached)
    pushed = _without_slots(item)
    if staged:
        # One invitation shall carry the final state, not one mail for each exception.
        pushed, mailing, used = without_attendees(pushed), None, ()
    body = create_body(
        pushed,
        desk.owner,
        plan.uid,
        "",
        with_attendees=not staged,
        stash=stash_to_create(plan),
        html=_html(sides),
    )
    write = Write("create", "", frozenset(), None, _generation(plan), body, pushed, mailing)
    return replace(unless_refused(plan, write, desk), used_verdicts=used)


def _generation(plan: ItemPlan) -> str:
    """
    The event in whose place another one is made, "" where there was none.

    Another installation that makes it again as well does it in the place of the same one.
    """
    known, decision = plan.sides.known, plan.decision
    again = isinstance(decision, MakeEvent) and decision.again
    return str(known.graph_id or "") if again and known is not None else ""


def _html(sides: Sides) -> str:
    """The HTML form of a new event's text, where the file has one that says the same."""
    assert isinstance(sides.local, Present)
    return sides.local.file.html.get("", "")


def _without_slots(item: Item) -> Item:
    return Item(item.master, item.recurrence)


def delete_event(sides: Sides, decision: Decision, desk: Desk) -> ItemPlan:
    assert sides.remote is not None
    if not desk.may_write:
        return restored_file(sides, desk, f"the file is back: {desk.why_not}")
    if sides.uid in desk.moving and sides.remote.event.has_others:
        return ItemPlan(sides.uid, decision, sides, sides.known)
    if sides.uid in desk.moving and leaves_attachments(sides, desk):
        back = restored_file(sides, desk, "the file is back: what hangs on its event stays there")
        return replace(back, decision=decision)  # no edit, which would follow the file
    mailing = deletion(sides.remote.event, desk.owner)
    used: tuple[ProblemId, ...] = ()
    if mailing is not None:
        problem = mail_problem(sides, mailing, desk, would="delete the meeting")
        stands = mail_stands(problem, mailing, desk)
        if stands == "discarded":
            plan = make_file(sides, RestoreFile(), desk)
            return replace(plan, problems=(), used_verdicts=(problem.id,))
        if stands == "held":
            return ItemPlan(sides.uid, decision, sides, sides.known, problems=(problem,))
        used = (problem.id,)
    record = sides.remote.record
    write = Write("delete", "", frozenset(), record.graph_id, "", {}, None, mailing, record.etag)
    plan = ItemPlan(sides.uid, decision, sides, sides.known, used_verdicts=used)
    return unless_refused(plan, write, desk)
