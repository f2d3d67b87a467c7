"""Rounds under faults: lost answers, throttling, dying processes; nothing twice, nothing lost."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from syncd.simulator.faults import FaultKind, Faults, RandomPlan
from syncd.simulator.model import Event
from syncd.simulator.switches import Switches
from tests.rounds.world import World, event, ics, world

AFTER = [FaultKind.TIMEOUT_AFTER, FaultKind.RESET_AFTER, FaultKind.TRUNCATED, FaultKind.NOT_JSON]
BEFORE = [
    FaultKind.TIMEOUT_BEFORE,
    FaultKind.UNAVAILABLE,
    FaultKind.RESET_BEFORE,
    FaultKind.THROTTLED,
]


async def settled(w: World, tries: int = 8) -> int:
    """Sync, as often as a person would, until nothing is left."""
    code = 5
    for _ in range(tries):
        code = await w.code()
        if code != 5:
            return code
        w.clock.advance(90)
    return code


@pytest.mark.parametrize("kind", AFTER + BEFORE)
async def test_a_lost_answer_to_a_create_makes_one_event(tmp_path: Path, kind: FaultKind) -> None:
    """Whatever became of the answer, one file is one event."""
    async with world(tmp_path, faults=Faults()) as w:
        await w.code()
        w.server.faults.script(kind, method="^POST$", path="/events")
        w.write("a.ics", ics("a", "Once"))

        assert await settled(w) == 0
        assert await w.code() == 0

        assert [i.values["subject"] for i in w.box.items(w.calendar)] == ["Once"]
        assert w.subjects() == ["Once"]


@pytest.mark.parametrize("kind", AFTER + BEFORE)
async def test_a_lost_answer_to_a_meeting_update_mails_once(
    tmp_path: Path, kind: FaultKind
) -> None:
    """The update goes out once, whether the service had taken it or not."""
    async with world(tmp_path, faults=Faults()) as w:
        body = event("Board", "2026-03-05T10:00:00", "2026-03-05T10:30:00")
        body["attendees"] = [{"emailAddress": {"address": "bob@example.org"}, "type": "required"}]
        w.box.create(w.calendar, body)
        await w.code()
        w.server.faults.script(kind, method="^PATCH$", path="/events")
        w.edit("Board", b"SUMMARY:Board", b"SUMMARY:Board 2")

        assert await settled(w) == 0

        assert [mail.kind for mail in w.mails()] == ["update"]
        [item] = w.box.items(w.calendar)
        assert item.values["subject"] == "Board 2"


@pytest.mark.parametrize("kind", AFTER + BEFORE)
@pytest.mark.parametrize("answers", [True, False])
async def test_a_lost_answer_to_a_delete_is_settled_by_looking(
    tmp_path: Path, kind: FaultKind, answers: bool
) -> None:
    """The event is gone, also where deleted items still answer."""
    switches = Switches(deleted_items_answer=answers)
    async with world(tmp_path, faults=Faults(), switches=switches) as w:
        for name in ("A", "B", "C", "D"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        w.server.faults.script(kind, method="^DELETE$", path="/events")
        w.path("A").unlink()

        assert await settled(w) == 0

        assert sorted(i.values["subject"] for i in w.box.items(w.calendar)) == ["B", "C", "D"]
        assert sorted(w.subjects()) == ["B", "C", "D"]


@pytest.mark.parametrize("kind", [*AFTER, FaultKind.TIMEOUT_BEFORE])
async def test_a_lost_answer_to_an_acceptance_answers_once(tmp_path: Path, kind: FaultKind) -> None:
    """Taken: settled by looking. Not to be told: listed, and "send again" sends it once."""
    async with world(tmp_path, faults=Faults()) as w:
        w.receive("Review", "2026-03-05T10:00:00", "2026-03-05T10:30:00")
        await w.code()
        w.server.faults.script(kind, method="^POST$", path="/accept")
        w.edit("Review", b"PARTSTAT=NEEDS-ACTION;RSVP", b"PARTSTAT=ACCEPTED;RSVP")

        code = await settled(w)
        if not w.mails():
            assert code == 4
            [problem] = [one for one in await w.store.problems() if one.kind == "in-doubt"]
            await w.decide(problem, "approved")
            code = await settled(w)

        assert code == 0
        assert [mail.kind for mail in w.mails()] == ["response"]


async def test_a_throttled_mailbox_is_waited_for_and_the_pause_is_kept(tmp_path: Path) -> None:
    """A pause longer than patience ends with 5, and the next process honours it."""
    async with world(tmp_path, faults=Faults()) as w:
        await w.code()
        w.server.faults.script(FaultKind.THROTTLED, path="/delta", retry_after_s=600)

        assert await w.code() == 5
        w.clear()
        assert await w.code(fresh=True) == 5
        assert w.requests() == []
        w.clock.advance(600)
        assert await w.code() == 0


async def test_an_endless_chain_of_pages_is_completed_by_another_read(tmp_path: Path) -> None:
    """The circle is noticed, a plain read brings what is there, and nothing is deleted."""
    async with world(tmp_path, faults=Faults()) as w:
        for name in ("A", "B", "C"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        w.server.faults.script(FaultKind.ENDLESS_PAGES, path="/delta")

        assert await settled(w) == 0
        assert sorted(w.subjects()) == ["A", "B", "C"]
        assert await settled(w) == 0
        assert sorted(w.subjects()) == ["A", "B", "C"]


async def test_a_mailbox_that_suddenly_has_nothing_empties_no_folder(tmp_path: Path) -> None:
    """Everything gone at once on the service is held; `discard` keeps the files."""
    async with world(tmp_path) as w:
        for name in ("A", "B", "C", "D"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        for item in list(w.box.items(w.calendar)):
            w.box.delete(item.immutable_id)

        assert await w.code() == 4
        assert sorted(w.subjects()) == ["A", "B", "C", "D"]
        [problem] = await w.store.problems()
        await w.decide(problem, "discarded")
        assert await w.code() == 0
        assert sorted(w.subjects()) == ["A", "B", "C", "D"]
        assert w.box.items(w.calendar) == []


def touch(w: World, rng: Random, number: int, known: list[str]) -> None:
    """One random edit by a person on one of the sides."""
    files = sorted(w.folder.glob("*.ics"))
    what = rng.choice(
        ["new", "edit", "edit", "remote-new", "remote-edit", "remote-edit", "rm", "del"]
    )
    if what == "new":
        w.write(f"n{number}.ics", ics(f"n{number}", f"New {number}"))
    elif what == "edit" and files:
        path = rng.choice(files)
        lines = path.read_bytes().split(b"\r\n")
        lines = [b"LOCATION:L%d" % number if one.startswith(b"LOCATION") else one for one in lines]
        if not any(one.startswith(b"LOCATION") for one in lines):
            at = next(i for i, one in enumerate(lines) if one.startswith(b"SUMMARY"))
            lines.insert(at, b"LOCATION:L%d" % number)
        path.write_bytes(b"\r\n".join(lines))
    elif what == "remote-new":
        w.box.create(w.calendar, event(f"R{number}", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
    elif what == "remote-edit" and w.box.items(w.calendar):
        item = rng.choice(w.box.items(w.calendar))
        w.box.patch(item.immutable_id, {"body": {"contentType": "text", "content": f"B{number}"}})
    elif what == "rm" and len(files) > 8 and number % 7 == 0:
        rng.choice(files).unlink()
    elif what == "del" and len(w.box.items(w.calendar)) > 8 and number % 7 == 0:
        w.box.delete(rng.choice(w.box.items(w.calendar)).immutable_id)


def both_sides(w: World) -> tuple[list[Any], list[Any]]:
    """Subject and place of everything, on the service and in the folder."""
    there = sorted(
        (i.values["subject"], i.values["location"]["displayName"]) for i in w.box.items(w.calendar)
    )
    here = []
    for path in w.folder.glob("*.ics"):
        lines = path.read_bytes().decode().split("\r\n")
        values = {line.partition(":")[0]: line.partition(":")[2] for line in lines}
        here.append((values.get("SUMMARY", ""), values.get("LOCATION", "")))
    return there, sorted(here)


@pytest.mark.parametrize("seed", range(3))
async def test_five_per_cent_faults_of_every_kind_lose_and_double_nothing(
    tmp_path: Path, seed: int
) -> None:
    """Twenty rounds of random edits on both sides: in the end both say the same."""
    rng = Random(seed)
    plan = RandomPlan(rate=0.05, kinds=tuple(FaultKind), seed=seed)
    async with world(tmp_path, faults=Faults(), max_deletes=1000) as w:
        for number in range(12):
            w.box.create(
                w.calendar, event(f"E{number}", "2026-03-05T10:00:00", "2026-03-05T10:30:00")
            )
        await settled(w)
        w.server.faults.follow(plan)
        for number in range(20):
            for edit in range(3):
                touch(w, rng, number * 10 + edit, [])
            w.clock.advance(30)
            await w.code(fresh=rng.random() < 0.3)
        w.server.faults.follow(None)
        w.clock.advance(7 * 3600)
        assert await settled(w, 20) in (0, 4)
        w.clock.advance(7 * 3600)
        await settled(w, 20)

        there, here = both_sides(w)
        assert there == here
        assert w.mails() == []
        made = [name for name, _ in there if name.startswith("New")]
        assert len(made) == len(set(made))


@pytest.mark.parametrize("kind", [FaultKind.RESET_AFTER, FaultKind.TIMEOUT_AFTER])
async def test_what_others_changed_before_a_lost_create_was_found_is_their_change(
    tmp_path: Path, kind: FaultKind
) -> None:
    """An event is edited on both sides before its create is settled: neither version is lost."""
    async with world(tmp_path, faults=Faults()) as w:
        await w.code()
        w.write("a.ics", ics("a", "Ours"))
        w.server.faults.script(kind, method="^POST$", path="/events")
        w.server.faults.script(FaultKind.UNAVAILABLE, path="filter=", times=100_000)
        assert await w.code() == 5
        w.server.faults.clear()
        [item] = w.box.items(w.calendar)
        w.box.patch(Event(item).id, {"subject": "Theirs, later"})
        w.edit("Ours", b"SUMMARY:Ours", b"SUMMARY:Ours, later")

        w.clock.advance(90)
        await settled(w)

        [item] = w.box.items(w.calendar)
        assert item.values["subject"] == "Theirs, later"
        [problem] = await w.store.problems()
        assert (problem.kind, problem.local) == ("conflict", "Ours, later")
