"""
The way into a running daemon: a socket in the state folder, one line of JSON each way.

Knows the socket's place, who may use it, and how much either side may say. Does not know what the
requests mean.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from syncd.core.errors import CommandError, Unreachable

__all__ = ["Answerer", "ask_daemon", "serving"]

Answerer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Takes a request, gives its answer; what it raises is told as an error and nothing more."""

SOCKET = "control"
LONGEST_PATH_BYTES = 100  # sun_path of unix(7) holds 108
MOST_REQUEST_BYTES = 1024 * 1024
MOST_ANSWER_BYTES = 64 * 1024 * 1024
SAYS_WITHIN_S = 10.0
ROOT = 0


# --- the daemon's side ---------------------------------------------------------------------------


@asynccontextmanager
async def serving(state_dir: Path, answer: Answerer) -> AsyncIterator[None]:
    """
    Answer requests until the block ends; those that are under way are then dropped.

    The caller holds the lock of the state: a socket that is there belongs to nobody alive.
    Raises: OSError: the socket cannot be made.
    """
    listener = _listener(state_dir)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(_serve(reader, writer, answer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_unix_server(connected, sock=listener, limit=MOST_REQUEST_BYTES)
    try:
        yield
    finally:
        server.close()
        with suppress(OSError), _short(state_dir) as path:
            os.unlink(path)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _listener(state_dir: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        listener.setblocking(False)
        # Before bind, so that the file never has another mode.
        os.fchmod(listener.fileno(), 0o600)
        with _short(state_dir) as path:
            _remove_stale(path)
            listener.bind(path)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def _remove_stale(path: str) -> None:
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)


@contextmanager
def _short(state_dir: Path) -> Iterator[str]:
    """The socket's path; through an open folder where it would be too long for the kernel."""
    path = os.fspath(state_dir / SOCKET)
    if len(os.fsencode(path)) <= LONGEST_PATH_BYTES:
        yield path
        return
    fd = os.open(state_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{SOCKET}"
    finally:
        os.close(fd)


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answerer
) -> None:
    try:
        if _is_ours(writer.get_extra_info("socket")):
            writer.write(_line(await _answered(reader, answer)))
            async with asyncio.timeout(SAYS_WITHIN_S):
                await writer.drain()
    except (OSError, TimeoutError):
        pass  # whoever asked has gone
    finally:
        writer.close()


def _is_ours(peer: socket.socket) -> bool:
    size = struct.calcsize("3i")
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, uid, _ = struct.unpack("3i", credentials)
    return uid in (os.getuid(), ROOT)


async def _answered(reader: asyncio.StreamReader, answer: Answerer) -> dict[str, Any]:
    try:
        async with asyncio.timeout(SAYS_WITHIN_S):
            line = await reader.readline()
        request = json.loads(line)
    except TimeoutError:
        return {"error": "no request came"}
    except (ValueError, RecursionError) as error:
        return {"error": f"a request is one line of JSON, at most 1 MB: {str(error)[:100]}"}
    if not isinstance(request, dict):
        return {"error": "a request is a JSON object"}
    return await answer(request)


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


# --- the other side ------------------------------------------------------------------------------


async def ask_daemon(state_dir: Path, request: dict[str, Any]) -> dict[str, Any] | None:
    """
    Ask the daemon that uses a state folder, and wait for its answer as long as it takes.

    Returns: None when no daemon listens there.
    Raises: CommandError: the request is too long. Unreachable: it stopped before it answered.
    """
    line = _line(request)
    if len(line) > MOST_REQUEST_BYTES:
        raise CommandError("this is too much for one request to the daemon", hint="Ask for less.")
    try:
        with _short(state_dir) as path:
            reader, writer = await asyncio.open_unix_connection(path, limit=MOST_ANSWER_BYTES)
    except OSError:
        # No socket, or one that a killed daemon left: whoever goes on alone takes the lock first.
        return None
    try:
        return await _asked(reader, writer, line)
    except (OSError, ValueError, RecursionError) as error:
        raise Unreachable(
            "the daemon stopped before it answered", hint="Run the command again."
        ) from error
    finally:
        writer.close()


async def _asked(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes
) -> dict[str, Any]:
    """Raises: OSError, ValueError."""
    writer.write(line)
    await writer.drain()
    answer = json.loads(await reader.readline())
    if not isinstance(answer, dict):
        raise ValueError("no JSON object")
    return answer
