"""
The shape of the state database, as ordered, append-only migrations.

Tables hold what is; the views named after people's questions (`calendar_overview`, `event_list`,
`open_problems`, `change_log`, `waiting_writes`) are for reading with any SQLite tool.
"""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["MIGRATIONS", "newer_migrations"]

MIGRATIONS = Migrations("syncd")


def newer_migrations(db: Database) -> list[str]:
    """Migrations in the file that this version does not know: a newer version wrote it."""
    known = {migration.name for migration in MIGRATIONS._migrations}
    return [one.name for one in MIGRATIONS.applied(db) if one.name not in known]


_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE account (
    name TEXT PRIMARY KEY, user_id TEXT NOT NULL DEFAULT '', addresses TEXT NOT NULL DEFAULT '[]',
    zone TEXT NOT NULL DEFAULT '', identified_at TEXT, listed_at TEXT,
    export_dir TEXT NOT NULL DEFAULT '', pause_until TEXT) WITHOUT ROWID;
CREATE TABLE calendar (
    key INTEGER PRIMARY KEY, account TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
    color TEXT NOT NULL DEFAULT '', folder TEXT NOT NULL, can_edit INTEGER NOT NULL DEFAULT 1,
    status TEXT NOT NULL DEFAULT 'active', phase TEXT NOT NULL DEFAULT 'new',
    last_round_at TEXT, last_ok_at TEXT, last_error TEXT NOT NULL DEFAULT '',
    UNIQUE (account, id), UNIQUE (account, folder));
CREATE TABLE view (
    calendar INTEGER PRIMARY KEY, link TEXT, complete INTEGER NOT NULL, start TEXT NOT NULL,
    "end" TEXT NOT NULL, opened_at TEXT NOT NULL, sweep INTEGER NOT NULL, true_up_at TEXT);
CREATE TABLE remote (
    calendar INTEGER NOT NULL, graph_id TEXT NOT NULL, uid TEXT NOT NULL, etag TEXT NOT NULL,
    seen_at TEXT NOT NULL, sweep INTEGER NOT NULL, outside INTEGER NOT NULL DEFAULT 0,
    exceptions TEXT NOT NULL DEFAULT '', raw BLOB NOT NULL, UNIQUE (calendar, graph_id));
CREATE INDEX remote_uid ON remote (calendar, uid);
CREATE TABLE exception (
    calendar INTEGER NOT NULL, graph_id TEXT NOT NULL, series TEXT NOT NULL,
    PRIMARY KEY (calendar, graph_id)) WITHOUT ROWID;
CREATE TABLE item (
    calendar INTEGER NOT NULL, uid TEXT NOT NULL, graph_id TEXT, file TEXT, fingerprint TEXT,
    mtime_ns INTEGER, ctime_ns INTEGER, size INTEGER, inode INTEGER,
    local_only INTEGER NOT NULL DEFAULT 0,
    base_local BLOB, base_remote BLOB, content BLOB NOT NULL, UNIQUE (uid, calendar));
CREATE UNIQUE INDEX item_file ON item (calendar, file) WHERE file IS NOT NULL;
CREATE TABLE todo (
    calendar INTEGER NOT NULL, uid TEXT NOT NULL, PRIMARY KEY (calendar, uid)) WITHOUT ROWID;
CREATE TABLE doubt (
    calendar INTEGER NOT NULL, graph_id TEXT NOT NULL, kind TEXT NOT NULL,
    PRIMARY KEY (calendar, graph_id, kind)) WITHOUT ROWID;
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT, calendar INTEGER NOT NULL, uid TEXT NOT NULL,
    kind TEXT NOT NULL, slot TEXT NOT NULL, graph_id TEXT, action TEXT NOT NULL DEFAULT '',
    body BLOB NOT NULL, transaction_id TEXT, state TEXT NOT NULL, since TEXT NOT NULL,
    keys TEXT NOT NULL, expects BLOB, before_etag TEXT NOT NULL DEFAULT '',
    mails TEXT NOT NULL DEFAULT '[]', mail_kind TEXT NOT NULL DEFAULT '');
CREATE TABLE problem (
    id TEXT PRIMARY KEY, calendar INTEGER NOT NULL, subject TEXT NOT NULL, kind TEXT NOT NULL,
    code TEXT NOT NULL, needs_person INTEGER NOT NULL, file TEXT NOT NULL, uid TEXT,
    summary TEXT NOT NULL, line INTEGER NOT NULL, reason TEXT NOT NULL, hint TEXT NOT NULL,
    since TEXT NOT NULL, fields TEXT NOT NULL, detail TEXT NOT NULL, exact TEXT NOT NULL
    ) WITHOUT ROWID;
CREATE INDEX problem_subject ON problem (calendar, subject);
CREATE TABLE verdict (
    problem TEXT PRIMARY KEY, kind TEXT NOT NULL, exact TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE deletion (
    calendar INTEGER NOT NULL, side TEXT NOT NULL, at TEXT NOT NULL, uid TEXT NOT NULL);
CREATE INDEX deletion_at ON deletion (calendar, side, at);
CREATE TABLE round (
    number INTEGER PRIMARY KEY AUTOINCREMENT, calendar INTEGER NOT NULL, started_at TEXT NOT NULL,
    finished_at TEXT, counts TEXT NOT NULL DEFAULT '{}', error TEXT NOT NULL DEFAULT '');
CREATE TABLE history (
    number INTEGER PRIMARY KEY AUTOINCREMENT, round INTEGER NOT NULL, at TEXT NOT NULL,
    calendar INTEGER NOT NULL, uid TEXT NOT NULL, side TEXT NOT NULL, what TEXT NOT NULL,
    fields TEXT NOT NULL, before BLOB, after BLOB);
CREATE INDEX history_uid ON history (uid);
"""

_VIEWS = """
CREATE VIEW calendar_overview AS
    SELECT c.account, c.name AS calendar, c.folder, c.status, c.last_ok_at, c.last_error,
        (SELECT count(*) FROM item i WHERE i.calendar = c.key) AS items,
        (SELECT count(*) FROM problem p WHERE p.calendar = c.key AND p.needs_person) AS held,
        (SELECT count(*) FROM outbox o WHERE o.calendar = c.key) AS waiting,
        v.start AS window_start, v."end" AS window_end
    FROM calendar c LEFT JOIN view v ON v.calendar = c.key;
CREATE VIEW event_list AS
    SELECT c.account, c.name AS calendar, i.uid, i.file,
        json_extract(CAST(r.raw AS TEXT), '$.subject') AS subject,
        json_extract(CAST(r.raw AS TEXT), '$.start.dateTime') AS start_utc,
        json_extract(CAST(r.raw AS TEXT), '$.end.dateTime') AS end_utc,
        json_extract(CAST(r.raw AS TEXT), '$.type') AS type, r.seen_at
    FROM item i JOIN calendar c ON c.key = i.calendar
    LEFT JOIN remote r ON r.calendar = i.calendar AND r.graph_id = i.graph_id;
CREATE VIEW open_problems AS
    SELECT p.id, c.account, c.name AS calendar, p.kind, p.code, p.needs_person, p.file, p.summary,
        p.line, p.reason, p.hint, p.since
    FROM problem p LEFT JOIN calendar c ON c.key = p.calendar;
CREATE VIEW change_log AS
    SELECT h.number, h.at, h.round, c.account, c.name AS calendar, h.uid, h.side, h.what, h.fields
    FROM history h LEFT JOIN calendar c ON c.key = h.calendar;
CREATE VIEW waiting_writes AS
    SELECT o.number, c.account, c.name AS calendar, o.uid, o.kind, o.slot, o.state, o.since
    FROM outbox o LEFT JOIN calendar c ON c.key = o.calendar;
"""


def _run(db: Database, script: str) -> None:
    # Not executescript: it would commit the migration's own transaction first.
    for statement in script.split(";\n"):
        if statement.strip():
            db.conn.execute(statement)


@MIGRATIONS()
def m001_tables(db: Database) -> None:
    """The tables."""
    _run(db, _TABLES)


@MIGRATIONS()
def m002_views(db: Database) -> None:
    """The views for people."""
    _run(db, _VIEWS)


@MIGRATIONS()
def m003_stash_and_projection(db: Database) -> None:
    """What the service was given of a file's unknown lines, and what the bases know of."""
    _run(
        db,
        "ALTER TABLE item ADD COLUMN sent_stash TEXT NOT NULL DEFAULT '';\n"
        "ALTER TABLE item ADD COLUMN projection INTEGER NOT NULL DEFAULT 1;\n",
    )


@MIGRATIONS()
def m004_mail_in_history(db: Database) -> None:
    """What mail a write sent, since it cannot be taken back; and versions by their age."""
    _run(
        db,
        "ALTER TABLE history ADD COLUMN mail_kind TEXT NOT NULL DEFAULT '';\n"
        "ALTER TABLE history ADD COLUMN mails TEXT NOT NULL DEFAULT '[]';\n"
        "CREATE INDEX history_at ON history (at);\n",
    )


@MIGRATIONS()
def m005_field_times(db: Database) -> None:
    """When fields of an event were seen to change, for the policy that asks which is newer."""
    _run(db, "ALTER TABLE remote ADD COLUMN field_times TEXT NOT NULL DEFAULT '';\n")


@MIGRATIONS()
def m006_mailbox_settings(db: Database) -> None:
    """Working hours and formats of a mailbox, for reading offline."""
    _run(db, "ALTER TABLE account ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';\n")


@MIGRATIONS()
def m007_search(db: Database) -> None:
    """An index of the words of all events; what changed since it was made is noted by triggers."""
    _run(db, _SEARCH)


@MIGRATIONS()
def m008_attached(db: Database) -> None:
    """What hangs on events that are known already is asked for once."""
    _run(
        db,
        "INSERT OR IGNORE INTO doubt SELECT calendar, graph_id, 'attached' FROM remote"
        " WHERE instr(CAST(raw AS TEXT), '\"hasAttachments\":true') > 0;\n",
    )


@MIGRATIONS()
def m009_owner(db: Database) -> None:
    """Whose a calendar is, and which of them is the default."""
    _run(
        db,
        "ALTER TABLE calendar ADD COLUMN owner TEXT NOT NULL DEFAULT '';\n"
        "ALTER TABLE calendar ADD COLUMN is_default INTEGER NOT NULL DEFAULT 0;\n",
    )


@MIGRATIONS()
def m010_errands(db: Database) -> None:
    """What people asked of a mailbox beside its events, until it is done."""
    _run(
        db,
        "CREATE TABLE errand (number INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL,"
        " kind TEXT NOT NULL, asked BLOB NOT NULL, attempt TEXT NOT NULL, state TEXT NOT NULL,"
        " since TEXT NOT NULL, decided BLOB NOT NULL, left_at TEXT, before TEXT NOT NULL);\n",
    )


@MIGRATIONS()
def m011_whose(db: Database) -> None:
    """Whose a calendar is decides what its bases say: they are made anew once that is heard."""
    _run(db, "UPDATE calendar SET owner = '';\n")


@MIGRATIONS()
def m012_meetings_by(db: Database) -> None:
    """What the online meetings of a calendar are held with."""
    _run(db, "ALTER TABLE calendar ADD COLUMN meetings_by TEXT NOT NULL DEFAULT '';\n")


# "OR IGNORE" in a trigger would be overruled by the conflict clause of the statement that fires it.
_SEARCH = """
CREATE TABLE search_text (
    id INTEGER PRIMARY KEY, calendar INTEGER NOT NULL, uid TEXT NOT NULL, text TEXT NOT NULL,
    UNIQUE (calendar, uid));
CREATE VIRTUAL TABLE search_index USING fts5(
    text, content = 'search_text', content_rowid = 'id', columnsize = 0, detail = 'none',
    tokenize = 'trigram case_sensitive 1');
CREATE TRIGGER search_text_new AFTER INSERT ON search_text BEGIN
    INSERT INTO search_index (rowid, text) VALUES (NEW.id, NEW.text); END;
CREATE TRIGGER search_text_gone AFTER DELETE ON search_text BEGIN
    INSERT INTO search_index (search_index, rowid, text) VALUES ('delete', OLD.id, OLD.text); END;
CREATE TABLE search_todo (
    calendar INTEGER NOT NULL, uid TEXT NOT NULL, PRIMARY KEY (calendar, uid)) WITHOUT ROWID;
CREATE TRIGGER item_new AFTER INSERT ON item BEGIN
    INSERT INTO search_todo SELECT NEW.calendar, NEW.uid WHERE NOT EXISTS (
        SELECT 1 FROM search_todo WHERE calendar = NEW.calendar AND uid = NEW.uid); END;
CREATE TRIGGER item_changed AFTER UPDATE OF base_local, base_remote ON item
    WHEN OLD.base_local IS NOT NEW.base_local OR OLD.base_remote IS NOT NEW.base_remote BEGIN
    INSERT INTO search_todo SELECT NEW.calendar, NEW.uid WHERE NOT EXISTS (
        SELECT 1 FROM search_todo WHERE calendar = NEW.calendar AND uid = NEW.uid); END;
CREATE TRIGGER item_gone AFTER DELETE ON item BEGIN
    INSERT INTO search_todo SELECT OLD.calendar, OLD.uid WHERE NOT EXISTS (
        SELECT 1 FROM search_todo WHERE calendar = OLD.calendar AND uid = OLD.uid); END;
INSERT INTO search_todo SELECT calendar, uid FROM item;
CREATE INDEX item_unread ON item (calendar) WHERE fingerprint IS NULL;
"""
