"""
Handlers of calendar permissions, and the door through which a sharee enters a shared calendar.

Knows that only owners see and change permissions, and what a role lets a sharee see of an event.
The events themselves are served by the handlers of events, on the owner's mailbox.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from syncd.simulator import fields
from syncd.simulator.call import Call, Handler
from syncd.simulator.errors import ServiceError, access_denied, item_not_found
from syncd.simulator.folder_handlers import many, one
from syncd.simulator.folders import Calendar, Person, Shared
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.messages import Answer, json_answer, no_content
from syncd.simulator.model import Event, Mail
from syncd.simulator.render import encode
from syncd.simulator.routes import Route
from syncd.simulator.shaping import json_list

__all__ = [
    "add_permission",
    "allowed_roles",
    "change_permission",
    "get_permission",
    "list_permissions",
    "remove_permission",
    "serve",
]

READ_SHARED = frozenset({"Calendars.Read.Shared", "Calendars.ReadWrite.Shared"})
WRITE_SHARED = frozenset({"Calendars.ReadWrite.Shared"})
_USER = re.compile(r"(?i)User='((?:[^']|'')*)'\Z")
_EVENTS = re.compile(r"(?i)/(?:events|calendarView)(?:/|\Z)")
_BLOCK_PATHS = re.compile(r"/events/\{event\}(?:/instances|/calendar)?\Z")
# What is left of an event that a sharee sees as a bare block of time.
_BLOCK = frozenset(
    {
        *("id", "type", "start", "end", "isAllDay", "showAs", "sensitivity", "seriesMasterId"),
        *("recurrence", "isCancelled", "changeKey", "createdDateTime", "lastModifiedDateTime"),
        *("originalStartTimeZone", "originalEndTimeZone", "iCalUId", "originalStart"),
        *("occurrenceId", "cancelledOccurrences", "exceptionOccurrences", "calendar"),
    }
)
_LIMITED = _BLOCK | {"subject", "location", "locations"}
_EMPTY: Mapping[str, Any] = {
    **fields.defaults(),
    "body": {"contentType": "html", "content": ""},
    "bodyPreview": "",
    "isReminderOn": False,
    "webLink": "",
    "attachments": [],
}
Sight = Literal["whole", "limited", "block"]


# ---- permissions


def list_permissions(call: Call) -> Answer:
    """GET the permissions of a calendar; a sharee gets none."""
    calendar = call.calendar()
    book = call.service.sharing.book(call.mailbox, calendar)
    rows = [] if calendar.shared_in else [entry.wire() for entry in book.rows()]
    return many(call, _what(call), rows, call.service.switches.default_page_size)


def _what(call: Call) -> str:
    place = "calendar"
    if "calendar" in call.params:
        place = f"calendars('{call.params['calendar']}')"
    return f"{call.user()}/{place}/calendarPermissions"


def get_permission(call: Call) -> Answer:
    """GET one permission."""
    calendar = call.calendar()
    if calendar.shared_in:
        raise item_not_found()
    entry = call.service.sharing.book(call.mailbox, calendar).find(call.params["permission"])
    return one(call, f"{_what(call)}/$entity", entry.wire())


def add_permission(call: Call) -> Answer:
    """POST a permission: share the calendar."""
    calendar = _own(call)
    made = call.service.sharing.add(call.mailbox, calendar, call.request.json())
    call.service.ledger.append(
        Mail(
            at=call.service.now(),
            kind="sharing",
            event_id="",
            ical_uid="",
            subject=calendar.name,
            to=(made.person.address,),
            actor="api",
        )
    )
    return one(call, f"{_what(call)}/$entity", made.wire(), 201)


def change_permission(call: Call) -> Answer:
    """PATCH the role of a permission."""
    calendar, identity = _own(call), call.params["permission"]
    sharing = call.service.sharing
    changed = sharing.change(call.mailbox, calendar, identity, call.request.json())
    return one(call, f"{_what(call)}/$entity", changed.wire())


def remove_permission(call: Call) -> Answer:
    """DELETE a permission: end a share."""
    call.service.sharing.remove(call.mailbox, _own(call), call.params["permission"])
    return no_content()


def allowed_roles(call: Call) -> Answer:
    """GET the roles that somebody can be given."""
    found = _USER.match(call.params["arguments"])
    if found is None:
        raise ServiceError(400, "BadRequest", "The function needs the parameter User.")
    book = call.service.sharing.book(call.mailbox, _own(call))
    rows = [encode(role) for role in book.allowed(found[1].replace("''", "'"))]
    context = call.context("Collection(microsoft.graph.calendarRoleType)")
    return json_answer(json_list(rows, context=context))


def _own(call: Call) -> Calendar:
    """Return the calendar named. Raises: ServiceError: 403 for one that somebody else shares."""
    calendar = call.calendar()
    if calendar.shared_in:
        raise access_denied()
    return calendar


# ---- what a sharee may do with the events of a shared calendar


@dataclass(frozen=True, slots=True)
class _Visit:
    """A sharee in the owner's mailbox. Args: call: on that mailbox. entry: the sharee's own."""

    call: Call
    sharee: Mailbox
    entry: Calendar
    shared: Shared

    def sight(self, event: Event) -> Sight:
        """Return how much of an event the role lets the sharee see."""
        if self.shared.role in ("none", "freeBusyRead"):
            return "block"
        if event.values["sensitivity"] == "private" and not self.shared.can_view_private:
            return "block"
        return "limited" if self.shared.role == "limitedRead" else "whole"


def serve(route: Route[Handler], call: Call) -> Answer:
    """
    Return the answer of a route's handler, which acts on the owner's mailbox for the events of a
    calendar that is shared to the one who asks.

    `$filter` and `$orderby` look at whole events; what they find is shown as far as the role goes.
    Raises: ServiceError: 403 for what the role or the scopes do not allow, 404.
    """
    visit = _visit(route, call)
    if visit is None:
        return route.handler(call)
    _check_scopes(visit)
    _check_rights(route, visit)
    if call.request.is_read:
        visit.call.mailbox.settle()
    answer = route.handler(visit.call)
    if "json" in answer.headers.get("Content-Type", ""):
        answer.body = encode(_seen(msgspec.json.decode(answer.body), visit))
    for name in {"Location"} & answer.headers.keys():
        answer.headers[name] = _renamed(answer.headers[name], visit)
    return answer


def _visit(route: Route[Handler], call: Call) -> _Visit | None:
    if "calendar" not in call.params or not _EVENTS.search(route.template):
        return None
    entry = call.calendar()
    if entry.shared is None:
        return None
    owner = call.service.mailbox(entry.shared.user)
    params = {**call.params, "calendar": entry.shared.calendar}
    params.pop("group", None)
    inside = replace(call, mailbox=owner, params=params, guest=True)
    return _Visit(inside, call.mailbox, entry, entry.shared)


def _check_scopes(visit: _Visit) -> None:
    """Raise ServiceError 403 without a scope for shared calendars (Graph "Get shared events")."""
    principal = visit.call.principal
    needed = READ_SHARED if visit.call.request.is_read else WRITE_SHARED
    granted = {scope.rpartition("/")[2] for scope in principal.scopes}
    if not principal.application and not granted & needed:
        raise access_denied()


def _check_rights(route: Route[Handler], visit: _Visit) -> None:
    call = visit.call
    if not call.request.is_read and not visit.shared.can_edit:
        raise access_denied()
    if "event" not in call.params or visit.sight(call.event()) == "whole":
        return
    if not (call.request.is_read and _BLOCK_PATHS.search(route.template)):
        raise access_denied()
    if not call.service.switches.private_shared_event_answers:
        raise item_not_found()


def _seen(value: Any, visit: _Visit) -> Any:
    """Return an answer as the sharee is to have it: own names, and no more than the role shows."""
    if isinstance(value, list):
        return [_seen(each, visit) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("id") == visit.shared.calendar:
        own = visit.entry.wire()
        value = {name: own.get(name, inner) for name, inner in value.items()}
    event = _event(value, visit.call.mailbox)
    sight = "whole" if event is None else visit.sight(event)
    shown = value if sight == "whole" else _cut(value, sight, visit.call.mailbox.owner)
    return {
        name: _renamed(inner, visit) if "@odata" in name else _seen(inner, visit)
        for name, inner in shown.items()
    }


def _event(row: Mapping[str, Any], mailbox: Mailbox) -> Event | None:
    """Return the event that a row shows, if it shows one."""
    identity = row.get("id")
    if not isinstance(identity, str) or "@removed" in row:
        return None
    try:
        return mailbox.find(identity)
    except ServiceError:
        return None


def _cut(row: Mapping[str, Any], sight: Sight, owner: Person) -> dict[str, Any]:
    """Return a row with everything emptied that is not to be seen, as if all were the owner's."""
    kept = _LIMITED if sight == "limited" else _BLOCK
    empty = {**_EMPTY, "organizer": {"emailAddress": owner.wire()}}
    shown = {name: inner for name, inner in row.items() if name in kept or "@odata" in name}
    return {
        name: shown.get(name, empty.get(name)) for name in row if name in shown or name in empty
    }


def _renamed(value: Any, visit: _Visit) -> Any:
    """Return an address with the sharee's user and calendar in place of the owner's."""
    if not isinstance(value, str):
        return value
    owner = visit.call.mailbox.user_id
    named = value.replace(f"users('{owner}')", f"users('{visit.sharee.user_id}')")
    return named.replace(f"calendars('{visit.shared.calendar}')", f"calendars('{visit.entry.id}')")
