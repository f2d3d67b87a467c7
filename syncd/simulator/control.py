"""
Endpoints that are not Graph's: how a test steers a simulator in another process.

Knows what tests look at and turn: the ledger, requests, faults, switches, the clock, and what a
person does in Outlook. They answer on loopback only and ask for no token.
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from syncd.simulator import render
from syncd.simulator.attachments import View, attachment_row, read_draft
from syncd.simulator.errors import ServiceError, invalid_request
from syncd.simulator.faults import Fault, FaultKind, RandomPlan, Script
from syncd.simulator.folders import Person
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.model import Event, Window
from syncd.simulator.render import AS_STORED, Look
from syncd.simulator.switches import Switches
from syncd.simulator.tokens import Expiring
from syncd.simulator.zones import parse_instant, stamp

if TYPE_CHECKING:
    from syncd.simulator.server import SimulatorServer

__all__ = ["control_routes"]

Endpoint = Callable[[Any], Any]
_WITHOUT_BYTES = View(frozenset({"name", "contentType", "size", "isInline", "contentId"}))


def control_routes(server: "SimulatorServer") -> Iterator[web.RouteDef]:
    """Yield the routes under `/_simulator`."""
    control = _Control(server)
    table: tuple[tuple[str, str, Endpoint], ...] = (
        ("GET", "ledger", control.ledger),
        ("DELETE", "ledger", control.clear_ledger),
        ("GET", "requests", control.requests),
        ("DELETE", "requests", control.clear_requests),
        ("GET", "faults", control.faults),
        ("POST", "faults", control.set_faults),
        ("DELETE", "faults", control.clear_faults),
        ("GET", "switches", control.switches),
        ("POST", "switches", control.set_switches),
        ("GET", "clock", control.clock),
        ("POST", "clock", control.set_clock),
        ("GET", "events", control.events),
        ("GET", "instances", control.instances),
        ("POST", "mailbox", control.open_mailbox),
        ("POST", "mailbox/receive", control.receive),
        ("POST", "mailbox/do", control.do),
        ("POST", "room", control.add_room),
        ("POST", "group", control.add_group),
        ("POST", "share", control.share),
        ("POST", "tokens/expire", control.expire),
        ("POST", "delta/forget", control.forget_delta),
    )
    for method, path, endpoint in table:
        yield web.route(method, f"/_simulator/{path}", _guarded(endpoint))


def _guarded(endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handler(incoming: web.Request) -> web.StreamResponse:
        if not _is_loopback(incoming.remote):
            return web.Response(status=403)
        try:
            raw = await incoming.read()
            asked = msgspec.json.decode(raw) if raw else dict(incoming.query)
            if not isinstance(asked, dict):
                raise invalid_request("The body must be an object.")
            result = endpoint(asked)
        except ServiceError as refused:
            body = {"code": refused.code, "message": refused.message}
            return _json({"error": body}, refused.status)
        except (KeyError, TypeError, ValueError, re.error) as bad:
            return _json({"error": {"code": "BadRequest", "message": repr(bad)}}, 400)
        return _json(result)

    return handler


def _is_loopback(remote: str | None) -> bool:
    return remote is not None and ipaddress.ip_address(remote).is_loopback


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode(body), content_type="application/json"
    )


class _Control:
    """One method for each endpoint: what was asked in, the answer's JSON out."""

    def __init__(self, server: "SimulatorServer") -> None:
        self._server = server
        self._service = server.service

    def ledger(self, asked: dict[str, Any]) -> object:
        return [asdict(mail) for mail in self._service.ledger]

    def clear_ledger(self, asked: dict[str, Any]) -> object:
        self._service.ledger.clear()
        return {}

    def requests(self, asked: dict[str, Any]) -> object:
        log = self._server.requests
        return {
            "count": len(log.entries),
            "mostInFlight": dict(log.most_in_flight),
            "requests": [asdict(entry) for entry in log.entries],
        }

    def clear_requests(self, asked: dict[str, Any]) -> object:
        self._server.requests.clear()
        return {}

    def faults(self, asked: dict[str, Any]) -> object:
        faults = self._server.faults
        return {"waiting": len(faults.scripts), "struck": faults.struck}

    def set_faults(self, asked: dict[str, Any]) -> object:
        faults = self._server.faults
        if "plan" in asked:
            plan = asked["plan"]
            faults.follow(None if plan is None else _plan(plan))
        faults.add([_script(row) for row in asked.get("scripts", [])])
        return self.faults(asked)

    def clear_faults(self, asked: dict[str, Any]) -> object:
        self._server.faults.clear()
        return {}

    def switches(self, asked: dict[str, Any]) -> object:
        return asdict(self._service.switches)

    def set_switches(self, asked: dict[str, Any]) -> object:
        self._service.switches = msgspec.convert(
            {**asdict(self._service.switches), **asked}, Switches, strict=False
        )
        return asdict(self._service.switches)

    def clock(self, asked: dict[str, Any]) -> object:
        return {"now": stamp(self._service.now())}

    def set_clock(self, asked: dict[str, Any]) -> object:
        if "now" in asked:
            self._service.advance(parse_instant(asked["now"]) - self._service.now())
        self._service.advance(timedelta(seconds=float(asked.get("advance_s", 0))))
        return self.clock(asked)

    def _place(self, asked: dict[str, Any]) -> tuple[Mailbox, str]:
        """Return the mailbox or group and calendar asked for; a calendar by id or name."""
        service = self._service
        group = asked.get("group")
        mailbox = service.group(group) if group else service.mailbox(asked["user"])
        wanted = asked.get("calendar")
        if not wanted:
            return mailbox, mailbox.default_calendar.id
        for calendar in mailbox.folders.calendars.values():
            if wanted in (calendar.id, calendar.name):
                return mailbox, calendar.id
        raise invalid_request(f"There is no calendar '{wanted}'.")

    def events(self, asked: dict[str, Any]) -> object:
        mailbox, calendar = self._place(asked)
        return [_stored(Event(item)) for item in mailbox.items(calendar)]

    def instances(self, asked: dict[str, Any]) -> object:
        mailbox, calendar = self._place(asked)
        window = Window(parse_instant(asked["start"]), parse_instant(asked["end"]))
        found = mailbox.instances(calendar, window.start, window.end)
        return [_instance(event) for event in found]

    def open_mailbox(self, asked: dict[str, Any]) -> object:
        mailbox = self._service.add_mailbox(asked["user"], asked.get("name", ""))
        return {"id": mailbox.user_id, "calendar": mailbox.default_calendar.id}

    def add_room(self, asked: dict[str, Any]) -> object:
        """Make a room; what is not about its calendar or list is a property of it."""
        properties = {
            name: asked[name]
            for name in asked
            if name not in ("address", "name", "roomList", "mailbox")
        }
        room = self._service.add_room(
            asked["address"],
            asked.get("name", ""),
            room_list=asked.get("roomList", ""),
            mailbox=bool(asked.get("mailbox", True)),
            properties=properties,
        )
        return room.wire()

    def add_group(self, asked: dict[str, Any]) -> object:
        group = self._service.add_group(asked["address"], asked.get("name", ""))
        return {"id": group.user_id, "calendar": group.default_calendar.id}

    def share(self, asked: dict[str, Any]) -> object:
        owner, calendar = self._place(asked)
        return self._service.share(owner, calendar, asked["address"], asked["role"]).wire()

    def receive(self, asked: dict[str, Any]) -> object:
        mailbox, calendar = self._place(asked)
        organizer = Person(asked["organizer"].get("name", ""), asked["organizer"]["address"])
        uid = asked.get("iCalUId")
        return _stored(mailbox.receive(calendar, asked["event"], organizer, ical_uid=uid))

    def do(self, asked: dict[str, Any]) -> object:
        """Do what a person does in Outlook: create, patch, delete, move, respond, …"""
        mailbox, calendar = self._place(asked)
        identity, body = asked.get("id", ""), asked.get("body", {})
        match asked["action"]:
            case "create":
                return _stored(mailbox.create(calendar, body))
            case "patch":
                return _stored(mailbox.patch(identity, body))
            case "delete":
                mailbox.delete(identity)
            case "move":
                return _stored(mailbox.move(identity, calendar))
            case "respond":
                mailbox.respond(identity, asked["verb"], body)
            case "cancel":
                mailbox.cancel(identity, body)
            case "forward":
                mailbox.forward(identity, body)
            case "attach":
                # A person can attach what v1.0 refuses: a file of the cloud, by its "sourceUrl".
                event, added = mailbox.attach(identity, read_draft(body, planted=True))
                return attachment_row(added, event.id, _WITHOUT_BYTES)
            case "detach":
                mailbox.detach(identity, asked["attachment"])
            case "snooze-reminder":
                mailbox.snooze(identity, body)
            case "dismiss-reminder":
                mailbox.dismiss(identity)
            case "answered":
                proposal = asked.get("proposedNewTime")
                return _stored(
                    mailbox.answered(identity, asked["address"], asked["response"], proposal)
                )
            case "cancelled-by-organizer":
                return _stored(mailbox.cancelled_by_organizer(identity))
            case "add-calendar":
                made = mailbox.folders.add(asked["name"], can_edit=bool(asked.get("canEdit", True)))
                return made.wire()
            case "remove-calendar":
                mailbox.remove_calendar(calendar)
            case unknown:
                raise invalid_request(f"There is no action '{unknown}'.")
        return {}

    def expire(self, asked: dict[str, Any]) -> object:
        tokens = self._server.tokens
        if not isinstance(tokens, Expiring):
            raise invalid_request("These tokens cannot be expired.")
        tokens.expire(asked["token"])
        return {}

    def forget_delta(self, asked: dict[str, Any]) -> object:
        self._service.rounds(self._service.mailbox(asked["user"])).forget()
        return {}


def _plan(asked: dict[str, Any]) -> RandomPlan:
    return RandomPlan(
        rate=float(asked["rate"]),
        kinds=tuple(FaultKind(kind) for kind in asked.get("kinds", list(FaultKind))),
        seed=int(asked.get("seed", 0)),
        retry_after_s=int(asked.get("retry_after_s", 1)),
        delay_s=float(asked.get("delay_s", 0.01)),
    )


def _script(asked: dict[str, Any]) -> Script:
    fault = Fault(
        FaultKind(asked["kind"]),
        int(asked.get("retry_after_s", 1)),
        float(asked.get("delay_s", 1.0)),
    )
    return Script.of(
        fault,
        asked.get("method", ""),
        asked.get("path", ""),
        int(asked.get("times", 1)),
        int(asked.get("skip", 0)),
    )


def _stored(event: Event) -> dict[str, Any]:
    """Return all there is about an event, its exceptions and deleted days included."""
    item = event.item
    extended = [{"id": key, "value": value} for key, value in event.extended.values()]
    row = {
        **render.full_row(event, AS_STORED),
        "immutableId": event.immutable_id,
        "singleValueExtendedProperties": extended,
        "attachments": [attachment_row(a, event.id, _WITHOUT_BYTES) for a in event.attachments],
    }
    if event.kind != "seriesMaster":
        return {**row, "originalStart": render.original_start(event)}
    exceptions = [_stored(Event(item, slot)) for slot in sorted(item.overrides)]
    cancelled = [day.isoformat() for day in sorted(item.cancelled)]
    return {**row, "exceptions": exceptions, "cancelled": cancelled}


def _instance(event: Event) -> dict[str, Any]:
    shown = render.full_row(event, Look(zone="UTC"))
    stored = render.full_row(event, AS_STORED)
    people = [
        {
            "address": person["emailAddress"]["address"],
            "type": person["type"],
            "response": person["status"]["response"],
        }
        for person in shown["attendees"]
    ]
    return {
        "iCalUId": event.ical_uid,
        "id": event.id,
        "subject": shown["subject"],
        "start": shown["start"],
        "end": shown["end"],
        "startInZone": stored["start"],
        "endInZone": stored["end"],
        "isAllDay": shown["isAllDay"],
        "location": shown["location"]["displayName"],
        "type": event.kind,
        "showAs": shown["showAs"],
        "attendees": people,
        "isCancelled": shown["isCancelled"],
    }
