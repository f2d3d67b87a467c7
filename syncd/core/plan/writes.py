"""
The writes of a merge: which fields go to the service in this round, and in which order.

An answer goes before other edits, the master before its occurrences; what follows is planned anew
when the answers are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, assert_never

import msgspec

from syncd.core.decide import (
    Merged,
    Present,
    Remote,
    Sides,
)
from syncd.core.event import MASTER, Event, FieldKey, Item, effective
from syncd.core.ids import (
    ProblemId,
)
from syncd.core.mail import (
    SILENT_FIELDS,
    Mailing,
    Told,
    deletion,
    of_both,
    others,
    told_of_patch,
    update,
)
from syncd.core.merge import ABSENT, overlay
from syncd.core.plan.files import hold_problem
from syncd.core.plan.mailing import mail_code, mail_problem, mail_stands
from syncd.core.plan.values import Desk, ItemPlan, Write, fields_value, unless_refused
from syncd.core.wire.graph import RemoteEvent, exception_slots, patch_fields
from syncd.core.wire.holds import hold
from syncd.core.wire.ics_read import FileItem, read

__all__ = ["with_writes"]


def with_writes(
    plan: ItemPlan, push: frozenset[FieldKey], decision: Merged, desk: Desk
) -> tuple[ItemPlan, frozenset[FieldKey]]:
    """
    The writes of this round, and the fields that a person's discarding takes back.

    An answer goes before other edits, the master before its occurrences; what follows is planned
    anew when the answers are there.
    """
    responses = frozenset(key for key in push if key.name == "response")
    undone: frozenset[FieldKey] = frozenset()
    if responses:
        plan, undone = respond(plan, responses, decision, desk)
        if plan.writes:
            return plan, undone
    master = frozenset(key for key in push - responses if key.slot == MASTER)
    slots = push - responses - master
    if slots and _only_first_attendees(master, plan.sides):
        master = frozenset()
    if master:
        plan, back = patch(plan, "", master, decision, desk)
        undone |= back
        if plan.writes or {key.name for key in master} & {"when", "recurrence"}:
            return plan, undone
    # What is held of the master holds up no occurrence, unless it is the series' time or rule.
    plan, back = occurrences_of(plan, slots, decision, desk)
    return plan, undone | back


def _only_first_attendees(master: frozenset[FieldKey], sides: Sides) -> bool:
    """Whether a new series still waits for its exceptions before its people are invited."""
    assert sides.remote is not None
    return {key.name for key in master} == {"attendees"} and not sides.remote.event.has_others


def respond(
    plan: ItemPlan, keys: frozenset[FieldKey], decision: Merged, desk: Desk
) -> tuple[ItemPlan, frozenset[FieldKey]]:
    remote, local = plan.sides.remote, plan.sides.local
    assert remote is not None
    assert isinstance(local, Present)
    key = min(keys)
    action = _ACTIONS[fields_value(decision.local, key)]
    asked = remote.event.response_requested is not False and local.file.sends_response
    sends = asked and desk.mail.responses != "never"
    mailing = None
    used: tuple[ProblemId, ...] = ()
    words = _comment(plan.sides, key.slot, desk)
    if sends:
        organizer = remote.item.master.organizer
        mailing = Mailing("responses", (organizer.address,) if organizer else ())
        day = f" for {key.slot}" if key.slot else ""
        said = "".join(f' with the words "{one}"' for one in words.values())
        would = f"answer ({action}){day}{said}"
        what = [action, *words.values()] if words else action
        problem = mail_problem(plan.sides, mailing, desk, would=would, slot=key.slot, what=what)
        stands = mail_stands(problem, mailing, desk)
        if stands == "discarded":
            return replace(plan, used_verdicts=(problem.id,)), frozenset({key})
        if stands == "held":
            return replace(plan, problems=(*plan.problems, problem)), frozenset()
        used = (problem.id,)
    graph_id = None if key.slot else remote.record.graph_id
    write = Write(
        "respond",
        key.slot,
        frozenset({key}),
        graph_id,
        action,
        {"sendResponse": sends, **words},
        decision.local,
        mailing,
        remote.record.etag,
    )
    plan = replace(plan, used_verdicts=(*plan.used_verdicts, *used))
    return unless_refused(plan, write, desk), frozenset()


def _comment(sides: Sides, slot: str, desk: Desk) -> Mapping[str, str]:
    """What the owner wrote along with the answer: not a comment that stood there before."""
    assert isinstance(sides.local, Present)
    comment = sides.local.file.comments.get(slot, "")
    held = mail_code("responses")
    if comment and any(
        (one.uid, one.code) == (sides.uid, held) for one in desk.open_problems.values()
    ):
        return {"comment": comment}  # what waits with its answer has not been said yet
    before = read(sides.known.content, desk.owner, None) if sides.known and comment else None
    if isinstance(before, FileItem) and before.comments.get(slot) == comment:
        return {}
    return {"comment": comment} if comment else {}


_ACTIONS = {
    "accepted": "accept",
    "tentativelyAccepted": "tentativelyAccept",
    "declined": "decline",
}


def patch(
    plan: ItemPlan, slot: str, keys: frozenset[FieldKey], decision: Merged, desk: Desk
) -> tuple[ItemPlan, frozenset[FieldKey]]:
    """One PATCH of the master or of one occurrence; what would mail and may not waits."""
    remote = plan.sides.remote
    assert remote is not None
    item = _timed_as_on_service(decision, keys)
    wanted = item.master if not slot else _occurrence(_inheriting(item, decision), slot)
    wanted = _placed_as_on_service(wanted, decision, slot, keys)
    parts, holds = patch_fields(
        sorted(key.name for key in keys),
        wanted,
        _server_event(remote, slot, desk),
        desk.owner,
        slot=slot,
        recurrence=item.recurrence,
        replace_rich=desk.replace_rich,
        html=_html(plan.sides, slot),
        keep_point=_moved_there(decision, FieldKey(slot, "geo")),
    )
    plan = replace(
        plan,
        problems=(*plan.problems, *(hold_problem(one, plan.sides, desk) for one in holds)),
    )
    keys = frozenset(key for key in keys if key.name in parts)
    unsent = frozenset(key for key in keys if not parts[key.name])
    keys -= unsent
    going, plan, undone = _mail_gate(plan, slot, keys, parts, wanted, desk)
    undone |= unsent
    if not going:
        return plan, undone
    body: dict[str, Any] = {}
    for key in sorted(going):
        body.update(parts[key.name])
    write = _patch_write(plan, slot, going, body, decision, wanted, desk)
    return unless_refused(plan, write, desk), undone


def _html(sides: Sides, slot: str) -> str:
    """The file's HTML form, where the service's body is the one that it was made from."""
    local, remote, known = sides.local, sides.remote, sides.known
    if not isinstance(local, Present) or remote is None or known is None or slot:
        return ""
    base = known.base_remote.master.body_mark if known.base_remote is not None else ""
    same = remote.item.master.body_mark == base
    return local.file.html.get(slot, "") if same else ""


def _timed_as_on_service(decision: Merged, keys: frozenset[FieldKey]) -> Item:
    """
    The local item, with the half of a series' time and rule that is not sent as the service has it.

    The two only go together: the local half that goes along may be older than the service's.
    """
    sent = {key.name for key in keys if key.slot == MASTER} & _TOGETHER
    kept = frozenset(FieldKey(MASTER, name) for name in _TOGETHER - sent)
    return overlay(decision.local, kept, decision.remote) if sent else decision.local


_TOGETHER = frozenset({"when", "recurrence"})


def _inheriting(item: Item, decision: Merged) -> Item:
    """The item whose occurrences inherit what comes from the service in this very round."""
    news = frozenset(key for key in decision.merge.pull if key.slot == MASTER)
    return overlay(item, news, decision.remote)


def _placed_as_on_service(
    wanted: Event, decision: Merged, slot: str, keys: frozenset[FieldKey]
) -> Event:
    """
    The event with the half of its place that is not sent as the service has it.

    Graph keeps name and point in one object: the local half may be older than the service's.
    """
    halves = {name for name in ("location", "geo") if FieldKey(slot, name) in keys}
    if len(halves) != 1:
        return wanted
    there = _occurrence(decision.remote, slot) if slot else decision.remote.master
    if "geo" in halves:
        return msgspec.structs.replace(wanted, location=there.location)
    return msgspec.structs.replace(wanted, geo=there.geo)


def _moved_there(decision: Merged, key: FieldKey) -> bool:
    """Whether the service's value of a field is news."""
    merge = decision.merge
    return key in merge.pull or any(one.conflict.key == key for one in merge.conflicts)


def _occurrence(item: Item, slot: str) -> Event:
    return effective(item, date.fromisoformat(slot))


def _server_event(remote: Remote, slot: str, desk: Desk) -> RemoteEvent:
    """The event that a PATCH of the slot meets: the exception if there is one, else the series."""
    if not slot:
        return remote.event
    exceptions = exception_slots(remote.event, desk.owner)
    return exceptions.get(date.fromisoformat(slot), remote.event)


def _patch_write(
    plan: ItemPlan,
    slot: str,
    keys: frozenset[FieldKey],
    body: Mapping[str, Any],
    decision: Merged,
    wanted: Event,
    desk: Desk,
) -> Write:
    remote = plan.sides.remote
    assert remote is not None
    names = {key.name for key in keys}
    loud = bool(names - SILENT_FIELDS)
    series = remote.event.recurrence is not None
    return Write(
        "patch",
        slot,
        keys,
        None if slot else remote.record.graph_id,
        "",
        body,
        decision.local,
        _mailing(remote, slot, wanted, keys, desk) if loud else None,
        "" if slot else remote.record.etag,
        reshapes=series and not slot and bool(names & {"when", "recurrence"}),
    )


def _mailing(
    remote: Remote, slot: str, wanted: Event, keys: frozenset[FieldKey], desk: Desk
) -> Mailing | None:
    """Whom a PATCH mails; guests of the file that do not go along with it are not concerned."""
    names = {key.name for key in keys} - SILENT_FIELDS
    coming = wanted if "attendees" in names else None
    met = _server_event(remote, slot, desk)
    exceptions = () if slot else tuple(exception_slots(remote.event, desk.owner).values())
    found = of_both(update(met, coming, desk.owner), update(remote.event, coming, desk.owner))
    for exception in exceptions:
        # A series that has no guests may have days that do.
        found = _stricter(found, update(exception, None, desk.owner), desk)
    if found is None:
        return None
    alone = names == {"attendees"}
    each = told_of_patch((met, *exceptions), coming, desk.owner, others_too=not alone)
    if slot:
        # Whether those of the series hear of a change of one day is not documented.
        own = {one.casefold() for one in others(met, desk.owner)} | {
            one.address.casefold() for one in each
        }
        rest = [one for one in others(remote.event, desk.owner) if one.casefold() not in own]
        each += tuple(Told("updates", one) for one in rest)
    order = {address: place for place, address in enumerate(found.to)}
    ordered = sorted(each, key=lambda one: order.get(one.address, len(order)))
    return replace(found, each=tuple(ordered))


_STRICTNESS = ("send", "hold", "never")


def _stricter(one: Mailing | None, other: Mailing | None, desk: Desk) -> Mailing | None:
    """Both together, by whichever rule lets less go."""
    if one is None or other is None:
        return one or other
    first, second = (_STRICTNESS.index(desk.mail.rule(each.kind)) for each in (one, other))
    return of_both(one, other) if first >= second else of_both(other, one)


def _mail_gate(
    plan: ItemPlan,
    slot: str,
    keys: frozenset[FieldKey],
    parts: Mapping[str, Mapping[str, Any]],
    wanted: Event,
    desk: Desk,
) -> tuple[frozenset[FieldKey], ItemPlan, frozenset[FieldKey]]:
    """Which fields may go now; silent ones always may."""
    remote = plan.sides.remote
    assert remote is not None
    silent = frozenset(key for key in keys if key.name in SILENT_FIELDS)
    loud = keys - silent
    mailing = _mailing(remote, slot, wanted, keys, desk)
    if not loud or mailing is None:
        return keys, plan, frozenset()
    what: object = ""
    if mailing.kind == "updates":
        what = {key.name: parts[key.name] for key in loud}
    problem = mail_problem(
        plan.sides,
        mailing,
        desk,
        would=f"send this change of {slot}" if slot else "send this change",
        slot="" if mailing.kind == "invitations" else slot,
        what=what,
    )
    problem = replace(problem, fields=tuple(sorted(key.name for key in loud)))
    match mail_stands(problem, mailing, desk):
        case "go":
            return keys, replace(plan, used_verdicts=(*plan.used_verdicts, problem.id)), frozenset()
        case "discarded":
            used = (*plan.used_verdicts, problem.id)
            return silent, replace(plan, used_verdicts=used), loud
        case "held":
            return silent, replace(plan, problems=(*plan.problems, problem)), frozenset()
        case _ as stands:
            assert_never(stands)


def occurrences_of(
    plan: ItemPlan, keys: frozenset[FieldKey], decision: Merged, desk: Desk
) -> tuple[ItemPlan, frozenset[FieldKey]]:
    undone: frozenset[FieldKey] = frozenset()
    for slot in sorted({key.slot for key in keys}):
        mine = frozenset(key for key in keys if key.slot == slot)
        cancel = FieldKey(slot, "cancelled")
        if cancel in mine:
            plan, back = _cancel(plan, cancel, decision, desk)
        else:
            plan, back = patch(plan, slot, mine, decision, desk)
        undone |= back
    return plan, undone


def _cancel(
    plan: ItemPlan, key: FieldKey, decision: Merged, desk: Desk
) -> tuple[ItemPlan, frozenset[FieldKey]]:
    remote = plan.sides.remote
    assert remote is not None
    if fields_value(decision.local, key) is ABSENT:
        lasting = hold(
            "cannot-restore-occurrence",
            f"Outlook cannot bring back the cancelled occurrence of {key.slot}",
            slot=key.slot,
            fields=frozenset({"cancelled"}),
        )
        problem = hold_problem(lasting, plan.sides, desk)
        return replace(plan, problems=(*plan.problems, problem)), frozenset()
    met = _server_event(remote, key.slot, desk)
    mailing = of_both(deletion(met, desk.owner), deletion(remote.event, desk.owner))
    if mailing is not None:
        problem = mail_problem(
            plan.sides, mailing, desk, would=f"cancel the occurrence of {key.slot}", slot=key.slot
        )
        match mail_stands(problem, mailing, desk):
            case "discarded":
                used = (*plan.used_verdicts, problem.id)
                return replace(plan, used_verdicts=used), frozenset({key})
            case "held":
                return replace(plan, problems=(*plan.problems, problem)), frozenset()
            case "go":
                plan = replace(plan, used_verdicts=(*plan.used_verdicts, problem.id))
            case _ as stands:
                assert_never(stands)
    write = Write(
        "delete-occurrence", key.slot, frozenset({key}), None, "", {}, decision.local, mailing
    )
    return unless_refused(plan, write, desk), frozenset()
