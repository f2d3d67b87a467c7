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
from syncd.core.merge import ABSENT, Merge, Times, agree, changed, merge, overlay
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
    crossing = {"local": found.push, "remote": found.pull}
    assert crossing.pop(winner) == {key("subject")}
    assert set(*crossing.values()) == set()


def test_case_84_who_asks_gets_neither_value_across() -> None:
    """Both sides stay as they are until a person decides."""
    local, remote = subject(WEEKLY, "ours"), subject(WEEKLY, "theirs")

    found = merge(WEEKLY, WEEKLY, local, remote, POLICIES["ask"], TIMES)

    assert [one.winner for one in found.conflicts] == ["ask"]
    assert (found.push, found.pull) == (frozenset(), frozenset())


def test_case_84_the_side_changed_last_wins_by_newest() -> None:
    """The file was saved after the service's change was seen."""
    local, remote = subject(WEEKLY, "ours"), subject(WEEKLY, "theirs")

    found = merge(WEEKLY, WEEKLY, local, remote, POLICIES["newest"], Times(LATE, EARLY))

    assert found.push == {key("subject")}


def test_case_84_newest_compares_with_when_that_very_field_changed() -> None:
    """The service's last change was of another field, long after."""
    local, remote = subject(WEEKLY, "ours"), subject(WEEKLY, "theirs")
    earlier = datetime(2025, 12, 31, tzinfo=UTC)
    times = Times(EARLY, LATE, {key("subject"): earlier})

    found = merge(WEEKLY, WEEKLY, local, remote, POLICIES["newest"], times)
    lost = merge(
        WEEKLY,
        WEEKLY,
        occurrence(subject="mine"),
        CANCELLED,
        POLICIES["newest"],
        Times(EARLY, LATE, {key("subject", SLOT): earlier}),
    )

    assert found.push == {key("subject")}
    assert [one.conflict.remote_at for one in (*found.conflicts, *lost.conflicts)] == [earlier] * 2


def test_what_only_one_side_has_is_absent_on_the_other() -> None:
    """An override that both sides made anew had no value before, and one of them none by now."""
    local, remote = occurrence(subject="ours"), occurrence(subject="theirs")
    base = occurrence(location="here", subject="was")

    new = merge(WEEKLY, WEEKLY, local, remote, POLICIES["ask"], TIMES)
    dropped = merge(base, base, local, occurrence(location="there"), POLICIES["ask"], TIMES)

    assert [one.conflict.base for one in new.conflicts] == [ABSENT]
    values_ = {one.conflict.key.name: one.conflict for one in dropped.conflicts}
    assert (values_["subject"].local, values_["subject"].remote) == ("ours", ABSENT)
    assert (values_["location"].local, values_["location"].remote) == (ABSENT, "there")


def test_no_reminder_is_another_thing_than_the_series_reminder() -> None:
    """An occurrence may well have none of its own where its series has one."""
    quiet = occurrence(reminder_min=None)

    assert changed(WEEKLY, quiet, local=True) == {key("reminder_min", SLOT)}
    assert changed(quiet, WEEKLY, local=True) == {key("reminder_min", SLOT)}


def test_a_file_is_not_asked_what_it_cannot_say() -> None:
    """Answers, organizer and join link are the service's: no edit of the file changes them."""
    shown = msgspec.structs.replace(WEEKLY.master, join_url="https://x", invited_as="me@x")
    item = msgspec.structs.replace(WEEKLY, master=shown)

    assert changed(WEEKLY, item, local=True) == frozenset()
    assert changed(WEEKLY, item, local=False) == {key("join_url"), key("invited_as")}


def test_a_file_says_when_how_often_and_when_not() -> None:
    """Rule and cancelled occurrences are fields like the others."""
    daily = msgspec.structs.replace(WEEKLY, recurrence=Recurrence("daily"))

    assert changed(WEEKLY, daily, local=True) == {key("recurrence")}
    assert changed(WEEKLY, CANCELLED, local=True) == {key("cancelled", SLOT)}


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

    (settled,) = found.conflicts
    assert (settled.conflict.key, settled.winner) == (key("subject", SLOT), "remote")
    assert found.push == frozenset()
    assert overlay(local, found.pull, CANCELLED).cancelled == {SLOT}


def test_the_text_of_an_edit_that_met_a_cancellation_is_in_the_conflict() -> None:
    """With both times, so that it can be told which was first."""
    found = merge(WEEKLY, WEEKLY, occurrence(subject="mine"), CANCELLED, POLICIES["local"], TIMES)

    (settled,) = found.conflicts
    one = settled.conflict
    assert (one.base, one.local, one.remote) == (ABSENT, "mine", ABSENT)
    assert (one.local_at, one.remote_at) == (EARLY, LATE)


def test_an_edit_of_another_occurrence_than_the_cancelled_one_goes_across() -> None:
    """Each occurrence is a matter of its own, and so is the series."""
    other = date(2026, 3, 16)
    edited = msgspec.structs.replace(WEEKLY, overrides={other: Changes(subject="mine")})
    local = subject(edited, "Series")

    found = merge(WEEKLY, WEEKLY, local, CANCELLED, POLICIES["remote"], TIMES)

    assert found.push == {key("subject", other), key("subject")}
    assert found.pull == {key("cancelled", SLOT)}
    assert found.conflicts == ()


def test_an_occurrence_that_both_sides_cancelled_is_agreed() -> None:
    """Nothing crosses, and nothing is listed."""
    found = merge(WEEKLY, WEEKLY, CANCELLED, CANCELLED, POLICIES["remote"], TIMES)

    assert found == Merge(frozenset(), frozenset(), frozenset({key("cancelled", SLOT)}))


def test_cancelling_an_occurrence_that_nobody_else_touched_goes_across() -> None:
    """In either direction, whatever it owned before."""
    base = occurrence(subject="own")

    up = merge(base, base, CANCELLED, base, POLICIES["remote"], TIMES)
    down = merge(base, base, base, CANCELLED, POLICIES["remote"], TIMES)

    assert (key("cancelled", SLOT) in up.push, up.pull, up.conflicts) == (True, frozenset(), ())
    assert (key("cancelled", SLOT) in down.pull, down.push, down.conflicts) == (
        *(True, frozenset()),
        (),
    )


def test_cancelling_an_occurrence_that_the_service_changed_brings_it_back() -> None:
    """What the service holds is not undone by a deletion that did not know of it."""
    remote = occurrence(subject="moved on")

    found = merge(WEEKLY, WEEKLY, CANCELLED, remote, POLICIES["local"], TIMES)

    assert found.push == frozenset()
    (settled,) = found.conflicts
    assert (settled.conflict.key, settled.winner) == (key("cancelled", SLOT), "remote")
    assert (settled.conflict.local, settled.conflict.remote) == (True, ABSENT)
    after = overlay(CANCELLED, found.pull, remote)
    assert (after.cancelled, after.overrides) == (frozenset(), remote.overrides)


@pytest.mark.parametrize("policy", ["remote", "local"])
@pytest.mark.parametrize("subject_", ["own", "moved on"])
def test_an_occurrence_that_comes_back_is_as_the_service_has_it(policy: str, subject_: str) -> None:
    """What was special about it went only because it did: that is no edit, and no conflict."""
    base = occurrence(subject="own", location="Hall", importance="high")
    remote = occurrence(subject=subject_, location="Hall", show_as="free")

    found = merge(base, base, CANCELLED, remote, POLICIES[policy], TIMES)

    assert found.push == frozenset()
    assert [one.conflict.key for one in found.conflicts] == [key("cancelled", SLOT)]
    assert found.agreed == {key("importance", SLOT)}
    assert overlay(CANCELLED, found.pull, remote) == remote


def test_a_guests_answer_brings_no_occurrence_back() -> None:
    """It is no edit of the occurrence, just as it saves no meeting from being deleted."""
    base, remote = occurrence(attendees=(BOB,)), occurrence(attendees=(BOB_SAID_YES,))

    found = merge(base, base, CANCELLED, remote, POLICIES["remote"], TIMES)

    assert key("cancelled", SLOT) in found.push
    assert found.conflicts == ()


def test_a_conflict_elsewhere_stays_beside_an_occurrence_that_comes_back() -> None:
    """Only that very occurrence follows the service."""
    local, remote = subject(CANCELLED, "Mine"), subject(occurrence(show_as="free"), "Theirs")

    found = merge(WEEKLY, WEEKLY, local, remote, POLICIES["local"], TIMES)

    assert found.push == {key("subject")}
    conflicts = {one.conflict.key for one in found.conflicts}
    assert conflicts == {key("subject"), key("cancelled", SLOT)}


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


def test_cancelling_an_occurrence_stands_beside_edits_of_others() -> None:
    """Only an edit of that very occurrence brings it back."""
    other = date(2026, 3, 16)
    moved = msgspec.structs.replace(WEEKLY, overrides={other: Changes(subject="theirs")})
    remote = subject(moved, "Series")

    found = merge(WEEKLY, WEEKLY, CANCELLED, remote, POLICIES["remote"], TIMES)

    assert found.push == {key("cancelled", SLOT)}
    assert found.pull == {key("subject", other), key("subject")}
    assert found.conflicts == ()


def test_bringing_an_occurrence_back_brings_what_comes_across_besides() -> None:
    """The series' news are not left out because of it."""
    remote = subject(occurrence(subject="moved on"), "Series")

    found = merge(WEEKLY, WEEKLY, CANCELLED, remote, POLICIES["remote"], TIMES)

    assert found.pull == {key("cancelled", SLOT), key("subject", SLOT), key("subject")}


def test_an_occurrence_that_a_file_brings_back_keeps_what_it_says() -> None:
    """Whether the service brought it back as well or not."""
    local = occurrence(subject="mine")

    alone = merge(CANCELLED, CANCELLED, local, CANCELLED, POLICIES["remote"], TIMES)
    both = merge(CANCELLED, CANCELLED, local, WEEKLY, POLICIES["remote"], TIMES)

    assert (alone.push, alone.conflicts) == ({key("cancelled", SLOT), key("subject", SLOT)}, ())
    assert (both.push, both.agreed) == ({key("subject", SLOT)}, {key("cancelled", SLOT)})
    assert both.conflicts == ()


def test_a_conflict_of_the_series_is_listed_beside_that_of_an_occurrence() -> None:
    """One does not hide the other."""
    local = subject(occurrence(subject="mine"), "ours")
    remote = subject(CANCELLED, "theirs")

    found = merge(WEEKLY, WEEKLY, local, remote, POLICIES["ask"], TIMES)

    assert [one.conflict.key for one in found.conflicts] == [key("subject"), key("subject", SLOT)]


def test_an_occurrence_that_only_one_side_changed_is_a_difference_without_a_base() -> None:
    """Nobody knows whether it was made here or taken back there."""
    found = agree(occurrence(subject="own"), WEEKLY, POLICIES["ask"], TIMES)
    other_way = agree(WEEKLY, occurrence(subject="own"), POLICIES["ask"], TIMES)

    assert [one.conflict.key for one in found.conflicts] == [key("subject", SLOT)]
    assert other_way.pull | {one.conflict.key for one in other_way.conflicts} == {
        key("subject", SLOT)
    }


def test_a_title_is_no_word_for_another_title() -> None:
    """Only of the sensitivity a file has one word for two."""
    found = linked("ask", file={"subject": "private"}, service={"subject": "personal"})

    assert [one.conflict.key for one in found.conflicts] == [key("subject")]


def test_what_belongs_to_a_text_stays_with_it() -> None:
    """Another field that is taken over or given back does not touch it."""
    rich = occurrence(body="b", html_text="h", body_mark="m", subject="own")
    keys = frozenset({key("subject", SLOT)})

    assert overlay(rich, keys, WEEKLY).overrides[SLOT] == Changes(
        body="b", html_text="h", body_mark="m"
    )
    assert overlay(WEEKLY, keys, rich).overrides[SLOT] == Changes(subject="own")


def test_a_plain_text_of_an_occurrence_is_given_back() -> None:
    """It has neither HTML nor a mark."""
    after = overlay(occurrence(body="b"), frozenset({key("body", SLOT)}), WEEKLY)

    assert after.overrides == {SLOT: Changes()}


def linked(policy: str = "remote", *, file: Mapping[str, Any], service: Mapping[str, Any]) -> Merge:
    """A file and an event that are the same item, as they meet without a base."""
    local = Item(msgspec.structs.replace(WEEKLY.master, **file))
    remote = Item(msgspec.structs.replace(WEEKLY.master, **service))
    return agree(local, remote, POLICIES[policy], TIMES)


@pytest.mark.parametrize("policy", ["remote", "local", "ask"])
def test_what_differs_without_a_base_is_a_conflict(policy: str) -> None:
    """Nobody knows who changed it: the policy decides, and there was no value before."""
    found = linked(policy, file={"subject": "ours"}, service={"subject": "theirs"})

    (settled,) = found.conflicts
    one = settled.conflict
    assert (settled.winner, one.base, one.local, one.remote) == (policy, ABSENT, "ours", "theirs")
    assert (one.local_at, one.remote_at) == (EARLY, LATE)
    assert found.push == ({key("subject")} if policy == "local" else set())
    assert found.pull == ({key("subject")} if policy == "remote" else set())
    assert key("location") in found.agreed


@pytest.mark.parametrize(
    ("field", "silent", "there"),
    [
        ("response_requested", True, False),
        ("online_meeting", False, True),
        ("allow_new_times", True, False),
        ("sensitivity", "private", "personal"),
    ],
)
def test_what_a_file_leaves_unsaid_is_the_services(
    field: str, silent: object, there: object
) -> None:
    """Some programs drop lines that they do not know: that is no difference of opinion."""
    found = linked("local", file={field: silent}, service={field: there})
    other_way = linked("local", file={field: there}, service={field: silent})

    assert (found.pull, found.push, found.conflicts) == ({key(field)}, frozenset(), ())
    assert [one.conflict.key for one in other_way.conflicts] == [key(field)]


@pytest.mark.parametrize("there", ["normal", "confidential"])
def test_private_and_not_private_is_a_difference(there: str) -> None:
    """Only `personal` is the same word in a file."""
    found = linked("remote", file={"sensitivity": "private"}, service={"sensitivity": there})

    assert [one.conflict.key for one in found.conflicts] == [key("sensitivity")]


def test_what_only_the_service_says_is_no_difference() -> None:
    """A join link and answers are shown in the file, never compared with it."""
    found = linked(file={}, service={"join_url": "https://x", "organizer": None})

    assert found.conflicts == ()
    assert not {one.name for one in found.agreed} & {"join_url", "people", "organizer"}


# --- taking fields over --------------------------------------------------------------------------


def test_a_text_brings_along_what_belongs_to_it() -> None:
    """The HTML form and the mark of the service's body go wherever the body goes."""
    rich = msgspec.structs.replace(WEEKLY.master, body="b", html_text="h", body_mark="m")
    source = msgspec.structs.replace(WEEKLY, master=rich)

    taken = overlay(WEEKLY, frozenset({key("body")}), source).master
    left = overlay(WEEKLY, frozenset({key("subject")}), source).master

    assert (taken.body, taken.html_text, taken.body_mark) == ("b", "h", "m")
    assert (left.body, left.html_text, left.body_mark) == ("", "", "")


def test_the_text_of_an_occurrence_brings_along_what_belongs_to_it() -> None:
    """And leaves nothing of it behind where the occurrence inherits again."""
    source = occurrence(body="b", html_text="h", body_mark="m", subject="own")
    keys = frozenset({key("body", SLOT)})

    taken = overlay(WEEKLY, keys, source).overrides[SLOT]
    given_back = overlay(source, keys, occurrence(subject="own")).overrides[SLOT]

    assert taken == Changes(body="b", html_text="h", body_mark="m")
    assert given_back == Changes(subject="own")


def test_a_field_that_an_occurrence_no_longer_owns_is_inherited_again() -> None:
    """Other fields of it stay its own."""
    before = occurrence(subject="own", location="there")

    after = overlay(before, frozenset({key("subject", SLOT)}), WEEKLY)

    assert after.overrides == {SLOT: Changes(location="there")}


def test_an_occurrence_that_owns_nothing_any_more_is_still_named() -> None:
    """Its file spells it out; only one that was never there is not made."""
    keys = frozenset({key("subject", SLOT)})

    assert overlay(occurrence(subject="own"), keys, WEEKLY).overrides == {SLOT: Changes()}
    assert overlay(WEEKLY, keys, WEEKLY).overrides == {}


def test_an_occurrence_is_taken_away_and_brought_back() -> None:
    """Only the one that is named."""
    other = date(2026, 3, 16)
    both = msgspec.structs.replace(WEEKLY, cancelled=frozenset({SLOT, other}))
    keys = frozenset({key("cancelled", SLOT)})

    assert overlay(WEEKLY, keys, both).cancelled == {SLOT}
    assert overlay(both, keys, WEEKLY).cancelled == {other}


def test_a_series_takes_over_a_rule_and_nothing_else() -> None:
    """The rule is a field beside those of the event."""
    daily = msgspec.structs.replace(subject(WEEKLY, "Other"), recurrence=Recurrence("daily"))

    after = overlay(WEEKLY, frozenset({key("recurrence")}), daily)

    assert (after.recurrence, after.master.subject) == (Recurrence("daily"), "Stand-up")


LOUD_BOB = Attendee("BOB@example.org", name="Robert", type="optional")


def test_a_list_of_guests_keeps_what_is_known_of_each() -> None:
    """Who is invited and how comes from one side, names and answers from the other."""
    known = Attendee("bob@example.org", name="Bob", status="accepted")
    source = guests(WEEKLY, LOUD_BOB, DAVE)

    (bob, dave) = overlay(
        guests(WEEKLY, known), frozenset({key("attendees")}), source
    ).master.attendees

    assert (bob.address, bob.type, bob.name, bob.status) == (
        *("BOB@example.org", "optional"),
        *("Bob", "accepted"),
    )
    assert dave == DAVE


def test_answers_are_taken_over_without_the_guests_that_bring_them() -> None:
    """Nobody is invited or uninvited by an answer."""
    source = guests(WEEKLY, msgspec.structs.replace(LOUD_BOB, status="declined"), DAVE)
    carol = Attendee("carol@example.org", status="accepted")

    found = overlay(guests(WEEKLY, BOB, carol), frozenset({key("people")}), source)

    (bob, other) = found.master.attendees
    assert (bob.address, bob.type, bob.name, bob.status) == (
        *("bob@example.org", "required"),
        *("Robert", "declined"),
    )
    assert other == carol


def test_the_guests_of_one_occurrence_start_from_those_of_the_series() -> None:
    """Bob's answer to the series stands for the occurrence to which Dave is invited as well."""
    item = guests(WEEKLY, BOB_SAID_YES)
    source = msgspec.structs.replace(
        guests(WEEKLY, BOB), overrides={SLOT: Changes(attendees=(BOB, DAVE))}
    )

    after = overlay(item, frozenset({key("attendees", SLOT)}), source)

    assert after.overrides[SLOT].attendees == (BOB_SAID_YES, DAVE)


def test_answers_to_one_occurrence_go_when_it_has_none_of_its_own() -> None:
    """It inherits the list of the series again."""
    answered = msgspec.structs.replace(
        guests(WEEKLY, BOB), overrides={SLOT: Changes(attendees=(BOB_SAID_YES,), subject="x")}
    )

    after = overlay(answered, frozenset({key("people", SLOT)}), guests(WEEKLY, BOB))

    assert after.overrides == {SLOT: Changes(subject="x")}


@pytest.mark.parametrize("interval", [1, 2], ids=["rule kept", "rule changed as well"])
def test_who_ends_a_series_wins_over_edits_of_its_days_in_one_conflict(interval: int) -> None:
    """The service's side is the one that is put aside; without such an edit there is none."""
    ended = msgspec.structs.replace(WEEKLY, recurrence=None)
    rule = Recurrence("weekly", interval, days=("monday",))
    edited = msgspec.structs.replace(occurrence(location="Room 7"), recurrence=rule)
    policy = POLICIES["local"]

    found = merge(WEEKLY, WEEKLY, ended, edited, policy, TIMES)

    assert [(one.conflict.key, one.winner) for one in found.conflicts] == [
        (key("recurrence"), "local")
    ]
    assert key("recurrence") in found.push
    assert merge(WEEKLY, WEEKLY, ended, WEEKLY, policy, TIMES).conflicts == ()
