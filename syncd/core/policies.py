"""
What happens when both sides changed one field: a function for each policy, and the table of them.

Config check, help texts and tests read the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from syncd.core.event import FieldKey

__all__ = ["POLICIES", "FieldConflict", "Policy", "Winner", "keep_local"]

Winner = Literal["local", "remote", "ask"]


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """
    One field changed on both sides, differently.

    `local_at` is the file's modification time, `remote_at` when the field's change was seen on the
    service; both aware UTC. A value that a side lacks is `syncd.core.merge.ABSENT`.
    """

    key: FieldKey
    base: Any
    local: Any
    remote: Any
    local_at: datetime
    remote_at: datetime


Policy = Callable[[FieldConflict], Winner]


def keep_remote(conflict: FieldConflict) -> Winner:
    """The service wins."""
    return "remote"


def keep_local(conflict: FieldConflict) -> Winner:
    """The file wins."""
    return "local"


def keep_newest(conflict: FieldConflict) -> Winner:
    """The side changed last wins; a tie goes to the service."""
    return "local" if conflict.local_at > conflict.remote_at else "remote"


def keep_both_and_ask(conflict: FieldConflict) -> Winner:
    """Both sides stay as they are until a person decides."""
    return "ask"


POLICIES: Mapping[str, Policy] = {
    "remote": keep_remote,
    "local": keep_local,
    "newest": keep_newest,
    "ask": keep_both_and_ask,
}
