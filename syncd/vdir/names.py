"""
What our temporary files are called, and which of them may hold a person's bytes.

Knows the two kinds and their names; knows no disk. The names begin with a dot and do not end in
`.ics`: khal and vdirsyncer read every file that does, dot files included.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["MARKER", "Kind", "Temp", "temp_name", "temp_of"]

MARKER = ".syncd"

Kind = Literal["new", "swap"]
"""
`new` only ever holds our own bytes, perhaps half of them. `swap` holds ours until it trades places
with a file, and from then on what that file held, which a person may have saved a moment ago.
"""

_MAX_BYTES = 255
_OURS = re.compile(r"\.(?P<name>.+)\.syncd-(?P<kind>new|swap)-[0-9a-f]{16}\.tmp", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Temp:
    """What a temporary file of ours says of itself; `name` may have been cut short."""

    name: str
    kind: Kind


def temp_name(name: str, kind: Kind, token: str) -> str:
    """Name a temporary file for `name`; `token` is 16 hexadecimal digits, never used before."""
    ending = f".syncd-{kind}-{token}.tmp"
    room = _MAX_BYTES - 1 - len(ending)
    if len(name) * 4 > room:
        name = name.encode()[:room].decode(errors="ignore")
    return f".{name}{ending}"


def temp_of(entry: str) -> Temp | None:
    """Read a folder entry's name as that of a temporary file of ours, if it is one."""
    match = _OURS.fullmatch(entry)
    if match is None:
        return None
    return Temp(match["name"], "new" if match["kind"] == "new" else "swap")
