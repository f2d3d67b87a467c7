"""
A file on its way to an event: once, however often it is begun.

What attaches it is journaled before it leaves; a session goes on where the service says, and where
an answer was lost the list is looked at. Nothing is sent again blindly. Whoever asked may die at
any moment; the same command takes it up.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from mimetypes import MimeTypes
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, assert_never

from syncd.core.errors import (
    BadAnswer,
    CommandError,
    DiskTrouble,
    ServiceDown,
    SyncdError,
    Unreachable,
)
from syncd.core.wire.dialects.graph_attachments import (
    CHUNK_BYTES,
    DIRECT_BYTES,
    LARGEST_BYTES,
    Attachment,
    EventAttachments,
    added_since,
    read_added,
    read_expected,
    read_session,
)
from syncd.ports import Answer, Answered, Clock, Lost, Remote, Streams, Unsent
from syncd.shell.attachments import Change, Told, check_answer, listed
from syncd.store.uploads import Upload, Uploads

__all__ = ["LOOKS_AFTER_S", "Source", "Way", "check_size", "read_source"]

MOST_FAILURES: Final = 4
"""Tries of an upload in a row that get it no further."""

LOOKS_AFTER_S: Final = (0.0, 1.0, 2.0)
IN_DOUBT_FOR: Final = timedelta(minutes=2)
"""So long after a request got lost, it may still take effect."""

OVER: Final = frozenset({401, 404, 410})
"""What an upload URL answers when its session is over."""

ASTRAY: Final = frozenset({400, 409, 412, 416})
"""What an upload URL may answer to a piece that it does not wait for."""

HASHED_BYTES: Final = 1024 * 1024
# Without arguments it reads no file of this machine, so that a name has one type everywhere.
_MEDIA_TYPES: Final = MimeTypes()

# --- a file of a person's ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was read; `sha256` is of all of it."""

    path: Path
    size_bytes: int
    mtime_ns: int
    sha256: str


def _media_type(name: str) -> str:
    return _MEDIA_TYPES.guess_type(name)[0] or "application/octet-stream"


async def read_source(path: Path) -> Source:
    """
    Look at a file and read it once.

    Raises: CommandError: it is none, cannot be read, or is larger than the service takes.
    """
    try:
        return await asyncio.to_thread(_read_source, path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> CommandError:
    return CommandError(f"{str(path)!r} cannot be read: {error.strerror}")


def check_size(path: Path, size_bytes: int) -> None:
    """Raises: CommandError: the service takes no file that large."""
    if size_bytes > LARGEST_BYTES:
        raise CommandError(
            f"{str(path)!r} is larger than an attachment can be: the service takes at most "
            f"{LARGEST_BYTES // 2**20} MB ({LARGEST_BYTES} bytes), and this has {size_bytes}",
            hint="Share it from a drive, and put the link into the meeting's text.",
        )


def _read_source(path: Path) -> Source:
    with _opened(path) as file:
        found = os.fstat(file.fileno())
        check_size(path, found.st_size)
        digest = hashlib.sha256()
        size = 0
        while piece := file.read(HASHED_BYTES):
            digest.update(piece)
            size += len(piece)
            check_size(path, size)
    return Source(path, size, found.st_mtime_ns, digest.hexdigest())


def _opened(path: Path) -> BinaryIO:
    try:
        # Asked before: opening a pipe would wait for whoever writes into it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise CommandError(f"{str(path)!r} is no file")
        return open(path, "rb", buffering=0)
    except OSError as error:
        raise _unreadable(path, error) from error


def _read_exactly(file: BinaryIO, size_bytes: int) -> bytes:
    """As many bytes, fewer only where the file ends."""
    pieces, missing = [], size_bytes
    while missing and (piece := file.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _SessionOver(Exception):
    """An upload session ended before the file was whole: nothing of it is attached."""


@dataclass(slots=True)
class Way:
    """One file on its way to one event, from wherever an earlier try left it."""

    wanted: Change
    source: Source
    remote: Remote
    streams: Streams
    requests: EventAttachments
    uploads: Uploads
    clock: Clock
    told: Told

    async def go(self) -> str:
        """Attach the file, unless an earlier try turns out to have done so."""
        known = await self._known()
        if known is not None:
            at = await self._expected(known)
            if known.stage != "open" and await self._is_there(known):
                await self._done(known)
                return "was-there"
            if at is not None:
                try:
                    return await self._pushed(known, at)
                except _SessionOver:
                    pass
            elif known.stage == "leaving" and self._is_young(known):
                raise self._in_doubt()
        return await self._anew()

    async def _known(self) -> Upload | None:
        """What an earlier try left, if the file is still the one that it read."""
        known = await self.uploads.get(self.wanted.key)
        if known is None:
            return None
        if (known.size_bytes, known.sha256) == (self.source.size_bytes, self.source.sha256):
            return known
        if known.url and known.stage != "done":
            await self.streams.end_upload(known.url)
        await self.uploads.forget(known.key)
        return None

    def _is_young(self, known: Upload) -> bool:
        # A clock that was set back must not keep it in doubt for ever.
        return timedelta() <= self.clock.now() - known.stage_at < IN_DOUBT_FOR

    async def _expected(self, known: Upload) -> int | None:
        """The byte from which the service wants the file, None where its session is over."""
        if not known.url or known.stage == "done":
            return None
        if known.expires is not None and known.expires <= self.clock.now():
            return None
        answer = await self.streams.upload_state(known.url)
        at = read_expected(answer) if answer.is_success else None
        return at if at is not None and at < known.size_bytes else None

    async def _is_there(self, known: Upload) -> bool:
        there = await self._list()
        if known.attachment and any(one.id == known.attachment for one in there):
            return True
        return added_since(there, known.before, known.name, known.size_bytes) is not None

    async def _list(self) -> list[Attachment]:
        return await listed(self.remote, self.requests, self.wanted.account)

    # --- a new try -----------------------------------------------------------------------------

    async def _anew(self) -> str:
        before = tuple(one.id for one in await self._list())
        if self.source.size_bytes < DIRECT_BYTES:
            return await self._posted(self._upload(before, "leaving"))
        for is_last in (False, True):
            opened = await self._opened(self._upload(before, "open"))
            try:
                return await self._pushed(opened, 0)
            except _SessionOver:
                if is_last:
                    break
        await self.uploads.forget(self.wanted.key)
        raise ServiceDown(
            f"the service ended the upload of {self.wanted.name!r} twice; nothing is attached",
            hint="Run the command again later.",
        )

    def _upload(self, before: tuple[str, ...], stage: Literal["open", "leaving"]) -> Upload:
        source, wanted = self.source, self.wanted
        return Upload(
            key=wanted.key,
            account=wanted.account,
            event=wanted.event,
            # A path may be no text; whoever compares goes by the key.
            path=wanted.path.encode(errors="backslashreplace").decode(),
            name=wanted.name,
            size_bytes=source.size_bytes,
            mtime_ns=source.mtime_ns,
            sha256=source.sha256,
            before=before,
            stage=stage,
            stage_at=self.clock.now(),
        )

    async def _posted(self, leaving: Upload) -> str:
        """The file in one request."""
        data: bytes = await self._off_loop(self.source.path.read_bytes)
        if hashlib.sha256(data).hexdigest() != self.source.sha256:
            raise self._changed()
        request = self.requests.add(self.wanted.name, _media_type(self.wanted.name), data)
        await self.uploads.put(leaving)
        [outcome] = await self.remote.write_all([request])
        match outcome:
            case Answered(answer) if answer.is_success:
                await self._done(leaving, _id_in(answer))
            case Answered(answer):
                await self._refused(answer)
            case Lost():
                await self._until_there(leaving)
            case Unsent(error):
                await self.uploads.forget(leaving.key)
                raise error
            case _:
                assert_never(outcome)
        self.told(self.source.size_bytes, self.source.size_bytes)
        return "added"

    async def _opened(self, upload: Upload) -> Upload:
        """With an upload session. A lost answer costs nothing: a session alone attaches nothing."""
        request = self.requests.open_upload(
            self.wanted.name, _media_type(self.wanted.name), self.source.size_bytes
        )
        lost = ""
        for _ in range(MOST_FAILURES):
            [outcome] = await self.remote.write_all([request])
            match outcome:
                case Answered(answer) if answer.is_success:
                    session = read_session(answer)
                    opened = replace(upload, url=session.url, expires=session.expires)
                    await self.uploads.put(opened)
                    return opened
                case Answered(answer):
                    await self._refused(answer)
                case Lost(reason):
                    lost = reason
                case Unsent(error):
                    raise error
                case _:
                    assert_never(outcome)
        raise ServiceDown(f"the service opens no upload: {lost}", hint="Try again later.")

    # --- piece by piece ------------------------------------------------------------------------

    async def _pushed(self, upload: Upload, at: int) -> str:
        """Send what is missing, as often as the service gets further. Raises: _SessionOver."""
        failures = 0
        while True:
            reached = await self._pieces(upload, at)
            if reached is None:
                return "added"
            failures = 0 if reached > at else failures + 1
            if failures >= MOST_FAILURES:
                raise ServiceDown(
                    f"the service does not take {self.wanted.name!r}: it has {reached} bytes of "
                    f"{upload.size_bytes}",
                    hint="Run the command again later: it goes on from there.",
                )
            at = reached

    async def _pieces(self, upload: Upload, at: int) -> int | None:
        """
        Send from `at` on; None when all is there, else where the service wants to go on.

        Raises: _SessionOver; SyncdError.
        """
        file = await asyncio.to_thread(_opened, self.source.path)
        try:
            digest = await self._hashed(file, at)
            while True:
                self.told(at, upload.size_bytes)
                piece = await self._next(file)
                digest.update(piece)
                end = at + len(piece)
                is_last = end >= upload.size_bytes
                if is_last or not piece:
                    await self._check_unchanged(upload, digest.hexdigest(), end)
                reached = await self._piece(upload, piece, at, is_last=is_last)
                if reached != end:
                    return reached
                at = end
        finally:
            file.close()

    async def _hashed(self, file: BinaryIO, size_bytes: int) -> Any:
        """Of what the service has already; the file then stands behind it."""
        digest = hashlib.sha256()

        def read() -> None:
            missing = size_bytes
            while missing and (piece := file.read(min(missing, HASHED_BYTES))):
                digest.update(piece)
                missing -= len(piece)

        await self._off_loop(read)
        return digest

    async def _next(self, file: BinaryIO) -> bytes:
        found: bytes = await self._off_loop(lambda: _read_exactly(file, CHUNK_BYTES))
        return found

    async def _off_loop(self, work: Callable[[], Any]) -> Any:
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            raise DiskTrouble(
                f"{str(self.source.path)!r} cannot be read: {error.strerror}",
                hint="Run the command again: it goes on where this one stopped.",
            ) from error

    async def _check_unchanged(self, upload: Upload, sha256: str, size_bytes: int) -> None:
        """Before the last piece leaves: with it the file would be attached."""
        if (sha256, size_bytes) == (upload.sha256, upload.size_bytes):
            return
        await self.streams.end_upload(upload.url)
        await self.uploads.forget(upload.key)
        raise self._changed()

    async def _piece(self, upload: Upload, piece: bytes, at: int, *, is_last: bool) -> int | None:
        """Send one; where to go on, None when all is there."""
        if is_last:
            upload = replace(upload, stage="leaving", stage_at=self.clock.now())
            await self.uploads.put(upload)
        outcome = await self.streams.upload(upload.url, piece, at, upload.size_bytes)
        match outcome:
            case Answered(answer) if answer.is_success:
                return await self._taken(upload, answer, at + len(piece), is_last=is_last)
            case Answered(answer) if answer.status in OVER:
                if not (is_last and await self._is_there(upload)):
                    raise _SessionOver
                await self._done(upload)
                return None
            case Answered(answer) if answer.status in ASTRAY:
                return await self._asked(upload)
            case Answered(answer):
                await self.streams.end_upload(upload.url)
                await self._refused(answer)
                return None
            case Lost():
                return await self._asked(upload)
            case Unsent(error):
                await self.uploads.put(replace(upload, stage="open", stage_at=self.clock.now()))
                raise error
            case _:
                assert_never(outcome)

    async def _taken(
        self, upload: Upload, answer: Answer, end: int, *, is_last: bool
    ) -> int | None:
        reached = read_expected(answer)
        if not is_last:
            return end if reached is None else reached
        if answer.status != 201:
            return await self._asked(upload)
        await self._done(upload)
        return None

    async def _asked(self, upload: Upload) -> int | None:
        """Where to go on after a piece of which nobody knows, None when all is there."""
        at = await self._expected(upload)
        if at is not None:
            return at
        if upload.stage == "open":
            raise _SessionOver
        await self._until_there(upload)
        return None

    # --- how it ends ---------------------------------------------------------------------------

    async def _until_there(self, upload: Upload) -> None:
        """
        Look whether what left arrived; nothing is sent again for that.

        Raises: Unreachable: looking cannot tell yet. What is remembered says to look again.
        """
        try:
            for pause_s in LOOKS_AFTER_S:
                await self.clock.sleep(pause_s)
                if await self._is_there(upload):
                    await self._done(upload)
                    return
        except CommandError:
            raise
        except SyncdError as error:
            raise self._in_doubt() from error
        raise self._in_doubt()

    async def _done(self, upload: Upload, attachment: str = "") -> None:
        done = replace(upload, stage="done", stage_at=self.clock.now(), url="", expires=None)
        await self.uploads.put(replace(done, attachment=attachment or upload.attachment))
        self.told(upload.size_bytes, upload.size_bytes)

    async def _refused(self, answer: Answer) -> None:
        await self.uploads.forget(self.wanted.key)
        what = f"attach {self.wanted.name!r}"
        check_answer(answer, what, "Calendars.ReadWrite", self.wanted.account)

    def _in_doubt(self) -> Unreachable:
        return Unreachable(
            f"the answer was lost: whether {self.wanted.name!r} is attached is not known yet",
            hint="Run the same command again in two minutes: it looks first, "
            "and attaches nothing twice.",
        )

    def _changed(self) -> CommandError:
        return CommandError(
            f"{str(self.source.path)!r} changed while it was being sent; nothing was attached",
            hint="Run the command again when it is at rest.",
        )


def _id_in(answer: Answer) -> str:
    """The new attachment's id; an answer that lacks it was a success all the same."""
    try:
        return read_added(answer).id
    except BadAnswer:
        return ""
