"""What is written of a file because of what the service has, and what is listed of it."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.core.decide import Absent, Sides
from syncd.core.ids import FileName, Uid
from syncd.core.plan import ItemPlan
from syncd.core.state import ItemRecord, Problem
from syncd.core.wire.graph import ICAL_STASH_PROPERTY
from syncd.core.wire.ics_forms import Forms
from tests.core.planning import (
    NEW,
    UID,
    WEEKLY,
    after_change,
    after_deletion,
    after_save,
    desk,
    edited,
    event_text,
    exception,
    file_of,
    invited,
    known,
    made,
    person,
    planned,
    saved,
    series,
    there,
)

TITLE = {"SUMMARY:Stand-up": "SUMMARY:Ours"}
ENDS_BEFORE = {":20260302T100000": ":20260301T100000"}
BOB = person("bob@example.org")


def only(plan: ItemPlan) -> Problem:
    (problem,) = plan.problems
    return problem


def text(plan: ItemPlan) -> str:
    assert plan.file is not None
    assert plan.file.data is not None
    return plan.file.data.decode().replace("\r\n ", "")


def override(day: str, *lines: str) -> str:
    """One occurrence of a series, as somebody writes it into its file."""
    stamp = f"{day.replace('-', '')}T090000"
    event = [
        *("BEGIN:VEVENT", f"UID:{UID}", "DTSTAMP:20260102T000000Z"),
        *(f"RECURRENCE-ID;TZID=Europe/Berlin:{stamp}", f"DTSTART;TZID=Europe/Berlin:{stamp}"),
        f"DTEND;TZID=Europe/Berlin:{stamp.replace('T09', 'T10')}",
        *(*lines, "END:VEVENT"),
    ]
    return "\r\n".join(event)


def with_overrides(*overrides: str) -> dict[str, str]:
    """What adds them to a file."""
    end = "END:VCALENDAR"
    return {end: "\r\n".join([*overrides, end])}


# --- what is held --------------------------------------------------------------------------------


def test_what_is_held_is_listed_with_its_line_and_with_what_helps() -> None:
    """So that a person finds the place, and knows what to write there."""
    before = there()
    lines = edited(file_of(before), ENDS_BEFORE).decode().splitlines()
    (number,) = (at for at, line in enumerate(lines, 1) if line.startswith("DTSTART;"))

    problem = only(after_save(before, ENDS_BEFORE))

    assert (problem.kind, problem.code, problem.fields) == ("hold", "ends-before-start", ("when",))
    assert problem.line == number
    assert problem.hint == "Put DTEND after DTSTART."


def test_the_same_fault_in_two_occurrences_is_two_matters() -> None:
    """Each is listed under an id of its own."""
    long = "CATEGORIES:" + "x" * 300
    both = with_overrides(override("2026-03-09", long), override("2026-03-16", long))

    plan = after_save(series(), both)

    assert [one.code for one in plan.problems] == ["category-too-long"] * 2
    assert len({one.id for one in plan.problems}) == 2


@pytest.mark.parametrize(("foreign", "listed"), [("hold", ["foreign-meeting"]), ("copy", [])])
def test_the_guests_of_a_copied_meeting_are_no_matter_any_more(
    foreign: str, listed: list[str]
) -> None:
    """`foreign_meeting = "copy"`: what else is held of the file is listed all the same."""
    guests = "ORGANIZER:mailto:boss@example.com\r\nATTENDEE:mailto:bob@example.org\r\n"
    long = "CATEGORIES:" + "x" * 300 + "\r\n"
    changes = {"END:VEVENT": f"{guests}{long}END:VEVENT"}

    plan = after_save(there(), changes, at=desk(foreign_meeting=foreign))

    assert sorted(one.code for one in plan.problems) == ["category-too-long", *listed]
    assert plan.writes == ()


# --- a file that is made, or comes back ----------------------------------------------------------


def with_names() -> Any:
    """A desk at which a new name is told from a former one."""
    return desk(new_name=lambda uid, former: former or FileName(f"{uid}-new.ics"))


def test_a_file_that_comes_back_bears_the_name_that_its_person_gave_it() -> None:
    """Until it is there again, what is known of it stays."""
    record = known(there(), file=FileName("mine.ics"))
    moved = there(subject="Moved on")

    plan = planned(Sides(UID, record, Absent(), moved), with_names())

    assert plan.file is not None
    assert plan.file.name == "mine.ics"
    assert plan.after_file is not None
    assert plan.after_file.file == "mine.ics"
    assert plan.record == record
    problem = only(plan)
    assert (problem.kind, problem.code) == ("notice", "restored")
    assert problem.reason == (
        "the file was deleted while the event was changed on the service: it is back"
    )


def test_an_event_that_appears_where_another_file_was_deleted_gets_a_new_one() -> None:
    """The deleted one never was the event's: nothing of it is written, nothing said to be back."""
    waiting = ItemRecord(UID, file=FileName("mine.ics"), content=event_text(*NEW))

    plan = planned(Sides(UID, waiting, Absent(), there()), with_names())

    assert plan.file is not None
    assert plan.file.name == "u-1-new.ics"
    assert plan.file.data == file_of(there())
    assert plan.problems == ()


def test_a_file_that_comes_back_tells_what_only_the_service_decides() -> None:
    """Answers that came meanwhile, and that the meeting was called off."""
    before = there(attendees=[BOB])
    now = there(
        subject="Moved on", isCancelled=True, attendees=[person("bob@example.org", "declined")]
    )

    found = text(after_deletion(before, now))

    assert "SUMMARY:Moved on" in found
    assert "PARTSTAT=DECLINED" in found
    assert "STATUS:CANCELLED" in found


def test_an_occurrence_that_comes_with_a_file_that_is_back_is_of_the_same_item() -> None:
    """It bears the UID of its series."""
    now = series(exceptionOccurrences=[exception("2026-03-09", subject="Alone")])

    found = text(after_deletion(series(), now))

    assert "SUMMARY:Alone" in found
    assert found.count(f"UID:{UID}\r\n") == 2


CUSTOM = "tzone://Microsoft/Custom"
RULE = {**WEEKLY, "range": {**WEEKLY["range"], "recurrenceTimeZone": CUSTOM}}
GUESSED = {"recurrence": RULE, "originalStartTimeZone": CUSTOM}


def test_a_series_that_is_shown_in_a_guessed_zone_says_so() -> None:
    """The notice tells what is shown, and what to make of it."""
    problem = only(
        planned(Sides(UID, None, Absent(), there(type="seriesMaster", **GUESSED)), desk())
    )

    assert problem.reason == (
        "the series repeats in a zone that only the service knows: shown is the mailbox's"
    )
    assert problem.hint == (
        "After a change of clocks its times may be off; Outlook shows the right ones."
    )


@pytest.mark.parametrize("zone", [{}, GUESSED], ids=["a known zone", "a guessed zone"])
def test_a_new_file_has_the_second_forms_that_the_configuration_asks_for(zone: Any) -> None:
    """Each occurrence its own."""
    body = {"body": {"contentType": "html", "content": "<p>All of <b>us</b></p>"}}
    alone = {"body": {"contentType": "html", "content": "<p>Only <i>you</i></p>"}}
    exceptions = [exception("2026-03-09", **alone)]
    event = there(
        **{"type": "seriesMaster", "recurrence": WEEKLY, **zone, **body},
        exceptionOccurrences=exceptions,
    )

    plain, formed = (
        text(planned(Sides(UID, None, Absent(), event), desk(forms=forms)))
        for forms in (Forms(), Forms(html="x-alt-desc"))
    )

    assert "X-ALT-DESC" not in plain
    assert formed.count("X-ALT-DESC") == 2
    assert formed.index("<b>us</b>") < formed.index("RECURRENCE-ID") < formed.index("<i>you</i>")


# --- lines that Graph has no field for -----------------------------------------------------------


def stashed(**more: Any) -> Any:
    """An event that brings along a line of its file's author."""
    (write,) = made(*NEW, "URL:https://example.com").writes
    (value,) = [
        one["value"]
        for one in write.body["singleValueExtendedProperties"]
        if one["id"] == ICAL_STASH_PROPERTY
    ]
    properties = [{"id": ICAL_STASH_PROPERTY, "value": value}]
    return there(singleValueExtendedProperties=properties, **more), value


def test_the_file_of_a_meeting_has_its_authors_lines_again() -> None:
    """Whoever is invited; the lines count as sent."""
    event, stash = stashed(**invited())

    plan = planned(Sides(UID, None, Absent(), event), desk())

    assert "URL:https://example.com" in text(plan)
    assert plan.after_file is not None
    assert plan.after_file.sent_stash == stash


def test_of_a_file_that_cannot_be_read_back_no_line_counts_as_sent() -> None:
    """An event may have a longer UID than any file; it gets its file all the same."""
    uid = Uid("u" * 10_001)
    event, _ = stashed(iCalUId=uid)

    plan = planned(Sides(uid, None, Absent(), event), desk())

    assert f"UID:{uid}" in text(plan)
    assert plan.after_file is not None
    assert plan.after_file.sent_stash == ""


# --- a file that goes ----------------------------------------------------------------------------


def test_a_file_that_is_to_go_is_known_until_it_is_gone() -> None:
    """A kill in between leaves what both sides had agreed on."""
    plan = after_change(there(), None)

    assert plan.file is not None
    assert plan.file.data is None
    assert (plan.record, plan.after_file) == (known(there()), None)


def test_the_text_of_a_meeting_that_went_is_shown_however_its_lines_were_folded() -> None:
    """A line may be folded within a character (RFC 5545 3.1)."""
    before = there(attendees=[BOB])
    record = known(before)
    title = "SUMMARY:Grüße".encode().replace(b"\xc3\xbc", b"\xc3\r\n \xbc")
    data = record.content.replace(b"SUMMARY:Stand-up", title)

    plan = planned(Sides(UID, record, saved(data, record), None), desk())

    problem = only(plan)
    assert (problem.code, problem.summary) == ("deleted-on-server", "Grüße")
    assert problem.local.startswith("BEGIN:VCALENDAR")
    assert plan.lost == data
    assert problem.hint == (
        "The text is kept: `syncd log UID --json` has it, `syncd restore` brings it back."
    )
