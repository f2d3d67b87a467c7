"""
What a checked configuration is: plain values, merged and complete.

Knows the fields and what follows from them (whose calendars, which permissions, which settings a
calendar has). Does not know TOML, files or the environment; nothing here checks anything.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from syncd.core.ids import AccountName

__all__ = [
    "APPLICATION_METHODS",
    "GROUP_PREFIX",
    "Account",
    "Auth",
    "AuthMethod",
    "Config",
    "Filter",
    "LogSettings",
    "MailPolicy",
    "MailRule",
    "SyncSettings",
]

GROUP_PREFIX = "group:"
APPLICATION_METHODS = ("client-secret", "client-certificate")
MailRule = Literal["send", "hold", "never"]
AuthMethod = Literal["device-code", "interactive", "client-secret", "client-certificate", "command"]


# --- what a configuration is ---


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How much is logged, and in which form."""

    level: Literal["debug", "info", "warning", "error"]
    format: Literal["auto", "console", "json"]


@dataclass(frozen=True, slots=True)
class MailPolicy:
    """What happens to each kind of write that makes the service mail people."""

    invitations: MailRule
    updates: MailRule
    cancellations: MailRule
    responses: MailRule


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """How one calendar is kept in step; `SYNC_KEYS` tells each field's meaning and default."""

    poll_interval_s: int
    true_up_s: int
    past_days: int
    future_days: int
    direction: Literal["two-way", "pull"]
    conflict: Literal["remote", "local", "newest", "ask"]
    max_deletes: int
    max_delete_percent: int
    max_imports: int
    mail: MailPolicy
    history_s: int
    export_mode: int
    html: Literal["none", "altrep", "x-alt-desc", "styled"]
    rich_body: Literal["hold", "replace"]
    locations: Literal["text", "vlocation"]
    attachments: Literal["link", "inline", "off"]
    delete_attachments: bool
    cancelled_override: Literal["hold", "delete"]
    foreign_meeting: Literal["hold", "copy"]
    feeds: bool


@dataclass(frozen=True, slots=True)
class Auth:
    """
    How an account signs in.

    `authority` is complete, without a slash at its end. `scopes` is empty unless given (see
    `Account.login_scopes`). `client_secret_file` and `certificate_file` are for `read_secret`.
    """

    method: AuthMethod
    client_id: str
    tenant: str
    authority: str
    scopes: tuple[str, ...]
    command: tuple[str, ...]
    client_secret_file: str
    certificate_file: str

    @property
    def is_application(self) -> bool:
        """Whether the program signs in as itself, so that there is no "me"."""
        return self.method in APPLICATION_METHODS


@dataclass(frozen=True, slots=True)
class Filter:
    """Which calendars of an account are kept in step, by shell patterns on their names."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]

    def admits(self, calendar_name: str) -> bool:
        """Say whether the calendar is included and not excluded; case counts."""
        return _matches(calendar_name, self.include) and not _matches(calendar_name, self.exclude)


@dataclass(frozen=True, slots=True)
class Account:
    """
    One mailbox on one service.

    `base_url` has no slash at its end. `sync` and `calendars` are merged with what is more general.
    """

    name: AccountName
    api: Literal["graph", "outlook-v2"]
    base_url: str
    user: str
    addresses: tuple[str, ...]
    ca_file: Path | None
    auth: Auth
    calendar_filter: Filter
    sync: SyncSettings
    calendars: Mapping[str, SyncSettings]

    @property
    def user_kind(self) -> Literal["me", "user", "group"]:
        """Whose calendars: the signed-in person's, a named user's, or a group's (read-only)."""
        if self.user == "me":
            return "me"
        return "group" if self.user.startswith(GROUP_PREFIX) else "user"

    @property
    def user_id(self) -> str:
        """The id (or UPN) of the user or group, without its prefix; "me" stays "me"."""
        return self.user.removeprefix(GROUP_PREFIX)

    @property
    def login_scopes(self) -> tuple[str, ...]:
        """The permissions to ask for at login: those given, else what the direction needs."""
        if self.user_kind == "group":
            return self.auth.scopes or ("Group.Read.All", "User.Read")
        return self.auth.scopes or _default_scopes((self.sync, *self.calendars.values()))

    def sync_for(self, calendar_name: str) -> SyncSettings:
        """Return the settings of the calendar of that name."""
        return self.calendars.get(calendar_name, self.sync)


@dataclass(frozen=True, slots=True)
class Config:
    """One configuration file, checked; folders are absolute and neither holds the other."""

    path: Path
    export_dir: Path
    state_dir: Path
    log: LogSettings
    accounts: Mapping[AccountName, Account]


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _default_scopes(settings: Iterable[SyncSettings]) -> tuple[str, ...]:
    writes = any(each.direction == "two-way" for each in settings)
    calendars = "Calendars.ReadWrite" if writes else "Calendars.Read"
    return (calendars, "User.Read", "MailboxSettings.Read")
