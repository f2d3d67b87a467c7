"""What Graph has no field for, second forms of a text, and series that are cut in two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from syncd.core.wire.graph import ICAL_STASH_PROPERTY
from syncd.core.wire.ics_stash import unpacked
from syncd.shell.config_model import MailPolicy
from syncd.simulator.switches import Switches
from tests.rounds.world import NOW, World, event, ics, world

SEND = MailPolicy("send", "send", "send", "send")
ODD = (
    "COLOR:turquoise",
    "URL:https://example.org/a,b;c",
    "X-FOO;B=2;A=1:a\\,b;c",
    "COMMENT;LANGUAGE=de:Zwei\\nZeilen",
    "X-MOZ-GENERATION:4",
    "BEGIN:VALARM",
    "ACTION:EMAIL",
    "TRIGGER:-P1D",
    "SUMMARY:Soon",
    "DESCRIPTION:Soon",
    "ATTENDEE:mailto:me@example.org",
    "END:VALARM",
)


def stash_of(here: World) -> Any:
    """What the service keeps for the (only) event, taken apart."""
    [item] = here.box.items(here.calendar)
    for identity, value in item.extended.values():
        if identity.casefold() == ICAL_STASH_PROPERTY.casefold():
            return unpacked(value)
    return None


def machine(root: Path, name: str) -> Path:
    path = root / name
    path.mkdir()
    return path


async def on_another_machine(here: World, root: Path) -> World:
    """The same mailbox followed from a second folder and an empty state."""
    await here.lose_state()
    here.root = machine(root, "second")
    await here.sync(fresh=True)
    return here


async def test_case_80_unknown_lines_survive_everything(tmp_path: Path) -> None:
    """Byte for byte through any number of edits on the service, and back on another machine."""
    async with world(machine(tmp_path, "first")) as here:
        await here.sync()
        here.write("odd.ics", ics("odd-1", "Odd", "20260310T100000", "20260310T110000", *ODD))
        await here.sync()
        kept = stash_of(here)
        assert kept is not None
        assert [line for line in kept.m if line.startswith("X-MOZ")] == []

        for number in range(3):
            [item] = here.box.items(here.calendar)
            here.box.patch(item.default_id, {"subject": f"Odd {number}", "importance": "high"})
            await here.sync()
        text = here.text("Odd 2")
        assert all(f"{line}\r\n" in text for line in ODD)

        here.clear()
        second = await on_another_machine(here, tmp_path)
        restored = second.text("Odd 2")
        assert all(f"{line}\r\n" in restored for line in ODD if "MOZ" not in line)
        assert await second.code() == 0
        assert second.writes() == []


async def test_a_stash_alone_goes_only_where_nobody_is_mailed(tmp_path: Path) -> None:
    """At a meeting it waits for another change, and goes along with it."""
    async with world(tmp_path, mail=SEND) as here:
        await here.sync()
        here.write("own.ics", ics("own", "Own"))
        guest = ("ORGANIZER:mailto:me@example.org", "ATTENDEE:mailto:bob@example.org")
        here.write("meet.ics", ics("meet", "Meet", "20260311T100000", "20260311T110000", *guest))
        await here.sync()
        here.clear()
        mails = len(here.service.ledger)

        here.edit("Own", b"END:VEVENT", b"COLOR:red\r\nEND:VEVENT")
        here.edit("Meet", b"END:VEVENT", b"COLOR:red\r\nEND:VEVENT")
        assert await here.code() == 0
        assert [list(body) for body in here.bodies("PATCH")] == [["singleValueExtendedProperties"]]
        assert len(here.service.ledger) == mails
        assert await here.code() == 0
        assert len(here.bodies("PATCH")) == 1

        here.clear()
        here.edit("Meet", b"SUMMARY:Meet", b"SUMMARY:Met")
        assert await here.code() == 0
        [body] = here.bodies("PATCH")
        assert sorted(body) == ["singleValueExtendedProperties", "subject"]
        assert len(here.service.ledger) == mails + 1


async def test_a_stash_that_was_tampered_with_changes_nothing(tmp_path: Path) -> None:
    """Neither a broken checksum nor lines that mean something to Graph reach a file."""
    from syncd.core.wire.ics_stash import Stash, _packed

    hostile = _packed(
        Stash(
            m=(
                *("SUMMARY:Owned", "DTSTART:20300101T000000Z", "RRULE:FREQ=DAILY", "COLOR:red"),
                *("ATTENDEE:mailto:x@example.org", "BEGIN:VEVENT", "UID:x", "END:VEVENT"),
                *("X-A:1\r\nSUMMARY:Two", "END:VEVENT", "BEGIN:VALARM", "ACTION:DISPLAY"),
            ),
            p={"SUMMARY": ";X=1:Owned\r\nX:"},
        )
    )
    async with world(tmp_path) as here:
        for value in (
            hostile,
            hostile.replace("COLOR", "KOLOR"),
            "{",
            '{"v":2,"c":"","m":["X:1"]}',
        ):
            extended = [{"id": ICAL_STASH_PROPERTY, "value": value}]
            fresh = event("Plain", "2026-03-10T10:00:00", "2026-03-10T11:00:00")
            made = here.box.create(
                here.calendar, {**fresh, "singleValueExtendedProperties": extended}
            )
            assert await here.code() == 0
            text = here.text("Plain")
            assert text.count("BEGIN:VEVENT") == text.count("SUMMARY") == 1
            assert "FREQ=DAILY" not in text
            assert "ATTENDEE" not in text
            here.box.delete(made.id, actor="person")
            await here.sync()


async def test_zone_names_and_floating_times_come_back(tmp_path: Path) -> None:
    """Vienna stays Vienna, Troll stays Troll and a floating time floats, on a new machine too."""
    async with world(machine(tmp_path, "first")) as here:
        await here.sync()
        for name, line in (
            ("vienna", "DTSTART;TZID=Europe/Vienna:20260310T100000"),
            ("troll", "DTSTART;TZID=Antarctica/Troll:20260310T100000"),
            ("floating", "DTSTART:20260310T100000"),
        ):
            text = ics(name, name)
            start = "DTSTART;TZID=Europe/Berlin:20260310T100000"
            end = "DTEND;TZID=Europe/Berlin:20260310T110000"
            here.write(f"{name}.ics", text.replace(start, line).replace(end, "DURATION:PT1H"))
        assert await here.code() == 0
        here.clear()

        second = await on_another_machine(here, tmp_path)
        assert "DTSTART;TZID=Europe/Vienna:20260310T100000\r\n" in second.text("vienna")
        assert "TZID:Europe/Vienna\r\n" in second.text("vienna")
        assert "DTSTART;TZID=Antarctica/Troll:20260310T100000\r\n" in second.text("troll")
        assert "DTSTART:20260310T100000\r\n" in second.text("floating")
        assert await second.code() == 0
        assert second.writes() == []


# --- a point on the globe, and what a meeting allows ---


async def test_case_21_a_point_goes_both_ways_and_zeros_are_no_edit(tmp_path: Path) -> None:
    """GEO is the place's coordinates; another spelling of the same number is nothing."""
    async with world(tmp_path) as here:
        await here.sync()
        here.write("a.ics", ics("a", "A", "20260310T100000", "20260310T110000", "LOCATION:Louvre"))
        await here.sync()
        here.clear()
        here.edit("A", b"LOCATION:Louvre", b"LOCATION:Louvre\r\nGEO:48.20;16.370")
        assert await here.code() == 0
        [body] = here.bodies("PATCH")
        assert body == {
            "location": {
                "displayName": "Louvre",
                "coordinates": {"latitude": 48.2, "longitude": 16.37},
            }
        }
        here.clear()
        here.edit("A", b"GEO:48.20;16.370", b"GEO:48.2;16.37")
        assert await here.code() == 0
        assert here.writes() == []

        [item] = here.box.items(here.calendar)
        place = {"displayName": "Louvre", "coordinates": {"latitude": -0.5, "longitude": 7.1234567}}
        here.box.patch(item.default_id, {"location": place})
        assert await here.code() == 0
        assert "GEO:-0.5;7.123457\r\n" in here.text("A")

        here.clear()
        here.edit("A", b"LOCATION:Louvre", b"LOCATION:Orsay")
        assert await here.code() == 0
        assert here.bodies("PATCH") == [{"location": {"displayName": "Orsay"}}]
        assert await here.code() == 0
        assert "GEO" not in here.text("A")


async def test_no_counter_proposals_and_answers_are_edits_of_outlooks_own_lines(
    tmp_path: Path,
) -> None:
    """Their absence is none: clients drop lines that they do not know."""
    async with world(tmp_path) as here:
        await here.sync()
        lines = ("X-MICROSOFT-DISALLOW-COUNTER:TRUE", "X-MICROSOFT-CDO-ISRESPONSEREQUESTED:FALSE")
        here.write("a.ics", ics("a", "A", "20260310T100000", "20260310T110000", *lines))
        await here.sync()
        [item] = here.box.items(here.calendar)
        assert not item.values["allowNewTimeProposals"]
        assert not item.values["responseRequested"]
        here.clear()
        for line in lines:
            here.edit("A", f"{line}\r\n".encode(), b"")
        assert await here.code() == 0
        assert here.writes() == []
        here.edit("A", b"END:VEVENT", b"X-MICROSOFT-DISALLOW-COUNTER:FALSE\r\nEND:VEVENT")
        assert await here.code() == 0
        assert here.bodies("PATCH") == [{"allowNewTimeProposals": True}]


async def test_an_online_meeting_is_made_only_on_request(tmp_path: Path) -> None:
    """The request is one line; the join link comes back, and nothing is ever asked again."""
    async with world(tmp_path) as here:
        await here.sync()
        here.write("a.ics", ics("a", "A"))
        await here.sync()
        [item] = here.box.items(here.calendar)
        assert not item.values["isOnlineMeeting"]
        here.clear()
        here.edit("A", b"END:VEVENT", b"X-SYNCD-ONLINE-MEETING:TRUE\r\nEND:VEVENT")
        assert await here.code() == 0
        asked = {"isOnlineMeeting": True, "onlineMeetingProvider": "teamsForBusiness"}
        assert here.bodies("PATCH") == [asked]
        assert "CONFERENCE;" in here.text("A")
        here.clear()
        here.edit("A", b"X-SYNCD-ONLINE-MEETING:TRUE", b"X-SYNCD-ONLINE-MEETING:FALSE")
        assert await here.code() == 0
        assert here.writes() == []


ONLINE = "X-SYNCD-ONLINE-MEETING:TRUE"


async def test_the_link_of_a_meeting_that_is_made_online_comes_into_its_file(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here:
        await here.sync()
        here.write("a.ics", ics("a", "A", "20260310T100000", "20260310T110000", ONLINE))
        assert await here.code() == 0

        assert "CONFERENCE;" in here.text("A")
        assert [one.partition(" ")[0] for one in here.writes()] == ["POST"]


# --- second forms ---

RICH = "<html><body><p>Hi <b>Bob</b></p></body></html>"


async def test_cases_11_and_12_html_beside_the_text(tmp_path: Path) -> None:
    """A dropped form is no edit; a line below keeps the formatting above it."""
    for form, name in (
        ("altrep", "DESCRIPTION;ALTREP="),
        ("x-alt-desc", "X-ALT-DESC;FMTTYPE=text/html:"),
        ("styled", "STYLED-DESCRIPTION;VALUE=TEXT;FMTTYPE=text/html:"),
    ):
        async with world(machine(tmp_path, form), html=form) as here:
            body = {"contentType": "html", "content": RICH}
            fresh = event("A", "2026-03-10T10:00:00", "2026-03-10T11:00:00", body=body)
            made = here.box.create(here.calendar, fresh)
            assert await here.code() == 0
            assert name in here.text("A")
            plain = [
                "DESCRIPTION:Hi Bob" if line.startswith("DESCRIPTION") else line
                for line in here.text("A").split("\r\n")
                if not line.startswith(("X-ALT-DESC", "STYLED"))
            ]
            here.clear()
            here.clock.advance(5)
            here.path("A").write_bytes("\r\n".join(plain).encode())
            assert await here.code() == 0
            assert here.writes() == []
            assert name not in here.text("A")

            here.edit("A", b"DESCRIPTION:Hi Bob", b"DESCRIPTION:Hi Bob\\nMore")
            assert await here.code() == 0
            [patch] = here.bodies("PATCH")
            assert list(patch) == ["body"]
            assert "<b>Bob</b>" in patch["body"]["content"]

            here.box.patch(made.id, {"subject": "B"})
            assert await here.code() == 0
            assert name in here.text("B")
            here.clear()
            assert await here.code() == 0
            assert here.writes() == []


async def test_case_18_the_text_wins_over_a_stale_form(tmp_path: Path) -> None:
    """An editor leaves the HTML as it was: neither it nor the text comes back later."""
    async with world(tmp_path, html="x-alt-desc") as here:
        body = {"contentType": "html", "content": RICH}
        here.box.create(
            here.calendar, event("A", "2026-03-10T10:00:00", "2026-03-10T11:00:00", body=body)
        )
        await here.sync()
        here.clear()
        here.edit("A", b"DESCRIPTION:Hi Bob", b"DESCRIPTION:Hi Ann")
        saved = here.path("A").read_bytes()
        assert await here.code() == 0
        [patch] = here.bodies("PATCH")
        assert "Hi" in patch["body"]["content"]
        assert "Ann" in patch["body"]["content"]
        here.clear()
        for _ in range(2):
            assert await here.code() == 0
        assert here.writes() == []
        assert here.path("A").read_bytes() == saved


async def test_html_that_alone_was_edited_is_the_edit(tmp_path: Path) -> None:
    """It is sent as it is, and the text beside it follows."""
    async with world(tmp_path, html="x-alt-desc") as here:
        body = {"contentType": "html", "content": RICH}
        here.box.create(
            here.calendar, event("A", "2026-03-10T10:00:00", "2026-03-10T11:00:00", body=body)
        )
        await here.sync()
        here.clear()
        path = here.path("A")
        here.clock.advance(5)
        whole = path.read_bytes().replace(b"\r\n ", b"")
        path.write_bytes(whole.replace(b"<b>Bob</b>", b"<i>Eve</i>"))
        assert await here.code() == 0
        [patch] = here.bodies("PATCH")
        assert "<i>Eve</i>" in patch["body"]["content"]
        for _ in range(2):
            assert await here.code() == 0
        assert len(here.bodies("PATCH")) == 1
        assert "DESCRIPTION:Hi Eve\r\n" in here.text("A")


async def test_places_as_components(tmp_path: Path) -> None:
    """Address and point of each place, minted; taken away they are no edit."""
    place = {
        "displayName": "Louvre",
        "address": {"street": "Rue de Rivoli; 1", "city": "Paris", "countryOrRegion": "France"},
        "coordinates": {"latitude": 48.86, "longitude": 2.3376},
    }
    async with world(tmp_path, locations="vlocation") as here:
        fresh = event("A", "2026-03-10T10:00:00", "2026-03-10T11:00:00", location=place)
        here.box.create(here.calendar, fresh)
        assert await here.code() == 0
        text = here.text("A")
        assert "BEGIN:VLOCATION\r\n" in text
        assert "GEO:48.86;2.3376\r\n" in text
        assert "Rue de Rivoli\\\\\\; 1" in text
        here.clear()
        start, end = text.index("BEGIN:VLOCATION"), text.index("END:VLOCATION")
        here.clock.advance(5)
        here.path("A").write_bytes((text[:start] + text[end + 15 :]).encode())
        assert await here.code() == 0
        assert here.writes() == []


# --- a series cut in two ---


SERIES = (
    "RRULE:FREQ=WEEKLY",
    "END:VEVENT",
    "BEGIN:VEVENT",
    "UID:s",
    "DTSTAMP:20260101T000000Z",
    "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260324T100000",
    "SUMMARY:Later",
    "DTSTART;TZID=Europe/Berlin:20260324T140000",
    "DTEND;TZID=Europe/Berlin:20260324T150000",
)


def told(here: World) -> list[tuple[str, str, str]]:
    """What the service holds: subject, start, end of the rule."""
    return sorted(
        (
            item.values["subject"],
            item.start.local.isoformat(),
            "" if item.recurrence is None else str(item.recurrence.range.end or ""),
        )
        for item in here.box.items(here.calendar)
    )


async def test_case_67_this_and_future_becomes_two_series(tmp_path: Path) -> None:
    """The old one gets its end, a new one begins; both are followed like any other."""
    async with world(tmp_path) as here:
        await here.sync()
        here.write("s.ics", ics("s", "Weekly", "20260310T100000", "20260310T110000", *SERIES[:1]))
        await here.sync()
        here.clear()
        here.clock.advance(5)
        here.write("s.ics", ics("s", "Weekly", "20260310T100000", "20260310T110000", *SERIES))
        assert await here.code() == 0
        assert told(here) == [
            ("Later", "2026-03-24T14:00:00", ""),
            ("Weekly", "2026-03-10T10:00:00", "2026-03-17"),
        ]
        assert here.subjects() == ["Later", "Weekly"] or here.subjects() == ["Weekly", "Later"]
        here.clear()
        for _ in range(2):
            assert await here.code() == 0
        assert here.writes() == []


async def test_a_new_file_with_this_and_future_is_two_series_at_once(tmp_path: Path) -> None:
    """Also where the service never knew the uncut one."""
    async with world(tmp_path) as here:
        await here.sync()
        here.write("s.ics", ics("s", "Weekly", "20260310T100000", "20260310T110000", *SERIES))
        assert await here.code() == 0
        assert [one[0] for one in told(here)] == ["Later", "Weekly"]


async def test_a_series_with_guests_is_not_cut(tmp_path: Path) -> None:
    """They would be mailed twice: it is held, and nothing is sent."""
    guest = ("ORGANIZER:mailto:me@example.org", "ATTENDEE:mailto:bob@example.org")
    async with world(tmp_path, mail=SEND) as here:
        await here.sync()
        start, end = "20260310T100000", "20260310T110000"
        here.write("s.ics", ics("s", "Weekly", start, end, *guest, *SERIES[:1]))
        await here.sync()
        here.clear()
        here.clock.advance(5)
        here.write("s.ics", ics("s", "Weekly", start, end, *guest, *SERIES))
        assert await here.code() == 4
        assert [one.code for one in await here.store.problems()] == ["this-and-future"]
        assert here.writes() == []


async def test_a_cut_that_was_interrupted_is_finished_once(tmp_path: Path) -> None:
    """The new file was there, the old one not cut yet: no second new series is made."""
    from syncd.core.wire.ics_split import split_series

    async with world(tmp_path) as here:
        await here.sync()
        path = here.write(
            "s.ics", ics("s", "Weekly", "20260310T100000", "20260310T110000", *SERIES)
        )
        from tests.strategies import OWNER

        split = split_series(path.read_bytes(), OWNER)
        assert split is not None
        here.folder.joinpath("later.ics").write_bytes(split.new)
        assert await here.code() == 0
        assert [one[0] for one in told(here)] == ["Later", "Weekly"]
        assert len(here.names()) == 2


async def test_a_floating_series_gets_a_floating_end(tmp_path: Path) -> None:
    """The value type of UNTIL follows DTSTART, so that no reader loses the last day."""
    async with world(tmp_path) as here:
        await here.sync()
        text = ics("f", "Floats").replace(";TZID=Europe/Berlin", "")
        here.write("f.ics", text.replace("END:VEVENT", "RRULE:FREQ=WEEKLY\nEND:VEVENT"))
        await here.sync()
        [item] = here.box.items(here.calendar)
        assert item.recurrence is not None
        pattern = {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"]}
        span = {"type": "endDate", "startDate": "2026-03-10", "endDate": "2026-03-31"}
        here.box.patch(item.default_id, {"recurrence": {"pattern": pattern, "range": span}})
        assert await here.code() == 0
        assert "RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL=20260331T100000\r\n" in here.text("Floats")


async def test_occurrences_that_overlap_are_held(tmp_path: Path) -> None:
    """Two days long, every day: Outlook has no such series, and nothing is sent."""
    async with world(tmp_path) as here:
        await here.sync()
        start, end = "20260310T100000", "20260312T100000"
        here.write("o.ics", ics("o", "Overlap", start, end, "RRULE:FREQ=DAILY"))
        assert await here.code() == 4
        assert [one.code for one in await here.store.problems()] == ["RR25"]
        assert here.writes() == []


async def test_a_series_beyond_our_limits_that_the_service_holds_is_no_trouble(
    tmp_path: Path,
) -> None:
    """Nobody edited it: its file is not held, and a new title goes."""
    async with world(tmp_path) as here:
        pattern = {"type": "daily", "interval": 1}
        span = {"type": "numbered", "startDate": "2026-03-10", "numberOfOccurrences": 1200}
        times = ("2026-03-10T10:00:00", "2026-03-10T11:00:00")
        rule = {"pattern": pattern, "range": span}
        here.box.create(here.calendar, event("Long", *times, recurrence=rule))
        assert await here.code() == 0
        here.edit("Long", b"SUMMARY:Long", b"SUMMARY:Longer")
        assert await here.code() == 0
        [item] = here.box.items(here.calendar)
        assert item.values["subject"] == "Longer"


CAROLS = (
    "ORGANIZER;CN=Carol:mailto:carol@example.org",
    "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:me@example.org",
    "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.org",
)


async def test_a_copied_meeting_invites_nobody_ever(tmp_path: Path) -> None:
    """Its guests stay in the file alone, whatever is edited later."""
    async with world(tmp_path, mail=SEND, foreign_meeting="copy") as here:
        await here.sync()
        text = ics("c", "Carol's", "20260310T100000", "20260310T110000", *CAROLS)
        here.write("c.ics", text)
        assert await here.code() == 0
        here.edit("Carol's", b"SUMMARY:Carol's", b"SUMMARY:Mine")
        assert await here.code() == 0
        [item] = here.box.items(here.calendar)
        assert item.values["subject"] == "Mine"
        assert item.values["attendees"] == []
        assert here.service.ledger == []
        assert here.text("Mine").count("ATTENDEE") == 2


async def test_a_foreign_organizer_written_into_an_own_event_is_held(tmp_path: Path) -> None:
    """The owner would invite the guests of somebody else; the rest of the file goes on."""
    async with world(tmp_path, mail=SEND) as here:
        await here.sync()
        here.write("a.ics", ics("a", "A"))
        await here.sync()
        lines = "\r\n".join(CAROLS).encode()
        here.edit("A", b"SUMMARY:A", b"SUMMARY:B\r\n" + lines)
        assert await here.code() == 4
        assert [one.code for one in await here.store.problems()] == ["foreign-meeting"]
        [item] = here.box.items(here.calendar)
        assert (item.values["subject"], item.values["attendees"]) == ("B", [])
        assert here.service.ledger == []


async def test_an_older_state_learns_new_fields_without_a_word(tmp_path: Path) -> None:
    """Bases of a version that knew no points: neither side counts as edited."""
    async with world(tmp_path) as here:
        place = {"displayName": "Louvre", "coordinates": {"latitude": 1.5, "longitude": 2.5}}
        times = ("2026-03-10T10:00:00", "2026-03-10T11:00:00")
        here.box.create(here.calendar, event("A", *times, location=place))
        await here.sync()
        here.store._conn.execute(
            "UPDATE item SET projection = 1, base_local = NULL,"
            " base_remote = json_remove(CAST(base_remote AS TEXT), '$.master.geo')"
        )
        here.clear()
        here.edit("A", b"SUMMARY:A", b"SUMMARY:B")
        assert await here.code() == 0
        assert here.bodies("PATCH") == [{"subject": "B"}]
        assert "GEO:1.5;2.5\r\n" in here.text("B")


async def test_a_comment_written_with_an_answer_goes_along(tmp_path: Path) -> None:
    """One that stood in the file before says nothing about this answer."""
    async with world(tmp_path) as here:
        here.receive("Board", "2026-03-10T10:00:00", "2026-03-10T11:00:00")
        await here.sync()
        here.clear()
        here.edit("Board", b"PARTSTAT=NEEDS-ACTION", b"PARTSTAT=ACCEPTED")
        here.edit("Board", b"END:VEVENT", b"COMMENT:Gladly\\, all day\r\nEND:VEVENT")
        assert await here.code() == 0
        assert here.bodies("POST") == [{"sendResponse": True, "comment": "Gladly, all day"}]
        here.clear()
        here.edit("Board", b"PARTSTAT=ACCEPTED", b"PARTSTAT=TENTATIVE")
        assert await here.code() == 0
        assert here.bodies("POST") == [{"sendResponse": True}]


async def test_the_same_override_twice_is_one(tmp_path: Path) -> None:
    """Held only where the two say different things."""
    own = (
        "RRULE:FREQ=WEEKLY",
        *("END:VEVENT", "BEGIN:VEVENT", "UID:s", "DTSTAMP:20260101T000000Z"),
        "RECURRENCE-ID;TZID=Europe/Berlin:20260317T100000",
        "DTSTART;TZID=Europe/Berlin:20260317T120000",
        "DTEND;TZID=Europe/Berlin:20260317T130000",
    )
    again = ("SUMMARY:Other", *own[1:])
    async with world(tmp_path) as here:
        await here.sync()
        times = ("20260310T100000", "20260310T110000")
        here.write("s.ics", ics("s", "S", *times, *own, *again, "SUMMARY:Other"))
        assert await here.code() == 0
        here.write("s.ics", ics("s", "S", *times, *own, *again, "SUMMARY:Third"))
        assert await here.code() == 4
        assert [one.code for one in await here.store.problems()] == ["two-overrides"]


async def test_an_event_of_the_service_brings_its_stash_to_another_machine(tmp_path: Path) -> None:
    """Its UID stays the service's own: only the lines come from the file of the first machine."""
    async with world(machine(tmp_path, "first")) as here:
        pattern = {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"]}
        span = {"type": "noEnd", "startDate": "2026-03-10"}
        times = ("2026-03-10T10:00:00", "2026-03-10T11:00:00")
        rule = {"pattern": pattern, "range": span}
        here.box.create(here.calendar, event("Theirs", *times, recurrence=rule))
        await here.sync()
        name = here.path("Theirs").name
        here.edit("Theirs", b"END:VEVENT", b"COLOR:red\r\nEND:VEVENT")
        assert await here.code() == 0
        second = await on_another_machine(here, tmp_path)
        assert second.path("Theirs").name == name
        assert "COLOR:red\r\n" in second.text("Theirs")
        second.clear()
        assert await second.code() == 0
        assert second.writes() == []


async def test_a_stash_that_the_service_refuses_holds_nothing_up(tmp_path: Path) -> None:
    """How much a property may hold is not documented: without it the rest is sent."""
    switches = Switches(longest_extended_chars=100)
    async with world(tmp_path, switches=switches) as here:
        await here.sync()
        here.write("odd.ics", ics("odd", "Odd", "20260310T100000", "20260310T110000", *ODD))
        assert await here.code() == 0
        here.edit("Odd", b"SUMMARY:Odd", b"URL:x\r\nSUMMARY:Even")
        assert await here.code() == 0
        [item] = here.box.items(here.calendar)
        assert item.values["subject"] == "Even"
        assert stash_of(here) is None
        here.clear()
        assert await here.code() == 0
        assert here.writes() == []


# --- what reviewers found ---


async def synced_place(here: World) -> Any:
    """An event with a name and a point, followed."""
    place = {"displayName": "Louvre", "coordinates": {"latitude": 1, "longitude": 2}}
    times = ("2026-03-10T10:00:00", "2026-03-10T11:00:00")
    made = here.box.create(here.calendar, event("A", *times, location=place))
    await here.sync()
    here.clear()
    return made


async def test_name_and_point_of_a_place_merge_apart(tmp_path: Path) -> None:
    """Graph has one object for both: what the other side changed of it stays."""
    async with world(tmp_path) as here:
        made = await synced_place(here)
        place = {"displayName": "Louvre", "coordinates": {"latitude": 5, "longitude": 6}}
        here.box.patch(made.id, {"location": place})
        here.edit("A", b"LOCATION:Louvre", b"LOCATION:Orsay")
        assert await here.code() == 0
        [item] = here.box.items(here.calendar)
        assert item.values["location"]["displayName"] == "Orsay"
        assert item.values["location"]["coordinates"] == {"latitude": 5, "longitude": 6}
        assert "GEO:5;6\r\n" in here.text("A")

        place = {"displayName": "Tate", "coordinates": {"latitude": 5, "longitude": 6}}
        here.box.patch(made.id, {"location": place})
        here.edit("A", b"GEO:5;6", b"GEO:3;4")
        assert await here.code() == 0
        assert item.values["location"]["displayName"] == "Tate"
        assert item.values["location"]["coordinates"] == {"latitude": 3, "longitude": 4}


async def test_odd_coordinates_are_no_point(tmp_path: Path) -> None:
    """The event is read all the same."""
    async with world(tmp_path) as here:
        place = {"displayName": "X", "coordinates": {"latitude": "NaN", "longitude": "1"}}
        times = ("2026-03-10T10:00:00", "2026-03-10T11:00:00")
        here.box.create(here.calendar, event("A", *times, location=place))
        assert await here.code() == 0
        assert "GEO" not in here.text("A")


async def test_a_cut_never_drops_what_another_file_holds(tmp_path: Path) -> None:
    """The new series' UID is taken: the override stays where it is, and is held."""
    async with world(tmp_path) as here:
        await here.sync()
        here.write("other.ics", ics("s-20260324", "Other", "20260501T100000", "20260501T110000"))
        await here.sync()
        times = ("20260310T100000", "20260310T110000")
        path = here.write("s.ics", ics("s", "Weekly", *times, *SERIES))
        before = path.read_bytes()
        assert await here.code() == 4
        assert [one.code for one in await here.store.problems()] == ["this-and-future"]
        assert path.read_bytes() == before


async def test_a_cut_waits_for_the_services_own_edits(tmp_path: Path) -> None:
    """An occurrence that was deleted there at the same time does not come back."""
    async with world(tmp_path, switches=Switches(deleted_occurrence_emits_master=True)) as here:
        await here.sync()
        times = ("20260310T100000", "20260310T110000")
        here.write("s.ics", ics("s", "Weekly", *times, *SERIES[:1]))
        await here.sync()
        [item] = here.box.items(here.calendar)
        start, end = NOW, NOW.replace(year=2027)
        gone = [
            one
            for one in here.box.instances(here.calendar, start, end)
            if one.slot is not None and one.slot.isoformat() == "2026-03-31"
        ]
        here.box.delete(gone[0].id, actor="person")
        here.clock.advance(5)
        here.write("s.ics", ics("s", "Weekly", *times, *SERIES))
        await here.sync()
        for _ in range(3):
            await here.sync()
        shown = {
            (one.slot or one.item.start.local.date()).isoformat()
            for one in here.box.instances(here.calendar, start, end)
        }
        assert "2026-03-31" not in shown
        assert "2026-04-07" in shown
        assert item.alive


async def test_a_held_import_is_not_touched(tmp_path: Path) -> None:
    """No file is cut before a person said that the folder may be imported at all."""
    async with world(tmp_path, max_imports=2) as here:
        here.folder.mkdir(parents=True)
        times = ("20260310T100000", "20260310T110000")
        for number in range(4):
            here.write(f"{number}.ics", ics(f"u{number}", f"N{number}", *times))
        path = here.write("s.ics", ics("s", "Weekly", *times, *SERIES))
        before = path.read_bytes()
        assert await here.code() == 4
        assert path.read_bytes() == before
        assert len(here.names()) == 5
        assert here.writes() == []


async def test_a_stash_is_not_forgotten_for_a_write_of_the_file(tmp_path: Path) -> None:
    """The service changed something in the same round: the lines go right after."""
    async with world(tmp_path) as here:
        await here.sync()
        here.write("a.ics", ics("a", "A"))
        await here.sync()
        [item] = here.box.items(here.calendar)
        here.box.patch(item.default_id, {"importance": "high"})
        here.edit("A", b"END:VEVENT", b"COLOR:red\r\nEND:VEVENT")
        assert await here.code() == 0
        kept = stash_of(here)
        assert kept is not None
        assert kept.m == ("COLOR:red",)


async def test_a_deep_stash_stalls_nothing(tmp_path: Path) -> None:
    """A property of the service is as hostile as a file."""
    async with world(tmp_path) as here:
        deep = '{"v":1,"c":"","x":' + "[" * 9000 + "]" * 9000 + "}"
        extended = [{"id": ICAL_STASH_PROPERTY, "value": deep}]
        times = ("2026-03-10T10:00:00", "2026-03-10T11:00:00")
        body = event("A", *times, singleValueExtendedProperties=extended)
        here.box.create(here.calendar, body)
        assert await here.code() == 0
        assert here.subjects() == ["A"]


async def test_a_copied_meeting_invites_nobody_after_a_lost_state(tmp_path: Path) -> None:
    """Its guests are somebody else's, whatever the policy for conflicts."""
    for conflict in ("local", "newest", "remote"):
        root = machine(tmp_path, conflict)
        settings = {"mail": SEND, "foreign_meeting": "copy", "conflict": conflict}
        async with world(root, **settings) as here:
            await here.sync()
            here.write("c.ics", ics("c", "C", "20260310T100000", "20260310T110000", *CAROLS))
            await here.sync()
            await here.lose_state()
            await here.sync(fresh=True)
            here.edit("C", b"SUMMARY:C", b"SUMMARY:D")
            await here.sync()
            [item] = here.box.items(here.calendar)
            assert item.values["attendees"] == []
            assert here.service.ledger == []
            assert here.text("D").count("ATTENDEE") == 2


async def test_a_stale_form_is_no_edit_after_an_upgrade(tmp_path: Path) -> None:
    """Bases of a version that knew no HTML forms."""
    async with world(tmp_path) as here:
        await here.sync()
        lines = ("DESCRIPTION:new text", "X-ALT-DESC;FMTTYPE=text/html:<p>stale text</p>")
        here.write("a.ics", ics("a", "A", "20260310T100000", "20260310T110000", *lines))
        await here.sync()
        here.store._conn.execute(
            "UPDATE item SET projection = 1,"
            " base_local = json_remove(CAST(base_local AS TEXT), '$.master.html_text')"
        )
        here.clear()
        here.edit("A", b"SUMMARY:A", b"SUMMARY:B")
        assert await here.code() == 0
        assert here.bodies("PATCH") == [{"subject": "B"}]


OVERRIDDEN = (
    "RRULE:FREQ=WEEKLY",
    *("END:VEVENT", "BEGIN:VEVENT", "UID:s", "DTSTAMP:20260101T000000Z", "SUMMARY:Other"),
    "RECURRENCE-ID;TZID=Europe/Berlin:20260317T100000",
    "DTSTART;TZID=Europe/Berlin:20260317T120000",
    "DTEND;TZID=Europe/Berlin:20260317T130000",
)
HOSTED = ("ORGANIZER:mailto:me@example.org", "ATTENDEE:mailto:bob@example.org")


async def test_an_approved_series_with_an_override_invites_once(tmp_path: Path) -> None:
    """What a person approved is done at once, and nobody is asked again."""
    async with world(tmp_path) as here:
        await here.sync()
        times = ("20260310T100000", "20260310T110000")
        here.write("s.ics", ics("s", "S", *times, *HOSTED, *OVERRIDDEN))
        assert await here.code() == 4
        [problem] = await here.store.problems()
        await here.decide(problem, "approved")
        assert await here.code() == 0
        told = [(mail.kind, mail.slot) for mail in here.service.ledger]
        assert {kind for kind, _ in told} == {"invitation"}
        assert len(told) == len(set(told))
        [item] = here.box.items(here.calendar)
        assert len(item.values["attendees"]) == 1
        assert await here.store.problems() == []


async def test_an_override_without_guests_disinvites_nobody(tmp_path: Path) -> None:
    """Clients leave the lines out; the series' guests are meant."""
    async with world(tmp_path, mail=SEND) as here:
        await here.sync()
        times = ("20260310T100000", "20260310T110000")
        here.write("s.ics", ics("s", "S", *times, *HOSTED, *OVERRIDDEN[:1]))
        await here.sync()
        before = len(here.service.ledger)
        here.clock.advance(5)
        here.write("s.ics", ics("s", "S", *times, *HOSTED, *OVERRIDDEN))
        await here.sync()
        assert all(mail.kind == "update" for mail in here.service.ledger[before:])
        assert not any("attendees" in body for body in here.bodies("PATCH"))


async def test_an_override_at_another_time_is_no_override(tmp_path: Path) -> None:
    """Its RECURRENCE-ID names nothing that happens: no other occurrence is changed for it."""
    async with world(tmp_path) as here:
        await here.sync()
        times = ("20260310T100000", "20260310T110000")
        text = ics("s", "S", *times, *OVERRIDDEN).replace("0317T100000", "0317T113000")
        here.write("s.ics", text)
        assert await here.code() == 4
        assert [one.code for one in await here.store.problems()] == ["orphan-override"]
        assert not any(one.startswith("PATCH") for one in here.writes())
