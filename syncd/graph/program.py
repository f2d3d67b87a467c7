"""
Tokens without a person: an application's own sign-in, and a command that prints a token.

Knows msal's confidential client, PEM files and child processes. Keeps tokens in memory only.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

import msal
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from syncd.core.errors import ConfigError, LoginNeeded, SyncdError
from syncd.graph.authority import AuthorityHttp, app_arguments, login_failures, refusal, token_in
from syncd.graph.person import Held
from syncd.graph.settings import AuthSettings, LoginState
from syncd.ports import Clock

__all__ = ["ApplicationLogin", "CommandTokens"]

COMMAND_S: Final = 60.0  # how long a command may take
COMMAND_TOKEN_S: Final = 300.0  # nothing says how long its token lives; asking it costs little
MOST_OUTPUT_BYTES: Final = 64 * 1024
_MOST_PEM_BYTES = 1024 * 1024
_TOKEN = re.compile(rb"[\x21-\x7e]+")
_KEY_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)


class ApplicationLogin:
    """A `TokenSource` for a program that signs in as itself, with a secret or a certificate."""

    def __init__(self, settings: AuthSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._turn = asyncio.Lock()
        self._mutex = threading.Lock()
        self._http: AuthorityHttp | None = None
        self._app: msal.ConfidentialClientApplication | None = None
        self._held: Held | None = None
        self._state = LoginState(None, None)

    async def token(self) -> str:
        """Return an access token. See `TokenSource`; LoginNeeded: the credential is refused."""
        async with self._turn:
            held = self._held
            if held is not None and held.until_s > self._clock.monotonic_s():
                return held.token
            return await asyncio.to_thread(self._acquire)

    async def refused(self, token: str) -> None:
        """Ask for another token the next time, with the credential read anew."""
        if self._held is not None and self._held.token == token:
            self._held = self._app = None

    async def state(self) -> LoginState:
        """Return when this process last got a token."""
        return self._state

    async def signed_in_as(self) -> str | None:
        """Nobody: it is the program itself."""
        return None

    async def logout(self) -> None:
        """Forget the token."""
        self._held = self._app = None

    def _acquire(self) -> str:
        with self._mutex:
            try:
                return self._acquire_with(*self._opened())
            except SyncdError:
                # The next try reads the credential again, and msal's memory of the error ends.
                self._app = None
                raise

    def _acquire_with(self, app: msal.ConfidentialClientApplication, http: AuthorityHttp) -> str:
        with login_failures(self._settings, http):
            result = app.acquire_token_for_client(self._settings.application_scopes)
        token = token_in(result)
        if token is None:
            raise refusal(self._settings, http, result or {})
        self._held = Held.of(token, result, self._clock.monotonic_s())
        self._state = LoginState(None, self._clock.now())
        return token

    def _opened(self) -> tuple[msal.ConfidentialClientApplication, AuthorityHttp]:
        if self._app is None or self._http is None:
            credential = self._credential()
            self._http = AuthorityHttp(self._settings)
            with login_failures(self._settings, self._http):
                self._app = msal.ConfidentialClientApplication(
                    client_credential=credential, **app_arguments(self._settings, self._http)
                )
        return self._app, self._http

    def _credential(self) -> str | dict[str, str]:
        settings = self._settings
        if settings.method == "client-secret" and settings.client_secret is not None:
            return settings.client_secret()
        if settings.method == "client-certificate" and settings.certificate_file is not None:
            return _certificate(settings.certificate_file)
        raise ConfigError(f"account {settings.account}: the {settings.method} is missing")


class CommandTokens:
    """A `TokenSource` that runs a program and takes the first line of its output."""

    def __init__(self, settings: AuthSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._turn = asyncio.Lock()
        self._held: Held | None = None
        self._state = LoginState(None, None)

    async def token(self) -> str:
        """Return the token; the program runs at most every five minutes unless one is refused."""
        async with self._turn:
            held = self._held
            if held is None or held.until_s <= self._clock.monotonic_s():
                held = Held(await self._run(), self._clock.monotonic_s() + COMMAND_TOKEN_S)
                self._held, self._state = held, LoginState(None, self._clock.now())
            return held.token

    async def refused(self, token: str) -> None:
        """Run the program again the next time."""
        if self._held is not None and self._held.token == token:
            self._held = None

    async def state(self) -> LoginState:
        """Return when this process last got a token."""
        return self._state

    async def signed_in_as(self) -> str | None:
        """Only the program knows."""
        return None

    async def logout(self) -> None:
        """Forget the token; the program keeps its own."""
        self._held = None

    async def _run(self) -> str:
        if not self._settings.command:
            raise self._failed("cannot be run (it is not configured)")
        try:
            async with asyncio.timeout(COMMAND_S):
                status, output = await _output(self._settings.command)
        except TimeoutError:
            raise self._failed(f"did not end within {COMMAND_S:.0f} s") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no usable command line"
            raise self._failed(f"cannot be run ({reason})") from error
        if status != 0:
            raise self._failed(f"ended with status {status}")
        token = output.partition(b"\n")[0].strip()
        if not _TOKEN.fullmatch(token):
            raise self._failed("printed no token")
        return token.decode("ascii")

    def _failed(self, how: str) -> LoginNeeded:
        # What it wrote to stderr is not read at all: it may hold secrets.
        return LoginNeeded(
            f"account {self._settings.account}: the command for tokens {how}",
            hint="Run the `command` of the account's auth settings by hand to see what it says.",
        )


async def _output(command: tuple[str, ...]) -> tuple[int, bytes]:
    """Run a program without a shell; return its exit status and the beginning of its output."""
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # so that what it starts can be ended with it
    )
    try:
        output = await _read_some(child.stdout)
        return await child.wait(), output
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()


async def _read_some(stream: asyncio.StreamReader | None) -> bytes:
    """Read to the end, so that the writer does not block, and keep what a token may need."""
    kept = b""
    while stream is not None and (chunk := await stream.read(MOST_OUTPUT_BYTES)):
        kept = (kept + chunk)[:MOST_OUTPUT_BYTES]
    return kept


def _certificate(path: Path) -> dict[str, str]:
    """
    Return msal's form of a PEM file that holds a private key and its certificate.

    msal computes the thumbprint (SHA-256, RFC 7515 section 4.1.8) from the certificate.
    Raises: ConfigError: unreadable, open to everybody, encrypted, or key and certificate differ.
    """
    data = _private_bytes(path)
    block = _KEY_BLOCK.search(data)
    try:
        if block is None:
            raise ValueError("there is no private key in it")
        key = load_pem_private_key(block[0], password=None).public_key()
        known = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        leaf = _certificate_of(known, x509.load_pem_x509_certificates(data))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        reason = "the key has a password" if isinstance(error, TypeError) else "not key and PEM"
        raise ConfigError(
            f"certificate_file {str(path)!r} cannot be used: {reason}",
            hint="It must hold an unencrypted private key and its certificate, both as PEM.",
        ) from error
    return {"private_key": block[0].decode("ascii"), "public_certificate": leaf}


def _certificate_of(known: bytes, certificates: list[x509.Certificate]) -> str:
    for certificate in certificates:
        public = certificate.public_key()
        if public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == known:
            return certificate.public_bytes(Encoding.PEM).decode("ascii")
    raise ValueError("no certificate belongs to the key")


def _private_bytes(path: Path) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            mode = os.fstat(fd).st_mode
            data = file.read(_MOST_PEM_BYTES) if stat.S_ISREG(mode) else b""
    except OSError as error:
        raise ConfigError(
            f"certificate_file {str(path)!r} cannot be read: {error.strerror}"
        ) from error
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise ConfigError(
            f"certificate_file {str(path)!r} holds a key and is open to everybody on this machine",
            hint=f"Run `chmod 600 {path}`.",
        )
    return data
