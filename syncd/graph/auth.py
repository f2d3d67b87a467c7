"""
Where access tokens come from: the one way in to signing in.

Knows which method is done by which class, and nothing of how they do it.
"""

from __future__ import annotations

from typing import assert_never

from syncd.graph.person import PersonLogin
from syncd.graph.program import ApplicationLogin, CommandTokens
from syncd.graph.settings import AuthSettings, DevicePrompt, LoginState, TokenSource
from syncd.ports import Clock

__all__ = [
    "ApplicationLogin",
    "AuthSettings",
    "CommandTokens",
    "DevicePrompt",
    "Login",
    "LoginState",
    "PersonLogin",
    "TokenSource",
    "token_source",
]

Login = PersonLogin | ApplicationLogin | CommandTokens


def token_source(settings: AuthSettings, clock: Clock) -> Login:
    """Return what signs this account in. Does no I/O."""
    match settings.method:
        case "device-code" | "interactive":
            return PersonLogin(settings, clock)
        case "client-secret" | "client-certificate":
            return ApplicationLogin(settings, clock)
        case "command":
            return CommandTokens(settings, clock)
        case _:
            assert_never(settings.method)
