"""Files written from items, and files rewritten in place."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import icalendar
import msgspec
import recurring_ical_events
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from syncd.core.event import (
    PUSHED_FIELDS,
    AllDay,
    FieldKey,
    Item,
    effective,
)
from syncd.core.ids import Uid
from syncd.core.lines import Document, Line, line_text, parse
from syncd.core.merge import changed, overlay
from syncd.core.recurrence import occurrences
from syncd.core.wire.ics_read import FileItem, read
from syncd.core.wire.ics_rewrite import rewrite
from syncd.core.wire.ics_write import Stamps, local_view, render
from tests.strategies import OWNER, items, said, series

UID = Uid("u-1@example.org")
STAMPS = Stamps("20260101T100000Z", "20260201T100000Z")
LATER = Stamps("20260101T100000Z", "20260301T100000Z")
LOCAL = frozenset((*PUSHED_FIELDS, "recurrence", "cancelled"))
# Of these no line of a new file tells.
UNSAID = frozenset({"response_requested", "online_meeting"})
FEW = settings(max_examples=60, deadline=None)


def wrote(item: Item) -> bytes:
    return render(UID, item, STAMPS, OWNER)


def seen(data: bytes, base: Item | None = None) -> Item:
    found = read(data, OWNER, base)
    assert isinstance(found, FileItem), found
    assert found.holds == ()
    assert found.item is not None
    return found.item


def rewritten(
    data: bytes, target: Item, moved: frozenset[FieldKey], base: Item | None = None
) -> bytes:
    found = rewrite(data, UID, target, moved, LATER, OWNER, base)
    assert isinstance(found, bytes), found
    return found


def texts(data: bytes) -> list[str]:
    document = parse(data)
    assert isinstance(document, Document), document
    return [line_text(line) for line in _lines(document)]


def _lines(document: Document) -> list[Line]:
    stack, found = [document.calendar], []
    while stack:
        component = stack.pop()
        for part in component.parts:
            if isinstance(part, Line):
                found.append(part)
            else:
                stack.append(part)
    return found


@FEW
@given(items())
def test_a_written_file_says_what_the_item_says(item: Item) -> None:
    """Reading what was written gives the same meaning, with nothing held."""
    # An occurrence to which nobody of its series is invited has no word in a file: the base tells.
    assume(not any(own.attendees == () for own in item.overrides.values()))
    found = seen(wrote(item))

    told = (LOCAL | {"people"}) - UNSAID
    if "personal" in said(item).values():  # PRIVATE is a file's word for both
        told -= {"sensitivity"}
    assert said(found, told) == said(local_view(item), told)


@FEW
@given(items())
def test_a_written_file_read_beside_its_base_was_not_edited(item: Item) -> None:
    """Nothing is a change, whatever the item holds."""
    base = local_view(item)

    assert changed(base, seen(wrote(item), base), local=True) == frozenset()


@FEW
@given(items())
def test_a_rewrite_without_moved_fields_is_the_same_file(item: Item) -> None:
    """Not a byte changes."""
    data = wrote(item)

    assert rewritten(data, item, frozenset()) == data


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Item, Item]:
    """Two versions of one item: some fields of the second come from another item."""
    one = draw(items())
    if one.recurrence is None:
        other = draw(items().filter(lambda item: item.recurrence is None))
    else:
        other = draw(series())
        if draw(st.booleans()):
            other = msgspec.structs.replace(
                other,
                master=msgspec.structs.replace(other.master, when=one.master.when),
                recurrence=one.recurrence,
                overrides={k: v for k, v in one.overrides.items() if draw(st.booleans())},
                cancelled=frozenset(k for k in one.cancelled if draw(st.booleans())),
            )
    return one, other


@FEW
@given(pairs())
def test_a_rewrite_brings_the_file_to_the_target(pair: tuple[Item, Item]) -> None:
    """The file says what the target says, and writing it again changes nothing."""
    one, other = pair
    moved = changed(one, other, local=False)
    target = overlay(one, moved, other)
    data = wrote(one)

    after = rewritten(data, target, moved, local_view(one))

    wanted = local_view(target)
    assert changed(wanted, seen(after, wanted), local=True) == frozenset()
    assert rewritten(after, target, moved, wanted) == after


@FEW
@given(pairs(), st.sampled_from(["subject", "location", "importance", "categories"]))
def test_lines_of_other_fields_stay_byte_for_byte(pair: tuple[Item, Item], name: str) -> None:
    """A moved title touches the title and the stamps, nothing else."""
    one, other = pair
    key = FieldKey("", name)
    target = overlay(one, frozenset({key}), other)
    data = wrote(one)

    after = rewritten(data, target, frozenset({key}), local_view(one))

    owned = {"subject": "SUMMARY", "location": "LOCATION", "importance": "PRIORITY"}
    mine = (owned.get(name, "CATEGORIES"), "DTSTAMP", "LAST-MODIFIED")
    assert [t for t in texts(data) if not t.startswith(mine)] == [
        t for t in texts(after) if not t.startswith(mine)
    ]


@FEW
@given(items())
def test_icalendar_reads_what_we_write(item: Item) -> None:
    """An independent reader sees no error, and the same title and times."""
    calendar: Any = icalendar.Calendar.from_ical(wrote(item))
    master = calendar.walk("VEVENT")[0]

    assert all(not one.errors for one in calendar.walk())
    assert str(master.get("SUMMARY", "")) == item.master.subject
    start, end = master["DTSTART"].dt, master["DTEND"].dt
    if isinstance(item.master.when, AllDay):
        assert (start, end) == (item.master.when.start, item.master.when.end)
    else:
        assert start.replace(tzinfo=None) == item.master.when.start
        assert end.replace(tzinfo=None) == item.master.when.end


@settings(max_examples=25, deadline=None)
@given(series(meetings=False))
def test_an_independent_expansion_gives_our_instances(item: Item) -> None:
    """Over a year, the same starts and titles as ours."""
    first = item.master.when.start
    begin = date(first.year, first.month, first.day)
    calendar: Any = icalendar.Calendar.from_ical(wrote(item))
    found = recurring_ical_events.of(calendar).between(begin, begin + timedelta(days=300))

    theirs = sorted((_plain(one["DTSTART"].dt), str(one.get("SUMMARY", ""))) for one in found)
    assert theirs == sorted(_instances(item, begin, begin + timedelta(days=300)))


def _plain(value: date | datetime) -> str:
    return value.replace(tzinfo=None).isoformat() if isinstance(value, datetime) else str(value)


def _instances(item: Item, begin: date, end: date) -> list[tuple[str, str]]:
    assert item.recurrence is not None
    found = []
    for slot in occurrences(item.recurrence, begin):
        if slot >= end:
            break
        if slot not in item.cancelled:
            event = effective(item, slot)
            found.append((_plain(event.when.start), event.subject))
    return found
