"""
Attachments of an event, and upload sessions for large files.

Knows the three kinds, what a body may create, ids built on the event's, wire forms, raw forms, and
in which order the ranges of an upload may come. Pure: bytes in, values out; where they are kept is
the mailbox's business. Refuses to know events: they appear as ids.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from mimetypes import MimeTypes
from typing import Any, Literal, assert_never

import msgspec

from syncd.simulator import bodies, fields
from syncd.simulator.checks import boolean, choice, mapping, number, optional_text, text
from syncd.simulator.errors import ServiceError, bad_body, item_not_found
from syncd.simulator.ids import check_shape
from syncd.simulator.odata import parse_expand, parse_select
from syncd.simulator.zones import Wall

__all__ = [
    "MAX_CHUNK_BYTES",
    "SESSION_LIFE",
    "Attachment",
    "Content",
    "Draft",
    "FileContent",
    "ItemContent",
    "ReferenceContent",
    "UploadSession",
    "Uploads",
    "View",
    "attachment_id",
    "attachment_row",
    "check_posted",
    "find_attachment",
    "has_attachments",
    "raw_form",
    "read_draft",
    "read_upload",
    "too_large",
]

MAX_CHUNK_BYTES = 4 * 2**20
SESSION_LIFE = timedelta(hours=1)
_ID_MARK = "BEgAQA"
_TYPE = re.compile(r"(?i)#?microsoft\.graph\.(file|item|reference)Attachment\Z")
_ITEM_TYPE = re.compile(r"(?i)#?microsoft\.graph\.(event|message|contact)\Z")
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})\Z")
_CAST = "microsoft.graph.fileattachment/"
_ITEM = "microsoft.graph.itemattachment/item"
# Without arguments it reads no file of this machine, so answers are the same everywhere.
_MEDIA_TYPES = MimeTypes()
_SHARED = frozenset({"id", "name", "contentType", "size", "isInline", "lastModifiedDateTime"})
_OF_FILES = frozenset({"contentBytes", "contentId", "contentLocation"})
_PLANTED = frozenset({"sourceUrl", "providerType", "permission", "isFolder"})


@dataclass(frozen=True, slots=True)
class FileContent:
    """Bytes. Args: content_id: by which an HTML body refers to it."""

    data: bytes
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class ItemContent:
    """Another item. Args: row: in wire form, times in UTC."""

    kind: Literal["event", "message", "contact"]
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReferenceContent:
    """A file in the cloud. Args: url: v1.0 never shows it."""

    url: str


Content = FileContent | ItemContent | ReferenceContent


@dataclass(frozen=True, slots=True)
class Draft:
    """What a client says of an attachment. Args: media_type: null for attached items."""

    name: str
    media_type: str | None
    is_inline: bool
    content: Content


@dataclass(frozen=True, slots=True)
class Attachment:
    """
    An attachment as it is kept.

    Args: key: the part of its id that is its own. modified: aware UTC.
    """

    key: str
    modified: datetime
    draft: Draft

    @property
    def size_bytes(self) -> int:
        """What the service calls its size: more than the content, by what Exchange stores of it."""
        named = 142 + 2 * len(self.draft.name)
        match self.draft.content:
            case FileContent(data):
                return named + len(data)
            case ItemContent(row=row):
                return named + len(msgspec.json.encode(row))
            case ReferenceContent(url):
                return named + len(url)
            case unknown:
                assert_never(unknown)


def has_attachments(kept: Iterable[Attachment]) -> bool:
    """Return an event's `hasAttachments`: what a body shows inline does not count."""
    return any(not attachment.draft.is_inline for attachment in kept)


def attachment_id(event_id: str, key: str) -> str:
    """Return an attachment's id, in the form of its event's: it changes when the event moves."""
    return f"{event_id.rstrip('=')}{_ID_MARK}{key}="


def find_attachment(
    event_ids: Sequence[str], kept: Iterable[Attachment], identity: str
) -> Attachment:
    """
    Return the attachment that an id names.

    Args: event_ids: the forms of the event's id. Raises: ServiceError: 400 or 404.
    """
    check_shape(identity)
    for attachment in kept:
        if identity in (attachment_id(event_id, attachment.key) for event_id in event_ids):
            return attachment
    raise item_not_found()


@dataclass(frozen=True, slots=True)
class View:
    """How rows are to look. Args: select: empty shows everything; item: expand attached items."""

    select: frozenset[str] = frozenset()
    item: bool = False

    @classmethod
    def asked(cls, select: str | None, expand: str | None) -> "View":
        """
        Return the view that `$select` and `$expand` ask for.

        What only files have needs a cast: `microsoft.graph.fileAttachment/contentBytes`.
        Raises: ServiceError: 400 for a property that attachments lack.
        """
        names = frozenset(_selected(name) for name in parse_select(select))
        parts = parse_expand(expand)
        for part in parts:
            if part.name.casefold() != _ITEM:
                raise _no_property(part.name)
        return cls(names, bool(parts))


def _selected(name: str) -> str:
    if name in _SHARED:
        return name
    own = name[len(_CAST) :]
    if name.casefold().startswith(_CAST) and own in _OF_FILES:
        return own
    raise _no_property(name)


def _no_property(name: str) -> ServiceError:
    return ServiceError(
        400,
        "RequestBroker--ParseUri",
        f"Could not find a property named '{name[:60]}' on type 'microsoft.graph.attachment'.",
    )


def attachment_row(attachment: Attachment, event_id: str, view: View) -> dict[str, Any]:
    """Return an attachment in wire form. Args: event_id: in the form wanted for the ids."""
    draft = attachment.draft
    row: dict[str, Any] = {
        "@odata.type": f"#microsoft.graph.{_kind(draft.content)}Attachment",
        "id": attachment_id(event_id, attachment.key),
        "lastModifiedDateTime": f"{attachment.modified.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "name": draft.name,
        "contentType": draft.media_type,
        "size": attachment.size_bytes,
        "isInline": draft.is_inline,
    }
    row.update(_of_its_kind(draft, view))
    if not view.select:
        return row
    return {name: it for name, it in row.items() if _stays(name, view)}


def _kind(content: Content) -> str:
    match content:
        case FileContent():
            return "file"
        case ItemContent():
            return "item"
        case ReferenceContent():
            return "reference"
        case unknown:
            assert_never(unknown)


def _stays(name: str, view: View) -> bool:
    return name in view.select or name in ("id", "item") or name.startswith("@")


def _of_its_kind(draft: Draft, view: View) -> Iterator[tuple[str, Any]]:
    match draft.content:
        case FileContent(data, content_id):
            yield "@odata.mediaContentType", draft.media_type
            yield "contentId", content_id
            yield "contentLocation", None
            if not view.select or "contentBytes" in view.select:
                yield "contentBytes", base64.b64encode(data).decode("ascii")
        case ItemContent(row=row):
            if view.item:
                yield "item", row
        case ReferenceContent():
            pass
        case unknown:
            assert_never(unknown)


def read_draft(body: object, *, planted: bool = False) -> Draft:
    """
    Return the attachment that a POST body describes.

    Args: planted: by a person, who can attach a file of the cloud; v1.0 cannot.
    Raises: ServiceError: 400, for a reference in particular.
    """
    sent = mapping(body, "attachment")
    found = _TYPE.match(str(sent.get("@odata.type", "")))
    if found is None:
        raise bad_body("Cannot create an abstract class.")
    match found[1].casefold():
        case "file":
            return _read_file(sent)
        case "item":
            return _read_item(sent)
        case _:
            return _read_reference(sent, planted=planted)


def _check_names(sent: Mapping[str, object], kind: str, own: frozenset[str]) -> None:
    for name in sent:
        if "@" not in name and name not in _SHARED | own:
            raise bad_body(
                f"The property '{name[:60]}' does not exist on type "
                f"'microsoft.graph.{kind}Attachment'. Make sure to only use property names that "
                "are defined by the type."
            )


def _required(name: str) -> ServiceError:
    return ServiceError(
        400,
        "ErrorInvalidProperty",
        f"The property '{name}' is required when creating the entity.",
    )


def _flag(sent: Mapping[str, object]) -> bool:
    return boolean(sent.get("isInline") or False, "isInline")


def _read_file(sent: Mapping[str, object]) -> Draft:
    _check_names(sent, "file", _OF_FILES)
    if sent.get("contentBytes") is None:
        raise _required("ContentBytes")
    return _file_draft(sent, _binary(sent["contentBytes"]))


def _binary(value: object) -> bytes:
    try:
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as bad:
        raise bad_body("Cannot convert the literal to the expected type 'Edm.Binary'.") from bad
    raise bad_body("Cannot convert the literal to the expected type 'Edm.Binary'.")


def _file_draft(sent: Mapping[str, object], data: bytes) -> Draft:
    """Return a file from the names that POST and upload session share."""
    name = optional_text(sent.get("name"), "name")
    if not name:
        raise _required("Name")
    media = optional_text(sent.get("contentType"), "contentType")
    content_id = optional_text(sent.get("contentId"), "contentId") or None
    guessed = _MEDIA_TYPES.guess_type(name)[0] or "application/octet-stream"
    return Draft(name, media or guessed, _flag(sent), FileContent(data, content_id))


def _read_item(sent: Mapping[str, object]) -> Draft:
    _check_names(sent, "item", frozenset({"item"}))
    if sent.get("item") is None:
        raise _required("Item")
    item = mapping(sent["item"], "item")
    content = _item_content(item)
    name = optional_text(sent.get("name"), "name") or str(item.get("subject") or "Untitled")
    return Draft(name, None, _flag(sent), content)


def _item_content(item: Mapping[str, object]) -> ItemContent:
    found = _ITEM_TYPE.match(str(item.get("@odata.type", "")))
    if found is None:
        raise bad_body("Cannot create an abstract class.")
    match found[1].casefold():
        case "event":
            return ItemContent("event", _event_row(item))
        case "message":
            return ItemContent("message", _plain_row(item, "message"))
        case _:
            return ItemContent("contact", _plain_row(item, "contact"))


def _plain_row(item: Mapping[str, object], kind: str) -> dict[str, Any]:
    return {**item, "@odata.type": f"#microsoft.graph.{kind}", "id": ""}


def _event_row(item: Mapping[str, object]) -> dict[str, Any]:
    changes = fields.read_changes(item)
    row = {"@odata.type": "#microsoft.graph.event", "id": "", **fields.defaults()}
    row.update(changes.values)
    row["bodyPreview"] = bodies.preview(row["body"])
    row["body"] = {"contentType": "html", "content": row["body"]}
    for name, wall in (("start", changes.start), ("end", changes.end)):
        if wall is not None:
            row[name] = _in_utc(wall, all_day=row["isAllDay"]).wire()
    return row


def _in_utc(wall: Wall, *, all_day: bool) -> Wall:
    return wall.relabelled("UTC") if all_day else wall.seen_from("UTC")


def _read_reference(sent: Mapping[str, object], *, planted: bool) -> Draft:
    _check_names(sent, "reference", _PLANTED if planted else frozenset())
    if not planted:
        raise _required("SourceUrl")
    name, url = text(sent.get("name"), "name"), text(sent.get("sourceUrl"), "sourceUrl")
    media = optional_text(sent.get("contentType"), "contentType") or None
    return Draft(name, media, _flag(sent), ReferenceContent(url))


def too_large() -> ServiceError:
    """Return the answer for more bytes than the service takes."""
    return ServiceError(
        413, "ErrorMessageSizeExceeded", "The message exceeds the maximum supported size."
    )


def check_posted(draft: Draft, most_bytes: int) -> None:
    """Check that a file may come in one POST. Raises: ServiceError: 413."""
    if isinstance(draft.content, FileContent) and len(draft.content.data) > most_bytes:
        raise too_large()


def raw_form(attachment: Attachment) -> tuple[str, bytes]:
    """
    Return what `/$value` answers: media type and bytes; an item in the text form of its kind.

    Raises: ServiceError: 405 for a reference (Graph "Get attachment").
    """
    match attachment.draft.content:
        case FileContent(data):
            return attachment.draft.media_type or "application/octet-stream", data
        case ItemContent("event", row):
            return "text/calendar; charset=utf-8", _lines(_icalendar(attachment, row))
        case ItemContent("contact", row):
            return "text/vcard; charset=utf-8", _lines(_vcard(row))
        case ItemContent(row=row):
            return "message/rfc822", _mime(row)
        case ReferenceContent():
            raise ServiceError(
                405, "UnsupportedHttpVerb", "A reference attachment has no raw content."
            )
        case unknown:
            assert_never(unknown)


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{_folded(line)}\r\n" for line in lines).encode()


def _folded(line: str) -> str:
    """Return a content line in pieces of at most 75 octets (RFC 5545 section 3.1)."""
    pieces, room = [""], 75
    for char in line:
        if len((pieces[-1] + char).encode()) > room:
            pieces.append("")
            room = 74  # the space that continues a line counts
        pieces[-1] += char
    return "\r\n ".join(pieces)


def _escaped(words: object) -> str:
    flat = str(words or "").replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return flat.replace("\r\n", "\\n").replace("\n", "\\n")


def _icalendar(attachment: Attachment, row: Mapping[str, Any]) -> Iterator[str]:
    yield from ("BEGIN:VCALENDAR", "METHOD:PUBLISH", "PRODID:Microsoft Exchange Server 2010")
    yield from ("VERSION:2.0", "BEGIN:VEVENT")
    yield f"UID:040000008200E00074C5B7101A82E008{attachment.key.encode().hex().upper()}"
    yield f"SUMMARY:{_escaped(row['subject'])}"
    yield f"DESCRIPTION:{_escaped(bodies.to_text(row['body']['content']))}"
    for name, place in (("DTSTART", "start"), ("DTEND", "end")):
        if place in row:
            yield name + _icalendar_time(row[place]["dateTime"], all_day=row["isAllDay"])
    yield f"DTSTAMP:{attachment.modified.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    yield f"LOCATION:{_escaped(row['location']['displayName'])}"
    yield from ("END:VEVENT", "END:VCALENDAR")


def _icalendar_time(wire: str, *, all_day: bool) -> str:
    digits = re.sub(r"[-:]|\..*", "", wire)
    return f";VALUE=DATE:{digits[:8]}" if all_day else f":{digits}Z"


def _vcard(row: Mapping[str, Any]) -> Iterator[str]:
    yield from ("BEGIN:VCARD", "PROFILE:VCARD", "VERSION:3.0", "PRODID:Microsoft Exchange")
    yield f"FN:{_escaped(row.get('displayName'))}"
    yield f"N:{_escaped(row.get('surname'))};{_escaped(row.get('givenName'))};;;"
    yield "END:VCARD"


def _mime(row: Mapping[str, Any]) -> bytes:
    message = EmailMessage()
    message["Subject"] = " ".join(str(row.get("subject") or "").split())
    body = row.get("body")
    content = body.get("content") if isinstance(body, Mapping) else ""
    message.set_content(str(content or ""), subtype="html")
    return message.as_bytes()


@dataclass(slots=True, eq=False)
class UploadSession:
    """
    A file on its way.

    Args:
        token: the secret in its URL. event_id: immutable form. draft: the file without its bytes.
        expires: aware UTC.
    """

    token: str
    event_id: str
    draft: Draft
    size_bytes: int
    expires: datetime
    received: bytearray = field(default_factory=bytearray)

    def take(self, content_range: str, data: bytes) -> Draft | None:
        """
        Add the next range; the whole file when that was the last one, else None.

        Raises: ServiceError: 400 for a header that cannot be read or does not fit the bytes, 413
            for a range too long, 416 for one that is not the next.
        """
        found = _RANGE.match(content_range)
        if found is None:
            raise _bad_range("The Content-Range header is missing or malformed.")
        start, end, total = int(found[1]), int(found[2]), int(found[3])
        if end - start + 1 != len(data):
            raise _bad_range("The Content-Range header does not match the length of the content.")
        if len(data) > MAX_CHUNK_BYTES:
            raise too_large()
        if start != len(self.received) or end >= total or total != self.size_bytes:
            raise ServiceError(
                416,
                "InvalidContentRange",
                f"The next expected range starts at {len(self.received)}.",
            )
        self.received += data
        return self._whole() if len(self.received) == self.size_bytes else None

    def _whole(self) -> Draft:
        assert isinstance(self.draft.content, FileContent)
        return replace(self.draft, content=replace(self.draft.content, data=bytes(self.received)))


def _bad_range(message: str) -> ServiceError:
    return ServiceError(400, "ErrorInvalidRequest", message)


@dataclass(slots=True)
class Uploads:
    """The upload sessions of one mailbox, by the token in their URL."""

    sessions: dict[str, UploadSession] = field(default_factory=dict)

    def open(self, session: UploadSession, now: datetime) -> None:
        """Keep a new session and let go of those that expired."""
        for token in [each.token for each in self.sessions.values() if each.expires < now]:
            self.close(token)
        self.sessions[session.token] = session

    def close(self, token: str) -> None:
        """End a session; what it had received is gone."""
        self.sessions.pop(token, None)


def read_upload(body: object, *, least_bytes: int, most_bytes: int) -> tuple[Draft, int]:
    """
    Return the file that a `createUploadSession` body announces, still empty, and its size.

    Raises: ServiceError: 400 for anything but a file or one that fits into a POST, 413.
    """
    sent = {name.casefold(): value for name, value in mapping(body, "body").items()}
    item = mapping(sent.get("attachmentitem"), "AttachmentItem")
    kind = choice(item.get("attachmentType"), ("file", "item", "reference"), "attachmentType")
    if kind != "file":
        raise bad_body("Only files can be uploaded in an upload session.")
    draft = _file_draft(item, b"")
    size = number(item.get("size"), 0, 2**63 - 1, "size")
    if size < least_bytes:
        raise ServiceError(
            400,
            "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize",
            "The attachment is small enough to be added by a single POST.",
        )
    if size > most_bytes:
        raise too_large()
    return draft, size
