"""
Handlers of rooms and room lists.

Knows their lists and pages; which rooms there are is the directory's.
"""

from collections.abc import Sequence
from urllib.parse import quote

from syncd.simulator.call import Call
from syncd.simulator.folder_handlers import many, one
from syncd.simulator.messages import Answer
from syncd.simulator.places import Room, RoomList

__all__ = ["get_place", "list_room_lists", "list_rooms", "rooms_of_list"]

PAGE = 100


def list_rooms(call: Call) -> Answer:
    """GET all rooms."""
    return _listed(call, "places/microsoft.graph.room", list(call.service.places.rooms.values()))


def list_room_lists(call: Call) -> Answer:
    """GET all room lists."""
    found = list(call.service.places.lists.values())
    return _listed(call, "places/microsoft.graph.roomList", found)


def rooms_of_list(call: Call) -> Answer:
    """GET the rooms of a list."""
    address = call.params["place"]
    what = f"places('{quote(address, safe='')}')/microsoft.graph.roomList/rooms"
    return _listed(call, what, call.service.places.of_list(address))


def _listed(call: Call, what: str, found: Sequence[Room | RoomList]) -> Answer:
    return many(call, what, [place.wire() for place in found], PAGE)


def get_place(call: Call) -> Answer:
    """GET a room or a room list by id or address; its type says which it is."""
    place = call.service.places.find(call.params["place"])
    return one(call, "places/$entity", {"@odata.type": place.TYPE, **place.wire()})
