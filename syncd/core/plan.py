"""
From a decision to what is done about it: rights, mail policy, holds, and the exact writes.

Every plan is a value that can be printed before anything happens (`--dry-run`, `syncd problems`).
A plan covers one item; the deletion guard (`hold_deletions`) looks at all of them together.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal, assert_never

import msgspec

from syncd.core.decide import (
    Absent,
    Broken,
    Decision,
    DeleteEvent,
    DeleteFile,
    Forget,
    HeldFile,
    KeepText,
    MakeEvent,
    MakeFile,
    Merged,
    Nothing,
    Present,
    Remote,
    RestoreFile,
    Sides,
)
from syncd.core.event import MASTER, Event, FieldKey, Item, effective
from syncd.core.guard import DeletionLimit, Emptied, TooMany, judge
from syncd.core.ids import (
    AccountName,
    CalendarId,
    FileName,
    Fingerprint,
    GraphId,
    ProblemId,
    Uid,
)
from syncd.core.mail import SILENT_FIELDS, Mailing, MailPolicy, deletion, update
from syncd.core.merge import ABSENT, Merge, Settled, changed, overlay
from syncd.core.policies import Policy
from syncd.core.state import ItemRecord, Phase, Problem, StoredStat, VerdictRecord
from syncd.core.wire.graph import RemoteEvent, create_body, patch_fields, stamps
from syncd.core.wire.holds import Hold, hold
from syncd.core.wire.ics_read import Owner
from syncd.core.wire.ics_write import local_view, render, rewrite

__all__ = [
    "Desk",
    "FileJob",
    "ItemPlan",
    "Write",
    "exactly",
    "hold_creations",
    "hold_deletions",
    "plan_item",
    "problem_id",
]

WriteKind = Literal["create", "patch", "delete", "delete-occurrence", "respond"]
ATTENDEE_MAY = frozenset({"categories", "reminder_min", "show_as", "response"})


@dataclass(frozen=True, slots=True)
class FileJob:
    """What happens to the item's file: `data` None removes it; `expect` is what it holds now."""

    name: FileName
    data: bytes | None
    expect: str | None


@dataclass(frozen=True, slots=True)
class Write:
    """
    One write to the service.

    `body` is its JSON, without the transaction id, which the journal adds; `expects` the local
    item whose values for `keys` are agreed once the write is answered. `reshapes`: the service may
    drop the series' exceptions, which are then put again.
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
    done. `lost` are texts that a decision put aside: they go to the history first.
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
    new_name: Callable[[Uid], FileName]
    moving: frozenset[Uid] = frozenset()

    def verdict(self, problem: ProblemId, exact: str) -> str:
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
            file=_file_of(sides) if sides else "",
            summary=_summary(sides) if sides else "",
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


def _file_of(sides: Sides) -> str:
    return str(sides.known.file or "") if sides.known else ""


def _summary(sides: Sides) -> str:
    if isinstance(sides.local, Present) and sides.local.file.item is not None:
        return sides.local.file.item.master.subject
    if sides.remote is not None:
        return sides.remote.item.master.subject
    if sides.known is not None and sides.known.base_local is not None:
        return sides.known.base_local.master.subject
    return ""


# --- one item ---


def plan_item(sides: Sides, decision: Decision, desk: Desk) -> ItemPlan:
    """Plan one item."""
    match decision:
        case Nothing():
            return _nothing(sides, decision, desk)
        case MakeFile() | RestoreFile():
            return _make_file(sides, decision, desk)
        case MakeEvent():
            return _make_event(sides, decision, desk)
        case DeleteFile():
            return _delete_file(sides, decision, desk)
        case KeepText():
            return _keep_text(sides, decision, desk)
        case DeleteEvent():
            return _delete_event(sides, decision, desk)
        case Forget():
            return ItemPlan(sides.uid, decision, sides, None)
        case HeldFile():
            return _held_file(sides, decision, desk)
        case Merged():
            return _merged(sides, decision, desk)
        case _:
            assert_never(decision)


def _seen(sides: Sides, record: ItemRecord, *, settled: bool) -> ItemRecord:
    """The record after the file was read; a file with anything unsettled is read again."""
    if not isinstance(sides.local, Present):
        return record
    return replace(
        record,
        content=sides.local.data,
        fingerprint=sides.local.fingerprint if settled else None,
        stat=record.stat if settled else None,
    )


def _nothing(sides: Sides, decision: Decision, desk: Desk) -> ItemPlan:
    if sides.known is None:
        return ItemPlan(sides.uid, decision, sides, None)
    record = sides.known
    if isinstance(sides.local, Present) and sides.local.file.item is not None:
        record = replace(record, base_local=_refreshed(record, sides.local.file.item))
    if sides.remote is not None:
        record = replace(record, graph_id=sides.remote.record.graph_id)
    holds = _held_problems(sides, desk)
    settled = not any(problem.needs_person for problem in holds)
    return ItemPlan(
        sides.uid, decision, sides, _seen(sides, record, settled=settled), problems=holds
    )


def _refreshed(record: ItemRecord, local: Item) -> Item:
    """
    The base with the file's present spelling: equal in meaning, but with the overrides that the
    file now spells out, so that they go on inheriting.
    """
    base = record.base_local
    assert base is not None
    return base if changed(base, local, local=True) else _with_shown(local, base)


def _with_shown(local: Item, base: Item) -> Item:
    shown = {
        name: getattr(base.master, name)
        for name in ("organizer", "is_cancelled", "join_url", "invited_as", "response")
    }
    return msgspec.structs.replace(local, master=msgspec.structs.replace(local.master, **shown))


def _held_problems(sides: Sides, desk: Desk) -> tuple[Problem, ...]:
    if not isinstance(sides.local, Present):
        return ()
    return tuple(_hold_problem(one, sides, desk) for one in sides.local.file.holds)


def _hold_problem(one: Hold, sides: Sides, desk: Desk) -> Problem:
    return desk.problem(
        "hold",
        one.code,
        sides,
        reason=one.reason,
        hint=one.hint,
        slot=one.slot + "".join(sorted(one.fields)),
        line=one.line,
        fields=tuple(sorted(one.fields)),
        exact=one.reason,
    )


# --- files from the service ---


def _make_file(sides: Sides, decision: Decision, desk: Desk) -> ItemPlan:
    assert sides.remote is not None
    remote = sides.remote
    known = sides.known or ItemRecord(sides.uid)
    data = _file_content(known, remote, desk)
    name = known.file if isinstance(decision, RestoreFile) and known.file else None
    name = name or desk.new_name(sides.uid)
    base = local_view(remote.item)
    after = replace(
        known,
        graph_id=remote.record.graph_id,
        file=name,
        base_local=base,
        base_remote=remote.item,
        content=data,
    )
    problems: tuple[Problem, ...] = ()
    if isinstance(decision, RestoreFile) and known.file:
        reason = "the file was deleted while the event was changed on the service: it is back"
        problems = (
            desk.problem(
                "notice",
                "restored",
                sides,
                reason=reason,
                needs_person=False,
                hint="Delete the file again if you mean it.",
            ),
        )
    return ItemPlan(
        sides.uid,
        decision,
        sides,
        sides.known,
        FileJob(name, data, None),
        after,
        problems=problems,
        keep_todo=True,
    )


def _file_content(known: ItemRecord, remote: Remote, desk: Desk) -> bytes:
    """What a person had written, brought up to date; else a new file."""
    if known.content and known.base_remote is not None:
        moved = changed(known.base_remote, remote.item, local=False)
        stamp = stamps(remote.event)
        data = rewrite(known.content, known.uid, remote.item, moved, stamp, desk.owner)
        if isinstance(data, bytes):
            return data
    return render(known.uid, remote.item, stamps(remote.event), desk.owner)


def _delete_file(sides: Sides, decision: Decision, desk: Desk) -> ItemPlan:
    known = sides.known
    assert known is not None
    assert known.file is not None
    expect = known.fingerprint
    if isinstance(sides.local, Present):
        expect = sides.local.fingerprint
    return ItemPlan(
        sides.uid,
        decision,
        sides,
        known,
        FileJob(known.file, None, expect),
        None,
        lost=known.content,
        keep_todo=True,
    )


def _keep_text(sides: Sides, decision: Decision, desk: Desk) -> ItemPlan:
    assert isinstance(sides.local, Present)
    plan = _delete_file(sides, decision, desk)
    reason = "the meeting was deleted on the service while the file was edited"
    problem = desk.problem(
        "conflict",
        "deleted-on-server",
        sides,
        reason=reason,
        hint="The text is kept: `syncd log UID` shows it. Copy it into a new file if you need it.",
        needs_person=False,
        local=sides.local.data.decode("utf-8", "replace"),
    )
    return replace(plan, lost=sides.local.data, problems=(problem,))


def _held_file(sides: Sides, decision: Decision, desk: Desk) -> ItemPlan:
    record = sides.known
    if isinstance(sides.local, Broken):
        trouble = sides.local.trouble
        problem = desk.problem(
            "unreadable",
            trouble.code,
            sides,
            reason=trouble.reason,
            hint="Mend the file; its last good version stays on the service.",
            line=trouble.line,
        )
        problems: tuple[Problem, ...] = (problem,)
    else:
        problems = _held_problems(sides, desk)
    if record is not None:
        record = replace(record, fingerprint=None, stat=None)
    return ItemPlan(sides.uid, decision, sides, record, problems=problems)


# --- events from files ---

_WHOLE = frozenset({"when", "recurrence", "attendees"})


def _make_event(sides: Sides, decision: MakeEvent, desk: Desk) -> ItemPlan:
    assert isinstance(sides.local, Present)
    record = _new_record(sides)
    holds = _held_problems(sides, desk)
    plan = ItemPlan(sides.uid, decision, sides, record, problems=holds)
    if any(one.slot == "" and one.fields & _WHOLE for one in sides.local.file.holds):
        return plan
    if not desk.may_write:
        return replace(plan, problems=(*holds, _read_only_problem(sides, desk)))
    item = _as_created(decision.item, sides, desk)
    if isinstance(item, Problem):
        return replace(plan, problems=(*holds, item))
    return _create(plan, item, desk)


def _new_record(sides: Sides) -> ItemRecord:
    assert isinstance(sides.local, Present)
    known = sides.known or ItemRecord(sides.uid)
    return replace(
        known,
        graph_id=None,
        base_local=None,
        base_remote=None,
        fingerprint=None,
        stat=None,
        content=sides.local.data,
    )


def _read_only_problem(sides: Sides, desk: Desk) -> Problem:
    return desk.problem(
        "hold",
        "read-only",
        sides,
        reason=f"a new file cannot be sent: {desk.why_not}",
        hint="Move the file to another calendar's folder, or out of the export folder.",
    )


def _as_created(item: Item, sides: Sides, desk: Desk) -> Item | Problem:
    """The item as it may be created; meetings of other organizers are held or lose attendees."""
    organizer = item.master.organizer
    foreign = organizer is not None and not desk.owner.is_own(organizer.address)
    if foreign and (item.master.attendees or item.master.invited_as):
        if desk.foreign_meeting == "copy":
            return _without_attendees(item)
        return desk.problem(
            "hold",
            "foreign-meeting",
            sides,
            reason="the meeting is another organizer's; sending it would invite everyone anew",
            hint='Accept the invitation in the mailbox, or set foreign_meeting = "copy".',
        )
    if sides.uid in desk.moving and item.master.attendees:
        return desk.problem(
            "hold",
            "move-meeting",
            sides,
            reason="a meeting cannot change calendars without inviting and cancelling everyone",
            hint="Move the file back, or move the meeting in Outlook.",
        )
    return item


def _without_attendees(item: Item) -> Item:
    return msgspec.structs.replace(item, master=msgspec.structs.replace(item.master, attendees=()))


def _create(plan: ItemPlan, item: Item, desk: Desk) -> ItemPlan:
    sides, mailing = plan.sides, None
    used: tuple[ProblemId, ...] = ()
    if item.master.attendees:
        mailing = Mailing("invitations", tuple(one.address for one in item.master.attendees))
        problem = _mail_problem(sides, mailing, desk, would="create the meeting")
        stands = _mail_stands(problem, mailing, desk)
        if stands == "discarded":
            assert plan.record is not None
            local_only = replace(plan.record, local_only=True)
            return replace(plan, record=local_only, used_verdicts=(problem.id,))
        if stands == "held":
            return replace(plan, problems=(*plan.problems, problem))
        used = (problem.id,)
    staged = bool(item.overrides or item.cancelled)
    pushed = _without_slots(item)
    if staged:
        # One invitation shall carry the final state, not one mail for each exception.
        pushed, mailing, used = _without_attendees(pushed), None, ()
    body = create_body(pushed, desk.owner, plan.uid, "", with_attendees=not staged)
    write = Write("create", "", frozenset(), None, "", body, pushed, mailing)
    return replace(_unless_refused(plan, write, desk), used_verdicts=used)


def _without_slots(item: Item) -> Item:
    return Item(item.master, item.recurrence)


# --- mail ---


def _mail_problem(
    sides: Sides, mailing: Mailing, desk: Desk, *, would: str, slot: str = "", what: object = ""
) -> Problem:
    people = "1 person" if len(mailing.to) == 1 else f"{len(mailing.to)} people"
    never = desk.mail.rule(mailing.kind) == "never"
    return desk.problem(
        "held-mail",
        f"would-{_VERBS[mailing.kind]}",
        sides,
        reason=f"to {would} would mail {people}",
        hint=(
            f"The configuration never sends {mailing.kind}."
            if never
            else "`syncd approve ID` sends it, `syncd discard ID` takes it back."
        ),
        needs_person=not never,
        slot=slot,
        mail_class=mailing.kind,
        to=mailing.to,
        exact=exactly([mailing.kind, sorted(mailing.to), what]),
    )


_VERBS = {
    "invitations": "invite",
    "updates": "update",
    "cancellations": "cancel",
    "responses": "respond",
}


def _mail_stands(
    problem: Problem, mailing: Mailing, desk: Desk
) -> Literal["go", "held", "discarded"]:
    verdict = desk.verdict(problem.id, problem.exact)
    if verdict == "discarded":
        return "discarded"
    rule = desk.mail.rule(mailing.kind)
    if rule == "send" or (rule == "hold" and verdict == "approved"):
        return "go"
    return "held"


# --- deletions on the service ---


def _delete_event(sides: Sides, decision: Decision, desk: Desk) -> ItemPlan:
    assert sides.remote is not None
    if not desk.may_write:
        return _restored(sides, desk, f"the file is back: {desk.why_not}")
    if sides.uid in desk.moving and sides.remote.event.has_others:
        return ItemPlan(sides.uid, decision, sides, sides.known)
    mailing = deletion(sides.remote.event, desk.owner)
    used: tuple[ProblemId, ...] = ()
    if mailing is not None:
        problem = _mail_problem(sides, mailing, desk, would="delete the meeting")
        stands = _mail_stands(problem, mailing, desk)
        if stands == "discarded":
            plan = _make_file(sides, RestoreFile(), desk)
            return replace(plan, problems=(), used_verdicts=(problem.id,))
        if stands == "held":
            return ItemPlan(sides.uid, decision, sides, sides.known, problems=(problem,))
        used = (problem.id,)
    record = sides.remote.record
    write = Write("delete", "", frozenset(), record.graph_id, "", {}, None, mailing, record.etag)
    plan = ItemPlan(sides.uid, decision, sides, sides.known, used_verdicts=used)
    return _unless_refused(plan, write, desk)


def _restored(sides: Sides, desk: Desk, reason: str) -> ItemPlan:
    plan = _make_file(sides, RestoreFile(), desk)
    notice = desk.problem(
        "notice",
        "restored",
        sides,
        reason=reason,
        needs_person=False,
        hint="What you deleted cannot be deleted from here.",
    )
    return replace(plan, problems=(notice,))


# --- both sides are there ---


def _merged(sides: Sides, decision: Merged, desk: Desk) -> ItemPlan:
    assert sides.remote is not None
    known = sides.known or ItemRecord(sides.uid)
    base_local, base_remote = _bases(known, decision)
    merge, problems = _with_holds(decision.merge, sides, desk)
    merge, more = _with_rights(merge, sides, decision, desk)
    problems += more
    merge, more = _with_conflicts(merge, decision, sides, desk)
    problems += more
    if decision.adopting and any(one.kind == "conflict" and one.needs_person for one in problems):
        # Without a base, what waits for a person must not count as an edit of the file.
        waiting = replace(known, graph_id=sides.remote.record.graph_id)
        record = _seen(sides, waiting, settled=False)
        return ItemPlan(sides.uid, decision, sides, record, problems=tuple(problems))
    record = replace(
        known,
        graph_id=sides.remote.record.graph_id,
        base_local=overlay(base_local, merge.agreed, decision.local),
        base_remote=overlay(base_remote, merge.agreed, decision.remote),
    )
    plan = ItemPlan(sides.uid, decision, sides, record, problems=tuple(problems))
    plan, undone = _with_writes(plan, merge.push, decision, desk)
    return _with_file(plan, merge.pull | undone, decision, desk)


def _bases(known: ItemRecord, decision: Merged) -> tuple[Item, Item]:
    if known.base_local is not None and known.base_remote is not None:
        return known.base_local, known.base_remote
    # Linked without a common base: what differs counts as changed on the side that loses it.
    return local_view(decision.remote), decision.remote


def _with_holds(merge: Merge, sides: Sides, desk: Desk) -> tuple[Merge, list[Problem]]:
    """Held groups neither leave nor are overwritten; everything else goes on."""
    problems = list(_held_problems(sides, desk))
    if not isinstance(sides.local, Present):
        return merge, problems
    held = sides.local.file.holds
    push = frozenset(key for key in merge.push if not _is_held(key, held))
    pull = frozenset(key for key in merge.pull if not _is_held(key, held))
    return replace(merge, push=push, pull=pull), problems


def _is_held(key: FieldKey, holds: Iterable[Hold]) -> bool:
    return any(
        (one.slot == key.slot and (key.name in one.fields or "override" in one.fields))
        or (one.slot == "" and "recurrence" in one.fields and key.slot != "")
        for one in holds
    )


def _with_rights(
    merge: Merge, sides: Sides, decision: Merged, desk: Desk
) -> tuple[Merge, list[Problem]]:
    """What the owner may not change is put back from the service in the same round."""
    assert sides.remote is not None
    refused = frozenset(key for key in merge.push if not _may(key, sides.remote.event, desk))
    back = frozenset(
        key
        for key in merge.push - refused
        if key.name == "response" and fields_value(decision.local, key) == "none"
    )
    if not refused | back:
        return merge, []
    gone = refused | back
    merge = replace(merge, push=merge.push - gone, pull=merge.pull | gone)
    reason = desk.why_not or "only the organizer can change this"
    if not refused:
        reason = "an answer cannot be taken back"
    names = tuple(sorted({key.name for key in gone}))
    notice = desk.problem(
        "notice",
        "restored",
        sides,
        reason=f"put back from the service: {reason}",
        hint="Your text is kept: `syncd log UID` shows it.",
        needs_person=False,
        fields=names,
    )
    return merge, [notice]


def _may(key: FieldKey, event: RemoteEvent, desk: Desk) -> bool:
    if not desk.may_write:
        return False
    return event.is_organizer is not False or key.name in ATTENDEE_MAY


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


def _with_conflicts(
    merge: Merge, decision: Merged, sides: Sides, desk: Desk
) -> tuple[Merge, list[Problem]]:
    problems: list[Problem] = []
    push, pull = set(merge.push), set(merge.pull)
    for settled in merge.conflicts:
        key = settled.conflict.key
        problem = _conflict_problem(settled, sides, desk)
        verdict = desk.verdict(problem.id, problem.exact)
        winner = verdict if verdict in ("local", "remote") else settled.winner
        if decision.adopting and winner == "local" and not verdict and _mails(key, sides, desk):
            # No person made this change: it is a difference that a lost state left behind.
            winner = "ask"
        push.discard(key)
        pull.discard(key)
        if winner == "local":
            push.add(key)
        elif winner == "remote":
            pull.add(key)
        problems.append(replace(problem, needs_person=winner == "ask"))
    return replace(merge, push=frozenset(push), pull=frozenset(pull)), problems


def _mails(key: FieldKey, sides: Sides, desk: Desk) -> bool:
    assert sides.remote is not None
    return key.name not in SILENT_FIELDS and (
        update(sides.remote.event, None, desk.owner) is not None
    )


def _conflict_problem(settled: Settled, sides: Sides, desk: Desk) -> Problem:
    conflict = settled.conflict
    values = [_plain(value) for value in (conflict.base, conflict.local, conflict.remote)]
    where = f" of {conflict.key.slot}" if conflict.key.slot else ""
    return desk.problem(
        "conflict",
        "both-changed",
        sides,
        reason=f"{conflict.key.name}{where} was changed on both sides",
        hint="`syncd problems resolve ID --take local|remote` decides it.",
        slot=f"{conflict.key.slot}/{conflict.key.name}",
        fields=(conflict.key.name,),
        base=values[0],
        local=values[1],
        remote=values[2],
        exact=exactly(values[1:]),
    )


def _plain(value: Any) -> Any:
    return None if value is ABSENT else msgspec.to_builtins(value, str_keys=True)


# --- the file of a merge ---


def _with_file(plan: ItemPlan, pull: frozenset[FieldKey], decision: Merged, desk: Desk) -> ItemPlan:
    record, sides = plan.record, plan.sides
    assert record is not None
    assert sides.remote is not None
    target = overlay(decision.local, pull, decision.remote)
    base_local = record.base_local
    base_remote = record.base_remote
    assert base_local is not None
    assert base_remote is not None
    moved_local = overlay(base_local, pull, local_view(decision.remote))
    moved_remote = overlay(base_remote, pull, decision.remote)
    left = changed(
        moved_local, overlay(decision.local, pull, local_view(decision.remote)), local=True
    )
    settled = not left and not any(one.kind == "hold" for one in plan.problems)
    content, current, name = _current_file(sides, record)
    data = rewrite(
        content,
        plan.uid,
        target,
        pull,
        stamps(sides.remote.event),
        desk.owner,
        base_local,
        _followed(decision),
    )
    agreed = replace(record, base_local=moved_local, base_remote=moved_remote)
    if not isinstance(data, bytes) or data == content or name is None:
        return replace(plan, record=_seen(sides, agreed, settled=settled))
    after = replace(agreed, content=data, fingerprint=current if settled else None, stat=None)
    lost = content if isinstance(sides.local, Present) else b""
    return replace(
        plan,
        record=_seen(sides, record, settled=False),
        file=FileJob(name, data, current),
        after_file=after,
        lost=lost,
        keep_todo=True,
    )


def _followed(decision: Merged) -> frozenset[str]:
    """Fields of a series that were changed in its file, which inheriting overrides follow."""
    if not decision.local.overrides and not decision.local.cancelled:
        return frozenset()
    mine = decision.merge.push | decision.merge.agreed
    return frozenset(key.name for key in mine if key.slot == MASTER)


def _current_file(
    sides: Sides, record: ItemRecord
) -> tuple[bytes, Fingerprint | None, FileName | None]:
    if isinstance(sides.local, Present):
        return sides.local.data, sides.local.fingerprint, record.file
    return record.content, record.fingerprint, record.file


# --- the writes of a merge ---


def _with_writes(
    plan: ItemPlan, push: frozenset[FieldKey], decision: Merged, desk: Desk
) -> tuple[ItemPlan, frozenset[FieldKey]]:
    """
    The writes of this round, and the fields that a person's discarding takes back.

    An answer goes before other edits, the master before its occurrences; what follows is planned
    anew when the answers are there.
    """
    responses = frozenset(key for key in push if key.name == "response")
    if responses:
        return _respond(plan, responses, decision, desk)
    master = frozenset(key for key in push if key.slot == MASTER)
    slots = push - master
    if slots and _only_first_attendees(master, plan.sides):
        master = frozenset()
    if master:
        return _patch(plan, "", master, decision, desk)
    return _occurrences(plan, slots, decision, desk)


def _only_first_attendees(master: frozenset[FieldKey], sides: Sides) -> bool:
    """Whether a new series still waits for its exceptions before its people are invited."""
    assert sides.remote is not None
    return {key.name for key in master} == {"attendees"} and not sides.remote.event.has_others


def _respond(
    plan: ItemPlan, keys: frozenset[FieldKey], decision: Merged, desk: Desk
) -> tuple[ItemPlan, frozenset[FieldKey]]:
    remote, local = plan.sides.remote, plan.sides.local
    assert remote is not None
    assert isinstance(local, Present)
    key = min(keys)
    action = _ACTIONS[fields_value(decision.local, key)]
    asked = remote.event.response_requested is not False and local.file.sends_response
    sends = asked and desk.mail.responses != "never"
    mailing = None
    used: tuple[ProblemId, ...] = ()
    if sends:
        organizer = remote.item.master.organizer
        mailing = Mailing("responses", (organizer.address,) if organizer else ())
        problem = _mail_problem(
            plan.sides, mailing, desk, would=f"answer ({action})", slot=key.slot, what=action
        )
        stands = _mail_stands(problem, mailing, desk)
        if stands == "discarded":
            return replace(plan, used_verdicts=(problem.id,)), frozenset({key})
        if stands == "held":
            return replace(plan, problems=(*plan.problems, problem)), frozenset()
        used = (problem.id,)
    graph_id = None if key.slot else remote.record.graph_id
    write = Write(
        "respond",
        key.slot,
        frozenset({key}),
        graph_id,
        action,
        {"sendResponse": sends},
        decision.local,
        mailing,
        remote.record.etag,
    )
    return replace(_unless_refused(plan, write, desk), used_verdicts=used), frozenset()


_ACTIONS = {
    "accepted": "accept",
    "tentativelyAccepted": "tentativelyAccept",
    "declined": "decline",
}


def _patch(
    plan: ItemPlan, slot: str, keys: frozenset[FieldKey], decision: Merged, desk: Desk
) -> tuple[ItemPlan, frozenset[FieldKey]]:
    """One PATCH of the master or of one occurrence; what would mail and may not waits."""
    remote = plan.sides.remote
    assert remote is not None
    wanted = decision.local.master if not slot else _occurrence(decision.local, slot)
    parts, holds = patch_fields(
        sorted(key.name for key in keys),
        wanted,
        _server_event(remote, slot),
        desk.owner,
        slot=slot,
        recurrence=decision.local.recurrence,
        replace_rich=desk.replace_rich,
    )
    plan = replace(
        plan,
        problems=(*plan.problems, *(_hold_problem(one, plan.sides, desk) for one in holds)),
    )
    keys = frozenset(key for key in keys if key.name in parts)
    unsent = frozenset(key for key in keys if not parts[key.name])
    keys -= unsent
    going, plan, undone = _mail_gate(plan, slot, keys, parts, wanted, desk)
    undone |= unsent
    if not going:
        return plan, undone
    body: dict[str, Any] = {}
    for key in sorted(going):
        body.update(parts[key.name])
    write = _patch_write(plan, slot, going, body, decision, wanted, desk)
    return _unless_refused(plan, write, desk), undone


def _occurrence(item: Item, slot: str) -> Event:
    return effective(item, date.fromisoformat(slot))


def _server_event(remote: Remote, slot: str) -> RemoteEvent:
    """The event that a PATCH of the slot meets: the exception if there is one, else the series."""
    if slot:
        for exception in remote.event.exception_occurrences or ():
            if exception.original_start and slot in (
                exception.original_start[:10],
                (exception.occurrence_id or "")[-10:],
            ):
                return exception
    return remote.event


def _patch_write(
    plan: ItemPlan,
    slot: str,
    keys: frozenset[FieldKey],
    body: Mapping[str, Any],
    decision: Merged,
    wanted: Event,
    desk: Desk,
) -> Write:
    remote = plan.sides.remote
    assert remote is not None
    names = {key.name for key in keys}
    loud = bool(names - SILENT_FIELDS)
    series = remote.event.recurrence is not None
    return Write(
        "patch",
        slot,
        keys,
        None if slot else remote.record.graph_id,
        "",
        body,
        decision.local,
        update(remote.event, wanted, desk.owner) if loud else None,
        "" if slot else remote.record.etag,
        reshapes=series and not slot and bool(names & {"when", "recurrence"}),
    )


def _mail_gate(
    plan: ItemPlan,
    slot: str,
    keys: frozenset[FieldKey],
    parts: Mapping[str, Mapping[str, Any]],
    wanted: Event,
    desk: Desk,
) -> tuple[frozenset[FieldKey], ItemPlan, frozenset[FieldKey]]:
    """Which fields may go now; silent ones always may."""
    remote = plan.sides.remote
    assert remote is not None
    silent = frozenset(key for key in keys if key.name in SILENT_FIELDS)
    loud = keys - silent
    mailing = update(remote.event, wanted, desk.owner)
    if not loud or mailing is None:
        return keys, plan, frozenset()
    what: object = ""
    if mailing.kind == "updates":
        what = {key.name: parts[key.name] for key in loud}
    problem = _mail_problem(
        plan.sides,
        mailing,
        desk,
        would="send this change",
        slot="" if mailing.kind == "invitations" else slot,
        what=what,
    )
    problem = replace(problem, fields=tuple(sorted(key.name for key in loud)))
    match _mail_stands(problem, mailing, desk):
        case "go":
            return keys, replace(plan, used_verdicts=(*plan.used_verdicts, problem.id)), frozenset()
        case "discarded":
            used = (*plan.used_verdicts, problem.id)
            return silent, replace(plan, used_verdicts=used), loud
        case "held":
            return silent, replace(plan, problems=(*plan.problems, problem)), frozenset()


def _occurrences(
    plan: ItemPlan, keys: frozenset[FieldKey], decision: Merged, desk: Desk
) -> tuple[ItemPlan, frozenset[FieldKey]]:
    undone: frozenset[FieldKey] = frozenset()
    for slot in sorted({key.slot for key in keys}):
        mine = frozenset(key for key in keys if key.slot == slot)
        cancel = FieldKey(slot, "cancelled")
        if cancel in mine:
            plan, back = _cancel(plan, cancel, decision, desk)
        else:
            plan, back = _patch(plan, slot, mine, decision, desk)
        undone |= back
    return plan, undone


def _cancel(
    plan: ItemPlan, key: FieldKey, decision: Merged, desk: Desk
) -> tuple[ItemPlan, frozenset[FieldKey]]:
    remote = plan.sides.remote
    assert remote is not None
    if fields_value(decision.local, key) is ABSENT:
        lasting = hold(
            "cannot-restore-occurrence",
            f"Outlook cannot bring back the cancelled occurrence of {key.slot}",
            slot=key.slot,
            fields=frozenset({"cancelled"}),
        )
        problem = _hold_problem(lasting, plan.sides, desk)
        return replace(plan, problems=(*plan.problems, problem)), frozenset()
    mailing = deletion(remote.event, desk.owner)
    if mailing is not None:
        problem = _mail_problem(
            plan.sides, mailing, desk, would=f"cancel the occurrence of {key.slot}", slot=key.slot
        )
        match _mail_stands(problem, mailing, desk):
            case "discarded":
                used = (*plan.used_verdicts, problem.id)
                return replace(plan, used_verdicts=used), frozenset({key})
            case "held":
                return replace(plan, problems=(*plan.problems, problem)), frozenset()
            case "go":
                plan = replace(plan, used_verdicts=(*plan.used_verdicts, problem.id))
    write = Write(
        "delete-occurrence", key.slot, frozenset({key}), None, "", {}, decision.local, mailing
    )
    return _unless_refused(plan, write, desk), frozenset()


def _unless_refused(plan: ItemPlan, write: Write, desk: Desk) -> ItemPlan:
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


def refusal_digest(write: Write) -> str:
    """What identifies a write that the service refused."""
    return exactly([write.kind, write.slot, write.action, dict(write.body)])


# --- the guard over all plans ---


@dataclass(frozen=True, slots=True)
class DeletionCounts:
    """What the guard counts on one side of a calendar."""

    recent: int
    known_now: int
    limit: DeletionLimit = field(default_factory=DeletionLimit)


def hold_deletions(
    plans: list[ItemPlan], side: Literal["local", "remote"], counts: DeletionCounts, desk: Desk
) -> tuple[list[ItemPlan], Problem | None]:
    """
    Hold the deletions of one side when there are too many of them, or everything is gone.

    Args:
        side: where the things vanished: "local" deletions would delete events, "remote" ones files.
    Returns: the plans, deletions that are held replaced by doing nothing; and the problem.
    """
    kind = DeleteEvent if side == "local" else DeleteFile
    gone = [plan for plan in plans if isinstance(plan.decision, kind)]
    gone_uids = {plan.uid for plan in gone}
    going = [plan for plan in gone if plan.writes or plan.file]
    verdict = judge(
        len(going),
        vanished=len(gone),
        recent=counts.recent,
        known_now=counts.known_now,
        limit=counts.limit,
    )
    if verdict is None:
        return plans, None
    problem = _deletions_problem(gone, side, verdict, desk)
    match _decided(problem, desk):
        case "approved":
            return [_using(one, problem) if one.uid in gone_uids else one for one in plans], None
        case "discarded":
            undone = [_undone(one, side, desk) if one.uid in gone_uids else one for one in plans]
            return [_using(one, problem) for one in undone], None
        case _:
            kept = [_kept(one) if isinstance(one.decision, kind) else one for one in plans]
            return kept, problem


def _using(plan: ItemPlan, problem: Problem) -> ItemPlan:
    """The decision of a person counts once: it is forgotten when it is carried out."""
    return replace(plan, used_verdicts=(*plan.used_verdicts, problem.id))


def _decided(problem: Problem, desk: Desk) -> str:
    """What a person decided of a list; it holds for what is left of the list as well."""
    found = desk.verdicts.get(problem.id)
    if found is None or not set(problem.exact.split("\n")) <= set(found.exact.split("\n")):
        return ""
    return found.kind


def hold_creations(
    plans: list[ItemPlan], phase: Phase, most: int, desk: Desk
) -> tuple[list[ItemPlan], list[Problem]]:
    """
    Hold new events of a folder that was never synced when they are many (`max_imports`); list,
    instead of making, those of a folder whose state was lost: they may have been deleted elsewhere.
    """
    if phase == "import":
        return _hold_import(plans, most, desk)
    return [_gone_or_new(plan, phase, desk) for plan in plans], []


def _hold_import(
    plans: list[ItemPlan], most: int, desk: Desk
) -> tuple[list[ItemPlan], list[Problem]]:
    new = [plan for plan in plans if isinstance(plan.decision, MakeEvent)]
    if len(new) <= most:
        return plans, []
    new_uids = {plan.uid for plan in new}
    items = _listed(new)
    problem = desk.problem(
        "held-import",
        "many-creates",
        None,
        reason=f"the folder was never synced and holds {len(new)} files that the service lacks",
        hint="`syncd approve ID` creates these events; `syncd discard ID` keeps them local-only.",
        items=items,
        exact="\n".join(item["uid"] for item in items),
    )
    match _decided(problem, desk):
        case "approved":
            return [_using(one, problem) if one.uid in new_uids else one for one in plans], []
        case "discarded":
            kept = [_local_only(one) if one.uid in new_uids else one for one in plans]
            return [_using(one, problem) for one in kept], []
        case _:
            held = [
                replace(one, writes=(), problems=()) if one.uid in new_uids else one
                for one in plans
            ]
            return held, [problem]


def _local_only(plan: ItemPlan) -> ItemPlan:
    assert plan.record is not None
    record = replace(plan.record, local_only=True)
    return replace(plan, record=record, writes=(), problems=())


def _gone_or_new(plan: ItemPlan, phase: Phase, desk: Desk) -> ItemPlan:
    if not isinstance(plan.decision, MakeEvent) or plan.decision.again:
        return plan
    problem = desk.problem(
        "gone-or-new",
        "gone-or-new",
        plan.sides,
        reason="the state was lost, and the service has no event for this file",
        hint="`syncd problems resolve ID --take local` creates it; remove the file if it is gone.",
    )
    if phase != "recovery" and problem.id not in desk.open_problems:
        return plan
    if desk.verdict(problem.id, problem.exact) == "local":
        return replace(plan, used_verdicts=(*plan.used_verdicts, problem.id))
    return replace(plan, writes=(), problems=(*plan.problems, problem))


def _deletions_problem(
    going: list[ItemPlan], side: str, verdict: Emptied | TooMany, desk: Desk
) -> Problem:
    gone_from, to = (
        ("the folder", "the service") if side == "local" else ("the service", "the folder")
    )
    if isinstance(verdict, Emptied):
        reason = f"all {verdict.known} items are gone from {gone_from} at once"
    else:
        reason = (
            f"{verdict.within_hour} of {verdict.known} items are gone from {gone_from}"
            " within the hour"
        )
    items = _listed(going)
    undo = "writes the files again" if side == "local" else "keeps the files as local-only"
    return desk.problem(
        "held-deletions",
        f"{side}-deletions",
        None,
        reason=f"{reason}: nothing was deleted on {to}",
        hint=f"`syncd approve ID` deletes these {len(items)} on {to}; `syncd discard ID` {undo}.",
        items=items,
        exact="\n".join(item["uid"] for item in items),
    )


def _listed(plans: Iterable[ItemPlan]) -> tuple[Mapping[str, str], ...]:
    return tuple(
        {"uid": str(plan.uid), "summary": _summary(plan.sides), "file": _file_of(plan.sides)}
        for plan in sorted(plans, key=lambda one: one.uid)
    )


def _kept(plan: ItemPlan) -> ItemPlan:
    return ItemPlan(plan.uid, plan.decision, plan.sides, plan.sides.known, keep_todo=True)


def _undone(plan: ItemPlan, side: str, desk: Desk) -> ItemPlan:
    if side == "local":
        return replace(_make_file(plan.sides, RestoreFile(), desk), problems=())
    known = plan.sides.known
    assert known is not None
    record = replace(known, local_only=True, graph_id=None, base_local=None, base_remote=None)
    return ItemPlan(plan.uid, Nothing(), plan.sides, record)


def stat_of(stat: Any) -> StoredStat:
    """A file's stat as the state keeps it."""
    return StoredStat(stat.mtime_ns, stat.ctime_ns, stat.size, stat.inode)


def is_absent(sides: Sides) -> bool:
    """Whether the item has no file."""
    return isinstance(sides.local, Absent)
