"""
One request, sent once: connections, TLS, headers, and an answer read to its end, or passed on.

Knows aiohttp. Refuses to repeat anything, to follow redirects and to judge an answer.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from syncd import __version__
from syncd.core.errors import BadAnswer
from syncd.graph.failures import TooLarge, called, failures
from syncd.graph.links import Origin, ServiceRoot
from syncd.graph.network import proxy_for, trust
from syncd.graph.waits import MOST_IN_FLIGHT
from syncd.ports import Answer, ByteSink, Request

__all__ = ["LARGEST_ANSWER_BYTES", "Timeouts", "Wire", "refuse_broken_headers", "service_headers"]

LARGEST_ANSWER_BYTES: Final = 64 * 1024 * 1024  # a page of 1000 events with long bodies has 40 MB
LARGEST_DOWNLOAD_BYTES: Final = 512 * 1024 * 1024  # an attachment has 150 MB at most
_CHUNK_BYTES = 64 * 1024
_POURED_BYTES = 1024 * 1024  # a write to disk costs a change of threads
_WHOLE_BYTES = 512 * 1024
_IMMUTABLE = 'IdType="ImmutableId"'


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, between two pieces of an answer, and for the whole exchange."""

    connect_s: float = 30.0
    read_s: float = 100.0  # Graph's own gateways give up after some 100 s
    total_s: float = 600.0


def service_headers(request: Request) -> dict[str, str]:
    """
    Return the request's headers with those that every request needs.

    Graph documentation, page "Obtain immutable identifiers for Outlook resources": the preference
    must come with every request, in a batch with every part.
    """
    headers = {name: value for name, value in request.headers.items() if name.lower() != "prefer"}
    own = [value for name, value in request.headers.items() if name.lower() == "prefer"]
    headers["Prefer"] = ", ".join([*own, _IMMUTABLE])
    if request.body is not None and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    return headers


class Wire:
    """
    The connections to one service, as an async context manager.

    Writes get a connection of their own each: on one that was kept open, a reset could mean that
    the service had closed it long before or that it had read the write, and nobody could tell.
    """

    def __init__(
        self, root: ServiceRoot, ca_file: Path | None, timeouts: Timeouts, largest_bytes: int
    ) -> None:
        self._root, self._ca_file, self._largest_bytes = root, ca_file, largest_bytes
        self._timeout = aiohttp.ClientTimeout(
            total=timeouts.total_s,
            connect=timeouts.connect_s,
            sock_connect=timeouts.connect_s,
            sock_read=timeouts.read_s,
        )
        self._patient = aiohttp.ClientTimeout(
            total=None,
            connect=timeouts.connect_s,
            sock_connect=timeouts.connect_s,
            sock_read=timeouts.read_s,
        )
        self._kept: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None
        self._proxy: str | None = None

    async def __aenter__(self) -> Wire:
        context = await asyncio.to_thread(self._trusted)
        self._proxy = await asyncio.to_thread(proxy_for, *self._root.origin[:2])
        self._kept = _pool(aiohttp.TCPConnector(ssl=context, limit=MOST_IN_FLIGHT), self._timeout)
        self._fresh = _pool(
            aiohttp.TCPConnector(ssl=context, limit=MOST_IN_FLIGHT, force_close=True), self._timeout
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pool in (self._kept, self._fresh):
            if pool is not None:
                await pool.close()

    def _trusted(self) -> ssl.SSLContext | bool:
        # Plain HTTP is for loopback alone, where reading the system's authorities would take
        # longer than a whole round; True is verification by aiohttp's own context.
        encrypted = self._root.origin[0] == "https"
        return trust(self._ca_file) if encrypted or self._ca_file else True

    async def send(
        self, request: Request, address: str, headers: Mapping[str, str], *, fresh: bool
    ) -> Answer:
        """
        Send the request to `address` and read the whole answer.

        Args: fresh: on a new connection. Raises: NeverSent, Unreachable, BadAnswer.
        """
        async with self._sent(
            request, address, headers, fresh=fresh, proxy=self._proxy, timeout=self._timeout
        ) as response:
            body = await self._body(request, response)
            return Answer(response.status, _plain(response.headers), body)

    async def send_abroad(
        self, request: Request, address: str, origin: Origin, headers: Mapping[str, str]
    ) -> Answer:
        """As `send`, on a new connection to a host that is not the service's."""
        proxy = await asyncio.to_thread(proxy_for, *origin[:2])
        async with self._sent(
            request, address, headers, fresh=True, proxy=proxy, timeout=self._timeout
        ) as response:
            body = await self._body(request, response)
            return Answer(response.status, _plain(response.headers), body)

    async def fetch(
        self, request: Request, address: str, headers: Mapping[str, str], sink: ByteSink
    ) -> Answer:
        """
        As `send`, with the content of a success going to `sink` as it comes, however long it takes.

        Raises: as `send`; what the sink raises.
        """
        async with self._sent(
            request, address, headers, fresh=False, proxy=self._proxy, timeout=self._patient
        ) as response:
            plain = _plain(response.headers)
            if not 200 <= response.status < 300:
                return Answer(response.status, plain, await self._body(request, response))
            await sink.begin(plain)
            await _pour(request, response, sink)
            return Answer(response.status, plain, b"")

    @asynccontextmanager
    async def _sent(
        self,
        request: Request,
        address: str,
        headers: Mapping[str, str],
        *,
        fresh: bool,
        proxy: str | None,
        timeout: aiohttp.ClientTimeout,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        pool = self._fresh if fresh else self._kept
        if pool is None:
            raise RuntimeError("the connections are not open")
        with failures(request):
            async with pool.request(
                request.method,
                URL(address, encoded=True),
                headers=headers,
                data=_payload(request.body),
                allow_redirects=False,
                proxy=proxy,
                timeout=timeout,
            ) as response:
                yield response

    async def _body(self, request: Request, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            body += chunk
            if len(body) > self._largest_bytes:
                response.close()
                raise TooLarge(f"{called(request)}: the answer is larger than any should be")
        return bytes(body)


async def _pour(request: Request, response: aiohttp.ClientResponse, sink: ByteSink) -> None:
    waiting, count = bytearray(), 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        waiting += chunk
        count += len(chunk)
        if count > LARGEST_DOWNLOAD_BYTES:
            response.close()
            raise TooLarge(f"{called(request)}: the answer is larger than any should be")
        if len(waiting) >= _POURED_BYTES:
            await sink.take(bytes(waiting))
            waiting.clear()
    if waiting:
        await sink.take(bytes(waiting))


def _pool(connector: aiohttp.TCPConnector, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"syncd/{__version__}"},
        middlewares=(_once,),
    )


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """
    Keep aiohttp from repeating a request by itself.

    After a reset it sends GET and DELETE a second time, on new connections too; a DELETE that had
    taken effect then comes back as 404. It does not do so for this more general error.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(type(error).__name__) from error


def refuse_broken_headers(request: Request) -> None:
    """Raise BadAnswer if a header, say one copied from an answer, would break out of its line."""
    for name, value in request.headers.items():
        if not (name.isascii() and name.isprintable() and value.isprintable()):
            raise BadAnswer(f"{called(request)}: a header taken from an answer is malformed")


def _payload(body: bytes | None) -> bytes | io.BytesIO | None:
    """Have a large body sent in pieces: in one it would hold up the event loop."""
    return io.BytesIO(body) if body is not None and len(body) > _WHOLE_BYTES else body


def _plain(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    names = {name.lower(): name for name in headers}
    return {low: ", ".join(headers.getall(name)) for low, name in names.items()}
