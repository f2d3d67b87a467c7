"""Lines and components put into a component, taken out of it, and replaced in place."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Container, Iterable, Mapping

from syncd.core.lines import (
    Component,
    Line,
    line_text,
    new_component,
    new_line,
)

__all__ = [
    "component_of",
    "insert_after",
    "insert_parts",
    "put_lines",
    "remove_parts",
    "replace_lines",
]


def put_lines(component: Component, names: tuple[str, ...], texts: list[str], eol: bytes) -> None:
    """
    Make `texts` the lines called `names`.

    A line that stays keeps its bytes and place; a changed one takes the place of one of its name.
    """
    # One pass over the parts: a file may have a hundred thousand lines, and all of one name.
    left = _Left(component.lines(*names))
    kept = [left.taken(text) for text in texts]
    if None not in kept and not left.lines():
        return
    new: dict[int, list[Line]] = {}
    first: list[Line] = []
    at = first
    for text, line in zip(texts, kept, strict=True):
        if line is not None:
            at = new.setdefault(id(line), [line])
        elif (old := left.named(text)) is not None:
            at = new[id(old)] = [new_line(text, eol)]
        else:
            at.append(new_line(text, eol))
    new |= {id(line): [] for line in left.lines()}
    component.parts[:] = _with(component, new, first)


class _Left:
    """Lines that no text has taken yet."""

    def __init__(self, lines: list[Line]) -> None:
        self._lines = {id(line): line for line in lines}
        self._by_text: dict[str, deque[Line]] = {}
        self._by_name: dict[str, deque[Line]] = {}
        for line in lines:
            self._by_text.setdefault(line_text(line), deque()).append(line)
            self._by_name.setdefault(line.name, deque()).append(line)

    def taken(self, text: str) -> Line | None:
        """The line that says exactly `text`."""
        return self._first(self._by_text.get(text))

    def named(self, text: str) -> Line | None:
        """The first line of the property that `text` is of."""
        found = _NAME.match(text)
        return self._first(self._by_name.get(found[0])) if found else None

    def lines(self) -> Collection[Line]:
        return self._lines.values()

    def _first(self, among: deque[Line] | None) -> Line | None:
        while among:
            line = self._lines.pop(id(among.popleft()), None)
            if line is not None:
                return line
        return None


_NAME = re.compile("[^;:]+")


def _with(
    component: Component, new: Mapping[int, list[Line]], first: list[Line]
) -> list[Line | Component]:
    """The parts with `new` lines in place of old ones, by id; `first` goes after the properties."""
    parts: list[Line | Component] = []
    end = None
    for part in component.parts:
        if isinstance(part, Component) and end is None:
            end = len(parts)
        parts.extend(new.get(id(part), (part,)))
    if end is None:
        end = len(parts)
    return [*parts[:end], *first, *parts[end:]]


def _end_of_lines(component: Component) -> int:
    for at, part in enumerate(component.parts):
        if isinstance(part, Component):
            return at
    return len(component.parts)


def insert_parts(
    component: Component, new: Iterable[Component], *, before: str = "", last: bool = False
) -> None:
    """Put components before the first one called `before`, or last."""
    at = len(component.parts)
    if not last:
        for i, part in enumerate(component.parts):
            if isinstance(part, Component) and part.name == before:
                at = i
                break
    component.parts[at:at] = list(new)


def insert_after(component: Component, name: str, new: Iterable[Line]) -> None:
    """Put lines after the last one called `name`, else after the properties."""
    present = component.lines(name)
    at = component.parts.index(present[-1]) + 1 if present else _end_of_lines(component)
    component.parts[at:at] = list(new)


def replace_lines(component: Component, new: Mapping[int, list[Line]]) -> None:
    """Put other lines, or none, in place of those with the ids in `new`."""
    if new:
        component.parts[:] = _with(component, new, [])


def remove_parts(component: Component, ids: Container[int]) -> None:
    """Take lines and components out, by their ids."""
    component.parts[:] = [part for part in component.parts if id(part) not in ids]


def component_of(texts: list[str], eol: bytes) -> Component:
    stack: list[Component] = []
    for text in texts:
        if text.startswith("BEGIN:"):
            stack.append(new_component(text[6:], [], eol))
        elif text.startswith("END:"):
            done = stack.pop()
            if not stack:
                return done
            stack[-1].parts.append(done)
        else:
            stack[-1].parts.append(new_line(text, eol))
    raise AssertionError("the lines of a component end with its END")
