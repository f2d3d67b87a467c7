"""A damaged state, and foreign things where syncd's own should be: repaired, told, nothing lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from syncd.core.errors import DiskTrouble
from syncd.core.ids import AccountName, CalendarId, FileName, GraphId, Uid
from syncd.core.state import (
    CalendarKey,
    CalendarRecord,
    ItemRecord,
    PutItem,
    PutRemote,
    RemoteRecord,
)
from syncd.shell.commands.run import run_daemon
from syncd.shell.config import load_config
from syncd.store.aside import Damaged
from syncd.store.migrations import MIGRATIONS
from syncd.store.store import Store
from tests.shell.cli_world import TOMORROW, World, at, ics, world
from tests.shell.test_daemon import Facts

PAGE = 8192
Harm = Callable[[Path], object]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def database(here: World) -> Path:
    return here.folder / "state" / "state.db"


def kept(here: World) -> list[Path]:
    """The databases that were put aside, without their logs."""
    found = (here.folder / "state").glob("state.db.broken-*Z*")
    return sorted(one for one in found if not one.name.endswith(("-wal", "-shm")))


def live(here: World) -> None:
    """Two events, one file, all in step."""
    here.event("Theirs", start=at("08:00"))
    here.event("Shared")
    here.syncd("sync")
    here.file("mine.ics", "SUMMARY:Mine")
    assert here.syncd("sync").code == 0


def edit(here: World, old: str, new: str) -> None:
    """Rewrite the file of an event, as an editor does."""
    line = f"SUMMARY:{old}\r\n".encode()
    [path] = [one for one in here.files() if line in one.read_bytes()]
    path.write_bytes(path.read_bytes().replace(f":{old}\r\n".encode(), f":{new}\r\n".encode()))


def pending(here: World) -> None:
    """Edits on both sides that no sync has seen."""
    edit(here, "Mine", "Mine 2")
    here.file("new.ics", "SUMMARY:New here", start="T150000Z")
    [shared] = [
        one
        for one in here.mailbox.items(here.mailbox.default_calendar.id)
        if one.values["subject"] == "Shared"
    ]
    here.mailbox.patch(shared.immutable_id, {"subject": "Shared 2"})
    here.event("New there", start=at("09:00"))


def summaries(here: World) -> list[str]:
    lines = [line for path in here.files() for line in path.read_text().splitlines()]
    return sorted(line[8:] for line in lines if line.startswith("SUMMARY:"))


def writes(here: World) -> list[str]:
    """What was asked of events but to be read, batches' parts included."""
    entries = here.server.requests.entries
    return [
        f"{one.method} {one.path}"
        for one in entries
        if one.method != "GET" and "$batch" not in one.path
    ]


def problems(here: World) -> dict[str, Any]:
    """The listed ones by their kind."""
    return {one["kind"]: one for one in here.syncd("problems", "--json").json}


def flip(offset: int, count: int) -> Harm:
    def harm(path: Path) -> None:
        data = bytearray(path.read_bytes())
        for place in range(offset, min(offset + count, len(data))):
            data[place] ^= 0xFF
        path.write_bytes(data)

    return harm


def flip_table(table: str) -> Harm:
    """The head of a table's first page."""

    def harm(path: Path) -> None:
        with sqlite3.connect(path) as conn:
            sql = "SELECT rootpage FROM sqlite_master WHERE name = ?"
            page = conn.execute(sql, (table,)).fetchone()[0]
        conn.close()
        flip((page - 1) * PAGE, 12)(path)

    return harm


def cut(bytes_left: int) -> Harm:
    return lambda path: os.truncate(path, bytes_left)


def instead(make: Harm) -> Harm:
    def harm(path: Path) -> None:
        path.unlink()
        make(path)

    return harm


def emptied_with_a_log(path: Path) -> None:
    os.truncate(path, 0)
    path.with_name("state.db-wal").write_bytes(b"the last commits")


def sql(statement: str) -> Harm:
    def harm(path: Path) -> None:
        conn = sqlite3.connect(path)
        conn.execute(statement)
        conn.commit()
        conn.close()

    return harm


DAMAGE: dict[str, Harm] = {
    "header": flip(0, 100),
    "schema": flip(100, 400),
    "page of items": flip_table("item"),
    "page of calendars": flip_table("calendar"),
    "page of events": flip_table("remote"),
    "every page but the first": lambda path: flip(PAGE, 10**9)(path),
    "half of it": lambda path: cut(path.stat().st_size // 2)(path),
    "all but the last page": lambda path: cut(path.stat().st_size - PAGE)(path),
    "a header alone": cut(100),
    "another file": instead(lambda path: path.write_text("BEGIN:VCALENDAR\r\n" * 900)),
    "folder": instead(Path.mkdir),
    "pipe": instead(os.mkfifo),
    "folder as its log": lambda path: path.with_name("state.db-wal").mkdir(),
    "log alone": emptied_with_a_log,
    "rotten row": sql("UPDATE item SET base_remote = x'fffe', base_local = x'fffe'"),
    "rotten text": sql("UPDATE item SET uid = CAST(x'fffe' AS TEXT) WHERE rowid = 1"),
    "lost table": sql("DROP TABLE item"),
}


WHOLE = ("header", "page of items", "folder", "rotten row")


@pytest.mark.parametrize("name", WHOLE)
def test_damaged_database(here: World, name: str) -> None:
    """It is put aside and told; edits of both sides survive, and nothing is there twice."""
    live(here)
    pending(here)
    DAMAGE[name](database(here))
    here.server.requests.clear()

    done = here.syncd("sync")

    assert done.code == 4
    [aside] = kept(here)
    assert "damaged" in done.err
    assert aside.name in done.err
    # What differs without a base goes by the policy, and the file's version is kept. What the
    # service does not have may have been deleted there: nobody but a person makes it again.
    assert summaries(here) == ["Mine", "New here", "New there", "Shared 2", "Theirs"]
    assert here.subjects() == ["Mine", "New there", "Shared 2", "Theirs"]
    assert writes(here) == []
    listed = problems(here)
    assert listed["notice"]["file"] == aside.name
    assert listed["conflict"]["local"]
    assert "Mine 2" in here.syncd("log", "mine", "--json").out + str(listed["conflict"]["local"])
    assert aside.name in here.syncd("status").out

    here.syncd("problems", "resolve", listed["gone-or-new"]["id"], "--take", "local")
    assert here.subjects() == ["Mine", "New here", "New there", "Shared 2", "Theirs"]
    here.server.requests.clear()
    assert here.syncd("sync").code == 0
    assert writes(here) == []
    assert kept(here) == [aside]


@pytest.mark.parametrize("name", [one for one in DAMAGE if one not in WHOLE])
async def test_damage_is_noticed(tmp_path: Path, name: str) -> None:
    """As the database is opened or, at the latest, when the damaged part is read."""
    path = tmp_path / "state.db"
    await filled(path)
    DAMAGE[name](path)

    with pytest.raises(Damaged, match="damaged"):
        await read_all(path)


async def filled(path: Path) -> None:
    store = await Store.open(path)
    record = CalendarRecord(
        *(CalendarKey(0), AccountName("work"), CalendarId("id"), "Team", "", "Team", True),
        *("active", "live"),
    )
    key = (await store.put_calendar(record)).key
    await store.commit(key, [PutItem(item(f"uid-{n}")) for n in range(100)])
    await store.commit(key, [PutRemote(remote(f"uid-{n}")) for n in range(100)])
    await store.close()


def item(uid: str) -> ItemRecord:
    return ItemRecord(Uid(uid), GraphId(uid), FileName(f"{uid}.ics"), content=b"x" * 2000)


def remote(uid: str) -> RemoteRecord:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    return RemoteRecord(GraphId(uid), Uid(uid), "etag", b"x" * 2000, now, 1)


async def read_all(path: Path) -> None:
    store = await Store.open(path)
    try:
        for calendar in await store.calendars():
            await store.all_items(calendar.key)
            await store.unseen(calendar.key, 2)
    finally:
        await store.close()


@pytest.mark.parametrize("bytes_left", [0, 1])
def test_empty_database(here: World, bytes_left: int) -> None:
    """It is a lost state: everything is linked again, and there is nothing to put aside."""
    live(here)
    os.truncate(database(here), bytes_left)
    here.server.requests.clear()

    assert here.syncd("sync").code == 0

    assert writes(here) == []
    assert summaries(here) == here.subjects() == ["Mine", "Shared", "Theirs"]
    assert kept(here) == []


@pytest.mark.parametrize("command", [("status",), ("problems",), ("sync", "--dry-run")])
def test_damaged_database_is_only_read(here: World, command: tuple[str, ...]) -> None:
    """Whoever does not write leaves it alone, and says what to do."""
    database(here).parent.mkdir()
    database(here).write_bytes(b"not a database at all" * 400)

    done = here.syncd(*command)

    assert done.code == 2
    assert "damaged" in done.err
    assert "`syncd sync`" in done.err
    assert kept(here) == []


def test_check_of_a_damaged_database(here: World) -> None:
    """It is one finding, with the remedy; everything else is looked at all the same."""
    database(here).parent.mkdir(mode=0o700)
    database(here).write_bytes(b"not a database at all" * 400)

    done = here.syncd("check")

    assert done.code == 2
    assert "FAIL  state: the state database is damaged" in done.out
    assert "`syncd sync` puts it aside" in done.out
    assert "calendars: Calendar" in done.out
    assert kept(here) == []


def test_damaged_again_and_again(here: World) -> None:
    """That is no accident any more: the fourth time in a day is left for a person."""
    database(here).parent.mkdir()
    codes = []
    for _ in range(4):
        database(here).write_bytes(b"not a database at all" * 400)
        codes.append(here.syncd("sync").code)

    assert codes == [0, 0, 0, 2]
    assert len(kept(here)) == 3
    assert database(here).read_bytes() == b"not a database at all" * 400


def test_damage_while_the_daemon_runs(here: World) -> None:
    """It puts the state aside, begins a fresh one, and goes on."""
    live(here)
    here.configure(extra='[sync]\npoll_interval = "1s"')

    async def daemon() -> None:
        stop, facts = asyncio.Event(), Facts()
        running = asyncio.create_task(run_daemon(load_config(here.config), stop, observe=facts))
        await facts.rounds(1)
        DAMAGE["rotten row"](database(here))
        here.event("New there", start=at("09:00"))
        edit(here, "Mine", "Mine 2")
        await facts.until(lambda: bool(facts.named("state.set_aside")))
        await facts.until(lambda: "New there" in summaries(here))
        await facts.rounds(1)
        stop.set()
        await running

    asyncio.run(daemon())

    assert here.syncd("sync").code == 0
    assert summaries(here) == here.subjects() == ["Mine", "New there", "Shared", "Theirs"]
    assert "Mine 2" in str(problems(here)["conflict"]["local"])
    assert len(kept(here)) == 1


# --- what is no damage ---------------------------------------------------------------------------


def test_database_that_is_locked(here: World) -> None:
    """It passes: nothing is put aside, and exit code 5 says to try later."""
    live(here)

    async def opened() -> None:
        await (await Store.open(database(here), busy_s=0.05)).begin_session(0)

    with sqlite3.connect(database(here), isolation_level=None) as conn:
        conn.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DiskTrouble, match="locked") as caught:
            asyncio.run(opened())
        conn.execute("ROLLBACK")
    conn.close()

    assert caught.value.exit_code == 5
    assert "Another program" in caught.value.hint
    assert here.syncd("sync").code == 0
    assert kept(here) == []


def test_state_of_a_newer_version(here: World) -> None:
    """Exit code 2, and not a byte of it moves."""
    live(here)
    statement = "INSERT INTO _sqlite_migrations VALUES (NULL, 'syncd', 'm999_future', 'now')"
    sql(statement)(database(here))
    before = database(here).read_bytes()

    done = here.syncd("sync")

    assert done.code == 2
    assert "newer version" in done.err
    assert database(here).read_bytes() == before
    assert kept(here) == []


def test_state_on_a_disk_that_is_not_there(here: World) -> None:
    """A link that leads nowhere for now is waited for."""
    live(here)
    elsewhere = here.folder / "disk"
    shutil.move(database(here), here.folder / "moved.db")
    database(here).symlink_to(elsewhere / "state.db")

    assert here.syncd("sync").code == 5

    elsewhere.mkdir()
    shutil.move(here.folder / "moved.db", elsewhere / "state.db")
    assert here.syncd("sync").code == 0
    assert database(here).is_symlink()
    assert kept(here) == []


# --- older states --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, len(MIGRATIONS._migrations)))
def test_state_of_an_older_version(here: World, number: int) -> None:
    """It is brought up, and there is nothing to do."""
    live(here)
    as_before(database(here), number)
    here.server.requests.clear()

    assert here.syncd("sync").code == 0

    assert writes(here) == []
    assert summaries(here) == here.subjects() == ["Mine", "Shared", "Theirs"]
    assert problems(here) == {}


def as_before(path: Path, number: int) -> None:
    """The same rows in a database that knows the first `number` migrations."""
    now, old = sqlite3.connect(path), path.with_name("old.db")
    database_ = Database(old)
    MIGRATIONS.apply(database_, stop_before=MIGRATIONS._migrations[number].name)
    tables = now.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        columns = [one[1] for one in database_.execute(f"PRAGMA table_info({table})")]
        # The index for searching is filled by triggers.
        if columns and not table.startswith(("sqlite_", "_sqlite_", "search_")):
            names = ",".join(f'"{one}"' for one in columns)
            rows = now.execute(f"SELECT {names} FROM {table}").fetchall()
            marks = ",".join("?" * len(columns))
            database_.conn.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
    database_.conn.commit()
    database_.close()
    now.close()
    old.rename(path)


def test_state_that_went_back(here: World) -> None:
    """A backup of the database knows nothing of later files: they are linked, not made again."""
    live(here)
    shutil.copy(database(here), here.folder / "backup.db")
    far = ics("far", "SUMMARY:Far").replace(f"{TOMORROW:%Y%m%d}".encode(), b"20400101")
    (here.calendar / "far.ics").write_bytes(far)
    here.event("New there", start=at("09:00"))
    edit(here, "Mine", "Mine 2")
    here.syncd("sync")
    subjects = ["Far", "Mine 2", "New there", "Shared", "Theirs"]
    shutil.copy(here.folder / "backup.db", database(here))

    assert here.syncd("sync").code == 0
    assert here.syncd("sync").code == 0

    assert summaries(here) == here.subjects() == subjects
    assert kept(here) == []


def test_log_of_another_day(here: World) -> None:
    """Old pages in a new database: whatever SQLite makes of it, nothing is lost or doubled."""
    log, path = here.folder / "log", database(here)
    live(here)
    with sqlite3.connect(path, isolation_level=None) as conn:
        conn.execute("UPDATE item SET sent_stash = sent_stash")
        shutil.copy(path.with_name("state.db-wal"), log)
    conn.close()
    for number in range(8):
        here.file(f"more-{number}.ics", f"SUMMARY:More {number}", start=f"T1{number}3000Z")
    here.syncd("sync")
    pending(here)
    shutil.copy(log, path.with_name("state.db-wal"))
    path.with_name("state.db-shm").write_bytes(b"x" * 32768)

    assert here.syncd("sync").code in (0, 4)
    here.syncd("sync")
    here.server.requests.clear()
    here.syncd("sync")

    assert writes(here) == []
    everything = {"New there", "Shared 2", "Theirs", *(f"More {n}" for n in range(8))}
    assert set(here.subjects()) - {"Mine", "Mine 2", "New here"} == everything
    assert len(here.subjects()) == len(set(here.subjects()))
    assert {"New here", *here.subjects()} == set(summaries(here))
