"""
A second event from the version that loses a conflict: a new file, a new UID, nobody invited.

Knows which lines make a copy independent of its original. Writes one file beside the original and
leaves that one alone; what becomes of either is the next round's matter.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from syncd.core.errors import CommandError, DiskTrouble
from syncd.core.ids import FileName
from syncd.core.lines import Component, Line, Unreadable, new_line, parse, to_bytes
from syncd.core.state import Problem
from syncd.ports import Failed, LocalFolder, Taken, WriteFile, Wrote

__all__ = ["local_version", "second_event", "write_second_event"]

_OF_PEOPLE = frozenset({"ATTENDEE", "ORGANIZER"})
_OURS = "X-SYNCD-"
_SECONDS = uuid.UUID("bd59f806-683c-4eb2-90ff-7ed5109f6324")


def second_event(data: bytes, uid: str) -> bytes | Unreadable:
    """The calendar object `data` under another UID, without organizer, attendees and our lines."""
    document = parse(data)
    if isinstance(document, Unreadable):
        return document
    for component in _all(document.calendar):
        component.parts = [
            _renamed(part, uid, document.eol) if isinstance(part, Line) else part
            for part in component.parts
            if not (isinstance(part, Line) and _is_left_out(part))
        ]
    return to_bytes(document)


def _all(component: Component) -> list[Component]:
    inner = [part for part in component.parts if isinstance(part, Component)]
    return [component, *(deeper for part in inner for deeper in _all(part))]


def _is_left_out(line: Line) -> bool:
    return line.name in _OF_PEOPLE or line.name.startswith(_OURS)


def _renamed(line: Line, uid: str, eol: bytes) -> Line:
    return new_line(f"UID:{uid}", eol) if line.name == "UID" else line


async def write_second_event(folder: LocalFolder, data: bytes, problem: Problem) -> FileName:
    """
    Write a version that lost a conflict as an event of its own; once, however often it is tried.

    Returns: the new file's name.
    Raises: CommandError: it is no calendar object. DiskTrouble.
    """
    uid = str(uuid.uuid5(_SECONDS, f"{problem.id}/{problem.exact}"))
    copy = second_event(data, uid)
    if isinstance(copy, Unreadable):
        raise CommandError(f"the file cannot be read: {copy.reason}", hint="Mend the file.")
    name = FileName(f"{uid}.ics")
    outcome = (await folder.work([WriteFile(name, copy)]))[0]
    if isinstance(outcome, Failed):
        raise outcome.error
    if not isinstance(outcome, (Wrote, Taken)):
        raise DiskTrouble(f"the second event {name} cannot be written")
    return name


def local_version(path: Path, problem: Problem) -> bytes:
    """
    The file of a conflict, as it is; `path` is the folder's.

    Raises: CommandError: the file is gone. DiskTrouble: it cannot be read now.
    """
    # The name comes from the state; it is a name only, never a way out of the folder.
    name = Path(problem.file).name
    if not name:
        raise CommandError(f"problem {problem.id} is about no file")
    try:
        return (path / name).read_bytes()
    except FileNotFoundError as error:
        raise CommandError(f"{name} is gone", hint="Take local or remote instead.") from error
    except OSError as error:
        raise DiskTrouble(f"{name} cannot be read: {error.strerror}") from error
