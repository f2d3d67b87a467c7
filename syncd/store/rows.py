"""Rows of the state database and the values they stand for."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any

import msgspec

from syncd.core.event import Item
from syncd.core.ids import (
    AccountName,
    CalendarId,
    DeltaLink,
    FileName,
    Fingerprint,
    GraphId,
    ProblemId,
    RoundId,
    TransactionId,
    Uid,
)
from syncd.core.mailbox_settings import MailboxSettings
from syncd.core.state import (
    AccountRecord,
    CalendarKey,
    CalendarRecord,
    Errand,
    FieldTimes,
    HistoryRecord,
    ItemRecord,
    Lost,
    OutboxEntry,
    Problem,
    RemoteRecord,
    StoredStat,
    View,
)

__all__ = [
    "account_of",
    "calendar_of",
    "decode_item",
    "encode_item",
    "errand_of",
    "history_of",
    "instant_of",
    "item_of",
    "outbox_of",
    "problem_of",
    "problem_row",
    "remote_of",
    "text_of",
    "times_text",
    "view_of",
]

_item_decoder = msgspec.json.Decoder(Item)
_times_decoder = msgspec.json.Decoder(FieldTimes)
_encoder = msgspec.json.Encoder()


def text_of(at: datetime | None) -> str | None:
    """An aware UTC instant as sortable text."""
    if at is None:
        return None
    # Some ten thousand times in a first sync: strftime would take five times as long.
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def instant_of(text: str | None) -> datetime | None:
    """The instant again."""
    return None if not text else datetime.fromisoformat(text)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def encode_item(item: Item | None) -> bytes | None:
    """A base as JSON."""
    return None if item is None else _encoder.encode(item)


def decode_item(data: bytes | None) -> Item | None:
    """A base again."""
    return None if data is None else _item_decoder.decode(data)


def account_of(row: sqlite3.Row) -> AccountRecord:
    """One account."""
    return AccountRecord(
        AccountName(row["name"]),
        row["user_id"],
        tuple(msgspec.json.decode(row["addresses"], type=list[str])),
        row["zone"],
        instant_of(row["identified_at"]),
        instant_of(row["listed_at"]),
        row["export_dir"],
        msgspec.json.decode(row["settings"], type=MailboxSettings),
    )


def calendar_of(row: sqlite3.Row) -> CalendarRecord:
    """One calendar."""
    return CalendarRecord(
        CalendarKey(row["key"]),
        AccountName(row["account"]),
        CalendarId(row["id"]),
        row["name"],
        row["color"],
        row["folder"],
        bool(row["can_edit"]),
        row["status"],
        row["phase"],
        row["owner"],
        bool(row["is_default"]),
        row["meetings_by"],
    )


def view_of(row: sqlite3.Row) -> View:
    """The cursor of a calendar."""
    return View(
        DeltaLink(row["link"]) if row["link"] else None,
        bool(row["complete"]),
        _instant(row["start"]),
        _instant(row["end"]),
        _instant(row["opened_at"]),
        row["sweep"],
        instant_of(row["true_up_at"]),
    )


def remote_of(row: sqlite3.Row) -> RemoteRecord:
    """One event as received."""
    return RemoteRecord(
        GraphId(row["graph_id"]),
        Uid(row["uid"]),
        row["etag"],
        bytes(row["raw"]),
        _instant(row["seen_at"]),
        row["sweep"],
        bool(row["outside"]),
        tuple(GraphId(one) for one in row["exceptions"].split()),
        _times_decoder.decode(row["field_times"]) if row["field_times"] else None,
    )


def times_text(times: FieldTimes | None) -> str:
    """When fields were seen to change, "" where that is not kept."""
    return "" if times is None else _encoder.encode(times).decode()


def item_of(row: sqlite3.Row) -> ItemRecord:
    """One item with both bases."""
    stat = None
    if row["mtime_ns"] is not None:
        stat = StoredStat(row["mtime_ns"], row["ctime_ns"], row["size"], row["inode"])
    base_remote = decode_item(row["base_remote"])
    return ItemRecord(
        Uid(row["uid"]),
        GraphId(row["graph_id"]) if row["graph_id"] else None,
        FileName(row["file"]) if row["file"] else None,
        Fingerprint(row["fingerprint"]) if row["fingerprint"] else None,
        stat,
        decode_item(row["base_local"]) if row["base_local"] is not None else base_remote,
        base_remote,
        bytes(row["content"]),
        bool(row["local_only"]),
        row["sent_stash"],
        row["projection"],
    )


def outbox_of(row: sqlite3.Row) -> OutboxEntry:
    """One durable write."""
    return OutboxEntry(
        row["number"],
        Uid(row["uid"]),
        row["kind"],
        row["slot"],
        GraphId(row["graph_id"]) if row["graph_id"] else None,
        row["action"],
        bytes(row["body"]),
        TransactionId(row["transaction_id"]) if row["transaction_id"] else None,
        row["state"],
        _instant(row["since"]),
        tuple(
            (slot, name) for slot, name in msgspec.json.decode(row["keys"], type=list[list[str]])
        ),
        decode_item(row["expects"]),
        row["before_etag"],
        tuple(msgspec.json.decode(row["mails"], type=list[str])),
        row["mail_kind"],
    )


class _Detail(msgspec.Struct, frozen=True, rename={"mail_class": "class"}):
    """What differs by a problem's kind."""

    base: Any
    local: Any
    remote: Any
    mail_class: str
    to: tuple[str, ...]
    items: tuple[dict[str, str], ...]
    lost: msgspec.Raw = msgspec.Raw(b"null")


def _lost(raw: msgspec.Raw) -> Lost | None:
    """The version that lost; one that another version of syncd wrote may be no use any more."""
    try:
        return msgspec.json.decode(raw, type=Lost | None)
    except msgspec.ValidationError:
        return None


def errand_of(row: sqlite3.Row) -> Errand:
    """What was asked of a mailbox."""
    return Errand(
        row["number"],
        AccountName(row["account"]),
        row["kind"],
        bytes(row["asked"]),
        row["attempt"],
        row["state"],
        _instant(row["since"]),
        bytes(row["decided"]),
        instant_of(row["left_at"]),
        tuple(msgspec.json.decode(row["before"], type=list[str])),
    )


def problem_row(calendar: int, subject: str, problem: Problem) -> tuple[Any, ...]:
    """A problem as a row; what differs by kind is one JSON detail."""
    detail = _Detail(
        problem.base,
        problem.local,
        problem.remote,
        problem.mail_class,
        problem.to,
        tuple(dict(one) for one in problem.items),
        msgspec.Raw(_encoder.encode(problem.lost)),
    )
    return (
        problem.id,
        calendar,
        subject,
        problem.kind,
        problem.code,
        problem.needs_person,
        problem.file,
        problem.uid,
        problem.summary,
        problem.line,
        problem.reason,
        problem.hint,
        text_of(problem.since),
        _encoder.encode(problem.fields).decode(),
        _encoder.encode(detail).decode(),
        problem.exact,
    )


def problem_of(row: sqlite3.Row) -> Problem:
    """One open matter; the row carries its calendar's account and name."""
    detail = msgspec.json.decode(row["detail"], type=_Detail)
    return Problem(
        id=ProblemId(row["id"]),
        kind=row["kind"],
        code=row["code"],
        needs_person=bool(row["needs_person"]),
        account=AccountName(row["account"] or ""),
        calendar=row["calendar_name"] or "",
        uid=Uid(row["uid"]) if row["uid"] else None,
        file=row["file"],
        summary=row["summary"],
        line=row["line"],
        reason=row["reason"],
        hint=row["hint"],
        since=_instant(row["since"]),
        fields=tuple(msgspec.json.decode(row["fields"], type=list[str])),
        base=detail.base,
        local=detail.local,
        remote=detail.remote,
        mail_class=detail.mail_class,
        to=detail.to,
        items=detail.items,
        exact=row["exact"],
        lost=_lost(detail.lost),
    )


def history_of(row: sqlite3.Row) -> HistoryRecord:
    """One change of one side; the row carries its calendar's name."""
    return HistoryRecord(
        row["number"],
        RoundId(row["round"]),
        _instant(row["at"]),
        row["calendar_name"] or "",
        Uid(row["uid"]),
        row["side"],
        row["what"],
        tuple(msgspec.json.decode(row["fields"], type=list[str])),
        bytes(row["before"] or b""),
        bytes(row["after"] or b""),
        row["mail_kind"],
        tuple(msgspec.json.decode(row["mails"], type=list[str])),
        CalendarKey(row["calendar"]),
    )
