"""
`login` and `logout`: a person signs an account in, or takes its tokens away.

Knows what is shown to the person. How signing in works is `syncd.graph`'s; a token is never shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from syncd.core.errors import CommandError, ExitCode, LoginNeeded, SyncdError
from syncd.shell.commands.common import Invocation, account_named, pass_invocation, run

if TYPE_CHECKING:
    from syncd.graph.settings import DevicePrompt
    from syncd.shell.config_model import Account, Config

__all__ = ["login_command", "logout_command", "show_device_code", "sign_in"]


@click.command("login")
@click.argument("account", required=False)
@pass_invocation
def login_command(invocation: Invocation, account: str | None) -> int:
    """Sign in ACCOUNT (default: the only one, or all that need it)."""
    config = invocation.config()
    return run(_login(config, account))


async def _login(config: Config, name: str | None) -> int:
    from syncd.shell.output import say

    accounts = await _wanted(config, name)
    if not accounts:
        say("Every account is signed in.")
    for account in accounts:
        told = await sign_in(config, account)
        say(f"{account.name}: {told}", "green")
    return ExitCode.OK


async def _wanted(config: Config, name: str | None) -> list[Account]:
    if name is not None:
        return [account_named(config, name)]
    accounts = list(config.accounts.values())
    if len(accounts) == 1:
        return accounts
    needed = await asyncio.gather(*(_needs_login(config, one) for one in accounts))
    return [one for one, needs in zip(accounts, needed, strict=True) if needs]


async def _needs_login(config: Config, account: Account) -> bool:
    from syncd.clock import SystemClock
    from syncd.shell.workshop import login_of

    try:
        await login_of(config, account, SystemClock()).token()
    except LoginNeeded:
        return True
    except SyncdError:
        return False
    return False


async def sign_in(
    config: Config, account: Account, show: Callable[[DevicePrompt], None] | None = None
) -> str:
    """
    Sign one account in by its method.

    Args: show: tells the person the device code; prints it by default.

    Returns: what came of it, for the person.
    Raises: LoginNeeded, Unreachable, ConfigError, BadAnswer, DiskTrouble.
    """
    from syncd.clock import SystemClock
    from syncd.graph.auth import PersonLogin
    from syncd.shell.workshop import login_of, make_state_dir

    make_state_dir(config)
    login = login_of(config, account, SystemClock())
    if not isinstance(login, PersonLogin):
        await login.token()
        return f"the method {account.auth.method!r} gives a token; nobody needs to sign in"
    if account.auth.method == "device-code":
        who = await login.login_device_code(show or show_device_code)
    else:
        who = await login.login_interactive(_open_browser)
    return f"signed in as {who}"


def show_device_code(prompt: DevicePrompt) -> None:
    """Tell the person where to go and which code to type."""
    from syncd.shell.output import say

    minutes = max(1, int(prompt.life_s // 60))
    say(f"Open   {prompt.verification_uri}", "bold")
    say(f"and enter the code   {prompt.user_code}", "bold")
    say(f"within {minutes} minutes. Waiting for you …")


def _open_browser(address: str) -> None:
    import webbrowser

    from syncd.shell.output import say

    opened = webbrowser.open(address)
    say("Sign in in the browser that opens." if opened else "Open this address and sign in:")
    if not opened:
        say(address, "bold")


@click.command("logout")
@click.argument("account")
@pass_invocation
def logout_command(invocation: Invocation, account: str) -> int:
    """Forget the tokens of ACCOUNT."""
    return run(_logout(invocation.config(), account))


async def _logout(config: Config, name: str) -> int:
    from syncd.clock import SystemClock
    from syncd.graph.auth import CommandTokens
    from syncd.shell.output import say
    from syncd.shell.workshop import login_of

    account = account_named(config, name)
    login = login_of(config, account, SystemClock())
    if isinstance(login, CommandTokens):
        raise CommandError(
            f"account {name!r} gets its tokens from a command; syncd keeps none",
            hint=f"Sign out where {account.auth.command[0]!r} signed in.",
        )
    await login.logout()
    say(f"{account.name}: signed out; the files stay as they are.")
    return ExitCode.OK
