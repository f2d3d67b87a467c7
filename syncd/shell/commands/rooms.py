"""`rooms`: the organization's room lists and rooms, as its directory has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from syncd.shell.commands.common import Invocation, json_option, pass_invocation, run
from syncd.shell.commands.directory import account_option, reading

if TYPE_CHECKING:
    from syncd.core.wire.dialects.graph_directory import Room, RoomList
    from syncd.shell.config_model import Config
    from syncd.shell.directory import Directory

__all__ = ["rooms_command"]

Found = tuple[Sequence["RoomList"], Sequence["Room"]]


@click.command("rooms")
@click.argument("room_list", metavar="[LIST]", required=False)
@click.option("--search", metavar="TEXT", help="Only those with TEXT in name, address or place.")
@account_option
@json_option
@pass_invocation
def rooms_command(
    invocation: Invocation,
    room_list: str | None,
    search: str | None,
    account: str | None,
    as_json: bool,
) -> int:
    """List room lists and all rooms, or the rooms of one LIST (its name or address)."""
    return run(_rooms(invocation.config(), room_list, search or "", account, as_json=as_json))


async def _rooms(
    config: Config, of: str | None, search: str, named: str | None, *, as_json: bool
) -> int:
    from syncd.shell.directory import chosen_account
    from syncd.shell.output import print_json

    account = chosen_account(config, named)
    lists, rooms = await reading(config, account, lambda directory: _found(directory, of))
    lists = [one for one in lists if one.mentions(search)]
    rooms = [one for one in rooms if one.mentions(search)]
    if as_json:
        told = {"lists": [_list_to_json(one) for one in lists]} if of is None else {}
        print_json(told | {"rooms": [_to_json(one) for one in rooms]})
    else:
        _print(lists, rooms)
    return 0


async def _found(directory: Directory, of: str | None) -> Found:
    from syncd.shell.directory import find_row

    lists = await directory.room_lists()
    if of is None:
        return lists, await directory.rooms()
    addresses = {one.id: one.email_address or "" for one in lists}
    return (), await directory.rooms(find_row("room list", of, lists, addresses))


def _print(lists: Sequence[RoomList], rooms: Sequence[Room]) -> None:
    from syncd.shell.output import say, table

    if lists:
        table(("room list", "address"), [(one.title, one.email_address) for one in lists])
    if lists and rooms:
        say()
    if rooms:
        columns = ("room", "address", "capacity", "building", "floor")
        table(columns, [_row(one) for one in rooms])
    if not lists and not rooms:
        say("No room is found.")


def _row(room: Room) -> tuple[object, ...]:
    return room.title, room.email_address, room.capacity, room.building, room.floor


def _list_to_json(room_list: RoomList) -> dict[str, Any]:
    return {"list": room_list.title, "address": room_list.email_address or "", "id": room_list.id}


def _to_json(room: Room) -> dict[str, Any]:
    return {
        "room": room.title,
        "address": room.email_address or "",
        "id": room.id,
        "capacity": room.capacity,
        "building": room.building or "",
        "floor": room.floor,
        "label": room.label or "",
        "tags": list(room.tags or ()),
    }
