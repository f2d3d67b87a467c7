"""
The simulator's answers against the published contract of Graph v1.0, where a copy of it is at hand.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from syncd.simulator.attachments import read_draft
from tests.simulator.mailbox_world import MARCH, Client, person, serving, single, weekly

CONTRACT = Path(__file__).parents[3] / "shared" / "reference" / "graph-calendar.openapi.json"
EVENT, CALENDAR = "microsoft.graph.event", "microsoft.graph.calendar"

pytestmark = pytest.mark.skipif(not CONTRACT.exists(), reason="no contract beside the repository")


@cache
def contract() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CONTRACT.read_text("utf-8"))
    return found


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = contract()["components"]["schemas"][name]
    return found


def resolved(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every schema that a part stands for, through references and unions."""
    if "$ref" in part:
        yield from resolved(schema(part["$ref"].rpartition("/")[2]))
        return
    yield part
    for union in ("allOf", "anyOf", "oneOf"):
        for option in part.get(union, []):
            yield from resolved(option)


def undeclared(value: Any, part: dict[str, Any], path: str) -> Iterator[str]:
    """Yield the path of every property that the contract does not know."""
    if isinstance(value, list):
        items: dict[str, Any] = next(
            (each["items"] for each in resolved(part) if "items" in each), {}
        )
        for each in value:
            yield from undeclared(each, items, f"{path}[]")
    if not isinstance(value, dict):
        return
    known: dict[str, Any] = {}
    for each in resolved(part):
        known.update(each.get("properties", {}))
    for name, inner in value.items():
        if "@" in name or name == "@removed":
            continue
        if name not in known:
            yield f"{path}/{name}"
        else:
            yield from undeclared(inner, known[name], f"{path}/{name}")


async def attached_answers(
    graph: Client, event: str
) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """Return rows of attachments and reminders. Args: event: the path of one."""
    kind = "#microsoft.graph.{}Attachment"
    content = {"@odata.type": kind.format("file"), "name": "a.txt", "contentBytes": "YQ=="}
    inner = {"@odata.type": "microsoft.graph.event", **single("Inner")}
    item = {"@odata.type": kind.format("item"), "name": "Inner", "item": inner}
    link = {"@odata.type": kind.format("reference"), "name": "Koala", "sourceUrl": "https://x"}
    file = (await graph.post(f"{event}/attachments", content)).data
    await graph.post(f"{event}/attachments", item)
    graph.mailbox.attach(event.rpartition("/")[2], read_draft(link, planted=True))
    expand = "microsoft.graph.itemAttachment/item"
    listed = (await graph.get(f"{event}/attachments?$expand={expand}")).data["value"]
    whole = (await graph.get(f"{event}?$expand=attachments($expand={expand})")).data
    sent = {"AttachmentItem": {"attachmentType": "file", "name": "b", "size": 4_000_000}}
    upload = (await graph.post(f"{event}/attachments/createUploadSession", sent)).data
    times = "startDateTime='2031-03-01T00:00:00',endDateTime='2031-04-01T00:00:00'"
    reminders = (await graph.get(f"/me/reminderView({times})")).data["value"]
    assert (len(listed), len(reminders)) == (3, 4)
    return {
        "attachments": ("microsoft.graph.attachment.anyDerived", [file, *listed]),
        "with attachments": (EVENT, [whole]),
        "upload": ("microsoft.graph.uploadSession", [upload]),
        "reminders": ("microsoft.graph.reminder", reminders),
    }


async def scheduling_answers(graph: Client) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """Return rows about other people's time, rooms and shares."""
    ann = graph.service.add_mailbox("ann@example.org", "Ann")
    for sensitivity in ("normal", "private"):
        ann.create(ann.default_calendar.id, single("Theirs", sensitivity=sensitivity))
    room = graph.service.add_room("hood@x.org", "Hood", room_list="x@x.org")
    share = {"emailAddress": {"address": "me@example.org"}, "role": "read"}
    permission = graph.service.sharing.add(ann, ann.default_calendar, share)
    entry = graph.mailbox.folders.shown(ann.user_id, ann.default_calendar.id)
    assert entry is not None
    theirs = (await graph.get(f"/me/calendars/{entry.id}/calendarView?{MARCH}")).data["value"]
    one = (await graph.get(f"/me/calendars/{entry.id}")).data
    body = {"attendees": [person("ann@example.org")], "returnSuggestionReasons": True}
    found = (await graph.post("/me/findMeetingTimes", body)).data
    span = {"startTime": single()["start"], "endTime": single()["end"]}
    wish = {"schedules": ["ann@example.org", "nobody@x.org"], **span}
    schedules = (await graph.post("/me/calendar/getSchedule", wish)).data["value"]
    permissions = (await graph.get("/me/calendar/calendarPermissions")).data["value"]
    languages = (await graph.get("/me/outlook/supportedLanguages")).data["value"]
    graph.token = "app-x"
    rooms = (await graph.get("/places/microsoft.graph.room")).data["value"]
    lists = (await graph.get("/places/microsoft.graph.roomlist")).data["value"]
    places = [(await graph.get(f"/places/{name}@x.org")).data for name in ("hood", "x")]
    assert (len(theirs), room.id) == (2, rooms[0]["id"])
    return {
        "suggestions": ("microsoft.graph.meetingTimeSuggestionsResult", [found]),
        "schedules": ("microsoft.graph.scheduleInformation", schedules),
        "permissions": (
            "microsoft.graph.calendarPermission",
            [permission.wire(), *permissions],
        ),
        "shared": (EVENT, theirs),
        "shared calendar": (CALENDAR, [one]),
        "languages": ("microsoft.graph.localeInfo", languages),
        "rooms": ("microsoft.graph.room", rooms),
        "room lists": ("microsoft.graph.roomList", lists),
        "places": ("microsoft.graph.place.anyDerived", places),
    }


async def answers(graph: Client) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """Return rows of many kinds, each with the schema it must fit."""
    body = single(
        "Meeting",
        body={"contentType": "text", "content": "Hi"},
        location={"displayName": "Room", "address": {"city": "Berlin"}},
        attendees=[person("ann@example.org")],
        isOnlineMeeting=True,
        transactionId="t",
        singleValueExtendedProperties=[{"id": "String {0} Name x", "value": "1"}],
    )
    posted = (await graph.post("/me/events", body)).data
    master = (await graph.post("/me/events", weekly())).data
    listed = (await graph.get(f"/me/events/{master['id']}/instances?{MARCH}")).data["value"]
    changed = await graph.ask("PATCH", f"/me/events/{listed[1]['id']}", {"subject": "x"})
    await graph.ask("DELETE", f"/me/events/{listed[2]['id']}")
    series = await graph.get(
        f"/me/events/{master['id']}?$select=subject,start,originalStart,cancelledOccurrences"
        "&$expand=exceptionOccurrences,calendar"
    )
    expanded = await graph.get(
        f"/me/events/{posted['id']}?$expand=singleValueExtendedProperties"
        "($filter=id%20eq%20'String%20{0}%20Name%20x')"
    )
    delta, _ = await graph.round(f"/me/calendarView/delta?{MARCH}")
    view = (await graph.get(f"/me/calendarView?{MARCH}")).data["value"]
    calendars = (await graph.get("/me/calendars")).data["value"]
    settings = (await graph.get("/me/mailboxSettings")).data
    groups = (await graph.get("/me/calendarGroups")).data["value"]
    return {
        **await attached_answers(graph, f"/me/events/{posted['id']}"),
        "writes": (EVENT, [posted, master, changed.data]),
        "series": (EVENT, [series.data, expanded.data]),
        "delta": (EVENT, delta),
        "view": (EVENT, view),
        "calendars": (CALENDAR, calendars),
        "groups": ("microsoft.graph.calendarGroup", groups),
        "settings": ("microsoft.graph.mailboxSettings", [settings]),
        **await scheduling_answers(graph),
    }


async def test_every_property_in_an_answer_is_declared() -> None:
    """Annotations aside, nothing is made up."""
    async with serving() as graph:
        strange = {
            path
            for name, rows in (await answers(graph)).values()
            for row in rows
            for path in undeclared(row, schema(name), name)
        }

    assert strange == set()


async def test_every_answer_is_valid_under_its_schema() -> None:
    """Types, enumerations and patterns hold."""
    validator = pytest.importorskip("openapi_schema_validator", reason="dev extra not installed")
    registry = pytest.importorskip("referencing").Registry()
    resource = pytest.importorskip("referencing.jsonschema").DRAFT4.create_resource(contract())
    registry = registry.with_resource("contract", resource)
    problems = []
    async with serving() as graph:
        for name, rows in (await answers(graph)).values():
            whole = {"$ref": f"contract#/components/schemas/{name}"}
            check = validator.OAS30Validator(whole, registry=registry)
            problems += [
                (name, list(error.absolute_path), error.message[:200])
                for row in rows
                for error in check.iter_errors(row)
            ]

    assert problems == []
