"""
Both sides of the demo as plain values: the instances of a folder, and those of the service.

Knows how either side tells summary, time, place and status of an instance, so that the two can be
compared. The service is asked about its own engine and the files are read anew: what syncd
believes of either is not asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from syncd.core.event import Item
from syncd.core.owner import Owner
from syncd.core.wire.ics_read import FileItem, read
from syncd.shell.moments import Span, moments_of
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.model import Event as Stored

__all__ = ["Difference", "File", "compared", "read_files"]


@dataclass(frozen=True, slots=True)
class File:
    """One .ics file that could be read."""

    path: Path
    uid: str
    item: Item


@dataclass(frozen=True, slots=True)
class Instance:
    """One occurrence as a person sees it; whole days have no time in `start` and `end`."""

    calendar: str
    summary: str
    start: str
    end: str
    place: str
    people: frozenset[str]
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """How many instances both sides tell, and what only one of them tells."""

    agreed: int
    folder_only: tuple[Instance, ...]
    service_only: tuple[Instance, ...]


def read_files(folder: Path, owner: Owner) -> Iterator[File]:
    """The items of a calendar's folder, in the order of their file names."""
    for path in sorted(folder.glob("*.ics")):
        told = read(path.read_bytes(), owner, None)
        if isinstance(told, FileItem) and told.item is not None:
            yield File(path, told.uid, told.item)


def compared(account: Path, mailbox: Mailbox, owner: Owner, first: date, last: date) -> Difference:
    """Compare the account's folders with the mailbox, from one day to another in UTC."""
    span = Span(first, last, UTC)
    here = Counter(_in_folders(account, owner, span))
    there = Counter(_in_mailbox(mailbox, span, owner))
    return Difference(
        (here & there).total(),
        tuple((here - there).elements()),
        tuple((there - here).elements()),
    )


def _in_folders(account: Path, owner: Owner, span: Span) -> Iterator[Instance]:
    for folder in (path for path in account.iterdir() if path.is_dir()):
        name = (folder / "displayname").read_text(encoding="utf-8").strip()
        for file in read_files(folder, owner):
            for moment in moments_of(file.item, span):
                event = moment.event
                start, end = _shown(moment.start, moment.end, all_day=moment.all_day)
                yield Instance(
                    *(name, _plain(event.subject), start, end),
                    _plain(event.location),
                    _people((one.address for one in event.attendees), owner),
                    event.is_cancelled,
                )


def _in_mailbox(mailbox: Mailbox, span: Span, owner: Owner) -> Iterator[Instance]:
    day = timedelta(days=1)
    for calendar in mailbox.folders.calendars.values():
        around = mailbox.instances(calendar.id, span.start - day, span.end + day)
        yield from _seen(calendar.name, around, span, owner)


def _seen(calendar: str, events: Iterable[Stored], span: Span, owner: Owner) -> Iterator[Instance]:
    for event in events:
        values = event.values
        all_day = bool(values["isAllDay"])
        start, end = _times(event, all_day=all_day)
        # As the folder's side counts: what takes no time still stands at its start.
        if start < span.end and max(end, start + timedelta(microseconds=1)) > span.start:
            shown = _shown(start, end, all_day=all_day)
            place = values["location"]["displayName"]
            summary = _plain(event.subject)
            people = _people((one["emailAddress"]["address"] for one in values["attendees"]), owner)
            cancelled = bool(values["isCancelled"])
            yield Instance(calendar, summary, *shown, _plain(place), people, cancelled)


def _times(event: Stored, *, all_day: bool) -> tuple[datetime, datetime]:
    if not all_day:
        return event.start.instant, event.end.instant
    days = (event.start.local.date(), event.end.local.date())
    return datetime.combine(days[0], time(), UTC), datetime.combine(days[1], time(), UTC)


def _shown(start: datetime, end: datetime, *, all_day: bool) -> tuple[str, str]:
    if all_day:
        return str(start.date()), str(end.date())
    return start.astimezone(UTC).isoformat(), end.astimezone(UTC).isoformat()


def _people(addresses: Iterable[str], owner: Owner) -> frozenset[str]:
    """Everybody invited but the owner."""
    return frozenset(one.casefold() for one in addresses if not owner.is_own(one))


def _plain(text: str) -> str:
    """A text without what a line of iCalendar cannot hold, and with single spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
