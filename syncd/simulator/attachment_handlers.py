"""
Handlers of attachments, and of the URLs that upload sessions hand out.

Knows which status and headers each answer carries; what a body may say is the store's.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from syncd.simulator import render
from syncd.simulator.attachments import (
    SESSION_LIFE,
    Attachment,
    Draft,
    UploadSession,
    View,
    attachment_id,
    attachment_row,
    check_posted,
    raw_form,
    read_draft,
    read_upload,
    too_large,
)
from syncd.simulator.call import Call
from syncd.simulator.errors import ServiceError
from syncd.simulator.folders import writable
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.messages import Answer, Request, json_answer, no_content
from syncd.simulator.model import Event
from syncd.simulator.odata import parse_filter, sort_rows
from syncd.simulator.service import Service
from syncd.simulator.shaping import cut_page, json_list
from syncd.simulator.zones import stamp

__all__ = [
    "UPLOAD_PATH",
    "add_attachment",
    "attachment_value",
    "count_attachments",
    "create_upload_session",
    "get_attachment",
    "list_attachments",
    "remove_attachment",
    "upload",
]

UPLOAD_PATH = "/upload/"


def _event_id(call: Call, event: Event) -> str:
    return event.id_form(immutable=call.preferences.immutable)


def _context(call: Call, event: Event, more: str = "") -> str:
    owner = f"{call.user()}/events('{quote(_event_id(call, event), safe='')}')"
    return call.context(f"{owner}/attachments{more}")


def _view(call: Call) -> View:
    query = call.request.query
    return View.asked(query.get("$select"), query.get("$expand"))


def _one(call: Call, event: Event, found: Attachment) -> dict[str, Any]:
    row = attachment_row(found, _event_id(call, event), _view(call))
    return {"@odata.context": _context(call, event, "/$entity"), **row}


def list_attachments(call: Call) -> Answer:
    """GET the attachments of an event, the bytes of files included unless trimmed."""
    event, view = call.event(), _view(call)
    found = _sifted(call, event)
    size = call.preferences.page_size or call.service.switches.default_page_size
    chosen, following = cut_page(call.request, found, size)
    rows = [attachment_row(each, _event_id(call, event), view) for each in chosen]
    body = json_list(
        [render.encode(row) for row in rows],
        context=_context(call, event),
        next_link=following,
        count=len(found) if call.request.query.get("$count", "").casefold() == "true" else None,
    )
    return json_answer(body)


def _sifted(call: Call, event: Event) -> Sequence[Attachment]:
    """Return what `$filter` leaves, in the order that `$orderby` wants."""
    query, kept = call.request.query, event.attachments
    if not query.get("$filter") and not query.get("$orderby"):
        return kept
    rows = [{**attachment_row(each, _event_id(call, event), View()), "@": each} for each in kept]
    if clause := query.get("$filter"):
        rows = list(filter(parse_filter(clause), rows))
    if order := query.get("$orderby"):
        rows = list(sort_rows(rows, order))
    return [row["@"] for row in rows]


def count_attachments(call: Call) -> Answer:
    """GET how many attachments an event has, inline ones included."""
    count = len(call.event().attachments)
    return Answer(200, str(count).encode(), {"Content-Type": "text/plain"})


def get_attachment(call: Call) -> Answer:
    """GET one attachment."""
    event = call.event()
    found = call.mailbox.attachment(event, call.params["attachment"])
    return json_answer(_one(call, event, found))


def attachment_value(call: Call) -> Answer:
    """GET the bytes of a file, or the text form of an attached item."""
    found = call.mailbox.attachment(call.event(), call.params["attachment"])
    media_type, data = raw_form(found)
    return Answer(200, data, {"Content-Type": media_type})


def add_attachment(call: Call) -> Answer:
    """POST a small file or an item."""
    target, draft = call.event(), read_draft(call.request.json())
    check_posted(draft, call.service.switches.most_posted_bytes)
    event, made = call.mailbox.attach(target.id, draft)
    return json_answer(_one(call, event, made), 201)


def remove_attachment(call: Call) -> Answer:
    """DELETE an attachment."""
    call.mailbox.detach(call.event().id, call.params["attachment"])
    return no_content()


def create_upload_session(call: Call) -> Answer:
    """POST the announcement of a large file."""
    event, switches = call.event(), call.service.switches
    draft, size = read_upload(
        call.request.json(),
        least_bytes=switches.least_uploaded_bytes,
        most_bytes=switches.most_uploaded_bytes,
    )
    session = _opened(call, event, draft, size)
    host = urlsplit(call.request.base)
    row = {
        "@odata.context": call.context("microsoft.graph.uploadSession"),
        "uploadUrl": f"{host.scheme}://{host.netloc}{UPLOAD_PATH}{session.token}",
        "expirationDateTime": stamp(session.expires),
        "nextExpectedRanges": ["0-"],
    }
    return json_answer(row, 201)


def _opened(call: Call, event: Event, draft: Draft, size: int) -> UploadSession:
    folder = call.mailbox.folders.calendars.get(event.item.calendar)
    if folder is not None:
        writable(folder)
    now = call.service.now()
    token = call.mailbox.mint.token()
    session = UploadSession(token, event.immutable_id, draft, size, now + SESSION_LIFE)
    call.mailbox.uploads.open(session, now)
    return session


def upload(service: Service, mailbox: Mailbox, request: Request) -> Answer:
    """
    Serve an upload URL: PUT a range, GET what is expected next, DELETE the session.

    Raises: ServiceError: 400, 404, 405, 413, 416.
    """
    session = mailbox.uploads.sessions[request.segments[-1]]
    match request.method:
        case "GET":
            return _state(session)
        case "DELETE":
            mailbox.uploads.close(session.token)
            return no_content()
        case "PUT":
            return _put(service, mailbox, session, request)
        case _:
            raise ServiceError(
                405, "UnsupportedHttpVerb", "The HTTP method is not supported on this resource."
            )


def _put(service: Service, mailbox: Mailbox, session: UploadSession, request: Request) -> Answer:
    if len(session.received) + len(request.body) > service.switches.most_message_bytes:
        raise too_large()
    whole = session.take(request.headers.get("content-range", ""), request.body)
    if whole is None:
        return _state(session)
    mailbox.uploads.close(session.token)
    event, made = mailbox.attach(session.event_id, whole)
    return Answer(201, b"", {"Location": _location(mailbox, request, event, made)})


def _state(session: UploadSession) -> Answer:
    # The uploads' host writes these two differently from Graph: a capital, and no dash.
    row = {
        "ExpirationDateTime": stamp(session.expires),
        "nextExpectedRanges": [str(len(session.received))],
    }
    return json_answer(row)


def _location(mailbox: Mailbox, request: Request, event: Event, made: Attachment) -> str:
    """Return the URL of the attachment on the uploads' host, where Graph's tokens are no good."""
    host = urlsplit(request.base)
    return (
        f"{host.scheme}://{host.netloc}/api/v2.0/Users('{mailbox.user_id}')"
        f"/Events('{event.id}')/Attachments('{attachment_id(event.id, made.key)}')"
    )
