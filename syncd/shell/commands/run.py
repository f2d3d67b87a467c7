"""
`run`: the daemon as a process, from the first signal handler to the last moment in which to leave.

Knows signals, the lock, and that a full disk is waited out. What the daemon does is in
`syncd.shell.daemon`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Final

import click

from syncd.shell.commands.common import Invocation, pass_invocation

if TYPE_CHECKING:
    from syncd.round.desk import Observe
    from syncd.shell.config import Config

__all__ = ["Stopper", "run_command", "run_daemon", "stopped_by_signals"]

LEAVES_AT_LAST_S: Final = 4.5


class Stopper:
    """
    Turns SIGTERM and SIGINT into an event, from before there is a loop until the process ends.

    The handlers stay: a second signal while everything is being closed changes nothing.
    """

    def __init__(self) -> None:
        self._asked = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event: asyncio.Event | None = None

    def install(self) -> None:
        """Take the signals over."""
        signal.signal(signal.SIGALRM, _leave_at_last)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._heard)

    def event(self) -> asyncio.Event:
        """The event of the running loop; it is set already if a signal came before."""
        self._loop, self._event = asyncio.get_running_loop(), asyncio.Event()
        if self._asked:
            self._event.set()
        return self._event

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if not self._asked:
            # A thread that hangs (a dead mount, a login program) must not keep the process alive.
            # Whatever is cut off then is safe to be cut off.
            signal.setitimer(signal.ITIMER_REAL, LEAVES_AT_LAST_S)
        self._asked = True
        if self._loop is not None and self._event is not None:
            with suppress(RuntimeError):  # the loop is closed: it has ended already
                self._loop.call_soon_threadsafe(self._event.set)


def stopped_by_signals() -> asyncio.Event:
    """An event of the running loop that SIGTERM and SIGINT set."""
    stopper = Stopper()
    stopper.install()
    return stopper.event()


def _leave_at_last(number: int, frame: FrameType | None) -> None:
    os._exit(0)


@click.command("run")
@pass_invocation
def run_command(invocation: Invocation) -> int:
    """
    Keep everything in step until it is told to stop: the daemon.

    It polls the service, watches the folders, and waits out whatever passes by itself. SIGTERM and
    SIGINT end it. Exit codes: 0 it was told to stop, 2 wrong config, or another syncd is running.
    """
    stopper = Stopper()
    stopper.install()
    config = invocation.config(quiet=False)
    asyncio.run(_run(config, stopper))
    return 0


async def _run(config: Config, stopper: Stopper) -> None:
    await run_daemon(config, stopper.event())


async def run_daemon(
    config: Config, stop: asyncio.Event, *, observe: Observe | None = None
) -> None:
    """
    Be the daemon until `stop` is set; a state that cannot be written is waited for.

    Args: observe: told facts, for the log by default.
    Raises: CommandError: another syncd uses the state. StateError: a newer version wrote it.
    """
    from syncd.clock import SystemClock
    from syncd.core.errors import DiskTrouble
    from syncd.shell.daemon import Troubles, log_facts
    from syncd.shell.schedule import retry_pause_s

    observe = observe or log_facts
    failures, troubles = 0, Troubles(observe, SystemClock())
    while not stop.is_set():
        try:
            await _serve(config, stop, observe)
        except DiskTrouble as error:
            failures += 1
            troubles.began("daemon: state", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), retry_pause_s(error, failures))


async def _serve(config: Config, stop: asyncio.Event, observe: Observe) -> None:
    from syncd.shell.daemon import PATIENCE_S, Daemon
    from syncd.shell.workshop import Workshop, state_lock

    with state_lock(config):
        async with Workshop.open(config, observe, patience_s=PATIENCE_S) as workshop:
            await Daemon(workshop, observe=observe).run(stop)
