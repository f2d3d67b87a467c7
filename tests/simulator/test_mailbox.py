"""
The mailbox engine: single events, their rules, ids, bodies, zones and idempotent creation.
"""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.simulator import bodies, render
from syncd.simulator.errors import ServiceError
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.render import Look
from tests.simulator.mailbox_world import mailbox, person, single, weekly, when


def make(box: Mailbox, **more: Any) -> Any:
    return box.create(box.default_calendar.id, single(**more))


def row(event: Any, **look: Any) -> dict[str, Any]:
    return render.full_row(event, Look(**look))


def refusal(body: dict[str, Any], box: Mailbox | None = None) -> ServiceError:
    box = box or mailbox()
    with pytest.raises(ServiceError) as caught:
        box.create(box.default_calendar.id, body)
    return caught.value


def test_times_are_shown_in_utc_or_in_the_zone_asked_for_with_seven_digits() -> None:
    """The stored wall time is kept; a look only converts it."""
    event = make(mailbox(), start="2031-07-01T12:00:00", end="2031-07-01T13:00:00")

    assert row(event)["start"] == {"dateTime": "2031-07-01T10:00:00.0000000", "timeZone": "UTC"}
    tokyo = row(event, zone="Tokyo Standard Time")["start"]
    assert tokyo["dateTime"] == "2031-07-01T19:00:00.0000000"
    assert row(event, zone=None)["start"] == when("2031-07-01T12:00:00.0000000")
    assert row(event)["originalStartTimeZone"] == "W. Europe Standard Time"


def test_an_all_day_event_floats_and_only_its_label_changes() -> None:
    """Midnight stays midnight whatever zone is asked for."""
    event = make(mailbox(), start="2031-03-04T00:00:00", end="2031-03-05T00:00:00", isAllDay=True)

    shown = row(event, zone="Tokyo Standard Time")

    assert shown["start"]["dateTime"] == "2031-03-04T00:00:00.0000000"
    assert shown["start"]["timeZone"] == "Tokyo Standard Time"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (single(zone="Mars/Olympus"), "TimeZoneNotSupportedException"),
        (single(start="2031-03-04T14:00:00"), "ErrorPropertyValidationFailure"),
        (single(isAllDay=True), "ErrorPropertyValidationFailure"),
        (
            single(start="2031-03-04T00:00:00", end="2031-03-04T00:00:00", isAllDay=True),
            "ErrorPropertyValidationFailure",
        ),
        (single(start="yesterday"), "RequestBodyRead"),
        (single(showAs="asleep"), "RequestBodyRead"),
        (single(isReminderOn="yes"), "RequestBodyRead"),
        (single(colour="red"), "RequestBodyRead"),
        (single(body=None), "ErrorInvalidRequest"),
        ({"subject": "no times"}, "ErrorInvalidRequest"),
        (single(attendees=[person(f"p{n}@x.org") for n in range(501)]), "ErrorInvalidRequest"),
        (single(attendees=[{"type": "required"}]), "RequestBodyRead"),
        (single(singleValueExtendedProperties=[{"id": "x", "value": "y"}]), "ErrorInvalidRequest"),
    ],
)
def test_an_illegal_event_is_refused_with_the_services_code(body: Any, code: Any) -> None:
    """Every refusal of a create is a 400 and changes nothing."""
    box = mailbox()

    refused = refusal(body, box)

    assert (refused.status, refused.code) == (400, code)
    assert box.items(box.default_calendar.id) == []


def test_a_new_event_has_the_defaults_of_the_service() -> None:
    """Missing reminder fields mean a reminder a quarter of an hour before."""
    shown = row(make(mailbox()))

    assert (shown["isReminderOn"], shown["reminderMinutesBeforeStart"]) == (True, 15)
    assert (shown["showAs"], shown["sensitivity"], shown["type"]) == (
        "busy",
        "normal",
        "singleInstance",
    )
    assert shown["isOrganizer"] is True
    assert re.fullmatch(r"040000008200E00074C5B7101A82E008[0-9A-F]{80}", shown["iCalUId"])


def test_the_etag_moves_with_the_change_key_on_each_change() -> None:
    """Both name one version."""
    box = mailbox()
    event = make(box)
    before = row(event)

    box.patch(event.id, {"subject": "Dinner"})

    after = row(event)
    assert after["changeKey"] != before["changeKey"]
    assert after["@odata.etag"] == f'W/"{after["changeKey"]}"'


def test_a_patch_leaves_alone_what_it_does_not_name() -> None:
    """Only the named properties change."""
    box = mailbox()
    event = make(box, location={"displayName": "Room 1"}, categories=["Red"])

    box.patch(event.id, {"showAs": "free"})

    shown = row(event)
    assert (shown["showAs"], shown["location"]["displayName"]) == ("free", "Room 1")
    assert shown["categories"] == ["Red"]


def test_both_forms_of_an_id_name_the_event_and_only_the_default_one_dies_in_a_move() -> None:
    """A person who moves an event keeps its immutable id."""
    box = mailbox()
    other = box.folders.add("Other")
    event = make(box)
    old, lasting = event.id, event.immutable_id

    box.move(old, other.id)

    assert box.find(lasting).item.calendar == other.id
    assert event.id != old
    with pytest.raises(ServiceError, match="ErrorItemNotFound"):
        box.find(old)


@pytest.mark.parametrize("text", ["", "nope", "AAMk", "../../etc", "A" * 20, "é" * 90])
def test_text_that_cannot_be_an_id_is_malformed(text: Any) -> None:
    """It is a 400, not a 404."""
    with pytest.raises(ServiceError, match="400 ErrorInvalidIdMalformed"):
        mailbox().find(text)


def test_an_id_in_another_case_is_another_id() -> None:
    """Ids are case-sensitive."""
    box = mailbox()
    event = make(box)

    with pytest.raises(ServiceError, match="404"):
        box.find(event.id[:-6].swapcase().replace("aamK", "AAMk") + event.id[-6:])


def test_repeating_a_create_with_its_transaction_id_makes_nothing_twice() -> None:
    """The same content answers with the original; other content is a conflict."""
    box = mailbox()
    first = make(box, transactionId="t-1")

    again = make(box, transactionId="t-1")

    assert again.id == first.id
    assert len(box.items(box.default_calendar.id)) == 1
    refused = refusal(single("Other", transactionId="t-1"), box)
    assert (refused.status, refused.code) == (409, "ErrorDuplicateTransactionId")


def test_a_service_that_answers_every_repeat_with_a_conflict() -> None:
    """The switch makes even an identical repeat a 409."""
    box = mailbox(duplicate_transaction_answer="conflict")
    make(box, transactionId="t-1")

    assert refusal(single(transactionId="t-1"), box).status == 409


def test_a_calendar_for_reading_refuses_every_write() -> None:
    """It is a 403 ErrorAccessDenied."""
    box = mailbox()
    shared = box.folders.add("Team", can_edit=False)

    with pytest.raises(ServiceError, match="403 ErrorAccessDenied"):
        box.create(shared.id, single())


def test_a_calendar_name_is_taken_once_in_a_group() -> None:
    """A second one is a 409 ErrorFolderExists."""
    box = mailbox()
    box.folders.add("Work")

    with pytest.raises(ServiceError, match="409 ErrorFolderExists"):
        box.folders.create({"name": "work"})


def test_a_stale_precondition_is_refused_only_where_it_is_honoured() -> None:
    """If-Match is a switch of the service."""
    strict, lax = mailbox(), mailbox(if_match_honoured=False)

    with pytest.raises(ServiceError, match="412 ErrorIrresolvableConflict"):
        strict.patch(make(strict).id, {"subject": "x"}, if_match='W/"stale"')
    assert lax.patch(make(lax).id, {"subject": "x"}, if_match='W/"stale"').subject == "x"


def test_a_place_and_the_list_of_places_follow_each_other() -> None:
    """Each replaces the other when it is written."""
    box = mailbox()
    event = make(box, locations=[{"displayName": "A"}, {"displayName": "B"}])
    assert row(event)["location"]["displayName"] == "A; B"

    box.patch(event.id, {"location": {"displayName": "C"}})

    assert [place["displayName"] for place in row(event)["locations"]] == ["C"]


def test_a_text_body_comes_back_as_html_unless_text_is_preferred() -> None:
    """The service stores HTML only."""
    event = make(mailbox(), body={"contentType": "text", "content": "a < b\nsecond"})

    assert row(event)["body"]["contentType"] == "html"
    assert "a &lt; b<br>" in row(event)["body"]["content"]
    assert row(event, text_body=True)["body"] == {
        "contentType": "text",
        "content": "a < b\r\nsecond",
    }
    assert row(event)["bodyPreview"] == "a < b\r\nsecond"


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" ")),
        min_size=1,
    )
)
def test_plain_text_survives_the_way_through_html(lines: Any) -> None:
    """Whatever was written as text reads back as that text."""
    text = "\r\n".join(lines).strip("\r\n")

    assert bodies.to_text(bodies.read_body("text", text)) == text


def test_html_without_a_head_gets_one_and_scripts_are_dropped() -> None:
    """What comes back is Exchange's document, not ours."""
    stored = bodies.read_body("html", "<p>Hi</p><script>alert(1)</script>")

    assert stored.startswith("<html><head>\r\n<meta http-equiv=")
    assert "<p>Hi</p>" in stored
    assert "alert" not in stored


def test_a_cleared_body_reads_back_as_an_empty_shell() -> None:
    """Never as an empty string."""
    box = mailbox()
    event = make(box, body={"contentType": "html", "content": "<p>x</p>"})

    box.patch(event.id, {"body": {"contentType": "html", "content": ""}})

    assert row(event)["body"]["content"].startswith("<html>")
    assert row(event, text_body=True)["body"]["content"] == ""


def test_an_online_meeting_leaves_its_block_in_the_body_and_dies_without_it() -> None:
    """A body sent without the join link loses the link."""
    box = mailbox()
    event = make(box, isOnlineMeeting=True, body={"contentType": "text", "content": "Agenda"})
    shown = row(event)
    assert shown["onlineMeeting"]["joinUrl"] in shown["body"]["content"]

    box.patch(event.id, {"body": shown["body"]})
    assert row(event)["onlineMeeting"] == shown["onlineMeeting"]
    box.patch(event.id, {"body": {"contentType": "text", "content": "New agenda"}})

    assert row(event)["onlineMeeting"] is None
    assert row(event)["isOnlineMeeting"] is True


def test_an_online_meeting_cannot_be_switched_off() -> None:
    """The write is taken and ignored."""
    box = mailbox()
    event = make(box, isOnlineMeeting=True)

    box.patch(event.id, {"isOnlineMeeting": False})

    assert row(event)["isOnlineMeeting"] is True


def test_a_deleted_event_is_gone_or_answers_from_deleted_items() -> None:
    """Only the switch lets the immutable id go on answering."""
    gone, kept = mailbox(), mailbox(deleted_items_answer=True)
    for box in (gone, kept):
        event = make(box)
        lasting, old = event.immutable_id, event.id
        box.delete(old)
        with pytest.raises(ServiceError, match="404"):
            box.find(old)
        if box is kept:
            assert box.find(lasting).item.calendar == box.deleted_folder.id
        else:
            with pytest.raises(ServiceError, match="404"):
                box.find(lasting)


def test_instances_lists_every_instance_that_touches_the_window() -> None:
    """The window is inclusive at both ends."""
    box = mailbox()
    make(box, start="2031-03-04T12:00:00", end="2031-03-04T13:00:00", zone="UTC")
    box.create(box.default_calendar.id, weekly())
    noon = datetime(2031, 3, 4, 13, tzinfo=UTC)

    found = box.instances(box.default_calendar.id, noon, datetime(2031, 3, 12, tzinfo=UTC))

    assert [event.kind for event in found] == ["singleInstance", "occurrence"]
