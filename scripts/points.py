"""
Break one system call of a sync, for every call there is, and see whether everything comes right.

A point is one real run of syncd in which one thing happens at the N-th of the system calls that
matter: those that change a file below the state or the folders, and the messages to the service
(`scripts.calls`: each is held up before it happens, over all threads). The kinds are in `KINDS`:
kill -9, an errno from the kernel, once or from there on, SIGTERM to the daemon, SIGSTOP, taken
permissions, or a person who saves every file at that very moment. So "before and after each write,
fsync, rename and request" are the points before it and before the next one.

Afterwards two runs are left in peace, then comes the verdict, which knows nothing of the inside:
both sides show what they show after an undisturbed run, each item once; every word that somebody
wrote is on both sides or kept in the history or under the problems; the same mails went out, once;
the same things wait for a person; no file was ever half; nothing of ours is left lying about; and
the second run wrote nothing.

A point costs no start of an interpreter: syncd runs in a forked copy of a process that has imported
all of it, the simulated service in a forked copy of one that holds the prepared mailbox, and the
folders are copied. Each scenario (`scripts.scenarios`) is enumerated before anything is drawn.

Run as: python -m scripts.points [--kills N] [--errors N] [--others N] [--seed N] [--jobs N]
or, to repeat one: python -m scripts.points --scenario S --kind K --at N[,M].
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import gc
import importlib
import itertools
import multiprocessing
import os
import pkgutil
import re
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import Any, NoReturn

import icalendar
import recurring_ical_events

import syncd
from scripts.calls import CHANGES, FORCES, NETWORK, READS, Call, Child, is_permitted
from scripts.scenarios import SCENARIOS, Scenario, Stage
from syncd.shell.cli import run as run_syncd
from syncd.simulator.server import SimulatorServer
from syncd.simulator.service import Service
from syncd.simulator.tokens import StaticTokens
from tests.processes import ME, ZONE, Installation, Served

__all__ = ["KINDS", "Broken", "Point", "World", "is_permitted", "main"]

RUN_LIMIT_S = 150.0
"""`syncd sync` waits for a minute without progress; what takes longer hangs."""

ENDS_WITHIN_S = 5.0
DAEMON_S = 4.0
DOUBT_TRIES = 5
STOPPED_S = 0.7
WINDOW_DAYS = 60
NOBODY = 65534

Instance = tuple[str, str, str, str, str]


class Broken(Exception):
    """A promise is broken; the message says how."""


# --- kinds of points -----------------------------------------------------------------------------

_ROOM = ("openat", "write", "pwrite64", "writev", "ftruncate", *FORCES)
_NAMES = ("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat")
_FOLDERS = ("mkdir", "mkdirat", "rmdir")
_MADE = tuple(name for name in (*_NAMES, *_FOLDERS) if not name.startswith(("unlink", "rm")))


@dataclass(frozen=True, slots=True)
class Kind:
    """
    What happens at a point, and at which calls it can.

    Args: code: the errno, 0 where none is answered. lasts: from there on, not once. command: what
    is run. ends: the exit codes that are no bug.
    """

    calls: Sequence[str]
    code: int = 0
    lasts: bool = False
    command: str = ""
    ends: Sequence[int] = (0, 4, 5)


_ERRORS: Mapping[str, tuple[int, Sequence[str]]] = {
    "ENOSPC": (errno.ENOSPC, (*_ROOM, *_MADE)),
    "EIO": (errno.EIO, CHANGES),
    "EROFS": (errno.EROFS, (*_ROOM, "fchmod", *_NAMES, *_FOLDERS)),
    "EACCES": (errno.EACCES, ("openat", "fchmod", *_NAMES, *_FOLDERS)),
    "unforced": (errno.EIO, FORCES),
    "unreadable": (errno.EIO, READS),
    "ECONNRESET": (errno.ECONNRESET, NETWORK),
}

KINDS: Mapping[str, Kind] = {
    "kill": Kind((*CHANGES, *NETWORK), ends=(-signal.SIGKILL, 0, 4)),
    **{name: Kind(calls, code) for name, (code, calls) in _ERRORS.items()},
    **{f"{name}+": Kind(calls, code, lasts=True) for name, (code, calls) in _ERRORS.items()},
    "term": Kind((*CHANGES, *NETWORK), command="run", ends=(0,)),
    "stop": Kind((*CHANGES, *NETWORK), ends=(0, 4)),
    "revoked": Kind((*CHANGES, *NETWORK)),
    "readonly": Kind((*CHANGES, *NETWORK)),
    "save": Kind((*CHANGES, *NETWORK)),
}
"""Names that end in + last from the point on: a full disk stays full until the process ends."""


@dataclass(frozen=True, slots=True)
class Point:
    """What is broken, and when; several numbers are several runs, one after the other."""

    scenario: str
    kind: str
    at: tuple[int, ...]

    def __str__(self) -> str:
        numbers = ",".join(map(str, self.at))
        return f"--scenario {self.scenario} --kind {self.kind} --at {numbers}"


# --- the service ---------------------------------------------------------------------------------


class Mailboxes:
    """
    A process that holds a mailbox and serves it, or any number of copies, one at a time.

    What is done between the first `serve` and `stop` stays; each later `serve` begins there again,
    under the same address.
    """

    def __init__(self) -> None:
        self._line, other = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            self._line.close()
            _keep(other)
        other.close()

    def serve(self) -> Served:
        """Begin to serve."""
        self._line.send(b"s")
        return Served(f"http://127.0.0.1:{int(self._line.recv(10))}")

    def stop(self) -> None:
        """Stop serving."""
        self._line.send(b"e")
        self._line.recv(1)

    def close(self) -> None:
        """End the process."""
        self._line.close()
        os.waitpid(self._pid, 0)


def _keep(line: socket.socket) -> NoReturn:
    try:
        service = Service(random=Random(7))
        service.add_mailbox(ME, "Me Myself").folders.settings["timeZone"] = ZONE
        line.recv(1)
        port = asyncio.run(_serve(service, line, 0))
        while line.send(b".") and line.recv(1):
            pid = os.fork()
            if pid == 0:
                asyncio.run(_serve(service, line, port))
                os._exit(0)
            os.waitpid(pid, 0)
    finally:
        os._exit(0)


async def _serve(service: Service, line: socket.socket, port: int) -> int:
    told = asyncio.Event()
    asyncio.get_running_loop().add_reader(line, told.set)
    async with SimulatorServer(service, tokens=StaticTokens(), port=port) as server:
        line.send(str(server.port).encode())
        await told.wait()
        line.recv(1)
        return server.port


# --- what is to be seen --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ending:
    """How things stand in the end."""

    remote: Counter[Instance]
    local: Counter[Instance]
    items: Counter[tuple[str, str]]
    problems: Counter[tuple[str, str, bool]]
    mails: Counter[tuple[str, str, str]]
    code: int

    def differs(self, right: Ending) -> str:
        """
        What is other than it should be, "" if nothing.

        An answer to an invitation may be left in doubt: only a person can know whether it was sent.
        """
        problems, mails = Counter(right.problems), Counter(right.mails)
        for kind, subject, _ in [one for one in self.problems if one[0] == "in-doubt"]:
            answers = [mail for mail in mails if mail[:2] == ("response", subject)]
            if answers:
                problems[kind, subject, True] += 1
                mails[answers[0]] = self.mails[answers[0]] and 1
        right = replace(right, problems=problems, mails=+mails)
        for name in ("remote", "local", "items", "problems", "mails"):
            mine, its = getattr(self, name), getattr(right, name)
            if mine != its:
                more, less = sorted((mine - its).elements()), sorted((its - mine).elements())
                return f"{name}: too much {more[:5]}, missing {less[:5]}"
        return "" if self.code == right.code else f"exit code {self.code}, not {right.code}"


_FLEETING = re.compile(rb"\r\n(?:DTSTAMP|CREATED|LAST-MODIFIED|SEQUENCE)[:;][^\r]*")


@lru_cache(2000)
def _in_file(data: bytes, first: date, last: date) -> Counter[tuple[str, str, str, str]]:
    """Subject, start, end and place of every instance in a file."""
    found: Counter[tuple[str, str, str, str]] = Counter()
    calendar = icalendar.Calendar.from_ical(data)
    for one in recurring_ical_events.of(calendar).between(first, last):
        start, end = _moment(one["DTSTART"].dt), _moment(one["DTEND"].dt)
        found[str(one["SUMMARY"]), start, end, str(one.get("LOCATION", ""))] += 1
    return found


def _moment(at: date | datetime) -> str:
    if isinstance(at, datetime):
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return at.isoformat()


class Sight:
    """Looks at both sides with the eyes of other programs."""

    def __init__(self, service: Served, here: Installation, today: date) -> None:
        self._service = service
        self._here = here
        self._first, self._last = today - timedelta(2), today + timedelta(WINDOW_DAYS)

    def ending(self, code: int) -> Ending:
        """Everything that is judged."""
        items: Counter[tuple[str, str]] = Counter()
        return Ending(
            self._remote(items), self._local(items), items, self._problems(), self._mails(), code
        )

    def files(self) -> Iterator[Path]:
        """Every file of an item."""
        yield from sorted((self._here.root / "export" / "work").glob("*/[!.]*.ics"))

    def _remote(self, items: Counter[tuple[str, str]]) -> Counter[Instance]:
        found: Counter[Instance] = Counter()
        for name in sorted(one.name for one in self._folders()):
            span = {"start": f"{self._first}T00:00:00Z", "end": f"{self._last}T00:00:00Z"}
            asked = {"user": ME, "calendar": name}
            for row in self._service.control("GET", "instances", asked | span):
                found[name, row["subject"], *_times(row), row["location"]] += 1
            for event in self._service.control("GET", "events", asked):
                items["service", event["subject"]] += 1
        return found

    def _folders(self) -> list[Path]:
        return [one for one in (self._here.root / "export" / "work").glob("*") if one.is_dir()]

    def _local(self, items: Counter[tuple[str, str]]) -> Counter[Instance]:
        found: Counter[Instance] = Counter()
        for file in self.files():
            data = _FLEETING.sub(b"", file.read_bytes())
            shown = _in_file(data, self._first, self._last)
            found.update({(file.parent.name, *one): n for one, n in shown.items()})
            for subject in {subject for subject, *_ in shown}:
                items["folder", subject] += 1
        return found

    def _problems(self) -> Counter[tuple[str, str, bool]]:
        state = sqlite3.connect(self._here.root / "state" / "state.db")
        try:
            rows = state.execute("SELECT kind, summary, needs_person FROM problem").fetchall()
        finally:
            state.close()
        return Counter((kind, summary, bool(needed)) for kind, summary, needed in rows)

    def _mails(self) -> Counter[tuple[str, str, str]]:
        ledger = self._service.control("GET", "ledger")
        return Counter(
            (mail["kind"], mail["subject"], ",".join(mail["to"]))
            for mail in ledger
            if mail["actor"] == "api"
        )

    def lost(self, words: set[str], ending: Ending) -> set[str]:
        """The words that are neither on a side nor kept."""
        shown = "\n".join("\t".join(one) for one in (*ending.remote, *ending.local))
        kept = self._here.kept().decode(errors="replace")
        return {word for word in words if word not in shown and word not in kept}

    def half_files(self) -> list[str]:
        """Files of items that are not whole."""
        whole = re.compile(rb"BEGIN:VCALENDAR\r\n.*\r\nEND:VCALENDAR\r\n", re.DOTALL)
        return [one.name for one in self.files() if not whole.fullmatch(one.read_bytes())]

    def left_over(self) -> list[str]:
        """Temporary files of ours."""
        root = self._here.root
        names = [*(root / "export").rglob(".*.tmp"), *(root / "state").glob("*.tmp")]
        return [str(one.relative_to(root)) for one in names]

    def writes(self) -> list[str]:
        """The requests that were no reads since they were last cleared."""
        return [
            f"{one['method']} {one['path']}"
            for one in self._service.requests()
            if one["method"] != "GET" and "$batch" not in one["path"]
        ]

    def stamps(self) -> dict[str, tuple[int, int]]:
        """What changes when a file is written."""
        stats = {str(file): file.stat() for file in self.files()}
        return {name: (one.st_ino, one.st_mtime_ns) for name, one in stats.items()}


def _times(row: Mapping[str, Any]) -> tuple[str, str]:
    if row["isAllDay"]:
        return row["startInZone"]["dateTime"][:10], row["endInZone"]["dateTime"][:10]
    return row["start"]["dateTime"][:19], row["end"]["dateTime"][:19]


# --- a scenario that can be played again and again -----------------------------------------------


@dataclass(slots=True)
class Played:
    """One run: its exit code, its calls, and what was done at the one that was meant."""

    code: int | None
    calls: list[Call] = field(default_factory=list)
    struck: str = ""


class World:
    """
    A scenario, prepared once below `root`; every point begins with a fresh copy.

    Raises: Broken: even an undisturbed run does not come right.
    """

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.scenario: Scenario = SCENARIOS[name]
        self._saved = root / "saved"
        self._mailboxes = Mailboxes()
        service = self._mailboxes.serve()
        settings = {"poll_interval": "1s", **self.scenario.settings}
        self._here = Installation.made(root / "played", service, **settings)
        stage = Stage(service, self._here, self._sync)
        self.scenario.build(stage)
        self.words = stage.words
        self._sight = Sight(service, self._here, stage.today)
        self._stage = stage
        self._mailboxes.stop()
        shutil.copytree(self._here.root, self._saved)
        self._traces: dict[str, list[Call]] = {}
        self.right = self._undisturbed()

    def close(self) -> None:
        """End the processes, remove the files."""
        self._mailboxes.close()
        shutil.rmtree(self._saved.parent, ignore_errors=True)

    # How it comes right.

    def _undisturbed(self) -> Ending:
        """Play it in peace: what the calls are, and how it ends. Raises: Broken."""
        self._fresh()
        try:
            watched = (*CHANGES, *NETWORK, *READS)
            self._traces[""] = self._play(self._command(), watched, lambda child, calls: 0).calls
            right = self._peace(self.words)
        finally:
            self._mailboxes.stop()
        self._check_right(right)
        return right

    def calls(self, name: str) -> list[Call]:
        """The calls of an undisturbed run at which something of that kind can happen."""
        kind = KINDS[name]
        if kind.command not in self._traces:
            self._traces[kind.command] = self._idle_daemon()
        return [one for one in self._traces[kind.command] if one.name in kind.calls]

    def _idle_daemon(self) -> list[Call]:
        """The calls of a daemon until it has had nothing to do for a while but to poll."""
        self._fresh()
        end = monotonic() + DAEMON_S

        def strike(child: Child, calls: list[Call]) -> int:
            if monotonic() > end:
                child.send(signal.SIGTERM)
            return 0

        try:
            return self._play(("run",), KINDS["term"].calls, strike).calls
        finally:
            self._mailboxes.stop()

    def _check_right(self, right: Ending) -> None:
        scenario = self.scenario
        shows = {
            "service": Counter((*scenario.shows, *scenario.there)),
            "folder": Counter((*scenario.shows, *scenario.here)),
        }
        expected = Counter(
            {(side, subject): n for side, shown in shows.items() for subject, n in shown.items()}
        )
        if right.items != expected:
            raise Broken(f"undisturbed it shows {right.items}, not {expected}")
        if apart := self._common(right.remote) - self._common(right.local):
            raise Broken(f"undisturbed the service alone shows {apart}")
        if apart := self._common(right.local) - self._common(right.remote):
            raise Broken(f"undisturbed the folder alone shows {apart}")
        mails = Counter((kind, subject) for kind, subject, _ in right.mails.elements())
        if mails != Counter(scenario.mails):
            raise Broken(f"undisturbed it mails {mails}, not {scenario.mails}")

    # One point.

    def judge(self, point: Point) -> str:
        """Play a point; what was done. Raises: Broken."""
        self._fresh()
        told: list[str] = []
        words = set(self.words)
        refused = 0
        try:
            for number, at in enumerate(point.at):
                blow = Blow(point.kind, at, self._here, words)
                self._strike(blow, again=number > 0)
                told.append(str(blow))
                refused += blow.refused
            ending = self._peace(words)
            if point.kind == "save":
                different = self._apart(ending, refused)
            else:
                different = ending.differs(self.right)
            if different:
                raise Broken(different)
        except Broken as broken:
            log = "--- the end of the log", self._here.tail(12)
            raise Broken("\n".join((*told, str(broken), *log))) from broken
        finally:
            self._mailboxes.stop()
        return "; ".join(told)

    def _strike(self, blow: Blow, *, again: bool) -> None:
        """
        Run it with one thing broken. Raises: Broken.

        A decision that is given `again` may have been done by the run that was killed.
        """
        kind = blow.kind
        command = (kind.command,) if kind.command else self._command()
        played = self._play(command, kind.calls, blow.strike, blow.uid)
        blow.over()
        if played.code is None:
            raise Broken(f"{blow}: it hung")
        no_more = played.code == 2 and bool(self.scenario.waits)
        blow.refused = blow.saved and no_more
        if played.code not in kind.ends and not (no_more and (again or blow.saved)):
            raise Broken(f"{blow}: exit code {played.code}")
        if blow.ended_in_s > ENDS_WITHIN_S:
            raise Broken(f"{blow}: it took {blow.ended_in_s:.1f} s to end")
        if half := self._sight.half_files():
            raise Broken(f"{blow}: half files {half}")

    def _apart(self, ending: Ending, refused: int) -> str:
        """
        Where people did more than the scenario says: do both sides agree, each item once?

        A decision that was refused is given again, about the newer text: where it wants both, the
        text that was second before stays as well.
        """
        local, remote = self._common(ending.local), self._common(ending.remote)
        if local != remote:
            return f"the folder alone {local - remote}, the service alone {remote - local}"
        twice = [
            one for one, n in ending.items.items() if n > max(1, self.right.items[one]) + refused
        ]
        if twice:
            return f"too often: {twice}"
        mails = ending.mails - self.right.mails
        more = [mail for mail in mails if mail[0] != "update"]
        return f"mailed too much: {more}" if more else ""

    def _common(self, side: Counter[Instance]) -> Counter[Instance]:
        """The instances of what both sides are to show."""
        held = {*self.scenario.here, *self.scenario.there}
        return Counter({one: n for one, n in side.items() if one[1] not in held})

    def _peace(self, words: set[str]) -> Ending:
        """Run it undisturbed until it is at rest, then look. Raises: Broken."""
        code = self._sync()
        if self.scenario.waits and self._stage.waiting(self.scenario.waits):
            # Whoever saw their command fail gives it again.
            self._play(self._command())
            code = self._sync()
        for _ in range(DOUBT_TRIES):
            if code != 5:
                break
            code = self._sync()
        self._stage.service.clear_requests()
        stamps = self._sight.stamps()
        code = self._sync()
        if writes := self._sight.writes():
            raise Broken(f"a run with nothing to do sends {writes}")
        if self._sight.stamps() != stamps:
            raise Broken("a run with nothing to do writes files")
        if left := self._sight.left_over():
            raise Broken(f"left behind: {left}")
        ending = self._sight.ending(code)
        if lost := self._sight.lost(words, ending):
            raise Broken(f"lost: {sorted(lost)}")
        return ending

    def _command(self) -> Sequence[str]:
        waits = self.scenario.waits
        problem = self._stage.waiting(waits) if waits else ""
        if waits and not problem:
            return ("sync",)
        return [problem if word == "ID" else word for word in self.scenario.command]

    def _sync(self) -> int:
        played = self._play(("sync",))
        if played.code not in (0, 4, 5):
            raise Broken(f"in peace, exit code {played.code}\n{self._here.tail(40)}")
        return played.code

    def _play(
        self,
        command: Sequence[str],
        names: Sequence[str] = (),
        strike: Callable[[Child, list[Call]], int] | None = None,
        uid: int | None = None,
    ) -> Played:
        """Run syncd. Args: strike: asked at each call, answers an errno or 0. uid: as whom."""
        played = Played(None)

        def decide(call: Call) -> int:
            played.calls.append(call)
            return strike(child, played.calls) if strike is not None else 0

        arguments = ["--config", str(self._here.config), *command]
        below = [str(self._here.root / name) for name in ("state", "export")]
        child = Child(lambda: _syncd(arguments, self._here.log, uid), names, below)
        played.code = child.wait(RUN_LIMIT_S, decide)
        return played

    def _fresh(self) -> None:
        shutil.rmtree(self._here.root, ignore_errors=True)
        shutil.copytree(self._saved, self._here.root)
        self._mailboxes.serve()


def _syncd(arguments: Sequence[str], log: Path, uid: int | None) -> int:
    """Be `syncd` with these arguments, its output into the log."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if uid is not None:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    return run_syncd(arguments)


class Blow:
    """What happens at a point: at the `at`-th call, and whatever follows from it."""

    def __init__(self, name: str, at: int, here: Installation, words: set[str]) -> None:
        self.kind = KINDS[name]
        self.uid: int | None = None
        self.ended_in_s = 0.0
        self.saved = self.refused = False
        self._name = name
        self._at = at
        self._here = here
        self._words = words
        self._met = ""
        self._told_at = 0.0
        self._taken: dict[Path, int] = {}
        if name in ("revoked", "readonly") and os.getuid() == 0:
            self._give_away()

    def __str__(self) -> str:
        root = f"{self._here.root}/"
        met = self._met.replace(root, "") or "which did not come"
        return f"{self._name} at call {self._at}, {met}"

    def strike(self, child: Child, calls: list[Call]) -> int:
        """Asked before each call; answers an errno or 0."""
        if len(calls) < self._at or (len(calls) > self._at and not self.kind.lasts):
            return 0
        self._met = self._met or str(calls[-1])
        if self.kind.code:
            return self.kind.code
        match self._name:
            case "kill":
                child.kill()
            case "term":
                self._told_at = monotonic()
                child.send(signal.SIGTERM)
            case "stop":
                child.send(signal.SIGSTOP)
                sleep(STOPPED_S)
                child.send(signal.SIGCONT)
            case "revoked":
                self._take(self._here.folder, 0)
            case "readonly":
                for path in (*(self._here.root / "state").glob("*"), self._here.root / "state"):
                    self._take(path, 0o500)
            case "save":
                self._save_all()
        return 0

    def over(self) -> None:
        """The run has ended."""
        self.ended_in_s = monotonic() - self._told_at if self._told_at else 0.0
        for path, mode in reversed(self._taken.items()):
            path.chmod(mode)

    def _give_away(self) -> None:
        """Permissions mean nothing to the superuser, so it is run as somebody else."""
        self.uid = NOBODY
        for folder, _, files in os.walk(self._here.root):
            for path in (folder, *(os.path.join(folder, name) for name in files)):
                os.chown(path, NOBODY, NOBODY)

    def _take(self, path: Path, mode: int) -> None:
        if path.exists():
            self._taken[path] = path.stat().st_mode
            path.chmod(mode)

    def _save_all(self) -> None:
        """
        Another place in every file, in place or beside and renamed.

        A decision about a file that changed meanwhile may be refused: it was about another text.
        """
        self.saved = True
        for number, file in enumerate(sorted(self._here.folder.glob("[!.]*.ics"))):
            data = file.read_bytes()
            line = re.search(rb"\r\nLOCATION:([^\r]*)", data)
            if line is None:
                continue
            new = f"saved-{number}."
            _save(file, data.replace(line[0], b"\r\nLOCATION:" + new.encode(), 1), number % 2 == 0)
            self._words.discard(line[1].decode())
            self._words.add(new)


def _save(file: Path, data: bytes, in_place: bool) -> None:
    try:
        # Not blocking: the one who has a lease on it stands still until this is done.
        fd = os.open(file, os.O_WRONLY | os.O_NONBLOCK) if in_place else -1
    except BlockingIOError:
        fd = -1
    if fd < 0:
        temporary = file.with_name(f"{file.name}.tmp")
        temporary.write_bytes(data)
        temporary.rename(file)
        return
    with os.fdopen(fd, "wb") as there:
        there.truncate()
        there.write(data)


# --- which points --------------------------------------------------------------------------------


def import_everything() -> None:
    """Import what syncd would while it runs, so that each copy has it."""
    for module in pkgutil.walk_packages(syncd.__path__, "syncd."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def singles(kind: str, calls: Mapping[str, Sequence[Call]], random: Random) -> Iterator[Point]:
    """
    Every call of every scenario, once each.

    Those between two writes of one transaction into SQLite's log come last: nothing else happens
    there.
    """
    found: list[tuple[bool, float, Point]] = []
    for scenario, made in calls.items():
        for at, call in enumerate(made):
            inside = at > 0 and call == made[at - 1] and not (at > 1 and made[at - 2].commits)
            found.append((inside, random.random(), Point(scenario, kind, (at + 1,))))
    for _, _, point in sorted(found, key=lambda one: one[:2]):
        yield point


def doubles(calls: Mapping[str, Sequence[Call]], random: Random) -> Iterator[Point]:
    """Kills, and kills of the run that puts things right, for ever."""
    names = sorted(calls)
    while True:
        name = random.choice(names)
        at = [random.randint(1, len(calls[name])) for _ in range(random.choice((2, 2, 2, 3)))]
        yield Point(name, "kill", tuple(at))


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many points of each sort."""

    kills: int
    errors: int
    terms: int
    saves: int
    others: int


Calls = Mapping[str, Mapping[str, Sequence[Call]]]


def planned(calls: Calls, wanted: Wanted, seed: int) -> list[Point]:
    """The points to play. Args: calls: of each scenario, by kind."""

    def of(kind: str) -> Iterator[Point]:
        random = Random(f"{seed}/{kind}")
        return singles(kind, {name: one[kind] for name, one in calls.items()}, random)

    kills = {name: one["kill"] for name, one in calls.items()}
    both = (
        itertools.islice(of("kill"), wanted.kills - wanted.kills // 5),
        doubles(kills, Random(f"{seed}/doubles")),
    )
    errors = [name for name, kind in KINDS.items() if kind.code]
    others = ("stop", "revoked", "readonly")
    return [
        *itertools.islice(itertools.chain(*both), wanted.kills),
        *itertools.islice(_in_turn([of(name) for name in errors]), wanted.errors),
        *itertools.islice(of("term"), wanted.terms),
        *itertools.islice(of("save"), wanted.saves),
        *itertools.islice(_in_turn([of(name) for name in others]), wanted.others),
    ]


def _in_turn(sources: Sequence[Iterator[Point]]) -> Iterator[Point]:
    """One of each, then another of each."""
    for row in itertools.zip_longest(*sources):
        yield from (point for point in row if point is not None)


# --- the command ---------------------------------------------------------------------------------

_worlds: dict[str, World] = {}


def _world(base: Path, name: str) -> World:
    """The world of a scenario in this process; the one before it is given up."""
    if name not in _worlds:
        for old in list(_worlds):
            _worlds.pop(old).close()
        root = base / str(os.getpid()) / name
        root.mkdir(parents=True)
        for folder in (root, root.parent, base):
            folder.chmod(0o711)  # for whoever it is run as
        _worlds[name] = World(name, root)
    return _worlds[name]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a point; `broken` is "" where all came right."""

    point: Point
    told: str
    broken: str
    wall_s: float


def _play(task: tuple[Path, Point]) -> Result:
    base, point = task
    begin = monotonic()
    told, broken = "", ""
    try:
        told = _world(base, point.scenario).judge(point)
    except Broken as found:
        broken = str(found)
    except Exception:
        broken = traceback.format_exc()
    return Result(point, told, broken, monotonic() - begin)


def _traced(task: tuple[Path, str]) -> tuple[str, Mapping[str, Sequence[Call]]]:
    base, name = task
    world = _world(base, name)
    return name, {kind: world.calls(kind) for kind in KINDS}


def main() -> int:
    """Play the points; 1 for a finding, 2 where system calls cannot be held up."""
    asked = arguments()
    base = Path(tempfile.mkdtemp(prefix="syncd-points-", dir=asked.dir))
    try:
        if why := is_permitted(base):
            print(f"points: {why}", file=sys.stderr)
            return 2
        import_everything()
        gc.collect()
        gc.freeze()
        if asked.at:
            return _repeat(base, Point(asked.scenario, asked.kind, asked.at))
        return _search(base, asked)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _repeat(base: Path, point: Point) -> int:
    result = _play((base, point))
    for world in _worlds.values():
        world.close()
    print(f"{point}\n{result.told}{result.broken}")
    return 1 if result.broken else 0


def _search(base: Path, asked: argparse.Namespace) -> int:
    begin = monotonic()
    names = [asked.scenario] if asked.scenario else list(SCENARIOS)
    wanted = Wanted(asked.kills, asked.errors, asked.terms, asked.saves, asked.others)
    print(f"seed {asked.seed}", flush=True)
    with multiprocessing.get_context("fork").Pool(asked.jobs) as pool:
        calls = dict(pool.imap_unordered(_traced, [(base, name) for name in names]))
        points = planned(calls, wanted, asked.seed)
        points.sort(key=lambda point: point.scenario)
        total = sum(len(one["kill"]) for one in calls.values())
        print(f"{total} calls at which to kill, {len(points)} points to play", flush=True)
        results = _told(pool.imap_unordered(_play, [(base, one) for one in points], 8), len(points))
    return _summary(results, monotonic() - begin)


def _told(results: Iterator[Result], count: int) -> list[Result]:
    done: list[Result] = []
    for result in results:
        done.append(result)
        if result.broken:
            print(f"FINDING {result.point}\n{result.broken}\n", flush=True)
        if len(done) % 100 == 0:
            print(f"{len(done)} of {count}", flush=True)
    return done


def _summary(results: Sequence[Result], wall_s: float) -> int:
    for kind in KINDS:
        those = [one for one in results if one.point.kind == kind]
        if those:
            broken = sum(bool(one.broken) for one in those)
            slowest = max(those, key=lambda one: one.wall_s)
            print(
                f"{kind:11} {len(those):5} points, {broken} broken; "
                f"the slowest took {slowest.wall_s:.1f} s: {slowest.point}"
            )
    broken_points = [one.point for one in results if one.broken]
    for point in broken_points:
        print(f"repeat with: scripts/points {point}")
    print(f"{len(results)} points, {len(broken_points)} broken, {wall_s:.0f} s", flush=True)
    return 1 if broken_points else 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="points", description="Break every system call in turn.")
    parser.add_argument("--kills", type=int, default=3000, help="kill -9 so often [3000]")
    parser.add_argument("--errors", type=int, default=1000, help="errors of the kernel [1000]")
    parser.add_argument("--terms", type=int, default=200, help="SIGTERM to a daemon [200]")
    parser.add_argument("--saves", type=int, default=200, help="saves at that moment [200]")
    parser.add_argument("--others", type=int, default=60, help="SIGSTOP, taken permissions [60]")
    parser.add_argument("--seed", type=int, default=None, help="draws the same points")
    parser.add_argument("--jobs", type=int, default=4, help="points at a time; most wait [4]")
    parser.add_argument("--dir", default=_memory(), help="where files are written [in memory]")
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), help="only this one")
    parser.add_argument("--kind", choices=sorted(KINDS), help="with --at: what happens")
    parser.add_argument("--at", type=_numbers, help="with --scenario and --kind: at which call")
    asked = parser.parse_args()
    if bool(asked.at) != bool(asked.kind) or (asked.at and not asked.scenario):
        parser.error("--at needs --kind and --scenario")
    if asked.seed is None:
        asked.seed = int.from_bytes(os.urandom(3), "big")
    return asked


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in text.split(","))


def _memory() -> str | None:
    """A folder in memory, if there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


if __name__ == "__main__":
    sys.exit(main())
