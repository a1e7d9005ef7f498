"""When nodes have a block: each is asked all the time for a template on a tip it has not told yet."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from inos.genesis import load_network
from inos.node.process import RunningNode
from inos.primitives.units import Address
from inos.wallet.addresses import encode_address

WAIT_S: Final = 20.0
NOBODY: Final = encode_address(load_network("devnet").hrp, Address(bytes(20)))
"""The templates are looked at and never mined."""


class TipWatch:
    """Seconds (monotonic) at which each node was first seen to build on a block. Use through `open_watch`."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[str, float]] = {}
        """Block id -> node's name -> when."""

    def list_delays(self, since: float, *, until: float, nodes: Sequence[str]) -> list[float]:
        """For blocks first seen in the time: seconds until each other node built on them, sorted.

        Blocks that not all `nodes` came to build on count not: another one took their place.
        """
        delays = []
        for times in self.seen.values():
            chosen = sorted(at for name, at in times.items() if name in nodes)
            if len(chosen) == len(nodes) and since <= chosen[0] < until:
                delays += [at - chosen[0] for at in chosen[1:]]
        return sorted(delays)

    async def follow(self, node: RunningNode) -> None:
        """Until cancelled."""
        known: str | None = None
        async with aiohttp.ClientSession() as session:
            while True:
                params = {"wait_s": WAIT_S, "beneficiary": NOBODY, **({"known_tip": known} if known else {})}
                found = await _call(session, node.rpc_url, params)
                if found["parent"] != known:
                    known = str(found["parent"])
                    self.seen.setdefault(known, {}).setdefault(node.name, time.monotonic())


async def _call(session: aiohttp.ClientSession, url: str, params: dict[str, Any]) -> dict[str, Any]:
    body = {"jsonrpc": "2.0", "id": 1, "method": "miner_template", "params": params}
    async with session.post(url, json=body, timeout=aiohttp.ClientTimeout(total=WAIT_S + 20)) as answer:
        reply = await answer.json()
    if "error" in reply:
        raise RuntimeError(f"miner_template: {reply['error']}")
    result: dict[str, Any] = reply["result"]
    return result


@asynccontextmanager
async def open_watch(nodes: Sequence[RunningNode]) -> AsyncIterator[TipWatch]:
    """Watch all nodes while the block runs."""
    watch = TipWatch()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watch.follow(node)) for node in nodes]
        try:
            yield watch
        finally:
            for task in tasks:
                task.cancel()
