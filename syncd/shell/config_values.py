"""
The kinds of values a configuration may hold: what is allowed, and how TOML's value is read.

Knows values one by one; does not know keys, tables or what a value is for. Every kind is plain
data with `allowed` (a noun phrase for people) and `read` (TOML's value in, ours out, or `Unfit`).
Nothing here opens a file: `Place` brings the environment and the folder that paths start from.
"""

import ipaddress
import os
import pwd
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

from syncd.shell.config_errors import Unfit, nearest, shown
from syncd.shell.durations import MOST_S, format_duration, parse_duration

__all__ = [
    "Choice",
    "Count",
    "Duration",
    "FilePath",
    "Flag",
    "Kind",
    "Mode",
    "Place",
    "SecretSpec",
    "Text",
    "Texts",
    "Url",
    "expand_path",
    "is_line",
    "is_loopback",
]

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)
_MODE = re.compile(r"0?[0-7]{3}")
_OWNER_RW = 0o600
_SECRET_SPEC = re.compile(r"|env:\w+|[/~$][^\x00-\x1f\x7f-\x9f]*")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a configuration is read: the environment, and the folder relative paths start from."""

    env: Mapping[str, str]
    folder: Path


class Kind(Protocol):
    """One kind of value."""

    @property
    def allowed(self) -> str:
        """What may stand there, as a noun phrase."""

    def read(self, value: object, place: Place) -> Any:
        """
        Return our form of TOML's `value`.

        Raises: Unfit.
        """


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """The words."""
        return " | ".join(self.words)

    def read(self, value: object, place: Place) -> str:
        """Return the word."""
        if isinstance(value, str) and value in self.words:
            return value
        meant = nearest(value, self.words) if isinstance(value, str) else None
        raise Unfit(shown(value), self.allowed, meant)


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    @property
    def allowed(self) -> str:
        """The two words of TOML."""
        return "true | false"

    def read(self, value: object, place: Place) -> bool:
        """Return the flag."""
        if isinstance(value, bool):
            return value
        raise Unfit(shown(value), self.allowed)


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number within bounds, both inclusive; `unit` follows the number in messages."""

    most: int = 1_000_000_000
    unit: str = ""

    @property
    def allowed(self) -> str:
        """The bounds."""
        return f"an integer from 0 to {self.most}{self.unit and ' ' + self.unit}"

    def read(self, value: object, place: Place) -> int:
        """Return the number. `true` is none, though Python counts it among the integers."""
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= self.most:
            return value
        raise Unfit(shown(value), self.allowed)


@dataclass(frozen=True, slots=True)
class Duration:
    """A span of at least a second, written "90s", "5m", "1h" or "90d"."""

    @property
    def allowed(self) -> str:
        """The form and the bounds."""
        return (
            f'a duration such as "90s", "5m", "1h" or "90d", from 1s to {format_duration(MOST_S)}'
        )

    def read(self, value: object, place: Place) -> int:
        """Return the seconds."""
        try:
            seconds = parse_duration(value) if isinstance(value, str) else 0
        except ValueError:
            seconds = 0
        if seconds < 1:
            raise Unfit(shown(value), self.allowed)
        return seconds


@dataclass(frozen=True, slots=True)
class Mode:
    """File permissions in octal, as a text: TOML would read 0600 as no number at all."""

    @property
    def allowed(self) -> str:
        """The form and the bits that must be there."""
        return 'a text of octal permission bits with read and write for the owner, such as "0600"'

    def read(self, value: object, place: Place) -> int:
        """Return the permission bits."""
        if isinstance(value, str) and _MODE.fullmatch(value):
            mode = int(value, 8)
            if mode & _OWNER_RW == _OWNER_RW:
                return mode
        raise Unfit(shown(value), self.allowed)


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text without control characters that `fits`; with `empty`, "" stands for unset."""

    allowed: str
    fits: Callable[[str], bool] = bool
    empty: bool = False

    def read(self, value: object, place: Place) -> str:
        """Return the text."""
        if isinstance(value, str) and is_line(value) and self._suits(value):
            return value
        raise Unfit(shown(value), self.allowed)

    def _suits(self, text: str) -> bool:
        return self.fits(text) if text else self.empty


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of texts, each of which is fit by itself."""

    item: Text
    noun: str

    @property
    def allowed(self) -> str:
        """What the list holds."""
        return f"a list of {self.noun}"

    def read(self, value: object, place: Place) -> tuple[str, ...]:
        """Return the texts in their order."""
        if not isinstance(value, list):
            raise Unfit(shown(value), self.allowed)
        return tuple(self._item(item, place) for item in value)

    def _item(self, value: object, place: Place) -> str:
        try:
            return self.item.read(value, place)
        except Unfit as error:
            raise Unfit(f"{error.found} in the list", self.allowed) from error


@dataclass(frozen=True, slots=True)
class FilePath:
    """A path; with `empty`, "" stands for unset and reads as None."""

    empty: bool = False

    @property
    def allowed(self) -> str:
        """The form."""
        return "a path, in which ~ and $VAR expand" + (' (or "")' if self.empty else "")

    def read(self, value: object, place: Place) -> Path | None:
        """Return the path, absolute and without dots; nothing is looked up on the disk."""
        if self.empty and value == "":
            return None
        if not isinstance(value, str) or not value or not is_line(value):
            raise Unfit(shown(value), self.allowed)
        try:
            expanded = expand_path(value, place.env)
        except ValueError as error:
            raise Unfit(f"{shown(value)}: {error}", self.allowed) from error
        return Path(os.path.normpath(place.folder / expanded))


@dataclass(frozen=True, slots=True)
class SecretSpec:
    """Where a secret lies, never the secret; so what stands there is never shown."""

    @property
    def allowed(self) -> str:
        """The forms."""
        return 'an absolute path, "~/…", "$CREDENTIALS_DIRECTORY/name" or "env:NAME" (or "")'

    def read(self, value: object, place: Place) -> str:
        """Return the text as it is: what it names may exist only where it is used (systemd)."""
        if isinstance(value, str) and _SECRET_SPEC.fullmatch(value):
            return value
        found = "a text (not shown: it may be a secret)" if isinstance(value, str) else "no text"
        raise Unfit(found, self.allowed)


@dataclass(frozen=True, slots=True)
class Url:
    """An https URL, or http to this machine; with `empty`, "" stands for unset."""

    empty: bool = False

    @property
    def allowed(self) -> str:
        """The form."""
        plain = (
            "an https URL (http only to a loopback address) without user name, query or fragment"
        )
        return plain + (' (or "")' if self.empty else "")

    def read(self, value: object, place: Place) -> str:
        """Return the URL without slashes at its end."""
        if self.empty and value == "":
            return ""
        if isinstance(value, str) and "@" in value:
            raise Unfit("a URL with a user name or an @ in it", self.allowed)
        if not isinstance(value, str) or not _is_plain_url(value):
            raise Unfit(shown(value), self.allowed)
        return value.rstrip("/")


def is_line(text: str) -> bool:
    """Say whether `text` has no control characters and no line ends, odd spaces being welcome."""
    return _CONTROL.search(text) is None


def is_loopback(host: str) -> bool:
    """Say whether `host` (a name or an address without brackets) can only be this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def expand_path(text: str, env: Mapping[str, str]) -> str:
    """
    Return `text` with `$VAR`, `${VAR}` and a leading `~` or `~user` expanded from `env`.

    Raises: ValueError: a variable that is not set or empty, a user that does not exist. An empty
    one would turn "$BASE/calendars" into a folder at the root of the machine.
    """

    def variable(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if not env.get(name):
            raise ValueError(f"${name} is not set")
        return env[name]

    tilde, slash, rest = text.partition("/")
    home = _home(tilde[1:], env) if tilde.startswith("~") else _VARIABLE.sub(variable, tilde)
    return home + slash + _VARIABLE.sub(variable, rest)


def _home(user: str, env: Mapping[str, str]) -> str:
    if not user and env.get("HOME"):
        return env["HOME"]
    try:
        return (pwd.getpwnam(user) if user else pwd.getpwuid(os.getuid())).pw_dir
    except KeyError as error:
        raise ValueError(f"~{user} has no home folder") from error


def _is_plain_url(text: str) -> bool:
    # urlsplit drops tabs and newlines and lets backslashes pass; other parsers read them otherwise.
    if not text.isascii() or not text.isprintable() or set(text) & set(' \\?#"<>'):
        return False
    try:
        parts = urlsplit(text)
        # Reading the port is what checks it.
        return parts.port != 0 and _is_safe_place(parts)
    except ValueError:
        return False


def _is_safe_place(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    )
