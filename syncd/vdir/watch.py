"""
Notices that someone worked in the export folder, and says in which calendar's folder.

Knows kernel notifications and their gaps: a folder that is replaced, mounted over or made later, a
queue that overflows, a watch that fails. After each gap it says "look everywhere". Each folder is
watched by itself, since a recursive watch would follow links out of the export folder. Knows
nothing of what changed, and reads no file.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

from watchfiles import Change, awatch

from syncd.core.names import is_item_name
from syncd.ports import Clock
from syncd.vdir.names import MARKER

__all__ = ["Everything", "FolderWatch", "Touched", "touched"]

DEBOUNCE_MS = 100
STEP_MS = 20
TICK_MS = 2000
RETRY_S = 10.0
FLOOD = 1000
"""
The kernel drops events beyond 16,384 unread ones, and the library that reads them does not pass the
notice on. So many names at once may be the rest of such a flood.
"""


@dataclass(frozen=True, slots=True)
class Touched:
    """Something happened to items or markers in these calendars' folders."""

    folders: frozenset[Path]


@dataclass(frozen=True, slots=True)
class Everything:
    """Any folder may have changed: the watch has just begun, or events were missed."""


_Identity = tuple[int, int]
_Batch = set[tuple[Change, str]]


class FolderWatch:
    """
    Watches `<export_dir>/<account>/<calendar>/`, whichever of them exist at a time.

    Args: tick_ms: how often to ask whether the folders are still the ones being watched; a mount
        sends no notification.
    """

    def __init__(self, export_dir: Path, *, clock: Clock, tick_ms: int = TICK_MS) -> None:
        self._export_dir = export_dir
        self._clock = clock
        self._tick_ms = tick_ms

    async def changes(self, *, stop: asyncio.Event) -> AsyncGenerator[Touched | Everything, None]:
        """
        Yield what happened until `stop` is set; begins with `Everything` once the watch stands.

        Never raises for the file system's sake: where no watch can be had (missing folder, limits
        used up) it says `Everything` now and then. Several changes within about 0.1 s are one.
        """
        while not stop.is_set():
            folders = await asyncio.to_thread(_folders, self._export_dir)
            with suppress(OSError, RuntimeError):
                async with aclosing(self._armed(folders, stop)) as events:
                    async for event in events:
                        yield event
                    continue
            yield Everything()
            await self._pause(stop)

    async def _armed(
        self, folders: Mapping[Path, _Identity], stop: asyncio.Event
    ) -> AsyncGenerator[Touched | Everything, None]:
        """Watch until the folders are no longer these. Raises: OSError, RuntimeError."""
        if not folders:
            raise FileNotFoundError(str(self._export_dir))
        async with aclosing(_batches(folders, stop, self._tick_ms)) as batches:
            async for batch in batches:
                if batch is None:
                    yield Everything()
                    continue
                if await asyncio.to_thread(_folders, self._export_dir) != folders:
                    return
                event = touched(self._export_dir, [path for _, path in batch])
                if event is not None:
                    yield event

    async def _pause(self, stop: asyncio.Event) -> None:
        sleep = asyncio.ensure_future(self._clock.sleep(RETRY_S))
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({sleep, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            stopped.cancel()


def touched(export_dir: Path, paths: Sequence[str]) -> Touched | Everything | None:
    """Say what changes at these absolute paths mean; None where they concern no item."""
    if len(paths) >= FLOOD:
        return Everything()
    folders = {folder for path in paths if (folder := _folder_of(export_dir, path)) is not None}
    return Touched(frozenset(folders)) if folders else None


def _folder_of(export_dir: Path, path: str) -> Path | None:
    """The calendar's folder, if the path is that of an item or a marker in one."""
    parts = path.removeprefix(f"{export_dir}/").split("/")
    if len(parts) != 3 or any(part.startswith(".") for part in parts[:2]):
        return None
    account, calendar, name = parts
    return export_dir / account / calendar if name == MARKER or is_item_name(name) else None


async def _batches(
    folders: Iterable[Path], stop: asyncio.Event, tick_ms: int
) -> AsyncGenerator[_Batch | None, None]:
    """None once the watch stands, then every batch of changes, and an empty one each tick."""
    halt = asyncio.Event()  # the library sets the event that it is given when it is cancelled
    relay = asyncio.ensure_future(_relay(stop, halt))
    stream = awatch(
        *folders,
        watch_filter=None,
        debounce=DEBOUNCE_MS,
        step=STEP_MS,
        stop_event=halt,
        rust_timeout=tick_ms,
        yield_on_timeout=True,
        recursive=False,
    )
    first = asyncio.ensure_future(anext(stream))
    try:
        await asyncio.sleep(0)  # up to its first wait the stream sets up the watch
        if not first.done():
            yield None
        with suppress(StopAsyncIteration):
            yield await first
        async for batch in stream:
            yield batch
    finally:
        halt.set()
        relay.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await stream.aclose()


async def _relay(stop: asyncio.Event, halt: asyncio.Event) -> None:
    await stop.wait()
    halt.set()


def _folders(export_dir: Path) -> dict[Path, _Identity]:
    """The folders to watch, and what tells that another one has taken a name."""
    try:
        stat = os.stat(export_dir)  # the one folder that may be a link: the person named it
    except OSError:
        return {}
    accounts = _subfolders(export_dir)
    found = {export_dir: (stat.st_dev, stat.st_ino)} | accounts
    for account in accounts:
        found |= _subfolders(account)
    return found


def _subfolders(folder: Path) -> dict[Path, _Identity]:
    """The visible folders in a folder, links excepted; those that cannot be read are none."""
    found: dict[Path, _Identity] = {}
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                # entry.inode() would give what lies under a mount.
                stat = entry.stat(follow_symlinks=False)
                found[folder / entry.name] = (stat.st_dev, stat.st_ino)
    return found
