"""
What all tests share: searches by hypothesis repeat themselves, so that a red run means a change.

`SYNCD_SEARCH=1` searches anew instead.
"""

import gc
import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite",
    max_examples=50,
    derandomize=not os.environ.get("SYNCD_SEARCH"),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")

TESTS = Path(__file__).parent


def pytest_sessionstart(session: pytest.Session) -> None:
    """
    Each worker of a run of everything begins elsewhere: what it compiles the others find compiled.

    In the same order they would all compile every module at the same moment.
    """
    worker, count = (os.environ.get(f"PYTEST_XDIST_WORKER{name}", "") for name in ("", "_COUNT"))
    if not worker or session.config.args != session.config.getini("testpaths"):
        return
    modules = sorted(TESTS.rglob("test_*.py"))
    first = len(modules) * int(worker.removeprefix("gw")) // int(count)
    for path in (*modules[first:], *modules[:first]):
        # What cannot be imported is told when it is collected.
        with suppress(Exception, pytest.skip.Exception):
            import_module(".".join(path.relative_to(TESTS.parent).with_suffix("").parts))


def pytest_collection_finish() -> None:
    """Six thousand tests stay until the end: the collector need not walk through them each time."""
    gc.collect()
    gc.freeze()
