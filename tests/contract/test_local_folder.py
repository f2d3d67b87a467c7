"""What every `LocalFolder` promises, claimed of the one on disk and of the one in memory."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest

from syncd.core.ids import FileName, Fingerprint
from syncd.ports import (
    Displaced,
    Failed,
    FileStat,
    FileWork,
    FolderLook,
    KnownFile,
    LocalFolder,
    Marker,
    Removed,
    RemoveFile,
    ReplaceFile,
    Taken,
    Vanished,
    WriteFile,
    Wrote,
)
from syncd.testing import FakeClock
from syncd.testing_folder import MemoryFolder
from syncd.vdir.folder import VdirFolder
from syncd.vdir.names import temp_name

MARKER = Marker("work", "AAMk=", "5f3c")
A, B = FileName("a.ics"), FileName("b.ics")


class Hands(Protocol):
    """A person's side of a folder; `MemoryFolder` has it built in."""

    def save(self, name: str, data: bytes) -> None: ...
    def touch(self, name: str) -> None: ...
    def delete(self, name: str) -> None: ...
    def read(self, name: str) -> bytes: ...
    def names(self) -> set[str]: ...
    def obstruct(self, name: str) -> None: ...
    def mark(self, marker: Marker | None) -> None: ...
    def mount(self) -> None: ...
    def unmount(self) -> None: ...
    def leave_orphan(self, name: str, data: bytes) -> None: ...


class DiskHands:
    """The same on a real folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._away = path.with_name("away")

    def save(self, name: str, data: bytes) -> None:
        (self._path / name).write_bytes(data)

    def touch(self, name: str) -> None:
        os.utime(self._path / name, (1, 1))

    def delete(self, name: str) -> None:
        (self._path / name).unlink()

    def read(self, name: str) -> bytes:
        return (self._path / name).read_bytes()

    def names(self) -> set[str]:
        metadata = {".syncd", "displayname", "color"}
        return {name for name in os.listdir(self._path) if name not in metadata}

    def obstruct(self, name: str) -> None:
        (self._path / name).mkdir()

    def mark(self, marker: Marker | None) -> None:
        file = self._path / ".syncd"
        if marker is None:
            file.unlink()
        else:
            file.write_text(
                f'{{"account": "{marker.account}", "calendar": "{marker.calendar}",'
                f' "installation": "{marker.installation}"}}'
            )

    def mount(self) -> None:
        if self._away.exists():
            self._away.rename(self._path)
        else:
            self._path.mkdir(parents=True)

    def unmount(self) -> None:
        self._path.rename(self._away)

    def leave_orphan(self, name: str, data: bytes) -> None:
        self.save(temp_name(name, "swap", "0" * 16), data)


@dataclass(frozen=True)
class Bench:
    """A folder, and the hands that reach into it behind its back."""

    folder: LocalFolder
    hands: Hands

    async def prepared(self) -> "Bench":
        await self.folder.prepare(MARKER, displayname="Work", color="#00AAFF")
        return self

    async def look(
        self, known: Mapping[FileName, KnownFile] | None = None, *, thorough: bool = False
    ) -> FolderLook:
        return await self.folder.look(known or {}, thorough=thorough)

    async def one(self, job: FileWork) -> object:
        (outcome,) = await self.folder.work([job])
        return outcome

    async def known(self) -> dict[FileName, KnownFile]:
        """What a round remembers after having looked."""
        look = await self.look()
        return {seen.name: KnownFile(seen.fingerprint, seen.stat) for seen in look.changed}


@pytest.fixture(params=["disk", "memory"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    # An hour ahead of the files, so that their stats count as settled.
    clock = FakeClock(datetime.now(UTC) + timedelta(hours=1))
    if request.param == "memory":
        memory = MemoryFolder(marker=MARKER, clock=clock)
        return Bench(memory, memory)
    path = tmp_path / "work" / "Calendar"
    folder = VdirFolder(path, marker=MARKER, file_mode=0o600, clock=clock, wait=lambda _: None)
    return Bench(folder, DiskHands(path))


def print_of(data: bytes) -> Fingerprint:
    return Fingerprint(hashlib.sha256(data).hexdigest())


# --- standing ----------------------------------------------------------------------------------


async def test_a_folder_that_is_not_there_is_missing(bench: Bench) -> None:
    """Nothing is missing from a folder that is missing itself."""
    look = await bench.look({A: KnownFile(print_of(b"1"), None)})

    assert look == FolderLook("missing")


async def test_a_prepared_folder_is_ours(bench: Bench) -> None:
    """After `prepare` the folder stands as ours and is empty."""
    await bench.prepared()

    assert await bench.look() == FolderLook("ours")


async def test_preparing_twice_changes_nothing(bench: Bench) -> None:
    """A second `prepare` leaves items and standing as they are."""
    await bench.prepared()
    bench.hands.save(A, b"1")
    await bench.prepared()

    assert (await bench.look()).standing == "ours"
    assert bench.hands.read(A) == b"1"


async def test_a_folder_with_files_and_no_marker_is_read_but_nothing_is_missing(
    bench: Bench,
) -> None:
    """An import sees the files; absences mean nothing."""
    bench.hands.mount()
    bench.hands.save(A, b"1")
    look = await bench.look({B: KnownFile(print_of(b"2"), None)})

    assert look.standing == "unmarked"
    assert [seen.name for seen in look.changed] == [A]
    assert not look.missing


@pytest.mark.parametrize(
    "marker",
    [
        Marker("home", MARKER.calendar, MARKER.installation),
        Marker(MARKER.account, "other", MARKER.installation),
        Marker(MARKER.account, MARKER.calendar, "other"),
    ],
)
async def test_another_marker_makes_the_folder_foreign(bench: Bench, marker: Marker) -> None:
    """Another account, calendar or installation: nothing counts as missing and nothing is done."""
    await bench.prepared()
    bench.hands.mark(marker)
    look = await bench.look({A: KnownFile(print_of(b"1"), None)})
    outcome = await bench.one(WriteFile(A, b"1"))

    assert look == FolderLook("foreign")
    assert isinstance(outcome, Failed)
    assert bench.hands.names() == set()


async def test_work_in_a_folder_without_marker_is_refused(bench: Bench) -> None:
    """A disk that was unmounted between look and work is not written under."""
    await bench.prepared()
    bench.hands.mark(None)

    assert isinstance(await bench.one(WriteFile(A, b"1")), Failed)
    assert bench.hands.names() == set()


async def test_work_in_a_missing_folder_fails_job_by_job(bench: Bench) -> None:
    """Every job gets its outcome; nothing is raised."""
    outcomes = await bench.folder.work([WriteFile(A, b"1"), RemoveFile(B, print_of(b"2"))])

    assert [type(outcome) for outcome in outcomes] == [Failed, Failed]


async def test_a_folder_that_comes_back_is_ours_again(bench: Bench) -> None:
    """Unmounting and mounting loses nothing."""
    await bench.prepared()
    bench.hands.save(A, b"1")
    known = await bench.known()
    bench.hands.unmount()
    gone = await bench.look(known)
    bench.hands.mount()

    assert gone == FolderLook("missing")
    assert await bench.look(known) == FolderLook("ours")


# --- look --------------------------------------------------------------------------------------


async def test_a_new_file_is_seen_with_its_bytes(bench: Bench) -> None:
    """What was not known is changed."""
    await bench.prepared()
    bench.hands.save(A, b"1")
    (seen,) = (await bench.look()).changed

    assert (seen.name, seen.data, seen.fingerprint) == (A, b"1", print_of(b"1"))
    assert seen.stat.size == 1


@pytest.mark.parametrize("thorough", [False, True])
async def test_a_known_file_is_not_reported(bench: Bench, thorough: bool) -> None:
    """A second look with what the first one found says nothing."""
    await bench.prepared()
    bench.hands.save(A, b"1")

    assert await bench.look(await bench.known(), thorough=thorough) == FolderLook("ours")


async def test_an_edit_is_seen(bench: Bench) -> None:
    """Other bytes under a known name are changed."""
    await bench.prepared()
    bench.hands.save(A, b"1")
    known = await bench.known()
    bench.hands.save(A, b"2")
    look = await bench.look(known)

    assert [(seen.name, seen.data) for seen in look.changed] == [(A, b"2")]


async def test_a_file_that_was_only_touched_is_restamped(bench: Bench) -> None:
    """Same bytes, other stat: no change, and the new stat is told once."""
    await bench.prepared()
    bench.hands.save(A, b"1")
    known = await bench.known()
    bench.hands.touch(A)
    look = await bench.look(known)
    restamped = {A: KnownFile(known[A].fingerprint, look.restamped[A])}

    assert not look.changed
    assert await bench.look(restamped) == FolderLook("ours")


async def test_a_known_file_without_stat_is_compared_by_its_bytes(bench: Bench) -> None:
    """A missing stat costs a read and no change."""
    await bench.prepared()
    bench.hands.save(A, b"1")
    look = await bench.look({A: KnownFile(print_of(b"1"), None)})

    assert not look.changed
    assert set(look.restamped) == {A}


async def test_a_deleted_file_is_missing(bench: Bench) -> None:
    """In a folder of ours a known file that is not there is missing."""
    await bench.prepared()
    bench.hands.save(A, b"1")
    known = await bench.known()
    bench.hands.delete(A)

    assert (await bench.look(known)).missing == {A}


async def test_other_names_are_left_alone(bench: Bench) -> None:
    """Backups, dot files and other programs' temporary files are not seen."""
    await bench.prepared()
    for name in (".a.ics", "a.ics~", "a.ics8f3k2", "#a.ics", "notes.txt", ".#a.ics", "a.ics.tmp"):
        bench.hands.save(name, b"1")

    assert await bench.look() == FolderLook("ours")


async def test_something_else_under_a_name_is_trouble_and_not_missing(bench: Bench) -> None:
    """A folder named like an item is listed; the known file is not taken for deleted."""
    await bench.prepared()
    bench.hands.save(A, b"1")
    known = await bench.known()
    bench.hands.delete(A)
    bench.hands.obstruct(A)
    look = await bench.look(known)

    assert [(trouble.name, trouble.code) for trouble in look.trouble] == [(A, "not-a-file")]
    assert not look.missing
    assert not look.changed


# --- work --------------------------------------------------------------------------------------


async def test_a_new_file_is_written(bench: Bench) -> None:
    """The outcome's fingerprint is that of the bytes, and the next look sees no change."""
    await bench.prepared()
    outcome = await bench.one(WriteFile(A, b"1"))

    assert isinstance(outcome, Wrote)
    assert outcome.fingerprint == print_of(b"1")
    assert bench.hands.read(A) == b"1"
    look = await bench.look({A: KnownFile(outcome.fingerprint, outcome.stat)})
    assert not look.changed
    assert not look.missing


async def test_after_one_look_an_own_write_is_known_for_good(bench: Bench) -> None:
    """A stat that is told anew after a write is told once."""
    await bench.prepared()
    outcome = await bench.one(WriteFile(A, b"1"))
    assert isinstance(outcome, Wrote)
    look = await bench.look({A: KnownFile(outcome.fingerprint, outcome.stat)})
    stat: FileStat = look.restamped.get(A, outcome.stat)

    assert await bench.look({A: KnownFile(outcome.fingerprint, stat)}) == FolderLook("ours")


async def test_a_taken_name_is_not_written_over(bench: Bench) -> None:
    """A file that someone made in between stays."""
    await bench.prepared()
    bench.hands.save(A, b"theirs")

    assert await bench.one(WriteFile(A, b"ours")) == Taken()
    assert bench.hands.read(A) == b"theirs"
    assert bench.hands.names() == {A}


async def test_a_file_as_expected_is_replaced(bench: Bench) -> None:
    """The file holds the new bytes and nothing lies beside it."""
    await bench.prepared()
    bench.hands.save(A, b"1")
    outcome = await bench.one(ReplaceFile(A, b"22", print_of(b"1")))

    assert isinstance(outcome, Wrote)
    assert outcome.fingerprint == print_of(b"22")
    assert bench.hands.read(A) == b"22"
    assert bench.hands.names() == {A}


async def test_a_newer_save_is_not_replaced(bench: Bench) -> None:
    """Someone saved since the round had read: their version stays and is handed out."""
    await bench.prepared()
    bench.hands.save(A, b"newer")

    assert await bench.one(ReplaceFile(A, b"ours", print_of(b"1"))) == Displaced(b"newer")
    assert bench.hands.read(A) == b"newer"
    assert bench.hands.names() == {A}


async def test_a_newer_save_is_not_removed(bench: Bench) -> None:
    """As for a replacement."""
    await bench.prepared()
    bench.hands.save(A, b"newer")

    assert await bench.one(RemoveFile(A, print_of(b"1"))) == Displaced(b"newer")
    assert bench.hands.read(A) == b"newer"
    assert bench.hands.names() == {A}


async def test_a_file_as_expected_is_removed(bench: Bench) -> None:
    """Nothing is left of it."""
    await bench.prepared()
    bench.hands.save(A, b"1")

    assert await bench.one(RemoveFile(A, print_of(b"1"))) == Removed()
    assert bench.hands.names() == set()


@pytest.mark.parametrize(
    "job", [ReplaceFile(A, b"2", print_of(b"1")), RemoveFile(A, print_of(b"1"))]
)
async def test_a_file_that_someone_deleted_has_vanished(bench: Bench, job: FileWork) -> None:
    """Nothing is written in its place."""
    await bench.prepared()

    assert await bench.one(job) == Vanished()
    assert bench.hands.names() == set()


async def test_one_failing_job_does_not_stop_the_others(bench: Bench) -> None:
    """The outcomes are in the order of the jobs."""
    await bench.prepared()
    bench.hands.obstruct(B)
    jobs: list[FileWork] = [
        WriteFile(A, b"1"),
        RemoveFile(B, print_of(b"")),
        WriteFile(FileName("c.ics"), b"3"),
    ]
    outcomes = await bench.folder.work(jobs)

    assert [type(outcome) for outcome in outcomes] == [Wrote, Failed, Wrote]
    assert bench.hands.names() == {A, B, "c.ics"}


async def test_jobs_on_one_name_are_done_in_order(bench: Bench) -> None:
    """A later job's precondition is checked after the earlier one took effect."""
    await bench.prepared()
    jobs: list[FileWork] = [
        WriteFile(A, b"1"),
        ReplaceFile(A, b"2", print_of(b"1")),
        RemoveFile(A, print_of(b"2")),
        WriteFile(A, b"3"),
    ]
    outcomes = await bench.folder.work(jobs)

    assert [type(outcome) for outcome in outcomes] == [Wrote, Wrote, Removed, Wrote]
    assert bench.hands.read(A) == b"3"


@pytest.mark.parametrize(
    "name", ["../x.ics", "a/b.ics", ".syncd", "displayname", "", ".x.ics", "\0.ics"]
)
async def test_a_name_that_is_no_items_is_refused(bench: Bench, name: str) -> None:
    """No name leads out of the folder or to what is not an item."""
    await bench.prepared()

    assert isinstance(await bench.one(WriteFile(FileName(name), b"1")), Failed)
    assert bench.hands.names() == set()


async def test_a_large_batch_is_done_whole(bench: Bench) -> None:
    """Writes, replacements and removals of many files at once."""
    await bench.prepared()
    names = [FileName(f"{number}.ics") for number in range(1500)]
    first = await bench.folder.work([WriteFile(name, name.encode()) for name in names])
    jobs: list[FileWork] = [
        ReplaceFile(name, b"new", print_of(name.encode()))
        if number % 2
        else RemoveFile(name, print_of(name.encode()))
        for number, name in enumerate(names)
    ]
    second = await bench.folder.work(jobs)

    assert {type(outcome) for outcome in first} == {Wrote}
    assert [type(outcome) for outcome in second] == [Removed, Wrote] * 750
    assert bench.hands.names() == set(names[1::2])


# --- sweep -------------------------------------------------------------------------------------


async def test_an_orphan_is_handed_out_until_it_is_discarded(bench: Bench) -> None:
    """What a killed swap left may be a person's: it stays until someone has kept it."""
    await bench.prepared()
    bench.hands.leave_orphan(A, b"a person's")
    orphans = await bench.folder.sweep()
    again = await bench.folder.sweep()
    await bench.folder.discard(orphans)

    assert [(orphan.name, orphan.data) for orphan in orphans] == [(A, b"a person's")]
    assert again == orphans
    assert await bench.folder.sweep() == []


async def test_a_folder_that_is_not_ours_is_not_swept(bench: Bench) -> None:
    """Neither a missing folder nor an unmarked one has orphans."""
    missing = await bench.folder.sweep()
    await bench.prepared()
    bench.hands.leave_orphan(A, b"1")
    bench.hands.mark(None)

    assert missing == []
    assert await bench.folder.sweep() == []
