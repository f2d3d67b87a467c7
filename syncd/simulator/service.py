"""
The calendar service as a whole: mailboxes, rooms, groups, one ledger of mails, one clock.

Knows who has a mailbox and owns time and randomness, so that a run can be repeated exactly.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from random import Random
from typing import Any

from syncd.simulator.delta import DeltaRounds
from syncd.simulator.errors import ServiceError
from syncd.simulator.folders import Person
from syncd.simulator.ids import Minter
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.model import Mail
from syncd.simulator.permissions import Permission, Sharing
from syncd.simulator.places import Places, Room
from syncd.simulator.switches import Switches

__all__ = ["Service", "system_now"]


def system_now() -> datetime:
    """Return the machine's time, aware UTC."""
    return datetime.now(UTC)


class Service:
    """
    Several mailboxes that share a clock and a ledger.

    Args:
        now: aware UTC clock. random: seeded source of every identifier. switches: see `Switches`.

    Meetings do not travel between mailboxes: an invitation is an entry of the ledger.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = system_now,
        random: Random | None = None,
        switches: Switches | None = None,
    ) -> None:
        self.switches = switches or Switches()
        self.ledger: list[Mail] = []
        self.mint = Minter(random or Random(20310304))  # noqa: S311 - identifiers, no secrets
        self.mailboxes: list[Mailbox] = []
        self.groups: list[Mailbox] = []
        self.places = Places(self.mint)
        self.sharing = Sharing(self.known)
        self.offset = timedelta()
        self._clock = now
        self._rounds: dict[str, DeltaRounds] = {}

    def now(self) -> datetime:
        """Return the service's time, aware UTC."""
        return self._clock() + self.offset

    def advance(self, by: timedelta) -> None:
        """Move the service's clock; it may move backwards."""
        self.offset += by

    def add_mailbox(self, upn: str, name: str = "", *, user_id: str = "") -> Mailbox:
        """Open a mailbox with its default calendar. Args: upn: also its mail address."""
        person = Person(name or upn.partition("@")[0].title(), upn)
        mailbox = self._opened(person, user_id or self.mint.guid(), self.mint)
        self.mailboxes.append(mailbox)
        self._rounds[mailbox.user_id] = DeltaRounds(mailbox)
        return mailbox

    def _opened(self, owner: Person, identity: str, mint: Minter) -> Mailbox:
        mailbox = Mailbox(
            identity,
            owner,
            mint=mint,
            now=self.now,
            switches=lambda: self.switches,
            ledger=self.ledger,
        )
        mailbox.folders.gone = partial(self.sharing.forget, mailbox)
        return mailbox

    def add_group(self, address: str, name: str = "", *, group_id: str = "") -> Mailbox:
        """Make a group with its one calendar; events are put there as into a mailbox's."""
        person = Person(name or address.partition("@")[0].title(), address)
        group = self._opened(person, group_id or self.mint.guid(), self.mint)
        self.groups.append(group)
        return group

    def add_room(
        self,
        address: str,
        name: str = "",
        *,
        room_list: str = "",
        mailbox: bool = True,
        properties: Mapping[str, Any] | None = None,
    ) -> Room:
        """
        Make a room.

        Args:
            room_list: address of the list that it is in. properties: further ones of `room`.
            mailbox: whether it has a calendar that says when it is free; one of its address that
                is there already does so in any case.
        Raises: ServiceError: 400 for a property that rooms have not.
        """
        named = name or address.partition("@")[0].title()
        room = self.places.add_room(
            address, named, room_list=room_list, properties=properties or {}
        )
        if mailbox and self.known(address) is None:
            opened = self.add_mailbox(address, named)
            opened.folders.settings["userPurpose"] = "room"
        return room

    def share(self, owner: Mailbox, calendar: str, address: str, role: str) -> Permission:
        """Share a calendar with somebody, as its owner can. Raises: ServiceError: 400 or 404."""
        folder = owner.folders.calendar(calendar)
        body = {"emailAddress": {"address": address}, "role": role}
        return self.sharing.add(owner, folder, body)

    @cached_property
    def tenant(self) -> Mailbox:
        """The organization itself: what a request is counted against that is about no mailbox."""
        return self._opened(Person("Organization", ""), "organization", Minter(Random(0)))  # noqa: S311 - identifiers, no secrets

    def mailbox(self, user: str) -> Mailbox:
        """
        Return the mailbox of a user id or UPN, in any case.

        Raises: ServiceError: 404 ErrorInvalidUser.
        """
        found = self.known(user)
        if found is None:
            raise ServiceError(404, "ErrorInvalidUser", f"The requested user '{user}' is invalid.")
        return found

    def known(self, user: str) -> Mailbox | None:
        """Return the mailbox of a user id or UPN, in any case, if there is one."""
        return _found(self.mailboxes, user)

    def group(self, identity: str) -> Mailbox:
        """Return a group of an id, in any case. Raises: ServiceError: 404 ErrorInvalidGroup."""
        found = _found(self.groups, identity)
        if found is None:
            raise ServiceError(
                404, "ErrorInvalidGroup", f"The requested group '{identity}' is invalid."
            )
        return found

    def rounds(self, mailbox: Mailbox) -> DeltaRounds:
        """Return the delta rounds of a mailbox."""
        return self._rounds[mailbox.user_id]


def _found(mailboxes: list[Mailbox], identity: str) -> Mailbox | None:
    wanted = identity.casefold()
    for mailbox in mailboxes:
        if wanted in (mailbox.user_id.casefold(), mailbox.owner.address.casefold()):
            return mailbox
    return None
