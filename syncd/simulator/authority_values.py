"""
The facts of the simulated OAuth authority: who may sign in, what is granted, what is refused.

Plain values only. Knows the shapes of the Microsoft identity platform's requests and answers and
its AADSTS error numbers; refuses to know any state, clock or transport.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

__all__ = [
    "FAULTS",
    "AuthorityPolicy",
    "Client",
    "DeviceGrant",
    "Fault",
    "Redirect",
    "Refusal",
    "RefusedRequest",
    "Site",
    "TokenGrant",
    "User",
    "missing_parameter",
]

DEFAULT_ROLES = frozenset({"Calendars.ReadWrite", "MailboxSettings.Read", "User.Read.All"})
_NAMESPACE = uuid.UUID("5a1d2c4e-0b7f-4e53-9d51-4c2f6f0a9b10")


@dataclass(frozen=True, slots=True)
class User:
    """A person who can sign in; `username` is the user principal name."""

    username: str
    object_id: str
    name: str

    @classmethod
    def named(cls, username: str, name: str | None = None) -> User:
        """Return a user whose object id follows from the username."""
        return cls(username, str(uuid.uuid5(_NAMESPACE, username.casefold())), name or username)


@dataclass(frozen=True, slots=True)
class Client:
    """A registered application; one with a secret or a certificate may act without a user."""

    client_id: str
    secret: str | None = None
    certificates: tuple[str, ...] = ()  # PEM, each with one certificate
    roles: frozenset[str] = DEFAULT_ROLES  # application permissions that an admin consented to

    @property
    def confidential(self) -> bool:
        return self.secret is not None or bool(self.certificates)


@dataclass(frozen=True, slots=True)
class AuthorityPolicy:
    """How the authority behaves; replace it on a running authority to change its mind."""

    access_token_life_s: int = 3600
    refresh_token_life_s: int = 90 * 86_400  # after its last use, as for a native application
    device_code_life_s: int = 900
    authorization_code_life_s: int = 600
    poll_interval_s: int = (
        5  # msal 1.39 polls 0 in a tight loop and never looks at its exit condition
    )
    rotate_refresh_tokens: bool = True
    auto_approve: str | None = None  # username that answers every device code at once
    consenting_user: str | None = None  # username behind the browser; default: the first user
    deny_consent: bool = False
    unconsented_scopes: frozenset[str] = frozenset()  # short names, e.g. "MailboxSettings.Read"


@dataclass(frozen=True, slots=True)
class Site:
    """Where a tenant of the authority is reached; `base` has no trailing slash."""

    base: str
    tenant: str

    @property
    def token_endpoint(self) -> str:
        return f"{self.base}/{self.tenant}/oauth2/v2.0/token"

    @property
    def verification_uri(self) -> str:
        return f"{self.base}/{self.tenant}/devicelogin"

    def issuer(self, tenant_id: str) -> str:
        return f"{self.base}/{tenant_id}/v2.0"

    def audiences(self, tenant_id: str) -> frozenset[str]:
        """Return the `aud` values that a client assertion may carry."""
        return frozenset({self.token_endpoint, self.issuer(tenant_id), self.issuer(self.tenant)})

    def openid_configuration(self, tenant_id: str) -> dict[str, Any]:
        """Return the discovery document (OpenID Connect Discovery 1.0, section 3)."""
        root = f"{self.base}/{self.tenant}"
        return {
            "issuer": self.issuer(tenant_id),
            "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
            "token_endpoint": self.token_endpoint,
            "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{root}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        }


@dataclass(frozen=True, slots=True)
class DeviceGrant:
    """A device code on its way to a person (RFC 8628 section 3.2)."""

    device_code: str
    user_code: str
    verification_uri: str
    life_s: int
    interval_s: int

    def as_json(self) -> dict[str, Any]:
        return {
            "device_code": self.device_code,
            "user_code": self.user_code,
            "verification_uri": self.verification_uri,
            "expires_in": self.life_s,
            "interval": self.interval_s,
            "message": f"To sign in, use a web browser to open the page {self.verification_uri} "
            f"and enter the code {self.user_code} to authenticate.",
        }


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where the browser goes next, and what it carries there."""

    uri: str
    parameters: Mapping[str, str]
    mode: str  # query, fragment or form_post


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """A successful answer of the token endpoint (RFC 6749 section 5.1)."""

    access_token: str
    life_s: int
    scope: str
    refresh_token: str | None = None
    id_token: str | None = None
    client_info: str | None = None

    def as_json(self) -> dict[str, Any]:
        optional = {
            "refresh_token": self.refresh_token,
            "id_token": self.id_token,
            "client_info": self.client_info,
        }
        return {
            "token_type": "Bearer",
            "scope": self.scope,
            "expires_in": self.life_s,
            "ext_expires_in": self.life_s,
            "access_token": self.access_token,
        } | {name: value for name, value in optional.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An OAuth error with the AADSTS number that the identity platform gives it."""

    error: str
    aadsts: int
    text: str
    status: int = 400
    suberror: str | None = None

    def as_json(self, *, at: datetime, trace_id: str, correlation_id: str) -> dict[str, Any]:
        stamp = at.strftime("%Y-%m-%d %H:%M:%SZ")
        body: dict[str, Any] = {
            "error": self.error,
            "error_description": f"AADSTS{self.aadsts}: {self.text} Trace ID: {trace_id} "
            f"Correlation ID: {correlation_id} Timestamp: {stamp}",
            "error_codes": [self.aadsts],
            "timestamp": stamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
        }
        return body if self.suberror is None else body | {"suberror": self.suberror}


class RefusedRequest(Exception):
    """Carries a `Refusal` from the rule that found it to the public door."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.error, refusal.aadsts)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that is no OAuth answer: an outage, a throttle, a page of a proxy."""

    status: int
    content_type: str
    body: str
    retry_after_s: int | None = None


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "unavailable": Fault(503, "text/html", "<html><body>Service Unavailable</body></html>"),
        "throttled": Fault(
            429,
            "application/json",
            '{"error":"temporarily_unavailable","error_description":'
            '"AADSTS90055: There have been too many requests.","error_codes":[90055]}',
            retry_after_s=1,
        ),
        "not-json": Fault(
            200, "text/html", "<html><body>Please sign in to the Wi-Fi</body></html>"
        ),
    }
)

AUTHORIZATION_PENDING = Refusal(
    "authorization_pending",
    70016,
    "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
)
SLOW_DOWN = Refusal("slow_down", 70022, "OAuth 2.0 device flow error. Polling is too frequent.")
AUTHORIZATION_DECLINED = Refusal(
    "authorization_declined", 70017, "The end-user denied the authorization request."
)
BAD_DEVICE_CODE = Refusal("bad_verification_code", 70018, "The device_code was not recognised.")
EXPIRED_DEVICE_CODE = Refusal(
    "expired_token", 70019, "Verification code expired. Have the user retry the sign-in."
)
CONSENT_DENIED = Refusal("access_denied", 65004, "User declined to consent to access the app.")
CONSENT_REQUIRED = Refusal(
    "invalid_grant",
    65001,
    "The user or administrator has not consented to use the application with this scope.",
    suberror="consent_required",
)
INACTIVE_GRANT = Refusal(
    "invalid_grant",
    700082,
    "The refresh token has expired due to inactivity. The token was issued and then inactive for "
    "longer than its life. Send a new interactive authorization request for this user.",
)
REVOKED_GRANT = Refusal(
    "invalid_grant",
    50173,
    "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
)
BAD_REFRESH_TOKEN = Refusal(
    "invalid_grant",
    70000,
    "Provided grant is invalid or malformed.",
    suberror="bad_token",
)
BAD_CODE = Refusal("invalid_grant", 70000, "The provided authorization code is not valid.")
REDEEMED_CODE = Refusal("invalid_grant", 54005, "OAuth2 Authorization code was already redeemed.")
EXPIRED_CODE = Refusal("invalid_grant", 70008, "The provided authorization code has expired.")
WRONG_VERIFIER = Refusal(
    "invalid_grant",
    501481,
    "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
)
WRONG_REDIRECT = Refusal(
    "invalid_request", 50011, "The redirect URI does not match a loopback redirect URI of the app."
)
WEAK_CHALLENGE = Refusal(
    "invalid_request", 9002325, "Proof Key for Code Exchange (S256) is required for this request."
)
BAD_RESPONSE_TYPE = Refusal(
    "unsupported_response_type", 700054, "Only response_type 'code' is enabled for the application."
)
BAD_RESPONSE_MODE = Refusal("invalid_request", 90055, "The response_mode is not supported.")
UNKNOWN_CLIENT = Refusal(
    "unauthorized_client", 700016, "The application was not found in the directory."
)
UNKNOWN_TENANT = Refusal("invalid_tenant", 90002, "Tenant not found.")
BAD_GRANT_TYPE = Refusal(
    "unsupported_grant_type", 70003, "The app requested an unsupported grant type."
)
BAD_SCOPE = Refusal("invalid_scope", 70011, "The provided value for scope is not valid.")
APP_NEEDS_DEFAULT_SCOPE = Refusal(
    "invalid_scope", 1002012, "The scope of client credentials must end in '/.default'."
)
WRONG_SECRET = Refusal(
    "invalid_client",
    7000215,
    "Invalid client secret provided. Ensure the secret being sent in the request is the client "
    "secret value, not the client secret ID.",
    status=401,
)
NO_CREDENTIAL = Refusal(
    "invalid_client",
    7000218,
    "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    status=401,
)
BAD_ASSERTION = Refusal(
    "invalid_client",
    700027,
    "Client assertion failed signature validation, or its key is not registered.",
    status=401,
)
STALE_ASSERTION = Refusal(
    "invalid_client",
    700024,
    "Client assertion is not within its valid time range.",
    status=401,
)


def missing_parameter(name: str) -> Refusal:
    """Return the refusal of a request that lacks `name`."""
    text = f"The request body must contain the following parameter: '{name}'."
    return Refusal("invalid_request", 900144, text)
