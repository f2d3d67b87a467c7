"""
One door to msal: its HTTP, its arguments, and its failures in our words.

Knows what msal and requests raise and return. Everything here blocks. No text that leaves it holds
a code, a secret or a token.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import msal
import requests
from msal.exceptions import MsalError
from requests.adapters import HTTPAdapter

from syncd.core.errors import (
    BadAnswer,
    ConfigError,
    LoginNeeded,
    ServiceDown,
    SyncdError,
    Throttled,
    Unreachable,
)
from syncd.graph.failures import UntrustedCertificate
from syncd.graph.network import proxy_for, trust
from syncd.graph.settings import AuthSettings
from syncd.graph.waits import asked_pause_s

__all__ = ["AuthorityHttp", "app_arguments", "login_failures", "refusal", "token_in"]

TIMEOUTS_S: Final = (20.0, 30.0)  # to connect, between bytes
UNNAMED_PAUSE_S: Final = 60.0  # msal answers from memory for as long when no pause was named
_PASSING = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
_AADSTS = re.compile(r"AADSTS\d+: .*", re.ASCII)
_TRACE = re.compile(r"\s*(Trace ID|Correlation ID|Timestamp):.*")
_LONG_WORD = re.compile(r"\S{48,}")
_ERROR_NAME = re.compile(r"\w{1,60}", re.ASCII)
_MOST_CHARACTERS = 300

# msal logs the whole text of a token answer that it cannot parse, tokens and all.
logging.getLogger("msal").setLevel(logging.CRITICAL + 1)


class _SystemTrust(HTTPAdapter):
    """Verify against a given context, instead of the bundle that comes with requests."""

    def __init__(self, settings: AuthSettings) -> None:
        self._context = trust(settings.ca_file)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED"


class AuthorityHttp(requests.Session):
    """
    The HTTP client that msal gets: a timeout always, no redirects, nothing from the environment.

    An environment that names a CA bundle would win over ours; a redirected token request would
    carry a secret to another host. `last` is what was answered last, for messages.
    Raises: ConfigError: `ca_file`, the authority or the proxy cannot be used.
    """

    def __init__(self, settings: AuthSettings) -> None:
        super().__init__()
        self.trust_env = False
        self.headers["Connection"] = "close"  # the next request is an hour away
        self.last: requests.Response | None = None
        self.mount("https://", _SystemTrust(settings))
        proxy = proxy_for("https", settings.authority_host)
        if proxy is not None:
            self.proxies = {"https": proxy}

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """Send one request, as requests does."""
        self.last = None
        kwargs["allow_redirects"] = False
        kwargs.setdefault("timeout", TIMEOUTS_S)
        self.last = super().request(method, url, *args, **kwargs)
        return self.last

    @property
    def last_status(self) -> int:
        """The status of the last answer; 0 if there was none."""
        return 0 if self.last is None else self.last.status_code

    @property
    def asked_pause_s(self) -> float:
        """The pause that the last answer asks for, in seconds."""
        after = "" if self.last is None else self.last.headers.get("Retry-After", "")
        return asked_pause_s({"retry-after": after}, now=datetime.now(UTC)) or UNNAMED_PAUSE_S


def app_arguments(settings: AuthSettings, http: AuthorityHttp) -> dict[str, Any]:
    """
    Return the arguments for msal's application classes; building one asks the authority once.

    instance_discovery=False: a host that is known needs no confirmation, and one that is not
    would be reported to the public cloud.
    """
    kind = "authority" if settings.is_microsoft_login else "oidc_authority"
    return {
        "client_id": settings.client_id,
        kind: settings.authority_url,
        "instance_discovery": False,
        "http_client": http,
        "token_cache": msal.SerializableTokenCache(),
    }


@contextmanager
def login_failures(settings: AuthSettings, http: AuthorityHttp) -> Iterator[None]:
    """Translate what msal raises within into our errors, chained."""
    who = f"account {settings.account}"
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise UntrustedCertificate(
            f"{who}: the certificate of the login service {settings.authority_host} is not trusted"
        ) from error
    except (requests.exceptions.HTTPError, MsalError) as error:
        raise _down(who, http) from error
    except requests.exceptions.RequestException as error:
        reason = type(error).__name__
        raise Unreachable(f"{who}: the login service cannot be reached ({reason})") from error
    except (ValueError, TypeError, LookupError, AttributeError, RuntimeError) as error:
        # msal hands out what its own code stumbles over when an answer has an unexpected shape.
        raise _unreadable(who, http) from error


def token_in(result: Mapping[str, Any] | None) -> str | None:
    """Return the access token in a result of msal, if there is one that a header can carry."""
    token = (result or {}).get("access_token")
    usable = isinstance(token, str) and token and token.isascii() and token.isprintable()
    return token if usable and isinstance(token, str) else None


def refusal(settings: AuthSettings, http: AuthorityHttp, result: Mapping[str, Any]) -> SyncdError:
    """Return the error for a result of msal without a token."""
    who = f"account {settings.account}"
    if http.last_status == 429:
        return _down(who, http)
    name = _ERROR_NAME.match(str(result.get("error", "")))
    if name is None:
        return BadAnswer(f"{who}: the login service answers neither a token nor an error")
    code = name[0]
    if code in _PASSING:
        return ServiceDown(f"{who}: the login service is busy ({code})")
    told = _told(str(result.get("error_description", "")))
    detail = f"{code}; {told}" if told else code
    return LoginNeeded(f"{who}: the login service refuses ({detail})", hint=_remedy(settings))


def _down(who: str, http: AuthorityHttp) -> SyncdError:
    if http.last_status == 429:
        pause_s = http.asked_pause_s
        return Throttled(f"{who}: the login service asks for a pause", pause_s=pause_s)
    return ServiceDown(f"{who}: the login service answers {http.last_status or 'an error'}")


def _unreadable(who: str, http: AuthorityHttp) -> SyncdError:
    discovering = http.last is not None and http.last.request.method == "GET"
    if discovering and http.last_status in (400, 404):
        return ConfigError(
            f"{who}: the login service does not know this authority ({http.last_status})",
            hint="Check `tenant` and `authority` of the account.",
        )
    return BadAnswer(f"{who}: the login service's answer cannot be read")


def _told(description: str) -> str:
    """Return the first line of Microsoft's own explanation, without ids and long words."""
    line = _AADSTS.match(description.strip().partition("\n")[0].strip())
    if line is None:
        return ""
    text = _LONG_WORD.sub("[…]", _TRACE.sub("", line[0]))
    return "".join(c if c.isprintable() else " " for c in text)[:_MOST_CHARACTERS]


def _remedy(settings: AuthSettings) -> str:
    match settings.method:
        case "client-secret":
            return "Check client_id, tenant and the secret: it may have expired or been replaced."
        case "client-certificate":
            return "Check client_id, tenant and whether the certificate is registered and valid."
        case _:
            return settings.login_hint
