"""
The index of words: which items may have some letters, found without reading all of them.

Knows SQLite's FTS5 with trigrams, in texts that are folded before they come here. It narrows only:
whoever asks looks at what it names, and at what it has not taken up yet.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from syncd.core.search import indexed_text
from syncd.core.state import CalendarKey
from syncd.store.rows import decode_item

__all__ = ["may_have", "take_up"]


def take_up(conn: sqlite3.Connection, most: int) -> int:
    """Index up to so many items that changed, within a transaction; how many there were."""
    sql = (
        "SELECT t.calendar, t.uid, i.base_local, i.base_remote FROM search_todo t"
        " LEFT JOIN item i ON i.calendar = t.calendar AND i.uid = t.uid LIMIT ?"
    )
    todo = conn.execute(sql, (most,)).fetchall()
    places = [(row["calendar"], row["uid"]) for row in todo]
    conn.executemany("DELETE FROM search_text WHERE calendar = ? AND uid = ?", places)
    texts = []
    for row in todo:
        item = decode_item(row["base_remote"]) or decode_item(row["base_local"])
        if item is not None:
            texts.append((row["calendar"], row["uid"], indexed_text(item)))
    conn.executemany("INSERT INTO search_text (calendar, uid, text) VALUES (?, ?, ?)", texts)
    conn.executemany("DELETE FROM search_todo WHERE calendar = ? AND uid = ?", places)
    return len(todo)


def may_have(
    conn: sqlite3.Connection, calendar: CalendarKey, trigrams: Sequence[str]
) -> list[sqlite3.Row]:
    """The items of a calendar that have all these pieces of text, or of which that is not known."""
    asked = " AND ".join('"' + one.replace('"', '""') + '"' for one in trigrams)
    sql = (
        "SELECT * FROM item WHERE rowid IN ("
        " SELECT i.rowid FROM search_text s"
        "  JOIN item i ON i.calendar = s.calendar AND i.uid = s.uid"
        "  WHERE s.calendar = ?1"
        "  AND s.id IN (SELECT rowid FROM search_index WHERE search_index MATCH ?2)"
        " UNION SELECT i.rowid FROM search_todo t"
        "  JOIN item i ON i.calendar = t.calendar AND i.uid = t.uid WHERE t.calendar = ?1"
        " UNION SELECT rowid FROM item WHERE calendar = ?1 AND fingerprint IS NULL"
        ") ORDER BY rowid"
    )
    return conn.execute(sql, (calendar, asked)).fetchall()
