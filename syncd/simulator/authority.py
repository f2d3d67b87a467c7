"""
An OAuth 2.0 authority as the Microsoft identity platform v2 behaves, without a byte of I/O.

Knows RFC 6749 (grants), RFC 7636 (PKCE), RFC 8628 (device code) and RFC 7523 (certificates), keeps
codes and tokens in memory, and answers every request with a value. Clock and random source come
from outside, so a test can make a token expire without waiting. It refuses to know HTTP and TLS,
and what a token is good for: it only vouches for it through `check`.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hmac import compare_digest
from random import Random
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from syncd.simulator import authority_values as v
from syncd.simulator.authority_jwt import SigningKey, base64url, check_assertion
from syncd.simulator.authority_values import (
    AuthorityPolicy,
    Client,
    DeviceGrant,
    Fault,
    Redirect,
    Refusal,
    RefusedRequest,
    Site,
    TokenGrant,
    User,
)
from syncd.simulator.tokens import Principal, TokenRefused

__all__ = ["Authority", "Clock"]

Clock = Callable[[], datetime]  # aware UTC
Form = Mapping[str, str]

DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
JWT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SIGN_IN_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
SHARED_TENANTS = frozenset({"common", "organizations", "consumers"})
RESPONSE_MODES = frozenset({"query", "fragment", "form_post"})
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ23456789"  # RFC 8628 section 6.1: hard to mistype
SLOW_DOWN_STEP_S = 5  # RFC 8628 section 3.5
_TENANTS = UUID("e6b6f1f0-6d0c-4c8a-8f3f-0f6a4f2f7c11")


@dataclass(frozen=True, slots=True)
class Pending:
    """Nobody has answered the device code yet."""


@dataclass(frozen=True, slots=True)
class Approved:
    user: User


@dataclass(frozen=True, slots=True)
class Declined:
    """The person said no."""


Decision = Pending | Approved | Declined


@dataclass(frozen=True, slots=True)
class _Device:
    client: Client
    user_code: str
    scopes: tuple[str, ...]
    expires: datetime
    interval: timedelta
    decision: Decision = Pending()
    polled: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Code:
    client: Client
    user: User
    scopes: tuple[str, ...]
    redirect_uri: str
    challenge: str
    nonce: str | None
    expires: datetime
    redeemed: bool = False


@dataclass(frozen=True, slots=True)
class _Refresh:
    client: Client
    user: User
    scopes: tuple[str, ...]
    expires: datetime
    refused: Refusal | None = None  # why it no longer counts


@dataclass(frozen=True, slots=True)
class _Access:
    principal: Principal
    expires: datetime


class Authority:
    """
    One tenant's users, applications, codes and tokens.

    Args:
        users: who can sign in; the first is the one behind the browser unless the policy names one.
        clients: the registered applications.
        clock: returns the present as aware UTC.
        rng: source of codes and tokens; a seeded one makes them repeatable.
        tenant: domain name of the tenant; its id follows from it.
    Raises: ValueError: no user is given.
    """

    def __init__(
        self,
        *,
        users: Iterable[User],
        clients: Iterable[Client],
        clock: Clock,
        rng: Random,
        tenant: str = "simulated.example",
        policy: AuthorityPolicy | None = None,
    ) -> None:
        self.tenant = tenant
        self.tenant_id = str(uuid5(_TENANTS, tenant.casefold()))
        self.policy = policy or AuthorityPolicy()
        self._users = {user.username.casefold(): user for user in users}
        if not self._users:
            raise ValueError("an authority needs at least one user")
        self._clients = {client.client_id: client for client in clients}
        self._clock, self._rng = clock, rng
        self._signing_key = SigningKey()
        self._devices: dict[str, _Device] = {}
        self._codes: dict[str, _Code] = {}
        self._refresh: dict[str, _Refresh] = {}
        self._access: dict[str, _Access] = {}
        self._faults: deque[Fault] = deque()

    # What people, administrators and tests do to it.

    def approve(self, user_code: str, username: str) -> bool:
        """Let `username` say yes to a device code; False if either is unknown or it is too late."""
        user = self._user(username)
        return user is not None and self._decide(user_code, Approved(user))

    def decline(self, user_code: str) -> bool:
        """Let somebody say no to a device code; False if it is unknown, or it is too late."""
        return self._decide(user_code, Declined())

    def pending_user_codes(self) -> tuple[str, ...]:
        """Return the user codes that still wait for a person, oldest first."""
        waiting = (device for device in self._devices.values() if self._waits(device))
        return tuple(device.user_code for device in waiting)

    def revoke_refresh_tokens(self, username: str) -> int:
        """Revoke all refresh tokens of a user (an administrator's "sign out everywhere")."""
        user, count = self._user(username), 0
        for token, grant in self._refresh.items():
            if grant.user == user and grant.refused is None:
                self._refresh[token] = replace(grant, refused=v.REVOKED_GRANT)
                count += 1
        return count

    def expire_access_tokens(self) -> int:
        """Make every access token given so far too old; return how many."""
        now = self._clock()
        self._access = {t: replace(a, expires=min(a.expires, now)) for t, a in self._access.items()}
        return len(self._access)

    def fail_token_requests(self, fault: Fault, times: int = 1) -> None:
        """Answer the next `times` requests to the token endpoint with `fault`."""
        self._faults.extend([fault] * times)

    # What the protocol asks of it.

    def knows_tenant(self, name: str) -> bool:
        """Return whether `name` is this tenant's domain or id, or a name all tenants share."""
        return name.casefold() in {self.tenant.casefold(), self.tenant_id, *SHARED_TENANTS}

    def keys(self) -> dict[str, Any]:
        """Return the JWK set that verifies the ID tokens."""
        return self._signing_key.key_set()

    def refusal_json(self, refusal: Refusal, correlation_id: str | None = None) -> dict[str, Any]:
        """Return `refusal` as the identity platform words it."""
        return refusal.as_json(
            at=self._clock(),
            trace_id=self._uuid(),
            correlation_id=correlation_id or self._uuid(),
        )

    def device_code(self, form: Form, site: Site) -> DeviceGrant | Refusal:
        """Start a device flow (RFC 8628 section 3.1)."""
        try:
            return self._start_device(form, site)
        except RefusedRequest as refused:
            return refused.refusal

    def authorize(self, query: Form) -> Redirect | Refusal:
        """
        Play the browser of a person who consents, or declines if the policy says so.

        A request with an unknown client or a redirect URI off loopback is a Refusal to be shown,
        never a redirect (RFC 6749 section 4.1.2.1); other faults travel in the redirect.
        """
        try:
            client = self._client(query)
            redirect_uri = _loopback_redirect(query)
        except RefusedRequest as refused:
            return refused.refusal
        mode = query.get("response_mode", "query")
        state = {"state": query["state"]} if "state" in query else {}
        if mode not in RESPONSE_MODES:
            return v.BAD_RESPONSE_MODE
        return Redirect(
            redirect_uri, self._authorization(query, client, redirect_uri) | state, mode
        )

    def token(self, form: Form, site: Site) -> TokenGrant | Refusal | Fault:
        """Answer the token endpoint (RFC 6749 section 3.2) for all four grants."""
        if self._faults:
            return self._faults.popleft()
        try:
            return self._grant(form, site)
        except RefusedRequest as refused:
            return refused.refusal

    def check(self, bearer: str) -> Principal:
        """
        Return whom an access token speaks for.

        Raises: TokenRefused: unknown or expired; its challenge is for WWW-Authenticate.
        """
        access = self._access.get(bearer)
        if access is None:
            raise _token_refused("The access token is malformed or was not issued here.")
        if access.expires <= self._clock():
            raise _token_refused("Lifetime validation failed, the token is expired.")
        return access.principal

    # Device code.

    def _start_device(self, form: Form, site: Site) -> DeviceGrant:
        client, scopes = self._client(form), _user_scopes(form)
        device = _Device(
            client=client,
            user_code="".join(self._rng.choices(USER_CODE_LETTERS, k=9)),
            scopes=scopes,
            expires=self._in(self.policy.device_code_life_s),
            interval=timedelta(seconds=self.policy.poll_interval_s),
        )
        code = self._secret("device")
        self._devices[code] = device
        if self.policy.auto_approve is not None:
            self.approve(device.user_code, self.policy.auto_approve)
        return DeviceGrant(
            code,
            device.user_code,
            site.verification_uri,
            self.policy.device_code_life_s,
            self.policy.poll_interval_s,
        )

    def _decide(self, user_code: str, decision: Decision) -> bool:
        wanted = user_code.strip().upper()
        for code, device in self._devices.items():
            if device.user_code == wanted and self._waits(device):
                self._devices[code] = replace(device, decision=decision)
                return True
        return False

    def _waits(self, device: _Device) -> bool:
        return isinstance(device.decision, Pending) and self._clock() < device.expires

    def _by_device_code(self, form: Form, site: Site) -> TokenGrant:
        code = _required(form, "device_code")
        device = self._devices.get(code)
        if device is None or device.client != self._client(form):
            raise RefusedRequest(v.BAD_DEVICE_CODE)
        match device.decision:
            case Approved(user):
                del self._devices[code]
                return self._user_grant(device.client, user, device.scopes, site)
            case Declined():
                del self._devices[code]
                raise RefusedRequest(v.AUTHORIZATION_DECLINED)
            case Pending():
                raise RefusedRequest(self._poll(code, device))

    def _poll(self, code: str, device: _Device) -> Refusal:
        now = self._clock()
        if now >= device.expires:
            return v.EXPIRED_DEVICE_CODE
        hasty = device.polled is not None and now - device.polled < device.interval
        step = timedelta(seconds=SLOW_DOWN_STEP_S if hasty else 0)
        self._devices[code] = replace(device, polled=now, interval=device.interval + step)
        return v.SLOW_DOWN if hasty else v.AUTHORIZATION_PENDING

    # Authorization code.

    def _authorization(self, query: Form, client: Client, redirect_uri: str) -> dict[str, str]:
        try:
            code = self._issue_code(query, client, redirect_uri)
        except RefusedRequest as refused:
            body = self.refusal_json(refused.refusal)
            return {"error": body["error"], "error_description": body["error_description"]}
        return {"code": code, "client_info": self._client_info(self._codes[code].user)}

    def _issue_code(self, query: Form, client: Client, redirect_uri: str) -> str:
        if query.get("response_type") != "code":
            raise RefusedRequest(v.BAD_RESPONSE_TYPE)
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            raise RefusedRequest(v.WEAK_CHALLENGE)
        if self.policy.deny_consent:
            raise RefusedRequest(v.CONSENT_DENIED)
        code = self._secret("code")
        self._codes[code] = _Code(
            client=client,
            user=self._browsing_user(query),
            scopes=_user_scopes(query),
            redirect_uri=redirect_uri,
            challenge=query["code_challenge"],
            nonce=query.get("nonce"),
            expires=self._in(self.policy.authorization_code_life_s),
        )
        return code

    def _browsing_user(self, query: Form) -> User:
        for name in (query.get("login_hint"), self.policy.consenting_user):
            user = self._user(name) if name else None
            if user is not None:
                return user
        return next(iter(self._users.values()))

    def _by_code(self, form: Form, site: Site) -> TokenGrant:
        token = _required(form, "code")
        code = self._codes.get(token)
        if code is None or code.client != self._client(form):
            raise RefusedRequest(v.BAD_CODE)
        self._check_client_secret(code.client, form, site)
        refusal = self._code_refusal(code, form)
        if refusal is not None:
            raise RefusedRequest(refusal)
        self._codes[token] = replace(code, redeemed=True)
        return self._user_grant(code.client, code.user, code.scopes, site, nonce=code.nonce)

    def _code_refusal(self, code: _Code, form: Form) -> Refusal | None:
        if code.redeemed:
            return v.REDEEMED_CODE
        if self._clock() >= code.expires:
            return v.EXPIRED_CODE
        if form.get("redirect_uri") != code.redirect_uri:
            return v.WRONG_REDIRECT
        # RFC 7636 section 4.6.
        proof = base64url(hashlib.sha256(_bytes(form.get("code_verifier", ""))).digest())
        return None if _same(proof, code.challenge) else v.WRONG_VERIFIER

    # Refresh token.

    def _by_refresh_token(self, form: Form, site: Site) -> TokenGrant:
        token = _required(form, "refresh_token")
        grant = self._refresh.get(token)
        if grant is None or grant.client != self._client(form):
            raise RefusedRequest(v.BAD_REFRESH_TOKEN)
        if grant.refused is not None:
            raise RefusedRequest(grant.refused)
        if self._clock() >= grant.expires:
            raise RefusedRequest(v.INACTIVE_GRANT)
        self._check_client_secret(grant.client, form, site)
        # RFC 6749 section 6 lets `scope` be left out; the platform lets it name other resources.
        scopes = (*_user_scopes(form), "offline_access") if "scope" in form else grant.scopes
        answer = self._user_grant(grant.client, grant.user, scopes, site)
        self._spend(token, grant)
        return answer

    def _spend(self, token: str, grant: _Refresh) -> None:
        if self.policy.rotate_refresh_tokens:
            self._refresh[token] = replace(grant, refused=v.BAD_REFRESH_TOKEN)
        else:
            expires = self._in(self.policy.refresh_token_life_s)
            self._refresh[token] = replace(grant, expires=expires)

    # Client credentials.

    def _by_client_credentials(self, form: Form, site: Site) -> TokenGrant:
        client = self._client(form)
        self._authenticate(client, form, site)
        scope = _required(form, "scope")
        if any(not s.endswith("/.default") and s not in SIGN_IN_SCOPES for s in scope.split()):
            raise RefusedRequest(v.APP_NEEDS_DEFAULT_SCOPE)
        principal = Principal(user=None, application=True, scopes=client.roles)
        return TokenGrant(self._issue_access(principal), self.policy.access_token_life_s, scope)

    def _check_client_secret(self, client: Client, form: Form, site: Site) -> None:
        """A confidential client proves itself with every grant (RFC 6749 section 3.2.1)."""
        if client.confidential:
            self._authenticate(client, form, site)

    def _authenticate(self, client: Client, form: Form, site: Site) -> None:
        if "client_assertion" in form and form.get("client_assertion_type") == JWT_ASSERTION:
            audiences = site.audiences(self.tenant_id)
            now = self._clock()
            check_assertion(form["client_assertion"], client, audiences=audiences, now=now)
        elif "client_secret" not in form:
            raise RefusedRequest(v.NO_CREDENTIAL)
        elif client.secret is None or not _same(form["client_secret"], client.secret):
            raise RefusedRequest(v.WRONG_SECRET)

    # What all grants share.

    def _grant(self, form: Form, site: Site) -> TokenGrant:
        match _required(form, "grant_type"):
            case "authorization_code":
                return self._by_code(form, site)
            case "refresh_token":
                return self._by_refresh_token(form, site)
            case "client_credentials":
                return self._by_client_credentials(form, site)
            case grant if grant == DEVICE_CODE_GRANT:
                return self._by_device_code(form, site)
            case _:
                raise RefusedRequest(v.BAD_GRANT_TYPE)

    def _user_grant(
        self,
        client: Client,
        user: User,
        scopes: tuple[str, ...],
        site: Site,
        *,
        nonce: str | None = None,
    ) -> TokenGrant:
        short = frozenset(map(_short_name, scopes)) - SIGN_IN_SCOPES
        if short & self.policy.unconsented_scopes:
            raise RefusedRequest(v.CONSENT_REQUIRED)
        principal = Principal(user=user.username, application=False, scopes=short)
        return TokenGrant(
            access_token=self._issue_access(principal),
            life_s=self.policy.access_token_life_s,
            scope=" ".join(scope for scope in scopes if scope != "offline_access"),
            refresh_token=self._issue_refresh(client, user, scopes),
            id_token=self._id_token(client, user, site, nonce) if "openid" in scopes else None,
            client_info=self._client_info(user),
        )

    def _issue_access(self, principal: Principal) -> str:
        token = self._secret("access")
        expires = self._in(self.policy.access_token_life_s)
        self._access[token] = _Access(principal, expires)
        return token

    def _issue_refresh(self, client: Client, user: User, scopes: tuple[str, ...]) -> str | None:
        if "offline_access" not in scopes:
            return None
        token = self._secret("refresh")
        expires = self._in(self.policy.refresh_token_life_s)
        self._refresh[token] = _Refresh(client, user, scopes, expires)
        return token

    def _id_token(self, client: Client, user: User, site: Site, nonce: str | None) -> str:
        now = int(self._clock().timestamp())
        claims = {
            "ver": "2.0",
            "iss": site.issuer(self.tenant_id),
            "aud": client.client_id,
            "sub": user.object_id,
            "oid": user.object_id,
            "tid": self.tenant_id,
            "preferred_username": user.username,
            "name": user.name,
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
        }
        return self._signing_key.sign(claims if nonce is None else claims | {"nonce": nonce})

    def _client_info(self, user: User) -> str:
        """Return what msal builds `home_account_id` from."""
        return base64url(json.dumps({"uid": user.object_id, "utid": self.tenant_id}).encode())

    def _client(self, form: Form) -> Client:
        client = self._clients.get(_required(form, "client_id"))
        if client is None:
            raise RefusedRequest(v.UNKNOWN_CLIENT)
        return client

    def _user(self, username: str) -> User | None:
        return self._users.get(username.casefold())

    def _in(self, seconds: int) -> datetime:
        return self._clock() + timedelta(seconds=seconds)

    def _secret(self, kind: str) -> str:
        return f"{kind}.{base64url(self._rng.randbytes(32))}"

    def _uuid(self) -> str:
        return str(UUID(int=self._rng.getrandbits(128), version=4))


def _required(form: Form, name: str) -> str:
    value = form.get(name)
    if not value:
        raise RefusedRequest(v.missing_parameter(name))
    return value


def _user_scopes(form: Form) -> tuple[str, ...]:
    scopes = tuple(dict.fromkeys(_required(form, "scope").split()))
    if not scopes:
        raise RefusedRequest(v.BAD_SCOPE)
    return scopes


def _short_name(scope: str) -> str:
    """`https://graph.microsoft.com/Calendars.Read` and `Calendars.Read` are the same permission."""
    return scope.rsplit("/", 1)[-1]


def _loopback_redirect(query: Form) -> str:
    """RFC 8252 section 7.3: any port of loopback, and plain http, but nothing else."""
    uri = _required(query, "redirect_uri")
    try:
        parts = urlsplit(uri)
        loopback = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
    except ValueError as error:
        raise RefusedRequest(v.WRONG_REDIRECT) from error
    if not loopback or parts.fragment or not uri.isascii() or not uri.isprintable():
        raise RefusedRequest(v.WRONG_REDIRECT)
    return uri


def _same(given: str, expected: str) -> bool:
    return compare_digest(_bytes(given), _bytes(expected))


def _bytes(text: str) -> bytes:
    # A lone surrogate in a form is nobody's secret, but it must not raise either.
    return text.encode("utf-8", "surrogatepass")


def _token_refused(reason: str) -> TokenRefused:
    challenge = f'Bearer error="invalid_token", error_description="{reason}"'
    return TokenRefused("InvalidAuthenticationToken", challenge)
