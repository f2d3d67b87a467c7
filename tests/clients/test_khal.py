"""What khal, a calendar for the terminal, reads and changes in a folder that syncd keeps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from syncd.simulator.bodies import to_text
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
        """Return what khal says. Args: keys: what a person types."""
        done = subprocess.run(
            [sys.executable, "-m", "khal", "-c", str(self.home / "khal.conf"), *arguments],
            input=keys,
            capture_output=True,
            encoding="utf-8",
            env={"LC_ALL": "C.UTF-8", "HOME": str(self.home), "PATH": os.environ["PATH"]},
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def listed(self, start: str = "2026-03-01", days: str = "60d") -> list[dict[str, str]]:
        """Every instance of a time, day by day."""
        wanted = [part for one in FIELDS for part in ("--json", one)]
        text = self.run("list", *wanted, start, days)
        return [one for line in text.splitlines() for one in json.loads(line)]

    def times(self, title: str) -> list[tuple[str, str]]:
        """Start and end of the instances with a title; an event of several days comes daily."""
        return [(one["start"], one["end"]) for one in self.listed() if one["title"] == title]

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


def walls(w: World, subject: str) -> list[tuple[str, str]]:
    """Start and end of the service's instances with a subject, where each takes place."""
    spring = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))
    found = [one for one in w.box.instances(w.calendar, *spring) if one.subject == subject]
    return [(f"{one.start.local:%F %H:%M}", f"{one.end.local:%F %H:%M}") for one in found]


def weekly_with_a_moved_and_a_cancelled_day(w: World) -> None:
    """Six Thursdays: the third at another time and with another subject, the fifth left out."""
    body = event("Weekly", "2026-03-05T12:00:00", "2026-03-05T12:30:00", recurrence=WEEKLY)
    w.box.create(w.calendar, body)
    spring = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))
    days = [one for one in w.box.instances(w.calendar, *spring) if one.subject == "Weekly"]
    w.box.patch(days[2].id, event("Moved", "2026-03-19T15:00:00", "2026-03-19T15:30:00"))
    w.box.delete(days[4].id)


def one_of_each_kind(w: World) -> None:
    """Text of every sort with an alarm, all-day, and a series with its exceptions."""
    w.box.create(
        w.calendar,
        event(
            "Grüße 📅",
            "2026-03-05T10:00:00",
            "2026-03-05T10:30:00",
            location={"displayName": "Münchner Straße 5; Hof, links"},
            body={"contentType": "text", "content": "one\ntwo, three; four"},
            categories=["Blau", "Red"],
            isReminderOn=True,
            reminderMinutesBeforeStart=15,
        ),
    )
    w.box.create(
        w.calendar, event("Holiday", "2026-03-10T00:00:00", "2026-03-12T00:00:00", **ALL_DAY)
    )
    weekly_with_a_moved_and_a_cancelled_day(w)


async def settled(w: World) -> None:
    """One round brings everything over, and the next has nothing to do on either side."""
    assert await w.code() == 0
    before = {path.name: path.read_bytes() for path in w.folder.iterdir()}
    w.clear()

    assert await w.code() == 0

    assert w.writes() == []
    assert {path.name: path.read_bytes() for path in w.folder.iterdir()} == before


async def test_khal_shows_what_the_service_has(w: World, khal: Khal) -> None:
    """Texts, places, days and a series with its exceptions; a search finds the one by its place."""
    one_of_each_kind(w)
    await w.code()

    [party] = [one for one in khal.listed() if one["title"] == "Grüße 📅"]
    assert (party["location"], party["description"]) == (
        "Münchner Straße 5; Hof, links",
        "one\ntwo, three; four",
    )
    assert khal.times("Grüße 📅") == [("2026-03-05 10:00", "2026-03-05 10:30")]
    assert khal.times("Holiday") == [("2026-03-10", "2026-03-11")] * 2
    assert khal.times("Weekly") == walls(w, "Weekly")
    assert khal.times("Moved") == walls(w, "Moved") == [("2026-03-19 15:00", "2026-03-19 15:30")]
    assert len(walls(w, "Weekly")) == 4
    [found] = khal.run("search", "Münchner").splitlines()
    assert found.startswith("2026-03-05 10:00-2026-03-05 10:30 Grüße 📅")


async def test_khal_shows_what_changed_on_the_service(w: World, khal: Khal) -> None:
    """khal, which looks at the folder's time only, notices edits, new events and deletions."""
    made = [
        w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        for name in ("A", "B", "C", "D")
    ]
    await w.code()
    assert {one["title"] for one in khal.listed()} == {"A", "B", "C", "D"}
    w.box.patch(made[0].id, {"subject": "A later"})
    w.box.delete(made[1].id)
    w.box.create(w.calendar, event("E", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))

    await w.code()

    assert {one["title"] for one in khal.listed()} == {"A later", "C", "D", "E"}


async def test_a_file_that_khal_only_wrote_anew_causes_no_request(w: World, khal: Khal) -> None:
    """Other order, folding, PRODID, SEQUENCE and VTIMEZONE are no edit, of no kind of event."""
    one_of_each_kind(w)
    await w.code()
    before = {path.name: path.read_bytes() for path in w.folder.glob("*.ics")}
    for found in ("Grüße", "Holiday", "Weekly"):
        khal.edit(found, "s", "", "q")
    after = {path.name: path.read_bytes() for path in w.folder.glob("*.ics")}
    w.clear()

    assert await w.code() == 0

    assert all(after[name] != before[name] for name in before)
    assert w.writes() == []
    assert {path.name: path.read_bytes() for path in w.folder.glob("*.ics")} == after


async def test_events_made_with_khal_arrive_whole(w: World, khal: Khal) -> None:
    """Timed with all that khal can say, all-day, and in a zone of its own."""
    await w.code()
    khal.new(
        *("-m", "15m", "-l", "Büro, 2. Stock", "-g", "Red", "--url", "https://example.org/x"),
        *("2026-03-25", "14:00", "15:30", "Zahnärztin 🦷", "::", "nötig\nzwei"),
    )
    khal.new("2026-03-26", "2026-03-27", "Urlaub")
    khal.new("2026-03-26", "10:00", "1h", "America/New_York", "Call")

    await settled(w)

    there = items(w)
    dentist = there["Zahnärztin 🦷"]
    assert dentist["location"]["displayName"] == "Büro, 2. Stock"
    assert (dentist["categories"], dentist["reminderMinutesBeforeStart"]) == (["Red"], 15)
    assert to_text(dentist["body"]).split() == ["nötig", "zwei"]
    assert walls(w, "Zahnärztin 🦷") == [("2026-03-25 14:00", "2026-03-25 15:30")]
    assert there["Urlaub"]["isAllDay"]
    assert walls(w, "Urlaub") == [("2026-03-26 00:00", "2026-03-28 00:00")]
    [call] = [one for one in w.box.items(w.calendar) if one.values["subject"] == "Call"]
    assert call.start.instant == datetime(2026, 3, 26, 14, tzinfo=UTC)


async def test_a_series_made_with_khal_arrives_and_shows_in_khal_as_it_was(
    w: World, khal: Khal
) -> None:
    """Weekly with an end, over the change to summer time that khal's own VTIMEZONE gets wrong."""
    await w.code()
    khal.new("-r", "weekly", "-u", "2026-04-16", "2026-03-18", "14:00", "15:30", "Chor")
    shown = khal.times("Chor")

    await settled(w)

    assert walls(w, "Chor") == shown == khal.times("Chor")
    assert shown[-1] == ("2026-04-15 14:00", "2026-04-15 15:30")


async def test_edits_made_with_khal_arrive_and_nothing_else(w: World, khal: Khal) -> None:
    """Title, time, place, note and alarm of one event are one PATCH with just these."""
    one_of_each_kind(w)
    await w.code()
    w.clear()
    khal.edit(
        "Grüße",
        *("s", "Grüße, später", "t", "2026-03-06 11:00 2026-03-06 12:00"),
        *("l", "Köln", "d", "drei", "a", "30m", "q"),
    )

    await settled(w)

    edited = items(w)["Grüße, später"]
    assert walls(w, "Grüße, später") == [("2026-03-06 11:00", "2026-03-06 12:00")]
    assert edited["location"]["displayName"] == "Köln"
    assert to_text(edited["body"]) == "drei"
    assert (edited["reminderMinutesBeforeStart"], edited["categories"]) == (30, ["Blau", "Red"])
    assert sorted(items(w)) == ["Grüße, später", "Holiday", "Weekly"]


async def test_an_edit_sends_only_what_khal_was_told(w: World, khal: Khal) -> None:
    """A new title for a series leaves its times, its pattern and its exceptions alone."""
    one_of_each_kind(w)
    await w.code()
    w.clear()
    khal.edit("Weekly", "s", "Every week", "q")

    assert await w.code() == 0

    assert w.bodies("PATCH") == [{"subject": "Every week"}]
    assert khal.times("Every week") == walls(w, "Every week")


async def test_one_day_of_a_series_edited_with_khal(w: World, khal: Khal) -> None:
    """The third day's new title goes to that day alone."""
    weekly_with_a_moved_and_a_cancelled_day(w)
    await w.code()
    w.clear()
    khal.edit("Weekly", "n", "n", "s", "Moved on", "q")

    await settled(w)

    assert walls(w, "Moved on") == [("2026-03-19 15:00", "2026-03-19 15:30")]
    assert len(walls(w, "Weekly")) == 4


async def test_a_series_that_khal_moves_keeps_its_exceptions(w: World, khal: Khal) -> None:
    """khal leaves EXDATE and RECURRENCE-ID at the old hour; no cancelled day comes back."""
    weekly_with_a_moved_and_a_cancelled_day(w)
    await w.code()
    khal.edit("Weekly", "t", "2026-03-05 13:00 2026-03-05 14:00", "q")

    await settled(w)

    days = ("2026-03-05", "2026-03-12", "2026-03-26", "2026-04-09")
    assert walls(w, "Weekly") == [(f"{day} 13:00", f"{day} 14:00") for day in days]
    assert walls(w, "Moved") == [("2026-03-19 15:00", "2026-03-19 15:30")]
    assert khal.times("Weekly") == walls(w, "Weekly")
    assert khal.times("Moved") == walls(w, "Moved")


async def test_a_single_event_that_khal_makes_a_series(w: World, khal: Khal) -> None:
    """The event stays the same one and gets the days that khal shows."""
    made = w.box.create(w.calendar, event("Once", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
    await w.code()
    khal.edit("Once", "p", "weekly", "2026-03-27", "q")
    shown = khal.times("Once")

    await settled(w)

    assert walls(w, "Once") == shown
    assert len(shown) == 4
    assert [one.immutable_id for one in w.box.items(w.calendar)] == [made.immutable_id]


async def test_an_all_day_event_whose_days_khal_changes(w: World, khal: Khal) -> None:
    """khal makes midnight to midnight of it, without a zone: those hours are what arrives."""
    one_of_each_kind(w)
    await w.code()
    khal.edit("Holiday", "t", "2026-03-11 2026-03-12", "q")

    await settled(w)

    assert walls(w, "Holiday") == [("2026-03-11 00:00", "2026-03-13 00:00")]
    assert khal.times("Holiday") == [("2026-03-11 00:00", "2026-03-13 00:00")] * 2


async def test_an_event_deleted_in_khal_is_deleted_on_the_service(w: World, khal: Khal) -> None:
    """One DELETE, and the others stay."""
    one_of_each_kind(w)
    await w.code()
    w.clear()
    khal.edit("Holiday", "D", "y")

    await settled(w)

    assert sorted(items(w)) == ["Grüße 📅", "Weekly"]


async def test_both_sides_edit_one_event(w: World, khal: Khal) -> None:
    """A title from khal and a place from the service end up in both."""
    made = w.box.create(w.calendar, event("Old", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
    await w.code()
    khal.edit("Old", "s", "New", "q")
    w.box.patch(made.id, {"location": {"displayName": "Room 2"}})

    await settled(w)

    assert items(w)["New"]["location"]["displayName"] == "Room 2"
    [shown] = khal.listed()
    assert (shown["title"], shown["location"]) == ("New", "Room 2")


async def test_what_khal_leaves_lying_about_is_nobodys(
    w: World, khal: Khal, tmp_path: Path
) -> None:
    """An import of what is there leaves stray files, which are neither read nor removed."""
    await w.code()
    source = tmp_path / "call.ics"
    source.write_text(ics("call", "Call"))
    khal.run("import", "--batch", "-a", "work", str(source))
    await w.code()
    w.clear()
    khal.run("import", "--batch", "-a", "work", str(source))
    strays = sorted(path.name for path in w.folder.glob("call.ics?*"))

    assert await w.code() == 0

    assert strays
    assert sorted(path.name for path in w.folder.glob("call.ics?*")) == strays
    assert w.writes() == []
    assert list(items(w)) == ["Call"]


async def test_categories_that_khal_joins_by_mistake_wait_for_a_person(
    w: World, khal: Khal
) -> None:
    """khal writes two categories as one with a comma: the event goes, the comma does not."""
    await w.code()
    khal.new("-g", "Red,Blue", "2026-03-25", "14:00", "15:30", "Paint")

    assert await w.code() == 4

    [problem] = await w.store.problems()
    assert (problem.kind, problem.code) == ("hold", "category-separator")
    assert items(w)["Paint"]["categories"] == []
