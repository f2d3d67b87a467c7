"""
What the rounds need of the outside, as protocols, and the values that pass through them.

Adapters fulfil these; nothing here says how. Every method that may block leaves the event loop
inside its adapter, so that no caller needs to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from syncd.core.errors import SyncdError
from syncd.core.ids import AccountName, FileName, Fingerprint, GraphId, ProblemId, RoundId, Uid
from syncd.core.state import (
    CalendarKey,
    Change,
    Doubt,
    HistoryRecord,
    ItemRecord,
    OutboxEntry,
    Problem,
    RemoteRecord,
    Side,
    VerdictRecord,
    View,
)
from syncd.core.wire.exchange import Answer, Request

__all__ = [
    "Answer",
    "Answered",
    "ByteSink",
    "Clock",
    "Displaced",
    "Failed",
    "FileOutcome",
    "FileSeen",
    "FileStat",
    "FileTrouble",
    "FileWork",
    "FolderLook",
    "KnownFile",
    "LocalFolder",
    "Lost",
    "Marker",
    "Orphan",
    "Pauses",
    "Remote",
    "RemoveFile",
    "Removed",
    "ReplaceFile",
    "Request",
    "StateStore",
    "Streams",
    "Taken",
    "Unsent",
    "Vanished",
    "WriteFile",
    "WriteOutcome",
    "Wrote",
]


class Clock(Protocol):
    """Wall clock, monotonic clock and sleep; tests pass a virtual one."""

    def now(self) -> datetime:
        """The wall clock, as aware UTC."""

    def monotonic_s(self) -> float:
        """Seconds on a clock that never jumps."""

    async def sleep(self, seconds: float) -> None:
        """Come back after `seconds` of monotonic time."""


# --- the service ---


@dataclass(frozen=True, slots=True)
class Answered:
    """A write was answered: `answer` says whether it was accepted (2xx) or refused (4xx)."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Lost:
    """A write left and its answer did not come back (cut off, unreadable, 5xx): it is in doubt."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unsent:
    """A write certainly did not take effect: never sent, or turned away by throttling or login."""

    error: SyncdError


WriteOutcome = Answered | Lost | Unsent


class Remote(Protocol):
    """One mailbox on the service."""

    async def read(self, request: Request) -> Answer:
        """
        Send a GET, repeating it while the failure passes.

        Returns: an answer with any status below 500 but 401 and 429.
        Raises: Throttled, Unreachable, ServiceDown, BadAnswer, LoginNeeded.
        """

    async def read_all(self, requests: Sequence[Request]) -> list[Answer]:
        """As `read`, for many at once, in batches; the answers are in the order of the requests."""

    async def write_all(self, requests: Sequence[Request]) -> list[WriteOutcome]:
        """
        Send writes that do not depend on each other, each at most once unless it was a 429 or no
        byte of it was sent. Never raises for the service's or the network's sake.
        """

    @property
    def clock_skew_s(self) -> float | None:
        """Seconds by which this machine's clock is ahead of the service's; None before a reply."""


class ByteSink(Protocol):
    """Takes a download as it comes; both methods raise DiskTrouble, which ends the download."""

    async def begin(self, headers: Mapping[str, str]) -> None:
        """The content of an answer follows; whatever came of an earlier one is void."""

    async def take(self, piece: bytes) -> None:
        """The next bytes."""


class Streams(Protocol):
    """
    Files on their way from and to one mailbox, which share its login, pauses and limits.

    An upload URL is a secret: it carries its own right, and no login ever goes with it.
    """

    async def fetch(self, request: Request, sink: ByteSink) -> Answer:
        """
        Send a GET whose content goes to `sink`, beginning anew while the failure passes.

        Returns: the answer without its content where it is a success, else whole.
        Raises: as `Remote.read`; DiskTrouble of the sink.
        """

    async def upload_state(self, url: str) -> Answer:
        """
        Ask an upload URL what it expects next; 401, 404 and 410 mean that it is over.

        Raises: Throttled, Unreachable, ServiceDown, BadAnswer; LinkAstray: no address for a file.
        """

    async def upload(self, url: str, piece: bytes, start: int, size: int) -> WriteOutcome:
        """
        Send the bytes from `start` of a file of `size`; as `Remote.write_all`, it never raises for
        the service's or the network's sake.
        """

    async def end_upload(self, url: str) -> None:
        """Have what an upload URL received forgotten; that it fails is no news to anyone."""


class Pauses(Protocol):
    """Remembers, across processes, until when the service asked this mailbox to be left alone."""

    async def until(self) -> datetime | None:
        """The end of the pause as aware UTC, or None."""

    async def extend(self, until: datetime) -> None:
        """Keep the later of `until` and what is known."""


# --- the folder ---


@dataclass(frozen=True, slots=True)
class FileStat:
    """What tells cheaply that a file is still the one that was read."""

    mtime_ns: int
    ctime_ns: int
    size: int
    inode: int


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as it was last read or written; `stat` is None when that is not known."""

    fingerprint: Fingerprint
    stat: FileStat | None


@dataclass(frozen=True, slots=True)
class FileSeen:
    """A file whose content differs from what was known."""

    name: FileName
    fingerprint: Fingerprint
    stat: FileStat
    data: bytes


@dataclass(frozen=True, slots=True)
class FileTrouble:
    """A name ending in .ics that is no readable regular file (link, device, too large, denied)."""

    name: FileName
    code: Literal["not-a-file", "too-large", "unreadable"]
    reason: str


@dataclass(frozen=True, slots=True)
class Marker:
    """What `.syncd` in a calendar's folder says: whose it is."""

    account: str
    calendar: str
    installation: str


@dataclass(frozen=True, slots=True)
class FolderLook:
    """
    One look at a calendar's folder.

    `standing` says whether absences mean anything: only in a "ours" folder may a missing file be a
    deletion. `restamped` are files whose bytes are as known though their stat moved.
    """

    standing: Literal["ours", "missing", "unmarked", "foreign"]
    changed: tuple[FileSeen, ...] = ()
    restamped: Mapping[FileName, FileStat] = field(default_factory=dict)
    missing: frozenset[FileName] = frozenset()
    trouble: tuple[FileTrouble, ...] = ()


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Make a new file; it is not written when the name is taken."""

    name: FileName
    data: bytes


@dataclass(frozen=True, slots=True)
class ReplaceFile:
    """Swap a file whole, if it still holds what the round had read (`expect`)."""

    name: FileName
    data: bytes
    expect: Fingerprint


@dataclass(frozen=True, slots=True)
class RemoveFile:
    """Take a file away, if it still holds what the round had read (`expect`)."""

    name: FileName
    expect: Fingerprint


FileWork = WriteFile | ReplaceFile | RemoveFile


@dataclass(frozen=True, slots=True)
class Wrote:
    """The file now holds what was asked for."""

    fingerprint: Fingerprint
    stat: FileStat


@dataclass(frozen=True, slots=True)
class Removed:
    """The file is gone."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A new file was not made: the name is in use."""


@dataclass(frozen=True, slots=True)
class Displaced:
    """Someone saved in between: the file holds their version, untouched; plan anew."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Vanished:
    """Someone deleted the file in between; nothing was written."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The file system refused (full disk, read-only, permissions)."""

    error: SyncdError


FileOutcome = Wrote | Removed | Taken | Displaced | Vanished | Failed


@dataclass(frozen=True, slots=True)
class Orphan:
    """
    What a process killed in the middle of a swap left beside the files: `data` may be a person's.

    `name` is the file it belongs to, cut short if it was very long; `temp` is its own name.
    """

    name: FileName
    data: bytes
    temp: str


class LocalFolder(Protocol):
    """One calendar's folder of .ics files."""

    async def look(self, known: Mapping[FileName, KnownFile], *, thorough: bool) -> FolderLook:
        """
        Compare the folder with what was known of it.

        A file whose stat is as known is not read again unless `thorough`, or unless its stat is so
        young that a later write could hide in the same tick.
        Raises: DiskTrouble.
        """

    async def prepare(self, marker: Marker, *, displayname: str, color: str) -> None:
        """Make folder, marker and vdir metadata where they are missing or differ. DiskTrouble."""

    async def work(self, jobs: Sequence[FileWork]) -> list[FileOutcome]:
        """Do the jobs, each under its precondition; durable when this returns."""

    async def sweep(self) -> list[Orphan]:
        """
        Remove the temporary files of killed processes of ours that can only hold our own bytes.

        Returns: those that may hold a version which a swap had taken out; they stay until
        `discard`. Raises: DiskTrouble.
        """

    async def discard(self, orphans: Sequence[Orphan]) -> None:
        """Remove orphans whose content is known or kept; one that changed meanwhile stays."""


# --- the state ---


class StateStore(Protocol):
    """What the rounds read of the state, and the one way to change it. All raise DiskTrouble."""

    async def view(self, calendar: CalendarKey) -> View | None:
        """The cursor of a calendar."""

    async def doubts(self, calendar: CalendarKey, most: int) -> list[Doubt]:
        """What has to be asked by id."""

    async def unseen(self, calendar: CalendarKey, sweep: int) -> list[RemoteRecord]:
        """Events that the full view number `sweep` did not show."""

    async def remotes_by_id(
        self, calendar: CalendarKey, ids: Iterable[GraphId]
    ) -> dict[GraphId, RemoteRecord]:
        """Events by their ids; the id of an exception finds its series."""

    async def remotes_by_uid(
        self, calendar: CalendarKey, uids: Iterable[Uid]
    ) -> dict[Uid, list[RemoteRecord]]:
        """Events by their file's UID."""

    async def todo(self, calendar: CalendarKey, most: int, after: Uid) -> list[Uid]:
        """UIDs whose remote side moved since they were reconciled, in order, behind `after`."""

    async def items(self, calendar: CalendarKey, uids: Iterable[Uid]) -> dict[Uid, ItemRecord]:
        """Items by UID."""

    async def uids_of_files(
        self, calendar: CalendarKey, files: Iterable[FileName]
    ) -> dict[FileName, Uid]:
        """Which items are known under some file names."""

    async def known_files(self, calendar: CalendarKey) -> dict[FileName, KnownFile]:
        """Every file as it was last read or written."""

    async def counts(self, calendar: CalendarKey) -> Mapping[str, int]:
        """How many items, files, events, pending writes, held things and problems there are."""

    async def outbox(self, calendar: CalendarKey) -> list[OutboxEntry]:
        """Writes that left and are not settled, oldest first."""

    async def asked(self, calendar: CalendarKey) -> list[OutboxEntry]:
        """What people asked for and was not sent yet, oldest first."""

    async def new_outbox(
        self,
        calendar: CalendarKey,
        entries: Sequence[OutboxEntry],
        *,
        instead_of: Sequence[int] = (),
    ) -> list[int]:
        """
        Journal writes before they leave, in the place of others; their numbers.

        None where one of the others was taken back meanwhile.
        """

    async def problems(
        self, calendar: CalendarKey | None = None, *, subject: str | None = None
    ) -> list[Problem]:
        """Open matters, oldest first."""

    async def verdicts(self) -> dict[ProblemId, VerdictRecord]:
        """What people decided and what is not carried out yet."""

    async def recent_deletions(
        self, calendar: CalendarKey, side: Side, now: datetime, within: timedelta
    ) -> int:
        """How many deletions were carried out on a side within a time."""

    async def recent_files(
        self, calendar: CalendarKey, now: datetime, within: timedelta
    ) -> set[Uid]:
        """The items of which files were made within a time, since the service had them."""

    async def is_cut_short(self, round_: RoundId) -> bool:
        """Whether a round began and never came to its end, be it a bad one."""

    async def homes(
        self, account: AccountName, uids: Iterable[Uid]
    ) -> dict[Uid, dict[CalendarKey, bool]]:
        """In which calendars of an account UIDs have a file, and whether it is followed there."""

    async def arrivals(
        self, source: CalendarKey, uids: Iterable[Uid]
    ) -> dict[Uid, set[CalendarKey]]:
        """
        Where files of UIDs were new after all that is known of them in a calendar.

        By the order of the history, since clocks may be wrong; what was asked for by a command says
        nothing of a file.
        """

    async def history(self, uid: Uid | None, most: int) -> list[HistoryRecord]:
        """Changes, newest first."""

    async def commit(self, calendar: CalendarKey, changes: Sequence[Change]) -> None:
        """Carry out some changes of one calendar, all of them or none."""
