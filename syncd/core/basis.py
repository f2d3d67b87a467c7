"""
Bases and received events in today's terms.

What syncd reads of an event grows from version to version, and so does how it turns HTML into text.
Neither is an edit of anybody's: a field that a base did not know yet takes the value that its side
has now, and a body that the service did not touch keeps the text that was made of it.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from syncd.core.event import (
    FIELDS_SINCE_2,
    MASTER,
    PROJECTION,
    Changes,
    Event,
    FieldKey,
    Item,
)
from syncd.core.merge import changed, overlay
from syncd.core.owner import Owner
from syncd.core.state import ItemRecord
from syncd.core.wire.graph import RemoteEvent, read_item
from syncd.core.wire.ics_read import FileItem, read

__all__ = ["brought_up", "read_as", "steady"]


def brought_up(known: ItemRecord, remote: Item | None, owner: Owner) -> ItemRecord:
    """A record of an older version, whose bases learn the fields that came since."""
    if known.projection >= PROJECTION:
        return known
    current = replace(known, projection=PROJECTION)
    if known.base_local is None or known.base_remote is None:
        return current
    base_remote = known.base_remote if remote is None else _learnt(known.base_remote, remote)
    # Without a base, so that the text counts and no other form of it.
    file = read(known.content, owner, None) if known.content else None
    local = file.item if isinstance(file, FileItem) else None
    base_local = known.base_local if local is None else _learnt(known.base_local, local)
    return replace(current, base_local=base_local, base_remote=base_remote)


def _learnt(base: Item, now: Item) -> Item:
    slots = [MASTER, *(slot.isoformat() for slot in now.overrides if slot in base.overrides)]
    keys = frozenset(FieldKey(slot, name) for slot in slots for name in FIELDS_SINCE_2)
    learnt = overlay(base, keys, now)
    master = msgspec.structs.replace(learnt.master, html_text=now.master.html_text)
    return msgspec.structs.replace(learnt, master=master)


def steady(item: Item, base: Item | None) -> Item:
    """A received item, with the base's text for every body that is the very one it was made of."""
    if base is None:
        return item
    master = _steady_event(item.master, base.master)
    overrides = {
        slot: _steady_changes(own, base.overrides.get(slot)) for slot, own in item.overrides.items()
    }
    same = all(overrides[slot] is own for slot, own in item.overrides.items())
    if master is item.master and same:
        return item
    return msgspec.structs.replace(item, master=master, overrides=overrides)


def _steady_event(event: Event, base: Event) -> Event:
    if not event.body_mark or event.body_mark != base.body_mark or event.body == base.body:
        return event
    return msgspec.structs.replace(event, body=base.body)


def _steady_changes(own: Changes, base: Changes | None) -> Changes:
    if base is None or not own.body_mark or own.body_mark != base.body_mark:
        return own
    return own if own.body == base.body else msgspec.structs.replace(own, body=base.body)


def read_as(known: ItemRecord, event: RemoteEvent, then: Owner, now: Owner) -> ItemRecord | None:
    """
    A record whose calendar turns out to be somebody else's: what its bases say of people, anew.

    Args: event: as it was last received. then: whose the calendar was taken for; now: whose it is.
    Returns: None where the bases are not what was received and read last: nobody can tell.
    """
    if known.base_local is None or known.base_remote is None:
        return known
    was, became = read_item(event, then), read_item(event, now)
    base_remote = _reread(known.base_remote, was, became, local=False)
    base_local: Item | None = None
    said = read(known.content, then, known.base_local)
    says = read(known.content, now, known.base_local)
    if isinstance(said, FileItem) and isinstance(says, FileItem) and said.item and says.item:
        base_local = _reread(known.base_local, said.item, says.item, local=True)
    if base_local is None or base_remote is None:
        return None
    return replace(known, base_local=base_local, base_remote=base_remote)


def _reread(base: Item, was: Item, became: Item, *, local: bool) -> Item | None:
    moved = changed(was, became, local=local)
    # What a person has changed, or the service, and is not agreed on yet must not become a base.
    return None if moved & changed(base, was, local=local) else overlay(base, moved, became)
