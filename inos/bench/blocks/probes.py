"""What others ask of a node while it works: each kind of call again and again, one at a time, with its duration."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from msgspec import Struct

from inos.client.transport import Transport
from inos.primitives.codec import encode
from inos.primitives.transactions import Transaction
from inos.primitives.units import Address
from inos.wallet.addresses import encode_address

READ_PAUSE_S: Final = 0.02
SEND_PAUSE_S: Final = 0.05
TEMPLATE_PAUSE_S: Final = 0.2


class Lateness(Struct, frozen=True):
    """Seconds that calls took in one period."""

    read_p99: float
    read_max: float
    transaction_max: float
    template_max: float


class Probes:
    """Durations of calls. Use through `open_probes`."""

    def __init__(self) -> None:
        self._taken: dict[str, list[tuple[float, float]]] = {}
        """Kind of call -> (began, ended), monotonic."""

    async def repeat(self, kind: str, call: Callable[[], Awaitable[object]], pause_s: float) -> None:
        """Make a call again and again, until cancelled."""
        taken = self._taken.setdefault(kind, [])
        while True:
            began = time.monotonic()
            await call()
            taken.append((began, time.monotonic()))
            await asyncio.sleep(pause_s)

    def get_lateness(self, since: float, until: float) -> Lateness:
        """Return how long those calls took that ran at any time of a period."""
        reads, transactions, templates = (
            sorted(ended - began for began, ended in self._taken.get(kind, ()) if ended >= since and began <= until)
            for kind in ("read", "transaction", "template")
        )
        return Lateness(
            read_p99=reads[len(reads) * 99 // 100] if reads else 0.0,
            read_max=reads[-1] if reads else 0.0,
            transaction_max=transactions[-1] if transactions else 0.0,
            template_max=templates[-1] if templates else 0.0,
        )


@asynccontextmanager
async def open_probes(url: str, hrp: str, transactions: Sequence[Transaction]) -> AsyncIterator[Probes]:
    """Call a node all the time while the block of the context runs.

    Args:
        transactions: each is sent once, of accounts that nothing else spends from.
    """
    probes, transports = Probes(), [Transport(url) for _ in range(3)]
    left = iter(transactions)
    beneficiaries = iter(range(1, 1 << 32))

    async def read() -> object:
        return await transports[0].call("chain_head")

    async def add() -> object:
        tx = next(left, None)
        return None if tx is None else await transports[1].call("tx_send", {"hex": encode(tx).hex()})

    async def template() -> object:
        beneficiary = encode_address(hrp, Address(next(beneficiaries).to_bytes(20, "big")))
        return await transports[2].call("miner_template", {"beneficiary": beneficiary})

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(probes.repeat("read", read, READ_PAUSE_S)),
                group.create_task(probes.repeat("transaction", add, SEND_PAUSE_S)),
                group.create_task(probes.repeat("template", template, TEMPLATE_PAUSE_S)),
            ]
            try:
                yield probes
            finally:
                for task in tasks:
                    task.cancel()
    finally:
        for transport in transports:
            await transport.close()
