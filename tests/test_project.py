"""What holds for the files of the project themselves."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from syncd.shell.config import load_config

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = (
    "scripts/test",
    "scripts/check",
    "scripts/demo",
    "scripts/clients",
    "scripts/bench",
    "scripts/soak",
    "scripts/recurrence",
    "scripts/fuzz",
    "scripts/points",
    "scripts/coverage",
    "scripts/mutants",
    ".ci/run",
)
SHELL_FILES = (*SCRIPTS, "scripts/_venv.sh")
MADE = {"build", "dist", "__pycache__"}
TEXTS = {".py", ".md", ".toml", ".sh", ".service", ".timer", ".yml", ".yaml", ".cfg", ".ini", ""}

# Put together here, so that this file does not name what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w.~])/(?:wo[r]k|ro[o]t|fa[r]m|ho[m]e/[a-z]+)/")
REGISTRY_HOST = re.compile(r"https?://[\w.-]*(?:py[p]i|python[h]osted|npm[j]s|crat[e]s)\.")


def texts() -> dict[str, str]:
    """Return the texts of the project by name, without what tools make in its folder."""
    found = {}
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name == ".ci" or not _made(name)]
        for file in (Path(folder, name) for name in files):
            if file.suffix in TEXTS and file.is_file():
                found[str(file.relative_to(ROOT))] = file.read_text(errors="replace")
    return found


def _made(folder: str) -> bool:
    return folder in MADE or folder.startswith(".") or folder.endswith(".egg-info")


def lines_like(pattern: re.Pattern[str]) -> list[str]:
    """Return file and number of each line that the pattern is in."""
    return [
        f"{name}:{number}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_texts_are_looked_at() -> None:
    """The walk finds code, tests and scripts."""
    assert {"syncd/ports.py", "tests/test_project.py", *SHELL_FILES} <= texts().keys()


def test_no_path_of_a_machine() -> None:
    """No file names a folder that only one machine has."""
    assert MACHINE_PATH.search("see /" + "root/x")
    assert lines_like(MACHINE_PATH) == []


def test_no_package_registry() -> None:
    """Which registry packages come from is for the machine to say."""
    assert REGISTRY_HOST.search("https://" + "py" + "pi.org")
    assert lines_like(REGISTRY_HOST) == []


def test_example_configuration(tmp_path: Path) -> None:
    """The example can be used as it is."""
    config = load_config(ROOT / "config.example.toml", {"HOME": str(tmp_path)})

    assert list(config.accounts) == ["work"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_can_be_started(script: str) -> None:
    """A script is executable and says what runs it."""
    assert os.access(ROOT / script, os.X_OK)
    assert (ROOT / script).read_text().startswith("#!/bin/sh\n")


@pytest.mark.parametrize("script", SHELL_FILES)
def test_script_can_be_read(script: str) -> None:
    """The shell finds no mistake in a script's syntax."""
    done = subprocess.run(["sh", "-n", ROOT / script], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


def test_unit_file(tmp_path: Path) -> None:
    """systemd has nothing to say about the unit, not even a warning."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("this machine has no systemd-analyze")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}

    done = subprocess.run(
        [analyze, "verify", "--user", ROOT / "systemd/syncd.service"],
        capture_output=True,
        text=True,
        env=env,
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")
