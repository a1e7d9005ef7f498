"""When nodes have a block: each is asked again and again for a template on a tip that it has not returned yet."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from inos.client.transport import Transport
from inos.genesis import load_network
from inos.node.process import RunningNode
from inos.primitives.units import Address
from inos.wallet.addresses import encode_address

WAIT_S: Final = 20.0
BENEFICIARY: Final = encode_address(load_network("devnet").hrp, Address(bytes(20)))
"""The templates are never mined, so nobody earns anything."""


class TipWatch:
    """Seconds (monotonic) at which each node was first seen to build on a block. Use through `open_watch`."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[str, float]] = {}
        """Block id -> node's name -> time."""

    def list_delays(self, since: float, *, until: float, nodes: Sequence[str]) -> list[float]:
        """Return, for blocks first seen in the period, the seconds until each other node built on them, sorted.

        Blocks that not all `nodes` built on are left out; another block took their place.
        """
        delays = []
        for times in self.seen.values():
            chosen = sorted(at for name, at in times.items() if name in nodes)
            if len(chosen) == len(nodes) and since <= chosen[0] < until:
                delays += [at - chosen[0] for at in chosen[1:]]
        return sorted(delays)

    async def follow(self, node: RunningNode) -> None:
        """Record the tips of one node until cancelled."""
        known: str | None = None
        transport = Transport(node.rpc_url, timeout_s=WAIT_S + 20)
        try:
            while True:
                params = {"wait_s": WAIT_S, "beneficiary": BENEFICIARY, **({"known_tip": known} if known else {})}
                parent = str((await transport.call("miner_template", params))["parent"])
                if parent != known:
                    known = parent
                    self.seen.setdefault(known, {}).setdefault(node.name, time.monotonic())
        finally:
            await transport.close()


@asynccontextmanager
async def open_watch(nodes: Sequence[RunningNode]) -> AsyncIterator[TipWatch]:
    """Record the tips of all nodes while the block of the context runs."""
    watch = TipWatch()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watch.follow(node)) for node in nodes]
        try:
            yield watch
        finally:
            for task in tasks:
                task.cancel()
