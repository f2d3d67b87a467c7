"""What an exporter is given of a calendar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Snapshot"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A calendar's name, its account's and its folder's, and its items' files as they are."""

    account: str
    folder: str
    name: str
    files: Sequence[bytes]
