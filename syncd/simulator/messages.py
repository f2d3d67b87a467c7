"""
Requests and answers as values, so that a part of a batch is served like a request of its own.

Knows how a target is split into segments and options, which preferences a request may state, and
the shape of Graph's error envelope. Refuses to know sockets.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import msgspec

from syncd.simulator.errors import ServiceError, bad_body
from syncd.simulator.render import encode
from syncd.simulator.zones import stamp, zone_of

__all__ = ["Answer", "Preferences", "Request", "envelope", "json_answer", "link", "no_content"]

_JSON = "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8"
_KEYED = re.compile(r"(\w+)\('(.*)'\)\Z")
_PREFERENCE = re.compile(r'\s*([\w.\-]+)\s*(?:=\s*(?:"([^"]*)"|([^,;]*)))?\s*(?:,|;|\Z)')


@dataclass(frozen=True, slots=True)
class Request:
    """
    One request below the version root.

    Args:
        path: as sent, percent-encoded, such as `/me/events`. segments: decoded.
        query: options by lower-case name. headers: by lower-case name.
        base: the version root on the host that was asked.
    """

    method: str
    path: str
    segments: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base: str

    @classmethod
    def of(
        cls, method: str, target: str, headers: Mapping[str, str], body: bytes, base: str
    ) -> "Request":
        """Return a request from its raw target."""
        parts = urlsplit(target)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        return cls(
            method=method.upper(),
            path=parts.path,
            segments=tuple(_segments(parts.path)),
            query={name.casefold(): value for name, value in pairs},
            headers={name.casefold(): value for name, value in headers.items()},
            body=body,
            base=base,
        )

    @property
    def is_read(self) -> bool:
        """Whether the request changes nothing."""
        return self.method == "GET"

    def json(self) -> Any:
        """Return the body as JSON. Raises: ServiceError: 400 for anything else."""
        if not self.body:
            raise bad_body("Empty Payload. JSON content expected.")
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as bad:
            raise bad_body("Unable to read JSON request payload.") from bad

    def optional_json(self) -> Any:
        """Return the body as JSON, an empty one as no parameters."""
        return self.json() if self.body.strip() else {}


def _segments(path: str) -> list[str]:
    found = []
    for raw in path.split("/"):
        text = unquote(raw)
        keyed = _KEYED.match(text)
        if keyed:
            found += [keyed[1], keyed[2].replace("''", "'")]
        elif text:
            found.append(text.removesuffix("()"))
    return found


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the `Prefer` header asks for. Args: page_size: 0 when unstated."""

    zone: str | None = None
    immutable: bool = False
    text_body: bool = False
    page_size: int = 0

    @classmethod
    def read(cls, header: str) -> "Preferences":
        """
        Return the preferences of a header, several joined by commas.

        Raises: ServiceError: 400 for a zone that is not supported.
        """
        found = {
            match[1].casefold(): match[2] if match[2] is not None else (match[3] or "").strip()
            for match in _PREFERENCE.finditer(header)
        }
        zone = found.get("outlook.timezone")
        if zone:
            zone_of(zone)
        size = found.get("odata.maxpagesize", "")
        return cls(
            zone=zone or None,
            immutable=found.get("idtype", "").casefold() == "immutableid",
            text_body=found.get("outlook.body-content-type", "").casefold() == "text",
            page_size=min(int(size), 1000) if re.fullmatch(r"\d{1,6}", size) else 0,
        )

    def applied(self, *, reading: bool) -> list[str]:
        """Return the entries of `Preference-Applied`."""
        names = []
        if self.zone and reading:
            names.append(f'outlook.timezone="{self.zone}"')
        if self.text_body and reading:
            names.append('outlook.body-content-type="text"')
        if self.immutable:
            names.append('IdType="ImmutableId"')
        if self.page_size:
            names.append(f"odata.maxpagesize={self.page_size}")
        return names


@dataclass(slots=True)
class Answer:
    """
    One answer.

    Args: cut: send only half of the body and drop the connection.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


def json_answer(body: object, status: int = 200, **headers: str) -> Answer:
    """Return an answer with a JSON body. Args: headers: underscores stand for dashes."""
    data = body if isinstance(body, bytes) else encode(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, data, {"Content-Type": _JSON, **named})


def no_content(status: int = 204) -> Answer:
    """Return an answer without a body."""
    return Answer(status)


def envelope(error: ServiceError, now: datetime, request_id: str, client_id: str) -> Answer:
    """Return Graph's form of a refusal."""
    inner = {
        "date": stamp(now)[:19],
        "request-id": request_id,
        "client-request-id": client_id or request_id,
    }
    body = {"error": {"code": error.code, "message": error.message, "innerError": inner}}
    return json_answer(body, error.status)


def link(request: Request, options: Mapping[str, str]) -> str:
    """Return the URL of the same resource with other options, on the host that was asked."""
    text = urlencode(options, safe="',():;/")
    return f"{request.base}{request.path}?{text}"
