"""A node's RPC on a free port, and a client for it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

from inos.genesis.loading import derive_devnet, make_network, parse_genesis
from inos.primitives.units import Address, Nano, TimeMs
from inos.rpc import NodePort, RpcServer, RpcSettings
from inos.rpc.methods import ALL_METHODS
from support.answers import check_answer
from support.fake_node import FakeNode

START: Final = TimeMs(1_700_000_000_000)
Ask = Callable[..., Any]


def make_fake_node(funds: int, *owners: Address) -> FakeNode:
    """Return a node in memory on a devnet, where every owner has the same amount."""
    genesis = derive_devnet("devnet", START, dict.fromkeys(owners, Nano(funds)))
    return FakeNode(make_network(parse_genesis(genesis, "a test's genesis")))


@asynccontextmanager
async def serve(node: NodePort, folder: Path, *, port: int = 0) -> AsyncIterator[RpcServer]:
    """Serve the node's RPC, with its token in `folder`."""
    server = RpcServer(node, RpcSettings(token_path=folder / "rpc.token", port=port))
    await server.start()
    yield server
    await server.stop()


@asynccontextmanager
async def ask_server(server: RpcServer, folder: Path) -> AsyncIterator[Ask]:
    """Call `ask(method, params...)`: it returns the result, checked against the OpenRPC document, or the error object.

    The call includes the token.
    """
    token = (folder / "rpc.token").read_text().strip()
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:

        async def ask(name: str, *positional: Any, **named: Any) -> Any:
            request = {"jsonrpc": "2.0", "id": 1, "method": name, "params": list(positional) or named}
            async with session.post(server.url, json=request) as response:
                answer = await response.json()
            if "error" in answer:
                return answer["error"]
            if name in ALL_METHODS:
                check_answer(name, answer["result"])
            return answer["result"]

        yield ask
