"""Signing in with the real msal against the simulated authority, by every method."""

from __future__ import annotations

import asyncio
import html
import json
import os
import re
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import requests

from syncd.core.errors import (
    BadAnswer,
    ConfigError,
    LoginNeeded,
    ServiceDown,
    SyncdError,
    Throttled,
    Unreachable,
)
from syncd.graph.auth import (
    ApplicationLogin,
    AuthSettings,
    CommandTokens,
    DevicePrompt,
    Login,
    PersonLogin,
    token_source,
)
from syncd.graph.failures import UntrustedCertificate
from syncd.simulator.authority import Authority
from syncd.simulator.authority_http import AuthorityServer
from syncd.simulator.authority_values import FAULTS, AuthorityPolicy, Client, Fault, User
from syncd.simulator.tls import LoopbackCa
from syncd.testing import FakeClock
from tests.graph.certificates import key_and_certificate
from tests.graph.scripted import closed_port, written

ADA = User.named("ada@simulated.example", "Ada")
BOB = User.named("bob@simulated.example", "Bob")
DESKTOP, SECRET_APP, CERT_APP = "desktop", "secret-app", "cert-app"
SECRET = "correct horse battery staple"
KEY_PEM, CERT_PEM = key_and_certificate("syncd")


@dataclass
class Realm:
    """An authority that runs, its clock, and a folder for what signing in leaves behind."""

    authority: Authority
    server: AuthorityServer
    clock: FakeClock
    folder: Path

    def settings(self, **changes: Any) -> AuthSettings:
        """Settings for Ada's account, with changes."""
        plain = AuthSettings(
            account="work",
            method="device-code",
            base_url="http://127.0.0.1:1/v1.0",
            cache_path=self.folder / "state" / "work.json",
            client_id=DESKTOP,
            authority=self.server.authority_url,
            ca_file=self.folder / "ca.pem",
        )
        return replace(plain, **changes)

    def person(self, **changes: Any) -> PersonLogin:
        """A process of its own, as far as the cache is concerned."""
        login = token_source(self.settings(**changes), self.clock)
        assert isinstance(login, PersonLogin)
        return login

    def approve(self, prompt: DevicePrompt) -> None:
        """Ada says yes at once."""
        assert self.authority.approve(prompt.user_code, ADA.username)

    async def signed_in(self, **changes: Any) -> PersonLogin:
        """A process in which Ada has signed in."""
        login = self.person(**changes)
        await login.login_device_code(self.approve)
        return login

    def user_of(self, token: str) -> str | None:
        """Whom the token speaks for."""
        return self.authority.check(token).user

    def policy(self, **changes: Any) -> None:
        """Change the authority's mind."""
        self.authority.policy = replace(self.authority.policy, **changes)


@pytest.fixture(scope="module")
def ca() -> LoopbackCa:
    return LoopbackCa()


@pytest.fixture
async def realm(ca: LoopbackCa, tmp_path: Path) -> AsyncIterator[Realm]:
    clock = FakeClock()
    authority = Authority(
        users=[ADA, BOB],
        clients=[
            Client(DESKTOP),
            Client(SECRET_APP, secret=SECRET),
            Client(CERT_APP, certificates=(CERT_PEM,)),
        ],
        clock=clock.now,
        rng=Random(5),
        policy=AuthorityPolicy(poll_interval_s=1),
    )
    ca.write_ca(tmp_path / "ca.pem")
    async with AuthorityServer(authority, ca) as server:
        yield Realm(authority, server, clock, tmp_path)


# --- a person ----------------------------------------------------------------------------------


async def test_a_person_signs_in_by_device_code(realm: Realm) -> None:
    """Code and address are shown, and the token that follows is hers."""
    login, prompts = realm.person(), list[DevicePrompt]()

    def show(prompt: DevicePrompt) -> None:
        prompts.append(prompt)
        realm.approve(prompt)

    assert await login.login_device_code(show) == ADA.username
    assert realm.user_of(await login.token()) == ADA.username
    assert await login.signed_in_as() == ADA.username
    assert prompts[0].verification_uri.startswith("https://127.0.0.1")
    assert prompts[0].life_s == 900


async def test_a_person_may_take_their_time(realm: Realm) -> None:
    """While nobody answers the code is polled at the pace that the authority asks for."""
    realm.policy(poll_interval_s=5)

    class Patient(FakeClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            realm.clock.advance(seconds)
            if len(self.slept) == 3:
                (code,) = realm.authority.pending_user_codes()
                realm.authority.approve(code, ADA.username)

    clock = Patient()
    login = PersonLogin(realm.settings(), clock)

    assert await login.login_device_code(lambda _: None) == ADA.username
    assert clock.slept == [5.0] * 3


async def test_a_code_that_nobody_enters_expires(realm: Realm) -> None:
    """The wait ends with the code's life, as a missing login."""
    realm.policy(poll_interval_s=100, device_code_life_s=300)

    with pytest.raises(LoginNeeded):
        await realm.person().login_device_code(lambda _: None)
    assert len(realm.clock.slept) <= 3


async def test_a_person_may_decline(realm: Realm) -> None:
    """No is told as no, with the reason and the remedy."""

    def decline(prompt: DevicePrompt) -> None:
        realm.authority.decline(prompt.user_code)

    with pytest.raises(LoginNeeded, match=r"work.*authorization_declined.*AADSTS70017") as caught:
        await realm.person().login_device_code(decline)
    assert "syncd login work" in caught.value.hint


def browse(address: str, ca_file: Path) -> None:
    """Be the browser of a person who consents: follow the form that submits itself."""
    page = requests.get(address, verify=str(ca_file), timeout=10).text
    form = re.search(r'action="([^"]+)"', page)
    assert form is not None
    fields = re.findall(r'name="([^"]+)" value="([^"]*)"', page)
    answer = {name: html.unescape(value) for name, value in fields}
    forged = requests.post(form[1], data=answer | {"state": "forged"}, timeout=10)
    assert forged.status_code == 400
    assert requests.post(form[1], data=answer, timeout=10).status_code == 200


async def test_a_person_signs_in_with_the_browser(
    realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code flow with PKCE on a loopback redirect; an answer with another state is ignored."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    login = realm.person(method="interactive")

    name = await login.login_interactive(lambda uri: browse(uri, realm.folder / "ca.pem"))

    assert name == ADA.username
    assert realm.user_of(await login.token()) == ADA.username


async def test_consent_may_be_denied_in_the_browser(
    realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authority's refusal arrives as a missing login."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    realm.policy(deny_consent=True)

    with pytest.raises(LoginNeeded, match="access_denied"):
        await realm.person().login_interactive(lambda uri: browse(uri, realm.folder / "ca.pem"))


# --- silently ----------------------------------------------------------------------------------


async def test_a_token_is_kept_while_it_is_good(realm: Realm) -> None:
    """Neither the disk nor the authority is asked for every request."""
    login = await realm.signed_in()

    assert await login.token() == await login.token()


async def test_a_restart_needs_no_person(realm: Realm) -> None:
    """The next process signs in from the cache, and renews when the service refuses a token."""
    await realm.signed_in()
    again = realm.person()

    first = await again.token()
    await again.refused(first)
    second = await again.token()

    assert first != second
    assert realm.user_of(second) == ADA.username


async def test_renewals_survive_restarts(realm: Realm) -> None:
    """Each renewal uses up a refresh token; the one that follows it is on the disk in time."""
    await realm.signed_in()
    realm.policy(access_token_life_s=60)

    for _ in range(3):
        login = realm.person()
        await login.refused(await login.token())
        await login.token()

    assert realm.user_of(await realm.person().token()) == ADA.username


async def test_processes_share_one_refresh_token(realm: Realm) -> None:
    """Two that renew at the same moment do not use the same refresh token twice."""
    await realm.signed_in()
    logins = [realm.person() for _ in range(4)]
    token = await logins[0].token()
    for login in logins:
        await login.refused(token)

    tokens = await asyncio.gather(*(login.token() for login in logins))

    assert {realm.user_of(each) for each in tokens} == {ADA.username}
    assert len(set(tokens)) == 1


async def test_the_last_renewal_is_known(realm: Realm) -> None:
    """`status` tells how long the sign-in has been idle."""
    login = await realm.signed_in()
    realm.clock.advance(1000)
    await login.refused(await login.token())
    await login.token()

    assert (await realm.person().state()).renewed == realm.clock.now()


async def test_without_a_sign_in_a_person_is_needed(realm: Realm) -> None:
    """A fresh machine says which command to run."""
    with pytest.raises(LoginNeeded, match="work is not signed in") as caught:
        await realm.person().token()
    assert caught.value.hint == "Run `syncd login work`."


async def test_a_revoked_sign_in_needs_a_person(realm: Realm) -> None:
    """Microsoft's reason is told in its first line, without ids, codes and tokens."""
    login = await realm.signed_in()
    await login.refused(await login.token())
    realm.authority.revoke_refresh_tokens(ADA.username)

    with pytest.raises(LoginNeeded, match=r"AADSTS50173: .* revoked") as caught:
        await login.token()
    assert "Trace ID" not in str(caught.value)
    assert "refresh." not in str(caught.value)


async def test_a_new_login_elsewhere_is_noticed(realm: Realm) -> None:
    """The daemon goes on after `syncd login`, though msal remembers its error for a minute."""
    daemon = await realm.signed_in()
    await daemon.refused(await daemon.token())
    realm.authority.revoke_refresh_tokens(ADA.username)
    for _ in range(2):
        with pytest.raises(LoginNeeded):
            await daemon.token()

    await realm.signed_in()

    assert realm.user_of(await daemon.token()) == ADA.username


async def test_a_login_as_somebody_else_replaces_the_first(realm: Realm) -> None:
    """One account is one person."""
    login = await realm.signed_in()

    await login.login_device_code(
        lambda p: assert_true(realm.authority.approve(p.user_code, BOB.username))
    )

    assert realm.user_of(await realm.person().token()) == BOB.username
    assert ADA.username not in (realm.folder / "state" / "work.json").read_text()


def assert_true(value: bool) -> None:
    """An assertion where only an expression fits."""
    assert value


async def test_logging_out_forgets_everything(realm: Realm) -> None:
    """No token stays behind, in this process, in others and on the disk."""
    login, other = await realm.signed_in(), realm.person()
    await other.token()

    await login.logout()

    for each in (login, other):
        with pytest.raises(LoginNeeded):
            await each.token()
    left = [path for path in (realm.folder / "state").iterdir() if path.suffix != ".lock"]
    assert left == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (FAULTS["unavailable"], ServiceDown),
        (FAULTS["throttled"], Throttled),
        (FAULTS["not-json"], BadAnswer),
        (Fault(200, "application/json", "[1]"), BadAnswer),
        (Fault(200, "application/json", '{"access_token": 1}'), BadAnswer),
        (Fault(302, "text/html", ""), BadAnswer),
        (Fault(400, "application/json", '{"error": "server_error"}'), ServiceDown),
    ],
)
async def test_an_authority_in_trouble_is_no_reason_to_sign_in(
    realm: Realm, fault: Fault, error: type[SyncdError]
) -> None:
    """What passes by itself is told as such, and the sign-in survives it."""
    login = await realm.signed_in()
    await login.refused(await login.token())
    realm.authority.fail_token_requests(fault)

    with pytest.raises(error):
        await login.token()
    assert realm.user_of(await realm.person().token()) == ADA.username


async def test_an_authority_that_cannot_be_reached_passes(realm: Realm) -> None:
    """The network's failures are the network's."""
    away = f"https://127.0.0.1:{closed_port()}/simulated.example"

    with pytest.raises(Unreachable):
        await realm.person(authority=away).token()


async def test_an_authority_with_a_foreign_certificate_is_not_trusted(realm: Realm) -> None:
    """Not even asked; the hint names `ca_file`."""
    with pytest.raises(UntrustedCertificate) as caught:
        await realm.person(ca_file=None).login_device_code(realm.approve)
    assert "ca_file" in caught.value.hint


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": ""},
        {"authority": "http://127.0.0.1/tenant"},
        {"authority": "https://127.0.0.1"},
        {"authority": "{url}/nobody.example"},
    ],
)
async def test_what_is_configured_wrongly_is_told_as_that(
    realm: Realm, changes: dict[str, str]
) -> None:
    """No client, no https, no tenant, an unknown tenant."""
    given = {key: value.format(url=realm.server.url) for key, value in changes.items()}

    with pytest.raises(ConfigError):
        await realm.person(**given).token()


# --- the cache file ----------------------------------------------------------------------------


async def test_the_cache_is_private(realm: Realm) -> None:
    """0600 in a folder of 0700, and nothing but it and its lock."""
    await realm.signed_in()
    folder = realm.folder / "state"

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} == {"work.json", "work.json.lock"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"tokens": {"AccessToken": 1}}', b"\xff\xfe", b"[" * 100_000]
)
async def test_a_damaged_cache_is_set_aside(realm: Realm, content: bytes) -> None:
    """A person is asked to sign in, and the damage is kept for who wants to look."""
    await realm.signed_in()
    cache = written(realm.folder / "state" / "work.json", content)
    login = realm.person()

    with pytest.raises(LoginNeeded, match="damaged"):
        await login.token()
    assert cache.with_name("work.json.damaged").read_bytes() == content
    with pytest.raises(LoginNeeded, match="not signed in"):
        await login.token()


async def test_a_cache_open_to_others_is_closed(realm: Realm) -> None:
    """A copy from a backup does not stay readable for everybody."""
    await realm.signed_in()
    cache = realm.folder / "state" / "work.json"
    cache.chmod(0o644)

    await realm.person().token()

    assert stat.S_IMODE(cache.stat().st_mode) == 0o600


async def test_a_cache_that_cannot_be_saved_does_not_cost_the_token(realm: Realm) -> None:
    """With a disk in trouble the token is good all the same, and it is saved when that is over."""
    login = await realm.signed_in()
    obstacle = realm.folder / "state" / f".work.json.{os.getpid()}.tmp"
    obstacle.mkdir()
    await login.refused(await login.token())

    token = await login.token()
    assert realm.user_of(token) == ADA.username
    obstacle.rmdir()
    assert await login.token() == token

    again = realm.person()
    await again.refused(await again.token())
    assert realm.user_of(await again.token()) == ADA.username


async def test_strange_entries_in_the_cache_do_no_harm(realm: Realm) -> None:
    """What msal stumbles over is an error of ours, not a traceback."""
    await realm.signed_in()
    cache = realm.folder / "state" / "work.json"
    content = json.loads(cache.read_text())
    content["tokens"] = {kind: {"x": {}} for kind in content["tokens"]}
    cache.write_text(json.dumps(content))

    with pytest.raises(SyncdError):
        await realm.person().token()


# --- applications ------------------------------------------------------------------------------


def application(realm: Realm, **changes: Any) -> Login:
    """A program's own sign-in."""
    return token_source(realm.settings(**changes), realm.clock)


async def test_an_application_signs_in_with_its_secret(realm: Realm) -> None:
    """It gets a token of its own, keeps it, and another when that is refused."""
    login = application(
        realm, method="client-secret", client_id=SECRET_APP, client_secret=lambda: SECRET
    )

    first = await login.token()
    assert realm.authority.check(first).application
    assert await login.token() == first
    await login.refused(first)
    assert await login.token() != first
    assert isinstance(login, ApplicationLogin)


async def test_an_application_signs_in_with_its_certificate(realm: Realm) -> None:
    """One PEM file with key and certificate, in any order, is enough."""
    pem = written(realm.folder / "app.pem", (CERT_PEM + KEY_PEM).encode())
    pem.chmod(0o600)

    login = application(
        realm, method="client-certificate", client_id=CERT_APP, certificate_file=pem
    )

    assert realm.authority.check(await login.token()).application


async def test_a_wrong_secret_is_told_without_it(realm: Realm) -> None:
    """Once it is replaced, the next try uses the new one."""
    secrets = ["wrong and secret", SECRET]
    login = application(
        realm, method="client-secret", client_id=SECRET_APP, client_secret=lambda: secrets.pop(0)
    )

    with pytest.raises(LoginNeeded, match="AADSTS7000215") as caught:
        await login.token()
    assert "wrong and secret" not in str(caught.value)
    assert realm.authority.check(await login.token()).application


@pytest.mark.parametrize(
    ("content", "mode"),
    [
        (None, 0o600),
        (b"", 0o600),
        (KEY_PEM.encode(), 0o600),
        (CERT_PEM.encode(), 0o600),
        ((KEY_PEM + key_and_certificate("other")[1]).encode(), 0o600),
        ((KEY_PEM + CERT_PEM).encode(), 0o604),
    ],
)
async def test_a_certificate_that_cannot_be_used_is_told(
    realm: Realm, content: bytes | None, mode: int
) -> None:
    """Missing, half, of another key, or open to everybody."""
    pem = realm.folder / "app.pem"
    if content is not None:
        written(pem, content).chmod(mode)

    with pytest.raises(ConfigError, match="certificate_file"):
        await application(
            realm, method="client-certificate", client_id=CERT_APP, certificate_file=pem
        ).token()


# --- a command ---------------------------------------------------------------------------------

COUNT = "import os,sys; n=len(os.listdir(sys.argv[1])); open(f'{sys.argv[1]}/{n}','w'); print(f'token-{n}')"


def command(tmp_path: Path, clock: FakeClock, *argv: str) -> CommandTokens:
    """Tokens from a program."""
    settings = AuthSettings("work", "command", "http://127.0.0.1", tmp_path / "c", command=argv)
    login = token_source(settings, clock)
    assert isinstance(login, CommandTokens)
    return login


async def test_a_command_gives_tokens(tmp_path: Path) -> None:
    """It runs once, again after a refusal, and again after five minutes."""
    clock, folder = FakeClock(), tmp_path / "runs"
    folder.mkdir()
    login = command(tmp_path, clock, sys.executable, "-c", COUNT, str(folder))

    assert [await login.token(), await login.token()] == ["token-0", "token-0"]
    await login.refused("an older one")
    assert await login.token() == "token-0"
    await login.refused("token-0")
    assert await login.token() == "token-1"
    clock.advance(301)
    assert await login.token() == "token-2"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("sh", "-c", "echo hidden >&2; exit 7"), "status 7"),
        (("sh", "-c", "kill -9 $$"), "status -9"),
        (("true",), "no token"),
        (("printf", "two words"), "no token"),
        (("printf", "t\\303\\266ken"), "no token"),
        (("head", "-c", "9000000", "/dev/zero"), "no token"),
        (("/nonexistent/program",), "cannot be run"),
        ((), "cannot be run"),
    ],
)
async def test_a_command_that_fails_needs_a_person(
    tmp_path: Path, argv: tuple[str, ...], told: str
) -> None:
    """The exit status is told, what the program wrote is not."""
    with pytest.raises(LoginNeeded, match=told) as caught:
        await command(tmp_path, FakeClock(), *argv).token()
    assert "hidden" not in str(caught.value)
    assert "by hand" in caught.value.hint


async def test_a_command_gets_no_shell(tmp_path: Path) -> None:
    """Its words are words."""
    assert await command(tmp_path, FakeClock(), "echo", "$HOME;ls").token() == "$HOME;ls"


async def test_only_the_first_line_counts(tmp_path: Path) -> None:
    """What follows the token is talk."""
    assert await command(tmp_path, FakeClock(), "printf", " abc \\nbye").token() == "abc"


# --- clouds ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base_url", "scope", "default"),
    [
        ("https://graph.microsoft.com/v1.0", "User.Read", "https://graph.microsoft.com/.default"),
        (
            "https://graph.microsoft.us/v1.0",
            "https://graph.microsoft.us/User.Read",
            "https://graph.microsoft.us/.default",
        ),
        ("http://127.0.0.1:80/v1.0", "User.Read", "https://graph.microsoft.com/.default"),
    ],
)
def test_scopes_belong_to_their_cloud(base_url: str, scope: str, default: str) -> None:
    """A national cloud's permissions are named with its own root."""
    settings = AuthSettings(
        "work", "device-code", base_url, Path("/"), scopes=("User.Read", "openid")
    )

    assert settings.user_scopes == [scope]
    assert settings.application_scopes == [default]


@pytest.mark.parametrize(
    ("authority", "microsoft"),
    [("", True), ("https://login.microsoftonline.us/x", True), ("https://id.example.com/x", False)],
)
def test_microsoft_is_known_by_its_hosts(authority: str, microsoft: bool) -> None:
    """All other authorities are asked for their discovery document."""
    settings = AuthSettings("work", "device-code", "", Path("/"), authority=authority)

    assert settings.is_microsoft_login is microsoft
