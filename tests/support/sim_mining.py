"""Blocks found by chance: the time to a miner's next block is exponential, by its tickets per second."""

import asyncio
import random
from collections.abc import Callable

from inos.chain.events import TipChanged
from inos.primitives.errors import InosError
from support.chain_maker import MadeBlock
from support.sim_node import SimNode


class Miner:
    """It mines on its node's tip. A new tip leads to a new draw, which changes nothing, since the distribution has no
    memory.

    Args:
        rate: tickets per second.
        take: handles a found block; by default the node adds it.
    """

    def __init__(
        self,
        node: SimNode,
        rate: float,
        on_found: Callable[[SimNode, MadeBlock], None],
        group: asyncio.TaskGroup,
    ) -> None:
        self._node = node
        self.rate = rate
        self._on_found = on_found
        self._group = group
        self._rng: random.Random = node.rng
        self._timer: asyncio.TimerHandle | None = None

    def draw(self) -> None:
        """Draw the time of the next block, which holds if nothing happens before."""
        self.stop()
        wait = self._rng.expovariate(self.rate / self._node.compute_difficulty())
        self._timer = asyncio.get_running_loop().call_later(wait, self._find)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def on_tip(self, event: TipChanged) -> None:
        self.draw()

    def _find(self) -> None:
        self._group.create_task(self._mine())

    async def _mine(self) -> None:
        node = self._node
        block, allowed = await node.draft()
        made = node.setting.mint.seal(block, allowed)
        self._on_found(node, made)
        try:
            await node.core.blocks.add(made.block, made.witness)
        except InosError as error:
            raise AssertionError(f"a node refuses its own block: {error}") from error
        self.draw()
