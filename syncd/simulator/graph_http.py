"""
Graph v1.0 over a service: who may ask, what the path means, and how a refusal looks.

Knows the route table and the permissions each row needs. Refuses to know sockets, faults and
batches; a request is a value here and its answer another.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import product

from syncd.simulator import attachment_handlers as on_attachments
from syncd.simulator import event_handlers as on_events
from syncd.simulator import folder_handlers as on_folders
from syncd.simulator import group_handlers as on_groups
from syncd.simulator import permission_handlers as on_permissions
from syncd.simulator import place_handlers as on_places
from syncd.simulator import reminder_handlers as on_reminders
from syncd.simulator import scheduling_handlers as on_scheduling
from syncd.simulator.call import Call, Handler
from syncd.simulator.errors import ServiceError, access_denied, item_not_found
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.messages import Answer, Preferences, Request, envelope
from syncd.simulator.routes import Match, Route, Router
from syncd.simulator.service import Service
from syncd.simulator.tokens import Principal, TokenCheck, TokenRefused, refusal

__all__ = ["ROUTES", "GraphApi", "UploadApi", "event_routes"]

READ = frozenset(
    {
        *("Calendars.Read", "Calendars.ReadWrite", "Calendars.ReadBasic"),
        *("Calendars.Read.Shared", "Calendars.ReadWrite.Shared"),
    }
)
# ReadBasic shows no attachments; forwarding, though it mails people, asks for no right to write.
CONTENT = READ - {"Calendars.ReadBasic"}
WRITE = frozenset({"Calendars.ReadWrite", "Calendars.ReadWrite.Shared"})
SETTINGS = frozenset({"MailboxSettings.Read", "MailboxSettings.ReadWrite"})
SETTINGS_WRITE = frozenset({"MailboxSettings.ReadWrite"})
USER = frozenset({"User.Read", "User.ReadWrite", "User.Read.All"})
IDS = USER | {"User.ReadBasic.All"}
OF_OTHERS = frozenset({"Calendars.Read.Shared", "Calendars.ReadWrite.Shared"})
PLACES = frozenset({"Place.Read.All", "Place.ReadWrite.All"})
GROUPS = frozenset({"Group.Read.All", "Group.ReadWrite.All"})

_DEFAULT = ("calendar",)
_NAMED = (
    "calendars/{calendar}",
    "calendarGroup/calendars/{calendar}",
    "calendarGroups/{group}/calendars/{calendar}",
)


def event_routes(
    method: str, below: str, handler: Handler, scopes: frozenset[str]
) -> Iterator[Route[Handler]]:
    """Yield the rows of something that exists under every way to name a calendar."""
    for prefix in ("", *_DEFAULT, *_NAMED):
        yield Route(method, f"{prefix}/{below}", handler, scopes)


def _events() -> Iterator[Route[Handler]]:
    yield from event_routes("GET", "events", on_events.list_events, READ)
    yield from event_routes("POST", "events", on_events.create_event, WRITE)
    yield from event_routes("GET", "events/$count", on_events.count_events, READ)
    yield from event_routes("GET", "events/{event}", on_events.get_event, READ)
    yield from event_routes("PATCH", "events/{event}", on_events.patch_event, WRITE)
    yield from event_routes("DELETE", "events/{event}", on_events.delete_event, WRITE)
    yield from event_routes("GET", "events/{event}/calendar", on_events.calendar_of_event, READ)
    yield from event_routes("GET", "events/{event}/instances", on_events.instances, READ)
    yield from event_routes("GET", "calendarView", on_events.calendar_view, READ)
    yield from event_routes("GET", "calendarView/delta", on_events.delta, READ)
    for verb in ("accept", "tentativelyAccept", "decline"):
        action = on_events.respond(verb)
        yield from event_routes("POST", f"events/{{event}}/{verb}", action, WRITE)
    yield from event_routes("POST", "events/{event}/cancel", on_events.cancel_event, WRITE)
    yield from event_routes("POST", "events/{event}/forward", on_events.forward_event, CONTENT)
    yield from event_routes("POST", "events/{event}/permanentDelete", on_events.purge_event, WRITE)


def _reminders() -> Iterator[Route[Handler]]:
    yield Route("GET", "reminderView/{arguments}", on_reminders.reminder_view, CONTENT)
    for name, handler in (
        ("snoozeReminder", on_reminders.snooze_reminder),
        ("dismissReminder", on_reminders.dismiss_reminder),
    ):
        yield from event_routes("POST", f"events/{{event}}/{name}", handler, WRITE)


def _attachments() -> Iterator[Route[Handler]]:
    many, one = "events/{event}/attachments", "events/{event}/attachments/{attachment}"
    yield from event_routes("GET", many, on_attachments.list_attachments, CONTENT)
    yield from event_routes("POST", many, on_attachments.add_attachment, WRITE)
    yield from event_routes("GET", f"{many}/$count", on_attachments.count_attachments, CONTENT)
    session = f"{many}/createUploadSession"
    yield from event_routes("POST", session, on_attachments.create_upload_session, WRITE)
    yield from event_routes("GET", one, on_attachments.get_attachment, CONTENT)
    yield from event_routes("DELETE", one, on_attachments.remove_attachment, WRITE)
    yield from event_routes("GET", f"{one}/$value", on_attachments.attachment_value, CONTENT)


def _calendars() -> Iterator[Route[Handler]]:
    for method, place in product(("GET", "PATCH", "DELETE"), (*_DEFAULT, *_NAMED)):
        handler, scopes = {
            "GET": (on_folders.get_calendar, READ),
            "PATCH": (on_folders.change_calendar, WRITE),
            "DELETE": (on_folders.remove_calendar, WRITE),
        }[method]
        yield Route(method, place, handler, scopes)
    for place in (*_DEFAULT, *_NAMED):
        yield Route("POST", f"{place}/permanentDelete", on_events.purge_calendar, WRITE)
    for place in ("calendars", "calendarGroup/calendars", "calendarGroups/{group}/calendars"):
        yield Route("GET", place, on_folders.list_calendars, READ)
        yield Route("POST", place, on_folders.add_calendar, WRITE)
        yield Route("GET", f"{place}/$count", on_folders.count_calendars, READ)
    yield Route("GET", "calendarGroups", on_folders.list_groups, READ)
    yield Route("GET", "calendarGroups/$count", on_folders.count_groups, READ)
    yield Route("POST", "calendarGroups", on_folders.add_group, WRITE)
    yield Route("GET", "calendarGroups/{group}", on_folders.get_group, READ)
    yield Route("PATCH", "calendarGroups/{group}", on_folders.change_group, WRITE)
    yield Route("DELETE", "calendarGroups/{group}", on_folders.remove_group, WRITE)


def _scheduling() -> Iterator[Route[Handler]]:
    yield Route("POST", "findMeetingTimes", on_scheduling.find_meeting_times, OF_OTHERS)
    for place in (*_DEFAULT, *_NAMED):
        yield Route("POST", f"{place}/getSchedule", on_scheduling.get_schedule, CONTENT)


def _permissions() -> Iterator[Route[Handler]]:
    for place in (*_DEFAULT, *_NAMED):
        rows = f"{place}/calendarPermissions"
        yield Route("GET", rows, on_permissions.list_permissions, READ)
        yield Route("POST", rows, on_permissions.add_permission, WRITE)
        yield Route("GET", f"{rows}/{{permission}}", on_permissions.get_permission, READ)
        yield Route("PATCH", f"{rows}/{{permission}}", on_permissions.change_permission, WRITE)
        yield Route("DELETE", f"{rows}/{{permission}}", on_permissions.remove_permission, WRITE)
        roles = f"{place}/allowedCalendarSharingRoles/{{arguments}}"
        yield Route("GET", roles, on_permissions.allowed_roles, READ)


def _places() -> Iterator[Route[Handler]]:
    for namespace in ("microsoft.graph", "graph"):
        yield Route("GET", f"{namespace}.room", on_places.list_rooms, PLACES)
        yield Route("GET", f"{namespace}.roomList", on_places.list_room_lists, PLACES)
        rooms = f"{{place}}/{namespace}.roomList/rooms"
        yield Route("GET", rooms, on_places.rooms_of_list, PLACES)
    yield Route("GET", "{place}", on_places.get_place, PLACES)


def _groups() -> Iterator[Route[Handler]]:
    table: tuple[tuple[str, Handler], ...] = (
        ("events", on_events.list_events),
        ("events/$count", on_events.count_events),
        ("events/{event}", on_events.get_event),
        ("events/{event}/instances", on_events.instances),
        ("calendarView", on_events.calendar_view),
        ("calendarView/delta", on_groups.refuse_delta),
    )
    for (below, handler), prefix in product(table, ("", "calendar/")):
        yield Route("GET", prefix + below, on_groups.for_people(handler), GROUPS)
    yield Route("GET", "calendar", on_groups.for_people(on_groups.get_calendar), GROUPS)
    yield Route("GET", "", on_groups.get_group, GROUPS)


def _others() -> Iterator[Route[Handler]]:
    yield Route("GET", "", on_folders.user, USER)
    yield Route("GET", "mailboxSettings", on_folders.settings, SETTINGS)
    yield Route("PATCH", "mailboxSettings", on_folders.change_settings, SETTINGS_WRITE)
    for part in ("timeZone", "workingHours", "language", "automaticRepliesSetting"):
        yield Route("GET", f"mailboxSettings/{part}", on_folders.settings_part, SETTINGS)
    for form in ("", "(TimeZoneStandard=microsoft.graph.timeZoneStandard'Iana')"):
        yield Route("GET", f"outlook/supportedTimeZones{form}", on_folders.time_zones, USER)
    windows = "(TimeZoneStandard=microsoft.graph.timeZoneStandard'Windows')"
    yield Route("GET", f"outlook/supportedTimeZones{windows}", on_folders.time_zones, USER)
    yield Route("GET", "outlook/supportedLanguages", on_folders.supported_languages, IDS)
    yield Route("POST", "translateExchangeIds", on_folders.translate_ids, IDS)
    categories = "outlook/masterCategories"
    yield Route("GET", f"{categories}/$count", on_folders.count_categories, SETTINGS)
    yield Route("GET", categories, on_folders.list_categories, SETTINGS)
    yield Route("POST", categories, on_folders.add_category, SETTINGS_WRITE)
    one = f"{categories}/{{category}}"
    yield Route("GET", one, on_folders.get_category, SETTINGS)
    yield Route("PATCH", one, on_folders.change_category, SETTINGS_WRITE)
    yield Route("DELETE", one, on_folders.remove_category, SETTINGS_WRITE)


ROUTES: tuple[Route[Handler], ...] = (
    *_events(),
    *_reminders(),
    *_attachments(),
    *_calendars(),
    *_scheduling(),
    *_permissions(),
    *_others(),
)
PLACE_ROUTES: tuple[Route[Handler], ...] = tuple(_places())
GROUP_ROUTES: tuple[Route[Handler], ...] = tuple(_groups())


class GraphApi:
    """
    The dispatcher. Args: routes: below `/me` and `/users/{id}`; more can be added to the table.
    """

    def __init__(
        self, service: Service, tokens: TokenCheck, routes: Iterable[Route[Handler]] = ROUTES
    ) -> None:
        self.service = service
        self._tokens = tokens
        self._router = Router(routes)
        self._routers = {"places": Router(PLACE_ROUTES), "groups": Router(GROUP_ROUTES)}

    def principal(self, request: Request) -> Principal:
        """Return who asks. Raises: TokenRefused."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scheme.casefold() != "bearer" or not bearer.strip():
            raise refusal("Access token is empty.")
        return self._tokens.check(bearer.strip())

    def mailbox(self, request: Request, principal: Principal) -> tuple[Mailbox, tuple[str, ...]]:
        """
        Return the mailbox a path is about and the segments below it.

        That of a room's path is the one who asks, that of a group's path the group.
        Raises: ServiceError: 400 for `/me` asked by an application, 403 for somebody else's
            mailbox, 404 for no mailbox or group.
        """
        segments, root = request.segments, _root(request)
        if root == "places":
            user = principal.user
            return self.service.mailbox(user) if user else self.service.tenant, segments[1:]
        if root == "groups" and len(segments) > 1:
            return self.service.group(segments[1]), segments[2:]
        if root == "me":
            if principal.user is None:
                raise ServiceError(
                    400,
                    "BadRequest",
                    "/me request is only valid with delegated authentication flow.",
                )
            return self.service.mailbox(principal.user), segments[1:]
        if root == "users" and len(segments) > 1:
            mailbox = self.service.mailbox(segments[1])
            if principal.user and self.service.mailbox(principal.user) is not mailbox:
                raise access_denied()
            return mailbox, segments[2:]
        raise no_segment(segments[0] if segments else "")

    def answer(self, request: Request, principal: Principal) -> Answer:
        """Return the answer of a request whose bearer was accepted; refusals included."""
        try:
            return self._answer(request, principal)
        except ServiceError as refused:
            return self.refused(request, refused)

    def _answer(self, request: Request, principal: Principal) -> Answer:
        mailbox, below = self.mailbox(request, principal)
        match = self._match(request, below)
        _check_scopes(principal, match.route.scopes)
        if request.is_read:
            mailbox.settle()
        preferences = Preferences.read(request.headers.get("prefer", ""))
        kind = "groups" if _root(request) == "groups" else "users"
        call = Call(self.service, mailbox, request, match.params, preferences, principal, kind)
        answer = on_permissions.serve(match.route, call)
        if applied := preferences.applied(reading=request.is_read):
            answer.headers.setdefault("Preference-Applied", ", ".join(applied))
        return answer

    def _match(self, request: Request, below: tuple[str, ...]) -> Match[Handler]:
        below = tuple(_spread(below))
        router = self._routers.get(_root(request), self._router)
        match = router.match(request.method, below)
        if match is not None:
            return match
        if router.methods(below):
            raise ServiceError(
                405, "UnsupportedHttpVerb", "The HTTP method is not supported on this resource."
            )
        raise no_segment(below[-1] if below else "")

    def unauthorized(self, request: Request, refused: TokenRefused) -> Answer:
        """Return the 401 for a token that is not taken."""
        error = ServiceError(401, refused.code, "Access token has expired or is not yet valid.")
        answer = self.refused(request, error)
        answer.headers["WWW-Authenticate"] = refused.challenge
        return answer

    def refused(self, request: Request, error: ServiceError) -> Answer:
        """Return a refusal in Graph's envelope, with an id of its own."""
        request_id = self.service.mint.guid()
        client_id = request.headers.get("client-request-id", "")
        answer = envelope(error, self.service.now(), request_id, client_id)
        answer.headers["request-id"] = request_id
        return answer


class UploadApi(GraphApi):
    """
    The dispatcher of upload URLs, which carry their own right.

    They belong to another host than Graph's, whose tokens are refused there (Graph "Attach large
    files to Outlook messages or events").
    """

    def principal(self, request: Request) -> Principal:
        """Return nobody in particular. Raises: TokenRefused: for any bearer."""
        if "authorization" in request.headers:
            reason = "The audience claim value is invalid for current resource."
            raise TokenRefused("InvalidAudienceForResource", refusal(reason).challenge)
        return Principal(None, True, frozenset())

    def mailbox(self, request: Request, principal: Principal) -> tuple[Mailbox, tuple[str, ...]]:
        """Return the mailbox of a session. Raises: TokenRefused: expired; ServiceError: 404."""
        token = request.segments[-1]
        for mailbox in self.service.mailboxes:
            session = mailbox.uploads.sessions.get(token)
            if session is not None and session.expires < self.service.now():
                raise refusal("Lifetime validation failed, the token is expired.")
            if session is not None:
                return mailbox, request.segments
        raise item_not_found()

    def _answer(self, request: Request, principal: Principal) -> Answer:
        mailbox, _ = self.mailbox(request, principal)
        return on_attachments.upload(self.service, mailbox, request)


_FUNCTION = re.compile(r"(?i)(reminderView|allowedCalendarSharingRoles)\((.+)\)\Z")


def _root(request: Request) -> str:
    return request.segments[0].casefold() if request.segments else ""


def _spread(below: tuple[str, ...]) -> Iterator[str]:
    """Yield segments, the arguments of a function as one of their own, as keys are."""
    for segment in below:
        found = _FUNCTION.match(segment)
        yield from found.groups() if found else (segment,)


def no_segment(name: str) -> ServiceError:
    """Return the answer for a path that leads nowhere."""
    return ServiceError(400, "BadRequest", f"Resource not found for the segment '{name[:60]}'.")


def _check_scopes(principal: Principal, needed: frozenset[str]) -> None:
    granted = {scope.rpartition("/")[2] for scope in principal.scopes}
    if not principal.application and not granted & needed:
        raise access_denied()
