"""
From events to answers: `$select`, `$expand`, lists and pages.

Knows which properties appear only when named and how a list is filtered, ordered and cut.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from syncd.simulator import render
from syncd.simulator.attachments import View, attachment_row
from syncd.simulator.errors import ServiceError, invalid_request
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.messages import Answer, Request, json_answer, link
from syncd.simulator.model import Event
from syncd.simulator.odata import Expand, parse_expand, parse_filter, parse_select, sort_rows
from syncd.simulator.render import Look
from syncd.simulator.switches import Switches

__all__ = ["Shape", "cut_page", "events_answer", "json_list", "shaped"]

_ALWAYS = ("@odata.etag", "id")
MAX_TOP = 1000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shape:
    """
    How one event is to be answered.

    Args: single: the request names one event; only then the series properties exist.
    """

    look: Look
    switches: Switches
    mailbox: Mailbox
    select: frozenset[str] = frozenset()
    expand: tuple[Expand, ...] = ()
    single: bool = False

    def asked(self, query: Mapping[str, str]) -> "Shape":
        """Return the shape with a request's own options. Raises: ServiceError: 400."""
        return replace(
            self,
            select=parse_select(query.get("$select")),
            expand=parse_expand(query.get("$expand")),
        )

    @property
    def plain(self) -> bool:
        """Whether rows are served as they are kept."""
        return not self.select and not self.expand


def shaped(event: Event, shape: Shape) -> dict[str, Any]:
    """Return an event's row with what was selected and expanded."""
    row = render.full_row(event, shape.look)
    extra = dict(_named(event, shape))
    for part in shape.expand:
        extra.update(_expanded(event, part, shape))
    if shape.select:
        row = {name: row[name] for name in row if name in _ALWAYS or name in shape.select}
    return {**row, **extra}


def _named(event: Event, shape: Shape) -> Iterator[tuple[str, Any]]:
    """Yield the properties that appear only when `$select` names them."""
    if "originalStart" in shape.select and event.slot is not None:
        yield "originalStart", render.original_start(event)
    if "occurrenceId" in shape.select and event.slot is not None:
        yield "occurrenceId", _occurrence_oid(event, shape)
    if not shape.single or event.kind != "seriesMaster":
        return
    if "cancelledOccurrences" in shape.select and shape.switches.supports_cancelled_occurrences:
        yield "cancelledOccurrences", _cancelled(event, shape)


def _occurrence_oid(event: Event, shape: Shape) -> str:
    master = Event(event.item).id_form(immutable=shape.look.immutable)
    return f"OID.{master}.{event.slot}"


def _cancelled(event: Event, shape: Shape) -> list[str]:
    master = event.id_form(immutable=shape.look.immutable)
    return [f"OID.{master}.{day.isoformat()}" for day in sorted(event.item.cancelled)]


def _expanded(event: Event, part: Expand, shape: Shape) -> Iterator[tuple[str, Any]]:
    match part.name.casefold():
        case "singlevalueextendedproperties":
            if found := _extended(event, part):
                yield "singleValueExtendedProperties", found
        case "exceptionoccurrences":
            known = shape.single and shape.switches.supports_cancelled_occurrences
            if known and event.kind == "seriesMaster":
                yield "exceptionOccurrences", list(_exceptions(event, part, shape))
        case "calendar":
            yield "calendar", _calendar(event, part, shape.mailbox)
        case "attachments":
            yield "attachments", _attachments(event, part, shape)
        case "extensions" | "multivalueextendedproperties":
            yield part.name, []
        case "instances":
            raise invalid_request("The property 'instances' cannot be used in $expand.")
        case _:
            raise ServiceError(
                400,
                "BadRequest",
                f"Parsing OData Select and Expand failed: Could not find a property named "
                f"'{part.name[:60]}' on type 'microsoft.graph.event'.",
            )


def _extended(event: Event, part: Expand) -> list[dict[str, str]]:
    rows = [{"id": identity, "value": value} for identity, value in event.extended.values()]
    clause = part.options.get("filter")
    if not clause:
        raise invalid_request("The $expand of extended properties needs a $filter on their id.")
    wanted = parse_filter(re.sub(r"\b(?:\w+/)?id\b(?=\s+eq)", "ep/id", clause))
    return [row for row in rows if wanted({"ep": row})]


def _exceptions(event: Event, part: Expand, shape: Shape) -> Iterator[dict[str, Any]]:
    select = parse_select(part.options.get("select"))
    nested = replace(
        shape, single=False, select=select, expand=parse_expand(part.options.get("expand"))
    )
    for slot in sorted(event.item.overrides):
        exception = Event(event.item, slot)
        row = shaped(exception, nested)
        if shape.switches.exceptions_with_original_start:
            row["originalStart"] = render.original_start(exception)
        yield row


def _attachments(event: Event, part: Expand, shape: Shape) -> list[dict[str, Any]]:
    view = View.asked(part.options.get("select"), part.options.get("expand"))
    identity = event.id_form(immutable=shape.look.immutable)
    return [attachment_row(each, identity, view) for each in event.attachments]


def _calendar(event: Event, part: Expand, mailbox: Mailbox) -> dict[str, Any]:
    folder = mailbox.folders.calendars.get(event.item.calendar, mailbox.deleted_folder)
    row = folder.wire()
    select = parse_select(part.options.get("select"))
    return {name: row[name] for name in row if not select or name in select or name == "id"}


class _FilterRow(Mapping[str, Any]):
    """An event's row for `$filter`, built only as far as the clause looks."""

    def __init__(self, event: Event, shape: Shape) -> None:
        self._event = event
        self._shape = shape
        self._row: dict[str, Any] | None = None

    def __contains__(self, name: object) -> bool:
        return name in _CHEAP or name in self._full()

    def __getitem__(self, name: str) -> Any:
        cheap = _CHEAP.get(name)
        return cheap(self._event) if cheap else self._full()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._full())

    def __len__(self) -> int:
        return len(self._full())

    def _full(self) -> dict[str, Any]:
        if self._row is None:
            self._row = render.full_row(self._event, replace(self._shape.look, zone="UTC"))
        return self._row


_CHEAP: Mapping[str, Callable[[Event], Any]] = {
    "iCalUId": lambda event: event.ical_uid,
    "subject": lambda event: event.subject,
    "type": lambda event: event.kind,
    "singleValueExtendedProperties": lambda event: [
        {"id": identity, "value": value} for identity, value in event.extended.values()
    ],
}


def events_answer(
    request: Request, events: Sequence[Event], shape: Shape, *, page: int, context: str
) -> Answer:
    """
    Return one page of a list of events.

    Args: page: the size when the request states none. Raises: ServiceError: 400.
    """
    if clause := request.query.get("$filter"):
        test = parse_filter(clause)
        events = [event for event in events if test(_FilterRow(event, shape))]
    if order := request.query.get("$orderby"):
        events = _ordered(events, order, shape)
    chosen, following = cut_page(request, events, page)
    rows = [_row(event, shape) for event in chosen]
    count = len(events) if request.query.get("$count", "").casefold() == "true" else None
    return json_answer(json_list(rows, context=context, next_link=following, count=count))


def _row(event: Event, shape: Shape) -> bytes:
    if shape.plain:
        return render.encoded(event, shape.look, in_delta=False)
    return render.encode(shaped(event, shape))


def _ordered(events: Sequence[Event], order: str, shape: Shape) -> list[Event]:
    utc = replace(shape.look, zone="UTC")
    rows = [{**render.full_row(event, utc), "@event": event} for event in events]
    return [row["@event"] for row in sort_rows(rows, order)]


def cut_page(request: Request, rows: Sequence[T], page: int) -> tuple[Sequence[T], str | None]:
    """
    Return the part of a list that was asked for and the link to the rest.

    Raises: ServiceError: 400 for `$top` or `$skip` out of range.
    """
    top = _count(request, "$top", page, MAX_TOP)
    skip = _count(request, "$skip", 0, 10**9)
    if skip + top >= len(rows):
        return rows[skip : skip + top], None
    options = {**request.query, "$skip": str(skip + top)}
    return rows[skip : skip + top], link(request, options)


def _count(request: Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    low = 1 if name == "$top" else 0
    if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= most:
        raise ServiceError(400, "BadRequest", f"Invalid value for the query option {name}.")
    return int(text)


def json_list(
    rows: Sequence[bytes],
    *,
    context: str,
    next_link: str | None = None,
    delta_link: str | None = None,
    count: int | None = None,
) -> bytes:
    """Return a collection from rows that are JSON already."""
    head = [(b'"@odata.context":', render.encode(context))]
    if count is not None:
        head.append((b'"@odata.count":', render.encode(count)))
    if next_link is not None:
        head.append((b'"@odata.nextLink":', render.encode(next_link)))
    if delta_link is not None:
        head.append((b'"@odata.deltaLink":', render.encode(delta_link)))
    named = b",".join(name + value for name, value in head)
    return b"{" + named + b',"value":[' + b",".join(rows) + b"]}"
