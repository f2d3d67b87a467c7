"""
Real processes on this machine alone: the simulated service, and syncd beside it.

Knows how both are started, measured, killed and looked at. Tests, `scripts/bench` and
`scripts/soak` share it; it decides nothing about what is right.

Run as: python -m tests.processes; it serves an empty mailbox until its standard input ends.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

from syncd.simulator.mailbox import Mailbox
from syncd.simulator.server import SimulatorServer
from syncd.simulator.service import Service
from syncd.simulator.tokens import StaticTokens

__all__ = [
    "ME",
    "TOKEN",
    "ZONE",
    "Installation",
    "Served",
    "Usage",
    "finished",
    "serve",
    "served",
]

ROOT = Path(__file__).resolve().parents[1]
ME = "me@example.org"
TOKEN = f"sim-{ME}"
ZONE = "W. Europe Standard Time"
EVERYTHING_S = 600.0
"""No run of syncd takes longer, unless it hangs."""


# --- the service ---------------------------------------------------------------------------------


def serve(fill: Callable[[Service, Mailbox], object]) -> None:
    """
    Serve a mailbox until standard input ends; its origin is printed as one line of JSON.

    Args: fill: puts into the mailbox what it begins with.
    """
    service = Service(random=Random(7))
    mailbox = service.add_mailbox(ME, "Me Myself")
    mailbox.folders.settings["timeZone"] = ZONE
    fill(service, mailbox)
    asyncio.run(_serve(service))


async def _serve(service: Service) -> None:
    async with SimulatorServer(service, tokens=StaticTokens()) as server:
        print(json.dumps({"origin": server.origin}), flush=True)
        # Whoever started this process holds the other end: it ends with them, however they end.
        await asyncio.to_thread(sys.stdin.read)


@dataclass(frozen=True, slots=True)
class Served:
    """A service in another process; `origin` is its scheme, host and port."""

    origin: str

    @property
    def base_url(self) -> str:
        """What `base_url` in a configuration has to say."""
        return self.origin + "/v1.0"

    def control(self, method: str, path: str, asked: Mapping[str, Any] | None = None) -> Any:
        """Ask a control endpoint. Raises: ValueError: the service refused."""
        query = "?" + urlencode(asked) if asked and method == "GET" else ""
        body = json.dumps(asked) if asked and method != "GET" else None
        return self._asked(method, f"/_simulator/{path}{query}", body)

    def _asked(self, method: str, path: str, body: str | None = None) -> Any:
        connection = http.client.HTTPConnection(self.origin.partition("//")[2], timeout=120)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            told = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"{method} {path} {body or ''}: {told}")
        return told

    def calendar(self) -> str:
        """The id of the default calendar."""
        return str(self._asked("GET", "/v1.0/me/calendar")["id"])

    def do(self, action: str, **asked: Any) -> Any:
        """What a person does in Outlook."""
        return self.control("POST", "mailbox/do", {"user": ME, "action": action, **asked})

    def events(self) -> list[dict[str, Any]]:
        """Everything in the default calendar."""
        found: list[dict[str, Any]] = self.control("GET", "events", {"user": ME})
        return found

    def requests(self) -> list[dict[str, Any]]:
        """The requests since they were last cleared, parts of batches among them."""
        found: list[dict[str, Any]] = self.control("GET", "requests")["requests"]
        return found

    def clear_requests(self) -> None:
        """Begin to count anew."""
        self.control("DELETE", "requests")


@contextmanager
def served(command: Sequence[str] = ("-m", "tests.processes")) -> Iterator[Served]:
    """Run a service (a Python command that calls `serve`) in its own process until the end."""
    process = subprocess.Popen(
        [sys.executable, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=_environment(),
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the simulated service did not start")
        yield Served(json.loads(line)["origin"])
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _environment() -> dict[str, str]:
    """What the children see: the project, and nothing of the person's own configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SYNCD_")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


# --- syncd ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Usage:
    """What a whole process cost; `cpu_s` is user and system together."""

    code: int
    wall_s: float
    cpu_s: float
    peak_mb: float


# The kernel counts what a process was before exec among its peak: a copy of a big parent would be
# measured as big. So a small one starts it, and is the one that waits for it.
_METER = """
import json, os, sys, time
begin = time.monotonic()
told = os.dup(1)
os.dup2(2, 1)
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
wall_s, code = time.monotonic() - begin, os.waitstatus_to_exitcode(status)
cost = [code, wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024]
os.write(told, json.dumps(cost).encode())
"""


def finished(command: Sequence[str], log: Path) -> Usage:
    """Run a Python command to its end, its output into `log`; what it cost, as the kernel says."""
    with log.open("ab") as output:
        told = subprocess.run(
            [sys.executable, "-ISc", _METER, sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=output,
            env=_environment(),
            check=True,
        )
    return Usage(*json.loads(told.stdout))


@dataclass(frozen=True, slots=True)
class Installation:
    """One configuration of syncd with its state and its folder, all below `root`."""

    root: Path

    @classmethod
    def made(cls, root: Path, service: Served, **sync: object) -> Installation:
        """Write a configuration for the service. Args: sync: keys of its [sync] table."""
        here = cls(root)
        root.mkdir(parents=True, exist_ok=True)
        settings = [f"{name} = {json.dumps(value)}" for name, value in sync.items()]
        lines = [
            f"export_dir = {json.dumps(str(root / 'export'))}",
            f"state_dir = {json.dumps(str(root / 'state'))}",
            *("[log]", 'format = "json"', "[sync]", *settings),
            *("[accounts.work]", f"base_url = {json.dumps(service.base_url)}"),
            *("[accounts.work.auth]", 'method = "command"', f'command = ["echo", "{TOKEN}"]'),
        ]
        here.config.write_text("\n".join(lines) + "\n")
        return here

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.root / "config.toml"

    @property
    def folder(self) -> Path:
        """The default calendar's folder."""
        return self.root / "export" / "work" / "Calendar"

    @property
    def log(self) -> Path:
        """What all runs printed and logged."""
        return self.root / "log"

    def command(self, *arguments: str) -> list[str]:
        """A run of syncd as arguments of Python."""
        return ["-m", "syncd", "--config", str(self.config), *arguments]

    def sync(self) -> Usage:
        """One `syncd sync` to its end."""
        return finished(self.command("sync"), self.log)

    def sync_killed(self, after_s: float) -> bool:
        """Start `syncd sync` and kill it (-9) at that moment; whether it was still running."""
        with self.start() as process:
            try:
                process.wait(after_s)
            except subprocess.TimeoutExpired:
                process.kill()
        return process.returncode == -signal.SIGKILL

    @contextmanager
    def start(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A run of syncd (`sync` by default) that goes on beside us; killed if it hangs."""
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, *self.command(*(arguments or ("sync",)))],
                stdout=output,
                stderr=output,
                env=_environment(),
            )
        try:
            yield process
            process.wait(EVERYTHING_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def told(self, *arguments: str) -> Any:
        """The JSON that a command prints. Raises: CalledProcessError."""
        done = subprocess.run(
            [sys.executable, *self.command(*arguments, "--json")],
            stdout=subprocess.PIPE,
            env=_environment(),
            check=True,
        )
        return json.loads(done.stdout)

    def kept(self) -> bytes:
        """All versions in the history and all problems, to be searched for what was saved."""
        state = sqlite3.connect(f"file:{self.root / 'state' / 'state.db'}?mode=ro", uri=True)
        try:
            history = state.execute("SELECT before, after FROM history").fetchall()
            problems = state.execute("SELECT detail, reason FROM problem").fetchall()
        finally:
            state.close()
        return b"\n".join(
            text if isinstance(text, bytes) else str(text).encode()
            for row in (*history, *problems)
            for text in row
            if text is not None
        )

    def tail(self, lines: int = 20) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _nothing(service: Service, mailbox: Mailbox) -> None:
    pass


if __name__ == "__main__":
    serve(_nothing)
