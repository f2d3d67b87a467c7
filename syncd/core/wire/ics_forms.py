"""
Second forms of what an event says, minted by configuration: HTML beside the text, VLOCATION
components (RFC 9073 7.2) beside LOCATION.

They are written when a file is written anyway, never by themselves, and tell what the service
holds. A text that is not (yet) the service's gets no HTML form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.core.body import shown_text
from syncd.core.event import geo_of, one_line
from syncd.core.html import tidy
from syncd.core.lines import Component, Document, escape, parse, to_bytes, unescape
from syncd.core.owner import Owner
from syncd.core.wire.graph import RemoteEvent, exception_slots, server_body
from syncd.core.wire.ics_edit import component_of, insert_parts, put_lines
from syncd.core.wire.ics_geo import geo_text
from syncd.core.wire.ics_html import HTML_NAMES, HtmlForm, html_text_lines
from syncd.core.wire.ics_stash import PLACE_UID, is_minted_place

__all__ = ["NO_FORMS", "Forms", "with_forms"]


@dataclass(frozen=True, slots=True)
class Forms:
    """Which forms the configuration asks for."""

    html: HtmlForm = "none"
    vlocation: bool = False


NO_FORMS = Forms()


def with_forms(data: bytes, event: RemoteEvent, forms: Forms, owner: Owner) -> bytes:
    """A file with the second forms of what `event` holds."""
    if forms == NO_FORMS:
        return data
    document = parse(data)
    if not isinstance(document, Document):
        return data
    exceptions = {slot.strftime("%Y%m%d"): one for slot, one in _exceptions(event, owner).items()}
    for component in document.calendar.components("VEVENT"):
        line = component.first("RECURRENCE-ID")
        told = event if line is None else exceptions.get(line.value[:8], event)
        if forms.html != "none":
            _put_html(component, told, forms.html, document.eol)
        if forms.vlocation:
            _put_places(component, told, document.eol)
    return to_bytes(document)


def _exceptions(event: RemoteEvent, owner: Owner) -> Mapping[Any, RemoteEvent]:
    try:
        return exception_slots(event, owner)
    except ValueError:
        return {}


def _put_html(component: Component, event: RemoteEvent, form: HtmlForm, eol: bytes) -> None:
    body = server_body(event)
    text = shown_text(body)
    line = component.first("DESCRIPTION")
    if tidy(unescape(line.value) if line is not None else "") == text:
        put_lines(component, ("DESCRIPTION", *HTML_NAMES), html_text_lines(form, body, text), eol)


# --- places ---


def _put_places(component: Component, event: RemoteEvent, eol: bytes) -> None:
    for old in [one for one in component.components("VLOCATION") if is_minted_place(one)]:
        component.parts.remove(old)
    new = [component_of(texts, eol) for texts in _places(event)]
    insert_parts(component, new, before="VALARM")


def _places(event: RemoteEvent) -> Iterator[list[str]]:
    for place in event.locations or ():
        lines = [*_place_lines(place)]
        if len(lines) > 1 or (lines and len(event.locations or ()) > 1):
            digest = hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:16]
            yield ["BEGIN:VLOCATION", f"UID:{PLACE_UID}{digest}", *lines, "END:VLOCATION"]


def _place_lines(place: Mapping[str, Any]) -> Iterator[str]:
    if name := _word(place.get("displayName")):
        yield f"NAME:{escape(name)}"
    if kind := _TYPES.get(str(place.get("locationType"))):
        yield f"LOCATION-TYPE:{kind}"
    if point := _point(place.get("coordinates")):
        yield f"GEO:{point}"
    if address := _address(place.get("address")):
        card = f"BEGIN:VCARD\nVERSION:4.0\nFN:{_vcard(name)}\nADR:{address}\nEND:VCARD"
        yield f"STRUCTURED-DATA;VALUE=TEXT;FMTTYPE=text/vcard:{escape(card)}"


_TYPES = {
    "conferenceRoom": "office",
    "hotel": "hotel",
    "restaurant": "restaurant",
    "homeAddress": "residence",
    "businessAddress": "office",
    "localBusiness": "store",
}
"""Words of the location types registry (RFC 4589) for Graph's."""

_ADR = ("street", "city", "state", "postalCode", "countryOrRegion")


def _address(address: object) -> str:
    """A vCard ADR value (RFC 6350 6.3.1), "" where nothing is known."""
    if not isinstance(address, dict):
        return ""
    words = [_vcard(_word(address.get(name))) for name in _ADR]
    return ";;" + ";".join(words) if any(words) else ""


def _point(coordinates: object) -> str:
    if not isinstance(coordinates, dict):
        return ""
    latitude, longitude = coordinates.get("latitude"), coordinates.get("longitude")
    if not isinstance(latitude, (int, float)) or not isinstance(longitude, (int, float)):
        return ""
    point = geo_of(latitude, longitude)
    return geo_text(point) if point is not None else ""


def _word(value: object) -> str:
    return one_line(value) if isinstance(value, str) else ""


def _vcard(text: str) -> str:
    return _escaped(text, ("\\", ",", ";"))


def _escaped(text: str, signs: Iterable[str]) -> str:
    for sign in signs:
        text = text.replace(sign, f"\\{sign}")
    return text
