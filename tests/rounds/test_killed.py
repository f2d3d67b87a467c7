"""Real processes, killed at random moments: nothing is lost, nothing is made or mailed twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from scripts.soak import Finding, Key, People, killed
from tests.processes import Installation, served

SEED = 20310304


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    """Two people with a dozen items between them."""
    with served() as service:
        here = Installation.made(tmp_path, service, max_deletes=100_000)
        found = People(service, here, Random(SEED))
        found.populate(12)
        yield found


def test_killed_again_and_again(people: People) -> None:
    """After three kills of busy syncs, both sides show all that both people wrote, once."""
    assert list(killed(people, 3, judge_every=3, edits=3)) == list(range(1, 4))


def test_the_judge_notices(people: People) -> None:
    """A value that is nowhere, an item that is there twice, and a side that differs are findings."""
    people.judge()
    people.model.write("local", Key(1, "location"), "i1 location lost")
    with pytest.raises(Finding, match="of the local side is lost"):
        people.judge()
    del people.model.writes[Key(1, "location")][-1]

    [file] = [one for one in people.here.folder.glob("*.ics") if b":i2 " in one.read_bytes()]
    doubled = file.read_bytes().replace(b"\r\nUID:", b"\r\nUID:twice-")
    file.with_name("twice.ics").write_bytes(doubled)
    with pytest.raises(Finding, match="it is there 2 and 2 times"):
        people.judge()
