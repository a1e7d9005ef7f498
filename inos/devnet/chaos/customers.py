"""Customers who post paid jobs while the network fails around them, each through a node of its own.

A node may die, and its pool with it, before another node has heard of a job. So a customer keeps every transaction that
it signed, and sends it again until it is on the chain.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inos.client.client import Client, RemoteError
from inos.devnet.chaos.fleet import HonestNode
from inos.devnet.chaos.waiting import await_until
from inos.devnet.errors import DevnetError
from inos.devnet.intro import DEV_PHRASE
from inos.primitives.errors import InosError
from inos.primitives.transactions import PostJob, Transaction, compute_tx_id
from inos.primitives.units import Nano
from inos.wallet import build
from inos.wallet.addresses import encode_address
from inos.wallet.keys import Key, derive_key, make_key

HRP: Final = "dinos"
MOST_CUSTOMERS: Final = 4
BUDGET: Final = "1000"
REWARD: Final = Nano(500_000_000)
SHAPE: Final = (64, 96, 256)
"""m, n, k of every job. They are small, since two cores carry the whole network."""
POST_EVERY_S: Final = 4.0
MOST_JOBS: Final = 200
"""Largest number of jobs per customer; in a longer run it only watches after that."""
POLL_S: Final = 0.5
FUNDING_S: Final = 60.0
HELD: Final = frozenset({"already-known", "nonce-too-old"})
"""Refusals of a transaction that was sent again which mean that the node has it."""


class Customer(Client):
    """A client that remembers what it signed, and never signs two transactions with one nonce."""

    def __init__(self, node: HonestNode, key: Key) -> None:
        super().__init__(node.rpc_url, wallet=key)
        self.node = node
        self.address = encode_address(HRP, key.address)
        self.signed: dict[str, Transaction] = {}
        """Signed transactions by id, in the order of nonces."""
        self.refusals: dict[str, str] = {}
        """The last refusal of each refused transaction, by id."""
        self._next_nonce = 0

    async def send_transaction(self, tx: Transaction) -> str:
        """Send a transaction. It is remembered first, since the node may have accepted it even if its answer is
        lost.
        """
        id, before = compute_tx_id(tx).hex(), self._next_nonce
        self.signed[id] = tx
        self._next_nonce = max(before, tx.nonce + 1)
        try:
            return await super().send_transaction(tx)
        except RemoteError:
            del self.signed[id]
            self._next_nonce = before
            raise

    async def _get_view(self) -> build.AccountView:
        view = await super()._get_view()
        return build.AccountView(nonce=max(view.nonce, self._next_nonce), balance=view.balance)

    def list_jobs(self) -> list[str]:
        """Return the ids of all jobs that the customer signed."""
        return [id for id, tx in self.signed.items() if isinstance(tx.payload, PostJob)]

    async def hand_in_again(self) -> bool:
        """Send the node all transactions that are not on its chain; return True if all were on it.

        Raises:
            InosError: the node does not answer.
        """
        is_all = True
        for id, tx in tuple(self.signed.items()):
            if await self._is_included(id):
                continue
            is_all = False
            try:
                await super().send_transaction(tx)
                self.refusals.pop(id, None)
            except RemoteError as error:
                if error.code not in HELD:
                    self.refusals[id] = error.code
        return is_all

    async def _is_included(self, id: str) -> bool:
        try:
            return (await self.transaction(id)).status == "included"
        except RemoteError:
            return False

    async def work(self, rng: np.random.Generator) -> None:
        """Post one job after another while the node runs, until cancelled."""
        while True:
            if self.node.is_up and len(self.signed) < MOST_JOBS:
                try:
                    await self.hand_in_again()
                    x, w = make_operands(rng)
                    await self.post_job(x, w, reward_nano=REWARD)
                except (InosError, OSError, TimeoutError):
                    # The node died or refused; all signed transactions are sent again the next time.
                    await asyncio.sleep(POLL_S)
                    continue
            await asyncio.sleep(POST_EVERY_S * (0.5 + rng.random()))


def make_operands(rng: np.random.Generator) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Return X (m x k) and W (n x k), int8 in -64..63."""
    m, n, k = SHAPE
    return rng.integers(-64, 64, (m, k), dtype=np.int8), rng.integers(-64, 64, (n, k), dtype=np.int8)


def make_customers(nodes: Sequence[HonestNode]) -> tuple[Customer, ...]:
    """Return one customer for each of the first nodes."""
    return tuple(
        Customer(node, make_key((7_000_000 + node.index).to_bytes(32, "big"))) for node in nodes[:MOST_CUSTOMERS]
    )


async def fund(customers: Sequence[Customer], node: HonestNode) -> None:
    """Pay every customer from the devnet's one funded account, and wait until their nodes know.

    Raises:
        InosError: the node refused. DevnetError: "no-blocks".
    """

    async def is_paid() -> bool:
        return all([(await customer.account()).balance > 0 for customer in customers])

    async with Client(node.rpc_url, wallet=derive_key(DEV_PHRASE)) as dev:
        for customer in customers:
            await dev.transfer(customer.address, BUDGET)
        if await await_until(is_paid, FUNDING_S) is None:
            raise DevnetError("no-blocks", f"the customers were not paid within {FUNDING_S:g} s: no block came")
