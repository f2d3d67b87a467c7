"""
Failures of the service and the network, planned or by seed.

Knows each kind of failure, when it can apply, and which comes next; a seed makes a run
repeatable. Refuses to know how a failure is carried out.
"""

import enum
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

__all__ = ["AFTER", "ANYTHING", "Fault", "FaultKind", "Faults", "RandomPlan", "Script"]


class FaultKind(enum.StrEnum):
    """What goes wrong. A kind that ends in `after` strikes when the work is already done."""

    THROTTLED = "throttled"  # 429 with Retry-After
    THROTTLED_SILENT = "throttled-silent"  # 429 without
    UNAVAILABLE = "unavailable"  # 503
    TIMEOUT_BEFORE = "timeout-before"  # 504, nothing was done
    TIMEOUT_AFTER = "timeout-after"  # 504, all was done
    RESET_BEFORE = "reset-before"
    RESET_AFTER = "reset-after"
    TRUNCATED = "truncated"  # half of the true answer, then the end
    NOT_JSON = "not-json"  # 200 with a page of a proxy, nothing was done
    SLOW = "slow"
    TOKEN_EXPIRED = "token-expired"  # noqa: S105 - a kind of failure
    SYNC_STATE_GONE = "sync-state-gone"  # 410 for a delta token
    SYNC_STATE_BAD = "sync-state-bad"  # the same as a 400
    ENDLESS_PAGES = "endless-pages"  # nextLinks that lead round and round
    PRECONDITION = "precondition"  # 412 though nobody asked for a precondition
    LAGGING = "lagging"  # 404 for what was created a moment ago


AFTER = frozenset({FaultKind.TIMEOUT_AFTER, FaultKind.RESET_AFTER, FaultKind.TRUNCATED})
_SYNC_STATE = frozenset({FaultKind.SYNC_STATE_GONE, FaultKind.SYNC_STATE_BAD})
_DELTA = re.compile(r"(?i)/calendarView/delta")
_TOKEN = re.compile(r"(?i)(\$|%24)(delta|skip)token=")


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure. Args: retry_after_s: for `throttled` and `unavailable`; delay_s: for `slow`."""

    kind: FaultKind
    retry_after_s: int = 1
    delay_s: float = 1.0


ANYTHING = re.compile("")


@dataclass(frozen=True, slots=True)
class Script:
    """
    A failure that waits for its request.

    Args:
        method, path: both are searched, case aside; path includes the query, below the version
            root. times: how many requests it hits; skip: how many matching ones it lets through.
    """

    fault: Fault
    method: re.Pattern[str] = ANYTHING
    path: re.Pattern[str] = ANYTHING
    times: int = 1
    skip: int = 0

    @classmethod
    def of(
        cls, fault: Fault, method: str = "", path: str = "", times: int = 1, skip: int = 0
    ) -> "Script":
        """Return a script from the text of its patterns. Raises: re.error."""
        folded = re.IGNORECASE
        return cls(fault, re.compile(method, folded), re.compile(path, folded), times, skip)

    def hits(self, method: str, target: str) -> bool:
        """Tell whether the request is one it waits for."""
        return bool(self.method.search(method) and self.path.search(target))


@dataclass(frozen=True, slots=True)
class RandomPlan:
    """
    Failures at random. Args: rate: share of requests hit, 0 to 1; seed: makes a run repeatable.
    """

    rate: float
    kinds: Sequence[FaultKind] = tuple(FaultKind)
    seed: int = 0
    retry_after_s: int = 1
    delay_s: float = 0.01


@dataclass(slots=True)
class Faults:
    """What will go wrong. Scripts come before the plan; `struck` counts what did."""

    plan: RandomPlan | None = None
    scripts: list[Script] = field(default_factory=list)
    struck: dict[FaultKind, int] = field(default_factory=dict)
    _random: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        self.follow(self.plan)

    def follow(self, plan: RandomPlan | None) -> None:
        """Take up a random plan from its beginning; None ends it."""
        self.plan = plan
        self._random = Random(plan.seed if plan else 0)  # noqa: S311 - repeatable on purpose

    def add(self, scripts: Iterable[Script]) -> None:
        """Queue failures behind those that wait."""
        self.scripts.extend(scripts)

    def script(
        self,
        kind: FaultKind,
        method: str = "",
        path: str = "",
        *,
        times: int = 1,
        skip: int = 0,
        retry_after_s: int = 1,
        delay_s: float = 1.0,
    ) -> None:
        """Queue one failure. Args: as of `Script.of` and `Fault`."""
        fault = Fault(kind, retry_after_s, delay_s)
        self.scripts.append(Script.of(fault, method, path, times, skip))

    def clear(self) -> None:
        """End all failures."""
        self.scripts.clear()
        self.follow(None)

    def take(self, method: str, target: str, *, fresh: bool) -> Fault | None:
        """
        Return the failure of this request, if any, and use it up.

        Args: fresh: the target names an event created a moment ago.
        """
        fault = self._scripted(method, target) or self._drawn(method, target, fresh=fresh)
        if fault is not None:
            self.struck[fault.kind] = self.struck.get(fault.kind, 0) + 1
        return fault

    def _scripted(self, method: str, target: str) -> Fault | None:
        for place, script in enumerate(self.scripts):
            if not script.hits(method, target):
                continue
            if script.skip > 0:
                self.scripts[place] = replace(script, skip=script.skip - 1)
                continue
            if script.times > 1:
                self.scripts[place] = replace(script, times=script.times - 1)
            else:
                del self.scripts[place]
            return script.fault
        return None

    def _drawn(self, method: str, target: str, *, fresh: bool) -> Fault | None:
        plan = self.plan
        if plan is None or self._random.random() >= plan.rate:
            return None
        kinds = [kind for kind in plan.kinds if applies(kind, method, target, fresh=fresh)]
        if not kinds:
            return None
        return Fault(self._random.choice(kinds), plan.retry_after_s, plan.delay_s)


def applies(kind: FaultKind, method: str, target: str, *, fresh: bool) -> bool:
    """Tell whether a kind can happen to a request in the real service."""
    if kind in _SYNC_STATE:
        return bool(_DELTA.search(target) and _TOKEN.search(target))
    if kind is FaultKind.ENDLESS_PAGES:
        return bool(_DELTA.search(target))
    if kind is FaultKind.PRECONDITION:
        return method in ("PATCH", "DELETE")
    if kind is FaultKind.LAGGING:
        return method == "GET" and fresh
    return True
