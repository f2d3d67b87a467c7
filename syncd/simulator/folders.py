"""
Calendars, calendar groups, categories and settings of one mailbox.

Knows their wire forms and the rules for making, renaming and deleting them.
Refuses to know events; the mailbox empties a calendar before it goes.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from syncd.simulator.checks import boolean, choice, mapping, text
from syncd.simulator.errors import (
    ServiceError,
    access_denied,
    bad_body,
    folder_not_found,
    invalid_request,
    item_not_found,
)
from syncd.simulator.ids import Minter, check_shape
from syncd.simulator.zones import zone_of

__all__ = ["COLORS", "Calendar", "Category", "Folders", "Group", "Person", "Role", "Shared"]

Role = Literal[
    "none",
    "freeBusyRead",
    "limitedRead",
    "read",
    "write",
    "delegateWithoutPrivateEventAccess",
    "delegateWithPrivateEventAccess",
]

COLORS = (
    *("auto", "lightBlue", "lightGreen", "lightOrange", "lightGray", "lightYellow"),
    *("lightTeal", "lightPink", "lightBrown", "lightRed", "maxColor"),
)
MY_CALENDARS = "0006f0b7-0000-0000-c000-000000000046"
OTHER_CALENDARS = "0006f0b8-0000-0000-c000-000000000046"
PRESETS = ("none", *(f"preset{number}" for number in range(25)))
DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,12})?\Z")


@dataclass(frozen=True, slots=True)
class Person:
    """A mail address with the name shown for it."""

    name: str
    address: str

    def wire(self) -> dict[str, str]:
        """Return the `emailAddress` form."""
        return {"name": self.name, "address": self.address}


@dataclass(frozen=True, slots=True)
class Shared:
    """
    Where the events of a calendar lie that somebody else shares, and what may be done with them.

    Args: user: id of the owner's mailbox. calendar: id in there.
    """

    user: str
    calendar: str
    role: Role

    @property
    def can_edit(self) -> bool:
        """Whether events may be written."""
        return self.role == "write" or self.role.startswith("delegate")

    @property
    def can_view_private(self) -> bool:
        """Whether private events are shown; a sharee who is no delegate never sees them."""
        return self.role == "delegateWithPrivateEventAccess"


@dataclass(slots=True, eq=False)
class Calendar:
    """
    A calendar.

    Args:
        can_edit: False for one shared to the owner for reading only.
        shared: None also for a shared one whose events lie in this mailbox.
    """

    id: str
    name: str
    group: str
    change_key: str
    owner: Person
    is_default: bool = False
    can_edit: bool = True
    shared_in: bool = False
    color: str = "auto"
    shared: Shared | None = None

    @property
    def can_view_private(self) -> bool:
        """Whether private events are shown in full."""
        return not self.shared_in or (self.shared is not None and self.shared.can_view_private)

    def wire(self) -> dict[str, Any]:
        """Return the `calendar` resource."""
        return {
            "id": self.id,
            "name": self.name,
            "color": self.color,
            "hexColor": "",
            "isDefaultCalendar": self.is_default,
            "changeKey": self.change_key,
            "canShare": not self.shared_in,
            "canViewPrivateItems": self.can_view_private,
            "canEdit": self.can_edit,
            "allowedOnlineMeetingProviders": ["teamsForBusiness"],
            "defaultOnlineMeetingProvider": "teamsForBusiness",
            "isTallyingResponses": self.is_default,
            "isRemovable": not self.is_default,
            "owner": self.owner.wire(),
        }


@dataclass(slots=True, eq=False)
class Group:
    """A calendar group."""

    id: str
    name: str
    class_id: str
    change_key: str
    fixed: bool = False

    def wire(self) -> dict[str, Any]:
        """Return the `calendarGroup` resource."""
        return {
            "name": self.name,
            "classId": self.class_id,
            "changeKey": self.change_key,
            "id": self.id,
        }


@dataclass(slots=True, eq=False)
class Category:
    """A master category."""

    id: str
    name: str
    color: str

    def wire(self) -> dict[str, Any]:
        """Return the `outlookCategory` resource."""
        return {"id": self.id, "displayName": self.name, "color": self.color}


def _settings() -> dict[str, Any]:
    unset = {"dateTime": "2026-01-01T00:00:00.0000000", "timeZone": "UTC"}
    return {
        "archiveFolder": None,
        "timeZone": "UTC",
        "delegateMeetingMessageDeliveryOptions": "sendToDelegateOnly",
        "dateFormat": "yyyy-MM-dd",
        "timeFormat": "HH:mm",
        "userPurpose": "user",
        "automaticRepliesSetting": {
            "status": "disabled",
            "externalAudience": "all",
            "internalReplyMessage": "",
            "externalReplyMessage": "",
            "scheduledStartDateTime": unset,
            "scheduledEndDateTime": unset,
        },
        "language": {"locale": "en-US", "displayName": "English (United States)"},
        "workingHours": {
            "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
            "startTime": "08:00:00.0000000",
            "endTime": "17:00:00.0000000",
            "timeZone": {"name": "UTC"},
        },
    }


@dataclass(slots=True)
class Folders:
    """All containers of one mailbox."""

    owner: Person
    mint: Minter
    calendars: dict[str, Calendar] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    categories: dict[str, Category] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=_settings)
    gone: Callable[[Calendar], None] = lambda calendar: None  # told of every calendar removed

    def __post_init__(self) -> None:
        mine = self._add_group("My Calendars", MY_CALENDARS, fixed=True)
        self._add_group("Other Calendars", OTHER_CALENDARS, fixed=True)
        self.add("Calendar", group=mine.id, is_default=True)

    def _add_group(self, name: str, class_id: str, *, fixed: bool = False) -> Group:
        group = Group(self.mint.folder_id(), name, class_id, self.mint.change_key(), fixed)
        self.groups[group.id] = group
        return group

    @property
    def my_group(self) -> Group:
        """The group in which new calendars land."""
        return next(iter(self.groups.values()))

    @property
    def other_group(self) -> Group:
        """The group in which calendars of other people land."""
        return next(group for group in self.groups.values() if group.class_id == OTHER_CALENDARS)

    @property
    def default(self) -> Calendar:
        """The calendar that `/me/calendar` names."""
        return next(folder for folder in self.calendars.values() if folder.is_default)

    def calendar(self, identity: str) -> Calendar:
        """Return a calendar. Raises: ServiceError: 400 for a malformed id, 404 for an unknown."""
        found = self.calendars.get(identity)
        if found is None:
            check_shape(identity)
            raise item_not_found()
        return found

    def group(self, identity: str) -> Group:
        """Return a calendar group. Raises: ServiceError: 400 or 404."""
        found = self.groups.get(identity)
        if found is None:
            check_shape(identity)
            raise folder_not_found()
        return found

    def add(
        self,
        name: str,
        *,
        group: str = "",
        is_default: bool = False,
        can_edit: bool = True,
        owner: Person | None = None,
        color: str = "auto",
    ) -> Calendar:
        """
        Make a calendar. Args: owner: somebody else's makes it a shared one.

        Raises: ServiceError: 409 ErrorFolderExists when the group has one of that name.
        """
        place = group or self.my_group.id
        self._free(name, place)
        calendar = Calendar(
            id=self.mint.folder_id(),
            name=name,
            group=place,
            change_key=self.mint.change_key(),
            owner=owner or self.owner,
            is_default=is_default,
            can_edit=can_edit,
            shared_in=owner is not None and owner != self.owner,
            color=color,
        )
        self.calendars[calendar.id] = calendar
        return calendar

    def show(self, name: str, owner: Person, shared: Shared) -> Calendar:
        """List a calendar that somebody else shares; a later call for the same one changes it."""
        found = self.shown(shared.user, shared.calendar)
        if found is None:
            group = self.other_group.id
            found = self.add(self._unused(name, group), group=group, owner=owner)
        found.shared, found.can_edit = shared, shared.can_edit
        found.change_key = self.mint.change_key()
        return found

    def _unused(self, name: str, group: str) -> str:
        taken = {one.name.casefold() for one in self.calendars.values() if one.group == group}
        names = (name, *(f"{name} ({number})" for number in range(2, len(taken) + 3)))
        return next(each for each in names if each.casefold() not in taken)

    def shown(self, user: str, calendar: str) -> Calendar | None:
        """Return the entry for a calendar that somebody else shares."""
        for one in self.calendars.values():
            if one.shared and (one.shared.user, one.shared.calendar) == (user, calendar):
                return one
        return None

    def _free(self, name: str, group: str, but: Calendar | None = None) -> None:
        for calendar in self.calendars.values():
            same = calendar.name.casefold() == name.casefold() and calendar.group == group
            if same and calendar is not but:
                raise ServiceError(
                    409, "ErrorFolderExists", "A folder with the specified name already exists."
                )

    def create(self, body: object, group: str = "") -> Calendar:
        """Make a calendar from a POST body. Raises: ServiceError: 400 or 409."""
        sent = mapping(body, "calendar")
        name = text(sent.get("name"), "name").strip()
        if not name:
            raise bad_body("The name of a calendar must not be empty.")
        return self.add(name, group=group, color=_color(sent.get("color", "auto")))

    def change(self, identity: str, body: object) -> Calendar:
        """Rename or colour a calendar, or make it the default one. Raises: ServiceError."""
        calendar, sent = self.calendar(identity), mapping(body, "calendar")
        if "name" in sent:
            name = text(sent["name"], "name").strip()
            self._free(name, calendar.group, but=calendar)
            calendar.name = name
        if "color" in sent:
            calendar.color = _color(sent["color"])
        if "isDefaultCalendar" in sent and boolean(sent["isDefaultCalendar"], "isDefaultCalendar"):
            self.default.is_default = False
            calendar.is_default = True
        calendar.change_key = self.mint.change_key()
        return calendar

    def remove(self, identity: str) -> Calendar:
        """Delete a calendar. Raises: ServiceError: 400 for the default one."""
        calendar = self.calendar(identity)
        if calendar.is_default:
            raise ServiceError(
                400, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted."
            )
        del self.calendars[identity]
        self.gone(calendar)
        return calendar

    def in_group(self, identity: str) -> list[Calendar]:
        """Return the calendars of one group. Raises: ServiceError: 404."""
        group = self.group(identity)
        return [folder for folder in self.calendars.values() if folder.group == group.id]

    def create_group(self, body: object) -> Group:
        """Make a calendar group from a POST body. Raises: ServiceError: 400 or 409."""
        name = text(mapping(body, "calendarGroup").get("name"), "name").strip()
        if any(group.name.casefold() == name.casefold() for group in self.groups.values()):
            raise ServiceError(
                409, "ErrorFolderExists", "A folder with the specified name already exists."
            )
        return self._add_group(name, self.mint.guid())

    def change_group(self, identity: str, body: object) -> Group:
        """Rename a calendar group. Raises: ServiceError."""
        group = self.group(identity)
        group.name = text(mapping(body, "calendarGroup").get("name"), "name")
        group.change_key = self.mint.change_key()
        return group

    def remove_group(self, identity: str) -> None:
        """Delete an empty calendar group of the owner's. Raises: ServiceError."""
        group = self.group(identity)
        if group.fixed or self.in_group(identity):
            raise invalid_request("The calendar group cannot be deleted.")
        del self.groups[identity]

    def category(self, identity: str) -> Category:
        """Return a master category. Raises: ServiceError: 404."""
        if identity not in self.categories:
            raise item_not_found()
        return self.categories[identity]

    def create_category(self, body: object) -> Category:
        """Make a master category. Raises: ServiceError: 409 for a name in use."""
        sent = mapping(body, "outlookCategory")
        name = text(sent.get("displayName"), "displayName")
        if any(known.name == name for known in self.categories.values()):
            raise ServiceError(
                409, "CategoryNameDuplicate", "A category with the same name already exists."
            )
        color = choice(sent.get("color") or "none", PRESETS, "color")
        category = Category(self.mint.guid(), name, color)
        self.categories[category.id] = category
        return category

    def change_category(self, identity: str, body: object) -> Category:
        """Change a category's colour; its name is fixed. Raises: ServiceError."""
        category, sent = self.category(identity), mapping(body, "outlookCategory")
        if "displayName" in sent:
            raise invalid_request("The display name of a category cannot be changed.")
        category.color = choice(sent.get("color") or category.color, PRESETS, "color")
        return category

    def remove_category(self, identity: str) -> None:
        """Delete a master category; events keep its name. Raises: ServiceError: 404."""
        del self.categories[self.category(identity).id]

    def change_settings(self, body: object) -> Mapping[str, Any]:
        """Change mailbox settings. Raises: ServiceError: 400 for an unknown name or zone."""
        sent = {name: value for name, value in mapping(body, "settings").items() if "@" not in name}
        if unknown := sorted(set(sent) - set(self.settings)):
            raise bad_body(f"The property '{unknown[0][:60]}' does not exist on mailboxSettings.")
        if "timeZone" in sent:
            zone_of(text(sent["timeZone"], "timeZone"))
        if "workingHours" in sent:
            sent["workingHours"] = self._hours(sent["workingHours"])
        self.settings.update(sent)
        return self.settings

    def _hours(self, value: object) -> dict[str, object]:
        """Return the working hours with what was sent of them; each part is one of its own."""
        sent = mapping(value, "workingHours")
        hours = dict(self.settings["workingHours"])
        for name in sent:
            if name not in _HOURS and "@" not in name:
                raise bad_body(f"The property '{name[:60]}' does not exist on workingHours.")
        return hours | {name: read(sent[name]) for name, read in _HOURS.items() if name in sent}


def _days(value: object) -> list[str]:
    if not isinstance(value, list):
        raise bad_body("Property daysOfWeek in payload has a value that does not match schema.")
    return [choice(day, DAYS, "daysOfWeek") for day in value]


def _time(value: object) -> str:
    if not isinstance(value, str) or not _TIME.match(value):
        raise bad_body("Cannot convert the value to the expected type 'Edm.TimeOfDay'.")
    return value


_HOURS: Mapping[str, Callable[[object], object]] = {
    "daysOfWeek": _days,
    "startTime": _time,
    "endTime": _time,
    "timeZone": lambda value: mapping(value, "timeZone"),
}


def _color(value: object) -> str:
    return choice(value, COLORS, "color")


def writable(calendar: Calendar) -> Calendar:
    """Return a calendar that may be written to. Raises: ServiceError: 403."""
    if not calendar.can_edit:
        raise access_denied()
    return calendar
