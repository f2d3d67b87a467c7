"""
What people did, whoever they are: each value of each field, and what they saw when they wrote it.

Knows nothing of syncd. A value is live until somebody who saw it wrote another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Key", "Model", "Thing", "Write"]


class Key(NamedTuple):
    """One field of one item; `slot` is the day of an occurrence, "" for the item itself."""

    item: int
    field: str
    slot: str = ""


@dataclass(frozen=True, slots=True)
class Write:
    """
    One value that somebody wrote; `number` counts all writes.

    `stale`: nobody meant it, but a program saved the whole file as it had read it.
    """

    number: int
    side: str
    value: str
    stale: bool = False


@dataclass(slots=True)
class Thing:
    """
    One item.

    `deleted` is who deleted it and when. `foreign`: somebody else organises it. `loose`: somebody
    did what leaves more than one end open (a decision, a broken file, a copy with the same UID).
    `guests_there`: somebody was invited in Outlook. `mailing`: how many changes may have mailed.
    `unsettled`: it was deleted before the one who made it knew that it was there.
    """

    number: int
    series: bool = False
    foreign: bool = False
    uid: str = ""
    deleted: Write | None = None
    guests: bool = False
    guests_there: bool = False
    reshaped: bool = False
    loose: bool = False
    uids: set[str] = field(default_factory=set)
    mailing: int = 0
    movers: set[str] = field(default_factory=set)
    unsettled: bool = False
    was_deleted: bool = False
    twins: bool = False


@dataclass(slots=True)
class Model:
    """All of it. Args: several: more than one installation."""

    things: dict[int, Thing] = field(default_factory=dict)
    writes: dict[Key, list[Write]] = field(default_factory=dict)
    replaced: set[tuple[Key, str]] = field(default_factory=set)
    numbers: int = 0
    several: bool = False

    def write(
        self, side: str, key: Key, value: str, *, seen: str = "", stale: bool = False
    ) -> None:
        """Take down a value. Args: seen: the one that it replaced."""
        if seen and seen != value:
            self.replaced.add((key, seen))
        self.numbers += 1
        self.writes.setdefault(key, []).append(Write(self.numbers, side, value, stale))

    def saw(self, values: Mapping[Key, str] | Iterable[tuple[Key, str]]) -> None:
        """Somebody saw these values and did away with them."""
        self.replaced |= set(values.items() if isinstance(values, Mapping) else values)

    def delete(self, side: str, thing: Thing, seen: Mapping[Key, str]) -> None:
        """Take down a deletion. Args: seen: what the item said then."""
        self.saw(seen)
        self.numbers += 1
        thing.was_deleted = True
        thing.deleted = Write(self.numbers, side, "")

    def crossed(self, thing: Thing) -> bool:
        """
        Whether it changed calendars while more than one side wrote to it, or was deleted in Outlook
        while two installations edited it: then each may make it anew.
        """
        sides = {
            one.side
            for key, writes in self.writes.items()
            if key.item == thing.number
            for one in writes
        }
        if thing.was_deleted and {"here", "there"} <= sides:
            return True
        if not thing.movers:
            return False
        # A second one may have edited the file of which it does not know yet that it moved.
        return self.several or len(sides | thing.movers) > 1 or thing.deleted is not None

    def live(self, key: Key) -> list[Write]:
        """The values that nobody who saw them replaced."""
        return [
            one
            for one in self.writes.get(key, ())
            if not one.stale and (key, one.value) not in self.replaced
        ]
