"""A calendar's folder in memory as a process meets it: its points, a full disk, a killed swap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.core.errors import DiskTrouble
from syncd.core.ids import FileName
from syncd.ports import (
    Clock,
    FileOutcome,
    FileWork,
    FolderLook,
    KnownFile,
    Marker,
    Orphan,
    ReplaceFile,
)
from syncd.testing_folder import MemoryFolder
from syncd.vdir.folder import VdirFolder
from tests.simulation.machine import Killed, Machine

__all__ = ["SimFolder"]


@dataclass(frozen=True, slots=True)
class Away:
    """What a folder holds that has another name now."""

    files: dict[FileName, Any]
    orphans: dict[str, Orphan]
    marker: Marker | None


class SimFolder(MemoryFolder, VdirFolder):  # type: ignore[misc]
    """
    `MemoryFolder`, of a machine that can fail.

    Also a `VdirFolder` by name alone, because first contact asks for one.
    """

    def __init__(self, *, marker: Marker, clock: Clock, machine: Machine) -> None:
        MemoryFolder.__init__(self, marker=marker, clock=clock)
        self.machine = machine
        self.writes = 0
        self.elsewhere: Away | None = None

    async def found_marker(self) -> Marker | None:
        """As `VdirFolder.found_marker`."""
        return self._marker if self._there else None

    @property
    def is_there(self) -> bool:
        """Whether there is such a folder."""
        return self._there

    def retarget(self, marker: Marker) -> None:
        """Take another marker for ours: the state was lost, and a new one made."""
        self._expected = marker

    def take_away(self) -> bool:
        """A person gives the folder another name; whether there was one."""
        if not self._there or self.elsewhere is not None:
            return False
        self.elsewhere = Away(self._files, self._orphans, self._marker)
        self._files, self._orphans, self._marker, self._there = {}, {}, None, False
        return True

    def bring_back(self) -> bool:
        """A person gives it its name again, unless another one bears it by now."""
        if self.elsewhere is None or self._there:
            return False
        self._files, self._orphans = self.elsewhere.files, self.elsewhere.orphans
        self._marker, self._there = self.elsewhere.marker, True
        self.elsewhere = None
        return True

    def away(self) -> list[bytes]:
        """The files of a folder that has another name now."""
        return [one.data for one in self.elsewhere.files.values()] if self.elsewhere else []

    async def look(self, known: Mapping[FileName, KnownFile], *, thorough: bool) -> FolderLook:
        """As `LocalFolder.look`."""
        self.machine.at("look")
        found = await super().look(known, thorough=thorough)
        self.machine.at("looked")
        return found

    async def work(self, jobs: Sequence[FileWork]) -> list[FileOutcome]:
        """As `LocalFolder.work`; each job has its points, one of them in the middle of a swap."""
        outcomes: list[FileOutcome] = []
        for job in jobs:
            self.machine.at("job")
            if self.machine.disk_is_full():
                self.trouble = DiskTrouble("the disk is full")
            before = self._files.get(job.name)
            outcome = self._job(job)
            self.trouble = None
            self.writes += 1
            try:
                self.machine.at("jobbed")
            except Killed:
                if isinstance(job, ReplaceFile) and before is not None:
                    self._stopped_in_swap(job, before.data)
                raise
            outcomes.append(outcome)
        return outcomes

    def _stopped_in_swap(self, job: ReplaceFile, out: bytes) -> None:
        """The swap was done, and what came out not yet looked at: it may be a person's."""
        if job.name in self._files:
            self.save(job.name, job.data)
            self.leave_orphan(job.name, out)
