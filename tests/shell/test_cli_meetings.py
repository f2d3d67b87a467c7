"""`respond`, `cancel`, `forward`: what is shown, what is sent, and what is kept for later."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.shell.commands.run import run_daemon
from syncd.shell.config import load_config
from syncd.simulator.faults import FaultKind
from syncd.simulator.folders import Person
from tests.shell.cli_world import ME, TOMORROW, Done, World, at, guest, world
from tests.shell.test_daemon import Facts

CAROL = Person("Carol", "carol@example.org")
SERIES = {
    "pattern": {"type": "daily", "interval": 1},
    "range": {"type": "numbered", "startDate": str(TOMORROW), "numberOfOccurrences": 3},
}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    """Carol's invitation, a meeting of one's own with Bob, and one of three days; synced."""
    with world(tmp_path) as made:
        body = {"subject": "Invitation", "start": at("10:00"), "end": at("11:00")}
        made.mailbox.receive(
            made.mailbox.default_calendar.id, body | {"attendees": [guest(ME)]}, CAROL
        )
        made.event("Meeting", attendees=[guest("bob@example.org")])
        made.event("Series", attendees=[guest("bob@example.org")], recurrence=SERIES)
        made.event("Alone")
        assert made.syncd("sync").code == 0
        yield made


def mails(here: World) -> list[tuple[str, str, str, str]]:
    return [
        (one.kind, one.subject, ",".join(one.to), one.comment)
        for one in here.service.ledger
        if one.actor == "api"
    ]


def uid_of(here: World, subject: str) -> str:
    found: list[dict[str, Any]] = here.syncd("search", subject, "--json").json
    return str(found[0]["uid"])


def the(here: World, *words: str) -> Done:
    """A command about an event that is found by its words."""
    command, words_, *rest = words
    return here.syncd(command, *rest, "--match", words_)


def offline(here: World) -> None:
    """The service cannot be used for an hour: longer than anybody waits at a terminal."""
    here.server.faults.script(FaultKind.THROTTLED, times=999, retry_after_s=3600)


def online(here: World) -> None:
    """The hour is over."""
    here.server.faults.clear()
    state = sqlite3.connect(here.folder / "state" / "state.db")
    with state:
        state.execute("UPDATE account SET pause_until = NULL")
    state.close()


def test_an_invitation_is_accepted_with_words(here: World) -> None:
    """The policy lets answers go: nobody is asked. The file says so at once."""
    done = the(here, "respond", "Invitation", "accept", "--comment", "Gladly")

    assert (done.code, done.err) == (0, "")
    assert "accept: one mail each to 1 person\n  carol@example.org\n" in done.out
    assert done.out.endswith("Done.\n")
    assert mails(here) == [("response", "Invitation", "carol@example.org", "Gladly")]
    [file] = [one for one in here.files() if b"Invitation" in one.read_bytes()]
    assert b"PARTSTAT=ACCEPTED" in file.read_bytes()


def test_a_uid_may_be_shortened(here: World) -> None:
    uid = uid_of(here, "Invitation")
    others = [uid_of(here, name) for name in ("Meeting", "Series", "Alone")]
    short = next(
        uid[:n] for n in range(1, len(uid)) if not any(o.startswith(uid[:n]) for o in others)
    )

    assert here.syncd("respond", short, "decline").code == 0

    assert [kind for kind, *_ in mails(here)] == ["response"]
    assert not [one for one in here.files() if b"Invitation" in one.read_bytes()]


def test_words_that_fit_several_events_choose_none(here: World) -> None:
    done = here.syncd("cancel", "--match", "bob", "--yes")

    assert done.code == 2
    assert "'bob' may be any of these:\n" in done.err
    assert "\n  Meeting, 20" in done.err
    assert mails(here) == []


def test_an_answer_is_for_what_one_is_invited_to(here: World) -> None:
    """Of several events that the words fit it is the only one that can be meant."""
    done = here.syncd("respond", "--match", "example", "accept", "--yes")

    assert (done.code, [one[:2] for one in mails(here)]) == (0, [("response", "Invitation")])


@pytest.mark.parametrize("words", [(), ("uid", "--match", "x")])
def test_an_event_is_named_once(here: World, words: tuple[str, ...]) -> None:
    done = here.syncd("cancel", *words, "--yes")

    assert done.code == 2
    assert "say which event is meant, once" in done.err


def test_another_time_is_proposed(here: World) -> None:
    span = f"{TOMORROW}T14:00/15:00"
    done = the(here, "respond", "Invitation", "tentative", "--propose", span)

    assert done.code == 0
    assert f"proposed: {TOMORROW}T14:00:00 to {TOMORROW}T15:00:00" in done.out
    assert [kind for kind, *_ in mails(here)] == ["response"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("accept", "--propose", f"{TOMORROW}T14:00/15:00"), "not with `accept`"),
        (("tentative", "--propose", f"{TOMORROW}T15:00/14:00"), "ends before it begins"),
        (("tentative", "--propose", "tomorrow"), "is no span"),
        (("decline", "--no-send", "--comment", "Sorry"), "(--no-send)"),
        (("accept", "--occurrence", str(TOMORROW)), "this is no series"),
        (("accept", "--occurrence", "someday"), "is no day"),
    ],
)
def test_an_answer_that_makes_no_sense_is_not_sent(
    here: World, words: tuple[str, ...], reason: str
) -> None:
    done = the(here, "respond", "Invitation", *words)

    assert done.code == 2
    assert reason in done.err
    assert mails(here) == []


def test_an_answer_may_tell_nobody(here: World) -> None:
    done = the(here, "respond", "Invitation", "accept", "--no-send")

    assert done.code == 0
    assert "accept: nobody is mailed" in done.out
    assert mails(here) == []
    [file] = [one for one in here.files() if b"Invitation" in one.read_bytes()]
    assert b"PARTSTAT=ACCEPTED" in file.read_bytes()


def test_ones_own_event_is_not_answered(here: World) -> None:
    done = the(here, "respond", "Alone", "accept")

    assert done.code == 2
    assert "an event of your own" in done.err


def test_a_meeting_is_cancelled_once_a_person_says_yes(here: World) -> None:
    asked = the(here, "cancel", "Meeting", "--comment", "Ill")
    assert (asked.code, mails(here)) == (2, [])
    assert "Say --yes if you mean it" in asked.err

    done = the(here, "cancel", "Meeting", "--comment", "Ill", "--yes")

    assert done.code == 0
    assert mails(here) == [("cancellation", "Meeting", "bob@example.org", "Ill")]
    assert here.subjects() == ["Alone", "Invitation", "Series"]
    assert not [one for one in here.files() if b"SUMMARY:Meeting" in one.read_bytes()]


def test_one_day_of_a_series_is_cancelled(here: World) -> None:
    done = the(here, "cancel", "Series", "--occurrence", str(TOMORROW), "--yes")

    assert done.code == 0
    assert [kind for kind, *_ in mails(here)] == ["cancellation"]
    [file] = [one for one in here.files() if b"SUMMARY:Series" in one.read_bytes()]
    assert b"EXDATE" in file.read_bytes()


def test_a_day_that_the_series_does_not_have_is_refused(here: World) -> None:
    done = the(here, "cancel", "Series", "--occurrence", "2001-01-01", "--yes")

    assert done.code == 2
    assert "no occurrence on 2001-01-01" in done.err


def test_somebody_elses_meeting_is_not_cancelled(here: World) -> None:
    done = the(here, "cancel", "Invitation", "--yes")

    assert done.code == 2
    assert "only its organizer" in done.err


def test_who_is_told_besides_is_shown_before_a_meeting_is_forwarded(here: World) -> None:
    done = the(here, "forward", "Invitation", "--to", "dan@example.org", "--dry-run")

    assert "  dan@example.org\n  and its organizer, carol@example.org, is told\n" in done.out


def test_a_meeting_is_forwarded_to_several(here: World) -> None:
    to = "dan@example.org,eve@example.org"
    done = the(here, "forward", "Meeting", "--to", to, "--comment", "Join us", "--yes")

    assert done.code == 0
    assert "one mail each to 2 people" in done.out
    told = {address for _, _, addresses, _ in mails(here) for address in addresses.split(",")}
    assert told == {"dan@example.org", "eve@example.org"}


def test_what_is_no_address_gets_nothing(here: World) -> None:
    done = the(here, "forward", "Meeting", "--to", "dan", "--yes")

    assert done.code == 2
    assert "'dan' is no address" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("respond", "Invitation", "accept"),
        ("cancel", "Meeting"),
        ("forward", "Meeting", "--to", "dan@example.org"),
    ],
)
class TestEach:
    """What holds for each of them."""

    def test_a_dry_run_sends_nothing(self, here: World, words: tuple[str, ...]) -> None:
        done = the(here, *words, "--dry-run")

        assert done.code == 0
        assert "one mail each to 1 person" in done.out
        assert mails(here) == []
        assert here.syncd("sync").code == 0
        assert mails(here) == []

    def test_it_says_all_of_it_to_programs(self, here: World, words: tuple[str, ...]) -> None:
        told = the(here, *words, "--yes", "--json").json

        assert (told["state"], told["reason"], len(told["to"])) == ("sent", "", 1)
        assert told["calendar"] == "Calendar"

    def test_it_is_kept_while_the_service_cannot_be_reached(
        self, here: World, words: tuple[str, ...]
    ) -> None:
        """Said on a train, and sent once when the network is back."""
        offline(here)
        done = the(here, *words, "--yes", "--json")
        assert (done.code, done.json["state"]) == (0, "kept")
        [status] = here.syncd("status", "--json").json["calendars"]
        assert status["pending"] == 1
        assert mails(here) == []
        online(here)

        assert here.syncd("sync").code == 0
        assert here.syncd("sync").code == 0

        assert len(mails(here)) == 1

    def test_the_policy_may_forbid_it(self, here: World, words: tuple[str, ...]) -> None:
        rules = ", ".join(
            f'{one} = "never"' for one in ("invitations", "cancellations", "responses")
        )
        here.configure(f"[sync]\nmail = {{ {rules} }}")

        done = the(here, *words, "--yes")

        assert done.code == 2
        assert "lets no such mail go" in done.err
        assert mails(here) == []

    def test_a_running_daemon_does_it(self, here: World, words: tuple[str, ...]) -> None:
        async def daemon() -> Done:
            stop, facts = asyncio.Event(), Facts()
            running = asyncio.create_task(run_daemon(load_config(here.config), stop, observe=facts))
            await facts.until(lambda: bool(facts.named("daemon.ready")))
            done = await asyncio.to_thread(the, here, *words, "--yes")
            stop.set()
            await running
            return done

        done = asyncio.run(daemon())

        assert (done.code, done.err) == (0, "")
        assert len(mails(here)) == 1


class TestReminders:
    """Put off and done with, by the same way; nobody else learns of it."""

    @pytest.fixture
    def reminded(self, here: World) -> World:
        here.event("Dentist", isReminderOn=True, reminderMinutesBeforeStart=30)
        assert here.syncd("sync").code == 0
        return here

    def fires(self, here: World) -> list[str]:
        listed = here.syncd("reminders", "--to", f"{TOMORROW}T23:00", "--json").json
        return [one["fires_at"] for one in listed if one["subject"] == "Dentist"]

    def test_put_off_until_a_time(self, reminded: World) -> None:
        until = f"{TOMORROW}T09:55"
        done = reminded.syncd("reminders", "snooze", "--match", "dentist", "--until", until)

        assert done.code == 0
        assert f"snooze: nobody is mailed\n  until {until}:00 (UTC)" in done.out
        assert [one[:16] for one in self.fires(reminded)] == [until]
        assert mails(reminded) == []

    def test_put_off_until_a_time_that_is_over(self, reminded: World) -> None:
        done = reminded.syncd("reminders", "snooze", "--match", "dentist", "--until", "2020-01-01")

        assert (done.code, "2020-01-01 00:00 is over" in done.err) == (2, True)

    def test_put_off_for_some_minutes(self, reminded: World) -> None:
        before = self.fires(reminded)
        done = reminded.syncd("reminders", "snooze", "--match", "dentist", "--for", "600")

        assert done.code == 0
        assert self.fires(reminded) != before

    def test_each_is_listed_with_the_uid_of_its_event(self, reminded: World) -> None:
        listed = reminded.syncd("reminders", "--to", f"{TOMORROW}T23:00", "--json").json
        [dentist] = [one for one in listed if one["subject"] == "Dentist"]

        assert dentist["uid"] == uid_of(reminded, "Dentist")

    def test_done_with(self, reminded: World) -> None:
        assert reminded.syncd("reminders", "dismiss", "--match", "dentist").code == 0

        assert self.fires(reminded) == []

    @pytest.mark.parametrize("words", [(), ("--for", "5", "--until", f"{TOMORROW}T09:55")])
    def test_how_long_is_said_once(self, reminded: World, words: tuple[str, ...]) -> None:
        done = reminded.syncd("reminders", "snooze", "--match", "dentist", *words)

        assert done.code == 2
        assert "say how long, once" in done.err


def test_a_command_that_failed_mails_nobody_later(here: World) -> None:
    """The configuration leaves the calendar out: nothing is kept for when it is back."""
    other = here.mailbox.folders.add("Other")
    body = {"subject": "There", "start": at("10:00"), "end": at("11:00")}
    here.mailbox.create(other.id, body | {"attendees": [guest("bob@example.org")]})
    here.syncd("sync")
    config = here.config.read_text()
    left_out = '[accounts.work.calendar_filter]\nexclude = ["Other"]\n'
    here.config.write_text(config + left_out)

    done = the(here, "forward", "There", "--to", "dan@example.org", "--yes")

    assert done.code == 2
    here.config.write_text(config)
    here.syncd("sync")
    assert mails(here) == []


def test_the_same_wish_given_twice_while_offline_goes_once(here: World) -> None:
    offline(here)
    for _ in range(2):
        assert the(here, "respond", "Invitation", "accept", "--comment", "Gladly").code == 0
    online(here)

    here.syncd("sync")

    assert len(mails(here)) == 1


def test_what_was_thought_better_of_while_offline_is_not_sent(here: World) -> None:
    offline(here)
    for answer in ("accept", "tentative"):
        assert the(here, "respond", "Invitation", answer, "--comment", answer).code == 0
    [listed] = here.syncd("problems", "--json").json
    assert listed["reason"] == (
        "'tentative' to carol@example.org with the words \"tentative\""
        " is sent when the service can be reached"
    )
    online(here)

    here.syncd("sync")

    assert [one[3] for one in mails(here)] == ["tentative"]


@pytest.mark.parametrize(
    "words", [("cancel", "Theirs"), ("forward", "Theirs", "--to", "dan@example.org")]
)
def test_nothing_is_asked_for_in_a_calendar_that_is_read_only(
    here: World, words: tuple[str, ...]
) -> None:
    other = here.mailbox.folders.add("Ann")
    body = {"subject": "Theirs", "start": at("10:00"), "end": at("11:00")}
    here.mailbox.receive(other.id, body, CAROL)
    other.can_edit = False
    here.syncd("sync")

    done = the(here, *words, "--yes")

    assert (done.code, mails(here)) == (2, [])
    assert "'Ann' is read-only" in done.err


def test_what_waits_is_listed_and_can_be_taken_back(here: World) -> None:
    """Said on a train, and thought better of before the network is back."""
    offline(here)
    assert the(here, "respond", "Invitation", "accept", "--yes").code == 0
    assert the(here, "cancel", "Meeting", "--yes").code == 0
    assert "what waits to be sent" in here.syncd("status").out
    listed = here.syncd("problems", "--json").json
    assert [(one["code"], one["summary"], one["needs_person"]) for one in listed] == [
        ("kept-wish", "Invitation", False),
        ("kept-wish", "Meeting", False),
    ]
    assert listed[1]["reason"] == (
        "'cancel' to bob@example.org is sent when the service can be reached"
    )
    assert "notice (waits)" in here.syncd("problems").out
    online(here)
    planned = [
        one for report in here.syncd("sync", "--dry-run", "--json").json for one in report["plan"]
    ]
    assert [(one["what"], one["summary"], one["mails"]) for one in planned] == [
        ("accept", "Invitation", "responses to carol@example.org"),
        ("cancel", "Meeting", "cancellations to bob@example.org"),
    ]

    done = here.syncd("discard", listed[1]["id"], "--yes")

    assert done.code == 0
    assert "It is not sent." in done.out
    assert here.syncd("discard", listed[1]["id"], "--yes").code == 2
    assert here.syncd("approve", listed[0]["id"], "--yes").code == 2
    assert here.syncd("sync").code == 0
    assert [one[:2] for one in mails(here)] == [("response", "Invitation")]
    assert here.syncd("problems", "--json").json == []


def test_an_account_that_needs_a_login_says_so(here: World) -> None:
    """The answer is kept, and does not go by waiting."""
    here.configure(auth='method = "command"\ncommand = ["false"]')

    assert the(here, "respond", "Invitation", "accept").code == 3


def test_a_question_needs_somebody_to_ask(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input may be closed altogether."""
    monkeypatch.setattr("sys.stdin", None)

    done = the(here, "cancel", "Meeting")

    assert done.code == 2
    assert "no terminal" in done.err
    assert mails(here) == []


def test_what_was_refused_once_and_goes_now_is_told_as_gone(here: World) -> None:
    """The notice of the first try is not about the second."""
    here.server.faults.script(FaultKind.LAGGING, method="^POST$", path="/accept$")
    assert the(here, "respond", "Invitation", "accept").code == 2
    assert len(here.syncd("problems", "--json").json) == 1

    done = the(here, "respond", "Invitation", "accept")

    assert (done.code, done.err) == (0, "")
    assert here.syncd("problems", "--json").json == []
    assert len(mails(here)) == 1
