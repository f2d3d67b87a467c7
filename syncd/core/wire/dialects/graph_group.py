"""
Graph's requests for the one calendar of a group (Graph "calendar resource type", group).

A group has no mailbox settings, no further calendars, no delta rounds, and takes no writes of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from syncd.core.ids import CalendarId, GraphId
from syncd.core.wire.dialects.graph_v1 import (
    EVENT_FIELDS,
    CalendarRow,
    GraphV1,
    IdentityAnswer,
    decoded,
)
from syncd.core.wire.exchange import Answer, Request

__all__ = ["GraphGroup", "dialect_of"]


class _Group(msgspec.Struct, rename="camel"):
    id: str
    mail: str | None = None


def dialect_of(user: str, *, is_group: bool) -> GraphV1:
    """The requests of a mailbox, or of a group."""
    return GraphGroup(user) if is_group else GraphV1(user)


@dataclass(frozen=True, slots=True)
class GraphGroup(GraphV1):
    """The requests of one group; `user` is its id."""

    @property
    def root(self) -> str:
        """The group's path."""
        return f"/groups/{quote(self.user, safe='')}"

    @property
    def has_delta(self) -> bool:
        """Change tracking is not supported against the events of groups."""
        return False

    @property
    def has_attachments(self) -> bool:
        """Attachments are not supported for events of groups."""
        return False

    def identity(self) -> Request:
        """Which group is this."""
        return Request("GET", f"{self.root}?$select=id,displayName,mail", label="group")

    def read_identity(self, answer: Answer) -> IdentityAnswer:
        """Its id; nobody's own addresses are its. Raises BadAnswer, RefusedByService."""
        return IdentityAnswer(decoded(answer, _Group, "group").id, ())

    def mailbox_settings(self) -> Request | None:
        """None: it has no settings."""
        return None

    def calendars(self) -> Request:
        """Its calendar."""
        return Request("GET", f"{self.root}/calendar", label="calendars")

    def read_calendars(self, answer: Answer) -> tuple[list[CalendarRow], str | None]:
        """The one calendar, which is not written to. Raises BadAnswer, RefusedByService."""
        row = decoded(answer, CalendarRow, "calendars")
        return [msgspec.structs.replace(row, can_edit=False)], None

    def series(self, calendar: CalendarId, master: GraphId) -> Request:
        """A series with its cancelled slots and exceptions."""
        query = (
            f"$select={EVENT_FIELDS},cancelledOccurrences,exceptionOccurrences"
            "&$expand=exceptionOccurrences"
        )
        return Request("GET", f"{self._event(calendar, master)}?{query}", label="series")

    def event(self, calendar: CalendarId, event: GraphId) -> Request:
        """One event."""
        query = f"$select={EVENT_FIELDS}"
        return Request("GET", f"{self._event(calendar, event)}?{query}", label="event")

    def identities(self, calendar: CalendarId) -> Request:
        """The ids of every event, whatever its time."""
        query = "$select=id,type,iCalUId,subject,start,end,organizer&$top=500"
        return Request("GET", f"{self.root}/events?{query}", label="identities")

    def _calendar(self, calendar: CalendarId) -> str:
        return f"{self.root}/calendar"
