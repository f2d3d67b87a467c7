"""
One door for foreign failures on the way to the service.

The only place that knows what aiohttp, the operating system and TLS raise, and which of it means
that no byte of a request had left. Messages name the request's label, never its address.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp

from syncd.core.errors import BadAnswer, ServiceDown, SyncdError, Unreachable
from syncd.ports import Request

__all__ = [
    "CA_HINT",
    "NeverSent",
    "TooLarge",
    "UntrustedCertificate",
    "called",
    "down",
    "failures",
    "most_tries",
]

# A throttled one is not counted here: each 429 costs a wait, and the patience ends those.
_MOST_TRIES: Final = 5
# Most often there is no network, and who typed a command waits to be told: two seconds, not ten.
_MOST_UNREACHED: Final = 3

CA_HINT: Final = (
    "If the service (or a proxy on the way) uses a certificate authority of its own, "
    "name its PEM file as `ca_file` of the account; otherwise somebody else is answering."
)


class NeverSent(Unreachable):
    """The service could not be reached: no byte of the request left this machine."""


class UntrustedCertificate(NeverSent):
    """The other side could not prove who it is, so nothing was sent; trying again cannot help."""

    retryable = False
    hint = CA_HINT


class TooLarge(BadAnswer):
    """An answer without end; fetching it again would bring it again."""

    retryable = False


def most_tries(error: SyncdError) -> int:
    """How often a request goes whose failure may pass."""
    return _MOST_UNREACHED if isinstance(error, NeverSent) else _MOST_TRIES


@contextmanager
def failures(request: Request) -> Iterator[None]:
    """Translate what fails within into `NeverSent`, `Unreachable` or `BadAnswer`, chained."""
    what = called(request)
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        raise UntrustedCertificate(f"{what}: {_distrust(error)}") from error
    except aiohttp.ClientConnectorSSLError as error:
        reason = error.os_error.strerror or type(error.os_error).__name__
        raise UntrustedCertificate(f"{what}: no secure connection ({reason})") from error
    except aiohttp.ClientConnectorError as error:
        reason = error.os_error.strerror or type(error.os_error).__name__
        raise NeverSent(f"{what}: the service cannot be reached ({reason})") from error
    except (aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError) as error:
        raise NeverSent(f"{what}: the service cannot be reached in time") from error
    except aiohttp.InvalidURL as error:
        raise BadAnswer(f"{what}: the address cannot be used") from error
    except TimeoutError as error:
        raise Unreachable(f"{what}: no answer in time") from error
    except aiohttp.ClientPayloadError as error:
        raise BadAnswer(f"{what}: the answer was cut off or garbled") from error
    except aiohttp.ClientResponseError as error:
        raise BadAnswer(f"{what}: the answer is no HTTP") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(f"{what}: the connection broke ({type(error).__name__})") from error


def called(request: Request) -> str:
    """What messages call the request: its method and label, nothing of its address."""
    return f"{request.method} {request.label or 'request'}"


def down(request: Request, status: int) -> ServiceDown:
    """The error for a status by which the service says that it cannot serve."""
    return ServiceDown(f"{called(request)}: the service answers {status}")


def _distrust(error: aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.certificate_error
    told = cause.verify_message if isinstance(cause, ssl.SSLCertVerificationError) else "invalid"
    return f"the certificate of {error.host} is not trusted ({told})"
