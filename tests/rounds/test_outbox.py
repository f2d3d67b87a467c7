"""
What becomes of a write whatever its answer: lost, odd, refused, or none at all.

The service is the simulator over HTTP, but for single requests that are answered as a test says.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syncd.core.errors import LoginNeeded, ServiceDown
from syncd.core.ids import Uid
from syncd.core.state import DropItem, Problem, PutItem
from syncd.core.wire.exchange import Answer
from syncd.ports import Answered, Lost, Request, Unsent, WriteOutcome
from syncd.shell.config_model import MailPolicy
from syncd.simulator.switches import Switches
from tests.rounds.world import World, event, ics, world

AT = ("2026-03-05T10:00:00", "2026-03-05T10:30:00")
BOB = {"emailAddress": {"address": "bob@example.org"}, "type": "required"}
WEEKLY = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["thursday"]},
    "range": {"type": "numbered", "startDate": "2026-03-05", "numberOfOccurrences": 4},
}
YES = (b"PARTSTAT=NEEDS-ACTION;RSVP", b"PARTSTAT=ACCEPTED;RSVP")
BY_UID = "/events\\?%24filter=.*value"
LOST = Lost("cut off")
Act = Callable[[], object]


def refused(status: int, code: str = "ErrorOdd") -> Answered:
    return Answered(Answer(status, {}, json.dumps({"error": {"code": code}}).encode()))


@dataclass
class Odd:
    """A remote that answers some requests by itself, each once; `then` is done before it does."""

    real: Any
    told: list[tuple[str, str, Any, Act | None, bool]] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)

    def say(
        self, method: str, path: str, outcome: Any, *, then: Act | None = None, passed: bool = False
    ) -> None:
        """
        Answer the next such request.

        Args: outcome: None for the service's own. passed: the service gets it all the same.
        """
        self.told.append((method, path, outcome, then, passed))

    def _take(self, request: Request) -> tuple[Any, Act | None, bool] | None:
        for one in self.told:
            if one[0] == request.method and re.search(one[1], request.path):
                self.told.remove(one)
                return one[2:]
        return None

    async def write_all(self, requests: Sequence[Request]) -> list[WriteOutcome]:
        return [await self._written(one) for one in requests]

    async def _written(self, request: Request) -> WriteOutcome:
        self.asked.append(request)
        told = self._take(request)
        if told is None or told[2]:
            (outcome,) = await self.real.write_all([request])
        if told is not None:
            if told[1] is not None:
                told[1]()
            outcome = told[0] or outcome
        return outcome  # type: ignore[no-any-return]

    async def read(self, request: Request) -> Answer:
        told = self._take(request)
        if told is not None and told[1] is not None:
            told[1]()
        if told is None or told[0] is None:
            return await self.real.read(request)  # type: ignore[no-any-return]
        if isinstance(told[0], Exception):
            raise told[0]
        return told[0]  # type: ignore[no-any-return]

    async def read_all(self, requests: Sequence[Request]) -> list[Answer]:
        return [await self.read(one) for one in requests]

    @property
    def clock_skew_s(self) -> float | None:
        return self.real.clock_skew_s  # type: ignore[no-any-return]


async def odd(w: World) -> Odd:
    """The first sync, and from then on a service that answers as it is told."""
    await w.code()
    assert w.mailbox is not None
    found = Odd(w.mailbox._remote)
    w.mailbox._remote = found  # type: ignore[assignment]
    return found


def titles(w: World) -> list[str]:
    return sorted(item.values["subject"] for item in w.box.items(w.calendar))


async def listed(w: World, kind: str = "") -> Problem:
    (problem,) = [one for one in await w.store.problems() if kind in (one.kind, "")]
    return problem


async def outbox(w: World) -> list[tuple[str, str]]:
    (calendar,) = await w.store.calendars()
    return [(one.kind, one.state) for one in await w.store.outbox(calendar.key)]


async def settled(w: World, *, waits: bool = False) -> int:
    """Sync until nothing is left to wait for. Args: waits: but for a person."""
    code = 5
    for _ in range(6):
        code = await w.code()
        if code != 5 and not await outbox(w):
            return code
        w.clock.advance(90)
    assert waits, await outbox(w)
    return code


async def told(w: World) -> list[str]:
    """What was sent, as the history tells, in order."""
    history = await w.store.history(None, 100)
    return [one.what for one in reversed(history) if one.side == "local" and not one.after]


# --- a create ------------------------------------------------------------------------------------


async def test_a_create_that_stays_lost_is_asked_about_again_and_again(tmp_path: Path) -> None:
    """Byte for byte the same each time, so that the service makes one event of it."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        for _ in range(3):
            remote.say("POST", "/events", LOST)
        w.write("a.ics", ics("a", "Once"))

        assert await settled(w) == 0

        assert titles(w) == ["Once"]
        assert len(remote.asked) == 4
        assert len({one.body for one in remote.asked}) == 1
        assert b"transactionId" in (remote.asked[0].body or b"")


async def test_a_repeated_create_carries_the_bytes_of_the_first(tmp_path: Path) -> None:
    """Also where the file was edited meanwhile: the edit follows by itself."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        w.clear()
        remote.say("POST", "/events", LOST)
        remote.say("POST", "/events", LOST, passed=True)
        remote.say("GET", "filter", ServiceDown("down"))
        w.write("a.ics", ics("a", "First"))
        await w.code()
        w.edit("First", b"SUMMARY:First", b"SUMMARY:Second")

        assert await settled(w) == 0

        assert titles(w) == ["Second"]
        assert [one["subject"] for one in w.bodies("POST")] == ["First"]


async def test_a_create_that_cannot_leave_is_tried_another_time(tmp_path: Path) -> None:
    """Neither lost nor in doubt; the exit code says that it passes by itself."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        remote.say("POST", "/events", Unsent(ServiceDown("down")))
        w.write("a.ics", ics("a", "Once"))

        assert await w.code() == 5
        assert await outbox(w) == []

        assert await w.code() == 0
        assert titles(w) == ["Once"]


async def test_a_lost_create_that_cannot_leave_again_stays_in_doubt(tmp_path: Path) -> None:
    """It is not forgotten, and not sent with another transaction id."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        remote.say("POST", "/events", LOST)
        remote.say("POST", "/events", Unsent(ServiceDown("down")))
        w.write("a.ics", ics("a", "Once"))

        codes = [await w.code() for _ in range(2)]
        assert 5 in codes

        assert await settled(w) == 0
        assert titles(w) == ["Once"]


async def test_a_refused_login_is_told_before_any_other_trouble(tmp_path: Path) -> None:
    """Only a person can help there: exit 3, whichever write met it."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        remote.say("POST", "/events", Unsent(ServiceDown("down")))
        remote.say("POST", "/events", Unsent(LoginNeeded("sign in")))
        for name in ("a", "b"):
            w.write(f"{name}.ics", ics(name, name))

        assert await w.code() == 3


async def test_a_repeated_create_that_is_refused_is_planned_anew(tmp_path: Path) -> None:
    """The first one never took effect: the file is as new as before."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        w.clear()
        remote.say("POST", "/events", LOST)
        remote.say("POST", "/events", refused(400))
        w.write("a.ics", ics("a", "Once"))

        assert await settled(w) == 0

        assert titles(w) == ["Once"]
        assert w.names() == ["a.ics"]


async def test_a_create_that_is_there_already_is_found(tmp_path: Path) -> None:
    """409 says that the transaction is known: the event is looked for, not made again."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        remote.say("POST", "/events", refused(409), passed=True)
        w.write("a.ics", ics("a", "Once"))

        assert await settled(w) == 0

        assert titles(w) == ["Once"]
        assert w.subjects() == ["Once"]
        w.clear()
        assert await w.code() == 0
        assert w.writes() == []


async def _untold(w: World, remote: Odd) -> Problem:
    """A create that the service knows, it says, and that cannot be found."""
    for _ in range(2):
        remote.say("POST", "/events", refused(409))
    w.write("a.ics", ics("a", "Once"))
    assert await settled(w, waits=True) == 4
    return await listed(w)


async def test_a_create_that_is_there_and_cannot_be_found_is_a_persons_matter(
    tmp_path: Path,
) -> None:
    """Nothing is sent meanwhile, however often one syncs."""
    async with world(tmp_path) as w:
        remote = await odd(w)

        problem = await _untold(w, remote)

        assert (problem.kind, problem.code) == ("in-doubt", "create-in-doubt")
        assert (problem.needs_person, problem.summary, problem.uid) == (True, "Once", "a")
        assert problem.reason.startswith("its answer was lost")
        assert "`syncd approve ID` sends it again" in problem.hint
        w.clear()
        assert await w.code() == 4
        assert w.writes() == []


async def test_such_a_create_is_sent_again_when_a_person_says_so(tmp_path: Path) -> None:
    """And is listed no more."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        await w.decide(await _untold(w, remote), "approved")

        assert await settled(w) == 0

        assert titles(w) == ["Once"]
        assert await w.store.problems() == []
        assert await w.store.verdicts() == {}


async def test_such_a_create_is_left_alone_when_a_person_says_so(tmp_path: Path) -> None:
    """The file stays by itself."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        await w.decide(await _untold(w, remote), "discarded")
        w.clear()

        assert await settled(w) == 0

        assert (w.writes(), titles(w), w.subjects()) == ([], [], ["Once"])
        assert await w.store.problems() == []


async def test_an_event_with_a_very_long_uid_is_found_all_the_same(tmp_path: Path) -> None:
    """Its UID would not fit into the address of a request."""
    uid = "long-" + "x" * 1500
    async with world(tmp_path) as w:
        remote = await odd(w)
        remote.say("POST", "/events", LOST, passed=True)
        w.write("a.ics", ics(uid, "Once"))

        assert await settled(w) == 0

        assert (titles(w), w.subjects()) == (["Once"], ["Once"])


async def test_an_approved_meeting_whose_answer_was_lost_invites_once(tmp_path: Path) -> None:
    """The approval is used up when it is found, and counts for no other time."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        more = ("ORGANIZER:mailto:me@example.org", "ATTENDEE:mailto:bob@example.org")
        w.write("a.ics", ics("a", "Board", "20260310T100000", "20260310T110000", *more))
        assert await w.code() == 4
        await w.decide(await listed(w, "held-mail"), "approved")
        remote.say("POST", "/events", LOST, passed=True)

        assert await settled(w) == 0

        assert [mail.kind for mail in w.mails()] == ["invitation"]
        assert await w.store.verdicts() == {}
        assert await w.store.problems() == []


def _edited(w: World, **changes: Any) -> Act:
    """Somebody edits the newest event in Outlook."""
    return lambda: w.box.patch(w.box.items(w.calendar)[-1].default_id, changes)


async def _made_again(w: World) -> Odd:
    """An event is deleted in Outlook while its file is edited: it is to be made again."""
    item = w.box.create(w.calendar, event("A", *AT))
    remote = await odd(w)
    w.clock.advance(7 * 86400)
    w.box.delete(item.immutable_id)
    w.edit("A", b"SUMMARY:A", b"SUMMARY:B")
    return remote


async def _created(w: World) -> int:
    """How many events some rounds say that they made, until nothing is in doubt."""
    return sum([report.counts.created for _ in range(3) for report in await w.sync()])


async def _uids_made(w: World) -> list[str]:
    """Of what was made on the service, as the history tells."""
    history = await w.store.history(None, 100)
    return [one.uid for one in history if one.what == "create" and not one.after]


@pytest.mark.parametrize("times", [1, 2])
async def test_a_lost_create_counts_once(tmp_path: Path, times: int) -> None:
    """Whether it is found, or made by the second try."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        for name in ("a", "b")[:times]:
            remote.say("POST", "/events", LOST, passed=True)
            w.write(f"{name}.ics", ics(name, name))

        assert await _created(w) == times

        assert titles(w) == ["a", "b"][:times]
        assert sorted(await _uids_made(w)) == ["a", "b"][:times]


async def test_a_lost_create_that_outlook_edited_since_has_its_edits(tmp_path: Path) -> None:
    """What was sent is what both sides agreed on: what differs since came from there."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        hall = _edited(w, location={"displayName": "Hall"})
        remote.say("POST", "/events", LOST, passed=True, then=hall)
        w.write("a.ics", ics("a", "Once"))

        assert await settled(w) == 0

        assert (titles(w), w.subjects()) == (["Once"], ["Once"])
        assert "LOCATION:Hall" in w.text("Once")
        assert await w.store.problems() == []


async def test_what_is_made_again_is_agreed_when_it_is_found(tmp_path: Path) -> None:
    """Its answer was lost; nobody touched it since: there is nothing to weigh."""
    async with world(tmp_path) as w:
        remote = await _made_again(w)
        remote.say("POST", "/events", LOST, passed=True)

        assert await _created(w) == 1

        assert (titles(w), w.subjects()) == (["B"], ["B"])
        assert await outbox(w) == []
        assert len(await _uids_made(w)) == 2  # Outlook's own was the first
        w.clear()
        assert await w.code() == 0
        assert w.writes() == []


async def test_what_is_made_again_and_edited_since_is_weighed(tmp_path: Path) -> None:
    """Another installation may have made it: what differs is no edit of what we sent."""
    async with world(tmp_path) as w:
        remote = await _made_again(w)
        remote.say("POST", "/events", LOST, passed=True, then=_edited(w, subject="C"))

        assert await settled(w) == 0

        assert (titles(w), w.subjects()) == (["C"], ["C"])
        assert await outbox(w) == []
        kept = [one.lost for one in await w.store.problems() if one.lost]
        assert [lost.version.master.subject for lost in kept] == ["B"]


async def test_a_create_in_doubt_of_a_file_that_is_known_no_more_is_weighed(tmp_path: Path) -> None:
    """Half of the state is lost: what was made is linked with the file that is there."""
    async with world(tmp_path) as w:
        remote = await _made_again(w)
        edit = _edited(w, subject="C")
        down = ServiceDown("down")
        remote.say("POST", "/events", LOST, passed=True, then=lambda: remote.say("GET", "", down))
        assert await w.code() == 5
        edit()
        (calendar,) = await w.store.calendars()
        (entry,) = await w.store.outbox(calendar.key)
        await w.store.commit(calendar.key, [DropItem(entry.uid)])

        assert await settled(w) == 0

        assert (titles(w), w.subjects()) == (["C"], ["C"])
        assert len(w.names()) == 1


async def test_a_lost_create_that_was_made_elsewhere_as_well_has_two_files(tmp_path: Path) -> None:
    """Another installation had the same file: neither event is left without one."""
    async with world(tmp_path) as w:
        remote = await odd(w)

        def twin() -> None:
            body = json.loads(remote.asked[0].body or b"")
            w.box.create(w.calendar, body | {"subject": "Twin", "transactionId": None})

        remote.say("POST", "/events", LOST, passed=True, then=twin)
        w.write("a.ics", ics("a", "Once"))

        assert await settled(w) == 0

        assert titles(w) == sorted(w.subjects()) == ["Once", "Twin"]
        assert len(remote.asked) == 1
        assert [one for one in w.requests("GET") if "/events?$filter" in one] == []
        w.edit("Once", b"SUMMARY:Once", b"SUMMARY:Twice")
        assert await settled(w) == 0
        assert titles(w) == sorted(w.subjects()) == ["Twice", "Twin"]


async def test_an_answer_to_a_create_that_says_nothing_is_no_event(tmp_path: Path) -> None:
    """It is looked for instead."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        odd_answer = Answered(Answer(201, {}, b'{"id": 5}'))
        remote.say("POST", "/events", odd_answer, passed=True)
        w.write("a.ics", ics("a", "Once"))

        await w.code()
        assert await settled(w) == 0

        assert (titles(w), w.subjects()) == (["Once"], ["Once"])


# --- a change ------------------------------------------------------------------------------------


@pytest.mark.parametrize("passed", [True, False])
async def test_a_lost_change_is_looked_for_and_sent_again_if_it_is_not_there(
    tmp_path: Path, passed: bool
) -> None:
    """It mails nobody: nothing is lost by sending it once more."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", *AT))
        remote = await odd(w)
        remote.say("PATCH", "/events", LOST, passed=passed)
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")
        w.clear()

        assert await settled(w) == 0

        assert (titles(w), w.subjects()) == (["B"], ["B"])
        assert len(w.bodies("PATCH")) == 1
        assert await told(w) == ["patch"]


async def test_a_lost_change_of_an_event_that_went_is_over(tmp_path: Path) -> None:
    """There is nothing left to look at; the edited file is made an event again."""
    async with world(tmp_path) as w:
        item = w.box.create(w.calendar, event("A", *AT))
        remote = await odd(w)
        w.clock.advance(7 * 86400)
        remote.say("PATCH", "/events", LOST, then=lambda: w.box.delete(item.immutable_id))
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")

        assert await settled(w) == 0

        assert (titles(w), w.subjects()) == (["B"], ["B"])


async def test_a_lost_change_whose_event_cannot_be_read_waits(tmp_path: Path) -> None:
    """A 404 of what was there a moment ago is not believed: it stays in doubt until it is."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        w.write("a.ics", ics("a", "A"))
        assert await w.code() == 0
        remote.say("PATCH", "/events", LOST, passed=True)
        for _ in range(2):
            remote.say("GET", "/events/[^/?]+(\\?|$)", refused(404, "ErrorItemNotFound").answer)
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")

        assert await settled(w) == 0

        assert (titles(w), w.subjects()) == (["B"], ["B"])


@pytest.mark.parametrize("passed", [True, False])
async def test_a_lost_update_of_a_meeting_is_looked_for_twice(tmp_path: Path, passed: bool) -> None:
    """Five seconds apart, before it is sent again: its mail goes out once."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", *AT, attendees=[BOB]))
        remote = await odd(w)
        remote.say("PATCH", "/events", LOST, passed=passed)
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")
        before_s = w.clock.monotonic_s()

        assert await settled(w) == 0

        assert [mail.kind for mail in w.mails()] == ["update"]
        assert titles(w) == ["B"]
        assert await told(w) == ["patch"]
        assert (w.clock.monotonic_s() - before_s >= 5) is not passed


@pytest.mark.parametrize("passed", [True, False])
async def test_a_lost_cancellation_of_an_occurrence_is_settled_by_looking(
    tmp_path: Path, passed: bool
) -> None:
    """It is gone once, on both sides."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("Series", *AT, recurrence=WEEKLY))
        remote = await odd(w)
        remote.say("DELETE", "/events", LOST, passed=passed)
        rule = re.search(rb"RRULE:FREQ=WEEKLY[^\r]*", w.path("Series").read_bytes())
        assert rule is not None
        w.edit("Series", rule[0], rule[0] + b"\r\nEXDATE;TZID=Europe/Berlin:20260312T100000")

        assert await settled(w) == 0

        assert "EXDATE" in w.text("Series")
        assert await told(w) == ["delete-occurrence"]
        w.clear()
        assert await w.code() == 0
        assert w.writes() == []


@pytest.mark.parametrize("passed", [True, False])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"SUMMARY:A", b"SUMMARY:B"),
        (b"SUMMARY:A", b"SUMMARY:A\r\nCATEGORIES:Red\r\nPRIORITY:1"),
        (b"LOCATION:Hall\r\n", b""),
    ],
)
async def test_a_lost_change_is_told_once_whatever_it_changed(
    tmp_path: Path, passed: bool, old: bytes, new: bytes
) -> None:
    """One write took effect, and one is in the history; what it took away is gone."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", *AT, location={"displayName": "Hall"}))
        remote = await odd(w)
        remote.say("PATCH", "/events", LOST, passed=passed)
        w.edit("A", old, new)

        assert await settled(w) == 0

        assert await told(w) == ["patch"]
        [item] = w.box.items(w.calendar)
        values = item.values
        said = (values["subject"], values["categories"], values["location"]["displayName"])
        assert said == {
            b"LOCATION:Hall\r\n": ("A", [], ""),
        }.get(old, ("B", [], "Hall") if b"B" in new else ("A", ["Red"], "Hall"))


async def test_a_change_that_was_lost_lets_later_ones_of_its_event_wait(tmp_path: Path) -> None:
    """What the file says by then is weighed when the first write is settled, and sent after it."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", *AT))
        remote = await odd(w)
        remote.say("PATCH", "/events", LOST, passed=True)
        remote.say("GET", "/events/", ServiceDown("down"))
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")
        assert await w.code() == 5
        w.edit("B", b"SUMMARY:B", b"SUMMARY:C")

        assert await settled(w) == 0

        assert (titles(w), w.subjects()) == (["C"], ["C"])
        assert await told(w) == ["patch", "patch"]
        assert await w.store.problems() == []


# --- an answer to an invitation ------------------------------------------------------------------


async def _unanswered(w: World) -> tuple[Odd, Problem]:
    """An acceptance of which nothing is seen."""
    w.receive("Review", *AT)
    remote = await odd(w)
    remote.say("POST", "/accept", LOST)
    w.edit("Review", *YES)
    await w.code()
    assert await outbox(w) == [("respond", "doubt")]
    assert [one for one in await w.store.problems() if one.needs_person] == []
    w.clock.advance(121)
    assert await w.code() == 4
    return remote, await listed(w)


async def test_an_answer_of_which_nothing_is_seen_is_a_persons_matter(tmp_path: Path) -> None:
    """After two minutes, not before; it names whom it may have mailed."""
    async with world(tmp_path) as w:
        _, problem = await _unanswered(w)

        assert (problem.kind, problem.code) == ("in-doubt", "respond-in-doubt")
        assert (problem.mail_class, problem.to) == ("responses", ("carol@example.org",))
        assert problem.summary == "Review"
        assert w.mails() == []


async def test_such_an_answer_was_sent_when_a_person_says_so(tmp_path: Path) -> None:
    """Nothing is sent, and nothing asked again."""
    async with world(tmp_path) as w:
        _, problem = await _unanswered(w)
        await w.decide(problem, "discarded")
        w.clear()

        assert await w.code() == 0

        assert (w.mails(), w.writes()) == ([], [])
        assert await outbox(w) == []
        assert await w.store.verdicts() == {}
        assert await w.code() == 0
        assert w.writes() == []


async def test_such_an_answer_is_sent_again_when_a_person_says_so(tmp_path: Path) -> None:
    """Once."""
    async with world(tmp_path) as w:
        _, problem = await _unanswered(w)
        await w.decide(problem, "approved")

        assert await settled(w) == 0

        assert [mail.kind for mail in w.mails()] == ["response"]
        assert await w.store.verdicts() == {}


async def test_a_lost_answer_that_arrived_is_settled_by_looking(tmp_path: Path) -> None:
    """It is on the event: the organizer hears of it once, and nobody is asked."""
    async with world(tmp_path) as w:
        w.receive("Review", *AT)
        remote = await odd(w)
        remote.say("POST", "/accept", LOST, passed=True)
        w.edit("Review", *YES)

        assert await settled(w) == 0

        assert [mail.kind for mail in w.mails()] == ["response"]
        assert await told(w) == ["respond"]
        assert await w.store.problems() == []
        w.clear()
        assert await w.code() == 0
        assert w.writes() == []


async def test_a_lost_answer_to_a_meeting_that_went_is_over(tmp_path: Path) -> None:
    """A declined meeting leaves the calendar: there is nothing to look at."""
    async with world(tmp_path) as w:
        w.receive("Review", *AT)
        remote = await odd(w)
        w.clock.advance(7 * 86400)
        (item,) = w.box.items(w.calendar)
        remote.say("POST", "/decline", LOST, then=lambda: w.box.delete(item.immutable_id))
        w.edit("Review", b"PARTSTAT=NEEDS-ACTION;RSVP", b"PARTSTAT=DECLINED;RSVP")

        await settled(w)

        assert (await outbox(w), titles(w), w.mails()) == ([], [], [])


# --- a deletion ----------------------------------------------------------------------------------


async def test_a_lost_deletion_that_was_none_is_carried_out(tmp_path: Path) -> None:
    """The event answers when it is asked for: it is planned anew."""
    async with world(tmp_path) as w:
        for name in ("A", "B", "C", "D"):
            w.box.create(w.calendar, event(name, *AT))
        remote = await odd(w)
        remote.say("DELETE", "/events", LOST)
        w.path("A").unlink()

        assert await settled(w) == 0

        assert titles(w) == ["B", "C", "D"]
        assert sorted(w.subjects()) == ["B", "C", "D"]


async def test_lost_deletions_that_took_effect_count_once(tmp_path: Path) -> None:
    """They are in the history with what the files said."""
    async with world(tmp_path) as w:
        for name in ("A", "B", "C", "D"):
            w.box.create(w.calendar, event(name, *AT))
        remote = await odd(w)
        w.clock.advance(7 * 86400)
        for name in ("A", "B"):
            remote.say("DELETE", "/events", LOST, passed=True)
            w.path(name).unlink()

        counted = sum([one.counts.deleted for _ in range(3) for one in await w.sync()])

        assert counted == 2
        assert (titles(w), await outbox(w)) == (["C", "D"], [])
        gone = [one for one in await w.store.history(None, 100) if one.what == "delete"]
        assert sorted(one.before.split(b"SUMMARY:")[1][:1] for one in gone) == [b"A", b"B"]


async def test_a_deletion_that_took_effect_is_not_sent_to_deleted_items(tmp_path: Path) -> None:
    """There a second one would be for good; the calendar's news say nothing of the first yet."""
    async with world(tmp_path, switches=Switches(deleted_items_answer=True)) as w:
        for name in ("A", "B", "C", "D"):
            w.box.create(w.calendar, event(name, *AT))
        remote = await odd(w)
        (calendar,) = await w.store.calendars()
        view = await w.store.view(calendar.key)
        assert view is not None
        no_news = json.dumps({"value": [], "@odata.deltaLink": view.link}).encode()
        for _ in range(2):
            remote.say("GET", "delta", Answer(200, {}, no_news))
        remote.say("DELETE", "/events", LOST, passed=True)
        w.path("A").unlink()

        assert await w.code() == 0

        assert len(remote.asked) == 1
        assert await told(w) == ["delete"]
        assert sorted(w.subjects()) == ["B", "C", "D"]


async def test_an_approved_end_whose_answer_was_lost_is_told_once(tmp_path: Path) -> None:
    """The approval is used up when nothing is found, and counts for no other time."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", *AT, attendees=[BOB]))
        w.box.create(w.calendar, event("B", *AT))
        remote = await odd(w)
        w.clock.advance(7 * 86400)
        w.path("A").unlink()
        assert await w.code() == 4
        await w.decide(await listed(w, "held-mail"), "approved")
        remote.say("DELETE", "/events", LOST, passed=True)

        assert await settled(w) == 0

        assert [mail.kind for mail in w.mails()] == ["cancellation"]
        assert await w.store.verdicts() == {}
        assert await w.store.problems() == []


async def test_a_deletion_of_a_moment_ago_is_not_believed_at_once(tmp_path: Path) -> None:
    """A copy of the mailbox that has not heard of an event says 404 as well."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        w.write("a.ics", ics("a", "A"))
        assert await w.code() == 0
        remote.say("DELETE", "/events", refused(404, "ErrorItemNotFound"))
        (w.folder / "a.ics").unlink()

        assert await settled(w) == 0

        assert (titles(w), w.names()) == ([], [])


async def test_a_deletion_that_somebody_else_was_faster_with_is_done(tmp_path: Path) -> None:
    """404 of an event that is long known: both are gone."""
    async with world(tmp_path) as w:
        for name in ("A", "B", "C", "D"):
            w.box.create(w.calendar, event(name, *AT))
        remote = await odd(w)
        w.clock.advance(86400)
        item = next(one for one in w.box.items(w.calendar) if one.values["subject"] == "A")
        remote.say(
            *("DELETE", "/events", refused(404, "ErrorItemNotFound")),
            then=lambda: w.box.delete(item.immutable_id),
        )
        w.path("A").unlink()

        assert await w.code() == 0

        assert titles(w) == ["B", "C", "D"]
        assert w.mails() == []
        assert [one.what for one in await w.store.history(None, 1)] == ["delete"]


async def test_a_refused_deletion_is_listed(tmp_path: Path) -> None:
    """The event stays, and so does what was decided about its file."""
    async with world(tmp_path) as w:
        for name in ("A", "B", "C", "D"):
            w.box.create(w.calendar, event(name, *AT))
        remote = await odd(w)
        remote.say("DELETE", "/events", refused(403, "ErrorAccessDenied"))
        w.path("A").unlink()

        assert await w.code() == 4

        problem = await listed(w)
        assert (problem.kind, problem.code) == ("refused", "access-denied")
        assert titles(w) == ["A", "B", "C", "D"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_write_names_the_version_that_it_was_planned_for(
    tmp_path: Path, method: str
) -> None:
    """What somebody changed since is neither written over nor deleted with it."""
    async with world(tmp_path) as w:
        for name in ("A", "B", "C", "D"):
            w.box.create(w.calendar, event(name, *AT))
        remote = await odd(w)
        (calendar,) = await w.store.calendars()
        item = next(one for one in w.box.items(w.calendar) if one.values["subject"] == "A")
        records = await w.store.remotes_by_id(calendar.key, [item.immutable_id])
        etag = records[item.immutable_id].etag
        if method == "PATCH":
            w.edit("A", b"SUMMARY:A", b"SUMMARY:Z")
        else:
            w.path("A").unlink()

        assert await settled(w) == 0

        (asked,) = remote.asked
        assert (asked.method, asked.headers["If-Match"]) == (method, etag)
        assert etag


# --- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "listed_as"),
    [
        (400, "ErrorOdd", "ErrorOdd"),
        (403, "ErrorAccessDenied", "access-denied"),
        (507, "ErrorQuotaExceeded", "mailbox-full"),
        (400, "ErrorOccurrenceCrossingBoundary", "crosses-neighbour"),
    ],
)
async def test_a_refused_change_is_listed_and_waits_for_another(
    tmp_path: Path, status: int, code: str, listed_as: str
) -> None:
    """It is not sent again until the file is saved with something else."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", *AT))
        remote = await odd(w)
        remote.say("PATCH", "/events", refused(status, code))
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")

        assert await w.code() == 4
        problem = await listed(w)
        assert (problem.kind, problem.code, problem.summary) == ("refused", listed_as, "B")
        assert (problem.needs_person, problem.fields) == (True, ("subject",))
        assert problem.reason == f"the service refused to patch it: {status} {code}"
        w.clear()
        assert await w.code() == 4
        assert w.writes() == []

        w.edit("B", b"SUMMARY:B", b"SUMMARY:C")
        assert await w.code() == 0
        assert titles(w) == ["C"]


@pytest.mark.parametrize("status", [404, 409, 412, 423])
async def test_a_change_that_met_another_version_is_planned_anew(
    tmp_path: Path, status: int
) -> None:
    """Nothing is listed: the merge starts from what is there by now."""
    async with world(tmp_path) as w:
        item = w.box.create(w.calendar, event("A", *AT))
        remote = await odd(w)
        w.clock.advance(86400)
        theirs = {"location": {"displayName": "Room 2"}}
        remote.say(
            *("PATCH", "/events", refused(status)),
            then=lambda: w.box.patch(item.immutable_id, theirs),
        )
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")

        assert await settled(w) == 0

        assert titles(w) == ["B"]
        assert "LOCATION:Room 2" in w.text("B")


@pytest.mark.parametrize("status", [400, 403, 413])
async def test_a_change_goes_without_the_files_own_lines_if_they_are_refused(
    tmp_path: Path, status: int
) -> None:
    """How much a property may hold is not documented."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", *AT))
        remote = await odd(w)
        remote.say("PATCH", "/events", refused(status))
        w.edit("A", b"SUMMARY:A", b"URL:https://example.com\r\nSUMMARY:B")
        w.clear()

        assert await settled(w) == 0

        assert titles(w) == ["B"]
        assert "URL:https://example.com" in w.text("B")
        (body,) = w.bodies("PATCH")
        assert "singleValueExtendedProperties" not in body


# --- series --------------------------------------------------------------------------------------


async def _series(w: World) -> tuple[Any, Odd]:
    item = w.box.create(w.calendar, event("Series", *AT, recurrence=WEEKLY))
    return item, await odd(w)


def _override(w: World, day: str, *lines: str) -> None:
    text = w.path("Series").read_bytes().replace(b"\r\n ", b"")
    uid = re.search(rb"UID:([^\r]*)", text)
    assert uid is not None
    at = f"{day}T100000"
    event_ = [
        *("BEGIN:VEVENT", f"UID:{uid[1].decode()}", "DTSTAMP:20260101T000000Z"),
        *(f"RECURRENCE-ID;TZID=Europe/Berlin:{at}", f"DTSTART;TZID=Europe/Berlin:{at}"),
        f"DTEND;TZID=Europe/Berlin:{day}T103000",
        *lines,
        *("END:VEVENT", "END:VCALENDAR"),
    ]
    w.clock.advance(5)
    w.path("Series").write_bytes(text.replace(b"END:VCALENDAR", "\r\n".join(event_).encode()))


async def test_a_series_that_cannot_be_read_after_its_write_is_settled(tmp_path: Path) -> None:
    """What was sent is agreed; the series is read in the next round."""
    async with world(tmp_path) as w:
        _, remote = await _series(w)
        down = ServiceDown("down")
        remote.say(
            *("PATCH", "/events", None),
            then=lambda: remote.say("GET", "/events/", down),
            passed=True,
        )
        w.edit("Series", b"SUMMARY:Series", b"SUMMARY:Weekly")

        assert await settled(w) == 0

        assert titles(w) == ["Weekly"]
        w.clear()
        assert await w.code() == 0
        assert w.writes() == []


async def test_a_series_that_is_said_to_be_gone_after_its_write_is_settled(tmp_path: Path) -> None:
    """A 404 of what was just written is not believed: agreed is what was sent."""
    async with world(tmp_path) as w:
        _, remote = await _series(w)
        missing = refused(404, "ErrorItemNotFound").answer
        remote.say(
            *("PATCH", "/events", None),
            then=lambda: remote.say("GET", "/events/[^/?]+(\\?|$)", missing),
            passed=True,
        )
        w.edit("Series", b"SUMMARY:Series", b"SUMMARY:Weekly")

        assert await settled(w) == 0

        assert (titles(w), w.subjects()) == (["Weekly"], ["Weekly"])


async def test_an_answer_that_cannot_be_understood_is_taken_for_what_was_sent(
    tmp_path: Path,
) -> None:
    """A rule that Outlook invented since; the next round shows what is there."""
    async with world(tmp_path) as w:
        item = w.box.create(w.calendar, event("A", *AT))
        remote = await odd(w)
        said = {"id": item.immutable_id, "subject": "B", "recurrence": {"pattern": {"type": "?"}}}
        remote.say(
            "PATCH", "/events", Answered(Answer(200, {}, json.dumps(said).encode())), passed=True
        )
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")

        assert await settled(w) == 0

        assert (titles(w), w.subjects()) == (["B"], ["B"])


async def test_an_occurrence_that_the_service_lacks_is_listed(tmp_path: Path) -> None:
    """Its edit waits, and nothing else does."""
    async with world(tmp_path) as w:
        _, remote = await _series(w)
        for _ in range(4):
            remote.say("GET", "/instances", Answer(200, {}, b'{"value": []}'))
        _override(w, "20260312", "SUMMARY:Alone")
        w.write("other.ics", ics("other", "Other"))

        assert await settled(w) == 4

        problem = await listed(w)
        assert (problem.kind, problem.code) == ("refused", "occurrence-not-found")
        assert (problem.summary, problem.fields) == ("Series", ("subject",))
        assert problem.reason.startswith("the service has no occurrence of 2026-03-12")
        assert "Look at that day in Outlook" in problem.hint
        assert "Other" in titles(w)


async def test_an_edited_exception_is_written_where_it_lies(tmp_path: Path) -> None:
    """Also where it was moved to another day: its slot tells, not its date."""
    async with world(tmp_path) as w:
        await _series(w)
        _override(w, "20260312", "SUMMARY:Alone", "LOCATION:There")
        assert await settled(w) == 0
        w.edit("Alone", b"SUMMARY:Alone", b"SUMMARY:Together")
        w.clear()

        assert await settled(w) == 0

        assert w.bodies("PATCH") == [{"subject": "Together"}]


async def test_an_answered_series_is_read_again(tmp_path: Path) -> None:
    """So that its occurrences show the answer, and nothing is taken for news."""
    async with world(tmp_path, mail=MailPolicy("send", "send", "send", "send")) as w:
        w.receive("Series", *AT, recurrence=WEEKLY)
        await odd(w)
        w.edit("Series", *YES)

        assert await settled(w) == 0

        assert [mail.kind for mail in w.mails()] == ["response"]
        w.clear()
        assert await w.code() == 0
        assert w.writes() == []


# --- what the state says by the time an answer is looked for -------------------------------------


BEYOND_THE_VIEW = ("20300310T100000", "20300310T110000")


async def test_a_create_that_is_found_at_the_second_look(tmp_path: Path) -> None:
    """The first one came too early, and the repeated create met it."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        nothing = Answer(200, {}, b'{"value": []}')
        remote.say("POST", "/events", LOST, passed=True)
        remote.say("GET", BY_UID, nothing)
        remote.say("POST", "/events", refused(409))
        w.write("a.ics", ics("a", "Once", *BEYOND_THE_VIEW))

        assert await settled(w) == 0

        assert (titles(w), w.subjects()) == (["Once"], ["Once"])
        assert await w.store.problems() == []


async def test_an_event_that_the_service_names_by_mistake_is_not_the_one_that_was_made(
    tmp_path: Path,
) -> None:
    """It was asked for one with the file's UID, and answers with another."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        other = json.dumps({"value": [{"id": "other", "subject": "Other"}]}).encode()
        remote.say("POST", "/events", LOST)
        remote.say("GET", BY_UID, Answer(200, {}, other))
        w.write("a.ics", ics("a", "Once"))

        assert await settled(w) == 0

        assert (titles(w), w.subjects()) == (["Once"], ["Once"])


async def test_a_create_that_the_view_showed_before_it_was_looked_for(tmp_path: Path) -> None:
    """The same event: it is not taken for another one with the same UID."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        remote.say("POST", "/events", LOST, passed=True)
        for _ in range(2):
            remote.say("GET", BY_UID, Answer(200, {}, b'{"value": []}'))
        w.write("a.ics", ics("a", "Once"))

        assert await settled(w) == 0

        assert (titles(w), w.subjects()) == (["Once"], ["Once"])
        assert len({one.body for one in remote.asked}) == 1


async def _doubtful(w: World, change: Callable[[Any], Any]) -> None:
    """A change is in doubt when its item is not what it was any more."""
    w.box.create(w.calendar, event("A", *AT))
    remote = await odd(w)
    remote.say("PATCH", "/events", LOST, passed=True)
    remote.say("GET", "/events/", ServiceDown("down"))
    w.edit("A", b"SUMMARY:A", b"SUMMARY:B")
    await w.code()
    (calendar,) = await w.store.calendars()
    (entry,) = await w.store.outbox(calendar.key)
    record = (await w.store.items(calendar.key, [entry.uid]))[entry.uid]
    await w.store.commit(calendar.key, [change(record)])


async def test_a_change_in_doubt_of_an_item_that_is_followed_no_more_is_over(
    tmp_path: Path,
) -> None:
    """What the file says is linked anew, and nothing is sent."""
    async with world(tmp_path) as w:
        await _doubtful(w, lambda record: DropItem(record.uid))
        w.clear()

        assert await settled(w) == 0

        assert (await outbox(w), w.writes()) == ([], [])
        assert (titles(w), w.subjects()) == (["B"], ["B"])


async def test_a_change_in_doubt_of_an_item_without_a_base_settles_none(tmp_path: Path) -> None:
    """Both sides are compared as they are by now."""
    async with world(tmp_path) as w:
        await _doubtful(w, lambda one: PutItem(replace(one, base_local=None, base_remote=None)))
        w.clear()

        assert await settled(w) == 0

        assert (await outbox(w), w.writes()) == ([], [])
        assert (titles(w), w.subjects()) == (["B"], ["B"])


# --- occurrences ---------------------------------------------------------------------------------

NO_INSTANCES = Answer(200, {}, b'{"value": []}')


async def test_an_occurrence_is_looked_for_again_when_its_series_moved(tmp_path: Path) -> None:
    """It was not there because the series was another one by then."""
    async with world(tmp_path) as w:
        item, remote = await _series(w)
        remote.say(
            *("GET", "/instances", NO_INSTANCES),
            then=lambda: w.box.patch(item.immutable_id, {"location": {"displayName": "Room 2"}}),
        )
        _override(w, "20260312", "SUMMARY:Alone")

        assert await settled(w) == 0

        assert await w.store.problems() == []
        assert "SUMMARY:Alone" in w.text("Series")
        assert "LOCATION:Room 2" in w.text("Series")


async def test_an_occurrence_is_looked_for_again_when_its_series_cannot_be_read(
    tmp_path: Path,
) -> None:
    """The service is down for a moment: nothing is listed as missing."""
    async with world(tmp_path) as w:
        _, remote = await _series(w)
        down = ServiceDown("down")
        remote.say(
            *("GET", "/instances", NO_INSTANCES),
            then=lambda: remote.say("GET", "/events/[^/?]+(\\?|$)", down),
        )
        _override(w, "20260312", "SUMMARY:Alone")

        assert await settled(w) == 0

        assert await w.store.problems() == []
        assert [one.get("subject") for one in w.bodies("PATCH")] == ["Alone"]


async def test_an_occurrence_is_looked_for_again_when_its_series_is_not_understood(
    tmp_path: Path,
) -> None:
    """What nobody can compare is not taken for the same."""
    async with world(tmp_path) as w:
        _, remote = await _series(w)
        (calendar,) = await w.store.calendars()
        uid = re.search(r"UID:(.*)", w.text("Series"))
        assert uid is not None
        known = await w.store.remotes_by_uid(calendar.key, [Uid(uid[1].strip())])
        ((record,),) = known.values()
        raw = re.sub(rb'"dateTime":"[^"]*"', b'"dateTime":"0000-00-00T00:00:00"', record.raw)
        answer = Answer(200, {}, raw)
        remote.say(
            *("GET", "/instances", NO_INSTANCES),
            then=lambda: remote.say("GET", "/events/[^/?]+(\\?|$)", answer),
        )
        _override(w, "20260312", "SUMMARY:Alone")

        await w.code()

        assert "occurrence-not-found" not in [one.code for one in await w.store.problems()]


async def test_an_exception_is_told_from_another_one(tmp_path: Path) -> None:
    """The edit goes to its own day."""
    async with world(tmp_path) as w:
        await _series(w)
        _override(w, "20260312", "SUMMARY:First")
        assert await settled(w) == 0
        _override(w, "20260319", "SUMMARY:Second")
        assert await settled(w) == 0
        w.edit("Series", b"SUMMARY:Second", b"SUMMARY:Other")

        assert await settled(w) == 0

        text = w.text("Series")
        assert ("SUMMARY:First" in text, "SUMMARY:Other" in text) == (True, True)
        w.clear()
        assert await w.code() == 0
        assert w.writes() == []


async def test_a_cancelled_occurrence_that_was_gone_already_is_done(tmp_path: Path) -> None:
    """Somebody else was faster: 404 says so, and the series is read again."""
    async with world(tmp_path) as w:
        _, remote = await _series(w)
        remote.say("DELETE", "/events", refused(404, "ErrorItemNotFound"), passed=True)
        rule = re.search(rb"RRULE:FREQ=WEEKLY[^\r]*", w.path("Series").read_bytes())
        assert rule is not None
        w.edit("Series", rule[0], rule[0] + b"\r\nEXDATE;TZID=Europe/Berlin:20260312T100000")

        assert await settled(w) == 0

        assert await w.store.problems() == []
        assert "EXDATE" in w.text("Series")


async def test_a_series_and_an_event_are_settled_side_by_side(tmp_path: Path) -> None:
    """Only the series is read again."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", *AT))
        await _series(w)
        w.edit("Series", b"SUMMARY:Series", b"SUMMARY:Weekly")
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")

        assert await settled(w) == 0

        assert titles(w) == ["B", "Weekly"]
        w.clear()
        assert await w.code() == 0
        assert w.writes() == []


# --- many writes ---------------------------------------------------------------------------------


def _counted(w: World) -> list[int]:
    """How many writes at a time were settled, as it was told."""
    return [fields["count"] for fact, fields in w.facts if fact == "writes.settled"]


async def test_edits_are_sent_twenty_at_a_time(tmp_path: Path) -> None:
    """All in one round; what met another version is in the same sync, whatever the last met."""
    async with world(tmp_path) as w:
        names = [f"Event {number:02}" for number in range(21)]
        for name in names:
            w.box.create(w.calendar, event(name, *AT))
        remote = await odd(w)
        for outcome in (refused(412), *[None] * 19, refused(400)):
            remote.say("PATCH", "/events", outcome, passed=outcome is None)
        for name in names:
            w.edit(name, f"SUMMARY:{name}".encode(), f"SUMMARY:New {name}".encode())

        assert await w.code() == 4

        assert _counted(w) == [20, 1, 1]
        assert len([title for title in titles(w) if title.startswith("New")]) == 20
        assert (await listed(w)).code == "ErrorOdd"


SPRING = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))


async def _two_days(w: World) -> Odd:
    """Two occurrences of a series are edited in its file."""
    _, remote = await _series(w)
    _override(w, "20260312", "SUMMARY:Alone")
    _override(w, "20260319", "SUMMARY:Series", "LOCATION:There")
    return remote


async def _sent_fields(w: World) -> list[tuple[int, tuple[str, ...]]]:
    """The round and the fields of each write that took effect, in the order of the history."""
    history = reversed(await w.store.history(None, 100))
    return [(one.round, one.fields) for one in history if one.side == "local" and not one.after]


async def test_the_writes_of_one_event_follow_each_other_in_one_round(tmp_path: Path) -> None:
    """Each after the answer to the one before; what the service said of both is agreed."""
    async with world(tmp_path) as w:
        await _two_days(w)

        assert await w.code() == 0

        [(first, subject), (second, location)] = await _sent_fields(w)
        assert (subject, location) == (("subject",), ("location",))
        assert first == second
        assert _counted(w) == [1, 1]
        w.clear()
        assert await w.code() == 0
        assert w.writes() == []


async def test_what_a_moved_series_lost_on_the_service_is_put_again(tmp_path: Path) -> None:
    """Outlook drops the exceptions of a series that gets another time: nobody took them away."""
    async with world(tmp_path) as w:
        await _series(w)
        _override(w, "20260312", "SUMMARY:Alone")
        assert await settled(w) == 0
        times = (
            (b":20260305T100000", b":20260305T110000"),
            (b":20260305T103000", b":20260305T113000"),
        )
        for old, new in times:
            w.edit("Series", old, new)

        assert await settled(w) == 0

        assert "SUMMARY:Alone" in w.text("Series")
        shown = [one.subject for one in w.box.instances(w.calendar, *SPRING)]
        assert shown == ["Series", "Alone", "Series", "Series"]


async def test_a_write_waits_until_the_lost_one_before_it_is_settled(tmp_path: Path) -> None:
    """Of one event one write at a time is in doubt."""
    async with world(tmp_path) as w:
        remote = await _two_days(w)
        remote.say("PATCH", "/events", LOST, passed=True)

        assert await settled(w) == 0

        [(first, subject), (second, location)] = await _sent_fields(w)
        assert (subject, location) == (("subject",), ("location",))
        assert first == second


async def test_a_write_does_not_follow_a_refused_one_of_its_event(tmp_path: Path) -> None:
    """It was planned for what the first would have made."""
    async with world(tmp_path) as w:
        remote = await _two_days(w)
        remote.say("PATCH", "/events", refused(400))

        assert await w.code() == 4

        assert len(remote.asked) == 1


async def test_lost_writes_are_counted_and_told(tmp_path: Path) -> None:
    """Each by its kind and by why nothing came back."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", *AT))
        remote = await odd(w)
        remote.say("PATCH", "/events", Lost("reset"), passed=True)
        remote.say("POST", "/events", LOST, passed=True)
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")
        w.write("c.ics", ics("c", "C"))

        [report] = await w.sync()

        assert report.counts.in_doubt == 2
        lost = [fields for fact, fields in w.facts if fact == "write.lost"]
        assert sorted(lost, key=str) == [
            {"kind": "create", "reason": "cut off"},
            {"kind": "patch", "reason": "reset"},
        ]


AGAIN = uuid.UUID("5b0a7c9e-3f43-4c2e-9a54-6d2f7b1c8e10")


async def test_what_is_made_again_has_the_id_that_every_installation_gives(tmp_path: Path) -> None:
    """It tells nothing but the file and the event that went; other versions of syncd know it too."""
    async with world(tmp_path) as w:
        remote = await _made_again(w)
        (calendar,) = await w.store.calendars()
        (before,) = await w.store.all_items(calendar.key)

        assert await settled(w) == 0

        (made,) = remote.asked
        expected = uuid.uuid5(AGAIN, f"{before.uid}\0{before.graph_id}")
        assert json.loads(made.body or b"")["transactionId"] == str(expected)


async def test_new_events_have_ids_of_their_own(tmp_path: Path) -> None:
    """Also one whose file was deleted and is there again: the first id may not be free."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        w.write("b.ics", ics("b", "B"))
        for _ in range(2):
            w.write("a.ics", ics("a", "A"))
            assert await settled(w) == 0
            w.clock.advance(86400)
            (w.folder / "a.ics").unlink()
            assert await settled(w) == 0

        bodies = [json.loads(one.body or b"") for one in remote.asked if one.method == "POST"]
        ids = {uuid.UUID(one["transactionId"]) for one in bodies}
        assert len(ids) == len(bodies) == 3


async def test_a_sent_mail_is_in_the_history_with_those_it_went_to(tmp_path: Path) -> None:
    """Under the write that the service mailed them about."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", *AT, attendees=[BOB]))
        await odd(w)
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")

        assert await settled(w) == 0

        (sent,) = [one for one in await w.store.history(None, 100) if one.what == "patch"]
        assert (sent.mail_kind, sent.mails) == ("updates", ("bob@example.org",))
