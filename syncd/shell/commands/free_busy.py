"""
`free-busy`: when people and rooms have time, drawn in the terminal; one's own time as a file.

Knows how an answer reads and how old it may be. Asks the service, and remembers what it said for
the time without a network.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import stat
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.core.errors import CommandError, DiskTrouble, ExitCode
from syncd.shell.commands.common import (
    Invocation,
    json_option,
    open_store,
    pass_invocation,
    run,
)

if TYPE_CHECKING:
    from syncd.core.free_busy import Availability
    from syncd.core.ids import AccountName
    from syncd.shell.config_model import Config
    from syncd.shell.scheduling import Known, Written

__all__ = ["free_busy_command"]

DEFAULT_INTERVAL_MIN = 30
IFB_DAYS = 60
IFB_MOST_DAYS = 3700
STDOUT = "-"


@click.command("free-busy")
@click.argument("who", nargs=-1, metavar="[WHO]...")
@click.option("--day", metavar="D", help="The day [default: today].")
@click.option("--from", "first", metavar="D", help="The first of several days.")
@click.option("--to", "last", metavar="D", help="The last of several days.")
@click.option(
    "--interval",
    "interval_min",
    type=click.IntRange(5, 1440),
    default=DEFAULT_INTERVAL_MIN,
    show_default=True,
    metavar="MIN",
    help="Minutes of a letter.",
)
@click.option(
    "--ifb",
    "file",
    metavar="FILE",
    help="Instead, write your own busy times to an iCalendar file (- for stdout): times alone, no"
    " subjects, from the local state [default: 60 days from today].",
)
@click.option("--account", metavar="NAME", help="Who asks, where there are several accounts.")
@json_option
@pass_invocation
def free_busy_command(
    invocation: Invocation,
    who: tuple[str, ...],
    day: str | None,
    first: str | None,
    last: str | None,
    interval_min: int,
    file: str | None,
    account: str | None,
    as_json: bool,
) -> int:
    """
    Tell when people and rooms have time, by their mail addresses.

    Asks the service, which knows the people of the own organization; where it cannot be reached,
    its last answer is shown with its age. Days and times are in the mailbox's zone.
    """
    from syncd.shell.directory import chosen_account

    if day is not None and (first is not None or last is not None):
        raise CommandError("--day is one day, --from and --to are several", hint="Say either.")
    if (file is None) == (not who):
        raise CommandError(
            "nobody to look for" if not who else "--ifb is about your own time alone",
            hint="Write addresses, `syncd free-busy ann@example.org`, or --ifb FILE.",
        )
    config = invocation.config()
    name, days = chosen_account(config, account), _Days(day or first, day or last)
    if file is not None:
        return run(_export(config, name, days, file, as_json=as_json))
    return run(_show(config, name, who, days, interval_min, as_json=as_json))


class _Days:
    """The days as they were written; which they are depends on the mailbox's zone."""

    def __init__(self, first: str | None, last: str | None) -> None:
        self._first, self._last = first, last

    def read(self, written: Written, *, most: int, further: int = 0) -> list[date]:
        return written.days(self._first, self._last, most=most, further=further)


# --- of others -----------------------------------------------------------------------------------


async def _show(
    config: Config,
    account: AccountName,
    who: tuple[str, ...],
    days: _Days,
    interval_min: int,
    *,
    as_json: bool,
) -> int:
    from syncd.core.wire.dialects.graph_scheduling import MOST_DAYS
    from syncd.shell.output import print_json, progress
    from syncd.shell.scheduling import addresses_in, scheduling_of

    addresses = addresses_in(who)
    async with scheduling_of(config, account) as asking:
        written = asking.written
        wanted = days.read(written, most=MOST_DAYS)
        with progress("Asking …"):
            found = await asking.availability(addresses, wanted, interval_min)
    if as_json:
        print_json([_to_json(day, one, written) for day in found for one in found[day]])
    else:
        _print(found, written, interval_min)
    rows = [one for day in found.values() for one in day]
    # Some of it is remembered, the rest nobody can tell before the service is back.
    is_partial = any(one.is_old for one in rows) and any(one.answer.error for one in rows)
    return ExitCode.PASSES if is_partial else ExitCode.OK


def _print(found: dict[date, list[Known]], written: Written, interval_min: int) -> None:
    from syncd.core.free_busy import LEGEND, Row, timeline
    from syncd.core.zones import iana_name
    from syncd.shell.output import clean, console, say

    width = console().width
    zone, minutes = written.zone, interval_min
    for day, known in found.items():
        say(f"{day:%A} {day}, {iana_name(zone)}, {minutes} minutes a letter", "bold")
        rows = [
            Row(
                clean(one.answer.address),
                None if one.answer.error else one.answer,
                one.answer.error or _age(one, written.now),
            )
            for one in known
        ]
        for line in timeline(day, zone, rows, interval_min=minutes, width=width):
            say(line)
        say()
    for line in LEGEND:
        say(line)


def _age(known: Known, now: datetime) -> str:
    from syncd.shell.output import age

    if not known.is_old:
        return ""
    return f"as of {age((now - known.answer.asked_at).total_seconds())} ago"


def _to_json(day: date, known: Known, written: Written) -> dict[str, Any]:
    one = known.answer
    return {
        "address": one.address,
        "day": day,
        "interval_min": one.interval_min if one.view else None,
        "from": written.local(one.start),
        "to": written.local(one.end),
        "view": one.view,
        "busy": [
            {
                "status": entry.status,
                "start": written.local(entry.start),
                "end": written.local(entry.end),
                "subject": entry.subject,
                "location": entry.location,
                "private": entry.is_private,
            }
            for entry in one.entries
        ],
        "working_hours": _hours_to_json(one),
        "as_of": None if one.error else one.asked_at,
        "offline": known.is_old,
        "error": one.error,
    }


def _hours_to_json(one: Availability) -> dict[str, Any] | None:
    from syncd.core.free_busy import WEEKDAYS

    hours = one.hours
    if hours is None:
        return None
    return {
        "days": [WEEKDAYS[number] for number in hours.days],
        "start": hours.opens.isoformat("minutes"),
        "end": hours.closes.isoformat("minutes"),
        "zone": hours.clock,
    }


# --- of one's own --------------------------------------------------------------------------------


async def _export(
    config: Config, account: AccountName, days: _Days, file: str, *, as_json: bool
) -> int:
    from syncd.core.free_busy import day_span, vfreebusy
    from syncd.shell.output import counted, print_json, say
    from syncd.shell.scheduling import Written, new_uid, own_address, own_busy, zone_of

    now = datetime.now(UTC)
    async with open_store(config) as store:
        if await store.account(account) is None:
            raise CommandError(
                f"nothing is known of account {account!r} yet", hint=f"Run `syncd sync {account}`."
            )
        written = Written(await zone_of(store, account), now)
        wanted = days.read(written, most=IFB_MOST_DAYS, further=IFB_DAYS - 1)
        busy = await own_busy(config, store, account, wanted)
        organizer = await own_address(config, store, account)
    start = day_span(wanted[0], written.zone)[0]
    end = day_span(wanted[-1], written.zone)[1]
    data = vfreebusy(busy, start, end, organizer=organizer, uid=new_uid(), stamp=now)
    if file == STDOUT:
        sys.stdout.write(data.decode())
        return ExitCode.OK
    await asyncio.to_thread(_write, Path(file).expanduser(), data)
    periods = data.count(b"\nFREEBUSY")
    if as_json:
        print_json({"file": file, "from": wanted[0], "to": wanted[-1], "periods": periods})
    else:
        told = counted(periods, "busy time")
        say(f"{file}: {told} from {wanted[0]} to {wanted[-1]}, without subjects.")
    return ExitCode.OK


def _write(path: Path, data: bytes) -> None:
    """Swap a file in whole; one that is there keeps its mode. Raises: DiskTrouble."""
    # Behind a link is the file that is meant.
    path = path.resolve()
    temp = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(fd, "wb") as file:
            os.fchmod(fd, mode)
            file.write(data)
            file.flush()
            os.fsync(fd)
        temp.replace(path)
    except OSError as error:
        temp.unlink(missing_ok=True)
        raise DiskTrouble(
            f"{str(path)!r} cannot be written: {error.strerror}", hint="Name another file."
        ) from error
