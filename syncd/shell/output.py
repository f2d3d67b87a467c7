"""
What commands print: tables, JSON, a line of progress; and facts for the log.

Knows terminals: what they would act on is escaped, and where there is none, columns are not cut
and nothing is drawn. Knows nothing of calendars. Only imports rich when something is printed, so
that a command starts fast.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "Facts",
    "age",
    "bytes_progress",
    "clean",
    "console",
    "counted",
    "log_fact",
    "print_json",
    "progress",
    "say",
    "size",
    "table",
    "tell",
]

Facts = Callable[[str, Mapping[str, Any]], None]
WIDE: Final = 4096
"""Columns where nobody looks at them: wide enough that no table is cut."""


def console(stream: TextIO | None = None) -> Console:
    """A console on `stream` (stdout by default); rich markup in texts is never interpreted."""
    from rich.console import Console

    stream = stream or sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def clean(text: object) -> str:
    """`text` on one line, with whatever a terminal would act on escaped."""
    return "".join(c if c.isprintable() else _escaped(c) for c in str(text))


def _escaped(character: str) -> str:
    return " " if character in "\n\t" else ascii(character)[1:-1]


def say(text: str = "", style: str = "") -> None:
    """Print a line to stdout; line ends in it stay, control characters do not."""
    _print(console(), text, style)


def tell(text: str, style: str = "") -> None:
    """Print a line to stderr."""
    _print(console(sys.stderr), text, style)


def _print(where: Console, text: str, style: str) -> None:
    from rich.text import Text

    for line in text.split("\n"):
        where.print(Text(clean(line), style=style), soft_wrap=True)


def print_json(value: object) -> None:
    """Print `value` as JSON, in ASCII, so that no text in it can act on a terminal."""
    sys.stdout.write(json.dumps(value, indent=2, default=_plain) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    return str(value)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], styles: Mapping[str, str] = {}
) -> None:
    """
    Print rows under headings, or under none where all are "".

    Args: rows: a cell is a text, a number or None. styles: of rich, by column.
    """
    from rich.table import Table
    from rich.text import Text

    drawn = Table(
        box=None,
        pad_edge=False,
        header_style="bold",
        padding=(0, 2, 0, 0),
        show_header=any(columns),
    )
    for name in columns:
        drawn.add_column(name, overflow="fold", style=styles.get(name, ""))
    for row in rows:
        drawn.add_row(*(Text("" if cell is None else clean(cell)) for cell in row))
    target = console()
    with target.capture() as captured:
        target.print(drawn)
    lines = captured.get().split("\n")
    sys.stdout.write("\n".join(lines if sys.stdout.isatty() else [one.rstrip() for one in lines]))


def counted(number: int, one: str, many: str = "") -> str:
    """`1 file`, `2 files`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def age(seconds: float) -> str:
    """How long ago something was, in its largest unit: `12s`, `3m`, `5h`, `2d`."""
    for unit, size_s in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size_s:
            return f"{int(seconds // size_s)}{unit}"
    return f"{max(0, int(seconds))}s"


def size(size_bytes: int) -> str:
    """A size in its largest unit: `512 B`, `1.5 kB`, `12.3 MB`."""
    for unit, worth in (("MB", 1_000_000), ("kB", 1_000)):
        if size_bytes >= worth:
            return f"{size_bytes / worth:.1f} {unit}"
    return f"{size_bytes} B"


def log_fact(event: str, facts: Mapping[str, Any]) -> None:
    """Log a fact: rounds at info, what makes them up at debug; trouble with the state warns."""
    import structlog

    log = structlog.get_logger()
    # "event" is structlog's own name for the first argument.
    fields = {name: value for name, value in facts.items() if name != "event"}
    if event in ("state.set_aside", "state.went_back"):
        log.warning(event, **fields)
    elif event == "round.finished":
        log.info(event, **fields)
    else:
        log.debug(event, **fields)


# --- progress ------------------------------------------------------------------------------------

_COUNTED: Final[Mapping[str, tuple[str, str]]] = {
    "page.stored": ("rows", "received"),
    "doubts.settled": ("count", "asked for"),
    "files.written": ("count", "files written"),
    "writes.settled": ("count", "changes sent"),
}


@contextmanager
def progress(title: str) -> Iterator[Facts]:
    """
    A line on stderr that tells what a sync has done so far, where stderr is a terminal.

    Yields: what the facts of the sync are told to; they are logged as well.
    """
    if not sys.stderr.isatty():
        yield log_fact
        return
    sums = {label: 0 for _, label in _COUNTED.values()}
    with console(sys.stderr).status(clean(title)) as status:

        def observe(event: str, facts: Mapping[str, Any]) -> None:
            log_fact(event, facts)
            if event in _COUNTED:
                field, label = _COUNTED[event]
                sums[label] += int(facts.get(field, 0))
                told = " · ".join(f"{n} {name}" for name, n in sums.items() if n)
                status.update(f"{clean(title)}  {told}")

        yield observe


@contextmanager
def bytes_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A line on stderr, where it is a terminal, that tells how many bytes of how many came."""
    if not sys.stderr.isatty():
        yield lambda done, whole: None
        return
    with console(sys.stderr).status(clean(title)) as status:
        yield lambda done, whole: status.update(
            f"{clean(title)}  {size(done)} of {size(whole)} ({100 * done // max(whole, 1)} %)"
        )
