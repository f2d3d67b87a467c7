"""When the lines of a file that Graph has no field for go to the service."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.core.decide import Absent, Same, Sides
from syncd.core.plan import ItemPlan, refusal_digest
from syncd.core.wire.graph import ICAL_STASH_PROPERTY
from tests.core.planning import (
    NEW,
    READ_ONLY,
    UID,
    after_save,
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
)

URL = {"CREATED:": "URL:https://example.com\r\nCREATED:"}
TITLE = {"SUMMARY:Stand-up": "SUMMARY:Retro"}
LONG = {"LAST-MODIFIED": "CATEGORIES:" + "x" * 300 + "\r\nLAST-MODIFIED"}
OURS = there(attendees=[person("bob@example.org")])


def stashes(plan: ItemPlan) -> list[bool]:
    """Of each write, whether it carries the line."""
    given = [write.body.get("singleValueExtendedProperties", []) for write in plan.writes]
    return [
        any(one["id"] == ICAL_STASH_PROPERTY and "https" in one["value"] for one in some)
        for some in given
    ]


def stash_of(plan: ItemPlan) -> str:
    (write,) = plan.writes
    given = write.body["singleValueExtendedProperties"]
    (value,) = [one["value"] for one in given if one["id"] == ICAL_STASH_PROPERTY]
    return str(value)


STASH = stash_of(made(*NEW, "URL:https://example.com"))


def stashed(**more: Any) -> Any:
    """An event that brings the line along."""
    properties = [{"id": ICAL_STASH_PROPERTY, "value": STASH}]
    return there(singleValueExtendedProperties=properties, **more)


def test_lines_of_a_new_file_go_with_the_create() -> None:
    """No request of their own."""
    assert stashes(made(*NEW, "URL:https://example.com")) == [True]
    assert stashes(made(*NEW)) == [False]


def test_lines_that_the_service_refused_stay_out_of_the_create() -> None:
    """The event is made without them."""
    local = saved(event_text(*NEW, "URL:https://example.com"))
    record = replace(known(there()), graph_id=None, base_local=None, base_remote=None)
    refused = replace(record, sent_stash=STASH)

    plan = planned(Sides(UID, refused, local, None), desk())

    assert stashes(plan) == [False]


def test_lines_go_along_with_another_edit() -> None:
    """In the same write, whatever it mails."""
    plan = after_save(there(), URL | TITLE)

    assert stashes(plan) == [True]
    assert plan.writes[0].body["subject"] == "Retro"
    assert stashes(after_save(OURS, URL | TITLE)) == [True]


def test_lines_alone_go_by_themselves() -> None:
    """As a write that settles no field, to the version that was seen."""
    plan = after_save(there(), URL)

    assert stashes(plan) == [True]
    (write,) = plan.writes
    assert (write.kind, write.slot, write.keys, write.graph_id) == (
        *("patch", "", frozenset()),
        "g-1",
    )
    assert (write.mailing, write.before_etag, write.action) == (None, "e-1", "")
    assert write.expects is not None
    assert plan.record is not None
    assert plan.record.fingerprint is None


@pytest.mark.parametrize("meeting", [OURS, there(**invited())], ids=["ours", "theirs"])
def test_lines_alone_are_no_reason_to_touch_a_meeting(meeting: Any) -> None:
    """Its people would be mailed for nothing."""
    assert after_save(meeting, URL).writes == ()


def test_lines_wait_while_their_author_is_about_to_mend_another() -> None:
    """One request for both."""
    assert stashes(after_save(there(), URL | LONG)) == []
    assert stashes(after_save(there(), URL | LONG | TITLE)) == [True]


def test_lines_stay_here_where_nothing_may_be_written() -> None:
    """Nor is anything said about it: the file has them."""
    plan = after_save(there(), URL, at=desk(**READ_ONLY))

    assert (plan.writes, plan.problems) == ((), ())


def test_lines_that_the_service_has_are_not_sent_again() -> None:
    """Neither what was sent nor what it showed from the beginning."""
    record = known(there(), sent_stash=STASH)

    assert stashes(after_save(there(), URL | TITLE, record=record)) == [False]
    assert stashes(after_save(stashed(), URL | TITLE, record=known(there()))) == [False]
    assert after_save(there(), URL, record=record).writes == ()


def test_lines_go_with_the_series_and_not_with_an_occurrence() -> None:
    """An occurrence has no stash of its own; the lines follow in the next round."""
    day = "20260309T090000"
    override = "\r\n".join(
        [
            *("END:VEVENT", "BEGIN:VEVENT", f"UID:{UID}", "DTSTAMP:20260102T000000Z"),
            *(f"RECURRENCE-ID;TZID=Europe/Berlin:{day}", f"DTSTART;TZID=Europe/Berlin:{day}"),
            "DTEND;TZID=Europe/Berlin:20260309T100000",
            *("SUMMARY:Alone", "LOCATION:Room 1", "END:VEVENT", "END:VCALENDAR"),
        ]
    )

    plan = after_save(series(), URL | {"END:VEVENT\r\nEND:VCALENDAR": override})

    assert [write.slot for write in plan.writes] == ["2026-03-09"]
    assert stashes(plan) == [False]


def test_lines_go_after_the_file_was_written() -> None:
    """The service's news are written first, and the file is read again at once."""
    moved = there(location={"displayName": "Room 2"})

    plan = after_save(there(), URL, now=moved)

    assert plan.writes == ()
    assert plan.file is not None
    assert plan.file.unread
    assert b"https://example.com" in (plan.file.data or b"")
    assert plan.after_file is not None
    assert (plan.after_file.fingerprint, plan.after_file.stat) == (None, None)
    without = after_save(there(), TITLE, now=moved)
    assert without.file is not None
    assert not without.file.unread


def test_lines_that_were_refused_by_themselves_wait_for_a_change() -> None:
    """The refusal stays listed, and other lines go."""
    (write,) = after_save(there(), URL).writes
    at = desk()
    refused = at.problem("refused", "400", None, reason="no", exact=refusal_digest(write))
    refused = replace(refused, uid=UID)
    at = replace(at, open_problems={refused.id: refused})
    other = {"CREATED:": "URL:https://example.net\r\nCREATED:"}

    same, another = after_save(there(), URL, at=at), after_save(there(), other, at=at)

    assert (same.writes, same.problems) == ((), (refused,))
    assert stashes(another) == [True]


def test_a_file_made_from_an_event_has_its_lines_again() -> None:
    """On another machine; they count as sent, so that only an edit sends them."""
    plan = planned(Sides(UID, None, Absent(), stashed()), desk())

    assert plan.file is not None
    assert plan.file.data is not None
    assert b"URL:https://example.com" in plan.file.data
    assert plan.after_file is not None
    assert plan.after_file.sent_stash == STASH
    record = replace(plan.after_file, stat=None)
    local = saved(edited(plan.file.data, TITLE), record)
    again = planned(Sides(UID, record, local, stashed()), desk())
    assert stashes(again) == [False]


def test_a_file_that_is_back_keeps_what_was_sent_of_it() -> None:
    """What was sent last counts, not what the event shows by now."""
    record = known(there(), sent_stash="sent before")

    plan = planned(Sides(UID, record, Absent(), stashed(subject="Moved on")), desk())

    assert plan.after_file is not None
    assert plan.after_file.sent_stash == "sent before"


def test_an_event_seen_again_is_known_by_its_lines() -> None:
    """After a lost state there is no other word of what was sent."""
    before = stashed()

    plan = planned(Sides(UID, known(there()), Same(), before), desk())

    assert plan.record is not None
    assert plan.record.sent_stash == STASH
