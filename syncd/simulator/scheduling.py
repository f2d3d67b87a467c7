"""
Free and busy: when people and rooms are available, and which times suit a meeting.

Knows how the service weighs calendars (Graph "findMeetingTimes") and shows them ("getSchedule").
Pure: calendars come in as diaries, answers go out in wire form.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from itertools import islice, pairwise
from typing import Any

from syncd.simulator.errors import ServiceError
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.model import Event
from syncd.simulator.scheduling_wishes import (
    Domain,
    MeetingWish,
    PlaceItem,
    PlaceWish,
    ScheduleWish,
    Span,
)
from syncd.simulator.zones import Wall, zone_of

__all__ = [
    "Block",
    "Bookable",
    "Diary",
    "Found",
    "Suggestion",
    "WorkHours",
    "availability_view",
    "events_between",
    "found_wire",
    "schedule_item",
    "suggest",
]

HALF_HOUR = timedelta(minutes=30)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKEND = frozenset({"saturday", "sunday"})
# Statuses by how much they say, the weakest first: what overlaps shows as the strongest.
_STATUSES = ("free", "unknown", "workingElsewhere", "tentative", "busy", "oof")
# Graph "scheduleInformation". It has no digit for an event shown as unknown.
_DIGITS = {"tentative": "1", "busy": "2", "oof": "3", "workingElsewhere": "4"}
_CHANCES = {"free": 100.0, "workingElsewhere": 100.0, "unknown": 49.0, "busy": 0.0, "oof": 0.0}
_AWAY = frozenset({"busy", "oof"})
_REASON = "Suggested because it is one of the nearest times when {} attendees are available."


# ---- what is in a calendar


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a calendar. Args: status: a `freeBusyStatus`. start, end: aware UTC."""

    status: str
    start: datetime
    end: datetime

    def overlaps(self, span: Span) -> bool:
        """Tell whether the block takes part of a span; touching it is not enough."""
        return self.start < span[1] and self.end > span[0]


@dataclass(frozen=True, slots=True)
class WorkHours:
    """Args: days: names as `daysOfWeek` has them. opens, closes: on the clocks of `zone`."""

    days: frozenset[str]
    opens: time
    closes: time
    zone: str

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "WorkHours":
        """Return the hours of mailbox settings; a custom zone gives way to the mailbox's own."""
        hours = settings["workingHours"]
        zone = (hours.get("timeZone") or {}).get("name") or settings["timeZone"]
        try:
            zone_of(zone)
        except ServiceError:
            zone = settings["timeZone"]
        opens, closes = (_clock(hours[name]) for name in ("startTime", "endTime"))
        return cls(frozenset(hours["daysOfWeek"]), opens, closes, zone)

    def cover(self, span: Span, domain: Domain) -> bool:
        """Tell whether a span lies within the hours that an activity may take."""
        if domain == "unrestricted":
            return True
        days = self.days | WEEKEND if domain == "personal" else self.days
        start, end = (at.astimezone(zone_of(self.zone)).replace(tzinfo=None) for at in span)
        # Hours that close before they open last until the next morning.
        for day in (start.date(), start.date() - timedelta(days=1)):
            opens, closes = (datetime.combine(day, at) for at in (self.opens, self.closes))
            closes += timedelta(days=1 if closes <= opens else 0)
            if DAYS[day.weekday()] in days and opens <= start and end <= closes:
                return True
        return False


def _clock(wire: str) -> time:
    return time.fromisoformat(wire[:8])


@dataclass(frozen=True, slots=True)
class Diary:
    """A primary calendar as others see it. Args: blocks: all that is not free."""

    blocks: tuple[Block, ...]
    hours: WorkHours

    @classmethod
    def of(cls, mailbox: Mailbox, start: datetime, end: datetime) -> "Diary":
        """Return the diary of a mailbox, as far as a window reaches."""
        shown = (_block(event) for event in events_between(mailbox, start, end))
        blocks = tuple(block for block in shown if block.status != "free")
        return cls(blocks, WorkHours.of(mailbox.folders.settings))

    def status(self, span: Span) -> str:
        """Return the strongest status of a span."""
        found = (block.status for block in self.blocks if block.overlaps(span))
        return max(found, key=_STATUSES.index, default="free")


def _block(event: Event) -> Block:
    return Block(event.values["showAs"], event.start.instant, event.end.instant)


def events_between(mailbox: Mailbox, start: datetime, end: datetime) -> list[Event]:
    """Return the instances in the primary calendar that take part of a window, by start."""
    found = mailbox.instances(mailbox.default_calendar.id, start, end)
    return [event for event in found if _block(event).overlaps((start, end))]


# ---- how findMeetingTimes answers


@dataclass(frozen=True, slots=True)
class Bookable:
    """A room that can be suggested. Args: diary: None for one without a calendar: always free."""

    name: str
    address: str
    diary: Diary | None

    def is_free(self, span: Span) -> bool:
        """Tell whether nobody has the room."""
        return self.diary is None or self.diary.status(span) == "free"

    def wire(self) -> dict[str, Any]:
        """Return the `location` resource."""
        return _location(self.name, self.address)


def _location(name: str, address: str) -> dict[str, Any]:
    mail = {"locationEmailAddress": address} if address else {}
    return {"displayName": name, **mail, "locationType": "default"}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A time that suits. Args: statuses: of the attendees in their order."""

    span: Span
    confidence: float
    organizer: str
    statuses: tuple[str, ...]
    places: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Suggestions, the best first, or `emptySuggestionsReason`."""

    suggestions: tuple[Suggestion, ...]
    reason: str = ""


def suggest(
    wish: MeetingWish,
    organizer: Diary,
    people: Sequence[Diary | None],
    rooms: Sequence[Bookable] = (),
    *,
    tentative_percent: float = 0.0,
    most: int = 5,
) -> Found:
    """
    Return the times that suit, by confidence and then in order of time, none over another.

    Args:
        people: diaries of the attendees in their order; None for an address nobody knows.
        tentative_percent: the chance that somebody tentative comes. most: when none was asked.
    """
    chances = {**_CHANCES, "tentative": tentative_percent}
    open_times = [span for span in _candidates(wish) if organizer.hours.cover(span, wish.domain)]
    weighed = [_weighed(span, organizer, people, chances) for span in open_times]
    with_organizer = [
        one for one in weighed if wish.organizer_optional or one.organizer not in _AWAY
    ]
    at_work = [one for one in with_organizer if _at_work(one.span, wish, people)]
    likely = [one for one in at_work if one.confidence >= wish.least_percent]
    placed = [one for one in (_placed(one, wish.place, rooms) for one in likely) if one]
    if not placed:
        return Found((), _reason(open_times, with_organizer, at_work, likely))
    placed.sort(key=lambda one: (-one.confidence, one.span))
    return Found(tuple(islice(_apart(placed), wish.most or most)))


def _candidates(wish: MeetingWish) -> list[Span]:
    """Return the spans on the full and the half hour that fit into the slots, by start."""
    found = set[Span]()
    for start, end in wish.slots:
        at = _half_hour(start).instant
        while at + wish.duration <= end.instant:
            found.add((at, at + wish.duration))
            at += HALF_HOUR
    return sorted(found)


def _half_hour(wall: Wall) -> Wall:
    since = wall.local - wall.local.replace(minute=0, second=0, microsecond=0)
    return wall.plus(-since % HALF_HOUR)


def _weighed(
    span: Span, organizer: Diary, people: Sequence[Diary | None], chances: Mapping[str, float]
) -> Suggestion:
    statuses = tuple("unknown" if diary is None else diary.status(span) for diary in people)
    chance = sum(chances[status] for status in statuses)
    confidence = chance / len(statuses) if statuses else 100.0
    return Suggestion(span, confidence, organizer.status(span), statuses)


def _at_work(span: Span, wish: MeetingWish, people: Sequence[Diary | None]) -> bool:
    """Tell whether a span lies in the hours of every person whose hours are known."""
    return all(
        diary is None or not attendee.is_person or diary.hours.cover(span, wish.domain)
        for attendee, diary in zip(wish.attendees, people, strict=True)
    )


def _placed(one: Suggestion, wish: PlaceWish, rooms: Sequence[Bookable]) -> Suggestion | None:
    """Return a suggestion with its places; None when it needs one and has none."""
    places = tuple(_places(one.span, wish, rooms))
    if wish.required and not places:
        return None
    return replace(one, places=places)


def _places(span: Span, wish: PlaceWish, rooms: Sequence[Bookable]) -> Iterator[Mapping[str, Any]]:
    named = [(item, _room(item, rooms)) for item in wish.items]
    spare = [room for room in rooms if room.is_free(span) and all(room is not r for _, r in named)]
    shown = False
    for item, room in named:
        if room is None or not item.resolve:
            place = _location(item.name, item.address)
        elif room.is_free(span):
            place = room.wire()
        elif spare:
            place = spare.pop(0).wire()
        else:
            continue
        shown = True
        yield place
    if wish.suggest and not shown and spare:
        yield spare[0].wire()


def _room(item: PlaceItem, rooms: Sequence[Bookable]) -> Bookable | None:
    """Return the room that an item names by address, else by name."""
    for room in rooms:
        wanted, known = (item.address, room.address) if item.address else (item.name, room.name)
        if wanted.casefold() == known.casefold():
            return room
    return None


def _reason(
    open_times: Sequence[Span],
    with_organizer: Sequence[Suggestion],
    at_work: Sequence[Suggestion],
    likely: Sequence[Suggestion],
) -> str:
    """Return the first thing that left nothing over (Graph "meetingTimeSuggestionsResult")."""
    if not open_times:
        return "Unknown"
    if not with_organizer:
        return "OrganizerUnavailable"
    if likely:
        return "LocationsUnavailable"
    unsure = any("unknown" in one.statuses for one in at_work)
    return "AttendeesUnavailableOrUnknown" if unsure else "AttendeesUnavailable"


def _apart(ranked: Sequence[Suggestion]) -> Iterator[Suggestion]:
    """Yield what overlaps nothing better: samples and reports show no overlapping suggestions."""
    taken: list[Span] = []
    for one in ranked:
        if not any(one.span[0] < end and one.span[1] > start for start, end in taken):
            taken.append(one.span)
            yield one


def found_wire(found: Found, wish: MeetingWish, zone: str) -> dict[str, Any]:
    """Return the `meetingTimeSuggestionsResult` resource. Args: zone: of all times in it."""
    everybody = all(one.confidence == 100.0 for one in found.suggestions)
    reason = {"suggestionReason": _REASON.format("all" if everybody else "most")}
    rows = [
        {
            **_suggestion_wire(one, wish, zone),
            "order": order,
            **(reason if wish.with_reasons else {}),
        }
        for order, one in enumerate(found.suggestions, 1)
    ]
    return {"emptySuggestionsReason": found.reason, "meetingTimeSuggestions": rows}


def _suggestion_wire(one: Suggestion, wish: MeetingWish, zone: str) -> dict[str, Any]:
    start, end = one.span
    people = zip(wish.attendees, one.statuses, strict=True)
    return {
        "confidence": one.confidence,
        "organizerAvailability": one.organizer,
        "attendeeAvailability": [
            {"availability": status, "attendee": attendee.wire()} for attendee, status in people
        ],
        "locations": list(one.places),
        "meetingTimeSlot": {"start": _shown(start, zone), "end": _shown(end, zone)},
    }


def _shown(instant: datetime, zone: str) -> dict[str, str]:
    return Wall(instant.replace(tzinfo=None), "UTC").seen_from(zone).wire()


# ---- how getSchedule answers


def availability_view(diary: Diary, wish: ScheduleWish) -> str:
    """Return a digit for each interval of a window; the last interval may be a shorter one."""
    marks = [wish.start]
    while marks[-1] < wish.end:
        marks.append(min(marks[-1] + wish.interval, wish.end))
    return "".join(_DIGITS.get(diary.status(span), "0") for span in pairwise(marks))


def schedule_item(event: Event, zone: str, *, detailed: bool) -> dict[str, Any]:
    """
    Return the `scheduleItem` of an event.

    Args: detailed: the one who asks may see subjects and places; those of private and
        confidential events are never shown (Graph "Get free/busy schedule").
    """
    values = event.values
    row: dict[str, Any] = {"status": values["showAs"]}
    if detailed:
        row["isPrivate"] = values["sensitivity"] == "private"
        if values["sensitivity"] in ("normal", "personal"):
            row["subject"] = values["subject"]
            row["location"] = values["location"]["displayName"]
    times = (("start", event.start), ("end", event.end))
    return {**row, **{name: wall.seen_from(zone).wire() for name, wall in times}}
