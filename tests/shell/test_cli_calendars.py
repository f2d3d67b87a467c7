"""`syncd calendars`: which are known, an end to those that went, and changes in the mailbox."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syncd.core.ids import AccountName, Uid
from syncd.core.state import OutboxEntry
from syncd.shell.commands.run import run_daemon
from syncd.shell.config import load_config
from syncd.shell.control import ask_daemon
from syncd.simulator.faults import FaultKind
from syncd.simulator.folders import Calendar
from syncd.simulator.tokens import StaticTokens
from syncd.store.store import Store
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


# --- changes in the mailbox ----------------------------------------------------------------------

ANN = "ann@example.org"


def found(here: World, name: str) -> Calendar:
    [one] = [one for one in here.mailbox.folders.calendars.values() if one.name == name]
    return one


def names(here: World) -> list[str]:
    return sorted(one.name for one in here.mailbox.folders.calendars.values())


def writes(here: World) -> list[str]:
    return [one.method for one in here.server.requests.entries if one.method != "GET"]


def by_daemon(here: World, act: Callable[[Facts], Coroutine[Any, Any, Done]]) -> Done:
    """What happens while a daemon runs."""

    async def daemon() -> Done:
        stop, facts = asyncio.Event(), Facts()
        running = asyncio.create_task(run_daemon(load_config(here.config), stop, observe=facts))
        await facts.until(lambda: bool(facts.named("daemon.ready")))
        try:
            return await act(facts)
        finally:
            stop.set()
            await running

    return asyncio.run(daemon())


class TestCreate:
    def test_created(self, here: World) -> None:
        """It is in the mailbox, in its group and colour, known at once, and has a folder."""
        group = here.mailbox.folders.create_group({"name": "Projects"})

        done = here.syncd(
            *("calendars", "create", "Apollo", "--group", "projects", "--color", "lightred")
        )

        assert done.code == 0
        assert "Apollo" in done.out
        made = found(here, "Apollo")
        assert (made.group, made.color) == (group.id, "lightRed")
        assert calendar(here, "Apollo")["followed"]
        assert here.syncd("sync").code == 0
        assert (here.export / "work" / "Apollo" / ".syncd").exists()
        assert (here.export / "work" / "Apollo" / "color").read_text().strip() == "#f2b3b3"

    def test_dry_run(self, here: World) -> None:
        """What would be made is told, and nothing is."""
        here.server.requests.clear()

        done = here.syncd("calendars", "create", "work/Apollo", "--dry-run")

        assert done.code == 0
        assert "create the calendar 'Apollo'" in done.out
        assert writes(here) == []
        assert len(calendars(here)) == 2

    def test_refused(self, here: World) -> None:
        """Names that are taken or nothing, and groups, colours and accounts that are none."""
        before = names(here)
        for arguments, told in (
            (("team",), "There is one of that name"),
            ((" ",), "has to have a name"),
            (("Apollo", "--group", "My Calender"), "'My Calendars'"),
            (("Apollo", "--color", "mauve"), "lightTeal"),
            (("Apollo", "--account", "wrok"), "work"),
        ):
            done = here.syncd("calendars", "create", *arguments)
            assert done.code == 2
            assert told in done.err

        assert names(here) == before

    def test_not_followed(self, here: World) -> None:
        """Where the configuration leaves it out, that is told."""
        text = here.config.read_text()
        here.config.write_text(f'{text}[accounts.work.calendar_filter]\nexclude = ["Apollo"]\n')

        done = here.syncd("calendars", "create", "Apollo")

        assert done.code == 0
        assert "calendar_filter" in done.out
        assert "Apollo" in names(here)

    def test_answer_lost(self, here: World) -> None:
        """A calendar that was made although the answer got lost is not made again."""
        here.server.faults.script(FaultKind.RESET_AFTER, method="POST", path="calendars")
        here.server.requests.clear()

        done = here.syncd("calendars", "create", "Apollo")

        assert done.code == 0
        assert writes(here) == ["POST"]
        assert names(here) == ["Apollo", "Calendar", "Team"]

    def test_answer_lost_and_nothing_made(self, here: World) -> None:
        """What cannot be seen is told, and nothing is sent again."""
        here.server.faults.script(FaultKind.TIMEOUT_BEFORE, method="POST", path="calendars")
        here.server.requests.clear()

        done = here.syncd("calendars", "create", "Apollo")

        assert done.code == 5
        assert "nothing of it is to be seen" in done.err
        assert writes(here) == ["POST"]

    def test_by_the_daemon(self, here: World) -> None:
        """A running daemon makes it, and its folder, without a restart."""
        here.server.requests.clear()

        async def act(facts: Facts) -> Done:
            done = await asyncio.to_thread(here.syncd, "calendars", "create", "Apollo")
            await facts.until(
                lambda: any(one["calendar"] == "Apollo" for one in facts.named("round.finished"))
            )
            return done

        assert by_daemon(here, act).code == 0
        assert (here.export / "work" / "Apollo" / ".syncd").exists()
        assert writes(here) == ["POST"]

    def test_refused_by_the_daemon(self, here: World) -> None:
        """Its reason and exit code are the command's; what it does not know it does not do."""
        answers: list[dict[str, Any] | None] = []

        async def act(facts: Facts) -> Done:
            for account, wish in (
                ("work", {"type": "burn-calendar", "calendar": "Team"}),
                ("work", {"type": "share-calendar", "calendar": "Team", "address": ANN, "role": 1}),
                ("wrok", {"type": "create-group", "name": "Clubs"}),
            ):
                request = {"do": "directory", "account": account, "wish": wish}
                answers.append(await ask_daemon(here.folder / "state", request))
            return await asyncio.to_thread(here.syncd, "calendars", "create", "Team")

        done = by_daemon(here, act)

        assert done.code == 2
        assert "ErrorFolderExists" in done.err

    @pytest.mark.parametrize("fails", [True, False])
    def test_list_is_due(self, here: World, fails: bool) -> None:
        """The next look at the calendars is soon, also where this one failed or came too early."""
        if fails:
            here.server.faults.script(
                FaultKind.THROTTLED, method="GET", path="calendars", skip=1, retry_after_s=99
            )

        done = here.syncd("calendars", "create", "Apollo")

        async def listed_at() -> object:
            store = await Store.open(here.folder / "state" / "state.db")
            try:
                known = await store.account(AccountName("work"))
                return known and known.listed_at
            finally:
                await store.close()

        assert done.code == 0
        assert asyncio.run(listed_at()) is None
        assert ("Apollo" in [one["calendar"] for one in calendars(here)]) != fails


class TestRename:
    def test_renamed(self, here: World) -> None:
        """The folder stays with its files, and bears the new name for programs."""
        before = sorted(path.name for path in team(here).glob("*.ics"))

        done = here.syncd("calendars", "rename", "work/Team", "Club")

        assert done.code == 0
        assert names(here) == ["Calendar", "Club"]
        assert calendar(here, "Club")["folder"] == "Team"
        assert here.syncd("sync").code == 0
        assert (team(here) / "displayname").read_text().strip() == "Club"
        assert sorted(path.name for path in team(here).glob("*.ics")) == before
        assert not (here.export / "work" / "Club").exists()
        assert problems(here) == []

    def test_by_the_daemon(self, here: World) -> None:
        """A running daemon goes on in the same folder, under the new name."""

        async def act(facts: Facts) -> Done:
            done = await asyncio.to_thread(here.syncd, "calendars", "rename", "Team", "Club")
            await facts.until(
                lambda: any(one["calendar"] == "Club" for one in facts.named("round.finished"))
            )
            return done

        assert by_daemon(here, act).code == 0
        assert (team(here) / "displayname").read_text().strip() == "Club"
        assert not (here.export / "work" / "Club").exists()

    def test_settings_of_the_old_name(self, here: World) -> None:
        """Settings that go by the old name are pointed at."""
        text = here.config.read_text()
        here.config.write_text(f'{text}[accounts.work.calendars."Team"]\ndirection = "pull"\n')

        assert "settings for 'Team'" in here.syncd("calendars", "rename", "Team", "Club").out

    def test_refused(self, here: World) -> None:
        """What is not there, and names that cannot be."""
        for arguments, told in (
            (("Teams", "Club"), "'Team'"),
            (("Team", "work/Club"), "'Club' alone"),
            (("Team", "Calendar"), "ErrorFolderExists"),
            (("Team", ""), "has to have a name"),
        ):
            done = here.syncd("calendars", "rename", *arguments)
            assert done.code == 2
            assert told in done.err

        assert names(here) == ["Calendar", "Team"]

    def test_two_of_one_name(self, here: World) -> None:
        """Which of two is meant has to be said; a folder's name says it."""
        other = here.mailbox.folders.other_group.id
        here.mailbox.folders.add("Team", group=other)
        here.syncd("sync")

        vague = here.syncd("calendars", "rename", "Team", "Club")
        folder = next(
            one["folder"]
            for one in calendars(here)
            if one["calendar"] == "Team" and one["folder"] != "Team"
        )
        meant = here.syncd("calendars", "rename", folder, "Club")

        assert vague.code == 2
        assert folder in vague.err
        assert meant.code == 0
        assert found(here, "Club").group == other

    def test_answer_lost(self, here: World) -> None:
        """Its name tells whether it took effect."""
        here.server.faults.script(FaultKind.RESET_AFTER, method="PATCH", path="calendars")
        assert here.syncd("calendars", "rename", "Team", "Club").code == 0
        here.server.faults.script(FaultKind.RESET_BEFORE, method="PATCH", path="calendars")
        assert here.syncd("calendars", "rename", "Club", "Team").code == 5
        assert names(here) == ["Calendar", "Club"]

    def test_nothing_to_do(self, here: World) -> None:
        """What is so already causes no write."""
        here.server.requests.clear()

        done = [
            here.syncd("calendars", "rename", "Team", "Team"),
            here.syncd("calendars", "color", "Team", "auto"),
            here.syncd("calendars", "default", "Calendar"),
        ]

        assert all(one.code == 0 and "already" in one.out for one in done)
        assert writes(here) == []


def test_color_and_default(here: World) -> None:
    """A calendar takes another colour, and becomes the default one."""
    assert here.syncd("calendars", "color", "Team", "lightgreen").code == 0
    assert here.syncd("calendars", "default", "Team").code == 0

    assert (found(here, "Team").color, found(here, "Team").is_default) == ("lightGreen", True)
    assert calendar(here)["color"] == "#b7e0b0"


class TestDelete:
    def test_deleted(self, here: World) -> None:
        """What goes is told before: the events known here; the folder stays with its files."""
        before = kept(here)

        done = here.syncd("calendars", "delete", "Team", "--yes")

        assert done.code == 0
        assert "1 item known here" in done.out
        assert str(team(here)) in done.out
        assert names(here) == ["Calendar"]
        assert not calendar(here)["followed"]
        assert here.syncd("sync").code == 0
        assert kept(here) == before

    def test_asks(self, here: World) -> None:
        """Where nobody can be asked nothing is done, nor in a dry run."""
        here.server.requests.clear()

        asked = here.syncd("calendars", "delete", "Team")
        dry = here.syncd("calendars", "delete", "Team", "--dry-run")

        assert (asked.code, dry.code) == (2, 0)
        assert "--yes" in asked.err
        assert "1 item known here" in asked.out
        assert "delete the calendar 'Team'" in dry.out
        assert writes(here) == []

    def test_default(self, here: World) -> None:
        """The default calendar cannot go; nothing is sent."""
        here.server.requests.clear()

        done = here.syncd("calendars", "delete", "Calendar", "--yes")

        assert done.code == 2
        assert "default" in done.err
        assert writes(here) == []

    def test_not_followed(self, here: World) -> None:
        """Of a calendar that is not followed, how much it holds is not known, and that is told."""
        here.mailbox.folders.add("Apollo")

        done = here.syncd("calendars", "delete", "Apollo", "--yes")

        assert done.code == 0
        assert "not known here" in done.out

    def test_writes_that_wait(self, here: World) -> None:
        """What was to be sent to it and is not sent any more is counted."""
        entry = OutboxEntry(
            number=0,
            uid=Uid("u"),
            kind="delete",
            slot="",
            graph_id=None,
            action="delete",
            body=b"",
            transaction_id=None,
            state="doubt",
            since=datetime.now(UTC),
            keys=(),
            expects=None,
            before_etag="",
        )

        async def journal() -> None:
            store = await Store.open(here.folder / "state" / "state.db")
            [key] = [one.key for one in await store.calendars() if one.name == "Team"]
            await store.new_outbox(key, [entry])
            await store.close()

        asyncio.run(journal())

        done = here.syncd("calendars", "delete", "Team", "--dry-run")

        assert "1 write that still waits is not sent" in done.out

    def test_of_another_person(self, here: World) -> None:
        """Only the own entry of a calendar that somebody shares goes, and that is told."""
        ann = here.service.add_mailbox(ANN, "Ann")
        here.service.share(ann, ann.default_calendar.id, here.mailbox.owner.address, "read")

        done = here.syncd("calendars", "delete", "Ann", "--yes")

        assert done.code == 0
        assert "only your own entry" in done.out
        assert names(here) == ["Calendar", "Team"]

    @pytest.mark.parametrize("gone", [True, False])
    def test_answer_lost(self, here: World, gone: bool) -> None:
        """Whether it went is seen in the list."""
        kind = FaultKind.TIMEOUT_AFTER if gone else FaultKind.TIMEOUT_BEFORE
        here.server.faults.script(kind, method="DELETE")

        done = here.syncd("calendars", "delete", "Team", "--yes")

        assert done.code == (0 if gone else 5)
        assert ("Team" in names(here)) != gone

    def test_by_the_daemon(self, here: World) -> None:
        """A running daemon leaves it at once."""

        async def act(facts: Facts) -> Done:
            done = await asyncio.to_thread(here.syncd, "calendars", "delete", "Team", "--yes")
            assert [one["calendar"] for one in facts.named("calendar.left")] == ["Team"]
            return done

        assert by_daemon(here, act).code == 0
        assert names(here) == ["Calendar"]


class TestShare:
    def roles(self, here: World, name: str = "Team") -> dict[str, str]:
        listed = here.syncd("calendars", "share", name, "--json").json
        return {one["address"] or one["name"]: one["role"] for one in listed}

    def test_life_of_a_share(self, here: World) -> None:
        """Somebody new is added, has another role, and is removed; each is listed."""
        added = here.syncd("calendars", "share", "Team", ANN, "--role", "read", "--yes")
        listed = here.syncd("calendars", "share", "work/Team")
        first = self.roles(here)
        changed = here.syncd("calendars", "share", "Team", ANN.upper(), "--role", "WRITE", "--yes")
        second = self.roles(here)
        removed = here.syncd("calendars", "share", "Team", ANN, "--remove", "--yes")

        assert (added.code, listed.code, changed.code, removed.code) == (0, 0, 0, 0)
        assert f"mails {ANN}" in added.out
        assert "mails" not in changed.out
        assert ANN in listed.out
        assert first == {ANN: "read", "My Organization": "none"}
        assert second[ANN] == "write"
        assert self.roles(here) == {"My Organization": "none"}

    def test_organization(self, here: World) -> None:
        """The organization goes by its name; its share stays, in whatever role."""
        done = here.syncd(
            *("calendars", "share", "Calendar", "my organization", "--role", "limitedRead", "--yes")
        )
        stays = here.syncd("calendars", "share", "Calendar", "My Organization", "--remove", "--yes")

        assert done.code == 0
        assert self.roles(here, "Calendar") == {"My Organization": "limitedRead"}
        assert stays.code == 2

    def test_refused(self, here: World) -> None:
        """What makes no sense, and what the service does not allow."""
        for arguments, told in (
            ((ANN,), "--role or --remove"),
            (("--role", "read"), "need an address"),
            ((ANN, "--role", "read", "--remove"), "either"),
            ((ANN, "--role", "owner"), "freeBusyRead"),
            (("ann", "--role", "read"), "no mail address"),
            ((ANN, "--remove"), "is not shared with"),
            ((ANN, "--role", "delegateWithPrivateEventAccess"), "is not allowed"),
            (("My Organization", "--role", "delegateWithPrivateEventAccess"), "limitedRead"),
        ):
            done = here.syncd("calendars", "share", "Team", *arguments, "--yes")
            assert done.code == 2
            assert told in done.err

        assert self.roles(here) == {"My Organization": "none"}

    def test_nothing_written(self, here: World) -> None:
        """A dry run, a role that they have, a removal nobody agreed to."""
        here.syncd("calendars", "share", "Team", ANN, "--role", "read", "--yes")
        here.server.requests.clear()

        dry = here.syncd("calendars", "share", "Team", "bob@example.org", *("--role", "read"),
                         "--dry-run")  # fmt: skip
        same = here.syncd("calendars", "share", "Team", ANN, "--role", "read")
        unasked = here.syncd("calendars", "share", "Team", ANN, "--remove")
        unmailed = here.syncd("calendars", "share", "Team", "eve@example.org", "--role", "read")

        assert (dry.code, same.code, unasked.code, unmailed.code) == (0, 0, 2, 2)
        assert "mails bob@example.org an invitation" in dry.out
        assert writes(here) == []

    @pytest.mark.parametrize("kind", [FaultKind.RESET_AFTER, FaultKind.RESET_BEFORE])
    def test_answer_lost(self, here: World, kind: FaultKind) -> None:
        """An invitation goes out once at most, whatever is known of it."""
        here.server.faults.script(kind, method="POST", path="calendarPermissions")
        here.server.requests.clear()

        done = here.syncd("calendars", "share", "Team", ANN, "--role", "read", "--yes")

        assert done.code == (0 if kind is FaultKind.RESET_AFTER else 5)
        assert writes(here) == ["POST"]

    def test_of_another_person(self, here: World) -> None:
        """A calendar that somebody else shares is not to be shared on."""
        ann = here.service.add_mailbox(ANN, "Ann")
        here.service.share(ann, ann.default_calendar.id, here.mailbox.owner.address, "write")

        done = here.syncd("calendars", "share", "Ann", "bob@example.org", "--role", "read", "--yes")

        assert done.code == 2
        assert "not yours to share" in done.err
        assert "only the owner" in here.syncd("calendars", "share", "Ann").out


def test_whose_they_are_is_listed(here: World) -> None:
    """Which is the default, who shared one, and what one may do there."""
    ann = here.service.add_mailbox(ANN, "Ann")
    here.service.share(ann, ann.default_calendar.id, here.mailbox.owner.address, "read")
    here.mailbox.folders.add("Football").can_edit = False
    here.syncd("sync")

    told = {line.split()[0]: line for line in here.syncd("calendars").out.splitlines()}
    listed = {one["calendar"]: one for one in here.syncd("calendars", "--json").json}

    assert told["work/Calendar"].endswith("followed, default")
    assert told["work/Team"].endswith("followed")
    assert told["work/Football"].endswith("followed, read-only")
    assert told["work/Ann"].endswith(f"followed, shared by {ANN}, read-only")
    assert (listed["Ann"]["owner"], listed["Ann"]["can_edit"]) == (ANN, False)
    assert [name for name, one in listed.items() if one["default"]] == ["Calendar"]


def test_a_shared_calendar_that_the_login_may_not_read(here: World) -> None:
    """It is told which permission is missing; the others are in step."""
    ann = here.service.add_mailbox(ANN, "Ann")
    here.service.share(ann, ann.default_calendar.id, here.mailbox.owner.address, "read")
    assert isinstance(here.server.tokens, StaticTokens)
    here.server.tokens.scopes = frozenset(
        {"Calendars.ReadWrite", "User.Read", "MailboxSettings.Read"}
    )

    done = here.syncd("sync")

    assert done.code == 5
    assert "Calendars.Read.Shared" in done.err
    assert len(here.files()) == len(here.mailbox.items(here.mailbox.default_calendar.id))


def test_permission_missing(here: World) -> None:
    """Where the service refuses for want of a permission, its name is told."""
    assert isinstance(here.server.tokens, StaticTokens)
    here.server.tokens.scopes = frozenset({"Calendars.Read", "User.Read"})

    done = here.syncd("calendars", "color", "Team", "lightRed")

    assert done.code == 2
    assert "403 ErrorAccessDenied" in done.err
    assert "Calendars.ReadWrite" in done.err


def test_another_mailbox(here: World) -> None:
    """Who is signed in to another mailbox than before changes nothing there."""
    here.service.add_mailbox(ANN, "Ann")
    text = here.config.read_text()
    here.config.write_text(text.replace(f"sim-{here.mailbox.owner.address}", f"sim-{ANN}"))

    done = here.syncd("calendars", "create", "Apollo")

    assert done.code == 2
    assert "another mailbox" in done.err
    assert writes(here) == []


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_out_of_reach(here: World, method: str) -> None:
    """A service that cannot be asked now: nothing is changed, and what was asked for is kept."""
    here.server.faults.script(FaultKind.THROTTLED, method=method, retry_after_s=99, times=9)

    done = here.syncd("calendars", "rename", "Team", "Club")

    assert (done.code, "Kept for later" in done.out) == (0, True)
    assert names(here) == ["Calendar", "Team"]
