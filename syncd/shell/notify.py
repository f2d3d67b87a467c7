"""
Tells the service manager how the daemon is: sd_notify(3), without a library.

Knows the datagrams and both kinds of socket address. Does not know when the daemon is ready, and
never fails: a daemon goes on whether or not somebody listens to how it is.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

__all__ = ["Notifier"]


class Notifier:
    """
    The way to the service manager, or to nobody where $NOTIFY_SOCKET is not set.

    Args: env: the environment, the process's own by default.
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        env = os.environ if env is None else env
        self._address = _address(env.get("NOTIFY_SOCKET", ""))
        self._watchdog_s = _watchdog_s(env)

    @property
    def watchdog_s(self) -> float | None:
        """
        Seconds after which the manager kills a silent daemon; None where it does not watch.

        sd_watchdog_enabled(3) advises to call `watchdog` every half of that.
        """
        return self._watchdog_s

    def ready(self) -> None:
        """The daemon does its work from now on."""
        self._send("READY=1")

    def stopping(self) -> None:
        """The daemon is on its way out."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """What the daemon does, in one line for `systemctl status`."""
        # A line end would begin the next assignment of the datagram.
        self._send("STATUS=" + " ".join(text.split()))

    def watchdog(self) -> None:
        """The daemon is alive."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        # A full or vanished socket must neither stop nor delay the daemon.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(message.encode(errors="replace"), self._address)


def _address(written: str) -> str | bytes | None:
    """Return the address as the kernel takes it; an abstract one begins with a null byte."""
    if len(written) > 1 and written[0] == "/" and "\0" not in written:
        return written
    return b"\0" + os.fsencode(written[1:]) if len(written) > 1 and written[0] == "@" else None


def _watchdog_s(env: Mapping[str, str]) -> float | None:
    # WATCHDOG_PID keeps a child that inherited the environment from answering for its parent.
    if env.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    written = env.get("WATCHDOG_USEC", "")
    period_us = int(written) if written.isascii() and written.isdigit() and len(written) < 20 else 0
    return period_us / 1_000_000 if period_us else None
