"""
Files as other programs write them: what of each arrives, and what becomes of its bytes.

`tests/corpus/<producer>/<name>.ics` is a file, and the .json beside it says what must follow:

- `event`: a part of the Graph event that the service must hold afterwards; its `body` is the text,
  its `attendees` are everybody but the owner. Without it nothing of the file may be sent.
- `cancelled`: the days of the series that must be gone; `exceptions`: those that must differ, by
  day, each with a part of the event. Both are complete; left out, there are none.
- `holds`: the codes of everything that must be listed about the file.
- `known`: the same meeting as the service may already hold it.

The expectations come from RFC 5545, from Graph's documentation and from what these programs mean by
their lines. khal and vdirsyncer wrote their files themselves; the others follow what is public.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from tzlocal.windows_tz import tz_win

from syncd.shell.config import DEFAULT_SYNC
from syncd.simulator.bodies import to_text
from syncd.simulator.folders import Person
from syncd.simulator.load import fill
from syncd.simulator.model import Event, Item, Mail
from syncd.simulator.render import AS_STORED, full_row
from tests.rounds.world import ME, World, world

CORPUS = Path(__file__).parents[1] / "corpus"
PATHS = {f"{one.parent.name}/{one.stem}": one for one in sorted(CORPUS.glob("*/*.ics"))}
EXPECTED: dict[str, dict[str, Any]] = {
    name: json.loads(path.with_suffix(".json").read_text()) for name, path in PATHS.items()
}
PRODUCERS = sorted({path.parent.name for path in PATHS.values()})
SENDING = replace(DEFAULT_SYNC.mail, invitations="send")
NEW_SUBJECT = "Anders, von drüben; " + "ganz langer neuer Betreff mit Übergröße 📅 " * 2 + "Ende"
STAMPED = {"SUMMARY", "DTSTAMP", "LAST-MODIFIED"}

ALL = list(PATHS)
WITH_EVENT = [name for name in ALL if "event" in EXPECTED[name]]
MEETINGS = [name for name in WITH_EVENT if EXPECTED[name]["event"].get("attendees")]
KNOWN = [name for name in ALL if "known" in EXPECTED[name]]


# --- what happens to the files of one producer in one folder ---


@dataclass(slots=True)
class Seen:
    """What became of one file."""

    before: bytes
    row: Mapping[str, Any] | None = None
    cancelled: list[str] = field(default_factory=list)
    exceptions: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)
    written_later: list[str] = field(default_factory=list)
    renamed: bytes = b""
    written_at_last: list[str] = field(default_factory=list)


@cache
def judged(producer: str) -> Mapping[str, Seen]:
    """Put the producer's files into one folder and live with them for some rounds."""
    with TemporaryDirectory() as root:
        return asyncio.run(_lived(producer, Path(root)))


async def _lived(producer: str, root: Path) -> dict[str, Seen]:
    seen = {
        name: Seen(path.read_bytes())
        for name, path in PATHS.items()
        if path.parent.name == producer
    }
    async with world(root, mail=SENDING) as w:
        await w.code()
        for name, one in seen.items():
            file(w, name).write_bytes(one.before)
        await w.code()
        items = await _first_round(w, seen)
        await _quiet_rounds(w, seen, items)
        await _new_subjects(w, seen, items)
    return seen


def file(w: World, name: str) -> Path:
    """Where a file of the corpus stands in the world."""
    return w.folder / f"{name.replace('/', ' ')}.ics"


async def _first_round(w: World, seen: Mapping[str, Seen]) -> dict[str, Item]:
    problems = await w.store.problems()
    items = {name: item for name in seen if (item := item_of(w, name)) is not None}
    assert len(w.box.items(w.calendar)) == len(items)
    for name, one in seen.items():
        one.kept.append(file(w, name).read_bytes())
        one.listed = sorted({p.code for p in problems if p.file == file(w, name).name})
        if (item := items.get(name)) is not None:
            one.row = row_of(item)
            one.cancelled = sorted(day.isoformat() for day in item.cancelled)
            one.exceptions = {day.isoformat(): row_of(item, day) for day in item.overrides}
            one.mails = [mail for mail in w.mails() if mail.ical_uid == item.uid]
    assert sum(len(one.mails) for one in seen.values()) == len(w.mails())
    return items


async def _quiet_rounds(w: World, seen: Mapping[str, Seen], items: Mapping[str, Item]) -> None:
    w.clear()
    for _ in range(2):
        w.clock.advance(60)
        await w.code()
        for name, one in seen.items():
            one.kept.append(file(w, name).read_bytes())
    for name, one in seen.items():
        one.written_later = writes_to(w, items.get(name), items.values())


async def _new_subjects(w: World, seen: Mapping[str, Seen], items: Mapping[str, Item]) -> None:
    for item in items.values():
        w.box.patch(item.immutable_id, {"subject": NEW_SUBJECT})
    w.clock.advance(60)
    w.clear()
    await w.code()
    await w.code()
    for name, one in seen.items():
        one.renamed = file(w, name).read_bytes()
        one.written_at_last = writes_to(w, items.get(name), items.values())


def uid_in(data: bytes) -> str:
    """The UID of a file's first event or task."""
    block = tree(data)
    inner = next(one for one in block.blocks if one.name != "VTIMEZONE")
    return next(line for line in inner.lines if line.startswith("UID")).partition(":")[2]


def item_of(w: World, name: str) -> Item | None:
    """The service's only event of a file."""
    uid = uid_in(PATHS[name].read_bytes())
    found: list[Item] = [
        item
        for item in w.box.items(w.calendar)
        if uid in (item.uid, *(value for _, value in item.extended.values()))
    ]
    assert len(found) < 2
    return found[0] if found else None


def row_of(item: Item, slot: date | None = None) -> dict[str, Any]:
    """An event as Graph shows it, its body as text."""
    row = full_row(Event(item, slot), AS_STORED)
    return {**row, "body": to_text(row["body"]["content"])}


def writes_to(w: World, item: Item | None, items: Iterable[Item]) -> list[str]:
    """Writes that concern an event, and those that concern none that is known."""
    others = [one for one in items if one is not item]
    return [
        write
        for write in w.writes()
        if not any(quote(one.immutable_id, safe="") in write for one in others)
    ]


# --- values that can be compared ---


def part_of(value: Any, like: Any) -> Any:
    """Of a value, the members that `like` has, as `plain` shows them."""
    return plain(_picked(value, like))


def _picked(value: Any, like: Any) -> Any:
    if not isinstance(like, dict):
        return value
    return {key: _picked((value or {}).get(key), inner) for key, inner in like.items()}


def plain(value: Any, key: str = "") -> Any:
    """A value so that two spellings of the same are equal: order, fractions, spaces."""
    match key:
        case "attendees":
            return people({key: value})
        case "daysOfWeek" | "categories":
            return sorted(value or ())
        case "body" | "displayName":
            return " ".join((value or "").split())
        case "dateTime":
            return (value or "")[:19]
        case _ if isinstance(value, dict):
            return {name: plain(inner, name) for name, inner in value.items()}
        case _:
            return value


def people(event: Mapping[str, Any]) -> list[dict[str, str]]:
    """Address and kind of everybody but the owner."""
    found = [
        {"address": one["emailAddress"]["address"].lower(), "type": one["type"]}
        for one in event.get("attendees", ())
    ]
    return sorted((one for one in found if one["address"] != ME), key=lambda one: one["address"])


# --- the syntax of a file, as far as it takes to compare and to rewrite it ---


@dataclass(slots=True)
class Block:
    """BEGIN to END: unfolded lines, then the blocks inside."""

    name: str
    lines: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)


def tree(data: bytes) -> Block:
    """The calendar of a file."""
    top = Block("")
    open_ = [top]
    for raw in re.sub(rb"\r?\n[ \t]", b"", data).decode("utf-8-sig").split("\n"):
        line = raw.rstrip("\r")
        word, _, value = line.partition(":")
        if word.upper() == "BEGIN":
            open_[-1].blocks.append(Block(value.upper()))
            open_.append(open_[-1].blocks[-1])
        elif word.upper() == "END":
            open_.pop()
        elif line:
            open_[-1].lines.append(line)
    return top.blocks[0]


def name_of(line: str) -> str:
    """The name of a content line."""
    return re.split("[;:]", line, maxsplit=1)[0].upper()


def subjects(data: bytes) -> list[str]:
    """The titles of a file's events, the series' own first."""
    events = [one for one in tree(data).blocks if one.name == "VEVENT"]
    events.sort(key=lambda one: any(name_of(line) == "RECURRENCE-ID" for line in one.lines))
    lines = [line for one in events for line in one.lines if name_of(line) == "SUMMARY"]
    return [re.sub(r"\\(.)", r"\1", re.sub("^[^:]*:", "", line)) for line in lines]


def but_the_subject(data: bytes) -> list[bytes]:
    """A file's lines with their bytes; of titles and stamps of events the names alone."""
    open_: list[str] = []
    found = []
    for raw in re.findall(rb"[^\n]*\n(?:[ \t][^\n]*(?:\n|\Z))*|[^\n]+\Z", data):
        name = name_of(raw.decode("utf-8-sig", "replace").strip())
        if name == "BEGIN":
            open_.append(raw.split(b":")[1].strip().decode().upper())
        shown = open_[-1:] == ["VEVENT"] and name in STAMPED
        found.append(name.encode() if shown else raw)
        if name == "END":
            open_.pop()
    return found


# --- what must hold of each file ---


@pytest.mark.parametrize("name", WITH_EVENT)
def test_the_service_holds_what_the_file_says(name: str) -> None:
    """Every field, the days that are gone and the days that differ."""
    expected, seen = EXPECTED[name], judged(name.partition("/")[0])[name]

    assert seen.row is not None
    assert part_of(seen.row, expected["event"]) == plain(expected["event"])
    assert seen.cancelled == expected.get("cancelled", [])
    wanted = expected.get("exceptions", {})
    shown = {day: part_of(row, wanted.get(day, {})) for day, row in seen.exceptions.items()}
    assert shown == {day: plain(part) for day, part in wanted.items()}


@pytest.mark.parametrize("name", ALL)
def test_what_cannot_go_is_listed_and_nothing_else(name: str) -> None:
    """The codes are those expected, and what has no event was not sent."""
    seen = judged(name.partition("/")[0])[name]

    assert seen.listed == EXPECTED[name].get("holds", [])
    assert (seen.row is None) == ("event" not in EXPECTED[name])


@pytest.mark.parametrize("name", WITH_EVENT)
def test_people_are_invited_and_nobody_else_is_mailed(name: str) -> None:
    """Each meeting once, with everybody that its file names but the owner."""
    invited = {one["address"] for one in people(EXPECTED[name]["event"])}
    mails = judged(name.partition("/")[0])[name].mails

    assert {mail.kind for mail in mails} <= {"invitation"}
    assert len([mail for mail in mails if mail.slot is None]) == bool(invited)
    assert {address.lower() for mail in mails for address in mail.to} == invited


@pytest.mark.parametrize("name", ALL)
def test_the_file_stays_as_it_was_written(name: str) -> None:
    """Byte for byte, after the round that sent it and after two more."""
    seen = judged(name.partition("/")[0])[name]

    assert seen.kept == [seen.before] * 3


@pytest.mark.parametrize("name", ALL)
def test_further_rounds_write_nothing(name: str) -> None:
    """The echo of what was sent is no edit."""
    assert judged(name.partition("/")[0])[name].written_later == []


@pytest.mark.parametrize("name", WITH_EVENT)
def test_a_new_subject_from_the_service_changes_its_own_line_alone(name: str) -> None:
    """SUMMARY and the stamps of the events; every other line keeps its bytes and its place."""
    seen = judged(name.partition("/")[0])[name]

    assert subjects(seen.renamed)[0] == NEW_SUBJECT
    titled = b"SUMMARY" in but_the_subject(seen.before)
    after = [line for line in but_the_subject(seen.renamed) if titled or line != b"SUMMARY"]
    assert after == but_the_subject(seen.before)
    assert seen.written_at_last == []


@pytest.mark.parametrize("name", [n for n in ALL if n not in WITH_EVENT])
def test_a_file_without_an_event_is_left_alone(name: str) -> None:
    """Also while others beside it are written."""
    seen = judged(name.partition("/")[0])[name]

    assert seen.renamed == seen.before


async def test_meetings_wait_when_invitations_are_held(tmp_path: Path) -> None:
    """Each is listed with its people, nobody is mailed, and the files stay."""
    async with world(tmp_path) as w:
        await w.code()
        for name in MEETINGS:
            file(w, name).write_bytes(PATHS[name].read_bytes())

        assert await w.code() == 4

        problems = [one for one in await w.store.problems() if one.code == "would-invite"]
        assert {one.uid: {to.lower() for to in one.to} for one in problems} == {
            uid_in(PATHS[name].read_bytes()): {
                one["address"] for one in people(EXPECTED[name]["event"])
            }
            for name in MEETINGS
        }
        assert w.service.ledger == []
        for name in MEETINGS:
            assert file(w, name).read_bytes() == PATHS[name].read_bytes()


@pytest.mark.parametrize("name", KNOWN)
async def test_an_invitation_that_the_service_has_too_is_the_same_meeting(
    tmp_path: Path, name: str
) -> None:
    """Found by its UID: nothing is sent, nothing is listed, the file stays."""
    known, data = EXPECTED[name]["known"], PATHS[name].read_bytes()
    async with world(tmp_path) as w:
        await w.code()
        organizer = Person("Carol", known["organizer"])
        made = w.box.receive(w.calendar, known["event"], organizer, ical_uid=known["uid"])
        if "response" in known:
            w.box.respond(made.id, known["response"], {"sendResponse": False})
        file(w, name).write_bytes(data)
        w.clear()

        assert [await w.code(), await w.code()] == [0, 0]

        assert w.writes() == []
        assert {path: path.read_bytes() for path in w.folder.glob("*.ics")} == {file(w, name): data}
        assert await w.store.problems() == []


# --- the habits of programs that save what syncd wrote ---

Habit = Callable[[bytes], bytes]
Respelling = Callable[[re.Match[str]], str]
STAMP = "20261121T131013Z"


def text_of(block: Block, fold: str = "\r\n ", *, split_characters: bool = False) -> bytes:
    """A block as bytes again, folded at 75 octets; line ends are what `fold` begins with."""
    eol = fold.rstrip(" \t")
    lines = [_folded(line.encode(), fold.encode(), split_characters) for line in _flat(block)]
    return eol.encode().join([*lines, b""])


def _flat(block: Block) -> Iterator[str]:
    yield f"BEGIN:{block.name}"
    yield from block.lines
    for inner in block.blocks:
        yield from _flat(inner)
    yield f"END:{block.name}"


def _folded(line: bytes, fold: bytes, split_characters: bool) -> bytes:
    pieces, room = [], 75
    while len(line) > room:
        end = room
        while not split_characters and line[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(line[:end])
        line, room = line[end:], 74
    return fold.join([*pieces, line])


def replaced(block: Block, **values: str) -> None:
    """Put lines in the place of those with their names, or at the end; `_` stands for a hyphen."""
    for name, value in values.items():
        hyphened = name.replace("_", "-")
        block.lines = [line for line in block.lines if name_of(line) != hyphened]
        block.lines.append(f"{hyphened}:{value}")


def added(block: Block, **values: str) -> None:
    """Add lines whose names the block does not have yet."""
    for name, value in values.items():
        if not has(block, name.replace("_", "-")):
            block.lines.append(f"{name.replace('_', '-')}:{value}")


def has(block: Block, *names: str) -> bool:
    """Whether a line with one of the names is there."""
    return any(name_of(line) in names for line in block.lines)


def changed(block: Block, name: str, old: str, new: str | Respelling) -> None:
    """Replace a pattern in the lines with a name."""
    block.lines = [
        re.sub(old, new, line) if name_of(line) == name else line for line in block.lines
    ]


def events_of(calendar: Block) -> list[Block]:
    """The series and its overrides, or the one event."""
    return [one for one in calendar.blocks if one.name == "VEVENT"]


def alarms_of(calendar: Block) -> list[Block]:
    """The alarms of all events."""
    return [alarm for event in events_of(calendar) for alarm in event.blocks]


def zones_of(calendar: Block) -> list[Block]:
    """The VTIMEZONE blocks."""
    return [one for one in calendar.blocks if one.name == "VTIMEZONE"]


def respelled_zones(calendar: Block, spell: Callable[[str], str]) -> None:
    """Give every zone another name, in its block and wherever it is used."""
    for zone in zones_of(calendar):
        zone.lines = [
            f"TZID:{spell(line[5:])}" if name_of(line) == "TZID" else line for line in zone.lines
        ]
    for event in events_of(calendar):
        event.lines = [
            re.sub(r"(;TZID=)([^:;]+)", lambda m: m[1] + _quoted(spell(m[2])), line, count=1)
            for line in event.lines
        ]


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value


def saved_by_thunderbird(data: bytes) -> bytes:
    """Generation, acknowledgement, stamps, WKST, the note once more as HTML, ICU's zones."""
    calendar = tree(data)
    replaced(calendar, PRODID="-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN")
    for zone in zones_of(calendar):
        zone.lines.append(f"X-TZINFO:{zone.lines[0][5:]}[2025b]")
        for part in zone.blocks:
            changed(part, "TZOFFSETFROM", r"$", "00")
            changed(part, "TZOFFSETTO", r"$", "00")
    for event in events_of(calendar):
        replaced(event, DTSTAMP=STAMP, LAST_MODIFIED=STAMP, CREATED=STAMP)
        event.lines += ["X-MOZ-GENERATION:2", f"X-MOZ-LASTACK:{STAMP}"]
        changed(event, "RRULE", r"^((?!.*WKST=).*)$", r"\1;WKST=MO")
        event.lines = [_with_altrep(line) for line in event.lines]
    for alarm in alarms_of(calendar):
        replaced(alarm, DESCRIPTION="Default Mozilla Description")
    return text_of(calendar)


def _with_altrep(line: str) -> str:
    html = html_of(line)
    return (
        f'DESCRIPTION;ALTREP="data:text/html,{quote(html, safe="")}":{line[12:]}' if html else line
    )


def html_of(line: str) -> str:
    """A note as HTML with the same text; "" for other lines, and where HTML would lose spaces."""
    text = re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], line.partition(":")[2])
    if not line.startswith("DESCRIPTION:") or re.search(r"[^\S \n]|  |^ | $", text, re.MULTILINE):
        return ""
    return "<html><body>" + escape(text).replace("\n", "<br>") + "</body></html>"


def saved_by_evolution(data: bytes) -> bytes:
    """Zones under libical's prefix, names for alarms, remarks of libical, folds inside characters."""
    calendar = tree(data)
    replaced(calendar, PRODID="-//Ximian//NONSGML Evolution Calendar//EN")
    respelled_zones(calendar, lambda tzid: f"/freeassociation.sourceforge.net/{tzid}")
    for event in events_of(calendar):
        replaced(event, DTSTAMP=STAMP, LAST_MODIFIED=STAMP, SEQUENCE="2")
        added(event, CLASS="PUBLIC", X_EVOLUTION_CALDAV_ETAG="63901-2")
        if not has(event, "DESCRIPTION"):
            event.lines.append(
                "X-LIC-ERROR;X-LIC-ERRORTYPE=VALUE-PARSE-ERROR:No value for DESCRIPTION property."
                " Removing entire property:"
            )
    for number, alarm in enumerate(alarms_of(calendar)):
        changed(alarm, "TRIGGER", "^TRIGGER:", "TRIGGER;VALUE=DURATION;RELATED=START:")
        alarm.lines.insert(0, f"X-EVOLUTION-ALARM-UID:20261121T131013Z-{number}@notebook")
    return text_of(calendar, split_characters=True)


def saved_by_google(data: bytes) -> bytes:
    """Names of the calendar, empty lines for what is not there, other programs' lines dropped."""
    calendar = tree(data)
    replaced(calendar, PRODID="-//Google Inc//Google Calendar 70.9054//EN", METHOD="PUBLISH")
    replaced(calendar, X_WR_CALNAME="Arbeit", X_WR_TIMEZONE="America/New_York")
    for event in events_of(calendar):
        event.lines = [line for line in event.lines if not line.startswith("X-")]
        replaced(event, DTSTAMP=STAMP, LAST_MODIFIED=STAMP, SEQUENCE="1")
        added(event, DESCRIPTION="", LOCATION="", STATUS="CONFIRMED")
        changed(event, "RRULE", r"^RRULE:(FREQ=\w+);(.*)$", _turned_round)
        changed(event, "ATTENDEE", "^ATTENDEE", "ATTENDEE;X-NUM-GUESTS=0")
        event.lines.reverse()
    for alarm in alarms_of(calendar):
        replaced(alarm, DESCRIPTION="This is an event reminder")
        changed(alarm, "TRIGGER", r"-PT(\d+)M$", r"-P0DT0H\1M0S")
    return text_of(calendar)


def _turned_round(found: re.Match[str]) -> str:
    return f"RRULE:{found[1]};{';'.join(reversed(found[2].split(';')))}"


def saved_by_apple(data: bytes) -> bytes:
    """Everything in the order of the alphabet, alarms with names, days for 24 hours."""
    calendar = tree(data)
    replaced(calendar, PRODID="-//Apple Inc.//macOS 15.3//EN", CALSCALE="GREGORIAN")
    replaced(calendar, X_APPLE_CALENDAR_COLOR="#1BADF8")
    for event in events_of(calendar):
        replaced(event, DTSTAMP=STAMP, LAST_MODIFIED=STAMP, SEQUENCE="1")
        event.lines += [
            "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC",
            "X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-APPLE-RADIUS=70;X-TITLE=Hier:geo:52.5,13.4",
        ]
        changed(event, "ATTENDEE", r"^ATTENDEE(.*):mailto:(.*)$", r"ATTENDEE;EMAIL=\2\1:mailto:\2")
        event.lines.sort()
    for alarm in alarms_of(calendar):
        added(alarm, UID="0E3C62F9-7A43-4E0E", X_WR_ALARMUID="0E3C62F9-7A43-4E0E")
        added(alarm, ACKNOWLEDGED=STAMP, X_APPLE_DEFAULT_ALARM="TRUE")
        changed(alarm, "TRIGGER", r"-PT(\d+)M$", lambda m: _days(int(m[1])))
        alarm.lines.sort()
    return text_of(calendar)


def _days(minutes: int) -> str:
    return f"-P{minutes // 1440}D" if minutes and minutes % 1440 == 0 else f"-PT{minutes}M"


def saved_by_outlook(data: bytes) -> bytes:
    """Windows' zone names, the defaults spelled out, tabs as folds, EXDATEs on one line."""
    calendar = tree(data)
    replaced(
        calendar, PRODID="-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN", METHOD="PUBLISH"
    )
    respelled_zones(calendar, lambda tzid: tz_win.get(tzid, tzid))
    for event in events_of(calendar):
        replaced(event, DTSTAMP=STAMP, LAST_MODIFIED=STAMP)
        if not has(event, "TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS", "STATUS"):
            added(event, TRANSP="OPAQUE", X_MICROSOFT_CDO_BUSYSTATUS="BUSY")
        if not has(event, "PRIORITY"):
            added(event, PRIORITY="5", X_MICROSOFT_CDO_IMPORTANCE="1")
        added(event, CLASS="PUBLIC", SEQUENCE="0")
        notes = [html for line in event.lines if (html := html_of(line))]
        event.lines += [f"X-ALT-DESC;FMTTYPE=text/html:{escaped(html)}" for html in notes]
        _join_exdates(event)
    return text_of(calendar, "\r\n\t")


def escaped(text: str) -> str:
    """A text as a content line's value holds it."""
    return re.sub(r"([\\;,])", r"\\\1", text).replace("\n", "\\n")


def _join_exdates(event: Block) -> None:
    days = [line for line in event.lines if name_of(line) == "EXDATE"]
    if len({line.rpartition(":")[0] for line in days}) == 1:
        joined = ",".join(line.rpartition(":")[2] for line in reversed(days))
        event.lines = [line for line in event.lines if line not in days]
        event.lines.append(f"{days[0].rpartition(':')[0]}:{joined}")


def saved_by_vdirsyncer(data: bytes) -> bytes:
    """What a CalDAV server made of the item: sorted, its own names and stamps, ends of XML."""
    calendar = tree(data)
    replaced(calendar, PRODID="-//SabreDAV//SabreDAV//EN", X_WR_CALNAME="Arbeit")
    for event in events_of(calendar):
        replaced(event, DTSTAMP=STAMP, LAST_MODIFIED=STAMP, CREATED=STAMP)
        event.lines.append(f"X-RADICALE-NAME:{uid_in(data)}.ics")
        event.lines.sort()
    calendar.blocks.sort(key=lambda one: one.name, reverse=True)
    return text_of(calendar, "\n ").rstrip(b"\n")


def saved_by_khal(data: bytes) -> bytes:
    """khal's own code, as when a person changes nothing of an event and saves it."""
    if find_spec("khal") is None:
        pytest.skip("khal is not installed")
    from khal.khalendar.event import Event as KhalEvent

    berlin = ZoneInfo("Europe/Berlin")
    locale = {"local_timezone": berlin, "default_timezone": berlin}
    event = KhalEvent.fromString(data.decode(), locale=locale, calendar="work")
    event.increment_sequence()
    raw: str = event.raw
    return raw.encode()


HABITS: dict[str, Habit] = {
    "apple": saved_by_apple,
    "evolution": saved_by_evolution,
    "google": saved_by_google,
    "khal": saved_by_khal,
    "outlook": saved_by_outlook,
    "thunderbird": saved_by_thunderbird,
    "vdirsyncer": saved_by_vdirsyncer,
}


@pytest.mark.parametrize("producer", PRODUCERS)
async def test_what_the_service_sent_and_a_program_saved_again_is_no_edit(
    tmp_path: Path, producer: str
) -> None:
    """Events of all kinds, each rewritten with the program's habits: no write, no change, no word."""
    async with world(tmp_path) as w:
        fill(w.service, w.box, 60, seed=9)
        assert await w.code() == 0
        pulled = {path: path.read_bytes() for path in w.folder.glob("*.ics")}
        saved = {path: HABITS[producer](data) for path, data in pulled.items()}
        w.clock.advance(60)
        for path, data in saved.items():
            path.write_bytes(data)
        w.clear()

        codes = [await w.code(), await w.code()]

        assert w.bodies("PATCH") == []
        assert w.writes() == []
        assert {path: path.read_bytes() for path in w.folder.glob("*.ics")} == saved
        assert codes == [0, 0]
        assert len(pulled) > 20
        assert all(saved[path] != pulled[path] for path in pulled)
