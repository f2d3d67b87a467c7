"""
Rooms and room lists: how they are listed, found and booked.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from syncd.simulator.tokens import ALL_SCOPES, StaticTokens
from tests.simulator.mailbox_world import ME, Client, serving, single, when

SCOPES = ALL_SCOPES | {"Place.Read.All"}


@pytest.fixture
async def graph() -> AsyncIterator[Client]:
    async with serving(tokens=StaticTokens(scopes=SCOPES)) as client:
        service = client.service
        service.add_room("hood@x.org", "Hood", room_list="north@x.org", properties={"capacity": 8})
        service.add_room("rainier@x.org", "Rainier", room_list="north@x.org", mailbox=False)
        service.add_room("baker@x.org", "Baker", room_list="south@x.org")
        yield client


async def names(graph: Client, path: str) -> list[str]:
    reply = await graph.get(path)
    assert reply.status == 200, reply.data
    return [row["displayName"] for row in reply.data["value"]]


async def test_rooms_and_lists_are_listed_whatever_the_case(graph: Client) -> None:
    """The rooms of a list go by its address."""
    everything = ["Hood", "Rainier", "Baker"]

    assert await names(graph, "/places/microsoft.graph.room") == everything
    assert await names(graph, "/Places/Microsoft.Graph.Room") == everything
    for path in ("/places/microsoft.graph.roomlist", "/places/microsoft.graph.roomList"):
        assert await names(graph, path) == ["north", "south"]
    rooms = "microsoft.graph.roomlist/rooms"
    assert await names(graph, f"/places/north@x.org/{rooms}") == ["Hood", "Rainier"]
    assert await names(graph, "/places/South%40x.org/microsoft.graph.roomList/rooms") == ["Baker"]


async def test_a_list_of_rooms_can_be_filtered_counted_and_cut(graph: Client) -> None:
    """A hundred fit on a page."""
    rooms = "/places/microsoft.graph.room"

    large = await names(graph, f"{rooms}?$filter=capacity%20eq%208&$select=displayName")
    page = (await graph.get(f"{rooms}?$top=2&$count=true")).data

    assert large == ["Hood"]
    assert (page["@odata.count"], len(page["value"])) == (3, 2)
    assert await names(graph, page["@odata.nextLink"]) == ["Baker"]


async def test_a_place_is_found_by_id_and_by_address(graph: Client) -> None:
    """Its type tells a room from a list."""
    hood = graph.service.places.find("hood@x.org")

    by_id = (await graph.get(f"/places/{hood.id}")).data
    by_address = (await graph.get("/places('HOOD@x.org')")).data
    of_list = (await graph.get("/places/north@x.org")).data

    assert by_id == by_address
    assert (by_id["@odata.type"], by_id["capacity"]) == ("#microsoft.graph.room", 8)
    assert of_list["@odata.type"] == "#microsoft.graph.roomList"


async def test_unknown_places_and_lists_named_by_id_are_not_found(graph: Client) -> None:
    """404, as the documentation warns of lists."""
    north = graph.service.places.find("north@x.org")

    for path in ("nowhere@x.org", f"{north.id}/microsoft.graph.roomlist/rooms"):
        reply = await graph.get(f"/places/{path}")
        assert (reply.status, reply.data["error"]["code"]) == (404, "ErrorItemNotFound")


async def test_places_need_a_scope_of_their_own(graph: Client) -> None:
    """An application has what an administrator gave it."""
    async with serving() as other:
        assert (await other.get("/places/microsoft.graph.room")).status == 403
        other.token = "app-x"
        assert (await other.get("/places/microsoft.graph.room")).status == 200


async def test_the_calendar_of_a_room_says_when_it_is_free(graph: Client) -> None:
    """A room without one has no schedule."""
    room = graph.service.mailbox("hood@x.org")
    room.create(room.default_calendar.id, single(zone="UTC"))
    span = {
        "startTime": when("2031-03-04T11:00", "UTC"),
        "endTime": when("2031-03-04T13:00", "UTC"),
    }
    body: dict[str, Any] = {"schedules": ["hood@x.org", "rainier@x.org"], **span}

    busy, unknown = (await graph.post("/me/calendar/getSchedule", body)).data["value"]

    assert busy["availabilityView"] == "0022"
    assert unknown["error"]["responseCode"] == "5009"


async def test_rooms_are_planted_from_outside(graph: Client) -> None:
    """What rooms do not have is refused."""
    control = graph.server.origin + "/_simulator/room"
    body = {"address": "adams@x.org", "name": "Adams", "roomList": "north@x.org", "floorNumber": 2}

    made = await graph.post(control, body)
    refused = await graph.post(control, {"address": "y@x.org", "sauna": True})

    assert (made.data["displayName"], made.data["floorNumber"]) == ("Adams", 2)
    assert await names(graph, "/places/north@x.org/microsoft.graph.roomlist/rooms") == [
        *("Hood", "Rainier", "Adams")
    ]
    assert (refused.status, graph.service.known("y@x.org")) == (400, None)
    assert graph.service.known(ME) is not None
