"""The logs of a whole life, by every command and through every trouble: no secret in any line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pytest

from syncd.shell import logs
from syncd.shell.commands.run import run_daemon
from syncd.shell.config import load_config
from syncd.shell.daemon import log_facts
from syncd.simulator.authority import Authority
from syncd.simulator.authority_http import AuthorityServer
from syncd.simulator.authority_values import (
    AuthorityPolicy,
    Client,
    DeviceGrant,
    Fault,
    Refusal,
    TokenGrant,
    User,
)
from syncd.simulator.faults import FaultKind
from syncd.simulator.server import SimulatorServer
from syncd.simulator.service import Service
from syncd.simulator.tls import LoopbackCa
from tests.shell.cli_world import Done, at, guest, ics, syncd
from tests.shell.test_daemon import Facts

ADA = User.named("ada.lovelace@simulated.example", "Ada")
ROOM = User.named("room.seven@simulated.example", "Room")
APP_SECRET = "correct horse battery staple"
WRONG_SECRET = "wrong horse"
PRIVATE = ("Dentist", "Wisdom tooth", "Molar Street", "bob.babbage@simulated.example", "Flossing")
READING = (
    *(("status",), ("agenda",), ("search", "dentist"), ("show", "meeting"), ("log",)),
    *(("log", "meeting"), ("why", "meeting"), ("calendars",)),
)
FAILURES = (
    *(FaultKind.UNAVAILABLE, FaultKind.TOKEN_EXPIRED),
    *(FaultKind.THROTTLED, FaultKind.TRUNCATED),
)
PEOPLE = (ADA.username, ROOM.username)


class Listening(Authority):
    """An authority that remembers what it gave away."""

    given: set[str]

    def token(self, form: Any, site: Any) -> TokenGrant | Refusal | Fault:
        granted = super().token(form, site)
        if isinstance(granted, TokenGrant):
            known = (granted.access_token, granted.refresh_token, granted.id_token)
            self.given |= {one for one in known if one}
        return granted

    def device_code(self, form: Any, site: Any) -> DeviceGrant | Refusal:
        granted = super().device_code(form, site)
        if isinstance(granted, DeviceGrant):
            self.given |= {granted.device_code, granted.user_code}
        return granted


@dataclass
class Life:
    """A person and a program that sign in, with everything that was logged."""

    root: Path
    server: SimulatorServer
    logins: AuthorityServer
    authority: Listening
    service: Service
    logged: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)

    async def syncd(self, *arguments: str, code: int = 0) -> Done:
        """A command, in a thread: the service it talks to runs in this one."""
        options = ("--config", str(self.root / "config.toml"), "--log-level", "debug")
        done = await asyncio.to_thread(syncd, *options, *arguments)
        self.logged.append(done.err)
        self.printed.append(done.out if arguments[0] != "login" else "")
        assert done.code == code, (arguments, done)
        return done

    @property
    def calendar(self) -> Path:
        return self.root / "Calendars" / "ada" / "Calendar"

    def configure(self, secret: str = APP_SECRET) -> None:
        (self.root / "secret").write_text(secret)
        (self.root / "secret").chmod(0o600)
        method = f'authority = "{self.logins.authority_url}"\nmethod = '
        place = f'base_url = "{self.server.base_url}"\nca_file = "{self.root / "ca.pem"}"'
        (self.root / "config.toml").write_text(f"""
export_dir = "{self.root / "Calendars"}"
state_dir = "{self.root / "state"}"
[sync]
poll_interval = "1s"
[accounts.ada]
{place}
[accounts.ada.auth]
{method}"device-code"
client_id = "desktop"
[accounts.room]
{place}
user = "{ROOM.username}"
[accounts.room.auth]
{method}"client-secret"
client_id = "robot"
client_secret_file = "{self.root / "secret"}"
""")

    def file(self, name: str, *lines: str) -> None:
        (self.calendar / name).write_bytes(ics(Path(name).stem, *lines))


@asynccontextmanager
async def life(root: Path) -> AsyncIterator[Life]:
    ca = LoopbackCa()
    ca.write_ca(root / "ca.pem")
    authority = Listening(
        users=[ADA, ROOM],
        clients=[Client("desktop"), Client("robot", secret=APP_SECRET)],
        clock=lambda: datetime.now(UTC),
        rng=Random(5),
        policy=AuthorityPolicy(poll_interval_s=1, auto_approve=ADA.username),
    )
    authority.given = set()
    service = Service(random=Random(7))
    for user in (ADA, ROOM):
        service.add_mailbox(user.username, user.name, user_id=user.object_id)
    tls = ca.server_context()
    graph = SimulatorServer(service, tokens=authority, ssl_context=tls)
    async with AuthorityServer(authority, ca) as logins, graph as server:
        made = Life(root, server, logins, authority, service)
        made.configure()
        yield made


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    logs.setup("info", "auto", StringIO())


def is_told_at_info(line: str) -> bool:
    """Whether a line is there also where nobody asks for more: it is no record, or a louder one."""
    return line[:1] != "{" or json.loads(line)["level"] != "debug"


async def test_no_secret_in_the_logs_of_a_life(tmp_path: Path) -> None:
    """
    Tokens, codes and secrets are logged at no level, nor printed; what events say, and whom they
    are with, at debug only.
    """
    async with life(tmp_path) as here:
        await signing_in(here)
        await working(here)
        await troubles(here)
        await the_daemon(here)
        await signing_out(here)

        text = "\n".join(here.logged)
        given = here.authority.given
        assert len(given) >= 8
        for secret in (*given, APP_SECRET, WRONG_SECRET, "Bearer "):
            assert secret not in text
            assert secret not in "\n".join(here.printed)
        quiet = [line for line in text.splitlines() if is_told_at_info(line)]
        assert not [one for one in (*PRIVATE, *PEOPLE) if one in "\n".join(quiet)]
        events = {json.loads(line)["event"] for line in quiet if line[:1] == "{"}
        assert {"round.finished", "trouble.began"} <= events
        assert "request.finished" in text
        assert "request.finished" not in events


async def signing_in(here: Life) -> None:
    await here.syncd("sync", code=3)
    await here.syncd("login", "ada")
    await here.syncd("check")


async def working(here: Life) -> None:
    """Both sides edit; a mail is held and sent; a file cannot be read; and the way back."""
    box = here.service.mailbox(ADA.username)
    event = {
        "subject": "Dentist",
        "body": {"contentType": "text", "content": "Wisdom tooth"},
        "location": {"displayName": "Molar Street"},
        "start": at("10:00"),
        "end": at("11:00"),
    }
    made = box.create(box.default_calendar.id, event)
    await here.syncd("sync")
    people = ("ATTENDEE:mailto:bob.babbage@simulated.example", "LOCATION:Molar Street")
    here.file("meeting.ics", "SUMMARY:Flossing", "DESCRIPTION:Wisdom tooth", *people)
    here.file("broken.ics", "DTSTART:Dentist", "SUMMARY:Dentist")
    box.patch(made.immutable_id, {"subject": "Dentist again", "attendees": [guest(PRIVATE[3])]})
    await here.syncd("sync", "--dry-run", code=4)
    await here.syncd("sync", code=4)
    await here.syncd("problems")
    listed = (await here.syncd("problems", "--json")).out
    held = next(one["id"] for one in json.loads(listed) if one["kind"] == "held-mail")
    await here.syncd("problems", "show", held)
    await here.syncd("approve", held, "--yes")
    (here.calendar / "broken.ics").unlink()
    here.file("meeting.ics", "SUMMARY:Flossing twice", "DESCRIPTION:Wisdom tooth", *people)
    await here.syncd("sync")
    for command in READING:
        await here.syncd(*command)
    await here.syncd("lint", str(here.calendar / "meeting.ics"))
    versions = json.loads((await here.syncd("log", "meeting", "--json")).out)
    version = min(one["version"] for one in versions if one["kind"] == "version")
    await here.syncd("restore", f"meeting@{version}")
    await here.syncd("undo", str(versions[0]["round"]), "--dry-run")
    await here.syncd("sync", "nowhere", code=2)
    await here.syncd("problems", "show", "nothing", code=2)


async def troubles(here: Life) -> None:
    """A token runs out, the service is away, throttles, and breaks off; the state is damaged."""
    for number, kind in enumerate(FAILURES):
        here.server.faults.script(kind, path="delta", retry_after_s=1)
        here.file(f"more-{number}.ics", "SUMMARY:Flossing", "LOCATION:Molar Street")
        here.server.faults.script(kind, method="POST", path="/events", retry_after_s=1)
        await here.syncd("sync")
    here.authority.expire_access_tokens()
    await here.syncd("sync")
    (here.root / "state" / "state.db").write_bytes(b"Dentist" * 4000)
    await here.syncd("sync")


async def the_daemon(here: Life) -> None:
    stream, facts, stop = StringIO(), Facts(), asyncio.Event()

    def observe(event: str, told: Mapping[str, Any]) -> None:
        log_facts(event, told)
        facts(event, told)

    logs.setup("debug", "json", stream)
    config = load_config(here.root / "config.toml")
    running = asyncio.create_task(run_daemon(config, stop, observe=observe))
    await facts.rounds(2)
    here.server.faults.script(FaultKind.NOT_JSON, path="delta", times=5)
    here.authority.revoke_refresh_tokens(ADA.username)
    here.authority.expire_access_tokens()
    await facts.until(lambda: bool(facts.named("trouble.began")))
    stop.set()
    await running
    here.logged.append(stream.getvalue())


async def signing_out(here: Life) -> None:
    """A wrong secret, a refused refresh, and a logout."""
    here.configure(secret=WRONG_SECRET)
    await here.syncd("sync", code=3)
    await here.syncd("check", code=3)
    await here.syncd("logout", "ada")
    await here.syncd("sync", "ada", code=3)
