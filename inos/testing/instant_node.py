"""A node in this process that includes transactions and does paid jobs before it answers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from inos.node.node import Node, open_node
from inos.node.settings import load_settings
from inos.primitives.errors import InosError
from inos.primitives.transactions import Transaction
from inos.primitives.units import TxId
from inos.testing.clock import MovableClock
from inos.testing.mint import Mint, Worker
from inos.wallet.keys import Key


class Switches(Protocol):
    """The parts of the node that can be switched off."""

    @property
    def instant(self) -> bool:
        """True if each transaction gets a block at once."""

    @property
    def works(self) -> bool:
        """True if paid jobs are done at once."""


class Place(Struct, frozen=True):
    """The folder of the node's data, and the port of its RPC (0 takes a free port)."""

    genesis_file: Path
    data_dir: Path
    rpc_port: int


class Keys(Struct, frozen=True):
    """The accounts that the node acts for."""

    miner: Key
    """The key of the miner, which finds the blocks."""
    worker: Key
    """The key of the worker, which does the paid jobs."""


class InstantNode:
    """A running node with its mint and its worker, made by `open_instant_node`."""

    def __init__(self, node: Node, clock: MovableClock, keys: Keys, switches: Switches) -> None:
        self.node = node
        self.core = node.core
        self.mint = Mint(node.core, clock, keys.miner)
        self.worker = Worker(node.core, self.mint, keys.worker, node.core.transactions.add)
        self._send = node.core.transactions.send
        self._switches = switches
        self._turn = asyncio.Lock()
        # The RPC of this node calls these methods from now on.
        node.core.transactions.send = self._send_and_mine  # type: ignore[method-assign]
        node.core.transactions.send_many = self._send_each  # type: ignore[method-assign]

    async def _send_and_mine(self, tx: Transaction) -> TxId:
        id = await self._send(tx)
        async with self._turn:
            if self._switches.instant:
                await self.mint.mine(1)
            if self._switches.instant and self._switches.works:
                await self.worker.do_jobs()
        return id

    async def _send_each(self, transactions: Sequence[Transaction]) -> list[TxId | InosError | None]:
        """Send one after another, each into a block of its own."""
        outcomes: list[TxId | InosError | None] = []
        for tx in transactions:
            try:
                outcomes.append(await self._send_and_mine(tx))
            except InosError as error:
                outcomes.append(error)
        return outcomes


@asynccontextmanager
async def open_instant_node(
    place: Place, clock: MovableClock, keys: Keys, switches: Switches
) -> AsyncIterator[InstantNode]:
    """Start a node that has no peers, and stop it at the end of the context."""
    flags = {
        "network": str(place.genesis_file),
        "data_dir": place.data_dir,
        "rpc_host": "127.0.0.1",
        "rpc_port": place.rpc_port,
        "explorer": True,
        "p2p_host": "127.0.0.1",
        "p2p_port": 0,
        "discovery": False,
        "peers": (),
        "seeds": (),
    }
    async with open_node(load_settings(flags, reads_environment=False), clock) as node:
        yield InstantNode(node, clock, keys, switches)
