"""
Which stored event a person means: by the beginning of a UID, or by words in it.

Knows what is known of an item. Reads no file and no service.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from syncd.core.errors import CommandError
from syncd.core.event import Item, slot_of
from syncd.core.owner import Owner
from syncd.core.search import Query
from syncd.core.state import CalendarRecord, ItemRecord, RemoteRecord
from syncd.core.wire.ics_read import FileItem, read
from syncd.core.zones import UTC_ZONE
from syncd.shell.way_back import uid_named
from syncd.store.store import Store

__all__ = [
    "Asked",
    "Place",
    "found_item",
    "item_of",
    "items_meant",
    "known_remote",
    "listed",
    "told_by_file",
]

SHOWN: Final = 5

Place = tuple[CalendarRecord, ItemRecord]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a person typed: `uid` is the beginning of one, `words` are looked for instead.

    `calendar` is `ACCOUNT/NAME`, "" where any is meant; `occurrence` a day, "" for all of it;
    `propose` and `until` are wall times in the mailbox's zone, `until` in `zone` where it is given.
    """

    kind: str
    uid: str = ""
    words: str = ""
    calendar: str = ""
    occurrence: str = ""
    answer: str = ""
    comment: str = ""
    propose: tuple[datetime, datetime] | None = None
    sends: bool = True
    to: tuple[str, ...] = ()
    until: datetime | None = None
    zone: str = ""


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


async def known_remote(store: Store, calendar: CalendarRecord, record: ItemRecord) -> RemoteRecord:
    """An item's event as it was last seen. Raises: CommandError: it is not there by now."""
    found = await store.remotes_by_uid(calendar.key, [record.uid])
    for one in found.get(record.uid, ()):
        if one.graph_id == record.graph_id:
            return one
    raise CommandError(
        "the event is not on the service by now",
        hint="`syncd sync` brings both sides in step; try again after it.",
    )


async def found_item(store: Store, asked: Asked) -> tuple[CalendarRecord, ItemRecord]:
    """
    The followed item that is meant, in the one calendar that has it.

    Raises: CommandError: none or several are meant.
    """
    calendars = [
        one
        for one in await store.calendars()
        if one.status == "active" and _is_meant(one, asked.calendar)
    ]
    meant = await items_meant(store, calendars, asked.uid, asked.words)
    found = [(at, one) for at, one in meant if one.graph_id and not one.local_only]
    if len(found) > 1 and asked.kind == "respond":
        # Nobody answers what nobody invited them to.
        found = [(at, one) for at, one in found if _is_invited(one)] or found
    if len(found) == 1:
        return found[0]
    raise _unclear(found, asked)


def _is_meant(calendar: CalendarRecord, written: str) -> bool:
    return written in ("", calendar.name, f"{calendar.account}/{calendar.name}")


def _is_invited(record: ItemRecord) -> bool:
    item = item_of(record)
    return item is not None and bool(item.master.invited_as)


def _unclear(found: Sequence[Place], asked: Asked) -> CommandError:
    what = repr(asked.uid or asked.words)
    if not found:
        return CommandError(
            f"{what} names no event that is on the service",
            hint="`syncd agenda` and `syncd search` show what there is.",
        )
    return CommandError(
        f"{what} may be any of these:\n{listed(found)}",
        hint="Write more words or its UID, or say which calendar with --calendar.",
    )
