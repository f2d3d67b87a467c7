"""
What a shell offers for a word that is being typed: UIDs, calendars, problems, one of some words.

Knows where to look; whatever goes wrong there is no reason to disturb somebody who is typing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from syncd.shell.commands.common import Invocation

__all__ = ["offering", "one_of"]

Offer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def offering(what: str) -> Offer:
    """Completion with what the state has of a sort: "uid", "calendar" or "problem"."""

    def offer(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            return _offered(ctx, what, incomplete)
        except Exception:  # a broken configuration is told by the command, not while it is typed
            return []

    return offer


def one_of(words: Callable[[], Iterable[str]]) -> Offer:
    """Completion with the words that may stand there, looked up when they are asked for."""

    def offer(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
        beginning = incomplete.casefold()
        return [CompletionItem(one) for one in words() if one.casefold().startswith(beginning)]

    return offer


def _offered(ctx: click.Context, what: str, incomplete: str) -> list[CompletionItem]:
    from syncd.shell.config import load_config
    from syncd.shell.output import clean
    from syncd.shell.workshop import DATABASE
    from syncd.store.glance import glance

    said = ctx.find_object(Invocation) or _said_before(ctx)
    config = load_config(said.config_file)
    found = glance(config.state_dir / DATABASE, what, incomplete)
    # What would act on a terminal is nothing that could be typed.
    return [CompletionItem(name, help=clean(about)) for name, about in found if clean(name) == name]


def _said_before(ctx: click.Context) -> Invocation:
    """While a line is completed no command runs: what was said before it is in its parameters."""
    return Invocation(ctx.find_root().params.get("config_file"))
