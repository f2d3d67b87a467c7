"""
Sharing: the permissions of a calendar, and what a sharee may see and do in it.
"""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from syncd.simulator.mailbox import Mailbox
from syncd.simulator.tokens import StaticTokens
from tests.simulator.mailbox_world import (
    IMMUTABLE,
    MARCH,
    ME,
    Client,
    Reply,
    person,
    serving,
    single,
    weekly,
)

ANN = "ann@example.org"
DEFAULT = "RGVmYXVsdA=="
ROLES = {
    "freeBusyRead": (False, False),
    "read": (False, False),
    "write": (True, False),
    "delegateWithoutPrivateEventAccess": (True, False),
    "delegateWithPrivateEventAccess": (True, True),
}


@pytest.fixture
async def graph() -> AsyncIterator[Client]:
    async with serving() as client:
        client.service.add_mailbox(ANN, "Ann Smith")
        yield client


@pytest.fixture
def ann(graph: Client) -> Mailbox:
    return graph.service.mailbox(ANN)


def shared(ann: Mailbox, graph: Client, role: str) -> str:
    """Share Ann's calendar with me; return the path of my entry for it."""
    graph.service.share(ann, ann.default_calendar.id, ME, role)
    found = graph.mailbox.folders.shown(ann.user_id, ann.default_calendar.id)
    assert found is not None
    return f"/me/calendars/{found.id}"


def put(box: Mailbox, *args: Any, **more: Any) -> str:
    return box.create(box.default_calendar.id, single(*args, **more)).id


async def rows(graph: Client, path: str) -> list[Any]:
    reply = await graph.get(path)
    assert reply.status == 200, reply.data
    found: list[Any] = reply.data["value"]
    return found


def status_of(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.data["error"]["code"] if reply.status >= 400 else ""


# ---- permissions of the owner


async def test_everybody_sees_when_the_owner_is_busy_until_told_otherwise(graph: Client) -> None:
    """The entry of the organization cannot be removed; its role can change."""
    path = "/me/calendar/calendarPermissions"

    (default,) = await rows(graph, path)
    changed = await graph.ask("PATCH", f"{path}/{DEFAULT}", {"role": "limitedRead"})
    removed = await graph.ask("DELETE", f"{path}/{DEFAULT}")

    assert default == {
        "id": DEFAULT,
        "isRemovable": False,
        "isInsideOrganization": True,
        "role": "freeBusyRead",
        "allowedRoles": ["none", "freeBusyRead", "limitedRead", "read", "write"],
        "emailAddress": {"name": "My Organization"},
    }
    assert changed.data["role"] == "limitedRead"
    assert status_of(removed) == (400, "ErrorInvalidRequest")


async def test_a_permission_can_be_added_changed_and_removed(graph: Client) -> None:
    """Only its role changes."""
    path = "/me/calendar/calendarPermissions"
    body = {"emailAddress": {"name": "Ann", "address": ANN}, "role": "read"}

    added = await graph.post(path, body)
    one = f"{path}/{quote(added.data['id'], safe='')}"
    again = await graph.post(path, body)
    changed = await graph.ask("PATCH", one, {"role": "write"})
    moved = await graph.ask("PATCH", one, {"isRemovable": False})

    assert (added.status, again.status, moved.status) == (201, 400, 400)
    assert added.data["emailAddress"] == {"name": "Ann", "address": ANN}
    assert changed.data == {**(await graph.get(one)).data, "role": "write"}
    assert len(await rows(graph, path)) == 2
    assert (await graph.ask("DELETE", one)).status == 204
    assert status_of(await graph.get(one)) == (404, "ErrorItemNotFound")


async def test_who_is_outside_may_read_and_only_the_primary_calendar_has_delegates(
    graph: Client,
) -> None:
    """The function and the entries agree; what is not allowed is refused."""
    read = ["freeBusyRead", "limitedRead", "read"]
    club = graph.mailbox.folders.add("Club").id
    expected = {
        ("/me/calendar", "x@elsewhere.org"): read,
        (f"/me/calendars/{club}", ANN): [*read, "write"],
        ("/me/calendar", ANN): [*read, "write", *list(ROLES)[-2:]],
        ("/me/calendar", "new@example.org"): [*read, "write", *list(ROLES)[-2:]],
    }

    for (place, address), roles in expected.items():
        name = f"allowedCalendarSharingRoles(User='{quote(address)}')"
        assert await rows(graph, f"{place}/{name}") == roles
        body = {"emailAddress": {"address": address}, "role": "read"}
        added = await graph.post(f"{place}/calendarPermissions", body)
        assert added.data["allowedRoles"] == roles
        assert added.data["isInsideOrganization"] is address.endswith("@example.org")
    refused = await graph.post(
        f"/me/calendars/{club}/calendarPermissions",
        {"emailAddress": {"address": "me2@example.org"}, "role": "delegateWithPrivateEventAccess"},
    )
    assert status_of(refused) == (400, "ErrorInvalidRequest")


async def test_reading_permissions_takes_less_than_changing_them() -> None:
    """Any scope for calendars, or one to write them."""
    async with serving(tokens=StaticTokens(scopes=frozenset({"Calendars.ReadBasic"}))) as graph:
        path = "/me/calendar/calendarPermissions"
        assert (await graph.get(path)).status == 200
        assert (await graph.post(path, {})).status == 403


# ---- the sharee's view of the calendar


@pytest.mark.parametrize("role", ROLES)
async def test_a_share_shows_up_among_the_sharees_calendars(
    graph: Client, ann: Mailbox, role: str
) -> None:
    """Under the owner's name, with what the role allows."""
    entry = (await graph.get(shared(ann, graph, role))).data

    assert (entry["name"], entry["owner"]["address"]) == ("Ann Smith", ANN)
    assert (entry["canEdit"], entry["canViewPrivateItems"]) == ROLES[role]
    assert (entry["canShare"], entry["isDefaultCalendar"]) == (False, False)
    assert entry["id"] in [row["id"] for row in await rows(graph, "/me/calendars")]


async def test_a_share_follows_the_owners_changes(graph: Client, ann: Mailbox) -> None:
    """Another role changes the entry, an end takes it away, and so does the calendar's."""
    club = ann.folders.add("Club")
    path = shared(ann, graph, "read")
    sharing, calendar = graph.service.sharing, ann.default_calendar
    (mine,) = sharing.book(ann, calendar).people()
    graph.service.share(ann, club.id, ME, "read")
    names = {row["name"] for row in await rows(graph, "/me/calendars")}

    sharing.change(ann, calendar, mine.id, {"role": "write"})
    can_edit = (await graph.get(path)).data["canEdit"]
    sharing.remove(ann, calendar, mine.id)
    ann.remove_calendar(club.id)

    assert (names, can_edit) == ({"Calendar", "Ann Smith", "Club"}, True)
    assert [row["name"] for row in await rows(graph, "/me/calendars")] == ["Calendar"]
    assert (await graph.get(f"{path}/events")).status == 404


async def test_a_sharee_sees_no_permissions_and_changes_none(graph: Client, ann: Mailbox) -> None:
    """The collection is empty; the rest is the owner's."""
    path = f"{shared(ann, graph, 'write')}/calendarPermissions"

    assert await rows(graph, path) == []
    assert (await graph.get(f"{path}/{DEFAULT}")).status == 404
    for method, below in (("POST", ""), ("PATCH", f"/{DEFAULT}"), ("DELETE", f"/{DEFAULT}")):
        reply = await graph.ask(method, path + below, {"role": "write"})
        assert status_of(reply) == (403, "ErrorAccessDenied"), method


async def test_a_sharees_name_for_a_calendar_is_the_sharees_own(
    graph: Client, ann: Mailbox
) -> None:
    """So is its end: the permission stays."""
    path = shared(ann, graph, "read")

    assert (await graph.ask("PATCH", path, {"name": "Boss"})).data["name"] == "Boss"
    assert (await graph.ask("DELETE", path)).status == 204
    assert ann.default_calendar.name == "Calendar"
    assert len(graph.service.sharing.book(ann, ann.default_calendar).people()) == 1


# ---- events of a shared calendar


async def test_a_reader_reads_the_owners_events_under_the_own_names(
    graph: Client, ann: Mailbox
) -> None:
    """One by one, listed, in a view and in delta rounds; not under `/me/events`."""
    event, path = put(ann, "Lunch"), shared(ann, graph, "read")

    one = (await graph.get(f"{path}/events/{event}?$expand=calendar")).data
    listed = await rows(graph, f"{path}/events")
    view = await rows(graph, f"{path}/calendarView?{MARCH}")
    round_, link = await graph.round(f"{path}/calendarView/delta?{MARCH}", IMMUTABLE)
    ann.delete(event)
    after, _ = await graph.round(link, IMMUTABLE)

    assert {row["subject"] for row in (one, *listed, *view, *round_)} == {"Lunch"}
    mine = path.rpartition("/")[2]
    assert (one["calendar"]["id"], one["calendar"]["canEdit"]) == (mine, False)
    names = [row["calendar@odata.navigationLink"] for row in (one, listed[0])]
    root = f"{graph.server.base_url}/users('{graph.mailbox.user_id}')"
    assert names == [f"{root}/calendars('{mine}')"] * 2
    assert [row["@removed"]["reason"] for row in after] == ["deleted"]
    assert (await graph.get(f"/me/events/{event}")).status == 404
    assert (await graph.get(f"{path}/events/$count")).data == "0"


async def test_only_the_shared_calendar_is_open(graph: Client, ann: Mailbox) -> None:
    """An event of another calendar of the owner's does not answer under it."""
    other = ann.folders.add("Other")
    secret = ann.create(other.id, single("Secret")).id
    path = shared(ann, graph, "write")

    assert (await graph.get(f"{path}/events/{secret}")).status == 404
    assert (await graph.ask("DELETE", f"{path}/events/{secret}")).status == 404
    assert (await graph.get(f"/users/{ANN}/events")).status == 403


async def test_a_reader_cannot_write(graph: Client, ann: Mailbox) -> None:
    """403, and nothing happened."""
    event, path = put(ann), shared(ann, graph, "read")

    for method, below in (("POST", ""), ("PATCH", f"/{event}"), ("DELETE", f"/{event}")):
        reply = await graph.ask(method, f"{path}/events{below}", single("Mine"))
        assert status_of(reply) == (403, "ErrorAccessDenied"), method
    assert [item.values["subject"] for item in ann.items(ann.default_calendar.id)] == ["Lunch"]


async def test_a_writer_writes_as_the_owner(graph: Client, ann: Mailbox) -> None:
    """The owner organises what is made, and the owner's people are mailed."""
    path = shared(ann, graph, "write")

    made = await graph.post(f"{path}/events", single(attendees=[person("guest@x.org")]))
    one = f"{path}/events/{made.data['id']}"
    changed = await graph.ask("PATCH", one, {"subject": "Dinner"})
    series = await graph.post(f"{path}/events", weekly(count=2))
    gone = await graph.ask("DELETE", f"{path}/events/{series.data['id']}")

    assert made.data["organizer"]["emailAddress"]["address"] == ANN
    assert made.headers["Location"].startswith(
        f"{graph.server.base_url}/users('{graph.mailbox.user_id}')"
    )
    assert (changed.data["subject"], gone.status) == ("Dinner", 204)
    assert [item.values["subject"] for item in ann.items(ann.default_calendar.id)] == ["Dinner"]
    assert graph.mailbox.items(graph.mailbox.default_calendar.id) == []
    assert [(mail.kind, mail.to) for mail in graph.service.ledger] == [
        ("invitation", ("guest@x.org",)),
        ("update", ("guest@x.org",)),
    ]


@pytest.mark.parametrize("role", ["read", "write", "delegateWithoutPrivateEventAccess"])
async def test_a_private_event_is_a_bare_block_of_time(
    graph: Client, ann: Mailbox, role: str
) -> None:
    """However it is asked for; nobody who cannot see it can change it."""
    body = {"contentType": "text", "content": "Secret"}
    put(ann, "Secret", body=body, location={"displayName": "Secret"}, categories=["Secret"])
    event = put(ann, "Secret", sensitivity="private", body=body, attendees=[person("s@x.org")])
    path = shared(ann, graph, role)

    one = (await graph.get(f"{path}/events/{event}")).data
    view = (await rows(graph, f"{path}/calendarView?{MARCH}"))[1]
    cut = (await rows(graph, f"{path}/events?$select=subject,body"))[1]
    delta = (await graph.round(f"{path}/calendarView/delta?{MARCH}"))[0][1]

    for row in (one, view, delta):
        assert (row["showAs"], row["sensitivity"], row["type"]) == (
            *("busy", "private", "singleInstance"),
        )
        assert row["organizer"]["emailAddress"]["address"] == ANN
        assert "Secret" not in str(row)
        assert "s@x.org" not in str(row)
        assert row["start"]["dateTime"] == "2031-03-04T11:00:00.0000000"
    assert (cut["subject"], cut["body"]["content"]) == ("", "")
    for method, below in (("PATCH", ""), ("DELETE", ""), ("GET", "/attachments")):
        reply = await graph.ask(method, f"{path}/events/{event}{below}", {"subject": "x"})
        assert status_of(reply) == (403, "ErrorAccessDenied"), method


async def test_a_delegate_with_that_right_sees_private_events(graph: Client, ann: Mailbox) -> None:
    """And changes them."""
    event = put(ann, "Secret", sensitivity="private")
    path = shared(ann, graph, "delegateWithPrivateEventAccess")

    changed = await graph.ask("PATCH", f"{path}/events/{event}", {"importance": "high"})

    assert (changed.data["subject"], changed.data["importance"]) == ("Secret", "high")


@pytest.mark.parametrize(
    ("role", "shown"), [("freeBusyRead", ("", "")), ("limitedRead", ("Lunch", "Bar"))]
)
async def test_lesser_roles_see_less(
    graph: Client, ann: Mailbox, role: str, shown: tuple[str, str]
) -> None:
    """Free and busy times; or titles and places besides."""
    body = {"contentType": "text", "content": "Menu"}
    put(ann, "Lunch", location={"displayName": "Bar"}, body=body)

    (row,) = await rows(graph, f"{shared(ann, graph, role)}/events")

    assert (row["subject"], row["location"]["displayName"], row["body"]["content"]) == (*shown, "")


async def test_asking_for_a_private_event_by_id_may_be_refused() -> None:
    """Lists show its block either way."""
    async with serving(private_shared_event_answers=False) as graph:
        ann = graph.service.add_mailbox(ANN)
        event, path = put(ann, sensitivity="private"), shared(ann, graph, "read")

        assert status_of(await graph.get(f"{path}/events/{event}")) == (404, "ErrorItemNotFound")
        assert len(await rows(graph, f"{path}/events")) == 1


@pytest.mark.parametrize(
    ("scope", "reads", "writes"),
    [
        ("Calendars.ReadWrite", 403, 403),
        ("Calendars.Read.Shared", 200, 403),
        ("Calendars.ReadWrite.Shared", 200, 201),
    ],
)
async def test_events_of_other_people_need_a_scope_for_shared_calendars(
    scope: str, reads: int, writes: int
) -> None:
    """The entry itself is listed without."""
    async with serving(tokens=StaticTokens(scopes=frozenset({scope}))) as graph:
        path = shared(graph.service.add_mailbox(ANN), graph, "write")

        assert (await graph.get("/me/calendars")).status == 200
        assert (await graph.get(f"{path}/events")).status == reads
        assert (await graph.post(f"{path}/events", single())).status == writes


async def test_calendars_are_shared_from_outside(graph: Client, ann: Mailbox) -> None:
    """By the control endpoint, for tests in another process."""
    body = {"user": ANN, "address": ME, "role": "read"}

    made = await graph.post(graph.server.origin + "/_simulator/share", body)

    assert made.data["role"] == "read"
    assert len(await rows(graph, "/me/calendars")) == 2
