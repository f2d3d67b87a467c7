"""
Calendars, calendar groups, categories and settings of one mailbox.

Knows their wire forms and the rules for making, renaming and deleting them.
Refuses to know events; the mailbox empties a calendar before it goes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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

__all__ = ["COLORS", "Calendar", "Category", "Folders", "Group", "Person"]

COLORS = (
    *("auto", "lightBlue", "lightGreen", "lightOrange", "lightGray", "lightYellow"),
    *("lightTeal", "lightPink", "lightBrown", "lightRed", "maxColor"),
)
MY_CALENDARS = "0006f0b7-0000-0000-c000-000000000046"
OTHER_CALENDARS = "0006f0b8-0000-0000-c000-000000000046"
PRESETS = ("none", *(f"preset{number}" for number in range(25)))


@dataclass(frozen=True, slots=True)
class Person:
    """A mail address with the name shown for it."""

    name: str
    address: str

    def wire(self) -> dict[str, str]:
        """Return the `emailAddress` form."""
        return {"name": self.name, "address": self.address}


@dataclass(slots=True, eq=False)
class Calendar:
    """A calendar. Args: can_edit: False for one shared to the owner for reading only."""

    id: str
    name: str
    group: str
    change_key: str
    owner: Person
    is_default: bool = False
    can_edit: bool = True
    shared_in: bool = False
    color: str = "auto"

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
            "canViewPrivateItems": not self.shared_in,
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
        self.settings.update(sent)
        return self.settings


def _color(value: object) -> str:
    return choice(value, COLORS, "color")


def writable(calendar: Calendar) -> Calendar:
    """Return a calendar that may be written to. Raises: ServiceError: 403."""
    if not calendar.can_edit:
        raise access_denied()
    return calendar
