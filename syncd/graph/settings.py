"""
What signing in needs to be told, and what it offers: plain values and one protocol.

Knows the clouds of Microsoft and what follows from a service's address (resource, scopes,
authority). Does no I/O and knows no library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, Protocol
from urllib.parse import urlsplit

from syncd.core.errors import ConfigError

__all__ = ["AuthSettings", "DevicePrompt", "Login", "LoginState", "TokenSource"]

AuthMethod = Literal["device-code", "interactive", "client-secret", "client-certificate", "command"]

WORLDWIDE: Final = "https://graph.microsoft.com"
# Graph documentation, page "National cloud deployments": a token is good in one cloud only.
GRAPH_ROOTS: Final = frozenset(
    {
        WORLDWIDE,
        "https://graph.microsoft.us",
        "https://dod-graph.microsoft.us",
        "https://microsoftgraph.chinacloudapi.cn",
    }
)
# Hosts that speak the Microsoft identity platform; every other one is asked for its OpenID Connect
# discovery document.
LOGIN_HOSTS: Final = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoft.com",
        "login.windows.net",
        "sts.windows.net",
        "login.microsoftonline.us",
        "login.usgovcloudapi.net",
        "login-us.microsoftonline.com",
        "login.chinacloudapi.cn",
        "login.partner.microsoftonline.cn",
        "login.microsoftonline.de",
    }
)
LOGIN_DOMAINS: Final = (".ciamlogin.com", ".b2clogin.com")
DEFAULT_SCOPES: Final = ("Calendars.ReadWrite", "User.Read", "MailboxSettings.Read")
# msal asks for these by itself and refuses to be told.
_IMPLIED_SCOPES = frozenset({"openid", "profile", "offline_access"})


class TokenSource(Protocol):
    """Whom the transport asks for access tokens."""

    async def token(self) -> str:
        """
        Return a token that is good as far as is known.

        Raises: LoginNeeded, Unreachable, Throttled, ServiceDown, BadAnswer, ConfigError,
        DiskTrouble.
        """

    async def refused(self, token: str) -> None:
        """The service answered 401 to `token`: give another one from now on."""


@dataclass(frozen=True, slots=True)
class DevicePrompt:
    """What a person needs to sign in on another device; `life_s` is how long the code lasts."""

    user_code: str
    verification_uri: str
    life_s: float


@dataclass(frozen=True, slots=True)
class LoginState:
    """
    What is known of a sign-in without asking anybody.

    `username` is None if nobody is signed in (or nobody can tell: applications, commands).
    `renewed` is when it last gave a new token, as aware UTC: a refresh token dies of disuse.
    """

    username: str | None
    renewed: datetime | None


class Login(TokenSource, Protocol):
    """A `TokenSource` that can be asked who it is for, and told to forget."""

    async def state(self) -> LoginState:
        """Return what is known without asking anybody."""

    async def signed_in_as(self) -> str | None:
        """Return the name of the person; None where nobody is, or nobody can tell."""

    async def logout(self) -> None:
        """Forget the tokens that this installation holds."""


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """
    How one account signs in.

    Args:
        account: its name, for messages. base_url: of the service the tokens are for.
        authority: empty means the worldwide login service with `tenant`.
        scopes: empty means the defaults. command: argv of a program that prints a token.
        client_secret: returns the secret; called whenever the application is built.
        certificate_file: PEM with private key and certificate.
        cache_path: the account's token cache.
    """

    account: str
    method: AuthMethod
    base_url: str
    cache_path: Path
    client_id: str = ""
    tenant: str = "common"
    authority: str = ""
    scopes: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    client_secret: Callable[[], str] | None = None
    certificate_file: Path | None = None
    ca_file: Path | None = None

    @property
    def resource(self) -> str:
        """The root of the cloud that `base_url` lies in; the worldwide one for all others."""
        parts = urlsplit(self.base_url)
        root = f"{parts.scheme}://{parts.hostname or ''}"
        return root if root in GRAPH_ROOTS else WORLDWIDE

    @property
    def user_scopes(self) -> list[str]:
        """The permissions to ask for on behalf of a person, qualified outside the default cloud."""
        names = (scope for scope in self.scopes or DEFAULT_SCOPES if scope not in _IMPLIED_SCOPES)
        return [self._qualified(name) for name in names]

    @property
    def application_scopes(self) -> list[str]:
        """What an application asks for: all that an administrator has granted it."""
        given = [scope for scope in self.scopes if scope.endswith("/.default")]
        return given or [f"{self.resource}/.default"]

    @property
    def authority_url(self) -> str:
        """
        The authority, without a slash at its end.

        Raises: ConfigError: it is not https, or has no path (msal refuses both).
        """
        url = (self.authority or f"https://login.microsoftonline.com/{self.tenant}").rstrip("/")
        try:
            parts = urlsplit(url)
            usable = parts.scheme == "https" and parts.hostname and parts.path.strip("/")
        except ValueError:
            usable = False
        if not usable:
            raise ConfigError(
                f"account {self.account}: the authority must be an https address with a tenant "
                "or another path",
                hint="For example https://login.microsoftonline.com/common.",
            )
        return url

    @property
    def authority_host(self) -> str:
        """The host that signs people in. Raises: ConfigError, as `authority_url`."""
        return urlsplit(self.authority_url).hostname or ""

    @property
    def is_microsoft_login(self) -> bool:
        """Whether the authority is one of Microsoft's own. Raises: as `authority_url`."""
        host = self.authority_host
        return host in LOGIN_HOSTS or host.endswith(LOGIN_DOMAINS)

    @property
    def login_hint(self) -> str:
        """What a person does about a sign-in that is missing or over."""
        return f"Run `syncd login {self.account}`."

    def _qualified(self, scope: str) -> str:
        plain = "://" not in scope and self.resource != WORLDWIDE
        return f"{self.resource}/{scope}" if plain else scope
