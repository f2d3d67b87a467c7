"""
A certificate authority for loopback: knows how to prove "I am this machine" to a TLS client.

OAuth libraries refuse plain http even for 127.0.0.1, so the simulated authority has a certificate,
and a client needs its CA. Both live in memory only; it refuses to know who connects,
and it never touches the system's trust store.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

__all__ = ["LOOPBACK_NAMES", "LoopbackCa"]

LOOPBACK_NAMES = ("127.0.0.1", "::1", "localhost")


class LoopbackCa:
    """A CA made anew for every instance, with one certificate for the loopback names."""

    def __init__(self) -> None:
        self._ca = trustme.CA(organization_name="syncd calendar simulator")
        self._leaf = self._ca.issue_cert(*LOOPBACK_NAMES)

    @property
    def ca_pem(self) -> bytes:
        """The CA certificate as PEM: what a client has to trust."""
        return self._ca.cert_pem.bytes()

    def server_context(self) -> ssl.SSLContext:
        """Return a fresh TLS context for a server on loopback."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._leaf.configure_cert(context)
        return context

    def write_ca(self, path: Path) -> None:
        """
        Write `ca_pem` to `path`, for clients that want a file.

        Raises: OSError: the file cannot be written.
        """
        path.write_bytes(self.ca_pem)
