"""
Attachments over HTTP: three kinds, their limits, and files that come in pieces.
"""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from syncd.simulator.faults import FaultKind
from syncd.simulator.folders import Person
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

MENU = b"mac and cheese today"
FILE = "#microsoft.graph.fileAttachment"
ITEM = "#microsoft.graph.itemAttachment"
CAST = "microsoft.graph.fileAttachment/contentBytes"


@pytest.fixture
async def graph() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


def a_file(name: str = "menu.txt", data: bytes = MENU, **more: Any) -> dict[str, Any]:
    content = base64.b64encode(data).decode("ascii")
    return {"@odata.type": FILE, "name": name, "contentBytes": content, **more}


def an_item(**item: Any) -> dict[str, Any]:
    return {"@odata.type": ITEM, "name": "Holiday", "item": item}


async def event(graph: Client, **more: Any) -> str:
    """Make an event; return its path."""
    return f"/me/events/{(await graph.post('/me/events', single(**more))).data['id']}"


async def attached(graph: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    reply = await graph.post(f"{path}/attachments", body)
    assert reply.status == 201, reply.data
    row: dict[str, Any] = reply.data
    return row


async def planted(graph: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Attach as a person does in Outlook."""
    asked = {"user": ME, "action": "attach", "id": path.rpartition("/")[2], "body": body}
    reply = await graph.post(f"{graph.server.origin}/_simulator/mailbox/do", asked)
    assert reply.status == 200, reply.data
    row: dict[str, Any] = reply.data
    return row


async def names(graph: Client, path: str) -> list[str]:
    return [row["name"] for row in (await graph.get(f"{path}/attachments")).data["value"]]


async def test_a_file_is_added_listed_counted_read_and_deleted(graph: Client) -> None:
    """Its type follows the name, and its size is more than its bytes."""
    path = await event(graph)

    row = await attached(graph, path, a_file())

    assert {name: row[name] for name in row if name not in ("id", "@odata.context")} == {
        "@odata.type": FILE,
        "@odata.mediaContentType": "text/plain",
        "lastModifiedDateTime": row["lastModifiedDateTime"],
        "name": "menu.txt",
        "contentType": "text/plain",
        "size": 178,
        "isInline": False,
        "contentId": None,
        "contentLocation": None,
        "contentBytes": base64.b64encode(MENU).decode("ascii"),
    }
    one = f"{path}/attachments/{row['id']}"
    listed = (await graph.get(f"{path}/attachments")).data["value"]
    assert [{**each, "@odata.context": row["@odata.context"]} for each in listed] == [row]
    assert (await graph.get(one)).data == row
    assert (await graph.get(f"{path}/attachments/$count")).data == "1"
    raw = await graph.get(f"{one}/$value")
    assert (raw.data.encode(), raw.headers["Content-Type"]) == (MENU, "text/plain")
    assert (await graph.ask("PATCH", one, {"name": "x"})).status == 405
    assert (await graph.ask("DELETE", one)).status == 204
    assert (await graph.ask("DELETE", one)).status == 404


async def test_the_bytes_come_unless_trimmed_and_only_by_a_cast_when_selected(
    graph: Client,
) -> None:
    """What other kinds lack is no property of attachments (Graph answers so since it checks)."""
    path = await event(graph)
    await attached(graph, path, a_file())

    trimmed = await graph.get(f"{path}/attachments?$select=name,size")
    cast = await graph.get(f"{path}/attachments?$select=name,{CAST}")
    bare = await graph.get(f"{path}/attachments?$select=name,contentBytes")

    always = {"@odata.type", "@odata.mediaContentType", "id", "name"}
    assert set(trimmed.data["value"][0]) == {*always, "size"}
    assert set(cast.data["value"][0]) == {*always, "contentBytes"}
    assert (bare.status, bare.data["error"]["code"]) == (400, "RequestBroker--ParseUri")


async def test_a_list_is_filtered_ordered_and_paged(graph: Client) -> None:
    """As other lists are."""
    path = await event(graph)
    for name in ("b.txt", "c.txt", "a.txt"):
        await attached(graph, path, a_file(name, isInline=name == "c.txt"))

    sifted = await graph.get(f"{path}/attachments?$filter=isInline%20eq%20false&$orderby=name")
    first = (await graph.get(f"{path}/attachments?$top=2&$count=true")).data
    second = (await graph.get(first["@odata.nextLink"])).data

    assert [row["name"] for row in sifted.data["value"]] == ["a.txt", "b.txt"]
    assert (len(first["value"]), first["@odata.count"], len(second["value"])) == (2, 3, 1)


async def test_an_attached_event_is_shown_when_expanded_and_as_a_calendar(graph: Client) -> None:
    """Its times are in UTC."""
    path = await event(graph)
    row = await attached(
        graph, path, an_item(**{"@odata.type": "microsoft.graph.event"}, **single("Gifts, etc."))
    )
    one = f"{path}/attachments/{row['id']}"
    expand = "$expand=microsoft.graph.itemattachment/item"

    plain = (await graph.get(one)).data
    shown = (await graph.get(f"{one}?{expand}")).data["item"]
    listed = (await graph.get(f"{path}/attachments?$select=name&{expand}")).data["value"][0]
    raw = (await graph.get(f"{one}/$value")).data

    assert ("item" in plain, "contentBytes" in plain, plain["contentType"]) == (False, False, None)
    assert (shown["id"], shown["subject"]) == ("", "Gifts, etc.")
    assert shown["start"] == {"dateTime": "2031-03-04T11:00:00.0000000", "timeZone": "UTC"}
    assert listed["item"] == shown
    assert raw.startswith("BEGIN:VCALENDAR\r\n")
    assert "\r\nSUMMARY:Gifts\\, etc.\r\n" in raw
    assert "\r\nDTSTART:20310304T110000Z\r\n" in raw


async def test_attached_messages_and_contacts_have_text_forms_of_their_own(graph: Client) -> None:
    """MIME and vCard."""
    path = await event(graph)
    message = an_item(**{"@odata.type": "#microsoft.graph.message", "subject": "Hello"})
    contact = an_item(**{"@odata.type": "#microsoft.graph.contact", "displayName": "Ann"})
    forms = []
    for body in (message, contact):
        identity = (await attached(graph, path, body))["id"]
        forms.append((await graph.get(f"{path}/attachments/{identity}/$value")).data)

    assert "Subject: Hello" in forms[0]
    assert forms[1].startswith("BEGIN:VCARD\r\n")


async def test_a_link_to_the_cloud_is_a_persons_doing_and_shown_without_its_address(
    graph: Client,
) -> None:
    """v1.0 creates none, has no name for the address, and no content to give."""
    path = await event(graph)
    body = {"@odata.type": "#microsoft.graph.referenceAttachment", "name": "Koala"}
    linked = {**body, "sourceUrl": "https://contoso.example/koala.jpg"}

    refused = [(await graph.post(f"{path}/attachments", each)).data for each in (body, linked)]
    row = await planted(graph, path, linked)

    codes = [each["error"]["code"] for each in refused]
    assert codes == ["ErrorInvalidProperty", "RequestBodyRead"]
    one = f"{path}/attachments/{row['id']}"
    shown = (await graph.get(one)).data
    assert (shown["name"], shown["@odata.type"]) == ("Koala", body["@odata.type"])
    assert "koala.jpg" not in str(shown)
    assert (await graph.get(f"{one}/$value")).status == 405


async def test_what_a_body_shows_inline_does_not_count_as_an_attachment(graph: Client) -> None:
    """It is listed all the same."""
    path = await event(graph)
    await planted(graph, path, a_file("logo.png", isInline=True, contentId="logo"))
    inline = (await graph.get(path)).data["hasAttachments"]
    row = await planted(graph, path, a_file())
    both = (await graph.get(path)).data["hasAttachments"]
    await graph.ask("DELETE", f"{path}/attachments/{row['id']}")

    assert (inline, both, (await graph.get(path)).data["hasAttachments"]) == (False, True, False)
    assert await names(graph, path) == ["logo.png"]


@pytest.mark.parametrize("emits", [True, False])
async def test_an_attachment_moves_the_version_and_perhaps_shows_in_a_delta_round(
    emits: bool,
) -> None:
    """Nobody is mailed, neither for adding nor for deleting."""
    async with serving(attachment_change_emits_row=emits) as graph:
        path = await event(graph, attendees=[person("ann@example.org")])
        graph.service.ledger.clear()
        seen = [(await graph.get(path)).data]
        _, link = await graph.round(f"/me/calendarView/delta?{MARCH}")
        rows = []

        row = await attached(graph, path, a_file())
        for step in ("added", "deleted"):
            if step == "deleted":
                await graph.ask("DELETE", f"{path}/attachments/{row['id']}")
            seen.append((await graph.get(path)).data)
            more, link = await graph.round(link)
            rows += [each["hasAttachments"] for each in more]

        assert len({each["changeKey"] for each in seen}) == 3
        assert len({each["lastModifiedDateTime"] for each in seen}) == 3
        assert rows == ([True, False] if emits else [])
        assert graph.service.ledger == []


async def test_an_instance_shows_its_series_attachments_until_it_gets_its_own(
    graph: Client,
) -> None:
    """Then it is an exception, and the series keeps what it had."""
    master = f"/me/events/{(await graph.post('/me/events', weekly(count=2))).data['id']}"
    await attached(graph, master, a_file("agenda.txt"))
    rows = (await graph.get(f"{master}/instances?{MARCH}")).data["value"]
    first, second = (f"/me/events/{row['id']}" for row in rows)

    await attached(graph, first, a_file("notes.txt"))

    assert await names(graph, first) == ["agenda.txt", "notes.txt"]
    assert await names(graph, second) == await names(graph, master) == ["agenda.txt"]
    assert (await graph.get(first)).data["type"] == "exception"
    shared = (await graph.get(f"{first}/attachments")).data["value"][0]["id"]
    assert (await graph.ask("DELETE", f"{first}/attachments/{shared}")).status == 204
    assert await names(graph, master) == ["agenda.txt"]


async def test_an_event_comes_with_its_attachments_when_expanded(graph: Client) -> None:
    """Alone and in lists, trimmed by a nested selection."""
    path = await event(graph)
    row = await attached(graph, path, a_file())
    item = an_item(**{"@odata.type": "microsoft.graph.message", "subject": "Hello"})
    await attached(graph, path, item)

    whole = (await graph.get(f"{path}?$expand=attachments")).data["attachments"]
    nested = "attachments($select=name;$expand=microsoft.graph.itemAttachment/item)"
    listed = (await graph.get(f"/me/events?$select=subject&$expand={nested}")).data["value"][0]

    assert whole[0] == {name: row[name] for name in row if name != "@odata.context"}
    assert "contentBytes" not in listed["attachments"][0]
    assert listed["attachments"][1]["item"]["subject"] == "Hello"


async def test_attachments_in_the_body_of_a_new_event_are_dropped(graph: Client) -> None:
    """They have to be posted after it."""
    path = await event(graph, attachments=[a_file()])

    assert await names(graph, path) == []


async def test_ids_of_attachments_have_the_form_of_their_events(graph: Client) -> None:
    """Both forms answer; the default one ends with a move."""
    path = await event(graph)
    old = (await attached(graph, path, a_file()))["id"]
    lasting = (await graph.get(path, IMMUTABLE)).data["id"]
    twin = (await graph.get(f"{path}/attachments", IMMUTABLE)).data["value"][0]["id"]
    calendar = graph.mailbox.folders.add("Work")

    moved = graph.mailbox.move(path.rpartition("/")[2], calendar.id).id

    assert old != twin
    assert (await graph.get(f"/me/events/{moved}/attachments/{twin}")).status == 200
    assert (await graph.get(f"/me/events/{lasting}/attachments/{old}")).status == 404
    assert (await graph.get(f"/me/events/{lasting}/attachments/nope")).status == 400


async def test_what_is_no_attachment_is_a_400(graph: Client) -> None:
    """Nothing is added."""
    path = await event(graph)
    bodies: list[tuple[dict[str, Any], str]] = [
        ({"name": "x", "contentBytes": ""}, "RequestBodyRead"),
        (a_file(name=""), "ErrorInvalidProperty"),
        ({"@odata.type": FILE, "name": "x"}, "ErrorInvalidProperty"),
        ({"@odata.type": FILE, "name": "x", "contentBytes": "?"}, "RequestBodyRead"),
        (a_file(colour="red"), "RequestBodyRead"),
        (an_item(subject="x"), "RequestBodyRead"),
    ]

    replies = [await graph.post(f"{path}/attachments", body) for body, _ in bodies]

    found = [(reply.status, reply.data["error"]["code"]) for reply in replies]
    assert found == [(400, code) for _, code in bodies]
    assert await names(graph, path) == []


async def test_a_file_that_is_too_large_for_one_post_is_a_413() -> None:
    """Also when the request is longer than the server reads at all."""
    async with serving(most_posted_bytes=1000) as graph:
        path = await event(graph)

        replies = [
            await graph.post(f"{path}/attachments", a_file(data=bytes(size)))
            for size in (1000, 1001, 7_000_000)
        ]

        assert [reply.status for reply in replies] == [201, 413, 413]
        codes = {reply.data["error"]["code"] for reply in replies[1:]}
        assert codes == {"ErrorMessageSizeExceeded"}


async def test_a_reader_adds_no_attachments_and_the_most_basic_right_shows_none() -> None:
    """403, each."""
    async with serving(tokens=StaticTokens(scopes=frozenset({"Calendars.ReadBasic"}))) as graph:
        mine = graph.mailbox.create(graph.mailbox.default_calendar.id, single())
        assert (await graph.get(f"/me/events/{mine.id}/attachments")).status == 403
    async with serving() as graph:
        shared = graph.mailbox.folders.add("Team", owner=Person("Boss", "boss@example.org"))
        theirs = graph.mailbox.create(shared.id, single())
        shared.can_edit = False
        path = f"/me/calendars/{shared.id}/events/{theirs.id}/attachments"
        assert (await graph.get(path)).status == 200
        assert (await graph.post(path, a_file())).status == 403
        assert (await graph.post(f"{path}/createUploadSession", announced(9_000_000))).status == 403


def announced(size: int, **more: Any) -> dict[str, Any]:
    """Return the body that announces a file."""
    item = {"attachmentType": "file", "name": "flower.bin", "size": size, **more}
    return {"AttachmentItem": item}


async def session(graph: Client, path: str, size: int, **more: Any) -> str:
    """Open an upload session; return its URL."""
    reply = await graph.post(f"{path}/attachments/createUploadSession", announced(size, **more))
    assert reply.status == 201, reply.data
    assert reply.data["nextExpectedRanges"] == ["0-"]
    url: str = reply.data["uploadUrl"]
    return url


async def at(graph: Client, method: str, url: str, data: bytes = b"", **headers: str) -> Reply:
    """Ask an upload URL, which carries its own right. Args: headers: underscores for dashes."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with graph.http.request(method, url, data=data or None, headers=sent) as answer:
        is_json = "json" in answer.headers.get("Content-Type", "")
        return Reply(answer.status, answer.headers, await answer.json() if is_json else "")


async def put(graph: Client, url: str, data: bytes, start: int, total: int) -> Reply:
    span = f"bytes {start}-{start + len(data) - 1}/{total}"
    return await at(graph, "PUT", url, data, Content_Range=span)


@pytest.fixture
async def small() -> AsyncIterator[Client]:
    """A service that takes uploads of any size."""
    async with serving(least_uploaded_bytes=1) as client:
        yield client


async def test_a_large_file_comes_in_ranges(graph: Client) -> None:
    """The last answer has no body but the URL of the attachment, on the uploads' own host."""
    path = await event(graph)
    data = bytes(range(256)) * 16_384  # 4 MiB
    url = await session(graph, path, len(data), contentType="image/jpeg")

    first = await put(graph, url, data[:3_000_000], 0, len(data))
    before = await names(graph, path)
    last = await put(graph, url, data[3_000_000:], 3_000_000, len(data))

    assert (first.status, first.data["nextExpectedRanges"], before) == (200, ["3000000"], [])
    assert (last.status, last.data) == (201, "")
    identity = last.headers["Location"].split("'")[-2]
    shown = (await graph.get(f"{path}/attachments/{identity}?$select=name,contentType")).data
    assert (shown["name"], shown["contentType"]) == ("flower.bin", "image/jpeg")
    value = f"{graph.server.base_url}{path}/attachments/{identity}/$value"
    async with graph.http.get(value, headers={"Authorization": f"Bearer {graph.token}"}) as raw:
        assert await raw.read() == data
    assert (await graph.get(path)).data["hasAttachments"] is True
    assert (await at(graph, "GET", url)).status == 404


async def test_an_upload_whose_answer_was_lost_is_resumed_where_it_is(small: Client) -> None:
    """The URL tells what is expected next; faults strike there as elsewhere."""
    path = await event(small)
    url = await session(small, path, 6)
    small.server.faults.script(FaultKind.TIMEOUT_AFTER, "PUT", "/upload/")

    lost = await put(small, url, b"abc", 0, 6)
    state = await at(small, "GET", url)
    last = await put(small, url, b"def", 3, 6)

    assert (lost.status, state.data["nextExpectedRanges"], last.status) == (504, ["3"], 201)
    assert await names(small, path) == ["flower.bin"]


async def test_a_range_that_is_not_the_next_is_refused(small: Client) -> None:
    """And changes nothing of what was received."""
    url = await session(small, await event(small), 10)
    await put(small, url, b"abc", 0, 10)
    wanted = {
        "bytes 4-6/10": 416,  # leaves a gap
        "bytes 0-2/10": 416,  # was received
        "bytes 8-10/10": 416,
        "bytes 3-5/11": 416,
        "bytes 3-4/10": 400,  # not as long as the content
        "3-5/10": 400,
        "": 400,
    }

    found = {
        span: (await at(small, "PUT", url, b"def", Content_Range=span)).status for span in wanted
    }

    assert found == wanted
    assert (await at(small, "GET", url)).data["nextExpectedRanges"] == ["3"]


async def test_a_bearer_at_an_upload_url_is_a_clients_bug(small: Client) -> None:
    """Graph's token means nothing to that host: 401, and nothing is received."""
    url = await session(small, await event(small), 3)
    headers = {"Authorization": f"Bearer {small.token}", "Content_Range": "bytes 0-2/3"}

    reply = await at(small, "PUT", url, b"abc", **headers)

    assert (reply.status, reply.data["error"]["code"]) == (401, "InvalidAudienceForResource")
    assert (await at(small, "GET", url)).data["nextExpectedRanges"] == ["0"]


async def test_a_session_ends_when_it_is_cancelled_or_expires(small: Client) -> None:
    """404 and 401; what was received is gone."""
    path = await event(small)
    cancelled, expired = await session(small, path, 3), await session(small, path, 3)

    assert (await at(small, "DELETE", cancelled)).status == 204
    small.service.advance(timedelta(hours=2))

    assert (await put(small, cancelled, b"abc", 0, 3)).status == 404
    assert (await put(small, expired, b"abc", 0, 3)).status == 401
    assert (await at(small, "POST", expired)).status == 401
    assert await names(small, path) == []


async def test_files_too_small_too_large_or_of_another_kind_get_no_session(graph: Client) -> None:
    """Each with its own code."""
    path = await event(graph)
    refused = []
    for body in (
        announced(2_999_999),
        announced(157_286_401),
        announced(9**9, attachmentType="item"),
    ):
        reply = await graph.post(f"{path}/attachments/createUploadSession", body)
        refused.append((reply.status, reply.data["error"]["code"]))

    assert refused == [
        (400, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize"),
        (413, "ErrorMessageSizeExceeded"),
        (400, "RequestBodyRead"),
    ]


async def test_a_range_may_be_too_long_and_a_mailbox_may_take_less_than_the_service() -> None:
    """Both are a 413, the latter only when the bytes come."""
    async with serving(most_message_bytes=5_000_000) as graph:
        url = await session(graph, await event(graph), 9_000_000)

        too_long = await put(graph, url, bytes(4 * 2**20 + 1), 0, 9_000_000)
        fits = await put(graph, url, bytes(4 * 2**20), 0, 9_000_000)
        full = await put(graph, url, bytes(2**20), 4 * 2**20, 9_000_000)

        assert [too_long.status, fits.status, full.status] == [413, 200, 413]


async def test_an_upload_ends_with_its_event(small: Client) -> None:
    """The last range finds nothing to attach to."""
    path = await event(small)
    url = await session(small, path, 3)
    await small.ask("DELETE", path)

    assert (await put(small, url, b"abc", 0, 3)).status == 404
