"""
Who is asking: bearer tokens, and what each of them may do.

Knows the question the HTTP skin puts to whatever issued the tokens, and the simplest issuer of
all, fixed tokens for tests.
Refuses to know OAuth: an authority that signs people in is one more `TokenCheck`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

__all__ = [
    "ALL_SCOPES",
    "Expiring",
    "Principal",
    "StaticTokens",
    "TokenCheck",
    "TokenRefused",
]

ALL_SCOPES = frozenset(
    {
        "Calendars.ReadWrite",
        "Calendars.ReadWrite.Shared",
        "MailboxSettings.ReadWrite",
        "User.Read",
        "offline_access",
    }
)


@dataclass(frozen=True, slots=True)
class Principal:
    """
    The bearer of an accepted token.

    Args:
        user: id or UPN of the person who signed in; None for an application.
        application: True when a program signed in as itself; then `/me` means nobody.
        scopes: granted permissions by their Graph names, such as `Calendars.ReadWrite`.
    """

    user: str | None
    application: bool
    scopes: frozenset[str]


class TokenRefused(Exception):  # it is an outcome of a check, not a failure of ours
    """
    The token is not accepted.

    Args:
        code: Graph's code, such as `InvalidAuthenticationToken`.
        challenge: the whole `WWW-Authenticate` value of the 401 answer.
    """

    def __init__(self, code: str, challenge: str) -> None:
        super().__init__(code)
        self.code = code
        self.challenge = challenge


class TokenCheck(Protocol):
    """What the HTTP skin needs of an issuer of tokens."""

    def check(self, bearer: str) -> Principal:
        """Return whose token it is. Raises: TokenRefused."""


@runtime_checkable
class Expiring(Protocol):
    """An issuer whose tokens a test can end early."""

    def expire(self, token: str) -> None:
        """Refuse this token from now on."""


def refusal(reason: str) -> TokenRefused:
    """Return the refusal that Graph answers for a token it does not take."""
    challenge = (
        'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/'
        f'authorize", error="invalid_token", error_description="{reason}"'
    )
    return TokenRefused("InvalidAuthenticationToken", challenge)


@dataclass(slots=True)
class StaticTokens:
    """
    Tokens that need no sign-in: `sim-<user>` speaks for that user.

    Args:
        users: the users that may ask; None admits any.
        scopes: what every token allows.

    `sim-<user>~<anything>` speaks for the same user, so that a fresh token can follow an
    expired one. `app-<anything>` speaks for an application.
    """

    users: frozenset[str] | None = None
    scopes: frozenset[str] = ALL_SCOPES
    _expired: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, users: Iterable[str]) -> "StaticTokens":
        """Return tokens for exactly these users."""
        return cls(frozenset(users))

    def expire(self, token: str) -> None:
        """Refuse this token from now on."""
        self._expired.add(token)

    def check(self, bearer: str) -> Principal:
        """Return whose token it is. Raises: TokenRefused."""
        if bearer in self._expired:
            raise refusal("Lifetime validation failed, the token is expired.")
        kind, dash, rest = bearer.partition("-")
        user = rest.partition("~")[0]
        if kind == "app" and dash:
            return Principal(None, True, frozenset({".default"}))
        if kind != "sim" or not user or (self.users is not None and user not in self.users):
            raise refusal("IDX12741: JWT must have three segments (JWS) or five segments (JWE).")
        return Principal(user, False, self.scopes)
