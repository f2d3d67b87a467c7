"""
Identifiers in the shapes that Exchange gives them.

Knows how ids, change keys and iCalUIds look and how an occurrence's id is built from its
master's. All randomness comes from one seeded source.
"""

import base64
import re
from dataclasses import dataclass, field
from datetime import date
from random import Random

from syncd.simulator.errors import malformed_id

__all__ = ["Minter", "check_shape", "occurrence_change_key", "occurrence_id", "split_occurrence"]

_SHAPE = re.compile(r"A[AQ][MkA][\w\-+/]{60,500}={0,2}\Z", re.ASCII)
_TAIL = "AAA="
_MARK = "AFRAAgI"
_OCCURRENCE = re.compile(r"(.+)AFRAAgI(\d{8})AAA=\Z", re.ASCII)
_UID_HEAD = "040000008200E00074C5B7101A82E008"


def check_shape(text: str) -> str:
    """Return an id that could be one. Raises: ServiceError 400 ErrorInvalidIdMalformed."""
    if not _SHAPE.match(text):
        raise malformed_id()
    return text


def occurrence_id(master: str, day: date) -> str:
    """Return the id of a slot; it stays the same when the slot becomes an exception."""
    return f"{master.removesuffix(_TAIL)}{_MARK}{day:%Y%m%d}{_TAIL}"


def split_occurrence(text: str) -> tuple[str, date | None]:
    """
    Return the master's id and the slot that an id names, or the id itself and None.

    Raises: ServiceError: 400 when the slot is no date.
    """
    found = _OCCURRENCE.match(text)
    if found is None:
        return text, None
    digits = found[2]
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError as bad:
        raise malformed_id() from bad
    return found[1] + _TAIL, day


def occurrence_change_key(master: str) -> str:
    """Return the change key of an unmodified occurrence: it moves with its master's."""
    return "DwAAABYA" + master.removeprefix("DwAAABYA")[3:]


@dataclass(slots=True)
class Minter:
    """The one source of new identifiers. Args: random: seeded, for reproducible runs."""

    random: Random
    _serial: int = field(default=0)

    def _tail(self, size: int) -> str:
        self._serial += 1
        text = base64.urlsafe_b64encode(self.random.randbytes(size)).decode("ascii")
        return f"{text}-_{self._serial:06d}{_TAIL}"

    def event_id(self) -> str:
        """Return an id in the default form."""
        return "AAMkADQ5" + self._tail(96)

    def immutable_id(self) -> str:
        """Return an id in the immutable form."""
        return "AAkALgAA" + self._tail(75)

    def folder_id(self) -> str:
        """Return the id of a calendar or calendar group."""
        return "AQMkADQ5" + self._tail(72)

    def change_key(self) -> str:
        """Return a version stamp that was never given before."""
        self._serial += 1
        noise = self.random.randbytes(10) + self._serial.to_bytes(5, "big")
        return "DwAAABYAAAB" + base64.b64encode(noise).decode("ascii") + "="

    def ical_uid(self) -> str:
        """Return 112 hex digits, as the service mints for a new event."""
        return _UID_HEAD + self.random.randbytes(40).hex().upper()

    def guid(self) -> str:
        """Return a GUID."""
        digits = self.random.randbytes(16).hex()
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        return "-".join(parts)

    def token(self) -> str:
        """Return an opaque token for a delta or next link."""
        return base64.urlsafe_b64encode(self.random.randbytes(36)).decode("ascii").rstrip("=")
