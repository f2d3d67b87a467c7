"""What the tests of attachments share: a lunch, what is attached to it, and sudden death."""

import asyncio
import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from syncd.core.wire.dialects.graph_attachments import CHUNK_BYTES
from syncd.shell import attaching, uploading
from syncd.shell.commands import attach, common
from syncd.simulator.attachments import Attachment, FileContent, read_draft
from syncd.simulator.model import Event
from syncd.store.uploads import Uploads
from tests.shell.cli_world import TOMORROW, Done, World, at, world

FILE = "#microsoft.graph.fileAttachment"
ITEM = "#microsoft.graph.itemAttachment"
REFERENCE = "#microsoft.graph.referenceAttachment"
LARGE = CHUNK_BYTES * 2 + 12_345
SERIES = {
    "pattern": {"type": "daily", "interval": 1},
    "range": {"type": "numbered", "startDate": str(TOMORROW), "numberOfOccurrences": 3},
}


@contextmanager
def lunch_world(folder: Path) -> Iterator[World]:
    """A lunch of one's own, synced; nobody waits long."""
    with pytest.MonkeyPatch.context() as patch, world(folder) as made:
        for module in (attach, common):
            patch.setattr(module, "PATIENCE_S", 0.05)
        for looking in (attaching, uploading):
            patch.setattr(looking, "LOOKS_AFTER_S", (0.0, 0.0))
        made.event("Lunch")
        assert made.syncd("sync").code == 0
        made.server.requests.clear()
        yield made


def lunch(here: World, *words: str) -> Done:
    return here.syncd("attach", "--match", "Lunch", *words)


def event(here: World, subject: str = "Lunch") -> Event:
    items = here.mailbox.items(here.mailbox.default_calendar.id)
    [found] = [one for item in items if (one := Event(item)).subject == subject]
    return found


def plant(here: World, name: str, data: bytes = b"soup", **more: Any) -> None:
    """Attach as a person does in Outlook."""
    content = base64.b64encode(data).decode()
    body = {"@odata.type": FILE, "name": name, "contentBytes": content, **more}
    here.mailbox.attach(event(here).immutable_id, read_draft(body))


def plant_others(here: World) -> None:
    item = {"@odata.type": "#microsoft.graph.event", "subject": "Inner", "start": at("09:00")}
    draft = read_draft({"@odata.type": ITEM, "name": "Inner", "item": {**item, "end": at("09:30")}})
    here.mailbox.attach(event(here).immutable_id, draft)
    draft = read_draft(
        {"@odata.type": REFERENCE, "name": "Budget", "sourceUrl": "https://x.example/b"},
        planted=True,
    )
    here.mailbox.attach(event(here).immutable_id, draft)


def attached(here: World, subject: str = "Lunch") -> list[tuple[str, bytes]]:
    return [(one.draft.name, data_of(one)) for one in event(here, subject).attachments]


def data_of(one: Attachment) -> bytes:
    assert isinstance(one.draft.content, FileContent)
    return one.draft.content.data


def a_file(here: World, size: int = 4, name: str = "menu.txt") -> Path:
    """A file in which no piece is like another."""
    path = here.folder / name
    path.write_bytes(Random(size).randbytes(size))
    return path


def left(here: World) -> list[str]:
    """What is remembered of files on their way."""
    folder = here.folder / "state" / "uploads"
    return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []


def pieces(here: World) -> int:
    return here.server.requests.count("PUT", "/upload/")


def lasting(here: World, *arguments: str) -> str:
    """The text of all that a failed command printed."""
    done = here.syncd(*arguments)
    return done.out + done.err


class Killed(BaseException):
    """The process ends here."""


def killed_at(owner: type, name: str, skip: int, act: Callable[[], object]) -> None:
    """Let `act` die at a method's next call, or after `skip` of them."""
    real = getattr(owner, name)
    calls = iter(range(skip))

    async def dying(*arguments: Any, **options: Any) -> Any:
        if next(calls, None) is None:
            raise Killed
        return await real(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, dying)
        with pytest.raises(Killed):
            act()


def age_all(here: World, by: timedelta) -> None:
    """As if what is remembered were older."""
    uploads = Uploads(here.folder / "state")
    for path in (here.folder / "state" / "uploads").glob("*.json"):
        known = asyncio.run(uploads.get(path.stem))
        assert known is not None
        asyncio.run(uploads.put(replace(known, stage_at=known.stage_at - by)))
