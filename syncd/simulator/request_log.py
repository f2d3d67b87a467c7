"""
What was asked of the simulator, for tests to look at.

Knows each request's method, path, user and outcome, and how many were in flight at once.
Refuses to keep bodies and tokens.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["Logged", "RequestLog"]


@dataclass(frozen=True, slots=True)
class Logged:
    """
    One request or part of a batch.

    Args:
        path: with query, below the version root. status: 0 when the connection was dropped.
        user: the mailbox's address, "" when nobody was accepted. fault: its kind, "" for none.
    """

    at: datetime
    method: str
    path: str
    status: int
    user: str
    in_batch: bool
    fault: str


@dataclass(slots=True)
class RequestLog:
    """All requests in the order in which they were answered."""

    entries: list[Logged] = field(default_factory=list)
    in_flight: Counter[str] = field(default_factory=Counter)
    most_in_flight: Counter[str] = field(default_factory=Counter)

    def clear(self) -> None:
        """Forget what was asked; what is in flight stays counted."""
        self.entries.clear()
        self.most_in_flight.clear()

    def count(self, method: str = "", path: str = "") -> int:
        """Return how many requests had this method and this text in their path."""
        return len(self.matching(method, path))

    def matching(self, method: str = "", path: str = "") -> list[Logged]:
        """Return the requests with this method and this text in their path, case aside."""
        wanted = path.casefold()
        return [
            entry
            for entry in self.entries
            if (not method or entry.method == method) and wanted in entry.path.casefold()
        ]

    def enter(self, mailbox: str) -> int:
        """Count a request in and return how many are in flight for the mailbox now."""
        self.in_flight[mailbox] += 1
        now = self.in_flight[mailbox]
        self.most_in_flight[mailbox] = max(now, self.most_in_flight[mailbox])
        return now

    def leave(self, mailbox: str) -> None:
        """Count a request out."""
        self.in_flight[mailbox] -= 1
