"""
What syncd remembers, as values: records that are read, and changes that are written together.

A round reads records and hands back changes; the store carries out a list of changes in one
transaction. Nothing here knows SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, NewType, get_args

import msgspec

from syncd.core.event import PROJECTION, FieldKey, Item
from syncd.core.ids import (
    AccountName,
    CalendarId,
    DeltaLink,
    FileName,
    Fingerprint,
    GraphId,
    ProblemId,
    RoundId,
    TransactionId,
    Uid,
)
from syncd.core.mailbox_settings import MailboxSettings
from syncd.core.owner import Owner

__all__ = [
    "WISHES",
    "AccountRecord",
    "AddHistory",
    "CalendarKey",
    "CalendarRecord",
    "Change",
    "ClearVerdict",
    "CountDeletion",
    "Doubt",
    "DoubtKind",
    "DropDoubt",
    "DropItem",
    "DropOutbox",
    "DropRemote",
    "DropView",
    "EntryKind",
    "Errand",
    "ErrandKind",
    "FieldTimes",
    "HistoryRecord",
    "ItemRecord",
    "Lost",
    "NameItem",
    "NoTodo",
    "OutboxEntry",
    "Phase",
    "Problem",
    "PutDoubt",
    "PutItem",
    "PutOutbox",
    "PutProblems",
    "PutRemote",
    "PutVerdict",
    "PutView",
    "RemoteRecord",
    "Restamp",
    "SeenRemote",
    "Side",
    "StoredStat",
    "Todo",
    "VerdictKind",
    "VerdictRecord",
    "View",
    "WishKind",
]

CalendarKey = NewType("CalendarKey", int)
"""The store's own number of a calendar."""

Side = Literal["local", "remote"]
Phase = Literal["new", "import", "recovery", "live"]


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """What was learnt of a mailbox: who it is, its zone and settings, when that was asked."""

    name: AccountName
    user_id: str
    addresses: tuple[str, ...]
    zone: str
    identified_at: datetime | None
    listed_at: datetime | None
    export_dir: str
    settings: MailboxSettings = field(default_factory=MailboxSettings)


@dataclass(frozen=True, slots=True)
class CalendarRecord:
    """
    A calendar and its folder's name; `status` "gone" keeps the folder and syncs nothing.

    `phase` is new (the folder was not looked at yet), import (it held files and no marker),
    recovery (it bears a marker of a state that is lost) or live. `owner` is the address of whose
    it is, in lower case, "" where that is not told; `is_default`: Outlook puts new events there.
    `meetings_by` is what its online meetings are held with (Graph "calendar",
    `defaultOnlineMeetingProvider`), "" where that is not told.
    """

    key: CalendarKey
    account: AccountName
    id: CalendarId
    name: str
    color: str
    folder: str
    can_edit: bool
    status: Literal["active", "gone"]
    phase: Phase
    owner: str = ""
    is_default: bool = False
    meetings_by: str = ""

    def is_shared_to(self, owner: Owner) -> bool:
        """Whether it is somebody else's, who lets them read or write it."""
        return bool(self.owner) and not self.is_default and not owner.is_own(self.owner)

    def whose(self, owner: Owner) -> Owner:
        """
        Whose it is: the mailbox's owner, or who shares it with them.

        There the service takes that person for the organizer, or for the guest who answers, and the
        mailbox's owner for anybody (Graph "event", `isOrganizer`).
        """
        if not self.is_shared_to(owner):
            return owner
        return replace(owner, addresses=frozenset((self.owner,)), deputies=owner.addresses)


@dataclass(frozen=True, slots=True)
class View:
    """
    Where the delta round of a calendar stands.

    `link` is the next page while `complete` is False, the delta link when it is True; `sweep` is
    the number of the full view being read: what it has not seen by its end is looked for.
    """

    link: DeltaLink | None
    complete: bool
    start: datetime
    end: datetime
    opened_at: datetime
    sweep: int
    true_up_at: datetime | None = None


class FieldTimes(msgspec.Struct, frozen=True):
    """When fields of an event were seen to change; `since`: those that are not among them."""

    since: datetime
    fields: tuple[tuple[FieldKey, datetime], ...] = ()

    def moved(self, keys: Collection[FieldKey], now: datetime) -> FieldTimes:
        """The same after some fields were seen to change once more."""
        others = [one for one in self.fields if one[0] not in keys]
        return FieldTimes(self.since, (*others, *((key, now) for key in sorted(keys))))


@dataclass(frozen=True, slots=True)
class RemoteRecord:
    """
    An event as received; a series is its master with exceptions and cancelled slots.

    `field_times` are kept where the policy asks for them; else everything is as old as `seen_at`.
    """

    graph_id: GraphId
    uid: Uid
    etag: str
    raw: bytes
    seen_at: datetime
    sweep: int
    outside: bool = False
    exceptions: tuple[GraphId, ...] = ()
    field_times: FieldTimes | None = None


class StoredStat(msgspec.Struct, frozen=True):
    """A file's stat, as in `syncd.ports.FileStat`."""

    mtime_ns: int
    ctime_ns: int
    size: int
    inode: int


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """
    One UID of a calendar: its event, its file, and both bases.

    `content` is the last readable content of the file. `local_only` items are not followed on the
    service any more (a person chose to keep the file). `sent_stash` is the stash that the service
    was last given; `projection` the version of the fields that the bases know.
    """

    uid: Uid
    graph_id: GraphId | None = None
    file: FileName | None = None
    fingerprint: Fingerprint | None = None
    stat: StoredStat | None = None
    base_local: Item | None = None
    base_remote: Item | None = None
    content: bytes = b""
    local_only: bool = False
    sent_stash: str = ""
    projection: int = PROJECTION


DoubtKind = Literal["series", "removed", "fetch", "unseen", "attached"]


@dataclass(frozen=True, slots=True)
class Doubt:
    """
    Something that a page said and that a read by id has to settle.

    `series`: a series was touched; `removed`: the view named it as removed; `unseen`: a whole view
    did not show it, or a write met nothing; `fetch`: a new event whose extended property is not
    known yet; `attached`: what hangs on it may be something else.
    """

    graph_id: GraphId
    kind: DoubtKind


WishKind = Literal["respond", "cancel", "forward", "snooze", "dismiss", "detach"]
WISHES: Final[tuple[WishKind, ...]] = get_args(WishKind)
"""What a person may ask for by a command; an answer and `detach` also come of an edited file."""

EntryKind = Literal["create", "patch", "delete", "delete-occurrence", "attach"] | WishKind


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """
    A write that is durable before it leaves.

    `state`: ready (asked for by a person, not sent yet), sent (left; after a crash that means in
    doubt), doubt (the answer was lost). `expects` are the local values that the write carries, to
    settle bases with; `slot` is "" for the master. `action` is as in `syncd.core.plan.Write`.

    What a person asked for by a command has no `expects`: it is settled by what is seen of it, and
    no base moves.
    """

    number: int
    uid: Uid
    kind: EntryKind
    slot: str
    graph_id: GraphId | None
    action: str
    body: bytes
    transaction_id: TransactionId | None
    state: Literal["ready", "sent", "doubt"]
    since: datetime
    keys: tuple[tuple[str, str], ...]
    expects: Item | None
    before_etag: str
    mails: tuple[str, ...] = ()
    mail_kind: str = ""


ErrandKind = Literal["directory", "attachment"]
"""Of a mailbox's calendars, groups, shares and categories, or of what hangs on an event."""


@dataclass(frozen=True, slots=True)
class Errand:
    """
    What a person asked of a mailbox by a command, beside its events: durable before it leaves.

    `asked` is JSON, as it was typed; `decided` the same about this very thing, once that is told
    from others of its name, b"" before. `attempt` completes "to", for people. `state` is as in
    `OutboxEntry`. `left_at` is when it left; `before` are ids that were listed then, by which what
    it made is told from what was there.
    """

    number: int
    account: AccountName
    kind: ErrandKind
    asked: bytes
    attempt: str
    state: Literal["ready", "sent", "doubt"]
    since: datetime
    decided: bytes = b""
    left_at: datetime | None = None
    before: tuple[str, ...] = ()


ProblemKind = Literal[
    "conflict",
    "unreadable",
    "hold",
    "held-mail",
    "held-deletions",
    "held-import",
    "in-doubt",
    "refused",
    "folder",
    "gone-or-new",
    "calendar-gone",
    "notice",
]


@dataclass(frozen=True, slots=True)
class Lost:
    """The version that a conflict put aside, whole: the field of it that lost, and who won."""

    key: FieldKey
    version: Item
    winner: Side


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One matter of `syncd problems`; `exact` tells what precisely a person would approve.

    `lost` is there with a conflict that the policy decided.
    """

    id: ProblemId
    kind: ProblemKind
    code: str
    needs_person: bool
    account: AccountName
    calendar: str
    uid: Uid | None
    file: str
    summary: str
    line: int
    reason: str
    hint: str
    since: datetime
    fields: tuple[str, ...] = ()
    base: Any = None
    local: Any = None
    remote: Any = None
    mail_class: str = ""
    to: tuple[str, ...] = ()
    items: tuple[Mapping[str, str], ...] = ()
    exact: str = ""
    lost: Lost | None = None


VerdictKind = Literal["approved", "discarded", "local", "remote", "both", "sent"]


@dataclass(frozen=True, slots=True)
class VerdictRecord:
    """What a person decided of a problem: it counts while the matter is exactly the same."""

    problem: ProblemId
    kind: VerdictKind
    exact: str


@dataclass(frozen=True, slots=True)
class HistoryRecord:
    """
    One change of one side, or one write to the service that took effect (it has no texts).

    `mail_kind` and `mails` are the mail that such a write made the service send, and to whom;
    `key` is the calendar's number, which the store fills in.
    """

    number: int
    round: RoundId
    at: datetime
    calendar: str
    uid: Uid
    side: Side
    what: str
    fields: tuple[str, ...]
    before: bytes
    after: bytes
    mail_kind: str = ""
    mails: tuple[str, ...] = ()
    key: CalendarKey = CalendarKey(0)


# --- changes ---


@dataclass(frozen=True, slots=True)
class PutView:
    """Move the cursor."""

    view: View


@dataclass(frozen=True, slots=True)
class DropView:
    """Forget the cursor: the next pull opens a fresh view."""


@dataclass(frozen=True, slots=True)
class PutRemote:
    """An event was received; its item has work to do unless `quiet`."""

    record: RemoteRecord
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class DropRemote:
    """An event is gone from the calendar; its item has work to do."""

    graph_id: GraphId


@dataclass(frozen=True, slots=True)
class SeenRemote:
    """A full view showed events as they are known (ids)."""

    graph_ids: tuple[GraphId, ...]
    sweep: int


@dataclass(frozen=True, slots=True)
class PutDoubt:
    """Something has to be asked by id."""

    doubt: Doubt


@dataclass(frozen=True, slots=True)
class DropDoubt:
    """It was asked and answered."""

    doubt: Doubt


@dataclass(frozen=True, slots=True)
class PutItem:
    """The item as it is now."""

    item: ItemRecord


@dataclass(frozen=True, slots=True)
class NameItem:
    """The item's file was made; all else is known of it already."""

    uid: Uid
    file: FileName
    fingerprint: Fingerprint | None
    stat: StoredStat | None


@dataclass(frozen=True, slots=True)
class DropItem:
    """Neither side has it any more."""

    uid: Uid


@dataclass(frozen=True, slots=True)
class Restamp:
    """A file's stat moved while its bytes stayed."""

    file: FileName
    stat: StoredStat


@dataclass(frozen=True, slots=True)
class Todo:
    """An item has to be reconciled."""

    uid: Uid


@dataclass(frozen=True, slots=True)
class NoTodo:
    """An item was reconciled."""

    uid: Uid


@dataclass(frozen=True, slots=True)
class PutOutbox:
    """A write is meant, leaves, or is in doubt."""

    entry: OutboxEntry


@dataclass(frozen=True, slots=True)
class DropOutbox:
    """A write is settled."""

    number: int


@dataclass(frozen=True, slots=True)
class PutProblems:
    """All problems of one subject (a UID, or "" for the calendar), replacing what was listed."""

    subject: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class PutVerdict:
    """A person decided."""

    verdict: VerdictRecord


@dataclass(frozen=True, slots=True)
class ClearVerdict:
    """The decision was carried out."""

    problem: ProblemId


@dataclass(frozen=True, slots=True)
class CountDeletion:
    """A deletion was carried out; the guard counts those of the last hour."""

    side: Side
    uid: Uid
    at: datetime


@dataclass(frozen=True, slots=True)
class AddHistory:
    """A change was made by either side; `number` in the record is ignored."""

    record: HistoryRecord


Change = (
    PutView
    | DropView
    | PutRemote
    | DropRemote
    | SeenRemote
    | PutDoubt
    | DropDoubt
    | PutItem
    | NameItem
    | DropItem
    | Restamp
    | Todo
    | NoTodo
    | PutOutbox
    | DropOutbox
    | PutProblems
    | PutVerdict
    | ClearVerdict
    | CountDeletion
    | AddHistory
)
