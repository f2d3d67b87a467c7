"""What editors and shell commands do to a file that syncd keeps, and what becomes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.rounds.world import World, event, ics, world

WHEN = ("2026-03-05T10:00:00", "2026-03-05T10:30:00")
NEEDS_VIM = pytest.mark.skipif(shutil.which("vim") is None, reason="vim is not installed")


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    """Two events, "Old" and "Other", with a file each."""
    async with world(tmp_path) as made:
        made.box.create(made.calendar, event("Old", *WHEN, location={"displayName": "Köln 📍"}))
        made.box.create(made.calendar, event("Other", *WHEN))
        assert await made.code() == 0
        made.clear()
        yield made


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a command that must do well."""
    env = {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"], "HOME": str(cwd or "/"), "TERM": "dumb"}
    done = subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=30
    )
    assert done.returncode == 0, (done.stdout, done.stderr)


def subjects(w: World) -> list[str]:
    """The subjects of the service's events."""
    return sorted(one.values["subject"] for one in w.box.items(w.calendar))


def replaced(data: bytes, subject: str) -> bytes:
    """The bytes of a file with another SUMMARY than "Old"."""
    return data.replace(b"SUMMARY:Old", f"SUMMARY:{subject}".encode())


async def troubles(w: World) -> list[tuple[str, str]]:
    """Code and file of the open problems."""
    return [(one.code, one.file) for one in await w.store.problems()]


async def quiet(w: World) -> bool:
    """Whether another round neither writes anywhere nor has anything to say."""
    before = {path.name: path.read_bytes() for path in w.folder.glob("*.ics")}
    w.clear()
    code = await w.code()
    after = {path.name: path.read_bytes() for path in w.folder.glob("*.ics")}
    return (code, w.writes(), after) == (0, [], before)


def with_vim(path: Path, *commands: str) -> None:
    """Edit a file as a person does who knows vim by heart."""
    orders = [part for one in (*commands, "wq") for part in ("-c", one)]
    run("vim", "-N", "-u", "NONE", "-i", "NONE", "-es", *orders, path, cwd=path.parent)


@NEEDS_VIM
@pytest.mark.parametrize("copy", ["yes", "no"])
async def test_saved_with_vim(w: World, copy: str) -> None:
    """Written in place or as a new file: the edit arrives, and the rest of the file stays."""
    path = w.path("Old")
    before = path.read_bytes()
    with_vim(path, f"set backup backupcopy={copy}", "%s/^SUMMARY:Old/SUMMARY:Größer/")

    assert path.read_bytes() == replaced(before, "Größer")
    assert await w.code() == 0

    assert w.bodies("PATCH") == [{"subject": "Größer"}]
    assert path.read_bytes() == replaced(before, "Größer")
    assert await quiet(w)


@NEEDS_VIM
async def test_a_line_that_vim_joined_and_one_it_left_unfolded(w: World) -> None:
    """Joined folds, a moved line and line ends of Unix are no edit."""
    path = w.path("Old")
    with_vim(path, "%s/\\n //e", "g/^LOCATION/move /^DTSTAMP/", "set fileformat=unix")

    assert b"\r\n" not in path.read_bytes()
    assert await w.code() == 0

    assert w.writes() == []


async def test_edited_with_sed(w: World) -> None:
    """`sed -i` puts a new file in the old one's place."""
    run("sed", "-i", "s/^SUMMARY:Old/SUMMARY:New/", w.path("Old"))

    assert await w.code() == 0

    assert w.bodies("PATCH") == [{"subject": "New"}]
    assert await quiet(w)


async def test_saved_by_writing_aside_and_renaming(w: World) -> None:
    """A name for the new text, a backup of the old one, an auto-save: only the item counts."""
    path = w.path("Old")
    data = path.read_bytes()
    aside = path.with_name("goutputstream-XYZ")
    aside.write_bytes(replaced(data, "New"))
    path.with_name(f"{path.name}~").write_bytes(data)
    path.with_name(f"#{path.name}#").write_bytes(data)
    path.with_name(f".{path.name}.swp").write_bytes(b"b0VIM 9.0")
    aside.replace(path)

    assert await w.code() == 0

    assert subjects(w) == ["New", "Other"]
    assert await quiet(w)
    assert path.with_name(f"{path.name}~").read_bytes() == data


async def test_saved_by_removing_and_writing(w: World) -> None:
    """A file that was gone for a moment between two rounds was not deleted."""
    path = w.path("Old")
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(replaced(data, "New"))

    assert await w.code() == 0

    assert w.bodies("PATCH") == [{"subject": "New"}]
    assert subjects(w) == ["New", "Other"]


async def test_touched_or_copied_over_itself(w: World) -> None:
    """New times, another inode and other rights with the same bytes are no edit."""
    path = w.path("Old")
    run("touch", path)
    run("cp", path, w.root / "same")
    run("mv", w.root / "same", path)
    run("chmod", "640", path)

    assert await w.code() == 0

    assert w.writes() == []


async def test_renamed_inside_the_folder(w: World) -> None:
    """The item follows its file; an edit under the new name arrives."""
    path = w.path("Old")
    run("mv", path, w.folder / "my own name.ics")

    assert await w.code() == 0

    assert w.writes() == []
    assert not path.exists()
    w.edit("Old", b"SUMMARY:Old", b"SUMMARY:New")
    assert await w.code() == 0
    assert w.bodies("PATCH") == [{"subject": "New"}]
    assert "my own name.ics" in w.names()
    assert await quiet(w)


async def test_two_files_that_exchange_their_names(w: World) -> None:
    """Who is who is said by the UID: nothing is sent, nothing is written."""
    one, two, aside = w.path("Old"), w.path("Other"), w.folder / "aside"
    texts = (one.read_bytes(), two.read_bytes())
    for source, target in ((one, aside), (two, one), (aside, two)):
        run("mv", source, target)

    assert await w.code() == 0

    assert w.writes() == []
    assert (two.read_bytes(), one.read_bytes()) == texts
    w.edit("Old", b"SUMMARY:Old", b"SUMMARY:New")
    assert await w.code() == 0
    assert subjects(w) == ["New", "Other"]


async def test_renamed_and_edited_at_once(w: World) -> None:
    """Both at once is an edit, not a deletion and a new event."""
    path = w.path("Old")
    data = path.read_bytes()
    path.unlink()
    (w.folder / "new name.ics").write_bytes(replaced(data, "New"))

    assert await w.code() == 0

    assert [one.split()[0] for one in w.writes()] == ["PATCH"]
    assert subjects(w) == ["New", "Other"]
    assert await quiet(w)


async def test_a_copy_with_the_same_uid_is_held(w: World) -> None:
    """The copy waits for a person; the original goes on being kept in both directions."""
    path = w.path("Old")
    [old] = [one for one in w.box.items(w.calendar) if one.values["subject"] == "Old"]
    copy = w.folder / "a copy.ics"
    run("cp", path, copy)

    assert await w.code() == 4

    assert await troubles(w) == [("duplicate-uid", "a copy.ics")]
    assert w.writes() == []
    path.write_bytes(replaced(path.read_bytes(), "New"))
    assert await w.code() == 4
    assert w.bodies("PATCH") == [{"subject": "New"}]
    w.box.patch(old.immutable_id, {"location": {"displayName": "Bonn"}})
    assert await w.code() == 4
    assert b"LOCATION:Bonn" in path.read_bytes()
    assert b"SUMMARY:Old" in copy.read_bytes()
    assert await troubles(w) == [("duplicate-uid", "a copy.ics")]


async def test_a_held_copy_that_is_removed(w: World) -> None:
    """The matter is closed, and nothing is deleted on the service."""
    copy = w.folder / "a copy.ics"
    run("cp", w.path("Old"), copy)
    assert await w.code() == 4
    run("rm", copy)

    assert await w.code() == 0

    assert await troubles(w) == []
    assert w.writes() == []
    assert await quiet(w)


async def test_a_held_copy_that_gets_a_uid_of_its_own(w: World) -> None:
    """It becomes an event of its own, once."""
    copy = w.folder / "a copy.ics"
    run("cp", w.path("Old"), copy)
    assert await w.code() == 4
    copy.write_bytes(ics("its-own", "Copy").encode())

    assert await w.code() == 0

    assert subjects(w) == ["Copy", "Old", "Other"]
    assert [one.split()[0] for one in w.writes()] == ["POST"]
    assert await quiet(w)


async def test_a_copy_whose_original_is_removed(w: World) -> None:
    """What is left is the item, under another name: nothing is deleted, nothing created."""
    path = w.path("Old")
    run("cp", path, w.folder / "a copy.ics")
    assert await w.code() == 4
    run("rm", path)

    assert await w.code() == 0

    assert w.writes() == []
    assert await troubles(w) == []
    assert subjects(w) == ["Old", "Other"]
    assert await quiet(w)


async def test_copied_over_another_file(w: World) -> None:
    """The overwritten item waits, nothing is deleted; with its text back all is as it was."""
    one, two = w.path("Old"), w.path("Other")
    data = one.read_bytes()
    run("cp", two, one)

    assert await w.code() == 4

    assert await troubles(w) == [("duplicate-uid", one.name)]
    assert w.writes() == []
    one.write_bytes(data)
    assert await w.code() == 0
    assert subjects(w) == ["Old", "Other"]
    assert await quiet(w)


async def test_moved_over_another_file(w: World) -> None:
    """The overwritten item is deleted; the other goes on under the name it has now."""
    one, two = w.path("Old"), w.path("Other")
    run("mv", two, one)

    assert await w.code() == 0

    assert [line.split()[0] for line in w.writes()] == ["DELETE"]
    assert subjects(w) == ["Other"]
    w.edit("Other", b"SUMMARY:Other", b"SUMMARY:Another")
    assert await w.code() == 0
    assert subjects(w) == ["Another"]
    assert await quiet(w)


BROKEN = [
    pytest.param(lambda data: data[: len(data) // 2], id="half of it"),
    pytest.param(lambda data: b"", id="nothing"),
    pytest.param(lambda data: b"\0" * len(data), id="zeros after a crash"),
    pytest.param(lambda data: data.decode().encode("utf-16"), id="UTF-16"),
    pytest.param(lambda data: data.replace("ö".encode(), b"\xf6"), id="Latin-1"),
    pytest.param(lambda data: data.replace(b"DTSTART;", b"DTSTRAT;"), id="no start"),
    pytest.param(lambda data: b"<<<<<<< HEAD\r\n" + data, id="a merge gone wrong"),
]


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_broken_file_is_listed_until_it_is_mended(w: World, broken: Any) -> None:
    """Nothing is deleted and nothing overwritten; the mended file goes on where it was."""
    path = w.path("Old")
    data = path.read_bytes()
    path.write_bytes(broken(data))

    assert await w.code() == 4

    [(_, name)] = await troubles(w)
    assert name == path.name
    assert path.read_bytes() == broken(data)
    assert w.writes() == []
    path.write_bytes(replaced(data, "New"))
    assert await w.code() == 0
    assert w.bodies("PATCH") == [{"subject": "New"}]
    assert await troubles(w) == []
    assert await quiet(w)


async def test_an_edit_on_the_service_waits_for_the_broken_file(w: World) -> None:
    """The broken text stays for the person, and is not lost under the service's version."""
    path = w.path("Old")
    [old] = [one for one in w.box.items(w.calendar) if one.values["subject"] == "Old"]
    data = path.read_bytes()
    half = data[: len(data) // 2]
    path.write_bytes(half)
    w.box.patch(old.immutable_id, {"location": {"displayName": "Bonn"}})

    assert await w.code() == 4

    assert path.read_bytes() == half
    path.write_bytes(replaced(data, "New"))
    assert await w.code() == 0
    assert b"LOCATION:Bonn" in path.read_bytes()
    assert subjects(w) == ["New", "Other"]
    assert await quiet(w)


async def test_a_broken_file_that_is_removed(w: World) -> None:
    """Removing it is as good a deletion as any."""
    path = w.path("Old")
    path.write_bytes(b"BEGIN:VCALENDAR\r\n")
    assert await w.code() == 4
    run("rm", path)

    assert await w.code() == 0

    assert subjects(w) == ["Other"]
    assert await troubles(w) == []


async def test_removed(w: World) -> None:
    """`rm` is one DELETE."""
    run("rm", w.path("Old"))

    assert await w.code() == 0

    assert [one.split()[0] for one in w.writes()] == ["DELETE"]
    assert await quiet(w)


async def test_removed_and_brought_back_later(w: World) -> None:
    """A file out of the wastebasket is an event again, once."""
    path = w.path("Old")
    run("mv", path, w.root / "wastebasket.ics")
    assert await w.code() == 0
    assert subjects(w) == ["Other"]
    run("mv", w.root / "wastebasket.ics", path)

    assert await w.code() == 0

    assert subjects(w) == ["Old", "Other"]
    assert await quiet(w)


async def test_a_file_that_may_not_be_read(w: World) -> None:
    """It is listed, not deleted, and taken up again when it can be read."""
    path = w.path("Old")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")

    assert await w.code() == 4

    assert [name for _, name in await troubles(w)] == [path.name]
    assert w.writes() == []
    path.chmod(0o600)
    assert await w.code() == 0
    assert await quiet(w)


@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "pipe"])
async def test_something_else_under_the_files_name(w: World, kind: str) -> None:
    """A link, a folder or a pipe is neither followed nor removed nor a deletion."""
    path = w.path("Old")
    run("mv", path, w.root / "elsewhere.ics")
    match kind:
        case "link":
            path.symlink_to(w.root / "elsewhere.ics")
        case "dangling link":
            path.symlink_to(w.root / "nowhere.ics")
        case "folder":
            path.mkdir()
        case _:
            os.mkfifo(path)

    assert await w.code() == 4

    assert await troubles(w) == [("not-a-file", path.name)]
    assert w.writes() == []
    run("rm", "-r", path)
    run("mv", w.root / "elsewhere.ics", path)
    assert await w.code() == 0
    assert await quiet(w)


async def test_two_events_put_into_one_file(w: World) -> None:
    """`cat` of two files makes none that can be read; both events stay on the service."""
    one, two = w.path("Old"), w.path("Other")
    joined = one.read_bytes() + two.read_bytes()
    one.write_bytes(joined)
    two.unlink()

    assert await w.code() == 4

    assert (one.name) in [name for _, name in await troubles(w)]
    assert "Old" in subjects(w)
    assert one.read_bytes() == joined


async def test_an_editor_that_adds_a_byte_order_mark(w: World) -> None:
    """A mark at the start is no edit, and stays through the next one of the service."""
    path = w.path("Old")
    [old] = [one for one in w.box.items(w.calendar) if one.values["subject"] == "Old"]
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert await w.code() == 0

    assert w.writes() == []
    w.box.patch(old.immutable_id, {"subject": "New"})
    assert await w.code() == 0
    assert b"SUMMARY:New" in path.read_bytes()
    assert await quiet(w)


async def test_moved_over_a_file_whose_event_was_edited_on_the_service(w: World) -> None:
    """The edit outlives the deletion: the event comes back as a file with another name."""
    one, two = w.path("Old"), w.path("Other")
    [old] = [item for item in w.box.items(w.calendar) if item.values["subject"] == "Old"]
    run("mv", two, one)
    w.box.patch(old.immutable_id, {"location": {"displayName": "Bonn"}})

    assert await w.code() == 0

    assert b"SUMMARY:Other" in one.read_bytes()
    assert sorted(w.subjects()) == subjects(w) == ["Old", "Other"]
    assert await quiet(w)
