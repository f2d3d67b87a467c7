"""
A finding's script made as short as it can be: steps, failures and settings are left out one by one.

What is left still ends in a finding of the same kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation.run import Outcome, ran
from tests.simulation.script import Script

__all__ = ["kind_of", "shrunk", "story"]

_MOST_RUNS = 600


def kind_of(outcome: Outcome) -> str:
    """What is wrong, without the names and numbers of this run; "" where all is well."""
    if not outcome.findings:
        return ""
    return re.sub(r"\d+", "N", re.sub(r"\[.*|'[^']*'", "..", outcome.findings[0]))


def shrunk(script: Script, run: Callable[[Script], Outcome] = ran) -> Script:
    """Leave out whatever is not needed for the same finding."""
    wanted = kind_of(run(script))
    runs, size = 0, max(1, len(script.steps) // 2)
    while runs < _MOST_RUNS:
        smaller = None
        for candidate in _without_steps(script, size):
            runs += 1
            if kind_of(run(candidate)) == wanted:
                smaller = candidate
                break
        if smaller is not None:
            script = smaller
        elif size > 1:
            size //= 2
        else:
            break
    changed = True
    while changed and runs < 2 * _MOST_RUNS:
        changed = False
        for candidate in (*_without_steps(script, 1), *_without_rest(script)):
            runs += 1
            if kind_of(run(candidate)) == wanted:
                script, changed = candidate, True
                break
    return script


def _without_steps(script: Script, size: int) -> Iterator[Script]:
    steps = script.steps
    # From the end: what came last depends on least.
    for at in range(len(steps) - size, -size, -size):
        yield replace(script, steps=(*steps[: max(at, 0)], *steps[at + size :]))


def _without_rest(script: Script) -> Iterator[Script]:
    for at, step in enumerate(script.steps):
        for place in range(len(step.hooks)):
            hooks = (*step.hooks[:place], *step.hooks[place + 1 :])
            steps = (*script.steps[:at], replace(step, hooks=hooks), *script.steps[at + 1 :])
            yield replace(script, steps=steps)
    for name in script.switches:
        rest = {key: value for key, value in script.switches.items() if key != name}
        yield replace(script, switches=rest)
    for name in script.settings:
        rest = {key: value for key, value in script.settings.items() if key != name}
        yield replace(script, settings=rest)


def story(script: Script, outcome: Outcome) -> str:
    """What a person reads of a finding."""
    head = f"seed {script.seed}; switches {script.switches}; settings {script.settings}"
    return "\n".join([head, *outcome.story, "which is wrong:", *outcome.findings, repr(script)])
