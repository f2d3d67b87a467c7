"""
OData query options, as far as the calendar service takes them.

Knows the syntax of `$select`, `$expand`, `$filter` and `$orderby` and evaluates them on rows in
wire form. Refuses to know which collections allow which option.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.simulator.errors import ServiceError, invalid_request
from syncd.simulator.fields import property_key

__all__ = ["Expand", "Predicate", "parse_expand", "parse_filter", "parse_select", "sort_rows"]

Predicate = Callable[[Mapping[str, Any]], bool]
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<mark>[(),:])"
    r"|(?P<word>\d[^\s(),']*|[^\s(),:'][^\s(),:']*))"
)
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: bool(left == right),
    "ne": lambda left, right: bool(left != right),
    "gt": lambda left, right: bool(left > right),
    "ge": lambda left, right: bool(left >= right),
    "lt": lambda left, right: bool(left < right),
    "le": lambda left, right: bool(left <= right),
}
_FUNCTIONS: Mapping[str, Callable[[str, str], bool]] = {
    "startswith": lambda text, part: text.casefold().startswith(part.casefold()),
    "endswith": lambda text, part: text.casefold().endswith(part.casefold()),
    "contains": lambda text, part: part.casefold() in text.casefold(),
}


def bad_query(message: str) -> ServiceError:
    """Return the answer for a query option that cannot be read."""
    return ServiceError(400, "BadRequest", message)


@dataclass(frozen=True, slots=True)
class Expand:
    """One navigation property to include. Args: options: nested `$select`, `$filter`, …"""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)


def parse_select(text: str | None) -> frozenset[str]:
    """Return the names that `$select` lists; empty means everything."""
    return frozenset(name.strip() for name in (text or "").split(",") if name.strip())


def _split(text: str, mark: str) -> Iterator[str]:
    """Split at `mark` outside quotes and parentheses."""
    depth, quoted, start = 0, False, 0
    for place, char in enumerate(text):
        if char == "'":
            quoted = not quoted
        elif not quoted and char == "(":
            depth += 1
        elif not quoted and char == ")":
            depth -= 1
        elif char == mark and depth == 0 and not quoted:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def parse_expand(text: str | None) -> tuple[Expand, ...]:
    """
    Return the parts of `$expand`, nested options included.

    Raises: ServiceError: 400 for unbalanced parentheses or an unnamed part.
    """
    parts = [part.strip() for part in _split(text or "", ",") if part.strip()]
    return tuple(_one_expand(part) for part in parts)


def _one_expand(part: str) -> Expand:
    name, paren, rest = part.partition("(")
    if not paren:
        return Expand(name.strip())
    if not rest.endswith(")"):
        raise bad_query(f"Parsing OData Select and Expand failed: '{part[:80]}'.")
    options = {}
    for option in _split(rest[:-1], ";"):
        key, _, value = option.partition("=")
        options[key.strip().removeprefix("$").casefold()] = value.strip()
    return Expand(name.strip(), options)


@dataclass(slots=True)
class _Parser:
    tokens: Sequence[str]
    at: int = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        if not token or (wanted and token.casefold() != wanted):
            raise bad_query(f"Invalid filter clause: syntax error at position {self.at}.")
        self.at += 1
        return token

    def either(self) -> Predicate:
        left = self.both()
        while self.peek().casefold() == "or":
            self.take()
            left = _or(left, self.both())
        return left

    def both(self) -> Predicate:
        left = self.term()
        while self.peek().casefold() == "and":
            self.take()
            left = _and(left, self.term())
        return left

    def term(self) -> Predicate:
        word = self.peek().casefold()
        if word == "not":
            self.take()
            inner = self.term()
            return lambda row: not inner(row)
        if word == "(":
            self.take()
            inner = self.either()
            self.take(")")
            return inner
        if word in _FUNCTIONS:
            return self.function()
        if word.endswith("/any"):
            return self.any_of()
        return self.comparison()

    def function(self) -> Predicate:
        test = _FUNCTIONS[self.take().casefold()]
        self.take("(")
        path = self.take()
        self.take(",")
        wanted = str(_literal(self.take()))
        self.take(")")
        return lambda row: test(str(_value(row, path) or ""), wanted)

    def any_of(self) -> Predicate:
        path = self.take().rpartition("/")[0]
        self.take("(")
        alias = self.take()
        self.take(":")
        inner = self.either()
        self.take(")")
        return lambda row: any(inner({alias: each}) for each in _value(row, path) or ())

    def comparison(self) -> Predicate:
        path = self.take()
        operator = self.take().casefold()
        if operator not in _OPERATORS:
            raise bad_query(f"Invalid filter clause: unknown operator '{operator[:20]}'.")
        test, wanted = _OPERATORS[operator], _literal(self.take())
        if path.endswith("/id") and isinstance(wanted, str):
            return lambda row: test(_key(_value(row, path)), _key(wanted))
        return lambda row: _compare(test, _value(row, path), wanted)


def _or(left: Predicate, right: Predicate) -> Predicate:
    return lambda row: left(row) or right(row)


def _and(left: Predicate, right: Predicate) -> Predicate:
    return lambda row: left(row) and right(row)


def _key(identity: Any) -> str:
    try:
        return property_key(str(identity))
    except ServiceError:
        return str(identity)


def _literal(token: str) -> str | int | bool | None:
    if token.startswith("'"):
        return token[1:-1].replace("''", "'")
    folded = token.casefold()
    if folded in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[folded]
    return int(token) if re.fullmatch(r"-?\d{1,18}", token) else token


def _value(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    for step in path.split("/"):
        if not isinstance(value, Mapping):
            return None
        if step not in value:
            raise invalid_request(f"Could not find a property named '{step[:60]}'.")
        value = value[step]
    return value


def _compare(test: Callable[[Any, Any], bool], value: Any, wanted: Any) -> bool:
    if isinstance(value, str) and isinstance(wanted, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        value, wanted = _padded(value), _padded(wanted)
    try:
        return test(value, wanted)
    except TypeError:
        return False


def _padded(time: str) -> str:
    """Return a time in a form that sorts: no zone letter, seven fraction digits."""
    whole, _, fraction = time.rstrip("Zz").partition(".")
    return f"{whole}.{fraction[:7].ljust(7, '0')}"


def parse_filter(text: str) -> Predicate:
    """
    Return `$filter` as a test on rows.

    Raises: ServiceError: 400 BadRequest for a clause that cannot be read.
    """
    tokens, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        found = _TOKEN.match(stripped, at)
        if found is None:
            raise bad_query(f"Invalid filter clause: syntax error at character {at}.")
        tokens.append(found["text"] or found["mark"] or found["word"])
        at = found.end()
    parser = _Parser(tokens)
    predicate = parser.either()
    if parser.peek():
        raise bad_query("Invalid filter clause: something follows its end.")
    return predicate


def sort_rows(rows: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Return rows ordered by `$orderby`. Raises: ServiceError: 400 for an unknown property."""
    for clause in reversed([part.strip() for part in text.split(",") if part.strip()]):
        path, _, direction = clause.partition(" ")
        backwards = direction.strip().casefold() == "desc"
        rows = sorted(rows, key=lambda row: _order(_value(row, path)), reverse=backwards)
    return rows


def _order(value: Any) -> tuple[bool, str]:
    return value is not None, str(value)
