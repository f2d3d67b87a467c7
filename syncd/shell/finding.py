"""
Which stored event a person means: by the beginning of a UID, or by words in it.

Knows what is known of an item. Reads no file and no service.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from syncd.core.event import Item, slot_of
from syncd.core.owner import Owner
from syncd.core.search import Query
from syncd.core.state import CalendarRecord, ItemRecord
from syncd.core.wire.ics_read import FileItem, read
from syncd.core.zones import UTC_ZONE
from syncd.shell.way_back import uid_named
from syncd.store.store import Store

__all__ = ["Place", "item_of", "items_meant", "listed", "told_by_file"]

SHOWN: Final = 5

Place = tuple[CalendarRecord, ItemRecord]


async def items_meant(
    store: Store, calendars: Iterable[CalendarRecord], uid: str, words: str
) -> list[Place]:
    """
    The items of some calendars with the UID that begins so or, without one, with all the words.

    Raises: CommandError: no UID begins so, or several do.
    """
    wanted = await uid_named(store, uid) if uid else None
    query = Query.of(words)
    found: list[Place] = []
    for calendar in calendars:
        if wanted is not None:
            items = list((await store.items(calendar.key, [wanted])).values())
        else:
            items = [one for one in await store.items_with(calendar.key, query) if _has(one, query)]
        found += [(calendar, one) for one in items]
    return found


def _has(record: ItemRecord, query: Query) -> bool:
    item = item_of(record)
    return item is not None and bool(query.slots(item))


def listed(places: Sequence[Place]) -> str:
    """The first of several, for a person to choose from: titles, days and UIDs, a line each."""
    shown = [f"  {_told(calendar, record)}" for calendar, record in places[:SHOWN]]
    left = len(places) - SHOWN
    return "\n".join((*shown, *((f"  and {left} more",) if left > 0 else ())))


def _told(calendar: CalendarRecord, record: ItemRecord) -> str:
    item = item_of(record)
    if item is None:
        return f"{record.uid} ({calendar.name})"
    title = item.master.subject or "(no subject)"
    return f"{title}, {slot_of(item.master.when)} ({calendar.name}): {record.uid}"


def item_of(record: ItemRecord) -> Item | None:
    """What is known of an item: what both sides agreed on, else what its file says."""
    return record.base_remote or record.base_local or told_by_file(record)


def told_by_file(record: ItemRecord) -> Item | None:
    """What an item's file said when it was read last."""
    if not record.content:
        return None
    told = read(record.content, Owner(frozenset(), UTC_ZONE), None)
    return told.item if isinstance(told, FileItem) else None
