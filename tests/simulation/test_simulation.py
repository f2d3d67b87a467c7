"""Whatever happens, in whatever order: no seed breaks a promise."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.run import Outcome, Run, ran
from tests.simulation.script import Hook, Script, Step, drawn
from tests.simulation.shrink import kind_of, shrunk, story

ROOT = Path(__file__).resolve().parents[2]
SEEDS_AT_ONCE = 25


@pytest.fixture(autouse=True)
def _without_collector() -> Iterator[None]:
    """A run leaves some ten thousand objects behind: they alone are collected, after the test."""
    gc.disable()
    gc.freeze()
    yield
    gc.enable()
    gc.collect()
    gc.unfreeze()


@pytest.mark.parametrize("first", range(1, 101, SEEDS_AT_ONCE))
def test_no_seed_breaks_a_promise(first: int) -> None:
    """After everybody stopped, both sides agree and everything anybody wrote is accounted for."""
    for seed in range(first, first + SEEDS_AT_ONCE):
        outcome = _outcome(seed)
        assert not outcome.findings, story(drawn(seed), outcome)


@cache
def _outcome(seed: int) -> Outcome:
    return ran(drawn(seed))


def test_seeds_do_what_they_are_for() -> None:
    """Syncs are killed, files and events written, writes lost: the runs are no idle ones."""
    outcomes = [_outcome(seed) for seed in range(1, 26)]

    assert sum(one.kills for one in outcomes) > 5
    assert sum(one.syncs for one in outcomes) > 150
    told = "\n".join(line for one in outcomes for line in one.story)
    failures = ("timeout-after", "reset-after", "throttled")
    people = ("here away", "here back", "here forget", "whole-day", "remote answer")
    for what in ("wrote POST", "wrote PATCH", "file jobs", *failures, *people):
        assert what in told


_DIGESTS = """
from tests.simulation.run import ran
from tests.simulation.script import drawn
print([ran(drawn(seed), traced=True).digest for seed in range(1, 9)])
"""


def test_a_seed_is_always_the_same_run() -> None:
    """Some seeds, point by point, in two processes that order their sets differently."""
    told = [
        subprocess.run(
            [sys.executable, "-c", _DIGESTS],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert told[0] == told[1]
    assert told[0].count("'") == 16


# --- the judge -----------------------------------------------------------------------------------


def _made(*more: Step) -> Run:
    run = Run(Script(1, ()))
    for step in (Step(1, "here", "create", 1, 1), Step(2, "here", "sync"), *more):
        run.step(step)
    return run


def _verdict(run: Run) -> str:
    return "\n".join(run.run().findings)


def test_the_judge_is_content_where_all_is_well() -> None:
    """A file that became an event."""
    assert _verdict(_made()) == ""


def test_the_judge_notices_what_was_lost() -> None:
    """A value that somebody wrote, and that is nowhere."""
    run = _made(Step(3, "remote", "edit", 1, 0))
    item = run.world.item(1)
    assert item is not None
    item.values["subject"] = "i1 s1"

    assert "subject 'i1 s3' of remote is lost" in _verdict(run)


def test_the_judge_notices_what_is_doubled() -> None:
    """Two events of one file."""
    run = _made()
    body = {"subject": "i1 s1", "start": _at(10), "end": _at(11)}
    run.world.box.create(run.world.calendars["Other"], body)

    assert "it is on the service 2 times" in _verdict(run)


def test_the_judge_notices_what_nobody_deleted() -> None:
    """An event that goes by itself takes its file along: nobody wanted either."""
    run = _made()
    item = run.world.item(1)
    assert item is not None
    run.world.box.delete(item.default_id)

    assert "it is gone, and nobody deleted it" in _verdict(run)


def test_the_judge_notices_a_mail() -> None:
    """An invitation that nobody approved."""
    run = _made()
    item = run.world.item(1)
    assert item is not None
    guest = {"emailAddress": {"address": "bob@example.org"}, "type": "required"}
    run.world.box.patch(item.default_id, {"attendees": [guest]}, actor="api")

    assert "invitation was mailed, and nobody approved it" in _verdict(run)


def _at(hour: int) -> dict[str, str]:
    return {"dateTime": f"2026-03-05T{hour}:00:00", "timeZone": "UTC"}


def test_a_finding_is_made_short() -> None:
    """Of a script with a dozen steps, those are left that the finding needs."""
    script = drawn(3)

    def edits_are_wrong(one: Script) -> Outcome:
        edits = [step for step in one.steps if step.verb == "edit"]
        return Outcome(["there was an edit"] if edits else [], [])

    short = shrunk(script, edits_are_wrong)

    assert [step.verb for step in short.steps] == ["edit"]
    assert kind_of(ran(short)) == ""


# --- what was found and is mended ----------------------------------------------------------------


def _well(
    *steps: Step, switches: dict[str, Any] | None = None, settings: dict[str, Any] | None = None
) -> None:
    script = Script(1667, steps, switches or {}, settings or {})
    outcome = ran(script)
    assert not outcome.findings, story(script, outcome)


def test_a_file_that_is_back_has_what_was_held_of_it_held_again() -> None:
    """An invitation waits, the file is deleted, the event changes: the file is back, and waits."""
    _well(
        Step(1, "here", "create", 1, 1),
        Step(2, "here", "sync"),
        Step(3, "here", "invite", 1),
        Step(4, "here", "sync"),
        Step(5, "here", "delete", 1),
        Step(6, "remote", "edit", 1, 1),
        Step(7, "here", "sync"),
    )


def test_a_deletion_is_not_held_with_those_that_wait() -> None:
    """One that is made while others wait for a person is carried out, or it is listed."""
    _well(
        Step(1, "here", "create", 1, 561),
        Step(2, "here", "create", 2, 244),
        Step(3, "here", "create", 3, 616),
        Step(7, "here", "sync"),
        Step(8, "here", "delete", 3),
        Step(9, "here", "delete", 2),
        Step(10, "here", "delete", 1),
        Step(12, "here", "sync", 0, 3),
        Step(14, "remote", "start", 3, 457),
        Step(15, "here", "sync", 0, 3),
        Step(17, "remote", "delete", 1),
        Step(19, "here", "delete", 3),
    )


def test_a_deletion_does_not_take_what_nobody_saw() -> None:
    """An event beyond the view was changed, and no view tells: deleting its file leaves it."""
    _well(
        Step(6, "here", "create", 6, 720),
        Step(7, "here", "sync"),
        Step(21, "remote", "start", 6, 184),
        Step(22, "here", "sync", 0, 3, (Hook(32, "kill"),)),
        Step(31, "here", "delete", 6, 285),
        Step(32, "here", "sync", 0, 3),
        switches={"keep_delta_states": 2},
    )


@pytest.mark.parametrize("at", range(20, 60))
def test_a_series_changed_right_after_our_write_is_read(at: int) -> None:
    """Whenever somebody moves it while its move is sent and read again, both sides agree."""
    _well(
        Step(13, "here", "create", 13, 496),
        Step(19, "here", "sync", 0, 3),
        Step(21, "here", "start", 13, 713),
        Step(22, "here", "sync", 0, 3, (Hook(at, Step(23, "remote", "start", 13, 125)),)),
    )


def test_the_time_of_a_series_goes_without_an_old_rule() -> None:
    """A file moves a series whose rule was changed in Outlook: both stay."""
    _well(
        Step(16, "remote", "create", 16, 236),
        Step(20, "here", "sync"),
        Step(22, "here", "start", 16, 952),
        Step(24, "remote", "rule", 16, 15),
    )


def test_the_rule_of_a_series_goes_without_an_old_time() -> None:
    """A file changes the rule of a series that was moved in Outlook: both stay."""
    _well(
        Step(11, "remote", "create", 11, 988),
        Step(12, "here", "sync"),
        Step(24, "here", "rule", 11, 101),
        Step(26, "remote", "start", 11, 985),
    )


def test_an_event_made_again_elsewhere_is_the_same_item() -> None:
    """Deleted in Outlook while two installations edited it: the second finds what the first made."""
    run = Run(Script(1, (), settings={"second": True}))
    for step in (
        Step(1, "remote", "create", 1, 1),
        Step(2, "here", "sync"),
        Step(3, "there", "sync"),
        Step(4, "remote", "delete", 1),
        Step(5, "here", "edit", 1, 0),
        Step(6, "there", "edit", 1, 1),
        Step(7, "here", "sync"),
        Step(8, "there", "sync"),
    ):
        run.step(step)

    assert [item.values["subject"] for _, item in run.world.items()] == ["i1 s5"]


def _killed_as_it_made_a_file(at: int) -> Run | None:
    """An event whose sync was killed at a point, where that left its file unrecorded."""
    run = Run(Script(1, ()))
    run.step(Step(1, "remote", "create", 1, 1))
    run.step(Step(2, "here", "sync", hooks=(Hook(at, "kill"),)))
    here = run.world.installations["here"]
    [uid] = [thing.uid for thing in run.model.things.values()]
    return run if here.has_file(uid) and not here.knows(uid) else None


def _all_killed() -> list[Run]:
    runs = [run for at in range(10, 40) if (run := _killed_as_it_made_a_file(at))]
    assert runs
    return runs


def test_an_edit_of_a_file_that_a_kill_left_unrecorded_counts() -> None:
    """Nobody edited the event: the file's version is what it becomes."""
    for run in _all_killed():
        run.step(Step(3, "here", "edit", 1, 0))

        assert _verdict(run) == ""
        assert [item.values["subject"] for _, item in run.world.items()] == ["i1 s3"]
        assert run.world.installations["here"].problems() == []


def test_an_event_that_goes_before_its_file_is_recorded_stays_away() -> None:
    """The file is known for what it is, and goes as well."""
    for run in _all_killed():
        run.step(Step(3, "remote", "delete", 1))

        assert _verdict(run) == ""
        assert run.world.items() == []
        assert run.world.installations["here"].folder("Calendar").names() == set()


def test_a_pause_that_a_clock_ahead_has_noted_holds_up_nothing() -> None:
    """The service asked for seconds, the clock was ahead by a month and is right again."""
    run = Run(Script(1, ()))
    here = run.world.installations["here"]
    run.step(Step(1, "here", "create", 1, 1))
    here.clock.off_s = 40 * 86400.0
    run.step(Step(2, "here", "sync", hooks=(Hook(4, "throttled"),)))
    here.clock.off_s = 0.0
    run.step(Step(3, "remote", "create", 3, 1))

    reports = here.sync(fresh=True, look=True)

    assert [one.trouble for one in reports] == [None, None]
    assert len(here.folder("Calendar").names()) == 2


def test_a_true_up_that_a_clock_ahead_has_noted_is_not_the_last_for_long() -> None:
    """What only a whole comparison shows is found as soon as the clock is right again."""
    run = Run(Script(1, ()))
    here = run.world.installations["here"]
    here.clock.off_s = 40 * 86400.0
    run.step(Step(1, "here", "create", 1, 1))
    run.step(Step(2, "here", "sync"))
    here.clock.off_s = 0.0

    run.step(Step(3, "here", "sync"))

    noted = here.disk.conn.execute("SELECT max(true_up_at) FROM view").fetchone()[0]
    assert noted < f"{run.world.time.wall.isoformat()}"


def test_a_file_with_half_a_uid_is_the_item_that_it_was_of() -> None:
    """A program cut it off within its UID while an invitation waits: the item is not doubled."""
    _well(
        Step(1, "remote", "create", 1, 89),
        Step(2, "here", "sync"),
        Step(4, "here", "invite", 1, 283),
        Step(8, "here", "sync"),
        Step(9, "here", "truncate", 1, 369),
        Step(10, "here", "truncate", 1, 541),
    )


@pytest.mark.parametrize("at", range(20, 80, 4))
def test_an_exception_made_right_after_a_series_moved_is_news(at: int) -> None:
    """Whenever somebody changes one occurrence while the series' new time is sent, it stays."""
    _well(
        Step(1, "here", "create", 1, 588),
        Step(7, "here", "sync"),
        Step(20, "here", "start", 1, 598),
        Step(27, "here", "sync", 0, 0, (Hook(at, Step(28, "remote", "slot", 1, 693)),)),
    )


@pytest.mark.parametrize("honoured", [True, False])
@pytest.mark.parametrize("verb", ["slot", "exdate", "edit", "delete"])
def test_who_is_invited_meanwhile_is_not_mailed(verb: str, honoured: bool) -> None:
    """Whenever somebody is invited until right before a write leaves, it waits for the policy."""
    for at in range(17, 31):
        _well(
            Step(1, "remote", "create", 1, 688),
            Step(2, "here", "sync"),
            Step(3, "here", verb, 1, 829),
            Step(4, "here", "sync", 0, 0, (Hook(at, Step(5, "remote", "invite", 1, 256)),)),
            switches={"if_match_honoured": honoured},
            settings={"mail": "never"},
        )


def _killed_as_it_swapped(at: int) -> Run | None:
    """An edited event whose sync was killed at a point, where its file was swapped unrecorded."""
    run = Run(Script(1, ()))
    run.step(Step(1, "remote", "create", 1, 1))
    run.step(Step(2, "here", "sync"))
    run.step(Step(3, "remote", "edit", 1, 0))
    run.step(Step(4, "here", "sync", hooks=(Hook(at, "kill"),)))
    here = run.world.installations["here"]
    folder = here.folder("Calendar")
    [name] = folder.names()
    [known] = here.disk.conn.execute("SELECT content FROM item").fetchone()
    return run if folder.read(name) != known else None


def test_an_edit_of_a_file_that_a_kill_left_swapped_counts() -> None:
    """The service has said nothing since: the file's version is what the event becomes."""
    runs = [run for at in range(20, 40) if (run := _killed_as_it_swapped(at))]
    assert runs
    for run in runs:
        run.step(Step(5, "here", "edit", 1, 0))

        assert _verdict(run) == ""
        assert [item.values["subject"] for _, item in run.world.items()] == ["i1 s5"]
        assert run.world.installations["here"].problems() == []


def test_a_save_that_a_killed_swap_took_out_is_the_file_again() -> None:
    """It came between the plan and the swap: no round had read it, and nothing wrote it back."""
    _well(
        Step(4, "here", "create", 4, 980),
        Step(5, "here", "sync"),
        Step(7, "remote", "edit", 4, 329),
        Step(
            8, "here", "sync", 0, 0, (Hook(38, Step(12, "here", "edit", 4, 427)), Hook(42, "kill"))
        ),
    )


def test_what_a_kill_left_swapped_is_no_rival_of_what_came_since() -> None:
    """Nobody edited the file: what the service says next simply comes."""
    runs = [run for at in range(20, 40) if (run := _killed_as_it_swapped(at))]
    for run in runs:
        run.step(Step(5, "remote", "edit", 1, 0))

        assert _verdict(run) == ""
        assert run.world.installations["here"].problems() == []


def test_an_event_made_again_elsewhere_is_the_same_item_in_a_fresh_view() -> None:
    """It was deleted while two installations edited it, and only a true-up shows what became."""
    for switches in ({}, {"keep_delta_states": 2}):
        _well(
            Step(4, "remote", "create", 4, 57),
            Step(20, "there", "sync", 0, 3),
            Step(23, "here", "sync"),
            Step(24, "there", "edit", 4, 884),
            Step(28, "remote", "delete", 4),
            Step(37, "here", "edit", 4, 522),
            switches=switches,
            settings={"second": True},
        )


def test_what_lies_beyond_the_view_is_asked_for_after_endless_pages() -> None:
    """A fresh view for whatever reason counts as a true-up, so it is one."""
    _well(
        Step(1, "here", "create", 1, 536),
        Step(2, "here", "sync", 0, 1),
        Step(3, "here", "sync", 0, 1, (Hook(12, "endless-pages"),)),
        Step(4, "remote", "delete", 1),
    )


def test_a_folder_that_is_back_is_not_filled_anew() -> None:
    """A person approved that it be, and then found it: what is deleted in it stays deleted."""
    _well(
        Step(1, "remote", "create", 1, 301),
        Step(2, "here", "sync"),
        Step(3, "here", "away", 1),
        Step(4, "here", "sync"),
        Step(5, "person", "approve", 0, 3),
        Step(6, "here", "back", 1),
        Step(7, "here", "delete", 1),
    )


@pytest.mark.parametrize("policy", ["local", "newest", "ask"])
@pytest.mark.parametrize("verb", ["edit", "start"])
def test_a_conflict_in_a_calendar_that_is_followed_one_way_is_none(policy: str, verb: str) -> None:
    """Whatever the policy says: the file's version is undone, and nothing is sent."""
    _well(
        Step(2, "remote", "create", 2, 534),
        Step(5, "here", "sync"),
        Step(13, "remote", verb, 2, 0),
        Step(14, "here", verb, 2, 3),
        settings={"conflict": policy, "direction": "pull"},
    )


@pytest.mark.parametrize("at", range(38, 44))
def test_a_create_that_a_person_is_asked_about_is_not_sent_again(at: int) -> None:
    """Its answer was lost, the event moved away, and the service says no more than that it knows."""
    _well(
        Step(1, "here", "create", 1, 1),
        Step(2, "here", "sync", 0, 1, (Hook(at, "kill"),)),
        Step(3, "remote", "move", 1),
        switches={"duplicate_transaction_answer": "conflict"},
    )


def test_a_forwarded_event_whose_file_goes_before_that_is_seen_is_back() -> None:
    """The wish left in a round that looked at no folder; whoever was asked to come still may."""
    steps = (
        Step(1, "remote", "create", 1, 797),
        Step(35, "here", "sync", extra=2),
        Step(43, "here", "wish", 1, 718),
        Step(47, "here", "delete", 1, 287),
        Step(48, "here", "sync", extra=2),
    )
    outcome = ran(Script(3007671, steps, {}, {}))
    assert not outcome.findings
    assert not any("DELETE" in line for line in outcome.story)


def test_a_forwarded_event_whose_file_moves_before_that_is_seen_is_there_twice() -> None:
    """Its copy has no guests, and the meeting that it became keeps them: it is told, and both stay."""
    _well(
        Step(2, "here", "create", 2, 366),
        Step(4, "here", "sync", extra=1),
        Step(10, "here", "wish", 2, 816),
        Step(13, "here", "sync", 0, 1, (Hook(49, Step(14, "here", "move", 2, 193)),)),
    )


def test_what_was_carried_into_a_file_and_saved_over_is_kept() -> None:
    """Outlook's edit has followed the file, which is saved anew, broken, before a round reads it."""
    _well(
        Step(2, "here", "create", 2, 439),
        Step(16, "here", "sync", extra=2),
        Step(18, "here", "move", 2, 200),
        Step(20, "remote", "edit", 2, 49),
        Step(23, "here", "sync", 0, 0, (Hook(93, Step(26, "here", "truncate", 2, 623)),)),
    )


def test_a_lost_update_that_somebody_overtook_is_not_mailed_again_unasked() -> None:
    """It was answered before the kill; then Outlook wrote the same field, and the file is to win."""
    _well(
        Step(4, "remote", "create", 4, 894),
        Step(16, "there", "sync", extra=1),
        Step(19, "there", "delete", 4, 616),
        Step(20, "remote", "whole-day", 20, 787),
        Step(38, "here", "sync"),
        Step(39, "there", "sync"),
        Step(41, "here", "edit", 20, 868),
        Step(45, "here", "sync", 0, 3, (Hook(35, "not-json"), Hook(84, "kill"))),
        Step(48, "remote", "edit", 20, 769),
        settings={"conflict": "local", "second": True},
    )


def test_what_was_forwarded_is_cancelled_only_as_a_meeting() -> None:
    """Both were asked for at once: by its turn the cancellation would mail the new guest."""
    _well(
        Step(3, "here", "create", 3, 15),
        Step(9, "here", "sync", extra=3),
        Step(26, "here", "wish", 3, 536),
        Step(27, "here", "wish", 3, 101),
        settings={"mail": ("send", "never", "never", "hold")},
    )


def test_a_series_without_a_day_left_is_in_no_view() -> None:
    """Both sides took days away until none was left: the service keeps the empty series."""
    _well(
        Step(4, "here", "create", 4, 948),
        Step(11, "here", "sync"),
        Step(13, "remote", "exdate", 4, 805),
        Step(17, "here", "exdate", 4, 986),
        Step(21, "here", "exdate", 4, 382),
    )


def test_a_cancellation_on_its_way_reaches_whoever_is_invited_meanwhile() -> None:
    """Its request names no version of the event, and a person asked for it."""
    _well(
        Step(14, "here", "create", 14, 583),
        Step(19, "here", "sync", extra=1),
        Step(30, "here", "wish", 14, 430),
        Step(31, "here", "sync", 0, 1, (Hook(25, Step(36, "remote", "invite", 14, 488)),)),
    )


def test_what_moved_and_was_edited_in_outlook_waits_for_its_broken_file() -> None:
    """The edit is to follow into the file, which cannot be read: it is told, and both are there."""
    _well(
        Step(1, "here", "create", 1, 638),
        Step(5, "here", "sync", extra=1),
        Step(7, "here", "move", 1, 201),
        Step(
            *(8, "here", "sync", 0, 3),
            (
                Hook(5, Step(13, "remote", "create", 13, 591)),
                Hook(65, Step(10, "here", "edit", 1, 830)),
                Hook(104, Step(12, "remote", "start", 1, 991)),
            ),
        ),
        Step(22, "here", "truncate", 1, 491),
    )


def test_an_occurrence_edited_in_a_series_that_a_file_ends_is_kept() -> None:
    """The file says a single event by now; what Outlook changed of a day is in the history."""
    _well(
        Step(4, "here", "create", 4, 88),
        Step(5, "here", "sync"),
        Step(12, "here", "truncate", 4, 356),
        Step(13, "remote", "slot", 4, 196),
        Step(23, "here", "repair", 4, 553),
    )


def test_a_guest_of_an_event_that_is_forwarded_next_is_its_first() -> None:
    """Updates mail nobody here, invitations do, and so does what is forwarded."""
    _well(
        Step(12, "remote", "create", 12, 401),
        Step(21, "here", "sync", extra=1),
        Step(25, "here", "wish", 12, 879),
        Step(37, "here", "invite", 12, 122),
        settings={"mail": ("send", "never", "never", "hold")},
    )


def test_a_file_that_moves_while_its_event_is_linked_anew_is_one_event() -> None:
    """The state was lost, so nothing was agreed of either: the two meet where the file is."""
    _well(
        Step(17, "here", "create", 17, 34),
        Step(19, "here", "sync", extra=3),
        Step(23, "here", "forget", 4, 57),
        Step(26, "here", "edit", 17, 657),
        Step(29, "here", "sync", 0, 1, (Hook(29, Step(31, "here", "move", 17, 437)),)),
    )


def test_an_edit_in_outlook_follows_a_file_that_moved_right_before_a_kill() -> None:
    """What was read of the file where it is has no stat yet: the look that found it has."""
    _well(
        Step(1, "here", "create", 1, 380),
        Step(11, "here", "whole-day", 11, 522),
        Step(14, "here", "sync", extra=1),
        Step(19, "remote", "slot", 1, 239),
        Step(20, "here", "move", 11, 505),
        Step(21, "remote", "edit", 11, 277),
        Step(22, "here", "sync", 0, 0, (Hook(62, "kill"),)),
        switches={"empty_first_page": True},
    )


def test_an_old_text_of_a_series_says_what_its_days_have() -> None:
    """The series' new description is that of its day too; the text that is saved has one alone."""
    _well(
        Step(15, "remote", "create", 15, 192),
        Step(30, "remote", "slot", 15, 861),
        Step(40, "here", "sync"),
        Step(44, "here", "open", 15, 665),
        Step(51, "remote", "edit", 15, 488),
        Step(52, "here", "sync"),
        Step(54, "here", "save", 15, 380),
        switches={"supports_cancelled_occurrences": False},
    )


def test_a_file_that_moves_just_as_its_event_was_edited_has_moved() -> None:
    """The edit is noted after the arrival, and reached no file where it was."""
    _well(
        Step(15, "here", "create", 15, 317),
        Step(18, "here", "sync"),
        Step(31, "remote", "edit", 15, 669),
        Step(33, "here", "sync", 0, 3, (Hook(13, Step(34, "here", "move", 15, 685)),)),
    )


def test_days_that_were_taken_out_move_with_their_series() -> None:
    """Each of them stands in a line of its own."""
    _well(
        Step(1, "here", "create", 1, 228),
        Step(7, "here", "exdate", 1, 911),
        Step(8, "here", "exdate", 1, 419),
        Step(11, "here", "start", 1, 693),
    )


def test_a_file_that_moves_while_a_person_is_asked_keeps_both_versions() -> None:
    """The state was lost, so its text is asked about; until that is answered both events stay."""
    _well(
        Step(2, "here", "create", 2, 903),
        Step(6, "here", "sync"),
        Step(8, "here", "edit", 2, 576),
        Step(9, "here", "forget", 3, 417),
        Step(12, "here", "sync"),
        Step(20, "here", "move", 2, 136),
        settings={"conflict": "ask"},
    )


@pytest.mark.parametrize(
    ("made", "edited", "remote", "at"),
    [
        (925, 826, (Step(36, "remote", "edit", 3, 120), Step(37, "remote", "exdate", 3, 765)), 51),
        (770, 74, (Step(36, "remote", "start", 3, 181), Step(37, "remote", "slot", 3, 154)), 57),
        (670, 183, (Step(36, "remote", "edit", 3, 529), Step(37, "remote", "slot", 3, 887)), 59),
    ],
)
def test_nobody_stops_such_a_write_and_still_it_mails_nobody(
    made: int, edited: int, remote: tuple[Step, Step], at: int
) -> None:
    """The service compares no versions: who is invited is looked up right before, days included."""
    _well(
        Step(3, "here", "create", 3, made),
        Step(28, "here", "sync", extra=2),
        Step(29, "here", "slot", 3, edited),
        Step(30, "here", "sync"),
        Step(31, "here", "forget", 2, 938),
        *remote,
        Step(38, "here", "sync", 0, 3, (Hook(at, Step(39, "remote", "invite", 3, 391)),)),
        settings={"conflict": "local"},
        switches={"if_match_honoured": False},
    )


def test_an_edit_waits_for_news_that_another_copy_of_the_mailbox_denies() -> None:
    """A page told of them, the read by id says 404, and nobody would stop a write over them."""
    _well(
        Step(1, "here", "create", 1, 621),
        Step(24, "here", "sync", extra=1),
        Step(28, "remote", "start", 1, 628),
        Step(31, "here", "sync", extra=2),
        Step(36, "here", "edit", 1, 276),
        Step(42, "remote", "edit", 1, 69),
        Step(43, "here", "sync", 0, 1, (Hook(2, "lagging"),)),
        switches={"if_match_honoured": False},
    )


def test_what_a_lost_state_left_apart_mails_nobody_who_is_invited_meanwhile() -> None:
    """It is nobody's edit, also after the service did not take it because it had a guest by then."""
    _well(
        Step(3, "here", "create", 3, 852),
        Step(28, "here", "sync", extra=2),
        Step(31, "here", "forget", 2, 938),
        Step(36, "remote", "start", 3, 824),
        Step(38, "here", "sync", 0, 3, (Hook(60, Step(39, "remote", "invite", 3, 391)),)),
        settings={"conflict": "local"},
    )


def test_a_persons_decision_for_the_file_may_mail() -> None:
    """The file has no guests, Outlook has: whoever takes the file's side sends them word."""
    _well(
        Step(1, "remote", "create", 1, 100),
        Step(5, "here", "sync", extra=1),
        Step(10, "remote", "invite", 1, 108),
        Step(11, "here", "forget", 3, 378),
        Step(13, "here", "sync", extra=1),
        Step(53, "here", "sync", 0, 1, (Hook(40, Step(58, "person", "local", extra=2)),)),
        settings={"conflict": "ask"},
    )


def test_a_meeting_that_goes_before_it_was_agreed_on_anew_is_not_made_again() -> None:
    """The state was lost, and the conflict waits: whoever was invited would be so once more."""
    _well(
        Step(13, "remote", "create", 13, 304),
        Step(17, "here", "sync", extra=1),
        Step(18, "here", "edit", 13, 36),
        Step(21, "here", "forget", 4, 379),
        Step(28, "here", "sync", extra=3),
        Step(33, "here", "sync", 0, 3, (Hook(30, Step(34, "remote", "delete", 13, 659)),)),
        settings={"conflict": "local", "mail": ("send", "never", "never", "hold")},
    )


def test_a_file_that_is_cut_short_and_renamed_ends_no_meeting() -> None:
    """Nothing of it says whose it is but its beginning."""
    _well(
        Step(1, "remote", "create", 1, 619),
        Step(7, "here", "sync"),
        Step(15, "here", "truncate", 1, 608),
        Step(36, "here", "sync", 0, 0, (Hook(3, Step(37, "here", "rename", 1, 181)),)),
        settings={"mail": "send"},
    )


def test_an_edit_in_outlook_follows_a_moved_file_of_which_something_was_asked() -> None:
    """The reminder was put off of the event that the file had left."""
    _well(
        Step(1, "here", "create", 1, 86),
        Step(13, "here", "copy", 1, 982),
        Step(14, "here", "sync", extra=3),
        Step(21, "remote", "edit", 13, 11),
        Step(30, "here", "wish", 13, 12),
        Step(31, "here", "move", 13, 762),
    )


@pytest.mark.parametrize("at", range(28, 36))
def test_a_deleted_file_that_was_to_be_back_is_back_after_a_kill(at: int) -> None:
    """The item had no name by then, so that no look could miss its file."""
    _well(
        Step(3, "remote", "create", 3, 109),
        Step(4, "here", "sync", extra=2),
        Step(38, "here", "delete", 3, 541),
        Step(39, "here", "sync", 0, 0, (Hook(at, "kill"),)),
        settings={"direction": "pull"},
    )


def test_a_guest_of_the_event_that_a_moved_file_left_is_none_of_the_other() -> None:
    """The folder that it left is away: both events are there, and each has its own guests."""
    _well(
        Step(3, "here", "create", 3, 682),
        Step(5, "here", "sync", extra=3),
        Step(8, "remote", "invite", 3, 503),
        Step(9, "here", "move", 3, 993),
        Step(11, "here", "sync", 0, 0, (Hook(8, Step(12, "here", "away", 3, 921)),)),
        Step(15, "here", "invite", 3, 832),
        settings={"mail": ("send", "never", "never", "hold")},
    )


def test_a_rule_that_drops_an_edited_day_right_after_its_answer_counts() -> None:
    """What was sent of that day is gone before it is read again: the file follows."""
    for at in range(36, 52):
        _well(
            Step(32, "here", "create", 32, 420),
            Step(41, "here", "sync"),
            Step(44, "here", "slot", 32, 363),
            Step(45, "here", "sync", 0, 0, (Hook(at, Step(46, "remote", "rule", 32, 43)),)),
        )


def test_who_takes_away_the_day_that_a_deleted_series_had_lost_has_edited_it() -> None:
    """Both took the same day away, and one of them the whole series: it is made anew."""
    _well(
        Step(18, "remote", "create", 18, 284),
        Step(24, "here", "sync", extra=1),
        Step(28, "remote", "exdate", 18, 758),
        Step(34, "here", "exdate", 18, 783),
        Step(36, "remote", "delete", 18, 786),
    )


def test_a_file_that_moves_between_the_looks_after_a_lost_state_has_one_event() -> None:
    """Neither look saw it, and nothing was known that could be missing."""
    for at in range(17, 26):
        _well(
            Step(15, "remote", "create", 16, 5),
            Step(16, "here", "sync", extra=3),
            Step(39, "here", "forget", 7, 292),
            Step(41, "here", "sync", 0, 3, (Hook(at, Step(42, "here", "move", 16, 987)),)),
        )


def test_a_day_that_is_edited_in_outlook_right_after_its_answer_has_that() -> None:
    """What was read again is not what the write came to."""
    for at in range(36, 52):
        _well(
            Step(32, "here", "create", 32, 420),
            Step(41, "here", "sync"),
            Step(44, "here", "slot", 32, 363),
            Step(45, "here", "sync", 0, 0, (Hook(at, Step(46, "remote", "slot", 32, 363)),)),
        )


def test_the_time_of_a_series_waits_while_a_person_is_asked_about_a_day() -> None:
    """With its exceptions the service would drop the version that is to be asked about."""
    _well(
        Step(1, "remote", "create", 1, 624),
        Step(8, "here", "sync", extra=2),
        Step(9, "remote", "slot", 1, 958),
        Step(10, "here", "start", 1, 50),
        Step(14, "here", "slot", 1, 130),
        settings={"conflict": "ask"},
    )
