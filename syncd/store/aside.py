"""
A state database that cannot be used is put aside, whole, so that a fresh one can take its place.

Knows how the files of a database are called, which of them are no files of a database at all, and
that one which breaks again and again is no accident. Deletes nothing, and never looks inside.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from syncd.core.errors import DiskTrouble, StateError

__all__ = [
    "SIDE_FILES",
    "Corrupt",
    "Damaged",
    "put_aside",
    "refuse_obstacles",
    "refuse_unreadable",
    "set_aside_names",
]

SIDE_FILES = ("-wal", "-shm", "-journal")
"""Behind a database's name: what SQLite keeps beside it (https://sqlite.org/tempfiles.html)."""

MOST_A_DAY = 3
"""From then on it is the disk, the memory or a mistake of ours, and every recovery costs."""

_CHUNK_BYTES = 1 << 20
_DAY = timedelta(days=1)
_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"\.broken-(\d{8}T\d{6}Z)(?:-\d+)?")


class Damaged(StateError):
    """The database is none, or not whole: it can be put aside, and the next sync is a recovery."""

    hint = "`syncd sync` puts it aside, keeps it, and links files and events again."


class Corrupt(Damaged):
    """So says SQLite, and takes a disk that cannot be read for the same: it is looked at again."""


def refuse_unreadable(path: Path) -> None:
    """
    Read the database and what is beside it from end to end.

    Raises: DiskTrouble: the disk cannot read it, which is no damage of the database.
    """
    for one in _files(path):
        try:
            with one.open("rb") as file:
                while file.read(_CHUNK_BYTES):
                    pass
        except OSError as error:
            raise DiskTrouble(f"cannot read {str(one)!r}: {error.strerror}") from error


def refuse_obstacles(path: Path) -> None:
    """
    Say what cannot be a database before SQLite tries to make one of it.

    Raises: Damaged: a folder, a pipe or a device bears one of its names; or its log is there alone.
    """
    for one in _files(path):
        if not _may_be_opened(one):
            raise Damaged(f"the state database is damaged: {one.name} is no file")
    # SQLite deletes the log of a database that is empty; it may hold the last commits.
    if not _size(path) and _size(_beside(path, "-wal")):
        raise Damaged("the state database is damaged: it is empty, but its log is not")


def put_aside(path: Path, now: datetime) -> Path | None:
    """
    Rename the database and what is beside it; None where there is nothing.

    Returns: its new name, which ends in `.broken-` and the time.
    Raises: StateError: it happened too often today. DiskTrouble: a file cannot be renamed.
    """
    found = list(_files(path))
    if not found:
        return None
    _refuse_too_many(path, now)
    kept = _free_name(path, now)
    for one in found:
        try:
            one.rename(kept.with_name(kept.name + one.name.removeprefix(path.name)))
        except OSError as error:
            raise DiskTrouble(f"cannot put {str(one)!r} aside: {error.strerror}") from error
    return kept


def set_aside_names(path: Path) -> list[str]:
    """The databases that were put aside here, oldest first, without what was beside them."""
    try:
        names = sorted(os.listdir(path.parent))
    except OSError:
        return []
    return [name for name in names if _stamp_of(path, name)]


def _files(path: Path) -> Iterator[Path]:
    # The database first: if this is cut short, a log without a database is told as such.
    for suffix in ("", *SIDE_FILES):
        if os.path.lexists(one := _beside(path, suffix)):
            yield one


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _may_be_opened(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        # A link into nothing, or what may not be looked at: opening it tells why.
        return True
    return stat.S_ISREG(mode)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _stamp_of(path: Path, name: str) -> str | None:
    found = _NAME.fullmatch(name.removeprefix(path.name)) if name.startswith(path.name) else None
    return found[1] if found else None


def _refuse_too_many(path: Path, now: datetime) -> None:
    stamps = [_stamp_of(path, name) or "" for name in set_aside_names(path)]
    recent = [one for one in stamps if one > _text(now - _DAY)]
    if len(recent) >= MOST_A_DAY:
        raise StateError(
            f"the state database is damaged, for the {len(recent) + 1}th time within a day",
            hint=f"Check disk and memory; then move {str(path)!r} aside yourself.",
        )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime(_STAMP)


def _free_name(path: Path, now: datetime) -> Path:
    base = f"{path.name}.broken-{_text(now)}"
    number, name = 1, base
    while os.path.lexists(path.with_name(name)):
        number += 1
        name = f"{base}-{number}"
    return path.with_name(name)
