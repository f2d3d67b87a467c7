"""
Where a configuration is looked for, and how its file becomes TOML's tables.

Knows places and bytes; does not know any key.
"""

import errno
import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from syncd.core.errors import ConfigError
from syncd.shell.config_errors import shown_path
from syncd.shell.config_values import expand_path

__all__ = ["find_config", "parse_toml", "read_regular", "xdg_folder"]

_CONFIG_MOST_BYTES = 4_194_304


def find_config(explicit: Path | None, env: Mapping[str, str]) -> tuple[Path, str]:
    """
    Return the first configuration file there is, absolute, and its text.

    A file that was named (`--config`, then `$SYNCD_CONFIG`) must be there; the others may not.
    Raises: ConfigError: none is there, or one cannot be read.
    """
    places = [Path(os.path.abspath(place)) for place in _places(explicit, env)]
    for place in places:
        text = _text_if_there(place)
        if text is not None:
            return place, text
    looked = ", ".join(shown_path(place) for place in places)
    raise ConfigError(
        f"there is no configuration; looked for {looked}",
        hint="Run `syncd init` to write one, or name yours with --config FILE.",
    )


def read_regular(path: Path, most_bytes: int) -> tuple[bytes, os.stat_result]:
    """
    Return the first `most_bytes` of a regular file, and its status.

    Raises: OSError: as the system says, or EINVAL where it is no regular file.
    """
    # Not blocking, so that a pipe that nobody writes to is a finding and no wait.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        with open(fd, "rb", closefd=False) as file:
            return file.read(most_bytes), status
    finally:
        os.close(fd)


def _places(explicit: Path | None, env: Mapping[str, str]) -> list[Path]:
    if explicit is not None:
        return [explicit]
    if env.get("SYNCD_CONFIG"):
        return [Path(env["SYNCD_CONFIG"])]
    own = xdg_folder("XDG_CONFIG_HOME", "~/.config", env)
    return [own / "syncd/config.toml", Path("/etc/syncd/config.toml")]


def xdg_folder(variable: str, default: str, env: Mapping[str, str]) -> Path:
    # XDG Base Directory Specification: a relative path in these variables is to be ignored.
    value = env.get(variable, "")
    if value.startswith("/"):
        return Path(value)
    try:
        return Path(expand_path(default, env))
    except ValueError as error:
        raise ConfigError(f"neither ${variable} nor a home folder is known: {error}") from error


def _text_if_there(path: Path) -> str | None:
    try:
        data, _ = read_regular(path, _CONFIG_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(
            f"the configuration {shown_path(path)} cannot be read: {error.strerror}",
            hint="Mend its permissions, or name another file with --config FILE.",
        ) from error
    return _decoded(data, path)


def _decoded(data: bytes, path: Path) -> str:
    if len(data) > _CONFIG_MOST_BYTES:
        raise ConfigError(f"{shown_path(path)} is too large for a configuration")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{shown_path(path)}: line {line} is not UTF-8") from error


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    # A number of thousands of digits is a plain ValueError, tables nested too deep the other one.
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{shown_path(path)} is not TOML: {error}",
            hint="Texts stand in quotes, tables in [brackets]; see https://toml.io.",
        ) from error
