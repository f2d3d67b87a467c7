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

from syncd.core.ids import Uid
from syncd.core.state import OutboxEntry
from syncd.graph.transport import GraphRemote
from syncd.ports import Request, WriteOutcome
from syncd.simulator.faults import FaultKind, Faults
from syncd.simulator.folders import Person
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


async def ask(
    w: World, kind: Any, action: str, body: Any, *mails: str, slot: str = "", sends: bool = True
) -> None:
    """What the command journals."""
    [calendar] = [one for one in await w.store.calendars() if one.name == "Calendar"]
    [uid] = await w.store.uids_beginning("", 5)
    classes = {"respond": "responses", "cancel": "cancellations", "forward": "invitations"}
    mail_kind = classes.get(kind, "")
    entry = OutboxEntry(
        0,
        Uid(uid),
        kind,
        slot,
        None,
        action,
        msgspec.json.encode(body),
        None,
        "ready",
        w.clock.now(),
        (),
        None,
        "",
        mails if sends else (),
        mail_kind if sends else "",
    )
    await w.store.new_outbox(calendar.key, [entry])


async def accept(w: World, *, slot: str = "", **rest: Any) -> None:
    body = {"sendResponse": True, "comment": "Gladly", **rest}
    await ask(w, "respond", "accept", body, CAROL.address, slot=slot)


async def cancel(w: World, *, slot: str = "") -> None:
    await ask(w, "cancel", "cancel", {"comment": "Ill"}, "bob@example.org", slot=slot)


async def forward(w: World) -> None:
    to = {"emailAddress": {"address": "dan@example.org"}}
    await ask(w, "forward", "forward", {"toRecipients": [to]}, "dan@example.org")


def mails(w: World) -> Counter[tuple[str, str, str]]:
    return Counter((one.kind, ",".join(one.to), one.comment) for one in w.mails())


async def left(w: World) -> int:
    """How much waits, sent or not."""
    count = 0
    for one in await w.store.calendars():
        count += len(await w.store.asked(one.key)) + len(await w.store.outbox(one.key))
    return count


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
        assert notice.reason == "'accepted' was not sent: there is no such event any more"


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
        await ask(w, "respond", "accept", {"sendResponse": False}, sends=False)
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
            await ask(w, what, f"{what}Reminder", body, sends=False)
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
