"""Files that change folders while others look: a move is never taken for a deletion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syncd.core.errors import DiskTrouble, ServiceDown
from syncd.core.history import FOUND
from syncd.core.mail import MailPolicy
from syncd.core.state import PutItem, Todo
from syncd.ports import FolderLook, Unsent
from syncd.shell.mailbox import Mailbox
from syncd.vdir.folder import VdirFolder
from tests.rounds.test_cases import _converted, html
from tests.rounds.test_outbox import Odd
from tests.rounds.test_properties import RICH
from tests.rounds.test_series import WEEKLY, occurrence
from tests.rounds.world import World, event, world

TEN = ("2026-03-05T10:00:00", "2026-03-05T11:00:00")
MARCH = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
GUEST = {"emailAddress": {"address": "bob@example.org"}, "type": "required"}


async def _two(w: World, *, guests: bool = False) -> tuple[Path, Path]:
    """A mailbox with two calendars and one event; the folders of both."""
    body = event("Plan", "2026-03-05T10:00:00", "2026-03-05T11:00:00")
    if guests:
        body["attendees"] = [GUEST]
    w.box.create(w.calendar, body)
    w.box.folders.add("Other")
    assert await w.code() == 0
    folders = w.folders()
    root = w.root / "export" / "work"
    return root / folders["Calendar"], root / folders["Other"]


async def _events(w: World) -> dict[str, list[str]]:
    """The subjects of all events, by their calendars."""
    return {
        one.name: sorted(item.values["subject"] for item in w.box.items(one.id))
        for one in await w.store.calendars()
    }


async def _only(w: World, name: str, *, look: bool = True) -> Any:
    """A sync of one calendar, or a round of the daemon where nothing is looked at."""
    mailbox: Mailbox = w.mailbox or await w.open_mailbox()
    chosen = [one for one in await mailbox.calendars() if one.name == name]
    return await mailbox.sync(chosen, look_at=[one.key for one in chosen] if look else ())


def _move(here: Path, there: Path) -> None:
    [file] = here.glob("*.ics")
    file.rename(there / file.name)


def _unlucky(monkeypatch: pytest.MonkeyPatch, at: int, act: Any) -> None:
    """Let a person act just before the `at`-th look at any folder."""
    looks = [0]
    look = VdirFolder.look

    async def slow(self: VdirFolder, known: Mapping[Any, Any], *, thorough: bool) -> FolderLook:
        looks[0] += 1
        if looks[0] == at:
            act()
        return await look(self, known, thorough=thorough)

    monkeypatch.setattr(VdirFolder, "look", slow)


async def test_a_file_in_a_folder_that_is_not_synced_is_no_deletion(tmp_path: Path) -> None:
    """One calendar is synced by itself; its file lies in the folder of another by now."""
    async with world(tmp_path) as w:
        here, there = await _two(w)
        _move(here, there)
        w.clear()

        await _only(w, "Calendar")

        assert w.writes() == []
        assert await w.code() == 0
        assert await _events(w) == {"Calendar": [], "Other": ["Plan"]}


async def test_a_meeting_that_arrives_alone_invites_nobody(tmp_path: Path) -> None:
    """Only the folder that it was moved to is synced: the move is seen as one, and held."""
    async with world(tmp_path, mail=_all("send")) as w:
        here, there = await _two(w, guests=True)
        _move(here, there)

        await _only(w, "Other")
        await w.code()

        assert w.mails() == []
        assert "move-meeting" in {one.code for one in await w.store.problems()}


@pytest.mark.parametrize("left_out", [False, True])
async def test_a_meeting_from_a_folder_that_is_out_of_sight_invites_nobody(
    tmp_path: Path, left_out: bool
) -> None:
    """The disk is away, or the calendar is left out by now: its guests have been invited long ago."""
    async with world(tmp_path, mail=_all("send")) as w:
        here, there = await _two(w, guests=True)
        _move(here, there)
        if left_out:
            w.left_out = ("Calendar",)
        here.rename(tmp_path / "away")

        await w.open_mailbox()
        await w.code()
        await w.code()

        assert w.mails() == []
        assert "move-meeting" in {one.code for one in await w.store.problems()}


async def test_a_look_in_the_middle_of_a_round_searches_the_account(tmp_path: Path) -> None:
    """The daemon looks because of news of the service, and misses a file that was moved."""
    async with world(tmp_path) as w:
        here, there = await _two(w)
        w.box.create(w.calendar, event("News", "2026-03-06T10:00:00", "2026-03-06T11:00:00"))
        _move(here, there)
        w.clear()

        await _only(w, "Calendar", look=False)

        assert w.writes() == []
        assert await _events(w) == {"Calendar": ["News", "Plan"], "Other": []}
        assert await w.code() == 0
        assert await _events(w) == {"Calendar": ["News"], "Other": ["Plan"]}


@pytest.mark.parametrize("at", range(1, 8))
@pytest.mark.parametrize("back", [False, True])
async def test_a_meeting_that_moves_between_two_looks_is_not_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, back: bool
) -> None:
    """Whichever folder was looked at before the move: nobody is told that it is off."""
    async with world(tmp_path, mail=_all("send")) as w:
        here, there = await _two(w, guests=True)
        if back:
            _move(here, there)
            await w.code()
        _unlucky(monkeypatch, at, lambda: _move(*((there, here) if back else (here, there))))

        await w.code()
        await w.code()

        assert w.mails() == []
        assert await _events(w) == {"Calendar": ["Plan"], "Other": []}


async def test_what_is_missing_waits_while_a_folder_cannot_be_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may lie there; afterwards it is deleted all the same."""
    async with world(tmp_path) as w:
        here, there = await _two(w)
        for file in here.glob("*.ics"):
            file.unlink()
        look = VdirFolder.look

        async def broken(self: VdirFolder, *args: Any, **rest: Any) -> FolderLook:
            if self._path == there:
                raise DiskTrouble("the folder cannot be read")
            return await look(self, *args, **rest)

        monkeypatch.setattr(VdirFolder, "look", broken)
        await _only(w, "Calendar")
        assert await _events(w) == {"Calendar": ["Plan"], "Other": []}
        monkeypatch.setattr(VdirFolder, "look", look)

        assert await w.code() == 0

        assert await _events(w) == {"Calendar": [], "Other": []}


async def test_a_dry_run_shows_a_move_as_none_of_deletion(tmp_path: Path) -> None:
    """The event is made where its file lies, and no deletion is announced."""
    async with world(tmp_path) as w:
        here, there = await _two(w)
        _move(here, there)
        mailbox = await w.open_mailbox()

        reports = await mailbox.dry_run(await mailbox.calendars())

        planned = {one.calendar: [w.kind for p in one.plans for w in p.writes] for one in reports}
        assert planned == {"Calendar": [], "Other": ["create"]}


def _all(way: Any) -> MailPolicy:
    return MailPolicy(way, way, way, way)


async def _moved_while_edited(w: World, changes: Mapping[str, Any], **edit: bytes) -> None:
    """Its file goes to another folder, perhaps with an edit, and Outlook edits its event."""
    here, there = await _two(w)
    [item] = w.box.items(w.calendar)
    w.box.patch(item.default_id, changes)
    [file] = here.glob("*.ics")
    data = file.read_bytes()
    for line in edit.values():
        data = data.replace(b"END:VEVENT", line + b"\r\nEND:VEVENT")
    file.unlink()
    (there / file.name).write_bytes(data)


async def test_an_edit_in_outlook_follows_a_file_that_moved_meanwhile(tmp_path: Path) -> None:
    """Both happened before anybody synced: one event, in the other calendar, with the edit."""
    async with world(tmp_path) as w:
        await _moved_while_edited(w, {"location": {"displayName": "Hall"}})

        assert await w.code() == 0

        assert await _events(w) == {"Calendar": [], "Other": ["Plan"]}
        [made] = [one for folder in await w.store.calendars() for one in w.box.items(folder.id)]
        assert made.values["location"]["displayName"] == "Hall"
        root = w.root / "export" / "work"
        [file] = root.glob("*/[!.]*.ics")
        assert b"LOCATION:Hall" in file.read_bytes()
        assert await w.store.problems() == []


async def test_both_sides_edits_of_a_moved_event_meet_in_the_other_calendar(tmp_path: Path) -> None:
    """Different fields: both stay. The same field goes by the policy, and the history has both."""
    async with world(tmp_path) as w:
        changes = {"location": {"displayName": "Hall"}, "subject": "Theirs"}
        await _moved_while_edited(w, changes, where=b"LOCATION:Mine", why=b"DESCRIPTION:Why")

        assert await w.code() == 0
        assert await w.code() == 0

        assert await _events(w) == {"Calendar": [], "Other": ["Theirs"]}
        [made] = [one for folder in await w.store.calendars() for one in w.box.items(folder.id)]
        assert made.values["location"]["displayName"] == "Hall"
        assert "Why" in str(made.values["body"])
        [uid] = await w.store.uids_beginning("", 5)
        kept = b"".join(one.before + one.after for one in await w.store.history(uid, 100))
        assert b"LOCATION:Mine" in kept


async def test_a_moved_event_is_there_twice_where_a_person_is_to_choose(tmp_path: Path) -> None:
    """The same field on both sides, and the policy asks: nothing of either is lost meanwhile."""
    async with world(tmp_path, conflict="ask") as w:
        changes = {"location": {"displayName": "Hall"}}
        await _moved_while_edited(w, changes, where=b"LOCATION:Mine")

        await w.code()
        await w.code()

        places = {
            one.name: [item.values["location"]["displayName"] for item in w.box.items(one.id)]
            for one in await w.store.calendars()
        }
        assert places == {"Calendar": ["Hall"], "Other": ["Mine"]}


async def test_guests_do_not_follow_a_file_that_moved_before_they_were_invited(
    tmp_path: Path,
) -> None:
    """They have their invitation; another event with them in it would be another one."""
    async with world(tmp_path, mail=_all("send")) as w:
        await _moved_while_edited(w, {"attendees": [GUEST]})

        await w.code()
        await w.code()

        assert w.mails() == []
        assert await _events(w) == {"Calendar": ["Plan"], "Other": ["Plan"]}
        root = w.root / "export" / "work"
        assert len(list(root.glob("*/[!.]*.ics"))) == 2


@pytest.mark.parametrize("days", [0, 40])
async def test_an_edit_in_outlook_that_comes_as_the_file_is_followed_elsewhere(
    tmp_path: Path, days: int
) -> None:
    """
    The event of the file is made in the other calendar by then, and not yet gone from here;
    whatever the clock said then.
    """
    async with world(tmp_path) as w:
        here, there = await _two(w)
        _move(here, there)
        await _only(w, "Other")
        w.clock.advance(days * 86400)
        [item] = w.box.items(w.calendar)
        w.box.patch(item.default_id, {"location": {"displayName": "Hall"}})

        assert await w.code() == 0
        assert await w.code() == 0

        assert await _events(w) == {"Calendar": [], "Other": ["Plan"]}
        [made] = [one for folder in await w.store.calendars() for one in w.box.items(folder.id)]
        assert made.values["location"]["displayName"] == "Hall"


async def test_an_edit_in_outlook_does_not_go_into_a_copy_that_was_there_all_along(
    tmp_path: Path,
) -> None:
    """The two were told apart since the copy was made: an edited event whose file goes is back."""
    async with world(tmp_path) as w:
        here, there = await _two(w)
        [file] = here.glob("*.ics")
        (there / file.name).write_bytes(file.read_bytes())
        assert await w.code() == 0
        [item] = w.box.items(w.calendar)
        w.box.patch(item.default_id, {"subject": "First"})
        assert await w.code() == 0
        file.unlink()
        w.box.patch(item.default_id, {"location": {"displayName": "Hall"}})

        assert await w.code() == 0
        assert await w.code() == 0

        assert await _events(w) == {"Calendar": ["First"], "Other": ["Plan"]}
        assert b"LOCATION:Hall" in file.read_bytes()


async def test_a_meeting_that_another_calendar_has_too_is_deleted_where_its_file_is(
    tmp_path: Path,
) -> None:
    """A colleague's calendar has had the same meeting all along: nothing moved there."""
    async with world(tmp_path, mail=_all("send")) as w:
        here, _ = await _two(w, guests=True)
        [item] = w.box.items(w.calendar)
        [other] = [one for one in await w.store.calendars() if one.name == "Other"]
        w.box.create(other.id, event("Plan", "2026-03-05T10:00:00", "2026-03-05T11:00:00"))
        w.box.items(other.id)[0].uid = item.uid
        assert await w.code() == 0
        w.clear()
        [file] = here.glob("*.ics")
        file.unlink()

        assert await w.code() == 0

        assert await _events(w) == {"Calendar": [], "Other": ["Plan"]}
        assert len(w.mails()) == 1


async def _unnamed(w: World) -> None:
    """As a kill leaves it between the writing of a new file and the note of its name."""
    [calendar] = [one for one in await w.store.calendars() if one.name == "Calendar"]
    [item] = await w.store.all_items(calendar.key)
    nameless = replace(item, file=None, fingerprint=None, stat=None)
    await w.store.commit(calendar.key, [PutItem(nameless), Todo(item.uid)])


@pytest.mark.parametrize("first", ["Calendar", "Other"])
async def test_a_new_file_that_moves_right_after_a_kill_has_moved(
    tmp_path: Path, first: str
) -> None:
    async with world(tmp_path) as w:
        here, there = await _two(w)
        await _unnamed(w)
        _move(here, there)

        await _only(w, first)

        assert await w.code() == 0
        assert await _events(w) == {"Calendar": [], "Other": ["Plan"]}
        assert (len([*here.glob("*.ics")]), len([*there.glob("*.ics")])) == (0, 1)


@pytest.mark.parametrize("first", ["Calendar", "Other"])
async def test_a_new_meeting_that_moves_right_after_a_kill_invites_nobody_anew(
    tmp_path: Path, first: str
) -> None:
    async with world(tmp_path, mail=_all("send")) as w:
        here, there = await _two(w, guests=True)
        await _unnamed(w)
        w.clear()
        _move(here, there)

        await _only(w, first)
        await w.code()
        await w.code()

        assert w.mails() == []
        assert (len([*here.glob("*.ics")]), len([*there.glob("*.ics")])) == (0, 1)
        assert "move-meeting" in {one.code for one in await w.store.problems()}


async def test_a_file_that_a_kill_prevented_is_made_although_another_calendar_has_its_meeting(
    tmp_path: Path,
) -> None:
    """A colleague's calendar has had the same meeting all along: its file is another one."""
    async with world(tmp_path, mail=_all("send")) as w:
        here, there = await _two(w)
        [item] = w.box.items(w.calendar)
        [other] = [one for one in await w.store.calendars() if one.name == "Other"]
        w.box.create(other.id, event("Plan", "2026-03-05T10:00:00", "2026-03-05T11:00:00"))
        w.box.items(other.id)[0].uid = item.uid
        assert await w.code() == 0
        await _unnamed(w)
        [file] = here.glob("*.ics")
        file.unlink()

        assert await w.code() == 0

        assert await _events(w) == {"Calendar": ["Plan"], "Other": ["Plan"]}
        assert (len([*here.glob("*.ics")]), len([*there.glob("*.ics")])) == (1, 1)


async def test_nothing_follows_a_file_into_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The disk went right after the move: the edit waits, and nothing is tried again and again."""
    async with world(tmp_path) as w:
        file, _ = await _followed(w, HALL)
        there = file.parent
        there.rename(tmp_path / "away")

        assert await w.code() == 4
        assert await w.code() == 4
        assert not there.exists()
        assert await _found(w) == []
        (tmp_path / "away").rename(there)
        assert await w.code() == 0
        assert await w.code() == 0

        assert await _events(w) == {"Calendar": [], "Other": ["Plan"]}
        [made] = [one for folder in await w.store.calendars() for one in w.box.items(folder.id)]
        assert made.values["location"]["displayName"] == "Hall"


@pytest.mark.parametrize("edited", [False, True])
async def test_a_file_that_moved_and_broke_is_waited_for_in_peace(
    tmp_path: Path, edited: bool
) -> None:
    """Its event is in the other calendar by then; an edit in Outlook waits until it can be read."""
    async with world(tmp_path) as w:
        here, there = await _two(w)
        _move(here, there)
        await _only(w, "Other")
        [file] = there.glob("*.ics")
        whole = file.read_bytes()
        file.write_bytes(whole[:-60])
        if edited:
            [item] = w.box.items(w.calendar)
            w.box.patch(item.default_id, {"location": {"displayName": "Hall"}})
        w.clear()

        assert await w.code() == 4
        assert len(w.sent) < 20
        assert await _events(w) == {"Calendar": ["Plan"] if edited else [], "Other": ["Plan"]}
        file.write_bytes(whole)
        assert await w.code() == 0

        assert await _events(w) == {"Calendar": [], "Other": ["Plan"]}
        [made] = [one for folder in await w.store.calendars() for one in w.box.items(folder.id)]
        assert made.values["location"]["displayName"] == ("Hall" if edited else "")


async def _followed(w: World, changes: Mapping[str, Any] | None = None) -> tuple[Path, Any]:
    """
    A file that is followed in another calendar by now, and the event that it left.

    Args: changes: what is edited of that event meanwhile. Returns: the file and the event.
    """
    here, there = await _two(w)
    _move(here, there)
    for _ in range(2):
        await _only(w, "Other")
    [item] = w.box.items(w.calendar)
    if changes:
        w.box.patch(item.default_id, changes)
    [file] = there.glob("*.ics")
    return file, item


async def _found(w: World) -> list[bytes]:
    """What files said, and no round had read, as the history has it."""
    return [one.before for one in await w.store.history(None, 100) if one.what == FOUND]


HALL = {"location": {"displayName": "Hall"}}


async def _places(w: World) -> dict[str, list[str]]:
    """Where the events of all calendars take place."""
    return {
        one.name: [item.values["location"]["displayName"] for item in w.box.items(one.id)]
        for one in await w.store.calendars()
    }


async def test_events_that_went_after_their_files_had_moved_are_no_deletions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder is not emptied by what is followed elsewhere: one real deletion is carried out."""
    async with world(tmp_path) as w:
        here, there = await _two(w)
        for name in ("A", "B", "C"):
            w.box.create(w.calendar, event(name, "2026-03-06T10:00:00", "2026-03-06T11:00:00"))
        assert await w.code() == 0
        for file in here.glob("*.ics"):
            if b"SUMMARY:Plan" not in file.read_bytes():
                file.rename(there / file.name)
        await _only(w, "Other")
        for item in list(w.box.items(w.calendar)):
            if item.values["subject"] != "Plan":
                w.box.delete(item.default_id)
        look = VdirFolder.look

        async def broken(self: VdirFolder, *args: Any, **rest: Any) -> FolderLook:
            if self._path == there:
                raise DiskTrouble("the folder cannot be read")
            return await look(self, *args, **rest)

        monkeypatch.setattr(VdirFolder, "look", broken)
        await _only(w, "Calendar")
        monkeypatch.setattr(VdirFolder, "look", look)
        [plan] = here.glob("*.ics")
        plan.unlink()

        assert await w.code() == 0

        assert await _events(w) == {"Calendar": [], "Other": ["A", "B", "C"]}


async def test_a_save_right_before_an_edit_would_follow_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is not written over; the edit follows another time, and nothing is there twice."""
    async with world(tmp_path) as w:
        file, _ = await _followed(w, HALL)
        work = VdirFolder.work
        saved = file.read_bytes().replace(b"SUMMARY:Plan", b"SUMMARY:Saved")

        async def late(self: VdirFolder, jobs: Any) -> Any:
            if jobs and b"SUMMARY:Plan" in file.read_bytes():
                file.write_bytes(saved)
            return await work(self, jobs)

        monkeypatch.setattr(VdirFolder, "work", late)

        await w.code()
        assert await w.code() == 0

        assert await _events(w) == {"Calendar": [], "Other": ["Saved"]}
        assert await _places(w) == {"Calendar": [], "Other": ["Hall"]}


async def test_what_an_edit_that_followed_replaced_is_in_the_history(tmp_path: Path) -> None:
    """A save that no round has read is kept first, as what was found in the other calendar."""
    async with world(tmp_path) as w:
        file, _ = await _followed(w, HALL)
        file.write_bytes(file.read_bytes().replace(b"SUMMARY:Plan", b"SUMMARY:Unread"))
        unread = file.read_bytes()

        assert await w.code() == 0

        kept = [one for one in await w.store.history(None, 100) if one.what == FOUND]
        assert {one.before for one in kept} == {unread, file.read_bytes()}
        assert {(one.calendar, one.round, one.side) for one in kept} == {("Other", 0, "local")}
        assert b"SUMMARY:Unread" in file.read_bytes()
        assert await _places(w) == {"Calendar": [], "Other": ["Hall"]}


async def test_an_edit_that_the_moved_file_has_too_writes_no_file(tmp_path: Path) -> None:
    """Somebody made the same edit on both sides: the event that the file left is simply gone."""
    async with world(tmp_path) as w:
        await _moved_while_edited(w, HALL, where=b"LOCATION:Hall")

        assert await w.code() == 0

        assert await _places(w) == {"Calendar": [], "Other": ["Hall"]}
        assert await _found(w) == []


async def test_a_file_that_comes_back_brings_nothing_that_followed_it(tmp_path: Path) -> None:
    """Its event had not gone yet: what was edited there is agreed, also where a file has no word."""
    async with world(tmp_path) as w:
        file, item = await _followed(w, HALL | {"showAs": "unknown"})
        assert w.mailbox is not None
        remote = Odd(w.mailbox._remote)
        w.mailbox._remote = remote  # type: ignore[assignment]
        for _ in range(3):
            remote.say("DELETE", "/events", Unsent(ServiceDown("down")))
        assert await w.code() == 5
        assert b"LOCATION:Hall" in file.read_bytes()
        spelled = b"X-MICROSOFT-CDO-BUSYSTATUS:BUSY\r\nEND:VEVENT"
        (w.folder / file.name).write_bytes(file.read_bytes().replace(b"END:VEVENT", spelled))
        file.unlink()
        remote.told.clear()
        w.clear()

        assert await w.code() == 0

        assert w.bodies("PATCH") == []
        assert await _events(w) == {"Calendar": ["Plan"], "Other": []}
        assert item.values["showAs"] == "unknown"


FLOATING = (
    *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//test//EN", "BEGIN:VEVENT", "UID:team"),
    *("DTSTAMP:20260101T000000Z", "SUMMARY:Team", "DTSTART:20260309T100000"),
    *("DTEND:20260309T110000", "RRULE:FREQ=WEEKLY;COUNT=4", "ORGANIZER:mailto:me@example.org"),
    *("ATTENDEE:mailto:me@example.org", "END:VEVENT", "END:VCALENDAR", ""),
)
"""A series at ten, wherever one is, of which the owner is the only guest."""


async def test_an_edited_occurrence_follows_the_file_of_its_series(tmp_path: Path) -> None:
    """It is one of the same series there, at the same floating time, as if syncd had pulled it."""
    async with world(tmp_path) as w:
        w.box.folders.add("Other")
        assert await w.code() == 0
        there = w.root / "export" / "work" / w.folders()["Other"]
        w.write("team.ics", "\n".join(FLOATING))
        assert await w.code() == 0
        _move(w.folder, there)
        await _only(w, "Other")
        w.box.patch(occurrence(w, "2026-03-16").id, HALL | {"subject": "Alone"})

        assert await w.code() == 0

        assert await _events(w) == {"Calendar": [], "Other": ["Team"]}
        text = (there / "team.ics").read_bytes().decode()
        [own] = [one for one in text.split("BEGIN:VEVENT\r\n") if "RECURRENCE-ID" in one]
        assert own.startswith("UID:team\r\n")
        assert "RECURRENCE-ID:20260316T100000\r\n" in own
        assert {"LOCATION:Hall", "SUMMARY:Alone"} <= set(own.splitlines())
        assert re.search("^DTSTAMP:20260302T0900..Z\r$", own, re.MULTILINE)
        assert "CREATED" not in own
        [other] = [one for one in await w.store.calendars() if one.name == "Other"]
        subjects = [one.subject for one in w.box.instances(other.id, *MARCH)]
        assert subjects == ["Team", "Alone", "Team", "Team"]


async def test_an_edited_occurrence_is_found_in_a_file_that_moved_to_another_zone(
    tmp_path: Path,
) -> None:
    """A client left its RECURRENCE-ID behind: it is the day that it was, and no second one is made."""
    async with world(tmp_path) as w:
        night = event("Team", "2026-03-09T02:00:00", "2026-03-09T03:00:00", recurrence=WEEKLY)
        w.box.create(w.calendar, night)
        w.box.folders.add("Other")
        assert await w.code() == 0
        w.box.patch(occurrence(w, "2026-03-16").id, {"subject": "Alone"})
        assert await w.code() == 0
        there = w.root / "export" / "work" / w.folders()["Other"]
        _move(w.folder, there)
        await _only(w, "Other")
        [file] = there.glob("*.ics")
        data = re.sub(
            b"(DTSTART|DTEND);TZID=[^:]*:20260309",
            rb"\1;TZID=America/New_York:20260309",
            file.read_bytes(),
        )
        file.write_bytes(data)
        w.box.patch(occurrence(w, "2026-03-16").id, HALL)

        await _only(w, "Calendar")
        text = file.read_bytes().decode()
        [own] = [one for one in text.split("BEGIN:VEVENT\r\n") if "RECURRENCE-ID" in one]
        assert {"LOCATION:Hall", "SUMMARY:Alone"} <= set(own.splitlines())
        assert await w.code() == 0
        assert await _events(w) == {"Calendar": [], "Other": ["Team"]}


@pytest.mark.parametrize("why_not", ["pull", "read-only"])
async def test_an_edit_does_not_follow_a_file_to_where_nothing_is_sent_from(
    tmp_path: Path, why_not: str
) -> None:
    """The calendar it came to is followed one way by now: the event gets a file where it is."""
    async with world(tmp_path) as w:
        file, _ = await _followed(w, HALL)
        if why_not == "pull":
            w.settings = replace(w.settings, direction="pull")
        else:
            next(
                one for one in w.box.folders.calendars.values() if one.name == "Other"
            ).can_edit = False
        await w.open_mailbox()

        await w.code()
        await w.code()

        assert await _places(w) == {"Calendar": ["Hall"], "Other": [""]}
        assert b"LOCATION" not in file.read_bytes()
        assert b"LOCATION:Hall" in (w.folder / file.name).read_bytes()


async def test_an_edit_follows_a_file_whose_time_cannot_be_sent(tmp_path: Path) -> None:
    """It moved with an unknown zone: its time is held where it is, and all else goes on."""
    async with world(tmp_path) as w:
        file, _ = await _followed(w, HALL)
        data = file.read_bytes()
        file.write_bytes(re.sub(b"DTSTART;TZID=[^:]*", b"DTSTART;TZID=Nowhere", data))

        assert await w.code() == 4

        assert await _events(w) == {"Calendar": [], "Other": ["Plan"]}
        assert await _places(w) == {"Calendar": [], "Other": ["Hall"]}
        assert b"LOCATION:Hall" in file.read_bytes()


async def _never_agreed(w: World) -> None:
    """The state was lost, and the first calendar's item is linked without a common base."""
    [calendar] = [one for one in await w.store.calendars() if one.name == "Calendar"]
    [record] = await w.store.all_items(calendar.key)
    bare = replace(record, base_local=None, base_remote=None)
    await w.store.commit(calendar.key, [PutItem(bare)])


@pytest.mark.parametrize("readable", [True, False])
async def test_a_moved_event_that_was_never_agreed_on_meets_its_file(
    tmp_path: Path, readable: bool
) -> None:
    """They are weighed as they are; where the file does not tell its time, the event has its own."""
    async with world(tmp_path, conflict="remote") as w:
        file, _ = await _followed(w, HALL)
        await _never_agreed(w)
        if not readable:
            data = file.read_bytes()
            file.write_bytes(re.sub(b"DTSTART;TZID=[^:]*", b"DTSTART;TZID=Nowhere", data))

        code = await w.code()

        places = {"Calendar": [], "Other": ["Hall"]}
        there_twice = {"Calendar": ["Hall"], "Other": [""]}
        assert (code, await _places(w)) == ((0, places) if readable else (4, there_twice))


async def test_a_text_that_a_newer_version_makes_of_the_same_html_follows_nowhere(
    tmp_path: Path,
) -> None:
    """Nobody edited the event: it goes, and the file that moved stays as it is."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("Plan", *TEN, body=html(RICH)))
        w.box.folders.add("Other")
        assert await w.code() == 0
        there = w.root / "export" / "work" / w.folders()["Other"]
        [calendar] = [one for one in await w.store.calendars() if one.name == "Calendar"]
        [record] = await w.store.all_items(calendar.key)
        await w.store.commit(calendar.key, [PutItem(_converted(w, record))])
        _move(w.folder, there)
        await _only(w, "Other")

        assert await w.code() == 0

        assert await _events(w) == {"Calendar": [], "Other": ["Plan"]}
        [file] = there.glob("*.ics")
        assert b"DESCRIPTION:* Hi Bob *" in file.read_bytes()
        assert await _found(w) == []
