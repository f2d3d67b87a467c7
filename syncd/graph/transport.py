"""
The mailbox on Microsoft Graph: requests and answers as values.

Knows when to wait, what to repeat and how to bundle. Refuses to know what is read or written.
The rule for reads: asked again while the failure passes. The rule for writes: at most once, unless
the service turned one away (429, 401) or no byte of it had left; every other lost answer is
`Lost`, for the caller to settle by looking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from types import TracebackType
from typing import assert_never
from uuid import uuid4

from syncd.core.errors import BadAnswer, LoginNeeded, SyncdError
from syncd.graph.batch import MOST_PARTS, Part, decode_batch, encode_batch, portions
from syncd.graph.failures import NeverSent, most_tries
from syncd.graph.links import ServiceRoot
from syncd.graph.settings import TokenSource
from syncd.graph.streams import (
    GraphStreams,
    Observe,
    answer_of,
    observe_nothing,
    outcome_of,
    refused_twice,
)
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
    refuses_batch,
)
from syncd.graph.waits import Gate, Lane, NoPauses, Patience, http_date
from syncd.graph.wire import (
    LARGEST_ANSWER_BYTES,
    Timeouts,
    Wire,
    refuse_broken_headers,
    service_headers,
)
from syncd.ports import Answer, Clock, Pauses, Request, Unsent, WriteOutcome

__all__ = ["GraphRemote", "NoPauses", "Observe", "Patience", "Timeouts"]


@dataclass(slots=True)
class _Trial:
    """One request on its way to an outcome, with what went wrong so far."""

    request: Request
    failed: int = 0
    throttled: int = 0
    renewed: bool = False

    @property
    def attempt(self) -> int:
        return 1 + self.failed + self.throttled + self.renewed


@dataclass(slots=True)
class _Run:
    """
    Requests that are sent together until each has its outcome; all are known by their place.

    `judge` and `fresh` make the difference between reads and writes.
    """

    open: dict[int, _Trial]
    judge: Judge
    fresh: bool
    done: dict[int, Done | Fails | Doubt] = field(default_factory=dict)

    def close(self, place: int, outcome: Done | Fails | Doubt) -> None:
        self.done[place] = outcome
        del self.open[place]


@dataclass(frozen=True, slots=True)
class _Volley:
    """What came back for each place, and the token that was shown."""

    came: Mapping[int, Came]
    token: str


class _BatchRefused(Exception):
    """The service does not take this batch as one."""


class GraphRemote:
    """
    One mailbox on the service (`ports.Remote`), as an async context manager.

    Args:
        base_url: the API root, with its version; tokens go to its scheme, host and port only.
        token: whom to ask for tokens, and to tell when one is refused.
        pauses: where the service's pauses are remembered. patience: how long to wait for them.
        ca_file: certificate authorities beside the system's.
        rng: source of jitter. observe: told facts for the log, without ids, names or addresses.
        batch_size: most parts of one batch; 1 sends every request by itself.
    Raises: ConfigError: `base_url` cannot be used; on entering: `ca_file` or the proxy cannot.
    """

    def __init__(
        self,
        base_url: str,
        token: TokenSource,
        *,
        pauses: Pauses,
        clock: Clock,
        ca_file: Path | None,
        patience: Patience,
        rng: Random | None = None,
        observe: Observe = observe_nothing,
        timeouts: Timeouts | None = None,
        batch_size: int = MOST_PARTS,
        largest_answer_bytes: int = LARGEST_ANSWER_BYTES,
    ) -> None:
        self._root = ServiceRoot.parse(base_url)
        self._wire = Wire(self._root, ca_file, timeouts or Timeouts(), largest_answer_bytes)
        self._gate = Gate(pauses, clock, patience, rng or SystemRandom())
        self._lane = Lane()
        self._token, self._clock, self._observe = token, clock, observe
        self._batch_size = max(1, min(batch_size, MOST_PARTS))
        self._skew_s: float | None = None

    async def __aenter__(self) -> GraphRemote:
        await self._wire.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._wire.__aexit__(kind, error, trace)

    @property
    def streams(self) -> GraphStreams:
        """The way for files, with the same login, pauses and limits; open as long as this is."""
        return GraphStreams(
            self._root, self._wire, self._gate, self._lane, self._token, self._clock, self._observe
        )

    @property
    def clock_skew_s(self) -> float | None:
        """Seconds by which this machine's clock is ahead of the service's; None before a reply."""
        return self._skew_s

    async def read(self, request: Request) -> Answer:
        """
        Send a GET, repeating it while the failure passes.

        Returns: an answer with any status below 500 but 3xx, 401, 408 and 429.
        Raises: Throttled, Unreachable, ServiceDown, BadAnswer, LoginNeeded.
        """
        return (await self.read_all([request]))[0]

    async def read_all(self, requests: Sequence[Request]) -> list[Answer]:
        """As `read`, for many at once, in batches; the answers are in the order of the requests."""
        for flaw in self._flaws(requests).values():
            raise flaw
        runs = [_Run(t, judge_read, fresh=False) for t in self._grouped(dict(enumerate(requests)))]
        ends = await asyncio.gather(*map(self._finish, runs), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        answers = {place: answer_of(end) for run in runs for place, end in run.done.items()}
        return [answers[place] for place in range(len(requests))]

    async def write_all(self, requests: Sequence[Request]) -> list[WriteOutcome]:
        """
        Send writes that do not depend on each other, each at most once unless it was turned away
        (429, 401) or no byte of it was sent. Never raises for the service's or the network's sake.
        """
        flaws = self._flaws(requests)
        outcomes: dict[int, WriteOutcome] = {p: Unsent(flaw) for p, flaw in flaws.items()}
        halt: SyncdError | None = None
        sound = {p: request for p, request in enumerate(requests) if p not in flaws}
        for trials in self._grouped(sound):
            places = list(trials)
            run = _Run(trials, judge_write, fresh=True)
            halt = halt or await self._finish_writes(run)
            outcomes |= {p: outcome_of(run.done[p]) for p in places if p in run.done}
            outcomes |= {p: Unsent(halt) for p in places if halt and p not in run.done}
        return [outcomes[place] for place in range(len(requests))]

    async def _finish_writes(self, run: _Run) -> SyncdError | None:
        """Return why the writes after these need not be tried, if that is so."""
        try:
            await self._finish(run)
        except SyncdError as error:
            # Raised where nothing is under way: a login, a pause beyond patience, a full disk.
            return error
        errors = (end.error for end in run.done.values() if isinstance(end, Fails))
        return next((e for e in errors if isinstance(e, NeverSent | LoginNeeded)), None)

    def _grouped(self, requests: Mapping[int, Request]) -> list[dict[int, _Trial]]:
        """Put requests together that may share a batch, by their place in the sequence."""
        trials = {place: _Trial(request) for place, request in requests.items()}
        bundled = [p for p, request in requests.items() if self._root.below(request.path)]
        sizes = [len(requests[place].body or b"") for place in bundled]
        runs = portions(sizes, most_parts=self._batch_size)
        groups = [{bundled[i]: trials[bundled[i]] for i in run} for run in runs]
        alone = [{place: trials[place]} for place in trials if place not in set(bundled)]
        return groups + alone

    def _flaws(self, requests: Sequence[Request]) -> dict[int, BadAnswer]:
        """Return what forbids sending a request at all, by its place; most often nothing."""
        flaws: dict[int, BadAnswer] = {}
        for place, request in enumerate(requests):
            try:
                self._root.locate(request.path)
                refuse_broken_headers(request)
            except BadAnswer as error:
                flaws[place] = error
        return flaws

    # --- until every request has its outcome ---------------------------------------------------

    async def _finish(self, run: _Run) -> None:
        """Send, judge and repeat. Raises: SyncdError: no more can be sent; `run.open` was not."""
        while run.open:
            try:
                volley = await self._shoot(run)
            except _BatchRefused:
                await self._finish_one_by_one(run)
                return
            verdicts = {p: run.judge(run.open[p].request, c) for p, c in volley.came.items()}
            await self._settle(run, verdicts, volley.token)

    async def _finish_one_by_one(self, run: _Run) -> None:
        for place in list(run.open):
            alone = _Run({place: run.open[place]}, run.judge, run.fresh)
            await self._finish(alone)
            run.close(place, alone.done[place])

    async def _settle(self, run: _Run, verdicts: Mapping[int, Verdict], token: str) -> None:
        """Close what is decided; wait, rest or renew the token before the others go again."""
        for place, verdict in verdicts.items():
            trial = run.open[place]
            match verdict:
                case Done():
                    run.close(place, verdict)
                    self._gate.progressed()
                case Fails() | Doubt():
                    run.close(place, verdict)
                case Again(error):
                    trial.failed += 1
                    if trial.failed >= most_tries(error):
                        run.close(place, Fails(error))
                case Renew() if trial.renewed:
                    run.close(place, Fails(refused_twice(trial.request)))
                case Wait():
                    trial.throttled += 1
                case Renew():
                    trial.renewed = True
                case _:
                    assert_never(verdict)
        await self._calm_down(run, verdicts, token)

    async def _calm_down(self, run: _Run, verdicts: Mapping[int, Verdict], token: str) -> None:
        again = [(run.open[p], v) for p, v in verdicts.items() if p in run.open]
        for trial, verdict in again:
            if isinstance(verdict, Wait):
                await self._gate.throttled(verdict.headers, trial.throttled)
        if any(isinstance(verdict, Renew) for verdict in verdicts.values()):
            await self._token.refused(token)
        failed = [(t.failed, v.error) for t, v in again if isinstance(v, Again)]
        if failed:
            await self._gate.rest(*max(failed, key=lambda each: each[0]))

    # --- one exchange --------------------------------------------------------------------------

    async def _shoot(self, run: _Run) -> _Volley:
        """
        Send all open requests of the run once.

        Raises: _BatchRefused; SyncdError: nothing was sent, for want of a token or patience.
        """
        if len(run.open) > 1:
            return await self._shoot_batch(run)
        ((place, trial),) = run.open.items()
        came, token = await self._exchange(trial, fresh=run.fresh, whole=False)
        return _Volley({place: came}, token)

    async def _shoot_batch(self, run: _Run) -> _Volley:
        batch = self._batch(run)
        came, token = await self._exchange(batch, fresh=run.fresh, whole=True)
        if refuses_batch(came):
            raise _BatchRefused
        if isinstance(came, Broken) or not came.is_success:
            return _Volley(dict.fromkeys(run.open, came), token)
        parts = _parts(came, len(run.open))
        for part in parts:
            await self._heed(part)
        return _Volley(dict(zip(run.open, parts, strict=True)), token)

    def _batch(self, run: _Run) -> _Trial:
        parts = [
            Part(r.method, self._root.below(r.path) or r.path, service_headers(r), r.body)
            for r in (trial.request for trial in run.open.values())
        ]
        label = f"batch of {len(parts)} {'writes' if run.fresh else 'reads'}"
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        request = Request("POST", "/$batch", headers, encode_batch(parts), label)
        return _Trial(request, failed=max(trial.attempt for trial in run.open.values()) - 1)

    async def _exchange(self, trial: _Trial, *, fresh: bool, whole: bool) -> tuple[Came, str]:
        """
        Send one request once, when its turn has come, and return what came and the token shown.

        Raises: SyncdError: it was not sent, for want of a token or patience.
        """
        address = self._root.locate(trial.request.path)
        async with self._lane.take(whole=whole):
            await self._gate.pass_through()
            token = await self._token.token()
            came = await self._send(trial, address, token, fresh=fresh)
        if isinstance(came, Answer):
            self._note_time(came)
        await self._heed(came)
        return came, token

    async def _heed(self, came: Came) -> None:
        """Keep the pause that a 5xx asks for, also where the request itself is not repeated."""
        if isinstance(came, Answer) and came.status >= 500:
            await self._gate.asked(came.headers)

    async def _send(self, trial: _Trial, address: str, token: str, *, fresh: bool) -> Came:
        request, request_id = trial.request, str(uuid4())
        headers = service_headers(request) | {
            "Authorization": f"Bearer {token}",
            "client-request-id": request_id,
            "return-client-request-id": "true",
        }
        began_s = self._clock.monotonic_s()
        facts: dict[str, object] = {"label": request.label, "method": request.method}
        facts |= {"attempt": trial.attempt, "request_id": request_id}
        try:
            answer = await self._wire.send(request, address, headers, fresh=fresh)
        except SyncdError as error:
            facts["error"] = type(error).__name__
            return Broken(error)
        else:
            facts["status"] = answer.status
            return answer
        finally:
            facts["duration_s"] = round(self._clock.monotonic_s() - began_s, 3)
            self._observe("request.finished", facts)

    def _note_time(self, answer: Answer) -> None:
        date = http_date(answer.headers.get("date", ""))
        if date is not None:
            self._skew_s = (self._clock.now() - date).total_seconds()


def _parts(outer: Answer, count: int) -> list[Came]:
    """Return what came for each part; one that is not in the answer is broken, not refused."""
    try:
        answers = decode_batch(outer.body, count)
    except BadAnswer as error:
        return [Broken(error)] * count
    missing = Broken(BadAnswer("the service left a request out of its answer to a batch"))
    return [answers.get(place, missing) for place in range(count)]
