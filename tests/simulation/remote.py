"""
The mailbox on the simulator without HTTP: what `GraphRemote` does over a socket, done at once.

Requests are the simulator's own, served by its `Exchange`; what an answer means is judged by the
rules of `syncd.graph`, so that a contract test can hold both to the same outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from syncd.core.errors import BadAnswer, LoginNeeded, SyncdError, Unreachable
from syncd.graph.failures import NeverSent, called, most_tries
from syncd.graph.verdicts import (
    Again,
    Broken,
    Came,
    Done,
    Doubt,
    Fails,
    Judge,
    Renew,
    Verdict,
    Wait,
    judge_read,
    judge_write,
)
from syncd.graph.waits import Gate, Patience
from syncd.ports import Answer, Answered, Clock, Lost, Pauses, Request, Unsent, WriteOutcome
from syncd.simulator.exchange import Exchange
from syncd.simulator.messages import Answer as ServiceAnswer
from syncd.simulator.messages import Request as ServiceRequest
from tests.simulation.machine import Machine

__all__ = ["BASE", "PureRemote"]

BASE = "http://simulator/v1.0"


_End = Done | Fails | Doubt


@dataclass(slots=True)
class _Trial:
    """One request on its way to an end, with what went wrong so far, and last."""

    request: Request
    failed: int = 0
    throttled: int = 0
    renewed: bool = False
    waits: Mapping[str, str] | None = None
    error: SyncdError | None = None

    def judged(self, verdict: Verdict) -> _End | None:
        self.waits = self.error = None
        match verdict:
            case Done() | Fails() | Doubt():
                return verdict
            case Again(error):
                self.failed, self.error = self.failed + 1, error
                return Fails(error) if self.failed >= most_tries(error) else None
            case Wait(headers):
                self.throttled, self.waits = self.throttled + 1, headers
                return None
            case Renew() if self.renewed:
                return Fails(LoginNeeded(f"{called(self.request)}: the token is refused"))
            case Renew():
                self.renewed = True
                return None


def _batches(requests: Sequence[Request]) -> list[range]:
    return [range(at, min(at + 20, len(requests))) for at in range(0, len(requests), 20)]


class PureRemote:
    """
    Fulfils `ports.Remote`.

    Args:
        exchange: serves one request; its sleep must not wait. token: a bearer it takes.
        machine: its points "request" and "answered" stand before and behind each request.
    """

    def __init__(
        self,
        exchange: Exchange,
        token: str,
        *,
        pauses: Pauses,
        clock: Clock,
        machine: Machine,
        patience: Patience,
        rng: Random,
    ) -> None:
        self._exchange, self._token, self._machine = exchange, token, machine
        self._clock = clock
        self._gate = Gate(pauses, clock, patience, rng)
        self._skew_s: float | None = None
        self.offline = 0

    @property
    def clock_skew_s(self) -> float | None:
        """As `Remote.clock_skew_s`."""
        return self._skew_s

    async def read(self, request: Request) -> Answer:
        """As `Remote.read`."""
        return (await self.read_all([request]))[0]

    async def read_all(self, requests: Sequence[Request]) -> list[Answer]:
        """As `Remote.read_all`."""
        ends: dict[int, _End] = {}
        for places in _batches(requests):
            open_ = {place: _Trial(requests[place]) for place in places}
            await self._finish(open_, judge_read, ends)
        return [_answer(ends[place]) for place in range(len(requests))]

    async def write_all(self, requests: Sequence[Request]) -> list[WriteOutcome]:
        """As `Remote.write_all`."""
        ends: dict[int, _End] = {}
        halt: SyncdError | None = None
        for places in _batches(requests):
            if halt is None:
                open_ = {place: _Trial(requests[place]) for place in places}
                try:
                    await self._finish(open_, judge_write, ends)
                except SyncdError as error:
                    halt = error
            for place in places:
                if place not in ends:
                    assert halt is not None
                    ends[place] = Fails(halt)
                end = ends[place]
                if isinstance(end, Fails) and isinstance(end.error, NeverSent | LoginNeeded):
                    halt = halt or end.error
        return [_outcome(ends[place]) for place in range(len(requests))]

    async def _finish(self, open_: dict[int, _Trial], judge: Judge, ends: dict[int, _End]) -> None:
        """Send, judge and repeat. Raises: SyncdError: what has no end by then was not sent."""
        while open_:
            await self._gate.pass_through()
            many = len(open_) > 1
            volley = {
                place: await self._once(trial.request, in_batch=many)
                for place, trial in open_.items()
            }
            rest: list[tuple[int, SyncdError]] = []
            for place, came in volley.items():
                if isinstance(came, Answer) and came.status >= 500:
                    await self._gate.asked(came.headers)
                trial = open_[place]
                end = trial.judged(judge(trial.request, came))
                if end is not None:
                    ends[place] = end
                    del open_[place]
                    if isinstance(end, Done):
                        self._gate.progressed()
                elif trial.waits is not None:
                    await self._gate.throttled(trial.waits, trial.throttled)
                elif trial.error is not None:
                    rest.append((trial.failed, trial.error))
            if rest:
                await self._gate.rest(*max(rest, key=lambda each: each[0]))

    async def _once(self, request: Request, *, in_batch: bool) -> Came:
        self._machine.at("request")
        if self.offline > 0:
            self.offline -= 1
            return Broken(NeverSent(f"{called(request)}: the service cannot be reached"))
        headers = {**request.headers, "Authorization": f"Bearer {self._token}"}
        target = request.path.removeprefix(BASE)
        if request.body is not None:
            headers.setdefault("Content-Type", "application/json")
        asked = ServiceRequest.of(request.method, target, headers, request.body or b"", BASE)
        outcome = await self._exchange.serve(asked, in_batch=in_batch)
        self._machine.at("answered")
        return self._came(request, outcome)

    def _came(self, request: Request, outcome: object) -> Came:
        if not isinstance(outcome, ServiceAnswer):
            return Broken(Unreachable(f"{called(request)}: the connection broke"))
        if outcome.cut:
            return Broken(BadAnswer(f"{called(request)}: the answer was cut off or garbled"))
        headers = {name.lower(): value for name, value in outcome.headers.items()}
        now = self._exchange.api.service.now()
        self._skew_s = (self._clock.now() - now).total_seconds()
        return Answer(outcome.status, headers, outcome.body)


def _answer(end: Done | Fails | Doubt) -> Answer:
    match end:
        case Done(answer):
            return answer
        case Fails(error):
            raise error
        case Doubt(reason):
            raise BadAnswer(reason)


def _outcome(end: Done | Fails | Doubt) -> WriteOutcome:
    match end:
        case Done(answer):
            return Answered(answer)
        case Fails(error):
            return Unsent(error)
        case Doubt(reason):
            return Lost(reason)
