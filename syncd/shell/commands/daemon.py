"""
`run`: the daemon in the foreground, until SIGTERM or SIGINT.

Knows the signals and the lock; what the daemon does is `syncd.shell.daemon`'s.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import click

from syncd.core.errors import ExitCode
from syncd.shell.commands.common import Invocation, pass_invocation, run

if TYPE_CHECKING:
    from syncd.shell.config_model import Config

__all__ = ["run_command", "run_daemon", "stopped_by_signals"]


@click.command("run")
@pass_invocation
def run_command(invocation: Invocation) -> int:
    """Keep everything in step until SIGTERM or SIGINT."""
    return run(_run(invocation.config(quiet=False)))


async def _run(config: Config) -> int:
    await run_daemon(config, stopped_by_signals())
    return ExitCode.OK


def stopped_by_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def run_daemon(config: Config, stop: asyncio.Event) -> None:
    """Run the daemon until `stop`. Raises: CommandError: another syncd uses the state."""
    from syncd.shell.daemon import PATIENCE_S, Daemon, log_facts
    from syncd.shell.workshop import Workshop, state_lock

    with state_lock(config):
        async with Workshop.open(config, log_facts, patience_s=PATIENCE_S) as workshop:
            await Daemon(workshop).run(stop)
