"""
`calendars`: which calendars are known, and an end to those that went.

Knows how they are listed and what forgetting one would do. It is carried out by the daemon or,
where none is running, by this process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

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

if TYPE_CHECKING:
    from syncd.shell.config_model import Config
    from syncd.shell.forgetting import Known

__all__ = ["calendars_command"]


@click.group("calendars", invoke_without_command=True)
@json_option
@click.pass_context
def calendars_command(ctx: click.Context, as_json: bool) -> int:
    """List the calendars that are known; forget one that went."""
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
        rows = [(one.target, _path(one), one.items, one.why_not or "followed") for one in known]
        table(("calendar", "folder", "items", ""), rows)
    return 0


async def _known(config: Config) -> list[Known]:
    from syncd.shell.forgetting import known_calendars

    async with open_store(config) as store:
        return await known_calendars(config, store)


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
        "followed": one.followed,
        "why_not": one.why_not,
        "items": one.items,
        "pending": one.pending,
        "problems": one.problems,
    }


@calendars_command.command("forget")
@click.argument("name")
@yes_option
@pass_invocation
def forget_command(invocation: Invocation, name: str, yes: bool) -> int:
    """
    Forget a calendar that is not followed any more.

    Its folder stays with all its files, and is a folder like any other from then on.
    """
    return run(_forget(invocation.config(), name, yes=yes))


async def _forget(config: Config, name: str, *, yes: bool) -> int:
    from syncd.shell.forgetting import find_forgettable, forget
    from syncd.shell.output import log_fact, say

    found = find_forgettable(await _known(config), name)
    _print_effect(config, found)
    if not confirmed("Do it?", yes=yes):
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
