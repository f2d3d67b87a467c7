"""Whom a token is shown to: the right host, with a certificate that proves it, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from syncd.core.errors import BadAnswer, ConfigError, ExitCode
from syncd.graph.failures import UntrustedCertificate
from syncd.graph.links import ServiceRoot
from syncd.graph.transport import GraphRemote
from syncd.simulator.tls import LoopbackCa
from tests.graph.scripted import ScriptedService, get, kinds, post, serving, world_of, written

GRAPH = ServiceRoot.parse("https://graph.microsoft.com/v1.0")
ASTRAY = [
    "https://graph.example.com/v1.0/me/events",
    "http://graph.microsoft.com/v1.0/me/events",
    "https://graph.microsoft.com:8443/v1.0/me/events",
    "https://graph.microsoft.com@example.com/v1.0/me/events",
    "https://graph.microsoft.com:443@example.com/",
    "https://user@graph.microsoft.com/v1.0/me/events",
    "https://graph.microsoft.com\\@example.com/",
    "https://graph.microsoft.com.example.com/",
    "https://graph.microsoft.com./v1.0",
    "https://graph.microsoft.com%2eexample.com/",
    "https://[::1/v1.0",
    "https:example.com",
    "\thttps://graph.microsoft.com/v1.0",
    "graph.microsoft.com/v1.0",
    "file:///etc/passwd",
    "",
]


@pytest.mark.parametrize("link", ASTRAY)
def test_a_link_astray_is_refused(link: str) -> None:
    """Another scheme, host or port, or a user before it: not followed."""
    with pytest.raises(BadAnswer):
        GRAPH.locate(link)


@pytest.mark.parametrize(
    "link",
    [
        "https://graph.microsoft.com/v1.0/me/calendarView/delta?$deltatoken=R0usmcCM%2b996%2F_(x)",
        "https://graph.microsoft.com/beta/me/events?$filter=a%20eq%20'b'&x=1+2",
    ],
)
def test_a_link_of_the_service_is_followed_verbatim(link: str) -> None:
    """Not one byte of it is encoded again or decoded."""
    assert GRAPH.locate(link) == link
    assert str(URL(GRAPH.locate(link), encoded=True)) == link


def test_a_link_below_the_root_can_go_into_a_batch() -> None:
    """Relative to the root, it is what `$batch` wants; elsewhere on the host it is not."""
    assert GRAPH.below("https://graph.microsoft.com/v1.0/me/events?$top=1") == "/me/events?$top=1"
    assert GRAPH.below("https://graph.microsoft.com/beta/me") is None


@given(st.text() | st.text("/\\@:#?%. \n").map("https://graph.microsoft.com".__add__))
def test_no_link_leads_anywhere_else(link: str) -> None:
    """Whatever a link says, it is refused or its host is the service's."""
    try:
        url = URL(GRAPH.locate(link), encoded=True)
    except BadAnswer:
        return
    assert (url.scheme, url.host, url.port, url.user) == ("https", "graph.microsoft.com", 443, None)
    assert str(url).isascii()
    assert str(url).isprintable()


@pytest.mark.parametrize(
    "base_url",
    ["", "graph.microsoft.com", "ftp://x", "http://graph.microsoft.com/v1.0", "https://a@b/v1.0",
     "https://graph.microsoft.com/v1.0?x=1", "https://graph.microsoft.com:x/"],
)  # fmt: skip
def test_an_address_that_is_none_is_a_configuration_error(base_url: str) -> None:
    """Plain http to other machines too: it would show the token to everybody on the way."""
    with pytest.raises(ConfigError):
        ServiceRoot.parse(base_url)


@pytest.mark.parametrize("link", ASTRAY[:4])
async def test_nothing_is_sent_for_a_link_astray(
    remote: GraphRemote, service: ScriptedService, link: str
) -> None:
    """Neither to the stranger nor to the service."""
    with pytest.raises(BadAnswer):
        await remote.read(get(link))
    with pytest.raises(BadAnswer):
        await remote.read_all([get(), get(link)])
    assert service.arrivals == []


# --- certificates ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ca() -> LoopbackCa:
    return LoopbackCa()


async def test_a_private_authority_is_trusted_when_named(ca: LoopbackCa, tmp_path: Path) -> None:
    """`ca_file` adds to the system's authorities."""
    ca_file = written(tmp_path / "ca.pem", ca.ca_pem)
    async with (
        serving(ca.server_context()) as service,
        world_of(service).remote(ca_file=ca_file) as remote,
    ):
        assert (await remote.read(get())).status == 200


@pytest.mark.parametrize("named", [False, True])
async def test_a_stranger_gets_nothing(ca: LoopbackCa, tmp_path: Path, named: bool) -> None:
    """With no CA or the wrong one: one try, nothing sent, and a word on `ca_file`."""
    wrong = written(tmp_path / "wrong.pem", LoopbackCa().ca_pem) if named else None
    async with serving(ca.server_context()) as service:
        world = world_of(service)
        async with world.remote(ca_file=wrong) as remote:
            with pytest.raises(UntrustedCertificate) as caught:
                await remote.read(get())
            outcomes = await remote.write_all([post(), post()])

    assert "certificate of 127.0.0.1 is not trusted" in str(caught.value)
    assert "ca_file" in caught.value.hint
    assert caught.value.exit_code is ExitCode.PASSES
    assert kinds(outcomes) == ["Unsent", "Unsent"]
    assert (service.arrivals, world.clock.slept) == ([], [])


async def test_a_service_without_tls_gets_nothing(service: ScriptedService) -> None:
    """Where https was asked for, plain http is not tried, and it is told at once."""
    world = world_of(service)
    async with world.remote(base_url=service.base_url.replace("http:", "https:")) as remote:
        with pytest.raises(UntrustedCertificate, match="no secure connection"):
            await remote.read(get())

    assert (service.arrivals, world.clock.slept) == ([], [])


@pytest.mark.parametrize("content", [None, b"no certificate"])
async def test_a_ca_file_that_is_none_is_a_configuration_error(
    service: ScriptedService, tmp_path: Path, content: bytes | None
) -> None:
    """Missing or not PEM: told before anything is sent."""
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        written(ca_file, content)

    with pytest.raises(ConfigError, match="ca_file"):
        await world_of(service).remote(ca_file=ca_file).__aenter__()
