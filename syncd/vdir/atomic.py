"""
The kernel's tools for swapping a file that others may be writing at the same moment.

Knows renameat2(2), read leases (fcntl(2), F_SETLEASE) and syncfs(2), and how to get by on a file
system that lacks one of them. Knows no calendar and decides nothing: every failure is an OSError
for the caller to judge. All names are relative to a directory's descriptor; no link is followed.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
from errno import EACCES, EAGAIN, EEXIST, EINVAL, EMLINK, ENOENT, ENOSYS, ENOTSUP, EPERM
from typing import Literal

__all__ = [
    "Swaps",
    "give_up_lease",
    "lacks_exchange",
    "lease_kept",
    "link_new",
    "syncfs",
    "take_read_lease",
    "unlink_quietly",
]

_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2
_NOT_OFFERED = frozenset({EINVAL, ENOSYS, ENOTSUP})
_NO_LINKS = _NOT_OFFERED | {EPERM, EMLINK}

_libc = ctypes.CDLL(None, use_errno=True)
_renameat2 = getattr(_libc, "renameat2", None)  # musl has it only of late
if _renameat2 is not None:
    _renameat2.argtypes = (
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_uint,
    )


def lacks_exchange(error: OSError) -> bool:
    """Say whether an exchange failed because kernel or file system (NFS, FUSE) offer none."""
    return error.errno in _NOT_OFFERED


class Swaps:
    """The renames that a folder is worked with; another object may stand in to interfere."""

    def exchange(self, dir_fd: int, one: str, other: str) -> None:
        """Let two names swap their files in one step. Both must exist."""
        _rename(dir_fd, one, other, _RENAME_EXCHANGE)

    def move_new(self, dir_fd: int, source: str, target: str) -> None:
        """
        Rename to a name that must be free, in one step wherever the file system has such a step.

        Raises: FileExistsError: the name is in use.
        """
        try:
            _rename(dir_fd, source, target, _RENAME_NOREPLACE)
        except OSError as error:
            if not lacks_exchange(error):
                raise
            link_new(dir_fd, source, target)

    def move_over(self, dir_fd: int, source: str, target: str) -> None:
        """Rename over whatever has the name."""
        os.rename(source, target, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)


def link_new(dir_fd: int, source: str, target: str) -> None:
    """
    Move to a free name by link() and unlink().

    A file system without links (exFAT) leaves only looking first, which can miss a file made
    between the look and the rename.
    """
    try:
        os.link(source, target, src_dir_fd=dir_fd, dst_dir_fd=dir_fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _move_if_free(dir_fd, source, target)
    else:
        os.unlink(source, dir_fd=dir_fd)


def _move_if_free(dir_fd: int, source: str, target: str) -> None:
    try:
        os.lstat(target, dir_fd=dir_fd)
    except FileNotFoundError:
        os.rename(source, target, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
        return
    raise FileExistsError(EEXIST, os.strerror(EEXIST), target)


def _rename(dir_fd: int, source: str, target: str, flags: int) -> None:
    if _renameat2 is None:
        raise OSError(ENOSYS, os.strerror(ENOSYS), source)
    if _renameat2(dir_fd, os.fsencode(source), dir_fd, os.fsencode(target), flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), source)


def take_read_lease(fd: int) -> Literal["held", "busy", "unknown"]:
    """
    Ask that nobody have the file behind `fd` (opened read-only) open for writing.

    Returns: "held": nobody has, and whoever tries from now on waits until the lease is given up.
    "busy": someone has. "unknown": no leases here (network file systems, another owner's file).
    """
    try:
        # Breaking a lease sends SIGIO, which kills by default; SIGURG is ignored by default.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return "busy" if error.errno == EAGAIN else "unknown"
    return "held"


def lease_kept(fd: int) -> bool:
    """Say whether a held read lease still stands, that is, nobody is waiting to write."""
    return fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_RDLCK


def give_up_lease(fd: int) -> None:
    """End a lease, if there is one, which lets a waiting writer go on."""
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        if error.errno != EAGAIN:  # there was none
            raise


def syncfs(fd: int) -> None:
    """Write everything of the file system behind `fd` to its device."""
    if _libc.syncfs(fd) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def unlink_quietly(dir_fd: int, name: str) -> None:
    """Remove a name; that it is gone already, or cannot be removed, is no news to anyone."""
    try:
        os.unlink(name, dir_fd=dir_fd)
    except OSError as error:
        if error.errno not in {ENOENT, EACCES, EPERM}:
            raise
