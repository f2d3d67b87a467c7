"""What one sync does, seen from both sides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from syncd.core.errors import StateError
from tests.rounds.world import ME, event, ics, timedelta, world


async def test_a_first_sync_fills_the_folder_and_a_second_does_nothing(tmp_path: Path) -> None:
    """After the first fill a round is one delta request and no write on either side."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("Stand-up", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        w.box.create(w.calendar, event("Lunch", "2026-03-06T12:00:00", "2026-03-06T13:00:00"))
        assert await w.code() == 0
        assert sorted(w.subjects()) == ["Lunch", "Stand-up"]
        stamps = {p.name: p.stat().st_mtime_ns for p in w.folder.iterdir()}
        w.clear()

        assert await w.code() == 0

        deltas = [one for one in w.requests() if "delta" in one]
        assert len(deltas) == 1
        assert w.writes() == []
        assert {p.name: p.stat().st_mtime_ns for p in w.folder.iterdir()} == stamps


async def test_a_new_file_becomes_one_event_with_its_uid_beside_it(tmp_path: Path) -> None:
    """A file is created once, keeps its name and bytes, and its echo plans nothing."""
    async with world(tmp_path) as w:
        await w.code()
        path = w.write("my own name.ics", ics("abc@example.org", "Dentist"))
        before = path.read_bytes()

        assert await w.code() == 0
        w.clear()
        assert await w.code() == 0

        assert w.writes() == []
        assert path.read_bytes() == before
        [item] = w.box.items(w.calendar)
        assert item.values["subject"] == "Dentist"
        assert "abc@example.org" in str(item.extended)


async def test_an_edited_file_sends_only_what_changed(tmp_path: Path) -> None:
    """A subject edit is one PATCH that carries nothing but the subject."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("Old", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        w.edit("Old", b"SUMMARY:Old", b"SUMMARY:New")
        w.clear()

        assert await w.code() == 0

        [item] = w.box.items(w.calendar)
        assert item.values["subject"] == "New"
        [patch] = w.bodies("PATCH")
        assert patch == {"subject": "New"}


async def test_different_fields_changed_on_both_sides_both_stay(tmp_path: Path) -> None:
    """A local subject and a remote place end up on both sides."""
    async with world(tmp_path) as w:
        made = w.box.create(w.calendar, event("Old", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        w.edit("Old", b"SUMMARY:Old", b"SUMMARY:New")
        w.box.patch(made.id, {"location": {"displayName": "Room 2"}})

        assert await w.code() == 0

        [item] = w.box.items(w.calendar)
        assert (item.values["subject"], item.values["location"]["displayName"]) == ("New", "Room 2")
        text = w.text("New")
        assert "SUMMARY:New" in text
        assert "LOCATION:Room 2" in text


async def test_the_same_field_changed_on_both_sides_goes_by_policy(tmp_path: Path) -> None:
    """With `remote` the service wins, and the local text is listed, not lost."""
    async with world(tmp_path) as w:
        made = w.box.create(w.calendar, event("Old", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        w.edit("Old", b"SUMMARY:Old", b"SUMMARY:Mine")
        w.box.patch(made.id, {"subject": "Theirs"})

        assert await w.code() == 0

        assert w.subjects() == ["Theirs"]
        [problem] = await w.store.problems()
        assert (problem.kind, problem.needs_person) == ("conflict", False)
        assert (problem.local, problem.remote) == ("Mine", "Theirs")
        versions = await w.store.history(None, 50)
        assert any(b"SUMMARY:Mine" in one.before for one in versions)


async def test_a_deleted_file_deletes_the_event_and_a_deleted_event_the_file(
    tmp_path: Path,
) -> None:
    """Deletions cross over in both directions."""
    async with world(tmp_path) as w:
        for name in ("A", "B", "C", "D"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        w.path("A").unlink()
        [b] = [item for item in w.box.items(w.calendar) if item.values["subject"] == "B"]
        w.box.delete(b.immutable_id)

        assert await w.code() == 0

        assert sorted(w.subjects()) == ["C", "D"]
        assert sorted(i.values["subject"] for i in w.box.items(w.calendar)) == ["C", "D"]


async def test_a_rewrite_that_changes_nothing_of_meaning_causes_no_request(tmp_path: Path) -> None:
    """Another order, other folding, other stamps: not an edit."""
    async with world(tmp_path) as w:
        await w.code()
        w.write("a.ics", ics("a", "One", "20260310T100000", "20260310T110000", "LOCATION:Here"))
        await w.code()
        text = ics("a", "One", "20260310T100000", "20260310T110000", "SEQUENCE:7", "LOCATION:Here")
        w.write("a.ics", text.replace("DTSTAMP:20260101", "DTSTAMP:20260201"))
        w.clear()

        assert await w.code() == 0

        assert w.writes() == []


async def test_a_lost_state_is_linked_again_without_a_single_write(tmp_path: Path) -> None:
    """Deleting the state and syncing again makes no create, no PATCH, no delete."""
    async with world(tmp_path) as w:
        for number in range(5):
            start = f"2026-03-1{number}T10:00:00"
            w.box.create(w.calendar, event(f"E{number}", start, start.replace("T10", "T11")))
        await w.code()
        w.write("mine.ics", ics("mine@x", "Mine"))
        await w.code()
        await w.lose_state()
        before = {p.name: p.read_bytes() for p in w.folder.glob("*.ics")}
        w.clear()

        assert await w.code(fresh=True) == 0

        assert w.writes() == []
        assert {p.name: p.read_bytes() for p in w.folder.glob("*.ics")} == before
        assert await w.store.problems() == []


@pytest.mark.parametrize("mended", [True, False])
@pytest.mark.parametrize("broken", [b"", b"BEGIN:VCALENDAR\r\n<<<<<<< HEAD\r\n", b"\xff\xfe\x00"])
async def test_a_file_that_cannot_be_read_after_a_lost_state_gets_no_second_one(
    tmp_path: Path, broken: bytes, mended: bool
) -> None:
    """It bears the name that its event's file has: the event waits until it is mended or gone."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("One", "2026-03-10T10:00:00", "2026-03-10T11:00:00"))
        w.box.create(w.calendar, event("Two", "2026-03-11T10:00:00", "2026-03-11T11:00:00"))
        await w.code()
        path, text = w.path("One"), w.path("One").read_bytes()
        path.write_bytes(broken)
        await w.lose_state()
        w.clear()

        assert await w.code(fresh=True) == 4
        assert len(w.names()) == 2
        assert [one.file for one in await w.store.problems()] == [path.name]
        w.clock.advance(5)
        path.write_bytes(text) if mended else path.unlink()

        assert await w.code() == 0
        assert w.names().count(path.name) == 1
        assert sorted(w.subjects()) == ["One", "Two"]
        assert await w.store.problems() == []
        assert w.writes() == []


async def test_a_folder_with_a_few_files_is_imported_and_one_with_many_held(
    tmp_path: Path,
) -> None:
    """Eight files of a folder that was never synced are created; forty wait for `approve`."""
    async with world(tmp_path) as w:
        w.folder.mkdir(parents=True)
        for number in range(8):
            w.write(f"{number}.ics", ics(f"u{number}", f"Event {number}"))
        assert await w.code() == 0
        assert len(w.box.items(w.calendar)) == 8

    async with world(tmp_path / "second") as w:
        w.folder.mkdir(parents=True)
        for number in range(40):
            w.write(f"{number}.ics", ics(f"u{number}", f"Event {number}"))
        assert await w.code() == 4
        assert w.box.items(w.calendar) == []
        [problem] = await w.store.problems()
        assert problem.kind == "held-import"
        await w.decide(problem, "approved")
        assert await w.code() == 0
        assert len(w.box.items(w.calendar)) == 40


async def test_an_emptied_folder_is_held_until_a_person_decides(tmp_path: Path) -> None:
    """Nothing is deleted; `discard` writes the files again, `approve` deletes what it listed."""
    async with world(tmp_path) as w:
        for name in ("A", "B", "C"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        for path in w.folder.glob("*.ics"):
            path.unlink()
        w.clear()

        assert await w.code() == 4
        assert w.writes() == []
        [problem] = await w.store.problems()
        assert problem.kind == "held-deletions"
        assert sorted(one["summary"] for one in problem.items) == ["A", "B", "C"]

        await w.decide(problem, "discarded")
        assert await w.code() == 0
        assert sorted(w.subjects()) == ["A", "B", "C"]

        for path in w.folder.glob("*.ics"):
            path.unlink()
        assert await w.code() == 4
        [problem] = await w.store.problems()
        await w.decide(problem, "approved")
        assert await w.code() == 0
        assert w.box.items(w.calendar) == []


async def test_a_missing_folder_deletes_nothing(tmp_path: Path) -> None:
    """An unmounted disk is listed, and everything is as it was when it comes back."""
    async with world(tmp_path) as w:
        for name in ("A", "B", "C"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        (w.root / "export").rename(w.root / "elsewhere")
        w.clear()

        assert await w.code() == 4
        assert w.writes() == []
        assert not (w.root / "export").exists()
        [problem] = await w.store.problems()
        assert problem.kind == "folder"

        (w.root / "elsewhere").rename(w.root / "export")
        assert await w.code() == 0
        assert await w.store.problems() == []
        assert len(w.box.items(w.calendar)) == 3


async def test_deletions_in_slices_are_counted_over_the_hour(tmp_path: Path) -> None:
    """Sixty per cent deleted in slices of five: the limit holds over all slices together."""
    async with world(tmp_path) as w:
        for number in range(40):
            w.box.create(
                w.calendar, event(f"E{number}", "2026-03-05T10:00:00", "2026-03-05T10:30:00")
            )
        await w.code()
        codes = []
        for _ in range(5):
            for path in sorted(w.folder.glob("*.ics"))[:5]:
                path.unlink()
            codes.append(await w.code())
            w.clock.advance(60)

        assert codes == [0, 0, 4, 4, 4]
        assert len(w.box.items(w.calendar)) == 30


async def test_leaving_the_window_is_not_a_deletion(tmp_path: Path) -> None:
    """An event moved out of the window keeps its file, with its new time."""
    async with world(tmp_path) as w:
        made = w.box.create(w.calendar, event("Far", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        w.box.patch(
            made.id,
            {
                "start": {"dateTime": "2029-03-05T10:00:00", "timeZone": "W. Europe Standard Time"},
                "end": {"dateTime": "2029-03-05T10:30:00", "timeZone": "W. Europe Standard Time"},
            },
        )

        assert await w.code() == 0

        assert "20290305T100000" in w.text("Far")


async def test_a_dead_token_is_a_fresh_view_and_never_a_deletion(tmp_path: Path) -> None:
    """410 costs a new view; deletions meanwhile are found by asking."""
    async with world(tmp_path) as w:
        for name in ("A", "B", "C", "D"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        [a] = [item for item in w.box.items(w.calendar) if item.values["subject"] == "A"]
        w.box.delete(a.immutable_id)
        w.service.rounds(w.box).forget()

        assert await w.code() == 0

        assert sorted(w.subjects()) == ["B", "C", "D"]


async def test_a_file_that_changes_calendars_is_a_move(tmp_path: Path) -> None:
    """Created in the target, then deleted in the source, and never twice."""
    async with world(tmp_path) as w:
        other = w.box.folders.add("Other")
        made = w.box.create(
            w.calendar, event("Mover", "2026-03-05T10:00:00", "2026-03-05T10:30:00")
        )
        await w.code()
        source = w.path("Mover")
        source.rename(w.root / "export" / "work" / "Other" / source.name)

        assert await w.code() == 0
        assert await w.code() == 0

        assert w.box.items(w.calendar) == []
        [item] = w.box.items(other.id)
        assert item.values["subject"] == "Mover"
        assert made is not None


async def test_a_new_meeting_waits_for_approve_and_then_invites_once(tmp_path: Path) -> None:
    """With the default policy nothing is sent; after `approve` each person gets one mail."""
    async with world(tmp_path) as w:
        await w.code()
        people = ("ATTENDEE:mailto:bob@example.org", "ATTENDEE:mailto:eve@example.org")
        w.write("m.ics", ics("m", "Meeting", "20260310T100000", "20260310T110000", *people))
        w.clear()

        assert await w.code() == 4
        assert w.writes() == []
        [problem] = await w.store.problems()
        assert (problem.kind, problem.mail_class) == ("held-mail", "invitations")
        assert sorted(problem.to) == ["bob@example.org", "eve@example.org"]

        await w.decide(problem, "approved")
        assert await w.code() == 0
        assert await w.code() == 0
        mails = w.mails()
        assert [mail.kind for mail in mails] == ["invitation"]
        assert sorted(mails[0].to) == ["bob@example.org", "eve@example.org"]


async def test_deleting_an_organised_meeting_waits_for_approve(tmp_path: Path) -> None:
    """The cancellation goes out once, after a person said so."""
    async with world(tmp_path) as w:
        body = event("Board", "2026-03-05T10:00:00", "2026-03-05T10:30:00")
        body["attendees"] = [{"emailAddress": {"address": "bob@example.org"}, "type": "required"}]
        w.box.create(w.calendar, body)
        await w.code()
        w.path("Board").unlink()

        assert await w.code() == 4
        assert w.mails() == []
        [problem] = await w.store.problems()
        assert (problem.kind, problem.mail_class) == ("held-mail", "cancellations")

        await w.decide(problem, "approved")
        assert await w.code() == 0
        assert [mail.kind for mail in w.mails()] == ["cancellation"]
        assert w.box.items(w.calendar) == []


async def test_an_attendee_cannot_change_the_organizers_fields(tmp_path: Path) -> None:
    """The subject is put back in the same round, the category goes, nobody is mailed."""
    async with world(tmp_path) as w:
        w.receive("Review", "2026-03-05T10:00:00", "2026-03-05T10:30:00")
        await w.code()
        w.edit("Review", b"SUMMARY:Review", b"SUMMARY:Mine\r\nCATEGORIES:Red")

        assert await w.code() == 0

        [item] = w.box.items(w.calendar)
        assert item.values["subject"] == "Review"
        assert item.values["categories"] == ["Red"]
        assert w.subjects() == ["Review"]
        assert w.mails() == []
        [notice] = await w.store.problems()
        assert (notice.kind, notice.needs_person) == ("notice", False)


async def test_the_own_partstat_is_an_answer(tmp_path: Path) -> None:
    """Accepting in the file is `accept` on the service, one mail to the organizer."""
    async with world(tmp_path) as w:
        w.receive("Review", "2026-03-05T10:00:00", "2026-03-05T10:30:00")
        await w.code()
        text = w.text("Review")
        assert f"PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{ME}" in text
        w.edit("Review", b"PARTSTAT=NEEDS-ACTION;RSVP", b"PARTSTAT=ACCEPTED;RSVP")

        assert await w.code() == 0
        assert await w.code() == 0

        assert [(mail.kind, mail.response) for mail in w.mails()] == [("response", "accepted")]


async def test_the_window_slides_a_month_at_a_time(tmp_path: Path) -> None:
    """A day later the same delta link is followed; after the margin a fresh view is opened."""
    async with world(tmp_path, true_up_s=400 * 86400) as w:
        w.box.create(w.calendar, event("A", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        views = []
        for _ in range(4):
            w.clock.advance(timedelta(days=11).total_seconds())
            w.clear()
            assert await w.code() == 0
            views.append(sum("startdatetime" in one for one in w.requests()))

        assert views == [0, 0, 1, 0]


async def test_a_calendar_that_goes_keeps_its_folder_and_is_named_once(tmp_path: Path) -> None:
    """Deleted in the mailbox: every file stays, nothing is written, one notice says so."""
    async with world(tmp_path) as w:
        other = w.box.folders.add("Other")
        w.box.create(other.id, event("Kept", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        w.box.remove_calendar(other.id)
        w.clear()

        assert await w.code() == 0
        assert await w.code() == 0

        assert w.writes() == []
        assert len(list((w.root / "export" / "work" / "Other").glob("*.ics"))) == 1
        [problem] = await w.store.problems()
        assert (problem.kind, problem.needs_person) == ("calendar-gone", False)


async def test_a_new_calendar_appears_as_a_folder(tmp_path: Path) -> None:
    """Made in Outlook, synced with its name in the vdir metadata; a hostile name stays inside."""
    async with world(tmp_path) as w:
        await w.code()
        made = w.box.folders.add("../../etc: Ünï/çödé")
        w.box.create(made.id, event("There", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))

        assert await w.code() == 0

        folder = w.root / "export" / "work" / w.folders()["../../etc: Ünï/çödé"]
        assert folder.parent == w.root / "export" / "work"
        assert len(list(folder.glob("*.ics"))) == 1


async def test_a_pull_only_calendar_undoes_local_edits_and_keeps_their_text(tmp_path: Path) -> None:
    """Edited and deleted files are as the service has them after the same sync."""
    async with world(tmp_path, direction="pull") as w:
        for name in ("A", "B"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        w.edit("A", b"SUMMARY:A", b"SUMMARY:Mine")
        w.path("B").unlink()
        w.clear()

        assert await w.code() == 0

        assert w.writes() == []
        assert sorted(w.subjects()) == ["A", "B"]
        versions = await w.store.history(None, 50)
        assert any(b"SUMMARY:Mine" in one.before for one in versions)


async def test_a_changed_export_dir_is_a_new_folder_to_fill(tmp_path: Path) -> None:
    """Nothing is deleted, and the new folder has every file."""
    async with world(tmp_path) as w:
        for name in ("A", "B", "C"):
            w.box.create(w.calendar, event(name, "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        w.root = tmp_path / "new"
        w.clear()

        assert await w.code(fresh=True) == 0

        assert w.writes() == []
        assert sorted(w.subjects()) == ["A", "B", "C"]


async def test_a_file_without_an_event_after_a_lost_state_is_listed_not_created(
    tmp_path: Path,
) -> None:
    """It may have been deleted elsewhere; `resolve --take local` creates it."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        w.write("lost.ics", ics("lost", "Lost"))
        await w.lose_state()
        w.clear()

        assert await w.code(fresh=True) == 4
        assert await w.code() == 4
        assert w.writes() == []
        [problem] = await w.store.problems()
        assert problem.kind == "gone-or-new"

        await w.decide(problem, "local")
        assert await w.code() == 0
        subjects = sorted(item.values["subject"] for item in w.box.items(w.calendar))
        assert subjects == ["A", "Lost"]


async def test_another_mailbox_behind_the_same_account_is_refused(tmp_path: Path) -> None:
    """Nothing is touched when the login is suddenly somebody else's."""
    async with world(tmp_path) as w:
        w.box.create(w.calendar, event("A", "2026-03-05T10:00:00", "2026-03-05T10:30:00"))
        await w.code()
        record = await w.store.account("work")  # type: ignore[arg-type]
        assert record is not None
        await w.store.put_account(replace(record, user_id="somebody-else"))
        w.path("A").unlink()
        w.clear()

        assert await w.code() == 2
        assert w.writes() == []


async def test_another_mailbox_is_noticed_while_the_daemon_runs(tmp_path: Path) -> None:
    """By its calendars, at the next list of them; none of them gets a folder."""
    async with world(tmp_path) as w:
        await w.code()
        w.service.add_mailbox("other@example.org", "Somebody Else")
        mailbox = await w.open_mailbox()
        w.token.user = "other@example.org"
        w.clock.advance(600)

        with pytest.raises(StateError, match="another mailbox"):
            await mailbox.refresh(force=False)

        w.token.user = ME
        assert [one.name for one in await mailbox.refresh(force=False)] == ["Calendar"]
        assert await w.store.problems() == []


async def test_a_discarded_meeting_stays_a_file_until_its_guests_change(tmp_path: Path) -> None:
    """Nothing is sent and nothing listed; without the guests it is an event like any other."""
    async with world(tmp_path) as w:
        await w.code()
        guest = "ATTENDEE:mailto:bob@example.org"
        w.write("m.ics", ics("m", "Meeting", "20260310T100000", "20260310T110000", guest))
        assert await w.code() == 4
        [problem] = await w.store.problems()
        await w.decide(problem, "discarded")
        w.clear()
        assert await w.code() == 0
        assert await w.code() == 0
        assert w.writes() == []
        assert await w.store.problems() == []

        w.write("m.ics", ics("m", "Alone"))
        assert await w.code() == 0

        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["Alone"]
        assert w.mails() == []
