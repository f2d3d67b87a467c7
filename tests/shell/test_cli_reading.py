"""`syncd status`, `agenda`, `show`, `log`: offline questions to the state."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from syncd.core.event import AllDay, Changes, Event, Item, Timed
from syncd.core.recurrence import Recurrence
from syncd.shell.moments import Span, moments_of
from syncd.simulator.folders import Person
from tests.shell.cli_world import ME, TOMORROW, World, at, guest, world

DAY = date(2031, 3, 4)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


class TestStatus:
    def test_after_a_sync(self, here: World) -> None:
        """A calendar tells its items and is fresh."""
        here.event("Stand-up")
        here.syncd("sync")

        done = here.syncd("status", "--max-age", "1h", "--json")

        (calendar,) = done.json["calendars"]
        assert done.code == 0
        assert (calendar["calendar"], calendar["items"], calendar["held"]) == ("Calendar", 1, 0)
        assert done.json["running"] is False

    def test_never_synced(self, here: World) -> None:
        """An account of which nothing is known is stale, and the remedy is named."""
        done = here.syncd("status", "--max-age", "1h")

        assert done.code == 4
        assert "syncd sync work" in done.out

    def test_without_an_age(self, here: World) -> None:
        """Without --max-age the exit code is 0 whatever is told."""
        assert here.syncd("status").code == 0

    def test_age_that_is_none(self, here: World) -> None:
        """An age that cannot be read is wrong usage."""
        assert here.syncd("status", "--max-age", "soon").code == 2


class TestAgenda:
    def test_order_and_days(self, here: World) -> None:
        """Events of the days asked for come out by start."""
        late = {"dateTime": f"{TOMORROW}T18:00:00", "timeZone": "UTC"}
        later = {"dateTime": f"{TOMORROW}T19:00:00", "timeZone": "UTC"}
        here.event("Dinner", start=late, end=later)
        here.event("Stand-up", location={"displayName": "Room 7"})
        here.syncd("sync")

        found = here.syncd("agenda", "--from", str(TOMORROW), "--to", "tomorrow", "--json").json

        assert [one["summary"] for one in found] == ["Stand-up", "Dinner"]
        assert found[0]["location"] == "Room 7"

    def test_for_people(self, here: World) -> None:
        """People read the day, the times and the titles."""
        here.event("Stand-up")
        here.syncd("sync")

        out = here.syncd("agenda", "--from", str(TOMORROW)).out

        assert str(TOMORROW) in out
        assert "Stand-up" in out

    def test_days_and_times_are_written_as_in_outlook(self, here: World) -> None:
        """The mailbox's own formats, also offline."""
        here.mailbox.folders.settings |= {"dateFormat": "d.M.yyyy", "timeFormat": "h:mm tt"}
        start = {"dateTime": f"{TOMORROW}T13:05:00", "timeZone": "UTC"}
        here.event("Stand-up", start=start, end=start | {"dateTime": f"{TOMORROW}T14:00:00"})
        here.syncd("sync")

        out = here.syncd("agenda", "--from", str(TOMORROW)).out

        assert f"{TOMORROW.day}.{TOMORROW.month}.{TOMORROW.year}" in out
        assert "1:05 PM-2:00 PM" in out

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--from", "monday"),
            ("--to", "2001-01-01"),
            ("--from", "9999-12-31"),
            ("--to", "3000-01-01"),
        ],
    )
    def test_days_that_cannot_be(self, here: World, arguments: tuple[str, str]) -> None:
        """A day that is none, an end before the start, or too many days are wrong usage."""
        assert here.syncd("agenda", *arguments).code == 2


class TestShowAndLog:
    def test_show(self, here: World) -> None:
        """One event is shown in full, with the path of its file, by the beginning of its UID."""
        here.syncd("sync")
        path = here.file("lunch-with-ada.ics", "SUMMARY:Lunch", "DESCRIPTION:At the corner")
        here.syncd("sync")

        done = here.syncd("show", "lunch")

        assert done.code == 0
        assert str(path) in done.out
        assert "At the corner" in done.out

    def test_the_occurrences_of_a_series(self, here: World) -> None:
        """Those of some days, moved ones where they are by now."""
        weekly = {
            "pattern": {"type": "daily", "interval": 1},
            "range": {"type": "numbered", "startDate": str(TOMORROW), "numberOfOccurrences": 9},
        }
        here.event("Stand-up", recurrence=weekly)
        here.event("Stand-down")
        here.syncd("sync")

        days = [str(TOMORROW + timedelta(days=n)) for n in range(3)]
        words = ("show", "--match", "stand-up", "--from", days[0], "--to", days[-1])

        told = here.syncd(*words, "--json").json

        assert [one["start"][:10] for one in told["occurrences"]] == days
        assert told["event"]["recurrence"]["type"] == "daily"
        out = here.syncd(*words).out
        assert [out.count(day) for day in days] == [1, 1, 1]

    def test_another_time_that_a_guest_proposes(self, here: World) -> None:
        """Whoever agrees moves the meeting; an answer that cannot be read proposes nothing."""
        made = here.event("Retro", attendees=[guest("ann@example.org"), guest("bob@example.org")])
        slot = {"start": at("15:00"), "end": at("16:00")}
        here.mailbox.answered(made.id, "ann@example.org", "tentativelyAccepted", slot)
        here.mailbox.answered(made.id, "bob@example.org", "declined", {"start": 7})
        here.syncd("sync")

        out = here.syncd("show", "--match", "retro").out
        [told] = here.syncd("show", "--match", "retro", "--json").json["proposals"]

        assert f"{TOMORROW}T15:00 to {TOMORROW}T16:00 UTC, by ann@example.org" in out
        assert told["address"] == "ann@example.org"

    def test_what_one_occurrence_has_of_its_own(self, here: World) -> None:
        """Also one's own answer to that day alone."""
        daily = {
            "pattern": {"type": "daily", "interval": 1},
            "range": {"type": "numbered", "startDate": str(TOMORROW), "numberOfOccurrences": 9},
        }
        times = {"start": at("10:00"), "end": at("11:00"), "recurrence": daily}
        people = {"attendees": [guest(ME)]}
        here.mailbox.receive(
            here.mailbox.default_calendar.id,
            {"subject": "Kata", **times, **people},
            Person("Carol", "carol@example.org"),
        )
        here.syncd("sync")
        third = str(TOMORROW + timedelta(days=2))
        words = ("--match", "kata", "tentative", "--occurrence", third)
        assert here.syncd("respond", *words).code == 0

        out = here.syncd("show", "--match", "kata").out

        [line] = [line for line in out.splitlines() if line.startswith(f"  {third}:")]
        assert "answer: tentativelyAccepted" in line
        assert "when" not in line

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            ((), "say which event"),
            (("u", "--match", "x"), "say which event"),
            (("--match", "stand"), "may be any of"),
            (("--match", "nowhere"), "names no event"),
            (("--match", "up", "--from", "+3d", "--to", "+1d"), "lies before"),
        ],
    )
    def test_which_event_is_meant(self, here: World, words: tuple[str, ...], text: str) -> None:
        here.event("Stand-up")
        here.event("Stand-down")
        here.syncd("sync")

        done = here.syncd("show", *words)

        assert (done.code, text in done.err) == (2, True)

    def test_unknown_uid(self, here: World) -> None:
        """A UID that is none is wrong usage."""
        assert here.syncd("show", "nothing").code == 2

    def test_log(self, here: World) -> None:
        """A change is listed with its side, and what it was before is kept."""
        event = here.event("Before")
        here.syncd("sync")
        here.mailbox.patch(event.id, {"subject": "After"})
        here.syncd("sync")

        newest, *_ = here.syncd("log", event.ical_uid, "--json").json

        assert newest["side"] == "remote"
        assert "SUMMARY:Before" in newest["before"]


def timed(day: date, hour: int, zone: str = "UTC") -> Timed:
    start = datetime(day.year, day.month, day.day, hour)
    return Timed(start, zone, start + timedelta(hours=1), zone)


def starts(item: Item, first: date, last: date) -> list[str]:
    span = Span(first, last, UTC)
    return sorted(f"{one.start:%m-%d %H}" for one in moments_of(item, span))


class TestMoments:
    def test_series(self) -> None:
        """A series has its occurrences of the span, without the cancelled one."""
        item = Item(
            Event(timed(DAY, 9)), Recurrence("daily", 1), cancelled=frozenset({date(2031, 3, 6)})
        )

        assert starts(item, date(2031, 3, 5), date(2031, 3, 7)) == ["03-05 09", "03-07 09"]

    def test_moved_occurrence(self) -> None:
        """An occurrence that was moved into the span is there, and gone from where it was."""
        moved = {DAY + timedelta(days=40): Changes(when=timed(DAY, 20))}
        item = Item(Event(timed(DAY, 9)), Recurrence("daily", 1), overrides=moved)

        assert starts(item, DAY, DAY) == ["03-04 09", "03-04 20"]
        assert starts(item, DAY + timedelta(days=40), DAY + timedelta(days=40)) == []

    def test_zone_of_the_reader(self) -> None:
        """What is late in one zone may be on the next day in another."""
        item = Item(Event(timed(DAY, 23)))

        found = [
            *moments_of(item, Span(date(2031, 3, 5), date(2031, 3, 5), ZoneInfo("Asia/Tokyo")))
        ]

        assert [one.start.hour for one in found] == [8]

    def test_whole_days(self) -> None:
        """A whole day ends where the next begins."""
        item = Item(Event(AllDay(DAY, DAY + timedelta(days=2))))

        days = [DAY + timedelta(days=n) for n in range(-1, 3)]
        assert [bool(starts(item, day, day)) for day in days] == [False, True, True, False]

    def test_long_event(self) -> None:
        """What began before the span and still goes on is in it; what ended is not."""
        start = datetime(2031, 3, 1, 9)
        item = Item(Event(Timed(start, "UTC", start + timedelta(days=5), "UTC")))

        assert starts(item, DAY, DAY) == ["03-01 09"]
        assert starts(item, date(2031, 3, 7), date(2031, 3, 8)) == []

    def test_no_duration(self) -> None:
        """An event that takes no time is there on its day."""
        start = datetime(2031, 3, 4)
        item = Item(Event(Timed(start, "UTC", start, "UTC")))

        assert starts(item, DAY, DAY) == ["03-04 00"]
        assert starts(item, date(2031, 3, 3), date(2031, 3, 3)) == []
