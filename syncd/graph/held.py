"""A token in memory, and until when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Held"]

# As msal: the last five minutes of a token are left unused, so that none dies on its way. Of a
# short-lived one, the second half.
MARGIN_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Held:
    """A token in memory; `until_s` is on the monotonic clock."""

    token: str
    until_s: float

    @classmethod
    def of(cls, token: str, result: Mapping[str, Any], now_s: float) -> Held:
        """Take msal's result; a life that is no number counts as none."""
        life = result.get("expires_in")
        number = isinstance(life, int | float) or (isinstance(life, str) and life.isdecimal())
        life_s = float(life) if number and life is not None else 0.0
        return cls(token, now_s + max(0.0, life_s - min(MARGIN_S, life_s / 2)))
