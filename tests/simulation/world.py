"""One small world: the mailbox, its installations of syncd, the people, and what time it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from syncd.core.errors import CommandError, SyncdError
from syncd.core.ids import Uid
from syncd.core.mail import MailPolicy
from syncd.core.owner import Owner
from syncd.core.state import Problem, PutVerdict, VerdictRecord
from syncd.core.wire.graph import decode_event, read_item
from syncd.core.wishes import Meeting, Wish
from syncd.core.zones import WindowsZone
from syncd.graph.waits import Patience
from syncd.ports import Marker
from syncd.shell.actions import DECISIONS
from syncd.shell.asking import entry_of
from syncd.shell.config import DEFAULT_SYNC, Account, Auth, Filter
from syncd.shell.config_model import SyncSettings
from syncd.shell.mailbox import CalendarReport, Mailbox, rules_of
from syncd.shell.second_event import second_event
from syncd.shell.workshop import StoredPauses
from syncd.simulator.exchange import Exchange
from syncd.simulator.faults import Fault, FaultKind, Faults, RandomPlan
from syncd.simulator.faults import Script as Failure
from syncd.simulator.graph_http import GraphApi
from syncd.simulator.model import Item
from syncd.simulator.request_log import RequestLog
from syncd.simulator.service import Service
from syncd.simulator.switches import Switches
from syncd.simulator.tokens import StaticTokens
from tests.simulation.folder import SimFolder
from tests.simulation.machine import Clock, Killed, Machine, Time, finished
from tests.simulation.remote import PureRemote
from tests.simulation.script import Script
from tests.simulation.store import Disk, SimStore

__all__ = ["ME", "Installation", "World", "number_of", "same_uid"]

ME = "me@example.org"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ZONE = "W. Europe Standard Time"
_WRITES = "^(POST|PATCH|DELETE)$"
_NUMBER = re.compile(r"\bi(\d+) ")


def number_of(subject: str) -> int:
    """The number of the item that a subject names, 0 where it names none."""
    found = _NUMBER.search(subject)
    return int(found[1]) if found else 0


def same_uid(uid: str) -> str:
    """
    A UID without the day that Exchange writes into those of occurrences ([MS-OXOCAL] 2.2.1.27).
    """
    if uid.startswith("040000008200E00074C5B7101A82E008") and len(uid) > 40:
        return f"{uid[:32]}00000000{uid[40:]}"
    return uid


class _Mailbox(Mailbox):
    """A mailbox whose folders are in memory."""

    folders: Mapping[str, SimFolder]

    async def _is_unmounted(self) -> bool:
        for one in await self._store.calendars(self.account.name):
            folder = self.folders.get(one.folder)
            if one.phase == "live" and one.status == "active" and folder and not folder.is_there:
                return True
        return False


async def _at_once(seconds: float) -> None:
    pass


@dataclass(slots=True)
class Installation:
    """One machine with syncd: its state, its folders, its clock."""

    name: str
    world: World
    machine: Machine
    clock: Clock
    disk: Disk
    settings: SyncSettings
    folders: dict[str, SimFolder] = field(default_factory=dict)
    open_files: dict[int, tuple[str, str, bytes]] = field(default_factory=dict)
    store: SimStore | None = None
    mailbox: _Mailbox | None = None
    remote: PureRemote | None = None
    garbage: dict[str, bytes] = field(default_factory=dict)
    states: int = 1
    lost: list[bytes] = field(default_factory=list)

    def folder(self, calendar: str) -> SimFolder:
        """The folder of a calendar, by its name."""
        if calendar not in self.folders:
            marker = Marker("work", "", "")
            self.folders[calendar] = SimFolder(
                marker=marker, clock=self.clock, machine=self.machine
            )
        return self.folders[calendar]

    def _make_folder(self, path: Path, marker: Marker, mode: int) -> SimFolder:
        folder = self.folder(path.name)
        folder.retarget(marker)
        return folder

    def start(self) -> _Mailbox:
        """A new process: the same state and folders, nothing in memory."""
        world = self.world
        self.store = self.disk.opened(self.machine)
        pauses: Any = StoredPauses(self.store, "work")  # type: ignore[arg-type]
        self.remote = PureRemote(
            world.exchange,
            f"sim-{ME}",
            pauses=pauses,
            clock=self.clock,
            machine=self.machine,
            patience=Patience(60.0),
            rng=Random(1),
        )
        make: Any = self._make_folder
        self.mailbox = _Mailbox(
            _account(self.settings),
            Path("/export"),
            self.store,
            self.remote,
            self.clock,
            make,
            self._told,
        )
        self.mailbox.folders = self.folders
        return self.mailbox

    def _told(self, fact: str, fields: Mapping[str, Any]) -> None:
        if fact in ("event.unreadable", "event.refused"):
            self.world.say(f"{self.name}: {fact} {dict(fields)}")

    def sync(self, *, fresh: bool, look: bool) -> list[CalendarReport]:
        """One `syncd sync`, or the daemon's round where nothing is looked at. Raises: Killed."""
        mailbox = self.start() if fresh or self.mailbox is None else self.mailbox
        try:
            return finished(self._sync(mailbox, look))
        except Killed:
            self.mailbox = None
            raise

    async def _sync(self, mailbox: Mailbox, look: bool) -> list[CalendarReport]:
        try:
            calendars = await mailbox.refresh(force=look)
        except SyncdError as error:
            counts: Any = None
            name: Any = "work"
            return [CalendarReport(name, "", counts, trouble=error)]
        return await mailbox.sync(calendars, look_at=[one.key for one in calendars] if look else ())

    def problems(self) -> list[Problem]:
        """What `syncd problems` lists."""
        store = self.store or self.disk.opened(self.machine)
        return finished(store.problems())

    def forget(self) -> None:
        """The state is lost: a new one begins."""
        self.lost.append(self.kept())
        self.states += 1
        self.disk = Disk(f"{self.name}{self.states}".ljust(32, "0"))
        self.store = self.mailbox = self.remote = None

    def decide(self, problem: Problem, kind: Any) -> bool:
        """What `syncd approve`, `discard` and `resolve` do; whether that can be decided."""
        if not problem.needs_person or kind not in DECISIONS.get(problem.kind, frozenset()):
            return False
        if kind == "both":
            if not self._second_event(problem):
                return False
            kind = "remote"
        store = self.store or self.disk.opened(self.machine)
        found = finished(store.calendar_of_problem(problem.id))
        if found is None:
            return False
        verdict = VerdictRecord(problem.id, kind, problem.exact)
        finished(store.commit(found[0], [PutVerdict(verdict)]))
        return True

    def wish(self, uid: str, ask: Callable[[Meeting, MailPolicy], Wish]) -> Wish | None:
        """What `syncd respond` and its like journal; None where that cannot be asked for."""
        if self.settings.direction != "two-way":
            return None
        store = self.store or self.disk.opened(self.machine)
        owner = Owner(frozenset({ME}), WindowsZone(ZONE))
        for calendar in finished(store.calendars()):
            item = finished(store.items(calendar.key, [Uid(uid)])).get(Uid(uid))
            records = finished(store.remotes_by_uid(calendar.key, [Uid(uid)])).get(Uid(uid), ())
            for record in records:
                if item is None or item.local_only or item.graph_id != record.graph_id:
                    continue
                event = decode_event(record.raw)
                meeting = Meeting(read_item(event, owner), event, owner)
                try:
                    wish = ask(meeting, rules_of(self.settings).mail)
                except CommandError:
                    return None
                entry = entry_of(wish, Uid(uid), "", self.clock.now())
                finished(store.new_outbox(calendar.key, [entry]))
                return wish
        return None

    def _second_event(self, problem: Problem) -> bool:
        """What `--take both` does first (`actions._write_second`)."""
        folder = self.folder(problem.calendar)
        if problem.file not in folder.names():
            return False
        data = second_event(folder.read(problem.file), f"second-{problem.id}-{self.states}")
        if not isinstance(data, bytes):
            return False
        folder.save(f"second-{problem.id}.ics", data)
        return True

    def kept(self) -> bytes:
        """
        All versions in the history and all problems, to be searched for what was saved; those of
        states that were lost, and the files of folders that were taken away, among them.
        """
        rows: list[Any] = [self.lost]
        rows += [folder.away() for folder in self.folders.values()]
        for sql in (
            "SELECT before, after FROM history",
            "SELECT detail, reason FROM problem",
        ):
            rows += self.disk.conn.execute(sql).fetchall()
        return b"\n".join(
            text if isinstance(text, bytes) else str(text).encode()
            for row in rows
            for text in row
            if text is not None
        )

    def knows(self, uid: str) -> bool:
        """Whether its state has taken down that there is a file of that UID."""
        sql = "SELECT 1 FROM item WHERE uid = ? AND file IS NOT NULL"
        return self.disk.conn.execute(sql, (uid,)).fetchone() is not None

    def wrote(self, uid: str, data: bytes) -> bool:
        """Whether a file is as syncd made it right before it was killed, which no state tells."""
        sql = "SELECT content FROM item WHERE uid = ?"
        known = self.disk.conn.execute(sql, (uid,)).fetchone()
        sql = "SELECT 1 FROM history WHERE uid = ? AND side = 'remote' AND after = ?"
        made = self.disk.conn.execute(sql, (uid, data)).fetchone()
        return known is not None and known[0] != data and made is not None

    def announced(self, uid: str) -> bool:
        """Whether its state has taken down what a file of that UID is, or was to be, made of."""
        sql = "SELECT 1 FROM item WHERE uid = ? AND base_remote IS NOT NULL"
        return self.disk.conn.execute(sql, (uid,)).fetchone() is not None

    def follows(self, uid: str) -> bool:
        """Whether its state knows the event of that UID."""
        sql = "SELECT 1 FROM item WHERE uid = ? AND graph_id IS NOT NULL"
        return self.disk.conn.execute(sql, (uid,)).fetchone() is not None

    def in_doubt(self, uid: str) -> bool:
        """Whether a write of that item is not settled."""
        return (
            self.disk.conn.execute("SELECT 1 FROM outbox WHERE uid = ?", (uid,)).fetchone()
            is not None
        )

    def has_file(self, uid: str) -> bool:
        """Whether a file of that UID is in a folder."""
        mark = f"\r\nUID:{uid}".encode()[:60]
        return any(
            mark in folder.read(name) for folder in self.folders.values() for name in folder.names()
        )

    def set_right(self) -> None:
        """The machine's clock is right again."""
        self.clock.off_s = 0

    @property
    def file_writes(self) -> int:
        """How often syncd touched a file."""
        return sum(folder.writes for folder in self.folders.values())


def _account(settings: SyncSettings) -> Account:
    name: Any = "work"
    return Account(
        name=name,
        api="graph",
        base_url="http://simulator/v1.0",
        user="me",
        addresses=(),
        ca_file=None,
        auth=Auth("command", "", "common", "", (), ("true",), "", ""),
        calendar_filter=Filter(("*",), ()),
        sync=settings,
        calendars={},
    )


_STORM = tuple(
    kind
    for kind in FaultKind
    if kind not in (FaultKind.SLOW, FaultKind.PRECONDITION, FaultKind.ENDLESS_PAGES)
)


class World:
    """Everything of one run."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.time = Time(NOW)
        self.said: list[str] = []
        self.approved = False
        self.faults = Faults()
        self.requests = RequestLog()
        self.service = Service(
            now=self.time.now, random=Random(script.seed), switches=Switches(**script.switches)
        )
        self.box = self.service.add_mailbox(ME, "Me Myself")
        self.box.folders.settings["timeZone"] = ZONE
        other = self.box.folders.add("Other")
        self.calendars = {"Calendar": self.box.default_calendar.id, "Other": other.id}
        api = GraphApi(self.service, StaticTokens())
        self.exchange = Exchange(api, self.faults, self.requests, sleep=_at_once)
        names = ("here", "there") if script.settings.get("second") else ("here",)
        self.installations = {name: self._installation(name) for name in names}

    def _installation(self, name: str) -> Installation:
        machine = Machine()
        clock = Clock(self.time, machine)
        asked = self.script.settings
        settings = DEFAULT_SYNC
        if not asked.get("limit"):
            settings = replace(settings, max_deletes=1000)
        if "conflict" in asked:
            settings = replace(settings, conflict=asked["conflict"])
        settings = replace(settings, mail=self.mail)
        if "direction" in asked:
            settings = replace(settings, direction=asked["direction"])
        return Installation(name, self, machine, clock, Disk(f"{name:0<32}"), settings)

    @property
    def mail(self) -> MailPolicy:
        """What is done about mails."""
        asked: Any = self.script.settings.get("mail")
        if asked is None:
            return rules_of(DEFAULT_SYNC).mail
        return MailPolicy(*((asked,) * 4 if isinstance(asked, str) else asked))

    @property
    def is_at_work(self) -> bool:
        """Whether a sync is under way."""
        return any(one.machine.hook is not None for one in self.installations.values())

    @property
    def is_unguarded(self) -> bool:
        """Whether syncd is at work, and the service would not stop a write of the version before."""
        return self.is_at_work and not self.service.switches.if_match_honoured

    # --- what is said of it --------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Add to the story."""
        self.said.append(f"{self.time.wall:%d %H:%M:%S} {text}")

    def items(self) -> list[tuple[str, Item]]:
        """Everything in the mailbox, with its calendar's name."""
        return [
            (name, item)
            for name, folder in self.calendars.items()
            for item in self.box.items(folder)
        ]

    def item(self, number: int) -> Item | None:
        """The first event of that number."""
        found = (one for _, one in self.items() if number_of(one.values["subject"]) == number)
        return next(found, None)

    def is_settled(self, uid: str) -> bool:
        """
        Whether every installation knows how it stands with an item: no write of it is in doubt, no
        file of it is unknown to the state, and its maker knows its event.
        """
        made_here = uid.startswith(("local-", "copy-"))
        known = False
        for here in self.installations.values():
            known_file = here.knows(uid) or here.announced(uid)
            if here.in_doubt(uid) or (here.has_file(uid) and not known_file):
                return False
            known |= here.follows(uid)
        return known or not made_here

    # --- what fails ----------------------------------------------------------------------------

    def fail(self, here: Installation, what: str, number: int) -> None:
        """Let something fail from now on. Raises: Killed."""
        match what:
            case "kill":
                raise Killed
            case "storm":
                self.faults.follow(RandomPlan(0.3, _STORM, seed=number))
            case "full":
                here.machine.full = 1 + number % 3
            case "offline":
                if here.remote is not None:
                    here.remote.offline = 1 + number % 9
            case "lagging":
                self.faults.follow(RandomPlan(0.5, (FaultKind.LAGGING,), seed=number))
            case "sync-state-gone" | "sync-state-bad":
                self._script(what, path="calendarView/delta.*token=")
            case "endless-pages":
                self._script(what, path="calendarView/delta")
            case "precondition":
                self._script(what, method="^(PATCH|DELETE)$")
            case _:
                self._script(what, method=_WRITES if number % 3 else "")

    def _script(self, what: str, method: str = "", path: str = "") -> None:
        self.faults.add(
            [Failure.of(Fault(FaultKind(what), 1 + 40 * (what == "throttled")), method, path)]
        )

    def well(self) -> None:
        """Nothing fails any more."""
        self.faults.clear()
        for one in self.installations.values():
            one.machine.full = 0
            if one.remote is not None:
                one.remote.offline = 0
