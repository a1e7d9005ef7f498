"""The measured node: `python -m inos.bench.blocks.process GENESIS DATA_DIR BENEFICIARY FILLER_RATE`.

It is a node as `inos node --mine` runs one, on all cores, with a watch on its event loop and on its tips. It prints one
line of JSON when it is ready, and one for each line on its standard input: "mine" starts the miner, "look" tells what
was seen since the last look. It ends with its standard input.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

from inos.chain.events import TipChanged
from inos.node.logs import configure_logs
from inos.node.node import Node, open_node
from inos.node.settings import load_settings

LOOK_S: Final = 0.005
"""The loop's lag is how much longer than this a sleep takes."""


class Watch:
    """What was seen since the last look."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lags: list[float] = []
        self._tips: dict[str, float] = {}

    async def watch_loop(self) -> None:
        """Measure how late the loop is, until cancelled."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(LOOK_S)
            self._lags.append(time.monotonic() - began - LOOK_S)

    async def watch_tips(self) -> None:
        """Note when each block was connected, until cancelled."""
        async with self._node.core.events.subscribe() as events:
            async for event in events:
                if isinstance(event, TipChanged):
                    self._tips |= {block.hex(): time.monotonic() for block in event.connected}

    def take(self) -> dict[str, Any]:
        """Return what was seen, and forget it."""
        lags, self._lags = sorted(self._lags), []
        tips, self._tips = self._tips, {}
        return {"lag_s": lags[-1] if lags else 0.0, "tips": tips}


async def main() -> None:
    """Run the node until the standard input ends."""
    configure_logs("warning", "console")
    flags = {
        "network": sys.argv[1],
        "data_dir": Path(sys.argv[2]),
        "mine": sys.argv[3],
        "filler_rate": float(sys.argv[4]),
        "rpc_port": 0,
        "p2p_port": 0,
        "discovery": False,
        "vote": False,
    }
    async with open_node(load_settings(flags)) as node, asyncio.TaskGroup() as group:
        if node.miner is None:
            raise AssertionError("the node was started with an address to mine for")
        node.miner.stop()
        watch = Watch(node)
        tasks = [group.create_task(watch.watch_loop()), group.create_task(watch.watch_tips())]
        print(json.dumps({"rpc": node.rpc.url, "p2p": node.p2p_address}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            if line.strip() == "mine":
                node.miner.start()
            print(json.dumps(watch.take()), flush=True)
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main())
