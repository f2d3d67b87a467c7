"""
The way back: versions of the history that become files again, and rounds that are taken back.

Knows where an item's file is and what it holds now, which calendars take edits, and what cannot be
taken back. Writes files, as a person would, and nothing else: what goes to the service is the next
round's matter, by its usual rules. Prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from syncd.core.errors import CommandError, DiskTrouble
from syncd.core.history import (
    FOUND,
    Changed,
    Reader,
    Remove,
    Step,
    Text,
    There,
    Undo,
    Write,
    mailed,
    named,
    state_at,
    steps_of,
    undo_of,
)
from syncd.core.ids import AccountName, FileName, Fingerprint, RoundId, Uid
from syncd.core.names import file_name, folded
from syncd.core.owner import Owner
from syncd.core.plan import exactly
from syncd.core.retaking import retaken
from syncd.core.state import (
    AddHistory,
    CalendarKey,
    CalendarRecord,
    HistoryRecord,
    ItemRecord,
    Lost,
    Problem,
)
from syncd.core.wire.ics_read import quick_uid
from syncd.core.zones import UTC_ZONE, windows_zone
from syncd.ports import (
    Clock,
    Displaced,
    Failed,
    FileOutcome,
    FileSeen,
    FileWork,
    FolderLook,
    Marker,
    Removed,
    RemoveFile,
    ReplaceFile,
    Taken,
    Vanished,
    WriteFile,
    Wrote,
)
from syncd.shell.config import Config, SyncSettings
from syncd.store.store import Store
from syncd.vdir.folder import VdirFolder

__all__ = ["Back", "Return", "WayBack", "owner_of", "records_of", "uid_named"]

ALL: Final = 1_000_000_000
SHOWN_UIDS: Final = 5
AT_ONCE: Final = 250
DELETES: Final = frozenset({"delete", FOUND})
"""Versions whose text is the one that went, and not one that came."""


@dataclass(frozen=True, slots=True)
class Back:
    """
    What is done about one item's file; `reason` says why nothing is ("leave").

    `fields` are those that change; `guests` whom the item invites, and `rule` what the mail policy
    says of them; `mails` what was sent and stays sent, by class. `unsaved` is what the file holds
    and no round has read yet.
    """

    uid: Uid
    calendar: CalendarRecord
    what: Literal["create", "write", "remove", "leave"]
    summary: str = ""
    file: FileName | None = None
    data: bytes = b""
    expect: Fingerprint | None = None
    fields: tuple[str, ...] = ()
    reason: str = ""
    guests: tuple[str, ...] = ()
    rule: str = ""
    mails: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unsaved: bytes = b""

    @property
    def exact(self) -> list[Any]:
        """Precisely what a person agrees to."""
        return [self.uid, self.calendar.key, self.what, self.file, self.data, self.expect]


@dataclass(frozen=True, slots=True)
class Return:
    """What is done about the files of some items, in this order."""

    backs: tuple[Back, ...]

    @property
    def exact(self) -> str:
        """A digest of it."""
        return exactly([one.exact for one in self.backs])


@dataclass(frozen=True, slots=True)
class _OnDisk:
    """An item's file as it is: `data` None where it is absent; `unread` by any round yet."""

    name: FileName | None
    data: bytes | None
    fingerprint: Fingerprint | None
    unread: bool


async def uid_named(store: Store, written: str) -> Uid:
    """
    The UID that is meant, or of which it is the only one to begin so.

    Raises: CommandError: neither the items nor the history know it, or several begin so.
    """
    found = await store.uids_beginning(written, SHOWN_UIDS + 1) if written else []
    if Uid(written) in found:
        return Uid(written)
    if not found:
        raise CommandError(f"there is no event {written!r}", hint="`syncd log` has the UIDs.")
    if len(found) > 1:
        shown = ", ".join(found[:SHOWN_UIDS]) + (", …" if len(found) > SHOWN_UIDS else "")
        raise CommandError(f"{written!r} may be any of {shown}", hint="Write more of the UID.")
    return found[0]


async def records_of(store: Store, uid: Uid) -> list[HistoryRecord]:
    """All that the history has of an item, oldest first."""
    return (await store.history(uid, ALL))[::-1]


async def owner_of(config: Config, store: Store, account: AccountName) -> Owner:
    """Whose mailbox an account is, as far as that is known."""
    known = await store.account(account)
    configured = config.accounts[account].addresses if account in config.accounts else ()
    addresses = (*(known.addresses if known else ()), *configured)
    zone = windows_zone(known.zone) if known is not None and known.zone else None
    return Owner(frozenset(one.casefold() for one in addresses), zone or UTC_ZONE)


class WayBack:
    """Plans and carries out returns; only whoever holds the state's lock may carry them out."""

    def __init__(self, config: Config, store: Store, clock: Clock) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._looks: dict[CalendarKey, FolderLook] = {}
        self._names: dict[CalendarKey, set[str]] = {}

    # --- one version -------------------------------------------------------------------------

    async def restore(self, written: str) -> Return:
        """
        `UID@VERSION`: the file of that version becomes the item's file again.

        Version 0 is what there was before the oldest one that is kept; a deletion stands for what
        it deleted.
        Raises: CommandError: there is no such item or version. DiskTrouble.
        """
        text, version = _split(written)
        uid = await uid_named(self._store, text)
        records = await records_of(self._store, uid)
        record = _numbered(records, uid, version)
        home = await self._home(uid, record.key)
        steps = _in(records, record.key)
        present = await self._item(record.key, uid)
        data = _text_of(steps_of(steps, present.content if present else None), uid, version)
        later = [one for one in steps if one.number > version]
        return Return((await self._restored(uid, home, data, mailed(later)),))

    async def _home(self, uid: Uid, key: CalendarKey) -> CalendarRecord:
        """The calendar that the item is in now; the one it was in, if it is gone."""
        was = await self._calendar(key)
        if await self._item(key, uid) is not None:
            return was
        for one in await self._store.calendars(was.account):
            item = await self._item(one.key, uid)
            if one.status == "active" and item is not None and item.file is not None:
                return one
        return was

    async def _calendar(self, key: CalendarKey) -> CalendarRecord:
        for one in await self._store.calendars():
            if one.key == key:
                return one
        raise CommandError("the calendar of this version is not known any more")

    async def _item(self, key: CalendarKey, uid: Uid) -> ItemRecord | None:
        return (await self._store.items(key, [uid])).get(uid)

    async def _restored(
        self, uid: Uid, calendar: CalendarRecord, data: bytes, mails: Mapping[str, tuple[str, ...]]
    ) -> Back:
        if reason := self._closed(calendar):
            raise CommandError(f"nothing can be restored here: {reason}")
        disk = await self._on_disk(calendar, uid)
        reader = await self._reader(calendar)
        if disk.data == data:
            reason = "its file says that already"
            return self._left(uid, calendar, reason, reader, data, mails)
        return self._write(uid, calendar, disk, data, reader, mails)

    # --- one value ---------------------------------------------------------------------------

    async def retake(self, problem: Problem, lost: Lost, key: CalendarKey) -> Return:
        """
        The file with the value that the policy put aside; nothing else of it changes.

        Raises: CommandError: the event is gone, or its file cannot take the value. DiskTrouble.
        """
        uid, calendar = problem.uid or Uid(""), await self._calendar(key)
        if reason := self._closed(calendar):
            raise CommandError(f"nothing can be brought back here: {reason}")
        disk = await self._on_disk(calendar, uid)
        item = await self._item(key, uid)
        if disk.data is None:
            raise CommandError(
                f"the event {problem.summary!r} has no file any more",
                hint=f"`syncd log {uid}` has its versions, `syncd restore` one.",
            )
        reader = await self._reader(calendar)
        base = item.base_local if item is not None else None
        data = retaken(disk.data, lost, uid, reader.owner, base, self._clock.now())
        if data is None:
            raise CommandError(
                f"{disk.name} cannot take the other value: it cannot be read as it is now",
                hint="Mend the file; `syncd problems show` has both values.",
            )
        if data == disk.data:
            return Return((self._left(uid, calendar, "it says that", reader, data, {}),))
        return Return((self._write(uid, calendar, disk, data, reader, {}),))

    # --- one round ---------------------------------------------------------------------------

    async def undo(self, round_: int) -> Return:
        """
        What one round changed, taken back in reverse; what changed since is left and named.

        Raises: CommandError: nothing is known of such a round. DiskTrouble.
        """
        records = await self._store.history_of_round(RoundId(round_)) if round_ > 0 else []
        if not records:
            raise CommandError(
                f"no change of a round {round_} is known",
                hint="`syncd log` tells in which round each change was made.",
            )
        last: dict[tuple[CalendarKey, Uid], HistoryRecord] = {}
        for one in records:
            last[one.key, one.uid] = one
        places = sorted(last, key=lambda place: last[place].number, reverse=True)
        return Return(tuple([await self._undone(*place, RoundId(round_)) for place in places]))

    async def _undone(self, key: CalendarKey, uid: Uid, round_: RoundId) -> Back:
        calendar = await self._calendar(key)
        records = _in(await records_of(self._store, uid), key)
        item = await self._item(key, uid)
        steps = steps_of(records, item.content if item is not None else None)
        mails = mailed([one for one in records if one.round == round_])
        reader = await self._reader(calendar)
        disk = await self._on_disk(calendar, uid) if not self._closed(calendar) else _NOWHERE
        match self._how(calendar, steps, round_, disk, reader):
            case Write(data):
                return self._write(uid, calendar, disk, data, reader, mails)
            case Remove():
                return self._remove(uid, calendar, disk, reader, mails)
            case There():
                reason = "it is as it was before"
            case Changed(reason):
                pass
        shown = disk.data or (steps[-1].before if steps else b"")
        return self._left(uid, calendar, reason, reader, shown, mails)

    def _how(
        self,
        calendar: CalendarRecord,
        steps: Sequence[Step],
        round_: RoundId,
        disk: _OnDisk,
        reader: Reader,
    ) -> Undo:
        if reason := self._closed(calendar):
            return Changed(reason)
        if not any(one.record.round == round_ for one in steps):
            return Changed("this round only sent what was changed before: undo that round")
        return undo_of(steps, round_, disk.data, unread=disk.unread, reader=reader)

    # --- what is done about a file -----------------------------------------------------------

    def _write(
        self,
        uid: Uid,
        calendar: CalendarRecord,
        disk: _OnDisk,
        data: bytes,
        reader: Reader,
        mails: Mapping[str, tuple[str, ...]],
    ) -> Back:
        keys = reader.differing(disk.data, data) or frozenset()
        there = disk.data is not None
        guests = _guests(reader, data) or _guests(reader, disk.data)
        # An item of which a name is known is there still: its deletion is only waiting.
        mailing = "updates" if disk.name is not None else "invitations"
        return Back(
            uid,
            calendar,
            "write" if there else "create",
            _summary(reader, data),
            disk.name if there else self._free_name(uid, calendar, disk.name),
            data,
            disk.fingerprint,
            tuple(sorted(named(key) for key in keys)),
            guests=guests,
            rule=self._rule(calendar, mailing) if guests else "",
            mails=mails,
            unsaved=disk.data if disk.unread and disk.data is not None else b"",
        )

    def _remove(
        self,
        uid: Uid,
        calendar: CalendarRecord,
        disk: _OnDisk,
        reader: Reader,
        mails: Mapping[str, tuple[str, ...]],
    ) -> Back:
        guests = _guests(reader, disk.data)
        return Back(
            uid,
            calendar,
            "remove",
            _summary(reader, disk.data),
            disk.name,
            expect=disk.fingerprint,
            guests=guests,
            rule=self._rule(calendar, "cancellations") if guests else "",
            mails=mails,
        )

    def _left(
        self,
        uid: Uid,
        calendar: CalendarRecord,
        reason: str,
        reader: Reader,
        data: Text,
        mails: Mapping[str, tuple[str, ...]],
    ) -> Back:
        return Back(uid, calendar, "leave", _summary(reader, data), reason=reason, mails=mails)

    def _settings(self, calendar: CalendarRecord) -> SyncSettings | None:
        account = self._config.accounts.get(calendar.account)
        return account.sync_for(calendar.name) if account is not None else None

    def _rule(self, calendar: CalendarRecord, kind: str) -> str:
        settings = self._settings(calendar)
        return f"{kind} = {getattr(settings.mail, kind)}" if settings is not None else ""

    def _closed(self, calendar: CalendarRecord) -> str:
        """Why the calendar's files cannot be edited from here, "" if they can."""
        settings = self._settings(calendar)
        if settings is None:
            return f"the account {calendar.account!r} is not in the configuration any more"
        if calendar.status != "active":
            return f"the calendar {calendar.name!r} is not synced any more"
        if settings.direction != "two-way":
            return 'the calendar is followed one way (direction = "pull")'
        return "" if calendar.can_edit else "the calendar is read-only"

    # --- the folder --------------------------------------------------------------------------

    async def _reader(self, calendar: CalendarRecord) -> Reader:
        owner = await owner_of(self._config, self._store, calendar.account)
        return Reader(calendar.whose(owner))

    async def folder(self, calendar: CalendarRecord) -> VdirFolder:
        """The folder of a calendar that takes edits."""
        settings = self._settings(calendar)
        assert settings is not None
        return VdirFolder(
            self._config.export_dir / calendar.account / calendar.folder,
            marker=Marker(calendar.account, calendar.id, await self._store.installation()),
            file_mode=settings.export_mode,
            clock=self._clock,
        )

    async def _look(self, calendar: CalendarRecord) -> FolderLook:
        """Raises: CommandError: the folder is not there, or not ours."""
        if calendar.key not in self._looks:
            known = await self._store.known_files(calendar.key)
            look = await (await self.folder(calendar)).look(known, thorough=False)
            if look.standing != "ours":
                raise CommandError(
                    f"the folder of {calendar.account}/{calendar.name} is {look.standing}",
                    hint="Mount it, or see `syncd problems`.",
                )
            self._looks[calendar.key] = look
            seen = {one.name for one in look.changed} | {one.name for one in look.trouble}
            there = (known.keys() | seen) - look.missing
            self._names[calendar.key] = {folded(name) for name in there}
        return self._looks[calendar.key]

    async def _on_disk(self, calendar: CalendarRecord, uid: Uid) -> _OnDisk:
        look = await self._look(calendar)
        item = await self._item(calendar.key, uid)
        name = item.file if item is not None else None
        if found := _seen(look.changed, uid, name):
            known = item.content if item is not None else None
            return _OnDisk(found.name, found.data, found.fingerprint, found.data != known)
        if name is not None and any(one.name == name for one in look.trouble):
            raise CommandError(f"the file {name} cannot be read", hint="See `syncd problems`.")
        if item is None or name is None:
            return _NOWHERE
        if name in look.missing or any(one.name == name for one in look.changed):
            return _OnDisk(name, None, None, unread=True)
        return _OnDisk(name, item.content, item.fingerprint, unread=False)

    def _free_name(self, uid: Uid, calendar: CalendarRecord, former: FileName | None) -> FileName:
        names = self._names[calendar.key]
        name = former if former and folded(former) not in names else file_name(uid, names)
        names.add(folded(name))
        return name

    # --- doing it ----------------------------------------------------------------------------

    async def carry_out(self, planned: Return) -> list[dict[str, Any]]:
        """
        Write and remove the files; what nobody has read yet of a file goes to the history first.

        Returns: `{uid, account, folder, file, what, done}` of each that was to be done.
        Raises: DiskTrouble.
        """
        backs = [one for one in planned.backs if one.what != "leave"]
        done: list[dict[str, Any]] = []
        # A round is one calendar's, and so is a version: these all lie in one folder.
        for at in range(0, len(backs), AT_ONCE):
            part = backs[at : at + AT_ONCE]
            for back in part:
                if back.unsaved:
                    await self._keep(back)
            folder = await self.folder(part[0].calendar)
            outcomes = await folder.work([_work(one) for one in part])
            for back, outcome in zip(part, outcomes, strict=True):
                done.append(_told(back, done=_is_done(outcome)))
        return done

    async def _keep(self, back: Back) -> None:
        item = await self._item(back.calendar.key, back.uid)
        before = item.content if item is not None else b""
        record = HistoryRecord(
            0,
            RoundId(0),
            self._clock.now(),
            back.calendar.name,
            back.uid,
            "local",
            "update",
            (),
            before,
            back.unsaved,
        )
        await self._store.commit(back.calendar.key, [AddHistory(record)])


_NOWHERE = _OnDisk(None, None, None, unread=False)


def _seen(changed: Iterable[FileSeen], uid: Uid, name: FileName | None) -> FileSeen | None:
    """The file that holds the item now: of its name, unless that holds another UID, or of any."""
    files = {one.name: quick_uid(one.data) for one in changed}
    for one in changed:
        if files[one.name] == uid or (one.name == name and not files[one.name]):
            return one
    return None


def _work(back: Back) -> FileWork:
    name = back.file
    assert name is not None
    if back.what == "remove":
        return RemoveFile(name, back.expect or Fingerprint(""))
    if back.expect is None:
        return WriteFile(name, back.data)
    return ReplaceFile(name, back.data, back.expect)


def _is_done(outcome: FileOutcome) -> bool:
    """Raises: DiskTrouble: the file system refused."""
    match outcome:
        case Wrote() | Removed():
            return True
        case Taken() | Displaced() | Vanished():
            return False
        case Failed(error):
            raise error if isinstance(error, DiskTrouble) else DiskTrouble(str(error))


def _told(back: Back, *, done: bool) -> dict[str, Any]:
    return {
        "uid": back.uid,
        "account": back.calendar.account,
        "folder": back.calendar.folder,
        "file": back.file,
        "what": back.what,
        "done": done,
    }


# --- versions ------------------------------------------------------------------------------------


def _split(written: str) -> tuple[str, int]:
    """Raises: CommandError: it is no `UID@VERSION`."""
    uid, _, version = written.rpartition("@")
    # A UID has mostly an @ of its own.
    if uid and version.isascii() and version.isdigit() and len(version) < 19:
        return uid, int(version)
    raise CommandError(
        f"{written!r} names no version", hint="Write UID@VERSION; `syncd log UID` lists them."
    )


def _in(records: Iterable[HistoryRecord], key: CalendarKey) -> list[HistoryRecord]:
    return [one for one in records if one.key == key]


def _numbered(records: Sequence[HistoryRecord], uid: Uid, version: int) -> HistoryRecord:
    """The record of a number; for 0 the oldest. Raises: CommandError: there is none."""
    found = [one for one in records if one.number == version or not version]
    if found:
        return found[0]
    hint = f"`syncd log {uid}` lists those that are."
    if not records or version < records[0].number:
        raise CommandError(f"version {version} of {uid!r} is not kept any more", hint=hint)
    raise CommandError(f"{uid!r} has no version {version}", hint=hint)


def _text_of(steps: Sequence[Step], uid: Uid, version: int) -> bytes:
    """Raises: CommandError: the version has no text, or none that was kept."""
    step = state_at(steps, version)
    if step is None:
        text = steps[0].before if steps else b""
    else:
        text = step.before if step.record.what in DELETES else step.after
    if text:
        return text
    if text is None:
        raise CommandError(
            f"before its first version {uid!r} was not there",
            hint=f"`syncd log {uid}` lists its versions.",
        )
    raise CommandError(f"the text of version {version} of {uid!r} was not kept")


def _summary(reader: Reader, data: Text) -> str:
    item = reader.item(data)
    return item.master.subject if item is not None else ""


def _guests(reader: Reader, data: Text) -> tuple[str, ...]:
    item = reader.item(data)
    return tuple(one.address for one in item.master.attendees) if item is not None else ()
