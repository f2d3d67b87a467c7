"""What lint tells of a file: what is refused, held, altered, dropped, and what is only noted."""

from __future__ import annotations

import re
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.event import Attendee, Event, Item
from syncd.core.ids import Uid
from syncd.core.lint import MOST_FINDINGS, Finding, lint
from syncd.core.owner import Owner
from syncd.core.wire.ics_read import FileItem, read
from syncd.core.wire.ics_write import Stamps, local_view, render
from tests.strategies import BERLIN, OWNER, items

STAMPS = Stamps("20260101T100000Z", "20260201T100000Z")
NOBODY = Owner(frozenset(), BERLIN)
START = "DTSTART;TZID=Europe/Berlin:20260302T100000"
END = "DTEND;TZID=Europe/Berlin:20260302T110000"
TIMES = (START, END)
WEEKLY = (*TIMES, "RRULE:FREQ=WEEKLY")
DAYS = ("DTSTART;VALUE=DATE:20260302", "DTEND;VALUE=DATE:20260303")
ADA, BOB = "ATTENDEE:mailto:ada@example.org", "ATTENDEE:mailto:bob@example.org"
MINE = "ORGANIZER:mailto:me@example.org"
THEIRS = "ORGANIZER:mailto:carol@example.com"
BLOCK = (
    *("BEGIN:VTIMEZONE", "TZID:{tzid}", "BEGIN:STANDARD", "DTSTART:19700101T000000"),
    *("TZOFFSETFROM:{offset}", "TZOFFSETTO:{offset}", "END:STANDARD", "END:VTIMEZONE"),
)


def file(*lines: str, head: tuple[str, ...] = (), more: tuple[str, ...] = ()) -> bytes:
    """One event; `head` stands before it, `more` behind it."""
    inner = ("BEGIN:VEVENT", "UID:u", *lines, "END:VEVENT", *more)
    return "\r\n".join(("BEGIN:VCALENDAR", *head, *inner, "END:VCALENDAR", "")).encode()


def alarm(*lines: str) -> tuple[str, ...]:
    return ("BEGIN:VALARM", *lines, "END:VALARM")


def shown(trigger: str) -> tuple[str, ...]:
    return alarm("ACTION:DISPLAY", trigger)


def override(day: str, *lines: str) -> tuple[str, ...]:
    slot = f"RECURRENCE-ID;TZID=Europe/Berlin:{day}T100000"
    return ("BEGIN:VEVENT", "UID:u", slot, *lines, "END:VEVENT")


def block(tzid: str, offset: str) -> tuple[str, ...]:
    return tuple(line.format(tzid=tzid, offset=offset) for line in BLOCK)


def told(*lines: str, owner: Owner = OWNER, base: Item | None = None) -> list[tuple[str, str]]:
    """Severity and code of each finding, without the note that it would invite somebody."""
    found = [(one.severity, one.code) for one in lint(file(*lines), owner, base)]
    return [one for one in found if one != ("note", "would-invite")]


def only(data: bytes, owner: Owner = OWNER) -> Finding:
    (found,) = lint(data, owner)
    return found


def item(*lines: str, owner: Owner = OWNER) -> Item:
    there = read(file(*lines), owner, None)
    assert isinstance(there, FileItem)
    assert there.item is not None
    return there.item


class TestNothing:
    def test_a_plain_event(self) -> None:
        """An event with what every calendar has gives no finding."""
        lines = ("SUMMARY:Lunch", "LOCATION:Corner\\, left", "DESCRIPTION:Soup\\nand bread")

        assert told(*TIMES, *lines, "CATEGORIES:Work,Food", "TRANSP:OPAQUE") == []

    @pytest.mark.parametrize(
        "line",
        [
            *("SEQUENCE:3", "DTSTAMP:20260101T000000Z", "CREATED:20260101T000000Z"),
            *("X-MOZ-GENERATION:2", "X-MOZ-LASTACK:20260101T000000Z", "X-LIC-ERROR:no value"),
            *("X-EVOLUTION-CALDAV-HREF:/x", "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC"),
            *("STATUS:CONFIRMED", "CLASS:PUBLIC", "PRIORITY:0", "PRIORITY:05", "TRANSP:OPAQUE"),
            *("X-MICROSOFT-CDO-BUSYSTATUS:OOF", "X-MICROSOFT-CDO-INTENDEDSTATUS:BUSY"),
            *("STATUS:TENTATIVE", "CLASS:PRIVATE", "PRIORITY:9", "PRIORITY:1"),
            "CONFERENCE;VALUE=URI;LABEL=Online meeting:https://meet.example/x",
        ],
    )
    def test_usual_lines(self, line: str) -> None:
        """What programs add by themselves, and default values, are no findings."""
        assert told(*TIMES, line) == []

    @pytest.mark.parametrize(
        "tzid",
        [
            *(
                "europe/berlin",
                '"W. Europe Standard Time"',
                "/mozilla.org/20050126_1/Europe/Berlin",
            ),
            "/freeassociation.sourceforge.net/Europe/Berlin",
        ],
    )
    def test_other_names_of_a_zone(self, tzid: str) -> None:
        """Case, Windows names and vendors' prefixes are fine."""
        assert told(f"DTSTART;TZID={tzid}:20260302T100000", "DURATION:PT1H") == []

    @pytest.mark.parametrize(
        "lines",
        [
            *(
                alarm("ACTION:NONE", "TRIGGER;VALUE=DATE-TIME:19760401T005545Z"),
                shown("TRIGGER:-P1D"),
            ),
            alarm("ACTION:DISPLAY", "TRIGGER:-PT15M", "X-EVOLUTION-ALARM-UID:x", "UID:x"),
            alarm("ACTION:AUDIO", "ATTACH;VALUE=URI:Basso", "TRIGGER;RELATED=END:-PT1H"),
            (*shown("TRIGGER:-PT15M"), *alarm("ACTION:AUDIO", "TRIGGER:-PT900S")),
            (*shown("TRIGGER:-PT15M"), *alarm("ACTION:DISPLAY", "RELATED-TO:x", "TRIGGER:PT9M")),
        ],
    )
    def test_usual_alarms(self, lines: tuple[str, ...]) -> None:
        """One reminder in any spelling, placeholders and snoozed alarms are no findings."""
        assert told(*TIMES, *lines) == []

    def test_the_zone_block_of_khal(self) -> None:
        """A block with the two nearest changes alone says nothing wrong of the event's time."""
        head = (
            *("BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "BEGIN:STANDARD"),
            *("DTSTART:20251026T020000", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "END:STANDARD"),
            *("BEGIN:DAYLIGHT", "DTSTART:20260329T030000", "TZOFFSETFROM:+0100"),
            *("TZOFFSETTO:+0200", "END:DAYLIGHT", "END:VTIMEZONE"),
        )

        assert lint(file(*TIMES, head=head), OWNER) == []

    @given(items())
    def test_a_file_of_our_own(self, there: Item) -> None:
        """A file as it is written from the service gives notes at most."""
        data = render(Uid("u-1"), there, STAMPS, OWNER)

        assert {one.severity for one in lint(data, OWNER, local_view(there))} <= {"note"}

    @given(items(meetings=False))
    def test_a_copy_of_our_own_file(self, there: Item) -> None:
        """The same holds where nothing is known of it."""
        data = render(Uid("u-1"), there, STAMPS, OWNER)

        assert {one.severity for one in lint(data, NOBODY)} <= {"note"}


class TestRefused:
    @pytest.mark.parametrize(
        ("data", "code", "line"),
        [
            (b"", "empty-file", 0),
            (b"hello", "parse-error", 1),
            (file(*TIMES, "SUMMARY:\xe4").decode().encode("latin-1"), "encoding", 6),
            (file(*TIMES, head=("METHOD:REQUEST",)), "itip-message", 2),
            (file(*TIMES, head=("CALSCALE:JULIAN",)), "calscale", 2),
            (file(*TIMES).replace(b"UID:u\r\n", b""), "no-uid", 2),
            (file(*TIMES, more=("BEGIN:VEVENT", "UID:v", "END:VEVENT")), "several-uids", 8),
            (file(*TIMES, more=("BEGIN:VEVENT", "UID:u", "END:VEVENT")), "two-masters", 7),
            (file(*TIMES, more=("BEGIN:VTODO", "END:VTODO")), "mixed-components", 2),
            (file("RECURRENCE-ID:20260302T100000Z"), "no-master", 2),
            (file(*TIMES) * 2, "several-calendars", 8),
        ],
    )
    def test_files_that_cannot_be_read(self, data: bytes, code: str, line: int) -> None:
        """The line, the reason and what to do about it are told."""
        found = only(data)

        assert (found.severity, found.code, found.line) == ("refused", code, line)
        assert found.reason
        assert found.hint not in ("", "Mend the file.")

    def test_no_event(self) -> None:
        """Tasks are left alone."""
        found = only(b"BEGIN:VCALENDAR\nBEGIN:VTODO\nEND:VTODO\nEND:VCALENDAR\n")

        assert (found.severity, found.code) == ("refused", "not-an-event")
        assert "VTODO" in found.reason


class TestHeld:
    @pytest.mark.parametrize(
        ("lines", "code"),
        [
            ((*TIMES, "RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15"), "RR03"),
            ((*WEEKLY, "RDATE:20260303T100000Z"), "RR18"),
            ((*WEEKLY, "EXRULE:FREQ=DAILY"), "RR17"),
            ((START, "DTEND;VALUE=DATE:20260303"), "mixed-date-types"),
            (("DTSTART;TZID=Nowhere/Land:20260302T100000",), "unknown-tzid"),
            ((*TIMES, "LOCATION:A", "LOCATION:B"), "multiple-location"),
            ((*TIMES, "CATEGORIES:a\\,b,c"), "category-separator"),
        ],
    )
    def test_as_problems_lists_them(self, lines: tuple[str, ...], code: str) -> None:
        """Every hold of the reader is told with its own code, line, reason and suggestion."""
        there = read(file(*lines), OWNER, None)
        assert isinstance(there, FileItem)

        held = [one for one in lint(file(*lines), OWNER) if one.severity == "held"]

        assert [one.code for one in held] == [code]
        assert [(one.line, one.reason, one.hint) for one in held] == [
            (one.line, one.reason, one.hint) for one in there.holds
        ]

    def test_a_new_event_that_waits_whole(self) -> None:
        """It is said where a held rule keeps a new event from being created."""
        rule = "RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15"

        assert ("note", "not-created") in told(*TIMES, rule)
        assert ("note", "not-created") not in told(*TIMES, rule, base=item(*TIMES))
        assert ("note", "not-created") not in told(*TIMES, "CATEGORIES:a\\,b")

    def test_what_the_service_has_is_no_hold(self) -> None:
        """A category with a comma that was agreed upon is not held, with the base at hand."""
        agreed = Item(Event(item(*TIMES).master.when, categories=("a,b",)))

        assert told(*TIMES, "CATEGORIES:a\\,b", base=agreed) == []

    def test_two_overrides_for_one_occurrence(self) -> None:
        """The second is held, and nothing else is said of it."""
        twice = (
            *override("20260309", *TIMES, "CLASS:X"),
            *override("20260309", *TIMES, "SUMMARY:y"),
        )

        held = lint(file(*WEEKLY, more=twice), OWNER)

        assert [(one.severity, one.code) for one in held] == [
            ("held", "crosses-neighbour"),
            ("altered", "class"),
            ("held", "two-overrides"),
        ]

    def test_cancelled_override_by_the_configuration(self) -> None:
        """It is held by default, and a deletion where the configuration says so."""
        one = override("20260309", "DTSTART:20260309T090000Z", "DURATION:PT1H", "STATUS:CANCELLED")
        data = file(*WEEKLY, more=one)

        assert [found.code for found in lint(data, OWNER)] == ["cancelled-override"]
        assert lint(data, OWNER, delete_cancelled=True) == []

    def test_this_and_future(self) -> None:
        """A series that concerns nobody else is cut in two; with guests it is held."""
        onward = "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260309T100000"
        times = ("DTSTART;TZID=Europe/Berlin:20260309T120000", "DURATION:PT1H", "SUMMARY:Later")
        more = ("BEGIN:VEVENT", "UID:u", onward, *times, "END:VEVENT")

        (cut,) = lint(file(*WEEKLY, more=more), OWNER)
        held = lint(file(*WEEKLY, MINE, ADA, more=more), OWNER)

        assert (cut.severity, cut.code, cut.line) == ("altered", "this-and-future", 10)
        assert "2026-03-09" in cut.reason
        assert ("held", "this-and-future") in [(one.severity, one.code) for one in held]


class TestTimes:
    def test_seconds(self) -> None:
        """Outlook shows minutes."""
        found = only(file(START, "DTEND;TZID=Europe/Berlin:20260302T110030"))

        assert (found.severity, found.code, found.line) == ("note", "seconds", 5)

    def test_seconds_of_a_duration(self) -> None:
        """A length may have them as well."""
        assert told(START, "DURATION:PT90S") == [("note", "seconds")]

    def test_leap_second(self) -> None:
        """The service has none."""
        assert told("DTSTART:20161231T235960Z", "DTEND:20170101T010000Z") == [
            ("altered", "leap-second")
        ]

    def test_an_hour_that_is_left_out(self) -> None:
        """The time that it counts as is told."""
        found = only(file("DTSTART;TZID=Europe/Berlin:20260329T023000", "DURATION:PT1H"))

        assert (found.severity, found.code, found.line) == ("altered", "no-such-hour", 4)
        assert "03:30" in found.reason

    def test_an_hour_that_comes_twice(self) -> None:
        """The first is meant."""
        assert told("DTSTART;TZID=Europe/Berlin:20261025T023000", "DURATION:PT2H") == [
            ("note", "hour-twice")
        ]

    def test_from_an_hour_to_the_same_hour(self) -> None:
        """An hour later the clock shows the same: the end is told in UTC, and nothing is lost."""
        assert told("DTSTART;TZID=Europe/Berlin:20261025T023000", "DURATION:PT1H") == [
            ("note", "hour-twice")
        ]

    def test_floating(self) -> None:
        """A time without a zone is one of the mailbox's; the zone is named once."""
        found = only(file("DTSTART:20260302T100000", "DTEND:20260302T110000"))

        assert (found.severity, found.code, found.line) == ("note", "floating", 4)
        assert "Europe/Berlin" in found.reason

    @pytest.mark.parametrize(
        ("zone", "expected"), [("Asia/Tokyo", "Asia/Tokyo"), ("Nowhere/Land", "X-WR-TIMEZONE")]
    )
    def test_floating_in_the_zone_of_the_calendar(self, zone: str, expected: str) -> None:
        """X-WR-TIMEZONE counts if it is known, and is named if it is not."""
        head = (f"X-WR-TIMEZONE:{zone}",)

        found = only(file("DTSTART:20260302T100000", "DURATION:PT1H", head=head))

        assert expected in found.reason

    def test_a_zone_that_outlook_lacks(self) -> None:
        """A single event goes as UTC."""
        assert told("DTSTART;TZID=Antarctica/Troll:20260302T100000", "DURATION:PT1H") == [
            ("altered", "zone-as-utc")
        ]

    def test_a_zone_block_that_lies(self) -> None:
        """A block that contradicts the zone of its name is not used, which is told once."""
        found = only(file(*TIMES, head=block("Europe/Berlin", "-0500")))

        assert (found.severity, found.code, found.line) == ("altered", "zone-block", 3)
        assert "-05:00" in found.reason
        assert "+01:00" in found.reason

    def test_a_zone_block_of_an_own_name(self) -> None:
        """Where the name is unknown, the block decides, and nothing is wrong."""
        lines = ("DTSTART;TZID=Corp:20260302T100000", "DURATION:PT1H")

        assert lint(file(*lines, head=block("Corp", "+0530")), OWNER) == []

    def test_dates_that_end_where_they_start(self) -> None:
        """One day, and how it is written."""
        found = only(file(DAYS[0], "DTEND;VALUE=DATE:20260302"))

        assert (found.severity, found.code) == ("note", "one-day")
        assert "20260303" in found.hint

    @pytest.mark.parametrize("lines", [(START,), (START, START.replace("DTSTART", "DTEND"))])
    def test_no_length(self, lines: tuple[str, ...]) -> None:
        """An event without an end has no length."""
        assert told(*lines) == [("note", "no-length")]


class TestSeries:
    @pytest.mark.parametrize(
        ("until", "code", "instead"),
        [
            ("20260316", "until-date", "UNTIL=20260316T090000Z"),
            ("20260318T120000", "until-floating", "UNTIL=20260316T090000Z"),
            ("20260316T070000Z", "until-before-start", "UNTIL=20260316T090000Z"),
            ("20260315T230000Z", "until-before-start", "UNTIL=20260316T090000Z"),
        ],
    )
    def test_ends(self, until: str, code: str, instead: str) -> None:
        """What an end means is told with the way to write it; it loses nothing."""
        found = only(file(*TIMES, f"RRULE:FREQ=WEEKLY;UNTIL={until}"))

        assert (found.severity, found.code, found.line) == ("note", code, 6)
        assert instead in found.hint

    @pytest.mark.parametrize(
        "until", ["20260316T090000Z", "20260316T225959Z", "20260315T120000Z", "20260318T000000Z"]
    )
    def test_ends_that_are_plain(self, until: str) -> None:
        """An end in UTC that cuts no occurrence off on its own day is no finding."""
        assert told(*TIMES, f"RRULE:FREQ=WEEKLY;UNTIL={until}") == []

    def test_floating_series_with_a_floating_end(self) -> None:
        """That is what RFC 5545 asks for."""
        lines = ("DTSTART:20260302T100000", "DURATION:PT1H")

        assert told(*lines, "RRULE:FREQ=DAILY;UNTIL=20260310T100000") == [("note", "floating")]

    def test_whole_days_with_a_time_at_the_end(self) -> None:
        """Only the date counts."""
        found = only(file(*DAYS, "RRULE:FREQ=DAILY;UNTIL=20260310T120000Z"))

        assert (found.severity, found.code) == ("note", "until-time")

    @pytest.mark.parametrize(("last", "codes"), [("20281124", []), ("20281125", ["RR20"])])
    def test_many_occurrences(self, last: str, codes: list[str]) -> None:
        """999 are fine; from 1000 on, a note warns of classic Outlook."""
        found = lint(file(*DAYS, f"RRULE:FREQ=DAILY;UNTIL={last}"), OWNER)

        assert [one.code for one in found] == codes
        assert {one.severity for one in found} <= {"note"}

    def test_exdate_that_names_nothing(self) -> None:
        """It is ignored."""
        found = only(file(*WEEKLY, "EXDATE;TZID=Europe/Berlin:20260310T100000"))

        assert (found.severity, found.code, found.line) == ("dropped", "exdate-unmatched", 7)
        assert found.reason == "EXDATE names no occurrence"

    def test_override_of_an_excluded_occurrence(self) -> None:
        """It counts for nothing."""
        one = override("20260309", "DTSTART:20260309T110000Z", "DTEND:20260309T120000Z")

        found = only(file(*WEEKLY, "EXDATE;TZID=Europe/Berlin:20260309T100000", more=one))

        assert (found.severity, found.code, found.line) == ("dropped", "override-excluded", 9)

    @pytest.mark.parametrize(
        ("to", "codes"),
        [
            ("20260315T230000Z", ["crosses-neighbour"]),
            ("20260302T200000Z", ["crosses-neighbour"]),
            ("20260315T220000Z", []),
            ("20260303T100000Z", []),
        ],
    )
    def test_override_on_the_day_of_its_neighbour(self, to: str, codes: list[str]) -> None:
        """The service refuses it; days are those of the series' zone."""
        one = override("20260309", f"DTSTART:{to}", "DURATION:PT1H")

        found = lint(file(*WEEKLY, more=one), OWNER)

        assert [one.code for one in found] == codes

    def test_an_excluded_neighbour_is_none(self) -> None:
        """An occurrence may take the day of one that is left out."""
        one = override("20260309", "DTSTART:20260316T100000Z", "DURATION:PT1H")
        excluded = "EXDATE;TZID=Europe/Berlin:20260316T100000"

        assert lint(file(*WEEKLY, excluded, more=one), OWNER) == []


class TestAlarms:
    def test_several(self) -> None:
        """The first counts; which one is told at each of the others."""
        found = only(file(*TIMES, *shown("TRIGGER:-PT15M"), *shown("TRIGGER:-PT1H")))

        assert (found.severity, found.code, found.line) == ("dropped", "second-alarm", 10)
        assert "line 6" in found.reason
        assert "15 minutes" in found.reason

    def test_the_one_that_was_agreed_upon(self) -> None:
        """Where the event is known, the alarm that it has counts."""
        lines = (*TIMES, *shown("TRIGGER:-PT15M"), *shown("TRIGGER:-PT1H"))
        agreed = item(*TIMES, *shown("TRIGGER:-PT1H"))

        (found,) = lint(file(*lines), OWNER, agreed)

        assert (found.code, found.line) == ("second-alarm", 6)

    @pytest.mark.parametrize(
        ("lines", "code"),
        [
            (shown("TRIGGER:PT5M"), "alarm-after-start"),
            (shown("TRIGGER;RELATED=END:PT0S"), "alarm-after-start"),
            (shown("TRIGGER;VALUE=DATE-TIME:20260302T093000Z"), "alarm-after-start"),
            (alarm("ACTION:EMAIL", "TRIGGER:-PT5M"), "alarm-action"),
            (alarm("TRIGGER:-PT5M"), "alarm-action"),
            (alarm("ACTION:DISPLAY"), "alarm-trigger"),
            (shown("TRIGGER:soon"), "alarm-trigger"),
            (shown("TRIGGER;VALUE=DATE-TIME:20260302T083000"), "alarm-trigger"),
        ],
    )
    def test_that_outlook_cannot_hold(self, lines: tuple[str, ...], code: str) -> None:
        """The alarm stays in the file."""
        found = only(file(*TIMES, *lines))

        assert (found.severity, found.code, found.line) == ("dropped", code, 6)

    def test_at_a_fixed_time(self) -> None:
        """In a single event it can be told, in a series or for whole days it cannot."""
        fixed = shown("TRIGGER;VALUE=DATE-TIME:20260302T083000Z")

        assert told(*TIMES, *fixed) == []
        assert told(*WEEKLY, *fixed) == [("dropped", "alarm-absolute")]
        assert told(*DAYS, *fixed) == [("dropped", "alarm-absolute")]

    @pytest.mark.parametrize(
        "trigger", ["TRIGGER:-PT90S", "TRIGGER;VALUE=DATE-TIME:20260302T085830Z"]
    )
    def test_seconds(self, trigger: str) -> None:
        """They are rounded to the earlier minute."""
        found = only(file(*TIMES, *shown(trigger)))

        assert (found.severity, found.code) == ("altered", "alarm-seconds")
        assert "2 minutes" in found.reason

    @pytest.mark.parametrize(("repeat", "codes"), [("2", ["alarm-repeat"]), ("0", [])])
    def test_repetition(self, repeat: str, codes: list[str]) -> None:
        """Outlook reminds once."""
        lines = alarm("ACTION:DISPLAY", "TRIGGER:-PT5M", f"REPEAT:{repeat}", "DURATION:PT5M")

        assert [code for _, code in told(*TIMES, *lines)] == codes

    def test_after_the_start_as_agreed_upon(self) -> None:
        """What the service itself holds is no finding."""
        agreed = Item(Event(item(*TIMES).master.when, reminder_min=-5))

        assert told(*TIMES, *shown("TRIGGER:PT5M"), base=agreed) == []

    def test_in_an_override(self) -> None:
        """An override's alarms are its own."""
        inner = ("DTSTART:20260309T090000Z", *shown("TRIGGER:-PT1M"), *shown("TRIGGER:-PT3M"))

        found = lint(
            file(*WEEKLY, *shown("TRIGGER:-PT2M"), more=override("20260309", *inner)), OWNER
        )

        assert [(one.code, one.line) for one in found] == [("no-length", 15), ("second-alarm", 20)]


class TestTextsAndWords:
    def test_a_long_title(self) -> None:
        """255 characters are fine."""
        assert told(*TIMES, f"SUMMARY:{'a' * 255}") == []
        assert told(*TIMES, f"SUMMARY:{'a' * 256}") == [("altered", "long-title")]

    @pytest.mark.parametrize("name", ["SUMMARY", "LOCATION", "DESCRIPTION", "CATEGORIES"])
    def test_control_characters(self, name: str) -> None:
        """They are left out."""
        assert told(*TIMES, f"{name}:a\x07b") == [("altered", "control-characters")]

    @pytest.mark.parametrize(
        ("name", "codes"),
        [("SUMMARY", ["line-breaks"]), ("LOCATION", ["line-breaks"]), ("DESCRIPTION", [])],
    )
    def test_line_breaks(self, name: str, codes: list[str]) -> None:
        """Titles and places are one line on the service, at their ends nothing is lost."""
        assert [code for _, code in told(*TIMES, f"{name}:a\\nb")] == codes
        assert told(*TIMES, f"{name}:a\\n") == []

    def test_categories(self) -> None:
        """A category that stands twice counts once; a very long one does not go."""
        assert told(*TIMES, "CATEGORIES:Work", "CATEGORIES:work") == [("note", "category-twice")]
        assert told(*TIMES, f"CATEGORIES:{'a' * 256}") == [("held", "category-too-long")]

    def test_unknown_class(self) -> None:
        """It counts as private."""
        assert told(*TIMES, "CLASS:X-SECRET") == [("altered", "class")]

    @pytest.mark.parametrize(("number", "written"), [("3", "PRIORITY:1"), ("7", "PRIORITY:9")])
    def test_priority(self, number: str, written: str) -> None:
        """A number that another machine would not show is noted with what it would show."""
        found = only(file(*TIMES, f"PRIORITY:{number}"))

        assert (found.severity, found.code) == ("note", "priority")
        assert written in found.reason

    @pytest.mark.parametrize("value", ["urgent", "10", "-1"])
    def test_priority_that_is_none(self, value: str) -> None:
        """It counts as normal."""
        assert told(*TIMES, f"PRIORITY:{value}") == [("altered", "priority")]

    def test_cancelled(self) -> None:
        """STATUS:CANCELLED deletes nothing, and the way to delete is told."""
        found = only(file(*TIMES, "STATUS:CANCELLED"))

        assert (found.severity, found.code) == ("dropped", "status-cancelled")
        assert "Delete the file" in found.hint

    def test_cancelled_by_its_organizer(self) -> None:
        """A meeting that its organizer cancelled says so, which is no finding."""
        when = item(*TIMES).master.when
        agreed = Item(Event(when, is_cancelled=True))

        assert told(*TIMES, "STATUS:CANCELLED", base=agreed) == []

    def test_unknown_status(self) -> None:
        """An event cannot be a draft."""
        assert told(*TIMES, "STATUS:DRAFT") == [("dropped", "status")]

    def test_two_lines_of_one(self) -> None:
        """The first counts; where they say the same, nothing is lost."""
        (found,) = lint(file(*TIMES, "SUMMARY:A", "SUMMARY:B"), OWNER)

        assert (found.severity, found.code, found.line) == ("dropped", "twice", 7)
        assert "line 6" in found.reason
        assert told(*TIMES, "SUMMARY:A", "SUMMARY:A") == []
        assert told(*TIMES, START.replace("Berlin", "London")) == [("dropped", "twice")]

    def test_junk(self) -> None:
        """A line that is no content line is named, wherever it stands."""
        data = file(
            *TIMES, "SUMMARY Lunch", *alarm("ACTION:DISPLAY", "TRIGGER:PT0S", "x"), head=("?",)
        )

        found = lint(data, OWNER)

        assert [(one.severity, one.line) for one in found] == [
            ("dropped", 2),
            ("dropped", 7),
            ("dropped", 11),
        ]
        assert {one.code for one in found} == {"no-content-line"}


class TestPeople:
    def test_a_new_meeting(self) -> None:
        """Whom the service would mail is noted by address."""
        found = only(file(*TIMES, MINE, ADA, BOB, "ATTENDEE:mailto:me@example.org"))

        assert (found.severity, found.code, found.line) == ("note", "would-invite", 7)
        assert "ada@example.org, bob@example.org" in found.reason
        assert "me@" not in found.reason

    def test_many_guests(self) -> None:
        """A long list is cut."""
        many = [f"ATTENDEE:mailto:guest{n}@example.org" for n in range(20)]

        assert "and 12 more" in only(file(*TIMES, *many)).reason

    def test_a_meeting_that_is_known(self) -> None:
        """It invites nobody anew."""
        lines = (*TIMES, MINE, ADA)

        assert lint(file(*lines), OWNER, item(*lines)) == []

    def test_a_guest_who_joins(self) -> None:
        """Of a meeting that is known, only who comes anew is named."""
        agreed = item(*TIMES, MINE, ADA)

        (found,) = lint(file(*TIMES, MINE, ADA, BOB), OWNER, agreed)

        assert (found.severity, found.code, found.line) == ("note", "would-invite", 7)
        assert "to bob@example.org" in found.reason

    def test_only_the_owner(self) -> None:
        """That is no meeting."""
        assert told(*TIMES, MINE, "ATTENDEE:mailto:ME@example.org") == []

    def test_a_meeting_of_somebody_else(self) -> None:
        """It is held as the round holds it, at its ORGANIZER line."""
        found = only(file(*TIMES, THEIRS, ADA, "ATTENDEE:mailto:me@example.org"))

        assert (found.severity, found.code, found.line) == ("held", "foreign-meeting", 6)
        assert "invite everyone anew" in found.reason

    def test_a_meeting_of_somebody_else_to_be_copied(self) -> None:
        """By the configuration it goes without its attendees."""
        (found,) = lint(file(*TIMES, THEIRS, ADA), OWNER, copy_foreign=True)

        assert (found.severity, found.code) == ("altered", "foreign-meeting")

    def test_whose_meeting_is_not_known(self) -> None:
        """Without addresses nothing is claimed about whose it is."""
        found = only(file(*TIMES, MINE, ADA), NOBODY)

        assert (found.severity, found.code) == ("note", "organizer")

    def test_an_organizer_without_guests(self) -> None:
        """Somebody else's name is not sent, the owner's is no finding."""
        assert told(*TIMES, THEIRS) == [("dropped", "organizer")]
        assert told(*TIMES, MINE) == []

    @pytest.mark.parametrize(
        "line", ["ATTENDEE:urn:uuid:7", "ATTENDEE;CN=Ada:https://example.org/ada"]
    )
    def test_without_a_mail_address(self, line: str) -> None:
        """The service cannot list them."""
        assert told(*TIMES, line) == [("dropped", "attendee-address")]

    def test_with_the_address_beside(self) -> None:
        """The EMAIL parameter of RFC 7986 will do."""
        assert told(*TIMES, "ATTENDEE;EMAIL=ada@example.org:urn:uuid:7") == []

    def test_answers_of_others(self) -> None:
        """They are noted once; the owner's own answer is the owner's."""
        lines = (
            ADA.replace(":mailto", ";PARTSTAT=ACCEPTED:mailto"),
            BOB.replace(":m", ";PARTSTAT=DECLINED:m"),
        )

        assert told(*TIMES, MINE, *lines) == [("note", "answers")]
        assert told(*TIMES, MINE, ADA, "ATTENDEE;PARTSTAT=ACCEPTED:mailto:me@example.org") == []

    def test_who_is_to_get_no_mail(self) -> None:
        """RFC 6638: such a guest is not listed on the service, unless they are there already."""
        silent = ADA.replace(":mailto", ";SCHEDULE-AGENT=NONE:mailto")
        when = item(*TIMES).master.when
        agreed = Item(Event(when, attendees=(Attendee("ada@example.org"),)))

        assert told(*TIMES, MINE, silent) == [("dropped", "attendee-silent")]
        assert told(*TIMES, MINE, silent, base=agreed) == []

    def test_an_organizer_who_mails_alone(self) -> None:
        """The event goes without people."""
        organizer = MINE.replace(":mailto", ";SCHEDULE-AGENT=CLIENT:mailto")

        assert told(*TIMES, organizer, ADA) == [("dropped", "attendee-silent")]

    def test_a_guest_twice(self) -> None:
        """The first line counts."""
        assert told(*TIMES, MINE, ADA, ADA.upper()) == [("note", "attendee-twice")]


class TestWithoutAField:
    def test_lines_that_go_along(self) -> None:
        """They are named together, in one note."""
        person = ("begin:participant", "UID:p", "END:PARTICIPANT")
        lines = ("COLOR:red", "URL:https://x", "X-FOO;A=1:b", "X-FOO:c", "ATTACH:https://x/y")

        found = only(file(*TIMES, *lines, *person))

        assert (found.severity, found.code, found.line) == ("note", "carried", 6)
        assert "COLOR, URL, X-FOO, ATTACH, PARTICIPANT:" in found.reason

    def test_a_line_that_is_too_long(self) -> None:
        """It stays on this machine; folds do not count."""
        long = "X-FOO:" + "\r\n ".join(["a" * 70] * 60)

        assert told(*TIMES, long) == [("dropped", "too-long")]
        assert told(*TIMES, long[:4000]) == [("note", "carried")]

    def test_too_many_lines(self) -> None:
        """The longest are left out until the rest fits."""
        lines = [f"X-N{n}:{'a' * (3000 + n)}" for n in range(7)]

        found = lint(file(*TIMES, *lines), OWNER)

        assert [(one.code, one.line) for one in found if one.severity == "dropped"] == [
            ("too-long", 11),
            ("too-long", 12),
        ]

    def test_attachments(self) -> None:
        """One in the file is attached; one that came from the service is no finding."""
        inline = "ATTACH;ENCODING=BASE64;VALUE=BINARY:eA=="
        known = "ATTACH;X-SYNCD-ATTACHMENT-ID=7:file:///x"

        assert told(*TIMES, inline) == [("note", "attachment")]
        assert told(*TIMES, known) == []

    def test_attachments_that_stay(self) -> None:
        """What is no file, stands twice, is too large or belongs to one occurrence is not sent."""
        inline = "ATTACH;ENCODING=BASE64;VALUE=BINARY:"
        large = b64encode(bytes(3_000_000)).decode()
        foreign = "ORGANIZER:mailto:carol@example.org", "ATTENDEE:mailto:me@example.org"

        assert told(*TIMES, inline + "??") == [("dropped", "attachment")]
        assert told(*TIMES, inline + large) == [("held", "large-attachment")]
        twice = told(*TIMES, inline + "eA==", inline + "eA==")
        assert sorted(twice) == [("dropped", "attachment"), ("note", "attachment")]
        assert ("dropped", "attachment") in told(*TIMES, *foreign, inline + "eA==")

    def test_a_point_that_is_none(self) -> None:
        """It is told once, with its line."""
        found = only(file(*TIMES, "GEO:north"))

        assert (found.severity, found.code, found.line) == ("dropped", "geo", 6)
        assert told(*TIMES, "GEO:48.2;16.37") == []

    @pytest.mark.parametrize(
        ("html", "codes"), [("<p>Soup &amp; <b>bread</b></p>", []), ("<p>Fish</p>", ["html"])]
    )
    def test_html_beside_the_text(self, html: str, codes: list[str]) -> None:
        """A form that says the same is no finding; of one that differs the text counts."""
        lines = ("DESCRIPTION:Soup & bread", f"X-ALT-DESC;FMTTYPE=text/html:{html}")

        assert told(*TIMES, *lines) == [("note", code) for code in codes]

    def test_an_online_meeting(self) -> None:
        """Asking for one is noted, unless there is one already."""
        asks = "X-SYNCD-ONLINE-MEETING:TRUE"
        agreed = Item(Event(item(*TIMES).master.when, join_url="https://meet.example/x"))

        assert told(*TIMES, asks) == [("note", "online-meeting")]
        assert told(*TIMES, asks, base=agreed) == []
        assert told(*TIMES, "X-SYNCD-ONLINE-MEETING:FALSE") == []


class TestOrder:
    def test_by_line(self) -> None:
        """Findings come in the order of the file, the same one once."""
        found = lint(file("CLASS:X", *TIMES, "CATEGORIES:a\\,b,a\\,b", "STATUS:DRAFT"), OWNER)

        assert [(one.line, one.code) for one in found] == [
            (4, "class"),
            (7, "category-separator"),
            (7, "category-twice"),
            (8, "status"),
        ]

    def test_more_than_anybody_reads(self) -> None:
        """A file of nothing but findings gives the first thousand and how many there are more."""
        found = lint(file(*TIMES, *["ATTACH;VALUE=BINARY:x"] * (MOST_FINDINGS + 5)), OWNER)

        assert len(found) == MOST_FINDINGS + 1
        assert "5 more" in found[-1].reason


LINES = st.builds(
    "{}{}:{}".format,
    st.sampled_from(
        [
            *("DTSTART", "DTEND", "DURATION", "RRULE", "EXDATE", "STATUS", "CLASS", "PRIORITY"),
            *("ATTENDEE", "ORGANIZER", "CATEGORIES", "X-FOO", "SUMMARY", "X-WR-TIMEZONE", "junk "),
        ]
    ),
    st.sampled_from(
        ["", ";VALUE=DATE", ";TZID=Europe/Berlin", ";TZID=Corp", ";SCHEDULE-AGENT=NONE"]
    ),
    st.sampled_from(
        [
            *("20260302", "20260302T100000Z", "20260329T023000", "00010101T000000", "45001231"),
            *(
                "FREQ=DAILY;UNTIL=99991231T235959Z",
                "FREQ=WEEKLY;UNTIL=20300101",
                "-PT90S",
                "P999999D",
            ),
            *("mailto:a@b", "urn:x", "CANCELLED", "7", "a,a,\\,", "\x00\\n", ""),
        ]
    ),
)


@given(
    st.lists(LINES, max_size=8),
    st.lists(LINES, max_size=5),
    st.lists(LINES, max_size=3),
    st.none() | items(),
)
def test_hostile_files(
    lines: list[str], own: list[str], inner: list[str], base: Item | None
) -> None:
    """Whatever stands in a file, lint ends, and tells every hold of the reader."""
    one = override("20260302", *own, *alarm(*inner))
    data = file(*TIMES, *lines, *alarm(*inner), head=block("Corp", "+2500"), more=one)

    found = lint(data, OWNER, base)

    there = read(data, OWNER, base)
    if isinstance(there, FileItem):
        assert {held.code for held in there.holds} <= {told.code for told in found}
        assert {held.line for held in there.holds} <= {told.line for told in found}


def test_the_readers_notes_are_shown() -> None:
    """Each note of the reader is a finding with its line, whatever it says."""
    data = file(*WEEKLY, "EXDATE:20260310", "junk")
    there = read(data, OWNER, None)
    assert isinstance(there, FileItem)

    lines = {one.line for one in lint(data, OWNER)}

    assert there.lint
    assert {int(found[0]) for note in there.lint if (found := re.findall(r"\d+", note))} <= lines
