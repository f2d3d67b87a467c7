"""
What should become of one item, from what both sides were and are. Plain values in, one value out.

Rights, mail and limits are not weighed here (`syncd.core.plan` does); nothing is done here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from syncd.core.event import MASTER, SHOWN_FIELDS, FieldKey, Item
from syncd.core.ids import Fingerprint, Uid
from syncd.core.lines import Unreadable
from syncd.core.merge import Merge, Times, agree, changed, merge
from syncd.core.policies import Policy
from syncd.core.state import FieldTimes, ItemRecord, RemoteRecord
from syncd.core.wire.graph import RemoteEvent
from syncd.core.wire.ics_read import FileItem
from syncd.core.wire.ics_write import local_view

__all__ = [
    "Absent",
    "Broken",
    "Decision",
    "DeleteEvent",
    "DeleteFile",
    "Forget",
    "HeldFile",
    "KeepText",
    "Local",
    "MakeEvent",
    "MakeFile",
    "Merged",
    "Nothing",
    "Present",
    "Remote",
    "RestoreFile",
    "Same",
    "Sides",
    "decide",
    "is_edited",
]


@dataclass(frozen=True, slots=True)
class Same:
    """The file is as it was last read or written."""


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no file."""


@dataclass(frozen=True, slots=True)
class Present:
    """The file says something that has to be looked at."""

    file: FileItem
    data: bytes
    fingerprint: Fingerprint
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class Broken:
    """The file is there and cannot be read."""

    trouble: Unreadable
    data: bytes
    fingerprint: Fingerprint


Local = Same | Absent | Present | Broken


@dataclass(frozen=True, slots=True)
class Remote:
    """The event as it is on the service."""

    record: RemoteRecord
    event: RemoteEvent
    item: Item


@dataclass(frozen=True, slots=True)
class Sides:
    """Everything that is known of one UID in one calendar; `remote` None means gone or never."""

    uid: Uid
    known: ItemRecord | None
    local: Local
    remote: Remote | None


@dataclass(frozen=True, slots=True)
class Nothing:
    """Both sides are in step."""


@dataclass(frozen=True, slots=True)
class MakeFile:
    """The service has it, the folder never had."""


@dataclass(frozen=True, slots=True)
class RestoreFile:
    """The file was deleted while the service's version moved on: the service is not undone."""


@dataclass(frozen=True, slots=True)
class MakeEvent:
    """The folder has it, the service never had, or lost it while the file was edited."""

    item: Item
    again: bool = False


@dataclass(frozen=True, slots=True)
class DeleteFile:
    """The service's event is gone and nobody edited the file."""


@dataclass(frozen=True, slots=True)
class KeepText:
    """The service's meeting is gone while the file was edited: the text is kept under problems."""


@dataclass(frozen=True, slots=True)
class DeleteEvent:
    """The file was deleted and the service's event is as it was."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Both sides are gone."""


@dataclass(frozen=True, slots=True)
class HeldFile:
    """The file cannot be read, or its time cannot be sent: it is left as it is."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Both are there; `adopting` where they are linked without a common base."""

    merge: Merge
    local: Item
    remote: Item
    adopting: bool = False


Decision = (
    Nothing
    | MakeFile
    | RestoreFile
    | MakeEvent
    | DeleteFile
    | KeepText
    | DeleteEvent
    | Forget
    | HeldFile
    | Merged
)


def decide(sides: Sides, policy: Policy) -> Decision:
    """Decide one item."""
    match sides.local:
        case Broken():
            return HeldFile()
        case Present(file=file):
            return HeldFile() if file.item is None else _decided(sides, file.item, policy)
        case Same() | Absent():
            return _decided(sides, sides.local, policy)
        case _:
            assert_never(sides.local)


_Said = Item | Same | Absent
"""What the folder says of an item."""


def _decided(sides: Sides, said: _Said, policy: Policy) -> Decision:
    known = sides.known
    if known is None or known.base_remote is None or known.base_local is None:
        return _first_meeting(sides, said, policy)
    return _again(sides, said, known, known.base_local, known.base_remote, policy)


def _first_meeting(sides: Sides, said: _Said, policy: Policy) -> Decision:
    """There is no common base."""
    if isinstance(said, Item):
        if sides.remote is None:
            was_linked = sides.known is not None and sides.known.graph_id is not None
            return _edited_and_gone(sides.known, said) if was_linked else MakeEvent(said)
        met = agree(said, local_view(sides.remote.item), policy, _times(sides, sides.remote))
        if _named(sides.local) != _attached(sides.remote.event, _named(sides.local)):
            met = replace(met, pull=met.pull | _ATTACHED)
        return Merged(met, said, sides.remote.item, adopting=True)
    if sides.remote is not None:
        return MakeFile()
    return Forget() if isinstance(said, Absent) else Nothing()


def _again(
    sides: Sides,
    said: _Said,
    known: ItemRecord,
    base_local: Item,
    base_remote: Item,
    policy: Policy,
) -> Decision:
    remote = sides.remote
    if isinstance(said, Item):
        if remote is None:
            return _gone_on_service(known, base_local, said)
        return _merged(sides, remote, base_local, base_remote, said, policy)
    if remote is None:
        return Forget() if isinstance(said, Absent) or known.file is None else DeleteFile()
    if known.file is None:
        return MakeFile()
    if isinstance(said, Same):
        return _merged(sides, remote, base_local, base_remote, base_local, policy)
    return RestoreFile() if is_edited(base_remote, remote.item) else DeleteEvent()


def is_edited(base: Item, now: Item) -> bool:
    """Whether someone changed what the event says (answers of attendees alone do not count)."""
    return any(key.name not in SHOWN_FIELDS for key in changed(base, now, local=False))


def _gone_on_service(known: ItemRecord, base_local: Item, local: Item) -> Decision:
    if not changed(base_local, local, local=True):
        return DeleteFile()
    return _edited_and_gone(known, local)


def _edited_and_gone(known: ItemRecord | None, local: Item) -> Decision:
    """Making a meeting again would invite everyone anew."""
    bases = (known.base_local, known.base_remote) if known is not None else ()
    versions = (local, *(one for one in bases if one is not None))
    return KeepText() if any(map(_is_meeting, versions)) else MakeEvent(local, again=True)


def _is_meeting(item: Item) -> bool:
    master = item.master
    return bool(master.attendees or master.invited_as) or item.has_guests_of_occurrences


def _merged(
    sides: Sides,
    remote: Remote,
    base_local: Item,
    base_remote: Item,
    local: Item,
    policy: Policy,
) -> Decision:
    times = _times(sides, remote)
    found = merge(base_local, base_remote, local, remote.item, policy, times)
    # A line of ours that is gone comes back with the next write; one for what is gone goes at once,
    # and so does a line of the file's own that one of ours stands for.
    gone = _named(sides.local) - _attached(remote.event, _named(sides.local))
    if gone or _brings_again(sides.local, remote.event):
        found = replace(found, pull=found.pull | _ATTACHED)
    if not (found.push or found.pull or found.agreed or found.conflicts):
        return Nothing()
    return Merged(found, local, remote.item)


_ATTACHED = frozenset({FieldKey(MASTER, "attached")})


def _named(local: Local) -> frozenset[str]:
    """The ids of attachments that a file has lines for."""
    return local.file.attached_ids if isinstance(local, Present) else frozenset()


def _brings_again(local: Local, event: RemoteEvent) -> bool:
    """Whether a file brings along what was sent from it before: a program saved an older text."""
    new = local.file.attachments if isinstance(local, Present) else ()
    return not {one.digest for one in new}.isdisjoint(one.digest for one in event.attachments or ())


def _attached(event: RemoteEvent, unknown: frozenset[str]) -> frozenset[str]:
    """The ids of what hangs on an event; `unknown` where its list has not come yet."""
    if event.attachments is None:
        return unknown if event.has_attachments else frozenset()
    return frozenset(one.id for one in event.attachments)


def _times(sides: Sides, remote: Remote) -> Times:
    local, record = sides.local, remote.record
    seen = record.field_times or FieldTimes(record.seen_at)
    saved_at = local.saved_at if isinstance(local, Present) else seen.since
    return Times(saved_at, seen.since, dict(seen.fields))
