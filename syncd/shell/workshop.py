"""
The one place that builds things: store, transport, logins, folders, mailboxes, from a config.

Everything else is handed what it needs. Also decides that a damaged state is put aside, since
whoever builds holds the lock of the state.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

from syncd.clock import SystemClock
from syncd.core.errors import CommandError, DiskTrouble
from syncd.core.ids import AccountName
from syncd.graph.auth import AuthSettings, Login, token_source
from syncd.graph.transport import GraphRemote
from syncd.graph.waits import Patience
from syncd.ports import Clock, Marker, Streams
from syncd.round.desk import Observe
from syncd.shell.config import Account, Config, read_secret
from syncd.shell.mailbox import Mailbox
from syncd.store.aside import Damaged, put_aside, refuse_obstacles, set_aside_names
from syncd.store.store import Store, confirm_damage
from syncd.vdir.folder import VdirFolder

__all__ = ["StoredPauses", "Workshop", "login_of", "make_state_dir", "state_lock"]

DATABASE = "state.db"
LOCK = "lock"


class StoredPauses:
    """The pauses of one mailbox, kept in the state; fulfils `syncd.ports.Pauses`."""

    def __init__(self, store: Store, account: AccountName) -> None:
        self._store = store
        self._account = account

    async def until(self) -> datetime | None:
        """The end of the pause as aware UTC, or None."""
        return await self._store.pause(self._account)

    async def extend(self, until: datetime) -> None:
        """Keep the later of `until` and what is known."""
        await self._store.extend_pause(self._account, until)


def make_state_dir(config: Config) -> None:
    """Make the state folder, 0700. Raises: DiskTrouble."""
    try:
        config.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DiskTrouble(
            f"the state folder {config.state_dir} cannot be made: {error.strerror}",
            hint="Set state_dir to a folder that you may write to.",
        ) from error


@contextmanager
def state_lock(config: Config) -> Iterator[None]:
    """
    Be the only one that writes to the state folder.

    Raises: CommandError: another syncd uses it. DiskTrouble: the lock cannot be made.
    """
    make_state_dir(config)
    try:
        fd = os.open(config.state_dir / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DiskTrouble(f"the lock of {config.state_dir} cannot be made: {error}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise CommandError(
            f"another syncd is using {config.state_dir}",
            hint="Wait for it to finish, or stop it.",
        ) from None
    try:
        yield
    finally:
        os.close(fd)


def login_of(config: Config, account: Account, clock: Clock) -> Login:
    """What signs an account in."""
    auth = account.auth
    secret = auth.client_secret_file
    certificate = auth.certificate_file
    settings = AuthSettings(
        account=account.name,
        method=auth.method,
        base_url=account.base_url,
        cache_path=config.state_dir / "tokens" / f"{account.name}.json",
        client_id=auth.client_id,
        tenant=auth.tenant,
        authority=auth.authority,
        scopes=tuple(account.login_scopes),
        command=auth.command,
        client_secret=(lambda: read_secret(secret)) if secret else None,
        certificate_file=Path(os.path.expandvars(certificate)).expanduser()
        if certificate
        else None,
        ca_file=account.ca_file,
    )
    return token_source(settings, clock)


class Workshop:
    """The built parts of one process; `Workshop.open` is the way in."""

    def __init__(
        self,
        config: Config,
        store: Store,
        mailboxes: dict[AccountName, Mailbox],
        clock: Clock,
        streams: Mapping[AccountName, Streams],
    ) -> None:
        self.config = config
        self.streams = streams
        self.store = store
        self.mailboxes = mailboxes
        self.clock = clock

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        config: Config,
        observe: Observe,
        *,
        patience_s: float,
        clock: Clock | None = None,
        dry: bool = False,
    ) -> AsyncIterator[Workshop]:
        """
        Build everything for a config.

        Args:
            patience_s: how long requests wait in all without progress.
            dry: work on a throw-away copy of the state; otherwise the caller holds its lock, and a
                database that is damaged is put aside, as this begins or as it ends.
        Raises: StateError, DiskTrouble.
        """
        clock = clock or SystemClock()
        make_state_dir(config)
        async with AsyncExitStack() as stack:
            path = config.state_dir / DATABASE
            if dry:
                store = await Store.open(_copied(path, stack))
                stack.push_async_callback(store.close)
            else:
                store = await stack.enter_async_context(_state(path, clock, observe))
            parts = _Parts(config, store, clock, observe, patience_s)
            mailboxes = {
                name: await stack.enter_async_context(parts.mailbox(account))
                for name, account in config.accounts.items()
            }
            yield cls(config, store, mailboxes, clock, parts.streams)


@asynccontextmanager
async def _state(path: Path, clock: Clock, observe: Observe) -> AsyncIterator[Store]:
    """The state, a fresh one where the former is damaged; `Store.damage` puts it aside as well."""
    store = await _opened(path, clock, observe)
    try:
        await store.note_set_aside(set_aside_names(path), path.parent, clock.now())
        await _begin_session(store, path.with_name(LOCK), observe)
        yield store
    finally:
        await store.close()
        if store.damage is not None:
            await _put_aside(path, clock, observe, store.damage)


async def _begin_session(store: Store, lock: Path, observe: Observe) -> None:
    """The lock remembers the last process that wrote, and so tells a database that went back."""
    if await store.begin_session(_number_in(lock)):
        hint = "Files and events are linked anew; `syncd problems` lists what they differ in."
        observe("state.went_back", {"hint": hint})
    try:
        lock.write_text(f"{await store.session()}\n")
    except OSError as error:
        raise DiskTrouble(f"cannot write {str(lock)!r}: {error.strerror}") from error


def _number_in(lock: Path) -> int:
    try:
        text = lock.read_bytes()[:20].strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0


async def _opened(path: Path, clock: Clock, observe: Observe) -> Store:
    try:
        return await Store.open(path, careful=True)
    except Damaged as error:
        await _put_aside(path, clock, observe, error)
    return await Store.open(path)


async def _put_aside(path: Path, clock: Clock, observe: Observe, error: Damaged) -> None:
    # The whole database is read, and a daemon has signals to answer meanwhile.
    await asyncio.to_thread(confirm_damage, path, error)
    kept = put_aside(path, clock.now())
    observe(
        "state.set_aside",
        {
            "error": str(error),
            "kept_as": str(kept),
            "hint": "Files and events are linked anew; `syncd problems` lists what they differ in.",
        },
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """What every mailbox is built from."""

    config: Config
    store: Store
    clock: Clock
    observe: Observe
    patience_s: float
    streams: dict[AccountName, Streams] = field(default_factory=dict)

    @asynccontextmanager
    async def mailbox(self, account: Account) -> AsyncIterator[Mailbox]:
        remote = GraphRemote(
            account.base_url,
            login_of(self.config, account, self.clock),
            pauses=StoredPauses(self.store, account.name),
            clock=self.clock,
            ca_file=account.ca_file,
            patience=Patience(self.patience_s),
            observe=self.observe,
        )
        async with remote:
            self.streams[account.name] = remote.streams
            yield Mailbox(
                account,
                self.config.export_dir,
                self.store,
                remote,
                self.clock,
                self._folder,
                self.observe,
            )

    def _folder(self, path: Path, marker: Marker, mode: int) -> VdirFolder:
        return VdirFolder(path, marker=marker, file_mode=mode, clock=self.clock)


def _copied(path: Path, stack: AsyncExitStack) -> Path:
    """
    A copy of the database and its log in a private folder that goes with the stack.

    Raises: Damaged: one of them is no file. DiskTrouble: it cannot be copied.
    """
    private = Path(mkdtemp(prefix="syncd-dry-"))
    stack.callback(shutil.rmtree, private, ignore_errors=True)
    refuse_obstacles(path)
    for suffix in ("", "-wal"):
        source = path.with_name(path.name + suffix)
        try:
            shutil.copyfile(source, private / source.name)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DiskTrouble(f"cannot copy {str(source)!r}: {error.strerror}") from error
    return private / path.name
