"""What a shell offers while a command is typed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from syncd.shell.cli import cli
from tests.shell.cli_world import World, guest, world


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        made.event("Meeting", attendees=[guest("bob@example.org")])
        made.event("Odd \x1b[31m one")
        assert made.syncd("sync").code == 0
        yield made


def offered(here: World, *words: str) -> dict[str, str]:
    """Each offer with what is said about it, for a line of which the last word is being typed."""
    *before, last = words
    complete = ShellComplete(cli, {}, "syncd", "_SYNCD_COMPLETE")
    found = complete.get_completions(["--config", str(here.config), *before], last)
    return {one.value: one.help or "" for one in found}


def test_commands_are_offered(here: World) -> None:
    assert set(offered(here, "re")) == {"respond", "reminders", "restore"}


@pytest.mark.parametrize("words", [("cancel",), ("show",), ("log",), ("reminders", "snooze")])
def test_uids_are_offered_with_their_titles(here: World, words: tuple[str, ...]) -> None:
    found = offered(here, *words, "")

    assert sorted(found.values()) == ["Meeting", r"Odd \x1b[31m one"]
    [uid] = [uid for uid, title in found.items() if title == "Meeting"]
    assert offered(here, *words, uid[:-1]) == {uid: "Meeting"}
    assert offered(here, *words, "%") == {}


def test_an_answer_is_offered_behind_the_uid(here: World) -> None:
    [uid] = [uid for uid, title in offered(here, "show", "").items() if title == "Meeting"]

    assert set(offered(here, "respond", uid, "")) == {"accept", "tentative", "decline"}
    assert set(offered(here, "respond", uid, "t")) == {"tentative"}
    assert set(offered(here, "respond", "--match", "meet", "a")) == {"accept"}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("calendars", "color", "Calendar", "lightB"), {"lightBlue", "lightBrown"}),
        (("calendars", "share", "Calendar", "bob@x.org", "--role", "free"), {"freeBusyRead"}),
        (("categories", "create", "Urgent", "--color", "darkr"), {"DarkRed"}),
    ],
)
def test_colours_and_roles_are_offered(
    here: World, words: tuple[str, ...], found: set[str]
) -> None:
    assert set(offered(here, *words)) == found


def test_what_to_do_with_attachments_is_offered_behind_the_uid(here: World) -> None:
    uids = set(offered(here, "show", ""))
    uid = min(uids)

    assert uids <= set(offered(here, "attach", ""))
    assert set(offered(here, "attach", uid, "")) == {"add", "get", "list", "rm"}
    assert set(offered(here, "attach", uid, "g")) == {"get"}
    assert set(offered(here, "attach", "--match", "meet", "")) == {"add", "get", "list", "rm"}


@pytest.mark.parametrize("words", [("sync",), ("calendars", "rename"), ("cancel", "--calendar")])
def test_calendars_are_offered(here: World, words: tuple[str, ...]) -> None:
    assert "work/Calendar" in offered(here, *words, "wo")


def test_problems_are_offered(here: World) -> None:
    (here.calendar / "broken.ics").write_bytes(b"BEGIN:VCALENDAR\r\nnonsense")
    assert here.syncd("sync").code == 4
    [problem] = here.syncd("problems", "--json").json

    assert set(offered(here, "problems", "show", "")) == {problem["id"]}
    assert set(offered(here, "discard", problem["id"][:2])) == {problem["id"]}


def test_nothing_is_offered_where_there_is_nothing_to_read(here: World) -> None:
    """No configuration, no state, a damaged one: whoever types is not disturbed."""
    state = here.folder / "state" / "state.db"
    state.write_bytes(b"no database")
    assert offered(here, "show", "") == {}
    state.unlink()
    assert offered(here, "show", "") == {}
    here.config.write_text("nonsense")
    assert offered(here, "show", "") == {}
