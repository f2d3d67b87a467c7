"""
What commands share: the invocation, options, the way to the daemon or to the lock.

Knows that a command that writes asks the running daemon, and does the work itself only where there
is none. Knows no command.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeVar, cast

import click

from syncd.core.errors import CommandError, ExitCode, SyncdError

if TYPE_CHECKING:
    from syncd.shell.config_model import Account, Config
    from syncd.shell.logs import Level
    from syncd.shell.output import Facts
    from syncd.shell.workshop import Workshop
    from syncd.store.aside import Damaged
    from syncd.store.store import Store

__all__ = [
    "AT_A_TERMINAL_S",
    "PATIENCE_S",
    "DaemonRefused",
    "Invocation",
    "account_named",
    "ask",
    "confirmed",
    "exit_of",
    "json_option",
    "open_store",
    "pass_invocation",
    "run",
    "through_workshop",
    "yes_option",
]

PATIENCE_S: Final = 60.0
"""How long a command waits in all without progress."""

AT_A_TERMINAL_S: Final = 5.0
"""Of one that need not be done at once: what was asked for is kept, and goes when it can."""

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Invocation:
    """What was said before the command: `--config` and `--log-level`."""

    config_file: Path | None = None
    log_level: str | None = None

    def config(self, *, quiet: bool = True) -> Config:
        """
        Load the configuration and set the log up.

        Args: quiet: on a terminal, where the command prints for itself, log warnings only.
        Raises: ConfigError.
        """
        from syncd.shell import logs
        from syncd.shell.config import load_config

        config = load_config(self.config_file)
        level = config.log.level
        if quiet and sys.stderr.isatty():
            level = "warning"
        logs.setup(cast("Level", self.log_level or level), config.log.format)
        return config


pass_invocation = click.make_pass_decorator(Invocation)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def run(work: Coroutine[Any, Any, R]) -> R:
    """Run a command's coroutine to its end."""
    return asyncio.run(work)


def account_named(config: Config, name: str) -> Account:
    """Raises: CommandError: the configuration has no such account."""
    from syncd.core.ids import AccountName
    from syncd.shell.actions import parse_targets

    if "/" in name:
        raise CommandError(f"{name!r} is no account's name")
    return config.accounts[AccountName(parse_targets([name], config.accounts)[0].account)]


@asynccontextmanager
async def open_store(config: Config) -> AsyncIterator[Store]:
    """The state, for reading; a running daemon does not mind."""
    from syncd.shell.workshop import DATABASE, make_state_dir
    from syncd.store.store import Store

    make_state_dir(config)
    store = await Store.open(config.state_dir / DATABASE)
    try:
        yield store
    finally:
        await store.close()


async def ask(config: Config, request: dict[str, Any]) -> dict[str, Any] | None:
    """The running daemon's answer, None where none is running. Raises: what it could not do."""
    from syncd.shell.control import ask_daemon

    answer = await ask_daemon(config.state_dir, request)
    if answer is not None and answer.get("error"):
        raise DaemonRefused(answer)
    return answer


class DaemonRefused(SyncdError):
    """What the running daemon could not do, with its own message, remedy and exit code."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__(str(answer["error"]), hint=str(answer.get("hint") or ""))
        self.exit_code = ExitCode(int(answer.get("exit", ExitCode.BUG)))


async def through_workshop(
    config: Config,
    observe: Facts,
    act: Callable[[Workshop], Coroutine[Any, Any, R]],
    *,
    patience_s: float = PATIENCE_S,
) -> R:
    """
    Do `act` in this process, as the only one that writes.

    Where the state turns out to be damaged, it is put aside, told, and `act` done once more.

    Args: patience_s: how long requests wait in all without progress.
    Raises: CommandError: another process writes.
    """
    from syncd.shell.workshop import state_lock
    from syncd.store.aside import Damaged

    with state_lock(config):
        try:
            result, damage = await _acted(config, observe, act, patience_s)
        except Damaged as error:
            damage = error
        if damage is not None:
            result, _ = await _acted(config, observe, act, patience_s)
    return result


async def _acted(
    config: Config,
    observe: Facts,
    act: Callable[[Workshop], Coroutine[Any, Any, R]],
    patience_s: float,
) -> tuple[R, Damaged | None]:
    from syncd.shell.workshop import Workshop

    def observed(event: str, facts: Mapping[str, Any]) -> None:
        observe(event, facts)
        if event == "state.set_aside":
            _tell_set_aside(facts)

    async with Workshop.open(config, observed, patience_s=patience_s) as workshop:
        return await act(workshop), workshop.store.damage


def _tell_set_aside(facts: Mapping[str, Any]) -> None:
    from syncd.shell.output import tell

    tell(f"syncd: {facts['error']}; it is kept as {facts['kept_as']}", "bold yellow")
    tell(str(facts["hint"]))


def confirmed(question: str, *, yes: bool) -> bool:
    """
    Ask on a terminal; the answer is no unless it is yes.

    Raises: CommandError: there is no terminal and no `--yes`.
    """
    if yes:
        return True
    if not (_is_terminal(sys.stdin) and _is_terminal(sys.stdout)):
        raise CommandError("there is no terminal to ask on", hint="Say --yes if you mean it.")
    with _interruptible():
        return click.confirm(question)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends a question at once: asyncio would wait for its answer first."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def exit_of(code: int) -> ExitCode:
    """The exit code of a command that does what it says while something else waits."""
    return ExitCode.OK if code == ExitCode.PERSON else ExitCode(code)
