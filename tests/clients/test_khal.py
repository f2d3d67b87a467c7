"""What khal, a calendar for the terminal, reads and changes in a folder that syncd keeps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.rounds.world import World, event, ics, world

pytestmark = pytest.mark.skipif(find_spec("khal") is None, reason="khal is not installed")

CONFIG = """\
[calendars]
[[work]]
path = {folder}
type = calendar
[default]
default_calendar = work
[locale]
local_timezone = Europe/Berlin
default_timezone = Europe/Berlin
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
[sqlite]
path = {database}
"""
WEEKLY = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["thursday"]},
    "range": {"type": "numbered", "startDate": "2026-03-05", "numberOfOccurrences": 6},
}
ALL_DAY = {"isAllDay": True, "zone": "UTC"}
FIELDS = ("uid", "title", "start", "end", "location", "description")


@dataclass(frozen=True, slots=True)
class Khal:
    """khal with a configuration and a cache of its own; every call is a new process."""

    home: Path

    @classmethod
    def on(cls, folder: Path, home: Path) -> Khal:
        """Set khal up for one calendar, `folder`."""
        home.mkdir()
        config = CONFIG.format(folder=folder, database=home / "khal.db")
        (home / "khal.conf").write_text(config)
        return cls(home)

    def run(self, *arguments: str, keys: str = "") -> str:
        """Return what khal says. Args: keys: what a person types, a line each."""
        done = subprocess.run(
            [sys.executable, "-m", "khal", "-c", str(self.home / "khal.conf"), *arguments],
            input=keys,
            capture_output=True,
            encoding="utf-8",
            env={"LC_ALL": "C.UTF-8", "HOME": str(self.home), "PATH": os.environ["PATH"]},
            timeout=30,
        )
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def listed(self, start: str = "2026-03-01", days: str = "60d") -> list[dict[str, str]]:
        """Every instance of a time, in its order."""
        wanted = [part for one in FIELDS for part in ("--json", one)]
        text = self.run("list", "--once", *wanted, start, days)
        return [one for line in text.splitlines() for one in json.loads(line)]

    def titles(self) -> list[str]:
        """The titles of all instances of two months."""
        return [one["title"] for one in self.listed()]

    def new(self, *arguments: str) -> None:
        """Create an event."""
        self.run("new", "-a", "work", *arguments)

    def edit(self, found: str, *lines: str) -> str:
        """Edit the event that a search finds, also one that is over."""
        return self.run("edit", "--show-past", found, keys="".join(f"{one}\n" for one in lines))


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    """A world in which syncd keeps the folder of one calendar."""
    async with world(tmp_path) as made:
        yield made


@pytest.fixture
def khal(w: World, tmp_path: Path) -> Khal:
    """khal on that folder."""
    return Khal.on(w.folder, tmp_path / "khal")


def items(w: World) -> dict[str, dict[str, Any]]:
    """The values of the service's events by subject."""
    return {one.values["subject"]: one.values for one in w.box.items(w.calendar)}


async def settled(w: World) -> None:
    """One round brings everything over, and the next has nothing to do on either side."""
    assert await w.code() == 0
    before = {path.name: path.read_bytes() for path in w.folder.iterdir()}
    w.clear()

    assert await w.code() == 0

    assert w.writes() == []
    assert {path.name: path.read_bytes() for path in w.folder.iterdir()} == before
