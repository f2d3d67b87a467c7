"""
People at work on both sides while syncd is killed, the service fails, and files are saved.

Everything is a real process: the simulated service, and `syncd` on a folder. The `Model` knows for
every field of every item each value that a person wrote on either side, in order. The verdict: both
sides show the same instances, each item once; every value is current, or was overwritten by a later
one of the same field, or is kept in the history or under the problems; and no mail went out twice.

Run as: python -m scripts.soak [--kills N] [--rounds N] [--edits N] [--rate R] [--seed N].
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import tempfile
import uuid
from collections import Counter, deque
from collections.abc import Iterator
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

    `stale`: nobody meant it, but a program saved the whole file as it had read it.
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
    """What people did. `epoch` moves whenever both sides were seen to agree."""

    things: dict[int, Thing] = field(default_factory=dict)
    writes: dict[Key, list[Write]] = field(default_factory=dict)
    steps: deque[str] = field(default_factory=lambda: deque(maxlen=400))
    numbers: int = 0
    edits: int = 0
    epoch: int = 0

    def write(self, side: Side, key: Key, value: str, *, stale: bool = False) -> None:
        """Take down a value."""
        self.numbers += 1
        self.edits += not stale
        self.writes.setdefault(key, []).append(
            Write(self.numbers, side, value, self.epoch, stale)
        )
        if not stale:
            self.say(f"{self.numbers}: {side} i{key.item} {key.slot} {key.field} = {value}")

    def last(self, key: Key) -> str:
        """The value written last."""
        return self.writes[key][-1].value

    def delete(self, side: Side, thing: Thing) -> None:
        """Take down a deletion."""
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


def read_values(event: str) -> dict[str, str]:
    """The fields of an event that the model knows."""
    start = datetime.strptime(value_of(event, "DTSTART")[:15], "%Y%m%dT%H%M%S")
    return {
        "subject": value_of(event, "SUMMARY"),
        "location": value_of(event, "LOCATION"),
        "start": start.isoformat(),
    }


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
    ids: dict[int, str] = field(default_factory=dict)
    today: date = field(default_factory=lambda: datetime.now(BERLIN).date())

    # What an item begins with.

    def populate(self, count: int) -> None:
        """Events on the service: single ones, every fifth a series, every seventh a meeting."""
        for number in range(count):
            self.create_remote(series=number % 5 == 0, meeting=number % 7 == 3)

    def create_remote(self, *, series: bool = False, meeting: bool = False) -> None:
        """A new event in Outlook."""
        thing, values = self._new("remote", series=series, meeting=meeting)
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
        self.ids[thing.number] = self.service.do("create", body=body)["id"]

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
        identity = self._identity(thing)
        if not identity:
            return False
        body: dict[str, Any] = {"subject": value}
        if name == "location":
            body = {"location": {"displayName": value}}
        elif name == "start":
            body = _moments(datetime.fromisoformat(value))
        self.service.do("patch", id=identity, body=body)
        self.model.write("remote", Key(thing.number, name), value)
        return True

    def change_slot(self, side: Side, thing: Thing) -> bool:
        """Another place for one occurrence of a series."""
        start = datetime.fromisoformat(self.model.last(Key(thing.number, "start")))
        day = start.date() + timedelta(days=7 * self.random.randrange(1, WEEKS))
        value = self._value(thing, "location")
        if side == "local":
            return self._change_file(thing, "location", value, day.isoformat())
        identity = self._occurrence(thing, day)
        if not identity:
            return False
        self.service.do("patch", id=identity, body={"location": {"displayName": value}})
        self.model.write("remote", Key(thing.number, "location", day.isoformat()), value)
        return True

    def delete(self, side: Side, thing: Thing) -> bool:
        """Away with an item."""
        if side == "local":
            file = self._file(thing)
            if file is None:
                return False
            file.unlink(missing_ok=True)
        else:
            identity = self._identity(thing)
            if not identity:
                return False
            self.service.do("delete", id=identity)
        self.model.delete(side, thing)
        return True

    def _identity(self, thing: Thing) -> str:
        if thing.number not in self.ids:
            for event in self.service.events():
                self.ids[item_of(event["subject"])] = event["id"]
        return self.ids.get(thing.number, "")

    def _occurrence(self, thing: Thing, day: date) -> str:
        found = self.service.control("GET", "instances", _window(day, day + timedelta(days=1)))
        for one in found:
            same_day = one["startInZone"]["dateTime"].startswith(day.isoformat())
            if same_day and item_of(one["subject"]) == thing.number:
                return str(one["id"])
        return ""

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
        self._stale_values(thing, text)
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
        self.model.write("local", Key(thing.number, name, slot), value)
        return True

    def _stale_values(self, thing: Thing, text: Text) -> None:
        """A save writes every field as it was read, which may be older than what is known."""
        for name, value in read_values(text.events[text.master()]).items():
            key = Key(thing.number, name)
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
            day = row["startInZone"]["dateTime"][:10]
            values[Key(item_of(row["subject"]), "location", day)] = row["location"]
        items: Counter[int] = Counter()
        for event in self.service.events():
            number = item_of(event["subject"])
            items[number] += 1
            values[Key(number, "subject")] = event["subject"]
            values[Key(number, "location")] = event["location"]["displayName"]
            values[Key(number, "start")] = event["start"]["dateTime"][:19]
        return Seen(instances, values, items)

    def local(self) -> Seen:
        """The folder's side."""
        instances: Counter[Instance] = Counter()
        values: dict[Key, str] = {}
        items: Counter[int] = Counter()
        for file in sorted(self.here.folder.glob("*.ics")):
            data = file.read_bytes()
            text = Text.of(data)
            own = read_values(text.events[text.master()])
            number = item_of(own["subject"])
            items[number] += 1
            values |= {Key(number, name): value for name, value in own.items()}
            for event in recurring_ical_events.of(icalendar.Calendar.from_ical(data)).between(
                self.today - timedelta(days=60), self.today + timedelta(days=400)
            ):
                start, end = (event[name].dt.astimezone(UTC) for name in ("DTSTART", "DTEND"))
                shown = f"{start:%Y-%m-%dT%H:%M:%S}", f"{end:%Y-%m-%dT%H:%M:%S}"
                instances[str(event["SUMMARY"]), *shown, str(event.get("LOCATION", ""))] += 1
        return Seen(instances, values, items)

    # The verdict.

    def settle(self) -> int:
        """Sync until a run has nothing to say to either side; the number of runs. Raises: Finding."""
        codes = []
        for tried in range(1, QUIET_TRIES + 1):
            self.service.clear_requests()
            before = _stamps(self.here.folder)
            usage = self.here.sync()
            codes.append(usage.code)
            if usage.code not in (0, 4, 5):
                raise Finding(f"`syncd sync` ended with {usage.code}:\n{self.here.tail(40)}")
            writes = [one for one in self.service.requests() if one["method"] != "GET"]
            writes = [one for one in writes if "$batch" not in one["path"]]
            if usage.code != 5 and not writes and _stamps(self.here.folder) == before:
                return tried
            if usage.code == 5:
                sleep(0.5)
        raise Finding(f"it does not come to rest: exit codes {codes}\n{self.here.tail()}")

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
            if remote.items[key.item]:
                self._judge_writes(key, writes, remote.values.get(key), kept)
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
        rivals = [
            (key, one)
            for key, writes in self.model.writes.items()
            for one in writes
            if key.item == thing.number and one.side != end.side and one.epoch == end.epoch
        ]
        if remote and not rivals:
            raise self._finding("it was deleted, and is there", thing.number)
        if remote:
            thing.deleted = None
            return
        kept = self.here.kept() if rivals else b""
        for key, one in rivals:
            if not one.stale and not any(form in kept for form in forms(key, one.value)):
                raise self._finding(f"deleted with {key.field} {one.value!r} unkept", key.item)

    def _judge_agreement(self, remote: Seen, local: Seen) -> None:
        if remote.instances == local.instances:
            return
        only = {
            "only on the service": remote.instances - local.instances,
            "only in the folder": local.instances - remote.instances,
        }
        told = "; ".join(f"{side}: {sorted(some)[:4]}" for side, some in only.items() if some)
        first = next(iter(min((some for some in only.values() if some), key=len)))
        raise self._finding(f"the sides differ: {told}", item_of(first[0]))

    def _judge_writes(self, key: Key, writes: list[Write], shown: str | None, kept: bytes) -> None:
        current = max((one.number for one in writes if one.value == shown), default=None)
        if current is None:
            if key.slot and shown is not None:
                # The slot may have gone back to the series' own place by a whole-file save.
                current = -1
            else:
                raise self._finding(f"{key.field} is {shown!r}, which nobody wrote", key.item)
        for one in writes:
            if one.number <= current or one.stale:
                continue
            if not any(form in kept for form in forms(key, one.value)):
                why = f"{key.slot} {key.field} {one.value!r} of the {one.side} side is lost"
                raise self._finding(f"{why}; it shows {shown!r}", key.item)

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

    A kill that came too late counts for nothing, and the next one comes earlier. Raises: Finding.
    """
    people.settle()
    longest_s = _busy_s(people, edits)
    done = 0
    while done < kills:
        _both(people, edits)
        with people.here.start() as process:
            moment = monotonic() + people.random.uniform(0.35, 1.0) * longest_s
            while (left := moment - monotonic()) > 0 and process.poll() is None:
                if people.random.random() < 0.2:
                    people.edit(people.random.choice(("local", "remote")))
                sleep(min(left, 0.02))
            process.kill()
        if process.returncode == -signal.SIGKILL:
            done += 1
            people.model.say(f"kill {done}")
            yield done
            if done % judge_every == 0:
                people.judge()
        else:
            longest_s *= 0.9
    people.judge()


def _busy_s(people: People, edits: int) -> float:
    _both(people, edits)
    begin = monotonic()
    people.here.sync()
    return monotonic() - begin


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
        if code in (1, 2, 3):
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
    print(f"seed {asked.seed}", flush=True)
    parts = {
        "killed": (asked.kills, "kills"),
        "faults": (asked.rounds, "rounds"),
        "saves": (asked.edits, "saves"),
    }
    failed = [name for name, (count, unit) in parts.items() if count and not _part(asked, name, unit)]
    return 1 if failed else 0


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
    log = people.here.log.read_text(errors="replace")
    asked = len(re.findall(r'"(?:round\.finished)"', log))
    return (
        f"{people.model.edits} edits, {len(people.model.things)} items, {asked} rounds of syncd, "
        f"{struck} faults, {doubts} in doubt, {waiting} waiting for a person"
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
    parser.add_argument("--rate", type=float, default=0.05, help="share of requests that fail [0.05]")
    parser.add_argument("--seed", type=int, default=None, help="repeats the same edits")
    parser.add_argument("--dir", default=None, help="where files are written [temporary]")
    asked = parser.parse_args()
    if asked.seed is None:
        asked.seed = int.from_bytes(os.urandom(3), "big")
    return asked


if __name__ == "__main__":
    sys.exit(main())
