"""
The items of one mailbox, by every id under which they answer.

Knows lookups, versions, and the ids that change on a move. Every change passes through here, so
that the journal misses none. Refuses to know rules: who may do what is the mailbox's.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from syncd.simulator import ids
from syncd.simulator.errors import item_not_found
from syncd.simulator.ids import Minter
from syncd.simulator.journal import Journal
from syncd.simulator.model import Event, Item, Override

__all__ = ["ItemStore"]


class ItemStore:
    """Args: now: aware UTC clock."""

    def __init__(self, mint: Minter, now: Callable[[], datetime]) -> None:
        self.journal = Journal()
        self._mint = mint
        self._now = now
        self._items: dict[str, dict[str, Item]] = {}
        self._known: dict[str, Item] = {}
        self._unsettled: list[Item] = []

    def of(self, calendar: str) -> list[Item]:
        """Return the items of a calendar, oldest first."""
        return list(self._items.get(calendar, {}).values())

    def find(self, identity: str) -> Event:
        """
        Return the event that an id of either form names.

        Raises: ServiceError: 400 ErrorInvalidIdMalformed, 404 ErrorItemNotFound.
        """
        whole, slot = ids.split_occurrence(ids.check_shape(identity))
        item = self._known.get(whole)
        if item is None or (slot is not None and not _is_instance(item, slot)):
            raise item_not_found()
        return Event(item, slot)

    def admit(self, item: Item) -> None:
        """Put a new or moved item into the calendar that it names."""
        self._items.setdefault(item.calendar, {})[item.default_id] = item
        self._known[item.default_id] = item
        self._known[item.immutable_id] = item
        self._unsettled.append(item)
        self.journal.note(item, "changed")

    def forget(self, item: Item) -> None:
        """Let an item answer no more."""
        self._items.get(item.calendar, {}).pop(item.default_id, None)
        self._known.pop(item.default_id, None)
        self._known.pop(item.immutable_id, None)

    def move(self, item: Item, calendar: str) -> None:
        """Give an item another calendar and, as Exchange does, another default id."""
        self.journal.note(item, "gone")
        self.forget(item)
        item.calendar, item.default_id = calendar, self._mint.event_id()
        self.touch(item)
        self.admit(item)

    def bury(self, item: Item, deleted_items: str | None) -> None:
        """
        Delete an item. Args: deleted_items: the folder in which it goes on answering, if any.
        """
        self.journal.note(item, "gone")
        self.forget(item)
        item.alive = False
        if deleted_items is not None:
            item.calendar, item.default_id = deleted_items, self._mint.event_id()
            self._known[item.default_id] = self._known[item.immutable_id] = item
            item.rendered.clear()

    def cancel(self, item: Item, slot: date) -> None:
        """Delete one instance of a series."""
        item.cancelled.add(slot)
        item.overrides.pop(slot, None)
        self._stamp(item)
        self.journal.note(item, "slot-gone", slot)

    def override(self, item: Item, slot: date) -> tuple[Override, bool]:
        """Return the edits of an instance, and whether they were only now begun."""
        if slot in item.overrides:
            return item.overrides[slot], False
        now = self._now()
        override = Override(self._mint.change_key(), created=now, modified=now)
        item.overrides[slot] = override
        return override, True

    def touch(self, item: Item) -> None:
        """Give an item and its exceptions a new version."""
        self._stamp(item)
        for override in item.overrides.values():
            override.change_key = self._mint.change_key()

    def touch_slot(self, item: Item, override: Override) -> None:
        """Give an exception a new version, and its series with it."""
        self._stamp(item)
        override.modified = item.modified
        override.change_key = self._mint.change_key()

    def _stamp(self, item: Item) -> None:
        item.change_key = self._mint.change_key()
        item.modified = self._now()
        item.rendered.clear()

    def settle(self, *, touching: bool) -> None:
        """End the time in which items count as new. Args: touching: give them a new version."""
        fresh, self._unsettled = self._unsettled, []
        for item in fresh if touching else ():
            self.touch(item)
            self.journal.note(item, "changed")

    def adjust(self, event: Event, values: dict[str, Any]) -> None:
        """Change stored values of an event or instance."""
        if event.slot is None:
            event.item.values.update(values)
            self.touch(event.item)
            self.journal.note(event.item, "changed")
            return
        override, _ = self.override(event.item, event.slot)
        override.values.update(values)
        self.touch_slot(event.item, override)
        self.journal.note(event.item, "exception", event.slot)


def _is_instance(item: Item, slot: date) -> bool:
    return slot not in item.cancelled and (slot in item.overrides or item.is_slot(slot))
