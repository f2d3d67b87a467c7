"""
The table of routes, and how a path finds its row.

Knows that Graph matches segments without regard to case and leaves ids as they are.
Refuses to know what a handler does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Match", "Route", "Router"]

H = TypeVar("H")


@dataclass(frozen=True, slots=True)
class Route(Generic[H]):
    """
    One row.

    Args: template: such as `calendars/{calendar}/events`; scopes: any of them admits.
    """

    method: str
    template: str
    handler: H
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Match(Generic[H]):
    """A row found and what its braces stand for."""

    route: Route[H]
    params: Mapping[str, str]


@dataclass(slots=True)
class _Node(Generic[H]):
    literal: dict[str, "_Node[H]"] = field(default_factory=dict)
    parameter: "tuple[str, _Node[H]] | None" = None
    routes: dict[str, Route[H]] = field(default_factory=dict)


class Router(Generic[H]):
    """A tree of segments. A literal segment wins over a parameter."""

    def __init__(self, routes: Iterable[Route[H]]) -> None:
        self._root: _Node[H] = _Node()
        for route in routes:
            self._add(route)

    def _add(self, route: Route[H]) -> None:
        node = self._root
        for segment in filter(None, route.template.split("/")):
            node = self._child(node, segment)
        node.routes[route.method] = route

    @staticmethod
    def _child(node: _Node[H], segment: str) -> _Node[H]:
        if not segment.startswith("{"):
            return node.literal.setdefault(segment.casefold(), _Node())
        if node.parameter is None:
            node.parameter = (segment[1:-1], _Node())
        assert node.parameter[0] == segment[1:-1], "one name for a parameter at one place"
        return node.parameter[1]

    def methods(self, segments: Sequence[str]) -> frozenset[str]:
        """Return the methods that a path takes; empty when there is no such path."""
        found = self._walk(segments)
        return frozenset() if found is None else frozenset(found[0].routes)

    def match(self, method: str, segments: Sequence[str]) -> Match[H] | None:
        """Return the row for a request, or None."""
        found = self._walk(segments)
        if found is None or method not in found[0].routes:
            return None
        return Match(found[0].routes[method], found[1])

    def _walk(self, segments: Sequence[str]) -> tuple[_Node[H], dict[str, str]] | None:
        node, params = self._root, dict[str, str]()
        for segment in segments:
            literal = node.literal.get(segment.casefold())
            if literal is not None:
                node = literal
            elif node.parameter is not None:
                name, node = node.parameter
                params[name] = segment
            else:
                return None
        return (node, params) if node.routes else None
