"""
What every connection to the outside shares: whom TLS trusts, and which proxy leads out.

Knows the system's certificate store and proxy settings. Refuses to know what is sent.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from syncd.core.errors import ConfigError
from syncd.graph.links import is_loopback

__all__ = ["proxy_for", "trust"]


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """
    Return a client context that trusts the system's authorities and those in `ca_file`.

    Reads files, so it belongs in a thread. Raises: ConfigError: `ca_file` is no readable PEM.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        return context
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ValueError) as error:
        reason = "no PEM certificates" if isinstance(error, ssl.SSLError) else "not readable"
        raise ConfigError(
            f"ca_file {str(ca_file)!r} cannot be used: {reason}",
            hint="Name a PEM file with the certificate of the authority.",
        ) from error
    return context


def proxy_for(scheme: str, host: str) -> str | None:
    """
    Return the address of the HTTP proxy that the environment names for `host`, or None.

    Loopback never goes through a proxy. Raises: ConfigError: the proxy is of another kind.
    """
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    address = proxies.get(scheme) or proxies.get("all")
    if not address:
        return None
    if urlsplit(address).scheme not in {"http", "https"}:
        raise ConfigError(f"the {scheme} proxy of the environment is no http(s) proxy")
    return address
