"""ATTACH lines as text: what a file brings along, and what takes its place."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.event import AllDay, Attached, Event
from syncd.core.lines import Component, Unreadable, parse
from syncd.core.wire.ics_attach import (
    NewAttachment,
    attached_ids,
    attachment_digest,
    new_attachments,
    rewrite_attached,
)

DAY = AllDay(date(2026, 3, 10), date(2026, 3, 11))
HEAD = ("BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", "UID:x", "SUMMARY:Lunch")


def component(*lines: str) -> Component:
    """An event with some lines of its own."""
    text = "\r\n".join((*HEAD, *lines, "END:VEVENT", "END:VCALENDAR", ""))
    document = parse(text.encode())
    assert not isinstance(document, Unreadable)
    [event] = document.calendar.components("VEVENT")
    return event


def own(data: bytes, *params: str) -> str:
    """A line that holds a file."""
    named = ";".join(("ATTACH", *params, "ENCODING=BASE64", "VALUE=BINARY"))
    return f"{named}:{b64encode(data).decode()}"


@given(st.binary(min_size=1, max_size=300))
def test_a_line_brings_its_bytes_along(data: bytes) -> None:
    [new] = new_attachments(component(own(data, "FMTTYPE=text/plain", "FILENAME=a.txt")))

    assert (new.name, new.media_type, new.size_bytes) == ("a.txt", "text/plain", len(data))
    assert b64decode(new.content) == data
    assert new.digest == attachment_digest("a.txt", data)


def test_two_files_of_the_same_bytes_are_two_and_the_same_file_twice_is_one() -> None:
    first, second = own(b"x", "FILENAME=a"), own(b"x", "FILENAME=b")

    found = new_attachments(component(first, second, first))

    assert [one.name for one in found] == ["a", "b"]


@pytest.mark.parametrize(
    ("param", "name"),
    [
        ("X-FILENAME=a.txt", "a.txt"),
        ("X-ORACLE-FILENAME=a.txt", "a.txt"),
        ('X-APPLE-FILENAME="a b.txt"', "a b.txt"),
        ('FILENAME="C:\\temp\\a.txt"', "a.txt"),
        ("FILENAME=../../a.txt", "a.txt"),
        ("FILENAME=..", "attachment"),
        ("X-OTHER=a.txt", "attachment"),
    ],
)
def test_names(param: str, name: str) -> None:
    """What clients call the parameter; no name leads to another folder."""
    [new] = new_attachments(component(own(b"x", param)))

    assert new.name == name


def test_a_type_that_is_none_is_any() -> None:
    [new] = new_attachments(component(own(b"x", "FMTTYPE=text")))

    assert new.media_type == "application/octet-stream"


@pytest.mark.parametrize(
    "line",
    [
        "ATTACH:https://example.org/a",
        "ATTACH;VALUE=URI:file:///etc/passwd",
        "ATTACH;ENCODING=BASE64;VALUE=BINARY:",
        "ATTACH;ENCODING=BASE64;VALUE=BINARY:*",
        own(b"x", "X-SYNCD-ATTACHMENT-ID=1"),
    ],
)
def test_other_lines_bring_nothing(line: str) -> None:
    assert new_attachments(component(line)) == ()


def _shown(new: NewAttachment | None) -> Attached:
    digest = new.digest if new is not None else ""
    return Attached("id", "a.txt", "text/plain", 1, "https://example.org/", "", digest)


def test_a_line_stays_where_nothing_can_take_its_place() -> None:
    """The service gives no address that leads to the event: what it holds is here alone to be seen."""
    part = component(own(b"x", "FILENAME=a.txt"))
    [new] = new_attachments(part)
    nowhere = Attached("id", "a.txt", "text/plain", 1, "", "", new.digest)

    rewrite_attached(part, Event(when=DAY, subject="Lunch", attached=(nowhere,)), b"\r\n")

    assert new_attachments(part) == (new,)


@pytest.mark.parametrize("known", [True, False])
def test_a_link_takes_the_place_of_the_line_that_it_was_made_from_alone(known: bool) -> None:
    mine, other = own(b"x", "FILENAME=a.txt"), own(b"y", "FILENAME=a.txt")
    part = component(mine, "ATTACH:https://example.org/b", other)
    [new, _] = new_attachments(part)

    rewrite_attached(
        part, Event(when=DAY, subject="Lunch", attached=(_shown(new if known else None),)), b"\r\n"
    )

    left = [one.content for one in new_attachments(part)]
    assert left == [b64encode(b"y").decode()] if known else [new.content, "eQ=="]
    assert attached_ids(part) == {"id"}
    assert any("example.org/b" in one.value for one in part.lines("ATTACH"))
