"""A download on its way to a person's file: whole under its name, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.core.errors import CommandError, DiskTrouble
from syncd.vdir.saving import NewFile


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


async def test_kept(tmp_path: Path) -> None:
    """The name appears with all its bytes; until then it is hidden."""
    async with NewFile(tmp_path) as file:
        await file.write(b"half")
        assert [name[:7] for name in names(tmp_path)] == [".syncd-"]
        await file.write(b" and half")
        assert await file.keep_as("whole", force=False) == tmp_path / "whole"

    assert names(tmp_path) == ["whole"]
    assert (tmp_path / "whole").read_bytes() == b"half and half"


async def test_begun_anew(tmp_path: Path) -> None:
    """Nothing of the longer one before is left."""
    async with NewFile(tmp_path) as file:
        await file.write(b"a long beginning")
        await file.empty()
        await file.write(b"short")
        assert file.size_bytes == 5
        await file.keep_as("it", force=False)

    assert (tmp_path / "it").read_bytes() == b"short"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
async def test_given_up(tmp_path: Path, error: type[BaseException]) -> None:
    async def interrupted() -> None:
        async with NewFile(tmp_path) as file:
            await file.write(b"half")
            raise error

    with pytest.raises(error):
        await interrupted()

    assert names(tmp_path) == []


async def kept_over(folder: Path, *, force: bool) -> None:
    async with NewFile(folder) as file:
        await file.write(b"new")
        await file.keep_as("it", force=force)


async def test_a_name_in_use(tmp_path: Path) -> None:
    """It stays, unless it is to be replaced."""
    (tmp_path / "it").write_bytes(b"mine")

    with pytest.raises(CommandError, match="exists"):
        await kept_over(tmp_path, force=False)
    assert (tmp_path / "it").read_bytes() == b"mine"

    await kept_over(tmp_path, force=True)
    assert (tmp_path / "it").read_bytes() == b"new"
    assert names(tmp_path) == ["it"]


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    (tmp_path / "it").symlink_to(elsewhere)

    with pytest.raises(CommandError):
        await kept_over(tmp_path, force=False)
    await kept_over(tmp_path, force=True)

    assert elsewhere.read_bytes() == b"mine"
    assert (tmp_path / "it").read_bytes() == b"new"


async def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DiskTrouble, match="cannot write"):
        await kept_over(tmp_path / "none", force=False)
