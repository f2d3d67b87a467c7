"""Files on their way, remembered across processes."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncd.core.errors import CommandError, DiskTrouble
from syncd.store.uploads import Upload, Uploads, key_of

NOW = datetime(2031, 3, 4, 10, tzinfo=UTC)
KEY = key_of("work", "event", "/tmp/a.bin", "a.bin")
UPLOAD = Upload(
    key=KEY,
    account="work",
    event="event",
    path="/tmp/a.bin",
    name="a.bin",
    size_bytes=5,
    mtime_ns=7,
    sha256="00",
    before=("one", "two"),
    stage="open",
    stage_at=NOW,
    url="https://uploads.example/secret",
    expires=NOW + timedelta(hours=1),
)


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as made:
        yield made


@pytest.mark.usefixtures("open_umask")
async def test_kept(uploads: Uploads, tmp_path: Path) -> None:
    """It comes back as it was, for its owner alone, and nothing else is left."""
    await uploads.put(UPLOAD)

    assert await uploads.get(KEY) == UPLOAD
    [file] = (tmp_path / "uploads").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_replaced_and_forgotten(uploads: Uploads, tmp_path: Path) -> None:
    await uploads.put(UPLOAD)
    await uploads.put(replace(UPLOAD, stage="done"))
    found = await uploads.get(KEY)
    assert found is not None
    assert found.stage == "done"

    await uploads.forget(KEY)
    await uploads.forget(KEY)

    assert await uploads.get(KEY) is None
    assert list((tmp_path / "uploads").iterdir()) == []


def test_the_address_is_in_no_text() -> None:
    assert "secret" not in repr(UPLOAD)


def test_keys() -> None:
    """One for each file, event, account and name; a path need be no text."""
    assert key_of("a", "bc", "d", "e") != key_of("ab", "c", "d", "e")
    assert key_of("a", "b", "\udcff", "e") != key_of("a", "b", "\udcfe", "e")


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"key": 1}'])
async def test_what_cannot_be_read(uploads: Uploads, tmp_path: Path, data: bytes) -> None:
    """It is as good as none."""
    await uploads.put(UPLOAD)
    (tmp_path / "uploads" / f"{KEY}.json").write_bytes(data)

    assert await uploads.get(KEY) is None


async def test_swept(uploads: Uploads, tmp_path: Path) -> None:
    """Nobody comes back after a month; what is younger stays."""
    await uploads.put(UPLOAD)
    now = datetime.now(UTC)

    await uploads.sweep(now + timedelta(days=29))
    assert await uploads.get(KEY) is not None
    await uploads.sweep(now + timedelta(days=31))
    assert await uploads.get(KEY) is None


async def test_one_at_a_time(uploads: Uploads, tmp_path: Path, stack: AsyncExitStack) -> None:
    """On one event, in this process or another; other events do not mind."""
    await stack.enter_async_context(uploads.held("work", "event"))

    with pytest.raises(CommandError, match="another command"):
        await stack.enter_async_context(Uploads(tmp_path).held("work", "event"))
    await stack.enter_async_context(uploads.held("work", "other"))

    await stack.aclose()
    async with uploads.held("work", "event"):
        pass
    assert list((tmp_path / "uploads").iterdir()) == []


async def test_a_state_that_cannot_be_written(uploads: Uploads, tmp_path: Path) -> None:
    (tmp_path / "uploads").write_bytes(b"")

    with pytest.raises(DiskTrouble):
        await uploads.put(UPLOAD)
