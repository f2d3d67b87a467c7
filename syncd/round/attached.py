"""
What hangs on events: the service names it only when it is asked for, event by event.

The list goes into the event as it is stored, where an expanded answer would have it; small files
may bring their content along. Large ones are fetched by nobody but a person (`syncd attach get`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec

from syncd.core.delta import Endless, LoopGuard
from syncd.core.errors import BadAnswer, RefusedByService, ServiceDown
from syncd.core.ids import GraphId
from syncd.core.state import Change, Doubt, DropDoubt, PutDoubt, PutRemote, RemoteRecord
from syncd.core.wire.dialects.graph_attachments import EventAttachments, read_rows, read_whole
from syncd.core.wire.graph import AttachmentRow, RemoteEvent, Row
from syncd.ports import Answer
from syncd.round.desk import Bench

__all__ = ["LARGEST_INLINE_BYTES", "ask_attached", "to_be_asked", "with_known_list"]

LARGEST_INLINE_BYTES: Final = 64 * 1024
"""A larger file is in no calendar file, whatever is asked for."""

MOST_LISTED: Final = 200
"""More of one event are not shown: nobody reads them, and each rewrite would carry them along."""

_Rows = list[AttachmentRow]


class _Known(msgspec.Struct):
    attachments: msgspec.Raw = msgspec.Raw()


def to_be_asked(
    bench: Bench, event: RemoteEvent | Row, before: RemoteRecord | None
) -> list[Change]:
    """What follows from an event as it came: its list is not known, or of another version."""
    if bench.rules.attachments == "off" or not bench.dialect.has_attachments:
        return []
    if not event.has_attachments:
        return []
    if before is not None and before.etag == event.etag and _list_in(before.raw) is not None:
        return []
    return [PutDoubt(Doubt(GraphId(event.id), "attached"))]


def with_known_list(event: RemoteEvent | Row, raw: bytes, before: RemoteRecord | None) -> bytes:
    """An event as it came, with the list that was known of it until there is another."""
    if before is None or not event.has_attachments:
        return raw
    known = _list_in(before.raw)
    return raw if known is None else _with_list(raw, known)


def _list_in(raw: bytes) -> msgspec.Raw | None:
    known = msgspec.json.decode(raw, type=_Known).attachments
    return None if bytes(known) in (b"", b"null") else known


async def ask_attached(bench: Bench, ids: Sequence[GraphId]) -> None:
    """
    Ask for the lists of some events and store them.

    What cannot be had holds up nothing: the next whole view has it asked for again.
    """
    changes: list[Change] = [DropDoubt(Doubt(one, "attached")) for one in ids]
    try:
        changes += await _news(bench, ids)
    except ServiceDown as error:
        _tell(bench, error)
    await bench.store.commit(bench.key, changes)


async def _news(bench: Bench, ids: Sequence[GraphId]) -> list[Change]:
    asked = [EventAttachments(bench.dialect, bench.calendar.id, one) for one in ids]
    answers = await bench.remote.read_all([one.list() for one in asked])
    known = await bench.store.remotes_by_id(bench.key, ids)
    changes: list[Change] = []
    for event, answer in zip(asked, answers, strict=True):
        record = known.get(GraphId(event.event))
        rows = await _rows(bench, answer) if record is not None else None
        if record is not None and rows is not None:
            rows = await _with_contents(bench, event, rows, record)
            raw = _with_list(record.raw, msgspec.Raw(msgspec.json.encode(rows)))
            changes += [PutRemote(replace(record, raw=raw))] if raw != record.raw else []
    return changes


async def _rows(bench: Bench, answer: Answer) -> _Rows | None:
    """All rows of a list; None where it cannot be had: what was known of it stays."""
    rows: _Rows = []
    guard = LoopGuard()
    try:
        while True:
            page, link = read_rows(answer)
            guard.check([msgspec.Raw(answer.body)], link)
            rows += page
            if not link or len(rows) >= MOST_LISTED:
                return rows[:MOST_LISTED]
            answer = await bench.remote.read(bench.dialect.follow(link, "attachments"))
    except (BadAnswer, Endless, RefusedByService) as error:
        _tell(bench, error)
        return None


def _tell(bench: Bench, error: Exception) -> None:
    bench.observe("attachments.unreadable", {"reason": str(error)[:200]})


async def _with_contents(
    bench: Bench, event: EventAttachments, rows: _Rows, record: RemoteRecord
) -> _Rows:
    """The rows with the contents of small files, where they are to be in the calendar's files."""
    if bench.rules.attachments != "inline":
        return rows
    contents = {one.id: one.content_bytes for one in _known_rows(record) if one.content_bytes}
    asked = [
        one.id for one in rows if one.id not in contents and (one.size or 0) <= LARGEST_INLINE_BYTES
    ]
    answers = await bench.remote.read_all([event.whole(one) for one in asked])
    contents |= dict(zip(asked, (_content(bench, answer) for answer in answers), strict=True))
    return [msgspec.structs.replace(one, content_bytes=contents.get(one.id, "")) for one in rows]


def _known_rows(record: RemoteRecord) -> _Rows:
    known = _list_in(record.raw)
    return msgspec.json.decode(known, type=_Rows) if known is not None else []


def _content(bench: Bench, answer: Answer) -> str:
    try:
        content = read_whole(answer).content_bytes or ""
    except (BadAnswer, RefusedByService) as error:
        _tell(bench, error)
        return ""
    return content if len(content) <= LARGEST_INLINE_BYTES * 4 // 3 + 4 else ""


def _with_list(raw: bytes, rows: msgspec.Raw) -> bytes:
    event = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    return msgspec.json.encode(event | {"attachments": rows})
