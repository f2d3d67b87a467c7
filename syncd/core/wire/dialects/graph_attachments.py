"""
Attachments of one event on Microsoft Graph v1.0: requests as values, and how answers are read.

Knows the three kinds, and what a list may be asked for: `contentBytes` belongs to files alone, so
naming it is a 400, and naming nothing brings whole contents along. Nothing is sent here.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, TypeVar
from urllib.parse import quote

import msgspec

from syncd.core.errors import BadAnswer
from syncd.core.wire.dialects.graph_v1 import JSON, GraphV1, refuse
from syncd.core.wire.exchange import Answer, Request
from syncd.core.wire.graph import AttachmentRow

__all__ = [
    "CHUNK_BYTES",
    "DIRECT_BYTES",
    "LARGEST_BYTES",
    "Attachment",
    "EventAttachments",
    "UploadSession",
    "added_since",
    "alike_in",
    "attachment_of",
    "file_body",
    "read_added",
    "read_attachments",
    "read_expected",
    "read_rows",
    "read_session",
    "read_whole",
]

DIRECT_BYTES: Final = 3_000_000
"""From here on a file needs an upload session; below it there are none (Graph, "Attach large files
to Outlook messages or events": under 3 MB, and 3 MB to 150 MB)."""

LARGEST_BYTES: Final = 150 * 2**20

# At most 4 MB each, and a multiple of 320 KiB as all of Graph's upload sessions like them.
CHUNK_BYTES: Final = 12 * 320 * 1024

# What the service calls the size of an attachment is more than its bytes, by what it keeps of it.
_MOST_EXTRA_BYTES = 64 * 1024

Kind = Literal["file", "item", "reference"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment as a list shows it; `size_bytes` is what the service calls its size."""

    id: str
    name: str
    kind: Kind
    size_bytes: int
    content_type: str
    is_inline: bool


@dataclass(frozen=True, slots=True)
class UploadSession:
    """Where the pieces of a file go; `url` is a secret that carries its own right."""

    url: str = field(repr=False)
    expires: datetime | None


class _Page(msgspec.Struct):
    value: list[AttachmentRow]
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")


class _Session(msgspec.Struct, rename="camel"):
    upload_url: str
    expiration_date_time: str | None = None


@dataclass(frozen=True, slots=True)
class EventAttachments:
    """The requests about the attachments of one event, by the ids of it and of its calendar."""

    dialect: GraphV1
    calendar: str
    event: str

    @property
    def path(self) -> str:
        """Where they are."""
        calendar, event = quote(self.calendar, safe=""), quote(self.event, safe="")
        return f"{self.dialect.root}/calendars/{calendar}/events/{event}/attachments"

    def list(self) -> Request:
        """All of them, without their contents; paged."""
        path = f"{self.path}?$select=id,name,contentType,size,isInline"
        return Request("GET", path, label="attachments")

    def whole(self, attachment: str) -> Request:
        """One of them with its content in base64: for small files."""
        path = f"{self.path}/{quote(attachment, safe='')}"
        return Request("GET", path, label="attachment")

    def content(self, attachment: str) -> Request:
        """The bytes of a file, or an attached item as text."""
        path = f"{self.path}/{quote(attachment, safe='')}/$value"
        return Request("GET", path, label="attachment content")

    def add(self, name: str, content_type: str, data: bytes) -> Request:
        """A file of less than `DIRECT_BYTES`."""
        body = file_body(name, content_type, b64encode(data).decode("ascii"))
        return self.post(msgspec.json.encode(body))

    def post(self, body: bytes) -> Request:
        """An attachment as JSON, of less than `DIRECT_BYTES`."""
        return Request("POST", self.path, JSON, body, "attach")

    def open_upload(self, name: str, content_type: str, size_bytes: int) -> Request:
        """Word of a file of `DIRECT_BYTES` or more; nothing is attached before its last piece."""
        item = {
            "attachmentType": "file",
            "name": name,
            "size": size_bytes,
            "contentType": content_type,
        }
        body = msgspec.json.encode({"AttachmentItem": item})
        return Request("POST", f"{self.path}/createUploadSession", JSON, body, "upload session")

    def remove(self, attachment: str) -> Request:
        """Away with one of them."""
        path = f"{self.path}/{quote(attachment, safe='')}"
        return Request("DELETE", path, label="detach")


def file_body(name: str, content_type: str, content: str) -> dict[str, str]:
    """What a POST says of a file. Args: content: base64."""
    return {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": name,
        "contentType": content_type,
        "contentBytes": content,
    }


def read_attachments(answer: Answer) -> tuple[list[Attachment], str | None]:
    """One page, and the link to the next. Raises: BadAnswer, RefusedByService."""
    rows, link = read_rows(answer)
    return [attachment_of(row) for row in rows], link


def read_rows(answer: Answer) -> tuple[list[AttachmentRow], str | None]:
    """As `read_attachments`, in the form of the wire."""
    page = _decoded(answer, _Page, "the list of attachments")
    return page.value, page.next_link


def read_whole(answer: Answer) -> AttachmentRow:
    """An attachment with its content. Raises: BadAnswer, RefusedByService."""
    return _decoded(answer, AttachmentRow, "the attachment")


def read_added(answer: Answer) -> Attachment:
    """The attachment that a POST made. Raises: BadAnswer, RefusedByService."""
    return attachment_of(read_whole(answer))


def read_session(answer: Answer) -> UploadSession:
    """The session that was opened. Raises: BadAnswer, RefusedByService."""
    session = _decoded(answer, _Session, "the upload")
    return UploadSession(session.upload_url, _instant(session.expiration_date_time or ""))


def read_expected(answer: Answer) -> int | None:
    """
    The first byte that an upload URL waits for, None where it does not say.

    The uploads' host spells this otherwise than Graph does: "3932160" there, "3932160-" here.
    """
    try:
        told = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    ranges = next((told[name] for name in told if name.casefold() == "nextexpectedranges"), None)
    if not isinstance(ranges, list) or not ranges:
        return None
    found = _FIRST_BYTE.match(str(ranges[0]))
    return int(found[1]) if found else None


_FIRST_BYTE = re.compile(r"(\d{1,15})(?:-|\Z)", re.ASCII)


def added_since(
    there: Sequence[Attachment], before: Sequence[str], name: str, size_bytes: int
) -> Attachment | None:
    """The file of that name and size that was not there before, if one is there now."""
    alike = alike_in(there, name, size_bytes)
    return next((one for one in alike if one.id not in before), None)


def alike_in(there: Sequence[Attachment], name: str, size_bytes: int) -> list[Attachment]:
    """The files of that name and size."""
    return [
        one
        for one in there
        if one.kind == "file"
        and one.name == name
        and 0 <= one.size_bytes - size_bytes <= _MOST_EXTRA_BYTES
    ]


def attachment_of(row: AttachmentRow) -> Attachment:
    """A row of the wire as what it is."""
    return Attachment(
        row.id,
        row.name or "",
        _kind(row.odata_type or ""),
        row.size or 0,
        row.content_type or "",
        bool(row.is_inline),
    )


def _kind(odata_type: str) -> Kind:
    name = odata_type.rpartition(".")[2].casefold()
    if name == "itemattachment":
        return "item"
    return "reference" if name == "referenceattachment" else "file"


def _instant(text: str) -> datetime | None:
    """An instant with up to seven digits of a second's fraction, as aware UTC."""
    try:
        found = datetime.fromisoformat(re.sub(r"\.\d+", "", text))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _decoded(answer: Answer, kind: type[T], label: str) -> T:
    refuse(answer, label)
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(f"{label} cannot be read") from error
