"""
Who may see and change a calendar: its permissions, and what sharing does to other mailboxes.

Knows roles, who may have which, and that a shared calendar shows up among the sharee's own. A
sharee need not accept first, as people in Outlook do.
Refuses to know events; a role says what may be done, others do it.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from syncd.simulator.checks import choice, mapping, optional_text
from syncd.simulator.errors import ServiceError, invalid_request, item_not_found
from syncd.simulator.folders import Calendar, Person, Role, Shared
from syncd.simulator.mailbox import Mailbox

__all__ = ["Book", "Permission", "Sharing"]

ROLES: Mapping[str, Role] = {role: role for role in get_args(Role)}
_OUTSIDE: tuple[Role, ...] = ("freeBusyRead", "limitedRead", "read")
_INSIDE: tuple[Role, ...] = (*_OUTSIDE, "write")
_DELEGATE: tuple[Role, ...] = (
    "delegateWithoutPrivateEventAccess",
    "delegateWithPrivateEventAccess",
)
_ORGANIZATION_ID = base64.b64encode(b"Default").decode("ascii")


@dataclass(slots=True, eq=False)
class Permission:
    """One entry. Args: person: without an address for the whole organization."""

    id: str
    person: Person
    role: Role
    allowed: tuple[Role, ...]
    inside: bool
    removable: bool

    def wire(self) -> dict[str, Any]:
        """Return the `calendarPermission` resource."""
        address = {"address": self.person.address} if self.person.address else {}
        return {
            "id": self.id,
            "isRemovable": self.removable,
            "isInsideOrganization": self.inside,
            "role": self.role,
            "allowedRoles": list(self.allowed),
            "emailAddress": {"name": self.person.name, **address},
        }


@dataclass(slots=True)
class Book:
    """
    The permissions of one calendar.

    Args: inside: tells whether an address belongs to the owner's organization.
    """

    calendar: Calendar
    inside: Callable[[str], bool]
    entries: dict[str, Permission] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Graph "Share or delegate a calendar": the primary calendar is always shared with all.
        role: Role = "freeBusyRead" if self.calendar.is_default else "none"
        everybody = Person("My Organization", "")
        self.entries[_ORGANIZATION_ID] = Permission(
            _ORGANIZATION_ID, everybody, role, ("none", *_INSIDE), inside=True, removable=False
        )

    def rows(self) -> list[Permission]:
        """Return the entries, those of people first."""
        return [*self.people(), self.entries[_ORGANIZATION_ID]]

    def people(self) -> list[Permission]:
        """Return the entries of people, the oldest first."""
        return [one for one in self.entries.values() if one.removable]

    def find(self, identity: str) -> Permission:
        """Return an entry. Raises: ServiceError: 404."""
        if identity not in self.entries:
            raise item_not_found()
        return self.entries[identity]

    def allowed(self, address: str) -> tuple[Role, ...]:
        """Return the roles that somebody can be given; only the primary calendar has delegates."""
        if not self.inside(address):
            return _OUTSIDE
        return (*_INSIDE, *_DELEGATE) if self.calendar.is_default else _INSIDE

    def add(self, body: object) -> Permission:
        """Share the calendar with somebody. Raises: ServiceError: 400."""
        sent = mapping(body, "calendarPermission")
        email = mapping(sent.get("emailAddress") or {}, "emailAddress")
        address = optional_text(email.get("address"), "address").strip()
        if not address:
            raise ServiceError(
                400, "ErrorInvalidRecipients", "At least one recipient is not valid."
            )
        name = optional_text(email.get("name"), "name") or address
        inside, allowed = self.inside(address), self.allowed(address)
        role = _role(sent.get("role"), allowed)
        identity = _identity(address, inside)
        if identity in self.entries:
            raise invalid_request("The calendar is already shared with this user.")
        made = Permission(identity, Person(name, address), role, allowed, inside, removable=True)
        self.entries[identity] = made
        return made

    def change(self, identity: str, body: object) -> Permission:
        """Give an entry another role; nothing else of it can change. Raises: ServiceError."""
        entry, sent = self.find(identity), mapping(body, "calendarPermission")
        fixed = [name for name in sent if "@" not in name and name != "role"]
        if any(sent[name] != entry.wire().get(name) for name in fixed):
            raise invalid_request("Only the role of a calendar permission can be changed.")
        entry.role = _role(sent.get("role"), entry.allowed)
        return entry

    def remove(self, identity: str) -> Permission:
        """Take an entry away. Raises: ServiceError: 400 for the organization's, 404."""
        entry = self.find(identity)
        if not entry.removable:
            raise invalid_request("The permission of the organization cannot be removed.")
        return self.entries.pop(identity)

    def role_of(self, address: str) -> Role:
        """Return what somebody inside may do: the own entry counts, else the organization's."""
        for entry in self.people():
            if entry.person.address.casefold() == address.casefold():
                return entry.role
        return self.entries[_ORGANIZATION_ID].role


def _role(value: object, allowed: tuple[Role, ...]) -> Role:
    role = ROLES[choice(value, tuple(ROLES), "role")]
    if role not in allowed:
        raise invalid_request(f"The role '{role}' is not allowed for this user.")
    return role


def _identity(address: str, inside: bool) -> str:
    """Return an id as Exchange makes it: the name under which its directory knows somebody."""
    head = "/o=ExchangeLabs/cn=Recipients/cn=" if inside else "ExchangePublishedUser."
    return base64.urlsafe_b64encode((head + address.casefold()).encode()).decode("ascii")


class Sharing:
    """
    All shares of a service. Args: known: returns the mailbox of an address, if there is one.

    An entry among the sharee's calendars follows each change of the owner's book.
    """

    def __init__(self, known: Callable[[str], Mailbox | None]) -> None:
        self._known = known
        self._books: dict[str, Book] = {}

    def book(self, owner: Mailbox, calendar: Calendar) -> Book:
        """Return the permissions of a calendar."""
        book = self._books.get(calendar.id)
        if book is None:
            book = self._books[calendar.id] = Book(calendar, self._insider(owner))
        return book

    def _insider(self, owner: Mailbox) -> Callable[[str], bool]:
        domain = owner.owner.address.rpartition("@")[2].casefold()

        def inside(address: str) -> bool:
            same = address.rpartition("@")[2].casefold() == domain
            return same or self._known(address) is not None

        return inside

    def add(self, owner: Mailbox, calendar: Calendar, body: object) -> Permission:
        """Share a calendar. Raises: ServiceError: 400."""
        made = self.book(owner, calendar).add(body)
        self._show(owner, calendar, made)
        return made

    def change(self, owner: Mailbox, calendar: Calendar, identity: str, body: object) -> Permission:
        """Give somebody another role. Raises: ServiceError: 400 or 404."""
        changed = self.book(owner, calendar).change(identity, body)
        self._show(owner, calendar, changed)
        return changed

    def remove(self, owner: Mailbox, calendar: Calendar, identity: str) -> None:
        """End a share. Raises: ServiceError: 400 or 404."""
        self._hide(owner, calendar, self.book(owner, calendar).remove(identity))

    def forget(self, owner: Mailbox, calendar: Calendar) -> None:
        """End all shares of a calendar that is no more."""
        book = self._books.pop(calendar.id, None)
        for entry in book.people() if book else ():
            self._hide(owner, calendar, entry)

    def _show(self, owner: Mailbox, calendar: Calendar, entry: Permission) -> None:
        sharee = self._known(entry.person.address) if entry.removable else None
        if sharee is None or sharee is owner:
            return
        # Graph "Share or delegate a calendar": a primary one goes by its owner's name.
        name = owner.owner.name if calendar.is_default else calendar.name
        shared = Shared(owner.user_id, calendar.id, entry.role)
        sharee.folders.show(name, owner.owner, shared)

    def _hide(self, owner: Mailbox, calendar: Calendar, entry: Permission) -> None:
        sharee = self._known(entry.person.address)
        if sharee is None:
            return
        found = sharee.folders.shown(owner.user_id, calendar.id)
        if found is not None:
            sharee.folders.remove(found.id)
