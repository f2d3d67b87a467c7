"""
`feeds`: a whole calendar in one read-only file, for programs that subscribe to one (Thunderbird).

The file is swapped in whole: readers never see half of it. Time zones stand once each.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from syncd.core.errors import DiskTrouble
from syncd.core.lines import Component, Unreadable, new_line, parse
from syncd.export.snapshot import Snapshot

__all__ = ["feed_of", "write_feed"]

FOLDER = ".feeds"
CRLF = b"\r\n"


def feed_of(snapshot: Snapshot) -> bytes:
    """One VCALENDAR with the events of all files; a file that cannot be read is left out."""
    zones: dict[str, bytes] = {}
    events: list[bytes] = []
    for data in snapshot.files:
        document = parse(data)
        if isinstance(document, Unreadable):
            continue
        for part in document.calendar.parts:
            if not isinstance(part, Component):
                continue
            if part.name == "VEVENT":
                events.append(_bytes_of(part))
            elif part.name == "VTIMEZONE" and (line := part.first("TZID")) is not None:
                zones.setdefault(line.value, _bytes_of(part))
    return b"".join((*_head(snapshot.name), *zones.values(), *events, b"END:VCALENDAR", CRLF))


def _head(name: str) -> list[bytes]:
    shown = "".join(c for c in name if c.isprintable()).replace("\\", "\\\\")
    shown = shown.replace(",", "\\,").replace(";", "\\;")
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//syncd//syncd//EN",
        f"X-WR-CALNAME:{shown}",
    )
    return [new_line(line).raw for line in lines]


def _bytes_of(component: Component) -> bytes:
    parts = [component.begin.raw]
    parts += [_bytes_of(p) if isinstance(p, Component) else p.raw for p in component.parts]
    parts.append(component.end.raw)
    data = b"".join(parts)
    return data if data.endswith(b"\n") else data + CRLF


def write_feed(export_dir: Path, snapshot: Snapshot) -> None:
    """Write `.feeds/<account>/<folder>.ics`. Raises: DiskTrouble."""
    folder = export_dir / FOLDER / snapshot.account
    target = folder / f"{snapshot.folder}.ics"
    temp = folder / f".{secrets.token_hex(8)}.tmp"
    data = feed_of(snapshot)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if target.is_file() and target.read_bytes() == data:
            return
        _write(temp, data)
        temp.replace(target)
    except OSError as error:
        temp.unlink(missing_ok=True)
        raise DiskTrouble(
            f"the feed {target.name!r} cannot be written: {error.strerror}"
        ) from error


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
