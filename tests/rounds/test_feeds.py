"""The whole calendar in one file, for programs that subscribe to one."""

from __future__ import annotations

from pathlib import Path

import icalendar

from tests.rounds.world import event, world


async def test_a_feed_holds_every_event_of_the_calendar_once(tmp_path: Path) -> None:
    """It is written beside the folders, follows changes, and parses elsewhere."""
    async with world(tmp_path, feeds=True) as w:
        for name in ("A", "B", "C, D; E"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        path = w.root / "export" / ".feeds" / "work" / "Calendar.ics"
        first = icalendar.Calendar.from_ical(path.read_bytes())
        w.edit("A", b"SUMMARY:A", b"SUMMARY:Z")
        await w.code()

        second = icalendar.Calendar.from_ical(path.read_bytes())

        assert sorted(str(one["SUMMARY"]) for one in first.walk("VEVENT")) == ["A", "B", "C, D; E"]
        assert sorted(str(one["SUMMARY"]) for one in second.walk("VEVENT")) == ["B", "C, D; E", "Z"]
        assert len(second.walk("VTIMEZONE")) == 1
        assert path.stat().st_mode & 0o777 == 0o600
