"""`groups`: the mailbox's calendar groups: listed, shown, made, renamed, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from syncd.shell.commands.common import (
    Invocation,
    json_option,
    pass_invocation,
    run,
    yes_option,
)
from syncd.shell.commands.directory import account_option, change, dry_option, reading

if TYPE_CHECKING:
    from syncd.core.wire.dialects.graph_directory import Calendar, Group
    from syncd.shell.config_model import Config
    from syncd.shell.directory import Directory

__all__ = ["groups_command"]


@click.group("groups", invoke_without_command=True)
@account_option
@json_option
@click.pass_context
def groups_command(ctx: click.Context, account: str | None, as_json: bool) -> int:
    """List the calendar groups of a mailbox, as the service has them; change them."""
    if ctx.invoked_subcommand is not None:
        return 0
    invocation: Invocation = ctx.obj
    return run(_list(invocation.config(), account, as_json=as_json))


async def _list(config: Config, named: str | None, *, as_json: bool) -> int:
    from syncd.shell.directory import chosen_account
    from syncd.shell.output import print_json, table

    account = chosen_account(config, named)
    groups = await reading(config, account, lambda directory: directory.groups())
    if as_json:
        print_json([_to_json(one) for one in groups])
    else:
        rows = [(one.title, "stays" if one.is_fixed else "") for one in groups]
        table(("group", ""), rows)
    return 0


def _to_json(group: Group) -> dict[str, Any]:
    return {"group": group.title, "id": group.id, "fixed": group.is_fixed}


@groups_command.command("show")
@click.argument("group")
@account_option
@json_option
@pass_invocation
def show_command(invocation: Invocation, group: str, account: str | None, as_json: bool) -> int:
    """List the calendars of a group."""
    return run(_show(invocation.config(), group, account, as_json=as_json))


async def _show(config: Config, group: str, named: str | None, *, as_json: bool) -> int:
    from syncd.shell.directory import chosen_account
    from syncd.shell.output import print_json, say, table

    async def calendars(directory: Directory) -> list[Calendar]:
        return await directory.calendars_of(await directory.group(group))

    shown = await reading(config, chosen_account(config, named), calendars)
    if as_json:
        print_json([_calendar_to_json(one) for one in shown])
    elif not shown:
        say("No calendar is in it.")
    else:
        table(("calendar", "colour", "owner", ""), [_calendar_row(one) for one in shown])
    return 0


def _calendar_row(calendar: Calendar) -> tuple[str, str, str, str]:
    is_default = "default" if calendar.is_default_calendar else ""
    return calendar.title, calendar.color or "", _owner(calendar), is_default


def _calendar_to_json(calendar: Calendar) -> dict[str, Any]:
    return {
        "calendar": calendar.title,
        "id": calendar.id,
        "color": calendar.color or "",
        "owner": _owner(calendar),
        "default": calendar.is_default_calendar is True,
        "can_edit": calendar.can_edit is not False,
    }


def _owner(calendar: Calendar) -> str:
    return (calendar.owner and (calendar.owner.address or calendar.owner.name)) or ""


@groups_command.command("create")
@click.argument("name")
@account_option
@dry_option
@pass_invocation
def create_command(invocation: Invocation, name: str, account: str | None, dry_run: bool) -> int:
    """Make a calendar group."""
    from syncd.shell.directory import chosen_account
    from syncd.shell.directory_wishes import CreateGroup

    config = invocation.config()
    chosen = chosen_account(config, account)
    return run(change(config, chosen, CreateGroup(name), dry_run=dry_run))


@groups_command.command("rename")
@click.argument("group")
@click.argument("new")
@account_option
@dry_option
@pass_invocation
def rename_command(
    invocation: Invocation, group: str, new: str, account: str | None, dry_run: bool
) -> int:
    """Give a calendar group another name."""
    from syncd.shell.directory import chosen_account
    from syncd.shell.directory_wishes import RenameGroup

    config = invocation.config()
    chosen = chosen_account(config, account)
    return run(change(config, chosen, RenameGroup(group, new), dry_run=dry_run))


@groups_command.command("delete")
@click.argument("group")
@account_option
@dry_option
@yes_option
@pass_invocation
def delete_command(
    invocation: Invocation, group: str, account: str | None, dry_run: bool, yes: bool
) -> int:
    """Delete a calendar group that has no calendar in it."""
    from syncd.shell.directory import chosen_account
    from syncd.shell.directory_wishes import DeleteGroup

    config = invocation.config()
    chosen = chosen_account(config, account)
    return run(change(config, chosen, DeleteGroup(group), dry_run=dry_run, yes=yes))
