"""`syncd lint`: what would become of files, with a configuration and without one."""

import io
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from syncd.simulator.folders import Person
from tests.clients.test_khal import Khal
from tests.shell.cli_world import ME, Done, World, at, ics, syncd, world

KEYS = ["file", "line", "severity", "code", "reason", "hint"]
CAROL = Person("Carol", "carol@example.org")
RULE = "RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15"
MINE = ("SUMMARY:Review", f"ORGANIZER:mailto:{ME}", "ATTENDEE:mailto:ada@example.org")
THEIRS = ("SUMMARY:Review", "ORGANIZER:mailto:carol@example.org", f"ATTENDEE:mailto:{ME}")


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for drafts, where nobody has configured anything."""
    monkeypatch.delenv("SYNCD_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    return tmp_path


@pytest.fixture
def here(alone: Path) -> Iterator[World]:
    with world(alone) as made:
        yield made


def draft(folder: Path, *lines: str, name: str = "draft.ics", start: str = "T100000Z") -> Path:
    path = folder / name
    path.write_bytes(ics("draft", *lines, start=start))
    return path


def codes(done: Done) -> list[tuple[str, str]]:
    return [(one["severity"], one["code"]) for one in done.json]


class TestWithoutAConfiguration:
    def test_nothing_to_say(self, alone: Path) -> None:
        """A plain file exits with 0 and says so."""
        done = syncd("lint", str(draft(alone, "SUMMARY:Lunch")))

        assert (done.code, done.err) == (0, "")
        assert done.out == "Nothing would be refused, held, altered or dropped.\n"

    def test_for_people(self, alone: Path) -> None:
        """A finding is one line with its place, code and reason, and a hint below."""
        path = draft(alone, "CATEGORIES:a\\,b")

        done = syncd("lint", str(path))

        first, second = done.out.splitlines()
        assert done.code == 4
        assert first == f"{path}:9: held category-separator: a category holds a separator"
        assert second.startswith("    Outlook cannot hold")

    def test_for_programs(self, alone: Path) -> None:
        """The list has every finding with all of its members."""
        path = draft(alone, RULE)

        done = syncd("lint", "--json", str(path))

        assert done.code == 4
        assert [list(one) for one in done.json] == [KEYS] * len(done.json)
        assert (done.json[0]["file"], done.json[0]["line"]) == (str(path), 9)
        assert ("held", "RR03") in codes(done)

    def test_nothing_for_programs(self, alone: Path) -> None:
        """An empty list is a list."""
        done = syncd("lint", "--json", str(draft(alone)))

        assert (done.code, done.json) == (0, [])

    def test_notes(self, alone: Path) -> None:
        """Notes are printed, and make no exit 4."""
        done = syncd("lint", str(draft(alone, "COLOR:red")))

        assert done.code == 0
        assert ":9: note carried: Outlook has no field for COLOR" in done.out

    @pytest.mark.parametrize(
        ("line", "severity"),
        [("RRULE:FREQ=HOURLY", "held"), ("CLASS:X", "altered"), ("SUMMARY lunch", "dropped")],
    )
    def test_each_loss_counts(self, alone: Path, line: str, severity: str) -> None:
        """Whatever is held, altered or dropped makes exit 4."""
        done = syncd("lint", "--json", str(draft(alone, line)))

        assert done.code == 4
        assert severity in {found for found, _ in codes(done)}

    def test_a_refusal_counts(self, alone: Path) -> None:
        """So does a file that cannot be read."""
        path = alone / "empty.ics"
        path.touch()

        done = syncd("lint", "--json", str(path))

        assert (done.code, codes(done)) == (4, [("refused", "empty-file")])

    def test_standard_input(self, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A dash is what comes in, so that an editor can ask before it saves."""
        stdin = io.TextIOWrapper(io.BytesIO(ics("u", "CLASS:X")))
        monkeypatch.setattr(sys, "stdin", stdin)

        done = syncd("lint", "-")

        assert done.code == 4
        assert done.out.startswith("-:9: altered class: ")

    def test_files_that_cannot_be_opened(self, alone: Path) -> None:
        """Each is told, after the others were looked at; the exit code is 2."""
        path = draft(alone, "CLASS:X")

        done = syncd("lint", str(alone / "none.ics"), str(alone), str(path))

        assert done.code == 2
        assert f"{path}:9: altered class" in done.out
        assert done.err.count("cannot be read") == 2
        assert "none.ics cannot be read: No such file" in done.err

    def test_no_files(self, alone: Path) -> None:
        """That is wrong usage."""
        assert syncd("lint").code == 2

    def test_several_files(self, alone: Path) -> None:
        """Findings come file by file, in the order in which the files were named."""
        (alone / "more").mkdir()
        first = draft(alone, "CLASS:X", "STATUS:DRAFT", name="z.ics")
        second = draft(alone / "more", "CLASS:X", name="a.ics")

        done = syncd("lint", "--json", str(first), str(second))

        assert [one["file"] for one in done.json] == [str(first), str(first), str(second)]

    def test_two_files_with_one_uid(self, alone: Path) -> None:
        """In one folder the second is held, as the round would; the same file twice is one."""
        one, other = draft(alone, name="a.ics"), draft(alone, name="b.ics")

        assert codes(syncd("lint", "--json", str(one), str(other))) == [("held", "duplicate-uid")]
        assert codes(syncd("lint", "--json", str(one), str(one))) == []

    def test_a_file_that_is_too_large(self, alone: Path) -> None:
        """It is not even looked into."""
        path = alone / "large.ics"
        path.write_bytes(ics("u", f"DESCRIPTION:{'a' * 10_000_000}"))

        assert codes(syncd("lint", "--json", str(path))) == [("refused", "too-large")]

    def test_texts_that_a_terminal_would_act_on(self, alone: Path) -> None:
        """Escapes and direction marks come out as text, from the file and from its name."""
        path = draft(alone, "CLASS:\x1b[2J\u202e", name="a\x1b[31m\n.ics")

        done = syncd("lint", str(path), str(alone / "\x1b]0;x"))

        assert done.code == 2
        assert "\\x1b[2J\\u202e" in done.out
        assert not any(c in done.out + done.err for c in "\x1b\u202e\x07")
        assert len(done.out.splitlines()) == 2

    def test_json_is_ascii(self, alone: Path) -> None:
        """Programs that print it on do no harm either."""
        done = syncd("lint", "--json", str(draft(alone, "CLASS:\x1b[2J\u202e")))

        assert done.out.isascii()
        assert "\x1b" not in done.out

    def test_whose_meeting_it_is(self, alone: Path) -> None:
        """Without addresses nothing is claimed about a meeting."""
        assert codes(syncd("lint", "--json", str(draft(alone, *MINE)))) == [("note", "organizer")]


class TestConfigurations:
    def test_a_broken_one_that_was_named(self, alone: Path) -> None:
        """It is an error, as with every command."""
        config = alone / "config.toml"
        config.write_text("export_dir = 7")

        assert syncd("--config", str(config), "lint", str(draft(alone))).code == 2
        assert syncd("--config", str(alone / "none"), "lint", str(draft(alone))).code == 2

    @pytest.mark.parametrize("by", ["XDG_CONFIG_HOME", "SYNCD_CONFIG"])
    def test_a_broken_one_that_was_found(
        self, alone: Path, monkeypatch: pytest.MonkeyPatch, by: str
    ) -> None:
        """It is told, and the file is looked at without it."""
        config = alone / "syncd" / "config.toml"
        config.parent.mkdir()
        config.write_text("export_dir = 7")
        monkeypatch.setenv(by, str(alone if by == "XDG_CONFIG_HOME" else config))

        done = syncd("lint", str(draft(alone, "CLASS:X")))

        assert done.code == 4
        assert "export_dir" in done.err
        assert "without the configuration" in done.err

    def test_addresses(self, here: World) -> None:
        """Those of the configuration are the owner's, before anything was synced."""
        text = here.config.read_text().replace(
            "[accounts.work]", '[accounts.work]\naddresses = ["X@y.org"]'
        )
        here.config.write_text(text)
        path = draft(here.folder, "ORGANIZER:mailto:x@y.org", "ATTENDEE:mailto:ada@example.org")

        assert codes(here.syncd("lint", "--json", str(path))) == [("note", "would-invite")]

    def test_no_state_is_made(self, here: World) -> None:
        """Looking leaves nothing behind."""
        here.syncd("lint", str(draft(here.folder)))

        assert not (here.folder / "state").exists()

    def test_a_state_that_cannot_be_used(self, here: World) -> None:
        """It is told, and the file is looked at without it."""
        (here.folder / "state").mkdir()
        (here.folder / "state" / "state.db").write_bytes(b"no database" * 1000)

        done = here.syncd("lint", str(draft(here.folder, "CLASS:X")))

        assert done.code == 4
        assert "without the state" in done.err

    @pytest.mark.parametrize(
        ("policy", "found"), [("hold", ["cancelled-override"]), ("delete", [])]
    )
    def test_settings(self, here: World, policy: str, found: list[str]) -> None:
        """What the configuration says of cancelled overrides and foreign meetings counts."""
        here.configure(f'[sync]\ncancelled_override = "{policy}"')
        data = ics("u", "RRULE:FREQ=DAILY").decode()
        begin, end = data.index("BEGIN:VEVENT"), data.index("END:VCALENDAR")
        start = next(line for line in data.splitlines() if line.startswith("DTSTART"))
        slot = start.replace("DTSTART", "RECURRENCE-ID")
        event = data[begin:end].replace("RRULE:FREQ=DAILY", f"{slot}\r\nSTATUS:CANCELLED")
        path = here.folder / "x.ics"
        path.write_text(data[:end] + event + data[end:], newline="")

        assert [code for _, code in codes(here.syncd("lint", "--json", str(path)))] == found

    @pytest.mark.parametrize(("setting", "told"), [("off", "dropped"), ("link", "note")])
    def test_attachments(self, here: World, setting: str, told: str) -> None:
        """What the configuration leaves out is not said to be attached."""
        here.configure(f'[sync]\nattachments = "{setting}"')
        path = here.folder / "x.ics"
        path.write_bytes(ics("u", "ATTACH;ENCODING=BASE64;VALUE=BINARY:eA=="))

        assert codes(here.syncd("lint", "--json", str(path))) == [(told, "attachment")]


class TestWithAState:
    def test_the_mailboxs_zone(self, here: World) -> None:
        """Floating times are told in the zone of the mailbox."""
        here.mailbox.folders.change_settings({"timeZone": "Tokyo Standard Time"})
        here.syncd("sync")

        (found,) = here.syncd("lint", "--json", str(draft(here.folder, start="T100000"))).json

        assert found["code"] == "floating"
        assert "Asia/Tokyo" in found["reason"]

    def test_the_owners_addresses(self, here: World) -> None:
        """Those that the service named tell whose a new meeting is."""
        here.syncd("sync")
        mine, theirs = draft(here.folder, *MINE), draft(here.folder, *THEIRS, name="b.ics")

        assert codes(here.syncd("lint", "--json", str(mine))) == [("note", "would-invite")]
        assert codes(here.syncd("lint", "--json", str(theirs))) == [("held", "foreign-meeting")]

    def test_files_of_the_folder(self, here: World) -> None:
        """What was written from the service is no finding, meetings of others included."""
        here.event("Lunch", recurrence=None, categories=["Red"], isReminderOn=True)
        body = {"subject": "Review", "start": at("12:00"), "end": at("13:00")}
        here.mailbox.receive(here.mailbox.default_calendar.id, body, CAROL)
        here.syncd("sync")

        done = here.syncd("lint", *map(str, here.files()))

        assert len(here.files()) == 2
        assert (done.code, done.err) == (0, "")
        assert done.out == "Nothing would be refused, held, altered or dropped.\n"

    def test_an_edit_that_is_not_saved_yet(
        self, here: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Standard input is known by its UID."""
        body = {"subject": "Review", "start": at("12:00"), "end": at("13:00")}
        here.mailbox.receive(here.mailbox.default_calendar.id, body, CAROL)
        here.syncd("sync")
        (path,) = here.files()
        edited = path.read_bytes().replace(b"SUMMARY:", b"CLASS:X\r\nSUMMARY:")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(edited)))

        assert codes(here.syncd("lint", "--json", "-")) == [("altered", "class")]

    def test_a_copy_in_the_folder(self, here: World) -> None:
        """It is held as long as the file that it was copied from is there."""
        here.event("Lunch")
        here.syncd("sync")
        (path,) = here.files()
        copy = path.with_name("copy.ics")
        copy.write_bytes(path.read_bytes())

        assert codes(here.syncd("lint", "--json", str(copy))) == [("held", "duplicate-uid")]
        path.unlink()
        assert codes(here.syncd("lint", "--json", str(copy))) == []

    @pytest.mark.parametrize(
        "lines",
        [
            (RULE,),
            ("RRULE:FREQ=DAILY", "RDATE:20310101T100000Z"),
            ("CATEGORIES:a\\,b,c", "LOCATION:A", "LOCATION:B"),
            ("DTEND;VALUE=DATE:20310101",),
            THEIRS,
        ],
    )
    def test_as_problems_lists_it(self, here: World, lines: tuple[str, ...]) -> None:
        """What is told before saving is what `syncd problems` lists afterwards, word for word."""
        here.syncd("sync")
        path = draft(here.folder, *lines)
        before = here.syncd("lint", "--json", str(path)).json
        path.rename(here.calendar / "draft.ics")
        assert here.syncd("sync").code == 4

        listed = here.syncd("problems", "--json").json

        held = [one for one in before if one["severity"] == "held"]
        assert held
        assert said(held) == said(listed)


def said(found: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(one["code"], one["reason"], one["hint"]) for one in found}


@pytest.mark.skipif(find_spec("khal") is None, reason="khal is not installed")
@pytest.mark.parametrize(
    "arguments",
    [
        ("2031-03-04", "14:00", "15:30", "Dentist", "::", "with a note"),
        ("2031-03-04", "2031-03-06", "Fair"),
        ("-r", "weekly", "-m", "15m", "-l", "Here", "-g", "Work", "2031-03-04", "14:00", "Club"),
    ],
)
def test_what_khal_saves(alone: Path, arguments: tuple[str, ...]) -> None:
    """A new event of khal's gives nothing, also after khal has edited it."""
    folder = alone / "calendar"
    folder.mkdir()
    khal = Khal.on(folder, alone / "khal")
    khal.new(*arguments)
    (path,) = folder.glob("*.ics")

    new = syncd("lint", str(path))
    khal.edit(arguments[-1] if "::" not in arguments else "Dentist", "s", "Another title", "q")
    edited = syncd("lint", str(path))

    assert b"Another title" in path.read_bytes()
    for done in (new, edited):
        assert (done.code, done.out.count("\n")) == (0, 1), done.out
