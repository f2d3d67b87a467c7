"""
The token cache of one account: one private file, shared by processes.

Knows locks, atomic replacement and the envelope around msal's own cache. Refuses to know what the
tokens are. All of it blocks, so all of it belongs in a thread.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from syncd.core.errors import DiskTrouble, LoginNeeded, StateError

__all__ = ["CacheContent", "Stamp", "TokenCacheFile"]

MOST_BYTES: Final = 4 * 1024 * 1024
# Who holds the lock may be renewing a token over a slow line; longer than this, it hangs.
MOST_LOCK_S: Final = 120.0
_LOCK_STEP_S = 0.05
_VERSION = 1

Stamp = tuple[int, int, int]  # inode, mtime in ns, size
Tokens = dict[str, dict[str, dict[str, Any]]]


class CacheContent(msgspec.Struct, frozen=True):
    """
    What the file holds. `tokens` is msal's cache: kind of credential, then key, then the entry.

    `renewed` is when the sign-in was last used to get a token, as aware UTC.
    """

    username: str = ""
    renewed: datetime | None = None
    tokens: Tokens = msgspec.field(default_factory=dict)
    version: int = _VERSION


class TokenCacheFile:
    """
    The file at `path`, 0600 in a folder of 0700, beside it a lock file.

    Every method raises DiskTrouble when the file system refuses.
    """

    def __init__(self, path: Path, account: str) -> None:
        self._path, self._account = path, account

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes (and threads) out until the block ends."""
        with self._trouble("lock"):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(
                self._path.with_name(self._path.name + ".lock"),
                os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW,
                0o600,
            )
        try:
            self._wait_for(fd)
            yield
        finally:
            os.close(fd)

    def stamp(self) -> Stamp | None:
        """Return what changes whenever the file is replaced; None if there is none."""
        with self._trouble("look at"):
            try:
                status = self._path.lstat()
            except FileNotFoundError:
                return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def load(self) -> CacheContent:
        """
        Return the content, empty if there is no file.

        Raises: LoginNeeded: it was damaged, and has been set aside as `<name>.damaged`.
        StateError: a newer version of syncd wrote it.
        """
        with self._trouble("read"):
            try:
                raw = self._read()
            except FileNotFoundError:
                return CacheContent()
        try:
            content = msgspec.json.decode(raw, type=CacheContent)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self._set_aside()
            raise LoginNeeded(
                f"account {self._account}: the token cache is damaged and was set aside",
                hint=f"Run `syncd login {self._account}`.",
            ) from None
        if content.version > _VERSION:
            raise StateError(f"the token cache of {self._account} is of a newer version of syncd")
        return content

    def save(self, content: CacheContent) -> None:
        """Replace the file in one step; it is on the disk when this returns."""
        with self._trouble("write"):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temp = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
            temp.unlink(missing_ok=True)
            try:
                _write_new(temp, msgspec.json.encode(content))
                temp.replace(self._path)
            except BaseException:
                with suppress(OSError):
                    temp.unlink(missing_ok=True)
                raise
            _sync_folder(self._path.parent)

    def remove(self) -> None:
        """Delete the file, and a damaged one that was set aside: both hold tokens."""
        with self._trouble("delete"):
            self._path.unlink(missing_ok=True)
            self._damaged.unlink(missing_ok=True)

    @property
    def _damaged(self) -> Path:
        return self._path.with_name(self._path.name + ".damaged")

    def _read(self) -> bytes:
        fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        with open(fd, "rb") as file:
            if stat.S_IMODE(os.fstat(fd).st_mode) & 0o077:
                os.fchmod(fd, 0o600)  # restored from a backup, or copied by hand
            return file.read(MOST_BYTES)  # one that is longer is cut and so no JSON

    def _set_aside(self) -> None:
        with self._trouble("set aside"):
            self._path.replace(self._damaged)

    def _wait_for(self, fd: int) -> None:
        deadline_s = time.monotonic() + MOST_LOCK_S
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() > deadline_s:
                    raise DiskTrouble(
                        f"another process keeps the token cache of {self._account} locked",
                        hint="Look for a syncd process that hangs.",
                    ) from error
                time.sleep(_LOCK_STEP_S)

    @contextmanager
    def _trouble(self, verb: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DiskTrouble(
                f"cannot {verb} the token cache of account {self._account}: {reason}"
            ) from error


def _write_new(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(fd)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
