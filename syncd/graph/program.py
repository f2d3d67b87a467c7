"""
Tokens without a person: an application's own sign-in.

Knows msal's confidential client and PEM files. Keeps tokens in memory only.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
import threading
from pathlib import Path

import msal
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from syncd.core.errors import ConfigError, SyncdError
from syncd.graph.authority import AuthorityHttp, app_arguments, login_failures, refusal, token_in
from syncd.graph.held import Held
from syncd.graph.settings import AuthSettings, LoginState
from syncd.ports import Clock

__all__ = ["ApplicationLogin"]

_MOST_PEM_BYTES = 1024 * 1024
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
