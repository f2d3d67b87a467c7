"""
The last answers about free and busy times, for the hours without a network: a file per account.

Knows how much is kept and for how long: times and statuses alone, no subject and no place. A file
that cannot be read holds nothing, since it is a memory and no state. The disk is waited for in a
thread.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from syncd.core.errors import DiskTrouble
from syncd.core.free_busy import Availability, Taken

__all__ = ["MOST_KEPT", "Schedules"]

MOST_KEPT: Final = 200
"""Answers, each about one address and one day."""
KEPT_FOR: Final = timedelta(days=30)
MOST_BYTES: Final = 16 * 1024 * 1024
VERSION: Final = 1


class _Content(msgspec.Struct, frozen=True):
    answers: tuple[Availability, ...] = ()
    version: int = VERSION


class Schedules:
    """
    The answers of one account, in the file `path` (0600), replaced in one step.

    Of two processes that add at once, one may be forgotten: its answers are asked for again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def about(
        self, addresses: Iterable[str], start: datetime, end: datetime
    ) -> list[Availability | None]:
        """The last answer about each address that covers a window of time, None where none does."""
        covering: dict[str, Availability] = {}
        kept = await asyncio.to_thread(self._read)
        for one in sorted(kept, key=lambda one: one.asked_at):
            if one.start <= start and end <= one.end:
                covering[one.address.casefold()] = one
        return [covering.get(address.casefold()) for address in addresses]

    async def add(self, answers: Iterable[Availability], now: datetime) -> None:
        """Keep answers; older ones about the same go, and so does what is too old or too much."""
        await asyncio.to_thread(self._add, list(answers), now)

    def _add(self, answers: list[Availability], now: datetime) -> None:
        """Raises: DiskTrouble."""
        kept = {_about(one): one for one in [*self._read(), *map(_bare, answers)]}
        fresh = [one for one in kept.values() if abs(now - one.asked_at) <= KEPT_FOR]
        # Of what was asked at once, the days that come first are the likeliest to be asked again.
        fresh.sort(key=lambda one: (-one.asked_at.timestamp(), one.start, one.address))
        self._write(msgspec.json.encode(_Content(tuple(fresh[:MOST_KEPT]))))

    def _read(self) -> tuple[Availability, ...]:
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
            with open(fd, "rb") as file:
                content = msgspec.json.decode(file.read(MOST_BYTES), type=_Content)
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
            return ()
        whole = content.version == VERSION and all(map(_is_aware, content.answers))
        return content.answers if whole else ()

    def _write(self, data: bytes) -> None:
        temp = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}.tmp")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                _write_new(temp, data)
                temp.replace(self._path)
            except BaseException:
                with suppress(OSError):
                    temp.unlink(missing_ok=True)
                raise
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DiskTrouble(
                f"the answers about free and busy times cannot be kept: {reason}"
            ) from error


def _about(one: Availability) -> tuple[str, datetime, datetime]:
    return (one.address.casefold(), one.start, one.end)


def _bare(one: Availability) -> Availability:
    entries = tuple(Taken(entry.status, entry.start, entry.end) for entry in one.entries)
    return msgspec.structs.replace(one, entries=entries)


def _is_aware(one: Availability) -> bool:
    times = [one.start, one.end, one.asked_at]
    times += [at for entry in one.entries for at in (entry.start, entry.end)]
    return all(at.tzinfo is not None for at in times)


def _write_new(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
