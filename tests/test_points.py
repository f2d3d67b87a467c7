"""A few system calls of real runs, broken one at a time; `scripts/points` breaks them all."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scripts.calls import CHANGES, Call, Child, is_permitted
from scripts.points import Broken, Point, World, doubles, import_everything, singles


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder, on a machine where system calls can be held up."""
    folder = tmp_path_factory.mktemp("points")
    if why := is_permitted(folder):
        pytest.skip(why)
    return folder


@pytest.fixture(scope="module")
def world(place: Path) -> Iterator[World]:
    """An invitation that waits, a person who approves it, and an edit beside."""
    import_everything()
    made = World("approve", place / "world")
    yield made
    made.close()


def appending(folder: Path) -> Callable[[], int]:
    """What writes four letters one by one, and ends with the number of those that failed."""

    def act() -> int:
        failed = 0
        fd = os.open(folder / "letters", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for letter in (b"a", b"b", b"c", b"d"):
            try:
                os.write(fd, letter)
            except OSError as error:
                failed += error.errno == errno.ENOSPC
        return failed

    return act


def test_killed_before_a_call(place: Path) -> None:
    """The call at which a process is killed has not happened, and all before it have."""
    calls: list[Call] = []
    child = Child(appending(place), CHANGES, [str(place)])

    def decide(call: Call) -> int:
        calls.append(call)
        if len(calls) == 4:
            child.kill()
        return 0

    assert child.wait(10, decide) == -9
    assert [call.name for call in calls] == ["openat", "write", "write", "write"]
    assert (place / "letters").read_bytes() == b"ab"


def test_a_call_that_fails(place: Path) -> None:
    """An errno reaches the process, and the call it is for does not happen."""
    calls: list[Call] = []

    def decide(call: Call) -> int:
        calls.append(call)
        return errno.ENOSPC if len(calls) in (3, 4) else 0

    assert Child(appending(place), CHANGES, [str(place)]).wait(10, decide) == 2
    assert (place / "letters").read_bytes() == b"ad"


def test_a_process_that_hangs(place: Path) -> None:
    """What does not end in time is killed, and said to have hung."""
    held, _ = os.pipe()

    assert Child(lambda: len(os.read(held, 1)), CHANGES, [str(place)]).wait(0.2) is None


@pytest.mark.parametrize(
    ("kind", "share"),
    [("kill", 0.3), ("kill", 0.6), ("kill", 0.9), ("ENOSPC+", 0.7), ("EIO", 0.5), ("save", 0.4)],
)
def test_a_point(world: World, kind: str, share: float) -> None:
    """Whatever call is broken, the invitation goes out once, and both sides come to agree."""
    count = len(world.calls(kind))

    assert "did not come" not in world.judge(Point("approve", kind, (round(count * share),)))


def test_a_lost_word_is_noticed(world: World) -> None:
    """A word that is on neither side, and is not kept, is a finding."""
    world.words.add("nowhere")
    try:
        with pytest.raises(Broken, match=r"lost: \['nowhere'\]"):
            world.judge(Point("approve", "kill", (10_000,)))
    finally:
        world.words.discard("nowhere")


@pytest.mark.parametrize("name", ["remote", "local", "items", "mails"])
def test_what_differs_is_noticed(world: World, name: str) -> None:
    """Anything that is there once too often, or not at all, is a finding."""
    right: Counter[Any] = getattr(world.right, name)

    def told(counted: Counter[Any]) -> str:
        changed: dict[str, Any] = {name: counted}
        return replace(world.right, **changed).differs(world.right)

    assert told(right) == ""
    assert told(right + Counter([min(right)])).startswith(f"{name}: too much [(")
    assert told(Counter()).startswith(f"{name}: too much [], missing [(")


def test_an_answer_in_doubt_is_for_a_person(world: World) -> None:
    """Whether an answer to an invitation went out may stay open; that it went out twice may not."""
    mail = ("response", "Lunch", "carol@example.org")
    right = replace(world.right, mails=Counter([mail]))
    doubt = Counter([("in-doubt", "Lunch", True)])

    assert replace(right, problems=doubt).differs(right) == ""
    assert replace(right, problems=doubt, mails=Counter()).differs(right) == ""
    assert "mails" in replace(right, problems=doubt, mails=Counter([mail] * 2)).differs(right)
    assert "mails" in replace(right, mails=Counter()).differs(right)


def test_every_call_is_a_point_once() -> None:
    """Enumerating leaves none out; what lies inside a transaction comes last."""
    log = Call("pwrite64", "log")
    calls = [log, log, Call("pwrite64", "log", commits=True), log, log, Call("fsync", "log")]

    points = list(singles("kill", {"one": calls}, Random(1)))

    assert sorted(point.at for point in points) == [(n,) for n in range(1, 7)]
    assert points[-1].at == (2,)


def test_kills_of_the_recovery_can_be_repeated() -> None:
    """One seed draws the same kills, each of several runs."""
    calls = {"one": [Call("fsync", "log")] * 9, "two": [Call("fsync", "log")] * 4}

    first, second = (list(islice(doubles(calls, Random(1)), 50)) for _ in range(2))

    assert first == second
    assert {len(point.at) for point in first} == {2, 3}
    assert all(max(point.at) <= len(calls[point.scenario]) for point in first)
