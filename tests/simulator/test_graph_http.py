"""
Graph over HTTP: paths, headers, query options, pages, delta links and refusals.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from syncd.simulator.folders import Person
from syncd.simulator.tokens import StaticTokens
from tests.simulator.mailbox_world import (
    IMMUTABLE,
    MARCH,
    ME,
    Client,
    person,
    serving,
    single,
    weekly,
    when,
)

UID = "String {BD59F806-683C-4EB2-90FF-7ED5109F6324} Name ical-uid"


@pytest.fixture
async def graph() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


async def made(graph: Client, **more: Any) -> dict[str, Any]:
    reply = await graph.post("/me/events", single(**more))
    assert reply.status == 201, reply.data
    row: dict[str, Any] = reply.data
    return row


async def test_a_create_answers_in_the_zone_sent_and_a_patch_in_utc(graph: Client) -> None:
    """The preference counts on GET only."""
    prefer = {"Prefer": 'outlook.timezone="Tokyo Standard Time"'}

    created = await graph.post("/me/events", single(), prefer)
    path = f"/me/events/{created.data['id']}"
    patched = await graph.ask("PATCH", path, {"subject": "x"}, prefer)
    read = await graph.get(path, prefer)

    zones = [reply.data["start"]["timeZone"] for reply in (created, patched, read)]
    assert zones == ["Europe/Berlin", "UTC", "Tokyo Standard Time"]
    assert created.headers["Location"].endswith(f"/events('{created.data['id']}')")
    assert read.headers["Preference-Applied"] == 'outlook.timezone="Tokyo Standard Time"'


async def test_every_prefix_and_every_case_names_the_same_event(graph: Client) -> None:
    """Segments are matched without regard to case, ids are not."""
    event = await made(graph)
    calendar = (await graph.get("/me/calendar")).data["id"]
    groups = (await graph.get("/me/calendarGroups")).data["value"]
    identity = quote(event["id"], safe="")
    prefixes = [
        "/me",
        "/ME/Calendar",
        f"/users/{ME}",
        f"/me/calendars/{quote(calendar, safe='')}",
        f"/me/calendargroups/{groups[0]['id']}/calendars/{calendar}",
        f"/me/calendarGroup/calendars/{calendar}",
    ]

    for prefix in prefixes:
        reply = await graph.get(f"{prefix}/EVENTS/{identity}")
        assert (reply.status, reply.data.get("subject")) == (200, "Lunch"), prefix
    keyed = await graph.get(f"/me/events('{identity}')")
    assert keyed.data["id"] == event["id"]


async def test_immutable_ids_come_when_preferred_and_are_always_taken(graph: Client) -> None:
    """The default id is a twin."""
    event = await made(graph)

    lasting = (await graph.get(f"/me/events/{event['id']}", IMMUTABLE)).data["id"]

    assert lasting != event["id"]
    assert (await graph.get(f"/me/events/{lasting}")).data["id"] == event["id"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/me/events/nope", 400, "ErrorInvalidIdMalformed"),
        ("GET", f"/me/calendars/AQMk{'x' * 80}/events", 404, "ErrorItemNotFound"),
        ("GET", "/me/calendarView", 400, "ErrorInvalidRequest"),
        (
            "GET",
            "/me/calendarView?startDateTime=2020-01-01&endDateTime=2031-01-01",
            400,
            "ErrorInvalidRequest",
        ),
        (
            "GET",
            "/me/calendarView?startDateTime=x&endDateTime=2031-01-01",
            400,
            "ErrorInvalidParameter",
        ),
        (
            "GET",
            f"/me/calendarView/delta?{MARCH}&$select=subject",
            400,
            "ErrorInvalidUrlQuery",
        ),
        ("GET", "/me/calendarView/delta?$deltatoken=dead", 410, "SyncStateNotFound"),
        ("GET", "/me/events?$top=1001", 400, "BadRequest"),
        ("GET", "/me/events?$filter=subject%20is%20'x'", 400, "BadRequest"),
        ("GET", "/me/nonsense", 400, "BadRequest"),
        ("PUT", "/me/events", 405, "UnsupportedHttpVerb"),
        ("GET", "/users/other@example.org/events", 404, "ErrorInvalidUser"),
        ("POST", "/me/events", 400, "RequestBodyRead"),
    ],
)
async def test_a_refusal_has_graphs_envelope(
    graph: Client, method: Any, path: Any, status: Any, code: Any
) -> None:
    """Code, message and the ids for support."""
    reply = await graph.ask(method, path, headers={"client-request-id": "abc"})

    assert (reply.status, reply.data["error"]["code"]) == (status, code)
    inner = reply.data["error"]["innerError"]
    assert inner["client-request-id"] == reply.headers["client-request-id"] == "abc"
    assert inner["request-id"] == reply.headers["request-id"]


async def test_a_token_that_is_not_taken_is_challenged() -> None:
    """Expired, unknown and missing ones alike."""
    tokens = StaticTokens.of([ME])
    async with serving(tokens=tokens) as graph:
        tokens.expire(f"sim-{ME}")
        for token in (f"sim-{ME}", "sim-stranger", "", "garbage"):
            graph.token = token
            reply = await graph.get("/me/calendar")
            assert reply.status == 401
            assert reply.data["error"]["code"] == "InvalidAuthenticationToken"
            assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        graph.token = f"sim-{ME}~2"
        assert (await graph.get("/me/calendar")).status == 200


async def test_an_application_has_no_me_but_reaches_every_mailbox(graph: Client) -> None:
    """Only `/users/{id}` works for it."""
    graph.token = "app-1"

    assert (await graph.get("/me/events")).status == 400
    assert (await graph.get(f"/users/{ME}/events")).status == 200


async def test_a_person_reaches_no_other_mailbox(graph: Client) -> None:
    """It is a 403."""
    graph.service.add_mailbox("other@example.org")

    assert (await graph.get("/users/other@example.org/events")).status == 403


async def test_a_token_without_the_scope_is_denied() -> None:
    """Reading does not allow writing."""
    async with serving(tokens=StaticTokens(scopes=frozenset({"Calendars.Read"}))) as graph:
        assert (await graph.get("/me/events")).status == 200
        assert (await graph.post("/me/events", single())).status == 403
        assert (await graph.get("/me/mailboxSettings")).status == 403


async def test_a_list_is_paged_by_ten_and_its_links_are_followed_verbatim(graph: Client) -> None:
    """`$top` changes the size; `$count` counts all."""
    for number in range(12):
        await made(graph, subject=f"Event {number:02}")

    first = (await graph.get("/me/events?$orderby=subject%20desc&$count=true")).data
    second = (await graph.get(first["@odata.nextLink"])).data

    assert (len(first["value"]), first["@odata.count"]) == (10, 12)
    assert [row["subject"] for row in second["value"]] == ["Event 01", "Event 00"]
    assert "@odata.nextLink" not in second


@pytest.mark.parametrize(
    ("clause", "subjects"),
    [
        ("subject eq 'O''Hara'", ["O'Hara"]),
        ("startswith(subject,'st')", ["Stand-up"]),
        ("type ne 'seriesMaster'", ["O'Hara", "Later"]),
        ("not (type eq 'seriesMaster') and start/dateTime ge '2031-03-20T00:00'", ["Later"]),
        ("start/dateTime lt '2031-03-05' or subject eq 'Later'", ["O'Hara", "Later", "Stand-up"]),
        (
            f"singleValueExtendedProperties/Any(ep: ep/id eq '{UID}' and ep/value eq 'u1')",
            ["Later"],
        ),
        (f"singleValueExtendedProperties/any(x:x/id eq '{UID}' and x/value eq 'u2')", []),
    ],
)
async def test_events_are_found_by_filter(graph: Client, clause: Any, subjects: Any) -> None:
    """Also by the value of an extended property, whatever the case of its GUID."""
    await made(graph, subject="O'Hara")
    later = {"start": "2031-03-24T12:00:00", "end": "2031-03-24T13:00:00"}
    stash = [{"id": UID, "value": "u1"}]
    await made(graph, subject="Later", singleValueExtendedProperties=stash, **later)
    await graph.post("/me/events", weekly())

    reply = await graph.get(f"/me/events?$filter={quote(clause)}")

    assert [row["subject"] for row in reply.data["value"]] == subjects


async def test_an_extended_property_is_shown_only_when_expanded(graph: Client) -> None:
    """By the ids that its nested filter names."""
    other = UID.replace("ical-uid", "other")
    stash = [{"id": UID, "value": "u1"}, {"id": other, "value": "u2"}]
    event = await made(graph, singleValueExtendedProperties=stash)
    path = f"/me/events/{event['id']}"
    nested = quote(f"singleValueExtendedProperties($filter=id eq '{UID}')")

    plain = (await graph.get(path)).data
    expanded = (await graph.get(f"{path}?$select=subject&$expand={nested}")).data

    assert "singleValueExtendedProperties" not in plain
    assert [row["value"] for row in expanded["singleValueExtendedProperties"]] == ["u1"]
    assert set(expanded) == {
        "@odata.context",
        "@odata.etag",
        "id",
        "subject",
        "singleValueExtendedProperties",
    }


async def edited_series(graph: Client) -> str:
    """Make a series with one instance changed and one deleted; return its id."""
    master: str = (await graph.post("/me/events", weekly())).data["id"]
    listed = (await graph.get(f"/me/events/{master}/instances?{MARCH}")).data["value"]
    await graph.ask("PATCH", f"/me/events/{listed[1]['id']}", {"subject": "Special"})
    await graph.ask("DELETE", f"/me/events/{listed[2]['id']}")
    return master


async def test_a_masters_exceptions_and_deleted_days_are_told_only_when_named(
    graph: Client,
) -> None:
    """The day is the local one of the series."""
    master = await edited_series(graph)
    path = f"/me/events/{master}"
    options = "$select=subject,cancelledOccurrences&$expand=exceptionOccurrences"

    plain = (await graph.get(path)).data
    asked = (await graph.get(f"{path}?{options}")).data

    assert "cancelledOccurrences" not in plain
    assert asked["cancelledOccurrences"] == [f"OID.{master}.2031-03-18"]
    (exception,) = asked["exceptionOccurrences"]
    assert (exception["subject"], exception["type"]) == ("Special", "exception")
    assert exception["originalStart"] == "2031-03-11T08:00:00.0000000Z"


async def test_a_service_without_the_series_properties_leaves_them_out() -> None:
    """A client must fall back to the instances."""
    async with serving(supports_cancelled_occurrences=False) as graph:
        master = await edited_series(graph)

        asked = await graph.get(
            f"/me/events/{master}?$select=cancelledOccurrences&$expand=exceptionOccurrences"
        )

        assert set(asked.data) == {"@odata.context", "@odata.etag", "id"}


async def test_a_view_shows_instances_in_full_and_never_a_master(graph: Client) -> None:
    """Occurrences, exceptions and singles."""
    await made(graph)
    await edited_series(graph)

    rows = (await graph.get(f"/me/calendarView?{MARCH}&$top=100")).data["value"]

    assert sorted(row["type"] for row in rows) == [
        "exception",
        "occurrence",
        "occurrence",
        "singleInstance",
    ]
    assert all("body" in row for row in rows)


async def test_delta_rows_are_bare_for_occurrences_and_full_for_others(graph: Client) -> None:
    """The master's start is that of its first occurrence."""
    await graph.post("/me/events", weekly("2031-02-04", count=None))

    rows, _ = await graph.round(f"/me/calendarView/delta()?{MARCH}")

    master, occurrence = rows[0], rows[1]
    assert (master["type"], master["start"]["dateTime"][:10]) == ("seriesMaster", "2031-02-04")
    assert set(occurrence) == {
        "@odata.type",
        "@odata.etag",
        "id",
        "seriesMasterId",
        "type",
        "start",
        "end",
    }
    assert "originalStart" not in master


async def test_a_delta_link_brings_what_changed_and_keeps_the_host_it_was_asked_on(
    graph: Client,
) -> None:
    """Removed rows carry nothing but the id."""
    event = await made(graph)
    path = f"/me/calendars/{graph.mailbox.default_calendar.id}/calendarView/delta"
    _, link = await graph.round(f"{path}?{MARCH}", IMMUTABLE)
    assert link.startswith(graph.server.base_url)
    lasting = (await graph.get(f"/me/events/{event['id']}", IMMUTABLE)).data["id"]

    await graph.ask("DELETE", f"/me/events/{event['id']}")

    rows, _ = await graph.round(link, IMMUTABLE)
    assert rows == [
        {
            "@odata.type": "#microsoft.graph.event",
            "id": lasting,
            "@removed": {"reason": "deleted"},
        }
    ]


async def test_the_page_size_of_a_delta_round_is_a_preference(graph: Client) -> None:
    """It is repeated on every link."""
    for _ in range(5):
        await made(graph)

    reply = await graph.get(f"/me/calendarView/delta?{MARCH}", {"Prefer": "odata.maxpagesize=2"})

    assert len(reply.data["value"]) == 2
    assert "odata.maxpagesize=2" in reply.headers["Preference-Applied"]


async def test_a_deleted_event_may_answer_from_deleted_items() -> None:
    """Its calendar tells; under the calendar's path as well."""
    async with serving(deleted_items_answer=True) as graph:
        event = await made(graph)
        lasting = (await graph.get(f"/me/events/{event['id']}", IMMUTABLE)).data["id"]
        await graph.ask("DELETE", f"/me/events/{lasting}")
        home = graph.mailbox.default_calendar.id

        for prefix in ("/me", f"/me/calendars/{home}"):
            reply = await graph.get(f"{prefix}/events/{lasting}?$expand=calendar")
            assert reply.data["calendar"]["name"] == "Deleted Items"
            assert (await graph.get(f"{prefix}/events/{lasting}/calendar")).status == 200


async def test_events_of_a_shared_calendar_answer_under_it_only(graph: Client) -> None:
    """`/me/events/{id}` does not know them."""
    boss = Person("Boss", "boss@example.org")
    shared = graph.mailbox.folders.add("Team", owner=boss)
    event = graph.mailbox.create(shared.id, single())

    assert (await graph.get(f"/me/events/{event.id}")).status == 404
    assert (await graph.get(f"/me/calendars/{shared.id}/events/{event.id}")).status == 200


async def test_responses_over_http_are_accepted_and_written_down(graph: Client) -> None:
    """202, no body, and a mail by the program."""
    boss = Person("Boss", "boss@example.org")
    event = graph.mailbox.receive(graph.mailbox.default_calendar.id, single(), boss)

    reply = await graph.post(f"/me/events/{event.id}/accept", {"comment": "ok"})

    assert (reply.status, reply.data) == (202, "")
    assert [(mail.kind, mail.actor) for mail in graph.service.ledger] == [("response", "api")]


async def test_calendars_groups_categories_and_settings_can_be_managed(graph: Client) -> None:
    """Create, change, delete, each with its own refusals."""
    calendar = (await graph.post("/me/calendars", {"name": "Work"})).data
    assert (await graph.post("/me/calendars", {"name": "Work"})).status == 409
    path = f"/me/calendars/{calendar['id']}"
    assert (await graph.ask("PATCH", path, {"color": "lightRed"})).data["color"] == "lightRed"
    assert (await graph.ask("DELETE", path)).status == 204
    assert (await graph.get(path)).status == 404
    assert (await graph.ask("DELETE", "/me/calendar")).status == 400
    group = (await graph.post("/me/calendarGroups", {"name": "Club"})).data
    inside = f"/me/calendarGroups/{group['id']}/calendars"
    assert (await graph.post(inside, {"name": "Work"})).status == 201
    assert len((await graph.get(inside)).data["value"]) == 1
    category = {"displayName": "Red", "color": "preset0"}
    assert (await graph.post("/me/outlook/masterCategories", category)).status == 201
    assert (await graph.post("/me/outlook/masterCategories", category)).status == 409
    zone = {"timeZone": "Europe/Berlin"}
    assert (await graph.ask("PATCH", "/me/mailboxSettings", zone)).status == 200
    assert (await graph.get("/me/mailboxSettings/timeZone")).data["value"] == "Europe/Berlin"
    zones = await graph.get("/me/outlook/supportedTimeZones")
    assert "UTC" in [row["alias"] for row in zones.data["value"]]
    assert (await graph.get("/me")).data["userPrincipalName"] == ME


async def test_a_fifth_request_in_flight_is_throttled_and_the_most_is_recorded() -> None:
    """Four are served."""
    arrived = asyncio.Event()

    async def until_all_are_there(delay: float) -> None:
        await arrived.wait()

    async with serving(sleep=until_all_are_there) as graph:
        asked = [asyncio.create_task(graph.get("/me/calendar")) for _ in range(5)]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        (throttled,) = [task.result() for task in done]
        arrived.set()
        replies = await asyncio.gather(*asked)

        assert sorted(reply.status for reply in replies) == [200, 200, 200, 200, 429]
        assert throttled.data["error"]["code"] == "ApplicationThrottled"
        assert throttled.headers["Retry-After"] == "1"
        assert graph.server.requests.most_in_flight[ME] == 5


async def test_a_stale_if_match_is_a_412_and_the_present_one_is_taken(graph: Client) -> None:
    """Where the service honours it."""
    event = await made(graph)
    path = f"/me/events/{event['id']}"

    stale = await graph.ask("PATCH", path, {"subject": "x"}, {"If-Match": 'W/"old"'})
    fresh = await graph.ask("PATCH", path, {"subject": "x"}, {"If-Match": event["@odata.etag"]})

    assert (stale.status, fresh.status) == (412, 200)


async def test_control_endpoints_show_and_steer_a_simulator_from_outside(graph: Client) -> None:
    """They need no token and are not Graph's."""
    control = graph.server.origin + "/_simulator/"
    body = {"user": ME, "action": "create", "body": weekly(attendees=[person("a@x.org")])}
    master = (await graph.post(control + "mailbox/do", body)).data
    await graph.post(control + "clock", {"advance_s": 3600})
    await graph.post(control + "switches", {"deleted_items_answer": True})
    await graph.post(
        control + "faults", {"scripts": [{"kind": "unavailable", "path": "calendar$"}]}
    )

    assert (await graph.get("/me/calendar")).status == 503
    ledger = (await graph.get(control + "ledger")).data
    assert [(mail["kind"], mail["actor"]) for mail in ledger] == [("invitation", "person")]
    window = "start=2031-03-01T00:00:00Z&end=2031-03-12T00:00:00Z"
    rows = (await graph.get(f"{control}instances?user={ME}&{window}")).data
    assert [row["iCalUId"] for row in rows] == [master["iCalUId"]] * 2
    assert rows[0]["startInZone"] == when("2031-03-04T09:00:00.0000000", "Europe/Berlin")
    stored = (await graph.get(f"{control}events?user={ME}")).data
    assert (stored[0]["exceptions"], stored[0]["cancelled"]) == ([], [])
    assert graph.service.switches.deleted_items_answer is True
    log = (await graph.get(control + "requests")).data
    assert [(row["path"], row["status"]) for row in log["requests"]] == [("/me/calendar", 503)]
    assert (await graph.post(control + "tokens/expire", {"token": graph.token})).status == 200
    assert (await graph.get("/me/calendar")).status == 401
    assert (await graph.get(control + "events?user=nobody")).status == 404
