"""
The other end of a sign-in in the browser: a listener on loopback for one redirect.

Knows RFC 8252 section 7.3 (any port of loopback) and the two ways an answer comes (query, form
post). Refuses to know what the answer is good for. msal's own listener is not used: it binds all
interfaces when it believes to be in a container, and cannot be cancelled.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hmac import compare_digest

from aiohttp import web

from syncd.core.errors import DiskTrouble

__all__ = ["Redirected", "receive_redirect"]

_SHUTDOWN_S = 1.0
_MOST_BYTES = 64 * 1024
_DONE = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>syncd</title>'
    "<p>You can close this page and go back to syncd.</p></html>"
)


class Redirected:
    """Waits for the browser; `uri` is where the authority has to send it."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._state: str | None = None
        self._answer: asyncio.Future[Mapping[str, str]] = asyncio.Future()

    def expect(self, state: str) -> None:
        """Take only the answer that knows `state`: any page can send a browser here."""
        self._state = state

    async def answer(self) -> Mapping[str, str]:
        """Return the fields of the answer."""
        return await self._answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one request of a browser."""
        fields = await _fields(request)
        state = fields.get("state", "")
        if self._state is None or not compare_digest(state.encode(), self._state.encode()):
            return web.Response(status=400, text="This is not the answer that syncd waits for.")
        if not self._answer.done():
            self._answer.set_result(fields)
        return web.Response(text=_DONE, content_type="text/html")


@asynccontextmanager
async def receive_redirect() -> AsyncIterator[Redirected]:
    """Listen on a free port of 127.0.0.1 until the block ends. Raises: DiskTrouble: no port."""
    try:
        listener = socket.create_server(("127.0.0.1", 0))
    except OSError as error:
        raise DiskTrouble(f"no port to listen on for the browser: {error.strerror}") from error
    # The identity platform disregards the port of a registered http://localhost, and of this only.
    redirected = Redirected(f"http://localhost:{listener.getsockname()[1]}")
    app = web.Application(client_max_size=_MOST_BYTES)
    app.add_routes([web.get("/", redirected.handle), web.post("/", redirected.handle)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield redirected
    finally:
        await runner.cleanup()
        listener.close()


async def _fields(request: web.Request) -> dict[str, str]:
    try:
        posted = await request.post() if request.method == "POST" else request.query
    except (ValueError, LookupError):
        return {}
    return {name: value for name, value in posted.items() if isinstance(value, str)}
