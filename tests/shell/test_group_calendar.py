"""The calendar of a group: a folder to read, without delta rounds, and without a write."""

import asyncio
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import icalendar
import pytest

from syncd.shell.commands.run import run_daemon
from syncd.shell.config import load_config
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.model import Window
from syncd.simulator.tokens import StaticTokens
from tests.shell.cli_world import TOMORROW, World, at, world
from tests.shell.test_daemon import Facts

GROUP = "11111111-2222-3333-4444-555555555555"
DAYS = [TOMORROW + timedelta(days=n) for n in range(4)]
ALWAYS = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
SERIES = {
    "pattern": {"type": "daily", "interval": 1},
    "range": {"type": "numbered", "startDate": str(TOMORROW), "numberOfOccurrences": 4},
}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    """An account that follows a group's calendar, with an event and a series; synced."""
    with world(tmp_path) as made:
        assert isinstance(made.server.tokens, StaticTokens)
        made.server.tokens.scopes = frozenset({"Group.Read.All", "User.Read"})
        group = made.service.add_group("team@example.org", "Team", group_id=GROUP)
        event(group, "Kick-off")
        event(group, "Stand-up", recurrence=SERIES)
        made.configure()
        config = made.config.read_text()
        named = config.replace("[accounts.work]\n", f'[accounts.work]\nuser = "group:{GROUP}"\n')
        made.config.write_text(named)
        assert made.syncd("sync").code == 0
        yield made


@pytest.fixture
def group(here: World) -> Mailbox:
    return here.service.group(GROUP)


def event(group: Mailbox, subject: str, **more: object) -> str:
    body = {"subject": subject, "start": at("10:00"), "end": at("11:00"), **more}
    return group.create(group.default_calendar.id, body).id


def item(group: Mailbox, subject: str) -> str:
    items = group.items(group.default_calendar.id)
    return next(one.default_id for one in items if one.values["subject"] == subject)


def files(here: World) -> dict[str, bytes]:
    """The group's files, by their subjects."""
    found = {}
    for path in here.export.glob("work/*/[!.]*.ics"):
        first = icalendar.Calendar.from_ical(path.read_bytes()).walk("VEVENT")[0]
        found[str(first["SUMMARY"])] = path.read_bytes()
    return found


def asked(here: World) -> list[str]:
    """What was asked for since this was last called."""
    requests = [f"{one.method} {one.path}" for one in here.server.requests.entries]
    here.server.requests.clear()
    return requests


def an_hour_ago(here: World) -> None:
    """What was just seen is not believed to be gone at once; this was seen before."""
    state = sqlite3.connect(here.folder / "state" / "state.db")
    with state:
        ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        state.execute("UPDATE remote SET seen_at = ?", (ago,))
    state.close()


def test_its_events_are_files(here: World) -> None:
    assert sorted(files(here)) == ["Kick-off", "Stand-up"]
    assert b"RRULE:FREQ=DAILY;COUNT=4" in files(here)["Stand-up"]
    assert not any("/delta" in path for path in asked(here))


def test_a_quiet_round_of_the_daemon_reads_the_view_alone(here: World) -> None:
    """Series are compared by the versions of their occurrences, and read where they differ."""
    config = here.config.read_text()
    here.config.write_text(config.replace("[log]", '[sync]\npoll_interval = "1s"\n[log]'))

    async def daemon() -> list[str]:
        stop, facts = asyncio.Event(), Facts()
        running = asyncio.create_task(run_daemon(load_config(here.config), stop, observe=facts))
        await facts.until(lambda: len(facts.named("round.finished")) > 0)
        here.server.requests.clear()
        await facts.until(lambda: len(facts.named("round.finished")) > 2)
        stop.set()
        await running
        return asked(here)

    requests = asyncio.run(daemon())

    assert any("/calendarView?" in one for one in requests)
    assert not any("/events/" in one for one in requests)


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "Renamed"},
        {"location": {"displayName": "Hall"}},
        {"start": at("14:00"), "end": at("15:00")},
    ],
)
@pytest.mark.parametrize("subject", ["Kick-off", "Stand-up"])
def test_what_changes_there_changes_here(
    here: World, group: Mailbox, subject: str, change: dict[str, object]
) -> None:
    before = files(here)[subject]
    group.patch(item(group, subject), change)

    assert here.syncd("sync").code == 0

    assert before not in files(here).values()
    assert len(files(here)) == 2


def test_an_occurrence_is_moved_and_another_taken_away(here: World, group: Mailbox) -> None:
    rows = {one.slot: one.id for one in group.find(item(group, "Stand-up")).item.instances(ALWAYS)}
    group.patch(rows[DAYS[1]], {"location": {"displayName": "Hall"}})
    group.delete(rows[DAYS[2]])

    assert here.syncd("sync").code == 0

    text = files(here)["Stand-up"]
    assert text.count(b"BEGIN:VEVENT") == 2
    assert f"{DAYS[2]:%Y%m%d}T100000".encode() in text.partition(b"EXDATE")[2]


def test_what_is_deleted_there_goes_here(here: World, group: Mailbox) -> None:
    an_hour_ago(here)
    group.delete(item(group, "Kick-off"))

    assert here.syncd("sync").code == 0

    assert sorted(files(here)) == ["Stand-up"]


def test_nothing_is_written_to_it(here: World) -> None:
    """An edit is undone, and a deleted file comes back."""
    paths = list(here.export.glob("work/*/[!.]*.ics"))
    [edited] = [one for one in paths if b"Kick-off" in one.read_bytes()]
    [deleted] = [one for one in paths if b"Stand-up" in one.read_bytes()]
    edited.write_bytes(edited.read_bytes().replace(b"Kick-off", b"Mine"))
    deleted.unlink()
    asked(here)

    here.syncd("sync")
    here.syncd("sync")

    assert sorted(files(here)) == ["Kick-off", "Stand-up"]
    assert all(request.startswith("GET") for request in asked(here))


def test_check_says_what_it_is(here: World) -> None:
    done = here.syncd("check")

    assert done.code == 0
    assert f"knows {GROUP}" in done.out
