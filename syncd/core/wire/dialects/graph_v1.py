"""
Microsoft Graph v1.0: which request asks for what, and how its answers are taken apart.

Requests and answers are values; nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from syncd.core.errors import BadAnswer, RefusedByService
from syncd.core.event import one_line
from syncd.core.ids import CalendarId, GraphId, Uid
from syncd.core.mailbox_settings import MailboxSettings
from syncd.core.wire.dialects.graph_hours import WorkingHours, read_hours
from syncd.core.wire.exchange import Answer, Request
from syncd.core.wire.graph import ICAL_STASH_PROPERTY, ICAL_UID_PROPERTY

__all__ = [
    "CalendarRow",
    "DeltaPage",
    "GraphV1",
    "IdentityAnswer",
    "ListPage",
    "error_code",
    "is_dead_token",
]

PAGE_SIZE = 200
JSON = {"Content-Type": "application/json"}

EVENT_FIELDS = ",".join(
    (
        "id,type,iCalUId,createdDateTime,lastModifiedDateTime,subject,body,start,end,isAllDay",
        "originalStartTimeZone,originalEndTimeZone,recurrence,location,locations,showAs",
        "sensitivity,importance,categories,isReminderOn,reminderMinutesBeforeStart,attendees",
        "organizer,isOrganizer,isCancelled,isDraft,isOnlineMeeting,onlineMeeting,responseStatus",
        "responseRequested,allowNewTimeProposals,seriesMasterId,hasAttachments,webLink",
        "transactionId",
    )
)
_EXTENDED = (
    f"singleValueExtendedProperties($filter=id eq '{ICAL_UID_PROPERTY}'"
    f" or id eq '{ICAL_STASH_PROPERTY}')"
)

T = TypeVar("T")
EventAction = Literal[
    "accept",
    "tentativelyAccept",
    "decline",
    "cancel",
    "forward",
    "snoozeReminder",
    "dismissReminder",
]


class _Owner(msgspec.Struct):
    address: str | None = ""


class CalendarRow(msgspec.Struct, rename="camel"):
    """One calendar of the mailbox; `owner` is somebody else where it is shared to it."""

    id: str
    name: str | None = ""
    hex_color: str | None = ""
    color: str | None = "auto"
    can_edit: bool | None = True
    is_default_calendar: bool | None = False
    default_online_meeting_provider: str | None = ""
    owner: _Owner | None = None


class DeltaPage(msgspec.Struct):
    """One page of a delta round: rows undecoded, and where to go on."""

    value: list[msgspec.Raw]
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")
    delta_link: str | None = msgspec.field(default=None, name="@odata.deltaLink")


class ListPage(msgspec.Struct):
    """One page of a plain list."""

    value: list[msgspec.Raw]
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")


class _User(msgspec.Struct, rename="camel"):
    id: str
    mail: str | None = None
    user_principal_name: str | None = None
    other_mails: list[str] | None = None
    proxy_addresses: list[str] | None = None


@dataclass(frozen=True, slots=True)
class IdentityAnswer:
    """Who the mailbox belongs to; addresses in lower case."""

    user_id: str
    addresses: tuple[str, ...]


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""
    innerError: dict[str, Any] | None = None  # noqa: N815 (the wire's spelling)


class _ErrorEnvelope(msgspec.Struct):
    error: _Error | None = None


def error_code(answer: Answer) -> str:
    """The innermost error code of Graph's envelope, "" where there is none."""
    try:
        envelope = msgspec.json.decode(answer.body, type=_ErrorEnvelope)
    except _UNREADABLE:
        return ""
    if envelope.error is None:
        return ""
    inner = (envelope.error.innerError or {}).get("code")
    return str(inner or envelope.error.code)[:_LONGEST_CODE]


_LONGEST_CODE = 100
# msgspec's own, and what it lets through: a text that is no UTF-8, brackets without end.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_DEAD_TOKEN = ("syncstatenotfound", "resyncrequired", "fullsyncrequired", "syncstateinvalid")


def is_dead_token(answer: Answer) -> bool:
    """Whether a delta link has died: 410, or a 400/404 that names the sync state."""
    if answer.status == 410:
        return True
    code = error_code(answer).casefold()
    return answer.status in (400, 404) and any(name in code for name in _DEAD_TOKEN)


@dataclass(frozen=True, slots=True)
class GraphV1:
    """The requests of one mailbox; `user` is "me", an id or a user principal name."""

    user: str

    @property
    def root(self) -> str:
        """The mailbox's path."""
        return "/me" if self.user == "me" else f"/users/{quote(self.user, safe='@')}"

    # --- the mailbox -------------------------------------------------------------------------

    def identity(self) -> Request:
        """Who is this."""
        return Request("GET", self.root, label="user")

    @property
    def has_delta(self) -> bool:
        """Whether its calendars tell what moved since the last time."""
        return True

    @property
    def has_attachments(self) -> bool:
        """Whether its events may have attachments."""
        return True

    def mailbox_settings(self) -> Request | None:
        """The mailbox's zone, working hours and formats; None where there are none to ask for."""
        return Request("GET", f"{self.root}/mailboxSettings", label="mailboxSettings")

    def calendars(self) -> Request:
        """All calendars; paged."""
        return Request("GET", f"{self.root}/calendars?$top=100", label="calendars")

    def follow(self, link: str, label: str) -> Request:
        """A link of the service's, verbatim."""
        return Request("GET", link, headers=self._page_header(), label=label)

    # --- reading -----------------------------------------------------------------------------

    def delta(self, calendar: CalendarId, start: datetime, end: datetime) -> Request:
        """The first request of a delta round over the window (aware UTC)."""
        window = urlencode({"startDateTime": _utc(start), "endDateTime": _utc(end)})
        path = f"{self._calendar(calendar)}/calendarView/delta?{window}"
        return Request("GET", path, headers=self._page_header(), label="delta")

    def series(self, calendar: CalendarId, master: GraphId) -> Request:
        """A series with its cancelled slots and exceptions, and our extended property."""
        query = (
            f"$select={EVENT_FIELDS},cancelledOccurrences,exceptionOccurrences"
            f"&$expand=exceptionOccurrences,{quote(_EXTENDED, safe='$(),=')}"
        )
        return Request("GET", f"{self._event(calendar, master)}?{query}", label="series")

    def event(self, calendar: CalendarId, event: GraphId) -> Request:
        """One event with our extended property."""
        query = f"$select={EVENT_FIELDS}&$expand={quote(_EXTENDED, safe='$(),=')}"
        return Request("GET", f"{self._event(calendar, event)}?{query}", label="event")

    def original_start(self, calendar: CalendarId, event: GraphId) -> Request:
        """Where an exception stood originally; the property comes only when it is named."""
        query = "$select=id,originalStart,start"
        return Request("GET", f"{self._event(calendar, event)}?{query}", label="originalStart")

    def calendar_of(self, calendar: CalendarId, event: GraphId) -> Request:
        """The calendar that an event is in now."""
        path = f"{self._event(calendar, event)}/calendar?$select=id"
        return Request("GET", path, label="event.calendar")

    def people(self, calendar: CalendarId, event: GraphId) -> Request:
        """Who would be mailed about a write to an event, and in which version it is."""
        query = "$select=id,attendees,isOrganizer,isCancelled"
        return Request("GET", f"{self._event(calendar, event)}?{query}", label="event.people")

    def view(self, calendar: CalendarId, start: datetime, end: datetime, *, full: bool) -> Request:
        """A fresh view, without a token: whole rows, or only who is in it."""
        window = urlencode({"startDateTime": _utc(start), "endDateTime": _utc(end), "$top": "500"})
        select = "" if full else "&$select=id,type,seriesMasterId,start,end,isAllDay"
        path = f"{self._calendar(calendar)}/calendarView?{window}{select}"
        return Request("GET", path, label="calendarView")

    def instances(
        self, calendar: CalendarId, master: GraphId, start: datetime, end: datetime
    ) -> Request:
        """The living occurrences and exceptions of a series in a window."""
        window = urlencode({"startDateTime": _utc(start), "endDateTime": _utc(end), "$top": "500"})
        select = f"{EVENT_FIELDS},originalStart"
        path = f"{self._event(calendar, master)}/instances?{window}&$select={select}"
        return Request("GET", path, label="instances")

    def identities(self, calendar: CalendarId) -> Request:
        """The ids and file UIDs of every event of a calendar, whatever its time."""
        query = (
            f"$select=id,type,iCalUId,subject,start,end,organizer&$top=500"
            f"&$expand={quote(_EXTENDED, safe='$(),=')}"
        )
        return Request("GET", f"{self._calendar(calendar)}/events?{query}", label="identities")

    def find_uid(self, calendar: CalendarId, uid: Uid) -> Request:
        """The events that were created from the file with this UID."""
        literal = uid.replace("'", "''")
        wanted = (
            f"singleValueExtendedProperties/Any(ep: ep/id eq '{ICAL_UID_PROPERTY}'"
            f" and ep/value eq '{literal}')"
        )
        query = urlencode({"$filter": wanted}, quote_via=quote)
        expand = f"$expand={quote(_EXTENDED, safe='$(),=')}"
        path = f"{self._calendar(calendar)}/events?{query}&$select={EVENT_FIELDS}&{expand}"
        return Request("GET", path, label="find")

    # --- writing -----------------------------------------------------------------------------

    def create(self, calendar: CalendarId, body: bytes) -> Request:
        """A new event."""
        return Request(
            "POST", f"{self._calendar(calendar)}/events", headers=JSON, body=body, label="create"
        )

    def patch(self, calendar: CalendarId, event: GraphId, body: bytes, etag: str) -> Request:
        """
        Changed fields of an event or occurrence.

        If-Match is a bonus: whether Graph honours it for events is not documented.
        """
        headers = {**JSON, **({"If-Match": etag} if etag else {})}
        path = self._event(calendar, event)
        return Request("PATCH", path, headers=headers, body=body, label="patch")

    def delete(self, calendar: CalendarId, event: GraphId) -> Request:
        """Away with an event or an occurrence."""
        return Request("DELETE", self._event(calendar, event), label="delete")

    def act(
        self, calendar: CalendarId, event: GraphId, action: EventAction, body: bytes
    ) -> Request:
        """What is done with an event other than to change it."""
        path = f"{self._event(calendar, event)}/{action}"
        return Request("POST", path, headers=JSON, body=body, label=action)

    # --- answers -----------------------------------------------------------------------------

    def read_identity(self, answer: Answer) -> IdentityAnswer:
        """Who the mailbox belongs to. Raises BadAnswer, RefusedByService."""
        user = decoded(answer, _User, "user")
        named = [user.mail, user.user_principal_name, *(user.other_mails or ())]
        named += [proxy.partition(":")[2] for proxy in user.proxy_addresses or ()]
        addresses = {address.casefold() for address in named if address}
        return IdentityAnswer(user.id, tuple(sorted(addresses)))

    def read_settings(self, answer: Answer) -> tuple[str, MailboxSettings]:
        """
        The mailbox's zone as the service names it, "" where it may not be read, and the rest.

        Raises BadAnswer, RefusedByService.
        """
        if answer.status in (403, 404):
            return "", MailboxSettings()
        said = decoded(answer, dict[str, Any], "mailboxSettings")
        texts = {name: one for name, one in said.items() if isinstance(one, str)}
        try:
            hours = msgspec.convert(said.get("workingHours"), WorkingHours | None)
        except msgspec.ValidationError:
            hours = None  # nothing of a sync hangs on them
        formats = one_line(texts.get("dateFormat", "")), one_line(texts.get("timeFormat", ""))
        return texts.get("timeZone", ""), MailboxSettings(read_hours(hours), *formats)

    def read_calendars(self, answer: Answer) -> tuple[list[CalendarRow], str | None]:
        """One page of calendars, and the link to the next. Raises BadAnswer, RefusedByService."""
        page = self.read_list(answer, "calendars")
        return [_convert(raw, CalendarRow, "calendars") for raw in page.value], page.next_link

    def read_delta(self, answer: Answer) -> DeltaPage:
        """One page of a delta round. Raises BadAnswer, RefusedByService."""
        return decoded(answer, DeltaPage, "delta")

    def read_list(self, answer: Answer, label: str) -> ListPage:
        """One page of a list. Raises BadAnswer, RefusedByService."""
        return decoded(answer, ListPage, label)

    # --- paths -------------------------------------------------------------------------------

    def _calendar(self, calendar: CalendarId) -> str:
        return f"{self.root}/calendars/{quote(calendar, safe='')}"

    def _event(self, calendar: CalendarId, event: GraphId) -> str:
        return f"{self._calendar(calendar)}/events/{quote(event, safe='')}"

    def _page_header(self) -> Mapping[str, str]:
        return {"Prefer": f"odata.maxpagesize={PAGE_SIZE}"}


def refuse(answer: Answer, label: str) -> None:
    """Raise RefusedByService unless the answer is a success."""
    if not answer.is_success:
        code = error_code(answer)
        raise RefusedByService(
            f"the service refused {label}: {answer.status} {code}".rstrip(),
            status=answer.status,
            code=code,
            hint=_refusal_hint(answer.status),
        )


def _refusal_hint(status: int) -> str:
    if status == 403:
        return (
            "The login lacks a permission. Calendars that others share need"
            " Calendars.ReadWrite.Shared, or Calendars.Read.Shared to read them, a group"
            " Group.Read.All: add it to `scopes` of the account, and sign in again."
        )
    if status == 404:
        return "The mailbox or calendar does not exist (any more)."
    return "The next round asks again; `syncd check` tells more."


def decoded(answer: Answer, kind: type[T], label: str) -> T:
    """An answer as what it should be. Raises: BadAnswer, RefusedByService."""
    refuse(answer, label)
    return _convert(answer.body, kind, label)


def _convert(raw: bytes | msgspec.Raw, kind: type[T], label: str) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except _UNREADABLE as error:
        raise BadAnswer(f"the service's answer to {label} cannot be read: {error}") from None


def _utc(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
