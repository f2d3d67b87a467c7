"""
What must hold of any bytes, as a file and as an event from the service.

`examined` does with a file's bytes what a round does with them, in pure functions; the tests, the
rounds and `scripts/fuzz` all ask it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date, timedelta
from itertools import islice
from typing import Any, TypeVar

import msgspec

from syncd.core.event import (
    MASTER,
    AllDay,
    Changes,
    FieldKey,
    Item,
    Timed,
    effective,
    field_meaning,
    slot_of,
)
from syncd.core.ids import Uid
from syncd.core.lines import Unreadable, parse, to_bytes
from syncd.core.lint import lint
from syncd.core.merge import changed, overlay
from syncd.core.owner import Owner
from syncd.core.recurrence import occurrences
from syncd.core.wire.graph import (
    create_body,
    decode_event,
    decode_row,
    exception_slots,
    read_item,
    server_body,
    stamps,
    uid_of,
)
from syncd.core.wire.holds import Hold
from syncd.core.wire.ics_read import FileItem, NotAnEvent, quick_uid, read
from syncd.core.wire.ics_restore import restored
from syncd.core.wire.ics_rewrite import rewrite
from syncd.core.wire.ics_split import split_series
from syncd.core.wire.ics_write import Stamps, local_view, render
from syncd.core.zones import WindowsZone
from tests.hostile.real import REAL

__all__ = ["BASES", "CPU_LIMIT_S", "OWNER", "Watch", "examined", "received"]

OWNER = Owner(frozenset({"me@example.org"}), WindowsZone("W. Europe Standard Time"))
LATER = Stamps("20260101T000000Z", "20260301T000000Z")
CPU_LIMIT_S = 1.0
"""What any one step may take, in seconds of CPU."""

Result = TypeVar("Result")


class Watch:
    """The CPU time, in seconds, of the longest of several steps."""

    def __init__(self) -> None:
        self.step, self.cpu_s = "", 0.0

    def __call__(self, step: str, do: Callable[[], Result]) -> Result:
        """Do a step and return its result."""
        began = time.process_time()
        try:
            return do()
        finally:
            took_s = time.process_time() - began
            if took_s > self.cpu_s:
                self.step, self.cpu_s = step, took_s


# --- files ---------------------------------------------------------------------------------------


def examined(data: bytes, watch: Watch | None = None, bases: Iterable[Item] | None = None) -> str:
    """
    Read a file, bring it up to date and read it again, as a round would.

    Args:
        bases: what may have been agreed on before, beside nothing at all; `BASES` if left out.

    Returns: the code for which it is held whole; "not-an-event", "held" (its time), "held-in-part"
        or "item".

    Raises: AssertionError: what is said of every file does not hold of this one. Any other
        exception is a crash.
    """
    watch = watch or Watch()
    watch("quick_uid", lambda: quick_uid(data))
    document = watch("parse", lambda: parse(data))
    assert isinstance(document, Unreadable) or to_bytes(document) == data
    found = watch("read", lambda: read(data, OWNER, None))
    watch("lint", lambda: lint(data, OWNER))
    match found:
        case Unreadable(code, line, reason):
            assert code
            assert reason
            assert 0 <= line <= data.count(b"\n") + 1
            return code
        case NotAnEvent():
            return "not-an-event"
        case FileItem():
            return _examined_item(data, found, watch, BASES if bases is None else bases)


def _examined_item(data: bytes, found: FileItem, watch: Watch, bases: Iterable[Item]) -> str:
    _check_words(found)
    _check_split(data, watch)
    watch("read, deleting", lambda: read(data, OWNER, None, delete_cancelled=True))
    for base in bases:
        _check_merged(data, base, watch)
    if found.item is None:
        assert found.holds
        return "held"
    _check_kept(found, found.item)
    _check_no_edit(data, found.item, watch)
    _check_written_anew(found, found.item, watch)
    _check_merged(data, found.item, watch)
    return "held-in-part" if found.holds else "item"


def _check_words(found: FileItem) -> None:
    """What the user is told can be stored and shown, and names days that there are."""
    assert found.uid
    for one in found.holds:
        assert one.code
        assert one.reason
        assert not one.slot or date.fromisoformat(one.slot)
    msgspec.json.encode([[one.reason for one in found.holds], found.lint])


def _check_split(data: bytes, watch: Watch) -> None:
    """A series that is cut in two is two files that can be read."""
    split = watch("split", lambda: split_series(data, OWNER))
    if split is not None:
        assert isinstance(read(split.old, OWNER, None), FileItem)
        assert isinstance(read(split.new, OWNER, None), FileItem)


def _check_kept(found: FileItem, item: Item) -> None:
    """The item survives the store, and can be sent."""
    assert msgspec.json.decode(msgspec.json.encode(item), type=Item) == item
    body = create_body(item, OWNER, found.uid, "t", with_attendees=True)
    json.dumps(body, allow_nan=False).encode()


def _check_no_edit(data: bytes, item: Item, watch: Watch) -> None:
    """What was agreed on reads as agreed."""
    again = watch("read, agreed", lambda: read(data, OWNER, item))
    assert isinstance(again, FileItem)
    assert again.item is not None
    _assert_nothing_moved(changed(item, again.item, local=True))


def _check_written_anew(found: FileItem, item: Item, watch: Watch) -> None:
    """A whole new file says the same, also with the lines that only a file can hold."""
    plain = watch("render", lambda: render(found.uid, item, LATER, OWNER))
    data = watch("restore", lambda: restored(plain, found.stash, OWNER))
    again = read(data, OWNER, local_view(item))
    assert isinstance(again, FileItem), again
    assert again.item is not None
    assert again.uid == found.uid
    _assert_nothing_moved(changed(local_view(item), again.item, local=True))


def _check_merged(data: bytes, base: Item, watch: Watch) -> None:
    """
    Whatever the service changed is brought into the file, which then says exactly that.

    `base` is what was agreed on when the file began to say what it says.
    """
    found = watch("read, known", lambda: read(data, OWNER, base))
    assert isinstance(found, FileItem)
    assert found.item is not None
    local = found.item
    mine = changed(base, local, local=True)
    for other in _elsewhere(base):
        theirs = changed(base, other, local=False)
        keys = frozenset(key for key in theirs if not _is_held(key, found.holds))
        if _other_slots(base, local) and any(key.slot or key.name == "when" for key in keys):
            continue  # a rule and a time that were never together: one of them will be held
        target = overlay(local, keys, other)
        after = _rewritten(
            data, found.uid, target, keys, base, _followed(local, mine - keys), watch
        )
        agreed = overlay(base, keys, local_view(other))
        again = read(after, OWNER, agreed)
        assert isinstance(again, FileItem), again
        assert again.item is not None
        # Where the service took away what a field was held for, it is an edit from now on.
        left = [
            key
            for key in changed(target, again.item, local=True)
            if not _is_held(key, found.holds) and not _says_the_same(key, target, again.item, data)
        ]
        _assert_nothing_moved(left)
        if local is base:
            assert rewrite(after, found.uid, target, keys, LATER, OWNER, agreed) == after


def _assert_nothing_moved(keys: Iterable[FieldKey]) -> None:
    names = sorted({key.name for key in keys})
    assert not names, names


def _rewritten(
    data: bytes,
    uid: Uid,
    target: Item,
    keys: frozenset[FieldKey],
    base: Item,
    followed: frozenset[str],
    watch: Watch,
) -> bytes:
    after = watch("rewrite", lambda: rewrite(data, uid, target, keys, LATER, OWNER, base, followed))
    assert isinstance(after, bytes)
    return after


def _elsewhere(base: Item) -> Iterator[Item]:
    """What someone may have made of the item on the service."""
    yield _with_master(
        base,
        subject="Moved; really,",
        body="a\nb\\n",
        location="Room 1",
        show_as="oof",
        sensitivity="confidential",
        importance="high",
        categories=("Green",),
        reminder_min=7,
    )
    yield from _at_another_time(base)
    if base.recurrence is not None:
        yield from _with_other_slots(base)


def _with_master(item: Item, **values: Any) -> Item:
    return msgspec.structs.replace(item, master=msgspec.structs.replace(item.master, **values))


LATEST_YEAR = 4490


def _at_another_time(base: Item) -> Iterator[Item]:
    when, later = base.master.when, timedelta(minutes=30)
    if when.end.year > LATEST_YEAR:
        return
    match when:
        case Timed(start, zone, end, end_zone) if (start + later).date() == start.date():
            yield _with_master(base, when=Timed(start + later, zone, end + later, end_zone))
        case AllDay(start, end) if base.recurrence is None:
            yield _with_master(base, when=AllDay(start, end + timedelta(days=1)))
        case _:
            pass


def _with_other_slots(base: Item) -> Iterator[Item]:
    assert base.recurrence is not None
    slots = list(islice(occurrences(base.recurrence, slot_of(base.master.when)), 6))
    free = [
        slot
        for slot in slots
        if slot.year < LATEST_YEAR and slot not in base.cancelled and slot not in base.overrides
    ]
    if len(free) > 1:
        own = {**base.overrides, free[1]: Changes(subject="Own")}
        yield msgspec.structs.replace(base, cancelled=base.cancelled | {free[0]}, overrides=own)
    if base.cancelled:
        yield msgspec.structs.replace(base, cancelled=frozenset(sorted(base.cancelled)[1:]))
    if base.overrides:
        first = min(base.overrides)
        left = {slot: own for slot, own in base.overrides.items() if slot != first}
        yield msgspec.structs.replace(base, overrides=left)


def _is_held(key: FieldKey, holds: Iterable[Hold]) -> bool:
    return any(
        (one.slot == key.slot and (key.name in one.fields or "override" in one.fields))
        or (one.slot == MASTER and "recurrence" in one.fields and key.slot != MASTER)
        for one in holds
    )


def _other_slots(base: Item, local: Item) -> bool:
    return local.recurrence != base.recurrence or slot_of(local.master.when) != slot_of(
        base.master.when
    )


def _followed(local: Item, mine: frozenset[FieldKey]) -> frozenset[str]:
    """Fields of a series that its file changed, which inheriting overrides follow."""
    if not local.overrides and not local.cancelled:
        return frozenset()
    return frozenset(key.name for key in mine if key.slot == MASTER)


def _says_the_same(key: FieldKey, one: Item, other: Item, data: bytes) -> bool:
    """
    Whether a field that differs says the same all the same.

    An override need not own what its series came to say too, and a host has nothing to answer. An
    alarm after the start is the
    file's own and stays; at a fixed time or counted from the end, it may say a reminder once the
    event was moved.
    """
    if key == (MASTER, "reminder_min"):
        return one.master.reminder_min is None and b"TRIGGER" in data.upper()
    if key.slot == MASTER or key.name not in Changes.__struct_fields__:
        return False
    slot = date.fromisoformat(key.slot)
    if slot in one.cancelled or slot in other.cancelled:
        return False
    if key.name == "response" and not effective(one, slot).invited_as:
        return True
    meanings = [field_meaning(effective(item, slot), key.name) for item in (one, other)]
    return meanings[0] == meanings[1]


def _agreed(name: str) -> Item:
    found = read(REAL[name], OWNER, None)
    assert isinstance(found, FileItem)
    assert found.item is not None
    return found.item


BASES = (_agreed("Google"), _agreed("khal"))
"""What may have been agreed on before the file became what it is: a series, a single event."""


# --- events --------------------------------------------------------------------------------------


def received(raw: bytes, watch: Watch | None = None) -> str:
    """
    Read what the service calls an event, and make a file of it.

    Returns: "refused" where the reader says so in its own words, "uid-too-long" where its file is
        one that is held, else "item".

    Raises: AssertionError: the file does not say what the event says. Any other exception is a
        crash.
    """
    watch = watch or Watch()
    with suppress(msgspec.DecodeError):
        watch("decode row", lambda: uid_of(decode_row(raw)))
    try:
        event = watch("decode", lambda: decode_event(raw))
        item = watch("read", lambda: read_item(event, OWNER))
        exception_slots(event, OWNER)
    except (ValueError, msgspec.DecodeError):
        return "refused"
    server_body(event)
    uid = uid_of(event)
    assert uid
    data = watch("render", lambda: render(uid, item, stamps(event), OWNER))
    base = local_view(item)
    found = watch("read the file", lambda: read(data, OWNER, base))
    if isinstance(found, Unreadable):
        assert found.code == "uid-too-long"
        return found.code
    assert isinstance(found, FileItem)
    assert found.item is not None
    assert found.uid == uid
    _assert_nothing_moved(changed(base, found.item, local=True))
    assert msgspec.json.decode(msgspec.json.encode(item), type=Item) == item
    return "item"
