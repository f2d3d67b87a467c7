"""What the service cannot repeat, code by code: held, with a word about how to write it instead."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from syncd.core.lint import lint
from syncd.core.pattern import REFUSALS
from syncd.core.recurrence import Inexpressible, Recurrence, from_rrule, overlap
from syncd.core.rrule_parts import Refused, lexed, rule_of
from syncd.core.rrule_read import _check_dates, _End
from syncd.core.wire.holds import hold
from tests.core.test_mapping_cases import file, found, item, moved
from tests.strategies import BERLIN, OWNER

FORMS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "RR01": ("20260706T100000", ("RRULE:FREQ=HOURLY;COUNT=8",), "one daily series"),
    "RR02": ("20260706T090000", ("RRULE:FREQ=DAILY;BYHOUR=9,17",), "one series for each time"),
    "RR03": (
        "20260701T100000",
        ("RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15",),
        "one series for each day",
    ),
    "RR04": ("20260730T100000", ("RRULE:FREQ=MONTHLY;BYMONTHDAY=-2",), "BYMONTHDAY=-1"),
    "RR05": (
        "20260730T100000",
        ("RRULE:FREQ=MONTHLY;BYMONTHDAY=30",),
        "BYMONTHDAY=28,29,30;BYSETPOS=-1",
    ),
    "RR06": ("20260706T100000", ("RRULE:FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1,3",), "each position"),
    "RR07": ("20260831T100000", ("RRULE:FREQ=MONTHLY;BYDAY=5MO",), "Use -1"),
    "RR08": ("20260713T100000", ("RRULE:FREQ=MONTHLY;BYDAY=2MO,4MO",), "one series for each"),
    "RR09": ("20260706T100000", ("RRULE:FREQ=MONTHLY;BYDAY=MO",), "FREQ=WEEKLY"),
    "RR10": ("20261113T100000", ("RRULE:FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",), "single event"),
    "RR11": (
        "20260106T100000",
        ("RRULE:FREQ=YEARLY;BYMONTH=1,3;BYMONTHDAY=6",),
        "one yearly series for each month",
    ),
    "RR12": ("20260511T100000", ("RRULE:FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",), "BYMONTH=5;BYDAY=2MO"),
    "RR13": ("20260410T100000", ("RRULE:FREQ=YEARLY;BYYEARDAY=100",), "BYMONTH and BYMONTHDAY"),
    "RR14": ("20260518T100000", ("RRULE:FREQ=YEARLY;BYDAY=20MO",), "FREQ=WEEKLY or FREQ=MONTHLY"),
    "RR15": ("20260706T100000", ("RRULE:FREQ=DAILY;INTERVAL=2;BYDAY=MO,WE",), "FREQ=WEEKLY"),
    "RR16": ("20260706T100000", ("RRULE:FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=1",), "FREQ=MONTHLY"),
    "RR17": ("20260706T100000", ("RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY"), "one file"),
    "RR18": ("20260706T100000", ("RRULE:FREQ=DAILY", "RDATE:20260901T100000"), "separate events"),
    "RR19": ("20260706T100000", ("RRULE:FREQ=DAILY;COUNT=1000",), "UNTIL instead"),
    "RR21": ("20260706T100000", ("RRULE:RSCALE=HEBREW;FREQ=YEARLY",), "Leave out RSCALE"),
    "RR22": ("20260706T100000", ("RRULE:FREQ=WEEKLY;BYDAY=WE",), "Move the start"),
    "RR23": ("20260706T100000", ("RRULE:FREQ=DAILY;FREQ=WEEKLY",), "Correct the rule"),
}
"""The start in Berlin, the lines, and what the message says to write instead."""


@pytest.mark.parametrize("code", FORMS)
def test_a_form_that_the_service_lacks_is_held_with_a_rewrite(code: str) -> None:
    """The recurrence alone waits, with its line; beside a base it reads as the base's."""
    start, rules, rewrite = FORMS[code]
    head = f"DTSTART;TZID=Europe/Berlin:{start}"
    base = item(head, "RRULE:FREQ=DAILY;COUNT=3")
    data = file(head, *rules)

    (one,) = found(data, base).holds

    assert (one.code, one.slot, one.fields) == (code, "", frozenset({"recurrence"}))
    assert rewrite in one.hint
    assert one.reason
    assert data.splitlines()[one.line - 1].startswith((b"RRULE", b"RDATE"))
    assert moved(base, data) == set()


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MINUTELY;COUNT=5",
        "FREQ=SECONDLY",
        "FREQ=DAILY;BYMINUTE=0,30",
        "FREQ=MONTHLY;BYMONTHDAY=1,-1",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=-2",
        "FREQ=YEARLY;BYMONTH=7;BYDAY=-2FR",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=1000",
        "FREQ=WEEKLY;INTERVAL=100",
        "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=FORWARD",
        "FREQ=DAILY;COUNT=5;UNTIL=20270101T000000Z",
        "FREQ=DAILY;UNTIL=20260705",
    ],
)
def test_every_refusal_is_a_sentence_about_what_to_do(rule: str) -> None:
    """Whatever the code, there is a reason and a way out."""
    refused = from_rrule(rule, datetime(2026, 7, 6, 10), BERLIN)

    assert isinstance(refused, Inexpressible)
    assert refused.suggestion[0].isupper()
    assert refused.suggestion.endswith(".")


def test_every_code_has_a_hint_of_its_own() -> None:
    """A hold that brings no hint gets the usual one."""
    codes = {f"RR{number:02}" for number in range(1, 26)} | {"empty-recurrence"}

    assert codes == REFUSALS.keys()
    assert all(hold(code, "why", fields=frozenset()).hint for code in codes)


def test_code_RR20_a_range_of_over_999_occurrences_is_noted_and_not_held() -> None:
    """Graph takes it; classic Outlook refuses it."""
    start, rule = "DTSTART;TZID=Europe/Berlin:20260706T100000", "RRULE:FREQ=DAILY;UNTIL={}T080000Z"
    longest, longer = (file(start, rule.format(last)) for last in ("20290330", "20290331"))

    assert found(longest).holds == found(longer).holds == ()
    assert "RR20" not in [one.code for one in lint(longest, OWNER)]
    (noted,) = (one for one in lint(longer, OWNER) if one.code == "RR20")
    assert noted.severity == "note"
    assert "End the series earlier" in noted.hint


def test_code_RR24_a_rule_of_other_dates_than_its_pattern_is_refused() -> None:
    """The guard behind the tables: whatever they propose, the dates decide, and the first is told."""
    rule = rule_of(lexed("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=2"))
    wrong = Recurrence("relativeMonthly", days=("monday",), index="third")

    with pytest.raises(Refused) as refused:
        _check_dates(rule, wrong, date(2026, 7, 13), _End())

    assert refused.value.answer.code == "RR24"
    assert "first on 2026-07-13" in refused.value.answer.reason
    assert "End the series before that date" in refused.value.answer.suggestion


DAILY = Recurrence("daily")


@pytest.mark.parametrize(
    ("rule", "hours", "day"),
    [
        (DAILY, 25, "2026-07-07"),
        (Recurrence("daily", 2), 49, "2026-07-08"),
        (Recurrence("weekly", days=("monday", "wednesday", "thursday")), 30, "2026-07-09"),
        (Recurrence("weekly", days=("monday",)), 7 * 24 + 1, "2026-07-13"),
        (Recurrence("absoluteMonthly", day_of_month=6), 29 * 24, "2027-03-06"),
        (Recurrence("absoluteYearly", month=7, day_of_month=6), 366 * 24, "2027-07-06"),
        (Recurrence("daily", count=2), 25, "2026-07-07"),
    ],
)
def test_code_RR25_occurrences_that_overlap_are_refused(
    rule: Recurrence, hours: int, day: str
) -> None:
    """With the first that begins before the one before it has ended."""
    refused = overlap(rule, date(2026, 7, 6), timedelta(hours=hours))

    assert refused is not None
    assert refused.code == "RR25"
    assert f"first on {day}" in refused.reason
    assert "Make the event shorter" in refused.suggestion


@pytest.mark.parametrize(
    ("rule", "hours"),
    [
        (DAILY, 24),
        (Recurrence("daily", 2), 48),
        (Recurrence("daily", count=1), 100),
        (Recurrence("daily", until="2026-07-06"), 100),
        (Recurrence("weekly", days=("monday",)), 7 * 24),
        (Recurrence("absoluteMonthly", day_of_month=6), 28 * 24),
    ],
)
def test_occurrences_that_meet_do_not_overlap(rule: Recurrence, hours: int) -> None:
    """One may begin where the one before it ends."""
    assert overlap(rule, date(2026, 7, 6), timedelta(hours=hours)) is None
