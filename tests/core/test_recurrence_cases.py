"""The numbered round-trip cases of recurrence, each from one side to the other and back."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import icalendar
import pytest
import recurring_ical_events

from syncd.core.event import FieldKey, Item
from syncd.core.lint import lint
from syncd.core.recurrence import Recurrence
from syncd.core.wire.graph import RemoteEvent, create_body, read_item
from syncd.core.wire.ics_rewrite import rewrite
from syncd.core.wire.ics_write import local_view, render
from tests.core.test_graph_wire import graph, moment, stored
from tests.core.test_mapping_cases import (
    LATER,
    STAMPS,
    UID,
    codes,
    file,
    found,
    item,
    moved,
    pulled,
    with_master,
)
from tests.strategies import OWNER

ZONE = "W. Europe Standard Time"
WEEK = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
NO_END: dict[str, Any] = {"type": "noEnd", "endDate": "0001-01-01", "numberOfOccurrences": 0}


def series(
    day: str, span: dict[str, Any] | None = None, *, all_day: bool = False, **pattern: Any
) -> RemoteEvent:
    """A master as Graph answers it: 10:00 in Berlin, with fillers in unused members."""
    fillers = {"interval": 1, "month": 0, "dayOfMonth": 0, "daysOfWeek": []}
    fillers |= {"firstDayOfWeek": "sunday", "index": "first"}
    whole = {"startDate": day, "recurrenceTimeZone": ZONE, **(span or NO_END)}
    ends = datetime.fromisoformat(f"{day}T00:00:00")
    times = (f"{day}T10:00:00", f"{day}T11:00:00")
    if all_day:
        times = (ends.isoformat(), ends.replace(day=ends.day + 1).isoformat())
    return graph(
        type="seriesMaster",
        isAllDay=all_day,
        start=moment(times[0], ZONE),
        end=moment(times[1], ZONE),
        recurrence={"pattern": fillers | pattern, "range": whole},
    )


def written(event: RemoteEvent) -> bytes:
    return render(UID, read_item(event, OWNER), STAMPS, OWNER)


def rule_line(data: bytes) -> str:
    """The RRULE of the event, behind those of the zone."""
    (line,) = (
        line.removeprefix("RRULE:")
        for line in data.decode().partition("BEGIN:VEVENT")[2].split("\r\n")
        if line.startswith("RRULE:")
    )
    return line


def check_echo(event: RemoteEvent) -> None:
    """The file is no edit, and what would be sent for it is no change either."""
    there = read_item(event, OWNER)
    data = written(event)
    assert found(data).holds == ()
    assert moved(local_view(there), data) == set()
    back = found(data).item
    assert back is not None
    assert echoed(back).recurrence == there.recurrence


def echoed(local: Item) -> Item:
    """What the service answers to a new event."""
    return read_item(stored(create_body(local, OWNER, UID, "t", with_attendees=False)), OWNER)


def sent(*lines: str) -> dict[str, Any]:
    """The recurrence that goes to the service for a file."""
    assert codes(*lines) == []
    body = create_body(item(*lines), OWNER, UID, "t", with_attendees=False)
    assert isinstance(body["recurrence"], dict)
    return body["recurrence"]


def berlin(day: str) -> str:
    return f"DTSTART;TZID=Europe/Berlin:{day.replace('-', '')}T100000"


@pytest.mark.parametrize(
    ("day", "start", "rule"),
    [
        (31, "2026-07-31", "FREQ=MONTHLY;BYMONTHDAY=-1"),
        (30, "2026-07-30", "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1"),
        (29, "2026-07-29", "FREQ=MONTHLY;BYMONTHDAY=28,29;BYSETPOS=-1"),
        (15, "2026-07-15", "FREQ=MONTHLY;BYMONTHDAY=15"),
    ],
)
def test_case_39_a_day_of_the_month_is_clamped_as_exchange_does(
    day: int, start: str, rule: str
) -> None:
    """RFC 5545 would skip the months that lack it."""
    event = series(start, type="absoluteMonthly", dayOfMonth=day)

    assert rule_line(written(event)) == rule
    check_echo(event)


def test_case_40_the_29th_of_february_is_the_last_of_february() -> None:
    """Every year has one."""
    event = series("2028-02-29", type="absoluteYearly", month=2, dayOfMonth=29)

    assert rule_line(written(event)) == "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"
    check_echo(event)


@pytest.mark.parametrize(
    ("start", "days", "index", "rule"),
    [
        ("2026-07-31", WEEK[:5], "last", "BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),
        ("2026-07-14", ["tuesday"], "second", "BYDAY=2TU"),
        ("2026-07-31", WEEK, "last", "BYMONTHDAY=-1"),
    ],
)
def test_case_41_a_day_by_its_index_is_a_weekday_a_position_or_a_day(
    start: str, days: list[str], index: str, rule: str
) -> None:
    """One weekday, several, or all seven."""
    event = series(start, type="relativeMonthly", daysOfWeek=days, index=index)

    assert rule_line(written(event)) == f"FREQ=MONTHLY;{rule}"
    check_echo(event)


def test_case_42_the_last_sunday_of_march_every_second_year() -> None:
    """The month goes along."""
    pattern = {"type": "relativeYearly", "month": 3, "daysOfWeek": ["sunday"], "index": "last"}
    event = series("2026-03-29", interval=2, **pattern)

    assert rule_line(written(event)) == "FREQ=YEARLY;INTERVAL=2;BYMONTH=3;BYDAY=-1SU"
    check_echo(event)


def test_case_43_the_first_day_of_the_week_is_part_of_the_rule() -> None:
    """Every second week from sunday, or from monday, has other sundays."""
    days = {"daysOfWeek": ["sunday", "monday"], "firstDayOfWeek": "sunday"}
    event = series("2026-07-06", type="weekly", interval=2, **days)
    data = written(event)

    assert rule_line(data) == "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU"
    check_echo(event)
    other = data.replace(b"WKST=SU", b"WKST=MO")
    assert moved(local_view(read_item(event, OWNER)), other) == {("", "recurrence")}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,WE", "FREQ=WEEKLY;BYDAY=MO,WE;WKST=SU"),
        ("FREQ=WEEKLY", "INTERVAL=1;FREQ=WEEKLY"),
        ("FREQ=MONTHLY;BYDAY=2MO", "FREQ=MONTHLY;BYDAY=+2MO"),
    ],
)
def test_case_44_another_spelling_of_a_rule_is_no_edit(before: str, after: str) -> None:
    """Clients stamp WKST, reorder parts and sign ordinals."""
    start = berlin("2026-07-13")
    base = item(start, f"RRULE:{before}")

    assert moved(base, file(start, f"RRULE:{after}")) == set()
    assert codes(start, f"RRULE:{after}") == []


@pytest.mark.parametrize(
    ("all_day", "until"), [(False, "UNTIL=20261231T090000Z"), (True, "UNTIL=20261231")]
)
def test_case_45_an_end_date_has_the_kind_of_the_start(all_day: bool, until: str) -> None:
    """In UTC at the series' time, or a plain date."""
    event = series(
        "2026-07-01", {"type": "endDate", "endDate": "2026-12-31"}, all_day=all_day, type="daily"
    )

    assert rule_line(written(event)) == f"FREQ=DAILY;{until}"
    check_echo(event)


def test_case_46_an_end_in_utc_is_the_day_before_in_los_angeles() -> None:
    """Not the first eight digits of UNTIL."""
    start = "DTSTART;TZID=America/Los_Angeles:20260301T200000"

    span = sent(start, "RRULE:FREQ=DAILY;UNTIL=20260402T030000Z")["range"]

    assert (span["type"], span["endDate"]) == ("endDate", "2026-04-01")


@pytest.mark.parametrize(
    ("until", "last", "noted"),
    [
        ("20261231T230000Z", "2026-12-31", False),
        ("20261231T085959Z", "2026-12-30", False),
        ("20261231", "2026-12-31", True),
    ],
)
def test_case_47_the_last_occurrence_is_the_one_not_after_until(
    until: str, last: str, noted: bool
) -> None:
    """A date lets its whole day through, with a note, since DTSTART has a time."""
    lines = (berlin("2026-07-01"), f"RRULE:FREQ=DAILY;UNTIL={until}")

    assert sent(*lines)["range"]["endDate"] == last
    assert ("until-date" in [one.code for one in lint(file(*lines), OWNER)]) == noted


def test_case_48_a_cancelled_occurrence_counts() -> None:
    """COUNT=10 and an EXDATE show nine."""
    event = series("2026-07-01", {"type": "numbered", "numberOfOccurrences": 10}, type="daily")
    event.cancelled_occurrences = ["OID.x.2026-07-03"]
    data = written(event)

    assert rule_line(data) == "FREQ=DAILY;COUNT=10"
    assert b"\r\nEXDATE;TZID=Europe/Berlin:20260703T100000\r\n" in data
    shown = recurring_ical_events.of(icalendar.Calendar.from_ical(data))
    assert len(shown.between(date(2026, 6, 1), date(2026, 9, 1))) == 9
    check_echo(event)


def test_case_49_fillers_say_nothing() -> None:
    """Year 1 is no end; 0, first and sunday are no part of a daily pattern."""
    event = series("2026-07-01", NO_END, type="daily")

    assert rule_line(written(event)) == "FREQ=DAILY"
    assert read_item(event, OWNER).recurrence == Recurrence("daily")
    check_echo(event)


@pytest.mark.parametrize(
    ("start", "rule", "pattern"),
    [
        (
            "2026-07-06",
            "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
            {"type": "weekly", "interval": 1, "daysOfWeek": WEEK[:5], "firstDayOfWeek": "monday"},
        ),
        (
            "2026-07-13",
            "FREQ=MONTHLY;BYDAY=MO;BYMONTHDAY=8,9,10,11,12,13,14",
            {"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["monday"], "index": "second"},
        ),
        (
            "2026-09-01",
            "FREQ=YEARLY;BYMONTH=3,9;BYMONTHDAY=1",
            {"type": "absoluteMonthly", "interval": 6, "dayOfMonth": 1},
        ),
    ],
)
def test_case_50_a_roundabout_rule_is_sent_as_its_pattern_and_kept(
    start: str, rule: str, pattern: dict[str, Any]
) -> None:
    """The service's echo is no change, and its next edit leaves the line alone."""
    lines = (berlin(start), f"RRULE:{rule}")
    base = item(*lines)

    assert sent(*lines)["pattern"] == pattern
    assert echoed(base).recurrence == base.recurrence
    assert f"RRULE:{rule}" in pulled(file(*lines), base, with_master(base, subject="new"))
    again = rewrite(file(*lines), UID, base, [FieldKey("", "recurrence")], LATER, OWNER, base)
    assert again == file(*lines)


@pytest.mark.parametrize(
    ("start", "rule"),
    [("2026-03-31", "FREQ=MONTHLY"), ("2026-03-31", "FREQ=MONTHLY;BYMONTHDAY=31")],
)
def test_case_51_a_rule_that_skips_months_is_held(start: str, rule: str) -> None:
    """The service would take their last day."""
    assert codes(berlin(start), f"RRULE:{rule}") == ["RR05"]


def test_case_51_two_months_that_have_the_day_are_accepted() -> None:
    """July and August agree."""
    rule = sent(berlin("2026-07-31"), "RRULE:FREQ=MONTHLY;BYMONTHDAY=31;COUNT=2")

    assert rule["range"]["numberOfOccurrences"] == 2
    assert rule["pattern"]["type"] == "relativeMonthly"
    assert rule["pattern"]["daysOfWeek"] == WEEK
    assert rule["pattern"]["index"] == "last"


def check_held(code: str, start: str, *rules: str) -> None:
    """
    Held with its code; beside a base nothing is sent, and the service's edits leave the lines.
    """
    lines = (berlin(start), *rules)
    base = item(berlin(start), "RRULE:FREQ=DAILY;COUNT=3")

    assert codes(*lines) == [code]
    assert codes(*lines, base=base) == [code]
    assert moved(base, file(*lines)) == set()
    after = pulled(file(*lines), base, with_master(base, subject="new"))
    assert [line for line in after if line.startswith(("RRULE", "RDATE", "EXRULE"))] == list(rules)


@pytest.mark.parametrize(
    ("code", "start", "rule"),
    [
        ("RR03", "2026-07-01", "FREQ=MONTHLY;BYMONTHDAY=1,15"),
        ("RR04", "2026-07-30", "FREQ=MONTHLY;BYMONTHDAY=-2"),
        ("RR07", "2026-08-31", "FREQ=MONTHLY;BYDAY=5MO"),
        ("RR08", "2026-07-13", "FREQ=MONTHLY;BYDAY=2MO,4MO"),
        ("RR09", "2026-07-06", "FREQ=MONTHLY;BYDAY=MO"),
    ],
)
def test_case_52_several_or_odd_days_of_a_month_are_held(code: str, start: str, rule: str) -> None:
    """Each with its code."""
    check_held(code, start, f"RRULE:{rule}")


@pytest.mark.parametrize(
    ("code", "start", "rule"),
    [
        ("RR10", "2026-11-13", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13"),
        ("RR12", "2026-05-11", "FREQ=YEARLY;BYWEEKNO=20"),
        ("RR13", "2026-04-10", "FREQ=YEARLY;BYYEARDAY=100"),
        ("RR14", "2026-05-18", "FREQ=YEARLY;BYDAY=20MO"),
        ("RR11", "2026-01-06", "FREQ=YEARLY;BYMONTH=1,3"),
    ],
)
def test_case_53_days_that_no_pattern_names_are_held(code: str, start: str, rule: str) -> None:
    """Each with its code."""
    check_held(code, start, f"RRULE:{rule}")


@pytest.mark.parametrize(
    ("code", "rule"), [("RR01", "FREQ=HOURLY"), ("RR02", "FREQ=DAILY;BYHOUR=9,17")]
)
def test_case_54_several_times_a_day_are_held(code: str, rule: str) -> None:
    """Each with its code."""
    check_held(code, "2026-07-06", f"RRULE:{rule}")


def test_case_54_the_time_of_the_start_said_again_is_a_daily_rule() -> None:
    """BYHOUR and BYMINUTE are not in the pattern, and stay in the file."""
    lines = (berlin("2026-07-06"), "RRULE:FREQ=DAILY;BYHOUR=10;BYMINUTE=0")
    base = item(*lines)

    assert sent(*lines)["pattern"] == {"type": "daily", "interval": 1}
    assert lines[1] in pulled(file(*lines), base, with_master(base, subject="new"))


@pytest.mark.parametrize(
    ("code", "rules"),
    [
        ("RR17", ("RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY")),
        ("RR18", ("RRULE:FREQ=DAILY", "RDATE;TZID=Europe/Berlin:20260901T100000")),
        ("RR17", ("RRULE:FREQ=DAILY", "EXRULE:FREQ=WEEKLY")),
        ("RR19", ("RRULE:FREQ=DAILY;COUNT=1000",)),
        ("RR23", ("RRULE:FREQ=DAILY;COUNT=5;UNTIL=20270101T000000Z",)),
    ],
)
def test_case_55_rules_that_are_too_many_or_too_long_are_held(
    code: str, rules: tuple[str, ...]
) -> None:
    """Each with its code; the lines stay as they are and the service is left alone."""
    check_held(code, "2026-07-06", *rules)


def test_case_56_a_start_beside_the_rule_is_held() -> None:
    """A monday is no wednesday."""
    check_held("RR22", "2026-07-06", "RRULE:FREQ=WEEKLY;BYDAY=WE")


def test_case_57_a_rule_edited_to_and_fro_is_held_and_then_nothing() -> None:
    """The service never hears of it."""
    start, rule = berlin("2026-07-06"), "RRULE:FREQ=WEEKLY;BYDAY=MO"
    event = series("2026-07-06", type="weekly", daysOfWeek=["monday"])
    base = local_view(read_item(event, OWNER))
    base = with_master(base, subject="", when=item(start).master.when)

    check_held("RR01", "2026-07-06", "RRULE:FREQ=HOURLY")
    assert codes(start, "RRULE:FREQ=HOURLY", base=base) == ["RR01"]
    assert moved(base, file(start, "RRULE:FREQ=HOURLY")) == set()
    assert codes(start, rule, base=base) == []
    assert moved(base, file(start, rule)) == set()
