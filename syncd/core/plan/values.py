"""Plans as values: what is done about one item, and what planning needs to know (`Desk`)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

import msgspec

from syncd.core.decide import (
    Decision,
    Present,
    Sides,
)
from syncd.core.event import MASTER, Attached, FieldKey, Item
from syncd.core.ids import (
    AccountName,
    CalendarId,
    FileName,
    GraphId,
    ProblemId,
    Uid,
)
from syncd.core.mail import Mailing, MailPolicy
from syncd.core.merge import ABSENT
from syncd.core.owner import Owner
from syncd.core.policies import Policy
from syncd.core.state import ItemRecord, Problem, StoredStat, VerdictKind, VerdictRecord
from syncd.core.wire.ics_forms import NO_FORMS, Forms

__all__ = [
    "Desk",
    "FileJob",
    "ItemPlan",
    "Write",
    "WriteKind",
    "exactly",
    "fields_value",
    "file_of",
    "problem_id",
    "refusal_digest",
    "stat_of",
    "summary_of",
    "unless_refused",
]


WriteKind = Literal["create", "patch", "delete", "delete-occurrence", "respond", "attach"]


@dataclass(frozen=True, slots=True)
class FileJob:
    """
    What happens to the item's file: `data` None removes it; `expect` is what it holds now.

    `unread`: what is written are a person's words, which the next look has to read as such.
    `again`: what it says beside is still to be sent, in the next round.
    """

    name: FileName
    data: bytes | None
    expect: str | None
    unread: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """
    One write to the service.

    `body` is its JSON, without the transaction id, which the journal adds; `expects` the local
    item whose values for `keys` are agreed once the write is answered. `action` is the answer of a
    response; of a create, the id of the event in whose place it comes; of an attachment, the digest
    of its line. `reshapes`: the service may drop the series' exceptions, which are then put again.
    """

    kind: WriteKind
    slot: str
    keys: frozenset[FieldKey]
    graph_id: GraphId | None
    action: str
    body: Mapping[str, Any]
    expects: Item | None
    mailing: Mailing | None
    before_etag: str = ""
    reshapes: bool = False


@dataclass(frozen=True, slots=True)
class ItemPlan:
    """
    Everything that is done about one item in this round.

    `record` is kept at once (None: there is none any more); `after_file` once the file work is
    done. `lost` are texts that a decision put aside: they go to the history first. `rival` is the
    file as the service's values would have it, which a person turned down. `detached` is what
    a person took the lines of out of the file.
    """

    uid: Uid
    decision: Decision
    sides: Sides
    record: ItemRecord | None
    file: FileJob | None = None
    after_file: ItemRecord | None = None
    writes: tuple[Write, ...] = ()
    problems: tuple[Problem, ...] = ()
    lost: bytes = b""
    used_verdicts: tuple[ProblemId, ...] = ()
    keep_todo: bool = False
    rival: bytes = b""
    detached: tuple[Attached, ...] = ()


@dataclass(frozen=True, slots=True)
class Desk:
    """What planning needs to know besides the item: rules, rights, decisions of people, names."""

    account: AccountName
    calendar: CalendarId
    calendar_name: str
    owner: Owner
    now: datetime
    policy: Policy
    mail: MailPolicy
    may_write: bool
    why_not: str
    replace_rich: bool
    foreign_meeting: Literal["hold", "copy"]
    verdicts: Mapping[ProblemId, VerdictRecord]
    open_problems: Mapping[ProblemId, Problem]
    new_name: Callable[[Uid, FileName | None], FileName]
    forms: Forms = NO_FORMS
    moving: frozenset[Uid] = frozenset()
    attaches: bool = False
    detaches: bool = False

    def verdict(self, problem: ProblemId, exact: str) -> VerdictKind | Literal[""]:
        """What a person decided of exactly this, "" if nothing."""
        found = self.verdicts.get(problem)
        return found.kind if found is not None and found.exact in ("", exact) else ""

    def problem(
        self,
        kind: Any,
        code: str,
        sides: Sides | None,
        *,
        reason: str,
        hint: str = "",
        slot: str = "",
        needs_person: bool = True,
        **rest: Any,
    ) -> Problem:
        """A problem of this calendar, with its stable id."""
        uid = sides.uid if sides else None
        return Problem(
            id=problem_id(self.account, self.calendar, uid or "", kind, code, slot),
            kind=kind,
            code=code,
            needs_person=needs_person,
            account=self.account,
            calendar=self.calendar_name,
            uid=uid,
            file=file_of(sides) if sides else "",
            summary=summary_of(sides) if sides else "",
            line=rest.pop("line", 0),
            reason=reason,
            hint=hint,
            since=self.now,
            **rest,
        )


def problem_id(*parts: str) -> ProblemId:
    """Six to eight letters and digits that stay the same for the same matter."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return ProblemId(base64.b32encode(digest)[:7].decode().lower())


def exactly(value: object) -> str:
    """A short digest of precisely what a person is asked to approve."""
    encoded = msgspec.json.Encoder(order="deterministic").encode(value)
    return hashlib.sha256(encoded).hexdigest()[:16]


def file_of(sides: Sides) -> str:
    return str(sides.known.file or "") if sides.known else ""


def summary_of(sides: Sides) -> str:
    if isinstance(sides.local, Present) and sides.local.file.item is not None:
        return sides.local.file.item.master.subject
    if sides.remote is not None:
        return sides.remote.item.master.subject
    if sides.known is not None and sides.known.base_local is not None:
        return sides.known.base_local.master.subject
    return ""


def stat_of(stat: Any) -> StoredStat:
    """A file's stat as the state keeps it."""
    return StoredStat(stat.mtime_ns, stat.ctime_ns, stat.size, stat.inode)


def fields_value(item: Item, key: FieldKey) -> Any:
    """The value of one field of an item, ABSENT where it has none."""
    if key.slot == MASTER:
        return item.recurrence if key.name == "recurrence" else getattr(item.master, key.name)
    slot = date.fromisoformat(key.slot)
    if key.name == "cancelled":
        return True if slot in item.cancelled else ABSENT
    own = item.overrides.get(slot)
    value = getattr(own, key.name) if own is not None else msgspec.UNSET
    return ABSENT if value is msgspec.UNSET else value


def refusal_digest(write: Write) -> str:
    """What identifies a write that the service refused."""
    return exactly([write.kind, write.slot, write.action, dict(write.body)])


def unless_refused(plan: ItemPlan, write: Write, desk: Desk) -> ItemPlan:
    """Add the write, unless the service refused exactly this before: it waits for a change."""
    exact = refusal_digest(write)
    for problem in desk.open_problems.values():
        if (
            problem.kind in ("refused", "in-doubt")
            and problem.uid == plan.uid
            and problem.exact == exact
        ):
            return replace(plan, problems=(*plan.problems, problem))
    return replace(plan, writes=(*plan.writes, write))
