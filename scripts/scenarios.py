"""
Small worlds in which a sync has plenty to do, for `scripts.points`.

Each is built once by the people of `Stage`, up to the moment before the sync that is broken. They
write down every value of theirs, each a word that occurs nowhere else. Knows nothing of faults.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from scripts.soak import HALF_HOUR, new_file
from tests.processes import ME, ZONE, Installation, Served

__all__ = ["SCENARIOS", "Scenario", "Stage"]

BOB = "bob@example.org"
CAROL = "carol@example.org"
OTHER = "Other"


@dataclass(slots=True)
class Stage:
    """
    Two people who share calendars, one in Outlook, one with files.

    Args: sync: runs `syncd sync` to its end. words: the values that may not get lost.
    """

    service: Served
    here: Installation
    sync: Callable[[], object]
    words: set[str] = field(default_factory=set)
    today: date = field(default_factory=lambda: datetime.now(UTC).date())

    def settle(self) -> None:
        """Bring both sides in step, an hour ago: what was just seen is treated with more care."""
        self.sync()
        self.sync()
        ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        state = sqlite3.connect(self.here.root / "state" / "state.db")
        with state:
            state.execute("UPDATE remote SET seen_at = ?", (ago,))
        state.close()

    # In Outlook.

    def event(self, subject: str, place: str, day: int, **more: Any) -> str:
        """A new event, so many days from today; its id."""
        made = self.service.do("create", body=self._body(subject, place, day) | more)
        self.words |= {subject, place}
        return str(made["id"])

    def _body(self, subject: str, place: str, day: int) -> dict[str, Any]:
        start = self._start(day)
        return {
            "subject": subject,
            "location": {"displayName": place},
            "isReminderOn": False,
            "start": {"dateTime": start.isoformat(), "timeZone": ZONE},
            "end": {"dateTime": (start + HALF_HOUR).isoformat(), "timeZone": ZONE},
        }

    def _start(self, day: int) -> datetime:
        return datetime.combine(self.today + timedelta(days=day), time(10))

    def weekly(self, subject: str, place: str, day: int) -> str:
        """A new series of six weeks; its id."""
        start = (self.today + timedelta(days=day)).isoformat()
        pattern = {"type": "daily", "interval": 7}
        span = {"type": "numbered", "startDate": start, "numberOfOccurrences": 6}
        recurrence = {"pattern": pattern, "range": span}
        return self.event(subject, place, day, recurrence=recurrence)

    def meeting(self, subject: str, place: str, day: int) -> str:
        """A new meeting of our own, with one guest; its id."""
        guest = {"emailAddress": {"address": BOB, "name": "Bob"}, "type": "required"}
        return self.event(subject, place, day, attendees=[guest])

    def invited(self, subject: str, place: str, day: int) -> None:
        """A meeting that someone else asks us to."""
        own = {"emailAddress": {"address": ME, "name": "Me"}, "type": "required"}
        host = {"address": CAROL, "name": "Carol"}
        event = self._body(subject, place, day) | {"attendees": [own]}
        self.service.control(
            "POST", "mailbox/receive", {"user": ME, "event": event, "organizer": host}
        )
        self.words |= {subject, place}

    def place(self, event: str, old: str, new: str) -> None:
        """Another place for an event."""
        self.service.do("patch", id=event, body={"location": {"displayName": new}})
        self._replaced(old, new)

    def retitle(self, event: str, old: str, new: str) -> None:
        """Another subject for an event."""
        self.service.do("patch", id=event, body={"subject": new})
        self._replaced(old, new)

    def occurrence(self, subject: str, day: int) -> str:
        """The id of one instance of a series."""
        first, last = (self.today + timedelta(days=day + n) for n in (0, 1))
        asked = {"user": ME, "start": f"{first}T00:00:00Z", "end": f"{last}T00:00:00Z"}
        rows = self.service.control("GET", "instances", asked)
        return next(str(row["id"]) for row in rows if row["subject"] == subject)

    def delete(self, event: str, *words: str) -> None:
        """Away with an event."""
        self.service.do("delete", id=event)
        self.words -= set(words)

    # With files.

    def folder(self, name: str = "Calendar") -> Path:
        """A calendar's folder."""
        return self.here.root / "export" / "work" / name

    def file(
        self, name: str, subject: str, place: str, day: int, *lines: str, rule: str = ""
    ) -> None:
        """A new file; its UID is its name."""
        data = new_file(name, subject, place, self._start(day), rule)
        more = "".join(f"{line}\r\n" for line in lines).encode()
        self.folder().mkdir(parents=True, exist_ok=True)
        path = self.folder() / f"{name}.ics"
        path.write_bytes(data.replace(b"END:VEVENT", more + b"END:VEVENT"))
        self.words |= {subject, place}

    def found(self, word: str, folder: str = "Calendar") -> Path:
        """The file in which a word stands."""
        files = sorted(self.folder(folder).glob("*.ics"))
        return next(file for file in files if word.encode() in file.read_bytes())

    def edit(self, old: str, new: str, *, aside: bool = False, word: bool = True) -> None:
        """One text instead of another, saved in place or beside and renamed."""
        file = self.found(old)
        data = file.read_bytes().replace(old.encode(), new.encode())
        if aside:
            temporary = file.with_name(f"{file.name}.tmp")
            temporary.write_bytes(data)
            temporary.rename(file)
        else:
            file.write_bytes(data)
        if word:
            self._replaced(old, new)

    def override(self, subject: str, day: int, place: str) -> None:
        """Another place for one instance of a series."""
        file, start = self.found(subject), self._start(day)
        alone = new_file("?", subject, place, start, "").decode()
        event = alone[alone.index("BEGIN:VEVENT") : alone.index("END:VCALENDAR")]
        text = file.read_bytes().decode().replace("\r\n ", "")
        uid = next(line for line in text.split("\r\n") if line.startswith("UID:"))
        slot = f"RECURRENCE-ID;TZID=Europe/Berlin:{start:%Y%m%dT%H%M%S}\r\n"
        event = event.replace("UID:?", uid).replace("DTSTART", f"{slot}DTSTART", 1)
        file.write_bytes(text.replace("END:VCALENDAR", f"{event}END:VCALENDAR").encode())
        self.words.add(place)

    def without(self, subject: str, day: int) -> None:
        """One instance less of a series."""
        line = f"EXDATE;TZID=Europe/Berlin:{self._start(day):%Y%m%dT%H%M%S}"
        self.edit(f"SUMMARY:{subject}", f"{line}\r\nSUMMARY:{subject}", word=False)

    def remove(self, word: str, *words: str) -> None:
        """Away with a file."""
        self.found(word).unlink()
        self.words -= {word, *words}

    def _replaced(self, old: str, new: str) -> None:
        self.words.discard(old)
        self.words.add(new)

    # What waits for them.

    def waiting(self, kind: str) -> str:
        """The id of the problem of that kind that needs a person, "" where there is none."""
        state = sqlite3.connect(self.here.root / "state" / "state.db")
        try:
            row = state.execute(
                "SELECT id FROM problem WHERE kind = ? AND needs_person", (kind,)
            ).fetchone()
        finally:
            state.close()
        return str(row[0]) if row else ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    A world and what is broken in it.

    Args:
        build: makes it. shows: the subjects that both sides show in the end, once for each item.
        here, there: those of the folder, and of the service, alone, since something is held.
        mails: what syncd sends, as (kind, subject). settings: of [sync]. waits: the kind of problem
            that the command is about, "" for a sync. command: its words; `ID` is the problem's.
    """

    build: Callable[[Stage], None]
    shows: Sequence[str]
    here: Sequence[str] = ()
    there: Sequence[str] = ()
    mails: Sequence[tuple[str, str]] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    waits: str = ""
    command: Sequence[str] = ("sync",)


def _first(stage: Stage) -> None:
    """A first sync: most is on the service, something in a folder that syncd never saw."""
    stage.event("Apple", "apple-place", 3)
    stage.event("Birch", "birch-place", 4)
    stage.event("Cedar", "cedar-place", 5)
    stage.weekly("Daisy", "daisy-place", 6)
    moved = stage.occurrence("Daisy", 20)
    stage.service.do("patch", id=moved, body={"location": {"displayName": "daisy-moved"}})
    stage.service.do("delete", id=stage.occurrence("Daisy", 27))
    stage.words.add("daisy-moved")
    stage.meeting("Elder", "elder-place", 7)
    day = stage.today + timedelta(days=8)
    whole = {
        name: {"dateTime": f"{at}T00:00:00", "timeZone": ZONE}
        for name, at in (("start", day), ("end", day + timedelta(days=1)))
    }
    stage.event("Fern", "fern-place", 8, isAllDay=True, **whole)
    stage.file("mine-1", "Ginger", "ginger-place", 9)
    stage.file("mine-2", "Hazel", "hazel-place", 10, rule="FREQ=DAILY;INTERVAL=7;COUNT=6")
    stage.file("same", "Birch", "birch-place", 4)
    (stage.folder() / "note.txt").write_text("not a calendar\n")


def _both(stage: Stage) -> None:
    """New, edited, deleted and renamed on both sides, a conflict, and edits against deletions."""
    ids = {
        subject: stage.event(subject, f"{subject.lower()}-place", 3 + day)
        for day, subject in enumerate(
            ("Apple", "Birch", "Cedar", "Daisy", "Elder", "Fern", "Ginger", "Hazel", "Iris")
        )
    }
    stage.settle()
    stage.file("new-1", "Jasmine", "jasmine-place", 14)
    stage.file("new-2", "Kale", "kale-place", 15)
    stage.event("Lily", "lily-place", 16)
    stage.edit("apple-place", "apple-there")
    stage.edit("Birch", "Birch-2", aside=True)
    stage.place(ids["Cedar"], "cedar-place", "cedar-there")
    stage.remove("Daisy", "daisy-place")
    stage.delete(ids["Elder"], "Elder", "elder-place")
    fern = stage.found("Fern")
    fern.rename(fern.with_name("renamed.ics"))
    stage.edit("Ginger", "Ginger-2")
    stage.place(ids["Ginger"], "ginger-place", "ginger-there")
    stage.edit("hazel-place", "hazel-mine")
    stage.place(ids["Hazel"], "hazel-place", "hazel-theirs")
    stage.words.add("hazel-mine")
    stage.edit("iris-place", "iris-mine")
    stage.delete(ids["Iris"], "Iris")


def _series(stage: Stage) -> None:
    """Occurrences edited and deleted on both sides."""
    for at, subject in enumerate(("Apple", "Birch", "Cedar")):
        stage.weekly(subject, f"{subject.lower()}-place", 3 + at)
    stage.settle()
    stage.override("Apple", 10, "apple-once")
    stage.service.do(
        "patch",
        id=stage.occurrence("Apple", 17),
        body={"location": {"displayName": "apple-theirs"}},
    )
    stage.words.add("apple-theirs")
    stage.without("Birch", 11)
    stage.service.do("delete", id=stage.occurrence("Birch", 25))
    stage.edit("Cedar", "Cedar-2")
    stage.override("Cedar-2", 12, "cedar-once")
    stage.file("weekly", "Daisy", "daisy-place", 6, rule="FREQ=DAILY;INTERVAL=7;COUNT=6")
    stage.override("Daisy", 13, "daisy-once")


def _mail(stage: Stage) -> None:
    """Mail of every kind: one that is sent, three that are held, and an answer."""
    stage.meeting("Apple", "apple-place", 3)
    stage.meeting("Birch", "birch-place", 4)
    stage.invited("Cedar", "cedar-place", 5)
    stage.settle()
    stage.edit("apple-place", "apple-there")
    stage.found("Birch").unlink()
    own = "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:me@"
    stage.edit(own, own.replace("NEEDS-ACTION", "ACCEPTED"), word=False)
    guest = f"ATTENDEE;CN=Dan;PARTSTAT=NEEDS-ACTION:mailto:{BOB}"
    stage.file("new", "Daisy", "daisy-place", 6, f"ORGANIZER:mailto:{ME}", guest)


def _approve(stage: Stage) -> None:
    """A held invitation that a person approves."""
    stage.event("Apple", "apple-place", 3)
    stage.settle()
    guest = f"ATTENDEE;CN=Bob;PARTSTAT=NEEDS-ACTION:mailto:{BOB}"
    stage.file("new", "Birch", "birch-place", 6, f"ORGANIZER:mailto:{ME}", guest)
    stage.sync()
    stage.edit("apple-place", "apple-there")


def _cancel(stage: Stage) -> None:
    """A held cancellation that a person approves."""
    stage.meeting("Apple", "apple-place", 3)
    stage.event("Birch", "birch-place", 4)
    stage.settle()
    stage.remove("Apple", "apple-place")
    stage.sync()
    stage.edit("birch-place", "birch-there")


def _second(stage: Stage) -> None:
    """A conflict of which a person wants both versions."""
    apple = stage.event("Apple", "apple-place", 3)
    stage.event("Birch", "birch-place", 4)
    stage.settle()
    stage.edit("apple-place", "apple-mine")
    stage.place(apple, "apple-place", "apple-theirs")
    stage.words.add("apple-mine")
    stage.sync()
    stage.edit("birch-place", "birch-there")


def _moved(stage: Stage) -> None:
    """Files that change calendars, one of them edited on the way; another event is edited."""
    stage.service.do("add-calendar", name=OTHER)
    stage.event("Apple", "apple-place", 3)
    stage.event("Birch", "birch-place", 4)
    stage.weekly("Cedar", "cedar-place", 5)
    daisy = stage.event("Daisy", "daisy-place", 6)
    stage.settle()
    stage.edit("apple-place", "apple-there")
    stage.place(daisy, "daisy-place", "daisy-there")
    for word in ("Apple", "Birch", "Cedar"):
        file = stage.found(word)
        file.rename(stage.folder(OTHER) / file.name)


def _emptied(stage: Stage) -> None:
    """A folder that suddenly has nothing: its events stay until a person decides."""
    for day, subject in enumerate(("Apple", "Birch", "Cedar", "Daisy")):
        stage.event(subject, f"{subject.lower()}-place", 3 + day)
    stage.settle()
    for file in stage.folder().glob("*.ics"):
        file.unlink()
    stage.event("Elder", "elder-place", 9)


def _vanished(stage: Stage) -> None:
    """A mailbox that suddenly has nothing: its files stay until a person decides."""
    subjects = ("Apple", "Birch", "Cedar", "Daisy")
    ids = [stage.event(one, f"{one.lower()}-place", 3 + day) for day, one in enumerate(subjects)]
    stage.settle()
    for one in ids:
        stage.service.do("delete", id=one)
    stage.file("new", "Elder", "elder-place", 9)


def _stateless(stage: Stage) -> None:
    """The state is lost; the folder still bears its marker, and both sides were edited since."""
    stage.event("Apple", "apple-place", 3)
    birch = stage.event("Birch", "birch-place", 4)
    stage.weekly("Cedar", "cedar-place", 5)
    stage.settle()
    for name in sorted(os.listdir(stage.here.root / "state")):
        path = stage.here.root / "state" / name
        if path.is_file():
            path.unlink()
    stage.edit("apple-place", "apple-there")
    # Without a base nobody knows which is newer: one is shown, the other kept.
    stage.words.add("apple-place")
    stage.place(birch, "birch-place", "birch-there")
    stage.file("new", "Daisy", "daisy-place", 9)


def _bulk(stage: Stage) -> None:
    """More than one batch of everything."""
    ids = [stage.event(f"Apple{n:02}.", f"apple-{n:02}.", 3 + n) for n in range(12)]
    stage.settle()
    for n, one in enumerate(ids):
        stage.place(one, f"apple-{n:02}.", f"apple-there-{n:02}.")
    for n in range(12):
        stage.event(f"Cedar{n:02}.", f"cedar-{n:02}.", 33 + n)
    for n in range(9):
        stage.file(f"birch-{n}", f"Birch{n:02}.", f"birch-{n:02}.", 17 + n)


SCENARIOS: Mapping[str, Scenario] = {
    "first": Scenario(
        _first, ("Apple", "Birch", "Cedar", "Daisy", "Elder", "Fern", "Ginger", "Hazel")
    ),
    "both": Scenario(
        _both,
        (
            *("Apple", "Birch-2", "Cedar", "Fern", "Ginger-2", "Hazel", "Iris"),
            *("Jasmine", "Kale", "Lily"),
        ),
    ),
    "series": Scenario(_series, ("Apple", "Birch", "Cedar-2", "Daisy")),
    "mail": Scenario(
        _mail,
        ("Apple", "Cedar"),
        here=("Daisy",),
        there=("Birch",),
        mails=(("update", "Apple"), ("response", "Cedar")),
    ),
    "approve": Scenario(
        _approve,
        ("Apple", "Birch"),
        mails=(("invitation", "Birch"),),
        waits="held-mail",
        command=("approve", "ID", "--yes"),
    ),
    "cancel": Scenario(
        _cancel,
        ("Birch",),
        mails=(("cancellation", "Apple"),),
        waits="held-mail",
        command=("approve", "ID", "--yes"),
    ),
    "second": Scenario(
        _second,
        ("Apple", "Apple", "Birch"),
        settings={"conflict": "ask"},
        waits="conflict",
        command=("problems", "resolve", "ID", "--take", "both"),
    ),
    "moved": Scenario(_moved, ("Apple", "Birch", "Cedar", "Daisy")),
    "emptied": Scenario(_emptied, ("Elder",), there=("Apple", "Birch", "Cedar", "Daisy")),
    "vanished": Scenario(_vanished, ("Elder",), here=("Apple", "Birch", "Cedar", "Daisy")),
    "stateless": Scenario(_stateless, ("Apple", "Birch", "Cedar"), here=("Daisy",)),
    "bulk": Scenario(
        _bulk,
        (
            *(f"Apple{n:02}." for n in range(12)),
            *(f"Birch{n:02}." for n in range(9)),
            *(f"Cedar{n:02}." for n in range(12)),
        ),
    ),
}
