"""
What all tests share: searches by hypothesis repeat themselves, so that a red run means a change.

`SYNCD_SEARCH=1` searches anew instead.
"""

import gc
import os

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


def pytest_collection_finish() -> None:
    """Six thousand tests stay until the end: the collector need not walk through them each time."""
    gc.collect()
    gc.freeze()
