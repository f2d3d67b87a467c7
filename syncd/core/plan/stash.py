"""
When a file's stash goes to the service: with a new event, with any other change of the event's own
fields, and by itself only where nobody but the owner is concerned.
"""

from __future__ import annotations

from dataclasses import replace

from syncd.core.decide import Present, Remote
from syncd.core.plan.values import Desk, ItemPlan, Write, unless_refused
from syncd.core.state import ItemRecord
from syncd.core.wire.graph import stash_fields, stash_of_event
from syncd.core.wire.ics_stash import differs

__all__ = ["given_stash", "stash_to_create", "with_stash"]


def stash_to_create(plan: ItemPlan) -> str:
    """The stash that a new event brings along, "" for none, or one that the service refused."""
    local, record = plan.sides.local, plan.record
    assert isinstance(local, Present)
    refused = record is not None and record.sent_stash == local.file.stash
    return "" if refused else local.file.stash


def given_stash(known: ItemRecord, remote: Remote) -> str:
    """What the service was given of the file; after a lost state, what it shows."""
    return known.sent_stash or stash_of_event(remote.event)


def with_stash(plan: ItemPlan, desk: Desk) -> ItemPlan:
    """The plan's writes with the stash in one of them, if it is not what the service has."""
    local, remote = plan.sides.local, plan.sides.remote
    if not isinstance(local, Present) or remote is None or not desk.may_write:
        return plan
    known = plan.sides.known or ItemRecord(plan.uid)
    given = given_stash(known, remote)
    if local.file.item is None or not differs(given, local.file.stash):
        return plan
    for at, write in enumerate(plan.writes):
        if write.kind == "patch" and not write.slot:
            body = {**write.body, **stash_fields(local.file.stash)}
            writes = (*plan.writes[:at], replace(write, body=body), *plan.writes[at + 1 :])
            return replace(plan, writes=writes)
    if plan.file is not None and plan.after_file is not None:
        # The file goes first: it is read again at once, and the stash goes then.
        after = replace(plan.after_file, fingerprint=None)
        return replace(plan, file=replace(plan.file, unread=True), after_file=after)
    if plan.writes or remote.event.has_others or local.file.holds:
        return plan  # a line that its author is about to mend is not worth a request of its own
    body = stash_fields(local.file.stash)
    graph_id, etag = remote.record.graph_id, remote.record.etag
    item = local.file.item
    alone = Write("patch", "", frozenset(), graph_id, "", body, item, None, etag)
    return unless_refused(plan, alone, desk)
