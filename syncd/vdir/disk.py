"""
Opening, reading and writing single files of one folder without ever following a link.

Knows descriptors, limits and what the kernel's refusals mean to a person; everything is relative
to the descriptor of an open folder. Knows neither jobs nor what a file ought to hold.
"""

from __future__ import annotations

import hashlib
import os
import stat as modes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import (
    EACCES,
    EAGAIN,
    EDQUOT,
    EINVAL,
    EIO,
    ELOOP,
    ENOSPC,
    ENOTDIR,
    ENOTSUP,
    ENXIO,
    EPERM,
    EROFS,
)
from pathlib import Path

from syncd.core.errors import DiskTrouble
from syncd.core.ids import FileName, Fingerprint
from syncd.ports import FileStat, FileTrouble
from syncd.vdir.atomic import unlink_quietly

__all__ = [
    "MAX_BYTES",
    "READ_FLAGS",
    "Content",
    "create",
    "disk_failures",
    "fingerprint",
    "is_link_or_file",
    "is_utf8",
    "open_folder",
    "overwrite",
    "read_file",
    "read_open",
    "stamp",
    "sync_folder",
    "trouble",
]

MAX_BYTES = 10_000_000
"""A larger file is no calendar entry; it is listed and left alone."""

YOUNG_NS = 2_000_000_000
"""The coarsest clock of a file system in use (FAT): within it two saves can bear one time."""

READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ODD_FILES = frozenset({ELOOP, ENXIO})
_DENIED = frozenset({EACCES, EPERM, EIO, EAGAIN})

_MEANINGS = {
    ENOSPC: "disk full",
    EDQUOT: "disk quota used up",
    EROFS: "the file system is read-only",
    EACCES: "permission denied",
    EPERM: "permission denied",
    EIO: "the disk reports an input/output error",
}


@dataclass(frozen=True, slots=True)
class Content:
    """A regular file as it was read; `stat` was taken before the first byte."""

    data: bytes
    fingerprint: Fingerprint
    stat: os.stat_result


def fingerprint(data: bytes) -> Fingerprint:
    """SHA-256 of the bytes, in hexadecimal."""
    return Fingerprint(hashlib.sha256(data).hexdigest())


def is_utf8(name: str) -> bool:
    """Say whether a name can leave this machine: the kernel allows any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def trouble(attempt: str, error: OSError) -> DiskTrouble:
    """Translate the kernel's refusal; `attempt` says what was tried on what."""
    meaning = _MEANINGS.get(error.errno or 0) or error.strerror or str(error)
    return DiskTrouble(f"cannot {attempt}: {meaning}")


@contextmanager
def disk_failures(attempt: str) -> Iterator[None]:
    """Let refusals of the kernel out as DiskTrouble."""
    try:
        yield
    except OSError as error:
        raise trouble(attempt, error) from error


def stamp(stat: os.stat_result, now_ns: int) -> FileStat:
    """
    The stat to remember a file by.

    A later save could leave no trace in a stat this young, so it bears a change time that no file
    has (0): the file will be read once more, and stamped for good when its stat has aged.
    """
    young = max(stat.st_mtime_ns, stat.st_ctime_ns) + YOUNG_NS >= now_ns
    ctime_ns = 0 if young else stat.st_ctime_ns
    return FileStat(stat.st_mtime_ns, ctime_ns, stat.st_size, stat.st_ino)


@contextmanager
def open_folder(path: Path) -> Iterator[int]:
    """
    Open a calendar's folder; neither it nor the account's folder that holds it may be a link.

    Raises: OSError, for a link as `is_link_or_file` tells.
    """
    account_fd = os.open(path.parent, _FOLDER_FLAGS)
    try:
        dir_fd = os.open(path.name, _FOLDER_FLAGS, dir_fd=account_fd)
    finally:
        os.close(account_fd)
    try:
        yield dir_fd
    finally:
        os.close(dir_fd)


def is_link_or_file(error: OSError) -> bool:
    """Say whether a folder could not be opened because something else bears its name."""
    return error.errno in {ELOOP, ENOTDIR}


def read_file(dir_fd: int, name: str) -> Content | FileTrouble:
    """
    Read a regular file of at most `MAX_BYTES`.

    Raises: FileNotFoundError, and OSError for what is no matter of this file (descriptors, stale
    mounts).
    """
    try:
        fd = os.open(name, READ_FLAGS, dir_fd=dir_fd)
    except OSError as error:
        if error.errno in _ODD_FILES:
            return FileTrouble(FileName(name), "not-a-file", "it is a link or a device")
        return _unreadable(name, error)
    try:
        return read_open(fd, name)
    finally:
        os.close(fd)


def read_open(fd: int, name: str) -> Content | FileTrouble:
    """As `read_file`, from an open descriptor."""
    stat = os.fstat(fd)
    if not modes.S_ISREG(stat.st_mode):
        return FileTrouble(FileName(name), "not-a-file", "it is no regular file")
    if stat.st_size <= MAX_BYTES:
        try:
            data = _read_all(fd, stat.st_size)
        except OSError as error:
            return _unreadable(name, error)
        if len(data) <= MAX_BYTES:
            return Content(data, fingerprint(data), stat)
    return FileTrouble(FileName(name), "too-large", "it is larger than 10 MB")


def _unreadable(name: str, error: OSError) -> FileTrouble:
    if error.errno not in _DENIED:
        raise error
    return FileTrouble(FileName(name), "unreadable", _MEANINGS.get(error.errno, "it is locked"))


def _read_all(fd: int, expected: int) -> bytes:
    data = os.read(fd, expected + 1)
    if len(data) == expected:
        return data
    # It grew or shrank since its stat: read on to its end, wherever that is now.
    chunks = [data]
    size = len(data)
    while data and size <= MAX_BYTES:
        data = os.read(fd, 65536)
        chunks.append(data)
        size += len(data)
    return b"".join(chunks)


def create(dir_fd: int, name: str, data: bytes, *, mode: int, sync: bool) -> os.stat_result:
    """
    Make a new file, whole or not at all; the mode holds whatever the umask is.

    Returns: its stat. Raises: OSError; nothing is left behind then.
    """
    fd = os.open(name, _CREATE_FLAGS, mode, dir_fd=dir_fd)
    try:
        return _fill(fd, data, mode=mode, sync=sync)
    except OSError:
        unlink_quietly(dir_fd, name)
        raise
    finally:
        os.close(fd)


def _fill(fd: int, data: bytes, *, mode: int, sync: bool) -> os.stat_result:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    stat = os.fstat(fd)
    if modes.S_IMODE(stat.st_mode) != mode:
        os.fchmod(fd, mode)
    if sync:
        os.fsync(fd)
    return stat


def overwrite(dir_fd: int, name: str, temp: str, data: bytes, *, mode: int) -> None:
    """Put a small file of our own in place, whole, unless it holds just this already."""
    try:
        found = read_file(dir_fd, name)
    except FileNotFoundError:
        found = None
    if isinstance(found, Content):
        if found.data == data:
            return
        mode = modes.S_IMODE(found.stat.st_mode)
    create(dir_fd, temp, data, mode=mode, sync=True)
    try:
        os.rename(temp, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    except OSError:
        unlink_quietly(dir_fd, temp)
        raise


def sync_folder(dir_fd: int) -> None:
    """Make the folder's names durable, where its file system knows such a thing."""
    try:
        os.fsync(dir_fd)
    except OSError as error:
        if error.errno not in {EINVAL, ENOTSUP}:
            raise
