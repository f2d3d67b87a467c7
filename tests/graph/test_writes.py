"""Writing: at most once, and an honest word on what became of it."""

from __future__ import annotations

import json

import pytest

from syncd.core.errors import LoginNeeded, Throttled, Unreachable
from syncd.graph.transport import GraphRemote, Patience, Timeouts
from syncd.ports import Answered, Lost, Request, Unsent
from tests.graph.scripted import (
    CutOff,
    Reply,
    Reset,
    ScriptedService,
    Stall,
    Step,
    World,
    batch,
    closed_port,
    get,
    kinds,
    part,
    post,
    throttled,
)

DOUBTFUL: dict[str, Step] = {
    "500": Reply(500),
    "502": Reply(502),
    "503": Reply(503),
    "503 with a pause": throttled("3", 503),
    "504": Reply(504),
    "408": Reply(408),
    "redirect": Reply(307, headers={"Location": "/v1.0/elsewhere"}),
    "reset": Reset(),
    "cut off": CutOff(),
    "half a JSON": Reply(201, b'{"id": "AAM'),
    "a page": Reply(200, b"<html>", {"Content-Type": "text/html"}),
    "nothing": Reply(201, b""),
}


async def test_an_accepted_write_is_answered(remote: GraphRemote, service: ScriptedService) -> None:
    """The answer comes back whole, and the body went out byte for byte."""
    service.then(Reply(201, b'{"id": "1"}'))

    (outcome,) = await remote.write_all([post()])

    assert isinstance(outcome, Answered)
    assert (outcome.answer.status, outcome.answer.body) == (201, b'{"id": "1"}')
    (arrival,) = service.arrivals
    assert arrival.body == post().body
    assert arrival.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("status", [202, 204])
async def test_an_empty_answer_may_be_meant(
    remote: GraphRemote, service: ScriptedService, status: int
) -> None:
    """Deletions and actions answer without a body."""
    service.then(Reply(status, b"", {}))

    assert kinds(await remote.write_all([Request("DELETE", "/me/events/1")])) == ["Answered"]


@pytest.mark.parametrize("status", [400, 403, 404, 409, 412, 413, 423])
async def test_a_refused_write_is_answered(
    remote: GraphRemote, service: ScriptedService, status: int
) -> None:
    """4xx is definite: nothing took effect, nothing is repeated."""
    service.then(Reply(status, b"{}"))

    (outcome,) = await remote.write_all([post()])

    assert isinstance(outcome, Answered)
    assert outcome.answer.status == status
    assert len(service.arrivals) == 1


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("step", DOUBTFUL.values(), ids=DOUBTFUL.keys())
async def test_a_lost_answer_is_in_doubt(
    remote: GraphRemote, service: ScriptedService, step: Step, method: str
) -> None:
    """It may have taken effect, so it is told as lost and never sent twice."""
    service.then(step)

    (outcome,) = await remote.write_all([Request(method, "/me/events/1", body=b"{}")])  # type: ignore[arg-type]

    assert isinstance(outcome, Lost)
    assert outcome.reason
    assert len(service.arrivals) == 1


async def test_a_write_without_an_answer_is_in_doubt(
    world: World, service: ScriptedService
) -> None:
    """Our own timeout says nothing about the service."""
    service.then(Stall())
    async with world.remote(timeouts=Timeouts(read_s=0.05)) as remote:
        outcomes = await remote.write_all([post()])

    assert kinds(outcomes) == ["Lost"]
    assert len(service.arrivals) == 1


async def test_an_outage_with_a_pause_holds_the_next_request_back(
    remote: GraphRemote, service: ScriptedService, world: World
) -> None:
    """The write is in doubt, and the pause counts all the same."""
    service.then(throttled("30", 503))

    await remote.write_all([post()])
    await remote.read(get())

    assert world.clock.slept == [pytest.approx(30)]


async def test_a_throttled_write_goes_again(
    remote: GraphRemote, service: ScriptedService, world: World
) -> None:
    """429 means that it was not processed."""
    service.then(throttled("5"), throttled(), Reply(201, b"{}"))

    assert kinds(await remote.write_all([post()])) == ["Answered"]
    assert world.clock.slept[0] == 5.0
    assert len({arrival.body for arrival in service.arrivals}) == 1


async def test_a_write_refused_for_its_token_goes_again(
    remote: GraphRemote, service: ScriptedService
) -> None:
    """401 means that nobody looked at it; a second one needs a person."""
    service.then(Reply(401, b"{}"), Reply(201, b"{}"), *[Reply(401, b"{}")] * 2)

    (first,) = await remote.write_all([post(1)])
    (second,) = await remote.write_all([post(2)])

    assert isinstance(first, Answered)
    assert isinstance(second, Unsent)
    assert isinstance(second.error, LoginNeeded)
    assert len(service.arrivals) == 4


async def test_where_nobody_listens_nothing_was_sent(world: World) -> None:
    """A refused connection is tried again, and then certainly unsent; the others are not tried."""
    async with world.remote(base_url=f"http://127.0.0.1:{closed_port()}/v1.0") as remote:
        outcomes = await remote.write_all([post(n) for n in range(60)])

    assert kinds(outcomes) == ["Unsent"] * 60
    assert all(isinstance(o, Unsent) and isinstance(o.error, Unreachable) for o in outcomes)
    assert 0 < sum(world.clock.slept) <= 3


async def test_a_pause_beyond_patience_sends_nothing(
    world: World, service: ScriptedService
) -> None:
    """What waits for the service's pause is unsent."""
    service.then(throttled("500"))
    async with world.remote(patience=Patience(60)) as remote:
        outcomes = await remote.write_all([post(1)])
        outcomes += await remote.write_all([post(2), post(3)])

    assert all(isinstance(o, Unsent) and isinstance(o.error, Throttled) for o in outcomes)
    assert len(service.arrivals) == 1


async def test_without_a_login_nothing_is_sent(
    remote: GraphRemote, service: ScriptedService, world: World
) -> None:
    """The error is a value here: it concerns every write."""
    world.tokens.trouble = LoginNeeded("account work is not signed in")

    outcomes = await remote.write_all([post(n) for n in range(30)])

    assert kinds(outcomes) == ["Unsent"] * 30
    assert service.arrivals == []


async def test_a_link_elsewhere_is_not_written_to(
    remote: GraphRemote, service: ScriptedService
) -> None:
    """The misled write is unsent, the sound one beside it is sent."""
    service.then(Reply(201, b"{}"))
    astray = Request("PATCH", "https://graph.example.com/v1.0/me/events/1", body=b"{}")

    outcomes = await remote.write_all([astray, post()])

    assert kinds(outcomes) == ["Unsent", "Answered"]


async def test_a_header_that_would_break_out_is_not_sent(
    remote: GraphRemote, service: ScriptedService
) -> None:
    """An ETag with a line end in it never reaches the wire."""
    forged = Request("DELETE", "/me/events/1", {"If-Match": 'W/"x"\r\nX-Other: 1'})

    assert kinds(await remote.write_all([forged])) == ["Unsent"]
    assert service.arrivals == []


async def test_a_write_never_reuses_a_connection(
    remote: GraphRemote, service: ScriptedService
) -> None:
    """On a kept connection nobody could tell a write that was read from one that was not."""
    await remote.read(get())
    await remote.write_all([post()])
    await remote.write_all([post()])

    assert len({arrival.peer for arrival in service.arrivals}) == 3


# --- batches -----------------------------------------------------------------------------------


async def test_each_part_has_its_own_outcome(remote: GraphRemote, service: ScriptedService) -> None:
    """Accepted, refused, failed, forgotten, skipped: told apart, and nothing is sent twice."""
    service.then(
        batch(part(1, 201), part(2, 404), part(3, 500), part(5, 424), part(6, 302), part(99, 200))
    )

    outcomes = await remote.write_all([post(n) for n in range(1, 7)])

    assert kinds(outcomes) == ["Answered", "Answered", "Lost", "Lost", "Unsent", "Lost"]
    assert len(service.arrivals) == 1
    assert service.arrivals[0].parts[1]["body"] == {"subject": "event 2"}
    assert service.arrivals[0].parts[1]["headers"]["Content-Type"] == "application/json"


async def test_throttled_parts_go_again_alone(
    remote: GraphRemote, service: ScriptedService, world: World
) -> None:
    """The others keep their answers."""
    service.then(
        batch(part(1, 201, {"id": "a"}), part(2, 429, Retry_After="4"), part(3, 201)),
        Reply(201, b'{"id": "b"}'),
    )

    outcomes = await remote.write_all([post(n) for n in range(1, 4)])

    bodies = [json.loads(o.answer.body) for o in outcomes if isinstance(o, Answered)]
    assert bodies == [{"id": "a"}, {"id": "b"}, {}]
    assert world.clock.slept == [4.0]
    assert service.arrivals[1].body == post(2).body


async def test_parts_throttled_beyond_patience_are_unsent(
    remote: GraphRemote, service: ScriptedService
) -> None:
    """What was answered stays answered."""
    service.then(batch(part(1, 201), part(2, 429, Retry_After="400"), part(3, 500)))

    outcomes = await remote.write_all([post(n) for n in range(1, 4)])

    assert kinds(outcomes) == ["Answered", "Unsent", "Lost"]


@pytest.mark.parametrize("step", DOUBTFUL.values(), ids=DOUBTFUL.keys())
async def test_a_batch_without_an_answer_is_in_doubt_whole(
    remote: GraphRemote, service: ScriptedService, step: Step
) -> None:
    """Nobody knows how far the service came."""
    service.then(step)

    outcomes = await remote.write_all([post(1), post(2)])

    assert kinds(outcomes) == ["Lost", "Lost"]
    assert len(service.arrivals) == 1


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"responses": 1}', b'{"responses": [1, null]}'])
async def test_an_answer_that_is_no_batch_leaves_doubt(
    remote: GraphRemote, service: ScriptedService, body: bytes
) -> None:
    """A 200 of another shape says nothing about the parts."""
    service.then(Reply(200, body))

    assert kinds(await remote.write_all([post(1), post(2)])) == ["Lost", "Lost"]


@pytest.mark.parametrize("step", [throttled("2"), Reply(401, b"{}")])
async def test_a_batch_turned_away_goes_again(
    remote: GraphRemote, service: ScriptedService, step: Step
) -> None:
    """429 and 401 of the whole: nothing was processed."""
    service.then(step, batch(part(1, 201), part(2, 201)))

    assert kinds(await remote.write_all([post(1), post(2)])) == ["Answered", "Answered"]


async def test_a_batch_that_is_refused_is_written_one_by_one(
    remote: GraphRemote, service: ScriptedService
) -> None:
    """A 400 for the whole took no effect; each write gets its own answer."""
    service.then(Reply(400, b"{}"), Reply(201, b"{}"), Reply(400, b"{}"), Reply(201, b"{}"))

    outcomes = await remote.write_all([post(n) for n in range(3)])

    assert [o.answer.status for o in outcomes if isinstance(o, Answered)] == [201, 400, 201]


async def test_batches_hold_twenty_and_some_megabytes(
    remote: GraphRemote, service: ScriptedService
) -> None:
    """A large body travels by itself rather than break the batch's limit."""
    large = Request("POST", "/me/events", body=b'"' + b"x" * 2_900_000 + b'"')
    service.then(Reply(201, b"{}"), batch(*map(part, range(1, 21))), batch(part(1), part(2)))

    await remote.write_all([large, large, *map(post, range(21))])

    paths = [arrival.path.removeprefix("/v1.0") for arrival in service.arrivals]
    assert paths == ["/me/events", "/$batch", "/$batch"]
    assert len(service.arrivals[1].parts) == 20
