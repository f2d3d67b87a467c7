"""
Handlers of events: one event, lists, views, and delta rounds.

Knows which status and headers each answer carries; what happens to the mailbox is the engine's.
"""

from datetime import datetime, timedelta
from typing import Any

from syncd.simulator import render
from syncd.simulator.call import Call
from syncd.simulator.delta import Page, Removed, Row
from syncd.simulator.errors import ServiceError, invalid_request
from syncd.simulator.meetings import Verb
from syncd.simulator.messages import Answer, json_answer, link, no_content
from syncd.simulator.model import Event, Window
from syncd.simulator.render import Look
from syncd.simulator.shaping import Shape, events_answer, json_list, shaped
from syncd.simulator.zones import parse_instant

__all__ = [
    "calendar_of_event",
    "calendar_view",
    "cancel_event",
    "count_events",
    "create_event",
    "delete_event",
    "delta",
    "forward_event",
    "get_event",
    "instances",
    "list_events",
    "patch_event",
    "purge_calendar",
    "purge_event",
    "read_window",
    "respond",
]

MAX_SPAN = timedelta(days=1825)
_NOT_IN_DELTA = ("$select", "$expand", "$filter", "$orderby", "$search")


def _one(call: Call, event: Event, shape: Shape) -> dict[str, Any]:
    context = call.context(f"{call.user()}/events/$entity")
    return {"@odata.context": context, **shaped(event, shape)}


def get_event(call: Call) -> Answer:
    """GET one event, series, occurrence or exception."""
    event = call.event()
    return json_answer(_one(call, event, call.shape(zone=call.reading_zone(), single=True)))


def calendar_of_event(call: Call) -> Answer:
    """GET the calendar an event lies in; Deleted Items when it was deleted."""
    event = call.event()
    folders = call.mailbox.folders.calendars
    folder = folders.get(event.item.calendar, call.mailbox.deleted_folder)
    context = call.context(f"{call.user()}/calendars/$entity")
    return json_answer({"@odata.context": context, **folder.wire()})


def create_event(call: Call) -> Answer:
    """POST an event; the answer keeps the zone that was sent."""
    event = call.mailbox.create(call.calendar().id, call.request.json(), actor="api")
    shape = call.shape(zone=None, single=False)
    row = _one(call, event, shape)
    return json_answer(row, 201, Location=f"{shape.look.owner}/events('{row['id']}')")


def patch_event(call: Call) -> Answer:
    """PATCH an event; the answer is in UTC whatever was preferred."""
    target = call.event()
    event = call.mailbox.patch(
        target.id,
        call.request.json(),
        actor="api",
        if_match=call.request.headers.get("if-match"),
    )
    return json_answer(_one(call, event, call.shape(zone="UTC", single=False)))


def delete_event(call: Call) -> Answer:
    """DELETE an event or one instance."""
    if_match = call.request.headers.get("if-match")
    call.mailbox.delete(call.event().id, actor="api", if_match=if_match)
    return no_content()


def purge_event(call: Call) -> Answer:
    """POST the deletion for good of an event or one instance."""
    call.mailbox.purge(call.event().id, actor="api")
    return no_content()


def purge_calendar(call: Call) -> Answer:
    """POST the deletion for good of a calendar and what is in it."""
    call.mailbox.remove_calendar(call.calendar().id, actor="api", for_good=True)
    return no_content()


def cancel_event(call: Call) -> Answer:
    """POST the cancellation of an event or one instance."""
    call.mailbox.cancel(call.event().id, call.request.optional_json(), actor="api")
    return no_content(202)


def forward_event(call: Call) -> Answer:
    """POST the people whom an invitation goes on to."""
    call.mailbox.forward(call.event().id, call.request.optional_json(), actor="api")
    return no_content(202)


def respond(verb: Verb) -> Any:
    """Return the handler of accept, tentativelyAccept or decline."""

    def handler(call: Call) -> Answer:
        body = call.request.optional_json()
        call.mailbox.respond(call.event().id, verb, body, actor="api")
        return no_content(202)

    return handler


def list_events(call: Call) -> Answer:
    """GET singles and masters of a calendar."""
    events = [Event(item) for item in call.mailbox.items(call.calendar().id)]
    return _listed(call, events, "events")


def count_events(call: Call) -> Answer:
    """GET how many singles and masters a calendar has."""
    count = len(call.mailbox.items(call.calendar().id))
    return Answer(200, str(count).encode(), {"Content-Type": "text/plain"})


def calendar_view(call: Call) -> Answer:
    """GET every instance in a window, fully populated."""
    window = _window(call)
    events = call.mailbox.instances(call.calendar().id, window.start, window.end)
    return _listed(call, events, "calendarView")


def instances(call: Call) -> Answer:
    """GET the instances of one series in a window; of another event, nothing."""
    window, event = _window(call), call.event()
    found = list(event.item.instances(window)) if event.kind == "seriesMaster" else []
    found.sort(key=lambda each: each.start.instant)
    return _listed(call, found, "events")


def _listed(call: Call, events: list[Event], what: str) -> Answer:
    page = call.preferences.page_size or call.service.switches.default_page_size
    shape = call.shape(zone=call.reading_zone(), single=False)
    context = call.context(f"{call.user()}/{what}")
    return events_answer(call.request, events, shape, page=page, context=context)


def _window(call: Call) -> Window:
    query = call.request.query
    missing = [name for name in ("startDateTime", "endDateTime") if name.casefold() not in query]
    if missing:
        raise ServiceError(
            400,
            "ErrorInvalidRequest",
            f"This request requires a time window specified by the query string parameters "
            f"StartDateTime and EndDateTime; missing: {', '.join(missing)}.",
        )
    return read_window(query["startdatetime"], query["enddatetime"])


def read_window(start_text: str, end_text: str) -> Window:
    """Return the window between two times of a request. Raises: ServiceError: 400."""
    start, end = _instant(start_text, "startdatetime"), _instant(end_text, "enddatetime")
    if end < start:
        raise invalid_request("The end of the time window must not be before its start.")
    if end - start > MAX_SPAN:
        raise invalid_request("The requested time window exceeds the limit of 1825 days.")
    return Window(start, end)


def _instant(text: str, name: str) -> datetime:
    try:
        return parse_instant(text)
    except (ValueError, OverflowError) as bad:
        raise ServiceError(
            400, "ErrorInvalidParameter", f"The value of the parameter '{name}' is invalid."
        ) from bad


def delta(call: Call) -> Answer:
    """GET a page of a delta round over a calendar view."""
    query = call.request.query
    if forbidden := [name for name in _NOT_IN_DELTA if name in query]:
        raise ServiceError(
            400,
            "ErrorInvalidUrlQuery",
            "The following parameters are not supported with change tracking over the "
            f"'CalendarView' resource: '{', '.join(forbidden)}'.",
        )
    return _delta_answer(call, _delta_page(call))


def _delta_page(call: Call) -> Page:
    query, switches = call.request.query, call.service.switches
    rounds = call.service.rounds(call.mailbox)
    size = call.preferences.page_size or switches.default_page_size
    calendar = call.calendar().id
    token = query.get("$deltatoken") or query.get("$skiptoken")
    if token is None:
        page = rounds.start(calendar, _window(call), switches, size)
    elif "startdatetime" in query or "enddatetime" in query:
        raise invalid_request("The time window is part of the token and must not be sent again.")
    else:
        page = rounds.resume(token, calendar, switches, size)
    endless = "x-simulator-endless" in call.request.headers
    return rounds.make_endless(page, switches) if endless else page


def _delta_answer(call: Call, page: Page) -> Answer:
    look = Look(
        zone=call.reading_zone(),
        immutable=call.preferences.immutable,
        text_body=call.preferences.text_body,
    )
    calendar = call.calendar().id
    rows = [row for row in (_delta_row(each, calendar, look) for each in page.rows) if row]
    option = "$skiptoken" if page.more else "$deltatoken"
    url = link(call.request, {option: page.token})
    body = json_list(
        rows,
        context=call.context("Collection(event)"),
        next_link=url if page.more else None,
        delta_link=None if page.more else url,
    )
    return json_answer(body)


def _delta_row(row: Row, calendar: str, look: Look) -> bytes:
    """Return a row as JSON; nothing for an event that went since the round began."""
    if isinstance(row, Removed):
        return render.encode(
            {
                "@odata.type": render.TYPE,
                "id": row.immutable_id if look.immutable else row.default_id,
                "@removed": {"reason": "deleted"},
            }
        )
    item = row.item
    if not item.alive or item.calendar != calendar or row.slot in item.cancelled:
        return b""
    return render.encoded(row, look, in_delta=True)
