"""
The command line: `syncd [--config FILE] [--log-level L] COMMAND`.

Knows which module has which command, and is the one place that turns errors into a message, a
remedy and an exit code. A command's module is imported when it is called for, not before.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from syncd import __version__
from syncd.core.errors import BadAnswer, ExitCode, SyncdError, Unreachable
from syncd.shell.commands.common import Invocation

__all__ = ["COMMANDS", "cli", "main", "run"]

COMMANDS: Final[Mapping[str, str]] = {
    "init": "setup",
    "check": "setup",
    "login": "login",
    "logout": "login",
    "sync": "sync",
    "run": "run",
    "status": "reading",
    "problems": "problems",
    "approve": "problems",
    "discard": "problems",
    "lint": "lint",
    "agenda": "reading",
    "search": "reading",
    "show": "reading",
    "log": "history",
    "why": "history",
    "restore": "history",
    "undo": "history",
    "respond": "meetings",
    "cancel": "meetings",
    "forward": "meetings",
    "attach": "attach",
    "calendars": "calendars",
    "groups": "groups",
    "categories": "categories",
    "rooms": "rooms",
    "free-busy": "free_busy",
    "find-time": "find_time",
    "reminders": "reminders",
    "simulate": "simulate",
    "demo": "simulate",
}
"""Each command's module below `syncd.shell.commands`, in the order in which they are listed."""

INTERRUPTED: Final = 130  # 128 + SIGINT, as shells report it
LEVELS = ("debug", "info", "warning", "error")


class Commands(click.Group):
    """The commands by name; a mistyped one is answered with the nearest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; its module is imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"syncd.shell.commands.{COMMANDS[cmd_name]}")
        found: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but with a suggestion."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from syncd.shell.config_errors import nearest

            close = nearest(name, COMMANDS)
            meant = f" Did you mean {close}?" if close else ""
            raise click.UsageError(f"there is no command {name!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration [default: $SYNCD_CONFIG, ~/.config/syncd, /etc/syncd].",
)
@click.option("--log-level", type=click.Choice(LEVELS), help="How much is logged to stderr.")
@click.version_option(__version__, prog_name="syncd", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, config_file: Path | None, log_level: str | None) -> None:
    """Keep folders of .ics files and Microsoft 365 calendars in step, both ways."""
    ctx.obj = Invocation(config_file, log_level)


def main() -> NoReturn:
    """The entry point `syncd`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing is raised."""
    # Whatever is made from here on, by us or by a library, is for its owner alone.
    os.umask(0o077)
    # A sync makes events by the thousand and drops them by the page, none of them in circles:
    # Python's cycle collector finds nothing, the more often it looks the more it costs.
    gc.set_threshold(50_000, 20, 50)
    try:
        result: Any = cli.main(list(arguments), prog_name="syncd", standalone_mode=False)
        sys.stdout.flush()
        return int(result or 0)
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except SyncdError as error:
        return _told(error)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return _unheard()
    except Exception as error:
        return _crashed(error)


def _told(error: SyncdError) -> int:
    from syncd.shell.output import tell

    tell(f"syncd: {error}", "bold red")
    if error.hint:
        tell(_AT_A_TERMINAL.get(error.hint, error.hint))
    return int(error.exit_code)


_AT_A_TERMINAL = {
    Unreachable.hint: "Try again when the service can be reached.",
    BadAnswer.hint: "Try again later.",
}
"""No round does again what a command could not do."""


def _unheard() -> int:
    """Whoever read our output went away (`| head`): that is their business, and no error."""
    # Python flushes stdout once more at its end, and would complain then.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.OK


def _crashed(error: Exception) -> int:
    import structlog

    from syncd.shell import logs
    from syncd.shell.output import tell

    if not structlog.is_configured():
        logs.setup("info", "auto")
    structlog.get_logger().error("command.crashed", exc_info=error)
    tell(f"syncd: unexpected error: {type(error).__name__}", "bold red")
    tell("This is a bug in syncd; the log above has the traceback.")
    return ExitCode.BUG
