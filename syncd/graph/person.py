"""
Signing in as a person: device code or browser once, then silently from the token cache.

Knows msal's public client and the order of lock, reload, renewal and save that lets several
processes share one refresh token. Everything that blocks runs in a thread.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msal
import msgspec

from syncd.core.errors import ConfigError, DiskTrouble, LoginNeeded, SyncdError, Unreachable
from syncd.graph.authority import (
    AuthorityHttp,
    app_arguments,
    login_failures,
    refusal,
    token_in,
)
from syncd.graph.cache import CacheContent, Stamp, TokenCacheFile
from syncd.graph.held import Held
from syncd.graph.loopback import receive_redirect
from syncd.graph.settings import AuthSettings, DevicePrompt, LoginState
from syncd.ports import Clock

__all__ = ["PersonLogin"]

SIGN_IN_S: Final = 600.0  # how long a person may take in the browser
_STILL_WAITING = frozenset({"authorization_pending", "slow_down"})


@dataclass(slots=True)
class _Client:
    """msal's application with what it remembers; `failed` says that it remembers an error."""

    app: msal.PublicClientApplication
    http: AuthorityHttp
    cache: msal.SerializableTokenCache
    failed: bool = False


class PersonLogin:
    """A `TokenSource` for the person who signed in. Building one does no I/O."""

    def __init__(self, settings: AuthSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._file = TokenCacheFile(settings.cache_path, settings.account)
        self._turn = asyncio.Lock()
        # A cancelled task leaves its thread running; the next must not find things half done.
        self._mutex = threading.Lock()
        self._client: _Client | None = None
        self._content = CacheContent()
        self._seen: tuple[Stamp | None] | None = None  # the stamp of the file that was loaded
        self._unsaved = False
        self._held: Held | None = None
        self._refused: str | None = None

    async def token(self) -> str:
        """Return an access token, renewed if need be. See `TokenSource`."""
        async with self._turn:
            return await asyncio.to_thread(self._token)

    async def refused(self, token: str) -> None:
        """Give another token from now on; it is asked for when it is needed."""
        self._refused = token
        if self._held is not None and self._held.token == token:
            self._held = None

    async def state(self) -> LoginState:
        """Return who is signed in. Raises: LoginNeeded: the cache is damaged; DiskTrouble."""
        content = await asyncio.to_thread(self._file.load)
        return LoginState(content.username or None, content.renewed)

    async def signed_in_as(self) -> str | None:
        """Return the name of the person who is signed in, or None. Raises: as `state`."""
        return (await self.state()).username

    async def logout(self) -> None:
        """Forget the tokens, here and on the disk. Raises: DiskTrouble."""
        async with self._turn:
            await asyncio.to_thread(self._forget)

    async def login_device_code(self, show: Callable[[DevicePrompt], None]) -> str:
        """
        Sign a person in on another device, and return their name.

        Args: show: tells the person code and address; called once, on the event loop.
        Raises: LoginNeeded: declined, or not done in time; Unreachable, ConfigError, BadAnswer,
        DiskTrouble.
        """
        client = await asyncio.to_thread(self._open)
        flow = await asyncio.to_thread(self._start_device, client)
        life_s = _seconds(flow.get("expires_in"), 900)
        show(DevicePrompt(str(flow["user_code"]), str(flow["verification_uri"]), life_s))
        result = await self._wait_for_person(client, flow, life_s)
        return await asyncio.to_thread(self._adopt, client, result)

    async def login_interactive(self, open_browser: Callable[[str], None]) -> str:
        """
        Sign a person in with the browser of this machine, and return their name.

        Args: open_browser: shows an address; called once, in a thread.
        Raises: as `login_device_code`.
        """
        client = await asyncio.to_thread(self._open)
        async with receive_redirect() as redirect:
            flow = await asyncio.to_thread(self._start_browser, client, redirect.uri)
            redirect.expect(str(flow["state"]))
            await asyncio.to_thread(open_browser, str(flow["auth_uri"]))
            try:
                async with asyncio.timeout(SIGN_IN_S):
                    answer = await redirect.answer()
            except TimeoutError:
                raise self._login_needed("was not signed in within ten minutes") from None
        result = await asyncio.to_thread(self._redeem, client, flow, answer)
        return await asyncio.to_thread(self._adopt, client, result)

    # --- silently ------------------------------------------------------------------------------

    def _token(self) -> str:
        with self._mutex:
            held = self._held
            fresh = held is not None and held.until_s > self._clock.monotonic_s()
            if held and fresh and not self._unsaved and not self._file_changed():
                return held.token
            with self._file.locked():
                return self._renew()

    def _renew(self) -> str:
        """Reload first: another process may have used up the refresh token we remember."""
        client = self._reload()
        try:
            result = self._ask_silently(client)
            self._save(client, result)
            token = token_in(result)
            if token is None:
                raise self._why_silent(client, result)
        except SyncdError:
            client.failed = True
            raise
        client.failed, self._refused = False, None
        self._held = Held.of(token, result or {}, self._clock.monotonic_s())
        return token

    def _reload(self) -> _Client:
        """
        Take over what another process wrote.

        A new file also ends msal's memory of an error, which would otherwise outlive a new login
        by a minute.
        """
        if self._client is None or (self._client.failed and self._file_changed()):
            self._client, self._seen = self._open(), None
        if self._file_changed():
            stamp = self._file.stamp()
            self._content = self._file.load()
            self._client.cache.deserialize(json.dumps(self._content.tokens))
            self._seen, self._held, self._unsaved = (stamp,), None, False
        return self._client

    def _ask_silently(self, client: _Client) -> dict[str, Any] | None:
        with login_failures(self._settings, client.http):
            accounts = client.app.get_accounts()
            if not accounts:
                return None
            result = self._silent(client, accounts[0], force=False)
            if self._refused is not None and token_in(result) == self._refused:
                result = self._silent(client, accounts[0], force=True)
        return result

    def _silent(self, client: _Client, account: Any, *, force: bool) -> dict[str, Any] | None:
        result: dict[str, Any] | None = client.app.acquire_token_silent_with_error(
            self._settings.user_scopes, account=account, force_refresh=force
        )
        return result

    def _why_silent(self, client: _Client, result: Mapping[str, Any] | None) -> SyncdError:
        if result:
            return refusal(self._settings, client.http, result)
        return self._login_needed("is not signed in")

    def _save(self, client: _Client, result: Mapping[str, Any] | None) -> None:
        """A full disk must not cost the token that was just given: it is saved the next time."""
        if not (client.cache.has_state_changed or self._unsaved):
            return
        renewed = token_in(result) and (result or {}).get("token_source") == "identity_provider"
        self._content = msgspec.structs.replace(
            self._content,
            tokens=json.loads(client.cache.serialize()),
            renewed=self._clock.now() if renewed else self._content.renewed,
        )
        try:
            self._file.save(self._content)
        except DiskTrouble:
            self._unsaved = True
        else:
            self._unsaved, self._seen = False, (self._file.stamp(),)

    def _file_changed(self) -> bool:
        return self._seen is None or self._file.stamp() != self._seen[0]

    # --- with a person -------------------------------------------------------------------------

    def _open(self) -> _Client:
        if not self._settings.client_id:
            raise ConfigError(
                f"account {self._settings.account}: client_id is missing",
                hint="Name the id of the application that is registered for syncd.",
            )
        http = AuthorityHttp(self._settings)
        arguments = app_arguments(self._settings, http)
        with login_failures(self._settings, http):
            app = msal.PublicClientApplication(**arguments)
        return _Client(app, http, arguments["token_cache"])

    def _start_device(self, client: _Client) -> dict[str, Any]:
        with login_failures(self._settings, client.http):
            flow: dict[str, Any] = client.app.initiate_device_flow(self._settings.user_scopes)
            if "user_code" in flow:
                # msal 1.39 polls without end and rest when the interval is no positive number.
                flow["interval"] = int(max(1.0, _seconds(flow.get("interval"), 5)))
                flow.setdefault("verification_uri", flow.get("verification_url", ""))
                return flow
        raise refusal(self._settings, client.http, flow)

    async def _wait_for_person(
        self, client: _Client, flow: dict[str, Any], life_s: float
    ) -> dict[str, Any]:
        """Poll as RFC 8628 section 3.5 asks; a network that fails meanwhile is no answer."""
        end_s = self._clock.monotonic_s() + life_s
        result: dict[str, Any] = {}
        while self._clock.monotonic_s() < end_s:
            try:
                result = await asyncio.to_thread(self._poll_once, client, flow)
            except Unreachable as error:
                if not error.retryable:
                    raise
            else:
                if result.get("error") not in _STILL_WAITING:
                    return result
            await self._clock.sleep(float(flow["interval"]))
        return {"error": "expired_token"}

    def _poll_once(self, client: _Client, flow: dict[str, Any]) -> dict[str, Any]:
        flow.pop("latest_attempt_at", None)  # by the wall clock, of which msal would warn
        with login_failures(self._settings, client.http):
            result: dict[str, Any] = client.app.acquire_token_by_device_flow(
                flow, exit_condition=lambda _: True
            )
        return result

    def _start_browser(self, client: _Client, redirect_uri: str) -> dict[str, Any]:
        with login_failures(self._settings, client.http):
            flow: dict[str, Any] = client.app.initiate_auth_code_flow(
                self._settings.user_scopes,
                redirect_uri=redirect_uri,
                response_mode="form_post",  # keeps the code out of the browser's history
            )
        return flow

    def _redeem(
        self, client: _Client, flow: dict[str, Any], answer: Mapping[str, str]
    ) -> dict[str, Any]:
        with login_failures(self._settings, client.http):
            result: dict[str, Any] = client.app.acquire_token_by_auth_code_flow(flow, dict(answer))
        return result

    def _adopt(self, client: _Client, result: Mapping[str, Any]) -> str:
        """Keep a new sign-in in place of the old one, which may be another person's."""
        if token_in(result) is None:
            raise refusal(self._settings, client.http, result)
        with login_failures(self._settings, client.http):
            username = str((client.app.get_accounts() or [{}])[0].get("username") or "unknown")
            tokens = json.loads(client.cache.serialize())
        content = CacheContent(username=username, renewed=self._clock.now(), tokens=tokens)
        with self._mutex, self._file.locked():
            self._file.save(content)
            self._client, self._content = client, content
            self._seen, self._held, self._refused = (self._file.stamp(),), None, None
            self._unsaved = False
        return username

    def _forget(self) -> None:
        with self._mutex, self._file.locked():
            self._file.remove()
            self._client, self._content, self._seen = None, CacheContent(), None
            self._held, self._refused, self._unsaved = None, None, False

    def _login_needed(self, why: str) -> LoginNeeded:
        return LoginNeeded(
            f"account {self._settings.account} {why}", hint=self._settings.login_hint
        )


def _seconds(value: object, default: float) -> float:
    """Return a duration that the authority named, if it is one."""
    plain = isinstance(value, int | float) and 0 < value < 86_400
    return float(value) if plain and isinstance(value, int | float) else default
