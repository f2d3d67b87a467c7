"""
What a write meets by the time it leaves: people invited since, a series that moved since.

The service is the simulator over HTTP, which pays no heed to versions where a test says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from syncd.core.errors import ServiceDown
from syncd.ports import Answer, Request
from syncd.shell.config_model import MailPolicy
from syncd.simulator.switches import Switches
from tests.rounds.test_outbox import (
    AT,
    BOB,
    WEEKLY,
    Act,
    Odd,
    _override,
    listed,
    odd,
    refused,
    settled,
)
from tests.rounds.test_sceptic import NoDelta
from tests.rounds.world import World, event, ics, world

DAY, SECOND = "20300314", "20300321"
PEOPLE = "attendees,isOrganizer"
INSTANCES = "/instances"
NOTHING = Answer(200, {}, b'{"value": []}')
RULE = "RRULE:FREQ=WEEKLY;COUNT=4"
CARELESS = Switches(if_match_honoured=False)


def policy(updates: Any = "send", cancellations: Any = "send") -> MailPolicy:
    return MailPolicy("send", updates, cancellations, "send")


async def far_off(w: World, *names: str, rule: str = "") -> list[Any]:
    """Events made of files, in 2030: no view holds them."""
    await w.code()
    for name in ("x", "y", "z"):  # so that one deletion is none of many
        w.write(f"{name}.ics", ics(name, name))
    for name in names:
        lines = (rule,) if rule else ()
        w.write(f"{name}.ics", ics(name, name, "20300307T100000", "20300307T110000", *lines))
    assert await settled(w) == 0
    items = {item.values["subject"]: item for item in w.box.items(w.calendar)}
    return [items[name] for name in names]


def override(w: World, name: str, day: str, line: str) -> None:
    """A day of a series that is something else."""
    text = (w.folder / f"{name}.ics").read_bytes().decode()
    own = [
        *("BEGIN:VEVENT", f"UID:{name}", "DTSTAMP:20260101T000000Z"),
        *(f"RECURRENCE-ID;TZID=Europe/Berlin:{day}T100000", f"SUMMARY:{name}"),
        *(f"DTSTART;TZID=Europe/Berlin:{day}T100000", f"DTEND;TZID=Europe/Berlin:{day}T110000"),
        *(line, "END:VEVENT", "END:VCALENDAR"),
    ]
    save(w, name, text.replace("END:VCALENDAR", "\r\n".join(own)))


def call_off(w: World, name: str, *days: str) -> None:
    """Days of a series that are to go, with what was special about them."""
    text = (w.folder / f"{name}.ics").read_bytes().decode()
    head, *events = re.split("(?=BEGIN:VEVENT)", text.replace("END:VCALENDAR\r\n", ""))
    kept = [one for one in events if not any(f"Berlin:{day}T100000" in one for day in days)]
    gone = "".join(f"EXDATE;TZID=Europe/Berlin:{day}T100000\r\n" for day in days)
    kept[0] = kept[0].replace("END:VEVENT", f"{gone}END:VEVENT")
    save(w, name, "".join([head, *kept, "END:VCALENDAR\r\n"]))


def save(w: World, name: str, text: str) -> None:
    w.clock.advance(5)
    (w.folder / f"{name}.ics").write_bytes(text.encode())


def replaced(w: World, name: str, old: str, new: str) -> None:
    text = (w.folder / f"{name}.ics").read_bytes().decode()
    assert old in text
    save(w, name, text.replace(old, new))


def day_of(w: World, item: Any, day: str) -> Any:
    """The instance of a series on a day."""
    begin = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)
    found = w.box.instances(w.calendar, begin, begin + timedelta(days=1))
    [one] = [one for one in found if one.item is item]
    return one


def asked_for_people(w: World) -> list[str]:
    return [one for one in w.requests("GET") if "=id,attendees" in one]


# --- people --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """
    A write that mails nobody, as it is planned.

    `read` is what is asked before it; `gives_way`: it takes away what by then is another's edit.
    """

    change: Callable[[World], object]
    rule: str = ""
    special: bool = False
    deletes: bool = False
    gives_way: bool = False
    read: str = PEOPLE


CASES = {
    "an edit": Case(lambda w: replaced(w, "A", "SUMMARY:A", "SUMMARY:B")),
    "a deletion": Case(lambda w: (w.folder / "A.ics").unlink(), deletes=True, gives_way=True),
    "an edited day": Case(lambda w: override(w, "A", DAY, "LOCATION:B"), RULE, read=INSTANCES),
    "a cancelled day": Case(lambda w: call_off(w, "A", DAY), RULE, deletes=True, read=INSTANCES),
    "an edit of a special day": Case(
        lambda w: replaced(w, "A", "LOCATION:Hall", "LOCATION:B"), RULE, special=True
    ),
    "a cancelled special day": Case(
        lambda w: call_off(w, "A", DAY), RULE, special=True, deletes=True, gives_way=True
    ),
}


async def prepared(w: World, case: Case) -> Callable[[Any], Act]:
    """The event, and what invites to it (to the special day alone, if it is about one)."""
    [item] = await far_off(w, "A", rule=case.rule)
    if case.special:
        override(w, "A", DAY, "LOCATION:Hall")
        assert await settled(w) == 0

    def inviting(people: Any) -> Act:
        met = day_of(w, item, DAY).id if case.special else item.default_id
        return lambda: w.box.patch(met, {"attendees": people})

    return inviting


@pytest.mark.parametrize("rule", ["hold", "never"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_nobody_invited_since_a_write_was_planned_is_mailed_by_it(
    tmp_path: Path, case: Case, rule: Any
) -> None:
    """Not even where the service pays no heed to versions."""
    mail = policy(cancellations=rule) if case.deletes else policy(updates=rule)
    async with world(tmp_path, mail=mail, switches=CARELESS) as w:
        inviting = await prepared(w, case)
        remote = await odd(w)
        remote.say("GET", case.read, None, then=inviting([BOB]))
        case.change(w)
        w.clear()

        held = rule == "hold" and not case.gives_way
        assert await w.code() == (4 if held else 0)

        assert (w.writes(), w.mails(), remote.told) == ([], [], [])
        if case.gives_way:
            assert "mailto:bob@example.org" in w.text("A")
            assert not case.special or "LOCATION:Hall" in w.text("A")
            return
        problem = await listed(w)
        assert (problem.kind, problem.to) == ("held-mail", ("bob@example.org",))
        await w.decide(problem, "approved")
        await settled(w)
        assert [one.to for one in w.mails()] == ([("bob@example.org",)] if held else [])


async def test_a_guest_of_whom_no_view_tells_is_learned_of_all_the_same(tmp_path: Path) -> None:
    """A group's calendar says nothing of what lies behind the view: the event itself is read."""
    async with world(tmp_path, mail=policy(updates="hold"), switches=CARELESS) as w:
        (await w.open_mailbox())._dialect = NoDelta("me")
        [item] = await far_off(w, "A")
        remote, bob = await odd(w), {"attendees": [BOB]}
        remote.say("GET", PEOPLE, None, then=lambda: w.box.patch(item.default_id, bob))
        replaced(w, "A", "SUMMARY:A", "SUMMARY:B")

        assert await w.code() == 4

        assert (w.mails(), (await listed(w)).to) == ([], ("bob@example.org",))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_nobody_is_asked_about_where_the_policy_lets_mails_go(
    tmp_path: Path, case: Case
) -> None:
    """A request would only cost; who was invited in between is mailed as everybody is."""
    mail = policy("hold", "send") if case.deletes else policy("send", "hold")
    async with world(tmp_path, mail=mail, switches=CARELESS) as w:
        inviting = await prepared(w, case)
        if case.read == INSTANCES:
            (await odd(w)).say("GET", case.read, None, then=inviting([BOB]))
        case.change(w)
        w.clear()

        assert await w.code() == 0

        assert asked_for_people(w) == []
        assert len(w.writes()) == 1
        assert len(w.mails()) == (case.read == INSTANCES)


QUIET: dict[str, Callable[[World], object]] = {
    "what mails nobody": lambda w: replaced(w, "A", "SUMMARY:A", "SUMMARY:A\r\nCATEGORIES:Red"),
    "a new event": lambda w: w.write("new.ics", ics("new", "New")),
    "an answer": lambda w: w.edit("Review", b"PARTSTAT=NEEDS-ACTION", b"PARTSTAT=ACCEPTED"),
}


@pytest.mark.parametrize("change", QUIET.values(), ids=QUIET)
async def test_nobody_is_asked_about_where_nobody_can_be_mailed_unasked(
    tmp_path: Path, change: Callable[[World], object]
) -> None:
    """It is no news to the guests of an event, or has no guests yet."""
    async with world(tmp_path, mail=policy("hold", "hold")) as w:
        w.receive("Review", "2026-03-05T10:00:00", "2026-03-05T10:30:00")
        [item] = await far_off(w, "A")
        w.box.patch(item.default_id, {"attendees": [BOB]})
        change(w)
        w.clear()

        assert await w.code() == 0

        assert (asked_for_people(w), len(w.writes())) == ([], 1)


async def test_who_was_planned_to_be_mailed_is_mailed_though_others_went(tmp_path: Path) -> None:
    """An approval counts for fewer people too, however their addresses are spelled by now."""
    async with world(tmp_path, mail=policy(updates="hold"), switches=CARELESS) as w:
        [item] = await far_off(w, "A")
        remote = await odd(w)
        eve = {"emailAddress": {"address": "eve@example.org"}, "type": "required"}
        loud = {"emailAddress": {"address": "Bob@Example.org"}, "type": "required"}
        w.box.patch(item.default_id, {"attendees": [BOB, eve]})
        w.clock.advance(7 * 3600)
        assert await w.code() == 0
        replaced(w, "A", "SUMMARY:A", "SUMMARY:B")
        assert await w.code() == 4
        await w.decide(await listed(w), "approved")
        left = {"attendees": [loud]}
        remote.say("GET", PEOPLE, None, then=lambda: w.box.patch(item.default_id, left))

        assert await w.code() == 0

        assert [one.to for one in w.mails()] == [("Bob@Example.org",)]


@pytest.mark.parametrize(
    "answer",
    [
        refused(404, "ErrorItemNotFound").answer,
        refused(403, "ErrorAccessDenied").answer,
        Answer(200, {}, b'{"id": 5}'),
    ],
)
async def test_a_write_whose_people_cannot_be_read_is_judged_by_its_own_answer(
    tmp_path: Path, answer: Answer
) -> None:
    """A refused look is no reason to leave an edit undone, nor others beside it."""
    async with world(tmp_path, mail=policy(updates="hold")) as w:
        await far_off(w, "A", "B")
        remote = await odd(w)
        remote.say("GET", PEOPLE, answer)
        for name in "AB":
            replaced(w, name, f"SUMMARY:{name}", f"SUMMARY:{name * 2}")

        assert await w.code() == 0

        assert {"AA", "BB"} <= set(w.subjects())
        assert len(remote.asked) == 2


# --- versions ------------------------------------------------------------------------------------


async def two_special_days(w: World) -> Any:
    [item] = await far_off(w, "A", rule=RULE)
    for day in (DAY, SECOND):
        override(w, "A", day, f"LOCATION:{day}")
    assert await settled(w) == 0
    return item


def version(w: World, item: Any, day: str) -> str:
    return f'W/"{day_of(w, item, day).change_key}"'


def named(remote: Odd) -> list[str | None]:
    """The versions that writes named, None where they left it out."""
    return [one.headers.get("If-Match") for one in remote.asked]


@pytest.mark.parametrize("deletes", [True, False])
@pytest.mark.parametrize("rule", ["hold", "send"])
async def test_a_second_write_to_a_series_names_no_version_that_the_first_has_moved(
    tmp_path: Path, rule: Any, deletes: bool
) -> None:
    """It names the one that was read just before it, or none."""
    async with world(tmp_path, mail=policy(rule, rule)) as w:
        item = await two_special_days(w)
        before = [version(w, item, day) for day in (DAY, SECOND)]
        remote = await odd(w)
        if deletes:
            call_off(w, "A", DAY, SECOND)
        else:
            text = (w.folder / "A.ics").read_bytes().decode()
            save(w, "A", text.replace("LOCATION:2030", "LOCATION:X"))

        assert await w.code() == 0

        first, second = named(remote)
        assert first == before[0]
        assert second == (None if rule == "send" else before[1])


@pytest.mark.parametrize("deletes", [True, False])
@pytest.mark.parametrize("rule", ["hold", "send"])
async def test_a_day_that_was_found_just_now_is_met_in_the_version_that_was_found(
    tmp_path: Path, rule: Any, deletes: bool
) -> None:
    """Also the second one; nobody is asked about again, since its people came along."""
    async with world(tmp_path, mail=policy(rule, rule)) as w:
        await far_off(w, "A", rule=RULE)
        remote = await odd(w)
        if deletes:
            call_off(w, "A", DAY, SECOND)
        else:
            for day in (DAY, SECOND):
                override(w, "A", day, "LOCATION:Hall")
        w.clear()

        assert await w.code() == 0

        assert len(remote.asked) == 2
        assert all((one or "").startswith('W/"') for one in named(remote))
        assert asked_for_people(w) == []


@pytest.mark.parametrize("special", [True, False])
async def test_no_version_is_named_where_the_service_told_none(
    tmp_path: Path, special: bool
) -> None:
    """Then the write goes as it is: none that nobody knows of is made up."""
    async with world(tmp_path, mail=policy("hold", "hold")) as w:
        if special:
            item = await two_special_days(w)
        else:
            [item] = await far_off(w, "A", rule=RULE)
        remote = await odd(w)
        for day in (DAY, SECOND):
            told = await remote.real.read(_question(w, day_of(w, item, day), special=special))
            body = re.sub(rb'"@odata\.etag":"(\\.|[^"\\])*"', b'"@odata.etag":null', told.body)
            assert body != told.body
            if not special or day == SECOND:
                remote.say("GET", PEOPLE if special else INSTANCES, Answer(200, {}, body))
        if special:
            remote.told.insert(0, ("GET", PEOPLE, None, None, False))
        call_off(w, "A", DAY, SECOND)

        assert await w.code() == 0

        assert named(remote)[1] is None
        assert len(named(remote)) == 2


def _question(w: World, one: Any, *, special: bool) -> Request:
    path = f"/me/calendars/{w.calendar}/events/"
    if special:
        return Request("GET", f"{path}{one.id}?$select=id,attendees,isOrganizer,isCancelled")
    begin, end = (f"{one.start.instant + timedelta(days=by):%Y-%m-%dT%H:%M:%SZ}" for by in (-1, 1))
    window = f"startDateTime={begin}&endDateTime={end}"
    return Request("GET", f"{path}{one.item.default_id}/instances?{window}")


async def test_what_was_edited_while_its_people_were_asked_for_is_not_deleted(
    tmp_path: Path,
) -> None:
    """The version of the plan counts, not the one that was met on the way."""
    async with world(tmp_path, mail=policy(cancellations="hold")) as w:
        [item] = await far_off(w, "A")
        hall = {"location": {"displayName": "Hall"}}
        (await odd(w)).say("GET", PEOPLE, None, then=lambda: w.box.patch(item.default_id, hall))
        (w.folder / "A.ics").unlink()

        await settled(w)

        assert item in w.box.items(w.calendar)
        assert "LOCATION:Hall" in w.text("A")


# --- days that are not found ---------------------------------------------------------------------


async def test_a_day_that_is_not_found_is_listed_until_its_edit_is_another(tmp_path: Path) -> None:
    """Under the same name as a refusal of that edit: it is the same matter."""
    async with world(tmp_path) as w:
        await far_off(w, "A", "B", rule=RULE)
        remote = await odd(w)
        for name in "AB":
            remote.say("GET", INSTANCES, NOTHING)
            override(w, name, DAY, "LOCATION:Hall")
        w.facts.clear()

        reports = await w.sync()

        assert [one.counts.refused for one in reports] == [2]
        assert len([fact for fact, _ in w.facts if fact == "round.finished"]) == 1
        problems = {one.uid: one for one in await w.store.problems()}
        assert set(problems) == {"A", "B"}
        problem = problems[next(iter(problems))]
        assert (problem.file, problem.line, problem.summary) == (
            f"{problem.uid}.ics",
            0,
            problem.uid,
        )
        assert problem.hint.startswith("Look at that day in Outlook and edit it there")
        assert problem.hint.endswith("or change the file again.")
        w.clear()
        assert await w.code() == 4
        assert [one for one in w.requests() if INSTANCES in one] == []

        for name in "AB":
            remote.say("PATCH", "/events", refused(400))
            replaced(w, name, "LOCATION:Hall", "LOCATION:Hall 2")
        assert await w.code() == 4
        refusals = await w.store.problems()
        assert {one.code for one in refusals} == {"ErrorOdd"}
        assert {one.id for one in refusals} == {one.id for one in problems.values()}


@pytest.mark.parametrize("moved", [0, 1, 2])
async def test_a_day_that_is_looked_for_again_is_not_forgotten_beside_others(
    tmp_path: Path, moved: int
) -> None:
    """One series has moved, so that its edit is planned anew at once; of the other it is listed."""
    async with world(tmp_path) as w:
        items = await far_off(w, "A", "B", "C", rule=RULE)
        remote = await odd(w)
        guest = {"attendees": [BOB]}
        for item in items:
            w.box.patch(item.default_id, guest)
        w.clock.advance(7 * 3600)
        assert await w.code() == 0
        answer = "bob@example.org", "accepted"
        first = f"{quote(items[moved].immutable_id)}/instances"
        remote.say(
            *("GET", first, NOTHING),
            then=lambda: w.box.answered(items[moved].default_id, *answer),
        )
        for item in items[:moved] + items[moved + 1 :]:
            remote.say("GET", f"{quote(item.immutable_id)}/instances", NOTHING)
        for name in "ABC":
            override(w, name, DAY, "LOCATION:Hall")

        assert await w.code() == 4

        assert len(await w.store.problems()) == 2
        places = [one.values["location"]["displayName"] for i in items for one in of_days(i)]
        assert places == ["Hall"]


def of_days(item: Any) -> list[Any]:
    return list(item.overrides.values())


async def test_a_day_that_may_not_be_read_holds_up_no_other_edit(tmp_path: Path) -> None:
    """The log tells why."""
    async with world(tmp_path) as w:
        items = await far_off(w, "A", "B", rule=RULE)
        remote = await odd(w)
        for _ in range(2):
            remote.say("GET", INSTANCES, refused(403, "ErrorAccessDenied").answer)
        for name in "AB":
            override(w, name, DAY, "LOCATION:Hall")
        replaced(w, "x", "SUMMARY:x", "SUMMARY:xx")
        w.facts.clear()

        assert await w.code() == 4

        assert "xx" in [item.values["subject"] for item in w.box.items(w.calendar)]
        assert [of_days(item) for item in items] == [[], []]
        reasons = [fields["reason"] for fact, fields in w.facts if fact == "event.unreadable"]
        said = "the service refused instances: 403 ErrorAccessDenied"
        assert reasons == [said, said]
        assert {one.code for one in await w.store.problems()} == {"occurrence-not-found"}


async def test_a_day_is_found_in_a_zone_that_only_the_service_knows(tmp_path: Path) -> None:
    """Such a series is told in the mailbox's zone: its plain days as well as its special ones."""
    async with world(tmp_path) as w:
        made = w.box.create(w.calendar, event("Series", *AT, recurrence=WEEKLY))
        made.item.original_zones = ("tzone://Microsoft/Custom",) * 2
        await w.code()
        _override(w, "20260312", "SUMMARY:Alone")
        assert await settled(w) == 0
        w.edit("Alone", b"SUMMARY:Alone", b"SUMMARY:Together")

        assert await settled(w) == 0

        assert [one.values["subject"] for one in of_days(made.item)] == ["Together"]


async def test_a_cancelled_day_goes_though_a_guest_has_just_answered(tmp_path: Path) -> None:
    """The answer came between two syncs: it is no edit of the day, and the guest is told."""
    async with world(tmp_path, mail=policy()) as w:
        [item] = await far_off(w, "A", rule=RULE)
        day = day_of(w, item, DAY)
        w.box.patch(day.id, {"attendees": [BOB]})
        w.clock.advance(7 * 3600)
        assert await w.code() == 0
        w.box.answered(day.id, "bob@example.org", "accepted")
        call_off(w, "A", DAY)

        assert await w.code() == 0

        assert [(one.kind, one.to) for one in w.mails()] == [("cancellation", ("bob@example.org",))]
        assert (of_days(item), await w.store.problems()) == ([], [])


@pytest.mark.parametrize("how", ["deleted", "not there yet"])
async def test_a_day_of_a_series_that_is_said_to_be_missing_is_nobodys_matter(
    tmp_path: Path, how: str
) -> None:
    """Such an answer may come too early: it is asked again until it is believed, or another."""
    async with world(tmp_path) as w:
        [item] = await far_off(w, "A", rule=RULE)
        remote = await odd(w)
        override(w, "A", DAY, "LOCATION:Hall")
        if how == "deleted":
            remote.say("GET", INSTANCES, None, then=lambda: w.box.delete(item.default_id))
        else:
            for path in (INSTANCES, f"/events/{quote(item.immutable_id)}\\?"):
                remote.say("GET", path, refused(404, "ErrorItemNotFound").answer)

        assert await w.code() in (0, 5)

        assert await w.store.problems() == []
        assert await settled(w) == 0
        [item] = [one for one in w.box.items(w.calendar) if one.values["subject"] == "A"]
        assert [one.values["location"]["displayName"] for one in of_days(item)] == ["Hall"]


# --- a series whose time changes -----------------------------------------------------------------


@pytest.mark.parametrize("names", ["AB", "BA"])
async def test_a_series_that_cannot_be_read_keeps_its_time_for_now(
    tmp_path: Path, names: str
) -> None:
    """Its exceptions would go with it. Other edits go on, and the exit code tells."""
    async with world(tmp_path, switches=CARELESS) as w:
        items = dict(zip("AB", await far_off(w, "A", "B", rule=RULE), strict=True))
        lost, other = (items[name] for name in names)
        hall = {"location": {"displayName": "Hall"}}
        w.box.patch(day_of(w, lost, DAY).id, hall)
        remote = await odd(w)
        for _ in range(40):
            remote.say("GET", f"/events/{quote(lost.immutable_id)}\\?", ServiceDown("down"))
        for name in "AB":
            replaced(w, name, "20300307T1", "20300307T2")

        assert await w.code() == 5

        assert [item.start.local.hour for item in (lost, other)] == [10, 20]
        remote.told.clear()
        assert await settled(w) == 0
        assert [item.start.local.hour for item in (lost, other)] == [20, 20]
        assert [one.values["location"]["displayName"] for one in of_days(lost)] == ["Hall"]


async def test_series_with_news_change_their_time_with_them(tmp_path: Path) -> None:
    """All in the same sync, and each keeps the day that nobody had told of."""
    async with world(tmp_path, switches=CARELESS) as w:
        items = await far_off(w, "A", "B", rule=RULE)
        for item in items:
            w.box.patch(day_of(w, item, DAY).id, {"location": {"displayName": "Hall"}})
        for name in "AB":
            replaced(w, name, "20300307T1", "20300307T2")

        assert await w.code() == 0

        assert [item.start.local.hour for item in items] == [20, 20]
        days = [one.values["location"]["displayName"] for item in items for one in of_days(item)]
        assert days == ["Hall", "Hall"]
