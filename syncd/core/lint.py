"""
What the service would make of a file: refuse, hold, alter or drop, in words for its author.

Knows what the readers of files hold and note, and beside it what they take without a word because
it is the file's own matter: what Outlook cannot show, what only the file keeps, who would be
mailed. A file as common programs save it gives nothing but notes, or nothing.

Knows neither folders nor accounts. Texts of the file stand in the findings as they are: whoever
prints them escapes what a terminal would act on.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, assert_never

import msgspec

from syncd.core.event import AllDay, Event, Item, Timed, When, effective, slot_of
from syncd.core.lines import (
    Component,
    Document,
    Line,
    Unreadable,
    line_text,
    param,
    parse,
    split_list,
    unescape,
)
from syncd.core.owner import Owner
from syncd.core.recurrence import (
    Recurrence,
    nth_occurrence,
    occurs_on,
    refusal,
)
from syncd.core.wire.dialects.graph_attachments import DIRECT_BYTES
from syncd.core.wire.holds import Hold
from syncd.core.wire.ics_alarms import alarm_minutes
from syncd.core.wire.ics_attach import is_own_content, new_attachments
from syncd.core.wire.ics_geo import read_geo
from syncd.core.wire.ics_html import HTML_NAMES
from syncd.core.wire.ics_people import is_silent, mail_address
from syncd.core.wire.ics_read import FileItem, NotAnEvent, read_document
from syncd.core.wire.ics_slots import parse_duration, parse_wall, slot_named, slots_named
from syncd.core.wire.ics_split import Split, split_series
from syncd.core.wire.ics_stash import (
    MAX_LINE_BYTES,
    MAX_STASH_BYTES,
    Stash,
    is_minted_place,
    is_unknown,
    unpacked,
)
from syncd.core.wire.ics_status import upper_value
from syncd.core.wire.ics_times import DAY, WALL, floating_zone, timezone_block, zone_named
from syncd.core.zones import (
    UTC_ZONE,
    WindowsZone,
    fixed_offsets,
    iana_name,
    instant,
    wall_time,
    windows_zone,
    zone_info,
)

__all__ = ["Finding", "Severity", "duplicate_uid", "lint", "too_large"]

Severity = Literal["refused", "held", "altered", "dropped", "note"]
"""
What becomes of it: the file is not read, or the service says no; the group waits for a person; the
service gets something else; only the file keeps it; nothing is lost, but it is worth knowing.
"""

SUBJECT_CHARS = 255
CATEGORY_CHARS = 255
"""What Outlook holds of each."""

MOST_OCCURRENCES = 999
MOST_FINDINGS = 1000
MOST_NAMED = 8
LAST_RULE_YEAR = 2099
"""Rules of zone blocks are followed up to here."""

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know of a file; `line` counts from 1, 0 is no line in particular."""

    line: int
    severity: Severity
    code: str
    reason: str
    hint: str = ""


def too_large() -> Finding:
    """A file that is not even looked into."""
    return Finding(0, "refused", "too-large", "it is larger than 10 MB", "Make it smaller.")


def duplicate_uid() -> Finding:
    """A file whose event another file of its folder is already."""
    reason = "another file of this folder has the same UID"
    return Finding(
        0, "held", "duplicate-uid", reason, "Give the copy a UID of its own, or remove it."
    )


def lint(
    data: bytes,
    owner: Owner,
    base: Item | None = None,
    *,
    delete_cancelled: bool = False,
    copy_foreign: bool = False,
    attaches: bool = True,
) -> list[Finding]:
    """
    What there is to know of a file, in the order of its lines.

    Args:
        owner: whose calendar; one without addresses may be anybody.
        base: what the file said at the last agreement, None for a file that would be new.
        delete_cancelled: whether a cancelled override counts as an EXDATE.
        copy_foreign: whether a meeting of another organizer is created without its attendees.
        attaches: whether what a file brings along is attached to its event.
    """
    document = parse(data)
    if isinstance(document, Unreadable):
        return [_refused(document)]
    found = read_document(document, owner, base, delete_cancelled=delete_cancelled)
    match found:
        case Unreadable():
            return [_refused(found)]
        case NotAnEvent():
            return [_no_event(found)]
        case FileItem():
            excluded, split = _excluded(document, found), _split(data, document, owner, found)
            rules = copy_foreign, attaches
            scene = _Scene(document, owner, found, base, *rules, excluded, split)
            return _ordered(_findings(scene))
        case _:
            assert_never(found)


def _ordered(findings: Iterable[Finding]) -> list[Finding]:
    ordered = sorted(dict.fromkeys(findings), key=lambda one: one.line)
    if len(ordered) <= MOST_FINDINGS:
        return ordered
    left = f"there are {len(ordered) - MOST_FINDINGS} more findings"
    return [*ordered[:MOST_FINDINGS], Finding(0, "note", "more", left)]


# --- what the readers say ------------------------------------------------------------------------

_HINTS: Mapping[str, str] = {
    "empty-file": "Write an event, or remove the file.",
    "parse-error": "A file is one BEGIN:VCALENDAR, its events, and END:VCALENDAR.",
    "encoding": "Save the file as UTF-8.",
    "several-calendars": "Put each calendar into a file of its own.",
    "mixed-components": "Put tasks and journals into files of their own.",
    "several-uids": "Put each event into a file of its own.",
    "no-uid": "Add a UID line with a text that no other event has.",
    "two-masters": "Keep one VEVENT without RECURRENCE-ID; put the other into a file of its own.",
    "no-master": "Add the VEVENT of the series, or take the RECURRENCE-ID lines out.",
    "itip-message": "Remove the METHOD line to make it an event of your own.",
    "calscale": "Remove the CALSCALE line and write Gregorian dates.",
}


def _refused(trouble: Unreadable) -> Finding:
    hint = _HINTS.get(trouble.code, "Mend the file.")
    return Finding(trouble.line, "refused", trouble.code, trouble.reason, hint)


def _no_event(found: NotAnEvent) -> Finding:
    kinds = f" ({', '.join(found.kinds)})" if found.kinds else ""
    reason = f"the file holds no event{kinds}; it is left alone"
    hint = "Nothing to do; other programs may use it."
    return Finding(0, "refused", "not-an-event", reason, hint)


_THIS_AND_FUTURE = "this-and-future"


def _holds(scene: _Scene) -> Iterator[Finding]:
    for one in scene.file.holds:
        if scene.split is not None and one.code == _THIS_AND_FUTURE:
            reason = f"the series is cut in two: this file ends before {scene.split.slot}"
            reason += ", and a new file goes on from there"
            yield Finding(one.line, "altered", one.code, reason)
        else:
            yield Finding(one.line, "held", one.code, one.reason, one.hint)


def _split(data: bytes, document: Document, owner: Owner, found: FileItem) -> Split | None:
    """How a series is cut that concerns nobody but its owner; others would be mailed twice."""
    if not any(one.code == _THIS_AND_FUTURE for one in found.holds):
        return None
    events = document.calendar.components("VEVENT")
    if any(event.first("ATTENDEE") is not None for event in events):
        return None
    return split_series(data, owner)


def _whole(scene: _Scene) -> Iterator[Finding]:
    """A new event is not created without its time, its rule or its guests."""
    whole = {"when", "recurrence", "attendees"}
    first = next((one for one in scene.file.holds if one.slot == "" and one.fields & whole), None)
    if first is not None and scene.base is None:
        reason = "while this is held, a new event is not created at all"
        yield Finding(first.line, "note", "not-created", reason)


_NO_LINE = "no-content-line"
_NO_LINE_HINT = "Write it as NAME:VALUE, or begin it with a space if it continues the line above."

_NOTED: Sequence[tuple[str, Severity, str, str]] = (
    ("is no content line", "dropped", _NO_LINE, _NO_LINE_HINT),
    (
        "EXDATE names no occurrence",
        "dropped",
        "exdate-unmatched",
        "Name the start of an occurrence, in the zone of DTSTART.",
    ),
)
"""By their words, the notes of the readers that lose something; all others are notes."""

_SAID_BETTER = (("too long to travel", "too-long"), ("GEO names no point", "geo"))
"""By their words, the notes of the readers that a finding of our own tells with its line."""


def _noted(text: str) -> Finding:
    found = re.match(r"line (\d+):? ?", text)
    line = int(found[1]) if found else 0
    reason = text[found.end() :] if found and found[0].rstrip().endswith(":") else text
    for words, severity, code, hint in _NOTED:
        if words in text:
            return Finding(line, severity, code, reason, hint)
    return Finding(line, "note", "reading", reason)


# --- the file ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Scene:
    """
    A file that could be read, and what it is held against; `excluded` are slots of EXDATEs, `split`
    is how the round cuts it in two.
    """

    document: Document
    owner: Owner
    file: FileItem
    base: Item | None
    copy_foreign: bool
    attaches: bool
    excluded: frozenset[date]
    split: Split | None


@dataclass(frozen=True, slots=True)
class _Part:
    """
    One VEVENT. `slot` is of an override; `event` is what was read, None where its time is held;
    `before` is the same at the last agreement.
    """

    scene: _Scene
    component: Component
    slot: date | None
    event: Event | None
    before: Event | None

    @property
    def is_override(self) -> bool:
        return self.component.first("RECURRENCE-ID") is not None


Check = Callable[[_Part], Iterator[Finding]]


def _findings(scene: _Scene) -> Iterator[Finding]:
    yield from _holds(scene)
    yield from _whole(scene)
    own = list(_own_findings(scene))
    yield from own
    codes = {one.code for one in own}
    for text in scene.file.lint:
        if not any(words in text and code in codes for words, code in _SAID_BETTER):
            yield _noted(text)


def _own_findings(scene: _Scene) -> Iterator[Finding]:
    parts = list(_parts(scene))
    for part in parts:
        for check in _CHECKS:
            yield from check(part)
    yield from _lying_zones(parts)
    yield from _carried(scene, parts)
    yield from _other_junk(scene.document.calendar)


def _other_junk(component: Component) -> Iterator[Finding]:
    """What is no content line outside of events; in them, the reader says so."""
    for part in component.parts:
        if isinstance(part, Component):
            yield from _other_junk(part)
        elif not part.name and part.raw.strip() and component.name != "VEVENT":
            reason = f"line {part.number} is no content line; it is kept as it is"
            yield Finding(part.number, "dropped", _NO_LINE, reason, _NO_LINE_HINT)


def _parts(scene: _Scene) -> Iterator[_Part]:
    """The event and its overrides, without those that are held whole."""
    components = scene.document.calendar.components("VEVENT")
    held = _held_fields(components, scene.file.holds)
    for component in components:
        fields = held[component.begin.number]
        if "override" not in fields:
            slot = _slot(scene, component)
            event = None if "when" in fields else _standing(scene.file.item, component, slot)
            before = _standing(scene.base, component, slot)
            yield _Part(scene, component, slot, event, before)


def _held_fields(components: Sequence[Component], holds: Iterable[Hold]) -> dict[int, set[str]]:
    """What is held of each component, by the line on which it begins."""
    begins = [component.begin.number for component in components]
    held: dict[int, set[str]] = {begin: set() for begin in begins}
    for one in holds:
        place = bisect_right(begins, one.line)
        if place:
            held[begins[place - 1]] |= one.fields
    return held


def _excluded(document: Document, found: FileItem) -> frozenset[date]:
    if found.item is None:
        return frozenset()
    lines = [
        line
        for component in document.calendar.components("VEVENT")
        for line in component.lines("EXDATE")
    ]
    when = found.item.master.when
    return frozenset(slot for line in lines for slot in slots_named(line, when))


def _slot(scene: _Scene, component: Component) -> date | None:
    line, item = component.first("RECURRENCE-ID"), scene.file.item
    if line is None or item is None:
        return None
    return slot_named(line, line.value, item.master.when)


def _standing(item: Item | None, component: Component, slot: date | None) -> Event | None:
    """The event of that component; None for an override of a series that is not known."""
    if item is None or component.first("RECURRENCE-ID") is None:
        return item.master if item else None
    return effective(item, slot) if slot and item.recurrence else None


# --- times ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Moment:
    """What DTSTART or DTEND says; `zone` is None where Outlook has none."""

    line: Line
    wall: datetime
    zone: WindowsZone | None
    tzid: str
    floating: bool


def _moments(part: _Part) -> list[_Moment]:
    if part.event is None or isinstance(part.event.when, AllDay):
        return []
    lines = (part.component.first(name) for name in ("DTSTART", "DTEND"))
    return [one for line in lines if line is not None if (one := _moment(line, part)) is not None]


def _moment(line: Line, part: _Part) -> _Moment | None:
    found = WALL.fullmatch(line.value.strip().upper())
    wall = parse_wall(found[1]) if found else None
    if found is None or wall is None:
        return None
    tzid, scene = param(line, "TZID"), part.scene
    if found[2]:
        return _Moment(line, wall, UTC_ZONE, "", floating=False)
    if not tzid:
        zone = floating_zone(scene.document, scene.owner)
        return _Moment(line, wall, zone, "", floating=True)
    named = zone_named(tzid, wall, scene.document, scene.owner)
    return _Moment(line, wall, named, tzid, floating=False)


def _check_times(part: _Part) -> Iterator[Finding]:
    moments = _moments(part)
    for one in moments:
        yield from _seconds(one)
        yield from _daylight(one)
        if one.zone is None:
            yield _as_utc(one)
    floating = next((one for one in moments if one.floating), None)
    if floating is not None:
        yield _floating(floating, part.scene.document)
    duration = part.component.first("DURATION")
    length = parse_duration(duration.value) if duration else None
    if duration is not None and length is not None and length.seconds % 60:
        yield _with_seconds(duration)


def _seconds(one: _Moment) -> Iterator[Finding]:
    # RFC 5545 3.3.12 has leap seconds, Graph has not.
    if one.line.value.strip().upper().rstrip("Z").endswith("60"):
        reason = "the service has no leap seconds: it gets the second before"
        yield Finding(one.line.number, "altered", "leap-second", reason)
    elif one.wall.second:
        yield _with_seconds(one.line)


def _with_seconds(line: Line) -> Finding:
    reason = f"{line.name} has seconds: the service keeps them, Outlook shows minutes only"
    return Finding(line.number, "note", "seconds", reason)


def _daylight(one: _Moment) -> Iterator[Finding]:
    if one.zone is None:
        return
    named, at = _named(one.tzid or iana_name(one.zone)), one.line.number
    shown = wall_time(instant(one.wall, one.zone), one.zone)
    local = one.wall.replace(tzinfo=zone_info(one.zone))
    if shown != one.wall:
        reason = f"{one.wall:%H:%M} is left out on {one.wall:%Y-%m-%d} in {named}"
        reason += f", where clocks go forward: it counts as {shown:%H:%M}"
        yield Finding(at, "altered", "no-such-hour", reason, "Write the time that is meant.")
    elif local.utcoffset() != local.replace(fold=1).utcoffset():
        reason = f"{one.wall:%H:%M} comes twice on {one.wall:%Y-%m-%d} in {named}"
        reason += ", where clocks go back: the first is meant"
        yield Finding(at, "note", "hour-twice", reason)


def _as_utc(one: _Moment) -> Finding:
    reason = f"Outlook has no zone like {_named(one.tzid)}: the time goes as UTC"
    hint = "The file keeps its zone; name one that Outlook knows to see it there too."
    return Finding(one.line.number, "altered", "zone-as-utc", reason, hint)


def _floating(one: _Moment, document: Document) -> Finding:
    assert one.zone is not None
    reason = f"{one.line.name} has no zone: the service holds it as a time of {iana_name(one.zone)}"
    stated = document.calendar.first("X-WR-TIMEZONE")
    if stated is not None and windows_zone(unescape(stated.value).strip()) is None:
        reason += "; X-WR-TIMEZONE names no known zone"
    hint = "Add a TZID if it belongs to one place; the file stays as it is."
    return Finding(one.line.number, "note", "floating", reason, hint)


def _check_length(part: _Part) -> Iterator[Finding]:
    start, end = part.component.first("DTSTART"), part.component.first("DTEND")
    if part.event is None or start is None:
        return
    when = part.event.when
    if isinstance(when, Timed):
        if when.start == when.end and when.start_zone == when.end_zone:
            yield _no_length(end or part.component.first("DURATION") or start)
    elif end is not None and _day_of(end) is not None and _day_of(end) == _day_of(start):
        reason = "DTEND is the first day that is not part of the event: it is read as one day"
        hint = f"Write DTEND;VALUE=DATE:{_digits(when.end)}."
        yield Finding(end.number, "note", "one-day", reason, hint)


def _no_length(line: Line) -> Finding:
    reason = "the event ends when it starts: it has no length"
    hint = "Add DTEND or DURATION, unless it is meant."
    return Finding(line.number, "note", "no-length", reason, hint)


def _day_of(line: Line) -> str | None:
    value = line.value.strip()
    return value if DAY.fullmatch(value) else None


def _digits(day: date) -> str:
    return f"{day.year:04}{day.month:02}{day.day:02}"


def _lying_zones(parts: Iterable[_Part]) -> Iterator[Finding]:
    """Blocks that say something else of a known zone, at the times for which they are used."""
    told: set[str] = set()
    for part in parts:
        for one in _moments(part):
            if one.tzid in told or one.zone is None or windows_zone(one.tzid) is None:
                continue
            line = _block_line(part.scene.document, one.tzid)
            block = timezone_block(part.scene.document, one.tzid)
            rules = fixed_offsets(block) if block is not None else None
            if line is None or rules is None or one.wall.year > LAST_RULE_YEAR:
                continue
            said = one.wall.replace(tzinfo=rules).utcoffset()
            true = one.wall.replace(tzinfo=zone_info(one.zone)).utcoffset()
            if said is not None and true is not None and said != true:
                told.add(one.tzid)
                yield _lying(line, one, said, true)


def _lying(line: Line, one: _Moment, said: timedelta, true: timedelta) -> Finding:
    reason = f"the VTIMEZONE says {_offset(said)} for {one.wall:%Y-%m-%d %H:%M}, "
    reason += f"{_named(one.tzid)} has {_offset(true)}: the block is not used"
    hint = "Remove the block, or give a zone of your own a TZID of its own."
    return Finding(line.number, "altered", "zone-block", reason, hint)


def _block_line(document: Document, tzid: str) -> Line | None:
    lines = (one.first("TZID") for one in document.calendar.components("VTIMEZONE"))
    return next((line for line in lines if line and line.value.strip() == tzid), None)


def _offset(by: timedelta) -> str:
    minutes = int(by.total_seconds() // 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


# --- the series ----------------------------------------------------------------------------------

_UNTIL = re.compile(r"(?:^|;)\s*UNTIL\s*=\s*([0-9]{8})(?:T([0-9]{6})(Z?))?\s*(?:;|$)")


def _check_rule(part: _Part) -> Iterator[Finding]:
    line, item = part.component.first("RRULE"), part.scene.file.item
    rule = item.recurrence if item is not None and not part.is_override else None
    if line is None or rule is None or part.event is None:
        return
    yield from _length_of_series(line, rule, part.event.when)
    found = _UNTIL.search(line.value.strip().upper())
    if found is None:
        return
    if isinstance(part.event.when, AllDay):
        if found[2]:
            reason = "UNTIL has a time while the event lasts whole days: only its date counts"
            yield Finding(line.number, "note", "until-time", reason, f"Write UNTIL={found[1]}.")
        return
    yield from _timed_until(line, found, part, rule)


def _length_of_series(line: Line, rule: Recurrence, when: When) -> Iterator[Finding]:
    # Allowed by Graph; a COUNT as large as that is held by the reader.
    beyond = nth_occurrence(_endless(rule), slot_of(when), MOST_OCCURRENCES + 1)
    if rule.until and beyond is not None and beyond.isoformat() <= rule.until:
        warned = refusal("RR20")
        yield Finding(line.number, "note", warned.code, warned.reason, warned.suggestion)


def _endless(rule: Recurrence) -> Recurrence:
    return msgspec.structs.replace(rule, until="", count=0)


def _timed_until(
    line: Line, found: re.Match[str], part: _Part, rule: Recurrence
) -> Iterator[Finding]:
    assert part.event is not None
    when, start = part.event.when, part.component.first("DTSTART")
    assert isinstance(when, Timed)
    hint = f"Write UNTIL={_until_text(rule.until, when)}." if rule.until else ""
    if not found[2]:
        reason = "UNTIL is a date while DTSTART has a time: that day counts to its end here"
        reason += ", other programs may leave it out"
        yield Finding(line.number, "note", "until-date", reason, hint)
    elif not found[3] and start is not None and not _is_floating(start):
        reason = "UNTIL has no zone: it is read as a time of the series' zone"
        yield Finding(line.number, "note", "until-floating", reason, hint)
    last = _until_day(found, when) if found[2] else None
    if last is None or last.isoformat() <= rule.until:
        return
    if occurs_on(_endless(rule), slot_of(when), last):
        reason = f"UNTIL lies before the start on {last}: the last occurrence is {rule.until}"
        hint = f"Write UNTIL={_until_text(last.isoformat(), when)} to have that day too."
        yield Finding(line.number, "note", "until-before-start", reason, hint)


def _is_floating(line: Line) -> bool:
    return not param(line, "TZID") and not line.value.strip().upper().endswith("Z")


def _until_day(found: re.Match[str], when: Timed) -> date | None:
    """The day that UNTIL falls on in the series' zone."""
    wall = parse_wall(f"{found[1]}T{found[2]}")
    if wall is None or not found[3]:
        return wall.date() if wall else None
    return wall_time(wall.replace(tzinfo=zone_info(UTC_ZONE)), WindowsZone(when.start_zone)).date()


def _until_text(day: str, when: Timed) -> str:
    start = datetime.combine(date.fromisoformat(day), when.start.time())
    return f"{instant(start, WindowsZone(when.start_zone)):%Y%m%dT%H%M%SZ}"


def _check_override(part: _Part) -> Iterator[Finding]:
    item, slot, begin = part.scene.file.item, part.slot, part.component.begin.number
    if item is None or item.recurrence is None or slot is None:
        return
    if slot in part.scene.excluded:
        reason = "an EXDATE leaves this occurrence out: the override counts for nothing"
        hint = "Remove the override, or the EXDATE to have it back."
        yield Finding(begin, "dropped", "override-excluded", reason, hint)


# --- alarms --------------------------------------------------------------------------------------


def _check_alarms(part: _Part) -> Iterator[Finding]:
    """Graph holds one reminder: whole minutes before the start."""
    event, component = part.event, part.component
    # Other programs can make Exchange hold a reminder after the start, which then counts.
    if event is None or (event.reminder_min is not None and event.reminder_min < 0):
        return
    repeats, said = component.first("RRULE") is not None, event.reminder_min
    alarms = [
        (alarm, alarm_minutes(alarm, event.when, repeats=repeats))
        for alarm in component.components("VALARM")
        if not _is_client_state(alarm)
    ]
    ours = [one for one, minutes in alarms if minutes is not None and minutes == said]
    counted = ours[0] if ours else None
    for alarm, minutes in alarms:
        if minutes is None:
            yield _unheld_alarm(alarm, event.when, repeats=repeats)
        elif alarm is counted:
            yield from _counted_alarm(alarm, event.when, minutes)
        elif minutes != said and counted is not None:
            reason = f"Outlook holds one reminder, that of line {counted.begin.number} "
            reason += f"({_minutes(said)} before): this alarm stays in the file"
            yield Finding(alarm.begin.number, "dropped", "second-alarm", reason)


def _is_client_state(alarm: Component) -> bool:
    """Snoozed alarms (RFC 9074 8.1) and Apple's ACTION:NONE, which says that there is no alarm."""
    return alarm.first("RELATED-TO") is not None or upper_value(alarm, "ACTION") == "NONE"


def _minutes(number: int | None) -> str:
    return f"{number} minute{'' if number == 1 else 's'}"


def _unheld_alarm(alarm: Component, when: When, *, repeats: bool) -> Finding:
    code, reason, hint = _alarm_trouble(alarm, when, repeats=repeats)
    return Finding(alarm.begin.number, "dropped", code, f"{reason}: it stays in the file", hint)


def _alarm_trouble(alarm: Component, when: When, *, repeats: bool) -> tuple[str, str, str]:
    trigger, action = alarm.first("TRIGGER"), upper_value(alarm, "ACTION")
    if trigger is None:
        return "alarm-trigger", "the alarm has no TRIGGER", "Add one, such as TRIGGER:-PT15M."
    if action not in ("DISPLAY", "AUDIO"):
        said = f"Outlook has no alarm {_named(action)}" if action else "the alarm has no ACTION"
        return "alarm-action", said, "Use ACTION:DISPLAY."
    value = trigger.value.strip().upper()
    if not value[:1].isdigit():
        readable = parse_duration(value) is not None
    elif repeats:
        reason = "an alarm at a fixed time concerns one occurrence of the series"
        return "alarm-absolute", reason, "Say how long before the start: TRIGGER:-PT15M."
    elif isinstance(when, AllDay):
        reason = "an alarm at a fixed time cannot be told of whole days"
        return "alarm-absolute", reason, "Say how long before the day begins: TRIGGER:-PT15M."
    else:
        readable = bool((found := WALL.fullmatch(value)) and found[2] and parse_wall(found[1]))
    if not readable:
        return "alarm-trigger", "the TRIGGER cannot be read", "Write it as TRIGGER:-PT15M."
    reason = "Outlook reminds before the start, this alarm goes off after it"
    return "alarm-after-start", reason, "Let it go off at the start or before."


def _counted_alarm(alarm: Component, when: When, minutes: int) -> Iterator[Finding]:
    at = alarm.begin.number
    if _has_odd_seconds(alarm, when):
        reason = f"the service counts whole minutes: it reminds {_minutes(minutes)} before"
        yield Finding(at, "altered", "alarm-seconds", reason)
    repeat = upper_value(alarm, "REPEAT")
    if repeat.isdigit() and int(repeat[:6]) > 0:
        reason = "Outlook reminds once: the repetition stays in the file"
        yield Finding(at, "dropped", "alarm-repeat", reason)


def _has_odd_seconds(alarm: Component, when: When) -> bool:
    trigger = alarm.first("TRIGGER")
    assert trigger is not None
    value = trigger.value.strip().upper()
    offset = parse_duration(value)
    if offset is not None:
        return bool(offset.seconds % 60)
    wall = parse_wall(value.rstrip("Z"))
    return isinstance(when, Timed) and wall is not None and wall.second != when.start.second


# --- texts and words -----------------------------------------------------------------------------

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def _check_texts(part: _Part) -> Iterator[Finding]:
    for name in ("SUMMARY", "LOCATION", "DESCRIPTION", "CATEGORIES"):
        for line in part.component.lines(name):
            text = unescape(line.value)
            if _CONTROL.search(text):
                reason = f"{name} has control characters: the service gets it without them"
                yield Finding(line.number, "altered", "control-characters", reason)
            if name in ("SUMMARY", "LOCATION") and re.search(r"[\r\n]", text.strip()):
                reason = f"{name} has line breaks: the service gets spaces"
                yield Finding(line.number, "altered", "line-breaks", reason)
    title = part.component.first("SUMMARY")
    if title is not None and len(unescape(title.value).strip()) > SUBJECT_CHARS:
        length = len(unescape(title.value).strip())
        reason = f"the title has {length} characters, Outlook holds {SUBJECT_CHARS}"
        hint = "Shorten it: the service may cut or refuse it."
        yield Finding(title.number, "altered", "long-title", reason, hint)


def _check_categories(part: _Part) -> Iterator[Finding]:
    seen: set[str] = set()
    for line in part.component.lines("CATEGORIES"):
        for category in split_list(line.value):
            if category.casefold() in seen:
                reason = f"the category {_named(category)} stands twice: it counts once"
                yield Finding(line.number, "note", "category-twice", reason)
            seen.add(category.casefold())


def _check_words(part: _Part) -> Iterator[Finding]:
    component = part.component
    stated = component.first("CLASS")
    known = ("", "PUBLIC", "PRIVATE", "CONFIDENTIAL")
    if stated is not None and upper_value(component, "CLASS") not in known:
        # RFC 5545 3.8.1.3: unknown classes are treated as PRIVATE.
        reason = f"Outlook has no class {_named(stated.value)}: the event is private there"
        yield Finding(stated.number, "altered", "class", reason, "The file keeps its word.")
    yield from _priority(component)
    yield from _status(part)


def _priority(component: Component) -> Iterator[Finding]:
    line = component.first("PRIORITY")
    value = upper_value(component, "PRIORITY")
    if line is None or not value:
        return
    number = int(value) if re.fullmatch(r"[0-9]{1,9}", value) else -1
    if not 0 <= number <= 9:
        reason = "PRIORITY is no number from 0 to 9: the importance is normal"
        yield Finding(line.number, "altered", "priority", reason)
    elif number in _MERGED:
        reason = f"Outlook knows high, normal and low: another machine reads {_MERGED[number]}"
        yield Finding(line.number, "note", "priority", reason)


_MERGED = dict.fromkeys((2, 3, 4), "PRIORITY:1") | dict.fromkeys((6, 7, 8), "PRIORITY:9")
"""The numbers that come back as another one."""


def _status(part: _Part) -> Iterator[Finding]:
    line, value = part.component.first("STATUS"), upper_value(part.component, "STATUS")
    if line is None or value in ("", "TENTATIVE", "CONFIRMED"):
        return
    if value != "CANCELLED":
        reason = f"an event cannot be {_named(value)}: it is not sent"
        hint = "Use TENTATIVE or CONFIRMED."
        yield Finding(line.number, "dropped", "status", reason, hint)
    elif not part.is_override and not _is_theirs(part):
        reason = "STATUS:CANCELLED deletes nothing: the event stays on the service"
        hint = "Delete the file to delete the event."
        yield Finding(line.number, "dropped", "status-cancelled", reason, hint)


def _is_theirs(part: _Part) -> bool:
    """Whether it was, or may have been, its organizer who cancelled the event."""
    if part.before is not None and part.before.is_cancelled:
        return True
    return part.event is not None and part.event.organizer is not None and _is_foreign(part)


_SINGLE = (
    *("SUMMARY", "DESCRIPTION", "DTSTART", "DTEND", "DURATION", "GEO", "ORGANIZER"),
    *("CLASS", "PRIORITY", "STATUS", "TRANSP", "RECURRENCE-ID"),
)
"""What stands once in an event (RFC 5545 3.6.1); of LOCATION, RRULE and UID the readers tell."""


def _check_doubles(part: _Part) -> Iterator[Finding]:
    for name in _SINGLE:
        lines = part.component.lines(name)
        for line in lines[1:]:
            if _value(line) != _value(lines[0]):
                reason = f"{name} stands twice: that of line {lines[0].number} counts"
                yield Finding(line.number, "dropped", "twice", reason, "Remove one of them.")


def _value(line: Line) -> tuple[str, str]:
    return line.value.strip(), param(line, "TZID")


# --- people --------------------------------------------------------------------------------------


def _check_people(part: _Part) -> Iterator[Finding]:
    lines = part.component.lines("ATTENDEE")
    yield from _unheld_guests(lines, part)
    if part.is_override or part.event is None:
        return
    if part.before is not None:
        yield from _joining(part.event, part.before, part)
    elif part.event.attendees or part.event.invited_as:
        yield from _new_meeting(part, lines)
    elif (organizer := part.component.first("ORGANIZER")) is not None:
        yield from _unneeded_organizer(organizer, part, lines)


def _joining(event: Event, before: Event, part: _Part) -> Iterator[Finding]:
    """Who was not invited at the last agreement."""
    there = {one.address.casefold() for one in before.attendees}
    new = [one.address for one in event.attendees if one.address.casefold() not in there]
    if new and not event.invited_as and not _is_foreign(part):
        at = part.component.lines("ATTENDEE")[0].number
        reason = f"the service mails an invitation to {_listed(new)}"
        yield Finding(at, "note", "would-invite", reason, _APPROVE)


_APPROVE = "Where the mail policy says hold, it waits for `syncd approve`."


def _unheld_guests(lines: Sequence[Line], part: _Part) -> Iterator[Finding]:
    seen: set[str] = set()
    # Whom the service has invited already stays; the owner's line says how to answer.
    there = {one.address.casefold() for one in part.before.attendees} if part.before else set()
    there |= part.scene.owner.addresses
    for line in lines:
        address = mail_address(line)
        if not address:
            reason = "the attendee has no mail address: the service cannot list them"
            hint = "Write mailto:NAME@HOST, or add the EMAIL parameter."
            yield Finding(line.number, "dropped", "attendee-address", reason, hint)
        elif address.casefold() in seen:
            reason = f"{_named(address)} is invited twice: the first line counts"
            yield Finding(line.number, "note", "attendee-twice", reason)
        elif is_silent(line) and address.casefold() not in there:
            reason = f"{_named(address)} is to get no mail (SCHEDULE-AGENT): the service"
            reason += " cannot list them without it"
            yield Finding(line.number, "dropped", "attendee-silent", reason)
        seen.add(address.casefold())


def _new_meeting(part: _Part, lines: Sequence[Line]) -> Iterator[Finding]:
    organizer, at = part.component.first("ORGANIZER"), lines[0].number
    guests = _listed([one.address for one in part.event.attendees] if part.event else [])
    if organizer is not None and _is_foreign(part):
        yield _foreign(part, organizer, guests)
        return
    reason = f"a new meeting: the service mails an invitation to {guests}"
    yield Finding(at, "note", "would-invite", reason, _APPROVE)
    answered = [line for line in lines if _has_answer(line, part.scene.owner)]
    if answered:
        reason = "what others answered (PARTSTAT) is for the service to say: it is not sent"
        yield Finding(answered[0].number, "note", "answers", reason)


def _is_foreign(part: _Part) -> bool:
    """Whether somebody else organizes it, as far as is known."""
    organizer = part.event.organizer if part.event else None
    return organizer is not None and not part.scene.owner.is_own(organizer.address)


def _has_answer(line: Line, owner: Owner) -> bool:
    answer = param(line, "PARTSTAT").upper()
    return answer not in ("", "NEEDS-ACTION") and not owner.is_own(mail_address(line))


def _foreign(part: _Part, organizer: Line, guests: str) -> Finding:
    at, address = organizer.number, _named(mail_address(organizer))
    if not part.scene.owner.addresses:
        reason = f"whether {address} is you is not known here: your own meeting would invite"
        reason += f" {guests}, another organizer's is held"
        hint = "With a configuration and its state, your addresses are known."
        return Finding(at, "note", "organizer", reason, hint)
    if part.scene.copy_foreign:
        reason = f"the meeting is {address}'s: it is copied without its attendees"
        return Finding(at, "altered", "foreign-meeting", reason)
    reason = "the meeting is another organizer's; sending it would invite everyone anew"
    hint = 'Accept the invitation in the mailbox, or set foreign_meeting = "copy".'
    return Finding(at, "held", "foreign-meeting", reason, hint)


def _unneeded_organizer(line: Line, part: _Part, guests: Sequence[Line]) -> Iterator[Finding]:
    owner = part.scene.owner
    if is_silent(line) and guests:
        reason = "the organizer mails by themselves (SCHEDULE-AGENT): the event goes without people"
        yield Finding(line.number, "dropped", "attendee-silent", reason)
    elif owner.addresses and mail_address(line) and _is_foreign(part):
        reason = "an event without attendees has no organizer on the service"
        yield Finding(line.number, "dropped", "organizer", reason)


def _listed(names: Sequence[str]) -> str:
    shown = [_named(name) for name in names[:MOST_NAMED]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


# --- what the service has no field for -----------------------------------------------------------

_SILENT = ("X-MICROSOFT-", "X-MS-OLK-", "X-WR-", "X-MOZ-")
"""By the beginnings of their names, what travels along without being worth a word."""

_TOLD = frozenset({"ATTENDEE", "STATUS"})
"""Lines without a field of which another finding tells."""


def _carried(scene: _Scene, parts: Iterable[_Part]) -> Iterator[Finding]:
    """What goes along unseen, and what is too long for that."""
    stash = unpacked(scene.file.stash) if scene.file.stash else None
    kept = _texts_of(stash) if stash else frozenset()
    if scene.file.item is None:
        return
    going: list[tuple[Line, str]] = []
    for line, name in _without_field(parts):
        text = f"BEGIN:{name}" if line.name == "BEGIN" else line_text(line)
        if text not in kept:
            yield _stays(line, name)
        elif not name.startswith(_SILENT):
            going.append((line, name))
    if going:
        names = list(dict.fromkeys(name for _, name in going))
        reason = f"Outlook has no field for {_listed(names)}: kept in the file, and taken along"
        yield Finding(going[0][0].number, "note", "carried", f"{reason} unseen")


def _texts_of(stash: Stash) -> frozenset[str]:
    return frozenset((*stash.m, *(text for lines in stash.o.values() for text in lines)))


def _without_field(parts: Iterable[_Part]) -> Iterator[tuple[Line, str]]:
    """The lines that have no field, with their names; of a component its first line."""
    for part in parts:
        for one in part.component.parts:
            if isinstance(one, Component):
                if one.name != "VALARM" and not is_minted_place(one):
                    yield one.begin, one.name
            elif is_unknown(one) and one.name not in _TOLD:
                yield one, one.name


def _stays(line: Line, name: str) -> Finding:
    size, most = len(line_text(line).encode()), MAX_LINE_BYTES
    why = f"is longer than {most // 1024} KiB" if size > most else "does not go along"
    reason = f"Outlook has no field for {_named(name)}, and it {why}: it stays on this machine"
    hint = f"{MAX_STASH_BYTES // 1024} KiB of such lines go along."
    return Finding(line.number, "dropped", "too-long", reason, hint)


def _check_others(part: _Part) -> Iterator[Finding]:
    yield from _online_meeting(part)
    yield from _attachments(part)
    place = part.component.first("GEO")
    if place is not None and not read_geo(part.component, None)[1]:
        reason = "GEO names no point on the globe: it is not sent"
        hint = "Write latitude and longitude in degrees, such as GEO:48.2;16.37."
        yield Finding(place.number, "dropped", "geo", reason, hint)
    if part.event is not None and part.event.html_text and _is_new_html(part.event, part.before):
        line = part.component.lines(*HTML_NAMES, "DESCRIPTION")[0]
        reason = "the HTML form says something else than DESCRIPTION: the plain text counts"
        yield Finding(line.number, "note", "html", reason)


def _attachments(part: _Part) -> Iterator[Finding]:
    """What becomes of the files that ATTACH lines hold."""
    new = {one.line: one for one in new_attachments(part.component)}
    for line in part.component.lines("ATTACH"):
        if not is_own_content(line):
            continue
        one = new.get(line.number)
        if not part.scene.attaches:
            reason = 'attachments = "off": what the line holds stays in the file'
            yield Finding(line.number, "dropped", "attachment", reason)
        elif part.is_override or _is_foreign(part):
            reason = "only what the series or event of one's own brings along is attached: it stays"
            yield Finding(line.number, "dropped", "attachment", reason)
        elif one is None:
            reason = "what the line holds is no base64, or stands twice: it is not attached"
            yield Finding(line.number, "dropped", "attachment", reason)
        elif one.size_bytes >= DIRECT_BYTES:
            reason = f"{_named(one.name)} is too large to be sent out of the file"
            yield Finding(line.number, "held", "large-attachment", reason, _BY_COMMAND)
        else:
            reason = f"{_named(one.name)} is attached on the service, and a link takes its place"
            yield Finding(line.number, "note", "attachment", reason)


_BY_COMMAND = "`syncd attach UID add FILE` takes larger ones."


def _is_new_html(event: Event, before: Event | None) -> bool:
    return before is None or event.html_text != before.html_text


def _online_meeting(part: _Part) -> Iterator[Finding]:
    line = part.component.first("X-SYNCD-ONLINE-MEETING")
    if line is None or line.value.strip().upper() != "TRUE":
        return
    before = part.before
    if before is None or not (before.join_url or before.online_meeting):
        reason = "it asks the service for an online meeting, which cannot be taken back"
        yield Finding(line.number, "note", "online-meeting", reason)


def _named(text: str) -> str:
    """A text of the file, short enough for a message."""
    return text if len(text) <= 80 else text[:79] + "…"


_CHECKS: Sequence[Check] = (
    _check_times,
    _check_length,
    _check_rule,
    _check_override,
    _check_alarms,
    _check_texts,
    _check_categories,
    _check_words,
    _check_doubles,
    _check_people,
    _check_others,
)
