"""
The least that a first sync costs: pages in, rows and files out, and no thought.

A client that downloads the delta pages that syncd downloads, decodes their rows into typed structs,
keeps them in SQLite (WAL, one transaction a page) and writes each event as a file from a text
template (temporary file, rename). What it leaves out is what syncd is for. `scripts/bench` measures
syncd against it, on the same pages in the same run.

Run as: python -m scripts.floor FIRST_URL TOKEN FOLDER; without arguments it only imports.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from pathlib import Path

import aiohttp
import msgspec

PAGE_SIZE = 200
TABLE = "CREATE TABLE event (id TEXT PRIMARY KEY, uid TEXT, etag TEXT, raw BLOB)"
TEXT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//floor//floor//EN\r\nBEGIN:VEVENT\r\nUID:{}\r\n"
    "DTSTAMP:20260101T000000Z\r\nSUMMARY:{}\r\nDTSTART:{}\r\nDTEND:{}\r\nLOCATION:{}\r\n"
    "DESCRIPTION:{}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


class Moment(msgspec.Struct, rename="camel"):
    """A date with a time."""

    date_time: str


class Body(msgspec.Struct):
    """The text of an event."""

    content: str = ""


class Place(msgspec.Struct, rename="camel"):
    """Where an event is."""

    display_name: str = ""


class Event(msgspec.Struct, rename="camel"):
    """What the file shows; an occurrence has none of it."""

    id: str
    type: str
    uid: str = msgspec.field(default="", name="iCalUId")
    etag: str = msgspec.field(default="", name="@odata.etag")
    subject: str = ""
    start: Moment | None = None
    end: Moment | None = None
    body: Body | None = None
    location: Place | None = None


class Page(msgspec.Struct):
    """One page; the rows stay as they came beside what is read of them."""

    value: list[msgspec.Raw]
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")


_pages = msgspec.json.Decoder(Page)
_events = msgspec.json.Decoder(Event)


async def pull(url: str, token: str, folder: Path) -> None:
    """Follow the pages to their end."""
    db = sqlite3.connect(folder / "floor.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute(TABLE)
    headers = {"Authorization": f"Bearer {token}", "Prefer": f"odata.maxpagesize={PAGE_SIZE}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        following: str | None = url
        while following:
            async with session.get(following) as answer:
                page = _pages.decode(await answer.read())
            _keep(db, page, folder)
            following = page.next_link
    db.close()


def _keep(db: sqlite3.Connection, page: Page, folder: Path) -> None:
    events = [(_events.decode(raw), raw) for raw in page.value]
    events = [(event, raw) for event, raw in events if event.type != "occurrence"]
    db.execute("BEGIN IMMEDIATE")
    rows = ((event.id, event.uid, event.etag, bytes(raw)) for event, raw in events)
    db.executemany("INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?)", rows)
    db.execute("COMMIT")
    for event, _ in events:
        _write(event, folder)


def _write(event: Event, folder: Path) -> None:
    text = TEXT.format(
        event.uid,
        event.subject,
        event.start.date_time if event.start else "",
        event.end.date_time if event.end else "",
        event.location.display_name if event.location else "",
        event.body.content.replace("\n", "\\n") if event.body else "",
    )
    temporary = folder / f".{event.uid}"
    with open(temporary, "wb") as file:
        file.write(text.encode())
    os.rename(temporary, folder / f"{event.uid}.ics")


async def _import_only() -> None:
    """Nothing, in a loop as the others have it."""


if __name__ == "__main__":
    arguments = sys.argv[1:]
    work = pull(arguments[0], arguments[1], Path(arguments[2])) if arguments else _import_only()
    asyncio.run(work)
