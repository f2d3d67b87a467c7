"""
Events in their wire form.

Knows which properties a row has and how the request's preferences colour them. Rows are encoded
once per version and preference, because a view serves the same ones again and again.
Refuses to know HTTP: preferences arrive as a `Look`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec

from syncd.simulator import bodies
from syncd.simulator.model import Event
from syncd.simulator.zones import Wall, stamp

__all__ = ["AS_STORED", "Look", "bare_row", "encode", "encoded", "full_row", "original_start"]

encode = msgspec.json.Encoder().encode
TYPE = "#microsoft.graph.event"


@dataclass(frozen=True, slots=True)
class Look:
    """
    How a request wants events shown.

    Args:
        zone: name for start and end; None keeps the zone that was sent.
        owner: prefix of navigation links, such as `https://host/v1.0/users('guid')`; "" omits them.
    """

    zone: str | None = "UTC"
    immutable: bool = False
    text_body: bool = False
    owner: str = ""


AS_STORED = Look(zone=None)


def _shown(wall: Wall, event: Event, look: Look) -> dict[str, str]:
    if look.zone is None or look.zone == wall.zone:
        return wall.wire()
    if event.values["isAllDay"]:
        return wall.relabelled(look.zone).wire()
    return wall.seen_from(look.zone).wire()


def _body(stored: str, look: Look) -> dict[str, str]:
    if look.text_body:
        return {"contentType": "text", "content": bodies.to_text(stored)}
    return {"contentType": "html", "content": stored}


def _recurrence(event: Event) -> dict[str, Any] | None:
    series = event.item.recurrence
    if event.slot is not None or series is None:
        return None
    return series.wire(series.range.zone or event.item.original_zones[0])


def full_row(event: Event, look: Look) -> dict[str, Any]:
    """Return every property that the service shows without being asked for it by name."""
    item, values = event.item, event.values
    key, identity = event.change_key, event.id_form(immutable=look.immutable)
    master = None if event.slot is None else Event(item).id_form(immutable=look.immutable)
    row = {
        "@odata.etag": f'W/"{key}"',
        "id": identity,
        "createdDateTime": stamp(event.created),
        "lastModifiedDateTime": stamp(event.modified),
        "changeKey": key,
        "originalStartTimeZone": item.original_zones[0],
        "originalEndTimeZone": item.original_zones[1],
        "iCalUId": item.uid,
        **values,
        "seriesMasterId": master,
        "type": event.kind,
        "webLink": f"https://outlook.office365.com/owa/?itemid={quote(identity, safe='')}"
        "&exvsurl=1&path=/calendar/item",
        "bodyPreview": bodies.preview(values["body"]),
        "body": _body(values["body"], look),
        "start": _shown(event.start, event, look),
        "end": _shown(event.end, event, look),
        "recurrence": _recurrence(event),
        "organizer": item.organizer,
    }
    if look.owner:
        row.update(_calendar_links(item.calendar, look.owner))
    return row


def _calendar_links(calendar: str, owner: str) -> dict[str, str]:
    link = f"{owner}/calendars('{calendar}')"
    return {
        "calendar@odata.associationLink": f"{link}/$ref",
        "calendar@odata.navigationLink": link,
    }


def bare_row(event: Event, look: Look) -> dict[str, Any]:
    """Return the seven fields of an unmodified occurrence in a delta page."""
    return {
        "@odata.type": TYPE,
        "@odata.etag": f'W/"{event.change_key}"',
        "id": event.id_form(immutable=look.immutable),
        "seriesMasterId": Event(event.item).id_form(immutable=look.immutable),
        "type": event.kind,
        "start": _shown(event.start, event, look),
        "end": _shown(event.end, event, look),
    }


def original_start(event: Event) -> str | None:
    """Return the instant at which the pattern had an instance; None for others."""
    if event.slot is None:
        return None
    return stamp(event.item.slot_walls(event.slot)[0].instant)


def delta_row(event: Event, look: Look) -> Mapping[str, Any]:
    """Return an event's row in a delta page: bare for an unmodified occurrence, else full."""
    if event.kind == "occurrence":
        return bare_row(event, look)
    return {"@odata.type": TYPE, **full_row(event, look)}


def encoded(event: Event, look: Look, *, in_delta: bool) -> bytes:
    """Return a row as JSON, kept until the event changes."""
    key = (event.slot, look, in_delta)
    kept = event.item.rendered.get(key)
    if kept is None:
        row = delta_row(event, look) if in_delta else full_row(event, look)
        kept = event.item.rendered[key] = encode(row)
    return kept
