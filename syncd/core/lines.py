"""
An .ics file as a tree of raw content lines (RFC 5545 3.1, 3.4, 3.6).

Every line keeps the bytes it came with, its folding included, so that a file goes back byte for
byte but for the lines that someone replaces. Knows the syntax of lines and components, and
nothing of what a property means; a line that is no content line is kept where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "PARAM",
    "Component",
    "Document",
    "Line",
    "Unreadable",
    "component_bytes",
    "escape",
    "folded",
    "line_text",
    "new_component",
    "new_line",
    "param",
    "parse",
    "quoted",
    "split_list",
    "to_bytes",
    "unescape",
    "with_params",
    "with_value",
]

BOM = b"\xef\xbb\xbf"
MAX_DEPTH = 20
MAX_LINES = 100_000
"""That are not blank; a series with two thousand overrides has as many."""

MAX_PHYSICAL_LINES = 300_000
"""Ten megabytes folded at 75 octets are 140,000; that many are read in less than a second."""

MAX_PARAMS = 100
FOLD_OCTETS = 75
_NAME = re.compile(r"[A-Za-z0-9-]+")
PARAM = re.compile(r';([A-Za-z0-9-]+)=([^";:]*+(?>(?:"[^"]*"[^";:]*+){0,9999}))')
_CROWDED = re.compile(r"[A-Za-z0-9-]+;[A-Za-z0-9-]+=")
# All CRs before a line end belong to it. Only the first of a run is tried, since a long run without
# a line end would take quadratic time.
_FOLD = re.compile(rb"(?<!\r)\r*+\n[ \t]")
# A character that no decoded file can hold.
_MARK = "\ud800"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a file cannot be read as a calendar object; `line` counts from 1, 0 is the whole file."""

    code: str
    line: int
    reason: str


@dataclass(slots=True, eq=False)
class Line:
    """
    One logical line. `raw` are its bytes with folds and line end; `name` is in upper case and ""
    for a line that is no content line; parameter names are in upper case, values unquoted.
    """

    raw: bytes
    number: int
    name: str = ""
    params: tuple[tuple[str, str], ...] = ()
    value: str = ""


@dataclass(slots=True, eq=False)
class Component:
    """A BEGIN..END block; `parts` are its lines and inner components in the order of the file."""

    name: str
    begin: Line
    parts: list[Line | Component] = field(default_factory=list)
    end: Line = field(default_factory=lambda: Line(b"", 0))

    def lines(self, *names: str) -> list[Line]:
        """The direct lines with one of `names` (all content lines when none is given)."""
        return [
            part
            for part in self.parts
            if isinstance(part, Line) and part.name and (not names or part.name in names)
        ]

    def first(self, name: str) -> Line | None:
        """The first direct line called `name`."""
        for part in self.parts:
            if isinstance(part, Line) and part.name == name:
                return part
        return None

    def components(self, name: str) -> list[Component]:
        """The direct inner components called `name`."""
        return [part for part in self.parts if isinstance(part, Component) and part.name == name]


@dataclass(slots=True, eq=False)
class Document:
    """
    A whole file: what stands before the calendar (BOM, blank lines), the calendar, the rest.

    `notes` are for readers: what they found out about the file once for all of its lines.
    """

    head: bytes
    calendar: Component
    tail: bytes
    eol: bytes
    notes: dict[object, Any] = field(default_factory=dict)


def parse(data: bytes) -> Document | Unreadable:
    """
    Read a file holding exactly one VCALENDAR.

    Bytes are decoded strictly, after unfolding, since a fold may split a UTF-8 sequence.
    """
    if not data.strip(BOM + b" \t\r\n"):
        return Unreadable("empty-file", 0, "the file is empty")
    head, body = (BOM, data[3:]) if data.startswith(BOM) else (b"", data)
    eol = b"\r\n" if b"\r\n" in body else b"\n"
    try:
        return _document(head, eol, _logical_lines(body))
    except _SyntaxTrouble as trouble:
        return trouble.found


class _SyntaxTrouble(Exception):
    def __init__(self, code: str, line: int, reason: str) -> None:
        super().__init__(reason)
        self.found = Unreadable(code, line, reason)


def _logical_lines(body: bytes) -> Iterator[Line]:
    physical = _physical(body)
    start, at, count = 1, 0, 0
    while at < len(physical):
        end = at + 1
        while end < len(physical) and physical[end][:1] in (b" ", b"\t"):
            end += 1
        if end == at + 1 and physical[at] in _BLANK:
            yield Line(physical[at], start)
        else:
            count += 1
            yield _logical(physical[at:end], start)
        if count > MAX_LINES:
            raise _SyntaxTrouble("too-large", start, f"the file has more than {MAX_LINES:,} lines")
        start += end - at
        at = end


_BLANK = frozenset({b"\r\n", b"\n"})


def _physical(body: bytes) -> list[bytes]:
    """The lines with their ends, cut at LF alone: a lone CR is a character like any other."""
    if body.count(b"\n") > MAX_PHYSICAL_LINES:
        reason = f"the file has more than {MAX_PHYSICAL_LINES:,} lines, folds included"
        raise _SyntaxTrouble("too-large", 0, reason)
    *ended, last = body.split(b"\n")
    return [line + b"\n" for line in ended] + ([last] if last else [])


def _logical(folded: list[bytes], number: int) -> Line:
    raw = b"".join(folded)
    whole = folded[0].rstrip(b"\r\n")
    if len(folded) > 1:
        whole += b"".join(part[1:].rstrip(b"\r\n") for part in folded[1:])
    try:
        text = whole.decode("utf-8")
    except UnicodeDecodeError:
        raise _SyntaxTrouble("encoding", number, "the line is not valid UTF-8") from None
    line = _content_line(raw, number, text)
    if not line.name and text.count(";") > MAX_PARAMS and _CROWDED.match(text):
        # Not kept as a line that says nothing: whoever it names would count as taken out.
        reason = f"the line has more than {MAX_PARAMS} parameters"
        raise _SyntaxTrouble("parse-error", number, reason)
    return line


def _content_line(raw: bytes, number: int, text: str) -> Line:
    name = _NAME.match(text)
    if name is None:
        return Line(raw, number)
    at, params = name.end(), []
    if text.startswith((";TZID=(", ";TZID=tzone:"), at):
        return _loose_line(raw, number, text)
    while text[at : at + 1] == ";":
        found = PARAM.match(text, at)
        if found is None:
            return _loose_line(raw, number, text)
        params.append((found[1].upper(), _unquoted(found[2])))
        at = found.end()
        if len(params) > MAX_PARAMS:
            return Line(raw, number)
    if text[at : at + 1] != ":":
        return _loose_line(raw, number, text)
    return Line(raw, number, name[0].upper(), tuple(params), text[at + 1 :])


def _loose_line(raw: bytes, number: int, text: str) -> Line:
    # Outlook writes TZID=(UTC+01:00) Amsterdam unquoted, and some programs TZID=tzone://...:
    # the value of a date is what follows the last colon.
    found = re.fullmatch(r"([A-Za-z0-9-]+);TZID=([^;]*):(\d{8}(?:T\d{6}Z?)?)", text)
    if found is None:
        return Line(raw, number)
    return Line(raw, number, found[1].upper(), (("TZID", found[2].strip('"')),), found[3])


def _unquoted(value: str) -> str:
    if '"' in value:
        value = value.replace('"', "")
    if "^" in value:  # RFC 6868
        value = value.replace("^^", _MARK).replace("^n", "\n").replace("^'", '"')
        value = value.replace(_MARK, "^")
    return value


def _document(head: bytes, eol: bytes, lines: Iterator[Line]) -> Document:
    before = [head]
    for line in lines:
        if line.name:
            break
        if line.raw.strip():
            raise _SyntaxTrouble(
                "parse-error", line.number, "a calendar begins with BEGIN:VCALENDAR"
            )
        before.append(line.raw)
    else:
        raise _SyntaxTrouble("parse-error", 1, "the file holds no calendar")
    if (line.name, line.value.strip().upper()) != ("BEGIN", "VCALENDAR"):
        raise _SyntaxTrouble("parse-error", line.number, "a calendar begins with BEGIN:VCALENDAR")
    calendar = _component(line, lines)
    return Document(b"".join(before), calendar, _tail(lines), eol)


def _component(begin: Line, lines: Iterator[Line]) -> Component:
    open_: list[Component] = [Component(begin.value.strip().upper(), begin)]
    for line in lines:
        inner = open_[-1]
        if line.name == "BEGIN":
            if len(open_) >= MAX_DEPTH:
                raise _SyntaxTrouble("parse-error", line.number, "components are nested too deeply")
            open_.append(Component(line.value.strip().upper(), line))
        elif line.name == "END":
            _close(inner, line)
            open_.pop()
            if not open_:
                return inner
            open_[-1].parts.append(inner)
        else:
            inner.parts.append(line)
    missing = open_[-1]
    raise _SyntaxTrouble("parse-error", missing.begin.number, f"END:{missing.name} is missing")


def _close(component: Component, end: Line) -> None:
    if end.value.strip().upper() != component.name:
        raise _SyntaxTrouble(
            "parse-error", end.number, f"END does not match BEGIN:{component.name[:40]}"
        )
    component.end = end


def _tail(lines: Iterator[Line]) -> bytes:
    tail = []
    for line in lines:
        if line.name == "BEGIN":
            raise _SyntaxTrouble("several-calendars", line.number, "the file holds two calendars")
        if line.raw.strip(b" \t\r\n\x1a"):
            raise _SyntaxTrouble("parse-error", line.number, "text stands after END:VCALENDAR")
        tail.append(line.raw)
    return b"".join(tail)


def to_bytes(document: Document) -> bytes:
    """The file again; untouched lines are what was read."""
    parts = [document.head]
    _collect(document.calendar, parts)
    parts.append(document.tail)
    return b"".join(parts)


def _collect(component: Component, into: list[bytes]) -> None:
    into.append(component.begin.raw)
    for part in component.parts:
        if isinstance(part, Component):
            _collect(part, into)
        else:
            into.append(part.raw)
    into.append(component.end.raw)


def component_bytes(component: Component) -> bytes:
    """One component as it stands in the file."""
    parts: list[bytes] = []
    _collect(component, parts)
    return b"".join(parts)


def new_line(text: str, eol: bytes = b"\r\n") -> Line:
    """A line of ours from its unfolded text, folded at 75 octets without splitting a character."""
    line = _content_line(b"", 0, text)
    line.raw = folded(text, eol)
    return line


def folded(text: str, eol: bytes = b"\r\n") -> bytes:
    """Fold one logical line (RFC 5545 3.1)."""
    data = text.encode("utf-8", "replace")
    if len(data) <= FOLD_OCTETS:
        return data + eol
    pieces, start, room = [], 0, FOLD_OCTETS
    while len(data) - start > room:
        end = start + room
        while data[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(data[start:end])
        start, room = end, FOLD_OCTETS - 1
    pieces.append(data[start:])
    return (eol + b" ").join(pieces) + eol


def new_component(name: str, inner: Iterable[Line | Component], eol: bytes = b"\r\n") -> Component:
    """A component of ours."""
    begin, end = new_line(f"BEGIN:{name}", eol), new_line(f"END:{name}", eol)
    return Component(name, begin, list(inner), end)


def line_text(line: Line) -> str:
    """A line unfolded, as `syncd problems` shows it."""
    return _FOLD.sub(b"", line.raw).decode("utf-8", "replace").rstrip("\r\n")


def param(line: Line, name: str) -> str:
    """The first value of a parameter, "" when it is absent."""
    for key, value in line.params:
        if key == name:
            return value
    return ""


_NOT_PLAIN = re.compile(r'[\x00-\x1f\x7f",;:^]')


def quoted(value: str) -> str:
    """A parameter value as a line may hold it: RFC 6868 carets, quotes where they are needed."""
    if not _NOT_PLAIN.search(value):
        return value
    value = "".join(c for c in value if c >= " " and c != "\x7f")
    if '"' in value or "^" in value:
        value = value.replace("^", "^^").replace('"', "^'")
    return f'"{value}"' if any(c in value for c in ",;:") else value


def with_params(line: Line, values: Mapping[str, str]) -> str:
    """The text of a line with some parameters set; the others stay as they are spelled."""
    text, at = line_text(line), len(line.name)
    pieces, left = [text[:at]], dict(values)
    while (found := PARAM.match(text, at)) is not None:
        new = left.pop(found[1].upper(), None)
        pieces.append(found[0] if new is None else f";{found[1]}={quoted(new)}")
        at = found.end()
    pieces += [f";{name}={quoted(value)}" for name, value in left.items()]
    return "".join(pieces) + text[at:]


def with_value(line: Line, value: str) -> str:
    """The text of a line with another value."""
    text = line_text(line)
    return text[: len(text) - len(line.value)] + value


def unescape(value: str) -> str:
    """TEXT to text (RFC 5545 3.3.11)."""
    if "\\" not in value:
        return value
    value = value.replace("\\\\", _MARK)
    lone = "\\" if value.endswith("\\") else ""
    value = value.replace("\\n", "\n").replace("\\N", "\n").replace("\\", "")
    return value.replace(_MARK, "\\") + lone


def escape(text: str) -> str:
    """Text to TEXT; control characters, which TEXT cannot hold, are left out."""
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\n" in text:
        text = text.replace("\n", "\\n")
    return _CONTROL.sub("", text)


def split_list(value: str) -> list[str]:
    """A TEXT list at its unescaped commas, each value unescaped and trimmed, empty ones dropped."""
    pieces = re.split(r"(?<!\\)((?:\\\\)*),", value)
    joined = [first + odd for first, odd in zip(pieces[::2], [*pieces[1::2], ""], strict=True)]
    return [text for piece in joined if (text := unescape(piece).strip())]
