"""Settings that change nothing yet are named, not passed over in silence."""

from __future__ import annotations

from pathlib import Path

from syncd.shell.config import load_config
from syncd.shell.without_effect import settings_without_effect

CONFIG = """
export_dir = "{root}/cal"
state_dir = "{root}/state"
[sync]
{setting}
[accounts.work.auth]
method = "command"
command = ["true"]
"""


def _config(root: Path, setting: str) -> list[str]:
    path = root / "c.toml"
    path.write_text(CONFIG.format(root=root, setting=setting))
    return settings_without_effect(load_config(path, {}))


def test_a_setting_that_does_nothing_is_named(tmp_path: Path) -> None:
    """Only what was set to other than its default counts, and what works is not named."""
    assert _config(tmp_path, "delete_attachments = true") == ["delete_attachments"]
    assert _config(tmp_path, "delete_attachments = false") == []
    assert _config(tmp_path, 'conflict = "newest"') == []
