"""
What both sides should have come to, by what people did and by the promises alone.

Independent of syncd's reasons: it looks at both sides, at the mails, at what is listed and kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from syncd.core.mail import MailClass
from syncd.core.state import Problem
from syncd.simulator.model import Mail
from tests.simulation.model import Key, Model, Thing, Write
from tests.simulation.texts import BERLIN, Text, property_of
from tests.simulation.values import local_values, remote_instances, remote_values
from tests.simulation.world import Installation, World, number_of, same_uid

__all__ = ["judged"]

Instance = tuple[str, str, str, str]


@dataclass(slots=True)
class _Side:
    """One side: what each item says, where it is, and its instances."""

    values: dict[Key, str] = field(default_factory=dict)
    places: dict[int, list[str]] = field(default_factory=dict)
    instances: dict[int, Counter[Instance]] = field(default_factory=dict)
    uids: dict[int, set[str]] = field(default_factory=dict)
    all: set[tuple[Key, str]] = field(default_factory=set)
    attached: dict[int, Counter[str]] = field(default_factory=dict)

    def add(
        self, number: int, place: str, values: dict[Key, str], shown: Iterator[Instance]
    ) -> None:
        self.places.setdefault(number, []).append(place)
        self.values |= values
        self.all |= set(values.items())
        self.instances.setdefault(number, Counter()).update(shown)


def _remote(world: World) -> _Side:
    side = _Side()
    for place, item in world.items():
        number = number_of(item.values["subject"])
        side.add(number, place, remote_values(item), remote_instances(item))
        side.uids.setdefault(number, set()).add(item.uid)
        names = (one.draft.name for one in item.attachments)
        side.attached.setdefault(number, Counter()).update(names)
    return side


def _local(here: Installation) -> tuple[_Side, set[str]]:
    """The folder's side, and the names of files that cannot be read."""
    side, broken = _Side(), set()
    for place, folder in here.folders.items():
        for name in sorted(folder.names()):
            text = Text.of(folder.read(name))
            if text is None:
                broken.add(name)
                continue
            number = number_of(property_of(text.master, "SUMMARY"))
            side.add(number, place, local_values(text), text.instances())
            side.uids.setdefault(number, set()).add(text.uid)
            side.attached.setdefault(number, Counter()).update(_linked(text))
    return side, broken


def _linked(text: Text) -> Iterator[str]:
    """The names of what a file says that hangs on its event; others are still to be sent."""
    for line in text.master.split("\r\n"):
        if line.startswith("ATTACH;"):
            name = line.partition("FILENAME=")[2].partition(";")[0].partition(":")[0]
            yield name if "X-SYNCD-ATTACHMENT-ID=" in line else f"{name} (not sent)"


def _forms(key: Key, value: str) -> list[bytes]:
    """How a value may look where versions are kept."""
    if key.field != "start":
        return [value.encode()]
    at = datetime.fromisoformat(value)
    utc = at.replace(tzinfo=BERLIN).astimezone(UTC)
    looks = ["%Y%m%dT%H%M%S", "%Y-%m-%dT%H:%M:%S"]
    if at.time() == time():
        looks += ["%Y%m%d", "%Y-%m-%d"]
    return [one.strftime(look).encode() for one in (at, utc) for look in looks]


def _all_count(writes: list[Write]) -> bool:
    """Whether each was meant, and none could be undone by a write on its way."""
    return not any(one.stale or one.exposed for one in writes)


_ELSEWHERE = ("move-meeting", "move-attachments", "read-only", "gone-or-new")
"""Codes of files that stay where they are while their event is in another calendar."""


class _Judge:
    """Compares; `found` tells what is wrong."""

    def __init__(self, world: World, model: Model, here: Installation) -> None:
        self.model, self.here, self.world = model, here, world
        self.remote = _remote(world)
        self.local, self.broken = _local(here)
        self.problems = here.problems()
        self.everywhere = [p for one in world.installations.values() for p in one.problems()]
        self.anywhere = {
            shown
            for side in (self.remote, *(_local(one)[0] for one in world.installations.values()))
            for shown in side.all
        }
        self.kept = b"\n".join(one.kept() for one in world.installations.values())
        folders = [f for one in world.installations.values() for f in one.folders.values()]
        away = [data for folder in folders for data in folder.away()]
        self.away = {number_of(data.decode("utf-8", "replace")) for data in away}
        self.found: list[str] = []

    def say(self, number: int, what: str) -> None:
        self.found.append(f"{self.here.name} i{number}: {what}")

    def judge(self) -> list[str]:
        for thing in self.model.things.values():
            # Both calendars may then have it: the one that it left has news for the other.
            if self.model.crossed(thing) or thing.ended:
                thing.loose = True
                continue
            thing.loose |= thing.number in self.away or self._is_empty(thing)
            listed = self._listed(thing)
            self._presence(thing, listed)
            self._agreement(thing, listed)
            self._attachments(thing, listed)
            for key, writes in self.model.writes.items():
                if key.item == thing.number:
                    self._writes(thing, key, writes, listed)
        for number in (
            self.remote.places.keys() | self.local.places.keys()
        ) - self.model.things.keys():
            self.say(number, "nobody made this item")
        self._odd_files()
        return self.found

    def _listed(self, thing: Thing) -> list[Problem]:
        """What waits for a person and is about this item."""
        uids = self._uids(thing)
        return [
            one
            for one in self.everywhere
            if (one.needs_person or one.kind == "held-mail")
            and (
                same_uid(one.uid or "") in uids
                or any(same_uid(i.get("uid", "")) in uids for i in one.items)
                or one.kind == "folder"
            )
        ]

    def _is_empty(self, thing: Thing) -> bool:
        """A series of which every day was taken away on both sides: no view shows it any more."""
        sides = (self.remote.instances, self.local.instances)
        return thing.series and not any(one.get(thing.number) for one in sides)

    def _presence(self, thing: Thing, listed: list[Problem]) -> None:
        remote = self.remote.places.get(thing.number, [])
        local = self.local.places.get(thing.number, [])
        moving = any(one.code in _ELSEWHERE for one in listed)
        # What has left a folder that is not there goes from the service when the folder is back;
        # what Outlook changed of it meanwhile follows into its file when that can be read.
        moving |= bool(thing.movers) and any(one.kind in ("folder", "unreadable") for one in listed)
        if len(remote) > 1 and not (moving or thing.twins):
            self.say(thing.number, f"it is on the service {len(remote)} times, in {remote}")
        # What went to another calendar may be held as well, with everything that vanished here.
        asked = any(one.code in ("duplicate-uid", "remote-deletions") for one in listed)
        if len(local) > 1 and not (thing.loose or moving or asked):
            self.say(thing.number, f"it is in the folders {len(local)} times, in {local}")
        if listed or thing.loose:
            return
        if self._beyond(thing):
            return
        if sorted(remote) != sorted(local):
            self.say(thing.number, f"on the service: {remote}, in the folders: {local}")
            return
        if thing.deleted is None:
            if not remote:
                self.say(thing.number, "it is gone, and nobody deleted it")
        elif remote and not (
            thing.unsettled or self._rivals(thing, thing.deleted) or self._wish_was_faster(thing)
        ):
            self.say(thing.number, "it was deleted, and is there")

    def _wish_was_faster(self, thing: Thing) -> bool:
        """
        Whether what was asked for changed the event before its deletion was seen: then the file is
        back, and it is told. Whoever it was forwarded to would be told of an end that nobody saw.
        """
        return thing.wished and any(
            one.code == "restored" and same_uid(one.uid or "") in self._uids(thing)
            for one in self.everywhere
        )

    def _beyond(self, thing: Thing) -> bool:
        """Whether it lies where no view looks; no file need know of it."""
        shown = self.remote.instances.get(thing.number, Counter())
        last = self.world.time.wall + timedelta(days=364)
        if not self.world.service.switches.supports_cancelled_occurrences and any(
            one[1] > f"{last:%Y-%m-%d}" for one in shown
        ):
            return True  # then occurrences are read from the view alone
        return (
            thing.number not in self.local.places
            and bool(shown)
            and min(one[1] for one in shown) > f"{last:%Y-%m-%dT%H:%M}"
        )

    def _rivals(self, thing: Thing, end: Write) -> bool:
        """Whether somebody else wrote what the one who deleted it did not see."""
        return any(
            one.side != end.side
            for key in self.model.writes
            if key.item == thing.number
            for one in (self.model.writes[key] if key.field == "rule" else self.model.live(key))
        )

    def _agreement(self, thing: Thing, listed: list[Problem]) -> None:
        if listed or thing.loose or thing.number not in self.remote.places or self._beyond(thing):
            return
        there = self.remote.instances.get(thing.number, Counter())
        here = self.local.instances.get(thing.number, Counter())
        if there != here:
            only = sorted((there - here).elements())[:3], sorted((here - there).elements())[:3]
            self.say(thing.number, f"the service alone shows {only[0]}, the folder alone {only[1]}")

    def _attachments(self, thing: Thing, listed: list[Problem]) -> None:
        there = self.remote.attached.get(thing.number, Counter())
        here = self.local.attached.get(thing.number, Counter())
        twice = [name for name, count in there.items() if count > 1]
        once = len(self.remote.places.get(thing.number, ())) == 1
        if twice and once and not (thing.movers or thing.twins or thing.resent):
            self.say(thing.number, f"{twice} hang on it more than once")
        if listed or thing.loose or self._is_one_way(thing) or self._beyond(thing):
            return
        if not once or thing.number not in self.local.places:
            return
        # Who saves over a file what they read before takes lines of ours out of it: they come back
        # with the next write.
        if (here - there) or (there != here and not thing.saved_over):
            self.say(thing.number, f"{dict(there)} hang on it, {dict(here)} in its file")

    def _writes(self, thing: Thing, key: Key, writes: list[Write], listed: list[Problem]) -> None:
        shown = {side.values.get(key, "") for side in (self.remote, self.local)}
        live = self.model.live(key)
        for one in live:
            if (key, one.value) in self.anywhere or key.field in ("cancelled", "guests", "rule"):
                continue
            if not (one.exposed or any(form in self.kept for form in _forms(key, one.value))):
                what = f"{key.slot} {key.field} {one.value!r} of {one.side} is lost"
                self.say(thing.number, f"{what}; it shows {shown}")
        if listed or thing.loose or thing.number not in self.remote.places or self._beyond(thing):
            return
        if key.slot:
            self._slots(thing, key, live, shown)
            return
        if key.field == "guests" and thing.wished:
            return  # whoever it was forwarded to is among them
        mine = self.remote.values.get(key, "")
        if len(shown) > 1:
            theirs = self.local.values.get(key, "")
            self.say(thing.number, f"{key.field}: {mine!r} on the service, {theirs!r} in the file")
        elif self._is_one_way(thing) or thing.was_deleted or not _all_count(writes):
            return
        elif mine not in {one.value for one in writes}:
            self.say(thing.number, f"{key.field} is {mine!r}, which nobody wrote")
        elif live and mine not in {one.value for one in live} and not self._conflicts(thing, key):
            told = [(one.side, one.value) for one in live]
            self.say(thing.number, f"{key.field} is {mine!r}, which was replaced; live: {told}")

    def _is_one_way(self, thing: Thing) -> bool:
        """Whether what is written into its file does not count."""
        return thing.foreign or self.model.one_way

    def _conflicts(self, thing: Thing, key: Key) -> bool:
        """Whether a conflict of that field is listed, which the policy decided."""
        name = {"start": "when", "guests": "attendees"}.get(key.field, key.field)
        return any(
            one.kind == "conflict"
            and name in one.fields
            and same_uid(one.uid or "") in self._uids(thing)
            for one in self.everywhere
        )

    def _uids(self, thing: Thing) -> set[str]:
        """Under what it goes, or went, on either side."""
        found = {same_uid(thing.uid)}
        for side in (self.remote, self.local):
            found |= {same_uid(one) for one in side.uids.get(thing.number, ())}
        return found

    def _slots(self, thing: Thing, key: Key, live: list[Write], shown: set[str]) -> None:
        anew = thing.reshaped or thing.was_deleted
        if anew or self._is_one_way(thing) or not _all_count(live):
            return
        gone = Key(key.item, "cancelled", key.slot)
        if key.field == "cancelled":
            rivals = self.model.live(Key(key.item, "location", key.slot))
            if live and "gone" not in shown and not rivals:
                self.say(thing.number, f"the occurrence of {key.slot} was taken away, and is there")
        elif len(live) == 1 and live[0].value not in shown and not self.model.writes.get(gone):
            self.say(thing.number, f"{key.slot} {key.field} {live[0].value!r} is not shown")

    def _odd_files(self) -> None:
        for name, data in self.here.garbage.items():
            folder = self.here.folder("Calendar")
            if name not in folder.names() or folder.read(name) != data:
                self.found.append(f"{self.here.name}: {name} was touched")
            elif not any(one.file == name for one in self.problems):
                self.found.append(f"{self.here.name}: {name} is not listed")


def judged(world: World, model: Model) -> list[str]:
    """Everything that is not as it should be."""
    found = [
        told for here in world.installations.values() for told in _Judge(world, model, here).judge()
    ]
    return found + list(_mails(world, model))


_CLASSES: dict[str, MailClass] = {
    "invitation": "invitations",
    "update": "updates",
    "cancellation": "cancellations",
    "response": "responses",
    "forward": "invitations",
    "forward-notice": "invitations",
}


def _was_on_its_way(world: World, thing: Thing) -> bool:
    """Whether somebody was invited when nothing but a write was to come: none could stop it."""
    coming = (world.requests.entries[at : at + 1] for at in thing.invited_at)
    return any(one[0].method != "GET" for one in coming if one)


def _most_mails(world: World, thing: Thing) -> int:
    return thing.mailing + _was_on_its_way(world, thing)


def _is_never(world: World, thing: Thing | None, mail: Mail) -> bool:
    """
    Whether a mail may not go at all; one more guest of a meeting that exists is an update.

    A forwarded event is a meeting from some time on, which nobody knows; and whoever was invited to
    an event whose file had moved is no guest of the one that was made where the file is.
    """
    rule = world.mail.rule(_CLASSES[mail.kind])
    if mail.kind != "invitation" or thing is None:
        return rule == "never"
    if thing.wished or thing.movers:
        return rule == world.mail.updates == "never"
    is_later = thing.guests_at is not None and thing.guests_at < mail.at
    return (world.mail.updates if is_later else rule) == "never"


def _mails(world: World, model: Model) -> Iterator[str]:
    """No mail without a person's change, none that the policy does not let go, none twice."""
    if model.one_way:
        for one in world.requests.entries:
            if one.method != "GET":
                yield f"{one.method} although the calendar is followed one way"
    sent: Counter[tuple[str, int, str]] = Counter()
    for mail in world.service.ledger:
        if mail.actor == "api":
            number = number_of(mail.subject)
            sent[mail.kind, number, str(mail.slot or "")] += 1
            thing = model.things.get(number)
            if _is_never(world, thing, mail) and not (thing and _was_on_its_way(world, thing)):
                yield f"i{number}: {mail.kind} was mailed, which is never to be"
    for (kind, number, slot), times in sent.items():
        thing = model.things.get(number)
        if thing is None:
            yield f"i{number}: {kind} was mailed of what nobody made"
        elif not (
            world.mail.rule(_CLASSES[kind]) == "send"
            or world.approved
            or thing.guests_at
            or thing.wished
        ) and kind in ("invitation", "cancellation"):
            yield f"i{number}: {kind} was mailed, and nobody approved it"
        elif times > _most_mails(world, thing) and not (slot and thing.reshaped):
            yield f"i{number}: {kind} {slot} was mailed {times} times for {thing.mailing} changes"
