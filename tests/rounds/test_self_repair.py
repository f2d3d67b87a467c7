"""Foreign things where syncd's own should be, and first syncs that were cut short."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from syncd.simulator.faults import FaultKind, Faults
from syncd.simulator.switches import Switches
from tests.rounds.world import World, event, ics, world

HOUR = ("2026-03-05T10:00:00", "2026-03-05T10:30:00")
THINGS = ("folder", "link", "dangling link", "pipe")


def put(w: World, path: Path, kind: str) -> None:
    """Something that is no file, under a name that syncd uses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.rename(w.root / "former")
    match kind:
        case "folder":
            path.mkdir()
            (path / "inside").write_text("mine")
        case "link":
            (w.root / "target").write_text("mine")
            path.symlink_to(w.root / "target")
        case "dangling link":
            path.symlink_to(w.root / "nowhere")
        case _:
            os.mkfifo(path)


def is_untouched(w: World, path: Path) -> bool:
    if path.is_symlink():
        target, nowhere = w.root / "target", w.root / "nowhere"
        return not nowhere.exists() and (not target.exists() or target.read_text() == "mine")
    return path.is_fifo() or (path / "inside").read_text() == "mine"


@pytest.mark.parametrize(("kind", "other"), [THINGS[:2], THINGS[2:]])
async def test_metadata_that_is_somebody_elses(tmp_path: Path, kind: str, other: str) -> None:
    """It is left as it is, and the calendar is followed all the same."""
    async with world(tmp_path) as w:
        w.box.default_calendar.color = "lightRed"
        put(w, w.folder / "displayname", kind)
        put(w, w.folder / "color", other)
        w.box.create(w.calendar, event("A", *HOUR))

        assert await w.code() == 0
        assert await w.code() == 0

        assert w.subjects() == ["A"]
        assert is_untouched(w, w.folder / "displayname")
        assert is_untouched(w, w.folder / "color")


@pytest.mark.parametrize("kind", THINGS[:2])
async def test_marker_that_is_somebody_elses(tmp_path: Path, kind: str) -> None:
    """Nothing is written before it is moved away, and the error says so."""
    async with world(tmp_path) as w:
        put(w, w.folder / ".syncd", kind)
        w.box.create(w.calendar, event("A", *HOUR))

        [report] = await w.sync()

        assert report.trouble is not None
        assert ".syncd is no file" in str(report.trouble)
        assert "Move .syncd" in report.trouble.hint
        assert w.names() == []
        assert is_untouched(w, w.folder / ".syncd")
        (w.folder / ".syncd").rename(w.root / "moved")
        assert await w.code() == 0
        assert w.subjects() == ["A"]


@pytest.mark.parametrize("kind", THINGS[:2])
async def test_marker_that_became_something_else(tmp_path: Path, kind: str) -> None:
    """The folder counts as unmarked: nothing is written, deleted or sent until it is back."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", *HOUR))
        await w.code()
        put(w, w.folder / ".syncd", kind)
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")
        w.clear()

        assert await w.code() == 4

        assert w.writes() == []
        assert is_untouched(w, w.folder / ".syncd")
        assert [one.code for one in await w.store.problems()] == ["folder-unmarked"]
        shutil.move(w.folder / ".syncd", w.root / "moved")
        (w.root / "former").rename(w.folder / ".syncd")
        assert await w.code() == 0
        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["B"]


@pytest.mark.parametrize("kind", ["folder", "dangling link"])
async def test_name_of_a_new_file_is_taken(tmp_path: Path, kind: str) -> None:
    """The event's file gets another name; what is there is listed, and left as it is."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", *HOUR))
        await w.code()
        [name] = w.names()
        shutil.rmtree(w.folder)
        await w.lose_state()
        put(w, w.folder / name, kind)

        assert await w.code(fresh=True) == 4
        assert await w.code() == 4

        assert is_untouched(w, w.folder / name)
        [file] = [one for one in w.names() if one != name]
        assert "SUMMARY:A" in w.read(file)
        assert [(one.file, one.code) for one in await w.store.problems()] == [(name, "not-a-file")]


FOLDERS = ("export", "export/work", "export/work/Calendar")


@pytest.mark.parametrize(
    ("place", "kind"),
    [*((place, "file") for place in FOLDERS), *((place, "link") for place in FOLDERS[1:])],
)
async def test_folder_whose_name_is_taken(tmp_path: Path, place: str, kind: str) -> None:
    """A file or a link where a folder should be is named; nothing is made behind a link."""
    async with world(tmp_path) as w:
        path, behind = w.root / place, w.root / "elsewhere"
        path.parent.mkdir(parents=True, exist_ok=True)
        behind.mkdir()
        path.write_text("mine") if kind == "file" else path.symlink_to(behind)
        w.box.create(w.calendar, event("A", *HOUR))

        [report] = await w.sync()

        assert report.trouble is not None
        assert str(path) in str(report.trouble)
        assert "Move it away" in report.trouble.hint
        assert list(behind.iterdir()) == []
        path.unlink()
        assert await w.code() == 0
        assert w.subjects() == ["A"]


@pytest.mark.parametrize("marked", [False, True])
async def test_first_sync_that_is_cut_short(tmp_path: Path, marked: bool) -> None:
    """
    An import or a recovery that stops between two pages links each file all the same.

    By equal content, by the UID kept beside the event, and beyond the view.
    """
    slow = Switches(empty_first_page=True)
    async with world(tmp_path, faults=Faults(), switches=slow) as w:
        w.patience_s = 0.0
        w.folder.mkdir(parents=True)
        if marked:
            await w.code()
            await w.lose_state()
        w.box.create(w.calendar, event("Near", *HOUR))
        w.box.create(w.calendar, event("Far", "2031-03-05T10:00:00", "2031-03-05T10:30:00"))
        w.write("near.ics", ics("near", "Near", "20260305T100000", "20260305T103000"))
        w.write("far.ics", ics("far", "Far", "20310305T100000", "20310305T103000"))
        w.server.faults.script(FaultKind.UNAVAILABLE, path="delta.*skiptoken")
        w.clear()
        assert await w.code(fresh=True) == 5
        w.clock.advance(60)

        assert await w.code(fresh=True) == 0
        assert await w.code() == 0

        assert sorted(one.values["subject"] for one in w.box.items(w.calendar)) == ["Far", "Near"]
        assert w.names() == ["far.ics", "near.ics"]
        assert not [one for one in w.writes() if one.startswith("POST")]
