"""Someone saves, deletes or keeps writing at the very moment of a swap: nothing of it is lost."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.ports import (
    Displaced,
    Failed,
    Removed,
    RemoveFile,
    ReplaceFile,
    Taken,
    Vanished,
    WriteFile,
    Wrote,
)
from tests.vdir.places import A, Act, BusySwaps, Place, PlainSwaps, Waits, print_of

OLD, OURS, NEWER, NEWEST = b"old", b"ours", b"newer", b"newest"
REPLACE = ReplaceFile(A, OURS, print_of(OLD))
REMOVE = RemoveFile(A, print_of(OLD))


def in_place(file: Path, data: bytes) -> Act:
    return lambda: file.write_bytes(data)


def by_rename(file: Path, data: bytes) -> Act:
    def save() -> None:
        temp = file.with_name("temp")
        temp.write_bytes(data)
        temp.rename(file)

    return save


Saves = Callable[[Path, bytes], Act]
BOTH_WAYS = pytest.mark.parametrize("save", [in_place, by_rename])


async def place(
    tmp_path: Path,
    *,
    before: Callable[[Path], list[Act | None]] = lambda _: [],
    after: Callable[[Path], list[Act | None]] = lambda _: [],
    wait: Callable[[Path], Waits] = lambda _: Waits(),
) -> Place:
    """A folder with one old file in which things happen around the renames."""
    file = tmp_path / "work" / "Calendar" / A
    swaps = BusySwaps(before=before(file), after=after(file))
    made = await Place(file.parent, swaps=swaps, wait=wait(file)).prepared()
    file.write_bytes(OLD)
    return made


# --- replacing ---------------------------------------------------------------------------------


@BOTH_WAYS
async def test_a_save_just_before_the_swap_gets_its_name_back(tmp_path: Path, save: Saves) -> None:
    """The save between comparison and exchange stays; ours is gone."""
    here = await place(tmp_path, before=lambda file: [save(file, NEWER)])

    assert await here.one(REPLACE) == Displaced(NEWER)
    assert here.files() == {A: NEWER}


@BOTH_WAYS
async def test_a_save_over_ours_stays(tmp_path: Path, save: Saves) -> None:
    """A save right after the exchange is a later one: the swap itself was good."""
    here = await place(tmp_path, after=lambda file: [save(file, NEWER)])

    assert isinstance(await here.one(REPLACE), Wrote)
    assert here.files() == {A: NEWER}


@BOTH_WAYS
async def test_the_newest_of_two_saves_around_the_swap_stays(tmp_path: Path, save: Saves) -> None:
    """Saved before the exchange, and again over ours before the exchange back."""
    here = await place(tmp_path, before=lambda file: [save(file, NEWER), save(file, NEWEST)])

    assert await here.one(REPLACE) == Displaced(NEWEST)
    assert here.files() == {A: NEWEST}


@BOTH_WAYS
async def test_the_newest_of_many_saves_stays(tmp_path: Path, save: Saves) -> None:
    """Someone who saves at every turn keeps the last of them."""
    here = await place(
        tmp_path, before=lambda file: [save(file, b"%d" % number) for number in range(9)]
    )
    outcome = await here.one(REPLACE)

    assert outcome == Displaced(b"8")
    assert here.files() == {A: b"8"}


async def test_incessant_saves_are_left_to_the_next_round(tmp_path: Path) -> None:
    """The turns are limited; whatever is out at the end is kept beside the file."""
    here = await place(
        tmp_path, before=lambda file: [by_rename(file, b"%d" % number) for number in range(99)]
    )
    outcome = await here.one(REPLACE)
    (orphan,) = await here.folder.sweep()

    assert isinstance(outcome, Failed)
    assert {here.files()[A], orphan.data} == {b"49", b"50"}


async def test_a_writer_that_had_the_file_open_is_waited_for(tmp_path: Path) -> None:
    """Opened before the swap, written and closed after it: the writer's bytes stand."""
    writers: list[int] = []

    def finish() -> None:
        os.write(writers[0], NEWER)
        os.close(writers[0])

    def open_it(file: Path) -> list[Act | None]:
        return [lambda: writers.append(os.open(file, os.O_WRONLY | os.O_TRUNC))]

    here = await place(tmp_path, before=open_it, wait=lambda _: Waits(None, None, finish))

    assert await here.one(REPLACE) == Displaced(NEWER)
    assert here.files() == {A: NEWER}


async def test_a_writer_that_changed_nothing_is_no_obstacle(tmp_path: Path) -> None:
    """A file that was open for writing and closed as it was is replaced."""
    writers: list[int] = []
    here = await place(
        tmp_path,
        before=lambda file: [lambda: writers.append(os.open(file, os.O_WRONLY))],
        wait=lambda _: Waits(None, lambda: os.close(writers[0])),
    )

    assert isinstance(await here.one(REPLACE), Wrote)
    assert here.files() == {A: OURS}


async def test_a_writer_that_never_closes_keeps_its_file(tmp_path: Path) -> None:
    """After two seconds of patience the file goes back to its name, and later bytes land in it."""
    here = await place(tmp_path)
    with (here.path / A).open("r+b", buffering=0) as writer:
        outcome = await here.one(REPLACE)
        writer.write(NEWEST)

    assert outcome == Displaced(OLD)
    assert here.files() == {A: NEWEST}
    assert here.waits.count >= 200


async def test_patience_is_for_the_batch(tmp_path: Path) -> None:
    """Many open files do not add up to many waits."""
    here = await place(tmp_path)
    names = [f"{number}.ics" for number in range(20)]
    for name in names:
        (here.path / name).write_bytes(OLD)
    writers = [(here.path / name).open("r+b") for name in names]
    outcomes = await here.folder.work(
        [ReplaceFile(type(A)(name), OURS, print_of(OLD)) for name in names]
    )
    for writer in writers:
        writer.close()

    assert outcomes == [Displaced(OLD)] * 20
    assert here.waits.count < 300


async def test_a_file_deleted_just_before_the_swap_stays_deleted(tmp_path: Path) -> None:
    """Nothing is written in its place, nothing is left beside it."""
    here = await place(tmp_path, before=lambda file: [file.unlink])

    assert await here.one(REPLACE) == Vanished()
    assert here.files() == {}


async def test_a_save_whose_name_was_deleted_meanwhile_comes_back(tmp_path: Path) -> None:
    """A deletion can be repeated, a save cannot."""
    here = await place(tmp_path, before=lambda file: [in_place(file, NEWER), file.unlink])

    assert await here.one(REPLACE) == Displaced(NEWER)
    assert here.files() == {A: NEWER}


async def test_a_link_put_in_the_way_is_not_followed(tmp_path: Path) -> None:
    """A link that takes the name just before the swap keeps it; its target is not touched."""
    target = tmp_path / "target"
    target.write_bytes(b"precious")

    def put_link(file: Path) -> list[Act | None]:
        def act() -> None:
            file.unlink()
            file.symlink_to(target)

        return [act]

    here = await place(tmp_path, before=put_link)

    assert isinstance(await here.one(REPLACE), Failed)
    assert (here.path / A).is_symlink()
    assert target.read_bytes() == b"precious"
    assert len(here.files()) == 1


async def test_a_hard_link_elsewhere_keeps_what_it_had(tmp_path: Path) -> None:
    """Replacing never writes into an old file."""
    here = await place(tmp_path)
    os.link(here.path / A, tmp_path / "other")

    assert isinstance(await here.one(REPLACE), Wrote)
    assert (tmp_path / "other").read_bytes() == OLD


# --- removing ----------------------------------------------------------------------------------


@BOTH_WAYS
async def test_a_save_just_before_the_removal_is_put_back(tmp_path: Path, save: Saves) -> None:
    """What was moved aside and is newer returns to its name."""
    here = await place(tmp_path, before=lambda file: [save(file, NEWER)])

    assert await here.one(REMOVE) == Displaced(NEWER)
    assert here.files() == {A: NEWER}


async def test_a_file_made_anew_after_the_removal_stays(tmp_path: Path) -> None:
    """The name is used again while the old file is aside: removed is only the old one."""
    here = await place(tmp_path, after=lambda file: [in_place(file, NEWER)])

    assert await here.one(REMOVE) == Removed()
    assert here.files() == {A: NEWER}


async def test_two_saves_around_a_removal_are_both_kept(tmp_path: Path) -> None:
    """The newest has the name; the one before it is handed out."""
    here = await place(
        tmp_path,
        before=lambda file: [in_place(file, NEWER)],
        after=lambda file: [in_place(file, NEWEST)],
    )

    assert await here.one(REMOVE) == Displaced(NEWER)
    assert here.files() == {A: NEWEST}


async def test_a_file_that_is_being_written_is_not_removed(tmp_path: Path) -> None:
    """A writer that never closes gets its file back under its name."""
    here = await place(tmp_path)
    with (here.path / A).open("r+b", buffering=0) as writer:
        outcome = await here.one(REMOVE)
        writer.write(NEWEST)

    assert outcome == Displaced(OLD)
    assert here.files() == {A: NEWEST}


# --- making ------------------------------------------------------------------------------------


async def test_a_file_made_just_before_ours_stays(tmp_path: Path) -> None:
    """A name taken at the last moment is not written over."""
    new = tmp_path / "work" / "Calendar" / "new.ics"
    here = await place(tmp_path, before=lambda _: [in_place(new, NEWER)])

    assert await here.one(WriteFile(type(A)("new.ics"), OURS)) == Taken()
    assert here.files() == {A: OLD, "new.ics": NEWER}


# --- without exchange --------------------------------------------------------------------------


async def test_without_exchange_everything_still_works(tmp_path: Path) -> None:
    """On links and plain renames the jobs keep their preconditions as seen before the rename."""
    here = await Place(tmp_path / "work" / "Calendar", swaps=PlainSwaps()).prepared()

    assert not await here.folder.supports_exchange()
    assert isinstance(await here.one(WriteFile(A, OLD)), Wrote)
    assert await here.one(WriteFile(A, OURS)) == Taken()
    assert isinstance(await here.one(REPLACE), Wrote)
    assert await here.one(REPLACE) == Displaced(OURS)
    assert here.files() == {A: OURS}
    assert await here.one(RemoveFile(A, print_of(OURS))) == Removed()
    assert here.files() == {}
