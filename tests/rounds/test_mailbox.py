"""A believable mailbox of many events: both sides list the same instances after everything."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from random import Random

from syncd.simulator.load import fill
from tests.rounds.judge import in_folder, on_service
from tests.rounds.world import NOW, World, ics, world

EVENTS = int(os.environ.get("SYNCD_TEST_EVENTS", "400"))
EDITS = max(10, EVENTS // 100)


def _is_plain(data: bytes) -> bool:
    """An event without guests, of ordinary importance."""
    return b"ATTENDEE" not in data and b"PRIORITY" not in data


def differences(w: World) -> list[object]:
    """What one side lists and the other does not, well inside the window."""
    # Odd edges: whether a view's edges count is not what is judged here.
    first = NOW - timedelta(days=80, seconds=17)
    last = NOW + timedelta(days=300, seconds=17)
    found: list[object] = []
    for calendar in w.box.folders.calendars.values():
        folder = w.root / "export" / "work" / w.folders()[calendar.name]
        here = in_folder(folder, first, last)
        there = on_service(w.box, calendar.id, first, last)
        found += [("folder", one) for one in (here - there)]
        found += [("service", one) for one in (there - here)]
    return found


async def test_a_mailbox_and_its_folders_say_the_same_through_everything(tmp_path: Path) -> None:
    """First sync, a quiet round, edits, creates and deletions on either side."""
    rng = Random(5)
    async with world(tmp_path, max_deletes=1000) as w:
        fill(w.service, w.box, EVENTS, seed=3)
        assert await w.code() == 0
        assert differences(w) == []

        w.clear()
        assert await w.code() == 0
        assert w.writes() == []
        deltas = [one for one in w.requests() if "/delta" in one]
        assert len(deltas) == len(w.box.folders.calendars.values())

        mine = [i for i in w.box.items(w.calendar) if i.values.get("isOrganizer", True)]
        for item in rng.sample(mine, EDITS):
            w.box.patch(item.immutable_id, {"location": {"displayName": f"L{rng.random()}"}})
        assert await w.code() == 0
        assert differences(w) == []

        editable = [p for p in sorted(w.folder.glob("*.ics")) if _is_plain(p.read_bytes())]
        for path in rng.sample(editable, EDITS):
            data = path.read_bytes()
            w.clock.advance(0.01)
            at = data.index(b"SUMMARY:") if b"SUMMARY:" in data else data.index(b"DTSTAMP:")
            path.write_bytes(data[:at] + b"PRIORITY:1\r\n" + data[at:])
        w.clock.advance(5)
        w.clear()
        assert await w.code() == 0
        assert len(w.writes()) == EDITS
        assert differences(w) == []

        for number in range(EDITS):
            w.write(f"made{number}.ics", ics(f"made{number}", f"Made {number}"))
        w.clear()
        assert await w.code() == 0
        assert len(w.writes()) == EDITS
        assert differences(w) == []

        for path in rng.sample(editable, EDITS // 3):
            path.unlink()
        living = [i for i in w.box.items(w.calendar) if not i.values.get("attendees")]
        for item in rng.sample(living, EDITS // 3):
            if item.alive:
                w.box.delete(item.immutable_id)
        assert await w.code() == 0
        assert differences(w) == []
        assert w.mails() == []


async def test_a_second_machine_shows_the_same_files(tmp_path: Path) -> None:
    """Two fresh installations write byte-identical files, markers aside."""
    async with world(tmp_path / "one") as w:
        fill(w.service, w.box, EVENTS, seed=4)
        await w.code()
        first = {p.name: p.read_bytes() for p in w.folder.glob("*.ics")}
        await w.lose_state()
        w.root = tmp_path / "two"

        assert await w.code(fresh=True) == 0

        assert {p.name: p.read_bytes() for p in w.folder.glob("*.ics")} == first
