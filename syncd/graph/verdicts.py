"""
What came back, and what it means for the request: done, wait, sign in anew, again, in doubt.

Pure rules; the sending is elsewhere. A read may always be asked again. A write is repeated only
when it certainly did not take effect; everything unclear is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from syncd.core.errors import BadAnswer, ServiceDown, SyncdError
from syncd.graph.batch import is_json
from syncd.graph.failures import NeverSent, called, down
from syncd.ports import Answer, Request

__all__ = [
    "Again",
    "Broken",
    "Came",
    "Done",
    "Doubt",
    "Fails",
    "Judge",
    "Renew",
    "Verdict",
    "Wait",
    "judge_read",
    "judge_write",
    "refuses_batch",
]


@dataclass(frozen=True, slots=True)
class Broken:
    """No whole answer came back."""

    error: SyncdError


Came = Answer | Broken


@dataclass(frozen=True, slots=True)
class Done:
    """The service answered for good."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Wait:
    """Turned away unprocessed; `headers` may say until when."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Renew:
    """The token was refused; nothing took effect."""


@dataclass(frozen=True, slots=True)
class Again:
    """It failed in a way that may pass, and repeating is harmless."""

    error: SyncdError


@dataclass(frozen=True, slots=True)
class Fails:
    """It failed in a way that repeating does not mend; nothing took effect."""

    error: SyncdError


@dataclass(frozen=True, slots=True)
class Doubt:
    """A write left, and nobody knows what became of it."""

    reason: str


Verdict = Done | Wait | Renew | Again | Fails | Doubt
Judge = Callable[[Request, Came], Verdict]

UNAUTHORIZED = 401
# RFC 9110 section 15.5.9: the server gave up reading; whether it acted is not said.
REQUEST_TIMEOUT = 408
DEPENDENCY_FAILED = 424
TOO_MANY = 429


def judge_read(request: Request, came: Came) -> Verdict:
    """Say what came of a GET; a 5xx that names a pause is a throttle in other words."""
    if isinstance(came, Broken):
        return Again(came.error) if came.error.retryable else Fails(came.error)
    status = came.status
    passes = status >= 500 or status == REQUEST_TIMEOUT
    if status == TOO_MANY or (passes and "retry-after" in came.headers):
        return Wait(came.headers)
    if status == UNAUTHORIZED:
        return Renew()
    if passes:
        return Again(down(request, status))
    if not came.is_success:
        return Done(came) if status >= 400 else Fails(_redirected(request, status))
    flaw = _flaw(request, came)
    return Done(came) if flaw is None else Again(BadAnswer(f"{called(request)}: {flaw}"))


def judge_write(request: Request, came: Came) -> Verdict:
    """Say what came of a write: 2xx and 4xx are definite, what never left may be sent again."""
    if isinstance(came, Broken):
        return _judge_lost_write(came.error)
    status = came.status
    if status == TOO_MANY:
        return Wait(came.headers)
    if status == UNAUTHORIZED:
        return Renew()
    if status == DEPENDENCY_FAILED:
        return Fails(ServiceDown(f"{called(request)}: a request before it in the batch failed"))
    if 400 <= status < 500 and status != REQUEST_TIMEOUT:
        return Done(came)
    if not came.is_success:
        return Doubt(f"the service answers {status}")
    flaw = _flaw(request, came)
    return Done(came) if flaw is None else Doubt(flaw)


def refuses_batch(came: Came) -> bool:
    """
    Say whether the service did not take the batch as one, so that no part of it took effect.

    Graph documentation, page "JSON batching": a malformed batch is a 400 for the whole. Then each
    part is sent by itself, and only the culprit is refused.
    """
    if isinstance(came, Broken) or not 400 <= came.status < 500:
        return False
    return came.status not in (UNAUTHORIZED, REQUEST_TIMEOUT, TOO_MANY)


def _judge_lost_write(error: SyncdError) -> Verdict:
    if not isinstance(error, NeverSent):
        return Doubt(str(error))
    return Again(error) if error.retryable else Fails(error)


def _redirected(request: Request, status: int) -> BadAnswer:
    return BadAnswer(f"{called(request)}: a redirect ({status}) is not followed")


def _flaw(request: Request, answer: Answer) -> str | None:
    """Return what is wrong with the body of a 2xx, or None; media (`/$value`) may be anything."""
    if request.path.partition("?")[0].endswith("/$value"):
        return None
    if not answer.body:
        needed = is_json(answer.headers) or request.method == "GET"
        meant = answer.status in (202, 204)
        return "the answer is empty" if needed and not meant else None
    if not is_json(answer.headers):
        return "the answer is no JSON"
    return None if _is_whole_json(answer.body) else "the answer is cut off or garbled"


def _is_whole_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True
