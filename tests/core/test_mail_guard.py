"""Which writes mail people, and which deletions are too many."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.event import Attendee, Event, Timed
from syncd.core.guard import DeletionLimit, Emptied, TooMany, judge
from syncd.core.mail import SILENT_FIELDS, MailClass, Mailing, MailPolicy, deletion, update
from syncd.core.wire.graph import RemoteEvent, decode_event
from tests.strategies import BERLIN, OWNER

NINE = Timed(datetime(2026, 3, 2, 9), BERLIN, datetime(2026, 3, 2, 10), BERLIN)
DAVE = Event(NINE, attendees=(Attendee("dave@example.org"),))


def meeting(*addresses: str, **more: Any) -> RemoteEvent:
    people = [{"emailAddress": {"address": address}} for address in addresses]
    return decode_event(json.dumps({"id": "g", "attendees": people, **more}).encode())


@pytest.mark.parametrize(
    ("event", "wanted", "mailing"),
    [
        (meeting(), None, None),
        (meeting("me@example.org"), None, None),
        (meeting("", "ME@example.org"), None, None),
        (meeting("bob@x"), None, Mailing("updates", ("bob@x",))),
        (meeting("bob@x"), DAVE, Mailing("updates", ("bob@x", "dave@example.org"))),
        (meeting(), DAVE, Mailing("invitations", ("dave@example.org",))),
        (meeting("bob@x", isOrganizer=False), DAVE, None),
    ],
)
def test_who_is_mailed_by_an_update(
    event: RemoteEvent, wanted: Event | None, mailing: Mailing | None
) -> None:
    """Everyone but the owner, and only by the organizer."""
    assert update(event, wanted, OWNER) == mailing


@pytest.mark.parametrize(
    ("event", "mails"),
    [
        (meeting("bob@x"), True),
        (meeting("me@example.org"), False),
        (meeting("bob@x", isCancelled=True), False),
        (meeting("bob@x", isOrganizer=False), False),
    ],
)
def test_who_is_mailed_by_a_deletion(event: RemoteEvent, mails: bool) -> None:
    """A cancellation, unless there is nobody to tell or it was told already."""
    expected = Mailing("cancellations", ("bob@x",)) if mails else None

    assert deletion(event, OWNER) == expected


def test_case_68_invitations_wait_and_updates_go_by_default() -> None:
    """The rules as they are without configuration."""
    policy = MailPolicy()

    kinds: tuple[MailClass, ...] = ("invitations", "updates", "cancellations", "responses")
    assert [policy.rule(kind) for kind in kinds] == ["hold", "send", "hold", "send"]


@pytest.mark.parametrize("kind", ["invitations", "updates", "cancellations", "responses"])
def test_each_kind_of_mail_has_a_rule_of_its_own(kind: MailClass) -> None:
    """What is set for one kind holds for no other."""
    policy = replace(MailPolicy("send", "send", "send", "send"), **{kind: "never"})

    kinds: tuple[MailClass, ...] = ("invitations", "updates", "cancellations", "responses")
    assert [one for one in kinds if policy.rule(one) == "never"] == [kind]


def test_categories_and_reminder_alone_mail_nobody() -> None:
    """Graph mails the attendees of a meeting for a change of anything else."""
    assert sorted(SILENT_FIELDS) == ["categories", "reminder_min"]


def test_a_guest_is_told_once_of_an_update() -> None:
    """Also where the file and the service both name them."""
    found = update(meeting("dave@example.org", "bob@x"), DAVE, OWNER)

    assert found == Mailing("updates", ("dave@example.org", "bob@x"))


def test_who_is_asked_without_an_address_is_mailed_nothing() -> None:
    """Graph shows attendees that it knows by name alone."""
    nameless = decode_event(b'{"id": "g", "attendees": [{"type": "required"}]}')

    assert update(nameless, None, OWNER) is None
    assert deletion(nameless, OWNER) is None


LIMIT = DeletionLimit(10, 10.0)


@pytest.mark.parametrize(
    ("planned", "recent", "known", "verdict"),
    [
        (0, 0, 0, None),
        (2, 0, 2, None),
        (3, 0, 3, Emptied(3)),
        (10, 0, 50, None),
        (11, 0, 50, TooMany(11, 50)),
        (11, 0, 110, None),
        (11, 0, 109, TooMany(11, 109)),
        (1, 10, 50, TooMany(11, 60)),
        (1, 10, 100, None),
        (1, 10, 99, TooMany(11, 109)),
    ],
)
def test_deletions_beyond_both_limits_are_too_many(
    planned: int, recent: int, known: int, verdict: object
) -> None:
    """More than ten and more than a tenth within the hour, or all of at least three."""
    found = judge(planned, vanished=planned, recent=recent, known_now=known, limit=LIMIT)

    assert found == verdict


def test_ten_deletions_and_a_tenth_go_by_default() -> None:
    """Both limits as they are without configuration."""
    limit = DeletionLimit()

    assert not limit.exceeded(10, known=11)
    assert limit.exceeded(11, known=109)
    assert not limit.exceeded(11, known=110)


def test_nothing_that_vanished_is_never_suspicious() -> None:
    """Even where more than the limit was deleted within the hour, and nothing is left."""
    found = judge(0, vanished=0, recent=50, known_now=0, limit=LIMIT)

    assert found is None


def test_what_waits_for_other_reasons_counts_as_gone_and_not_as_deleted() -> None:
    """All is gone: that is suspicious even if nothing would be deleted in this round."""
    assert judge(0, vanished=5, recent=0, known_now=5, limit=LIMIT) == Emptied(5)
    assert judge(0, vanished=5, recent=20, known_now=50, limit=LIMIT) is None


@given(st.integers(1, 300), st.integers(0, 300), st.integers(1, 1000))
def test_more_deletions_are_never_less_suspicious(planned: int, recent: int, known: int) -> None:
    """What is held stays held when more vanishes."""
    first = judge(planned, vanished=planned, recent=recent, known_now=known, limit=LIMIT)
    more = judge(planned + 1, vanished=planned + 1, recent=recent, known_now=known, limit=LIMIT)

    assert first is None or more is not None
