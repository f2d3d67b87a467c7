"""A calendar that somebody shares for writing: what is done there is done in their name."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from syncd.core.state import CalendarRecord
from syncd.simulator.folders import Person
from syncd.simulator.tokens import ALL_SCOPES, StaticTokens
from tests.shell.cli_world import ME, World, at, guest, ics, world

ANN = "ann@example.org"


@contextmanager
def shared_world(folder: Path) -> Iterator[World]:
    """Ann shares her calendar, in which Carol's invitation of both is."""
    with world(folder) as made:
        ann = made.service.add_mailbox(ANN, "Ann")
        body = {"subject": "Invitation", "start": at("14:00"), "end": at("15:00")}
        invited = {**body, "attendees": [guest(ANN), guest(ME)]}
        ann.receive(ann.default_calendar.id, invited, Person("Carol", "carol@example.org"))
        made.service.share(ann, ann.default_calendar.id, ME, "write")
        assert isinstance(made.server.tokens, StaticTokens)
        made.server.tokens.scopes = frozenset(ALL_SCOPES)
        yield made


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with shared_world(tmp_path) as made:
        assert made.syncd("sync").code == 0
        yield made


def folder(here: World) -> Path:
    [found] = [one for one in (here.export / "work").iterdir() if one.name != "Calendar"]
    return found


def mails(here: World) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.kind, tuple(sorted(one.to))) for one in here.service.ledger if one.actor == "api"]


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """As a version left it that took every calendar for one's own; Ann's line is behind."""
    with shared_world(tmp_path) as made:
        [item] = made.service.mailbox(ANN).items(made.service.mailbox(ANN).default_calendar.id)
        item.values["responseStatus"] = {"response": "declined", "time": "2026-01-01T00:00:00Z"}
        [line] = [one for one in item.values["attendees"] if ANN in str(one)]
        line["status"] = {"response": "accepted", "time": "2026-01-01T00:00:00Z"}
        with monkeypatch.context() as patch:
            patch.setattr(CalendarRecord, "whose", lambda self, owner: owner)
            for _ in range(2):
                assert made.syncd("sync").code == 0
        state = sqlite3.connect(made.folder / "state" / "state.db")
        with state:
            state.execute("UPDATE calendar SET owner = ''")
            state.execute("UPDATE account SET listed_at = NULL")
        state.close()
        made.service.ledger.clear()
        made.server.requests.clear()
        yield made


@pytest.mark.parametrize("line", [b"", b"X-FOO:1\r\n", b"CATEGORIES:Red\r\n"])
def test_a_state_from_before_answers_nobody(before: World, line: bytes) -> None:
    """Neither by itself nor with the first save does one's own line become the owner's answer."""
    [path] = folder(before).glob("*.ics")
    path.write_bytes(path.read_bytes().replace(b"BEGIN:VEVENT\r\n", b"BEGIN:VEVENT\r\n" + line))

    for _ in range(3):
        assert before.syncd("sync").code == 0

    assert before.service.ledger == []
    assert not [one for one in before.server.requests.entries if "accept" in one.path]
    assert path.exists()


@pytest.fixture
def plain(here: World) -> World:
    """An event of nobody but Ann, and a state that has not heard yet whose its calendar is."""
    (folder(here) / "x.ics").write_bytes(ics("x", "SUMMARY:One", "LOCATION:Here"))
    for _ in range(2):
        assert here.syncd("sync").code == 0
    return here


def hears_it_again(here: World) -> None:
    state = sqlite3.connect(here.folder / "state" / "state.db")
    with state:
        state.execute("UPDATE calendar SET owner = ''")
        state.execute("UPDATE account SET listed_at = NULL")
    state.close()
    for _ in range(3):
        assert here.syncd("sync").code == 0


def of_ann(here: World) -> dict[str, Any]:
    """The subjects of Ann's events, with their ids."""
    ann = here.service.mailbox(ANN)
    items = ann.items(ann.default_calendar.id)
    return {one.values["subject"]: one.default_id for one in items}


def test_what_changed_here_meanwhile_goes_there(plain: World) -> None:
    path = folder(plain) / "x.ics"
    path.write_bytes(path.read_bytes().replace(b"SUMMARY:One", b"SUMMARY:Two"))

    hears_it_again(plain)

    assert ("Two" in of_ann(plain), "One" in of_ann(plain)) == (True, False)
    assert plain.syncd("problems", "--json").json == []


def test_what_was_deleted_here_meanwhile_is_deleted_there(plain: World) -> None:
    (folder(plain) / "x.ics").unlink()

    hears_it_again(plain)

    assert "One" not in of_ann(plain)


def test_what_was_deleted_there_meanwhile_stays_so(plain: World) -> None:
    plain.service.mailbox(ANN).delete(of_ann(plain)["One"])

    hears_it_again(plain)

    assert "One" not in of_ann(plain)
    assert not (folder(plain) / "x.ics").exists()


def test_what_changed_there_meanwhile_comes_here_under_any_policy(plain: World) -> None:
    plain.configure('[sync]\nconflict = "local"')
    plain.service.mailbox(ANN).patch(of_ann(plain)["One"], {"subject": "Three"})

    hears_it_again(plain)

    assert "Three" in of_ann(plain)
    assert b"SUMMARY:Three" in (folder(plain) / "x.ics").read_bytes()


def test_oneself_is_a_guest_there_like_any_other(here: World) -> None:
    """A held invitation names everybody who gets it, and they get it."""
    lines = (f"ORGANIZER:mailto:{ANN}", f"ATTENDEE:mailto:{ME}", "ATTENDEE:mailto:bob@x.org")
    (folder(here) / "plan.ics").write_bytes(ics("plan", "SUMMARY:Plan", *lines))

    assert here.syncd("sync").code == 4
    [held] = [one for one in here.syncd("problems", "--json").json if one["needs_person"]]
    assert (held["kind"], sorted(held["to"])) == ("held-mail", ["bob@x.org", ME])
    assert mails(here) == []

    assert here.syncd("approve", held["id"], "--yes").code == 0
    assert mails(here) == [("invitation", ("bob@x.org", ME))]
    assert here.syncd("sync").code == 0
    assert len(mails(here)) == 1


def test_who_writes_there_may_be_named_as_organizer(here: World) -> None:
    """As many programs do: it becomes a meeting of the calendar's owner all the same."""
    path = folder(here) / "plan.ics"
    lines = (f"ORGANIZER:mailto:{ME}", "ATTENDEE:mailto:bob@x.org")
    path.write_bytes(ics("plan", "SUMMARY:Plan", *lines))

    assert here.syncd("sync").code == 4
    [held] = [one for one in here.syncd("problems", "--json").json if one["needs_person"]]
    assert (held["kind"], held["to"]) == ("held-mail", ["bob@x.org"])
    assert here.syncd("approve", held["id"], "--yes").code == 0

    path.write_bytes(path.read_bytes().replace(b"SUMMARY:Plan", b"SUMMARY:Plans"))
    for _ in range(2):
        assert here.syncd("sync").code == 0
    assert mails(here) == [("invitation", ("bob@x.org",)), ("update", ("bob@x.org",))]
    assert here.syncd("problems", "--json").json == []


def test_the_answer_is_that_of_the_calendars_owner(here: World) -> None:
    """One's own line there is a guest's, which nobody else can answer for."""
    [path] = folder(here).glob("*.ics")
    before = path.read_bytes()

    done = here.syncd("respond", "--match", "Invitation", "accept")

    assert (done.code, "carol@example.org" in done.out) == (0, True)
    assert mails(here) == [("response", ("carol@example.org",))]
    assert here.syncd("sync").code == 0
    answers = {
        line.rpartition(":")[2]: "ACCEPTED" in line
        for line in path.read_bytes().decode().replace("\r\n ", "").splitlines()
        if line.startswith("ATTENDEE")
    }
    assert answers == {ANN: True, ME: False}
    assert before != path.read_bytes()
