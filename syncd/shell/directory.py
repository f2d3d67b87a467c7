"""
What a mailbox has beside events, as the service has it now: calendars, groups, shares, categories,
rooms.

Knows how lists are read to their end, how their rows are found by name, and which permission is
missing where the service refuses. Changes nothing, prints nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, TypeVar

from syncd.core.errors import BadAnswer, CommandError
from syncd.core.ids import AccountName
from syncd.core.wire.dialects.graph_directory import (
    Calendar,
    Category,
    GraphDirectory,
    Group,
    Permission,
    Room,
    RoomList,
    Row,
    read_page,
    reason,
)
from syncd.ports import Answer, Remote, Request
from syncd.shell.config_model import Account, Config
from syncd.shell.workshop import Workshop
from syncd.store.store import Store

__all__ = [
    "CALENDARS_WRITE",
    "SETTINGS_WRITE",
    "Directory",
    "chosen_account",
    "directory_of",
    "find_row",
    "split_calendar",
]

MOST_PAGES: Final = 1000
"""Far beyond any list of these; whoever has a further page then has one for ever."""
MOST_LISTED: Final = 20

CALENDARS_READ: Final = "Calendars.Read"
CALENDARS_WRITE: Final = "Calendars.ReadWrite"
SETTINGS_READ: Final = "MailboxSettings.Read"
SETTINGS_WRITE: Final = "MailboxSettings.ReadWrite"
PLACES: Final = "Place.Read.All"

R = TypeVar("R", bound=Row)


# --- which account, which calendar ---------------------------------------------------------------


def chosen_account(config: Config, named: str | None) -> AccountName:
    """
    The account that is meant: the one named, or the only one.

    Raises: CommandError: there is no such, or several and none was named.
    """
    if named is not None:
        if named in config.accounts:
            return AccountName(named)
        raise _unknown("account", named, list(config.accounts))
    if len(config.accounts) == 1:
        return next(iter(config.accounts))
    listed = ", ".join(config.accounts)
    raise CommandError(
        "there are several accounts", hint=f"Say which by `--account`; there is: {listed}."
    )


def split_calendar(config: Config, written: str, named: str | None) -> tuple[AccountName, str]:
    """Read `[ACCOUNT/]NAME`, beside `--account`. Raises: CommandError."""
    account, slash, name = written.partition("/")
    if not slash or account not in config.accounts:
        return chosen_account(config, named), written
    if named not in (None, account):
        raise CommandError(f"{written!r} is not of account {named!r}", hint="Name one of the two.")
    return AccountName(account), name


def directory_of(workshop: Workshop, account: str) -> Directory:
    """The directory of an account. Raises: CommandError: there is no such account."""
    mailbox = workshop.mailboxes.get(AccountName(account))
    if mailbox is None:
        raise _unknown("account", account, list(workshop.mailboxes))
    graph = GraphDirectory(mailbox.account.user_id)
    return Directory(mailbox.account, mailbox.remote, graph, workshop.store)


# --- reading -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Directory:
    """
    Everything of one mailbox that is no event, as the service has it now.

    Args: store: knows the folders of the calendars that are followed.
    All raise SyncdError: the service cannot be asked; CommandError: it refused, or has no such.
    """

    account: Account
    remote: Remote
    graph: GraphDirectory
    store: Store

    async def calendars(self) -> list[Calendar]:
        """All calendars, of all groups."""
        self.refuse_group()
        return await self._all(self.graph.calendars(), Calendar, "calendars", CALENDARS_READ)

    async def calendar(self, written: str) -> Calendar:
        """The calendar of that name or folder."""
        return find_row("calendar", written, await self.calendars(), await self.folders())

    async def folders(self) -> dict[str, str]:
        """The names of calendars' folders here, by the calendars' ids."""
        known = await self.store.calendars(self.account.name)
        return {str(one.id): one.folder for one in known}

    async def groups(self) -> list[Group]:
        """The calendar groups."""
        self.refuse_group()
        return await self._all(self.graph.groups(), Group, "calendar groups", CALENDARS_READ)

    async def group(self, written: str) -> Group:
        """The calendar group of that name."""
        return find_row("calendar group", written, await self.groups())

    async def calendars_of(self, group: Group) -> list[Calendar]:
        """The calendars of a group."""
        request = self.graph.calendars_of(group.id)
        return await self._all(request, Calendar, "calendars of the group", CALENDARS_READ)

    async def group_of(self, calendar: Calendar) -> Group | None:
        """The calendar group that has a calendar."""
        for group in await self.groups():
            if any(row.id == calendar.id for row in await self.calendars_of(group)):
                return group
        return None

    async def permissions(self, calendar: Calendar) -> list[Permission]:
        """Who may do what with a calendar; of another person's calendar nobody is told."""
        request = self.graph.permissions(calendar.id)
        return await self._all(request, Permission, "shares of the calendar", CALENDARS_READ)

    async def categories(self) -> list[Category]:
        """The list of categories."""
        self.refuse_group()
        return await self._all(self.graph.categories(), Category, "categories", SETTINGS_READ)

    async def category(self, written: str) -> Category:
        """The category of that name."""
        return find_row("category", written, await self.categories())

    async def room_lists(self) -> list[RoomList]:
        """The organization's lists of rooms."""
        return await self._all(self.graph.room_lists(), RoomList, "room lists", PLACES)

    async def rooms(self, of: RoomList | None = None) -> list[Room]:
        """The organization's rooms, or those of one list."""
        request = self.graph.rooms() if of is None else self.graph.rooms_of(of.email_address or "")
        return await self._all(request, Room, "rooms", PLACES)

    async def _all(self, request: Request, kind: type[R], what: str, scope: str) -> list[R]:
        """Every row of a list, of all its pages. Raises: BadAnswer: they do not end."""
        rows: dict[str, R] = {}
        seen: set[str] = set()
        while True:
            answer = await self.remote.read(request)
            if not answer.is_success:
                raise self.refused(f"list the {what}", answer, scope)
            page = read_page(answer, kind, what)
            # A page may repeat what another had: rows move while they are read.
            rows |= {row.id: row for row in page.rows}
            if not page.next_link:
                return list(rows.values())
            if page.next_link in seen or len(seen) >= MOST_PAGES:
                raise BadAnswer(f"the pages of the {what} do not end")
            seen.add(page.next_link)
            request = self.graph.follow(page.next_link, request.label)

    def refuse_group(self) -> None:
        """Raises: CommandError: it is a group's mailbox, which has none of these."""
        if self.account.user_kind == "group":
            raise CommandError(
                f"account {self.account.name!r} is a group's, which has one calendar and no more",
                hint="Name the account of a person.",
            )

    def refused(self, attempt: str, answer: Answer, scope: str) -> CommandError:
        """The error for what the service would not do. Args: attempt: completes "to"."""
        return CommandError(
            f"the service refused to {attempt}: {reason(answer)}",
            hint=_remedy(self.account, answer, scope),
        )


def _remedy(account: Account, answer: Answer, scope: str) -> str:
    if answer.status == 403:
        return _how_to_get(account, scope)
    if answer.status == 404:
        return "It is not there, or not any more; list them again."
    if answer.status == 409:
        return "There is one of that name already; choose another."
    return "Nothing was changed."


def _how_to_get(account: Account, scope: str) -> str:
    """Which permission is missing, and the way to it."""
    auth = account.auth
    if auth.is_application:
        return f"An administrator has to grant the application {scope}."
    if auth.method == "command":
        return f"The permission {scope} is missing: the program of `command` has to ask for it."
    if {scope, f"{scope}Write"} & set(account.login_scopes):
        return (
            f"Was {scope} granted at login (`syncd check`)? If so, it is not yours to do: the"
            " owner or an administrator may."
        )
    scopes = ", ".join(f'"{one}"' for one in (*account.login_scopes, scope))
    return (
        f"The permission {scope} is missing: write `scopes = [{scopes}]` into"
        f" [accounts.{account.name}.auth] and run `syncd login {account.name}`; a daemon that is"
        " running has to be started anew."
    )


# --- finding by name -----------------------------------------------------------------------------


def find_row(what: str, written: str, rows: Sequence[R], other: Mapping[str, str] = {}) -> R:
    """
    The row of that id or name, or of that name in another case.

    Args: what: of which kind they are. other: second names by id, such as a folder's.
    Raises: CommandError: none or several are meant.
    """
    wanted = written.casefold()
    levels: tuple[Callable[[R], bool], ...] = (
        lambda row: row.id == written,
        lambda row: row.title == written,
        lambda row: other.get(row.id) == written,
        lambda row: wanted in (row.title.casefold(), other.get(row.id, "").casefold()),
    )
    for fits in levels if written else ():
        found = [row for row in rows if fits(row)]
        if len(found) == 1:
            return found[0]
        if found:
            others = (other.get(row.id, written) for row in found)
            ids = ", ".join(
                row.id if one == written else one for row, one in zip(found, others, strict=True)
            )
            raise CommandError(
                f"{written!r} may be any of {len(found)} {what}s",
                hint=f"Write one of these instead: {ids}.",
            )
    raise _unknown(what, written, [row.title for row in rows])


def _unknown(what: str, name: str, names: Sequence[str]) -> CommandError:
    close = get_close_matches(name[:60], names, n=1, cutoff=0.5)
    listed = ", ".join(names[:MOST_LISTED]) or "none"
    hint = f"Did you mean {close[0]!r}?" if close else f"There is: {listed}."
    return CommandError(f"there is no {what} {name!r}", hint=hint)
