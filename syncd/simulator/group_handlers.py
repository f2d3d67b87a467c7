"""
Handlers of group calendars: one calendar each, for reading.

Knows what groups lack: delta rounds, reminders, responses, attachments, further calendars.
Refuses to know events: they are shown as those of a mailbox are.
"""

from syncd.simulator.call import Call, Handler
from syncd.simulator.errors import ServiceError, access_denied
from syncd.simulator.messages import Answer, json_answer

__all__ = ["for_people", "get_calendar", "get_group", "refuse_delta"]


def for_people(handler: Handler) -> Handler:
    """Return a handler that programs which signed in as themselves are refused by."""

    def people_only(call: Call) -> Answer:
        # Graph "List events" of a group: application permissions are not supported.
        if call.principal.application:
            raise access_denied()
        return handler(call)

    return people_only


def get_group(call: Call) -> Answer:
    """GET the group."""
    owner = call.mailbox.owner
    row = {
        "id": call.mailbox.user_id,
        "displayName": owner.name,
        "mail": owner.address,
        "mailEnabled": True,
        "mailNickname": owner.address.partition("@")[0],
        "groupTypes": ["Unified"],
    }
    return json_answer({"@odata.context": call.context("groups/$entity"), **row})


def get_calendar(call: Call) -> Answer:
    """GET the group's calendar."""
    row = {**call.calendar().wire(), "canShare": False, "isRemovable": False}
    context = call.context(f"{call.user()}/calendar/$entity")
    return json_answer({"@odata.context": context, **row})


def refuse_delta(call: Call) -> Answer:
    """GET a delta round, which group calendars do not have (Graph "event: delta")."""
    raise ServiceError(
        400, "BadRequest", "Change tracking is not supported against 'microsoft.graph.event'."
    )
