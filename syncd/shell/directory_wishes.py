"""
What may be asked of a mailbox's calendars, groups, shares and categories, as values and as JSON.

Which of them can be, and what it comes down to, is `syncd.shell.directory_changes`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

import msgspec

from syncd.core.errors import CommandError
from syncd.core.state import Errand
from syncd.core.wire.dialects.graph_directory import Role, color_name

__all__ = [
    "ColorCalendar",
    "ColorCategory",
    "CreateCalendar",
    "CreateCategory",
    "CreateGroup",
    "DefaultCalendar",
    "DeleteCalendar",
    "DeleteCategory",
    "DeleteGroup",
    "OfCalendar",
    "RenameCalendar",
    "RenameGroup",
    "ShareCalendar",
    "UnshareCalendar",
    "Wish",
    "attempt_of",
    "names_moved",
    "read_wish",
    "wish_of",
    "wish_to_json",
]


class CreateCalendar(msgspec.Struct, frozen=True, tag="create-calendar"):
    """A new calendar; `group` and `color` "" leave both to the service."""

    name: str
    group: str = ""
    color: str = ""


class RenameCalendar(msgspec.Struct, frozen=True, tag="rename-calendar"):
    """Another name for a calendar."""

    calendar: str
    new: str


class ColorCalendar(msgspec.Struct, frozen=True, tag="color-calendar"):
    """Another colour for a calendar."""

    calendar: str
    color: str


class DefaultCalendar(msgspec.Struct, frozen=True, tag="default-calendar"):
    """A calendar is to be the default one."""

    calendar: str


class DeleteCalendar(msgspec.Struct, frozen=True, tag="delete-calendar"):
    """A calendar is to go. Args: calendar: its id, where a person was shown what goes."""

    calendar: str


class ShareCalendar(msgspec.Struct, frozen=True, tag="share-calendar"):
    """Somebody is to have a role; by address, or by name for the organization."""

    calendar: str
    address: str
    role: Role


class UnshareCalendar(msgspec.Struct, frozen=True, tag="unshare-calendar"):
    """Somebody's share is to end. Args: calendar: as for `DeleteCalendar`."""

    calendar: str
    address: str


class CreateGroup(msgspec.Struct, frozen=True, tag="create-group"):
    """A new calendar group."""

    name: str


class RenameGroup(msgspec.Struct, frozen=True, tag="rename-group"):
    """Another name for a group."""

    group: str
    new: str


class DeleteGroup(msgspec.Struct, frozen=True, tag="delete-group"):
    """An empty group is to go. Args: group: as for `DeleteCalendar`."""

    group: str


class CreateCategory(msgspec.Struct, frozen=True, tag="create-category"):
    """A new category. Args: color: "none" or a preset."""

    name: str
    color: str


class ColorCategory(msgspec.Struct, frozen=True, tag="color-category"):
    """Another colour for a category."""

    name: str
    color: str


class DeleteCategory(msgspec.Struct, frozen=True, tag="delete-category"):
    """A category is to leave the list. Args: name: its id, as for `DeleteCalendar`."""

    name: str


Wish = (
    CreateCalendar
    | RenameCalendar
    | ColorCalendar
    | DefaultCalendar
    | DeleteCalendar
    | ShareCalendar
    | UnshareCalendar
    | CreateGroup
    | RenameGroup
    | DeleteGroup
    | CreateCategory
    | ColorCategory
    | DeleteCategory
)
OfCalendar = (
    RenameCalendar
    | ColorCalendar
    | DefaultCalendar
    | DeleteCalendar
    | ShareCalendar
    | UnshareCalendar
)
"""Those about a calendar that is there."""


def wish_to_json(wish: Wish) -> dict[str, Any]:
    """The wish as a request to a daemon has it. Raises: CommandError: a name that is no text."""
    told: dict[str, Any] = msgspec.to_builtins(wish)
    for value in told.values():
        try:
            str(value).encode()
        except UnicodeEncodeError:
            raise CommandError(f"{value!r} is no text", hint="Write it in UTF-8.") from None
    return told


def read_wish(told: Mapping[str, Any]) -> Wish:
    """The wish that a request has. Raises: CommandError: it is none that is known."""
    try:
        wish: Wish = msgspec.convert(dict(told), Wish)
    except msgspec.ValidationError as error:
        raise CommandError(
            f"this is no change that is known: {error}",
            hint="Restart the daemon: it may be of another version than this command.",
        ) from None
    return wish


def wish_of(errand: Errand) -> Wish:
    """What was asked for, about the very thing where that is known. Raises: CommandError."""
    return read_wish(msgspec.json.decode(errand.decided or errand.asked, type=dict[str, Any]))


def attempt_of(wish: Wish) -> str:
    """What would be done, as far as the wish itself says; completes "to"."""
    match wish:
        case CreateCalendar(name, group, color):
            place = f" in the group {group!r}" if group else ""
            return f"create the calendar {name!r}{place}{f', {color}' if color else ''}"
        case RenameCalendar(calendar, new):
            return f"rename the calendar {calendar!r} to {new!r}"
        case ColorCalendar(calendar, color):
            return f"colour the calendar {calendar!r} {color}"
        case DefaultCalendar(calendar):
            return f"make {calendar!r} the default calendar"
        case DeleteCalendar(calendar):
            return f"delete the calendar {calendar!r}"
        case ShareCalendar(calendar, address, role):
            return f"give {address} the role {role} for the calendar {calendar!r}"
        case UnshareCalendar(calendar, address):
            return f"end the share of the calendar {calendar!r} with {address}"
        case CreateGroup(name):
            return f"create the calendar group {name!r}"
        case RenameGroup(group, new):
            return f"rename the calendar group {group!r} to {new!r}"
        case DeleteGroup(group):
            return f"delete the calendar group {group!r}"
        case CreateCategory(name, color):
            return f"create the category {name!r}, {color_name(color)}"
        case ColorCategory(name, color):
            return f"give the category {name!r} the colour {color_name(color)}"
        case DeleteCategory(name):
            return f"delete the category {name!r}"
        case _:
            assert_never(wish)


def names_moved(wish: Wish, titles: Mapping[str, str]) -> set[str]:
    """The names of calendars that a wish gives or takes. Args: titles: known names by id."""
    match wish:
        case CreateCalendar(name):
            return {name}
        case RenameCalendar(calendar, new):
            return {titles.get(calendar, calendar), new}
        case DeleteCalendar(calendar):
            return {titles.get(calendar, calendar)}
        case _:
            return set()
