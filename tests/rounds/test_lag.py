"""Exchange answers from several copies of a mailbox: a 404 may come too early."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from syncd.simulator.faults import FaultKind, Faults
from tests.rounds.world import World, event, ics, world

BY_ID = "/events/[^/?]+(\\?|$)"


def _events(w: World) -> list[str]:
    return sorted(item.values["subject"] for item in w.box.items(w.calendar))


def _lagging(w: World, times: int) -> None:
    """The service says 404 of an event that is asked for by its id."""
    w.server.faults.script(FaultKind.LAGGING, method="^GET$", path=BY_ID, times=times)


@pytest.mark.parametrize("times", range(1, 5))
async def test_an_early_404_makes_no_event_again(tmp_path: Path, times: int) -> None:
    """A PATCH meets a newer version, and the reads that follow find nothing for a while."""
    async with world(tmp_path, faults=Faults()) as w:
        await w.code()
        w.write("a.ics", ics("a", "Once"))
        assert await w.code() == 0
        w.edit("Once", b"Once", b"Twice")
        w.server.faults.script(FaultKind.PRECONDITION, method="^PATCH$")
        _lagging(w, times)

        assert await w.code() == 0

        assert _events(w) == ["Twice"]
        assert w.subjects() == ["Twice"]


@pytest.mark.parametrize("times", range(1, 5))
async def test_an_early_404_takes_no_file_away(tmp_path: Path, times: int) -> None:
    """A token died, the view misses an event for once, and so does the read by its id."""
    async with world(tmp_path, faults=Faults()) as w:
        await w.code()
        w.write(
            "a.ics", ics("a", "Series", "20260310T100000", "20260310T110000", "RRULE:FREQ=DAILY")
        )
        assert await w.code() == 0
        [item] = w.box.items(w.calendar)
        w.box.patch(item.default_id, {"subject": "Changed"})
        _lagging(w, times)

        assert await w.code() == 0

        assert w.names() == ["a.ics"]
        assert w.subjects() == ["Changed"]


@pytest.mark.parametrize("times", range(1, 4))
async def test_what_a_view_names_beyond_its_edges_is_not_gone_for_that(
    tmp_path: Path, times: int
) -> None:
    """It names what changed there as removed: with one early 404, nobody has said it is gone."""
    async with world(tmp_path, faults=Faults()) as w:
        await w.code()
        w.write("a.ics", ics("a", "Far", "20281213T100000", "20281213T110000"))
        assert await w.code() == 0
        [item] = w.box.items(w.calendar)
        w.edit("Far", b"SUMMARY:Far", b"SUMMARY:Far away")
        w.box.patch(item.default_id, {"location": {"displayName": "There"}})
        _lagging(w, times)

        assert await w.code() == 0

        assert _events(w) == ["Far away"]
        assert w.subjects() == ["Far away"]
        assert "LOCATION:There\r\n" in w.text("Far away")


async def test_a_404_of_a_series_that_a_page_has_just_shown_is_not_believed(
    tmp_path: Path,
) -> None:
    """However long it is known: it was changed now, and the file is edited as well."""
    async with world(tmp_path, faults=Faults()) as w:
        await w.code()
        w.write("a.ics", ics("a", "Old", "20260310T100000", "20260310T110000", "RRULE:FREQ=DAILY"))
        assert await w.code() == 0
        w.clock.advance(timedelta(days=1).total_seconds())
        [item] = w.box.items(w.calendar)
        w.box.patch(item.default_id, {"location": {"displayName": "Room 7"}})
        w.edit("Old", b"SUMMARY:Old", b"SUMMARY:New")
        _lagging(w, 2)

        assert await w.code() == 0

        assert _events(w) == ["New"]
        assert "LOCATION:Room 7" in w.read("a.ics")


async def test_an_event_that_cannot_be_read_yet_gets_its_file(tmp_path: Path) -> None:
    """The view shows a new event before it can be read by its id."""
    async with world(tmp_path, faults=Faults()) as w:
        await w.code()
        w.box.create(w.calendar, event("New", "2026-03-05T10:00:00", "2026-03-05T11:00:00"))
        _lagging(w, 3)

        assert await w.code() == 0

        assert w.subjects() == ["New"]


async def test_a_deletion_that_meets_an_early_404_is_carried_out(tmp_path: Path) -> None:
    """The answer to the DELETE got lost before it took effect; the look finds nothing yet."""
    async with world(tmp_path, faults=Faults()) as w:
        await w.code()
        w.write("a.ics", ics("a", "Gone"))
        assert await w.code() == 0
        (w.folder / "a.ics").unlink()
        w.server.faults.script(FaultKind.TIMEOUT_BEFORE, method="^DELETE$")
        _lagging(w, 2)

        assert await w.code() == 0

        assert _events(w) == []
        assert w.names() == []


async def test_a_clock_that_jumps_makes_no_event_long_known(tmp_path: Path) -> None:
    """By this machine's clock the event is days old; the service made it a moment ago."""
    async with world(tmp_path, faults=Faults()) as w:
        await w.code()
        w.write("a.ics", ics("a", "Gone"))
        assert await w.code() == 0
        days = timedelta(days=4)
        w.clock.advance(days.total_seconds())
        w.service.advance(-days)
        (w.folder / "a.ics").unlink()
        w.server.faults.script(FaultKind.TIMEOUT_BEFORE, method="^DELETE$")
        _lagging(w, 2)

        assert await w.code() == 0
        assert await w.code() == 0

        assert _events(w) == []
        assert w.names() == []


async def test_a_404_is_believed_within_one_sync(tmp_path: Path) -> None:
    """An event is deleted right after it was made, and no view ever names it: its file goes."""
    async with world(tmp_path, faults=Faults()) as w:
        await w.code()
        w.write("a.ics", ics("a", "Short"))
        assert await w.code() == 0
        [item] = w.box.items(w.calendar)
        w.box.delete(item.default_id)
        w.server.faults.script(FaultKind.SYNC_STATE_GONE, path="/delta.*token=")

        assert await w.code() == 0

        assert w.names() == []


async def test_a_404_of_what_is_long_known_is_believed_at_once(tmp_path: Path) -> None:
    """Nobody waits for a copy of the mailbox to catch up with last week."""
    async with world(tmp_path, faults=Faults()) as w:
        await w.code()
        w.write("a.ics", ics("a", "Old"))
        assert await w.code() == 0
        w.clock.advance(timedelta(days=7).total_seconds())
        [item] = w.box.items(w.calendar)
        w.box.delete(item.default_id)
        w.server.faults.script(FaultKind.SYNC_STATE_GONE, path="/delta.*token=")
        before_s = w.clock.monotonic_s()

        assert await w.code() == 0

        assert w.names() == []
        assert w.clock.monotonic_s() - before_s < 5
