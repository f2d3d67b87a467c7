"""`syncd demo` and `syncd simulate`: a service on this machine alone."""

import os
import re
import signal
import subprocess
import sys
import tomllib
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from urllib.request import urlopen

import pytest

from syncd.core.errors import CommandError
from syncd.shell.demo import run_demo
from syncd.shell.local_service import local_service


async def test_demo(tmp_path: Path) -> None:
    """The whole story ends well: both sides agree, and nobody got mail."""
    out = StringIO()

    with redirect_stdout(out):
        code = await run_demo(events=120, stay=False, folder=tmp_path / "demo")

    told = out.getvalue()
    assert code == 0
    assert re.search(r"\d+ instances on both sides, no difference", told)
    assert "0 mails" in told
    assert "gone from the service" in told
    assert "the file is gone" in told
    assert "the file is back" in told


async def test_demo_in_a_folder_in_use(tmp_path: Path) -> None:
    """A folder that holds something is left alone."""
    (tmp_path / "mine").touch()

    with pytest.raises(CommandError):
        await run_demo(events=10, stay=False, folder=tmp_path)


async def test_configuration_of_a_local_service(tmp_path: Path) -> None:
    """The configuration is TOML also where a folder's name is odd."""
    async with local_service(user="me@example.org", events=3, seed=1) as service:
        read = tomllib.loads(service.config('/a "b" \\ 😀', tmp_path))

    assert read["export_dir"] == '/a "b" \\ 😀'
    assert service.loaded == 3


def test_simulate() -> None:
    """The service prints a configuration, answers, and ends with 0 at a signal."""
    command = [sys.executable, "-m", "syncd", "simulate", "--events", "5"]
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as served:
        assert served.stderr is not None
        assert served.stdout is not None
        told = served.stderr.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+", told)
        assert address is not None
        with urlopen(f"{address[0]}/_simulator/ledger") as answer:
            assert answer.status == 200
        served.send_signal(signal.SIGTERM)
        config = tomllib.loads(served.stdout.read())

    assert served.returncode == 0
    assert config["accounts"]["demo"]["base_url"] == f"{address[0]}/v1.0"
