"""Every change of either side has a version in the history, with what there was before it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncd.core.history import is_version
from syncd.core.state import HistoryRecord
from syncd.simulator.faults import FaultKind, Faults
from tests.rounds.world import World, event, ics, world

TIMES = ("2026-03-05T10:00:00", "2026-03-05T10:30:00")


async def versions(w: World) -> list[HistoryRecord]:
    """All versions, oldest first."""
    return [one for one in (await w.store.history(None, 1000))[::-1] if is_version(one)]


@pytest.mark.parametrize("kind", [FaultKind.RESET_AFTER, FaultKind.TIMEOUT_BEFORE])
async def test_a_deletion_whose_answer_was_lost_keeps_its_text(
    tmp_path: Path, kind: FaultKind
) -> None:
    """The last version is there, in a round that has a number."""
    async with world(tmp_path, faults=Faults()) as w:
        for name in ("Gone", "Other"):
            w.box.create(w.calendar, event(name, *TIMES))
        await w.code()
        w.server.faults.script(kind, method="^DELETE$", path="/events/")
        w.path("Gone").unlink()
        for _ in range(3):
            await w.code()
            w.clock.advance(90)

        last = (await versions(w))[-1]

        assert w.subjects() == ["Other"]
        assert (last.side, last.what) == ("local", "delete")
        assert b"SUMMARY:Gone" in last.before
        assert last.round > 0


class Faster(list[Any]):
    """Facts; somebody deletes an event as soon as a round has read what there is."""

    def __init__(self, delete: Callable[[], None]) -> None:
        super().__init__()
        self.delete = delete

    def append(self, fact: Any) -> None:
        super().append(fact)
        if [name for name, _ in self].count("page.stored") == 1 and fact[0] == "page.stored":
            self.delete()


async def test_a_deletion_that_somebody_else_was_faster_with_keeps_its_text(
    tmp_path: Path,
) -> None:
    """The service's 404 says that both sides deleted it."""
    async with world(tmp_path) as w:
        gone = w.box.create(w.calendar, event("Gone", *TIMES))
        w.box.create(w.calendar, event("Other", *TIMES))
        await w.code()
        w.path("Gone").unlink()
        w.clear()
        w.facts = Faster(lambda: w.box.delete(gone.id))
        await w.code()

        last = (await versions(w))[-1]

        assert len(w.requests("DELETE")) == 1
        assert w.subjects() == ["Other"]
        assert (last.side, last.what) == ("local", "delete")
        assert b"SUMMARY:Gone" in last.before


async def test_text_of_a_meeting_that_was_deleted_while_its_file_was_edited(
    tmp_path: Path,
) -> None:
    """Both the text before the edit and the edited one are kept."""
    async with world(tmp_path) as w:
        guests = [{"emailAddress": {"address": "bob@example.org"}, "type": "required"}]
        made = w.box.create(w.calendar, event("Board", *TIMES, attendees=guests))
        w.box.create(w.calendar, event("Other", *TIMES))
        await w.code()
        w.edit("Board", b"SUMMARY:Board", b"SUMMARY:Mine")
        w.box.delete(made.id)
        await w.code()

        edited, gone = (await versions(w))[-2:]

        assert (edited.side, edited.what) == ("local", "update")
        assert b"SUMMARY:Board" in edited.before
        assert edited.after == gone.before
        assert (gone.side, gone.what) == ("remote", "delete")


async def test_file_that_is_back_since_the_service_moved_on(tmp_path: Path) -> None:
    """A deleted file that comes back is a version of its own."""
    async with world(tmp_path) as w:
        made = w.box.create(w.calendar, event("Before", *TIMES))
        w.box.create(w.calendar, event("Other", *TIMES))
        await w.code()
        w.path("Before").unlink()
        w.box.patch(made.id, {"subject": "After"})
        await w.code()

        last = (await versions(w))[-1]

        assert (last.side, last.what) == ("remote", "restore")
        assert b"SUMMARY:Before" in last.before
        assert b"SUMMARY:After" in last.after


async def test_conflict_that_waits_is_one_version_and_its_decision_another(
    tmp_path: Path,
) -> None:
    """However many rounds it waits."""
    async with world(tmp_path, conflict="ask") as w:
        made = w.box.create(w.calendar, event("Before", *TIMES))
        await w.code()
        w.edit("Before", b"SUMMARY:Before", b"SUMMARY:Mine")
        w.box.patch(made.id, {"subject": "Theirs"})
        for _ in range(3):
            await w.code()
        waiting = await versions(w)
        [problem] = await w.store.problems()
        await w.decide(problem, "remote")
        await w.code()

        decided = await versions(w)

        assert [(one.side, one.what) for one in waiting] == [
            ("remote", "create"),
            ("local", "update"),
        ]
        assert [(one.side, one.what) for one in decided[2:]] == [("remote", "update")]
        assert b"SUMMARY:Mine" in decided[-1].before
        assert b"SUMMARY:Theirs" in decided[-1].after


async def test_files_that_were_there_before_syncd_are_nobodys_change(tmp_path: Path) -> None:
    """A lost state links files and events without making versions of them."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("Lunch", *TIMES))
        await w.code()
        await w.lose_state()
        await w.code(fresh=True)

        assert await versions(w) == []


async def test_file_that_is_followed_nowhere(tmp_path: Path) -> None:
    """An edit of a file that a person chose to keep by itself is a version too."""
    async with world(tmp_path, max_imports=0) as w:
        w.folder.mkdir(parents=True)
        w.write("a.ics", ics("a", "Before"))
        await w.code()
        [problem] = await w.store.problems()
        await w.decide(problem, "discarded")
        await w.code()
        w.edit("Before", b"SUMMARY:Before", b"SUMMARY:After")
        await w.code()

        last = (await versions(w))[-1]

        assert b"SUMMARY:Before" in last.before
        assert b"SUMMARY:After" in last.after


async def test_every_version_that_the_policy_turned_down_is_kept(tmp_path: Path) -> None:
    """The list of conflicts has the last one of a field; the history has them all."""
    async with world(tmp_path, conflict="local") as w:
        made = w.box.create(w.calendar, event("Plan", "2026-03-05T10:00:00", "2026-03-05T11:00:00"))
        assert await w.code() == 0
        for n in range(3):
            w.box.patch(made.id, {"location": {"displayName": f"Theirs{n}"}})
            data = w.path("Plan").read_bytes()
            lines = [one for one in data.split(b"\r\n") if not one.startswith(b"LOCATION")]
            at = lines.index(b"SUMMARY:Plan")
            lines.insert(at, f"LOCATION:Mine{n}".encode())
            w.path("Plan").write_bytes(b"\r\n".join(lines))
            assert await w.code() == 0

        assert made.item.values["location"]["displayName"] == "Mine2"
        [uid] = await w.store.uids_beginning("", 5)
        kept = b"".join(one.before + one.after for one in await w.store.history(uid, 100))
        assert all(f"Theirs{n}".encode() in kept for n in range(3))
