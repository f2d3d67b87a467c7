"""
What happens in one run: a script of steps, and where in a sync others act or something fails.

A script is all there is to a run: the same script is the same run. `drawn` makes one of a seed.
A step names the item it is about by the number of the step that made it, so that steps can be left
out without changing what the others mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

__all__ = ["Hook", "Script", "Step", "drawn"]


@dataclass(frozen=True, slots=True)
class Hook:
    """At the `at`-th point of a sync: a step of somebody, or a failure (its name)."""

    at: int
    what: Step | str


@dataclass(frozen=True, slots=True)
class Step:
    """
    One thing that somebody does.

    Args: number: its own. who: remote, organiser, person, clock, service, or an installation.
        item: the number of the step that made the item. extra: which of several ways.
    """

    number: int
    who: str
    verb: str
    item: int = 0
    extra: int = 0
    hooks: tuple[Hook, ...] = ()

    def __str__(self) -> str:
        told = f"{self.number}: {self.who} {self.verb}"
        told += f" i{self.item}" if self.item else ""
        told += f" /{self.extra}" if self.extra else ""
        inner = "".join(f"\n      at {one.at}: {one.what}" for one in self.hooks)
        return told + inner


@dataclass(frozen=True, slots=True)
class Script:
    """One run. Args: switches, settings: what differs from the defaults."""

    seed: int
    steps: tuple[Step, ...]
    switches: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        head = f"seed {self.seed}; switches {self.switches}; settings {self.settings}"
        return "\n".join([head, *map(str, self.steps)])


_FAILURES = (
    *("kill",) * 8,
    *("full", "full", "offline"),
    *("reset-after", "timeout-after", "truncated", "not-json") * 2,
    *("reset-before", "timeout-before", "unavailable", "throttled", "throttled-silent"),
    *("sync-state-gone", "sync-state-bad", "precondition", "token-expired"),
    *("lagging", "lagging", "endless-pages"),
)

_LOCAL = (
    *("create",) * 3,
    *("edit",) * 10,
    *("start",) * 2,
    *("delete",) * 3,
    *("rename", "copy", "truncate", "garbage", "repair", "move", "touch"),
    *("open", "save") * 2,
    *("slot",) * 2,
    *("exdate", "rule", "invite", "twin"),
    *("whole-day", "away", "back", "back", "forget"),
    *("wish",) * 3,
    *("attach",) * 2,
)
_REMOTE = (
    *("create",) * 3,
    *("edit",) * 10,
    *("start",) * 2,
    *("delete",) * 3,
    *("slot",) * 2,
    *("exdate", "rule", "invite", "move"),
    *("whole-day", "answer", "attach", "detach"),
)
_PERSON = ("approve", "approve", "discard", "local", "remote", "both")
# Invitations, updates, cancellations, responses.
_MIXED = (("never", "send", "hold", "send"), ("send", "never", "never", "hold"))
_SWITCHES: dict[str, tuple[Any, ...]] = {
    "deleted_occurrence_emits_master": (True,),
    "exception_change_emits_master": (True,),
    "series_change_resends_occurrences": (False,),
    "removed_lists_occurrences": (True,),
    "empty_first_page": (True,),
    "repeat_rows": (True,),
    "default_page_size": (2,),
    "keep_delta_states": (2,),
    "deleted_items_answer": (True,),
    "scoped_path_is_strict": (True,),
    "if_match_honoured": (False,),
    "series_change_drops_exceptions": (False,),
    "duplicate_transaction_answer": ("conflict",),
    "supports_cancelled_occurrences": (False,),
    "exceptions_with_original_start": (False,),
    "original_zone_follows_change": (False,),
    "spontaneous_change_key": (True,),
    "extended_ids_lowercased": (False,),
    "iana_zones_become_windows": (False,),
}
_SETTINGS: dict[str, tuple[Any, ...]] = {
    "conflict": ("local", "newest", "ask"),
    "mail": ("send", "hold", "never", *_MIXED),
    "direction": ("two-way", "two-way", "pull"),
    "storm": (False, False, True),
    "end": ("approve",),
    "second": (True,),
    "calm": (True,),
    "limit": (True,),
}


_MAKING = ("create", "whole-day", "receive")


class _Draw:
    """Draws a script; knows which items were made so far."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.numbers = 0
        self.made: list[int] = []

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def item(self) -> int:
        # The same item again and again: that is where sides meet.
        recent = self.made[-4:]
        return self.random.choice(recent if self.random.random() < 0.7 else self.made)

    def act(self, second: bool) -> Step:
        draw = self.random.random()
        if draw < 0.46:
            return self.of(self._installation(second), _LOCAL)
        if draw < 0.87:
            return self.of("remote", _REMOTE)
        if draw < 0.92:
            return self.of("organiser", ("receive", "edit", "start", "cancel"))
        if draw < 0.96:
            number = self.number()
            return Step(number, "person", self.random.choice(_PERSON), 0, self.random.randrange(8))
        number = self.number()
        return Step(
            number,
            "clock",
            self.random.choice(("hours", "wrong", "days")),
            0,
            self.random.randrange(8),
        )

    def of(self, who: str, verbs: tuple[str, ...]) -> Step:
        verb = self.random.choice(verbs)
        number, extra = self.number(), self.random.randrange(1000)
        if not self.made and verb not in (*_MAKING, "garbage"):
            verb = "receive" if who == "organiser" else "create"
        if verb in _MAKING:
            self.made.append(number)
            return Step(number, who, verb, number, extra)
        item = self.item() if self.made else 0
        if verb in ("copy", "twin"):
            step = Step(number, who, verb, item, extra)
            self.made.append(number)
            return step
        return Step(number, who, verb, item, extra)

    def sync(self, second: bool, calm: bool, *, meanwhile: bool = False) -> Step:
        """A sync and what happens in its course. Args: meanwhile: it is part of that itself."""
        number = self.number()
        hooks = []
        many = 0 if meanwhile else self.random.choice((0, 0, 1, 1, 2, 3, 5))
        for _ in range(many):
            at = int(self.random.random() ** 1.5 * 150) + 1
            if not calm and self.random.random() < 0.5:
                hooks.append(Hook(at, self.random.choice(_FAILURES)))
            elif second and self.random.random() < 0.1:
                hooks.append(Hook(at, self.sync(second, calm=True, meanwhile=True)))
            else:
                hooks.append(Hook(at, self.act(second)))
        hooks.sort(key=lambda one: one.at)
        return Step(
            number, self._installation(second), "sync", 0, self.random.randrange(4), tuple(hooks)
        )

    def _installation(self, second: bool) -> str:
        return "there" if second and self.random.random() < 0.3 else "here"


def drawn(seed: int) -> Script:
    """The script of a seed."""
    random = Random(seed)
    switches = {
        name: random.choice(ways) for name, ways in _SWITCHES.items() if random.random() < 0.12
    }
    settings = {
        name: random.choice(ways) for name, ways in _SETTINGS.items() if random.random() < 0.25
    }
    draw = _Draw(random)
    steps: list[Step] = []
    second, calm = bool(settings.get("second")), bool(settings.get("calm"))
    first = random.randint(1, 4)
    steps += [draw.of(random.choice(("here", "remote")), ("create",)) for _ in range(first)]
    for _ in range(random.randint(8, 45)):
        if random.random() < 0.25:
            steps.append(draw.sync(second, calm))
        else:
            steps.append(draw.act(second))
    return Script(seed, tuple(steps), switches, settings)
