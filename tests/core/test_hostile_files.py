"""Any bytes as a file, any JSON as an event: read, held or refused, and never for long."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.lines import Unreadable
from syncd.core.wire.graph import RemoteEvent, decode_event, decode_row
from syncd.core.wire.ics_read import FileItem, NotAnEvent, read
from tests.hostile.claims import OWNER, Watch, examined, received
from tests.hostile.events import EVENTS, event_json, series_json
from tests.hostile.files import BIG, HOSTILE
from tests.hostile.mutation import mutated
from tests.hostile.real import ODD_LINES, REAL

SEARCHING = bool(os.environ.get("SYNCD_SEARCH"))
GUARD_S = 5.0
"""
Five times what a step may take, so that a busy machine makes no test red. What this guards against
takes minutes, not seconds.
"""


def verdict(data: bytes, ask: Callable[[bytes, Watch], str] = examined) -> str:
    """What is said of some bytes, in good time."""
    watch = Watch()
    said = ask(data, watch)
    assert watch.cpu_s < GUARD_S, watch.step
    return said


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_is_read_whole(name: str) -> None:
    """What programs write today has no hold, and says the same however it is written again."""
    assert verdict(REAL[name]) == "item"


@pytest.mark.parametrize("name", HOSTILE)
def test_case_39_a_hostile_file_is_read_or_held_with_a_reason(name: str) -> None:
    """Each for the reason that fits; none crashes, stalls or says something else the next time."""
    wanted, data = HOSTILE[name]

    assert verdict(data) == wanted


LONG = {
    "20,000 guests",
    "10,000 EXDATE values",
    "100,000 components",
    "1,000 overrides",
    "3,000 overrides that stand for nothing",
    "20,000 answers of the owner",
    "lines of all lengths",
    "90,000 lines",
    "3,000 overrides in a zone of their own",
    "10,000 alarms",
    "10,000 EXDATE lines",
    "ten megabytes in one line",
}
"""These take half a minute together: a search has the time, the suite has not."""


@pytest.mark.parametrize("name", [one for one in BIG if SEARCHING or one not in LONG])
def test_a_file_that_is_too_big_for_its_own_good_is_told_in_time(name: str) -> None:
    """Up to the ten megabytes that a file may have, whatever they are."""
    wanted, make = BIG[name]
    data = make()
    assert len(data) <= 10_000_200

    assert verdict(data, lambda given, watch: examined(given, watch, bases=())) == wanted


@settings(max_examples=150)
@given(st.binary(max_size=400) | st.binary(max_size=100).map(lambda data: REAL["khal"] + data))
def test_arbitrary_bytes_are_an_answer(data: bytes) -> None:
    """Alone and behind a good file."""
    verdict(data)


LINES = st.sampled_from(ODD_LINES) | st.sampled_from(
    [line for data in REAL.values() for line in data.splitlines()]
)


@settings(max_examples=150)
@given(st.lists(LINES, max_size=30), st.lists(LINES, max_size=10), st.booleans())
def test_lines_in_any_order_are_an_answer(
    inside: list[bytes], outside: list[bytes], crlf: bool
) -> None:
    """A start and a UID first, so that most of them are read."""
    lines = [
        *(b"BEGIN:VCALENDAR", *outside, b"BEGIN:VEVENT", b"UID:u"),
        *(b"DTSTART;TZID=Europe/Berlin:20260302T100000", *inside),
        *(b"END:VEVENT", b"END:VCALENDAR", b""),
    ]

    verdict((b"\r\n" if crlf else b"\n").join(lines))


@settings(max_examples=120)
@given(st.sampled_from(sorted(REAL)), st.integers(1, 6), st.integers(0, 2**32))
def test_a_mutated_file_is_an_answer(name: str, times: int, seed: int) -> None:
    """What is read of it says the same after every turn of writing and reading."""
    data, random = REAL[name], Random(seed)
    for _ in range(times):
        data = mutated(data, random)

    verdict(data)


@pytest.mark.parametrize("name", REAL)
def test_a_file_cut_anywhere_is_not_read(name: str) -> None:
    """A program that is still writing, a full disk: nothing of the half counts."""
    data = REAL[name]
    whole = data.rstrip(b"\r\n")

    answers = [read(data[:end], OWNER, None) for end in range(len(whole))]

    assert not [answer for answer in answers if isinstance(answer, FileItem | NotAnEvent)]
    assert isinstance(read(whole, OWNER, None), FileItem)


def test_what_is_held_whole_names_a_line_that_there_is() -> None:
    """Counted from one, as editors do; folds and lone CRs count as editors count them."""
    data = REAL["Google"].replace(b"SUMMARY:Team sync\r\n", b"SUMMARY:\r\n a\r\n \xff\r\n")

    found = read(data, OWNER, None)

    line = data.split(b"\r\n").index(b"SUMMARY:") + 1
    assert found == Unreadable("encoding", line, "the line is not valid UTF-8")


# --- events --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVENTS)
def test_a_hostile_event_is_read_or_refused(name: str) -> None:
    """In the reader's own words; the file that is made of it was not edited."""
    wanted, raw = EVENTS[name]

    assert verdict(raw, received) == wanted


@pytest.mark.parametrize("name", ["no JSON", "half of it", "not UTF-8", "nested 100,000 deep"])
def test_what_is_no_event_is_refused_in_one_way(name: str) -> None:
    """So that one bad row of a page costs that row alone."""
    _, raw = EVENTS[name]

    with pytest.raises(msgspec.DecodeError):
        decode_row(raw)
    with pytest.raises(msgspec.DecodeError):
        decode_event(raw)


MEMBERS = st.sampled_from(
    [
        *RemoteEvent.__struct_encode_fields__,
        *("dateTime", "timeZone", "content", "contentType", "emailAddress", "address", "name"),
        *("pattern", "range", "type", "interval", "daysOfWeek", "endDate", "numberOfOccurrences"),
        *("response", "displayName", "joinUrl", "value", "index", "month", "dayOfMonth"),
    ]
)
WORDS = st.sampled_from(
    [
        *("", "x", "UTC", "weekly", "daily", "endDate", "numbered", "monday", "last", "html"),
        *("2026-03-02T09:00:00", "9999-12-31T23:59:59.9999999", "0001-01-01", "OID.x.2026-03-09"),
        *("seriesMaster", "exception", "text", "<p>x", "me@example.org", "\r\nX:1"),
    ]
)
NUMBERS = st.integers(-(2**31), 2**31 - 1) | st.floats(allow_nan=False, allow_infinity=False)
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=150)
@given(st.booleans(), st.dictionaries(MEMBERS, ANYTHING, max_size=5))
def test_any_json_is_an_answer(repeats: bool, members: dict[str, Any]) -> None:
    """Members of the wrong kind, empty, far away or too many."""
    event = {**(series_json() if repeats else event_json()), **members}

    verdict(json.dumps(event).encode(), received)


@settings(max_examples=150)
@given(MEMBERS, ANYTHING, MEMBERS, ANYTHING)
def test_any_recurrence_is_an_answer(one: str, value: Any, other: str, more: Any) -> None:
    """Patterns and ranges that no service documents."""
    verdict(json.dumps(series_json({one: value}, {other: more})).encode(), received)


@settings(max_examples=150)
@given(st.sampled_from(sorted(EVENTS)), st.integers(1, 3), st.integers(0, 2**32))
def test_a_mutated_event_is_an_answer(name: str, times: int, seed: int) -> None:
    """Bytes changed within the JSON, most of which make it none."""
    data, random = EVENTS[name][1][:20_000], Random(seed)
    for _ in range(times):
        data = mutated(data, random)

    assert verdict(data, received) in {"item", "refused", "uid-too-long"}
