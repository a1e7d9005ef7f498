"""Fixtures: a node in memory, and a client of its RPC."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.fake_node import WORKER, FakeNode
from support.rpc_requests import ALICE, FUNDS
from support.rpc_served import Ask, ask_server, make_fake_node, serve


@pytest.fixture
def node() -> FakeNode:
    return make_fake_node(FUNDS, ALICE.address, WORKER.address)


@pytest.fixture
async def ask(node: FakeNode, tmp_path: Path) -> AsyncIterator[Ask]:
    async with serve(node, tmp_path) as server, ask_server(server, tmp_path) as ask:
        yield ask
