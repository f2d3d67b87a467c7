"""Free and busy times: how a day is drawn in letters, and written as VFREEBUSY."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from syncd.core.event import ShowAs
from syncd.core.free_busy import (
    Availability,
    Busy,
    Hours,
    Row,
    day_span,
    status_between,
    timeline,
    vfreebusy,
)
from syncd.core.zones import UTC_ZONE, WindowsZone, zone_info

BERLIN = WindowsZone("W. Europe Standard Time")
TUESDAY = date(2031, 3, 4)
SATURDAY = date(2031, 3, 8)
LONGER, SHORTER = date(2031, 10, 26), date(2031, 3, 30)  # the clocks go back, and forward
WORK = Hours((0, 1, 2, 3, 4), time(9), time(17), BERLIN)
KINDS = ("free", "tentative", "busy", "oof", "workingElsewhere", "unknown")


def known(
    view: str, *, day: date = TUESDAY, interval_min: int = 60, hours: Hours | None = None
) -> Availability:
    start, end = day_span(day, BERLIN)
    return Availability("a@x.org", start, end, interval_min, start, view, hours=hours)


def drawn(*rows: Row, day: date = TUESDAY, interval_min: int = 60, width: int = 200) -> list[str]:
    return timeline(day, BERLIN, rows, interval_min=interval_min, width=width)


def cells(view: str, **more: object) -> str:
    """What stands between the bars of one row."""
    day = more.pop("day", TUESDAY)
    interval_min = more.pop("interval_min", 60)
    assert isinstance(day, date)
    assert isinstance(interval_min, int)
    answer = known(view, day=day, **more)  # type: ignore[arg-type]
    (_, line) = drawn(Row("a", answer), day=day, interval_min=interval_min)
    return line.split("|")[1]


def at(hour: float, day: date = TUESDAY) -> datetime:
    return datetime.combine(day, time(), UTC) + timedelta(hours=hour)


class TestTimeline:
    def test_letters(self) -> None:
        """Each digit has its letter, one that the service may add later is unknown."""
        assert cells("0123479" + "0" * 17) == ".TBOW??" + "." * 17

    def test_hours_above_their_columns(self) -> None:
        """The first hour stands over the first letter, and each behind it over its own."""
        above, line = drawn(Row("ann", known("0" * 9 + "2" + "0" * 14)))

        assert above.index("09") == line.index("B")
        assert above.index("00") == line.index("|") + 1

    def test_working_hours(self) -> None:
        """Within them letters are capital and free time a dot; outside small, and a blank."""
        view = "2" * 24

        assert cells(view, hours=WORK) == "b" * 9 + "B" * 8 + "b" * 7
        assert cells("0" * 24, hours=WORK) == " " * 9 + "." * 8 + " " * 7
        assert cells(view, hours=WORK, day=SATURDAY) == "b" * 24
        assert cells(view) == "B" * 24

    def test_working_hours_of_another_zone(self) -> None:
        """They are on the clocks of their own zone, and shown on the mailbox's."""
        hours = Hours((1,), time(9), time(17), "Eastern Standard Time")

        assert cells("0" * 24, hours=hours) == " " * 15 + "." * 8 + " "

    def test_working_hours_over_midnight(self) -> None:
        """Hours that close before they open belong to the day on which they open."""
        nights = Hours((0,), time(22), time(6), BERLIN)

        assert cells("0" * 24, hours=nights) == "." * 6 + " " * 18

    def test_working_hours_by_offset(self) -> None:
        """A zone without a name is so many minutes ahead of UTC."""
        hours = Hours((1,), time(9), time(17), "", 210)

        assert cells("0" * 48, hours=hours, interval_min=30).index(".") == 13

    @pytest.mark.parametrize(("day", "hours"), [(LONGER, 25), (SHORTER, 23)])
    def test_day_on_which_the_clocks_change(self, day: date, hours: int) -> None:
        """It has as many columns as it has hours, and is whole."""
        assert cells("0" * (hours - 1) + "2", day=day) == "." * (hours - 1) + "B"

    def test_narrow_terminal(self) -> None:
        """The day comes in parts of whole hours, each under its own hours; notes stand once."""
        lines = drawn(
            Row("ann", known("0" * 47 + "2", interval_min=30), "as of 2h ago"),
            Row("bob", None, "nobody of that name"),
            interval_min=30,
            width=43,
        )

        parts = [line.split("|")[1] for line in lines if line.startswith("ann")]
        assert [len(part) for part in parts] == [24, 24]
        assert parts[-1].endswith("B")
        assert "12" in lines[3]
        assert sum("as of" in line for line in lines) == 1
        assert sum("nobody" in line for line in lines) == 1
        assert max(map(len, lines)) <= 43

    def test_interval_that_fits_no_hour(self) -> None:
        """Its columns are told by hour and minute."""
        above, _ = drawn(Row("a", known("0" * 15, interval_min=100)), interval_min=100)

        assert above.split() == ["00:00", "10:00", "20:00"]

    def test_answer_in_other_intervals(self) -> None:
        """What was asked for in other intervals shows the strongest, or the same, in each."""
        answer = known("0" * 18 + "21" + "0" * 28, interval_min=30)

        coarse = drawn(Row("a", answer), interval_min=60)[1]
        fine = drawn(Row("a", answer), interval_min=15)[1]

        assert coarse.split("|")[1].strip(".") == "B"
        assert fine.split("|")[1].strip(".") == "BBTT"

    def test_long_names_are_cut(self) -> None:
        """They leave room for the day."""
        (_, line) = drawn(Row("x" * 99, known("0" * 24)))

        assert line.startswith("x" * 39 + "… |")

    def test_shorter_view_than_the_day(self) -> None:
        """What the service left out is unknown."""
        assert cells("0" * 20) == "." * 20 + "????"

    @given(st.data())
    def test_any_interval(self, data: st.DataObject) -> None:
        """A span shows the strongest of all minutes in it, whatever the interval was."""
        interval_min = data.draw(st.integers(5, 240))
        count = -(-1440 // interval_min)
        view = data.draw(st.text("01234", min_size=count, max_size=count))
        first = data.draw(st.integers(0, 1439))
        last = data.draw(st.integers(first + 1, 1440))
        answer = known(view, interval_min=interval_min)

        minutes = {view[minute // interval_min] for minute in range(first, last)}
        order = "04123"
        strongest = max(minutes, key=order.index)
        words = dict(zip("01234", KINDS, strict=False))
        start = answer.start + timedelta(minutes=first)
        found = status_between(answer, start, answer.start + timedelta(minutes=last))
        assert found == words[strongest]

    def test_time_that_was_not_asked_about(self) -> None:
        """Nothing is known of it."""
        answer = known("0" * 24)

        assert status_between(answer, answer.start - timedelta(hours=1), answer.end) == "unknown"
        assert status_between(answer, answer.start, answer.end + timedelta(hours=1)) == "unknown"


DAY = (at(0), at(24))


def written(
    *busy: Busy, window: tuple[datetime, datetime] = DAY, organizer: str = "me@x.org"
) -> Calendar:
    data = vfreebusy(busy, *window, organizer=organizer, uid="u-1", stamp=at(7.5))
    parsed = Calendar.from_ical(data)
    assert isinstance(parsed, Calendar)
    return parsed


def periods(calendar: Calendar) -> list[tuple[str, datetime, datetime]]:
    (told,) = calendar.walk("VFREEBUSY")
    found = told.get("FREEBUSY", [])
    lines = found if isinstance(found, list) else [found]
    return [(one.params["FBTYPE"], *one.dt) for one in lines]


class TestVfreebusy:
    def test_whole(self) -> None:
        """It names whose time it is and which window it tells, all in UTC (RFC 5546 3.3.1)."""
        calendar = written(Busy("busy", at(9), at(10)))

        (told,) = calendar.walk("VFREEBUSY")
        assert calendar["METHOD"] == "PUBLISH"
        assert told["ORGANIZER"] == "mailto:me@x.org"
        assert (told["UID"], told["DTSTAMP"].dt) == ("u-1", at(7.5))
        assert (told["DTSTART"].dt, told["DTEND"].dt) == (at(0), at(24))
        assert periods(calendar) == [("BUSY", at(9), at(10))]

    def test_unknown_owner(self) -> None:
        """Without an address nothing is published in anybody's name."""
        calendar = written(organizer="")

        assert "METHOD" not in calendar
        assert b"ORGANIZER" not in calendar.to_ical()

    @pytest.mark.parametrize(
        ("status", "kind"),
        [("tentative", "BUSY-TENTATIVE"), ("oof", "BUSY-UNAVAILABLE"), ("unknown", "BUSY")],
    )
    def test_kinds(self, status: ShowAs, kind: str) -> None:
        """RFC 5545 3.2.9 has a word for each way of being busy."""
        assert periods(written(Busy(status, at(9), at(10)))) == [(kind, at(9), at(10))]

    def test_free_time_is_not_told(self) -> None:
        """Neither what is free nor work elsewhere."""
        busy = [Busy("free", at(9), at(10)), Busy("workingElsewhere", at(9), at(10))]

        assert periods(written(*busy)) == []

    def test_cut_to_the_window(self) -> None:
        """What reaches beyond it is told as far as it lies within."""
        told = written(Busy("busy", at(-5), at(1)), Busy("busy", at(23), at(30)))

        assert periods(told) == [("BUSY", at(0), at(1)), ("BUSY", at(23), at(24))]

    def test_other_zones(self) -> None:
        """A time in any zone is the same time in UTC."""
        window = day_span(TUESDAY, BERLIN)
        start, end = (one.astimezone(zone_info(BERLIN)) for one in window)

        assert periods(written(Busy("busy", start, end), window=window)) == [("BUSY", *window)]

    def test_hostile_organizer(self) -> None:
        """An address cannot add a line."""
        calendar = written(organizer="me@x.org\r\nX-BAD:1")

        assert "X-BAD" not in calendar.walk("VFREEBUSY")[0]

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(("busy", "tentative")), st.integers(0, 200), st.integers(0, 90)
            ),
            max_size=8,
        )
    )
    def test_what_overlaps_is_one(self, spans: Sequence[tuple[ShowAs, int, int]]) -> None:
        """Each kind's minutes are told once, in order, by as few periods as there can be."""
        minute = timedelta(minutes=1)
        busy = [Busy(kind, at(0) + n * minute, at(0) + (n + k) * minute) for kind, n, k in spans]

        told = periods(written(*busy))

        assert told == sorted(told, key=lambda one: one[1:])
        for kind, name in (("busy", "BUSY"), ("tentative", "BUSY-TENTATIVE")):
            wanted = {n + m for word, n, k in spans if word == kind for m in range(k)}
            mine = [(first, last) for which, first, last in told if which == name]
            found = [
                m
                for first, last in mine
                for m in range((first - at(0)) // minute, (last - at(0)) // minute)
            ]
            assert sorted(found) == sorted(wanted)
            assert all(one[1] < other[0] for one, other in pairwise(mine))


def test_day_in_utc() -> None:
    """The plainest day."""
    assert day_span(TUESDAY, UTC_ZONE) == (at(0), at(24))
