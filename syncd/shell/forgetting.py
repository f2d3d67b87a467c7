"""
Calendars that are not followed any more, and how they are forgotten.

Knows which calendars are followed, and that the folder of a forgotten one stays with all its files:
only the marker goes, so that it is a folder like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from syncd.core.errors import CommandError
from syncd.core.state import CalendarRecord
from syncd.ports import Marker
from syncd.shell.config import Config
from syncd.shell.way_back import owner_of
from syncd.shell.workshop import Workshop
from syncd.store.store import Store
from syncd.vdir.folder import VdirFolder

__all__ = ["Known", "find_forgettable", "forget", "known_calendars"]


@dataclass(frozen=True, slots=True)
class Known:
    """
    A calendar, what the state holds of it, and why it is not followed ("" where it is).

    `is_shared`: it is somebody else's.
    """

    record: CalendarRecord
    items: int
    problems: int
    pending: int
    why_not: str
    is_shared: bool

    @property
    def target(self) -> str:
        """How commands name it."""
        return f"{self.record.account}/{self.record.name}"

    @property
    def followed(self) -> bool:
        """Whether rounds are made for it."""
        return not self.why_not


async def known_calendars(config: Config, store: Store) -> list[Known]:
    """All calendars that the state knows, in a stable order."""
    found = []
    for record in await store.calendars():
        counts = await store.counts(record.key)
        why = _why_not_followed(config, record)
        is_shared = record.is_shared_to(await owner_of(config, store, record.account))
        told = counts["items"], counts["problems"], counts["pending"]
        found.append(Known(record, *told, why, is_shared))
    return found


def _why_not_followed(config: Config, record: CalendarRecord) -> str:
    account = config.accounts.get(record.account)
    if account is None:
        return "its account is not in the configuration"
    if not account.calendar_filter.admits(record.name):
        return "the configuration leaves it out"
    return "" if record.status == "active" else "it is not in the mailbox any more"


def find_forgettable(known: Sequence[Known], name: str) -> Known:
    """
    The calendar of that name, `ACCOUNT/NAME` or folder.

    Raises: CommandError: none or several are meant, or it is followed.
    """
    found = [one for one in known if name in (one.target, f"{one.record.account}/{_folder(one)}")]
    found = found or [one for one in known if name in (one.record.name, _folder(one))]
    if not found:
        raise CommandError(f"there is no calendar {name!r}", hint=_hint(known, name))
    gone = [one for one in found if not one.followed]
    if not gone:
        raise CommandError(
            f"calendar {found[0].target!r} is followed",
            hint="Leave it out by `calendar_filter` in the configuration first.",
        )
    if len(gone) > 1:
        names = ", ".join(f"{one.record.account}/{_folder(one)}" for one in gone)
        raise CommandError(f"{name!r} may be any of {names}", hint="Write one of them in full.")
    return gone[0]


def _folder(one: Known) -> str:
    return one.record.folder


def _hint(known: Sequence[Known], name: str) -> str:
    names = [one.target for one in known]
    close = get_close_matches(name[:60], names, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else "`syncd calendars` lists them."


async def forget(workshop: Workshop, account: str, calendar: str) -> dict[str, Any]:
    """
    Forget one calendar, by its account and id; nothing else in its folder is touched.

    Returns: `{account, calendar, folder, unmarked}`.
    Raises: CommandError: it is not known, or followed. DiskTrouble: its marker cannot be removed.
    """
    for one in await known_calendars(workshop.config, workshop.store):
        if (one.record.account, one.record.id) == (account, calendar):
            find_forgettable([one], one.target)
            # The marker first: a folder without it is left alone, with or without the state.
            unmarked = await _folder_of(workshop, one.record).release()
            await workshop.store.forget_calendar(one.record.key)
            told = {"account": account, "calendar": one.record.name, "folder": one.record.folder}
            return told | {"unmarked": unmarked}
    raise CommandError("the calendar is not known any more", hint="`syncd calendars` lists them.")


def _folder_of(workshop: Workshop, record: CalendarRecord) -> VdirFolder:
    return VdirFolder(
        workshop.config.export_dir / record.account / record.folder,
        marker=Marker(record.account, record.id, ""),
        file_mode=0o600,
        clock=workshop.clock,
    )
