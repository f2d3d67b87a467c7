"""
A quick look at the state for whoever types a command: what there is that begins so.

Reads only, through the views that are made for people, and never waits: a state that is missing,
busy or damaged has nothing to offer.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

__all__ = ["glance"]

BUSY_S = 0.2
MOST = 200

_LOOKS = {
    "uid": (
        "SELECT DISTINCT uid, coalesce(subject, '') FROM event_list WHERE uid LIKE ? ESCAPE '\\'"
    ),
    "calendar": (
        "SELECT account || '/' || calendar, status FROM calendar_overview"
        " WHERE account || '/' || calendar LIKE ? ESCAPE '\\'"
    ),
    "problem": "SELECT id, coalesce(summary, '') FROM open_problems WHERE id LIKE ? ESCAPE '\\'",
}


def glance(database: Path, what: str, beginning: str) -> list[tuple[str, str]]:
    """
    UIDs with their subjects ("uid"), calendars as ACCOUNT/NAME ("calendar"), or problems with what
    they are about ("problem"); some hundred at the most, [] where there is nothing to read.
    """
    escaped = beginning.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    try:
        uri = f"{database.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S)) as state:
            rows = state.execute(f"{_LOOKS[what]} LIMIT {MOST}", (f"{escaped}%",)).fetchall()
    except (sqlite3.Error, OSError, ValueError):
        return []
    return [(str(name), str(about)) for name, about in rows]
