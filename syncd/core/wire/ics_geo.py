"""GEO (RFC 5545 3.8.1.6): two degrees with a semicolon between them."""

from __future__ import annotations

import re

from syncd.core.event import Event, Geo, geo_of
from syncd.core.lines import Component

__all__ = ["geo_text", "geo_texts", "read_geo"]

# icalendar, and so khal, writes degrees below 0.0001 with an exponent, which no FLOAT has.
_DEGREES = r"\s*([+-]?\d{1,3}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,2})?)\s*"
_GEO = re.compile(f"{_DEGREES};{_DEGREES}")


def read_geo(component: Component, base: Event | None) -> tuple[Geo | None, bool]:
    """The point, and whether the line could be read; one that could not changes nothing."""
    line = component.first("GEO")
    if line is None:
        return None, True
    found = _GEO.fullmatch(line.value.replace("\\;", ";"))
    point = geo_of(float(found[1]), float(found[2])) if found else None
    if point is None:
        return (base.geo if base else None), False
    return point, True


def geo_texts(event: Event) -> list[str]:
    """The GEO line, if there is a point."""
    return [f"GEO:{geo_text(event.geo)}"] if event.geo is not None else []


def geo_text(point: Geo) -> str:
    """Degrees with at most six decimals and no zeros at the end."""
    return ";".join(_degrees(one) for one in (point.latitude, point.longitude))


def _degrees(value: float) -> str:
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
