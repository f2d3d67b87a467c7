"""
The operations of the calendar API beyond events, as O365 asks for them.

Each test says what arrived in the simulated service, and what the library made of the answers.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import pytest

from syncd.simulator.attachments import FileContent
from tests.clients.graph_clients import (
    ADA,
    BERLIN,
    BOB,
    CAROL,
    LARGE,
    QUIET,
    Office,
    as_user,
    contents,
    event,
    invited,
    mails,
    organized,
    subjects,
)

pytestmark = QUIET


async def test_o365_answers_invitations(office: Office) -> None:
    """Yes, perhaps and no, each with a comment; a yes of which nobody is told."""
    for subject in ("yes", "perhaps", "no", "silent"):
        invited(office.box, subject)

    def answer(account: Any) -> Any:
        calendar = account.schedule().get_default_calendar()
        found = {one.subject: one for one in calendar.get_events(include_recurring=False)}
        assert found["yes"].accept_event("Of course")
        assert found["perhaps"].accept_event("Later?", tentatively=True)
        assert found["no"].decline_event("Not me")
        assert found["silent"].accept_event(send_response=False)
        again = calendar.get_events(include_recurring=False)
        return {one.subject: one.response_status.status.value for one in again}

    assert await as_user(office, answer) == {
        "yes": "accepted",
        "perhaps": "tentatively_accepted",
        "silent": "accepted",
    }
    to = (CAROL.address,)
    assert mails(office) == [
        ("response", "accepted", "Of course", to),
        ("response", "tentativelyAccepted", "Later?", to),
        ("response", "declined", "Not me", to),
    ]


async def test_o365_cancels_a_meeting(office: Office) -> None:
    """The organizer's cancellation goes out with its comment; an attendee cannot cancel."""
    organized(office.box, "Ours", BOB)
    invited(office.box, "Theirs")

    def cancel(account: Any) -> None:
        calendar = account.schedule().get_default_calendar()
        found = {one.subject: one for one in calendar.get_events(include_recurring=False)}
        assert found["Ours"].cancel_event("The room burnt down")
        with pytest.raises(office.library.connection.HTTPError, match="organizer"):
            found["Theirs"].cancel_event()

    await as_user(office, cancel)
    assert mails(office) == [("cancellation", "", "The room burnt down", (BOB,))]
    assert subjects(office.box) == ["Theirs"]


async def test_o365_attaches_files(office: Office) -> None:
    """A small one by a POST, a large one by a session; both are read back, one is deleted."""
    target = office.box.create(office.box.default_calendar.id, event("Here"))
    files = {"plan.txt": b"\0one", "film.bin": LARGE}

    def attach(account: Any) -> Any:
        calendar = account.schedule().get_default_calendar()
        found = calendar.get_event(target.id)
        found.attachments.add([(BytesIO(data), name) for name, data in files.items()])
        assert found.save()
        again = calendar.get_event(target.id)
        assert again.has_attachments
        assert again.attachments.download_attachments()
        return again, {one.name: one.content for one in again.attachments}

    found, texts = await as_user(office, attach)
    assert contents(office.box, target.id) == {
        name: FileContent(data) for name, data in files.items()
    }
    assert {name: b64decode(text) for name, text in texts.items()} == files
    assert office.server.requests.count("PUT", "/upload/") == 2

    def detach() -> None:
        found.attachments.remove("film.bin")
        assert found.save()

    await asyncio.to_thread(detach)
    assert list(contents(office.box, target.id)) == ["plan.txt"]


async def test_o365_keeps_calendars(office: Office) -> None:
    """One is made, renamed, coloured and deleted."""

    def make(account: Any) -> Any:
        made = account.schedule().new_calendar("Work")
        made.name, made.color = "Büro", "lightRed"
        assert made.update()
        again = account.schedule().get_calendar(calendar_id=made.calendar_id)
        return again, (again.name, again.color.value, again.can_edit, again.owner.address)

    made, seen = await as_user(office, make)
    assert seen == ("Büro", "light_red", True, ADA.username)
    folder = office.box.folders.calendar(made.calendar_id)
    assert (folder.name, folder.color) == ("Büro", "lightRed")

    assert await asyncio.to_thread(made.delete)
    assert list(office.box.folders.calendars) == [office.box.default_calendar.id]


async def test_o365_sees_who_is_busy(office: Office) -> None:
    """The library's words for the digits, and its times in its own zone."""
    bob = office.service.add_mailbox(BOB, "Bob")
    bob.create(bob.default_calendar.id, event("Secret", showAs="oof"))
    start = datetime(2026, 3, 5, 9, tzinfo=BERLIN)

    def ask(account: Any) -> Any:
        end = start + timedelta(hours=3)
        return account.schedule().get_availability([BOB, "nobody@x.example"], start, end)

    his, stranger = await as_user(office, ask)
    assert his["availabilityView"] == ["free", "out of office", "free"]
    [item] = his["scheduleItems"]
    assert (item["start"], item["end"]) == (
        start + timedelta(hours=1),
        start + timedelta(hours=2),
    )
    assert stranger["error"]["responseCode"] == "5009"


async def test_o365_keeps_categories(office: Office) -> None:
    """One is made, coloured anew and deleted."""

    def make(account: Any) -> Any:
        categories = account.outlook_categories()
        made = categories.create_category("Garten", "blue")
        assert made.update_color("red")
        return made, [(one.name, one.color.name) for one in categories.get_categories()]

    made, listed = await as_user(office, make, ["MailboxSettings.ReadWrite"])
    assert listed == [("Garten", "RED")]
    kept = office.box.folders.category(made.object_id)
    assert (kept.name, kept.color) == ("Garten", "preset0")

    assert await asyncio.to_thread(made.delete)
    assert office.box.folders.categories == {}
