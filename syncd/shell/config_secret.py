"""
Secrets that lie outside the configuration: in a file, a systemd credential or a variable.

Knows the three forms and refuses files that everybody may read. Keeps nothing; no error tells a
secret.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from syncd.core.errors import ConfigError
from syncd.shell.config_errors import shown, shown_path
from syncd.shell.config_file import read_regular
from syncd.shell.config_values import expand_path

__all__ = ["read_secret"]

_SECRET_MOST_BYTES = 65_536


def read_secret(spec: str, env: Mapping[str, str] | None = None) -> str:
    """
    Return the secret that `spec` leads to, without one line end after it.

    Args: spec: an absolute path in which `~` and `$VAR` expand, or "env:NAME".
    Raises: ConfigError: it is not there, empty, no text, or open to everybody on this machine.
    The texts of these errors never hold the secret.
    """
    env = os.environ if env is None else env
    if spec.startswith("env:"):
        return _secret_of_variable(spec.removeprefix("env:"), env)
    try:
        path = Path(expand_path(spec, env))
    except ValueError as error:
        raise ConfigError(f"the file of a secret cannot be told: {error}") from error
    return _secret_of_file(path)


def _secret_of_variable(name: str, env: Mapping[str, str]) -> str:
    return _kept(env.get(name, ""), f"the variable {shown(name)}")


def _secret_of_file(path: Path) -> str:
    where = f"the file {shown_path(path)}"
    if not path.is_absolute():
        raise ConfigError("the file of a secret must be an absolute path (its text is not shown)")
    try:
        data, status = read_regular(path, _SECRET_MOST_BYTES)
        _refuse_open_secret(status, where, path)
        return _kept(data.decode(), where)
    except OSError as error:
        raise ConfigError(f"a secret cannot be read from {where}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"a secret cannot be read from {where}: it is no text") from None


def _refuse_open_secret(status: os.stat_result, where: str, path: Path) -> None:
    if status.st_mode & (stat.S_IROTH | stat.S_IWOTH):
        raise ConfigError(
            f"{where} holds a secret and is open to everybody on this machine",
            hint=f"Run `chmod 600 {path}`, and replace the secret if others may have read it.",
        )


def _kept(text: str, where: str) -> str:
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise ConfigError(f"a secret is missing: {where} is empty or not set")
    return secret
