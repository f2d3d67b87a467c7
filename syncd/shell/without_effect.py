"""
Keys of the configuration that are accepted, because they belong to it, and have no effect yet.

Whoever sets one is told, at start and by `syncd check`, rather than left to find out.
"""

from __future__ import annotations

from collections.abc import Iterator

from syncd.shell.config import DEFAULT_SYNC, Config, SyncSettings

__all__ = ["WITHOUT_EFFECT", "settings_without_effect"]

WITHOUT_EFFECT = ("delete_attachments",)


def settings_without_effect(config: Config) -> list[str]:
    """The keys that are set to other than their defaults and change nothing, each once."""
    found = (name for settings in _all_settings(config) for name in _set_in(settings))
    return sorted(dict.fromkeys(found))


def _all_settings(config: Config) -> Iterator[SyncSettings]:
    for account in config.accounts.values():
        yield account.sync
        yield from account.calendars.values()


def _set_in(settings: SyncSettings) -> Iterator[str]:
    for name in WITHOUT_EFFECT:
        if getattr(settings, name) != getattr(DEFAULT_SYNC, name):
            yield name
