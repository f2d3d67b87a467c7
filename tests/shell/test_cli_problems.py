"""`syncd problems`, `approve`, `discard`: what waits for a person, and what they decide."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syncd.core.errors import CommandError, DiskTrouble
from syncd.core.ids import AccountName, CalendarId
from syncd.core.lines import Unreadable
from syncd.ports import Marker
from syncd.shell.second_event import local_version, second_event, write_second_event
from syncd.store.store import Store
from syncd.testing import FakeClock
from syncd.testing_folder import MemoryFolder
from tests.shell.cli_world import ME, World, guest, ics, world

KEYS = (
    *("id", "kind", "needs_person", "account", "calendar", "file", "uid", "summary", "code"),
    *("line", "reason", "hint", "since", "fields", "base", "local", "remote"),
)
MARKER = Marker(AccountName("work"), CalendarId("AAMk="), "5f3c")
MEETING = ("SUMMARY:Review", f"ORGANIZER:mailto:{ME}", "ATTENDEE:mailto:ada@example.org")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def problem(here: World) -> dict[str, Any]:
    """The only problem there is."""
    (found,) = here.syncd("problems", "--json").json
    return dict(found)


@pytest.fixture
def held(here: World) -> World:
    """A new meeting that waits, since it would invite somebody."""
    here.syncd("sync")
    here.file("meeting.ics", *MEETING)
    here.syncd("sync")
    return here


@pytest.fixture
def conflict(here: World) -> World:
    """An event whose title was changed on both sides, with policy "ask"."""
    here.configure('[sync]\nconflict = "ask"')
    event = here.event("Before")
    here.syncd("sync")
    (path,) = here.files()
    path.write_bytes(path.read_bytes().replace(b"SUMMARY:Before", b"SUMMARY:Mine"))
    here.mailbox.patch(event.id, {"subject": "Theirs"})
    assert here.syncd("sync").code == 4
    return here


def title(here: World) -> list[str]:
    """The titles in all files."""
    lines = [line for path in here.files() for line in path.read_text().splitlines()]
    return sorted(line.removeprefix("SUMMARY:") for line in lines if line.startswith("SUMMARY:"))


class TestListing:
    def test_nothing(self, here: World) -> None:
        """Without problems there is an empty list, and words for people."""
        assert here.syncd("problems", "--json").json == []
        assert "Nothing waits" in here.syncd("problems").out

    def test_held_mail_for_programs(self, held: World) -> None:
        """Held mail has all fields of a problem, and class and recipients."""
        found = problem(held)

        assert tuple(found) == (*KEYS, "class", "to")
        assert (found["kind"], found["needs_person"]) == ("held-mail", True)
        assert (found["class"], found["to"]) == ("invitations", ["ada@example.org"])

    def test_id_stays(self, held: World) -> None:
        """The id is the same after another sync."""
        before = problem(held)["id"]

        held.syncd("sync")

        assert problem(held)["id"] == before

    def test_show(self, held: World) -> None:
        """One problem is shown by the beginning of its id, with who would get mail."""
        found = problem(held)

        done = held.syncd("problems", "show", found["id"][:4])

        assert done.code == 0
        assert "invitations to ada@example.org" in done.out
        assert f"syncd approve {found['id']}" in done.out

    @pytest.mark.parametrize("command", [("problems", "show"), ("approve",), ("discard",)])
    def test_unknown_id(self, here: World, command: tuple[str, ...]) -> None:
        """An id that is none is wrong usage."""
        done = here.syncd(*command, "zzzzzzz")

        assert done.code == 2
        assert "zzzzzzz" in done.err


class TestHeldMail:
    def test_no_terminal(self, held: World) -> None:
        """Without a terminal nothing happens unless --yes is said; the effect is printed."""
        done = held.syncd("approve", problem(held)["id"])

        assert done.code == 2
        assert "ada@example.org" in done.out
        assert (held.service.ledger, held.subjects()) == ([], [])

    def test_approve(self, held: World) -> None:
        """What was approved is sent once, and the list is empty."""
        done = held.syncd("approve", problem(held)["id"], "--yes")

        assert done.code == 0
        assert [mail.to for mail in held.service.ledger] == [("ada@example.org",)]
        assert held.syncd("problems", "--json").json == []

    def test_discard(self, held: World) -> None:
        """What was discarded is not sent, and the file stays as it is."""
        done = held.syncd("discard", problem(held)["id"], "--yes")

        assert done.code == 0
        assert (held.service.ledger, held.subjects()) == ([], [])
        assert title(held) == ["Review"]
        assert held.syncd("sync").code == 0

    def test_discard_of_a_deletion(self, here: World) -> None:
        """Discarding the deletion of a meeting writes its file again and mails nobody."""
        here.event("Review", attendees=[guest("ada@example.org")])
        here.syncd("sync")
        here.service.ledger.clear()
        (path,) = here.files()
        path.unlink()
        here.syncd("sync")

        done = here.syncd("discard", problem(here)["id"], "--yes")

        assert done.code == 0
        assert here.files() == [path]
        assert here.service.ledger == []

    def test_resolve_is_not_for_mail(self, held: World) -> None:
        """Held mail is approved or discarded; taking a side is wrong usage, and the way is told."""
        done = held.syncd("problems", "resolve", problem(held)["id"], "--take", "local")

        assert done.code == 2
        assert "syncd approve" in done.err


class TestManyDeletions:
    def test_items(self, here: World) -> None:
        """Held deletions name their items; discarding writes the files again."""
        for number in range(3):
            here.event(f"Event {number}")
        here.syncd("sync")
        for path in here.files():
            path.unlink()
        assert here.syncd("sync").code == 4
        found = problem(here)

        done = here.syncd("discard", found["id"], "--yes")

        assert [item["summary"] for item in found["items"]] == ["Event 0", "Event 1", "Event 2"]
        assert done.code == 0
        assert all(item["summary"] in done.out for item in found["items"])
        assert len(here.files()) == 3


class TestConflict:
    def test_both_versions_are_listed(self, conflict: World) -> None:
        """A conflict tells base, local and remote value of the field."""
        found = problem(conflict)

        assert found["fields"] == ["subject"]
        assert [found[side] for side in ("base", "local", "remote")] == ["Before", "Mine", "Theirs"]

    @pytest.mark.parametrize(("take", "wins"), [("local", "Mine"), ("remote", "Theirs")])
    def test_take_a_side(self, conflict: World, take: str, wins: str) -> None:
        """The side that is taken is on both sides afterwards, and nothing waits."""
        done = conflict.syncd("problems", "resolve", problem(conflict)["id"], "--take", take)

        assert done.code == 0
        assert (title(conflict), conflict.subjects()) == ([wins], [wins])
        assert all(not one["needs_person"] for one in conflict.syncd("problems", "--json").json)

    def test_take_both(self, conflict: World) -> None:
        """The file's version becomes a second event on both sides."""
        done = conflict.syncd("problems", "resolve", problem(conflict)["id"], "--take", "both")

        assert done.code == 0
        assert title(conflict) == ["Mine", "Theirs"]
        assert conflict.subjects() == ["Mine", "Theirs"]

    def test_a_decision_is_taken_off_the_list(self, conflict: World) -> None:
        """What a person decided needs no further notice, and the decision is not kept for later."""
        conflict.syncd("problems", "resolve", problem(conflict)["id"], "--take", "local")

        assert conflict.syncd("problems", "--json").json == []
        (event,) = conflict.mailbox.items(conflict.mailbox.default_calendar.id)
        (path,) = conflict.files()
        for mine, theirs in (("Between", "Between"), ("Mine", "Theirs")):
            path.write_bytes(re.sub(rb"SUMMARY:\w+", f"SUMMARY:{mine}".encode(), path.read_bytes()))
            conflict.mailbox.patch(event.default_id, {"subject": theirs})
            conflict.syncd("sync")
        assert problem(conflict)["needs_person"]

    def test_what_was_turned_down_is_in_the_history(self, conflict: World) -> None:
        """The service's value was never in a file; it can be restored all the same."""
        conflict.syncd("problems", "resolve", problem(conflict)["id"], "--take", "local")
        assert conflict.subjects() == ["Mine"]

        versions = conflict.syncd("log", "--json").json
        [theirs] = [one for one in versions if "SUMMARY:Theirs" in one["before"]]
        done = conflict.syncd("restore", f"{theirs['uid']}@{theirs['version']}")
        conflict.syncd("sync")

        assert done.code == 0
        assert (title(conflict), conflict.subjects()) == (["Theirs"], ["Theirs"])

    @pytest.mark.parametrize("take", ["local", "both"])
    def test_what_was_edited_since_is_not_decided(self, conflict: World, take: str) -> None:
        """The person saw another value: nothing is done, and that is said."""
        (path,) = conflict.files()
        path.write_bytes(path.read_bytes().replace(b"SUMMARY:Mine", b"SUMMARY:Later"))

        done = conflict.syncd("problems", "resolve", problem(conflict)["id"], "--take", take)

        assert done.code == 2
        assert "changed" in done.err
        assert (title(conflict), conflict.subjects()) == (["Later"], ["Theirs"])

    def test_a_calendar_that_is_left_out(self, conflict: World) -> None:
        """Nothing of it is sent any more, whatever is decided."""
        found = problem(conflict)["id"]
        conflict.configure('[accounts.work.calendar_filter]\nexclude = ["*"]')
        conflict.syncd("sync")

        done = conflict.syncd("problems", "resolve", found, "--take", "local")

        assert done.code == 2
        assert "not synced any more" in done.err
        assert (title(conflict), conflict.subjects()) == (["Mine"], ["Theirs"])


@pytest.fixture(params=["remote", "local"])
def decided(here: World, request: pytest.FixtureRequest) -> World:
    """An event whose title was changed on both sides, and a policy that chose one of them."""
    here.configure(f'[sync]\nconflict = "{request.param}"')
    event = here.event("Before")
    here.syncd("sync")
    (path,) = here.files()
    path.write_bytes(path.read_bytes().replace(b"SUMMARY:Before", b"SUMMARY:Mine"))
    here.mailbox.patch(event.id, {"subject": "Theirs", "location": {"displayName": "Garden"}})
    assert here.syncd("sync").code == 0
    return here


def lost(decided: World) -> tuple[str, str]:
    """The side whose title was put aside, and its title."""
    titles = {"Mine": "local", "Theirs": "remote"}
    (won,) = title(decided)
    (other,) = set(titles) - {won}
    return titles[other], other


class TestDecidedByPolicy:
    def test_needs_nobody(self, decided: World) -> None:
        """It is listed, needs nobody, and tells who won and what brings the other value back."""
        found = problem(decided)
        side, _ = lost(decided)

        assert (found["kind"], found["needs_person"]) == ("conflict", False)
        assert (found["local"], found["remote"]) == ("Mine", "Theirs")
        shown = decided.syncd("problems", "show", found["id"]).out
        assert f"syncd problems resolve {found['id']} --take {side}" in shown

    def test_side_by_side(self, decided: World) -> None:
        """The values are printed in one line: before, in the file, on the service."""
        shown = decided.syncd("problems", "show", problem(decided)["id"]).out

        assert re.search(r"^subject +Before +Mine +Theirs$", shown, re.MULTILINE)

    def test_discard(self, decided: World) -> None:
        """Discarding takes it off the list."""
        before = title(decided)

        assert decided.syncd("discard", problem(decided)["id"], "--yes").code == 0

        assert decided.syncd("problems", "--json").json == []
        assert title(decided) == before

    def test_the_other_value_is_one_command_away(self, decided: World) -> None:
        """It comes back on both sides; whatever else was changed since stays."""
        side, other = lost(decided)
        (path,) = decided.files()
        path.write_bytes(path.read_bytes().replace(b"LOCATION:Garden", b"LOCATION:Cellar"))

        done = decided.syncd("problems", "resolve", problem(decided)["id"], "--take", side)

        assert done.code == 0
        assert (title(decided), decided.subjects()) == ([other], [other])
        (event,) = decided.mailbox.items(decided.mailbox.default_calendar.id)
        assert event.values["location"]["displayName"] == "Cellar"
        assert decided.syncd("problems", "--json").json == []

    def test_the_value_that_won_may_stay(self, decided: World) -> None:
        """Taking what the policy took is one more way off the list."""
        side, _ = lost(decided)
        before = title(decided)
        won = {"local": "remote", "remote": "local"}[side]

        assert decided.syncd("problems", "resolve", problem(decided)["id"], "--take", won).code == 0

        assert title(decided) == before
        assert decided.syncd("problems", "--json").json == []

    def test_both(self, decided: World) -> None:
        """The value that lost becomes a second event on both sides."""
        done = decided.syncd("problems", "resolve", problem(decided)["id"], "--take", "both")

        assert done.code == 0
        assert title(decided) == decided.subjects() == ["Mine", "Theirs"]
        assert decided.syncd("problems", "--json").json == []

    def test_an_event_that_is_gone(self, decided: World) -> None:
        """Its versions are in the history, and the message says so."""
        (path,) = decided.files()
        side, _ = lost(decided)
        path.unlink()

        done = decided.syncd("problems", "resolve", problem(decided)["id"], "--take", side)

        assert done.code == 2
        assert "syncd log" in done.err


class TestSecondEvent:
    def test_copy(self) -> None:
        """A copy has another UID in each component, nobody invited, and all else as it was."""
        override = b"BEGIN:VEVENT\r\nUID:one\r\nRECURRENCE-ID:20310305T100000Z\r\nEND:VEVENT\r\n"
        data = ics("one", *MEETING).replace(b"END:VCALENDAR", override + b"END:VCALENDAR")

        copy = second_event(data, "two")

        assert isinstance(copy, bytes)
        assert copy.count(b"UID:two\r\n") == 2
        assert not any(word in copy for word in (b"ATTENDEE", b"ORGANIZER", b"UID:one"))
        assert b"SUMMARY:Review\r\n" in copy

    async def test_once(self, conflict: World) -> None:
        """However often it is asked for, it is one file."""
        folder = MemoryFolder(marker=MARKER, clock=FakeClock(datetime(2026, 3, 2, tzinfo=UTC)))
        await folder.prepare(MARKER, displayname="Calendar", color="")
        store = await Store.open(conflict.folder / "state" / "state.db")
        [listed] = await store.problems()
        await store.close()

        names = {await write_second_event(folder, ics("one"), listed) for _ in range(2)}

        look = await folder.look({}, thorough=True)
        assert [one.name for one in look.changed] == list(names)

    async def test_file_is_away(self, conflict: World) -> None:
        """That a file cannot be read passes, and is trouble to try again; that it is gone stays."""
        store = await Store.open(conflict.folder / "state" / "state.db")
        [listed] = await store.problems()
        await store.close()
        [path] = conflict.files()
        path.unlink()
        with pytest.raises(CommandError):
            local_version(path.parent, listed)
        path.mkdir()
        with pytest.raises(DiskTrouble):
            local_version(path.parent, listed)

    def test_no_calendar(self) -> None:
        """What is no calendar object has no copy."""
        assert isinstance(second_event(b"\xff", "two"), Unreadable)
