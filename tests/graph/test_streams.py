"""Files on their way: a download into a sink, and pieces to an address that carries its own right."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from syncd.core.errors import BadAnswer, DiskTrouble, LinkAstray, LoginNeeded, Throttled
from syncd.graph.failures import UntrustedCertificate
from syncd.graph.transport import GraphRemote, Patience
from syncd.ports import Answered, Lost, Request, Unsent
from syncd.simulator.tls import LoopbackCa
from tests.graph.scripted import (
    CutOff,
    Reply,
    Reset,
    ScriptedService,
    Step,
    World,
    closed_port,
    get,
    serving,
    throttled,
    world_of,
)

VALUE = Request("GET", "/me/events/1/attachments/2/$value", label="attachment content")
PIECE = b"0123456789"
SECRET = "very-secret-token"
RANGES = b'{"nextExpectedRanges": ["10"]}'


class Sink:
    """Keeps what comes, and how often it began."""

    def __init__(self, trouble: DiskTrouble | None = None) -> None:
        self.began: list[Mapping[str, str]] = []
        self.data = b""
        self.trouble = trouble

    async def begin(self, headers: Mapping[str, str]) -> None:
        self.began.append(headers)
        self.data = b""

    async def take(self, piece: bytes) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.data += piece


def url(service: ScriptedService, path: str = "") -> str:
    return f"{service.base_url.removesuffix('/v1.0')}/upload/{SECRET}{path}"


def content(data: bytes = b"soup") -> Reply:
    return Reply(200, data, {"Content-Type": "text/plain"})


class TestFetch:
    async def test_into_the_sink(self, remote: GraphRemote, service: ScriptedService) -> None:
        """The content comes whole and is not kept twice; the login goes with the request."""
        service.then(content(b"x" * 3_000_000))
        sink = Sink()

        answer = await remote.streams.fetch(VALUE, sink)

        assert (answer.status, answer.body, len(sink.data)) == (200, b"", 3_000_000)
        assert sink.began[0]["content-type"].startswith("text/plain")
        assert service.arrivals[0].headers["Authorization"] == "Bearer token-0"
        assert "ImmutableId" in service.arrivals[0].headers["Prefer"]

    @pytest.mark.parametrize("step", [CutOff(), Reset(), Reply(503), throttled("2")], ids=repr)
    async def test_begun_anew(
        self, remote: GraphRemote, service: ScriptedService, step: Step
    ) -> None:
        """What came of a broken one is void."""
        service.then(step, content())
        sink = Sink()

        await remote.streams.fetch(VALUE, sink)

        assert sink.data == b"soup"
        assert len(service.arrivals) == 2

    async def test_a_refused_token_is_renewed(
        self, remote: GraphRemote, service: ScriptedService
    ) -> None:
        service.then(Reply(401), content())

        await remote.streams.fetch(VALUE, Sink())

        tokens = [one.headers["Authorization"] for one in service.arrivals]
        assert tokens == ["Bearer token-0", "Bearer token-1"]

    async def test_a_token_refused_twice(
        self, remote: GraphRemote, service: ScriptedService
    ) -> None:
        service.then(Reply(401), Reply(401))

        with pytest.raises(LoginNeeded):
            await remote.streams.fetch(VALUE, Sink())

    async def test_a_refusal_does_not_reach_the_sink(
        self, remote: GraphRemote, service: ScriptedService
    ) -> None:
        service.then(Reply(404, b'{"error": {"code": "ErrorItemNotFound"}}'))
        sink = Sink()

        answer = await remote.streams.fetch(VALUE, sink)

        assert (answer.status, sink.began) == (404, [])
        assert b"ErrorItemNotFound" in answer.body

    async def test_a_redirect_is_not_followed(
        self, remote: GraphRemote, service: ScriptedService
    ) -> None:
        service.then(Reply(302, headers={"Location": "/v1.0/elsewhere"}))

        with pytest.raises(BadAnswer, match="redirect"):
            await remote.streams.fetch(VALUE, Sink())

        assert len(service.arrivals) == 1

    async def test_another_host(self, remote: GraphRemote, service: ScriptedService) -> None:
        """A token goes to the service alone."""
        with pytest.raises(LinkAstray):
            await remote.streams.fetch(get("https://elsewhere.example/x"), Sink())

    async def test_a_full_disk(self, remote: GraphRemote, service: ScriptedService) -> None:
        """It is told at once: fetching again makes no room."""
        service.then(content())

        with pytest.raises(DiskTrouble):
            await remote.streams.fetch(VALUE, Sink(DiskTrouble("full")))

        assert len(service.arrivals) == 1


class TestUpload:
    async def test_a_piece(self, remote: GraphRemote, service: ScriptedService) -> None:
        """It says where it belongs, and shows no token."""
        service.then(Reply(200, RANGES))

        outcome = await remote.streams.upload(url(service), PIECE, 20, 100)

        assert isinstance(outcome, Answered)
        [arrival] = service.arrivals
        assert (arrival.method, arrival.body) == ("PUT", PIECE)
        assert arrival.headers["Content-Range"] == "bytes 20-29/100"
        assert arrival.headers["Content-Length"] == "10"
        assert "Authorization" not in arrival.headers
        assert "Prefer" not in arrival.headers

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 416])
    async def test_a_refused_piece(
        self, remote: GraphRemote, service: ScriptedService, world: World, status: int
    ) -> None:
        """A 401 speaks of the address: no login is renewed for it."""
        service.then(Reply(status))

        outcome = await remote.streams.upload(url(service), PIECE, 0, 100)

        assert isinstance(outcome, Answered)
        assert (outcome.answer.status, len(service.arrivals)) == (status, 1)
        assert world.tokens.generation == 0

    @pytest.mark.parametrize(
        "step", [Reset(), CutOff(), Reply(500), Reply(504), Reply(307), Reply(408)], ids=repr
    )
    async def test_a_lost_piece(
        self, remote: GraphRemote, service: ScriptedService, step: Step
    ) -> None:
        """It is not sent again, nor where it is redirected to."""
        service.then(step)

        outcome = await remote.streams.upload(url(service), PIECE, 0, 100)

        assert isinstance(outcome, Lost)
        assert len(service.arrivals) == 1

    async def test_nobody_there(self, remote: GraphRemote) -> None:
        outcome = await remote.streams.upload(
            f"http://127.0.0.1:{closed_port()}/u/{SECRET}", PIECE, 0, 100
        )

        assert isinstance(outcome, Unsent)
        assert SECRET not in str(outcome.error)

    async def test_a_throttled_piece_goes_after_the_pause(
        self, remote: GraphRemote, service: ScriptedService, world: World
    ) -> None:
        """The pause holds for the whole mailbox."""
        service.then(throttled("7"), Reply(201, b"", {}))

        outcome = await remote.streams.upload(url(service), PIECE, 0, 10)

        assert isinstance(outcome, Answered)
        assert world.clock.slept == [pytest.approx(7.0)]
        assert await world.pauses.until() is not None

    async def test_a_pause_of_the_mailbox_holds_for_pieces(
        self, service: ScriptedService, world: World
    ) -> None:
        service.then(throttled("50"))
        async with world.remote(patience=Patience(10.0)) as remote:
            with pytest.raises(Throttled):
                await remote.read(get())

            outcome = await remote.streams.upload(url(service), PIECE, 0, 10)

        assert isinstance(outcome, Unsent)
        assert isinstance(outcome.error, Throttled)
        assert len(service.arrivals) == 1

    async def test_four_at_a_time(self, remote: GraphRemote, service: ScriptedService) -> None:
        """Pieces and requests together."""
        service.turns = 200
        pieces = [remote.streams.upload(url(service), PIECE, 0, 100) for _ in range(6)]

        await asyncio.gather(*pieces, *(remote.read(get()) for _ in range(6)))

        assert service.most_at_once == 4

    @pytest.mark.parametrize(
        "address",
        [
            "http://uploads.example/x",
            "https://user@uploads.example/x",
            "ftp://uploads.example/x",
            "/upload/x",
            "https://",
            "",
        ],
    )
    async def test_an_address_of_no_use(self, remote: GraphRemote, address: str) -> None:
        """Nothing is sent in the clear to another machine."""
        outcome = await remote.streams.upload(address, PIECE, 0, 10)

        assert isinstance(outcome, Unsent)
        assert isinstance(outcome.error, LinkAstray)


class TestState:
    async def test_asked_again(self, remote: GraphRemote, service: ScriptedService) -> None:
        """It is a read: repeated while the failure passes."""
        service.then(Reset(), Reply(503), Reply(200, RANGES))

        answer = await remote.streams.upload_state(url(service))

        assert answer.body == RANGES
        assert all("Authorization" not in one.headers for one in service.arrivals)

    @pytest.mark.parametrize("status", [401, 404, 410])
    async def test_over(self, remote: GraphRemote, service: ScriptedService, status: int) -> None:
        service.then(Reply(status))

        assert (await remote.streams.upload_state(url(service))).status == status
        assert len(service.arrivals) == 1

    async def test_an_end_that_fails_is_no_news(
        self, remote: GraphRemote, service: ScriptedService
    ) -> None:
        service.then(Reset())

        await remote.streams.end_upload(url(service))

        assert [one.method for one in service.arrivals] == ["DELETE"]


async def test_the_address_is_in_no_fact(
    remote: GraphRemote, service: ScriptedService, world: World
) -> None:
    """Facts name labels; what fails does not name the address either."""
    service.then(Reply(200, RANGES), Reset(), Reply(400), Reset())
    await remote.streams.upload(url(service), PIECE, 0, 100)
    lost = await remote.streams.upload(url(service), PIECE, 0, 100)
    await remote.streams.upload_state(url(service))
    await remote.streams.end_upload(url(service))

    told = json.dumps(world.facts) + repr(lost)

    assert [fields["label"] for _, fields in world.facts] == [
        "upload",
        "upload",
        "upload state",
        "upload end",
    ]
    assert SECRET not in told


async def test_another_host_has_to_prove_who_it_is(
    remote: GraphRemote, service: ScriptedService
) -> None:
    """A piece goes nowhere where the certificate is not trusted."""
    async with serving(LoopbackCa().server_context()) as elsewhere:
        outcome = await remote.streams.upload(url(elsewhere), PIECE, 0, 10)

    assert isinstance(outcome, Unsent)
    assert isinstance(outcome.error, UntrustedCertificate)
    assert elsewhere.arrivals == []


async def test_another_host_over_tls(service: ScriptedService, tmp_path: Path) -> None:
    """The authorities of the mailbox are those of its uploads."""
    ca = LoopbackCa()
    ca.write_ca(tmp_path / "ca.pem")
    async with serving(ca.server_context()) as elsewhere:
        elsewhere.then(Reply(201, b"", {}))
        async with world_of(service).remote(ca_file=tmp_path / "ca.pem") as remote:
            outcome = await remote.streams.upload(url(elsewhere), PIECE, 0, 10)

    assert isinstance(outcome, Answered)
    assert len(elsewhere.arrivals) == 1
    assert "Authorization" not in elsewhere.arrivals[0].headers
