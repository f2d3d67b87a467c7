"""A whole small world for rounds: the simulator over HTTP, real folders, real SQLite, a fake clock."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from syncd.core.errors import SyncdError
from syncd.core.state import CalendarKey, Problem, PutVerdict, RemoteRecord, VerdictRecord
from syncd.graph.transport import GraphRemote
from syncd.graph.waits import Patience
from syncd.ports import Marker, Request, WriteOutcome
from syncd.round.desk import Counts
from syncd.shell.config import DEFAULT_SYNC, Account, Auth, Filter
from syncd.shell.config_model import MailPolicy, SyncSettings
from syncd.shell.mailbox import CalendarReport, Mailbox, exit_code
from syncd.shell.workshop import StoredPauses
from syncd.simulator.faults import Faults
from syncd.simulator.folders import Person
from syncd.simulator.server import SimulatorServer
from syncd.simulator.service import Service
from syncd.simulator.switches import Switches
from syncd.simulator.tokens import StaticTokens
from syncd.store.store import Store
from syncd.testing import FakeClock
from syncd.vdir.folder import VdirFolder

ME = "me@example.org"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class RecordingRemote(GraphRemote):
    """The real transport, which also remembers the writes that were asked of it."""

    sent: list[Request]

    async def write_all(self, requests: Sequence[Request]) -> list[WriteOutcome]:
        self.sent.extend(requests)
        return await super().write_all(requests)


@dataclass
class StaticToken:
    """A token source that always has the token of one user."""

    user: str = ME

    async def token(self) -> str:
        return f"sim-{self.user}"

    async def refused(self, token: str) -> None:
        return None


@dataclass
class World:
    """Everything a test touches; `sync` is one `syncd sync`."""

    root: Path
    clock: FakeClock
    service: Service
    server: SimulatorServer
    settings: SyncSettings
    store: Store
    facts: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    mailbox: Mailbox | None = None
    patience_s: float = 60.0
    left_out: tuple[str, ...] = ()
    sent: list[Request] = field(default_factory=list)
    token: StaticToken = field(default_factory=StaticToken)

    @property
    def box(self) -> Any:
        return self.service.mailbox(ME)

    @property
    def folder(self) -> Path:
        return self.root / "export" / "work" / "Calendar"

    def account(self) -> Account:
        return Account(
            name="work",  # type: ignore[arg-type]
            api="graph",
            base_url=self.server.base_url,
            user="me",
            addresses=(),
            ca_file=None,
            auth=Auth("command", "", "common", "", (), ("true",), "", ""),
            calendar_filter=Filter(("*",), self.left_out),
            sync=self.settings,
            calendars={},
        )

    async def open_mailbox(self) -> Mailbox:
        """A new process, as it were: the same state and folders, nothing in memory."""
        await self.stack.aclose()
        self.stack = AsyncExitStack()
        remote = RecordingRemote(
            self.server.base_url,
            self.token,
            pauses=StoredPauses(self.store, "work"),  # type: ignore[arg-type]
            clock=self.clock,
            ca_file=None,
            patience=Patience(self.patience_s),
            rng=Random(1),
        )
        remote.sent = self.sent
        await self.stack.enter_async_context(remote)

        def make_folder(path: Path, marker: Marker, mode: int) -> VdirFolder:
            return VdirFolder(path, marker=marker, file_mode=mode, clock=self.clock)

        self.mailbox = Mailbox(
            self.account(),
            self.root / "export",
            self.store,
            remote,
            self.clock,
            make_folder,
            lambda fact, fields: self.facts.append((fact, fields)),
        )
        return self.mailbox

    async def sync(self, *, fresh: bool = False) -> list[CalendarReport]:
        mailbox = self.mailbox
        if mailbox is None or fresh:
            mailbox = await self.open_mailbox()
        try:
            calendars = await mailbox.refresh(force=True)
        except SyncdError as error:
            return [CalendarReport("work", "", Counts(), trouble=error)]  # type: ignore[arg-type]
        return await mailbox.sync(calendars, look_at=[one.key for one in calendars])

    async def code(self, *, fresh: bool = False) -> int:
        reports = await self.sync(fresh=fresh)
        for report in reports:
            if report.trouble is not None:
                self.facts.append(("trouble", {"error": repr(report.trouble)}))
        held = [one for one in await self.store.problems() if one.needs_person]
        return int(exit_code(reports, held=len(held)))

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_bytes(text.replace("\n", "\r\n").encode())
        return path

    def read(self, name: str) -> str:
        return (self.folder / name).read_bytes().decode().replace("\r\n", "\n")

    def names(self) -> list[str]:
        return sorted(p.name for p in self.folder.glob("*.ics"))

    @property
    def calendar(self) -> str:
        return str(self.box.default_calendar.id)

    def folders(self) -> dict[str, str]:
        """The folders' names by the names of their calendars."""
        root = self.root / "export" / "work"
        return {
            (path / "displayname").read_text().strip(): path.name
            for path in root.iterdir()
            if (path / "displayname").exists()
        }

    def path(self, subject: str) -> Path:
        """The one file whose SUMMARY is `subject`."""
        marker = f"SUMMARY:{subject}\r\n".encode()
        [found] = [p for p in self.folder.glob("*.ics") if marker in p.read_bytes()]
        return found

    def text(self, subject: str) -> str:
        return self.path(subject).read_bytes().replace(b"\r\n ", b"").decode()

    def subjects(self) -> list[str]:
        found = []
        for path in sorted(self.folder.glob("*.ics")):
            lines = path.read_bytes().replace(b"\r\n ", b"").decode().splitlines()
            found += [line[8:] for line in lines if line.startswith("SUMMARY:")]
        return found

    def edit(self, subject: str, old: bytes, new: bytes) -> None:
        """Rewrite in place, as an editor does."""
        path = self.path(subject)
        data = path.read_bytes()
        assert old in data
        self.clock.advance(5)
        path.write_bytes(data.replace(old, new))

    def bodies(self, method: str) -> list[Any]:
        """The JSON of the writes of a kind since the last `clear`."""
        return [json.loads(one.body) for one in self.sent if one.method == method and one.body]

    def receive(self, subject: str, start: str, end: str, **rest: Any) -> Any:
        """A meeting that somebody else organised."""
        body = event(subject, start, end, **rest)
        body["attendees"] = [{"emailAddress": {"address": ME}, "type": "required"}]
        return self.box.receive(self.calendar, body, Person("Carol", "carol@example.org"))

    async def decide(self, problem: Problem, kind: Any) -> None:
        """What `syncd approve`, `discard` and `resolve` do."""
        found = await self.store.calendar_of_problem(problem.id)
        assert found is not None
        verdict = VerdictRecord(problem.id, kind, problem.exact)
        await self.store.commit(found[0], [PutVerdict(verdict)])

    def spoil(self, calendar: CalendarKey, record: RemoteRecord, odd: bytes) -> None:
        """As if the service had sent a time that no calendar has."""
        raw = re.sub(rb'"dateTime":"[^"]*"', odd, record.raw, count=1)
        self.store._conn.execute(
            "UPDATE remote SET raw = ? WHERE calendar = ? AND graph_id = ?",
            (raw, calendar, record.graph_id),
        )
        self.store._conn.execute("INSERT INTO todo VALUES (?, ?)", (calendar, record.uid))

    async def lose_state(self) -> None:
        await self.store.close()
        self.store = await Store.open(None)

    def requests(self, method: str = "") -> list[str]:
        """Requests that reached events, batches' parts included, since the last `clear`."""
        return [
            f"{one.method} {one.path}"
            for one in self.server.requests.entries
            if (not method or one.method == method) and "$batch" not in one.path
        ]

    def writes(self) -> list[str]:
        return [one for one in self.requests() if not one.startswith("GET")]

    def clear(self) -> None:
        self.server.requests.clear()
        self.sent.clear()

    def mails(self, actor: str = "api") -> list[Any]:
        return [mail for mail in self.service.ledger if mail.actor == actor]


def event(subject: str, start: str, end: str, **rest: Any) -> dict[str, Any]:
    """A Graph event body in W. Europe time."""
    zone = rest.pop("zone", "W. Europe Standard Time")
    return {
        "subject": subject,
        "start": {"dateTime": start, "timeZone": zone},
        "end": {"dateTime": end, "timeZone": zone},
        "isReminderOn": False,
        **rest,
    }


def ics(
    uid: str, summary: str, start: str = "20260310T100000", end: str = "20260310T110000", *more: str
) -> str:
    """A small file in Berlin time."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//test//test//EN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260101T000000Z",
        f"SUMMARY:{summary}",
        f"DTSTART;TZID=Europe/Berlin:{start}",
        f"DTEND;TZID=Europe/Berlin:{end}",
        *more,
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    return "\n".join(lines)


@asynccontextmanager
async def world(
    root: Path,
    *,
    switches: Switches | None = None,
    faults: Faults | None = None,
    mail: MailPolicy | None = None,
    state: Path | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    clock = FakeClock(NOW)
    service = Service(now=clock.now, random=Random(7), switches=switches or Switches())
    box = service.add_mailbox(ME, "Me Myself")
    box.folders.settings["timeZone"] = "W. Europe Standard Time"
    merged = replace(DEFAULT_SYNC, **settings)
    if mail is not None:
        merged = replace(merged, mail=mail)
    async with SimulatorServer(service, tokens=StaticTokens(), faults=faults) as server:
        store = await Store.open(state)
        here = World(root, clock, service, server, merged, store)
        try:
            yield here
        finally:
            await here.stack.aclose()
            await here.store.close()


def dumps(value: Any) -> str:
    return json.dumps(value, indent=1, default=str)


__all__ = ["ME", "NOW", "World", "dumps", "event", "ics", "timedelta", "world"]
