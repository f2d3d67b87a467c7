"""`categories`: the mailbox's list of categories and their colours, as Outlook shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from syncd.core.errors import CommandError
from syncd.shell.commands.common import (
    Invocation,
    json_option,
    pass_invocation,
    run,
    yes_option,
)
from syncd.shell.commands.completing import one_of
from syncd.shell.commands.directory import account_option, change, dry_option, reading

if TYPE_CHECKING:
    from syncd.core.wire.dialects.graph_directory import Category
    from syncd.shell.config_model import Config

__all__ = ["categories_command"]


@click.group("categories", invoke_without_command=True)
@account_option
@json_option
@click.pass_context
def categories_command(ctx: click.Context, account: str | None, as_json: bool) -> int:
    """List the categories of a mailbox with their colours; change them."""
    if ctx.invoked_subcommand is not None:
        return 0
    invocation: Invocation = ctx.obj
    return run(_list(invocation.config(), account, as_json=as_json))


async def _list(config: Config, named: str | None, *, as_json: bool) -> int:
    from syncd.shell.directory import chosen_account
    from syncd.shell.output import print_json, say, table

    account = chosen_account(config, named)
    categories = await reading(config, account, lambda directory: directory.categories())
    if as_json:
        print_json([_to_json(one) for one in categories])
    elif not categories:
        say("The mailbox has no list of categories yet.")
    else:
        rows = [(one.title, one.color_name, one.color) for one in categories]
        table(("category", "colour", ""), rows)
    return 0


def _to_json(category: Category) -> dict[str, Any]:
    return {
        "category": category.title,
        "id": category.id,
        "color": category.color or "none",
        "color_name": category.color_name,
    }


@categories_command.command("create")
@click.argument("name")
@click.option(
    "--color",
    default="none",
    metavar="COLOR",
    shell_complete=one_of(lambda: _colors()),
    help="presetN, or Outlook's name for it.",
)
@account_option
@dry_option
@pass_invocation
def create_command(
    invocation: Invocation, name: str, color: str, account: str | None, dry_run: bool
) -> int:
    """Put a category on the list; its name cannot be changed later."""
    from syncd.shell.directory import chosen_account
    from syncd.shell.directory_wishes import CreateCategory

    config = invocation.config()
    chosen = chosen_account(config, account)
    return run(change(config, chosen, CreateCategory(name, _color(color)), dry_run=dry_run))


@categories_command.command("color")
@click.argument("name")
@click.argument("color", shell_complete=one_of(lambda: _colors()))
@account_option
@dry_option
@pass_invocation
def color_command(
    invocation: Invocation, name: str, color: str, account: str | None, dry_run: bool
) -> int:
    """
    Give a category another colour.

    COLOR is "none", preset0 to preset24, or what Outlook calls it: Red, DarkTeal, "dark teal".
    """
    from syncd.shell.directory import chosen_account
    from syncd.shell.directory_wishes import ColorCategory

    config = invocation.config()
    chosen = chosen_account(config, account)
    return run(change(config, chosen, ColorCategory(name, _color(color)), dry_run=dry_run))


@categories_command.command("delete")
@click.argument("name")
@account_option
@dry_option
@yes_option
@pass_invocation
def delete_command(
    invocation: Invocation, name: str, account: str | None, dry_run: bool, yes: bool
) -> int:
    """Take a category off the list; events that have it keep its name."""
    from syncd.shell.directory import chosen_account
    from syncd.shell.directory_wishes import DeleteCategory

    config = invocation.config()
    chosen = chosen_account(config, account)
    return run(change(config, chosen, DeleteCategory(name), dry_run=dry_run, yes=yes))


def _colors() -> Iterable[str]:
    from syncd.core.wire.dialects.graph_directory import CATEGORY_COLORS

    return CATEGORY_COLORS.values()


def _color(written: str) -> str:
    from syncd.core.wire.dialects.graph_directory import CATEGORY_COLORS, category_color
    from syncd.shell.config_errors import nearest

    color = category_color(written)
    if color is not None:
        return color
    names = tuple(CATEGORY_COLORS.values())
    close = nearest(written[:60], names)
    hint = f"Did you mean {close}?" if close else f"There is: {', '.join(names)}."
    raise CommandError(f"there is no colour {written!r}", hint=hint)
