"""`syncd attach UID add` of a file that goes up in pieces: all of it, once, wherever it is cut."""

import os
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.core.wire.dialects.graph_attachments import DIRECT_BYTES, LARGEST_BYTES
from syncd.graph.streams import GraphStreams
from syncd.shell import uploading
from syncd.simulator.faults import FaultKind
from tests.shell.attach_world import (
    LARGE,
    a_file,
    attached,
    killed_at,
    lasting,
    left,
    lunch,
    lunch_world,
    pieces,
)
from tests.shell.cli_world import Done, World


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with lunch_world(tmp_path) as made:
        yield made


class TestAddLarge:
    def test_in_pieces(self, here: World) -> None:
        path = a_file(here, LARGE)

        assert lunch(here, "add", str(path)).code == 0

        assert attached(here) == [("menu.txt", path.read_bytes())]
        assert pieces(here) == 3
        assert left(here) == []

    @pytest.mark.parametrize(("size", "posts"), [(DIRECT_BYTES - 1, 0), (DIRECT_BYTES, 1)])
    def test_the_limit(self, here: World, size: int, posts: int) -> None:
        assert lunch(here, "add", str(a_file(here, size))).code == 0

        assert here.server.requests.count("POST", "createUploadSession") == posts
        assert [len(data) for _, data in attached(here)] == [size]

    def test_too_large(self, here: World) -> None:
        """It is refused before anything is sent, with the limit."""
        path = here.folder / "huge"
        with path.open("wb") as file:
            file.truncate(LARGEST_BYTES + 1)

        done = lunch(here, "add", str(path))

        assert (done.code, "at most 150 MB" in done.err) == (2, True)
        assert here.server.requests.entries == []

    @pytest.mark.parametrize("sent", [0, 1, 2])
    def test_killed_in_the_middle(
        self, here: World, monkeypatch: pytest.MonkeyPatch, sent: int
    ) -> None:
        """The next run sends the rest alone."""
        path = a_file(here, LARGE)
        killed_at(GraphStreams, "upload", sent, lambda: lunch(here, "add", str(path)))
        [record] = left(here)
        assert (here.folder / "state" / "uploads" / record).stat().st_mode & 0o777 == 0o600
        here.server.requests.clear()

        assert lunch(here, "add", str(path)).code == 0

        assert pieces(here) == 3 - sent
        assert here.server.requests.count("POST", "createUploadSession") == 0
        assert attached(here) == [("menu.txt", path.read_bytes())]
        assert left(here) == []

    def test_killed_after_the_last_piece(
        self, here: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = a_file(here, LARGE)
        killed_at(uploading.Way, "_taken", 2, lambda: lunch(here, "add", str(path)))

        done = lunch(here, "add", str(path))

        assert (done.code, "an earlier try" in done.out) == (0, True)
        assert (pieces(here), len(attached(here))) == (3, 1)

    def test_it_changed_meanwhile(self, here: World) -> None:
        """What had come of the former is forgotten, and all of the new is sent."""
        path = a_file(here, LARGE)
        killed_at(GraphStreams, "upload", 2, lambda: lunch(here, "add", str(path)))
        path.write_bytes(path.read_bytes()[::-1])

        assert lunch(here, "add", str(path)).code == 0

        assert attached(here) == [("menu.txt", path.read_bytes())]
        assert here.server.requests.count("DELETE", "/upload/") == 1
        assert here.mailbox.uploads.sessions == {}

    def test_it_changes_while_it_is_sent(
        self, here: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is attached: no mix of two versions."""
        path = a_file(here, LARGE)
        real = GraphStreams.upload

        async def upload(*arguments: Any) -> Any:
            with path.open("r+b") as file:
                file.seek(-1, os.SEEK_END)
                file.write(b"\xff")
            return await real(*arguments)

        monkeypatch.setattr(GraphStreams, "upload", upload)

        done = lunch(here, "add", str(path))

        assert (done.code, "changed while it was being sent" in done.err) == (2, True)
        assert attached(here) == []
        assert here.mailbox.uploads.sessions == {}

    def test_an_expired_session_begins_anew(
        self, here: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = a_file(here, LARGE)
        killed_at(GraphStreams, "upload", 1, lambda: lunch(here, "add", str(path)))
        for session in here.mailbox.uploads.sessions.values():
            session.expires = datetime.now(UTC) - timedelta(minutes=1)
        here.server.requests.clear()

        assert lunch(here, "add", str(path)).code == 0

        assert pieces(here) == 3
        assert attached(here) == [("menu.txt", path.read_bytes())]

    @pytest.mark.parametrize(
        ("kind", "skip"),
        [
            (FaultKind.RESET_AFTER, 0),
            (FaultKind.RESET_AFTER, 2),
            (FaultKind.RESET_BEFORE, 1),
            (FaultKind.RESET_BEFORE, 2),
            (FaultKind.TIMEOUT_AFTER, 2),
            (FaultKind.NOT_JSON, 2),
        ],
    )
    def test_a_lost_piece(self, here: World, kind: FaultKind, skip: int) -> None:
        """The service is asked what it has; one attachment, with the right bytes."""
        path = a_file(here, LARGE)
        here.server.faults.script(kind, "PUT", "upload", skip=skip)

        assert lunch(here, "add", str(path)).code == 0

        assert attached(here) == [("menu.txt", path.read_bytes())]
        assert pieces(here) <= 4
        assert left(here) == []

    def test_a_lost_network(self, here: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is kept, and the same command goes on."""
        monkeypatch.setattr("syncd.graph.streams.most_tries", lambda error: 1)
        path = a_file(here, LARGE)
        here.server.faults.script(FaultKind.RESET_BEFORE, "PUT|GET", "upload/", times=9, skip=1)

        assert "Kept for later" in lunch(here, "add", str(path)).out

        here.server.faults.clear()
        here.server.requests.clear()
        assert lunch(here, "add", str(path)).code == 0
        assert pieces(here) == 2
        assert attached(here) == [("menu.txt", path.read_bytes())]

    def test_no_token_and_no_address_gets_out(
        self, here: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The upload's host refuses tokens; its address is in no line that is printed or logged."""
        path = a_file(here, LARGE)
        killed_at(GraphStreams, "upload", 2, lambda: lunch(here, "add", str(path)))
        [token] = here.mailbox.uploads.sessions
        here.server.faults.script(FaultKind.RESET_BEFORE, "PUT|GET", "upload/", times=2)

        told = lasting(here, "--log-level", "debug", "attach", "--match", "Lunch", "add", str(path))

        assert "request.finished" in told
        assert token not in told

    @pytest.mark.parametrize(
        "size",
        [
            12_000_000,
            pytest.param(
                100_000_000,
                marks=pytest.mark.skipif(not os.environ.get("SYNCD_SEARCH"), reason="slow"),
            ),
        ],
    )
    def test_memory(self, here: World, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
        """Neither way holds the file; what the service in this process holds is taken off."""
        path = a_file(here, size)
        most: list[int] = []
        before = measured(lambda: lunch(here, "add", str(path), "--dry-run"))
        real = GraphStreams.upload

        async def upload(self: Any, url: str, piece: bytes, start: int, whole: int) -> Any:
            current = tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else 0
            [session] = here.mailbox.uploads.sessions.values()
            most.append(current - sys.getsizeof(session.received))
            return await real(self, url, piece, start, whole)

        monkeypatch.setattr(GraphStreams, "upload", upload)
        measured(lambda: lunch(here, "add", str(path)))

        assert max(most) - before < 8_000_000
        assert [len(data) for _, data in attached(here)] == [size]


def measured(act: Callable[[], Done]) -> int:
    """The most memory that it takes, in bytes."""
    tracemalloc.start(1)
    try:
        assert act().code == 0
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
