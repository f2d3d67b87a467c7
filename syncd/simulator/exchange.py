"""
The way of one request through the service: failures, sign-in, throttling, answer.

Knows in which order these strike, so that "before" and "after the write" are true.
Refuses to know sockets: a dropped connection is a value, `DROPPED`.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from syncd.simulator.errors import ServiceError, item_not_found
from syncd.simulator.faults import AFTER, Fault, FaultKind, Faults
from syncd.simulator.graph_http import GraphApi
from syncd.simulator.messages import Answer, Request
from syncd.simulator.request_log import Logged, RequestLog
from syncd.simulator.tokens import Principal, TokenRefused, refusal

__all__ = ["DROPPED", "Dropped", "Exchange", "Outcome", "Sleep"]

Sleep = Callable[[float], Awaitable[None]]
MOMENT = timedelta(minutes=2)
_PROXY_PAGE = b"<!DOCTYPE html><html><body><h1>Sign in to the network</h1></body></html>"


class Dropped:
    """The connection was reset before an answer."""


DROPPED: Final = Dropped()
Outcome = Answer | Dropped


class Exchange:
    """
    Serves requests one by one.

    Args:
        sleep: waits for slow answers, in seconds. latency_s: time that every request takes.
    """

    def __init__(
        self,
        api: GraphApi,
        faults: Faults,
        log: RequestLog,
        *,
        sleep: Sleep = asyncio.sleep,
        latency_s: float = 0.0,
    ) -> None:
        self.api = api
        self.faults = faults
        self.log = log
        self.sleep = sleep
        self.latency_s = latency_s
        self._made: deque[tuple[str, datetime]] = deque(maxlen=32)

    async def serve(self, request: Request, *, in_batch: bool = False) -> Outcome:
        """Return what becomes of a request. In a batch nothing is dropped; a 504 comes instead."""
        target = _target(request)
        fault = self.faults.take(request.method, target, fresh=self._is_fresh(request))
        if in_batch and fault is not None:
            fault = as_part(fault)
        user, outcome = await self._struck(request, fault)
        status = outcome.status if isinstance(outcome, Answer) else 0
        name = fault.kind.value if fault else ""
        now = self.api.service.now()
        self.log.entries.append(Logged(now, request.method, target, status, user, in_batch, name))
        if isinstance(outcome, Answer):
            self._sign(request, outcome)
        return outcome

    async def _struck(self, request: Request, fault: Fault | None) -> tuple[str, Outcome]:
        if fault is None:
            return await self._signed_in(request)
        if fault.kind is FaultKind.SLOW:
            await self.sleep(fault.delay_s)
            return await self._signed_in(request)
        if fault.kind is FaultKind.ENDLESS_PAGES:
            headers = {**request.headers, "x-simulator-endless": "1"}
            return await self._signed_in(replace(request, headers=headers))
        if fault.kind in AFTER:
            user, answer = await self._signed_in(request)
            return user, self._spoilt(request, fault, answer)
        return "", self._instead(request, fault)

    def _spoilt(self, request: Request, fault: Fault, answer: Answer) -> Outcome:
        if fault.kind is FaultKind.RESET_AFTER:
            return DROPPED
        if fault.kind is FaultKind.TRUNCATED and answer.body:
            return Answer(answer.status, answer.body, answer.headers, cut=True)
        if fault.kind is FaultKind.TRUNCATED:
            return DROPPED
        return self._gateway_timeout(request)

    def _gateway_timeout(self, request: Request) -> Answer:
        return self.api.refused(request, ServiceError(504, "UnknownError", ""))

    def _instead(self, request: Request, fault: Fault) -> Outcome:
        """Return the answer of a failure that kept the request from being served."""
        match fault.kind:
            case FaultKind.RESET_BEFORE:
                return DROPPED
            case FaultKind.NOT_JSON:
                return Answer(200, _PROXY_PAGE, {"Content-Type": "text/html; charset=utf-8"})
            case FaultKind.TOKEN_EXPIRED:
                return self.api.unauthorized(request, refusal("the token is expired."))
            case FaultKind.THROTTLED | FaultKind.UNAVAILABLE:
                answer = self.api.refused(request, _refusal(fault.kind))
                answer.headers["Retry-After"] = str(fault.retry_after_s)
                return answer
            case _:
                return self.api.refused(request, _refusal(fault.kind))

    async def _signed_in(self, request: Request) -> tuple[str, Answer]:
        try:
            principal = self.api.principal(request)
            mailbox, _ = self.api.mailbox(request, principal)
        except TokenRefused as refused:
            return "", self.api.unauthorized(request, refused)
        except ServiceError as error:
            return "", self.api.refused(request, error)
        user = mailbox.owner.address
        return user, await self._in_turn(request, principal, user)

    async def _in_turn(self, request: Request, principal: Principal, user: str) -> Answer:
        """Serve a request unless too many of its mailbox are in flight."""
        most = self.api.service.switches.concurrent_per_mailbox
        now = self.log.enter(user)
        try:
            if now > most:
                return self._over_limit(request)
            # Yields even without latency, so that requests that came together meet here.
            await self.sleep(self.latency_s)
            answer = self.api.answer(request, principal)
        finally:
            self.log.leave(user)
        if request.method == "POST" and answer.status == 201:
            self._remember(answer)
        return answer

    def _over_limit(self, request: Request) -> Answer:
        error = ServiceError(
            429, "ApplicationThrottled", "Application is over its MailboxConcurrency limit."
        )
        answer = self.api.refused(request, error)
        answer.headers["Retry-After"] = "1"
        return answer

    def _remember(self, answer: Answer) -> None:
        made = msgspec.json.decode(answer.body)
        if isinstance(made, dict) and isinstance(made.get("id"), str):
            self._made.append((made["id"], self.api.service.now()))

    def _is_fresh(self, request: Request) -> bool:
        """Whether a request names what was made a moment ago."""
        since = self.api.service.now() - MOMENT
        return any(made in request.segments for made, at in self._made if at >= since)

    def _sign(self, request: Request, answer: Answer) -> None:
        """Put the headers on an answer that all of Graph's have."""
        answer.headers.setdefault("request-id", self.api.service.mint.guid())
        client_id = request.headers.get("client-request-id")
        if client_id:
            answer.headers["client-request-id"] = client_id


def _target(request: Request) -> str:
    query = "&".join(f"{name}={value}" for name, value in request.query.items())
    return f"{request.path}?{query}" if query else request.path


def as_part(fault: Fault) -> Fault:
    """Return the failure as a part of a batch can have it: a part has no connection."""
    in_part = {
        FaultKind.RESET_BEFORE: FaultKind.TIMEOUT_BEFORE,
        FaultKind.RESET_AFTER: FaultKind.TIMEOUT_AFTER,
        FaultKind.TRUNCATED: FaultKind.TIMEOUT_AFTER,
    }
    return replace(fault, kind=in_part.get(fault.kind, fault.kind))


def _refusal(kind: FaultKind) -> ServiceError:
    match kind:
        case FaultKind.THROTTLED:
            return ServiceError(429, "ApplicationThrottled", "Too many requests.")
        case FaultKind.THROTTLED_SILENT:
            return ServiceError(429, "ErrorTooManyObjectsOpened", "Too many objects opened.")
        case FaultKind.UNAVAILABLE:
            return ServiceError(503, "serviceNotAvailable", "The service is unavailable.")
        case FaultKind.SYNC_STATE_GONE:
            return ServiceError(
                410,
                "SyncStateNotFound",
                "The sync state generation is not found; generation=0.",
            )
        case FaultKind.SYNC_STATE_BAD:
            return ServiceError(
                400, "SyncStateNotFound", "Badly formed token; syncStateNotFound: restart the sync."
            )
        case FaultKind.PRECONDITION:
            return ServiceError(412, "ErrorIrresolvableConflict", "The change key does not match.")
        case FaultKind.LAGGING:
            return item_not_found()
        case _:
            return ServiceError(504, "UnknownError", "")
