"""Files that change folders while others look: a move is never taken for a deletion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from syncd.core.errors import DiskTrouble
from syncd.core.mail import MailPolicy
from syncd.ports import FolderLook
from syncd.shell.mailbox import Mailbox
from syncd.vdir.folder import VdirFolder
from tests.rounds.world import World, event, world

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


async def test_nothing_follows_a_file_into_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The disk went right after the move: the edit waits, and nothing is tried again and again."""
    async with world(tmp_path) as w:
        here, there = await _two(w)
        _move(here, there)
        await _only(w, "Other")
        [item] = w.box.items(w.calendar)
        w.box.patch(item.default_id, {"location": {"displayName": "Hall"}})
        there.rename(tmp_path / "away")

        assert await w.code() == 4
        assert await w.code() == 4
        assert not there.exists()
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
