"""
Delta rounds on the engine: which change makes which row.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.simulator.delta import DeltaRounds, Page, Removed
from syncd.simulator.errors import ServiceError
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.model import Event, Window
from syncd.simulator.service import Service
from tests.simulator.mailbox_world import ME, service, single, weekly, when

MARCH = Window(datetime(2031, 3, 1, tzinfo=UTC), datetime(2031, 4, 1, tzinfo=UTC))
MAY = {"start": when("2031-05-04T12:00:00"), "end": when("2031-05-04T13:00:00")}
ALL = 1000


class View:
    """One client's view on the default calendar."""

    def __init__(self, **switches: Any) -> None:
        self.service: Service = service(**switches)
        self.box: Mailbox = self.service.mailbox(ME)
        self.rounds: DeltaRounds = self.service.rounds(self.box)
        self.calendar = self.box.default_calendar.id
        self.token = ""

    def page(self, page: Page) -> list[tuple[str, str]]:
        self.token = page.token
        return [described(row) for row in page.rows]

    def first(self, size: int = ALL) -> list[tuple[str, str]]:
        page = self.rounds.start(self.calendar, MARCH, self.service.switches, size)
        return self.page(page)

    def following(self, size: int = ALL) -> list[tuple[str, str]]:
        switches = self.service.switches
        return self.page(self.rounds.resume(self.token, self.calendar, switches, size))

    def single(self, **more: Any) -> Event:
        return self.box.create(self.calendar, single(**more))

    def series(self) -> Event:
        return self.box.create(self.calendar, weekly())


def described(row: Event | Removed) -> tuple[str, str]:
    if isinstance(row, Removed):
        return "removed", row.default_id
    return row.kind, row.id


def kinds(rows: list[tuple[str, str]]) -> list[str]:
    return [kind for kind, _ in rows]


def instance(master: Event, day: int) -> Event:
    return Event(master.item, next(slot for slot in master.item.live_slots() if slot.day == day))


def test_a_first_round_has_singles_masters_and_instances_in_view() -> None:
    """What lies outside the window is not there."""
    view = View()
    view.single()
    view.single(start="2031-06-04T12:00:00", end="2031-06-04T13:00:00")
    view.series()

    assert kinds(view.first()) == ["singleInstance", "seriesMaster"] + ["occurrence"] * 4


def test_a_round_without_changes_is_empty() -> None:
    """A deltaLink leads to a deltaLink."""
    view = View()
    view.single()
    view.first()

    assert view.following() == []


def test_an_event_that_leaves_the_window_is_named_as_removed() -> None:
    """Though it is not deleted."""
    view = View()
    event = view.single()
    view.first()

    view.box.patch(event.id, MAY)

    assert view.following() == [("removed", event.id)]


def test_an_event_outside_the_window_is_named_as_removed_at_every_change() -> None:
    """With an id the client never saw."""
    view = View()
    view.first()

    event = view.single(start="2031-06-04T12:00:00", end="2031-06-04T13:00:00")

    assert view.following() == [("removed", event.id)]


def test_a_deleted_event_is_removed_once() -> None:
    """The following round has forgotten it."""
    view = View()
    event = view.single()
    view.first()

    view.box.delete(event.id)

    assert view.following() == [("removed", event.id)]
    assert view.following() == []


def test_a_move_removes_the_old_id_here_and_shows_a_new_one_there() -> None:
    """Each view has its own round."""
    view = View()
    there = view.box.folders.add("There")
    event, old = (made := view.single()), made.id
    view.first()
    switches = view.service.switches
    page = view.rounds.start(there.id, MARCH, switches, ALL)

    view.box.move(old, there.id)

    assert view.following() == [("removed", old)]
    page = view.rounds.resume(page.token, there.id, switches, ALL)
    assert [described(row) for row in page.rows] == [("singleInstance", event.id)]


@pytest.mark.parametrize(("emits", "expected"), [(False, []), (True, ["seriesMaster"])])
def test_a_deleted_occurrence_leaves_no_row_of_its_own(emits: Any, expected: Any) -> None:
    """At most its master shows."""
    view = View(deleted_occurrence_emits_master=emits)
    master = view.series()
    view.first()

    view.box.delete(instance(master, 11).id)

    assert kinds(view.following()) == expected


def test_an_edited_occurrence_comes_as_an_exception() -> None:
    """The rest of the series stays silent."""
    view = View()
    event = instance(view.series(), 11)
    view.first()

    view.box.patch(event.id, {"subject": "Special"})

    assert view.following() == [("exception", event.id)]


@pytest.mark.parametrize(
    ("resends", "expected"),
    [
        (True, ["seriesMaster", "occurrence", "exception", "occurrence", "occurrence"]),
        (False, ["seriesMaster", "exception"]),
    ],
)
def test_a_changed_series_comes_whole_or_only_where_it_is_full(resends: Any, expected: Any) -> None:
    """Both were seen."""
    view = View(series_change_resends_occurrences=resends)
    master = view.series()
    view.box.patch(instance(master, 11).id, {"subject": "Special"})
    view.first()

    view.box.patch(master.id, {"categories": ["Red"]})

    assert kinds(view.following()) == expected


@pytest.mark.parametrize(("lists", "count"), [(False, 1), (True, 5)])
def test_a_deleted_series_is_removed_with_or_without_its_occurrences(
    lists: Any, count: Any
) -> None:
    """The master's id is always there."""
    view = View(removed_lists_occurrences=lists)
    master = view.series()
    known = view.first()

    view.box.delete(master.id)

    rows = view.following()
    assert kinds(rows) == ["removed"] * count
    assert {identity for _, identity in rows} <= {identity for _, identity in known}


def test_an_extended_property_alone_shows_nothing() -> None:
    """Delta does not track it."""
    view = View()
    event = view.single()
    view.first()

    view.box.patch(
        event.id, {"singleValueExtendedProperties": [{"id": "String {0} Name x", "value": "1"}]}
    )

    assert view.following() == []


def test_a_series_is_never_split_over_pages() -> None:
    """A page may be bigger than asked for."""
    view = View()
    view.single()
    view.series()
    view.single()

    assert len(view.first(size=2)) == 6
    assert kinds(view.following(size=2)) == ["singleInstance"]


def test_a_link_can_be_fetched_again() -> None:
    """A lost answer costs nothing."""
    view = View()
    for _ in range(3):
        view.single()
    view.first(size=1)
    token = view.token

    once = view.following(size=1)
    view.token = token

    assert view.following(size=1) == once


def test_pages_may_be_empty_and_rows_may_repeat() -> None:
    """Both switches together."""
    view = View(empty_first_page=True, repeat_rows=True)
    for _ in range(2):
        view.single()

    pages = [view.first(1), view.following(1), view.following(1), view.following(1)]

    assert [len(page) for page in pages][:2] == [0, 1]
    assert pages[2][0] == pages[1][0]


def test_a_token_of_another_calendar_or_of_nobody_is_dead() -> None:
    """It is a 410 SyncStateNotFound."""
    view = View()
    there = view.box.folders.add("There")
    view.first()

    for token, calendar in ((view.token, there.id), ("?", view.calendar)):
        with pytest.raises(ServiceError, match="410 SyncStateNotFound"):
            view.rounds.resume(token, calendar, view.service.switches, ALL)


def test_old_tokens_die_when_there_are_too_many() -> None:
    """There is no promised lifetime."""
    view = View(keep_delta_states=2)
    view.first()
    old = view.token
    for _ in range(2):
        view.following()

    view.token = old

    with pytest.raises(ServiceError, match="410"):
        view.following()


def test_a_spontaneous_version_comes_once_after_a_create() -> None:
    """The service touches a new event by itself."""
    view = View(spontaneous_change_key=True)
    event = view.single()
    before = event.change_key

    view.box.settle()
    settled = event.change_key
    view.box.settle()

    assert before != settled == event.change_key


def test_an_endless_chain_repeats_its_page_under_fresh_tokens() -> None:
    """For clients that follow every nextLink."""
    view = View()
    view.single()
    switches = replace(view.service.switches)
    page = view.rounds.start(view.calendar, MARCH, switches, ALL)

    page = view.rounds.make_endless(page, switches)
    again = view.rounds.resume(page.token, view.calendar, switches, ALL)

    assert again.more
    assert again.token != page.token
    assert [described(row) for row in again.rows] == [described(row) for row in page.rows]
