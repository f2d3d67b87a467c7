"""The timetable: polls that slow down, pauses that grow, looks that go together, jumps."""

from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.errors import LoginNeeded, StateError, Throttled, Unreachable
from syncd.core.state import CalendarKey
from syncd.shell import schedule
from syncd.shell.schedule import Agenda, Done, Failed, Outcome, Pace, Tick

A, B, C = CalendarKey(1), CalendarKey(2), CalendarKey(3)
MID = 0.5  # no spread
QUIET, MOVED = Done(moved=False), Done(moved=True)
START = datetime(2026, 3, 2, 9, tzinfo=UTC)

outcomes = st.one_of(
    st.builds(Done, moved=st.booleans(), look=st.booleans()),
    st.builds(Failed, pause_s=st.floats(0.1, 300)),
)


def settled(poll_s: float = 60.0, at_s: float = 0.0) -> Pace:
    """A calendar that was looked at and did one quiet round."""
    pace = schedule.begun(schedule.fresh(poll_s, at_s), at_s, look=True)
    return schedule.after(pace, QUIET, at_s, MID)


def rounds(pace: Pace, results: list[Outcome]) -> Pace:
    """Rounds at their times, each without a duration."""
    for outcome in results:
        now_s = pace.next_s
        pace = schedule.after(schedule.begun(pace, now_s, look=False), outcome, now_s, MID)
    return pace


def agenda(now_s: float, **paces: Pace) -> Agenda:
    names = {"a": A, "b": B, "c": C}
    return schedule.agenda({names[name]: pace for name, pace in paces.items()}, now_s)


# --- one calendar --------------------------------------------------------------------------------


def test_new_calendar() -> None:
    """A calendar that was never seen is due at once, with a look."""
    assert agenda(7.0, a=schedule.fresh(60, 7.0)) == Agenda(frozenset({A}), frozenset({A}))


def test_quiet_calendar() -> None:
    """Between polls nothing is due; a poll looks at no folder."""
    assert agenda(59.9, a=settled()) == Agenda(frozenset(), frozenset())
    assert agenda(60.0, a=settled()) == Agenda(frozenset({A}), frozenset())


def test_quiet_rounds() -> None:
    """Polls keep their pace for a while, then slow down to five times the interval, no further."""
    every = [schedule.polls_every_s(rounds(settled(), [QUIET] * n)) for n in range(40)]

    assert every[:5] == [60.0] * 5
    assert every == sorted(every)
    assert every[-1] == 300.0


def test_change_after_quiet_rounds() -> None:
    """One round that moves something brings the pace back."""
    slow = rounds(settled(), [QUIET] * 30)

    assert schedule.polls_every_s(rounds(slow, [MOVED])) == 60.0


def test_saved_file() -> None:
    """A touched folder makes a round due within a blink, with a look, however slow the polls are."""
    slow = rounds(settled(), [QUIET] * 30)
    now_s = slow.looked_s + 200.0
    pace = schedule.touched(slow, now_s)

    assert not schedule.is_due(pace, now_s)
    assert agenda(now_s + schedule.SETTLE_S, a=pace).look == {A}


def test_saved_file_during_a_round() -> None:
    """What is touched while a round runs gets a round of its own."""
    running = schedule.begun(settled(), 60.0, look=False)

    pace = schedule.after(schedule.touched(running, 61.0), MOVED, 62.0, MID)

    assert agenda(62.0, a=pace) == Agenda(frozenset({A}), frozenset({A}))


def test_saved_file_while_rounds_fail() -> None:
    """Whoever saves again and again while nothing works does not make us hammer."""
    failed = rounds(settled(), [Failed(300.0)])
    failed_at_s = 60.0

    pace = schedule.touched(failed, failed_at_s + 1)

    assert pace.next_s == failed_at_s + schedule.HASTE_S


def test_trouble_that_waits() -> None:
    """After a round that left something open, the next poll looks at the folder."""
    pace = rounds(settled(), [Done(moved=False, look=True)])

    assert agenda(pace.next_s, a=pace).look == {A}


def test_failed_round() -> None:
    """A failed round comes again after its pause, and looks."""
    pace = rounds(settled(), [Failed(5.0)])

    assert pace.next_s == 65.0
    assert agenda(65.0, a=pace).look == {A}


def test_jump_while_waiting() -> None:
    """Whatever a calendar waits for, a jump of the clock makes it due."""
    pace = schedule.at_once(rounds(settled(), [Failed(300.0)]), 61.0)

    assert schedule.is_due(pace, 61.0)


@given(st.lists(outcomes, max_size=30), st.floats(1, 3600), st.floats(0, 1))
def test_every_calendar_comes_again(results: list[Outcome], poll_s: float, spread: float) -> None:
    """Whatever happened, the next round comes, neither at once nor after ages."""
    pace, now_s = schedule.fresh(poll_s, 0.0), 0.0
    for outcome in results:
        pace = schedule.after(schedule.begun(pace, now_s, look=True), outcome, now_s, spread)
        wait_s = pace.next_s - now_s

        assert 0 < wait_s <= max(poll_s * schedule.SLOWEST, 300) * 1.06
        now_s = pace.next_s


# --- pauses --------------------------------------------------------------------------------------


def test_growing_pauses() -> None:
    """Pauses double up to five minutes."""
    pauses = [schedule.retry_pause_s(Unreachable("no"), n) for n in range(1, 12)]

    assert pauses[:4] == [5.0, 10.0, 20.0, 40.0]
    assert pauses[-1] == 300.0


@pytest.mark.parametrize("error", [LoginNeeded("no"), StateError("no")])
def test_waiting_for_a_person(error: Exception) -> None:
    """What a person mends is looked at every minute, however often it failed."""
    assert {schedule.retry_pause_s(error, n) for n in (1, 5, 500)} == {60.0}


@pytest.mark.parametrize(("asked_s", "pause_s"), [(1.0, 5.0), (120.0, 120.0), (7200.0, 300.0)])
def test_pause_that_the_service_asked_for(asked_s: float, pause_s: float) -> None:
    """A pause that is asked for is kept; beyond five minutes it costs no request to look again."""
    assert schedule.retry_pause_s(Throttled("no", pause_s=asked_s), 1) == pause_s


# --- several calendars ---------------------------------------------------------------------------


def test_file_moved_between_folders() -> None:
    """Folders touched within a moment are looked at together, and no other."""
    at_s = 10.0
    source = schedule.touched(settled(), at_s)
    target = schedule.touched(settled(), at_s + 0.03)

    due = agenda(at_s + schedule.SETTLE_S, a=source, b=target, c=settled())

    assert due == Agenda(frozenset({A, B}), frozenset({A, B}))


def test_look_for_safetys_sake() -> None:
    """Five minutes after the last look, the next poll looks at all folders of the account."""
    now_s = 301.0
    early, late = settled(), rounds(settled(), [QUIET] * 5)

    due = agenda(now_s, a=early, b=late)

    assert not schedule.is_due(late, now_s)
    assert due.look == {A, B}


def test_look_leaves_out_what_fails() -> None:
    """A calendar that has just failed does not join the others' look."""
    failed = rounds(settled(at_s=245.0), [Failed(200.0)])

    assert failed.not_before_s > 310
    assert agenda(310.0, a=settled(), b=failed).run == {A}


@given(
    st.lists(st.sampled_from(["touch", "begin", "quiet", "fail", "hurry"]), max_size=20),
    st.floats(0, 1000),
)
def test_looks_are_rounds(steps: list[str], now_s: float) -> None:
    """Whatever is looked at is also synced, and nothing in a round is begun again."""
    pace, at_s = schedule.fresh(60, 0.0), 0.0
    for step in steps:
        at_s += 1.0
        match step:
            case "touch":
                pace = schedule.touched(pace, at_s)
            case "begin":
                pace = schedule.begun(pace, at_s, look=True)
            case "quiet":
                pace = schedule.after(pace, QUIET, at_s, MID)
            case "fail":
                pace = schedule.after(pace, Failed(5.0), at_s, MID)
            case _:
                pace = schedule.at_once(pace, at_s)
    due = agenda(now_s, a=pace, b=settled())

    assert due.look <= due.run
    assert pace.next_s < inf or A not in due.run


# --- the clock -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wall_s", "monotonic_s", "jumped_s"),
    [
        (1.0, 1.0, None),
        (5.5, 1.0, None),  # slewed by a time service
        (3601.0, 1.0, 3600.0),  # set forward, or suspended on a clock that stood still
        (-3599.0, 1.0, -3600.0),  # set back
        (20.0, 20.0, None),  # a busy machine
        (40.0, 40.0, 39.0),  # stopped, or suspended on a clock that went on
        (1e9, 1.0, 1e9 - 1.0),  # a board without a battery hears the time
    ],
)
def test_ticks(wall_s: float, monotonic_s: float, jumped_s: float | None) -> None:
    """A jump is more than five seconds between the clocks, or a tick that is half a minute late."""
    now = Tick(START + timedelta(seconds=wall_s), 100.0 + monotonic_s)

    assert schedule.jumped_s(Tick(START, 100.0), now, 1.0) == jumped_s
