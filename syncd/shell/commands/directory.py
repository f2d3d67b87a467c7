"""
What the commands around a mailbox's calendars, groups, categories and rooms share.

Knows that reading needs no lock, that a change is shown first where it asks or is a dry run, and
that the daemon makes it where one runs. Knows no command.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from syncd.shell.commands.common import (
    AT_A_TERMINAL_S,
    PATIENCE_S,
    ask,
    confirmed,
    through_workshop,
)

if TYPE_CHECKING:
    from syncd.core.ids import AccountName
    from syncd.shell.config_model import Config
    from syncd.shell.directory import Directory
    from syncd.shell.directory_changes import Deed, Foreseen, Idle
    from syncd.shell.directory_wishes import Wish
    from syncd.shell.workshop import Workshop

__all__ = ["account_option", "change", "dry_option", "reading"]

R = TypeVar("R")

account_option = click.option(
    "--account", metavar="NAME", help="Which account, where there are several."
)
dry_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


async def reading(
    config: Config, account: AccountName, act: Callable[[Directory], Awaitable[R]]
) -> R:
    """Ask the service something, beside whatever else runs."""
    from syncd.shell.directory import directory_of

    return await _beside(config, lambda shop: act(directory_of(shop, account)))


async def _beside(
    config: Config, act: Callable[[Workshop], Awaitable[R]], patience_s: float = PATIENCE_S
) -> R:
    from syncd.shell.output import progress
    from syncd.shell.workshop import Workshop

    with progress("Asking the service …") as observe:
        async with Workshop.open(config, observe, patience_s=patience_s, dry=True) as workshop:
            return await act(workshop)


async def change(
    config: Config, account: AccountName, wish: Wish, *, dry_run: bool, yes: bool | None = None
) -> int:
    """
    Fulfil a wish, by the daemon or by this process.

    Args: yes: whether a person agreed beforehand; None: nobody has to.
    """
    from syncd.shell.directory_changes import Idle
    from syncd.shell.directory_wishes import wish_to_json
    from syncd.shell.output import say

    wish_to_json(wish)  # refuses what no request can hold, before anything is asked
    if dry_run or yes is not None:
        shown = await _shown(config, account, wish)
        _show(shown)
        if isinstance(shown, Idle):
            return 0
        if dry_run or not confirmed("Do it?", yes=bool(yes)):
            say("Nothing was done.")
            return 0
        wish = shown.wish
    return await _make(config, account, wish, again=yes is None)


async def _shown(config: Config, account: AccountName, wish: Wish) -> Deed | Foreseen | Idle:
    """What it comes down to; where nobody can be asked, as far as it is known here."""
    from syncd.core.errors import OUT_OF_REACH
    from syncd.shell.directory_changes import decided, foreseen
    from syncd.shell.output import say

    async def act(shop: Workshop) -> Deed | Foreseen | Idle:
        if await shop.store.errands(account):
            say("What was asked for earlier goes first: this is what is known here.", "yellow")
            return await foreseen(shop, account, wish)
        try:
            return await decided(shop, account, wish)
        except OUT_OF_REACH as error:
            say(f"{error}: this is what is known here.", "yellow")
            return await foreseen(shop, account, wish)

    return await _beside(config, act, AT_A_TERMINAL_S)


def _show(shown: Deed | Foreseen | Idle) -> None:
    from syncd.shell.directory_changes import Idle
    from syncd.shell.output import say

    if isinstance(shown, Idle):
        say(shown.done)
        return
    say(f"To do: {shown.attempt}", "bold")
    for line in shown.told:
        say(f"  {line}")


async def _make(config: Config, account: AccountName, wish: Wish, *, again: bool) -> int:
    """Args: again: tell what comes of it, which nobody was shown."""
    from syncd.shell.directory_wishes import wish_to_json
    from syncd.shell.errands import change_directory
    from syncd.shell.output import progress, say

    told = wish_to_json(wish)
    with progress("Changing it …") as observe:
        done = await ask(config, {"do": "directory", "account": account, "wish": told})
        if done is None:
            done = await through_workshop(
                config,
                observe,
                lambda shop: change_directory(shop, account, told),
                patience_s=AT_A_TERMINAL_S,
            )
    say(str(done["done"]))
    for line in done["told"] if again else ():
        say(str(line))
    return int(done["code"])
