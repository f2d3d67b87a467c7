"""
The state: one SQLite database (WAL), written by one thread, off the event loop.

Whatever a round changes together is one transaction (`commit`). Knows SQL and rows; knows nothing
of what the values mean.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, assert_never

import msgspec
from sqlite_utils import Database

from syncd.core.errors import DiskTrouble, StateError, SyncdError
from syncd.core.ids import AccountName, FileName, Fingerprint, GraphId, ProblemId, RoundId, Uid
from syncd.core.pauses import later_end
from syncd.core.search import Query
from syncd.core.state import (
    WISHES,
    AccountRecord,
    AddHistory,
    CalendarKey,
    CalendarRecord,
    Change,
    ClearVerdict,
    CountDeletion,
    Doubt,
    DropDoubt,
    DropItem,
    DropOutbox,
    DropRemote,
    DropView,
    Errand,
    HistoryRecord,
    ItemRecord,
    NameItem,
    NoTodo,
    OutboxEntry,
    Problem,
    PutDoubt,
    PutItem,
    PutOutbox,
    PutProblems,
    PutRemote,
    PutVerdict,
    PutView,
    RemoteRecord,
    Restamp,
    SeenRemote,
    Side,
    StoredStat,
    Todo,
    VerdictRecord,
    View,
)
from syncd.ports import FileStat, KnownFile
from syncd.store import rows
from syncd.store.aside import Corrupt, Damaged, refuse_obstacles, refuse_unreadable
from syncd.store.migrations import MIGRATIONS, newer_migrations
from syncd.store.search_index import may_have, take_up

__all__ = ["Store", "confirm_damage"]

BUSY_S = 10.0
"""How long another program may hold the database before it counts as in use."""

_OF_A_CALENDAR = (
    *("view", "remote", "exception", "item", "todo", "doubt", "outbox"),
    *("problem", "deletion", "round"),
)
_LAST_LETTER = chr(0x10FFFF)  # behind every other one, in the order of UTF-8
P = ParamSpec("P")
R = TypeVar("R")
_encode = msgspec.json.Encoder().encode


@contextmanager
def _failures() -> Iterator[None]:
    """The only code that names SQLite's exceptions."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(error) from error
    except (msgspec.DecodeError, ValueError) as error:
        if isinstance(error, UnicodeEncodeError):
            raise  # a text from outside that no database holds: nothing is wrong with ours
        raise Damaged(f"the state database is damaged: a row of it cannot be read ({error})") from (
            error
        )


_DAMAGE = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
# Our statements fit our tables: where one is not there, or holds what no version wrote, the file
# is not what it was.
_FOREIGN_SHAPE = re.compile(r"no such (?:table|column)|malformed|Could not decode to UTF-8")


def _translated(error: sqlite3.Error) -> SyncdError:
    """What SQLite's complaint means (https://sqlite.org/rescode.html)."""
    code = getattr(error, "sqlite_errorcode", None)
    is_damage = code is not None and code & 0xFF in _DAMAGE
    if is_damage:
        return Corrupt(f"the state database is damaged: {error}")
    if _FOREIGN_SHAPE.match(str(error)):
        return Damaged(f"the state database is damaged: {error}")
    if isinstance(error, sqlite3.OperationalError):
        hint = "Another program has it open: let it finish." if _is_locked(code) else ""
        return DiskTrouble(f"the state database cannot be used: {error}", hint=hint)
    return StateError(
        f"the state database refuses a row: {error}",
        hint="Move the state folder aside: the next sync links files and events again.",
    )


def _is_locked(code: int | None) -> bool:
    return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Store:
    """
    The state of one installation; `Store.open` is the way in.

    `damage` is set once a part of it turns out to be damaged; whoever waits for `broken` hears it.
    """

    def __init__(self, db: Database, thread: ThreadPoolExecutor) -> None:
        self._db = db
        self._conn: sqlite3.Connection = db.conn
        self._thread = thread
        self.damage: Damaged | None = None
        self.broken = asyncio.Event()

    @classmethod
    async def open(
        cls, path: Path | None, *, careful: bool = False, busy_s: float = BUSY_S
    ) -> Store:
        """
        Open or make the database; None keeps it in memory.

        Args: careful: look the whole file over if its last user did not close it. busy_s: how long
            other programs may hold it.
        Raises: Damaged: it is none, or not whole. StateError: a newer version wrote it (it is not
            touched). DiskTrouble: it cannot be made, read or locked.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        loop = asyncio.get_running_loop()
        try:
            db = await loop.run_in_executor(thread, _opened, path, careful, busy_s)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(db, thread)

    async def close(self) -> None:
        """Finish the last write and close."""
        try:
            await self._run(lambda: self._conn.close())
        finally:
            self._thread.shutdown()

    async def _run(self, work: Callable[[], R]) -> R:
        def guarded() -> R:
            with _failures():
                return work()

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, guarded)
        except Damaged as error:
            self.damage = self.damage or error
            self.broken.set()
            raise

    async def _query(
        self,
        method: Callable[Concatenate[Store, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        return await self._run(lambda: method(self, *args, **kwargs))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        self._conn.execute("BEGIN IMMEDIATE")
        try:
            yield self._conn
            self._conn.execute("COMMIT")
        except BaseException:
            if self._conn.in_transaction:
                self._conn.execute("ROLLBACK")
            raise

    @contextmanager
    def _writing_durably(self) -> Iterator[sqlite3.Connection]:
        """As `_writing`, and on the disk before it ends: also a power cut does not undo it."""
        self._conn.execute("PRAGMA synchronous = FULL")
        try:
            with self._writing() as conn:
                yield conn
        finally:
            self._conn.execute("PRAGMA synchronous = NORMAL")

    def _all(self, sql: str, *args: object) -> list[sqlite3.Row]:
        return self._conn.execute(sql, args).fetchall()

    def _one(self, sql: str, *args: object) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._conn.execute(sql, args).fetchone()
        return row

    # --- the installation --------------------------------------------------------------------

    async def installation(self) -> str:
        """The id of this state, made once; folders are marked with it."""
        return await self._run(self._installation)

    def _installation(self) -> str:
        row = self._one("SELECT value FROM meta WHERE name = 'installation'")
        if row is not None:
            return str(row["value"])
        fresh = uuid.uuid4().hex
        with self._writing() as conn:
            conn.execute("INSERT INTO meta VALUES ('installation', ?)", (fresh,))
        return fresh

    async def begin_session(self, last: int) -> bool:
        """
        Count the processes that wrote here.

        Args: last: the number of the last one, as it is remembered outside of the database.
        Returns: whether the database is older than that: a backup, or its log was lost. Calendars
        are then linked anew, since files may stand for events that it knows nothing of.
        """

        def write() -> bool:
            row = self._one("SELECT value FROM meta WHERE name = 'session'")
            known = int(row["value"]) if row is not None else 0
            with self._writing_durably() as conn:
                sql = "INSERT OR REPLACE INTO meta VALUES ('session', ?)"
                conn.execute(sql, (str(max(known, last) + 1),))
                if last <= known:
                    return False
                sql = "UPDATE calendar SET phase = 'recovery' WHERE phase = 'live'"
                return conn.execute(sql).rowcount > 0

        return await self._run(write)

    async def session(self) -> int:
        """The number of the present process."""

        def read() -> int:
            row = self._one("SELECT value FROM meta WHERE name = 'session'")
            return int(row["value"]) if row is not None else 0

        return await self._run(read)

    async def note_set_aside(self, names: Sequence[str], folder: Path, now: datetime) -> None:
        """
        List the databases that stand aside, unless this one has begun its own life already.

        The notices belong to no calendar: they stay until a person discards them.
        """

        def write() -> None:
            if self._one("SELECT 1 FROM meta WHERE name = 'installation'"):
                return
            with self._writing() as conn:
                for name in names:
                    row = rows.problem_row(0, f"*aside:{name}", _aside_notice(name, folder, now))
                    # A kill may come before the next line.
                    conn.execute(
                        f"INSERT OR REPLACE INTO problem VALUES ({','.join('?' * 16)})", row
                    )
            self._installation()

        await self._run(write)

    # --- accounts and calendars --------------------------------------------------------------

    async def account(self, name: AccountName) -> AccountRecord | None:
        """What was learnt of an account."""

        def read() -> AccountRecord | None:
            row = self._one("SELECT * FROM account WHERE name = ?", name)
            return None if row is None else rows.account_of(row)

        return await self._run(read)

    async def put_account(self, account: AccountRecord) -> None:
        """Keep what was learnt of an account."""
        values = (
            account.name,
            account.user_id,
            _encode(account.addresses).decode(),
            account.zone,
            rows.text_of(account.identified_at),
            rows.text_of(account.listed_at),
            account.export_dir,
            _encode(account.settings).decode(),
        )
        sql = (
            "INSERT INTO account (name, user_id, addresses, zone, identified_at, listed_at,"
            " export_dir, settings) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET"
            " user_id = excluded.user_id, addresses = excluded.addresses, zone = excluded.zone,"
            " identified_at = excluded.identified_at, listed_at = excluded.listed_at,"
            " export_dir = excluded.export_dir, settings = excluded.settings"
        )
        await self._execute(sql, values)

    async def _execute(self, sql: str, values: Sequence[object]) -> None:
        def write() -> None:
            with self._writing() as conn:
                conn.execute(sql, values)

        await self._run(write)

    async def pause(self, account: AccountName) -> datetime | None:
        """Until when the service asked this mailbox to be left alone."""

        def read() -> datetime | None:
            row = self._one("SELECT pause_until FROM account WHERE name = ?", account)
            return None if row is None else rows.instant_of(row["pause_until"])

        return await self._run(read)

    async def extend_pause(self, account: AccountName, until: datetime) -> None:
        """Keep the later of `until` and what is known, unless that was noted by a clock ahead."""

        def write() -> None:
            with self._writing() as conn:
                row = self._one("SELECT pause_until FROM account WHERE name = ?", account)
                known = None if row is None else rows.instant_of(row["pause_until"])
                conn.execute(
                    "INSERT INTO account (name, pause_until) VALUES (?1, ?2)"
                    " ON CONFLICT (name) DO UPDATE SET pause_until = ?2",
                    (account, rows.text_of(later_end(known, until))),
                )

        await self._run(write)

    async def calendars(self, account: AccountName | None = None) -> list[CalendarRecord]:
        """The known calendars, of one account or of all, in a stable order."""

        def read() -> list[CalendarRecord]:
            sql = "SELECT * FROM calendar WHERE ?1 IS NULL OR account = ?1 ORDER BY account, key"
            return [rows.calendar_of(row) for row in self._all(sql, account)]

        return await self._run(read)

    async def put_calendar(self, calendar: CalendarRecord) -> CalendarRecord:
        """Insert (key 0) or update a calendar; the record comes back with its key."""

        def write() -> CalendarRecord:
            # A key is never given twice: versions in the history go by that of a forgotten one.
            sql = (
                "INSERT INTO calendar (key, account, id, name, color, folder, can_edit, status,"
                " phase, owner, is_default, meetings_by) VALUES ("
                "(SELECT max(key) + 1 FROM (SELECT key FROM calendar UNION ALL"
                " SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'forgotten_key')),"
                " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, id) DO UPDATE SET"
                " name = excluded.name, color = excluded.color, folder = excluded.folder,"
                " can_edit = excluded.can_edit,"
                " status = excluded.status, phase = excluded.phase, owner = excluded.owner,"
                " is_default = excluded.is_default, meetings_by = excluded.meetings_by RETURNING *"
            )
            values = (
                calendar.account,
                calendar.id,
                calendar.name,
                calendar.color,
                calendar.folder,
                calendar.can_edit,
                calendar.status,
                calendar.phase,
                calendar.owner,
                calendar.is_default,
                calendar.meetings_by,
            )
            with self._writing() as conn:
                row = conn.execute(sql, values).fetchone()
            return rows.calendar_of(row)

        return await self._run(write)

    async def forget_calendar(self, calendar: CalendarKey) -> None:
        """Drop all that is known of a calendar but the versions of its items, which age out."""

        def write() -> None:
            with self._writing() as conn:
                conn.execute(
                    "INSERT INTO meta VALUES ('forgotten_key', ?1) ON CONFLICT (name) DO UPDATE"
                    " SET value = max(CAST(value AS INTEGER), ?1)",
                    (calendar,),
                )
                conn.execute(
                    "INSERT OR REPLACE INTO meta SELECT 'forgotten_folder:' || account || '/' ||"
                    " folder, '' FROM calendar WHERE key = ?",
                    (calendar,),
                )
                conn.execute(
                    "DELETE FROM verdict WHERE problem IN"
                    " (SELECT id FROM problem WHERE calendar = ?)",
                    (calendar,),
                )
                for table in _OF_A_CALENDAR:
                    conn.execute(f"DELETE FROM {table} WHERE calendar = ?", (calendar,))
                conn.execute("DELETE FROM calendar WHERE key = ?", (calendar,))

        await self._run(write)

    async def forgotten_folders(self, account: AccountName) -> set[str]:
        """The folders of calendars that were forgotten: they are their user's alone."""
        prefix = f"forgotten_folder:{account}/"

        def read() -> set[str]:
            sql = "SELECT name FROM meta WHERE substr(name, 1, ?) = ?"
            return {row["name"][len(prefix) :] for row in self._all(sql, len(prefix), prefix)}

        return await self._run(read)

    async def forget_folders(self, account: AccountName, export_dir: str) -> None:
        """The export folder changed: nothing is known of any file, and everything is to be done."""

        def write() -> None:
            with self._writing() as conn:
                conn.execute(
                    "UPDATE item SET file = NULL, fingerprint = NULL, mtime_ns = NULL"
                    " WHERE calendar IN (SELECT key FROM calendar WHERE account = ?)",
                    (account,),
                )
                conn.execute(
                    "INSERT OR IGNORE INTO todo SELECT calendar, uid FROM item"
                    " WHERE calendar IN (SELECT key FROM calendar WHERE account = ?)",
                    (account,),
                )
                conn.execute("UPDATE calendar SET phase = 'new' WHERE account = ?", (account,))
                conn.execute(
                    "UPDATE account SET export_dir = ? WHERE name = ?", (export_dir, account)
                )

        await self._run(write)

    async def forget_files(self, calendar: CalendarKey) -> None:
        """Nothing is known of the calendar's files any more, and every item is to be done."""

        def write() -> None:
            with self._writing() as conn:
                conn.execute(
                    "UPDATE item SET file = NULL, fingerprint = NULL, mtime_ns = NULL"
                    " WHERE calendar = ?",
                    (calendar,),
                )
                conn.execute(
                    "INSERT OR IGNORE INTO todo SELECT calendar, uid FROM item WHERE calendar = ?",
                    (calendar,),
                )

        await self._run(write)

    async def note_round(self, calendar: CalendarKey, at: datetime, error: str) -> None:
        """When a calendar's last round ended, and how."""
        sql = (
            "UPDATE calendar SET last_round_at = ?1, last_error = ?2,"
            " last_ok_at = CASE WHEN ?2 = '' THEN ?1 ELSE last_ok_at END WHERE key = ?3"
        )
        await self._execute(sql, (rows.text_of(at), error, calendar))

    # --- the view and the events -------------------------------------------------------------

    async def view(self, calendar: CalendarKey) -> View | None:
        """The cursor of a calendar."""

        def read() -> View | None:
            row = self._one("SELECT * FROM view WHERE calendar = ?", calendar)
            return None if row is None else rows.view_of(row)

        return await self._run(read)

    async def doubts(self, calendar: CalendarKey, most: int) -> list[Doubt]:
        """What has to be asked by id."""

        def read() -> list[Doubt]:
            sql = "SELECT graph_id, kind FROM doubt WHERE calendar = ? ORDER BY kind LIMIT ?"
            return [
                Doubt(GraphId(r["graph_id"]), r["kind"]) for r in self._all(sql, calendar, most)
            ]

        return await self._run(read)

    async def unseen(self, calendar: CalendarKey, sweep: int) -> list[RemoteRecord]:
        """Events that the full view number `sweep` did not show."""

        def read() -> list[RemoteRecord]:
            sql = "SELECT * FROM remote WHERE calendar = ? AND sweep < ?"
            return [rows.remote_of(row) for row in self._all(sql, calendar, sweep)]

        return await self._run(read)

    async def remotes_by_id(
        self, calendar: CalendarKey, ids: Iterable[GraphId]
    ) -> dict[GraphId, RemoteRecord]:
        """Events by their ids; the id of an exception finds its series."""
        wanted = list(dict.fromkeys(ids))

        def read() -> dict[GraphId, RemoteRecord]:
            found: dict[GraphId, RemoteRecord] = {}
            for row in self._chunks("SELECT * FROM remote WHERE graph_id IN", calendar, wanted):
                found[GraphId(row["graph_id"])] = rows.remote_of(row)
            sql = (
                "SELECT r.*, e.graph_id AS asked FROM exception e JOIN remote r"
                " ON r.calendar = e.calendar AND r.graph_id = e.series WHERE e.graph_id IN"
            )
            missing = [one for one in wanted if one not in found]
            for row in self._chunks(sql, calendar, missing, prefix="e."):
                found[GraphId(row["asked"])] = rows.remote_of(row)
            return found

        return await self._run(read)

    def _chunks(
        self, sql: str, calendar: CalendarKey, values: Sequence[str], prefix: str = ""
    ) -> Iterator[sqlite3.Row]:
        for at in range(0, len(values), 500):
            part = values[at : at + 500]
            marks = ",".join("?" * len(part))
            # All at once: a cursor that is left open would outlive the database.
            yield from self._all(f"{sql} ({marks}) AND {prefix}calendar = ?", *part, calendar)

    async def remotes_by_uid(
        self, calendar: CalendarKey, uids: Iterable[Uid]
    ) -> dict[Uid, list[RemoteRecord]]:
        """Events by their file's UID; more than one event may claim the same."""
        wanted = list(dict.fromkeys(uids))

        def read() -> dict[Uid, list[RemoteRecord]]:
            found: dict[Uid, list[RemoteRecord]] = {}
            for row in self._chunks("SELECT * FROM remote WHERE uid IN", calendar, wanted):
                found.setdefault(Uid(row["uid"]), []).append(rows.remote_of(row))
            return found

        return await self._run(read)

    # --- items -------------------------------------------------------------------------------

    async def todo(self, calendar: CalendarKey, most: int, after: Uid) -> list[Uid]:
        """UIDs whose remote side moved since they were reconciled, in order, behind `after`."""

        def read() -> list[Uid]:
            sql = "SELECT uid FROM todo WHERE calendar = ? AND uid > ? ORDER BY uid LIMIT ?"
            return [Uid(row["uid"]) for row in self._all(sql, calendar, after, most)]

        return await self._run(read)

    async def items(self, calendar: CalendarKey, uids: Iterable[Uid]) -> dict[Uid, ItemRecord]:
        """Items by UID."""
        wanted = list(dict.fromkeys(uids))

        def read() -> dict[Uid, ItemRecord]:
            sql = "SELECT * FROM item WHERE uid IN"
            return {
                Uid(row["uid"]): rows.item_of(row) for row in self._chunks(sql, calendar, wanted)
            }

        return await self._run(read)

    async def uids_of_files(
        self, calendar: CalendarKey, files: Iterable[FileName]
    ) -> dict[FileName, Uid]:
        """Which items are known under some file names."""
        wanted = list(dict.fromkeys(files))

        def read() -> dict[FileName, Uid]:
            sql = "SELECT file, uid FROM item WHERE file IN"
            return {
                FileName(row["file"]): Uid(row["uid"])
                for row in self._chunks(sql, calendar, wanted)
            }

        return await self._run(read)

    async def known_files(self, calendar: CalendarKey) -> dict[FileName, KnownFile]:
        """Every file as it was last read or written."""

        def read() -> dict[FileName, KnownFile]:
            sql = (
                "SELECT file, fingerprint, mtime_ns, ctime_ns, size, inode FROM item"
                " WHERE calendar = ? AND file IS NOT NULL"
            )
            return {
                FileName(name): KnownFile(
                    Fingerprint(print_ or ""),
                    None if mtime is None else FileStat(mtime, ctime, size, inode),
                )
                for name, print_, mtime, ctime, size, inode in self._conn.execute(sql, (calendar,))
            }

        return await self._run(read)

    async def all_items(self, calendar: CalendarKey) -> list[ItemRecord]:
        """Every item of a calendar."""

        def read() -> list[ItemRecord]:
            sql = "SELECT * FROM item WHERE calendar = ? ORDER BY rowid"
            return [rows.item_of(row) for row in self._all(sql, calendar)]

        return await self._run(read)

    async def items_with(self, calendar: CalendarKey, query: Query) -> list[ItemRecord]:
        """The items of a calendar that may have the words of a query, which is still to be seen."""
        if not query.trigrams:
            return await self.all_items(calendar)

        def read() -> list[ItemRecord]:
            return [rows.item_of(row) for row in may_have(self._conn, calendar, query.trigrams)]

        return await self._run(read)

    async def index_words(self, most: int) -> int:
        """Take up to so many changed items into the index of words; how many there were."""

        def write() -> int:
            if self._one("SELECT 1 FROM search_todo LIMIT 1") is None:
                return 0
            with self._writing() as conn:
                return take_up(conn, most)

        return await self._run(write)

    async def counts(self, calendar: CalendarKey) -> Mapping[str, int]:
        """How many items, files, events, waiting writes, things held and problems there are."""

        def read() -> Mapping[str, int]:
            row = self._one(
                "SELECT (SELECT count(*) FROM item WHERE calendar = ?1) AS items,"
                " (SELECT count(*) FROM item WHERE calendar = ?1 AND file IS NOT NULL) AS files,"
                " (SELECT count(*) FROM remote WHERE calendar = ?1) AS events,"
                " (SELECT count(*) FROM outbox WHERE calendar = ?1) AS pending,"
                " (SELECT count(*) FROM todo WHERE calendar = ?1) AS todo,"
                " (SELECT count(*) FROM problem WHERE calendar = ?1 AND needs_person) AS held,"
                " (SELECT count(*) FROM problem WHERE calendar = ?1) AS problems",
                calendar,
            )
            assert row is not None
            return dict(row)

        return await self._run(read)

    async def homes(
        self, account: AccountName, uids: Iterable[Uid]
    ) -> dict[Uid, dict[CalendarKey, bool]]:
        """
        In which calendars of an account some UIDs have a file, or were about to get one, and
        whether it is followed there: a held or local-only file is not.
        """
        wanted = list(dict.fromkeys(uids))

        def read() -> dict[Uid, dict[CalendarKey, bool]]:
            found: dict[Uid, dict[CalendarKey, bool]] = {}
            for at in range(0, len(wanted), 500):
                part = wanted[at : at + 500]
                marks = ",".join("?" * len(part))
                sql = (
                    "SELECT i.uid, i.calendar, i.graph_id IS NOT NULL AND NOT i.local_only"
                    " FROM item i JOIN calendar c ON c.key = i.calendar"
                    f" WHERE i.uid IN ({marks}) AND c.account = ?"
                    " AND (i.file IS NOT NULL OR i.base_remote IS NOT NULL)"
                )
                for uid, calendar, followed in self._conn.execute(sql, (*part, account)):
                    found.setdefault(Uid(uid), {})[CalendarKey(calendar)] = bool(followed)
            return found

        return await self._run(read)

    async def unnamed(self, calendar: CalendarKey) -> set[Uid]:
        """UIDs whose file was about to be made, of which nothing tells whether it was."""

        def read() -> set[Uid]:
            sql = (
                "SELECT i.uid FROM todo t JOIN item i USING (calendar, uid)"
                " WHERE t.calendar = ? AND i.file IS NULL AND i.base_remote IS NOT NULL"
            )
            return {Uid(row[0]) for row in self._conn.execute(sql, (calendar,))}

        return await self._run(read)

    async def arrivals(
        self, source: CalendarKey, uids: Iterable[Uid]
    ) -> dict[Uid, set[CalendarKey]]:
        """
        Where files of UIDs were new after all that is known of them in `source`.

        News of an event that never reached its file tell nothing of where that was.
        """
        wanted = list(dict.fromkeys(uids))

        def read() -> dict[Uid, set[CalendarKey]]:
            found: dict[Uid, set[CalendarKey]] = {}
            for at in range(0, len(wanted), 500):
                part = wanted[at : at + 500]
                marks = ",".join("?" * len(part))
                sql = (
                    "SELECT DISTINCT h.uid, h.calendar FROM history h"
                    f" WHERE h.uid IN ({marks}) AND h.what = 'create' AND h.side = 'local'"
                    " AND h.number > (SELECT coalesce(max(o.number), 0) FROM history o"
                    " WHERE o.uid = h.uid AND o.calendar = ?"
                    f" AND o.what NOT IN ({','.join('?' * len(WISHES))})"
                    " AND NOT (o.side = 'remote' AND o.what = 'update' AND o.before IN (SELECT"
                    " i.content FROM item i WHERE i.calendar = o.calendar AND i.uid = o.uid)))"
                )
                for uid, calendar in self._conn.execute(sql, (*part, source, *WISHES)):
                    found.setdefault(Uid(uid), set()).add(CalendarKey(calendar))
            return found

        return await self._run(read)

    # --- writes in flight, problems, verdicts, history ---------------------------------------

    async def outbox(self, calendar: CalendarKey) -> list[OutboxEntry]:
        """Writes that left and are not settled, oldest first."""
        return await self._entries(calendar, "state != 'ready'")

    async def asked(self, calendar: CalendarKey) -> list[OutboxEntry]:
        """What people asked for and was not sent yet, oldest first."""
        return await self._entries(calendar, "state = 'ready'")

    async def _entries(self, calendar: CalendarKey, which: str) -> list[OutboxEntry]:
        def read() -> list[OutboxEntry]:
            sql = f"SELECT * FROM outbox WHERE calendar = ? AND {which} ORDER BY number"
            return [rows.outbox_of(row) for row in self._all(sql, calendar)]

        return await self._run(read)

    async def problems(
        self, calendar: CalendarKey | None = None, *, subject: str | None = None
    ) -> list[Problem]:
        """Open matters, oldest first."""

        def read() -> list[Problem]:
            sql = (
                "SELECT p.*, c.account, c.name AS calendar_name FROM problem p"
                " LEFT JOIN calendar c ON c.key = p.calendar"
                " WHERE (?1 IS NULL OR p.calendar = ?1) AND (?2 IS NULL OR p.subject = ?2)"
                " ORDER BY p.since, p.id"
            )
            return [rows.problem_of(row) for row in self._all(sql, calendar, subject)]

        return await self._run(read)

    async def calendar_of_problem(self, problem: ProblemId) -> tuple[CalendarKey, str] | None:
        """The calendar and subject of a problem."""

        def read() -> tuple[CalendarKey, str] | None:
            row = self._one("SELECT calendar, subject FROM problem WHERE id = ?", problem)
            return None if row is None else (CalendarKey(row["calendar"]), row["subject"])

        return await self._run(read)

    async def subjects(self, calendar: CalendarKey) -> set[str]:
        """UIDs (or "") that have problems: looked at again in every round."""

        def read() -> set[str]:
            sql = "SELECT DISTINCT subject FROM problem WHERE calendar = ?"
            return {row["subject"] for row in self._all(sql, calendar)}

        return await self._run(read)

    async def verdicts(self) -> dict[ProblemId, VerdictRecord]:
        """What people decided and what is not carried out yet."""

        def read() -> dict[ProblemId, VerdictRecord]:
            return {
                ProblemId(row["problem"]): VerdictRecord(
                    ProblemId(row["problem"]), row["kind"], row["exact"]
                )
                for row in self._all("SELECT * FROM verdict")
            }

        return await self._run(read)

    async def recent_deletions(
        self, calendar: CalendarKey, side: Side, now: datetime, within: timedelta
    ) -> int:
        """
        How many deletions were carried out on a side within a time.

        Those of a time to come were noted by a clock that was ahead: they count as of now.
        """
        of_side, at = (calendar, side), rows.text_of(now)

        def read() -> int:
            where = "FROM deletion WHERE calendar = ? AND side = ? AND at >"
            if self._one(f"SELECT 1 {where} ?", *of_side, at):
                sql = "UPDATE deletion SET at = ?1 WHERE calendar = ?2 AND side = ?3 AND at > ?1"
                with self._writing() as conn:
                    conn.execute(sql, (at, *of_side))
            row = self._one(f"SELECT count(*) AS n {where} ?", *of_side, rows.text_of(now - within))
            assert row is not None
            return int(row["n"])

        return await self._run(read)

    async def recent_files(
        self, calendar: CalendarKey, now: datetime, within: timedelta
    ) -> set[Uid]:
        """The items of which files were made within a time, since the service had them."""
        sql = (
            "SELECT uid FROM history WHERE calendar = ? AND at > ?"
            " AND side = 'remote' AND what = 'create'"
        )
        asked = (calendar, rows.text_of(now - within))
        return await self._run(lambda: {Uid(row["uid"]) for row in self._all(sql, *asked)})

    async def history(self, uid: Uid | None, most: int) -> list[HistoryRecord]:
        """Changes, newest first."""

        def read() -> list[HistoryRecord]:
            sql = (
                "SELECT h.*, c.name AS calendar_name FROM history h"
                " LEFT JOIN calendar c ON c.key = h.calendar"
                " WHERE ?1 IS NULL OR h.uid = ?1 ORDER BY h.number DESC LIMIT ?2"
            )
            return [rows.history_of(row) for row in self._all(sql, uid, most)]

        return await self._run(read)

    async def history_of_round(self, round_: RoundId) -> list[HistoryRecord]:
        """What one round changed and sent, oldest first."""

        def read() -> list[HistoryRecord]:
            sql = (
                "SELECT h.*, c.name AS calendar_name FROM history h"
                " LEFT JOIN calendar c ON c.key = h.calendar WHERE h.round = ? ORDER BY h.number"
            )
            return [rows.history_of(row) for row in self._all(sql, round_)]

        return await self._run(read)

    async def uids_beginning(self, text: str, most: int) -> list[Uid]:
        """UIDs that begin so, of items that are there or that the history knows, in order."""

        def read() -> list[Uid]:
            where = "uid >= ?1 AND uid < ?2"
            sql = (
                f"SELECT uid FROM item WHERE {where} UNION SELECT uid FROM history WHERE {where}"
                " ORDER BY uid LIMIT ?3"
            )
            return [Uid(row["uid"]) for row in self._all(sql, text, text + _LAST_LETTER, most)]

        return await self._run(read)

    async def forget_history(self, before: datetime, calendar: CalendarKey | None = None) -> None:
        """
        Drop versions and counts that are older than they are kept, of one calendar or of all.

        What an open problem is about keeps its versions until it is resolved.
        """
        which = "(?2 IS NULL OR calendar = ?2)"
        listed = (
            "SELECT uid FROM problem WHERE uid IS NOT NULL UNION"
            " SELECT json_extract(one.value, '$.uid') FROM problem,"
            " json_each(problem.detail, '$.items') one"
            " WHERE json_extract(one.value, '$.uid') IS NOT NULL"
        )

        def write() -> None:
            values = (rows.text_of(before), calendar)
            with self._writing() as conn:
                conn.execute(
                    f"DELETE FROM history WHERE at < ?1 AND {which} AND uid NOT IN ({listed})",
                    values,
                )
                # The guard counts those of the last hour, however short versions are kept.
                counted = (rows.text_of(before - timedelta(days=1)), calendar)
                conn.execute(f"DELETE FROM deletion WHERE at < ?1 AND {which}", counted)
                conn.execute(f"DELETE FROM round WHERE started_at < ?1 AND {which}", values)

        await self._run(write)

    async def tidied_at(self) -> datetime | None:
        """When old versions were last dropped, or from when on they may be."""

        def read() -> datetime | None:
            row = self._one("SELECT value FROM meta WHERE name = 'tidied_at'")
            return None if row is None else rows.instant_of(row["value"])

        return await self._run(read)

    async def put_tidied_at(self, at: datetime) -> None:
        """Keep that time."""
        sql = "INSERT OR REPLACE INTO meta VALUES ('tidied_at', ?)"
        await self._execute(sql, (rows.text_of(at),))

    # --- rounds ------------------------------------------------------------------------------

    async def begin_round(self, calendar: CalendarKey, at: datetime) -> RoundId:
        """Number a round."""

        def write() -> RoundId:
            with self._writing() as conn:
                cursor = conn.execute(
                    "INSERT INTO round (calendar, started_at) VALUES (?, ?)",
                    (calendar, rows.text_of(at)),
                )
                return RoundId(cursor.lastrowid or 0)

        return await self._run(write)

    async def end_round(
        self, round_: RoundId, at: datetime, counts: Mapping[str, int], error: str
    ) -> None:
        """Keep what a round did; one that did nothing leaves no trace."""
        if not any(counts.values()) and not error:
            await self._execute("DELETE FROM round WHERE number = ?", (round_,))
            return
        sql = "UPDATE round SET finished_at = ?, counts = ?, error = ? WHERE number = ?"
        await self._execute(sql, (rows.text_of(at), _encode(dict(counts)).decode(), error, round_))

    async def is_cut_short(self, round_: RoundId) -> bool:
        """Whether a round began and never came to its end, be it a bad one."""

        def read() -> bool:
            sql = "SELECT 1 FROM round WHERE number = ? AND finished_at IS NULL"
            return self._one(sql, round_) is not None

        return await self._run(read)

    async def calendar_states(self) -> list[dict[str, Any]]:
        """What `syncd status` prints of each calendar."""

        def read() -> list[dict[str, Any]]:
            sql = (
                "SELECT c.account, c.name AS calendar, c.folder, c.status, c.last_round_at,"
                " c.last_ok_at, c.last_error, c.key,"
                " (SELECT count(*) FROM item WHERE calendar = c.key) AS items,"
                " (SELECT count(*) FROM outbox WHERE calendar = c.key) AS pending,"
                " (SELECT count(*) FROM problem WHERE calendar = c.key AND needs_person) AS held,"
                " (SELECT count(*) FROM problem WHERE calendar = c.key) AS problems"
                " FROM calendar c ORDER BY c.account, c.key"
            )
            return [dict(row) for row in self._all(sql)]

        return await self._run(read)

    async def drop_problem(self, problem: ProblemId) -> None:
        """Take a matter off the list that needs nobody any more."""
        await self._execute("DELETE FROM problem WHERE id = ?", (problem,))

    # --- the one transaction -----------------------------------------------------------------

    async def commit(self, calendar: CalendarKey, changes: Sequence[Change]) -> None:
        """Carry out some changes of one calendar, all of them or none."""
        if not changes:
            return

        def write() -> None:
            with self._writing() as conn:
                writer = _Writer(conn, calendar)
                for change in changes:
                    writer.apply(change)
                writer.flush()

        await self._run(write)

    async def new_outbox(
        self,
        calendar: CalendarKey,
        entries: Sequence[OutboxEntry],
        *,
        instead_of: Sequence[int] = (),
    ) -> list[int]:
        """
        Journal writes before they leave; their numbers.

        A journal that a power cut took back would let a create go out a second time.

        Args: instead_of: the waiting entries that they take the place of; where one of these has
            left or was taken back meanwhile, nothing is journaled.
        """
        waiting = "FROM outbox WHERE number = ? AND state = 'ready'"

        def write() -> list[int]:
            with self._writing_durably() as conn:
                there = [
                    conn.execute(f"SELECT 1 {waiting}", (one,)).fetchone() for one in instead_of
                ]
                if not all(there):
                    return []
                conn.executemany(f"DELETE {waiting}", [(one,) for one in instead_of])
                return [_insert_outbox(conn, calendar, entry) for entry in entries]

        return await self._run(write)

    async def withdraw(self, number: int) -> bool:
        """Take back what was asked for; whether it had not left by then."""

        def write() -> bool:
            with self._writing_durably() as conn:
                sql = "DELETE FROM outbox WHERE number = ? AND state = 'ready'"
                return conn.execute(sql, (number,)).rowcount > 0

        return await self._run(write)

    # --- what is asked of a mailbox beside its events ----------------------------------------

    async def errands(self, account: AccountName | None = None) -> list[Errand]:
        """What is not done yet, oldest first."""

        def read() -> list[Errand]:
            sql = "SELECT * FROM errand WHERE ?1 IS NULL OR account = ?1 ORDER BY number"
            return [rows.errand_of(row) for row in self._all(sql, account)]

        return await self._run(read)

    async def new_errand(self, errand: Errand) -> Errand:
        """Journal what was asked for; with its number."""

        def write() -> Errand:
            with self._writing_durably() as conn:
                sql = f"INSERT INTO errand VALUES ({','.join('?' * 10)})"
                number = conn.execute(sql, (None, *_errand_values(errand))).lastrowid or 0
                return replace(errand, number=number)

        return await self._run(write)

    async def put_errand(self, errand: Errand) -> bool:
        """Keep how far one is; False: it was taken back meanwhile."""

        def write() -> bool:
            with self._writing_durably() as conn:
                sql = (
                    "UPDATE errand SET account = ?, kind = ?, asked = ?, attempt = ?, state = ?,"
                    " since = ?, decided = ?, left_at = ?, before = ? WHERE number = ?"
                )
                values = (*_errand_values(errand), errand.number)
                return conn.execute(sql, values).rowcount > 0

        return await self._run(write)

    async def end_errand(self, number: int, *, only_ready: bool = False) -> bool:
        """It is over; whether it was there. Args: only_ready: unless it has left."""

        def write() -> bool:
            with self._writing_durably() as conn:
                sql = "DELETE FROM errand WHERE number = ? AND (NOT ? OR state = 'ready')"
                return conn.execute(sql, (number, only_ready)).rowcount > 0

        return await self._run(write)

    async def compact(self) -> None:
        """Let SQLite tidy up."""
        await self._run(lambda: self._conn.execute("PRAGMA optimize"))


def _aside_notice(name: str, folder: Path, now: datetime) -> Problem:
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return Problem(
        id=ProblemId(digest),
        kind="notice",
        code="state-set-aside",
        needs_person=False,
        account=AccountName(""),
        calendar="",
        uid=None,
        file=name,
        summary="",
        line=0,
        reason="the state was damaged and put aside; files and events were linked anew without it",
        hint=f"Look at what is listed here; versions from before are in {str(folder / name)!r},"
        " remove it when nobody misses any. `syncd discard ID` takes this off the list.",
        since=now,
    )


def _opened(path: Path | None, careful: bool, busy_s: float) -> Database:
    with _failures():
        if path is not None:
            refuse_obstacles(path)
        unclosed = path is not None and path.with_name(path.name + "-wal").exists()
        conn = _connection(path, busy_s)
        try:
            return _brought_up(conn, path, careful=careful and unclosed)
        except BaseException:
            conn.close()
            raise


def _brought_up(conn: sqlite3.Connection, path: Path | None, *, careful: bool) -> Database:
    db = Database(conn)
    newer = newer_migrations(db)
    if newer:
        raise StateError(
            f"the state was written by a newer version of syncd ({newer[0]})",
            hint="Use that version, or another state_dir.",
        )
    if careful:
        _refuse_damage(conn)
    if path is not None:
        conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = NORMAL")
    MIGRATIONS.apply(db)
    return db


def _refuse_damage(conn: sqlite3.Connection, check: str = "quick_check") -> None:
    """A log that belongs to another copy of the database fits nowhere, and SQLite cannot tell."""
    said = conn.execute(f"PRAGMA {check}(1)").fetchone()[0]
    if said != "ok":
        raise Corrupt(f"the state database is damaged: {said}")


def confirm_damage(path: Path, error: Damaged) -> None:
    """
    Look at a database once more before it is put aside.

    SQLite reports a read that the disk refuses as damage (https://sqlite.org/rescode.html,
    `SQLITE_IOERR_CORRUPTFS`).

    Raises: DiskTrouble: it cannot be read now, or is whole after all.
    """
    if not isinstance(error, Corrupt):
        return
    refuse_unreadable(path)
    try:
        with _failures(), closing(sqlite3.connect(path)) as conn:
            _refuse_damage(conn, "integrity_check")
    except Damaged:
        return
    raise DiskTrouble(f"the state database could not be read for a moment: {error}") from error


def _connection(path: Path | None, busy_s: float) -> sqlite3.Connection:
    if path is not None and not path.exists():
        # Made by us first, so that no other mode is ever seen; the side files follow its mode.
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise DiskTrouble(f"the state cannot be made at {path}: {error.strerror}") from error
    conn = sqlite3.connect(
        ":memory:" if path is None else path, check_same_thread=False, isolation_level=None
    )
    conn.row_factory = sqlite3.Row
    if path is None or path.stat().st_size == 0:
        # An event of 2 KB of JSON wastes half of SQLite's usual page of 4 KB.
        conn.execute("PRAGMA page_size = 8192")
    # Ids are spread over the whole of an index: with SQLite's usual 2 MB, pages of a first sync go
    # to the disk several times over.
    conn.execute("PRAGMA cache_size = -8000")
    conn.execute(f"PRAGMA busy_timeout = {round(busy_s * 1000)}")
    return conn


class _Writer:
    """Carries out changes in order, the frequent inserts in bulk."""

    def __init__(self, conn: sqlite3.Connection, calendar: CalendarKey) -> None:
        self._conn = conn
        self._calendar = calendar
        self._bulk: dict[str, list[tuple[Any, ...]]] = {}
        self._problems: bool | None = None

    def flush(self) -> None:
        # Names are given up before any is taken: items may exchange theirs in one commit.
        self._conn.executemany(_FILE_MOVED, self._bulk.pop(_FILE_MOVED, ()))
        for sql, values in self._bulk.items():
            self._conn.executemany(sql, values)
        self._bulk.clear()

    def _later(self, sql: str, values: tuple[Any, ...]) -> None:
        self._bulk.setdefault(sql, []).append(values)

    def _now(self, sql: str, *values: object) -> None:
        self._conn.execute(sql, values)

    def apply(self, change: Change) -> None:
        match change:
            case PutView(view):
                self._put_view(view)
            case DropView():
                self._now("DELETE FROM view WHERE calendar = ?", self._calendar)
            case PutRemote(record, quiet):
                self._put_remote(record, quiet=quiet)
            case DropRemote(graph_id):
                self._drop_remote(graph_id)
            case SeenRemote(graph_ids, sweep):
                for graph_id in graph_ids:
                    self._later(_SEEN, (sweep, self._calendar, graph_id))
            case PutDoubt(doubt):
                self._later(_DOUBT, (self._calendar, doubt.graph_id, doubt.kind))
            case DropDoubt(doubt):
                self._later(_NO_DOUBT, (self._calendar, doubt.graph_id, doubt.kind))
            case PutItem(item):
                self._put_item(item)
            case NameItem(uid, file, fingerprint, stat):
                self._later(_FILE_MOVED, (self._calendar, file, uid))
                self._later(_NAME, (file, fingerprint, *_columns(stat), self._calendar, uid))
            case DropItem(uid):
                self._now("DELETE FROM item WHERE calendar = ? AND uid = ?", self._calendar, uid)
            case Restamp(file, stat):
                self._later(
                    _STAMP,
                    (*_columns(stat), self._calendar, file),
                )
            case Todo(uid):
                self._later(_TODO, (self._calendar, uid))
            case NoTodo(uid):
                self._later(
                    "DELETE FROM todo WHERE calendar = ? AND uid = ?", (self._calendar, uid)
                )
            case _:
                self._apply_rare(change)

    def _apply_rare(
        self,
        change: PutOutbox
        | DropOutbox
        | PutProblems
        | PutVerdict
        | ClearVerdict
        | CountDeletion
        | AddHistory,
    ) -> None:
        match change:
            case PutOutbox(entry):
                self._put_outbox(entry)
            case DropOutbox(number):
                self._now("DELETE FROM outbox WHERE number = ?", number)
            case PutProblems(subject, problems):
                self._put_problems(subject, problems)
            case PutVerdict(verdict):
                self._now(
                    "INSERT OR REPLACE INTO verdict VALUES (?, ?, ?)",
                    verdict.problem,
                    verdict.kind,
                    verdict.exact,
                )
            case ClearVerdict(problem):
                self._now("DELETE FROM verdict WHERE problem = ?", problem)
            case CountDeletion(side, uid, at):
                self._later(
                    "INSERT INTO deletion VALUES (?, ?, ?, ?)",
                    (self._calendar, side, rows.text_of(at), uid),
                )
            case AddHistory(record):
                self._later(_HISTORY, self._history_row(record))
            case _:
                assert_never(change)

    def _put_view(self, view: View) -> None:
        self._now(
            "INSERT OR REPLACE INTO view VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            self._calendar,
            view.link,
            view.complete,
            rows.text_of(view.start),
            rows.text_of(view.end),
            rows.text_of(view.opened_at),
            view.sweep,
            rows.text_of(view.true_up_at),
        )

    def _put_remote(self, record: RemoteRecord, *, quiet: bool) -> None:
        self._later(
            _REMOTE,
            (
                self._calendar,
                record.graph_id,
                record.uid,
                record.etag,
                rows.text_of(record.seen_at),
                record.sweep,
                record.outside,
                " ".join(record.exceptions),
                record.raw,
                rows.times_text(record.field_times),
            ),
        )
        if record.exceptions:
            for exception in record.exceptions:
                self._later(_EXCEPTION, (self._calendar, exception, record.graph_id))
        if not quiet:
            self._later(_TODO, (self._calendar, record.uid))

    def _drop_remote(self, graph_id: GraphId) -> None:
        self.flush()
        where = "calendar = ? AND graph_id = ?"
        self._now(
            f"INSERT OR IGNORE INTO todo SELECT calendar, uid FROM remote WHERE {where}",
            self._calendar,
            graph_id,
        )
        self._now(f"DELETE FROM remote WHERE {where}", self._calendar, graph_id)
        self._now(
            "DELETE FROM exception WHERE calendar = ? AND series = ?", self._calendar, graph_id
        )

    def _put_item(self, item: ItemRecord) -> None:
        same = item.base_local == item.base_remote
        if item.file is not None:
            # A file name belongs to one item; whoever had it before does not any more.
            self._later(_FILE_MOVED, (self._calendar, item.file, item.uid))
        self._later(
            _ITEM,
            (
                self._calendar,
                item.uid,
                item.graph_id,
                item.file,
                item.fingerprint,
                *_columns(item.stat),
                item.local_only,
                None if same else rows.encode_item(item.base_local),
                rows.encode_item(item.base_remote),
                item.content,
                item.sent_stash,
                item.projection,
            ),
        )

    def _put_outbox(self, entry: OutboxEntry) -> None:
        self._now("DELETE FROM outbox WHERE number = ?", entry.number)
        _insert_outbox(self._conn, self._calendar, entry)

    def _put_problems(self, subject: str, problems: tuple[Problem, ...]) -> None:
        """Notices and conflicts that a policy decided stay until a person discards them."""
        if not problems and not self._has_problems():
            return
        since = {
            row["id"]: row["since"]
            for row in self._conn.execute(
                "SELECT id, since FROM problem WHERE calendar = ? AND subject = ?",
                (self._calendar, subject),
            )
        }
        if not since and not problems:
            return
        self._now(
            "DELETE FROM problem WHERE calendar = ? AND subject = ?"
            " AND NOT (needs_person = 0 AND kind IN ('conflict', 'notice'))",
            self._calendar,
            subject,
        )
        self._problems = None
        for problem in problems:
            row = list(rows.problem_row(self._calendar, subject, problem))
            row[12] = since.get(problem.id, row[12])
            self._now(f"INSERT OR REPLACE INTO problem VALUES ({','.join('?' * 16)})", *row)

    def _has_problems(self) -> bool:
        """Whether the calendar had any as this began: mostly not, and then no item is asked for."""
        if self._problems is None:
            sql = "SELECT EXISTS (SELECT 1 FROM problem WHERE calendar = ?)"
            self._problems = bool(self._conn.execute(sql, (self._calendar,)).fetchone()[0])
        return self._problems

    def _history_row(self, record: HistoryRecord) -> tuple[Any, ...]:
        return (
            record.round,
            rows.text_of(record.at),
            self._calendar,
            record.uid,
            record.side,
            record.what,
            _encode(record.fields).decode(),
            record.before or None,
            record.after or None,
            record.mail_kind,
            _encode(record.mails).decode(),
        )


def _insert_outbox(conn: sqlite3.Connection, calendar: CalendarKey, entry: OutboxEntry) -> int:
    cursor = conn.execute(
        "INSERT INTO outbox (number, calendar, uid, kind, slot, graph_id, action, body,"
        " transaction_id, state, since, keys, expects, before_etag, mails, mail_kind)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry.number or None,
            calendar,
            entry.uid,
            entry.kind,
            entry.slot,
            entry.graph_id,
            entry.action,
            entry.body,
            entry.transaction_id,
            entry.state,
            rows.text_of(entry.since),
            _encode(entry.keys).decode(),
            rows.encode_item(entry.expects),
            entry.before_etag,
            _encode(entry.mails).decode(),
            entry.mail_kind,
        ),
    )
    return cursor.lastrowid or 0


def _errand_values(errand: Errand) -> tuple[object, ...]:
    return (
        errand.account,
        errand.kind,
        errand.asked,
        errand.attempt,
        errand.state,
        rows.text_of(errand.since),
        errand.decided,
        rows.text_of(errand.left_at),
        _encode(errand.before).decode(),
    )


def _columns(stat: StoredStat | None) -> tuple[int | None, ...]:
    return (None,) * 4 if stat is None else (stat.mtime_ns, stat.ctime_ns, stat.size, stat.inode)


_SEEN = "UPDATE remote SET sweep = ? WHERE calendar = ? AND graph_id = ?"
_DOUBT = "INSERT OR IGNORE INTO doubt VALUES (?, ?, ?)"
_NO_DOUBT = "DELETE FROM doubt WHERE calendar = ? AND graph_id = ? AND kind = ?"
_TODO = "INSERT OR IGNORE INTO todo VALUES (?, ?)"
_STAMP = (
    "UPDATE item SET mtime_ns = ?, ctime_ns = ?, size = ?, inode = ?"
    " WHERE calendar = ? AND file = ?"
)
_NAME = (
    "UPDATE item SET file = ?, fingerprint = ?, mtime_ns = ?, ctime_ns = ?, size = ?, inode = ?"
    " WHERE calendar = ? AND uid = ?"
)
_EXCEPTION = "INSERT OR REPLACE INTO exception VALUES (?, ?, ?)"
_REMOTE = (
    "INSERT INTO remote (calendar, graph_id, uid, etag, seen_at, sweep, outside, exceptions, raw,"
    " field_times) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (calendar, graph_id) DO UPDATE SET"
    " uid = excluded.uid, etag = excluded.etag, seen_at = excluded.seen_at,"
    " sweep = excluded.sweep, outside = excluded.outside, exceptions = excluded.exceptions,"
    " raw = excluded.raw, field_times = excluded.field_times"
)
_FILE_MOVED = "UPDATE item SET file = NULL WHERE calendar = ? AND file = ? AND uid <> ?"
_ITEM = (
    "INSERT INTO item (calendar, uid, graph_id, file, fingerprint, mtime_ns, ctime_ns, size,"
    " inode, local_only, base_local, base_remote, content, sent_stash, projection)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (uid, calendar) DO UPDATE SET"
    " graph_id = excluded.graph_id, file = excluded.file, fingerprint = excluded.fingerprint,"
    " mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns, size = excluded.size,"
    " inode = excluded.inode, local_only = excluded.local_only,"
    " base_local = excluded.base_local, base_remote = excluded.base_remote,"
    " content = excluded.content, sent_stash = excluded.sent_stash,"
    " projection = excluded.projection"
)
_HISTORY = (
    "INSERT INTO history (round, at, calendar, uid, side, what, fields, before, after, mail_kind,"
    " mails) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
