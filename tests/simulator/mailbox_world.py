"""
A small world for the simulator's tests: a fixed clock, one mailbox, and a client of its server.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import aiohttp
from yarl import URL

from syncd.simulator.faults import Faults
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.server import SimulatorServer
from syncd.simulator.service import Service
from syncd.simulator.switches import Switches
from syncd.simulator.tokens import StaticTokens, TokenCheck

ME = "me@example.org"
START = datetime(2031, 3, 1, 12, tzinfo=UTC)
IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}
MARCH = "startDateTime=2031-03-01T00:00:00Z&endDateTime=2031-04-01T00:00:00Z"


@dataclass
class Ticking:
    """A clock that moves a second each time it is read."""

    at: datetime = START

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


def service(**switches: Any) -> Service:
    made = Service(now=Ticking(), random=Random(7), switches=Switches(**switches))
    made.add_mailbox(ME, "Me Myself")
    return made


def mailbox(**switches: Any) -> Mailbox:
    return service(**switches).mailbox(ME)


def when(text: str, zone: str = "Europe/Berlin") -> dict[str, str]:
    return {"dateTime": text, "timeZone": zone}


def single(
    subject: str = "Lunch",
    start: str = "2031-03-04T12:00:00",
    end: str = "2031-03-04T13:00:00",
    zone: str = "Europe/Berlin",
    **more: Any,
) -> dict[str, Any]:
    return {"subject": subject, "start": when(start, zone), "end": when(end, zone), **more}


def weekly(
    start: str = "2031-03-04", count: int | None = 6, zone: str = "Europe/Berlin", **more: Any
) -> dict[str, Any]:
    span: dict[str, Any] = {"type": "noEnd", "startDate": start}
    if count is not None:
        span = {"type": "numbered", "startDate": start, "numberOfOccurrences": count}
    rule = {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"]}
    body = single("Stand-up", f"{start}T09:00:00", f"{start}T09:30:00", zone)
    return {**body, "recurrence": {"pattern": rule, "range": span}, **more}


def person(address: str) -> dict[str, Any]:
    return {"type": "required", "emailAddress": {"address": address, "name": address}}


@dataclass
class Reply:
    status: int
    headers: Mapping[str, str]
    data: Any


@dataclass
class Client:
    """A plain Graph client. Every target is below the version root, or a whole link."""

    http: aiohttp.ClientSession
    server: SimulatorServer
    token: str = f"sim-{ME}"
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def service(self) -> Service:
        return self.server.service

    @property
    def mailbox(self) -> Mailbox:
        return self.service.mailbox(ME)

    async def ask(
        self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        whole = target if target.startswith("http") else self.server.base_url + target
        sent = {"Authorization": f"Bearer {self.token}", **self.headers, **(headers or {})}
        async with self.http.request(
            method, URL(whole, encoded=True), json=body, headers=sent
        ) as answer:
            text = await answer.text()
            is_json = "json" in answer.headers.get("Content-Type", "")
            data = await answer.json(content_type=None) if text and is_json else text
            return Reply(answer.status, answer.headers, data)

    async def get(self, target: str, headers: Mapping[str, str] | None = None) -> Reply:
        return await self.ask("GET", target, headers=headers)

    async def post(self, target: str, body: Any, headers: Mapping[str, str] | None = None) -> Reply:
        return await self.ask("POST", target, body, headers)

    async def round(
        self, target: str, headers: Mapping[str, str] | None = None
    ) -> tuple[list[dict[str, Any]], str]:
        """Walk a delta round to its end: all rows, and the deltaLink."""
        rows: list[dict[str, Any]] = []
        while True:
            reply = await self.get(target, headers)
            assert reply.status == 200, reply.data
            rows += reply.data["value"]
            if "@odata.deltaLink" in reply.data:
                return rows, reply.data["@odata.deltaLink"]
            target = reply.data["@odata.nextLink"]


@asynccontextmanager
async def serving(
    *,
    tokens: TokenCheck | None = None,
    faults: Faults | None = None,
    sleep: Any = None,
    **switches: Any,
) -> AsyncIterator[Client]:
    more = {} if sleep is None else {"sleep": sleep}
    server = SimulatorServer(
        service(**switches), tokens=tokens or StaticTokens(), faults=faults, **more
    )
    async with server, aiohttp.ClientSession() as http:
        yield Client(http, server)
