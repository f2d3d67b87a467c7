"""
The simulated service with a mailbox in it, ready to be synced with, and the configuration for it.

Knows how service, authority and certificate go together. The simulator itself knows nothing of
syncd; nothing here leaves the loopback.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from syncd.shell.toml_text import toml_text
from syncd.simulator.authority import Authority
from syncd.simulator.authority_http import AuthorityServer
from syncd.simulator.authority_values import AuthorityPolicy, Client, User
from syncd.simulator.load import fill
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.server import SimulatorServer
from syncd.simulator.service import Service
from syncd.simulator.tls import LoopbackCa
from syncd.simulator.tokens import StaticTokens

__all__ = ["LocalService", "local_service"]

CLIENT_ID: Final = "5f0c3f5e-0000-4000-8000-000000000001"
ACCOUNT: Final = "demo"


@dataclass(frozen=True, slots=True)
class LocalService:
    """
    A service that runs. `authority` is "" where fixed tokens do, and so is `ca_file`.

    `loaded` is how many events its mailbox began with.
    """

    service: Service
    server: SimulatorServer
    mailbox: Mailbox
    loaded: int
    authority: str = ""
    ca_file: Path | None = None

    @property
    def base_url(self) -> str:
        """What `base_url` in a configuration has to say."""
        return self.server.base_url

    def config(self, export_dir: str | Path, state_dir: str | Path, *, poll: str = "5s") -> str:
        """A configuration for this service, as TOML."""
        lines = [
            f"export_dir = {toml_text(export_dir)}",
            f"state_dir = {toml_text(state_dir)}",
            "[sync]",
            f"poll_interval = {toml_text(poll)}",
            f"[accounts.{ACCOUNT}]",
            f"base_url = {toml_text(self.base_url)}",
        ]
        if self.ca_file is not None:
            lines.append(f"ca_file = {toml_text(self.ca_file)}")
        return "\n".join([*lines, f"[accounts.{ACCOUNT}.auth]", *self._auth()])

    def _auth(self) -> list[str]:
        if not self.authority:
            token = f"sim-{self.mailbox.owner.address}"
            return ['method = "command"', f'command = ["echo", {toml_text(token)}]']
        return [
            'method = "device-code"',
            f"client_id = {toml_text(CLIENT_ID)}",
            f"authority = {toml_text(self.authority)}",
        ]


@asynccontextmanager
async def local_service(
    *,
    user: str,
    events: int,
    seed: int,
    port: int = 0,
    auth: bool = False,
    folder: Path | None = None,
    approve: bool = False,
) -> AsyncIterator[LocalService]:
    """
    Run the service until the block ends.

    Args: auth: tokens come from an authority, over TLS; its certificate goes to `folder` (a
        temporary one by default). approve: device codes are approved by themselves.
    """
    service = Service(random=Random(seed))  # noqa: S311 - repeatable on purpose
    mailbox = service.add_mailbox(user)
    loaded = fill(service, mailbox, events, seed=seed)
    async with AsyncExitStack() as stack:
        if not auth:
            server = SimulatorServer(service, tokens=StaticTokens(), port=port)
            await stack.enter_async_context(server)
            yield LocalService(service, server, mailbox, loaded)
            return
        folder = folder or Path(stack.enter_context(TemporaryDirectory(prefix="syncd-simulated-")))
        ca, ca_file = LoopbackCa(), folder / "ca.pem"
        ca_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        ca.write_ca(ca_file)
        authority = _authority(service, user, approve=approve)
        logins = await stack.enter_async_context(AuthorityServer(authority, ca))
        context = ca.server_context()
        server = SimulatorServer(service, tokens=authority, port=port, ssl_context=context)
        await stack.enter_async_context(server)
        yield LocalService(service, server, mailbox, loaded, logins.authority_url, ca_file)


def _authority(service: Service, user: str, *, approve: bool) -> Authority:
    policy = AuthorityPolicy(poll_interval_s=1, auto_approve=user if approve else None)
    return Authority(
        users=[User.named(user)],
        clients=[Client(CLIENT_ID)],
        clock=service.now,
        rng=Random(secrets.token_bytes(32)),  # noqa: S311 - seeded from the system's own
        policy=policy,
    )
