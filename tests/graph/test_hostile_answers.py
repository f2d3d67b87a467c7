"""Answers that no honest service gives: bounded in memory, never believed, never followed."""

from __future__ import annotations

import gzip
import tracemalloc
from datetime import UTC, datetime

import pytest

from syncd.core.errors import BadAnswer, LinkAstray
from syncd.graph.links import ServiceRoot
from syncd.graph.transport import GraphRemote
from syncd.graph.waits import LONGEST_PAUSE_S, asked_pause_s
from tests.graph.scripted import JSON, Reply, ScriptedService, World, get

GRAPH = ServiceRoot.parse("https://graph.microsoft.com/v1.0")
MEGABYTE = 1024 * 1024


async def test_a_packed_answer_beyond_the_limit_is_not_kept(
    world: World, service: ScriptedService
) -> None:
    """One that only grows when it is unpacked does not fill the memory either."""
    body = gzip.compress(b'"' + b"x" * (40 * MEGABYTE) + b'"', 1)
    service.then(Reply(body=body, headers={**JSON, "Content-Encoding": "gzip"}))
    tracemalloc.start()
    try:
        async with world.remote(largest_answer_bytes=MEGABYTE) as remote:
            with pytest.raises(BadAnswer, match="larger than any should be"):
                await remote.read(get())
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak_bytes < 12 * MEGABYTE
    assert len(service.arrivals) == 1


@pytest.mark.parametrize(
    ("status", "location"),
    [
        (301, "https://graph.example.com/"),
        (302, "http://graph.example.com/"),
        (303, "//example.com"),
        (307, "/v1.0/me/events"),
        (308, "https://graph.example.com/"),
    ],
)
async def test_a_redirect_leads_nowhere(
    remote: GraphRemote, service: ScriptedService, status: int, location: str
) -> None:
    """Whatever it names, also on the same host: no second request, and no token elsewhere."""
    service.then(Reply(status, b"", {"Location": location}))

    with pytest.raises(BadAnswer, match=f"a redirect .{status}. is not followed"):
        await remote.read(get())

    assert len(service.arrivals) == 1


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<p>Sign in to the network</p>", {"Content-Type": "text/html"}),
        (b'{"value": []}', {"Content-Type": "text/plain"}),
        (b'{"value": []}', {}),
        (b'{"value": NaN}', JSON),
        (b'{"value": Infinity}', JSON),
        (b'{"value": [}', JSON),
        (b'{"value": "\\ud800"}', JSON),
        (b"[" * 100_000 + b"]" * 100_000, JSON),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, JSON),
        (b"\x1f\x8b\x08garbage", {**JSON, "Content-Encoding": "gzip"}),
        (b"", JSON),
    ],
)
async def test_what_cannot_be_read_is_a_bad_answer(
    remote: GraphRemote, service: ScriptedService, body: bytes, headers: dict[str, str]
) -> None:
    """Asked again, in vain; the error has nothing of the answer in it."""
    service.then(*[Reply(body=body, headers=headers)] * 5)

    with pytest.raises(BadAnswer) as caught:
        await remote.read(get())

    assert len(service.arrivals) == 5
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    "text",
    ["9" * 5000, "1e9", "-5", "nan", "inf", "0x10", "1_000", "\u0669\u0669", "3600.5.1", "", " 7 ",
     "999999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 99999 23:59:59 GMT",
     "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 2026 23:59:59 +9999", "7\r\nX: 1"],
)  # fmt: skip
def test_an_absurd_pause_is_none_or_an_hour(text: str) -> None:
    """No header stops a mailbox for longer, and none makes the program fail."""
    pause_s = asked_pause_s({"retry-after": text}, now=datetime(2026, 3, 2, tzinfo=UTC))

    assert pause_s is None or 1 <= pause_s <= LONGEST_PAUSE_S


@pytest.mark.parametrize(
    "path",
    ["/me/calendars/c/events/..", "/me/calendars/./events", "/me/calendars/%2E%2e/events?x=1",
     "https://graph.microsoft.com/v1.0/me/../../admin", "/..?$top=1", "/me/events/.%2e"],
)  # fmt: skip
def test_an_id_that_leads_upwards_is_refused(path: str) -> None:
    """What deletes an event must not delete the calendar that holds it."""
    with pytest.raises(LinkAstray, match="upwards"):
        GRAPH.locate(path)


@pytest.mark.parametrize("path", ["/me/events/a..b", "/me/events/...", "/me/events/x?$filter=../y"])
def test_dots_elsewhere_are_letters(path: str) -> None:
    """In the midst of an id or in a query they lead nowhere."""
    assert GRAPH.locate(path) == GRAPH.url + path
