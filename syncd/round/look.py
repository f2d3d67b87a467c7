"""One look at a folder, sorted by UID: what changed, what is missing, what cannot be read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncd.core.ids import FileName, Uid
from syncd.core.lines import Unreadable
from syncd.core.names import file_name, folded
from syncd.core.plan import (
    problem_id,
    stat_of,
)
from syncd.core.state import (
    ItemRecord,
    Problem,
    Restamp,
)
from syncd.core.wire.ics_read import FileItem, NotAnEvent, quick_uid, read
from syncd.ports import FileSeen, FolderLook, KnownFile
from syncd.round.desk import Bench

__all__ = ["LocalState", "read_folder"]


@dataclass(frozen=True, slots=True)
class _File:
    """A changed file, read as far as its UID."""

    seen: FileSeen
    uid: Uid | None
    trouble: Unreadable | None
    not_an_event: bool = False


@dataclass(slots=True)
class LocalState:
    """
    What one look at the folder says, by UID.

    `missing` are known UIDs whose file is gone and that turned up under no other name here, in two
    looks; `absent` those of the last look alone, of which some may only just have gone;
    `whole` is False when the folder was not looked at. `doubtful` are missing ones whose file may
    be there, with a name and a text that do not tell. `names` are those that are taken, `unread`
    those of files that cannot be read, both as `folded` gives them. `in_flight` are those that the
    first of two looks at the account saw in some folder, and the second one in none.
    """

    standing: str = "ours"
    whole: bool = True
    files: dict[Uid, FileSeen] = field(default_factory=dict)
    broken: dict[Uid, tuple[FileSeen, Unreadable]] = field(default_factory=dict)
    missing: set[Uid] = field(default_factory=set)
    absent: set[Uid] = field(default_factory=set)
    doubtful: set[Uid] = field(default_factory=set)
    renamed: dict[Uid, FileName] = field(default_factory=dict)
    loose: list[Problem] = field(default_factory=list)
    restamped: list[Restamp] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    in_flight: set[Uid] = field(default_factory=set)

    def uids(self) -> set[Uid]:
        """Those of files that have something new to say, be it unreadable."""
        return {*self.files, *self.broken}

    def may_hold(self, uid: Uid) -> bool:
        """
        Whether the item may have a file all the same: one on its way, or one that cannot be read
        and bears the very name that this item's would get.
        """
        if uid in self.in_flight:
            return True
        return bool(self.unread) and folded(file_name(uid, ())) in self.unread


async def read_folder(bench: Bench, look: FolderLook) -> LocalState:
    """Sort one look at the folder by UID."""
    state = LocalState(standing=look.standing)
    known_names = await bench.store.known_files(bench.key)
    state.names = {folded(name) for name in known_names}
    state.names |= {folded(one.name) for one in look.changed}
    state.names |= {folded(one.name) for one in look.trouble}
    bench.counts.drift += _behind_the_stat(look, known_names)
    state.restamped = [Restamp(name, stat_of(stat)) for name, stat in look.restamped.items()]
    files = [_read_head(bench, seen) for seen in look.changed]
    uids = [one.uid for one in files if one.uid is not None]
    records = await bench.store.items(bench.key, uids)
    names = await bench.store.uids_of_files(
        bench.key, [*look.missing, *(one.seen.name for one in files)]
    )
    listed = await bench.store.problems(bench.key, subject="*files") if files else []
    copies = {one.file for one in listed if one.code == "duplicate-uid"}
    _sort_files(bench, state, _by_claim(files, records, copies), records, names, look.missing)
    _sort_missing(state, names, look.missing)
    _sort_remains(state, listed)
    _sort_trouble(bench, state, look, names)
    state.unread = {folded(one.file) for one in state.loose if one.code in _UNREAD}
    return state


def _behind_the_stat(look: FolderLook, known: Mapping[FileName, KnownFile]) -> int:
    """Files that say something new although nothing but their bytes tells of it."""
    return sum(
        (before := known.get(one.name)) is not None
        and before.stat == one.stat
        and before.fingerprint not in ("", one.fingerprint)
        for one in look.changed
    )


def _read_head(bench: Bench, seen: FileSeen) -> _File:
    uid = quick_uid(seen.data)
    found = read(seen.data, bench.owner, None)
    if isinstance(found, FileItem):
        return _File(seen, found.uid, None)
    if isinstance(found, NotAnEvent):
        return _File(seen, None, None, not_an_event=True)
    return _File(seen, Uid(uid) if uid and found.code not in _NO_UID else None, found)


_NO_UID = frozenset({"several-uids", "no-uid", "not-an-event"})
_REMAINS = frozenset({"empty-file", "parse-error", "encoding", "no-event"})
_UNREAD = _REMAINS | {"unreadable", "too-large"}


def _sort_files(
    bench: Bench,
    state: LocalState,
    files: Sequence[_File],
    records: Mapping[Uid, ItemRecord],
    names: Mapping[FileName, Uid],
    missing: frozenset[FileName],
) -> None:
    holds = {one.seen.name: _held_uid(one, records, names) for one in files}
    emptied: dict[Uid, _File] = {}
    for one in files:
        uid = holds[one.seen.name]
        if uid is None and one.seen.name in names:
            emptied[names[one.seen.name]] = one
            continue
        if uid is None:
            state.loose.append(_loose_problem(bench, one))
            continue
        known = records.get(uid)
        if _is_duplicate(state, uid, one.seen, known, missing, holds):
            state.loose.append(_duplicate_problem(bench, one, uid))
            continue
        if one.trouble is not None:
            state.broken[uid] = one.seen, one.trouble
        else:
            state.files[uid] = one.seen
        if known is not None and known.file is not None and known.file != one.seen.name:
            state.renamed[uid] = one.seen.name
    reason = "the file of an event holds no event any more"
    for uid, one in emptied.items():
        if uid in state.uids():
            state.loose.append(_loose_problem(bench, one))
        else:
            # The file is there, so its event was not deleted, whatever stands in it by now.
            state.broken[uid] = one.seen, Unreadable("not-an-event", 0, reason)


def _by_claim(
    files: Sequence[_File], records: Mapping[Uid, ItemRecord], copies: Collection[str]
) -> list[_File]:
    """
    Of several files of one UID, the one with the best claim to it first.

    A file that got another name says what it said; one that has been a copy stays one.
    """

    def claim(one: _File) -> tuple[bool, bool, int, str]:
        known = records.get(one.uid) if one.uid is not None else None
        other = known is None or one.seen.data != known.content
        return other, one.seen.name in copies, one.seen.stat.mtime_ns, one.seen.name

    return sorted(files, key=claim)


def _held_uid(
    one: _File, records: Mapping[Uid, ItemRecord], names: Mapping[FileName, Uid]
) -> Uid | None:
    """A UID that is cut off, or gone: then it is the item that the file was of."""
    if one.trouble is not None and one.uid not in records:
        return names.get(one.seen.name, one.uid)
    return one.uid


def _is_duplicate(
    state: LocalState,
    uid: Uid,
    seen: FileSeen,
    known: ItemRecord | None,
    missing: frozenset[FileName],
    holds: Mapping[FileName, Uid | None],
) -> bool:
    """Whether another file, which is still there, has the UID already."""
    if uid in state.files or uid in state.broken:
        return True
    if known is None or known.file is None or known.file in (seen.name, *missing):
        return False
    held = holds.get(known.file, uid)
    # A file that holds no event by now was overwritten, or its item took another name. Whoever says
    # something else than the item did is no such name, but a copy, and perhaps an old one.
    return held == uid or (held is None and seen.data != known.content)


def _loose_problem(bench: Bench, one: _File) -> Problem:
    if one.not_an_event:
        trouble = Unreadable("not-an-event", 0, "the file holds no event; it is left alone")
    else:
        assert one.trouble is not None
        trouble = one.trouble
    return _file_problem(bench, one.seen.name, trouble, needs_person=not one.not_an_event)


def _duplicate_problem(bench: Bench, one: _File, uid: Uid) -> Problem:
    trouble = Unreadable("duplicate-uid", 0, "another file of this folder has the same UID")
    return _file_problem(bench, one.seen.name, trouble, needs_person=True, uid=uid)


def _file_problem(
    bench: Bench,
    name: FileName,
    trouble: Unreadable,
    *,
    needs_person: bool,
    uid: Uid | None = None,
) -> Problem:
    calendar = bench.calendar
    hints = {
        "duplicate-uid": "Give the copy a UID of its own, or remove it.",
        "not-an-event": "Nothing to do; other programs may use it.",
        "no-uid": "Add a UID line with a text that no other event has.",
        "several-uids": "Put each event into a file of its own.",
    }
    return Problem(
        id=problem_id(calendar.account, calendar.id, f"file:{name}", trouble.code),
        kind="unreadable" if trouble.code != "duplicate-uid" else "hold",
        code=trouble.code,
        needs_person=needs_person,
        account=calendar.account,
        calendar=calendar.name,
        uid=uid,
        file=name,
        summary="",
        line=trouble.line,
        reason=trouble.reason,
        hint=hints.get(trouble.code, "Mend the file, or move it out of the folder."),
        since=bench.clock.now(),
    )


def _sort_missing(
    state: LocalState, names: Mapping[FileName, Uid], missing: frozenset[FileName]
) -> None:
    found = state.files.keys() | state.broken.keys()
    state.missing |= {uid for name, uid in names.items() if name in missing and uid not in found}
    # A known name that now holds another UID took its former item away.
    for uid, seen in state.files.items():
        former = names.get(seen.name)
        if former is not None and former != uid and former not in found:
            state.missing.add(former)


def _sort_remains(state: LocalState, listed: Sequence[Problem]) -> None:
    """
    A file that broke and got another name as well may be any of those that went as it came.

    They are kept with it on the list, and are no deletions as long as it cannot be read.
    """
    before = {one.file: one for one in listed}
    for at, one in enumerate(state.loose):
        if one.code not in _REMAINS or one.uid is not None:
            continue
        known = before.get(one.file)
        went = {Uid(item["uid"]) for item in known.items} if known is not None else state.missing
        if still := went & state.missing:
            items = tuple({"uid": uid} for uid in sorted(still))
            hint = (
                f"{one.hint} It may be a file that is missing: its event is left alone till then."
            )
            state.loose[at] = replace(one, items=items, hint=hint)
            state.doubtful |= still


def _sort_trouble(
    bench: Bench, state: LocalState, look: FolderLook, names: Mapping[FileName, Uid]
) -> None:
    for one in look.trouble:
        trouble = Unreadable(one.code, 0, one.reason)
        state.loose.append(_file_problem(bench, one.name, trouble, needs_person=True))
