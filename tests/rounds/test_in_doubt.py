"""
What a lost answer costs: nothing is said twice, nobody waits for what is plain, and a person is
asked once.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncd.core.errors import ServiceDown
from syncd.core.plan import problem_id
from syncd.core.state import DropItem, PutItem
from syncd.core.wire.exchange import Answer
from syncd.shell.config_model import MailPolicy
from syncd.shell.mailbox import exit_code
from syncd.simulator.switches import Switches
from tests.rounds.test_asked import (
    accept,
    answer,
    cancel,
    forward,
    hosting,
    invited,
    left,
    main_calendar,
    say_no_news,
    uid_of,
)
from tests.rounds.test_outbox import (
    AT,
    BOB,
    BY_UID,
    LOST,
    WEEKLY,
    YES,
    Odd,
    _edited,
    _made_again,
    _override,
    listed,
    odd,
    outbox,
    refused,
    settled,
    titles,
    told,
)
from tests.rounds.world import World, event, ics, world

DAY_S = 86400
DOWN = ServiceDown("down")
ONE_EVENT = "/events/[^/?]+(\\?|$)"
MISSING = refused(404, "ErrorItemNotFound").answer
SEND = MailPolicy("send", "send", "send", "send")

Lose = Callable[..., Awaitable[Odd]]


async def code_and_wait(w: World) -> tuple[int, float]:
    """Of one sync, in seconds."""
    before_s = w.clock.monotonic_s()
    return await w.code(), w.clock.monotonic_s() - before_s


async def news_only(w: World) -> int:
    """A sync that looks at no folder unless something came."""
    assert w.mailbox is not None
    calendars = await w.mailbox.refresh(force=True)
    reports = await w.mailbox.sync(calendars, look_at=())
    held = [one for one in await w.store.problems() if one.needs_person]
    return int(exit_code(reports, held=len(held)))


async def others(w: World, *names: str) -> None:
    """So that one deletion is not a suspicious part of the calendar."""
    for name in names or ("B", "C", "D"):
        w.box.create(w.calendar, event(name, *AT))


# --- each kind of write, and an answer to it that is lost ------------------------------------------


async def a_create(w: World, *, passed: bool) -> Odd:
    remote = await odd(w)
    remote.say("POST", "/events$", LOST, passed=passed)
    w.write("a.ics", ics("a", "A"))
    return remote


async def a_create_in_place(w: World, *, passed: bool) -> Odd:
    made = w.box.create(w.calendar, event("A", *AT))
    remote = await odd(w)
    w.edit("A", b"SUMMARY:A", b"URL:https://example.com\r\nSUMMARY:A")
    assert await w.code() == 0
    remote.asked.clear()
    w.clock.advance(7 * DAY_S)
    w.box.delete(made.immutable_id)
    w.edit("A", b"SUMMARY:A", b"SUMMARY:B")
    remote.say("POST", "/events$", LOST, passed=passed)
    return remote


async def a_change(w: World, *, passed: bool) -> Odd:
    w.box.create(w.calendar, event("A", *AT))
    remote = await odd(w)
    remote.say("PATCH", "/events", LOST, passed=passed)
    w.edit("A", b"SUMMARY:A", b"SUMMARY:B\r\nCATEGORIES:Red")
    return remote


async def an_update(w: World, *, passed: bool) -> Odd:
    w.box.create(w.calendar, event("A", *AT, attendees=[BOB]))
    remote = await odd(w)
    remote.say("PATCH", "/events", LOST, passed=passed)
    w.edit("A", b"SUMMARY:A", b"SUMMARY:B")
    return remote


async def a_day_off(w: World, *, passed: bool) -> Odd:
    w.box.create(w.calendar, event("Series", *AT, recurrence=WEEKLY))
    remote = await odd(w)
    remote.say("DELETE", "/events", LOST, passed=passed)
    rule = re.search(rb"RRULE:FREQ=WEEKLY[^\r]*", w.path("Series").read_bytes())
    assert rule is not None
    w.edit("Series", rule[0], rule[0] + b"\r\nEXDATE;TZID=Europe/Berlin:20260312T100000")
    return remote


async def a_deletion(w: World, *, passed: bool) -> Odd:
    w.box.create(w.calendar, event("A", *AT))
    await others(w)
    remote = await odd(w)
    w.clock.advance(7 * DAY_S)
    assert await w.code() == 0
    remote.say("DELETE", "/events", LOST, passed=passed)
    w.path("A").unlink()
    return remote


async def an_answer(w: World, *, passed: bool) -> Odd:
    w.receive("Plan", *AT)
    remote = await odd(w)
    remote.say("POST", "/accept$", LOST, passed=passed)
    w.edit("Plan", *YES)
    return remote


async def a_forward(w: World, *, passed: bool) -> Odd:
    await hosting(w)
    remote = await odd(w)
    await forward(w)
    remote.say("POST", "/forward$", LOST, passed=passed)
    return remote


async def lost_and_down(w: World, lose: Lose, *, passed: bool) -> Odd:
    """After the loss the service cannot be asked: it is in doubt when the sync ends."""
    remote = await lose(w, passed=passed)
    [(method, path, outcome, _, _)] = remote.told
    remote.told.clear()
    down = lambda: remote.say("GET", "", DOWN)  # noqa: E731
    remote.say(method, path, outcome, then=down, passed=passed)
    assert await w.code() == 5
    assert len(await outbox(w)) == 1
    return remote


FOUND = [
    *(a_create, a_create_in_place, a_change, an_update, a_day_off),
    *(a_deletion, an_answer, a_forward),
]
SILENT = [a_create, a_change, a_day_off, a_deletion]
TWO_LOOKS_S = {a_deletion: 2.0}
"""That a file is gone is believed at the second look at the folder."""


@pytest.mark.parametrize("lose", FOUND)
async def test_what_is_found_costs_no_wait_and_is_told_with_its_round(
    tmp_path: Path, lose: Lose
) -> None:
    """One request, one line in the history; the same sync is done with it."""
    async with world(tmp_path, mail=SEND) as w:
        remote = await lose(w, passed=True)
        known = len(await w.store.history(None, 100))

        assert await code_and_wait(w) == (0, TWO_LOOKS_S.get(lose, 0.0))

        assert len(remote.asked) == 1
        assert await left(w) == 0
        history = await w.store.history(None, 100)
        assert all(one.round for one in history)
        new = [bool(one.after) for one in history[: len(history) - known] if one.side == "local"]
        assert sorted(new) == [False] + [True] * (lose not in (a_deletion, a_forward))


@pytest.mark.parametrize("lose", SILENT)
async def test_what_mails_nobody_is_said_again_at_once(tmp_path: Path, lose: Lose) -> None:
    """It had no effect: nobody waits to be sure of that, and it is told once."""
    async with world(tmp_path) as w:
        remote = await lose(w, passed=False)

        assert await code_and_wait(w) == (0, TWO_LOOKS_S.get(lose, 0.0))

        assert len(remote.asked) == 2
        assert await left(w) == 0
        assert len(await told(w)) == 1


@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize("lose", [a_change, a_deletion])
async def test_what_had_no_effect_is_said_again_though_no_folder_is_looked_at(
    tmp_path: Path, lose: Lose, readable: bool
) -> None:
    """A daemon that hears of the service alone does not put it off, whatever a look brings."""
    async with world(tmp_path) as w:
        remote = await lost_and_down(w, lose, passed=False)
        if not readable:
            remote.say("GET", ONE_EVENT, refused(403, "ErrorAccessDenied").answer)

        assert await news_only(w) == 0

        assert len(remote.asked) == 2
        assert len(await told(w)) == 1


# --- looking --------------------------------------------------------------------------------------


@pytest.mark.parametrize("uid", ["a", "long-" + "x" * 1500])
async def test_a_create_is_looked_for_by_its_uid(tmp_path: Path, uid: str) -> None:
    """Beyond the view, where no news tells of it; all events are listed for a long UID alone."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        w.box.create(w.calendar, event("Other", *AT))
        remote.say("POST", "/events$", LOST, passed=True)
        w.write("a.ics", ics(uid, "A", "20300310T100000", "20300310T110000"))
        w.clear()

        assert await settled(w) == 0

        assert (titles(w), len(remote.asked)) == (["A", "Other"], 1)
        by_uid = [one for one in w.requests("GET") if "/events?$filter" in one]
        listings = [one for one in w.requests("GET") if "/events?$select" in one]
        assert (len(by_uid), len(listings)) == ((0, 1) if len(uid) > 1000 else (1, 0))


async def test_a_search_that_is_answered_with_nonsense_is_named(tmp_path: Path) -> None:
    """It passes; the create stays in doubt until it can be looked for."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        remote.say("POST", "/events$", LOST, passed=True)
        remote.say("GET", BY_UID, refused(403, "ErrorAccessDenied").answer)
        w.write("a.ics", ics("a", "A", "20300310T100000", "20300310T110000"))

        await w.code()

        [error] = [fields["error"] for fact, fields in w.facts if fact == "trouble"]
        assert "the service refused find: 403" in error
        assert await outbox(w) == [("create", "doubt")]


async def test_a_repeated_create_that_meets_the_first_is_settled_at_once(tmp_path: Path) -> None:
    """409: by then it can be found, and nobody is asked."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        remote.say("POST", "/events$", LOST, passed=True)
        remote.say("GET", BY_UID, Answer(200, {}, b'{"value": []}'))
        remote.say("POST", "/events$", refused(409))
        w.write("a.ics", ics("a", "A", "20300310T100000", "20300310T110000"))

        assert await code_and_wait(w) == (0, 0.0)

        assert (titles(w), await w.store.problems()) == (["A"], [])


async def test_a_repeated_create_that_is_refused_leaves_nothing_behind(tmp_path: Path) -> None:
    """The file is planned anew: one event, one line in the history, in the same sync."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        remote.say("POST", "/events$", LOST)
        remote.say("POST", "/events$", refused(400))
        w.write("a.ics", ics("a", "A"))

        assert await code_and_wait(w) == (0, 0.0)

        assert (titles(w), await told(w)) == (["A"], ["create"])
        ids = [msgspec.json.decode(one.body or b"{}")["transactionId"] for one in remote.asked]
        assert (ids[0] == ids[1], ids[1] == ids[2]) == (True, False)


async def test_a_file_that_is_found_on_the_service_is_told_once(tmp_path: Path) -> None:
    """What is known of it is kept: its name, and the version that a person saved."""
    async with world(tmp_path) as w:
        await a_create(w, passed=True)

        assert await w.code() == 0

        history = await w.store.history(None, 100)
        saved = [(one.what, one.before) for one in history if one.after]
        assert saved == [("create", b"")]
        assert w.names() == ["a.ics"]


async def test_a_lost_create_whose_title_outlook_changed_takes_it(tmp_path: Path) -> None:
    """Agreed is what was sent: there are not two new titles to choose from."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        remote.say("POST", "/events$", LOST, passed=True, then=_edited(w, subject="C"))
        w.write("a.ics", ics("a", "A"))

        assert await settled(w) == 0

        assert (titles(w), w.subjects()) == (["C"], ["C"])
        assert await w.store.problems() == []


async def test_what_is_made_again_and_edited_costs_no_wait(tmp_path: Path) -> None:
    """Both versions are weighed in the same sync."""
    async with world(tmp_path) as w:
        remote = await _made_again(w)
        remote.say(
            "POST", "/events$", LOST, passed=True, then=_edited(w, subject="C", attendees=[BOB])
        )

        assert await code_and_wait(w) == (0, 0.0)

        assert (titles(w), w.subjects()) == (["C"], ["C"])


@pytest.mark.parametrize("lose", [a_deletion, a_change])
async def test_a_write_in_doubt_of_an_item_that_is_half_forgotten_is_settled(
    tmp_path: Path, lose: Lose
) -> None:
    """Its record is lost, or the event that it stands for: what is there by now counts."""
    async with world(tmp_path) as w:
        remote = await lost_and_down(w, lose, passed=True)
        key = (await main_calendar(w)).key
        [entry] = await w.store.outbox(key)
        record = (await w.store.items(key, [entry.uid]))[entry.uid]
        forgotten = DropItem(entry.uid) if lose is a_deletion else None
        unlinked = PutItem(replace(record, graph_id=None))
        await w.store.commit(key, [forgotten or unlinked])

        assert await code_and_wait(w) == (0, 0.0)

        assert len(remote.asked) == 1
        assert titles(w) == (["B", "C", "D"] if lose is a_deletion else ["B"])
        assert sorted(w.subjects()) == titles(w)
        assert await told(w) == (["delete"] if lose is a_deletion else [])
        assert await outbox(w) == []


async def test_a_lost_change_of_an_event_that_went_costs_no_wait(tmp_path: Path) -> None:
    """It is over; what is told is the event that the edited file is made into."""
    async with world(tmp_path) as w:
        made = w.box.create(w.calendar, event("A", *AT))
        remote = await odd(w)
        w.clock.advance(7 * DAY_S)
        remote.say("PATCH", "/events", LOST, then=lambda: w.box.delete(made.immutable_id))
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")

        assert await code_and_wait(w) == (0, 0.0)

        assert (titles(w), w.subjects()) == (["B"], ["B"])
        assert (await told(w), await outbox(w)) == (["create"], [])


async def test_a_change_is_not_sent_again_while_its_event_cannot_be_read(tmp_path: Path) -> None:
    """A 404 of what was there a moment ago says nothing of the change."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        w.write("a.ics", ics("a", "A"))
        assert await w.code() == 0
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")
        remote.asked.clear()
        remote.say("PATCH", "/events", LOST, passed=True)
        await say_no_news(w, remote, 2)
        for _ in range(2):
            remote.say("GET", ONE_EVENT, MISSING)

        assert await settled(w) == 0

        assert (titles(w), len(remote.asked)) == (["B"], 1)
        assert await told(w) == ["create", "patch"]


async def test_a_lost_change_is_seen_however_the_service_spells_it(tmp_path: Path) -> None:
    """Somebody's master list has the category in capitals."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", *AT))
        remote = await odd(w)
        remote.say("PATCH", "/events", LOST, passed=True, then=_edited(w, categories=["RED"]))
        w.edit("A", b"SUMMARY:A", b"SUMMARY:A\r\nCATEGORIES:Red")

        assert await settled(w) == 0

        assert len(remote.asked) == 1
        assert await told(w) == ["patch"]


async def test_a_text_whose_answer_was_lost_has_its_form_the_next_time(tmp_path: Path) -> None:
    """What the service made of it is known, as after an answer: an edit of it may bring HTML."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", *AT, body={"contentType": "html", "content": "one"}))
        remote = await odd(w)
        remote.say("PATCH", "/events", LOST, passed=True)
        w.edit("A", b"DESCRIPTION:one", b"DESCRIPTION:two")
        assert await w.code() == 0
        w.clear()
        form = b"\r\nX-ALT-DESC;FMTTYPE=text/html:<p><b>three</b></p>"
        w.edit("A", b"DESCRIPTION:two", b"DESCRIPTION:three" + form)

        assert await w.code() == 0

        sent = {"contentType": "html", "content": "<p><b>three</b></p>"}
        assert w.bodies("PATCH") == [{"body": sent}]


OWN = "CATEGORIES:Red"


@pytest.mark.parametrize("passed", [True, False])
@pytest.mark.parametrize(("old", "new"), [("", OWN), (OWN, "")])
async def test_a_lost_change_of_one_day_is_seen_in_what_that_day_has_of_its_own(
    tmp_path: Path, old: str, new: str, passed: bool
) -> None:
    """A category that the other days do not have, or one that is taken away again."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("Series", *AT, recurrence=WEEKLY))
        remote = await odd(w)
        _override(w, "20260312", "SUMMARY:Series", "LOCATION:Hall", *[old] * bool(old))
        assert await settled(w) == 0
        remote.asked.clear()
        known = len(await told(w))
        remote.say("PATCH", "/events", LOST, passed=passed)
        before, after = (f"LOCATION:Hall\r\n{own}".rstrip().encode() for own in (old, new))
        w.edit("Series", before + b"\r\n", after + b"\r\n")

        assert await code_and_wait(w) == (0, 0.0)

        assert len(remote.asked) == (1 if passed else 2)
        assert len(await told(w)) == known + 1
        assert (OWN in w.text("Series")) is bool(new)


async def test_a_mailing_change_is_looked_for_again_when_five_seconds_are_over(
    tmp_path: Path,
) -> None:
    """Counted from when it left: what has passed already is not waited for."""
    for passed_s, rest_s, looks in ((2, 3.0, 2), (5, 0.0, 1)):
        async with world(tmp_path / str(passed_s)) as w:
            remote = await an_update(w, passed=False)
            remote.say("GET", ONE_EVENT, DOWN)
            assert await w.code() == 5
            w.clock.advance(passed_s)
            w.clear()

            assert await code_and_wait(w) == (0, rest_s)

            before = w.requests()[: w.requests().index(w.writes()[0])]
            assert len([one for one in before if "&$expand=" in one]) == looks
            assert [mail.kind for mail in w.mails()] == ["update"]


async def test_a_mailing_change_that_shows_late_is_not_sent_again(tmp_path: Path) -> None:
    """The first look came too early; the second one finds it."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", *AT, attendees=[BOB]))
        remote = await odd(w)
        key, uid = (await main_calendar(w)).key, await uid_of(w, "A")
        [before] = (await w.store.remotes_by_uid(key, [uid]))[uid]
        remote.say("PATCH", "/events", LOST, passed=True)
        await say_no_news(w, remote, 2)
        remote.say("GET", ONE_EVENT, Answer(200, {}, before.raw))
        w.edit("A", b"SUMMARY:A", b"SUMMARY:B")

        assert await code_and_wait(w) == (0, 5.0)

        assert [mail.kind for mail in w.mails()] == ["update"]
        assert (len(remote.asked), await told(w)) == (1, ["patch"])
        assert all(one.round for one in await w.store.history(None, 100))


@pytest.mark.parametrize("verdict", ["approved", "discarded"])
@pytest.mark.parametrize("policy", ["local", "newest"])
async def test_a_lost_update_that_somebody_overtook_is_a_persons_matter(
    tmp_path: Path, policy: Any, verdict: str
) -> None:
    """The field says a third thing: planned anew, what has left once might be mailed twice."""
    async with world(tmp_path) as w:
        w.settings = replace(w.settings, conflict=policy)
        remote = await lost_and_down(w, an_update, passed=True)
        remote.told.clear()
        [item] = w.box.items(w.calendar)
        w.box.patch(item.default_id, {"subject": "Theirs"})
        problem = await until_asked(w)
        assert [mail.kind for mail in w.mails()] == ["update"]

        await w.decide(problem, verdict)
        await w.code()

        again = verdict == "approved"
        assert item.values["subject"] == ("B" if again else "Theirs")
        assert w.subjects() == ["B" if again else "Theirs"]
        assert [mail.kind for mail in w.mails()] == ["update"] * (1 + again)


async def test_where_the_service_wins_a_lost_update_that_somebody_overtook_is_over(
    tmp_path: Path,
) -> None:
    """Nothing of it would be sent again: nobody is asked."""
    async with world(tmp_path) as w:
        remote = await lost_and_down(w, an_update, passed=True)
        remote.told.clear()
        [item] = w.box.items(w.calendar)
        w.box.patch(item.default_id, {"subject": "Theirs"})

        assert await w.code() == 0

        assert w.subjects() == ["Theirs"]
        assert [mail.kind for mail in w.mails()] == ["update"]


# --- Deleted Items, and copies of the mailbox that lag --------------------------------------------


async def decline(w: World) -> None:
    await answer(w, "decline")


@pytest.mark.parametrize(("begin", "wish"), [(invited, decline), (hosting, cancel)])
async def test_what_answers_from_deleted_items_was_declined_or_called_off(
    tmp_path: Path, begin: Any, wish: Any
) -> None:
    """Also where the event itself shows nothing of it."""
    async with world(tmp_path, switches=Switches(deleted_items_answer=True)) as w:
        made = await begin(w)
        remote = await odd(w)
        await wish(w)
        remote.say("POST", "/(decline|cancel)$", LOST, then=lambda: w.box.delete(made.id))
        await say_no_news(w, remote, 2)

        assert await w.code() == 0

        assert await left(w) == 0
        assert len(await told(w)) == 1


async def test_a_lost_yes_to_what_lies_in_deleted_items_is_not_taken_for_sent(
    tmp_path: Path,
) -> None:
    """Somebody deleted the meeting meanwhile: a yes would not have done that."""
    async with world(tmp_path, switches=Switches(deleted_items_answer=True)) as w:
        made = await invited(w)
        remote = await odd(w)
        await accept(w)
        remote.say("POST", "/accept$", LOST, then=lambda: w.box.delete(made.id))

        assert await w.code() == 5
        w.clock.advance(121)
        assert await w.code() == 4

        assert (await listed(w)).code == "respond-in-doubt"
        assert await told(w) == []


async def test_a_lost_cancellation_is_not_taken_for_sent_because_a_copy_lags(
    tmp_path: Path,
) -> None:
    """404 of what was seen a moment ago: after a while it answers again, and a person is asked."""
    async with world(tmp_path) as w:
        await hosting(w)
        remote = await odd(w)
        await cancel(w)
        remote.say("POST", "/cancel$", LOST)
        for _ in range(2):
            remote.say("GET", ONE_EVENT, MISSING)

        assert await w.code() == 5
        assert (await left(w), w.subjects()) == (1, ["Plan"])
        w.clock.advance(121)
        assert await w.code() == 4

        assert (await listed(w)).code == "cancel-in-doubt"
        assert await told(w) == []


async def short_sync(w: World, rounds: int = 1) -> None:
    assert w.mailbox is not None
    calendars = await w.mailbox.refresh(force=True)
    await w.mailbox.sync(calendars, look_at=[one.key for one in calendars], most_rounds=rounds)


async def by_file(w: World, name: str) -> None:
    w.path(name).unlink()


async def by_command(w: World, name: str) -> None:
    await cancel(w, of=name)


@pytest.mark.parametrize("end", [by_file, by_command])
async def test_each_end_is_believed_by_itself(tmp_path: Path, end: Any) -> None:
    """Of 404 for forty seconds: those of one event say nothing of another one's."""
    async with world(tmp_path, mail=SEND) as w:
        for name in ("A", "B", "C", "D"):
            w.box.create(w.calendar, event(name, *AT, attendees=[BOB]))
        remote = await odd(w)
        await say_no_news(w, remote, 9)
        for name in ("A", "B"):
            remote.say("DELETE", "/events", LOST, passed=True)
            remote.say("POST", "/cancel$", LOST, passed=True)
            await end(w, name)
            await short_sync(w, 2)
            w.clock.advance(18)
        assert len(await outbox(w)) == 2

        await short_sync(w)
        assert len(await told(w)) == 1
        w.clock.advance(20)
        await short_sync(w)

        assert (len(await told(w)), await outbox(w)) == (2, [])
        assert len(remote.asked) == 2


# --- what a person is asked, and what they say ----------------------------------------------------


async def until_asked(w: World) -> Any:
    await w.code()
    w.clock.advance(121)
    assert await w.code() == 4
    return await listed(w, "in-doubt")


async def an_untold_create(w: World, *, passed: bool) -> Odd:
    """The service says that it knows it, and it is not there."""
    remote = await odd(w)
    for _ in range(2):
        remote.say("POST", "/events$", refused(409))
    w.write("a.ics", ics("a", "A"))
    return remote


ASKED = [an_untold_create, an_answer, a_forward]


@pytest.mark.parametrize("verdict", ["approved", "discarded"])
@pytest.mark.parametrize("lose", ASKED)
async def test_what_a_person_says_is_done_at_once(tmp_path: Path, lose: Lose, verdict: str) -> None:
    """Though nothing moved in the folder, and the event may not be read just then."""
    async with world(tmp_path) as w:
        remote = await lose(w, passed=False)
        await w.decide(await until_asked(w), verdict)
        before, before_s = len(remote.asked), w.clock.monotonic_s()
        remote.say("GET", ONE_EVENT, refused(403, "ErrorAccessDenied").answer)

        assert await news_only(w) == 0

        assert w.clock.monotonic_s() == before_s
        assert len(remote.asked) - before == (verdict == "approved")
        assert await left(w) == 0
        assert (await w.store.problems(), await w.store.verdicts()) == ([], {})
        assert await news_only(w) == 0
        assert len(remote.asked) - before == (verdict == "approved")


@pytest.mark.parametrize("lose", [an_answer, a_forward])
@pytest.mark.parametrize(("more_s", "found"), [(64, (4, 5.0)), (65, (4, 0.0))])
async def test_a_person_is_asked_when_two_minutes_are_over(
    tmp_path: Path, lose: Lose, more_s: int, found: tuple[int, float]
) -> None:
    """Not a moment earlier, and not a look later."""
    async with world(tmp_path) as w:
        await lose(w, passed=False)
        assert await code_and_wait(w) == (5, 55.0)
        w.clock.advance(more_s)

        assert await code_and_wait(w) == found


@pytest.mark.parametrize("slot", ["", "2026-03-12"])
async def test_what_is_in_doubt_has_a_name_of_its_own(tmp_path: Path, slot: str) -> None:
    """Of another account, calendar, meeting, day or command it is another matter."""
    async with world(tmp_path) as w:
        await invited(w, recurrence=WEEKLY)
        remote = await odd(w)
        await accept(w, slot=slot)
        remote.say("POST", "/accept$", LOST)

        problem = await until_asked(w)

        calendar, uid = await main_calendar(w), await uid_of(w, "Plan")
        matter = ("work", calendar.id, uid, "in-doubt", "respond", slot)
        assert problem.id == problem_id(*matter)
        assert (problem.account, problem.calendar, problem.uid) == ("work", "Calendar", uid)
        assert (problem.summary, problem.file, problem.line) == ("Plan", "", 0)
        assert (problem.mail_class, problem.to) == ("responses", ("carol@example.org",))
        way_out = "`syncd approve ID` sends it again, `syncd discard ID` says that it was sent."
        assert problem.hint == way_out


async def test_what_else_waits_for_a_person_is_listed_after_it(tmp_path: Path) -> None:
    """The same meeting's file is gone, and that would mail people as well."""
    async with world(tmp_path) as w:
        remote = await a_forward(w, passed=False)
        w.path("Plan").unlink()
        await others(w)
        await w.decide(await until_asked(w), "discarded")
        remote.told.clear()

        assert await news_only(w) == 4

        assert (await listed(w)).kind == "held-mail"


async def a_held_guest(w: World) -> Odd:
    """A single day gets the first guest of a series: its invitations are one matter."""
    w.box.create(w.calendar, event("Series", *AT, recurrence=WEEKLY))
    remote = await odd(w)
    people = ("ORGANIZER:mailto:me@example.org", "ATTENDEE:mailto:bob@example.org")
    _override(w, "20260312", "SUMMARY:Series", *people)
    return remote


async def a_held_day_off(w: World) -> Odd:
    """One day of a series is called off."""
    w.box.create(w.calendar, event("Series", *AT, recurrence=WEEKLY, attendees=[BOB]))
    remote = await odd(w)
    rule = re.search(rb"RRULE:FREQ=WEEKLY[^\r]*", w.path("Series").read_bytes())
    assert rule is not None
    w.edit("Series", rule[0], rule[0] + b"\r\nEXDATE;TZID=Europe/Berlin:20260312T100000")
    return remote


@pytest.mark.parametrize(("begin", "method"), [(a_held_guest, "PATCH"), (a_held_day_off, "DELETE")])
async def test_what_was_approved_of_one_day_is_used_up_when_it_is_found(
    tmp_path: Path, begin: Any, method: str
) -> None:
    """The approval counts for no other time."""
    async with world(tmp_path, mail=MailPolicy("hold", "hold", "hold", "hold")) as w:
        remote = await begin(w)
        assert await w.code() == 4
        await w.decide(await listed(w, "held-mail"), "approved")
        remote.say(method, "/events", LOST, passed=True)

        assert await settled(w) == 0

        assert len(w.mails()) == 1
        assert (await w.store.verdicts(), await w.store.problems()) == ({}, [])
