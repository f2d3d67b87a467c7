"""Both sides compared whole: what nothing had told of is found, counted and put right."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from syncd.simulator.model import Item
from tests.rounds.world import NOW, World, event, world

A_DAY_S = 86_400


async def drift(w: World) -> int:
    """What the next sync finds that nothing had told of."""
    (report,) = await w.sync()
    assert report.trouble is None
    return report.counts.drift


def change_in_silence(item: Item, **values: str) -> None:
    """As if the service had lost what it would have told about it."""
    item.values.update(values)
    item.change_key = "moved"
    item.rendered.clear()


def say_nothing(w: World, path: Path) -> None:
    """As if the file system's clock had not moved between syncd's look and the save."""
    stat = path.stat()
    w.store._conn.execute(
        "UPDATE item SET mtime_ns = ?, ctime_ns = ?, size = ?, inode = ? WHERE file = ?",
        (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino, path.name),
    )


async def test_an_event_that_changed_in_silence(tmp_path: Path) -> None:
    """No delta round names it; the comparison does."""
    async with world(tmp_path) as w:
        made = w.box.create(w.calendar, event("Old", "2026-03-10T10:00:00", "2026-03-10T11:00:00"))
        await w.code()
        change_in_silence(made.item, subject="New")
        assert await drift(w) == 0
        assert w.subjects() == ["Old"]

        w.clock.advance(A_DAY_S)

        assert await drift(w) == 1
        assert w.subjects() == ["New"]
        w.clock.advance(A_DAY_S)
        assert await drift(w) == 0


async def test_an_occurrence_that_went_in_silence(tmp_path: Path) -> None:
    """As the service leaves it out of its delta rounds."""
    async with world(tmp_path) as w:
        pattern = {"type": "daily", "interval": 1}
        span = {"type": "numbered", "startDate": "2026-03-10", "numberOfOccurrences": 5}
        daily = event("Daily", "2026-03-10T10:00:00", "2026-03-10T11:00:00")
        made = w.box.create(w.calendar, daily | {"recurrence": {"pattern": pattern, "range": span}})
        await w.code()
        made.item.cancelled.add(date(2026, 3, 12))

        w.clock.advance(A_DAY_S)

        assert await drift(w) == 1
        assert "EXDATE;TZID=Europe/Berlin:20260312T100000" in w.text("Daily")


async def test_a_file_that_changed_in_silence(tmp_path: Path) -> None:
    """Its stat is the known one; its bytes are not."""
    async with world(tmp_path) as w:
        # Stats are believed once they have aged by the clock that files are stamped with.
        w.clock.advance((datetime.now(UTC) - NOW).total_seconds() + A_DAY_S)
        day = (w.clock.now() + timedelta(days=2)).date()
        w.box.create(w.calendar, event("Old", f"{day}T10:00:00", f"{day}T11:00:00"))
        await w.code()
        path = w.path("Old")
        w.edit("Old", b"SUMMARY:Old", b"SUMMARY:New")
        say_nothing(w, path)

        mailbox = await w.open_mailbox()
        calendars = await mailbox.refresh(force=True)
        assert [one.counts.drift for one in await mailbox.sync(calendars, look_at=[])] == [0]
        assert w.bodies("PATCH") == []
        w.clock.advance(A_DAY_S)

        assert await drift(w) == 1
        assert w.bodies("PATCH") == [{"subject": "New"}]


@pytest.mark.parametrize("side", ["local", "remote", "neither"])
async def test_what_is_told_is_no_drift(tmp_path: Path, side: str) -> None:
    """A change that arrives in the round of the comparison came by the usual way."""
    async with world(tmp_path) as w:
        made = w.box.create(w.calendar, event("Old", "2026-03-10T10:00:00", "2026-03-10T11:00:00"))
        await w.code()
        w.clock.advance(A_DAY_S)
        if side == "local":
            w.edit("Old", b"SUMMARY:Old", b"SUMMARY:New")
        elif side == "remote":
            w.box.patch(made.id, {"subject": "New"})

        assert await drift(w) == 0

        assert w.subjects() == ["Old" if side == "neither" else "New"]
