"""What one round over one calendar works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from syncd.core.owner import Owner
from syncd.core.rules import Rules
from syncd.core.state import CalendarKey, CalendarRecord
from syncd.core.wire.dialects.graph_v1 import GraphV1
from syncd.ports import Clock, LocalFolder, Remote, StateStore

__all__ = ["Bench", "Counts", "Observe"]

Observe = Callable[[str, Mapping[str, Any]], None]
"""Takes facts (`noun.verb` and fields) for the log and for progress bars."""


def _nothing(event: str, facts: Mapping[str, Any]) -> None:
    pass


@dataclass(slots=True)
class Counts:
    """What a round did, for `syncd status` and the log."""

    pulled: int = 0
    files_written: int = 0
    files_removed: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    answered: int = 0
    held: int = 0
    in_doubt: int = 0
    refused: int = 0

    def anything(self) -> bool:
        """Whether the round moved anything."""
        return any(getattr(self, name) for name in self.__slots__ if name != "held")


@dataclass(slots=True)
class Bench:
    """The tools of a round: both sides, the state, the clock, the rules."""

    remote: Remote
    folder: LocalFolder
    store: StateStore
    clock: Clock
    dialect: GraphV1
    calendar: CalendarRecord
    owner: Owner
    rules: Rules
    observe: Observe = _nothing
    counts: Counts = field(default_factory=Counts)

    @property
    def key(self) -> CalendarKey:
        """The store's number of the calendar."""
        return self.calendar.key
