"""
The mailbox engine: which writes mail whom, and what an attendee may do.
"""

from typing import Any

import pytest

from syncd.simulator.errors import ServiceError
from syncd.simulator.folders import Person
from syncd.simulator.mailbox import Mailbox
from tests.simulator.mailbox_world import ME, mailbox, person, single, weekly, when

ANN, BOB = "ann@example.org", "bob@example.org"
BOSS = Person("The Boss", "boss@example.org")


def meeting(box: Mailbox, *people: str, **more: Any) -> Any:
    invited = [person(address) for address in people]
    return box.create(box.default_calendar.id, single("Meet", attendees=invited, **more))


def mails(box: Mailbox) -> list[tuple[str, tuple[str, ...]]]:
    return [(mail.kind, mail.to) for mail in box.ledger]


def test_a_meeting_invites_everybody_but_the_organizer() -> None:
    """An appointment without people mails nobody."""
    box = mailbox()
    meeting(box)
    meeting(box, ANN, ME)

    assert mails(box) == [("invitation", (ANN,))]


@pytest.mark.parametrize(
    "change",
    [
        {"categories": ["Red"]},
        {"isReminderOn": False, "reminderMinutesBeforeStart": 5},
        {"singleValueExtendedProperties": [{"id": "String {0} Name x", "value": "1"}]},
    ],
)
def test_what_is_the_owners_alone_mails_nobody(change: Any) -> None:
    """Categories, reminder and extended properties are silent."""
    box = mailbox()
    event = meeting(box, ANN)
    box.ledger.clear()

    box.patch(event.id, change)

    assert mails(box) == []


def test_any_other_change_of_a_meeting_updates_everybody() -> None:
    """Even one that an attendee will hardly notice."""
    box = mailbox()
    event = meeting(box, ANN, BOB)
    box.ledger.clear()

    box.patch(event.id, {"importance": "high", "categories": ["Red"]})

    assert mails(box) == [("update", (ANN, BOB))]


def test_a_change_of_the_list_alone_tells_only_who_came_or_went() -> None:
    """Those who stay hear nothing, and keep the answers they gave."""
    box = mailbox()
    event = meeting(box, ANN, BOB)
    box.answered(event.id, ANN, "accepted")
    box.ledger.clear()

    box.patch(event.id, {"attendees": [person(ANN), person("cy@example.org")]})

    assert mails(box) == [("invitation", ("cy@example.org",)), ("cancellation", (BOB,))]
    assert event.values["attendees"][0]["status"]["response"] == "accepted"


def test_deleting_a_meeting_cancels_it_for_everybody() -> None:
    """The mail has no text, and says who caused it."""
    box = mailbox()
    event = meeting(box, ANN)
    box.ledger.clear()

    box.delete(event.id, actor="api")

    assert mails(box) == [("cancellation", (ANN,))]
    assert box.ledger[0].actor == "api"


def test_a_series_updates_for_itself_and_each_exception_and_cancels_one_instance() -> None:
    """An instance's mail names its original day."""
    box = mailbox()
    master = box.create(box.default_calendar.id, weekly(attendees=[person(ANN)]))
    second = next(slot for slot in master.item.live_slots() if slot.day == 11)
    identity = type(master)(master.item, second).id
    box.patch(identity, {"subject": "Special"})
    box.ledger.clear()

    box.patch(master.id, {"showAs": "free"})
    box.delete(identity)

    assert [(mail.kind, mail.slot) for mail in box.ledger] == [
        ("update", None),
        ("update", second),
        ("cancellation", second),
    ]


def received(box: Mailbox, **more: Any) -> Any:
    return box.receive(box.default_calendar.id, single("Review", **more), BOSS)


def test_a_received_meeting_is_somebody_elses() -> None:
    """The owner is in the list and has not answered."""
    event = received(mailbox())

    values = event.values
    assert values["isOrganizer"] is False
    assert values["responseStatus"]["response"] == "notResponded"
    assert event.item.organizer["emailAddress"]["address"] == BOSS.address
    assert values["attendees"][0]["emailAddress"]["address"] == ME


def test_accepting_tells_the_organizer_and_shows_in_the_own_copy() -> None:
    """The comment travels with it."""
    box = mailbox()
    event = received(box)

    box.respond(event.id, "accept", {"comment": "With pleasure"})

    assert mails(box) == [("response", (BOSS.address,))]
    assert (box.ledger[0].comment, box.ledger[0].response) == ("With pleasure", "accepted")
    assert event.values["responseStatus"]["response"] == "accepted"


def test_a_silent_answer_mails_nobody() -> None:
    """`sendResponse` false is honoured."""
    box = mailbox()
    event = received(box)

    box.respond(event.id, "tentativelyAccept", {"SendResponse": False})

    assert mails(box) == []
    assert event.values["showAs"] == "tentative"


def test_declining_takes_the_meeting_out_of_the_calendar() -> None:
    """It goes to Deleted Items."""
    box = mailbox()
    event = received(box)

    box.respond(event.id, "decline", {})

    assert box.items(box.default_calendar.id) == []


PROPOSAL = {"start": when("2031-03-05T12:00:00"), "end": when("2031-03-05T13:00:00")}


@pytest.mark.parametrize(
    ("verb", "event", "body"),
    [
        ("accept", {}, {"proposedNewTime": PROPOSAL}),
        ("decline", {"allowNewTimeProposals": False}, {"proposedNewTime": PROPOSAL}),
        ("decline", {}, {"proposedNewTime": PROPOSAL, "sendResponse": False}),
        ("accept", {"responseRequested": False}, {}),
    ],
)
def test_an_answer_that_may_not_be_given_is_a_400(verb: Any, event: Any, body: Any) -> None:
    """A proposal needs leave and a response; a response needs to be wanted."""
    box = mailbox()
    identity = received(box, **event).id

    with pytest.raises(ServiceError, match="400"):
        box.respond(identity, verb, body)
    assert mails(box) == []


def test_the_organizer_cannot_answer_the_own_meeting() -> None:
    """It is a 400."""
    box = mailbox()

    with pytest.raises(ServiceError, match="organizer"):
        box.respond(meeting(box, ANN).id, "accept", {})


def test_an_attendee_changes_the_own_copy_only() -> None:
    """Private fields are taken without mail; the meeting's time is refused."""
    box = mailbox()
    event = received(box)

    box.patch(event.id, {"categories": ["Red"], "showAs": "oof", "subject": "Mine"})

    assert event.subject == "Mine"
    with pytest.raises(ServiceError, match="400"):
        box.patch(event.id, {"start": when("2031-03-04T11:00:00")})
    box.delete(event.id)
    assert mails(box) == []


def test_the_organizers_cancellation_stays_in_the_copy_until_it_is_removed() -> None:
    """It shows as cancelled."""
    box = mailbox()
    event = received(box)

    box.cancelled_by_organizer(event.id)

    assert event.values["isCancelled"] is True
    assert event.subject == "Canceled: Review"
