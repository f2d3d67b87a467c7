"""The generated mailbox: repeatable, mixed as promised, and acceptable to the service."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from hypothesis import given, settings
from hypothesis import strategies as st
from tzlocal.windows_tz import win_tz

from syncd.simulator.generator import (
    CALENDARS,
    IMPORTANCES,
    SENSITIVITIES,
    SHOW_AS,
    ZONES,
    NewEvent,
    ReceivedMeeting,
    Seed,
    generate,
)
from syncd.simulator.generator_series import SHAPES, occurrences
from syncd.simulator.generator_texts import HOSTILE_TEXTS

NOW = datetime(2031, 3, 5, 10, 30, tzinfo=UTC)
OWNER = "ada@simulated.example"
COUNT = 2000
DAYS = {"monday": 0, "tuesday": 1, "wednesday": 2, "thursday": 3, "friday": 4, "saturday": 5,
        "sunday": 6}  # fmt: skip
INDEXES = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}


def mailbox(count: int, seed: int = 7) -> list[Seed]:
    return list(generate(count, seed=seed, now=NOW, owner=OWNER))


@pytest.fixture(scope="module")
def seeds() -> list[Seed]:
    return mailbox(COUNT)


def bodies(seeds: list[Seed]) -> Iterator[dict[str, Any]]:
    return (seed.body for seed in seeds)


def series(seeds: list[Seed]) -> list[Seed]:
    return [seed for seed in seeds if "recurrence" in seed.body]


def wall(value: dict[str, str]) -> datetime:
    return datetime.strptime(value["dateTime"], "%Y-%m-%dT%H:%M:%S.0000000")


def instant(value: dict[str, str]) -> datetime:
    return wall(value).replace(tzinfo=ZoneInfo(win_tz[value["timeZone"]]))


def outcome(seed: Seed) -> str:
    match seed:
        case NewEvent(body={"attendees": [_, *_]}):
            return "organizer"
        case NewEvent():
            return "appointment"
        case ReceivedMeeting():
            return "attendee"


class TestDeterminism:
    def test_same_arguments(self) -> None:
        """
        The same seed makes the same mailbox.
        """
        assert mailbox(100) == mailbox(100)

    def test_another_seed(self) -> None:
        """
        Another seed makes another mailbox.
        """
        assert mailbox(100) != mailbox(100, seed=8)

    def test_longer_run(self) -> None:
        """
        A mailbox may grow: the first events stay what they were.
        """
        assert mailbox(100)[:37] == mailbox(37)

    def test_nothing_asked_for(self) -> None:
        """
        No events are a mailbox too.
        """
        assert mailbox(0) == []


class TestMixture:
    def test_kinds(self, seeds: list[Seed]) -> None:
        """
        About 70 % singles, 15 % series and 10 % all-day events.
        """
        recurring = len(series(seeds))
        all_day = sum(body["isAllDay"] and "recurrence" not in body for body in bodies(seeds))

        assert 0.13 < recurring / COUNT < 0.17
        assert 0.08 < all_day / COUNT < 0.12
        assert 0.70 < 1 - (recurring + all_day) / COUNT < 0.80

    def test_calendars(self, seeds: list[Seed]) -> None:
        """
        Every calendar has events, and most are in the first.
        """
        found = Counter(seed.calendar for seed in seeds)

        assert set(found) == set(CALENDARS)
        assert found[CALENDARS[0]] > 0.7 * COUNT

    def test_roles(self, seeds: list[Seed]) -> None:
        """
        Appointments, own meetings and received ones all occur often, also as series.
        """
        for part in (seeds, series(seeds)):
            found = Counter(map(outcome, part))
            assert set(found) == {"appointment", "organizer", "attendee"}
            assert min(found.values()) > 0.1 * len(part)

    def test_time_window(self, seeds: list[Seed]) -> None:
        """
        Two thirds start near now, and nothing starts more than three years off.
        """
        days = [(wall(body["start"]).date() - NOW.date()).days for body in bodies(seeds)]

        assert 0.62 < sum(-90 <= day <= 365 for day in days) / COUNT < 0.72
        assert max(map(abs, days)) <= 3 * 365 + 1

    def test_every_value_of_every_enumeration(self, seeds: list[Seed]) -> None:
        """
        Nothing an event can say is missing.
        """
        for name, values in (
            ("showAs", SHOW_AS),
            ("sensitivity", SENSITIVITIES),
            ("importance", IMPORTANCES),
        ):
            assert {body[name] for body in bodies(seeds)} == set(values)
        answers = {s.body["responseStatus"]["response"] for s in seeds if outcome(s) == "attendee"}
        assert answers == {"accepted", "tentativelyAccepted", "declined", "notResponded"}

    def test_every_hostile_text(self, seeds: list[Seed]) -> None:
        """
        Each text that breaks naive programs is the subject of some event.
        """
        subjects = {body["subject"] for body in bodies(mailbox(6000))}

        assert set(HOSTILE_TEXTS) <= subjects

    def test_bodies(self, seeds: list[Seed]) -> None:
        """
        Plain text, tables, lists and the block that Teams appends all occur.
        """
        html = [b["body"]["content"] for b in bodies(seeds) if b["body"]["contentType"] == "html"]

        assert 0.2 < 1 - len(html) / COUNT < 0.4
        for mark in ("<table", "<ul>", "<ol>", "meetup-join", "END:VCALENDAR"):
            assert any(mark in content for content in html)

    def test_size(self, seeds: list[Seed]) -> None:
        """
        An event is about two kilobytes of JSON.
        """
        sizes = [len(json.dumps(body, ensure_ascii=False).encode()) for body in bodies(seeds)]

        assert 1600 < sum(sizes) / COUNT < 3000

    def test_all_shapes_of_series(self) -> None:
        """
        The first 120 events already have all six patterns with all three ranges.
        """
        found = {
            (body["recurrence"]["pattern"]["type"], body["recurrence"]["range"]["type"])
            for body in bodies(series(mailbox(120)))
        }

        assert found == set(SHAPES)

    def test_edits_of_series(self, seeds: list[Seed]) -> None:
        """
        Many series have exceptions and cancelled occurrences; some exceptions move.
        """
        edited = series(seeds)
        moved = [p for s in edited for _, p in s.exceptions if "start" in p]

        assert sum(bool(s.cancelled) for s in edited) > 0.2 * len(edited)
        assert sum(bool(s.exceptions) for s in edited) > 0.2 * len(edited)
        assert moved

    def test_zones(self, seeds: list[Seed]) -> None:
        """
        Most of the zones are in use, and each has a known set of rules.
        """
        used = {body["start"]["timeZone"] for body in bodies(seeds)}

        assert set(ZONES) <= set(win_tz)
        assert len(used) > 0.9 * len(ZONES)

    def test_only_series_are_edited(self, seeds: list[Seed]) -> None:
        """
        A single event has no occurrences to cancel or change.
        """
        assert all("recurrence" in s.body for s in seeds if s.cancelled or s.exceptions)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**63),
    now=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),
)
def test_rules_of_the_service(seed: int, now: datetime) -> None:
    """
    Whatever the seed and the day, the service has no reason to refuse an event.
    """
    for made in generate(60, seed=seed, now=now.replace(tzinfo=UTC), owner=OWNER):
        check_times(made.body)
        check_people(made)
        if "recurrence" in made.body:
            check_series(made)
        json.dumps(made.body, ensure_ascii=False).encode("utf-8")


def check_times(body: dict[str, Any]) -> None:
    start, end = body["start"], body["end"]
    assert instant(start) <= instant(end)
    # A time that the zone skips would not survive the way to UTC and back.
    for value in () if body["isAllDay"] else (start, end):
        zone = ZoneInfo(win_tz[value["timeZone"]])
        assert instant(value).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall(value)
    if body["isAllDay"]:
        assert start["timeZone"] == end["timeZone"]
        assert wall(start).time() == wall(end).time() == datetime.min.time()
        assert wall(end) - wall(start) >= timedelta(days=1)


def check_people(made: Seed) -> None:
    addresses = [a["emailAddress"]["address"] for a in made.body.get("attendees", [])]
    assert len(set(addresses)) == len(addresses)
    assert len(made.body["subject"]) <= 255
    match made:
        case NewEvent(body=body):
            assert OWNER not in addresses
            assert not {"organizer", "responseStatus"} & set(body)
        case ReceivedMeeting(body=body):
            (owner,) = (a for a in body["attendees"] if a["emailAddress"]["address"] == OWNER)
            assert owner["status"] == body["responseStatus"]
            assert body["organizer"]["emailAddress"]["address"] not in addresses


def check_series(made: Seed) -> None:
    recurrence, start = made.body["recurrence"], made.body["start"]
    dates = list(islice(occurrences(recurrence), 200))
    assert recurrence["range"]["startDate"] == wall(start).date().isoformat()
    assert recurrence["range"]["recurrenceTimeZone"] == start["timeZone"]
    assert dates[0] == wall(start).date()
    assert dates == expected_dates(recurrence, 200)
    touched = [*made.cancelled, *(day for day, _ in made.exceptions)]
    assert len(set(touched)) == len(touched)
    assert set(touched) <= set(dates)
    check_moves(made, dates)


def check_moves(made: Seed, dates: list[date]) -> None:
    """Event: update: not on or before the day of the previous occurrence, nor on or after the next."""
    moved = {day: wall(p["start"]).date() for day, p in made.exceptions if "start" in p}
    for day, patch in made.exceptions:
        check_times(made.body | patch)
        assert patch.get("start", made.body["start"])["timeZone"] == made.body["start"]["timeZone"]
        assert day in dates
    actual = [moved.get(day, day) for day in dates]
    assert all(before < after for before, after in pairwise(actual))


def expected_dates(recurrence: dict[str, Any], limit: int) -> list[date]:
    """The same dates by dateutil, which knows nothing of Graph's patterns."""
    span, pattern = recurrence["range"], recurrence["pattern"]
    start = datetime.fromisoformat(span["startDate"])
    options: dict[str, Any] = {"dtstart": start, "interval": pattern["interval"]}
    if span["type"] == "endDate":
        options["until"] = datetime.fromisoformat(span["endDate"])
    if span["type"] == "numbered":
        options["count"] = span["numberOfOccurrences"]
    found = rrule.rrule(**(options | by_parts(pattern)))
    return [at.date() for at in islice(found, limit)]


def by_parts(pattern: dict[str, Any]) -> dict[str, Any]:
    kind = pattern["type"]
    freq = {"daily": rrule.DAILY, "weekly": rrule.WEEKLY}.get(
        kind, rrule.YEARLY if kind.endswith("Yearly") else rrule.MONTHLY
    )
    parts: dict[str, Any] = {"freq": freq}
    if "month" in pattern:
        parts["bymonth"] = pattern["month"]
    if "daysOfWeek" in pattern:
        parts["byweekday"] = [DAYS[name] for name in pattern["daysOfWeek"]]
    if kind == "weekly":
        parts["wkst"] = DAYS[pattern["firstDayOfWeek"]]
    if "index" in pattern:
        parts["bysetpos"] = INDEXES[pattern["index"]]
    if "dayOfMonth" in pattern:
        # The last of the days up to the one asked for: Outlook's short-month rule as a BYSETPOS.
        parts |= {"bymonthday": range(min(28, pattern["dayOfMonth"]), pattern["dayOfMonth"] + 1)}
        parts |= {"bysetpos": -1}
    return parts
