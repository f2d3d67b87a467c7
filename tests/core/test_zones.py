"""Zone names, wall times, and zones that only a file describes."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Timezone
from icalendar.timezone import tzp
from tzlocal.windows_tz import win_tz

from syncd.core.vtimezone import vtimezone_lines
from syncd.core.zone_names import CURRENT_IANA, CURRENT_WINDOWS, DISPLAYED
from syncd.core.zones import (
    UTC_ZONE,
    WindowsZone,
    fixed_offsets,
    iana_name,
    instant,
    is_unresolvable_server_zone,
    wall_time,
    windows_zone,
    zone_by_rules,
    zone_info,
)

BERLIN = WindowsZone("W. Europe Standard Time")
NEW_YORK = WindowsZone("Eastern Standard Time")
INDIA = WindowsZone("India Standard Time")

WITHOUT_WINDOWS_ZONE = {"Antarctica/Troll", "Factory", "localtime"}


@pytest.mark.parametrize(
    ("tzid", "zone"),
    [
        *((name, "UTC") for name in ("UTC", "Etc/UTC", "Z", "GMT", "Etc/GMT", "utc")),
        ("tzone://Microsoft/Utc", "UTC"),
        ("(UTC) Coordinated Universal Time", "UTC"),
        ("Europe/Berlin", BERLIN),
        ("Europe/Vienna", BERLIN),
        ("europe/berlin", BERLIN),
        ('"W. Europe Standard Time"', BERLIN),
        ("w. europe standard time", BERLIN),
        ("/freeassociation.sourceforge.net/Europe/Berlin", BERLIN),
        ("/freeassociation.sourceforge.net/Tzfile/Europe/Berlin", BERLIN),
        ("/mozilla.org/20050126_1/Europe/Berlin", BERLIN),
        ("/softwarestudio.org/Olson_20011030_5/America/Indiana/Knox", "Central Standard Time"),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", BERLIN),
        ("(GMT+01.00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", BERLIN),
        ("(UTC+01:00) Brussels, Copenhagen, Madrid, Paris", "Romance Standard Time"),
        (
            "(UTC+01:00) Belgrade, Bratislava, Budapest, Ljubljana, Prague",
            "Central Europe Standard Time",
        ),
        ("(UTC+01:00) Sarajevo, Skopje, Warsaw, Zagreb", "Central European Standard Time"),
        ("(UTC+00:00) Dublin, Edinburgh, Lisbon, London", "GMT Standard Time"),
        ("(UTC-05:00) Eastern Time (US & Canada)", NEW_YORK),
        ("(UTC-08:00) Pacific Time (US & Canada)", "Pacific Standard Time"),
        ("(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi", INDIA),
        ("(UTC+09:00) Osaka, Sapporo, Tokyo", "Tokyo Standard Time"),
        ("(UTC+12:00) Auckland, Wellington", "New Zealand Standard Time"),
        ("US/East-Indiana", "US Eastern Standard Time"),
        ("EST5EDT", NEW_YORK),
        ("Europe/Uzhgorod", "FLE Standard Time"),
        ("Kamchatka Standard Time", "Russia Time Zone 11"),
        ("Mid-Atlantic Standard Time", "UTC-02"),
        ("UTC-02", "UTC-02"),
    ],
)
def test_name_is_resolved(tzid: str, zone: str) -> None:
    """All spellings of a zone lead to its one Windows name."""
    assert zone == windows_zone(tzid)


@pytest.mark.parametrize(
    "tzid",
    [
        "",
        " ",
        '"',
        "Nowhere/Land",
        "Antarctica/Troll",
        "Factory",
        "localtime",
        "Corp",
        "/",
        "//",
        "/mozilla.org",
        "/example.com/Corp",
        "(UTC+01:00)",
        "(UTC+01:00) Nowhere",
        "(UTC+01:00) Berlin, Paris",
        "tzone://Microsoft/Custom",
        "Customized Time Zone",
        "\x00\ud800",
        "x" * 100_000,
    ],
)
def test_name_without_a_zone_is_none(tzid: str) -> None:
    """A name that means no zone by itself is never guessed at."""
    assert windows_zone(tzid) is None


def test_every_iana_zone_but_three_has_a_windows_zone() -> None:
    """Only zones that Windows lacks, and two that are no places, stay without."""
    assert {
        iana for iana in available_timezones() if windows_zone(iana) is None
    } <= WITHOUT_WINDOWS_ZONE


@pytest.mark.parametrize("zone", sorted(win_tz))
def test_windows_zone_survives_the_way_through_iana(zone: str) -> None:
    """The TZID that we write for a zone is read back as the same zone."""
    assert zone == windows_zone(zone) == windows_zone(iana_name(WindowsZone(zone)))


def test_tables_of_names_lead_to_known_zones() -> None:
    """No line of the tables is dead."""
    assert all(windows_zone(old) == windows_zone(new) for old, new in CURRENT_IANA.items())
    assert all(windows_zone(old) == new for old, new in CURRENT_WINDOWS.items())
    assert all(windows_zone(f"(UTC) {shown}") == zone for shown, zone in DISPLAYED.items())


@pytest.mark.parametrize("name", ["tzone://Microsoft/Custom", "Customized Time Zone", "", " "])
def test_zone_that_only_the_service_knows_is_recognised(name: str) -> None:
    """The caller puts the mailbox zone in its place."""
    assert is_unresolvable_server_zone(name)


@pytest.mark.parametrize("name", ["tzone://Microsoft/Utc", "Nowhere/Land", "UTC"])
def test_other_zone_is_not_taken_for_it(name: str) -> None:
    """An unknown name is another matter."""
    assert not is_unresolvable_server_zone(name)


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        (datetime(2026, 7, 1, 10), datetime(2026, 7, 1, 8, tzinfo=UTC)),
        (datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        (datetime(2026, 10, 25, 2, 30), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (datetime(2026, 10, 25, 2, 30, fold=1), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (datetime(1, 1, 1), datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_wall_time_becomes_an_instant(wall: datetime, utc: datetime) -> None:
    """A missing time is read by the offset before the gap, a doubled one as the first."""
    assert utc == instant(wall, BERLIN)


@given(st.datetimes(), st.sampled_from(sorted(win_tz)))
def test_wall_time_never_fails(wall: datetime, name: str) -> None:
    """Every time has an instant and back, even at the ends of the calendar."""
    zone = WindowsZone(name)

    assert wall_time(instant(wall, zone), zone).tzinfo is None


WRITTEN_ZONES = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Chisinau",
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Nuuk",
    "America/St_Johns",
    "America/Havana",
    "America/Adak",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Easter",
    "Pacific/Kiritimati",
    "Pacific/Apia",
    "Pacific/Norfolk",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Gaza",
    "Asia/Jerusalem",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Etc/UTC",
]


def every_six_hours(first: int, last: int) -> list[datetime]:
    begin, end = datetime(first, 1, 1, 0, 30), datetime(last, 12, 31)
    return [begin + n * timedelta(hours=6) for n in range((end - begin) // timedelta(hours=6))]


@pytest.mark.parametrize("iana", WRITTEN_ZONES)
@pytest.mark.parametrize("year", [1995, 2026])
def test_block_has_the_offsets_of_its_zone(iana: str, year: int) -> None:
    """Six years of a written block are the zone's, to the hour."""
    rules, zone = fixed_offsets(vtimezone_lines("x", iana, from_year=year)), ZoneInfo(iana)
    assert rules is not None

    for at in every_six_hours(year, year + 5):
        utc = at.replace(tzinfo=UTC)
        assert utc.astimezone(zone).utcoffset() == utc.astimezone(rules).utcoffset()


@pytest.mark.parametrize("iana", WRITTEN_ZONES)
def test_block_is_understood_by_others(iana: str) -> None:
    """icalendar finds the same local times in a written block."""
    text = "\r\n".join(vtimezone_lines(f"test {iana}", iana, from_year=2026)) + "\r\n"
    parsed, zone = Timezone.from_ical(text), ZoneInfo(iana)
    assert isinstance(parsed, Timezone)
    theirs = parsed.to_tz(lookup_tzid=False)
    tzp.use_default()

    for at in every_six_hours(2026, 2035)[::28]:
        assert at.replace(tzinfo=zone).utcoffset() == at.replace(tzinfo=theirs).utcoffset()


@pytest.mark.parametrize("iana", ["Europe/Berlin", "America/New_York", "Africa/Casablanca"])
def test_local_times_of_a_block_are_those_of_its_zone(iana: str) -> None:
    """Around a change too: in the gap, in the doubled hour, and by `fold`."""
    rules, zone = fixed_offsets(vtimezone_lines("x", iana, from_year=2026)), ZoneInfo(iana)
    begin = datetime(2026, 1, 1)

    for at in (begin + n * timedelta(minutes=30) for n in range(365 * 48)):
        for fold in (0, 1):
            wall = at.replace(fold=fold)
            assert wall.replace(tzinfo=zone).utcoffset() == wall.replace(tzinfo=rules).utcoffset()


def test_block_of_a_settled_zone_is_two_rules() -> None:
    """A zone with a plain summer time needs no dates."""
    assert vtimezone_lines("Europe/Berlin", "Europe/Berlin", from_year=2026) == [
        "BEGIN:VTIMEZONE",
        "TZID:Europe/Berlin",
        "BEGIN:DAYLIGHT",
        "DTSTART:20250330T020000",
        "TZOFFSETFROM:+0100",
        "TZOFFSETTO:+0200",
        "TZNAME:CEST",
        "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
        "END:DAYLIGHT",
        "BEGIN:STANDARD",
        "DTSTART:20251026T030000",
        "TZOFFSETFROM:+0200",
        "TZOFFSETTO:+0100",
        "TZNAME:CET",
        "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU",
        "END:STANDARD",
        "END:VTIMEZONE",
    ]


def test_block_of_a_zone_without_summer_time_is_one_part() -> None:
    """Nothing repeats where nothing changes."""
    lines = vtimezone_lines("Pacific/Kiritimati", "Pacific/Kiritimati", from_year=2026)

    assert [line for line in lines[1:] if line.startswith("BEGIN")] == ["BEGIN:STANDARD"]
    assert "TZOFFSETTO:+1400" in lines


def test_block_of_an_old_series_keeps_up_with_newer_rules() -> None:
    """A series begun under the rules of 1995 has the offsets of today."""
    rules = fixed_offsets(vtimezone_lines("x", "America/New_York", from_year=1995))

    assert timedelta(hours=-4) == datetime(2026, 3, 20, tzinfo=rules).utcoffset()


def block(standard: str, daylight: str = "", tzid: str = "Corp") -> list[str]:
    """A block as Exchange writes it: rules since 1601."""
    parts = [
        f"BEGIN:STANDARD|DTSTART:16010101T030000|TZOFFSETFROM:{daylight or standard}|TZOFFSETTO:{standard}"
        + ("|RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10" if daylight else "")
        + "|END:STANDARD"
    ]
    if daylight:
        parts.append(
            f"BEGIN:DAYLIGHT|DTSTART:16010101T020000|TZOFFSETFROM:{standard}|TZOFFSETTO:{daylight}"
            "|RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3|END:DAYLIGHT"
        )
    return ["BEGIN:VTIMEZONE", f"TZID:{tzid}", *"|".join(parts).split("|"), "END:VTIMEZONE"]


def matched(lines: list[str], preferred: WindowsZone = BERLIN) -> WindowsZone | None:
    return zone_by_rules(
        lines, first=datetime(2026, 7, 1), last=datetime(2026, 7, 1), preferred=preferred
    )


def test_two_blocks_of_one_name_are_two_zones() -> None:
    """Each block stands for itself; nothing is remembered by name."""
    assert matched(block("+0100", "+0200")) == BERLIN
    assert matched(block("+0530")) == INDIA


def test_block_that_lies_about_its_name_changes_no_other() -> None:
    """A wrong block under a Windows name leaves the zone of that name alone."""
    lying = block("-0500", tzid="W. Europe Standard Time")

    assert matched(lying) not in {None, BERLIN}
    assert timedelta(hours=2) == datetime(2026, 7, 1, tzinfo=zone_info(BERLIN)).utcoffset()


def test_preferred_zone_wins_among_equals() -> None:
    """Of several zones with the same offsets the mailbox's own is taken, else the first by name."""
    romance = WindowsZone("Romance Standard Time")

    assert romance == matched(block("+0100", "+0200"), preferred=romance)
    assert matched(block("+0100", "+0200"), preferred=UTC_ZONE) == "Central Europe Standard Time"
    assert matched(block("+0000")) == UTC_ZONE


@pytest.mark.parametrize("zone", sorted(win_tz))
def test_every_zone_is_found_by_its_block(zone: str) -> None:
    """A block that we wrote for a zone leads back to that zone."""
    iana = iana_name(WindowsZone(zone))

    assert zone == matched(vtimezone_lines("x", iana, from_year=2025), WindowsZone(zone))


def test_zone_that_windows_lacks_is_not_found() -> None:
    """Troll, with two hours of summer time, is like no Windows zone."""
    assert matched(vtimezone_lines("x", "Antarctica/Troll", from_year=2025)) is None


def test_event_in_an_unknown_zone_has_its_instant() -> None:
    """Offsets of a block give the instant where no zone fits."""
    rules = fixed_offsets(block("+0123"))

    assert datetime(2026, 7, 1, 8, 37, tzinfo=UTC) == datetime(
        2026, 7, 1, 10, tzinfo=rules
    ).astimezone(UTC)


HOSTILE = [
    [],
    ["BEGIN:VTIMEZONE", "END:VTIMEZONE"],
    ["BEGIN:STANDARD", "END:STANDARD"],
    block("+9900"),
    block("+01:00"),
    [line.replace("YEARLY", "SECONDLY") for line in block("+0100", "+0200")],
    [line.replace("BYDAY=-1SU", "BYDAY=-9SU") for line in block("+0100", "+0200")],
    [line.replace("BYMONTH=3", "BYMONTH=99999999999999") for line in block("+0100", "+0200")],
    [line.replace("BYMONTH=3", "BYHOUR=1,2,3") for line in block("+0100", "+0200")],
    [line.replace("16010101", "99999999") for line in block("+0100")],
    [line.replace("16010101", "00000101") for line in block("+0100")],
    ["\x00", "\ud800:", ":", ";;;", "BEGIN:STANDARD"],
    ["x" * 1_000_000],
]


@pytest.mark.parametrize("lines", HOSTILE)
def test_unreadable_block_is_no_zone(lines: list[str]) -> None:
    """A block that cannot be read is neither a zone nor a crash."""
    assert matched(lines) is None
    assert fixed_offsets(lines) is None


@pytest.mark.parametrize(
    "lines",
    [
        [line.replace("BYMONTH=3", "BYMONTH=2;BYMONTHDAY=30") for line in block("+0100", "+0200")],
        [
            line.replace("-1SU;BYMONTH=3", "SU;BYMONTH=1,2,3,4,5")
            for line in block("+0100", "+0200")
        ],
        [line.replace("INTERVAL=1", "INTERVAL=9999") for line in block("+0100", "+0200")],
        block("+0100", "+0200") * 150,
        [line.replace("BYMONTH=3", "BYMONTH=2;BYMONTHDAY=30") for line in block("+0100", "+0200")]
        * 50,
        ["BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0000", "TZOFFSETTO:+0100"]
        + ["RDATE:" + ",".join(["19710101T000000"] * 400)] * 12
        + ["END:STANDARD"],
    ],
)
def test_laborious_block_is_answered_at_once(lines: list[str]) -> None:
    """No block keeps the reader busy."""
    begun = time.process_time()
    matched(lines)

    assert time.process_time() - begun < 5


@given(
    st.lists(st.text(alphabet="BEGIN:STANDRTZOFFSEOM+0123456789;=UL-,\n", max_size=40), max_size=8)
)
@settings(deadline=None)
def test_garbage_in_a_block_is_an_answer(lines: list[str]) -> None:
    """Whatever stands in a file, reading a block ends in a value."""
    fixed_offsets([*block("+0100")[:3], *lines, *block("+0100")[3:]])


@pytest.mark.parametrize("year", [1, 1600, 9999])
def test_far_years_are_matched_within_the_known_ones(year: int) -> None:
    """A date at the end of the calendar does not make the comparison fail."""
    at = datetime(year, 1, 1)

    assert zone_by_rules(block("+0530"), first=at, last=at, preferred=INDIA) == INDIA or year < 1950
