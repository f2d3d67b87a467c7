"""
Many requests in one: the JSON of `$batch`, both ways.

Source: Graph documentation, page "Combine multiple requests in one HTTP call using JSON batching".
Pure: knows the envelope and its limits, and refuses to know what the parts mean or when to repeat
one. Bodies pass through as the bytes they are.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from syncd.core.errors import BadAnswer
from syncd.ports import Answer

__all__ = ["MOST_PARTS", "Part", "decode_batch", "encode_batch", "is_json", "portions"]

MOST_PARTS = 20  # more is a 400 for the whole batch
# The service takes some 4 MB per request; what the envelope adds must fit too.
MOST_BODY_BYTES = 3_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch; `url` is relative to the API root and begins with "/"."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


class _PartJson(msgspec.Struct, omit_defaults=True):
    id: str
    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _PartAnswer(msgspec.Struct):
    id: str
    status: int
    headers: dict[str, Any] | None = None
    body: msgspec.Raw = msgspec.Raw(b"null")


class _BatchAnswer(msgspec.Struct):
    responses: list[msgspec.Raw]


def encode_batch(parts: Sequence[Part]) -> bytes:
    """
    Return the body of a `$batch` request; the parts are told apart by their place, from "1" on.

    A part with a body must bring its Content-Type among its headers.
    """
    return msgspec.json.encode({"requests": [_as_json(i, p) for i, p in enumerate(parts)]})


def decode_batch(body: bytes, count: int) -> dict[int, Answer]:
    """
    Return the answers by the place (from 0) of their part.

    A part that was not answered, not readably, or twice, is missing: only the caller knows what
    that means for it. Raises: BadAnswer: the whole is not the answer to a batch.
    """
    try:
        outer = msgspec.json.decode(body, type=_BatchAnswer)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadAnswer("the service's answer to a batch cannot be read") from error
    answers: dict[int, Answer] = {}
    twice: set[int] = set()
    for place, answer in _readable(outer.responses, count):
        twice |= {place} & answers.keys()
        answers[place] = answer
    return {place: answer for place, answer in answers.items() if place not in twice}


def portions(sizes: Sequence[int], *, most_parts: int) -> list[range]:
    """
    Cut a sequence of parts into runs that fit into one batch each.

    Args: sizes: length of each part's body in bytes. A part that is too large stands alone.
    """
    runs: list[range] = []
    start = total = 0
    for place, size in enumerate(sizes):
        full = place - start >= most_parts or total + size > MOST_BODY_BYTES
        if full and place > start:
            runs.append(range(start, place))
            start, total = place, 0
        total += size
    if start < len(sizes):
        runs.append(range(start, len(sizes)))
    return runs


def is_json(headers: Mapping[str, str]) -> bool:
    """Say whether the headers (names in lower case) announce JSON."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _as_json(place: int, part: Part) -> _PartJson:
    body = msgspec.UNSET if part.body is None else msgspec.Raw(part.body)
    return _PartJson(str(place + 1), part.method, part.url, part.headers, body)


def _readable(responses: Sequence[msgspec.Raw], count: int) -> Iterator[tuple[int, Answer]]:
    places = {str(place + 1): place for place in range(count)}
    for raw in responses:
        try:
            part = msgspec.json.decode(raw, type=_PartAnswer)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
        place = places.get(part.id)
        if place is not None and 100 <= part.status <= 599:
            yield place, _answer(part)


def _answer(part: _PartAnswer) -> Answer:
    headers = {name.lower(): str(value) for name, value in (part.headers or {}).items()}
    return Answer(part.status, headers, _body(bytes(part.body), headers))


def _body(raw: bytes, headers: Mapping[str, str]) -> bytes:
    """A body that is not JSON travels as a base64 string; null is none."""
    if raw == b"null":
        return b""
    if is_json(headers) or not raw.startswith(b'"'):
        return raw
    try:
        text: str = msgspec.json.decode(raw, type=str)
    except (msgspec.MsgspecError, ValueError):
        return raw
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode("utf-8", errors="replace")
