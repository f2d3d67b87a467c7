"""The simulated service, and a client of each library for Microsoft Graph that asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.clients.graph_clients import ADA, Office, Sdk


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(tmp_path)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(made.logins)
        await stack.enter_async_context(made.server)
        yield made


@pytest.fixture
async def sdk() -> AsyncIterator[Sdk]:
    made = Sdk()
    async with made.server:
        yield made


@pytest.fixture
async def graph(sdk: Sdk) -> AsyncIterator[Any]:
    """A client that Ada uses."""
    headers = {"Authorization": f"Bearer sim-{ADA.username}"}
    async with sdk.httpx.AsyncClient(headers=headers, trust_env=False) as transport:
        yield sdk.client(transport)
