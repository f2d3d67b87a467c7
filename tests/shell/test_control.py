"""The daemon's socket: who may ask, what is answered, and what a dead daemon leaves behind."""

import asyncio
import json
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from syncd.core.errors import CommandError, Unreachable
from syncd.shell.control import ask_daemon, serving


async def echo(request: dict[str, Any]) -> dict[str, Any]:
    return {"said": request}


async def raw(state_dir: Path, data: bytes) -> bytes:
    """What comes back for some bytes."""
    reader, writer = await asyncio.open_unix_connection(state_dir / "control")
    writer.write(data)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


async def test_request(tmp_path: Path) -> None:
    """A request is answered, whatever characters are in it."""
    request = {"do": "sync", "targets": ["work/Büro\n"]}

    async with serving(tmp_path, echo):
        assert await ask_daemon(tmp_path, request) == {"said": request}


async def test_several_at_once(tmp_path: Path) -> None:
    """One slow request does not keep others waiting."""
    go_on = asyncio.Event()

    async def slow(request: dict[str, Any]) -> dict[str, Any]:
        if request["n"] == 0:
            await go_on.wait()
        return request

    async with serving(tmp_path, slow):
        first = asyncio.ensure_future(ask_daemon(tmp_path, {"n": 0}))
        assert await ask_daemon(tmp_path, {"n": 1}) == {"n": 1}
        go_on.set()
        assert await first == {"n": 0}


async def test_nobody_there(tmp_path: Path) -> None:
    """Without a daemon there is no answer, also where there is no state folder."""
    assert await ask_daemon(tmp_path, {}) is None
    assert await ask_daemon(tmp_path / "nothing", {}) is None
    assert await ask_daemon(tmp_path / ("deep/" * 40) / "nothing", {}) is None


async def test_daemon_that_was_killed(tmp_path: Path) -> None:
    """A socket that nobody listens on is no daemon, and the next daemon replaces it."""
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(tmp_path / "control"))
    assert await ask_daemon(tmp_path, {}) is None

    async with serving(tmp_path, echo):
        assert await ask_daemon(tmp_path, {}) == {"said": {}}


async def test_daemon_that_ended(tmp_path: Path) -> None:
    """The socket goes with the daemon."""
    async with serving(tmp_path, echo):
        pass

    assert not (tmp_path / "control").exists()


async def test_mode(tmp_path: Path) -> None:
    """Only its owner may connect, whatever the umask was."""
    before = os.umask(0)
    try:
        async with serving(tmp_path, echo):
            assert stat.S_IMODE((tmp_path / "control").stat().st_mode) == 0o600
    finally:
        os.umask(before)


async def test_long_path(tmp_path: Path) -> None:
    """A state folder deeper than a socket's address can tell works like any other."""
    deep = tmp_path / ("d" * 80) / ("e" * 80)
    deep.mkdir(parents=True)

    async with serving(deep, echo):
        assert (deep / "control").is_socket()
        assert await ask_daemon(deep, {"do": "x"}) == {"said": {"do": "x"}}
    assert not (deep / "control").exists()


async def test_something_else_at_its_place(tmp_path: Path) -> None:
    """A file that is no socket is not ours to remove."""
    (tmp_path / "control").write_text("mine")

    with pytest.raises(OSError, match="in use"):
        async with serving(tmp_path, echo):
            pass
    assert (tmp_path / "control").read_text() == "mine"
    assert await ask_daemon(tmp_path, {}) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"GET / HTTP/1.1\r\n",
        b"[1]\n",
        b"null\n",
        b"\xff\xfe\n",
        b"[" * 200_000 + b"\n",
        b'{"n": ' + b"9" * 10_000 + b"}\n",
    ],
)
async def test_nonsense(tmp_path: Path, data: bytes) -> None:
    """What is no request is told so, and the daemon goes on."""
    async with serving(tmp_path, echo):
        answer = json.loads(await raw(tmp_path, data))

        assert list(answer) == ["error"]
        assert await ask_daemon(tmp_path, {}) == {"said": {}}


async def test_too_long_a_request(tmp_path: Path) -> None:
    """Beyond a megabyte neither side goes along."""
    async with serving(tmp_path, echo):
        with pytest.raises(CommandError):
            await ask_daemon(tmp_path, {"x": "y" * 1024 * 1024})
        reader, writer = await asyncio.open_unix_connection(tmp_path / "control")
        writer.write(b"x" * 3 * 1024 * 1024)
        with suppress(ConnectionError):  # it may hang up before it has heard us out
            assert b"at most 1 MB" in await reader.readline()
        writer.close()
        assert await ask_daemon(tmp_path, {}) == {"said": {}}


async def test_whoever_asked_goes_away(tmp_path: Path) -> None:
    """What was asked for is carried out also when nobody waits for the answer."""
    heard, done = asyncio.Event(), asyncio.Event()
    go_on = asyncio.Event()

    async def work(request: dict[str, Any]) -> dict[str, Any]:
        heard.set()
        await go_on.wait()
        done.set()
        return {}

    async with serving(tmp_path, work):
        _, writer = await asyncio.open_unix_connection(tmp_path / "control")
        writer.write(b"{}\n")
        await heard.wait()
        writer.close()
        go_on.set()
        await asyncio.wait_for(done.wait(), 5)


async def test_daemon_ends_during_a_request(tmp_path: Path) -> None:
    """A request whose answer never comes is a failure that passes."""
    heard = asyncio.Event()

    async def never(request: dict[str, Any]) -> dict[str, Any]:
        heard.set()
        await asyncio.Event().wait()
        return {}

    async with serving(tmp_path, never):
        asked = asyncio.ensure_future(ask_daemon(tmp_path, {}))
        await heard.wait()
    with pytest.raises(Unreachable):
        await asked
