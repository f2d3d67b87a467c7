"""
The simulator as a server on a socket.

Knows aiohttp: bytes become requests, answers become bytes, dropped connections are dropped.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from email.utils import format_datetime
from types import TracebackType
from typing import Self

from aiohttp import web

from syncd.simulator.attachment_handlers import UPLOAD_PATH
from syncd.simulator.attachments import too_large
from syncd.simulator.batch import read_batch, serve_batch
from syncd.simulator.control import control_routes
from syncd.simulator.errors import ServiceError
from syncd.simulator.exchange import Dropped, Exchange, Outcome, Sleep
from syncd.simulator.faults import Faults
from syncd.simulator.graph_http import GraphApi, UploadApi
from syncd.simulator.messages import Answer, Request
from syncd.simulator.request_log import RequestLog
from syncd.simulator.service import Service
from syncd.simulator.tokens import TokenCheck, TokenRefused

__all__ = ["SimulatorServer"]

VERSION = "/v1.0"
# Room for a chunk of an upload, and for a posted file that is too large for its own limit.
_MAX_BODY_BYTES = 8 * 1024 * 1024


class SimulatorServer:
    """
    Serves a service under `/v1.0`, its upload URLs under `/upload`, and control endpoints under
    `/_simulator`.

    Args:
        port: 0 takes a free one. extra_routes: of others that share the socket, such as an OAuth
            authority. sleep: waits for slow answers, in seconds. latency_s: of every request.

    Use it as an async context manager; `base_url` is known inside.
    """

    def __init__(
        self,
        service: Service,
        *,
        tokens: TokenCheck,
        faults: Faults | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
        extra_routes: Iterable[web.RouteDef] = (),
        sleep: Sleep = asyncio.sleep,
        latency_s: float = 0.0,
    ) -> None:
        self.service = service
        self.faults = faults or Faults()
        self.requests = RequestLog()
        self.tokens = tokens
        self.host = host
        self.port = port
        self._ssl = ssl_context
        self._extra = tuple(extra_routes)
        self._exchange, self._uploads = (
            Exchange(api, self.faults, self.requests, sleep=sleep, latency_s=latency_s)
            for api in (GraphApi(service, tokens), UploadApi(service, tokens))
        )
        self._runner: web.AppRunner | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._ssl else 'http'}://{self.host}:{self.port}"

    @property
    def base_url(self) -> str:
        """The version root, without a slash at its end."""
        return self.origin + VERSION

    async def __aenter__(self) -> Self:
        """Start serving."""
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_routes([*control_routes(self), *self._extra])
        app.router.add_route("*", VERSION + "/{tail:.*}", self._graph)
        app.router.add_route("*", UPLOAD_PATH + "{token}", self._upload)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, ssl_context=self._ssl)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving and close every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _graph(self, incoming: web.Request) -> web.StreamResponse:
        return await self._answered(incoming, self._outcome)

    async def _upload(self, incoming: web.Request) -> web.StreamResponse:
        return await self._answered(incoming, self._uploads.serve)

    async def _answered(
        self, incoming: web.Request, serve: Callable[[Request], Awaitable[Outcome]]
    ) -> web.StreamResponse:
        request = _request(incoming)
        try:
            outcome = await serve(replace(request, body=await incoming.read()))
        except web.HTTPRequestEntityTooLarge:
            outcome = self._exchange.api.refused(request, too_large())
        if isinstance(outcome, Answer):
            # The service's own clock, which a test may have set, not this machine's.
            outcome.headers["Date"] = format_datetime(self.service.now(), usegmt=True)
        return await _sent(incoming, outcome)

    async def _outcome(self, request: Request) -> Outcome:
        if [segment.casefold() for segment in request.segments] != ["$batch"]:
            return await self._exchange.serve(request)
        api = self._exchange.api
        try:
            if request.method != "POST":
                raise ServiceError(405, "BadRequest", "A batch is a POST.")
            api.principal(request)
            parts = read_batch(request)
        except TokenRefused as refused:
            return api.unauthorized(request, refused)
        except ServiceError as error:
            return api.refused(request, error)
        return await serve_batch(parts, self._part, self.service.mint.random)

    async def _part(self, request: Request) -> Answer:
        outcome = await self._exchange.serve(request, in_batch=True)
        assert isinstance(outcome, Answer), "a part has no connection to drop"
        return outcome


def _request(incoming: web.Request) -> Request:
    """Return what was asked, still without its body."""
    base = f"{incoming.scheme}://{incoming.host}{VERSION}"
    target = incoming.raw_path.removeprefix(VERSION)
    return Request.of(incoming.method, target, _headers(incoming), b"", base)


def _headers(incoming: web.Request) -> dict[str, str]:
    """Return the headers with repeated ones joined, as `Prefer` may be."""
    names = {name.casefold() for name in incoming.headers}
    return {name: ", ".join(incoming.headers.getall(name)) for name in names}


async def _sent(incoming: web.Request, outcome: Outcome) -> web.StreamResponse:
    if isinstance(outcome, Dropped):
        return _dropped(incoming)
    if outcome.cut:
        return await _cut(incoming, outcome)
    return web.Response(status=outcome.status, body=outcome.body, headers=outcome.headers)


def _dropped(incoming: web.Request) -> web.StreamResponse:
    transport = incoming.transport
    if isinstance(transport, asyncio.Transport):
        transport.abort()
    return web.Response()


async def _cut(incoming: web.Request, answer: Answer) -> web.StreamResponse:
    """Send the head and half of the body, then close."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body)
    await response.prepare(incoming)
    await response.write(answer.body[: len(answer.body) // 2])
    if incoming.transport is not None:
        incoming.transport.close()
    return response
