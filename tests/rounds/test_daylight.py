"""
Daylight saving, end to end: whichever side is edited, on whichever side of a clock change.

Both sides are judged by instants in UTC over two years: the folder as another library reads its
bytes, the service as its own view lists them, and both by what `zoneinfo` makes of the wall times
that were meant.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest

from syncd.ports import Answer, Request, WriteOutcome
from syncd.simulator.model import Event
from syncd.simulator.switches import Switches
from tests.rounds import judge
from tests.rounds.world import RecordingRemote, World, world

FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 12, 30, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(days=7)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
HALF_HOUR = 30 * MINUTE
SUNDAY = date(2026, 2, 1)
"""Where weekly series begin: before every clock change of the year."""

Moment = date | datetime
"""A day, or a wall time."""


# --- zones ---


@dataclass(frozen=True)
class Zone:
    """A zone by its names in files and on the service, and the one whose offsets are right."""

    tzid: str
    windows: str
    iana: str
    mailbox: str
    block: tuple[str, ...] = ()

    def utc(self, wall: datetime) -> datetime:
        """RFC 5545 3.3.5: the first of two, and in a gap the offset before it."""
        return wall.replace(tzinfo=ZoneInfo(self.iana), fold=0).astimezone(UTC)

    def changes(self) -> list[date]:
        """The two days of 2026 on which the clocks change; two Sundays where they never do."""
        days = [date(2026, 1, 1) + n * DAY for n in range(365)]
        zone = ZoneInfo(self.iana)
        noon = {day: datetime.combine(day, time(12), zone).utcoffset() for day in days}
        found = [day for day in days[1:] if noon[day] != noon[day - DAY]]
        return found or [date(2026, 3, 29), date(2026, 10, 25)]

    def sundays(self) -> list[date]:
        """The Sundays before, on and after each change."""
        on = [day + (6 - day.weekday()) * DAY for day in self.changes()]
        return [day + n * WEEK for day in on for n in (-1, 0, 1)]


def block(tzid: str, standard: str, daylight: str, spring: str, autumn: str) -> tuple[str, ...]:
    """
    A VTIMEZONE as Exchange writes it, with rules since 1601.

    Args: spring, autumn: the hour of the change by the clocks before it, and the day as BY parts.
    """
    parts = ("STANDARD", daylight, standard, autumn), ("DAYLIGHT", standard, daylight, spring)
    lines = ["BEGIN:VTIMEZONE", f"TZID:{tzid}"]
    for name, before, after, rule in parts:
        hour, _, day = rule.partition(" ")
        lines += [
            f"BEGIN:{name}",
            f"DTSTART:16010101T{hour}0000",
            f"TZOFFSETFROM:{before}",
            f"TZOFFSETTO:{after}",
            f"RRULE:FREQ=YEARLY;INTERVAL=1;{day}",
            f"END:{name}",
        ]
    return (*lines, "END:VTIMEZONE")


AMERICAN = "02 BYDAY=2SU;BYMONTH=3", "02 BYDAY=1SU;BYMONTH=11"
EUROPEAN = "01 BYDAY=-1SU;BYMONTH=3", "03 BYDAY=-1SU;BYMONTH=10"

W_EUROPE, EASTERN = "W. Europe Standard Time", "Eastern Standard Time"
NEW_ZEALAND, LINE_ISLANDS = "New Zealand Standard Time", "Line Islands Standard Time"
HAWAII, TOKYO = "Hawaiian Standard Time", "Tokyo Standard Time"

BERLIN = Zone("Europe/Berlin", W_EUROPE, "Europe/Berlin", W_EUROPE)
NEW_YORK = Zone("America/New_York", EASTERN, "America/New_York", W_EUROPE)
AUCKLAND = Zone("Pacific/Auckland", NEW_ZEALAND, "Pacific/Auckland", EASTERN)
LORD_HOWE = Zone(
    "Australia/Lord_Howe", "Lord Howe Standard Time", "Australia/Lord_Howe", NEW_ZEALAND
)
KIRITIMATI = Zone("Pacific/Kiritimati", LINE_ISLANDS, "Pacific/Kiritimati", HAWAII)
CORP = Zone(
    "Corp",
    "Central Standard Time",
    "America/Chicago",
    LINE_ISLANDS,
    block("Corp", "-0600", "-0500", *AMERICAN),
)
"""A name that only the file knows; the rules beside it are those of a zone of Windows."""
TROLL = Zone("Antarctica/Troll", "UTC", "Antarctica/Troll", W_EUROPE)
"""Two hours of summer time: Windows has no such zone."""
ODD = replace(TROLL, tzid="Odd", block=block("Odd", "+0000", "+0200", *EUROPEAN))
"""The same rules, known by the file alone."""
GREENWICH = Zone("Etc/UTC", "UTC", "UTC", W_EUROPE)
NUUK = Zone("America/Nuuk", "Greenland Standard Time", "America/Nuuk", W_EUROPE)
"""Its clocks go from Saturday 23:00 to Sunday 00:00: the gap lies in another day than its end."""

ZONES = [BERLIN, NEW_YORK, AUCKLAND, LORD_HOWE, KIRITIMATI, CORP]


def name_of(zone: Zone) -> str:
    return zone.tzid.rpartition("/")[2]


# --- what was meant ---


@dataclass(frozen=True)
class Shown:
    """One occurrence as it was meant: its wall times and zone, and what of it is its own."""

    summary: str
    start: Moment
    end: Moment
    zone: Zone
    has_own_time: bool = False
    has_own_summary: bool = False

    def seen(self, place: str) -> judge.Seen:
        return self.summary, _text(self.start, self.zone), _text(self.end, self.zone), place


def _text(at: Moment, zone: Zone) -> str:
    return zone.utc(at).isoformat() if isinstance(at, datetime) else at.isoformat()


@dataclass
class Series:
    """A series, known on both sides by its place, and what each of its slots should show."""

    place: str
    zone: Zone
    first: Moment
    lasts: timedelta
    every: timedelta = WEEK
    count: int = 0
    slots: dict[date, Shown] = field(default_factory=dict)

    def __post_init__(self) -> None:
        as_seen = (LAST.date() - day_of(self.first)) // self.every + 1
        for number in range(self.count or as_seen):
            start = self.first + number * self.every
            self.slots[day_of(start)] = Shown("Team", start, start + self.lasts, self.zone)

    @property
    def shown(self) -> Shown:
        """What the series itself is: its first slot, which nobody edits alone."""
        return self.slots[day_of(self.first)]

    @property
    def step(self) -> timedelta:
        """How far an occurrence is moved: not onto the day of another."""
        if not isinstance(self.first, datetime):
            return DAY
        return -3 * HOUR if self.every == DAY and self.first.time() > time(12) else 3 * HOUR

    def slot_start(self, day: date) -> Moment:
        """Where the series itself puts a day's occurrence."""
        return self.first + (day - day_of(self.first))

    def move(self, day: date) -> None:
        """One occurrence comes later."""
        one = self.slots[day]
        start, end = one.start + self.step, one.end + self.step
        self.slots[day] = replace(one, start=start, end=end, has_own_time=True)

    def title(self, day: date) -> None:
        """One occurrence has another title."""
        self.slots[day] = replace(self.slots[day], summary="Special", has_own_summary=True)

    def shift(self, by: timedelta) -> None:
        """The series has another time; what has a time of its own keeps it."""
        self.first += by
        for day, one in self.slots.items():
            if not one.has_own_time:
                self.slots[day] = replace(one, start=one.start + by, end=one.end + by)

    def rezone(self, zone: Zone) -> None:
        """The series keeps its wall times in another zone; what has its own time keeps that."""
        self.zone = zone
        for day, one in self.slots.items():
            if not one.has_own_time:
                self.slots[day] = replace(one, zone=zone)

    def retitle(self) -> None:
        """The series has another title; what has a title of its own keeps it."""
        for day, one in self.slots.items():
            if not one.has_own_summary:
                self.slots[day] = replace(one, summary="Crew")

    def forget_overrides(self) -> None:
        """What Exchange does when a series gets another time: cancelled occurrences stay so."""
        plain = self.shown
        for day in self.slots:
            start = self.slot_start(day)
            self.slots[day] = replace(plain, start=start, end=start + self.lasts)


def day_of(at: Moment) -> date:
    return at.date() if isinstance(at, datetime) else at


def meant(known: Iterable[Series]) -> Counter[judge.Seen]:
    """What both sides should show."""
    return Counter(shown.seen(one.place) for one in known for shown in one.slots.values())


@dataclass(frozen=True)
class Single:
    """An event that does not repeat, as it was meant."""

    place: str
    zone: Zone
    start: datetime
    end: datetime
    other_end_zone: Zone | None = None

    @property
    def end_zone(self) -> Zone:
        return self.other_end_zone or self.zone

    def seen(self) -> judge.Seen:
        return "Team", _text(self.start, self.zone), _text(self.end, self.end_zone), self.place


# --- both sides as others see them ---


def in_folder(w: World) -> Counter[judge.Seen]:
    # icalendar keeps the first VTIMEZONE of a name for the whole process.
    icalendar.use_zoneinfo()  # type: ignore[no-untyped-call]
    return judge.in_folder(w.folder, FIRST, LAST)


def on_service(w: World) -> Counter[judge.Seen]:
    return judge.on_service(w.box, w.calendar, FIRST, LAST)


def astray(w: World, wanted: Counter[judge.Seen]) -> dict[str, list[Any]]:
    """What either side lacks, or has beyond what is wanted; and names that fit no occurrence."""
    found: dict[str, list[Any]] = {}
    for side, seen in (("folder", in_folder(w)), ("service", on_service(w))):
        found[f"{side} lacks"] = sorted(wanted - seen)
        found[f"{side} has"] = sorted(seen - wanted)
    found["fits no occurrence"] = list(misfits(w))
    return {what: rows for what, rows in found.items() if rows}


def misfits(w: World) -> Iterator[str]:
    """
    EXDATE and RECURRENCE-ID that are not exactly the start of an occurrence of their series.

    The judge's library also matches them by the wall time alone; others match the instant.
    """
    for path in sorted(w.folder.glob("*.ics")):
        events: list[Any] = icalendar.Calendar.from_ical(path.read_bytes()).walk("VEVENT")
        for master in (one for one in events if "RRULE" in one):
            every = {"DAILY": DAY, "WEEKLY": WEEK}[master["RRULE"]["FREQ"][0]]
            if named := {_exact(at): at for at in (*_exdates(master), *_recurrence_ids(events))}:
                exact = {_exact(master["DTSTART"].dt + n * every) for n in range(110)}
                yield from (f"{path.name} {named[one]}" for one in named.keys() - exact)


def _exact(at: Moment) -> str:
    return at.astimezone(UTC).isoformat() if isinstance(at, datetime) else at.isoformat()


def _exdates(master: Any) -> Iterator[Moment]:
    lines = master.get("EXDATE", [])
    for line in lines if isinstance(lines, list) else [lines]:
        yield from (one.dt for one in line.dts)


def _recurrence_ids(events: Iterable[Any]) -> Iterator[Moment]:
    yield from (one["RECURRENCE-ID"].dt for one in events if "RECURRENCE-ID" in one)


async def settled(w: World, code: int = 0) -> None:
    """Two rounds bring both sides together, and the two after them write nothing."""
    assert [await w.code(), await w.code()] == [code, code]
    files = contents(w)
    w.clear()
    assert [await w.code(), await w.code()] == [code, code]
    assert w.writes() == []
    assert contents(w) == files


def contents(w: World) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in w.folder.glob("*.ics")}


@asynccontextmanager
async def home(root: Path, mailbox: str, switches: Switches | None = None) -> AsyncIterator[World]:
    """A world whose mailbox has a zone, after the first round of an empty folder."""
    async with world(root, switches=switches) as w:
        w.box.folders.settings["timeZone"] = mailbox
        await w.code()
        yield w


def true_up(w: World) -> None:
    """The service says nothing of deleted occurrences until both sides are compared whole."""
    w.clock.advance(7 * 3600)


# --- the two hands that edit ---


class InFile:
    """A person with an editor, who spells a moment in the series' zone, in UTC or in Tokyo's."""

    def __init__(self, w: World) -> None:
        self.w = w

    def create(self, one: Series, end: str = "") -> None:
        """A new file. Args: end: COUNT or UNTIL, if not the count of slots."""
        end = end or (f";COUNT={one.count}" if one.count else "")
        rule = f"RRULE:FREQ={'WEEKLY' if one.every == WEEK else 'DAILY'}{end}"
        self.save(one.place, one.zone, *self.times(one.shown, one.zone.tzid), rule)

    def save(self, place: str, zone: Zone, *more: str) -> Path:
        """A file with nothing in it that is not needed."""
        lines = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//test//test//EN",
            *zone.block,
            "BEGIN:VEVENT",
            f"UID:{place}",
            "DTSTAMP:20260101T000000Z",
            "SUMMARY:Team",
            f"LOCATION:{place}",
            *more,
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
        return self.w.write(f"{place}.ics", "\n".join(lines))

    def create_single(self, one: Single) -> None:
        self.save(one.place, one.zone, *self.lines(one))

    def put(self, one: Single) -> None:
        """Both times of a single event."""
        start, end = self.lines(one)
        self.rewrite(one, lambda text: _replaced(_replaced(text, start), end))

    def lines(self, one: Single) -> list[str]:
        return [
            spelled("DTSTART", one.start, one.zone, one.zone.tzid, 0),
            spelled("DTEND", one.end, one.end_zone, one.end_zone.tzid, 0),
        ]

    def change(self, one: Series, day: date, how: int = 0) -> None:
        """An override for what the series now shows on a day."""
        shown, tzid = one.slots[day], self.tzid(one)
        lines = [
            "DTSTAMP:20260101T000000Z",
            spelled("RECURRENCE-ID", one.slot_start(day), one.zone, tzid, how),
            f"SUMMARY:{shown.summary}",
            f"LOCATION:{one.place}",
            *self.times(shown, tzid, how if shown.has_own_time else 0),
            "END:VEVENT",
            "END:VCALENDAR",
        ]

        def with_override(text: str) -> str:
            [uid] = set(re.findall("^UID:.*$", text, re.MULTILINE))
            return text.replace("END:VCALENDAR", "\n".join(["BEGIN:VEVENT", uid, *lines]))

        self.rewrite(one, with_override)

    def drop(self, one: Series, day: date, how: int = 0) -> None:
        """An EXDATE for a day."""
        line = spelled("EXDATE", one.slot_start(day), one.zone, self.tzid(one), how)
        self.rewrite(one, lambda text: text.replace("BEGIN:VEVENT", f"BEGIN:VEVENT\n{line}", 1))

    def shift(self, one: Series) -> None:
        """The series' own DTSTART and DTEND; its overrides and EXDATEs stay as they are."""
        start, end = self.times(one.shown, self.tzid(one))
        self.rewrite(one, lambda text: _replaced(_replaced(text, start), end))

    def rezone(self, one: Series, tzid: str) -> None:
        """Another TZID in every line that names the series' own times."""
        pattern = "^(EXDATE|RECURRENCE-ID);TZID=[^:]+:"
        start, end = self.times(one.shown, tzid)

        def with_zone(text: str) -> str:
            named = re.sub(pattern, rf"\1;TZID={tzid}:", text, flags=re.MULTILINE)
            return _replaced(_replaced(named, start), end)

        self.rewrite(one, with_zone)

    def retitle(self, one: Series) -> None:
        """The series' own SUMMARY."""
        self.rewrite(one, lambda text: _replaced(text, f"SUMMARY:{one.shown.summary}"))

    def times(self, shown: Shown, tzid: str, how: int = 0) -> list[str]:
        ends = ("DTSTART", shown.start), ("DTEND", shown.end)
        return [spelled(name, at, shown.zone, tzid, how) for name, at in ends]

    def tzid(self, one: Series | Single) -> str:
        """How the file spells the series' zone."""
        found = re.search("^DTSTART;TZID=([^:\n]+):", self.text(one), re.MULTILINE)
        return found[1] if found else ""

    def path(self, place: str) -> Path:
        marker = f"LOCATION:{place}\r\n".encode()
        [found] = [path for path in self.w.folder.glob("*.ics") if marker in path.read_bytes()]
        return found

    def text(self, one: Series | Single) -> str:
        data = self.path(one.place).read_bytes()
        return data.replace(b"\r\n ", b"").decode().replace("\r\n", "\n")

    def rewrite(self, one: Series | Single, change: Callable[[str], str]) -> None:
        before = self.text(one)
        after = change(before)
        assert after != before
        self.w.clock.advance(5)
        self.path(one.place).write_bytes(after.replace("\n", "\r\n").encode())


def _replaced(text: str, line: str) -> str:
    """The text with the master's line of that name; a VTIMEZONE's DTSTART has no parameters."""
    name = re.split("[;:]", line)[0]
    pattern = f"^{name}:.*$" if name == "SUMMARY" else f"^{name};.*$"
    return re.sub(pattern, line, text, count=1, flags=re.MULTILINE)


class OnService:
    """A person in Outlook, who is at home in the series' zone, in UTC's or in Tokyo's."""

    def __init__(self, w: World) -> None:
        self.w = w

    def create(self, one: Series) -> None:
        self.w.box.create(
            self.w.calendar,
            {
                "subject": one.shown.summary,
                "location": {"displayName": one.place},
                "isReminderOn": False,
                "isAllDay": not isinstance(one.first, datetime),
                "recurrence": self.rule(one),
                **self.times(one.shown),
            },
        )

    def rule(self, one: Series) -> dict[str, Any]:
        day = day_of(one.first)
        weekly = {"type": "weekly", "interval": 1, "daysOfWeek": [f"{day:%A}".lower()]}
        pattern = weekly if one.every == WEEK else {"type": "daily", "interval": 1}
        end = {"type": "numbered", "numberOfOccurrences": one.count} if one.count else {}
        return {"pattern": pattern, "range": {"type": "noEnd", "startDate": f"{day}", **end}}

    def change(self, one: Series, day: date, how: int = 0) -> None:
        shown = one.slots[day]
        body: dict[str, Any] = {"subject": shown.summary} if shown.has_own_summary else {}
        if shown.has_own_time:
            body |= self.times(shown, how)
        self.w.box.patch(Event(self.item(one), day).id, body)

    def drop(self, one: Series, day: date, how: int = 0) -> None:
        self.w.box.delete(Event(self.item(one), day).id)

    def shift(self, one: Series) -> None:
        self.patch(one, self.times(one.shown))

    def rezone(self, one: Series) -> None:
        self.patch(one, {**self.times(one.shown), "recurrence": self.rule(one)})

    def retitle(self, one: Series) -> None:
        self.patch(one, {"subject": one.shown.summary})

    def create_single(self, one: Single) -> None:
        place = {"location": {"displayName": one.place}}
        body = {"subject": "Team", "isReminderOn": False, **place, **self.moments(one)}
        self.w.box.create(self.w.calendar, body)

    def put(self, one: Single) -> None:
        self.patch(one, self.moments(one))

    def moments(self, one: Single) -> dict[str, Any]:
        start, end = moment(one.start, one.zone, 0), moment(one.end, one.end_zone, 0)
        return {"start": start, "end": end}

    def patch(self, one: Series | Single, body: Mapping[str, Any]) -> None:
        self.w.box.patch(Event(self.item(one)).id, dict(body))

    def times(self, shown: Shown, how: int = 0) -> dict[str, Any]:
        ends = ("start", shown.start), ("end", shown.end)
        return {name: moment(at, shown.zone, how) for name, at in ends}

    def item(self, one: Series | Single) -> Any:
        items = self.w.box.items(self.w.calendar)
        return next(it for it in items if it.values["location"]["displayName"] == one.place)


Hand = InFile | OnService
HANDS: Mapping[str, Callable[[World], Hand]] = {"file": InFile, "service": OnService}


def spelled(name: str, at: Moment, zone: Zone, tzid: str, how: int) -> str:
    """A moment as a content line: in its zone, in UTC, or in another zone."""
    if not isinstance(at, datetime):
        return f"{name};VALUE=DATE:{at:%Y%m%d}"
    match how % 3:
        case 0:
            return f"{name};TZID={tzid}:{at:%Y%m%dT%H%M%S}"
        case 1:
            return f"{name}:{zone.utc(at):%Y%m%dT%H%M%SZ}"
        case _:
            return f"{name};TZID=Asia/Tokyo:{in_tokyo(at, zone):%Y%m%dT%H%M%S}"


def moment(at: Moment, zone: Zone, how: int) -> dict[str, str]:
    """The same as a `dateTimeTimeZone`."""
    if not isinstance(at, datetime):
        return {"dateTime": f"{at}T00:00:00", "timeZone": zone.windows}
    match how % 3:
        case 0:
            return {"dateTime": at.isoformat(), "timeZone": zone.windows}
        case 1:
            return {"dateTime": f"{zone.utc(at):%Y-%m-%dT%H:%M:%S}", "timeZone": "UTC"}
        case _:
            return {"dateTime": in_tokyo(at, zone).isoformat(), "timeZone": TOKYO}


def in_tokyo(wall: datetime, zone: Zone) -> datetime:
    return zone.utc(wall).astimezone(ZoneInfo("Asia/Tokyo")).replace(tzinfo=None)


# --- series on both sides of the clock changes ---

BEGINS = [(time(0, 15), 30), (time(10), 90), (time(23, 30), 60)]
"""Starts, and how many minutes: before a change, after it, and into the next day."""


@dataclass(frozen=True)
class Case:
    """Where a series comes from, and what is done to it by whom, first and later."""

    origin: str
    first: str
    first_by: str
    later: str
    later_by: str
    series: Series


def cases(number: int, zone: Zone, *, all_day: bool = False) -> list[Case]:
    """
    Six of all cases; two neighbouring numbers have all that is done first.

    Six such pairs have every pair of what is done first and later, and when the series begins.
    """
    firsts = enumerate(product(HANDS, ("move", "title", "drop"), HANDS))
    laters = list(product(("retitle",) if all_day else ("shift", "retitle"), HANDS))
    found = []
    for place, (origin, first, first_by) in firsts:
        if (place + place // 2 + number) % 2:
            continue
        later, later_by = laters[(place + number // 2) % len(laters)]
        begins, minutes = BEGINS[(place // 4 + place + number // 2) % len(BEGINS)]
        start = SUNDAY if all_day else datetime.combine(SUNDAY, begins)
        lasts = (1 + place % 2) * DAY if all_day else minutes * MINUTE
        label = f"{place} from {origin} - {first} by {first_by} - {later} by {later_by}"
        found.append(
            Case(origin, first, first_by, later, later_by, Series(label, zone, start, lasts))
        )
    return found


def touch(what: str, hand: Hand, one: Series, day: date, how: int = 0) -> None:
    """One occurrence is moved, titled or dropped."""
    match what:
        case "move":
            one.move(day)
            hand.change(one, day, how)
        case "title":
            one.title(day)
            hand.change(one, day, how)
        case _:
            hand.drop(one, day, how)
            del one.slots[day]


def touch_all(what: str, hand: Hand, one: Series, *, drops: bool) -> None:
    """The whole series is shifted towards noon, or has another title."""
    match what:
        case "shift":
            early = isinstance(one.first, datetime) and one.first.time() < time(12)
            one.shift(HOUR if early else -HOUR)
            if drops and isinstance(hand, OnService):
                one.forget_overrides()
            hand.shift(one)
        case _:
            one.retitle()
            hand.retitle(one)


async def lived_through(w: World, chosen: Sequence[Case], *, later_s: float = 0) -> None:
    """Series come to be, have occurrences edited, and are changed as a whole."""
    hands = {name: make(w) for name, make in HANDS.items()}
    known = [case.series for case in chosen]
    for case in chosen:
        hands[case.origin].create(case.series)
    await settled(w)

    for case in chosen:
        for how, day in enumerate(case.series.zone.sundays()):
            touch(case.first, hands[case.first_by], case.series, day, how)
    true_up(w)
    await settled(w)
    assert astray(w, meant(known)) == {}

    w.clock.advance(later_s)
    for case in chosen:
        drops = w.service.switches.series_change_drops_exceptions
        touch_all(case.later, hands[case.later_by], case.series, drops=drops)
    true_up(w)
    await settled(w)
    assert astray(w, meant(known)) == {}


SWITCHES = [
    Switches(),
    Switches(series_change_drops_exceptions=False),
    Switches(exceptions_with_original_start=False),
    Switches(iana_zones_become_windows=False, exception_change_emits_master=True),
]
HALF_A_YEAR_S = 180 * 86400.0


@pytest.mark.parametrize("later_s", [0, HALF_A_YEAR_S], ids=["at once", "half a year later"])
@pytest.mark.parametrize("zone", ZONES, ids=name_of)
async def test_every_occurrence_is_at_its_instant_on_both_sides(
    tmp_path: Path, zone: Zone, later_s: float
) -> None:
    """Before, on and after both clock changes, whoever made the series and whoever edits it."""
    number = 2 * ZONES.index(zone) + bool(later_s)
    async with home(tmp_path, zone.mailbox, SWITCHES[number % len(SWITCHES)]) as w:
        await lived_through(w, cases(number, zone), later_s=later_s)


@pytest.mark.parametrize(("zone", "later_s"), [(BERLIN, 0), (AUCKLAND, HALF_A_YEAR_S)])
async def test_where_the_service_tells_no_cancelled_occurrences(
    tmp_path: Path, zone: Zone, later_s: float
) -> None:
    """They are inferred from the instances that are missing, also behind the view."""
    switches = Switches(supports_cancelled_occurrences=False, deleted_occurrence_emits_master=True)
    async with home(tmp_path, zone.mailbox, switches) as w:
        await lived_through(w, cases(ZONES.index(zone), zone), later_s=later_s)


@pytest.mark.parametrize("mailbox", [W_EUROPE, NEW_ZEALAND, LINE_ISLANDS, HAWAII])
async def test_all_day_series_stay_on_their_days(tmp_path: Path, mailbox: str) -> None:
    """Whatever the mailbox's zone, and whatever zone the service puts on the midnights."""
    zone = replace(AUCKLAND if mailbox == HAWAII else BERLIN, mailbox=mailbox)
    async with home(tmp_path, mailbox) as w:
        await lived_through(w, cases(len(mailbox), zone, all_day=True))


class Preferring(RecordingRemote):
    """The real transport, which asks for times in another zone than UTC."""

    zone = ""

    async def read_all(self, requests: Sequence[Request]) -> list[Answer]:
        return await super().read_all([self._preferring(one) for one in requests])

    async def write_all(self, requests: Sequence[Request]) -> list[WriteOutcome]:
        return await super().write_all([self._preferring(one) for one in requests])

    def _preferring(self, request: Request) -> Request:
        named = request.headers.get("Prefer")
        wanted = f'outlook.timezone="{self.zone}"'
        prefer = f"{named}, {wanted}" if named else wanted
        return replace(request, headers={**request.headers, "Prefer": prefer})


@pytest.mark.parametrize(("preferred", "zone"), [(TOKYO, BERLIN), (W_EUROPE, CORP)])
async def test_a_service_that_answers_in_another_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preferred: str, zone: Zone
) -> None:
    """The zone of an answer has no say in what it means."""
    monkeypatch.setattr(Preferring, "zone", preferred)
    monkeypatch.setattr("tests.rounds.world.RecordingRemote", Preferring)
    async with home(tmp_path, zone.mailbox) as w:
        await lived_through(w, cases(len(preferred), zone))


async def test_a_mailbox_that_moves_to_another_zone(tmp_path: Path) -> None:
    """What has a zone or none to lose stays as it is, on both sides."""
    async with home(tmp_path, W_EUROPE) as w:
        known = [case.series for case in (*cases(0, NEW_YORK), *cases(1, BERLIN, all_day=True))]
        for one in known:
            HANDS["file" if "from file" in one.place else "service"](w).create(one)
        await settled(w)
        w.box.folders.settings["timeZone"] = NEW_ZEALAND
        files = contents(w)
        true_up(w)
        w.clear()

        assert [await w.code(fresh=True), await w.code()] == [0, 0]

        assert w.writes() == []
        assert contents(w) == files


async def test_floating_times_after_the_mailbox_moved(tmp_path: Path) -> None:
    """Another title sends no times; what is added to the series is at its times."""
    async with home(tmp_path, W_EUROPE) as w:
        here = replace(BERLIN, tzid="")
        one = Series("Weekly", here, datetime.combine(SUNDAY, time(10)), HALF_HOUR)
        hand = InFile(w)
        hand.create(one)
        hand.rewrite(one, floated)
        alone = Single("Alone", here, datetime(2026, 3, 2, 9), datetime(2026, 3, 2, 10))
        hand.create_single(alone)
        hand.rewrite(alone, floated)
        await settled(w)
        w.box.folders.settings["timeZone"] = NEW_ZEALAND
        true_up(w)
        assert await w.code(fresh=True) == 0
        w.clear()

        one.retitle()
        hand.retitle(one)
        w.edit("Team", b"SUMMARY:Team", b"SUMMARY:Crew")
        await w.code()
        assert [sorted(body) for body in w.bodies("PATCH")] == [["subject"], ["subject"]]

        for day, what in ((date(2026, 3, 8), "move"), (date(2026, 11, 1), "drop")):
            touch(what, hand, one, day)
            hand.rewrite(one, floated)
        touch("drop", OnService(w), one, date(2026, 11, 15))
        true_up(w)
        await settled(w)
        wanted = meant([one]) + Counter([("Crew", *alone.seen()[1:])])
        assert on_service(w) == wanted
        assert "TZID" not in hand.text(one)


def floated(text: str) -> str:
    """The times of a file without their zone."""
    return text.replace(";TZID=:", ":")


# --- series that go to another zone ---


PAIRS = list(zip(ZONES, [*ZONES[1:5], NEW_YORK, BERLIN], strict=True))
TIMES = [time(0, 15), time(10), time(23)]


def with_occurrences_edited(w: World, zone: Zone, begins: time) -> Series:
    """A file's series of which every other occurrence around the changes is moved or dropped."""
    one = Series("Weekly", zone, datetime.combine(SUNDAY, begins), HALF_HOUR)
    hand = InFile(w)
    hand.create(one)
    for number, day in enumerate(zone.sundays()):
        touch(("move", "drop")[number % 2], hand, one, day)
    return one


def rezoned(w: World, one: Series, zone: Zone, by: str) -> None:
    """The same wall times in another zone."""
    one.rezone(zone)
    if by == "file":
        InFile(w).rezone(one, zone.tzid)
        return
    if w.service.switches.series_change_drops_exceptions:
        one.forget_overrides()
    OnService(w).rezone(one)


@pytest.mark.parametrize("by", HANDS)
@pytest.mark.parametrize(
    ("number", "old", "new"),
    [(number, *pair) for number, pair in enumerate(PAIRS)],
    ids=[f"{name_of(old)} to {name_of(new)}" for old, new in PAIRS],
)
async def test_a_series_put_into_another_zone(
    tmp_path: Path, number: int, old: Zone, new: Zone, by: str
) -> None:
    """Its occurrences follow; dropped ones stay dropped, and moved ones where they were moved."""
    switches = Switches(series_change_drops_exceptions=number % 2 == 0)
    async with home(tmp_path, old.mailbox, switches) as w:
        one = with_occurrences_edited(w, old, TIMES[number % 3])
        await settled(w)

        rezoned(w, one, new, by)
        await settled(w)
        assert astray(w, meant([one])) == {}

        for number, week in enumerate((6, 14, 30, 42)):
            touch(("drop", "move")[number % 2], InFile(w), one, SUNDAY + week * WEEK)
        await settled(w)
        assert astray(w, meant([one])) == {}


async def test_slots_named_in_the_zone_that_their_series_had(tmp_path: Path) -> None:
    """They are starts of the series as it was: what is dropped or titled stays so."""
    async with home(tmp_path, NEW_YORK.mailbox) as w:
        one = Series("Weekly", NEW_YORK, datetime.combine(SUNDAY, time(10)), HALF_HOUR)
        hand = InFile(w)
        hand.create(one)
        touch("drop", hand, one, date(2026, 3, 8))
        touch("title", hand, one, date(2026, 3, 15))
        await settled(w)
        one.rezone(AUCKLAND)
        hand.rewrite(
            one,
            lambda text: re.sub(
                "^(DT.*TZID)=[^:]+", rf"\1={AUCKLAND.tzid}", text, flags=re.MULTILINE
            ),
        )

        await settled(w)

        assert astray(w, meant([one])) == {}


async def test_an_exdate_in_a_private_zone(tmp_path: Path) -> None:
    """It is the instant that its VTIMEZONE gives, also in a series of another zone."""
    async with home(tmp_path, W_EUROPE) as w:
        mixed = replace(BERLIN, block=CORP.block)
        one = Series("Weekly", mixed, datetime.combine(SUNDAY, time(0, 15)), HALF_HOUR)
        hand = InFile(w)
        hand.create(one)
        day = date(2026, 3, 29)
        there = mixed.utc(datetime.combine(day, time(0, 15))).astimezone(ZoneInfo(CORP.iana))
        line = spelled("EXDATE", there.replace(tzinfo=None), CORP, "Corp", 0)
        hand.rewrite(one, lambda text: text.replace("RRULE:FREQ=W", f"{line}\nRRULE:FREQ=W"))
        del one.slots[day]

        await settled(w)

        assert astray(w, meant([one])) == {}


@pytest.mark.parametrize(
    "switches",
    [Switches(), Switches(supports_cancelled_occurrences=False)],
    ids=["told", "inferred"],
)
async def test_a_series_that_repeats_in_another_zone_than_it_starts_in(
    tmp_path: Path, switches: Switches
) -> None:
    """`recurrenceTimeZone` says on which day an occurrence is: no other one is deleted."""
    async with home(tmp_path, W_EUROPE, switches) as w:
        here, hand = OnService(w), InFile(w)
        one = Series("Daily", AUCKLAND, datetime(2026, 3, 3, 11, 30), HALF_HOUR, DAY, 40)
        rule = here.rule(one)
        rule["range"]["recurrenceTimeZone"] = AUCKLAND.windows
        start, end = (
            moment(at, BERLIN, 0) for at in (datetime(2026, 3, 2, 23, 30), datetime(2026, 3, 3))
        )
        here.create(one)
        here.patch(one, {"start": start, "end": end, "recurrence": rule})
        await settled(w)
        assert astray(w, meant([one])) == {}

        touch("drop", hand, one, date(2026, 3, 20))
        touch("move", hand, one, date(2026, 4, 6))
        await settled(w)

        assert astray(w, meant([one])) == {}


class Forgetful(RecordingRemote):
    """The real transport to a service that lists no occurrence of any series."""

    async def read(self, request: Request) -> Answer:
        answer = await super().read(request)
        return replace(answer, body=b'{"value": []}') if request.label == "instances" else answer


@pytest.mark.parametrize("what", ["move", "title", "drop"])
async def test_an_occurrence_that_is_not_found_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Its edit waits under its name while the rest of the series goes on, until both agree."""
    monkeypatch.setattr("tests.rounds.world.RecordingRemote", Forgetful)
    async with home(tmp_path, W_EUROPE) as w:
        one = Series("Weekly", BERLIN, datetime.combine(SUNDAY, time(10)), HALF_HOUR)
        OnService(w).create(one)
        await settled(w)
        day, hand = date(2026, 4, 5), InFile(w)
        one.retitle()
        hand.retitle(one)
        crew = meant([one])
        touch(what, hand, one, day)

        await settled(w, 4)

        [problem] = await w.store.problems()
        assert (problem.kind, problem.code) == ("refused", "occurrence-not-found")
        assert on_service(w) == crew

        if what == "drop":
            OnService(w).drop(one, day)
        else:
            OnService(w).change(one, day)
        true_up(w)
        await settled(w)
        assert astray(w, meant([one])) == {}
        assert await w.store.problems() == []


# --- times that are not there, or there twice ---

CHANGING = [
    (BERLIN, datetime(2026, 3, 29, 2, 30)),
    (BERLIN, datetime(2026, 10, 25, 2, 30)),
    (NEW_YORK, datetime(2026, 3, 8, 2, 30)),
    (AUCKLAND, datetime(2026, 4, 5, 2, 30)),
    (LORD_HOWE, datetime(2026, 10, 4, 2, 15)),
    (NUUK, datetime(2026, 3, 28, 23, 30)),
]
"""Wall times that a clock change leaves out or repeats."""


@pytest.mark.parametrize("by", HANDS)
@pytest.mark.parametrize(
    ("zone", "wall"), CHANGING, ids=[f"{name_of(zone)} {wall:%b}" for zone, wall in CHANGING]
)
async def test_an_occurrence_at_a_wall_time_that_the_clocks_leave_out_or_repeat(
    tmp_path: Path, zone: Zone, wall: datetime, by: str
) -> None:
    """It and its neighbours are found when they are edited, and nothing else is."""
    async with home(tmp_path, zone.mailbox) as w:
        known = [
            (what, Series(f"{origin} {what}", zone, wall - 9 * DAY, 10 * MINUTE, DAY, 20))
            for origin, what in product(HANDS, ("move", "title", "drop"))
        ]
        for _, one in known:
            HANDS[one.place.split()[0]](w).create(one)
        await settled(w)

        for what, one in known:
            for how, day in enumerate((wall.date() - DAY, wall.date(), wall.date() + DAY)):
                touch(what, HANDS[by](w), one, day, how)
        true_up(w)
        await settled(w)

        assert astray(w, meant(one for _, one in known)) == {}


@pytest.mark.parametrize(
    ("zone", "wall"), CHANGING, ids=[f"{name_of(zone)} {wall:%b}" for zone, wall in CHANGING]
)
async def test_a_single_event_at_a_wall_time_that_the_clocks_leave_out_or_repeat(
    tmp_path: Path, zone: Zone, wall: datetime
) -> None:
    """Both sides mean the same instant; the file goes on saying what its author wrote."""
    async with home(tmp_path, zone.mailbox) as w:
        known = [Single(origin, zone, wall, wall + 2 * HOUR) for origin in HANDS]
        for one in known:
            HANDS[one.place](w).create_single(one)
        written = InFile(w).text(known[0])
        await settled(w)
        assert astray(w, Counter(one.seen() for one in known)) == {}
        assert InFile(w).text(known[0]) == written

        by_file, by_service = (replace(one, end=one.end + HOUR) for one in known)
        InFile(w).put(by_file)
        OnService(w).put(by_service)
        await settled(w)
        assert astray(w, Counter([by_file.seen(), by_service.seen()])) == {}
        assert InFile(w).tzid(by_file) == zone.tzid


SECOND = datetime(2026, 10, 25, 1, 15)
"""In UTC; in Berlin it is then a quarter past two for the second time."""


@pytest.mark.parametrize(
    ("start", "end"),
    [(SECOND, SECOND + HOUR), (SECOND - 45 * MINUTE, SECOND)],
    ids=["starts in it", "ends in it"],
)
async def test_an_event_in_the_second_of_two_equal_hours(
    tmp_path: Path, start: datetime, end: datetime
) -> None:
    """Moved there by somebody elsewhere, it keeps its instant in the file."""
    switches = Switches(original_zone_follows_change=False)
    async with home(tmp_path, W_EUROPE, switches) as w:
        hand, day = OnService(w), datetime(2026, 10, 24, 12)
        hand.create_single(Single("Call", BERLIN, day, day + HOUR))
        await settled(w)
        moved = Single("Call", GREENWICH, start, end)
        hand.put(moved)

        await settled(w)

        assert astray(w, Counter([moved.seen()])) == {}


async def test_an_occurrence_moved_into_the_second_of_two_equal_hours(tmp_path: Path) -> None:
    """The one day on which it has two readings is the day on which it is wrong."""
    async with home(tmp_path, W_EUROPE) as w:
        hand = OnService(w)
        one = Series("Weekly", BERLIN, datetime.combine(SUNDAY, time(10)), HALF_HOUR)
        hand.create(one)
        await settled(w)
        plain = one.slots[SECOND.date()]
        one.slots[SECOND.date()] = replace(
            plain, start=SECOND, end=SECOND + HOUR, zone=GREENWICH, has_own_time=True
        )
        hand.change(one, SECOND.date())

        await settled(w)

        assert astray(w, meant([one])) == {}


# --- events that last while the clocks change ---

CLOCKS = [BERLIN, NEW_YORK, AUCKLAND, LORD_HOWE]
EVENING, NIGHT = time(22), 6 * HOUR


@pytest.mark.parametrize("zone", CLOCKS, ids=name_of)
async def test_an_event_that_begins_before_a_change_and_ends_after_it(
    tmp_path: Path, zone: Zone
) -> None:
    """It keeps both wall times: alone, in a series, and where the series begins on that night."""
    async with home(tmp_path, zone.mailbox) as w:
        nights = [datetime.combine(day - DAY, EVENING) for day in zone.changes()]
        weekly = [
            Series(f"{origin} {first:%m%d}", zone, first, NIGHT)
            for origin in HANDS
            for first in (datetime.combine(SUNDAY - DAY, EVENING), *nights)
        ]
        alone = [
            Single(f"{origin} alone {first:%m%d}", zone, first, first + NIGHT)
            for origin in HANDS
            for first in nights
        ]
        for one in weekly:
            HANDS[one.place.split()[0]](w).create(one)
        for single in alone:
            HANDS[single.place.split()[0]](w).create_single(single)
        await settled(w)
        assert astray(w, meant(weekly) + Counter(one.seen() for one in alone)) == {}

        for number, one in enumerate(weekly):
            one.shift(HOUR)
            list(HANDS.values())[number % 2](w).shift(one)
        await settled(w)
        assert astray(w, meant(weekly) + Counter(one.seen() for one in alone)) == {}


@pytest.mark.parametrize("zone", CLOCKS, ids=name_of)
async def test_a_duration_while_the_clocks_change(tmp_path: Path, zone: Zone) -> None:
    """RFC 5545 3.3.6: six hours are six hours, a day ends at the same wall time."""
    async with home(tmp_path, zone.mailbox) as w:
        wanted: Counter[judge.Seen] = Counter()
        for day in zone.changes():
            first = datetime.combine(day - DAY, EVENING)
            hours, nominal = zone.utc(first) + NIGHT, zone.utc(first + DAY)
            for text, end in (("PT6H", hours), ("P1D", nominal)):
                place = f"{text} {day}"
                start = spelled("DTSTART", first, zone, zone.tzid, 0)
                InFile(w).save(place, zone, start, f"DURATION:{text}")
                wanted["Team", zone.utc(first).isoformat(), end.isoformat(), place] += 1

        await settled(w)

        assert on_service(w) == wanted


async def test_a_duration_in_a_series_that_begins_on_the_night_of_a_change(tmp_path: Path) -> None:
    """All nights but those of a change have its six hours."""
    async with home(tmp_path, W_EUROPE) as w:
        first = datetime(2026, 3, 28, 22)
        one = Series("Nights", BERLIN, first, NIGHT)
        start = spelled("DTSTART", first, BERLIN, BERLIN.tzid, 0)
        InFile(w).save(one.place, BERLIN, start, "DURATION:PT6H", "RRULE:FREQ=WEEKLY")
        await settled(w)

        usual = [one.slots[first.date() + n * WEEK].seen(one.place) for n in range(1, 20)]

        assert Counter(usual) <= on_service(w)


@pytest.mark.parametrize("origin", HANDS)
async def test_an_event_that_ends_in_another_zone(tmp_path: Path, origin: str) -> None:
    """Also in the weeks in which only one of the two zones has changed its clocks."""
    async with home(tmp_path, AUCKLAND.windows) as w:
        days = [date(2026, 3, 7), date(2026, 3, 20), date(2026, 4, 1), date(2026, 10, 28)]
        known = [
            Single(f"Flight {day}", BERLIN, start, start + 2 * HOUR, NEW_YORK)
            for day in days
            for start in [datetime.combine(day, time(18))]
        ]
        for one in known:
            HANDS[origin](w).create_single(one)
        await settled(w)
        assert astray(w, Counter(one.seen() for one in known)) == {}

        for number, one in enumerate(known):
            by = timedelta(days=(25, 200)[number % 2])
            known[number] = replace(one, start=one.start + by, end=one.end + by)
            list(HANDS.values())[number // 2](w).put(known[number])
        await settled(w)
        assert astray(w, Counter(one.seen() for one in known)) == {}
        assert all("DTEND;TZID=America/New_York:" in InFile(w).text(one) for one in known)


async def test_a_series_that_ends_in_another_zone(tmp_path: Path) -> None:
    """Every occurrence lasts as long as the first, through the weeks between the changes."""
    async with home(tmp_path, W_EUROPE) as w:
        first = datetime.combine(SUNDAY, time(18))
        one = Series("Flight", BERLIN, first, 8 * HOUR)
        end = spelled("DTEND", first + 2 * HOUR, NEW_YORK, NEW_YORK.tzid, 0)
        start = spelled("DTSTART", first, BERLIN, BERLIN.tzid, 0)
        InFile(w).save(one.place, BERLIN, start, end, "RRULE:FREQ=WEEKLY")
        await settled(w)
        assert astray(w, meant([one])) == {}

        one.shift(HOUR)
        OnService(w).shift(one)
        await settled(w)
        assert astray(w, meant([one])) == {}


# --- the end of a series ---


def until(one: Series, last: date, seconds: int) -> str:
    """An UNTIL in UTC that many seconds after the start of an occurrence."""
    start = one.slot_start(last)
    assert isinstance(start, datetime)
    return f";UNTIL={one.zone.utc(start) + timedelta(seconds=seconds):%Y%m%dT%H%M%SZ}"


@pytest.mark.parametrize("zone", [*CLOCKS, CORP], ids=name_of)
async def test_an_until_in_utc_beyond_a_clock_change(tmp_path: Path, zone: Zone) -> None:
    """It lets through the occurrence that starts at that instant, and none that starts later."""
    async with home(tmp_path, zone.mailbox) as w:
        known = []
        for begins, last, seconds in product((time(0, 15), time(23)), zone.changes(), (-1, 0, 1)):
            first = datetime.combine(last - 30 * DAY, begins)
            count = 31 if seconds >= 0 else 30
            place = f"{begins:%H%M} {last} {seconds}"
            one = Series(place, zone, first, HALF_HOUR, DAY, count)
            InFile(w).create(one, until(one, last, seconds))
            known.append(one)
        await settled(w)
        assert astray(w, meant(known)) == {}

        for number, one in enumerate(known):
            # In a file an earlier start could let one more occurrence through.
            by = "service" if number % 3 == 0 else "file"
            one.shift(-15 * MINUTE)
            HANDS[by](w).shift(one)
        await settled(w)
        assert astray(w, meant(known)) == {}


@pytest.mark.parametrize("zone", CLOCKS, ids=name_of)
async def test_an_end_date_beyond_a_clock_change(tmp_path: Path, zone: Zone) -> None:
    """The service's last day becomes an UNTIL by the offset of that day, also after a move."""
    async with home(tmp_path, zone.mailbox) as w:
        hand, known = OnService(w), []
        for begins, last in product((time(0, 15), time(23)), zone.changes()):
            first = datetime.combine(last - 30 * DAY, begins)
            one = Series(f"{begins:%H%M} {last}", zone, first, HALF_HOUR, DAY, 31)
            hand.create(one)
            rule = hand.rule(one)
            rule["range"] |= {"type": "endDate", "endDate": f"{last}"}
            hand.patch(one, {"recurrence": rule})
            known.append(one)
        await settled(w)
        assert astray(w, meant(known)) == {}

        for one in known:
            one.shift(HALF_HOUR if one.place.startswith("0015") else -HALF_HOUR)
            hand.shift(one)
        await settled(w)
        assert astray(w, meant(known)) == {}


# --- zones that Windows lacks ---


@pytest.mark.parametrize("zone", [TROLL, ODD], ids=name_of)
async def test_a_single_event_in_a_zone_that_windows_lacks(tmp_path: Path, zone: Zone) -> None:
    """It goes as UTC; the file keeps its TZID until the service gives the event another time."""
    async with home(tmp_path, zone.mailbox) as w:
        hand = InFile(w)
        known = [
            Single(f"{start:%m%d}", zone, start, start + 8 * HOUR)
            for day in (28, 30)
            for start in (datetime(2026, 3, day, 21), datetime(2026, 10, day - 4, 21))
        ]
        for one in known:
            hand.create_single(one)
        written = contents(w)
        await settled(w)
        assert astray(w, Counter(one.seen() for one in known)) == {}
        assert contents(w) == written
        assert {item.start.zone for item in w.box.items(w.calendar)} == {"UTC"}

        OnService(w).patch(known[0], {"subject": "Crew"})
        known[1:] = [
            replace(one, start=one.start + 3 * DAY, end=one.end + 3 * DAY) for one in known[1:]
        ]
        hand.put(known[1])
        for one in known[2:]:
            utc = [zone.utc(at).replace(tzinfo=None) for at in (one.start, one.end)]
            OnService(w).put(replace(one, zone=GREENWICH, start=utc[0], end=utc[1]))
        await settled(w)
        found = Counter([("Crew", *known[0].seen()[1:]), *(one.seen() for one in known[1:])])
        assert astray(w, found) == {}
        assert [hand.tzid(one) for one in known[:2]] == [zone.tzid, zone.tzid]


@pytest.mark.parametrize("end", ["", ";COUNT=10"], ids=["endless", "beyond the change"])
@pytest.mark.parametrize("zone", [TROLL, ODD], ids=name_of)
async def test_a_series_in_a_zone_that_windows_lacks(tmp_path: Path, zone: Zone, end: str) -> None:
    """It is held under the name of its trouble, and nothing is guessed."""
    async with home(tmp_path, zone.mailbox) as w:
        one = Series("Watch", zone, datetime(2026, 3, 26, 10), HOUR, DAY)
        InFile(w).create(one, end)
        written = contents(w)

        await settled(w, 4)

        [problem] = await w.store.problems()
        assert (problem.kind, problem.code) == ("hold", "zone-not-expressible")
        assert w.box.items(w.calendar) == []
        assert contents(w) == written


async def test_a_finite_series_in_a_zone_that_windows_lacks(tmp_path: Path) -> None:
    """As long as its offset stays the same, it can go as UTC."""
    async with home(tmp_path, W_EUROPE) as w:
        one = Series("Watch", TROLL, datetime(2026, 4, 1, 10), HOUR, DAY, 10)
        InFile(w).create(one)

        await settled(w)

        assert astray(w, meant([one])) == {}


@pytest.mark.parametrize("zone", [TROLL, ODD], ids=name_of)
async def test_a_finite_series_in_such_a_zone_is_edited(tmp_path: Path, zone: Zone) -> None:
    """Its occurrences are found by any spelling; once it lasts longer, its times are in UTC."""
    async with home(tmp_path, W_EUROPE) as w:
        one = Series("Watch", zone, datetime(2026, 4, 1, 10), HOUR, DAY, 10)
        hand = InFile(w)
        hand.create(one)
        await settled(w)
        for how, day in enumerate((3, 5, 7)):
            touch(("drop", "move", "title")[how], hand, one, date(2026, 4, day), how)
        touch("drop", hand, one, date(2026, 4, 9))
        await settled(w)
        assert astray(w, meant([one])) == {}
        assert hand.tzid(one) == zone.tzid

        rule = OnService(w).rule(one)
        rule["range"] |= {"numberOfOccurrences": 300, "recurrenceTimeZone": "UTC"}
        OnService(w).patch(one, {"recurrence": rule})
        await settled(w)
        assert in_folder(w) == on_service(w)
        assert hand.tzid(one) == ""


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2026, 4, 1, 1), ";COUNT=10"),
        (datetime(2026, 4, 1, 10), ";UNTIL=20260410T093000"),
        (datetime(2026, 4, 1, 10), ";UNTIL=99991231T000000Z"),
        (datetime(2026, 10, 20, 23, 30), ";COUNT=5"),
    ],
    ids=["another date in UTC", "until a local time", "for ever", "ends after the change"],
)
async def test_a_finite_series_that_utc_does_not_hold(
    tmp_path: Path, start: datetime, end: str
) -> None:
    """Another weekday, another last day or another hour: it is held."""
    async with home(tmp_path, W_EUROPE) as w:
        lasts = 3 * HOUR if start.hour == 23 else HOUR
        InFile(w).create(Series("Watch", TROLL, start, lasts, DAY), end)

        await settled(w, 4)

        [problem] = await w.store.problems()
        assert problem.code == "zone-not-expressible"
        assert w.box.items(w.calendar) == []
