"""
The change log of a mailbox: what a delta round reads.

Knows that something about an item changed, in which calendar, and under which ids it was known
there. Refuses to know rows: a round decides them from the state it finds.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from syncd.simulator.model import Item

__all__ = ["Change", "Journal", "What"]

What = Literal["changed", "exception", "slot-gone", "gone"]


@dataclass(frozen=True, slots=True)
class Change:
    """
    One entry. Args: slot: for `exception` and `slot-gone`; ids: those known in that calendar.
    """

    calendar: str
    item: Item
    what: What
    default_id: str
    immutable_id: str
    slot: date | None = None


@dataclass(slots=True)
class Journal:
    """All changes in order; a position in it is a delta token's memory."""

    entries: list[Change] = field(default_factory=list)

    @property
    def position(self) -> int:
        """How many changes there were."""
        return len(self.entries)

    def note(self, item: Item, what: What, slot: date | None = None) -> None:
        """Write down a change, before a move or deletion takes the item's ids away."""
        entry = Change(item.calendar, item, what, item.default_id, item.immutable_id, slot)
        self.entries.append(entry)

    def since(self, position: int, calendar: str) -> dict[Item, list[Change]]:
        """Return the changes in one calendar after a position, by item."""
        found: dict[Item, list[Change]] = {}
        for change in self.entries[position:]:
            if change.calendar == calendar:
                found.setdefault(change.item, []).append(change)
        return found
