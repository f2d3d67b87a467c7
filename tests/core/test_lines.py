"""Content lines: syntax, bytes and escapes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.lines import (
    Document,
    Unreadable,
    escape,
    folded,
    line_text,
    new_line,
    param,
    parse,
    quoted,
    split_list,
    to_bytes,
    unescape,
    with_params,
    with_value,
)

CALENDAR = b"BEGIN:VCALENDAR\r\n%s\r\nEND:VCALENDAR\r\n"
PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=200)


def read(data: bytes) -> Document:
    found = parse(data)
    assert isinstance(found, Document), found
    return found


@given(PRINTABLE)
def test_text_survives_escaping_and_folding(text: str) -> None:
    """Unfolded and unescaped it is what it was, no line longer than 75 octets."""
    raw = folded("X:" + escape(text + "\n" + text))
    document = read(CALENDAR % raw.removesuffix(b"\r\n"))

    (line,) = document.calendar.lines("X")
    assert unescape(line.value) == f"{text}\n{text}"
    assert max(map(len, raw.split(b"\r\n"))) <= 75


@given(PRINTABLE)
def test_a_parameter_value_survives_quoting(value: str) -> None:
    """Quotes, carets, colons and commas included (RFC 6868)."""
    line = new_line(f"X;CN={quoted(value)};B=1:v")

    assert (param(line, "CN"), param(line, "B"), line.value) == (value, "1", "v")


@given(st.lists(PRINTABLE.map(str.strip).filter(bool), max_size=5))
def test_a_list_survives_its_commas(values: list[str]) -> None:
    """Escaped commas and backslashes do not split."""
    assert split_list(",".join(escape(value) for value in values)) == values


@settings(max_examples=120)
@given(st.binary(max_size=200))
def test_whatever_can_be_parsed_goes_back_byte_for_byte(inner: bytes) -> None:
    """Junk lines, odd folds and line ends included."""
    data = b"\xef\xbb\xbf\n" + CALENDAR % inner

    found = parse(data)

    assert isinstance(found, Unreadable) or to_bytes(found) == data


@pytest.mark.parametrize(
    ("text", "name", "tzid", "value"),
    [
        (
            "DTSTART;TZID=(UTC+01:00) Amsterdam, Bern:20260701T100000",
            *("DTSTART", "(UTC+01:00) Amsterdam, Bern", "20260701T100000"),
        ),
        (
            "DTSTART;TZID=tzone://Microsoft/Utc:20260701T100000",
            *("DTSTART", "tzone://Microsoft/Utc", "20260701T100000"),
        ),
        ('dtstart;tzid="Europe/Berlin";x=1:20260701', "DTSTART", "Europe/Berlin", "20260701"),
        ("no content line", "", "", ""),
        (";X=1:2", "", "", ""),
        ('X;A="open:1', "", "", ""),
    ],
)
def test_lines_are_taken_apart(text: str, name: str, tzid: str, value: str) -> None:
    """Names in upper case, values unquoted; what is no content line has no name."""
    line = new_line(text)

    assert (line.name, param(line, "TZID"), line.value) == (name, tzid, value)


def test_a_fold_may_split_a_character() -> None:
    """Bytes are unfolded before they are decoded."""
    data = CALENDAR % "X:ä".encode().replace(b"\xc3", b"\xc3\r\n ")

    assert read(data).calendar.lines("X")[0].value == "ä"


def test_a_parameter_is_set_in_place_and_the_rest_stays_as_spelled() -> None:
    """Neither quotes nor case nor order of the others change; a quoted look-alike is no match."""
    line = new_line('ATTENDEE;cn="a;PARTSTAT=x";Partstat=DECLINED;Z="q":mailto:b')

    assert with_params(line, {"PARTSTAT": "ACCEPTED", "ROLE": "A,B"}) == (
        'ATTENDEE;cn="a;PARTSTAT=x";Partstat=ACCEPTED;Z="q";ROLE="A,B":mailto:b'
    )
    assert with_value(line, "mailto:c").endswith(';Z="q":mailto:c')


@pytest.mark.parametrize(
    ("data", "code", "at"),
    [
        (b"\xef\xbb\xbf \r\n", "empty-file", 0),
        (b"hello", "parse-error", 1),
        (b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", "parse-error", 3),
        (b"BEGIN:VCALENDAR\nEND:VCALENDAR\nBEGIN:VCALENDAR\n", "several-calendars", 3),
        (b"BEGIN:VCALENDAR\nEND:VCALENDAR\nx\n", "parse-error", 3),
        (b"BEGIN:VCALENDAR\nX:\xff\nEND:VCALENDAR\n", "encoding", 2),
        (b"BEGIN:VCALENDAR\n" * 30, "several-calendars", 0),
    ],
)
def test_what_cannot_be_read_says_where(data: bytes, code: str, at: int) -> None:
    """Code and line, counted from one."""
    found = parse(data)

    assert isinstance(found, Unreadable)
    if at or code == "empty-file":
        assert (found.code, found.line) == (code, at)


def test_text_of_a_line_is_shown_unfolded() -> None:
    """Tabs fold as well as spaces."""
    (line,) = read(CALENDAR % b"X:a\r\n\tb\n c").calendar.lines("X")

    assert line_text(line) == "X:abc"
