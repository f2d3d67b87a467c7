"""Whose calendar it is. Knows no rights: an owner may well be a guest at a meeting."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.core.zones import WindowsZone

__all__ = ["Owner"]


@dataclass(frozen=True, slots=True)
class Owner:
    """
    The owner's addresses, in lower case, and the mailbox's zone.

    `deputies` are the addresses of who writes there in the owner's name, where they share it.
    """

    addresses: frozenset[str]
    zone: WindowsZone
    deputies: frozenset[str] = frozenset()

    def is_own(self, address: str) -> bool:
        """Whether an address is one of the owner's."""
        return address.casefold() in self.addresses

    def hosts(self, address: str) -> bool:
        """Whether what a new file says is organized by an address becomes the owner's meeting."""
        return address.casefold() in self.addresses | self.deputies
