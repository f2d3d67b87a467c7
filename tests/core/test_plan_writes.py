"""Which writes follow from an edited file, in which order, and what waits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.core.decide import Remote, Sides
from syncd.core.event import FieldKey
from syncd.core.mail import Mailing, MailPolicy
from syncd.core.plan import Desk, ItemPlan, Write
from syncd.core.policies import POLICIES
from syncd.core.state import ItemRecord, Problem
from tests.core.planning import (
    READ_ONLY,
    SEND_ALL,
    UID,
    WEEKLY,
    after_save,
    desk,
    edited,
    exception,
    file_of,
    invited,
    known,
    made,
    moment,
    person,
    planned,
    saved,
    series,
    there,
    told,
)

TITLE = {"SUMMARY:Stand-up": "SUMMARY:Retro"}
PLACE = {"LOCATION:Room 1": "LOCATION:Room 2"}
TIME = {":20260302T090000": ":20260302T083000"}
RULE = {"RRULE:FREQ=WEEKLY;BYDAY=MO": "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"}
MONDAY, LATER = "2026-03-09", "2026-03-16"
BOB = person("bob@example.org")
OURS = there(attendees=[BOB])
THEIRS = there(**invited())
GUEST_LINE = "ATTENDEE:mailto:bob@example.org\r\nEND:VEVENT"
INVITES = {"END:VEVENT": f"ORGANIZER:mailto:me@example.org\r\n{GUEST_LINE}"}
ACCEPTS = {
    "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:me@": "PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:me@",
}


def only(plan: ItemPlan) -> Problem:
    (problem,) = plan.problems
    return problem


def write_of(plan: ItemPlan) -> Write:
    (write,) = plan.writes
    return write


def names(write: Write) -> set[str]:
    return {key.name for key in write.keys}


def override(day: str, *lines: str) -> dict[str, str]:
    """What is added to the file of a series for one occurrence."""
    stamp = f"{day.replace('-', '')}T090000"
    event = [
        *("END:VEVENT", "BEGIN:VEVENT", f"UID:{UID}", "DTSTAMP:20260102T000000Z"),
        *(f"RECURRENCE-ID;TZID=Europe/Berlin:{stamp}", f"DTSTART;TZID=Europe/Berlin:{stamp}"),
        f"DTEND;TZID=Europe/Berlin:{stamp.replace('T09', 'T10')}",
        *lines,
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return {"END:VEVENT\r\nEND:VCALENDAR": "\r\n".join(event)}


def without(day: str) -> dict[str, str]:
    """What takes one occurrence out of the file of a series."""
    stamp = f"{day.replace('-', '')}T090000"
    rule = "RRULE:FREQ=WEEKLY;BYDAY=MO"
    return {rule: f"{rule}\r\nEXDATE;TZID=Europe/Berlin:{stamp}"}


ALONE = ("SUMMARY:Alone", "LOCATION:Room 1")


def html(content: str) -> dict[str, str]:
    """A body as the service holds it."""
    return {"contentType": "html", "content": content}


# --- one PATCH -----------------------------------------------------------------------------------


def test_an_edit_sends_what_changed_and_nothing_else() -> None:
    """What syncd does not understand, and what others change meanwhile, survives."""
    write = write_of(after_save(there(), TITLE))

    assert (write.kind, write.slot, write.graph_id) == ("patch", "", "g-1")
    assert write.body == {"subject": "Retro"}
    assert write.keys == {FieldKey("", "subject")}
    assert (write.before_etag, write.mailing, write.reshapes) == ("e-1", None, False)
    assert write.expects is not None
    assert write.expects.master.subject == "Retro"


def test_all_that_changed_goes_in_one_write() -> None:
    """One mail at most for one edit."""
    write = write_of(after_save(there(), TITLE | PLACE))

    assert write.body["subject"] == "Retro"
    assert write.body["location"]["displayName"] == "Room 2"


def test_saving_a_file_without_a_change_writes_nothing() -> None:
    """Another order of properties, or another stamp, is no edit."""
    plan = after_save(there(), {"DTSTAMP:20260102T000000Z": "DTSTAMP:20260301T000000Z"})

    assert (plan.writes, plan.file, plan.problems) == ((), None, ())
    assert plan.record is not None
    assert plan.record.fingerprint == "f-2"


def test_until_the_answer_is_there_the_file_is_read_again() -> None:
    """The bases move with the answer, not with the plan."""
    before = there()

    record = after_save(before, TITLE).record

    assert record is not None
    assert (record.fingerprint, record.stat) == (None, None)
    assert record.base_local == known(before).base_local
    assert record.base_remote == before.item
    assert b"SUMMARY:Retro" in record.content


def test_an_edit_in_a_read_only_calendar_is_put_back() -> None:
    """In the same round; the text is kept in the history."""
    plan = after_save(there(), TITLE, at=desk(**READ_ONLY))

    assert plan.writes == ()
    assert plan.file is not None
    assert b"SUMMARY:Stand-up" in (plan.file.data or b"")
    assert b"SUMMARY:Retro" in plan.lost
    assert (only(plan).kind, only(plan).code, only(plan).fields) == (
        *("notice", "restored"),
        ("subject",),
    )
    assert only(plan).reason == "put back from the service: the calendar is read-only"
    assert not only(plan).needs_person


# --- mail ----------------------------------------------------------------------------------------


def mailing_of(plan: ItemPlan) -> tuple[str, tuple[str, ...]]:
    """By which rule its write mails, and who could be concerned."""
    mailing = write_of(plan).mailing
    assert mailing is not None
    return mailing.kind, mailing.to


def test_an_edit_of_a_meeting_tells_its_guests() -> None:
    """`updates` go by default; who is told is known before."""
    assert mailing_of(after_save(OURS, TITLE)) == ("updates", ("bob@example.org",))


CATEGORY = {"CREATED:": "CATEGORIES:Red\r\nCREATED:"}


def test_a_category_of_a_meeting_tells_nobody() -> None:
    """Graph sends no mail for it, whatever the policy."""
    write = write_of(after_save(OURS, CATEGORY, at=desk(mail=MailPolicy(updates="hold"))))

    assert (write.body, write.mailing) == ({"categories": ["Red"]}, None)


def test_only_what_would_mail_waits() -> None:
    """The silent fields of the same edit go through; the others are listed."""
    at = desk(mail=MailPolicy(updates="hold"))

    plan = after_save(OURS, TITLE | CATEGORY, at=at)

    assert write_of(plan).body == {"categories": ["Red"]}
    assert (only(plan).kind, only(plan).code) == ("held-mail", "would-update")
    assert (only(plan).fields, only(plan).to) == (("subject",), ("bob@example.org",))
    assert only(plan).reason == "to send this change would mail 1 person"


def test_an_approved_change_goes_and_uses_up_the_approval() -> None:
    """Exactly what was listed."""
    at = desk(mail=MailPolicy(updates="hold"))
    problem = only(after_save(OURS, TITLE, at=at))
    at = told(at, problem, "approved")

    plan, other = after_save(OURS, TITLE, at=at), after_save(OURS, TITLE | PLACE, at=at)

    assert write_of(plan).body == {"subject": "Retro"}
    assert (plan.used_verdicts, plan.problems) == ((problem.id,), ())
    assert (other.writes, len(other.problems)) == ((), 1)


def test_a_discarded_change_is_taken_back_in_the_file() -> None:
    """The silent half of it still goes."""
    at = desk(mail=MailPolicy(updates="hold"))
    problem = only(after_save(OURS, TITLE | CATEGORY, at=at))

    plan = after_save(OURS, TITLE | CATEGORY, at=told(at, problem, "discarded"))

    assert write_of(plan).body == {"categories": ["Red"]}
    assert plan.file is not None
    assert b"SUMMARY:Stand-up" in (plan.file.data or b"")
    assert b"CATEGORIES:Red" in (plan.file.data or b"")
    assert plan.used_verdicts == (problem.id,)


def test_the_first_guests_of_an_event_are_invited() -> None:
    """That is held by default, and the change of the title goes on."""
    plan = after_save(there(), INVITES | TITLE, at=desk(mail=MailPolicy(invitations="hold")))

    assert (only(plan).code, only(plan).to) == ("would-invite", ("bob@example.org",))
    assert plan.writes == ()


def test_guests_of_the_file_that_do_not_go_along_are_not_mailed() -> None:
    """They were held before: a later change of the title concerns nobody yet."""
    record = known(there())
    invites = edited(record.content, INVITES)
    held = replace(record, content=invites)
    local = saved(edited(invites, TITLE), held)
    at = desk(mail=MailPolicy(invitations="hold"))

    first = planned_with(held, local, at)

    assert first.writes == ()
    assert only(first).fields == ("attendees", "subject")


def planned_with(record: ItemRecord, local: Any, at: Desk) -> ItemPlan:
    return planned(Sides(UID, record, local, there()), at)


LOCAL_WINS = desk(policy=POLICIES["local"])


# --- answers -------------------------------------------------------------------------------------


def test_an_answer_tells_the_organizer() -> None:
    """As the owner's line asks for."""
    write = write_of(after_save(THEIRS, ACCEPTS))

    assert (write.kind, write.action, write.slot) == ("respond", "accept", "")
    assert (write.graph_id, write.before_etag) == ("g-1", "e-1")
    assert write.body == {"sendResponse": True}
    assert write.mailing == Mailing("responses", ("boss@example.com",))
    assert write.keys == {FieldKey("", "response")}
    assert write.expects is not None
    assert write.expects.master.response == "accepted"


def test_an_answer_goes_to_a_meeting_whose_organizer_nobody_knows() -> None:
    """Whom it mails cannot be told."""
    write = write_of(after_save(there(**invited(organizer=None)), ACCEPTS))

    assert (write.action, write.mailing) == ("accept", Mailing("responses", ()))


@pytest.mark.parametrize(
    ("word", "action"),
    [("ACCEPTED", "accept"), ("TENTATIVE", "tentativelyAccept"), ("DECLINED", "decline")],
)
def test_each_answer_has_its_own_request(word: str, action: str) -> None:
    """PARTSTAT of the owner's line (RFC 5545 3.2.12)."""
    changes = {"PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:me@": f"PARTSTAT={word}:mailto:me@"}

    assert write_of(after_save(THEIRS, changes)).action == action


def test_an_answer_goes_before_any_other_edit() -> None:
    """A category set in the same save follows in the next round."""
    assert write_of(after_save(THEIRS, ACCEPTS | CATEGORY)).kind == "respond"


def test_an_answer_that_waits_holds_up_no_other_edit() -> None:
    """`mail = { responses = "hold" }`: the category goes."""
    at = desk(mail=MailPolicy(responses="hold"))

    plan = after_save(THEIRS, ACCEPTS | CATEGORY, at=at)

    assert write_of(plan).body == {"categories": ["Red"]}
    assert (only(plan).code, only(plan).to) == ("would-respond", ("boss@example.com",))
    assert only(plan).reason == "to answer (accept) would mail 1 person"


def test_an_approved_answer_goes() -> None:
    """And the approval is used up; another answer is another matter."""
    at = desk(mail=MailPolicy(responses="hold"))
    problem = only(after_save(THEIRS, ACCEPTS, at=at))
    at = told(at, problem, "approved")
    declines = {"PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:me@": "PARTSTAT=DECLINED:mailto:me@"}

    plan = after_save(THEIRS, ACCEPTS, at=at)

    assert write_of(plan).action == "accept"
    assert plan.used_verdicts == (problem.id,)
    assert after_save(THEIRS, declines, at=at).writes == ()


def test_a_discarded_answer_is_taken_back_in_the_file() -> None:
    """Nothing is sent."""
    at = desk(mail=MailPolicy(responses="hold"))
    problem = only(after_save(THEIRS, ACCEPTS, at=at))

    plan = after_save(THEIRS, ACCEPTS, at=told(at, problem, "discarded"))

    assert (plan.writes, plan.problems, plan.used_verdicts) == ((), (), (problem.id,))
    assert plan.file is not None
    assert b"PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:me@" in (plan.file.data or b"")


def test_a_discarded_answer_takes_nothing_else_back() -> None:
    """The category of the same save goes out, the answer comes back into the file."""
    at = desk(mail=MailPolicy(responses="hold"))
    problem = only(after_save(THEIRS, ACCEPTS, at=at))

    plan = after_save(THEIRS, ACCEPTS | CATEGORY, at=told(at, problem, "discarded"))

    assert write_of(plan).body == {"categories": ["Red"]}
    assert plan.file is not None
    assert b"PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:me@" in (plan.file.data or b"")
    assert b"CATEGORIES:Red" in (plan.file.data or b"")


THEIR_SERIES = series(**invited())
COMES = (
    *("SUMMARY:Stand-up", "LOCATION:Room 1", "ORGANIZER:mailto:boss@example.com"),
    *("ATTENDEE:mailto:bob@example.org", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:me@example.org"),
)


def test_an_answer_to_one_occurrence_goes_to_that_occurrence() -> None:
    """With what was written beside it, not beside the series."""
    comment = {"END:VEVENT": "COMMENT:To all of them\r\nEND:VEVENT"}
    answered = override(MONDAY, *COMES, "COMMENT:This time only")
    mine = known(THEIR_SERIES, content=edited(file_of(THEIR_SERIES), comment))

    write = write_of(after_save(THEIR_SERIES, answered, record=mine))

    assert (write.kind, write.slot, write.graph_id) == ("respond", MONDAY, None)
    assert write.body == {"sendResponse": True, "comment": "This time only"}


def test_each_occurrence_is_answered_for_itself() -> None:
    """What was approved for one day says nothing of another."""
    at = desk(mail=MailPolicy(responses="hold"))
    problem = only(after_save(THEIR_SERIES, override(MONDAY, *COMES), at=at))
    at = told(at, problem, "approved")

    same = after_save(THEIR_SERIES, override(MONDAY, *COMES), at=at)
    other = after_save(THEIR_SERIES, override(LATER, *COMES), at=at)

    assert (write_of(same).slot, same.problems) == (MONDAY, ())
    assert (other.writes, len(other.problems)) == ((), 1)


@pytest.mark.parametrize("why", ["the policy", "the organizer"])
def test_an_answer_can_be_given_in_silence(why: str) -> None:
    """`never`, or an organizer who asked for no answers: it is noted and nobody is mailed."""
    meeting = THEIRS if why == "the policy" else there(**invited(responseRequested=False))
    at = desk(mail=MailPolicy(responses="never" if why == "the policy" else "send"))
    data = file_of(meeting)
    line = next(one for one in (b"RSVP=TRUE:mailto:me@", b":mailto:me@") if one in data)
    before = data.decode().split(line.decode())[0].rsplit("ATTENDEE", 1)[1]
    changes = {f"ATTENDEE{before}": f"ATTENDEE{before.replace('NEEDS-ACTION', 'ACCEPTED')}"}

    write = write_of(after_save(meeting, changes, at=at))

    assert (write.body, write.mailing) == ({"sendResponse": False}, None)


def test_a_comment_written_with_an_answer_goes_along_once() -> None:
    """One that stood there before was sent before, or was never meant."""
    comment = {"END:VEVENT": "COMMENT:Five minutes late\r\nEND:VEVENT"}

    new = after_save(THEIRS, ACCEPTS | comment)
    record = known(THEIRS, content=edited(file_of(THEIRS), comment))
    old = after_save(THEIRS, ACCEPTS, record=record)

    assert write_of(new).body == {"sendResponse": True, "comment": "Five minutes late"}
    assert write_of(old).body == {"sendResponse": True}


def test_what_no_former_text_is_known_of_was_written_now() -> None:
    """A file that was just found to be this meeting's."""
    comment = {"END:VEVENT": "COMMENT:Five minutes late\r\nEND:VEVENT"}
    silent, said = (
        planned(Sides(UID, None, saved(edited(file_of(THEIRS), one)), THEIRS), LOCAL_WINS)
        for one in (ACCEPTS, ACCEPTS | comment)
    )

    assert write_of(silent).body == {"sendResponse": True}
    assert write_of(said).body == {"sendResponse": True, "comment": "Five minutes late"}


def test_an_answer_cannot_be_taken_back() -> None:
    """Graph has no such request: the file says again what was answered."""
    accepted = there(
        **invited(
            responseStatus={"response": "accepted"},
            attendees=[person("me@example.org", "accepted"), BOB],
        )
    )
    yes = "PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:me@"

    plan = after_save(accepted, {yes: yes.replace("ACCEPTED", "NEEDS-ACTION")})

    assert plan.writes == ()
    assert plan.file is not None
    assert yes.encode() in (plan.file.data or b"")
    assert only(plan).reason == "put back from the service: an answer cannot be taken back"


def test_a_guest_changes_nothing_but_what_is_the_guests_own() -> None:
    """The title goes back, the category goes out."""
    plan = after_save(THEIRS, TITLE | CATEGORY)

    assert write_of(plan).body == {"categories": ["Red"]}
    assert plan.file is not None
    assert b"SUMMARY:Stand-up" in (plan.file.data or b"")
    assert only(plan).reason == "put back from the service: only the organizer can change this"


def test_how_the_owner_spends_the_time_is_the_guests_own() -> None:
    """What Outlook lets a guest change too: what is shown as, reminder, categories."""
    free = {"LOCATION:": "TRANSP:TRANSPARENT\r\nLOCATION:"}
    alarm = (
        "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT10M\r\n"
        "END:VALARM\r\nEND:VEVENT"
    )

    plan = after_save(THEIRS, free | CATEGORY | {"END:VEVENT": alarm})

    assert names(write_of(plan)) == {"show_as", "reminder_min", "categories"}
    assert (plan.problems, plan.file) == ((), None)


# --- series --------------------------------------------------------------------------------------


def test_an_edited_occurrence_is_sent_to_that_occurrence() -> None:
    """By its day; its id is looked up when the write leaves."""
    write = write_of(after_save(series(), override(MONDAY, *ALONE)))

    assert (write.kind, write.slot, write.graph_id, write.before_etag) == (
        *("patch", MONDAY),
        None,
        "",
    )
    assert write.body == {"subject": "Alone"}
    assert write.keys == {FieldKey(MONDAY, "subject")}
    assert not write.reshapes


def test_a_moved_occurrence_is_sent_its_times_alone() -> None:
    """The rule is the series'; a PATCH of an occurrence that brings one is refused."""
    moved = {
        "DTSTART;TZID=Europe/Berlin:20260309T090000": "DTSTART;TZID=Europe/Berlin:20260309T083000"
    }
    (added,) = override(MONDAY, *ALONE).values()

    write = write_of(
        after_save(
            series(), {"END:VEVENT\r\nEND:VCALENDAR": edited(added.encode(), moved).decode()}
        )
    )

    assert names(write) == {"when", "subject"}
    assert sorted(write.body) == ["end", "start", "subject"]
    assert (write.before_etag, write.reshapes) == ("", False)


def test_an_occurrence_where_only_the_service_knows_the_zone_is_edited_too() -> None:
    """Which one it is goes by the owner's zone."""
    custom = "tzone://Microsoft/Custom"
    rule = {**WEEKLY, "range": {**WEEKLY["range"], "recurrenceTimeZone": custom}}
    alone = exception(MONDAY, subject="Alone")
    before = there(
        type="seriesMaster",
        recurrence=rule,
        originalStartTimeZone=custom,
        exceptionOccurrences=[alone],
    )

    write = write_of(after_save(before, {"SUMMARY:Alone": "SUMMARY:Together"}))

    assert (write.slot, write.body) == (MONDAY, {"subject": "Together"})


def test_several_occurrences_are_a_write_each() -> None:
    """In the order of their days."""
    data = override(LATER, *ALONE)["END:VEVENT\r\nEND:VCALENDAR"]
    both = override(MONDAY, *ALONE)
    both = {
        key: value.replace("END:VCALENDAR", data.partition("\r\n")[2])
        for key, value in both.items()
    }

    plan = after_save(series(), both)

    assert [write.slot for write in plan.writes] == [MONDAY, LATER]


def test_a_series_goes_before_its_occurrences() -> None:
    """They are planned anew when the series was answered."""
    plan = after_save(series(), TITLE | override(MONDAY, "SUMMARY:Alone", "LOCATION:Room 1"))

    assert [(write.slot, names(write)) for write in plan.writes] == [("", {"subject"})]


def test_a_new_time_of_a_series_may_cost_it_its_exceptions() -> None:
    """They are put again afterwards."""
    shifted = {":20260302T090000": ":20260302T083000"}

    for changes in (shifted, RULE):
        write = write_of(after_save(series(), changes))
        assert write.reshapes
        assert {"start", "end", "recurrence"} <= set(write.body)
    assert not write_of(after_save(series(), TITLE)).reshapes
    assert not write_of(after_save(there(), TIME)).reshapes


def test_a_changed_rule_carries_the_services_newer_time() -> None:
    """Time and rule only go together: the half that was not edited is as the service has it."""
    moved = series(start=moment("2026-03-02", 11), end=moment("2026-03-02", 12))

    write = write_of(after_save(series(), RULE, now=moved))

    assert write.body["start"]["dateTime"] == "2026-03-02T11:00:00"
    assert write.body["recurrence"]["pattern"]["interval"] == 2
    assert names(write) == {"recurrence"}


def test_a_changed_time_carries_the_services_newer_rule() -> None:
    """The other way round."""
    rule = {**WEEKLY, "pattern": {**WEEKLY["pattern"], "interval": 3}}

    write = write_of(after_save(series(), TIME, now=there(type="seriesMaster", recurrence=rule)))

    assert write.body["recurrence"]["pattern"]["interval"] == 3
    assert write.body["start"]["dateTime"] == "2026-03-02T08:30:00"


def test_taking_out_an_occurrence_deletes_it() -> None:
    """One write for its day."""
    write = write_of(after_save(series(), without(MONDAY)))

    assert (write.kind, write.slot, write.graph_id) == ("delete-occurrence", MONDAY, None)
    assert (write.body, write.mailing, write.before_etag, write.reshapes) == ({}, None, "", False)
    assert write.keys == {FieldKey(MONDAY, "cancelled")}
    assert write.expects is not None
    assert write.expects.cancelled


OUR_SERIES = series(attendees=[BOB])


def test_taking_out_an_occurrence_of_a_meeting_waits_for_a_person() -> None:
    """Its guests would be told that it is cancelled."""
    plan = after_save(OUR_SERIES, without(MONDAY))

    assert plan.writes == ()
    assert (only(plan).code, only(plan).to) == ("would-cancel", ("bob@example.org",))
    assert only(plan).reason == f"to cancel the occurrence of {MONDAY} would mail 1 person"


def test_an_approved_cancellation_of_an_occurrence_goes() -> None:
    """It is approved for that day only."""
    at = desk()
    problem = only(after_save(OUR_SERIES, without(MONDAY), at=at))
    at = told(at, problem, "approved")

    plan = after_save(OUR_SERIES, without(MONDAY), at=at)

    assert write_of(plan).mailing == Mailing("cancellations", ("bob@example.org",))
    assert (plan.used_verdicts, plan.problems) == ((problem.id,), ())
    assert after_save(OUR_SERIES, without(LATER), at=at).writes == ()


def test_a_discarded_cancellation_of_an_occurrence_brings_it_back() -> None:
    """Into the file."""
    at = desk()
    problem = only(after_save(OUR_SERIES, without(MONDAY), at=at))

    plan = after_save(OUR_SERIES, without(MONDAY), at=told(at, problem, "discarded"))

    assert (plan.writes, plan.problems, plan.used_verdicts) == ((), (), (problem.id,))
    assert plan.file is not None
    assert b"EXDATE" not in (plan.file.data or b"")


def test_discarding_brings_back_every_occurrence_that_it_names() -> None:
    """Each is a matter of its own; here a person discards both."""
    at = desk()
    both = {
        "RRULE:FREQ=WEEKLY;BYDAY=MO": (
            "RRULE:FREQ=WEEKLY;BYDAY=MO\r\n"
            "EXDATE;TZID=Europe/Berlin:20260309T090000,20260316T090000"
        )
    }
    first, second = after_save(OUR_SERIES, both, at=at).problems
    told_one = told(at, first, "discarded")

    one_left = after_save(OUR_SERIES, both, at=told_one)
    plan = after_save(OUR_SERIES, both, at=told(told_one, second, "discarded"))

    assert one_left.problems == (second,)
    assert plan.writes == ()
    assert plan.file is not None
    assert b"EXDATE" not in (plan.file.data or b"")


DAVE = person("dave@example.org")


def with_guests(*people: Any, of_all: tuple[Any, ...] = (), **changes: Any) -> Remote:
    """A series one occurrence of which has guests of its own."""
    alone = exception(MONDAY, subject="Alone", attendees=list(people), **changes)
    return series(attendees=list(of_all), exceptionOccurrences=[alone])


@pytest.mark.parametrize(
    ("before", "to"),
    [
        (with_guests(DAVE), ("dave@example.org",)),
        (with_guests(DAVE, of_all=(BOB,)), ("dave@example.org", "bob@example.org")),
        (with_guests(of_all=(BOB,)), ("bob@example.org",)),
    ],
    ids=["of the occurrence", "of both", "of the series"],
)
def test_a_write_to_an_occurrence_may_mail_its_guests_and_those_of_the_series(
    before: Remote, to: tuple[str, ...]
) -> None:
    """Whoever of them is told: an edit and a cancellation count as mail to all."""
    title = {"SUMMARY:Alone": "SUMMARY:Together"}
    held = desk(mail=MailPolicy(updates="hold"))

    assert mailing_of(after_save(before, title)) == ("updates", to)
    assert only(after_save(before, title, at=held)).to == to
    assert only(after_save(before, without(MONDAY))).to == to


def test_who_is_asked_to_one_occurrence_is_invited() -> None:
    """Though the series has guests: they have nothing to do with that day."""
    plan = after_save(with_guests(of_all=(BOB,)), {"SUMMARY:Alone": f"SUMMARY:Alone\r\n{ASKED}"})

    assert (only(plan).code, only(plan).to) == (
        "would-invite",
        ("dave@example.org", "bob@example.org"),
    )


ASKED = "ORGANIZER:mailto:me@example.org\r\nATTENDEE:mailto:dave@example.org"


def two_overrides(*lines: str) -> dict[str, str]:
    """The same lines for two occurrences."""
    ((end, first),) = override(MONDAY, *lines).items()
    ((_, second),) = override(LATER, *lines).items()
    return {end: first.replace(end, second)}


def test_who_is_asked_to_several_occurrences_is_asked_once() -> None:
    """It is one question to the owner: may these people be invited."""
    changes = two_overrides("SUMMARY:Stand-up", "LOCATION:Room 1", *ASKED.split("\r\n"))
    at = desk()
    first, second = after_save(series(), changes, at=at).problems
    assert (first.id, first.exact) == (second.id, second.exact)

    plan = after_save(series(), changes, at=told(at, first, "approved"))

    assert [write.slot for write in plan.writes] == [MONDAY, LATER]
    assert {(one.mailing.kind, one.mailing.to) for one in plan.writes if one.mailing} == {
        ("invitations", ("dave@example.org",))
    }


def test_the_same_change_of_two_occurrences_is_two_matters() -> None:
    """Approving what is sent of one day does not send the other."""
    at = desk(mail=MailPolicy(updates="hold"))
    changes = two_overrides(*ALONE)
    first, second = after_save(OUR_SERIES, changes, at=at).problems
    assert (first.id != second.id, first.exact) == (True, second.exact)

    plan = after_save(OUR_SERIES, changes, at=told(at, second, "approved"))

    assert [write.slot for write in plan.writes] == [LATER]
    assert plan.problems == (first,)


def test_what_is_held_of_a_series_holds_up_its_time_alone() -> None:
    """A title that waits is no reason for an occurrence to wait; a time or rule that waits is."""
    at = desk(mail=MailPolicy(updates="hold"))
    before = series(
        attendees=[BOB], exceptionOccurrences=[exception(MONDAY, subject="Alone", attendees=[BOB])]
    )
    category = {"SUMMARY:Alone": "CATEGORIES:Red\r\nSUMMARY:Alone"}

    plan = after_save(before, TITLE | category, at=at)

    assert (write_of(plan).slot, write_of(plan).body) == (MONDAY, {"categories": ["Red"]})
    for moved in (TIME, {"BYDAY=MO": "BYDAY=MO,TU"}):
        waits = after_save(before, moved | category, at=at)
        assert (waits.writes, only(waits).code) == ((), "would-update")


def test_each_cancelled_occurrence_that_cannot_come_back_is_listed() -> None:
    """By its own day."""
    days = [f"OID.x.{MONDAY}", f"OID.x.{LATER}"]
    line = "EXDATE;TZID=Europe/Berlin:20260309T090000\r\n"
    other = "EXDATE;TZID=Europe/Berlin:20260316T090000\r\n"

    plan = after_save(series(cancelledOccurrences=days), {line: "", other: ""})

    assert plan.writes == ()
    assert len({one.id for one in plan.problems}) == 2


def test_a_cancelled_occurrence_cannot_be_brought_back() -> None:
    """Graph has no way to: it is listed, and everything else goes on."""
    cancelled = series(cancelledOccurrences=[f"OID.x.{MONDAY}"])
    line = "EXDATE;TZID=Europe/Berlin:20260309T090000\r\n"

    plan = after_save(cancelled, {line: ""})

    assert plan.writes == ()
    assert (only(plan).kind, only(plan).code) == ("hold", "cannot-restore-occurrence")
    assert only(plan).reason == (f"Outlook cannot bring back the cancelled occurrence of {MONDAY}")
    assert only(plan).fields == ("cancelled",)


def test_the_guests_of_a_new_series_are_invited_after_its_exceptions() -> None:
    """So that the invitation shows the series as it is."""
    record = known(series())
    changes = override(MONDAY, *ALONE) | {
        "RRULE:FREQ=WEEKLY;BYDAY=MO": (
            "RRULE:FREQ=WEEKLY;BYDAY=MO\r\nORGANIZER:mailto:me@example.org\r\n"
            "ATTENDEE:mailto:bob@example.org"
        )
    }

    plan = after_save(series(), changes, at=desk(mail=SEND_ALL), record=record)

    assert [(write.slot, write.mailing) for write in plan.writes] == [(MONDAY, None)]


def test_one_approval_invites_to_a_new_series_with_an_exception() -> None:
    """It is created without its people first: who approved that is not asked again."""
    guests = ("ORGANIZER:mailto:me@example.org", "ATTENDEE:mailto:bob@example.org")
    times = ("DTSTART:20260302T090000Z", "DTEND:20260302T100000Z", "RRULE:FREQ=WEEKLY;BYDAY=MO")
    new = ("SUMMARY:Stand-up", *times, "EXDATE:20260309T090000Z", *guests)
    at = desk()
    problem = only(made(*new, at=at))
    at = told(at, problem, "approved")

    first, then = made(*new, at=at), after_save(series(), INVITES, at=at)

    assert (write_of(first).kind, write_of(first).mailing, first.used_verdicts) == (
        *("create", None),
        (),
    )
    assert mailing_of(then) == ("invitations", ("bob@example.org",))
    assert (then.used_verdicts, then.problems) == ((problem.id,), ())


def test_a_further_guest_of_a_meeting_is_invited_before_its_exceptions() -> None:
    """The others know the series already."""
    changes = override(MONDAY, *ALONE) | {
        "ORGANIZER": "ATTENDEE:mailto:dave@example.org\r\nORGANIZER"
    }

    plan = after_save(OUR_SERIES, changes, at=desk(mail=SEND_ALL))

    assert [(write.slot, names(write)) for write in plan.writes] == [("", {"attendees"})]
    assert mailing_of(plan) == ("updates", ("bob@example.org", "dave@example.org"))


RICH = html("<p>Agenda</p><table><tr><td>1</td></tr></table>")


def test_an_edit_of_an_exception_is_compared_with_that_exception() -> None:
    """Its body is its own: a rich one there is not written over."""
    before = series(exceptionOccurrences=[exception(MONDAY, subject="Alone", body=RICH)])

    plan = after_save(
        before, {"SUMMARY:Alone": "SUMMARY:Together", "DESCRIPTION:Agenda": "DESCRIPTION:Plan"}
    )

    assert write_of(plan).body == {"subject": "Together"}
    assert write_of(plan).slot == MONDAY
    assert (only(plan).code, only(plan).fields) == ("rich-body", ("body",))
    of_series = only(after_save(there(body=RICH), {"DESCRIPTION:Agenda": "DESCRIPTION:Plan"}))
    assert of_series.id != only(plan).id


# --- texts ---------------------------------------------------------------------------------------

HELLO = there(body=html("<p>Hello</p>"))
BYE = "DESCRIPTION:Bye\r\nX-ALT-DESC;FMTTYPE=text/html:<p><b>Bye</b></p>"


def test_a_rich_text_is_replaced_only_where_that_is_asked_for() -> None:
    """`rich_body = "replace"` gives up the formatting; without it the edit waits."""
    edit = {"DESCRIPTION:Agenda": "DESCRIPTION:Plan"}

    replaced = after_save(there(body=RICH), edit, at=desk(replace_rich=True))
    held = after_save(there(body=RICH), edit | TITLE)

    assert write_of(replaced).body["body"]["content"].startswith("Plan")
    assert (write_of(held).body, only(held).code) == ({"subject": "Retro"}, "rich-body")


def test_blank_lines_that_no_html_keeps_are_no_edit() -> None:
    """Nothing is sent of them, and the file says again what the service has."""
    two = there(body=html("<p>Hello</p><p><br></p><p>World</p>"))
    apart = {"DESCRIPTION:Hello\\n": "DESCRIPTION:Hello\\n\\n\\n"}

    plan, with_title = after_save(two, apart), after_save(two, apart | TITLE)

    assert plan.writes == ()
    assert (names(write_of(with_title)), write_of(with_title).body) == (
        {"subject"},
        {"subject": "Retro"},
    )
    for one in (plan, with_title):
        assert one.file is not None
        assert b"DESCRIPTION:Hello\\n\\nWorld\r\n" in (one.file.data or b"")


def test_a_new_text_goes_in_the_form_that_its_author_gave_it() -> None:
    """Where its file has an HTML form that says the same."""
    formed = after_save(HELLO, {"DESCRIPTION:Hello": BYE})
    plain = after_save(HELLO, {"DESCRIPTION:Hello": "DESCRIPTION:Bye"})

    assert write_of(formed).body == {"body": html("<p><b>Bye</b></p>")}
    assert write_of(plain).body == {"body": {"contentType": "text", "content": "Bye"}}


def test_a_form_that_was_made_from_another_body_is_not_sent() -> None:
    """What the service's newer one is made of would go with it; nor does an occurrence have one."""
    ciao = there(body=html("<p>Ciao</p>"))
    own = series(exceptionOccurrences=[exception(MONDAY, body=html("<p>Hello</p>"))])

    newer = after_save(HELLO, {"DESCRIPTION:Hello": BYE}, now=ciao, at=LOCAL_WINS)
    occurrence = after_save(own, {"DESCRIPTION:Hello": BYE})

    assert write_of(newer).body == {"body": {"contentType": "text", "content": "Bye"}}
    assert write_of(occurrence).body == {"body": {"contentType": "text", "content": "Bye"}}


@pytest.mark.parametrize("record", [ItemRecord(UID), None], ids=["no base", "no record"])
def test_a_form_goes_to_an_event_that_is_linked_without_a_text(record: ItemRecord | None) -> None:
    """It can have been made from none; of an item that nobody knew not even that is known."""
    data = edited(file_of(there()), {"CREATED:": f"{BYE}\r\nCREATED:"})

    plan = planned(Sides(UID, record, saved(data), there()), LOCAL_WINS)

    formed, plain = html("<p><b>Bye</b></p>"), {"contentType": "text", "content": "Bye"}
    assert write_of(plan).body == {"body": formed if record else plain}
