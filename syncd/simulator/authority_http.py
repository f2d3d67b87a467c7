"""
The HTTP skin of the simulated authority: aiohttp routes, and a server on loopback with TLS.

Knows paths, status codes, forms and the two pages a person may see. Refuses to decide anything:
every answer is a value of `Authority`, and this module only writes it down.
"""

from __future__ import annotations

import html
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import assert_never
from urllib.parse import urlencode

from aiohttp import web

from syncd.simulator.authority import Authority
from syncd.simulator.authority_values import (
    UNKNOWN_TENANT,
    DeviceGrant,
    Fault,
    Redirect,
    Refusal,
    Site,
    TokenGrant,
)
from syncd.simulator.tls import LoopbackCa

__all__ = ["AuthorityServer", "routes"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TenantHandler = Callable[[web.Request, Site], Awaitable[web.StreamResponse]]

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 section 5.1
SHUTDOWN_S = 1.0  # how long a server waits for requests under way when it closes
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


def routes(authority: Authority, issuer_base: str) -> list[web.RouteDef]:
    """
    Return the authority's endpoints, to be added to an aiohttp application.

    Args: issuer_base: scheme, host and port under which clients reach it, e.g.
        `https://127.0.0.1:8443`; all addresses in answers start with it.
    """
    endpoints = _Endpoints(authority, issuer_base.rstrip("/"))
    tenant = endpoints.of_tenant
    return [
        web.get("/{tenant}/v2.0/.well-known/openid-configuration", tenant(endpoints.discovery)),
        web.get("/{tenant}/.well-known/openid-configuration", tenant(endpoints.discovery)),
        web.get("/{tenant}/discovery/v2.0/keys", tenant(endpoints.keys)),
        web.post("/{tenant}/oauth2/v2.0/devicecode", tenant(endpoints.device_code)),
        web.get("/{tenant}/oauth2/v2.0/authorize", tenant(endpoints.authorize)),
        web.post("/{tenant}/oauth2/v2.0/token", tenant(endpoints.token)),
        web.get("/{tenant}/devicelogin", tenant(endpoints.device_login)),
        web.post("/_authority/approve", endpoints.decide),
    ]


class AuthorityServer:
    """
    The authority on `https://127.0.0.1:<port>`, as an async context manager.

    Args: port: 0 takes a free one. ca: signs the server's certificate; clients need its PEM.
    """

    def __init__(self, authority: Authority, ca: LoopbackCa, *, port: int = 0) -> None:
        self.authority = authority
        self._ca = ca
        self._wanted_port = port
        self._port: int | None = None
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The base address; raises RuntimeError before the server has started."""
        if self._port is None:
            raise RuntimeError("the authority server has not been started")
        return f"https://127.0.0.1:{self._port}"

    @property
    def authority_url(self) -> str:
        """What an OAuth library calls the authority: base address and tenant."""
        return f"{self.url}/{self.authority.tenant}"

    async def __aenter__(self) -> AuthorityServer:
        # Bound before the routes exist, because their answers name the port.
        listener = socket.create_server(("127.0.0.1", self._wanted_port))
        self._port = listener.getsockname()[1]
        app = web.Application()
        app.add_routes(routes(self.authority, self.url))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        await web.SockSite(self._runner, listener, ssl_context=self._ca.server_context()).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()


class _Endpoints:
    def __init__(self, authority: Authority, base: str) -> None:
        self._authority = authority
        self._base = base

    def of_tenant(self, handler: TenantHandler) -> Handler:
        """Answer for known tenants only."""

        async def handle(request: web.Request) -> web.StreamResponse:
            name = request.match_info["tenant"]
            if not self._authority.knows_tenant(name):
                return self._refused(UNKNOWN_TENANT, request)
            return await handler(request, Site(self._base, name))

        return handle

    async def discovery(self, request: web.Request, site: Site) -> web.StreamResponse:
        return web.json_response(site.openid_configuration(self._authority.tenant_id))

    async def keys(self, request: web.Request, site: Site) -> web.StreamResponse:
        return web.json_response(self._authority.keys())

    async def device_code(self, request: web.Request, site: Site) -> web.StreamResponse:
        match self._authority.device_code(await _form(request), site):
            case DeviceGrant() as grant:
                return web.json_response(grant.as_json(), headers=NO_STORE)
            case Refusal() as refusal:
                return self._refused(refusal, request)
            case unknown:
                assert_never(unknown)

    async def authorize(self, request: web.Request, site: Site) -> web.StreamResponse:
        match self._authority.authorize(request.query):
            case Redirect() as redirect:
                return _redirected(redirect)
            case Refusal() as refusal:
                return self._refused(refusal, request)
            case unknown:
                assert_never(unknown)

    async def token(self, request: web.Request, site: Site) -> web.StreamResponse:
        match self._authority.token(await _form(request), site):
            case TokenGrant() as grant:
                return web.json_response(grant.as_json(), headers=NO_STORE)
            case Refusal() as refusal:
                return self._refused(refusal, request)
            case Fault() as fault:
                return _faulty(fault)
            case unknown:
                assert_never(unknown)

    async def device_login(self, request: web.Request, site: Site) -> web.StreamResponse:
        codes = self._authority.pending_user_codes()
        wanted = request.query.get("user_code", codes[-1] if codes else "")
        return _page(_LOGIN_FORM.format(user_code=html.escape(wanted, quote=True)))

    async def decide(self, request: web.Request) -> web.StreamResponse:
        """Approve `user_code` as `user`, or decline it if `decision` is `decline`."""
        form = await _form(request)
        user_code = form.get("user_code", "")
        if form.get("decision") == "decline":
            settled = self._authority.decline(user_code)
        else:
            settled = self._authority.approve(user_code, form.get("user", ""))
        return web.json_response({"settled": settled}, status=200 if settled else 404)

    def _refused(self, refusal: Refusal, request: web.Request) -> web.Response:
        asked = request.headers.get("client-request-id", "")
        correlation_id = asked if _UUID.fullmatch(asked) else None
        body = self._authority.refusal_json(refusal, correlation_id)
        return web.json_response(body, status=refusal.status, headers=NO_STORE)


async def _form(request: web.Request) -> Mapping[str, str]:
    """Return the fields of a form (RFC 6749 appendix B); a body that is no form has none."""
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    try:
        fields = await request.post()
    except (ValueError, LookupError):
        # Bytes outside the charset that the request names, or a charset that Python does not have.
        return {}
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def _redirected(redirect: Redirect) -> web.Response:
    match redirect.mode:
        case "form_post":
            return _page(_post_form(redirect))
        case "fragment":
            return _see(f"{redirect.uri}#{urlencode(redirect.parameters)}")
        case _:
            joint = "&" if "?" in redirect.uri else "?"
            return _see(f"{redirect.uri}{joint}{urlencode(redirect.parameters)}")


def _see(location: str) -> web.Response:
    return web.Response(status=302, headers={"Location": location} | NO_STORE)


def _post_form(redirect: Redirect) -> str:
    """OAuth 2.0 Form Post Response Mode: a form that the browser submits by itself."""
    fields = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in redirect.parameters.items()
    )
    action = html.escape(redirect.uri)
    return (
        f'<body onload="document.forms[0].submit()"><form method="post" action="{action}">'
        f"{fields}<noscript><button>Continue</button></noscript></form></body>"
    )


_LOGIN_FORM = """<body><h1>Enter code</h1><form method="post" action="/_authority/approve">
<label>Code <input name="user_code" value="{user_code}"></label>
<label>User <input name="user"></label>
<button name="decision" value="approve">Approve</button>
<button name="decision" value="decline">Decline</button></form></body>"""


def _page(body: str) -> web.Response:
    text = (
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Sign in</title>{body}</html>'
    )
    return web.Response(text=text, content_type="text/html", headers=NO_STORE)


def _faulty(fault: Fault) -> web.Response:
    pause = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
    return web.Response(
        status=fault.status, text=fault.body, content_type=fault.content_type, headers=pause
    )
