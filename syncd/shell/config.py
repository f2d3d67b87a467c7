"""
The configuration: one TOML file, read whole, checked whole, and then trusted.

Knows which values exclude each other and how findings are gathered; the keys themselves stand in
`config_keys`, the values they hold in `config_model`. Opens no connection and makes no folder; a
secret is read only by `read_secret`, at the moment it is used.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeGuard

from syncd.core.ids import AccountName
from syncd.shell.config_errors import At, Findings, Unfit, nearest, shown, shown_path
from syncd.shell.config_file import find_config, parse_toml, xdg_folder
from syncd.shell.config_keys import (
    ACCOUNT_KEYS,
    AUTH_KEYS,
    FILTER_KEYS,
    HOMES,
    LOG_KEYS,
    MAIL_KEYS,
    RESERVED_TABLES,
    SYNC_KEYS,
    TOP_KEYS,
    WINDOW_MOST_DAYS,
    Key,
    Table,
    default_values,
    merged,
    written_default,
)
from syncd.shell.config_model import (
    Account,
    Auth,
    AuthMethod,
    Config,
    Filter,
    LogSettings,
    MailPolicy,
    MailRule,
    SyncSettings,
)
from syncd.shell.config_secret import read_secret
from syncd.shell.config_values import Place, SecretSpec, is_line

__all__ = [
    "ACCOUNT_KEYS",
    "AUTH_KEYS",
    "DEFAULT_SYNC",
    "FILTER_KEYS",
    "LOG_KEYS",
    "MAIL_KEYS",
    "RESERVED_TABLES",
    "SYNC_KEYS",
    "TOP_KEYS",
    "Account",
    "Auth",
    "AuthMethod",
    "Config",
    "Filter",
    "Key",
    "LogSettings",
    "MailPolicy",
    "MailRule",
    "SyncSettings",
    "Table",
    "check_tables",
    "find_config",
    "load_config",
    "read_secret",
    "written_default",
]

_REGISTER = (
    "the id of an app registration: in the Microsoft Entra admin center, App registrations, New "
    "registration; allow public client flows; grant the delegated permissions "
    "Calendars.ReadWrite, User.Read and MailboxSettings.Read; copy its Application (client) ID"
)


def load_config(explicit: Path | None = None, env: Mapping[str, str] | None = None) -> Config:
    """
    Find, read and check the configuration.

    Args: explicit: the file of `--config`. env: the environment, the process's own by default.
    Raises: ConfigError: no file, an unreadable one, TOML that is none, or findings, one per line.
    """
    env = os.environ if env is None else env
    path, text = find_config(explicit, env)
    return check_tables(parse_toml(text, path), path, env)


def check_tables(raw: dict[str, Any], path: Path, env: Mapping[str, str]) -> Config:
    """
    Return the configuration that TOML's tables `raw`, read from `path`, stand for.

    Raises: ConfigError: findings, one per line.
    """
    findings = Findings(path)
    reading = _Reading(Place(env, path.parent), findings)
    config = reading.config(raw)
    findings.raise_if_any()
    return config


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads tables, noting what is wrong and going on with the default in its stead."""

    place: Place
    findings: Findings

    def config(self, raw: dict[str, Any]) -> Config:
        values = self.table(raw, TOP_KEYS, ())
        sync = merged(default_values(SYNC_KEYS), values.pop("sync", {}))
        self.check_window(sync, raw.get("sync"), ("sync",))
        values = self.completed(values, TOP_KEYS)
        state_dir = values["state_dir"] or _default_state_dir(self.place.env)
        self.check_folders(values["export_dir"], state_dir)
        return Config(
            path=self.findings.file,
            export_dir=values["export_dir"],
            state_dir=state_dir,
            log=LogSettings(**merged(default_values(LOG_KEYS), values["log"] or {})),
            accounts=MappingProxyType(self.accounts(raw.get("accounts", {}), sync)),
        )

    def table(self, raw: dict[str, Any], keys: tuple[Key, ...], at: At) -> dict[str, Any]:
        """Return the values of `raw` that are known and fit, by attribute."""
        known = {key.name: key for key in keys}
        values: dict[str, Any] = {}
        for name, value in raw.items():
            if name not in known:
                self.unknown(name, known, at)
                continue
            try:
                values[known[name].attribute] = self.value(known[name], value, (*at, name))
            except Unfit as error:
                self.findings.unfit((*at, name), error)
        return values

    def value(self, key: Key, value: object, at: At) -> Any:
        """Raises: Unfit."""
        match key.kind:
            case Table(keys, allowed):
                if not _is_table(value):
                    raise Unfit(shown(value), allowed)
                return self.table(value, keys, at) if keys else value
            case kind:
                return kind.read(value, self.place)

    def completed(self, given: dict[str, Any], keys: tuple[Key, ...]) -> dict[str, Any]:
        """
        Return `given` with the defaults of the other `keys`, None where there is none.

        A default that cannot be read (~ without a home folder) is a finding like any other.
        """
        left = [key for key in keys if key.attribute not in given]
        written = {key.name: key.default for key in left if key.default is not None}
        return {key.attribute: None for key in left} | self.table(written, keys, ()) | given

    def unknown(self, name: str, known: Iterable[str], at: At) -> None:
        """Note a key that is not known. Its value is never shown: it may be a secret."""
        here = (*at, name)
        close = nearest(name, known)
        if not at and name in RESERVED_TABLES:
            self.findings.add(here, "a table that is reserved for later", "nothing under this name")
        elif name in ("client_secret", "secret", "password") and at[-1:] == ("auth",):
            allowed = 'client_secret_file = "FILE", "$CREDENTIALS_DIRECTORY/name" or "env:NAME"'
            self.findings.add(here, "a secret; none may stand here", allowed, "client_secret_file")
        elif name in HOMES:
            self.findings.add(here, "a key of another table", f"{name} in {HOMES[name]}")
        else:
            self.findings.add(here, "an unknown key", ", ".join(known), close)

    # -- accounts

    def accounts(self, raw: object, general: dict[str, Any]) -> dict[AccountName, Account]:
        if not _is_table(raw):
            return {}
        if not raw:
            self.findings.add(("accounts",), "no account", "at least one table [accounts.NAME]")
        accounts = {}
        for name, table in raw.items():
            at = ("accounts", name)
            if not _is_folder_name(name):
                self.findings.add(at, "a name that cannot be a folder's", _ACCOUNT_NAMES)
            if _is_table(table):
                accounts[AccountName(name)] = self.account(name, table, general, at)
            else:
                self.findings.add(at, shown(table), "a table")
        return accounts

    def account(self, name: str, raw: dict[str, Any], general: dict[str, Any], at: At) -> Account:
        values = self.completed(self.table(raw, ACCOUNT_KEYS, at), ACCOUNT_KEYS)
        sync = merged(general, values["sync"] or {})
        self.check_window(sync, raw.get("sync"), (*at, "sync"))
        calendars = self.calendars(values["calendars"] or {}, sync, (*at, "calendars"))
        chosen = self.completed(values["calendar_filter"] or {}, FILTER_KEYS)
        account = Account(
            **{
                **values,
                "name": AccountName(name),
                "auth": self.auth(values["auth"] or {}),
                "calendar_filter": Filter(**chosen),
                "sync": _settings(sync),
                "calendars": calendars,
            }
        )
        self.check_account(account, raw, at)
        return _read_only(account) if account.user_kind == "group" else account

    def auth(self, given: dict[str, Any]) -> Auth:
        values = self.completed(given, AUTH_KEYS)
        standard = f"https://login.microsoftonline.com/{values['tenant']}"
        return Auth(**{**values, "authority": values["authority"] or standard})

    def calendars(
        self, raw: dict[str, Any], general: dict[str, Any], at: At
    ) -> Mapping[str, SyncSettings]:
        settings = {}
        for name, table in raw.items():
            here = (*at, name)
            if not name or not is_line(name):
                self.findings.add(here, "a name that no calendar has", "a calendar's name")
            if not _is_table(table):
                self.findings.add(here, shown(table), "a table")
                continue
            values = merged(general, self.table(table, SYNC_KEYS, here))
            self.check_window(values, table, here)
            settings[name] = _settings(values)
        return MappingProxyType(settings)

    # -- values that exclude each other

    def check_window(self, values: dict[str, Any], raw: object, at: At) -> None:
        """Note a window that is too long, where it is written (not again where it is inherited)."""
        days = values["past_days"] + values["future_days"]
        own = [name for name in ("past_days", "future_days") if _is_table(raw) and name in raw]
        if own and days > WINDOW_MOST_DAYS:
            allowed = f"past_days + future_days at most {WINDOW_MOST_DAYS}"
            self.findings.add((*at, own[-1]), f"{days} days in all", allowed)

    def check_folders(self, export_dir: Path | None, state_dir: Path) -> None:
        """Note folders of which one is in the other: syncd would watch its own writes."""
        if export_dir is None:
            return
        export, state = (Path(os.path.realpath(folder)) for folder in (export_dir, state_dir))
        if export.is_relative_to(state) or state.is_relative_to(export):
            found = f"{shown_path(state_dir)} beside export_dir = {shown_path(export_dir)}"
            self.findings.add(("state_dir",), found, "two folders, neither within the other")

    def check_account(self, account: Account, raw: dict[str, Any], at: At) -> None:
        auth = account.auth
        if account.api == "outlook-v2":
            self.findings.add(
                (*at, "api"), '"outlook-v2", a dialect that does not exist yet', "graph"
            )
        if account.user == "me" and auth.is_application:
            allowed = (
                f'a user id, a UPN or "group:<id>": with method = "{auth.method}" there is no "me"'
            )
            self.findings.add((*at, "user"), '"me"', allowed)
        if account.ca_file is not None and not _is_readable_file(account.ca_file):
            found = f"{shown_path(account.ca_file)}, which cannot be read"
            self.findings.add((*at, "ca_file"), found, "a readable file of certificates (PEM)")
        if account.user_kind == "group":
            self.check_group(raw, at)
        self.check_auth(auth, (*at, "auth"))

    def check_auth(self, auth: Auth, at: At) -> None:
        """Note what the method of login needs and lacks."""
        if auth.method == "command":
            if not auth.command or not auth.command[0]:
                self.findings.add((*at, "command"), "no program", "a list: program, arguments")
            return
        if not auth.client_id:
            self.findings.add((*at, "client_id"), "none", _REGISTER)
        if auth.method == "client-secret" and not auth.client_secret_file:
            self.findings.add((*at, "client_secret_file"), "none", SecretSpec().allowed)
        if auth.method == "client-certificate" and not auth.certificate_file:
            self.findings.add((*at, "certificate_file"), "none", SecretSpec().allowed)

    def check_group(self, raw: dict[str, Any], at: At) -> None:
        """Note where two-way was asked for on calendars that the service lets nobody write."""
        calendars = raw.get("calendars")
        tables = [((*at, "sync"), raw.get("sync"))]
        if _is_table(calendars):
            tables += [((*at, "calendars", name), table) for name, table in calendars.items()]
        for here, table in tables:
            if _is_table(table) and table.get("direction") == "two-way":
                found = '"two-way" for a group'
                self.findings.add((*here, "direction"), found, '"pull": groups are read-only')


_ACCOUNT_NAMES = (
    "1 to 64 characters (255 bytes) without / and \\ and control characters, "
    "not beginning with a dot or a dash, without spaces at its ends"
)


def _is_folder_name(name: str) -> bool:
    fits = 0 < len(name) <= 64 and len(name.encode()) <= 255 and name == name.strip()
    return fits and is_line(name) and name[0] not in ".-" and not set(name) & set("/\\")


def _is_readable_file(path: Path) -> bool:
    return os.path.isfile(path) and os.access(path, os.R_OK)


def _is_table(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _default_state_dir(env: Mapping[str, str]) -> Path:
    # systemd.exec(5): several folders are set apart by colons; the first is ours.
    given = env.get("STATE_DIRECTORY", "").split(":")[0]
    if given.startswith("/"):
        return Path(given)
    return xdg_folder("XDG_STATE_HOME", "~/.local/state", env) / "syncd"


def _settings(values: dict[str, Any]) -> SyncSettings:
    return SyncSettings(**{**values, "mail": MailPolicy(**values["mail"])})


def _read_only(account: Account) -> Account:
    pulled = {
        name: replace(settings, direction="pull") for name, settings in account.calendars.items()
    }
    sync = replace(account.sync, direction="pull")
    return replace(account, sync=sync, calendars=MappingProxyType(pulled))


DEFAULT_SYNC = _settings(default_values(SYNC_KEYS))
"""The settings of a calendar for which the configuration says nothing."""
