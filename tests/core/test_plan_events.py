"""What is done on the service about a file that is new or was deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from syncd.core.decide import Sides
from syncd.core.event import Event, Item, Person, Timed
from syncd.core.ids import FileName, GraphId
from syncd.core.mail import Mailing, MailPolicy
from syncd.core.plan import ItemPlan, Write, refusal_digest
from syncd.core.state import Problem
from syncd.core.wire.graph import ICAL_UID_PROPERTY
from tests.core.planning import (
    NEW,
    READ_ONLY,
    SEND_ALL,
    UID,
    after_deletion,
    desk,
    edited,
    event_text,
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
from tests.strategies import BERLIN

NINE = Timed(datetime(2026, 3, 2, 9), BERLIN, datetime(2026, 3, 2, 10), BERLIN)
GUEST = "ATTENDEE:mailto:bob@example.org"
HOST = "ORGANIZER:mailto:me@example.org"
BOSS = "ORGANIZER:mailto:boss@example.com"
RULE = "RRULE:FREQ=WEEKLY"
MEETING = (*NEW, HOST, GUEST)
ONLY_MONDAY = "EXDATE:20260309T090000Z"


def codes(plan: ItemPlan) -> list[str]:
    return [one.code for one in plan.problems]


def only(plan: ItemPlan) -> Problem:
    (problem,) = plan.problems
    return problem


def write_of(plan: ItemPlan) -> Write:
    (write,) = plan.writes
    return write


# --- a new file ----------------------------------------------------------------------------------


def test_a_new_file_becomes_an_event_that_bears_its_uid() -> None:
    """One create, without any mail; the file itself is left as it is."""
    plan = made(*NEW)

    write = write_of(plan)
    assert (write.kind, write.slot, write.graph_id, write.mailing) == ("create", "", None, None)
    assert write.body["subject"] == "New"
    assert write.body["body"] == {"contentType": "text", "content": ""}
    assert write.body["singleValueExtendedProperties"] == [{"id": ICAL_UID_PROPERTY, "value": UID}]
    assert (plan.file, plan.problems, plan.used_verdicts) == (None, (), ())


def test_a_new_all_day_event_is_that_of_the_mailboxs_zone() -> None:
    """Graph wants a zone for its midnights; another one would show it on two days."""
    body = write_of(made("DTSTART;VALUE=DATE:20260302", "DTEND;VALUE=DATE:20260303")).body

    assert body["isAllDay"]
    assert (body["start"]["timeZone"], body["end"]["timeZone"]) == (BERLIN, BERLIN)


def test_a_new_file_is_known_by_its_words_and_by_no_event_yet() -> None:
    """Until the service has answered there is nothing that both sides agree on."""
    record = made(*NEW).record

    assert record is not None
    assert record.content == event_text(*NEW)
    agreed = (record.graph_id, record.base_local, record.base_remote)
    assert (*agreed, record.fingerprint, record.stat) == (None,) * 5


def test_a_new_file_that_nothing_is_known_of_yet_is_known_by_its_uid() -> None:
    """What comes back from the service is found by it."""
    record = planned(Sides(UID, None, saved(event_text(*NEW)), None), desk()).record

    assert record is not None
    assert (record.uid, record.content) == (UID, event_text(*NEW))


def test_a_file_that_outlived_its_event_keeps_its_name_and_nothing_else() -> None:
    """The event was deleted while the file was edited: it is made again, from the file."""
    before = there()
    record = known(before)
    local = saved(event_text(*NEW), record)

    plan = planned(Sides(UID, record, local, None), desk())

    assert write_of(plan).kind == "create"
    assert plan.record is not None
    assert plan.record.file == FileName("u-1.ics")
    assert (plan.record.graph_id, plan.record.base_remote) == (None, None)
    assert (plan.record.base_local, plan.record.fingerprint, plan.record.stat) == (None,) * 3


@pytest.mark.parametrize(
    ("agreed", "graph_id", "place"),
    [(True, "g-1", "g-1"), (True, None, ""), (False, "g-1", "g-1"), (False, None, "")],
)
def test_an_event_that_is_made_again_comes_in_the_place_of_the_one_that_went(
    agreed: bool, graph_id: GraphId | None, place: str
) -> None:
    """Where the file was linked with that one; else it is an event like any new one."""
    record = known(there(), graph_id=graph_id)
    if not agreed:
        record = replace(record, base_local=None, base_remote=None)
    local = saved(edited(record.content, {"SUMMARY:Stand-up": "SUMMARY:Ours"}), record)

    write = write_of(planned(Sides(UID, record, local, None), desk()))

    assert (write.kind, write.action) == ("create", place)


def test_the_html_of_a_new_file_is_what_the_service_gets() -> None:
    """A form of the text that says the same is not thrown away."""
    html = "DESCRIPTION:Hello\r\nX-ALT-DESC;FMTTYPE=text/html:<p>Hello</p>"

    body = write_of(made(*NEW, *html.split("\r\n"))).body["body"]

    assert body["contentType"] == "html"
    assert "<p>Hello</p>" in body["content"]


def test_a_new_file_in_a_calendar_that_cannot_be_written_is_listed() -> None:
    """It says why, and where the file could go instead."""
    plan = made(*NEW, at=desk(**READ_ONLY))

    assert plan.writes == ()
    assert (only(plan).kind, only(plan).code) == ("hold", "read-only")
    assert only(plan).needs_person
    assert only(plan).reason == "a new file cannot be sent: the calendar is read-only"
    assert only(plan).hint.startswith("Move the file to another calendar's folder")


TOO_MANY = (HOST, *(f"ATTENDEE:mailto:guest-{number}@example.org" for number in range(501)))


@pytest.mark.parametrize(
    "more",
    [("RRULE:FREQ=SECONDLY",), ("DTEND:20260301T100000Z",), TOO_MANY],
    ids=["a rule that Outlook lacks", "an end before the start", "more guests than Outlook holds"],
)
def test_what_no_event_can_be_without_holds_up_a_new_one(more: tuple[str, ...]) -> None:
    """A series without its rule, a meeting of nobody, an event at another time: something else."""
    named = {one.partition(":")[0] for one in more}
    lines = [one for one in NEW if one.partition(":")[0] not in named]

    plan = made(*lines, *more)

    assert plan.writes == ()
    assert [one.kind for one in plan.problems] == ["hold"]


def test_an_event_that_was_lost_is_not_made_again_at_a_time_that_its_file_left() -> None:
    """The file was edited meanwhile and its new time cannot be sent: it waits to be mended."""
    record = known(there())
    title = {"SUMMARY:Stand-up": "SUMMARY:Ours"}
    ends_before_start = {**title, ":20260302T100000": ":20260301T100000"}

    whole, held = (
        planned(Sides(UID, record, saved(edited(record.content, one), record), None), desk())
        for one in (title, ends_before_start)
    )

    assert [write.kind for write in whole.writes] == ["create"]
    assert held.writes == ()
    assert [(one.kind, one.code, one.fields) for one in held.problems] == [
        ("hold", "ends-before-start", ("when",))
    ]


def test_what_an_event_can_be_without_holds_up_no_new_one() -> None:
    """The rest of the file becomes an event; what cannot go is listed."""
    plan = made(*NEW, "CATEGORIES:" + "x" * 300)

    assert write_of(plan).body["subject"] == "New"
    assert [one.kind for one in plan.problems] == ["hold"]


# --- a new meeting -------------------------------------------------------------------------------


def test_a_new_meeting_waits_for_a_person() -> None:
    """Nobody is invited by default; whom it would mail is listed."""
    plan = made(*MEETING)

    assert plan.writes == ()
    problem = only(plan)
    assert (problem.kind, problem.code, problem.needs_person) == ("held-mail", "would-invite", True)
    assert (problem.mail_class, problem.to) == ("invitations", ("bob@example.org",))
    assert problem.reason == "to create the meeting would mail 1 person"
    assert problem.hint == "`syncd approve ID` sends it, `syncd discard ID` takes it back."
    two = only(made(*MEETING, "ATTENDEE:mailto:dave@example.org"))
    assert two.reason == "to create the meeting would mail 2 people"


def test_a_new_meeting_goes_out_once_a_person_approved_it() -> None:
    """The approval counts once: it is used up with the write."""
    at = desk()
    problem = only(made(*MEETING, at=at))

    plan = made(*MEETING, at=told(at, problem, "approved"))

    assert write_of(plan).mailing == Mailing("invitations", ("bob@example.org",))
    guests = write_of(plan).body["attendees"]
    assert [one["emailAddress"]["address"] for one in guests] == ["bob@example.org"]
    assert (plan.used_verdicts, plan.problems) == ((problem.id,), ())


def test_a_new_meeting_that_was_discarded_stays_a_file() -> None:
    """It is not asked about again, for as long as it would invite the same people."""
    at = desk()
    at = told(at, only(made(*MEETING, at=at)), "discarded")

    same = made(*MEETING, at=at)
    more = made(*MEETING, "ATTENDEE:mailto:dave@example.org", at=at)

    assert (same.writes, same.problems, same.used_verdicts) == ((), (), ())
    assert more.writes == ()
    assert only(more).to == ("bob@example.org", "dave@example.org")


def test_a_new_meeting_goes_out_at_once_where_the_policy_says_so() -> None:
    """`mail = { invitations = "send" }`."""
    assert write_of(made(*MEETING, at=desk(mail=SEND_ALL))).mailing is not None


def test_a_new_meeting_is_never_sent_where_the_policy_says_so() -> None:
    """It is listed, but nobody is asked."""
    plan = made(*MEETING, at=desk(mail=MailPolicy(invitations="never")))

    assert plan.writes == ()
    assert not only(plan).needs_person
    assert only(plan).hint == "The configuration never sends invitations."


@pytest.mark.parametrize("line", [ONLY_MONDAY, "EXDATE:20260316T090000Z"])
def test_a_new_meeting_with_exceptions_invites_once_they_are_there(line: str) -> None:
    """First the bare series for nobody, so that one invitation carries all of it."""
    plan = made(*MEETING, RULE, line, at=desk(mail=SEND_ALL))

    write = write_of(plan)
    assert write.mailing is None
    assert "attendees" not in write.body
    assert write.expects is not None
    assert write.expects.master.attendees == ()
    assert write.expects.cancelled == frozenset()


def test_an_approved_meeting_with_exceptions_is_still_approved_when_they_are_there() -> None:
    """The create mails nobody, so that the approval is not used up by it."""
    at = desk()
    lines = (*MEETING, RULE, ONLY_MONDAY)
    problem = only(made(*lines, at=at))

    plan = made(*lines, at=told(at, problem, "approved"))

    assert write_of(plan).mailing is None
    assert plan.used_verdicts == ()


def test_the_exceptions_of_a_new_series_follow_its_create() -> None:
    """What is agreed by the create is the plain series."""
    write = write_of(made(*NEW, RULE, ONLY_MONDAY))

    assert write.body["recurrence"]["pattern"]["type"] == "weekly"
    assert write.expects is not None
    assert write.expects.recurrence is not None
    assert write.expects.cancelled == frozenset()


# --- another organizer's meeting -----------------------------------------------------------------


def test_another_organizers_meeting_is_never_sent_as_ones_own() -> None:
    """An invitation saved from a mail would invite everyone anew."""
    plan = made(*NEW, BOSS, GUEST)

    assert plan.writes == ()
    assert "foreign-meeting" in codes(plan)


def test_a_meeting_of_which_only_the_organizer_is_foreign_says_what_to_do() -> None:
    """The owner accepts it in the mailbox, or takes a copy."""
    item = Item(Event(NINE, organizer=Person("boss@example.com"), invited_as="me@example.org"))
    local = saved(event_text(*NEW))
    local = replace(local, file=replace(local.file, item=item))

    problem = only(planned(Sides(UID, None, local, None), desk()))

    assert (problem.kind, problem.code, problem.needs_person) == ("hold", "foreign-meeting", True)
    assert problem.reason == (
        "the meeting is another organizer's; sending it would invite everyone anew"
    )
    assert problem.hint == (
        'Accept the invitation in the mailbox, or set foreign_meeting = "copy".'
    )


def test_another_organizers_meeting_is_copied_where_the_configuration_says_so() -> None:
    """As an event of one's own that nobody is invited to."""
    plan = made(*NEW, BOSS, GUEST, at=desk(foreign_meeting="copy"))

    write = write_of(plan)
    assert (write.mailing, plan.problems) == (None, ())
    assert "attendees" not in write.body
    assert write.expects is not None
    copied = write.expects.master
    assert (copied.attendees, copied.organizer, copied.invited_as) == ((), None, "")
    assert copied.response == "none"


def test_a_copy_of_a_series_names_nobody_in_its_occurrences() -> None:
    """They would be invited with the exceptions."""
    at = desk(foreign_meeting="copy")
    lines = "\r\n".join(
        [
            *(*NEW, RULE, BOSS, GUEST, "END:VEVENT", "BEGIN:VEVENT", f"UID:{UID}"),
            *("DTSTAMP:20260101T000000Z", "RECURRENCE-ID:20260309T090000Z", "SUMMARY:New"),
            *("DTSTART:20260309T110000Z", "DTEND:20260309T120000Z", BOSS),
            "ATTENDEE:mailto:dave@example.org",
        ]
    )

    write = write_of(made(*lines.split("\r\n"), at=at))

    assert b"dave" not in repr(write.body).encode()
    assert write.mailing is None


def test_a_meeting_is_not_moved_to_another_calendar_by_moving_its_file() -> None:
    """That would cancel it for everyone and invite them anew."""
    plan = made(*MEETING, at=desk(moving=frozenset({UID}), mail=SEND_ALL))

    assert plan.writes == ()
    problem = only(plan)
    assert (problem.kind, problem.code, problem.needs_person) == ("hold", "move-meeting", True)
    assert problem.hint == "Move the file back, or move the meeting in Outlook."
    assert problem.reason == (
        "a meeting cannot change calendars without inviting and cancelling everyone"
    )


def test_an_event_of_ones_own_moves_with_its_file() -> None:
    """Nobody else is concerned."""
    assert write_of(made(*NEW, at=desk(moving=frozenset({UID})))).kind == "create"


# --- a write that the service refused ------------------------------------------------------------


@pytest.mark.parametrize(("kind", "goes"), [("refused", 0), ("in-doubt", 0), ("notice", 1)])
def test_what_the_service_refused_is_not_sent_again_until_it_changes(kind: str, goes: int) -> None:
    """The problem stays listed; any other write goes."""
    at = desk()
    write = write_of(made(*NEW, at=at))
    refused = replace(
        at.problem(kind, "400", None, reason="no"), uid=UID, exact=refusal_digest(write)
    )
    at = replace(at, open_problems={refused.id: refused})

    same, other = made(*NEW, at=at), made(*NEW[1:], "SUMMARY:Other", at=at)

    assert len(same.writes) == goes
    assert same.problems == (() if goes else (refused,))
    assert len(other.writes) == 1


def test_what_was_refused_of_one_item_holds_up_no_other() -> None:
    """Two files may well say the same."""
    at = desk()
    refused = at.problem("refused", "400", None, reason="no")
    refused = replace(refused, uid=UID, exact=refusal_digest(write_of(made(*NEW, at=at))))
    at = replace(at, open_problems={refused.id: replace(refused, uid=None)})

    assert len(made(*NEW, at=at).writes) == 1


# --- a file that was deleted ---------------------------------------------------------------------


def test_deleting_a_file_deletes_its_event_as_it_was_seen() -> None:
    """The version goes along: what changed meanwhile is not deleted."""
    plan = after_deletion(there())

    write = write_of(plan)
    assert (write.kind, write.graph_id, write.before_etag) == ("delete", "g-1", "e-1")
    assert (write.slot, write.body, write.mailing, write.expects) == ("", {}, None, None)
    assert (plan.record, plan.file, plan.problems) == (known(there()), None, ())


def test_a_file_deleted_in_a_read_only_calendar_comes_back() -> None:
    """With a word about why."""
    plan = after_deletion(there(), at=desk(**READ_ONLY))

    assert plan.writes == ()
    assert plan.file is not None
    assert plan.file.name == "u-1.ics"
    assert (only(plan).kind, only(plan).code, only(plan).needs_person) == (
        *("notice", "restored"),
        False,
    )
    assert only(plan).reason == "the file is back: the calendar is read-only"
    assert only(plan).hint == "What you deleted cannot be deleted from here."


OUR_MEETING = there(attendees=[person("bob@example.org")])


def test_deleting_the_file_of_a_meeting_waits_for_a_person() -> None:
    """A cancellation would go out."""
    plan = after_deletion(OUR_MEETING)

    assert plan.writes == ()
    assert (plan.record, plan.file) == (known(OUR_MEETING), None)
    assert (only(plan).code, only(plan).to) == ("would-cancel", ("bob@example.org",))
    assert only(plan).reason == "to delete the meeting would mail 1 person"


def test_a_meeting_whose_deletion_was_approved_is_cancelled() -> None:
    """The approval is used up."""
    at = desk()
    problem = only(after_deletion(OUR_MEETING, at=at))

    plan = after_deletion(OUR_MEETING, at=told(at, problem, "approved"))

    assert write_of(plan).mailing == Mailing("cancellations", ("bob@example.org",))
    assert (plan.used_verdicts, plan.problems) == ((problem.id,), ())


def test_a_meeting_whose_deletion_was_discarded_gets_its_file_back() -> None:
    """Nothing goes to the service, and nothing stays listed."""
    at = desk()
    problem = only(after_deletion(OUR_MEETING, at=at))

    plan = after_deletion(OUR_MEETING, at=told(at, problem, "discarded"))

    assert (plan.writes, plan.problems, plan.used_verdicts) == ((), (), (problem.id,))
    assert plan.file is not None
    assert b"SUMMARY:Stand-up" in (plan.file.data or b"")


def test_deleting_the_file_of_somebody_elses_meeting_mails_nobody() -> None:
    """It only leaves the owner's own calendar."""
    write = write_of(after_deletion(there(**invited())))

    assert (write.kind, write.mailing) == ("delete", None)


def test_the_event_of_a_meeting_whose_file_is_on_its_way_elsewhere_stays() -> None:
    """Until a person says what is meant; an event of one's own goes."""
    at = desk(moving=frozenset({UID}), mail=SEND_ALL)

    assert after_deletion(OUR_MEETING, at=at).writes == ()
    assert after_deletion(OUR_MEETING, at=at).record == known(OUR_MEETING)
    assert write_of(after_deletion(there(), at=at)).kind == "delete"


def test_a_file_deleted_while_its_event_moved_on_comes_back() -> None:
    """The service is not undone by a deletion that did not know of it."""
    plan = after_deletion(there(), there(subject="Moved on"))

    assert plan.writes == ()
    assert plan.file is not None
    assert b"SUMMARY:Moved on" in (plan.file.data or b"")
    assert (only(plan).code, only(plan).needs_person) == ("restored", False)
    assert "changed on the service" in only(plan).reason
    assert only(plan).hint == "Delete the file again if you mean it."


def test_deleting_the_file_of_a_series_deletes_the_whole_series() -> None:
    """One write, to the series itself."""
    write = write_of(after_deletion(series()))

    assert (write.kind, write.slot, write.graph_id) == ("delete", "", "g-1")
