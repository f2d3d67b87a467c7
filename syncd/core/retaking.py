"""The value that lost a conflict, put back into the file as it is now; nothing is written here."""

from __future__ import annotations

from datetime import datetime

from syncd.core.event import Item
from syncd.core.ids import Uid
from syncd.core.merge import overlay
from syncd.core.owner import Owner
from syncd.core.state import Lost
from syncd.core.wire.ics_read import FileItem, read
from syncd.core.wire.ics_rewrite import rewrite
from syncd.core.wire.ics_write import Stamps

__all__ = ["retaken"]


def retaken(
    data: bytes, lost: Lost, uid: Uid, owner: Owner, base: Item | None, now: datetime
) -> bytes | None:
    """
    The file with the one field that lost saying what it said; None where it cannot be read.

    Args: base: what the file said at the last agreement. now: aware UTC, for DTSTAMP.
    """
    file = read(data, owner, base)
    if not isinstance(file, FileItem) or file.item is None:
        return None
    keys = frozenset({lost.key})
    target = overlay(file.item, keys, lost.version)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    written = rewrite(data, uid, target, keys, Stamps("", stamp), owner, base)
    return written if isinstance(written, bytes) else None
