"""
Doing a batch of jobs in one open folder so that no save of anyone is lost, whenever it happens.

A replaced file trades places with its successor and only then, when nobody has it open for writing
any more, is it compared with what the round had read: check-then-rename would lose a save between
the two. If it turns out to be a newer save, the two trade places again. A removed file is first
moved aside and then compared. A process killed in between leaves what came out beside the files,
under a name that `names.temp_of` knows.

Knows descriptors, turns and preconditions. Knows neither calendars nor the event loop.
"""

from __future__ import annotations

import os
import secrets
import stat as modes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import assert_never

from syncd.core.errors import DiskTrouble
from syncd.core.ids import FileName, Fingerprint
from syncd.core.names import is_item_name
from syncd.ports import (
    Displaced,
    Failed,
    FileOutcome,
    FileStat,
    FileTrouble,
    FileWork,
    Removed,
    RemoveFile,
    ReplaceFile,
    Taken,
    Vanished,
    WriteFile,
    Wrote,
)
from syncd.vdir.atomic import (
    Swaps,
    give_up_lease,
    lacks_exchange,
    lease_kept,
    syncfs,
    take_read_lease,
    unlink_quietly,
)
from syncd.vdir.disk import (
    MAX_BYTES,
    READ_FLAGS,
    Content,
    create,
    fingerprint,
    is_utf8,
    read_file,
    read_open,
    sync_folder,
    trouble,
)
from syncd.vdir.names import Kind, temp_name

__all__ = ["Bench"]

MAX_BATCH = 1000  # bounds what a swap needs of the disk beside the files themselves
MAX_SINGLE_SYNCS = 8  # from here on one syncfs is cheaper than an fsync for each file
SETTLE_S = 0.01
WRITER_WAIT_S = 0.01
WRITER_WAITS = 200  # in all 2 s for writers to close what they have open, per batch
MAX_TURNS = 50  # each turn takes a save within microseconds of the last


@dataclass(frozen=True, slots=True)
class Staged:
    """A job whose bytes are ready under `temp`; `mtime_ns` and `inode` are those of the temp."""

    job: WriteFile | ReplaceFile
    temp: str
    fingerprint: Fingerprint
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """A file to be moved aside to `temp`."""

    job: RemoveFile
    temp: str


@dataclass(frozen=True, slots=True)
class Out:
    """The job's new state stands; under `temp` is what came out, not looked at yet."""

    staged: Staged | Leaving
    expect: Fingerprint


@dataclass(frozen=True, slots=True)
class Came:
    """
    What lay under a temporary name. `fingerprint` is "" and `data` None when it is no readable
    file; `quiet` says that nobody was writing it; `dropped` that it was as expected and is gone.
    """

    fingerprint: Fingerprint
    inode: int
    data: bytes | None
    quiet: bool
    dropped: bool = False


_Step = Staged | Leaving | Out | FileOutcome


class Bench:
    """The work on one open folder; `wait` blocks for so many seconds."""

    def __init__(
        self, dir_fd: int, *, swaps: Swaps, file_mode: int, wait: Callable[[float], None]
    ) -> None:
        self._dir_fd = dir_fd
        self._swaps = swaps
        self._file_mode = file_mode
        self._wait = wait
        self._tokens = count(secrets.randbits(63))
        self._waits_left = WRITER_WAITS
        self._leases_work: bool | None = None

    def run(self, jobs: Sequence[FileWork]) -> list[FileOutcome]:
        """Do the jobs; the outcomes are in their order, and one failure stops no other job."""
        outcomes: list[FileOutcome] = []
        for batch in _batches(jobs):
            outcomes += self._batch(batch)
        return outcomes

    def token(self) -> str:
        """16 hexadecimal digits that no temporary name bears yet."""
        return f"{next(self._tokens) & 0xFFFF_FFFF_FFFF_FFFF:016x}"

    def _batch(self, batch: Sequence[FileWork]) -> list[FileOutcome]:
        self._waits_left = WRITER_WAITS
        sync = len(batch) <= MAX_SINGLE_SYNCS
        steps = [self._guarded(self._stage, job, job, sync) for job in batch]
        if not sync:
            steps = self._synced(steps)
        return self._finished([self._swapped(step) for step in steps])

    def _finished(self, steps: list[_Step]) -> list[FileOutcome]:
        failure = self._sync_names()
        if any(isinstance(step, Out) for step in steps):
            # A writer that had found the old file by its name, but not opened it yet, gets there.
            self._wait(SETTLE_S)
            steps = [self._checked(step) for step in steps]
            failure = failure or self._sync_names()
        return [_outcome(step, failure) for step in steps]

    def _swapped(self, step: _Step) -> _Step:
        if isinstance(step, Staged | Leaving):
            return self._guarded(self._swap, step.job, step)
        return step

    def _checked(self, step: _Step) -> _Step:
        if isinstance(step, Out):
            return self._guarded(self._check, step.staged.job, step)
        return step

    def _guarded(self, act: Callable[..., _Step], job: FileWork, *args: object) -> _Step:
        """Do one step of one job; what the kernel refuses is that job's outcome."""
        try:
            return act(*args)
        except OSError as error:
            return Failed(trouble(f"{_attempt(job)} {job.name!r}", error))

    # --- stage: everything that may fail for want of room, before anything is touched ----------

    def _stage(self, job: FileWork, sync: bool) -> _Step:
        if (refusal := _refusal(job)) is not None:
            return Failed(refusal)
        match job:
            case WriteFile():
                return self._staged(job, "new", self._file_mode, sync)
            case ReplaceFile():
                return self._stage_replacement(job, sync)
            case RemoveFile():
                found = self._precondition(job)
                if isinstance(found, Content):
                    return Leaving(job, temp_name(job.name, "swap", self.token()))
                return found
            case _:
                assert_never(job)

    def _stage_replacement(self, job: ReplaceFile, sync: bool) -> _Step:
        found = self._precondition(job)
        if not isinstance(found, Content):
            return found
        return self._staged(job, "swap", modes.S_IMODE(found.stat.st_mode), sync)

    def _precondition(self, job: ReplaceFile | RemoveFile) -> Content | FileOutcome:
        """Look before swapping: what is known to be newer need not trade places at all."""
        try:
            found = read_file(self._dir_fd, job.name)
        except FileNotFoundError:
            return Vanished()
        if isinstance(found, FileTrouble):
            return Failed(DiskTrouble(f"cannot {_attempt(job)} {job.name!r}: {found.reason}"))
        return found if found.fingerprint == job.expect else Displaced(found.data)

    def _staged(self, job: WriteFile | ReplaceFile, kind: Kind, mode: int, sync: bool) -> Staged:
        temp = temp_name(job.name, kind, self.token())
        stat = create(self._dir_fd, temp, job.data, mode=mode, sync=sync)
        return Staged(job, temp, fingerprint(job.data), stat.st_mtime_ns, stat.st_ino)

    def _synced(self, steps: list[_Step]) -> list[_Step]:
        try:
            syncfs(self._dir_fd)
        except OSError as error:
            return [self._unstaged(step, error) for step in steps]
        return steps

    def _unstaged(self, step: _Step, error: OSError) -> _Step:
        if not isinstance(step, Staged):
            return step
        if self._holds_ours(step):
            unlink_quietly(self._dir_fd, step.temp)
        return Failed(trouble(f"{_attempt(step.job)} {step.job.name!r}", error))

    def _holds_ours(self, step: Staged) -> bool:
        """A failed rename may have taken effect all the same (network file systems)."""
        try:
            return os.lstat(step.temp, dir_fd=self._dir_fd).st_ino == step.inode
        except OSError:
            return False

    def _sync_names(self) -> DiskTrouble | None:
        try:
            sync_folder(self._dir_fd)
        except OSError as error:
            return trouble("make the folder's names durable", error)
        return None

    # --- swap: one rename each -----------------------------------------------------------------

    def _swap(self, step: Staged | Leaving) -> _Step:
        if isinstance(step, Leaving):
            return self._move_aside(step)
        try:
            return self._put_in_place(step)
        except OSError as error:
            return self._unstaged(step, error)

    def _move_aside(self, step: Leaving) -> _Step:
        try:
            self._swaps.move_over(self._dir_fd, step.job.name, step.temp)
        except FileNotFoundError:
            return Vanished()
        return Out(step, step.job.expect)

    def _put_in_place(self, step: Staged) -> _Step:
        if isinstance(step.job, ReplaceFile):
            return self._trade(step, step.job)
        try:
            self._swaps.move_new(self._dir_fd, step.temp, step.job.name)
        except FileExistsError:
            unlink_quietly(self._dir_fd, step.temp)
            return Taken()
        return _wrote(step)

    def _trade(self, step: Staged, job: ReplaceFile) -> _Step:
        try:
            self._swaps.exchange(self._dir_fd, step.temp, job.name)
        except FileNotFoundError:
            unlink_quietly(self._dir_fd, step.temp)
            return Vanished()
        except OSError as error:
            if not lacks_exchange(error):
                raise
            return self._replace_plainly(step, job)
        return Out(step, job.expect)

    def _replace_plainly(self, step: Staged, job: ReplaceFile) -> _Step:
        """
        Compare and rename over, where the file system cannot exchange.

        Weaker: a save between the comparison and the rename, or by a writer that had the file open
        all along, goes under. `syncd check` says so.
        """
        found = self._precondition(job)
        if not isinstance(found, Content):
            unlink_quietly(self._dir_fd, step.temp)
            return found
        self._swaps.move_over(self._dir_fd, step.temp, job.name)
        return _wrote(step)

    # --- check: what came out ------------------------------------------------------------------

    def _check(self, out: Out) -> _Step:
        staged = out.staged
        came = self._take_in(staged.temp, out.expect)
        if isinstance(staged, Leaving):
            return Removed() if came.dropped else self._return(staged, came)
        return _wrote(staged) if came.dropped else self._trade_back(staged, came)

    def _trade_back(self, staged: Staged, came: Came) -> FileOutcome:
        """
        Give the name back to the newer save that a swap had taken it from.

        Ours must come out again. If something else does, it was saved over ours meanwhile and is
        newer still: it gets the name, and what its own author displaced is dropped.
        """
        ours, inode = staged.fingerprint, staged.inode
        for _ in range(MAX_TURNS):
            if not self._take_turn(staged.temp, staged.job.name):
                return _displaced(staged.job, came)
            back = self._take_in(staged.temp, ours, inode)
            if back.dropped:
                return _displaced(staged.job, came)
            ours, inode, came = came.fingerprint, came.inode, back
        return Failed(DiskTrouble(f"cannot replace {staged.job.name!r}: it is saved incessantly"))

    def _take_turn(self, temp: str, name: str) -> bool:
        """Exchange, or put back where the name is gone; says whether something came out."""
        try:
            self._swaps.exchange(self._dir_fd, temp, name)
        except FileNotFoundError:
            # Deleted after the save that we hold. A deletion can be repeated, the save cannot.
            try:
                self._swaps.move_new(self._dir_fd, temp, name)
            except FileExistsError:
                self._swaps.exchange(self._dir_fd, temp, name)
                return True
            return False
        return True

    def _return(self, leaving: Leaving, came: Came) -> FileOutcome:
        """Put back a file that was saved just before it was moved aside."""
        try:
            self._swaps.move_new(self._dir_fd, leaving.temp, leaving.job.name)
        except FileExistsError:
            # Saved once more under the name: that stays, and the older one is handed out. One that
            # is being written still is left for `sweep`.
            if came.quiet:
                unlink_quietly(self._dir_fd, leaving.temp)
        return _displaced(leaving.job, came)

    def _take_in(self, temp: str, expect: Fingerprint, inode: int | None = None) -> Came:
        """Read what lies under `temp` once nobody writes it, and drop it if it is as expected."""
        try:
            fd = os.open(temp, READ_FLAGS, dir_fd=self._dir_fd)
        except FileNotFoundError:
            raise
        except OSError:
            stat = os.lstat(temp, dir_fd=self._dir_fd)
            return Came(Fingerprint(""), stat.st_ino, None, quiet=True)
        try:
            return self._weigh(fd, temp, expect, inode)
        finally:
            os.close(fd)

    def _weigh(self, fd: int, temp: str, expect: Fingerprint, inode: int | None) -> Came:
        while True:
            lease = take_read_lease(fd)
            writing = lease == "busy" and self._leases_hold()
            came = _read_out(fd, temp, quiet=not writing)
            if writing or (lease == "held" and not lease_kept(fd)):
                if not self._await_writer(fd):
                    return came
                continue
            if came.fingerprint != expect or inode not in (None, came.inode):
                return came
            os.unlink(temp, dir_fd=self._dir_fd)
            return Came(came.fingerprint, came.inode, came.data, quiet=True, dropped=True)

    def _await_writer(self, fd: int) -> bool:
        """Let whoever writes go on for a moment; says whether there is patience for more."""
        give_up_lease(fd)
        self._wait(WRITER_WAIT_S)
        self._waits_left -= 1
        return self._waits_left > 0

    def _leases_hold(self) -> bool:
        """
        Whether a refused lease means a writer here, tried once on a file that nobody has open:
        a network file system may refuse every lease in the same words.
        """
        if self._leases_work is None:
            self._leases_work = self._lease_on_own_file()
        return self._leases_work

    def _lease_on_own_file(self) -> bool:
        temp = temp_name("lease.ics", "new", self.token())
        try:
            create(self._dir_fd, temp, b"", mode=0o600, sync=False)
            fd = os.open(temp, READ_FLAGS, dir_fd=self._dir_fd)
        except OSError:
            return True  # no room to find out: then a writer is the safe assumption
        try:
            return take_read_lease(fd) == "held"
        finally:
            os.close(fd)
            unlink_quietly(self._dir_fd, temp)


def _read_out(fd: int, temp: str, *, quiet: bool) -> Came:
    os.lseek(fd, 0, os.SEEK_SET)
    found = read_open(fd, temp)
    if isinstance(found, Content):
        return Came(found.fingerprint, found.stat.st_ino, found.data, quiet)
    return Came(Fingerprint(""), os.fstat(fd).st_ino, None, quiet)


def _wrote(staged: Staged) -> Wrote:
    # Written this moment, so too young to be told from a save that follows (see `disk.stamp`).
    stat = FileStat(staged.mtime_ns, 0, len(staged.job.data), staged.inode)
    return Wrote(staged.fingerprint, stat)


def _displaced(job: FileWork, came: Came) -> FileOutcome:
    if came.data is None:
        return Failed(DiskTrouble(f"cannot {_attempt(job)} {job.name!r}: it became unreadable"))
    return Displaced(came.data)


def _outcome(step: _Step, failure: DiskTrouble | None) -> FileOutcome:
    assert not isinstance(step, Staged | Leaving | Out)
    if failure is not None and isinstance(step, Wrote | Removed):
        return Failed(failure)
    return step


def _attempt(job: FileWork) -> str:
    match job:
        case WriteFile():
            return "write"
        case ReplaceFile():
            return "replace"
        case RemoveFile():
            return "remove"
        case _:
            assert_never(job)


def _refusal(job: FileWork) -> DiskTrouble | None:
    """What no folder is asked to do: names come from UIDs and other people's files."""
    if not is_item_name(job.name) or not is_utf8(job.name):
        return DiskTrouble(f"cannot {_attempt(job)} {job.name!r}: it is no item's file name")
    if not isinstance(job, RemoveFile) and len(job.data) > MAX_BYTES:
        return DiskTrouble(f"cannot {_attempt(job)} {job.name!r}: it is larger than 10 MB")
    return None


def _batches(jobs: Sequence[FileWork]) -> Iterator[list[FileWork]]:
    """Cut into batches in which no name comes twice, so that later jobs see earlier ones done."""
    batch: list[FileWork] = []
    names: set[FileName] = set()
    for job in jobs:
        if job.name in names or len(batch) == MAX_BATCH:
            yield batch
            batch, names = [], set()
        batch.append(job)
        names.add(job.name)
    if batch:
        yield batch
