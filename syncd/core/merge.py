"""
Three-way merge of one item, field by field.

Each side is compared with its own base, never with the other side, because the mapping loses
detail both ways: two sides need not be equal to agree. Knows nothing of rights, mail or requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import Enum
from typing import Any, Final

import msgspec

from syncd.core.event import (
    MASTER,
    PUSHED_FIELDS,
    SHOWN_FIELDS,
    WITH_BODY,
    Attendee,
    Changes,
    Event,
    FieldKey,
    Item,
    fields,
    meaning,
)
from syncd.core.policies import FieldConflict, Policy, Winner, keep_local

__all__ = ["ABSENT", "Merge", "Settled", "Times", "agree", "changed", "merge", "overlay"]


class _Absent(Enum):
    ABSENT = "absent"


ABSENT: Final = _Absent.ABSENT
"""A field that an override does not own, a slot that is not cancelled."""

_LOCAL_NAMES = frozenset((*PUSHED_FIELDS, "recurrence", "cancelled"))


@dataclass(frozen=True, slots=True)
class Times:
    """
    When the file was saved and when the service's version was seen, as aware UTC.

    `by_field`: when single fields of it were seen to change, where that is known.
    """

    local_at: datetime
    remote_at: datetime
    by_field: Mapping[FieldKey, datetime] = field(default_factory=dict)

    def of_remote(self, key: FieldKey) -> datetime:
        """When the service's value of a field was seen."""
        return self.by_field.get(key, self.remote_at)


@dataclass(frozen=True, slots=True)
class Settled:
    """A conflict and how the policy decided it."""

    conflict: FieldConflict
    winner: Winner


@dataclass(frozen=True, slots=True)
class Merge:
    """
    The outcome, as field keys: `push` goes to the service with the local value, `pull` into the
    file with the remote value, `agreed` changed alike on both sides, `conflicts` were decided.
    A conflict that waits for a person is in neither push nor pull.
    """

    push: frozenset[FieldKey]
    pull: frozenset[FieldKey]
    agreed: frozenset[FieldKey]
    conflicts: tuple[Settled, ...] = ()


def changed(before: Item, after: Item, *, local: bool) -> frozenset[FieldKey]:
    """The fields whose meaning differs; a local projection knows only what a file can say."""
    old, new = fields(before), fields(after)
    return frozenset(
        key
        for key in old.keys() | new.keys()
        if (not local or key.name in _LOCAL_NAMES) and not _same(key, old, new)
    )


def _same(key: FieldKey, one: Mapping[FieldKey, Any], other: Mapping[FieldKey, Any]) -> bool:
    return _meaning(key, one) == _meaning(key, other)


def _meaning(key: FieldKey, values: Mapping[FieldKey, Any]) -> object:
    value = values.get(key, ABSENT)
    return value if value is ABSENT else meaning(key.name, value)


def merge(
    base_local: Item, base_remote: Item, local: Item, remote: Item, policy: Policy, times: Times
) -> Merge:
    """
    Merge two sides that both moved away from their bases.

    Fields changed on one side only go across; a field changed on both goes by `policy` unless both
    changed it alike. Whoever takes an occurrence away meets an edit of it as one conflict.
    """
    by_local = changed(base_local, local, local=True)
    by_remote = changed(base_remote, remote, local=False)
    ours, theirs = fields(local), fields(remote)
    both = by_local & by_remote
    agreed = frozenset(key for key in both if _same(key, ours, theirs))
    settled = tuple(
        _decide(key, fields(base_local), ours, theirs, policy, times)
        for key in sorted(both - agreed)
    )
    push = (by_local - by_remote) | _won(settled, "local")
    pull = (by_remote - by_local) | _won(settled, "remote")
    merged = _cancellations(
        Merge(push, pull, agreed, settled), by_local, by_remote, ours, theirs, times
    )
    return _series_away(merged, fields(base_local), ours, theirs, times)


def _decide(
    key: FieldKey,
    base: Mapping[FieldKey, Any],
    ours: Mapping[FieldKey, Any],
    theirs: Mapping[FieldKey, Any],
    policy: Policy,
    times: Times,
) -> Settled:
    conflict = FieldConflict(
        key,
        base.get(key, ABSENT),
        ours.get(key, ABSENT),
        theirs.get(key, ABSENT),
        times.local_at,
        times.of_remote(key),
    )
    return Settled(conflict, policy(conflict))


def _won(settled: tuple[Settled, ...], winner: Winner) -> frozenset[FieldKey]:
    return frozenset(one.conflict.key for one in settled if one.winner == winner)


def _cancellations(
    found: Merge,
    by_local: frozenset[FieldKey],
    by_remote: frozenset[FieldKey],
    ours: Mapping[FieldKey, Any],
    theirs: Mapping[FieldKey, Any],
    times: Times,
) -> Merge:
    """
    An occurrence taken away on one side and edited on the other follows the service.

    What only the service decides, such as a guest's answer, is no edit of a person's.
    """
    push, pull, conflicts = set(found.push), set(found.pull), list(found.conflicts)
    slots = {key.slot for key in by_local | by_remote if key.name == "cancelled"}
    for slot in slots:
        local_edit = {k for k in by_local if k.slot == slot and k.name != "cancelled" and k in ours}
        remote_edit = {
            k for k in by_remote if k.slot == slot and k.name not in SHOWN_FIELDS and k in theirs
        }
        key = FieldKey(slot, "cancelled")
        if key in by_remote and key not in by_local and local_edit:
            push -= local_edit
            conflicts = [one for one in conflicts if one.conflict.key not in local_edit]
            conflicts += [_lost(k, ours, theirs, times) for k in sorted(local_edit)]
        if key in by_local and key not in by_remote and remote_edit:
            # What was special about it went along with it, and comes back with it.
            gone = {k for k in by_local - found.agreed if k.slot == slot}
            push -= gone
            pull |= remote_edit | gone
            conflicts = [one for one in conflicts if one.conflict.key not in gone]
            conflicts.append(_lost(key, ours, theirs, times))
    return Merge(frozenset(push), frozenset(pull), found.agreed, tuple(conflicts))


def _series_away(
    found: Merge,
    base: Mapping[FieldKey, Any],
    ours: Mapping[FieldKey, Any],
    theirs: Mapping[FieldKey, Any],
    times: Times,
) -> Merge:
    """
    Who makes a series a single event takes along what the service changed of its occurrences.

    That was in no file yet: as the losing side of a conflict it is kept, and told.
    """
    edited = any(
        key.slot != MASTER
        and key.name not in ("cancelled", *SHOWN_FIELDS)
        and theirs.get(key, ABSENT) is not ABSENT
        for key in found.pull
    )
    key = FieldKey(MASTER, "recurrence")
    if not edited or key not in found.push or ours[key] is not None:
        return found
    if any(one.conflict.key == key for one in found.conflicts):
        return found
    conflict = _decide(key, base, ours, theirs, keep_local, times)
    return replace(found, conflicts=(*found.conflicts, conflict))


def _lost(
    key: FieldKey, ours: Mapping[FieldKey, Any], theirs: Mapping[FieldKey, Any], times: Times
) -> Settled:
    conflict = FieldConflict(
        key,
        ABSENT,
        ours.get(key, ABSENT),
        theirs.get(key, ABSENT),
        times.local_at,
        times.of_remote(key),
    )
    return Settled(conflict, "remote")


def agree(local: Item, remote: Item, policy: Policy, times: Times) -> Merge:
    """
    Two sides that are the same item without a common base (after an import or a lost state).

    What says the same is agreed; every difference is a conflict by `policy`.
    """
    ours, theirs = fields(local), fields(remote)
    agreed: set[FieldKey] = set()
    settled: list[Settled] = []
    pull: set[FieldKey] = set()
    for key in sorted(ours.keys() | theirs.keys()):
        if key.name not in _LOCAL_NAMES:
            continue
        if _same(key, ours, theirs):
            agreed.add(key)
        elif ours.get(key) == _UNSAID.get(key.name, ABSENT) or _is_word_for(key, ours, theirs):
            pull.add(key)
        else:
            settled.append(_decide(key, {}, ours, theirs, policy, times))
    pull |= _won(tuple(settled), "remote")
    push = _won(tuple(settled), "local")
    return Merge(push, frozenset(pull), frozenset(agreed), tuple(settled))


_UNSAID: Mapping[str, Any] = {
    "response_requested": True,
    "online_meeting": False,
    "allow_new_times": True,
}
"""What a file says by saying nothing, as do files whose lines some client dropped."""


def _is_word_for(
    key: FieldKey, ours: Mapping[FieldKey, Any], theirs: Mapping[FieldKey, Any]
) -> bool:
    """A file has one word for Outlook's `personal` and `private`."""
    if key.name != "sensitivity":
        return False
    return (ours.get(key), theirs.get(key)) == ("private", "personal")


def overlay(onto: Item, keys: frozenset[FieldKey], source: Item) -> Item:
    """
    `onto` with the named fields taken from `source`: how a base moves when a write is settled.

    `attendees` brings who is invited, `people` their names and answers, each without the other.
    """
    master, recurrence = onto.master, onto.recurrence
    for key in sorted(key for key in keys if key.slot == MASTER):
        if key.name == "recurrence":
            recurrence = source.recurrence
        elif (merge_of := _LISTS.get(key.name)) is not None:
            guests = merge_of(master.attendees, source.master.attendees)
            master = msgspec.structs.replace(master, attendees=guests)
        else:
            names = (key.name, *WITH_BODY) if key.name == "body" else (key.name,)
            given = {name: getattr(source.master, name) for name in names}
            master = msgspec.structs.replace(master, **given)
    return _overlay_slots(Item(master, recurrence, onto.overrides, onto.cancelled), keys, source)


Guests = tuple[Attendee, ...]


def _invited(ours: Guests, theirs: Guests) -> Guests:
    """Who is invited by `theirs`, with what `ours` knows of them."""
    known = {one.address.casefold(): one for one in ours}
    return tuple(
        msgspec.structs.replace(one, name=had.name, status=had.status)
        if (had := known.get(one.address.casefold())) is not None
        else one
        for one in theirs
    )


def _answered(ours: Guests, theirs: Guests) -> Guests:
    """Who is invited by `ours`, with what `theirs` knows of them."""
    known = {one.address.casefold(): one for one in theirs}
    return tuple(
        msgspec.structs.replace(one, name=now.name, status=now.status)
        if (now := known.get(one.address.casefold())) is not None
        else one
        for one in ours
    )


_LISTS: Mapping[str, Callable[[Guests, Guests], Guests]] = {
    "attendees": _invited,
    "people": _answered,
}


def _overlay_slots(onto: Item, keys: frozenset[FieldKey], source: Item) -> Item:
    overrides = {slot: _as_dict(own) for slot, own in onto.overrides.items()}
    cancelled = set(onto.cancelled)
    for key in sorted(key for key in keys if key.slot != MASTER):
        slot = date.fromisoformat(key.slot)
        if key.name != "cancelled":
            own = overrides.setdefault(slot, {})
            _overlay_own(key.name, own, source.overrides.get(slot), onto.master)
        elif slot in source.cancelled:
            cancelled.add(slot)
        else:
            cancelled.discard(slot)
    kept = {
        slot: Changes(**own)
        for slot, own in overrides.items()
        if slot not in cancelled and (own or slot in onto.overrides)
    }
    return Item(onto.master, onto.recurrence, kept, frozenset(cancelled))


def _overlay_own(name: str, own: dict[str, Any], theirs: Changes | None, master: Event) -> None:
    """Take one field of an override over; one that `theirs` does not own is inherited again."""
    member = "attendees" if name == "people" else name
    value = msgspec.UNSET if theirs is None else getattr(theirs, member)
    if value is msgspec.UNSET:
        own.pop(member, None)
        for carried in WITH_BODY if name == "body" else ():
            own.pop(carried, None)
    elif member == "attendees":
        own[member] = _LISTS[name](own.get(member, master.attendees), value)
    else:
        own[name] = value
        for carried in WITH_BODY if name == "body" else ():
            own[carried] = getattr(theirs, carried)


def _as_dict(own: Changes) -> dict[str, Any]:
    return {
        name: value
        for name in Changes.__struct_fields__
        if (value := getattr(own, name)) is not msgspec.UNSET
    }
