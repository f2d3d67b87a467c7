"""One run from its script to its verdict; the same script is the same run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial

from syncd.core.errors import DiskTrouble
from syncd.shell.mailbox import CalendarReport
from tests.simulation.judge import judged
from tests.simulation.machine import Killed
from tests.simulation.model import Model
from tests.simulation.people import People
from tests.simulation.script import Script, Step
from tests.simulation.world import Installation, World

__all__ = ["Outcome", "Run", "ran"]

_QUIET_TRIES = 10
_LONG_S = 9 * 3600
"""Until a true-up is due: every six hours, by a clock that may have been two hours ahead."""


@dataclass(slots=True)
class Outcome:
    """What a run came to: `findings` are broken promises, `story` what happened, in order."""

    findings: list[str]
    story: list[str]
    points: int = 0
    syncs: int = 0
    kills: int = 0

    @property
    def digest(self) -> str:
        """The same for the same run."""
        return hashlib.sha256("\n".join([*self.story, *self.findings]).encode()).hexdigest()[:16]


class Run:
    """A run under way: `step` does one step of it."""

    def __init__(self, script: Script, *, traced: bool = False) -> None:
        self.world = World(script)
        one_way = script.settings.get("direction") == "pull"
        several = len(self.world.installations) > 1
        carries = not several and "conflict" not in script.settings
        self.model = Model(several=several, one_way=one_way, carries=carries)
        self.people = People(self.world, self.model)
        self.traced = traced
        self.out = Outcome([], self.world.said)
        self.approved: set[tuple[str, str, str]] = set()

    def run(self) -> Outcome:
        for step in self.world.script.steps:
            self.step(step)
            if self.out.findings:
                return self.out
        self._settle()
        if not self.out.findings:
            self.out.findings += judged(self.world, self.model)
        return self.out

    def step(self, step: Step) -> None:
        if step.verb == "sync":
            here = self.world.installations.get(step.who)
            if here is not None:
                self._sync(here, step)
        else:
            self.people.act(step)

    def _sync(self, here: Installation, step: Step) -> list[CalendarReport] | None:
        """One sync with all that happens meanwhile."""
        world = self.world
        world.time.pass_(5)
        world.say(f"{step.number}: {here.name} sync /{step.extra}")
        hooks = {one.at: one.what for one in step.hooks}
        if here.machine.hook is not None:
            return None  # it is at work already: two never share a state
        here.machine.begin(partial(self._at, here, hooks))
        if world.script.settings.get("storm") and step.number % 2:
            world.fail(here, "storm", step.number)
        try:
            return self._synced(here, fresh=step.extra != 1, look=step.extra != 2)
        except Killed:
            self.out.kills += 1
            world.say("killed")
            return None
        finally:
            self.out.points += here.machine.points
            here.machine.begin(None)
            world.well()

    def _synced(
        self, here: Installation, *, fresh: bool, look: bool
    ) -> list[CalendarReport] | None:
        self.out.syncs += 1
        try:
            reports = here.sync(fresh=fresh, look=look)
        except DiskTrouble as error:
            self.world.say(f"stopped: {error}")
            return None
        except Exception as error:
            self.out.findings.append(f"{here.name}: it fell over: {type(error).__name__}: {error}")
            self.out.story += _trace(error)
            return None
        for one in reports:
            if one.trouble is not None:
                self.world.say(f"{one.calendar}: {type(one.trouble).__name__}: {one.trouble}")
                cause = one.trouble.__cause__
                if isinstance(cause, ValueError):
                    self.out.findings.append(f"{here.name}: it cannot read: {cause!r}")
                    self.out.story += _trace(cause)
        return reports

    def _at(self, here: Installation, hooks: dict[int, Step | str], point: int, kind: str) -> None:
        self.world.time.pass_(0.02)
        if self.traced:
            self.world.say(f"  {here.name} {point} {kind}")
        what = hooks.get(point)
        if what is None:
            return
        if isinstance(what, str):
            self.world.say(f"  at {point} ({kind}): {what}")
            self.world.fail(here, what, point)
            return
        self.world.say(f"  at {point} ({kind}):")
        before = here.machine.busy, here.machine.full
        self.step(what)
        here.machine.busy, here.machine.full = before

    # --- the end -------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Everybody stops and nothing fails: it comes to rest."""
        world = self.world
        world.well()
        world.say("everybody stops")
        for here in world.installations.values():
            here.set_right()
        world.time.pass_(_LONG_S)
        quiet = 0
        for _ in range(_QUIET_TRIES):
            moved = False
            for here in world.installations.values():
                moved |= self._moves(here)
                if self.out.findings:
                    return
            moved |= world.script.settings.get("end") == "approve" and self._approve()
            quiet = 0 if moved else quiet + 1
            if quiet == 2:
                return
            if moved:
                # The service tells some changes only to those who compare everything.
                world.time.pass_(_LONG_S)
        self.out.findings.append("it does not come to rest")

    def _moves(self, here: Installation) -> bool:
        """One sync; whether it wrote anything."""
        world = self.world
        world.time.pass_(130)
        files, asked = here.file_writes, len(world.requests.entries)
        world.say(f"{here.name} sync")
        reports = self._synced(here, fresh=True, look=True)
        for one in reports or ():
            if one.trouble is not None:
                self.out.findings.append(f"{here.name}: {one.calendar}: {one.trouble!r}")
        writes = [one for one in world.requests.entries[asked:] if one.method != "GET"]
        for one in writes:
            world.say(f"  wrote {one.method} {one.status}")
        if here.file_writes != files:
            world.say(f"  {here.file_writes - files} file jobs")
        return bool(writes) or here.file_writes != files

    def _approve(self) -> bool:
        """A person approves all that can be approved."""
        done = False
        for here in self.world.installations.values():
            for problem in here.problems():
                matter = here.name, problem.id, problem.exact
                if matter not in self.approved and here.decide(problem, "approved"):
                    self.approved.add(matter)
                    self.world.say(f"approves {problem.kind} {problem.code} {problem.uid}")
                    self.people.approved()
                    if problem.kind == "folder":
                        self.people.filled_anew()
                    done = True
        return done


def _trace(error: BaseException) -> list[str]:
    import traceback

    return "".join(traceback.format_exception(error)).splitlines()[-16:]


def ran(script: Script, *, traced: bool = False) -> Outcome:
    """Run a script. Args: traced: tell every point as well."""
    return Run(script, traced=traced).run()
