"""
When people are free and busy: what is known of a day, drawn as text, and written as VFREEBUSY.

Knows how strong a status is, whose working hours cover a time, and how a day is laid out in
columns. Knows neither the service nor a terminal: every line is plain text, in letters that need no
colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Annotated, Final

import msgspec

from syncd.core.event import ShowAs, plain_address
from syncd.core.wire.ics_write import PRODID
from syncd.core.zones import WindowsZone, instant, windows_zone, zone_info

__all__ = [
    "LEGEND",
    "WEEKDAYS",
    "Availability",
    "Busy",
    "Hours",
    "Row",
    "Taken",
    "day_span",
    "status_between",
    "strongest",
    "timeline",
    "vfreebusy",
]

_DIGITS: Final[Mapping[str, ShowAs]] = {
    "0": "free",
    "1": "tentative",
    "2": "busy",
    "3": "oof",
    "4": "workingElsewhere",
}
"""Graph "scheduleInformation", `availabilityView`."""

_STRENGTH: Final[tuple[ShowAs, ...]] = (
    "free",
    "workingElsewhere",
    "unknown",
    "tentative",
    "busy",
    "oof",
)
_LETTERS: Final[Mapping[ShowAs, str]] = {
    "free": ".",
    "tentative": "T",
    "busy": "B",
    "oof": "O",
    "workingElsewhere": "W",
    "unknown": "?",
}

LEGEND: Final = (
    ". free  T tentative  B busy  O out of office  W working elsewhere  ? unknown",
    "Outside the working hours: small letters, and a blank where it is free.",
)

LONGEST_NAME: Final = 40
FEWEST_COLUMNS: Final = 12
_HOUR_MIN: Final = 60


# --- what is known -------------------------------------------------------------------------------


class Hours(msgspec.Struct, frozen=True):
    """
    Working hours: `days` by number, 0 is Monday; hours that close before they open end next day.

    `zone` is a Windows name; where it is "", the clock is `offset_min` minutes ahead of UTC.
    """

    days: tuple[int, ...]
    opens: time
    closes: time
    zone: str = ""
    offset_min: Annotated[int, msgspec.Meta(gt=-1440, lt=1440)] = 0

    def __str__(self) -> str:
        times = f"{self.opens:%H:%M}-{self.closes:%H:%M} ({self.clock})"
        return f"{_spans(self.days)} {times}".lstrip()

    @property
    def clock(self) -> str:
        """The zone, or how far its clock is ahead of UTC."""
        return self.zone or f"UTC{self.offset_min:+} min"

    def cover(self, at: datetime) -> bool:
        """Whether an aware time lies within them."""
        local = at.astimezone(self._clock()).replace(tzinfo=None)
        return any(self._cover(local, local.date() - timedelta(days=n)) for n in (0, 1))

    def _cover(self, local: datetime, day: date) -> bool:
        opens, closes = (datetime.combine(day, one) for one in (self.opens, self.closes))
        if closes <= opens:
            closes += timedelta(days=1)
        return day.weekday() in self.days and opens <= local < closes

    def _clock(self) -> tzinfo:
        zone = windows_zone(self.zone) if self.zone else None
        return zone_info(zone) if zone else timezone(timedelta(minutes=self.offset_min))


WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""By number, as Graph calls them."""


def _spans(days: tuple[int, ...]) -> str:
    """Days of the week, three or more in a row as a span."""
    names = [WEEKDAYS[one][:3].title() for one in days]
    in_a_row = len(days) > 2 and days == tuple(range(days[0], days[0] + len(days)))
    return f"{names[0]}-{names[-1]}" if in_a_row else " ".join(names)


class Taken(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of somebody's calendar, as far as it is shown to us; aware UTC times."""

    status: ShowAs
    start: datetime
    end: datetime
    subject: str = ""
    location: str = ""
    is_private: bool = False


class Availability(msgspec.Struct, frozen=True):
    """
    What the service answered about an address and a window of time (aware UTC).

    `view` has a digit for each interval of the window, the last of which may be shorter. `error`
    says why there is none.
    """

    address: str
    start: datetime
    end: datetime
    interval_min: Annotated[int, msgspec.Meta(ge=1, le=1440)]
    asked_at: datetime
    view: str = ""
    entries: tuple[Taken, ...] = ()
    hours: Hours | None = None
    error: str = ""


def strongest(statuses: Iterable[ShowAs]) -> ShowAs:
    """What shows of several at once; "unknown" of none."""
    return max(statuses, key=_STRENGTH.index, default="unknown")


def status_between(known: Availability, start: datetime, end: datetime) -> ShowAs:
    """The strongest status in a span of time, in whatever intervals it was asked for."""
    if start < known.start or end > known.end:
        return "unknown"
    interval = timedelta(minutes=known.interval_min)
    first = (start - known.start) // interval
    last = -((known.start - end) // interval)
    digits = known.view[first:last].ljust(last - first)
    return strongest(_DIGITS.get(digit, "unknown") for digit in digits)


def day_span(day: date, zone: WindowsZone) -> tuple[datetime, datetime]:
    """The instants at which a day begins and ends in a zone; it may have 23 or 25 hours."""
    first, after = (datetime.combine(one, time()) for one in (day, day + timedelta(days=1)))
    return instant(first, zone), instant(after, zone)


# --- as text -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a timeline. Args: note: stands behind it, or instead of what is not known."""

    name: str
    known: Availability | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Column:
    start: datetime
    end: datetime


def timeline(
    day: date, zone: WindowsZone, rows: Sequence[Row], *, interval_min: int, width: int
) -> list[str]:
    """
    A day as lines of text: hours above, a line for each row, in as many parts as `width` asks for.

    Args: interval_min: the minutes of a column. width: in columns of a terminal.
    """
    columns = _columns(day, zone, interval_min)
    margin = min(max((len(row.name) for row in rows), default=0), LONGEST_NAME)
    notes = max((len(row.note) + 1 for row in rows if row.known and row.note), default=0)
    most = _at_once(width - margin - notes - len(" ||"), interval_min)
    parts = [columns[at : at + most] for at in range(0, len(columns), most)]
    lines = []
    for number, part in enumerate(parts):
        lines.append(f"{'':{margin}}  {_hours_above(part, zone, interval_min)}".rstrip())
        lines += [_line(row, part, margin, is_first=number == 0) for row in rows]
    return lines


def _columns(day: date, zone: WindowsZone, interval_min: int) -> list[_Column]:
    at, end = day_span(day, zone)
    columns = []
    while at < end:
        columns.append(_Column(at, min(at + timedelta(minutes=interval_min), end)))
        at = columns[-1].end
    return columns


def _at_once(room: int, interval_min: int) -> int:
    """How many columns stand side by side: whole hours of them, wherever an hour has several."""
    per_hour = max(_HOUR_MIN // interval_min, 1)
    return max(room - room % per_hour, -(-FEWEST_COLUMNS // per_hour) * per_hour)


def _hours_above(columns: Sequence[_Column], zone: WindowsZone, interval_min: int) -> str:
    whole_hours = _HOUR_MIN % interval_min == 0 or interval_min % _HOUR_MIN == 0
    line = ""
    for place, column in enumerate(columns):
        local = column.start.astimezone(zone_info(zone))
        if place >= len(line) and (local.minute == 0 or not whole_hours):
            line = f"{line:{place}}{local:%H} " if whole_hours else f"{line:{place}}{local:%H:%M} "
    return line


def _line(row: Row, columns: Sequence[_Column], margin: int, *, is_first: bool) -> str:
    name = row.name if len(row.name) <= LONGEST_NAME else f"{row.name[: LONGEST_NAME - 1]}…"
    if row.known is None:
        return f"{name:{margin}} | {row.note}" if is_first else f"{name:{margin}} |"
    cells = "".join(_cell(row.known, column) for column in columns)
    note = f" {row.note}" if row.note and is_first else ""
    return f"{name:{margin}} |{cells}|{note}"


def _cell(known: Availability, column: _Column) -> str:
    letter = _LETTERS[status_between(known, column.start, column.end)]
    middle = column.start + (column.end - column.start) / 2
    if known.hours is None or known.hours.cover(middle):
        return letter
    return " " if letter == "." else letter.lower()


# --- as iCalendar --------------------------------------------------------------------------------

_FBTYPES: Final[Mapping[ShowAs, str]] = {
    "tentative": "BUSY-TENTATIVE",
    "busy": "BUSY",
    "unknown": "BUSY",  # a file shows it as busy, too
    "oof": "BUSY-UNAVAILABLE",
}
"""RFC 5545 3.2.9. What is free, or spent working elsewhere, is not told."""


@dataclass(frozen=True, slots=True)
class Busy:
    """A time that is taken: aware, from `start` to before `end`."""

    status: ShowAs
    start: datetime
    end: datetime


def vfreebusy(
    busy: Iterable[Busy],
    start: datetime,
    end: datetime,
    *,
    organizer: str,
    uid: str,
    stamp: datetime,
) -> bytes:
    """
    A calendar object with one VFREEBUSY (RFC 5545 3.6.4): times and kinds alone, in order, in UTC.

    Args: busy: in any order; what overlaps is told as one. start, end: the aware window that is
        told. organizer: whose time it is, "" where that is not known. stamp: now.
    """
    from icalendar import Calendar, FreeBusy, vPeriod

    told = FreeBusy.new(start=_utc(start), end=_utc(end), stamp=_utc(stamp), uid=uid)
    whole = Calendar()
    whole.add("version", "2.0")
    whole.add("prodid", PRODID)
    if organizer:
        # RFC 5546 3.3.1: published free/busy names whose it is.
        whole.add("method", "PUBLISH")
        told.add("organizer", f"mailto:{plain_address(organizer)}")
    for kind, first, after in _periods(busy, start, end):
        told.add("freebusy", vPeriod((first, after)), parameters={"FBTYPE": kind})
    whole.add_component(told)
    return bytes(whole.to_ical())


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)


def _periods(
    busy: Iterable[Busy], start: datetime, end: datetime
) -> list[tuple[str, datetime, datetime]]:
    """Each kind's times, put together and cut to the window; by start (RFC 5545 3.6.4)."""
    kinds: dict[str, list[tuple[datetime, datetime]]] = {}
    for one in busy:
        first, after = _utc(max(one.start, start)), _utc(min(one.end, end))
        if one.status in _FBTYPES and first < after:
            kinds.setdefault(_FBTYPES[one.status], []).append((first, after))
    found = [(kind, *span) for kind, spans in kinds.items() for span in _together(spans)]
    return sorted(found, key=lambda one: (one[1], one[2], one[0]))


def _together(spans: Iterable[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    """Spans that touch or overlap, as one."""
    open_: tuple[datetime, datetime] | None = None
    for first, after in sorted(spans):
        if open_ is not None and first <= open_[1]:
            open_ = (open_[0], max(open_[1], after))
            continue
        if open_ is not None:
            yield open_
        open_ = (first, after)
    if open_ is not None:
        yield open_
