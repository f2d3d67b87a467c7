"""`syncd log`, `restore`, `undo`, `why`, `search`: what was changed, and the way back."""

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.shell.cli_world import ME, Done, World, at, guest, ics, world

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def edit(path: Path, old: str, new: str) -> None:
    """Save a file as a person does."""
    data = path.read_bytes()
    assert old.encode() in data
    path.write_bytes(data.replace(old.encode(), new.encode()))


def sync(here: World) -> Done:
    done = here.syncd("sync")
    assert done.code == 0, done
    return done


def versions(here: World, uid: str) -> list[dict[str, Any]]:
    """The versions of an event, oldest first."""
    told = here.syncd("log", uid, "--json").json
    return [one for one in reversed(told) if one["kind"] == "version"]


def last_round(here: World) -> str:
    """The newest round that changed anything."""
    return str(here.syncd("log", "--json").json[0]["round"])


def summary(path: Path) -> str:
    lines = path.read_text().splitlines()
    return next(one.removeprefix("SUMMARY:") for one in lines if one.startswith("SUMMARY:"))


@contextmanager
def state(here: World) -> Iterator[sqlite3.Connection]:
    """The state's database."""
    path = here.folder / "state" / "state.db"
    with closing(sqlite3.connect(path)) as conn, conn:
        yield conn


@pytest.fixture
def edited(here: World) -> World:
    """An event `a`: made in the folder, then edited in the folder, then on the service."""
    sync(here)
    path = here.file("a.ics", "SUMMARY:One")
    sync(here)
    edit(path, "SUMMARY:One", "SUMMARY:Two")
    sync(here)
    (item,) = here.mailbox.items(here.mailbox.default_calendar.id)
    here.mailbox.patch(item.default_id, {"location": {"displayName": "Room 7"}})
    sync(here)
    return here


class TestLog:
    def test_versions_of_both_sides(self, edited: World) -> None:
        """Each change is one version with its side, its fields, and the text before and after."""
        found = versions(edited, "a")

        assert [(one["side"], one["what"], one["fields"]) for one in found] == [
            ("local", "create", []),
            ("local", "update", ["subject"]),
            ("remote", "update", ["location"]),
        ]
        assert found[0]["before"] == ""
        for one, following in pairwise(found):
            assert one["after"] == following["before"] != ""
        assert "LOCATION:Room 7" in found[-1]["after"]

    def test_created_on_the_service(self, here: World) -> None:
        """What came from the service has its text too, also once it was changed and deleted."""
        event = here.event("Lunch")
        sync(here)
        uid = here.files()[0].stem
        (made,) = versions(here, uid)
        here.mailbox.delete(event.id)
        sync(here)

        assert (made["side"], made["what"], made["before"]) == ("remote", "create", "")
        assert "SUMMARY:Lunch" in made["after"]
        first, gone = versions(here, uid)
        assert first["after"] == made["after"] == gone["before"]
        assert (gone["side"], gone["what"], gone["after"]) == ("remote", "delete", "")

    def test_edit_while_offline(self, here: World) -> None:
        """An edit that is sent rounds later still has what there was before it."""
        sync(here)
        path = here.file("a.ics", "SUMMARY:One")
        sync(here)
        edit(path, "SUMMARY:One", "SUMMARY:Two")
        good = here.config.read_text()
        here.config.write_text(good.replace(here.server.base_url, "http://127.0.0.1:9/v1.0"))
        assert here.syncd("sync").code == 5
        here.config.write_text(good)
        sync(here)

        update = versions(here, "a")[-1]

        assert "SUMMARY:One" in update["before"]
        assert "SUMMARY:Two" in update["after"]

    def test_edit_that_waits(self, here: World) -> None:
        """An edit whose sending is held has its version, and the sending names the mail."""
        here.event("Review", attendees=[guest("ada@example.org")])
        here.configure('[sync.mail]\nupdates = "hold"')
        sync(here)
        (path,) = here.files()
        edit(path, "SUMMARY:Review", "SUMMARY:Retro")
        assert here.syncd("sync").code == 4
        (problem,) = here.syncd("problems", "--json").json
        here.syncd("approve", problem["id"], "--yes")

        told = here.syncd("log", path.stem, "--json").json

        sent = next(one for one in told if one["kind"] == "sent")
        assert sent["mail"] == {"class": "updates", "to": ["ada@example.org"]}
        assert "SUMMARY:Review" in versions(here, path.stem)[-1]["before"]
        assert "sent: patch" in here.syncd("log", path.stem).out

    def test_conflict_loser(self, here: World) -> None:
        """What a conflict put aside is a version of its own."""
        event = here.event("Before")
        sync(here)
        (path,) = here.files()
        edit(path, "SUMMARY:Before", "SUMMARY:Mine")
        here.mailbox.patch(event.id, {"subject": "Theirs"})
        sync(here)

        titles = [
            (one["side"], [line for line in one["after"].splitlines() if "SUMMARY" in line])
            for one in versions(here, path.stem)
        ]

        assert titles == [
            ("remote", ["SUMMARY:Before"]),
            ("local", ["SUMMARY:Mine"]),
            ("remote", ["SUMMARY:Theirs"]),
        ]

    def test_deleted_on_both_sides(self, here: World) -> None:
        """What both sides deleted between two rounds has its last text."""
        event = here.event("Lunch")
        here.event("Dinner")
        sync(here)
        path = next(path for path in here.files() if summary(path) == "Lunch")
        here.mailbox.delete(event.id)
        path.unlink()
        sync(here)

        last = versions(here, path.stem)[-1]

        assert last["what"] == "delete"
        assert "SUMMARY:Lunch" in last["before"]

    def test_pulled_only(self, here: World) -> None:
        """A local edit that was undone by `direction = "pull"` is a version."""
        here.event("Theirs")
        here.configure('[sync]\ndirection = "pull"')
        sync(here)
        (path,) = here.files()
        edit(path, "SUMMARY:Theirs", "SUMMARY:Mine")
        sync(here)

        found = versions(here, path.stem)

        assert [(one["side"], one["what"]) for one in found] == [
            ("remote", "create"),
            ("local", "update"),
            ("remote", "update"),
        ]
        assert "SUMMARY:Mine" in found[1]["after"]

    def test_rewrite_without_meaning(self, here: World) -> None:
        """A rewrite that says the same is no version."""
        sync(here)
        path = here.file("a.ics", "SUMMARY:One")
        sync(here)
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
        sync(here)

        assert [one["what"] for one in versions(here, "a")] == ["create"]

    def test_hostile_text(self, here: World) -> None:
        """What a terminal would act on is escaped."""
        sync(here)
        here.file("a.ics", "SUMMARY:One\x1b[2J")
        sync(here)

        for command in (("log", "a"), ("why", "a"), ("search", "one")):
            assert "\x1b" not in here.syncd(*command).out


class TestPruning:
    def age(self, here: World) -> None:
        with state(here) as conn:
            conn.execute("UPDATE history SET at = '2020-01-01T00:00:00.000000Z'")

    def test_old_versions_go_with_a_sync(self, edited: World) -> None:
        """Versions older than `history` are gone after the next sync, and restore says so."""
        number = versions(edited, "a")[0]["version"]
        self.age(edited)

        sync(edited)

        assert edited.syncd("log", "--json").json == []
        done = edited.syncd("restore", f"a@{number}")
        assert (done.code, "not kept any more" in done.err) == (2, True)

    def test_what_a_problem_is_about_stays(self, here: World) -> None:
        """The versions of an event that has an open problem are kept, however old they are."""
        event = here.event("Before")
        here.event("Other")
        sync(here)
        path = next(path for path in here.files() if summary(path) == "Before")
        edit(path, "SUMMARY:Before", "SUMMARY:Mine")
        here.mailbox.patch(event.id, {"subject": "Theirs"})
        sync(here)
        self.age(here)

        sync(here)

        assert {one["uid"] for one in here.syncd("log", "--json").json} == {path.stem}


class TestRestore:
    def test_after_an_edit_in_the_folder(self, edited: World) -> None:
        """The first version is in the file again, and the next round sends it."""
        first = versions(edited, "a")[0]["version"]

        done = edited.syncd("restore", f"a@{first}")

        (path,) = edited.files()
        assert done.code == 0
        assert summary(path) == "One"
        sync(edited)
        assert edited.subjects() == ["One"]
        assert "Room 7" not in path.read_text()

    def test_after_an_edit_on_the_service(self, here: World) -> None:
        """What the service had changed is taken back there too."""
        event = here.event("Before")
        sync(here)
        (path,) = here.files()
        first = versions(here, path.stem)[0]["version"]
        here.mailbox.patch(event.id, {"subject": "After"})
        sync(here)

        here.syncd("restore", f"{path.stem}@{first}")
        sync(here)

        assert (summary(path), here.subjects()) == ("Before", ["Before"])

    @pytest.mark.parametrize("side", ["local", "remote"])
    def test_deleted_event(self, here: World, side: str) -> None:
        """A deletion stands for what it deleted: the file is back, the event is made anew, once."""
        event = here.event("Lunch")
        here.event("Dinner")
        sync(here)
        path = next(path for path in here.files() if summary(path) == "Lunch")
        if side == "local":
            path.unlink()
        else:
            here.mailbox.delete(event.id)
        sync(here)
        assert here.subjects() == ["Dinner"]
        gone = versions(here, path.stem)[-1]["version"]

        done = here.syncd("restore", f"{path.stem}@{gone}")
        sync(here)

        assert done.code == 0
        assert here.subjects() == ["Dinner", "Lunch"]
        assert len(here.files()) == 2

    def test_deleted_meeting_is_held(self, here: World) -> None:
        """A meeting with others is written to its file again; nobody is invited unasked."""
        here.event("Review", attendees=[guest("ada@example.org")])
        here.configure('[sync.mail]\ncancellations = "send"')
        sync(here)
        (path,) = here.files()
        path.unlink()
        sync(here)
        here.service.ledger.clear()
        gone = versions(here, path.stem)[-1]["version"]

        done = here.syncd("restore", f"{path.stem}@{gone}")

        assert "ada@example.org" in done.out
        assert len(here.files()) == 1
        assert here.syncd("sync").code == 4
        assert (here.subjects(), here.service.ledger) == ([], [])

    def test_sent_mail_is_named(self, here: World) -> None:
        """Mail that went out since is named: it cannot be taken back."""
        here.event("Review", attendees=[guest("ada@example.org")])
        sync(here)
        (path,) = here.files()
        first = versions(here, path.stem)[0]["version"]
        edit(path, "SUMMARY:Review", "SUMMARY:Retro")
        sync(here)

        done = here.syncd("restore", f"{path.stem}@{first}", "--dry-run", "--json")

        (item,) = done.json["items"]
        assert item["mails"] == {"updates": ["ada@example.org"]}

    def test_dry_run(self, edited: World) -> None:
        """A rehearsal tells what would change, and writes nothing."""
        first = versions(edited, "a")[0]["version"]
        before = edited.files()[0].read_bytes()

        done = edited.syncd("restore", f"a@{first}", "--dry-run")

        assert "subject" in done.out
        assert edited.files()[0].read_bytes() == before

    def test_unread_edit_is_kept(self, edited: World) -> None:
        """What was saved and not synced yet goes to the history before it is replaced."""
        (path,) = edited.files()
        edit(path, "SUMMARY:Two", "SUMMARY:Unsaved")
        first = versions(edited, "a")[0]["version"]

        edited.syncd("restore", f"a@{first}")

        assert summary(path) == "One"
        assert any("SUMMARY:Unsaved" in one["after"] for one in versions(edited, "a"))

    def test_present_version(self, edited: World) -> None:
        """Restoring what is there does nothing."""
        last = versions(edited, "a")[-1]["version"]

        done = edited.syncd("restore", f"a@{last}")

        assert (done.code, "nothing to do" in done.out) == (0, True)

    def test_oldest_text(self, here: World) -> None:
        """Version 0 is what there was before the oldest version that is kept."""
        sync(here)
        path = here.file("a.ics", "SUMMARY:One")
        sync(here)
        edit(path, "SUMMARY:One", "SUMMARY:Two")
        sync(here)
        with state(here) as conn:
            conn.execute("DELETE FROM history WHERE what = 'create'")

        done = here.syncd("restore", "a@0")

        assert done.code == 0
        assert summary(path) == "One"

    @pytest.mark.parametrize(
        ("written", "told"),
        [
            ("nothing@1", "there is no event"),
            ("a@999999", "has no version"),
            ("a", "names no version"),
            ("a@x", "names no version"),
            ("@1", "names no version"),
        ],
    )
    def test_no_such_version(self, edited: World, written: str, told: str) -> None:
        """An unknown UID, a number that is none of it, or no number are wrong usage."""
        done = edited.syncd("restore", written)

        assert (done.code, told in done.err) == (2, True)

    def test_prefix(self, edited: World) -> None:
        """The beginning of a UID is enough if it is the only one; else both are named."""
        edited.file("abc.ics", "SUMMARY:Other")
        edited.file("abd.ics", "SUMMARY:Other still")
        sync(edited)

        assert edited.syncd("log", "abc").code == 0
        assert edited.syncd("log", "a").code == 0
        done = edited.syncd("log", "ab")
        assert (done.code, "abc, abd" in done.err) == (2, True)

    def test_pulled_only(self, edited: World) -> None:
        """Where the service's version would come back at once, nothing is restored."""
        first = versions(edited, "a")[0]["version"]
        edited.configure('[sync]\ndirection = "pull"')

        done = edited.syncd("restore", f"a@{first}")

        assert (done.code, "one way" in done.err) == (2, True)


@pytest.fixture
def busy(here: World) -> World:
    """A last round that made `new`, changed `changed` and deleted `gone`."""
    sync(here)
    here.file("changed.ics", "SUMMARY:Before")
    here.file("gone.ics", "SUMMARY:Gone")
    here.file("other.ics", "SUMMARY:Other")
    sync(here)
    edit(here.calendar / "changed.ics", "SUMMARY:Before", "SUMMARY:After")
    (here.calendar / "gone.ics").unlink()
    here.file("new.ics", "SUMMARY:New")
    sync(here)
    assert here.subjects() == ["After", "New", "Other"]
    return here


class TestUndo:
    def test_round(self, busy: World) -> None:
        """What was made goes, what was changed is as before, what was deleted is back: on both."""
        done = busy.syncd("undo", last_round(busy), "--yes")
        sync(busy)

        assert done.code == 0
        assert sorted(map(summary, busy.files())) == ["Before", "Gone", "Other"]
        assert busy.subjects() == ["Before", "Gone", "Other"]

    def test_twice(self, busy: World) -> None:
        """The second time there is nothing to do, before the next sync as well as after it."""
        number = last_round(busy)
        busy.syncd("undo", number, "--yes")

        before = busy.syncd("undo", number, "--yes")
        sync(busy)
        after = busy.syncd("undo", number, "--yes")

        assert (before.code, after.code) == (0, 0)
        assert "nothing to do" in before.out
        assert "nothing to do" in after.out
        sync(busy)
        assert busy.subjects() == ["Before", "Gone", "Other"]

    def test_of_the_undo(self, busy: World) -> None:
        """An undo is a change like any other: the round that sent it can be undone."""
        busy.syncd("undo", last_round(busy), "--yes")
        sync(busy)

        busy.syncd("undo", last_round(busy), "--yes")
        sync(busy)

        assert busy.subjects() == ["After", "New", "Other"]

    def test_of_the_service(self, here: World) -> None:
        """What came from the service is taken back there."""
        kept, gone = here.event("Before"), here.event("Gone")
        here.event("Other")
        sync(here)
        here.mailbox.patch(kept.id, {"subject": "After"})
        here.mailbox.delete(gone.id)
        here.event("New", start=at("12:00"), end=at("13:00"))
        sync(here)

        done = here.syncd("undo", last_round(here), "--yes")
        sync(here)

        assert done.code == 0
        assert here.subjects() == ["Before", "Gone", "Other"]

    def test_rehearsal_and_question(self, busy: World) -> None:
        """It is printed item by item; without a terminal nothing is done unless --yes is said."""
        number = last_round(busy)

        rehearsed = busy.syncd("undo", number, "--dry-run")
        asked = busy.syncd("undo", number)

        assert (rehearsed.code, asked.code) == (0, 2)
        for word in ("remove its file", "write its file", "make its file again", "new.ics"):
            assert word in rehearsed.out
            assert word in asked.out
        assert sorted(map(summary, busy.files())) == ["After", "New", "Other"]

    def test_changed_since(self, busy: World) -> None:
        """What has a later version, or was saved since, is left and named; the rest is undone."""
        number = last_round(busy)
        edit(busy.calendar / "changed.ics", "SUMMARY:After", "SUMMARY:Later")
        sync(busy)
        edit(busy.calendar / "new.ics", "SUMMARY:New", "SUMMARY:Newer")

        done = busy.syncd("undo", number, "--yes", "--json")

        left = {one["uid"]: one["reason"] for one in done.json["items"] if one["what"] == "leave"}
        assert set(left) == {"changed", "new"}
        assert all("changed since" in reason for reason in left.values())
        assert sorted(map(summary, busy.files())) == ["Gone", "Later", "Newer", "Other"]

    def test_sent_mail_is_named(self, here: World) -> None:
        """Mail that the round sent is named by class and address."""
        here.event("Review", attendees=[guest("ada@example.org")])
        sync(here)
        (path,) = here.files()
        edit(path, "SUMMARY:Review", "SUMMARY:Retro")
        sync(here)

        done = here.syncd("undo", last_round(here), "--dry-run")

        assert "cannot be taken back: updates to ada@example.org" in done.out

    def test_many_creates(self, here: World) -> None:
        """The deletions that an undo asks for count for the guard like any others."""
        here.configure("[sync]\nmax_deletes = 1")
        sync(here)
        for number in range(4):
            here.file(f"{number}.ics", f"SUMMARY:{number}")
        sync(here)

        here.syncd("undo", last_round(here), "--yes")

        assert here.syncd("sync").code == 4
        assert len(here.subjects()) == 4

    def test_unknown_round(self, here: World) -> None:
        """A round of which nothing is known is wrong usage."""
        sync(here)

        assert here.syncd("undo", "4711", "--yes").code == 2
        assert here.syncd("undo", "0").code == 2


@contextmanager
def daemon(here: World) -> Iterator[None]:
    """A daemon at work in a process of its own, which holds the lock of the state."""
    ready = here.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(ready))
        manager.settimeout(30)
        process = subprocess.Popen(
            [sys.executable, "-m", "syncd", "--config", str(here.config), "run"],
            cwd=ROOT,
            env={**os.environ, "NOTIFY_SOCKET": str(ready)},
            stderr=subprocess.DEVNULL,
        )
        try:
            while not manager.recv(4096).startswith(b"READY=1"):
                pass
            yield
        finally:
            process.terminate()
            process.wait(30)


class TestThroughTheDaemon:
    def test_restore_and_undo(self, busy: World) -> None:
        """Where a daemon runs it writes the files, and sends them."""
        first = versions(busy, "changed")[0]["version"]
        number = last_round(busy)
        with daemon(busy):
            restored = busy.syncd("restore", f"changed@{first}")
            assert busy.syncd("sync").code == 0
            subjects = busy.subjects()
            undone = busy.syncd("undo", number, "--yes")
            assert busy.syncd("sync").code == 0

        assert (restored.code, subjects) == (0, ["Before", "New", "Other"])
        assert (undone.code, busy.subjects()) == (0, ["Before", "Gone", "Other"])

    def test_trouble_is_told(self, busy: World) -> None:
        """What cannot be done is told as without a daemon."""
        with daemon(busy):
            assert busy.syncd("restore", "nothing@1").code == 2
            assert busy.syncd("undo", "4711", "--yes").code == 2


class TestWhy:
    def told(self, here: World, uid: str) -> dict[str, dict[str, Any]]:
        fields = here.syncd("why", uid, "--json").json["fields"]
        return {one["field"]: one for one in fields if not one["slot"]}

    def test_edits_of_both_sides(self, edited: World) -> None:
        """Each field names its value, and the side, round and time that set it."""
        made, renamed, moved = versions(edited, "a")

        found = self.told(edited, "a")

        assert (found["subject"]["value"], found["subject"]["set"]["side"]) == ("Two", "local")
        assert (found["location"]["value"], found["location"]["set"]["side"]) == (
            "Room 7",
            "remote",
        )
        for name, version in (("when", made), ("subject", renamed), ("location", moved)):
            assert found[name]["set"]["round"] == version["round"]
            assert found[name]["set"]["at"] == version["at"]
        assert "Room 7" in edited.syncd("why", "a").out

    def test_both_sides_in_one_round(self, here: World) -> None:
        """What met in one round is told apart by field."""
        event = here.event("Before")
        sync(here)
        (path,) = here.files()
        edit(path, "SUMMARY:Before", "SUMMARY:Mine")
        here.mailbox.patch(event.id, {"location": {"displayName": "Room 7"}})
        sync(here)

        found = self.told(here, path.stem)

        sides = {name: found[name]["set"]["side"] for name in ("subject", "location")}
        assert sides == {"subject": "local", "location": "remote"}

    def test_older_than_the_history(self, here: World) -> None:
        """A field that was set before anything that is kept says so."""
        sync(here)
        here.file("a.ics", "SUMMARY:One")
        sync(here)
        with state(here) as conn:
            conn.execute("DELETE FROM history")

        assert self.told(here, "a")["subject"]["set"] is None
        assert "before what is kept" in here.syncd("why", "a").out

    def test_gone(self, here: World) -> None:
        """Of an event that is gone it is told who deleted it, and how it comes back."""
        event = here.event("Lunch")
        here.event("Dinner")
        sync(here)
        path = next(path for path in here.files() if summary(path) == "Lunch")
        here.mailbox.delete(event.id)
        sync(here)

        done = here.syncd("why", path.stem)

        assert done.code == 0
        assert "remote delete" in done.out
        assert f"syncd restore {path.stem}@" in done.out

    def test_unknown(self, here: World) -> None:
        """A UID that is none is wrong usage."""
        assert here.syncd("why", "nothing").code == 2


class TestSearch:
    @pytest.fixture
    def filled(self, here: World) -> World:
        sync(here)
        here.file("a.ics", "SUMMARY:Frühstück mit Zoë", "LOCATION:Straße 7")
        here.file("b.ics", "SUMMARY:Plan", "DESCRIPTION:Über den Frühling", "CATEGORIES:Größe")
        people = (f"ORGANIZER:mailto:{ME}", "ATTENDEE;CN=Jürgen:mailto:jm@example.org")
        here.file("c.ics", "SUMMARY:Review", *people)
        here.syncd("sync")
        return here

    @pytest.mark.parametrize(
        ("text", "uids"),
        [
            ("FRÜHSTÜCK", ["a"]),
            ("fruhstuck zoe", ["a"]),
            ("früh", ["a", "b"]),
            ("strasse", ["a"]),
            ("plan frühling", ["b"]),
            ("größe", ["b"]),
            ("jurgen", ["c"]),
            ("jm@example", ["c"]),
            ("frühstück frühling", []),
        ],
    )
    def test_words(self, filled: World, text: str, uids: list[str]) -> None:
        """All words have to occur, in any text of the event, whatever their case and accents."""
        done = filled.syncd("search", text, "--json")

        assert done.code == 0
        assert sorted(one["uid"] for one in done.json) == uids

    def test_for_people(self, filled: World) -> None:
        """People read what the agenda prints; several arguments are several words."""
        assert "Frühstück mit Zoë" in filled.syncd("search", "zoe", "früh").out
        assert "Nothing." in filled.syncd("search", "nowhere").out

    def test_series_tells_its_next_occurrence(self, here: World) -> None:
        """A series is found once."""
        sync(here)
        here.file("a.ics", "SUMMARY:Stand-up", "RRULE:FREQ=DAILY")
        sync(here)

        assert len(here.syncd("search", "stand-up", "--json").json) == 1

    def test_no_word(self, here: World) -> None:
        """Nothing to look for is wrong usage."""
        assert here.syncd("search", " ").code == 2


def test_text_of_an_event_that_waits(here: World) -> None:
    """What is only in the file, because its sending is held, is found there."""
    sync(here)
    (here.calendar / "m.ics").write_bytes(
        ics("m", "SUMMARY:Review", f"ORGANIZER:mailto:{ME}", "ATTENDEE:mailto:ada@example.org")
    )
    assert here.syncd("sync").code == 4

    assert [one["uid"] for one in here.syncd("search", "review", "--json").json] == ["m"]
