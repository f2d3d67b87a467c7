"""What becomes of an item, for every meeting of two sides."""

from __future__ import annotations

from dataclasses import fields as members
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from syncd.core.decide import (
    Absent,
    Broken,
    Decision,
    DeleteEvent,
    DeleteFile,
    Forget,
    HeldFile,
    KeepText,
    Local,
    MakeEvent,
    MakeFile,
    Merged,
    Nothing,
    Present,
    Remote,
    RestoreFile,
    Same,
    Sides,
    decide,
)
from syncd.core.event import Attendee, Changes, Event, FieldKey, Item, Timed
from syncd.core.ids import FileName, Fingerprint, GraphId, Uid
from syncd.core.lines import Unreadable
from syncd.core.policies import POLICIES
from syncd.core.state import FieldTimes, ItemRecord, RemoteRecord
from syncd.core.wire.graph import decode_event
from syncd.core.wire.ics_read import FileItem
from tests.strategies import BERLIN

UID = Uid("u")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
NINE = Timed(datetime(2026, 3, 2, 9), BERLIN, datetime(2026, 3, 2, 10), BERLIN)
BASE = Item(Event(NINE, "a"))
PRINT = Fingerprint("f")


def with_master(item: Item, **values: Any) -> Item:
    return msgspec.structs.replace(item, master=msgspec.structs.replace(item.master, **values))


EDITED, ELSEWHERE = with_master(BASE, subject="b"), with_master(BASE, location="c")
BOB = Attendee("bob@example.org")


def present(item: Item | None) -> Present:
    return Present(FileItem(UID, item, ()), b"", PRINT, NOW)


def remote(item: Item) -> Remote:
    given: dict[str, Any] = {
        "graph_id": GraphId("g"),
        "uid": UID,
        "etag": "e",
        "seen_at": NOW,
        "raw": b"{}",
    }
    names = {one.name: one for one in members(RemoteRecord)}
    record = RemoteRecord(**{name: given.get(name, b"") for name in names})
    return Remote(record, decode_event(b'{"id":"g"}'), item)


def known(base: Item = BASE, *, file: bool = True) -> ItemRecord:
    name = FileName("u.ics") if file else None
    return ItemRecord(UID, graph_id=GraphId("g"), file=name, base_local=base, base_remote=base)


def decided(
    record: ItemRecord | None, local: Local, there: Remote | None, policy: str = "remote"
) -> Decision:
    return decide(Sides(UID, record, local, there), POLICIES[policy])


GUEST = with_master(BASE, attendees=(BOB,))
ONE_DAYS_GUEST = msgspec.structs.replace(
    EDITED, overrides={date(2026, 3, 9): Changes(attendees=(BOB,))}
)
BROKEN = Broken(Unreadable("parse-error", 1, "x"), b"", PRINT)


@pytest.mark.parametrize(
    ("record", "local", "there", "kind"),
    [
        (None, Absent(), remote(BASE), MakeFile),
        (None, Absent(), None, Forget),
        (None, present(BASE), None, MakeEvent),
        (None, present(BASE), remote(BASE), Merged),
        (None, BROKEN, remote(BASE), HeldFile),
        (None, present(None), None, HeldFile),
        (known(), Same(), remote(BASE), Nothing),
        (known(), present(BASE), remote(BASE), Nothing),
        (known(), Same(), remote(EDITED), Merged),
        (known(), present(EDITED), remote(BASE), Merged),
        (known(), Absent(), remote(BASE), DeleteEvent),
        (known(), Absent(), remote(EDITED), RestoreFile),
        (known(), Absent(), None, Forget),
        (known(), Same(), None, DeleteFile),
        (known(), present(BASE), None, DeleteFile),
        (known(), present(EDITED), None, MakeEvent),
        (known(GUEST), present(with_master(GUEST, subject="b")), None, KeepText),
        (known(file=False), Same(), remote(BASE), MakeFile),
        (known(file=False), Absent(), remote(BASE), MakeFile),
        (known(), BROKEN, None, HeldFile),
        (known(file=False), Same(), None, Forget),
        (ItemRecord(UID, file=FileName("u.ics")), Same(), None, Nothing),
        (ItemRecord(UID, base_local=BASE), present(BASE), None, MakeEvent),
        (ItemRecord(UID, base_remote=BASE), present(BASE), None, MakeEvent),
        (ItemRecord(UID, graph_id=GraphId("g")), present(BASE), None, MakeEvent),
        (ItemRecord(UID, graph_id=GraphId("g")), present(GUEST), None, KeepText),
        (ItemRecord(UID), present(GUEST), None, MakeEvent),
        (known(), present(ONE_DAYS_GUEST), None, KeepText),
        (known(), present(with_master(BASE, attendees=(BOB,))), None, KeepText),
        (known(GUEST), present(BASE), None, KeepText),
        (known(), present(with_master(BASE, subject="b", invited_as="me@x")), None, KeepText),
    ],
)
def test_every_meeting_of_two_sides_has_one_outcome(
    record: ItemRecord | None, local: Local, there: Remote | None, kind: type
) -> None:
    """A deletion meets an edit: the edit stays."""
    assert isinstance(decided(record, local, there), kind)


def test_an_answer_alone_does_not_bring_a_deleted_file_back() -> None:
    """What only the service decides is no edit of the event."""
    answered = with_master(GUEST, attendees=(msgspec.structs.replace(BOB, status="accepted"),))

    assert isinstance(decided(known(GUEST), Absent(), remote(answered)), DeleteEvent)


def test_different_fields_of_both_sides_go_across() -> None:
    """The title up, the place down."""
    found = decided(known(), present(EDITED), remote(ELSEWHERE))

    assert isinstance(found, Merged)
    assert found.merge.push == {FieldKey("", "subject")}
    assert found.merge.pull == {FieldKey("", "location")}


def test_sides_linked_without_a_base_agree_on_what_is_equal() -> None:
    """After a lost state nothing is pushed or pulled that is the same already (case 6)."""
    found = decided(None, present(BASE), remote(BASE))

    assert isinstance(found, Merged)
    assert found.adopting
    assert found.merge.push | found.merge.pull == frozenset()
    assert found.merge.conflicts == ()


def test_an_item_with_a_base_is_not_linked_anew() -> None:
    """Only without one every difference is a conflict."""
    found = decided(known(), present(EDITED), remote(BASE))

    assert isinstance(found, Merged)
    assert not found.adopting
    assert (found.local, found.remote) == (EDITED, BASE)


@pytest.mark.parametrize("record", [None, known()], ids=["no base", "a base"])
@pytest.mark.parametrize("policy", ["local", "remote"])
def test_the_policy_decides_what_both_sides_say_differently(
    policy: str, record: ItemRecord | None
) -> None:
    """With a base and without."""
    theirs = remote(with_master(BASE, subject="theirs"))

    found = decided(record, present(EDITED), theirs, policy)

    assert isinstance(found, Merged)
    assert [one.winner for one in found.merge.conflicts] == [policy]


@pytest.mark.parametrize(("saved_after_s", "winner"), [(1, "local"), (0, "remote"), (-1, "remote")])
def test_the_newest_is_the_file_only_if_it_was_saved_after_the_news(
    saved_after_s: int, winner: str
) -> None:
    """What counts is when the service's change was seen here; a tie goes to the service."""
    local = replace(present(EDITED), saved_at=NOW + timedelta(seconds=saved_after_s))

    found = decided(known(), local, remote(with_master(BASE, subject="theirs")), "newest")

    assert isinstance(found, Merged)
    (settled,) = found.merge.conflicts
    assert (settled.winner, settled.conflict.remote_at) == (winner, NOW)


def test_a_lost_event_is_made_again_and_not_for_the_first_time() -> None:
    """After a lost state it is not taken for one that may have been deleted elsewhere."""
    again, new = decided(known(), present(EDITED), None), decided(None, present(EDITED), None)

    assert (again, new) == (MakeEvent(EDITED, again=True), MakeEvent(EDITED, again=False))


def test_what_was_linked_and_never_agreed_is_made_again_in_its_place() -> None:
    """The state was lost, and then the event went: nobody knows what the file said before."""
    linked = ItemRecord(UID, graph_id=GraphId("g"))

    assert decided(linked, present(EDITED), None) == MakeEvent(EDITED, again=True)


def test_another_name_of_a_guest_is_no_edit_that_keeps_a_file() -> None:
    """The event is gone, and nobody changed what it said."""
    named = with_master(GUEST, attendees=(msgspec.structs.replace(BOB, name="Bob"),))

    assert isinstance(decided(known(GUEST), present(named), None), DeleteFile)


def test_somebody_elses_meeting_is_not_made_again() -> None:
    """Also where its file does not say any more that the owner was invited."""
    record = replace(known(), base_remote=with_master(BASE, invited_as="me@x"))

    assert isinstance(decided(record, present(EDITED), None), KeepText)


def test_the_newest_is_told_field_by_field() -> None:
    """The title on the service is older than the file, whatever else changed there since."""
    theirs = remote(with_master(BASE, subject="theirs", location="c"))
    earlier = NOW - timedelta(days=1)
    times = FieldTimes(NOW + timedelta(days=1), ((FieldKey("", "subject"), earlier),))
    theirs = replace(theirs, record=replace(theirs.record, field_times=times))

    found = decided(known(), present(EDITED), theirs, "newest")

    assert isinstance(found, Merged)
    (settled,) = found.merge.conflicts
    assert (settled.winner, settled.conflict.remote_at) == ("local", earlier)
