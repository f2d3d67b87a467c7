"""
Fills a mailbox with what the generator made up.

Knows how a seed becomes an event: made or received, then its occurrences changed and deleted. It
is the mailbox's past: no mail of it stays in the ledger.
"""

from collections.abc import Iterable
from typing import Any

from syncd.simulator import meetings
from syncd.simulator.folders import Person
from syncd.simulator.generator import NewEvent, ReceivedMeeting, Seed, generate
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.model import Event
from syncd.simulator.service import Service

__all__ = ["fill", "load_seeds"]


def fill(service: Service, mailbox: Mailbox, count: int, *, seed: int) -> int:
    """Generate `count` events around the service's present into `mailbox`; how many there are."""
    owner = mailbox.owner.address
    return load_seeds(service, mailbox, generate(count, seed=seed, now=service.now(), owner=owner))


def load_seeds(service: Service, mailbox: Mailbox, seeds: Iterable[Seed]) -> int:
    """
    Put each seed into the calendar that it names, which is made if need be; how many there were.

    Raises: ServiceError: a seed is no event that the service accepts.
    """
    mailed, loaded = len(service.ledger), 0
    for seed in seeds:
        _load(mailbox, seed)
        loaded += 1
    del service.ledger[mailed:]
    return loaded


def _load(mailbox: Mailbox, seed: Seed) -> None:
    calendar = _calendar(mailbox, seed.calendar)
    match seed:
        case NewEvent():
            _touch_up(mailbox, mailbox.create(calendar, seed.body), seed)
        case ReceivedMeeting():
            email = seed.body["organizer"]["emailAddress"]
            organizer = Person(email["name"], email["address"])
            event = mailbox.receive(calendar, seed.body, organizer)
            # What follows is the organizer's doing, which an attendee's rights would forbid.
            mailbox.adjust(event, {"isOrganizer": True})
            _touch_up(mailbox, event, seed)
            mailbox.adjust(event, {"isOrganizer": False} | _answers(event, seed.body))


def _calendar(mailbox: Mailbox, name: str) -> str:
    for calendar in mailbox.folders.calendars.values():
        if calendar.name == name:
            return calendar.id
    return mailbox.folders.add(name).id


def _touch_up(mailbox: Mailbox, event: Event, seed: Seed) -> None:
    """Change and delete the occurrences that the seed names."""
    for day, body in seed.exceptions:
        mailbox.patch(Event(event.item, day).id, body)
    for day in seed.cancelled:
        mailbox.delete(Event(event.item, day).id)


def _answers(event: Event, body: dict[str, Any]) -> dict[str, Any]:
    """What everybody has answered so far."""
    people = event.values["attendees"]
    for person in body["attendees"]:
        address = person["emailAddress"]["address"]
        people = meetings.with_status(people, address, person["status"])
    return {"attendees": people, "responseStatus": body["responseStatus"]}
