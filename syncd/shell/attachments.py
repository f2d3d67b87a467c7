"""
The attachments of an event: which event is meant, what it has, and one of them saved.

Knows that a name from the service is hostile, and that no half file ever has one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

import msgspec

from syncd.core.errors import (
    OUT_OF_REACH,
    BadAnswer,
    CommandError,
)
from syncd.core.ids import AccountName, FileName, GraphId
from syncd.core.names import saved_name
from syncd.core.owner import Owner
from syncd.core.state import CalendarRecord
from syncd.core.wire.dialects.graph_attachments import (
    Attachment,
    EventAttachments,
    attachment_of,
    read_attachments,
)
from syncd.core.wire.dialects.graph_v1 import GraphV1, error_code, refuse
from syncd.core.wire.graph import RemoteEvent, decode_event, exception_slots, occurrence_slots
from syncd.ports import Answer, Remote, Request
from syncd.shell.config import Config
from syncd.shell.finding import Asked, found_item, known_remote
from syncd.shell.mailbox import rules_of
from syncd.shell.way_back import owner_of
from syncd.shell.workshop import Workshop
from syncd.store.uploads import key_of
from syncd.vdir.saving import NewFile, made_inside, taken

__all__ = [
    "Change",
    "PassingRefusal",
    "Place",
    "Told",
    "attachments_known",
    "attachments_of",
    "change_in",
    "check_answer",
    "check_content",
    "check_writable",
    "dialect_of",
    "fetch",
    "find_attachment",
    "find_place",
    "keeping",
    "listed",
    "tell_nothing",
]

MOST_PAGES: Final = 1000
SUFFIXES: Final[Mapping[str, str]] = {
    "text/calendar": ".ics",
    "message/rfc822": ".eml",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
}
"""What an attached item is saved as, by the media type of its text."""

Told = Callable[[int, int], None]
"""Is told how many bytes of how many are through."""


def tell_nothing(done: int, size: int) -> None:
    """For those who do not want to know."""


# --- which event ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """
    The event whose attachments are meant; `id` is the occurrence's where one day is.

    `guests`: others have it too. `own`: it is not somebody else's meeting. `file`: its name, if it
    has one. `known` is what was attached when that was last heard, None where it is not known.
    """

    calendar: CalendarRecord
    id: GraphId
    summary: str
    guests: bool
    own: bool
    file: FileName | None
    known: Sequence[Attachment] | None = None

    @property
    def target(self) -> str:
        """How commands name its calendar."""
        return f"{self.calendar.account}/{self.calendar.name}"


async def find_place(workshop: Workshop, asked: Asked) -> Place:
    """
    The event that a person means; a day of a series may have to be asked for.

    Raises: CommandError: none or several are meant, or its calendar has no attachments.
    """
    config, store = workshop.config, workshop.store
    calendar, record = await found_item(store, asked)
    account = config.accounts.get(calendar.account)
    if account is None:
        raise CommandError(f"account {calendar.account!r} is not in the configuration any more")
    if account.user_kind == "group":
        raise CommandError(
            "the calendar of a group has no attachments",
            hint="The service offers them in calendars of people only.",
        )
    remote = await known_remote(store, calendar, record)
    event = decode_event(remote.raw)
    if asked.occurrence:
        owner = calendar.whose(await owner_of(config, store, calendar.account))
        event = await _occurrence(workshop, calendar, event, owner, asked.occurrence)
    return Place(
        calendar,
        GraphId(event.id),
        event.subject or "",
        event.has_others,
        event.is_organizer is not False,
        record.file,
        None if event.attachments is None else [attachment_of(one) for one in event.attachments],
    )


async def _occurrence(
    workshop: Workshop, calendar: CalendarRecord, series: RemoteEvent, owner: Owner, slot: str
) -> RemoteEvent:
    """The exception or the plain occurrence that stands for a day of a series."""
    day = date.fromisoformat(slot)
    if series.recurrence is None:
        raise CommandError("this is no series", hint="Leave --occurrence out.")
    known = exception_slots(series, owner).get(day)
    if known is not None:
        return known
    dialect, calendar_id = dialect_of(workshop.config, calendar.account), calendar.id
    remote = workshop.mailboxes[calendar.account].remote
    around = datetime.fromisoformat(f"{slot}T00:00:00+00:00")
    days = (around - timedelta(days=2), around + timedelta(days=3))
    request = dialect.instances(calendar_id, GraphId(series.id), *days)
    page = dialect.read_list(await remote.read(request), "instances")
    plain = [event for raw in page.value if (event := _event(raw)).type == "occurrence"]
    found = [event for at, event in occurrence_slots(plain, series, owner) if at == day]
    if len(found) == 1:
        return found[0]
    # Its first attachment makes an exception of it, which no round has seen yet.
    answer = await remote.read(dialect.series(calendar_id, GraphId(series.id)))
    refuse(answer, "the series")
    fresh = exception_slots(_event(answer.body), owner).get(day)
    if fresh is not None:
        return fresh
    raise CommandError(
        f"the series has no occurrence on {slot}",
        hint="A day that was moved counts by where the rule had it.",
    )


def _event(raw: bytes | msgspec.Raw) -> RemoteEvent:
    try:
        return decode_event(raw)
    except msgspec.DecodeError as error:
        raise BadAnswer("an occurrence cannot be read") from error


def dialect_of(config: Config, account: AccountName) -> GraphV1:
    """What the requests of an account look like."""
    return GraphV1(config.accounts[account].user_id)


def check_writable(config: Config, calendar: CalendarRecord) -> None:
    """Raises: CommandError: nothing may be changed in that calendar."""
    account = config.accounts.get(calendar.account)
    if account is None or calendar.status != "active":
        raise CommandError(f"calendar {calendar.name!r} is not followed any more")
    if account.user_kind == "group":
        raise CommandError("the calendar of a group is read-only")
    if not calendar.can_edit:
        raise CommandError(
            f"calendar {calendar.name!r} is read-only for you",
            hint="Its owner can give you the right to edit it.",
        )
    if not rules_of(account.sync_for(calendar.name)).two_way:
        raise CommandError(f'{calendar.name!r} is followed one way (direction = "pull")')


# --- reading -------------------------------------------------------------------------------------


async def attachments_of(workshop: Workshop, place: Place) -> list[Attachment]:
    """What is attached, without the contents. Raises: CommandError: the service refuses to say."""
    account = place.calendar.account
    remote = workshop.mailboxes[account].remote
    requests = EventAttachments(dialect_of(workshop.config, account), place.calendar.id, place.id)
    return await listed(remote, requests, account)


async def attachments_known(workshop: Workshop, place: Place) -> Sequence[Attachment]:
    """As `attachments_of`; where nobody can be asked, as it was last heard."""
    try:
        return await attachments_of(workshop, place)
    except OUT_OF_REACH:
        if place.known is None:
            raise
        return place.known


async def listed(remote: Remote, requests: EventAttachments, account: str) -> list[Attachment]:
    """All attachments of an event. Raises: CommandError: the service refuses to say."""
    found: list[Attachment] = []
    request = requests.list()
    for _ in range(MOST_PAGES):
        answer = await remote.read(request)
        check_answer(answer, "show the attachments", "Calendars.Read", account)
        page, link = read_attachments(answer)
        found += page
        if not link:
            return found
        request = Request("GET", link, label=request.label)
    raise BadAnswer("the list of attachments has no end")


def find_attachment(there: Sequence[Attachment], written: str) -> Attachment:
    """
    The attachment of a number, counted from 1 as `list` does, or of a name.

    Raises: CommandError: there is none, or several have the name.
    """
    if written.isascii() and written.isdigit() and 1 <= int(written[:9]) <= len(there):
        return there[int(written[:9]) - 1]
    named = [one for one in there if one.name == written]
    named = named or [one for one in there if one.name.casefold() == written.casefold()]
    if len(named) == 1:
        return named[0]
    if named:
        numbers = ", ".join(str(there.index(one) + 1) for one in named)
        raise CommandError(f"several attachments are named {written!r}", hint=f"Say one: {numbers}")
    raise CommandError(
        f"there is no attachment {written!r}", hint="`syncd attach UID list` shows what there is."
    )


def check_content(one: Attachment) -> None:
    """Raises: CommandError: it is a reference, of which the service gives no content."""
    if one.kind == "reference":
        raise CommandError(
            f"{one.name!r} is a link to a file elsewhere, and has no content of its own; "
            "the service gives its name and, in v1.0, no more",
            hint="Open the meeting in Outlook and follow it there.",
        )


async def keeping(config: Config, place: Place) -> Path:
    """
    The folder beside the calendar's files in which attachments of an item are kept; it is made.

    Raises: CommandError: the calendar has no folder, or the item no file. DiskTrouble.
    """
    calendar = place.calendar
    home = config.export_dir / calendar.account / calendar.folder
    if place.file is None or not await asyncio.to_thread(home.is_dir):
        raise CommandError("there is no file beside which it could be kept", hint="Name a folder.")
    return await asyncio.to_thread(made_inside, home, (".attachments", Path(place.file).stem))


class _Download:
    """A sink into a file beside the target; it learns the media type on the way."""

    def __init__(self, file: NewFile, size_bytes: int, told: Told) -> None:
        self._file, self._size_bytes, self._told = file, size_bytes, told
        self.media_type = ""

    async def begin(self, headers: Mapping[str, str]) -> None:
        self.media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        await self._file.empty()

    async def take(self, piece: bytes) -> None:
        await self._file.write(piece)
        self._told(self._file.size_bytes, max(self._size_bytes, self._file.size_bytes))


async def fetch(
    workshop: Workshop,
    place: Place,
    one: Attachment,
    target: Path,
    *,
    force: bool,
    told: Told = tell_nothing,
) -> Path:
    """
    Save an attachment; the name it gets appears only when all of it is there.

    Args: target: a file, or a folder in which it gets its own name, made safe.
    Raises: CommandError: the name is in use, it has no content, or the service refuses it.
    """
    check_content(one)
    folder, name = (target, "") if target.is_dir() else (target.parent, target.name)
    if not folder.is_dir():
        raise CommandError(f"there is no folder {str(folder)!r}")
    if name or one.kind == "file":
        _check_free(folder / (name or saved_name(one.name)), force=force)
    account = place.calendar.account
    requests = EventAttachments(dialect_of(workshop.config, account), place.calendar.id, place.id)
    async with NewFile(folder) as file:
        sink = _Download(file, one.size_bytes, told)
        answer = await workshop.streams[account].fetch(requests.content(one.id), sink)
        check_answer(answer, f"give {one.name!r}", "Calendars.Read", account)
        suffix = SUFFIXES.get(sink.media_type, "") if one.kind == "item" else ""
        return await file.keep_as(name or saved_name(one.name, suffix), force=force)


def _check_free(path: Path, *, force: bool) -> None:
    if not force and os.path.lexists(path):
        raise taken(path)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a person wants changed: a file added, or an attachment taken away.

    `calendar` and `event` are ids, `title` is what people call the event; `path`, `name` and
    `sha256` are of the file, `attachment` is an id.
    """

    kind: Literal["add", "rm"]
    account: str
    calendar: str
    event: str
    path: str = ""
    name: str = ""
    sha256: str = ""
    attachment: str = ""
    title: str = ""

    @property
    def key(self) -> str:
        """Under what a file on its way is kept."""
        return key_of(self.account, self.event, self.path, self.name)


def change_in(data: object) -> Change:
    """What another process asks for. Raises: CommandError: it is not to be understood."""
    try:
        return msgspec.convert(data, Change)
    except msgspec.ValidationError as error:
        raise CommandError(f"this cannot be asked for: {error}") from None


class PassingRefusal(CommandError):
    """The service refused what it may take in a while: not found by now, or changed just now."""


def check_answer(answer: Answer, what: str, scope: str, account: str) -> None:
    """Raises: CommandError: the service refused, with its reason and a remedy."""
    if answer.is_success:
        return
    code = error_code(answer)
    kind = PassingRefusal if answer.status in (404, 409, 412, 423) else CommandError
    raise kind(
        f"the service refuses to {what}: {answer.status} {code}".rstrip(),
        hint=_remedy(answer.status, scope, account),
    )


def _remedy(status: int, scope: str, account: str) -> str:
    if status == 403:
        return (
            f"It needs the permission {scope}, in a calendar that is yours or shared with you so: "
            f"add it to `scopes` of the account and run `syncd login {account}`."
        )
    if status == 404:
        return "The event or attachment is not there any more; `syncd sync` brings the news."
    if status == 413:
        return "The mailbox has a limit of its own, often 35 MB; its administrator sets it."
    if status in (409, 412):
        return "Something else changed the event at the same moment; run this again."
    return "`syncd check` tells whether the account works as a whole."
