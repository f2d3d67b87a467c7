"""Laws of the three-way merge."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.event import (
    MASTER,
    Attendee,
    Changes,
    Event,
    FieldKey,
    Item,
    Timed,
    fields,
    meaning,
)
from syncd.core.merge import Merge, Times, agree, changed, merge, overlay
from syncd.core.policies import POLICIES
from syncd.core.recurrence import Recurrence
from tests.strategies import BERLIN, items, series

FEW = settings(max_examples=60, deadline=None)
EARLY, LATE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
TIMES = Times(EARLY, LATE)
NINE = Timed(datetime(2026, 3, 2, 9), BERLIN, datetime(2026, 3, 2, 10), BERLIN)
WEEKLY = Item(Event(NINE, "Stand-up"), Recurrence("weekly", days=("monday",)))
SLOT = date(2026, 3, 9)


def subject(item: Item, text: str) -> Item:
    return msgspec.structs.replace(item, master=msgspec.structs.replace(item.master, subject=text))


def guests(item: Item, *people: Attendee) -> Item:
    master = msgspec.structs.replace(item.master, attendees=people)
    return msgspec.structs.replace(item, master=master)


def key(name: str, slot: date | None = None) -> FieldKey:
    return FieldKey(slot.isoformat() if slot else MASTER, name)


def values(item: Item) -> Mapping[FieldKey, object]:
    return {one: meaning(one.name, value) for one, value in fields(item).items()}


@st.composite
def edits(draw: st.DrawFn, item: Item) -> Item:
    """The item after a few of its fields were changed for those of another."""
    other = draw(items() if item.recurrence is None else series())
    names = draw(st.sets(st.sampled_from(["subject", "body", "location", "show_as", "importance"])))
    given_ = {name: getattr(other.master, name) for name in names}
    return msgspec.structs.replace(item, master=msgspec.structs.replace(item.master, **given_))


@st.composite
def triples(draw: st.DrawFn) -> tuple[Item, Item, Item]:
    base = draw(items())
    return base, draw(edits(base)), draw(edits(base))


@FEW
@given(triples())
def test_swapping_the_sides_swaps_push_and_pull(three: tuple[Item, Item, Item]) -> None:
    """Neither side is privileged but by the policy."""
    base, one, other = three

    there = merge(base, base, one, other, POLICIES["remote"], TIMES)
    back = merge(base, base, other, one, POLICIES["local"], TIMES)

    assert (there.push, there.pull, there.agreed) == (back.pull, back.push, back.agreed)


@FEW
@given(triples())
def test_every_changed_field_goes_somewhere(three: tuple[Item, Item, Item]) -> None:
    """Pushed, pulled, agreed or in conflict; and never both pushed and pulled."""
    base, one, other = three

    found = merge(base, base, one, other, POLICIES["ask"], TIMES)

    asked = {settled.conflict.key for settled in found.conflicts}
    moved = changed(base, one, local=True) | changed(base, other, local=False)
    assert found.push | found.pull | found.agreed | asked == moved
    assert not found.push & found.pull


@FEW
@given(items())
def test_merging_two_unchanged_sides_does_nothing(item: Item) -> None:
    """A second round with no edits plans nothing."""
    found = merge(item, item, item, item, POLICIES["newest"], TIMES)

    assert found == Merge(frozenset(), frozenset(), frozenset())


@FEW
@given(triples())
def test_after_a_merge_both_sides_agree(three: tuple[Item, Item, Item]) -> None:
    """What is pushed and pulled makes both items say the same, and the bases follow."""
    base, one, other = three
    found = merge(base, base, one, other, POLICIES["remote"], TIMES)

    local = overlay(one, found.pull, other)
    remote = overlay(other, found.push, one)

    assert changed(local, remote, local=False) == frozenset()
    again = merge(local, remote, local, remote, POLICIES["remote"], TIMES)
    assert again == Merge(frozenset(), frozenset(), frozenset())


@FEW
@given(items(), items())
def test_an_overlay_of_all_changes_is_the_other_item(one: Item, other: Item) -> None:
    """Nothing is left out, whatever order the fields are taken in."""
    assert values(overlay(one, changed(one, other, local=False), other)) == values(other)


@FEW
@given(series(), series())
def test_an_overlay_of_one_field_leaves_the_others(one: Item, other: Item) -> None:
    """Only the named field is taken."""
    moved = changed(one, other, local=False)
    for name in sorted(moved):
        if name.name in ("cancelled", "attendees", "people"):
            continue
        before, after = values(one), values(overlay(one, frozenset({name}), other))
        if name.slot and date.fromisoformat(name.slot) in one.cancelled:
            continue
        assert after.get(name) == values(other).get(name)
        assert {k: v for k, v in after.items() if k != name} == {
            k: v for k, v in before.items() if k != name
        }


@FEW
@given(items())
def test_an_overlay_of_nothing_or_of_itself_changes_nothing(item: Item) -> None:
    """Idempotence."""
    everything = frozenset(fields(item))

    assert values(overlay(item, frozenset(), item)) == values(item)
    assert values(overlay(item, everything, item)) == values(item)


BOB, BOB_SAID_YES = Attendee("bob@example.org"), Attendee("bob@example.org", status="accepted")
DAVE = Attendee("dave@example.org")


def test_an_answer_does_not_undo_an_invitation() -> None:
    """Bob answers while the user invites Dave in the file: the file keeps Dave, and Bob's yes."""
    base = guests(WEEKLY, BOB)
    local, remote = guests(WEEKLY, BOB, DAVE), guests(WEEKLY, BOB_SAID_YES)

    found = merge(base, base, local, remote, POLICIES["remote"], TIMES)

    assert set(found.push) == {key("attendees")}
    assert set(found.pull) == {key("people")}
    assert overlay(local, found.pull, remote).master.attendees == (BOB_SAID_YES, DAVE)
    assert overlay(remote, found.push, local).master.attendees == (BOB_SAID_YES, DAVE)


def test_an_override_that_only_has_other_answers_invites_nobody() -> None:
    """The same people with other answers differ in `people` alone."""
    item = guests(WEEKLY, BOB)
    answered = msgspec.structs.replace(item, overrides={SLOT: Changes(attendees=(BOB_SAID_YES,))})

    assert changed(item, answered, local=False) == {key("people", SLOT)}
    assert changed(item, answered, local=True) == frozenset()


@pytest.mark.parametrize(
    ("policy", "winner"), [("remote", "remote"), ("local", "local"), ("newest", "remote")]
)
def test_case_84_one_field_on_both_sides_goes_by_policy(policy: str, winner: str) -> None:
    """The conflict carries all three values, so that neither text is lost."""
    base, local, remote = WEEKLY, subject(WEEKLY, "ours"), subject(WEEKLY, "theirs")

    found = merge(base, base, local, remote, POLICIES[policy], TIMES)

    (settled,) = found.conflicts
    said = (settled.conflict.base, settled.conflict.local, settled.conflict.remote)
    assert (settled.winner, said) == (winner, ("Stand-up", "ours", "theirs"))


def test_case_84_different_fields_are_merged() -> None:
    """Both stay."""
    local = subject(WEEKLY, "ours")
    master = msgspec.structs.replace(WEEKLY.master, location="Room 2")
    remote = msgspec.structs.replace(WEEKLY, master=master)

    found = merge(WEEKLY, WEEKLY, local, remote, POLICIES["remote"], TIMES)

    assert set(found.push) == {key("subject")}
    assert set(found.pull) == {key("location")}


def occurrence(**own: Any) -> Item:
    return msgspec.structs.replace(WEEKLY, overrides={SLOT: Changes(**own)})


CANCELLED = msgspec.structs.replace(WEEKLY, cancelled=frozenset({SLOT}))


@pytest.mark.parametrize("policy", ["remote", "local", "ask"])
def test_an_edit_of_an_occurrence_that_the_service_cancelled_is_one_conflict(policy: str) -> None:
    """The service wins; the edit is named once and kept."""
    base = occurrence(subject="mine")
    local = occurrence(subject="edited")

    found = merge(base, base, local, CANCELLED, POLICIES[policy], TIMES)

    assert [one.conflict.key for one in found.conflicts] == [key("subject", SLOT)]
    assert found.push == frozenset()
    assert overlay(local, found.pull, CANCELLED).cancelled == {SLOT}


def test_cancelling_an_occurrence_that_the_service_changed_brings_it_back() -> None:
    """What the service holds is not undone by a deletion that did not know of it."""
    remote = occurrence(subject="moved on")

    found = merge(WEEKLY, WEEKLY, CANCELLED, remote, POLICIES["local"], TIMES)

    assert found.push == frozenset()
    after = overlay(CANCELLED, found.pull, remote)
    assert (after.cancelled, after.overrides) == (frozenset(), remote.overrides)


def test_a_cancelled_slot_keeps_no_override_whatever_the_order() -> None:
    """Taking the cancellation and the vanished fields leaves neither override nor rest."""
    base = occurrence(subject="mine", location="here", when=NINE)
    moved = changed(base, CANCELLED, local=False)

    after = overlay(base, moved, CANCELLED)

    assert not after.overrides
    assert set(after.cancelled) == {SLOT}


@FEW
@given(items(), items())
def test_agreeing_without_a_base_sorts_every_field(one: Item, other: Item) -> None:
    """What is equal is agreed; what a file says is a conflict where the other side differs, and
    what it leaves unsaid is the other side's."""
    found = agree(one, other, POLICIES["local"], TIMES)

    assert found.push == {settled.conflict.key for settled in found.conflicts}
    assert not found.push & found.agreed
    unsaid = {"response_requested", "online_meeting", "allow_new_times", "sensitivity"}
    assert {key.name for key in found.pull} <= unsaid
