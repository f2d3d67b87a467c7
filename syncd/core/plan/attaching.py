"""
What a file brings along, and what a person took out of it: files that are to hang on the event, or
not any more.

They go when nothing else of the event is to be written. Nobody is mailed for that; guests get what
hangs on a meeting with the next mail of it (Graph "Add attachment"), so on a new meeting it comes
first, and its guests after.
"""

from __future__ import annotations

from dataclasses import replace

from syncd.core.decide import Present, Sides
from syncd.core.event import MASTER, Attached, FieldKey
from syncd.core.plan.values import Desk, ItemPlan, Write, unless_refused
from syncd.core.wire.dialects.graph_attachments import DIRECT_BYTES, LARGEST_BYTES, file_body
from syncd.core.wire.ics_attach import NewAttachment
from syncd.core.wire.ics_read import FileItem, read

__all__ = ["attaches_first", "brings_along", "leaves_attachments", "with_attachments"]


def brings_along(sides: Sides, desk: Desk) -> list[NewAttachment]:
    """What the file has and the service does not, and may get in one request."""
    return [one for one in _new(sides, desk) if one.size_bytes < DIRECT_BYTES]


def _new(sides: Sides, desk: Desk) -> list[NewAttachment]:
    local, remote = sides.local, sides.remote
    if not isinstance(local, Present) or not (desk.attaches and desk.may_write):
        return []
    if remote is None:
        return list(local.file.attachments)
    if remote.event.is_organizer is False:
        return []  # on somebody else's meeting it would be seen by nobody else
    there = {one.digest for one in remote.event.attachments or ()}
    return [one for one in local.file.attachments if one.digest not in there]


def attaches_first(plan: ItemPlan, desk: Desk) -> frozenset[FieldKey]:
    """What waits until the attachments are there: the first guests of a meeting."""
    remote = plan.sides.remote
    assert remote is not None
    waits = not remote.event.has_others and bool(_attached(plan, desk).writes)
    return frozenset({FieldKey(MASTER, "attendees")}) if waits else frozenset()


def with_attachments(plan: ItemPlan, desk: Desk) -> ItemPlan:
    """The plan with what its file attaches and takes away, where nothing else is to be done."""
    plan = _with_large(replace(plan, detached=_taken_out(plan.sides, desk)), desk)
    if not _new(plan.sides, desk):
        return plan
    # What was refused stays on the list whatever else is done.
    attaching = _attached(replace(plan, writes=()), desk)
    plan = replace(plan, problems=attaching.problems)
    if plan.file is not None and plan.after_file is not None:
        # The file goes first: it is read again at once, and what it brings along goes then.
        after = replace(plan.after_file, fingerprint=None)
        return replace(plan, file=replace(plan.file, again=True), after_file=after)
    assert plan.record is not None
    plan = replace(plan, record=replace(plan.record, fingerprint=None))
    return plan if plan.writes else replace(plan, writes=attaching.writes)


def _attached(plan: ItemPlan, desk: Desk) -> ItemPlan:
    sides = plan.sides
    assert sides.remote is not None
    for one in brings_along(sides, desk):
        body = file_body(one.name, one.media_type, one.content)
        graph_id = sides.remote.record.graph_id
        write = Write("attach", "", frozenset(), graph_id, one.digest, body, None, None)
        plan = unless_refused(plan, write, desk)
    return plan


def _with_large(plan: ItemPlan, desk: Desk) -> ItemPlan:
    large = [one for one in _new(plan.sides, desk) if one.size_bytes >= DIRECT_BYTES]
    problems = tuple(
        desk.problem(
            "hold",
            "large-attachment",
            plan.sides,
            reason=f"{one.name!r} is too large to be sent out of the file",
            hint=f"`syncd attach UID add FILE` takes up to {LARGEST_BYTES // 2**20} MB;"
            " take the line out then.",
            slot=one.digest,
            line=one.line,
        )
        for one in large
    )
    return replace(plan, problems=(*plan.problems, *problems))


def leaves_attachments(sides: Sides, desk: Desk) -> bool:
    """Whether something hangs on an event that its file does not bring along where it goes."""
    remote, known = sides.remote, sides.known
    assert remote is not None
    if remote.event.attachments is None:
        return bool(remote.event.has_attachments)
    assert known is not None
    file = read(known.content, desk.owner, known.base_local)
    brought = {one.digest for one in file.attachments} if isinstance(file, FileItem) else set()
    return any(one.digest not in brought for one in remote.event.attachments)


def _taken_out(sides: Sides, desk: Desk) -> tuple[Attached, ...]:
    """
    Those whose lines were in the file before, and are not by now.

    As many lines have to be gone: a program that drops what tells that a line is ours, or saves the
    line that one of ours has taken the place of, has taken nothing out.
    """
    local, remote, known = sides.local, sides.remote, sides.known
    if not (desk.detaches and desk.may_write and desk.attaches):
        return ()
    if not isinstance(local, Present) or remote is None or known is None or not known.content:
        return ()
    if remote.event.is_organizer is False:
        return ()
    before = read(known.content, desk.owner, known.base_local)
    assert isinstance(before, FileItem)
    gone = before.attached_ids - local.file.attached_ids
    if before.attach_lines - local.file.attach_lines < len(gone):
        return ()
    return tuple(one for one in remote.item.master.attached if one.id in gone)
