"""Attachments as requests and as read from answers."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.core.errors import BadAnswer, RefusedByService
from syncd.core.wire.dialects.graph_attachments import (
    CHUNK_BYTES,
    Attachment,
    EventAttachments,
    UploadSession,
    added_since,
    read_added,
    read_attachments,
    read_expected,
    read_session,
)
from syncd.core.wire.dialects.graph_v1 import GraphV1
from syncd.core.wire.exchange import Answer

EVENT = EventAttachments(GraphV1("me"), "c/1", "e=2")
FILE = "#microsoft.graph.fileAttachment"


def answer(body: Any, status: int = 200) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, {"content-type": "application/json"}, data)


def attachment(**more: Any) -> Attachment:
    given: dict[str, Any] = {"id": "n", "name": "menu.txt", "kind": "file", "size_bytes": 1200}
    return Attachment(**{**given, "content_type": "text/plain", "is_inline": False, **more})


class TestRequests:
    def test_paths(self) -> None:
        """Ids are escaped; a list asks for no contents."""
        path = "/me/calendars/c%2F1/events/e%3D2/attachments"
        assert EVENT.list().path == f"{path}?$select=id,name,contentType,size,isInline"
        assert EVENT.content("a/1").path == f"{path}/a%2F1/$value"
        assert (EVENT.remove("a").method, EVENT.remove("a").path) == ("DELETE", f"{path}/a")

    def test_a_small_file(self) -> None:
        body = json.loads(EVENT.add("menu.txt", "text/plain", b"\x00soup").body or b"")

        assert b64decode(body.pop("contentBytes")) == b"\x00soup"
        assert body == {"@odata.type": FILE, "name": "menu.txt", "contentType": "text/plain"}

    def test_a_large_file(self) -> None:
        request = EVENT.open_upload("a.bin", "application/octet-stream", 5_000_000)

        assert request.path.endswith("/attachments/createUploadSession")
        item = json.loads(request.body or b"")["AttachmentItem"]
        assert (item["attachmentType"], item["name"], item["size"]) == ("file", "a.bin", 5_000_000)

    def test_pieces(self) -> None:
        """At most 4 MB each, and of the step that upload sessions like."""
        assert CHUNK_BYTES <= 4_000_000
        assert CHUNK_BYTES % (320 * 1024) == 0


class TestRead:
    def test_kinds(self) -> None:
        kinds = ("file", "item", "reference")
        rows = [{"id": k, "@odata.type": f"#microsoft.graph.{k}Attachment"} for k in kinds]

        page, link = read_attachments(answer({"value": rows, "@odata.nextLink": "https://x"}))

        assert [one.kind for one in page] == list(kinds)
        assert link == "https://x"

    def test_nulls(self) -> None:
        """Attached items have no content type, and what is absent is nothing."""
        row = {"id": "a", "name": None, "size": None, "contentType": None, "isInline": None}

        assert read_added(answer(row)) == Attachment("a", "", "file", 0, "", False)

    @pytest.mark.parametrize(
        "body",
        [{}, {"value": {}}, {"value": [{}]}, {"value": [{"id": 1}]}, b"", b"[" * 9999, b'"\xff"'],
    )
    def test_nonsense(self, body: Any) -> None:
        with pytest.raises(BadAnswer):
            read_attachments(answer(body))

    def test_a_refusal(self) -> None:
        with pytest.raises(RefusedByService):
            read_attachments(answer({"error": {"code": "ErrorItemNotFound"}}, 404))

    @pytest.mark.parametrize(
        ("told", "expires"),
        [
            ("2031-03-04T10:00:00.1234567Z", datetime(2031, 3, 4, 10, tzinfo=UTC)),
            ("2031-03-04T10:00:00Z", datetime(2031, 3, 4, 10, tzinfo=UTC)),
            ("soon", None),
            (None, None),
        ],
    )
    def test_a_session(self, told: str | None, expires: datetime | None) -> None:
        row = {"uploadUrl": "https://x.example/secret", "expirationDateTime": told}

        session = read_session(answer(row, 201))

        assert session == UploadSession("https://x.example/secret", expires)
        assert "secret" not in repr(session)

    def test_no_session(self) -> None:
        with pytest.raises(BadAnswer):
            read_session(answer({"uploadUrl": None}, 201))

    @pytest.mark.parametrize(
        ("body", "at"),
        [
            ({"nextExpectedRanges": ["0-"]}, 0),
            ({"nextExpectedRanges": ["3932160"]}, 3932160),
            ({"NextExpectedRanges": ["10-99", "200-"]}, 10),
            ({"nextExpectedRanges": []}, None),
            ({"nextExpectedRanges": [None]}, None),
            ({"nextExpectedRanges": ["-1"]}, None),
            ({"nextExpectedRanges": "0-"}, None),
            ({}, None),
            ([], None),
            (b"", None),
            (b"<html>", None),
        ],
    )
    def test_what_is_expected(self, body: Any, at: int | None) -> None:
        assert read_expected(answer(body)) == at


class TestAddedSince:
    @pytest.mark.parametrize(
        ("there", "found"),
        [
            (attachment(), True),
            (attachment(id="old"), False),
            (attachment(name="menu.TXT"), False),
            (attachment(size_bytes=999), False),
            (attachment(size_bytes=1000), True),
            (attachment(size_bytes=100_000), False),
            (attachment(kind="item"), False),
        ],
    )
    def test_one_of_that_name_and_size(self, there: Attachment, found: bool) -> None:
        """What the service calls its size is somewhat more than the file's."""
        assert (added_since([there], ["old"], "menu.txt", 1000) is not None) == found
