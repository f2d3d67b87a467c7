"""Delta pages: what their rows mean, where the next one is, and when a chain of them never ends."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from syncd.core.delta import Endless, LoopGuard, Window, due_window, next_view, read_rows
from syncd.core.ids import DeltaLink
from syncd.core.state import View
from syncd.core.wire.dialects.graph_v1 import DeltaPage

# --- rows ----------------------------------------------------------------------------------------


def page(*rows: dict[str, Any], **more: Any) -> DeltaPage:
    return DeltaPage([msgspec.Raw(json.dumps(row).encode()) for row in rows], **more)


def single(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "type": "singleInstance", **more}


def removed(name: str) -> dict[str, Any]:
    return {"id": name, "@removed": {"reason": "deleted"}}


MASTER = {"id": "s", "type": "seriesMaster"}
OCCURRENCE = {"id": "o", "type": "occurrence", "seriesMasterId": "s"}


def test_rows_are_sorted_by_what_they_say() -> None:
    """Events by themselves, series of which something moved, and what left the view."""
    rows = read_rows(page(single("a"), OCCURRENCE, removed("r"), single("b")))

    assert [head.id for head, _ in rows.singles] == ["a", "b"]
    assert (rows.series, rows.removed, rows.unreadable) == (("s",), ("r",), 0)


def test_an_event_is_kept_as_it_was_sent() -> None:
    """The bytes go to the state, with all that is not understood in them."""
    raw = b'{"id": "a",  "type": "singleInstance", "new": [1]}'

    ((_, kept),) = read_rows(DeltaPage([msgspec.Raw(raw)])).singles

    assert kept == raw


def test_a_series_is_named_once_however_many_of_its_rows_come() -> None:
    """Its master, an exception and plain occurrences all ask for the same reading."""
    exception = {"id": "x", "type": "exception", "seriesMasterId": "s"}

    rows = read_rows(page(MASTER, OCCURRENCE, exception, {**OCCURRENCE, "id": "o2"}))

    assert (rows.series, rows.singles) == (("s",), ())


def test_of_two_rows_of_one_event_the_later_counts() -> None:
    """Graph repeats rows: the last one is how the event is."""
    rows = read_rows(page(single("a", subject="old"), single("a", subject="new")))

    ((_, raw),) = rows.singles
    assert b"new" in raw


def test_an_event_named_and_then_removed_is_removed() -> None:
    """And the other way round it is there."""
    gone = read_rows(page(single("a"), single("b"), removed("a")))
    back = read_rows(page(removed("a"), removed("b"), single("a")))

    assert ([head.id for head, _ in gone.singles], gone.removed) == (["b"], ("a",))
    assert ([head.id for head, _ in back.singles], back.removed) == (["a"], ("b",))


def test_a_series_removed_and_then_named_is_there() -> None:
    """It was taken out of the view and put back."""
    rows = read_rows(page(removed("s"), removed("r"), MASTER))

    assert (rows.series, rows.removed) == (("s",), ("r",))


def test_a_row_that_cannot_be_read_stops_no_other() -> None:
    """Such rows are counted, so that somebody hears of them."""
    bad = msgspec.Raw(b'{"id": 5}')

    rows = read_rows(DeltaPage([bad, msgspec.Raw(b'{"id": "a"}'), bad]))

    assert [head.id for head, _ in rows.singles] == ["a"]
    assert rows.unreadable == 2


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_an_id_that_would_name_something_else_is_as_good_as_none(name: str) -> None:
    """As part of an address it would mean the calendar, or the mailbox."""
    rows = read_rows(page(single(name), removed(name), single("a")))

    assert [head.id for head, _ in rows.singles] == ["a"]
    assert (rows.removed, rows.unreadable) == ((), 2)


# --- the cursor ----------------------------------------------------------------------------------

NOW = datetime(2026, 3, 2, 9, 30, 15, 500, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
VIEW = View(DeltaLink("here"), False, MIDNIGHT - 90 * DAY, MIDNIGHT + 397 * DAY, NOW, 7)


def test_a_page_in_the_middle_names_the_next_one() -> None:
    """The round goes on there, also after a crash."""
    after = next_view(replace(VIEW, complete=True), page(next_link="more"))

    assert after == replace(VIEW, link=DeltaLink("more"), complete=False)


def test_the_last_page_ends_the_round() -> None:
    """Its delta link is where the next round begins; that wins over any other link."""
    after = next_view(VIEW, page(delta_link="end", next_link="more"))

    assert after == replace(VIEW, link=DeltaLink("end"), complete=True)


def test_a_page_without_any_link_begins_anew() -> None:
    """Nothing says where to go on: a fresh view is opened."""
    assert next_view(VIEW, page()) == replace(VIEW, link=None, complete=False)


# --- the window ----------------------------------------------------------------------------------


def test_a_window_begins_and_ends_at_midnight() -> None:
    """Ninety days back and a year ahead, with a month to spare at the far end."""
    assert due_window(None, NOW, 90, 365) == Window(MIDNIGHT - 90 * DAY, MIDNIGHT + 397 * DAY)


@pytest.mark.parametrize(
    ("start", "end", "will_do"),
    [
        (-90 * DAY, 397 * DAY, True),
        (-89 * DAY, 397 * DAY, True),
        (-89 * DAY + timedelta(seconds=1), 397 * DAY, False),
        (-120 * DAY, 397 * DAY, True),
        (-90 * DAY, 366 * DAY, True),
        (-90 * DAY, 365 * DAY, False),
    ],
)
def test_a_window_is_opened_anew_when_it_no_longer_shows_enough(
    start: timedelta, end: timedelta, will_do: bool
) -> None:
    """A day of the past may be missing, none of the future; what it shows too much does not matter."""
    view = replace(VIEW, start=MIDNIGHT + start, end=MIDNIGHT + end)

    assert (due_window(view, NOW, 90, 365) is None) == will_do


def test_a_window_that_ends_to_the_second_when_it_must_will_do() -> None:
    """Its edge belongs to it."""
    assert due_window(replace(VIEW, end=NOW + 365 * DAY), NOW, 90, 365) is None


@pytest.mark.parametrize(
    ("start", "end", "inside"),
    [
        (-3, -2, False),
        (-3, 0, True),
        (0, 0, True),
        (3, 4, True),
        (10, 11, True),
        (11, 12, False),
        (-5, 20, True),
    ],
)
def test_an_event_that_touches_the_window_is_in_it(start: int, end: int, inside: bool) -> None:
    """As in Graph's own view; otherwise it would be taken for deleted."""
    window = Window(MIDNIGHT, MIDNIGHT + 10 * DAY)

    assert window.overlaps(MIDNIGHT + start * DAY, MIDNIGHT + end * DAY) == inside


# --- a chain that never ends ---------------------------------------------------------------------

EMPTY_IN_A_ROW = 300
ROW = [msgspec.Raw(b'{"id":"a"}')]


def test_hundreds_of_empty_pages_in_a_row_are_endless() -> None:
    """Each has a fresh link, so that only their number tells."""
    guard = LoopGuard()
    for number in range(EMPTY_IN_A_ROW):
        guard.check([], f"link-{number}")

    with pytest.raises(Endless):
        guard.check([], "one-more")


def test_empty_pages_between_others_are_not_endless() -> None:
    """Graph skips what it filters out: only those in a row are counted."""
    guard = LoopGuard()
    for number in range(3):
        for empty in range(EMPTY_IN_A_ROW):
            guard.check([], f"link-{number}-{empty}")
        guard.check([msgspec.Raw(b'{"id":"%d"}' % number)], f"link-{number}")


def test_a_link_that_comes_twice_is_a_circle() -> None:
    """Whatever the pages say."""
    guard = LoopGuard()
    guard.check([msgspec.Raw(b"1")], "a")
    guard.check([msgspec.Raw(b"2")], "b")

    with pytest.raises(Endless):
        guard.check([msgspec.Raw(b"3")], "a")


def test_pages_without_a_link_are_no_circle() -> None:
    """The last page of a round has none; two of them are two rounds."""
    guard = LoopGuard()
    guard.check(ROW, None)
    guard.check([], None)
    guard.check([], None)


def test_the_same_rows_under_fresh_links_are_endless_at_the_fourth_time() -> None:
    """Graph may repeat a page; it does not do so for ever. Other pages in between do not help."""
    guard = LoopGuard()
    for number in range(3):
        guard.check(ROW, f"same-{number}")
        guard.check([msgspec.Raw(b'{"id":"%d"}' % number)], f"other-{number}")

    with pytest.raises(Endless):
        guard.check(ROW, "same-again")


def test_rows_in_another_order_are_another_page() -> None:
    """Nor are two rows what one row is that looks like both."""
    guard = LoopGuard()
    one, two = msgspec.Raw(b"1"), msgspec.Raw(b"2")
    for number in range(3):
        guard.check([one, two], f"a-{number}")
        guard.check([two, one], f"b-{number}")
        guard.check([msgspec.Raw(b"12")], f"c-{number}")


def test_more_pages_than_any_mailbox_fills_are_endless() -> None:
    """Twenty thousand, each with news and a fresh link."""
    guard = LoopGuard()
    for number in range(20_000):
        guard.check([msgspec.Raw(b"%d" % number)], f"link-{number}")

    with pytest.raises(Endless):
        guard.check([msgspec.Raw(b"news")], "one-more")
