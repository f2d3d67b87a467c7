"""
Small changes of the code, one at a time, each to be noticed by a test or a simulated run.

The changes are those of mutmut's operators and two of our own (a condition turned round, a
statement left out). Everything is imported and collected once; each mutant is a fork of that, in
which the code of one function, or one constant, is exchanged in memory: no file is written. First
the the tests that reach the changed lines judge it (those that noticed its neighbours, then the
fastest), then so many seeds of `tests.simulation`. A mutant that nothing notices is a survivor,
unless `tests/mutants_equal.toml` says why it is no change at all: then it is not tried.

Not changed are annotations, decorators, docstrings, assertions (they tell the type checker what is
known), and types with names.

Run as: python -m scripts.mutants [--of MODULE] [--seeds N] [--jobs J] [--save FILE] [--again FILE].
"""

from __future__ import annotations

import argparse
import difflib
import gc
import json
import os
import pickle
import re
import resource
import shutil
import signal
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, process_time
from types import CodeType, FunctionType, ModuleType
from typing import Any

import coverage
import libcst as cst
import pytest
from hypothesis import Phase, settings
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

from tests.simulation.run import ran
from tests.simulation.script import drawn
from tests.simulation.shrink import kind_of

ROOT = Path(__file__).resolve().parents[1]
EQUAL = ROOT / "tests/mutants_equal.toml"

_SMALL = (
    "tests/core/test_mail_guard.py",
    "tests/core/test_delta.py",
    "tests/rounds/test_guards.py",
)
_CORE = ("tests/core/test_merge.py", "tests/core/test_decide.py", "tests/core/test_plan*.py")
_ROUNDS = (
    *("tests/rounds/test_outbox.py", "tests/rounds/test_cases.py", "tests/rounds/test_sync.py"),
    *("tests/rounds/test_moves.py", "tests/rounds/test_series.py", "tests/rounds/test_versions.py"),
    *("tests/rounds/test_stubborn.py", "tests/rounds/test_lag.py"),
    "tests/rounds/test_properties.py",
)

_ATTACHED = ("tests/rounds/test_attaching.py", "tests/rounds/test_attached.py")

TESTS: Mapping[str, tuple[str, ...]] = {
    "core/guard.py": _SMALL,
    "core/mail.py": (*_SMALL, *_CORE),
    "core/delta.py": _SMALL,
    "core/merge.py": _CORE,
    "core/decide.py": (*_CORE, *_ATTACHED),
    "core/plan": (*_SMALL, *_CORE, *_ATTACHED),
    "round/asked.py": ("tests/rounds/test_asked.py", *_ATTACHED),
    "round/attached.py": _ATTACHED,
    "round/in_doubt.py": (
        *("tests/rounds/test_in_doubt.py", "tests/rounds/test_asked.py"),
        *_ROUNDS,
    ),
    "round/push.py": ("tests/rounds/test_outbox.py",),
    "round/requests.py": ("tests/rounds/test_targets.py", *_ROUNDS),
    "round/targets.py": (
        *("tests/rounds/test_targets.py", "tests/rounds/test_sceptic.py"),
        *_ROUNDS,
    ),
    "round/carrying.py": ("tests/rounds/test_moves.py",),
}
"""What is changed, in this order, and the tests that concern it."""

TESTS_S = 20.0
"""So many seconds of tests at the most judge a mutant that many of them reach."""

SLOWER = 5
"""A mutant that takes so many times as long as the code itself has been noticed."""

SURVIVED, BY_TEST, BY_SEED = 0, 1, 2


# --- what is changed -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mutant:
    """
    One change: `was` are the lines that it takes away, `now` those that it puts there.

    `name` is the function, the field of a class or the constant; `lines` where the change is;
    `source` the whole module with it.
    """

    module: str
    name: str
    lines: tuple[int, int]
    was: str
    now: str
    source: str = field(repr=False)
    default: bool = False

    def __str__(self) -> str:
        was = "\n".join(f"    - {line}" for line in self.was.splitlines())
        now = "\n".join(f"    + {line}" for line in self.now.splitlines())
        return f"{self.module}:{self.lines[0]} {self.name}\n{was}\n{now}"


def _turned_round(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Conditions that no other operator changes."""
    if isinstance(node, cst.If | cst.While | cst.CompIf) and isinstance(
        node.test, cst.Name | cst.Attribute | cst.Call | cst.Await | cst.NamedExpr
    ):
        within = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        yield node.with_changes(test=cst.UnaryOperation(cst.Not(), within))


def _left_out(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Statements that do something, or end what is done."""
    if isinstance(node, cst.SimpleStatementLine) and len(node.body) == 1:
        statement = node.body[0]
        if _is_never(statement):
            return
        does = isinstance(statement, cst.Expr) and isinstance(statement.value, cst.Call | cst.Await)
        if does or isinstance(statement, cst.AugAssign | cst.Raise | cst.Return | cst.Continue):
            yield node.with_changes(body=[cst.Pass()])


class Changes(cst.CSTVisitor):
    """Collects the mutants of one module."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        self.found: list[tuple[cst.CSTNode, cst.CSTNode, str, CodeRange, bool]] = []
        self._names: list[str] = []
        self._in_function = 0
        self._in_default = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Annotation | cst.Decorator | cst.Assert | cst.Import):
            return False
        if isinstance(node, cst.ImportFrom) or _is_never(node) or _is_docstring(node):
            return False
        if isinstance(node, cst.Param) and node.default is not None:
            self._in_default += 1
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._names.append(node.name.value)
            self._in_function += isinstance(node, cst.FunctionDef)
        elif not self._in_function and isinstance(node, cst.Assign | cst.AnnAssign):
            self._names.append(_target(node))
        self._change(node)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        node = original_node
        if isinstance(node, cst.Param) and node.default is not None:
            self._in_default -= 1
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._names.pop()
            self._in_function -= isinstance(node, cst.FunctionDef)
        elif not self._in_function and isinstance(node, cst.Assign | cst.AnnAssign):
            self._names.pop()

    def _change(self, node: cst.CSTNode) -> None:
        if not self._names or not (self._in_function or _is_value(self._names[-1])):
            return
        if not self._in_function and len(self._names) > 1 and isinstance(node, cst.Call):
            return  # the factory of a field, which is in no function's defaults
        name = ".".join(self._names)
        if self._in_function:
            # What is exchanged is the outermost function.
            depth = next(at for at, one in enumerate(self._names, 1) if not one[0].isupper())
            name = ".".join(self._names[:depth])
        where = self.get_metadata(PositionProvider, node, None)
        if isinstance(where, CodeRange):
            for changed in _changed(node):
                self.found.append((node, changed, name, where, bool(self._in_default)))


def _changed(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            ways = [way for way in operator(node) if not _is_none_of_ours(node, way)]
            # Other letters in a text are no other kind of change.
            yield from ways[:1] if isinstance(node, cst.SimpleString) else ways
    yield from _turned_round(node)
    yield from _left_out(node)


def _is_none_of_ours(node: cst.CSTNode, changed: cst.CSTNode) -> bool:
    if isinstance(node, cst.Match) and isinstance(changed, cst.Match):
        (dropped,) = [one for one in node.cases if one not in changed.cases]
        line = dropped.body.body[0]
        return isinstance(line, cst.SimpleStatementLine) and _is_never(line.body[0])
    return _is_false_for_none(node, changed)


def _is_false_for_none(node: cst.CSTNode, changed: cst.CSTNode) -> bool:
    """None where False was asked for is the same answer in other words."""
    if isinstance(node, cst.AnnAssign) and isinstance(changed, cst.AnnAssign):
        return isinstance(node.value, cst.Name) and node.value.value == "False"
    if not isinstance(node, cst.Call) or not isinstance(changed, cst.Call):
        return False
    pairs = zip(node.args, changed.args, strict=False)
    differing = [(one.value, other.value) for one, other in pairs if one is not other]
    return len(node.args) == len(changed.args) and any(
        isinstance(one, cst.Name) and one.value == "False" and _is_none(other)
        for one, other in differing
    )


def _is_none(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"


def _is_never(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Expr) and _calls(node.value, "assert_never")


def _calls(node: cst.CSTNode, *names: str) -> bool:
    return (
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Name)
        and node.func.value in (names or (node.func.value,))
    )


def _is_docstring(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Expr) and isinstance(node.value, cst.BaseString)


def _target(node: cst.Assign | cst.AnnAssign) -> str:
    target = node.targets[0].target if isinstance(node, cst.Assign) else node.target
    return target.value if isinstance(target, cst.Name) else ""


def _is_value(name: str) -> bool:
    """Whether a name stands for a value: types have capital and small letters."""
    return not name.startswith("__") and (name == name.upper() or name == name.lower())


def mutants_of(module: str) -> list[Mutant]:
    """All mutants of a file below `syncd`, in the order of its lines."""
    source = (ROOT / "syncd" / module).read_text()
    tree = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
    changes = Changes()
    tree.visit(changes)
    found: dict[str, Mutant] = {}
    same = _meaning(source)
    for node, changed, name, where, default in changes.found:
        new = tree.module.deep_replace(node, changed).code  # type: ignore[union-attr]
        was, now = _difference(source, new)
        if _meaning(new) not in (None, same):
            lines = (where.start.line, where.end.line)
            found.setdefault(new, Mutant(module, name, lines, was, now, new, default))
    return sorted(found.values(), key=lambda one: one.lines)


def _meaning(source: str) -> object:
    """What the interpreter makes of a source, wherever its lines are; None: nothing."""
    try:
        return _without_lines(compile(source, "mutant", "exec"))
    except SyntaxError:
        return None


def _without_lines(code: CodeType) -> CodeType:
    inner = (_without_lines(one) if isinstance(one, CodeType) else one for one in code.co_consts)
    return code.replace(
        co_consts=tuple(inner), co_linetable=b"", co_firstlineno=1, co_exceptiontable=b""
    )


def _difference(source: str, new: str) -> tuple[str, str]:
    lines = [
        line
        for line in difflib.unified_diff(source.splitlines(), new.splitlines(), n=0, lineterm="")
        if not line.startswith(("---", "+++", "@@"))
    ]
    was = "\n".join(line[1:].strip() for line in lines if line.startswith("-"))
    return was, "\n".join(line[1:].strip() for line in lines if line.startswith("+"))


# --- which of them are none ----------------------------------------------------------------------


@dataclass(slots=True)
class Equal:
    """The mutants that change nothing, each with its reason; `used` those that were met."""

    reasons: dict[tuple[str, str, str, str], str]
    used: set[tuple[str, str, str, str]] = field(default_factory=set)

    @classmethod
    def read(cls, file: Path) -> Equal:
        """Raises: KeyError: an entry lacks something."""
        entries = tomllib.loads(file.read_text())["equal"] if file.exists() else []
        return cls(
            {
                (*one["of"].split(":"), one["was"].strip(), now.strip()): one["why"]
                for one in entries
                for now in one["now"]
            }
        )

    def knows(self, mutant: Mutant) -> bool:
        """Whether it is listed."""
        key = (mutant.module, mutant.name, mutant.was, mutant.now)
        self.used |= {key} & self.reasons.keys()
        return key in self.reasons

    def unmet(self, modules: Iterable[str]) -> list[str]:
        """Entries for these modules that are no mutants any more."""
        looked = set(modules)
        left = (key for key in self.reasons if key not in self.used and key[0] in looked)
        return [f"{key[0]}:{key[1]}: {key[2]!r}" for key in left]


# --- a mutant in memory --------------------------------------------------------------------------


def install(mutant: Mutant) -> None:
    """Exchange what the mutant changes, in this process. Raises: whatever its code does."""
    name = "syncd." + mutant.module.removesuffix(".py").replace("/", ".")
    module = sys.modules[name.removesuffix(".__init__")]
    compiled = compile(mutant.source, str(ROOT / "syncd" / mutant.module), "exec")
    code = _code_of(compiled, mutant.name)
    if code is not None and not mutant.default:
        _function(module, mutant.name).__code__ = code
        return
    fresh = ModuleType(module.__name__)
    fresh.__file__ = module.__file__
    sys.modules[module.__name__], before = fresh, module
    try:
        exec(compiled, vars(fresh))
    finally:
        sys.modules[module.__name__] = before
    if code is not None:
        old, new = _function(module, mutant.name), _function(fresh, mutant.name)
        old.__defaults__, old.__kwdefaults__ = new.__defaults__, new.__kwdefaults__
    elif "." in mutant.name:
        of = mutant.name.rpartition(".")[0]
        old_init: Any = getattr(module, of).__init__
        new_init: Any = getattr(fresh, of).__init__
        if isinstance(old_init, FunctionType):
            old_init.__defaults__ = new_init.__defaults__
    else:
        _rename(module, mutant.name, getattr(fresh, mutant.name))


def _code_of(within: CodeType, name: str) -> CodeType | None:
    for one in within.co_consts:
        if isinstance(one, CodeType):
            if one.co_qualname == name and "." not in name:
                return None if one.co_name != name or _is_class(one) else one
            if name.startswith(f"{one.co_qualname}."):
                inner = (it for it in one.co_consts if isinstance(it, CodeType))
                return next((it for it in inner if it.co_qualname == name), None)
    return None


def _is_class(code: CodeType) -> bool:
    return "__module__" in code.co_names and "__qualname__" in code.co_names


def _function(module: ModuleType, name: str) -> FunctionType:
    found: Any = module
    for part in name.split("."):
        found = vars(found)[part]
    found = getattr(found, "fget", None) or getattr(found, "__func__", found)
    assert isinstance(found, FunctionType)
    return found


def _rename(module: ModuleType, name: str, value: object) -> None:
    """Everybody who imported a constant has the other value."""
    old = vars(module)[name]
    for other in list(sys.modules.values()):
        names = getattr(other, "__dict__", {})
        if getattr(other, "__name__", "").startswith(("syncd", "tests")):
            for known in [known for known, one in names.items() if one is old and known == name]:
                names[known] = value


# --- the judge -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reach:
    """How long a test takes, and the lines of each module that it runs."""

    seconds: float
    lines: Mapping[str, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who noticed a mutant ("" nobody): a test, a seed, or the clock."""

    mutant: Mutant
    kind: str
    by: str = ""


class Judge:
    """The plugin that takes the place of pytest's own loop over the tests."""

    def __init__(self, asked: argparse.Namespace, mutants: Sequence[Mutant]) -> None:
        self.asked = asked
        self.mutants = mutants
        self.verdicts: list[Verdict] = []
        self.broken: list[str] = []
        self._failed: list[str] = []
        self._noticed: dict[tuple[str, str], list[str]] = {}

    def pytest_sessionstart(self) -> None:
        # That an example fails is enough: it need not become a small one.
        settings.register_profile(
            "mutants", settings.get_profile("suite"), phases=(Phase.explicit, Phase.generate)
        )
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        gc.collect()
        gc.freeze()
        begin = process_time(), monotonic()
        reach = self._reach(session)
        said = f"{len(reach)} tests, {sum(one.seconds for one in reach.values()):.0f} s"
        print(f"{said}; {len(self.mutants)} mutants", flush=True)
        self._judge(session, reach)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = process_time() - begin[0] + used.ru_utime + used.ru_stime
        print(f"{spent:.0f} s of processor, {monotonic() - begin[1]:.0f} s", flush=True)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.append(report.nodeid)

    def _reach(self, session: pytest.Session) -> dict[str, Reach]:
        """Run every test once, unchanged. Tests that fail are left out, and told."""
        with tempfile.TemporaryDirectory() as folder:
            told = Path(folder, "reach")
            child = os.fork()
            if child == 0:
                _quiet(folder)
                told.write_bytes(pickle.dumps(self._measured(session)))
                os._exit(0)
            os.waitpid(child, 0)
            reach, self.broken = pickle.loads(told.read_bytes())
        return dict(reach)

    def _measured(self, session: pytest.Session) -> tuple[dict[str, Reach], list[str]]:
        modules = {one.module for one in self.mutants}
        paths = {module: str(ROOT / "syncd" / module) for module in modules}
        found: dict[str, Reach] = {}
        for at, item in enumerate(session.items):
            measure = coverage.Coverage(data_file=None, include=list(paths.values()))
            begin = process_time()
            measure.start()
            self._run(session, item, at)
            measure.stop()
            seconds, data = process_time() - begin, measure.get_data()
            lines = {name: frozenset(data.lines(path) or ()) for name, path in paths.items()}
            found[item.nodeid] = Reach(seconds, lines)
        return {key: one for key, one in found.items() if key not in self._failed}, self._failed

    def _run(self, session: pytest.Session, item: pytest.Item, at: int) -> None:
        following = session.items[at + 1] if at + 1 < len(session.items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

    def _judge(self, session: pytest.Session, reach: Mapping[str, Reach]) -> None:
        waiting = list(reversed(self.mutants))
        running: dict[int, tuple[Mutant, Path]] = {}
        while waiting or running:
            while waiting and len(running) < self.asked.jobs:
                mutant = waiting.pop()
                folder = Path(tempfile.mkdtemp(prefix="syncd-mutant-"))
                running[self._forked(session, mutant, reach, folder)] = mutant, folder
            child, status = os.wait()
            if child in running:
                mutant, folder = running.pop(child)
                self._settle(mutant, status, folder)

    def _forked(
        self, session: pytest.Session, mutant: Mutant, reach: Mapping[str, Reach], folder: Path
    ) -> int:
        child = os.fork()
        if child:
            return child
        try:
            _quiet(str(folder))
            code = self._tried(session, mutant, reach, folder)
        except BaseException as error:
            (folder / "by").write_text(f"{type(error).__name__}: {error}"[:200])
            code = BY_TEST
        os._exit(code)

    def _tried(
        self, session: pytest.Session, mutant: Mutant, reach: Mapping[str, Reach], folder: Path
    ) -> int:
        chosen = chosen_tests(mutant, reach, self._noticed.get((mutant.module, mutant.name), ()))
        _limit(2 + SLOWER * sum(reach[one].seconds for one in chosen))
        install(mutant)
        items = {one.nodeid: one for one in session.items}
        session.items = [items[one] for one in chosen]
        for at, item in enumerate(session.items):
            (folder / "by").write_text(item.nodeid)
            self._run(session, item, at)
            if self._failed:
                return BY_TEST
        _limit(10 + SLOWER * 0.1 * self.asked.seeds)
        gc.disable()
        for seed in range(1, self.asked.seeds + 1):
            (folder / "by").write_text(f"seed {seed}")
            if kind := kind_of(ran(drawn(seed))):
                (folder / "by").write_text(f"seed {seed}: {kind[:100]}")
                return BY_SEED
            if seed % 50 == 0:
                gc.collect()
        return SURVIVED

    def _settle(self, mutant: Mutant, status: int, folder: Path) -> None:
        by = (folder / "by").read_text() if (folder / "by").exists() else ""
        shutil.rmtree(folder, ignore_errors=True)
        code = os.waitstatus_to_exitcode(status)
        kind = {SURVIVED: "survived", BY_TEST: "test", BY_SEED: "seed"}.get(code, "time")
        verdict = Verdict(mutant, kind, "" if kind == "survived" else by)
        self.verdicts.append(verdict)
        self._noticed.setdefault((mutant.module, mutant.name), []).insert(0, by)
        if kind == "survived":
            print(f"SURVIVED {mutant}", flush=True)
        if self.asked.save is not None:
            with self.asked.save.open("a") as file:
                file.write(json.dumps(_row(verdict)) + "\n")


def chosen_tests(
    mutant: Mutant, reach: Mapping[str, Reach], noticed: Sequence[str] = ()
) -> list[str]:
    """
    The tests that run the changed lines, or else any.

    First those that noticed another mutant of the same function, the last one first, as `noticed`
    has them; then the fastest.
    """
    first, last = mutant.lines
    lines = {*range(first, last + 1), *_uses(mutant)}
    near = [key for key, one in reach.items() if lines & one.lines.get(mutant.module, frozenset())]
    chosen, seconds = [], 0.0
    known = [key for key in dict.fromkeys(noticed) if key in near]
    for key in dict.fromkeys([*known, *sorted(near or reach, key=_fastest(reach))]):
        seconds += reach[key].seconds
        if seconds > TESTS_S:
            break
        chosen.append(key)
    return chosen


def _uses(mutant: Mutant) -> set[int]:
    """Where a constant is used: no test runs the line that defines it."""
    if not mutant.name.strip("_").isupper():
        return set()
    rows = enumerate(mutant.source.splitlines(), 1)
    return {at for at, row in rows if re.search(rf"\b{mutant.name}\b", row)}


def _fastest(reach: Mapping[str, Reach]) -> Callable[[str], tuple[float, str]]:
    return lambda key: (reach[key].seconds, key)


def _quiet(folder: str) -> None:
    """No output, and temporary files where the parent removes them."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (1, 2):
        os.dup2(null, number)
    os.environ["TMPDIR"] = os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
    tempfile.tempdir = folder


def _limit(seconds: float) -> None:
    """So much more processor time; ten times as much of any time, for what waits for ever."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
    signal.alarm(int(10 * seconds) + 1)


def _row(verdict: Verdict) -> dict[str, object]:
    one = verdict.mutant
    return {
        "of": f"{one.module}:{one.name}",
        "line": one.lines[0],
        "was": one.was,
        "now": one.now,
        "verdict": verdict.kind,
        "by": verdict.by,
    }


# --- the command ---------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Judge the mutants; 1 where one survives or an entry of the list of equal ones is stale."""
    asked = _arguments(argv)
    os.chdir(ROOT)
    modules = [module for name in asked.of or TESTS for module in _files(name)]
    equal = Equal.read(EQUAL)
    everything = [mutant for module in modules for mutant in mutants_of(module)]
    mutants = [one for one in everything if not equal.knows(one)]
    if asked.again is not None:
        survivors = _survivors(asked.again)
        mutants = [one for one in mutants if _named(_row(Verdict(one, ""))) in survivors]
    if asked.list:
        print("\n".join(str(one) for one in mutants))
        return 0
    judge = Judge(asked, mutants)
    code = pytest.main(
        [*_tests(modules), "--assert=plain", "--tb=native", "-s", "-qq", "-p", "no:cacheprovider"],
        plugins=[judge],
    )
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        print(f"pytest ended with {code!r}")
        return 2
    return _told(judge, modules, everything, equal)


def _survivors(file: Path) -> set[tuple[object, ...]]:
    """The mutants that nothing noticed in an earlier run, whose lines may have moved since."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return {_named(row) for row in rows if row["verdict"] == "survived"}


def _named(row: Mapping[str, object]) -> tuple[object, ...]:
    return row["of"], row["was"], row["now"]


def _files(name: str) -> list[str]:
    path = ROOT / "syncd" / name
    files = sorted(path.glob("*.py")) if path.is_dir() else [path]
    return [str(file.relative_to(ROOT / "syncd")) for file in files]


def _tests(modules: Iterable[str]) -> list[str]:
    """The files of tests that concern any of the modules."""
    patterns = dict.fromkeys(
        pattern
        for module in modules
        for name, tests in TESTS.items()
        if module == name or module.startswith(f"{name}/")
        for pattern in tests
    )
    found = dict.fromkeys(file for one in patterns for file in sorted(ROOT.glob(one)))
    return [str(file) for file in found]


def _told(judge: Judge, modules: Sequence[str], all_: Sequence[Mutant], equal: Equal) -> int:
    survivors = [one for one in judge.verdicts if one.kind == "survived"]
    print(f"{'':26} mutants  test  seed  time equal survived")
    for module in modules:
        kinds = Counter(one.kind for one in judge.verdicts if one.mutant.module == module)
        listed = sum(one.module == module and equal.knows(one) for one in all_)
        whole = listed + kinds.total()
        figures = (whole, kinds["test"], kinds["seed"], kinds["time"], listed, kinds["survived"])
        print(f"{module:26} " + " ".join(f"{one:6}" for one in figures))
    for nodeid in judge.broken:
        print(f"not asked, because it fails by itself: {nodeid}")
    stale = equal.unmet(modules)
    for one in stale:
        print(f"listed as equal, and no mutant: {one}")
    return 1 if survivors or stale or judge.broken else 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mutants", description=(__doc__ or "").split("\n")[1])
    parser.add_argument(
        "--of", action="append", metavar="MODULE", help=f"of {', '.join(TESTS)}, or files below"
    )
    parser.add_argument("--seeds", type=int, default=500, help="simulated runs a survivor [500]")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--save", type=Path, help="all verdicts, a line of JSON each")
    parser.add_argument("--again", type=Path, help="only those that survived in a saved run")
    parser.add_argument("--list", action="store_true", help="tell the mutants, judge none")
    asked = parser.parse_args(argv)
    for name in asked.of or ():
        if not any(name == one or name.startswith(f"{one}/") for one in TESTS):
            parser.error(f"no tests are known for {name}; there are {', '.join(TESTS)}")
    return asked


if __name__ == "__main__":
    sys.exit(main())
