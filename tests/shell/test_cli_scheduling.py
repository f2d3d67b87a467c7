"""`syncd free-busy`, `find-time` and `reminders`: asked of the service, told for people."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from syncd.core.errors import CommandError, DiskTrouble
from syncd.core.free_busy import Availability, Taken
from syncd.core.zones import WindowsZone
from syncd.shell.commands.run import run_daemon
from syncd.shell.config import load_config
from syncd.shell.scheduling import Written
from syncd.simulator.faults import FaultKind
from syncd.simulator.folders import Person
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.tokens import StaticTokens
from syncd.store.schedules import MOST_KEPT, Schedules
from tests.shell.cli_world import ME, TOMORROW, Done, World, at, world
from tests.shell.test_daemon import Facts

ANN, BOB, HOOD = "ann@example.org", "bob@example.org", "hood@example.org"
BERLIN = WindowsZone("W. Europe Standard Time")
TUESDAY = "2031-03-04"
FIND = (
    "find-time",
    "--with",
    ANN,
    "--between",
    f"{TUESDAY}T09:00/12:00",
    "--hours",
    "unrestricted",
)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    """A mailbox in Berlin, with a colleague, Ann, and a room, Hood; synced."""
    with world(tmp_path) as made:
        made.service.add_mailbox(ANN, "Ann")
        made.service.add_room(HOOD, "Hood")
        made.mailbox.folders.change_settings({"timeZone": BERLIN})
        assert made.syncd("sync").code == 0
        made.server.requests.clear()
        yield made


def book(box: Mailbox, start: str, end: str, status: str = "busy", **more: Any) -> None:
    """Something on that Tuesday of 2031, in Berlin."""
    times = {
        name: {"dateTime": f"{TUESDAY}T{clock}:00", "timeZone": BERLIN}
        for name, clock in (("start", start), ("end", end))
    }
    box.create(box.default_calendar.id, {"subject": "Taken", "showAs": status, **times, **more})


def ann(here: World) -> Mailbox:
    return here.service.mailbox(ANN)


def out_of_reach(here: World) -> None:
    """The service asks for a longer pause than anybody waits at a terminal."""
    here.server.faults.script(FaultKind.THROTTLED, times=99, retry_after_s=3600)


def refused(here: World, *scopes: str) -> None:
    tokens = here.server.tokens
    assert isinstance(tokens, StaticTokens)
    tokens.scopes = frozenset(scopes)


def cells(done: Done, who: str) -> str:
    """What a row of the timeline shows between its bars."""
    (line,) = [one for one in done.out.splitlines() if one.startswith(who)]
    return line.split("|")[1]


def posts(here: World) -> list[str]:
    return [one.path for one in here.server.requests.entries if one.method == "POST"]


class TestFreeBusy:
    def test_timeline(self, here: World) -> None:
        """A row for each address, in the mailbox's zone, with letters and a legend."""
        book(ann(here), "10:00", "11:30")
        book(here.mailbox, "20:00", "21:00", "tentative")

        done = here.syncd("free-busy", ANN, ME, HOOD, "--day", TUESDAY)

        assert done.code == 0
        assert f"Tuesday {TUESDAY}, Europe/Berlin" in done.out
        # They all work from eight to five in UTC: from nine to six in Berlin.
        assert cells(done, ANN) == " " * 18 + "..BBB" + "." * 13 + " " * 12
        assert cells(done, ME) == " " * 18 + "." * 18 + "    tt      "
        assert cells(done, HOOD).strip() == "." * 18
        assert "B busy" in done.out

    def test_error_of_an_address(self, here: World) -> None:
        """It stands in its row; the others are told."""
        done = here.syncd("free-busy", "who@x.org", ANN, "--day", TUESDAY)

        assert done.code == 0
        assert "Unable to resolve" in cells(done, "who@x.org")
        assert len(cells(done, ANN)) == 48

    def test_json(self, here: World) -> None:
        """Programs get the digits, the entries and the hours of each address and day."""
        book(ann(here), "10:00", "11:30", "oof")

        done = here.syncd(
            "free-busy", f"{ANN},who@x.org", "--from", TUESDAY, "--to", "2031-03-05",
            "--interval", "60", "--json",
        )  # fmt: skip

        rows = done.json
        days = [(one["address"], one["day"]) for one in rows]
        assert days == [
            (ANN, TUESDAY), ("who@x.org", TUESDAY), (ANN, "2031-03-05"), ("who@x.org", "2031-03-05"),
        ]  # fmt: skip
        assert rows[0]["view"] == "0" * 10 + "33" + "0" * 12
        (entry,) = rows[0]["busy"]
        assert entry["status"] == "oof"
        assert entry["start"] == f"{TUESDAY}T10:00:00+01:00"
        assert rows[0]["working_hours"]["start"] == "08:00"
        assert (rows[0]["offline"], rows[0]["error"]) == (False, "")
        assert "5009" in rows[1]["error"]

    def test_twenty_at_once(self, here: World) -> None:
        """More addresses than one question takes are asked in several, in one batch."""
        people = [f"p{number}@example.org" for number in range(45)]
        for person in people[:2]:
            here.service.add_mailbox(person)

        rows = here.syncd("free-busy", *people, people[0].upper(), "--day", TUESDAY, "--json").json

        assert [one["address"] for one in rows] == people
        assert [bool(one["error"]) for one in rows] == [False, False] + [True] * 43
        # Twenty, twenty and five.
        assert [one.in_batch for one in here.server.requests.entries[-3:]] == [True] * 3
        assert len(posts(here)) == 3

    def test_offline(self, here: World) -> None:
        """What was asked before is told with its age; of the rest it is said, with exit code 5."""
        book(ann(here), "10:00", "11:00")
        before = here.syncd("free-busy", ANN, "--day", TUESDAY)
        book(ann(here), "14:00", "15:00")
        out_of_reach(here)

        known = here.syncd("free-busy", ANN.title(), "--day", TUESDAY)
        mixed = here.syncd("free-busy", ANN, BOB, "--day", TUESDAY, "--interval", "60", "--json")

        assert known.code == 0
        assert cells(known, ANN.title()) == cells(before, ANN)
        assert "as of" in known.out
        assert mixed.code == 5
        assert [one["offline"] for one in mixed.json] == [True, False]
        assert "not known" in mixed.json[1]["error"]

    def test_offline_and_never_asked(self, here: World) -> None:
        """Another day is another question: exit code 5, and what to do."""
        here.syncd("free-busy", ANN, "--day", TUESDAY)
        out_of_reach(here)

        done = here.syncd("free-busy", ANN, "--day", "2031-03-05")

        assert (done.code, done.out) == (5, "")
        assert "Try again later" in done.err

    def test_answer_that_is_cut_off(self, here: World) -> None:
        """Nothing was changed by the question, so it is asked again."""
        here.server.faults.script(FaultKind.TRUNCATED, "POST", "getSchedule")

        assert here.syncd("free-busy", ANN, "--day", TUESDAY).code == 0
        assert len(posts(here)) == 2

    def test_refused(self, here: World) -> None:
        """Without the permission it says which is missing and how to get it."""
        refused(here, "User.Read")

        done = here.syncd("free-busy", ANN, "--day", TUESDAY)

        assert done.code == 2
        assert "Calendars.Read" in done.err

    def test_no_mailbox(self, here: World) -> None:
        """A mailbox that is not there is refused, not remembered."""
        text = here.config.read_text()
        here.config.write_text(text.replace("[accounts.work]", '[accounts.work]\nuser = "x@y.org"'))

        done = here.syncd("free-busy", ANN, "--day", TUESDAY)

        assert (done.code, done.out) == (2, "")
        assert "404" in done.err

    def test_wrong_usage(self, here: World) -> None:
        """It is told before anything is asked."""
        wrong: list[tuple[str, ...]] = [
            (),
            ("ann",),
            ("<ann@example.org>",),
            (ANN, "--day", "someday"),
            (ANN, "--day", TUESDAY, "--to", TUESDAY),
            (ANN, "--from", TUESDAY, "--to", "2031-03-03"),
            (ANN, "--from", TUESDAY, "--to", "2031-05-05"),
            (ANN, "--interval", "4"),
            (ANN, "--ifb", "x.ifb"),
            (ANN, "--account", "home"),
        ]

        codes = {arguments: here.syncd("free-busy", *arguments).code for arguments in wrong}

        assert codes == dict.fromkeys(wrong, 2)
        assert posts(here) == []

    def test_several_accounts(self, here: World) -> None:
        """Then it has to be said who asks."""
        text = here.config.read_text()
        here.config.write_text(text + text[text.index("[accounts") :].replace(".work", ".home"))

        assert here.syncd("free-busy", ANN).code == 2
        assert here.syncd("free-busy", ANN, "--account", "work").code == 0

    def test_group(self, here: World) -> None:
        """A group has no free and busy times."""
        text = here.config.read_text()
        here.config.write_text(text.replace("[accounts.work]", '[accounts.work]\nuser = "group:g"'))

        assert here.syncd("free-busy", ANN).code == 2

    def test_memory_that_cannot_be_kept(self, here: World) -> None:
        """What was asked is told all the same, and the trouble with it."""
        (here.folder / "state" / "schedules").write_text("in the way")

        done = here.syncd("free-busy", ANN, "--day", TUESDAY)

        assert done.code == 0
        assert len(cells(done, ANN)) == 48
        assert "cannot be kept" in done.err


class TestIfb:
    def periods(self, data: bytes | str) -> list[tuple[str, datetime, datetime]]:
        (told,) = Calendar.from_ical(data).walk("VFREEBUSY")
        found = told.get("FREEBUSY", [])
        lines = found if isinstance(found, list) else [found]
        return [(one.params["FBTYPE"], *one.dt) for one in lines]

    def hours(self, first: int, last: int) -> tuple[datetime, datetime]:
        day = datetime(TOMORROW.year, TOMORROW.month, TOMORROW.day, tzinfo=UTC)
        return day + timedelta(hours=first), day + timedelta(hours=last)

    def test_busy_times(self, here: World) -> None:
        """What is taken is told by kind, offline; free, declined and cancelled time is not."""
        here.event("Secret")
        here.event("Maybe", start=at("12:00"), end=at("13:00"), showAs="tentative")
        here.event("Bus", start=at("14:00"), end=at("15:00"), showAs="free")
        here.syncd("sync")
        out_of_reach(here)

        done = here.syncd("free-busy", "--ifb", str(here.folder / "me.ifb"))

        file = here.folder / "me.ifb"
        assert done.code == 0
        assert "2 busy times" in done.out
        assert self.periods(file.read_bytes()) == [
            ("BUSY", *self.hours(10, 11)),
            ("BUSY-TENTATIVE", *self.hours(12, 13)),
        ]
        assert b"Secret" not in file.read_bytes()
        assert f"ORGANIZER:mailto:{ME}".encode() in file.read_bytes()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_file_that_is_there(self, here: World) -> None:
        """It is replaced whole and keeps its mode; through a link as well."""
        file, link = here.folder / "me.ifb", here.folder / "link.ifb"
        file.write_text("old")
        file.chmod(0o644)
        link.symlink_to(file)

        done = here.syncd("free-busy", "--ifb", str(link), "--json")

        assert done.json["periods"] == 0
        assert file.read_bytes().startswith(b"BEGIN:VCALENDAR")
        assert link.is_symlink()
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        assert list(here.folder.glob(".*.tmp")) == []

    def test_stdout(self, here: World) -> None:
        """A dash is the standard output; the days are those asked for."""
        here.event("Secret")
        here.syncd("sync")

        days = [str(TOMORROW + timedelta(days=number)) for number in range(3)]
        done = here.syncd("free-busy", "--ifb", "-", "--day", days[0])
        other = here.syncd("free-busy", "--ifb", "-", "--from", days[1], "--to", days[2])

        assert self.periods(done.out) == [("BUSY", *self.hours(10, 11))]
        assert self.periods(other.out) == []

    def test_meetings_of_others(self, here: World) -> None:
        """An invitation takes time unless it was declined or called off."""
        calendar, boss = here.mailbox.default_calendar.id, Person("Boss", "boss@example.org")
        spans = (("10:00", "11:00"), ("12:00", "13:00"), ("14:00", "15:00"))
        _, declined, off = [
            here.mailbox.receive(calendar, {"start": at(start), "end": at(end)}, boss)
            for start, end in spans
        ]
        answer = {"response": "declined", "time": "2031-01-01T00:00:00Z"}
        here.mailbox.adjust(declined, {"responseStatus": answer, "showAs": "busy"})
        here.mailbox.cancelled_by_organizer(off.id)
        here.mailbox.adjust(off, {"showAs": "busy"})
        assert here.syncd("sync").code == 0

        told = self.periods(here.syncd("free-busy", "--ifb", "-").out)

        assert told == [("BUSY-TENTATIVE", *self.hours(10, 11))]

    def test_calendars_that_are_only_read(self, here: World) -> None:
        """One that is subscribed to is in the mailbox, and says nothing of its owner's time."""
        football = here.mailbox.folders.add("Football")
        match = {"subject": "Match", "start": at("20:00"), "end": at("21:00")}
        here.mailbox.create(football.id, match)
        football.can_edit = False
        assert here.syncd("sync").code == 0

        assert self.periods(here.syncd("free-busy", "--ifb", "-").out) == []

    def test_calendars_of_others(self, here: World) -> None:
        """Who lets one write in theirs is busy there, and oneself is not."""
        box = ann(here)
        box.create(
            box.default_calendar.id, {"subject": "Ann's", "start": at("16:00"), "end": at("17:00")}
        )
        here.service.share(box, box.default_calendar.id, ME, "write")
        assert here.syncd("sync").code == 0

        assert self.periods(here.syncd("free-busy", "--ifb", "-").out) == []

    def test_nothing_known(self, tmp_path: Path) -> None:
        """Before the first sync there is nothing to tell."""
        with world(tmp_path) as new:
            done = new.syncd("free-busy", "--ifb", "-")

            assert done.code == 2
            assert "syncd sync work" in done.err

    def test_folder_that_is_not_there(self, here: World) -> None:
        """It says what failed."""
        done = here.syncd("free-busy", "--ifb", str(here.folder / "no" / "me.ifb"))

        assert done.code == 5
        assert "cannot be written" in done.err


class TestFindTime:
    def test_table(self, here: World) -> None:
        """Times in the mailbox's zone, how sure they are, and who is what."""
        book(ann(here), "09:00", "10:30", "unknown")

        done = here.syncd(*FIND, "--optional", BOB, "--duration", "90m", "--minimum", "0")

        assert done.code == 0
        first, second = done.out.splitlines()[1:3]
        assert f"Tue {TUESDAY} 10:30-12:00  74.5 %  free: you, {ANN}; unknown: {BOB}" in first
        assert f"Tue {TUESDAY} 09:00-10:30  49 %" in second

    def test_json(self, here: World) -> None:
        """Programs get all of it."""
        done = here.syncd(*FIND, "--suggest-location", "--max", "1", "--json")

        (found,) = done.json["suggestions"]
        assert (found["number"], found["confidence"], found["organizer"]) == (1, 100.0, "free")
        assert found["start"] == f"{TUESDAY}T09:00:00+01:00"
        assert found["people"] == [{"address": ANN, "availability": "free"}]
        assert found["places"] == [{"name": "Hood", "address": HOOD}]
        assert done.json["why_none"] == ""

    def test_every_parameter(self, here: World) -> None:
        """What is said is sent."""
        done = here.syncd(
            *("find-time", "--with", f"{ANN},{BOB}", "--optional", "c@x.org", "--resource", HOOD),
            *("--duration", "45m", "--between", f"{TUESDAY} 09:00/{TUESDAY} 10:00"),
            *("--between", "2031-03-05/2031-03-05", "--location", f"Hood={HOOD}"),
            *("--location", "Bar", "--location-required", "--minimum", "10", "--max", "3"),
            *("--hours", "personal", "--organizer-optional", "--json"),
        )

        assert done.code == 0
        assert len(done.json["suggestions"]) == 3
        assert len(posts(here)) == 1

    def test_a_place_that_need_not_be_free(self, here: World) -> None:
        """Somebody means to meet there in any case."""
        book(here.service.mailbox(HOOD), "00:00", "23:30")
        place = ("--location", f"Hood={HOOD}", "--location-required")

        assert here.syncd(*FIND, *place, "--json").json["suggestions"] == []
        done = here.syncd(*FIND, *place, "--location-unchecked", "--json")

        assert done.json["suggestions"][0]["places"][0]["name"] == "Hood"

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            (("--location", f"Hood={HOOD}", "--location-required"), "no place is free"),
            ((), "have no time"),
            (("--organizer-optional", "--with", "far@x.org"), "nobody knows"),
        ],
    )
    def test_nothing_found(self, here: World, options: tuple[str, ...], told: str) -> None:
        """The reason is told in plain words; it is an answer, and no failure."""
        book(here.service.mailbox(HOOD), "00:00", "23:30")
        if "--location" not in options:
            book(ann(here), "00:00", "23:30")

        done = here.syncd(*FIND, *options)

        assert done.code == 0
        assert told in done.out

    def test_own_time(self, here: World) -> None:
        """Who has no time is told how to leave the own calendar out."""
        book(here.mailbox, "08:00", "13:00")

        assert "--organizer-optional" in here.syncd(*FIND).out
        assert here.syncd(*FIND, "--organizer-optional", "--json").json["suggestions"]

    def test_refused(self, here: World) -> None:
        """Without the permission for other people's calendars it says how to get it."""
        refused(here, "Calendars.ReadWrite", "User.Read")

        done = here.syncd(*FIND)

        assert done.code == 2
        assert "Calendars.Read.Shared" in done.err

    def test_offline(self, here: World) -> None:
        """Only the service knows: exit code 5."""
        out_of_reach(here)

        done = here.syncd(*FIND)

        assert done.code == 5
        assert "only the service knows" in done.err

    def test_wrong_usage(self, here: World) -> None:
        """It is told before anything is asked."""
        wrong: list[tuple[str, ...]] = [
            ("--between", "soon/later"),
            ("--between", TUESDAY),
            ("--between", f"{TUESDAY}T10:00/09:00"),
            ("--duration", "4h"),
            ("--duration", "10s"),
            ("--duration", "an hour"),
            ("--location", f"={HOOD}"),
            ("--location", "Hood=hood"),
            ("--optional", "bob"),
            ("--minimum", "101"),
            ("--max", "0"),
            ("--pick", "2"),
            ("--dry-run",),
            ("--create", " "),
        ]

        codes = {arguments: here.syncd(*FIND, *arguments).code for arguments in wrong}

        assert codes == dict.fromkeys(wrong, 2)
        assert posts(here) == []


class TestCreate:
    def event(self, here: World) -> Any:
        (path,) = here.files()
        (event,) = Calendar.from_ical(path.read_bytes()).walk("VEVENT")
        assert path.stem == event["UID"]
        return event

    def test_file(self, here: World) -> None:
        """The first time becomes a file with everybody in it; nobody is asked anything yet."""
        done = here.syncd(
            *FIND, "--optional", BOB, "--duration", "45m", "--suggest-location",
            "--create", "Plan, B; \\ C",
        )  # fmt: skip

        event = self.event(here)
        assert done.code == 0
        assert str(event["SUMMARY"]) == "Plan, B; \\ C"
        assert event["DTSTART"].dt.isoformat() == f"{TUESDAY}T09:00:00+01:00"
        assert event["DTEND"].dt.isoformat() == f"{TUESDAY}T09:45:00+01:00"
        assert str(event["LOCATION"]) == "Hood"
        assert event["ORGANIZER"] == f"mailto:{ME}"
        guests = {str(one): one.params for one in event["ATTENDEE"]}
        assert list(guests) == [f"mailto:{one}" for one in (ANN, BOB, HOOD)]
        assert [one["ROLE"] for one in guests.values()] == [
            "REQ-PARTICIPANT", "OPT-PARTICIPANT", "NON-PARTICIPANT",
        ]  # fmt: skip
        assert guests[f"mailto:{HOOD}"]["CUTYPE"] == "ROOM"
        assert str(here.files()[0]) in done.out
        assert "3 invitations then wait" in done.out
        assert here.subjects() == []
        assert here.service.ledger == []

    def test_held_and_approved(self, here: World) -> None:
        """The usual way: the next sync holds it, and approving sends each invitation once."""
        here.syncd(*FIND, "--suggest-location", "--create", "Plan")

        assert here.syncd("sync").code == 4
        (problem,) = here.syncd("problems", "--json").json
        assert (problem["kind"], problem["to"]) == ("held-mail", [ANN, HOOD])
        assert here.service.ledger == []
        assert here.syncd("approve", problem["id"], "--yes").code == 0

        assert here.subjects() == ["Plan"]
        mailed = sorted(one for mail in here.service.ledger for one in mail.to)
        assert mailed == [ANN, HOOD]
        assert here.syncd("sync").code == 0

    @pytest.mark.parametrize(
        ("policy", "told"), [("send", "sends 1 invitation"), ("never", "will not be sent")]
    )
    def test_policy(self, here: World, policy: str, told: str) -> None:
        """What becomes of the invitations is said as the policy has it."""
        here.configure(extra=f'[sync]\nmail = {{ invitations = "{policy}" }}')

        assert told in here.syncd(*FIND, "--create", "Plan").out

    def test_nobody_invited(self, here: World) -> None:
        """A time for oneself is an appointment."""
        done = here.syncd(*FIND[:1], *FIND[3:], "--create", "Think")

        assert "nobody is invited" in done.out
        assert not {"ORGANIZER", "ATTENDEE"} & self.event(here).keys()
        assert here.syncd("sync").code == 0
        assert here.subjects() == ["Think"]

    def test_pick(self, here: World) -> None:
        """Any of the times may be the one; a number beyond them is none."""
        book(ann(here), "09:00", "09:30")

        assert here.syncd(*FIND, "--create", "Plan", "--pick", "9").code == 2
        assert here.files() == []
        done = here.syncd(*FIND, "--create", "Plan", "--pick", "2", "--json")

        chosen = done.json["suggestions"][1]["start"]
        assert self.event(here)["DTSTART"].dt.isoformat() == chosen
        assert done.json["created"]["file"] == str(here.files()[0])

    def test_dry_run(self, here: World) -> None:
        """The file is printed, and none is written."""
        done = here.syncd(*FIND, "--create", "Plan", "--dry-run")
        told = here.syncd(*FIND, "--create", "Plan", "--dry-run", "--json").json["created"]

        assert "SUMMARY:Plan" in done.out
        assert told["dry_run"]
        assert "SUMMARY:Plan\r\n" in told["text"]
        assert here.files() == []

    def test_no_time(self, here: World) -> None:
        """Then nothing is created, and the reason is told."""
        book(ann(here), "00:00", "23:30")

        done = here.syncd(*FIND, "--create", "Plan")

        assert done.code == 2
        assert "nothing created" in done.err
        assert here.files() == []

    @pytest.mark.parametrize(
        ("settings", "told"),
        [
            ('[accounts.work.calendar_filter]\nexclude = ["Calendar"]', "not followed"),
            ('[accounts.work.sync]\ndirection = "pull"', "one way"),
        ],
    )
    def test_calendar_that_takes_no_edits(self, here: World, settings: str, told: str) -> None:
        """Nothing is written where it would go nowhere."""
        here.config.write_text(f"{here.config.read_text()}\n{settings}\n")

        done = here.syncd(*FIND, "--create", "Plan")

        assert done.code == 2
        assert told in done.err
        assert here.files() == []

    def test_folder_that_is_gone(self, here: World) -> None:
        """A folder that is not there, or not ours, is not written to."""
        (here.calendar / ".syncd").unlink()

        done = here.syncd(*FIND, "--create", "Plan")

        assert done.code == 5
        assert here.files() == []

    def test_by_the_daemon(self, here: World) -> None:
        """Where a daemon runs, it writes the file, and its policy decides at once."""
        here.configure(extra='[sync]\nmail = { invitations = "send" }')

        async def daemon() -> Done:
            stop, facts = asyncio.Event(), Facts()
            running = asyncio.create_task(run_daemon(load_config(here.config), stop, observe=facts))
            await facts.until(lambda: bool(facts.named("daemon.ready")))
            done = await asyncio.to_thread(here.syncd, *FIND, "--create", "Plan")
            await facts.until(lambda: here.subjects() == ["Plan"])
            stop.set()
            await running
            return done

        done = asyncio.run(daemon())

        assert done.code == 0
        assert "The daemon takes it up" in done.out
        assert [mail.to for mail in here.service.ledger] == [(ANN,)]
        assert len(here.files()) == 1


class TestReminders:
    def test_view(self, here: World) -> None:
        """By the time at which they fire, in the mailbox's zone; snoozed ones with their new one."""
        book(here.mailbox, "10:00", "11:00", reminderMinutesBeforeStart=15, isReminderOn=True)
        book(
            here.mailbox, "12:00", "13:00", subject="Far off", isReminderOn=True,
            reminderMinutesBeforeStart=300, location={"displayName": "Bar"},
        )  # fmt: skip

        done = here.syncd("reminders", "--from", TUESDAY, "--to", TUESDAY)

        first, second = done.out.splitlines()[1:]
        assert done.code == 0
        assert first.split() == f"Tue {TUESDAY} 07:00 Far off Tue {TUESDAY} 12:00 Bar".split()
        assert second.startswith(f"Tue {TUESDAY} 09:45  Taken")

    def test_days_and_times_are_written_as_in_outlook(self, here: World) -> None:
        here.mailbox.folders.settings |= {"dateFormat": "dd.MM.yyyy", "timeFormat": "h:mm tt"}
        book(here.mailbox, "14:00", "15:00", reminderMinutesBeforeStart=15, isReminderOn=True)
        here.syncd("sync")

        out = here.syncd("reminders", "--from", TUESDAY).out

        assert "Tue 04.03.2031 1:45 PM" in out
        assert "Tue 04.03.2031 9:00 AM-9:30 AM" in here.syncd(*FIND).out

    def test_json(self, here: World) -> None:
        """With the id under which the service knows the event; `list` is the same."""
        book(here.mailbox, "10:00", "11:00", isReminderOn=True, reminderMinutesBeforeStart=15)

        options = ("--from", f"{TUESDAY}T10:00", "--to", f"{TUESDAY} 10:30", "--json")
        (found,) = here.syncd("reminders", *options).json

        assert here.syncd("reminders", "list", *options).json == [found]
        assert found["subject"] == "Taken"
        assert found["fires_at"] == f"{TUESDAY}T09:45:00+01:00"
        assert found["event_id"]

    def test_next_day(self, here: World) -> None:
        """Without a window it is the next twenty-four hours."""
        soon = datetime.now(UTC) + timedelta(hours=23)
        for subject, start in (("Soon", soon), ("Later", soon + timedelta(hours=3))):
            times = [
                {"dateTime": one.strftime("%Y-%m-%dT%H:%M:%S"), "timeZone": "UTC"}
                for one in (start, start + timedelta(minutes=30))
            ]
            here.event(subject, start=times[0], end=times[1], isReminderOn=True)

        assert [one["subject"] for one in here.syncd("reminders", "--json").json] == ["Soon"]

    def test_long_before(self, here: World) -> None:
        """What reminds somebody today of an event in some days is of today."""
        soon = datetime.now(UTC) + timedelta(hours=2)
        for subject, days in (("Soon", 3), ("Later", 5)):
            times = [
                {
                    "dateTime": f"{soon + timedelta(days=days, hours=n):%Y-%m-%dT%H:%M:%S}",
                    "timeZone": "UTC",
                }
                for n in (0, 1)
            ]
            long = {"isReminderOn": True, "reminderMinutesBeforeStart": 3 * 1440}
            here.event(subject, start=times[0], end=times[1], **long)

        assert [one["subject"] for one in here.syncd("reminders", "--json").json] == ["Soon"]

    def test_pages(self, here: World) -> None:
        """However many there are, all of them are listed."""
        for minute in range(25):
            book(here.mailbox, f"10:{minute:02}", "11:00", isReminderOn=True)

        found = here.syncd("reminders", "--from", TUESDAY, "--json").json

        assert len(found) == 25

    def test_none(self, here: World) -> None:
        """It is said."""
        assert "Nothing reminds you" in here.syncd("reminders", "--from", TUESDAY).out

    def test_hostile_subject(self, here: World) -> None:
        """What a terminal would act on is escaped."""
        book(here.mailbox, "10:00", "11:00", subject="Red \x1b[31m", isReminderOn=True)

        assert "\x1b" not in here.syncd("reminders", "--from", TUESDAY).out

    def test_offline(self, here: World) -> None:
        """Only the service knows what was put off: exit code 5."""
        out_of_reach(here)

        done = here.syncd("reminders")

        assert (done.code, done.out) == (5, "")
        assert "only the service knows" in done.err

    def test_refused(self, here: World) -> None:
        """Without the permission it says which is missing."""
        refused(here, "User.Read")

        done = here.syncd("reminders")

        assert done.code == 2
        assert "Calendars.Read" in done.err

    def test_wrong_usage(self, here: World) -> None:
        """A window that is none."""
        wrong: list[tuple[str, ...]] = [
            ("--from", "soon"),
            ("--to", "yesterday"),
            ("--from", TUESDAY, "--to", "2041-03-04"),
            ("--from", "9999-12-31"),
        ]

        codes = {arguments: here.syncd("reminders", *arguments).code for arguments in wrong}

        assert codes == dict.fromkeys(wrong, 2)


class TestWritten:
    """Half past midnight on 4 March in Berlin, when it is still the 3rd in UTC."""

    WRITTEN = Written(BERLIN, datetime(2031, 3, 3, 23, 30, tzinfo=UTC))

    @pytest.mark.parametrize(
        ("text", "day"),
        [
            ("today", 4),
            ("tomorrow", 5),
            ("yesterday", 3),
            ("+2d", 6),
            ("-1d", 3),
            ("2031-03-09", 9),
        ],
    )
    def test_days(self, text: str, day: int) -> None:
        """Days are the mailbox's."""
        assert self.WRITTEN.day(text) == date(2031, 3, day)

    @pytest.mark.parametrize(
        ("text", "utc"),
        [
            ("now", "2031-03-03T23:30"),
            ("2031-03-04", "2031-03-03T23:00"),
            ("2031-03-04T09:00", "2031-03-04T08:00"),
            ("2031-03-04 09:00:30", "2031-03-04T08:00:30"),
            ("2031-03-04T09:00Z", "2031-03-04T09:00"),
            ("2031-03-04T09:00-05:00", "2031-03-04T14:00"),
            ("tomorrow 09:00", "2031-03-05T08:00"),
            ("2031-03-30T02:30", "2031-03-30T01:30"),  # an hour that the clocks leave out
        ],
    )
    def test_moments(self, text: str, utc: str) -> None:
        """Without an offset they are on the mailbox's clocks."""
        assert self.WRITTEN.moment(text) == datetime.fromisoformat(f"{utc}+00:00")

    @pytest.mark.parametrize(
        ("text", "start", "end"),
        [
            ("2031-03-04T09:00/17:00", "04T08:00", "04T16:00"),
            ("today/+1d", "03T23:00", "05T23:00"),
            ("2031-03-04T09:00Z/2031-03-05T01:00", "04T09:00", "05T00:00"),
        ],
    )
    def test_slots(self, text: str, start: str, end: str) -> None:
        """A day as an end is over at its end; a time as an end is of the first day."""
        wanted = tuple(datetime.fromisoformat(f"2031-03-{one}+00:00") for one in (start, end))
        assert self.WRITTEN.slot(text) == wanted

    @pytest.mark.parametrize(
        "text", ["", "09:00", "noon", "2031-13-01", "2031-03-04T25:00", "+99999999d", "9999-12-31"]
    )
    def test_nonsense(self, text: str) -> None:
        """It is refused."""
        with pytest.raises(CommandError):
            self.WRITTEN.moment(text)


NOON = datetime(2031, 3, 4, 12, tzinfo=UTC)


def answered(address: str = ANN, day: int = 0, asked_at: datetime = NOON) -> Availability:
    start = NOON + timedelta(days=day)
    entry = Taken("busy", start, start + timedelta(hours=1), "Secret", "Bar")
    return Availability(address, start, start + timedelta(days=1), 30, asked_at, "2" * 48, (entry,))


class TestMemory:
    async def test_last_answer(self, tmp_path: Path) -> None:
        """What was said last about an address counts, where it covers the whole window."""
        memory = Schedules(tmp_path / "schedules" / "work.json")
        older = answered(asked_at=NOON - timedelta(hours=1))

        await memory.add([older], NOON)
        await memory.add([answered(), answered(BOB)], NOON)

        day = (NOON, NOON + timedelta(days=1))
        ann, bob, none = await memory.about([ANN.upper(), BOB, "c@x.org"], *day)
        assert ann is not None
        assert ann.asked_at == NOON
        assert bob is not None
        assert none is None
        assert await memory.about([ANN], NOON, NOON + timedelta(days=2)) == [None]

    async def test_private(self, tmp_path: Path) -> None:
        """The file is its owner's alone, and tells neither subjects nor places."""
        file = tmp_path / "schedules" / "work.json"

        await Schedules(file).add([answered()], NOON)

        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert b"Secret" not in file.read_bytes()
        assert [one.name for one in file.parent.iterdir()] == [file.name]

    async def test_bounded(self, tmp_path: Path) -> None:
        """The newest answers stay, and none for longer than thirty days."""
        file = tmp_path / "work.json"
        old = answered(BOB, asked_at=NOON - timedelta(days=31))

        await Schedules(file).add([old, *(answered(day=day) for day in range(300))], NOON)

        kept = json.loads(file.read_bytes())["answers"]
        assert len(kept) == MOST_KEPT
        assert {one["address"] for one in kept} == {ANN}
        assert max(one["start"] for one in kept) == answered(day=199).start.isoformat().replace(
            "+00:00", "Z"
        )

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"{",
            b"[" * 100_000,
            b'{"answers":[],"version":2}',
            b'{"answers":[{"address":"ann@example.org"}]}',
            b'{"answers":[{"address":"ann@example.org","start":"2031-03-04T12:00:00",'
            b'"end":"2031-03-05T12:00:00","interval_min":30,"asked_at":"2031-03-04T12:00:00"}]}',
            b'{"answers":[{"address":"ann@example.org","start":"2031-03-04T12:00:00Z",'
            b'"end":"2031-03-05T12:00:00Z","interval_min":0,"asked_at":"2031-03-04T12:00:00Z"}]}',
        ],
    )
    async def test_damaged(self, tmp_path: Path, text: bytes) -> None:
        """A file that cannot be read holds nothing, and is replaced."""
        file = tmp_path / "work.json"
        file.write_bytes(text)
        memory = Schedules(file)
        window = (NOON, NOON + timedelta(days=1))

        assert await memory.about([ANN], *window) == [None]
        await memory.add([answered()], NOON)
        assert await memory.about([ANN], *window) != [None]

    async def test_link(self, tmp_path: Path) -> None:
        """A link is not followed: what it leads to stays as it is."""
        target, file = tmp_path / "target", tmp_path / "work.json"
        target.write_text("mine")
        file.symlink_to(target)

        await Schedules(file).add([answered()], NOON)

        assert target.read_text() == "mine"
        assert not file.is_symlink()

    async def test_no_room(self, tmp_path: Path) -> None:
        """Where nothing can be written, it is said, and nothing is left behind."""
        (tmp_path / "work.json").mkdir()

        with pytest.raises(DiskTrouble):
            await Schedules(tmp_path / "work.json").add([answered()], NOON)
        assert [one.name for one in tmp_path.iterdir()] == ["work.json"]
