"""
Cancel, forward and permanent deletion over HTTP: who may, who is mailed, what is left.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from syncd.simulator.folders import Person
from syncd.simulator.tokens import StaticTokens
from tests.simulator.mailbox_world import (
    IMMUTABLE,
    MARCH,
    Client,
    person,
    serving,
    single,
    weekly,
)

ANN, BOB, CY = "ann@example.org", "bob@example.org", "cy@example.org"
BOSS = Person("The Boss", "boss@example.org")
TO_CY = {"toRecipients": [{"emailAddress": {"address": CY, "name": "Cy"}}]}


@pytest.fixture
async def graph() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


async def meeting(graph: Client, *people: str, body: dict[str, Any] | None = None) -> str:
    """Make a meeting and forget its invitations; return its path."""
    invited = {"attendees": [person(address) for address in people]}
    reply = await graph.post("/me/events", {**(body or single("Meet")), **invited})
    assert reply.status == 201, reply.data
    graph.service.ledger.clear()
    return f"/me/events/{reply.data['id']}"


def received(graph: Client) -> str:
    event = graph.mailbox.receive(graph.mailbox.default_calendar.id, single("Review"), BOSS)
    return f"/me/events/{event.id}"


async def second_instance(graph: Client, series: str) -> str:
    rows = (await graph.get(f"{series}/instances?{MARCH}")).data["value"]
    return f"/me/events/{rows[1]['id']}"


def mails(graph: Client) -> list[tuple[str, tuple[str, ...], str]]:
    assert {mail.actor for mail in graph.service.ledger} <= {"api"}
    return [(mail.kind, mail.to, mail.comment) for mail in graph.service.ledger]


async def test_a_cancellation_takes_its_comment_to_every_attendee(graph: Client) -> None:
    """202 without a body, and the event is gone."""
    path = await meeting(graph, ANN, BOB)

    reply = await graph.post(f"{path}/cancel", {"Comment": "All hands"})

    assert (reply.status, reply.data) == (202, "")
    assert mails(graph) == [("cancellation", (ANN, BOB), "All hands")]
    assert (await graph.get(path)).status == 404


async def test_an_attendee_cannot_cancel(graph: Client) -> None:
    """A 400 with the service's own words; the copy stays and nobody is told."""
    path = received(graph)

    reply = await graph.post(f"{path}/cancel", {"comment": "No"})

    words = "Your request can't be completed. You need to be an organizer to cancel a meeting."
    assert (reply.status, reply.data["error"]["message"]) == (400, words)
    assert mails(graph) == []
    assert (await graph.get(path)).status == 200


async def test_one_instance_can_be_cancelled(graph: Client) -> None:
    """The mail names its day, and the others stay."""
    series = await meeting(graph, ANN, body=weekly(count=3))
    instance = await second_instance(graph, series)

    reply = await graph.post(f"{instance}/cancel", {"comment": "Not this week"})

    (mail,) = graph.service.ledger
    assert (reply.status, str(mail.slot), mail.comment) == (202, "2031-03-11", "Not this week")
    rows = (await graph.get(f"{series}/instances?{MARCH}")).data["value"]
    assert [row["start"]["dateTime"][:10] for row in rows] == ["2031-03-04", "2031-03-18"]


async def test_a_whole_series_is_cancelled_by_one_mail(graph: Client) -> None:
    """Exceptions included."""
    series = await meeting(graph, ANN, body=weekly(count=3))
    await graph.ask("PATCH", await second_instance(graph, series), {"categories": ["Red"]})

    await graph.post(f"{series}/cancel", None)

    assert mails(graph) == [("cancellation", (ANN,), "")]
    assert (await graph.get(f"/me/calendarView?{MARCH}")).data["value"] == []


async def test_an_event_without_people_is_only_deleted(graph: Client) -> None:
    """The service asks for an organizer, and there is nobody to tell."""
    path = await meeting(graph)

    reply = await graph.post(f"{path}/cancel", {"comment": "x"})

    assert (reply.status, mails(graph)) == (202, [])
    assert (await graph.get(path)).status == 404


async def test_a_cancelled_event_lies_in_deleted_items_and_a_purged_one_nowhere() -> None:
    """Where the service lets deleted events answer at all."""
    async with serving(deleted_items_answer=True) as graph:
        answers = {}
        for action in ("cancel", "permanentDelete"):
            path = await meeting(graph, ANN)
            lasting = (await graph.get(path, IMMUTABLE)).data["id"]
            await graph.post(f"{path}/{action}", None)
            answers[action] = await graph.get(f"/me/events/{lasting}?$expand=calendar")

        assert answers["cancel"].data["calendar"]["name"] == "Deleted Items"
        assert answers["permanentDelete"].status == 404


@pytest.mark.parametrize(("cancels", "kinds"), [(True, ["cancellation"]), (False, [])])
async def test_whether_permanent_deletion_tells_the_attendees_is_unknown(
    cancels: bool, kinds: list[str]
) -> None:
    """A client may rely on neither."""
    async with serving(permanent_delete_cancels=cancels) as graph:
        path = await meeting(graph, ANN)

        reply = await graph.post(f"{path}/permanentDelete", None)

        assert reply.status == 204
        assert [mail.kind for mail in graph.service.ledger] == kinds


async def test_a_calendar_is_deleted_for_good_with_all_in_it(graph: Client) -> None:
    """Never the default one."""
    calendar = (await graph.post("/me/calendars", {"name": "Work"})).data["id"]
    event = (await graph.post(f"/me/calendars/{calendar}/events", single())).data["id"]

    gone = await graph.post(f"/me/calendars/{calendar}/permanentDelete", None)
    kept = await graph.post("/me/calendar/permanentDelete", None)

    assert (gone.status, kept.status) == (204, 400)
    assert (await graph.get(f"/me/calendars/{calendar}")).status == 404
    assert (await graph.get(f"/me/events/{event}")).status == 404


async def test_an_organizer_who_forwards_invites_one_more(graph: Client) -> None:
    """Nobody else is told, and answers given so far stay."""
    path = await meeting(graph, ANN)
    graph.mailbox.answered(path.rpartition("/")[2], ANN, "accepted")
    sample = {
        "ToRecipients": [{"EmailAddress": {"Address": CY, "Name": "Cy"}}],
        "Comment": "Do come",
    }

    reply = await graph.post(f"{path}/forward", sample)

    assert (reply.status, reply.data) == (202, "")
    assert mails(graph) == [("forward", (CY,), "Do come")]
    people = (await graph.get(path)).data["attendees"]
    answers = [(one["emailAddress"]["address"], one["status"]["response"]) for one in people]
    assert answers == [(ANN, "accepted"), (CY, "none")]


async def test_somebody_invited_already_is_mailed_again_and_listed_once(graph: Client) -> None:
    """The event does not change."""
    path = await meeting(graph, CY)
    before = (await graph.get(path)).data

    await graph.post(f"{path}/forward", TO_CY)

    assert mails(graph) == [("forward", (CY,), "")]
    assert (await graph.get(path)).data == before


async def test_an_attendee_who_forwards_tells_the_organizer(graph: Client) -> None:
    """The own copy stays as it is."""
    path = received(graph)
    before = (await graph.get(path)).data

    await graph.post(f"{path}/forward", {**TO_CY, "comment": "For you"})

    assert mails(graph) == [
        ("forward", (CY,), "For you"),
        ("forward-notice", (BOSS.address,), ""),
    ]
    assert (await graph.get(path)).data == before


async def test_forwarding_one_instance_makes_it_an_exception(graph: Client) -> None:
    """The series' own list stays."""
    series = await meeting(graph, ANN, body=weekly(count=3))
    instance = await second_instance(graph, series)

    await graph.post(f"{instance}/forward", TO_CY)

    changed = (await graph.get(instance)).data
    assert (changed["type"], len(changed["attendees"])) == ("exception", 2)
    assert len((await graph.get(series)).data["attendees"]) == 1


@pytest.mark.parametrize(
    "body", [{}, {"toRecipients": []}, {"toRecipients": [{"emailAddress": {"name": "Cy"}}]}]
)
async def test_a_forward_needs_somebody(graph: Client, body: Any) -> None:
    """It is a 400, and nobody is mailed."""
    path = await meeting(graph, ANN)

    reply = await graph.post(f"{path}/forward", body)

    assert (reply.status, reply.data["error"]["code"]) == (400, "ErrorInvalidRecipients")
    assert mails(graph) == []


async def test_what_a_calendar_shared_for_reading_holds_cannot_be_acted_on(graph: Client) -> None:
    """Every action is a 403."""
    shared = graph.mailbox.folders.add("Team", owner=BOSS)
    event = graph.mailbox.create(shared.id, single())
    shared.can_edit = False
    path = f"/me/calendars/{shared.id}/events/{event.id}"
    time = {"newReminderTime": {"dateTime": "2031-03-04T10:00:00", "timeZone": "UTC"}}
    bodies = {
        "cancel": None,
        "forward": TO_CY,
        "permanentDelete": None,
        "snoozeReminder": time,
        "dismissReminder": None,
    }

    found = {
        action: (await graph.post(f"{path}/{action}", body)).status
        for action, body in bodies.items()
    }

    assert found == dict.fromkeys(bodies, 403)


async def test_forwarding_asks_for_the_right_to_read_and_cancelling_for_that_to_write() -> None:
    """As the service documents them."""
    async with serving(tokens=StaticTokens(scopes=frozenset({"Calendars.Read"}))) as graph:
        event = graph.mailbox.create(graph.mailbox.default_calendar.id, single())

        forwarded = await graph.post(f"/me/events/{event.id}/forward", TO_CY)
        cancelled = await graph.post(f"/me/events/{event.id}/cancel", None)

        assert (forwarded.status, cancelled.status) == (202, 403)
