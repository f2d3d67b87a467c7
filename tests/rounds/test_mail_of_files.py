"""
Every edit of a file that mails somebody mails them once: answered, lost, or cut off by a kill.

What commands ask for has the same in `test_asked`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest

from syncd.shell.config_model import MailPolicy
from tests.rounds.test_asked import (
    GUESTS,
    TIMES,
    WEEKLY,
    Killed,
    hosting,
    invited,
    kill_at_the_request,
)
from tests.rounds.test_outbox import LOST, odd
from tests.rounds.test_series import occurrence
from tests.rounds.world import World, event, ics, world

SEND = MailPolicy("send", "send", "send", "send")
BOB, DAN, CAROL = "bob@example.org", "dan@example.org", "carol@example.org"
TWO = [*GUESTS, {"emailAddress": {"address": DAN}, "type": "required"}]
BEFORE_END = b"END:VEVENT"


async def nothing(w: World) -> None:
    await w.code()


async def hosting_two(w: World) -> None:
    w.box.create(w.calendar, event("Plan", *TIMES) | {"attendees": TWO})
    await w.code()


async def hosting_series(w: World) -> None:
    await hosting(w, recurrence=WEEKLY)


async def invited_alone(w: World) -> None:
    await invited(w)


async def invited_to_series(w: World) -> None:
    await invited(w, recurrence=WEEKLY)


async def hosting_one(w: World) -> None:
    await hosting(w)


async def having_one(w: World) -> None:
    w.box.create(w.calendar, event("Plan", *TIMES))
    await w.code()


def invite(w: World) -> None:
    people = ("ORGANIZER:mailto:me@example.org", f"ATTENDEE:mailto:{BOB}")
    w.write("new.ics", ics("new", "Plan", "20260305T100000", "20260305T110000", *people))


def invite_series(w: World) -> None:
    """With an exception: it is made first, and the guests come last."""
    people = ("ORGANIZER:mailto:me@example.org", f"ATTENDEE:mailto:{BOB}")
    rule = ("RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE;TZID=Europe/Berlin:20260312T100000")
    w.write("new.ics", ics("new", "Plan", "20260305T100000", "20260305T110000", *rule, *people))


def make_a_meeting(w: World) -> None:
    people = f"ORGANIZER:mailto:me@example.org\r\nATTENDEE:mailto:{BOB}\r\n".encode()
    w.edit("Plan", BEFORE_END, people + BEFORE_END)


def add_guest(w: World) -> None:
    w.edit("Plan", BEFORE_END, f"ATTENDEE:mailto:{DAN}\r\n".encode() + BEFORE_END)


def remove_guest(w: World) -> None:
    data = w.path("Plan").read_bytes().replace(b"\r\n ", b"")
    [line] = {one for one in data.splitlines() if DAN.encode() in one}
    w.clock.advance(5)
    w.path("Plan").write_bytes(data.replace(line + b"\r\n", b""))


def reschedule(w: World) -> None:
    w.edit("Plan", b"20260305T", b"20260306T")


def delete_file(w: World) -> None:
    w.path("Plan").unlink()


def take_a_day_away(w: World) -> None:
    w.edit("Plan", b"RRULE:", b"EXDATE;TZID=Europe/Berlin:20260312T100000\r\nRRULE:")


def edit_a_day(w: World) -> None:
    data = w.path("Plan").read_bytes()
    [master] = re.findall(rb"BEGIN:VEVENT\r\n.*?END:VEVENT\r\n", data, re.DOTALL)
    own = re.sub(rb"RRULE:[^\r]*\r\n", b"", master).replace(b"SUMMARY:Plan", b"SUMMARY:Talk")
    own = own.replace(b"20260305T", b"20260312T")
    slot = b"BEGIN:VEVENT\r\nRECURRENCE-ID;TZID=Europe/Berlin:20260312T100000\r\n"
    own = own.replace(b"BEGIN:VEVENT\r\n", slot, 1)
    w.clock.advance(5)
    w.path("Plan").write_bytes(data.replace(master, master + own))


def accept(w: World) -> None:
    data = w.path("Plan").read_bytes().replace(b"\r\n ", b"")
    w.clock.advance(5)
    w.path("Plan").write_bytes(data.replace(b"PARTSTAT=NEEDS-ACTION", b"PARTSTAT=ACCEPTED"))


def decline(w: World) -> None:
    data = w.path("Plan").read_bytes().replace(b"\r\n ", b"")
    w.clock.advance(5)
    w.path("Plan").write_bytes(data.replace(b"PARTSTAT=NEEDS-ACTION", b"PARTSTAT=DECLINED"))


def decline_by_rm(w: World) -> None:
    w.path("Plan").unlink()


Begin = Callable[[World], Awaitable[None]]
Edit = Callable[[World], None]
Mails = dict[tuple[str, str], int]

EDITS = [
    pytest.param(nothing, invite, {("invitation", BOB): 1}, id="invite"),
    pytest.param(nothing, invite_series, {("invitation", BOB): 1}, id="invite-to-series"),
    pytest.param(having_one, make_a_meeting, {("invitation", BOB): 1}, id="first-guest"),
    pytest.param(hosting_one, add_guest, {("invitation", DAN): 1}, id="add-guest"),
    pytest.param(hosting_two, remove_guest, {("cancellation", DAN): 1}, id="remove-guest"),
    pytest.param(hosting_one, reschedule, {("update", BOB): 1}, id="reschedule"),
    pytest.param(hosting_series, edit_a_day, {("update", BOB): 1}, id="edit-a-day"),
    pytest.param(hosting_one, delete_file, {("cancellation", BOB): 1}, id="cancel"),
    pytest.param(hosting_series, delete_file, {("cancellation", BOB): 1}, id="cancel-series"),
    pytest.param(hosting_series, take_a_day_away, {("cancellation", BOB): 1}, id="cancel-a-day"),
    pytest.param(invited_alone, accept, {("response", CAROL): 1}, id="accept"),
    pytest.param(invited_to_series, accept, {("response", CAROL): 1}, id="accept-series"),
    pytest.param(invited_alone, decline, {("response", CAROL): 1}, id="decline"),
    pytest.param(invited_alone, decline_by_rm, {}, id="remove-file"),
]


def mails(w: World) -> Counter[tuple[str, str]]:
    return Counter((one.kind, ",".join(one.to)) for one in w.mails())


async def in_the_end(w: World) -> None:
    """What a patient person comes to: what is in doubt is looked for, then asked, then sent."""
    for _ in range(4):
        await w.code()
        w.clock.advance(121)
        for problem in await w.store.problems():
            await w.decide(problem, "approved")
    assert await w.code() == 0


async def begun(w: World, begin: Begin, edit: Edit) -> None:
    await begin(w)
    w.service.ledger.clear()
    edit(w)


@pytest.mark.parametrize(("begin", "edit", "expected"), EDITS)
async def test_an_edit_mails_whom_it_concerns_once(
    tmp_path: Path, begin: Begin, edit: Edit, expected: Mails
) -> None:
    async with world(tmp_path, mail=SEND) as w:
        await begun(w, begin, edit)

        assert await w.code() == 0

        assert mails(w) == expected
        await in_the_end(w)
        assert mails(w) == expected


@pytest.mark.parametrize("arrived", [True, False], ids=["arrived", "never-arrived"])
@pytest.mark.parametrize(("begin", "edit", "expected"), EDITS)
async def test_a_lost_answer_mails_nobody_twice(
    tmp_path: Path, begin: Begin, edit: Edit, expected: Mails, arrived: bool
) -> None:
    async with world(tmp_path, mail=SEND) as w:
        await begun(w, begin, edit)
        remote = await odd(w)
        for method in ("POST", "PATCH", "DELETE"):
            remote.say(method, "", LOST, passed=arrived)

        await w.code()

        assert all(mails(w)[one] <= times for one, times in expected.items())
        remote.told.clear()
        await in_the_end(w)
        assert mails(w) == expected


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("begin", "edit", "expected"), EDITS)
async def test_whoever_dies_at_a_request_mails_nobody_twice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    begin: Begin,
    edit: Edit,
    expected: Mails,
    after: bool,
) -> None:
    """At each request in turn, until one run needs no more."""
    async with world(tmp_path, mail=SEND) as w:
        await begun(w, begin, edit)
        for _ in range(4):
            with monkeypatch.context() as dying:
                kill_at_the_request(dying, after=after)
                with suppress(Killed):
                    await w.sync()
            await w.open_mailbox()

        assert all(mails(w)[one] <= times for one, times in expected.items())
        await in_the_end(w)
        assert mails(w) == expected


def add_carol(w: World) -> None:
    w.edit("Plan", BEFORE_END, f"ATTENDEE:mailto:{CAROL}\r\n".encode() + BEFORE_END)


def rename(w: World) -> None:
    w.edit("Plan", b"SUMMARY:Plan\r\n", b"SUMMARY:Plans\r\n")


def rename_and_add(w: World) -> None:
    add_carol(w)
    rename(w)


async def hosting_two_in_series(w: World) -> None:
    """With an exception."""
    body = event("Plan", *TIMES) | {"attendees": TWO, "recurrence": WEEKLY}
    w.box.create(w.calendar, body)
    w.box.patch(occurrence(w, "2026-03-12").id, {"subject": "Talk"})
    await w.code()


async def hosting_series_with_a_guest_of_one_day(w: World) -> None:
    body = event("Plan", *TIMES) | {"attendees": [*GUESTS], "recurrence": WEEKLY}
    w.box.create(w.calendar, body)
    w.box.patch(occurrence(w, "2026-03-12").id, {"subject": "Talk", "attendees": TWO})
    await w.code()


async def alone_but_for_one_day(w: World) -> None:
    w.box.create(w.calendar, event("Plan", *TIMES) | {"recurrence": WEEKLY})
    w.box.patch(occurrence(w, "2026-03-12").id, {"subject": "Talk", "attendees": TWO})
    await w.code()


def _add_carol_behind(w: World, line: bytes) -> None:
    data = w.path("Plan").read_bytes()
    at = data.index(BEFORE_END, data.index(line))
    guest = f"ATTENDEE:mailto:{CAROL}\r\n".encode()
    w.clock.advance(5)
    w.path("Plan").write_bytes(data[:at] + guest + data[at:])


def add_carol_to_the_series(w: World) -> None:
    _add_carol_behind(w, b"SUMMARY:Plan\r\n")


def rename_and_add_to_the_series(w: World) -> None:
    add_carol_to_the_series(w)
    rename(w)


HELD = [add_carol, remove_guest, rename, rename_and_add]


@pytest.mark.parametrize(
    ("before", "edit"),
    # Which exceptions a series has after it was rescheduled is the service's to decide.
    [
        *product([hosting_two, hosting_two_in_series], HELD),
        (hosting_two, reschedule),
        (hosting_series_with_a_guest_of_one_day, rename),
        (hosting_series_with_a_guest_of_one_day, add_carol_to_the_series),
        (alone_but_for_one_day, rename),
        (alone_but_for_one_day, add_carol_to_the_series),
        (alone_but_for_one_day, rename_and_add_to_the_series),
    ],
)
async def test_a_held_change_lists_exactly_who_would_get_what(
    tmp_path: Path, before: Callable[[World], Awaitable[None]], edit: Callable[[World], None]
) -> None:
    """And how often: of a series with an exception each of them is mailed for both."""
    policy = MailPolicy("hold", "hold", "hold", "hold")
    async with world(tmp_path, mail=policy) as w:
        await before(w)
        edit(w)
        assert await w.code() == 4
        [problem] = await w.store.problems()
        listed = Counter({(one["mail"], one["to"]): int(one["mails"]) for one in problem.items})
        assert w.mails() == []

        await w.decide(problem, "approved")
        await w.code()

        sent = Counter((f"{one.kind}s", to) for one in w.mails() for to in one.to)
        assert sent == listed
        assert problem.to == tuple(dict.fromkeys(to for _, to in listed))


async def test_the_guests_of_one_day_are_not_told_by_the_rule_for_invitations(
    tmp_path: Path,
) -> None:
    """A guest is added to the series, which may go, and its title changed, which may not."""
    async with world(tmp_path, mail=MailPolicy("send", "hold", "hold", "hold")) as w:
        await alone_but_for_one_day(w)
        rename_and_add_to_the_series(w)

        assert await w.code() == 4
        assert w.mails() == []


async def test_an_answer_that_is_approved_goes_with_its_words(tmp_path: Path) -> None:
    async with world(tmp_path, mail=MailPolicy("hold", "hold", "hold", "hold")) as w:
        await invited(w)
        accept(w)
        w.edit("Plan", b"SUMMARY:Plan\r\n", b"SUMMARY:Plan\r\nCOMMENT:With pleasure\r\n")
        for _ in range(2):
            assert await w.code() == 4
        [problem] = await w.store.problems()
        assert 'with the words "With pleasure"' in problem.reason

        await w.decide(problem, "approved")
        assert await w.code() == 0

        assert [(one.kind, one.comment) for one in w.mails()] == [("response", "With pleasure")]
