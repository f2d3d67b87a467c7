"""
People at work on both sides while syncd is killed, the service fails, and files are saved.

Everything is a real process: the simulated service, and `syncd` on a folder. The `Model` knows for
every field of every item each value that a person wrote on either side, and which one they saw when
they did. The verdict: both sides show the same instances, each item once; every value is current,
or a person who saw it wrote another one, or it is kept in the history or under the problems; and no
mail went out twice.

With `--seeds` nothing is real but the engine: so many runs of `tests.simulation`, each in a world
of its own in which everything that may happen is drawn from the seed.

Run as: python -m scripts.soak [--kills N] [--rounds N] [--edits N] [--rate R] [--seed N]
or: python -m scripts.soak --seeds N [--first S] [--minutes M] [--jobs J].
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import uuid
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import Any, Literal
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from tests.processes import ME, ZONE, Installation, Served, served
from tests.simulation.search import Found, search

__all__ = ["Finding", "People", "Seen", "killed"]

BERLIN = ZoneInfo("Europe/Berlin")
WEEKS = 6
QUIET_TRIES = 40
HALF_HOUR = timedelta(minutes=30)

Side = Literal["local", "remote"]
Instance = tuple[str, str, str, str]


class Finding(Exception):
    """Something was lost, doubled or left apart."""


# --- what was written, and what is there ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Key:
    """One field of one item; `slot` is the date of an occurrence, "" for the item itself."""

    item: int
    field: str
    slot: str = ""


@dataclass(frozen=True, slots=True)
class Write:
    """
    One value that somebody wrote; `number` counts all writes.

    `stale`: nobody meant it, but a program saved the whole file as it had read it. `epoch`: how
    often both sides had agreed before.
    """

    number: int
    side: Side
    value: str
    epoch: int
    stale: bool = False


@dataclass(slots=True)
class Thing:
    """One item; `deleted` is the write number and side of its end."""

    number: int
    series: bool = False
    meeting: bool = False
    deleted: Write | None = None


@dataclass(slots=True)
class Model:
    """
    What people did. `replaced`: values that a person saw when they wrote another one. `epoch`
    moves whenever both sides were seen to agree.
    """

    things: dict[int, Thing] = field(default_factory=dict)
    writes: dict[Key, list[Write]] = field(default_factory=dict)
    replaced: set[tuple[Key, str]] = field(default_factory=set)
    steps: deque[str] = field(default_factory=lambda: deque(maxlen=400))
    numbers: int = 0
    edits: int = 0
    epoch: int = 0

    def write(
        self, side: Side, key: Key, value: str, *, seen: str = "", stale: bool = False
    ) -> None:
        """Take down a value. Args: seen: the one that it replaced."""
        if seen:
            self.replaced.add((key, seen))
        self.numbers += 1
        self.edits += not stale
        self.writes.setdefault(key, []).append(Write(self.numbers, side, value, self.epoch, stale))
        if not stale:
            self.say(f"{self.numbers}: {side} i{key.item} {key.slot} {key.field} = {value}")

    def last(self, key: Key) -> str:
        """The value written last, "" where there is none."""
        writes = self.writes.get(key)
        return writes[-1].value if writes else ""

    def delete(self, side: Side, thing: Thing, seen: Mapping[Key, str]) -> None:
        """Take down a deletion. Args: seen: what the item said then."""
        self.replaced |= set(seen.items())
        self.numbers += 1
        self.edits += 1
        thing.deleted = Write(self.numbers, side, "", self.epoch)
        self.say(f"{self.numbers}: {side} i{thing.number} deleted")

    def say(self, step: str) -> None:
        """Add to the story."""
        self.steps.append(f"{datetime.now(UTC):%H:%M:%S.%f} {step}")

    def story(self, item: int | None) -> str:
        """The last steps, of one item where one is in question."""
        mark = re.compile(rf"\bi{item}\b" if item is not None else "")
        told = [step for step in self.steps if mark.search(step) or " i" not in step]
        return "\n".join(told[-40:])


@dataclass(frozen=True, slots=True)
class Seen:
    """One side: its instances, and the values of each field of each item."""

    instances: Counter[Instance]
    values: dict[Key, str]
    items: Counter[int]


def item_of(subject: str) -> int:
    """Every subject begins with the number of its item. Raises: Finding."""
    found = re.match(r"i(\d+) ", subject)
    if found is None:
        raise Finding(f"an event has a subject that nobody wrote: {subject!r}")
    return int(found[1])


def forms(key: Key, value: str) -> list[bytes]:
    """How a value may look where versions are kept."""
    if key.field != "start":
        return [value.encode()]
    wall = datetime.fromisoformat(value)
    utc = wall.replace(tzinfo=BERLIN).astimezone(UTC)
    looks = ("%Y%m%dT%H%M%S", "%Y-%m-%dT%H:%M:%S")
    return [at.strftime(look).encode() for at in (wall, utc) for look in looks]


# --- files ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Text:
    """A file taken apart as an editor without any understanding of calendars would."""

    events: list[str]
    head: str
    tail: str

    @classmethod
    def of(cls, data: bytes) -> Text:
        """Unfold and cut. Raises: ValueError: there is no event in it."""
        text = data.decode().replace("\r\n ", "")
        events = re.findall(r"BEGIN:VEVENT\r\n.*?END:VEVENT\r\n", text, re.DOTALL)
        if not events:
            raise ValueError("no event")
        first, last = text.index(events[0]), text.rindex("END:VEVENT\r\n") + 12
        return cls(events, text[:first], text[last:])

    def encoded(self) -> bytes:
        """The file again."""
        return (self.head + "".join(self.events) + self.tail).encode()

    def master(self) -> int:
        """The place of the event that is no override."""
        return next(at for at, one in enumerate(self.events) if "\r\nRECURRENCE-ID" not in one)

    def override(self, slot: str) -> int:
        """The place of the override of that date; made from the master where there is none."""
        mark = re.compile(rf"\r\nRECURRENCE-ID[^:]*:{slot.replace('-', '')}T")
        for at, one in enumerate(self.events):
            if mark.search(one):
                return at
        event = re.sub(r"(RRULE|EXDATE|RDATE)[;:].*\r\n", "", self.events[self.master()])
        for name in ("DTSTART", "DTEND"):
            event = re.sub(
                rf"\r\n({name}[^:]*):\d{{8}}", rf"\r\n\g<1>:{slot.replace('-', '')}", event
            )
        start = value_line(event, "DTSTART").replace("DTSTART", "RECURRENCE-ID", 1)
        event = event.replace("BEGIN:VEVENT\r\n", f"BEGIN:VEVENT\r\n{start}\r\n", 1)
        self.events.append(event)
        return len(self.events) - 1


def value_line(event: str, name: str) -> str:
    """The line of a property, "" where there is none."""
    found = re.search(rf"^{name}[;:][^\r]*", event, re.MULTILINE)
    return found[0] if found else ""


def value_of(event: str, name: str) -> str:
    """The value of a property, "" where there is none."""
    return value_line(event, name).partition(":")[2]


def with_value(event: str, name: str, value: str) -> str:
    """The event with another value; the parameters stay."""
    line = value_line(event, name)
    if not line:
        return event.replace("END:VEVENT", f"{name}:{value}\r\nEND:VEVENT")
    return event.replace(line, f"{line.partition(':')[0]}:{value}", 1)


def local_values(text: Text) -> dict[Key, str]:
    """What a file says. Raises: Finding: it has a subject that nobody wrote."""
    master = text.events[text.master()]
    number = item_of(value_of(master, "SUMMARY"))
    values = {
        Key(number, "subject"): value_of(master, "SUMMARY"),
        Key(number, "location"): value_of(master, "LOCATION"),
        Key(number, "start"): _wall(master, "DTSTART").isoformat(),
    }
    for event in text.events:
        if value_line(event, "RECURRENCE-ID"):
            slot = _wall(event, "RECURRENCE-ID").date().isoformat()
            values[Key(number, "location", slot)] = value_of(event, "LOCATION")
    return values


def _wall(event: str, name: str) -> datetime:
    return datetime.strptime(value_of(event, name)[:15], "%Y%m%dT%H%M%S")


def remote_values(event: Mapping[str, Any]) -> dict[Key, str]:
    """What an event of the service says. Raises: Finding: as `local_values`."""
    number = item_of(event["subject"])
    values = {
        Key(number, "subject"): event["subject"],
        Key(number, "location"): event["location"]["displayName"],
        Key(number, "start"): event["start"]["dateTime"][:19],
    }
    for exception in event.get("exceptions") or ():
        slot = exception["start"]["dateTime"][:10]
        values[Key(number, "location", slot)] = exception["location"]["displayName"]
    return values


def new_file(uid: str, subject: str, location: str, start: datetime, rule: str) -> bytes:
    """A file as a small calendar program writes it."""
    end = start + HALF_HOUR
    lines = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//soak//soak//EN", "BEGIN:VEVENT"),
        *(f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"SUMMARY:{subject}", f"LOCATION:{location}"),
        f"DTSTART;TZID=Europe/Berlin:{start:%Y%m%dT%H%M%S}",
        f"DTEND;TZID=Europe/Berlin:{end:%Y%m%dT%H%M%S}",
        *([f"RRULE:{rule}"] if rule else []),
        *("END:VEVENT", "END:VCALENDAR", ""),
    ]
    return "\r\n".join(lines).encode()


# --- people --------------------------------------------------------------------------------------


@dataclass(slots=True)
class People:
    """Two people who share a calendar: one in Outlook, one with files."""

    service: Served
    here: Installation
    random: Random
    model: Model = field(default_factory=Model)
    requests: int = 0
    today: date = field(default_factory=lambda: datetime.now(BERLIN).date())

    # What an item begins with.

    def populate(self, count: int) -> None:
        """Events on the service: single ones, every fifth a series, every seventh a meeting."""
        for number in range(count):
            self.create_remote(series=number % 5 == 0, meeting=number % 7 == 3)

    def create_remote(self, *, series: bool = False, meeting: bool = False) -> None:
        """A new event in Outlook."""
        _, values = self._new("remote", series=series, meeting=meeting)
        start = datetime.fromisoformat(values["start"])
        body: dict[str, Any] = {
            "subject": values["subject"],
            "location": {"displayName": values["location"]},
            "isReminderOn": False,
            **_moments(start),
        }
        if series:
            body["recurrence"] = {
                "pattern": {"type": "daily", "interval": 7},
                "range": {
                    "type": "numbered",
                    "startDate": start.date().isoformat(),
                    "numberOfOccurrences": WEEKS,
                },
            }
        if meeting:
            guest = {"address": "bob@example.org", "name": "Bob"}
            body["attendees"] = [{"emailAddress": guest, "type": "required"}]
        self.service.do("create", body=body)

    def create_local(self, *, series: bool = False) -> None:
        """A new file."""
        thing, values = self._new("local", series=series)
        rule = f"FREQ=DAILY;INTERVAL=7;COUNT={WEEKS}" if series else ""
        start = datetime.fromisoformat(values["start"])
        uid = str(uuid.UUID(int=self.random.getrandbits(128)))
        data = new_file(uid, values["subject"], values["location"], start, rule)
        self._save(self.here.folder / f"new-{thing.number}.ics", data)

    def _new(
        self, side: Side, *, series: bool, meeting: bool = False
    ) -> tuple[Thing, dict[str, str]]:
        thing = Thing(len(self.model.things), series, meeting)
        self.model.things[thing.number] = thing
        values = {name: self._value(thing, name) for name in ("subject", "location", "start")}
        for name, value in values.items():
            self.model.write(side, Key(thing.number, name), value)
        return thing, values

    def _value(self, thing: Thing, name: str) -> str:
        """A value that nobody wrote before."""
        if name != "start":
            return f"i{thing.number} {name} {self.model.numbers + 1}"
        day = self.today + timedelta(days=self.random.randrange(-40, 200))
        minute = self.random.randrange(7 * 60, 20 * 60)
        return datetime(day.year, day.month, day.day, minute // 60, minute % 60).isoformat()

    # What they do then.

    def edit(self, side: Side) -> None:
        """One random thing that a person does on that side."""
        draw = self.random.random()
        living = [one for one in self.model.things.values() if one.deleted is None]
        if draw < 0.05 or not living:
            make = self.create_local if side == "local" else self.create_remote
            make(series=self.random.random() < 0.2)
            return
        thing = self.random.choice(living)
        if draw < 0.08 and not thing.meeting and len(living) > 10:
            self.delete(side, thing)
        elif thing.meeting:
            # Only one side, and one field, so that each mail can be told by its subject.
            self.change("local", thing, "subject")
        elif thing.series and draw < 0.4:
            self.change_slot(side, thing)
        else:
            names = ("subject", "location") if thing.series else ("subject", "location", "start")
            self.change(side, thing, self.random.choice(names))

    def change(self, side: Side, thing: Thing, name: str) -> bool:
        """Another value for one field; whether the item was there to be changed."""
        value = self._value(thing, name)
        if side == "local":
            return self._change_file(thing, name, value, "")
        event = self._event(thing)
        if event is None:
            return False
        body: dict[str, Any] = {"subject": value}
        if name == "location":
            body = {"location": {"displayName": value}}
        elif name == "start":
            body = _moments(datetime.fromisoformat(value))
        self.service.do("patch", id=event["id"], body=body)
        key = Key(thing.number, name)
        self.model.write("remote", key, value, seen=remote_values(event)[key])
        return True

    def change_slot(self, side: Side, thing: Thing) -> bool:
        """Another place for one occurrence of a series."""
        start = datetime.fromisoformat(self.model.last(Key(thing.number, "start")))
        day = start.date() + timedelta(days=7 * self.random.randrange(1, WEEKS))
        value = self._value(thing, "location")
        if side == "local":
            return self._change_file(thing, "location", value, day.isoformat())
        found = self._occurrence(thing, day)
        if found is None:
            return False
        self.service.do("patch", id=found["id"], body={"location": {"displayName": value}})
        key = Key(thing.number, "location", day.isoformat())
        self.model.write("remote", key, value, seen=found["location"])
        return True

    def delete(self, side: Side, thing: Thing) -> bool:
        """Away with an item."""
        if side == "local":
            file = self._file(thing)
            if file is None:
                return False
            seen = local_values(Text.of(file.read_bytes()))
            file.unlink(missing_ok=True)
        else:
            event = self._event(thing)
            if event is None:
                return False
            seen = remote_values(event)
            self.service.do("delete", id=event["id"])
        self.model.delete(side, thing, seen)
        return True

    def _event(self, thing: Thing) -> dict[str, Any] | None:
        for event in self.service.events():
            if item_of(event["subject"]) == thing.number:
                return event
        return None

    def _occurrence(self, thing: Thing, day: date) -> dict[str, Any] | None:
        asked = _window(day, day + timedelta(days=1))
        rows: list[dict[str, Any]] = self.service.control("GET", "instances", asked)
        for row in rows:
            same_day = row["startInZone"]["dateTime"].startswith(day.isoformat())
            if same_day and item_of(row["subject"]) == thing.number:
                return row
        return None

    def _file(self, thing: Thing) -> Path | None:
        mark = f"\r\nSUMMARY:i{thing.number} ".encode()
        for file in self.here.folder.glob("*.ics"):
            try:
                if mark in file.read_bytes():
                    return file
            except FileNotFoundError:
                continue
        return None

    def _change_file(self, thing: Thing, name: str, value: str, slot: str) -> bool:
        file = self._file(thing)
        if file is None:
            return False
        try:
            text = Text.of(file.read_bytes())
        except (FileNotFoundError, ValueError):
            return False
        before = local_values(text)
        self._stale_values(thing, before)
        place = text.override(slot) if slot else text.master()
        event = text.events[place]
        if name == "start":
            start = datetime.fromisoformat(value)
            event = with_value(event, "DTSTART", f"{start:%Y%m%dT%H%M%S}")
            event = with_value(event, "DTEND", f"{start + HALF_HOUR:%Y%m%dT%H%M%S}")
        else:
            event = with_value(event, {"subject": "SUMMARY"}.get(name, "LOCATION"), value)
        text.events[place] = event
        self._save(file, text.encoded())
        key = Key(thing.number, name, slot)
        self.model.write("local", key, value, seen=before.get(key, ""))
        return True

    def _stale_values(self, thing: Thing, read: Mapping[Key, str]) -> None:
        """A save writes every field as it was read, which may be older than what is known."""
        for key, value in read.items():
            if value != self.model.last(key):
                self.model.write("local", key, value, stale=True)

    def _save(self, file: Path, data: bytes) -> None:
        """In place, or beside and renamed, as programs do."""
        if self.random.random() < 0.5:
            file.write_bytes(data)
            return
        temporary = file.with_name(f".{file.name}.tmp")
        temporary.write_bytes(data)
        temporary.rename(file)

    # What is to be seen.

    def remote(self) -> Seen:
        """The service's side."""
        end = self.today + timedelta(days=400)
        rows = self.service.control("GET", "instances", _window(self.today - timedelta(60), end))
        instances: Counter[Instance] = Counter()
        values: dict[Key, str] = {}
        for row in rows:
            start, end_ = (row[name]["dateTime"][:19] for name in ("start", "end"))
            instances[row["subject"], start, end_, row["location"]] += 1
        items: Counter[int] = Counter()
        for event in self.service.events():
            items[item_of(event["subject"])] += 1
            values |= remote_values(event)
        return Seen(instances, values, items)

    def local(self) -> Seen:
        """The folder's side."""
        instances: Counter[Instance] = Counter()
        values: dict[Key, str] = {}
        items: Counter[int] = Counter()
        for file in sorted(self.here.folder.glob("*.ics")):
            data = file.read_bytes()
            own = local_values(Text.of(data))
            items[next(iter(own)).item] += 1
            values |= own
            for event in recurring_ical_events.of(icalendar.Calendar.from_ical(data)).between(
                self.today - timedelta(days=60), self.today + timedelta(days=400)
            ):
                start, end = (event[name].dt.astimezone(UTC) for name in ("DTSTART", "DTEND"))
                shown = f"{start:%Y-%m-%dT%H:%M:%S}", f"{end:%Y-%m-%dT%H:%M:%S}"
                instances[str(event["SUMMARY"]), *shown, str(event.get("LOCATION", ""))] += 1
        return Seen(instances, values, items)

    # The verdict.

    def settle(self) -> int:
        """Sync until a run changes neither side; the number of runs. Raises: Finding."""
        codes = []
        for tried in range(1, QUIET_TRIES + 1):
            self.count_requests()
            before = _stamps(self.here.folder)
            usage = self.here.sync()
            codes.append(usage.code)
            if usage.code not in (0, 4, 5):
                raise Finding(f"`syncd sync` ended with {usage.code}:\n{self.here.tail(40)}")
            wrote = any(
                one["method"] != "GET" and "$batch" not in one["path"]
                for one in self.service.requests()
            )
            if usage.code != 5 and not wrote and _stamps(self.here.folder) == before:
                return tried
            if usage.code == 5:
                sleep(0.5)
        raise Finding(f"it does not come to rest: exit codes {codes}\n{self.here.tail()}")

    def count_requests(self) -> None:
        """Add up what was asked, and begin anew."""
        self.requests += len(self.service.requests())
        self.service.clear_requests()

    def judge(self) -> None:
        """Compare both sides and what people did. Raises: Finding, with the story."""
        self.settle()
        remote, local = self.remote(), self.local()
        for number, thing in self.model.things.items():
            self._judge_presence(thing, remote.items[number], local.items[number])
        for number in (remote.items | local.items).keys() - self.model.things.keys():
            raise self._finding("nobody made this item", number)
        self._judge_agreement(remote, local)
        kept = self.here.kept()
        for key, writes in self.model.writes.items():
            self._judge_writes(key, writes, remote.values.get(key, ""), kept)
        self._judge_mails()
        self.model.epoch += 1

    def _judge_presence(self, thing: Thing, remote: int, local: int) -> None:
        if remote > 1 or local > 1:
            raise self._finding(f"it is there {remote} and {local} times", thing.number)
        if remote != local:
            raise self._finding(f"on the service: {remote}, in the folder: {local}", thing.number)
        end = thing.deleted
        if end is None:
            if not remote:
                raise self._finding("it is gone, and nobody deleted it", thing.number)
            return
        rivals = any(
            one.side != end.side and one.epoch == end.epoch
            for key, writes in self.model.writes.items()
            for one in writes
            if key.item == thing.number
        )
        if remote and not rivals:
            raise self._finding("it was deleted, and is there", thing.number)
        if remote:
            # An edit of the other side won.
            thing.deleted = None

    def _judge_agreement(self, remote: Seen, local: Seen) -> None:
        if remote.instances == local.instances:
            return
        there = sorted((remote.instances - local.instances).elements())
        here = sorted((local.instances - remote.instances).elements())
        told = f"the service alone shows {there[:4]}, the folder alone {here[:4]}"
        raise self._finding(told, item_of((there + here)[0][0]))

    def _judge_writes(self, key: Key, writes: list[Write], shown: str, kept: bytes) -> None:
        if shown and not key.slot and shown not in {one.value for one in writes}:
            raise self._finding(f"{key.field} is {shown!r}, which nobody wrote", key.item)
        for one in writes:
            if one.stale or one.value == shown or (key, one.value) in self.model.replaced:
                continue
            if not any(form in kept for form in forms(key, one.value)):
                what = f"{key.slot} {key.field} {one.value!r} of the {one.side} side is lost"
                raise self._finding(f"{what}; it shows {shown!r}", key.item)

    def _judge_mails(self) -> None:
        ledger = self.service.control("GET", "ledger")
        sent = Counter(
            (mail["kind"], mail["subject"], *mail["to"])
            for mail in ledger
            if mail["actor"] == "api"
        )
        for mail, times in sent.items():
            if times > 1:
                raise self._finding(f"mailed {times} times: {mail}", item_of(mail[1]))

    def _finding(self, what: str, item: int) -> Finding:
        text = f"i{item}: {what}\n--- what happened\n{self.model.story(item)}"
        for file in self.here.folder.glob("*.ics"):
            data = file.read_bytes()
            if f"\r\nSUMMARY:i{item} ".encode() in data:
                text += f"\n--- {file.name}\n{data.decode()}"
        for event in self.service.events():
            if event["subject"].startswith(f"i{item} "):
                shown = ("subject", "location", "start", "type", "exceptions", "cancelled")
                text += f"\n--- service: { {name: event.get(name) for name in shown} }"
        return Finding(text)


def _moments(start: datetime) -> dict[str, Any]:
    return {
        "start": {"dateTime": start.isoformat(), "timeZone": ZONE},
        "end": {"dateTime": (start + HALF_HOUR).isoformat(), "timeZone": ZONE},
    }


def _window(start: date, end: date) -> dict[str, str]:
    return {"user": ME, "start": f"{start}T00:00:00Z", "end": f"{end}T00:00:00Z"}


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    stats = {file.name: file.stat() for file in folder.glob("*.ics")}
    return {name: (one.st_ino, one.st_mtime_ns) for name, one in stats.items()}


# --- the parts -----------------------------------------------------------------------------------


def killed(people: People, kills: int, *, judge_every: int = 10, edits: int = 6) -> Iterator[int]:
    """
    Kill syncd at random moments of busy syncs; yields the number of kills after each.

    A moment lies between the first request and the usual end; some answers are slow, so that many
    kills meet a write on its way. A kill that came too late counts for nothing. Raises: Finding.
    """
    slow = {"rate": 0.3, "kinds": ["slow"], "delay_s": 0.05, "seed": people.random.randrange(999)}
    people.settle()
    people.service.control("POST", "faults", {"plan": slow})
    _both(people, edits)
    with people.here.start() as process:
        begin = _first_request(people, process)
    busy_s, done = monotonic() - begin, 0
    while done < kills:
        _both(people, edits)
        with people.here.start() as process:
            begin = _first_request(people, process)
            _edit_until(people, process, begin + people.random.uniform(0, 1.1) * busy_s)
            process.kill()
        if process.returncode != -signal.SIGKILL:
            busy_s = (busy_s + monotonic() - begin) / 2
            continue
        # What is left to do grows with each kill, until one comes too late.
        busy_s *= 1.05
        done += 1
        people.model.say(f"kill {done}")
        yield done
        if done % judge_every == 0:
            people.judge()
    people.judge()


def _first_request(people: People, process: subprocess.Popen[bytes]) -> float:
    """Wait for it; when it was, on the monotonic clock."""
    people.count_requests()
    while process.poll() is None and not people.service.requests():
        sleep(0.005)
    return monotonic()


def _edit_until(people: People, process: subprocess.Popen[bytes], moment: float) -> None:
    while (left := moment - monotonic()) > 0 and process.poll() is None:
        if people.random.random() < 0.2:
            people.edit(people.random.choice(("local", "remote")))
        sleep(min(max(left, 0), 0.02))


def _both(people: People, edits: int) -> None:
    for _ in range(edits):
        people.edit("local")
        people.edit("remote")


def faulty(people: People, rounds: int, rate: float, seed: int) -> Iterator[int]:
    """Faults of every kind while both edit; yields the number of rounds. Raises: Finding."""
    people.settle()
    for done in range(1, rounds + 1):
        plan = {"rate": rate, "seed": seed * 1000 + done, "retry_after_s": 1}
        people.service.control("POST", "faults", {"plan": plan})
        _both(people, 5)
        code = people.here.sync().code
        people.model.say(f"round {done} ended with {code}")
        # A token that is refused twice in a row is a login that is needed, for all that is known;
        # whether it passes is seen when nothing fails any more.
        if code in (1, 2):
            raise Finding(f"`syncd sync` ended with {code}:\n{people.here.tail(40)}")
        yield done
        if done % 5 == 0 or done == rounds:
            people.service.control("POST", "faults", {"plan": None})
            people.judge()


def saved(people: People, edits: int) -> Iterator[int]:
    """Saves by the hundred while a daemon swaps the same files. Raises: Finding."""
    people.settle()
    singles = [one for one in people.model.things.values() if not (one.series or one.meeting)]
    with people.here.start("run") as daemon:
        done = 0
        while done < edits and daemon.poll() is None:
            thing = people.random.choice(singles)
            if people.change("local", thing, "subject"):
                done += 1
                yield done
            if people.random.random() < 0.3:
                people.change("remote", thing, "location")
            sleep(people.random.uniform(0, 0.03))
        daemon.terminate()
        daemon.wait(60)
    if daemon.returncode != 0:
        raise Finding(f"the daemon ended with {daemon.returncode}:\n{people.here.tail(40)}")
    people.judge()


# --- the command ---------------------------------------------------------------------------------


def main() -> int:
    """Run the parts; 1 and the story for a finding."""
    asked = arguments()
    if asked.seeds is not None:
        return _simulated(asked)
    print(f"seed {asked.seed}", flush=True)
    parts = {
        "killed": (asked.kills, "kills"),
        "faults": (asked.rounds, "rounds"),
        "saves": (asked.edits, "saves"),
    }
    wanted = [(name, unit) for name, (count, unit) in parts.items() if count]
    failed = [name for name, unit in wanted if not _part(asked, name, unit)]
    return 1 if failed else 0


def _simulated(asked: argparse.Namespace) -> int:
    begin, found = monotonic(), Found()
    for found, story in search(asked.first, asked.seeds, asked.jobs, asked.minutes):
        _show(f"{found}")
        if story:
            print(f"FINDING\n{story}\n", flush=True)
    for kind, seeds in found.kinds.items():
        print(f"{len(seeds)} times, seeds {sorted(seeds)[:8]}: {kind}")
    print(f"seeds: {found}, {monotonic() - begin:.0f} s", flush=True)
    return 1 if found.kinds else 0


def _part(asked: argparse.Namespace, name: str, unit: str) -> bool:
    root = Path(tempfile.mkdtemp(prefix=f"syncd-soak-{name}-", dir=asked.dir))
    with served() as service:
        # Deletions are a person's own here; that many are held is another promise.
        here = Installation.made(root, service, max_deletes=100_000, poll_interval="1s")
        people = People(service, here, Random(f"{asked.seed}/{name}"))
        people.populate(24)
        people.settle()
        steps = {
            "killed": lambda: killed(people, asked.kills),
            "faults": lambda: faulty(people, asked.rounds, asked.rate, asked.seed),
            "saves": lambda: saved(people, asked.edits),
        }
        done, begin = 0, monotonic()
        try:
            for done in steps[name]():
                _show(f"{name}: {done} {unit}")
        except Finding as finding:
            print(f"{name}: FINDING after {done} {unit}, seed {asked.seed}, in {root}\n{finding}")
            return False
        told = _counts(people, service)
        print(f"{name}: well; {done} {unit}, {told}, {monotonic() - begin:.0f} s", flush=True)
        return True


def _counts(people: People, service: Served) -> str:
    problems = people.here.told("problems")
    doubts = sum(one["kind"] == "in-doubt" for one in problems)
    waiting = sum(one["needs_person"] for one in problems)
    struck = sum(service.control("GET", "faults")["struck"].values())
    return (
        f"{people.model.edits} edits, {len(people.model.things)} items, "
        f"{people.requests} requests, {struck} faults, {doubts} in doubt, "
        f"{waiting} waiting for a person"
    )


def _show(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text}   ", end="", file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="soak", description="Look for what gets lost or doubled.")
    parser.add_argument("--kills", type=int, default=50, help="kill -9 so often [50]")
    parser.add_argument("--rounds", type=int, default=20, help="rounds with faults [20]")
    parser.add_argument("--edits", type=int, default=1000, help="saves beside a daemon [1000]")
    parser.add_argument(
        "--rate", type=float, default=0.05, help="share of requests that fail [0.05]"
    )
    parser.add_argument("--seed", type=int, default=None, help="repeats the same edits")
    parser.add_argument("--seeds", type=int, default=None, help="simulated runs, nothing else")
    parser.add_argument("--first", type=int, default=1, help="the first of these seeds [1]")
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="begin none after these [0: all]"
    )
    parser.add_argument("--jobs", type=int, default=0, help="processes [as many as processors]")
    parser.add_argument("--dir", default=None, help="where files are written [temporary]")
    asked = parser.parse_args()
    if asked.seed is None:
        asked.seed = int.from_bytes(os.urandom(3), "big")
    return asked


if __name__ == "__main__":
    sys.exit(main())
