"""What ATTACH lines of a file bring along hangs on its event, once, and a link takes their place."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.core.state import DropOutbox
from syncd.core.wire.exchange import Answer
from syncd.ports import Answered
from syncd.shell.config_model import MailPolicy
from syncd.simulator.attachments import FileContent, attachment_id
from syncd.simulator.faults import FaultKind
from tests.rounds.test_attached import MENU, WEEKLY, lines, lunch
from tests.rounds.test_cut_short import kill_at_commit, killed
from tests.rounds.test_outbox import LOST, odd
from tests.rounds.world import World, ics, world

SOUP = b"soup\n"
AT = ("2026-03-10T10:00:00", "2026-03-10T11:00:00")
SEND = MailPolicy("send", "send", "send", "send")
GUEST = {"emailAddress": {"address": "bob@example.org"}, "type": "required"}


def line(data: bytes = SOUP, name: str = "menu.txt", media: str = "text/plain") -> str:
    """An ATTACH line that holds a file."""
    content = b64encode(data).decode()
    return f"ATTACH;FMTTYPE={media};FILENAME={name};ENCODING=BASE64;VALUE=BINARY:{content}"


def bring_along(w: World, *texts: str, subject: str = "Lunch") -> None:
    """Write lines into a file, as an editor does."""
    added = "".join(f"{one}\r\n" for one in texts).encode()
    w.edit(subject, b"SUMMARY:", added + b"SUMMARY:")


def there(w: World, subject: str = "Lunch") -> list[tuple[str, bytes]]:
    """What hangs on an event on the service."""
    [item] = [one for one in w.box.items(w.calendar) if one.values["subject"] == subject]
    return [
        (one.draft.name, one.draft.content.data)
        for one in item.attachments
        if isinstance(one.draft.content, FileContent)
    ]


@pytest.mark.parametrize("recurrence", [None, WEEKLY], ids=["single", "series"])
async def test_a_file_in_a_line_is_attached_once_and_a_link_takes_its_place(
    tmp_path: Path, recurrence: object
) -> None:
    async with world(tmp_path) as w:
        lunch(w, recurrence=recurrence)
        await w.code()
        bring_along(w, line(), line(b"\x00\xff", "map.png", "image/png"))

        assert await w.code() == 0

        assert sorted(there(w)) == [("map.png", b"\x00\xff"), ("menu.txt", SOUP)]
        plan, menu = lines(w, "Lunch")
        assert (";FILENAME=menu.txt;" in menu, ";FILENAME=map.png;" in plan) == (True, True)
        assert all("X-SYNCD-ATTACHMENT-ID=" in one and ":https://" in one for one in (plan, menu))
        w.clear()
        assert await w.code() == 0
        assert w.writes() == []


async def test_what_is_attached_in_outlook_as_well_has_lines_beside(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        lunch(w, replace(MENU, name="old.txt"))
        await w.code()
        bring_along(w, line())

        assert await w.code() == 0

        assert [name for name, _ in there(w)] == ["old.txt", "menu.txt"]
        assert len(lines(w, "Lunch")) == 2


async def test_inline_keeps_the_content_in_the_line(tmp_path: Path) -> None:
    async with world(tmp_path, attachments="inline") as w:
        lunch(w)
        await w.code()
        bring_along(w, line())

        assert await w.code() == 0
        assert await w.code() == 0

        [menu] = lines(w, "Lunch")
        assert "X-SYNCD-ATTACHMENT-ID=" in menu
        assert menu.endswith(b64encode(SOUP).decode())
        assert there(w) == [("menu.txt", SOUP)]


@pytest.mark.parametrize(
    "kind",
    [FaultKind.TIMEOUT_BEFORE, FaultKind.TIMEOUT_AFTER, FaultKind.RESET_AFTER, FaultKind.NOT_JSON],
)
async def test_a_lost_answer_attaches_nothing_twice(tmp_path: Path, kind: FaultKind) -> None:
    """It is looked for; what did not get through goes once more after a while."""
    async with world(tmp_path) as w:
        lunch(w)
        await w.code()
        bring_along(w, line())
        w.server.faults.script(kind, method="^POST$", path="/attachments$")

        await w.code()
        w.clock.advance(130)
        await w.code()

        assert there(w) == [("menu.txt", SOUP)]
        assert ["X-SYNCD-ATTACHMENT-ID=" in one for one in lines(w, "Lunch")] == [True]
        assert await w.code() == 0


async def test_an_answer_that_a_kill_swallowed_attaches_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service had it, and nothing here knew."""

    def is_settled(changes: Any) -> bool:
        return any(isinstance(one, DropOutbox) for one in changes)

    async with world(tmp_path) as w:
        lunch(w)
        await w.code()
        bring_along(w, line())
        kill_at_commit(monkeypatch, is_settled)
        await killed(w)
        assert there(w) == [("menu.txt", SOUP)]

        assert await w.code() == 0

        assert there(w) == [("menu.txt", SOUP)]
        assert ["X-SYNCD-ATTACHMENT-ID=" in one for one in lines(w, "Lunch")] == [True]


async def test_what_hangs_there_already_is_not_sent_again(tmp_path: Path) -> None:
    """The state was lost, or a program dropped what tells that a line is ours."""
    async with world(tmp_path) as w:
        lunch(w, MENU, replace(MENU, content=FileContent(b"else\n")))
        await w.code()
        bring_along(w, line())
        await w.lose_state()
        w.clear()

        await w.code(fresh=True)
        assert await w.code() == 0

        assert w.writes() == []
        assert sorted(there(w)) == [("menu.txt", b"else\n"), ("menu.txt", SOUP)]
        assert ["X-SYNCD-ATTACHMENT-ID=" in one for one in lines(w, "Lunch")] == [True, True]


async def test_a_list_that_lags_behind_has_nothing_sent_again(tmp_path: Path) -> None:
    """Another copy of the mailbox, which has not seen it yet, answers right after."""
    async with world(tmp_path) as w:
        identity = lunch(w)
        await w.code()
        before = w.box.find(identity).item.values["hasAttachments"]
        remote = await odd(w)
        bring_along(w, line())
        for _ in range(3):
            remote.say("GET", "/attachments", Answer(200, {}, b'{"value": []}'))

        for _ in range(3):
            await w.code()
        w.clock.advance(130)
        assert await w.code() == 0

        assert before is False
        assert there(w) == [("menu.txt", SOUP)]
        assert ["X-SYNCD-ATTACHMENT-ID=" in one for one in lines(w, "Lunch")] == [True]


async def test_guests_are_invited_once_to_a_meeting_that_has_it_all(tmp_path: Path) -> None:
    """What is attached after the invitation would reach them with the next mail alone."""
    async with world(tmp_path, mail=SEND) as w:
        await w.code()
        people = ("ORGANIZER:mailto:me@example.org", "ATTENDEE:mailto:bob@example.org")
        w.write("new.ics", ics("new", "Lunch", *_STAMPS, *people, line()))

        assert await w.code() == 0

        posts = [one.split("?")[0].rpartition("/")[2] for one in w.requests("POST")]
        assert posts == ["events", "attachments"]
        assert [list(body) for body in w.bodies("PATCH")] == [["attendees"]]
        assert [mail.kind for mail in w.mails()] == ["invitation"]
        assert there(w) == [("menu.txt", SOUP)]


_STAMPS = ("20260310T100000", "20260310T110000")


async def test_what_is_attached_to_a_meeting_mails_nobody(tmp_path: Path) -> None:
    async with world(tmp_path, mail=MailPolicy("never", "never", "never", "never")) as w:
        lunch(w, attendees=[GUEST])
        await w.code()
        w.service.ledger.clear()
        bring_along(w, line())

        assert await w.code() == 0

        assert there(w) == [("menu.txt", SOUP)]
        assert w.service.ledger == []


async def test_a_refused_file_is_told_once_and_holds_up_nothing(tmp_path: Path) -> None:
    """It is not sent again before its file is another; the other one went."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        lunch(w)
        await w.code()
        refusal = Answered(Answer(413, {}, b'{"error": {"code": "ErrorMessageSizeExceeded"}}'))
        bring_along(w, line(), line(b"tea\n", "tea.txt"))
        remote.say("POST", "/attachments", refusal)

        assert await w.code() == 4
        assert await w.code() == 4
        w.clear()
        assert await w.code() == 4

        assert w.writes() == []
        assert [name for name, _ in there(w)] == ["tea.txt"]
        [problem] = await w.store.problems()
        assert problem.kind == "refused"
        w.edit("Lunch", b"SUMMARY:Lunch", b"SUMMARY:Dinner")
        await w.code()
        assert w.bodies("PATCH") == [{"subject": "Dinner"}]


async def test_a_line_in_somebody_elses_meeting_stays_where_it_is(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.receive("Lunch", *AT)
        await w.code()
        bring_along(w, line())
        w.clear()

        assert await w.code() == 0

        assert w.writes() == []
        assert lines(w, "Lunch") == [line()]


@pytest.mark.parametrize(
    "text",
    [
        line().replace("c291cAo=", "no base64!"),
        line(b""),
        "ATTACH;FILENAME=passwd:file:///etc/passwd",
        "ATTACH:https://example.org/x.pdf",
        "ATTACH:CID:1",
    ],
)
async def test_other_lines_are_left_alone(tmp_path: Path, text: str) -> None:
    """A file elsewhere on this machine least of all is sent: whoever wrote the line may not read it."""
    async with world(tmp_path) as w:
        lunch(w)
        await w.code()
        bring_along(w, text)
        await w.code()
        w.clear()

        assert await w.code() == 0

        assert lines(w, "Lunch") == [text]
        assert [one for one in w.requests() if one.endswith("/attachments")] == []
        assert there(w) == []


async def test_a_large_file_is_held_with_the_way_to_send_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        lunch(w)
        await w.code()
        bring_along(w, line(b"x" * 3_000_000, "big.bin"))
        w.clear()

        assert await w.code() == 4

        assert w.writes() == []
        [problem] = await w.store.problems()
        assert (problem.code, "syncd attach UID add" in problem.hint) == ("large-attachment", True)
        assert lines(w, "Lunch") == [line(b"x" * 3_000_000, "big.bin")]


async def test_off_sends_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, attachments="off") as w:
        lunch(w)
        await w.code()
        bring_along(w, line())
        w.clear()

        assert await w.code() == 0

        assert (w.writes(), lines(w, "Lunch")) == ([], [line()])


@pytest.mark.parametrize("name", ["../../.bashrc", "a/b\\menu.txt", "..", ""])
async def test_a_hostile_name_is_one_without_folders(tmp_path: Path, name: str) -> None:
    async with world(tmp_path) as w:
        lunch(w)
        await w.code()
        bring_along(w, line(name=name))

        assert await w.code() == 0

        [(sent, _)] = there(w)
        assert sent in (".bashrc", "menu.txt", "attachment")


# --- taken away ----------------------------------------------------------------------------------


def take_out(w: World, subject: str = "Lunch") -> bytes:
    """Remove the first ATTACH line of a file; the line."""
    found = re.search(rb"ATTACH;.*\r\n(?: .*\r\n)*", w.path(subject).read_bytes())
    assert found
    w.edit(subject, found[0], b"")
    return found[0]


async def test_a_line_that_is_taken_out_takes_its_attachment_away_where_it_may(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, delete_attachments=True) as w:
        lunch(w, MENU, replace(MENU, name="other.txt"))
        await w.code()
        take_out(w)
        w.clear()

        assert await w.code() == 0

        assert [one.split(" ")[0] for one in w.writes()] == ["DELETE"]
        assert len(there(w)) == len(lines(w, "Lunch")) == 1
        w.clear()
        assert await w.code() == 0
        assert w.writes() == []


@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT_BEFORE, FaultKind.TIMEOUT_AFTER])
async def test_it_goes_though_the_answer_is_lost(tmp_path: Path, kind: FaultKind) -> None:
    async with world(tmp_path, delete_attachments=True) as w:
        lunch(w, MENU)
        await w.code()
        take_out(w)
        w.server.faults.script(kind, method="^DELETE$", path="/attachments/")

        await w.code()
        assert await w.code() == 0

        assert (there(w), lines(w, "Lunch"), await w.store.problems()) == ([], [], [])


async def test_what_is_taken_out_without_a_network_goes_later(tmp_path: Path) -> None:
    async with world(tmp_path, delete_attachments=True) as w:
        lunch(w, MENU)
        await w.code()
        take_out(w)
        w.patience_s = 1.0
        await w.open_mailbox()
        w.server.faults.script(FaultKind.UNAVAILABLE, path="calendarView", times=50)
        await w.code()
        assert there(w) != []
        w.server.faults.clear()
        w.clock.advance(600)

        assert await w.code(fresh=True) == 0

        assert (there(w), lines(w, "Lunch")) == ([], [])


async def test_a_line_that_is_back_keeps_its_attachment(tmp_path: Path) -> None:
    """It was taken out on a train, and put back before the network was."""
    async with world(tmp_path, delete_attachments=True) as w:
        lunch(w, MENU)
        await w.code()
        out = take_out(w)
        w.patience_s = 1.0
        await w.open_mailbox()
        w.server.faults.script(FaultKind.UNAVAILABLE, path="calendarView", times=50)
        await w.code()
        w.edit("Lunch", b"SUMMARY:", out + b"SUMMARY:")
        w.server.faults.clear()
        w.clock.advance(600)
        w.clear()

        assert await w.code(fresh=True) == 0
        assert await w.code() == 0

        assert w.requests("DELETE") == []
        assert there(w) == [("menu.txt", SOUP)]


async def test_a_line_that_a_program_saves_again_takes_nothing_away(tmp_path: Path) -> None:
    """An editor had the file open, and its own line has become one of ours meanwhile."""
    async with world(tmp_path, delete_attachments=True) as w:
        lunch(w)
        await w.code()
        bring_along(w, line())
        opened = w.path("Lunch").read_bytes()
        await w.code()
        w.clock.advance(5)
        w.path("Lunch").write_bytes(opened)
        w.clear()

        assert await w.code() == 0
        assert await w.code() == 0

        assert w.requests("DELETE") == []
        assert there(w) == [("menu.txt", SOUP)]


async def test_a_program_that_drops_what_makes_a_line_ours_takes_nothing_away(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, delete_attachments=True) as w:
        lunch(w, MENU)
        await w.code()
        data = w.path("Lunch").read_bytes().replace(b"\r\n ", b"")
        w.clock.advance(5)
        w.path("Lunch").write_bytes(re.sub(rb";X-SYNCD-ATTACHMENT-ID=[^;:]*", b"", data))

        assert await w.code() == 0

        assert there(w) == [("menu.txt", SOUP)]


async def test_many_lines_that_go_at_once_take_nothing_away(tmp_path: Path) -> None:
    """That is a program that does not know such lines; a person is told."""
    async with world(tmp_path, delete_attachments=True) as w:
        lunch(w, *(replace(MENU, name=f"{number}.txt") for number in range(11)))
        await w.code()
        data = w.path("Lunch").read_bytes()
        w.clock.advance(5)
        w.path("Lunch").write_bytes(re.sub(rb"ATTACH;.*\r\n(?: .*\r\n)*", b"", data))

        assert await w.code() == 0

        assert len(there(w)) == 11
        assert [one.code for one in await w.store.problems()] == ["many-detached"]


async def test_what_was_taken_out_is_in_the_history(tmp_path: Path) -> None:
    async with world(tmp_path, attachments="inline", delete_attachments=True) as w:
        lunch(w, MENU)
        await w.code()
        [uid] = [one.uid for one in await w.store.all_items((await w.store.calendars())[0].key)]
        take_out(w)

        await w.code()

        texts = [one.before for one in await w.store.history(uid, 20)]
        assert any(b64encode(SOUP) in one.replace(b"\r\n ", b"") for one in texts)


async def test_a_take_out_goes_though_the_list_has_news(tmp_path: Path) -> None:
    """Our own writing of the lines that are there does not count as a person's."""
    async with world(tmp_path, delete_attachments=True) as w:
        identity = lunch(w, MENU)
        await w.code()
        take_out(w)
        w.box.attach(identity, replace(MENU, name="new.txt"))

        await w.code()
        assert await w.code() == 0

        assert [name for name, _ in there(w)] == ["new.txt"]
        assert [";FILENAME=new.txt;" in one for one in lines(w, "Lunch")] == [True]


async def test_what_was_taken_out_stays_there_once_the_configuration_says_so(
    tmp_path: Path,
) -> None:
    """The wish waited for the network meanwhile."""
    async with world(tmp_path, delete_attachments=True) as w:
        lunch(w, MENU)
        await w.code()
        take_out(w)
        w.patience_s = 1.0
        await w.open_mailbox()
        w.server.faults.script(FaultKind.UNAVAILABLE, path="calendarView", times=50)
        await w.code()
        w.server.faults.clear()
        w.settings = replace(w.settings, delete_attachments=False)
        w.clock.advance(600)

        assert await w.code(fresh=True) == 0

        assert there(w) == [("menu.txt", SOUP)]


async def test_what_hangs_on_somebody_elses_meeting_is_not_taken_away(tmp_path: Path) -> None:
    async with world(tmp_path, delete_attachments=True) as w:
        w.receive("Lunch", *AT)
        [item] = w.box.items(w.calendar)
        w.box.attach(item.default_id, MENU)
        await w.code()
        take_out(w)
        w.clear()

        assert await w.code() == 0

        assert (w.writes(), there(w)) == ([], [("menu.txt", SOUP)])


# --- what the service may answer -----------------------------------------------------------------


async def test_a_list_that_lags_is_asked_once_a_round(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        identity = lunch(w)
        await w.code()
        bring_along(w, line())
        await w.code()
        [item] = [one for one in w.box.items(w.calendar) if one.values["subject"] == "Lunch"]
        w.box.detach(identity, attachment_id(identity, item.attachments[0].key))
        w.clear()

        await w.code()

        assert sum("/attachments?" in one for one in w.requests("GET")) <= 2
        w.clock.advance(130)
        assert await w.code() == 0
        assert lines(w, "Lunch") == []


@pytest.mark.parametrize("status", [404, 409, 412, 423])
async def test_what_would_be_answered_so_again_is_sent_once_a_sync(
    tmp_path: Path, status: int
) -> None:
    async with world(tmp_path) as w:
        remote = await odd(w)
        lunch(w)
        await w.code()
        bring_along(w, line())
        for _ in range(20):
            remote.say("POST", "/attachments", Answered(Answer(status, {}, b"{}")))

        await w.code()

        assert len(remote.asked) == 1


async def test_what_cannot_be_looked_up_is_asked_about(tmp_path: Path) -> None:
    """The answer was lost, and the list is refused."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        lunch(w)
        await w.code()
        bring_along(w, line())
        remote.say("POST", "/attachments", LOST, passed=True)
        for _ in range(60):
            remote.say("GET", "/attachments", Answer(403, {}, b"{}"))
        await w.code()
        w.clock.advance(121)

        assert await w.code() == 4

        [problem] = await w.store.problems()
        assert problem.kind == "in-doubt"
        remote.told.clear()
        await w.decide(problem, "discarded")
        assert await w.code() == 0
        assert there(w) == [("menu.txt", SOUP)]


async def test_what_a_person_has_sent_again_is_looked_for_first(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        remote = await odd(w)
        lunch(w)
        await w.code()
        bring_along(w, line())
        remote.say("POST", "/attachments", LOST, passed=True)
        for _ in range(60):
            remote.say("GET", "/attachments", Answer(403, {}, b"{}"))
        await w.code()
        w.clock.advance(121)
        await w.code()
        [problem] = await w.store.problems()
        await w.decide(problem, "approved")
        remote.told.clear()
        remote.say("GET", "/attachments", Answer(403, {}, b"{}"))

        await w.code()
        assert await w.code() == 0

        assert there(w) == [("menu.txt", SOUP)]
        assert await w.store.problems() == []


async def test_an_answer_that_names_no_attachment_has_it_looked_for(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        remote = await odd(w)
        lunch(w)
        await w.code()
        bring_along(w, line())
        remote.say("POST", "/attachments", Answered(Answer(201, {}, b"{}")), passed=True)

        await w.code()
        assert await w.code() == 0

        assert there(w) == [("menu.txt", SOUP)]
        assert ["X-SYNCD-ATTACHMENT-ID=" in one for one in lines(w, "Lunch")] == [True]


async def test_what_was_in_doubt_goes_with_its_event(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        remote = await odd(w)
        identity = lunch(w)
        await w.code()
        bring_along(w, line())
        remote.say("POST", "/attachments", LOST, then=lambda: w.box.delete(identity))

        await w.code()
        w.clock.advance(600)
        await w.code()

        [calendar] = await w.store.calendars()
        assert await w.store.outbox(calendar.key) == []


async def test_a_line_in_a_file_whose_event_was_deleted_is_in_the_history(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        identity = lunch(w)
        await w.code()
        [uid] = [one.uid for one in await w.store.all_items((await w.store.calendars())[0].key)]
        bring_along(w, line())
        w.box.delete(identity)

        await w.code()

        texts = [one.before for one in await w.store.history(uid, 20)]
        assert any(line().encode() in one.replace(b"\r\n ", b"") for one in texts)


async def test_seven_files_of_one_name_are_seven(tmp_path: Path) -> None:
    """The answer to the last one is lost."""
    async with world(tmp_path) as w:
        remote = await odd(w)
        lunch(w)
        await w.code()
        bring_along(w, *(line(b"%d\n" % number) for number in range(6)))
        await w.code()
        bring_along(w, line(b"6\n"))
        remote.say("POST", "/attachments", LOST, passed=True)

        await w.code()
        w.clock.advance(130)
        assert await w.code() == 0

        assert sorted(data for _, data in there(w)) == [b"%d\n" % number for number in range(7)]


# --- files that move -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["link", "off"])
async def test_what_hangs_on_an_event_is_not_lost_when_its_file_moves(
    tmp_path: Path, form: Any
) -> None:
    """It would not follow to another calendar, and be deleted with the event that was left."""
    async with world(tmp_path, attachments=form) as w:
        lunch(w, MENU)
        w.box.folders.add("Other")
        await w.code()
        other = w.root / "export" / "work" / w.folders()["Other"]
        path = w.path("Lunch")
        path.rename(other / path.name)

        await w.code()
        await w.code()

        assert there(w) == [("menu.txt", SOUP)]


async def test_a_file_that_brings_it_along_takes_its_attachment_to_another_calendar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was attached, and a kill kept its line from giving way."""

    def is_settled(changes: Any) -> bool:
        return any(isinstance(one, DropOutbox) for one in changes)

    async with world(tmp_path) as w:
        lunch(w)
        w.box.folders.add("Other")
        await w.code()
        bring_along(w, line())
        kill_at_commit(monkeypatch, is_settled)
        await killed(w)
        other = w.root / "export" / "work" / w.folders()["Other"]
        path = w.path("Lunch")
        path.rename(other / path.name)

        await w.code()
        assert await w.code() == 0

        [calendar] = [one for one in await w.store.calendars() if one.name == "Other"]
        [item] = w.box.items(calendar.id)
        assert [one.draft.name for one in item.attachments] == ["menu.txt"]
        assert list(w.box.items(w.calendar)) == []


async def test_what_is_attached_in_outlook_as_its_file_moves_keeps_the_event(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        identity = lunch(w)
        w.box.folders.add("Other")
        await w.code()
        other = w.root / "export" / "work" / w.folders()["Other"]
        path = w.path("Lunch")
        path.rename(other / path.name)
        w.box.attach(identity, MENU)

        await w.code()
        await w.code()

        assert there(w) == [("menu.txt", SOUP)]
        assert [";FILENAME=menu.txt" in one for one in lines(w, "Lunch")] == [True]


# --- events that are made anew, states that are lost ---------------------------------------------


async def test_an_event_that_is_made_anew_has_no_lines_for_what_hung_on_the_one_before(
    tmp_path: Path,
) -> None:
    """It was deleted in Outlook while its file was edited; what hung on it went along."""
    async with world(tmp_path) as w:
        identity = lunch(w, MENU)
        await w.code()
        w.edit("Lunch", b"SUMMARY:Lunch", b"SUMMARY:Dinner")
        w.box.delete(identity)

        assert await w.code() == 0
        assert await w.code() == 0

        assert (there(w, "Dinner"), lines(w, "Dinner")) == ([], [])


async def test_what_was_attached_while_the_state_was_lost_has_its_line(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        identity = lunch(w)
        await w.code()
        await w.lose_state()
        w.box.attach(identity, MENU)

        assert await w.code(fresh=True) == 0
        assert await w.code() == 0

        assert [";FILENAME=menu.txt" in one for one in lines(w, "Lunch")] == [True]


async def test_a_line_that_an_old_text_brings_back_gives_way_to_the_link_again(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        lunch(w)
        await w.code()
        bring_along(w, line())
        opened = w.path("Lunch").read_bytes()
        await w.code()
        w.clock.advance(5)
        w.path("Lunch").write_bytes(opened.replace(b"SUMMARY:Lunch", b"SUMMARY:Soup"))

        assert await w.code() == 0
        assert await w.code() == 0

        assert there(w, "Soup") == [("menu.txt", SOUP)]
        assert ["X-SYNCD-ATTACHMENT-ID=" in one for one in lines(w, "Soup")] == [True]
