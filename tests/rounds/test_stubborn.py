"""What one odd thing must not do to all the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.shell.config_model import MailPolicy
from syncd.simulator.faults import FaultKind, Faults
from tests.rounds.world import event, ics, world

ODD = b'"dateTime":"0000-00-00T00:00:00.0000000"'


async def test_a_file_moved_to_where_it_is_held_takes_nothing_along(tmp_path: Path) -> None:
    """The target is read-only: the event stays where it is, however often one syncs."""
    async with world(tmp_path) as w:
        w.box.folders.add("Others", can_edit=False)
        w.box.create(w.calendar, event("Stays", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        source = w.path("Stays")
        source.rename(w.root / "export" / "work" / w.folders()["Others"] / source.name)
        w.clear()

        assert await w.code() == 4
        assert await w.code() == 4

        assert w.writes() == []
        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["Stays"]


async def test_a_moved_meeting_cancels_nobody(tmp_path: Path) -> None:
    """Also where cancellations may be sent: the meeting is held at its new place."""
    mail = MailPolicy("hold", "send", "send", "send")
    async with world(tmp_path, mail=mail) as w:
        w.box.folders.add("Other")
        body = event("Board", "2026-03-05T10:00:00", "2026-03-05T10:30:00")
        body["attendees"] = [{"emailAddress": {"address": "bob@example.org"}, "type": "required"}]
        w.box.create(w.calendar, body)
        await w.code()
        source = w.path("Board")
        source.rename(w.root / "export" / "work" / "Other" / source.name)

        assert await w.code() == 4
        assert await w.code() == 4

        assert w.mails() == []
        assert len(w.box.items(w.calendar)) == 1


async def test_an_event_that_cannot_be_read_keeps_its_file(tmp_path: Path) -> None:
    """It is listed; every other event goes on."""
    async with world(tmp_path) as w:
        for name in ("Odd", "Good"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        [calendar] = await w.store.calendars()
        [odd] = [i for i in w.box.items(w.calendar) if i.values["subject"] == "Odd"]
        found = await w.store.remotes_by_id(calendar.key, [odd.immutable_id])
        w.spoil(calendar.key, found[odd.immutable_id], ODD)
        [good] = [i for i in w.box.items(w.calendar) if i.values["subject"] == "Good"]
        w.box.patch(good.immutable_id, {"subject": "Better"})

        assert await w.code() == 0

        assert sorted(w.subjects()) == ["Better", "Odd"]
        assert [one.code for one in await w.store.problems()] == ["unreadable-event"]


async def test_a_deletion_is_noticed_after_tokens_died(tmp_path: Path) -> None:
    """However many views there were before, and when the chain of pages had no end."""
    async with world(tmp_path, faults=Faults()) as w:
        for name in ("A", "B", "C", "D", "E"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        for _ in range(3):
            await w.code()
            w.clock.advance(7 * 3600)
        w.server.faults.script(FaultKind.ENDLESS_PAGES, path="/delta")
        [a] = [i for i in w.box.items(w.calendar) if i.values["subject"] == "A"]
        w.box.delete(a.immutable_id)
        w.service.rounds(w.box).forget()

        for _ in range(2):
            await w.code()

        assert sorted(w.subjects()) == ["B", "C", "D", "E"]


async def test_a_held_answer_holds_up_no_silent_edit(tmp_path: Path) -> None:
    """The category of the same edit goes; the answer waits for `approve`."""
    mail = MailPolicy("hold", "send", "hold", "hold")
    async with world(tmp_path, mail=mail) as w:
        w.receive("Review", "2026-03-05T10:00:00", "2026-03-05T10:30:00")
        await w.code()
        w.edit("Review", b"PARTSTAT=NEEDS-ACTION;RSVP", b"PARTSTAT=ACCEPTED;RSVP")
        w.edit("Review", b"SUMMARY:Review", b"CATEGORIES:Red\r\nSUMMARY:Review")

        assert await w.code() == 4

        [item] = w.box.items(w.calendar)
        assert item.values["categories"] == ["Red"]
        assert w.mails() == []


async def test_held_deletions_stay_held_when_something_new_appears(tmp_path: Path) -> None:
    """An emptied folder with one new file, an emptied mailbox with one new event: still held."""
    async with world(tmp_path) as w:
        for name in ("A", "B", "C", "D", "E"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        for path in w.folder.glob("*.ics"):
            path.unlink()
        assert await w.code() == 4
        w.write("new.ics", ics("new", "New"))

        assert await w.code() == 4
        assert await w.code() == 4

        assert len(w.box.items(w.calendar)) == 6
        [problem] = await w.store.problems()
        assert len(problem.items) == 5
        await w.decide(problem, "approved")
        assert await w.code() == 0
        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["New"]


async def test_an_emptied_mailbox_with_one_new_event_empties_no_folder(tmp_path: Path) -> None:
    """The other side of the same."""
    async with world(tmp_path) as w:
        for name in ("A", "B", "C", "D", "E"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        for item in list(w.box.items(w.calendar)):
            w.box.delete(item.immutable_id)
        assert await w.code() == 4
        w.box.create(w.calendar, event("New", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))

        assert await w.code() == 4
        assert await w.code() == 4

        assert sorted(w.subjects()) == ["A", "B", "C", "D", "E", "New"]


async def test_a_held_deletion_is_over_when_its_file_is_back(tmp_path: Path) -> None:
    """Moved away and back unchanged: nothing waits any more, and nobody was mailed."""
    async with world(tmp_path) as w:
        body = event("Board", "2026-03-05T10:00:00", "2026-03-05T10:30:00")
        body["attendees"] = [{"emailAddress": {"address": "bob@example.org"}, "type": "required"}]
        w.box.create(w.calendar, body)
        await w.code()
        path = w.path("Board")
        aside = path.rename(tmp_path / "aside.ics")
        assert await w.code() == 4
        aside.rename(path)

        assert await w.code() == 0

        assert await w.store.problems() == []
        assert w.mails() == []


async def test_a_series_that_cannot_be_asked_holds_up_no_other_write(tmp_path: Path) -> None:
    """One occurrence cannot be found: the other edit of the same sync goes all the same."""
    async with world(tmp_path, faults=Faults()) as w:
        rule = {
            "pattern": {"type": "daily", "interval": 1},
            "range": {"type": "noEnd", "startDate": "2026-03-05"},
        }
        start, end = "2026-03-05T10:00:00", "2026-03-05T10:30:00"
        w.box.create(w.calendar, event("Series", start, end, recurrence=rule))
        w.box.create(w.calendar, event("Other", start, end))
        await w.code()
        w.edit("Series", b"RRULE:", b"EXDATE;TZID=Europe/Berlin:20260307T100000\r\nRRULE:")
        w.edit("Other", b"SUMMARY:Other", b"SUMMARY:Sent")
        w.server.faults.script(FaultKind.LAGGING, path="/instances", times=1000)

        await w.code()

        subjects = sorted(one.values["subject"] for one in w.box.items(w.calendar))
        assert subjects == ["Sent", "Series"]
        w.server.faults.clear()
        w.edit("Series", b"SUMMARY:Series", b"SUMMARY:Series 2")
        assert await w.code() == 0
        assert any(one.cancelled for one in w.box.items(w.calendar))


async def test_a_copy_of_a_file_does_not_bring_its_event_back(tmp_path: Path) -> None:
    """A file syncer's copy lies beside it; once the meeting is deleted, nobody is invited anew."""
    always = MailPolicy("send", "send", "send", "send")
    async with world(tmp_path, mail=always) as w:
        guests = [{"emailAddress": {"address": "ada@example.org"}, "type": "required"}]
        w.box.create(
            w.calendar,
            event("Review", "2026-03-10T10:00:00", "2026-03-10T11:00:00", attendees=guests),
        )
        await w.code()
        copy = w.folder / "review.sync-conflict.ics"
        copy.write_bytes(w.path("Review").read_bytes())
        assert await w.code() == 4
        [item] = w.box.items(w.calendar)
        w.box.delete(item.default_id)

        assert await w.code() == 4
        assert await w.code() == 4

        assert w.box.items(w.calendar) == []
        assert w.mails() == []
        [problem] = await w.store.problems()
        assert (problem.code, problem.file) == ("gone-or-new", copy.name)
        await w.decide(problem, "local")
        assert await w.code() == 0
        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["Review"]


@pytest.mark.parametrize("broken", [b"", b"BEGIN:VCALENDAR\r\nnonsense", b"BEGIN:VCALEN"])
async def test_an_old_copy_does_not_take_the_place_of_a_file_that_broke(
    tmp_path: Path, broken: bytes
) -> None:
    """A copy from before a guest was invited: that guest would be told that it is off."""
    send = MailPolicy("send", "send", "send", "send")
    async with world(tmp_path, mail=send) as w:
        made = w.box.create(w.calendar, event("Plan", "2026-03-05T10:00:00", "2026-03-05T11:00:00"))
        assert await w.code() == 0
        (w.folder / "copy.ics").write_bytes(w.path("Plan").read_bytes())
        guest = {"emailAddress": {"address": "bob@example.org"}, "type": "required"}
        w.box.patch(made.id, {"attendees": [guest]})
        await w.code()
        [file] = [one for one in w.folder.glob("*.ics") if b"bob@" in one.read_bytes()]
        file.write_bytes(broken)

        assert await w.code() == 4
        assert await w.code() == 4

        assert w.mails() == []
        assert len(made.item.values["attendees"]) == 1
        assert {one.code for one in await w.store.problems()} >= {"duplicate-uid"}


async def test_an_old_copy_does_not_take_the_place_of_a_file_with_a_new_name(
    tmp_path: Path,
) -> None:
    """Of two files of a UID the item's is the one that says what it said, whatever it is called."""
    send = MailPolicy("send", "send", "send", "send")
    async with world(tmp_path, mail=send) as w:
        guest = {"emailAddress": {"address": "bob@example.org"}, "type": "required"}
        body = event("Plan", "2026-03-05T10:00:00", "2026-03-05T11:00:00")
        made = w.box.create(w.calendar, body | {"attendees": [guest]})
        assert await w.code() == 0
        (w.folder / "copy.ics").write_bytes(w.path("Plan").read_bytes())
        w.box.patch(made.id, {"location": {"displayName": "Hall"}})
        await w.code()
        [file] = [one for one in w.folder.glob("*.ics") if b"Hall" in one.read_bytes()]
        file.rename(w.folder / "renamed.ics")

        assert await w.code() == 4
        assert await w.code() == 4

        assert w.mails() == []
        assert made.item.values["location"]["displayName"] == "Hall"
        assert b"Hall" in (w.folder / "renamed.ics").read_bytes()


@pytest.mark.parametrize("left", ["", "BEGIN:VCALENDAR\r\n", "as it was"])
async def test_a_file_that_broke_and_got_another_name_is_not_deleted(
    tmp_path: Path, left: str
) -> None:
    """What is left of it says no UID; its meeting stays, and is told of once it can be read."""
    send = MailPolicy("send", "send", "send", "send")
    async with world(tmp_path, mail=send) as w:
        guest = {"emailAddress": {"address": "bob@example.org"}, "type": "required"}
        body = event("Plan", "2026-03-05T10:00:00", "2026-03-05T11:00:00")
        w.box.create(w.calendar, body | {"attendees": [guest]})
        assert await w.code() == 0
        w.clock.advance(7 * 86400)
        file = w.path("Plan")
        whole = file.read_bytes()
        other = w.folder / "other.ics"
        if left == "as it was":
            # A program that writes anew and renames leaves another file on the disk.
            other.write_bytes(whole[: whole.index(b"UID:")])
            file.unlink()
        else:
            file.write_bytes(left.encode())
            file.rename(other)

        assert await w.code() == 4
        assert await w.code() == 4

        assert (w.mails(), w.subjects()) == ([], [])
        assert len(w.box.items(w.calendar)) == 1
        [problem] = await w.store.problems()
        assert (problem.kind, problem.file) == ("unreadable", "other.ics")
        other.write_bytes(whole.replace(b"SUMMARY:Plan", b"SUMMARY:Planned"))
        assert await w.code() == 0
        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["Planned"]


async def test_a_broken_file_that_was_there_stands_for_none_that_is_deleted(tmp_path: Path) -> None:
    """Another program's half of a file, listed before: the deletion goes."""
    async with world(tmp_path) as w:
        for name in ("A", "B"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T11:00:00"))
        assert await w.code() == 0
        w.clock.advance(7 * 86400)
        (w.folder / "new.ics").write_bytes(b"BEGIN:VCALENDAR\r\nX-MINE:1\r\n")
        assert await w.code() == 4
        w.path("A").unlink()

        assert await w.code() == 4

        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["B"]


async def test_what_went_as_a_broken_file_came_goes_when_that_file_does(tmp_path: Path) -> None:
    """Nobody knows whether it was its own; who takes it away as well means both."""
    async with world(tmp_path) as w:
        for name in ("A", "B"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T11:00:00"))
        assert await w.code() == 0
        w.clock.advance(7 * 86400)
        (w.folder / "new.ics").write_bytes(b"BEGIN:VCALENDAR\r\nX-MINE:1\r\n")
        w.path("A").unlink()
        assert await w.code() == 4
        assert len(w.box.items(w.calendar)) == 2
        [problem] = await w.store.problems()
        assert len(problem.items) == 1
        (w.folder / "new.ics").unlink()

        assert await w.code() == 0

        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["B"]
        assert await w.store.problems() == []
