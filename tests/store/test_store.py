"""The state: what is committed together stands or falls together, and survives the process."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from syncd.core.errors import DiskTrouble, StateError
from syncd.core.event import AllDay, Event, FieldKey, Item
from syncd.core.ids import (
    AccountName,
    CalendarId,
    DeltaLink,
    FileName,
    Fingerprint,
    GraphId,
    ProblemId,
    RoundId,
    Uid,
)
from syncd.core.state import (
    AddHistory,
    CalendarKey,
    CalendarRecord,
    CountDeletion,
    Doubt,
    DropDoubt,
    DropRemote,
    HistoryRecord,
    ItemRecord,
    Lost,
    NoTodo,
    Problem,
    PutDoubt,
    PutItem,
    PutProblems,
    PutRemote,
    PutView,
    RemoteRecord,
    View,
)
from syncd.store.aside import Corrupt
from syncd.store.store import Store, confirm_damage

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
VIEW = View(DeltaLink("link-1"), True, NOW, NOW + timedelta(days=365), NOW, 1)


def remote(name: str, uid: str, *exceptions: str) -> RemoteRecord:
    ids = tuple(GraphId(one) for one in exceptions)
    return RemoteRecord(GraphId(name), Uid(uid), "etag", b"{}", NOW, 1, False, ids)


def item(uid: str, file: str | None) -> ItemRecord:
    name = FileName(file) if file else None
    return ItemRecord(Uid(uid), GraphId(f"id-{uid}"), name, Fingerprint("f"), content=b"x")


def problem(name: str, *, needs_person: bool, since: datetime = NOW) -> Problem:
    return Problem(
        id=ProblemId(name),
        kind="conflict",
        code="both-changed",
        needs_person=needs_person,
        account=AccountName("work"),
        calendar="Calendar",
        uid=Uid("a"),
        file="a.ics",
        summary="",
        line=0,
        reason="",
        hint="",
        since=since,
    )


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "state.db")
    yield opened
    await opened.close()


@pytest.fixture
async def key(store: Store) -> CalendarKey:
    record = CalendarRecord(
        CalendarKey(0),
        AccountName("work"),
        CalendarId("cal"),
        "Calendar",
        "",
        "Calendar",
        True,
        "active",
        "new",
    )
    return (await store.put_calendar(record)).key


async def test_a_failing_commit_leaves_nothing_behind(store: Store, key: CalendarKey) -> None:
    """The cursor does not move when the rows that it paid for cannot be stored."""
    broken = replace(remote("r", "u"), raw=None)  # type: ignore[arg-type]

    with pytest.raises(StateError):
        await store.commit(key, [PutView(VIEW), PutRemote(remote("q", "v")), PutRemote(broken)])

    assert await store.view(key) is None
    assert await store.remotes_by_id(key, [GraphId("q")]) == {}


async def test_what_is_committed_is_there_for_the_next_process(tmp_path: Path) -> None:
    """Cursor, events and what is still to be done survive."""
    first = await Store.open(tmp_path / "state.db")
    await first.commit(CalendarKey(1), [PutView(VIEW), PutRemote(remote("r", "u"))])
    await first.close()

    second = await Store.open(tmp_path / "state.db")

    assert await second.view(CalendarKey(1)) == VIEW
    assert await second.todo(CalendarKey(1), 10, Uid("")) == ["u"]
    await second.close()


async def test_items_may_exchange_their_names_in_one_commit(store: Store, key: CalendarKey) -> None:
    """Also when the first of them has no name at all."""
    names = [("a", "1.ics"), ("b", "2.ics"), ("c", "3.ics"), ("d", "4.ics")]
    await store.commit(key, [PutItem(item(uid, name)) for uid, name in names])
    moved = [("a", None), ("b", "3.ics"), ("c", "4.ics"), ("d", "2.ics")]

    await store.commit(key, [PutItem(item(uid, name)) for uid, name in moved])

    found = await store.items(key, [Uid(uid) for uid, _ in moved])
    assert {uid: one.file for uid, one in found.items()} == dict(moved)


async def test_an_exceptions_id_finds_its_series(store: Store, key: CalendarKey) -> None:
    """And no longer, once the series is gone."""
    await store.commit(key, [PutRemote(remote("series", "u", "exc-1", "exc-2"))])
    found = await store.remotes_by_id(key, [GraphId("exc-2"), GraphId("nobody")])
    assert {asked: one.graph_id for asked, one in found.items()} == {"exc-2": "series"}

    await store.commit(key, [NoTodo(Uid("u")), DropRemote(GraphId("series"))])

    assert await store.remotes_by_id(key, [GraphId("exc-2")]) == {}
    assert await store.todo(key, 10, Uid("")) == ["u"]


async def test_doubts_stay_until_they_are_settled(store: Store, key: CalendarKey) -> None:
    """One entry for the same doubt, however often it is raised."""
    doubt = Doubt(GraphId("x"), "removed")
    await store.commit(key, [PutDoubt(doubt), PutDoubt(doubt)])
    assert await store.doubts(key, 10) == [doubt]

    await store.commit(key, [DropDoubt(doubt)])

    assert await store.doubts(key, 10) == []


async def test_a_problem_keeps_its_beginning_and_notices_outlive_rounds(
    store: Store, key: CalendarKey
) -> None:
    """What waits for a person goes when it is not listed again; what was decided stays listed."""
    later = NOW + timedelta(hours=1)
    await store.commit(key, [PutProblems("a", (problem("p", needs_person=True),))])
    await store.commit(
        key,
        [
            PutProblems(
                "a",
                (
                    problem("p", needs_person=True, since=later),
                    problem("n", needs_person=False, since=later),
                ),
            )
        ],
    )
    listed = {one.id: one.since for one in await store.problems(key)}
    assert listed == {"p": NOW, "n": later}

    await store.commit(key, [PutProblems("a")])

    assert [one.id for one in await store.problems(key)] == ["n"]


async def test_deletions_count_for_an_hour_also_when_the_clock_is_set_back(
    store: Store, key: CalendarKey
) -> None:
    """Those of the last hour, by side; a clock that went back hides none."""
    for minutes in (0, 30, 59):
        at = NOW - timedelta(minutes=minutes)
        await store.commit(key, [CountDeletion("local", Uid(str(minutes)), at)])
    hour = timedelta(hours=1)

    assert await store.recent_deletions(key, "local", NOW, hour) == 3
    assert await store.recent_deletions(key, "remote", NOW, hour) == 0
    assert await store.recent_deletions(key, "local", NOW + timedelta(minutes=29), hour) == 2
    assert await store.recent_deletions(key, "local", NOW - timedelta(minutes=50), hour) == 3


async def test_deletions_that_a_clock_ahead_has_noted_count_for_an_hour(
    store: Store, key: CalendarKey
) -> None:
    """The guard counts them as of now, once the clock is right again, and no longer than others."""
    ahead = NOW + timedelta(days=40)
    await store.commit(key, [CountDeletion("local", Uid("a"), ahead)])
    hour = timedelta(hours=1)

    assert await store.recent_deletions(key, "local", NOW, hour) == 1
    assert await store.recent_deletions(key, "local", NOW + timedelta(minutes=59), hour) == 1
    assert await store.recent_deletions(key, "local", NOW + timedelta(minutes=61), hour) == 0


async def test_a_pause_that_a_clock_ahead_has_noted_gives_way(store: Store) -> None:
    """Otherwise it would hide each one that is asked for until its time has come."""
    await store.extend_pause(AccountName("work"), NOW + timedelta(days=40))

    await store.extend_pause(AccountName("work"), NOW + timedelta(seconds=30))

    assert await store.pause(AccountName("work")) == NOW + timedelta(seconds=30)


async def test_a_state_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    """It is refused with a hint, and its bytes stay."""
    path = tmp_path / "state.db"
    await (await Store.open(path)).close()
    conn = sqlite3.connect(path)
    conn.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
        " VALUES ('syncd', 'm999_future', 'now')"
    )
    conn.commit()
    conn.close()
    before = path.read_bytes()

    with pytest.raises(StateError, match="newer version"):
        await Store.open(path)

    assert path.read_bytes() == before


async def test_the_state_and_its_side_files_are_for_the_owner_alone(
    tmp_path: Path, store: Store, key: CalendarKey
) -> None:
    """0600, the write-ahead log included."""
    await store.commit(key, [PutView(VIEW)])

    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}

    assert modes.keys() >= {"state.db", "state.db-wal"}
    assert set(modes.values()) == {0o600}


def version(uid: str, at: datetime = NOW, round_: int = 1) -> AddHistory:
    return AddHistory(
        HistoryRecord(
            0,
            RoundId(round_),
            at,
            "Calendar",
            Uid(uid),
            "local",
            "update",
            ("subject",),
            b"one",
            b"two",
            "updates",
            ("ada@example.org",),
        )
    )


async def test_a_version_comes_back_whole(store: Store, key: CalendarKey) -> None:
    """With its number, its calendar, and the mail that it names."""
    await store.commit(key, [version("a", round_=3), version("b", round_=4)])

    [found] = await store.history_of_round(RoundId(3))

    assert replace(found, number=0, key=CalendarKey(0)) == version("a", round_=3).record
    assert (found.key, found.number > 0) == (key, True)
    assert await store.history_of_round(RoundId(5)) == []


async def test_uids_by_their_beginning(store: Store, key: CalendarKey) -> None:
    """Of items and of what only the history knows; letters that mean something to SQL do not."""
    await store.commit(key, [PutItem(item(uid, f"{uid}.ics")) for uid in ("abc", "ab%", "b")])
    await store.commit(key, [version("abd"), version("abc"), version("a\U0010ffff")])

    assert await store.uids_beginning("ab", 10) == ["ab%", "abc", "abd"]
    assert await store.uids_beginning("ab%", 10) == ["ab%"]
    assert await store.uids_beginning("a", 2) == ["ab%", "abc"]
    assert await store.uids_beginning("x", 10) == []


async def test_old_versions_go_unless_a_problem_is_about_them(
    store: Store, key: CalendarKey
) -> None:
    """By its UID, or by an item of a list that waits."""
    old = NOW - timedelta(days=100)
    many = replace(
        problem("many", needs_person=True), uid=None, items=({"uid": "listed"}, {"summary": "x"})
    )
    await store.commit(key, [version(uid, old) for uid in ("a", "listed", "gone")])
    await store.commit(key, [version("gone")])
    await store.commit(key, [PutProblems("a", (problem("p", needs_person=True),))])
    await store.commit(key, [PutProblems("*local", (many,))])

    await store.forget_history(NOW - timedelta(days=90), key)

    kept = [(one.uid, one.at) for one in await store.history(None, 10)]
    assert sorted(kept) == [("a", old), ("gone", NOW), ("listed", old)]


async def test_versions_of_another_calendar_stay(store: Store, key: CalendarKey) -> None:
    """Each calendar keeps them as long as it is told."""
    await store.commit(key, [version("a", NOW - timedelta(days=100))])

    await store.forget_history(NOW, CalendarKey(key + 1))

    assert len(await store.history(None, 10)) == 1


async def test_a_state_without_mail_in_its_history_learns_it(tmp_path: Path) -> None:
    """A version that was kept before reads as one that mailed nobody."""
    path = tmp_path / "state.db"
    await (await Store.open(path)).close()
    conn = sqlite3.connect(path)
    conn.executescript(
        "DROP INDEX history_at; ALTER TABLE history DROP COLUMN mails;"
        "ALTER TABLE history DROP COLUMN mail_kind;"
        "DELETE FROM _sqlite_migrations WHERE name = 'm004_mail_in_history';"
        "INSERT INTO history (round, at, calendar, uid, side, what, fields, after) VALUES"
        " (1, '2026-03-02T09:00:00.000000Z', 1, 'a', 'local', 'update', '[]', x'74776f');"
    )
    conn.close()

    store = await Store.open(path)

    [found] = await store.history(Uid("a"), 10)
    assert (found.after, found.mail_kind, found.mails) == (b"two", "", ())
    await store.close()


async def test_a_disk_that_refused_a_read_is_no_damage(tmp_path: Path) -> None:
    """SQLite reports both alike: what is whole at the second look stays in its place."""
    path = tmp_path / "state.db"
    await (await Store.open(path)).close()
    said = Corrupt("the state database is damaged: database disk image is malformed")
    with pytest.raises(DiskTrouble, match="for a moment"):
        confirm_damage(path, said)

    data = bytearray(path.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    path.write_bytes(data)
    confirm_damage(path, said)


async def test_a_database_that_cannot_be_read_is_the_disks_matter(tmp_path: Path) -> None:
    """A folder stands for a disk that refuses: opening it works, reading it does not."""
    path = tmp_path / "state.db"
    path.mkdir()
    with pytest.raises(DiskTrouble, match="cannot read"):
        confirm_damage(path, Corrupt("damaged"))


async def test_a_lost_version_that_is_no_use_any_more_is_left_out(
    store: Store, key: CalendarKey
) -> None:
    """What another version of syncd kept with a conflict is no damage, and no reason to fail."""
    event = Event(AllDay(date(2026, 3, 10), date(2026, 3, 11)), "Mine")
    lost = Lost(FieldKey("", "subject"), Item(event), "remote")
    listed = replace(problem("p", needs_person=False), lost=lost)
    await store.commit(key, [PutProblems("u", (listed,))])
    assert [one.lost for one in await store.problems()] == [lost]

    store._conn.execute("UPDATE problem SET detail = json_set(detail, '$.lost.version', 'odd')")

    assert [one.lost for one in await store.problems()] == [None]
