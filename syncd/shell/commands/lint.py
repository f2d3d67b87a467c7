"""
`lint`: what the service would refuse, hold, alter or drop of files, before they are saved.

Knows where files, owners and their calendars are found; what there is to know of a file's text is
`syncd.core.lint`. Needs neither a configuration nor a state: what is there is used. Writes nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.core.errors import ConfigError, DiskTrouble, ExitCode, StateError
from syncd.shell.commands.common import (
    Invocation,
    json_option,
    open_store,
    pass_invocation,
    run,
)

if TYPE_CHECKING:
    from syncd.core.lint import Finding
    from syncd.core.owner import Owner
    from syncd.core.state import AccountRecord, CalendarRecord, ItemRecord
    from syncd.core.zones import WindowsZone
    from syncd.shell.config_model import Account, Config
    from syncd.store.store import Store

__all__ = ["lint_command"]

STDIN = "-"
STYLES = {"refused": "red", "held": "yellow", "altered": "yellow", "dropped": "yellow"}


@click.command("lint")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@json_option
@pass_invocation
def lint_command(invocation: Invocation, files: tuple[str, ...], as_json: bool) -> int:
    """
    Tell what the service would refuse, hold, alter or drop of files.

    FILE may be a draft anywhere, a file of the export folder, or - for standard input. Exits with 4
    if there is anything but notes.
    """
    from syncd.shell.output import progress

    config = _config(invocation)
    with progress("Reading …"):
        texts = [_read(name) for name in files]
        found = run(_linted(config, [one for one in texts if isinstance(one, _Text)]))
    failed = [one for one in texts if isinstance(one, _Failed)]
    _print(found, as_json=as_json)
    for one in failed:
        _tell(one)
    if failed:
        return ExitCode.USAGE
    return ExitCode.PERSON if any(map(_counts, found)) else ExitCode.OK


Found = tuple["_Text", "Finding"]


def _counts(found: Found) -> bool:
    return found[1].severity != "note"


def _config(invocation: Invocation) -> Config | None:
    """The configuration if there is one; only one that was named must be usable."""
    from syncd.shell.config import find_config

    if invocation.config_file is not None:
        return invocation.config()
    try:
        if not os.environ.get("SYNCD_CONFIG"):
            find_config(None, os.environ)
    except ConfigError:
        return None
    try:
        return invocation.config()
    except ConfigError as error:
        _without("configuration", error)
        return None


def _without(what: str, error: Exception) -> None:
    from syncd.shell.output import tell

    tell(f"syncd: {error}")
    tell(f"The files are looked at without the {what}.")


# --- files ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Text:
    """What stands in one of the files; `path` is None for standard input."""

    name: str
    path: Path | None
    data: bytes


@dataclass(frozen=True, slots=True)
class _Failed:
    """A file that could not be read."""

    name: str
    why: str


def _read(name: str) -> _Text | _Failed:
    from syncd.vdir.disk import MAX_BYTES

    if name == STDIN:
        return _Text(name, None, sys.stdin.buffer.read(MAX_BYTES + 1))
    try:
        with open(name, "rb") as file:
            return _Text(name, Path(os.path.abspath(name)), file.read(MAX_BYTES + 1))
    except OSError as error:
        return _Failed(name, error.strerror or str(error))


def _tell(failed: _Failed) -> None:
    from syncd.shell.output import clean, tell

    tell(f"syncd: {clean(failed.name)} cannot be read: {failed.why}", "bold red")


async def _linted(config: Config | None, texts: Sequence[_Text]) -> list[Found]:
    async with AsyncExitStack() as stack:
        grounds = _Grounds(config, await _store(config, stack))
        twins = _Twins()
        return [(text, one) for text in texts for one in await _findings(text, grounds, twins)]


async def _store(config: Config | None, stack: AsyncExitStack) -> Store | None:
    """The state, where there is one; none is made."""
    if config is None:
        return None
    from syncd.shell.workshop import DATABASE

    if not (config.state_dir / DATABASE).is_file():
        return None
    try:
        return await stack.enter_async_context(open_store(config))
    except (StateError, DiskTrouble) as error:
        _without("state", error)
        return None


async def _findings(text: _Text, grounds: _Grounds, twins: _Twins) -> list[Finding]:
    from syncd.core.lint import duplicate_uid, lint, too_large
    from syncd.vdir.disk import MAX_BYTES

    if len(text.data) > MAX_BYTES:
        return [too_large()]
    uid = _uid(text.data)
    ground = await grounds.of(text, uid)
    found = lint(
        text.data,
        ground.owner,
        ground.known.base_local if ground.known else None,
        delete_cancelled=ground.delete_cancelled,
        copy_foreign=ground.copy_foreign,
        attaches=ground.attaches,
    )
    is_twin = twins.is_one(text, uid) or _is_copy(text, uid, ground.known)
    return [duplicate_uid(), *found] if is_twin else found


def _uid(data: bytes) -> str:
    """The UID of a file, "" where it has none that can be read."""
    from syncd.core.owner import Owner
    from syncd.core.wire.ics_read import FileItem, quick_uid, read
    from syncd.core.zones import UTC_ZONE

    if found := quick_uid(data):
        return found
    there = read(data, Owner(frozenset(), UTC_ZONE), None)
    return there.uid if isinstance(there, FileItem) else ""


class _Twins:
    """The UIDs of the files that were looked at, by folder."""

    def __init__(self) -> None:
        self._paths: dict[tuple[Path, str], Path] = {}

    def is_one(self, text: _Text, uid: str) -> bool:
        """Whether another file of the folder has the UID."""
        if text.path is None or not uid:
            return False
        return self._paths.setdefault((text.path.parent, uid), text.path) != text.path


def _is_copy(text: _Text, uid: str, known: ItemRecord | None) -> bool:
    """Whether the UID is that of another file of the folder, which is still there."""
    if text.path is None or known is None or known.file in (None, text.path.name):
        return False
    other = _read(str(text.path.with_name(str(known.file))))
    return isinstance(other, _Text) and _uid(other.data) == uid


# --- whose they are ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a file is held against: whose calendar, its settings, and what is known of its event."""

    owner: Owner
    delete_cancelled: bool = False
    copy_foreign: bool = False
    attaches: bool = True
    known: ItemRecord | None = None


class _Grounds:
    """Finds a file's account and calendar by its place, else by its UID."""

    def __init__(self, config: Config | None, store: Store | None) -> None:
        self._config = config
        self._store = store

    async def of(self, text: _Text, uid: str) -> _Ground:
        """What is known for that file."""
        from syncd.core.owner import Owner

        if self._config is None:
            return _Ground(Owner(frozenset(), _machine_zone()))
        place = _place(text.path, self._config)
        calendar, known = await self._known(place, uid)
        accounts = self._accounts(calendar.account if calendar else place[0] if place else None)
        owner = await self._owner(accounts)
        if len(accounts) != 1:
            return _Ground(owner, known=known)
        settings = accounts[0].sync_for(calendar.name) if calendar else accounts[0].sync
        return _Ground(
            owner,
            settings.cancelled_override == "delete",
            settings.foreign_meeting == "copy",
            settings.attachments != "off",
            known,
        )

    def _accounts(self, name: str | None) -> list[Account]:
        """The account of that name; all of them where there is none."""
        assert self._config is not None
        accounts = list(self._config.accounts.values())
        return [one for one in accounts if one.name == name] or accounts

    async def _owner(self, accounts: Iterable[Account]) -> Owner:
        from syncd.core.owner import Owner
        from syncd.core.zones import windows_zone

        records = [(one, await self._record(one)) for one in accounts]
        addresses = {
            address.casefold()
            for one, record in records
            for address in (*one.addresses, *(record.addresses if record else ()))
        }
        zones = (windows_zone(record.zone) for _, record in records if record and record.zone)
        return Owner(frozenset(addresses), next(filter(None, zones), None) or _machine_zone())

    async def _record(self, account: Account) -> AccountRecord | None:
        return None if self._store is None else await self._store.account(account.name)

    async def _known(
        self, place: tuple[str, str] | None, uid: str
    ) -> tuple[CalendarRecord | None, ItemRecord | None]:
        """
        The calendar and the item, as far as they are known.

        A file of a calendar's folder belongs there; a draft to whichever calendar has its UID.
        """
        from syncd.core.ids import Uid

        if self._store is None:
            return None, None
        calendars = await self._store.calendars()
        if place is not None:
            calendars = [one for one in calendars if (one.account, one.folder) == place]
        for calendar in calendars if uid else ():
            items = await self._store.items(calendar.key, [Uid(uid)])
            if items:
                return calendar, items[Uid(uid)]
        return calendars[0] if place is not None and calendars else None, None


def _place(path: Path | None, config: Config) -> tuple[str, str] | None:
    """The names of the account and of the calendar's folder, for a file of the export folder."""
    if path is None or not path.is_relative_to(config.export_dir):
        return None
    parts = path.relative_to(config.export_dir).parts
    return (parts[0], parts[1]) if len(parts) == 3 else None


def _machine_zone() -> WindowsZone:
    import tzlocal

    from syncd.core.zones import UTC_ZONE, windows_zone

    try:
        name = tzlocal.get_localzone_name()
    except (LookupError, ValueError, OSError):  # a machine whose settings contradict each other
        return UTC_ZONE
    return windows_zone(name or "") or UTC_ZONE


# --- what is printed -----------------------------------------------------------------------------


def _print(found: Sequence[Found], *, as_json: bool) -> None:
    from syncd.shell.output import print_json, say

    if as_json:
        print_json([_to_json(*one) for one in found])
        return
    for text, one in found:
        for line in _lines(text, one):
            say(line, STYLES.get(one.severity, ""))
    if not any(map(_counts, found)):
        say("Nothing would be refused, held, altered or dropped.")


def _to_json(text: _Text, one: Finding) -> dict[str, Any]:
    return {"file": text.name, **asdict(one)}


def _lines(text: _Text, one: Finding) -> Iterator[str]:
    from syncd.shell.output import clean

    place = f"{text.name}:{one.line}" if one.line else text.name
    yield clean(f"{place}: {one.severity} {one.code}: {one.reason}")
    if one.hint:
        yield f"    {clean(one.hint)}"
