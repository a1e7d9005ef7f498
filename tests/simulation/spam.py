"""Spammers send as many transfers at the floor fee as they can sign."""

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from inos.chain.mempool import MempoolLimits
from inos.primitives.codec import encode
from inos.primitives.errors import InosError
from inos.primitives.transactions import Transaction, Transfer, compute_tx_id, sign_transaction
from inos.primitives.units import Address, TxId
from inos.wallet.keys import make_key
from simulation.common import check_honest, compare_with_quiet, make_params
from simulation.report import Report
from support.sim_node import SimNode
from support.sim_world import World, simulate

SPACING_S = 5.0
ACCOUNTS = 12
PER_S = 60
BLOCK_BYTES = 24_000
"""Room for about a hundred transfers: a third of what the spammers send in a block's time."""
POOL: Final = MempoolLimits(max_bytes=120_000)
ID_BYTES: Final = 32
MAX_BLOCKS = 3
"""A transfer that pays twice the floor is on the chain at most this many blocks after it was sent."""


class Sender:
    """Signs one transfer after another from one account."""

    def __init__(self, world: World, number: int, price: int) -> None:
        self.key = make_key(bytes([number]) * 32)
        self._chain_id = world.chain.params.chain_id
        self._price = price
        self._nonce = 0

    def sign(self) -> Transaction:
        """Return the next transfer, at `price` nano a byte."""
        tx = self._sign(0)
        fee = self._price * (len(encode(tx)) + 8)
        self._nonce += 1
        return sign_transaction(self.key.secret, self._chain_id, self._nonce - 1, fee, tx.payload)

    def _sign(self, fee: int) -> Transaction:
        return sign_transaction(self.key.secret, self._chain_id, self._nonce, fee, Transfer(self.key.address, 1))

    def undo(self) -> None:
        """Take back the last transfer, which was not accepted."""
        self._nonce -= 1


def run_spam(seed: int, count: int, seconds: float = 60.0) -> Report:
    """Three nodes send three times what blocks hold; a customer pays twice as much for each byte."""
    spammers, customer = range(70, 70 + ACCOUNTS), 99
    accounts = [Address(make_key(bytes([n]) * 32).address) for n in (*spammers, customer)]
    params = replace(make_params(SPACING_S), max_block_bytes=BLOCK_BYTES)

    async def scenario(world: World) -> Report:
        sent: dict[TxId, int] = {}
        most, taken = [0], [0]

        async def attack(world: World, nodes: Sequence[SimNode]) -> None:
            for number in spammers:
                world.spawn(spam(nodes[number % 3], Sender(world, number, 1), PER_S / ACCOUNTS, taken))
            world.spawn(shop(nodes[-1], Sender(world, customer, 2), sent))
            world.spawn(watch(nodes, most))

        nodes, figures = await compare_with_quiet(world, count, seconds, attack)
        waits = []
        tip = nodes[0].ledger.tip.header.height
        for id, height in sent.items():
            found = nodes[0].ledger.get_transaction(id)
            if found is not None:
                header = nodes[0].ledger.get_header(found[0])
                assert header is not None
                waits.append(header.height - height)
            else:
                assert tip - height < MAX_BLOCKS, "a paying transfer is left behind"
        assert waits
        assert max(waits) <= MAX_BLOCKS, waits
        assert POOL.max_bytes // 2 < most[0] <= POOL.max_bytes, f"the pools had {most[0]} bytes at most"
        check_honest(world, nodes)
        told, moved = world.traffic.bytes["AnnounceTransactions"] / ID_BYTES, world.traffic.bytes["Transactions"]
        each = (taken[0] + len(sent)) * (count - 1)
        figures |= {
            "blocks a paying transfer waits": f"{sum(waits) / len(waits):.1f} on average, {max(waits)} at most",
            "pool at most": f"{most[0]:,} B",
            "announcements of a transaction": f"{told / each:.2f} a node",
            "its bytes": f"{moved / each:.0f} a node",
        }
        invariant = (
            f"transfers at twice the minimum fee wait at most {MAX_BLOCKS} blocks; mempools keep their limit; "
            "blocks are not late"
        )
        return Report("spam at the floor fee", seed, count, world.now, invariant, figures, world.trace)

    return simulate(scenario, seed, params=params, accounts=accounts, pool=POOL)


async def spam(node: SimNode, sender: Sender, per_s: float, taken: list[int]) -> None:
    while True:
        await asyncio.sleep(1 / per_s)
        try:
            await node.core.transactions.add(sender.sign())
            taken[0] += 1
        except InosError:
            sender.undo()


async def shop(node: SimNode, sender: Sender, sent: dict[TxId, int]) -> None:
    while True:
        await asyncio.sleep(SPACING_S / 2)
        tx = sender.sign()
        await node.core.transactions.add(tx)
        sent[compute_tx_id(tx)] = node.ledger.tip.header.height


async def watch(nodes: Sequence[SimNode], most: list[int]) -> None:
    while True:
        most[0] = max(most[0], *(node.core.mempool.bytes_used for node in nodes))
        await asyncio.sleep(0.5)
