"""
`calendars`: which calendars are known, an end to those that went, and changes in the mailbox.

Knows how they and their shares are listed and what forgetting one would do. What is done is carried
out by the daemon or, where none is running, by this process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from syncd.core.errors import CommandError
from syncd.shell.commands.common import (
    Invocation,
    ask,
    confirmed,
    json_option,
    open_store,
    pass_invocation,
    run,
    through_workshop,
    yes_option,
)
from syncd.shell.commands.completing import offering, one_of
from syncd.shell.commands.directory import account_option, change, dry_option, reading

if TYPE_CHECKING:
    from syncd.core.ids import AccountName
    from syncd.core.wire.dialects.graph_directory import Calendar, Permission, Role
    from syncd.shell.config_model import Config
    from syncd.shell.directory import Directory
    from syncd.shell.forgetting import Known

__all__ = ["calendars_command"]


@click.group("calendars", invoke_without_command=True)
@json_option
@click.pass_context
def calendars_command(ctx: click.Context, as_json: bool) -> int:
    """
    List the calendars that are known; make, change, share and delete them; forget one that went.

    CALENDAR is [ACCOUNT/]NAME, of any calendar in the mailbox.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    invocation: Invocation = ctx.obj
    return run(_list(invocation.config(), as_json=as_json))


async def _list(config: Config, *, as_json: bool) -> int:
    from syncd.shell.output import print_json, say, table

    known = await _known(config)
    if as_json:
        print_json([_to_json(one) for one in known])
    elif not known:
        say("No calendar is known yet; `syncd sync` asks for them.")
    else:
        rows = [(one.target, _path(one), one.items, ", ".join(_told(one))) for one in known]
        table(("calendar", "folder", "items", ""), rows)
    return 0


async def _known(config: Config) -> list[Known]:
    from syncd.shell.forgetting import known_calendars

    async with open_store(config) as store:
        return await known_calendars(config, store)


def _told(one: Known) -> Iterator[str]:
    """Whether it is followed, whose it is, and what one may do there."""
    yield one.why_not or "followed"
    if one.record.is_default:
        yield "default"
    if one.is_shared:
        yield f"shared by {one.record.owner}"
    if not one.record.can_edit:
        yield "read-only"


def _path(one: Known) -> str:
    return f"{one.record.account}/{one.record.folder}"


def _to_json(one: Known) -> dict[str, Any]:
    return {
        "account": one.record.account,
        "calendar": one.record.name,
        "id": one.record.id,
        "folder": one.record.folder,
        "color": one.record.color,
        "can_edit": one.record.can_edit,
        "owner": one.record.owner,
        "default": one.record.is_default,
        "followed": one.followed,
        "why_not": one.why_not,
        "items": one.items,
        "pending": one.pending,
        "problems": one.problems,
    }


@calendars_command.command("show")
@click.argument("calendar", shell_complete=offering("calendar"))
@account_option
@json_option
@pass_invocation
def show_command(invocation: Invocation, calendar: str, account: str | None, as_json: bool) -> int:
    """Show one calendar as the service has it: whose it is, its group, what you may do there."""
    from syncd.shell.directory import split_calendar

    config = invocation.config()
    chosen, name = split_calendar(config, calendar, account)
    return run(_show(config, chosen, name, as_json=as_json))


async def _show(config: Config, account: AccountName, name: str, *, as_json: bool) -> int:
    from syncd.shell.output import print_json, say

    async def look(directory: Directory) -> tuple[Calendar, str, str]:
        calendar = await directory.calendar(name)
        group = await directory.group_of(calendar)
        folder = (await directory.folders()).get(calendar.id, "")
        return calendar, group.title if group is not None else "", folder

    calendar, group, folder = await reading(config, account, look)
    told = _shown(calendar, group, folder)
    if as_json:
        print_json(told)
        return 0
    say(calendar.title, "bold")
    for label, value in told.items():
        if value not in ("", None) and label not in ("calendar", "id"):
            say(f"  {label.replace('_', ' ')}: {_words(value)}")
    return 0


def _shown(calendar: Calendar, group: str, folder: str) -> dict[str, Any]:
    return {
        "calendar": calendar.title,
        "id": calendar.id,
        "folder": folder,
        "group": group,
        "color": calendar.color or "",
        "owner": (calendar.owner and calendar.owner.address) or "",
        "default": calendar.is_default_calendar is True,
        "can_edit": calendar.can_edit is not False,
        "can_share": calendar.can_share is not False,
        "can_see_private": calendar.can_view_private_items is not False,
        "online_meetings": calendar.default_online_meeting_provider or "",
    }


def _words(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


@calendars_command.command("forget")
@click.argument("name", shell_complete=offering("calendar"))
@dry_option
@yes_option
@pass_invocation
def forget_command(invocation: Invocation, name: str, dry_run: bool, yes: bool) -> int:
    """
    Forget a calendar that is not followed any more.

    Its folder stays with all its files, and is a folder like any other from then on.
    """
    return run(_forget(invocation.config(), name, dry_run=dry_run, yes=yes))


async def _forget(config: Config, name: str, *, dry_run: bool, yes: bool) -> int:
    from syncd.shell.forgetting import find_forgettable, forget
    from syncd.shell.output import log_fact, say

    found = find_forgettable(await _known(config), name)
    _print_effect(config, found)
    if dry_run or not confirmed("Do it?", yes=yes):
        say("Nothing was done.")
        return 0
    account, calendar = found.record.account, found.record.id
    done = await ask(config, {"do": "forget", "account": account, "calendar": calendar})
    if done is None:
        done = await through_workshop(
            config, log_fact, lambda shop: forget(shop, account, calendar)
        )
    if not done["unmarked"]:
        say("Its folder was not there, or not marked as its own.")
    say(f"{found.target} is forgotten.")
    return 0


def _print_effect(config: Config, one: Known) -> None:
    from syncd.shell.output import counted, say

    told = [counted(one.items, "item")]
    told += [f"{counted(one.pending, 'write')} that still waits"] if one.pending else []
    told += [counted(one.problems, "listed problem")] if one.problems else []
    say(f"{one.target}: {one.why_not}", "bold")
    say(f"  forgotten: {', '.join(told)}; versions stay in `syncd log` as long as others")
    say(f"  kept: every file in {config.export_dir / one.record.account / one.record.folder}")


# --- changes in the mailbox ----------------------------------------------------------------------


@calendars_command.command("create")
@click.argument("name", metavar="[ACCOUNT/]NAME")
@click.option("--group", default="", metavar="GROUP", help="The calendar group to put it into.")
@click.option(
    "--color",
    default="",
    metavar="COLOR",
    shell_complete=one_of(lambda: _colors()),
    help="One of Outlook's calendar colours.",
)
@account_option
@dry_option
@pass_invocation
def create_command(
    invocation: Invocation, name: str, group: str, color: str, account: str | None, dry_run: bool
) -> int:
    """Make a calendar; its folder appears at the next sync, or at once where the daemon runs."""
    from syncd.shell.directory import split_calendar
    from syncd.shell.directory_wishes import CreateCalendar

    config = invocation.config()
    chosen, name = split_calendar(config, name, account)
    wish = CreateCalendar(name, group, _color(color) if color else "")
    return run(change(config, chosen, wish, dry_run=dry_run))


@calendars_command.command("rename")
@click.argument("calendar", shell_complete=offering("calendar"))
@click.argument("new")
@account_option
@dry_option
@pass_invocation
def rename_command(
    invocation: Invocation, calendar: str, new: str, account: str | None, dry_run: bool
) -> int:
    """Give a calendar another name; its folder stays where it is."""
    from syncd.shell.directory import split_calendar
    from syncd.shell.directory_wishes import RenameCalendar

    config = invocation.config()
    chosen, name = split_calendar(config, calendar, account)
    return run(change(config, chosen, RenameCalendar(name, new), dry_run=dry_run))


@calendars_command.command("color")
@click.argument("calendar", shell_complete=offering("calendar"))
@click.argument("color", shell_complete=one_of(lambda: _colors()))
@account_option
@dry_option
@pass_invocation
def color_command(
    invocation: Invocation, calendar: str, color: str, account: str | None, dry_run: bool
) -> int:
    """
    Give a calendar another colour.

    COLOR is one of Outlook's: auto, lightBlue, lightGreen, lightOrange, lightGray, lightYellow,
    lightTeal, lightPink, lightBrown, lightRed, maxColor.
    """
    from syncd.shell.directory import split_calendar
    from syncd.shell.directory_wishes import ColorCalendar

    config = invocation.config()
    chosen, name = split_calendar(config, calendar, account)
    return run(change(config, chosen, ColorCalendar(name, _color(color)), dry_run=dry_run))


def _colors() -> Iterable[str]:
    from syncd.core.wire.dialects.graph_directory import CALENDAR_COLORS

    return CALENDAR_COLORS


def _color(written: str) -> str:
    from syncd.core.wire.dialects.graph_directory import CALENDAR_COLORS

    for color in CALENDAR_COLORS:
        if color.casefold() == written.casefold():
            return color
    raise CommandError(
        f"there is no colour {written!r} for calendars",
        hint=f"There is: {', '.join(CALENDAR_COLORS)}.",
    )


@calendars_command.command("default")
@click.argument("calendar", shell_complete=offering("calendar"))
@account_option
@dry_option
@pass_invocation
def default_command(
    invocation: Invocation, calendar: str, account: str | None, dry_run: bool
) -> int:
    """Make a calendar the one that Outlook puts new events and invitations into."""
    from syncd.shell.directory import split_calendar
    from syncd.shell.directory_wishes import DefaultCalendar

    config = invocation.config()
    chosen, name = split_calendar(config, calendar, account)
    return run(change(config, chosen, DefaultCalendar(name), dry_run=dry_run))


@calendars_command.command("delete")
@click.argument("calendar", shell_complete=offering("calendar"))
@account_option
@dry_option
@yes_option
@pass_invocation
def delete_command(
    invocation: Invocation, calendar: str, account: str | None, dry_run: bool, yes: bool
) -> int:
    """Delete a calendar in the mailbox, with every event in it; its folder stays."""
    from syncd.shell.directory import split_calendar
    from syncd.shell.directory_wishes import DeleteCalendar

    config = invocation.config()
    chosen, name = split_calendar(config, calendar, account)
    return run(change(config, chosen, DeleteCalendar(name), dry_run=dry_run, yes=yes))


# --- shares --------------------------------------------------------------------------------------


@calendars_command.command("share")
@click.argument("calendar", shell_complete=offering("calendar"))
@click.argument("address", required=False)
@click.option(
    "--role",
    metavar="ROLE",
    shell_complete=one_of(lambda: _roles()),
    help="What they may do; the service mails new ones.",
)
@click.option("--remove", is_flag=True, help="End their share.")
@account_option
@dry_option
@yes_option
@json_option
@pass_invocation
def share_command(
    invocation: Invocation,
    calendar: str,
    address: str | None,
    role: str | None,
    remove: bool,
    account: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """
    List with whom a calendar is shared; give ADDRESS a role, or take it away.

    ROLE is read, write, freeBusyRead, limitedRead, delegateWithoutPrivateEventAccess or
    delegateWithPrivateEventAccess. Somebody new is mailed an invitation by the service.
    """
    from syncd.shell.directory import split_calendar
    from syncd.shell.directory_wishes import ShareCalendar, UnshareCalendar

    config = invocation.config()
    chosen, name = split_calendar(config, calendar, account)
    _check_share(address, role, remove=remove)
    if address is None:
        return run(_shares(config, chosen, name, as_json=as_json))
    if role is None:
        wish = UnshareCalendar(name, address)
        return run(change(config, chosen, wish, dry_run=dry_run, yes=yes))
    share = ShareCalendar(name, address, _role(role))
    return run(change(config, chosen, share, dry_run=dry_run, yes=yes))


def _check_share(address: str | None, role: str | None, *, remove: bool) -> None:
    if address is None and (role is not None or remove):
        raise CommandError("--role and --remove need an address", hint="Name whom you mean.")
    if address is not None and (role is not None) == remove:
        raise CommandError(
            "an address needs either --role or --remove",
            hint="For example `--role read`; without an address the shares are listed.",
        )


def _roles() -> Iterable[str]:
    from syncd.core.wire.dialects.graph_directory import ROLES

    return ROLES


def _role(written: str) -> Role:
    from syncd.core.wire.dialects.graph_directory import ROLES

    for role in ROLES:
        if role.casefold() == written.casefold():
            return role
    raise CommandError(f"there is no role {written!r}", hint=f"There is: {', '.join(ROLES)}.")


async def _shares(config: Config, account: AccountName, name: str, *, as_json: bool) -> int:
    from syncd.shell.output import print_json, say, table

    async def shares(directory: Directory) -> list[Permission]:
        return await directory.permissions(await directory.calendar(name))

    found = await reading(config, account, shares)
    if as_json:
        print_json([_share_to_json(one) for one in found])
    elif not found:
        say("Nobody is listed: only the owner of a calendar sees with whom it is shared.")
    else:
        rows = [(one.title, one.address, one.role, _place(one)) for one in found]
        table(("who", "address", "role", ""), rows)
    return 0


def _place(one: Permission) -> str:
    return "" if one.is_inside_organization is not False else "outside the organization"


def _share_to_json(one: Permission) -> dict[str, Any]:
    return {
        "name": one.title,
        "address": one.address,
        "role": one.role or "",
        "allowed_roles": list(one.allowed_roles or ()),
        "inside_organization": one.is_inside_organization,
        "removable": one.is_removable is not False,
        "id": one.id,
    }
