"""What is held of all plans of a calendar together, how it is listed, and what a person decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from syncd.core.decide import Absent, Nothing, Same, Sides
from syncd.core.guard import DeletionLimit
from syncd.core.ids import FileName, ProblemId, Uid
from syncd.core.plan import DeletionCounts, Desk, ItemPlan, hold_creations, hold_deletions
from syncd.core.plan.guarding import Held, verdict_changes
from syncd.core.state import (
    ClearVerdict,
    Problem,
    PutVerdict,
    Side,
    VerdictKind,
    VerdictRecord,
)
from tests.core.planning import (
    NEW,
    SEND_ALL,
    after_save,
    desk,
    edited,
    known,
    made,
    person,
    planned,
    saved,
    there,
)

BOB = person("bob@example.org")
GUESTS = ("ORGANIZER:mailto:me@example.org", "ATTENDEE:mailto:bob@example.org")
SIDES = pytest.mark.parametrize("side", ["local", "remote"])


def uids(count: int) -> list[Uid]:
    return [Uid(f"u{number:02}") for number in range(count)]


def gone(side: Side, uid: str, *, at: Desk | None = None, **changes: Any) -> ItemPlan:
    """The plan where one item went on a side: of its file, or of its event."""
    remote = there(iCalUId=uid, id=f"g-{uid}", subject=f"Title {uid}", **changes)
    record = replace(known(remote), uid=Uid(uid), file=FileName(f"{uid}.ics"))
    local, event = (Absent(), remote) if side == "local" else (Same(), None)
    return planned(Sides(Uid(uid), record, local, event), at or desk())


def all_gone(side: Side, count: int) -> list[ItemPlan]:
    return [gone(side, uid) for uid in uids(count)]


def counts(plans: list[ItemPlan], known_: int, **changes: Any) -> DeletionCounts:
    """What the guard counts where nothing else went; both limits as they are by default."""
    given = {"recent": 0, "known": known_, "vanished": len(plans), "had": known_, **changes}
    return DeletionCounts(**given)


def held_list(
    plans: list[ItemPlan], side: Side, number: DeletionCounts, at: Desk | None = None
) -> Problem:
    """The list of deletions that are held, each of them."""
    after, problem = hold_deletions(plans, side, number, at or desk())
    assert not any(plan.writes or plan.file for plan in after)
    assert problem is not None
    return problem


def decided(
    at: Desk, which: Held, about: Iterable[Uid], *verdicts: tuple[Problem, VerdictKind]
) -> Desk:
    """The desk after a person decided of lists, and the round made of it what it means."""
    kept = dict(at.verdicts)
    for problem, kind in verdicts:
        kept[problem.id] = VerdictRecord(problem.id, kind, problem.exact)
        for change in verdict_changes(which, about, replace(at, verdicts=kept)):
            if isinstance(change, PutVerdict):
                kept[change.verdict.problem] = change.verdict
            if isinstance(change, ClearVerdict):
                del kept[change.problem]
    return replace(at, verdicts=kept)


def of_item(at: Desk, uid: Uid) -> VerdictRecord:
    """What was decided of one item of a list."""
    (found,) = (one for one in at.verdicts.values() if one.exact == uid)
    return found


# --- which deletions are held --------------------------------------------------------------------


@SIDES
def test_as_many_deletions_as_the_limits_allow_go_as_they_were_planned(side: Side) -> None:
    """Ten, where nothing else is configured; one more and none of them goes."""
    ten, eleven = all_gone(side, 10), all_gone(side, 11)

    assert hold_deletions(ten, side, counts(ten, 50), desk()) == (ten, None)
    after, problem = hold_deletions(eleven, side, counts(eleven, 50), desk())
    assert problem is not None
    assert [(plan.uid, plan.decision) for plan in after] == [
        (plan.uid, plan.decision) for plan in eleven
    ]
    assert not any(plan.writes or plan.file or plan.problems for plan in after)
    assert all(plan.record == plan.sides.known and plan.keep_todo for plan in after)


@SIDES
def test_what_else_is_planned_goes_on_beside_a_list_that_is_held(side: Side) -> None:
    """Edits, and what went on the other side; all in the order in which they were planned."""
    edit = after_save(there(), {"SUMMARY:Stand-up": "SUMMARY:Retro"})
    other = gone("remote" if side == "local" else "local", "u99")
    plans = [edit, *all_gone(side, 3), other]

    after, problem = hold_deletions(plans, side, counts(plans[1:4], 3), desk())

    assert problem is not None
    assert (after[0], after[4]) == (edit, other)
    assert [plan.uid for plan in after] == [plan.uid for plan in plans]
    assert not any(plan.writes or plan.file for plan in after[1:4])


def test_deletions_of_the_hour_before_count_and_the_items_of_an_hour_ago() -> None:
    """Five of 109 went, six more are more than a tenth; of 110 they are not."""
    six = all_gone("local", 6)

    (few, _), (many, problem) = (
        hold_deletions(six, "local", counts(six, number, recent=5, had=100), desk())
        for number in (110, 109)
    )

    assert few == six
    assert not any(plan.writes for plan in many)
    assert problem is not None
    assert problem.reason.startswith("11 of 109 items are gone from the folder within the hour")


def test_deletions_that_a_person_approved_count_too() -> None:
    """Ten went with a list; one more in the same round is more than the limit."""
    eleven = all_gone("local", 11)
    at = desk()
    first = held_list(eleven[:10], "local", counts(eleven[:10], 10), at)
    at = decided(at, "local", uids(11), (first, "approved"))

    after, problem = hold_deletions(eleven, "local", counts(eleven, 50), at)

    assert [bool(plan.writes) for plan in after] == [True] * 10 + [False]
    assert problem is not None
    assert [item["uid"] for item in problem.items] == ["u10"]
    assert problem.reason.startswith("11 of 50 items")


def test_a_side_of_which_nothing_is_left_is_held_whatever_the_limits() -> None:
    """What vanished counts by looking, also where nothing would be deleted for it."""
    three = all_gone("remote", 3)
    far = DeletionLimit(1000, 100.0)

    assert held_list(three, "remote", counts(three, 3, limit=far)).items
    assert hold_deletions(three, "remote", counts(three, 4, limit=far), desk())[1] is None
    seen = counts(three, 20, vanished=5, had=5, limit=far)
    assert held_list(three, "remote", seen).items


def test_the_text_of_a_meeting_that_would_be_kept_is_held_with_the_deletions() -> None:
    """Its file would go as well."""
    edits = []
    for uid in uids(3):
        remote = there(iCalUId=uid, id=f"g-{uid}", attendees=[BOB])
        record = replace(known(remote), uid=uid, file=FileName(f"{uid}.ics"))
        data = edited(record.content, {"SUMMARY:Stand-up": "SUMMARY:Mine"})
        edits.append(planned(Sides(uid, record, saved(data, record), None), desk()))
    assert all(plan.file for plan in edits)

    assert len(held_list(edits, "remote", counts(edits, 3)).items) == 3


def test_what_was_listed_stays_held_until_a_person_decides() -> None:
    """Whatever has appeared since; what is gone only now is none of that matter."""
    plans = all_gone("local", 4)
    at = desk()
    listed = held_list(plans[:3], "local", counts(plans[:3], 3), at)
    at = replace(at, open_problems={listed.id: listed})

    after, problem = hold_deletions(plans, "local", counts(plans, 50), at)

    assert [bool(plan.writes) for plan in after] == [False] * 3 + [True]
    assert problem is not None
    assert (problem.id, problem.exact, problem.items) == (listed.id, listed.exact, listed.items)
    assert problem.reason == (
        "3 items that were gone from the folder at once still are:"
        " nothing was deleted on the service"
    )


# --- how they are listed -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "known_", "reason", "hint"),
    [
        (
            "local",
            50,
            "11 of 50 items are gone from the folder within the hour:"
            " nothing was deleted on the service",
            "`syncd approve ID` deletes these 11 on the service;"
            " `syncd discard ID` writes the files again.",
        ),
        (
            "remote",
            11,
            "all 11 items are gone from the service at once: nothing was deleted in the folder",
            "`syncd approve ID` deletes these 11 in the folder;"
            " `syncd discard ID` keeps the files as local-only.",
        ),
    ],
)
def test_a_list_of_deletions_says_what_happened_and_what_can_be_done(
    side: Side, known_: int, reason: str, hint: str
) -> None:
    """With the effect of either decision, by name of the side."""
    plans = all_gone(side, 11)

    problem = held_list(plans, side, counts(plans, known_))

    assert (problem.kind, problem.code, problem.needs_person) == (
        *("held-deletions", f"{side}-deletions"),
        True,
    )
    assert (problem.reason, problem.hint, problem.uid) == (reason, hint, None)


def test_a_list_names_its_items_in_one_order_as_people_know_them() -> None:
    """It is the same list however the items were found."""
    plans = all_gone("local", 3)

    problem = held_list(plans[::-1], "local", counts(plans, 3))

    assert problem == held_list(plans, "local", counts(plans, 3))
    assert problem.items[0] == {"uid": "u00", "summary": "Title u00", "file": "u00.ics"}
    assert [item["uid"] for item in problem.items] == uids(3)


# --- what a person decides of a list -------------------------------------------------------------


def test_a_decision_about_a_list_is_one_about_each_of_its_items() -> None:
    """Of those that it is still about; the list's own is over."""
    plans = all_gone("local", 3)
    at = desk()
    listed = held_list(plans, "local", counts(plans, 3), at)
    record = VerdictRecord(listed.id, "approved", listed.exact)
    at = replace(at, verdicts={listed.id: record})

    over, *each = verdict_changes("local", [Uid("u02"), Uid("u00"), Uid("u99")], at)

    assert over == ClearVerdict(listed.id)
    assert [
        (one.verdict.exact, one.verdict.kind) for one in each if isinstance(one, PutVerdict)
    ] == [("u00", "approved"), ("u02", "approved")]
    assert len(each) == 2
    assert verdict_changes("remote", uids(3), at) == []


def test_a_decision_about_an_item_is_forgotten_when_the_matter_is_over() -> None:
    """And no other, such as one about a mail."""
    plans = all_gone("local", 3)
    mail = VerdictRecord(ProblemId("mail"), "approved", "exactly this")
    at = desk(verdicts={mail.problem: mail})
    listed = held_list(plans, "local", counts(plans, 3), at)
    at = decided(at, "local", uids(3), (listed, "approved"))
    ids = {uid: of_item(at, uid).problem for uid in uids(3)}

    assert verdict_changes("local", uids(3), at) == []
    assert verdict_changes("local", [Uid("u01")], at) == [
        ClearVerdict(ids[Uid("u00")]),
        ClearVerdict(ids[Uid("u02")]),
    ]
    assert verdict_changes("remote", [], at) == []


@pytest.mark.parametrize("uid", ["a  b", "two\nlines", "tab\tin it", " "])
def test_any_uid_can_be_decided_of(uid: str) -> None:
    """Whatever a program put into it: it is one line of the list, and its own."""
    plans = [gone("local", one) for one in (uid, "a b", "b")]
    at = desk()
    listed = held_list(plans, "local", counts(plans, 3), at)
    assert len(listed.exact.split("\n")) == 3
    at = decided(at, "local", [Uid(uid)], (listed, "approved"))

    after, _ = hold_deletions(plans, "local", counts(plans, 3), at)

    assert [plan.uid for plan in after if plan.writes] == [uid]


@SIDES
def test_what_was_approved_goes_and_the_decision_is_used_up(side: Side) -> None:
    """What was decided of the others stands with each of them."""
    plans = all_gone(side, 3)
    at = desk()
    listed = held_list(plans, side, counts(plans, 3), at)
    at = decided(at, side, uids(3), (listed, "approved"))

    after, problem = hold_deletions(plans, side, counts(plans, 3), at)

    assert problem is None
    assert [(plan.writes, plan.file) for plan in after] == [
        (plan.writes, plan.file) for plan in plans
    ]
    assert [plan.used_verdicts for plan in after] == [
        (of_item(at, uid).problem,) for uid in uids(3)
    ]


def test_a_deletion_that_waits_for_something_else_keeps_its_approval() -> None:
    """The cancellation of a meeting is asked about once more, the deletion is not."""
    plans = [gone("local", uid, attendees=[BOB]) for uid in uids(3)]
    at = desk()
    listed = held_list(plans, "local", counts(plans, 3), at)
    at = decided(at, "local", uids(3), (listed, "approved"))

    after, problem = hold_deletions(plans, "local", counts(plans, 3), at)

    assert (after, problem) == (plans, None)
    assert all(plan.used_verdicts == () and plan.problems for plan in after)


def test_what_was_discarded_of_the_folder_is_written_again() -> None:
    """Nothing goes to the service, and no file is said to have come back."""
    plans = all_gone("local", 3)
    at = desk()
    listed = held_list(plans, "local", counts(plans, 3), at)
    at = decided(at, "local", uids(3), (listed, "discarded"))

    after, problem = hold_deletions(plans, "local", counts(plans, 3), at)

    assert problem is None
    for plan, uid in zip(after, uids(3), strict=True):
        assert (plan.writes, plan.problems) == ((), ())
        assert plan.file is not None
        assert plan.file.name == f"{uid}.ics"
        assert f"SUMMARY:Title {uid}".encode() in (plan.file.data or b"")
        assert plan.used_verdicts == (of_item(at, uid).problem,)


def test_what_was_discarded_of_the_service_stays_a_file_of_its_own() -> None:
    """It is followed on the service no more, and known by its bytes alone."""
    plans = all_gone("remote", 3)
    at = desk()
    listed = held_list(plans, "remote", counts(plans, 3), at)
    at = decided(at, "remote", uids(3), (listed, "discarded"))

    after, problem = hold_deletions(plans, "remote", counts(plans, 3), at)

    assert problem is None
    for plan, was in zip(after, plans, strict=True):
        before = was.sides.known
        assert before is not None
        assert (plan.decision, plan.sides) == (Nothing(), was.sides)
        assert (plan.writes, plan.file, plan.problems) == ((), None, ())
        assert plan.record == replace(
            before, local_only=True, graph_id=None, base_local=None, base_remote=None
        )
        assert plan.used_verdicts == (of_item(at, plan.uid).problem,)


def test_two_lists_of_a_side_can_be_decided_differently() -> None:
    """One was approved and waits still, another was discarded: each is done, once."""
    plans = all_gone("local", 6)
    at = desk()
    first = held_list(plans[:3], "local", counts(plans[:3], 3), at)
    second = held_list(plans[3:], "local", counts(plans[3:], 3), at)
    at = decided(at, "local", uids(6), (first, "approved"), (second, "discarded"))

    after, problem = hold_deletions(plans, "local", counts(plans, 6), at)

    assert problem is None
    assert [bool(plan.writes) for plan in after] == [True] * 3 + [False] * 3
    assert [bool(plan.file) for plan in after] == [False] * 3 + [True] * 3
    assert [plan.used_verdicts for plan in after] == [
        (of_item(at, uid).problem,) for uid in uids(6)
    ]


# --- a folder that was never synced --------------------------------------------------------------


def new(uid: str, *lines: str, at: Desk | None = None) -> ItemPlan:
    """The plan for a new file."""
    return made(f"SUMMARY:Title {uid}", *NEW[1:], *lines, uid=Uid(uid), at=at)


def all_new(count: int, *lines: str) -> list[ItemPlan]:
    return [new(uid, *lines) for uid in uids(count)]


def import_list(plans: list[ItemPlan], at: Desk) -> Problem:
    after, (problem,) = hold_creations(plans, "import", 2, at)
    assert not any(plan.writes for plan in after)
    return problem


def test_as_many_new_files_as_an_import_may_have_become_events() -> None:
    """`max_imports`; one more and none does, before a person has seen the list."""
    two, three = all_new(2), all_new(3)

    assert hold_creations(two, "import", 2, desk()) == (two, [])
    after, (problem,) = hold_creations(three, "import", 2, desk())
    assert after == [replace(plan, writes=()) for plan in three]
    assert (problem.kind, problem.code, problem.needs_person) == (
        *("held-import", "many-creates"),
        True,
    )
    assert problem.reason == (
        "the folder was never synced and holds 3 files that the service lacks"
    )
    assert problem.hint == (
        "`syncd approve ID` creates these events; `syncd discard ID` keeps them local-only."
    )
    assert [item["summary"] for item in problem.items] == [f"Title {uid}" for uid in uids(3)]


def test_an_import_that_is_held_asks_one_question_and_lets_all_else_go_on() -> None:
    """Whom its meetings would invite is asked when they are to be created."""
    edit = after_save(there(), {"SUMMARY:Stand-up": "SUMMARY:Retro"})
    file = planned(Sides(Uid("u99"), None, Absent(), there(iCalUId="u99")), desk())
    meetings = all_new(3, *GUESTS)
    assert all(plan.problems for plan in meetings)

    after, (problem,) = hold_creations([edit, *meetings, file], "import", 2, desk())

    assert (after[0], after[4]) == (edit, file)
    assert all((plan.writes, plan.problems) == ((), ()) for plan in after[1:4])
    assert len(problem.items) == 3


@pytest.mark.parametrize("phase", ["new", "live"])
def test_many_new_files_are_no_import_where_the_folder_is_known(phase: Any) -> None:
    """A person may well save many at once."""
    plans = all_new(3)

    assert hold_creations(plans, phase, 2, desk()) == (plans, [])


def test_an_import_that_was_approved_becomes_events_once() -> None:
    """Only what was listed; a file that came since does not make it too many again."""
    plans = all_new(5)
    at = desk()
    at = decided(at, "import", uids(5), (import_list(plans[:3], at), "approved"))

    after, problems = hold_creations(plans, "import", 2, at)

    assert problems == []
    assert [plan.writes for plan in after] == [plan.writes for plan in plans]
    approved = [(of_item(at, uid).problem,) for uid in uids(3)]
    assert [plan.used_verdicts for plan in after] == [*approved, (), ()]


def test_a_meeting_of_an_approved_import_keeps_its_approval_while_it_waits() -> None:
    """Whom it would invite is another question."""
    plans = all_new(3, *GUESTS)
    at = desk()
    at = decided(at, "import", uids(3), (import_list(plans, at), "approved"))

    after, problems = hold_creations(plans, "import", 2, at)

    assert (after, problems) == (plans, [])


def test_an_import_that_was_discarded_stays_here() -> None:
    """Each file by itself, without an event and without a word; what came since is listed alone."""
    plans = [*all_new(3, *GUESTS), new("v1"), new("v2"), new("v3")]
    at = desk()
    about = [plan.uid for plan in plans]
    at = decided(at, "import", about, (import_list(plans[:3], at), "discarded"))

    after, (problem,) = hold_creations(plans, "import", 2, at)

    for plan, was in zip(after[:3], plans, strict=False):
        assert was.record is not None
        assert plan.record == replace(was.record, local_only=True)
        assert (plan.writes, plan.problems) == ((), ())
        assert plan.used_verdicts == (of_item(at, plan.uid).problem,)
    assert not any(plan.writes for plan in after)
    assert [item["uid"] for item in problem.items] == ["v1", "v2", "v3"]


def test_parts_of_an_import_can_be_decided_differently() -> None:
    """One list was approved and waits still, the next was discarded."""
    at = desk(mail=SEND_ALL)
    plans = [new(uid, at=at) for uid in uids(6)]
    first, second = import_list(plans[:3], at), import_list(plans[3:], at)
    at = decided(at, "import", uids(6), (first, "approved"), (second, "discarded"))

    after, problems = hold_creations(plans, "import", 2, at)

    assert problems == []
    assert [bool(plan.writes) for plan in after] == [True] * 3 + [False] * 3
    assert [plan.used_verdicts for plan in after] == [
        (of_item(at, uid).problem,) for uid in uids(6)
    ]


# --- files that may stand for events that were deleted -------------------------------------------


def after_loss(plan: ItemPlan, at: Desk, phase: Any = "recovery") -> ItemPlan:
    """The plan for a new file of a folder whose state was lost."""
    (after,), problems = hold_creations([plan], phase, 0, at)
    assert problems == []
    return after


def listed(*problems: Problem) -> Mapping[ProblemId, Problem]:
    return {one.id: one for one in problems}


def test_a_file_without_an_event_is_not_created_after_the_state_was_lost() -> None:
    """It may have been deleted elsewhere: a person knows."""
    plan = new("u00")

    after = after_loss(plan, desk())

    (problem,) = after.problems
    assert after == replace(plan, writes=(), problems=(problem,))
    assert (problem.kind, problem.code, problem.needs_person) == (
        *("gone-or-new", "gone-or-new"),
        True,
    )
    assert (problem.uid, problem.file, problem.summary) == ("u00", "u00.ics", "Title u00")
    assert problem.reason == "the state was lost, and the service has no event for this file"
    assert problem.hint == (
        "`syncd problems resolve ID --take local` creates it; remove the file if it is gone."
    )


def test_what_else_is_known_of_such_a_file_stays_listed_beside_it() -> None:
    """Such as what it cannot send."""
    plan = new("u00", "CATEGORIES:" + "x" * 300)

    assert [one.code for one in after_loss(plan, desk()).problems] == [
        *("category-too-long", "gone-or-new")
    ]


def test_such_a_file_stays_listed_until_a_person_decides() -> None:
    """Also when all else is in step again."""
    plan = new("u00")
    (problem,) = after_loss(plan, desk()).problems

    again = after_loss(plan, desk(open_problems=listed(problem)), "live")

    assert (again.writes, again.problems) == ((), (problem,))
    assert after_loss(plan, desk(), "live") == plan


def test_such_a_file_becomes_an_event_when_a_person_says_so() -> None:
    """`--take local`, which is used up by that."""
    plan = new("u00")
    (problem,) = after_loss(plan, desk()).problems
    verdict = VerdictRecord(problem.id, "local", problem.exact)
    at = desk(open_problems=listed(problem), verdicts={problem.id: verdict})

    assert after_loss(plan, at) == replace(plan, used_verdicts=(problem.id,))


def test_only_a_file_that_nothing_is_known_of_may_be_gone_or_new() -> None:
    """An event that was lost while its file was edited is made again; an edit goes on."""
    before = there()
    record = known(before)
    data = edited(record.content, {"SUMMARY:Stand-up": "SUMMARY:Mine"})
    again = planned(Sides(record.uid, record, saved(data, record), None), desk())
    edit = after_save(before, {"SUMMARY:Stand-up": "SUMMARY:Retro"})
    assert again.writes
    assert edit.writes

    assert after_loss(again, desk()) == again
    assert after_loss(edit, desk()) == edit


@pytest.mark.parametrize(
    ("code", "uid", "file", "is_listed"),
    [
        ("duplicate-uid", "u00", "u00.ics", True),
        ("duplicate-uid", "u00", "other.ics", False),
        ("duplicate-uid", "u01", "u00.ics", False),
        ("no-uid", "u00", "u00.ics", False),
    ],
)
def test_a_copy_of_a_file_that_went_is_not_taken_for_a_new_one(
    code: str, uid: str, file: str, is_listed: bool
) -> None:
    """It was listed as another one of its UID; removing the first was meant to delete the event."""
    problem = desk().problem("hold", code, None, reason="x")
    problem = replace(problem, uid=Uid(uid), file=file)
    plan = new("u00")

    after = after_loss(plan, desk(open_problems=listed(problem)), "live")

    assert (after == plan) is not is_listed
    assert [one.reason for one in after.problems] == [
        "the file was a copy of one that went, and the service has no event for this file"
    ] * is_listed
