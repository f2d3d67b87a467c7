"""`syncd attach`: what is attached to an event, fetched, added once, and removed."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.shell import uploading
from syncd.shell.commands import attach
from syncd.shell.commands.run import run_daemon
from syncd.shell.config import load_config
from syncd.simulator.faults import FaultKind
from syncd.simulator.folders import Person
from syncd.simulator.tokens import ALL_SCOPES
from tests.shell.attach_world import (
    LARGE,
    SERIES,
    a_file,
    age_all,
    attached,
    event,
    killed_at,
    left,
    lunch,
    lunch_world,
    plant,
    plant_others,
)
from tests.shell.cli_world import ME, TOMORROW, Done, World, at, guest
from tests.shell.test_daemon import Facts


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with lunch_world(tmp_path) as made:
        yield made


class TestList:
    def test_each_kind(self, here: World) -> None:
        """Numbered, by name, with its kind and size; what a text shows inline is marked."""
        plant(here, "menu.pdf", b"x" * 2000)
        plant(here, "logo.png", isInline=True)
        plant_others(here)

        rows = lunch(here, "list", "--json").json

        assert [(one["number"], one["name"], one["type"]) for one in rows] == [
            (1, "menu.pdf", "file"),
            (2, "logo.png", "file"),
            (3, "Inner", "item"),
            (4, "Budget", "reference"),
        ]
        assert [one["inline"] for one in rows] == [False, True, False, False]
        assert rows[0]["size"] > 2000
        assert rows[0]["content_type"] == "application/pdf"
        out = lunch(here, "list").out
        assert "1  menu.pdf" in out
        assert "2.2 kB" in out

    def test_no_content_comes_along(self, here: World) -> None:
        plant(here, "menu.pdf", b"x" * 2000)

        lunch(here, "list")

        [asked] = here.server.requests.matching("GET", "/attachments")
        assert "$select=id,name,contentType,size,isInline" in asked.path

    def test_more_than_a_page(self, here: World) -> None:
        for number in range(25):
            plant(here, f"{number}.txt")

        assert len(lunch(here, "list", "--json").json) == 25

    def test_nothing(self, here: World) -> None:
        assert lunch(here, "list").out == "Nothing is attached.\n"

    def test_by_the_beginning_of_a_uid(self, here: World) -> None:
        plant(here, "menu.pdf")
        uid = here.syncd("search", "Lunch", "--json").json[0]["uid"]

        assert "menu.pdf" in here.syncd("attach", uid[:8], "list").out

    @pytest.mark.parametrize(
        "words",
        [
            ("--calendar", "Calendar", "UID", "list"),
            ("UID", "list", "--calendar", "work/Calendar"),
            ("--match", "Lunch", "list"),
            ("list", "--match", "Lunch"),
        ],
    )
    def test_where_the_words_may_stand(self, here: World, words: tuple[str, ...]) -> None:
        plant(here, "menu.pdf")
        uid = here.syncd("search", "Lunch", "--json").json[0]["uid"]

        done = here.syncd("attach", *[uid if word == "UID" else word for word in words])

        assert (done.code, "menu.pdf" in done.out) == (0, True)

    def test_what_to_do_is_left_out(self, here: World) -> None:
        done = here.syncd("attach", "abc")

        assert (done.code, "list, get, add or rm" in done.err) == (2, True)

    def test_an_event_is_named_once(self, here: World) -> None:
        for words in (("attach", "list"), ("attach", "x", "list", "--match", "Lunch")):
            done = here.syncd(*words)
            assert (done.code, "say which event is meant, once" in done.err) == (2, True)

    def test_a_name_does_not_act_on_the_terminal(self, here: World) -> None:
        plant(here, "menu\x1b[2J.pdf")

        assert "\x1b" not in lunch(here, "list").out


class TestGet:
    @pytest.mark.parametrize("which", ["1", "menu.pdf", "MENU.PDF"])
    def test_by_number_or_name(self, here: World, which: str) -> None:
        plant(here, "menu.pdf", b"soup" * 1000)
        target = here.folder / "kept"

        done = lunch(here, "get", which, "-o", str(target))

        assert (done.code, done.err) == (0, "")
        assert f"Saved {target} (4.0 kB)." in done.out
        assert target.read_bytes() == b"soup" * 1000
        assert target.stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize(
        ("name", "saved"),
        [
            ("../../../evil.sh", "_.._.._evil.sh"),
            ("/etc/passwd", "_etc_passwd"),
            (".bashrc", "bashrc"),
            ("a\nb\x1b.txt", "a b.txt"),
            ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
        ],
    )
    def test_a_hostile_name(self, here: World, name: str, saved: str) -> None:
        """It lands in the folder that was named, under a name that is safe."""
        plant(here, name)
        target = here.folder / "kept"
        target.mkdir()

        done = lunch(here, "get", "1", "-o", str(target))

        assert done.code == 0
        assert [one.name for one in target.iterdir()] == [saved]

    def test_it_is_named_by_show_and_in_the_file(self, here: World) -> None:
        """Offline, as of the last sync."""
        plant(here, "menu.pdf", b"soup" * 300)
        assert here.syncd("sync").code == 0
        [file] = here.files()

        done = here.syncd("show", "--match", "Lunch")

        assert "attached:    menu.pdf (1." in done.out
        assert b";FILENAME=menu.pdf;" in file.read_bytes().replace(b"\r\n ", b"")

    def test_kept_beside_the_files(self, here: World) -> None:
        """In a folder of the item's, which no reader of calendars looks into; no link is followed."""
        plant(here, "menu.pdf", b"soup")
        [file] = here.files()
        target = file.parent / ".attachments" / file.stem / "menu.pdf"

        done = lunch(here, "get", "1", "--keep")

        assert (done.code, target.read_bytes()) == (0, b"soup")
        assert target.parent.stat().st_mode & 0o777 == 0o700
        assert lunch(here, "get", "1", "--keep", "-o", "x").code == 2
        assert here.syncd("sync").code == 0
        assert here.files() == [file]

        shutil.rmtree(file.parent / ".attachments")
        (file.parent / ".attachments").symlink_to(here.folder)
        assert lunch(here, "get", "1", "--keep").code == 5
        assert not (here.folder / file.stem).exists()

    def test_the_same_bytes_are_kept_once(self, here: World) -> None:
        """Whatever they are called, for reading; another file of the same size is another."""
        for name, data in (("a.pdf", b"soup"), ("b.pdf", b"soup"), ("c.pdf", b"fish")):
            plant(here, name, data)
        [file] = here.files()
        kept = file.parent / ".attachments" / file.stem

        codes = [lunch(here, "get", name, "--keep").code for name in ("a.pdf", "b.pdf", "c.pdf")]

        found = [(kept / name).stat() for name in ("a.pdf", "b.pdf", "c.pdf")]
        assert codes == [0, 0, 0]
        assert (found[0].st_ino == found[1].st_ino, found[0].st_ino == found[2].st_ino) == (
            True,
            False,
        )
        assert {one.st_mode & 0o777 for one in found} == {0o400}
        assert (kept / "b.pdf").read_bytes() == b"soup"

    def test_never_over_a_file(self, here: World) -> None:
        """Unless --force says so; nothing is asked for then."""
        plant(here, "menu.pdf", b"new")
        target = here.folder / "kept"
        target.write_bytes(b"mine")

        done = lunch(here, "get", "1", "-o", str(target))

        assert (done.code, target.read_bytes()) == (2, b"mine")
        assert "--force" in done.err
        assert here.server.requests.count("GET", "$value") == 0
        assert lunch(here, "get", "1", "-o", str(target), "--force").code == 0
        assert target.read_bytes() == b"new"

    def test_an_item(self, here: World) -> None:
        """It is saved as the text that the service makes of it."""
        plant_others(here)
        target = here.folder / "kept"
        target.mkdir()

        assert lunch(here, "get", "Inner", "-o", str(target)).code == 0

        [saved] = target.iterdir()
        assert saved.name == "Inner.ics"
        assert saved.read_bytes().startswith(b"BEGIN:VCALENDAR")

    def test_a_reference(self, here: World) -> None:
        plant_others(here)

        done = lunch(here, "get", "Budget")

        assert done.code == 2
        assert "'Budget' is a link to a file elsewhere" in done.err

    @pytest.mark.parametrize(("which", "told"), [("3", "no attachment"), ("a", "several")])
    def test_none_or_several(self, here: World, which: str, told: str) -> None:
        plant(here, "a")
        plant(here, "a")

        done = lunch(here, "get", which)

        assert (done.code, told in done.err) == (2, True)

    @pytest.mark.parametrize("kind", [FaultKind.TRUNCATED, FaultKind.THROTTLED_SILENT])
    def test_a_broken_download_begins_anew(
        self, here: World, kind: FaultKind, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What came before is void, and no half of it is left."""
        monkeypatch.setattr(attach, "PATIENCE_S", 5.0)
        plant(here, "menu.pdf", os.urandom(3_000_000))
        here.server.faults.script(kind, "GET", "value")
        target = here.folder / "kept"
        target.mkdir()

        assert lunch(here, "get", "1", "-o", str(target)).code == 0

        [saved] = target.iterdir()
        assert [("menu.pdf", saved.read_bytes())] == attached(here)

    def test_a_download_that_stays_broken(self, here: World) -> None:
        plant(here, "menu.pdf", b"x" * 3_000_000)
        here.server.faults.script(FaultKind.TRUNCATED, "GET", "value", times=9)
        target = here.folder / "kept"
        target.mkdir()

        assert lunch(here, "get", "1", "-o", str(target)).code == 5

        assert list(target.iterdir()) == []


class TestAddSmall:
    def test_a_link_cannot_be_added(self, here: World) -> None:
        """Adding a reference attachment is beyond Graph v1.0."""
        done = lunch(here, "add", "https://example.org/plan.docx")

        assert done.code == 2
        assert "Graph v1.0 attaches no links" in done.err

    def test_added(self, here: World) -> None:
        path = a_file(here)

        done = lunch(here, "add", str(path))

        assert (done.code, done.err) == (0, "")
        assert "menu.txt (4 B) is attached to Lunch (work/Calendar).\n" in done.out
        assert attached(here) == [("menu.txt", path.read_bytes())]
        assert event(here).attachments[0].draft.media_type == "text/plain"
        assert left(here) == []
        assert here.syncd("sync").code == 0

    def test_several_and_a_name(self, here: World) -> None:
        one, other = a_file(here, name="a"), a_file(here, 0, name="b")

        assert lunch(here, "add", str(one), str(other)).code == 0
        assert lunch(here, "add", str(one), "--name", "c").code == 0

        assert [name for name, _ in attached(here)] == ["a", "b", "c"]
        assert lunch(here, "add", str(one), str(other), "--name", "c").code == 2

    def test_a_dry_run(self, here: World) -> None:
        done = lunch(here, "add", str(a_file(here)), "--dry-run")

        assert done.out == "menu.txt (4 B) would be attached to Lunch (work/Calendar).\n"
        assert here.server.requests.entries == []

    def test_what_is_no_file(self, here: World) -> None:
        os.mkfifo(here.folder / "pipe")
        for path in (here.folder / "pipe", here.folder, here.folder / "none"):
            assert lunch(here, "add", str(path)).code == 2

        assert here.server.requests.entries == []

    @pytest.mark.parametrize(
        "kind", [FaultKind.RESET_AFTER, FaultKind.TIMEOUT_AFTER, FaultKind.TRUNCATED]
    )
    def test_a_lost_answer_is_settled_by_looking(self, here: World, kind: FaultKind) -> None:
        """One of that name and size was there before; the new one is told by its id."""
        plant(here, "menu.txt", a_file(here).read_bytes())
        here.server.faults.script(kind, "POST", "attachments")

        assert lunch(here, "add", str(a_file(here))).code == 0

        assert [name for name, _ in attached(here)] == ["menu.txt"] * 2
        assert here.server.requests.count("POST", "/attachments") == 1
        assert left(here) == []

    def test_a_lost_request_stays_in_doubt(self, here: World) -> None:
        """Looking cannot tell: it says so, and is sent again only when it would have come."""
        here.server.faults.script(FaultKind.RESET_BEFORE, "POST", "attachments")
        path = str(a_file(here))

        first, second = lunch(here, "add", path), lunch(here, "add", path)

        assert (first.code, second.code) == (0, 0)
        assert "Kept for later" in first.out
        assert "is not known yet" in first.out
        assert here.server.requests.count("POST", "/attachments") == 1
        age_all(here, timedelta(minutes=3))
        assert lunch(here, "add", path).code == 0
        assert len(attached(here)) == 1

    def test_one_that_arrives_late(self, here: World) -> None:
        """The next run looks first, and sends nothing."""
        here.server.faults.script(FaultKind.RESET_BEFORE, "POST", "attachments")
        path = a_file(here)
        assert "Kept for later" in lunch(here, "add", str(path)).out
        plant(here, "menu.txt", path.read_bytes())

        done = lunch(here, "add", str(path))

        assert (done.code, "an earlier try had got through" in done.out) == (0, True)
        assert len(attached(here)) == 1

    def test_killed_before_its_answer(self, here: World) -> None:
        path = str(a_file(here))
        killed_at(uploading.Way, "_done", 0, lambda: lunch(here, "add", path))

        assert lunch(here, "add", path).code == 0

        assert len(attached(here)) == 1
        assert left(here) == []

    def test_the_same_once_more(self, here: World) -> None:
        """After it was told, the same command means another."""
        path = str(a_file(here))

        assert [lunch(here, "add", path).code for _ in range(2)] == [0, 0]

        assert len(attached(here)) == 2


class TestRemove:
    def test_removed(self, here: World) -> None:
        plant(here, "a")
        plant(here, "b")

        done = lunch(here, "rm", "2", "--yes")

        assert (done.code, done.out.endswith("It is removed.\n")) == (0, True)
        assert [name for name, _ in attached(here)] == ["a"]

    def test_asked_about(self, here: World) -> None:
        plant(here, "a")

        done = lunch(here, "rm", "a")

        assert (done.code, "--yes" in done.err, len(attached(here))) == (2, True, 1)

    def test_a_dry_run(self, here: World) -> None:
        plant(here, "a")

        done = lunch(here, "rm", "a", "--dry-run")

        assert (done.code, "would be removed" in done.out, len(attached(here))) == (0, True, 1)

    def test_a_lost_answer_is_settled_by_looking(self, here: World) -> None:
        plant(here, "a")
        here.server.faults.script(FaultKind.RESET_AFTER, "DELETE", "attachments")

        assert lunch(here, "rm", "a", "--yes").code == 0

        assert here.server.requests.count("DELETE") == 1

    def test_a_lost_request(self, here: World) -> None:
        plant(here, "a")
        here.server.faults.script(FaultKind.RESET_BEFORE, "DELETE", "attachments")

        done = lunch(here, "rm", "a", "--yes")

        assert (done.code, "Kept for later" in done.out, "still attached" in done.out) == (
            0,
            True,
            True,
        )
        assert here.syncd("sync").code == 0
        assert attached(here) == []


class TestMeeting:
    @pytest.fixture
    def meeting(self, here: World) -> World:
        here.event("Meeting", attendees=[guest("bob@example.org")])
        body = {"subject": "Invitation", "start": at("10:00"), "end": at("11:00")}
        here.mailbox.receive(
            here.mailbox.default_calendar.id,
            body | {"attendees": [guest(ME)]},
            Person("Carol", "carol@example.org"),
        )
        here.event("Series", recurrence=SERIES)
        assert here.syncd("sync").code == 0
        return here

    def test_guests_hear_of_it_later(self, meeting: World) -> None:
        later = "Guests get it with the next update of the meeting."
        path = str(a_file(meeting))

        added = meeting.syncd("attach", "--match", "Meeting", "add", path)
        removed = meeting.syncd("attach", "--match", "Meeting", "rm", "1", "--yes")

        assert later in added.out
        assert "Nobody is told until the next update of the meeting." in removed.out
        assert later in removed.out
        assert [one for one in meeting.service.ledger if one.actor == "api"] == []

    def test_somebody_elses(self, meeting: World) -> None:
        done = meeting.syncd("attach", "--match", "Invitation", "add", str(a_file(meeting)))

        assert (done.code, "your own copy" in done.out) == (0, True)

    def test_one_day_of_a_series(self, meeting: World) -> None:
        day = str(TOMORROW + timedelta(days=1))
        words = ("attach", "--match", "Series", "add", str(a_file(meeting)))

        assert meeting.syncd(*words, "--occurrence", day).code == 0

        listed = ("attach", "--match", "Series", "list", "--json")
        assert [one["name"] for one in meeting.syncd(*listed, "--occurrence", day).json] == [
            "menu.txt"
        ]
        assert meeting.syncd(*listed).json == []
        assert meeting.syncd(*words, "--occurrence", "2031-01-01").code == 2


def offline(here: World) -> None:
    """Nobody listens at the address that the configuration names."""
    config = here.config.read_text()
    here.config.write_text(config.replace(here.server.base_url, "http://127.0.0.1:9/v1.0"))


COMMANDS = [("list",), ("get", "1", "-o", "."), ("add", "FILE"), ("rm", "1", "--yes")]


@pytest.mark.parametrize("words", COMMANDS)
class TestEach:
    """What holds for each of them."""

    def run(self, here: World, words: tuple[str, ...]) -> Done:
        path = str(a_file(here))
        return lunch(here, *[path if word == "FILE" else word for word in words])

    def test_offline(self, here: World, words: tuple[str, ...]) -> None:
        offline(here)

        done = self.run(here, words)

        assert (done.code, "Kept for later" in done.out) == (
            (0, True) if "add" in words else (5, False)
        )

    def test_signed_out(self, here: World, words: tuple[str, ...]) -> None:
        here.configure(auth='method = "command"\ncommand = ["false"]')

        assert self.run(here, words).code == 3

    def test_not_permitted(self, here: World, words: tuple[str, ...]) -> None:
        here.server.tokens.scopes = frozenset({"User.Read"})  # type: ignore[attr-defined]

        done = self.run(here, words)

        assert done.code == 2
        assert "403 ErrorAccessDenied" in done.err
        assert "syncd login work" in done.err

    def test_gone(self, here: World, words: tuple[str, ...]) -> None:
        here.mailbox.delete(event(here).immutable_id)

        done = self.run(here, words)

        assert (done.code, "404" in done.err) == (2, True)


@pytest.mark.parametrize("words", [("add", "FILE"), ("rm", "1", "--yes")])
class TestWriting:
    def run(self, here: World, words: tuple[str, ...]) -> Done:
        path = str(a_file(here, LARGE))
        return lunch(here, *[path if word == "FILE" else word for word in words])

    def test_a_calendar_that_is_read_only(self, here: World, words: tuple[str, ...]) -> None:
        here.mailbox.default_calendar.can_edit = False
        here.syncd("sync")
        here.server.requests.clear()

        done = self.run(here, words)

        assert (done.code, "is read-only for you" in done.err) == (2, True)

    def test_one_way(self, here: World, words: tuple[str, ...]) -> None:
        here.configure('[sync]\ndirection = "pull"')

        done = self.run(here, words)

        assert (done.code, "one way" in done.err) == (2, True)

    def test_only_reading_is_permitted(self, here: World, words: tuple[str, ...]) -> None:
        plant(here, "a")
        here.server.tokens.scopes = ALL_SCOPES - {  # type: ignore[attr-defined]
            "Calendars.ReadWrite",
            "Calendars.ReadWrite.Shared",
        } | {"Calendars.Read"}

        done = self.run(here, words)

        assert (done.code, "Calendars.ReadWrite" in done.err) == (2, True)
        assert left(here) == []

    def test_a_running_daemon_does_it(self, here: World, words: tuple[str, ...]) -> None:
        plant(here, "a")

        async def daemon() -> Done:
            stop, facts = asyncio.Event(), Facts()
            running = asyncio.create_task(run_daemon(load_config(here.config), stop, observe=facts))
            await facts.until(lambda: bool(facts.named("daemon.ready")))
            done = await asyncio.to_thread(self.run, here, words)
            stop.set()
            await running
            return done

        done = asyncio.run(daemon())

        assert (done.code, done.err) == (0, "")
        assert len(attached(here)) == (2 if words[0] == "add" else 0)
        assert left(here) == []


def test_a_group(here: World) -> None:
    """Its calendar has none, and that is said before anything is asked."""
    here.configure()
    config = here.config.read_text()
    here.config.write_text(
        config.replace("[accounts.work]\n", '[accounts.work]\nuser = "group:g1"\n')
    )

    done = lunch(here, "list")

    assert (done.code, "group has no attachments" in done.err) == (2, True)
    assert here.server.requests.entries == []
