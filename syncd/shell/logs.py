"""
The log: facts on one line each, for a terminal or as JSON, and no secret in any of them.

Knows what must never be logged (tokens, codes, secrets), what is logged at debug only (subjects,
texts, people), and how a text from outside is kept from posing as a line of its own. Events of
other libraries pass through the same steps. Does not know what is worth logging.
"""

import logging
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import Processor

__all__ = ["FOREIGN_LEVELS", "PRIVATE_FIELDS", "Level", "LogFormat", "redacted", "setup"]

Level = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "console", "json"]
_Event = MutableMapping[str, Any]

FOREIGN_LEVELS: Mapping[str, int] = {
    "aiohttp": logging.WARNING,
    "apscheduler": logging.ERROR,
    "asyncio": logging.WARNING,
    "msal": logging.WARNING,
    "urllib3": logging.WARNING,
}
"""From which level on other libraries are heard; those that are not named, from warning on."""

PRIVATE_FIELDS = frozenset(
    (
        *("address", "addresses", "email", "emails", "emailaddress", "upn", "username"),
        *("attendee", "attendees", "organizer", "recipients", "location", "locations"),
        *("subject", "summary", "body", "bodypreview", "preview", "description"),
    )
)
"""Fields that are logged at debug only; case and underscores do not count."""

_NAMED_BY_PEOPLE = frozenset(("account", "calendar", "calendar_id", "file", "path", "uid"))
"""Fields that may look like an address and are none: a UID has an @ in it more often than not."""

_HIDDEN = "<redacted>"
_ADDRESS_HIDDEN = "<address>"
_TEXT_MOST_CHARS = 20_000
_NESTED_MOST = 6
_TRACES = ("exception", "stack")
_COLOURS: Mapping[str, str] = {"debug": "2", "warning": "33", "error": "31", "critical": "1;31"}

_NAMES_OF_SECRETS = (
    r"(?:[a-z]+[_-]?)?(?:token|secret|password|passwd|assertion)|authorization|(?:set-)?cookie|"
    r"(?:device|user|auth|authorization)[_-]?code|code[_-]?verifier|private[_-]?key"
)
_SECRET_KEY = re.compile(_NAMES_OF_SECRETS, re.IGNORECASE)
_SECRET_TEXTS = tuple(
    (re.compile(pattern, re.IGNORECASE if fold else 0), put)
    for pattern, put, fold in (
        # RFC 6750 2.1 and RFC 7617: what follows the scheme is the secret.
        (r"\b(Bearer|Basic)\s+[\w.~+/=-]{6,}", rf"\1 {_HIDDEN}", True),
        # name=value in a query or form, "name": "value" in JSON or a printed dict.
        (
            rf"""\b({_NAMES_OF_SECRETS})(["']?\s*[=:]\s*["']?)[^\s"'&,;}})<]+""",
            rf"\1\2{_HIDDEN}",
            True,
        ),
        # RFC 6749 4.1.2; with a colon it is Graph's error code, which is worth reading.
        (r"(?<![\w-])(code|client_info)=[^\s\"'&,;]+", rf"\1={_HIDDEN}", True),
        # RFC 7519: every JSON Web Token begins with an encoded brace.
        (r"\beyJ[\w-]{6,}(?:\.[\w-]*){0,4}", _HIDDEN, False),
        # Opaque tokens of Microsoft: of personal accounts, and refresh tokens of both kinds.
        (r"\bEw[A-D][\w+/%-]{30,}={0,2}", _HIDDEN, False),
        (r"\b[01]\.A[\w-]{20,}(?:\.[\w-]+)*", _HIDDEN, False),
        (r"\bM\.[A-Z]\d*_[A-Z0-9]+\.[\w.!*$-]{10,}", _HIDDEN, False),
        # RFC 3986 3.2.1: user and password before a host.
        (r"://[^\s/@]+@", f"://{_HIDDEN}@", False),
    )
)
# Possessive and anchored, so that a long text without an @ costs one look at each character.
_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]++(?:@|%40)[\w-]+(?:\.[\w-]+)+")


def setup(level: Level, format: LogFormat, stream: TextIO | None = None) -> None:  # noqa: A002
    """
    Send everything that is logged in this process to `stream` (stderr by default).

    May be called again, with other arguments. "auto" is console on a terminal, else JSON.
    """
    stream = sys.stderr if stream is None else stream
    number = logging.getLevelNamesMapping()[level.upper()]
    chain = _chain(private=level == "debug")
    _hear_ourselves(number, chain)
    _hear_others(_handler(stream, chain, _renderers(format, stream)))


def redacted(value: object, *, private: bool = False, key: str = "") -> Any:
    """
    Return `value` with secrets replaced, also within texts, lists and tables.

    Args: private: whether private fields and addresses stay. key: the name the value goes by.
    Values that are no plain data come back as text, bytes as their number.
    """
    return _redacted(value, private, key, 0)


# --- wiring ---


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that a second `setup` finds and replaces it; it never raises, nor prints why."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Stay silent: the report of the standard library prints the record as it came."""


def _chain(*, private: bool) -> list[Processor]:
    def redact(_: object, __: str, event: _Event) -> _Event:
        return _redacted_event(event, private=private)

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]


def _hear_ourselves(number: int, chain: list[Processor]) -> None:
    logging.getLogger("syncd").setLevel(number)
    structlog.configure(
        processors=[*chain, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: logging.getLogger("syncd"),
        cache_logger_on_first_use=False,
    )


def _hear_others(handler: logging.Handler) -> None:
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name, number in FOREIGN_LEVELS.items():
        logging.getLogger(name).setLevel(number)
    logging.captureWarnings(True)


def _handler(stream: TextIO, chain: list[Processor], last: list[Processor]) -> logging.Handler:
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_name_the_library, *chain],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    return handler


def _renderers(form: LogFormat, stream: TextIO) -> list[Processor]:
    if form == "json" or (form == "auto" and not stream.isatty()):
        # ASCII only, so that no character of a line separator's kind survives.
        return [structlog.processors.JSONRenderer(ensure_ascii=True, default=str)]
    return [_console_colours if stream.isatty() and not os.environ.get("NO_COLOR") else _console]


def _name_the_library(_: object, __: str, event: _Event) -> _Event:
    event["library"] = event["_record"].name
    return event


# --- what must not be read, and what must not be believed ---


def _redacted_event(event: _Event, *, private: bool) -> _Event:
    # structlog's own fields hold objects of the logging module, which its formatter takes away.
    meta = {key: value for key, value in event.items() if key.startswith("_")}
    rest = {key: value for key, value in event.items() if not key.startswith("_")}
    return {**_redacted_table(rest, private, 0), **meta}


def _redacted(value: object, private: bool, key: str, depth: int) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case _ if depth > _NESTED_MOST:
            return "…"
        case Mapping():
            return _redacted_table(value, private, depth + 1)
        case list() | tuple() | set() | frozenset():
            return [_redacted(item, private, key, depth + 1) for item in value]
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case _:
            return _redacted_text(_text(value), private or key in _NAMED_BY_PEOPLE)


def _redacted_table(table: Mapping[Any, Any], private: bool, depth: int) -> dict[str, Any]:
    result = {}
    for key, value in table.items():
        name = _redacted_text(_text(key), private)
        if _SECRET_KEY.fullmatch(name):
            result[name] = _HIDDEN
        elif private or name.lower().replace("_", "") not in PRIVATE_FIELDS:
            result[name] = _redacted(value, private, name, depth)
    return result


def _redacted_text(text: str, private: bool) -> str:
    text = text if len(text) <= _TEXT_MOST_CHARS else text[:_TEXT_MOST_CHARS] + "…"
    for pattern, put in _SECRET_TEXTS:
        text = pattern.sub(put, text)
    return text if private else _ADDRESS.sub(_ADDRESS_HIDDEN, text)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # a log line must not fail because an object cannot tell what it is
        return f"<{type(value).__name__}>"


def _console(_: object, __: str, event: _Event) -> str:
    """
    Render an event for people: time, level, event, then name=value, on one line.

    Whatever a terminal would act on is escaped. A traceback keeps its lines, all of them indented,
    so that none can pose as an event.
    """
    first = [str(event.pop(name, "")) for name in ("timestamp", "level", "event")]
    traces = [event.pop(name) for name in _TRACES if name in event]
    head = [first[0][:19], f"{first[1]:<8}", _printable(first[2])]
    line = " ".join([*head, *(f"{_shown(key)}={_shown(value)}" for key, value in event.items())])
    return "\n".join([line, *map(_indented, traces)])


def _console_colours(logger: object, method: str, event: _Event) -> str:
    colour = _COLOURS.get(str(event.get("level")), "0")
    line, _, rest = _console(logger, method, event).partition("\n")
    return f"\x1b[{colour}m{line}\x1b[0m" + (rest and "\n" + rest)


def _shown(value: object) -> str:
    text = str(value)
    if text and not any(c.isspace() or c in "\"'=\\" for c in text):
        return _printable(text)
    return '"' + _printable(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _indented(trace: object) -> str:
    return "\n".join("    | " + _printable(line) for line in str(trace).split("\n"))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
