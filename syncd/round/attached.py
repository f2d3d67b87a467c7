"""
What hangs on events: the service names it only when it is asked for, event by event.

The list goes into the event as it is stored, where an expanded answer would have it; small files
may bring their content along. Large ones are fetched by nobody but a person (`syncd attach get`).
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

import msgspec

from syncd.core.delta import Endless, LoopGuard
from syncd.core.errors import BadAnswer, RefusedByService, ServiceDown
from syncd.core.ids import GraphId
from syncd.core.state import Change, Doubt, DropDoubt, PutDoubt, PutRemote, RemoteRecord
from syncd.core.wire.dialects.graph_attachments import (
    EventAttachments,
    alike_in,
    attachment_of,
    read_rows,
    read_whole,
)
from syncd.core.wire.graph import AttachmentRow, RemoteEvent, Row
from syncd.core.wire.ics_attach import attachment_digest
from syncd.ports import Answer
from syncd.round.desk import LAG_S, Bench

__all__ = [
    "LARGEST_INLINE_BYTES",
    "ask_attached",
    "attached_changes",
    "detached_changes",
    "find_attached",
    "to_be_asked",
    "with_known_list",
]

LARGEST_INLINE_BYTES: Final = 64 * 1024
"""A larger file is in no calendar file, whatever is asked for."""

MOST_LISTED: Final = 200
"""More of one event are not shown: nobody reads them, and each rewrite would carry them along."""

_Rows = list[AttachmentRow]


class _Known(msgspec.Struct):
    """What an event has of its list; `listed` is the version of it that the list was asked of."""

    attachments: msgspec.Raw = msgspec.Raw()
    listed: str = msgspec.field(default="", name="@syncd.listed")

    @property
    def is_there(self) -> bool:
        return bytes(self.attachments) not in (b"", b"null")


def to_be_asked(
    bench: Bench, event: RemoteEvent | Row, before: RemoteRecord | None
) -> list[Change]:
    """What follows from an event as it came: its list is not known, or of another version."""
    if bench.rules.attachments == "off" or not bench.dialect.has_attachments:
        return []
    if not event.has_attachments and not _sent_rows(before):
        return []
    known = _known_in(before.raw) if before is not None else _Known()
    if before is not None and known.is_there and (known.listed or before.etag) == event.etag:
        return []
    return [PutDoubt(Doubt(GraphId(event.id), "attached"))]


def with_known_list(event: RemoteEvent | Row, raw: bytes, before: RemoteRecord | None) -> bytes:
    """
    An event as it came, with the list that was known of it until there is another.

    One that says that nothing hangs on it may come from a copy of the mailbox that has not seen yet
    what was attached from here.
    """
    if before is None or not (event.has_attachments or _sent_rows(before)):
        return raw
    known = _known_in(before.raw)
    return _with_list(raw, known.attachments, known.listed) if known.is_there else raw


def _known_in(raw: bytes) -> _Known:
    return msgspec.json.decode(raw, type=_Known)


async def ask_attached(bench: Bench, ids: Sequence[GraphId]) -> set[GraphId]:
    """
    Ask for the lists of some events and store them.

    What cannot be had holds up nothing: the next whole view has it asked for again. Returns: those
    whose list may be another soon; their doubt stays for the next round.
    """
    if not ids:
        return set()
    try:
        return await _asked(bench, ids)
    except ServiceDown as error:
        _tell(bench, error)
        await bench.store.commit(bench.key, [DropDoubt(Doubt(one, "attached")) for one in ids])
        return set()


async def _asked(bench: Bench, ids: Sequence[GraphId]) -> set[GraphId]:
    asked = [EventAttachments(bench.dialect, bench.calendar.id, one) for one in ids]
    answers = await bench.remote.read_all([one.list() for one in asked])
    known = await bench.store.remotes_by_id(bench.key, ids)
    leaving = {one.action for one in await bench.store.asked(bench.key) if one.kind == "detach"}
    behind: set[GraphId] = set()
    changes: list[Change] = []
    for graph_id, event, answer in zip(ids, asked, answers, strict=True):
        record = known.get(graph_id)
        if record is None:
            continue
        rows = await _rows(bench, answer)
        if rows is None:
            # Another copy of the mailbox may have what this one does not find.
            behind |= {graph_id} if answer.status == 404 else set()
            continue
        rows = [one for one in rows if one.id not in leaving]
        rows = await _with_contents(bench, event, rows, record)
        rows, is_behind = _with_sent(bench, rows, record)
        behind |= {graph_id} if is_behind else set()
        raw = _with_rows(record.raw, rows, record.etag)
        changes += [PutRemote(replace(record, raw=raw))] if raw != record.raw else []
    changes += [DropDoubt(Doubt(one, "attached")) for one in ids if one not in behind]
    await bench.store.commit(bench.key, changes)
    return behind


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


def _with_sent(bench: Bench, rows: _Rows, record: RemoteRecord) -> tuple[_Rows, bool]:
    """
    The rows, with what is known of those that were sent from here; whether any is not among them.

    A list that lacks what was attached a moment ago may come from another copy of the mailbox.
    """
    sent = {one.id: one for one in _sent_rows(record)}
    known = [_as_sent(one, sent.get(one.id)) for one in rows]
    there = {one.id for one in rows}
    missing = [one for one in sent.values() if one.id not in there and _is_fresh(bench, one)]
    return [*known, *missing], bool(missing)


def _as_sent(row: AttachmentRow, sent: AttachmentRow | None) -> AttachmentRow:
    digest, at = (sent.digest, sent.sent_at) if sent is not None else ("", None)
    return msgspec.structs.replace(row, digest=digest, sent_at=at)


def _is_fresh(bench: Bench, row: AttachmentRow) -> bool:
    if row.sent_at is None:
        return False
    # A clock that ran ahead as it was sent must not keep it for hours.
    return 0 <= (bench.clock.now() - row.sent_at).total_seconds() < LAG_S


def _sent_rows(record: RemoteRecord | None) -> _Rows:
    # Asked of every event that comes, and hardly any of them has such rows.
    if record is None or b'"@syncd.digest"' not in record.raw:
        return []
    return [one for one in _known_rows(record) if one.digest]


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
    known = _known_in(record.raw)
    return msgspec.json.decode(known.attachments, type=_Rows) if known.is_there else []


def _content(bench: Bench, answer: Answer) -> str:
    try:
        content = read_whole(answer).content_bytes or ""
    except (BadAnswer, RefusedByService) as error:
        _tell(bench, error)
        return ""
    return content if len(content) <= LARGEST_INLINE_BYTES * 4 // 3 + 4 else ""


# --- what is sent from here ----------------------------------------------------------------------


async def find_attached(
    bench: Bench, graph_id: GraphId, body: Mapping[str, Any]
) -> AttachmentRow | Literal["unknown"] | None:
    """
    What hangs on an event already and is, by name and bytes, the file of a request to attach it.

    Args: body: of that request. Returns: "unknown" where the list cannot be had.
    """
    event = EventAttachments(bench.dialect, bench.calendar.id, graph_id)
    name, data = str(body["name"]), b64decode(body["contentBytes"])
    [answer] = await bench.remote.read_all([event.list()])
    rows = await _rows(bench, answer)
    if rows is None:
        return "unknown"
    digest = attachment_digest(name, data)
    record = (await bench.store.remotes_by_id(bench.key, [graph_id])).get(graph_id)
    others = {one.id for one in _sent_rows(record) if one.digest != digest}
    rivals = [attachment_of(one) for one in rows if one.id not in others]
    alike = alike_in(rivals, name, len(data))[:MOST_ALIKE]
    for answer in await bench.remote.read_all([event.whole(one.id) for one in alike]):
        try:
            row = read_whole(answer)
            there = b64decode(row.content_bytes or "", validate=True)
        except (BadAnswer, RefusedByService, ValueError):
            continue
        if attachment_digest(row.name or "", there) == digest:
            return row
    return None


MOST_ALIKE: Final = 20


async def attached_changes(
    bench: Bench, graph_id: GraphId, digest: str, row: AttachmentRow
) -> list[Change]:
    """What follows from a file that was attached."""
    doubt: Change = PutDoubt(Doubt(graph_id, "unseen"))
    record = (await bench.store.remotes_by_id(bench.key, [graph_id])).get(graph_id)
    if record is None:
        return [doubt]
    shown = bench.rules.attachments == "inline" and (row.size or 0) <= LARGEST_INLINE_BYTES
    content = row.content_bytes if shown else ""
    now = bench.clock.now()
    new = msgspec.structs.replace(row, digest=digest, sent_at=now, content_bytes=content)
    others = [one for one in _known_rows(record) if one.id != row.id]
    raw = _with_rows(record.raw, [*others, new], _known_in(record.raw).listed)
    return [PutRemote(replace(record, raw=raw)), doubt]


async def detached_changes(bench: Bench, graph_id: GraphId, attachment: str) -> list[Change]:
    """What follows from an attachment that was taken away."""
    record = (await bench.store.remotes_by_id(bench.key, [graph_id])).get(graph_id)
    if record is None or not _known_in(record.raw).is_there:
        return []
    kept = [one for one in _known_rows(record) if one.id != attachment]
    raw = _with_rows(record.raw, kept, _known_in(record.raw).listed)
    return [PutRemote(replace(record, raw=raw))]


def _with_rows(raw: bytes, rows: _Rows, listed: str) -> bytes:
    return _with_list(raw, msgspec.Raw(msgspec.json.encode(rows)), listed)


def _with_list(raw: bytes, rows: msgspec.Raw, listed: str) -> bytes:
    event = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    version = msgspec.Raw(msgspec.json.encode(listed))
    return msgspec.json.encode(event | {"attachments": rows, "@syncd.listed": version})
