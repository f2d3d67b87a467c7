"""
What was wrong with a configuration, all of it at once.

Knows how a finding reads: file, key path, what was found, what is allowed, the nearest valid name.
Does not know what any key means. What was found is never shown whole: a value may be long, may
hold control characters, or may be a secret that was pasted into the wrong key.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from syncd.core.errors import ConfigError

__all__ = ["At", "Finding", "Findings", "Unfit", "key_path", "nearest", "shown", "shown_path"]

At = tuple[str, ...]
"""Where a value stands: the names of its tables and of itself, from the outside in."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN_CHARS = 60
_TYPE_NAMES: Mapping[type, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a decimal number",
    str: "a text",
    list: "a list",
    dict: "a table",
}


class Unfit(ValueError):
    """
    One value that cannot be.

    Args: found and allowed: noun phrases. nearest: the valid name that was probably meant.
    """

    def __init__(self, found: str, allowed: str, nearest: str | None = None) -> None:
        super().__init__(f"found {found}; allowed: {allowed}")
        self.found, self.allowed, self.nearest = found, allowed, nearest


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where."""

    at: At
    found: str
    allowed: str
    nearest: str | None = None

    def line(self, file: Path) -> str:
        """The finding as one line of text."""
        meant = f"; did you mean {self.nearest}?" if self.nearest else ""
        where = key_path(self.at)
        return (
            f"{_printable(str(file))}: {where}: found {self.found}; allowed: {self.allowed}{meant}"
        )


@dataclass(slots=True)
class Findings:
    """Collects what is wrong with `file`, so that a person mends it in one go."""

    file: Path
    found: list[Finding] = field(default_factory=list)

    def add(self, at: At, found: str, allowed: str, nearest: str | None = None) -> None:
        """Note one thing that is wrong."""
        self.found.append(Finding(at, found, allowed, nearest))

    def unfit(self, at: At, error: Unfit) -> None:
        """Note a value that cannot be."""
        self.add(at, error.found, error.allowed, error.nearest)

    def raise_if_any(self) -> None:
        """
        Raises: ConfigError: there are findings; its text has one line for each.
        """
        if self.found:
            raise ConfigError(
                "\n".join(finding.line(self.file) for finding in self.found),
                hint="Correct the configuration and run `syncd check`; nothing was touched.",
            )


def key_path(at: At) -> str:
    """Return the path as TOML writes it, names with odd characters in quotes, on one line."""
    return ".".join(name if _BARE.fullmatch(name) else _quoted(name) for name in at) or "the file"


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the one of `words` that `word` was probably meant to be, or None."""
    # Only the first characters count: difflib is quadratic and the word comes from outside.
    close = get_close_matches(word[:_SHOWN_CHARS], list(words), n=1, cutoff=0.6)
    return close[0] if close else None


def shown(value: object) -> str:
    """Return what `value` is, on one short line: scalars with their content, others by type."""
    kind = _TYPE_NAMES.get(type(value), "a date or time")
    match value:
        case bool():
            return "true" if value else "false"
        case int() if abs(value) >= 10**_SHOWN_CHARS:
            return "a very large integer"
        case int() | float():
            return f"{kind} {value}"
        case str():
            return _quoted(value) if value else "an empty text"
        case _:
            return kind


def shown_path(path: Path) -> str:
    """Return `path` whole, in quotes, on one line."""
    return f'"{_printable(str(path))}"'


def _quoted(text: str) -> str:
    short = text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
    return '"' + _printable(short).replace('"', '\\"') + '"'


def _printable(text: str) -> str:
    """Escape what a terminal would act on; ordinary letters of any script stay."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
