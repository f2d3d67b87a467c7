"""What writes can be tried first: `--dry-run` shows it, and nothing has happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from syncd.shell.cli import cli
from tests.shell.cli_world import World, world

READING = {
    *("agenda", "attach get", "attach list", "calendars", "calendars show"),
    *("categories", "check", "free-busy"),
    *("groups", "groups show", "lint", "log", "problems", "problems show", "reminders"),
    *("reminders list", "rooms", "search", "show", "status", "why", "attach"),
}
OF_THIS_MACHINE = {"init", "login", "logout", "run", "simulate", "demo"}
"""Nothing of them reaches a calendar but what a round does, which `sync --dry-run` shows."""


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command with the words that call it."""
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        yield prefix + name, command
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")


def test_every_command_that_writes_can_be_tried_first() -> None:
    """Or is one of those that are known to write nothing."""
    found = dict(commands(cli))
    trying = {
        name
        for name, one in found.items()
        if any("--dry-run" in param.opts for param in one.params)
    }
    assert found.keys() - trying == READING | OF_THIS_MACHINE
    assert not trying & READING


@pytest.fixture
def held(tmp_path: Path) -> Iterator[World]:
    """All files were removed, which is held."""
    with world(tmp_path) as here:
        for number in range(3):
            here.event(f"Event {number}")
        here.syncd("sync")
        for path in here.files():
            path.unlink()
        here.syncd("sync")
        yield here


@pytest.mark.parametrize("word", ["approve", "discard"])
def test_a_decision_can_be_tried_first(held: World, word: str) -> None:
    """It says what would be done, item by item, and the problem goes on waiting."""
    [problem] = held.syncd("problems", "--json").json

    done = held.syncd(word, problem["id"], "--dry-run")

    assert done.code == 0
    assert all(f"Event {number}" in done.out for number in range(3))
    assert "Nothing was done." in done.out
    assert held.syncd("problems", "--json").json == [problem]
    assert (held.files(), len(held.subjects())) == ([], 3)
