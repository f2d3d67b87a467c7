"""
`init` and `check`: a configuration to begin with, and what stands in its way.

Knows how a short configuration is written, and the order in which things are looked at; never
writes over a file, and changes nothing on the service.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from syncd.core.errors import CommandError, ConfigError, DiskTrouble, ExitCode, SyncdError
from syncd.shell.commands.common import Invocation, json_option, pass_invocation, run
from syncd.shell.config_model import APPLICATION_METHODS, AuthMethod
from syncd.shell.toml_text import toml_text

if TYPE_CHECKING:
    from syncd.core.mailbox_settings import MailboxSettings
    from syncd.ports import Pauses
    from syncd.shell.config_model import Account, Config

__all__ = ["check_command", "init_command", "written_config"]

METHODS: Final = get_args(AuthMethod)
SKEW_MOST_S: Final = 60.0


# --- init ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answers:
    """What a new configuration says; "" leaves a key out."""

    account: str
    export_dir: str
    method: str
    client_id: str
    tenant: str
    user: str
    state_dir: str = ""
    base_url: str = ""
    authority: str = ""
    ca_file: str = ""
    command: tuple[str, ...] = ()
    client_secret_file: str = ""
    certificate_file: str = ""


@click.command("init")
@click.option("--account", help="A name for the account; it becomes a folder.")
@click.option("--export-dir", help="Where the .ics files go.")
@click.option("--state-dir", default="", help="Where the state goes.")
@click.option("--method", type=click.Choice(METHODS), help="How to sign in.")
@click.option("--client-id", help="Application (client) ID of your app registration.")
@click.option("--tenant", default="", help="Id or domain of your organisation [default: common].")
@click.option("--user", default="", help="Whose calendars [default: me].")
@click.option("--base-url", default="", help="Another service than the worldwide one.")
@click.option("--authority", default="", help="Another login service than Microsoft's.")
@click.option("--ca-file", default="", help="An extra CA bundle (PEM).")
@click.option("--command", default="", help="For method command: prints a token.")
@click.option("--client-secret-file", default="", help="A file, never the secret itself.")
@click.option("--certificate-file", default="", help="Certificate and key (PEM).")
@pass_invocation
def init_command(invocation: Invocation, /, **given: Any) -> int:
    """Write a configuration, by questions or by flags; never over an existing one."""
    from syncd.shell.output import say

    path = _place(invocation)
    if os.path.lexists(path):
        raise ConfigError(
            f"{path} is there already; it was not touched",
            hint="Edit it, or name another file with --config FILE.",
        )
    _write_new(path, written_config(_answers(given)))
    say(f"Wrote {path}.", "green")
    say(_next_step(path, given))
    return ExitCode.OK


def _place(invocation: Invocation) -> Path:
    from syncd.shell.config_file import xdg_folder

    if invocation.config_file is not None:
        return invocation.config_file.absolute()
    named = os.environ.get("SYNCD_CONFIG")
    if named:
        return Path(named).absolute()
    return xdg_folder("XDG_CONFIG_HOME", "~/.config", os.environ) / "syncd/config.toml"


def _answers(given: dict[str, Any]) -> Answers:
    import shlex

    method = given["method"] or ("command" if given["command"] else None)
    method = method or _asked("How to sign in", "device-code", "--method", METHODS)
    needs_id = method != "command"
    client_id = given["client_id"] or ""
    if needs_id and not client_id:
        client_id = _asked("Application (client) ID of your app registration", None, "--client-id")
    command = given["command"]
    if method == "command" and not command:
        command = _asked("Command that prints a token", None, "--command")
    user = given["user"]
    if method in APPLICATION_METHODS and not user:
        user = _asked("Whose calendars (id or UPN)", None, "--user")
    plain = ("tenant", "state_dir", "base_url", "authority", "ca_file")
    return Answers(
        account=given["account"] or _asked("A name for the account", "work", "--account"),
        export_dir=given["export_dir"] or _asked("Folder", "~/Calendars", "--export-dir"),
        method=method,
        client_id=client_id,
        user=user,
        command=tuple(shlex.split(command)),
        client_secret_file=given["client_secret_file"],
        certificate_file=given["certificate_file"],
        **{name: given[name] for name in plain},
    )


def _asked(question: str, default: str | None, flag: str, choices: tuple[str, ...] = ()) -> str:
    """
    Ask on a terminal; without one the default counts.

    Raises: CommandError: there is neither.
    """
    if not sys.stdin.isatty():
        if default is None:
            raise CommandError(f"{flag} is missing", hint="There is no terminal to ask on.")
        return default
    kind = click.Choice(choices) if choices else str
    answer: str = click.prompt(question, default=default, type=kind)
    return answer


def written_config(answers: Answers) -> str:
    """The configuration as TOML: what was answered, and nothing that is the default anyway."""
    account = toml_text(answers.account)
    top = {"export_dir": answers.export_dir, "state_dir": answers.state_dir}
    own = {"base_url": answers.base_url, "user": answers.user, "ca_file": answers.ca_file}
    auth = {
        "method": answers.method,
        "client_id": answers.client_id,
        "tenant": answers.tenant,
        "authority": answers.authority,
        "command": list(answers.command),
        "client_secret_file": answers.client_secret_file,
        "certificate_file": answers.certificate_file,
    }
    lines = [*_lines(top), "", f"[accounts.{account}]", *_lines(own)]
    return "\n".join([*lines, "", f"[accounts.{account}.auth]", *_lines(auth), ""])


def _lines(values: dict[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, list) and value:
            yield f"{name} = [{', '.join(map(toml_text, value))}]"
        elif value:
            yield f"{name} = {toml_text(value)}"


def _write_new(path: Path, text: str) -> None:
    """
    Write the file, 0600, if it can be loaded.

    Raises: ConfigError: it cannot; it is not written then. DiskTrouble.
    """
    from syncd.shell.config import check_tables
    from syncd.shell.config_file import parse_toml

    check_tables(parse_toml(text, path), path, os.environ)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} is there already; it was not touched") from None
    except (OSError, UnicodeEncodeError) as error:
        raise DiskTrouble(f"{path} cannot be written: {error}") from error


def _next_step(path: Path, given: dict[str, Any]) -> str:
    standard = _place(Invocation())
    flag = "" if path == standard else f" --config {path}"
    return f"Next: `syncd{flag} check`, `syncd{flag} login`, `syncd{flag} sync`."


# --- check ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `check`; `code` is OK where all is well."""

    subject: str
    text: str
    code: ExitCode = ExitCode.OK
    hint: str = ""

    @classmethod
    def of(cls, subject: str, error: SyncdError) -> Finding:
        """What an error says."""
        return cls(subject, str(error), error.exit_code, error.hint)


@click.command("check")
@json_option
@pass_invocation
def check_command(invocation: Invocation, as_json: bool) -> int:
    """Look at configuration, folders, login, service and clock: a line each, with the remedy."""
    findings = run(_check(invocation, as_json=as_json))
    if as_json:
        _print_json(findings)
    # As everywhere: a bug before usage, login, and what passes.
    codes = {one.code for one in findings}
    for code in (ExitCode.BUG, ExitCode.USAGE, ExitCode.LOGIN, ExitCode.PASSES):
        if code in codes:
            return code
    return ExitCode.OK


async def _check(invocation: Invocation, *, as_json: bool) -> list[Finding]:
    findings = []
    async for finding in _findings(invocation):
        findings.append(finding)
        if not as_json:
            _print_finding(finding)
    return findings


def _print_finding(one: Finding) -> None:
    from syncd.shell.output import say

    good = one.code == ExitCode.OK
    # Only what is wrong has a remedy; a good finding may have a piece of advice.
    say(f"{'ok  ' if good else 'FAIL'}  {one.subject}: {one.text}", "" if good else "bold red")
    if one.hint:
        say(f"      {one.hint}")


def _print_json(findings: list[Finding]) -> None:
    from syncd.shell.output import print_json

    rows = [
        {"subject": one.subject, "ok": one.code == 0, "text": one.text, "hint": one.hint}
        for one in findings
    ]
    print_json(rows)


async def _findings(invocation: Invocation) -> AsyncIterator[Finding]:
    try:
        config = invocation.config()
    except ConfigError as error:
        yield Finding.of("configuration", error)
        return
    names = ", ".join(config.accounts)
    yield Finding("configuration", f"{config.path} (accounts: {names})")
    yield _state_folder(config)
    yield await _database(config)
    yield await _export_folder(config)
    for account in config.accounts.values():
        async for finding in _account(config, account):
            yield finding


def _state_folder(config: Config) -> Finding:
    from syncd.shell.workshop import make_state_dir

    subject = "state folder"
    try:
        make_state_dir(config)
        open_ = [path for path in _state_paths(config.state_dir) if _is_open(path)]
    except DiskTrouble as error:
        return Finding(subject, str(error), ExitCode.USAGE, error.hint)
    except OSError as error:
        text = f"{config.state_dir} cannot be looked at: {error.strerror}"
        return Finding(subject, text, ExitCode.USAGE, "Mend its permissions.")
    if open_:
        text = f"others may read {', '.join(map(str, open_))}"
        hint = f"chmod -R go-rwx {config.state_dir}"
        return Finding(subject, text, ExitCode.USAGE, hint)
    return Finding(subject, f"{config.state_dir} is for you alone")


def _state_paths(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.rglob("*")


def _is_open(path: Path) -> bool:
    status = path.lstat()
    return not stat.S_ISLNK(status.st_mode) and bool(status.st_mode & 0o077)


async def _database(config: Config) -> Finding:
    from syncd.shell.commands.common import open_store

    try:
        async with open_store(config) as store:
            calendars = await store.calendars()
    except SyncdError as error:
        return Finding.of("state", error)
    return Finding("state", f"{len(calendars)} calendars are known")


async def _export_folder(config: Config) -> Finding:
    from syncd.vdir.folder import exchange_works

    subject, folder = "export folder", config.export_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        swaps = await exchange_works(folder)
    except (OSError, DiskTrouble) as error:
        hint = "Mend its permissions, or set export_dir to a folder that you may write to."
        return Finding(subject, f"{folder} cannot be written to: {error}", ExitCode.USAGE, hint)
    if not swaps:
        text = f"{folder} is writable, but its file system cannot exchange two files"
        hint = "Every version that syncd replaces goes to the history instead."
        return Finding(subject, text, hint=hint)
    return Finding(subject, f"{folder} is writable, files are exchanged whole")


async def _account(config: Config, account: Account) -> AsyncIterator[Finding]:
    """Login first, then the service: without a token there is nothing to ask."""
    from syncd.clock import SystemClock
    from syncd.shell.workshop import login_of

    login = login_of(config, account, SystemClock())
    try:
        token = await login.token()
    except SyncdError as error:
        yield Finding.of(f"{account.name}: login", error)
        return
    who = await login.signed_in_as()
    yield Finding(f"{account.name}: login", f"signed in as {who}" if who else "gives a token")
    yield _rights(account, token)
    async for finding in _service(config, account):
        yield finding


def _rights(account: Account, token: str) -> Finding:
    """What the token says that it may do; an opaque one says nothing."""
    import jwt

    subject = f"{account.name}: rights"
    try:
        # Read for a person to see, never to decide by: the service alone judges a token.
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return Finding(subject, "the token does not tell; the service will")
    granted = set(str(claims.get("scp", "")).split()) | set(map(str, claims.get("roles") or ()))
    missing = [one for one in account.login_scopes if not _is_granted(one, granted)]
    if missing and not account.auth.is_application:
        text = f"{', '.join(missing)} not granted"
        return Finding(subject, text, ExitCode.LOGIN, f"Run `syncd login {account.name}`.")
    return Finding(subject, ", ".join(sorted(granted)) or "none told")


def _is_granted(scope: str, granted: set[str]) -> bool:
    short = scope.rpartition("/")[2]
    # Whoever may write may read.
    return bool({short, scope, short.replace(".Read", ".ReadWrite")} & granted) or (
        short in (".default", "offline_access", "openid", "profile")
    )


async def _service(config: Config, account: Account) -> AsyncIterator[Finding]:
    from syncd.clock import SystemClock
    from syncd.core.wire.dialects.graph_group import dialect_of
    from syncd.graph.transport import GraphRemote
    from syncd.graph.waits import Patience
    from syncd.shell.commands.common import PATIENCE_S
    from syncd.shell.output import log_fact
    from syncd.shell.workshop import login_of

    clock = SystemClock()
    dialect = dialect_of(account.user_id, is_group=account.user_kind == "group")
    async with AsyncExitStack() as stack:
        made = GraphRemote(
            account.base_url,
            login_of(config, account, clock),
            pauses=await _pauses(stack, config, account),
            clock=clock,
            ca_file=account.ca_file,
            patience=Patience(PATIENCE_S / 4),
            observe=log_fact,
        )
        remote = await stack.enter_async_context(made)
        try:
            identity = dialect.read_identity(await remote.read(dialect.identity()))
            addresses = ", ".join(identity.addresses) or identity.user_id
            yield Finding(f"{account.name}: service", f"{account.base_url} knows {addresses}")
            asked = dialect.mailbox_settings()
            if asked is not None:
                zone, settings = dialect.read_settings(await remote.read(asked))
                yield _zone(account, zone)
                yield _settings(account, settings)
            rows, _ = dialect.read_calendars(await remote.read(dialect.calendars()))
            yield Finding(f"{account.name}: calendars", ", ".join(row.name or "" for row in rows))
        except SyncdError as error:
            yield Finding.of(f"{account.name}: service", error)
        yield _skew(account, remote.clock_skew_s)


async def _pauses(stack: AsyncExitStack, config: Config, account: Account) -> Pauses:
    """Those that the state remembers; none where it cannot be used, which was told before."""
    from syncd.graph.waits import NoPauses
    from syncd.shell.commands.common import open_store
    from syncd.shell.workshop import StoredPauses

    try:
        return StoredPauses(await stack.enter_async_context(open_store(config)), account.name)
    except SyncdError:
        return NoPauses()


def _zone(account: Account, zone: str) -> Finding:
    subject = f"{account.name}: zone"
    if not zone:
        hint = "All-day events are placed in UTC. Set a time zone in the mailbox's settings."
        return Finding(subject, "the mailbox does not tell", hint=hint)
    return Finding(subject, zone)


def _settings(account: Account, settings: MailboxSettings) -> Finding:
    """What `agenda` and `find-time` go by."""
    formats = [one for one in (settings.date_format, settings.time_format) if one]
    hours = f"works {settings.hours}" if settings.hours is not None else "tells no working hours"
    text = f"{hours}; writes {' '.join(formats)}" if formats else hours
    return Finding(f"{account.name}: settings", text)


def _skew(account: Account, skew_s: float | None) -> Finding:
    subject = f"{account.name}: clock"
    if skew_s is None:
        return Finding(subject, "the service did not answer, so nothing is known of it")
    if abs(skew_s) > SKEW_MOST_S:
        way = "ahead of" if skew_s > 0 else "behind"
        text = f"this machine is {abs(skew_s):.0f} s {way} the service"
        hint = "Set the clock, for example with `timedatectl set-ntp true`."
        return Finding(subject, text, ExitCode.PASSES, hint)
    return Finding(subject, f"{skew_s:+.1f} s from the service's")
