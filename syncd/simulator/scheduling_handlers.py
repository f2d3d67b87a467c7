"""
Handlers of `findMeetingTimes` and `getSchedule`.

Knows whose calendars are looked up and what the one who asks may see of them; what follows from
them is the engine's.
"""

from typing import Any

from syncd.simulator.call import Call
from syncd.simulator.errors import access_denied
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.messages import Answer, json_answer
from syncd.simulator.render import encode
from syncd.simulator.scheduling import (
    Bookable,
    Diary,
    availability_view,
    events_between,
    found_wire,
    schedule_item,
    suggest,
)
from syncd.simulator.scheduling_wishes import (
    MeetingWish,
    ScheduleWish,
    read_meeting_wish,
    read_schedule_wish,
)
from syncd.simulator.shaping import json_list

__all__ = ["find_meeting_times", "get_schedule"]

_HIDDEN_ROLES = ("none", "freeBusyRead")


def find_meeting_times(call: Call) -> Answer:
    """POST a question for times that suit; only people may ask (Graph "findMeetingTimes")."""
    if call.principal.application:
        raise access_denied()
    wish = read_meeting_wish(call.request.optional_json(), now=call.service.now())
    switches = call.service.switches
    found = suggest(
        wish,
        Diary.of(call.mailbox, *wish.window()),
        [_diary(call, attendee.address, wish) for attendee in wish.attendees],
        [_bookable(call, room.name, room.address, wish) for room in _rooms(call)],
        tentative_percent=switches.tentative_chance_percent,
        most=switches.default_candidates,
    )
    context = call.context("microsoft.graph.meetingTimeSuggestionsResult")
    body = {"@odata.context": context, **found_wire(found, wish, call.reading_zone())}
    return _with_preferences(call, json_answer(body))


def _rooms(call: Call) -> list[Any]:
    return list(call.service.places.rooms.values())


def _diary(call: Call, address: str, wish: MeetingWish) -> Diary | None:
    mailbox = call.service.known(address)
    return None if mailbox is None else Diary.of(mailbox, *wish.window())


def _bookable(call: Call, name: str, address: str, wish: MeetingWish) -> Bookable:
    return Bookable(name, address, _diary(call, address, wish))


def _with_preferences(call: Call, answer: Answer) -> Answer:
    """Name the zone as applied: these two actions are the POSTs that honour it."""
    if applied := call.preferences.applied(reading=True):
        answer.headers["Preference-Applied"] = ", ".join(applied)
    return answer


def get_schedule(call: Call) -> Answer:
    """POST a question for free and busy times. Any calendar in the path stands for the caller."""
    call.calendar()
    most = call.service.switches.schedules_at_once
    wish = read_schedule_wish(call.request.json(), most=most)
    rows = [encode(_schedule(call, address, wish)) for address in wish.schedules]
    context = call.context("Collection(microsoft.graph.scheduleInformation)")
    return _with_preferences(call, json_answer(json_list(rows, context=context)))


def _schedule(call: Call, address: str, wish: ScheduleWish) -> dict[str, Any]:
    """Return the `scheduleInformation` of an address; an unknown one is an error of its own."""
    mailbox = call.service.known(address)
    if mailbox is None:
        message = f"Unable to resolve e-mail address {address} to an Active Directory object."
        return {"scheduleId": address, "error": {"message": message, "responseCode": "5009"}}
    detailed = _sees_details(call, mailbox)
    zone = call.reading_zone()
    events = events_between(mailbox, wish.start, wish.end)
    return {
        "scheduleId": address,
        "availabilityView": availability_view(Diary.of(mailbox, wish.start, wish.end), wish),
        "scheduleItems": [schedule_item(event, zone, detailed=detailed) for event in events],
        "workingHours": mailbox.folders.settings["workingHours"],
    }


def _sees_details(call: Call, mailbox: Mailbox) -> bool:
    if mailbox is call.mailbox:
        return True
    book = call.service.sharing.book(mailbox, mailbox.default_calendar)
    return book.role_of(call.mailbox.owner.address) not in _HIDDEN_ROLES
