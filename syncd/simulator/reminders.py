"""
When reminders fire, and what snooze and dismiss do about it.

Knows that both belong to one mailbox's copy and to one instance, and that they end when the
instance's start or offset moves. Pure: it changes an item's signals and nothing else.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.simulator import render
from syncd.simulator.checks import mapping
from syncd.simulator.model import Event, Signal, Window
from syncd.simulator.render import Look
from syncd.simulator.zones import Wall, read_wall

__all__ = ["dismiss", "fires", "pending", "read_snooze", "reminder_row", "snooze"]

AHEAD = timedelta(days=1825)


def _due(event: Event) -> datetime:
    minutes = event.values["reminderMinutesBeforeStart"]
    return event.start.instant - timedelta(minutes=minutes)


def fires(event: Event) -> datetime | None:
    """Return when an instance's reminder fires, aware UTC; None when it is off or dismissed."""
    if not event.values["isReminderOn"]:
        return None
    due = _due(event)
    signal = event.item.signals.get(event.slot)
    return due if signal is None or signal.due != due else signal.fires


def snooze(event: Event, until: datetime) -> None:
    """Put an instance's reminder off. Args: until: aware UTC."""
    event.item.signals[event.slot] = Signal(_due(event), until)


def dismiss(event: Event) -> None:
    """Let an instance remind no more."""
    event.item.signals[event.slot] = Signal(_due(event), None)


def pending(event: Event, now: datetime) -> Event | None:
    """
    Return the instance that an action on an event is about.

    A series has one reminder at a time, that of its first instance which is not over yet; None
    when there is no such instance.
    """
    if event.kind != "seriesMaster":
        return event
    ahead = event.item.instances(Window(now, now + AHEAD))
    return next((each for each in ahead if fires(each) is not None), None)


def read_snooze(body: object) -> datetime:
    """Return the time to which a body puts a reminder off, aware UTC. Raises: ServiceError: 400."""
    sent = {name.casefold(): value for name, value in mapping(body, "body").items()}
    return read_wall(sent.get("newremindertime"), "newReminderTime").instant


def reminder_row(event: Event, at: datetime, look: Look) -> dict[str, Any]:
    """Return a `reminder` resource. Args: at: when it fires; look: its zone must be named."""
    assert look.zone is not None, "a reminder view is shown in one zone"
    row = render.full_row(event, look)
    fire = Wall(at.astimezone(UTC).replace(tzinfo=None), "UTC").seen_from(look.zone)
    return {
        "eventId": row["id"],
        "changeKey": row["changeKey"],
        "eventSubject": row["subject"],
        "eventStartTime": row["start"],
        "eventEndTime": row["end"],
        "eventLocation": row["location"],
        "eventWebLink": row["webLink"],
        "reminderFireTime": fire.wire(),
    }
