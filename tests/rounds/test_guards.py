"""
What suspicious deletions and suspicious folders, mailboxes and states do: nothing, until a person
says so. Judged by the requests that reached the service and by the files that are there.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import icalendar
import pytest

from syncd.core.ids import FileName
from syncd.core.state import Problem
from syncd.core.wire.graph import ICAL_UID_PROPERTY
from syncd.ports import FileOutcome, FileTrouble, FileWork
from syncd.shell.mailbox import TWO_LOOKS_APART_S, WAIT_FOR_DOUBT_S
from syncd.simulator.faults import FaultKind, Faults
from syncd.vdir import folder as folder_module
from syncd.vdir.disk import Content
from syncd.vdir.folder import VdirFolder
from tests.rounds.world import World, event, ics, world
from tests.shell import cli_world

AT = ("2026-03-05T10:00:00", "2026-03-05T10:30:00")
SIDES = pytest.mark.parametrize("side", ["local", "remote"])
HOUR_S = 3600.0


async def _filled(w: World, known: int) -> None:
    """A calendar that both sides have whole, since yesterday."""
    for number in range(known):
        w.box.create(w.calendar, event(f"E{number:03}", *AT))
    assert await w.code() == 0
    w.clock.advance(24 * HOUR_S)
    w.clear()


def _vanish(w: World, side: str, count: int) -> set[str]:
    """Let some items go on one side; their subjects."""
    if side == "local":
        paths = sorted(w.folder.glob("*.ics"))[:count]
        gone = {_subject(path) for path in paths}
        for path in paths:
            path.unlink()
        return gone
    items = w.box.items(w.calendar)[:count]
    for item in items:
        w.box.delete(item.immutable_id)
    return {item.values["subject"] for item in items}


def _subject(path: Path) -> str:
    [line] = [one for one in path.read_text().splitlines() if one.startswith("SUMMARY:")]
    return line.removeprefix("SUMMARY:")


def _carried_over(w: World, side: str, known: int) -> int:
    """How many deletions went to the other side, by its own account."""
    deletes = len(w.requests("DELETE"))
    if side == "local":
        assert len(w.box.items(w.calendar)) == known - deletes
        return deletes
    assert deletes == 0
    return known - len(w.names())


def _listed(problem: Problem) -> set[str]:
    assert problem.kind == "held-deletions"
    return {item["summary"] for item in problem.items}


def _while_it_waits(
    w: World, monkeypatch: pytest.MonkeyPatch, *acts: tuple[float, Callable[[], object]]
) -> None:
    """Act while a round waits just so many seconds, one after the other."""
    sleep, waiting = w.clock.sleep, list(acts)

    async def slow(seconds: float) -> None:
        await sleep(seconds)
        if waiting and waiting[0][0] == seconds:
            waiting.pop(0)[1]()

    monkeypatch.setattr(w.clock, "sleep", slow)


# --- how many deletions are believed -------------------------------------------------------------


@SIDES
@pytest.mark.parametrize(
    ("known", "gone", "leave"),
    [
        (60, 1, 1),
        (60, 10, 10),
        (60, 11, 0),
        (60, 31, 0),
        (60, 60, 0),
        (200, 20, 20),
        (200, 22, 0),
    ],
)
async def test_deletions_at_once(
    tmp_path: Path, side: str, known: int, gone: int, leave: int
) -> None:
    """Up to ten, or up to a tenth, all leave; of more none does, and each is listed."""
    async with world(tmp_path) as w:
        await _filled(w, known)
        went = _vanish(w, side, gone)

        assert await w.code() == (0 if leave else 4)

        assert _carried_over(w, side, known) == leave
        listed = [_listed(one) for one in await w.store.problems()]
        assert listed == ([] if leave else [went])


@SIDES
@pytest.mark.parametrize(
    ("known", "slices", "leave"),
    [
        (60, [1] * 11, 10),
        (60, [5] * 6 + [1], 10),
        (60, [5] * 12, 10),
        (200, [20, 20, 62], 20),
    ],
)
async def test_deletions_trickled_over_half_an_hour(
    tmp_path: Path, side: str, known: int, slices: list[int], leave: int
) -> None:
    """Those within the limit leave; from there on none does, also when the hour is over."""
    async with world(tmp_path) as w:
        await _filled(w, known)
        went: list[str] = []
        for count in slices:
            went += sorted(_vanish(w, side, count))
            await w.code()
            w.clock.advance(HOUR_S / 2 / len(slices))

        w.clock.advance(HOUR_S)
        assert await w.code() == 4

        assert _carried_over(w, side, known) == leave
        [problem] = await w.store.problems()
        assert _listed(problem) == set(went[leave:])


@SIDES
@pytest.mark.parametrize(("minutes", "code", "leave"), [(59, 4, 10), (61, 0, 20)])
async def test_the_count_is_fresh_after_an_hour(
    tmp_path: Path, side: str, minutes: int, code: int, leave: int
) -> None:
    """Ten deletions, and ten more."""
    async with world(tmp_path) as w:
        await _filled(w, 60)
        _vanish(w, side, 10)
        assert await w.code() == 0
        w.clock.advance(minutes * 60)
        _vanish(w, side, 10)

        assert await w.code() == code

        assert _carried_over(w, side, 60) == leave


async def test_each_side_has_its_own_count_of_the_same_items(tmp_path: Path) -> None:
    """A tenth of the items of an hour ago may go on either side, first there, then here."""
    async with world(tmp_path) as w:
        await _filled(w, 200)
        _vanish(w, "remote", 20)
        assert await w.code() == 0
        _vanish(w, "local", 20)

        assert await w.code() == 0

        assert len(w.requests("DELETE")) == 20
        assert len(w.names()) == len(w.box.items(w.calendar)) == 160


async def test_too_many_on_both_sides_are_two_lists(tmp_path: Path) -> None:
    """In one round; each is decided by itself."""
    async with world(tmp_path) as w:
        await _filled(w, 60)
        there = {item.values["subject"] for item in w.box.items(w.calendar)[:11]}
        paths = [one for one in sorted(w.folder.glob("*.ics")) if _subject(one) not in there][:12]
        here = {_subject(path) for path in paths}
        for path in paths:
            path.unlink()
        _vanish(w, "remote", 11)

        assert await w.code() == 4
        assert w.writes() == []
        assert len(w.names()) == 48
        lists = {one.code: one for one in await w.store.problems()}
        assert _listed(lists["local-deletions"]) == here
        assert _listed(lists["remote-deletions"]) == there

        await w.decide(lists["local-deletions"], "approved")
        assert await w.code() == 4
        assert len(w.requests("DELETE")) == 12
        assert len(w.names()) == 48
        assert [one.code for one in await w.store.problems()] == ["remote-deletions"]


async def test_calendars_are_counted_one_by_one(tmp_path: Path) -> None:
    """Ten of each leave; the eleventh of one is held there alone."""
    async with world(tmp_path) as w:
        other = w.box.folders.add("Other")
        for number in range(60):
            w.box.create(other.id, event(f"O{number:03}", *AT))
        await _filled(w, 60)
        folder = w.folder.with_name("Other")
        for path in sorted(folder.glob("*.ics"))[:10]:
            path.unlink()
        _vanish(w, "local", 10)
        assert await w.code() == 0
        assert len(w.requests("DELETE")) == 20

        next(folder.glob("*.ics")).unlink()
        assert await w.code() == 4

        assert len(w.requests("DELETE")) == 20
        assert [one.calendar for one in await w.store.problems()] == ["Other"]


async def test_a_deletion_in_doubt_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of eight got lost, and no look is believed yet: three more are too many."""
    async with world(tmp_path, faults=Faults()) as w:
        await _filled(w, 60)
        for item in w.box.items(w.calendar):
            w.box.patch(item.default_id, {"importance": "high"})
        assert await w.code() == 0
        _vanish(w, "local", 8)
        w.server.faults.script(FaultKind.TIMEOUT_BEFORE, method="^DELETE$", times=8)
        _while_it_waits(
            w,
            monkeypatch,
            (TWO_LOOKS_APART_S, lambda: None),
            (
                TWO_LOOKS_APART_S,
                lambda: w.server.faults.script(FaultKind.LAGGING, "^GET$", "/events/", times=16),
            ),
            (WAIT_FOR_DOUBT_S, lambda: _vanish(w, "local", 3)),
        )

        assert await w.code() == 4

        assert len(w.names()) == 49
        assert len(w.box.items(w.calendar)) == 60


# --- what a person decides -----------------------------------------------------------------------


async def _held(w: World, side: str, count: int) -> Problem:
    _vanish(w, side, count)
    assert await w.code() == 4
    [problem] = await w.store.problems()
    return problem


@SIDES
async def test_approve_does_exactly_what_was_listed(tmp_path: Path, side: str) -> None:
    """What vanished after the list was shown is listed anew, and alone."""
    async with world(tmp_path) as w:
        await _filled(w, 20)
        problem = await _held(w, side, 12)
        await w.decide(problem, "approved")
        late = _vanish(w, side, 2)

        assert await w.code() == 4

        assert _carried_over(w, side, 20) == 12
        [problem] = await w.store.problems()
        assert _listed(problem) == late
        await w.decide(problem, "approved")
        assert await w.code() == 0
        assert len(w.names()) == len(w.box.items(w.calendar))


def _throttle(w: World, method: str, *, skip: int) -> None:
    """Let some writes through; from then on the mailbox is to be left alone for an hour."""
    w.server.faults.script(
        FaultKind.THROTTLED, method, "/events", times=100, skip=skip, retry_after_s=int(HOUR_S)
    )


async def test_an_approved_list_outlasts_a_pause(tmp_path: Path) -> None:
    """The service stops after three of sixteen: the others go later, and nobody is asked again."""
    async with world(tmp_path, faults=Faults()) as w:
        await _filled(w, 20)
        await w.decide(await _held(w, "local", 16), "approved")
        _throttle(w, "^DELETE$", skip=3)
        await w.code()
        assert len(w.box.items(w.calendar)) == 17
        w.server.faults.clear()
        w.clock.advance(HOUR_S)

        assert await w.code(fresh=True) == 0

        assert len(w.box.items(w.calendar)) == 4


async def test_an_approved_import_outlasts_a_pause(tmp_path: Path) -> None:
    """The service stops after three of thirty creates: the others follow, each once."""
    async with world(tmp_path, faults=Faults()) as w:
        w.folder.mkdir(parents=True)
        for number in range(30):
            w.write(f"{number}.ics", ics(f"u{number}", f"Event {number}"))
        assert await w.code() == 4
        [problem] = await w.store.problems()
        await w.decide(problem, "approved")
        _throttle(w, "^POST$", skip=3)
        await w.code()
        assert len(w.box.items(w.calendar)) == 3
        w.server.faults.clear()
        w.clock.advance(HOUR_S)

        assert await w.code(fresh=True) == 0

        assert len({item.values["subject"] for item in w.box.items(w.calendar)}) == 30
        assert len(w.box.items(w.calendar)) == 30


@SIDES
async def test_discard_undoes_for_the_folder(tmp_path: Path, side: str) -> None:
    """Deleted files are back; files of deleted events stay, and stay by themselves."""
    async with world(tmp_path) as w:
        await _filled(w, 20)
        before = {path.name: path.read_bytes() for path in w.folder.glob("*.ics")}
        await w.decide(await _held(w, side, 12), "discarded")

        assert await w.code() == 0

        assert {path.name: path.read_bytes() for path in w.folder.glob("*.ics")} == before
        assert w.writes() == []
        assert len(w.box.items(w.calendar)) == (20 if side == "local" else 8)
        for path in w.folder.glob("*.ics"):
            w.clock.advance(1)
            path.write_bytes(path.read_bytes().replace(b"SUMMARY:", b"SUMMARY:Still "))
        assert await w.code() == 0
        assert len(w.requests("PATCH")) == len(w.writes()) == len(w.box.items(w.calendar))


async def test_a_decision_counts_once(tmp_path: Path) -> None:
    """Put back after `discard`, and deleted again: held again."""
    async with world(tmp_path) as w:
        await _filled(w, 20)
        await w.decide(await _held(w, "local", 12), "discarded")
        assert await w.code() == 0

        await _held(w, "local", 12)

        assert w.writes() == []


async def test_an_emptied_folder_of_meetings_is_asked_about_twice_and_no_more(
    tmp_path: Path,
) -> None:
    """`approve` of the list, then of each cancellation: they go, and the list does not return."""
    async with world(tmp_path) as w:
        guest = {"emailAddress": {"address": "bob@example.org"}, "type": "required"}
        for name in ("A", "B", "C"):
            w.box.create(w.calendar, event(name, *AT) | {"attendees": [guest]})
        assert await w.code() == 0
        await w.decide(await _held(w, "local", 3), "approved")
        assert await w.code() == 4
        assert await w.code() == 4
        assert {one.kind for one in await w.store.problems()} == {"held-mail"}
        assert w.mails() == []

        for problem in await w.store.problems():
            await w.decide(problem, "approved")
        assert await w.code() == 0

        assert [mail.kind for mail in w.mails()] == ["cancellation"] * 3
        assert w.box.items(w.calendar) == []


# --- what only looks like deletions --------------------------------------------------------------


@pytest.mark.parametrize("rename", [False, True])
async def test_files_that_are_back_at_the_second_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rename: bool
) -> None:
    """A file syncer removes and makes them anew, `git checkout` under other names: no request."""
    async with world(tmp_path) as w:
        await _filled(w, 20)
        files = {path.name: path.read_bytes() for path in w.folder.glob("*.ics")}
        _vanish(w, "local", 20)

        def back() -> None:
            for number, (name, data) in enumerate(files.items()):
                (w.folder / (f"{number}.ics" if rename else name)).write_bytes(data)

        _while_it_waits(w, monkeypatch, (TWO_LOOKS_APART_S, back))

        assert await w.code() == 0

        assert w.writes() == []
        assert sorted(path.read_bytes() for path in w.folder.glob("*.ics")) == sorted(
            files.values()
        )


async def test_a_checkout_that_takes_longer_than_a_round(tmp_path: Path) -> None:
    """Twelve files are away for an hour and back under other names: held, and then forgotten."""
    async with world(tmp_path) as w:
        await _filled(w, 20)
        aside = tmp_path / "aside"
        aside.mkdir()
        for path in sorted(w.folder.glob("*.ics"))[:12]:
            path.rename(aside / path.name)
        assert await w.code() == 4
        w.clock.advance(HOUR_S)
        assert await w.code() == 4
        for number, path in enumerate(aside.iterdir()):
            path.rename(w.folder / f"{number}.ics")

        assert await w.code() == 0

        assert w.writes() == []
        assert await w.store.problems() == []
        assert len(w.names()) == 20


async def test_files_that_moved_to_another_calendar_do_not_count(tmp_path: Path) -> None:
    """Nothing was deleted: what is deleted afterwards is within the limits."""
    async with world(tmp_path) as w:
        w.box.folders.add("Other")
        await _filled(w, 40)
        for path in sorted(w.folder.glob("*.ics"))[:30]:
            path.rename(w.root / "export" / "work" / "Other" / path.name)
        assert await w.code() == 0
        assert len(w.box.items(w.calendar)) == 10
        w.clear()
        _vanish(w, "local", 1)

        assert await w.code() == 0

        assert len(w.requests("DELETE")) == 1


async def test_files_that_another_calendar_had_all_along_do_count(tmp_path: Path) -> None:
    """A colleague's calendar shows the same events: emptying one's own folder moves nothing."""
    async with world(tmp_path) as w:
        other = w.box.folders.add("Other")
        await _filled(w, 40)
        for item in w.box.items(w.calendar):
            w.box.create(other.id, event(item.values["subject"], *AT)).item.uid = item.uid
        assert await w.code() == 0
        w.clear()
        _vanish(w, "local", 40)

        assert await w.code() == 4

        assert w.requests("DELETE") == []
        assert len(w.box.items(w.calendar)) == len(w.box.items(other.id)) == 40


async def test_a_folder_that_is_emptied_under_our_eyes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three files are gone at the first look, all at the second: none of them is believed."""
    async with world(tmp_path) as w:
        await _filled(w, 8)
        _vanish(w, "local", 3)
        _while_it_waits(w, monkeypatch, (TWO_LOOKS_APART_S, lambda: _vanish(w, "local", 5)))

        assert await w.code() == 4

        assert w.requests("DELETE") == []


# --- one side is suddenly empty ------------------------------------------------------------------


@SIDES
@pytest.mark.parametrize(("known", "leave"), [(2, 2), (3, 0)])
async def test_everything_gone_is_suspicious_from_three_on(
    tmp_path: Path, side: str, known: int, leave: int
) -> None:
    """However far the limits are."""
    async with world(tmp_path) as w:
        await _filled(w, known)
        _vanish(w, side, known)

        assert await w.code() == (0 if leave else 4)

        assert _carried_over(w, side, known) == leave


@pytest.mark.parametrize("also", ["changed on the service", "new on the service", "new here"])
async def test_an_emptied_folder_while_something_else_happens(tmp_path: Path, also: str) -> None:
    """In the same round: the folder was emptied all the same."""
    async with world(tmp_path) as w:
        await _filled(w, 5)
        _vanish(w, "local", 5)
        if also == "new here":
            w.write("new.ics", ics("new", "New"))
        elif also == "new on the service":
            w.box.create(w.calendar, event("New", *AT))
        else:
            w.box.patch(w.box.items(w.calendar)[0].default_id, {"subject": "Changed"})

        assert await w.code() == 4

        assert w.requests("DELETE") == []
        assert len(w.names()) == 1


@pytest.mark.parametrize("also", ["new there", "edited here", "new here"])
async def test_an_emptied_mailbox_while_something_else_happens(tmp_path: Path, also: str) -> None:
    """In the same round: the mailbox was emptied all the same."""
    async with world(tmp_path) as w:
        await _filled(w, 5)
        _vanish(w, "remote", 5)
        if also == "new there":
            w.box.create(w.calendar, event("New", *AT))
        elif also == "edited here":
            w.edit("E001", b"SUMMARY:E001", b"SUMMARY:Mine")
        else:
            w.write("new.ics", ics("new", "New"))

        assert await w.code() == 4

        assert {"E000", "E002", "E003", "E004"} <= set(w.subjects())
        assert len(w.names()) == (5 if also == "edited here" else 6)


async def test_an_emptied_mailbox_of_meetings_that_are_being_edited(tmp_path: Path) -> None:
    """Their text would be kept under the problems; the files stay too until a person decides."""
    async with world(tmp_path) as w:
        for number in range(4):
            w.receive(f"R{number}", *AT)
        await _filled(w, 0)
        for number in range(4):
            w.edit(f"R{number}", b"END:VEVENT", b"CATEGORIES:Mine\r\nEND:VEVENT")
        for item in list(w.box.items(w.calendar)):
            w.box.delete(item.default_id)

        assert await w.code() == 4

        assert sorted(w.subjects()) == ["R0", "R1", "R2", "R3"]
        assert {one.code for one in await w.store.problems()} == {"remote-deletions"}


async def test_files_that_were_kept_do_not_hide_that_the_mailbox_was_emptied(
    tmp_path: Path,
) -> None:
    """Emptied, `discard`, filled by three, and emptied again."""
    async with world(tmp_path) as w:
        await _filled(w, 5)
        await w.decide(await _held(w, "remote", 5), "discarded")
        assert await w.code() == 0
        for name in ("A", "B", "C"):
            w.box.create(w.calendar, event(name, *AT))
        assert await w.code() == 0

        await _held(w, "remote", 3)

        assert len(w.names()) == 8


async def test_a_calendar_list_that_is_suddenly_empty(tmp_path: Path) -> None:
    """Every folder stays, what is deleted in it stays here, and all goes on when it is back."""
    async with world(tmp_path) as w:
        await _filled(w, 5)
        calendars = dict(w.box.folders.calendars)
        w.box.folders.calendars.clear()
        await w.code()
        assert [one.kind for one in await w.store.problems()] == ["calendar-gone"]
        gone = _vanish(w, "local", 1)

        await w.code()
        assert w.writes() == []
        assert len(w.names()) == 4

        w.box.folders.calendars.update(calendars)
        assert await w.code() == 0
        assert await w.store.problems() == []
        assert {item.values["subject"] for item in w.box.items(w.calendar)}.isdisjoint(gone)
        assert len(w.requests("DELETE")) == 1


async def test_a_calendar_that_is_listed_and_answers_404(tmp_path: Path) -> None:
    """The round fails and says so; files and events stay, and the next one goes on."""
    async with world(tmp_path, faults=Faults()) as w:
        await _filled(w, 5)
        w.server.faults.script(FaultKind.LAGGING, path="/calendarView/delta", times=1000)

        assert await w.code() == 5
        assert w.writes() == []
        assert len(w.names()) == 5

        w.server.faults.clear()
        assert await w.code() == 0
        assert await w.store.problems() == []


async def test_a_fresh_view_that_shows_nothing_of_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events answer by their ids: no file goes."""
    async with world(tmp_path) as w:
        await _filled(w, 5)
        rounds = w.service.rounds(w.box)
        rounds.forget()
        monkeypatch.setattr(type(rounds), "_all", lambda *_: iter(()))

        assert await w.code() == 0

        assert len(w.names()) == 5
        assert w.writes() == []


# --- the folder is not what it was ---------------------------------------------------------------


@dataclass(frozen=True)
class _Harm:
    """What becomes of the folder, and the code that the problem has for it."""

    does: Callable[[World], Any]
    code: str


def _replaced(w: World, path: Path, *files: str) -> None:
    shutil.rmtree(path)
    path.mkdir()
    for name in files:
        (path / name).write_bytes(ics(name, "Foreign").encode())


def _remarked(w: World, old: str, new: str) -> None:
    """Another folder, with a marker of its own."""
    marker = (w.folder / ".syncd").read_text()
    assert old in marker
    _replaced(w, w.folder, "x.ics", "y.ics")
    (w.folder / ".syncd").write_text(marker.replace(old, new))


def _unmarked(w: World) -> None:
    (w.folder / ".syncd").unlink()
    _vanish(w, "local", 3)


def _linked(w: World) -> None:
    elsewhere = w.root / "elsewhere"
    w.folder.rename(elsewhere)
    next(elsewhere.glob("*.ics")).unlink()
    w.folder.symlink_to(elsewhere)


HARMS = {
    "missing calendar folder": _Harm(lambda w: shutil.rmtree(w.folder), "folder-missing"),
    "missing account folder": _Harm(lambda w: shutil.rmtree(w.folder.parent), "folder-missing"),
    "unmounted": _Harm(lambda w: _replaced(w, w.folder), "folder-unmarked"),
    "unmounted above": _Harm(lambda w: _replaced(w, w.folder.parent), "folder-missing"),
    "another folder": _Harm(lambda w: _replaced(w, w.folder, "x.ics", "y.ics"), "folder-unmarked"),
    "another installation's": _Harm(
        lambda w: _remarked(w, '"installation": "', '"installation": "f'), "folder-foreign"
    ),
    "another calendar's": _Harm(
        lambda w: _remarked(w, '"calendar": "', '"calendar": "f'), "folder-foreign"
    ),
    "marker gone": _Harm(_unmarked, "folder-unmarked"),
    "marker spoilt": _Harm(lambda w: (w.folder / ".syncd").write_bytes(b"{"), "folder-unmarked"),
    "a link": _Harm(_linked, "folder-foreign"),
}


@pytest.mark.parametrize("name", HARMS)
async def test_a_folder_that_is_not_what_it_was(tmp_path: Path, name: str) -> None:
    """Nothing is sent, nothing is written into it, one problem; put back, all goes on."""
    async with world(tmp_path) as w:
        await _filled(w, 5)
        shutil.copytree(w.root / "export", w.root / "before")
        HARMS[name].does(w)
        w.box.patch(w.box.items(w.calendar)[0].default_id, {"subject": "Changed"})
        harmed = _tree(w.root / "export")

        assert await w.code() == 4
        assert await w.code(fresh=True) == 4

        assert w.writes() == []
        assert _tree(w.root / "export") == harmed
        [problem] = await w.store.problems()
        assert (problem.kind, problem.code) == ("folder", HARMS[name].code)
        shutil.rmtree(w.root / "export")
        (w.root / "before").rename(w.root / "export")
        assert await w.code() == 0
        assert await w.store.problems() == []
        assert w.writes() == []
        assert sorted(w.subjects()) == ["Changed", "E001", "E002", "E003", "E004"]


def _tree(root: Path) -> dict[str, bytes | None]:
    found = sorted(root.rglob("*"))
    return {
        str(one.relative_to(root)): one.read_bytes() if one.is_file() else None for one in found
    }


async def test_a_folder_whose_files_were_exchanged_for_others_deletes_nothing(
    tmp_path: Path,
) -> None:
    """Its marker is still there: what is new is made, what is gone is listed."""
    async with world(tmp_path) as w:
        await _filled(w, 5)
        gone = _vanish(w, "local", 5)
        for name in ("x", "y"):
            w.write(f"{name}.ics", ics(name, name))

        assert await w.code() == 4

        assert w.requests("DELETE") == []
        assert len(w.box.items(w.calendar)) == 7
        [problem] = await w.store.problems()
        assert _listed(problem) == gone


# --- everything changed at once ------------------------------------------------------------------


@SIDES
async def test_everything_rewritten_at_once_is_kept_in_the_history(
    tmp_path: Path, side: str
) -> None:
    """No limit holds it; each former text is there to be restored."""
    async with world(tmp_path) as w:
        await _filled(w, 20)
        before = {path.read_bytes() for path in w.folder.glob("*.ics")}
        if side == "local":
            for path in w.folder.glob("*.ics"):
                path.write_bytes(path.read_bytes().replace(b"SUMMARY:E", b"SUMMARY:Oops "))
            w.clock.advance(5)
        else:
            for item in w.box.items(w.calendar):
                w.box.patch(item.default_id, {"subject": f"Oops {item.values['subject'][1:]}"})

        assert await w.code() == 0

        oops = [f"Oops {number:03}" for number in range(20)]
        assert sorted(w.subjects()) == oops
        assert sorted(item.values["subject"] for item in w.box.items(w.calendar)) == oops
        assert {one.before for one in await w.store.history(None, 200)} >= before


async def test_everything_emptied_at_once_is_held_file_by_file(tmp_path: Path) -> None:
    """A full disk left files of no bytes: the events stay as they are."""
    async with world(tmp_path) as w:
        await _filled(w, 20)
        for path in w.folder.glob("*.ics"):
            path.write_bytes(b"")
        w.clock.advance(5)

        assert await w.code() == 4

        assert w.writes() == []
        assert {one.kind for one in await w.store.problems()} == {"unreadable"}
        assert len(await w.store.problems()) == 20


@pytest.mark.parametrize("at", range(1, 7))
async def test_an_emptied_folder_whose_marker_cannot_be_read_for_a_moment_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Nothing is written into it before it is told that it was emptied: it would not look so then."""
    async with world(tmp_path) as w:
        await _filled(w, 4)
        for path in w.folder.glob("*.ics"):
            path.unlink()
        w.box.create(w.calendar, event("New", "2026-03-20T10:00:00", "2026-03-20T11:00:00"))
        asked = 0

        def read(dir_fd: int, name: str) -> Content | FileTrouble:
            nonlocal asked
            asked += name == ".syncd"
            locked = name == ".syncd" and asked == at
            return FileTrouble(FileName(name), "unreadable", "") if locked else real(dir_fd, name)

        real = folder_module.read_file
        monkeypatch.setattr(folder_module, "read_file", read)
        assert await w.code(fresh=True) == 5
        w.clock.advance(60)

        assert await w.code() == 4

        assert w.writes() == []
        assert [one.code for one in await w.store.problems()] == ["local-deletions"]


@pytest.mark.parametrize(("left", "code"), [(0, 4), (1, 0)])
async def test_a_folder_that_is_emptied_while_a_file_is_on_its_way_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int, code: int
) -> None:
    """What a round wrote after all else was gone makes it no folder with one file left."""
    async with world(tmp_path) as w:
        await _filled(w, 5)
        w.box.create(w.calendar, event("New", "2026-03-20T10:00:00", "2026-03-20T11:00:00"))
        real = VdirFolder.work

        async def work(self: VdirFolder, jobs: Sequence[FileWork]) -> list[FileOutcome]:
            for path in sorted(w.folder.glob("*.ics"))[left:]:
                path.unlink()
            return await real(self, jobs)

        with monkeypatch.context() as patched:
            patched.setattr(VdirFolder, "work", work)
            await w.code()
        w.clock.advance(60)

        assert await w.code() == code

        assert len(w.requests("DELETE")) == (0 if code else 4)


async def test_some_of_the_files_of_a_first_sync_may_go_at_once(tmp_path: Path) -> None:
    """All of them are new; that says nothing of those that are deleted."""
    async with world(tmp_path) as w:
        for number in range(8):
            w.box.create(w.calendar, event(f"E{number}", *AT))
        await w.code()
        _vanish(w, "local", 4)
        w.clock.advance(60)

        assert await w.code() == 0

        assert len(w.requests("DELETE")) == 4


# --- the state is of another, the clock is wrong -------------------------------------------------


@pytest.mark.parametrize("years", [-5, 5])
async def test_a_clock_that_is_years_off(tmp_path: Path, years: int) -> None:
    """It pulls and sends as ever; the window and the hour are those of the service's clock."""
    async with world(tmp_path) as w:
        await _filled(w, 20)
        _vanish(w, "local", 9)
        assert await w.code() == 0
        off = timedelta(days=365 * years)
        w.service.now = lambda: w.clock.now() - off
        w.clock.jump(off.total_seconds())
        w.clear()
        edited, gone = w.subjects()[:2]
        w.box.create(w.calendar, event("News", *AT))
        w.edit(edited, f"SUMMARY:{edited}".encode(), b"SUMMARY:Mine")
        [item] = [one for one in w.box.items(w.calendar) if one.values["subject"] == gone]
        w.box.delete(item.default_id)

        assert await w.code() == 0
        assert "clock.off" in {name for name, _ in w.facts}
        there = sorted(item.values["subject"] for item in w.box.items(w.calendar))
        assert sorted(w.subjects()) == there
        assert {"News", "Mine"} <= set(there)
        views = [one for one in w.requests() if "delta?startdatetime" in one]
        assert all("startdatetime=2025-12-03" in one for one in views)

        _vanish(w, "local", 2)
        assert await w.code() == 4
        assert w.requests("DELETE") == []


def test_a_state_of_a_newer_version(tmp_path: Path) -> None:
    """Every command that needs it ends with 2; not one byte of it changes, and nobody is asked."""
    with cli_world.world(tmp_path) as here:
        here.event("Stand-up")
        assert here.syncd("sync").code == 0
        [path] = (tmp_path / "state").glob("*.db")
        conn = sqlite3.connect(path)
        conn.execute("INSERT INTO _sqlite_migrations VALUES (999, 'syncd', 'm999', 'now')")
        conn.commit()
        conn.close()
        before = path.read_bytes()
        here.server.requests.clear()
        here.files()[0].unlink()

        for command in ("sync", "status", "problems", "agenda", "log"):
            done = here.syncd(command)
            assert done.code == 2
            assert "newer version" in done.err

        assert path.read_bytes() == before
        assert here.server.requests.entries == []


async def test_what_was_kept_here_alone_is_followed_again_with_its_event(tmp_path: Path) -> None:
    """Discarded, deleted here, made again in Outlook: it is an item like any other."""
    async with world(tmp_path) as w:
        await _filled(w, 5)
        await w.decide(await _held(w, "remote", 5), "discarded")
        assert await w.code() == 0
        gone = min(w.folder.glob("*.ics"))
        uid = str(icalendar.Calendar.from_ical(gone.read_bytes()).walk("VEVENT")[0]["UID"])
        gone.unlink()
        named = {"singleValueExtendedProperties": [{"id": ICAL_UID_PROPERTY, "value": uid}]}
        made = w.box.create(w.calendar, event("Back", *AT) | named)
        assert await w.code() == 0

        w.box.patch(made.id, {"location": {"displayName": "Hall"}})
        assert await w.code() == 0
        w.edit("Back", b"SUMMARY:Back", b"SUMMARY:Edited")
        assert await w.code() == 0

        assert [one.values["subject"] for one in w.box.items(w.calendar)] == ["Edited"]
        [file] = [
            one.read_bytes() for one in w.folder.glob("*.ics") if b"Edited" in one.read_bytes()
        ]
        assert b"LOCATION:Hall" in file
