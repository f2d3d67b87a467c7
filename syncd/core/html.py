"""
HTML bodies as plain text, and plain text as HTML.

Knows: how HTML splits into tokens (HTML Living Standard, 13.2.5 "Tokenization", as far as text
depends on it), which of them end a line, and which text a reader sees. Everything here takes one
pass over its input, holds no call stack and never fails: the bodies come from strangers.
Refuses to know: what a body means to a calendar, what may be sent, and what CSS does, apart from
`white-space`, which decides whether spaces count.

The text has one form, `normalise`: two texts of the same form are the same text to the user.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape, unescape
from html.entities import html5
from typing import Literal, NamedTuple

__all__ = [
    "BLOCKS",
    "HTML2TEXT_VERSION",
    "VOIDS",
    "Node",
    "Token",
    "Tree",
    "attributes",
    "flow",
    "html_to_text",
    "is_empty",
    "normalise",
    "paragraphs",
    "read_tree",
    "text_to_html",
    "tidy",
    "tokens",
]

HTML2TEXT_VERSION = 1
"""Raised when `html_to_text` answers differently; stored beside every text it has made."""

_BLOCK_NAMES = (
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset"
    " figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li listing"
    " main menu nav ol optgroup option p pre section summary table tbody tfoot thead tr ul"
)
BLOCKS = frozenset(_BLOCK_NAMES.split())
"""Elements that end a line where they begin and where they end."""

_VOID_NAMES = (
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source track"
    " wbr"
)
VOIDS = frozenset(_VOID_NAMES.split())
"""Elements that have no content and no end tag."""

_NBSP = "\N{NO-BREAK SPACE}"
_S = r"[ \t\n\f\r]"
# Quotes count only after an equals sign, so that an apostrophe elsewhere swallows nothing. Each
# alternative ends at `\Z` as well: a construct that never closes takes the rest, as in browsers,
# and no second attempt from a later "<" can make the time quadratic. Before Python 3.11.5 a
# possessive group ends too late if its last try fails after its first character: none here does.
_ATTRS = rf"""(?:[^>=]++|={_S}*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))?+)*+(?:>|\Z)"""


def _raw(name: str) -> str:
    end = rf"</{name}(?=[ \t\n\f\r/>])"
    return rf"{name}(?=[ \t\n\f\r/>]){_ATTRS}(?s:.*?)(?:{end}[^>]*+(?:>|\Z)|\Z)"


_MARKUP = re.compile(
    rf"<(?:(?i:{_raw('style')}|{_raw('script')}|{_raw('title')})"
    rf"|(/?[A-Za-z][^ \t\n\f\r/>]*+)({_ATTRS})"
    r"|!--(?:-?>|(?s:.*?)(?:--!?>|\Z))"
    r"|[!?/][^>]*+(?:>|\Z))"
)
_ATTRIBUTE = re.compile(
    rf"""([^ \t\n\f\r/>=][^ \t\n\f\r/>=]*+)"""
    rf"""(?:{_S}*+={_S}*+(?:"([^"]*+)"?|'([^']*+)'?|([^ \t\n\f\r>"'][^ \t\n\f\r>]*+)?))?"""
)
_RAW_NAME = re.compile(r"<(style|script|title)", re.IGNORECASE)
_ENTITY = re.compile(
    r"&(?:#[0-9]{1,9}(?![0-9]);?|#[xX][0-9a-fA-F]{1,8};?|[A-Za-z][A-Za-z0-9]{1,31};)"
)
_LONG_NUMBER = re.compile(r"&#[0-9]{10,}+;?")
_SPACE_RUN = re.compile(r"[ \t\n\f\r]+")
_SPACES = re.compile(r"  +")
_URL_NOISE = re.compile(r"[\t\n\f\r]")
_KEEPS_SPACE = re.compile(rf"white-space{_S}*:{_S}*(?:pre(?!-line)|break-spaces)", re.IGNORECASE)
# RFC 5545, 3.3.11: a TEXT value cannot hold control characters other than a tab.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]+")
# Only from the first space of a run: a try from each of them would make the time quadratic.
_TRAILING = re.compile(r"(?<![ \t])[ \t]++$", re.MULTILINE)
_BLANK_RUN = re.compile(r"\n{3,}")
_HIDDEN_SPACE = re.compile(r"^ | (?= )", re.MULTILINE)


class Token(NamedTuple):
    """
    One piece of the source: `source[start:end]`.

    `name` is the tag's name in lower case, "" for text and for what readers do not see (comments,
    doctype, processing instructions, CDATA, which HTML knows as a comment). "raw" is a style,
    script or title element from its start tag to its end tag. `attrs` is the source between a
    tag's name and its end, `closed` is False where the source ends inside of the token.
    """

    kind: Literal["text", "start", "end", "raw", "hidden"]
    name: str
    start: int
    end: int
    attrs: str
    closed: bool


def tokens(source: str) -> Iterator[Token]:
    """Yield the tokens of `source` in order; together they cover it without a gap."""
    at = 0
    for found in _MARKUP.finditer(source):
        start, end = found.span()
        if at < start:
            yield Token("text", "", at, start, "", True)
        yield _token(found, start, end)
        at = end
    if at < len(source):
        yield Token("text", "", at, len(source), "", True)


def _token(found: re.Match[str], start: int, end: int) -> Token:
    tag, attrs = found.groups()
    closed = found.string[end - 1] == ">"
    if tag is None:
        raw = _RAW_NAME.match(found.string, start, end)
        if raw:
            return Token("raw", raw[1].lower(), start, end, "", closed)
        return Token("hidden", "", start, end, "", closed)
    if tag[0] == "/":
        return Token("end", tag[1:].lower(), start, end, "", closed)
    return Token("start", tag.lower(), start, end, attrs, closed)


def attributes(attrs: str) -> dict[str, str]:
    """
    Return a tag's attributes, names in lower case, values with their entities decoded.

    As in browsers the first of two attributes with one name counts, and an entity without its
    semicolon is no entity (`?a=1&copy=2` keeps its parameter).
    """
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(attrs):
        value = double or single or bare
        found.setdefault(name.lower(), _ENTITY.sub(_decoded, value) if "&" in value else value)
    return found


def _decoded(entity: re.Match[str]) -> str:
    text = entity[0]
    return unescape(text) if text[1] == "#" or text[1:] in html5 else text


def _unescaped(text: str) -> str:
    """Decode entities; a number of thousands of digits makes `html.unescape` raise."""
    try:
        return unescape(text)
    except ValueError:
        return unescape(_LONG_NUMBER.sub("\N{REPLACEMENT CHARACTER}", text))


@dataclass(slots=True)
class Node:
    """
    A token in its place: an element from `start` to `end`, its content from `inner` to `close`.

    `parent` is an index into the tree's nodes, `kids` are such indexes; text, hidden tokens, raw
    and void elements have no content. `breaks` says that a line begins or ends within.
    """

    kind: Literal["element", "text", "hidden", "raw"]
    name: str
    attrs: str
    parent: int
    start: int
    inner: int
    close: int
    end: int
    breaks: bool = False
    kids: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tree:
    """
    The nodes of a source in document order; the first is a root around all of it.

    `sound`: every element has its own end tag, in order, and no token is cut short. Otherwise a
    browser has to guess at the structure, and what the tree says is one guess of several.
    """

    nodes: list[Node]
    sound: bool


def read_tree(source: str) -> Tree:
    """Return the tree of `source`; an end tag closes what was left open within its element."""
    nodes = [Node("element", "", "", -1, 0, 0, len(source), len(source))]
    open_nodes, sound = [0], True
    for token in tokens(source):
        sound &= token.closed
        if token.kind == "end":
            sound &= _close(nodes, open_nodes, token)
            continue
        parent, at = open_nodes[-1], len(nodes)
        kind = "element" if token.kind == "start" else token.kind
        nodes.append(
            Node(
                kind, token.name, token.attrs, parent, token.start, token.end, token.end, token.end
            )
        )
        nodes[parent].kids.append(at)
        if token.kind == "start" and token.name not in VOIDS:
            open_nodes.append(at)
    for at in open_nodes[1:]:
        nodes[at].close = nodes[at].end = len(source)
    _mark_breaks(nodes)
    return Tree(nodes, sound and len(open_nodes) == 1)


def _close(nodes: list[Node], open_nodes: list[int], token: Token) -> bool:
    """
    Close the element that `token` ends; return whether it was the innermost one.

    The search goes 32 levels up, so that stray end tags in deep nesting cost no more than others.
    """
    for back, at in enumerate(reversed(open_nodes[-32:])):
        if at and nodes[at].name == token.name:
            for inner in open_nodes[len(open_nodes) - back :]:
                nodes[inner].close = nodes[inner].end = token.start
            nodes[at].close, nodes[at].end = token.start, token.end
            del open_nodes[len(open_nodes) - back - 1 :]
            return back == 0
    return False


def _mark_breaks(nodes: list[Node]) -> None:
    for node in reversed(nodes[1:]):
        if node.breaks or node.name in BLOCKS or node.name == "br":
            nodes[node.parent].breaks = True


def html_to_text(html: str) -> str:
    """
    Return the text that a reader of `html` sees, in the form of `normalise`.

    Block elements end a line, `br` is a newline, an `li` begins with "- ", a link is
    `text <href>` unless its text is its href, images, style and script are nothing, entities are
    decoded, runs of spaces collapse outside of `pre`. Nothing is wrapped and no character is
    exchanged for an equivalent one, except for the no-break space, which becomes a space.
    """
    return normalise(flow(html))


def flow(html: str) -> str:
    """
    Return the text of `html` as `html_to_text` does, with every line still ended by its newline.

    A piece of HTML that makes no line gives "", one that makes an empty line gives a newline: so
    the flows of pieces that are cut between lines add up to the flow of the whole.
    """
    writer = _Writer()
    out = writer.out
    parts = iter(_MARKUP.split(html))
    text = next(parts)
    if text:
        writer.text(text)
    for tag, attrs, text in zip(parts, parts, parts, strict=True):
        if tag:
            kind = _KINDS.get(tag, "")
            if kind == "block":
                if not writer.fresh:
                    out.append("\n")
                    writer.fresh = True
            elif kind != "inline":
                writer.tag(kind or _KINDS.get(tag.lower(), ""), attrs)
            if writer.verbatim or (len(attrs) > 12 and "hite-" in attrs) or kind == "pre":
                writer.watch_spaces(tag.lower(), attrs)
        if text and not (writer.fresh and text in _BLANKS and not writer.verbatim):
            writer.text(text)
    return writer.finish()


_BLANKS = frozenset(["\r\n", "\n", " ", "\r\n\r\n", "\n\n", "\t"])


def _kinds() -> dict[str, str]:
    kinds = {f"{slash}{name}": "block" for name in BLOCKS for slash in ("", "/")}
    inline = ("b", "i", "u", "s", "em", "strong", "span", "font", "meta", "link", "img", "o:p")
    kinds |= {f"{slash}{name}": "inline" for name in inline for slash in ("", "/")}
    kinds |= {"br": "br", "/br": "br", "li": "li", "/li": "/li", "a": "a", "/a": "/a"}
    kinds |= {"/td": "cell", "/th": "cell", "pre": "pre", "listing": "pre"}
    return kinds | {name.upper(): kind for name, kind in kinds.items()}


_KINDS = _kinds()


class _Writer:
    """
    Lines in the making.

    `fresh`: nothing is on the current line yet. `verbatim`: the name of the open element whose
    spaces count, with its depth. A space that counts travels as a no-break space, so that the
    collapsing at the end leaves it alone.
    """

    __slots__ = ("_depth", "_first", "_href", "_link_at", "fresh", "out", "verbatim")

    def __init__(self) -> None:
        self.out: list[str] = []
        self.fresh = True
        self.verbatim = ""
        self._depth = 0
        self._first = False
        self._href = ""
        self._link_at = 0

    def text(self, text: str) -> None:
        if "&" in text:
            text = _unescaped(text)
        if self.verbatim:
            self._verbatim(text)
            return
        if "  " in text or not text.isprintable():  # only then can there be a run of spaces
            text = _SPACE_RUN.sub(" ", text)
        if text != " ":
            self.fresh = False
            self.out.append(text)
        elif not self.fresh:
            self.out.append(text)

    def _verbatim(self, text: str) -> None:
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", " ")
        if self._first:
            text = text.removeprefix("\n")
            self._first = False
        if text:
            self.out.append(text.replace(" ", _NBSP))
            self.fresh = text[-1] == "\n"

    def tag(self, kind: str, attrs: str) -> None:
        match kind:
            case "br":
                self.out.append("\n")
                self.fresh = True
            case "block" | "pre":
                self._end_line()
            case "li":
                self._end_line()
                self._drop_bullet()
                self.out.append("- ")
            case "/li":
                self._drop_bullet()
                self._end_line()
            case "a" | "/a":
                self._end_link()
                if kind == "a":
                    self._begin_link(attrs)
            case "cell":
                self.out.append(" ")
            case _:
                pass

    def watch_spaces(self, tag: str, attrs: str) -> None:
        """Follow the element within which spaces count, from its start tag to its end tag."""
        if self.verbatim:
            self._depth += (tag == self.verbatim) - (tag == "/" + self.verbatim)
            if not self._depth:
                self.verbatim = ""
        elif tag in ("pre", "listing") or (
            tag[0] != "/" and tag not in VOIDS and _KEEPS_SPACE.search(attrs)
        ):
            self.verbatim, self._depth = tag, 1
            self._first = tag in ("pre", "listing")

    def finish(self) -> str:
        self._end_link()
        self._drop_bullet()
        text = "".join(self.out)
        if "  " in text:
            text = _SPACES.sub(" ", text)
        text = "\n".join([line.strip(" ") for line in text.split("\n")])
        return text.replace(_NBSP, " ")

    def _end_line(self) -> None:
        if not self.fresh:
            self.out.append("\n")
            self.fresh = True

    def _drop_bullet(self) -> None:
        if self.fresh and self.out and self.out[-1] == "- ":
            self.out.pop()

    def _begin_link(self, attrs: str) -> None:
        href = attributes(attrs).get("href", "")
        self._href = _URL_NOISE.sub("", href).strip(" ")
        self._link_at = len(self.out)

    def _end_link(self) -> None:
        if not self._href:
            return
        text = _SPACES.sub(" ", "".join(self.out[self._link_at :])).strip(" \n")
        if text != self._href:
            self.out.append(f" <{self._href}>")
            self.fresh = False
        self._href = ""


def text_to_html(text: str) -> str:
    """
    Return `text` as HTML, one `div` for each line; "" for a text without a line.

    `html_to_text` of the result is `normalise(text)`. Spaces that HTML would swallow become
    no-break spaces; a tab, which has no such twin, stands in a `span` that keeps it.
    """
    return paragraphs(tidy(text).split("\n")) if text else ""


def paragraphs(lines: list[str], opening: str = "<div>", closing: str = "</div>") -> str:
    """Return each of `lines`, which have no trailing spaces, escaped between the two tags."""
    return "".join([f"{opening}{_line(line) or '<br>'}{closing}" for line in lines])


def _line(line: str) -> str:
    html = _HIDDEN_SPACE.sub("&nbsp;", escape(line, quote=False))
    return html.replace("\t", '<span style="white-space:pre">\t</span>') if "\t" in line else html


def normalise(text: str) -> str:
    """
    Return the form in which texts are compared; applying it twice changes nothing.

    Line ends become LF, trailing spaces and leading and trailing blank lines go, several blank
    lines become one. A no-break space or form feed is a space, since HTML tells them apart no
    better; control characters go, since RFC 5545 TEXT cannot hold them.
    """
    text = tidy(text)
    return _BLANK_RUN.sub("\n\n", text) if "\n\n\n" in text else text


def tidy(text: str) -> str:
    """Return `text` in the form of `normalise`, with all of its inner blank lines."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _CONTROLS.sub("", text).replace(_NBSP, " ").replace("\f", " ")
    if " \n" in text or "\t\n" in text:
        text = _TRAILING.sub("", text)
    blank = len(text) - len(text.lstrip(" \t\n"))
    return text[text.rfind("\n", 0, blank) + 1 :].rstrip(" \t\n")


def is_empty(html: str) -> bool:
    """Whether `html` has neither text nor a link nor an image."""
    return not html_to_text(html) and not any(token.name == "img" for token in tokens(html))
