"""
One calendar's folder of .ics files, shared with people and their programs.

Knows the marker, the vdir metadata and whose folder it is; the looking is done in `scan`, the
swapping in `swap`. Every method makes one trip to a worker thread, and only one at a time is under
way in a folder. Refuses to know what is inside an item's file.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import stat as modes
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from errno import EIO, ENOENT
from pathlib import Path
from typing import Literal, TypeVar, TypeVarTuple

import msgspec

from syncd.core.errors import DiskTrouble
from syncd.core.ids import FileName
from syncd.ports import (
    Clock,
    Failed,
    FileOutcome,
    FileTrouble,
    FileWork,
    FolderLook,
    KnownFile,
    Marker,
    Orphan,
)
from syncd.vdir.atomic import Swaps, lacks_exchange, unlink_quietly
from syncd.vdir.disk import (
    Content,
    create,
    disk_failures,
    is_link_or_file,
    open_folder,
    overwrite,
    read_file,
    sync_folder,
    trouble,
)
from syncd.vdir.names import MARKER, temp_name, temp_of
from syncd.vdir.scan import Scan
from syncd.vdir.swap import Bench

__all__ = ["VdirFolder", "exchange_works"]

FOLDER_MODE = 0o700
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

_Args = TypeVarTuple("_Args")
_R = TypeVar("_R")

Standing = Literal["ours", "missing", "unmarked", "foreign"]


class _MarkerText(msgspec.Struct, frozen=True):
    """The marker file's JSON; members that a later version adds are passed over."""

    account: str
    calendar: str
    installation: str


class VdirFolder:
    """
    The folder of one calendar on disk; fulfils `ports.LocalFolder`.

    Args:
        path: `<export_dir>/<account>/<calendar>`; neither of the last two may be a link.
        marker: what `.syncd` must say for the folder to be ours.
        file_mode: the mode of new files; existing ones, and existing folders, keep theirs.
        swaps, wait: the renames and the blocking pause (seconds) to work with.
    """

    def __init__(
        self,
        path: Path,
        *,
        marker: Marker,
        file_mode: int,
        clock: Clock,
        swaps: Swaps | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._marker = marker
        self._file_mode = file_mode
        self._clock = clock
        self._swaps = swaps or Swaps()
        self._wait = wait
        self._one_at_a_time = threading.Lock()

    async def look(self, known: Mapping[FileName, KnownFile], *, thorough: bool) -> FolderLook:
        """
        As `LocalFolder.look`.

        A folder that is not ours is looked at too, for an import or a recovery, but nothing is
        missing from it; a link is not looked behind.
        """
        return await asyncio.to_thread(self._locked, self._look, known, thorough)

    async def prepare(self, marker: Marker, *, displayname: str, color: str) -> None:
        """As `LocalFolder.prepare`; an empty name or color, and no color at all, is not written."""
        await asyncio.to_thread(self._locked, self._prepare, marker, displayname, color)

    async def work(self, jobs: Sequence[FileWork]) -> list[FileOutcome]:
        """
        As `LocalFolder.work`; in a folder that is not ours every job fails.

        Every failure is its job's outcome; nothing is raised for the file system's sake.
        """
        return await asyncio.to_thread(self._locked, self._work, jobs)

    async def sweep(self) -> list[Orphan]:
        """As `LocalFolder.sweep`; a folder that is not ours is left alone."""
        return await asyncio.to_thread(self._locked, self._sweep)

    async def discard(self, orphans: Sequence[Orphan]) -> None:
        """As `LocalFolder.discard`. Raises: DiskTrouble."""
        await asyncio.to_thread(self._locked, self._discard, orphans)

    async def found_marker(self) -> Marker | None:
        """
        What the folder's marker says, whoever it names; None when there is none.

        Raises: DiskTrouble: it cannot be told, which is another matter than a folder without one.
        """
        return await asyncio.to_thread(self._locked, self._found_marker)

    async def release(self) -> bool:
        """
        Take the marker away, so that the folder and all that is in it are nobody's but its user's.

        Returns: whether it was there and said what ours says, be it for another installation.
        Raises: DiskTrouble.
        """
        return await asyncio.to_thread(self._locked, self._release)

    async def supports_exchange(self) -> bool:
        """Whether files can be swapped here without any chance of losing a save. DiskTrouble."""
        return await exchange_works(self._path, self._swaps)

    def _locked(self, act: Callable[[*_Args], _R], *args: *_Args) -> _R:
        # A cancelled caller leaves its thread running: the next one waits for it to finish.
        with self._one_at_a_time:
            return act(*args)

    # --- look ----------------------------------------------------------------------------------

    def _look(self, known: Mapping[FileName, KnownFile], thorough: bool) -> FolderLook:
        now_ns = int(self._clock.now().timestamp() * 1e9)
        with disk_failures(f"look at {str(self._path)!r}"):
            try:
                with open_folder(self._path) as dir_fd:
                    return self._look_inside(dir_fd, known, thorough, now_ns)
            except OSError as error:
                return FolderLook(_standing_of(error))

    def _look_inside(
        self, dir_fd: int, known: Mapping[FileName, KnownFile], thorough: bool, now_ns: int
    ) -> FolderLook:
        standing = self._standing(dir_fd)
        scan = Scan(dir_fd, known, thorough=thorough, now_ns=now_ns)
        scan.run()
        # Asked again: what is absent because the disk was unmounted during the look is no deletion,
        # and into what is not ours any more nothing is written.
        if standing == "ours":
            standing = self._standing(dir_fd)
        return FolderLook(
            standing,
            tuple(scan.changed),
            scan.restamped,
            scan.missing() if standing == "ours" else frozenset(),
            tuple(scan.trouble),
        )

    def _standing(self, dir_fd: int) -> Standing:
        found = _read_marker(dir_fd)
        if found is None:
            return "unmarked"
        return "ours" if found == self._marker else "foreign"

    def _found_marker(self) -> Marker | None:
        with disk_failures(f"read the marker of {str(self._path)!r}"):
            try:
                with open_folder(self._path) as dir_fd:
                    return _read_marker(dir_fd)
            except (FileNotFoundError, NotADirectoryError):
                return None

    # --- prepare -------------------------------------------------------------------------------

    def _prepare(self, marker: Marker, displayname: str, color: str) -> None:
        with disk_failures(f"prepare the folder {str(self._path)!r}"):
            _refuse_links(self._path)
            _make_folders(self._path)
            with open_folder(self._path) as dir_fd:
                for name, text in _metadata(marker, displayname, color):
                    if not _is_in_the_way(dir_fd, name):
                        temp = temp_name(name, "new", secrets.token_hex(8))
                        overwrite(dir_fd, name, temp, text, mode=self._file_mode)
                sync_folder(dir_fd)

    def _release(self) -> bool:
        found = self._found_marker()
        ours = self._marker
        if found is None or (found.account, found.calendar) != (ours.account, ours.calendar):
            return False
        with disk_failures(f"unmark {str(self._path)!r}"), open_folder(self._path) as dir_fd:
            os.unlink(MARKER, dir_fd=dir_fd)
            sync_folder(dir_fd)
        return True

    # --- work ----------------------------------------------------------------------------------

    def _work(self, jobs: Sequence[FileWork]) -> list[FileOutcome]:
        try:
            with open_folder(self._path) as dir_fd:
                return self._work_inside(dir_fd, jobs)
        except OSError as error:
            return [Failed(trouble(f"work in {str(self._path)!r}", error)) for _ in jobs]

    def _work_inside(self, dir_fd: int, jobs: Sequence[FileWork]) -> list[FileOutcome]:
        if (standing := self._standing(dir_fd)) != "ours":
            refusal = DiskTrouble(f"cannot work in {str(self._path)!r}: its marker is {standing}")
            return [Failed(refusal) for _ in jobs]
        bench = Bench(dir_fd, swaps=self._swaps, file_mode=self._file_mode, wait=self._wait)
        return bench.run(jobs)

    # --- sweep ---------------------------------------------------------------------------------

    def _sweep(self) -> list[Orphan]:
        with disk_failures(f"sweep {str(self._path)!r}"):
            try:
                with open_folder(self._path) as dir_fd:
                    return _swept(dir_fd) if self._standing(dir_fd) == "ours" else []
            except OSError as error:
                _standing_of(error)
                return []

    def _discard(self, orphans: Sequence[Orphan]) -> None:
        with disk_failures(f"sweep {str(self._path)!r}"), open_folder(self._path) as dir_fd:
            for orphan in orphans:
                found = _orphan(dir_fd, orphan.temp)
                if found is not None and found.data == orphan.data:
                    unlink_quietly(dir_fd, orphan.temp)


async def exchange_works(folder: Path, swaps: Swaps | None = None) -> bool:
    """
    Try whether the file system under `folder` can exchange two files; nothing is left behind.

    Raises: DiskTrouble: no file can be made there.
    """
    return await asyncio.to_thread(_exchange_works, folder, swaps or Swaps())


def _exchange_works(folder: Path, swaps: Swaps) -> bool:
    temps = [temp_name("probe", "new", secrets.token_hex(8)) for _ in range(2)]
    with disk_failures(f"try the file system of {str(folder)!r}"):
        dir_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for temp in temps:
                create(dir_fd, temp, b"", mode=0o600, sync=False)
            swaps.exchange(dir_fd, *temps)
        except OSError as error:
            if not lacks_exchange(error):
                raise
            return False
        finally:
            for temp in temps:
                unlink_quietly(dir_fd, temp)
            os.close(dir_fd)
    return True


def _standing_of(error: OSError) -> Standing:
    """What it means that the folder cannot be opened, where that is no trouble of the disk."""
    if error.errno == ENOENT:
        return "missing"
    if is_link_or_file(error):
        return "foreign"
    raise error


def _read_marker(dir_fd: int) -> Marker | None:
    try:
        found = read_file(dir_fd, MARKER)
        if isinstance(found, FileTrouble) and found.code == "unreadable":
            # Whose folder it is cannot be told: that is another matter than a folder of nobody's.
            raise OSError(EIO, found.reason)
        if not isinstance(found, Content):
            return None
        text = msgspec.json.decode(found.data, type=_MarkerText)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return Marker(text.account, text.calendar, text.installation)


def _metadata(marker: Marker, displayname: str, color: str) -> list[tuple[str, bytes]]:
    """Name and content of each file of ours; the marker last, since it says all are there."""
    text = _MarkerText(marker.account, marker.calendar, marker.installation)
    files = [(MARKER, msgspec.json.format(msgspec.json.encode(text), indent=2) + b"\n")]
    if _COLOR.fullmatch(color):
        files.insert(0, ("color", color.encode()))
    if label := _CONTROL.sub(" ", displayname).strip():
        files.insert(0, ("displayname", label.encode(errors="replace")))
    return files


def _is_in_the_way(dir_fd: int, name: str) -> bool:
    """
    Whether a folder, a link or a device bears the name: somebody else's, and left alone.

    Raises: DiskTrouble: it is the marker's, without which nothing can be done here.
    """
    try:
        is_file = modes.S_ISREG(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
    if not is_file and name == MARKER:
        raise DiskTrouble(
            f"cannot mark the calendar's folder as syncd's: its {MARKER} is no file",
            hint=f"Move {MARKER} out of the folder; the next round goes on.",
        )
    return not is_file


def _refuse_links(path: Path) -> None:
    """Raises: DiskTrouble: what bears a folder's name is none; the export folder may be a link."""
    export_dir = path.parents[1]
    for one in (export_dir, path.parent, path):
        is_link = one.is_symlink() and one != export_dir
        if is_link or (one.exists() and not one.is_dir()):
            raise DiskTrouble(
                f"cannot prepare the folder {str(path)!r}: {str(one)!r} is a file or a link",
                hint="Move it away, or set export_dir to another folder; links are not followed.",
            )


def _make_folders(path: Path) -> None:
    for folder in (*reversed(path.parents), path):
        try:
            os.mkdir(folder, FOLDER_MODE)
        except FileExistsError:
            continue
        except OSError:
            if not folder.is_dir():
                raise
        else:
            _sync_parent(folder)


def _sync_parent(folder: Path) -> None:
    parent_fd = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync_folder(parent_fd)
    finally:
        os.close(parent_fd)


def _swept(dir_fd: int) -> list[Orphan]:
    orphans = []
    for entry in sorted(os.listdir(dir_fd)):
        temp = temp_of(entry)
        if temp is None:
            continue
        if temp.kind == "new":
            unlink_quietly(dir_fd, entry)
        elif orphan := _orphan(dir_fd, entry):
            orphans.append(orphan)
    return orphans


def _orphan(dir_fd: int, entry: str) -> Orphan | None:
    """Read one; what is no readable file stays where it is."""
    temp = temp_of(entry)
    try:
        found = read_file(dir_fd, entry)
    except FileNotFoundError:
        return None
    if temp is None or not isinstance(found, Content):
        return None
    return Orphan(FileName(temp.name), found.data, entry)
