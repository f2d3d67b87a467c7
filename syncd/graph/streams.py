"""
Files from and to the mailbox: a download into a sink, and the pieces of an upload.

Shares the login, the pauses and the four places in flight of the mailbox's transport. Knows that an
upload URL carries its own right: no token goes with it, and nothing of it is logged or told.
Graph documentation, page "Attach large files to Outlook messages or events".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import assert_never
from uuid import uuid4

from syncd.core.errors import BadAnswer, DiskTrouble, LoginNeeded, SyncdError
from syncd.graph.failures import called, most_tries
from syncd.graph.links import ServiceRoot, locate_upload
from syncd.graph.settings import TokenSource
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
from syncd.graph.waits import Gate, Lane
from syncd.graph.wire import Wire, refuse_broken_headers, service_headers
from syncd.ports import Answer, Answered, ByteSink, Clock, Lost, Request, Unsent, WriteOutcome

__all__ = [
    "GraphStreams",
    "Observe",
    "answer_of",
    "observe_nothing",
    "outcome_of",
    "refused_twice",
]

Observe = Callable[[str, Mapping[str, object]], None]

_Shot = Callable[[int], Awaitable[tuple[Came, str]]]
"""Sends once, as the attempt of that number: what came, and the token shown ("" for none)."""


def observe_nothing(fact: str, fields: Mapping[str, object]) -> None:
    """The default hook."""


class GraphStreams:
    """The files of one mailbox (`ports.Streams`); made by its `GraphRemote`, and open with it."""

    def __init__(
        self,
        root: ServiceRoot,
        wire: Wire,
        gate: Gate,
        lane: Lane,
        token: TokenSource,
        clock: Clock,
        observe: Observe,
    ) -> None:
        self._root, self._wire, self._gate, self._lane = root, wire, gate, lane
        self._token, self._clock, self._observe = token, clock, observe

    async def fetch(self, request: Request, sink: ByteSink) -> Answer:
        """
        Send a GET whose content goes to `sink`, beginning anew while the failure passes.

        Returns: the answer without its content where it is a success, else whole.
        Raises: Throttled, Unreachable, ServiceDown, BadAnswer, LoginNeeded; DiskTrouble of the
        sink.
        """
        address = self._root.locate(request.path)
        refuse_broken_headers(request)

        async def shot(attempt: int) -> tuple[Came, str]:
            token = await self._token.token()
            headers = service_headers(request) | {
                "Authorization": f"Bearer {token}",
                "client-request-id": str(uuid4()),
            }
            sending = self._wire.fetch(request, address, headers, sink)
            return await self._came(request, attempt, sending), token

        return answer_of(await self._settled(request, judge_read, shot))

    async def upload_state(self, url: str) -> Answer:
        """
        Ask an upload URL what it expects next; 401, 404 and 410 mean that it is over.

        Raises: Throttled, Unreachable, ServiceDown, BadAnswer; LinkAstray: no address for a file.
        """
        request = Request("GET", "", {"Accept": "application/json"}, label="upload state")
        return answer_of(await self._abroad(request, url, judge_read))

    async def upload(self, url: str, piece: bytes, start: int, size: int) -> WriteOutcome:
        """
        Send the bytes from `start` of a file of `size`, once unless they were turned away (429)
        or none of them left. Never raises for the service's or the network's sake.
        """
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"bytes {start}-{start + len(piece) - 1}/{size}",
        }
        request = Request("PUT", "", headers, piece, "upload")
        try:
            end = await self._abroad(request, url, judge_write)
        except SyncdError as error:
            # Raised where nothing is under way: a pause beyond patience, an address of no use.
            return Unsent(error)
        return outcome_of(end)

    async def end_upload(self, url: str) -> None:
        """Have what an upload URL received forgotten; that it fails is no news to anyone."""
        with suppress(SyncdError):
            await self._abroad(Request("DELETE", "", label="upload end"), url, judge_write)

    # --- until it has its outcome --------------------------------------------------------------

    async def _abroad(self, request: Request, url: str, judge: Judge) -> Done | Fails | Doubt:
        """Send to an upload URL, whose 401 speaks of the URL: there is no token to renew."""
        address, origin = locate_upload(url)

        async def shot(attempt: int) -> tuple[Came, str]:
            sending = self._wire.send_abroad(request, address, origin, request.headers)
            return await self._came(request, attempt, sending), ""

        return await self._settled(request, _without_login(judge), shot)

    async def _settled(self, request: Request, judge: Judge, shot: _Shot) -> Done | Fails | Doubt:
        """Send, judge and repeat. Raises: SyncdError: no more can be sent, and nothing was."""
        failed = throttled = 0
        renewed = False
        while True:
            async with self._lane.take(whole=False):
                await self._gate.pass_through()
                came, token = await shot(1 + failed + throttled + renewed)
            if isinstance(came, Answer) and came.status >= 500:
                await self._gate.asked(came.headers)
            verdict: Verdict = judge(request, came)
            match verdict:
                case Done():
                    self._gate.progressed()
                    return verdict
                case Fails() | Doubt():
                    return verdict
                case Again(error):
                    failed += 1
                    if failed >= most_tries(error):
                        return Fails(error)
                    await self._gate.rest(failed, error)
                case Wait(headers):
                    throttled += 1
                    await self._gate.throttled(headers, throttled)
                case Renew() if renewed:
                    return Fails(refused_twice(request))
                case Renew():
                    renewed = True
                    await self._token.refused(token)
                case _:
                    assert_never(verdict)

    async def _came(self, request: Request, attempt: int, sending: Awaitable[Answer]) -> Came:
        began_s = self._clock.monotonic_s()
        facts: dict[str, object] = {"label": request.label, "method": request.method}
        facts["attempt"] = attempt
        try:
            answer = await sending
        except DiskTrouble:
            # The sink's: asking the service again would not make room.
            raise
        except SyncdError as error:
            facts["error"] = type(error).__name__
            return Broken(error)
        else:
            facts["status"] = answer.status
            return answer
        finally:
            facts["duration_s"] = round(self._clock.monotonic_s() - began_s, 3)
            self._observe("request.finished", facts)


def _without_login(judge: Judge) -> Judge:
    def judged(request: Request, came: Came) -> Verdict:
        verdict = judge(request, came)
        if isinstance(verdict, Renew):
            assert isinstance(came, Answer)
            return Done(came)
        return verdict

    return judged


def refused_twice(request: Request) -> LoginNeeded:
    """The error for a token that was renewed in vain."""
    return LoginNeeded(f"{called(request)}: the service refuses a token that was just renewed")


def answer_of(end: Done | Fails | Doubt) -> Answer:
    """What a read came to. Raises: why it did not."""
    match end:
        case Done(answer):
            return answer
        case Fails(error):
            raise error
        case Doubt(reason):
            raise BadAnswer(reason)
        case _:
            assert_never(end)


def outcome_of(end: Done | Fails | Doubt) -> WriteOutcome:
    """What a write came to."""
    match end:
        case Done(answer):
            return Answered(answer)
        case Fails(error):
            return Unsent(error)
        case Doubt(reason):
            return Lost(reason)
        case _:
            assert_never(end)
