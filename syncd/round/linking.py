"""
Which events the files of a calendar stand for, where no state tells: on a first sync, an import,
a recovery. By extended property, by UID, then by equal content, over the whole calendar.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from syncd.core.delta import (
    Endless,
    LoopGuard,
)
from syncd.core.errors import BadAnswer
from syncd.core.ids import GraphId, Uid
from syncd.core.wire.graph import (
    RemoteEvent,
    decode_event,
    file_uid,
    stash_of_event,
    uid_of,
)
from syncd.round.desk import Bench

__all__ = ["Links", "LocalItem", "find_links", "identities"]


Content = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class LocalItem:
    """
    What linking needs of a file: its subject, its times (aware UTC), and who else organizes it
    (an address in lower case, "" for the owner).
    """

    subject: str
    start: datetime
    end: datetime
    organizer: str = ""

    @property
    def content(self) -> Content:
        """By what an event is known where no id tells."""
        times = [at.strftime("%Y-%m-%dT%H:%M") for at in (self.start, self.end)]
        return self.subject.strip(), times[0], times[1], self.organizer


@dataclass(slots=True)
class Links:
    """
    Which file UIDs events go by, learnt from the whole calendar: by id, and ids to fetch.

    `stashed` are events that bring lines of a file along, which only a read by id shows in full.
    """

    uids: dict[GraphId, Uid] = field(default_factory=dict)
    wanted: list[GraphId] = field(default_factory=list)
    stashed: set[GraphId] = field(default_factory=set)
    known: bool = False


async def find_links(bench: Bench, locals_: Mapping[Uid, LocalItem]) -> Links:
    """Look over the whole calendar: by extended property, by UID, then by equal content."""
    links = Links(known=True)
    by_content: dict[Content, list[GraphId]] = {}
    by_uid: dict[Uid, GraphId] = {}
    async for event in identities(bench):
        uid = uid_of(event)
        if file_uid(event) is not None:
            links.uids[GraphId(event.id)] = uid
        if stash_of_event(event):
            links.stashed.add(GraphId(event.id))
        if uid in locals_:
            by_uid[uid] = GraphId(event.id)
        elif locals_ and event.start is not None and event.end is not None:
            by_content.setdefault(_content(event, bench), []).append(GraphId(event.id))
    for uid, local in locals_.items():
        _link(links, uid, local, by_uid, by_content)
    return links


def _content(event: RemoteEvent, bench: Bench) -> Content:
    assert event.start is not None
    assert event.end is not None
    named = event.organizer.email_address if event.organizer else None
    organizer = ((named.address or "") if named else "").casefold()
    who = "" if bench.owner.is_own(organizer) else organizer
    times = event.start.date_time[:16], event.end.date_time[:16]
    return (event.subject or "").strip(), *times, who


def _link(
    links: Links,
    uid: Uid,
    local: LocalItem,
    by_uid: Mapping[Uid, GraphId],
    by_content: Mapping[Content, list[GraphId]],
) -> None:
    if uid in by_uid:
        links.wanted.append(by_uid[uid])
        return
    alike = by_content.get(local.content, [])
    if len(alike) == 1:
        links.uids[alike[0]] = uid
        links.wanted.append(alike[0])


async def identities(bench: Bench) -> AsyncIterator[RemoteEvent]:
    """Every event of the calendar with what tells it apart. Raises: SyncdError."""
    request = bench.dialect.identities(bench.calendar.id)
    guard = LoopGuard()
    while True:
        page = bench.dialect.read_list(await bench.remote.read(request), "identities")
        try:
            guard.check(page.value, page.next_link)
        except Endless:
            raise BadAnswer("the service lists the calendar in an endless circle") from None
        for raw in page.value:
            yield decode_event(raw)
        if not page.next_link:
            return
        request = bench.dialect.follow(page.next_link, "identities")
