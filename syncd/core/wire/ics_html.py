"""
The HTML forms in which a file may hold its text beside DESCRIPTION, read and written.

Three carriers exist: DESCRIPTION's ALTREP as a data: URI (Thunderbird), X-ALT-DESC (Outlook) and
STYLED-DESCRIPTION (RFC 9073 6.5). Plain text wins over a form that disagrees, since editors leave
a stale one behind; a form that alone was changed is the edit.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote_to_bytes

from syncd.core.body import ServerBody
from syncd.core.event import Event
from syncd.core.html import html_to_text, tidy
from syncd.core.lines import Component, Line, escape, param, unescape

__all__ = ["HTML_NAMES", "HtmlForm", "Text", "html_text_lines", "read_text"]

HtmlForm = Literal["none", "altrep", "x-alt-desc", "styled"]
HTML_NAMES = ("X-ALT-DESC", "STYLED-DESCRIPTION")
MAX_FORM_CHARS = 64 * 1024


@dataclass(frozen=True, slots=True)
class Text:
    """
    What a file says in words.

    `body` is the text that counts; `html` the source of a form that says the same, "" without;
    `other` the text of a form that says something else; `by_html`: the form was edited, and
    DESCRIPTION has to follow it.
    """

    body: str
    html: str = ""
    other: str = ""
    by_html: bool = False


def read_text(component: Component, base: Event | None) -> Text:
    """
    The text of a VEVENT; `base` tells which of two texts that disagree was edited.

    In an override a form is never the edit: what it inherits says nothing of its own form.
    """
    line = component.first("DESCRIPTION")
    plain = tidy(unescape(line.value)) if line is not None else None
    source = _source(component)
    if not source:
        return Text(plain or "")
    text = html_to_text(source)
    if plain is None or text == plain:
        return Text(text, source)
    if not text:  # an image, or markup that is broken: nothing that could be an edit of the text
        return Text(plain)
    series = component.first("RECURRENCE-ID") is None
    if series and base and plain == base.body and text != (base.html_text or base.body):
        return Text(text, source, by_html=True)
    return Text(plain, other=text)


def _source(component: Component) -> str:
    """The first HTML form of a VEVENT, "" where there is none."""
    for line in component.lines("DESCRIPTION", *HTML_NAMES):
        html = _from_uri(param(line, "ALTREP")) if line.name == "DESCRIPTION" else _from_text(line)
        if html.strip():
            return html
    return ""


def _from_text(line: Line) -> str:
    if param(line, "FMTTYPE").lower() != "text/html":
        return ""
    if param(line, "VALUE").upper() == "URI":
        return _from_uri(line.value)
    return unescape(line.value)


def _from_uri(uri: str) -> str:
    """The HTML inside a data: URI (RFC 2397); nothing is ever fetched."""
    head, comma, data = uri.partition(",")
    kind = head.lower().replace(" ", "")
    if not comma or not kind.startswith("data:text/html"):
        return ""
    content = unquote_to_bytes(data)
    if kind.endswith(";base64"):
        try:
            content = base64.b64decode(content, validate=False)
        except (binascii.Error, ValueError):
            return ""
    return content.decode("utf-8", "replace")


def html_text_lines(form: HtmlForm, body: ServerBody, text: str) -> list[str]:
    """DESCRIPTION and the configured HTML form of a body that shows as `text`."""
    plain = f"DESCRIPTION:{escape(text)}"
    html = body.content if body.content_type == "html" else ""
    if not text or not html or len(html) > MAX_FORM_CHARS:
        return [plain] if text else []
    match form:
        case "none":
            return [plain]
        case "altrep":
            return [f'DESCRIPTION;ALTREP="data:text/html,{quote(html)}":{escape(text)}']
        case "x-alt-desc":
            return [plain, *_form("X-ALT-DESC;FMTTYPE=text/html", html, text)]
        case "styled":
            return [plain, *_form("STYLED-DESCRIPTION;VALUE=TEXT;FMTTYPE=text/html", html, text)]


def _form(head: str, html: str, text: str) -> list[str]:
    """A line of HTML, unless it would say something else without what TEXT cannot hold."""
    value = escape(html)
    return [f"{head}:{value}"] if html_to_text(unescape(value)) == text else []
