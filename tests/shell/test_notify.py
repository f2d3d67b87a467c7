"""What the service manager hears from the daemon, over a real socket."""

import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.shell.notify import Notifier


class Manager:
    """The listening end of a notify socket."""

    def __init__(self, address: str, written: str) -> None:
        self.written = written
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(address)

    def heard(self) -> list[str]:
        """All datagrams so far."""
        messages = []
        try:
            while True:
                messages.append(self._socket.recv(65536).decode())
        except BlockingIOError:
            return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """A service manager that listens at a path or at an abstract address."""
    name = f"syncd-test-{uuid.uuid4().hex}"
    path = str(tmp_path / "notify")
    manager = Manager(path, path) if request.param == "path" else Manager(f"\0{name}", f"@{name}")
    yield manager
    manager.close()


def test_life_of_a_daemon(manager: Manager) -> None:
    """Each thing told is one datagram of its own."""
    notifier = Notifier({"NOTIFY_SOCKET": manager.written})

    notifier.ready()
    notifier.status("2 calendars in step")
    notifier.watchdog()
    notifier.stopping()

    assert manager.heard() == ["READY=1", "STATUS=2 calendars in step", "WATCHDOG=1", "STOPPING=1"]


def test_status_with_line_ends(manager: Manager) -> None:
    """A calendar's name cannot smuggle in another message."""
    Notifier({"NOTIFY_SOCKET": manager.written}).status("Team\nMAINPID=1\udcff")

    assert manager.heard() == ["STATUS=Team MAINPID=1?"]


@pytest.mark.parametrize(
    "env",
    [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "@"}, {"NOTIFY_SOCKET": "vsock:2:1"}]
    + [{"NOTIFY_SOCKET": text} for text in ("/no/such/socket", "/" + "x" * 300, "@" + "x" * 300)],
)
def test_nobody_listens(env: dict[str, str]) -> None:
    """Without a listener nothing happens."""
    notifier = Notifier(env)

    assert [notifier.ready(), notifier.watchdog(), notifier.status("x")] == [None] * 3


def test_listener_that_does_not_read(manager: Manager) -> None:
    """A manager that hangs does not hang the daemon."""
    notifier = Notifier({"NOTIFY_SOCKET": manager.written})

    for _ in range(2000):
        notifier.watchdog()

    assert 0 < len(manager.heard()) < 2000


@pytest.mark.parametrize(
    ("env", "period_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_watchdog_period(env: dict[str, str], period_s: float | None) -> None:
    """The period is told in microseconds, and only to the process it is meant for."""
    assert period_s == Notifier(env).watchdog_s
