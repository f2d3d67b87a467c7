"""
A calendar's folder in memory, to try rounds on: the same promises as the one on disk.

Has the adapter's side (`ports.LocalFolder`) and a person's side: `save`, `delete`, `unmount` and
the like. Knows no disk; its stats come from a counter, so that no two saves are ever mistaken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal, assert_never

from syncd.core.errors import DiskTrouble
from syncd.core.ids import FileName, Fingerprint
from syncd.core.names import is_item_name
from syncd.ports import (
    Clock,
    Displaced,
    Failed,
    FileOutcome,
    FileSeen,
    FileStat,
    FileTrouble,
    FileWork,
    FolderLook,
    KnownFile,
    Marker,
    Orphan,
    Removed,
    RemoveFile,
    ReplaceFile,
    Taken,
    Vanished,
    WriteFile,
    Wrote,
)

__all__ = ["MemoryFolder"]


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    fingerprint: Fingerprint
    stat: FileStat


class MemoryFolder:
    """
    Fulfils `ports.LocalFolder`. Not there until `prepare` or `mount`.

    Attributes:
        between: called with each job just before its precondition is checked; it may save, delete
            or raise DiskTrouble, as a person or a disk would in between.
        trouble: while it is set, nothing can be read or written.
        metadata: `displayname` and `color`, as written.
    """

    def __init__(self, *, marker: Marker, clock: Clock) -> None:
        self.between: Callable[[FileWork], None] | None = None
        self.trouble: DiskTrouble | None = None
        self.metadata: dict[str, str] = {}
        self._expected = marker
        self._clock = clock
        self._there = False
        self._marker: Marker | None = None
        self._files: dict[FileName, _File] = {}
        self._obstacles: dict[FileName, FileTrouble] = {}
        self._orphans: dict[str, Orphan] = {}
        self._ticks = count(1)

    # --- what a person and the machine do ------------------------------------------------------

    def save(self, name: str, data: bytes) -> None:
        """Write a file as an editor does; any name."""
        self._files[FileName(name)] = _File(
            data, Fingerprint(hashlib.sha256(data).hexdigest()), self._stamp(len(data))
        )

    def touch(self, name: str) -> None:
        """Give a file another stat and leave its bytes."""
        file = self._files[FileName(name)]
        self._files[FileName(name)] = replace(file, stat=self._stamp(len(file.data)))

    def delete(self, name: str) -> None:
        """Remove a file."""
        del self._files[FileName(name)]

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises: KeyError."""
        return self._files[FileName(name)].data

    def names(self) -> set[str]:
        """The names of all files but the marker and the metadata."""
        return {*self._files, *self._obstacles}

    def obstruct(
        self, name: str, code: Literal["not-a-file", "too-large", "unreadable"] = "not-a-file"
    ) -> None:
        """Put something under a name that is no readable file."""
        self._files.pop(FileName(name), None)
        self._obstacles[FileName(name)] = FileTrouble(FileName(name), code, "it is in the way")

    def mark(self, marker: Marker | None) -> None:
        """Replace the marker, or take it away."""
        self._marker = marker

    def mount(self) -> None:
        """Let the folder be there, with what it held."""
        self._there = True

    def unmount(self) -> None:
        """Let the folder be gone, until `mount`."""
        self._there = False

    def leave_orphan(self, name: str, data: bytes) -> None:
        """Leave what a process killed in the middle of a swap leaves."""
        temp = f".{name}.syncd-swap-{next(self._ticks):016x}.tmp"
        self._orphans[temp] = Orphan(FileName(name), data, temp)

    # --- ports.LocalFolder ---------------------------------------------------------------------

    async def look(self, known: Mapping[FileName, KnownFile], *, thorough: bool) -> FolderLook:
        """As `LocalFolder.look`."""
        self._check_disk()
        if not self._there:
            return FolderLook("missing")
        standing = self._standing()
        return FolderLook(
            standing,
            tuple(self._changed(known)),
            dict(self._restamped(known)),
            frozenset(known.keys() - self.names()) if standing == "ours" else frozenset(),
            tuple(self._obstacles.values()),
        )

    async def prepare(self, marker: Marker, *, displayname: str, color: str) -> None:
        """As `LocalFolder.prepare`."""
        self._check_disk()
        self._there = True
        self._marker = marker
        texts = {"displayname": displayname, "color": color}
        self.metadata |= {name: text for name, text in texts.items() if text}

    async def work(self, jobs: Sequence[FileWork]) -> list[FileOutcome]:
        """As `LocalFolder.work`."""
        return [self._job(job) for job in jobs]

    async def sweep(self) -> list[Orphan]:
        """As `LocalFolder.sweep`."""
        self._check_disk()
        return list(self._orphans.values()) if self._standing() == "ours" else []

    async def discard(self, orphans: Sequence[Orphan]) -> None:
        """As `LocalFolder.discard`."""
        self._check_disk()
        for orphan in orphans:
            if self._orphans.get(orphan.temp) == orphan:
                del self._orphans[orphan.temp]

    # --- inside --------------------------------------------------------------------------------

    def _standing(self) -> Literal["ours", "missing", "unmarked", "foreign"]:
        if not self._there:
            return "missing"
        if self._marker is None:
            return "unmarked"
        return "ours" if self._marker == self._expected else "foreign"

    def _check_disk(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    def _items(self) -> Iterator[tuple[FileName, _File]]:
        return ((name, file) for name, file in self._files.items() if is_item_name(name))

    def _changed(self, known: Mapping[FileName, KnownFile]) -> Iterator[FileSeen]:
        for name, file in self._items():
            if name not in known or known[name].fingerprint != file.fingerprint:
                yield FileSeen(name, file.fingerprint, file.stat, file.data)

    def _restamped(
        self, known: Mapping[FileName, KnownFile]
    ) -> Iterator[tuple[FileName, FileStat]]:
        for name, file in self._items():
            seen = known.get(name)
            if seen and seen.fingerprint == file.fingerprint and seen.stat != file.stat:
                yield name, file.stat

    def _job(self, job: FileWork) -> FileOutcome:
        try:
            if self.between is not None:
                self.between(job)
            self._check_disk()
            self._check_job(job)
        except DiskTrouble as error:
            return Failed(error)
        match job:
            case WriteFile():
                return Taken() if job.name in self.names() else self._write(job)
            case ReplaceFile():
                return self._unexpected(job) or self._write(job)
            case RemoveFile():
                return self._unexpected(job) or self._remove(job)
            case _:
                assert_never(job)

    def _check_job(self, job: FileWork) -> None:
        if self._standing() != "ours":
            raise DiskTrouble(f"cannot work in the folder: its marker is {self._standing()}")
        if not is_item_name(job.name):
            raise DiskTrouble(f"cannot touch {job.name!r}: it is no item's file name")
        if job.name in self._obstacles and not isinstance(job, WriteFile):
            raise DiskTrouble(f"cannot touch {job.name!r}: it is in the way")

    def _unexpected(self, job: ReplaceFile | RemoveFile) -> FileOutcome | None:
        file = self._files.get(job.name)
        if file is None:
            return Vanished()
        return None if file.fingerprint == job.expect else Displaced(file.data)

    def _write(self, job: WriteFile | ReplaceFile) -> FileOutcome:
        self.save(job.name, job.data)
        file = self._files[job.name]
        return Wrote(file.fingerprint, file.stat)

    def _remove(self, job: RemoveFile) -> FileOutcome:
        self.delete(job.name)
        return Removed()

    def _stamp(self, size: int) -> FileStat:
        tick = next(self._ticks)
        return FileStat(int(self._clock.now().timestamp() * 1e9), tick, size, tick)
