"""
`reminders`: what the service will remind of, and when; to be put off, or done with.

Knows how a reminder reads. Only the service knows which were put off or dismissed, so it is asked
each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from syncd.core.errors import CommandError, ExitCode
from syncd.shell.commands.common import Invocation, json_option, pass_invocation, run
from syncd.shell.commands.completing import offering
from syncd.shell.commands.meetings import about_event, run_wish

if TYPE_CHECKING:
    from syncd.core.ids import AccountName, Uid
    from syncd.core.wire.dialects.graph_scheduling import Reminder
    from syncd.shell.config_model import Config
    from syncd.shell.scheduling import Written

__all__ = ["reminders_command"]

AHEAD = timedelta(hours=24)
EARLY, LATE = timedelta(days=14), timedelta(days=1)
"""How long before its event a reminder may fire, and after it, when it was put off."""
MOST_AHEAD = timedelta(days=1825)  # Graph "List calendarView": no window of events is longer


F = TypeVar("F", bound=Callable[..., Any])


def _read_moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is not None:
            raise ValueError(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no time; write 2031-03-04T09:00", ctx, param
        ) from None
    return at


def _window_options(command: F) -> F:
    """Which reminders, and how they are told."""
    for option in (
        json_option,
        click.option("--account", metavar="NAME", help="Whose, where there are several accounts."),
        click.option("--to", "last", metavar="D", help="Until when [default: 24 hours later]."),
        click.option("--from", "first", metavar="D", help="From when on [default: now]."),
    ):
        command = option(command)
    return command


@click.group("reminders", invoke_without_command=True)
@_window_options
@click.pass_context
def reminders_command(ctx: click.Context, /, **said: Any) -> int:
    """
    List the reminders that fire between two times, and those of events that are then.

    D is a day, or a day and a time (2031-03-04T09:00), in the mailbox's zone.
    """
    return 0 if ctx.invoked_subcommand is not None else _listed(ctx.obj, **said)


@reminders_command.command("list")
@_window_options
@pass_invocation
def list_command(invocation: Invocation, /, **said: Any) -> int:
    """List them; the same as without a word."""
    return _listed(invocation, **said)


@reminders_command.command("snooze")
@click.argument("uid", required=False, default="", shell_complete=offering("uid"))
@click.option("--for", "minutes", metavar="MIN", type=click.IntRange(1, 43200), help="So long.")
@click.option(
    "--until",
    metavar="T",
    callback=_read_moment,
    help="Until then, such as 2031-03-04T09:00, in the mailbox's zone.",
)
@about_event
@pass_invocation
def snooze_command(
    invocation: Invocation, /, minutes: int | None, until: datetime | None, **how: Any
) -> int:
    """
    Be reminded again later, here and in Outlook.

    UID may be shortened to any unique beginning; `--match TEXT` finds the event by its words.
    """
    if (minutes is None) == (until is None):
        raise CommandError("say how long, once", hint="--for 10 are ten minutes; or --until.")
    if minutes is None:
        return run_wish(invocation, "snooze", how, until=until)
    at = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(minutes=minutes)
    return run_wish(invocation, "snooze", how, until=at, zone="UTC")


@reminders_command.command("dismiss")
@click.argument("uid", required=False, default="", shell_complete=offering("uid"))
@about_event
@pass_invocation
def dismiss_command(invocation: Invocation, /, **how: Any) -> int:
    """
    Be reminded no more, here and in Outlook; of a series: of the next time.

    UID may be shortened to any unique beginning; `--match TEXT` finds the event by its words.
    """
    return run_wish(invocation, "dismiss", how)


def _listed(
    invocation: Invocation,
    *,
    first: str | None,
    last: str | None,
    account: str | None,
    as_json: bool,
) -> int:
    from syncd.shell.directory import chosen_account

    config = invocation.config()
    return run(_list(config, chosen_account(config, account), first, last, as_json=as_json))


async def _list(
    config: Config, account: AccountName, first: str | None, last: str | None, *, as_json: bool
) -> int:
    from syncd.shell.output import print_json, progress
    from syncd.shell.scheduling import scheduling_of

    async with scheduling_of(config, account) as asking:
        written = asking.written
        start = written.moment(first or "now")
        end = written.moment(last, is_end=True) if last is not None else start + AHEAD
        if end < start:
            raise CommandError(f"--to {last} lies before {first or 'now'}")
        if end - start > MOST_AHEAD:
            raise CommandError(f"this is more than {MOST_AHEAD.days} days", hint="Ask for fewer.")
        with progress("Asking …"):
            near = await asking.reminders(_around(start, end))
        found = [one for one in near if _concerns(one, start, end)]
        uids = await asking.uids_of([one.event_id for one in found])
    if as_json:
        print_json([_to_json(one, uids.get(one.event_id), written) for one in found])
    else:
        _print(found, written)
    return ExitCode.OK


def _around(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The service lists reminders by their events, and not by when they fire."""
    room = MOST_AHEAD - (end - start)
    return start - min(LATE, room / 2), end + min(EARLY, room / 2)


def _concerns(one: Reminder, start: datetime, end: datetime) -> bool:
    return start <= one.fires_at <= end or (one.start <= end and one.end >= start)


def _print(found: Sequence[Reminder], written: Written) -> None:
    from syncd.shell.output import say, table

    if not found:
        say("Nothing reminds you then.")
        return
    rows = [
        (
            written.shown(one.fires_at),
            one.subject or "(no subject)",
            written.shown(one.start),
            one.location,
        )
        for one in found
    ]
    table(("reminds", "event", "begins", "place"), rows)


def _to_json(one: Reminder, uid: Uid | None, written: Written) -> dict[str, Any]:
    return {
        "event_id": one.event_id,
        "uid": uid,
        "subject": one.subject,
        "start": written.local(one.start),
        "end": written.local(one.end),
        "fires_at": written.local(one.fires_at),
        "location": one.location,
        "link": one.link,
    }
