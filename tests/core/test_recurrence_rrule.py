"""RRULE text and recurrence values, row by row and by law; dateutil judges the dates."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from syncd.core.recurrence import (
    REFUSALS,
    Inexpressible,
    Recurrence,
    canonical,
    from_graph,
    from_rrule,
    occurrences,
    to_graph,
    to_rrule,
)
from syncd.core.zones import UTC_ZONE, WindowsZone

BERLIN = WindowsZone("W. Europe Standard Time")
LOS_ANGELES = WindowsZone("Pacific Standard Time")
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
INDEXES = ("first", "second", "third", "fourth", "last")


def monday_ten() -> datetime:
    return datetime(2026, 7, 6, 10, 0)


def code(value: str, start: date) -> str:
    found = from_rrule(value, start, BERLIN if isinstance(start, datetime) else None)
    assert isinstance(found, Inexpressible), found
    return found.code


def read(value: str, start: date, zone: WindowsZone | None = BERLIN) -> Recurrence:
    found = from_rrule(value, start, zone if isinstance(start, datetime) else None)
    assert isinstance(found, Recurrence), found
    return found


@pytest.mark.parametrize(
    ("rule", "written"),
    [
        (Recurrence("daily"), "FREQ=DAILY"),
        (Recurrence("daily", 3), "FREQ=DAILY;INTERVAL=3"),
        (Recurrence("weekly", days=("monday",)), "FREQ=WEEKLY;BYDAY=MO"),
        (
            Recurrence("weekly", 2, days=("monday", "sunday"), first_day="sunday"),
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU",
        ),
        (Recurrence("absoluteMonthly", day_of_month=15), "FREQ=MONTHLY;BYMONTHDAY=15"),
        (
            Recurrence("absoluteMonthly", 2, day_of_month=29),
            "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=28,29;BYSETPOS=-1",
        ),
        (
            Recurrence("absoluteMonthly", day_of_month=30),
            "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1",
        ),
        (Recurrence("absoluteMonthly", day_of_month=31), "FREQ=MONTHLY;BYMONTHDAY=-1"),
        (
            Recurrence("relativeMonthly", days=("tuesday",), index="second"),
            "FREQ=MONTHLY;BYDAY=2TU",
        ),
        (
            Recurrence("relativeMonthly", days=WEEK[:5], index="last"),
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        ),
        (Recurrence("relativeMonthly", days=WEEK, index="third"), "FREQ=MONTHLY;BYMONTHDAY=3"),
        (Recurrence("relativeMonthly", days=WEEK, index="last"), "FREQ=MONTHLY;BYMONTHDAY=-1"),
        (
            Recurrence("absoluteYearly", month=2, day_of_month=29),
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1",
        ),
        (
            Recurrence("absoluteYearly", month=4, day_of_month=30),
            "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=30",
        ),
        (
            Recurrence("relativeYearly", 2, days=("sunday",), month=3, index="last"),
            "FREQ=YEARLY;INTERVAL=2;BYMONTH=3;BYDAY=-1SU",
        ),
        (Recurrence("daily", count=10), "FREQ=DAILY;COUNT=10"),
    ],
)
def test_pattern_is_written_in_one_form(rule: Recurrence, written: str) -> None:
    """Each kind of pattern has its own RRULE, clamped where Exchange clamps."""
    assert written == to_rrule(rule, monday_ten(), BERLIN)


@pytest.mark.parametrize(
    ("start", "zone", "until"),
    [
        (datetime(2026, 7, 1, 10), BERLIN, "UNTIL=20261231T090000Z"),
        (date(2026, 7, 1), None, "UNTIL=20261231"),
        (datetime(2026, 7, 1, 10), None, "UNTIL=20261231T100000"),
    ],
)
def test_end_has_the_kind_of_the_start(start: date, zone: WindowsZone | None, until: str) -> None:
    """UNTIL is UTC for a timed series, a date for whole days, local for floating times."""
    rule = Recurrence("daily", until="2026-12-31")

    assert f"FREQ=DAILY;{until}" == to_rrule(rule, start, zone)


@pytest.mark.parametrize(
    ("start", "zone", "until", "last"),
    [
        (datetime(2026, 3, 1, 20), LOS_ANGELES, "20260402T030000Z", "2026-04-01"),
        (datetime(2026, 7, 1, 10), BERLIN, "20261231T230000Z", "2026-12-31"),
        (datetime(2026, 7, 1, 10), BERLIN, "20261231T090000Z", "2026-12-31"),
        (datetime(2026, 7, 1, 10), BERLIN, "20261231T085959Z", "2026-12-30"),
        (datetime(2026, 7, 1, 10), BERLIN, "20261231", "2026-12-31"),
        (datetime(2026, 7, 1, 10), BERLIN, "20261231T095959", "2026-12-30"),
        (datetime(2026, 7, 1, 10), None, "20261231T100000", "2026-12-31"),
        (datetime(2026, 7, 1, 10), None, "20261231T235959Z", "2026-12-31"),
        (datetime(2026, 7, 1, 10), UTC_ZONE, "20261231T235960Z", "2026-12-31"),
        (date(2026, 7, 1), None, "20261231", "2026-12-31"),
        (date(2026, 7, 1), None, "20261231T000000Z", "2026-12-31"),
        (datetime(2026, 3, 1, 2, 30), BERLIN, "20260329T013000Z", "2026-03-29"),
        (datetime(2026, 3, 1, 2, 30), BERLIN, "20260329T010000Z", "2026-03-28"),
        (datetime(2026, 7, 1, 0), BERLIN, "99991231T235959Z", "9999-12-31"),
    ],
)
def test_end_is_the_date_of_the_last_occurrence(
    start: date, zone: WindowsZone | None, until: str, last: str
) -> None:
    """UNTIL is compared with each occurrence's instant, not read by its first eight digits."""
    found = from_rrule(f"FREQ=DAILY;UNTIL={until}", start, zone)

    assert Recurrence("daily", until=last) == found


def test_end_between_two_occurrences_is_the_earlier_one() -> None:
    """Two ends that select the same last occurrence are the same recurrence."""
    start = monday_ten()

    assert read("FREQ=WEEKLY;UNTIL=20260803T080000Z", start) == read(
        "FREQ=WEEKLY;UNTIL=20260809T215959Z", start
    )


@pytest.mark.parametrize(
    ("value", "start", "found"),
    [
        (
            "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
            date(2026, 7, 6),
            Recurrence("weekly", days=WEEK[:5]),
        ),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR,SA,SU", date(2026, 7, 6), Recurrence("daily")),
        ("FREQ=WEEKLY", date(2026, 7, 9), Recurrence("weekly", days=("thursday",))),
        ("FREQ=MONTHLY", date(2026, 7, 28), Recurrence("absoluteMonthly", day_of_month=28)),
        (
            "FREQ=YEARLY",
            date(2026, 7, 31),
            Recurrence("absoluteYearly", month=7, day_of_month=31),
        ),
        (
            "FREQ=YEARLY;BYMONTH=7",
            date(2026, 7, 31),
            Recurrence("absoluteYearly", month=7, day_of_month=31),
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-1",
            date(2026, 7, 31),
            Recurrence("relativeMonthly", days=WEEK, index="last"),
        ),
        *(
            (
                f"FREQ=MONTHLY;{days}",
                date(2026, 7, 13),
                Recurrence("relativeMonthly", days=("monday",), index="second"),
            )
            for days in (
                "BYDAY=MO;BYSETPOS=2",
                "BYDAY=2MO",
                "BYDAY=+2MO",
                "BYDAY=MO;BYMONTHDAY=8,9,10,11,12,13,14",
                "BYDAY=2MO;BYSETPOS=1",
                "BYDAY=2MO;BYSETPOS=-1",
            )
        ),
        (
            "FREQ=DAILY;BYDAY=MO;BYMONTHDAY=8,9,10,11,12,13,14",
            date(2026, 7, 13),
            Recurrence("relativeMonthly", days=("monday",), index="second"),
        ),
        (
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=-7,-6,-5,-4,-3,-2,-1",
            date(2026, 7, 31),
            Recurrence("relativeMonthly", days=("friday",), index="last"),
        ),
        (
            "FREQ=YEARLY;BYMONTH=10;BYDAY=SU;BYMONTHDAY=25,26,27,28,29,30,31",
            date(2026, 10, 25),
            Recurrence("relativeYearly", days=("sunday",), month=10, index="last"),
        ),
        (
            "FREQ=MONTHLY;BYDAY=-1MO,-1TU,-1WE,-1TH,-1FR;BYSETPOS=-1",
            date(2026, 7, 31),
            Recurrence("relativeMonthly", days=WEEK[:5], index="last"),
        ),
        (
            "FREQ=MONTHLY;INTERVAL=12;BYMONTH=7;BYMONTHDAY=6",
            date(2026, 7, 6),
            Recurrence("absoluteYearly", month=7, day_of_month=6),
        ),
        (
            "FREQ=MONTHLY;BYMONTH=7;BYDAY=1MO",
            date(2026, 7, 6),
            Recurrence("relativeYearly", days=("monday",), month=7, index="first"),
        ),
        (
            "FREQ=YEARLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;BYMONTHDAY=6",
            date(2026, 7, 6),
            Recurrence("absoluteMonthly", day_of_month=6),
        ),
        (
            "FREQ=YEARLY;BYMONTH=3,9;BYMONTHDAY=1",
            date(2026, 9, 1),
            Recurrence("absoluteMonthly", 6, day_of_month=1),
        ),
        (
            "FREQ=YEARLY;BYMONTH=1,4,7,10;BYDAY=1MO",
            date(2026, 7, 6),
            Recurrence("relativeMonthly", 3, days=("monday",), index="first"),
        ),
        ("FREQ=DAILY;BYHOUR=10;BYMINUTE=0;BYSECOND=0", monday_ten(), Recurrence("daily")),
        ("FREQ=DAILY;BYHOUR=9", date(2026, 7, 6), Recurrence("daily")),
        (
            "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD;BYMONTHDAY=31",
            date(2026, 7, 31),
            Recurrence("relativeMonthly", days=WEEK, index="last"),
        ),
        (
            "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD",
            date(2026, 7, 30),
            Recurrence("absoluteMonthly", day_of_month=30),
        ),
        (
            "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=BACKWARD",
            date(2024, 2, 29),
            Recurrence("absoluteYearly", month=2, day_of_month=29),
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=2",
            date(2026, 7, 31),
            Recurrence("relativeMonthly", days=WEEK, index="last", count=2),
        ),
        (
            "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31",
            date(2026, 7, 31),
            Recurrence("relativeMonthly", 12, days=WEEK, index="last"),
        ),
        ("FREQ=DAILY;COUNT=1", date(2026, 7, 6), Recurrence("daily", count=1)),
        (
            " interval=1 ; freq=weekly;X-FOO=1;",
            date(2026, 7, 9),
            Recurrence("weekly", days=("thursday",)),
        ),
    ],
)
def test_other_spelling_is_accepted(value: str, start: date, found: Recurrence) -> None:
    """A rule that has exactly a pattern's dates is that pattern, however it is written."""
    assert found == read(value, start)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,WE", "FREQ=WEEKLY;BYDAY=WE,MO;WKST=SU"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE", "WKST=SU;FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE"),
        ("FREQ=WEEKLY", "INTERVAL=1;FREQ=WEEKLY;BYDAY=MO"),
    ],
)
def test_week_start_without_effect_is_no_difference(one: str, other: str) -> None:
    """Clients that stamp WKST on every save change nothing, unless it cuts the weeks elsewhere."""
    assert read(one, monday_ten()) == read(other, monday_ten())


def test_week_start_with_effect_is_a_difference() -> None:
    """Every second week from monday or from sunday has other sundays."""
    every_second = "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST="

    assert read(every_second + "SU", monday_ten()) != read(every_second + "MO", monday_ten())


@pytest.mark.parametrize(
    ("expected", "value", "start"),
    [
        ("RR01", "FREQ=HOURLY", monday_ten()),
        ("RR01", "FREQ=MINUTELY;COUNT=5", monday_ten()),
        ("RR01", "FREQ=SECONDLY", monday_ten()),
        ("RR02", "FREQ=DAILY;BYHOUR=9,17", monday_ten()),
        ("RR02", "FREQ=DAILY;BYMINUTE=0,30", monday_ten()),
        ("RR03", "FREQ=MONTHLY;BYMONTHDAY=1,15", date(2026, 7, 1)),
        ("RR03", "FREQ=MONTHLY;BYMONTHDAY=1,-1", date(2026, 7, 1)),
        ("RR04", "FREQ=MONTHLY;BYMONTHDAY=-2", date(2026, 7, 30)),
        ("RR05", "FREQ=MONTHLY", date(2026, 3, 31)),
        ("RR05", "FREQ=MONTHLY;BYMONTHDAY=31", date(2026, 3, 31)),
        ("RR05", "FREQ=MONTHLY;BYMONTHDAY=29", date(2026, 3, 29)),
        ("RR05", "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3", date(2026, 7, 31)),
        ("RR05", "FREQ=YEARLY", date(2024, 2, 29)),
        ("RR05", "FREQ=YEARLY;INTERVAL=4", date(2024, 2, 29)),
        ("RR06", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=5", date(2026, 7, 6)),
        ("RR06", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1,2", date(2026, 7, 6)),
        ("RR06", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=-2", date(2026, 7, 6)),
        ("RR06", "FREQ=MONTHLY;BYDAY=2MO;BYSETPOS=2", date(2026, 7, 13)),
        ("RR06", "FREQ=DAILY;BYSETPOS=1", date(2026, 7, 6)),
        ("RR07", "FREQ=MONTHLY;BYDAY=5MO", date(2026, 8, 31)),
        ("RR07", "FREQ=YEARLY;BYMONTH=7;BYDAY=-2FR", date(2026, 7, 24)),
        ("RR08", "FREQ=MONTHLY;BYDAY=2MO,4MO", date(2026, 7, 13)),
        ("RR08", "FREQ=MONTHLY;BYDAY=1MO,TU", date(2026, 7, 6)),
        ("RR09", "FREQ=MONTHLY;BYDAY=MO", date(2026, 7, 6)),
        ("RR09", "FREQ=YEARLY;BYMONTH=7;BYDAY=MO", date(2026, 7, 6)),
        ("RR10", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", date(2026, 11, 13)),
        (
            "RR10",
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            date(2024, 11, 5),
        ),
        ("RR11", "FREQ=YEARLY;BYMONTH=1,3;BYMONTHDAY=6", date(2026, 1, 6)),
        ("RR11", "FREQ=YEARLY;INTERVAL=2;BYMONTH=1,7;BYMONTHDAY=6", date(2026, 1, 6)),
        ("RR11", "FREQ=DAILY;BYMONTH=1", date(2026, 1, 6)),
        ("RR11", "FREQ=WEEKLY;BYMONTH=7", date(2026, 7, 6)),
        ("RR11", "FREQ=YEARLY;BYMONTH=1,7;BYDAY=MO;BYSETPOS=1", date(2026, 1, 5)),
        ("RR12", "FREQ=YEARLY;BYWEEKNO=20", date(2026, 5, 11)),
        ("RR13", "FREQ=YEARLY;BYYEARDAY=100", date(2026, 4, 10)),
        ("RR14", "FREQ=YEARLY;BYDAY=20MO", date(2026, 5, 18)),
        ("RR14", "FREQ=YEARLY;BYDAY=MO", date(2026, 7, 6)),
        ("RR14", "FREQ=YEARLY;BYMONTHDAY=6", date(2026, 7, 6)),
        ("RR15", "FREQ=DAILY;INTERVAL=2;BYDAY=MO,WE", date(2026, 7, 6)),
        ("RR16", "FREQ=WEEKLY;BYDAY=1MO", date(2026, 7, 6)),
        ("RR16", "FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=1", date(2026, 7, 6)),
        ("RR19", "FREQ=DAILY;COUNT=1000", date(2026, 7, 6)),
        ("RR19", "FREQ=DAILY;COUNT=0", date(2026, 7, 6)),
        ("RR19", "FREQ=DAILY;COUNT=-1", date(2026, 7, 6)),
        ("RR19", "FREQ=DAILY;INTERVAL=0", date(2026, 7, 6)),
        ("RR19", "FREQ=DAILY;INTERVAL=1000", date(2026, 7, 6)),
        ("RR19", "FREQ=WEEKLY;INTERVAL=100", date(2026, 7, 6)),
        ("RR21", "RSCALE=HEBREW;FREQ=YEARLY", date(2026, 7, 6)),
        ("RR21", "RSCALE=GREGORIAN;SKIP=FORWARD;FREQ=MONTHLY", date(2026, 7, 31)),
        ("RR21", "RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=5L", date(2026, 7, 6)),
        ("RR22", "FREQ=WEEKLY;BYDAY=WE", monday_ten()),
        ("RR22", "FREQ=DAILY;BYHOUR=9", monday_ten()),
        ("RR22", "FREQ=YEARLY;BYMONTH=3,9;BYMONTHDAY=6", date(2026, 7, 6)),
        ("RR22", "FREQ=MONTHLY;BYDAY=2TU", date(2026, 7, 6)),
        ("RR23", "", date(2026, 7, 6)),
        ("RR23", "weekly", date(2026, 7, 6)),
        ("RR23", "FREQ=FORTNIGHTLY", date(2026, 7, 6)),
        ("RR23", "FREQ=DAILY;FREQ=DAILY", date(2026, 7, 6)),
        ("RR23", "FREQ=DAILY;FOO=1", date(2026, 7, 6)),
        ("RR23", "FREQ=DAILY;COUNT=ten", date(2026, 7, 6)),
        ("RR23", "FREQ=DAILY;COUNT=5;UNTIL=20261231", date(2026, 7, 6)),
        ("RR23", "FREQ=DAILY;UNTIL=20261331", date(2026, 7, 6)),
        ("RR23", "FREQ=DAILY;UNTIL=", date(2026, 7, 6)),
        ("RR23", "FREQ=WEEKLY;BYDAY=XX", date(2026, 7, 6)),
        ("RR23", "FREQ=WEEKLY;BYDAY=0MO", date(2026, 7, 6)),
        ("RR23", "FREQ=WEEKLY;BYMONTHDAY=6", date(2026, 7, 6)),
        ("RR23", "FREQ=YEARLY;BYMONTH=13", date(2026, 7, 6)),
        ("RR23", "FREQ=MONTHLY;SKIP=BACKWARD", date(2026, 7, 6)),
        ("empty-recurrence", "FREQ=DAILY;UNTIL=20260705", date(2026, 7, 6)),
        ("empty-recurrence", "FREQ=DAILY;UNTIL=20260706T075959Z", monday_ten()),
    ],
)
def test_inexpressible_rule_is_refused_with_its_code(
    expected: str, value: str, start: date
) -> None:
    """What Graph cannot hold exactly is never approximated; the code says why."""
    assert expected == code(value, start)


def test_last_of_some_days_may_be_another_day_in_february() -> None:
    """A start that is the rule's own date is not told to move: the pattern is what lacks it."""
    assert code("FREQ=MONTHLY;BYMONTHDAY=6,26,31;BYSETPOS=-1", date(2029, 2, 26)) == "RR05"
    assert code("FREQ=MONTHLY;BYMONTHDAY=6,26,31;BYSETPOS=-1", date(2029, 2, 25)) == "RR22"


def test_skip_has_no_effect_on_a_daily_rule() -> None:
    """RFC 7529 4.1: BYMONTHDAY leaves days out there, and makes none that could be missing."""
    daily = "RSCALE=GREGORIAN;SKIP=BACKWARD;FREQ=DAILY;BYMONTHDAY=30"

    assert code(daily, date(2013, 10, 30)) == "RR05"
    assert read(daily.replace("DAILY", "MONTHLY"), date(2013, 10, 30)) == Recurrence(
        "absoluteMonthly", day_of_month=30
    )


def test_weekday_among_days_of_a_year_wants_a_month() -> None:
    """The last thursday of which month? The start is not to blame."""
    week = "FREQ=YEARLY;BYDAY=TH;BYMONTHDAY=-7,-6,-5,-4,-3,-2,-1"

    assert code(week, date(2001, 2, 22)) == "RR14"
    assert read(f"{week};BYMONTH=2", date(2001, 2, 22)) == Recurrence(
        "relativeYearly", days=("thursday",), month=2, index="last"
    )


@pytest.mark.parametrize("until", ["00010101T000000", "00010101T000000Z", "00010101"])
@pytest.mark.parametrize("zone", [BERLIN, LOS_ANGELES, None])
def test_end_in_the_year_1_is_before_every_start(until: str, zone: WindowsZone | None) -> None:
    """There is no day before the first one."""
    found = from_rrule(f"FREQ=DAILY;UNTIL={until}", monday_ten(), zone)

    assert isinstance(found, Inexpressible)
    assert found.code == "empty-recurrence"


def test_every_refusal_says_why() -> None:
    """Each code has a reason, and the message names a way out where there is one."""
    assert {f"RR{number:02}" for number in range(1, 26)} <= REFUSALS.keys()
    assert all(reason for reason, _ in REFUSALS.values())


@pytest.mark.parametrize(
    "value",
    [
        "FREQ=DAILY;INTERVAL=" + "9" * 400,
        "FREQ=DAILY;COUNT=" + "9" * 900,
        "FREQ=MONTHLY;BYMONTHDAY=" + ",".join(["31"] * 300),
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31;BYDAY=MO",
        "FREQ=YEARLY;INTERVAL=99;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=MONTHLY;INTERVAL=99;BYDAY=MO;BYSETPOS=1;UNTIL=99991231",
        "FREQ=DAILY;BYMONTHDAY=1,2,3,4,5,6,7;BYDAY=MO;UNTIL=99991231",
        "FREQ=YEARLY;BYDAY=MO;BYMONTHDAY=1,2,3,4,5,6,7;BYMONTH=" + ",".join(map(str, range(1, 13))),
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30,31;BYSETPOS=1",
        "FREQ=MONTHLY;INTERVAL=97;BYMONTH=2;BYDAY=SA;BYSETPOS=-1",
        "FREQ=DAILY;" * 10_000,
        "FREQ=\x00DAILY;\ud800=\n",
        "FREQ=DAILY;UNTIL=00010101T000000Z",
    ],
)
@pytest.mark.parametrize(
    "start", [date(2026, 7, 6), date(2026, 2, 28), date(1, 1, 1), date(9999, 12, 31)]
)
def test_hostile_rule_is_answered_at_once(value: str, start: date) -> None:
    """No rule makes the reader crash or walk through millennia."""
    begun = time.process_time()

    assert isinstance(from_rrule(value, start, None), Recurrence | Inexpressible)
    assert time.process_time() - begun < 5


@st.composite
def recurrences(draw: st.DrawFn) -> tuple[Recurrence, date]:
    """A canonical recurrence and a start that is its first occurrence."""
    kind = draw(
        st.sampled_from(
            [
                "daily",
                "weekly",
                "absoluteMonthly",
                "relativeMonthly",
                "absoluteYearly",
                "relativeYearly",
            ]
        )
    )
    raw = Recurrence(
        kind,  # type: ignore[arg-type]
        interval=draw(st.integers(1, 99 if kind != "daily" else 999)),
        days=tuple(draw(st.lists(st.sampled_from(WEEK), min_size=1, max_size=7, unique=True))),
        first_day=draw(st.sampled_from(WEEK)),
        day_of_month=draw(st.integers(1, 31)),
        month=draw(st.integers(1, 12)),
        index=draw(st.sampled_from(INDEXES)),
    )
    anywhere = draw(st.dates(date(1990, 1, 1), date(2040, 1, 1)))
    start = next(occurrences(raw, anywhere))
    end = draw(st.sampled_from(["", "count", "until"]))
    count = draw(st.integers(1, 999)) if end == "count" else 0
    until = start + timedelta(days=draw(st.integers(0, 4000)))
    raw = Recurrence(
        raw.type,
        raw.interval,
        raw.days,
        raw.first_day,
        raw.day_of_month,
        raw.month,
        raw.index,
        count,
        until.isoformat() if end == "until" else "",
    )
    found = canonical(raw, start)
    assert found is not None
    return found, start


ZONES = st.sampled_from(
    [None, UTC_ZONE, BERLIN, LOS_ANGELES, WindowsZone("Line Islands Standard Time")]
)


@given(recurrences(), ZONES, st.times())
@example(
    (Recurrence("daily", until="2026-03-29"), date(2026, 3, 1)),
    BERLIN,
    datetime(1, 1, 1, 2, 30).time(),
)
@settings(deadline=None, max_examples=150)
def test_what_is_written_reads_back(
    series: tuple[Recurrence, date], zone: WindowsZone | None, clock: object
) -> None:
    """RRULE and Graph JSON both give back the recurrence that was written."""
    rule, day = series
    start = datetime.combine(day, clock.replace(microsecond=0))  # type: ignore[attr-defined]

    assert rule == from_rrule(to_rrule(rule, start, zone), start, zone)
    assert rule == from_rrule(to_rrule(rule, day, None), day, None)
    assert rule == from_graph(to_graph(rule, day, "UTC"), day)


def dates_by_dateutil(rule: Recurrence, start: date) -> Iterator[date]:
    expansion = rrulestr(
        to_rrule(rule, start, None), dtstart=datetime.combine(start, datetime.min.time())
    )
    return (moment.date() for moment in expansion)


@given(recurrences())
@settings(deadline=None, max_examples=150)
def test_written_rule_has_the_dates_of_the_pattern(series: tuple[Recurrence, date]) -> None:
    """An independent reader of RFC 5545 finds the dates that Exchange makes of the pattern."""
    rule, start = series

    assert list(islice(dates_by_dateutil(rule, start), 120)) == list(
        islice(occurrences(rule, start), 120)
    )


def joined(values: list[int]) -> str:
    return ",".join(str(value) for value in values)


@st.composite
def rule_texts(draw: st.DrawFn) -> str:
    """RRULE text from the grammar, mostly of the kind that calendars write."""
    parts = ["FREQ=" + draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))]
    if draw(st.booleans()):
        parts.append(f"INTERVAL={draw(st.sampled_from([1, 2, 3, 5, 12]))}")
    if draw(st.booleans()):
        ordinals = st.sampled_from(["", "", "1", "2", "+3", "4", "5", "-1", "-2"])
        days = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])
        listed = draw(st.lists(st.builds("{}{}".format, ordinals, days), min_size=1, max_size=4))
        parts.append("BYDAY=" + ",".join(listed))
    if draw(st.booleans()):
        blocks = st.sampled_from([[-1], [31], [28, 29], [28, 29, 30], list(range(8, 15)), [1, 15]])
        parts.append(
            "BYMONTHDAY="
            + joined(draw(blocks | st.lists(st.integers(1, 31), min_size=1, max_size=2)))
        )
    if draw(st.booleans()):
        months = st.sampled_from([[7], [1, 7], [1, 4, 7, 10], list(range(1, 13)), [1, 3]])
        parts.append("BYMONTH=" + joined(draw(months)))
    if draw(st.booleans()):
        parts.append(f"BYSETPOS={draw(st.sampled_from([1, 2, 4, -1, 5]))}")
    if draw(st.booleans()):
        parts.append("WKST=" + draw(st.sampled_from(["MO", "SU", "WE"])))
    return ";".join(parts)


def judged(value: str, start: date, days: int) -> list[date]:
    """The dates of a rule in so many days, by dateutil."""
    midnight = datetime.combine(start, datetime.min.time())
    until = f"{start + timedelta(days=days):%Y%m%d}"
    return [moment.date() for moment in rrulestr(f"{value};UNTIL={until}", dtstart=midnight)]


def accepted_start(value: str, anywhere: date) -> date | None:
    """The first start in a year with which the rule is accepted."""
    for start in (anywhere + timedelta(days=n) for n in range(366)):
        match from_rrule(value, start, None):
            case Recurrence():
                return start
            case Inexpressible("RR05" | "RR22" | "RR24"):
                continue
            case _:
                return None
    return None


@given(
    rule_texts(), st.dates(date(2023, 1, 1), date(2028, 12, 31)), st.sampled_from(["", ";COUNT=2"])
)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.filter_too_much])
def test_accepted_rule_keeps_its_dates(value: str, anywhere: date, count: str) -> None:
    """A rule is accepted only with exactly its own dates, by an independent expansion."""
    start = accepted_start(value + count, anywhere)
    if start is None:
        return
    found = read(value + count, start)

    seen = start + timedelta(days=1000)
    ours = [day for day in islice(occurrences(found, start), 1001) if day <= seen]
    assert judged(value, start, 1000)[: 2 if count else None] == ours


@given(st.text(alphabet="FREQ=DAILYWKSTMONH;,BUC0123456789+-ZX:\n\x00 ", max_size=80))
@settings(deadline=None)
def test_garbage_is_an_answer_not_a_crash(text: str) -> None:
    """Whatever stands in a file, reading it ends in a value."""
    assert isinstance(
        from_rrule("FREQ=DAILY;" + text, monday_ten(), BERLIN), Recurrence | Inexpressible
    )
