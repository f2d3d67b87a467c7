"""A second two-way sync, vdirsyncer, between the folder that syncd keeps and another one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.rounds.world import World, event, ics, world

pytestmark = pytest.mark.skipif(
    find_spec("vdirsyncer") is None, reason="vdirsyncer is not installed"
)

CONFIG = """\
[general]
status_path = "{home}/status/"
[pair both]
a = "kept"
b = "other"
collections = null
conflict_resolution = "a wins"
[storage kept]
type = "filesystem"
path = "{kept}"
fileext = ".ics"
[storage other]
type = "filesystem"
path = "{other}"
fileext = ".ics"
"""
NAMES = ("A", "B", "C", "D", "Ünïcödé 📅")
WEEKLY = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["thursday"]},
    "range": {"type": "numbered", "startDate": "2026-03-05", "numberOfOccurrences": 6},
}


@dataclass(frozen=True, slots=True)
class Pair:
    """vdirsyncer between two folders; every call is a new process."""

    home: Path
    kept: Path
    other: Path

    @classmethod
    def of(cls, kept: Path, home: Path) -> Pair:
        """Set vdirsyncer up between `kept` and a new folder beside its state."""
        other = home / "other"
        other.mkdir(parents=True)
        (home / "config").write_text(CONFIG.format(home=home, kept=kept, other=other))
        made = cls(home, kept, other)
        made._run("discover", keys="y\n" * 4)
        return made

    def sync(self, *arguments: str) -> None:
        """One run in both directions."""
        self._run("sync", *arguments)

    def _run(self, *arguments: str, keys: str = "") -> None:
        done = subprocess.run(
            [sys.executable, "-m", "vdirsyncer", "-c", str(self.home / "config"), *arguments],
            input=keys,
            capture_output=True,
            encoding="utf-8",
            env={"LC_ALL": "C.UTF-8", "HOME": str(self.home), "PATH": os.environ["PATH"]},
            timeout=60,
        )
        assert done.returncode == 0, done.stderr

    def path(self, subject: str) -> Path:
        """The one file of the other folder with a subject."""
        marker = f"SUMMARY:{subject}\r\n".encode()
        [found] = [path for path in self.other.glob("*.ics") if marker in path.read_bytes()]
        return found

    def edit(self, subject: str, old: str, new: str) -> None:
        """Rewrite a file of the other folder."""
        path = self.path(subject)
        data = path.read_bytes()
        assert old.encode() in data
        path.write_bytes(data.replace(old.encode(), new.encode()))

    def subjects(self) -> list[str]:
        """The subjects of the other folder, those of exceptions too."""
        lines = [
            line
            for path in self.other.glob("*.ics")
            for line in path.read_bytes().replace(b"\r\n ", b"").decode().splitlines()
        ]
        return sorted(line[8:] for line in lines if line.startswith("SUMMARY:"))


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    """Five events and a series, filled into the folder."""
    async with world(tmp_path) as made:
        when = ("2026-03-05T10:00:00", "2026-03-05T10:30:00")
        for name in NAMES:
            made.box.create(made.calendar, event(name, *when))
        made.box.create(made.calendar, event("Weekly", *when, recurrence=WEEKLY))
        assert await made.code() == 0
        yield made


@pytest.fixture
def pair(w: World, tmp_path: Path) -> Pair:
    """The other folder, filled by vdirsyncer."""
    made = Pair.of(w.folder, tmp_path / "vdirsyncer")
    made.sync()
    return made


def subjects(w: World) -> list[str]:
    """The subjects of the service's events."""
    return sorted(one.values["subject"] for one in w.box.items(w.calendar))


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {path.name: path.read_bytes() for path in folder.glob("*.ics")}


async def exchanged(w: World, pair: Pair) -> None:
    """What the other folder has goes to the service, and what that answers comes back."""
    pair.sync()
    assert await w.code() == 0
    pair.sync()


async def at_rest(w: World, pair: Pair) -> bool:
    """Whether more rounds of both change no file and ask no write of the service."""
    before = (contents(pair.kept), contents(pair.other))
    w.clear()
    for _ in range(2):
        assert await w.code() == 0
        pair.sync()
    return (w.writes(), contents(pair.kept), contents(pair.other)) == ([], *before)


async def test_what_syncd_filled_goes_over_and_then_there_is_rest(w: World, pair: Pair) -> None:
    """The other folder has the same events; neither side has anything left to do."""
    assert pair.subjects() == sorted((*NAMES, "Weekly"))
    assert await at_rest(w, pair)


async def test_edits_of_the_other_folder_arrive(w: World, pair: Pair) -> None:
    """A title, a place, a new event, a deletion: each once, nothing twice."""
    pair.edit("A", "SUMMARY:A", "SUMMARY:Ä new")
    pair.edit("Weekly", "SUMMARY:Weekly", "SUMMARY:Weekly\r\nLOCATION:Köln")
    (pair.other / "x.ics").write_text(ics("new-one", "New"), newline="\r\n")
    pair.path("B").unlink()
    w.clear()

    await exchanged(w, pair)

    assert subjects(w) == sorted(("C", "D", "New", "Weekly", "Ä new", "Ünïcödé 📅"))
    assert pair.subjects() == subjects(w)
    [weekly] = [one for one in w.box.items(w.calendar) if one.values["subject"] == "Weekly"]
    assert weekly.values["location"]["displayName"] == "Köln"
    assert sorted(one.split()[0] for one in w.writes()) == ["DELETE", "PATCH", "PATCH", "POST"]
    assert await at_rest(w, pair)


async def test_a_uid_that_vdirsyncer_makes_no_file_name_of(w: World, pair: Pair) -> None:
    """The file gets a name at random in our folder; it is one event all the same."""
    (pair.other / "mail.ics").write_text(ics("id-7@example.org", "Mail"), newline="\r\n")

    await exchanged(w, pair)

    assert "mail.ics" not in w.names()
    assert subjects(w).count("Mail") == 1
    pair.edit("Mail", "SUMMARY:Mail", "SUMMARY:Post")
    await exchanged(w, pair)
    assert subjects(w).count("Post") == 1
    assert pair.subjects() == subjects(w) == sorted(w.subjects())
    assert await at_rest(w, pair)


async def test_changes_of_the_service_reach_the_other_folder(w: World, pair: Pair) -> None:
    """An edit, an exception, a new event and a deletion come through both syncs."""
    by_name = {one.values["subject"]: one for one in w.box.items(w.calendar)}
    w.box.patch(by_name["A"].immutable_id, {"subject": "A later"})
    w.box.delete(by_name["B"].immutable_id)
    w.box.create(w.calendar, event("E", "2026-03-06T10:00:00", "2026-03-06T10:30:00"))

    assert await w.code() == 0
    pair.sync()

    assert pair.subjects() == sorted(("A later", "C", "D", "E", "Weekly", "Ünïcödé 📅"))
    assert await at_rest(w, pair)


async def test_both_ends_edit_one_event(w: World, pair: Pair) -> None:
    """A title from the other folder and a place from the service end up at both ends."""
    by_name = {one.values["subject"]: one for one in w.box.items(w.calendar)}
    w.box.patch(by_name["C"].immutable_id, {"location": {"displayName": "Room 2"}})
    pair.edit("C", "SUMMARY:C", "SUMMARY:C new")

    await exchanged(w, pair)

    assert b"LOCATION:Room 2" in pair.path("C new").read_bytes()
    assert "C new" in subjects(w)
    assert await at_rest(w, pair)


async def test_an_emptied_other_folder_that_vdirsyncer_is_forced_to_follow(
    w: World, pair: Pair
) -> None:
    """The folder is empty, the deletions wait, and `discard` brings everything back."""
    for path in pair.other.glob("*.ics"):
        path.unlink()
    pair.sync("--force-delete", "both")
    assert w.names() == []
    w.clear()

    assert await w.code() == 4

    assert w.writes() == []
    [problem] = await w.store.problems()
    assert problem.kind == "held-deletions"
    await w.decide(problem, "discarded")
    assert await w.code() == 0
    pair.sync()
    assert pair.subjects() == sorted((*NAMES, "Weekly"))
    assert await at_rest(w, pair)
