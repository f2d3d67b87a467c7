"""The watch over the export folder: what it says, what it passes over, and how it mends itself."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from syncd.testing import FakeClock
from syncd.vdir.names import temp_name
from syncd.vdir.watch import FLOOD, Everything, FolderWatch, Touched, touched


class Listener:
    """The next thing a watch says, within a bounded time."""

    def __init__(self, events: AsyncIterator[Touched | Everything]) -> None:
        self._events = events

    async def next(self) -> Touched | Everything:
        async with asyncio.timeout(5):
            return await anext(self._events)


@asynccontextmanager
async def listening(export_dir: Path) -> AsyncIterator[Listener]:
    """A watch that stands: its first `Everything` has been heard."""
    watch = FolderWatch(export_dir, clock=FakeClock(), tick_ms=50)
    async with aclosing(watch.changes(stop=asyncio.Event())) as events:
        listener = Listener(events)
        assert await listener.next() == Everything()
        yield listener


@pytest.fixture
def calendar(tmp_path: Path) -> Path:
    folder = tmp_path / "work" / "Calendar"
    folder.mkdir(parents=True)
    (folder.parent / "Other").mkdir()
    (folder / "old.ics").write_bytes(b"1")
    return folder


def hard_link(folder: Path) -> None:
    """How khal and vdirsyncer make a new file: its name only ever sees IN_CREATE."""
    temp = folder / "new.ics8f3k2x1y"
    temp.write_bytes(b"1")
    os.link(temp, folder / "new.ics")
    temp.unlink()


def rename_over(folder: Path) -> None:
    temp = folder / "old.ics~tmp"
    temp.write_bytes(b"2")
    temp.rename(folder / "old.ics")


@pytest.mark.parametrize(
    "act",
    [
        hard_link,
        rename_over,
        lambda folder: (folder / "old.ics").write_bytes(b"2"),
        lambda folder: (folder / "old.ics").unlink(),
        lambda folder: (folder / "old.ics").rename(folder / "other.ics"),
        lambda folder: (folder / ".syncd").write_bytes(b"{}"),
    ],
    ids=["hard link", "rename over", "in place", "delete", "rename", "marker"],
)
async def test_every_way_of_saving_is_noticed(
    calendar: Path, act: Callable[[Path], object]
) -> None:
    """The calendar's folder is named, however the program writes."""
    async with listening(calendar.parents[1]) as listener:
        act(calendar)

        assert await listener.next() == Touched(frozenset({calendar}))


async def test_other_names_are_passed_over(calendar: Path) -> None:
    """Temporary and hidden files say nothing; the next item does."""
    async with listening(calendar.parents[1]) as listener:
        (calendar / temp_name("a.ics", "swap", "0" * 16)).write_bytes(b"1")
        (calendar / ".hidden.ics").write_bytes(b"1")
        (calendar / "old.ics~").write_bytes(b"1")
        (calendar / "color").write_bytes(b"#112233")
        (calendar.parent / "loose.ics").write_bytes(b"1")
        (calendar.parent / "Other" / "a.ics").write_bytes(b"1")

        assert await listener.next() == Touched(frozenset({calendar.parent / "Other"}))


async def test_a_replaced_folder_is_watched_anew(calendar: Path) -> None:
    """Another folder under the name: look everywhere, and hear what happens in the new one."""
    async with listening(calendar.parents[1]) as listener:
        calendar.rename(calendar.with_name("Away"))
        calendar.mkdir()
        said = await listener.next()
        (calendar / "new.ics").write_bytes(b"1")

        assert said == Everything()
        while said == Everything():
            said = await listener.next()
        assert said == Touched(frozenset({calendar}))


async def test_a_replaced_export_folder_is_noticed(calendar: Path, tmp_path: Path) -> None:
    """The tick notices what sends no notification."""
    export = tmp_path / "export"
    (export / "work" / "Calendar").mkdir(parents=True)
    async with listening(export) as listener:
        export.rename(tmp_path / "away")
        (export / "work" / "Calendar").mkdir(parents=True)

        assert await listener.next() == Everything()


async def test_a_new_calendars_folder_is_watched(calendar: Path) -> None:
    """A folder that is made later belongs to the watch from then on."""
    new = calendar.with_name("New")
    async with listening(calendar.parents[1]) as listener:
        new.mkdir()
        said = await listener.next()
        (new / "a.ics").write_bytes(b"1")

        assert said == Everything()
        while said == Everything():
            said = await listener.next()
        assert said == Touched(frozenset({new}))


async def test_a_missing_export_folder_is_waited_for(tmp_path: Path) -> None:
    """Without a folder there is no watch, only looks now and then, until there is one."""
    export = tmp_path / "later"
    async with listening(export) as listener:
        assert await listener.next() == Everything()
        (export / "work" / "Calendar").mkdir(parents=True)
        (export / "work" / "Calendar" / "a.ics").write_bytes(b"1")

        assert await listener.next() == Everything()


async def test_links_are_not_followed(
    calendar: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What happens behind a link in the export folder is nobody's business here."""
    outside = tmp_path_factory.mktemp("outside")
    calendar.with_name("Link").symlink_to(outside)
    async with listening(calendar.parents[1]) as listener:
        (outside / "a.ics").write_bytes(b"1")
        (calendar / "a.ics").write_bytes(b"1")

        assert await listener.next() == Touched(frozenset({calendar}))


async def test_a_stopped_watch_ends(calendar: Path) -> None:
    """Setting the event ends the iteration."""
    stop = asyncio.Event()
    heard = []
    async with asyncio.timeout(5):
        async for event in FolderWatch(calendar.parents[1], clock=FakeClock()).changes(stop=stop):
            heard.append(event)
            stop.set()

    assert heard == [Everything()]


def test_a_flood_means_look_everywhere() -> None:
    """So many names at once may have cost others their notice."""
    export = Path("/export")
    paths = [f"/export/work/Calendar/{number}.ics" for number in range(FLOOD)]

    assert touched(export, paths) == Everything()
    assert touched(export, paths[1:]) == Touched(frozenset({export / "work" / "Calendar"}))


@pytest.mark.parametrize(
    "path",
    [
        "/export",
        "/export/work",
        "/export/a.ics",
        "/export/work/Calendar",
        "/export/.feeds/work/a.ics",
        "/export/work/Calendar/.attachments/a.ics",
        "/elsewhere/work/Calendar/a.ics",
    ],
)
def test_paths_that_concern_no_item(path: str) -> None:
    """Only an item or a marker in a calendar's folder counts."""
    assert touched(Path("/export"), [path]) is None
