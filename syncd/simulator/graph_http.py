"""
Graph v1.0 over a service: who may ask, what the path means, and how a refusal looks.

Knows the route table and the permissions each row needs. Refuses to know sockets, faults and
batches; a request is a value here and its answer another.
"""

from collections.abc import Iterable, Iterator
from itertools import product

from syncd.simulator import event_handlers as on_events
from syncd.simulator import folder_handlers as on_folders
from syncd.simulator.call import Call, Handler
from syncd.simulator.errors import ServiceError, access_denied
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.messages import Answer, Preferences, Request, envelope
from syncd.simulator.routes import Match, Route, Router
from syncd.simulator.service import Service
from syncd.simulator.tokens import Principal, TokenCheck, TokenRefused, refusal

__all__ = ["ROUTES", "GraphApi", "event_routes"]

READ = frozenset(
    {
        *("Calendars.Read", "Calendars.ReadWrite", "Calendars.ReadBasic"),
        *("Calendars.Read.Shared", "Calendars.ReadWrite.Shared"),
    }
)
WRITE = frozenset({"Calendars.ReadWrite", "Calendars.ReadWrite.Shared"})
SETTINGS = frozenset({"MailboxSettings.Read", "MailboxSettings.ReadWrite"})
SETTINGS_WRITE = frozenset({"MailboxSettings.ReadWrite"})
USER = frozenset({"User.Read", "User.ReadWrite", "User.Read.All"})

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


def _calendars() -> Iterator[Route[Handler]]:
    for method, place in product(("GET", "PATCH", "DELETE"), (*_DEFAULT, *_NAMED)):
        handler, scopes = {
            "GET": (on_folders.get_calendar, READ),
            "PATCH": (on_folders.change_calendar, WRITE),
            "DELETE": (on_folders.remove_calendar, WRITE),
        }[method]
        yield Route(method, place, handler, scopes)
    for place in ("calendars", "calendarGroup/calendars", "calendarGroups/{group}/calendars"):
        yield Route("GET", place, on_folders.list_calendars, READ)
        yield Route("POST", place, on_folders.add_calendar, WRITE)
    yield Route("GET", "calendarGroups", on_folders.list_groups, READ)
    yield Route("POST", "calendarGroups", on_folders.add_group, WRITE)
    yield Route("GET", "calendarGroups/{group}", on_folders.get_group, READ)
    yield Route("PATCH", "calendarGroups/{group}", on_folders.change_group, WRITE)
    yield Route("DELETE", "calendarGroups/{group}", on_folders.remove_group, WRITE)


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
    categories = "outlook/masterCategories"
    yield Route("GET", categories, on_folders.list_categories, SETTINGS)
    yield Route("POST", categories, on_folders.add_category, SETTINGS_WRITE)
    one = f"{categories}/{{category}}"
    yield Route("GET", one, on_folders.get_category, SETTINGS)
    yield Route("PATCH", one, on_folders.change_category, SETTINGS_WRITE)
    yield Route("DELETE", one, on_folders.remove_category, SETTINGS_WRITE)


ROUTES: tuple[Route[Handler], ...] = (*_events(), *_calendars(), *_others())


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

    def principal(self, request: Request) -> Principal:
        """Return who asks. Raises: TokenRefused."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scheme.casefold() != "bearer" or not bearer.strip():
            raise refusal("Access token is empty.")
        return self._tokens.check(bearer.strip())

    def mailbox(self, request: Request, principal: Principal) -> tuple[Mailbox, tuple[str, ...]]:
        """
        Return the mailbox a path is about and the segments below it.

        Raises: ServiceError: 400 for `/me` asked by an application, 403 for somebody else's
            mailbox, 404 for no mailbox.
        """
        segments = request.segments
        root = segments[0].casefold() if segments else ""
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
        answer = match.route.handler(
            Call(self.service, mailbox, request, match.params, preferences)
        )
        if applied := preferences.applied(reading=request.is_read):
            answer.headers["Preference-Applied"] = ", ".join(applied)
        return answer

    def _match(self, request: Request, below: tuple[str, ...]) -> Match[Handler]:
        match = self._router.match(request.method, below)
        if match is not None:
            return match
        if self._router.methods(below):
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


def no_segment(name: str) -> ServiceError:
    """Return the answer for a path that leads nowhere."""
    return ServiceError(400, "BadRequest", f"Resource not found for the segment '{name[:60]}'.")


def _check_scopes(principal: Principal, needed: frozenset[str]) -> None:
    granted = {scope.rpartition("/")[2] for scope in principal.scopes}
    if not principal.application and not granted & needed:
        raise access_denied()
