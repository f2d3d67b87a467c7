"""One mailbox and two machines: each with its own installation, or one beside a file syncer."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from syncd.simulator.faults import FaultKind, Faults
from syncd.store.store import Store
from tests.rounds.judge import in_folder, on_service
from tests.rounds.world import NOW, World, event, ics, world

FIRST, LAST = NOW - timedelta(days=80), NOW + timedelta(days=300)
GUESTS = [{"emailAddress": {"address": "ada@example.org"}, "type": "required"}]


@asynccontextmanager
async def two(root: Path) -> AsyncIterator[tuple[World, World]]:
    """Two installations on one mailbox, which know nothing of each other."""
    async with world(root / "one", faults=Faults()) as one:
        other = World(
            root / "two", one.clock, one.service, one.server, one.settings, await opened()
        )
        try:
            yield one, other
        finally:
            await other.stack.aclose()
            await other.store.close()


async def opened() -> Store:
    return await Store.open(None)


@dataclass
class Hand:
    """
    Somebody at work; `wrote` are all the titles they gave, each of them once in the world.

    `replaced` is what they saw and wrote over, or deleted; `mailing`: how many of their saves
    change a meeting with guests.
    """

    name: str
    rng: Random
    wrote: list[str] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)
    mailing: int = 0

    def title(self) -> str:
        self.wrote.append(f"{self.name}-{len(self.wrote)}")
        return self.wrote[-1]

    def in_folder(self, w: World, folder: Path) -> None:
        """One edit, as an editor, a script or `rm` makes it."""
        w.clock.advance(7)
        paths = sorted(folder.glob("*.ics"))
        does = self.rng.choice(["title", "title", "place", "make", "delete"])
        if does == "make" or not paths:
            title, day = self.title(), self.rng.randrange(10, 28)
            text = ics(title, title, f"202603{day}T090000", f"202603{day}T093000")
            (folder / f"{title}.ics").write_bytes(text.replace("\n", "\r\n").encode())
            return
        path = self.rng.choice(paths)
        data = path.read_bytes()
        self.mailing += b"ATTENDEE" in data
        if does == "delete" and b"ATTENDEE" not in data:
            self.replaced |= {value_of(data, "title"), value_of(data, "place")}
            path.unlink()
            return
        does = "title" if does == "delete" else does
        self.replaced.add(value_of(data, does))
        path.write_bytes(with_line(data, does, self.title()))

    def on_service(self, w: World) -> None:
        """One edit in Outlook."""
        items = w.box.items(w.calendar)
        does = self.rng.choice(["title", "place", "make", "delete"])
        if does == "make" or not items:
            day = self.rng.randrange(10, 28)
            start, end = f"2026-03-{day}T14:00:00", f"2026-03-{day}T15:00:00"
            w.box.create(w.calendar, event(self.title(), start, end))
            return
        item = self.rng.choice(items)
        if does == "delete" and not item.values.get("attendees"):
            w.box.delete(item.default_id)
        elif does == "place":
            w.box.patch(item.default_id, {"location": {"displayName": self.title()}})
        else:
            w.box.patch(item.default_id, {"subject": self.title()})


def value_of(data: bytes, does: str) -> str:
    """The title or place of a file, "" where it has none."""
    name = b"SUMMARY" if does == "title" else b"LOCATION"
    found = [one for one in data.split(b"\r\n") if one.startswith((name + b":", name + b";"))]
    return found[0].partition(b":")[2].decode() if found else ""


def with_line(data: bytes, does: str, value: str) -> bytes:
    """The file with another title or place, all else as it is."""
    name = b"SUMMARY" if does == "title" else b"LOCATION"
    lines = [one for one in data.split(b"\r\n") if not one.startswith((name + b":", name + b";"))]
    at = next(n for n, one in enumerate(lines) if one.startswith(b"DTSTAMP"))
    return b"\r\n".join([*lines[:at], name + b":" + value.encode(), *lines[at:]])


def begin(w: World) -> None:
    for number in range(10, 22):
        day = f"2026-03-{number}T"
        w.box.create(w.calendar, event(f"Event {number}", day + "10:00:00", day + "11:00:00"))
    guests = event("Meeting", "2026-03-25T10:00:00", "2026-03-25T11:00:00", attendees=GUESTS)
    w.box.create(w.calendar, guests)


async def settle(*machines: World) -> None:
    """Syncs by turns until nothing moves any more."""
    for _ in range(8):
        machines[0].clear()
        for one in machines:
            await one.code()
            one.clock.advance(130)
        if not machines[0].writes():
            return
    raise AssertionError("the machines never come to rest")


async def lost(hands: Iterable[Hand], w: World) -> list[str]:
    """What somebody wrote in a folder that nobody replaced and that nothing has any more."""
    known = await kept(w)
    replaced = {title for hand in hands for title in hand.replaced}
    return [one for hand in hands for one in hand.wrote if one not in known and one not in replaced]


async def kept(w: World) -> str:
    """Everything that an installation has of old and new versions."""
    records = await w.store.history(None, 100_000)
    texts = [text for one in records for text in (one.before, one.after)]
    now = [path.read_bytes() for path in w.folder.glob("*.ics")]
    listed = [repr(one).encode() for one in await w.store.problems()]
    return b"\n".join([*texts, *now, *listed]).replace(b"\r\n ", b"").decode()


def titles(seen: Counter[tuple[str, str, str, str]]) -> Counter[str]:
    return Counter(title for title, *_ in seen.elements())


def once(w: World, hands: Iterable[Hand]) -> None:
    """No event is there twice, on neither side, and no save mailed anybody twice."""
    assert not {one: n for one, n in titles(in_folder(w.folder, FIRST, LAST)).items() if n > 1}
    there = titles(on_service(w.box, w.calendar, FIRST, LAST))
    assert not {one: n for one, n in there.items() if n > 1}
    assert len(w.mails()) <= sum(one.mailing for one in hands)


async def test_what_two_machines_make_again_is_one_event(tmp_path: Path) -> None:
    """
    An event is deleted in Outlook while both have edited its file, and one makes it again before
    the other can read of that: the service takes one of them, and what differs is weighed.
    """
    async with two(tmp_path) as (one, other):
        one.box.create(one.calendar, event("Plan", "2026-03-05T10:00:00", "2026-03-05T11:00:00"))
        assert (await one.code(), await other.code()) == (0, 0)
        [item] = one.box.items(one.calendar)
        one.box.delete(item.default_id)
        one.edit("Plan", b"SUMMARY:Plan", b"SUMMARY:Mine")
        other.edit("Plan", b"SUMMARY:Plan", b"SUMMARY:Theirs")
        assert await other.code() == 0
        one.server.faults.script(FaultKind.LAGGING, method="^GET$", path="/events/[^/?]+", times=1)

        for w in (one, other, one, other):
            assert await w.code() == 0

        assert [one.values["subject"] for one in one.box.items(one.calendar)] == ["Theirs"]
        assert one.subjects() == other.subjects() == ["Theirs"]
        kept = [problem.lost for problem in await one.store.problems() if problem.lost]
        assert [lost.version.master.subject for lost in kept] == ["Mine"]


@pytest.mark.parametrize("seed", range(4))
async def test_two_installations_converge(tmp_path: Path, seed: int) -> None:
    """Both folders and the mailbox say the same, nothing is there twice, and nothing is lost."""
    rng = Random(seed)
    async with two(tmp_path) as (one, other):
        begin(one)
        await settle(one, other)
        hands = [Hand("one", rng), Hand("other", rng), Hand("outlook", rng)]
        for _ in range(30):
            match rng.randrange(5):
                case 0 | 1 as machine:
                    hands[machine].in_folder(one, (one, other)[machine].folder)
                case 2:
                    hands[2].on_service(one)
                case 3:
                    await one.sync()
                case 4:
                    await other.sync()
        await settle(one, other)

        here = in_folder(one.folder, FIRST, LAST)
        assert here == in_folder(other.folder, FIRST, LAST)
        assert here == on_service(one.box, one.calendar, FIRST, LAST)
        once(one, hands)
        for hand, w in zip(hands, (one, other), strict=False):
            assert await lost([hand], w) == []


# --- a file syncer -------------------------------------------------------------------------------


@dataclass
class FileSyncer:
    """
    Copies a folder both ways, as Syncthing does: whole files, by a temporary name, hidden ones too.

    What was changed on both machines stays as a copy under another name beside the later one.
    """

    here: Path
    there: Path
    known: dict[str, bytes] = field(default_factory=dict)
    copies: int = 0

    def run(self) -> None:
        ours, theirs = contents(self.here), contents(self.there)
        for name in sorted({*ours, *theirs, *self.known}):
            self._bring(name, ours.get(name), theirs.get(name))
        self.known = contents(self.here)

    def _bring(self, name: str, ours: bytes | None, theirs: bytes | None) -> None:
        was = self.known.get(name)
        if ours == theirs:
            return
        if theirs != was and ours != was and ours is not None and theirs is not None:
            self.copies += 1
            place(self.here, f"{name[:-4]}.sync-conflict-{self.copies}.ics", theirs)
            place(self.there, f"{name[:-4]}.sync-conflict-{self.copies}.ics", theirs)
            place(self.there, name, ours)
        elif theirs == was or theirs is None:
            place(self.there, name, ours)
        else:
            place(self.here, name, theirs)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def place(folder: Path, name: str, data: bytes | None) -> None:
    if data is None:
        (folder / name).unlink(missing_ok=True)
        return
    temporary = folder / f".syncthing.{name}.tmp"
    temporary.write_bytes(data)
    temporary.rename(folder / name)


@pytest.mark.parametrize("seed", range(4))
async def test_one_installation_beside_a_file_syncer_converges(tmp_path: Path, seed: int) -> None:
    """The other machine has the files and no syncd: its edits arrive, and nothing is made twice."""
    rng = Random(seed)
    copy = tmp_path / "copy"
    copy.mkdir()
    async with world(tmp_path) as w:
        begin(w)
        await w.code()
        syncer = FileSyncer(w.folder, copy)
        syncer.run()
        hands = [Hand("here", rng), Hand("there", rng), Hand("outlook", rng)]
        for _ in range(30):
            match rng.randrange(5):
                case 0 | 1 as machine:
                    hands[machine].in_folder(w, (w.folder, copy)[machine])
                case 2:
                    hands[2].on_service(w)
                case 3:
                    await w.sync()
                case 4:
                    syncer.run()
        for _ in range(3):
            syncer.run()
            await settle(w)
        syncer.run()

        assert contents(w.folder) == contents(copy)
        assert await lost(hands[:2], w) == []
        # A copy beside the file that it is of waits for a person; one that is left alone is the file.
        for one in [one for one in await w.store.problems() if one.code == "duplicate-uid"]:
            (w.folder / one.file).unlink()
        await settle(w)
        here = in_folder(w.folder, FIRST, LAST)
        assert here == on_service(w.box, w.calendar, FIRST, LAST)
        once(w, hands)
