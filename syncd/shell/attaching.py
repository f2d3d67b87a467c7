"""
Changes of an event's attachments: a file added, or one taken away.

Knows what another process may ask for; the daemon and the command do the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_never

from syncd.core.errors import (
    CommandError,
    Unreachable,
)
from syncd.core.ids import AccountName
from syncd.core.wire.dialects.graph_attachments import (
    EventAttachments,
)
from syncd.ports import Answered, Clock, Lost, Remote, Unsent
from syncd.shell.attachments import (
    Change,
    Told,
    check_answer,
    check_writable,
    dialect_of,
    listed,
    tell_nothing,
)
from syncd.shell.uploading import LOOKS_AFTER_S, Way, read_source
from syncd.shell.workshop import Workshop
from syncd.store.uploads import Uploads

__all__ = ["change_attachments"]


async def change_attachments(
    workshop: Workshop, wanted: Change, told: Told = tell_nothing, *, tried: bool = False
) -> dict[str, Any]:
    """
    Carry out one change; a file stays remembered until `Uploads.forget` says that a person knows.

    Args: tried: it may have taken effect already.

    Returns: `{state}`: "added", "was-there" (an earlier try had got through), "removed" or "gone"
    (it was, before).
    Raises: SyncdError: what stands in the way; where that passes, the same again goes on from here.
    """
    account = AccountName(wanted.account)
    for calendar in await workshop.store.calendars():
        if (calendar.account, calendar.id) == (account, wanted.calendar):
            break
    else:
        raise CommandError("the calendar is not known any more")
    check_writable(workshop.config, calendar)
    uploads = Uploads(workshop.config.state_dir)
    requests = EventAttachments(dialect_of(workshop.config, account), wanted.calendar, wanted.event)
    remote = workshop.mailboxes[account].remote
    async with uploads.held(wanted.account, wanted.event):
        if wanted.kind == "rm":
            if tried and not await _is_there(remote, requests, wanted):
                return {"state": "gone"}
            return await _remove(remote, requests, wanted, workshop.clock)
        await uploads.sweep(workshop.clock.now())
        source = await read_source(Path(wanted.path))
        way = Way(
            wanted,
            source,
            remote,
            workshop.streams[account],
            requests,
            uploads,
            workshop.clock,
            told,
        )
        return {"state": await way.go()}


async def _remove(
    remote: Remote, requests: EventAttachments, wanted: Change, clock: Clock
) -> dict[str, Any]:
    [outcome] = await remote.write_all([requests.remove(wanted.attachment)])
    match outcome:
        case Answered(answer) if answer.status == 404:
            return {"state": "gone"}
        case Answered(answer):
            check_answer(answer, f"remove {wanted.name!r}", "Calendars.ReadWrite", wanted.account)
        case Lost():
            await _until_gone(remote, requests, wanted, clock)
        case Unsent(error):
            raise error
        case _:
            assert_never(outcome)
    return {"state": "removed"}


async def _until_gone(
    remote: Remote, requests: EventAttachments, wanted: Change, clock: Clock
) -> None:
    for pause_s in LOOKS_AFTER_S:
        await clock.sleep(pause_s)
        if not await _is_there(remote, requests, wanted):
            return
    raise Unreachable(
        f"the answer was lost, and {wanted.name!r} is still attached",
        hint="Look with `syncd attach UID list` in a while, and remove it again if it is there.",
    )


async def _is_there(remote: Remote, requests: EventAttachments, wanted: Change) -> bool:
    there = await listed(remote, requests, wanted.account)
    return any(one.id == wanted.attachment for one in there)
