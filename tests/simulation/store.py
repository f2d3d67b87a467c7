"""
The real store, in this thread: what its writer thread does, done at once.

The database is SQLite in memory; a process that dies leaves what it had committed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from sqlite_utils import Database

from syncd.store.store import Store, _failures
from tests.simulation.machine import Machine

__all__ = ["Disk", "SimStore"]

R = TypeVar("R")


@cache
def _empty() -> bytes:
    """A new database, made once: each of a run's is a copy."""
    conn = asyncio.run(Store.open(None))._conn
    conn.execute("INSERT INTO meta VALUES ('installation', ?)", ("0" * 32,))
    return bytes(conn.serialize())


class Disk:
    """One database that outlives the processes that use it."""

    def __init__(self, installation: str) -> None:
        self.conn = sqlite3.connect(":memory:", isolation_level=None, cached_statements=500)
        self.conn.row_factory = sqlite3.Row
        self.conn.deserialize(_empty())
        self.conn.execute("PRAGMA synchronous = OFF")
        self.conn.execute("UPDATE meta SET value = ? WHERE name = 'installation'", (installation,))

    def opened(self, machine: Machine) -> SimStore:
        """As a new process finds it: what was not committed is gone."""
        if self.conn.in_transaction:
            self.conn.execute("ROLLBACK")
        return SimStore(Database(self.conn), machine)


class SimStore(Store):
    """The store of one process."""

    def __init__(self, db: Database, machine: Machine) -> None:
        no_thread: Any = None
        super().__init__(db, no_thread)
        self._thread: ThreadPoolExecutor
        self.machine = machine

    async def _run(self, work: Callable[[], R]) -> R:
        with _failures():
            return work()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        self.machine.at("commit")
        if self.machine.disk_is_full():
            raise sqlite3.OperationalError("database or disk is full")
        with super()._writing() as conn:
            yield conn
        self.machine.at("committed")
