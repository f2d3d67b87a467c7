"""
What hangs on events: the service names it only when it is asked for, event by event.

The list goes into the event as it is stored, where an expanded answer would have it; small files
may bring their content along. Large ones are fetched by nobody but a person (`syncd attach get`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec

from syncd.core.delta import Endless, LoopGuard
from syncd.core.errors import BadAnswer, LinkAstray
from syncd.core.ids import GraphId
from syncd.core.state import Change, Doubt, DropDoubt, PutDoubt, PutRemote, RemoteRecord
from syncd.core.wire.dialects.graph_attachments import EventAttachments
from syncd.core.wire.graph import RemoteEvent, Row
from syncd.ports import Answer, Request
from syncd.round.desk import Bench

__all__ = ["LARGEST_INLINE_BYTES", "ask_attached", "to_be_asked", "with_known_list"]

LARGEST_INLINE_BYTES: Final = 64 * 1024
"""A larger file is in no calendar file, whatever is asked for."""

MOST_LISTED: Final = 200
"""More of one event are not shown: nobody reads them, and each rewrite would carry them along."""

_Rows = list[dict[str, Any]]


class _Page(msgspec.Struct):
    value: _Rows
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")


class _Known(msgspec.Struct):
    attachments: msgspec.Raw = msgspec.Raw()


def to_be_asked(
    bench: Bench, event: RemoteEvent | Row, before: RemoteRecord | None
) -> list[Change]:
    """What follows from an event as it came: in another version its list may be another."""
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
    """Ask for the lists of some events and store them."""
    asked = [EventAttachments(bench.dialect, bench.calendar.id, one) for one in ids]
    answers = await bench.remote.read_all([one.list() for one in asked])
    known = await bench.store.remotes_by_id(bench.key, ids)
    changes: list[Change] = [DropDoubt(Doubt(one, "attached")) for one in ids]
    for each, answer in zip(asked, answers, strict=True):
        record = known.get(GraphId(each.event))
        rows = await _rows(bench, answer)
        if record is not None and rows is not None:
            rows = await _with_contents(bench, each, rows, record)
            changes += _news(record, rows)
    await bench.store.commit(bench.key, changes)


def _news(record: RemoteRecord, rows: _Rows) -> list[Change]:
    raw = _with_list(record.raw, msgspec.Raw(msgspec.json.encode(rows)))
    return [PutRemote(replace(record, raw=raw))] if raw != record.raw else []


async def _rows(bench: Bench, answer: Answer) -> _Rows | None:
    """All rows of a list; None where it cannot be had: what was known of it stays."""
    rows: _Rows = []
    guard = LoopGuard()
    try:
        while True:
            page = _page(answer)
            guard.check([msgspec.Raw(answer.body)], page.next_link)
            rows += page.value
            if not page.next_link or len(rows) >= MOST_LISTED:
                return rows[:MOST_LISTED]
            answer = await bench.remote.read(bench.dialect.follow(page.next_link, "attachments"))
    except (BadAnswer, Endless, LinkAstray) as error:
        bench.observe("attachments.unreadable", {"reason": str(error)[:200]})
        return None


def _page(answer: Answer) -> _Page:
    if not answer.is_success:
        raise BadAnswer(f"the list of attachments was refused: {answer.status}")
    try:
        return msgspec.json.decode(answer.body, type=_Page)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer("the list of attachments cannot be read") from error


async def _with_contents(
    bench: Bench, event: EventAttachments, rows: _Rows, record: RemoteRecord
) -> _Rows:
    """The rows with the contents of small files, where they are to be in the calendar's files."""
    if bench.rules.attachments != "inline":
        return rows
    before = {one.get("id"): one for one in _known_rows(record)}
    asked: dict[str, Request] = {}
    for row in rows:
        identity, size = row.get("id"), row.get("size")
        had = before.get(identity, {})
        if "contentBytes" in had:
            row["contentBytes"] = had["contentBytes"]
        elif isinstance(identity, str) and isinstance(size, int) and size <= LARGEST_INLINE_BYTES:
            asked[identity] = event.whole(identity)
    contents = await _contents(bench, asked)
    return [row | contents.get(str(row.get("id")), {}) for row in rows]


def _known_rows(record: RemoteRecord) -> _Rows:
    known = _list_in(record.raw)
    return msgspec.json.decode(known, type=_Rows) if known is not None else []


async def _contents(bench: Bench, asked: Mapping[str, Request]) -> dict[str, dict[str, Any]]:
    answers = await bench.remote.read_all(list(asked.values()))
    found = {}
    for identity, answer in zip(asked, answers, strict=True):
        try:
            row = msgspec.json.decode(answer.body, type=dict[str, Any]) if answer.is_success else {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            row = {}
        content = row.get("contentBytes")
        if isinstance(content, str) and len(content) <= LARGEST_INLINE_BYTES * 4 // 3 + 4:
            found[identity] = {"contentBytes": content}
    return found


def _with_list(raw: bytes, rows: msgspec.Raw) -> bytes:
    event = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    return msgspec.json.encode(event | {"attachments": rows})
