"""
Every key that a configuration may have: one line each, in tables that docs and tests read too.

Knows names, kinds, defaults and meanings, and how a special table merges into a general one. Does
not know which values exclude each other, nor what the settings do.
"""

# ruff: noqa: E501 - one key is one line, so that a new key is one new line.

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncd.shell.config_model import APPLICATION_METHODS, GROUP_PREFIX
from syncd.shell.config_values import (
    Choice,
    Count,
    Duration,
    FilePath,
    Flag,
    Kind,
    Mode,
    Place,
    SecretSpec,
    Text,
    Texts,
    Url,
)

__all__ = [
    "ACCOUNT_KEYS",
    "AUTH_KEYS",
    "FILTER_KEYS",
    "HOMES",
    "LOG_KEYS",
    "MAIL_KEYS",
    "RESERVED_TABLES",
    "SYNC_KEYS",
    "TOP_KEYS",
    "WINDOW_MOST_DAYS",
    "Key",
    "Table",
    "default_values",
    "merged",
    "written_default",
]

WINDOW_MOST_DAYS = 1800
"""The longest span that Graph's calendarView answers is 1,825 days."""


@dataclass(frozen=True, slots=True)
class Table:
    """The kind of a key that holds a table of further keys."""

    keys: tuple["Key", ...]
    allowed: str = "a table"


@dataclass(frozen=True, slots=True)
class Key:
    """
    One key of a table.

    Args: default: as TOML has it; None where it comes from elsewhere or there is none. field: the
    name of our attribute where it is not the key's own.
    """

    name: str
    kind: Kind | Table
    default: object
    meaning: str
    field: str = ""

    @property
    def attribute(self) -> str:
        """The name of our attribute."""
        return self.field or self.name


RESERVED_TABLES = ("hooks", "metrics", "web", "fleet")
_MAIL_RULE = Choice(("send", "hold", "never"))
_NAME = Text("a text without line ends")
_ARGUMENT = Text("a text without line ends", empty=True)
_ADDRESS = Text("an e-mail address", lambda text: _is_address(text))
_USER = Text('"me", a user id, a UPN or "group:<id>"', lambda text: _is_user(text))
_CLIENT_ID = Text("an application id", lambda text: not set(text) & set(" /"), empty=True)
_TENANT = Text(
    'a tenant id, a domain name, "common", "organizations" or "consumers"',
    lambda text: text.isascii() and text.replace("-", "").replace(".", "").isalnum(),
)
_SCOPE = Text("a permission name", lambda text: not any(map(str.isspace, text)))
_DAYS = Count(WINDOW_MOST_DAYS, "(past_days + future_days at most 1800)")

# fmt: off
MAIL_KEYS = (
    Key("invitations", _MAIL_RULE, "hold", "the first mail to people an event is created with, or who are added"),
    Key("updates", _MAIL_RULE, "send", "mails about a change of a meeting"),
    Key("cancellations", _MAIL_RULE, "hold", "mails that a meeting, or an occurrence of it, is off"),
    Key("responses", _MAIL_RULE, "send", "answers to invitations of others"),
)
SYNC_KEYS = (
    Key("poll_interval", Duration(), "60s", "pause between two rounds of a calendar", "poll_interval_s"),
    Key("true_up", Duration(), "6h", "how often both sides are compared whole, even when nothing seems to change", "true_up_s"),
    Key("past_days", _DAYS, 90, "how far back the view of a calendar reaches"),
    Key("future_days", _DAYS, 365, "how far ahead the view of a calendar reaches"),
    Key("direction", Choice(("two-way", "pull")), "two-way", "pull: a local edit is undone in the same round and kept in the history"),
    Key("conflict", Choice(("remote", "local", "newest", "ask")), "remote", "who wins where one field changed on both sides"),
    Key("max_deletes", Count(), 10, "deletions per calendar and side within an hour, held once they are more and more than max_delete_percent"),
    Key("max_delete_percent", Count(100, "(percent)"), 10, "share of the items known an hour ago that may be deleted, in percent"),
    Key("max_imports", Count(), 20, "creates from a folder that was never synced: a plan with more is held whole"),
    Key("mail", Table(MAIL_KEYS), None, "send, hold or never, for each kind of write that makes the service mail people"),
    Key("history", Duration(), "90d", "how long versions of both sides are kept", "history_s"),
    Key("export_mode", Mode(), "0600", "permissions of new files; an existing file keeps its own"),
    Key("html", Choice(("none", "altrep", "x-alt-desc", "styled")), "none", "a second, HTML form of the text"),
    Key("rich_body", Choice(("hold", "replace")), "hold", "a local edit of a text that has formatting on the server"),
    Key("locations", Choice(("text", "vlocation")), "text", "how places are written"),
    Key("attachments", Choice(("link", "inline", "off")), "link", "how attached files are written"),
    Key("delete_attachments", Flag(), False, "whether removing an ATTACH line deletes the attachment"),
    Key("cancelled_override", Choice(("hold", "delete")), "hold", "an occurrence that a local edit marks as cancelled"),
    Key("foreign_meeting", Choice(("hold", "copy")), "hold", "a new local file with a meeting that somebody else organises"),
    Key("feeds", Flag(), False, "also write each calendar whole as one read-only file below export_dir/.feeds"),
)
LOG_KEYS = (
    Key("level", Choice(("debug", "info", "warning", "error")), "info", "the least weighty event that is logged"),
    Key("format", Choice(("auto", "console", "json")), "auto", "auto: console on a terminal, JSON otherwise"),
)
FILTER_KEYS = (
    Key("include", Texts(_NAME, "shell patterns on calendar names"), ["*"], "calendars that are kept in step"),
    Key("exclude", Texts(_NAME, "shell patterns on calendar names"), ["Birthdays"], "calendars that are not, though included"),
)
AUTH_KEYS = (
    Key("method", Choice(("device-code", "interactive", *APPLICATION_METHODS, "command")), "device-code", "how to sign in"),
    Key("client_id", _CLIENT_ID, "", "the application (client) id of an app registration"),
    Key("tenant", _TENANT, "common", "whose accounts may sign in"),
    Key("authority", Url(empty=True), "", "where to sign in; default https://login.microsoftonline.com/<tenant>"),
    Key("scopes", Texts(_SCOPE, "permission names"), [], "permissions to ask for instead of the default ones"),
    Key("command", Texts(_ARGUMENT, "a program and its arguments"), [], "prints an access token, for method \"command\""),
    Key("client_secret_file", SecretSpec(), "", "where the client secret lies, for method \"client-secret\""),
    Key("certificate_file", SecretSpec(), "", "where certificate and key (PEM) lie, for method \"client-certificate\""),
)
ACCOUNT_KEYS = (
    Key("api", Choice(("graph", "outlook-v2")), "graph", "the dialect that the service speaks"),
    Key("base_url", Url(), "https://graph.microsoft.com/v1.0", "the root of the API"),
    Key("user", _USER, "me", "whose calendars; a group's are read-only"),
    Key("addresses", Texts(_ADDRESS, "e-mail addresses"), [], "further addresses of the owner, beside those the service names"),
    Key("ca_file", FilePath(empty=True), "", "an extra CA bundle (PEM), added to the system's"),
    Key("auth", Table(AUTH_KEYS), None, "how to sign in"),
    Key("calendar_filter", Table(FILTER_KEYS), None, "which calendars"),
    Key("sync", Table(SYNC_KEYS), None, "settings for all calendars of this account"),
    Key("calendars", Table((), "a table of calendar names"), None, "settings for one calendar, by its name"),
)
TOP_KEYS = (
    Key("export_dir", FilePath(), "~/Calendars", "the folder that people and their programs read and edit"),
    Key("state_dir", FilePath(), None, "database and token caches; default $STATE_DIRECTORY, then $XDG_STATE_HOME/syncd"),
    Key("log", Table(LOG_KEYS), None, "what is logged"),
    Key("sync", Table(SYNC_KEYS), None, "settings for all calendars"),
    Key("accounts", Table((), "a table of accounts"), None, "the mailboxes, by a name of your choice"),
)
# fmt: on

HOMES: Mapping[str, str] = {
    key.name: home
    for home, keys in (
        ("[accounts.NAME]", ACCOUNT_KEYS),
        ("[accounts.NAME.calendar_filter]", FILTER_KEYS),
        ("[accounts.NAME.auth]", AUTH_KEYS),
        ("[log]", LOG_KEYS),
        ("mail = { … } of [sync]", MAIL_KEYS),
        ("[sync]", SYNC_KEYS),
        ("the top of the file", TOP_KEYS),
    )
    for key in keys
}
"""In which table each key stands, for those who put it into another."""


def written_default(key: Key) -> str:
    """Return the key's default as TOML writes it, for docs and help; "" where there is none."""
    match key:
        case Key(kind=Table(keys)) if keys:
            inner = ", ".join(f"{inner.name} = {written_default(inner)}" for inner in keys)
            return f"{{ {inner} }}"
        case Key(default=None):
            return ""
        case Key(default=list(items)):
            return "[" + ", ".join(f'"{item}"' for item in items) + "]"
        case Key(default=str(text)):
            return f'"{text}"'
        case _:
            return str(key.default).lower()


def default_values(keys: tuple[Key, ...]) -> dict[str, Any]:
    """Return the defaults of keys that need no environment, by attribute."""
    nowhere = Place({}, Path("/"))
    return {
        key.attribute: default_values(key.kind.keys)
        if isinstance(key.kind, Table)
        else key.kind.read(key.default, nowhere)
        for key in keys
    }


def merged(general: dict[str, Any], special: dict[str, Any]) -> dict[str, Any]:
    """Return `general` with what `special` says, key by key, in tables within tables too."""
    inner = {
        name: merged(general[name], value)
        for name, value in special.items()
        if isinstance(value, dict) and name in general
    }
    return {**general, **special, **inner}


def _is_address(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    return bool(local and domain) and not any(c.isspace() or c in "<>," for c in text)


def _is_user(text: str) -> bool:
    name = text.removeprefix(GROUP_PREFIX)
    return bool(name) and not any(c.isspace() or c in "/\\?" for c in name)
