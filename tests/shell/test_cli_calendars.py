"""`syncd calendars`: which are known, and an end to those that went."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.shell.commands.run import run_daemon
from syncd.shell.config import load_config
from tests.shell.cli_world import Done, World, at, world
from tests.shell.test_daemon import Facts


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    """A second calendar, "Team", with one event, synced."""
    with world(tmp_path) as made:
        made.event("Mine")
        add(made)
        assert made.syncd("sync").code == 0
        yield made


@pytest.fixture
def gone(here: World) -> World:
    """The same, after "Team" was deleted on the service."""
    here.mailbox.remove_calendar(calendar(here)["id"])
    assert here.syncd("sync").code == 0
    return here


def add(here: World, subject: str = "Kick-off") -> None:
    team = here.mailbox.folders.add("Team")
    body = {"subject": subject, "start": at("12:00"), "end": at("13:00")}
    here.mailbox.create(team.id, body)


def calendar(here: World, name: str = "Team") -> dict[str, Any]:
    [found] = [one for one in calendars(here) if one["calendar"] == name]
    return found


def calendars(here: World) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = here.syncd("calendars", "--json").json
    return listed


def problems(here: World) -> list[tuple[str, str]]:
    return [(one["code"], one["file"]) for one in here.syncd("problems", "--json").json]


def team(here: World) -> Path:
    return here.export / "work" / "Team"


def kept(here: World) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in team(here).iterdir()}


class TestList:
    def test_known(self, gone: World) -> None:
        """Each with its folder, the number of its items, and whether it is followed."""
        told = [(one["calendar"], one["folder"], one["items"]) for one in calendars(gone)]
        assert told == [("Calendar", "Calendar", 1), ("Team", "Team", 1)]
        assert [one["followed"] for one in calendars(gone)] == [True, False]
        assert "not in the mailbox" in gone.syncd("calendars").out

    def test_nothing_known(self, tmp_path: Path) -> None:
        """Before the first sync there is nothing to list."""
        with world(tmp_path) as new:
            assert "syncd sync" in new.syncd("calendars").out


class TestEditsOfAGoneCalendar:
    def test_listed(self, gone: World) -> None:
        """New, changed and deleted files go nowhere, and are listed until they are undone."""
        [path] = team(gone).glob("*.ics")
        before = path.read_bytes()
        path.write_bytes(before.replace(b"Kick-off", b"Kick-on"))
        (team(gone) / "new.ics").write_bytes(before)
        gone.server.requests.clear()

        assert gone.syncd("sync").code == 4
        assert gone.syncd("sync").code == 4

        edits = [("calendar-gone-edit", path.name), ("calendar-gone-edit", "new.ics")]
        assert sorted(problems(gone)) == sorted([*edits, ("calendar-gone", "")])
        assert all(one.method == "GET" for one in gone.server.requests.entries)
        path.unlink()
        (team(gone) / "new.ics").unlink()
        gone.syncd("sync")
        assert ("calendar-gone-edit", path.name) in problems(gone)
        path.write_bytes(before)
        assert gone.syncd("sync").code == 0
        assert problems(gone) == [("calendar-gone", "")]

    def test_removed_folder(self, gone: World) -> None:
        """A folder that the user removes is no edit."""
        team(gone).rename(gone.folder / "moved")

        assert gone.syncd("sync").code == 0


class TestForget:
    def test_forgotten(self, gone: World) -> None:
        """Nothing is listed any more; every file stays, and only the marker goes."""
        before = kept(gone)

        done = gone.syncd("calendars", "forget", "work/Team", "--yes")

        assert done.code == 0
        assert str(team(gone)) in done.out
        assert [one["calendar"] for one in calendars(gone)] == ["Calendar"]
        assert problems(gone) == []
        del before[".syncd"]
        assert kept(gone) == before
        gone.server.requests.clear()
        next(team(gone).glob("*.ics")).unlink()
        assert gone.syncd("sync").code == 0
        assert problems(gone) == []
        assert "Team" not in gone.syncd("status").out

    def test_versions_stay(self, gone: World) -> None:
        """What the history has of its events is still there, and nobody else's."""
        [path] = team(gone).glob("*.ics")
        uid = path.stem
        before = gone.syncd("log", uid, "--json").json

        gone.syncd("calendars", "forget", "Team", "--yes")
        add(gone, "Another")
        gone.syncd("sync")

        after = gone.syncd("log", uid, "--json").json
        assert len(after) == len(before) > 0
        assert [one.get("calendar") for one in after] == [""] * len(after)

    def test_refused(self, gone: World) -> None:
        """What is followed, what is unknown, and where nobody can be asked: nothing is done."""
        for arguments, told in (
            (("Calendar", "--yes"), "is followed"),
            (("work/Calendar", "--yes"), "is followed"),
            (("work/Teams", "--yes"), "work/Team'"),
            (("Team",), "--yes"),
        ):
            done = gone.syncd("calendars", "forget", *arguments)
            assert done.code == 2
            assert told in done.err

        assert (gone.calendar / ".syncd").exists()
        assert (team(gone) / ".syncd").exists()
        assert len(calendars(gone)) == 2

    @pytest.mark.parametrize("how", ["excluded", "without its account"])
    def test_left_out(self, here: World, how: str) -> None:
        """What the configuration leaves out may be forgotten as well."""
        text = here.config.read_text()
        if how == "excluded":
            text += '[accounts.work.calendar_filter]\nexclude = ["Team"]\n'
        else:
            text = text.replace("accounts.work", "accounts.other")
        here.config.write_text(text)

        done = here.syncd("calendars", "forget", "work/Team", "--yes")

        assert done.code == 0
        assert not (team(here) / ".syncd").exists()
        assert len(list(team(here).glob("*.ics"))) == 1
        assert [one["calendar"] for one in calendars(here)] == ["Calendar"]

    def test_back_again(self, gone: World) -> None:
        """A calendar of that name that appears later is new, and leaves the old folder alone."""
        gone.syncd("calendars", "forget", "Team", "--yes")
        before = kept(gone)
        add(gone, "Another")

        assert gone.syncd("sync").code == 0

        assert kept(gone) == before
        found = calendar(gone)
        assert found["folder"] != "Team"
        assert len(list((gone.export / "work" / found["folder"]).glob("*.ics"))) == 1
        items = gone.mailbox.items(found["id"])
        assert [one.values["subject"] for one in items] == ["Another"]

    @pytest.mark.parametrize("folder", ["not there", "of another"])
    def test_folder_that_is_not_its_own(self, gone: World, folder: str) -> None:
        """It is forgotten all the same, the folder left as it is, and that is told."""
        marker = team(gone) / ".syncd"
        if folder == "not there":
            team(gone).rename(gone.folder / "moved")
        else:
            marker.write_text(marker.read_text().replace(calendar(gone)["id"], "another"))

        done = gone.syncd("calendars", "forget", "Team", "--yes")

        assert done.code == 0
        assert "not there" in done.out
        assert marker.exists() == (folder == "of another")

    def test_by_the_daemon(self, gone: World) -> None:
        """Where a daemon runs, it does it."""

        async def daemon() -> Done:
            stop, facts = asyncio.Event(), Facts()
            running = asyncio.create_task(run_daemon(load_config(gone.config), stop, observe=facts))
            await facts.until(lambda: bool(facts.named("daemon.ready")))
            done = await asyncio.to_thread(gone.syncd, "calendars", "forget", "work/Team", "--yes")
            stop.set()
            await running
            return done

        done = asyncio.run(daemon())

        assert done.code == 0
        assert not (team(gone) / ".syncd").exists()
        assert [one["calendar"] for one in calendars(gone)] == ["Calendar"]
