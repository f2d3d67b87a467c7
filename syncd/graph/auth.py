"""
Where access tokens come from: the one way in to signing in.

Knows which method is done by which class, and nothing of how they do it. A class is imported when
it is asked for: msal and its HTTP library are a tenth of a second that a token from a command does
not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, assert_never

from syncd.graph.settings import AuthSettings, DevicePrompt, Login, LoginState, TokenSource
from syncd.ports import Clock

if TYPE_CHECKING:
    from syncd.graph.command import CommandTokens
    from syncd.graph.person import PersonLogin
    from syncd.graph.program import ApplicationLogin

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

_HOMES: Final = {
    "ApplicationLogin": "syncd.graph.program",
    "CommandTokens": "syncd.graph.command",
    "PersonLogin": "syncd.graph.person",
}


def token_source(settings: AuthSettings, clock: Clock) -> Login:
    """Return what signs this account in. Does no I/O."""
    match settings.method:
        case "device-code" | "interactive":
            from syncd.graph.person import PersonLogin

            return PersonLogin(settings, clock)
        case "client-secret" | "client-certificate":
            from syncd.graph.program import ApplicationLogin

            return ApplicationLogin(settings, clock)
        case "command":
            from syncd.graph.command import CommandTokens

            return CommandTokens(settings, clock)
        case _:
            assert_never(settings.method)


def __getattr__(name: str) -> Any:
    """A login class by its name, imported now (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
