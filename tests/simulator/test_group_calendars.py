"""
Calendars of groups: for reading, and without much that mailboxes have.
"""

from collections.abc import AsyncIterator

import pytest

from syncd.simulator.mailbox import Mailbox
from syncd.simulator.tokens import ALL_SCOPES, StaticTokens
from tests.simulator.mailbox_world import MARCH, Client, serving, single, weekly

SCOPES = ALL_SCOPES | {"Group.Read.All"}
GROUP = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
async def graph() -> AsyncIterator[Client]:
    async with serving(tokens=StaticTokens(scopes=SCOPES)) as client:
        group = client.service.add_group("team@example.org", "Team", group_id=GROUP)
        group.create(group.default_calendar.id, single())
        group.create(group.default_calendar.id, weekly(count=3))
        yield client


@pytest.fixture
def group(graph: Client) -> Mailbox:
    return graph.service.group(GROUP)


@pytest.mark.parametrize("prefix", ["", "/calendar"])
async def test_events_and_views_of_a_group_are_those_of_its_one_calendar(
    graph: Client, prefix: str
) -> None:
    """Under the group and under its calendar."""
    root = f"/groups/{GROUP}{prefix}"

    events = (await graph.get(f"{root}/events")).data["value"]
    view = (await graph.get(f"{root}/calendarView?{MARCH}")).data
    (master,) = [row["id"] for row in events if row["type"] == "seriesMaster"]
    one = await graph.get(f"{root}/events/{master}?$select=subject,cancelledOccurrences")
    rows = (await graph.get(f"{root}/events/{master}/instances?{MARCH}")).data["value"]

    assert (len(events), len(view["value"]), len(rows)) == (2, 4, 3)
    assert (one.data["subject"], one.data["cancelledOccurrences"]) == ("Stand-up", [])
    assert view["@odata.context"].endswith(f"groups('{GROUP}')/calendarView")
    assert (await graph.get(f"{root}/events/$count")).data == "2"


async def test_a_group_owns_its_calendar(graph: Client, group: Mailbox) -> None:
    """It organises what is in it."""
    calendar = (await graph.get(f"/groups/{GROUP}/calendar")).data
    event = (await graph.get(f"/groups/{GROUP}/events")).data["value"][0]

    assert calendar["owner"] == {"name": "Team", "address": "team@example.org"}
    assert event["organizer"]["emailAddress"] == calendar["owner"]
    assert (await graph.get(f"/groups('{GROUP}')")).data["mail"] == "team@example.org"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"/groups/{GROUP}/calendarView/delta?{MARCH}", 400, "BadRequest"),
        ("GET", f"/groups/{GROUP}/calendars", 400, "BadRequest"),
        ("GET", f"/groups/{GROUP}/calendarGroups", 400, "BadRequest"),
        ("GET", f"/groups/{GROUP}/calendarView", 400, "ErrorInvalidRequest"),
        ("GET", f"/groups/{GROUP}/events/nope", 400, "ErrorInvalidIdMalformed"),
        ("GET", "/groups/nobody/events", 404, "ErrorInvalidGroup"),
        ("GET", "/groups", 400, "BadRequest"),
        ("GET", f"/users/{GROUP}/events", 404, "ErrorInvalidUser"),
        ("POST", f"/groups/{GROUP}/events", 405, "UnsupportedHttpVerb"),
    ],
)
async def test_what_groups_do_not_have_is_refused(
    graph: Client, method: str, path: str, status: int, code: str
) -> None:
    """Delta rounds, further calendars, and here writes."""
    reply = await graph.ask(method, path, {} if method == "POST" else None)

    assert (reply.status, reply.data["error"]["code"]) == (status, code)


async def test_attachments_reminders_and_responses_are_not_of_groups(
    graph: Client, group: Mailbox
) -> None:
    """The event is there, the path below it is not."""
    event = group.items(group.default_calendar.id)[0].default_id

    for method, below in (("GET", "attachments"), ("POST", "accept"), ("POST", "snoozeReminder")):
        reply = await graph.ask(method, f"/groups/{GROUP}/events/{event}/{below}")
        assert (reply.status, reply.data["error"]["code"]) == (400, "BadRequest"), below


async def test_groups_need_a_scope_of_their_own_and_a_person(graph: Client) -> None:
    """Applications may not read the events of groups."""
    graph.token = "app-x"
    assert (await graph.get(f"/groups/{GROUP}/events")).status == 403
    async with serving() as other:
        other.service.add_group("team@example.org", group_id=GROUP)
        assert (await other.get(f"/groups/{GROUP}/events")).status == 403


async def test_groups_are_planted_from_outside(graph: Client) -> None:
    """With their events."""
    control = graph.server.origin + "/_simulator/"
    made = (await graph.post(control + "group", {"address": "club@x.org", "name": "Club"})).data
    body = {"group": made["id"], "action": "create", "body": single("Match")}
    await graph.post(control + "mailbox/do", body)

    rows = (await graph.get(f"/groups/{made['id']}/events")).data["value"]

    assert [row["subject"] for row in rows] == ["Match"]
