"""What the tests of the Graph adapter share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from syncd.graph.transport import GraphRemote
from tests.graph.scripted import ScriptedService, World, serving, world_of


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    async with serving() as running:
        yield running


@pytest.fixture
def world(service: ScriptedService) -> World:
    return world_of(service)


@pytest.fixture
async def remote(world: World) -> AsyncIterator[GraphRemote]:
    async with world.remote() as opened:
        yield opened
