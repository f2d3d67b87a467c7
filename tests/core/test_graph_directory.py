"""Calendars, groups, shares, categories and rooms on the wire: requests, rows, refusals."""

from __future__ import annotations

import json
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.errors import BadAnswer, RefusedByService
from syncd.core.wire.dialects.graph_directory import (
    CATEGORY_COLORS,
    ROLES,
    Calendar,
    Category,
    GraphDirectory,
    Group,
    Permission,
    Room,
    RoomList,
    Row,
    category_color,
    color_name,
    read_page,
    reason,
)
from syncd.core.wire.exchange import Answer, Request
from syncd.simulator.service import Service

GRAPH = GraphDirectory("me")
KINDS: tuple[type[Row], ...] = (Calendar, Group, Permission, Category, Room, RoomList)
ODD = "A/b=?c#"
QUOTED = "A%2Fb%3D%3Fc%23"


def answer(body: Any, status: int = 200) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, {"content-type": "application/json"}, data)


def listed(*rows: Any, **more: Any) -> Answer:
    return answer({"value": list(rows), **more})


def body_of(request: Request) -> Any:
    return json.loads(request.body or b"null")


REQUESTS: tuple[tuple[Request, str, str, Any], ...] = (
    (GRAPH.calendars(), "GET", "/me/calendars?$top=100", None),
    (GRAPH.create_calendar("A"), "POST", "/me/calendars", {"name": "A"}),
    (
        GRAPH.create_calendar("A", "lightRed", ODD),
        *("POST", f"/me/calendarGroups/{QUOTED}/calendars"),
        {"name": "A", "color": "lightRed"},
    ),
    (GRAPH.rename_calendar(ODD, "B"), "PATCH", f"/me/calendars/{QUOTED}", {"name": "B"}),
    (
        GRAPH.color_calendar(ODD, "auto"),
        *("PATCH", f"/me/calendars/{QUOTED}", {"color": "auto"}),
    ),
    (
        GRAPH.make_default(ODD),
        *("PATCH", f"/me/calendars/{QUOTED}", {"isDefaultCalendar": True}),
    ),
    (GRAPH.delete_calendar(ODD), "DELETE", f"/me/calendars/{QUOTED}", None),
    (GRAPH.groups(), "GET", "/me/calendarGroups?$top=100", None),
    (
        GRAPH.calendars_of(ODD),
        *("GET", f"/me/calendarGroups/{QUOTED}/calendars?$top=100", None),
    ),
    (GRAPH.create_group("A"), "POST", "/me/calendarGroups", {"name": "A"}),
    (GRAPH.rename_group(ODD, "B"), "PATCH", f"/me/calendarGroups/{QUOTED}", {"name": "B"}),
    (GRAPH.delete_group(ODD), "DELETE", f"/me/calendarGroups/{QUOTED}", None),
    (
        GRAPH.permissions(ODD),
        *("GET", f"/me/calendars/{QUOTED}/calendarPermissions", None),
    ),
    (
        GRAPH.share(ODD, "a@x.org", "read"),
        *("POST", f"/me/calendars/{QUOTED}/calendarPermissions"),
        {"emailAddress": {"name": "a@x.org", "address": "a@x.org"}, "role": "read"},
    ),
    (
        GRAPH.change_role("c", ODD, "write"),
        *("PATCH", f"/me/calendars/c/calendarPermissions/{QUOTED}", {"role": "write"}),
    ),
    (
        GRAPH.unshare("c", ODD),
        *("DELETE", f"/me/calendars/c/calendarPermissions/{QUOTED}", None),
    ),
    (GRAPH.categories(), "GET", "/me/outlook/masterCategories", None),
    (
        GRAPH.create_category("A", "preset3"),
        *("POST", "/me/outlook/masterCategories"),
        {"displayName": "A", "color": "preset3"},
    ),
    (
        GRAPH.color_category(ODD, "none"),
        *("PATCH", f"/me/outlook/masterCategories/{QUOTED}", {"color": "none"}),
    ),
    (
        GRAPH.delete_category(ODD),
        *("DELETE", f"/me/outlook/masterCategories/{QUOTED}", None),
    ),
    (GRAPH.rooms(), "GET", "/places/microsoft.graph.room", None),
    (GRAPH.room_lists(), "GET", "/places/microsoft.graph.roomlist", None),
    (
        GRAPH.rooms_of("north hall@x.org/.."),
        *("GET", "/places/north%20hall@x.org%2F../microsoft.graph.roomlist/rooms", None),
    ),
)


class TestRequests:
    def test_requests(self) -> None:
        """Each goes to its page's address, ids whole in one segment, with no more than is meant."""
        for request, method, path, body in REQUESTS:
            assert (request.method, request.path, body_of(request)) == (method, path, body)
            assert ("Content-Type" in request.headers) == (body is not None)
            assert ODD not in request.label

    def test_another_mailbox(self) -> None:
        """A named user's mailbox goes by its name; rooms are the organization's."""
        graph = GraphDirectory("ann@x.org")

        assert graph.groups().path.startswith("/users/ann@x.org/calendarGroups")
        assert graph.rooms().path == GRAPH.rooms().path

    @pytest.mark.parametrize("address", ["", ".", ".."])
    def test_room_list_without_an_address(self, address: str) -> None:
        """Such a list cannot be asked for: its path would be another's."""
        with pytest.raises(BadAnswer):
            GRAPH.rooms_of(address)


class TestRows:
    def test_as_the_service_has_them(self) -> None:
        """What the service shows of each kind is read, and members that nobody asked for pass."""
        service = Service(random=Random(1))
        box = service.add_mailbox("me@x.org", "Me")
        folders = box.folders
        team = folders.add("Team", color="lightRed")
        red = folders.create_category({"displayName": "Red one", "color": "preset0"})
        service.share(box, team.id, "ann@x.org", "read")
        book = service.sharing.book(box, team)
        hood = service.add_room(
            "hood@x.org", "Hood", properties={"capacity": 8, "floorNumber": 2, "building": "B"}
        )

        (calendar,) = read_page(listed(team.wire()), Calendar, "x").rows
        groups = read_page(listed(*(one.wire() for one in folders.groups.values())), Group, "x")
        shares = read_page(listed(*(one.wire() for one in book.rows())), Permission, "x").rows
        (category,) = read_page(listed(red.wire()), Category, "x").rows
        (room,) = read_page(listed(hood.wire()), Room, "x").rows

        assert (calendar.id, calendar.title, calendar.color) == (team.id, "Team", "lightRed")
        assert (calendar.is_default_calendar, calendar.is_removable) == (False, True)
        assert calendar.owner is not None
        assert calendar.owner.address == "me@x.org"
        assert [(one.title, one.is_fixed) for one in groups.rows] == [
            *(("My Calendars", True), ("Other Calendars", True))
        ]
        assert [(one.address, one.title, one.role) for one in shares] == [
            *(("ann@x.org", "ann@x.org", "read"), ("", "My Organization", "none"))
        ]
        assert (category.title, category.color, category.color_name) == (
            *("Red one", "preset0", "Red"),
        )
        assert (room.title, room.capacity, room.floor, room.building) == ("Hood", 8, "2", "B")

    @pytest.mark.parametrize("kind", KINDS)
    def test_nothing_but_an_id(self, kind: type[Row]) -> None:
        """A row may lack everything else, or have null there."""
        nothing = dict.fromkeys(
            ("name", "displayName", "emailAddress", "color", "capacity", "role", "classId"), None
        )

        page = read_page(listed({"id": "1"}, {"id": "2", **nothing}), kind, "x")

        assert [row.id for row in page.rows] == ["1", "2"]
        assert {row.title for row in page.rows} == {""}

    def test_pages(self) -> None:
        """The link to the next page is as the service wrote it."""
        link = "https://graph.microsoft.com/v1.0/x?$skip=10"

        assert read_page(listed({"id": "1"}, **{"@odata.nextLink": link}), Row, "x").next_link == (
            link
        )
        assert read_page(listed(), Row, "x").next_link == ""
        assert GRAPH.follow(link, "x").path == link

    @pytest.mark.parametrize(
        "lie",
        [
            b"",
            b"<html>",
            b'{"value": [',
            b"[" * 5000,
            b'{"value": [{"id": "\xff"}]}',
            {},
            [],
            {"value": None},
            {"value": {"id": "1"}},
            {"value": [None]},
            {"value": ["1"]},
            {"value": [{}]},
            {"value": [{"id": None}]},
            {"value": [{"id": 7}]},
            {"value": [{"id": ""}]},
            {"value": [{"id": "1"}, {"id": ".."}]},
            {"value": [{"id": "."}]},
            {"value": [], "@odata.nextLink": 3},
            {"value": [{"id": "1", "name": 1, "displayName": 1, "role": 1}]},
        ],
    )
    def test_lie(self, lie: Any) -> None:
        """What is no list of such rows is a bad answer, and so is a row that nothing can name."""
        for kind in KINDS:
            with pytest.raises(BadAnswer):
                read_page(answer(lie), kind, "x")

    @given(st.sampled_from(KINDS), st.binary(max_size=80))
    def test_any_bytes(self, kind: type[Row], data: bytes) -> None:
        """Whatever comes, it is rows or a bad answer."""
        with suppress(BadAnswer):
            read_page(answer(b'{"value": [' + data + b"]}"), kind, "x")

    def test_refusal(self) -> None:
        """A refusal is told as one, whatever is in its body."""
        with pytest.raises(RefusedByService) as caught:
            read_page(answer({"error": {"code": "ErrorAccessDenied"}}, 403), Row, "the rooms")

        assert (caught.value.status, caught.value.code) == (403, "ErrorAccessDenied")


class TestReason:
    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ({"error": {"code": "A", "message": "No\n  way"}}, "400 A: No way"),
            ({"error": {"code": "A", "message": ""}}, "400 A"),
            ({"error": {"code": "A", "innerError": {"code": "B"}, "message": "m"}}, "400 B: m"),
            ({"error": None}, "400"),
            ({"error": {"message": 7}}, "400"),
            (b"\xff", "400"),
        ],
    )
    def test_reason(self, body: Any, told: str) -> None:
        """Status, innermost code and message, as far as they can be read, on one line."""
        assert reason(answer(body, 400)) == told

    def test_long(self) -> None:
        """A message without end is cut."""
        assert len(reason(answer({"error": {"message": "m" * 10_000}}, 400))) < 300


class TestColors:
    def test_every_preset(self) -> None:
        """All 25 are known by their number and by Outlook's name, in whatever case."""
        assert list(CATEGORY_COLORS) == [f"preset{number}" for number in range(25)]
        for preset, name in CATEGORY_COLORS.items():
            assert category_color(preset) == category_color(preset.upper()) == preset
            assert category_color(name) == category_color(name.lower()) == preset
            assert color_name(preset) == name

    @pytest.mark.parametrize(
        ("written", "preset"),
        [
            *(("Dark Red", "preset15"), ("dark-red", "preset15"), ("dark_red", "preset15")),
            *(("Cranberry", "preset9"), ("None", "none"), ("preset24", "preset24")),
            *(("preset25", None), ("", None), ("mauve", None), ("0", None)),
        ],
    )
    def test_spellings(self, written: str, preset: str | None) -> None:
        """Spaces and hyphens do not count; what is no colour is none."""
        assert category_color(written) == preset

    def test_unknown_preset(self) -> None:
        """A colour of tomorrow is shown as it is."""
        assert Category("1", "A", "preset99").color_name == "preset99"
        assert Category("1", "A", None).color_name == "none"


class TestRooms:
    ROOM = Room(
        "1",
        display_name="Hood",
        email_address="hood@x.org",
        building="Main",
        floor_label="P",
        floor_number=-1,
        tags=["Loud"],
    )

    @pytest.mark.parametrize("text", ["", "HOOD", "@x.org", "main", "p", "loud"])
    def test_mentions(self, text: str) -> None:
        """A room is found by any of its texts."""
        assert self.ROOM.mentions(text)

    def test_mentions_nothing(self) -> None:
        """What is in none of them, and what has no texts."""
        assert not self.ROOM.mentions("rainier")
        assert not Room("1").mentions("a")
        assert RoomList("1", "North", "n@x.org").mentions("north")
        assert not RoomList("1", "North", "n@x.org").mentions("south")

    def test_floor(self) -> None:
        """Its label, else its number; the ground floor is a floor."""
        assert self.ROOM.floor == "P"
        assert Room("1", floor_number=0).floor == "0"
        assert Room("1").floor == ""


def test_roles() -> None:
    """What can be given is what the service documents, but for "none" and "custom"."""
    assert set(ROLES) == {
        *("freeBusyRead", "limitedRead", "read", "write"),
        *("delegateWithoutPrivateEventAccess", "delegateWithPrivateEventAccess"),
    }
