"""
Microsoft Graph v1.0 beside the events: calendars, their groups and shares, categories, rooms.

Requests and answers are values; nothing is sent here. Knows the resources of the pages "calendar",
"calendarGroup", "calendarPermission", "outlookCategory" and "room", and the words that people use
for their colours and roles. A row that could not be addressed makes the whole answer a bad one: a
write to it would be a write to what holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar, get_args
from urllib.parse import quote

import msgspec

from syncd.core.delta import NO_IDS
from syncd.core.errors import BadAnswer
from syncd.core.wire.dialects.graph_v1 import JSON, GraphV1, error_code, refuse
from syncd.core.wire.exchange import Answer, Request

__all__ = [
    "CALENDAR_COLORS",
    "CATEGORY_COLORS",
    "FIXED_GROUPS",
    "ROLES",
    "Calendar",
    "Category",
    "EmailAddress",
    "GraphDirectory",
    "Group",
    "Page",
    "Permission",
    "Role",
    "Room",
    "RoomList",
    "Row",
    "category_color",
    "color_name",
    "read_page",
    "reason",
]

CALENDAR_COLORS: Final = (
    *("auto", "lightBlue", "lightGreen", "lightOrange", "lightGray", "lightYellow"),
    *("lightTeal", "lightPink", "lightBrown", "lightRed", "maxColor"),
)
"""Graph documentation, page "calendar resource type", property `color`."""

Role = Literal[
    "read",
    "write",
    "freeBusyRead",
    "limitedRead",
    "delegateWithoutPrivateEventAccess",
    "delegateWithPrivateEventAccess",
]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
"""What somebody can be given; "none" is had by nobody in particular, "custom" only in Outlook."""

CATEGORY_COLORS: Final[Mapping[str, str]] = {
    f"preset{number}": name
    for number, name in enumerate(
        (
            *("Red", "Orange", "Brown", "Yellow", "Green", "Teal", "Olive", "Blue", "Purple"),
            *("Cranberry", "Steel", "DarkSteel", "Gray", "DarkGray", "Black", "DarkRed"),
            *("DarkOrange", "DarkBrown", "DarkYellow", "DarkGreen", "DarkTeal", "DarkOlive"),
            *("DarkBlue", "DarkPurple", "DarkCranberry"),
        )
    )
}
"""What Outlook calls the presets (Graph documentation, page "outlookCategory resource type")."""

FIXED_GROUPS: Final = frozenset(
    ("0006f0b7-0000-0000-c000-000000000046", "0006f0b8-0000-0000-c000-000000000046")
)
"""The classes of Outlook's own groups, "My Calendars" and "Other Calendars" in any language."""

MOST_REASON_CHARS = 200
T = TypeVar("T")


# --- rows ----------------------------------------------------------------------------------------


class Row(msgspec.Struct, frozen=True, rename="camel"):
    """What every row has."""

    id: str

    @property
    def title(self) -> str:
        """What people call it, "" where it has no name."""
        return ""


R = TypeVar("R", bound=Row)


class EmailAddress(msgspec.Struct, frozen=True):
    """A person, or the whole organization, which has no address."""

    name: str | None = None
    address: str | None = None


class Calendar(Row, frozen=True, rename="camel"):
    """One calendar; `is_removable` False is the default one, `can_share` False another person's."""

    name: str | None = None
    color: str | None = None
    is_default_calendar: bool | None = None
    is_removable: bool | None = None
    can_edit: bool | None = None
    can_share: bool | None = None
    can_view_private_items: bool | None = None
    default_online_meeting_provider: str | None = None
    owner: EmailAddress | None = None

    @property
    def title(self) -> str:
        """Its name."""
        return self.name or ""


class Group(Row, frozen=True, rename="camel"):
    """A calendar group."""

    name: str | None = None
    class_id: str | None = None

    @property
    def title(self) -> str:
        """Its name."""
        return self.name or ""

    @property
    def is_fixed(self) -> bool:
        """Whether it is one of Outlook's own, which stay."""
        return (self.class_id or "").casefold() in FIXED_GROUPS


class Permission(Row, frozen=True, rename="camel"):
    """What somebody may do with a calendar; `role` is any text that the service has."""

    role: str | None = None
    allowed_roles: list[str] | None = None
    email_address: EmailAddress | None = None
    is_inside_organization: bool | None = None
    is_removable: bool | None = None

    @property
    def address(self) -> str:
        """Whose it is; "" for the organization's."""
        return (self.email_address and self.email_address.address) or ""

    @property
    def title(self) -> str:
        """The name shown for them."""
        return (self.email_address and self.email_address.name) or ""


class Category(Row, frozen=True, rename="camel"):
    """A category of the mailbox's list; an event may have others."""

    display_name: str | None = None
    color: str | None = None

    @property
    def title(self) -> str:
        """Its name."""
        return self.display_name or ""

    @property
    def color_name(self) -> str:
        """What Outlook calls its colour."""
        return color_name(self.color or "none")


class Room(Row, frozen=True, rename="camel"):
    """A room."""

    display_name: str | None = None
    email_address: str | None = None
    capacity: int | None = None
    building: str | None = None
    floor_label: str | None = None
    floor_number: int | None = None
    label: str | None = None
    nickname: str | None = None
    tags: list[str] | None = None

    @property
    def title(self) -> str:
        """Its name."""
        return self.display_name or ""

    @property
    def floor(self) -> str:
        """The floor as its people call it."""
        number = "" if self.floor_number is None else str(self.floor_number)
        return self.floor_label or number

    def mentions(self, text: str) -> bool:
        """Say whether `text` is in one of the room's texts, case aside."""
        said = (self.display_name, self.email_address, self.building, self.floor_label, self.label)
        everything = (*said, self.nickname, *(self.tags or ()))
        return any(text.casefold() in one.casefold() for one in everything if one)


class RoomList(Row, frozen=True, rename="camel"):
    """A list of rooms, which goes by its address."""

    display_name: str | None = None
    email_address: str | None = None

    @property
    def title(self) -> str:
        """Its name."""
        return self.display_name or ""

    def mentions(self, text: str) -> bool:
        """Say whether `text` is in its name or address, case aside."""
        said = (self.display_name, self.email_address)
        return any(text.casefold() in one.casefold() for one in said if one)


# --- answers -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list, and the link to more, "" after the last."""

    rows: tuple[T, ...]
    next_link: str


class _Page(msgspec.Struct):
    value: list[msgspec.Raw]
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")


class _Said(msgspec.Struct):
    message: str = ""


class _Refusal(msgspec.Struct):
    error: _Said | None = None


# msgspec's own, and what it lets through: a text that is no UTF-8, brackets without end.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_page(answer: Answer, kind: type[R], label: str) -> Page[R]:
    """One page of a list. Raises: RefusedByService; BadAnswer: also for a row without an id."""
    refuse(answer, label)
    page = _decoded(answer.body, _Page, label)
    rows = tuple(_decoded(raw, kind, label) for raw in page.value)
    if any(row.id in NO_IDS for row in rows):
        raise BadAnswer(f"the service's answer to {label} has a row that nothing can name")
    return Page(rows, page.next_link or "")


def _decoded(raw: bytes | msgspec.Raw, kind: type[T], label: str) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except _UNREADABLE as error:
        raise BadAnswer(f"the service's answer to {label} cannot be read: {error}") from None


def reason(answer: Answer) -> str:
    """Why the service refused, in its own words: status, innermost code, message."""
    try:
        refusal = msgspec.json.decode(answer.body, type=_Refusal)
        message = refusal.error.message if refusal.error is not None else ""
    except _UNREADABLE:
        message = ""
    told = " ".join(message.split())[:MOST_REASON_CHARS]
    named = f"{answer.status} {error_code(answer)}".rstrip()
    return f"{named}: {told}" if told else named


def color_name(preset: str) -> str:
    """What Outlook calls a preset; as the service has it where it calls it nothing."""
    return CATEGORY_COLORS.get(preset, preset)


def category_color(written: str) -> str | None:
    """
    The preset of a colour, written as Graph or as Outlook does; None where there is none such.

    Case, spaces and hyphens do not count: "Dark red", "dark-red", "DarkRed" and "preset15" are one.
    """
    plain = "".join(c for c in written.casefold() if c not in " -_")
    named = {name.casefold(): preset for preset, name in CATEGORY_COLORS.items()}
    known = named | {preset: preset for preset in CATEGORY_COLORS} | {"none": "none"}
    return known.get(plain)


# --- requests ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GraphDirectory:
    """The requests of one mailbox; `user` is "me", an id or a user principal name."""

    user: str

    @property
    def root(self) -> str:
        """The mailbox's path."""
        return GraphV1(self.user).root

    def follow(self, link: str, label: str) -> Request:
        """A link of the service's, verbatim."""
        return Request("GET", link, label=label)

    # -- calendars

    def calendars(self) -> Request:
        """All calendars; paged."""
        return Request("GET", f"{self.root}/calendars?$top=100", label="calendars")

    def create_calendar(self, name: str, color: str = "", group: str = "") -> Request:
        """A new calendar. Args: group: its id; "" is the mailbox's own choice."""
        place = f"{self._group(group)}/calendars" if group else f"{self.root}/calendars"
        body = {"name": name} | ({"color": color} if color else {})
        return _write("POST", place, body, "calendar.create")

    def rename_calendar(self, calendar: str, name: str) -> Request:
        """Another name."""
        return _write("PATCH", self._calendar(calendar), {"name": name}, "calendar.rename")

    def color_calendar(self, calendar: str, color: str) -> Request:
        """Another colour, one of `CALENDAR_COLORS`."""
        return _write("PATCH", self._calendar(calendar), {"color": color}, "calendar.color")

    def make_default(self, calendar: str) -> Request:
        """The one that new events go to; the mailbox has one of them."""
        body = {"isDefaultCalendar": True}
        return _write("PATCH", self._calendar(calendar), body, "calendar.default")

    def delete_calendar(self, calendar: str) -> Request:
        """Away with a calendar and what is in it."""
        return Request("DELETE", self._calendar(calendar), label="calendar.delete")

    # -- groups

    def groups(self) -> Request:
        """The calendar groups; paged."""
        return Request("GET", f"{self.root}/calendarGroups?$top=100", label="calendarGroups")

    def calendars_of(self, group: str) -> Request:
        """The calendars of a group; paged."""
        path = f"{self._group(group)}/calendars?$top=100"
        return Request("GET", path, label="calendarGroup.calendars")

    def create_group(self, name: str) -> Request:
        """A new group."""
        return _write("POST", f"{self.root}/calendarGroups", {"name": name}, "calendarGroup.create")

    def rename_group(self, group: str, name: str) -> Request:
        """Another name."""
        return _write("PATCH", self._group(group), {"name": name}, "calendarGroup.rename")

    def delete_group(self, group: str) -> Request:
        """Away with a group; whether one with calendars in it goes is not documented."""
        return Request("DELETE", self._group(group), label="calendarGroup.delete")

    # -- shares

    def permissions(self, calendar: str) -> Request:
        """Who may do what with a calendar; paged."""
        return Request("GET", self._permissions(calendar), label="calendarPermissions")

    def share(self, calendar: str, address: str, role: Role) -> Request:
        """
        Share a calendar with somebody new.

        The service mails them an invitation, which nothing can prevent.
        """
        body = {"emailAddress": {"name": address, "address": address}, "role": role}
        return _write("POST", self._permissions(calendar), body, "calendarPermission.create")

    def change_role(self, calendar: str, permission: str, role: Role) -> Request:
        """Another role for somebody."""
        path = f"{self._permissions(calendar)}/{quote(permission, safe='')}"
        return _write("PATCH", path, {"role": role}, "calendarPermission.change")

    def unshare(self, calendar: str, permission: str) -> Request:
        """An end to somebody's share."""
        path = f"{self._permissions(calendar)}/{quote(permission, safe='')}"
        return Request("DELETE", path, label="calendarPermission.delete")

    # -- categories

    def categories(self) -> Request:
        """The mailbox's list of categories; paged."""
        return Request("GET", self._categories, label="masterCategories")

    def create_category(self, name: str, color: str) -> Request:
        """A new category; its name is for ever. Args: color: "none" or a preset."""
        body = {"displayName": name, "color": color}
        return _write("POST", self._categories, body, "masterCategory.create")

    def color_category(self, category: str, color: str) -> Request:
        """Another colour."""
        path = f"{self._categories}/{quote(category, safe='')}"
        return _write("PATCH", path, {"color": color}, "masterCategory.color")

    def delete_category(self, category: str) -> Request:
        """Off the list; events keep its name."""
        path = f"{self._categories}/{quote(category, safe='')}"
        return Request("DELETE", path, label="masterCategory.delete")

    # -- rooms

    def rooms(self) -> Request:
        """All rooms of the organization; paged."""
        return Request("GET", "/places/microsoft.graph.room", label="rooms")

    def room_lists(self) -> Request:
        """All room lists; paged."""
        return Request("GET", "/places/microsoft.graph.roomlist", label="roomLists")

    def rooms_of(self, address: str) -> Request:
        """
        The rooms of a list, by its address (by its id the service finds nothing); paged.

        Raises: BadAnswer: nothing can go by that address.
        """
        if address in NO_IDS:
            raise BadAnswer("the service names a room list without an address")
        path = f"/places/{quote(address, safe='@')}/microsoft.graph.roomlist/rooms"
        return Request("GET", path, label="roomList.rooms")

    # -- paths

    def _calendar(self, calendar: str) -> str:
        return f"{self.root}/calendars/{quote(calendar, safe='')}"

    def _group(self, group: str) -> str:
        return f"{self.root}/calendarGroups/{quote(group, safe='')}"

    def _permissions(self, calendar: str) -> str:
        return f"{self._calendar(calendar)}/calendarPermissions"

    @property
    def _categories(self) -> str:
        return f"{self.root}/outlook/masterCategories"


def _write(
    method: Literal["POST", "PATCH"], path: str, body: Mapping[str, Any], label: str
) -> Request:
    return Request(method, path, headers=JSON, body=msgspec.json.encode(body), label=label)
