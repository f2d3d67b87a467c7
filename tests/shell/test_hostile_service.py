"""A service that lies: nothing leaves the folder, nothing crashes, no terminal is played with."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.shell.cli_world import Done, syncd
from tests.shell.lying_service import LyingService, lying, row

TOKEN = "t0ken-that-nobody-may-see"
# Clears a screen, sets a title, begins a line, turns the writing direction, begins another line.
ESCAPES = "\x1b[2J\x1b]0;owned\x07\r\nFAKE: all is well\u202e\u2028\x9b2J"
DEEP = b'{"a":' * 5000 + b"1" + b"}" * 5000
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d \w+ +|    \| |syncd: ")


@dataclass(slots=True)
class Place:
    """An installation whose mailbox is on a lying service."""

    root: Path
    service: LyingService

    def syncd(self, *arguments: str) -> Done:
        return syncd("--config", str(self.root / "config.toml"), *arguments)

    def sync(self, *arguments: str) -> Done:
        return checked(self.syncd("sync", *arguments))

    @property
    def account(self) -> Path:
        return self.root / "Calendars" / "work"

    def items(self) -> list[Path]:
        return sorted(self.account.rglob("*.ics"))


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Place]:
    with lying() as service:
        (tmp_path / "config.toml").write_text(f"""
export_dir = "{tmp_path / "Calendars"}"
state_dir = "{tmp_path / "state"}"
[log]
level = "debug"
format = "console"
[accounts.work]
base_url = "{service.base_url}"
[accounts.work.auth]
method = "command"
command = ["echo", "{TOKEN}"]
""")
        yield Place(tmp_path, service)


def checked(done: Done) -> Done:
    """Nothing that a terminal acts on, no line in another's name, no token, no crash."""
    assert all(c.isprintable() for c in (done.out + done.err).replace("\n", ""))
    assert not any(line.startswith("FAKE") for line in (done.out + done.err).split("\n"))
    assert TOKEN not in done.out + done.err
    assert done.code != 1
    return done


def read_commands(here: Place) -> None:
    """Everything that prints what the service said."""
    days = ("--from", "2029-12-31", "--to", "2030-01-02")
    for command in (
        *(("status",), ("problems",), ("calendars",), ("log",), ("search", "good")),
        *(("agenda", *days), ("agenda", *days, "--json"), ("log", "--json")),
    ):
        assert checked(here.syncd(*command)).code == 0


def test_names_of_calendars(here: Place) -> None:
    """Each is one folder beside the others; what it is called stands in its metadata."""
    names = ["../../x", ".", "..", "con", "x" * 300, "\x00\x01", ESCAPES, "", "/etc/passwd", "a/b",
             "-rf", ".git", "CALENDAR", "calendar", "[bold]x[/bold]"]  # fmt: skip
    rows = [{"id": f"c{n}", "name": name} for n, name in enumerate(names)]
    here.service.say("/me/calendars[?]", {"value": rows})

    assert here.sync().code == 0

    folders = list(here.account.iterdir())
    assert len(folders) == len(names)
    assert all(len(one.name.encode()) < 120 and one.name[0] not in ".-" for one in folders)
    assert all(one.name.isprintable() for one in folders)
    assert {path.parent.parent for path in here.items()} == {here.account}
    assert {path.name for path in here.root.iterdir()} == {"config.toml", "Calendars", "state"}
    labels = [one.read_text() for one in here.account.glob("*/displayname")]
    assert "../../x" in labels
    assert all(one.splitlines() == [one] for one in labels)
    read_commands(here)


def test_ids_of_calendars(here: Place) -> None:
    """What makes no address of its own is no calendar; all others are asked for as one part."""
    ids = ["..", ".", "", "a/../../b", "a\r\nX-Evil: 1", "x" * 3000, "a?b#c", "%2e%2e", "c", "c"]
    rows = [{"id": one, "name": f"N{n}"} for n, one in enumerate(ids)]
    here.service.say("/me/calendars[?]", {"value": rows})

    assert here.sync().code == 0

    assert len(here.items()) == 6
    paths = [one.partition("?")[0] for one in here.service.asked if "calendarView" in one]
    assert {len(one.split("/me/calendars/")[-1].split("/")) for one in paths} <= {2, 3}
    assert not [one for one in here.service.asked if "/../" in one or "/./" in one]


def test_rows(here: Place) -> None:
    """Rows that are none are passed over; the others become files in the folder, and no others."""
    good = row("good", "Good")
    flawed = [b"null", b"3", b'"x"', b"[]", b"{}", row("..", "up"), row("", "no id")]
    flawed += [
        row("t", "T", start={"dateTime": "99999-01-01T00:00:00", "timeZone": "UTC"}),
        row("z", "Z", start={"dateTime": ESCAPES, "timeZone": ESCAPES}),
        row("e", "E", end=None),
        json.dumps(row("u", "U")).encode().replace(b'"U"', b'"\xff"'),
    ]
    odd = [
        row("esc", f"Good {ESCAPES}", location={"displayName": ESCAPES}, categories=[ESCAPES]),
        row("num", "N", reminderMinutesBeforeStart=10**400),
        row("etag", "X", **{"@odata.etag": "x\r\nX-Evil: 1"}),
        row("a/../b", "slash"),
        row("a\nb", "line"),
        *(row(f"uid{n}", f"U{n}", iCalUId=uid) for n, uid in enumerate(UIDS)),
    ]
    here.service.page(good, *flawed, *odd, good)
    for one in odd:
        here.service.say(f"/events/{re.escape(one['id'])}[?]", one)

    assert here.sync().code == 0

    files = here.items()
    assert {one.parent for one in files} == {here.account / "Calendar"}
    assert "ical-good.ics" in {one.name for one in files}
    assert len(files) >= 8
    assert all(re.fullmatch(r"[\w@.-]+\.ics", one.name) for one in files)
    assert {path.name for path in here.root.iterdir()} == {"config.toml", "Calendars", "state"}
    read_commands(here)
    for one in here.syncd("agenda", "--from", "2029-12-31", "--to", "2030-01-02", "--json").json:
        checked(here.syncd("show", one["uid"]))


UIDS = ["../../../etc/passwd", "..", "\x00", "x\ny", ".hidden", "-rf", "con", "x" * 400, ESCAPES]


def error(**members: Any) -> dict[str, Any]:
    return {"error": members}


Lie = Callable[[LyingService], None]
LIES: dict[str, Lie] = {
    "a user that is none": lambda s: s.say("/me$", []),
    "a user without id": lambda s: s.say("/me$", {"id": None}),
    "a user that is no text": lambda s: s.say("/me$", b'{"id": "\xff\xfe"}'),
    "a refusal with escapes": lambda s: s.say(
        "/me$", error(code=ESCAPES, message=f"{ESCAPES} {TOKEN}"), status=403
    ),
    "a deep refusal": lambda s: s.say(
        "/me$", b'{"error": {"code": "x", "innerError": ' + DEEP + b"}}", status=403
    ),
    "a refusal that is no text": lambda s: s.say("calendarView", b"\xff\x1b[2J", status=400),
    "a refusal without end": lambda s: s.say("calendarView", error(code="x" * 10**6), status=400),
    "a dead token for ever": lambda s: s.say("calendarView", error(code="x"), status=410),
    "calendars that are none": lambda s: s.say("/me/calendars[?]", {"value": [None, 3]}),
    "calendars elsewhere": lambda s: s.say(
        "/me/calendars[?]", {"value": [], "@odata.nextLink": "https://graph.example.com/"}
    ),
    "pages elsewhere": lambda s: s.page(**{"@odata.nextLink": "https://graph.example.com/"}),
    "pages by another scheme": lambda s: s.page(**{"@odata.nextLink": "file:///etc/passwd"}),
    "pages with a password": lambda s: s.page(
        **{"@odata.nextLink": s.base_url.replace("//", f"//me:{TOKEN}@") + "/calendarView"}
    ),
    "pages in a circle": lambda s: s.page(
        **{"@odata.nextLink": f"{s.base_url}/calendarView\r\nX-Evil: 1"}
    ),
    "a page without a link": lambda s: s.page(**{"@odata.context": "x"}),
    "a page that is none": lambda s: s.say("calendarView", {"value": {}}),
    "a redirect": lambda s: s.say("calendarView", b"", status=302, Location="https://x.example/"),
    "a pause without end": lambda s: s.say("/me$", {}, status=429, Retry_After="9" * 400),
}


@pytest.mark.parametrize("name", LIES)
def test_lie(here: Place, name: str) -> None:
    """It is a failure that may pass, told on one line; nothing else comes of it."""
    LIES[name](here.service)

    done = here.sync()

    assert done.code == 5
    assert re.search(r"failed: .+", done.out)
    assert all(LINE.match(line) for line in done.err.splitlines() if line.startswith((" ", "2")))
    assert {path.name for path in here.root.iterdir()} <= {"config.toml", "Calendars", "state"}


def test_truth_after_a_lie(here: Place) -> None:
    """A link that led astray is not followed for ever: the next honest answer is believed."""
    LIES["pages elsewhere"](here.service)
    assert here.sync().code == 5
    here.service.be_honest()

    assert here.sync().code == 0

    assert [one.name for one in here.items()] == ["ical-good.ics"]
