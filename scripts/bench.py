"""
What syncd costs, as whole processes, measured against a floor in the same run.

Knows the mailbox that is measured (one calendar, all of it inside the window: 19 of 20 events are
single ones, every twentieth is a series of five weeks; about 2.2 KB of JSON each), the steps, and
what must be true after each. It never judges a time: machines differ, so what it prints is medians
and their ratio to the floor.
"""

from __future__ import annotations

import argparse
import json
import pstats
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from urllib.parse import quote

from syncd.simulator.generator import NewEvent
from syncd.simulator.generator_texts import PEOPLE, PLACES, SUBJECTS, html_body
from syncd.simulator.load import load_seeds
from tests.processes import TOKEN, ZONE, Installation, Served, Usage, finished, serve, served

EDITS = 100
STEPS = (
    ("imports", "floor: imports only"),
    ("floor", "floor: pages, rows, files"),
    ("start", "syncd --version"),
    ("first", "first sync"),
    ("quiet", "quiet sync"),
    ("remote", f"{EDITS} remote edits, sync"),
    ("local", f"{EDITS} local edits, sync"),
)
SYNCS = ("first", "quiet", "remote", "local")


class Wrong(Exception):
    """What syncd did was not right, whatever it cost."""


# --- the mailbox ---------------------------------------------------------------------------------


def seeds(count: int, now: datetime) -> Iterator[NewEvent]:
    """Yield events of the default calendar, all of them inside the default window."""
    random = Random(20310304)
    for number in range(count):
        day = now.date() + timedelta(days=random.randrange(-80, 260))
        hour, minutes = random.randrange(7, 19), random.choice((15, 30, 45, 60, 90))
        start = datetime(day.year, day.month, day.day, hour, random.choice((0, 15, 30)))
        end = start + timedelta(minutes=minutes)
        body = {
            "subject": f"{random.choice(SUBJECTS)} {number}".strip(),
            "body": html_body(random, online=False) if number % 4 == 1 else _text(random),
            "start": {"dateTime": start.isoformat(), "timeZone": ZONE},
            "end": {"dateTime": end.isoformat(), "timeZone": ZONE},
            "location": {"displayName": random.choice(PLACES)},
            "showAs": random.choice(("busy", "free", "tentative")),
            "isReminderOn": random.random() < 0.5,
            "reminderMinutesBeforeStart": 15,
            "categories": random.sample(("Work", "Home", "Travel"), random.randrange(2)),
        }
        if number % 10 == 3:
            body["attendees"] = [
                {"emailAddress": {"name": name, "address": address}, "type": "required"}
                for name, address in random.sample(PEOPLE, 2)
            ]
        if number % 20 == 19:
            body["recurrence"] = _five_weeks(start)
        yield NewEvent("Calendar", body)


def _text(random: Random) -> dict[str, str]:
    lines = [random.choice(SUBJECTS) for _ in range(random.randrange(1, 8))]
    return {"contentType": "text", "content": "\n".join(lines)}


def _five_weeks(start: datetime) -> dict[str, object]:
    day = start.strftime("%A").lower()
    return {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": [day]},
        "range": {
            "type": "numbered",
            "startDate": start.date().isoformat(),
            "numberOfOccurrences": 5,
        },
    }


# --- a run ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """What one process cost and asked; `requests` counts batches and their parts."""

    usage: Usage
    requests: int = 0
    pages: int = 0
    batches: int = 0


@dataclass(slots=True)
class Bench:
    """One service, and the runs against it."""

    service: Served
    events: int
    place: Path

    def run(self, number: int) -> dict[str, Step]:
        """Every step once, in a folder of its own."""
        root = Path(tempfile.mkdtemp(prefix=f"run-{number}-", dir=self.place))
        here = Installation.made(root, self.service, max_deletes=100_000)
        steps = {
            "imports": Step(finished(["-m", "scripts.floor"], here.log)),
            "floor": self._floor(root, here.log),
            "start": Step(finished(here.command("--version"), here.log)),
            "first": self._sync(here),
        }
        self._check_files(here)
        steps["quiet"] = self._quiet(here)
        steps["remote"] = self._remote(here, number)
        steps["local"] = self._local(here, number)
        shutil.rmtree(root)
        return steps

    def _floor(self, root: Path, log: Path) -> Step:
        folder = root / "floor"
        folder.mkdir()
        self.service.clear_requests()
        command = ["-m", "scripts.floor", self._first_url(), TOKEN, str(folder)]
        step = self._counted(finished(command, log))
        found = len(list(folder.glob("*.ics")))
        if step.usage.code or found != self.events:
            raise Wrong(f"the floor wrote {found} files for {self.events} events")
        shutil.rmtree(folder)
        return step

    def _first_url(self) -> str:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        start, end = midnight - timedelta(days=90), midnight + timedelta(days=397)
        window = f"startDateTime={start:%Y-%m-%dT%H:%M:%SZ}&endDateTime={end:%Y-%m-%dT%H:%M:%SZ}"
        calendar = self.service.calendar()
        return f"{self.service.base_url}/me/calendars/{quote(calendar)}/calendarView/delta?{window}"

    def _sync(self, here: Installation) -> Step:
        self.service.clear_requests()
        usage = here.sync()
        if usage.code:
            raise Wrong(f"`syncd sync` ended with {usage.code}:\n{here.tail()}")
        return self._counted(usage)

    def _counted(self, usage: Usage) -> Step:
        requests = self.service.requests()
        paths = [one["path"].casefold() for one in requests]
        pages = sum("calendarview/delta" in path for path in paths)
        batches = sum("$batch" in path for path in paths)
        return Step(usage, len(requests), pages, batches)

    def _check_files(self, here: Installation) -> None:
        found = len(list(here.folder.glob("*.ics")))
        if found != self.events:
            raise Wrong(f"there are {found} files for {self.events} events")

    def _quiet(self, here: Installation) -> Step:
        before = _looks(here.folder)
        step = self._sync(here)
        if _looks(here.folder) != before:
            raise Wrong("a quiet sync wrote files")
        if step.pages != 1:
            raise Wrong(f"a quiet sync asked for {step.pages} delta pages of the one calendar")
        return step

    def _remote(self, here: Installation, number: int) -> Step:
        """Subjects changed on the service."""
        events = Random(number).sample(self.service.events(), EDITS)
        marks = {f"remote {number} {at}": event["id"] for at, event in enumerate(events)}
        for mark, identity in marks.items():
            self.service.do("patch", id=identity, body={"subject": mark})
        step = self._sync(here)
        self._missing("folder", marks.keys() - set(_summaries(here.folder)))
        self._check_files(here)
        return step

    def _local(self, here: Installation, number: int) -> Step:
        """Subjects changed in files, of events that mail nobody."""
        files = [
            file
            for file in sorted(here.folder.glob("*.ics"))
            if b"ATTENDEE" not in file.read_bytes()
        ]
        marks = {
            f"local {number} {at}": file
            for at, file in enumerate(Random(number).sample(files, EDITS))
        }
        for mark, file in marks.items():
            file.write_bytes(with_summary(file.read_bytes(), mark))
        step = self._sync(here)
        self._missing("service", marks.keys() - {one["subject"] for one in self.service.events()})
        self._check_files(here)
        return step

    def _missing(self, side: str, lost: set[str]) -> None:
        if lost:
            raise Wrong(f"{len(lost)} edits are not on the {side}: {sorted(lost)[:3]}")


def with_summary(data: bytes, summary: str) -> bytes:
    """The file with another summary, folded lines included."""
    return re.sub(rb"SUMMARY(;[^:\r]*)?:[^\r]*(\r\n [^\r]*)*", b"SUMMARY:" + summary.encode(), data)


def _looks(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What a rewritten file would show."""
    stats = {file.name: file.stat() for file in folder.iterdir()}
    return {name: (one.st_ino, one.st_mtime_ns, one.st_size) for name, one in stats.items()}


def _summaries(folder: Path) -> Iterator[str]:
    for file in folder.glob("*.ics"):
        for line in file.read_text().splitlines():
            if line.startswith("SUMMARY:"):
                yield line.removeprefix("SUMMARY:")


_PROFILED = """
import cProfile, pstats, runpy, sys, threading
threads = []

def begin(*event):
    sys.setprofile(None)
    threads.append(cProfile.Profile())
    threads[-1].enable()

output, *sys.argv[1:] = sys.argv[1:]
threading.setprofile(begin)
threads.append(cProfile.Profile())
threads[0].enable()
try:
    runpy.run_module("syncd", run_name="__main__", alter_sys=True)
finally:
    threads[0].disable()
    stats = pstats.Stats(*threads)
    stats.dump_stats(output)
"""


def profile(here: Installation, rows: int = 40) -> None:
    """
    Print where a first sync spends its time, in all of its threads.

    Waiting counts too, and a profile makes small functions look dearer than they are.
    """
    output = here.root / "profile"
    arguments = here.command("sync")[2:]
    usage = finished(["-c", _PROFILED, str(output), *arguments], here.log)
    if usage.code:
        raise Wrong(f"`syncd sync` ended with {usage.code}:\n{here.tail()}")
    print(f"{usage.cpu_s:.2f} s of CPU under the profiler")
    stats = pstats.Stats(str(output)).strip_dirs()
    for order in ("cumulative", "tottime"):
        stats.sort_stats(order).print_stats(rows)


# --- what is told --------------------------------------------------------------------------------


def medians(runs: Sequence[dict[str, Step]]) -> dict[str, Step]:
    """The medians of each figure; the counts are those of the last run."""
    found = {}
    for name, last in runs[-1].items():
        usages = [run[name].usage for run in runs]
        wall, cpu, peak = (
            statistics.median(getattr(usage, figure) for usage in usages)
            for figure in ("wall_s", "cpu_s", "peak_mb")
        )
        usage = Usage(last.usage.code, wall, cpu, peak)
        found[name] = Step(usage, last.requests, last.pages, last.batches)
    return found


def table(steps: dict[str, Step], events: int, runs: int) -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"{events} events in one calendar; medians of {runs}; CPU is user + system"
    heads = f"{'CPU s':>7} {'wall s':>7} {'peak MB':>8} {'requests':>9} {'pages':>6} {'/floor':>7}"
    yield f"{'':28} {heads}"
    floor = steps["floor"].usage.cpu_s
    for name, title in STEPS:
        usage, step = steps[name].usage, steps[name]
        figures = f"{usage.cpu_s:7.2f} {usage.wall_s:7.2f} {usage.peak_mb:8.0f}"
        ratio = f"{usage.cpu_s / floor:6.1f}x" if name not in ("imports", "start") else ""
        yield f"{title:28} {figures} {step.requests:9} {step.pages:6} {ratio:>7}"


def main() -> int:
    """Measure, and print; 1 where syncd did something wrong."""
    asked = arguments()
    if asked.serve:
        serve(lambda service, box: load_seeds(service, box, seeds(asked.serve, service.now())))
        return 0
    with tempfile.TemporaryDirectory(prefix="syncd-bench-", dir=asked.dir) as place:
        print(f"making a mailbox of {asked.events} events", file=sys.stderr, flush=True)
        with served(("-m", "scripts.bench", "--serve", str(asked.events))) as service:
            try:
                return _measured(asked, Bench(service, asked.events, Path(place)))
            except Wrong as wrong:
                print(f"bench: {wrong}", file=sys.stderr)
                return 1


def _measured(asked: argparse.Namespace, bench: Bench) -> int:
    if asked.profile:
        profile(Installation.made(bench.place / "profiled", bench.service))
        return 0
    runs = []
    for number in range(asked.runs):
        print(f"run {number + 1} of {asked.runs}", file=sys.stderr, flush=True)
        runs.append(bench.run(number))
    steps = medians(runs)
    if asked.json:
        told = {"events": asked.events, "runs": asked.runs}
        print(json.dumps({**told, "steps": {name: asdict(one) for name, one in steps.items()}}))
    else:
        print("\n".join(table(steps, asked.events, asked.runs)))
    return 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="bench", description="Measure syncd as whole processes, against a floor."
    )
    parser.add_argument("--events", type=int, default=10_000, help="how many [10000]")
    parser.add_argument("--runs", type=int, default=3, help="how often; medians are shown [3]")
    parser.add_argument("--dir", default="/dev/shm", help="where files are written [/dev/shm]")
    parser.add_argument("--json", action="store_true", help="figures for programs")
    parser.add_argument("--profile", action="store_true", help="show where a first sync spends")
    parser.add_argument("--serve", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.events < EDITS * 2 or asked.runs < 1:
        parser.error(f"at least {EDITS * 2} events and one run")
    return asked


if __name__ == "__main__":
    sys.exit(main())
