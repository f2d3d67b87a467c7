"""
The system calls of a child process, held up one by one before the kernel carries them out.

The child puts a seccomp filter on itself (seccomp(2), SECCOMP_RET_USER_NOTIF), which all its
threads inherit; the parent is told of each call by its thread and arguments, and answers: carry it
out, or fail with an errno. While it thinks, the call has not happened and its thread waits, so that
a process killed there is killed exactly before it. Only calls on files below some folders, and on
TCP connections, are told of. Knows Linux on x86-64 and nothing of syncd.

Why not strace: it counts for each thread and each kind of call apart, so that no number names one
moment of a process with several threads; and attaching it costs more than a whole sync.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import select
import signal
import socket
import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final, NoReturn

__all__ = ["CHANGES", "FORCES", "NETWORK", "READS", "Call", "Child", "NotPermitted", "is_permitted"]

_NUMBERS: Final[Mapping[str, int]] = {
    "read": 0,
    "write": 1,
    "pread64": 17,
    "pwrite64": 18,
    "writev": 20,
    "getdents64": 217,
    "fsync": 74,
    "fdatasync": 75,
    "syncfs": 306,
    "ftruncate": 77,
    "fchmod": 91,
    "rename": 82,
    "renameat": 264,
    "renameat2": 316,
    "mkdir": 83,
    "mkdirat": 258,
    "link": 86,
    "linkat": 265,
    "unlink": 87,
    "unlinkat": 263,
    "rmdir": 84,
    "openat": 257,
    "sendto": 44,
    "sendmsg": 46,
    "recvfrom": 45,
}
_NAMES: Final = {number: name for name, number in _NUMBERS.items()}

FORCES: Final = ("fsync", "fdatasync", "syncfs")
READS: Final = ("openat-read", "read", "pread64", "getdents64")
NETWORK: Final = ("sendto", "sendmsg", "recvfrom")
CHANGES: Final = (
    *("openat", "write", "pwrite64", "writev", "ftruncate", "fchmod", *FORCES),
    *("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat"),
    *("mkdir", "mkdirat", "rmdir"),
)
"""What changes a disk; `openat` stands for opening to write or to create alone."""

# Which arguments name a file: (descriptor of a folder or None, path), or a descriptor by itself.
_PATHS: Final[Mapping[str, Sequence[tuple[int | None, int]]]] = {
    "openat": ((0, 1),),
    "rename": ((None, 0), (None, 1)),
    "renameat": ((0, 1), (2, 3)),
    "renameat2": ((0, 1), (2, 3)),
    "mkdir": ((None, 0),),
    "mkdirat": ((0, 1),),
    "link": ((None, 0), (None, 1)),
    "linkat": ((0, 1), (2, 3)),
    "unlink": ((None, 0),),
    "unlinkat": ((0, 1),),
    "rmdir": ((None, 0),),
}

_libc = ctypes.CDLL(None, use_errno=True)
_SECCOMP, _PIDFD_GETFD = 317, 438
_SET_MODE_FILTER = 1
_NEW_LISTENER, _WAIT_KILLABLE = 1 << 3, 1 << 5
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV, _SEND
_CONTINUE = 1
_ARCHITECTURE = 0xC000003E  # AUDIT_ARCH_X86_64
_AT_FDCWD = -100
_FRAME_HEAD_BYTES = 24

# <linux/bpf_common.h>: load a word, jump if equal, jump if any bit, return.
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _TELL = 0x7FFF0000, 0x7FC00000
_NR_AT, _ARCH_AT, _FLAGS_AT = 0, 4, 16 + 2 * 8
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class NotPermitted(Exception):
    """The kernel, or what confines this process, does not let a parent hold up calls."""


@dataclass(frozen=True, slots=True)
class Call:
    """
    One call before it happens.

    Args:
        name: of the system call. what: the paths, or the first line of a request.
        commits: it is the head of a frame that ends a transaction in SQLite's log
            (https://sqlite.org/fileformat2.html, 4.2).
    """

    name: str
    what: str
    commits: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.what}"


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _filter(names: Collection[str]) -> bytes:
    """The filter that tells of these calls; `openat` of those that write, `openat-read` of all."""
    plain = [_NUMBERS[name] for name in names if not name.startswith("openat")]
    if "openat-read" in names:
        plain.append(_NUMBERS["openat"])
    opens = "openat" in names and "openat-read" not in names
    steps = [(_LOAD, 0, 0, _ARCH_AT), (_EQUAL, 1, 0, _ARCHITECTURE), (_RETURN, 0, 0, _ALLOW)]
    steps.append((_LOAD, 0, 0, _NR_AT))
    for at, number in enumerate(plain):
        steps.append((_EQUAL, len(plain) - at + (3 if opens else 0), 0, number))
    if opens:
        steps.append((_EQUAL, 0, 2, _NUMBERS["openat"]))
        steps.append((_LOAD, 0, 0, _FLAGS_AT))
        steps.append((_ANY_BIT, 1, 0, _WRITING))
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _TELL)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _install(names: Collection[str]) -> int:
    """Filter this process from now on. Returns: the listener. Raises: OSError."""
    code = _filter(names)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    flags = _NEW_LISTENER | _WAIT_KILLABLE
    fd = int(_libc.syscall(_SECCOMP, _SET_MODE_FILTER, flags, ctypes.byref(program)))
    if fd < 0:
        code_ = ctypes.get_errno()
        raise OSError(code_, os.strerror(code_))
    return fd


def _copied_fd(pidfd: int, fd: int) -> int:
    """A copy of another process's descriptor (pidfd_getfd(2)). Raises: OSError."""
    copy = int(_libc.syscall(_PIDFD_GETFD, pidfd, fd, 0))
    if copy < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return copy


class Child:
    """
    A forked copy of this process that does `act` and ends with the code it returns.

    Args:
        names: the calls to be told of; none lets it run freely. below: the folders to watch.
    Raises: NotPermitted.
    """

    def __init__(
        self, act: Callable[[], int], names: Collection[str] = (), below: Sequence[str] = ()
    ) -> None:
        self._below = tuple(below)
        self._families: dict[str, bool] = {}
        self._listener = -1
        told, tell = os.pipe()
        wait, go = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(told)
            os.close(go)
            _be_child(act, names, tell, wait)
        os.close(tell)
        os.close(wait)
        self._pidfd = os.pidfd_open(self.pid)
        with os.fdopen(told) as answer, os.fdopen(go, "wb", 0) as start:
            # The child cannot send its listener, since sending may be what it is to be filtered
            # for; that it closes its end says that the filter stands.
            number = answer.read()
            if names:
                self._listener = self._taken(number)
            start.write(b"!")

    def _taken(self, number: str) -> int:
        try:
            return _copied_fd(self._pidfd, int(number))
        except (ValueError, OSError) as error:
            self.kill()
            self.wait(10)
            raise NotPermitted(f"system calls cannot be held up here: {number or error}") from error

    def kill(self) -> None:
        """kill -9."""
        self.send(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; that it has ended already is no matter."""
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return

    def wait(self, limit_s: float, decide: Callable[[Call], int] | None = None) -> int | None:
        """
        Let it run to its end.

        Args: decide: asked about each call, answers 0 to let it happen, or an errno.
        Returns: its exit code, negative for a signal; None if it hung and was killed.
        """
        end = monotonic() + limit_s
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        if self._listener >= 0:
            poll.register(self._listener, select.POLLIN)
        hung = False
        while True:
            ready = dict(poll.poll(max(end - monotonic(), 0) * 1000))
            if self._pidfd in ready:
                break
            if not ready:
                hung = True
                self.kill()
                end += 10
            elif ready[self._listener] & select.POLLIN:
                self._answer(decide)
            else:  # everyone who was filtered has ended
                poll.unregister(self._listener)
        _, status = os.waitpid(self.pid, 0)
        self._close()
        return None if hung else os.waitstatus_to_exitcode(status)

    def _close(self) -> None:
        os.close(self._pidfd)
        if self._listener >= 0:
            os.close(self._listener)

    def _answer(self, decide: Callable[[Call], int] | None) -> None:
        buffer = bytearray(80)
        try:
            fcntl.ioctl(self._listener, _RECEIVE, buffer)
        except OSError:  # it was killed in between
            return
        number, tid = struct.unpack_from("=QI", buffer)
        nr, _, _, *arguments = struct.unpack_from("=iIQ6Q", buffer, 16)
        call = self._call(_NAMES[nr], tid, arguments)
        code = decide(call) if call is not None and decide is not None else 0
        answer = struct.pack("=QqiI", number, 0, -code, 0 if code else _CONTINUE)
        try:
            fcntl.ioctl(self._listener, _SEND, answer)
        except OSError:
            return

    def _call(self, name: str, tid: int, arguments: Sequence[int]) -> Call | None:
        """What a call is about; None where it is none of ours. Never fails: it may be dead."""
        try:
            if name in _PATHS:
                return self._on_paths(name, tid, arguments)
            target = os.readlink(f"/proc/{tid}/fd/{arguments[0]}")
            if target.startswith("socket:"):
                return self._on_socket(name, tid, arguments, target)
            if not self._is_below(target):
                return None
            return Call(name, target, _is_commit(name, tid, arguments, target))
        except OSError:
            return None

    def _on_paths(self, name: str, tid: int, arguments: Sequence[int]) -> Call | None:
        paths = []
        for folder, at in _PATHS[name]:
            path = _text(tid, arguments[at])
            if folder is not None and not path.startswith("/"):
                fd = ctypes.c_int(arguments[folder]).value
                base = f"/proc/{tid}/cwd" if fd == _AT_FDCWD else f"/proc/{tid}/fd/{fd}"
                path = f"{os.readlink(base)}/{path}"
            paths.append(path)
        if name == "openat" and not arguments[2] & _WRITING:
            name = "openat-read"
        return Call(name, " -> ".join(paths)) if any(map(self._is_below, paths)) else None

    def _is_below(self, path: str) -> bool:
        return any(path == one or path.startswith(f"{one}/") for one in self._below)

    def _on_socket(self, name: str, tid: int, arguments: Sequence[int], target: str) -> Call | None:
        if target not in self._families:
            copy = socket.socket(fileno=_copied_fd(self._pidfd, arguments[0]))
            with copy:
                self._families[target] = copy.family == socket.AF_INET
        if not self._families[target]:
            return None
        if name in ("sendto", "write"):
            line = _bytes(tid, arguments[1], 120).partition(b"\r\n")[0].decode(errors="replace")
            return Call(name, line[:100])
        return Call(name, "an answer" if name == "recvfrom" else "a request")


def _is_commit(name: str, tid: int, arguments: Sequence[int], target: str) -> bool:
    if name != "pwrite64" or arguments[2] != _FRAME_HEAD_BYTES or not target.endswith("-wal"):
        return False
    return _bytes(tid, arguments[1], 8)[4:] != bytes(4)


def _text(tid: int, address: int) -> str:
    return os.fsdecode(_bytes(tid, address, 1024).partition(b"\0")[0])


def _bytes(tid: int, address: int, count: int) -> bytes:
    """So many bytes of a thread's memory, fewer where the page ends it."""
    fd = os.open(f"/proc/{tid}/mem", os.O_RDONLY)
    try:
        return os.pread(fd, count, address)
    finally:
        os.close(fd)


def _be_child(act: Callable[[], int], names: Collection[str], tell: int, wait: int) -> NoReturn:
    code = 99
    try:
        # It must not outlive whoever answers for it.
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        listener = _listening(names, tell) if names else -1
        os.close(tell)
        os.read(wait, 1)
        os.close(wait)
        if listener >= 0:
            os.close(listener)
        code = act()
    finally:
        os._exit(code)


def _listening(names: Collection[str], tell: int) -> int:
    """Filter this process; the listener's number is told first, as writing may be told of."""
    free = os.dup(tell)
    os.close(free)
    try:
        os.write(tell, str(free).encode())
        return _install(names)
    except OSError as error:
        os.write(tell, f" {error.strerror}".encode())
        raise


def is_permitted(folder: Path) -> str:
    """Why calls cannot be held up here, "" where they can."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return "system calls are held up on Linux and x86-64 only"
    seen: list[Call] = []

    def act() -> int:
        (folder / "probe").write_bytes(b"probe")
        return 0

    def decide(call: Call) -> int:
        seen.append(call)
        return 0

    try:
        Child(act, ("openat", "write"), [str(folder)]).wait(10, decide)
    except NotPermitted as error:
        return f"{error} (Linux 5.19 or newer, and a container that allows seccomp)"
    return "" if [call.name for call in seen] == ["openat", "write"] else f"told of {seen}"
