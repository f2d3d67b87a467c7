"""The command line as such: help, errors and their exit codes, `init`, `check`, `login`."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd import __version__
from syncd.shell.cli import COMMANDS
from syncd.shell.config import load_config
from tests.shell.cli_world import World, syncd, world


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


class TestCommandLine:
    def test_version(self) -> None:
        """The version is printed."""
        assert syncd("--version").out == f"syncd {__version__}\n"

    def test_help(self) -> None:
        """The help names every command."""
        done = syncd("--help")

        assert done.code == 0
        assert all(f"  {command} " in done.out for command in COMMANDS)

    @pytest.mark.parametrize("command", COMMANDS)
    def test_help_of_a_command(self, command: str) -> None:
        """Every command has help."""
        assert syncd(command, "--help").code == 0

    def test_mistyped_command(self) -> None:
        """A command that is none is wrong usage, and the nearest is told."""
        done = syncd("stauts")

        assert done.code == 2
        assert "status" in done.err

    def test_no_configuration(self, tmp_path: Path) -> None:
        """Without a configuration the file that was looked for and the remedy are told."""
        done = syncd("--config", str(tmp_path / "none.toml"), "status")

        assert done.code == 2
        assert "none.toml" in done.err
        assert "syncd init" in done.err

    def test_mistake_in_the_configuration(self, here: World) -> None:
        """A key that is none is told with the nearest valid name; nothing is made."""
        here.configure("[sync]\nconflcit = 'ask'")

        done = here.syncd("sync")

        assert done.code == 2
        assert "conflict" in done.err
        assert not (here.folder / "state").exists()

    def test_start(self) -> None:
        """A start imports nothing that only some commands need."""
        heavy = "{'aiohttp', 'msal', 'rich', 'sqlite_utils', 'structlog', 'icalendar', 'msgspec'}"
        code = f"import sys, syncd.shell.cli; print({heavy} & sys.modules.keys())"

        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

        assert done.stdout == "set()\n"

    def test_module(self) -> None:
        """`python -m syncd` is the command line."""
        command = [sys.executable, "-m", "syncd", "--version"]

        done = subprocess.run(command, capture_output=True, text=True)

        assert (done.returncode, done.stdout) == (0, f"syncd {__version__}\n")


class TestInit:
    FLAGS = ("--method", "device-code", "--client-id", "1234", "--export-dir", "/tmp/calendars")

    def test_flags(self, tmp_path: Path) -> None:
        """What the flags say is written, for the owner alone, and can be loaded."""
        path = tmp_path / "new" / "config.toml"

        done = syncd("--config", str(path), "init", *self.FLAGS, "--account", "home")

        config = load_config(path)
        assert done.code == 0
        assert path.stat().st_mode & 0o777 == 0o600
        assert list(config.accounts) == ["home"]
        assert str(config.export_dir) == "/tmp/calendars"

    def test_hostile_values(self, tmp_path: Path) -> None:
        """Quotes, backslashes and line ends stay within their values."""
        path = tmp_path / "config.toml"
        flags = ("--method", "command", "--command", "sh -c 'echo \"a\\b\" 😀'")

        done = syncd(
            "--config", str(path), "init", *flags, "--account", 'a"b', "--export-dir", "/x"
        )

        (account,) = load_config(path).accounts.values()
        assert done.code == 0
        assert (account.name, account.auth.command) == ('a"b', ("sh", "-c", 'echo "a\\b" 😀'))

    def test_existing_file(self, tmp_path: Path) -> None:
        """A file that is there is never written over."""
        path = tmp_path / "config.toml"
        path.write_text("mine")

        done = syncd("--config", str(path), "init", *self.FLAGS)

        assert (done.code, path.read_text()) == (2, "mine")

    def test_nothing_to_ask_on(self, tmp_path: Path) -> None:
        """Without a terminal the flag that is missing is named, and nothing is written."""
        path = tmp_path / "config.toml"

        done = syncd("--config", str(path), "init", "--method", "device-code")

        assert done.code == 2
        assert "--client-id" in done.err
        assert not path.exists()

    def test_values_that_cannot_be(self, tmp_path: Path) -> None:
        """What could not be loaded is not written."""
        path = tmp_path / "config.toml"

        done = syncd("--config", str(path), "init", *self.FLAGS, "--base-url", "nonsense")

        assert done.code == 2
        assert not path.exists()


class TestCheck:
    def test_all_is_well(self, here: World) -> None:
        """Each thing has its line, and the exit code is 0."""
        done = here.syncd("check")

        assert done.code == 0
        for subject in ("configuration", "state folder", "export folder", "login", "zone", "clock"):
            assert subject in done.out
        assert "FAIL" not in done.out

    def test_what_the_mailbox_says_of_days(self, here: World) -> None:
        """Zone, working hours and formats are Outlook's own; nothing of them is configured."""
        done = here.syncd("check")

        assert (
            "ok    work: settings: works Mon-Fri 08:00-17:00 (UTC); writes yyyy-MM-dd HH:mm"
            in done.out
        )

    @pytest.mark.parametrize(
        ("said", "text"),
        [
            ({"workingHours": 7, "dateFormat": 5}, "tells no working hours; writes HH:mm"),
            (
                {"workingHours": None, "dateFormat": "", "timeFormat": None},
                "tells no working hours",
            ),
        ],
    )
    def test_a_mailbox_that_says_odd_things_of_days(
        self, here: World, said: dict[str, Any], text: str
    ) -> None:
        """Nothing of a sync hangs on them."""
        here.mailbox.folders.settings |= said

        assert f"work: settings: {text}\n" in here.syncd("check").out
        assert here.syncd("sync").code == 0

    def test_no_token(self, here: World) -> None:
        """An account that gets no token exits with 3."""
        here.configure(auth='method = "command"\ncommand = ["false"]')

        done = here.syncd("check", "--json")

        assert done.code == 3
        assert [one["ok"] for one in done.json if one["subject"] == "work: login"] == [False]

    def test_state_that_others_can_read(self, here: World) -> None:
        """A state folder with wrong permissions is told with the remedy."""
        here.syncd("check")
        (here.folder / "state").chmod(0o755)

        done = here.syncd("check")

        assert done.code == 2
        assert "chmod" in done.out

    def test_configuration_that_cannot_be(self, here: World) -> None:
        """A wrong configuration is a finding like any other."""
        here.configure("nonsense = 1")

        done = here.syncd("check")

        assert done.code == 2
        assert "FAIL  configuration" in done.out


class TestLogin:
    def test_command(self, here: World) -> None:
        """An account whose tokens come from a command is tried, and no token is shown."""
        done = here.syncd("login")

        assert done.code == 0
        assert "sim-" not in done.out + done.err

    def test_unknown_account(self, here: World) -> None:
        """An account that is none is wrong usage, and the nearest is told."""
        done = here.syncd("login", "wrok")

        assert done.code == 2
        assert "work" in done.err

    def test_logout_of_a_command(self, here: World) -> None:
        """What syncd does not keep it cannot forget."""
        assert here.syncd("logout", "work").code == 2
