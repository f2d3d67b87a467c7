"""
Files on their way up, each remembered in a small file of its own until somebody was told.

Whoever died between a piece and its answer goes on from here. An upload URL is a secret that lets
whoever has it write to the mailbox: the files are for their owner alone, and no text shows it.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Final, Literal, TypeVar

import msgspec

from syncd.core.errors import CommandError, DiskTrouble

__all__ = ["Busy", "Upload", "Uploads", "key_of"]

KEPT_FOR: Final = timedelta(days=30)
FOLDER: Final = "uploads"
SUFFIX: Final = ".json"

T = TypeVar("T")
Stage = Literal["open", "leaving", "done"]
"""`open`: nothing can be attached yet; `leaving`: what attaches it left, or was about to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """
    One file on its way to one event.

    Args:
        key: under what it is kept, as `key_of` says. event: the event's id.
        path, size_bytes, mtime_ns, sha256: the file, as it was read; its path for people to see.
        before: ids of the attachments that were there before. stage_at: since when it is so far.
        url, expires: of its upload session, "" and None without one.
        attachment: its id once it is attached, "" where that is not known.
    """

    key: str
    account: str
    event: str
    path: str
    name: str
    size_bytes: int
    mtime_ns: int
    sha256: str
    before: tuple[str, ...]
    stage: Stage
    stage_at: datetime
    url: str = field(default="", repr=False)
    expires: datetime | None = None
    attachment: str = ""


class Busy(CommandError):
    """Another process changes the attachments of an event."""


def key_of(account: str, event: str, path: str, name: str) -> str:
    """What stands for a file on its way to an event under a name."""
    return _digest(account, event, path, name)


def _digest(*texts: str) -> str:
    joined = "\0".join(texts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()[:40]


class Uploads:
    """The files on their way, in `uploads` of a state folder; every method raises DiskTrouble."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / FOLDER

    async def get(self, key: str) -> Upload | None:
        """What is known of one; what cannot be read is as good as none."""
        return await _off_loop(lambda: self._read(key))

    async def put(self, upload: Upload) -> None:
        """Keep what is known of one; durable when this returns."""
        await _off_loop(lambda: self._write(upload))

    async def forget(self, key: str) -> None:
        """Its way is over, and whoever wanted it was told."""
        await _off_loop(lambda: self._path(key).unlink(missing_ok=True))

    async def sweep(self, now: datetime) -> None:
        """Forget those that nobody came back for."""
        await _off_loop(lambda: self._sweep(now))

    @asynccontextmanager
    async def held(self, account: str, event: str) -> AsyncIterator[None]:
        """
        Be the only one that changes the attachments of an event: the service refuses two at once.

        Raises: Busy: another does.
        """
        path = self._folder / f"{_digest(account, event)}.lock"
        fd = await _off_loop(lambda: self._locked(path))
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()
            os.close(fd)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{SUFFIX}"

    def _read(self, key: str) -> Upload | None:
        try:
            data = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        try:
            return msgspec.json.decode(data, type=Upload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _write(self, upload: Upload) -> None:
        self._make_folder()
        temp = self._folder / f".{upload.key}.{token_hex(8)}.tmp"
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(fd, "wb") as file:
                file.write(msgspec.json.encode(upload))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temp, self._path(upload.key))
        except BaseException:
            temp.unlink(missing_ok=True)
            raise
        self._sync_folder()

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _sync_folder(self) -> None:
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _sweep(self, now: datetime) -> None:
        oldest = (now - KEPT_FOR).timestamp()
        for path in self._ours():
            with suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def _ours(self) -> Iterator[Path]:
        if self._folder.is_dir():
            yield from self._folder.glob(f"*{SUFFIX}")
            yield from self._folder.glob(".*.tmp")

    def _locked(self, path: Path) -> int:
        self._make_folder()
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever held it before may have removed the name since it was opened here.
                if _is_still(path, fd):
                    return fd
            except BlockingIOError:
                os.close(fd)
                raise Busy(
                    "another command is changing the attachments of this event",
                    hint="Wait for it to end, then run this again.",
                ) from None
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)


def _is_still(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


async def _off_loop(work: Callable[[], T]) -> T:
    def guarded() -> T:
        with _disk_failures():
            return work()

    return await asyncio.to_thread(guarded)


@contextmanager
def _disk_failures() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskTrouble(f"the state's uploads cannot be kept: {error.strerror}") from error
