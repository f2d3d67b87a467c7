"""What becomes of a file and an event that both are there, and of the file alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.core.decide import Absent, Broken, Remote, Same, Sides
from syncd.core.event import FieldKey
from syncd.core.ids import FileName, Fingerprint
from syncd.core.lines import Unreadable
from syncd.core.mail import MailPolicy
from syncd.core.plan import Desk, ItemPlan
from syncd.core.policies import POLICIES
from syncd.core.state import ItemRecord, Problem
from syncd.core.wire.graph import ICAL_STASH_PROPERTY
from syncd.core.wire.ics_forms import Forms
from tests.core.planning import (
    NEW,
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
    made,
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
    assert problem.reason == (
        "the series repeats in a zone that only the service knows: its time stays as it is"
    )


def test_nor_is_its_rule() -> None:
    """Graph takes a rule together with the time, which nobody knows here."""
    plan = after_save(GUESSED, {"BYDAY=MO": "BYDAY=MO,TU"})

    assert plan.writes == ()
    assert (only(plan).code, only(plan).fields) == ("approximate-zone", ("recurrence",))


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


def test_of_two_places_none_is_sent() -> None:
    """Nobody can tell which of the lines is meant."""
    plan = after_save(there(), TITLE | {"LOCATION:Room 1": "LOCATION:Room 3\r\nLOCATION:Room 4"})

    assert bodies(plan) == [{"subject": "Ours"}]
    assert (only(plan).code, only(plan).fields) == ("multiple-location", ("location",))


def test_an_occurrence_whose_lines_are_held_is_not_written_over() -> None:
    """The service's news of that day wait as well; those of the series come in."""
    before = series(exceptionOccurrences=[exception("2026-03-09", subject="Alone")])
    there_too = exception("2026-03-09", subject="There", importance="high")
    moved = series(exceptionOccurrences=[there_too], importance="high")

    plan = after_save(before, {"RECURRENCE-ID;": "RECURRENCE-ID;RANGE=THISANDPRIOR;"}, now=moved)

    assert "SUMMARY:Alone" in text(plan)
    assert "PRIORITY:1" in text(plan)
    assert (only(plan).code, only(plan).fields) == ("range", ("override",))


LONG = {"CREATED:": "CATEGORIES:" + "x" * 300 + "\r\nCREATED:"}


@pytest.mark.parametrize("now", [there(), THEIRS], ids=["nothing new", "news of the service"])
def test_while_something_is_held_the_file_is_read_again(now: Any) -> None:
    """It is listed and tried again with every look until somebody mends it."""
    plan = after_save(there(), LONG, now=now)

    assert [one.code for one in plan.problems] == ["category-too-long"]
    for record in (plan.record, plan.after_file or plan.record):
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


def test_an_event_that_got_another_id_is_followed_under_that() -> None:
    """What is written next goes to the event that is there."""
    plan = planned(Sides(UID, known(there()), Same(), there(id="g-2")), desk())

    assert plan.record == replace(known(there()), graph_id="g-2")


def test_a_file_saved_without_a_change_is_agreed_as_it_was() -> None:
    """Also on what only the service says, which no file tells."""
    meeting = there(**invited(isCancelled=True, onlineMeeting={"joinUrl": "https://x.test/1"}))

    plan = after_save(meeting, {"DTSTAMP:2026": "DTSTAMP:2025"})

    assert plan.record is not None
    assert plan.record.base_local == known(meeting).base_local
    assert plan.record.fingerprint == "f-2"


def test_a_rule_that_is_taken_back_takes_held_lines_of_its_occurrences_along() -> None:
    """In a single event they would stand for nothing; the text is kept in the history."""
    at = desk(mail=MailPolicy(updates="hold"))
    before = there(attendees=[BOB])
    changes = {
        "LOCATION:": "RRULE:FREQ=WEEKLY;BYDAY=MO\r\nLOCATION:",
        "END:VEVENT\r\nEND:VCALENDAR": SPELLED_OUT.replace("-ID;", "-ID;RANGE=THISANDFUTURE;"),
    }
    held = next(
        one for one in after_save(before, changes, at=at).problems if one.kind == "held-mail"
    )

    plan = after_save(before, changes, at=told(at, held, "discarded"))

    assert text(plan) == file_of(before).decode().replace("\r\n ", "")
    assert b"RANGE=THISANDFUTURE" in plan.lost


SPELLED_OUT = "\r\n".join(
    [
        *("END:VEVENT", "BEGIN:VEVENT", f"UID:{UID}", "DTSTAMP:20260102T000000Z"),
        "RECURRENCE-ID;TZID=Europe/Berlin:20260309T090000",
        "DTSTART;TZID=Europe/Berlin:20260309T090000",
        "DTEND;TZID=Europe/Berlin:20260309T100000",
        *("SUMMARY:Stand-up", "LOCATION:Room 1", "END:VEVENT", "END:VCALENDAR"),
    ]
)


def spelled_out() -> ItemRecord:
    """A series after some client wrote one occurrence out that says what the series says."""
    plan = after_save(series(), {"END:VEVENT\r\nEND:VCALENDAR": SPELLED_OUT})
    assert (plan.writes, plan.file) == ((), None)
    assert plan.record is not None
    return plan.record


def test_an_occurrence_that_is_only_spelled_out_follows_its_series() -> None:
    """It was no edit when it was written, and is none when the title of the series changes."""
    plan = after_save(series(), TITLE, record=spelled_out())

    assert bodies(plan) == [{"subject": "Ours"}]
    assert text(plan).count("SUMMARY:Ours") == 2
    assert "SUMMARY:Stand-up" not in text(plan)


def test_it_follows_what_both_sides_changed_alike() -> None:
    """Nothing is sent any more, and the file still says two things."""
    plan = after_save(series(), TITLE, now=series(subject="Ours"), record=spelled_out())

    assert plan.writes == ()
    assert text(plan).count("SUMMARY:Ours") == 2


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
    assert (after.content, after.stat, after.fingerprint) == (plan.file.data, None, "f-1")
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
    assert plan.record is not None
    assert (plan.record.content, plan.record.fingerprint) == (plan.lost, None)


def test_once_everything_is_agreed_the_file_is_not_read_again() -> None:
    """Neither what only the service says nor a decided conflict is left to be done."""
    online = {"onlineMeeting": {"joinUrl": "https://x.test/1"}}
    stamp = {"DTSTAMP:2026": "DTSTAMP:2025"}

    for plan in (
        after_save(there(**online), stamp, now=there(subject="Theirs", **online)),
        conflict("remote"),
    ):
        assert plan.after_file is not None
        assert plan.after_file.fingerprint == "f-2"


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
    assert problem.lost is not None
    assert (problem.lost.version.master.subject, problem.lost.winner) == ("Ours", "remote")


def test_the_file_wins_where_the_policy_says_so() -> None:
    """The service's value is listed."""
    plan = conflict("local")

    assert (bodies(plan), plan.file) == ([{"subject": "Ours"}], None)
    assert not only(plan).needs_person
    assert only(plan).reason.endswith("the file's value was taken")
    assert "--take remote" in only(plan).hint
    lost = only(plan).lost
    assert lost is not None
    assert (lost.version.master.subject, lost.winner) == ("Theirs", "local")


def test_who_is_asked_decides_and_both_sides_stay_until_then() -> None:
    """Nothing is written on either side."""
    plan = conflict("ask")

    assert (plan.writes, plan.file) == ((), None)
    assert only(plan).needs_person
    assert only(plan).reason == "subject was changed on both sides"
    assert only(plan).hint == "`syncd problems resolve ID --take local|remote|both` decides it."


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
    edited_since = after_save(there(), {"SUMMARY:Stand-up": "SUMMARY:Again"}, now=THEIRS, at=at)

    assert (plan.writes, edited_since.writes) == ((), ())
    assert only(plan).remote == "Newer"
    assert only(edited_since).local == "Again"


def test_each_of_two_conflicts_is_decided_by_itself() -> None:
    """Both are listed, and what is said of one counts for that alone."""
    both = TITLE | {"LOCATION:Room 1": "LOCATION:Room 3"}
    now = there(subject="Theirs", location={"displayName": "Room 2"})
    at = desk(policy=POLICIES["ask"])
    place, title = after_save(there(), both, now=now, at=at).problems

    plan = after_save(there(), both, now=now, at=told(at, title, "local"))

    assert (place.fields, title.fields) == (("location",), ("subject",))
    assert place.id != title.id
    assert bodies(plan) == [{"subject": "Ours"}]
    assert plan.problems == (place,)


def test_what_a_person_turned_down_is_kept_as_the_file_would_have_said_it() -> None:
    """It was never in a file: of what else goes out in that round nothing is turned down."""
    at = desk(policy=POLICIES["ask"])
    changes = TITLE | {"LOCATION:Room 1": "LOCATION:Room 3"}
    problem = only(after_save(there(), changes, now=THEIRS, at=at))

    plan = after_save(there(), changes, now=THEIRS, at=told(at, problem, "local"))

    assert [sorted(body) for body in bodies(plan)] == [["location", "subject"]]
    rival = edited(file_of(there()), {"Stand-up": "Theirs", "Room 1": "Room 3"})
    assert plan.rival == rival
    assert after_save(there(), changes, now=THEIRS, at=told(at, problem, "remote")).rival == b""
    assert after_save(there(), changes, at=told(at, problem, "local")).rival == b""


def test_nothing_is_turned_down_before_it_is_carried_out() -> None:
    """A write that waits for another word may yet be taken back."""
    at = desk(policy=POLICIES["ask"], mail=MailPolicy(updates="hold"))
    before, now = there(attendees=[BOB]), there(subject="Theirs", attendees=[BOB])
    problem = only(after_save(before, TITLE, now=now, at=at))

    plan = after_save(before, TITLE, now=now, at=told(at, problem, "local"))

    assert (plan.writes, plan.rival, plan.used_verdicts) == ((), b"", ())


def test_what_is_turned_down_of_an_occurrence_is_kept_under_the_same_uid() -> None:
    """The file has no lines for that day any more: they are written as the service has them."""
    before = series(exceptionOccurrences=[exception("2026-03-09", subject="Alone")])
    now = series(exceptionOccurrences=[exception("2026-03-09", subject="Theirs")])
    record = known(before)
    local = saved(file_of(series()), record)
    at = desk(policy=POLICIES["ask"])
    problem = only(planned(Sides(UID, record, local, now), at))

    plan = planned(Sides(UID, record, local, now), told(at, problem, "local"))

    rival = plan.rival.decode()
    assert (rival.count("SUMMARY:Theirs"), rival.count(f"UID:{UID}")) == (1, 2)
    assert (problem.local, problem.remote) == (None, "Theirs")


def test_what_is_turned_down_is_all_that_the_service_says_and_no_more() -> None:
    """A category that only the service may spell so is no line that waits in the file."""
    before, now = there(categories=["a;b"]), there(categories=["a;b", "Red"])
    changes = {"CATEGORIES:a\\;b": "CATEGORIES:a\\;b,Blue"}
    at = desk(policy=POLICIES["ask"])
    problem = only(after_save(before, changes, now=now, at=at))

    plan = after_save(before, changes, now=now, at=told(at, problem, "local"))

    lines = plan.rival.decode().split("\r\n")
    assert [one for one in lines if "CATEGORIES" in one] == ["CATEGORIES:a\\;b,Red"]


def test_the_same_change_on_both_sides_is_agreed() -> None:
    """Nothing is written, and nothing listed."""
    plan = after_save(there(), TITLE, now=there(subject="Ours"))

    assert (plan.writes, plan.file, plan.problems) == ((), None, ())
    assert plan.record is not None
    assert plan.record.base_remote is not None
    assert plan.record.base_remote.master.subject == "Ours"
    assert plan.record.base_local is not None
    assert plan.record.base_local.master.subject == "Ours"


def test_news_take_the_place_of_what_the_file_says() -> None:
    """A category that only the service may spell so is no line that waits in the file."""
    plan = after_change(there(categories=["a;b"]), there(categories=["a;b", "Red"]))

    assert "CATEGORIES:a\\;b,Red" in text(plan)
    assert text(plan).count("CATEGORIES") == 1


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


@pytest.mark.parametrize(
    "record",
    [
        None,
        ItemRecord(UID, base_local=known(THEIRS).base_local),
        ItemRecord(UID, base_remote=THEIRS.item),
    ],
    ids=["no record", "half a base: the file", "half a base: the service"],
)
def test_half_a_base_is_none(record: ItemRecord | None) -> None:
    """What the two agreed on is not known: the item is linked as one that nobody knew."""
    plan = planned(Sides(UID, record, saved(event_text(*ALIKE)), there()), desk())

    assert (plan.writes, plan.file, plan.problems) == ((), None, ())
    assert plan.record is not None
    assert (plan.record.uid, plan.record.graph_id) == (UID, "g-1")
    assert (plan.record.base_local, plan.record.base_remote) == (there().item, there().item)


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
    assert to_file.record is not None
    # Were the bases kept before the file is written, it would count as an edit of them.
    assert (to_file.record.base_local, to_file.record.base_remote) == (None, None)


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

    foreign = ("ORGANIZER:mailto:boss@example.com", GUEST)
    own = there(attendees=[person("eve@example.org")])

    for plan in (linked(*ALIKE, *foreign, event=event, at=at) for event in (there(), own)):
        assert (plan.writes, plan.problems) == ((), ())
        assert plan.file is None or "bob@example.org" in text(plan)


@pytest.mark.parametrize("policy", ["local", "remote"])
def test_beside_its_guests_a_copied_invitation_is_as_any_other_file(policy: str) -> None:
    """Its title goes as the policy says; its people stay out of it."""
    at = desk(policy=POLICIES[policy], foreign_meeting="copy")

    plan = linked(*OURS, "ORGANIZER:mailto:boss@example.com", GUEST, event=there(), at=at)

    assert [one.fields for one in plan.problems] == [("subject",)]
    if policy == "local":
        assert bodies(plan) == [{"subject": "Ours"}]
    else:
        assert "SUMMARY:Stand-up" in text(plan)
        assert "boss@example.com" in text(plan)
        assert "bob@example.org" in text(plan)


def test_the_guests_of_somebody_elses_meeting_are_the_organizers_matter() -> None:
    """The event names that organizer as well: the difference is put right from there."""
    event = there(**invited(attendees=[person("me@example.org"), BOB, person("eve@example.org")]))
    lines = ("ORGANIZER:mailto:boss@example.com", GUEST, "ATTENDEE:mailto:me@example.org")

    plan = linked(*ALIKE, *lines, event=event, at=desk(policy=POLICIES["remote"]))

    assert plan.writes == ()
    assert "eve@example.org" in text(plan)


def test_a_linked_event_brings_what_it_was_given_of_the_file() -> None:
    """Lines that Graph has no field for: what is there is not given again."""
    given = made(*NEW, "URL:https://example.com").writes[0].body["singleValueExtendedProperties"]
    stash = next(one for one in given if one["id"] == ICAL_STASH_PROPERTY)

    plan = linked(*ALIKE, event=there(singleValueExtendedProperties=[stash]))

    assert plan.record is not None
    assert plan.record.sent_stash == stash["value"]


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


def test_where_only_the_service_may_change_something_there_is_nothing_to_decide() -> None:
    """Whatever the policy: its value comes in, and the text of the file is kept."""
    for policy in ("local", "remote", "ask"):
        plan = conflict(policy, at=desk(policy=POLICIES[policy], **READ_ONLY))

        assert plan.writes == ()
        assert "SUMMARY:Theirs" in text(plan)
        assert b"SUMMARY:Ours" in plan.lost
        assert (only(plan).code, only(plan).fields) == ("restored", ("subject",))
        assert only(plan).hint == "Your text is kept: `syncd log UID --json` has it."


def test_what_is_put_back_leaves_everything_else_of_the_item_alone() -> None:
    """A guest's title goes back; the categories of both sides meet as ever."""
    before = there(**invited(categories=["Blue"]))
    changes = TITLE | {"CATEGORIES:Blue": "CATEGORIES:Red"}

    apart = after_save(before, changes, now=there(**invited(categories=["Green"])))
    alike = after_save(before, changes, now=there(**invited(categories=["Red"])))

    assert [(one.code, one.fields) for one in apart.problems] == [
        ("restored", ("subject",)),
        ("both-changed", ("categories",)),
    ]
    assert "CATEGORIES:Green" in text(apart)
    assert [one.code for one in alike.problems] == ["restored"]
    assert alike.after_file is not None
    for base in (alike.after_file.base_local, alike.after_file.base_remote):
        assert base is not None
        assert base.master.categories == ("Red",)


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


def test_a_new_name_and_a_new_point_go_together() -> None:
    """Both halves are the file's."""
    (body,) = bodies(after_save(there(), AT_POINT | {"LOCATION:Room 1": "LOCATION:Room 3"}))

    assert body["location"]["displayName"] == "Room 3"
    assert body["location"]["coordinates"]["latitude"] == 48.1


def test_an_occurrence_has_a_place_of_its_own() -> None:
    """The half that was not edited is as the service has it of that day, not of the series."""
    own = {"SUMMARY:Alone": "SUMMARY:Alone\r\nGEO:48.1;11.5"}
    before = series(exceptionOccurrences=[exception("2026-03-09", subject="Alone")])
    head, alone = file_of(before).decode().split("SUMMARY:Alone")
    renamed = f"{head}SUMMARY:Alone{alone.replace('Room 1', 'Room 3')}".encode()

    def now(**place: Any) -> Remote:
        moved = exception("2026-03-09", subject="Alone", location=place)
        return series(exceptionOccurrences=[moved])

    pointed = after_save(before, own, now=now(displayName="Room 2"))
    at_point = now(displayName="Room 1", coordinates=POINT)
    named = planned(Sides(UID, known(before), saved(renamed, known(before)), at_point), desk())

    (pointed_body,), (named_body,) = bodies(pointed), bodies(named)
    assert pointed_body["location"]["displayName"] == "Room 2"
    assert named_body["location"]["displayName"] == "Room 3"
    assert named_body["location"]["coordinates"]["latitude"] == 52.5


def test_a_new_name_drops_the_point_of_the_old_place() -> None:
    """Whatever else is decided in that round."""
    place = {"displayName": "Room 1", "coordinates": POINT}

    plan = after_save(
        there(location=place),
        TITLE | {"LOCATION:Room 1": "LOCATION:Room 3"},
        now=there(location=place, subject="Theirs"),
    )

    assert bodies(plan) == [{"location": {"displayName": "Room 3"}}]


# --- second forms of the text --------------------------------------------------------------------

HELLO = there(body={"contentType": "html", "content": "<p>Hello</p>"})
WITH_HTML = edited(
    file_of(HELLO),
    {"DESCRIPTION:Hello": "DESCRIPTION:Hello\r\nX-ALT-DESC;FMTTYPE=text/html:<p>Hello</p>"},
)
FORMED = desk(forms=Forms(html="x-alt-desc"))


def test_the_text_follows_its_html_form_where_that_was_edited() -> None:
    """The service gets the form, and the file says the same in both."""
    plan = after_save(HELLO, {"<p>Hello": "<p>Bye"}, record=known(HELLO, content=WITH_HTML))

    assert bodies(plan) == [{"body": {"contentType": "html", "content": "<p>Bye</p>"}}]
    assert "DESCRIPTION:Bye" in text(plan)
    assert "Hello" not in text(plan)


def test_a_text_that_nobody_edited_stays_as_it_is_spelled() -> None:
    """What goes out is the title; the file is its author's."""
    record = known(HELLO, content=edited(WITH_HTML, {"DESCRIPTION:Hello": "DESCRIPTION:Hello  "}))

    plan = after_save(HELLO, TITLE, record=record, at=FORMED)

    assert (bodies(plan), plan.file) == ([{"subject": "Ours"}], None)


@pytest.mark.parametrize("zone", [{}, {"recurrence": CUSTOM, "originalStartTimeZone": "x"}])
def test_a_file_that_is_written_anyway_gets_the_forms_that_are_asked_for(
    zone: dict[str, Any],
) -> None:
    """An occurrence from the service's body of its own, also where the zone is a guess."""
    ciao = {"contentType": "html", "content": "<p>Ciao</p>"}
    alone = exception("2026-03-09", subject="Alone", body=ciao)
    before = there(**{"type": "seriesMaster", "recurrence": WEEKLY, **zone})
    now = there(
        **{"type": "seriesMaster", "recurrence": WEEKLY, **zone}, exceptionOccurrences=[alone]
    )

    written = text(after_change(before, now, at=FORMED))

    assert "DESCRIPTION:Ciao\r\nX-ALT-DESC;FMTTYPE=text/html:<p>Ciao</p>" in written
    assert written.count(f"UID:{UID}") == 2


def test_a_form_is_no_reason_to_write_a_file() -> None:
    """The event changed in nothing that the file says."""
    assert after_save(HELLO, TITLE, at=FORMED).file is None
