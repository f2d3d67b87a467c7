"""
What people do: each verb of a script, carried out on a side and taken down in the model.

A step that cannot be done (the item is not there, the file cannot be read) is left out.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from syncd.core.mail import MailPolicy
from syncd.core.state import Problem
from syncd.core.wishes import (
    Answering,
    Meeting,
    Wish,
    cancelled,
    dismissed,
    forwarded,
    responded,
    snoozed,
)
from syncd.simulator.attachments import Draft, FileContent, attachment_id
from syncd.simulator.errors import ServiceError
from syncd.simulator.folders import Person
from syncd.simulator.model import Event, Item
from syncd.simulator.zones import Wall
from tests.simulation.model import Key, Model, Thing
from tests.simulation.script import Step
from tests.simulation.texts import DAY, HALF_HOUR, Text, new_file, new_rule, with_property
from tests.simulation.values import local_values, remote_values
from tests.simulation.world import ME, ZONE, Installation, World, number_of, same_uid

__all__ = ["People"]

FIELDS = ("subject", "location", "body")
_NAMES = {"subject": "SUMMARY", "location": "LOCATION", "body": "DESCRIPTION"}
_CALENDARS = ("Calendar", "Other")


def fresh(step: Step, name: str) -> str:
    """A value that nobody else writes."""
    return f"i{step.item} {name[0] if name != 'body' else 'd'}{step.number}"


def moment(step: Step) -> datetime:
    """A time that nobody else writes; now and then one beyond the window."""
    day = datetime(2026, 3, 3) + timedelta(days=step.extra % 60)
    if step.extra % 23 == 7:
        day += timedelta(days=600)
    return day + timedelta(hours=7, minutes=step.number)


def whole_day_of(step: Step) -> datetime:
    """A day that nobody else writes, as its midnight."""
    return datetime(2026, 3, 3) + timedelta(days=step.number)


def day_time(at: datetime) -> dict[str, Any]:
    """A whole day as Graph wants it."""
    return {
        "start": {"dateTime": at.isoformat(), "timeZone": ZONE},
        "end": {"dateTime": (at + DAY).isoformat(), "timeZone": ZONE},
        "isAllDay": True,
    }


def event_time(at: datetime) -> dict[str, Any]:
    """Start and end as Graph wants them."""
    return {
        "start": {"dateTime": at.isoformat(), "timeZone": ZONE},
        "end": {"dateTime": (at + HALF_HOUR).isoformat(), "timeZone": ZONE},
    }


def _seen_again(thing: Thing, side: str) -> None:
    """Who deleted it sees it again: somebody's edit brought it back."""
    if thing.deleted is not None and thing.deleted.side == side:
        thing.deleted = None


def _guest(step: Step) -> str:
    return f"bob{step.number}@example.org"


_WISHES: tuple[Callable[[Meeting, MailPolicy], Wish], ...] = (
    lambda meeting, policy: responded(meeting, Answering("accept", "Gladly"), policy),
    lambda meeting, policy: responded(meeting, Answering("tentative", sends=False), policy),
    lambda meeting, policy: responded(meeting, Answering("decline"), policy),
    lambda meeting, policy: cancelled(meeting, "Ill", policy),
    lambda meeting, policy: forwarded(meeting, ["dan@example.org"], "", policy),
    lambda meeting, policy: snoozed(meeting, datetime(2026, 3, 20, 8), "UTC"),
    lambda meeting, policy: dismissed(meeting),
)


class People:
    """Everybody who acts in a world."""

    def __init__(self, world: World, model: Model) -> None:
        self.world = world
        self.model = model

    def act(self, step: Step) -> None:
        """Do one step."""
        self.world.time.pass_(2)
        doers: dict[str, Callable[[Step], bool]] = {
            "remote": self._remote,
            "organiser": self._organiser,
            "person": self._person,
            "clock": self._clock,
        }
        done = doers.get(step.who, self._local)(step)
        self.world.say(f"{step}" if done else f"{step} (cannot be done)")

    # --- a person with files -------------------------------------------------------------------

    def _local(self, step: Step) -> bool:
        here = self.world.installations.get(step.who)
        if here is None:
            return False
        verb = getattr(self, f"_local_{step.verb.replace('-', '_')}")
        return bool(verb(step, here))

    def _saw(self, thing: Thing, step: Step, values: dict[Key, str]) -> None:
        """Somebody with files did away with values; those of others stay where that cannot count."""
        if thing.foreign or self.model.one_way:
            self._gave_up(step, thing, values)
        else:
            self.model.saw(values)

    def _found(self, step: Step, here: Installation) -> tuple[str, str, bytes] | None:
        """Calendar, name and bytes of the item's first file."""
        mark = f"i{step.item} ".encode()
        for calendar in sorted(here.folders):
            folder = here.folders[calendar]
            for name in sorted(folder.names()):
                data = folder.read(name)
                if b"\r\nSUMMARY:" + mark in data or b"\r\nSUMMARY:Canceled: " + mark in data:
                    return calendar, name, data
        return None

    def _text(self, step: Step, here: Installation) -> tuple[str, str, Text] | None:
        found = self._found(step, here)
        text = Text.of(found[2]) if found else None
        thing = self.model.things.get(step.item)
        if found is None or text is None or thing is None:
            return None
        return found[0], found[1], text

    def _save(self, here: Installation, place: tuple[str, str, Text], thing: Thing) -> bool:
        calendar, name, text = place
        here.folder(calendar).save(name, text.encoded())
        _seen_again(thing, here.name)
        thing.mailing += 1
        return True

    def _write(self, step: Step, key: Key, value: str, seen: str) -> None:
        """Take down what a local person wrote; of another's meeting it does not count."""
        thing = self.model.things[step.item]
        own = any(w.value == seen and w.side == step.who for w in self.model.writes.get(key, ()))
        counts = not (thing.foreign or self.model.one_way)
        self.model.write(step.who, key, value, seen=seen if own or counts else "")

    def _local_create(self, step: Step, here: Installation, *, whole_day: bool = False) -> bool:
        calendar = _CALENDARS[step.extra % 5 == 0]
        start = whole_day_of(step) if whole_day else moment(step)
        series = step.extra % 4 == 0 and not whole_day
        uid = f"local-{step.number}"
        fields = {"subject": fresh(step, "subject"), "location": fresh(step, "location")}
        rule = new_rule(3 + step.extra % 3, 1 + step.extra % 7) if series else ""
        lines = {_NAMES[name]: value for name, value in fields.items()}
        folder = here.folder(calendar)
        if folder.elsewhere is not None and not folder.is_there:
            return False
        folder.mount()
        data = new_file(uid, lines, start, rule, whole_day=whole_day)
        folder.save(f"new-{step.number}.ics", data)
        self._made(step, series=series, uid=uid, whole_day=whole_day)
        for name, value in fields.items():
            self.model.write(step.who, Key(step.item, name), value)
        self.model.write(step.who, Key(step.item, "start"), start.isoformat())
        return True

    def _local_whole_day(self, step: Step, here: Installation) -> bool:
        return self._local_create(step, here, whole_day=True)

    def _made(
        self,
        step: Step,
        *,
        series: bool,
        uid: str,
        foreign: bool = False,
        whole_day: bool = False,
    ) -> None:
        thing = Thing(step.item, series=series, foreign=foreign, uid=uid, whole_day=whole_day)
        self.model.things[step.item] = thing

    def _local_edit(self, step: Step, here: Installation) -> bool:
        place = self._text(step, here)
        if place is None:
            return False
        name = FIELDS[step.extra % 3]
        key, value = Key(step.item, name), fresh(step, name)
        self._write(step, key, value, local_values(place[2])[key])
        place[2].set(_NAMES[name], value)
        return self._save(here, place, self.model.things[step.item])

    def _local_start(self, step: Step, here: Installation) -> bool:
        place = self._text(step, here)
        if place is None:
            return False
        text, thing = place[2], self.model.things[step.item]
        start = whole_day_of(step) if thing.whole_day else moment(step)
        if thing.series:
            start = datetime.combine(text.start().date(), start.time())
            thing.reshaped = True
        key = Key(step.item, "start")
        self._write(step, key, start.isoformat(), local_values(text)[key])
        text.move(start)
        return self._save(here, place, thing)

    def _local_rule(self, step: Step, here: Installation) -> bool:
        place = self._text(step, here)
        thing = self.model.things.get(step.item)
        if place is None or thing is None or not thing.series:
            return False
        text = place[2]
        key = Key(step.item, "rule")
        before = local_values(text).get(key, "")
        days = text.days()
        interval = (days[1] - days[0]).days if len(days) > 1 else 1
        text.drop("RRULE")
        text.add(f"RRULE:{new_rule(3 + step.number % 5, interval)}")
        thing.reshaped = True
        self._write(step, key, local_values(text)[key], before)
        return self._save(here, place, thing)

    def _local_slot(self, step: Step, here: Installation) -> bool:
        place = self._text(step, here)
        thing = self.model.things.get(step.item)
        if place is None or thing is None or not thing.series:
            return False
        text = place[2]
        gone = text.cancelled()
        days = [one.isoformat() for one in text.days() if one.isoformat() not in gone]
        if not days:
            return False
        slot = days[step.extra % len(days)]
        key, value = Key(step.item, "location", slot), fresh(step, "location")
        self._write(step, key, value, local_values(text).get(key, ""))
        at = text.override(slot)
        text.events[at] = with_property(text.events[at], "LOCATION", value)
        return self._save(here, place, thing)

    def _local_exdate(self, step: Step, here: Installation) -> bool:
        place = self._text(step, here)
        thing = self.model.things.get(step.item)
        if place is None or thing is None or not thing.series:
            return False
        text = place[2]
        gone, overrides = text.cancelled(), text.overrides()
        days = [one for one in text.days() if one.isoformat() not in gone]
        if len(days) < 2:
            return False
        day = days[step.extra % len(days)]
        slot = day.isoformat()
        seen = {key: value for key, value in local_values(text).items() if key.slot == slot}
        if slot in overrides:
            del text.events[overrides[slot]]
        at = datetime.combine(day, text.start().time())
        text.add(f"EXDATE;TZID=Europe/Berlin:{at:%Y%m%dT%H%M%S}")
        self._saw(thing, step, seen)
        key = Key(step.item, "cancelled", slot)
        # Who takes away what another has taken away already writes the same, and has not seen it.
        thing.unsettled |= bool(self.model.writes.get(key))
        self._write(step, key, "gone", "")
        return self._save(here, place, thing)

    def _local_invite(self, step: Step, here: Installation) -> bool:
        place = self._text(step, here)
        thing = self.model.things.get(step.item)
        if place is None or thing is None or thing.foreign:
            return False
        text = place[2]
        key = Key(step.item, "guests")
        before = local_values(text)[key]
        if "ORGANIZER" not in text.master:
            text.add(f"ORGANIZER:mailto:{ME}")
        text.add(f"ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION:mailto:{_guest(step)}")
        thing.guests = True
        self._write(step, key, local_values(text)[key], before)
        return self._save(here, place, thing)

    def _local_attach(self, step: Step, here: Installation) -> bool:
        place = self._text(step, here)
        if place is None:
            return False
        content = b64encode(f"file {step.number}".encode()).decode()
        place[2].add(f"ATTACH;FILENAME=n{step.number}.txt;ENCODING=BASE64;VALUE=BINARY:{content}")
        return self._save(here, place, self.model.things[step.item])

    def _local_delete(self, step: Step, here: Installation) -> bool:
        found = self._found(step, here)
        thing = self.model.things.get(step.item)
        if found is None or thing is None:
            return False
        text = Text.of(found[2])
        here.folder(found[0]).delete(found[1])
        if self.model.one_way:
            self._gave_up(step, thing, local_values(text) if text else {})
            thing.loose |= text is not None and text.uid.startswith(("local-", "copy-"))
        else:
            self.model.delete(step.who, thing, local_values(text) if text else {})
        if text is None:
            thing.loose = True
        else:
            thing.unsettled |= not here.knows(text.uid) or here.wrote(text.uid, found[2])
        thing.mailing += 1
        return True

    def _local_rename(self, step: Step, here: Installation) -> bool:
        found = self._found(step, here)
        if found is None:
            return False
        folder = here.folder(found[0])
        folder.delete(found[1])
        folder.save(f"renamed-{step.number}.ics", found[2])
        return True

    def _local_move(self, step: Step, here: Installation) -> bool:
        found = self._found(step, here)
        if found is None:
            return False
        target = here.folder(_CALENDARS[found[0] == "Calendar"])
        if not target.is_there:
            return False
        here.folder(found[0]).delete(found[1])
        target.save(f"moved-{step.number}.ics", found[2])
        thing = self.model.things[step.item]
        thing.mailing += 1
        thing.movers.add(here.name)
        thing.loose |= self.model.one_way
        if self._is_asked(thing, here):
            # Neither version may go before a person has chosen: the event is in both calendars.
            thing.loose = thing.twins = True
        return True

    def _is_asked(self, thing: Thing, here: Installation) -> bool:
        """Whether a person is to choose between the file and the event."""
        waiting = (one for one in here.problems() if one.kind == "conflict" and one.needs_person)
        return any(one.uid in {thing.uid, *thing.uids} for one in waiting)

    def _local_wish(self, step: Step, here: Installation) -> bool:
        """An answer, an end, word to others or a reminder put off, by a command."""
        place = self._text(step, here)
        if place is None or here.machine.hook is not None:
            return False  # it is at work: a command waits for that
        thing = self.model.things[step.item]
        wish = here.wish(place[2].uid, _WISHES[step.extra % len(_WISHES)])
        if wish is None:
            return False
        thing.wished = True
        thing.mailing += bool(wish.mails)
        thing.ended |= wish.action in ("cancel", "decline")
        if wish.kind == "forward":
            thing.guests = True
        return True

    def _local_touch(self, step: Step, here: Installation) -> bool:
        place = self._text(step, here)
        if place is None:
            return False
        place[2].set("DTSTAMP", f"20260302T09{step.number % 60:02}00Z")
        here.folder(place[0]).save(place[1], place[2].encoded())
        return True

    def _local_copy(self, step: Step, here: Installation) -> bool:
        """A copy with a UID of its own, as "duplicate" in a program makes it."""
        place = self._text(step, here)
        source = self.model.things.get(step.item)
        if place is None or source is None or source.foreign or source.guests:
            return False
        number, text = step.number, place[2]
        uid = f"copy-{number}"
        old, new = f"i{step.item} ", f"i{number} "
        data = text.encoded().decode().replace(old, new).replace(f"UID:{text.uid}", f"UID:{uid}")
        here.folder(place[0]).save(f"copy-{number}.ics", data.encode())
        thing = Thing(
            number,
            series=source.series,
            uid=uid,
            reshaped=source.reshaped,
            whole_day=source.whole_day,
        )
        self.model.things[number] = thing
        copied = Text.of(data.encode())
        assert copied is not None
        for key, value in local_values(copied).items():
            if value and key.field != "rule":
                self.model.write(step.who, key, value)
        return True

    def _local_twin(self, step: Step, here: Installation) -> bool:
        """A copy of the file, UID and all; a new event where it is seen after the file went."""
        found = self._found(step, here)
        if found is None:
            return False
        here.folder(found[0]).save(f"z-twin-{step.number}.ics", found[2])
        thing = self.model.things[step.item]
        thing.loose = thing.twins = True
        thing.mailing += 1
        return True

    def _local_truncate(self, step: Step, here: Installation) -> bool:
        found = self._found(step, here)
        if found is None or len(found[2]) < 60:
            return False
        thing = self.model.things[step.item]
        text = Text.of(found[2])
        if text is not None:
            self._gave_up(step, thing, local_values(text))
        here.folder(found[0]).save(found[1], found[2][: -30 - step.extra % 300])
        thing.loose = True
        return True

    def _gave_up(self, step: Step, thing: Thing, values: dict[Key, str]) -> None:
        """What a person threw away of their own making."""
        for key, value in values.items():
            for one in self.model.writes.get(key, ()):
                if one.value == value and one.side == step.who:
                    self.model.replaced.add((key, value))

    def _local_garbage(self, step: Step, here: Installation) -> bool:
        folder = here.folder("Calendar")
        if not folder.is_there:
            return False
        name, data = f"odd-{step.number}.ics", b"BEGIN:VCALENDAR\r\nnonsense" * (1 + step.extra % 3)
        folder.save(name, data)
        here.garbage[name] = data
        return True

    def _local_repair(self, step: Step, here: Installation) -> bool:
        """A broken file is written anew, as a person can who knows what it was about."""
        found = self._found(step, here)
        thing = self.model.things.get(step.item)
        if found is None or thing is None or Text.of(found[2]) is not None or thing.foreign:
            return False
        key, value = Key(step.item, "subject"), fresh(step, "subject")
        start = moment(step)
        uid = (
            found[2].replace(b"\r\n ", b"").partition(b"\r\nUID:")[2].partition(b"\r\n")[0].decode()
            or thing.uid
        )
        here.folder(found[0]).save(found[1], new_file(uid, {"SUMMARY": value}, start, ""))
        self.model.write(step.who, key, value)
        self.model.write(step.who, Key(step.item, "start"), start.isoformat())
        thing.loose = thing.reshaped = True
        thing.whole_day = False
        thing.deleted = None
        thing.mailing += 1
        return True

    def _local_open(self, step: Step, here: Installation) -> bool:
        found = self._found(step, here)
        if found is None:
            return False
        here.open_files[step.item] = found
        return True

    def _local_save(self, step: Step, here: Installation) -> bool:
        """A program that had read the file long before writes all of it, with one change."""
        opened = here.open_files.pop(step.item, None)
        thing = self.model.things.get(step.item)
        now = self._found(step, here)
        if opened is None or thing is None or now is None or now[:2] != opened[:2]:
            return False
        text, present = Text.of(opened[2]), Text.of(now[2])
        if text is None or present is None:
            return False
        name = FIELDS[step.extra % 3]
        key, value = Key(step.item, name), fresh(step, name)
        was, there = local_values(text), local_values(present)
        self._gave_up(step, thing, {k: v for k, v in there.items() if was.get(k) != v})
        for other in was.keys() | there.keys():
            if was.get(other, "") != there.get(other, ""):
                self.model.write(step.who, other, was.get(other, ""), stale=True)
                # What a day has from its series by now, the old text says otherwise of that day.
                thing.reshaped |= thing.series or other.field in ("start", "rule")
        self._write(step, key, value, was[key])
        text.set(_NAMES[name], value)
        thing.saved_over = True
        return self._save(here, (now[0], now[1], text), thing)

    def _local_away(self, step: Step, here: Installation) -> bool:
        """The folder gets another name, or its disk is not there."""
        if not here.folder("Calendar").take_away():
            return False
        here.garbage.clear()
        return True

    def _local_back(self, step: Step, here: Installation) -> bool:
        return here.folder("Calendar").bring_back()

    def _local_forget(self, step: Step, here: Installation) -> bool:
        """
        The state is lost. What the folder and the service had not told each other has no base any
        more: a deletion is undone, and of two values the policy takes one. What was half-way between
        two calendars is in both: only the state knew which of them was to go.
        """
        if here.machine.hook is not None:
            return False
        here.forget()
        for thing in self.model.things.values():
            thing.was_deleted = thing.unsettled = thing.reshaped = True
            thing.loose |= bool(thing.movers)
            thing.twins |= bool(thing.movers)
            place = self._found(Step(0, here.name, "", thing.number), here)
            # Only the state knew that it was sent, and a copy that lags does not show it yet.
            thing.resent |= place is not None and b"VALUE=BINARY" in place[2]
        return True

    # --- a person in Outlook -------------------------------------------------------------------

    def _remote(self, step: Step) -> bool:
        if step.verb in ("create", "whole-day"):
            return self._remote_create(step)
        item, thing = self.world.item(step.item), self.model.things.get(step.item)
        if item is None or thing is None or (thing.foreign and step.verb != "delete"):
            return False
        verb = getattr(self, f"_remote_{step.verb}")
        try:
            done = bool(verb(step, item, thing))
        except ServiceError as error:
            self.world.say(f"refused: {error.code}")
            return False
        if done and step.verb != "delete":
            _seen_again(thing, "remote")
        return done

    def _remote_create(self, step: Step) -> bool:
        whole_day = step.verb == "whole-day"
        series = step.extra % 4 == 0 and not whole_day
        start = whole_day_of(step) if whole_day else moment(step)
        fields = {"subject": fresh(step, "subject"), "location": fresh(step, "location")}
        body: dict[str, Any] = {
            "subject": fields["subject"],
            "location": {"displayName": fields["location"]},
            "isReminderOn": False,
            **(day_time(start) if whole_day else event_time(start)),
        }
        if series:
            body["recurrence"] = _recurrence(start, 3 + step.extra % 3, 1 + step.extra % 7)
        guests = step.extra % 7 == 3
        if guests:
            body["attendees"] = [{"emailAddress": {"address": _guest(step)}, "type": "required"}]
        calendar = self.world.calendars[_CALENDARS[step.extra % 5 == 0]]
        event = self.world.box.create(calendar, body)
        self._made(step, series=series, uid=event.ical_uid, whole_day=whole_day)
        thing = self.model.things[step.item]
        thing.guests = guests
        if guests:
            thing.guests_at = self.world.time.wall
        for name, value in fields.items():
            self.model.write("remote", Key(step.item, name), value)
        self.model.write("remote", Key(step.item, "start"), start.isoformat())
        if guests:
            self.model.write("remote", Key(step.item, "guests"), _guest(step))
        return True

    def _remote_edit(self, step: Step, item: Item, thing: Thing) -> bool:
        name = FIELDS[step.extra % 3]
        value = fresh(step, name)
        body: dict[str, Any] = {
            "subject": {"subject": value},
            "location": {"location": {"displayName": value}},
            "body": {"body": {"contentType": "text", "content": value}},
        }[name]
        seen = remote_values(item)[Key(step.item, name)]
        self.world.box.patch(item.default_id, body)
        self._write_there(Key(step.item, name), value, seen)
        return True

    def _write_there(self, key: Key, value: str, seen: str, side: str = "remote") -> None:
        """
        Take down what was written on the service. Where no version is compared there, a write that
        is on its way may undo it: that is not syncd's doing.
        """
        # Where a service tells no cancelled slots, occurrences are read from the view alone.
        last = (self.world.time.wall + timedelta(days=364)).date().isoformat()
        untold = not self.world.service.switches.supports_cancelled_occurrences and key.slot > last
        exposed = self.world.is_unguarded or untold
        self.model.write(side, key, value, seen=seen, exposed=exposed)

    def _remote_answer(self, step: Step, item: Item, thing: Thing) -> bool:
        """Somebody who is invited answers."""
        people = [one["emailAddress"]["address"] for one in item.values["attendees"]]
        if not people:
            return False
        answer = ("accepted", "declined", "tentativelyAccepted")[step.extra % 3]
        self.world.box.answered(item.default_id, people[step.extra % len(people)], answer)
        return True

    def _remote_start(self, step: Step, item: Item, thing: Thing) -> bool:
        start = whole_day_of(step) if thing.whole_day else moment(step)
        before = remote_values(item)
        key = Key(step.item, "start")
        if thing.series:
            day = datetime.fromisoformat(before[key]).date()
            start = datetime.combine(day, start.time())
        self.world.box.patch(
            item.default_id, day_time(start) if thing.whole_day else event_time(start)
        )
        self._reshaped(item, thing, before)
        self._write_there(key, start.isoformat(), before[key])
        return True

    def _reshaped(self, item: Item, thing: Thing, before: dict[Key, str]) -> None:
        """A series that takes another shape loses what its occurrences had of their own."""
        after = remote_values(item)
        self.model.saw(
            {key: value for key, value in before.items() if key.slot and key not in after}
        )
        thing.reshaped |= thing.series

    def _remote_rule(self, step: Step, item: Item, thing: Thing) -> bool:
        if not thing.series or item.recurrence is None:
            return False
        before = remote_values(item)
        start = datetime.fromisoformat(before[Key(step.item, "start")])
        days = list(item.recurrence.slots(datetime(2028, 6, 1).date()))
        interval = (days[1] - days[0]).days if len(days) > 1 else 1
        body = {"recurrence": _recurrence(start, 3 + step.number % 5, interval)}
        self.world.box.patch(item.default_id, body)
        self._reshaped(item, thing, before)
        key = Key(step.item, "rule")
        self._write_there(key, remote_values(item)[key], before.get(key, ""))
        return True

    def _slot_of(self, step: Step, item: Item) -> Event | None:
        days = list(item.live_slots(datetime(2028, 6, 1).date()))
        if len(days) < 2:
            return None
        return Event(item, days[step.extra % len(days)])

    def _remote_slot(self, step: Step, item: Item, thing: Thing) -> bool:
        event = self._slot_of(step, item) if thing.series else None
        if event is None or event.slot is None:
            return False
        key, value = Key(step.item, "location", event.slot.isoformat()), fresh(step, "location")
        seen = remote_values(item).get(key, "")
        self.world.box.patch(event.id, {"location": {"displayName": value}})
        self._write_there(key, value, seen)
        return True

    def _remote_exdate(self, step: Step, item: Item, thing: Thing) -> bool:
        event = self._slot_of(step, item) if thing.series else None
        if event is None or event.slot is None:
            return False
        slot = event.slot.isoformat()
        self.model.saw({k: v for k, v in remote_values(item).items() if k.slot == slot})
        self.world.box.delete(event.id)
        self._write_there(Key(step.item, "cancelled", slot), "gone", "")
        return True

    def _remote_invite(self, step: Step, item: Item, thing: Thing) -> bool:
        before = remote_values(item)
        people = [*item.values["attendees"]]
        people.append({"emailAddress": {"address": _guest(step)}, "type": "required"})
        self.world.box.patch(item.default_id, {"attendees": people})
        thing.guests = True
        thing.guests_at = thing.guests_at or self.world.time.wall
        # A cancellation that is on its way names no version: it reaches whoever is invited by then.
        thing.mailing += thing.ended and self.world.is_at_work
        if self.world.is_unguarded:
            thing.invited_at.append(len(self.world.requests.entries))
        key = Key(step.item, "guests")
        self._write_there(key, remote_values(item)[key], before[key])
        return True

    def _remote_move(self, step: Step, item: Item, thing: Thing) -> bool:
        calendars = self.world.calendars
        here = next(name for name, one in calendars.items() if one == item.calendar)
        thing.movers.add("remote")
        self.world.box.move(item.default_id, calendars[_CALENDARS[here == "Calendar"]])
        return True

    def _remote_attach(self, step: Step, item: Item, thing: Thing) -> bool:
        content = FileContent(f"file {step.number}".encode())
        self.world.box.attach(
            item.default_id, Draft(f"n{step.number}.txt", "text/plain", False, content)
        )
        thing.attached = True
        return True

    def _remote_detach(self, step: Step, item: Item, thing: Thing) -> bool:
        if not item.attachments:
            return False
        gone = item.attachments[step.extra % len(item.attachments)]
        self.world.box.detach(item.default_id, attachment_id(item.default_id, gone.key))
        return True

    def _remote_delete(self, step: Step, item: Item, thing: Thing) -> bool:
        seen = remote_values(item)
        thing.unsettled |= not all(
            self.world.is_settled(uid) for uid in (thing.uid, same_uid(thing.uid))
        )
        # Exceptions that a new rule made the service drop may be on their way back: an edit.
        thing.unsettled |= thing.reshaped and self.world.is_at_work
        self.world.box.delete(item.default_id)
        self.model.delete("remote", thing, seen)
        return True

    # --- somebody else who invites -------------------------------------------------------------

    def _organiser(self, step: Step) -> bool:
        if step.verb == "receive":
            return self._receive(step)
        item, thing = self.world.item(step.item), self.model.things.get(step.item)
        if item is None or thing is None or not thing.foreign:
            return False
        box, before = self.world.box, remote_values(item)
        match step.verb:
            case "edit":
                key, value = Key(step.item, "location"), fresh(step, "location")
                box.adjust(
                    Event(item), {"location": {**item.values["location"], "displayName": value}}
                )
            case "start":
                start = moment(step)
                key, value = Key(step.item, "start"), start.isoformat()
                item.start, item.end = Wall(start, ZONE), Wall(start + HALF_HOUR, ZONE)
                box.adjust(Event(item), {})
            case _:
                if item.values["isCancelled"]:
                    return False
                box.cancelled_by_organizer(item.default_id)
                key, value = Key(step.item, "subject"), item.values["subject"]
        self._write_there(key, value, before[key], "organiser")
        return True

    def _receive(self, step: Step) -> bool:
        start = moment(step)
        fields = {"subject": fresh(step, "subject"), "location": fresh(step, "location")}
        body: dict[str, Any] = {
            "subject": fields["subject"],
            "location": {"displayName": fields["location"]},
            "attendees": [{"emailAddress": {"address": ME}, "type": "required"}],
            **event_time(start),
        }
        calendar = self.world.calendars["Calendar"]
        event = self.world.box.receive(calendar, body, Person("Carol", "carol@example.org"))
        self._made(step, series=False, uid=event.ical_uid, foreign=True)
        for name, value in fields.items():
            self.model.write("organiser", Key(step.item, name), value)
        self.model.write("organiser", Key(step.item, "start"), start.isoformat())
        return True

    # --- a person who decides, and the clock ---------------------------------------------------

    def _person(self, step: Step) -> bool:
        kinds = {
            "approve": "approved",
            "discard": "discarded",
            "local": "local",
            "remote": "remote",
            "both": "both",
        }
        names = list(self.world.installations)
        here = self.world.installations[names[step.extra % len(names)]]
        waiting = [one for one in here.problems() if one.needs_person]
        waiting.sort(key=lambda one: one.id)
        for at in range(len(waiting)):
            problem = waiting[(at + step.extra) % len(waiting)]
            if here.decide(problem, kinds[step.verb]):
                if step.verb == "approve":
                    self.approved()
                if problem.kind == "folder":
                    self.filled_anew()
                self.decided(problem.uid, problem.items, loose=step.verb != "approve")
                if problem.kind == "conflict" and step.verb == "local":
                    self._turned_down(problem)
                if problem.kind == "gone-or-new":
                    self._made_anew(problem.uid)
                if step.verb == "both":
                    self._doubled(here)
                self.world.say(f"decides of {problem.kind} {problem.code} {problem.uid}")
                return True
        return False

    def filled_anew(self) -> None:
        """
        What was deleted in a folder that is to be filled anew, and not yet told, is undone; what
        was moved out of it is there again beside itself.
        """
        for thing in self.model.things.values():
            thing.unsettled |= thing.deleted is not None
            thing.loose |= bool(thing.movers)
            thing.twins |= bool(thing.movers)

    def _turned_down(self, problem: Problem) -> None:
        """Of a conflict a person saw both values, and did not want that of the service."""
        shown = str(problem.remote)
        for key, writes in self.model.writes.items():
            named = (one.value for one in writes if one.value)
            self.model.saw(
                (key, one) for one in named if re.search(rf"{re.escape(one)}(?!\d)", shown)
            )

    def _made_anew(self, uid: Any) -> None:
        """A person wanted the event of a file, whether there is another one or not."""
        for thing in self.model.things.values():
            thing.twins |= same_uid(thing.uid) == same_uid(uid or "")

    def _doubled(self, here: Installation) -> None:
        """Of what was taken twice there are two from now on."""
        for folder in here.folders.values():
            for name in folder.names():
                if name.startswith("second-"):
                    number = number_of(folder.read(name).decode("utf-8", "replace"))
                    if number in self.model.things:
                        thing = self.model.things[number]
                        thing.loose = thing.twins = True

    def approved(self) -> None:
        """A person let mails go."""
        self.world.approved = True
        for thing in self.model.things.values():
            thing.mailing += 1

    def decided(self, uid: Any, items: Any, *, loose: bool) -> None:
        """What a decision is about may end either way."""
        uids = {same_uid(one) for one in (uid or "", *(one.get("uid", "") for one in items))}
        for here in self.world.installations.values():
            for folder in here.folders.values():
                texts = (Text.of(folder.read(name)) for name in folder.names())
                uids |= {
                    f"i{number_of(one.encoded().decode())}"
                    for one in texts
                    if one and one.uid in uids
                }
        for thing in self.model.things.values():
            about = same_uid(thing.uid) in uids or f"i{thing.number}" in uids
            thing.loose |= loose and (about or uid is None)
            thing.mailing += loose and about

    def _clock(self, step: Step) -> bool:
        match step.verb:
            case "hours":
                self.world.time.pass_(3600 * (1 + step.extra))
            case "days":
                self.world.time.pass_(86400 * (1 + step.extra))
            case _:
                off_s = (0, 0, 7200, -7200, 86400 * 40, -86400 * 40, 500, -500)[step.extra]
                for here in self.world.installations.values():
                    here.clock.off_s = off_s
        return True


def _recurrence(start: datetime, count: int, interval: int) -> dict[str, Any]:
    return {
        "pattern": {"type": "daily", "interval": interval},
        "range": {
            "type": "numbered",
            "startDate": start.date().isoformat(),
            "numberOfOccurrences": count,
        },
    }
