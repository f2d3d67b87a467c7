"""Recurrence values: Graph's JSON, the one spelling of a meaning, and the dates."""

from __future__ import annotations

import time
from datetime import date, timedelta
from itertools import islice

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.recurrence import (
    Inexpressible,
    Recurrence,
    canonical,
    from_graph,
    last_occurrence,
    nth_occurrence,
    occurrences,
    occurs_on,
    to_graph,
)

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NO_END = {"type": "noEnd", "startDate": "2026-07-06", "endDate": "0001-01-01"}
START = date(2026, 7, 6)


def graph(span: dict[str, object] | None = None, **pattern: object) -> dict[str, object]:
    """A recurrence as Graph answers it, with all the fillers of unused members."""
    fillers = {
        "interval": 1,
        "month": 0,
        "dayOfMonth": 0,
        "daysOfWeek": [],
        "firstDayOfWeek": "sunday",
        "index": "first",
    }
    return {"pattern": fillers | pattern, "range": span or NO_END}


def until(day: str) -> dict[str, object]:
    return {"type": "endDate", "startDate": "2026-07-06", "endDate": day, "numberOfOccurrences": 0}


@pytest.mark.parametrize(
    ("given_json", "found"),
    [
        (graph(type="daily"), Recurrence("daily")),
        (graph(type="Daily", interval=2), Recurrence("daily", 2)),
        (
            graph(type="weekly", daysOfWeek=["wednesday", "Monday"]),
            Recurrence("weekly", days=("monday", "wednesday")),
        ),
        (
            graph(type="weekly", interval=2, daysOfWeek=["sunday", "monday"]),
            Recurrence("weekly", 2, days=("monday", "sunday"), first_day="sunday"),
        ),
        (graph(type="weekly"), Recurrence("weekly", days=("monday",))),
        (
            graph(type="absoluteMonthly", dayOfMonth=6, daysOfWeek=["friday"], month=3),
            Recurrence("absoluteMonthly", day_of_month=6),
        ),
        (
            graph(type="relativeMonthly", daysOfWeek=["monday"]),
            Recurrence("relativeMonthly", days=("monday",), index="first"),
        ),
        (
            graph(type="absoluteYearly", month=7, dayOfMonth=6),
            Recurrence("absoluteYearly", month=7, day_of_month=6),
        ),
        (
            graph(type="relativeYearly", month=7, daysOfWeek=["monday"], index="first"),
            Recurrence("relativeYearly", days=("monday",), month=7, index="first"),
        ),
        (
            graph({"type": "numbered", "numberOfOccurrences": 10}, type="daily"),
            Recurrence("daily", count=10),
        ),
        (graph(until("0001-01-01"), type="daily"), Recurrence("daily")),
        (
            graph(until("2026-12-31T00:00:00Z"), type="daily"),
            Recurrence("daily", until="2026-12-31"),
        ),
        (graph(until("9999-12-31"), type="daily"), Recurrence("daily", until="9999-12-31")),
    ],
)
def test_graph_json_is_read_by_its_types(given_json: dict[str, object], found: Recurrence) -> None:
    """Members that the type does not use are ignored, whatever the service fills in."""
    assert found == from_graph(given_json, START)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"pattern": None, "range": NO_END},
        {"pattern": {"type": "daily", "interval": 1}},
        {"pattern": [], "range": []},
        graph(type="hourly"),
        graph(type=7),
        graph(type="daily", interval=0),
        graph(type="daily", interval="1"),
        graph(type="daily", interval=True),
        graph(type="daily", interval=10**30),
        graph(type="weekly", daysOfWeek=["someday"]),
        graph(type="weekly", daysOfWeek="monday"),
        graph(type="weekly", daysOfWeek=[None]),
        graph(type="weekly", firstDayOfWeek="noday"),
        graph(type="relativeMonthly"),
        graph(type="relativeMonthly", daysOfWeek=["monday"], index="fifth"),
        graph(type="absoluteMonthly", dayOfMonth=32),
        graph(type="absoluteYearly", dayOfMonth=1, month=13),
        graph({"type": "forever"}, type="daily"),
        graph({"type": "numbered", "numberOfOccurrences": 0}, type="daily"),
        graph({"type": "endDate"}, type="daily"),
        graph(until("2026-13-45"), type="daily"),
        graph(until("soon"), type="daily"),
    ],
)
def test_broken_graph_json_is_an_answer(broken: dict[str, object]) -> None:
    """JSON that the documentation does not allow is refused, not guessed at."""
    found = from_graph(broken, START)

    assert isinstance(found, Inexpressible)
    assert found.code == "RR23"


def test_series_that_ends_before_it_begins_is_refused() -> None:
    """An end before the first occurrence leaves nothing to show."""
    found = from_graph(graph(until("2026-07-05"), type="daily"), START)

    assert isinstance(found, Inexpressible)
    assert found.code == "empty-recurrence"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (graph(until("2026-08-03"), type="weekly"), graph(until("2026-08-09"), type="weekly")),
        (
            graph(type="absoluteMonthly", dayOfMonth=31),
            graph(type="relativeMonthly", daysOfWeek=list(WEEK), index="last"),
        ),
        (
            graph(type="absoluteMonthly", dayOfMonth=2),
            graph(type="relativeMonthly", daysOfWeek=list(WEEK), index="second"),
        ),
        (
            graph(type="absoluteYearly", dayOfMonth=31, month=2),
            graph(type="relativeYearly", month=2, daysOfWeek=list(WEEK), index="last"),
        ),
        (
            graph(type="absoluteYearly", dayOfMonth=31, month=4),
            graph(type="absoluteYearly", dayOfMonth=30, month=4),
        ),
        (graph(type="weekly", daysOfWeek=list(WEEK)), graph(type="daily")),
        (
            graph(type="weekly", interval=3, daysOfWeek=["tuesday", "friday"]),
            graph(
                type="weekly",
                interval=3,
                daysOfWeek=["friday", "tuesday", "friday"],
                firstDayOfWeek="tuesday",
            ),
        ),
    ],
)
def test_equal_meanings_are_equal_values(one: dict[str, object], other: dict[str, object]) -> None:
    """Two spellings of the same dates compare equal, so that neither is an edit of the other."""
    assert from_graph(one, START) == from_graph(other, START)
    assert isinstance(from_graph(one, START), Recurrence)


def test_weekly_json_always_names_the_first_day() -> None:
    """Graph's default is not RFC 5545's, so it is never left to the default."""
    sent = to_graph(Recurrence("weekly", days=("monday",), count=3), START, "UTC")

    assert sent == {
        "pattern": {
            "type": "weekly",
            "interval": 1,
            "daysOfWeek": ["monday"],
            "firstDayOfWeek": "monday",
        },
        "range": {
            "type": "numbered",
            "startDate": "2026-07-06",
            "recurrenceTimeZone": "UTC",
            "numberOfOccurrences": 3,
        },
    }


def test_relative_json_names_its_index_and_end() -> None:
    """The end sent is the date of the last occurrence."""
    rule = canonical(
        Recurrence("relativeMonthly", days=("monday",), index="first", until="2026-12-31"), START
    )
    assert rule is not None

    assert to_graph(rule, START, "UTC") == {
        "pattern": {
            "type": "relativeMonthly",
            "interval": 1,
            "daysOfWeek": ["monday"],
            "index": "first",
        },
        "range": {
            "type": "endDate",
            "startDate": "2026-07-06",
            "recurrenceTimeZone": "UTC",
            "endDate": "2026-12-07",
        },
    }


def test_recurrence_survives_storage() -> None:
    """A stored value is the value, and holds only what is not default."""
    rule = Recurrence(
        "weekly", 2, days=("monday", "friday"), first_day="monday", until="2026-12-28"
    )

    stored = msgspec.json.encode(rule)
    assert rule == msgspec.json.decode(stored, type=Recurrence)
    assert b"index" not in stored


@pytest.mark.parametrize(
    ("rule", "start", "dates"),
    [
        (
            Recurrence("absoluteMonthly", day_of_month=31),
            date(2026, 1, 31),
            ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"],
        ),
        (
            Recurrence("absoluteYearly", month=2, day_of_month=29),
            date(2024, 2, 29),
            ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"],
        ),
        (
            Recurrence("weekly", 2, days=("monday", "sunday"), first_day="sunday"),
            date(2026, 7, 6),
            ["2026-07-06", "2026-07-19", "2026-07-20", "2026-08-02"],
        ),
        (
            Recurrence("weekly", 2, days=("monday", "sunday"), first_day="monday"),
            date(2026, 7, 6),
            ["2026-07-06", "2026-07-12", "2026-07-20", "2026-07-26"],
        ),
        (Recurrence("daily", 3, count=2), date(2026, 7, 6), ["2026-07-06", "2026-07-09"]),
        (Recurrence("daily", until="2026-07-07"), date(2026, 7, 6), ["2026-07-06", "2026-07-07"]),
        (
            Recurrence("relativeMonthly", days=WEEK[:5], index="last"),
            date(2026, 1, 30),
            ["2026-01-30", "2026-02-27", "2026-03-31"],
        ),
        (Recurrence("daily"), date(9999, 12, 30), ["9999-12-30", "9999-12-31"]),
        (Recurrence("weekly", days=WEEK), date(9999, 12, 30), ["9999-12-30", "9999-12-31"]),
        (
            Recurrence("weekly", 2, days=("monday", "sunday"), first_day="sunday"),
            date(1, 1, 1),
            ["0001-01-01", "0001-01-14", "0001-01-15"],
        ),
    ],
)
def test_dates_are_those_of_exchange(rule: Recurrence, start: date, dates: list[str]) -> None:
    """Days that a month lacks are its last day; the calendar has two ends."""
    found = [day.isoformat() for day in islice(occurrences(rule, start), len(dates))]

    assert found == dates


KINDS = st.builds(
    Recurrence,
    st.sampled_from(
        [
            "daily",
            "weekly",
            "absoluteMonthly",
            "relativeMonthly",
            "absoluteYearly",
            "relativeYearly",
        ]
    ),
    st.integers(1, 30),
    st.lists(st.sampled_from(WEEK), min_size=1, unique=True).map(tuple),
    st.sampled_from(WEEK),
    st.integers(1, 31),
    st.integers(1, 12),
    st.sampled_from(["first", "second", "third", "fourth", "last"]),
    st.sampled_from([0, 0, 1, 7, 50]),
)
STARTS = st.dates(date(2000, 1, 1), date(2050, 1, 1))


@given(KINDS, STARTS, st.integers(-400, 20_000))
@settings(deadline=None, max_examples=150)
def test_skipping_ahead_finds_the_same_dates(rule: Recurrence, start: date, days: int) -> None:
    """A window far away has the dates that a walk from the start would find there."""
    since = start + timedelta(days=days)
    walked = [day for day in islice(occurrences(rule, start), 400) if day >= since]

    skipped = islice(occurrences(rule, start, from_date=since), len(walked))
    assert walked == list(skipped)
    assert all(occurs_on(rule, start, day) for day in walked[:5])


@given(KINDS, STARTS, st.integers(0, 5000))
@settings(deadline=None, max_examples=150)
def test_last_and_nth_agree_with_the_walk(rule: Recurrence, start: date, days: int) -> None:
    """The arithmetic short cuts find what the walk finds."""
    at_most = start + timedelta(days=days)
    walked = [day for day in islice(occurrences(rule, start), 5001) if day <= at_most]

    assert last_occurrence(rule, start, at_most) == (walked[-1] if walked else None)
    endless = list(islice(occurrences(msgspec.structs.replace(rule, count=0), start), 5))
    assert endless == [nth_occurrence(rule, start, rank + 1) for rank in range(len(endless))]


@given(KINDS, STARTS)
@settings(deadline=None, max_examples=150)
def test_canonical_value_has_the_same_dates(rule: Recurrence, anywhere: date) -> None:
    """Taking away what has no effect has no effect."""
    start = next(occurrences(rule, anywhere))
    plain = canonical(rule, start)
    assert plain is not None

    assert plain == canonical(plain, start)
    assert list(islice(occurrences(rule, start), 100)) == list(
        islice(occurrences(plain, start), 100)
    )


def test_day_before_the_start_is_no_occurrence() -> None:
    """A series has nothing before its start, whatever its pattern says."""
    assert not occurs_on(Recurrence("daily"), START, START - timedelta(days=1))


def test_far_window_of_an_endless_series_costs_nothing() -> None:
    """Eight thousand years of days are skipped, not walked."""
    begun = time.process_time()

    far = next(occurrences(Recurrence("daily", 7), date(1, 1, 1), from_date=date(9990, 1, 1)))
    assert far.weekday() == date(1, 1, 1).weekday()
    assert time.process_time() - begun < 0.5
