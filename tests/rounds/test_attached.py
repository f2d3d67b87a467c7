"""What hangs on an event on the service is named in its file, and is never sent back."""

from __future__ import annotations

import re
import sqlite3
from base64 import b64encode
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from syncd.core.errors import ServiceDown
from syncd.core.wire.exchange import Answer
from syncd.simulator.attachments import (
    Draft,
    FileContent,
    ItemContent,
    ReferenceContent,
    attachment_id,
)
from syncd.store.store import Store
from tests.rounds.test_outbox import odd
from tests.rounds.world import World, event, world

AT = "2026-03-10T10:00:00", "2026-03-10T11:00:00"
MENU = Draft("menu.txt", "text/plain", False, FileContent(b"soup\n"))
WEEKLY = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"]},
    "range": {"type": "noEnd", "startDate": "2026-03-10"},
}


def lines(w: World, subject: str) -> list[str]:
    """The ATTACH lines of a file, unfolded."""
    return [one for one in w.text(subject).splitlines() if one.startswith("ATTACH")]


def lunch(w: World, *drafts: Draft, **rest: object) -> str:
    """An event with attachments; its id."""
    made = w.box.create(w.calendar, event("Lunch", *AT, **rest))
    for draft in drafts:
        w.box.attach(made.id, draft)
    return str(made.id)


def listings(w: World) -> int:
    """How often a list of attachments was asked for."""
    return sum(one.split("?")[0].endswith("/attachments") for one in w.requests("GET"))


@pytest.mark.parametrize("recurrence", [None, WEEKLY], ids=["single", "series"])
async def test_a_new_events_file_names_what_hangs_on_it(tmp_path: Path, recurrence: object) -> None:
    """A line each with name, type and size, that leads to the event in a browser."""
    async with world(tmp_path) as w:
        lunch(w, MENU, replace(MENU, name="map.png", media_type="image/png"), recurrence=recurrence)

        assert await w.code() == 0

        plan, menu = lines(w, "Lunch")
        assert menu.startswith("ATTACH;FMTTYPE=text/plain;X-SYNCD-ATTACHMENT-ID=")
        assert ";FILENAME=menu.txt;SIZE=" in menu
        assert ":https://outlook.office365.com/" in menu
        assert ";FILENAME=map.png;" in plan
        w.clear()
        assert await w.code() == 0
        assert (w.writes(), listings(w)) == ([], 0)


async def test_what_is_added_and_removed_in_outlook_follows(tmp_path: Path) -> None:
    """Nothing else of the event has changed; the file's own lines stay."""
    async with world(tmp_path) as w:
        identity = lunch(w)
        await w.code()
        own = b"ATTACH;FMTTYPE=text/html:https://example.org/agenda\r\n"
        w.edit("Lunch", b"SUMMARY:", own + b"SUMMARY:")
        await w.code()
        _, made = w.box.attach(identity, MENU)
        assert await w.code() == 0
        assert [";FILENAME=menu.txt" in one for one in lines(w, "Lunch")] == [False, True]

        w.box.detach(identity, attachment_id(identity, made.key))
        w.clear()
        assert await w.code() == 0

        assert lines(w, "Lunch") == [own.decode().strip()]
        assert w.writes() == []


async def test_a_line_of_ours_that_is_gone_deletes_nothing_and_is_back_with_the_next_write(
    tmp_path: Path,
) -> None:
    """Clients drop lines that they do not know."""
    async with world(tmp_path) as w:
        identity = lunch(w, MENU)
        await w.code()
        found = re.search(rb"ATTACH;.*\r\n(?: .*\r\n)*", w.path("Lunch").read_bytes())
        assert found
        w.edit("Lunch", found[0], b"")
        w.clear()
        await w.code()
        assert w.writes() == []

        w.box.patch(identity, {"subject": "Long lunch"})
        await w.code()

        assert [";FILENAME=menu.txt" in one for one in lines(w, "Long lunch")] == [True]


async def test_an_edit_of_the_file_keeps_the_lines(tmp_path: Path) -> None:
    """The answer to a write names no attachments; what was known of them stays."""
    async with world(tmp_path) as w:
        lunch(w, MENU)
        await w.code()
        before = lines(w, "Lunch")
        w.edit("Lunch", b"SUMMARY:Lunch", b"SUMMARY:Soup")

        assert await w.code() == 0
        assert await w.code() == 0

        assert lines(w, "Soup") == before != []
        assert w.bodies("PATCH") == [{"subject": "Soup"}]


async def test_what_is_no_file_is_not_named(tmp_path: Path) -> None:
    """Pictures in the text are part of it; items and links to the cloud have no content here."""
    async with world(tmp_path) as w:
        inline = replace(MENU, is_inline=True)
        item = Draft("Note", None, False, ItemContent("message", {"subject": "Note"}))
        cloud = replace(MENU, content=ReferenceContent("https://example.org/x"))
        lunch(w, inline, item, cloud)

        assert await w.code() == 0

        assert lines(w, "Lunch") == []


Form = Literal["link", "inline", "off"]


@pytest.mark.parametrize(("form", "shown"), [("inline", True), ("off", False)])
async def test_other_forms(tmp_path: Path, form: Form, shown: bool) -> None:
    """Inline puts small contents into the file; off asks for nothing."""
    async with world(tmp_path) as w:
        w.settings = replace(w.settings, attachments=form)
        large = replace(MENU, name="large.bin", content=FileContent(b"x" * 70_000))
        lunch(w, MENU, large)

        assert await w.code(fresh=True) == 0

        found = lines(w, "Lunch")
        assert len(found) == (2 if shown else 0)
        content = f"ENCODING=BASE64;VALUE=BINARY:{b64encode(b'soup' + bytes([10])).decode()}"
        assert [content in one for one in found] == ([False, True] if shown else [])
        assert bool(listings(w)) == shown


@pytest.mark.parametrize(
    ("name", "media"),
    [("a\r\nDESCRIPTION:x", "text/plain"), ('q";X=1:.txt', "text/plain\r\nX:1"), ("", "x;y=1/z")],
)
async def test_hostile_names_and_types_stay_in_their_line(
    tmp_path: Path, name: str, media: str
) -> None:
    """No line breaks out of its place, and the file is read as it was written."""
    async with world(tmp_path) as w:
        lunch(w, Draft(name, media, False, FileContent(b"x")))

        assert await w.code() == 0

        assert len(lines(w, "Lunch")) == 1
        assert "\nDESCRIPTION:x" not in w.text("Lunch")
        assert "\nX:1" not in w.text("Lunch")
        w.clear()
        assert await w.code() == 0
        assert w.writes() == []


async def test_what_was_known_before_is_asked_for_once(tmp_path: Path) -> None:
    """A state of an older version has events with attachments, and no word of what they are."""
    state = tmp_path / "state.db"
    async with world(tmp_path, state=state) as w:
        w.settings = replace(w.settings, attachments="off")
        lunch(w, MENU)
        await w.code()
        await w.store.close()
        with closing(sqlite3.connect(state)) as db:
            db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm008_attached'")
            db.commit()
        w.store = await Store.open(state)
        w.settings = replace(w.settings, attachments="link")

        assert await w.code(fresh=True) == 0

        assert len(lines(w, "Lunch")) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {}, b'{"value": [{"name": "no id"}]}'),
        Answer(200, {}, b'{"value": [{"id": 7, "name": []}]}'),
        Answer(200, {}, b'{"value": "none"}'),
        Answer(403, {}, b"{}"),
        ServiceDown("down"),
    ],
    ids=["no id", "wrong types", "no list", "refused", "down"],
)
async def test_a_list_that_cannot_be_had_holds_up_nothing(tmp_path: Path, answer: Any) -> None:
    """The event is in its file without it, edits go on both ways, and a later look brings it."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        identity = lunch(w, MENU)
        remote.say("GET", "/attachments", answer)

        assert await w.code() == 0

        assert (lines(w, "Lunch"), await w.store.problems()) == ([], [])
        w.edit("Lunch", b"SUMMARY:Lunch", b"SUMMARY:Soup")
        assert await w.code() == 0
        assert w.bodies("PATCH") == [{"subject": "Soup"}]
        w.clock.advance(7 * 86400)
        assert await w.code() == 0
        assert [";FILENAME=menu.txt" in one for one in lines(w, "Soup")] == [True]
        assert w.box.find(identity).values["subject"] == "Soup"
