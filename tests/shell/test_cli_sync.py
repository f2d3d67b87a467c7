"""`syncd sync`: what it does, prints, and exits with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shell.cli_world import ME, World, guest, world


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def test_first_sync(here: World) -> None:
    """Every event becomes a file, and the exit code is 0."""
    here.event("Stand-up")
    here.event("Review")

    done = here.syncd("sync")

    assert done.code == 0
    assert len(here.files()) == 2
    assert "2 files written" in done.out


def test_reports_for_programs(here: World) -> None:
    """With --json a report of each calendar comes out, with its counts and no error."""
    here.event("Stand-up")

    done = here.syncd("sync", "--json")

    (report,) = done.json["reports"]
    assert done.json["exit"] == 0
    assert (report["account"], report["calendar"]) == ("work", "Calendar")
    assert report["counts"]["files_written"] == 1
    assert report["error"] is None


def test_new_file(here: World) -> None:
    """A file that appeared becomes an event."""
    here.syncd("sync")
    here.file("lunch.ics", "SUMMARY:Lunch")

    done = here.syncd("sync")

    assert (done.code, here.subjects()) == (0, ["Lunch"])


def test_one_calendar(here: World) -> None:
    """A target syncs that calendar and no other."""
    here.mailbox.folders.add("Team / Ops")
    here.event("Stand-up")

    done = here.syncd("sync", "work/team / ops", "--json")

    assert [one["calendar"] for one in done.json["reports"]] == ["Team / Ops"]
    assert here.files() == []


@pytest.mark.parametrize(("target", "meant"), [("wrok", "work"), ("work/Calender", "Calendar")])
def test_target_that_is_none(here: World, target: str, meant: str) -> None:
    """A target that names nothing is wrong usage; the nearest name is told, nothing is written."""
    here.event("Stand-up")

    done = here.syncd("sync", target)

    assert done.code == 2
    assert meant in done.err
    assert not here.export.exists()


def test_dry_run(here: World) -> None:
    """A dry run tells what would be written where, and writes nothing."""
    here.syncd("sync")
    here.event("Stand-up")
    path = here.file("lunch.ics", "SUMMARY:Lunch")

    done = here.syncd("sync", "--dry-run")

    assert done.code == 0
    assert "Stand-up" in done.out
    assert "Lunch" in done.out
    assert (here.files(), here.subjects()) == ([path], ["Stand-up"])


def test_dry_run_tells_who_would_get_mail(here: World) -> None:
    """A change that would mail people names them."""
    here.event("Review", attendees=[guest("ada@example.org")])
    here.syncd("sync")
    (path,) = here.files()
    path.write_bytes(path.read_bytes().replace(b"SUMMARY:Review", b"SUMMARY:Retro"))

    done = here.syncd("sync", "--dry-run")

    assert "updates to ada@example.org" in done.out
    assert here.subjects() == ["Review"]


def test_something_waits_for_a_person(here: World) -> None:
    """Where a change is held the exit code is 4, and the list says what to do."""
    here.syncd("sync")
    here.file(
        "meeting.ics", "SUMMARY:Review", "ATTENDEE:mailto:ada@example.org", f"ORGANIZER:mailto:{ME}"
    )

    done = here.syncd("sync")

    assert done.code == 4
    assert "syncd problems show" in done.out
    assert here.service.ledger == []


def test_no_token(here: World) -> None:
    """An account that gets no token exits with 3 and names the remedy."""
    here.configure(auth='method = "command"\ncommand = ["false"]')

    done = here.syncd("sync")

    assert done.code == 3
    assert done.err


def test_another_syncd_works(here: World) -> None:
    """While another process holds the lock nothing is done, and the exit code is 2."""
    from syncd.shell.config import load_config
    from syncd.shell.workshop import state_lock

    with state_lock(load_config(here.config)):
        done = here.syncd("sync")

    assert done.code == 2
    assert "another syncd" in done.err


def test_no_token_in_any_output(here: World) -> None:
    """No output has the token, not even at debug."""
    here.event("Stand-up")

    done = here.syncd("--log-level", "debug", "sync")

    assert "page.stored" in done.err
    assert f"sim-{ME}" not in done.out + done.err
