"""What a sceptical reader of the rounds tried: each of it went wrong once."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.core.wire.dialects.graph_v1 import GraphV1
from syncd.core.wire.graph import ICAL_UID_PROPERTY
from syncd.ports import Answer
from syncd.shell import mailbox as mb
from syncd.shell.config_model import MailPolicy
from syncd.simulator.faults import FaultKind, Faults
from syncd.simulator.switches import Switches
from tests.rounds.test_asked import (
    CANCELLATION,
    CAROL,
    GUESTS,
    OWN,
    RESPONSE,
    TIMES,
    WEEKLY,
    Killed,
    accept,
    ask,
    cancel,
    forward,
    hosting,
    invited,
    mails,
)
from tests.rounds.test_moves import _all, _move, _only, _two
from tests.rounds.world import World, event, world


async def kept(w: World) -> str:
    """All that is anywhere: in folders, in the history, under problems, on the service."""
    [uid] = await w.store.uids_beginning("", 5)
    return repr(
        [
            *await w.store.history(uid, 99),
            *await w.store.problems(),
            *(path.read_bytes() for path in (w.root / "export").glob("*/*/[!.]*.ics")),
            *(one.values for each in await w.store.calendars() for one in w.box.items(each.id)),
        ]
    )


async def twins(w: World, there: str = "Room A") -> tuple[Any, Any]:
    """Events of one UID in two calendars, and no move at all."""
    other = w.box.folders.add("Other")
    named = {"singleValueExtendedProperties": [{"id": ICAL_UID_PROPERTY, "value": "u"}]}
    one, two = (
        w.box.create(calendar, event("Conf", *TIMES, location={"displayName": at}) | named)
        for calendar, at in ((w.calendar, "Room A"), (other.id, there))
    )
    assert await w.code() == 0
    return one, two


@pytest.mark.parametrize("how", ["one calendar is synced", "killed before the target's round"])
async def test_an_edit_of_a_moved_file_survives_the_one_that_follows_it(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as w:
        here, there = await _two(w)
        _move(here, there)
        await _only(w, "Other")
        [item] = w.box.items(w.calendar)
        w.box.patch(item.default_id, {"location": {"displayName": "Hall"}})
        there.rename(tmp_path / "away")
        await w.code()  # the news is stored
        (tmp_path / "away").rename(there)
        [file] = there.glob("*.ics")
        mine = file.read_bytes().replace(b"END:VEVENT", b"LOCATION:Mine\r\nEND:VEVENT")
        file.write_bytes(mine)

        async def dying(*_: Any, **__: Any) -> Any:
            raise Killed

        with suppress(Killed), monkeypatch.context() as patched:
            if how.startswith("killed"):
                patched.setattr(mb, "run_round", dying)
                await w.sync()
            await _only(w, "Calendar")
        await w.open_mailbox()
        await w.code()
        assert "Mine" in await kept(w)


@pytest.mark.parametrize("there", ["Room A", "Room B"])
async def test_an_event_is_not_touched_by_an_edit_of_its_twin_in_another_calendar(
    tmp_path: Path, there: str
) -> None:
    async with world(tmp_path) as w:
        a, b = await twins(w, there=there)
        w.box.patch(a.id, {"location": {"displayName": "Hall"}})
        for path in w.folder.glob("*.ics"):
            path.unlink()
        await w.code()
        assert b.item.values["location"]["displayName"] == there


async def test_an_edit_does_not_follow_into_a_calendar_that_is_only_read(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, _ = await twins(w)
        account = w.account()
        only_read = replace(account, calendars={"Other": replace(w.settings, direction="pull")})
        w.account = lambda: only_read
        await w.open_mailbox()
        w.box.patch(a.id, {"location": {"displayName": "Hall"}})
        for path in w.folder.glob("*.ics"):
            path.unlink()
        for _ in range(3):
            await w.code()
        assert "Hall" in repr(
            [i.values for c in await w.store.calendars() for i in w.box.items(c.id)]
        )


@pytest.mark.parametrize("known", [True, False])
async def test_a_guest_of_one_day_is_not_invited_anew_by_a_move(
    tmp_path: Path, known: bool
) -> None:
    async with world(tmp_path, mail=_all("send")) as w:
        w.box.create(w.calendar, event("Plan", *TIMES, recurrence=WEEKLY))
        w.box.folders.add("Other")
        await w.code()
        day = datetime(2026, 3, 12, tzinfo=UTC)
        [one] = w.box.instances(w.calendar, day, day + timedelta(days=1))
        w.box.patch(one.id, {"attendees": [*GUESTS]})
        if known:
            await w.code()
        root = w.root / "export" / "work"
        _move(root / w.folders()["Calendar"], root / w.folders()["Other"])
        await w.code()
        await w.code()
        assert w.mails() == []


@pytest.mark.parametrize("what", ["forward", "respond"])
async def test_a_lost_wish_is_not_taken_for_sent_because_it_was_so_before(
    tmp_path: Path, what: str
) -> None:
    async with world(tmp_path, faults=Faults()) as w:
        if what == "forward":
            dan = {"emailAddress": {"address": "dan@example.org"}, "type": "required"}
            await hosting(w, attendees=[*GUESTS, dan])
            await forward(w)
        else:
            made = await invited(w)
            w.box.respond(made.id, "accept", {})
            await w.code()
            await accept(w)
        w.server.faults.script(FaultKind.TIMEOUT_BEFORE, method="^POST$", path="/(accept|forward)$")
        await w.code()
        w.clock.advance(121)
        await w.code()
        assert mails(w) or [p for p in await w.store.problems() if p.kind == "in-doubt"]


async def test_of_two_wishes_the_second_waits_until_the_first_is_settled(tmp_path: Path) -> None:
    async with world(tmp_path, faults=Faults()) as w:
        await hosting(w)
        for who in ("dan@example.org", "eve@example.org"):
            to = {"emailAddress": {"address": who}}
            await ask(w, "forward", "forward", {"toRecipients": [to]}, who)
        w.server.faults.script(FaultKind.TIMEOUT_BEFORE, method="^POST$", path="/forward$")
        await w.code()
        w.clock.advance(121)
        await w.code()
        [problem] = await w.store.problems()
        assert problem.to == ("dan@example.org",)
        assert w.mails() == []
        await w.decide(problem, "approved")
        await w.code()
        assert [one.to for one in w.mails()] == [("dan@example.org",), ("eve@example.org",)]


async def test_what_was_asked_for_last_is_what_stays(tmp_path: Path) -> None:
    async with world(tmp_path, faults=Faults()) as w:
        made = await invited(w)
        for answer in ("accept", "tentativelyAccept"):
            await ask(w, "respond", answer, {"sendResponse": False})
        w.server.faults.script(FaultKind.TIMEOUT_BEFORE, method="^POST$", path="/accept$")
        await w.code()
        await w.code()
        assert made.item.values["responseStatus"]["response"] == "tentativelyAccepted"


async def test_a_moved_file_whose_new_calendar_went_comes_to_rest(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        here, there = await _two(w)
        _move(here, there)
        await _only(w, "Other")
        [item] = w.box.items(w.calendar)
        w.box.patch(item.default_id, {"location": {"displayName": "Hall"}})
        w.left_out = ("Other",)
        await w.open_mailbox()
        await w.code()
        w.facts.clear()
        assert await w.code() == 0
        assert len([one for one, _ in w.facts if one == "round.finished"]) <= 2  # 12, in every sync


@pytest.mark.parametrize("what", ["attendees", "body"])
async def test_a_series_moves_though_each_answer_is_written_another_way(
    tmp_path: Path, what: str
) -> None:
    async with world(tmp_path, mail=_all("send")) as w:
        guests = [{"emailAddress": {"address": f"{n}@x.org"}, "type": "required"} for n in "abc"]
        made = w.box.create(w.calendar, event("Plan", *TIMES, recurrence=WEEKLY, attendees=guests))
        await w.code()
        remote, count = (await w.open_mailbox()).remote, iter(range(999))
        read_all = remote.read_all

        async def odd(requests: Any) -> Any:
            found = []
            for answer in await read_all(requests):
                body, n = json.loads(answer.body), next(count)
                if "attendees" in body and what == "attendees":
                    body["attendees"] = body["attendees"][n % 3 :] + body["attendees"][: n % 3]
                if "body" in body and what == "body":
                    body["body"] = {"contentType": "html", "content": f"<p id='x{n}'>Hello</p>"}
                found.append(replace(answer, body=json.dumps(body).encode()))
            return found

        remote.read_all = odd
        await w.code()
        w.edit("Plan", b"20260305T1", b"20260305T2")
        assert await w.code() == 0
        assert made.item.start.local.hour == 20


@dataclass(frozen=True, slots=True)
class NoDelta(GraphV1):
    @property
    def has_delta(self) -> bool:
        return False


async def test_a_series_that_lags_is_read_in_a_later_round(tmp_path: Path) -> None:
    async with world(tmp_path, faults=Faults()) as w:
        (await w.open_mailbox())._dialect = NoDelta("me")
        await w.code()
        w.box.create(w.calendar, event("Plan", *TIMES, recurrence=WEEKLY))
        w.server.faults.script(FaultKind.LAGGING, method="^GET$", path="/events/")
        for _ in range(5):
            assert await w.code() == 0
            w.clock.advance(60)
        assert w.subjects() == ["Plan"]


async def test_a_kept_wish_goes_only_as_the_policy_is_by_then(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await hosting(w)
        await cancel(w)
        never = MailPolicy("never", "never", "never", "never")
        w.settings = replace(w.settings, direction="pull", mail=never)
        await w.open_mailbox()
        await w.code()
        assert w.mails() == []


async def test_nobody_is_mailed_whom_the_person_was_not_shown(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        made = await hosting(w)
        await cancel(w)  # "one mail to bob"
        boss = {"emailAddress": {"address": "boss@example.org"}, "type": "required"}
        w.box.patch(made.id, {"attendees": [*GUESTS, boss]})
        await w.code()
        assert mails(w) in ({}, {CANCELLATION: 1})


async def test_one_event_that_is_refused_holds_up_no_other_wish(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await invited(w, recurrence=WEEKLY)
        await accept(w, slot="2026-03-12")
        [key] = [c.key for c in await w.store.calendars() if c.name == "Calendar"]
        [first] = await w.store.asked(key)
        w.box.receive(w.calendar, event("Two", *TIMES) | {"attendees": [OWN]}, CAROL)
        remote = (await w.open_mailbox()).remote
        read = remote.read

        async def refusing(request: Any) -> Any:
            no = Answer(403, {}, b'{"error":{"code":"ErrorAccessDenied"}}')
            return no if "/instances" in request.path else await read(request)

        remote.read = refusing
        await w.code()
        [two] = [u for u in await w.store.uids_beginning("", 5) if u != first.uid]
        await w.store.new_outbox(key, [replace(first, number=0, uid=two, slot="")])
        assert await w.code() != 5
        assert mails(w) == {RESPONSE: 1}


async def test_a_cancelled_meeting_in_deleted_items_is_seen_as_cancelled(tmp_path: Path) -> None:
    odd = Switches(deleted_items_answer=True)
    async with world(tmp_path, faults=Faults(), switches=odd) as w:
        await hosting(w)
        await cancel(w)
        w.server.faults.script(FaultKind.TIMEOUT_AFTER, method="^POST$", path="/cancel$")
        await w.code()
        w.clock.advance(121)
        assert await w.code() == 0


async def test_nobody_is_told_of_an_end_that_was_to_mail_nobody(tmp_path: Path) -> None:
    """Outlook invited somebody since the command showed that there are no guests."""
    async with world(tmp_path) as w:
        made = await hosting(w, attendees=[])
        await ask(w, "cancel", "cancel", {"comment": "Ill"})
        w.box.patch(made.id, {"attendees": [*GUESTS]})

        await w.code()

        assert w.mails() == []
        [notice] = await w.store.problems()
        assert "bob@example.org would be told as well" in notice.reason
