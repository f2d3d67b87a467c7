"""
Changes of what a mailbox has beside events: calendars, groups, shares, categories.

A change is a wish, which any process can state in JSON; decided, it is one request and a way to see
whether it took effect. Nothing is sent twice: an answer that got lost is settled by looking, and
what looking does not show is an error that says so. Prints nothing and asks nobody.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, assert_never

import msgspec

from syncd.core.errors import CommandError, ExitCode, StateError, SyncdError
from syncd.core.wire.dialects.graph_directory import (
    Calendar,
    GraphDirectory,
    Permission,
    Role,
    Row,
    color_name,
)
from syncd.core.wire.dialects.graph_v1 import GraphV1
from syncd.ports import Answered, Lost, Request, Unsent
from syncd.shell.config_model import Account
from syncd.shell.directory import (
    CALENDARS_WRITE,
    SETTINGS_WRITE,
    Directory,
    directory_of,
    find_row,
)
from syncd.shell.forgetting import known_calendars
from syncd.shell.mailbox import Mailbox
from syncd.shell.output import counted
from syncd.shell.workshop import Workshop

__all__ = [
    "ColorCalendar",
    "ColorCategory",
    "CreateCalendar",
    "CreateCategory",
    "CreateGroup",
    "Deed",
    "DefaultCalendar",
    "DeleteCalendar",
    "DeleteCategory",
    "DeleteGroup",
    "Idle",
    "RenameCalendar",
    "RenameGroup",
    "ShareCalendar",
    "UnshareCalendar",
    "Wish",
    "carry_out",
    "decided",
    "wish_to_json",
]

R = TypeVar("R", bound=Row)


# --- wishes --------------------------------------------------------------------------------------


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


def wish_to_json(wish: Wish) -> dict[str, Any]:
    """The wish as a request to a daemon has it. Raises: CommandError: a name that is no text."""
    told: dict[str, Any] = msgspec.to_builtins(wish)
    for value in told.values():
        try:
            str(value).encode()
        except UnicodeEncodeError:
            raise CommandError(f"{value!r} is no text", hint="Write it in UTF-8.") from None
    return told


def _read_wish(told: Mapping[str, Any]) -> Wish:
    try:
        wish: Wish = msgspec.convert(dict(told), Wish)
    except msgspec.ValidationError as error:
        raise CommandError(
            f"this is no change that is known: {error}",
            hint="Restart the daemon: it may be of another version than this command.",
        ) from None
    return wish


# --- deciding ------------------------------------------------------------------------------------

Look = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Deed:
    """
    A wish that is decided: one request, and how to see that it took effect.

    Args:
        wish: the same, about this very thing, whatever its name is by then. attempt: completes
            "to". done: a sentence for afterwards. told: what comes of it, in sentences.
        scope: the permission it needs. of_calendars: whether calendars are other ones after it.
        folder: of a calendar, whose metadata are others after it.
    """

    wish: Wish
    attempt: str
    done: str
    request: Request
    look: Look
    told: tuple[str, ...] = ()
    scope: str = CALENDARS_WRITE
    of_calendars: bool = False
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Idle:
    """A wish that is fulfilled already; `done` says so."""

    done: str


@dataclass(frozen=True, slots=True)
class _Desk:
    """Args: addresses: of the mailbox's owner, in lower case."""

    workshop: Workshop
    mailbox: Mailbox
    directory: Directory
    addresses: tuple[str, ...]

    @property
    def account(self) -> Account:
        return self.mailbox.account

    @property
    def graph(self) -> GraphDirectory:
        return self.directory.graph


async def decided(workshop: Workshop, account: str, wish: Wish) -> Deed | Idle:
    """
    What a wish comes down to; nothing is written.

    Raises: CommandError: it cannot be, or names what is not there. StateError: the account is
    signed in to another mailbox than before. SyncdError: the service cannot be asked.
    """
    return await _decided(await _desk(workshop, account), wish)


async def _desk(workshop: Workshop, account: str) -> _Desk:
    directory = directory_of(workshop, account)
    directory.refuse_group()
    name = directory.account.name
    graph = GraphV1(directory.account.user_id)
    found = graph.read_identity(await directory.remote.read(graph.identity()))
    known = await workshop.store.account(name)
    if known is not None and known.user_id and known.user_id != found.user_id:
        raise StateError(
            f"account {name!r} is signed in to another mailbox than before",
            hint="Sign in as before, or give the other mailbox an account name of its own.",
        )
    return _Desk(workshop, workshop.mailboxes[name], directory, found.addresses)


async def _decided(desk: _Desk, wish: Wish) -> Deed | Idle:
    match wish:
        case CreateCalendar():
            return await _create_calendar(desk, wish)
        case RenameCalendar():
            return await _rename_calendar(desk, wish)
        case ColorCalendar():
            return await _color_calendar(desk, wish)
        case DefaultCalendar():
            return await _default_calendar(desk, wish)
        case DeleteCalendar():
            return await _delete_calendar(desk, wish)
        case ShareCalendar():
            return await _share_calendar(desk, wish)
        case UnshareCalendar():
            return await _unshare_calendar(desk, wish)
        case CreateGroup():
            return await _create_group(desk, wish)
        case RenameGroup():
            return await _rename_group(desk, wish)
        case DeleteGroup():
            return await _delete_group(desk, wish)
        case CreateCategory():
            return await _create_category(desk, wish)
        case ColorCategory():
            return await _color_category(desk, wish)
        case DeleteCategory():
            return await _delete_category(desk, wish)
        case _:
            assert_never(wish)


def _seen(read: Callable[[], Awaitable[list[R]]], holds: Callable[[R], bool]) -> Look:
    """Whether any row is so."""

    async def look() -> bool:
        return any(holds(row) for row in await read())

    return look


def _gone(read: Callable[[], Awaitable[list[R]]], row: Row) -> Look:
    """Whether a row is not listed any more."""

    async def look() -> bool:
        return all(one.id != row.id for one in await read())

    return look


def _proper(name: str, what: str) -> str:
    """A new name as it is sent. Raises: CommandError: there is nothing of it."""
    if not name.strip():
        raise CommandError(f"a {what} has to have a name", hint="Write one.")
    return name.strip()


def _refuse_taken(what: str, name: str, rows: Sequence[Row], *, but: str = "") -> None:
    if any(row.title.casefold() == name.casefold() and row.id != but for row in rows):
        raise CommandError(f"there is a {what} {name!r} already", hint="Choose another name.")


# -- calendars


async def _create_calendar(desk: _Desk, wish: CreateCalendar) -> Deed:
    name = _proper(wish.name, "calendar")
    group = await desk.directory.group(wish.group) if wish.group else None
    before = {row.id for row in await desk.directory.calendars()}
    place = f" in the group {group.title!r}" if group else ""
    color = f", {wish.color}" if wish.color else ""
    return Deed(
        wish=wish,
        attempt=f"create the calendar {name!r}{place}{color}",
        done=f"Calendar {name!r} is created{place}.",
        request=desk.graph.create_calendar(name, wish.color, group.id if group else ""),
        look=_seen(
            desk.directory.calendars, lambda row: row.title == name and row.id not in before
        ),
        told=_left_out(desk.account, name),
        of_calendars=True,
    )


def _left_out(account: Account, name: str) -> tuple[str, ...]:
    if account.calendar_filter.admits(name):
        return ()
    return ("It is not followed: `calendar_filter` in the configuration leaves it out.",)


async def _rename_calendar(desk: _Desk, wish: RenameCalendar) -> Deed | Idle:
    name = _proper(wish.new, "calendar")
    if name.startswith(f"{desk.account.name}/"):
        rest = name.partition("/")[2]
        raise CommandError(
            f"the new name {name!r} begins with the account's", hint=f"Write {rest!r} alone."
        )
    calendar = await desk.directory.calendar(wish.calendar)
    if calendar.title == name:
        return Idle(f"Calendar {name!r} is called so already.")
    return Deed(
        wish=RenameCalendar(calendar.id, wish.new),
        attempt=f"rename the calendar {calendar.title!r} to {name!r}",
        done=f"Calendar {calendar.title!r} is called {name!r} now.",
        request=desk.graph.rename_calendar(calendar.id, name),
        look=_seen(
            desk.directory.calendars, lambda row: row.id == calendar.id and row.title == name
        ),
        told=(*_of_old_name(desk.account, calendar.title), *_left_out(desk.account, name)),
        of_calendars=True,
        folder=(await desk.directory.folders()).get(calendar.id, ""),
    )


def _of_old_name(account: Account, name: str) -> tuple[str, ...]:
    if name not in account.calendars:
        return ()
    return (f"The configuration has settings for {name!r}: rename them there as well.",)


async def _color_calendar(desk: _Desk, wish: ColorCalendar) -> Deed | Idle:
    calendar = await desk.directory.calendar(wish.calendar)
    if calendar.color == wish.color:
        return Idle(f"Calendar {calendar.title!r} is {wish.color} already.")
    return Deed(
        wish=ColorCalendar(calendar.id, wish.color),
        attempt=f"colour the calendar {calendar.title!r} {wish.color}",
        done=f"Calendar {calendar.title!r} is {wish.color} now.",
        request=desk.graph.color_calendar(calendar.id, wish.color),
        look=_seen(
            desk.directory.calendars, lambda row: row.id == calendar.id and row.color == wish.color
        ),
        of_calendars=True,
        folder=(await desk.directory.folders()).get(calendar.id, ""),
    )


async def _default_calendar(desk: _Desk, wish: DefaultCalendar) -> Deed | Idle:
    calendar = await desk.directory.calendar(wish.calendar)
    if calendar.is_default_calendar:
        return Idle(f"Calendar {calendar.title!r} is the default one already.")
    return Deed(
        wish=DefaultCalendar(calendar.id),
        attempt=f"make {calendar.title!r} the default calendar",
        done=f"Calendar {calendar.title!r} is the default one now.",
        request=desk.graph.make_default(calendar.id),
        look=_seen(
            desk.directory.calendars,
            lambda row: row.id == calendar.id and row.is_default_calendar is True,
        ),
    )


async def _delete_calendar(desk: _Desk, wish: DeleteCalendar) -> Deed:
    calendar = await desk.directory.calendar(wish.calendar)
    if calendar.is_default_calendar:
        raise CommandError(
            f"calendar {calendar.title!r} is the default one, which cannot go",
            hint="Make another the default first: `syncd calendars default NAME`.",
        )
    if calendar.is_removable is False:
        raise CommandError(
            f"calendar {calendar.title!r} is one of Outlook's own, which cannot go",
            hint="Leave it out by `calendar_filter` in the configuration.",
        )
    return Deed(
        wish=DeleteCalendar(calendar.id),
        attempt=f"delete the calendar {calendar.title!r}",
        done=f"Calendar {calendar.title!r} is deleted.",
        request=desk.graph.delete_calendar(calendar.id),
        look=_gone(desk.directory.calendars, calendar),
        told=await _lost_with(desk, calendar),
        of_calendars=True,
    )


async def _lost_with(desk: _Desk, calendar: Calendar) -> tuple[str, ...]:
    """What goes with a calendar, as far as it is known here, and what stays."""
    owner = ((calendar.owner and calendar.owner.address) or "").casefold()
    if owner and owner not in desk.addresses:
        return (f"It is shared by {owner}: only your own entry for it goes.",)
    for one in await known_calendars(desk.workshop.config, desk.workshop.store):
        if (one.record.account, one.record.id) == (desk.account.name, calendar.id):
            folder = desk.workshop.config.export_dir / one.record.account / one.record.folder
            waits = "write that still waits is", "writes that still wait are"
            return (
                f"With it goes every event in it; {counted(one.items, 'item')} known here.",
                *((f"{counted(one.pending, *waits)} not sent.",) if one.pending else ()),
                f"Its folder stays with all its files: {folder}",
            )
    return ("With it goes every event in it; how many is not known here: it is not followed.",)


# -- shares


async def _share_calendar(desk: _Desk, wish: ShareCalendar) -> Deed | Idle:
    calendar, shares = await _shares(desk, wish.calendar)
    found = _share_of(shares, wish.address)
    if found is None:
        return _new_share(desk, calendar, wish.address, wish.role)
    who, role = found.address or found.title, wish.role
    if found.role == role:
        return Idle(f"{who} has the role {role} for {calendar.title!r} already.")
    if found.allowed_roles and role not in found.allowed_roles:
        raise CommandError(
            f"{who} cannot have the role {role} for {calendar.title!r}",
            hint=f"There is: {', '.join(found.allowed_roles)}.",
        )
    return Deed(
        wish=ShareCalendar(calendar.id, wish.address, role),
        attempt=f"give {who} the role {role} for the calendar {calendar.title!r}",
        done=f"{who} has the role {role} for {calendar.title!r} now.",
        request=desk.graph.change_role(calendar.id, found.id, role),
        look=_seen(
            lambda: desk.directory.permissions(calendar),
            lambda row: row.id == found.id and row.role == role,
        ),
    )


def _new_share(desk: _Desk, calendar: Calendar, address: str, role: Role) -> Deed:
    if not _ADDRESS.fullmatch(address):
        raise CommandError(
            f"{address!r} is no mail address",
            hint="Write the address alone, or a name that `syncd calendars share` lists.",
        )
    wanted = address.casefold()
    return Deed(
        wish=ShareCalendar(calendar.id, address, role),
        attempt=f"share the calendar {calendar.title!r} with {address} in the role {role}",
        done=f"Calendar {calendar.title!r} is shared with {address} in the role {role}.",
        request=desk.graph.share(calendar.id, address, role),
        look=_seen(
            lambda: desk.directory.permissions(calendar),
            lambda row: row.address.casefold() == wanted and row.role == role,
        ),
        told=(f"The service mails {address} an invitation.",),
    )


# No more than guards against a slip: what an address is, the service knows.
_ADDRESS: Final = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")


async def _unshare_calendar(desk: _Desk, wish: UnshareCalendar) -> Deed:
    calendar, shares = await _shares(desk, wish.calendar)
    found = _share_of(shares, wish.address)
    if found is None:
        raise CommandError(
            f"calendar {calendar.title!r} is not shared with {wish.address!r}",
            hint="`syncd calendars share CALENDAR` lists with whom.",
        )
    who = found.address or found.title
    if found.is_removable is False:
        raise CommandError(
            f"the share of {calendar.title!r} with {who} cannot be removed",
            hint="Give it another role, for example `--role freeBusyRead`.",
        )
    return Deed(
        wish=UnshareCalendar(calendar.id, wish.address),
        attempt=f"end the share of the calendar {calendar.title!r} with {who}",
        done=f"Calendar {calendar.title!r} is not shared with {who} any more.",
        request=desk.graph.unshare(calendar.id, found.id),
        look=_gone(lambda: desk.directory.permissions(calendar), found),
        told=("Sharing it again would mail them an invitation.",),
    )


async def _shares(desk: _Desk, written: str) -> tuple[Calendar, list[Permission]]:
    """A calendar of the owner's and its shares. Raises: CommandError."""
    calendar = await desk.directory.calendar(written)
    if calendar.can_share is False:
        raise CommandError(
            f"calendar {calendar.title!r} is not yours to share", hint="Its owner can share it."
        )
    return calendar, await desk.directory.permissions(calendar)


def _share_of(shares: Sequence[Permission], written: str) -> Permission | None:
    """Somebody's share, by address; by its name, where it is the organization's."""
    wanted = written.casefold()
    for one in shares:
        if wanted == (one.address or one.title).casefold():
            return one
    return None


# -- groups


async def _create_group(desk: _Desk, wish: CreateGroup) -> Deed:
    name = _proper(wish.name, "calendar group")
    before = await desk.directory.groups()
    _refuse_taken("calendar group", name, before)
    known = {row.id for row in before}
    return Deed(
        wish=wish,
        attempt=f"create the calendar group {name!r}",
        done=f"Calendar group {name!r} is created.",
        request=desk.graph.create_group(name),
        look=_seen(desk.directory.groups, lambda row: row.title == name and row.id not in known),
    )


async def _rename_group(desk: _Desk, wish: RenameGroup) -> Deed | Idle:
    name = _proper(wish.new, "calendar group")
    before = await desk.directory.groups()
    group = find_row("calendar group", wish.group, before)
    if group.title == name:
        return Idle(f"Calendar group {name!r} is called so already.")
    _refuse_taken("calendar group", name, before, but=group.id)
    return Deed(
        wish=RenameGroup(group.id, wish.new),
        attempt=f"rename the calendar group {group.title!r} to {name!r}",
        done=f"Calendar group {group.title!r} is called {name!r} now.",
        request=desk.graph.rename_group(group.id, name),
        look=_seen(desk.directory.groups, lambda row: row.id == group.id and row.title == name),
    )


async def _delete_group(desk: _Desk, wish: DeleteGroup) -> Deed:
    group = await desk.directory.group(wish.group)
    if group.is_fixed:
        raise CommandError(
            f"calendar group {group.title!r} is one of Outlook's own, which stay",
            hint="Rename it if its name is in the way.",
        )
    inside = [row.title for row in await desk.directory.calendars_of(group)]
    if inside:
        # Whether the service would refuse, or delete them too, is not documented.
        raise CommandError(
            f"calendar group {group.title!r} has calendars in it: {', '.join(inside)}",
            hint="Move them to another group in Outlook, or delete them, first.",
        )
    return Deed(
        wish=DeleteGroup(group.id),
        attempt=f"delete the calendar group {group.title!r}",
        done=f"Calendar group {group.title!r} is deleted.",
        request=desk.graph.delete_group(group.id),
        look=_gone(desk.directory.groups, group),
        told=("No calendar is in it.",),
    )


# -- categories


async def _create_category(desk: _Desk, wish: CreateCategory) -> Deed:
    name = _proper(wish.name, "category")
    before = await desk.directory.categories()
    _refuse_taken("category", name, before)
    known = {row.id for row in before}
    return Deed(
        wish=wish,
        attempt=f"create the category {name!r}, {color_name(wish.color)}",
        done=f"Category {name!r} is created.",
        request=desk.graph.create_category(name, wish.color),
        look=_seen(
            desk.directory.categories, lambda row: row.title == name and row.id not in known
        ),
        scope=SETTINGS_WRITE,
    )


async def _color_category(desk: _Desk, wish: ColorCategory) -> Deed | Idle:
    category = await desk.directory.category(wish.name)
    color = color_name(wish.color)
    if (category.color or "none") == wish.color:
        return Idle(f"Category {category.title!r} has the colour {color} already.")
    return Deed(
        wish=ColorCategory(category.id, wish.color),
        attempt=f"give the category {category.title!r} the colour {color}",
        done=f"Category {category.title!r} has the colour {color} now.",
        request=desk.graph.color_category(category.id, wish.color),
        look=_seen(
            desk.directory.categories,
            lambda row: row.id == category.id and row.color == wish.color,
        ),
        scope=SETTINGS_WRITE,
    )


async def _delete_category(desk: _Desk, wish: DeleteCategory) -> Deed:
    category = await desk.directory.category(wish.name)
    return Deed(
        wish=DeleteCategory(category.id),
        attempt=f"delete the category {category.title!r}",
        done=f"Category {category.title!r} is deleted.",
        request=desk.graph.delete_category(category.id),
        look=_gone(desk.directory.categories, category),
        told=("Events that have it keep its name, without a colour.",),
        scope=SETTINGS_WRITE,
    )


# --- doing ---------------------------------------------------------------------------------------


class InDoubt(SyncdError):
    """The answer to a write was lost, and looking does not show what became of it."""

    exit_code = ExitCode.PASSES


async def carry_out(workshop: Workshop, account: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """
    Fulfil a wish, in a process that may write.

    Args: told: the wish as `wish_to_json` has it.
    Returns: `{done, told, folder}`: sentences, and the folder that has to be looked at, or "".
    Raises: CommandError: it cannot be, or the service refused. InDoubt. SyncdError: nothing was
    written.
    """
    desk = await _desk(workshop, account)
    deed = await _decided(desk, _read_wish(told))
    if isinstance(deed, Idle):
        return {"done": deed.done, "told": [], "folder": ""}
    if deed.of_calendars:
        # Before anything is sent: whatever comes between, the next round asks for the calendars.
        await _list_due(desk)
    await _send(desk.directory, deed)
    if deed.of_calendars:
        with suppress(SyncdError):
            await _list_again(desk)
    return {"done": deed.done, "told": list(deed.told), "folder": deed.folder}


async def _send(directory: Directory, deed: Deed) -> None:
    (outcome,) = await directory.remote.write_all([deed.request])
    match outcome:
        case Answered(answer):
            if not answer.is_success:
                raise directory.refused(deed.attempt, answer, deed.scope)
        case Unsent(error):
            raise error
        case Lost(why):
            await _settle(deed, why)
        case _:
            assert_never(outcome)


async def _settle(deed: Deed, why: str) -> None:
    """Look whether a write took effect. Raises: InDoubt: it cannot be seen."""
    hint = "Look whether it is so before you try again: it may take effect yet."
    attempted = f"it was attempted to {deed.attempt}, and the answer was lost ({why})"
    try:
        there = await deed.look()
    except SyncdError as error:
        raise InDoubt(f"{attempted}; looking failed as well: {error}", hint=hint) from error
    if not there:
        raise InDoubt(f"{attempted}; nothing of it is to be seen", hint=hint)


async def _list_again(desk: _Desk) -> None:
    await desk.mailbox.refresh(force=False)
    # Once more soon: Graph's list may lag behind, and ids of new calendars were seen to change.
    await _list_due(desk)


async def _list_due(desk: _Desk) -> None:
    """The list of calendars is to be asked for again at the next occasion."""
    store = desk.workshop.store
    known = await store.account(desk.account.name)
    if known is not None:
        await store.put_account(replace(known, listed_at=None))
