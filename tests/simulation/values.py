"""What both sides say, field by field, read without syncd."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from syncd.simulator.model import Item, Window
from tests.simulation.model import Key
from tests.simulation.texts import BERLIN, Text, property_of
from tests.simulation.world import number_of

__all__ = ["guests_of", "local_values", "remote_instances", "remote_values", "rule_of"]

_BODY = re.compile(r"i\d+ d\d+")
_FIRST = datetime(2025, 6, 1, tzinfo=UTC)
_LAST = datetime(2028, 6, 1, tzinfo=UTC)
Instance = tuple[str, str, str, str]


def local_values(text: Text) -> dict[Key, str]:
    """What a file says."""
    master = text.master
    number = number_of(property_of(master, "SUMMARY"))
    body = _BODY.search(property_of(master, "DESCRIPTION"))
    values = {
        Key(number, "subject"): property_of(master, "SUMMARY"),
        Key(number, "location"): property_of(master, "LOCATION"),
        Key(number, "body"): body[0] if body else "",
        Key(number, "start"): text.start().isoformat(),
        Key(number, "guests"): guests_of(master),
    }
    if property_of(master, "RRULE"):
        values[Key(number, "rule")] = rule_of(text)
    place = property_of(master, "LOCATION")
    for slot, at in text.overrides().items():
        own = property_of(text.events[at], "LOCATION")
        if own != place:
            values[Key(number, "location", slot)] = own
    for slot in text.cancelled():
        values[Key(number, "cancelled", slot)] = "gone"
    return values


def guests_of(event: str) -> str:
    """Who is invited, but for the owner."""
    found = re.findall(r"\r\nATTENDEE[^\r]*?mailto:([^\r]*)", event)
    return " ".join(sorted({one.lower() for one in found} - {"me@example.org"}))


def rule_of(text: Text) -> str:
    """The days that the rule names, in short."""
    days = text.days()
    return f"{days[0]} to {days[-1]}, {len(days)}"


def remote_values(item: Item) -> dict[Key, str]:
    """What an event of the service says."""
    number = number_of(item.values["subject"])
    body = _BODY.search(item.values["body"])
    start = item.start.local
    if not item.values["isAllDay"]:
        start = item.start.instant.astimezone(BERLIN).replace(tzinfo=None)
    people = {one["emailAddress"]["address"].lower() for one in item.values["attendees"]}
    values = {
        Key(number, "subject"): item.values["subject"],
        Key(number, "location"): item.values["location"]["displayName"],
        Key(number, "body"): body[0] if body else "",
        Key(number, "start"): start.isoformat(),
        Key(number, "guests"): " ".join(sorted(people - {"me@example.org"})),
    }
    if item.recurrence is not None:
        days = list(item.recurrence.slots(_LAST.date()))
        values[Key(number, "rule")] = f"{days[0]} to {days[-1]}, {len(days)}" if days else "none"
    for slot, override in item.overrides.items():
        if "location" in override.values:
            own = override.values["location"]["displayName"]
            values[Key(number, "location", slot.isoformat())] = own
    for slot in item.cancelled:
        values[Key(number, "cancelled", slot.isoformat())] = "gone"
    return values


def remote_instances(item: Item) -> Iterator[Instance]:
    """Subject, start, end and place of each instance, times in UTC."""
    for one in item.instances(Window(_FIRST, _LAST)):
        whole = one.values["isAllDay"]
        ats = (at.local if whole else at.instant for at in (one.start, one.end))
        times = [f"{at:%Y-%m-%dT%H:%M}" for at in ats]
        yield one.subject, times[0], times[1], one.values["location"]["displayName"]
