"""What becomes of a file and an event that both are there, and of the file alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.core.decide import Absent, Broken, Same, Sides
from syncd.core.event import FieldKey
from syncd.core.ids import FileName, Fingerprint
from syncd.core.lines import Unreadable
from syncd.core.plan import Desk, ItemPlan
from syncd.core.policies import POLICIES
from syncd.core.state import ItemRecord, Problem
from tests.core.planning import (
    READ_ONLY,
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
    person,
    planned,
    saved,
    series,
    there,
    told,
)

TITLE = {"SUMMARY:Stand-up": "SUMMARY:Ours"}
THEIRS = there(subject="Theirs")
BOB = person("bob@example.org")
WHEN = ("DTSTART;TZID=Europe/Berlin:20260302T090000", "DTEND;TZID=Europe/Berlin:20260302T100000")
ALIKE = ("SUMMARY:Stand-up", "LOCATION:Room 1", *WHEN)
OURS = ("SUMMARY:Ours", *ALIKE[1:])
HOST, GUEST = "ORGANIZER:mailto:me@example.org", "ATTENDEE:mailto:bob@example.org"


def only(plan: ItemPlan) -> Problem:
    (problem,) = plan.problems
    return problem


def bodies(plan: ItemPlan) -> list[Any]:
    return [write.body for write in plan.writes]


def text(plan: ItemPlan) -> str:
    assert plan.file is not None
    assert plan.file.data is not None
    return plan.file.data.decode().replace("\r\n ", "")


# --- a new event, and one that is gone -----------------------------------------------------------


def test_a_new_event_gets_a_file() -> None:
    """It is agreed once the file is there; nothing is listed and nothing sent."""
    event = there()

    plan = planned(Sides(UID, None, Absent(), event), desk())

    assert text(plan) == file_of(event).decode().replace("\r\n ", "")
    assert plan.file is not None
    assert (plan.file.name, plan.file.expect) == ("u-1.ics", None)
    assert (plan.writes, plan.problems, plan.record) == ((), (), None)
    after = plan.after_file
    assert after is not None
    assert (after.graph_id, after.file, after.content) == ("g-1", "u-1.ics", plan.file.data)
    assert (after.base_local, after.base_remote) == (known(event).base_local, event.item)
    assert plan.keep_todo


def test_a_file_goes_when_its_event_went() -> None:
    """Only as it was last seen; its text goes to the history first."""
    plan = after_change(there(), None)

    assert plan.file is not None
    assert (plan.file.name, plan.file.data, plan.file.expect) == ("u-1.ics", None, "f-1")
    assert (plan.lost, plan.after_file, plan.keep_todo) == (file_of(there()), None, True)
    assert (plan.writes, plan.problems) == ((), ())


def test_a_file_that_was_saved_without_a_change_goes_as_it_is_now() -> None:
    """It is not taken for the one that was seen before."""
    record = known(there())
    local = saved(edited(record.content, {"DTSTAMP:2026": "DTSTAMP:2025"}), record)

    plan = planned(Sides(UID, record, local, None), desk())

    assert plan.file is not None
    assert (plan.file.data, plan.file.expect) == (None, "f-2")


def test_the_text_of_a_meeting_that_went_while_its_file_was_edited_is_kept() -> None:
    """Making it again would invite everyone anew."""
    before = there(attendees=[BOB])
    record = known(before)
    local = saved(edited(record.content, TITLE), record)

    plan = planned(Sides(UID, record, local, None), desk())

    assert plan.file is not None
    assert (plan.file.data, plan.writes) == (None, ())
    problem = only(plan)
    assert (problem.kind, problem.code, problem.needs_person) == (
        *("conflict", "deleted-on-server"),
        False,
    )
    assert "SUMMARY:Ours" in problem.local
    assert plan.lost == local.data
    assert "syncd restore" in problem.hint
    assert problem.reason == "the meeting was deleted on the service while the file was edited"


def test_a_file_whose_kept_text_cannot_be_read_any_more_is_written_anew() -> None:
    """A later syncd may be stricter than the one that kept it."""
    before = there()
    record = known(before, content=b"no calendar")

    plan = planned(Sides(UID, record, Absent(), THEIRS), desk())

    assert "SUMMARY:Theirs" in text(plan)


def test_a_file_that_comes_back_has_its_own_lines_again() -> None:
    """What a person had written is brought up to date, not made anew."""
    record = known(there())
    record = replace(record, content=edited(record.content, {"CREATED:": "X-MINE:yes\r\nCREATED:"}))

    plan = planned(Sides(UID, record, Absent(), THEIRS), desk())

    assert "X-MINE:yes" in text(plan)
    assert "SUMMARY:Theirs" in text(plan)


CUSTOM = {**WEEKLY, "range": {**WEEKLY["range"], "recurrenceTimeZone": "tzone://Microsoft/Custom"}}
GUESSED = there(
    type="seriesMaster", recurrence=CUSTOM, originalStartTimeZone="tzone://Microsoft/Custom"
)


def test_a_series_in_a_zone_that_only_the_service_knows_is_shown_with_a_word() -> None:
    """Its times may be off after a change of clocks."""
    problem = only(planned(Sides(UID, None, Absent(), GUESSED), desk()))

    assert (problem.kind, problem.code) == ("notice", "approximate-zone")
    assert not problem.needs_person
    assert "Outlook shows the right ones" in problem.hint


def test_the_time_of_such_a_series_is_not_sent() -> None:
    """What is shown is a guess; the title goes on."""
    changes = TITLE | {":20260302T090000": ":20260302T083000"}

    plan = after_save(GUESSED, changes)

    assert bodies(plan) == [{"subject": "Ours"}]
    problem = only(plan)
    assert (problem.kind, problem.code, problem.fields) == ("hold", "approximate-zone", ("when",))
    assert (problem.needs_person, problem.hint) == (True, "Change its time in Outlook.")


# --- files that cannot be read, or not in full ---------------------------------------------------


@pytest.mark.parametrize("record", [None, known(there())], ids=["new", "known"])
def test_a_file_that_cannot_be_read_is_left_alone(record: ItemRecord | None) -> None:
    """It is listed with its line, and read again when it changes."""
    broken = Broken(Unreadable("parse-error", 7, "no end"), b"x", Fingerprint("f-9"))

    plan = planned(Sides(UID, record, broken, there() if record else None), desk())

    assert (plan.file, plan.writes) == (None, ())
    problem = only(plan)
    assert (problem.kind, problem.code, problem.line, problem.reason) == (
        *("unreadable", "parse-error"),
        *(7, "no end"),
    )
    assert problem.hint == "Mend the file; its last good version stays on the service."
    expected = None if record is None else replace(record, fingerprint=None, stat=None)
    assert plan.record == expected


def test_a_file_whose_time_cannot_be_sent_is_left_alone() -> None:
    """With the reason; a new one has nothing to stand in for it."""
    plan = planned(Sides(UID, None, saved(event_text("SUMMARY:x")), None), desk())

    assert (plan.file, plan.writes, plan.record) == (None, (), None)
    assert [one.kind for one in plan.problems] == ["hold"]


SECONDLY = {"RRULE:FREQ=WEEKLY;BYDAY=MO": "RRULE:FREQ=SECONDLY"}


def test_what_is_held_neither_leaves_nor_is_overwritten() -> None:
    """The rest of the item goes on, in both directions."""
    fortnightly = {**WEEKLY, "pattern": {**WEEKLY["pattern"], "interval": 2}}
    moved = there(type="seriesMaster", recurrence=fortnightly, location={"displayName": "Room 2"})

    plan = after_save(series(), TITLE | SECONDLY, now=moved)

    assert bodies(plan) == [{"subject": "Ours"}]
    assert "LOCATION:Room 2" in text(plan)
    assert "RRULE:FREQ=SECONDLY" in text(plan)
    assert [(one.kind, one.fields) for one in plan.problems] == [("hold", ("recurrence",))]


def test_while_the_rule_is_held_no_occurrence_is_sent_or_brought_in() -> None:
    """Which occurrences there are is just what is not known."""
    moved = series(exceptionOccurrences=[exception("2026-03-09", subject="There")])

    plan = after_save(series(), TITLE | SECONDLY, now=moved)

    assert bodies(plan) == [{"subject": "Ours"}]
    assert plan.file is None or "SUMMARY:There" not in text(plan)


def test_while_something_is_held_the_file_is_read_again() -> None:
    """It is tried again with every look until somebody mends it."""
    long = {"CREATED:": "CATEGORIES:" + "x" * 300 + "\r\nCREATED:"}

    record = after_save(there(), long).record

    assert record is not None
    assert (record.fingerprint, record.stat) == (None, None)


# --- nothing to do -------------------------------------------------------------------------------


def test_a_file_that_waits_without_an_event_stays_as_it_is() -> None:
    """It is known by its bytes alone, and nobody changed them."""
    record = ItemRecord(UID, file=known(there()).file, fingerprint=Fingerprint("f-1"))

    plan = planned(Sides(UID, record, Same(), None), desk())

    assert (plan.record, plan.file, plan.writes, plan.problems) == (record, None, (), ())


def test_an_event_that_only_got_another_version_is_known_by_it() -> None:
    """Nothing is written anywhere."""
    record = known(there())

    plan = planned(Sides(UID, record, Same(), there(**{"@odata.etag": "e-2"})), desk())

    assert (plan.record, plan.file, plan.writes) == (record, None, ())


# --- both sides changed --------------------------------------------------------------------------


def test_an_event_that_changed_brings_its_file_along() -> None:
    """Only the lines that say it; the former text goes nowhere, for nobody wrote it."""
    plan = after_change(there(), THEIRS)

    assert text(plan) == (
        file_of(there()).decode().replace("\r\n ", "").replace("Stand-up", "Theirs")
    )
    assert plan.file is not None
    assert (plan.file.expect, plan.lost, plan.keep_todo) == ("f-1", b"", True)
    after = plan.after_file
    assert after is not None
    assert after.base_remote == THEIRS.item
    assert after.base_local == known(THEIRS).base_local
    assert (after.content, after.stat) == (plan.file.data, None)
    assert plan.record == known(there())


def test_different_fields_cross() -> None:
    """The title goes out while the place comes in, and the saved text is kept."""
    plan = after_save(there(), TITLE, now=there(location={"displayName": "Room 2"}))

    assert bodies(plan) == [{"subject": "Ours"}]
    assert "LOCATION:Room 2" in text(plan)
    assert "SUMMARY:Ours" in text(plan)
    assert b"SUMMARY:Ours" in plan.lost
    assert plan.file is not None
    assert plan.file.expect == "f-2"
    assert plan.after_file is not None
    assert plan.after_file.fingerprint is None


def conflict(policy: str, *, now: Any = THEIRS, at: Desk | None = None) -> ItemPlan:
    return after_save(there(), TITLE, now=now, at=at or desk(policy=POLICIES[policy]))


def test_the_service_wins_by_default_and_the_other_value_is_one_command_away() -> None:
    """The lost value is listed, in full."""
    plan = conflict("remote")

    assert plan.writes == ()
    assert "SUMMARY:Theirs" in text(plan)
    problem = only(plan)
    assert (problem.kind, problem.code, problem.fields) == (
        *("conflict", "both-changed"),
        ("subject",),
    )
    assert (problem.base, problem.local, problem.remote) == ("Stand-up", "Ours", "Theirs")
    assert not problem.needs_person
    assert problem.reason == ("subject was changed on both sides; the service's value was taken")
    assert "--take local" in problem.hint


def test_the_file_wins_where_the_policy_says_so() -> None:
    """The service's value is listed."""
    plan = conflict("local")

    assert (bodies(plan), plan.file) == ([{"subject": "Ours"}], None)
    assert not only(plan).needs_person
    assert only(plan).reason.endswith("the file's value was taken")
    assert "--take remote" in only(plan).hint


def test_who_is_asked_decides_and_both_sides_stay_until_then() -> None:
    """Nothing is written on either side."""
    plan = conflict("ask")

    assert (plan.writes, plan.file) == ((), None)
    assert only(plan).needs_person
    assert only(plan).reason == "subject was changed on both sides"


@pytest.mark.parametrize("take", ["local", "remote"])
@pytest.mark.parametrize("policy", ["ask", "local", "remote"])
def test_what_a_person_decided_is_done_whatever_the_policy(policy: str, take: str) -> None:
    """Once, and it is listed no more."""
    at = desk(policy=POLICIES[policy])
    problem = only(conflict("ask"))

    plan = conflict(policy, at=told(at, problem, take))

    assert (plan.problems, plan.used_verdicts) == ((), (problem.id,))
    if take == "local":
        assert (bodies(plan), plan.file) == ([{"subject": "Ours"}], None)
    else:
        assert plan.writes == ()
        assert "SUMMARY:Theirs" in text(plan)


def test_what_a_person_decided_of_other_values_does_not_count() -> None:
    """The service's title has moved on since it was listed."""
    at = desk(policy=POLICIES["ask"])
    at = told(at, only(conflict("ask")), "local")

    plan = conflict("ask", now=there(subject="Newer"), at=at)

    assert plan.writes == ()
    assert only(plan).remote == "Newer"


def test_the_same_change_on_both_sides_is_agreed() -> None:
    """Nothing is written, and nothing listed."""
    plan = after_save(there(), TITLE, now=there(subject="Ours"))

    assert (plan.writes, plan.file, plan.problems) == ((), None, ())
    assert plan.record is not None
    assert plan.record.base_remote is not None
    assert plan.record.base_remote.master.subject == "Ours"
    assert plan.record.base_local is not None
    assert plan.record.base_local.master.subject == "Ours"


# --- linked without a base -----------------------------------------------------------------------


def linked(*lines: str, event: Any, at: Desk | None = None) -> ItemPlan:
    """A file and an event that were found to be one item, after a lost state."""
    record = ItemRecord(UID, file=FileName("u-1.ics"))
    return planned(Sides(UID, record, saved(event_text(*lines)), event), at or desk())


def test_a_file_linked_to_an_event_that_says_the_same_is_followed_from_there() -> None:
    """Without a single write."""
    plan = linked(*ALIKE, event=there())

    assert (plan.writes, plan.problems, plan.file) == ((), (), None)
    assert plan.record is not None
    assert (plan.record.graph_id, plan.record.base_remote) == ("g-1", there().item)
    assert plan.record.fingerprint == "f-2"


def test_a_difference_that_waits_for_a_person_is_no_edit_of_the_file() -> None:
    """Without a base nobody knows who changed it: the item waits whole."""
    plan = linked(*OURS, event=there(), at=desk(policy=POLICIES["ask"]))

    assert (plan.writes, plan.file) == ((), None)
    assert only(plan).needs_person
    record = plan.record
    assert record is not None
    assert (record.graph_id, record.base_local, record.base_remote) == ("g-1", None, None)
    assert (record.fingerprint, record.content) == (None, event_text(*OURS))


def test_a_difference_that_the_policy_decides_goes_its_way() -> None:
    """To the service, where nobody is mailed by it, or into the file."""
    to_service = linked(*OURS, event=there(), at=desk(policy=POLICIES["local"]))
    to_file = linked(*OURS, event=there(), at=desk(policy=POLICIES["remote"]))

    assert bodies(to_service) == [{"subject": "Ours"}]
    assert to_file.writes == ()
    assert "SUMMARY:Stand-up" in text(to_file)


def test_what_a_lost_state_left_behind_mails_nobody_by_itself() -> None:
    """No person made this change: the guests are not told unless somebody says so."""
    at = desk(policy=POLICIES["local"])
    event = there(attendees=[BOB])

    plan = linked(*OURS, HOST, GUEST, event=event, at=at)

    assert (plan.writes, plan.file) == ((), None)
    assert (only(plan).fields, only(plan).needs_person) == (("subject",), True)
    decided = linked(*OURS, HOST, GUEST, event=event, at=told(at, only(plan), "local"))
    assert bodies(decided) == [{"subject": "Ours"}]


def test_a_silent_difference_goes_without_asking() -> None:
    """Categories mail nobody."""
    at = desk(policy=POLICIES["local"])

    plan = linked(*ALIKE, HOST, GUEST, "CATEGORIES:Red", event=there(attendees=[BOB]), at=at)

    assert bodies(plan) == [{"categories": ["Red"]}]


def test_guests_that_only_the_file_has_are_not_invited_by_themselves() -> None:
    """The service's event has nobody: that would be an invitation."""
    at = desk(policy=POLICIES["local"])

    plan = linked(*ALIKE, HOST, GUEST, event=there(), at=at)

    assert plan.writes == ()
    assert only(plan).fields == ("attendees",)
    assert only(plan).needs_person


def test_the_guests_of_a_copied_invitation_are_left_as_they_are() -> None:
    """The file still names its organizer; the event is the owner's own copy, for nobody else."""
    at = desk(policy=POLICIES["local"], foreign_meeting="copy")

    plan = linked(*ALIKE, "ORGANIZER:mailto:boss@example.com", GUEST, event=there(), at=at)

    assert (plan.writes, plan.problems) == ((), ())
    assert plan.file is None or "bob@example.org" in text(plan)


def test_the_guests_of_somebody_elses_meeting_are_the_organizers_matter() -> None:
    """The event names that organizer as well: the difference is put right from there."""
    event = there(**invited(attendees=[person("me@example.org"), BOB, person("eve@example.org")]))
    lines = ("ORGANIZER:mailto:boss@example.com", GUEST, "ATTENDEE:mailto:me@example.org")

    plan = linked(*ALIKE, *lines, event=event, at=desk(policy=POLICIES["remote"]))

    assert plan.writes == ()
    assert "eve@example.org" in text(plan)


# --- a read-only calendar ------------------------------------------------------------------------


def test_in_a_read_only_calendar_files_follow_the_service_all_the_same() -> None:
    """Edits go back, news come in."""
    plan = after_save(
        there(), TITLE, now=there(location={"displayName": "Room 2"}), at=desk(**READ_ONLY)
    )

    assert plan.writes == ()
    assert "SUMMARY:Stand-up" in text(plan)
    assert "LOCATION:Room 2" in text(plan)


def test_a_deleted_file_of_a_series_comes_back_where_it_cannot_be_deleted() -> None:
    """With all its occurrences."""
    assert "RRULE:FREQ=WEEKLY" in text(after_deletion(series(), at=desk(**READ_ONLY)))


# --- several things of one occurrence ------------------------------------------------------------


def test_a_conflict_of_an_occurrence_names_its_day() -> None:
    """`fields` alone would not tell which one."""
    before = series(exceptionOccurrences=[exception("2026-03-09", subject="Alone")])
    now = series(exceptionOccurrences=[exception("2026-03-09", subject="Theirs")])

    plan = after_save(before, {"SUMMARY:Alone": "SUMMARY:Ours"}, now=now)

    assert only(plan).reason.startswith("subject of 2026-03-09 was changed on both sides")
    assert only(plan).lost is not None
    assert only(plan).lost.key == FieldKey("2026-03-09", "subject")  # type: ignore[union-attr]


# --- what is told of an item ---------------------------------------------------------------------


def test_an_item_that_is_gone_on_both_sides_is_forgotten() -> None:
    """Nothing is written, and nothing remembered."""
    plan = planned(Sides(UID, known(there()), Absent(), None), desk())

    assert (plan.record, plan.file, plan.writes, plan.problems) == (None, None, (), ())


@pytest.mark.parametrize(
    ("sides", "summary", "file"),
    [
        (Sides(UID, known(there()), Same(), THEIRS), "Theirs", "u-1.ics"),
        (Sides(UID, known(there()), Absent(), None), "Stand-up", "u-1.ics"),
        (Sides(UID, ItemRecord(UID), Absent(), None), "", ""),
        (Sides(UID, None, Absent(), None), "", ""),
        (Sides(UID, known(there()), saved(event_text(*OURS)), THEIRS), "Ours", "u-1.ics"),
        (Sides(UID, None, saved(event_text("SUMMARY:x")), THEIRS), "Theirs", ""),
    ],
)
def test_a_problem_names_its_item_as_people_know_it(sides: Sides, summary: str, file: str) -> None:
    """By the title in the file, else on the service, else as both had it last."""
    problem = desk().problem("notice", "x", sides, reason="because", slot="s", line=3)

    assert (problem.summary, problem.file, problem.uid) == (summary, file, UID)
    assert (problem.line, problem.needs_person, problem.calendar) == (3, True, "Calendar")
    assert problem.since == desk().now


def test_a_problem_keeps_its_id_and_no_two_share_one() -> None:
    """Commands name it by that, from round to round."""
    sides = Sides(UID, known(there()), Same(), THEIRS)
    ask = desk().problem

    same = {ask("hold", "x", sides, reason=why).id for why in ("one", "two")}
    others = {
        ask("hold", "y", sides, reason="").id,
        ask("notice", "x", sides, reason="").id,
        ask("hold", "x", None, reason="").id,
        ask("hold", "x", sides, reason="", slot="2026-03-09").id,
        desk(calendar="c-2").problem("hold", "x", sides, reason="").id,
        desk(account="home").problem("hold", "x", sides, reason="").id,
    }

    assert len(same) == 1
    assert len(others | same) == 7


# --- the place of an event -----------------------------------------------------------------------

POINT = {"latitude": 52.5, "longitude": 13.4}
AT_POINT = {"CREATED:": "GEO:48.1;11.5\r\nCREATED:"}


def test_a_new_point_goes_with_the_services_newer_name() -> None:
    """Graph keeps both in one object: the half that was not edited is as the service has it."""
    moved = there(location={"displayName": "Room 2"})

    (body,) = bodies(after_save(there(), AT_POINT, now=moved))

    assert body["location"]["displayName"] == "Room 2"
    assert body["location"]["coordinates"]["latitude"] == 48.1


def test_a_new_name_leaves_the_services_newer_point() -> None:
    """The other way round."""
    moved = there(location={"displayName": "Room 1", "coordinates": POINT})

    (body,) = bodies(after_save(there(), {"LOCATION:Room 1": "LOCATION:Room 3"}, now=moved))

    assert body["location"]["displayName"] == "Room 3"
    assert body["location"]["coordinates"]["latitude"] == 52.5
