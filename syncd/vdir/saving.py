"""
A download on its way to a file of a person's: beside the target until it is whole.

Knows that a name appears only with all its bytes behind it, safe on the disk, and that nothing of a
person's is overwritten unasked. Knows nothing of what is saved.
"""

from __future__ import annotations

import asyncio
import filecmp
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import BinaryIO, TypeVar

from syncd.core.errors import CommandError, DiskTrouble
from syncd.vdir.atomic import Swaps

__all__ = ["NewFile", "made_inside", "share_content"]

T = TypeVar("T")


class NewFile:
    """
    A temporary file in `folder`, as an async context manager; it is gone at the end unless kept.

    Raises: DiskTrouble, by every method.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temp = folder / f".syncd-{token_hex(8)}.part"
        self._file: BinaryIO | None = None
        self.size_bytes = 0

    async def __aenter__(self) -> NewFile:
        self._file = await self._off_loop(self._opened)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Not awaited: an interrupted command must not leave it behind.
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        with suppress(OSError):
            self._temp.unlink()

    def _opened(self) -> BinaryIO:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        return open(os.open(self._temp, flags, 0o600), "wb", buffering=0)

    async def empty(self) -> None:
        """Begin anew."""
        self.size_bytes = 0
        await self._off_loop(lambda: (self._open.seek(0), self._open.truncate()))

    async def write(self, data: bytes) -> None:
        """Append."""
        await self._off_loop(lambda: _write_all(self._open, data))
        self.size_bytes += len(data)

    async def keep_as(self, name: str, *, force: bool) -> Path:
        """
        Give it its name, once it is safe on the disk.

        Args: force: over a file that has the name. Raises: CommandError: one has it.
        """
        target = self._folder / name
        await self._off_loop(lambda: self._named(target, force=force))
        return target

    def _named(self, target: Path, *, force: bool) -> None:
        os.fsync(self._open.fileno())
        dir_fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            swaps = Swaps()
            move = swaps.move_over if force else swaps.move_new
            move(dir_fd, self._temp.name, target.name)
            os.fsync(dir_fd)
        except FileExistsError:
            raise taken(target) from None
        finally:
            os.close(dir_fd)

    @property
    def _open(self) -> BinaryIO:
        assert self._file is not None, "used as a context manager"
        return self._file

    async def _off_loop(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            raise DiskTrouble(
                f"cannot write to {str(self._folder)!r}: {error.strerror}",
                hint="Make room or mend the permissions, or choose another place with -o.",
            ) from error


def taken(target: Path) -> CommandError:
    """The error for a name that is in use."""
    return CommandError(
        f"{str(target)!r} exists", hint="Choose another with -o, or say --force to replace it."
    )


def _write_all(file: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def made_inside(folder: Path, names: Sequence[str]) -> Path:
    """
    A folder some levels below one that is there, made with mode 0700 where it is missing.

    Raises: DiskTrouble: it cannot be made, or something else bears the name, be it a link.
    """
    for name in names:
        folder = folder / name
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.is_symlink():
                raise DiskTrouble(f"{str(folder)!r} is a link, and nothing is written through it")
        except OSError as error:
            raise DiskTrouble(f"{str(folder)!r} cannot be made: {error.strerror}") from error
    return folder


def share_content(path: Path) -> None:
    """
    Let a file that was just saved and one of the same bytes in a folder beside its own be one.

    Both are for reading only by then: a program that wrote into the one would write into the other.
    Where that cannot be had, it stays a file of its own.
    """
    with suppress(OSError):
        path.chmod(0o400)
        twin = _twin_of(path)
        if twin is not None:
            _take_over(path, twin)


def _twin_of(path: Path) -> Path | None:
    others = sorted(path.parent.parent.glob("*/*"))
    return next((one for one in others if _is_twin(path, one)), None)


def _is_twin(path: Path, other: Path) -> bool:
    """Whether another regular file, reached by no link, has the same bytes."""
    if other.is_symlink() or other.parent.is_symlink() or not other.is_file():
        return False
    try:
        return not path.samefile(other) and filecmp.cmp(path, other, shallow=False)
    except OSError:
        return False


def _take_over(path: Path, twin: Path) -> None:
    temp = path.with_name(f".syncd-{token_hex(8)}.part")
    os.link(twin, temp, follow_symlinks=False)
    os.chmod(temp, 0o400)
    os.replace(temp, path)
