"""The generator's seeds inside a mailbox."""

from datetime import UTC, datetime
from random import Random

import pytest

from syncd.simulator.generator import NewEvent, ReceivedMeeting, Seed, generate
from syncd.simulator.load import fill, load_seeds
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.model import Event
from syncd.simulator.service import Service

NOW = datetime(2031, 3, 4, 12, tzinfo=UTC)
OWNER = "me@example.org"


def opened() -> tuple[Service, Mailbox]:
    service = Service(now=lambda: NOW, random=Random(1))
    return service, service.add_mailbox(OWNER)


def events(mailbox: Mailbox) -> list[Event]:
    calendars = mailbox.folders.calendars.values()
    return [Event(item) for one in calendars for item in mailbox.items(one.id)]


def one_of(kind: type[Seed], *, touched: bool) -> Seed:
    seeds = generate(2000, seed=5, now=NOW, owner=OWNER)
    return next(
        seed
        for seed in seeds
        if isinstance(seed, kind) and bool(seed.cancelled and seed.exceptions) == touched
    )


def test_all_of_them() -> None:
    """Every seed becomes an event, and no mail of the past is in the ledger."""
    service, mailbox = opened()

    loaded = fill(service, mailbox, 400, seed=3)

    assert (loaded, len(events(mailbox)), service.ledger) == (400, 400, [])


@pytest.mark.parametrize("kind", [NewEvent, ReceivedMeeting])
def test_touched_series(kind: type[Seed]) -> None:
    """Occurrences are cancelled and changed, also in a series that somebody else organises."""
    service, mailbox = opened()
    seed = one_of(kind, touched=True)

    load_seeds(service, mailbox, [seed])

    (event,) = events(mailbox)
    assert event.item.cancelled == set(seed.cancelled)
    assert set(event.item.overrides) == {day for day, _ in seed.exceptions}


def test_received_meeting() -> None:
    """A received meeting has its organizer, and the answers that everybody gave."""
    service, mailbox = opened()
    seed = one_of(ReceivedMeeting, touched=False)

    load_seeds(service, mailbox, [seed])

    (event,) = events(mailbox)
    assert event.values["isOrganizer"] is False
    assert event.item.organizer["emailAddress"] == seed.body["organizer"]["emailAddress"]
    assert event.values["responseStatus"] == seed.body["responseStatus"]
