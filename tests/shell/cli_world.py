"""A simulated service in a thread, a configuration for it, and `syncd` run in this process."""

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from syncd.shell.cli import run
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.model import Event
from syncd.simulator.server import SimulatorServer
from syncd.simulator.service import Service
from syncd.simulator.tokens import StaticTokens

ME = "me@example.org"
TOMORROW = datetime.now(UTC).date() + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(slots=True)
class World:
    """One mailbox on a service, and one installation."""

    folder: Path
    service: Service
    server: SimulatorServer
    mailbox: Mailbox
    auth: str = f'method = "command"\ncommand = ["echo", "sim-{ME}"]'

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def export(self) -> Path:
        return self.folder / "Calendars"

    @property
    def calendar(self) -> Path:
        return self.export / "work" / "Calendar"

    def configure(self, extra: str = "", auth: str = "") -> None:
        text = f"""
export_dir = "{self.export}"
state_dir = "{self.folder / "state"}"
[log]
level = "error"
{extra}
[accounts.work]
base_url = "{self.server.base_url}"
[accounts.work.auth]
{auth or self.auth}
"""
        self.config.write_text(text)

    def syncd(self, *arguments: str) -> Done:
        return syncd("--config", str(self.config), *arguments)

    def file(self, name: str, *lines: str, start: str = "T100000Z") -> Path:
        path = self.calendar / name
        path.write_bytes(ics(path.stem, *lines, start=start))
        return path

    def files(self) -> list[Path]:
        return sorted(self.calendar.glob("*.ics"))

    def event(self, subject: str, **values: Any) -> Event:
        """An event on the service, tomorrow from 10 to 11."""
        body = {"subject": subject, "start": at("10:00"), "end": at("11:00"), **values}
        return self.mailbox.create(self.mailbox.default_calendar.id, body)

    def subjects(self) -> list[str]:
        items = self.mailbox.items(self.mailbox.default_calendar.id)
        return sorted(Event(item).subject for item in items)


def syncd(*arguments: str) -> Done:
    """Run a command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(arguments)
    return Done(code, out.getvalue(), err.getvalue())


def at(time: str, zone: str = "UTC") -> dict[str, str]:
    return {"dateTime": f"{TOMORROW}T{time}:00", "timeZone": zone}


def guest(address: str) -> dict[str, Any]:
    return {"emailAddress": {"address": address, "name": ""}, "type": "required"}


def ics(uid: str, *lines: str, start: str = "T100000Z") -> bytes:
    """A file with one event tomorrow."""
    inner = (
        f"UID:{uid}",
        "DTSTAMP:20310101T000000Z",
        f"DTSTART:{TOMORROW:%Y%m%d}{start}",
        "DURATION:PT1H",
        *lines,
    )
    whole = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//a//b//EN", "BEGIN:VEVENT", *inner)
    return "\r\n".join((*whole, "END:VEVENT", "END:VCALENDAR", "")).encode()


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Serve until the block ends."""
    service = Service(random=Random(7))
    mailbox = service.add_mailbox(ME, "Me Myself")
    server = SimulatorServer(service, tokens=StaticTokens())
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
    try:
        made = World(folder, service, server, mailbox)
        made.configure()
        yield made
    finally:
        ended = server.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(ended, loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
