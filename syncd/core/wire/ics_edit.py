"""Lines and components put into a component, taken out of it, and replaced in place."""

from __future__ import annotations

from collections.abc import Iterable

from syncd.core.lines import (
    Component,
    Line,
    line_text,
    new_component,
    new_line,
)

__all__ = ["component_of", "insert_after", "insert_parts", "put_lines", "replace_line"]


def put_lines(component: Component, names: tuple[str, ...], texts: list[str], eol: bytes) -> None:
    """
    Make `texts` the lines called `names`.

    A line that stays keeps its bytes and place; a changed one takes the place of one of its name.
    """
    parts, left = component.parts, component.lines(*names)
    kept = [_taken(left, text) for text in texts]
    at = -1
    for text, line in zip(texts, kept, strict=True):
        if line is None:
            old = _named(left, text)
            line = new_line(text, eol)
            if old is not None:
                parts[parts.index(old)] = line
            else:
                parts.insert(at + 1 if at >= 0 else _end_of_lines(component), line)
        at = parts.index(line)
    for line in left:
        parts.remove(line)


def _taken(left: list[Line], text: str) -> Line | None:
    """The line that says exactly `text`, taken out of `left`."""
    for line in left:
        if line_text(line) == text:
            left.remove(line)
            return line
    return None


def _named(left: list[Line], text: str) -> Line | None:
    for line in left:
        if text.startswith((f"{line.name};", f"{line.name}:")):
            left.remove(line)
            return line
    return None


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


def replace_line(component: Component, line: Line, texts: list[str], eol: bytes) -> None:
    at = component.parts.index(line)
    component.parts[at : at + 1] = [new_line(text, eol) for text in texts]


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
