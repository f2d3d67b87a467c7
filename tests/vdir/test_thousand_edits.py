"""A thousand edits saved by another process while syncd swaps the same files: none is lost."""

import asyncio
import random
import sys
import time
from asyncio.subprocess import PIPE, Process
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from syncd.core.ids import FileName
from syncd.ports import Displaced, FileOutcome, KnownFile, ReplaceFile, Wrote
from syncd.testing import FakeClock
from syncd.vdir.folder import VdirFolder
from tests.vdir.places import MARKER, print_of
from tests.vdir.saving import last, name

GENERATIONS, FILES, SAVES = 8, 40, 12
FEW = 5  # swapped per round, so that a round is about as long as the pause between two saves


class WallClock(FakeClock):
    """Real time, since the files' stats are real."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)


class Swapper:
    """Does what rounds do: look, then replace what was seen, expecting just that."""

    def __init__(self, folder: VdirFolder) -> None:
        self._folder = folder
        self._known: dict[FileName, KnownFile] = {}
        self._numbers = count()
        self.accounted: set[bytes] = set()
        self._chance = random.Random(1)
        self.swaps = 0
        self.displaced = 0

    async def round(self) -> None:
        """Everything that a look or an outcome hands out is safe with us from then on."""
        await self.look()
        few = self._chance.sample(sorted(self._known), k=min(FEW, len(self._known)))
        jobs = [
            ReplaceFile(file, b"ours %d" % next(self._numbers), self._known[file].fingerprint)
            for file in few
        ]
        for job, outcome in zip(jobs, await self._folder.work(jobs), strict=True):
            self._settle(job, outcome)

    async def look(self) -> None:
        look = await self._folder.look(self._known, thorough=False)
        for seen in look.changed:
            self.accounted.add(seen.data)
            self._known[seen.name] = KnownFile(seen.fingerprint, seen.stat)
        for file, stat in look.restamped.items():
            self._known[file] = KnownFile(self._known[file].fingerprint, stat)

    def _settle(self, job: ReplaceFile, outcome: FileOutcome) -> None:
        match outcome:
            case Wrote(fingerprint, stat):
                self.swaps += 1
                self._known[job.name] = KnownFile(fingerprint, stat)
            case Displaced(data):
                self.displaced += 1
                self.accounted.add(data)
                self._known[job.name] = KnownFile(print_of(data), None)
            case _:
                raise AssertionError(outcome)


async def saving(folder: Path) -> Process:
    arguments = [str(number) for number in (GENERATIONS, FILES, SAVES)]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.vdir.saving", str(folder), *arguments),
        stdin=PIPE,
        stdout=PIPE,
        cwd=Path(__file__).parents[2],
    )


async def test_no_edit_is_lost(tmp_path: Path) -> None:
    """
    After each burst, the last save of each file stands in the folder or was handed out.
    """
    path = tmp_path / "w" / "C"
    folder = VdirFolder(path, marker=MARKER, file_mode=0o600, clock=WallClock())
    await folder.prepare(MARKER, displayname="C", color="")
    swapper = Swapper(folder)
    program = await saving(path)
    assert program.stdin is not None
    assert program.stdout is not None

    for generation in range(GENERATIONS):
        burst = asyncio.ensure_future(program.stdout.readline())
        while not burst.done():
            await swapper.round()
        await swapper.look()
        lost = [f for f in range(FILES) if last(f, generation) not in swapper.accounted]

        assert lost == []
        program.stdin.write(b"\n")
    assert await program.wait() == 0
    assert swapper.swaps > GENERATIONS
    assert {path.name for path in path.glob("*.ics")} == set(map(name, range(FILES)))
    assert await folder.sweep() == []
