"""What is asked of a mailbox by a command while it is out of reach, or its answer gets lost."""

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from syncd.core.ids import AccountName
from syncd.core.state import Errand
from syncd.shell.commands.run import run_daemon
from syncd.shell.config import load_config
from syncd.shell.directory_wishes import CreateCalendar, ShareCalendar, Wish, wish_to_json
from syncd.simulator.faults import FaultKind
from syncd.simulator.folders import Person
from syncd.simulator.tokens import ALL_SCOPES, StaticTokens
from syncd.store.store import Store
from tests.shell.attach_world import a_file, attached, lunch, lunch_world, plant
from tests.shell.cli_world import ME, World, at, guest, world
from tests.shell.test_daemon import Facts


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds nobody at the address does not try again."""
    monkeypatch.setattr("syncd.graph.transport.most_tries", lambda error: 1)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    """A mailbox with the calendar "Team", which is followed."""
    with world(tmp_path) as made:
        made.mailbox.folders.add("Team")
        assert isinstance(made.server.tokens, StaticTokens)
        made.server.tokens.scopes = frozenset(ALL_SCOPES)
        assert made.syncd("sync").code == 0
        made.server.requests.clear()
        yield made


def offline(here: World) -> None:
    here.config.write_text(
        here.config.read_text().replace(here.server.base_url, "http://127.0.0.1:9/v1.0")
    )


def online(here: World) -> None:
    here.config.write_text(
        here.config.read_text().replace("http://127.0.0.1:9/v1.0", here.server.base_url)
    )


def calendars(here: World) -> list[str]:
    return [one.name for one in here.mailbox.folders.calendars.values()]


def groups(here: World) -> list[str]:
    return [one.name for one in here.mailbox.folders.groups.values()][2:]


def writes(here: World) -> list[str]:
    return [one.method for one in here.server.requests.entries if one.method != "GET"]


def listed(here: World) -> list[tuple[str, str]]:
    """Codes and summaries of what is open."""
    return [(one["code"], one["summary"]) for one in here.syncd("problems", "--json").json]


def keep(here: World, wish: Wish, state: str, before: tuple[str, ...] = ()) -> None:
    """A wish as a kill leaves it behind."""
    asked = msgspec.json.encode(wish_to_json(wish))
    now = datetime.now(UTC)
    left_at = None if state == "ready" else now
    errand = Errand(
        *(0, AccountName("work"), "directory", asked, "do it"),
        state,  # type: ignore[arg-type]
        *(now, asked, left_at, before),
    )

    async def put() -> None:
        store = await Store.open(here.folder / "state" / "state.db")
        await store.new_errand(errand)
        await store.close()

    asyncio.run(put())


EVERY = (
    ("calendars", "create", "Apollo"),
    ("calendars", "rename", "Apollo", "Gemini"),
    ("calendars", "color", "Gemini", "lightRed"),
    ("calendars", "share", "Gemini", "bob@example.org", "--role", "read", "--yes"),
    ("calendars", "share", "Gemini", "bob@example.org", "--remove", "--yes"),
    ("calendars", "default", "Gemini"),
    ("calendars", "delete", "Team", "--yes"),
    ("groups", "create", "Clubs"),
    ("groups", "rename", "Clubs", "Teams"),
    ("groups", "delete", "Teams", "--yes"),
    ("categories", "create", "Urgent", "--color", "Red"),
    ("categories", "color", "Urgent", "Teal"),
    ("categories", "delete", "Urgent", "--yes"),
)


def test_everything_waits_and_goes_in_its_order(here: World) -> None:
    """Each may build on the one before."""
    offline(here)
    for words in EVERY:
        done = here.syncd(*words)
        assert (done.code, "Kept for later" in done.out, done.err) == (0, True, "")
    assert writes(here) == []
    assert len(here.syncd("status", "--json").json["asked"]) == len(EVERY)
    assert [code for code, _ in listed(here)] == ["kept-wish"] * len(EVERY)

    online(here)
    assert here.syncd("sync").code == 0

    assert listed(here) == [("calendar-gone", "")]
    assert calendars(here) == ["Calendar", "Gemini"]
    assert (groups(here), list(here.mailbox.folders.categories)) == ([], [])
    assert (here.export / "work" / "Apollo").is_dir() or (here.export / "work" / "Gemini").is_dir()
    assert here.syncd("status", "--json").json["asked"] == []


def test_what_waits_goes_before_what_is_asked_now(here: World) -> None:
    offline(here)
    here.syncd("calendars", "create", "Apollo")
    online(here)

    done = here.syncd("calendars", "rename", "Apollo", "Gemini")

    assert (done.code, calendars(here)) == (0, ["Calendar", "Team", "Gemini"])
    assert listed(here) == []


def test_it_is_done_once(here: World) -> None:
    """The same asked for twice while it waits is one; what is done is not done again."""
    offline(here)
    for _ in range(2):
        here.syncd("calendars", "create", "Apollo")
    online(here)

    for _ in range(3):
        here.syncd("sync")

    assert calendars(here) == ["Calendar", "Team", "Apollo"]
    assert writes(here) == ["POST"]


def color(here: World, name: str) -> str:
    [found] = [one for one in here.mailbox.folders.calendars.values() if one.name == name]
    return found.color


def test_the_last_word_counts(here: World) -> None:
    """Also where it is the first one again, and where it is given while earlier ones wait."""
    offline(here)
    for word in ("lightRed", "lightBlue", "lightRed"):
        here.syncd("calendars", "color", "Team", word)
    online(here)
    assert here.syncd("sync").code == 0
    assert color(here, "Team") == "lightRed"

    offline(here)
    here.syncd("calendars", "color", "Team", "lightGreen")
    online(here)
    assert here.syncd("calendars", "color", "Team", "lightBlue").code == 0
    here.syncd("sync")
    assert color(here, "Team") == "lightBlue"


def test_a_share_that_was_ended_stays_ended(here: World) -> None:
    here.syncd(*SHARE)
    offline(here)
    here.syncd(*SHARE[:-2], "write", "--yes")
    online(here)

    here.syncd("calendars", "share", "Team", "bob@example.org", "--remove", "--yes")
    here.syncd("sync")

    assert [one["address"] for one in here.syncd("calendars", "share", "Team", "--json").json] == [
        ""
    ]
    assert mailed(here) == [("bob@example.org",)]


def test_a_name_that_changes_hands_while_it_waits(here: World) -> None:
    """What is asked for later is about what has the name by then."""
    offline(here)
    here.syncd("calendars", "rename", "Team", "Old")
    here.syncd("calendars", "create", "Team")
    here.syncd(*SHARE)
    online(here)

    assert here.syncd("sync").code == 0

    shared = {
        name: [one["address"] for one in here.syncd("calendars", "share", name, "--json").json]
        for name in ("Old", "Team")
    }
    assert shared == {"Old": [""], "Team": ["bob@example.org", ""]}


@pytest.mark.parametrize("how", ["refused", "discarded"])
def test_what_was_to_be_done_with_what_was_not_made_is_not_done(here: World, how: str) -> None:
    """The new calendar was to be deleted, not the old one that has its name still."""
    offline(here)
    here.syncd("calendars", "rename", "Team", "Old")
    here.syncd("calendars", "create", "Team")
    here.syncd("calendars", "delete", "Team", "--yes")
    if how == "discarded":
        for one in here.syncd("problems", "--json").json[:2]:
            here.syncd("discard", one["id"], "--yes")
    online(here)
    if how == "refused":
        here.server.faults.script(FaultKind.PRECONDITION, method="PATCH", path="calendars")

    for _ in range(2):
        assert here.syncd("sync").code == 0

    assert "Team" in calendars(here)
    assert {code for code, _ in listed(here)} == {"not-done"}


def test_what_builds_on_what_builds_on_it_is_not_done_either(here: World) -> None:
    """Another calendar may have the last of the names."""
    here.mailbox.folders.add("Gemini")
    offline(here)
    here.syncd("calendars", "create", "Apollo")
    here.syncd("calendars", "rename", "Apollo", "Gemini")
    here.syncd("calendars", "delete", "Gemini", "--yes")
    online(here)
    apollo = here.syncd("problems", "--json").json[0]["id"]
    here.syncd("discard", apollo, "--yes")

    assert here.syncd("sync").code == 0

    assert calendars(here) == ["Calendar", "Team", "Gemini"]
    assert [code for code, _ in listed(here)] == ["not-done"] * 2


def test_the_last_word_counts_behind_one_in_doubt(here: World) -> None:
    team = next(one for one in here.mailbox.folders.calendars.values() if one.name == "Team")
    here.syncd(*SHARE)
    keep(here, ShareCalendar(team.id, "bob@example.org", "read"), "sent")
    offline(here)
    here.syncd("calendars", "share", "Team", "bob@example.org", "--remove", "--yes")
    online(here)

    assert here.syncd(*SHARE).code == 0
    assert here.syncd("sync").code == 0

    shares = here.syncd("calendars", "share", "Team", "--json").json
    assert [one["address"] for one in shares] == ["bob@example.org", ""]


def test_a_target_that_is_none_touches_nothing(here: World) -> None:
    offline(here)
    here.syncd("calendars", "delete", "Team", "--yes")
    online(here)

    assert here.syncd("sync", "work/Typo").code == 2

    assert calendars(here) == ["Calendar", "Team"]


@pytest.mark.parametrize("words", [("rename", "A/B", "Gemini"), ("delete", "A/B", "--yes")])
def test_a_target_that_changes_its_name_or_goes(here: World, words: tuple[str, ...]) -> None:
    """It is the same calendar, under whatever name."""
    here.mailbox.folders.add("A/B")
    assert here.syncd("sync").code == 0
    offline(here)
    here.syncd("calendars", *words)
    online(here)

    done = here.syncd("sync", "work/A/B")

    assert (done.code, "Gemini" in done.out) == (0, "Gemini" in words)


def test_an_answer_in_a_calendar_that_goes_is_told(here: World) -> None:
    """It waits for nothing any more."""
    team = next(one for one in here.mailbox.folders.calendars.values() if one.name == "Team")
    body = {"subject": "Invitation", "start": at("14:00"), "end": at("15:00")}
    carol = Person("Carol", "carol@example.org")
    here.mailbox.receive(team.id, {**body, "attendees": [guest(ME)]}, carol)
    assert here.syncd("sync").code == 0
    offline(here)
    here.syncd("calendars", "delete", "Team", "--yes")
    online(here)

    done = here.syncd("respond", "--match", "Invitation", "accept", "--yes")

    assert (done.code, "not in the mailbox any more" in done.err) == (2, True)
    assert sorted(code for code, _ in listed(here)) == ["calendar-gone", "respond-not-sent"]


def test_what_is_asked_of_another_mailbox_is_not_kept(here: World) -> None:
    offline(here)
    here.syncd("calendars", "create", "Apollo")
    online(here)
    state = sqlite3.connect(here.folder / "state" / "state.db")
    with state:
        state.execute("UPDATE account SET user_id = 'another'")
    state.close()

    done = here.syncd("calendars", "create", "Beta")

    assert (done.code, "another mailbox" in done.err) == (2, True)
    assert [summary for _, summary in listed(here)] == ["create the calendar 'Apollo'"]


def test_a_trouble_of_the_daemon_ends_with_what_it_was_about(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.shell.daemon.ERRANDS_TICK_S", 0.05)
    monkeypatch.setattr("syncd.shell.schedule.FIRST_RETRY_S", 0.05)
    keep(here, CreateCalendar("Apollo"), "sent")

    def discard() -> None:
        [problem] = here.syncd("problems", "--json").json
        assert here.syncd("discard", problem["id"], "--yes").code == 0

    async def daemon() -> None:
        stop, facts = asyncio.Event(), Facts()
        running = asyncio.create_task(run_daemon(load_config(here.config), stop, observe=facts))
        await facts.until(lambda: told(facts, "trouble.began"))
        await asyncio.to_thread(discard)
        await facts.until(lambda: told(facts, "trouble.ended"))
        stop.set()
        await running

    def told(facts: Facts, what: str) -> bool:
        return any("errands" in one["subject"] for one in facts.named(what))

    asyncio.run(daemon())


def test_what_waits_is_not_lost_by_asking_again_in_vain(here: World) -> None:
    offline(here)
    here.syncd("calendars", "create", "Apollo")
    online(here)
    here.server.faults.script(FaultKind.NOT_JSON, method="GET", path="/me")

    assert here.syncd("calendars", "create", "Apollo").code == 5
    here.server.faults.clear()
    here.syncd("sync")

    assert calendars(here) == ["Calendar", "Team", "Apollo"]


def test_what_cannot_be_done_yet_is_told_and_holds_up_nothing_else(here: World) -> None:
    offline(here)
    here.syncd("categories", "create", "Urgent")
    here.syncd("calendars", "create", "Apollo")
    online(here)
    here.server.faults.script(FaultKind.NOT_JSON, method="GET", path="masterCategories", times=9)

    done = here.syncd("sync")

    assert (done.code, "failed" in done.out) == (5, True)
    assert calendars(here) == ["Calendar", "Team", "Apollo"]
    here.server.faults.clear()
    assert here.syncd("sync").code == 0
    assert list(here.mailbox.folders.categories) != []


def test_a_refused_look_is_no_answer(here: World) -> None:
    """It was made, its answer was lost, and the list is not to be had for a moment."""
    here.server.faults.script(FaultKind.RESET_AFTER, method="POST", path="/calendars")
    here.server.faults.script(FaultKind.LAGGING, method="GET", path=r"/calendars\?", skip=1)

    first = here.syncd("calendars", "create", "Apollo")
    here.syncd("sync")

    assert first.code in (0, 5)
    assert calendars(here) == ["Calendar", "Team", "Apollo"]
    assert (writes(here), listed(here)) == (["POST"], [])


def test_a_dry_run_names_it(here: World) -> None:
    offline(here)
    here.syncd("calendars", "delete", "Team", "--yes")
    online(here)

    assert "delete the calendar 'Team'" in here.syncd("sync", "--dry-run").out
    [first, *_] = here.syncd("sync", "--dry-run", "--json").json
    assert [one["what"] for one in first["plan"]] == ["delete the calendar 'Team'"]


def test_it_is_about_the_calendar_that_was_meant(here: World) -> None:
    """Whatever that is called by then, and whatever has its name."""
    offline(here)
    here.syncd("calendars", "delete", "Team", "--yes")
    [team] = [one for one in here.mailbox.folders.calendars.values() if one.name == "Team"]
    team.name = "Old"
    here.mailbox.folders.add("Team")
    online(here)

    assert here.syncd("sync").code == 0

    assert calendars(here) == ["Calendar", "Team"]


def test_what_cannot_be_any_more_is_told_and_not_done(here: World) -> None:
    offline(here)
    here.syncd("groups", "create", "Clubs")
    here.mailbox.folders.create_group({"name": "Clubs"})
    online(here)

    assert here.syncd("sync").code == 0

    assert groups(here) == ["Clubs"]
    [problem] = here.syncd("problems", "--json").json
    assert problem["code"] == "not-done"
    assert "there is a calendar group 'Clubs' already" in problem["reason"]
    assert here.syncd("discard", problem["id"], "--yes").code == 0
    assert listed(here) == []


def test_it_can_be_taken_back(here: World) -> None:
    offline(here)
    here.syncd("calendars", "create", "Apollo")
    [problem] = here.syncd("problems", "--json").json
    assert "Apollo" in here.syncd("problems", "show", problem["id"]).out

    assert here.syncd("discard", problem["id"], "--yes").code == 0
    online(here)
    here.syncd("sync")

    assert calendars(here) == ["Calendar", "Team"]


def test_what_goes_with_it_is_shown_as_far_as_it_is_known(here: World) -> None:
    """Nothing is kept by a dry run."""
    here.event("Lunch")
    here.syncd("sync")
    offline(here)

    done = here.syncd("calendars", "delete", "Calendar", "--dry-run")

    assert done.code == 0
    assert "this is what is known here" in done.out
    assert "1 item known here" in done.out
    assert listed(here) == []


@pytest.mark.parametrize("state", ["sent", "doubt"])
def test_after_a_kill_it_is_looked_for_and_not_sent_again(here: World, state: str) -> None:
    """It had taken effect: nobody has to do anything."""
    before = tuple(one.id for one in here.mailbox.folders.calendars.values())
    here.mailbox.folders.add("Apollo")
    keep(here, CreateCalendar("Apollo"), state, before)

    assert here.syncd("sync").code == 0

    assert (writes(here), listed(here)) == ([], [])
    assert (here.export / "work" / "Apollo").is_dir()


def test_after_a_kill_what_is_not_seen_is_waited_for(here: World) -> None:
    """It may take effect yet; by then it is neither sent again nor forgotten."""
    keep(here, CreateCalendar("Apollo"), "sent")

    assert here.syncd("sync").code == 5
    again = here.syncd("calendars", "create", "Apollo")

    assert (again.code, "nothing of it is to be seen" in again.err) == (5, True)
    assert writes(here) == []
    [problem] = here.syncd("problems", "--json").json
    assert problem["code"] == "asked-in-doubt"
    assert "may have been done" in here.syncd("discard", problem["id"], "--yes").out
    assert (listed(here), here.syncd("sync").code) == ([], 0)


def test_before_it_left_a_kill_costs_nothing(here: World) -> None:
    keep(here, CreateCalendar("Apollo"), "ready")

    assert here.syncd("sync").code == 0

    assert calendars(here) == ["Calendar", "Team", "Apollo"]


def test_a_lost_answer_is_looked_into_by_the_next_sync(here: World) -> None:
    """The request had got through, and the list was behind."""
    here.server.faults.script(FaultKind.RESET_AFTER, method="POST", path="calendarGroups")
    here.server.faults.script(FaultKind.RESET_BEFORE, method="GET", path="calendarGroups", skip=1)
    assert here.syncd("groups", "create", "Clubs").code == 5
    here.server.faults.clear()

    assert here.syncd("sync").code == 0

    assert (groups(here), listed(here)) == (["Clubs"], [])
    assert writes(here) == ["POST"]


SHARE = ("calendars", "share", "Team", "bob@example.org", "--role", "read", "--yes")


def mailed(here: World) -> list[tuple[str, ...]]:
    return [one.to for one in here.service.ledger]


@pytest.mark.parametrize(
    ("fault", "mails"), [(None, 1), (FaultKind.RESET_AFTER, 1), (FaultKind.RESET_BEFORE, 0)]
)
def test_a_share_mails_once(here: World, fault: FaultKind | None, mails: int) -> None:
    """Answered, or the answer lost: whoever is invited hears of it once, if at all."""
    if fault is not None:
        here.server.faults.script(fault, method="POST", path="calendarPermissions")
    assert here.syncd(*SHARE).code == (0 if mails else 5)

    for _ in range(2):
        assert here.syncd("sync").code == (0 if mails else 5)

    assert mailed(here) == [("bob@example.org",)] * mails
    assert writes(here) == ["POST"]


@pytest.mark.parametrize("mails", [0, 1])
def test_a_share_that_was_cut_short_mails_nobody_twice(here: World, mails: int) -> None:
    """Killed before it left, or after: it is looked for, and not sent again."""
    [team] = [one for one in here.mailbox.folders.calendars.values() if one.name == "Team"]
    if mails:
        here.syncd(*SHARE)
    keep(here, ShareCalendar(team.id, "bob@example.org", "read"), "sent")

    for _ in range(2):
        assert here.syncd("sync").code == (0 if mails else 5)

    assert mailed(here) == [("bob@example.org",)] * mails
    assert len(listed(here)) == 1 - mails


def test_signed_out(here: World) -> None:
    """It waits for the login, and says so."""
    here.configure(auth='method = "command"\ncommand = ["false"]')

    done = here.syncd("groups", "create", "Clubs")
    here.configure()
    here.syncd("sync")

    assert (done.code, "Kept for later" in done.out) == (3, True)
    assert groups(here) == ["Clubs"]


def test_the_daemon_takes_it_up(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as the mailbox is in reach."""
    monkeypatch.setattr("syncd.shell.daemon.ERRANDS_TICK_S", 0.05)
    offline(here)
    here.syncd("calendars", "create", "Apollo")
    online(here)

    async def daemon() -> None:
        stop, facts = asyncio.Event(), Facts()
        running = asyncio.create_task(run_daemon(load_config(here.config), stop, observe=facts))
        await facts.until(
            lambda: any(one["calendar"] == "Apollo" for one in facts.named("calendar.joined"))
        )
        stop.set()
        await running

    asyncio.run(daemon())
    assert calendars(here) == ["Calendar", "Team", "Apollo"]
    assert listed(here) == []


# --- attachments ---------------------------------------------------------------------------------


@pytest.fixture
def at_lunch(tmp_path: Path) -> Iterator[World]:
    with lunch_world(tmp_path) as made:
        yield made


def test_a_file_waits_and_is_attached_once(at_lunch: World) -> None:
    path = a_file(at_lunch)
    offline(at_lunch)
    for _ in range(2):
        done = lunch(at_lunch, "add", str(path))
        assert (done.code, "Kept for later" in done.out) == (0, True)
    [(code, summary)] = listed(at_lunch)
    assert (code, summary) == ("kept-wish", "attach 'menu.txt' to Lunch")
    online(at_lunch)

    for _ in range(2):
        assert at_lunch.syncd("sync").code == 0

    assert attached(at_lunch) == [("menu.txt", path.read_bytes())]
    assert listed(at_lunch) == []


def test_a_file_that_changed_meanwhile_is_not_attached(at_lunch: World) -> None:
    """Nobody asked for what it says now."""
    path = a_file(at_lunch)
    offline(at_lunch)
    lunch(at_lunch, "add", str(path))
    path.write_bytes(b"changed")
    online(at_lunch)

    assert at_lunch.syncd("sync").code == 0

    assert attached(at_lunch) == []
    assert [code for code, _ in listed(at_lunch)] == ["not-done"]


def test_a_file_that_was_taken_back_is_not_attached(at_lunch: World) -> None:
    path = a_file(at_lunch)
    offline(at_lunch)
    lunch(at_lunch, "add", str(path))
    [problem] = at_lunch.syncd("problems", "--json").json
    assert at_lunch.syncd("discard", problem["id"], "--yes").code == 0
    online(at_lunch)

    assert at_lunch.syncd("sync").code == 0

    assert attached(at_lunch) == []


def test_a_refusal_that_passes_is_waited_for(at_lunch: World) -> None:
    """Another copy of the mailbox does not find the event for a moment."""
    path = a_file(at_lunch)
    offline(at_lunch)
    lunch(at_lunch, "add", str(path))
    online(at_lunch)
    at_lunch.server.faults.script(FaultKind.PRECONDITION, method="POST", path="attachments")
    at_lunch.server.faults.script(FaultKind.LAGGING, method="GET", path="attachments")

    codes = [at_lunch.syncd("sync").code for _ in range(3)]

    assert codes[-1] == 0
    assert (attached(at_lunch), listed(at_lunch)) == ([("menu.txt", path.read_bytes())], [])


def test_a_path_that_is_no_text(at_lunch: World) -> None:
    """It is attached, and not kept where it cannot be."""
    folder = os.fsencode(at_lunch.folder / "x") + b"\xff"
    os.mkdir(folder)
    path = os.fsdecode(folder) + "/menu.txt"
    Path(path).write_bytes(b"soup")

    assert lunch(at_lunch, "add", path).code == 0
    offline(at_lunch)
    assert lunch(at_lunch, "add", path).code == 5
    assert listed(at_lunch) == []


def test_a_removal_waits(at_lunch: World) -> None:
    """What was attached is known from the last sync."""
    plant(at_lunch, "a")
    assert at_lunch.syncd("sync").code == 0
    offline(at_lunch)
    done = lunch(at_lunch, "rm", "a", "--yes")
    assert (done.code, "Kept for later" in done.out) == (0, True)
    online(at_lunch)

    for _ in range(2):
        assert at_lunch.syncd("sync").code == 0

    assert (attached(at_lunch), listed(at_lunch)) == ([], [])
    assert at_lunch.server.requests.count("DELETE") == 1
