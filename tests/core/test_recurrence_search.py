"""The search for recurrences that mean two things: it is quiet, repeatable, and sees what is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scripts.recurrence import (
    ZONES,
    Difference,
    DrawnRule,
    Expansion,
    Series,
    Span,
    check_rule,
    check_series,
    compare,
    drawn_series,
    search,
)
from syncd.core.zones import windows_zone

ROOT = Path(__file__).resolve().parents[2]


def month_ends(**more: Any) -> Series:
    pattern = {"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31}
    span = {"type": "noEnd", "startDate": "2026-01-31"}
    start, zone = datetime(2026, 1, 31, 10), "W. Europe Standard Time"
    recurrence = {"pattern": pattern, "range": span | {"recurrenceTimeZone": zone, **more}}
    return Series(
        zone=zone,
        start=start,
        length=timedelta(hours=1),
        is_all_day=False,
        is_told_in_utc=True,
        recurrence=recurrence,
    )


def test_a_hundred_recurrences_mean_one_thing() -> None:
    """Both ways, all types, all ranges, and every zone."""
    seen = search(Span(seed=20310304, first=0, end=150, years=10))

    assert sum(seen[f"range {kind}"] for kind in ("noEnd", "endDate", "numbered")) == 150
    assert len([name for name in seen if name.startswith("type ")]) == 6
    assert len([name for name in seen if name.startswith("zone ")]) > 30
    assert seen["code "] > 45
    assert len([name for name in seen if name.startswith("code RR")]) > 10


def test_the_zones_are_forty_that_syncd_knows() -> None:
    """By the names that the service gives them."""
    assert len(set(ZONES)) == 40
    assert [windows_zone(zone) for zone in ZONES] == list(ZONES)


@pytest.mark.parametrize(
    ("there", "instead", "told"),
    [
        (b"BYMONTHDAY=-1", b"BYMONTHDAY=31", "Sat 2026-02-28 10:00:00"),
        (b"FREQ=MONTHLY", b"FREQ=MONTHLY;COUNT=3", "occurrence 4 differs"),
        (b"TZID=Europe/Berlin:", b"TZID=Europe/London:", "(instants)"),
    ],
)
def test_a_file_that_says_something_else_is_a_difference(
    there: bytes, instead: bytes, told: str
) -> None:
    """It is shown with the first occurrence that differs, the JSON and the lines."""
    event = b"BEGIN:VEVENT"

    def altered(data: bytes) -> bytes:
        zones, found, lines = data.partition(event)
        return zones + found + lines.replace(there, instead)

    check_series(month_ends(), 10, is_sampled=True)
    with pytest.raises(Difference) as shown:
        check_series(month_ends(), 10, alter=altered)

    text = str(shown.value)
    assert told in text
    assert '"dayOfMonth": 31' in text
    assert instead.decode() in text


@pytest.mark.parametrize("change", [timedelta(days=1), timedelta(hours=1)])
def test_one_occurrence_elsewhere_is_a_difference(change: timedelta) -> None:
    """Wherever it is in the list."""
    walls = [datetime(2026, 7, day, 10) for day in range(1, 20)]
    other = [*walls[:-1], walls[-1] + change]

    with pytest.raises(Difference, match="occurrence 19 differs"):
        compare("one", Expansion(walls, []), "other", Expansion(other, []))
    with pytest.raises(Difference, match="occurrence 19 differs"):
        compare("one", Expansion(walls, []), "other", Expansion(walls[:-1], []))


def test_a_rule_is_accepted_or_held_with_its_code() -> None:
    """And the figures tell which."""
    start, zone = datetime(2026, 7, 31, 10), "Europe/Berlin"

    assert check_rule(DrawnRule("FREQ=MONTHLY;COUNT=2", start, zone, False), 10) == ("", 2)
    assert check_rule(DrawnRule("FREQ=MONTHLY", start, zone, False), 10) == ("RR05", 0)
    skipping = DrawnRule("RSCALE=GREGORIAN;SKIP=BACKWARD;FREQ=MONTHLY", start, zone, False)
    assert check_rule(skipping, 1) == ("", 13)


def test_a_whole_file_that_is_refused_is_a_difference() -> None:
    """A recurrence alone never makes a file unreadable."""
    rule = DrawnRule("FREQ=DAILY", datetime(2026, 7, 31, 10), "", False, extra="UID:another")

    with pytest.raises(Difference, match="the whole file is refused"):
        check_rule(rule, 10)


def test_a_seed_draws_the_same_again() -> None:
    """Whatever was drawn before."""
    assert drawn_series(Random("1/7")) == drawn_series(Random("1/7"))
    assert drawn_series(Random("1/7")) != drawn_series(Random("1/8"))


def test_the_figures_do_not_depend_on_the_number_of_processes() -> None:
    """The command ends with 0 and prints them."""
    few = ("--patterns", "60", "--years", "1")
    told = [
        subprocess.run(
            [sys.executable, "-m", "scripts.recurrence", *few, "--jobs", jobs],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for jobs in ("1", "2")
    ]

    one, two = (re.sub(r"\b\d+ s\b", "", text) for text in told)
    assert one == two
    assert "patterns: 60 in" in one
    assert "rules: 60, accepted" in one
