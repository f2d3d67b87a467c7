"""
`simulate` and `demo`: the calendar service on this machine alone, to try things on.

Knows what is printed and when it ends; the service is `syncd.simulator`'s, the story of the demo
`syncd.shell.demo`'s. Listens on the loopback only.
"""

from __future__ import annotations

from pathlib import Path

import click

from syncd.core.errors import ExitCode
from syncd.shell.commands.common import run

__all__ = ["demo_command", "simulate_command"]

USER = "me@example.org"


@click.command("simulate")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="0 takes a free one.")
@click.option("--events", type=click.IntRange(0, 1_000_000), default=300, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True, help="Another one, other events.")
@click.option("--user", default=USER, show_default=True, help="Whose mailbox it is.")
@click.option("--auth/--no-auth", default=False, help="Sign in with a device code, over TLS.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the certificate of --auth goes [default: a temporary folder].",
)
def simulate_command(
    port: int, events: int, seed: int, user: str, auth: bool, folder: Path | None
) -> int:
    """Run a calendar service on this machine until Ctrl-C; prints a configuration for it."""
    return run(_simulate(port, events, seed, user, auth=auth, folder=folder))


async def _simulate(
    port: int, events: int, seed: int, user: str, *, auth: bool, folder: Path | None
) -> int:
    from syncd.shell.commands.run import stopped_by_signals
    from syncd.shell.local_service import local_service
    from syncd.shell.output import say, tell

    stop = stopped_by_signals()
    async with local_service(
        user=user, events=events, seed=seed, port=port, auth=auth, folder=folder
    ) as service:
        say(service.config("~/Calendars-simulated", "~/.local/state/syncd-simulated"))
        tell(f"Serving {service.loaded} events of {user} at {service.base_url}. Ctrl-C ends it.")
        await stop.wait()
    return ExitCode.OK


@click.command("demo")
@click.option("--events", type=click.IntRange(1, 100_000), default=300, show_default=True)
@click.option("--stay", is_flag=True, help="Keep service and daemon running, to try things.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Work here, and leave it all there [default: a temporary folder that goes].",
)
def demo_command(events: int, stay: bool, folder: Path | None) -> int:
    """Show a complete two-way sync with a service on this machine alone."""
    from syncd.shell.demo import run_demo

    return run(run_demo(events=events, stay=stay, folder=folder))
