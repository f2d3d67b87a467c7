"""
Files as an editor without any understanding of calendars takes them apart, and what they say.

Independent of syncd on purpose: regular expressions, and dateutil for the rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

__all__ = [
    "BERLIN",
    "DAY",
    "HALF_HOUR",
    "Text",
    "new_file",
    "new_rule",
    "property_of",
    "with_property",
]

BERLIN = ZoneInfo("Europe/Berlin")
HALF_HOUR = timedelta(minutes=30)
DAY = timedelta(days=1)
Instance = tuple[str, str, str, str]

_EVENT = re.compile(r"BEGIN:VEVENT\r\n.*?END:VEVENT\r\n", re.DOTALL)
_STAMP = "%Y%m%dT%H%M%S"
_DATE = "%Y%m%d"


def _own_end(event: str) -> int:
    """Where the event's own properties end, before its alarms."""
    at = event.find("\r\nBEGIN:")
    return (at if at >= 0 else event.rindex("\r\nEND:VEVENT")) + 2


def line_of(event: str, name: str) -> str:
    """The line of a property of the event itself, "" where there is none."""
    end = _own_end(event)
    at = event.find(f"\r\n{name}:", 0, end)
    if at < 0:
        at = event.find(f"\r\n{name};", 0, end)
    return event[at + 2 : event.index("\r\n", at + 2)] if at >= 0 else ""


def property_of(event: str, name: str) -> str:
    """The value of a property, "" where there is none."""
    return line_of(event, name).partition(":")[2]


def with_line(event: str, line: str) -> str:
    """The event with one more line."""
    end = _own_end(event)
    return f"{event[:end]}{line}\r\n{event[end:]}"


def with_property(event: str, name: str, value: str) -> str:
    """The event with another value; the parameters stay."""
    line = line_of(event, name)
    if not line:
        return with_line(event, f"{name}:{value}")
    return event.replace(line + "\r\n", f"{line.partition(':')[0]}:{value}\r\n", 1)


def wall(text: str) -> datetime:
    """A date-time of a file as Berlin's clocks show it; a date is its midnight."""
    if len(text) == 8:
        return datetime.strptime(text, _DATE)
    at = datetime.strptime(text[:15], _STAMP)
    if text.endswith("Z"):
        return at.replace(tzinfo=UTC).astimezone(BERLIN).replace(tzinfo=None)
    return at


@dataclass(slots=True)
class Text:
    """A file with its events apart."""

    events: list[str]
    head: str
    tail: str

    @classmethod
    def of(cls, data: bytes) -> Text | None:
        """Unfold and cut; None where there is no whole event."""
        text = data.decode("utf-8", "replace").replace("\r\n ", "")
        events = _EVENT.findall(text)
        if not events or not text.endswith("END:VCALENDAR\r\n"):
            return None
        first, last = text.index(events[0]), text.rindex("END:VEVENT\r\n") + 12
        return cls(events, text[:first], text[last:])

    def encoded(self) -> bytes:
        """The file again."""
        return (self.head + "".join(self.events) + self.tail).encode()

    @property
    def master_at(self) -> int:
        """The place of the event that is no override."""
        for at, one in enumerate(self.events):
            if not line_of(one, "RECURRENCE-ID"):
                return at
        return 0

    @property
    def master(self) -> str:
        """The event that is no override."""
        return self.events[self.master_at]

    @property
    def uid(self) -> str:
        """The UID."""
        return property_of(self.master, "UID")

    def set(self, name: str, value: str) -> None:
        """Give the master another value."""
        self.events[self.master_at] = with_property(self.master, name, value)

    def drop(self, name: str) -> None:
        """Take a property of the master away."""
        line = line_of(self.master, name)
        if line:
            self.events[self.master_at] = self.master.replace(line + "\r\n", "", 1)

    def add(self, line: str) -> None:
        """Give the master one more line."""
        self.events[self.master_at] = with_line(self.master, line)

    def start(self) -> datetime:
        """When the master starts, in Berlin."""
        return wall(property_of(self.master, "DTSTART"))

    def move(self, start: datetime) -> None:
        """Give the master another start; every wall time of the file keeps its distance."""
        by = start - self.start()
        exact = {line_of(self.master, "DTSTART"), line_of(self.master, "DTEND")}
        self.events = [_moved(one, by, exact) for one in self.events]

    def overrides(self) -> dict[str, int]:
        """The places of the overrides by the days they stand for."""
        found = {}
        for at, one in enumerate(self.events):
            if told := property_of(one, "RECURRENCE-ID"):
                found[wall(told).date().isoformat()] = at
        return found

    def override(self, slot: str) -> int:
        """The place of the override of that day, made from the master where there is none."""
        known = self.overrides().get(slot)
        if known is not None:
            return known
        day = slot.replace("-", "")
        event = re.sub(r"\r\n(RRULE|EXDATE|RDATE)[;:][^\r]*", "", self.master)
        event = re.sub(r"\r\n((?:DTSTART|DTEND)[^:]*):\d{8}", rf"\r\n\g<1>:{day}", event)
        line = line_of(event, "DTSTART").replace("DTSTART", "RECURRENCE-ID", 1)
        self.events.append(with_line(event, line))
        return len(self.events) - 1

    def cancelled(self) -> set[str]:
        """The days that the rule names and the file takes away."""
        found = set()
        for line in re.findall(r"\r\nEXDATE[^:]*:([^\r]*)", self.master):
            found |= {wall(one).date().isoformat() for one in line.split(",")}
        return found

    def days(self) -> list[date]:
        """All days that the rule names, those taken away among them."""
        rule = property_of(self.master, "RRULE")
        start = self.start()
        if not rule:
            return [start.date()]
        until = re.search(r"UNTIL=(\w+)", rule)
        if until:
            last = wall(until[1]) if "T" in until[1] else datetime.strptime(until[1], "%Y%m%d")
            rule = rule.replace(until[0], f"UNTIL={last:%Y%m%dT%H%M%S}")
        return [at.date() for at in rrulestr(rule, dtstart=start)]

    def instances(self) -> Iterator[Instance]:
        """Subject, start, end and place of each instance, times in UTC."""
        master = self.master
        if not property_of(master, "RRULE"):
            yield _shown(master, None)
            return
        overrides, gone = self.overrides(), self.cancelled()
        for day in self.days():
            told = day.isoformat()
            if told in overrides:
                yield _shown(self.events[overrides[told]], None)
            elif told not in gone:
                yield _shown(master, day)


def _moved(event: str, by: timedelta, exact: set[str]) -> str:
    """Move the times that the file names; those of an override that has its own stay."""
    for name in ("DTSTART", "DTEND"):
        line = line_of(event, name)
        if line.partition(":")[2][8:] in {one.partition(":")[2][8:] for one in exact}:
            event = _by(event, line, by)
    for line in event.split("\r\n"):
        if re.match("RECURRENCE-ID|EXDATE", line):
            event = _by(event, line, by)
    return event


def _by(event: str, line: str, by: timedelta) -> str:
    head, _, values = line.partition(":")
    moved = [
        (datetime.strptime(one[:15], form) + by).strftime(form) + one[15:]
        for one in values.split(",")
        for form in (_DATE if len(one) == 8 else _STAMP,)
    ]
    return event.replace(line + "\r\n", f"{head}:{','.join(moved)}\r\n", 1)


def _shown(event: str, day: date | None) -> Instance:
    start, end = wall(property_of(event, "DTSTART")), wall(property_of(event, "DTEND"))
    if day is not None:
        by = timedelta(days=(day - start.date()).days)
        start, end = start + by, end + by
    if len(property_of(event, "DTSTART")) > 8:
        start, end = (at.replace(tzinfo=BERLIN).astimezone(UTC) for at in (start, end))
    times = [f"{at:%Y-%m-%dT%H:%M}" for at in (start, end)]
    return property_of(event, "SUMMARY"), times[0], times[1], property_of(event, "LOCATION")


def new_rule(count: int, interval: int) -> str:
    """A rule of a file."""
    return f"FREQ=DAILY;INTERVAL={interval};COUNT={count}"


def new_file(
    uid: str, fields: dict[str, str], start: datetime, rule: str, *, whole_day: bool = False
) -> bytes:
    """A file as a small calendar program writes it."""
    times = _whole_day(start) if whole_day else _times(start)
    lines = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//test//EN", "BEGIN:VEVENT"),
        *(f"UID:{uid}", "DTSTAMP:20260101T000000Z", *(f"{k}:{v}" for k, v in fields.items())),
        *times,
        *([f"RRULE:{rule}"] if rule else []),
        *("END:VEVENT", "END:VCALENDAR", ""),
    ]
    return "\r\n".join(lines).encode()


def _times(start: datetime) -> tuple[str, str]:
    end = start + HALF_HOUR
    zone = "TZID=Europe/Berlin"
    return f"DTSTART;{zone}:{start:%Y%m%dT%H%M%S}", f"DTEND;{zone}:{end:%Y%m%dT%H%M%S}"


def _whole_day(start: datetime) -> tuple[str, str]:
    end = start + DAY
    return f"DTSTART;VALUE=DATE:{start:%Y%m%d}", f"DTEND;VALUE=DATE:{end:%Y%m%d}"
