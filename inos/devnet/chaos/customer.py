"""A customer whom nothing discourages: its jobs are sent again until they are on the chain."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from msgspec import Struct

from inos.client import Client
from primitives.errors import InosError
from primitives.transactions import Transaction, compute_tx_id
from primitives.units import Height
from wallet import build
from wallet.keys import Key
from work import matrix_ref

REWARD: Final = 50_000_000
FEE: Final = 1_000_000
PAUSE_S: Final = 3.0
TELL_S: Final = 1.5
COPIES: Final = 2
"""Nodes that get the operands: a killed one keeps them, but is gone for a while."""
CLOSED: Final = ("settled", "cancelled")

TROUBLE: Final = (InosError, OSError, TimeoutError)
"""What asking a node may raise that is killed just now."""


class Order(Struct):
    """A job as the customer signed it."""

    id: str
    tx: Transaction
    state: str = "unknown"


class Customer:
    """Posts small jobs, one account and one nonce after the other.

    Args:
        key: a funded account nobody else spends from.
        list_clients: of the nodes that are up.
        rng: seeded.
    """

    def __init__(self, key: Key, list_clients: Callable[[], Sequence[Client]], rng: random.Random) -> None:
        self._key = key
        self._list_clients = list_clients
        self._rng = rng
        self._nonce: int | None = None
        self.orders: list[Order] = []

    async def post(self) -> None:
        """One more job every `PAUSE_S`, until cancelled."""
        while True:
            with contextlib.suppress(*TROUBLE):  # the node that was asked is down; another is asked next time
                await self._post_one()
            await asyncio.sleep(PAUSE_S)

    async def insist(self) -> None:
        """Send again what is not on the chain (any more), until cancelled."""
        while True:
            for order in self.orders:
                if order.state not in CLOSED:
                    await self.tell(order)
            await asyncio.sleep(TELL_S)

    async def tell(self, order: Order) -> None:
        """Ask one node how an order is, and give it the order where it does not know it."""
        client = self._choose()
        if client is None:
            return
        try:
            order.state = await get_state(client, order.id)
            if order.state == "unknown":
                await client.send_transaction(order.tx)
        except TROUBLE:
            return

    def _choose(self) -> Client | None:
        clients = self._list_clients()
        return self._rng.choice(clients) if clients else None

    async def _post_one(self) -> None:
        clients = list(self._list_clients())
        if not clients:
            return
        self._rng.shuffle(clients)
        client = clients[0]
        network, head = await client.get_network(), await client.head()
        if self._nonce is None:
            address = build_address(self._key, network.hrp)
            self._nonce = (await client.get_account(address)).pending_nonce
        numbers = np.random.default_rng(self._rng.getrandbits(32))
        x, w = (numbers.integers(-64, 64, (rows, 512), dtype=np.int8) for rows in (128, 96))
        for holder in clients[:COPIES]:
            await holder.put_matrix(x)
            await holder.put_matrix(w)
        payload = build.make_post_job(
            network.params,
            Height(head.height),
            matrix_ref(x),
            matrix_ref(w),
            reward=REWARD,
            max_base_fee=10**6,
            lifetime=network.params.max_job_lifetime // 2,
            claim_window=max(20, network.params.min_claim_window),
        )
        tx = build.sign_payload(self._key, network.params.chain_id, self._nonce, FEE, payload)
        self._nonce += 1
        order = Order(compute_tx_id(tx).hex(), tx)
        self.orders.append(order)
        await self.tell(order)


async def get_state(client: Client, job: str) -> str:
    """A job's state at a node's tip; "unknown" where it is not on the node's chain."""
    try:
        return (await client.job(job)).state
    except InosError as error:
        if error.code != "job-unknown":
            raise
        return "unknown"


def build_address(key: Key, hrp: str) -> str:
    """The account's address as text."""
    from wallet.addresses import encode_address

    return encode_address(hrp, key.address)


async def fund(client: Client, keys: Sequence[Key], credits: int) -> None:
    """Give each account credits from the client's own, and wait until they are there.

    Raises:
        TimeoutError: nothing was mined for a minute.
    """
    hrp = (await client.get_network()).hrp
    for key in keys:
        await client.transfer(build_address(key, hrp), credits)
    async with asyncio.timeout(60):
        for key in keys:
            await _await_balance(client, build_address(key, hrp))


async def _await_balance(client: Client, address: str) -> None:
    while True:
        account: Any = await client.get_account(address)
        if account.balance:
            return
        await asyncio.sleep(0.3)
