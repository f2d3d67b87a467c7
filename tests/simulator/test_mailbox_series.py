"""
The mailbox engine: recurrence as Exchange counts it, exceptions and deleted instances.
"""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from syncd.simulator import render
from syncd.simulator.errors import ServiceError
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.recurrence import read_recurrence
from syncd.simulator.render import Look
from tests.simulator.mailbox_world import mailbox, single, weekly, when

MONDAY, TUESDAY = "monday", "tuesday"


def days(pattern: dict[str, Any], start: str, count: int = 4) -> list[str]:
    span = {"type": "numbered", "startDate": start, "numberOfOccurrences": count}
    series = read_recurrence({"pattern": pattern, "range": span})
    return [day.isoformat() for day in series.slots()]


@pytest.mark.parametrize(
    ("pattern", "start", "expected"),
    [
        (
            {"type": "daily", "interval": 3},
            "2031-01-30",
            ["2031-01-30", "2031-02-02", "2031-02-05", "2031-02-08"],
        ),
        (
            {"type": "weekly", "interval": 2, "daysOfWeek": ["sunday", "monday"]},
            "2031-03-03",
            ["2031-03-03", "2031-03-16", "2031-03-17", "2031-03-30"],
        ),
        (
            {
                "type": "weekly",
                "interval": 2,
                "daysOfWeek": ["sunday", "monday"],
                "firstDayOfWeek": "monday",
            },
            "2031-03-03",
            ["2031-03-03", "2031-03-09", "2031-03-17", "2031-03-23"],
        ),
        (
            {"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31},
            "2031-01-31",
            ["2031-01-31", "2031-02-28", "2031-03-31", "2031-04-30"],
        ),
        (
            {
                "type": "relativeMonthly",
                "interval": 1,
                "daysOfWeek": ["saturday", "sunday"],
                "index": "last",
            },
            "2031-01-01",
            ["2031-01-26", "2031-02-23", "2031-03-30", "2031-04-27"],
        ),
        (
            {"type": "absoluteYearly", "interval": 1, "dayOfMonth": 29, "month": 2},
            "2032-02-29",
            ["2032-02-29", "2033-02-28", "2034-02-28", "2035-02-28"],
        ),
        (
            {
                "type": "relativeYearly",
                "interval": 1,
                "daysOfWeek": ["thursday"],
                "index": "fourth",
                "month": 11,
            },
            "2031-01-01",
            ["2031-11-27", "2032-11-25", "2033-11-24", "2034-11-23"],
        ),
    ],
)
def test_each_pattern_names_the_days_that_outlook_shows(
    pattern: Any, start: Any, expected: Any
) -> None:
    """A day the month lacks becomes its last one; weeks begin on the day asked for."""
    assert days(pattern, start) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        {"type": "daily", "interval": 0},
        {"type": "weekly", "interval": 1},
        {"type": "absoluteMonthly", "interval": 1},
        {"type": "absoluteYearly", "interval": 1, "dayOfMonth": 3},
        {"type": "relativeMonthly", "interval": 1, "daysOfWeek": [MONDAY], "index": "fifth"},
        {"type": "hourly", "interval": 1},
        {"type": "daily", "interval": 1, "month": 13},
        {"type": "daily"},
    ],
)
def test_a_pattern_that_lacks_or_breaks_something_is_refused(pattern: Any) -> None:
    """Fields that the type does not use are checked as well."""
    with pytest.raises(ServiceError, match="400"):
        days(pattern, "2031-01-01")


@pytest.mark.parametrize(
    "span",
    [
        {"type": "numbered", "startDate": "2031-03-04", "numberOfOccurrences": 0},
        {"type": "endDate", "startDate": "2031-03-04"},
        {"type": "endDate", "startDate": "2031-03-04", "endDate": "2031-03-03"},
        {"type": "noEnd", "startDate": "2031-03-05"},
        {"type": "noEnd", "startDate": "4 March"},
        {"type": "noEnd"},
    ],
)
def test_a_range_that_does_not_fit_is_refused(span: Any) -> None:
    """Its start must be the event's own day."""
    body = weekly()
    body["recurrence"]["range"] = span
    box = mailbox()

    with pytest.raises(ServiceError, match="400"):
        box.create(box.default_calendar.id, body)


def series(box: Mailbox, **more: Any) -> Any:
    return box.create(box.default_calendar.id, weekly(**more))


def slot_id(box: Mailbox, master: Any, day: str) -> str:
    found = box.instances(
        box.default_calendar.id,
        datetime(2031, 1, 1, tzinfo=UTC),
        datetime(2032, 1, 1, tzinfo=UTC),
    )
    identity: str = next(
        event.id for event in found if event.item is master.item and str(event.slot) == day
    )
    return identity


def test_a_series_keeps_its_wall_time_over_a_clock_change() -> None:
    """Nine in Berlin is eight UTC in March and seven in April."""
    box = mailbox()
    master = series(box)
    shown = [
        render.full_row(box.find(slot_id(box, master, day)), Look())["start"]["dateTime"][11:16]
        for day in ("2031-03-25", "2031-04-01")
    ]

    assert shown == ["08:00", "07:00"]


def test_a_series_whose_start_is_no_day_of_its_pattern_begins_at_the_first_that_is() -> None:
    """The service moves start and range."""
    box = mailbox()
    body = weekly("2031-03-05")

    master = box.create(box.default_calendar.id, body)

    assert master.start.local.date() == date(2031, 3, 11)
    row = render.full_row(master, Look())
    assert row["recurrence"]["range"]["startDate"] == "2031-03-11"


def test_unused_recurrence_fields_come_back_as_fillers() -> None:
    """Clients must go by the types."""
    recurrence = render.full_row(series(mailbox()), Look())["recurrence"]

    assert recurrence["pattern"]["dayOfMonth"] == 0
    assert recurrence["pattern"]["index"] == "first"
    assert recurrence["range"]["endDate"] == "0001-01-01"


def test_an_edited_occurrence_becomes_an_exception_under_the_same_id() -> None:
    """Its other properties go on following the master."""
    box = mailbox()
    master = series(box)
    identity = slot_id(box, master, "2031-03-11")

    box.patch(identity, {"subject": "Special"})
    box.patch(master.id, {"location": {"displayName": "Hall"}})

    exception = box.find(identity)
    assert (exception.kind, exception.subject) == ("exception", "Special")
    assert exception.values["location"]["displayName"] == "Hall"
    assert exception.ical_uid == master.ical_uid


def test_an_occurrences_version_follows_its_master() -> None:
    """Every change of the series shows in each of its rows."""
    box = mailbox()
    master = series(box)
    occurrence = box.find(slot_id(box, master, "2031-03-11"))
    before = occurrence.change_key

    box.patch(master.id, {"categories": ["Red"]})

    assert occurrence.change_key != before


@pytest.mark.parametrize(("day", "allowed"), [("2031-03-12", True), ("2031-03-18", False)])
def test_a_moved_occurrence_stays_between_its_neighbours(day: Any, allowed: Any) -> None:
    """On the neighbour's day it crosses the boundary."""
    box = mailbox()
    identity = slot_id(box, series(box), "2031-03-11")
    move = {"start": when(f"{day}T09:00:00"), "end": when(f"{day}T10:00:00")}

    if allowed:
        assert box.patch(identity, move).start.local.date() == date.fromisoformat(day)
    else:
        with pytest.raises(ServiceError, match="ErrorOccurrenceCrossingBoundary"):
            box.patch(identity, move)


def test_a_recurrence_belongs_to_the_master_alone() -> None:
    """Setting it on an occurrence is a 400."""
    box = mailbox()
    identity = slot_id(box, series(box), "2031-03-11")

    with pytest.raises(ServiceError, match="400"):
        box.patch(identity, {"recurrence": None})


def test_a_deleted_instance_is_remembered_and_its_id_dies() -> None:
    """Its slot still counts."""
    box = mailbox()
    master = series(box)
    identity = slot_id(box, master, "2031-03-11")

    box.delete(identity)

    assert box.cancelled(master.id) == [date(2031, 3, 11)]
    with pytest.raises(ServiceError, match="404"):
        box.find(identity)


@pytest.mark.parametrize(("drops", "kind"), [(True, "occurrence"), (False, "exception")])
def test_a_series_moved_in_time_drops_its_exceptions_or_not(drops: Any, kind: Any) -> None:
    """The switch decides."""
    box = mailbox(series_change_drops_exceptions=drops)
    master = series(box)
    identity = slot_id(box, master, "2031-03-11")
    box.patch(identity, {"subject": "Special"})

    box.patch(master.id, {"start": when("2031-03-04T10:00:00"), "end": when("2031-03-04T11:00:00")})

    assert box.find(identity).kind == kind


def test_a_series_becomes_a_single_event_and_back() -> None:
    """Null ends a series; a recurrence on a single begins one."""
    box = mailbox()
    event = box.create(box.default_calendar.id, single())
    body = weekly()
    body["recurrence"]["pattern"]["daysOfWeek"] = [TUESDAY]

    assert box.patch(event.id, {"recurrence": body["recurrence"]}).kind == "seriesMaster"
    assert box.patch(event.id, {"recurrence": None}).kind == "singleInstance"


def test_an_endless_series_is_expanded_only_as_far_as_the_window() -> None:
    """Asking for a far day is quick and right."""
    box = mailbox()
    series(box, count=None)

    found = box.instances(
        box.default_calendar.id,
        datetime(2051, 3, 1, tzinfo=UTC),
        datetime(2051, 3, 8, tzinfo=UTC),
    )

    assert [str(event.slot) for event in found] == ["2051-03-07"]
