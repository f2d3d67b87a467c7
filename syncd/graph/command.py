"""
Tokens of somebody else's program: a command that prints one.

Knows child processes. Keeps tokens in memory only, and reads nothing of what the program complains.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import suppress
from typing import Final

from syncd.core.errors import LoginNeeded
from syncd.graph.held import Held
from syncd.graph.settings import AuthSettings, LoginState
from syncd.ports import Clock

__all__ = ["CommandTokens"]

COMMAND_S: Final = 60.0  # how long a command may take
COMMAND_TOKEN_S: Final = 300.0  # nothing says how long its token lives; asking it costs little
MOST_OUTPUT_BYTES: Final = 64 * 1024
_TOKEN = re.compile(rb"[\x21-\x7e]+")


class CommandTokens:
    """A `TokenSource` that runs a program and takes the first line of its output."""

    def __init__(self, settings: AuthSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._turn = asyncio.Lock()
        self._held: Held | None = None
        self._state = LoginState(None, None)

    async def token(self) -> str:
        """Return the token; the program runs at most every five minutes unless one is refused."""
        async with self._turn:
            held = self._held
            if held is None or held.until_s <= self._clock.monotonic_s():
                held = Held(await self._run(), self._clock.monotonic_s() + COMMAND_TOKEN_S)
                self._held, self._state = held, LoginState(None, self._clock.now())
            return held.token

    async def refused(self, token: str) -> None:
        """Run the program again the next time."""
        if self._held is not None and self._held.token == token:
            self._held = None

    async def state(self) -> LoginState:
        """Return when this process last got a token."""
        return self._state

    async def signed_in_as(self) -> str | None:
        """Only the program knows."""
        return None

    async def logout(self) -> None:
        """Forget the token; the program keeps its own."""
        self._held = None

    async def _run(self) -> str:
        if not self._settings.command:
            raise self._failed("cannot be run (it is not configured)")
        try:
            async with asyncio.timeout(COMMAND_S):
                status, output = await _output(self._settings.command)
        except TimeoutError:
            raise self._failed(f"did not end within {COMMAND_S:.0f} s") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no usable command line"
            raise self._failed(f"cannot be run ({reason})") from error
        if status != 0:
            raise self._failed(f"ended with status {status}")
        token = output.partition(b"\n")[0].strip()
        if not _TOKEN.fullmatch(token):
            raise self._failed("printed no token")
        return token.decode("ascii")

    def _failed(self, how: str) -> LoginNeeded:
        # What it wrote to stderr is not read at all: it may hold secrets.
        return LoginNeeded(
            f"account {self._settings.account}: the command for tokens {how}",
            hint="Run the `command` of the account's auth settings by hand to see what it says.",
        )


async def _output(command: tuple[str, ...]) -> tuple[int, bytes]:
    """Run a program without a shell; return its exit status and the beginning of its output."""
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # so that what it starts can be ended with it
    )
    try:
        output = await _read_some(child.stdout)
        return await child.wait(), output
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()


async def _read_some(stream: asyncio.StreamReader | None) -> bytes:
    """Read to the end, so that the writer does not block, and keep what a token may need."""
    kept = b""
    while stream is not None and (chunk := await stream.read(MOST_OUTPUT_BYTES)):
        kept = (kept + chunk)[:MOST_OUTPUT_BYTES]
    return kept
