"""
What people did, whoever they are: each value of each field, and what they saw when they wrote it.

Knows nothing of syncd. A value is live until somebody who saw it wrote another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
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

    `stale`: nobody meant it, but a program saved the whole file as it had read it. `exposed`: a
    write of syncd's was on its way, and the service compares no versions.
    """

    number: int
    side: str
    value: str
    stale: bool = False
    exposed: bool = False


@dataclass(slots=True)
class Thing:
    """
    One item.

    `deleted` is who deleted it and when. `foreign`: somebody else organises it. `loose`: somebody
    did what leaves more than one end open (a decision, a broken file, a copy with the same UID).
    `guests_at`: when somebody was first invited in Outlook. `mailing`: how many changes may have mailed.
    `wished`: a command said something of it to others; `ended`: or put an end to it, so that
    whatever else anybody does with it may come too late.
    `unsettled`: it was deleted before the one who made it knew that it was there. `whole_day`: it
    has dates, not times. `invited_at`: how many requests there had been when somebody was invited
    while syncd was at work and the service compared no versions. `attached`: something was hung on
    it in Outlook, which follows no file. `saved_over`: a program saved what it had read before.
    `resent`: the state was lost while its file brought something along.
    """

    number: int
    series: bool = False
    foreign: bool = False
    uid: str = ""
    deleted: Write | None = None
    guests: bool = False
    guests_at: datetime | None = None
    reshaped: bool = False
    loose: bool = False
    wished: bool = False
    ended: bool = False
    uids: set[str] = field(default_factory=set)
    mailing: int = 0
    movers: set[str] = field(default_factory=set)
    unsettled: bool = False
    was_deleted: bool = False
    twins: bool = False
    whole_day: bool = False
    invited_at: list[int] = field(default_factory=list)
    attached: bool = False
    saved_over: bool = False
    resent: bool = False


@dataclass(slots=True)
class Model:
    """
    All of it. Args: several: more than one installation. one_way: nothing that is written into a
    folder is to reach the service. carries: what Outlook edits follows a file that moves.
    """

    things: dict[int, Thing] = field(default_factory=dict)
    writes: dict[Key, list[Write]] = field(default_factory=dict)
    replaced: set[tuple[Key, str]] = field(default_factory=set)
    numbers: int = 0
    several: bool = False
    one_way: bool = False
    carries: bool = False

    def write(
        self,
        side: str,
        key: Key,
        value: str,
        *,
        seen: str = "",
        stale: bool = False,
        exposed: bool = False,
    ) -> None:
        """Take down a value. Args: seen: the one that it replaced."""
        if seen and seen != value:
            self.replaced.add((key, seen))
        self.numbers += 1
        self.writes.setdefault(key, []).append(Write(self.numbers, side, value, stale, exposed))

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
        Whether it changed calendars while more than one side wrote to it: then each may make it anew.
        """
        sides = {
            one.side
            for key, writes in self.writes.items()
            if key.item == thing.number
            for one in writes
        }
        if not thing.movers:
            return False
        if thing.wished or thing.attached:  # what a command did to it comes from the service
            sides.add("service")
        fixed = thing.deleted or thing.guests or thing.attached
        if self.carries and thing.movers == {"here"} and not fixed:
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
