"""Series, their exceptions and cancelled occurrences, both ways."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import icalendar
import pytest
import recurring_ical_events

from syncd.core.wire.exchange import Answer
from syncd.ports import Answered
from syncd.shell.config_model import MailPolicy
from syncd.simulator.switches import Switches
from tests.rounds.test_outbox import odd
from tests.rounds.world import World, event, ics, world

WEEKLY = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]},
    "range": {"type": "noEnd", "startDate": "2026-03-09"},
}


def weekly(w: World, subject: str = "Team", **rest: Any) -> Any:
    """A weekly series on Mondays at ten, Berlin."""
    body = event(subject, "2026-03-09T10:00:00", "2026-03-09T11:00:00", recurrence=WEEKLY, **rest)
    return w.box.create(w.calendar, body)


def occurrence(w: World, day: str) -> Any:
    """The living instance that starts on a day."""
    found = w.box.instances(
        w.calendar,
        w.service.now().replace(year=2026, month=3, day=1),
        w.service.now().replace(year=2026, month=6, day=1),
    )
    [one] = [i for i in found if i.start.local.date().isoformat() == day]
    return one


def starts(w: World) -> list[str]:
    """The starts, in the series' zone, of the instances until the end of April."""
    found = w.box.instances(
        w.calendar,
        w.service.now().replace(year=2026, month=3, day=1),
        w.service.now().replace(year=2026, month=4, day=30),
    )
    return [f"{one.start.local:%m-%d %H:%M}" for one in found]


SWITCHES = [
    Switches(),
    Switches(deleted_occurrence_emits_master=True),
    Switches(supports_cancelled_occurrences=False, deleted_occurrence_emits_master=True),
    Switches(exceptions_with_original_start=False),
    Switches(series_change_drops_exceptions=False),
    Switches(if_match_honoured=False, repeat_rows=True, empty_first_page=True),
]


@pytest.mark.parametrize("switches", SWITCHES, ids=range(len(SWITCHES)))
async def test_an_edited_occurrence_becomes_an_override(tmp_path: Path, switches: Switches) -> None:
    """A moved occurrence is an override with the original start; the rest follows the series."""
    async with world(tmp_path, switches=switches) as w:
        weekly(w)
        await w.code()
        w.box.patch(
            occurrence(w, "2026-03-16").id,
            {
                "subject": "Special",
                "start": {"dateTime": "2026-03-16T14:00:00", "timeZone": "W. Europe Standard Time"},
                "end": {"dateTime": "2026-03-16T15:00:00", "timeZone": "W. Europe Standard Time"},
            },
        )

        assert await w.code() == 0

        text = w.text("Special")
        assert "RECURRENCE-ID;TZID=Europe/Berlin:20260316T100000" in text
        assert "DTSTART;TZID=Europe/Berlin:20260316T140000" in text
        w.clear()
        assert await w.code() == 0
        assert w.writes() == []


@pytest.mark.parametrize("emits", [True, False])
async def test_a_deleted_occurrence_becomes_an_exdate(tmp_path: Path, emits: bool) -> None:
    """At once where the service names the series, at the true-up where it says nothing."""
    switches = Switches(deleted_occurrence_emits_master=emits)
    async with world(tmp_path, switches=switches) as w:
        weekly(w)
        await w.code()
        w.box.delete(occurrence(w, "2026-03-16").id)
        assert await w.code() == 0
        if not emits:
            w.clock.advance(7 * 3600)
            assert await w.code() == 0

        assert "EXDATE;TZID=Europe/Berlin:20260316T100000" in w.text("Team")


async def test_a_new_series_file_with_override_and_exdate_is_built_in_steps(
    tmp_path: Path,
) -> None:
    """The series, its deletion and its exception all arrive, and nothing is made twice."""
    async with world(tmp_path) as w:
        await w.code()
        text = ics(
            "s1",
            "Series",
            "20260309T100000",
            "20260309T110000",
            "RRULE:FREQ=WEEKLY;COUNT=5",
            "EXDATE;TZID=Europe/Berlin:20260316T100000",
            "END:VEVENT",
            "BEGIN:VEVENT",
            "UID:s1",
            "DTSTAMP:20260101T000000Z",
            "RECURRENCE-ID;TZID=Europe/Berlin:20260323T100000",
            "SUMMARY:Moved",
            "DTSTART;TZID=Europe/Berlin:20260323T120000",
            "DTEND;TZID=Europe/Berlin:20260323T130000",
        )
        path = w.write("s1.ics", text)
        before = path.read_bytes()

        assert await w.code() == 0
        assert await w.code() == 0

        assert starts(w) == ["03-09 10:00", "03-23 12:00", "03-30 10:00", "04-06 10:00"]
        assert len(w.box.items(w.calendar)) == 1
        assert path.read_bytes() == before
        w.clear()
        assert await w.code() == 0
        assert w.writes() == []


async def test_an_exdate_added_to_a_file_deletes_that_occurrence_once(tmp_path: Path) -> None:
    """One DELETE of one occurrence; the rest of the series stays."""
    async with world(tmp_path) as w:
        weekly(w)
        await w.code()
        w.edit("Team", b"RRULE:", b"EXDATE;TZID=Europe/Berlin:20260323T100000\r\nRRULE:")
        w.clear()

        assert await w.code() == 0

        assert len([one for one in w.writes() if one.startswith("DELETE")]) == 1
        assert "03-23 10:00" not in starts(w)
        [item] = w.box.items(w.calendar)
        assert item.cancelled == {date(2026, 3, 23)}


@pytest.mark.parametrize("drops", [True, False])
async def test_a_moved_series_keeps_its_override_and_exdate(tmp_path: Path, drops: bool) -> None:
    """The series goes from ten to eleven in the file: its exceptions are put again if dropped."""
    async with world(tmp_path, switches=Switches(series_change_drops_exceptions=drops)) as w:
        weekly(w)
        w.box.delete(occurrence(w, "2026-03-16").id)
        w.box.patch(occurrence(w, "2026-03-23").id, {"subject": "Special"})
        await w.code()
        path = w.path("Special")
        w.clock.advance(5)
        text = path.read_bytes().replace(b"20260309T110000", b"20260309T120000")
        path.write_bytes(
            text.replace(
                b"DTSTART;TZID=Europe/Berlin:20260309T100000",
                b"DTSTART;TZID=Europe/Berlin:20260309T110000",
            )
        )

        assert await w.code() == 0
        assert await w.code() == 0

        assert starts(w)[:4] == ["03-09 11:00", "03-23 11:00", "03-30 11:00", "04-06 11:00"]
        assert occurrence(w, "2026-03-23").subject == "Special"
        assert "RECURRENCE-ID;TZID=Europe/Berlin:20260323T110000" in w.text("Special")
        w.clear()
        assert await w.code() == 0
        assert w.writes() == []


async def test_a_changed_subject_of_the_series_follows_into_its_overrides(tmp_path: Path) -> None:
    """Inherited fields are rewritten in the file and never sent."""
    async with world(tmp_path) as w:
        made = weekly(w)
        w.box.patch(
            occurrence(w, "2026-03-23").id,
            {"location": {"displayName": "Elsewhere"}},
        )
        await w.code()
        w.box.patch(made.id, {"subject": "Renamed"})
        w.clear()

        assert await w.code() == 0

        assert w.subjects() == ["Renamed", "Renamed"]
        assert w.writes() == []


async def test_a_series_deleted_on_the_service_takes_its_file_along(tmp_path: Path) -> None:
    """One file goes; the other events stay."""
    for lists in (True, False):
        switches = Switches(removed_lists_occurrences=lists)
        async with world(tmp_path / str(lists), switches=switches) as w:
            made = weekly(w)
            w.box.create(w.calendar, event("Stay", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
            await w.code()
            w.box.delete(made.id)

            assert await w.code() == 0

            assert w.subjects() == ["Stay"]


async def test_a_rule_that_outlook_lacks_is_held_and_the_rest_goes_on(tmp_path: Path) -> None:
    """The recurrence group waits with its code; the subject of the same edit goes."""
    async with world(tmp_path) as w:
        weekly(w)
        await w.code()
        w.edit("Team", b"RRULE:FREQ=WEEKLY;BYDAY=MO", b"RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15")
        w.edit("Team", b"SUMMARY:Team", b"SUMMARY:Crew")

        assert await w.code() == 4

        [problem] = await w.store.problems()
        assert (problem.kind, problem.code) == ("hold", "RR03")
        [item] = w.box.items(w.calendar)
        assert item.values["subject"] == "Crew"
        assert "BYMONTHDAY=1,15" in w.text("Crew")
        w.edit("Crew", b"RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15", b"RRULE:FREQ=WEEKLY;BYDAY=MO")
        assert await w.code() == 0
        assert await w.store.problems() == []


async def test_a_single_event_becomes_a_series(tmp_path: Path) -> None:
    """An RRULE added to a file is one PATCH on the same event."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("One", "2026-03-09T10:00:00", "2026-03-09T11:00:00"))
        await w.code()
        w.edit("One", b"SUMMARY:One", b"RRULE:FREQ=DAILY;COUNT=3\r\nSUMMARY:One")

        assert await w.code() == 0
        assert await w.code() == 0

        assert starts(w) == ["03-09 10:00", "03-10 10:00", "03-11 10:00"]


@pytest.mark.parametrize("rule", ["hold", "send"])
async def test_an_occurrence_with_a_guest_of_its_own_is_cancelled_as_the_policy_says(
    tmp_path: Path, rule: Any
) -> None:
    """The series has nobody; who comes to this day alone is the one who would be mailed."""
    mail = MailPolicy("send", "send", rule, "send")
    async with world(tmp_path, mail=mail) as w:
        weekly(w)
        carol = [{"emailAddress": {"address": "carol@example.org"}, "type": "required"}]
        w.box.patch(occurrence(w, "2026-03-16").id, {"attendees": carol})
        await w.code()
        [path] = w.folder.glob("*.ics")
        text = path.read_bytes().decode()
        begin = text.index("BEGIN:VEVENT", text.index("BEGIN:VEVENT") + 1)
        end = text.index("END:VEVENT", begin) + len("END:VEVENT\r\n")
        text = text[:begin] + text[end:]
        gone = "EXDATE;TZID=Europe/Berlin:20260316T100000\r\nSUMMARY:"
        path.write_bytes(text.replace("SUMMARY:", gone, 1).encode())
        w.clear()

        assert await w.code() == (4 if rule == "hold" else 0)

        assert len(w.requests("DELETE")) == (0 if rule == "hold" else 1)
        if rule == "hold":
            [problem] = await w.store.problems()
            assert (problem.kind, problem.to) == ("held-mail", ("carol@example.org",))
            await w.decide(problem, "approved")
            assert await w.code() == 0
            assert len(w.requests("DELETE")) == 1
        assert [mail.to for mail in w.mails()] == [("carol@example.org",)]


async def test_a_moved_series_keeps_an_exception_that_no_view_has_told_of(tmp_path: Path) -> None:
    """
    It lies behind the view, and the service pays no heed to versions: the series is read once more
    before its time goes, since the service drops its exceptions then.
    """
    async with world(tmp_path, switches=Switches(if_match_honoured=False)) as w:
        await w.code()
        lines = "RRULE:FREQ=DAILY;COUNT=700"
        w.write("a.ics", ics("a", "Daily", "20260310T100000", "20260310T110000", lines))
        assert await w.code() == 0
        [item] = w.box.items(w.calendar)
        [far] = w.box.instances(
            w.calendar, datetime(2027, 12, 2, tzinfo=UTC), datetime(2027, 12, 2, 20, tzinfo=UTC)
        )
        w.box.patch(far.id, {"location": {"displayName": "Hall"}})
        w.edit("Daily", b"20260310T1", b"20260310T2")

        for _ in range(3):
            assert await w.code() == 0

        assert item.start.local.hour == 20
        [override] = item.overrides.values()
        assert override.values["location"]["displayName"] == "Hall"


@pytest.mark.parametrize("drops", [True, False])
@pytest.mark.parametrize(
    ("line", "changes"),
    [
        (b"SUMMARY:Special", {"subject": "Renamed"}),
        (b"LOCATION:Elsewhere", {"location": {"displayName": "Hall"}}),
    ],
)
async def test_an_occurrence_inherits_again_what_outlook_has_just_changed(
    tmp_path: Path, drops: bool, line: bytes, changes: dict[str, Any]
) -> None:
    """The file takes back what was special of a day while the series itself gets another value."""
    async with world(tmp_path, switches=Switches(series_change_drops_exceptions=drops)) as w:
        made = weekly(w)
        special = {"subject": "Special", "location": {"displayName": "Elsewhere"}}
        w.box.patch(occurrence(w, "2026-03-23").id, special)
        await w.code()
        [file] = w.folder.glob("*.ics")
        data = file.read_bytes()
        before, _, own = data.rpartition(b"BEGIN:VEVENT")
        name = line.partition(b":")[0]
        usual = next((one for one in before.split(b"\r\n") if one.startswith(name)), b"")
        own = own.replace(line + b"\r\n", usual + b"\r\n" if usual else b"")
        w.box.patch(made.id, changes)
        file.write_bytes(before + b"BEGIN:VEVENT" + own)

        for _ in range(3):
            assert await w.code() == 0

        assert shown_on_service(w) == shown_in_folder(w)


def shown_on_service(w: World) -> list[tuple[str, str, str]]:
    first, last = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    return sorted(
        (one.start.instant.isoformat(), one.subject, one.values["location"]["displayName"])
        for one in w.box.instances(w.calendar, first, last)
    )


def shown_in_folder(w: World) -> list[tuple[str, str, str]]:
    [file] = w.folder.glob("*.ics")
    calendar = icalendar.Calendar.from_ical(file.read_bytes())
    found = recurring_ical_events.of(calendar).between(date(2026, 3, 1), date(2026, 6, 1))
    return sorted(
        (
            one["DTSTART"].dt.astimezone(UTC).isoformat(),
            str(one["SUMMARY"]),
            str(one.get("LOCATION", "")),
        )
        for one in found
    )


async def test_a_rule_that_is_taken_back_leaves_no_day_behind(tmp_path: Path) -> None:
    """A meeting became a series with a day of its own, and a person did not want that mail."""
    policy = MailPolicy("send", "hold", "hold", "send")
    async with world(tmp_path, mail=policy) as w:
        guest = {"emailAddress": {"address": "bob@example.org"}, "type": "required"}
        body = event("Plan", "2026-03-05T10:00:00", "2026-03-05T11:00:00")
        w.box.create(w.calendar, body | {"attendees": [guest]})
        assert await w.code() == 0
        before = w.path("Plan").read_bytes()
        rule = b"RRULE:FREQ=WEEKLY;COUNT=3\r\nEXDATE;TZID=Europe/Berlin:20260312T100000\r\n"
        w.path("Plan").write_bytes(before.replace(b"SUMMARY:Plan", rule + b"SUMMARY:Plan"))
        assert await w.code() == 4

        for problem in await w.store.problems():
            if problem.kind == "held-mail":
                await w.decide(problem, "discarded")
        await w.code()
        assert await w.code() == 0

        _, _, event_lines = w.path("Plan").read_bytes().partition(b"BEGIN:VEVENT")
        assert b"RRULE" not in event_lines
        assert b"EXDATE" not in event_lines
        assert await w.store.problems() == []


@pytest.mark.parametrize("noticed", [True, False])
async def test_a_day_that_is_held_is_left_as_its_author_wrote_it(
    tmp_path: Path, noticed: bool
) -> None:
    """Outlook has no THISANDPRIOR: the day waits, and what changes there does not go into it."""
    async with world(tmp_path) as w:
        made = weekly(w)
        w.box.patch(occurrence(w, "2026-03-23").id, {"subject": "Another"})
        await w.code()
        [file] = w.folder.glob("*.ics")
        held = file.read_bytes().replace(b"RECURRENCE-ID;", b"RECURRENCE-ID;RANGE=THISANDPRIOR;")
        file.write_bytes(held.replace(b"SUMMARY:Another", b"SUMMARY:Another\r\nLOCATION:Special"))
        if noticed:
            assert await w.code() == 4
        w.box.patch(made.id, {"location": {"displayName": "Hall"}})

        assert await w.code() == 4

        [file] = w.folder.glob("*.ics")
        assert file.read_bytes().count(b"LOCATION:Special") == 1
        assert file.read_bytes().count(b"LOCATION:Hall") == 1


async def test_a_line_that_meant_nothing_takes_no_new_day_away(tmp_path: Path) -> None:
    """An EXDATE behind the end of the rule, which Outlook then puts off."""
    async with world(tmp_path) as w:
        await w.code()
        lines = "RRULE:FREQ=DAILY;COUNT=3\nEXDATE;TZID=Europe/Berlin:20260314T100000"
        w.write("a.ics", ics("a", "Daily", "20260310T100000", "20260310T110000", lines))
        assert await w.code() == 0
        [item] = w.box.items(w.calendar)
        longer = {
            "pattern": {"type": "daily", "interval": 1},
            "range": {"type": "numbered", "startDate": "2026-03-10", "numberOfOccurrences": 7},
        }
        w.box.patch(item.default_id, {"recurrence": longer})

        for _ in range(2):
            assert await w.code() == 0

        assert shown_in_folder(w) == shown_on_service(w)
        assert len(shown_on_service(w)) == 7


async def test_an_occurrence_edited_while_its_series_ends_is_in_the_history(tmp_path: Path) -> None:
    """A file makes it a single event: what Outlook changed of a day is told and can be had again."""
    async with world(tmp_path) as w:
        weekly(w)
        await w.code()
        path = w.path("Team")
        lines = path.read_bytes().split(b"\r\n")
        w.box.patch(occurrence(w, "2026-03-16").id, {"location": {"displayName": "Room 7"}})
        w.clock.advance(5)
        path.write_bytes(b"\r\n".join(one for one in lines if not one.startswith(b"RRULE")))

        assert await w.code() == 0

        [item] = w.box.items(w.calendar)
        assert item.recurrence is None
        kept = [one.before + one.after for one in await w.store.history(None, 100)]
        assert any(b"LOCATION:Room 7" in one and b"RRULE" in one for one in kept)
        assert {one.code for one in await w.store.problems()} == {"both-changed"}


DAY = "2026-03-12"
TALK = (
    b"BEGIN:VEVENT\r\nUID:%b\r\nRECURRENCE-ID;TZID=Europe/Berlin:20260312T100000\r\n"
    b"DTSTART;TZID=Europe/Berlin:20260312T100000\r\nDTEND;TZID=Europe/Berlin:20260312T110000\r\n"
    b"SUMMARY:Talk\r\nEND:VEVENT\r\nEND:VCALENDAR"
)
THURSDAYS = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["thursday"]},
    "range": {"type": "numbered", "startDate": "2026-03-05", "numberOfOccurrences": 4},
}
FIVE = THURSDAYS | {
    "range": {"type": "numbered", "startDate": "2026-03-05", "numberOfOccurrences": 5}
}


@pytest.mark.parametrize("by", ["edit", "rule", "delete", "nobody"])
async def test_what_becomes_of_a_day_right_after_its_answer_is_news(
    tmp_path: Path, by: str
) -> None:
    """Before the series is read again somebody else has changed that day."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        body = event("Plan", "2026-03-05T10:00:00", "2026-03-05T11:00:00", recurrence=THURSDAYS)
        made = w.box.create(w.calendar, body)
        await w.code()
        acts: dict[str, Any] = {
            "edit": lambda: w.box.patch(occurrence(w, DAY).id, {"subject": "Theirs"}),
            "rule": lambda: w.box.patch(made.id, {"recurrence": FIVE}),
            "delete": lambda: w.box.delete(occurrence(w, DAY).id),
            "nobody": lambda: None,
        }
        data = w.path("Plan").read_bytes()
        uid = data.partition(b"UID:")[2].replace(b"\r\n ", b"").partition(b"\r\n")[0]
        w.clock.advance(5)
        w.path("Plan").write_bytes(data.replace(b"END:VCALENDAR", TALK % uid))
        remote.say("PATCH", "/events", None, passed=True, then=acts[by])

        await w.code()
        assert await w.code() == 0

        text = w.path("Plan").read_bytes().replace(b"\r\n ", b"")
        shown = {"edit": b"SUMMARY:Theirs", "nobody": b"SUMMARY:Talk", "delete": b"EXDATE"}
        assert (b"SUMMARY:Talk" in text) == (by == "nobody")
        assert shown.get(by, b"SUMMARY:Plan") in text


async def test_an_answer_that_cannot_be_read_leaves_what_was_read_again(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        remote = await odd(w)
        body = event("Plan", "2026-03-05T10:00:00", "2026-03-05T11:00:00", recurrence=THURSDAYS)
        w.box.create(w.calendar, body)
        await w.code()
        data = w.path("Plan").read_bytes()
        uid = data.partition(b"UID:")[2].replace(b"\r\n ", b"").partition(b"\r\n")[0]
        w.clock.advance(5)
        w.path("Plan").write_bytes(data.replace(b"END:VCALENDAR", TALK % uid))
        remote.say("PATCH", "/events", Answered(Answer(200, {}, b"[]")), passed=True)

        assert await w.code() == 0

        assert b"SUMMARY:Talk" in w.path("Plan").read_bytes()
        assert occurrence(w, DAY).values["subject"] == "Talk"


async def test_the_time_of_a_series_waits_while_a_person_is_asked_about_a_day(
    tmp_path: Path,
) -> None:
    """With its exceptions the service would drop the version that is asked about."""
    async with world(tmp_path, conflict="ask") as w:
        body = event("Plan", "2026-03-05T10:00:00", "2026-03-05T11:00:00", recurrence=THURSDAYS)
        w.box.create(w.calendar, body)
        await w.code()
        w.box.patch(occurrence(w, DAY).id, {"subject": "Theirs"})
        data = w.path("Plan").read_bytes()
        uid = data.partition(b"UID:")[2].replace(b"\r\n ", b"").partition(b"\r\n")[0]
        w.clock.advance(5)
        talk = (TALK % uid).replace(b"T100000", b"T103000").replace(b"T110000", b"T113000")
        moved = data.replace(b"T100000", b"T103000").replace(b"T110000", b"T113000")
        w.path("Plan").write_bytes(moved.replace(b"END:VCALENDAR", talk))
        w.clear()

        assert await w.code() == 4

        assert w.writes() == []
        assert occurrence(w, DAY).values["subject"] == "Theirs"
        [problem] = [one for one in await w.store.problems() if one.kind == "conflict"]
        await w.decide(problem, "remote")
        assert await w.code() == 0
        assert starts(w)[0] == "03-05 10:30"
        assert occurrence(w, DAY).values["subject"] == "Theirs"
