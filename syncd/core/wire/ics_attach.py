"""
ATTACH lines: for what hangs on an event on the service, and for what a file brings along
(RFC 5545 3.8.1.1).

A line of ours bears `X-SYNCD-ATTACHMENT-ID`, and is the service's word: it is never sent back. A
line of the file's own that holds a whole file (`VALUE=BINARY`) is attached on the service, and one
of ours takes its place. Every other ATTACH line is left alone. Names, types and links are hostile.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from syncd.core.event import Attached, Event, one_line
from syncd.core.lines import Component, Line, line_text, new_line, param, quoted
from syncd.core.wire.ics_edit import insert_after, remove_parts

__all__ = [
    "ATTACHMENT_ID",
    "NewAttachment",
    "attached_ids",
    "attached_texts",
    "attachment_digest",
    "has_minted_attachments",
    "is_own_content",
    "new_attachments",
    "rewrite_attached",
]

ATTACHMENT_ID: Final = "X-SYNCD-ATTACHMENT-ID"

LONGEST_NAME: Final = 255
ANY_TYPE: Final = "application/octet-stream"

_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}", re.ASCII)
_NAMES = ("FILENAME", "X-FILENAME", "X-ORACLE-FILENAME", "X-APPLE-FILENAME")


@dataclass(frozen=True, slots=True)
class NewAttachment:
    """
    A file that a line of its own brings along.

    `content` is base64, `size_bytes` the size of what it says; `digest` tells it from all others,
    by name and bytes; `line` is the number of its line.
    """

    name: str
    media_type: str
    content: str
    size_bytes: int
    digest: str
    line: int


def attachment_digest(name: str, data: bytes) -> str:
    """What tells one file from another: its name and its bytes."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass") + b"\0" + data).hexdigest()


# --- lines of ours -------------------------------------------------------------------------------


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


def attached_ids(component: Component) -> frozenset[str]:
    """The ids in lines of ours."""
    return frozenset(param(line, ATTACHMENT_ID) for line in _minted(component))


def rewrite_attached(component: Component, event: Event, eol: bytes) -> None:
    """
    Put lines of ours for those that are there, also in the place of the lines that they were made
    from, and leave every other ATTACH line alone.
    """
    minted, texts = _minted(component), attached_texts(event)
    known = {one.digest for one in event.attached if one.digest and _text(one)}
    sent = [line for line, new in _own(component) if new.digest in known] if known else []
    if [line_text(line) for line in minted] == texts and not sent:
        return
    insert_after(component, "ATTACH", [new_line(text, eol) for text in texts])
    remove_parts(component, {id(line) for line in (*minted, *sent)})


def _minted(component: Component) -> list[Line]:
    return [line for line in component.lines("ATTACH") if param(line, ATTACHMENT_ID)]


# --- lines of the file's own ---------------------------------------------------------------------


def is_own_content(line: Line) -> bool:
    """Whether an ATTACH line is one of the file's own that is to hold a whole file."""
    return param(line, "VALUE").upper() == "BINARY" and not param(line, ATTACHMENT_ID)


def new_attachments(component: Component) -> tuple[NewAttachment, ...]:
    """What the lines of the file's own bring along, each once; what is no base64 is left out."""
    return tuple({new.digest: new for _, new in _own(component)}.values())


def _own(component: Component) -> Iterator[tuple[Line, NewAttachment]]:
    for line in component.lines("ATTACH"):
        if is_own_content(line) and (new := _new(line)) is not None:
            yield line, new


def _new(line: Line) -> NewAttachment | None:
    content = "".join(line.value.split())
    try:
        data = b64decode(content, validate=True)
    except ValueError:
        return None
    if not data:
        return None
    name, media_type = _name(line), param(line, "FMTTYPE")
    return NewAttachment(
        name,
        media_type if _MEDIA_TYPE.fullmatch(media_type) else ANY_TYPE,
        content,
        len(data),
        attachment_digest(name, data),
        line.number,
    )


def _name(line: Line) -> str:
    """A name without folders: whoever saves it must not be led elsewhere."""
    written = next((text for name in _NAMES if (text := param(line, name))), "")
    last = one_line(re.split(r"[/\\]", written)[-1]).strip()[:LONGEST_NAME]
    return last if last.strip(".") else "attachment"
