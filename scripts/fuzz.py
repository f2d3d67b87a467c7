"""
A search for bytes that crash or stall the readers, guided by the coverage they reach (atheris).

What is searched for is what `tests.hostile` says must hold of any bytes, as a file or, where they
begin with a brace, as an event from the service. A worker process does the searching and goes on
after each finding; this one prepares its corpus, tells what it found and counts. An input that is
slow under the instruments is measured again in a plain process before it counts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.hostile.claims import CPU_LIMIT_S, Watch, examined, received
from tests.hostile.events import EVENTS
from tests.hostile.files import HOSTILE
from tests.hostile.mutation import mutated
from tests.hostile.real import ODD_LINES, REAL

MOST_BYTES = 8 * 1024
"""Of one input: long ones cost speed, and what size alone does the tests know by name."""

HANG_S = 60
MEMORY_MB = 3000
INSTRUMENTED = "syncd.core"


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that broke a claim: `kind` is crash or slow, `what` the claim or the exception."""

    kind: str
    what: str
    path: Path


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _arguments(argv)
    if arguments.worker is not None:
        return _work(arguments.worker, arguments.rest)
    if arguments.measure is not None:
        print(_longest_step_s(arguments.measure.read_bytes()))
        return 0
    samples = list(_samples(arguments.of))
    save = arguments.save or Path(tempfile.mkdtemp(prefix="syncd-fuzz-"))
    save.mkdir(parents=True, exist_ok=True)
    seed = arguments.seed if arguments.seed is not None else Random().randrange(1, 2**31)
    with tempfile.TemporaryDirectory(prefix="syncd-corpus-") as corpus:
        tally, died = _search(Path(corpus), samples, save, seed, arguments.minutes)
    return _told(list(_findings(save)), tally, died, save)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz", description=(__doc__ or "").split("\n")[1]
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="how long to search (5)")
    parser.add_argument("--seed", type=int, help="the same seed makes the same mutations")
    parser.add_argument("--of", choices=("files", "events", "both"), default="both")
    parser.add_argument("--save", type=Path, metavar="DIR", help="where findings are kept")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments, arguments.rest = parser.parse_known_args(argv)
    if arguments.rest and arguments.worker is None:
        parser.error(f"unknown arguments: {' '.join(arguments.rest)}")
    return arguments


# --- the search ----------------------------------------------------------------------------------


def _samples(of: str) -> Iterator[bytes]:
    """The samples of the tests, as far as they are short."""
    files = [*REAL.values(), *(data for _, data in HOSTILE.values())]
    events = [data for _, data in EVENTS.values()]
    chosen = {"files": files, "events": events, "both": files + events}[of]
    yield from (data for data in chosen if len(data) <= MOST_BYTES)


def _search(
    corpus: Path, samples: Sequence[bytes], save: Path, seed: int, minutes: float
) -> tuple[dict[str, str], bool]:
    """Run a worker to its end; returns its last figures, and whether it died before its time."""
    for data in samples:
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    words = corpus.parent / f"{corpus.name}.dict"
    words.write_text(_dictionary())
    options = [
        f"-max_total_time={round(minutes * 60)}",
        *(f"-seed={seed}", f"-max_len={MOST_BYTES}", f"-dict={words}", f"-timeout={HANG_S}"),
        # By the clock on the wall, which says nothing on a busy machine; CPU time is measured here.
        f"-report_slow_units={HANG_S}",
        *(f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={save}/", "-print_final_stats=1"),
    ]
    print(f"searching for {minutes:g} minutes, seed {seed}", flush=True)
    command = [sys.executable, "-m", "scripts.fuzz", "--worker", str(save), *options, str(corpus)]
    tally: dict[str, str] = {}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace") as worker:
        assert worker.stderr is not None
        for line in worker.stderr:
            _count(line, tally)
            if _is_worth_telling(line):
                print(line, end="", flush=True)
    words.unlink()
    return tally, worker.returncode != 0


def _dictionary() -> str:
    """Words that no random change would hit upon, in libFuzzer's spelling."""
    words = {word for line in ODD_LINES for word in re.split(rb"[:;=,]", line) if len(word) > 2}
    return "".join(f'"{_spelled(word)}"\n' for word in sorted(words) if len(word) < 60)


def _spelled(word: bytes) -> str:
    plain = range(0x20, 0x7F)
    return "".join(
        chr(byte) if byte in plain and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word
    )


_FIGURES = re.compile(r"#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)/\S+")


def _count(line: str, tally: dict[str, str]) -> None:
    found = _FIGURES.match(line)
    if found is not None:
        tally |= zip(("executions", "edges", "features", "corpus"), found.groups(), strict=True)


def _is_worth_telling(line: str) -> bool:
    return line.startswith(("finding", "ERROR", "==", "Traceback", "SUMMARY")) or "pulse" in line


# --- the worker ----------------------------------------------------------------------------------


def _work(save: Path, options: Sequence[str]) -> int:
    """Search in this process; libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=[INSTRUMENTED]):
        _reloaded()
    claims = sys.modules["tests.hostile.claims"]
    known: set[str] = set()

    def one_input(data: bytes) -> None:
        _try(bytes(data), claims, save, known)

    def mutator(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.4:
            return bytes(atheris.Mutate(data, most))
        for _ in range(random.choice((1, 1, 2, 4))):
            data = mutated(bytes(data), random)
        return data[:most]

    atheris.Setup([sys.argv[0], *options], one_input, custom_mutator=mutator)
    atheris.Fuzz()
    return 0


def _reloaded() -> None:
    """The project's modules once more, under the instruments; `-m` has brought them in plain."""
    for name in [one for one in sys.modules if one.partition(".")[0] in ("syncd", "tests")]:
        del sys.modules[name]
    __import__("tests.hostile.claims")


def _try(data: bytes, claims: Any, save: Path, known: set[str]) -> None:
    watch = claims.Watch()
    try:
        _ask(data, watch, claims)
    except Exception as error:
        _keep(data, "crash", _where(error), save, known)
    if watch.cpu_s > CPU_LIMIT_S:
        _measure(data, watch.step, save, known)


def _ask(data: bytes, watch: Watch, claims: Any) -> None:
    if data[:1] == b"{":
        claims.received(data, watch)
    else:
        # One of the bases at a time: more inputs find more than more questions about each.
        claims.examined(data, watch, claims.BASES[len(data) % len(claims.BASES) :][:1])


def _where(error: Exception) -> str:
    """What went wrong and where, the same for inputs that find the same."""
    frames = [
        f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)
    ]
    said = f" {error}" if isinstance(error, AssertionError) else ""
    return f"{type(error).__name__}{said[:80]} {' '.join(frames[-3:])}"


def _measure(data: bytes, step: str, save: Path, known: set[str]) -> None:
    what = f"more than {CPU_LIMIT_S:g} s of CPU: {step}"
    if what in known:
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        command = [sys.executable, "-m", "scripts.fuzz", "--measure", file.name]
        took = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    if not took or float(took) > CPU_LIMIT_S:
        _keep(data, "slow", what, save, known)


def _longest_step_s(data: bytes) -> float:
    watch = Watch()
    (received if data[:1] == b"{" else examined)(data, watch)
    return watch.cpu_s


def _keep(data: bytes, kind: str, what: str, save: Path, known: set[str]) -> None:
    if what in known:
        return
    known.add(what)
    path = save / f"{kind}-{hashlib.sha256(data).hexdigest()[:16]}"
    path.write_bytes(data)
    path.with_suffix(".json").write_text(json.dumps({"kind": kind, "what": what}))
    print(f"finding: {what} ({len(data)} bytes, {path})", file=sys.stderr, flush=True)


# --- the answer ----------------------------------------------------------------------------------


def _findings(save: Path) -> Iterator[Finding]:
    for path in sorted(save.iterdir()):
        note = path.with_suffix(".json")
        if path.suffix == ".json":
            continue
        told = (
            json.loads(note.read_text()) if note.exists() else {"kind": "crash", "what": path.name}
        )
        yield Finding(told["kind"], told["what"], path)


def _told(findings: Sequence[Finding], tally: dict[str, str], died: bool, save: Path) -> int:
    """Print what came of it; 1 with any finding, and where the worker itself was brought down."""
    print(", ".join(f"{figure} {name}" for name, figure in tally.items()) or "no figures")
    for one in findings:
        data = one.path.read_bytes()
        print(f"{one.kind}: {one.what}\n  {one.path} ({len(data)} bytes): {data[:200]!r}")
    if died:
        print("the worker ended before its time")
    if not findings and not died:
        print("nothing was found")
        return 0
    print(f"{len(findings)} findings in {save}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
