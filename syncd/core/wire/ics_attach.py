"""
ATTACH lines for what hangs on an event on the service (RFC 5545 3.8.1.1).

A line of ours bears `X-SYNCD-ATTACHMENT-ID`, and is the service's word: it is never sent back.
Every other ATTACH line is the file's own and is left alone. Names, types and links are hostile.
"""

from __future__ import annotations

import re

from syncd.core.event import Attached, Event
from syncd.core.lines import Component, Line, line_text, new_line, param, quoted
from syncd.core.wire.ics_edit import insert_after, remove_parts

__all__ = ["ATTACHMENT_ID", "attached_texts", "has_minted_attachments", "rewrite_attached"]

ATTACHMENT_ID = "X-SYNCD-ATTACHMENT-ID"

_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}", re.ASCII)


def attached_texts(event: Event) -> list[str]:
    """A line each, with the content where it is known, else with the link."""
    return [text for one in event.attached if (text := _text(one))]


def _text(one: Attached) -> str:
    identity = quoted(one.id)
    if not identity.strip('" \t'):
        return ""  # nothing would tell that the line is ours
    params = [f"{ATTACHMENT_ID}={identity}", f"FILENAME={quoted(one.name)}"]
    if one.size_bytes > 0:
        params.append(f"SIZE={one.size_bytes}")
    if _MEDIA_TYPE.fullmatch(one.media_type):
        params.insert(0, f"FMTTYPE={one.media_type}")
    named = ";".join(("ATTACH", *params))
    if _BASE64.fullmatch(one.content):
        return f"{named};ENCODING=BASE64;VALUE=BINARY:{one.content}"
    link = "".join(c for c in one.link if c > " " and c != "\x7f")
    return f"{named}:{link}" if link.startswith("https://") else ""


def has_minted_attachments(component: Component) -> bool:
    """Whether there is a line of ours."""
    return bool(_minted(component))


def rewrite_attached(component: Component, event: Event, eol: bytes) -> None:
    """Put lines of ours for those that are there, and leave every other ATTACH line alone."""
    minted, texts = _minted(component), attached_texts(event)
    if [line_text(line) for line in minted] == texts:
        return
    insert_after(component, "ATTACH", [new_line(text, eol) for text in texts])
    remove_parts(component, {id(line) for line in minted})


def _minted(component: Component) -> list[Line]:
    return [line for line in component.lines("ATTACH") if param(line, ATTACHMENT_ID)]
