"""A synced file that turns into something hostile: its last good version stays on the service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.hostile.files import HOSTILE
from tests.rounds.world import World, event, ics, world

READ = ("item", "held-in-part", "not-an-event")
HOUR = ("20260302T100000", "20260302T110000")
GOOD = ics("u", "Good", *HOUR)


def hostile(name: str) -> bytes:
    """The sample; where only its time is held, everything else is as in the good file."""
    verdict, data = HOSTILE[name]
    if verdict != "held":
        return data
    return data.replace(b"SUMMARY:x\r\n", b"").replace(b"UID:u", b"UID:u\r\nSUMMARY:Good", 1)


HELD = {name: hostile(name) for name, (verdict, _) in HOSTILE.items() if verdict not in READ}


async def filled(w: World) -> None:
    """A file that will turn bad, and two others."""
    await w.code()
    w.write("u.ics", GOOD)
    w.write("other.ics", ics("other", "Other", *HOUR))
    w.box.create(w.calendar, event("Elsewhere", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
    assert await w.code() == 0
    assert await w.code() == 0
    w.clear()


def put(w: World, data: bytes) -> None:
    """Replace the file as an editor does."""
    w.clock.advance(5)
    (w.folder / "u.ics").write_bytes(data)


def on_service(w: World, subject: str) -> dict[str, Any]:
    [found] = [one for one in w.box.items(w.calendar) if one.values["subject"] == subject]
    return {**found.values, "id": found.immutable_id}


async def problem_codes(w: World) -> list[tuple[str, str]]:
    return [(one.file, one.code) for one in await w.store.problems() if one.needs_person]


@pytest.mark.parametrize("name", HELD)
async def test_case_39_a_file_that_turns_hostile_is_listed_and_nothing_is_sent(
    tmp_path: Path, name: str
) -> None:
    """Others go on meanwhile; the good bytes again, and everything is as it was."""
    async with world(tmp_path) as w:
        await filled(w)
        before = on_service(w, "Good")
        put(w, HELD[name])
        w.edit("Other", b"SUMMARY:Other", b"SUMMARY:Other 2")
        w.box.patch(on_service(w, "Elsewhere")["id"], {"subject": "Elsewhere 2"})

        assert await w.code() == 4
        assert await w.code() == 4

        assert on_service(w, "Good") == before
        assert [one.split()[0] for one in w.writes()] == ["PATCH"]
        assert on_service(w, "Other 2")
        assert w.path("Elsewhere 2")
        assert (w.folder / "u.ics").read_bytes() == HELD[name]
        [(file, code)] = await problem_codes(w)
        assert file == "u.ics"
        assert code == HOSTILE[name][0] or HOSTILE[name][0] == "held"

        w.clear()
        put(w, GOOD.replace("\n", "\r\n").encode())
        assert await w.code() == 0
        assert await w.code() == 0
        assert await problem_codes(w) == []
        assert w.writes() == []
        assert on_service(w, "Good") == before


async def test_a_file_that_holds_a_task_instead_deletes_nothing(tmp_path: Path) -> None:
    """It is listed; the event's last good version stays on the service."""
    async with world(tmp_path) as w:
        await filled(w)
        before = on_service(w, "Good")
        put(w, HOSTILE["a task"][1])

        for _ in range(3):
            await w.code()
            w.clock.advance(60)

        assert w.writes() == []
        assert on_service(w, "Good") == before
        codes = [(one.file, one.code) for one in await w.store.problems()]
        assert ("u.ics", "not-an-event") in codes


async def test_the_service_goes_on_while_a_file_is_hostile(tmp_path: Path) -> None:
    """What changes there is brought into the good file when it is back, and the bad one is kept."""
    async with world(tmp_path) as w:
        await filled(w)
        put(w, HELD["cut in the middle"])
        w.box.patch(on_service(w, "Good")["id"], {"location": {"displayName": "Room 7"}})
        assert await w.code() == 4
        assert (w.folder / "u.ics").read_bytes() == HELD["cut in the middle"]

        put(w, GOOD.replace("Good", "Better").replace("\n", "\r\n").encode())

        assert await w.code() == 0
        assert "LOCATION:Room 7" in w.read("u.ics")
        assert on_service(w, "Better")["location"]["displayName"] == "Room 7"


@pytest.mark.parametrize("name", HELD)
async def test_a_hostile_new_file_is_listed_and_nothing_is_created(
    tmp_path: Path, name: str
) -> None:
    """Two of them beside each other, and a good one that is created."""
    async with world(tmp_path) as w:
        await w.code()
        (w.folder / "a.ics").write_bytes(HELD[name])
        (w.folder / "b.ics").write_bytes(HELD[name])
        w.write("other.ics", ics("other", "Other", *HOUR))

        assert await w.code() == 4

        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["Other"]
        assert {file for file, _ in await problem_codes(w)} == {"a.ics", "b.ics"}


async def test_a_uid_of_two_lines_is_one_event_only(tmp_path: Path) -> None:
    """The service gives it back as one line: that is the same UID, and no second file."""
    async with world(tmp_path) as w:
        await w.code()
        (w.folder / "a.ics").write_bytes(HOSTILE["a UID of two lines"][1])
        assert await w.code() == 0
        w.clear()

        for _ in range(2):
            w.clock.advance(7 * 3600)
            assert await w.code(fresh=True) == 0

        assert w.names() == ["a.ics"]
        assert len(w.box.items(w.calendar)) == 1
        assert w.writes() == []


@pytest.mark.parametrize("cut", [False, True])
async def test_a_file_that_turns_into_another_items_takes_neither_away(
    tmp_path: Path, cut: bool
) -> None:
    """Overwritten by a copy of its neighbour, whole or in half: both events stay as they are."""
    async with world(tmp_path) as w:
        await filled(w)
        before = [on_service(w, name) for name in ("Good", "Other")]
        data = (w.folder / "other.ics").read_bytes()
        put(w, data[: len(data) - 40] if cut else data)

        for _ in range(2):
            assert await w.code() == 4
            w.clock.advance(60)

        assert [on_service(w, name) for name in ("Good", "Other")] == before
        assert w.writes() == []
        assert [file for file, _ in await problem_codes(w)] == ["u.ics"]
