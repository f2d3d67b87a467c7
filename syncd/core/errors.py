"""
The errors of syncd: what was attempted on what, whether trying again helps, what a person can do.

Blame is in the type: our request (`RefusedByService`), their answer (`BadAnswer`), the way there
(`Unreachable`, `Throttled`, `ServiceDown`), the login (`LoginNeeded`), the machine's disk
(`DiskTrouble`), the configuration (`ConfigError`), the state (`StateError`).
Foreign exceptions are translated into these where they arise, and nowhere else.
"""

from enum import IntEnum
from typing import Final

__all__ = [
    "OUT_OF_REACH",
    "BadAnswer",
    "CommandError",
    "ConfigError",
    "DiskTrouble",
    "ExitCode",
    "LinkAstray",
    "LoginNeeded",
    "RefusedByService",
    "ServiceDown",
    "StateError",
    "SyncdError",
    "Throttled",
    "Unreachable",
]


class ExitCode(IntEnum):
    """What a command's exit code means to the program that started it."""

    OK = 0
    BUG = 1
    USAGE = 2
    LOGIN = 3
    PERSON = 4
    PASSES = 5


class SyncdError(Exception):
    """
    The root of everything that syncd raises on purpose.

    Args:
        message: what failed, on what; free of tokens, bodies and addresses.
        hint: what a person can do about it, in one sentence.
    """

    retryable = False
    exit_code = ExitCode.BUG
    hint = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        if hint:
            self.hint = hint


class ConfigError(SyncdError):
    """The configuration or the command line asks for something that cannot be."""

    exit_code = ExitCode.USAGE


class CommandError(ConfigError):
    """A command was used wrongly, or names something that does not exist."""


class StateError(SyncdError):
    """The state cannot be used as it is, for example because a newer version wrote it."""

    exit_code = ExitCode.USAGE


class LoginNeeded(SyncdError):
    """The account needs a person to sign in (again)."""

    exit_code = ExitCode.LOGIN
    hint = "Run `syncd login ACCOUNT`."


class Unreachable(SyncdError):
    """The service could not be reached; no byte of a request was answered."""

    retryable = True
    exit_code = ExitCode.PASSES
    hint = "Nothing to do; the next round tries again."


class Throttled(Unreachable):
    """The service asked for a pause; `pause_s` is its length in seconds."""

    def __init__(self, message: str, *, pause_s: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.pause_s = pause_s


class ServiceDown(Unreachable):
    """The service answers that it cannot serve at present (5xx)."""


OUT_OF_REACH: Final = (LoginNeeded, Unreachable)
"""Nothing is wrong with what was attempted: the same can be done once the service is in reach."""


class BadAnswer(SyncdError):
    """The service sent something that cannot be read."""

    retryable = True
    exit_code = ExitCode.PASSES
    hint = "Nothing to do; the next round asks again."


class LinkAstray(BadAnswer):
    """A link of the service leads to another host, or to no address at all; nothing was sent."""


class RefusedByService(SyncdError):
    """
    The service refused a request for good.

    Args:
        status: HTTP status. code: the innermost error code of Graph's error envelope.
    """

    exit_code = ExitCode.PASSES

    def __init__(self, message: str, *, status: int, code: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code


class DiskTrouble(SyncdError):
    """A file or the state could not be written or read: full, read-only, forbidden, broken."""

    retryable = True
    exit_code = ExitCode.PASSES
    hint = "Make room or mend the permissions; the next round goes on where this one stopped."
