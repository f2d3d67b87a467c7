"""Plans for an item that both sides have: rights, holds, conflicts, the file and the writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from syncd.core.decide import (
    Decision,
    Merged,
    Present,
    Sides,
)
from syncd.core.event import MASTER, SERVICE_FIELDS, FieldKey, Item, fields
from syncd.core.ids import FileName, Fingerprint, ProblemId
from syncd.core.mail import SILENT_FIELDS, update
from syncd.core.merge import ABSENT, Merge, Settled, changed, overlay
from syncd.core.plan.attaching import attaches_first, with_attachments
from syncd.core.plan.files import held_problems, seen
from syncd.core.plan.stash import given_stash, with_stash
from syncd.core.plan.values import Desk, FileJob, ItemPlan, exactly, fields_value
from syncd.core.plan.writes import with_writes
from syncd.core.policies import Winner
from syncd.core.state import ItemRecord, Lost, Problem
from syncd.core.wire.graph import RemoteEvent, exception_slots, has_guessed_zone, stamps
from syncd.core.wire.holds import Hold
from syncd.core.wire.ics_forms import with_forms
from syncd.core.wire.ics_rewrite import rewrite
from syncd.core.wire.ics_write import local_view

__all__ = ["ATTENDEE_MAY", "merge_item", "nothing"]


ATTENDEE_MAY = frozenset({"categories", "reminder_min", "show_as", "response"})


def nothing(sides: Sides, decision: Decision, desk: Desk) -> ItemPlan:
    record = sides.known
    assert record is not None
    if isinstance(sides.local, Present) and sides.local.file.item is not None:
        record = replace(record, base_local=_refreshed(record, sides.local.file.item))
    if sides.remote is not None:
        given = given_stash(record, sides.remote)
        record = replace(record, graph_id=sides.remote.record.graph_id, sent_stash=given)
    holds = held_problems(sides, desk)
    settled = not any(problem.needs_person for problem in holds)
    plan = ItemPlan(sides.uid, decision, sides, record, problems=holds)
    plan = with_stash(plan, desk)
    plan = replace(plan, record=seen(sides, record, settled=settled and not plan.writes))
    return with_attachments(plan, desk)


def _refreshed(record: ItemRecord, local: Item) -> Item:
    """
    The base with the file's present spelling: equal in meaning, but with the overrides that the
    file now spells out, so that they go on inheriting.
    """
    base = record.base_local
    assert base is not None
    shown = {name: getattr(base.master, name) for name in (*SERVICE_FIELDS, "response")}
    return msgspec.structs.replace(local, master=msgspec.structs.replace(local.master, **shown))


def merge_item(sides: Sides, decision: Merged, desk: Desk) -> ItemPlan:
    assert sides.remote is not None
    known = sides.known or ItemRecord(sides.uid)
    known = replace(known, sent_stash=given_stash(known, sides.remote))
    base_local, base_remote = _bases(known, decision)
    merge, problems = _with_holds(decision.merge, sides, desk)
    merge, more = _with_rights(merge, sides, decision, desk)
    problems += more
    merge, more, used = _with_conflicts(merge, decision, sides, desk)
    problems += more
    merge, more = _with_guessed_zone(merge, sides, desk)
    problems += more
    merge = _with_asked_days(merge)
    if decision.adopting and any(one.kind == "conflict" and one.needs_person for one in problems):
        # Without a base, what waits for a person must not count as an edit of the file.
        waiting = replace(known, graph_id=sides.remote.record.graph_id)
        record = seen(sides, waiting, settled=False)
        return ItemPlan(sides.uid, decision, sides, record, problems=tuple(problems))
    record = replace(
        known,
        graph_id=sides.remote.record.graph_id,
        base_local=overlay(base_local, merge.agreed, decision.local),
        base_remote=overlay(base_remote, merge.agreed, decision.remote),
    )
    plan = ItemPlan(sides.uid, decision, sides, record, problems=tuple(problems))
    settled = replace(decision, merge=merge)
    plan, undone = with_writes(plan, merge.push - attaches_first(plan, desk), settled, desk)
    plan = _with_used(plan, used, merge)
    disputed = frozenset(one.conflict.key for one in merge.conflicts)
    plan = _with_rival(plan, disputed & merge.push, decision, desk)
    plan = with_stash(_with_file(plan, merge.pull | undone, settled, desk), desk)
    return with_attachments(plan, desk)


def _bases(known: ItemRecord, decision: Merged) -> tuple[Item, Item]:
    if known.base_local is not None and known.base_remote is not None:
        return known.base_local, known.base_remote
    # Linked without a common base: what differs counts as changed on the side that loses it.
    return local_view(decision.remote), decision.remote


def _with_holds(merge: Merge, sides: Sides, desk: Desk) -> tuple[Merge, list[Problem]]:
    """Held groups neither leave nor are overwritten; everything else goes on."""
    problems = list(held_problems(sides, desk))
    if not isinstance(sides.local, Present):
        return merge, problems
    held = sides.local.file.holds
    push = frozenset(key for key in merge.push if not _is_held(key, held))
    pull = frozenset(key for key in merge.pull if not _is_held(key, held))
    return replace(merge, push=push, pull=pull), problems


def _with_guessed_zone(merge: Merge, sides: Sides, desk: Desk) -> tuple[Merge, list[Problem]]:
    """The time of a series whose zone only the service knows is never sent."""
    assert sides.remote is not None
    held = frozenset(
        key for key in merge.push if key.slot == MASTER and key.name in ("when", "recurrence")
    )
    if not held or not has_guessed_zone(sides.remote.event):
        return merge, []
    problem = desk.problem(
        "hold",
        "approximate-zone",
        sides,
        reason="the series repeats in a zone that only the service knows: its time stays as it is",
        hint="Change its time in Outlook.",
        fields=tuple(sorted(key.name for key in held)),
    )
    return replace(merge, push=merge.push - held), [problem]


def _with_asked_days(merge: Merge) -> Merge:
    """
    A series' time or rule waits while a person is asked about one of its days: the service would
    drop its version of that day.
    """
    settled = merge.push | merge.pull
    disputed = (one.conflict.key for one in merge.conflicts)
    asked = any(key.slot and key not in settled for key in disputed)
    shape = {FieldKey(MASTER, name) for name in ("when", "recurrence")} & merge.push
    if not (asked and shape):
        return merge
    return replace(merge, push=frozenset(key for key in merge.push - shape if not key.slot))


def _is_held(key: FieldKey, holds: Iterable[Hold]) -> bool:
    return any(
        (one.slot == key.slot and (key.name in one.fields or "override" in one.fields))
        or (one.slot == "" and "recurrence" in one.fields and key.slot != "")
        for one in holds
    )


def _with_rights(
    merge: Merge, sides: Sides, decision: Merged, desk: Desk
) -> tuple[Merge, list[Problem]]:
    """What the owner may not change is put back from the service in the same round."""
    assert sides.remote is not None
    wanted = merge.push | {one.conflict.key for one in merge.conflicts}
    refused = frozenset(key for key in wanted if not _may(key, sides.remote.event, desk))
    back = frozenset(
        key
        for key in merge.push - refused
        if key.name == "response" and fields_value(decision.local, key) == "none"
    )
    if not refused | back:
        return merge, []
    gone = refused | back
    # Where one side may not change a field there is no conflict for the policy, or for a person.
    conflicts = tuple(one for one in merge.conflicts if one.conflict.key not in gone)
    merge = Merge(merge.push - gone, merge.pull | gone, merge.agreed, conflicts)
    reason = desk.why_not or "only the organizer can change this"
    if not refused:
        reason = "an answer cannot be taken back"
    names = tuple(sorted({key.name for key in gone}))
    notice = desk.problem(
        "notice",
        "restored",
        sides,
        reason=f"put back from the service: {reason}",
        hint="Your text is kept: `syncd log UID --json` has it.",
        needs_person=False,
        fields=names,
    )
    return merge, [notice]


def _may(key: FieldKey, event: RemoteEvent, desk: Desk) -> bool:
    if not desk.may_write:
        return False
    return event.is_organizer is not False or key.name in ATTENDEE_MAY


def _with_conflicts(
    merge: Merge, decision: Merged, sides: Sides, desk: Desk
) -> tuple[Merge, list[Problem], dict[FieldKey, ProblemId]]:
    """Each conflict as a person or the policy decided it; what a person decided is not listed."""
    problems: list[Problem] = []
    used: dict[FieldKey, ProblemId] = {}
    push, pull = set(merge.push), set(merge.pull)
    for settled in merge.conflicts:
        key = settled.conflict.key
        if key.name == "attendees" and decision.adopting and _is_foreign(decision, desk):
            push.discard(key)
            pull.discard(key)
            continue
        problem = _conflict_problem(settled, sides, desk)
        verdict = desk.verdict(problem.id, problem.exact)
        winner: Winner = settled.winner
        if verdict == "local" or verdict == "remote":
            winner = verdict
            used[key] = problem.id
        elif decision.adopting and winner == "local" and _mails(key, sides, desk):
            # No person made this change: it is a difference that a lost state left behind.
            winner = "ask"
        push.discard(key)
        pull.discard(key)
        if winner == "local":
            push.add(key)
        elif winner == "remote":
            pull.add(key)
        if not verdict:
            problems.append(_by_policy(problem, key, winner, decision))
    merge = replace(merge, push=frozenset(push), pull=frozenset(pull))
    return merge, problems, used


def _with_used(plan: ItemPlan, used: Mapping[FieldKey, ProblemId], merge: Merge) -> ItemPlan:
    """What a person decided counts until it is carried out: a held write has not been."""
    leaving = {key for write in plan.writes for key in write.keys}
    done = tuple(used[key] for key in sorted(used) if key in leaving or key not in merge.push)
    return replace(plan, used_verdicts=(*plan.used_verdicts, *done))


def _with_rival(
    plan: ItemPlan, keys: frozenset[FieldKey], decision: Merged, desk: Desk
) -> ItemPlan:
    """
    What a person or the policy turned down was never in a file: the history would not have it, and
    the list has the last of a field alone.
    """
    local, remote = plan.sides.local, plan.sides.remote
    written = {key for write in plan.writes for key in write.keys}
    shaped = any(write.reshapes for write in plan.writes)
    # With its time or rule a series loses what the service had of its days.
    keys = frozenset(key for key in keys if key in written or (shaped and key.slot))
    if not keys or not isinstance(local, Present) or remote is None:
        return plan
    if FieldKey(MASTER, "recurrence") in keys:
        # A series was turned down with all that its occurrences have of their own.
        keys |= {key for key in fields(decision.remote) if key.slot != MASTER}
    target = overlay(decision.local, keys, local_view(decision.remote))
    stamp = stamps(remote.event)
    data = rewrite(local.data, plan.uid, target, keys, stamp, desk.owner, decision.local)
    return replace(plan, rival=data) if isinstance(data, bytes) else plan


def _by_policy(problem: Problem, key: FieldKey, winner: Winner, decision: Merged) -> Problem:
    """A conflict as the policy leaves it: for a person to decide, or decided."""
    if winner == "ask":
        return problem
    lost = decision.local if winner == "remote" else local_view(decision.remote)
    other, whose = ("local", "service's") if winner == "remote" else ("remote", "file's")
    return replace(
        problem,
        needs_person=False,
        reason=f"{problem.reason}; the {whose} value was taken",
        hint=f"`syncd problems resolve ID --take {other}` brings the other value back.",
        lost=Lost(key, lost, winner),
    )


def _mails(key: FieldKey, sides: Sides, desk: Desk) -> bool:
    assert sides.remote is not None
    if key.name == "attendees":
        return True
    event = sides.remote.event
    events = (event, *exception_slots(event, desk.owner).values())
    told = (update(one, None, desk.owner) for one in events)
    return key.name not in SILENT_FIELDS and any(one is not None for one in told)


def _is_foreign(decision: Merged, desk: Desk) -> bool:
    """Whether a file names another organizer than the event that it stands for: a copy."""
    host, there = decision.local.master.organizer, decision.remote.master
    if host is None or desk.owner.is_own(host.address) or there.invited_as:
        return False
    return there.organizer is None or desk.owner.is_own(there.organizer.address)


def _conflict_problem(settled: Settled, sides: Sides, desk: Desk) -> Problem:
    conflict = settled.conflict
    values = [_plain(value) for value in (conflict.base, conflict.local, conflict.remote)]
    where = f" of {conflict.key.slot}" if conflict.key.slot else ""
    return desk.problem(
        "conflict",
        "both-changed",
        sides,
        reason=f"{conflict.key.name}{where} was changed on both sides",
        hint="`syncd problems resolve ID --take local|remote|both` decides it.",
        slot=f"{conflict.key.slot}/{conflict.key.name}",
        fields=(conflict.key.name,),
        base=values[0],
        local=values[1],
        remote=values[2],
        exact=exactly(values[1:]),
    )


def _plain(value: Any) -> Any:
    return None if value is ABSENT else msgspec.to_builtins(value)


def _with_file(plan: ItemPlan, pull: frozenset[FieldKey], decision: Merged, desk: Desk) -> ItemPlan:
    record, sides = plan.record, plan.sides
    assert record is not None
    assert sides.remote is not None
    target = overlay(decision.local, pull, decision.remote)
    base_local = record.base_local
    base_remote = record.base_remote
    assert base_local is not None
    assert base_remote is not None
    moved_local = overlay(base_local, pull, local_view(decision.remote))
    moved_remote = overlay(base_remote, pull, decision.remote)
    left = changed(
        moved_local, overlay(decision.local, pull, local_view(decision.remote)), local=True
    )
    settled = not left and not any(one.kind == "hold" for one in plan.problems)
    content, current, name = _current_file(sides, record)
    data = rewrite(
        content,
        plan.uid,
        target,
        pull | _following(sides),
        stamps(sides.remote.event),
        desk.owner,
        base_local,
        _followed(decision, pull),
    )
    agreed = replace(record, base_local=moved_local, base_remote=moved_remote)
    if isinstance(data, bytes) and data != content:
        data = with_forms(data, sides.remote.event, desk.forms, desk.owner)
    if not isinstance(data, bytes) or data == content or name is None:
        return replace(plan, record=seen(sides, agreed, settled=settled))
    after = replace(agreed, content=data, fingerprint=current if settled else None, stat=None)
    lost = content if isinstance(sides.local, Present) else b""
    if decision.adopting:
        # Until the file says what the service does, it must not count as an edit of that.
        record = replace(record, base_local=None, base_remote=None)
    return replace(
        plan,
        record=seen(sides, record, settled=False),
        file=FileJob(name, data, current),
        after_file=after,
        lost=lost,
        keep_todo=True,
    )


def _following(sides: Sides) -> frozenset[FieldKey]:
    """DESCRIPTION follows where the HTML beside it was what was edited."""
    local = sides.local
    by_html = isinstance(local, Present) and local.file.by_html
    return frozenset({FieldKey(MASTER, "body")}) if by_html else frozenset()


def _followed(decision: Merged, pull: frozenset[FieldKey]) -> frozenset[str]:
    """
    Fields of a series that were changed in its file, and stay, which inheriting overrides follow.
    """
    if not decision.local.overrides and not decision.local.cancelled:
        return frozenset()
    mine = (decision.merge.push | decision.merge.agreed) - pull
    return frozenset(key.name for key in mine if key.slot == MASTER)


def _current_file(
    sides: Sides, record: ItemRecord
) -> tuple[bytes, Fingerprint | None, FileName | None]:
    if isinstance(sides.local, Present):
        return sides.local.data, sides.local.fingerprint, record.file
    return record.content, record.fingerprint, record.file
