"""The envelope of `$batch`: both ways, and with anything in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.errors import BadAnswer
from syncd.graph.batch import Part, decode_batch, encode_batch, portions


def test_a_body_goes_in_as_it_is() -> None:
    """A journaled body is repeated byte for byte, spaces and escapes included."""
    body = b'{ "subject" : "\\u00e9" , "n": 1.0 }'

    assert body in encode_batch([Part("POST", "/me/events", {}, body)])


def test_a_read_has_no_body() -> None:
    """What is not there is left out."""
    assert json.loads(encode_batch([Part("GET", "/me", {}, None)])) == {
        "requests": [{"id": "1", "method": "GET", "url": "/me"}]
    }


def test_a_body_comes_out_as_it_is() -> None:
    """Numbers and escapes are not written anew."""
    raw = (
        b'{"responses":[{"id":"1","status":200,"headers":null,"body":{"n": 1.50, "t":"\\u00e9"}}]}'
    )

    assert decode_batch(raw, 1)[0].body == b'{"n": 1.50, "t":"\\u00e9"}'


def test_a_part_that_is_answered_twice_is_not_answered() -> None:
    """Of two answers nobody knows which holds."""
    raw = b'{"responses":[{"id":"1","status":201},{"id":"1","status":500},{"id":"2","status":200}]}'

    assert list(decode_batch(raw, 2)) == [1]


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b'{"responses":{}}', b"[" * 100_000])
def test_what_is_no_batch_is_told(body: bytes) -> None:
    """Their answer is to blame."""
    with pytest.raises(BadAnswer):
        decode_batch(body, 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
PART = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["1", "2", "3"]) | JSON,
        "status": st.integers(0, 700) | JSON,
        "headers": st.dictionaries(st.sampled_from(["Content-Type", "X"]), JSON) | JSON,
        "body": JSON,
    },
)


@given(st.lists(PART | JSON))
def test_no_part_can_hurt_the_others(parts: list[object]) -> None:
    """Any JSON for parts gives answers for known places, and no error."""
    answers = decode_batch(json.dumps({"responses": parts}).encode(), 3)

    assert answers.keys() <= {0, 1, 2}
    assert all(100 <= answer.status <= 599 for answer in answers.values())


@given(st.lists(st.integers(0, 5_000_000)), st.integers(1, 20))
def test_portions_keep_everything_and_fit(sizes: list[int], most: int) -> None:
    """Each part is in exactly one run, in order; a run fits, or is one part alone."""
    runs = portions(sizes, most_parts=most)

    assert [place for run in runs for place in run] == list(range(len(sizes)))
    assert all(len(run) <= most for run in runs)
    assert all(len(run) == 1 or sum(sizes[p] for p in run) <= 3_000_000 for run in runs)
