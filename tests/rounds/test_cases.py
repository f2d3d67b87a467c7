"""
The numbered round-trip cases, from folder to service and back.

Each runs whole rounds over a real folder, a real store and the simulator over HTTP, so that it
sees the requests that were made and the bytes that were left. What pure functions show of the
same cases stands beside them in the core's tests.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import icalendar
import msgspec
import pytest

from syncd.core.event import Item
from syncd.core.ids import Fingerprint, Uid
from syncd.core.lint import lint
from syncd.core.names import folded
from syncd.core.state import ItemRecord, Problem, PutItem
from syncd.core.wire.graph import ICAL_UID_PROPERTY
from syncd.ports import Marker
from syncd.shell.config_model import MailPolicy
from syncd.vdir.folder import VdirFolder
from tests.core.test_body import TABLE
from tests.core.test_mapping_cases import CORP, INDIA
from tests.rounds.test_properties import RICH, machine, on_another_machine, stash_of
from tests.rounds.world import ME, NOW, World, event, ics, world
from tests.strategies import OWNER

SEND = MailPolicy("send", "send", "send", "send")
TEN, ELEVEN = "20260310T100000", "20260310T110000"
AT_TEN = ("2026-03-10T10:00:00", "2026-03-10T11:00:00")
START, END = f"DTSTART;TZID=Europe/Berlin:{TEN}", f"DTEND;TZID=Europe/Berlin:{ELEVEN}"
WINDOWS = "W. Europe Standard Time"
MINE = f"ORGANIZER:mailto:{ME}"
BOB = "ATTENDEE;CN=Bob;PARTSTAT=NEEDS-ACTION:mailto:bob@example.org"


# --- words of the table ---


def snapshot(w: World) -> dict[str, tuple[bytes, int, int]]:
    """Every file: its bytes, and what moves when it is written or swapped."""
    found = {}
    for path in w.folder.glob("*.ics"):
        stat = path.stat()
        found[path.name] = path.read_bytes(), stat.st_mtime_ns, stat.st_ino
    return found


def asked(w: World) -> list[str]:
    """Requests beside those that every round makes: the account's three and one delta."""
    usual = ("GET /me", "GET /me/mailboxSettings", "GET /me/calendars?$top=100")
    return [one for one in w.requests() if one not in usual and "/delta?" not in one]


async def nop(w: World, *, code: int = 0) -> None:
    """A sync without a request and without a file write."""
    before = snapshot(w)
    w.clear()
    assert await w.code() == code
    assert asked(w) == []
    assert snapshot(w) == before


async def held(w: World, *wanted: str) -> list[Problem]:
    """What waits for a person after a sync has these codes and nothing was written anywhere."""
    before = snapshot(w)
    w.clear()
    assert await w.code() == 4
    assert w.writes() == []
    assert snapshot(w) == before
    problems = await w.store.problems()
    assert sorted(one.code for one in problems) == sorted(wanted)
    return problems


async def codes(w: World) -> list[str]:
    return [one.code for one in await w.store.problems()]


def resave(w: World, path: Path, change: Callable[[str], str]) -> None:
    """Save a file as another text of the same lines, unfolded."""
    before = path.read_bytes().replace(b"\r\n ", b"").decode()
    after = change(before)
    assert after != before
    w.clock.advance(5)
    path.write_bytes(after.encode())


def swap(w: World, path: Path, old: str, new: str) -> None:
    """Exchange a text that stands in the file once."""

    def change(text: str) -> str:
        assert text.count(old) == 1
        return text.replace(old, new)

    resave(w, path, change)


def file(uid: str, *lines: str, head: str = "") -> str:
    """A file whose event has these lines only."""
    return "\n".join(
        [
            *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//test//EN", *head.splitlines()),
            *("BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", *lines),
            *("END:VEVENT", "END:VCALENDAR", ""),
        ]
    )


def added(*lines: str) -> Callable[[str], str]:
    """The text with lines before the end of its last event."""
    more = "".join(f"{line}\r\n" for line in lines)

    def change(text: str) -> str:
        head, end, tail = text.rpartition("END:VEVENT\r\n")
        return f"{head}{more}{end}{tail}"

    return change


def without(*starts: str) -> Callable[[str], str]:
    """The text without the lines that begin so."""
    return lambda text: "".join(
        line for line in text.splitlines(keepends=True) if not line.startswith(starts)
    )


def moved_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that went and those that came, times of writing aside."""
    old, new = before.splitlines(), after.splitlines()
    stamps = ("DTSTAMP:", "LAST-MODIFIED:", "CREATED:")
    gone = [line for line in old if line not in new and not line.startswith(stamps)]
    come = [line for line in new if line not in old and not line.startswith(stamps)]
    return gone, come


def events(text: str) -> list[list[str]]:
    """The lines of each VEVENT."""
    parts = text.replace("\r\n", "\n").split("BEGIN:VEVENT\n")[1:]
    return [part.partition("END:VEVENT")[0].splitlines() for part in parts]


def posted(w: World) -> dict[str, Any]:
    """The bodies of the creates, by subject."""
    return {one["subject"]: one for one in w.bodies("POST") if "subject" in one}


def item(w: World, subject: str) -> Any:
    [found] = [one for one in w.box.items(w.calendar) if one.values["subject"] == subject]
    return found


def patch(w: World, which: str, /, **body: Any) -> None:
    """Somebody changes the event of that subject in Outlook."""
    w.box.patch(item(w, which).default_id, body)


def moment(time: str, zone: str = WINDOWS) -> dict[str, str]:
    return {"dateTime": time, "timeZone": zone}


def html(content: str) -> dict[str, str]:
    return {"contentType": "html", "content": content}


def create(w: World, subject: str, **more: Any) -> Any:
    return w.box.create(w.calendar, event(subject, *AT_TEN, **more))


# --- identity ---

WRAPPED = (
    "040000008200E00074C5B7101A82E008" + "0" * 40 + "1F000000"
    "7643616C2D556964010000006D6565742D37406578616D706C652E6F726700"
)


async def test_cases_01_02_an_event_becomes_a_file_of_its_uid(tmp_path: Path) -> None:
    """Hexadecimal as it is, or what it wraps; no organizer, and no alarm where there is none."""
    async with world(tmp_path) as w:
        plain, wrapped = create(w, "Plain"), create(w, "Wrapped")
        wrapped.item.uid = WRAPPED
        assert re.fullmatch("[0-9A-F]{112}", plain.item.uid)

        assert await w.code() == 0

        assert w.names() == sorted([f"{plain.item.uid}.ics", "meet-7@example.org.ics"])
        assert f"UID:{plain.item.uid}\r\n" in w.text("Plain")
        assert "UID:meet-7@example.org\r\n" in w.text("Wrapped")
        for subject in ("Plain", "Wrapped"):
            assert "ORGANIZER" not in w.text(subject)
            assert "VALARM" not in w.text(subject)
        await nop(w)


async def test_case_03_any_uid_travels_and_names_a_file_elsewhere(tmp_path: Path) -> None:
    """The file keeps the name that its author gave it; another machine hashes the UID."""
    async with world(machine(tmp_path, "first")) as w:
        await w.code()
        w.write("x.ics", ics("a/b:c", "Odd"))
        assert await w.code() == 0
        [body] = w.bodies("POST")
        assert {"id": ICAL_UID_PROPERTY, "value": "a/b:c"} in body["singleValueExtendedProperties"]
        assert w.names() == ["x.ics"]
        w.clear()

        second = await on_another_machine(w, tmp_path)

        assert second.names() == ["3b07f80ca173745ac6521f355208224fbace5887.ics"]
        assert "UID:a/b:c\r\n" in second.text("Odd")
        assert second.writes() == []


async def test_case_04_the_newer_of_two_files_with_one_uid_is_held(tmp_path: Path) -> None:
    """Whether it came later or was saved later; the older one goes on syncing."""
    async with world(tmp_path) as w:
        await w.code()
        w.write("first.ics", ics("one", "First"))
        assert await w.code() == 0
        copy = w.write("copy.ics", ics("one", "Copy"))
        [problem] = await held(w, "duplicate-uid")
        assert (problem.kind, problem.file, problem.needs_person) == ("hold", "copy.ics", True)
        swap(w, w.folder / "first.ics", "SUMMARY:First", "SUMMARY:Firstborn")
        assert await w.code() == 4
        assert w.bodies("PATCH") == [{"subject": "Firstborn"}]
        copy.unlink()
        assert await w.code() == 0

        later = w.write("a.ics", ics("two", "Later"))
        earlier = w.write("b.ics", ics("two", "Earlier"))
        os.utime(earlier, (1, 1))
        os.utime(later, (2, 2))
        assert await w.code() == 4
        [problem] = await w.store.problems()
        assert (problem.code, problem.file) == ("duplicate-uid", "a.ics")
        assert sorted(one.values["subject"] for one in w.box.items(w.calendar)) == [
            "Earlier",
            "Firstborn",
        ]


async def test_case_05_a_uid_that_comes_back_is_a_new_event(tmp_path: Path) -> None:
    """With a transaction of its own, or the service would refuse it."""
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("u.ics", ics("u", "Again"))
        assert await w.code() == 0
        first = item(w, "Again").immutable_id
        path.unlink()
        assert await w.code() == 0
        assert w.box.items(w.calendar) == []

        w.write("u.ics", ics("u", "Again"))
        assert await w.code() == 0

        transactions = [body["transactionId"] for body in w.bodies("POST")]
        assert len(transactions) == len(set(transactions)) == 2
        assert item(w, "Again").immutable_id != first
        await nop(w)


@pytest.mark.parametrize(
    "more",
    [
        ("LOCATION:Here",),
        ("LOCATION:Here", "X-ODD:1"),
    ],
)
async def test_case_06_a_lost_state_is_found_by_the_uid_beside_the_event(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    """Equal content: nothing is made, nothing is changed, the file stays byte for byte."""
    async with world(tmp_path) as w:
        await w.code()
        w.write("u.ics", ics("u", "Same", TEN, ELEVEN, *more))
        assert await w.code() == 0
        before = snapshot(w)
        await w.lose_state()
        w.clear()

        assert await w.code(fresh=True) == 0

        assert w.writes() == []
        assert snapshot(w) == before
        await nop(w)
        swap(w, w.folder / "u.ics", "SUMMARY:Same", "SUMMARY:Other")
        assert await w.code() == 0
        assert [body["subject"] for body in w.bodies("PATCH")] == ["Other"]
        assert len(w.box.items(w.calendar)) == 1


async def lost(w: World, *alike: dict[str, Any], uid: str = "mine") -> None:
    """A file without an event by its UID, events like it, and no state."""
    await w.code()
    w.write("mine.ics", ics(uid, "Lunch"))
    for one in alike:
        w.box.create(w.calendar, one)
    await w.lose_state()
    w.clear()


async def test_case_07_without_an_id_the_one_equal_event_is_taken(tmp_path: Path) -> None:
    """Its file goes on with its own UID, and the next edit goes to that event."""
    async with world(tmp_path) as w:
        await lost(w, event("Lunch", *AT_TEN), event("Lunch", *AT_TEN[:1], "2026-03-10T12:00:00"))
        w.box.delete(w.box.items(w.calendar)[1].default_id)
        before = snapshot(w)

        assert await w.code(fresh=True) == 0

        assert w.writes() == []
        assert snapshot(w) == before
        swap(w, w.folder / "mine.ics", "SUMMARY:Lunch", "SUMMARY:Dinner")
        assert await w.code() == 0
        assert w.bodies("PATCH") == [{"subject": "Dinner"}]
        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["Dinner"]


async def test_case_07_of_two_equal_events_none_is_taken(tmp_path: Path) -> None:
    """The file is listed; nothing is created."""
    async with world(tmp_path) as w:
        await lost(w, event("Lunch", *AT_TEN), event("Lunch", *AT_TEN))

        assert await w.code(fresh=True) == 4

        assert w.writes() == []
        [problem] = await w.store.problems()
        assert (problem.kind, problem.file) == ("gone-or-new", "mine.ics")
        assert len(w.box.items(w.calendar)) == 2


async def test_case_07_an_event_with_another_end_is_another_event(tmp_path: Path) -> None:
    """Both times have to be equal."""
    async with world(tmp_path) as w:
        await lost(w, event("Lunch", AT_TEN[0], "2026-03-10T12:00:00"))
        before = snapshot(w)

        assert await w.code(fresh=True) == 4

        assert w.writes() == []
        assert [one.kind for one in await w.store.problems()] == ["gone-or-new"]
        assert snapshot(w)["mine.ics"] == before["mine.ics"]


async def test_case_07_a_meeting_of_somebody_else_is_another_event(tmp_path: Path) -> None:
    """The organizer has to be the same."""
    async with world(tmp_path) as w:
        await lost(w)
        w.receive("Lunch", *AT_TEN)
        before = snapshot(w)

        assert await w.code(fresh=True) == 4

        assert w.writes() == []
        assert [one.kind for one in await w.store.problems()] == ["gone-or-new"]
        assert snapshot(w)["mine.ics"] == before["mine.ics"]


# --- no edit is no request ---


async def test_case_08_a_touched_file_is_not_even_read(tmp_path: Path) -> None:
    """Equal bytes: the look names its new stat and hands out no content."""
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("a.ics", ics("a", "A"))
        await w.code()
        w.clock.advance(60)
        os.utime(path, (1, 1))
        known = await w.store.known_files((await w.store.calendars())[0].key)
        marker = Marker(**msgspec.json.decode((w.folder / ".syncd").read_bytes()))
        folder = VdirFolder(w.folder, marker=marker, file_mode=0o600, clock=w.clock)

        look = await folder.look(known, thorough=False)

        assert (look.standing, look.changed, list(look.restamped)) == ("ours", (), ["a.ics"])
        await nop(w)


async def test_case_08_khals_rewrite_is_no_edit(tmp_path: Path) -> None:
    """Another PRODID, everything sorted, a VTIMEZONE of its own, SEQUENCE one higher."""
    lines = ("DESCRIPTION:b", "LOCATION:c", "CATEGORIES:Red,Work", "SEQUENCE:3")
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("a.ics", ics("a", "A", TEN, ELEVEN, *lines, "CLASS:PRIVATE"))
        await w.code()
        calendar = icalendar.Calendar.from_ical(path.read_bytes())
        calendar["PRODID"] = "-//PIMUTILS.ORG//NONSGML khal / icalendar //EN"
        calendar.events[0]["SEQUENCE"] = 4
        calendar.add_missing_timezones()
        w.clock.advance(5)
        path.write_bytes(calendar.to_ical())
        assert b"RDATE" in path.read_bytes()

        await nop(w)


async def test_case_09_escapes_folds_and_emoji_cross_over_exactly(tmp_path: Path) -> None:
    """Both ways, though the lines are folded inside the characters' run."""
    subject = "a, b; c\\d" + "😀" * 300
    line = "SUMMARY:a\\, b\\; c\\\\d" + "😀" * 300
    folded = "\n ".join([line[:15], *(line[at : at + 17] for at in range(15, len(line), 17))])
    assert max(len(one.encode()) for one in folded.split("\n")) <= 75
    async with world(tmp_path) as w:
        await w.code()
        w.write("a.ics", ics("a", "X").replace("SUMMARY:X", folded))
        assert await w.code() == 0
        [body] = w.bodies("POST")
        assert body["subject"] == subject
        await nop(w)

        made = create(w, "Theirs")
        made.item.values["subject"] = subject
        assert await w.code() == 0
        [path] = [one for one in w.folder.glob("*.ics") if one.name != "a.ics"]
        data = path.read_bytes()
        assert max(map(len, data.split(b"\r\n"))) <= 75
        assert f"{line}\r\n".encode() in data.replace(b"\r\n ", b"")
        await nop(w)


# --- text and body ---


async def test_case_10_trailing_blank_lines_of_a_body_are_no_edit(tmp_path: Path) -> None:
    """They are not in the file, and do not go from the service."""
    async with world(tmp_path) as w:
        create(w, "A", body={"contentType": "text", "content": "x\r\n\r\n"})
        assert await w.code() == 0
        assert "\r\nDESCRIPTION:x\r\n" in w.text("A")
        await nop(w)
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")
        assert await w.code() == 0
        assert w.bodies("PATCH") == [{"subject": "B"}]


async def test_case_12_a_line_below_a_formatted_text(tmp_path: Path) -> None:
    """Only the body goes, as HTML, and what stood there keeps its formatting."""
    async with world(tmp_path) as w:
        create(w, "A", body=html(RICH))
        await w.code()
        w.clear()
        w.edit("A", b"DESCRIPTION:Hi Bob", b"DESCRIPTION:Hi Bob\\nMore")

        assert await w.code() == 0

        [body] = w.bodies("PATCH")
        assert list(body) == ["body"]
        assert body["body"]["contentType"] == "html"
        assert "<p>Hi <b>Bob</b></p>" in body["body"]["content"]
        assert "More" in body["body"]["content"]
        await nop(w)


async def test_case_13_a_word_in_a_table_is_held_and_the_title_goes(tmp_path: Path) -> None:
    """The field alone waits; the text stays in the file and the table on the service."""
    async with world(tmp_path) as w:
        create(w, "A", body=html(TABLE))
        await w.code()
        stored = item(w, "A").values["body"]
        w.clear()
        path = w.path("A")
        resave(w, path, lambda t: t.replace("Start", "Begin").replace("SUMMARY:A", "SUMMARY:B"))

        assert await w.code() == 4

        assert w.bodies("PATCH") == [{"subject": "B"}]
        [problem] = await w.store.problems()
        assert (problem.kind, problem.code, problem.fields) == ("hold", "rich-body", ("body",))
        assert "Begin" in w.text("B")
        assert item(w, "B").values["body"] == stored
        await nop(w, code=4)


async def test_case_14_a_paragraph_below_a_table_is_sent(tmp_path: Path) -> None:
    """The table goes along as it was."""
    async with world(tmp_path) as w:
        create(w, "A", body=html(TABLE))
        await w.code()
        table = re.search("<table>.*</table>", item(w, "A").values["body"])
        assert table is not None
        w.clear()
        text = w.text("A")
        [description] = [one for one in text.splitlines() if one.startswith("DESCRIPTION:")]
        swap(w, w.path("A"), description, f"{description}\\n\\nSee you there")

        assert await w.code() == 0

        [body] = w.bodies("PATCH")
        assert list(body) == ["body"]
        assert table[0] in body["body"]["content"]
        assert re.search("<(p|div)[^>]*>See you there", body["body"]["content"])
        await nop(w)


def teams(w: World, subject: str) -> Any:
    """A Teams meeting with a text above its join block."""
    body = html("<p>Agenda</p>")
    return create(w, subject, isOnlineMeeting=True, body=body)


def join_url(w: World, subject: str) -> Any:
    return item(w, subject).values["onlineMeeting"]["joinUrl"]


def join_block(w: World, subject: str) -> str:
    found = re.search('<div class="me-email-text".*</div>', item(w, subject).values["body"])
    assert found is not None
    return found[0]


async def test_case_15_a_place_leaves_a_teams_meeting_alone(tmp_path: Path) -> None:
    """The body is not sent, so the link stays as it was."""
    async with world(tmp_path) as w:
        teams(w, "A")
        await w.code()
        url = join_url(w, "A")
        w.clear()
        resave(w, w.path("A"), added("LOCATION:Room 1"))

        assert await w.code() == 0

        assert w.bodies("PATCH") == [{"location": {"displayName": "Room 1"}}]
        assert join_url(w, "A") == url
        assert url in w.text("A")
        await nop(w)


async def test_case_16_a_line_above_the_join_block_leaves_it_byte_for_byte(tmp_path: Path) -> None:
    """Else the service would take the meeting offline."""
    async with world(tmp_path) as w:
        teams(w, "A")
        await w.code()
        url, block = join_url(w, "A"), join_block(w, "A")
        w.clear()
        swap(w, w.path("A"), "DESCRIPTION:Agenda", "DESCRIPTION:Agenda\\nMore")

        assert await w.code() == 0

        [body] = w.bodies("PATCH")
        assert list(body) == ["body"]
        assert block in body["body"]["content"]
        assert "More" in body["body"]["content"]
        assert join_url(w, "A") == url
        await nop(w)


async def test_case_16_the_text_of_a_join_block_cannot_be_deleted(tmp_path: Path) -> None:
    """No request; it is in the file again."""
    async with world(tmp_path) as w:
        teams(w, "A")
        await w.code()
        text = w.text("A")
        [description] = [one for one in text.splitlines() if one.startswith("DESCRIPTION:")]
        assert "Join the meeting now" in description
        w.clear()
        swap(w, w.path("A"), description, "DESCRIPTION:Agenda")

        assert await w.code() == 0
        assert await w.code() == 0

        assert w.writes() == []
        assert f"{description}\r\n" in w.text("A")


CONVERTED = 100


async def with_another_converter(w: World) -> None:
    """As if every text had been made of its HTML by an older version, which wrote it otherwise."""
    [calendar] = await w.store.calendars()
    known = await w.store.known_files(calendar.key)
    uids = await w.store.uids_of_files(calendar.key, known)
    records = await w.store.items(calendar.key, uids.values())
    changes = [PutItem(_converted(w, record)) for record in records.values()]
    await w.store.commit(calendar.key, changes)
    rows = [(calendar.key, record.uid) for record in records.values()]
    w.store._conn.executemany("INSERT INTO todo VALUES (?, ?)", rows)


def _converted(w: World, record: ItemRecord) -> ItemRecord:
    assert record.file is not None
    assert record.base_local is not None
    assert record.base_remote is not None
    assert record.base_remote.master.body_mark
    content = record.content.replace(b"DESCRIPTION:Hi Bob", b"DESCRIPTION:* Hi Bob *")
    assert content != record.content
    (w.folder / record.file).write_bytes(content)
    return replace(
        record,
        content=content,
        fingerprint=Fingerprint(hashlib.sha256(content).hexdigest()),
        stat=None,
        base_local=_with_text(record.base_local),
        base_remote=_with_text(record.base_remote),
    )


def _with_text(base: Item) -> Item:
    master = msgspec.structs.replace(base.master, body="* Hi Bob *")
    return msgspec.structs.replace(base, master=master)


async def test_case_17_a_newer_converter_is_nobodys_edit(tmp_path: Path) -> None:
    """Its text of the same HTML goes into no file and causes no request."""
    async with world(tmp_path) as w:
        for number in range(CONVERTED):
            create(w, f"N{number}", body=html(RICH))
        assert await w.code() == 0
        await with_another_converter(w)
        [calendar] = await w.store.calendars()
        assert len(await w.store.todo(calendar.key, 2 * CONVERTED, Uid(""))) == CONVERTED

        await nop(w)

        assert await w.store.todo(calendar.key, 1, Uid("")) == []
        w.edit("N1", b"SUMMARY:N1", b"SUMMARY:Mine")
        patch(w, "N2", subject="Theirs")
        w.clear()
        assert await w.code() == 0
        assert w.bodies("PATCH") == [{"subject": "Mine"}]
        assert "DESCRIPTION:* Hi Bob *\r\n" in w.text("Theirs")
        patch(w, "N3", body=html(RICH.replace("Bob", "Ann")))
        assert await w.code() == 0
        assert "DESCRIPTION:Hi Ann\r\n" in w.text("N3")


async def test_case_18_a_text_edited_beside_a_stale_altrep_wins(tmp_path: Path) -> None:
    """It is sent, and the HTML that the editor left behind is never read as an edit."""
    async with world(tmp_path, html="altrep") as w:
        create(w, "A", body=html(RICH))
        await w.code()
        assert 'DESCRIPTION;ALTREP="data:text/html' in w.text("A")
        w.clear()
        swap(w, w.path("A"), ":Hi Bob\r\n", ":Hi Ann\r\n")
        saved = w.path("A").read_bytes()

        assert await w.code() == 0

        [body] = w.bodies("PATCH")
        assert list(body) == ["body"]
        assert "Ann" in body["body"]["content"]
        assert "Bob" not in body["body"]["content"]
        assert w.path("A").read_bytes() == saved
        await nop(w)


async def test_case_19_an_attendee_keeps_categories_and_nothing_of_the_text(tmp_path: Path) -> None:
    """The text comes back in the same round, what was written is in the history, one notice."""
    async with world(tmp_path) as w:
        w.receive("Review", *AT_TEN, body=html("<p>Theirs</p>"))
        await w.code()
        w.clear()
        path = w.path("Review")
        resave(w, path, lambda t: added("CATEGORIES:Red")(t).replace("TION:Theirs", "TION:Mine"))

        assert await w.code() == 0

        assert w.bodies("PATCH") == [{"categories": ["Red"]}]
        assert len(w.writes()) == 1
        assert "DESCRIPTION:Theirs\r\n" in w.text("Review")
        assert "CATEGORIES:Red\r\n" in w.text("Review")
        [notice] = await w.store.problems()
        assert (notice.kind, notice.needs_person, notice.fields) == ("notice", False, ("body",))
        assert any(b"DESCRIPTION:Mine" in one.before for one in await w.store.history(None, 9))
        assert w.mails() == []
        await nop(w)


# --- places ---


async def test_case_20_a_place_beside_others_keeps_its_address(tmp_path: Path) -> None:
    """The one that stays goes along whole; the new one is a name."""
    address = {"street": "Rue de Rivoli 1", "city": "Paris"}
    async with world(tmp_path) as w:
        create(w, "X", locations=[{"displayName": "A", "address": address}, {"displayName": "B"}])
        await w.code()
        assert "LOCATION:A\\; B\r\n" in w.text("X")
        w.clear()
        w.edit("X", b"LOCATION:A\\; B", b"LOCATION:A\\; C")

        assert await w.code() == 0

        [body] = w.bodies("PATCH")
        assert list(body) == ["locations"]
        first, second = body["locations"]
        assert (first["displayName"], first["address"]) == ("A", address)
        assert second == {"displayName": "C"}
        assert "LOCATION:A\\; C\r\n" in w.text("X")
        await nop(w)


async def test_case_21_zeros_behind_a_coordinate_say_nothing(tmp_path: Path) -> None:
    """The file's spelling and the service's number are the same point."""
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("a.ics", ics("a", "A", TEN, ELEVEN, "LOCATION:Hof", "GEO:48.20;16.370"))
        before = path.read_bytes()
        assert await w.code() == 0
        point = item(w, "A").values["location"]["coordinates"]
        assert point == {"latitude": 48.2, "longitude": 16.37}
        await nop(w)
        assert path.read_bytes() == before


# --- zones and times ---


async def test_case_22_a_time_in_utc_is_ten_oclock_in_berlin(tmp_path: Path) -> None:
    """Summer time, whatever zone the answer is told in."""
    async with world(tmp_path) as w:
        made = event("A", "2026-07-01T10:00:00", "2026-07-01T11:00:00")
        w.box.create(w.calendar, made)
        assert await w.code() == 0
        assert "DTSTART;TZID=Europe/Berlin:20260701T100000\r\n" in w.text("A")
        assert "DTEND;TZID=Europe/Berlin:20260701T110000\r\n" in w.text("A")
        await nop(w)


async def test_case_23_vienna_stays_vienna_in_its_file(tmp_path: Path) -> None:
    """It is sent under the Windows name that both cities share."""
    async with world(tmp_path) as w:
        await w.code()
        w.write("v.ics", ics("v", "V").replace("Europe/Berlin", "Europe/Vienna"))
        assert await w.code() == 0
        assert posted(w)["V"]["start"] == moment(AT_TEN[0])
        assert posted(w)["V"]["end"] == moment(AT_TEN[1])
        await nop(w)

        patch(w, "V", start=moment("2026-03-10T12:00:00"), end=moment("2026-03-10T13:00:00"))
        assert await w.code() == 0
        assert "DTSTART;TZID=Europe/Vienna:20260310T120000\r\n" in w.text("V")
        assert "DTEND;TZID=Europe/Vienna:20260310T130000\r\n" in w.text("V")


async def test_case_24_spellings_of_a_zone_come_and_go_unnoticed(tmp_path: Path) -> None:
    """Each after each other."""
    spellings = (
        *("europe/berlin", '"W. Europe Standard Time"', "W. Europe Standard Time"),
        *("/mozilla.org/20050126_1/Europe/Berlin", "Europe/Berlin"),
    )
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("z.ics", ics("z", "Z"))
        await w.code()
        for spelling in spellings:
            w.clock.advance(5)
            text = ics("z", "Z").replace("=Europe/Berlin", f"={spelling}")
            path.write_bytes(text.replace("\n", "\r\n").encode())
            await nop(w)


async def test_case_25_a_zone_block_counts_in_its_own_file_only(tmp_path: Path) -> None:
    """Two files of one name for two zones, and one that lies, all read at once and one by one."""
    lying = CORP.replace("TZID:Corp", f"TZID:{WINDOWS}").replace("+0100", "-0500")
    lying = lying.replace("+0200", "-0400")
    files = {"west": ("Corp", CORP), "india": ("Corp", INDIA), "liar": (WINDOWS, lying)}
    async with world(tmp_path) as w:
        await w.code()
        for name, (tzid, block) in files.items():
            start, end = START.replace("Europe/Berlin", tzid), END.replace("Europe/Berlin", tzid)
            w.write(f"{name}.ics", file(name, f"SUMMARY:{name}", start, end, head=block))
        assert await w.code() == 0
        zones = {name: body["start"]["timeZone"] for name, body in posted(w).items()}
        assert zones["west"] == WINDOWS
        assert zones["india"] == "India Standard Time"
        assert {body["start"]["dateTime"] for body in posted(w).values()} == {AT_TEN[0]}
        await nop(w)

        w.clear()
        plain = (f"DTSTART;TZID={WINDOWS}:{TEN}", f"DTEND;TZID={WINDOWS}:{ELEVEN}")
        w.write("plain.ics", file("plain", "SUMMARY:plain", *plain))
        for name in ("liar", "west", "india"):
            swap(w, w.folder / f"{name}.ics", f"SUMMARY:{name}", f"SUMMARY:{name} 2")
        assert await w.code() == 0
        assert posted(w)["plain"]["start"] == moment(AT_TEN[0])
        assert sorted(list(body) for body in w.bodies("PATCH")) == [["subject"]] * 3


async def test_cases_26_27_31_36_times_that_cannot_be_sent_wait(tmp_path: Path) -> None:
    """Each file is listed with its code and line; none becomes an event at another time."""
    troll = "DTSTART;TZID=Antarctica/Troll:20260701T100000"
    trouble: Mapping[str, tuple[str, ...]] = {
        "unknown-tzid": ("DTSTART;TZID=Nowhere/Land:20260701T100000",),
        "z-and-tzid": ("DTSTART;TZID=Europe/Berlin:20260701T100000Z",),
        "zone-not-expressible": (troll, "RRULE:FREQ=WEEKLY"),
        "ends-before-start": (START, "DTEND;TZID=Europe/Berlin:20260310T090000"),
        "mixed-date-types": ("DTSTART;VALUE=DATE:20260701", "DTEND:20260702T000000Z"),
    }
    async with world(tmp_path) as w:
        await w.code()
        for code, lines in trouble.items():
            w.write(f"{code}.ics", file(code, f"SUMMARY:{code}", *lines))

        problems = await held(w, *trouble)

        assert {one.file: one.code for one in problems} == {f"{code}.ics": code for code in trouble}
        assert all(one.line > 0 for one in problems)
        assert w.box.items(w.calendar) == []


async def test_cases_28_33_37_whole_days_keep_their_spelling(tmp_path: Path) -> None:
    """However the file tells them, the service has whole days and the echo is nothing."""
    midnights = (
        "DTSTART;TZID=Europe/Berlin:20260701T000000",
        "DTEND;TZID=Europe/Berlin:20260702T000000",
        "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE",
    )
    first = "DTSTART;VALUE=DATE:20260701"
    days: Mapping[str, tuple[tuple[str, ...], int]] = {
        "zoned": (("DTSTART;VALUE=DATE;TZID=Europe/Berlin:20260701",), 2),
        "none": ((first,), 2),
        "same": ((first, "DTEND;VALUE=DATE:20260701"), 2),
        "three": ((first, "DTEND;VALUE=DATE:20260704"), 4),
        "lasting": ((first, "DURATION:P3D"), 4),
        "midnights": (midnights, 2),
    }
    async with world(tmp_path) as w:
        await w.code()
        for name, (lines, _) in days.items():
            w.write(f"{name}.ics", file(name, f"SUMMARY:{name}", *lines))
        before = {name: data for name, (data, _, _) in snapshot(w).items()}

        assert await w.code() == 0

        bodies = posted(w)
        for name, (_, end) in days.items():
            assert bodies[name]["isAllDay"] is True
            assert bodies[name]["start"] == moment("2026-07-01T00:00:00")
            assert bodies[name]["end"] == moment(f"2026-07-{end:02}T00:00:00")
        await nop(w)
        assert {name: data for name, (data, _, _) in snapshot(w).items()} == before


async def test_case_29_a_floating_time_floats_on(tmp_path: Path) -> None:
    """It is sent in the mailbox's zone; moved there, it is a later floating time."""
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("f.ics", ics("f", "F").replace(";TZID=Europe/Berlin", ""))
        before = path.read_bytes()
        assert await w.code() == 0
        assert posted(w)["F"]["start"] == moment(AT_TEN[0])
        await nop(w)
        assert path.read_bytes() == before

        patch(w, "F", start=moment(AT_TEN[1]), end=moment("2026-03-10T12:00:00"))
        w.clear()
        assert await w.code() == 0
        assert "\r\nDTSTART:20260310T110000\r\n" in w.text("F")
        assert "\r\nDTEND:20260310T120000\r\n" in w.text("F")
        assert w.writes() == []


async def test_case_30_start_and_end_keep_a_zone_each(tmp_path: Path) -> None:
    """Both are sent, and the echo leaves both lines."""
    end = "DTEND;TZID=America/New_York:20260310T120000"
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("f.ics", file("f", "SUMMARY:F", START, end))
        before = path.read_bytes()
        assert await w.code() == 0
        assert posted(w)["F"]["start"] == moment(AT_TEN[0])
        assert posted(w)["F"]["end"] == moment("2026-03-10T12:00:00", "Eastern Standard Time")
        await nop(w)
        assert path.read_bytes() == before

        patch(w, "F", subject="G")
        assert await w.code() == 0
        assert f"{START}\r\n" in w.text("G")
        assert f"{end}\r\n" in w.text("G")


async def test_case_31_a_zone_that_windows_lacks_is_sent_as_utc(tmp_path: Path) -> None:
    """A single event; the file keeps its zone, and a second machine gets it too."""
    start = "DTSTART;TZID=Antarctica/Troll:20260701T100000"
    async with world(machine(tmp_path, "first")) as w:
        await w.code()
        path = w.write("t.ics", file("t", "SUMMARY:T", start, "DURATION:PT1H"))
        before = path.read_bytes()
        assert await w.code() == 0
        assert posted(w)["T"]["start"] == moment("2026-07-01T08:00:00", "UTC")
        assert "Antarctica/Troll" in repr(stash_of(w))
        await nop(w)
        assert path.read_bytes() == before

        second = await on_another_machine(w, tmp_path)
        assert f"{start}\r\n" in second.text("T")


def custom_series(w: World) -> None:
    """A series in a zone that only the service knows."""
    pattern = {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"]}
    span = {"type": "noEnd", "startDate": "2026-03-10"}
    made = create(w, "Odd", recurrence={"pattern": pattern, "range": span})
    made.item.original_zones = ("tzone://Microsoft/Custom",) * 2


async def test_case_32_a_title_of_a_series_in_a_private_zone(tmp_path: Path) -> None:
    """Told in the mailbox's zone; a title edit is a title edit."""
    async with world(tmp_path) as w:
        custom_series(w)
        assert await w.code() == 0
        assert f"{START}\r\n" in w.text("Odd")
        w.clear()
        w.edit("Odd", b"SUMMARY:Odd", b"SUMMARY:Odder")
        assert await w.code() == 0
        assert w.bodies("PATCH") == [{"subject": "Odder"}]
        await nop(w)


async def test_case_32_a_series_in_a_private_zone_is_flagged(tmp_path: Path) -> None:
    """Listed, since its times are a guess; nobody has to decide anything."""
    async with world(tmp_path) as w:
        custom_series(w)
        assert await w.code() == 0
        problems = await w.store.problems()
        assert [(one.code, one.needs_person) for one in problems] == [("approximate-zone", False)]


async def test_case_34_a_move_of_the_same_length_replaces_the_start_alone(tmp_path: Path) -> None:
    """DURATION says the rest."""
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("d.ics", file("d", "SUMMARY:D", START, "DURATION:PT90M", "X-A:1"))
        before = path.read_bytes().decode()
        assert await w.code() == 0
        assert posted(w)["D"]["end"] == moment("2026-03-10T11:30:00")
        patch(w, "D", start=moment(AT_TEN[1]), end=moment("2026-03-10T12:30:00"))
        assert await w.code() == 0
        gone, come = moved_lines(before, path.read_bytes().decode())
        assert (gone, come) == ([START], ["DTSTART;TZID=Europe/Berlin:20260310T110000"])
        await nop(w)


async def test_case_35_an_event_without_an_end_has_no_length(tmp_path: Path) -> None:
    """Start and end are sent alike, and no DTEND is added."""
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("z.ics", file("z", "SUMMARY:Z", START))
        before = path.read_bytes()
        assert await w.code() == 0
        assert posted(w)["Z"]["start"] == posted(w)["Z"]["end"] == moment(AT_TEN[0])
        await nop(w)
        assert path.read_bytes() == before
        patch(w, "Z", subject="Y")
        assert await w.code() == 0
        assert "DTEND" not in w.text("Y")
        assert "DURATION" not in w.text("Y")


# --- recurrence ---

WEEK = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def rule(start: str, span: Mapping[str, Any] | None = None, /, **pattern: Any) -> dict[str, Any]:
    """A rule as Graph answers it, with fillers in what its kind does not use."""
    fillers = {"interval": 1, "month": 0, "dayOfMonth": 0, "daysOfWeek": []}
    fillers |= {"firstDayOfWeek": "sunday", "index": "first"}
    no_end = {"type": "noEnd", "endDate": "0001-01-01", "numberOfOccurrences": 0}
    whole = {"startDate": start, "recurrenceTimeZone": WINDOWS, **(span or no_end)}
    return {"pattern": {**fillers, **pattern}, "range": whole}


def repeat(w: World, subject: str, start: str, series: Mapping[str, Any], **more: Any) -> Any:
    times = (f"{start}T10:00:00", f"{start}T11:00:00")
    return w.box.create(w.calendar, event(subject, *times, recurrence=series, **more))


def rrule(text: str) -> str:
    """The RRULE of a file's event, behind those of its zones."""
    [found] = [line for line in events(text)[0] if line.startswith("RRULE:")]
    return found.removeprefix("RRULE:")


async def test_cases_39_40_41_42_43_45_48_49_patterns_become_rules(tmp_path: Path) -> None:
    """The echo of each is nothing."""
    last = {"type": "endDate", "endDate": "2026-12-31"}
    ten = {"type": "numbered", "numberOfOccurrences": 10}
    day = "2026-07-01"
    monthly = {"type": "relativeMonthly"}
    told: Mapping[str, tuple[str, dict[str, Any]]] = {
        "FREQ=MONTHLY;BYMONTHDAY=-1": (
            "2026-07-31",
            rule("2026-07-31", type="absoluteMonthly", dayOfMonth=31),
        ),
        "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1": (
            "2026-07-30",
            rule("2026-07-30", type="absoluteMonthly", dayOfMonth=30),
        ),
        "FREQ=MONTHLY;BYMONTHDAY=28,29;BYSETPOS=-1": (
            "2026-07-29",
            rule("2026-07-29", type="absoluteMonthly", dayOfMonth=29),
        ),
        "FREQ=MONTHLY;BYMONTHDAY=15": (
            "2026-07-15",
            rule("2026-07-15", type="absoluteMonthly", dayOfMonth=15),
        ),
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1": (
            "2026-02-28",
            rule("2026-02-28", type="absoluteYearly", month=2, dayOfMonth=29),
        ),
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1": (
            "2026-07-31",
            rule("2026-07-31", **monthly, index="last", daysOfWeek=WEEK[:5]),
        ),
        "FREQ=MONTHLY;BYDAY=2TU": (
            "2026-07-14",
            rule("2026-07-14", **monthly, index="second", daysOfWeek=["tuesday"]),
        ),
        "FREQ=MONTHLY;BYMONTHDAY=-1 (all seven)": (
            "2026-07-31",
            rule("2026-07-31", **monthly, index="last", daysOfWeek=WEEK),
        ),
        "FREQ=YEARLY;INTERVAL=2;BYMONTH=3;BYDAY=-1SU": (
            "2026-03-29",
            rule(
                "2026-03-29",
                type="relativeYearly",
                interval=2,
                month=3,
                index="last",
                daysOfWeek=["sunday"],
            ),
        ),
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU": (
            "2026-07-06",
            rule("2026-07-06", type="weekly", interval=2, daysOfWeek=["monday", "sunday"]),
        ),
        "FREQ=DAILY;UNTIL=20261231T090000Z": (day, rule(day, last, type="daily")),
        "FREQ=DAILY;COUNT=10": (day, rule(day, ten, type="daily")),
        "FREQ=DAILY": (day, rule(day, type="daily")),
    }
    async with world(tmp_path) as w:
        for wanted, (start, series) in told.items():
            repeat(w, wanted, start, series)
        midnight = event("days", f"{day}T00:00:00", "2026-07-02T00:00:00", isAllDay=True)
        w.box.create(w.calendar, {**midnight, "recurrence": rule(day, last, type="daily")})
        item(w, "FREQ=DAILY;COUNT=10").cancelled.add(date(2026, 7, 3))

        assert await w.code() == 0

        for path in w.folder.glob("*.ics"):
            text = path.read_bytes().replace(b"\r\n ", b"").decode()
            subject = str(icalendar.Calendar.from_ical(text.encode()).events[0]["SUMMARY"])
            wanted = "FREQ=DAILY;UNTIL=20261231" if subject == "days" else subject.split(" (")[0]
            assert rrule(text) == wanted
            if "COUNT" in wanted:
                assert "\r\nEXDATE;TZID=Europe/Berlin:20260703T100000\r\n" in text
        await nop(w)
        path = next(p for p in w.folder.glob("*.ics") if b"WKST=SU" in p.read_bytes())
        swap(w, path, "BYDAY=MO,SU;WKST=SU\r\nEND", "BYDAY=MO,SU;WKST=MO\r\nEND")
        assert await w.code() == 0
        [body] = w.bodies("PATCH")
        assert body["recurrence"]["pattern"]["firstDayOfWeek"] == "monday"


async def test_case_44_another_spelling_of_a_rule_is_nothing(tmp_path: Path) -> None:
    """What clients do to a rule that they only save."""
    spellings = (
        ("FREQ=WEEKLY;BYDAY=MO,WE", "FREQ=WEEKLY;BYDAY=MO,WE;WKST=SU"),
        ("FREQ=WEEKLY", "INTERVAL=1;FREQ=WEEKLY"),
        ("FREQ=MONTHLY;BYDAY=2MO", "FREQ=MONTHLY;BYDAY=+2MO"),
    )
    times = ("20260713T100000", "20260713T110000")
    async with world(tmp_path) as w:
        await w.code()
        for number, (before, _) in enumerate(spellings):
            w.write(f"{number}.ics", ics(f"u{number}", f"S{number}", *times, f"RRULE:{before}"))
        assert await w.code() == 0
        for number, (before, after) in enumerate(spellings):
            swap(w, w.folder / f"{number}.ics", f"RRULE:{before}\r\n", f"RRULE:{after}\r\n")
        await nop(w)


def a_series(uid: str, start: str, *rules: str, zone: str = "Europe/Berlin") -> str:
    """A file of one hour at ten that repeats."""
    day = start.replace("-", "")
    text = ics(uid, uid, f"{day}T100000", f"{day}T110000", *rules)
    return text.replace("Europe/Berlin", zone)


async def test_cases_46_47_50_51_54_rules_that_graph_has_in_other_words(tmp_path: Path) -> None:
    """Each is sent as its pattern and range, and the file keeps its line through the echo."""
    day = "2026-07-06"
    weekly = {"type": "weekly", "interval": 1, "firstDayOfWeek": "monday", "daysOfWeek": WEEK[:5]}
    second = {"type": "relativeMonthly", "interval": 1, "index": "second", "daysOfWeek": WEEK[:1]}
    last = {"type": "relativeMonthly", "interval": 1, "index": "last", "daysOfWeek": WEEK}
    daily = {"type": "daily", "interval": 1}
    half = {"type": "absoluteMonthly", "interval": 6, "dayOfMonth": 1}
    week = "MO,TU,WE,TH,FR"
    told: Mapping[str, tuple[str, str, Mapping[str, Any], str]] = {
        "coast": ("2026-03-01", "FREQ=DAILY;UNTIL=20260402T030000Z", daily, "2026-04-01"),
        "late": (day, "FREQ=DAILY;UNTIL=20261231T230000Z", daily, "2026-12-31"),
        "early": (day, "FREQ=DAILY;UNTIL=20261231T085959Z", daily, "2026-12-30"),
        "dated": (day, "FREQ=DAILY;UNTIL=20261231", daily, "2026-12-31"),
        "workdays": (day, f"FREQ=DAILY;BYDAY={week}", weekly, ""),
        "block": (
            *("2026-07-13", "FREQ=MONTHLY;BYDAY=MO;BYMONTHDAY=8,9,10,11,12,13,14"),
            *(second, ""),
        ),
        "halves": ("2026-09-01", "FREQ=YEARLY;BYMONTH=3,9;BYMONTHDAY=1", half, ""),
        "summer": ("2026-07-31", "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=2", last, ""),
        "again": (day, "FREQ=DAILY;BYHOUR=10;BYMINUTE=0", daily, ""),
    }
    async with world(tmp_path) as w:
        await w.code()
        for name, (start, line, _, _) in told.items():
            text = a_series(name, start, f"RRULE:{line}")
            if name == "coast":
                text = text.replace("Europe/Berlin", "America/Los_Angeles")
                text = text.replace("T110000", "T210000").replace("T100000", "T200000")
            w.write(f"{name}.ics", text)
        before = {name: data for name, (data, _, _) in snapshot(w).items()}

        assert await w.code() == 0

        for name, (_, _, pattern, end) in told.items():
            sent = posted(w)[name]["recurrence"]
            assert sent["pattern"] == pattern
            assert sent["range"].get("endDate", "") == end
        assert posted(w)["summer"]["recurrence"]["range"]["numberOfOccurrences"] == 2
        noted = {name for name, data in before.items() if _notes(data) & {"until-date"}}
        assert noted == {"dated.ics"}
        await nop(w)
        for name in told:
            patch(w, name, importance="high")
        assert await w.code() == 0
        for name, (_, line, _, _) in told.items():
            assert rrule(w.text(name)) == line


def _notes(data: bytes) -> set[str]:
    return {one.code for one in lint(data, OWNER)}


HELD_RULES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("RR05", "2026-03-31", ("FREQ=MONTHLY",)),
    ("RR05", "2026-03-31", ("FREQ=MONTHLY;BYMONTHDAY=31",)),
    ("RR03", "2026-07-01", ("FREQ=MONTHLY;BYMONTHDAY=1,15",)),
    ("RR04", "2026-07-30", ("FREQ=MONTHLY;BYMONTHDAY=-2",)),
    ("RR07", "2026-08-31", ("FREQ=MONTHLY;BYDAY=5MO",)),
    ("RR08", "2026-07-13", ("FREQ=MONTHLY;BYDAY=2MO,4MO",)),
    ("RR09", "2026-07-06", ("FREQ=MONTHLY;BYDAY=MO",)),
    ("RR10", "2026-11-13", ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",)),
    ("RR12", "2026-05-11", ("FREQ=YEARLY;BYWEEKNO=20",)),
    ("RR13", "2026-04-10", ("FREQ=YEARLY;BYYEARDAY=100",)),
    ("RR14", "2026-05-18", ("FREQ=YEARLY;BYDAY=20MO",)),
    ("RR11", "2026-01-06", ("FREQ=YEARLY;BYMONTH=1,3",)),
    ("RR01", "2026-07-06", ("FREQ=HOURLY",)),
    ("RR02", "2026-07-06", ("FREQ=DAILY;BYHOUR=9,17",)),
    ("RR17", "2026-07-06", ("FREQ=DAILY", "FREQ=WEEKLY")),
    ("RR18", "2026-07-06", ("FREQ=DAILY", "RDATE;TZID=Europe/Berlin:20260901T100000")),
    ("RR17", "2026-07-06", ("FREQ=DAILY", "EXRULE:FREQ=WEEKLY")),
    ("RR19", "2026-07-06", ("FREQ=DAILY;COUNT=1000",)),
    ("RR23", "2026-07-06", ("FREQ=DAILY;COUNT=5;UNTIL=20270101T000000Z",)),
    ("RR22", "2026-07-06", ("FREQ=WEEKLY;BYDAY=WE",)),
)


def _rule_lines(rules: Iterable[str]) -> list[str]:
    return [one if one.startswith(("RDATE", "EXRULE")) else f"RRULE:{one}" for one in rules]


async def test_cases_51_52_53_54_55_56_rules_that_graph_lacks_wait(tmp_path: Path) -> None:
    """New files: each is listed with its code, its bytes stay, and no event is made."""
    async with world(tmp_path, max_imports=100) as w:
        await w.code()
        for number, (_, start, rules) in enumerate(HELD_RULES):
            w.write(f"{number}.ics", a_series(f"s{number}", start, *_rule_lines(rules)))

        problems = await held(w, *(code for code, _, _ in HELD_RULES))

        assert {one.file: one.code for one in problems} == {
            f"{number}.ics": code for number, (code, _, _) in enumerate(HELD_RULES)
        }
        assert w.box.items(w.calendar) == []


async def test_cases_55_57_a_rule_edited_to_and_fro_reaches_nobody(tmp_path: Path) -> None:
    """Held each time, the series on the service as it was; at last the file says the old again."""
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("s.ics", a_series("s", "2026-07-06", "RRULE:FREQ=DAILY;COUNT=3"))
        original = path.read_bytes()
        assert await w.code() == 0
        before = item(w, "s").change_key
        for code, start, rules in HELD_RULES:
            if start != "2026-07-06":
                continue
            w.clock.advance(5)
            lines = "\r\n".join(_rule_lines(rules)).encode()
            path.write_bytes(original.replace(b"RRULE:FREQ=DAILY;COUNT=3", lines))
            await held(w, code)
            assert item(w, "s").change_key == before
        w.clock.advance(5)
        path.write_bytes(original)
        await nop(w)
        assert await w.store.problems() == []
        await nop(w)


# --- exceptions and cancellations ---

MONDAYS = rule("2026-03-09", type="weekly", daysOfWeek=["monday"])
SLOT = "20260330T100000"


def weekly(w: World, **more: Any) -> Any:
    """A series on Mondays at ten, in Berlin."""
    more = {"location": {"displayName": "Room"}, **more}
    return repeat(w, "Team", "2026-03-09", MONDAYS, **more)


def occurrence(w: World, slot: str, subject: str = "Team") -> Any:
    """The instance that the rule puts on a day, wherever it is now."""
    first = NOW - timedelta(days=30)
    found = [
        one
        for one in w.box.instances(w.calendar, first, first + timedelta(days=120))
        if one.slot == date.fromisoformat(slot)
    ]
    [one] = [one for one in found if one.item.values["subject"] == subject] or found
    return one


def on(w: World, method: str, target: Any) -> list[str]:
    """The writes of a kind that went to one occurrence."""
    return [one for one in w.writes() if one.startswith(method) and path_of(target) in one]


def path_of(target: Any) -> str:
    """An event's id as it stands in a request's path."""
    return quote(target.immutable_id, safe="")


def starts(w: World) -> list[str]:
    first = NOW - timedelta(days=1)
    found = w.box.instances(w.calendar, first, first + timedelta(days=40))
    return [f"{one.start.local:%m-%d %H:%M}" for one in found]


def override(*lines: str, slot: str = SLOT, uid: str) -> tuple[str, ...]:
    """The lines that end an event and begin an override."""
    return (
        *("END:VEVENT", "BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z"),
        *(f"RECURRENCE-ID;TZID=Europe/Berlin:{slot}", *lines),
    )


def at(start: str, end: str) -> tuple[str, str]:
    return f"DTSTART;TZID=Europe/Berlin:{start}", f"DTEND;TZID=Europe/Berlin:{end}"


async def test_case_58_a_cancelled_occurrence_is_an_exdate(tmp_path: Path) -> None:
    """In the form of DTSTART, at the series' time."""
    async with world(tmp_path) as w:
        weekly(w)
        w.box.delete(occurrence(w, "2026-03-30").id)
        assert await w.code() == 0
        assert f"\r\nEXDATE;TZID=Europe/Berlin:{SLOT}\r\n" in w.text("Team")
        await nop(w)


async def test_case_59_an_exdate_deletes_its_occurrence_once(tmp_path: Path) -> None:
    """Told in UTC, and afterwards in one line with others."""
    other = "EXDATE;TZID=Europe/Berlin:20260316T100000"
    async with world(tmp_path) as w:
        weekly(w)
        w.box.delete(occurrence(w, "2026-03-16").id)
        await w.code()
        target = occurrence(w, "2026-03-30")
        w.clear()
        swap(w, w.path("Team"), f"{other}\r\n", f"{other}\r\nEXDATE:20260330T080000Z\r\n")

        assert await w.code() == 0

        assert w.writes() == on(w, "DELETE", target)
        assert len(w.writes()) == 1
        assert item(w, "Team").cancelled == {date(2026, 3, 16), date(2026, 3, 30)}
        await nop(w)
        merged = f"{other},{SLOT}\r\n"
        swap(w, w.path("Team"), f"{other}\r\nEXDATE:20260330T080000Z\r\n", merged)
        await nop(w)


async def test_case_60_an_exdate_that_is_removed_waits(tmp_path: Path) -> None:
    """It alone; the other fields of the same edit go."""
    line = f"EXDATE;TZID=Europe/Berlin:{SLOT}\r\n"
    async with world(tmp_path) as w:
        weekly(w)
        w.box.delete(occurrence(w, "2026-03-30").id)
        await w.code()
        w.clear()
        resave(w, w.path("Team"), lambda t: t.replace(line, "").replace("Y:Team", "Y:Crew"))

        assert await w.code() == 4

        assert w.bodies("PATCH") == [{"subject": "Crew"}]
        assert len(w.writes()) == 1
        assert await codes(w) == ["cannot-restore-occurrence"]
        assert "EXDATE" not in w.text("Crew")
        await nop(w, code=4)
        resave(w, w.path("Crew"), lambda t: t.replace("SUMMARY", f"{line}SUMMARY"))
        await nop(w)
        assert await w.store.problems() == []


@pytest.mark.parametrize(("hour", "end"), [("10", "11"), ("00", "01"), ("23", "24")])
async def test_case_61_an_override_moves_its_occurrence_and_no_neighbour(
    tmp_path: Path, hour: str, end: str
) -> None:
    """Every day, also where the day in UTC is another; start and end alone are sent."""
    times = (f"20260309T{hour}0000", f"20260309T{hour}3000")
    moved = at("20260330T110000", "20260330T120000")
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("d.ics", ics("d", "Daily", *times, "RRULE:FREQ=DAILY"))
        assert await w.code() == 0
        target = occurrence(w, "2026-03-30", "Daily")
        w.clear()
        slot = f"20260330T{hour}0000"
        resave(w, path, added(*override("SUMMARY:Daily", *moved, slot=slot, uid="d")))

        assert await w.code() == 0

        assert w.writes() == on(w, "PATCH", target)
        times_sent = {
            "start": moment("2026-03-30T11:00:00"),
            "end": moment("2026-03-30T12:00:00"),
        }
        assert w.bodies("PATCH") == [times_sent]
        around = [one for one in starts(w) if one[:5] in ("03-29", "03-30", "03-31")]
        assert sorted(around) == [f"03-29 {hour}:00", "03-30 11:00", f"03-31 {hour}:00"]
        await nop(w)


async def test_case_62_an_exception_is_a_whole_override(tmp_path: Path) -> None:
    """With the series' UID, its slot, and every property it inherits."""
    body = {"contentType": "text", "content": "Agenda"}
    async with world(tmp_path) as w:
        weekly(w, body=body, categories=["Red"], isReminderOn=True, reminderMinutesBeforeStart=5)
        w.box.patch(occurrence(w, "2026-03-30").id, {"subject": "Special"})

        assert await w.code() == 0

        master, own = events(w.text("Special"))
        slot = (f"RECURRENCE-ID;TZID=Europe/Berlin:{SLOT}", *at(SLOT, "20260330T110000"))
        assert {"SUMMARY:Special", *slot} <= set(own)
        times = at("20260309T100000", "20260309T110000")
        inherited = [
            line
            for line in master
            if line not in times and not line.startswith(("SUMMARY", "RRULE", "DTSTAMP", "CREA"))
        ]
        assert [line for line in inherited if line.startswith("UID:")] == [master[0]]
        assert {"LOCATION:Room", "DESCRIPTION:Agenda", "CATEGORIES:Red"} <= set(inherited)
        assert [line for line in inherited if line not in own] == []
        await nop(w)


async def test_case_63_an_exception_that_says_nothing_new_is_no_override(tmp_path: Path) -> None:
    """Before the first sync or after it."""
    async with world(tmp_path) as w:
        weekly(w)
        w.box.patch(occurrence(w, "2026-03-30").id, {"subject": "Team"})
        assert occurrence(w, "2026-03-30").kind == "exception"
        assert await w.code() == 0
        assert len(events(w.text("Team"))) == 1
        await nop(w)
        before = snapshot(w)
        w.box.patch(occurrence(w, "2026-04-06").id, {"subject": "Team"})
        assert await w.code() == 0
        assert snapshot(w) == before
        await nop(w)


def without_override(text: str) -> str:
    """The text without its last VEVENT."""
    return text[: text.rindex("BEGIN:VEVENT")] + "END:VCALENDAR\r\n"


async def test_case_64_an_override_that_is_deleted_goes_back(tmp_path: Path) -> None:
    """To what the series says; the occurrence stays."""
    async with world(tmp_path) as w:
        weekly(w)
        w.box.patch(occurrence(w, "2026-03-30").id, {"subject": "Special"})
        await w.code()
        target = occurrence(w, "2026-03-30")
        w.clear()
        resave(w, w.path("Special"), without_override)

        assert await w.code() == 0

        assert w.writes() == on(w, "PATCH", target)
        assert w.bodies("PATCH") == [{"subject": "Team"}]
        assert occurrence(w, "2026-03-30").subject == "Team"
        assert len(events(w.text("Team"))) == 1
        await nop(w)


async def test_case_64_an_override_that_became_an_exdate_is_deleted(tmp_path: Path) -> None:
    """One DELETE, and no PATCH before it."""
    line = f"EXDATE;TZID=Europe/Berlin:{SLOT}\r\nRRULE:"
    async with world(tmp_path) as w:
        weekly(w)
        w.box.patch(occurrence(w, "2026-03-30").id, {"subject": "Special"})
        await w.code()
        target = occurrence(w, "2026-03-30")
        w.clear()
        rule_at = "\r\nRRULE:FREQ=WEEKLY"
        resave(
            w,
            w.path("Special"),
            lambda t: without_override(t).replace(rule_at, f"\r\n{line}FREQ=WEEKLY"),
        )

        assert await w.code() == 0

        assert w.writes() == on(w, "DELETE", target)
        assert len(w.writes()) == 1
        assert item(w, "Team").cancelled == {date(2026, 3, 30)}
        await nop(w)


async def test_case_65_what_an_exception_inherits_follows_in_one_write(tmp_path: Path) -> None:
    """Both events of the file in one swap, and no request."""
    async with world(tmp_path) as w:
        weekly(w)
        own = {"location": {"displayName": "Elsewhere"}}
        w.box.patch(occurrence(w, "2026-03-30").id, own)
        await w.code()
        patch(w, "Team", subject="Crew")
        w.clear()
        w.facts.clear()
        versions = len(await w.store.history(None, 99))

        assert await w.code() == 0

        assert w.subjects() == ["Crew", "Crew"]
        assert "LOCATION:Elsewhere" in events(w.text("Crew"))[1]
        assert w.writes() == []
        assert [what for fact, what in w.facts if fact == "files.written"] == [{"count": 1}]
        assert len(await w.store.history(None, 99)) == versions + 1
        await nop(w)


async def test_case_66_a_series_that_moves_takes_its_exceptions_along(tmp_path: Path) -> None:
    """One PATCH of the series, then the override again; lines at the old time are bound anew."""
    async with world(tmp_path) as w:
        weekly(w)
        w.box.delete(occurrence(w, "2026-03-16").id)
        w.box.patch(occurrence(w, "2026-03-30").id, {"subject": "Special"})
        await w.code()
        path = w.path("Special")
        w.clear()
        old, new = "09T100000", "09T110000"
        resave(w, path, lambda t: t.replace(new, "09T120000").replace(old, new))
        assert "EXDATE;TZID=Europe/Berlin:20260316T100000" in path.read_bytes().decode()

        assert await w.code() == 0

        assert all(one.startswith("PATCH") for one in w.writes())
        series, again = w.bodies("PATCH")
        assert series["start"] == moment("2026-03-09T11:00:00")
        assert series["end"] == moment("2026-03-09T12:00:00")
        assert series["recurrence"]["range"]["startDate"] == "2026-03-09"
        assert set(series) <= {"start", "end", "recurrence", "isAllDay"}
        assert again == {"subject": "Special"}
        assert item(w, "Team").cancelled == {date(2026, 3, 16)}
        assert starts(w)[:3] == ["03-09 11:00", "03-23 11:00", "03-30 11:00"]
        assert occurrence(w, "2026-03-30").subject == "Special"
        text = path.read_bytes().replace(b"\r\n ", b"").decode()
        assert "T100000" not in text.partition("BEGIN:VEVENT")[2]
        assert "\r\nEXDATE;TZID=Europe/Berlin:20260316T110000\r\n" in text
        assert "\r\nRECURRENCE-ID;TZID=Europe/Berlin:20260330T110000\r\n" in text
        await nop(w)


async def test_case_67_overrides_that_no_series_can_have_wait(tmp_path: Path) -> None:
    """One moved onto its neighbour's day, and a file of overrides alone; nothing is sent."""
    own = override("SUMMARY:s", *at("20260406T150000", "20260406T160000"), uid="s")
    alone = file("o", f"RECURRENCE-ID;TZID=Europe/Berlin:{SLOT}", "SUMMARY:O", *at(TEN, ELEVEN))
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("s.ics", a_series("s", "2026-03-09", "RRULE:FREQ=WEEKLY"))
        assert await w.code() == 0
        before = starts(w)
        resave(w, path, added(*own))
        w.write("o.ics", alone)

        problems = await held(w, "crosses-neighbour", "no-master")

        assert {one.file for one in problems} == {"s.ics", "o.ics"}
        assert starts(w) == before
        assert len(w.box.items(w.calendar)) == 1
        w.clear()
        resave(w, path, lambda t: t.replace("SUMMARY:s\r\n", "SUMMARY:Crew\r\n"))
        assert await w.code() == 4
        assert w.bodies("PATCH") == [{"subject": "Crew"}]


async def test_case_67_a_series_with_guests_is_not_cut(tmp_path: Path) -> None:
    """THISANDFUTURE would mail them twice: it waits, and nothing is sent."""
    later = ("SUMMARY:Later", *at("20260330T140000", "20260330T150000"))
    cut = [
        line.replace("RECURRENCE-ID;", "RECURRENCE-ID;RANGE=THISANDFUTURE;")
        for line in override(*later, uid="s")
    ]
    async with world(tmp_path, mail=SEND) as w:
        await w.code()
        path = w.write("s.ics", a_series("s", "2026-03-09", "RRULE:FREQ=WEEKLY", MINE, BOB))
        assert await w.code() == 0
        before, mails = starts(w), len(w.mails())
        resave(w, path, added(*cut))
        [problem] = await held(w, "this-and-future")
        assert problem.kind == "hold"
        assert starts(w) == before
        assert len(w.mails()) == mails


# --- people ---


async def test_case_68_a_new_meeting_waits_for_the_policy(tmp_path: Path) -> None:
    """Held: listed and not made. Sent: made with its guests, and each is invited once."""
    guest = ("ATTENDEE:mailto:bob@example.org",)
    async with world(machine(tmp_path, "hold")) as w:
        await w.code()
        w.write("m.ics", ics("m", "Meeting", TEN, ELEVEN, *guest))
        [problem] = await held(w, "would-invite")
        assert (problem.kind, problem.mail_class) == ("held-mail", "invitations")
        assert problem.to == ("bob@example.org",)
        assert w.box.items(w.calendar) == []
        assert w.mails() == []
    async with world(machine(tmp_path, "send"), mail=SEND) as w:
        await w.code()
        w.write("m.ics", ics("m", "Meeting", TEN, ELEVEN, *guest))
        assert await w.code() == 0
        [person] = posted(w)["Meeting"]["attendees"]
        assert person["emailAddress"]["address"] == "bob@example.org"
        await nop(w)
        assert [(one.kind, one.to) for one in w.mails()] == [("invitation", ("bob@example.org",))]


async def test_case_69_a_meeting_of_somebody_else_is_never_made(tmp_path: Path) -> None:
    """Nothing is asked or sent for it, whatever the policy and whoever else is invited."""
    carol, me = "ORGANIZER:mailto:carol@example.org", f"ATTENDEE:mailto:{ME}"
    async with world(tmp_path, mail=SEND) as w:
        await w.code()
        w.write("a.ics", ics("a", "Alone", TEN, ELEVEN, carol, me))
        w.write("b.ics", ics("b", "Both", TEN, ELEVEN, carol, me, BOB))

        await held(w, "foreign-meeting", "foreign-meeting")

        assert asked(w) == []
        assert w.box.items(w.calendar) == []
        assert w.mails() == []
        await nop(w, code=4)


async def test_case_70_the_owners_answer_goes_and_cannot_be_taken_back(tmp_path: Path) -> None:
    """ACCEPTED on the master is `accept`; NEEDS-ACTION comes back as it was."""
    async with world(tmp_path) as w:
        w.receive("Review", *AT_TEN)
        await w.code()
        target = path_of(item(w, "Review"))
        w.clear()
        swap(w, w.path("Review"), "PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")
        assert await w.code() == 0
        [write] = w.writes()
        assert write.startswith("POST")
        assert write.endswith(f"{target}/accept")
        assert w.bodies("POST") == [{"sendResponse": True}]
        assert [(one.kind, one.response) for one in w.mails()] == [("response", "accepted")]
        await nop(w)

        w.clear()
        swap(w, w.path("Review"), "PARTSTAT=ACCEPTED", "PARTSTAT=NEEDS-ACTION")
        assert await w.code() == 0
        assert w.writes() == []
        assert f"PARTSTAT=ACCEPTED:mailto:{ME}\r\n" in w.text("Review").replace(";RSVP=TRUE", "")
        assert item(w, "Review").values["responseStatus"]["response"] == "accepted"
        assert len(w.mails()) == 1


async def test_case_70_one_occurrence_is_declined_alone(tmp_path: Path) -> None:
    """`decline` goes to that occurrence; the series is not answered."""
    async with world(tmp_path) as w:
        w.receive("Review", "2026-03-09T10:00:00", "2026-03-09T11:00:00", recurrence=MONDAYS)
        await w.code()
        target = occurrence(w, "2026-03-30", "Review")
        w.clear()
        text = w.text("Review")
        [own] = [one for one in events(text)[0] if one.startswith("ATTENDEE")]
        [host] = [one for one in events(text)[0] if one.startswith("ORGANIZER")]
        lines = ("SUMMARY:Review", *at(SLOT, "20260330T110000"), host)
        no = own.replace("NEEDS-ACTION", "DECLINED")
        [uid] = [one[4:] for one in events(text)[0] if one.startswith("UID:")]
        resave(w, w.path("Review"), added(*override(*lines, no, uid=uid)))

        assert await w.code() == 0

        [write] = w.writes()
        assert write.startswith("POST")
        assert write.endswith(f"{path_of(target)}/decline")
        assert [(one.response, one.slot) for one in w.mails()] == [("declined", target.slot)]
        assert item(w, "Review").values["responseStatus"]["response"] == "notResponded"


async def test_case_71_what_others_answer_is_no_edit_of_the_owners(tmp_path: Path) -> None:
    """Neither their PARTSTAT nor their name nor whether they shall answer."""
    async with world(tmp_path, mail=SEND) as w:
        await w.code()
        path = w.write("m.ics", ics("m", "Meeting", TEN, ELEVEN, MINE, BOB))
        assert await w.code() == 0
        for old, new in (
            ("NEEDS-ACTION:mailto:bob", "ACCEPTED:mailto:bob"),
            ("CN=Bob", "CN=Robert"),
            ("PARTSTAT=ACCEPTED:mailto:bob", "PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:bob"),
        ):
            swap(w, path, old, new)
            await nop(w)
        assert len(w.mails()) == 1


async def test_case_72_a_room_is_an_attendee_of_its_own_kind(tmp_path: Path) -> None:
    """A resource whose address is the place's."""
    room = {"emailAddress": {"address": "room@example.org", "name": "Room 1"}, "type": "resource"}
    place = {"displayName": "Room 1", "locationEmailAddress": "Room@example.org"}
    async with world(tmp_path) as w:
        create(w, "A", attendees=[room], location=place)
        assert await w.code() == 0
        [line] = [one for one in events(w.text("A"))[0] if one.startswith("ATTENDEE")]
        assert {"CUTYPE=ROOM", "ROLE=NON-PARTICIPANT"} <= set(line.partition(":")[0].split(";"))
        assert line.endswith(":mailto:room@example.org")
        await nop(w)


async def test_case_72_an_owner_invited_through_a_group_has_a_line(tmp_path: Path) -> None:
    """It offers the answer to clients; the list of the invited is never sent."""
    team = {"emailAddress": {"address": "team@example.org", "name": "Team"}, "type": "required"}
    async with world(tmp_path, mail=SEND) as w:
        w.receive("Review", *AT_TEN)
        item(w, "Review").values["attendees"] = [
            {**team, "status": {"response": "none", "time": "0001-01-01T00:00:00Z"}}
        ]
        assert await w.code() == 0
        lines = [one for one in events(w.text("Review"))[0] if one.startswith("ATTENDEE")]
        assert [line.rpartition("mailto:")[2] for line in lines] == ["team@example.org", ME]
        assert "PARTSTAT=NEEDS-ACTION" in lines[1]
        await nop(w)

        resave(w, w.path("Review"), added("CATEGORIES:Red"))
        assert await w.code() == 0
        assert w.bodies("PATCH") == [{"categories": ["Red"]}]
        resave(w, w.path("Review"), without(lines[1][:40]))
        await nop(w)
        w.clear()
        resave(w, w.path("Review"), added(lines[1].replace("NEEDS-ACTION", "ACCEPTED")))
        assert await w.code() == 0
        assert w.bodies("PATCH") == []
        assert w.bodies("POST") == [{"sendResponse": True}]
        assert [one.response for one in w.mails()] == ["accepted"]


# --- status, privacy, priority, categories ---


async def test_case_73_out_of_office_outlives_a_dropped_line(tmp_path: Path) -> None:
    """Clients drop lines that they do not know; TRANSP is one that they do."""
    async with world(tmp_path) as w:
        create(w, "A", showAs="oof")
        assert await w.code() == 0
        line = "X-MICROSOFT-CDO-BUSYSTATUS:OOF"
        assert f"{line}\r\n" in w.text("A")
        resave(w, w.path("A"), without(line))
        await nop(w)
        assert item(w, "A").values["showAs"] == "oof"
        resave(w, w.path("A"), added("TRANSP:TRANSPARENT"))
        assert await w.code() == 0
        assert w.bodies("PATCH") == [{"showAs": "free"}]
        await nop(w)


async def test_case_74_personal_stays_personal_until_it_is_made_public(tmp_path: Path) -> None:
    """In a file it is PRIVATE."""
    async with world(tmp_path) as w:
        create(w, "A", sensitivity="personal")
        assert await w.code() == 0
        assert "\r\nCLASS:PRIVATE\r\n" in w.text("A")
        w.edit("A", b"CLASS:PRIVATE", b"CLASS:private")
        await nop(w)
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")
        assert await w.code() == 0
        assert w.bodies("PATCH") == [{"subject": "B"}]
        assert item(w, "B").values["sensitivity"] == "personal"
        w.clear()
        w.edit("B", b"CLASS:private", b"CLASS:PUBLIC")
        assert await w.code() == 0
        assert w.bodies("PATCH") == [{"sensitivity": "normal"}]
        await nop(w)


@pytest.mark.parametrize(
    "before",
    [
        "normal",
        "personal",
    ],
)
async def test_case_74_a_class_that_nobody_knows_is_private(tmp_path: Path, before: str) -> None:
    """RFC 5545 3.8.1.3; the line stays as it is written."""
    async with world(tmp_path) as w:
        create(w, "A", sensitivity=before)
        assert await w.code() == 0
        w.clear()
        resave(w, w.path("A"), lambda t: added("CLASS:X-SECRET")(without("CLASS")(t)))
        assert await w.code() == 0
        assert w.bodies("PATCH") == [{"sensitivity": "private"}]
        await nop(w)
        assert "\r\nCLASS:X-SECRET\r\n" in w.text("A")
        patch(w, "A", subject="B")
        assert await w.code() == 0
        assert "\r\nCLASS:X-SECRET\r\n" in w.text("B")


async def test_case_75_priorities_are_three_bands(tmp_path: Path) -> None:
    """A number in the same band is kept and sent nowhere."""
    async with world(tmp_path) as w:
        create(w, "A", importance="high")
        assert await w.code() == 0
        assert "\r\nPRIORITY:1\r\n" in w.text("A")
        w.edit("A", b"PRIORITY:1", b"PRIORITY:3")
        await nop(w)
        for old, new, importance in ((3, 5, "normal"), (5, 9, "low")):
            w.clear()
            w.edit("A", f"PRIORITY:{old}".encode(), f"PRIORITY:{new}".encode())
            assert await w.code() == 0
            assert w.bodies("PATCH") == [{"importance": importance}]
            await nop(w)


async def test_case_76_categories_are_a_set_and_a_comma_is_held(tmp_path: Path) -> None:
    """In another order, case and number of lines they are the same; others still go."""
    async with world(tmp_path) as w:
        create(w, "A", categories=["Red", "Work"])
        assert await w.code() == 0
        swap(w, w.path("A"), "CATEGORIES:Red,Work", "CATEGORIES:Work\r\nCATEGORIES:red")
        await nop(w)
        resave(w, w.path("A"), added("CATEGORIES:a\\,b"))
        [problem] = await held(w, "category-separator")
        assert problem.kind == "hold"
        assert "CATEGORIES:a\\,b\r\n" in w.text("A")
        w.clear()
        resave(w, w.path("A"), added("CATEGORIES:Blue", "PRIORITY:1"))
        assert await w.code() == 4
        [body] = w.bodies("PATCH")
        assert body["importance"] == "high"
        assert sorted(one.casefold() for one in body["categories"]) == ["blue", "red", "work"]
        assert "CATEGORIES:a\\,b\r\n" in w.text("A")


# --- alarms, conferences ---


def alarm(trigger: str, action: str = "DISPLAY", *more: str) -> tuple[str, ...]:
    return ("BEGIN:VALARM", f"ACTION:{action}", f"TRIGGER:{trigger}", *more, "END:VALARM")


async def test_case_77_only_the_trigger_moves_with_the_reminder(tmp_path: Path) -> None:
    """A day, in hours or in minutes, is the same reminder."""
    text = ics("a", "A", TEN, ELEVEN, *alarm("-P1D", "DISPLAY", "DESCRIPTION:Soon", "X-B:1"))
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("a.ics", text)
        assert await w.code() == 0
        assert posted(w)["A"]["isReminderOn"] is True
        assert posted(w)["A"]["reminderMinutesBeforeStart"] == 1440
        await nop(w)
        w.edit("A", b"TRIGGER:-P1D", b"TRIGGER:-PT24H")
        await nop(w)
        before = path.read_bytes().decode()
        patch(w, "A", reminderMinutesBeforeStart=30)
        w.clear()
        assert await w.code() == 0
        changed = moved_lines(before, path.read_bytes().decode())
        assert changed == (["TRIGGER:-PT24H"], ["TRIGGER:-PT30M"])
        assert w.writes() == []


async def test_case_78_one_alarm_is_the_reminder_and_the_others_stay(tmp_path: Path) -> None:
    """The first that Graph can say; none is said at creation too; clients' notes are nothing."""
    alarms = (
        *alarm("-P1D", "EMAIL", "SUMMARY:a", "DESCRIPTION:b", f"ATTENDEE:mailto:{ME}"),
        *alarm("-PT15M"),
        *alarm("PT5M"),
    )
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("a.ics", ics("a", "Alarms", TEN, ELEVEN, *alarms))
        w.write("n.ics", ics("n", "None"))
        before = path.read_bytes()
        assert await w.code() == 0
        assert posted(w)["Alarms"]["isReminderOn"] is True
        assert posted(w)["Alarms"]["reminderMinutesBeforeStart"] == 15
        assert posted(w)["None"]["isReminderOn"] is False
        await nop(w)
        assert path.read_bytes() == before
        for name in ("a.ics", "n.ics"):
            resave(w, w.folder / name, added("X-MOZ-LASTACK:20260310T085000Z"))
        await nop(w)
        patch(w, "Alarms", isReminderOn=False)
        assert await w.code() == 0
        text = w.text("Alarms")
        kept = {f"TRIGGER:{one}" for one in ("-P1D", "PT5M")}
        assert {one for one in text.splitlines() if one.startswith("TRIGGER")} == kept


async def test_case_79_links_of_the_files_own_travel_and_the_join_link_does_not(
    tmp_path: Path,
) -> None:
    """A deleted join link causes no request; another link goes into the stash."""
    own = "CONFERENCE;VALUE=URI:https://meet.example/x"
    async with world(machine(tmp_path, "first")) as w:
        teams(w, "A")
        assert await w.code() == 0
        url = join_url(w, "A")
        resave(w, w.path("A"), without("CONFERENCE"))
        await nop(w)
        assert join_url(w, "A") == url

        resave(w, w.path("A"), added(own))
        assert await w.code() == 0
        assert [list(body) for body in w.bodies("PATCH")] == [["singleValueExtendedProperties"]]
        assert stash_of(w).m == (own,)
        assert f"{own}\r\n" in w.text("A")
        await nop(w)

        second = await on_another_machine(w, tmp_path)
        links = [one for one in second.text("A").splitlines() if one.startswith("CONFERENCE")]
        assert [one.partition("https:")[2] for one in links] == [url[6:], "//meet.example/x"]


async def test_case_79_a_join_link_comes_back_with_the_next_write(tmp_path: Path) -> None:
    """Whatever that write is for."""
    async with world(tmp_path) as w:
        teams(w, "A")
        assert await w.code() == 0
        [minted] = [one for one in w.text("A").splitlines() if one.startswith("CONFERENCE")]
        resave(w, w.path("A"), without("CONFERENCE"))
        await nop(w)
        patch(w, "A", location={"displayName": "Room"})
        w.clear()
        assert await w.code() == 0
        assert "LOCATION:Room\r\n" in w.text("A")
        assert f"{minted}\r\n" in w.text("A")
        assert w.writes() == []


# --- what is not ours ---


async def test_case_81_other_programs_properties_are_never_named(tmp_path: Path) -> None:
    """They are in no request, and on the service afterwards as before."""
    guid = "{11111111-2222-3333-4444-555555555555}"
    theirs = {"id": f"String {guid} Name their-crm", "value": "customer 7"}
    async with world(tmp_path) as w:
        create(w, "A", singleValueExtendedProperties=[theirs])
        before = dict(item(w, "A").extended)
        assert await w.code() == 0
        w.clear()
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B\r\nCOLOR:red")
        assert await w.code() == 0
        [body] = w.bodies("PATCH")
        assert sorted(body) == ["singleValueExtendedProperties", "subject"]
        assert all("their-crm" not in str(one.body) for one in w.sent)
        assert all(guid[1:-1] not in one for one in w.requests())
        assert all("extensions" not in one for one in w.requests())
        after = item(w, "B").extended
        assert {key: after.get(key) for key in before} == before
        assert before


# --- files that are no event, and odd ones ---


async def test_case_82_files_that_are_no_event_are_listed_and_left_alone(tmp_path: Path) -> None:
    """A task is none of ours; the others wait for a person."""
    todo = "BEGIN:VTODO\nUID:t\nSUMMARY:T\nEND:VTODO\n"
    task = f"BEGIN:VCALENDAR\nVERSION:2.0\n{todo}END:VCALENDAR\n"
    two = ics("v", "V")
    other = two[two.index("BEGIN:VEVENT") : two.index("END:VCALENDAR")].replace("UID:v", "UID:w")
    odd: Mapping[str, bytes] = {
        "not-an-event": task.encode(),
        "mixed-components": two.replace("END:VCALENDAR", f"{todo}END:VCALENDAR").encode(),
        "several-uids": two.replace("END:VCALENDAR", f"{other}END:VCALENDAR").encode(),
        "itip-message": ics("m", "M")
        .replace("VERSION:2.0", "VERSION:2.0\nMETHOD:REQUEST")
        .encode(),
        "empty-file": b"",
        "encoding": ics("l", "Äpfel").encode("latin-1"),
    }
    async with world(tmp_path) as w:
        await w.code()
        for code, data in odd.items():
            (w.folder / f"{code}.ics").write_bytes(data)

        problems = await held(w, *odd)

        assert {one.file: one.code for one in problems} == {f"{code}.ics": code for code in odd}
        waiting = {one.code for one in problems if one.needs_person}
        assert waiting == odd.keys() - {"not-an-event"}
        assert w.box.items(w.calendar) == []
        w.clock.advance(7 * 3600)
        await held(w, *odd)


async def test_case_83_a_line_that_is_none_is_kept(tmp_path: Path) -> None:
    """Byte for byte through edits on either side, with a note."""
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("j.ics", ics("j", "Junk", TEN, ELEVEN, "this is junk", "LOCATION:Here"))
        before = path.read_bytes()
        assert "no-content-line" in _notes(before)
        assert await w.code() == 0
        assert path.read_bytes() == before
        await nop(w)
        w.clear()
        w.edit("Junk", b"LOCATION:Here", b"LOCATION:There")
        assert await w.code() == 0
        assert w.bodies("PATCH") == [{"location": {"displayName": "There"}}]
        patch(w, "Junk", subject="Junk 2")
        assert await w.code() == 0
        text = path.read_bytes()
        assert b"\r\nthis is junk\r\nLOCATION:There\r\n" in text
        assert b"\r\nSUMMARY:Junk 2\r\n" in text


async def test_case_84_different_fields_of_both_sides_both_stay(tmp_path: Path) -> None:
    """Nothing is decided, because nothing is in conflict."""
    async with world(tmp_path) as w:
        create(w, "A", location={"displayName": "Here"})
        await w.code()
        w.edit("A", b"SUMMARY:A", b"SUMMARY:Mine")
        patch(w, "A", location={"displayName": "There"})
        w.clear()

        assert await w.code() == 0

        assert w.bodies("PATCH") == [{"subject": "Mine"}]
        assert item(w, "Mine").values["location"]["displayName"] == "There"
        assert "LOCATION:There\r\n" in w.text("Mine")
        assert await w.store.problems() == []
        await nop(w)


@pytest.mark.parametrize(
    ("conflict", "winner", "code"),
    [("remote", "Theirs", 0), ("local", "Mine", 0), ("newest", "Mine", 0), ("ask", "", 4)],
)
async def test_case_84_one_field_of_both_sides_goes_by_policy(
    tmp_path: Path, conflict: str, winner: str, code: int
) -> None:
    """The version that lost is listed with the one that won; asked, both stay where they are."""
    async with world(tmp_path, conflict=conflict) as w:
        create(w, "A")
        await w.code()
        patch(w, "A", subject="Theirs")
        w.clock.advance(60)
        w.edit("A", b"SUMMARY:A", b"SUMMARY:Mine")
        saved_at = w.clock.now().timestamp() + 60
        os.utime(w.path("Mine"), (saved_at, saved_at))

        assert await w.code() == code

        [there] = [one.values["subject"] for one in w.box.items(w.calendar)]
        assert there == (winner or "Theirs")
        assert w.subjects() == [winner or "Mine"]
        [problem] = await w.store.problems()
        assert (problem.kind, problem.fields) == ("conflict", ("subject",))
        assert problem.needs_person == (not winner)
        assert (problem.base, problem.local, problem.remote) == ("A", "Mine", "Theirs")
        if winner == "Theirs":
            kept = await w.store.history(None, 9)
            assert any(b"SUMMARY:Mine" in one.before for one in kept)


async def test_a_decision_counts_until_its_held_write_has_gone(tmp_path: Path) -> None:
    """The person took their own title; that it would mail somebody is another question."""
    mail = MailPolicy("hold", "hold", "hold", "hold")
    async with world(tmp_path, conflict="ask", mail=mail) as w:
        guests = [{"emailAddress": {"address": "ada@example.org"}, "type": "required"}]
        create(w, "A", attendees=guests)
        await w.code()
        patch(w, "A", subject="Theirs")
        w.edit("A", b"SUMMARY:A", b"SUMMARY:Mine")
        assert await w.code() == 4
        [problem] = await w.store.problems()
        await w.decide(problem, "local")

        for _ in range(3):
            assert await w.code() == 4
            [problem] = await w.store.problems()
            assert problem.kind == "held-mail"
        await w.decide(problem, "approved")
        assert await w.code() == 0

        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["Mine"]
        assert await w.store.problems() == []


async def test_a_held_category_stays_beside_those_of_the_service(tmp_path: Path) -> None:
    """It waits for a person where it was written, whatever else comes."""
    long = "x" * 300
    async with world(tmp_path) as w:
        create(w, "A")
        await w.code()
        w.edit("A", b"END:VEVENT", f"CATEGORIES:Red,{long}\r\nEND:VEVENT".encode())
        assert await w.code() == 4
        patch(w, "A", categories=["Blue"])

        assert await w.code() == 4

        assert "CATEGORIES:Blue\r\n" in w.text("A")
        assert f"CATEGORIES:{long}\r\n" in w.text("A")
        assert item(w, "A").values["categories"] == ["Blue"]
        await nop(w, code=4)


@pytest.mark.parametrize(("minutes_later", "winner"), [(60, "Mine"), (-60, "Theirs")])
async def test_case_84_the_newest_is_that_of_the_field(
    tmp_path: Path, minutes_later: int, winner: str
) -> None:
    """Another field of the event that was changed later makes this one no newer."""
    async with world(tmp_path, conflict="newest") as w:
        create(w, "A")
        await w.code()
        path = w.path("A")
        good = path.read_bytes()
        path.write_bytes(b"half a file")
        patch(w, "A", subject="Theirs")
        w.clock.advance(2 * 3600)
        assert await w.code() == 4  # seen, and held with the file
        w.clock.advance(3 * 3600)
        patch(w, "Theirs", location={"displayName": "There"})
        saved_at = w.clock.now().timestamp() - 3 * 3600 + 60 * minutes_later

        path.write_bytes(good.replace(b"SUMMARY:A", b"SUMMARY:Mine"))
        os.utime(path, (saved_at, saved_at))
        assert await w.code() == 0

        [there] = [one.values["subject"] for one in w.box.items(w.calendar)]
        assert (there, w.subjects()) == (winner, [winner])
        assert "LOCATION:There\r\n" in w.text(winner)


LONG = "x" * 5000


async def test_case_85_uids_that_make_no_file_name_of_their_own(tmp_path: Path) -> None:
    """Two that differ in case alone, one that is too long, one that is a device."""
    uids = ("Abc", "abc", LONG, "CON", "his")
    async with world(tmp_path) as w:
        await w.code()
        w.write("HIS.ics", ics("mine", "Mine"))
        for uid in uids:
            create(w, uid[:9]).item.uid = uid
            assert await w.code() == 0
        hashes = {uid: hashlib.sha256(uid.encode()).hexdigest() for uid in uids}
        assert w.names() == sorted(
            [
                *("Abc.ics", f"abc-{hashes['abc'][:8]}.ics"),
                *("HIS.ics", f"his-{hashes['his'][:8]}.ics"),
                *(f"{hashes[LONG][:40]}.ics", f"{hashes['CON'][:40]}.ics"),
            ]
        )
        assert len({folded(name) for name in w.names()}) == len(uids) + 1
        await nop(w)
        for subject in ("Abc", "abc", "CON"):
            w.edit(subject, f"SUMMARY:{subject}".encode(), f"SUMMARY:{subject} 2".encode())
        w.clear()
        assert await w.code() == 0
        wanted = sorted(f"{subject} 2" for subject in ("Abc", "abc", "CON"))
        assert sorted(body["subject"] for body in w.bodies("PATCH")) == wanted


async def test_case_85_a_uid_that_is_long_is_followed_like_any_other(tmp_path: Path) -> None:
    """Its file can be edited."""
    async with world(tmp_path) as w:
        create(w, "A").item.uid = LONG
        assert await w.code() == 0
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")
        w.clear()
        assert await w.code() == 0
        assert w.bodies("PATCH") == [{"subject": "B"}]


# --- the table itself ---

TESTS = Path(__file__).parents[1]
_NUMBERS = re.compile(r"test_cases?_(\d+(?:_(?:and_|to_)?\d+)*)(?:_|$)")


def numbers_of(name: str) -> Iterator[int]:
    """The cases that a test's name carries; `51_to_56` is all from the one to the other."""
    found = _NUMBERS.match(name)
    words = found[1].split("_") if found else []
    for at, word in enumerate(words):
        if word == "to":
            yield from range(int(words[at - 1]), int(words[at + 1]) + 1)
        elif word != "and":
            yield int(word)


def names_of_tests() -> Iterator[str]:
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name


def test_numbers_are_read_off_names() -> None:
    """One, several, a span, none."""
    assert list(numbers_of("test_case_07_of_two_equal_events")) == [7]
    assert list(numbers_of("test_cases_11_and_12_html")) == [11, 12]
    assert list(numbers_of("test_cases_26_27_31_times")) == [26, 27, 31]
    assert sorted(set(numbers_of("test_cases_51_to_53_rules"))) == [51, 52, 53]
    assert list(numbers_of("test_a_case_12")) == []


def test_every_case_of_the_table_is_a_test() -> None:
    """From 1 to 85, and none that the table does not have."""
    assert {number for name in names_of_tests() for number in numbers_of(name)} == {*range(1, 86)}


async def test_a_copy_of_another_organizers_series_invites_nobody_to_one_day(
    tmp_path: Path,
) -> None:
    """An override that names guests and no organizer is of the series' organizer."""
    send = MailPolicy("send", "send", "send", "send")
    async with world(tmp_path, foreign_meeting="copy", mail=send) as w:
        await w.code()
        rule = "RRULE:FREQ=WEEKLY;COUNT=4"
        lines = f"{rule}\nORGANIZER:mailto:boss@example.com"
        whole = ics("a", "Weekly", "20260309T090000", "20260309T100000", lines)
        guest = "ATTENDEE:mailto:dave@example.org"
        day = ics("a", "Weekly", "20260316T110000", "20260316T120000", guest)
        own = day[day.index("BEGIN:VEVENT") : day.index("END:VCALENDAR")]
        own = own.replace("DTSTART", "RECURRENCE-ID;TZID=Europe/Berlin:20260316T090000\nDTSTART", 1)
        w.write("a.ics", whole.replace("END:VCALENDAR", f"{own}END:VCALENDAR"))

        for _ in range(3):
            await w.code()

        assert w.mails() == []
        [made] = w.box.items(w.calendar)
        assert made.values["attendees"] == []
        [override] = made.overrides.values()
        assert not override.values.get("attendees")
