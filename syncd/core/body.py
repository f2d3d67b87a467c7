"""
What may be sent to Graph when the user has edited the text of an event.

Knows: a server body is none or plain, simple or rich, and may hold the join block of an online
meeting. Graph "Update event" warns that a body without that block disables the meeting, so the
block travels byte for byte whatever the user does to its text. Formatting that a text cannot show
is kept: unchanged lines keep their HTML, and where that cannot be promised the edit is held.
Refuses to know: files, requests, who may edit the event, what was sent before.

Nothing is trusted to be right by construction: what is built is read back as text, and only what
reads as the user's text is sent.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher, get_close_matches
from itertools import pairwise
from typing import Literal, assert_never
from urllib.parse import unquote

from syncd.core.html import (
    BLOCKS,
    Node,
    Tree,
    attributes,
    flow,
    html_to_text,
    is_empty,
    normalise,
    paragraphs,
    read_tree,
    text_to_html,
    tidy,
    tokens,
)

__all__ = ["BodyEdit", "HeldBody", "KeepBody", "SendBody", "ServerBody", "edit", "shown_text"]

_MAX_SIMPLE_BYTES = 64 * 1024
# Line pairs that one diff may weigh: difflib needs cubic time on hostile texts.
_MAX_DIFF_PAIRS = 40_000

_INLINE = frozenset(
    ("b", "i", "u", "s", "a", "em", "strong", "strike", "font", "sub", "sup", "o:p")
)
_PLAIN = frozenset(("html", "head", "meta", "title", "base", "body", "p", "div", "br", "span"))
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_LISTS = frozenset(("ul", "ol"))
_SIMPLE = _PLAIN | _INLINE | _HEADINGS | _LISTS | {"li", "hr", "center", "style", "link"}
# Properties that leave a text looking as it does without them, in the bodies that Outlook makes.
_NEUTRAL_STYLE = re.compile(
    r"(?:\s*(?:margin|padding|direction|white-space|mso-)[a-z-]*\s*:[^;]*(?:;|$))*\s*",
    re.IGNORECASE,
)
_CONVERTED_FROM_TEXT = re.compile(r"<!--\s*converted from text\s*-->", re.IGNORECASE)
_OUTSIDE_REFERENCE = re.compile(r"cid:|url\s*\(", re.IGNORECASE)
# Classes in the style sheets that Outlook and Exchange put into every message.
_HOUSE_CLASS = re.compile(
    r"(?:x_)*(?:mso[a-z]*|emailstyle\d*|wordsection\d*|section\d*|plaintext|emailquote"
    r"|elementtoproof|me-email-[a-z-]*)$",
    re.IGNORECASE,
)
_CSS_NOISE = re.compile(r"/\*(?s:.*?)(?:\*/|\Z)|<!--|-->")
_CSS_DECLARATIONS = re.compile(r"\{[^{}]*+\}")
_CSS_NAME = re.compile(r"[.#]([A-Za-z_-][\w-]*+)")

# How far bodies are cut up, from fine to coarse: into items of lists and lines within inline
# elements; the latter only; neither. The first cut whose lines add up to the text is taken.
_GRAINS = (0, 1, 2)

_RULE = re.compile(r"[\s\N{NO-BREAK SPACE}]*_{30,}[\s\N{NO-BREAK SPACE}]*")
_TEAMS = re.compile(
    r"https?://(?:[a-z0-9-]+\.)*teams\.(?:microsoft\.(?:com|us)/(?:l/meetup-join/|meet/)"
    r"|live\.com/meet/)",
    re.IGNORECASE,
)
_WRAPPED_URL = re.compile(r"[?&]url=([^&#]*)", re.IGNORECASE)
_MEETING_MARKS = ("me-email-text", "meet_invite_block")
_LINK_IN_TEXT = re.compile(r"https?://[^\s<>\"]+")


@dataclass(frozen=True, slots=True)
class ServerBody:
    """The body that Graph holds; `join_url` is `onlineMeeting.joinUrl`, "" where there is none."""

    content_type: Literal["html", "text"]
    content: str
    is_online_meeting: bool
    join_url: str


@dataclass(frozen=True, slots=True)
class SendBody:
    """The body to send, in the shape of Graph's `itemBody`."""

    content_type: Literal["html", "text"]
    content: str


@dataclass(frozen=True, slots=True)
class KeepBody:
    """Nothing to send: the text is the server's, or differs only inside the join block."""


@dataclass(frozen=True, slots=True)
class HeldBody:
    """The edit cannot be sent without losing something; `hint` is what a person can do."""

    reason: str
    hint: str
    code: Literal["rich-body"] = "rich-body"


BodyEdit = SendBody | KeepBody | HeldBody

_HELD_RICH = HeldBody(
    "the text was changed within formatting that a plain text cannot carry",
    "Add text above or below instead, edit it in Outlook, or set rich_body to replace.",
)
_HELD_MEETING = HeldBody(
    "the body of this online meeting has no join block that could be kept safe",
    "Edit the text in Outlook; without its join block the meeting would be disabled.",
)


def shown_text(body: ServerBody) -> str:
    """Return the text of `body` as a file shows it; "" where there is nothing to show."""
    match body.content_type:
        case "html":
            return html_to_text(body.content)
        case "text":
            return normalise(body.content)
        case _:
            assert_never(body.content_type)


def edit(server: ServerBody, new_text: str, *, replace_rich: bool, html: str = "") -> BodyEdit:
    """
    Return what to send so that the text of `server` becomes `new_text`.

    `html` is a form of the new text that its author's program wrote: it is sent as it is where
    it says the same and nothing of the service's own (a join block, rich formatting) is at stake.

    Plain bodies are sent as text. In simple ones the HTML of unchanged lines stays as it is, byte
    for byte. In rich ones only text above and below can be added, unless `replace_rich`, which
    gives up the formatting. The join block of an online meeting is always part of what is sent,
    as the server wrote it; edits within it are ignored. An online meeting whose block cannot be
    found is rich, and never replaced.
    """
    if normalise(new_text) == shown_text(server):
        return KeepBody()
    if html and html_to_text(html) == normalise(new_text) and _is_replaceable(server):
        return SendBody("html", html)
    match server.content_type:
        case "html":
            return _edit_html(server, new_text, replace_rich)
        case "text":
            return _edit_text(server, new_text)
        case _:
            assert_never(server.content_type)


def _is_replaceable(server: ServerBody) -> bool:
    if _is_online(server):
        return False
    if server.content_type == "text":
        return True
    tree = read_tree(server.content)
    return _block_in_html(tree, server.content, server) is None and _is_simple(
        tree, server.content, None
    )


def _is_online(server: ServerBody) -> bool:
    return server.is_online_meeting or bool(server.join_url)


# --- A body in lines ---


@dataclass(frozen=True, slots=True)
class _Unit:
    """
    A piece of source that makes whole lines and can be left out without harm to the rest.

    `lines` are those that the reader sees of it. `leader` is the unit whose blank line hides the
    blank line of this one. `opening` and `closing` make one more line in its place, `after` is
    where lines can follow it.
    """

    start: int
    end: int
    lines: tuple[str, ...]
    opening: str = "<div>"
    closing: str = "</div>"
    after: int = -1
    leader: int = -1
    frozen: bool = False


def _visible(units: Sequence[_Unit]) -> list[_Unit]:
    """Take from the units the blank lines that `normalise` takes from the whole."""
    last_text = max((at for at, unit in enumerate(units) if any(unit.lines)), default=-1)
    seen: list[_Unit] = []
    blank, leader = True, -1
    for at, unit in enumerate(units):
        lines = list(unit.lines)
        while at == last_text and lines and not lines[-1]:
            lines.pop()
        kept: list[str] = []
        for line in lines if at <= last_text else ():
            if line or not blank:
                kept.append(line)
            blank = not line
        seen.append(replace(unit, lines=tuple(kept), leader=-1 if kept else leader))
        if kept:
            leader = at if blank else -1
    return seen


def _matches(old: Sequence[str], new: Sequence[str]) -> dict[int, int]:
    """Return which line of `old` is which line of `new`; both sides ascend."""
    head = _common(zip(old, new, strict=False))
    rest = min(len(old), len(new)) - head
    tail = min(rest, _common(zip(reversed(old), reversed(new), strict=False)))
    found = {at: at for at in range(head)}
    found |= {len(old) - back: len(new) - back for back in range(1, tail + 1)}
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(middle_old) * len(middle_new) <= _MAX_DIFF_PAIRS:
        matcher = SequenceMatcher(None, middle_old, middle_new, autojunk=False)
        for a, b, size in matcher.get_matching_blocks():
            found |= {head + a + at: head + b + at for at in range(size)}
    return found


def _common(pairs: Iterator[tuple[str, str]]) -> int:
    count = 0
    for one, other in pairs:
        if one != other:
            break
        count += 1
    return count


def _around(old: Sequence[str], new: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Return the lines that `new` has above and below those of `old`; None if it changed them."""
    if not old:
        return [], list(new)
    at = ("\n" + "\n".join(new) + "\n").find("\n" + "\n".join(old) + "\n")
    if at < 0:
        return None
    above = "\n".join(["", *new])[: at + 1].count("\n") - 1
    return list(new[:above]), list(new[above + len(old) :])


# --- The user's part of an online meeting's text ---


@dataclass(frozen=True, slots=True)
class _Parts:
    """The lines above the join block, of it, and below it."""

    above: list[str]
    block: list[str]
    below: list[str]

    def text(self) -> str:
        return normalise("\n".join([*self.above, *self.block, *self.below]))


def _edited(old: _Parts, new: list[str]) -> _Parts:
    """
    Return the parts after the edit, the block restored.

    Where the block was changed or deleted, new lines next to it are the user's own, unless they
    resemble lines of the block that are missing: then they are the edit that is ignored.
    """
    intact = _around(old.block, new) if old.block else None
    if intact and not old.below:
        intact = _last_around(old.block, new)
    if intact:
        return _Parts(intact[0], old.block, intact[1])
    above, below = _own_lines(old, new)
    if above and above[-1] and old.above and not old.above[-1]:
        above.append("")
    if below and below[0] and old.below and not old.below[0]:
        below.insert(0, "")
    return _Parts(_same_edges(above, old.above), old.block, _same_edges(below, old.below))


def _last_around(block: list[str], new: list[str]) -> tuple[list[str], list[str]] | None:
    found = _around(block[::-1], new[::-1])
    return (found[1][::-1], found[0][::-1]) if found else None


def _same_edges(now: list[str], before: list[str]) -> list[str]:
    same = normalise("\n".join(now)) == normalise("\n".join(before))
    return before if same else now


def _own_lines(old: _Parts, new: list[str]) -> tuple[list[str], list[str]]:
    lines = [*old.above, *old.block, *old.below]
    begin, end = len(old.above), len(old.above) + len(old.block)
    found = sorted(_matches(lines, new).items())
    above: list[str] = []
    below: list[str] = []
    last, at = -1, 0
    for place, there in [*found, (len(lines), len(new))]:
        run = new[at:there]
        if run and not (begin <= last and place < end):
            missing = lines[max(last + 1, begin) : min(place, end)]
            (above if last < begin else below).extend(_not_among(missing, run))
        if place < begin:
            above.append(new[there])
        elif end <= place < len(lines):
            below.append(new[there])
        last, at = place, there + 1
    return above, below


def _not_among(missing: list[str], run: list[str]) -> list[str]:
    """Return the lines of `run` that are no edited form of a line of the block."""
    candidates = [line[:200] for line in missing[:40] if line]
    if not candidates:
        return run
    return [
        line
        for at, line in enumerate(run)
        if at >= 40 or not line or not get_close_matches(line[:200], candidates, 1, 0.75)
    ]


# --- Bodies of type text ---


def _edit_text(server: ServerBody, new_text: str) -> BodyEdit:
    if not _is_online(server):
        return SendBody("text", tidy(new_text))
    block = _block_in_text(server)
    if block is None:
        return _insert_in_text(server, new_text)
    start, end = block
    content = server.content
    parts = [content[:start], content[start:end], content[end:]]
    lines = [_text_lines(parts[0])[:-1], _text_lines(parts[1]), _text_lines(parts[2])[1:]]
    units = _visible([_Unit(0, 0, tuple(part)) for part in lines])
    old = _Parts(*(list(unit.lines) for unit in units))
    text = normalise(new_text)
    new = _edited(old, text.split("\n") if text else [])
    if new == old:
        return KeepBody()
    above = parts[0] if new.above == old.above else "".join(f"{line}\n" for line in new.above)
    below = parts[2] if new.below == old.below else "".join(f"\n{line}" for line in new.below)
    sent = SendBody("text", above + parts[1] + below)
    return sent if normalise(sent.content) == new.text() else _HELD_MEETING


def _text_lines(text: str) -> list[str]:
    """Return the lines of `text` in form, those at its edges included."""
    return tidy(f"x\n{text}\nx").split("\n")[1:-1]


def _insert_in_text(server: ServerBody, new_text: str) -> BodyEdit:
    added = _around(shown_text(server).split("\n"), normalise(new_text).split("\n"))
    if added is None:
        return _HELD_MEETING
    above = "".join(f"{line}\n" for line in added[0])
    below = "".join(f"\n{line}" for line in added[1])
    return _checked(SendBody("text", above + server.content + below), normalise(new_text))


def _block_in_text(server: ServerBody) -> tuple[int, int] | None:
    """Return where the join block is: the lines between two rules, or the line of the link."""
    spans: list[tuple[int, int]] = []
    rules: list[int] = []
    link = -1
    for found in re.finditer(r"[^\r\n]+", server.content):
        if _RULE.fullmatch(found[0]):
            rules.append(len(spans))
        elif link < 0 and any(
            _leads_to(url, server.join_url) for url in _LINK_IN_TEXT.findall(found[0])
        ):
            link = len(spans)
        spans.append(found.span())
    first = max((rule for rule in rules if rule < link), default=link)
    last = min((rule for rule in rules if rule > link), default=link)
    if link < 0:
        if len(rules) < 2:
            return None
        first, last = rules[:2]
    return spans[first][0], spans[last][1]


# --- Bodies of type HTML ---


def _edit_html(server: ServerBody, new_text: str, replace_rich: bool) -> BodyEdit:
    source = server.content
    tree = read_tree(source)
    block = _block_in_html(tree, source, server)
    if block is None and _is_online(server):
        return _insert_in_html(source, normalise(new_text)) or _HELD_MEETING
    if block is None:
        return _edit_own_html(tree, source, new_text, replace_rich)
    return _edit_meeting(tree, source, block, normalise(new_text), replace_rich)


def _edit_own_html(tree: Tree, source: str, new_text: str, replace_rich: bool) -> BodyEdit:
    text = normalise(new_text)
    if is_empty(source) or _is_plain(tree, source):
        return SendBody("text", tidy(new_text))
    if not _is_simple(tree, source, None):
        whole: BodyEdit = SendBody("text", tidy(new_text)) if replace_rich else _HELD_RICH
        return _insert_in_html(source, text) or whole
    if not text:
        return SendBody("text", "")
    for grain in _GRAINS:
        units = _units(tree, source, None, grain)
        if _lines(units) == html_to_text(source).split("\n"):
            sent = _rebuilt(source, units, [text.split("\n")])
            if sent is not None and html_to_text(sent) == text:
                return SendBody("html", sent)
    head, foot = _ends(source)
    return _checked(SendBody("html", source[:head] + text_to_html(new_text) + source[foot:]), text)


def _checked(sent: SendBody, text: str) -> BodyEdit:
    """Return `sent` if it reads as `text`, else hold the edit."""
    body = ServerBody(sent.content_type, sent.content, is_online_meeting=False, join_url="")
    return sent if shown_text(body) == text else _HELD_RICH


def _ends(source: str) -> tuple[int, int]:
    """Return where the content of a document begins and ends."""
    start, end = 0, len(source)
    for token in tokens(source):
        if token.name in ("html", "body") and token.kind == "start":
            start, end = token.end, len(source)
        elif token.name == "head" and token.kind == "end":
            start = token.end
        elif token.name in ("html", "body") and token.kind == "end":
            end = min(end, token.start)
    return start, max(start, end)


def _insert_in_html(source: str, text: str) -> SendBody | None:
    """Return the body with the new lines above and below the old ones; None if those changed."""
    shown = html_to_text(source)
    added = _around(shown.split("\n") if shown else [], text.split("\n"))
    if added is None:
        return None
    head, foot = _ends(source)
    above, below = paragraphs(added[0]), paragraphs(added[1])
    html = source[:head] + above + source[head:foot] + below + source[foot:]
    return SendBody("html", html) if html_to_text(html) == text else None


# --- Bodies with a join block ---


def _edit_meeting(
    tree: Tree, source: str, block: tuple[int, int], text: str, replace_rich: bool
) -> BodyEdit:
    shown = html_to_text(source).split("\n")
    cuts = [
        units for grain in _GRAINS if _lines(units := _units(tree, source, block, grain)) == shown
    ]
    if not cuts:
        return _insert_in_html(source, text) or _HELD_MEETING
    old = _parts(cuts[0])
    new = _edited(old, text.split("\n") if text else [])
    if new == old:
        return KeepBody()
    if _is_simple(tree, source, block):
        for units in cuts:
            sent = _rebuilt(source, units, [new.above, new.below])
            if sent is not None and html_to_text(sent) == new.text():
                return SendBody("html", sent)
    else:
        sent = _insert_at_block(source, block, old, new)
        if html_to_text(sent) == new.text():
            return SendBody("html", sent)
        if not replace_rich:
            return _HELD_RICH
    return _checked(SendBody("html", _replace_around(source, block, new)), new.text())


def _parts(units: list[_Unit]) -> _Parts:
    at = next(at for at, unit in enumerate(units) if unit.frozen)
    above = [line for unit in units[:at] for line in unit.lines]
    below = [line for unit in units[at + 1 :] for line in unit.lines]
    return _Parts(above, list(units[at].lines), below)


def _insert_at_block(source: str, block: tuple[int, int], old: _Parts, new: _Parts) -> str:
    """Return the source with the lines that were added around the user's parts, if only added."""
    head, foot = _ends(source)
    above, below = _around(old.above, new.above), _around(old.below, new.below)
    if above is None or below is None:
        return ""
    places = [(head, above[0]), (block[0], above[1]), (block[1], below[0]), (foot, below[1])]
    if not old.below:
        places[2:] = [(block[1], below[1])]
    return _applied(source, [(at, at, paragraphs(lines)) for at, lines in places if lines])


def _replace_around(source: str, block: tuple[int, int], new: _Parts) -> str:
    head, foot = _ends(source)
    kept = source[block[0] : block[1]]
    body = paragraphs(new.above) + kept + paragraphs(new.below)
    return source[: min(head, block[0])] + body + source[max(foot, block[1]) :]


def _block_in_html(tree: Tree, source: str, server: ServerBody) -> tuple[int, int] | None:
    """
    Return where the join block begins and ends in the source, whatever its language.

    Its marks, in this order: a link to the join URL, also inside a safe-link wrapper; a link to a
    Teams meeting; an element of the Teams template; two rules of underscores, which count only in
    an online meeting, since people draw lines as well.
    """
    if not tree.sound:
        return None
    rules = [at for at, node in enumerate(tree.nodes) if _is_rule(node, source)]
    mark = _mark(tree, server)
    if mark < 0:
        if not _is_online(server) or len(rules) < 2:
            return None
        return _Extent(tree, source).between(rules[0], rules[1])
    return _extended(tree, source, mark, rules)


def _extended(tree: Tree, source: str, mark: int, rules: list[int]) -> tuple[int, int]:
    """Return the extent of the block around `mark`, with the rules that open and close it."""
    extent = _Extent(tree, source)
    own = _template(tree, mark)
    core = tree.nodes[own if own >= 0 else mark]
    opening = next((at for at in reversed(rules) if tree.nodes[at].end <= core.start), -1)
    closing = next((at for at in rules if core.end <= tree.nodes[at].start), -1)
    if own < 0 and opening >= 0 and closing >= 0:
        return extent.between(opening, closing)
    first = last = own if own >= 0 else extent.top(mark)
    if opening >= 0 and _nothing(source, tree.nodes[opening].end, tree.nodes[first].start):
        first = opening
    if closing >= 0 and _nothing(source, tree.nodes[last].end, tree.nodes[closing].start):
        last = closing
    return extent.between(first, last)


def _nothing(source: str, start: int, end: int) -> bool:
    return not normalise(flow(source[start:end]))


def _is_rule(node: Node, source: str) -> bool:
    return node.kind == "text" and bool(_RULE.fullmatch(source, node.start, node.end))


def _mark(tree: Tree, server: ServerBody) -> int:
    links = [
        (at, attributes(node.attrs).get("href", ""))
        for at, node in enumerate(tree.nodes)
        if node.name == "a" and node.attrs
    ]
    for at, href in links:
        if any(_is_join_url(url, server.join_url) for url in _unwrapped(href)):
            return at
    for at, href in links:
        if any(_TEAMS.match(url) for url in _unwrapped(href)):
            return at
    return next((at for at, node in enumerate(tree.nodes) if _is_template(node)), -1)


def _leads_to(url: str, join_url: str) -> bool:
    return any(_is_join_url(one, join_url) or _TEAMS.match(one) for one in _unwrapped(url))


def _is_join_url(url: str, join_url: str) -> bool:
    return bool(join_url) and _canonical(url) == _canonical(join_url)


def _canonical(url: str) -> str:
    return unquote(unquote(url.strip())).casefold()


def _unwrapped(url: str) -> list[str]:
    """Return the URL and those in the `url=` parameters of the safe-link wrappers around it."""
    urls = [url.strip()]
    while len(urls) < 4 and (inner := _WRAPPED_URL.search(urls[-1])):
        urls.append(unquote(inner[1]))
    return urls


def _is_template(node: Node) -> bool:
    if node.name not in BLOCKS or not any(mark in node.attrs for mark in _MEETING_MARKS):
        return False
    found = attributes(node.attrs)
    names = [*found.get("class", "").split(), found.get("id", "")]
    return any(name.removeprefix("x_").startswith(_MEETING_MARKS) for name in names)


def _template(tree: Tree, at: int) -> int:
    """Return the outermost element of the Teams template around a node, -1 without one."""
    outermost = -1
    while at > 0:
        if _is_template(tree.nodes[at]):
            outermost = at
        at = tree.nodes[at].parent
    return outermost


class _Extent:
    """Widens nodes to a range of siblings that makes whole lines."""

    def __init__(self, tree: Tree, source: str) -> None:
        self._nodes = tree.nodes
        self._full = [self._has_content(node, source) for node in tree.nodes]
        for at in range(len(self._nodes) - 1, 0, -1):
            self._full[self._nodes[at].parent] |= self._full[at]

    @staticmethod
    def _has_content(node: Node, source: str) -> bool:
        if node.kind == "text":
            return bool(source[node.start : node.end].strip(" \t\n\f\r"))
        return node.name == "img"

    def top(self, at: int) -> int:
        """Return the outermost ancestor of a node that leaves other content beside it."""
        chain = self._chain(at)
        for parent, kid in pairwise(chain):
            if any(self._full[other] for other in self._nodes[parent].kids if other != kid):
                return kid
        return at

    def between(self, first: int, last: int) -> tuple[int, int]:
        """Return the source range of the siblings from around `first` to around `last`."""
        one, other = self._chain(first), self._chain(last)
        shared = next(
            (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
            min(len(one), len(other)),
        )
        shared = min(shared, len(one) - 1, len(other) - 1)
        parent = self._nodes[one[shared - 1]]
        begin, end = parent.kids.index(one[shared]), parent.kids.index(other[shared])
        while self._is_alone(parent, begin, end):
            at = self._nodes[parent.parent].kids.index(self._index(parent))
            parent, begin, end = self._nodes[parent.parent], at, at
        begin, end = self._whole_lines(parent.kids, begin, end)
        return self._nodes[parent.kids[begin]].start, self._nodes[parent.kids[end]].end

    def _chain(self, at: int) -> list[int]:
        chain = [at]
        while chain[-1] > 0:
            chain.append(self._nodes[chain[-1]].parent)
        return chain[::-1]

    def _is_alone(self, parent: Node, begin: int, end: int) -> bool:
        if parent.parent < 0 or parent.name in ("body", "html"):
            return False
        return not any(self._full[at] for at in (*parent.kids[:begin], *parent.kids[end + 1 :]))

    def _index(self, node: Node) -> int:
        return self._nodes[node.kids[0]].parent

    def _whole_lines(self, kids: list[int], begin: int, end: int) -> tuple[int, int]:
        if not self._nodes[kids[begin]].breaks and not self._is_break(kids[begin]):
            while begin > 0 and not self._is_break(kids[begin - 1]):
                begin -= 1
        if not self._nodes[kids[end]].breaks and not self._is_break(kids[end]):
            while end + 1 < len(kids) and self._nodes[kids[end]].name != "br":
                if self._is_break(kids[end + 1]) and self._nodes[kids[end + 1]].name != "br":
                    break
                end += 1
        return begin, end

    def _is_break(self, at: int) -> bool:
        node = self._nodes[at]
        return node.breaks or node.name in BLOCKS or node.name == "br"


# --- Classes of HTML ---


def _is_plain(tree: Tree, source: str) -> bool:
    """Whether the HTML says no more than its text, as what Exchange makes of a text does."""
    if not tree.sound or len(source.encode(errors="replace")) > _MAX_SIMPLE_BYTES:
        return False
    of_exchange = bool(_CONVERTED_FROM_TEXT.search(source))
    return all(
        (node.name in _PLAIN and _is_neutral(node)) or (of_exchange and _is_of_exchange(node))
        for node in tree.nodes
        if node.name
    )


def _is_of_exchange(node: Node) -> bool:
    """Whether Exchange adds such an element when it makes HTML of a text."""
    found = attributes(node.attrs)
    match node.name:
        case "style":
            return True
        case "font":
            return found.keys() <= {"size", "face"}
        case "span":
            return found.keys() == {"style"} and found["style"].startswith("font-size:")
        case "a":
            return found.keys() <= {"href"}
        case _:
            return False


def _is_neutral(node: Node) -> bool:
    if node.name in ("html", "head", "meta", "title", "base") or not node.attrs:
        return True
    found = attributes(node.attrs)
    style = found.pop("style", "")
    return found.keys() <= {"dir", "lang", "class"} and bool(_NEUTRAL_STYLE.fullmatch(style))


def _is_simple(tree: Tree, source: str, block: tuple[int, int] | None) -> bool:
    """Whether all that stands outside of `block` can be edited line by line."""
    if not tree.sound or len(source.encode(errors="replace")) > _MAX_SIMPLE_BYTES:
        return False
    names: set[str] = set()
    for node in tree.nodes[1:]:
        if not node.name or (block and block[0] <= node.start < block[1]):
            continue
        if node.name not in _SIMPLE or _OUTSIDE_REFERENCE.search(node.attrs):
            return False
        if node.name in _LISTS and _is_within(tree, node, _LISTS):
            return False
        found = attributes(node.attrs)
        names.update(found.get("class", "").split(), [found.get("id", "")])
    return not any(
        _styles_matter(source[node.start : node.end], names)
        for node in tree.nodes
        if node.name == "style"
    )


def _is_within(tree: Tree, node: Node, names: frozenset[str]) -> bool:
    for _ in range(64):
        if node.parent <= 0:
            return False
        node = tree.nodes[node.parent]
        if node.name in names:
            return True
    return True


def _styles_matter(style: str, names: set[str]) -> bool:
    """Whether a style sheet has selectors in use beyond those of every Outlook message."""
    css = _CSS_NOISE.sub(" ", style[style.find(">") + 1 : style.rfind("<")])
    selectors = _CSS_DECLARATIONS.sub(" ", css)
    if "[" in selectors or "*" in selectors:
        return True
    used = [name for name in _CSS_NAME.findall(selectors) if name in names]
    return not all(map(_HOUSE_CLASS.match, used))


# --- HTML in units ---


def _lines(units: Sequence[_Unit]) -> list[str]:
    return [line for unit in units for line in unit.lines] or [""]


def _units(tree: Tree, source: str, block: tuple[int, int] | None, grain: int) -> list[_Unit]:
    """Cut the source into units; `block` becomes one of its own, which is frozen."""
    return _visible(list(_Cutter(tree, source, block, grain).units()))


class _Cutter:
    """
    Cuts a tree between its lines, with a stack of its own instead of recursion.

    What lies between two units (tags of containers, comments, white space) belongs to none and is
    always kept.
    """

    def __init__(self, tree: Tree, source: str, block: tuple[int, int] | None, grain: int) -> None:
        self._nodes = tree.nodes
        self._source = source
        self._block = block
        self._grain = grain
        self._run: list[Node] = []

    def units(self) -> Iterator[_Unit]:
        stack = [(self._nodes[0], iter(self._nodes[0].kids), "div")]
        while stack:
            node, kids, context = stack[-1]
            at = next(kids, None)
            if at is None:
                yield from self._flush(context, self._after(node, context))
                stack.pop()
                continue
            kid = self._nodes[at]
            if self._is_frozen(kid):
                yield from self._flush(context)
                yield from self._freeze(kid)
            elif self._is_container(kid):
                yield from self._flush(context)
                stack.append((kid, iter(kid.kids), self._context(kid, context)))
            elif kid.name in BLOCKS:
                yield from self._flush(context)
                yield from self._leaf(kid, context)
            else:
                if self._run or not self._is_blank(kid):
                    self._run.append(kid)
                if kid.name == "br":
                    yield from self._flush(context)

    def _is_frozen(self, node: Node) -> bool:
        return self._block is not None and self._block[0] <= node.start < self._block[1]

    def _freeze(self, node: Node) -> Iterator[_Unit]:
        if self._block and node.start == self._block[0]:
            yield self._unit(*self._block, frozen=True)

    def _is_container(self, node: Node) -> bool:
        if node.kind != "element" or not node.kids:
            return False
        if self._block and node.start < self._block[0] and self._block[1] <= node.end:
            return True
        if node.name in _LISTS:
            return self._grain == 0
        if node.name == "li" or node.name in _HEADINGS or not node.breaks:
            return False
        if node.name in BLOCKS:
            return not self._is_line(node)
        return not self._run and self._grain < 2

    def _is_line(self, node: Node) -> bool:
        """Whether nothing but a last `br` ends a line within a block."""
        kids = [kid for at in node.kids if not self._is_blank(kid := self._nodes[at])]
        if kids and kids[-1].name == "br":
            kids.pop()
        return not any(kid.breaks or kid.name == "br" or kid.name in BLOCKS for kid in kids)

    def _context(self, node: Node, outer: str) -> str:
        if node.name in ("p", *_LISTS):
            return node.name
        return outer if outer == "p" or node.name not in BLOCKS else "div"

    def _after(self, node: Node, context: str) -> int:
        """Return where a line can follow the last one of `node`: not within a paragraph."""
        while context == "p" and node.parent >= 0:
            if node.name == "p":
                return node.end
            node = self._nodes[node.parent]
        return -1

    def _is_blank(self, node: Node) -> bool:
        if node.kind == "text":
            return not self._source[node.start : node.end].strip(" \t\n\f\r")
        return node.kind in ("hidden", "raw")

    def _flush(self, context: str, after: int = -1) -> Iterator[_Unit]:
        run, self._run = self._run, []
        while run and self._is_blank(run[-1]):
            run.pop()
        if run:
            tags = ("", "<br>") if context == "p" else ("<div>", "</div>")
            yield from self._lined(self._unit(self._begin(run[0]), run[-1].end, tags, after))

    def _begin(self, node: Node) -> int:
        text = self._source[node.start : node.end] if node.kind == "text" else ""
        return node.start + len(text) - len(text.lstrip(" \t\n\f\r"))

    def _leaf(self, node: Node, context: str) -> Iterator[_Unit]:
        tags = ("<div>", "</div>")
        if context in _LISTS:
            tags = ("<li>", "</li>")
        elif context == "p":
            tags = ("", "<br>")
        elif node.name in ("p", "div"):
            named = attributes(node.attrs).keys() - {"class", "style", "dir", "lang", "align"}
            if not named:
                tags = (self._source[node.start : node.inner], f"</{node.name}>")
        yield from self._lined(self._unit(node.start, node.end, tags))

    def _unit(
        self,
        start: int,
        end: int,
        tags: tuple[str, str] = ("<div>", "</div>"),
        after: int = -1,
        frozen: bool = False,
    ) -> _Unit:
        text = flow(self._source[start:end])
        lines = tuple(_text_lines(text.removesuffix("\n"))) if text else ()
        return _Unit(start, end, lines, *tags, after if after >= 0 else end, frozen=frozen)

    @staticmethod
    def _lined(unit: _Unit) -> Iterator[_Unit]:
        if unit.lines:
            yield unit


def _rebuilt(source: str, units: list[_Unit], sections: list[list[str]]) -> str | None:
    """
    Return the source with the lines of each section in place of those that stand there.

    A frozen unit ends a section. None: a line would have to stand in a list without being an item.
    """
    edits: list[tuple[int, int, str]] = []
    begin = 0
    for lines in sections:
        end = next((at for at in range(begin, len(units)) if units[at].frozen), len(units))
        changes = _section(source, units, range(begin, end), lines)
        if changes is None:
            return None
        edits += changes
        begin = end + 1
    return _applied(source, edits)


def _applied(source: str, edits: list[tuple[int, int, str]]) -> str:
    out: list[str] = []
    at = 0
    for start, end, html in sorted(edits, key=lambda change: change[:2]):
        out += [source[at:start], html]
        at = max(at, end)
    return "".join([*out, source[at:]])


def _section(
    source: str, units: list[_Unit], span: range, new: list[str]
) -> list[tuple[int, int, str]] | None:
    old = [line for at in span for line in units[at].lines]
    found = _matches(old, new)
    edits: list[tuple[int, int, str]] = []
    dropped: set[int] = set()
    line = done = 0
    place, last = -1, span.start - 1
    for at in span:
        unit = units[at]
        if not unit.lines:
            if unit.leader in dropped:
                edits.append((unit.start, unit.end, ""))
            continue
        there = [found.get(line + index, -1) for index in range(len(unit.lines))]
        line += len(unit.lines)
        if there[0] >= 0 and there == list(range(there[0], there[0] + len(there))):
            added = _inserted(units, place, last, at, new[done : there[0]])
            if added is None:
                return None
            edits += added
            place, last, done = -1, at, there[-1] + 1
        else:
            dropped.add(at)
            edits.append((unit.start, unit.end, ""))
            place = at if place < 0 else place
    added = _inserted(units, place, last, span.stop, new[done:])
    return None if added is None else edits + added


def _inserted(
    units: list[_Unit], place: int, last: int, following: int, lines: list[str]
) -> list[tuple[int, int, str]] | None:
    """
    Return the edit that puts `lines` at the first unit that goes, before the next that stays, or
    after the last that stayed.
    """
    if not lines:
        return []
    if place >= 0 or following < len(units):
        unit = units[place if place >= 0 else following]
        if unit.opening != "<li>":
            return [(unit.start, unit.start, paragraphs(lines, unit.opening, unit.closing))]
        if all(line.startswith("- ") and line[2:].strip(" \t") for line in lines):
            items = [line[2:] for line in lines]
            return [(unit.start, unit.start, paragraphs(items, "<li>", "</li>"))]
    if place >= 0 or last < 0 or units[last].opening == "<li>":
        return None
    unit = units[last]
    tags = ("<div>", "</div>") if unit.closing == "<br>" else (unit.opening, unit.closing)
    return [(unit.after, unit.after, paragraphs(lines, *tags))]
