"""
Handlers of reminders: the view of those in a window, snooze and dismiss.

Knows the path function's arguments and which status each answer carries.
"""

import re

from syncd.simulator import render
from syncd.simulator.call import Call
from syncd.simulator.errors import ServiceError
from syncd.simulator.event_handlers import read_window
from syncd.simulator.messages import Answer, json_answer, no_content
from syncd.simulator.model import Event, Window
from syncd.simulator.odata import parse_filter
from syncd.simulator.reminders import fires, reminder_row
from syncd.simulator.render import Look
from syncd.simulator.shaping import cut_page, json_list

__all__ = ["dismiss_reminder", "reminder_view", "snooze_reminder"]

_ARGUMENT = r"(\w+)='((?:[^']|'')*)'"
_ARGUMENTS = re.compile(rf"\s*{_ARGUMENT}\s*,\s*{_ARGUMENT}\s*\Z")


def reminder_view(call: Call) -> Answer:
    """GET the reminders of the events in a window, snoozed ones with their new time."""
    window = _window(call.params["arguments"])
    events = call.mailbox.reminders(window.start, window.end)
    rows = [_row(call, event) for event in events]
    if clause := call.request.query.get("$filter"):
        rows = list(filter(parse_filter(clause), rows))
    size = call.preferences.page_size or call.service.switches.default_page_size
    chosen, following = cut_page(call.request, rows, size)
    body = json_list(
        [render.encode(row) for row in chosen],
        context=call.context("Collection(microsoft.graph.reminder)"),
        next_link=following,
        count=len(rows) if call.request.query.get("$count", "").casefold() == "true" else None,
    )
    return json_answer(body)


def _row(call: Call, event: Event) -> dict[str, object]:
    at = fires(event)
    assert at is not None, "a view lists what fires"
    look = Look(zone=call.reading_zone(), immutable=call.preferences.immutable)
    return reminder_row(event, at, look)


def _window(arguments: str) -> Window:
    found = _ARGUMENTS.match(arguments)
    given = {} if found is None else {found[1].casefold(): found[2], found[3].casefold(): found[4]}
    if given.keys() != {"startdatetime", "enddatetime"}:
        raise ServiceError(
            400,
            "BadRequest",
            "The function 'reminderView' takes the parameters startDateTime and endDateTime.",
        )
    return read_window(given["startdatetime"], given["enddatetime"])


def snooze_reminder(call: Call) -> Answer:
    """POST a later time for a reminder."""
    call.mailbox.snooze(call.event().id, call.request.json())
    return no_content(200)


def dismiss_reminder(call: Call) -> Answer:
    """POST the end of a reminder."""
    call.mailbox.dismiss(call.event().id)
    return no_content(200)
