"""
A believable mailbox, made from a seed: thousands of events as plain Graph JSON.

Knows what people keep in calendars (single events, series with exceptions, meetings of their own
and of others, all-day events) and the rules by which the service accepts it. Refuses to know the
mailbox engine: what it yields are request bodies and a few dates, so anything that speaks Graph
can be filled with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from syncd.simulator.generator_series import SHAPES, Series, make_series
from syncd.simulator.generator_texts import (
    CATEGORIES,
    HOSTILE_TEXTS,
    PEOPLE,
    PLACES,
    SUBJECTS,
    html_body,
    plain_body,
)

__all__ = ["CALENDARS", "ZONES", "NewEvent", "ReceivedMeeting", "Seed", "generate"]

CALENDARS = ("Calendar", "Team / Ops", "Ünïcödé 📅")
ZONES = (
    *("UTC", "GMT Standard Time", "W. Europe Standard Time", "Romance Standard Time"),
    *("Central Europe Standard Time", "E. Europe Standard Time", "FLE Standard Time"),
    *("GTB Standard Time", "Turkey Standard Time", "Israel Standard Time", "Egypt Standard Time"),
    *("Russian Standard Time", "Arabian Standard Time", "Iran Standard Time"),
    *("South Africa Standard Time", "Morocco Standard Time", "India Standard Time"),
    *("Nepal Standard Time", "SE Asia Standard Time", "China Standard Time"),
    *("Singapore Standard Time", "Tokyo Standard Time", "Korea Standard Time"),
    *("AUS Eastern Standard Time", "Cen. Australia Standard Time", "Lord Howe Standard Time"),
    *("New Zealand Standard Time", "Chatham Islands Standard Time", "Samoa Standard Time"),
    *("Line Islands Standard Time", "Hawaiian Standard Time", "Alaskan Standard Time"),
    *("Pacific Standard Time", "Mountain Standard Time", "US Mountain Standard Time"),
    *("Central Standard Time", "Eastern Standard Time", "Atlantic Standard Time"),
    *("Newfoundland Standard Time", "E. South America Standard Time", "SA Pacific Standard Time"),
)
SHOW_AS = ("busy", "busy", "busy", "free", "tentative", "oof", "workingElsewhere", "unknown")
SENSITIVITIES = ("normal", "normal", "normal", "private", "personal", "confidential")
IMPORTANCES = ("normal", "normal", "normal", "low", "high")
RESPONSES = ("accepted", "accepted", "tentativelyAccepted", "declined", "notResponded")
REMINDERS_MIN = (0, 5, 15, 15, 15, 30, 60, 1080, 10_080, 40_320)
DURATIONS_MIN = (15, 25, 30, 30, 45, 50, 60, 60, 90, 120, 180)
NEVER = "0001-01-01T00:00:00Z"
ONE_DAY = timedelta(days=1)

# Departure and arrival in their own zones, and the days between: an event of two zones.
FLIGHTS = (
    ("W. Europe Standard Time", time(10, 15), "Eastern Standard Time", time(13, 5), 0),
    ("GMT Standard Time", time(20, 45), "Singapore Standard Time", time(17, 30), 1),
    ("Tokyo Standard Time", time(17, 0), "Pacific Standard Time", time(10, 40), 0),
    ("New Zealand Standard Time", time(13, 0), "Hawaiian Standard Time", time(22, 50), -1),
)

# Of every twenty events, in an order that the seed shuffles.
KINDS = ("single",) * 14 + ("series",) * 3 + ("all-day",) * 2 + ("odd",)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """
    An event of the mailbox's owner, to be POSTed as it is.

    Args:
        calendar: name of the calendar that holds it.
        body: a Graph `event` with writable properties only.
        cancelled: original local dates of the occurrences to delete afterwards.
        exceptions: original local date and PATCH body of the occurrences to change afterwards.
    """

    calendar: str
    body: dict[str, Any]
    cancelled: tuple[date, ...] = ()
    exceptions: tuple[tuple[date, dict[str, Any]], ...] = ()


@dataclass(frozen=True, slots=True)
class ReceivedMeeting:
    """
    A meeting that somebody else organises; its fields are those of `NewEvent`.

    Its body also carries what only the service can set: `organizer`, `responseStatus` and the
    `status` of every attendee, the owner among them.
    """

    calendar: str
    body: dict[str, Any]
    cancelled: tuple[date, ...] = ()
    exceptions: tuple[tuple[date, dict[str, Any]], ...] = ()


Seed = NewEvent | ReceivedMeeting


def generate(
    count: int,
    *,
    seed: int,
    now: datetime,
    owner: str,
    zone: str = "W. Europe Standard Time",
) -> Iterator[Seed]:
    """
    Yield `count` events; the same arguments yield the same events.

    A longer run begins with the events of a shorter one. Two thirds of the events start between
    90 days before `now` and 365 days after it, the rest within three years.

    Args:
        now: aware instant around which the mailbox lives.
        owner: the owner's address.
        zone: Windows name of the owner's own zone, used by most events.
    """
    kinds: list[str] = []
    series = 0
    for number in range(count):
        if not kinds:
            kinds = _shuffled_kinds(seed, number)
        maker = _Maker(_random(seed, number), now, owner, zone)
        kind = kinds.pop()
        yield maker.make(kind, SHAPES[series % len(SHAPES)])
        series += kind == "series"


def _random(seed: int, number: int) -> Random:
    return Random(f"{seed}/{number}")  # noqa: S311  repeatable on purpose, and no secret


def _shuffled_kinds(seed: int, number: int) -> list[str]:
    return _random(seed, -number - 1).sample(KINDS, len(KINDS))


@dataclass(frozen=True, slots=True)
class _Times:
    """Local start and end, each with its Windows zone."""

    start: datetime
    start_zone: str
    end: datetime
    end_zone: str

    def as_json(self) -> dict[str, Any]:
        return {
            "start": {"dateTime": _wall(self.start), "timeZone": self.start_zone},
            "end": {"dateTime": _wall(self.end), "timeZone": self.end_zone},
        }


class _Maker:
    """Makes one event from one random source."""

    def __init__(self, rng: Random, now: datetime, owner: str, zone: str) -> None:
        self._rng, self._now, self._owner, self._zone = rng, now, owner, zone

    def make(self, kind: str, shape: tuple[str, str]) -> Seed:
        makers: dict[str, Callable[[], Seed]] = {
            "single": self._single,
            "all-day": self._all_day,
            "odd": self._odd,
            "series": lambda: self._series(shape),
        }
        return makers[kind]()

    def _single(self) -> Seed:
        return self._addressed(self._about(all_day=False) | self._timed(self._day()).as_json())

    def _all_day(self) -> Seed:
        days = self._rng.choice((1, 1, 1, 2, 5, 14))
        return self._addressed(self._about(all_day=True) | self._whole_days(self._day(), days))

    def _odd(self) -> Seed:
        """Two zones, no duration at all, past midnight, or several days with times."""
        rng, day = self._rng, self._day()
        departs, leaves, arrives, lands, days = rng.choice(FLIGHTS)
        zone, noon = self._some_zone(), datetime.combine(day, time(12, 0))
        late, landing = datetime.combine(day, time(23, 30)), day + days * ONE_DAY
        times = rng.choice(
            (
                _Times(
                    datetime.combine(day, leaves),
                    departs,
                    datetime.combine(landing, lands),
                    arrives,
                ),
                _Times(noon, zone, noon, zone),
                _Times(late, zone, late + timedelta(minutes=90), zone),
                _Times(noon, zone, noon + timedelta(days=3, hours=5), zone),
            )
        )
        return self._addressed(self._about(all_day=False) | times.as_json())

    def _series(self, shape: tuple[str, str]) -> Seed:
        day, all_day = self._day(), self._rng.random() < 0.15
        times = self._midnights(day, 1) if all_day else self._timed(day)
        series = make_series(self._rng, day, shape, times.start_zone)
        body = self._about(all_day=all_day) | times.as_json()
        touched = self._touched(series)
        cancelled = tuple(sorted(day for day in touched if self._rng.random() < 0.5))
        changes = tuple(
            (touched_day, self._change(touched_day, touched[touched_day], times, all_day))
            for touched_day in sorted(set(touched) - set(cancelled))
        )
        return self._addressed(body | {"recurrence": series.recurrence}, cancelled, changes)

    def _touched(self, series: Series) -> dict[date, tuple[date, date]]:
        """
        Choose occurrences to cancel or change, with the first and last day each may move to.

        No two are neighbours, so the limits hold whatever happens to the others.
        """
        dates = series.dates
        candidates = list(range(1, len(dates) - 1, 2))
        chosen = self._rng.sample(candidates, min(len(candidates), self._rng.choice((0, 1, 2, 4))))
        return {dates[i]: (dates[i - 1] + ONE_DAY, dates[i + 1] - ONE_DAY) for i in chosen}

    def _change(
        self, day: date, limits: tuple[date, date], times: _Times, all_day: bool
    ) -> dict[str, Any]:
        """Return a PATCH that keeps the occurrence strictly between its neighbours."""
        rng = self._rng
        texts = rng.choice(
            (
                {"subject": self._subject()},
                {"location": self._place()},
                {"showAs": rng.choice(SHOW_AS)},
                {"subject": self._subject(), "body": plain_body(rng)},
            )
        )
        if rng.random() < 0.4:
            return texts
        first, last = max(limits[0], day - 3 * ONE_DAY), min(limits[1], day + 3 * ONE_DAY)
        target = first + rng.randint(0, (last - first).days) * ONE_DAY
        moved = self._midnights(target, 1) if all_day else self._timed(target)
        zone = times.start_zone
        return texts | _Times(moved.start, zone, moved.end, zone).as_json()

    # Times.

    def _day(self) -> date:
        rng, today = self._rng, self._now.date()
        if rng.random() < 0.67:
            return today + timedelta(days=rng.randint(-89, 364))
        outside = (*range(-1095, -91), *range(367, 1096))
        return today + timedelta(days=rng.choice(outside))

    def _some_zone(self) -> str:
        return self._zone if self._rng.random() < 0.6 else self._rng.choice(ZONES)

    def _timed(self, day: date) -> _Times:
        """Return times by daylight: no zone of `ZONES` changes its clock then."""
        rng = self._rng
        at = time(rng.randint(7, 19), rng.choice((0, 0, 0, 15, 30, 30, 45, 5)))
        start, zone = datetime.combine(day, at), self._some_zone()
        return _Times(start, zone, start + timedelta(minutes=rng.choice(DURATIONS_MIN)), zone)

    def _midnights(self, day: date, days: int) -> _Times:
        start, zone = datetime.combine(day, time()), self._some_zone()
        return _Times(start, zone, start + days * ONE_DAY, zone)

    def _whole_days(self, day: date, days: int) -> dict[str, Any]:
        return self._midnights(day, days).as_json()

    # What it says.

    def _about(self, *, all_day: bool) -> dict[str, Any]:
        rng = self._rng
        online = rng.random() < 0.25
        return {
            "subject": self._subject(),
            "body": plain_body(rng) if rng.random() < 0.3 else html_body(rng, online=online),
            "isAllDay": all_day,
            "location": self._place(),
            "categories": rng.sample(CATEGORIES, rng.choice((0, 0, 0, 1, 1, 2, 3))),
            "showAs": rng.choice(SHOW_AS),
            "sensitivity": rng.choice(SENSITIVITIES),
            "importance": rng.choice(IMPORTANCES),
            "isReminderOn": rng.random() < 0.8,
            "reminderMinutesBeforeStart": rng.choice(REMINDERS_MIN),
            "responseRequested": rng.random() < 0.9,
            "allowNewTimeProposals": rng.random() < 0.9,
            "isOnlineMeeting": online,
            "onlineMeetingProvider": "teamsForBusiness" if online else "unknown",
        }

    def _subject(self) -> str:
        rng = self._rng
        if rng.random() < 0.08:
            return rng.choice(HOSTILE_TEXTS)
        subject = rng.choice(SUBJECTS)
        return f"{subject} #{rng.randint(1, 999)}" if subject and rng.random() < 0.5 else subject

    def _place(self) -> dict[str, Any]:
        rng = self._rng
        if rng.random() < 0.35:
            return {"displayName": ""}
        name = rng.choice(HOSTILE_TEXTS) if rng.random() < 0.05 else rng.choice(PLACES)
        if rng.random() < 0.8:
            return {"displayName": name}
        return {
            "displayName": name,
            "address": {"street": "172 Bd Saint-Germain", "city": "Paris", "postalCode": "75006"},
            "coordinates": {"latitude": 48.8541, "longitude": 2.3326},
        }

    # Who takes part.

    def _addressed(
        self,
        body: dict[str, Any],
        cancelled: tuple[date, ...] = (),
        exceptions: tuple[tuple[date, dict[str, Any]], ...] = (),
    ) -> Seed:
        """Make it an appointment, a meeting of the owner's, or one of somebody else's."""
        role = self._rng.choices(("nobody", "organizer", "attendee"), (60, 20, 20))[0]
        if role == "attendee":
            # Only the default calendar receives meeting requests.
            return ReceivedMeeting(CALENDARS[0], body | self._invitation(), cancelled, exceptions)
        if role == "organizer":
            body = body | {"attendees": self._guests(), "hideAttendees": self._rng.random() < 0.1}
        calendar = self._rng.choices(CALENDARS, (80, 12, 8))[0]
        return NewEvent(calendar, body, cancelled, exceptions)

    def _guests(self) -> list[dict[str, Any]]:
        rng = self._rng
        people = rng.sample(PEOPLE, rng.choice((1, 2, 3, 5, len(PEOPLE))))
        return [
            _person(name, address) | {"type": rng.choice(("required", "required", "optional"))}
            for name, address in people
            if address.casefold() != self._owner.casefold()
        ]

    def _invitation(self) -> dict[str, Any]:
        rng = self._rng
        (name, address), mine = rng.choice(PEOPLE), self._answer()
        others = [
            guest | {"status": self._answer()}
            for guest in self._guests()
            if guest["emailAddress"]["address"] != address
        ]
        owner = _person(self._owner, self._owner) | {"type": "required", "status": mine}
        return {
            "organizer": _person(name, address),
            "responseStatus": mine,
            "attendees": [owner, *others],
        }

    def _answer(self) -> dict[str, str]:
        response = self._rng.choice(RESPONSES)
        if response == "notResponded":
            return {"response": response, "time": NEVER}
        at = self._now - timedelta(minutes=self._rng.randint(1, 40_000))
        return {"response": response, "time": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}


def _person(name: str, address: str) -> dict[str, Any]:
    return {"emailAddress": {"name": name, "address": address}}


def _wall(local: datetime) -> str:
    return f"{local:%Y-%m-%dT%H:%M:%S}.0000000"
