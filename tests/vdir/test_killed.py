"""kill -9 beside the rename: what a person saved is in the folder or among the orphans."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.vdir.killed import OLD, OURS
from tests.vdir.places import A, Place


def run_and_die(folder: Path, job: str, moment: str, data: bytes) -> None:
    command = [sys.executable, "-m", "tests.vdir.killed", str(folder), job, moment, data.decode()]
    died = subprocess.run(command, cwd=Path(__file__).parents[2], check=False, timeout=30)
    assert died.returncode == -signal.SIGKILL


async def place(tmp_path: Path, *, old: bool) -> Place:
    here = await Place(tmp_path / "work" / "Calendar").prepared()
    if old:
        (here.path / A).write_bytes(OLD)
    return here


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("saved", [b"", b"saved meanwhile"])
@pytest.mark.parametrize("job", ["replace", "remove"])
async def test_killed_beside_a_swap(tmp_path: Path, job: str, moment: str, saved: bytes) -> None:
    """The newest version of a person is in the folder or is handed out by the sweep."""
    here = await place(tmp_path, old=True)
    run_and_die(here.path, job, moment, saved)
    standing = here.files().get(A)
    orphans = await here.folder.sweep()

    assert (saved or OLD) in {standing, *(orphan.data for orphan in orphans)}
    assert all(orphan.name == A for orphan in orphans)
    await here.folder.discard(orphans)
    assert set(here.files()) <= {A}


@pytest.mark.parametrize(("moment", "left"), [("before", {}), ("after", {A: OURS})])
async def test_killed_beside_a_new_files_rename(
    tmp_path: Path, moment: str, left: dict[str, bytes]
) -> None:
    """A new file is there whole or not at all, and its leavings are swept without a word."""
    here = await place(tmp_path, old=False)
    run_and_die(here.path, "write", moment, b"")

    assert await here.folder.sweep() == []
    assert here.files() == left
