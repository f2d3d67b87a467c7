"""The simulated authority: the real msal signs in against it, and its rules hold by themselves."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.simulator.authority import Authority
from syncd.simulator.authority_http import AuthorityServer
from syncd.simulator.authority_jwt import certificate_thumbprint
from syncd.simulator.authority_values import (
    FAULTS,
    AuthorityPolicy,
    Client,
    DeviceGrant,
    Fault,
    Redirect,
    Refusal,
    Site,
    TokenGrant,
    User,
)
from syncd.simulator.tls import LoopbackCa
from syncd.simulator.tokens import Principal, TokenRefused

ADA = User.named("ada@simulated.example", "Ada Lovelace")
BOB = User.named("bob@simulated.example")
DESKTOP = "11111111-aaaa-4aaa-8aaa-000000000001"
SECRET_APP = "11111111-aaaa-4aaa-8aaa-000000000002"
CERT_APP = "11111111-aaaa-4aaa-8aaa-000000000003"
SCOPES = ["https://graph.microsoft.com/Calendars.ReadWrite", "User.Read"]
APP_SCOPE = ["https://graph.microsoft.com/.default"]
SITE = Site("https://127.0.0.1:1", "simulated.example")
VERIFIER = "a-verifier-that-is-long-enough-for-rfc-7636-0123456789"
FIELDS = (
    "grant_type", "client_id", "scope", "code", "device_code", "refresh_token", "client_secret",
    "client_assertion", "client_assertion_type", "redirect_uri", "response_type", "response_mode",
    "code_challenge", "code_challenge_method", "state",
)  # fmt: skip
VALUES = (
    "client_credentials", "refresh_token", "authorization_code", "code", "S256", DESKTOP, SECRET_APP,
    "http://localhost/", "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
)  # fmt: skip
REDIRECT = "http://localhost:5050/back"


class MovingClock:
    """Starts at the real present, which msal reads for itself, and moves only when told."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class KeyPair:
    """A client's own self-signed certificate, as an administrator would register it."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=1))
            .sign(key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
            .decode()
        )
        self.private_key = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    @property
    def credential(self) -> dict[str, str]:
        return {"private_key": self.private_key, "public_certificate": self.certificate}


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    return KeyPair()


@pytest.fixture(scope="module")
def stranger() -> KeyPair:
    return KeyPair()


@pytest.fixture(scope="module")
def ca() -> LoopbackCa:
    return LoopbackCa()


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def authority(clock: MovingClock, pair: KeyPair) -> Authority:
    return Authority(
        users=[ADA, BOB],
        clients=[
            Client(DESKTOP),
            Client(SECRET_APP, secret="s3cret"),
            Client(CERT_APP, certificates=(pair.certificate,)),
        ],
        clock=clock,
        rng=Random(7),
        policy=AuthorityPolicy(poll_interval_s=1),
    )


@pytest.fixture
async def server(authority: Authority, ca: LoopbackCa) -> AsyncIterator[AuthorityServer]:
    async with AuthorityServer(authority, ca) as running:
        yield running


@pytest.fixture
def http(ca: LoopbackCa, tmp_path: Path) -> requests.Session:
    bundle = tmp_path / "ca.pem"
    ca.write_ca(bundle)
    client = requests.Session()
    client.trust_env = False
    client.verify = str(bundle)
    return client


class Desktop:
    """A public msal client whose blocking calls leave the loop, as an adapter would do it."""

    def __init__(self, server: AuthorityServer, http: requests.Session) -> None:
        self.server, self.http = server, http
        self.cache = msal.SerializableTokenCache()

    def app(self, **options: Any) -> Any:
        return msal.PublicClientApplication(
            DESKTOP,
            **({"authority": self.server.authority_url, "instance_discovery": False} | options),
            http_client=self.http,
            token_cache=self.cache,
        )

    async def device_flow(self, settle: Callable[[str], object]) -> dict[str, Any]:
        def sign_in() -> dict[str, Any]:
            app = self.app()
            flow = app.initiate_device_flow(scopes=SCOPES)
            settle(flow["user_code"])
            answer: dict[str, Any] = app.acquire_token_by_device_flow(
                flow, exit_condition=lambda _: True
            )
            return answer

        return await asyncio.to_thread(sign_in)

    async def sign_in(self) -> dict[str, Any]:
        return await self.device_flow(
            lambda code: self.server.authority.approve(code, ADA.username)
        )

    async def silent(self) -> dict[str, Any]:
        """Ask a new application over the serialized cache, as after a restart."""

        def ask() -> dict[str, Any]:
            text = self.cache.serialize()
            self.cache = msal.SerializableTokenCache()
            self.cache.deserialize(text)
            app = self.app()
            (account,) = app.get_accounts()
            answer: dict[str, Any] = app.acquire_token_silent_with_error(
                SCOPES, account, force_refresh=True
            )
            return answer

        return await asyncio.to_thread(ask)


@pytest.fixture
def desktop(server: AuthorityServer, http: requests.Session) -> Desktop:
    return Desktop(server, http)


class TestRealMsal:
    async def test_device_code_that_a_person_approves(
        self, desktop: Desktop, authority: Authority
    ) -> None:
        """
        msal gets an access token that `check` attributes to the person, and an account.
        """
        answer = await desktop.sign_in()
        (account,) = await asyncio.to_thread(lambda: desktop.app().get_accounts())

        assert authority.check(answer["access_token"]) == Principal(
            user=ADA.username,
            application=False,
            scopes=frozenset({"Calendars.ReadWrite", "User.Read"}),
        )
        assert account["username"] == ADA.username
        assert account["home_account_id"] == f"{ADA.object_id}.{authority.tenant_id}"

    async def test_device_code_that_the_authority_approves_by_itself(
        self, desktop: Desktop, authority: Authority
    ) -> None:
        """
        With auto-approval no person is needed.
        """
        authority.policy = AuthorityPolicy(poll_interval_s=1, auto_approve=BOB.username)

        answer = await desktop.device_flow(lambda _: None)

        assert authority.check(answer["access_token"]).user == BOB.username

    async def test_device_code_that_nobody_answered(self, desktop: Desktop) -> None:
        """
        msal sees authorization_pending, which it would go on polling.
        """
        answer = await desktop.device_flow(lambda _: None)

        assert answer["error"] == "authorization_pending"
        assert answer["error_codes"] == [70016]

    async def test_device_code_that_the_person_declined(
        self, desktop: Desktop, authority: Authority
    ) -> None:
        """
        msal sees authorization_declined and gives up.
        """
        answer = await desktop.device_flow(authority.decline)

        assert answer["error"] == "authorization_declined"

    async def test_device_code_approved_from_another_process(
        self, desktop: Desktop, server: AuthorityServer, http: requests.Session
    ) -> None:
        """
        The page shows the waiting code, and a POST of it is as good as a call to approve.
        """

        def approve(code: str) -> None:
            page = http.get(f"{server.authority_url}/devicelogin")
            assert code in page.text
            form = {"user_code": code.lower(), "user": ADA.username}
            assert http.post(f"{server.url}/_authority/approve", data=form).json()["settled"]

        assert "access_token" in await desktop.device_flow(approve)

    async def test_device_code_declined_from_another_process(
        self, desktop: Desktop, server: AuthorityServer, http: requests.Session
    ) -> None:
        """
        The same form declines.
        """

        def decline(code: str) -> None:
            form = {"user_code": code, "decision": "decline"}
            http.post(f"{server.url}/_authority/approve", data=form)

        answer = await desktop.device_flow(decline)

        assert answer["error"] == "authorization_declined"

    async def test_authorization_code_with_pkce(
        self, desktop: Desktop, authority: Authority, http: requests.Session
    ) -> None:
        """
        The redirect of the authorize page completes msal's authorization code flow.
        """

        def sign_in() -> dict[str, Any]:
            app = desktop.app()
            flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=REDIRECT)
            back = http.get(flow["auth_uri"], allow_redirects=False)
            parameters = dict(parse_qsl(urlsplit(back.headers["Location"]).query))
            answer: dict[str, Any] = app.acquire_token_by_auth_code_flow(flow, parameters)
            return answer

        answer = await asyncio.to_thread(sign_in)

        assert authority.check(answer["access_token"]).user == ADA.username
        assert answer["id_token_claims"]["preferred_username"] == ADA.username

    async def test_authorization_code_over_a_posted_form(
        self, desktop: Desktop, http: requests.Session
    ) -> None:
        """
        response_mode=form_post, which msal's own browser sign-in insists on, carries code and state.
        """

        def page() -> tuple[str, str]:
            flow = desktop.app().initiate_auth_code_flow(
                SCOPES, redirect_uri=REDIRECT, response_mode="form_post"
            )
            return http.get(flow["auth_uri"]).text, flow["state"]

        text, state = await asyncio.to_thread(page)

        assert f'action="{REDIRECT}"' in text
        assert 'name="code"' in text
        assert f'name="state" value="{state}"' in text

    async def test_authorization_code_that_the_person_refused(
        self, desktop: Desktop, authority: Authority, http: requests.Session
    ) -> None:
        """
        The redirect carries access_denied with the state of the request.
        """
        authority.policy = AuthorityPolicy(deny_consent=True)

        def refuse() -> dict[str, list[str]]:
            flow = desktop.app().initiate_auth_code_flow(SCOPES, redirect_uri=REDIRECT)
            back = http.get(flow["auth_uri"], allow_redirects=False)
            return parse_qs(urlsplit(back.headers["Location"]).query)

        parameters = await asyncio.to_thread(refuse)

        assert parameters["error"] == ["access_denied"]
        assert "state" in parameters

    async def test_silent_refresh_rotates_the_refresh_token(
        self, desktop: Desktop, authority: Authority
    ) -> None:
        """
        Two refreshes in a row succeed, because msal keeps the newest refresh token.
        """
        await desktop.sign_in()
        before = desktop.cache.serialize()

        first, second = await desktop.silent(), await desktop.silent()

        assert first["access_token"] != second["access_token"]
        assert authority.check(second["access_token"]).user == ADA.username
        assert _refresh_secret(before) != _refresh_secret(desktop.cache.serialize())

    async def test_cache_restored_from_before_a_rotation(self, desktop: Desktop) -> None:
        """
        A refresh token that was already used is refused, so an old cache needs a new sign-in.
        """
        await desktop.sign_in()
        before = desktop.cache.serialize()
        await desktop.silent()
        desktop.cache.deserialize(before)

        answer = await desktop.silent()

        assert answer["error"] == "invalid_grant"

    async def test_refresh_after_an_administrator_revoked_it(
        self, desktop: Desktop, authority: Authority
    ) -> None:
        """
        A revoked refresh token is invalid_grant.
        """
        await desktop.sign_in()

        assert authority.revoke_refresh_tokens(ADA.username) == 1
        assert (await desktop.silent())["error"] == "invalid_grant"

    async def test_refresh_after_months_of_silence(
        self, desktop: Desktop, clock: MovingClock
    ) -> None:
        """
        An unused refresh token expires with AADSTS700082.
        """
        await desktop.sign_in()
        clock.advance(91 * 86_400)

        answer = await desktop.silent()

        assert answer["error"] == "invalid_grant"
        assert answer["error_codes"] == [700082]
        assert "AADSTS700082" in answer["error_description"]

    async def test_client_secret(
        self, server: AuthorityServer, http: requests.Session, authority: Authority
    ) -> None:
        """
        An application with the right secret gets a token of its own, without a user.
        """
        answer = await _app_token(server, http, SECRET_APP, "s3cret")

        principal = authority.check(answer["access_token"])
        assert principal.application
        assert principal.user is None
        assert "Calendars.ReadWrite" in principal.scopes

    async def test_wrong_client_secret(
        self, server: AuthorityServer, http: requests.Session
    ) -> None:
        """
        A wrong secret is invalid_client with AADSTS7000215.
        """
        answer = await _app_token(server, http, SECRET_APP, "guess")

        assert answer["error"] == "invalid_client"
        assert answer["error_codes"] == [7000215]

    async def test_client_certificate(
        self, server: AuthorityServer, http: requests.Session, authority: Authority, pair: KeyPair
    ) -> None:
        """
        An assertion signed with the registered certificate's key is as good as a secret.
        """
        answer = await _app_token(server, http, CERT_APP, pair.credential)

        assert authority.check(answer["access_token"]).application

    async def test_certificate_that_nobody_registered(
        self, server: AuthorityServer, http: requests.Session, stranger: KeyPair
    ) -> None:
        """
        An assertion by another certificate is invalid_client with AADSTS700027.
        """
        answer = await _app_token(server, http, CERT_APP, stranger.credential)

        assert answer["error_codes"] == [700027]

    async def test_oidc_authority(self, desktop: Desktop, server: AuthorityServer) -> None:
        """
        msal also accepts the server as a generic OpenID Connect authority.
        """
        options = {"authority": None, "oidc_authority": server.authority_url}
        app = await asyncio.to_thread(lambda: desktop.app(**options))
        flow = await asyncio.to_thread(app.initiate_device_flow, SCOPES)

        assert flow["verification_uri"] == f"{server.authority_url}/devicelogin"

    async def test_tenant_that_does_not_exist(
        self, desktop: Desktop, server: AuthorityServer
    ) -> None:
        """
        msal explains an unknown tenant when it reads the discovery document.
        """
        elsewhere = {"authority": f"{server.url}/elsewhere.example"}

        with pytest.raises(ValueError, match="authority configuration"):
            await asyncio.to_thread(lambda: desktop.app(**elsewhere).initiate_device_flow(SCOPES))

    async def test_id_token_is_signed_by_a_published_key(
        self, desktop: Desktop, server: AuthorityServer, http: requests.Session
    ) -> None:
        """
        Whoever does verify ID tokens finds the key, issuer and audience it needs.
        """
        answer = await desktop.sign_in()
        found = await asyncio.to_thread(
            http.get, f"{server.authority_url}/v2.0/.well-known/openid-configuration"
        )
        keys = await asyncio.to_thread(http.get, found.json()["jwks_uri"])

        claims = jwt.decode(
            _id_token(desktop.cache.serialize()),
            jwt.PyJWK(keys.json()["keys"][0]).key,
            algorithms=["RS256"],
            audience=DESKTOP,
            issuer=found.json()["issuer"],
        )
        assert claims["oid"] == ADA.object_id
        assert "access_token" in answer


class TestFaults:
    async def test_outage_of_the_token_endpoint(
        self, desktop: Desktop, authority: Authority
    ) -> None:
        """
        A 503 surfaces as an HTTP error once, and the next attempt works.
        """
        await desktop.sign_in()
        authority.fail_token_requests(FAULTS["unavailable"])

        with pytest.raises(msal.exceptions.MsalServiceError):
            await desktop.silent()
        assert "access_token" in await desktop.silent()

    async def test_throttled_token_endpoint(self, desktop: Desktop, authority: Authority) -> None:
        """
        A 429 is an error answer with a Retry-After, not an exception.
        """
        await desktop.sign_in()
        authority.fail_token_requests(FAULTS["throttled"])

        assert (await desktop.silent())["error"] == "temporarily_unavailable"

    async def test_captive_portal_instead_of_the_token_endpoint(
        self, desktop: Desktop, authority: Authority
    ) -> None:
        """
        A page that is not JSON breaks the client's parser, as many times as asked for.
        """
        await desktop.sign_in()
        authority.fail_token_requests(FAULTS["not-json"], times=2)

        for _ in range(2):
            with pytest.raises(ValueError):
                await desktop.silent()
        assert "access_token" in await desktop.silent()

    async def test_hostile_bodies(self, server: AuthorityServer, http: requests.Session) -> None:
        """
        A body that is no form is an OAuth error, never a failure of the server.
        """
        endpoint = f"{server.authority_url}/oauth2/v2.0/token"
        bodies = [
            (b"\xff\xfe\x00", "application/x-www-form-urlencoded"),
            (b"grant_type=x", "application/x-www-form-urlencoded; charset=klingon"),
            (b"{}", "application/json"),
            (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
            (b"nonsense", "multipart/form-data"),
            (b"", "multipart/mixed; boundary=x"),
        ]

        for body, kind in bodies:
            answer = await asyncio.to_thread(
                http.post, endpoint, data=body, headers={"Content-Type": kind}
            )
            assert answer.status_code == 400, (body, answer.text)
            assert answer.json()["error"] in {"invalid_request", "unsupported_grant_type"}

    async def test_correlation_id_of_the_client(
        self, server: AuthorityServer, http: requests.Session
    ) -> None:
        """
        A well-formed client-request-id comes back, anything else is replaced.
        """
        endpoint = f"{server.authority_url}/oauth2/v2.0/token"
        good = "01234567-89ab-cdef-0123-456789abcdef"

        for sent, same in ((good, True), ("<script>", False)):
            answer = await asyncio.to_thread(
                http.post, endpoint, data={}, headers={"client-request-id": sent}
            )
            assert (answer.json()["correlation_id"] == sent) is same


class TestRules:
    """The authority as plain values, without a server."""

    def test_polling_faster_than_the_interval(
        self, authority: Authority, clock: MovingClock
    ) -> None:
        """
        The second poll within the interval is slow_down and adds five seconds to it.
        """
        authority.policy = AuthorityPolicy(poll_interval_s=5)
        poll = _device_poll(_device(authority))

        errors = []
        for pause in (5, 1, 9, 15):
            clock.advance(pause)
            errors.append(_refusal(authority.token(poll, SITE)).error)

        assert errors == [
            "authorization_pending",
            "slow_down",
            "slow_down",
            "authorization_pending",
        ]

    def test_device_code_left_until_it_expired(
        self, authority: Authority, clock: MovingClock
    ) -> None:
        """
        After its life a code is expired_token, and nobody can approve it any more.
        """
        grant = _device(authority)
        clock.advance(900)

        assert not authority.approve(grant.user_code, ADA.username)
        assert authority.pending_user_codes() == ()
        assert _refusal(authority.token(_device_poll(grant), SITE)).error == "expired_token"

    def test_device_code_is_good_for_one_token(self, authority: Authority) -> None:
        """
        A redeemed code is unknown afterwards.
        """
        grant = _device(authority)
        authority.approve(grant.user_code, ADA.username)

        assert isinstance(authority.token(_device_poll(grant), SITE), TokenGrant)
        again = _refusal(authority.token(_device_poll(grant), SITE))
        assert again.error == "bad_verification_code"

    def test_approval_by_somebody_unknown(self, authority: Authority) -> None:
        """
        Only users of the tenant can approve, and only codes that exist.
        """
        grant = _device(authority)

        assert not authority.approve(grant.user_code, "mallory@simulated.example")
        assert not authority.approve("ZZZZZZZZZ", ADA.username)
        assert not authority.decline("")

    def test_access_token_after_its_life(self, authority: Authority, clock: MovingClock) -> None:
        """
        An access token is refused with a challenge when its time is over.
        """
        token = _signed_in(authority).access_token
        clock.advance(3600)

        with pytest.raises(TokenRefused) as refused:
            authority.check(token)
        assert refused.value.code == "InvalidAuthenticationToken"
        assert "expired" in refused.value.challenge

    def test_access_tokens_expired_by_hand(self, authority: Authority) -> None:
        """
        All tokens given so far become too old at once; new ones are good.
        """
        old = _signed_in(authority)

        assert authority.expire_access_tokens() == 1
        with pytest.raises(TokenRefused):
            authority.check(old.access_token)
        fresh = authority.token(_refresh(old), SITE)
        assert isinstance(fresh, TokenGrant)
        assert authority.check(fresh.access_token).user == ADA.username

    def test_access_token_life_is_configurable(
        self, authority: Authority, clock: MovingClock
    ) -> None:
        """
        expires_in is the policy's, and it is kept.
        """
        authority.policy = AuthorityPolicy(access_token_life_s=60)
        grant = _signed_in(authority)
        clock.advance(60)

        assert grant.life_s == 60
        with pytest.raises(TokenRefused):
            authority.check(grant.access_token)

    def test_refresh_token_without_rotation(self, authority: Authority) -> None:
        """
        With rotation off an old refresh token stays good.
        """
        authority.policy = AuthorityPolicy(rotate_refresh_tokens=False)
        grant = _signed_in(authority)

        assert isinstance(authority.token(_refresh(grant), SITE), TokenGrant)
        assert isinstance(authority.token(_refresh(grant), SITE), TokenGrant)

    def test_scope_that_nobody_consented_to(self, authority: Authority) -> None:
        """
        A refresh that asks for it is consent_required, and the refresh token survives.
        """
        grant = _signed_in(authority)
        authority.policy = AuthorityPolicy(unconsented_scopes=frozenset({"MailboxSettings.Read"}))
        wider = _refresh(grant) | {"scope": "https://graph.microsoft.com/MailboxSettings.Read"}

        refusal = _refusal(authority.token(wider, SITE))

        assert (refusal.error, refusal.suberror) == ("invalid_grant", "consent_required")
        assert isinstance(authority.token(_refresh(grant), SITE), TokenGrant)

    def test_refresh_for_fewer_scopes(self, authority: Authority) -> None:
        """
        The new access token carries what was asked for now, not what was granted first.
        """
        grant = _signed_in(authority)

        narrower = authority.token(_refresh(grant) | {"scope": "Calendars.Read"}, SITE)

        assert isinstance(narrower, TokenGrant)
        assert authority.check(narrower.access_token).scopes == {"Calendars.Read"}
        assert narrower.refresh_token is not None

    def test_authorization_code_is_good_once(self, authority: Authority) -> None:
        """
        The second redemption is invalid_grant (RFC 6749 section 4.1.2).
        """
        form = _code_form(_code(authority))

        assert isinstance(authority.token(form, SITE), TokenGrant)
        assert _refusal(authority.token(form, SITE)).aadsts == 54005

    @pytest.mark.parametrize(
        ("change", "aadsts"),
        [
            ({"code_verifier": "another-verifier"}, 501481),
            ({"code_verifier": ""}, 501481),
            ({"redirect_uri": "http://localhost:6060/"}, 50011),
            ({"code": "guess"}, 70000),
            ({"client_id": SECRET_APP}, 70000),
        ],
    )
    def test_authorization_code_in_the_wrong_hands(
        self, authority: Authority, change: dict[str, str], aadsts: int
    ) -> None:
        """
        Verifier, redirect URI and client must be those of the request; a failed try spends nothing.
        """
        form = _code_form(_code(authority))

        assert _refusal(authority.token(form | change, SITE)).aadsts == aadsts
        assert isinstance(authority.token(form, SITE), TokenGrant)

    def test_authorization_code_left_lying(self, authority: Authority, clock: MovingClock) -> None:
        """
        A code expires after ten minutes.
        """
        form = _code_form(_code(authority))
        clock.advance(600)

        assert _refusal(authority.token(form, SITE)).aadsts == 70008

    @pytest.mark.parametrize(
        "uri",
        [
            "https://evil.example/",
            "http://localhost.evil.example/",
            "http://[::1",
            "http://localhost/\r\nX: y",
            "http://localhost/#f",
            "",
        ],
    )
    def test_redirect_uri_off_loopback(self, authority: Authority, uri: str) -> None:
        """
        The browser is never sent anywhere but to this machine.
        """
        assert isinstance(authority.authorize(_query() | {"redirect_uri": uri}), Refusal)

    @pytest.mark.parametrize(
        "change",
        [{"code_challenge_method": "plain"}, {"code_challenge": ""}, {"response_type": "token"}],
    )
    def test_authorization_request_without_pkce(
        self, authority: Authority, change: dict[str, str]
    ) -> None:
        """
        Only code with S256 is served; the error goes back with the state.
        """
        redirect = authority.authorize(_query() | change)

        assert isinstance(redirect, Redirect)
        assert redirect.parameters["state"] == "st"
        assert "error" in redirect.parameters

    def test_login_hint(self, authority: Authority) -> None:
        """
        The hint chooses among the users; without one the policy's user consents.
        """
        hinted = authority.token(
            _code_form(_code(authority, login_hint=BOB.username.upper())), SITE
        )
        authority.policy = AuthorityPolicy(consenting_user=BOB.username)
        configured = authority.token(_code_form(_code(authority)), SITE)

        for grant in (hinted, configured):
            assert isinstance(grant, TokenGrant)
            assert authority.check(grant.access_token).user == BOB.username

    def test_application_without_the_default_scope(self, authority: Authority) -> None:
        """
        An application cannot ask for single permissions.
        """
        form = _app_form(client_secret="s3cret", scope="Calendars.Read")

        assert _refusal(authority.token(form, SITE)).aadsts == 1002012

    def test_public_client_acting_alone(self, authority: Authority) -> None:
        """
        Without a credential there is no application token.
        """
        assert _refusal(authority.token(_app_form(), SITE)).aadsts == 7000218
        guess = _app_form(client_id=DESKTOP, client_secret="")
        assert _refusal(authority.token(guess, SITE)).error == "invalid_client"

    @pytest.mark.parametrize(
        ("change", "aadsts"),
        [
            ({"aud": "https://elsewhere.example/token"}, 700027),
            ({"iss": DESKTOP}, 700027),
            ({"sub": DESKTOP}, 700027),
            ({"exp": "soon"}, 700027),
            ({"exp": 1}, 700024),
            ({"nbf": 2**40, "exp": 2**41}, 700024),
        ],
    )
    def test_client_assertion_for_another_purpose(
        self, authority: Authority, pair: KeyPair, change: dict[str, Any], aadsts: int
    ) -> None:
        """
        Audience, issuer, subject and times of an assertion must all fit (RFC 7523 section 3).
        """
        assert isinstance(authority.token(_assertion_form(pair, {}), SITE), TokenGrant)

        assert _refusal(authority.token(_assertion_form(pair, change), SITE)).aadsts == aadsts

    def test_client_assertion_that_is_no_jwt(self, authority: Authority) -> None:
        """
        Rubbish is refused like a wrong signature.
        """
        for rubbish in ("x", "a.b.c", "....", "é.é.é", "eyJhbGciOiJub25lIn0.e30."):
            form = _app_form(client_id=CERT_APP) | _assertion_fields(rubbish)
            assert _refusal(authority.token(form, SITE)).aadsts == 700027

    def test_unknown_client(self, authority: Authority) -> None:
        """
        An application that is not registered gets nothing at any endpoint.
        """
        form = {"client_id": "nobody", "scope": "openid", "grant_type": "client_credentials"}

        assert authority.device_code(form, SITE) == authority.token(form, SITE)
        assert _refusal(authority.token(form, SITE)).aadsts == 700016

    def test_same_seed_gives_the_same_codes(self, clock: MovingClock) -> None:
        """
        Codes and tokens follow from the random source alone.
        """

        def play() -> list[str]:
            alike = Authority(users=[ADA], clients=[Client(DESKTOP)], clock=clock, rng=Random(3))
            grant = _signed_in(alike)
            return [grant.access_token, str(grant.refresh_token)]

        assert play() == play()

    @given(
        form=st.dictionaries(
            st.sampled_from(FIELDS), st.text(st.characters(), max_size=9) | st.sampled_from(VALUES)
        )
    )
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_any_request_has_an_answer(self, form: dict[str, str]) -> None:
        """
        No form makes the authority raise.
        """
        form = {"client_id": DESKTOP} | form
        lone = Authority(
            users=[ADA],
            clients=[Client(DESKTOP), Client(SECRET_APP, secret="s")],
            clock=MovingClock(),
            rng=Random(1),
        )

        assert isinstance(lone.token(form, SITE), TokenGrant | Refusal | Fault)
        assert isinstance(lone.device_code(form, SITE), DeviceGrant | Refusal)
        assert isinstance(lone.authorize(form), Redirect | Refusal)


def _refusal(answer: object) -> Refusal:
    assert isinstance(answer, Refusal), answer
    return answer


def _device(authority: Authority) -> DeviceGrant:
    form = {"client_id": DESKTOP, "scope": "openid offline_access Calendars.ReadWrite"}
    grant = authority.device_code(form, SITE)
    assert isinstance(grant, DeviceGrant)
    return grant


def _device_poll(grant: DeviceGrant) -> dict[str, str]:
    return {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": DESKTOP,
        "device_code": grant.device_code,
    }


def _signed_in(authority: Authority) -> TokenGrant:
    grant = _device(authority)
    authority.approve(grant.user_code, ADA.username)
    answer = authority.token(_device_poll(grant), SITE)
    assert isinstance(answer, TokenGrant)
    return answer


def _refresh(grant: TokenGrant) -> dict[str, str]:
    assert grant.refresh_token is not None
    return {
        "grant_type": "refresh_token",
        "client_id": DESKTOP,
        "refresh_token": grant.refresh_token,
    }


def _query() -> dict[str, str]:
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    return {
        "client_id": DESKTOP,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": "openid offline_access Calendars.ReadWrite",
        "state": "st",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }


def _code(authority: Authority, **more: str) -> str:
    redirect = authority.authorize(_query() | more)
    assert isinstance(redirect, Redirect)
    return redirect.parameters["code"]


def _code_form(code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "client_id": DESKTOP,
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }


def _app_form(**fields: str) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_id": SECRET_APP,
        "scope": "https://graph.microsoft.com/.default",
    } | fields


def _assertion_fields(assertion: str) -> dict[str, str]:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return {"client_assertion": assertion, "client_assertion_type": kind}


def _assertion_form(pair: KeyPair, change: dict[str, Any]) -> dict[str, str]:
    exp = int(datetime.now(UTC).timestamp()) + 600
    claims = {"aud": SITE.token_endpoint, "iss": CERT_APP, "sub": CERT_APP, "exp": exp} | change
    signed = jwt.encode(
        claims,
        pair.private_key,
        algorithm="PS256",
        headers={"x5t#S256": certificate_thumbprint(pair.certificate)},
    )
    return _app_form(client_id=CERT_APP) | _assertion_fields(signed)


async def _app_token(
    server: AuthorityServer, http: requests.Session, client_id: str, credential: object
) -> dict[str, Any]:
    def ask() -> dict[str, Any]:
        app = msal.ConfidentialClientApplication(
            client_id,
            authority=server.authority_url,
            client_credential=credential,
            instance_discovery=False,
            http_client=http,
        )
        answer: dict[str, Any] = app.acquire_token_for_client(APP_SCOPE)
        return answer

    return await asyncio.to_thread(ask)


def _refresh_secret(cache: str) -> str:
    (entry,) = json.loads(cache)["RefreshToken"].values()
    return str(entry["secret"])


def _id_token(cache: str) -> str:
    (entry,) = json.loads(cache)["IdToken"].values()
    return str(entry["secret"])
