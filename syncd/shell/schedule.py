"""
What is due when: the daemon's timetable as plain values on a monotonic clock.

Knows how polls slow down while nothing happens, how pauses grow while something fails, when a
folder is to be looked at, and what a jump of the clock is. Knows no clock, no task and no mailbox:
times come in as seconds of a monotonic clock, randomness as a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import assert_never

from syncd.core.errors import LoginNeeded, StateError, Throttled
from syncd.core.state import CalendarKey

__all__ = [
    "Agenda",
    "Done",
    "Failed",
    "Outcome",
    "Pace",
    "Tick",
    "after",
    "agenda",
    "at_once",
    "begun",
    "fresh",
    "is_due",
    "jumped_s",
    "polls_every_s",
    "retry_pause_s",
    "touched",
]

LOOK_EVERY_S = 300.0  # notifications of the kernel have gaps; a look at the folder has none
SETTLE_S = 0.05  # a file that moves touches two folders
PATIENT_ROUNDS = 5  # quiet rounds at full pace: after a change, more may follow
SLOWER = 1.5
SLOWEST = 5.0  # in poll intervals
FIRST_RETRY_S = 5.0
LONGEST_RETRY_S = 300.0
PERSON_RETRY_S = 60.0  # a person acts in between, and nothing tells us
HASTE_S = 10.0  # between two tries of what fails, however often someone saves
SPREAD = 0.1
DRIFT_S = 5.0
LATE_S = 30.0


@dataclass(frozen=True, slots=True)
class Pace:
    """
    When the next round of one calendar is due, and what it is to look at.

    Args:
        poll_s: the configured interval. next_s: when the next round is due; infinite during one.
        looked_s: the last look at the folder. wants_look: the next round is to look.
        touched: it waits for its folder's sake, so it goes together with others that do.
        quiet: rounds in a row that moved nothing. failures: failed ones in a row.
        not_before_s: until then not even a saved file begins a round.
    """

    poll_s: float
    next_s: float
    looked_s: float = -inf
    wants_look: bool = True
    touched: bool = True
    quiet: int = 0
    failures: int = 0
    not_before_s: float = -inf


@dataclass(frozen=True, slots=True)
class Done:
    """
    A round came to its end.

    Args: moved: something changed on a side. look: something waits that a look may settle.
    """

    moved: bool
    look: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """A round was stopped by something that passes or that a person mends."""

    pause_s: float


Outcome = Done | Failed


@dataclass(frozen=True, slots=True)
class Agenda:
    """The calendars that go into one round together, and those among them to be looked at."""

    run: frozenset[CalendarKey]
    look: frozenset[CalendarKey]


@dataclass(frozen=True, slots=True)
class Tick:
    """Both clocks at one moment."""

    wall: datetime
    monotonic_s: float


# --- one calendar --------------------------------------------------------------------------------


def fresh(poll_s: float, now_s: float) -> Pace:
    """Return the pace of a calendar that was never seen by this process: due now."""
    return Pace(poll_s, now_s)


def is_due(pace: Pace, now_s: float) -> bool:
    """Whether a round is to begin."""
    return pace.next_s <= now_s


def touched(pace: Pace, now_s: float) -> Pace:
    """Someone worked in the folder: a round at once, or soon where the last ones failed."""
    soon_s = max(now_s + SETTLE_S, pace.not_before_s)
    return replace(pace, touched=True, wants_look=True, next_s=min(pace.next_s, soon_s))


def at_once(pace: Pace, now_s: float) -> Pace:
    """Whatever was waited for: a round now, with a look."""
    next_s = min(pace.next_s, now_s)
    return replace(pace, touched=True, wants_look=True, next_s=next_s, not_before_s=-inf)


def begun(pace: Pace, now_s: float, *, look: bool) -> Pace:
    """A round begins; what is touched from now on is for the next one."""
    looked_s = now_s if look else pace.looked_s
    wants_look = pace.wants_look and not look
    return replace(pace, next_s=inf, touched=False, looked_s=looked_s, wants_look=wants_look)


def after(pace: Pace, outcome: Outcome, now_s: float, spread: float) -> Pace:
    """
    Return the pace after a round; a change that came during it stays due.

    Args: spread: 0 to 1, at random, so that calendars and machines do not beat in time.
    """
    match outcome:
        case Done(moved, look):
            quiet = 0 if moved else pace.quiet + 1
            rested = replace(pace, quiet=quiet, failures=0, not_before_s=-inf)
            next_s = now_s + _spread(polls_every_s(rested), spread)
            return replace(
                rested, next_s=min(pace.next_s, next_s), wants_look=pace.wants_look or look
            )
        case Failed(pause_s):
            return replace(
                pace,
                failures=pace.failures + 1,
                next_s=now_s + _spread(pause_s, spread),
                not_before_s=now_s + min(HASTE_S, pause_s),
                wants_look=True,
            )
        case _:
            assert_never(outcome)


def polls_every_s(pace: Pace) -> float:
    """Return the seconds between polls: the configured ones, up to five times as many in quiet."""
    slower: float = SLOWER ** min(max(pace.quiet - PATIENT_ROUNDS, 0), 16)
    return pace.poll_s * min(slower, SLOWEST)


def _spread(seconds: float, spread: float) -> float:
    return seconds * (1 + SPREAD * (spread - 0.5))


def retry_pause_s(error: BaseException, failures: int) -> float:
    """
    Return how long to leave alone what failed, in seconds, at most five minutes.

    Args: failures: how many there were in a row, this one included.
    """
    if isinstance(error, LoginNeeded | StateError):
        return PERSON_RETRY_S
    growing: float = FIRST_RETRY_S * 2.0 ** min(max(failures - 1, 0), 16)
    asked = error.pause_s if isinstance(error, Throttled) else 0.0
    return min(max(growing, asked), LONGEST_RETRY_S)


# --- the calendars of one account ----------------------------------------------------------------


def agenda(paces: Mapping[CalendarKey, Pace], now_s: float) -> Agenda:
    """
    Return what is to be done now for one account, in one go.

    Folders that were touched are looked at together, so that a file that changed folders is seen as
    a move. For the same reason a look for safety's sake is one at all folders.
    """
    run = {key for key, pace in paces.items() if is_due(pace, now_s)}
    look = {key for key in run if paces[key].wants_look}
    if any(paces[key].touched for key in run):
        joining = _joining(paces, now_s, only_touched=True)
        run, look = run | joining, look | joining
    if any(now_s - paces[key].looked_s >= LOOK_EVERY_S for key in run):
        run = run | _joining(paces, now_s, only_touched=False)
        look = run
    return Agenda(frozenset(run), frozenset(look))


def _joining(
    paces: Mapping[CalendarKey, Pace], now_s: float, *, only_touched: bool
) -> set[CalendarKey]:
    return {
        key
        for key, pace in paces.items()
        if pace.not_before_s <= now_s and pace.next_s < inf and (pace.touched or not only_touched)
    }


# --- the clock -----------------------------------------------------------------------------------


def jumped_s(last: Tick, now: Tick, every_s: float) -> float | None:
    """
    Return by how many seconds time jumped between two ticks; None if it passed as it should.

    Negative when the wall clock was set back. A machine that was suspended, or a process that was
    stopped, shows as wall time without monotonic time, or as a tick that comes far too late.
    """
    passed_s = now.monotonic_s - last.monotonic_s
    drift_s = (now.wall - last.wall).total_seconds() - passed_s
    if abs(drift_s) > DRIFT_S:
        return drift_s
    late_s = passed_s - every_s
    return late_s if late_s > LATE_S else None
