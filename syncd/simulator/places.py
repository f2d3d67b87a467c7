"""
Rooms and room lists of the organization.

Knows their wire forms and how they are found. Refuses to know calendars: whether a room is free
is told by the mailbox of its address, where there is one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syncd.simulator.errors import bad_body, item_not_found
from syncd.simulator.ids import Minter

__all__ = ["Places", "Room", "RoomList"]

_PLACE: Mapping[str, Any] = {
    "address": None,
    "geoCoordinates": None,
    "isWheelChairAccessible": False,
    "label": None,
    "phone": None,
    "tags": [],
}
_ROOM: Mapping[str, Any] = {
    **_PLACE,
    "audioDeviceName": None,
    "bookingType": "standard",
    "building": None,
    "capacity": None,
    "displayDeviceName": None,
    "floorLabel": None,
    "floorNumber": None,
    "nickname": "",
    "videoDeviceName": None,
}


@dataclass(frozen=True, slots=True)
class Room:
    """Args: properties: of the `room` resource; the others are as for a room of few words."""

    id: str
    address: str
    name: str
    properties: Mapping[str, Any]

    TYPE = "#microsoft.graph.room"

    def wire(self) -> dict[str, Any]:
        """Return the `room` resource."""
        named = {"id": self.id, "emailAddress": self.address, "displayName": self.name}
        return {**named, **_ROOM, "nickname": self.name, **self.properties}


@dataclass(frozen=True, slots=True)
class RoomList:
    """Args: rooms: their addresses."""

    id: str
    address: str
    name: str
    rooms: list[str] = field(default_factory=list)

    TYPE = "#microsoft.graph.roomList"

    def wire(self) -> dict[str, Any]:
        """Return the `roomList` resource."""
        named = {"id": self.id, "emailAddress": self.address, "displayName": self.name}
        return {**named, **_PLACE}


@dataclass(slots=True)
class Places:
    """All rooms and room lists, by address in lower case."""

    mint: Minter
    rooms: dict[str, Room] = field(default_factory=dict)
    lists: dict[str, RoomList] = field(default_factory=dict)

    def add_room(
        self, address: str, name: str, *, room_list: str = "", properties: Mapping[str, Any]
    ) -> Room:
        """
        Make a room. Args: room_list: address of a list, which is made if need be.

        Raises: ServiceError: 400 for a property that a room has not.
        """
        for property_name in properties:
            if property_name not in _ROOM:
                raise bad_body(f"The property '{property_name[:60]}' does not exist on room.")
        room = Room(self.mint.guid(), address, name, properties)
        self.rooms[address.casefold()] = room
        if room_list:
            self.add_list(room_list).rooms.append(address)
        return room

    def add_list(self, address: str, name: str = "") -> RoomList:
        """Return the room list of an address, made if need be."""
        key = address.casefold()
        if key not in self.lists:
            named = name or address.partition("@")[0]
            self.lists[key] = RoomList(self.mint.guid(), address, named)
        return self.lists[key]

    def find(self, identity: str) -> Room | RoomList:
        """Return the place of an id or address. Raises: ServiceError: 404."""
        key = identity.casefold()
        places: list[Room | RoomList] = [*self.rooms.values(), *self.lists.values()]
        for place in places:
            if key in (place.id.casefold(), place.address.casefold()):
                return place
        raise item_not_found()

    def of_list(self, address: str) -> list[Room]:
        """
        Return the rooms of a list, which goes by its address only (Graph "List places").

        Raises: ServiceError: 404.
        """
        found = self.lists.get(address.casefold())
        if found is None:
            raise item_not_found()
        return [self.rooms[room.casefold()] for room in found.rooms]
