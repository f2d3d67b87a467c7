"""Rounds that are cut short at the worst moment, and what the next one makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from syncd.core.errors import DiskTrouble
from syncd.core.state import Change, PutItem, PutProblems, PutRemote
from syncd.ports import Failed, FileOutcome, FileWork
from syncd.simulator.faults import FaultKind, Faults
from syncd.store.store import Store
from syncd.vdir.folder import VdirFolder
from tests.rounds.world import World, event, ics, world

AT = ("2026-03-10T10:00:00", "2026-03-10T11:00:00")


class Killed(BaseException):
    """The process is gone."""


async def killed(w: World) -> None:
    """One sync that does not come to its end; the next one begins with nothing in memory."""
    with suppress(Killed):
        await w.sync()
        raise AssertionError("the process was not killed")
    await w.open_mailbox()


def kill_at_commit(monkeypatch: pytest.MonkeyPatch, of: Callable[[Sequence[Change]], bool]) -> None:
    """Before a certain transaction, once."""
    commit = Store.commit

    async def dying(self: Store, calendar: Any, changes: Sequence[Change]) -> None:
        if of(changes):
            monkeypatch.setattr(Store, "commit", commit)
            raise Killed
        await commit(self, calendar, changes)

    monkeypatch.setattr(Store, "commit", dying)


def kill_at_first_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a folder's standing is known, and not marked yet, once."""
    put = Store.put_calendar

    async def dying(self: Store, calendar: Any) -> Any:
        made = await put(self, calendar)
        if calendar.phase != "new":
            monkeypatch.setattr(Store, "put_calendar", put)
            raise Killed
        return made

    monkeypatch.setattr(Store, "put_calendar", dying)


def is_note_of_deletions(changes: Sequence[Change]) -> bool:
    return any(isinstance(one, PutProblems) and one.subject == "*local" for one in changes)


async def test_an_emptied_folder_stays_suspicious_though_a_file_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the service had new is a file by then: the folder is not empty, but it was."""
    async with world(tmp_path) as w:
        for number in range(5):
            w.box.create(w.calendar, event(f"E{number}", *AT))
        await w.code()
        for path in w.folder.glob("*.ics"):
            path.unlink()
        w.box.create(w.calendar, event("New", *AT))
        kill_at_commit(monkeypatch, is_note_of_deletions)

        await killed(w)
        assert await w.code() == 4

        assert w.requests("DELETE") == []
        [problem] = await w.store.problems()
        assert len(problem.items) == 5


async def test_after_a_lost_state_a_file_that_could_not_be_written_undoes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service won; that its value has not reached the disk yet makes the old one no edit."""
    async with world(tmp_path) as w:
        made = w.box.create(w.calendar, event("Old", *AT))
        await w.code()
        await w.lose_state()
        w.box.patch(made.id, {"subject": "New"})
        await w.open_mailbox()

        async def full(self: VdirFolder, jobs: Sequence[FileWork]) -> list[FileOutcome]:
            return [Failed(DiskTrouble("no space left on device")) for _ in jobs]

        with monkeypatch.context() as patched:
            patched.setattr(VdirFolder, "work", full)
            assert await w.code() == 5
        await w.code()

        assert w.subjects() == ["New"]
        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["New"]
        assert w.writes() == []


async def test_a_deleted_occurrence_stays_deleted_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deletion was answered; the series was not read again."""
    async with world(tmp_path) as w:
        pattern = {"type": "daily", "interval": 1}
        span = {"type": "numbered", "startDate": "2026-03-10", "numberOfOccurrences": 5}
        w.box.create(
            w.calendar, event("Daily", *AT, recurrence={"pattern": pattern, "range": span})
        )
        await w.code()
        gone = b"EXDATE;TZID=Europe/Berlin:20260312T100000\r\n"
        w.edit("Daily", b"SUMMARY:Daily", gone + b"SUMMARY:Daily")

        def is_reread(changes: Sequence[Change]) -> bool:
            return bool(w.requests("DELETE")) and any(isinstance(one, PutRemote) for one in changes)

        kill_at_commit(monkeypatch, is_reread)
        await killed(w)
        assert await w.code() == 0

        assert "EXDATE;TZID=Europe/Berlin:20260312T100000" in w.text("Daily")
        assert len(w.requests("DELETE")) == 1


async def test_a_moved_file_whose_create_was_answered_late_leaves_its_calendar(
    tmp_path: Path,
) -> None:
    """In the same sync: it is one event in one calendar when that ends with 0."""
    async with world(tmp_path, faults=Faults()) as w:
        other = w.box.folders.add("Other")
        w.box.create(w.calendar, event("Mine", *AT))
        await w.code()
        path = w.path("Mine")
        path.rename(w.folder.with_name("Other") / path.name)
        assert w.server.faults is not None
        w.server.faults.script(FaultKind.RESET_AFTER, path="/events", method="POST", times=1)

        while await w.code() != 0:
            w.clock.advance(130)

        assert [len(w.box.items(one)) for one in (w.calendar, other.id)] == [0, 1]


async def test_a_first_start_that_was_cut_short_is_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder has no marker yet, and lost none: its files are made events."""
    async with world(tmp_path) as w:
        w.folder.mkdir(parents=True)
        w.write("mine.ics", ics("mine", "Mine"))
        kill_at_first_contact(monkeypatch)
        await killed(w)
        assert not (w.folder / ".syncd").exists()

        assert await w.code() == 0

        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["Mine"]


async def test_a_recovery_that_was_cut_short_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The marker is the lost state's still; a file without an event is asked about, not made."""
    async with world(tmp_path) as w:
        gone = w.box.create(w.calendar, event("Gone", *AT))
        w.box.create(w.calendar, event("There", *AT))
        await w.code()
        await w.lose_state()
        w.box.delete(gone.id)
        kill_at_first_contact(monkeypatch)
        await w.open_mailbox()
        await killed(w)

        assert await w.code() == 4

        assert [one.code for one in await w.store.problems()] == ["gone-or-new"]
        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["There"]


async def test_a_swap_that_met_a_newer_save_was_not_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both set a reminder: that is a conflict, however alike the lines around it are."""
    async with world(tmp_path) as w:
        made = w.box.create(w.calendar, event("A", *AT))
        await w.code()
        path = w.path("A")
        alarm = (
            b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:A\r\nTRIGGER:-PT30M\r\nEND:VALARM\r\n"
        )
        work = VdirFolder.work

        async def saved_before(self: VdirFolder, jobs: Sequence[FileWork]) -> list[FileOutcome]:
            monkeypatch.setattr(VdirFolder, "work", work)
            path.write_bytes(path.read_bytes().replace(b"END:VEVENT", alarm + b"END:VEVENT"))
            return await work(self, jobs)

        monkeypatch.setattr(VdirFolder, "work", saved_before)
        w.box.patch(made.id, {"isReminderOn": True, "reminderMinutesBeforeStart": 15})

        await w.code()

        [problem] = await w.store.problems()
        assert (problem.kind, problem.fields) == ("conflict", ("reminder_min",))
        assert (problem.local, problem.remote) == (30, 15)
        [item] = w.box.items(w.calendar)
        assert item.values["reminderMinutesBeforeStart"] == 15


async def test_what_is_taken_back_while_syncd_is_dead_is_taken_back_in_the_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file was written and not recorded: what it says is not what the service said before."""

    def is_record_of_file(changes: Sequence[Change]) -> bool:
        return any(isinstance(one, PutItem) and b":New" in one.item.content for one in changes)

    async with world(tmp_path) as w:
        made = w.box.create(w.calendar, event("Old", *AT))
        await w.code()
        w.box.patch(made.id, {"subject": "New"})
        kill_at_commit(monkeypatch, is_record_of_file)
        await killed(w)
        assert w.subjects() == ["New"]
        w.box.patch(made.id, {"subject": "Old"})

        assert await w.code() == 0

        assert w.subjects() == ["Old"]
        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["Old"]


async def test_a_file_that_is_removed_as_it_would_be_written_comes_back_with_its_last_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its edit is on its way to the service: the file that comes back is not the one before it."""
    async with world(tmp_path) as w:
        made = w.box.create(w.calendar, event("A", *AT))
        await w.code()
        work = VdirFolder.work

        async def removed_before(self: VdirFolder, jobs: Sequence[FileWork]) -> list[FileOutcome]:
            monkeypatch.setattr(VdirFolder, "work", work)
            w.path("B").unlink()
            return await work(self, jobs)

        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")
        w.box.patch(made.id, {"location": {"displayName": "Hall"}})
        monkeypatch.setattr(VdirFolder, "work", removed_before)

        await w.code()
        await w.code()

        assert w.subjects() == ["B"]
        assert "LOCATION:Hall" in w.text("B")
        assert w.bodies("PATCH") == [{"subject": "B"}]
