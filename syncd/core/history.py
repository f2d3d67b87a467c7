"""
What the history says of items: their versions in order, who set which field, and the way back.

Plain values in, plain values out: records of the store become steps, each from one text of the
file to the next. Knows no store, no folder and no rights; what is to be written is a value here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from syncd.core.event import Event, FieldKey, Item, fields
from syncd.core.ids import RoundId
from syncd.core.merge import changed
from syncd.core.owner import Owner
from syncd.core.state import HistoryRecord
from syncd.core.wire.ics_read import FileItem, read

__all__ = [
    "FOUND",
    "Changed",
    "Origin",
    "Reader",
    "Remove",
    "Step",
    "Text",
    "There",
    "Undo",
    "Write",
    "changed_names",
    "is_version",
    "mailed",
    "named",
    "origins",
    "state_at",
    "steps_of",
    "tidying",
    "undo_of",
]

FOUND: Final = "displaced"
"""What a version is called that never was the item's file: its text is the one before."""

Text = bytes | None
"""What an item's file holds: None where there is no file, b"" where the text was not kept."""


@dataclass(frozen=True, slots=True)
class Step:
    """One version of an item, and what there was before it."""

    record: HistoryRecord
    before: Text
    after: Text


# --- versions --------------------------------------------------------------------------------


def is_version(record: HistoryRecord) -> bool:
    """Whether the record is a version of the item; else it tells of a write that was sent."""
    is_text = bool(record.before or record.after)
    return is_text or record.side == "remote" or record.what == "delete"


def steps_of(records: Sequence[HistoryRecord], present: Text) -> list[Step]:
    """
    The versions of one item in one calendar, oldest first.

    Args:
        records: all that is kept of it, oldest first. present: its content now; a version that
            became the item's content is kept nowhere else.
    """
    versions = [one for one in records if is_version(one)]
    steps: list[Step] = []
    following = present or b""
    for one in reversed(versions):
        before = _before(one)
        steps.append(Step(one, before, _after(one, following)))
        # A text that was found beside the files is no step from one version to the next.
        following = following if one.what == FOUND else before or b""
    return steps[::-1]


def _before(record: HistoryRecord) -> Text:
    return None if record.what == "create" and not record.before else record.before


def _after(record: HistoryRecord, following: bytes) -> Text:
    return None if record.what == "delete" else record.after or following


def state_at(steps: Sequence[Step], number: int) -> Step | None:
    """The version that counted right after the record of that number; None before the first."""
    past = [one for one in steps if one.record.number <= number]
    return past[-1] if past else None


def mailed(records: Sequence[HistoryRecord]) -> dict[str, tuple[str, ...]]:
    """The mail that the records say was sent: addresses by class, each once."""
    found: dict[str, tuple[str, ...]] = {}
    for one in records:
        if one.mail_kind:
            known = found.get(one.mail_kind, ())
            found[one.mail_kind] = tuple(dict.fromkeys((*known, *one.mails)))
    return found


# --- fields ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Reader:
    """Reads the texts of versions, each once."""

    owner: Owner
    _known: dict[bytes, Item | None] = field(default_factory=dict)

    def item(self, text: Text) -> Item | None:
        """What a text says; None where there is none, or none that can be read."""
        if not text:
            return None
        if text not in self._known:
            found = read(text, self.owner, None)
            self._known[text] = found.item if isinstance(found, FileItem) else None
        return self._known[text]

    def differing(self, one: Text, other: Text) -> frozenset[FieldKey] | None:
        """The fields in which two texts differ; None where one of them cannot be read."""
        first, second = self.item(one), self.item(other)
        if first is None or second is None:
            return None
        return changed(first, second, local=False)

    def same(self, one: Text, other: Text) -> bool:
        """Whether two texts say the same."""
        return one == other or self.differing(one, other) == frozenset()


def changed_names(step: Step, reader: Reader) -> tuple[str, ...]:
    """The fields that a version changed, `slot/name` for those of an occurrence."""
    keys = reader.differing(step.before, step.after)
    if keys is None:
        return step.record.fields
    return tuple(sorted(named(key) for key in keys))


def named(key: FieldKey) -> str:
    """A field's name as people read it."""
    return f"{key.slot}/{key.name}" if key.slot else key.name


@dataclass(frozen=True, slots=True)
class Origin:
    """A field of an item: its value, and the version that set it (None: older than is kept)."""

    key: FieldKey
    value: Any
    step: Step | None


def origins(steps: Sequence[Step], now: Item, reader: Reader) -> list[Origin]:
    """Where each field comes from; those that nobody ever set to anything are left out."""
    set_by: dict[FieldKey, Step] = {}
    for step in steps:
        _note(set_by, step, reader)
    plain = fields(Item(Event(when=now.master.when)))
    made = steps[0] if steps and steps[0].before is None else None
    return [
        Origin(key, value, set_by.get(key))
        for key, value in fields(now).items()
        if _counts(key, value, plain) or set_by.get(key, made) is not made
    ]


def _note(set_by: dict[FieldKey, Step], step: Step, reader: Reader) -> None:
    if step.record.what == FOUND:
        return
    after = reader.item(step.after)
    if step.after is None:
        set_by.clear()
    if after is None:
        return
    before = reader.item(step.before)
    keys = fields(after).keys() if before is None else changed(before, after, local=False)
    set_by.update(dict.fromkeys(keys, step))


def _counts(key: FieldKey, value: Any, plain: Mapping[FieldKey, Any]) -> bool:
    return key.name == "when" or key not in plain or value != plain[key]


# --- the way back ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Write:
    """The item's file gets this text again; it is made where there is none."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Remove:
    """The item was made by what is undone: its file goes."""


@dataclass(frozen=True, slots=True)
class There:
    """The item is as it was before already."""


@dataclass(frozen=True, slots=True)
class Changed:
    """It is left alone, and why."""

    reason: str


Undo = Write | Remove | There | Changed


def undo_of(
    steps: Sequence[Step], round_: RoundId, present: Text, *, unread: bool, reader: Reader
) -> Undo:
    """
    How what one round did to an item is taken back.

    Args:
        present: what its file holds now. unread: whether that was saved after the last round.
    """
    mine = [one for one in steps if one.record.round == round_]
    before = mine[0].before
    if before == b"":
        return Changed("what there was before was not kept")
    if reader.same(before, present):
        return There()
    if unread:
        return Changed("its file was changed since")
    later = [one for one in steps if one.record.number > mine[-1].record.number]
    if later:
        return Changed(f"it was changed since, in round {later[0].record.round}")
    if (present is None) != (mine[-1].after is None):
        return Changed("its file was removed since" if present is None else "its file is back")
    return Remove() if before is None else Write(before)


# --- how long versions are kept ---------------------------------------------------------------

LONGEST_REST: Final = timedelta(days=60)
WAIT: Final = timedelta(days=1)


def tidying(last: datetime | None, now: datetime) -> tuple[Literal["tidy", "wait"], datetime]:
    """
    Whether old versions may go now, and from which time on that counts for the next call.

    A clock that is years ahead by mistake would age the whole history at once: after a jump, a day
    has to pass before anything goes.
    """
    if last is None or last - now > WAIT or timedelta(0) <= now - last <= LONGEST_REST:
        return "tidy", now
    return "wait", last if last > now else now + WAIT
