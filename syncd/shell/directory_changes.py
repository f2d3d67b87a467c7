"""
Changes of what a mailbox has beside events: calendars, groups, shares, categories.

Decided, a wish is one request; whether it took effect is seen by looking. Knows what each comes
down to, and what is known of it where nobody can be asked. Sends nothing, prints nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

import msgspec

from syncd.core.errors import CommandError, StateError
from syncd.core.ids import AccountName
from syncd.core.state import CalendarRecord
from syncd.core.wire.dialects.graph_directory import (
    Calendar,
    GraphDirectory,
    Permission,
    Role,
    Row,
    color_name,
)
from syncd.core.wire.dialects.graph_v1 import GraphV1
from syncd.ports import Request
from syncd.shell.config_model import Account
from syncd.shell.directory import (
    CALENDARS_WRITE,
    SETTINGS_WRITE,
    Directory,
    directory_of,
    find_row,
)
from syncd.shell.directory_wishes import (
    ColorCalendar,
    ColorCategory,
    CreateCalendar,
    CreateCategory,
    CreateGroup,
    DefaultCalendar,
    DeleteCalendar,
    DeleteCategory,
    DeleteGroup,
    OfCalendar,
    RenameCalendar,
    RenameGroup,
    ShareCalendar,
    UnshareCalendar,
    Wish,
    attempt_of,
    names_moved,
    wish_of,
)
from syncd.shell.forgetting import known_calendars
from syncd.shell.mailbox import Mailbox
from syncd.shell.output import counted
from syncd.shell.way_back import owner_of
from syncd.shell.workshop import Workshop

__all__ = [
    "Deed",
    "Desk",
    "Foreseen",
    "Idle",
    "decide",
    "decided",
    "desk_of",
    "foreseen",
    "took_effect",
]

# --- deciding ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Deed:
    """
    A wish that is decided: one request.

    Args:
        wish: the same, about this very thing, whatever its name is by then. attempt: completes
            "to". done: a sentence for afterwards. told: what comes of it, in sentences.
        scope: the permission it needs. of_calendars: whether calendars are other ones after it.
        folder: of a calendar, whose metadata are others after it. before: ids of what is listed, by
            which what it makes is told from what was there.
    """

    wish: Wish
    attempt: str
    done: str
    request: Request
    told: tuple[str, ...] = ()
    scope: str = CALENDARS_WRITE
    of_calendars: bool = False
    folder: str = ""
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Idle:
    """A wish that is fulfilled already; `done` says so."""

    done: str


@dataclass(frozen=True, slots=True)
class Desk:
    """What is needed to decide. Args: addresses: of the mailbox's owner, in lower case."""

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
    return await decide(await desk_of(workshop, account), wish)


async def desk_of(workshop: Workshop, account: str) -> Desk:
    """
    Who the mailbox is, and what decides about it.

    Raises: CommandError: it has nothing of the kind. StateError: it is another one than before.
    SyncdError: the service cannot be asked.
    """
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
    return Desk(workshop, workshop.mailboxes[name], directory, found.addresses)


async def decide(desk: Desk, wish: Wish) -> Deed | Idle:
    """As `decided`."""
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


def _proper(name: str, what: str) -> str:
    """A new name as it is sent. Raises: CommandError: there is nothing of it."""
    if not name.strip():
        raise CommandError(f"a {what} has to have a name", hint="Write one.")
    return name.strip()


def _refuse_taken(what: str, name: str, rows: Sequence[Row], *, but: str = "") -> None:
    if any(row.title.casefold() == name.casefold() and row.id != but for row in rows):
        raise CommandError(f"there is a {what} {name!r} already", hint="Choose another name.")


# -- calendars


async def _create_calendar(desk: Desk, wish: CreateCalendar) -> Deed:
    name = _proper(wish.name, "calendar")
    group = await desk.directory.group(wish.group) if wish.group else None
    before = tuple(row.id for row in await desk.directory.calendars())
    place = f" in the group {group.title!r}" if group else ""
    color = f", {wish.color}" if wish.color else ""
    return Deed(
        wish=wish,
        attempt=f"create the calendar {name!r}{place}{color}",
        done=f"Calendar {name!r} is created{place}.",
        request=desk.graph.create_calendar(name, wish.color, group.id if group else ""),
        told=_left_out(desk.account, name),
        of_calendars=True,
        before=before,
    )


def _left_out(account: Account, name: str) -> tuple[str, ...]:
    if account.calendar_filter.admits(name):
        return ()
    return ("It is not followed: `calendar_filter` in the configuration leaves it out.",)


async def _rename_calendar(desk: Desk, wish: RenameCalendar) -> Deed | Idle:
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
        told=(*_of_old_name(desk.account, calendar.title), *_left_out(desk.account, name)),
        of_calendars=True,
        folder=(await desk.directory.folders()).get(calendar.id, ""),
    )


def _of_old_name(account: Account, name: str) -> tuple[str, ...]:
    if name not in account.calendars:
        return ()
    return (f"The configuration has settings for {name!r}: rename them there as well.",)


async def _color_calendar(desk: Desk, wish: ColorCalendar) -> Deed | Idle:
    calendar = await desk.directory.calendar(wish.calendar)
    if calendar.color == wish.color:
        return Idle(f"Calendar {calendar.title!r} is {wish.color} already.")
    return Deed(
        wish=ColorCalendar(calendar.id, wish.color),
        attempt=f"colour the calendar {calendar.title!r} {wish.color}",
        done=f"Calendar {calendar.title!r} is {wish.color} now.",
        request=desk.graph.color_calendar(calendar.id, wish.color),
        of_calendars=True,
        folder=(await desk.directory.folders()).get(calendar.id, ""),
    )


async def _default_calendar(desk: Desk, wish: DefaultCalendar) -> Deed | Idle:
    calendar = await desk.directory.calendar(wish.calendar)
    if calendar.is_default_calendar:
        return Idle(f"Calendar {calendar.title!r} is the default one already.")
    return Deed(
        wish=DefaultCalendar(calendar.id),
        attempt=f"make {calendar.title!r} the default calendar",
        done=f"Calendar {calendar.title!r} is the default one now.",
        request=desk.graph.make_default(calendar.id),
    )


async def _delete_calendar(desk: Desk, wish: DeleteCalendar) -> Deed:
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
        told=await _lost_with(desk, calendar),
        of_calendars=True,
    )


async def _lost_with(desk: Desk, calendar: Calendar) -> tuple[str, ...]:
    """What goes with a calendar, as far as it is known here, and what stays."""
    owner = ((calendar.owner and calendar.owner.address) or "").casefold()
    if owner and owner not in desk.addresses:
        return _entry_alone(owner)
    return await _known_loss(desk.workshop, desk.account.name, calendar.id)


def _entry_alone(owner: str) -> tuple[str, ...]:
    return (f"It is shared by {owner}: only your own entry for it goes.",)


async def _is_shared(workshop: Workshop, calendar: CalendarRecord) -> bool:
    owner = await owner_of(workshop.config, workshop.store, calendar.account)
    return calendar.is_shared_to(owner)


async def _known_loss(workshop: Workshop, account: str, calendar: str) -> tuple[str, ...]:
    for one in await known_calendars(workshop.config, workshop.store):
        if (one.record.account, one.record.id) == (account, calendar):
            folder = workshop.config.export_dir / one.record.account / one.record.folder
            waits = "write that still waits is", "writes that still wait are"
            return (
                f"With it goes every event in it; {counted(one.items, 'item')} known here.",
                *((f"{counted(one.pending, *waits)} not sent.",) if one.pending else ()),
                f"Its folder stays with all its files: {folder}",
            )
    return ("With it goes every event in it; how many is not known here: it is not followed.",)


# -- shares


async def _share_calendar(desk: Desk, wish: ShareCalendar) -> Deed | Idle:
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
    )


def _new_share(desk: Desk, calendar: Calendar, address: str, role: Role) -> Deed:
    if not _ADDRESS.fullmatch(address):
        raise CommandError(
            f"{address!r} is no mail address",
            hint="Write the address alone, or a name that `syncd calendars share` lists.",
        )
    return Deed(
        wish=ShareCalendar(calendar.id, address, role),
        attempt=f"share the calendar {calendar.title!r} with {address} in the role {role}",
        done=f"Calendar {calendar.title!r} is shared with {address} in the role {role}.",
        request=desk.graph.share(calendar.id, address, role),
        told=(f"The service mails {address} an invitation.",),
    )


# No more than guards against a slip: what an address is, the service knows.
_ADDRESS: Final = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")


async def _unshare_calendar(desk: Desk, wish: UnshareCalendar) -> Deed:
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
        told=("Sharing it again would mail them an invitation.",),
    )


async def _shares(desk: Desk, written: str) -> tuple[Calendar, list[Permission]]:
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


async def _create_group(desk: Desk, wish: CreateGroup) -> Deed:
    name = _proper(wish.name, "calendar group")
    before = await desk.directory.groups()
    _refuse_taken("calendar group", name, before)
    return Deed(
        wish=wish,
        attempt=f"create the calendar group {name!r}",
        done=f"Calendar group {name!r} is created.",
        request=desk.graph.create_group(name),
    )


async def _rename_group(desk: Desk, wish: RenameGroup) -> Deed | Idle:
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
    )


async def _delete_group(desk: Desk, wish: DeleteGroup) -> Deed:
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
        told=("No calendar is in it.",),
    )


# -- categories


async def _create_category(desk: Desk, wish: CreateCategory) -> Deed:
    name = _proper(wish.name, "category")
    before = await desk.directory.categories()
    _refuse_taken("category", name, before)
    return Deed(
        wish=wish,
        attempt=f"create the category {name!r}, {color_name(wish.color)}",
        done=f"Category {name!r} is created.",
        request=desk.graph.create_category(name, wish.color),
        scope=SETTINGS_WRITE,
    )


async def _color_category(desk: Desk, wish: ColorCategory) -> Deed | Idle:
    category = await desk.directory.category(wish.name)
    color = color_name(wish.color)
    if (category.color or "none") == wish.color:
        return Idle(f"Category {category.title!r} has the colour {color} already.")
    return Deed(
        wish=ColorCategory(category.id, wish.color),
        attempt=f"give the category {category.title!r} the colour {color}",
        done=f"Category {category.title!r} has the colour {color} now.",
        request=desk.graph.color_category(category.id, wish.color),
        scope=SETTINGS_WRITE,
    )


async def _delete_category(desk: Desk, wish: DeleteCategory) -> Deed:
    category = await desk.directory.category(wish.name)
    return Deed(
        wish=DeleteCategory(category.id),
        attempt=f"delete the category {category.title!r}",
        done=f"Category {category.title!r} is deleted.",
        request=desk.graph.delete_category(category.id),
        told=("Events that have it keep its name, without a colour.",),
        scope=SETTINGS_WRITE,
    )


# --- whether it took effect ----------------------------------------------------------------------


async def took_effect(desk: Desk, wish: Wish, before: Sequence[str]) -> bool:
    """
    Whether the service shows what was asked for.

    Args: wish: as `Deed.wish`. before: as `Deed.before`.
    Raises: CommandError: what it is about is not there. SyncdError: the service cannot be asked.
    """
    there = desk.directory
    match wish:
        case CreateCalendar(name):
            made = [row for row in await there.calendars() if row.id not in before]
            return any(row.title == name.strip() for row in made)
        case RenameCalendar(calendar, new):
            return (await there.calendar(calendar)).title == new.strip()
        case ColorCalendar(calendar, color):
            return (await there.calendar(calendar)).color == color
        case DefaultCalendar(calendar):
            return (await there.calendar(calendar)).is_default_calendar is True
        case DeleteCalendar(calendar):
            return all(row.id != calendar for row in await there.calendars())
        case ShareCalendar(calendar, address, role):
            found = _share_of(await there.permissions(await there.calendar(calendar)), address)
            return found is not None and found.role == role
        case UnshareCalendar(calendar, address):
            shares = await there.permissions(await there.calendar(calendar))
            return _share_of(shares, address) is None
        case CreateGroup(name):
            return any(row.title == name.strip() for row in await there.groups())
        case RenameGroup(group, new):
            return (await there.group(group)).title == new.strip()
        case DeleteGroup(group):
            return all(row.id != group for row in await there.groups())
        case CreateCategory(name):
            return any(row.title == name.strip() for row in await there.categories())
        case ColorCategory(name, color):
            return ((await there.category(name)).color or "none") == color
        case DeleteCategory(name):
            return all(row.id != name for row in await there.categories())
        case _:
            assert_never(wish)


# --- what is known where nobody can be asked -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Foreseen:
    """
    What is known here of a wish.

    `wish` is about this very calendar where one of that name is known, `attempt` completes "to",
    `told` is what comes of it, in sentences.
    """

    wish: Wish
    attempt: str
    told: tuple[str, ...] = ()


async def foreseen(
    workshop: Workshop, account: str, wish: Wish, *, before: int | None = None
) -> Foreseen:
    """
    What a wish comes down to as far as it is known here.

    Args: before: the number of its own errand; those that wait before it may make what it is about.
    """
    if not isinstance(wish, OfCalendar):
        by_name = isinstance(wish, RenameGroup | DeleteGroup | ColorCategory | DeleteCategory)
        told = ("It is looked up by that name then.",) if by_name else ()
        return Foreseen(wish, attempt_of(wish), told)
    known = await _known_calendar(workshop, account, wish.calendar, before)
    if known is None:
        attempt = attempt_of(wish)
    else:
        # The wish is about that one, whatever it is called by then; people know it by its name.
        attempt = attempt_of(msgspec.structs.replace(wish, calendar=known.name))
        wish = msgspec.structs.replace(wish, calendar=str(known.id))
    match wish:
        case DeleteCalendar(calendar) if known is not None and await _is_shared(workshop, known):
            return Foreseen(wish, attempt, _entry_alone(known.owner))
        case DeleteCalendar() if known is None:
            return Foreseen(wish, attempt, ("It is looked up by that name then.",))
        case DeleteCalendar(calendar):
            return Foreseen(wish, attempt, await _known_loss(workshop, account, calendar))
        case ShareCalendar(_, address):
            mail = f"The service mails {address} an invitation, unless they have a share already."
            return Foreseen(wish, attempt, (mail,))
        case _:
            return Foreseen(wish, attempt)


async def _known_calendar(
    workshop: Workshop, account: str, written: str, before: int | None
) -> CalendarRecord | None:
    """The one calendar of that id, name or folder, unless what waits gives or takes that name."""
    known = await workshop.store.calendars(AccountName(account))
    found = [one for one in known if written in (one.id, one.name, one.folder)]
    if len(found) != 1:
        return None
    titles = {str(one.id): one.name for one in known}
    moved: set[str] = set()
    for errand in await workshop.store.errands(AccountName(account)):
        if errand.kind == "directory" and (before is None or errand.number < before):
            moved |= names_moved(wish_of(errand), titles)
    return None if written in moved else found[0]
