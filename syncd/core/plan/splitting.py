"""
A series whose file says THISANDFUTURE is cut in two files, and each goes its own way from there.

Only where nobody but the owner is concerned: people invited to the series would be mailed twice.
"""

from __future__ import annotations

from dataclasses import replace

from syncd.core.decide import Absent, Nothing, Present, Sides
from syncd.core.lines import Document, parse
from syncd.core.merge import changed
from syncd.core.owner import Owner
from syncd.core.plan.files import seen
from syncd.core.plan.values import Desk, FileJob, ItemPlan
from syncd.core.state import ItemRecord
from syncd.core.wire.ics_read import FileItem, read
from syncd.core.wire.ics_split import Split, split_series

__all__ = ["is_made", "split_of", "split_plans"]

THIS_AND_FUTURE = "this-and-future"


def split_of(sides: Sides, desk: Desk) -> Split | None:
    """How the item's file is to be cut, None where it is not, or may not be."""
    local = sides.local
    if not isinstance(local, Present) or not desk.may_write:
        return None
    is_cut = any(one.code == THIS_AND_FUTURE for one in local.file.holds)
    if not is_cut or _concerns_others(local, sides):
        return None
    split = split_series(local.data, desk.owner)
    return split if split is not None and _is_settled(sides, split) else None


def _concerns_others(local: Present, sides: Sides) -> bool:
    item = local.file.item
    if item is None or item.master.attendees or item.master.invited_as:
        return True
    return _names_guests(local.data) or bool(sides.remote and sides.remote.event.has_others)


def _names_guests(data: bytes) -> bool:
    document = parse(data)
    return isinstance(document, Document) and any(
        event.first("ATTENDEE") for event in document.calendar.components("VEVENT")
    )


def _is_settled(sides: Sides, split: Split) -> bool:
    """Whether the service's side of what is cut is as both sides agreed: its edits go first."""
    known, remote = sides.known, sides.remote
    if remote is None:
        return known is None or known.graph_id is None
    if known is None or known.base_remote is None or known.base_local is None:
        return False
    moved = changed(known.base_remote, remote.item, local=False)
    first = split.slot.isoformat()
    return not any(key.slot >= first or key.name in ("when", "recurrence") for key in moved)


def is_made(split: Split, data: bytes, owner: Owner) -> bool:
    """Whether a file is the one that a cut makes: it says what the new series says."""
    found, wanted = read(data, owner, None), read(split.new, owner, None)
    if not isinstance(found, FileItem) or not isinstance(wanted, FileItem):
        return False
    return found.uid == wanted.uid and found.item is not None and found.item == wanted.item


def split_plans(sides: Sides, split: Split, desk: Desk, *, made: bool) -> list[ItemPlan]:
    """
    The file work of a cut: first the new file alone, so that nothing is gone in between.

    Args: made: the new file is there, and says what it should: now the old one is cut.
    """
    local = sides.local
    assert isinstance(local, Present)
    assert sides.known is not None
    assert sides.known.file is not None
    record = seen(sides, sides.known, settled=False)
    if not made:
        waiting = ItemPlan(sides.uid, Nothing(), sides, record, keep_todo=True)
        return [_new_file(split, desk), waiting]
    after = replace(record, content=split.old)
    old = FileJob(sides.known.file, split.old, local.fingerprint, unread=True)
    return [
        ItemPlan(sides.uid, Nothing(), sides, record, old, after, lost=local.data, keep_todo=True)
    ]


def _new_file(split: Split, desk: Desk) -> ItemPlan:
    name = desk.new_name(split.uid, None)
    sides = Sides(split.uid, None, Absent(), None)
    after = ItemRecord(split.uid, file=name)
    job = FileJob(name, split.new, None, unread=True)
    return ItemPlan(split.uid, Nothing(), sides, None, job, after, keep_todo=True)
