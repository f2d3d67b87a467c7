"""
One delta round of a calendar view, as a state machine without I/O.

Graph's rules that are known here: pages may be empty, repeat rows and exceed the size asked for;
a removed row means "not in this view any more"; a bare occurrence row only signals that its series
moved; a chain of pages can go on for ever with fresh links.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from syncd.core.ids import DeltaLink, GraphId
from syncd.core.state import View
from syncd.core.wire.dialects.graph_v1 import DeltaPage
from syncd.core.wire.graph import Row, decode_row

__all__ = [
    "NO_IDS",
    "Endless",
    "LoopGuard",
    "PageRows",
    "Window",
    "due_window",
    "next_view",
    "read_rows",
]

MARGIN_DAYS = 31
"""A window is opened so much wider at its future end, and opened anew when that is used up."""

MOST_PAGES = 20_000
SAME_PAGE_AGAIN = 3
NO_IDS = frozenset(("", ".", ".."))
"""As a part of an address these would mean what holds the event: its calendar, its mailbox."""
MOST_EMPTY_PAGES = 300
"""Graph documents empty pages, not hundreds in a row: what goes on so is read plainly instead."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a view shows; aware UTC, both ends on midnight."""

    start: datetime
    end: datetime

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Whether something lies in the window; its edges count, as in Graph's own view."""
        return start <= self.end and end >= self.start


def due_window(view: View | None, now: datetime, past_days: int, future_days: int) -> Window | None:
    """The window to open anew; None while the open one will do."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight - timedelta(days=past_days)
    if (
        view is not None
        and view.end >= now + timedelta(days=future_days)
        and view.start <= first + timedelta(days=1)
    ):
        return None
    return Window(first, midnight + timedelta(days=future_days + 1 + MARGIN_DAYS))


@dataclass(frozen=True, slots=True)
class PageRows:
    """
    The rows of a page by kind; `series` are ids of masters of which something moved, `versions`
    the rows of their occurrences: the master's id, and what tells one version from another.
    """

    singles: tuple[tuple[Row, bytes], ...]
    series: tuple[GraphId, ...]
    removed: tuple[GraphId, ...]
    unreadable: int
    versions: tuple[tuple[GraphId, str], ...] = ()


def read_rows(page: DeltaPage) -> PageRows:
    """Sort the rows of a page; later rows of the same id win. Unreadable rows are counted."""
    singles: dict[str, tuple[Row, bytes]] = {}
    series: dict[GraphId, None] = {}
    removed: dict[GraphId, None] = {}
    versions: list[tuple[GraphId, str]] = []
    unreadable = 0
    for raw in page.value:
        try:
            head = decode_row(raw)
            if head.id in NO_IDS:
                unreadable += 1
            elif head.removed is not None:
                removed[GraphId(head.id)] = None
                singles.pop(head.id, None)
            elif head.type == "seriesMaster":
                series[GraphId(head.id)] = None
                removed.pop(GraphId(head.id), None)
            elif head.series_master_id:
                series[GraphId(head.series_master_id)] = None
                versions.append((GraphId(head.series_master_id), f"{head.id} {head.etag}"))
            else:
                singles[head.id] = (head, bytes(raw))
                removed.pop(GraphId(head.id), None)
        except msgspec.DecodeError:
            unreadable += 1
    return PageRows(
        tuple(singles.values()), tuple(series), tuple(removed), unreadable, tuple(versions)
    )


def next_view(view: View, page: DeltaPage) -> View:
    """The cursor after a page."""
    if page.delta_link:
        return replace(view, link=DeltaLink(page.delta_link), complete=True)
    link = DeltaLink(page.next_link) if page.next_link else None
    return replace(view, link=link, complete=False)


class Endless(Exception):
    """The service sends pages in a circle."""


class LoopGuard:
    """
    Notices a chain of pages that never ends: the same rows again and again under fresh links, or
    none at all for some hundred pages in a row.
    """

    def __init__(self) -> None:
        self._empty = 0
        self._seen: dict[bytes, int] = {}
        self._links: set[str] = set()
        self._pages = 0

    def check(self, rows: Sequence[msgspec.Raw], link: str | None) -> None:
        """
        Look at one page.

        Raises: Endless: a link came twice, a page's rows came too often, or they are too many.
        """
        self._pages += 1
        if self._pages > MOST_PAGES or (link and link in self._links):
            raise Endless
        if link:
            self._links.add(link)
        self._empty = 0 if rows else self._empty + 1
        if self._empty > MOST_EMPTY_PAGES:
            raise Endless
        if not rows:
            return
        digest = hashlib.sha256(b"\0".join(bytes(row) for row in rows)).digest()[:16]
        self._seen[digest] = self._seen.get(digest, 0) + 1
        if self._seen[digest] > SAME_PAGE_AGAIN:
            raise Endless
