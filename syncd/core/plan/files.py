"""Plans that make, bring back or remove a file because of what the service has."""

from __future__ import annotations

from dataclasses import replace

from syncd.core.decide import (
    Broken,
    Decision,
    Present,
    Remote,
    RestoreFile,
    Sides,
)
from syncd.core.merge import changed
from syncd.core.plan.values import Desk, FileJob, ItemPlan
from syncd.core.state import ItemRecord, Problem
from syncd.core.wire.graph import has_guessed_zone, stamps, stash_of_event
from syncd.core.wire.holds import Hold
from syncd.core.wire.ics_forms import with_forms
from syncd.core.wire.ics_read import FileItem, read
from syncd.core.wire.ics_restore import restored
from syncd.core.wire.ics_rewrite import rewrite
from syncd.core.wire.ics_write import local_view, render

__all__ = [
    "delete_file",
    "held_file",
    "held_problems",
    "hold_problem",
    "keep_text",
    "make_file",
    "restored_file",
    "seen",
]


def seen(sides: Sides, record: ItemRecord, *, settled: bool) -> ItemRecord:
    """
    The record after the file was read; a file with anything unsettled is read again.

    The stat that was known is that of the bytes before: the next look takes the present one.
    """
    if not isinstance(sides.local, Present):
        return record
    return replace(
        record,
        content=sides.local.data,
        fingerprint=sides.local.fingerprint if settled else None,
        stat=None,
    )


def held_problems(sides: Sides, desk: Desk) -> tuple[Problem, ...]:
    if not isinstance(sides.local, Present):
        return ()
    holds = sides.local.file.holds
    if desk.foreign_meeting == "copy":
        holds = tuple(one for one in holds if one.code != "foreign-meeting")
    return tuple(hold_problem(one, sides, desk) for one in holds)


def hold_problem(one: Hold, sides: Sides, desk: Desk) -> Problem:
    return desk.problem(
        "hold",
        one.code,
        sides,
        reason=one.reason,
        hint=one.hint,
        slot=one.slot + "".join(sorted(one.fields)),
        line=one.line,
        fields=tuple(sorted(one.fields)),
    )


def make_file(sides: Sides, decision: Decision, desk: Desk) -> ItemPlan:
    assert sides.remote is not None
    remote = sides.remote
    known = sides.known or ItemRecord(sides.uid)
    data = _file_content(known, remote, desk)
    former = known.file if isinstance(decision, RestoreFile) else None
    name = desk.new_name(sides.uid, former)
    base = local_view(remote.item)
    after = replace(
        known,
        graph_id=remote.record.graph_id,
        file=name,
        base_local=base,
        base_remote=remote.item,
        content=data,
        local_only=False,
        sent_stash=_stash_in(data, known, remote, desk),
    )
    problems: tuple[Problem, ...] = ()
    if isinstance(decision, RestoreFile) and known.file:
        reason = "the file was deleted while the event was changed on the service: it is back"
        problems = (
            desk.problem(
                "notice",
                "restored",
                sides,
                reason=reason,
                needs_person=False,
                hint="Delete the file again if you mean it.",
            ),
        )
    return ItemPlan(
        sides.uid,
        decision,
        sides,
        sides.known,
        FileJob(name, data, None),
        after,
        problems=(*problems, *_zone_notices(sides, remote, desk)),
        keep_todo=True,
    )


def _zone_notices(sides: Sides, remote: Remote, desk: Desk) -> tuple[Problem, ...]:
    if not has_guessed_zone(remote.event):
        return ()
    notice = desk.problem(
        "notice",
        "approximate-zone",
        sides,
        reason="the series repeats in a zone that only the service knows: shown is the mailbox's",
        hint="After a change of clocks its times may be off; Outlook shows the right ones.",
        needs_person=False,
    )
    return (notice,)


def _file_content(known: ItemRecord, remote: Remote, desk: Desk) -> bytes:
    """What a person had written, brought up to date; else a new file."""
    if known.content and known.base_remote is not None:
        moved = changed(known.base_remote, remote.item, local=False)
        stamp = stamps(remote.event)
        data = rewrite(known.content, known.uid, remote.item, moved, stamp, desk.owner)
        if isinstance(data, bytes):
            return data
    data = render(known.uid, remote.item, stamps(remote.event), desk.owner)
    data = with_forms(data, remote.event, desk.forms, desk.owner)
    return restored(data, stash_of_event(remote.event), desk.owner)


def _stash_in(data: bytes, known: ItemRecord, remote: Remote, desk: Desk) -> str:
    """What the file says of the stash it was made with: from here on only its edits count."""
    if known.content or not stash_of_event(remote.event):
        return known.sent_stash
    file = read(data, desk.owner, None)
    return file.stash if isinstance(file, FileItem) else ""


def delete_file(sides: Sides, decision: Decision) -> ItemPlan:
    known = sides.known
    assert known is not None
    assert known.file is not None
    expect, lost = known.fingerprint, known.content
    if isinstance(sides.local, Present):
        expect, lost = sides.local.fingerprint, sides.local.data
    return ItemPlan(
        sides.uid,
        decision,
        sides,
        known,
        FileJob(known.file, None, expect),
        None,
        lost=lost,
        keep_todo=True,
    )


def keep_text(sides: Sides, decision: Decision, desk: Desk) -> ItemPlan:
    assert isinstance(sides.local, Present)
    plan = delete_file(sides, decision)
    reason = "the meeting was deleted on the service while the file was edited"
    problem = desk.problem(
        "conflict",
        "deleted-on-server",
        sides,
        reason=reason,
        hint="The text is kept: `syncd log UID --json` has it, `syncd restore` brings it back.",
        needs_person=False,
        local=sides.local.data.decode("utf-8", "replace"),
    )
    return replace(plan, lost=sides.local.data, problems=(problem,))


def held_file(sides: Sides, decision: Decision, desk: Desk) -> ItemPlan:
    record = sides.known
    if isinstance(sides.local, Broken):
        trouble = sides.local.trouble
        problem = desk.problem(
            "unreadable",
            trouble.code,
            sides,
            reason=trouble.reason,
            hint="Mend the file; its last good version stays on the service.",
            line=trouble.line,
        )
        problems: tuple[Problem, ...] = (problem,)
    else:
        problems = held_problems(sides, desk)
    if record is not None:
        record = replace(record, fingerprint=None, stat=None)
    return ItemPlan(sides.uid, decision, sides, record, problems=problems)


def restored_file(sides: Sides, desk: Desk, reason: str) -> ItemPlan:
    plan = make_file(sides, RestoreFile(), desk)
    notice = desk.problem(
        "notice",
        "restored",
        sides,
        reason=reason,
        needs_person=False,
        hint="What you deleted cannot be deleted from here.",
    )
    return replace(plan, problems=(notice,))
