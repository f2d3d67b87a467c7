"""What people ask for by a command is sent once, whatever fails, and told where it is not sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncd.core.errors import LoginNeeded, ServiceDown, SyncdError, Throttled
from syncd.core.ids import GraphId, Uid
from syncd.core.plan import problem_id
from syncd.core.state import CalendarRecord, DropRemote, OutboxEntry, PutItem, PutRemote
from syncd.core.wire.exchange import Answer
from syncd.graph.transport import GraphRemote
from syncd.ports import Answered, Request, Unsent, WriteOutcome
from syncd.round.asked import is_seen
from syncd.shell.config_model import MailPolicy
from syncd.simulator.faults import FaultKind, Faults
from syncd.simulator.folders import Person
from syncd.simulator.switches import Switches
from tests.rounds.test_outbox import LOST, Odd, odd, refused
from tests.rounds.world import ME, NOW, World, event, world

GUESTS = ({"emailAddress": {"address": "bob@example.org"}, "type": "required"},)
CAROL = Person("Carol", "carol@example.org")
WEEKLY = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["thursday"]},
    "range": {"type": "numbered", "startDate": "2026-03-05", "numberOfOccurrences": 4},
}
OWN = {"emailAddress": {"address": ME}, "type": "required"}
TIMES = ("2026-03-05T10:00:00", "2026-03-05T11:00:00")


async def invited(w: World, **rest: Any) -> Any:
    """A meeting that Carol asks the owner to."""
    body = event("Plan", *TIMES) | {"attendees": [OWN]} | rest
    made = w.box.receive(w.calendar, body, CAROL)
    assert await w.code() == 0
    return made


async def hosting(w: World, **rest: Any) -> Any:
    """A meeting of the owner's, with one guest."""
    made = w.box.create(w.calendar, event("Plan", *TIMES) | {"attendees": [*GUESTS]} | rest)
    assert await w.code() == 0
    return made


def wished(kind: Any, action: str, body: Any = None, *mails: str, slot: str = "") -> OutboxEntry:
    """What a command journals, of a meeting that is still to be named."""
    classes = {"respond": "responses", "cancel": "cancellations", "forward": "invitations"}
    return OutboxEntry(
        0,
        Uid(""),
        kind,
        slot,
        None,
        action,
        msgspec.json.encode(body),
        None,
        "ready",
        NOW,
        (),
        None,
        "",
        mails,
        classes[kind] if mails else "",
    )


async def main_calendar(w: World) -> CalendarRecord:
    [calendar] = [one for one in await w.store.calendars() if one.name == "Calendar"]
    return calendar


async def uid_of(w: World, subject: str) -> Uid:
    items = await w.store.all_items((await main_calendar(w)).key)
    [uid] = [
        one.uid for one in items if one.base_local and one.base_local.master.subject == subject
    ]
    return uid


async def ask(
    w: World, kind: Any, action: str, body: Any, *mails: str, slot: str = "", of: str = "Plan"
) -> None:
    """What the command does."""
    entry = wished(kind, action, body, *mails, slot=slot)
    entry = replace(entry, uid=await uid_of(w, of), since=w.clock.now())
    await w.store.new_outbox((await main_calendar(w)).key, [entry])


async def accept(w: World, *, slot: str = "", **rest: Any) -> None:
    body = {"sendResponse": True, "comment": "Gladly", **rest}
    await ask(w, "respond", "accept", body, CAROL.address, slot=slot)


async def answer(w: World, action: str, *, slot: str = "") -> None:
    body = {"sendResponse": True, "comment": "Gladly"}
    await ask(w, "respond", action, body, CAROL.address, slot=slot)


async def cancel(w: World, *, slot: str = "", of: str = "Plan") -> None:
    await ask(w, "cancel", "cancel", {"comment": "Ill"}, "bob@example.org", slot=slot, of=of)


async def forward(w: World, to: str = "dan@example.org") -> None:
    body = {"toRecipients": [{"emailAddress": {"address": to}}]}
    await ask(w, "forward", "forward", body, to)


def mails(w: World) -> Counter[tuple[str, str, str]]:
    return Counter((one.kind, ",".join(one.to), one.comment) for one in w.mails())


async def left(w: World) -> int:
    """How much waits, sent or not."""
    count = 0
    for one in await w.store.calendars():
        count += len(await w.store.asked(one.key)) + len(await w.store.outbox(one.key))
    return count


async def states(w: World) -> list[str]:
    """Of all that is journaled."""
    key = (await main_calendar(w)).key
    return [one.state for one in (*await w.store.asked(key), *await w.store.outbox(key))]


RESPONSE = ("response", "carol@example.org", "Gladly")
CANCELLATION = ("cancellation", "bob@example.org", "Ill")
FORWARD = ("forward", "dan@example.org", "")


async def test_an_answer_goes_out_with_its_words_and_comes_back_to_the_file(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await invited(w)
        await accept(w)

        assert await w.code() == 0

        assert mails(w) == {RESPONSE: 1}
        assert b"PARTSTAT=ACCEPTED" in w.path("Plan").read_bytes()
        assert await left(w) == 0
        assert await w.store.problems() == []


async def test_one_day_is_answered_by_itself(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        made = await invited(w, recurrence=WEEKLY)
        await accept(w, slot="2026-03-12")

        assert await w.code() == 0

        [mail] = w.mails()
        assert (mail.kind, str(mail.slot)) == ("response", "2026-03-12")
        assert made.item.values["responseStatus"]["response"] != "accepted"


async def test_a_meeting_is_cancelled_with_its_words_and_its_file_goes(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await hosting(w)
        await cancel(w)

        assert await w.code() == 0

        assert mails(w) == {CANCELLATION: 1}
        assert w.box.items(w.calendar) == []
        assert w.names() == []


async def test_one_day_of_a_series_is_cancelled_by_itself(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await hosting(w, recurrence=WEEKLY)
        await cancel(w, slot="2026-03-12")

        assert await w.code() == 0

        assert mails(w) == {CANCELLATION: 1}
        assert b"EXDATE" in w.path("Plan").read_bytes()
        [item] = w.box.items(w.calendar)
        assert [str(day) for day in item.cancelled] == ["2026-03-12"]


async def test_a_meeting_is_forwarded(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await hosting(w)
        await forward(w)

        assert await w.code() == 0

        assert mails(w) == {FORWARD: 1}
        assert b"dan@example.org" in w.path("Plan").read_bytes().replace(b"\r\n ", b"")


WISHES = [
    pytest.param(invited, accept, RESPONSE, id="accept"),
    pytest.param(hosting, cancel, CANCELLATION, id="cancel"),
    pytest.param(hosting, forward, FORWARD, id="forward"),
]


@pytest.mark.parametrize(("begin", "wish", "mail"), WISHES)
@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT_AFTER, FaultKind.RESET_AFTER])
async def test_a_lost_answer_is_settled_by_looking(
    tmp_path: Path, begin: Any, wish: Any, mail: Any, kind: FaultKind
) -> None:
    """It took effect: nobody is mailed a second time, and nobody is asked."""
    async with world(tmp_path, faults=Faults()) as w:
        await begin(w)
        await wish(w)
        w.server.faults.script(kind, method="^POST$", path="/(accept|cancel|forward)$")

        for _ in range(3):
            await w.code()

        assert mails(w) == {mail: 1}
        assert await left(w) == 0
        assert await w.store.problems() == []


@pytest.mark.parametrize(("begin", "wish", "mail"), WISHES)
async def test_what_never_arrived_is_sent_once_a_person_says_so(
    tmp_path: Path, begin: Any, wish: Any, mail: Any
) -> None:
    """Looking cannot tell a lost request from a late effect: after two minutes they are asked."""
    async with world(tmp_path, faults=Faults()) as w:
        await begin(w)
        await wish(w)
        w.server.faults.script(
            FaultKind.TIMEOUT_BEFORE, method="^POST$", path="/(accept|cancel|forward)$"
        )
        await w.code()
        assert mails(w) == {}
        w.clock.advance(121)

        assert await w.code() == 4
        [problem] = await w.store.problems()
        assert problem.kind == "in-doubt"
        await w.decide(problem, "approved")
        assert await w.code() == 0

        assert mails(w) == {mail: 1}
        assert await left(w) == 0
        assert await w.store.problems() == []


async def test_what_a_person_says_was_sent_is_not_sent_again(tmp_path: Path) -> None:
    async with world(tmp_path, faults=Faults()) as w:
        await hosting(w)
        await forward(w)
        w.server.faults.script(FaultKind.TIMEOUT_BEFORE, method="^POST$", path="/forward$")
        await w.code()
        w.clock.advance(121)
        await w.code()
        [problem] = await w.store.problems()

        await w.decide(problem, "discarded")
        assert await w.code() == 0

        assert mails(w) == {}
        assert await left(w) == 0


@pytest.mark.parametrize(("begin", "wish", "mail"), WISHES)
async def test_throttled_wishes_wait_and_go_once(
    tmp_path: Path, begin: Any, wish: Any, mail: Any
) -> None:
    async with world(tmp_path, faults=Faults()) as w:
        await begin(w)
        await wish(w)
        w.patience_s = 0.0
        await w.open_mailbox()
        w.server.faults.script(FaultKind.THROTTLED, times=30)
        assert await w.code() == 5
        assert mails(w) == {}
        assert await left(w) == 1
        w.server.faults.clear()
        w.clock.advance(600)
        w.patience_s = 60.0
        await w.open_mailbox()

        assert await w.code() == 0

        assert mails(w) == {mail: 1}


async def test_an_answer_to_what_is_gone_is_told_and_not_sent(tmp_path: Path) -> None:
    """The meeting went while the answer waited for the network."""
    async with world(tmp_path) as w:
        made = await invited(w)
        await accept(w)
        w.box.delete(made.id)

        assert await w.code() == 0

        assert mails(w) == {}
        assert await left(w) == 0
        [notice] = await w.store.problems()
        assert (notice.kind, notice.code) == ("notice", "respond-not-sent")
        assert notice.reason == "'accept' was not sent: there is no such event any more"
        assert (notice.summary, notice.file) == ("Plan", "")


async def test_what_the_service_refuses_is_told_and_not_tried_again(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await invited(w, allowNewTimeProposals=False)
        zone = "W. Europe Standard Time"
        slot = {
            name: {"dateTime": f"2026-03-06T1{n}:00:00", "timeZone": zone}
            for n, name in enumerate(("start", "end"))
        }
        body = {"sendResponse": True, "proposedNewTime": slot}
        await ask(w, "respond", "tentativelyAccept", body, CAROL.address)

        assert await w.code() == 0
        w.clear()
        assert await w.code() == 0

        assert mails(w) == {}
        assert w.writes() == []
        [notice] = await w.store.problems()
        assert "the service refused it: 400" in notice.reason


async def test_what_the_configuration_forbids_by_now_is_told_and_not_sent(tmp_path: Path) -> None:
    """It was asked for while answers were let go."""
    async with world(tmp_path, mail=MailPolicy("send", "send", "send", "never")) as w:
        await invited(w)
        await accept(w)

        assert await w.code() == 0

        assert (mails(w), await left(w)) == ({}, 0)
        [notice] = await w.store.problems()
        reason = "the configuration lets no such mail go (responses = never)"
        assert notice.reason == f"'accept' was not sent: {reason}"


async def test_only_the_organizer_cancels(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await invited(w)
        await ask(w, "cancel", "cancel", {"comment": ""}, CAROL.address)

        await w.code()

        assert w.writes() == []
        [notice] = await w.store.problems()
        assert "only its organizer can cancel" in notice.reason


async def test_an_answer_that_mails_nobody_is_sent_again_by_itself(tmp_path: Path) -> None:
    """There is nobody to be mailed twice."""
    async with world(tmp_path, faults=Faults()) as w:
        made = await invited(w)
        await ask(w, "respond", "accept", {"sendResponse": False})
        w.server.faults.script(FaultKind.TIMEOUT_BEFORE, method="^POST$", path="/accept$")

        await w.code()
        await w.code()

        assert made.item.values["responseStatus"]["response"] == "accepted"
        assert mails(w) == {}
        assert await left(w) == 0


class Killed(BaseException):
    """The process is gone."""


def kill_at_the_request(monkeypatch: pytest.MonkeyPatch, *, after: bool) -> None:
    """Just before the next write leaves, or as its answer comes."""
    write_all = GraphRemote.write_all

    async def dying(self: GraphRemote, requests: Sequence[Request]) -> list[WriteOutcome]:
        monkeypatch.setattr(GraphRemote, "write_all", write_all)
        if after:
            await write_all(self, requests)
        raise Killed

    monkeypatch.setattr(GraphRemote, "write_all", dying)


@pytest.mark.parametrize(("begin", "wish", "mail"), WISHES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_whoever_dies_at_the_request_mails_nobody_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begin: Any, wish: Any, mail: Any, after: bool
) -> None:
    """What the service shows is settled; what it does not show, a person is asked about."""
    async with world(tmp_path) as w:
        await begin(w)
        await wish(w)
        kill_at_the_request(monkeypatch, after=after)
        with suppress(Killed):
            await w.sync()
        await w.open_mailbox()

        await w.code()
        assert mails(w) == ({mail: 1} if after else {})
        w.clock.advance(121)
        assert await w.code() == (0 if after else 4)
        for problem in await w.store.problems():
            await w.decide(problem, "approved")
        assert await w.code() == 0

        assert mails(w) == {mail: 1}
        assert await left(w) == 0
        assert await w.store.problems() == []


@pytest.mark.parametrize("kind", [None, FaultKind.TIMEOUT_BEFORE, FaultKind.TIMEOUT_AFTER])
async def test_a_reminder_is_put_off_and_done_with(tmp_path: Path, kind: FaultKind | None) -> None:
    """Nobody else learns of it, so that it is said again until it is answered."""
    async with world(tmp_path, faults=Faults()) as w:
        made = w.box.create(w.calendar, event("Plan", *TIMES, isReminderOn=True))
        assert await w.code() == 0
        window = (NOW, NOW + timedelta(days=9))
        until = {"dateTime": "2026-03-05T08:55:00", "timeZone": "UTC"}
        for what, body in (("snooze", {"newReminderTime": until}), ("dismiss", {})):
            assert [one.id for one in w.box.reminders(*window)] == [made.id]
            if kind is not None:
                w.server.faults.script(kind, method="^POST$", path="/(snooze|dismiss)Reminder$")
            await ask(w, what, f"{what}Reminder", body)
            for _ in range(2):
                assert await w.code() == 0
            assert await left(w) == 0

        assert w.box.reminders(*window) == []
        assert w.mails() == []


async def test_nothing_is_sent_of_a_calendar_that_is_followed_one_way(tmp_path: Path) -> None:
    """It was asked for before; it waits."""
    async with world(tmp_path) as w:
        await hosting(w)
        await forward(w)
        w.settings = replace(w.settings, direction="pull")
        await w.open_mailbox()

        assert await w.code() == 0

        assert mails(w) == {}
        assert await left(w) == 1


# --- what comes of the request itself --------------------------------------------------------------


PASSES = [
    pytest.param(Throttled("later", pause_s=9.0), 5, id="throttled"),
    pytest.param(ServiceDown("down"), 5, id="no-connection"),
    pytest.param(LoginNeeded("signed out"), 3, id="login"),
]


@pytest.mark.parametrize(("error", "code"), PASSES)
async def test_what_cannot_leave_waits_and_goes_once(
    tmp_path: Path, error: SyncdError, code: int
) -> None:
    """Not a byte of it went: it is neither in doubt nor told, and the next round sends it."""
    async with world(tmp_path) as w:
        await invited(w)
        remote = await odd(w)
        await accept(w)
        remote.say("POST", "/accept$", Unsent(error))

        assert await w.code() == code
        assert await states(w) == ["ready"]
        assert await w.store.problems() == []

        assert await w.code() == 0
        assert mails(w) == {RESPONSE: 1}
        assert await left(w) == 0


async def test_where_one_wish_cannot_leave_none_is_tried_after_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await hosting(w)
        remote = await odd(w)
        await forward(w)
        await forward(w, "erin@example.org")
        remote.say("POST", "/forward$", Unsent(ServiceDown("down")))

        assert await w.code() == 5
        assert len(remote.asked) == 1
        assert await states(w) == ["ready", "ready"]

        assert await w.code() == 0
        assert mails(w) == {FORWARD: 1, ("forward", "erin@example.org", ""): 1}


async def test_what_was_asked_last_counts_also_where_the_first_had_to_wait(tmp_path: Path) -> None:
    """Somebody thought better of "maybe" while there was no connection."""
    async with world(tmp_path) as w:
        made = await invited(w)
        remote = await odd(w)
        await answer(w, "tentativelyAccept")
        await answer(w, "accept")
        remote.say("POST", "/tentativelyAccept$", Unsent(ServiceDown("down")))

        assert await w.code() == 5
        assert await w.code() == 0

        assert made.item.values["responseStatus"]["response"] == "accepted"
        assert mails(w) == {RESPONSE: 2}


async def test_what_is_taken_back_while_another_one_leaves_is_not_sent(tmp_path: Path) -> None:
    """The round knew of both when it began."""
    async with world(tmp_path) as w:
        await invited(w)
        remote = await odd(w)

        class Meanwhile(Odd):
            async def write_all(self, requests: Sequence[Request]) -> list[WriteOutcome]:
                outcomes = await super().write_all(requests)
                for one in await w.store.asked((await main_calendar(w)).key):
                    assert await w.store.withdraw(one.number)
                return outcomes

        assert w.mailbox is not None
        w.mailbox._remote = Meanwhile(remote.real)  # type: ignore[assignment]
        await accept(w)
        await answer(w, "decline")

        assert await w.code() == 0

        assert list(mails(w).values()) == [1]
        assert w.subjects() == ["Plan"]
        assert await states(w) == []


async def test_what_has_left_cannot_be_taken_back(tmp_path: Path) -> None:
    """Its answer was lost: it is looked for."""
    async with world(tmp_path) as w:
        await invited(w)
        await accept(w)
        key = (await main_calendar(w)).key
        [entry] = await w.store.asked(key)
        await w.store.new_outbox(key, [replace(entry, state="doubt")], instead_of=[entry.number])

        assert not await w.store.withdraw(entry.number)

        assert [one.state for one in await w.store.outbox(key)] == ["doubt"]
        assert await w.store.new_outbox(key, [entry], instead_of=[entry.number + 1]) == []


async def test_a_wish_whose_day_cannot_be_looked_up_waits(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await invited(w, recurrence=WEEKLY)
        remote = await odd(w)
        await accept(w, slot="2026-03-12")
        remote.say("GET", "/instances", ServiceDown("down"))

        assert await w.code() == 5
        assert (remote.asked, await states(w)) == ([], ["ready"])

        assert await w.code() == 0
        assert mails(w) == {RESPONSE: 1}


ANSWERS = [
    pytest.param("accept", ["ACCEPTED"], id="accept"),
    pytest.param("tentativelyAccept", ["TENTATIVE"], id="tentative"),
    pytest.param("decline", [], id="decline"),
]


@pytest.mark.parametrize(("action", "said"), ANSWERS)
async def test_each_answer_that_was_lost_is_found(
    tmp_path: Path, action: str, said: list[str]
) -> None:
    """A declined meeting leaves the calendar: that it is gone says that the answer came."""
    async with world(tmp_path) as w:
        await invited(w)
        remote = await odd(w)
        await answer(w, action)
        remote.say("POST", f"/{action}$", LOST, passed=True)

        assert await w.code() == 0

        assert mails(w) == {RESPONSE: 1}
        assert len(remote.asked) == 1
        assert await left(w) == 0
        assert await w.store.problems() == []
        files = [w.folder.joinpath(one).read_bytes() for one in w.names()]
        assert len(files) == len(said)
        assert all(f"={one}".encode() in data for one, data in zip(said, files, strict=True))


async def test_lost_answers_are_counted_logged_and_looked_after_in_the_same_sync(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        await hosting(w)
        remote = await odd(w)
        await forward(w)
        await forward(w, "erin@example.org")
        for _ in range(2):
            remote.say("POST", "/forward$", LOST, passed=True)

        reports = await w.sync()

        assert sum(one.counts.in_doubt for one in reports) == 2
        assert [fact for fact in w.facts if fact[0] == "write.lost"] == [
            ("write.lost", {"kind": "forward", "reason": "cut off"})
        ] * 2
        assert await left(w) == 0


async def test_an_answer_is_in_doubt_since_it_left(tmp_path: Path) -> None:
    """However long it had waited before: a person is asked two minutes after the request."""
    async with world(tmp_path) as w:
        await invited(w)
        remote = await odd(w)
        await accept(w)
        w.clock.advance(3600)
        remote.say("POST", "/accept$", LOST)

        assert await w.code() == 5

        assert await states(w) == ["doubt"]
        assert await w.store.problems() == []


async def test_what_is_asked_of_a_meeting_in_doubt_waits_and_others_go(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("Lunch", *TIMES) | {"attendees": [*GUESTS]})
        await hosting(w)
        key, uid = (await main_calendar(w)).key, await uid_of(w, "Plan")
        known = (await w.store.items(key, [uid]))[uid]
        lost = replace(FORWARDED, uid=uid, graph_id=known.graph_id, state="doubt")
        await w.store.new_outbox(key, [lost])
        w.clock.advance(121)
        await cancel(w)
        await cancel(w, of="Lunch")

        assert await w.code() == 4

        assert mails(w) == {CANCELLATION: 1}
        assert w.subjects() == ["Plan"]
        assert await states(w) == ["ready", "doubt"]


async def test_a_wish_is_journaled_as_sent_before_it_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as w:
        await invited(w)
        await accept(w)
        kill_at_the_request(monkeypatch, after=False)

        with suppress(Killed):
            await w.sync()

        assert await states(w) == ["sent"]


OUTCOMES = [
    pytest.param(Answered(Answer(200, {}, b"")), "", id="200"),
    pytest.param(refused(300), "the service refused it: 300 ErrorOdd", id="300"),
    pytest.param(refused(403, "ErrorAccessDenied"), "refused it: 403 ErrorAccessDenied", id="403"),
    pytest.param(Answered(Answer(403, {}, b"")), " 403", id="without-a-code"),
]


@pytest.mark.parametrize(("outcome", "reason"), OUTCOMES)
async def test_only_a_2xx_says_that_a_wish_was_taken(
    tmp_path: Path, outcome: WriteOutcome, reason: str
) -> None:
    async with world(tmp_path) as w:
        await invited(w)
        remote = await odd(w)
        await accept(w)
        remote.say("POST", "/accept$", outcome)

        assert await w.code() == 0

        assert await left(w) == 0
        told = [one.reason for one in await w.store.problems()]
        assert [one.endswith(reason) for one in told] == [True] * bool(reason)


async def test_the_report_counts_answers_and_what_else_was_sent(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await invited(w)
        await forward(w)
        await accept(w)
        await forward(w, "erin@example.org")

        reports = await w.sync()

        assert sum(one.counts.answered for one in reports) == 1
        assert sum(one.counts.updated for one in reports) == 2


async def test_a_cancellation_counts_as_a_change(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await hosting(w)
        await cancel(w)

        reports = await w.sync()

        assert sum(one.counts.updated for one in reports) == 1
        assert sum(one.counts.answered for one in reports) == 0


async def say_no_news(w: World, remote: Any, times: int) -> None:
    """A view that does not tell yet what was just done."""
    view = await w.store.view((await main_calendar(w)).key)
    assert view is not None
    page = msgspec.json.encode({"value": [], "@odata.deltaLink": view.link})
    for _ in range(times):
        remote.say("GET", "delta", Answer(200, {}, page))


async def test_a_cancelled_meeting_that_still_answers_is_gone(tmp_path: Path) -> None:
    """From Deleted Items, while the calendar's news say nothing of it: its place is looked up."""
    async with world(tmp_path, switches=Switches(deleted_items_answer=True)) as w:
        await hosting(w)
        remote = await odd(w)
        await cancel(w)
        await say_no_news(w, remote, 3)

        assert await w.code() == 0

        assert mails(w) == {CANCELLATION: 1}
        assert w.names() == []


async def test_one_day_is_answered_at_the_price_of_one_look_at_the_series(tmp_path: Path) -> None:
    """Also while the calendar's news say nothing of it; the calendar is not searched for it."""
    async with world(tmp_path) as w:
        await invited(w, recurrence=WEEKLY)
        remote = await odd(w)
        await accept(w, slot="2026-03-12")
        await say_no_news(w, remote, 3)
        w.clear()

        assert await w.code() == 0

        assert b"PARTSTAT=ACCEPTED" in w.path("Plan").read_bytes()
        assert [one for one in w.requests() if "/calendar?" in one or "calendarView" in one] == []


async def test_of_two_events_with_one_uid_the_one_that_the_file_stands_for_is_meant(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        await invited(w)
        key, uid = (await main_calendar(w)).key, await uid_of(w, "Plan")
        [record] = (await w.store.remotes_by_uid(key, [uid]))[uid]
        raw = record.raw.replace(record.graph_id.encode(), b"another")
        other = replace(record, graph_id=GraphId("another"), raw=raw)
        seen = [DropRemote(record.graph_id), PutRemote(other), PutRemote(record)]
        await w.store.commit(key, seen)
        await accept(w)

        await w.code()

        assert mails(w) == {RESPONSE: 1}
        assert await w.store.problems() == []


# --- what is pointless, and what is told of it -----------------------------------------------------


async def nothing_more(w: World, made: Any) -> None:
    pass


async def called_off(w: World, made: Any) -> None:
    w.box.cancelled_by_organizer(made.id)


async def answered_in_outlook(w: World, made: Any) -> None:
    w.clock.advance(60)
    w.box.respond(made.id, "accept", {"sendResponse": True})
    w.clock.advance(60)


async def over(w: World, made: Any) -> None:
    """The network was away until then."""
    w.clock.advance(7 * 86400)


async def over_that_day(w: World, made: Any) -> None:
    w.clock.advance(14 * 86400)


async def invited_to_series(w: World) -> Any:
    return await invited(w, recurrence=WEEKLY)


async def invited_to_a_whole_day(w: World) -> Any:
    days = [{"dateTime": f"2026-03-0{day}T00:00:00", "timeZone": "UTC"} for day in (5, 6)]
    return await invited(w, isAllDay=True, start=days[0], end=days[1])


async def accept_a_day(w: World) -> None:
    await accept(w, slot="2026-03-12")


async def accept_barely(w: World) -> None:
    await ask(w, "respond", "accept", {"sendResponse": True}, CAROL.address)


LATE = "was not sent: it waited until the event was over"
NO_CANCEL = "'cancel' was not sent: only its organizer can cancel a meeting"
OWN_EVENT = "it is an event of your own: nobody waits for an answer"
OFF = "was not sent: the meeting was cancelled meanwhile"
POINTLESS = [
    pytest.param(hosting, accept, nothing_more, f"'accept' was not sent: {OWN_EVENT}", id="own"),
    pytest.param(invited, cancel, nothing_more, NO_CANCEL, id="cancel-of-another"),
    pytest.param(invited, forward, called_off, f"'forward' {OFF}", id="called-off-forward"),
    pytest.param(invited, accept, called_off, f"'accept' {OFF}", id="called-off-accept"),
    pytest.param(
        invited,
        accept_barely,
        answered_in_outlook,
        "'accept' was not sent: it was answered so in Outlook meanwhile",
        id="answered",
    ),
    pytest.param(invited, accept, over, f"'accept' {LATE}", id="over-accept"),
    pytest.param(invited_to_a_whole_day, accept, over, f"'accept' {LATE}", id="over-whole-day"),
    pytest.param(hosting, cancel, over, f"'cancel' {LATE}", id="over-cancel"),
    pytest.param(hosting, forward, over, f"'forward' {LATE}", id="over-forward"),
    pytest.param(
        invited_to_series, accept_a_day, over_that_day, f"'accept' of 2026-03-12 {LATE}", id="day"
    ),
]


@pytest.mark.parametrize(("begin", "wish", "meanwhile", "reason"), POINTLESS)
async def test_what_has_become_pointless_is_told_and_not_sent(
    tmp_path: Path, begin: Any, wish: Any, meanwhile: Any, reason: str
) -> None:
    async with world(tmp_path) as w:
        made = await begin(w)
        await wish(w)
        await meanwhile(w, made)
        w.clear()

        assert await w.code() == 0

        assert (w.writes(), await left(w)) == ([], 0)
        [notice] = await w.store.problems()
        assert notice.reason == reason
        assert not notice.needs_person


@pytest.mark.parametrize("skew_s", [0.5, -2.0])
async def test_an_answer_that_waited_goes_whatever_the_clocks_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skew_s: float
) -> None:
    """Graph dates what nobody answered by the year 1."""
    async with world(tmp_path) as w:
        await invited(w)
        await accept_barely(w)
        w.clock.advance(120)
        monkeypatch.setattr(GraphRemote, "clock_skew_s", property(lambda self: skew_s))

        assert await w.code() == 0

        assert (sum(mails(w).values()), await left(w)) == (1, 0)


async def test_an_answer_to_a_series_goes_however_long_it_waited(tmp_path: Path) -> None:
    """A series as a whole is over at no time."""
    async with world(tmp_path) as w:
        made = await invited_to_series(w)
        await accept_barely(w)
        await over_that_day(w, made)

        assert await w.code() == 0

        assert (sum(mails(w).values()), await left(w)) == (1, 0)


async def test_an_answer_goes_where_nobody_can_read_when_the_last_was_given(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        made = w.box.receive(w.calendar, event("Plan", *TIMES) | {"attendees": [OWN]}, CAROL)
        made.item.values["responseStatus"] = {"response": "accepted", "time": "soon"}
        assert await w.code() == 0
        await accept_barely(w)
        w.clock.advance(120)

        assert await w.code() == 0

        assert (sum(mails(w).values()), await left(w)) == (1, 0)


async def test_an_answer_for_one_day_goes_after_that_for_the_series(tmp_path: Path) -> None:
    """What was answered meanwhile was answered from here."""
    async with world(tmp_path) as w:
        await invited(w, recurrence=WEEKLY)
        await answer(w, "accept")
        w.clock.advance(5)
        await answer(w, "decline", slot="2026-03-12")
        w.clock.advance(1200)

        for _ in range(2):
            assert await w.code() == 0

        assert (sum(mails(w).values()), await left(w)) == (2, 0)
        assert await w.store.problems() == []


@pytest.mark.parametrize(
    ("action", "said"),
    [("tentativelyAccept", "'tentative'"), ("decline", "'decline'")],
)
async def test_a_notice_names_the_answer_the_meeting_the_day_and_the_way_out(
    tmp_path: Path, action: str, said: str
) -> None:
    """The series has no such day."""
    async with world(tmp_path) as w:
        await invited(w, recurrence=WEEKLY)
        await answer(w, action, slot="2026-03-13")

        assert await w.code() == 0

        [notice] = await w.store.problems()
        reason = f"{said} of 2026-03-13 was not sent: there is no such event any more"
        way_out = "`syncd discard ID` takes it off the list; give the command again if you mean it."
        assert (notice.reason, notice.hint) == (reason, way_out)
        assert (notice.kind, notice.code) == ("notice", "respond-not-sent")
        assert (notice.account, notice.calendar) == ("work", "Calendar")
        assert notice.uid == await uid_of(w, "Plan")
        assert (notice.summary, [notice.file], notice.line) == ("Plan", w.names(), 0)


async def test_each_wish_that_is_not_sent_has_a_notice_of_its_own(tmp_path: Path) -> None:
    """Of another account, calendar, meeting, day or command it is another matter."""
    async with world(tmp_path) as w:
        await hosting(w, recurrence=WEEKLY)
        slots = ["", "2026-03-12", "2026-03-19"]
        for slot in slots:
            await accept(w, slot=slot)

        assert await w.code() == 0

        calendar, uid = await main_calendar(w), await uid_of(w, "Plan")
        matter = ("work", calendar.id, uid, "notice", "respond-not-sent")
        assert {one.id for one in await w.store.problems()} == {
            problem_id(*matter, slot) for slot in slots
        }


async def test_a_notice_of_a_meeting_whose_file_is_not_there_yet_names_no_file(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        await hosting(w)
        key, uid = (await main_calendar(w)).key, await uid_of(w, "Plan")
        await accept(w)
        w.path("Plan").unlink()
        known = (await w.store.items(key, [uid]))[uid]
        unnamed = replace(known, file=None, fingerprint=None, stat=None)
        await w.store.commit(key, [PutItem(unnamed)])

        await w.code()

        [notice] = await w.store.problems()
        assert (notice.summary, notice.file) == ("Plan", "")


# --- how it is seen --------------------------------------------------------------------------------


def shown(status: int = 200, **values: Any) -> Answer:
    """What the service says of the event."""
    return Answer(status, {}, msgspec.json.encode({"id": "e", "isOrganizer": True, **values}))


def response(said: str) -> dict[str, Any]:
    return {"responseStatus": {"response": said}}


ACCEPT = wished("respond", "accept")
TENTATIVE = wished("respond", "tentativelyAccept")
DECLINE = wished("respond", "decline")
CANCEL = wished("cancel", "cancel")
FORWARDED = wished("forward", "forward", None, "Dan@example.org")


def test_an_answer_is_seen_in_what_the_event_says_of_its_owner() -> None:
    all_ = {"accepted": ACCEPT, "tentativelyAccepted": TENTATIVE, "declined": DECLINE}
    for said, meant in all_.items():
        seen = [one for one in all_.values() if is_seen(one, shown(**response(said)))]
        assert seen == [meant]
    assert [is_seen(one, shown()) for one in all_.values()] == [False] * 3
    assert [is_seen(one, shown(**response("none"))) for one in all_.values()] == [False] * 3


def test_what_leaves_the_calendar_is_seen_in_that_the_event_is_gone() -> None:
    wishes = (ACCEPT, TENTATIVE, DECLINE, CANCEL, FORWARDED)
    gone = [one for one in wishes if is_seen(one, Answer(404, {}, b""))]
    assert gone == [DECLINE, CANCEL]


def test_a_cancellation_is_seen_in_the_event() -> None:
    assert is_seen(CANCEL, shown(isCancelled=True))
    assert not is_seen(CANCEL, shown(isCancelled=False))


@pytest.mark.parametrize("status", [199, 300, 403, 410, 503])
def test_an_answer_that_is_not_the_event_shows_nothing(status: int) -> None:
    assert not is_seen(ACCEPT, shown(status, **response("accepted")))
    assert not is_seen(ACCEPT, Answer(status, {}, b"<html>"))


def test_a_reminder_is_not_seen_in_the_event() -> None:
    put_off = [wished("snooze", "snoozeReminder"), wished("dismiss", "dismissReminder")]
    assert [is_seen(one, shown()) for one in put_off] == [False, False]


def test_a_forwarded_meeting_shows_its_organizer_who_was_added() -> None:
    def listing(*addresses: str | None, organizer: bool = True) -> Answer:
        people = [{"emailAddress": {"address": one}} for one in addresses]
        return shown(attendees=[*people, {"emailAddress": None}], isOrganizer=organizer)

    assert is_seen(FORWARDED, listing("bob@example.org", "dan@EXAMPLE.org", None))
    assert not is_seen(FORWARDED, listing("bob@example.org", None))
    assert not is_seen(FORWARDED, listing("dan@example.org", organizer=False))


async def test_a_cancellation_after_a_forward_reaches_nobody_who_was_not_shown(
    tmp_path: Path,
) -> None:
    """Both were asked for offline: by its turn the meeting has one more guest, and that is told."""
    async with world(tmp_path) as w:
        await hosting(w)
        await forward(w)
        await cancel(w)

        await w.code()

        assert {one.kind for one in w.mails()} == {"forward"}
        assert await left(w) == 0
        [notice] = [one for one in await w.store.problems() if one.code == "cancel-not-sent"]
        assert "dan@example.org" in notice.reason
