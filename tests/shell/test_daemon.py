"""The daemon against the simulated service: edits both ways, troubles, clocks, and the end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.clock import SystemClock
from syncd.core.errors import LoginNeeded, Unreachable
from syncd.core.state import CalendarRecord
from syncd.shell.config import Config, check_tables
from syncd.shell.control import ask_daemon
from syncd.shell.daemon import PATIENCE_S, Daemon, Troubles
from syncd.shell.mailbox import CalendarReport
from syncd.shell.mailbox import Mailbox as AccountMailbox
from syncd.shell.notify import Notifier
from syncd.shell.workshop import Workshop, state_lock
from syncd.simulator.faults import FaultKind
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.server import SimulatorServer
from syncd.simulator.service import Service
from syncd.simulator.tokens import StaticTokens
from syncd.testing import FakeClock

ME = "me@example.org"
LONGEST_WAIT_S = 15.0
HOUR_S = 3600.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Facts:
    """Fulfils `Observe`, and lets tests wait for what is told."""

    seen: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, event: str, facts: Mapping[str, Any]) -> None:
        self.seen.append((event, facts))
        self.bell.set()

    def named(self, event: str) -> list[Mapping[str, Any]]:
        return [facts for name, facts in self.seen if name == event]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Come back when it holds; it is looked at after each fact."""
        async with asyncio.timeout(LONGEST_WAIT_S):
            while not holds():
                self.bell.clear()
                await self.bell.wait()

    async def rounds(self, more: int) -> None:
        """Wait for so many more rounds."""
        now = len(self.named("round.finished"))
        await self.until(lambda: len(self.named("round.finished")) >= now + more)


class SteppedClock(SystemClock):
    """The machine's clock, with a wall clock that someone sets."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


@dataclass
class World:
    """A service with one mailbox, and a daemon that keeps it in step."""

    server: SimulatorServer
    mailbox: Mailbox
    config: Config
    clock: SteppedClock
    facts: Facts

    @property
    def folder(self) -> Path:
        return self.config.export_dir / "work" / "Calendar"

    def subjects(self) -> list[str]:
        items = self.mailbox.items(self.mailbox.default_calendar.id)
        return sorted(item.values["subject"] for item in items)

    def files(self) -> str:
        """All that is in the calendar's files."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.ics")))

    @asynccontextmanager
    async def daemon(
        self, changed: Callable[[Workshop], None] = lambda _: None
    ) -> AsyncIterator[Daemon]:
        """A daemon at work; it is told to stop at the end, and has to within five seconds."""
        stop = asyncio.Event()
        with state_lock(self.config):
            async with Workshop.open(
                self.config, self.facts, patience_s=PATIENCE_S, clock=self.clock
            ) as workshop:
                changed(workshop)
                daemon = Daemon(workshop, observe=self.facts, notifier=Notifier({}), tick_s=0.02)
                running = asyncio.ensure_future(daemon.run(stop))
                try:
                    yield daemon
                finally:
                    stop.set()
                    await asyncio.wait_for(running, 5)


def configured(base_url: str, root: Path, poll_interval: str, account: str = "work") -> Config:
    return check_tables(
        {
            "export_dir": str(root / "export"),
            "state_dir": str(root / "state"),
            "sync": {"poll_interval": poll_interval},
            "accounts": {
                account: {
                    "base_url": base_url,
                    "auth": {"method": "command", "command": ["echo", f"sim-{ME}"]},
                }
            },
        },
        root / "config.toml",
        {"HOME": str(root)},
    )


@asynccontextmanager
async def world(root: Path, poll_interval: str = "1h") -> AsyncIterator[World]:
    service = Service()
    mailbox = service.add_mailbox(ME)
    async with SimulatorServer(service, tokens=StaticTokens()) as server:
        config = configured(server.base_url, root, poll_interval)
        yield World(server, mailbox, config, SteppedClock(), Facts())


def event(subject: str) -> dict[str, Any]:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    return {
        "subject": subject,
        "start": {"dateTime": start.strftime("%Y-%m-%dT%H:%M:%S"), "timeZone": "UTC"},
        "end": {
            "dateTime": (start + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S"),
            "timeZone": "UTC",
        },
    }


def file(uid: str, subject: str) -> str:
    start = datetime.now(UTC) + timedelta(days=3)
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//test//test//EN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{start:%Y%m%dT%H%M%SZ}",
        f"DTSTART:{start:%Y%m%dT%H%M%SZ}",
        "DURATION:PT1H",
        f"SUMMARY:{subject}",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    return "\r\n".join(lines)


# --- both ways -----------------------------------------------------------------------------------


async def test_first_rounds(tmp_path: Path) -> None:
    """What the service has is in the folder soon after the start, before any interval is over."""
    async with world(tmp_path) as at:
        at.mailbox.create(at.mailbox.default_calendar.id, event("Stand-up"))

        async with at.daemon():
            await at.facts.until(lambda: "Stand-up" in at.files())


async def test_file_is_saved(tmp_path: Path) -> None:
    """A new file is on the service at once, though the next poll is an hour away."""
    async with world(tmp_path) as at, at.daemon():
        await at.facts.until(lambda: at.folder.is_dir() and bool(at.facts.named("round.finished")))
        (at.folder / "mine.ics").write_text(file("mine", "Dentist"))

        await at.facts.until(lambda: "Dentist" in at.subjects())


async def test_change_on_the_service(tmp_path: Path) -> None:
    """A change on the service reaches the folder by a poll."""
    async with world(tmp_path, "1s") as at, at.daemon():
        await at.facts.rounds(1)
        at.mailbox.create(at.mailbox.default_calendar.id, event("Lunch"))

        await at.facts.until(lambda: "Lunch" in at.files())


async def test_quiet_rounds(tmp_path: Path) -> None:
    """A round in which nothing happens costs one request."""
    async with world(tmp_path, "1s") as at, at.daemon():
        await at.facts.rounds(3)
        at.server.requests.clear()
        await at.facts.rounds(2)

        paths = [entry.path for entry in at.server.requests.entries]
        assert 2 <= len(paths) <= 3
        assert all("delta" in path for path in paths)


async def test_file_is_moved(tmp_path: Path) -> None:
    """A file that changes folders ends as one event, in the other calendar."""
    async with world(tmp_path) as at:
        other = at.mailbox.folders.create({"name": "Projects"})
        at.mailbox.create(at.mailbox.default_calendar.id, event("Kick-off"))
        async with at.daemon():
            await at.facts.until(lambda: "Kick-off" in at.files())
            await at.facts.until(lambda: (at.folder.parent / "Projects" / ".syncd").exists())
            (path,) = at.folder.glob("*.ics")
            path.rename(at.folder.parent / "Projects" / path.name)

            await at.facts.until(lambda: len(at.mailbox.items(other.id)) == 1)
            await at.facts.until(lambda: at.subjects() == [])

            assert len(at.mailbox.items(other.id)) == 1


async def test_new_calendar(tmp_path: Path) -> None:
    """A calendar that is made while the daemon runs gets its folder without a restart."""
    async with world(tmp_path) as at, at.daemon() as daemon:
        await at.facts.rounds(1)
        at.mailbox.folders.create({"name": "Projects"})
        at.clock.ahead = timedelta(minutes=6)  # the list is asked for every five minutes

        await at.facts.until(lambda: (at.folder.parent / "Projects").is_dir())
        await at.facts.until(lambda: len(daemon.keepers["work"].paces) == 2)  # type: ignore[index]


# --- troubles ------------------------------------------------------------------------------------


async def test_service_is_away_at_the_start(tmp_path: Path) -> None:
    """The daemon goes on without the service, and says so once."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1.0"
        config, facts, stop = configured(url, tmp_path, "1s"), Facts(), asyncio.Event()
        async with Workshop.open(config, facts, patience_s=0.0) as workshop:
            daemon = Daemon(workshop, observe=facts, notifier=Notifier({}), tick_s=0.02)
            running = asyncio.ensure_future(daemon.run(stop))
            await facts.until(lambda: bool(facts.named("daemon.ready")))
            daemon.keepers["work"].hurry()  # type: ignore[index]
            await facts.until(lambda: bool(facts.named("trouble.began")))
            stop.set()
            await asyncio.wait_for(running, 5)

    assert [one["subject"] for one in facts.named("trouble.began")] == ["work"]


async def test_login_is_mended(tmp_path: Path) -> None:
    """A login that fails is told, and its end as well."""
    async with world(tmp_path, "1s") as at, at.daemon() as daemon:
        await at.facts.rounds(1)
        at.server.faults.script(FaultKind.TOKEN_EXPIRED, times=10)
        await at.facts.until(lambda: bool(at.facts.named("trouble.began")))
        at.server.faults.clear()
        daemon.keepers["work"].hurry()  # type: ignore[index]
        await at.facts.until(lambda: bool(at.facts.named("trouble.ended")))

        assert {one["kind"] for one in at.facts.named("trouble.began")} == {"LoginNeeded"}


class BuggyMailbox(AccountMailbox):
    """A mailbox whose rounds crash as soon as a calendar of that name takes part."""

    def __init__(self, whole: AccountMailbox, name: str) -> None:
        vars(self).update(vars(whole))
        self._name = name

    async def sync(self, calendars: Collection[CalendarRecord], **how: Any) -> list[CalendarReport]:
        if any(one.name == self._name for one in calendars):
            raise ZeroDivisionError("a bug")
        return await super().sync(calendars, **how)


async def test_bug_in_one_calendar(tmp_path: Path) -> None:
    """A calendar that makes us crash is told and left alone; the others go on."""

    def break_projects(workshop: Workshop) -> None:
        for name, whole in workshop.mailboxes.items():
            workshop.mailboxes[name] = BuggyMailbox(whole, "Projects")

    async with world(tmp_path) as at:
        at.mailbox.folders.create({"name": "Projects"})
        at.mailbox.create(at.mailbox.default_calendar.id, event("Stand-up"))
        async with at.daemon(break_projects):
            await at.facts.until(lambda: "Stand-up" in at.files())
            await at.facts.until(lambda: bool(at.facts.named("trouble.began")))

    told = at.facts.named("trouble.began")
    assert [one["subject"] for one in told] == ["work/Projects"]
    assert isinstance(told[0]["exc_info"], ZeroDivisionError)


def test_trouble_that_stays() -> None:
    """A trouble is told when it begins, when it becomes another, and when it ends."""
    facts, clock = Facts(), FakeClock()
    troubles = Troubles(facts, clock)

    for error in (Unreachable("a"), Unreachable("b"), LoginNeeded("c"), LoginNeeded("d")):
        troubles.began("work", error)
        clock.advance(300)
    troubles.ended("work")
    troubles.ended("work")

    told = [(name, one["kind"]) for name, one in facts.seen]
    assert told == [
        ("trouble.began", "Unreachable"),
        ("trouble.began", "LoginNeeded"),
        ("trouble.ended", "LoginNeeded"),
    ]


def test_trouble_that_comes_and_goes() -> None:
    """What flickers is told once a minute, not each time."""
    facts, clock = Facts(), FakeClock()
    troubles = Troubles(facts, clock)

    for _ in range(100):
        troubles.began("work", Unreachable("a"))
        troubles.ended("work")
        clock.advance(1)

    assert len(facts.named("trouble.began")) == 2
    assert len(facts.named("trouble.ended")) == 2


def test_bug_is_told_with_its_trace() -> None:
    """An error that nobody meant to raise is told with its traceback."""
    facts = Facts()
    bug = ZeroDivisionError("x")

    Troubles(facts, FakeClock()).began("work/Calendar", bug)

    assert facts.named("trouble.began")[0]["exc_info"] is bug


# --- clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump_s", [-HOUR_S, HOUR_S, 20 * 365 * 24 * HOUR_S])
async def test_clock_is_set(tmp_path: Path, jump_s: float) -> None:
    """A wall clock that is set makes one round due at once, and nothing fails."""
    async with world(tmp_path) as at, at.daemon():
        await at.facts.rounds(1)
        at.clock.ahead = timedelta(seconds=jump_s)
        await at.facts.until(lambda: bool(at.facts.named("clock.jumped")))
        await at.facts.rounds(1)

        assert at.facts.named("trouble.began") == []


# --- commands ------------------------------------------------------------------------------------


async def test_sync_by_the_socket(tmp_path: Path) -> None:
    """`sync` runs in the daemon and tells what became of each calendar."""
    async with world(tmp_path) as at, at.daemon():
        await at.facts.rounds(1)
        at.mailbox.create(at.mailbox.default_calendar.id, event("Review"))
        answer = await ask_daemon(at.config.state_dir, {"do": "sync", "targets": ["work"]})

        assert answer is not None
        assert (answer["exit"], len(answer["reports"])) == (0, 1)
        assert "Review" in at.files()


async def test_unknown_target_by_the_socket(tmp_path: Path) -> None:
    """What cannot be done comes back as an error with its exit code."""
    async with world(tmp_path) as at, at.daemon():
        await at.facts.rounds(1)
        answer = await ask_daemon(at.config.state_dir, {"do": "sync", "targets": ["wrok"]})

        assert answer is not None
        assert (answer["exit"], answer["hint"]) == (2, "Did you mean 'work'?")


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"do": "dance"},
        {"do": "sync"},
        {"do": "sync", "targets": [1]},
        {"do": "verdict", "problem": "x", "kind": "maybe"},
        {"do": "verdict", "problem": "x", "kind": ["local"]},
        {"do": "verdict", "problem": "x", "kind": "local"},
    ],
)
async def test_request_that_makes_no_sense(tmp_path: Path, request_: dict[str, Any]) -> None:
    """A request that cannot be carried out is wrong usage, and the daemon goes on."""
    async with world(tmp_path) as at, at.daemon() as daemon:
        assert (await daemon.answer(request_))["exit"] == 2
        assert (await daemon.answer({"do": "status"}))["running"] is True


async def test_status_by_the_socket(tmp_path: Path) -> None:
    """`status` learns who runs and when each calendar's next round is."""
    async with world(tmp_path) as at, at.daemon() as daemon:
        await at.facts.rounds(1)
        await at.facts.until(lambda: daemon.keepers["work"].tried.is_set())  # type: ignore[index]
        answer = await ask_daemon(at.config.state_dir, {"do": "status"})

        assert answer is not None
        assert answer["pid"] == os.getpid()
        assert list(answer["next"]) == ["work/Calendar"]
        assert 0 <= answer["next"]["work/Calendar"] < HOUR_S * 1.1


# --- the end -------------------------------------------------------------------------------------


async def test_stop_while_the_service_is_slow(tmp_path: Path) -> None:
    """The daemon ends at once in the middle of a request and of a pause (`daemon` sees to it)."""
    async with world(tmp_path, "1s") as at:
        at.server.faults.script(FaultKind.THROTTLED, path="delta", times=99, retry_after_s=50)
        async with at.daemon():
            await at.facts.until(lambda: at.server.requests.count(path="delta") > 0)

    assert at.facts.named("daemon.stopped")


async def test_stop_at_any_moment(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Told to stop in the middle of its start, the daemon ends in order."""
    async with world(tmp_path) as at:
        for turns in (0, 1, 2, 3, 5, 8, 13, 21, 34):
            async with at.daemon():
                for _ in range(turns):
                    await asyncio.sleep(0)

    assert at.facts.named("trouble.began") == []
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []


async def test_stop_in_the_middle_of_a_push(tmp_path: Path) -> None:
    """A push that is cut off is finished by the next daemon, once."""
    async with world(tmp_path) as at:
        at.server.faults.script(FaultKind.SLOW, method="POST", path="events", delay_s=0.5)
        async with at.daemon():
            await at.facts.rounds(1)
            (at.folder / "mine.ics").write_text(file("mine", "Dentist"))
            await at.facts.until(lambda: at.server.faults.struck.get(FaultKind.SLOW, 0) > 0)
        at.facts.seen.clear()
        async with at.daemon() as daemon:
            await at.facts.rounds(1)
            await ask_daemon(at.config.state_dir, {"do": "sync", "targets": []})
            assert (await daemon.answer({"do": "status"}))["running"] is True

        assert at.subjects() == ["Dentist"]


CONFIG = """
export_dir = "{root}/export"
state_dir = "{root}/state"
[sync]
poll_interval = "1s"
[accounts.work]
base_url = "{base_url}"
[accounts.work.auth]
method = "command"
command = ["echo", "sim-{me}"]
"""


@pytest.mark.skipif(
    not (ROOT / "syncd" / "shell" / "cli.py").exists(), reason="there is no command line"
)
@pytest.mark.parametrize(
    ("number", "throttled"),
    [(signal.SIGTERM, False), (signal.SIGINT, False), (signal.SIGTERM, True)],
)
async def test_signal(tmp_path: Path, number: signal.Signals, throttled: bool) -> None:
    """SIGTERM and SIGINT end the process with 0 within five seconds, also in a long pause."""
    async with world(tmp_path) as at:
        if throttled:
            at.server.faults.script(FaultKind.THROTTLED, times=99, retry_after_s=50)
        path = tmp_path / "config.toml"
        path.write_text(CONFIG.format(root=tmp_path, base_url=at.server.base_url, me=ME))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(tmp_path / "notify"))
            manager.setblocking(False)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "syncd", "--config", str(path), "run"),
                cwd=ROOT,
                env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
                stderr=subprocess.PIPE,
            )
            said = b""
            async with asyncio.timeout(LONGEST_WAIT_S):
                while not said.startswith(b"READY=1"):
                    said = await asyncio.get_running_loop().sock_recv(manager, 4096)
            process.send_signal(number)
            async with asyncio.timeout(5):
                _, log = await process.communicate()

    assert process.returncode == 0, log.decode()
    assert b"Traceback" not in log
    assert not (tmp_path / "state" / "control").exists()
