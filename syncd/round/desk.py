"""What one round over one calendar works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from syncd.core.ids import FileName, GraphId
from syncd.core.owner import Owner
from syncd.core.rules import Rules
from syncd.core.state import CalendarKey, CalendarRecord
from syncd.core.wire.dialects.graph_v1 import GraphV1
from syncd.ports import Clock, LocalFolder, Remote, StateStore

__all__ = ["LAG_S", "SKEW_LIMIT_S", "Bench", "Counts", "Observe"]

Observe = Callable[[str, Mapping[str, Any]], None]
"""Takes facts (`noun.verb` and fields) for the log and for progress bars."""


SKEW_LIMIT_S = 600.0
"""How far this machine's clock may be off before the service's is believed instead."""


LAG_S = 120.0
"""What was there so long ago may still be missing where the next request is answered."""


def _nothing(event: str, facts: Mapping[str, Any]) -> None:
    pass


@dataclass(slots=True)
class Counts:
    """
    What a round did, for `syncd status` and the log.

    `drift` is what only the comparison of the whole brought to light: nothing had told of it.
    """

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
    drift: int = 0

    def anything(self) -> bool:
        """Whether the round moved anything."""
        return any(getattr(self, name) for name in self.__slots__ if name != "held")


@dataclass(slots=True)
class Bench:
    """
    The tools of a round: both sides, the state, the clock, the rules.

    `denied`: since when the service has said 404 of events that it had a moment ago, on the
    monotonic clock; the same from round to round. `comparing`: whether what is read now is known
    already, unless something went wrong before. `versions`: of series in a view without delta
    rounds, as the last round read them; the same from round to round as well. `swept`: what killed
    swaps had left of some files, until it is settled.
    """

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
    denied: dict[GraphId, float] = field(default_factory=dict)
    versions: dict[GraphId, str] = field(default_factory=dict)
    comparing: bool = False
    swept: dict[FileName, bytes] = field(default_factory=dict)

    def received(self, *, news: bool) -> None:
        """Count an event that was read; `news`: it is not as the store has it."""
        self.counts.pulled += 1
        self.counts.drift += news and self.comparing

    @property
    def key(self) -> CalendarKey:
        """The store's number of the calendar."""
        return self.calendar.key

    def true_now(self) -> datetime:
        """What time it is; by the service's clock where this machine's is far off."""
        now, skew_s = self.clock.now(), self.remote.clock_skew_s
        if skew_s is None or abs(skew_s) <= SKEW_LIMIT_S:
            return now
        return now - timedelta(seconds=skew_s)
