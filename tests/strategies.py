"""Hypothesis strategies for items, in the form in which both readers give them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from syncd.core.event import (
    AllDay,
    Attached,
    Attendee,
    Changes,
    Event,
    Geo,
    Item,
    Person,
    Timed,
    When,
    differing,
    effective,
    fields,
    meaning,
    one_line,
    shifted,
    slot_of,
)
from syncd.core.html import normalise
from syncd.core.owner import Owner
from syncd.core.recurrence import Recurrence, canonical, occurrences
from syncd.core.zones import WindowsZone

BERLIN = WindowsZone("W. Europe Standard Time")
OWNER = Owner(frozenset({"me@example.org"}), BERLIN)
ZONES = (
    "W. Europe Standard Time",
    "UTC",
    "Eastern Standard Time",
    "New Zealand Standard Time",
    "India Standard Time",
    "Line Islands Standard Time",
)

TEXT = st.text(
    st.sampled_from("abcXYZ 0189äöß漢😀,;:\\\"'^=\t\n\u00a0\u2028()<>&n-")
    | st.characters(codec="utf-8"),
    max_size=60,
)
LINES = TEXT.map(one_line)
BODIES = st.lists(TEXT, max_size=4).map(lambda texts: normalise("\n".join(texts)))
NAMES = LINES.map(lambda text: text[:20].strip())
ADDRESSES = st.sampled_from(
    ["bob@example.org", "Ann@Example.org", "o'neil+x@example.com", "room-1@example.org"]
)
CATEGORIES = st.lists(
    st.sampled_from(["Red", "Work", "Größe", "a b", 'x"y', "back\\slash"]), unique=True, max_size=3
).map(tuple)


POINTS = st.builds(
    lambda latitude, longitude: Geo(latitude / 1e6, longitude / 1e6),
    st.integers(-90_000_000, 90_000_000),
    st.integers(-180_000_000, 180_000_000),
)

PLACES = st.none() | POINTS
# Made once: a strategy that is made anew for each draw is validated anew each time.
NAMES_OF_GUESTS = NAMES.filter(lambda name: "@" not in name)
GUESTS = st.lists(ADDRESSES, unique_by=str.casefold, max_size=3)
KINDS = st.sampled_from(["required", "optional", "resource"])
RESPONSES = st.sampled_from(["none", "accepted", "tentativelyAccepted", "declined"])
SHOWN_AS = st.sampled_from(["free", "tentative", "busy", "oof", "workingElsewhere", "unknown"])
SENSITIVITIES = st.sampled_from(["normal", "personal", "private", "confidential"])
IMPORTANCES = st.sampled_from(["low", "normal", "high"])
REMINDERS_MIN = st.none() | st.integers(0, 50_000)
ATTACHED = st.lists(
    st.builds(
        Attached,
        TEXT.filter(bool),
        LINES,
        st.sampled_from(["", "text/plain", "no type"]),
        st.integers(0, 10**9),
        st.just("https://meet.example/event?a=1,2;b:c"),
        st.sampled_from(["", "c291cAo="]),
    ),
    max_size=2,
    unique_by=lambda one: one.id,
).map(tuple)
JOIN_URLS = st.sampled_from(["", "https://meet.example/x?a=1,2;b:c"])


def days() -> st.SearchStrategy[date]:
    return st.dates(date(2015, 1, 1), date(2035, 12, 31))


@st.composite
def whens(draw: st.DrawFn, *, one_zone: bool = False, short: bool = False) -> When:
    day = draw(days())
    if draw(st.booleans()) and draw(st.booleans()):
        return AllDay(day, day + timedelta(days=1 if short else draw(st.integers(1, 5))))
    zone = draw(st.sampled_from(ZONES))
    end_zone = zone if one_zone or draw(st.booleans()) else draw(st.sampled_from(ZONES))
    # Nowhere does the clock change at noon, and no zone is a day from another.
    start = datetime(
        day.year, day.month, day.day, draw(st.integers(9, 15)), draw(st.integers(0, 59))
    )
    length = timedelta(minutes=draw(st.integers(0, 240)))
    if end_zone != zone:
        length += timedelta(days=2)
    return Timed(start, zone, start + length, end_zone)


@st.composite
def attendees(draw: st.DrawFn) -> tuple[Attendee, ...]:
    found = draw(GUESTS)
    return tuple(
        Attendee(
            address,
            draw(NAMES_OF_GUESTS),
            draw(KINDS),
            draw(RESPONSES),
        )
        for address in found
    )


@st.composite
def events(draw: st.DrawFn, when: When | None = None, *, meetings: bool = True) -> Event:
    people = draw(attendees()) if meetings else ()
    guest = meetings and draw(st.booleans()) and draw(st.booleans())
    host = Person("Carol@example.com" if guest else "me@example.org", draw(NAMES))
    return Event(
        when=when or draw(whens()),
        subject=draw(LINES),
        body=draw(BODIES),
        location=draw(LINES),
        show_as=draw(SHOWN_AS),
        sensitivity=draw(SENSITIVITIES),
        importance=draw(IMPORTANCES),
        categories=draw(CATEGORIES),
        reminder_min=draw(REMINDERS_MIN),
        attendees=people,
        response=draw(RESPONSES) if guest else "none",
        geo=draw(PLACES),
        allow_new_times=draw(st.booleans()),
        response_requested=draw(st.booleans()),
        online_meeting=draw(st.booleans()),
        organizer=host if people or guest else None,
        join_url=draw(JOIN_URLS),
        attached=draw(ATTACHED),
        invited_as="me@example.org" if guest else "",
    )


RULES = (
    Recurrence("daily"),
    Recurrence("daily", 3, count=9),
    Recurrence("weekly", days=("monday", "thursday")),
    Recurrence("weekly", 2, days=("sunday", "tuesday"), first_day="sunday"),
    Recurrence("absoluteMonthly", day_of_month=15),
    Recurrence("absoluteMonthly", day_of_month=31),
    Recurrence("relativeMonthly", days=("tuesday",), index="second"),
    Recurrence("relativeYearly", days=("sunday",), month=3, index="last"),
    Recurrence("absoluteYearly", month=7, day_of_month=1),
)


@st.composite
def series(draw: st.DrawFn, *, meetings: bool = True) -> Item:
    """A series that starts on its rule, with overrides and cancelled slots."""
    when = draw(whens(one_zone=True, short=True))
    rule = draw(st.sampled_from(RULES))
    first = next(occurrences(rule, slot_of(when)))
    when = shifted(when, first)
    if not rule.count and draw(st.booleans()):
        last = first + timedelta(days=draw(st.integers(400, 900)))
        rule = msgspec.structs.replace(rule, until=last.isoformat())
    canonical_rule = canonical(rule, first)
    assert canonical_rule is not None
    master = draw(events(when, meetings=meetings))
    slots = [slot for slot, _ in zip(occurrences(canonical_rule, first), range(9), strict=False)]
    chosen = draw(st.lists(st.sampled_from(slots), unique=True, max_size=4)) if slots else []
    cut = draw(st.integers(0, len(chosen)))
    item = Item(master, canonical_rule, {}, frozenset(chosen[cut:]))
    own = {slot: draw(overrides(item, slot, meetings=meetings)) for slot in chosen[:cut]}
    return msgspec.structs.replace(item, overrides={k: v for k, v in own.items() if v != Changes()})


@st.composite
def overrides(draw: st.DrawFn, item: Item, slot: date, *, meetings: bool = True) -> Changes:
    """What one occurrence has of its own: any mix of another event's fields."""
    plain = effective(item, slot)
    other = draw(events(moved(plain.when), meetings=meetings))
    names = draw(OWNED)
    given_: dict[str, Any] = {name: getattr(other, name) for name in names}
    if not plain.invited_as:
        given_.pop("response", None)
    if not plain.organizer:
        given_.pop("attendees", None)
    if given_.get("reminder_min", 0) is None:
        del given_["reminder_min"]
    return differing(msgspec.structs.replace(plain, **given_), plain)


OWNABLE = (
    "when",
    "subject",
    "body",
    "location",
    "show_as",
    "sensitivity",
    "importance",
    "categories",
    "reminder_min",
    "attendees",
    "response",
    "geo",
    "allow_new_times",
)
OWNED = st.sets(st.sampled_from(OWNABLE))


def moved(when: When) -> When:
    """Later on the same day, or a day longer."""
    match when:
        case AllDay(start, end):
            return AllDay(start, end + timedelta(days=1))
        case Timed(start, start_zone, end, end_zone):
            later = timedelta(hours=1)
            return Timed(start + later, start_zone, end + later, end_zone)


def items(*, meetings: bool = True) -> st.SearchStrategy[Item]:
    return st.builds(Item, events(meetings=meetings)) | series(meetings=meetings)


def said(item: Item, names: frozenset[str] | None = None) -> dict[tuple[str, str], object]:
    """What the fields of an item mean, to be compared and shown."""
    return {
        (key.slot, key.name): meaning(key.name, value)
        for key, value in fields(item).items()
        if names is None or key.name in names
    }
