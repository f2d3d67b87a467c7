"""The folder on a real disk: links, odd files, young stats, modes, markers, leavings, messages."""

import os
import socket
import stat
from datetime import UTC, datetime
from errno import EACCES, EIO, ENOSPC, EROFS
from pathlib import Path

import pytest

from syncd.core.errors import DiskTrouble
from syncd.core.ids import FileName
from syncd.ports import (
    Failed,
    FolderLook,
    KnownFile,
    Marker,
    RemoveFile,
    ReplaceFile,
    WriteFile,
    Wrote,
)
from syncd.testing import FakeClock
from syncd.vdir.atomic import Swaps
from syncd.vdir.disk import MAX_BYTES
from syncd.vdir.folder import VdirFolder, exchange_works
from syncd.vdir.names import temp_name, temp_of
from tests.vdir.places import MARKER, A, Place, print_of


class BrokenSwaps(Swaps):
    """A disk that refuses every rename."""

    def __init__(self, code: int) -> None:
        self.code = code

    def _refuse(self, name: str) -> None:
        raise OSError(self.code, os.strerror(self.code), name)

    def exchange(self, dir_fd: int, one: str, other: str) -> None:
        self._refuse(one)

    def move_new(self, dir_fd: int, source: str, target: str) -> None:
        self._refuse(source)

    def move_over(self, dir_fd: int, source: str, target: str) -> None:
        self._refuse(source)


@pytest.fixture
async def here(tmp_path: Path) -> Place:
    return await Place(tmp_path / "work" / "Calendar").prepared()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- whose folder ------------------------------------------------------------------------------


async def test_a_linked_calendar_folder_is_foreign(tmp_path: Path, here: Place) -> None:
    """Behind a link nothing is read, written or missing."""
    link = tmp_path / "work" / "Link"
    link.symlink_to(here.path)
    (here.path / A).write_bytes(b"1")
    linked = Place(link)

    look = await linked.folder.look({A: KnownFile(print_of(b"0"), None)}, thorough=False)
    assert look == FolderLook("foreign")
    assert isinstance(await linked.one(RemoveFile(A, print_of(b"1"))), Failed)
    with pytest.raises(DiskTrouble):
        await linked.prepared()
    assert here.files() == {A: b"1"}


async def test_a_linked_account_folder_is_foreign(tmp_path: Path, here: Place) -> None:
    """A link one level up leads out of the export folder just as well."""
    (tmp_path / "link").symlink_to(here.path.parent)

    look = await Place(tmp_path / "link" / "Calendar").folder.look({}, thorough=False)
    assert look == FolderLook("foreign")


async def test_a_file_in_the_folders_place_is_foreign(tmp_path: Path) -> None:
    """A file that bears the folder's name is no missing folder."""
    (tmp_path / "Calendar").write_bytes(b"")

    assert await Place(tmp_path / "Calendar").folder.look({}, thorough=False) == FolderLook(
        "foreign"
    )


@pytest.mark.parametrize(
    "text",
    [b"", b"\xff\xfe", b"{", b"[]", b'{"account": 1}', b'{"account": "work"}', b"x" * 99, b"null"],
)
async def test_an_unreadable_marker_is_no_marker(here: Place, text: bytes) -> None:
    """What the marker does not say clearly, it does not say."""
    (here.path / ".syncd").write_bytes(text)

    assert (await here.folder.look({}, thorough=False)).standing == "unmarked"
    assert await here.folder.found_marker() is None


async def test_a_marker_that_is_a_link_is_no_marker(tmp_path: Path, here: Place) -> None:
    """A link is not followed, not even to a good marker."""
    (here.path / ".syncd").rename(tmp_path / "marker")
    (here.path / ".syncd").symlink_to(tmp_path / "marker")

    assert (await here.folder.look({}, thorough=False)).standing == "unmarked"


async def test_a_foreign_folders_files_are_read_for_a_recovery(here: Place) -> None:
    """A marker of a lost state: the files are seen, and the marker found can be asked for."""
    (here.path / A).write_bytes(b"1")
    lost = Marker(MARKER.account, MARKER.calendar, "another")
    await here.folder.prepare(lost, displayname="Work", color="")
    look = await here.folder.look({}, thorough=False)

    assert look.standing == "foreign"
    assert [seen.name for seen in look.changed] == [A]
    assert await here.folder.found_marker() == lost


async def test_a_marker_that_cannot_be_read_is_not_taken_for_none(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one a folder is imported: what the service has no more would be made anew."""

    def refuse(path: Path) -> int:
        raise PermissionError(EACCES, "Permission denied", str(path))

    monkeypatch.setattr("syncd.vdir.folder.open_folder", refuse)

    with pytest.raises(DiskTrouble, match="read the marker"):
        await here.folder.found_marker()


# --- prepare -----------------------------------------------------------------------------------


async def test_folders_and_files_are_private(tmp_path: Path) -> None:
    """New folders are 0700 at every level, new files have the mode that was asked for."""
    here = await Place(tmp_path / "a" / "b" / "c").prepared()
    await here.one(WriteFile(A, b"1"))

    assert {mode_of(tmp_path / part) for part in ("a", "a/b", "a/b/c")} == {0o700}
    assert {mode_of(here.path / name) for name in (A, ".syncd", "color")} == {0o600}


async def test_the_mode_of_new_files_holds_under_any_umask(tmp_path: Path) -> None:
    """A strict umask does not take from what the configuration grants."""
    path = tmp_path / "work" / "Calendar"
    folder = VdirFolder(path, marker=MARKER, file_mode=0o664, clock=FakeClock())
    before = os.umask(0o077)
    try:
        await folder.prepare(MARKER, displayname="", color="")
        await folder.work([WriteFile(A, b"1")])
    finally:
        os.umask(before)

    assert mode_of(path / A) == 0o664


async def test_existing_modes_are_kept(here: Place) -> None:
    """A folder or file that a person opened to others stays so."""
    here.path.chmod(0o755)
    (here.path / A).write_bytes(b"1")
    (here.path / A).chmod(0o644)
    (here.path / "color").chmod(0o644)
    await here.folder.prepare(MARKER, displayname="Work", color="#123456")
    await here.one(ReplaceFile(A, b"2", print_of(b"1")))

    assert mode_of(here.path) == 0o755
    assert mode_of(here.path / A) == 0o644
    assert mode_of(here.path / "color") == 0o644


async def test_the_metadata_is_as_vdir_readers_want_it(here: Place) -> None:
    """Name and color are their whole files."""
    assert (here.path / "displayname").read_text() == "Work"
    assert (here.path / "color").read_text() == "#00AAFF"


async def test_metadata_that_is_as_wanted_is_not_written_again(here: Place) -> None:
    """A second `prepare` leaves the folder's time as it is, which khal goes by."""
    os.utime(here.path, (1, 1))
    await here.prepared()

    assert here.path.stat().st_mtime == 1


@pytest.mark.parametrize("color", ["", "red", "#12345", "#1234567", "#12345g", "../x", "#123456\n"])
async def test_what_is_no_color_is_not_written(here: Place, color: str) -> None:
    """Only #RRGGBB goes to the file."""
    await here.folder.prepare(MARKER, displayname="Work", color=color)

    assert (here.path / "color").read_text() == "#00AAFF"


async def test_a_hostile_display_name_stays_one_line(here: Place) -> None:
    """Control characters and lone surrogates from a server do not reach the file."""
    await here.folder.prepare(MARKER, displayname="a\nb\0\u2028c\ud800", color="")

    assert (here.path / "displayname").read_text() == "a b c?"


# --- look --------------------------------------------------------------------------------------


async def test_odd_files_are_trouble(tmp_path: Path, here: Place) -> None:
    """Links, pipes, sockets and folders named like items are listed and not opened."""
    (tmp_path / "target").write_bytes(b"1")
    (here.path / "link.ics").symlink_to(tmp_path / "target")
    (here.path / "loop.ics").symlink_to("loop.ics")
    (here.path / "folder.ics").mkdir()
    os.mkfifo(here.path / "pipe.ics")
    with socket.socket(socket.AF_UNIX) as sock:
        here_fd = os.open(here.path, os.O_RDONLY)
        sock.bind(f"/proc/self/fd/{here_fd}/socket.ics")
        os.close(here_fd)
        look = await here.folder.look({}, thorough=False)

    names = {"link.ics", "loop.ics", "folder.ics", "pipe.ics", "socket.ics"}
    assert {trouble.name for trouble in look.trouble} == names
    assert {trouble.code for trouble in look.trouble} == {"not-a-file"}
    assert not look.changed


async def test_a_file_beyond_the_limit_is_too_large(here: Place) -> None:
    """Ten megabytes are read, one byte more is not."""
    with (here.path / A).open("wb") as file:
        file.truncate(MAX_BYTES)
    with (here.path / "b.ics").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    look = await here.folder.look({}, thorough=False)

    assert [(seen.name, seen.stat.size) for seen in look.changed] == [(A, MAX_BYTES)]
    assert [(trouble.name, trouble.code) for trouble in look.trouble] == [("b.ics", "too-large")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_forbidden_file_is_unreadable(here: Place) -> None:
    """It is listed, and neither changed nor missing."""
    (here.path / A).write_bytes(b"1")
    (here.path / A).chmod(0)
    look = await here.folder.look({A: KnownFile(print_of(b"0"), None)}, thorough=False)

    assert [(trouble.name, trouble.code) for trouble in look.trouble] == [(A, "unreadable")]
    assert not look.missing


async def test_a_name_that_is_not_utf8_is_trouble(here: Place) -> None:
    """It is listed under a name that can be printed and stored."""
    (Path(os.fsdecode(os.fsencode(here.path) + b"/\xff.ics"))).write_bytes(b"1")
    look = await here.folder.look({}, thorough=False)

    assert [(trouble.name, trouble.code) for trouble in look.trouble] == [
        ("\ufffd.ics", "unreadable")
    ]
    assert not look.changed


async def test_a_young_stat_is_not_trusted(here: Place) -> None:
    """
    A save in the same tick of the clock, of the same size, is seen although the stat is the same.
    """
    young = Place(here.path)
    young.clock = FakeClock(datetime.now(UTC))
    folder = VdirFolder(here.path, marker=MARKER, file_mode=0o600, clock=young.clock)
    (here.path / A).write_bytes(b"1")
    (seen,) = (await folder.look({}, thorough=False)).changed
    known = {A: KnownFile(seen.fingerprint, seen.stat)}

    assert seen.stat.ctime_ns == 0
    assert seen.stat.mtime_ns == (here.path / A).stat().st_mtime_ns
    assert await folder.look(known, thorough=False) == FolderLook("ours")
    young.clock.advance(3600)
    settled = (await folder.look(known, thorough=False)).restamped[A]
    assert settled.ctime_ns == (here.path / A).stat().st_ctime_ns


async def test_a_settled_stat_spares_the_reading(here: Place) -> None:
    """Only `thorough` reads a file whose stat is as known: shown by a wrong fingerprint."""
    (here.path / A).write_bytes(b"1")
    (seen,) = (await here.folder.look({}, thorough=False)).changed
    known = {A: KnownFile(print_of(b"wrong"), seen.stat)}

    assert await here.folder.look(known, thorough=False) == FolderLook("ours")
    assert [seen.name for seen in (await here.folder.look(known, thorough=True)).changed] == [A]


async def test_a_backdated_save_is_seen(here: Place) -> None:
    """A program that restores the modification time cannot restore the change time."""
    (here.path / A).write_bytes(b"1")
    before = (here.path / A).stat()
    (seen,) = (await here.folder.look({}, thorough=False)).changed
    with (here.path / A).open("r+b") as file:
        file.write(b"2")
    os.utime(here.path / A, ns=(before.st_atime_ns, before.st_mtime_ns))
    # Ticks are as coarse as 10 ms: step over to the next one.
    while (here.path / A).stat().st_ctime_ns == before.st_ctime_ns:
        os.utime(here.path / A, ns=(before.st_atime_ns, before.st_mtime_ns))
    look = await here.folder.look({A: KnownFile(seen.fingerprint, seen.stat)}, thorough=False)

    assert [seen.data for seen in look.changed] == [b"2"]


# --- work --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "words"),
    [(ENOSPC, "disk full"), (EROFS, "read-only"), (EIO, "input/output error")],
)
async def test_a_refused_rename_says_why_and_leaves_nothing(
    tmp_path: Path, code: int, words: str
) -> None:
    """Each job fails for itself, in words; no temporary file stays."""
    here = await Place(tmp_path / "w" / "C", swaps=BrokenSwaps(code)).prepared()
    (here.path / A).write_bytes(b"1")
    outcomes = await here.folder.work(
        [
            WriteFile(FileName("new.ics"), b"1"),
            ReplaceFile(A, b"2", print_of(b"1")),
            RemoveFile(A, print_of(b"1")),
        ]
    )

    assert here.files() == {A: b"1"}
    for outcome in outcomes:
        assert isinstance(outcome, Failed)
        assert words in str(outcome.error)
        assert outcome.error.retryable


async def test_a_name_too_long_for_the_disk_fails_alone(here: Place) -> None:
    """The kernel's refusal is that job's outcome."""
    long = FileName("x" * 300 + ".ics")
    first, second = await here.folder.work([WriteFile(long, b"1"), WriteFile(A, b"1")])

    assert isinstance(first, Failed)
    assert isinstance(second, Wrote)
    assert set(here.files()) == {A}


async def test_the_longest_name_can_be_swapped(here: Place) -> None:
    """The temporary name is cut to what the disk can bear."""
    name = FileName("ü" * 125 + ".ics")
    (here.path / name).write_bytes(b"1")

    assert isinstance(await here.one(ReplaceFile(name, b"2", print_of(b"1"))), Wrote)
    assert here.files() == {name: b"2"}


async def test_more_than_can_be_read_again_is_not_written(here: Place) -> None:
    """A file beyond the limit would be trouble at the next look."""
    assert isinstance(await here.one(WriteFile(A, b"x" * (MAX_BYTES + 1))), Failed)
    assert here.files() == {}


async def test_the_folders_time_moves_with_a_swap(here: Place) -> None:
    """khal looks again only when the folder's own time has changed."""
    (here.path / A).write_bytes(b"1")
    os.utime(here.path, (1, 1))
    await here.one(ReplaceFile(A, b"2", print_of(b"1")))

    assert here.path.stat().st_mtime > 1


# --- sweep, names, file system -----------------------------------------------------------------


async def test_only_our_leavings_are_swept(here: Place) -> None:
    """Other programs' temporary files are theirs, however alike they look."""
    ours = temp_name(A, "new", "0" * 16)
    theirs = (".a.ics.tmp", ".a.ics.syncd-1.tmp", "a.ics8f3k", ".tmp", f"{ours}~")
    for name in (ours, *theirs):
        (here.path / name).write_bytes(b"1")

    assert await here.folder.sweep() == []
    assert set(here.files()) == set(theirs)


async def test_an_orphan_that_changed_since_is_not_discarded(here: Place) -> None:
    """Someone who still had it open wrote on: it is handed out anew."""
    temp = here.path / temp_name(A, "swap", "0" * 16)
    temp.write_bytes(b"1")
    orphans = await here.folder.sweep()
    temp.write_bytes(b"2")
    await here.folder.discard(orphans)

    assert [orphan.data for orphan in await here.folder.sweep()] == [b"2"]


@pytest.mark.parametrize("name", ["a.ics", ".syncd", "x" * 255, "ü" * 127, "\U0001f600" * 63])
@pytest.mark.parametrize("kind", ["new", "swap"])
def test_temporary_names_fit_and_are_known_again(name: str, kind: str) -> None:
    """Hidden, within 255 bytes, not an item's, and told apart by kind."""
    made = temp_name(name, "new" if kind == "new" else "swap", "0123456789abcdef")
    read = temp_of(made)

    assert made.startswith(".")
    assert not made.endswith(".ics")
    assert len(made.encode()) <= 255
    assert read is not None
    assert read.kind == kind
    assert name.startswith(read.name)


async def test_the_file_system_is_tried_for_exchange(here: Place, tmp_path: Path) -> None:
    """The trial leaves nothing behind; a folder that is not there is trouble."""
    assert await here.folder.supports_exchange()
    assert await exchange_works(tmp_path)
    assert here.files() == {}
    with pytest.raises(DiskTrouble):
        await exchange_works(tmp_path / "nowhere")
