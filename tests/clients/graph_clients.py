"""
Two libraries for Microsoft Graph, and the simulated service that they ask.

Refuses to know what is tested with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msal
import pytest
import requests

from syncd.simulator.authority import Authority
from syncd.simulator.authority_http import AuthorityServer
from syncd.simulator.authority_values import AuthorityPolicy, Client, User
from syncd.simulator.folders import Person
from syncd.simulator.server import SimulatorServer
from syncd.simulator.service import Service, system_now
from syncd.simulator.switches import Switches
from syncd.simulator.tls import LoopbackCa
from syncd.simulator.tokens import ALL_SCOPES, StaticTokens

QUIET = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the libraries among themselves
    pytest.mark.filterwarnings("ignore:response_mode:UserWarning"),  # O365 takes the plain redirect
]

ADA = User.named("ada@simulated.example", "Ada")
BERLIN = ZoneInfo("Europe/Berlin")
WINDOW = ("2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z")
FURTHER_SCOPES = {"Group.Read.All", "Place.Read.All"}
CALLBACK = "http://localhost:1/"
BOB = "bob@simulated.example"
CAROL = Person("Carol", "carol@example.org")
LARGE = bytes(range(256)) * 12_800  # more than fits into one POST


def event(subject: str, day: str = "2026-03-05", **rest: Any) -> dict[str, Any]:
    """An hour at ten in the morning, Berlin time."""
    zone = "W. Europe Standard Time"
    times = {"start": f"{day}T10:00:00", "end": f"{day}T11:00:00"}
    walls = {name: {"dateTime": time, "timeZone": zone} for name, time in times.items()}
    return {"subject": subject, **walls, **rest}


def subjects(box: Any) -> list[str]:
    """The subjects of the default calendar."""
    return sorted(one.values["subject"] for one in box.items(box.default_calendar.id))


def invited(box: Any, subject: str, **rest: Any) -> Any:
    """A meeting of Carol's in the default calendar."""
    return box.receive(box.default_calendar.id, event(subject, **rest), CAROL)


def organized(box: Any, subject: str, *people: str, **rest: Any) -> Any:
    """A meeting of Ada's own."""
    attendees = [{"emailAddress": {"address": address}} for address in people]
    return box.create(box.default_calendar.id, event(subject, attendees=attendees, **rest))


def mails(made: Any) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """What a program let the service send, in the order in which it did."""
    sent = [mail for mail in made.service.ledger if mail.actor == "api"]
    return [(mail.kind, mail.response, mail.comment, mail.to) for mail in sent]


def contents(box: Any, identity: str) -> dict[str, Any]:
    """What is attached to an event, by name."""
    return {each.draft.name: each.draft.content for each in box.find(identity).attachments}


class Office:
    """The simulator and its authority behind TLS, and an O365 account that trusts both."""

    def __init__(self, folder: Path) -> None:
        self.library = pytest.importorskip("O365", reason="O365 is not installed")
        self.service = Service(now=system_now, random=Random(7), switches=Switches())
        self.box = self.service.add_mailbox(ADA.username, "Ada", user_id=ADA.object_id)
        self.ca = LoopbackCa()
        self.ca_file = folder / "ca.pem"
        self.ca.write_ca(self.ca_file)
        self.authority = Authority(
            users=[ADA],
            clients=[Client("desktop")],
            clock=system_now,
            rng=Random(5),
            policy=AuthorityPolicy(auto_approve=ADA.username),
        )
        self.logins = AuthorityServer(self.authority, self.ca)
        self.server = SimulatorServer(
            self.service, tokens=self.authority, ssl_context=self.ca.server_context()
        )

    def session(self) -> requests.Session:
        """A session that trusts this CA, whatever the environment says."""
        made = requests.Session()
        made.trust_env = False
        made.verify = str(self.ca_file)
        return made

    def account(self) -> Any:
        """An account nobody has signed in to; blocks, since msal asks the authority at once."""
        protocol = type(
            "Protocol", (self.library.MSGraphProtocol,), {"_protocol_url": f"{self.server.origin}/"}
        )
        backend = pytest.importorskip("O365.utils.token").MemoryTokenBackend()
        account = self.library.Account(
            ("desktop",),
            auth_flow_type="public",
            protocol=protocol(timezone="Europe/Berlin"),
            token_backend=backend,
            requests_delay=0,
        )
        account.con._msal_client = msal.PublicClientApplication(
            "desktop",
            authority=self.logins.authority_url,
            instance_discovery=False,
            token_cache=backend,
            http_client=self.session(),
        )
        return account

    def signed_in(self, scopes: Sequence[str] = ()) -> Any:
        """An account after the sign-in of a person who says yes to everything."""
        account = self.account()
        assert account.authenticate(
            requested_scopes=["Calendars.ReadWrite", *scopes],
            redirect_uri=CALLBACK,
            handle_consent=self.consent,
        )
        account.con.session = account.con.get_session(load_token=True)
        account.con.session.trust_env = False
        account.con.session.verify = str(self.ca_file)
        account.con.naive_session = self.session()  # which O365 takes to upload URLs
        return account

    def consent(self, url: str) -> str:
        """Where the browser would end up."""
        with self.session() as browser:
            return browser.get(url, allow_redirects=False).headers["Location"]


async def as_user(office: Office, deed: Callable[[Any], Any], scopes: Sequence[str] = ()) -> Any:
    """Sign in and do something, in a thread, since O365 blocks."""
    return await asyncio.to_thread(lambda: deed(office.signed_in(scopes)))


def _title(name: str) -> str:
    return "".join(part.title() for part in name.split("_"))


def _generated(place: str, name: str) -> Any:
    return getattr(pytest.importorskip(f"msgraph.generated.{place}"), name)


class Sdk:
    """The simulator, and Microsoft's SDK pointed at it."""

    def __init__(self) -> None:
        msgraph = pytest.importorskip("msgraph", reason="msgraph-sdk is not installed")
        self.core = pytest.importorskip("msgraph_core")
        self.httpx = pytest.importorskip("httpx")
        self.adapters = pytest.importorskip("msgraph.graph_request_adapter")
        self.kiota = pytest.importorskip("kiota_abstractions")
        self.models = pytest.importorskip("msgraph.generated.models.event")
        self.service = Service(random=Random(7), switches=Switches())
        self.box = self.service.add_mailbox(ADA.username, "Ada", user_id=ADA.object_id)
        self.server = SimulatorServer(
            self.service, tokens=StaticTokens(scopes=ALL_SCOPES | FURTHER_SCOPES)
        )
        self._make = msgraph.GraphServiceClient

    def client(self, transport: Any) -> Any:
        """A client that asks the simulator."""
        anonymous = pytest.importorskip(
            "kiota_abstractions.authentication.anonymous_authentication_provider"
        )
        http = self.core.GraphClientFactory.create_with_default_middleware(
            options=self.adapters.options, client=transport
        )
        adapter = self.adapters.GraphRequestAdapter(
            anonymous.AnonymousAuthenticationProvider(), http
        )
        adapter.base_url = self.server.base_url
        return self._make(request_adapter=adapter)

    def model(self, name: str, /, **values: Any) -> Any:
        """A model of the SDK by the name of its module."""
        return _generated(f"models.{name}", _title(name))(**values)

    def choice(self, name: str, value: str) -> Any:
        """A member of an enumeration of the SDK by the name of its module."""
        return _generated(f"models.{name}", _title(name))(value)

    def body(self, place: str, /, **values: Any) -> Any:
        """The body of an action, which has a class at each place where it can be asked for."""
        name = place.rpartition(".")[2]
        kind = _generated(f"{place}.{name}_post_request_body", f"{_title(name)}PostRequestBody")
        return kind(**values)

    def asking(self, builder: Any, **query: Any) -> Any:
        """The configuration of a GET with query options."""
        options = getattr(type(builder), f"{type(builder).__name__}GetQueryParameters")
        module = pytest.importorskip("kiota_abstractions.base_request_configuration")
        return module.RequestConfiguration(query_parameters=options(**query))

    def refused(self) -> Any:
        """Expect an error of Graph's own form."""
        return pytest.raises(_generated("models.o_data_errors.o_data_error", "ODataError"))

    def wall(self, text: str) -> Any:
        """A time in Berlin."""
        zone = "W. Europe Standard Time"
        return self.model("date_time_time_zone", date_time=text, time_zone=zone)

    def series(self) -> Any:
        """Every Thursday, five times."""
        weekdays = pytest.importorskip("msgraph.generated.models.day_of_week").DayOfWeek
        patterns = pytest.importorskip("msgraph.generated.models.recurrence_pattern_type")
        ranges = pytest.importorskip("msgraph.generated.models.recurrence_range_type")
        return self.model(
            "patterned_recurrence",
            pattern=self.model(
                "recurrence_pattern",
                type=patterns.RecurrencePatternType.Weekly,
                interval=1,
                days_of_week=[weekdays.Thursday],
            ),
            range=self.model(
                "recurrence_range",
                type=ranges.RecurrenceRangeType.Numbered,
                start_date=date(2026, 3, 5),
                number_of_occurrences=5,
            ),
        )
