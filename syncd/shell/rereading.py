"""
What is known of a calendar's items, once it is heard that the calendar is somebody else's.

One's own line of a meeting, and the owner's answer, were read as the other's. Knows no service.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from syncd.core.basis import read_as
from syncd.core.owner import Owner
from syncd.core.state import CalendarKey, ItemRecord, PutItem, RemoteRecord
from syncd.core.wire.graph import decode_event
from syncd.store.store import Store

__all__ = ["read_anew"]


async def read_anew(store: Store, calendar: CalendarKey, then: Owner, now: Owner) -> None:
    """
    Bases of a calendar as they are read for another owner.

    Where that cannot be told they are forgotten, and the item is met anew: it is nobody's edit.
    """
    items = await store.all_items(calendar)
    records = await store.remotes_by_uid(calendar, [one.uid for one in items])
    changes = [
        PutItem(_as_read(item, record, then, now))
        for item in items
        for record in records.get(item.uid, ())
        if record.graph_id == item.graph_id
    ]
    await store.commit(calendar, changes)


def _as_read(item: ItemRecord, record: RemoteRecord, then: Owner, now: Owner) -> ItemRecord:
    try:
        anew = read_as(item, decode_event(record.raw), then, now)
    except (ValueError, msgspec.DecodeError):
        anew = None
    bare = replace(item, base_local=None, base_remote=None, fingerprint=None, stat=None)
    return bare if anew is None else anew
