"""A tiny service that answers by a script, and the pieces the tests of the transport are made of."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from aiohttp import web

from syncd.core.errors import SyncdError
from syncd.graph.transport import GraphRemote, NoPauses, Patience, Timeouts
from syncd.ports import Pauses, Request
from syncd.testing import FakeClock

JSON = {"Content-Type": "application/json; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int = 200
    body: bytes = b'{"value": []}'
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)


@dataclass(frozen=True, slots=True)
class Reset:
    """The request is read, then the connection dies."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """Half an answer comes, then the connection dies."""


@dataclass(frozen=True, slots=True)
class Stall:
    """No answer comes at all."""


Step = Reply | Reset | CutOff | Stall


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    peer: tuple[str, int]

    @property
    def parts(self) -> list[dict[str, Any]]:
        """The requests in a batch."""
        parts: list[dict[str, Any]] = json.loads(self.body)["requests"]
        return parts


def throttled(after: str | None = None, status: int = 429) -> Reply:
    """A request to slow down."""
    return Reply(status, b"{}", JSON if after is None else JSON | {"Retry-After": after})


def batch(*parts: Mapping[str, Any]) -> Reply:
    """The answer to a batch."""
    return Reply(body=json.dumps({"responses": parts}).encode())


def part(number: int, status: int = 200, body: Any = None, **headers: str) -> dict[str, Any]:
    """One part of it, with JSON in it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"id": str(number), "status": status, "headers": JSON | named, "body": body or {}}


class ScriptedService:
    """Plays its steps in order, and answers everything after them with an empty list."""

    def __init__(self) -> None:
        self.steps: deque[Step] = deque()
        self.arrivals: list[Arrival] = []
        self.base_url = ""
        self.most_at_once = 0
        self._at_once = 0
        self.over = asyncio.Event()
        self.turns = 0  # how long an answer takes, in turns of the event loop

    def then(self, *steps: Step) -> None:
        """Append to the script."""
        self.steps.extend(steps)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one request."""
        body = await request.read()
        weight = 4 if request.path.endswith("/$batch") else 1
        self._at_once += weight
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._answer(request, body)
        finally:
            self._at_once -= weight

    async def _answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        assert request.transport is not None
        peer = request.transport.get_extra_info("peername")[:2]
        arrival = Arrival(request.method, request.raw_path, dict(request.headers), body, peer)
        self.arrivals.append(arrival)
        for _ in range(self.turns):
            await asyncio.sleep(0)
        step = self.steps.popleft() if self.steps else Reply()
        match step:
            case Reply(status, content, headers):
                return web.Response(status=status, body=content, headers=headers)
            case Reset():
                request.transport.abort()
                return web.Response()
            case Stall():
                await self.over.wait()
                return web.Response()
            case CutOff():
                response = web.StreamResponse(headers=JSON | {"Content-Length": "100"})
                await response.prepare(request)
                await response.write(b'{"value": [')
                request.transport.close()
                return response


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedService]:
    """A scripted service on loopback."""
    service = ScriptedService()
    app = web.Application(client_max_size=10**8)
    app.router.add_route("*", "/{rest:.*}", service.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener, ssl_context=tls).start()
    scheme = "http" if tls is None else "https"
    service.base_url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/v1.0"
    try:
        yield service
    finally:
        service.over.set()
        await runner.cleanup()


class CountedTokens:
    """Tokens "token-0", "token-1", …: a refusal gives the next; `trouble` is raised instead."""

    def __init__(self) -> None:
        self.generation = 0
        self.trouble: SyncdError | None = None

    async def token(self) -> str:
        """The present token."""
        if self.trouble is not None:
            raise self.trouble
        return f"token-{self.generation}"

    async def refused(self, token: str) -> None:
        """Move on, unless that token is an old one."""
        if token == f"token-{self.generation}":
            self.generation += 1


@dataclass
class World:
    """A service, the remote that talks to it, and what the test may turn."""

    service: ScriptedService
    clock: FakeClock
    tokens: CountedTokens
    pauses: Pauses
    facts: list[tuple[str, Mapping[str, object]]]

    def remote(self, **options: Any) -> GraphRemote:
        """Another remote for the same mailbox."""
        given: dict[str, Any] = {
            "pauses": self.pauses,
            "clock": self.clock,
            "ca_file": None,
            "patience": Patience(60.0),
            "rng": Random(1),
            "observe": lambda fact, fields: self.facts.append((fact, fields)),
            "timeouts": Timeouts(connect_s=5.0, read_s=5.0, total_s=10.0),
        }
        base_url = options.pop("base_url", self.service.base_url)
        return GraphRemote(base_url, self.tokens, **(given | options))


def world_of(service: ScriptedService) -> World:
    """A fresh world around a service."""
    return World(service, FakeClock(), CountedTokens(), NoPauses(), [])


def get(path: str = "/me/events", **headers: str) -> Request:
    """A read."""
    return Request("GET", path, headers, label="events")


def post(number: int = 1) -> Request:
    """A write."""
    body = json.dumps({"subject": f"event {number}"}).encode()
    return Request("POST", "/me/events", body=body, label="create")


def kinds(outcomes: Sequence[object]) -> list[str]:
    """The names of the outcomes."""
    return [type(outcome).__name__ for outcome in outcomes]


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def written(path: Path, data: bytes) -> Path:
    """The path, after the data was put there."""
    path.write_bytes(data)
    return path
