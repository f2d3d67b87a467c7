"""Who may import whom: the direction of the house, read from the imports themselves."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Layer:
    """
    What the modules of one layer may import.

    `ours` and `others` are packages with all that is below them; `others` None means any package.
    `banned` are modules of the standard library that would let the world in.
    """

    ours: tuple[str, ...]
    others: tuple[str, ...] | None = ()
    banned: tuple[str, ...] = ()


CORE_OTHERS = ("icalendar", "dateutil", "tzlocal", "tzdata", "msgspec")
WORLD = (
    *("asyncio", "concurrent", "multiprocessing", "selectors", "signal", "subprocess", "threading"),
    *("fileinput", "glob", "io", "mmap", "os", "pathlib", "shutil", "sqlite3", "sys", "tempfile"),
    *("ftplib", "http.client", "http.server", "socket", "ssl", "urllib.request"),
    *("logging", "structlog", "random", "secrets", "time"),
)
# What the program calls itself when it talks to a service; the root package has nothing else.
VERSION = "syncd.__version__"
ADAPTERS = ("clock", "export", "graph", "store", "vdir")

# The first entry that fits a module counts.
LAYERS: tuple[tuple[str, Layer], ...] = (
    ("syncd.core", Layer(("syncd.core",), CORE_OTHERS, WORLD)),
    ("syncd.ports", Layer(("syncd.core", "syncd.ports"))),
    *(
        (f"syncd.{name}", Layer(("syncd.core", "syncd.ports", f"syncd.{name}", VERSION), None))
        for name in ADAPTERS
    ),
    ("syncd.round", Layer(("syncd.core", "syncd.ports", "syncd.round"), None)),
    ("syncd.testing", Layer(("syncd.core", "syncd.ports", "syncd.testing"), None)),
    ("syncd.simulator", Layer(("syncd.simulator",), None)),
    ("syncd.shell", Layer(("syncd",), None)),
    ("syncd.__main__", Layer(("syncd.shell",))),
    ("syncd", Layer(())),
)


def within(module: str, package: str) -> bool:
    """Say whether `module` is `package` or below it; `syncd.round_x` belongs to `syncd.round`."""
    joined = ("syncd.round", "syncd.testing")
    return (
        module == package
        or module.startswith(f"{package}.")
        or (package in joined and module.startswith(f"{package}_"))
    )


def modules(root: Path) -> dict[str, Path]:
    """Return all modules of the package, by name."""
    return {_name(file.relative_to(root)): file for file in sorted((root / "syncd").rglob("*.py"))}


def _name(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(module: str, file: Path, known: frozenset[str]) -> Iterator[str]:
    """
    Yield the full name of each module that `module` imports, wherever in it and for whatever use.

    `from package import name` means the module `package.name` where there is one in `known`.
    """
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in known or inner == VERSION else base


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    above = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*above, *filter(None, [node.module])])


def trouble(module: str, imported: str) -> str | None:
    """Return what is wrong with an import, or None."""
    layer_name, layer = next((name, layer) for name, layer in LAYERS if within(module, name))
    if any(within(imported, name) for name in layer.banned):
        return f"{module} imports {imported}: {layer_name} keeps the world out"
    top = imported.partition(".")[0]
    if top == "syncd":
        allowed = any(within(imported, name) for name in layer.ours)
    else:
        allowed = top in sys.stdlib_module_names or layer.others is None or top in layer.others
    return None if allowed else f"{module} imports {imported}: {layer_name} may not"


def troubles(root: Path) -> list[str]:
    """Return all imports that go against the direction."""
    files = modules(root)
    known = frozenset(files)
    found = {
        trouble(module, imported)
        for module, file in files.items()
        for imported in imports(module, file, known)
    }
    return sorted(filter(None, found))


def test_imports_point_downwards() -> None:
    """Every import of every module goes the way the house stands."""
    assert troubles(ROOT) == []


def test_every_module_is_looked_at() -> None:
    """The walk finds the package, its deepest modules included."""
    assert {"syncd", "syncd.ports", "syncd.core.wire.dialects"} <= modules(ROOT).keys()


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("syncd/core/x.py", "import time"),
        ("syncd/core/x.py", "from os import path"),
        ("syncd/core/x.py", "import urllib.request"),
        ("syncd/core/x.py", "def f():\n    import random"),
        ("syncd/core/x.py", "if TYPE_CHECKING:\n    from syncd.ports import Clock"),
        ("syncd/core/x.py", "import requests"),
        ("syncd/core/x.py", "from .. import ports"),
        ("syncd/ports.py", "import msgspec"),
        ("syncd/ports.py", "from syncd.graph import client"),
        ("syncd/graph/x.py", "from syncd.store import store"),
        ("syncd/graph/x.py", "from syncd import store"),
        ("syncd/graph/x.py", "import syncd"),
        ("syncd/simulator/x.py", "from syncd import __version__"),
        ("syncd/graph/x.py", "from ..vdir import folder"),
        ("syncd/vdir/x.py", "import syncd.clock"),
        ("syncd/clock.py", "from syncd.shell import config"),
        ("syncd/export/x.py", "from syncd.round import run_round"),
        ("syncd/round.py", "from syncd.graph.client import X"),
        ("syncd/round/x.py", "from syncd.shell import config"),
        ("syncd/round_apply.py", "from syncd.vdir import x"),
        ("syncd/testing.py", "from syncd.simulator import x"),
        ("syncd/testing/x.py", "from syncd.vdir import x"),
        ("syncd/simulator/x.py", "from syncd.core import errors"),
        ("syncd/simulator/x.py", "import syncd"),
        ("syncd/other.py", "from syncd.graph import client"),
        ("syncd/__main__.py", "from syncd.graph import client"),
    ],
)
def test_import_upwards_or_sideways(tmp_path: Path, module: str, text: str) -> None:
    """An import against the direction is told with the module and what it imports."""
    _house(tmp_path, module, text)

    (told,) = troubles(tmp_path)

    assert told.startswith(module.removesuffix(".py").replace("/", ".") + " imports ")


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("syncd/core/x.py", "import re, zoneinfo, urllib.parse\nfrom . import errors"),
        ("syncd/core/x.py", "from dateutil.rrule import rrule\nfrom icalendar import Event"),
        ("syncd/ports.py", "from syncd.core.errors import SyncdError"),
        ("syncd/graph/x.py", "from syncd import __version__"),
        ("syncd/graph/x.py", "import aiohttp, time\nfrom syncd import ports\nfrom . import auth"),
        ("syncd/round/x.py", "from syncd.ports import Clock\nfrom syncd.round import y"),
        ("syncd/round_apply.py", "from syncd.round_plan import x"),
        ("syncd/simulator/x.py", "from syncd.simulator import tls\nimport aiohttp"),
        ("syncd/shell/x.py", "from syncd import graph, round, simulator, __version__"),
        ("syncd/__main__.py", "from syncd.shell.cli import main"),
    ],
)
def test_import_downwards(tmp_path: Path, module: str, text: str) -> None:
    """What the house allows is not told."""
    _house(tmp_path, module, text)

    assert troubles(tmp_path) == []


def _house(root: Path, module: str, text: str) -> None:
    for name in ("core", "graph", "store", "vdir", "shell", "simulator"):
        package = root / "syncd" / name
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
    for name in ("__init__.py", "core/errors.py", "ports.py"):
        (root / "syncd" / name).touch()
    file = root / module
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
