"""A calendar's folder on disk for a test, and a kernel that lets someone act between two renames."""

import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from errno import EINVAL
from pathlib import Path

from syncd.core.ids import FileName, Fingerprint
from syncd.ports import FileOutcome, FileWork, Marker
from syncd.testing import FakeClock
from syncd.vdir.atomic import Swaps, link_new
from syncd.vdir.folder import VdirFolder

MARKER = Marker("work", "AAMk=", "5f3c")
A = FileName("a.ics")

Act = Callable[[], object]


def print_of(data: bytes) -> Fingerprint:
    return Fingerprint(hashlib.sha256(data).hexdigest())


class BusySwaps(Swaps):
    """Runs the next act of `before` ahead of each rename, and of `after` behind each."""

    def __init__(
        self, *, before: Sequence[Act | None] = (), after: Sequence[Act | None] = ()
    ) -> None:
        self.before = [*before]
        self.after = [*after]

    def exchange(self, dir_fd: int, one: str, other: str) -> None:
        self._run(self.before)
        super().exchange(dir_fd, one, other)
        self._run(self.after)

    def move_new(self, dir_fd: int, source: str, target: str) -> None:
        self._run(self.before)
        super().move_new(dir_fd, source, target)
        self._run(self.after)

    def move_over(self, dir_fd: int, source: str, target: str) -> None:
        self._run(self.before)
        super().move_over(dir_fd, source, target)
        self._run(self.after)

    def _run(self, acts: list[Act | None]) -> None:
        act = acts.pop(0) if acts else None
        if act is not None:
            act()


class PlainSwaps(Swaps):
    """A file system with links and plain renames only, as NFS is."""

    def exchange(self, dir_fd: int, one: str, other: str) -> None:
        raise OSError(EINVAL, os.strerror(EINVAL), one)

    def move_new(self, dir_fd: int, source: str, target: str) -> None:
        link_new(dir_fd, source, target)


class Waits:
    """Stands in for blocking pauses; the first one is the settling, the others are for writers."""

    def __init__(self, *acts: Act | None) -> None:
        self._acts = [*acts]
        self.count = 0

    def __call__(self, seconds: float) -> None:
        self.count += 1
        act = self._acts.pop(0) if self._acts else None
        if act is not None:
            act()


class Place:
    """A prepared folder; its clock is an hour ahead, so that every stat on disk has settled."""

    def __init__(
        self, path: Path, *, swaps: Swaps | None = None, wait: Waits | None = None
    ) -> None:
        self.path = path
        self.waits = wait or Waits()
        self.clock = FakeClock(datetime.now(UTC) + timedelta(hours=1))
        self.folder = VdirFolder(
            path, marker=MARKER, file_mode=0o600, clock=self.clock, swaps=swaps, wait=self.waits
        )

    async def prepared(self) -> "Place":
        await self.folder.prepare(MARKER, displayname="Work", color="#00AAFF")
        return self

    async def one(self, job: FileWork) -> FileOutcome:
        (outcome,) = await self.folder.work([job])
        return outcome

    def files(self) -> dict[str, bytes]:
        """Everything in the folder but marker and metadata."""
        ours = {".syncd", "displayname", "color"}
        return {
            entry.name: entry.read_bytes() if entry.is_file() else b"<not a file>"
            for entry in self.path.iterdir()
            if entry.name not in ours
        }
