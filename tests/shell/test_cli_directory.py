"""`syncd groups`, `categories` and `rooms`: read from the service, changed there."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.ports import Answer
from syncd.shell.commands.run import run_daemon
from syncd.shell.config import check_tables, load_config
from syncd.shell.directory import Directory
from syncd.simulator.faults import FaultKind
from syncd.simulator.tokens import ALL_SCOPES, StaticTokens
from tests.shell.cli_world import ME, Done, World, syncd, world
from tests.shell.lying_service import LyingService, lying
from tests.shell.test_daemon import Facts


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    """A mailbox with the group "Projects", the category "Urgent", and rooms around it."""
    with world(tmp_path) as made:
        made.mailbox.folders.create_group({"name": "Projects"})
        made.mailbox.folders.create_category({"displayName": "Urgent", "color": "preset0"})
        made.service.add_room(
            "hood@x.org",
            "Hood",
            room_list="north@x.org",
            properties={"capacity": 8, "building": "Main", "floorNumber": 2},
        )
        made.service.add_room("rainier@x.org", "Rainier", room_list="north@x.org")
        made.service.add_room("baker@x.org", "Baker", room_list="south@x.org")
        grant(made, *ALL_SCOPES, "Place.Read.All")
        yield made


def grant(here: World, *scopes: str) -> None:
    """What tokens allow from now on."""
    assert isinstance(here.server.tokens, StaticTokens)
    here.server.tokens.scopes = frozenset(scopes)


def groups(here: World) -> list[str]:
    return [one.name for one in here.mailbox.folders.groups.values()]


def discard_all(here: World) -> None:
    """Whatever nobody knows by now is looked for no longer."""
    for one in here.syncd("problems", "--json").json:
        done = here.syncd("discard", one["id"], "--yes")
        assert (done.code, "may have been done" in done.out) == (0, True)


def categories(here: World) -> dict[str, str]:
    return {one.name: one.color for one in here.mailbox.folders.categories.values()}


def writes(here: World) -> list[str]:
    return [one.method for one in here.server.requests.entries if one.method != "GET"]


class TestGroups:
    def test_list(self, here: World) -> None:
        """Each by its name; Outlook's own are marked."""
        listed = here.syncd("groups", "--json").json

        assert [(one["group"], one["fixed"]) for one in listed] == [
            *(("My Calendars", True), ("Other Calendars", True), ("Projects", False))
        ]
        assert "Projects" in here.syncd("groups").out

    def test_show(self, here: World) -> None:
        """The calendars of a group, by its name in any case."""
        shown = here.syncd("groups", "show", "my calendars", "--json").json

        assert [(one["calendar"], one["default"], one["owner"]) for one in shown] == [
            ("Calendar", True, ME)
        ]
        assert "Calendar" in here.syncd("groups", "show", "My Calendars").out
        assert "No calendar" in here.syncd("groups", "show", "Projects").out

    def test_group_of_a_calendar(self, here: World) -> None:
        """One calendar in full names it."""
        [projects] = [g for g in here.mailbox.folders.groups.values() if g.name == "Projects"]
        here.mailbox.folders.add("Apollo", group=projects.id)

        shown = here.syncd("calendars", "show", "Apollo", "--json").json

        assert (shown["group"], shown["owner"], shown["default"]) == ("Projects", ME, False)
        assert shown["online_meetings"] == "teamsForBusiness"
        assert "group: Projects" in here.syncd("calendars", "show", "Apollo").out
        assert here.syncd("calendars", "show", "Apolo").code == 2

    def test_life_of_a_group(self, here: World) -> None:
        """Made, renamed, deleted."""
        done = [
            here.syncd("groups", "create", "Clubs"),
            here.syncd("groups", "rename", "Clubs", "Teams"),
            here.syncd("groups", "delete", "projects", "--yes"),
        ]

        assert [one.code for one in done] == [0, 0, 0]
        assert groups(here) == ["My Calendars", "Other Calendars", "Teams"]

    def test_not_empty(self, here: World) -> None:
        """A group with calendars in it is not deleted: nobody knows what became of them."""
        group = next(iter(here.mailbox.folders.groups.values()))
        [projects] = [one for one in here.mailbox.folders.groups.values() if one is not group][1:]
        here.mailbox.folders.add("Apollo", group=projects.id)

        done = here.syncd("groups", "delete", "Projects", "--yes")

        assert done.code == 2
        assert "Apollo" in done.err
        assert writes(here) == []

    def test_refused(self, here: World) -> None:
        """Names that are taken, nothing or of no group; Outlook's own groups."""
        for arguments, told in (
            (("create", "PROJECTS"), "already"),
            (("create", ""), "has to have a name"),
            (("rename", "Projects", "My Calendars"), "already"),
            (("rename", "Project", "Clubs"), "'Projects'"),
            (("delete", "Other Calendars", "--yes"), "Outlook's own"),
            (("delete", "Projects"), "--yes"),
            (("show", "Clubs"), "no calendar group"),
        ):
            done = here.syncd("groups", *arguments)
            assert done.code == 2
            assert told in done.err

        assert writes(here) == []

    def test_dry_run(self, here: World) -> None:
        """What would be done is told, and nothing is."""
        done = [
            here.syncd("groups", "create", "Clubs", "--dry-run"),
            here.syncd("groups", "rename", "Projects", "Clubs", "--dry-run"),
            here.syncd("groups", "delete", "Projects", "--dry-run"),
        ]

        assert all(one.code == 0 and "To do:" in one.out for one in done)
        assert writes(here) == []

    @pytest.mark.parametrize(
        ("kind", "code"), [(FaultKind.RESET_AFTER, 0), (FaultKind.RESET_BEFORE, 5)]
    )
    def test_answer_lost(self, here: World, kind: FaultKind, code: int) -> None:
        """Each write goes out once, and the list tells what became of it."""
        for arguments in (
            ("create", "Clubs"),
            ("rename", "Projects", "Teams"),
            ("delete", "Teams" if code == 0 else "Projects", "--yes"),
        ):
            here.server.faults.script(kind, method="POST|PATCH|DELETE")
            assert here.syncd("groups", *arguments).code == code
            discard_all(here)

        assert writes(here) == ["POST", "PATCH", "DELETE"]
        changed = ["My Calendars", "Other Calendars", "Clubs"]
        assert groups(here) == (changed if code == 0 else [*changed[:2], "Projects"])

    def test_looking_fails_too(self, here: World) -> None:
        """What nobody can tell is said, with both reasons."""
        here.server.faults.script(FaultKind.RESET_AFTER, method="POST")
        here.server.faults.script(
            FaultKind.THROTTLED, method="GET", path="calendarGroups", retry_after_s=99, skip=1
        )

        done = here.syncd("groups", "create", "Clubs")

        assert done.code == 5
        assert "the answer was lost" in done.err
        assert "looking failed as well" in done.err
        assert "before you try again" in done.err

    def test_permission_missing(self, here: World) -> None:
        """A refusal names what is missing."""
        grant(here, "Calendars.Read", "User.Read")

        done = here.syncd("groups", "create", "Clubs")

        assert done.code == 2
        assert "Calendars.ReadWrite" in done.err

    def test_by_the_daemon(self, here: World) -> None:
        """Where a daemon runs, it does it."""

        async def daemon() -> Done:
            stop, facts = asyncio.Event(), Facts()
            running = asyncio.create_task(run_daemon(load_config(here.config), stop, observe=facts))
            await facts.until(lambda: bool(facts.named("daemon.ready")))
            done = await asyncio.to_thread(here.syncd, "groups", "delete", "Projects", "--yes")
            stop.set()
            await running
            return done

        assert asyncio.run(daemon()).code == 0
        assert groups(here) == ["My Calendars", "Other Calendars"]


class TestCategories:
    def test_list(self, here: World) -> None:
        """Each with its colour, by number and by Outlook's name."""
        [urgent] = here.syncd("categories", "--json").json

        assert (urgent["category"], urgent["color"], urgent["color_name"]) == (
            *("Urgent", "preset0", "Red"),
        )
        assert "Red" in here.syncd("categories").out

    def test_life_of_a_category(self, here: World) -> None:
        """Made, coloured by either name of a colour, deleted."""
        done = [
            here.syncd("categories", "create", "Private", "--color", "preset7"),
            here.syncd("categories", "create", "Plain"),
            here.syncd("categories", "color", "private", "dark green"),
            here.syncd("categories", "delete", "Urgent", "--yes"),
        ]

        assert [one.code for one in done] == [0, 0, 0, 0]
        assert categories(here) == {"Private": "preset19", "Plain": "none"}

    def test_refused(self, here: World) -> None:
        """Names that are taken or none, colours that are none, removals nobody agreed to."""
        for arguments, told in (
            (("create", "urgent"), "already"),
            (("create", "Private", "--color", "crimson"), "Cranberry"),
            (("create", "Private", "--color", "rde"), "Red"),
            (("color", "Urgent", "preset25"), "no colour"),
            (("color", "Urgnet", "Red"), "'Urgent'"),
            (("delete", "Private", "--yes"), "no category"),
            (("delete", "Urgent"), "--yes"),
        ):
            done = here.syncd("categories", *arguments)
            assert done.code == 2
            assert told in done.err

        assert writes(here) == []

    def test_nothing_written(self, here: World) -> None:
        """Dry runs, and a colour that it has."""
        done = [
            here.syncd("categories", "create", "Private", "--dry-run"),
            here.syncd("categories", "color", "Urgent", "Teal", "--dry-run"),
            here.syncd("categories", "delete", "Urgent", "--dry-run"),
            here.syncd("categories", "color", "Urgent", "red"),
            here.syncd("groups", "rename", "Projects", "Projects", "--dry-run"),
        ]

        assert [one.code for one in done] == [0, 0, 0, 0, 0]
        assert "To do: give the category 'Urgent' the colour Teal" in done[1].out
        assert "keep its name" in done[2].out
        assert "already" in done[3].out
        assert "already" in done[4].out
        assert writes(here) == []

    def test_permission_missing(self, here: World) -> None:
        """To read and to write them takes a permission each, which is named."""
        grant(here, "User.Read", "MailboxSettings.Read")
        written = here.syncd("categories", "color", "Urgent", "Teal")
        grant(here, "User.Read")
        read = here.syncd("categories")

        assert (written.code, read.code) == (2, 2)
        assert "MailboxSettings.ReadWrite" in written.err
        assert "MailboxSettings.Read " in read.err
        assert categories(here) == {"Urgent": "preset0"}

    @pytest.mark.parametrize(
        ("kind", "code"), [(FaultKind.TIMEOUT_AFTER, 0), (FaultKind.TIMEOUT_BEFORE, 5)]
    )
    def test_answer_lost(self, here: World, kind: FaultKind, code: int) -> None:
        """Each write goes out once, and the list tells what became of it."""
        for arguments in (
            ("create", "Private", "--color", "Blue"),
            ("color", "Urgent", "Teal"),
            ("delete", "Urgent", "--yes"),
        ):
            here.server.faults.script(kind, method="POST|PATCH|DELETE")
            assert here.syncd("categories", *arguments).code == code
            discard_all(here)

        assert writes(here) == ["POST", "PATCH", "DELETE"]
        assert categories(here) == ({"Urgent": "preset0"} if code else {"Private": "preset7"})

    def test_gone_meanwhile(self, here: World) -> None:
        """What the service does not find is told with its reason."""
        here.server.faults.script(FaultKind.LAGGING, method="PATCH")

        done = here.syncd("categories", "color", "Urgent", "Teal")

        assert done.code == 2
        assert "404" in done.err


class TestRooms:
    def test_all(self, here: World) -> None:
        """Lists and rooms, with what the directory says of a room."""
        told = here.syncd("rooms", "--json").json

        assert [one["address"] for one in told["lists"]] == ["north@x.org", "south@x.org"]
        assert [one["room"] for one in told["rooms"]] == ["Hood", "Rainier", "Baker"]
        hood = told["rooms"][0]
        assert (hood["address"], hood["capacity"], hood["building"], hood["floor"]) == (
            *("hood@x.org", 8, "Main", "2"),
        )
        printed = here.syncd("rooms").out
        assert all(word in printed for word in ("north@x.org", "hood@x.org", "Main", "8"))

    @pytest.mark.parametrize("name", ["north", "NORTH@x.org"])
    def test_of_a_list(self, here: World, name: str) -> None:
        """The rooms of one list, by its name or its address."""
        told = here.syncd("rooms", name, "--json").json

        assert [one["room"] for one in told["rooms"]] == ["Hood", "Rainier"]
        assert "lists" not in told

    def test_search(self, here: World) -> None:
        """What has the text somewhere, of lists and of rooms."""
        found = here.syncd("rooms", "--search", "MAIN", "--json").json
        nothing = here.syncd("rooms", "north", "--search", "baker")

        assert [one["room"] for one in found["rooms"]] == ["Hood"]
        assert found["lists"] == []
        assert (nothing.code, nothing.out) == (0, "No room is found.\n")

    def test_many_pages(self, here: World) -> None:
        """All pages are read."""
        for number in range(230):
            here.service.places.add_room(f"r{number}@x.org", f"Room {number}", properties={})

        told = here.syncd("rooms", "--json").json

        assert len({one["address"] for one in told["rooms"]}) == 233

    def test_refused(self, here: World) -> None:
        """A list that is none, and a permission that is missing."""
        unknown = here.syncd("rooms", "norht")
        grant(here, *ALL_SCOPES)
        denied = here.syncd("rooms")

        assert (unknown.code, denied.code) == (2, 2)
        assert "'north'" in unknown.err
        assert "Place.Read.All" in denied.err

    def test_hostile_names(self, here: World) -> None:
        """What a terminal would act on is escaped."""
        here.service.add_room("evil@x.org", "\x1b[2Jevil\r\n", mailbox=False)

        done = here.syncd("rooms")

        assert done.code == 0
        assert "\x1b" not in done.out
        assert "evil" in done.out


class TestAccounts:
    @pytest.fixture
    def two(self, here: World) -> World:
        here.service.add_mailbox("ann@example.org", "Ann")
        text = here.config.read_text()
        second = text[text.index("[accounts.work]") :].replace("accounts.work", "accounts.home")
        here.config.write_text(text + second.replace(f"sim-{ME}", "sim-ann@example.org"))
        return here

    def test_has_to_be_named(self, two: World) -> None:
        """Where there are several accounts, one is named."""
        for arguments in (("groups",), ("categories", "create", "A"), ("rooms",),
                          ("calendars", "create", "A")):  # fmt: skip
            done = two.syncd(*arguments)
            assert done.code == 2
            assert "work, home" in done.err

    def test_named(self, two: World) -> None:
        """It is that account's mailbox that is asked and changed."""
        assert two.syncd("categories", "--account", "home", "--json").json == []
        assert two.syncd("calendars", "create", "home/Apollo").code == 0
        assert two.syncd("groups", "create", "Clubs", "--account", "home").code == 0

        home = two.service.mailbox("ann@example.org").folders
        assert [one.name for one in home.calendars.values()] == ["Calendar", "Apollo"]
        assert "Clubs" in [one.name for one in home.groups.values()]
        assert "Clubs" not in groups(two)
        assert two.syncd("calendars", "color", "home/Apollo", "auto", "--account", "work").code == 2

    def test_of_a_group(self, here: World) -> None:
        """A group's account has no groups, calendars or categories to be changed."""
        text = here.config.read_text()
        here.config.write_text(
            text.replace("[accounts.work]\n", '[accounts.work]\nuser = "group:1"\n')
        )

        for arguments in (("groups",), ("categories",), ("calendars", "create", "A")):
            done = here.syncd(*arguments)
            assert done.code == 2
            assert "group's" in done.err


def test_out_of_reach(here: World) -> None:
    """Where the service cannot be reached, that may pass, and what was asked for is kept."""
    text = here.config.read_text()
    # The simulator speaks no TLS: nobody can be asked, and trying again is of no use.
    here.config.write_text(text.replace("http://", "https://"))

    for arguments in (("groups",), ("categories",), ("rooms",)):
        done = here.syncd(*arguments)
        assert done.code == 5
        assert done.err.startswith("syncd: ")
    kept = here.syncd("groups", "create", "A")
    assert (kept.code, "Kept for later" in kept.out) == (0, True)


class TestHostileService:
    @pytest.fixture
    def service(self, tmp_path: Path) -> Iterator[tuple[LyingService, Path]]:
        with lying() as service:
            config = tmp_path / "config.toml"
            config.write_text(f"""
export_dir = "{tmp_path / "Calendars"}"
state_dir = "{tmp_path / "state"}"
[accounts.work]
base_url = "{service.base_url}"
[accounts.work.auth]
method = "command"
command = ["echo", "token"]
""")
            yield service, config

    def test_pages_in_a_circle(self, service: tuple[LyingService, Path]) -> None:
        """Pages without end are a failure that may pass, not a list."""
        liar, config = service
        link = f"{liar.base_url}/me/calendarGroups?$skip=1"
        liar.say("calendarGroups", {"value": [{"id": "1", "name": "A"}], "@odata.nextLink": link})

        done = syncd("--config", str(config), "groups")

        assert done.code == 5
        assert "do not end" in done.err

    @pytest.mark.parametrize(
        "page",
        [
            {"value": [{"id": "..", "name": "A"}]},
            {"value": [{"id": 7}]},
            {"value": "A"},
            {"value": [], "@odata.nextLink": "https://x.example/"},
        ],
    )
    def test_rows_that_are_none(self, service: tuple[LyingService, Path], page: Any) -> None:
        """A row that nothing can name is never written to."""
        liar, config = service
        liar.say("calendarGroups", page)

        done = syncd("--config", str(config), "groups", "delete", "A", "--yes")

        assert done.code == 5
        assert not any(".." in path for path in liar.asked)

    def test_calendar_that_stays(self, service: tuple[LyingService, Path]) -> None:
        """A calendar that the service does not let go is not asked away."""
        liar, config = service
        liar.say("/me/calendars[?]", {"value": [{"id": "c", "name": "B", "isRemovable": False}]})

        done = syncd("--config", str(config), "calendars", "delete", "B", "--yes")

        assert done.code == 2
        assert "cannot go" in done.err


class TestRemedy:
    @pytest.mark.parametrize(
        ("auth", "told"),
        [
            (
                {"method": "device-code", "client_id": "1"},
                'scopes = ["Calendars.ReadWrite", "User.Read", "MailboxSettings.Read",'
                ' "Place.Read.All"]',
            ),
            ({"method": "device-code", "client_id": "1"}, "`syncd login work`"),
            (
                {"method": "device-code", "client_id": "1", "scopes": ["Place.Read.All"]},
                "`syncd check`",
            ),
            (
                {"method": "client-secret", "client_id": "1", "client_secret_file": "env:X"},
                "administrator",
            ),
            ({"method": "command", "command": ["x"]}, "the program of `command`"),
        ],
    )
    def test_permission(self, tmp_path: Path, auth: dict[str, Any], told: str) -> None:
        """How a missing permission is had depends on how the account signs in."""
        config = check_tables(
            {"export_dir": str(tmp_path), "state_dir": "/x", "accounts": {"work": {
                "user": "me@example.org", "auth": auth}}},
            tmp_path / "config.toml",
            {"HOME": "/"},
        )  # fmt: skip
        [account] = config.accounts.values()
        nothing: Any = None
        directory = Directory(account, nothing, nothing, nothing)

        error = directory.refused("list the rooms", Answer(403, {}, b""), "Place.Read.All")

        assert "Place.Read.All" in error.hint
        assert told in error.hint
