"""What plans, problems and decisions of people have in common, whatever they are about."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import msgspec
import pytest

from syncd.core.decide import Same, Sides
from syncd.core.event import Changes, FieldKey
from syncd.core.ids import FileName, ProblemId
from syncd.core.merge import ABSENT
from syncd.core.plan import FileJob, exactly, fields_value, problem_id, stat_of
from syncd.core.state import StoredStat, VerdictRecord
from syncd.ports import FileStat
from tests.core.planning import UID, desk, known, planned, series, there


def test_a_plan_for_an_item_in_step_does_nothing() -> None:
    """It asks for no further look, keeps no text and lists nothing."""
    plan = planned(Sides(UID, known(there()), Same(), there()), desk())

    assert (plan.file, plan.after_file, plan.writes, plan.problems) == (None, None, (), ())
    assert (plan.lost, plan.rival, plan.used_verdicts, plan.keep_todo) == (b"", b"", (), False)


def test_what_a_file_is_written_with_is_the_services_unless_told_otherwise() -> None:
    """Only a person's words have to be read again."""
    assert not FileJob(FileName("a.ics"), b"", None).unread


# --- problems ------------------------------------------------------------------------------------


def test_ids_and_digests_stay_the_same_over_updates() -> None:
    """A person may decide today what another version of syncd listed yesterday."""
    asked = ["updates", ["bob@example.org"], {"subject": {"subject": "Retro"}, "body": {}}]
    in_another_order = [*asked[:2], {"body": {}, "subject": {"subject": "Retro"}}]

    assert problem_id("work", "c-1", "u-1", "hold", "x", "") == "xf7vabd"
    assert exactly(asked) == exactly(in_another_order) == "b9df2a7390fd76f4"


def test_a_problem_of_a_whole_calendar_names_no_item() -> None:
    """Nor a file, a line, or a way out that nobody gave."""
    problem = desk().problem("folder", "unmarked", None, reason="because")

    assert (problem.account, problem.calendar, problem.uid) == ("work", "Calendar", None)
    assert (problem.file, problem.summary, problem.line, problem.hint) == ("", "", 0, "")


@pytest.mark.parametrize(
    ("decided_of", "listed", "counts"), [("a", "a", True), ("a", "b", False), ("", "b", True)]
)
def test_a_decision_counts_for_exactly_what_was_shown(
    decided_of: str, listed: str, counts: bool
) -> None:
    """One that was shown nothing exact counts for whatever the problem has become."""
    problem = ProblemId("p")
    at = replace(desk(), verdicts={problem: VerdictRecord(problem, "approved", decided_of)})

    assert at.verdict(problem, listed) == ("approved" if counts else "")
    assert at.verdict(ProblemId("q"), listed) == ""


# --- values of items and files -------------------------------------------------------------------

MONDAY = date(2026, 3, 9)
SERIES = msgspec.structs.replace(
    series().item,
    overrides={MONDAY: Changes(subject="Alone", reminder_min=None)},
    cancelled=frozenset({date(2026, 3, 16)}),
)


@pytest.mark.parametrize(
    ("slot", "name", "value"),
    [
        ("", "subject", "Stand-up"),
        ("", "recurrence", SERIES.recurrence),
        ("2026-03-09", "subject", "Alone"),
        ("2026-03-09", "reminder_min", None),
        ("2026-03-09", "location", ABSENT),
        ("2026-03-09", "cancelled", ABSENT),
        ("2026-03-16", "cancelled", True),
        ("2026-03-16", "subject", ABSENT),
        ("2026-03-23", "subject", ABSENT),
    ],
)
def test_an_item_has_a_field_or_has_it_not(slot: str, name: str, value: Any) -> None:
    """An occurrence has what it owns: what it inherits is its series', and none is not nothing."""
    found = fields_value(SERIES, FieldKey(slot, name))

    assert found is value if value is ABSENT else found == value
    assert type(found) is type(value)


def test_a_file_is_known_again_by_all_that_its_system_tells_of_it() -> None:
    """Both times in nanoseconds, its size and its place on the disk."""
    assert stat_of(FileStat(mtime_ns=1, ctime_ns=2, size=3, inode=4)) == StoredStat(1, 2, 3, 4)
