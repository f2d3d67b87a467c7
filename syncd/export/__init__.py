"""Exporters: a file for each, and a table; each reads a snapshot of items, none touches a round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from syncd.export.feed import write_feed
from syncd.export.snapshot import Snapshot

__all__ = ["EXPORTERS", "Exporter", "Snapshot"]

Exporter = Callable[[Path, Snapshot], None]
"""Writes a snapshot below an export folder. Raises: DiskTrouble."""

EXPORTERS: Mapping[str, Exporter] = {"feeds": write_feed}
"""By the configuration key that switches the exporter on."""
