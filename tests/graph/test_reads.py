"""Reading: what is repeated, what is waited for, and what is not."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from email.utils import format_datetime

import pytest

from syncd.core.errors import BadAnswer, LoginNeeded, ServiceDown, Throttled, Unreachable
from syncd.graph.transport import GraphRemote, Patience, Timeouts
from tests.graph.scripted import (
    JSON,
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
    part,
    throttled,
)

HTML = {"Content-Type": "text/html"}
PASSING: dict[str, Step] = {
    "500": Reply(500),
    "502": Reply(502),
    "503": Reply(503),
    "504": Reply(504),
    "509": Reply(509),
    "408": Reply(408),
    "reset": Reset(),
    "cut off": CutOff(),
    "half a JSON": Reply(body=b'{"value": ['),
    "a page": Reply(body=b"<html>Sign in to the Wi-Fi</html>", headers=HTML),
    "nothing": Reply(body=b""),
}


async def test_a_request_carries_what_the_service_needs(
    remote: GraphRemote, service: ScriptedService
) -> None:
    """Token, immutable ids beside the request's own preferences, a request id and our name."""
    await remote.read(get("/me/events?$top=5", Prefer='outlook.body-content-type="text"'))

    (arrival,) = service.arrivals
    assert arrival.path == "/v1.0/me/events?$top=5"
    assert arrival.headers["Authorization"] == "Bearer token-0"
    assert arrival.headers["Prefer"] == 'outlook.body-content-type="text", IdType="ImmutableId"'
    assert len(arrival.headers["client-request-id"]) == 36
    assert arrival.headers["return-client-request-id"] == "true"
    assert arrival.headers["User-Agent"].startswith("syncd/")


@pytest.mark.parametrize("step", PASSING.values(), ids=PASSING.keys())
async def test_a_failure_that_passes_is_asked_again(
    remote: GraphRemote, service: ScriptedService, world: World, step: Step
) -> None:
    """One bad answer costs a rest, not the read."""
    service.then(step)

    answer = await remote.read(get())

    assert (answer.status, answer.body) == (200, b'{"value": []}')
    assert len(service.arrivals) == 2
    assert len(world.clock.slept) == 1


@pytest.mark.parametrize(
    ("step", "error"),
    [(Reply(500), ServiceDown), (Reset(), Unreachable), (CutOff(), BadAnswer)],
)
async def test_a_failure_that_stays_is_an_error_after_five_tries(
    remote: GraphRemote, service: ScriptedService, step: Step, error: type[Exception]
) -> None:
    """The ceiling of tries ends in an error of our own, with exit code 5."""
    service.then(*[step] * 9)

    with pytest.raises(error) as caught:
        await remote.read(get("/me/events?secret=1"))

    assert len(service.arrivals) == 5
    assert "secret" not in str(caught.value)
    assert "token-0" not in str(caught.value)


async def test_rests_grow(remote: GraphRemote, service: ScriptedService, world: World) -> None:
    """The back-off doubles, give or take its jitter."""
    service.then(*[Reply(500)] * 4)

    await remote.read(get())

    assert [0.5, 1.0, 2.0, 4.0] <= world.clock.slept <= [1.0, 2.0, 4.0, 8.0]


async def test_a_service_that_is_silent_is_given_up(world: World, service: ScriptedService) -> None:
    """A stalled answer ends by our own timeout and is asked again."""
    service.then(Stall())
    async with world.remote(timeouts=Timeouts(read_s=0.05)) as remote:
        answer = await remote.read(get())

    assert answer.status == 200


async def test_nobody_listens(world: World) -> None:
    """A refused connection is "unreachable", after few tries: most often there is no network."""
    async with world.remote(base_url=f"http://127.0.0.1:{closed_port()}/v1.0") as remote:
        with pytest.raises(Unreachable):
            await remote.read(get())

    assert 0 < sum(world.clock.slept) <= 3


@pytest.mark.parametrize("status", [400, 403, 404, 410, 412, 423])
async def test_a_refusal_is_an_answer(
    remote: GraphRemote, service: ScriptedService, status: int
) -> None:
    """4xx goes to the caller as it is, at once."""
    service.then(Reply(status, b'{"error": {"code": "X"}}'))

    assert (await remote.read(get())).status == status
    assert len(service.arrivals) == 1


async def test_media_may_be_anything(remote: GraphRemote, service: ScriptedService) -> None:
    """The bytes of an attachment need not be JSON."""
    service.then(Reply(body=b"<p>notes</p>", headers=HTML))

    assert (await remote.read(get("/me/events/1/attachments/2/$value"))).body == b"<p>notes</p>"


async def test_a_redirect_is_not_followed(remote: GraphRemote, service: ScriptedService) -> None:
    """A token never travels to where an answer points."""
    service.then(Reply(302, headers={"Location": service.base_url + "/elsewhere"}))

    with pytest.raises(BadAnswer):
        await remote.read(get())
    assert len(service.arrivals) == 1


async def test_an_answer_without_end_is_refused(world: World, service: ScriptedService) -> None:
    """What is larger than any answer should be is not kept in memory."""
    service.then(Reply(body=b'"' + b"x" * 5000 + b'"'))
    async with world.remote(largest_answer_bytes=1000) as remote:
        with pytest.raises(BadAnswer):
            await remote.read(get())
    assert len(service.arrivals) == 1


# --- the pause ---------------------------------------------------------------------------------


async def test_the_pause_is_as_long_as_the_service_says(
    remote: GraphRemote, service: ScriptedService, world: World
) -> None:
    """Retry-After in seconds, waited for once and without jitter."""
    service.then(throttled("7"))

    await remote.read(get())

    assert world.clock.slept == [7.0]


async def test_the_pause_may_be_a_date(
    remote: GraphRemote, service: ScriptedService, world: World
) -> None:
    """Retry-After as an HTTP date."""
    end = world.clock.now() + timedelta(seconds=30)
    service.then(throttled(format_datetime(end, usegmt=True)))

    await remote.read(get())

    assert sum(world.clock.slept) == pytest.approx(30, abs=1)


@pytest.mark.parametrize("status", [503, 504])
async def test_an_outage_that_names_a_pause_is_one(
    remote: GraphRemote, service: ScriptedService, world: World, status: int
) -> None:
    """503 and 504 with Retry-After hold the whole mailbox back."""
    service.then(throttled("9", status))

    await remote.read(get())

    assert world.clock.slept == [9.0]


@pytest.mark.parametrize("after", [None, "0", "soon", "-3"])
async def test_a_throttle_without_a_figure_backs_off(
    remote: GraphRemote, service: ScriptedService, world: World, after: str | None
) -> None:
    """With nothing to go by, the pauses grow by themselves."""
    service.then(*[throttled(after)] * 4)

    await remote.read(get())

    assert [0.5, 1.0, 2.0, 4.0] <= world.clock.slept <= [1.0, 2.0, 4.0, 8.0]


async def test_one_pause_for_the_whole_mailbox(service: ScriptedService, world: World) -> None:
    """Whoever asks next, in another process too, waits for the same end."""
    service.then(throttled("40"))
    async with world.remote(patience=Patience(10)) as first:
        with pytest.raises(Throttled) as caught:
            await first.read(get())
    world.clock.advance(5)

    async with world.remote() as second:
        await second.read(get())

    assert caught.value.pause_s == pytest.approx(40)
    assert world.clock.slept == [pytest.approx(35)]


async def test_side_by_side_a_pause_is_counted_once(service: ScriptedService, world: World) -> None:
    """Four that wait 40 s together have used 40 s of patience."""
    service.then(throttled("40"))
    async with world.remote(batch_size=1) as remote:
        answers = await remote.read_all([get() for _ in range(8)])

    assert len(answers) == 8


async def test_patience_ends(remote: GraphRemote, service: ScriptedService) -> None:
    """Throttled again and again, the read gives up after 60 s of waiting in all."""
    service.then(*[throttled("25")] * 9)

    with pytest.raises(Throttled):
        await remote.read(get())
    assert len(service.arrivals) == 3


async def test_progress_restores_patience(remote: GraphRemote, service: ScriptedService) -> None:
    """Waits before a success do not count against those after it."""
    for _ in range(5):
        service.then(throttled("25"), Reply())
        await remote.read(get())

    assert len(service.arrivals) == 10


async def test_an_absurd_pause_is_cut(service: ScriptedService, world: World) -> None:
    """A figure of days silences the mailbox for an hour at most."""
    service.then(throttled("9" * 50))
    async with world.remote(patience=Patience(10_000)) as remote:
        await remote.read(get())

    assert world.clock.slept == [3600.0]


async def test_a_clock_set_back_does_not_prolong_a_pause(
    service: ScriptedService, world: World
) -> None:
    """An end that no pause can have was noted by a clock that was ahead, and holds nothing up."""
    await world.pauses.extend(world.clock.now())
    world.clock.jump(-400 * 86_400)
    async with world.remote(patience=Patience(3600.0)) as remote:
        await remote.read(get())

    assert world.clock.slept == []


# --- the token ---------------------------------------------------------------------------------


async def test_a_refused_token_is_renewed_once(
    remote: GraphRemote, service: ScriptedService
) -> None:
    """A 401 costs one more request, with a new token."""
    service.then(Reply(401, b"{}"))

    await remote.read(get())

    tokens = [arrival.headers["Authorization"] for arrival in service.arrivals]
    assert tokens == ["Bearer token-0", "Bearer token-1"]


async def test_a_token_refused_twice_needs_a_person(
    remote: GraphRemote, service: ScriptedService
) -> None:
    """A second 401 in a row is no accident."""
    service.then(*[Reply(401, b"{}")] * 3)

    with pytest.raises(LoginNeeded):
        await remote.read(get())
    assert len(service.arrivals) == 2


async def test_without_a_token_nothing_is_sent(
    remote: GraphRemote, service: ScriptedService, world: World
) -> None:
    """A missing login is told as such."""
    world.tokens.trouble = LoginNeeded("account work is not signed in")

    with pytest.raises(LoginNeeded):
        await remote.read(get())
    assert service.arrivals == []


# --- many at once ------------------------------------------------------------------------------


async def test_reads_are_bundled_and_come_back_in_order(
    remote: GraphRemote, service: ScriptedService
) -> None:
    """25 reads are two batches; the answers need not be in order, ours are."""
    first = [part(n, body={"n": n - 1}) for n in reversed(range(1, 21))]
    service.then(batch(*first), batch(*[part(n, body={"n": n + 19}) for n in range(1, 6)]))

    answers = await remote.read_all([get(f"/me/events/{n}") for n in range(25)])

    assert [json.loads(answer.body)["n"] for answer in answers] == list(range(25))
    assert [arrival.path for arrival in service.arrivals] == ["/v1.0/$batch"] * 2
    sent = service.arrivals[0].parts[3]
    assert (sent["id"], sent["method"], sent["url"]) == ("4", "GET", "/me/events/3")
    assert sent["headers"]["Prefer"] == 'IdType="ImmutableId"'


async def test_one_read_is_sent_plain(remote: GraphRemote, service: ScriptedService) -> None:
    """A batch of one would only cost."""
    await remote.read_all([get()])

    assert [arrival.path for arrival in service.arrivals] == ["/v1.0/me/events"]


async def test_nothing_to_read(remote: GraphRemote, service: ScriptedService) -> None:
    """No reads, no requests."""
    assert await remote.read_all([]) == []
    assert service.arrivals == []


async def test_throttled_parts_are_asked_again_alone(
    remote: GraphRemote, service: ScriptedService, world: World
) -> None:
    """Only what was turned away is repeated, after the longest pause that was asked for."""
    service.then(
        batch(part(1), part(2, 429, Retry_After="3"), part(3, 429, Retry_After="8"), part(4)),
        batch(part(1, body={"n": 2}), part(2, body={"n": 3})),
    )

    answers = await remote.read_all([get(f"/me/events/{n}") for n in range(1, 5)])

    assert [answer.status for answer in answers] == [200] * 4
    assert world.clock.slept == [8.0]
    assert [p["url"] for p in service.arrivals[1].parts] == ["/me/events/2", "/me/events/3"]
    assert json.loads(answers[2].body) == {"n": 3}


async def test_missing_and_failed_parts_are_asked_again(
    remote: GraphRemote, service: ScriptedService
) -> None:
    """A part that was forgotten, failed or refused for its token is a read like any other."""
    service.then(batch(part(2, 503), part(3, 401)), batch(part(1), part(2), part(3)))

    answers = await remote.read_all([get(f"/me/events/{n}") for n in range(3)])

    assert [answer.status for answer in answers] == [200] * 3
    assert service.arrivals[1].headers["Authorization"] == "Bearer token-1"


@pytest.mark.parametrize("step", PASSING.values(), ids=PASSING.keys())
async def test_a_batch_of_reads_that_fails_is_asked_again(
    remote: GraphRemote, service: ScriptedService, step: Step
) -> None:
    """Reads are harmless: the whole batch goes again."""
    service.then(step, batch(part(1), part(2)))

    answers = await remote.read_all([get(), get()])

    assert [answer.status for answer in answers] == [200, 200]


async def test_a_batch_that_is_refused_is_sent_one_by_one(
    remote: GraphRemote, service: ScriptedService
) -> None:
    """One malformed part must not refuse the others."""
    service.then(Reply(400, b"{}"), Reply(200), Reply(404, b"{}"))

    answers = await remote.read_all([get("/me/events/1"), get("/me/events/2")])

    assert [answer.status for answer in answers] == [200, 404]


async def test_a_part_that_is_no_json_comes_in_base64(
    remote: GraphRemote, service: ScriptedService
) -> None:
    """The caller gets the bytes."""
    picture = {"id": "1", "status": 200, "headers": {"Content-Type": "image/png"}, "body": "iVBO"}
    service.then(batch(picture, part(2)))

    answers = await remote.read_all([get("/me/photo/$value"), get()])

    assert answers[0].body == b"\x89PN"


async def test_never_more_than_four_at_once(world: World, service: ScriptedService) -> None:
    """Single requests share four places; a batch takes all of them."""
    service.turns = 20
    async with world.remote() as bundling, world.remote(batch_size=1) as single:
        await single.read_all([get() for _ in range(15)])
        alone = service.most_at_once
        service.then(*[batch(part(1), part(2))] * 3)
        await asyncio.gather(*(bundling.read_all([get(), get()]) for _ in range(3)))

    assert (alone, service.most_at_once) == (4, 4)


# --- what is noted -----------------------------------------------------------------------------


async def test_the_clocks_are_compared(
    remote: GraphRemote, service: ScriptedService, world: World
) -> None:
    """The Date of an answer tells how far ahead this machine's clock is."""
    assert remote.clock_skew_s is None
    behind = format_datetime(world.clock.now() - timedelta(minutes=9), usegmt=True)
    service.then(Reply(headers=JSON | {"Date": behind}))

    await remote.read(get())

    assert remote.clock_skew_s == pytest.approx(540, abs=1)


async def test_the_log_gets_facts(
    remote: GraphRemote, service: ScriptedService, world: World
) -> None:
    """Each request is told once, with label, status and attempt, and without its address."""
    service.then(Reply(500))

    await remote.read(get("/me/events/AAMk"))

    assert [fact for fact, _ in world.facts] == ["request.finished"] * 2
    told = [(fields["label"], fields["status"], fields["attempt"]) for _, fields in world.facts]
    assert told == [("events", 500, 1), ("events", 200, 2)]
    assert "AAMk" not in repr(world.facts)
