"""
JSON batching: up to twenty requests in one.

Knows the envelope, its limits, `dependsOn`, and that answers come in any order.
Refuses to know what a part does: it is served like any other request.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from syncd.simulator import render
from syncd.simulator.errors import ServiceError
from syncd.simulator.messages import Answer, Request, json_answer

__all__ = ["MAX_PARTS", "Part", "read_batch", "serve_batch"]

MAX_PARTS = 20
AT_ONCE = 4
Serve = Callable[[Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch. Args: after: ids it depends on."""

    id: str
    request: Request
    after: tuple[str, ...] = ()


@dataclass(slots=True)
class _Run:
    serve: Serve
    gate: asyncio.Semaphore
    tasks: dict[str, "asyncio.Task[Answer]"] = field(default_factory=dict)


def bad_batch(message: str) -> ServiceError:
    """Return the answer for a batch that is refused whole."""
    return ServiceError(400, "BadRequest", message)


def read_batch(outer: Request) -> list[Part]:
    """
    Return the parts of a batch.

    Raises: ServiceError: 400 for too many parts, ids missing or used twice, a body without its
        content type, or a dependency on a part that does not come before.
    """
    sent = outer.json()
    rows = sent.get("requests") if isinstance(sent, dict) else None
    if not isinstance(rows, list) or not rows:
        raise bad_batch("Invalid batch payload format.")
    if len(rows) > MAX_PARTS:
        raise bad_batch(f"Number of batch request steps exceeds the maximum of {MAX_PARTS}.")
    parts: list[Part] = []
    for row in rows:
        part = _part(row, outer)
        known = {each.id.casefold() for each in parts}
        if part.id.casefold() in known:
            raise bad_batch("Request IDs in a batch must be unique.")
        if not {name.casefold() for name in part.after} <= known:
            raise bad_batch("dependsOn must name requests that come before.")
        parts.append(part)
    return parts


def _part(row: object, outer: Request) -> Part:
    if not isinstance(row, dict):
        raise bad_batch("Invalid batch payload format.")
    identity, method, url = row.get("id"), row.get("method"), row.get("url")
    if not (isinstance(identity, str) and identity and isinstance(method, str)):
        raise bad_batch("Each request needs an id and a method.")
    if not isinstance(url, str) or "://" in url.partition("?")[0]:
        raise bad_batch("The url of a request must be relative to the version root.")
    headers = _headers(row.get("headers"))
    after = row.get("dependsOn") or []
    if not isinstance(after, list) or not all(isinstance(name, str) for name in after):
        raise bad_batch("dependsOn must be a list of ids.")
    body = _body(row, headers)
    inherited = {"authorization": outer.headers.get("authorization", "")}
    request = Request.of(method, "/" + url.lstrip("/"), {**inherited, **headers}, body, outer.base)
    return Part(identity, request, tuple(after))


def _headers(sent: object) -> dict[str, str]:
    if sent is None:
        return {}
    if not isinstance(sent, dict):
        raise bad_batch("The headers of a request must be an object.")
    return {str(name).casefold(): str(value) for name, value in sent.items()}


def _body(row: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    body = row.get("body")
    if body is None:
        return b""
    if "content-type" not in headers:
        raise bad_batch("A request with a body needs a Content-Type header.")
    return render.encode(body)


async def serve_batch(parts: list[Part], serve: Serve, random: Random) -> Answer:
    """
    Return the answer to a batch: 200 whatever became of its parts.

    Args: serve: serves one part; at most four are under way. random: orders the answers.
    """
    run = _Run(serve, asyncio.Semaphore(AT_ONCE))
    for part in parts:
        run.tasks[part.id.casefold()] = asyncio.ensure_future(_serve_part(part, run))
    answers = await asyncio.gather(*run.tasks.values())
    rows = [_row(part, answer) for part, answer in zip(parts, answers, strict=True)]
    random.shuffle(rows)
    return json_answer({"responses": rows})


async def _serve_part(part: Part, run: _Run) -> Answer:
    needed = [await run.tasks[name.casefold()] for name in part.after]
    if any(answer.status >= 400 for answer in needed):
        body = {"error": {"code": "FailedDependency", "message": "A dependency failed."}}
        return json_answer(body, 424)
    async with run.gate:
        return await run.serve(part.request)


def _row(part: Part, answer: Answer) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": part.id,
        "status": answer.status,
        "headers": answer.headers,
    }
    if answer.body and "json" in answer.headers.get("Content-Type", ""):
        row["body"] = msgspec.Raw(answer.body)
    elif answer.body:
        row["body"] = base64.b64encode(answer.body).decode("ascii")
    return row
