"""
One request on its way through a handler.

Knows whose mailbox it is about, how rows are to look, and how navigation names what answers show.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from syncd.simulator.errors import item_not_found
from syncd.simulator.folders import Calendar
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.messages import Answer, Preferences, Request
from syncd.simulator.model import Event
from syncd.simulator.render import Look
from syncd.simulator.service import Service
from syncd.simulator.shaping import Shape
from syncd.simulator.tokens import Principal

__all__ = ["Call", "Handler"]


@dataclass(frozen=True, slots=True)
class Call:
    """
    What a handler gets.

    Args:
        params: what the braces of the route stand for, ids decoded and in their own case.
        principal: who asks. kind: of the mailbox's owner, as paths name it.
        guest: the mailbox belongs to somebody who shares a calendar with the one who asks; only
            that calendar is open.
    """

    service: Service
    mailbox: Mailbox
    request: Request
    params: Mapping[str, str]
    preferences: Preferences
    principal: Principal
    kind: str = "users"
    guest: bool = False

    def calendar(self) -> Calendar:
        """
        Return the calendar that the path names, else the default one.

        Raises: ServiceError: 400 or 404, also for a calendar outside the group named.
        """
        folders = self.mailbox.folders
        if "calendar" not in self.params:
            return folders.default
        calendar = folders.calendar(self.params["calendar"])
        if "group" in self.params and folders.group(self.params["group"]).id != calendar.group:
            raise item_not_found()
        return calendar

    def event(self) -> Event:
        """
        Return the event that the path names.

        An event of a calendar shared to the caller answers under that calendar only.
        Raises: ServiceError: 400 or 404.
        """
        event = self.mailbox.find(self.params["event"])
        home = self.mailbox.folders.calendars.get(event.item.calendar)
        named = self.calendar() if "calendar" in self.params else None
        if named is None:
            if home is not None and home.shared_in:
                raise item_not_found()
            return event
        strict = self.service.switches.scoped_path_is_strict and event.item.alive
        shared_in = home is not None and home.shared_in
        if home is not named and (strict or shared_in or self.guest):
            raise item_not_found()
        return event

    def shape(self, *, zone: str | None, single: bool) -> Shape:
        """Return how this request wants events shown. Args: zone: None keeps that of the event."""
        owner = f"{self.request.base}/{self.user()}"
        look = Look(
            zone=zone,
            immutable=self.preferences.immutable,
            text_body=self.preferences.text_body and self.request.is_read,
            owner=owner,
        )
        shape = Shape(look, self.service.switches, self.mailbox, single=single)
        return shape.asked(self.request.query)

    def reading_zone(self) -> str:
        """Return the zone for start and end of a GET."""
        return self.preferences.zone or "UTC"

    def context(self, what: str) -> str:
        """Return an `@odata.context`."""
        return f"{self.request.base}/$metadata#{what}"

    def user(self) -> str:
        """Return the mailbox as contexts name it."""
        return f"{self.kind}('{self.mailbox.user_id}')"


Handler = Callable[[Call], Answer]
