"""The numbered round-trip cases, as far as pure functions show them."""

from __future__ import annotations

import re
from datetime import date, datetime
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from syncd.core.basis import steady
from syncd.core.event import AllDay, Attendee, Changes, Event, FieldKey, Item, Person, Timed
from syncd.core.ids import Uid
from syncd.core.lines import Unreadable
from syncd.core.merge import changed, overlay
from syncd.core.names import file_name, folded
from syncd.core.recurrence import Recurrence
from syncd.core.wire.graph import create_body, patch_fields, read_item, uid_of
from syncd.core.wire.ics_read import FileItem, NotAnEvent, read
from syncd.core.wire.ics_rewrite import rewrite
from syncd.core.wire.ics_write import Stamps, local_view, render
from tests.core.test_graph_wire import exception, graph, moment, series
from tests.strategies import BERLIN, OWNER

STAMPS = Stamps("20260101T000000Z", "20260201T000000Z")
LATER = Stamps("20260101T000000Z", "20260301T000000Z")
UID = Uid("u")
START = "DTSTART;TZID=Europe/Berlin:20260302T100000"
END = "DTEND;TZID=Europe/Berlin:20260302T110000"


def file(*lines: str, head: str = "") -> bytes:
    text = f"BEGIN:VCALENDAR\n{head}BEGIN:VEVENT\nUID:u\n" + "\n".join(lines)
    return f"{text}\nEND:VEVENT\nEND:VCALENDAR\n".replace("\n", "\r\n").encode()


def found(data: bytes, base: Item | None = None) -> FileItem:
    item = read(data, OWNER, base)
    assert isinstance(item, FileItem), item
    return item


def item(*lines: str, base: Item | None = None, head: str = "") -> Item:
    there = found(file(*lines, head=head), base).item
    assert there is not None
    return there


def codes(*lines: str, base: Item | None = None, head: str = "") -> list[str]:
    return [one.code for one in found(file(*lines, head=head), base).holds]


def moved(base: Item, data: bytes) -> set[tuple[str, str]]:
    there = found(data, base).item
    assert there is not None
    return {(key.slot, key.name) for key in changed(base, there, local=True)}


def with_master(one: Item, **values: Any) -> Item:
    return msgspec.structs.replace(one, master=msgspec.structs.replace(one.master, **values))


def pulled(data: bytes, base: Item, target: Item) -> list[str]:
    """The lines of the file after the service's version moved from `base` to `target`."""
    keys = changed(base, target, local=False)
    after = rewrite(data, UID, overlay(base, keys, target), keys, LATER, OWNER, base)
    assert isinstance(after, bytes)
    return after.decode().split("\r\n")


def test_case_01_a_plain_event_has_no_organizer_and_no_alarm() -> None:
    """And bears the service's UID."""
    event = graph()
    data = render(uid_of(event), read_item(event, OWNER), STAMPS, OWNER)

    assert b"ORGANIZER" not in data
    assert b"VALARM" not in data
    assert found(data).uid == event.i_cal_uid


def test_case_02_a_wrapped_uid_is_unwrapped() -> None:
    """MS-OXCICAL: vCal-Uid."""
    wrapped = (
        "040000008200E00074C5B7101A82E008" + "0" * 40 + "1F000000"
        "7643616C2D556964010000006D6565742D37406578616D706C652E6F726700"
    )

    assert uid_of(graph(iCalUId=wrapped)) == "meet-7@example.org"


def test_case_03_any_uid_travels_in_the_extended_property() -> None:
    """As it is."""
    body = create_body(item(START), OWNER, Uid("a/b:c"), "t", with_attendees=False)

    assert [one["value"] for one in body["singleValueExtendedProperties"]] == ["a/b:c"]


def test_case_05_each_creation_has_its_own_transaction_id() -> None:
    """It is given, never derived from the UID."""
    bodies = [create_body(item(START), OWNER, UID, t, with_attendees=False) for t in ("1", "2")]

    assert [body["transactionId"] for body in bodies] == ["1", "2"]


def test_case_08_khals_rewrite_is_no_edit() -> None:
    """SEQUENCE, PRODID, order and its own VTIMEZONE."""
    base = item(START, END, "SUMMARY:a", "DESCRIPTION:b")
    zone = "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nEND:VTIMEZONE\n"
    data = file("SUMMARY:a", END, START, "DESCRIPTION:b", "SEQUENCE:1", head=f"PRODID:k\n{zone}")

    assert moved(base, data) == set()


def test_case_09_escapes_folds_and_emoji_survive() -> None:
    """Folded at 75 octets, unfolded exactly."""
    subject = "a, b; c\\d" + "😀" * 300
    data = render(UID, Item(Event(item(START).master.when, subject)), STAMPS, OWNER)

    assert max(map(len, data.split(b"\r\n"))) <= 75
    assert b"SUMMARY:a\\, b\\; c\\\\d" in data
    there = found(data).item
    assert there is not None
    assert there.master.subject == subject


def test_case_10_trailing_blank_lines_of_a_body_go() -> None:
    """And do not come back as an edit."""
    one = read_item(graph(body={"contentType": "text", "content": "x\r\n\r\n"}), OWNER)

    assert b"\r\nDESCRIPTION:x\r\n" in render(UID, one, STAMPS, OWNER)
    assert moved(local_view(one), render(UID, one, STAMPS, OWNER)) == set()


def test_case_17_the_text_of_an_untouched_body_is_the_one_it_had() -> None:
    """Also where a newer converter makes another of it; a body that was touched has its own."""
    html = {"contentType": "html", "content": "<p>Hi <b>Bob</b></p>"}
    one = read_item(graph(body=html), OWNER)
    base = with_master(one, body="* Hi Bob *")

    assert steady(one, base) == base
    touched = read_item(graph(body={**html, "content": "<p>Hi Ann</p>"}), OWNER)
    assert steady(touched, base) == touched


@pytest.mark.parametrize(
    "times",
    [
        (moment("2026-07-01T08:00:00.0000000"), moment("2026-07-01T09:00:00")),
        (
            moment("2026-07-01T10:00:00", "Europe/Berlin"),
            moment("2026-07-01T11:00:00", "Europe/Berlin"),
        ),
        (moment("2026-07-01T04:00:00", "Eastern Standard Time"), moment("2026-07-01T09:00:00")),
    ],
)
def test_case_22_the_answer_does_not_depend_on_the_preferred_zone(times: Any) -> None:
    """10:00 in Berlin, however it was asked for."""
    data = render(UID, read_item(graph(start=times[0], end=times[1]), OWNER), STAMPS, OWNER)

    assert b"DTSTART;TZID=Europe/Berlin:20260701T100000\r\n" in data
    assert b"DTEND;TZID=Europe/Berlin:20260701T110000\r\n" in data


def test_case_23_vienna_stays_vienna() -> None:
    """It goes as the Windows zone and keeps its name when the service moves the event."""
    data = file("DTSTART;TZID=Europe/Vienna:20260302T100000", "DURATION:PT1H")
    base = item("DTSTART;TZID=Europe/Vienna:20260302T100000", "DURATION:PT1H")
    when = Timed(datetime(2026, 3, 2, 12), BERLIN, datetime(2026, 3, 2, 13), BERLIN)

    body = create_body(base, OWNER, UID, "t", with_attendees=False)
    lines = pulled(data, base, with_master(base, when=when))

    assert body["start"]["timeZone"] == "W. Europe Standard Time"
    assert "DTSTART;TZID=Europe/Vienna:20260302T120000" in lines
    assert "DURATION:PT1H" in lines


@pytest.mark.parametrize(
    "tzid", ["europe/berlin", '"W. Europe Standard Time"', "/mozilla.org/20050126_1/Europe/Berlin"]
)
def test_case_24_spellings_of_a_zone_are_the_same_zone(tzid: str) -> None:
    """Switching between them is no edit."""
    assert moved(item(START), file(f"DTSTART;TZID={tzid}:20260302T100000")) == set()


CORP = """BEGIN:VTIMEZONE
TZID:Corp
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
"""
INDIA = """BEGIN:VTIMEZONE
TZID:Corp
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0530
TZOFFSETTO:+0530
END:STANDARD
END:VTIMEZONE
"""


def test_case_25_each_file_resolves_by_its_own_zone_block() -> None:
    """No block leaks into another file; and a private name is kept on a move."""
    line = "DTSTART;TZID=Corp:20260302T100000"
    ones = [item(line, head=head).master.when for head in (CORP, INDIA)]
    lying = CORP.replace("Corp", "W. Europe Standard Time").replace("+0", "-0")

    item("DTSTART;TZID=W. Europe Standard Time:20260302T100000", head=lying)

    zones = [when.start_zone for when in ones if isinstance(when, Timed)]
    assert zones == ["W. Europe Standard Time", "India Standard Time"]
    base = item(line, "RRULE:FREQ=WEEKLY", head=CORP)
    cancelled = msgspec.structs.replace(base, cancelled=frozenset({date(2026, 3, 9)}))
    lines = pulled(file(line, "RRULE:FREQ=WEEKLY", head=CORP), base, cancelled)
    assert "EXDATE;TZID=Corp:20260309T100000" in lines


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (("DTSTART;TZID=Nowhere/Land:20260701T100000",), "unknown-tzid"),
        (("DTSTART;TZID=Europe/Berlin:20260701T100000Z",), "z-and-tzid"),
        ((START, "DTEND;TZID=Europe/Berlin:20260302T090000"), "ends-before-start"),
        (("DTSTART;VALUE=DATE:20260701", "DTEND:20260702T000000Z"), "mixed-date-types"),
        (
            ("DTSTART;TZID=Antarctica/Troll:20260701T100000", "RRULE:FREQ=WEEKLY"),
            "zone-not-expressible",
        ),
        (("DTSTART;VALUE=DATE:20260701", "DURATION:PT5H"), "date-with-time-duration"),
        ((START, END, "DURATION:PT1H"), "dtend-and-duration"),
        (("DTSTART:15001231T000000Z",), "year-out-of-range"),
        (("SUMMARY:no time",), "bad-time"),
    ],
)
def test_cases_26_27_31_36_times_that_cannot_be_sent_are_held(
    lines: tuple[str, ...], code: str
) -> None:
    """The time alone; beside a base, the rest goes on syncing."""
    base = item(START, END, "SUMMARY:before")

    assert codes(*lines) == [code]
    assert found(file(*lines)).item is None
    beside = found(file(*lines, "LOCATION:new"), base)
    assert beside.item is not None
    assert beside.item.master.when == base.master.when
    assert beside.item.master.location == "new"


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        (("DTSTART;VALUE=DATE;TZID=Europe/Berlin:20260701",), 2),
        (("DTSTART;VALUE=DATE:20260701",), 2),
        (("DTSTART;VALUE=DATE:20260701", "DTEND;VALUE=DATE:20260701"), 2),
        (("DTSTART;VALUE=DATE:20260701", "DTEND;VALUE=DATE:20260704"), 4),
        (("DTSTART;VALUE=DATE:20260701", "DURATION:P3D"), 4),
        (
            (
                "DTSTART;TZID=Europe/Berlin:20260701T000000",
                "DTEND;TZID=Europe/Berlin:20260702T000000",
                "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE",
            ),
            2,
        ),
    ],
)
def test_cases_28_33_37_whole_days(lines: tuple[str, ...], end: int) -> None:
    """However they are spelled."""
    assert item(*lines).master.when == AllDay(date(2026, 7, 1), date(2026, 7, end))


def test_case_29_a_floating_time_stays_floating_when_it_moves() -> None:
    """Unless the service gives it another zone."""
    data, base = file("DTSTART:20260302T100000"), item("DTSTART:20260302T100000")
    eleven = Timed(datetime(2026, 3, 2, 11), BERLIN, datetime(2026, 3, 2, 11), BERLIN)
    east = "Eastern Standard Time"
    there = Timed(datetime(2026, 3, 2, 11), east, datetime(2026, 3, 2, 11), east)

    assert "DTSTART:20260302T110000" in pulled(data, base, with_master(base, when=eleven))
    lines = pulled(data, base, with_master(base, when=there))
    assert "DTSTART;TZID=America/New_York:20260302T110000" in lines


def test_case_30_start_and_end_have_zones_of_their_own() -> None:
    """Both are sent and both come back."""
    base = item(START, "DTEND;TZID=America/New_York:20260302T120000")
    body = create_body(base, OWNER, UID, "t", with_attendees=False)

    assert body["end"] == {"dateTime": "2026-03-02T12:00:00", "timeZone": "Eastern Standard Time"}
    assert b"DTEND;TZID=America/New_York:20260302T120000\r\n" in render(UID, base, STAMPS, OWNER)


def test_case_32_a_zone_only_the_service_knows_is_the_mailboxs() -> None:
    """A title edit is a title edit."""
    one = read_item(graph(originalStartTimeZone="tzone://Microsoft/Custom"), OWNER)
    data = render(UID, one, STAMPS, OWNER)

    assert b"DTSTART;TZID=Europe/Berlin:20260701T100000\r\n" in data
    assert moved(local_view(one), data.replace(b"Lunch", b"Dinner")) == {("", "subject")}


def test_case_34_a_move_of_the_same_length_replaces_the_start_only() -> None:
    """DURATION stays."""
    lines = (START, "DURATION:PT90M", "SUMMARY:x")
    base = item(*lines)
    when = Timed(datetime(2026, 3, 2, 11), BERLIN, datetime(2026, 3, 2, 12, 30), BERLIN)

    after = pulled(file(*lines), base, with_master(base, when=when))

    expected = [line.replace("T100000", "T110000") for line in file(*lines).decode().split("\r\n")]
    assert after == expected


def test_case_35_no_end_is_added_to_an_event_without_one() -> None:
    """It has no length; moved, it still has none."""
    base = item(START)
    when = Timed(datetime(2026, 3, 2, 11), BERLIN, datetime(2026, 3, 2, 11), BERLIN)

    assert not any(
        "DTEND" in line for line in pulled(file(START), base, with_master(base, when=when))
    )


def test_case_38_an_all_day_exception_has_the_day_of_its_zone() -> None:
    """Midnight in Auckland is noon before in UTC; known zone or not."""
    rule: dict[str, Any] = {
        "pattern": {"type": "daily", "interval": 2},
        "range": {"type": "noEnd", "recurrenceTimeZone": "New Zealand Standard Time"},
    }
    one = exception(
        originalStart="2026-01-11T11:00:00Z",
        isAllDay=True,
        start=moment("2026-01-12T00:00:00"),
        end=moment("2026-01-13T00:00:00"),
        subject="Moved",
    )
    span = {"start": moment("2026-01-10T00:00:00"), "end": moment("2026-01-11T00:00:00")}
    for zone in ("New Zealand Standard Time", "", None):
        rule["range"] = {**rule["range"], "recurrenceTimeZone": zone}
        event = graph(
            isAllDay=True,
            recurrence=rule,
            originalStartTimeZone="",
            exceptionOccurrences=[one],
            **span,
        )
        data = render(UID, read_item(event, OWNER), STAMPS, OWNER)
        assert b"RECURRENCE-ID;VALUE=DATE:20260112\r\n" in data


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (("RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY"), "RR17"),
        (("RRULE:FREQ=DAILY", "RDATE:20260303T100000"), "RR18"),
        (("RRULE:FREQ=DAILY", "EXRULE:FREQ=WEEKLY"), "RR17"),
        (("RRULE:FREQ=DAILY;COUNT=1000",), "RR19"),
        (("RRULE:FREQ=DAILY;COUNT=5;UNTIL=20270101T000000Z",), "RR23"),
        (("RRULE:FREQ=WEEKLY;BYDAY=WE",), "RR22"),
        (("RRULE:FREQ=HOURLY",), "RR01"),
    ],
)
def test_cases_51_to_56_rules_that_outlook_lacks_are_held(
    lines: tuple[str, ...], code: str
) -> None:
    """The recurrence alone; beside a base it reads as the base's."""
    base = item(START, "RRULE:FREQ=DAILY;COUNT=3")

    assert codes(START, *lines) == [code]
    assert moved(base, file(START, *lines)) == set()


def test_case_57_a_rule_edited_to_and_fro_leaves_nothing() -> None:
    """Held meanwhile; the server's title still comes, and the held rule stays in the file."""
    base = item(START, "RRULE:FREQ=DAILY;COUNT=3")
    data = file(START, "RRULE:FREQ=HOURLY", "SUMMARY:x")
    base = with_master(base, subject="x")
    when = Timed(datetime(2026, 3, 2, 11), BERLIN, datetime(2026, 3, 2, 11), BERLIN)

    lines = pulled(data, base, with_master(base, subject="y", when=when))

    assert "RRULE:FREQ=HOURLY" in lines
    assert "SUMMARY:y" in lines


def test_case_58_a_cancelled_occurrence_is_an_exdate() -> None:
    """In the form of DTSTART."""
    one = series(cancelledOccurrences=["OID.x.2026-07-08"])

    assert b"EXDATE;TZID=Europe/Berlin:20260708T100000\r\n" in render(UID, one, STAMPS, OWNER)


def test_case_59_an_exdate_in_utc_cancels_once() -> None:
    """However clients merge it afterwards."""
    base = item(START, "RRULE:FREQ=DAILY")
    first = file(START, "RRULE:FREQ=DAILY", "EXDATE:20260330T080000Z")
    after = item(START, "RRULE:FREQ=DAILY", "EXDATE:20260330T080000Z")

    assert moved(base, first) == {("2026-03-30", "cancelled")}
    assert (
        moved(after, file(START, "RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:20260330,20260330"))
        == set()
    )


def override(*lines: str, at: str = "20260309T100000") -> tuple[str, ...]:
    own = ("END:VEVENT", "BEGIN:VEVENT", "UID:u", f"RECURRENCE-ID;TZID=Europe/Berlin:{at}")
    return (*own, *lines)


WEEKLY = (START, END, "RRULE:FREQ=WEEKLY", "SUMMARY:a")
SAME = ("DTSTART;TZID=Europe/Berlin:20260309T100000", "DTEND;TZID=Europe/Berlin:20260309T110000")


def test_case_61_an_override_changes_its_own_occurrence_only() -> None:
    """Start and end of that slot."""
    later = (
        "DTSTART;TZID=Europe/Berlin:20260309T110000",
        "DTEND;TZID=Europe/Berlin:20260309T120000",
    )

    assert moved(item(*WEEKLY), file(*WEEKLY, *override(*later, "SUMMARY:a"))) == {
        ("2026-03-09", "when")
    }


def test_cases_62_63_an_exception_is_a_full_copy_and_an_equal_one_is_none() -> None:
    """With the master's UID, and every property."""
    changed_ = series(
        exceptionOccurrences=[exception(subject="Moved", location={"displayName": "B"})]
    )
    data = render(UID, changed_, STAMPS, OWNER).decode()

    own = data.split("BEGIN:VEVENT")[2]
    for line in (
        "UID:u",
        "RECURRENCE-ID;TZID=Europe/Berlin:20260708T100000",
        "SUMMARY:Moved",
        "LOCATION:B",
        "DTSTART;TZID=Europe/Berlin:20260708T100000",
    ):
        assert f"\r\n{line}\r\n" in own
    neutral = series(exceptionOccurrences=[exception()])
    assert render(UID, neutral, STAMPS, OWNER).count(b"BEGIN:VEVENT") == 1


def test_case_64_a_deleted_override_goes_back_to_the_series_or_is_cancelled() -> None:
    """Depending on whether an EXDATE took its place."""
    base = item(*WEEKLY, *override(*SAME, "SUMMARY:b"))

    assert moved(base, file(*WEEKLY)) == {("2026-03-09", "subject")}
    gone = file(*WEEKLY, "EXDATE;TZID=Europe/Berlin:20260309T100000")
    assert ("2026-03-09", "cancelled") in moved(base, gone)


def test_case_65_an_inheriting_override_follows_in_the_same_write() -> None:
    """Both VEVENTs are updated; what the override owns stays."""
    lines = (*WEEKLY, *override(*SAME, "SUMMARY:a", "LOCATION:own"))
    base = item(*lines)

    after = pulled(file(*lines), base, with_master(base, subject="new"))

    assert after.count("SUMMARY:new") == 2
    assert "LOCATION:own" in after


def test_case_66_slots_are_bound_to_the_new_time_of_a_series() -> None:
    """EXDATE, RECURRENCE-ID and what the override inherits move; its slots stay."""
    exdate = "EXDATE;TZID=Europe/Berlin:20260316T100000,20260323T100000"
    lines = (*WEEKLY, exdate, *override(*SAME, "SUMMARY:b"))
    base = item(*lines)
    when = Timed(datetime(2026, 3, 2, 11), BERLIN, datetime(2026, 3, 2, 12), BERLIN)

    after = pulled(file(*lines), base, with_master(base, when=when))

    assert not any("T100000" in line for line in after)
    there = found("\r\n".join(after).encode(), base).item
    assert there is not None
    assert (set(there.cancelled), set(there.overrides)) == (
        {date(2026, 3, 16), date(2026, 3, 23)},
        {date(2026, 3, 9)},
    )


def test_an_occurrence_that_comes_back_leaves_the_other_exdates() -> None:
    """One value is taken out of the list, the rest of the line stays."""
    exdate = "EXDATE;TZID=Europe/Berlin:20260316T100000,20260323T100000"
    base = item(*WEEKLY, exdate)
    target = msgspec.structs.replace(base, cancelled=frozenset({date(2026, 3, 23)}))

    assert "EXDATE;TZID=Europe/Berlin:20260323T100000" in pulled(
        file(*WEEKLY, exdate), base, target
    )


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (override(*SAME, "RRULE:FREQ=DAILY"), "recurring-override"),
        (override(*SAME, at="20260310T100000"), "orphan-override"),
        (override(*SAME, "STATUS:CANCELLED"), "cancelled-override"),
        ((*override(*SAME), *override(*SAME, "SUMMARY:Other")), "two-overrides"),
    ],
)
def test_case_67_overrides_that_make_no_sense_are_held(lines: tuple[str, ...], code: str) -> None:
    """They alone; and where they take no part, the service's edits leave their lines alone."""
    base, data = item(*WEEKLY), file(*WEEKLY, *lines)

    assert codes(*WEEKLY, *lines) == [code]
    if code in ("recurring-override", "orphan-override"):
        after = pulled(data, base, with_master(base, subject="new", location="new"))
        assert "\r\n".join(lines[1:]) in "\r\n".join(after)


ME = "ATTENDEE;PARTSTAT=%s:mailto:me@example.org"
CAROL = "ORGANIZER;CN=Carol:mailto:carol@example.com"


def test_case_68_a_guest_makes_it_a_meeting() -> None:
    """With the guest alone in the list."""
    one = item(START, "ATTENDEE:mailto:bob@example.org", ME % "ACCEPTED")

    body = create_body(one, OWNER, UID, "t", with_attendees=True)
    assert [a["emailAddress"]["address"] for a in body["attendees"]] == ["bob@example.org"]


def test_case_70_the_owners_answer_is_an_edit() -> None:
    """Of the master or of one occurrence; a line that is gone is none."""
    base = item(*WEEKLY, CAROL, ME % "NEEDS-ACTION")

    assert moved(base, file(*WEEKLY, CAROL, ME % "ACCEPTED")) == {("", "response")}
    one = override(*SAME, "SUMMARY:a", CAROL, ME % "DECLINED")
    assert moved(base, file(*WEEKLY, CAROL, ME % "NEEDS-ACTION", *one)) == {
        ("2026-03-09", "response")
    }
    accepted = item(*WEEKLY, CAROL, ME % "ACCEPTED")
    assert moved(accepted, file(*WEEKLY, CAROL)) == set()


def test_case_71_what_others_answered_is_theirs() -> None:
    """CN, RSVP and PARTSTAT of others are no edit, on the series or on one occurrence."""
    bob = "ATTENDEE;CN=Bob;PARTSTAT=ACCEPTED:mailto:bob@example.org"
    other = "ATTENDEE;CN=Robert;RSVP=TRUE;PARTSTAT=DECLINED:mailto:BOB@example.org"
    base = item(*WEEKLY, bob, *override(*SAME, "SUMMARY:a", bob))

    assert moved(base, file(*WEEKLY, other, *override(*SAME, "SUMMARY:a", other))) == set()


def test_an_answer_from_the_service_touches_that_line_alone() -> None:
    """Other parameters, other people and lines that are no business of Graph's stay."""
    lines = (
        START,
        "ORGANIZER:mailto:me@example.org",
        "ATTENDEE;ROLE=CHAIR;PARTSTAT=ACCEPTED:mailto:me@example.org",
        "ATTENDEE;X-NUM-GUESTS=2;CN=Bob:mailto:bob@example.org",
        'ATTENDEE;MEMBER="mailto:a@x","mailto:b@x":mailto:dave@example.org',
        "ATTENDEE:urn:uuid:1",
    )
    base = item(*lines)
    yes = msgspec.structs.replace(base.master.attendees[0], status="accepted")
    target = with_master(base, attendees=(yes, base.master.attendees[1]))

    after = pulled(file(*lines), base, target)

    expected = [*lines[:3], lines[3].replace("CN=Bob", "CN=Bob;PARTSTAT=ACCEPTED"), *lines[4:]]
    assert [line for line in after if line in expected] == expected


def test_case_72_a_group_guest_gets_a_line_that_is_never_pushed() -> None:
    """Own address missing from the list of attendees."""
    event = graph(
        isOrganizer=False,
        attendees=[{"emailAddress": {"address": "team@example.com"}}],
        organizer={"emailAddress": {"address": "carol@example.com"}},
    )
    one = read_item(event, OWNER)

    data = render(UID, one, STAMPS, OWNER)

    assert b"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:me@example.org\r\n" in data
    assert [a.address for a in one.master.attendees] == ["team@example.com"]
    assert moved(local_view(one), data) == set()


def test_case_73_a_dropped_busystatus_is_no_edit_and_transparent_is() -> None:
    """Clients drop lines that they do not know."""
    base = item(START, "X-MICROSOFT-CDO-BUSYSTATUS:OOF")

    assert moved(base, file(START)) == set()
    free = file(START, "X-MICROSOFT-CDO-BUSYSTATUS:OOF", "TRANSP:TRANSPARENT")
    assert moved(base, free) == {("", "show_as")}
    assert moved(base, file(START, "TRANSP:TRANSPARENT")) == {("", "show_as")}


@pytest.mark.parametrize(
    ("line", "now"),
    [("CLASS:PRIVATE", None), ("CLASS:PUBLIC", "normal"), ("CLASS:X-SECRET", "private")],
)
def test_case_74_personal_is_private_in_a_file(line: str, now: str | None) -> None:
    """An unknown class counts as private (RFC 5545 3.8.1.3)."""
    base = local_view(read_item(graph(sensitivity="personal"), OWNER))
    base = with_master(base, when=item(START).master.when, subject="")

    assert moved(base, file(START, line)) == ({("", "sensitivity")} if now else set())


@pytest.mark.parametrize(("priority", "now"), [("3", "high"), ("5", "normal"), ("9", "low")])
def test_case_75_a_number_in_the_same_band_is_no_edit(priority: str, now: str) -> None:
    """High, normal, low."""
    assert item(START, f"PRIORITY:{priority}").master.importance == now


def test_case_76_categories_are_a_set() -> None:
    """Regardless of case and lines; one with a comma is held alone."""
    base = item(START, "CATEGORIES:Red,Work")

    assert moved(base, file(START, "CATEGORIES:Work", "CATEGORIES:red")) == set()
    lines = (START, "CATEGORIES:Red,Work", "CATEGORIES:a\\,b")
    assert codes(*lines, base=base) == ["category-separator"]
    assert moved(base, file(*lines)) == set()


def alarm(trigger: str, action: str = "DISPLAY") -> tuple[str, ...]:
    return ("BEGIN:VALARM", f"ACTION:{action}", f"TRIGGER{trigger}", "END:VALARM")


def test_case_77_a_trigger_may_be_spelled_in_many_ways() -> None:
    """Only the TRIGGER line moves when the service's number does."""
    base = item(START, *alarm(":-P1D"))

    assert base.master.reminder_min == 1440
    assert moved(base, file(START, *alarm(":-PT24H"))) == set()
    after = pulled(file(START, *alarm(":-P1D")), base, with_master(base, reminder_min=30))
    assert after == file(START, *alarm(":-PT30M")).decode().split("\r\n")


def test_case_78_the_first_alarm_that_graph_can_hold_counts() -> None:
    """The others are kept; no alarm is said explicitly at creation."""
    lines = (START, *alarm(":-P1D", "EMAIL"), *alarm(":-PT15M"), *alarm(":PT5M"))

    assert item(*lines).master.reminder_min == 15
    body = create_body(item(START), OWNER, UID, "t", with_attendees=False)
    assert body["isReminderOn"] is False
    assert "reminderMinutesBeforeStart" not in body
    base = item(*lines)
    after = pulled(file(*lines), base, with_master(base, reminder_min=None))
    assert after == file(START, *lines[1:5], *lines[9:]).decode().split("\r\n")


def test_case_79_the_join_link_is_minted_and_own_links_are_kept() -> None:
    """Deleting the minted line is no edit."""
    base = with_master(item(START), join_url="https://join.example/1")
    data = file(START, "CONFERENCE;VALUE=URI:https://meet.example/x")

    assert moved(base, data) == set()
    after = pulled(data, base, with_master(base, join_url="https://join.example/2"))
    assert sum("CONFERENCE" in line for line in after) == 2


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (file(START, "END:VEVENT", "BEGIN:VTODO", "END:VTODO", "BEGIN:VEVENT"), "mixed-components"),
        (file(START, "END:VEVENT", "BEGIN:VEVENT", "UID:v"), "several-uids"),
        (file(START, head="METHOD:REQUEST\n"), "itip-message"),
        (b"", "empty-file"),
        (file(START, "SUMMARY:x").replace(b"SUMMARY:x", b"SUMMARY:\xe4"), "encoding"),
        (file(START) * 2, "several-calendars"),
        (file(START, "END:VEVENT", "BEGIN:VEVENT", "UID:u"), "two-masters"),
        (file(START, "RECURRENCE-ID:20260302T090000Z"), "no-master"),
        (file(START).replace(b"UID:u\r\n", b""), "no-uid"),
        (file(START).replace(b"\r\n", b"\r"), "parse-error"),
    ],
)
def test_case_82_files_that_are_no_item(data: bytes, code: str) -> None:
    """Each with its code."""
    trouble = read(data, OWNER, None)

    assert isinstance(trouble, Unreadable)
    assert trouble.code == code


def test_case_82_a_task_is_left_alone() -> None:
    """It is no event and no trouble."""
    data = b"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:u\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"

    assert read(data, OWNER, None) == NotAnEvent(("VTODO",))


def test_case_83_a_junk_line_is_kept() -> None:
    """Byte for byte, with a note; other edits still sync."""
    data = file(START, "SUMMARY:a", "this is junk")
    base = item(START, "SUMMARY:a")

    assert found(data).lint == ("line 6 is no content line; it is kept as it is",)
    assert "this is junk" in pulled(data, base, with_master(base, subject="b"))


def test_case_85_names_that_a_folding_disk_takes_for_one_are_told_apart() -> None:
    """The second name bears the hash of its UID; long UIDs and devices are hashed whole."""
    hashes = {uid: sha256(uid.encode()).hexdigest() for uid in ("abc", "CON", "x" * 5000)}
    first = file_name(Uid("Abc"), frozenset())

    assert first == "Abc.ics"
    assert file_name(Uid("abc"), {folded(first)}) == f"abc-{hashes['abc'][:8]}.ics"
    for uid in ("CON", "x" * 5000):
        assert file_name(Uid(uid), frozenset()) == f"{hashes[uid][:40]}.ics"


def test_a_rewrite_keeps_the_files_line_ends_and_bom() -> None:
    """LF stays LF."""
    data = b"\xef\xbb\xbf" + file(*WEEKLY, "DTSTAMP:20250101T000000Z").replace(b"\r\n", b"\n")
    base = item(*WEEKLY)
    key = FieldKey("", "body")
    target = with_master(base, body="long " * 40)

    after = rewrite(data, UID, target, [key], LATER, OWNER, base)

    assert isinstance(after, bytes)
    assert after.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in after
    assert b"DTSTAMP:20260301T000000Z\n" in after


def test_hostile_values_never_become_lines() -> None:
    """Names, addresses and zones are data, whatever they hold."""
    evil = 'x"\r\nX-EVIL:1\n;:,^n\x0b\x85'
    people = (Attendee(evil, evil),)
    event = Event(item(START).master.when, evil, evil, evil, attendees=people, join_url=evil)
    event = msgspec.structs.replace(event, organizer=Person(evil, evil), categories=(evil,))

    data = render(Uid(evil), Item(event), STAMPS, OWNER)

    assert not re.search(rb"(?m)^X-EVIL", data.replace(b"\r\n ", b""))
    assert isinstance(read(data, OWNER, None), FileItem)


def test_a_series_time_changed_in_the_file_takes_its_slots_along() -> None:
    """The author moved DTSTART only: stale EXDATE and RECURRENCE-ID lines are rebound."""
    exdate = "EXDATE;TZID=Europe/Berlin:20260316T100000"
    base = item(*WEEKLY, exdate, *override(*SAME, "SUMMARY:b"))
    edited = file(*WEEKLY, exdate, *override(*SAME, "SUMMARY:b"))
    edited = edited.replace(b"20260302T110000", b"20260302T120000").replace(
        b"20260302T100000", b"20260302T110000"
    )
    local = found(edited, base).item
    assert local is not None

    after = rewrite(edited, UID, local, [], LATER, OWNER, base, frozenset({"when"}))

    assert isinstance(after, bytes)
    assert b"T100000" not in after
    assert changed(local, found(after, local).item or local, local=True) == frozenset()


def test_an_unwritten_part_of_a_body_edit_is_an_empty_patch() -> None:
    """Nothing to send is said by an empty object."""
    server = graph(body={"contentType": "text", "content": "x\n\n\ny"})
    wanted = Event(read_item(server, OWNER).master.when, body="x\n\ny")

    parts, holds = patch_fields(
        ["body"], wanted, server, OWNER, slot="", recurrence=None, replace_rich=False
    )

    assert (parts, holds) == ({"body": {}}, [])


def test_the_empty_rule_of_a_single_event_leaves_no_series() -> None:
    """The service made a single event of a series: rule, EXDATEs and overrides go."""
    lines = (*WEEKLY, "EXDATE;TZID=Europe/Berlin:20260316T100000", *override(*SAME, "SUMMARY:a"))
    base = item(*lines)

    after = pulled(file(*lines), base, Item(base.master))

    assert not any(line.startswith(("RRULE", "EXDATE", "RECURRENCE-ID")) for line in after)
    assert base.recurrence == Recurrence("weekly", days=("monday",))
    assert base.overrides == {date(2026, 3, 9): Changes()}
