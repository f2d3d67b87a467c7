"""
Where requests may go: one scheme, one host, one port.

Knows how to turn a path or a link of the service into an address, and refuses every address to
which a token must not travel. Pure; knows nothing of what the addresses mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from yarl import URL

from syncd.core.errors import ConfigError, LinkAstray

__all__ = ["Origin", "ServiceRoot", "is_loopback", "locate_upload"]

# All that RFC 3986 lets stand in a URI, "%" included: such a link stays as it came, byte for byte.
# Everything else (spaces, line ends, backslashes, letters beyond ASCII) is percent-encoded, so
# that no link can break out of the request line or mean another host to another parser.
_URI_CHARACTERS = "%:/?#[]@!$&'()*+,;=~-._"

# RFC 3986 section 5.2.4: whoever normalises a path takes these for steps, encoded or not.
_UPWARDS = frozenset((".", ".."))

Origin = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class ServiceRoot:
    """
    The API root of one service, for example `https://graph.microsoft.com/v1.0`.

    `url` has no slash at its end; `origin` is scheme, host and port in lower case.
    """

    url: str
    origin: Origin

    @classmethod
    def parse(cls, base_url: str) -> ServiceRoot:
        """
        Return the root that `base_url` names.

        Raises: ConfigError: no http(s) address, one with a user, query or fragment in it, or plain
        http to another machine, which would show the token to everybody on the way.
        """
        text = base_url.rstrip("/")
        origin = _origin(text)
        if origin is None or "?" in text or "#" in text or text != _escaped(text):
            raise ConfigError("base_url is no plain http(s) address")
        if origin[0] == "http" and not is_loopback(origin[1]):
            raise ConfigError("base_url is plain http, which is allowed for this machine only")
        return cls(text, origin)

    @property
    def host(self) -> str:
        """The host's name, without port."""
        return self.origin[1]

    def locate(self, path: str) -> str:
        """
        Return the absolute address of a path below the root, or of a link that the service gave.

        Raises: LinkAstray: the link names another scheme, host or port, or hides a user in it; or
        it holds an id that would lead up to what holds the thing.
        """
        address = self.url + _escaped(path) if path.startswith("/") else _escaped(path)
        if _origin(address) != self.origin:
            raise LinkAstray("a link of the service leads to another host and was not followed")
        if not _UPWARDS.isdisjoint(urlsplit(address).path.lower().replace("%2e", ".").split("/")):
            raise LinkAstray("a link of the service leads upwards and was not followed")
        return address

    def below(self, path: str) -> str | None:
        """
        Return the address relative to the root, beginning with "/"; None if it lies elsewhere.

        Raises: LinkAstray: as `locate`.
        """
        address = self.locate(path)
        relative = address.removeprefix(self.url)
        return relative if relative != address and relative.startswith("/") else None


def locate_upload(url: str) -> tuple[str, Origin]:
    """
    Return the address of an upload URL, and its scheme, host and port; any host may be meant.

    Raises: LinkAstray: it is no https address (http for this machine only), or names a user. The
    address is a secret, so the message does not have it.
    """
    address = _escaped(url)
    origin = _origin(address)
    if origin is None or (origin[0] != "https" and not is_loopback(origin[1])):
        raise LinkAstray("the service named an address to which no file is sent")
    return address, origin


def is_loopback(host: str) -> bool:
    """Say whether the host is this machine, by its name or number alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _escaped(link: str) -> str:
    return quote(link, safe=_URI_CHARACTERS, errors="replace")


def _origin(address: str) -> Origin | None:
    """Return scheme, host and port if two parsers agree on them and no user is named."""
    try:
        parts, url = urlsplit(address), URL(address, encoded=True)
        host, port = parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme]
        seen = (url.scheme, (url.raw_host or "").lower(), url.port)
    except (ValueError, KeyError, TypeError):
        return None
    if not host or "@" in parts.netloc or seen != (parts.scheme, host, port):
        return None
    return parts.scheme, host, port
