"""A network of simulated nodes: their places, their mining, the network between them, and a record of all events.

A run depends only on its seed: `World.trace` is the hash of every frame's arrival with its time and place.
"""

import asyncio
import gc
import random
import struct
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b
from math import hypot, inf
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import structlog

from inos.chain.events import TipChanged
from inos.chain.mempool import MempoolLimits
from inos.consensus.genesis_state import make_genesis
from inos.consensus.params import Params
from inos.genesis import Network, load_network
from inos.network.settings import NetworkSettings
from inos.network.transport.simulated import Line, SimulatedNetwork
from inos.network.wire.framing import LAST
from inos.network.wire.messages import BY_TAG
from inos.primitives.blocks import compute_block_id, compute_difficulty
from inos.primitives.units import Address, BlockId, Nano, NodeId, TimeMs
from support.chain_maker import MadeBlock
from support.sim_loop import run_virtually
from support.sim_mining import Miner
from support.sim_node import START_MS, Mint, Setting, SimNode

T = TypeVar("T")
TESTNET: Final[Params] = load_network("testnet").params
PORT: Final = 9000
LINES: Final = ((1.25e6, 6e6), (5e6, 12e6), (12e6, 60e6))
"""Bytes per second up and down: 10/50, 40/100 and 100/480 Mbit/s."""
FARTHEST_S: Final = 0.12
"""The delay one way between opposite corners; the nearest nodes have 2 ms."""
BLOCK_KINDS: Final = frozenset({"BlockData", "CompactBlock"})


class Climate:
    """The conditions of the network between nodes. They satisfy `inos.network.transport.simulated.Conditions`."""

    def __init__(self, rng: random.Random, loss: float) -> None:
        self._rng = rng
        self.loss = loss
        self._spots: dict[NodeId, tuple[float, float]] = {}
        self._parts: dict[NodeId, int] = {}

    def place(self, id: NodeId) -> None:
        self._spots[id] = self._rng.random(), self._rng.random()

    def get_latency(self, a: NodeId, b: NodeId) -> float:
        nowhere = (0.5, 0.5)
        (x, y), (u, v) = self._spots.get(a, nowhere), self._spots.get(b, nowhere)
        return 0.002 + FARTHEST_S * hypot(x - u, y - v) / 2**0.5

    def get_loss(self, a: NodeId, b: NodeId) -> float:
        return self.loss

    def is_cut(self, a: NodeId, b: NodeId) -> bool:
        return bool(self._parts) and self._parts.get(a, 0) != self._parts.get(b, 0)

    def split(self, parts: Sequence[Sequence[NodeId]]) -> None:
        """Nothing passes between the parts; a node that is in no part belongs to the first."""
        self._parts = {id: number for number, part in enumerate(parts) for id in part}


class Found(msgspec.Struct):
    """One mined block."""

    at: float
    by: int
    height: int
    parent: BlockId
    size: int


class Traffic:
    """The bytes that arrived, by kind of message."""

    def __init__(self) -> None:
        self.messages: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self._open: dict[tuple[NodeId, NodeId, int], str] = {}

    def count(self, source: NodeId, sink: NodeId, frame: bytes) -> str:
        """Return the kind of the message that the frame belongs to."""
        lane = (source, sink, frame[0] & 3)
        kind = self._open.pop(lane, None)
        if kind is None:
            known = BY_TAG.get(frame[2]) if len(frame) > 2 else None
            kind = "unknown" if known is None else known.__name__
            self.messages[kind] += 1
        if not frame[0] & LAST:
            self._open[lane] = kind
        self.bytes[kind] += len(frame)
        return kind


class World:
    """The world; `simulate` makes it. The module's docstring describes it."""

    def __init__(
        self,
        seed: int,
        folder: Path,
        group: asyncio.TaskGroup,
        params: Params,
        loss: float,
        accounts: Sequence[Address],
        pool: MempoolLimits,
    ) -> None:
        self.seed = seed
        self.rng = random.Random(f"{seed}/world")
        self.group = group
        self.climate = Climate(random.Random(f"{seed}/climate"), loss)
        self.net = SimulatedNetwork(self.climate, random.Random(f"{seed}/network"), self._tap)
        self.mint = Mint(random.Random(f"{seed}/mint"))
        self.chain = make_chain(params, dict.fromkeys(accounts, Nano(10**15)))
        self.nodes: list[SimNode] = []
        self.miners: dict[int, Miner] = {}
        self.found: dict[BlockId, Found] = {}
        self.connected: dict[BlockId, dict[int, float]] = {}
        """Block -> node -> the time at which the node first had the block in its chain."""
        self.traffic = Traffic()
        self.troubles: list[str] = []
        self.ended: Counter[str] = Counter()
        """The reasons for which links ended, over all nodes."""
        self.bans: Counter[str] = Counter()
        """How often other nodes banned each node, by the first 12 digits of its id."""
        self._tasks: list[asyncio.Task[None]] = []
        self._endings: list[Callable[[], Awaitable[None]]] = []
        self._hash = blake2b(digest_size=16)
        self._setting = Setting(self.chain, self.net, self.mint, folder, {}, pool)

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def trace(self) -> str:
        return self._hash.hexdigest()

    def _tap(self, now: float, source: NodeId, sink: NodeId, frame: bytes) -> None:
        self._hash.update(struct.pack("<d4s4sI", now, source[:4], sink[:4], len(frame)) + frame[:8] + frame[-8:])
        self.traffic.count(source, sink, frame)

    def use_chain(self, chain: Network) -> None:
        """Change the genesis of the network; this must come before the first node."""
        self.chain = chain
        self._setting = msgspec.structs.replace(self._setting, chain=chain)

    # Nodes

    def add_node(
        self, settings: NetworkSettings | None = None, *, host: str = "", mint: Mint | None = None, **more: Any
    ) -> SimNode:
        """Add a node, in its own network group unless `host` gives an address; `more` is passed to SimNode.

        `mint` seals and checks for this node if it differs from the others'.
        """
        index = len(self.nodes)
        node = SimNode(
            self._setting if mint is None else msgspec.structs.replace(self._setting, mint=mint),
            index,
            (host or f"{20 + index // 250}.{index % 250}.7.1", PORT),
            Line(*self.rng.choice(LINES)),
            settings or NetworkSettings(),
            f"{self.seed}/node/{index}",
            on_tip=self._on_tip,
            **more,
        )
        self.climate.place(node.id)
        self.nodes.append(node)
        return node

    def add_nodes(self, count: int, settings: NetworkSettings | None = None) -> list[SimNode]:
        return [self.add_node(settings) for _ in range(count)]

    def link(self, node: SimNode, *others: SimNode) -> None:
        """Configure `others` as peers of `node`; this must come before it starts."""
        known = dict.fromkeys((*node.settings.peers, *(other.address for other in others)))
        node.settings = msgspec.structs.replace(node.settings, peers=tuple(known))

    def link_at_random(self, nodes: Sequence[SimNode], degree: int) -> None:
        """Connect each node to `degree` others."""
        for node in nodes:
            others = [other for other in self.rng.sample(nodes, min(degree + 1, len(nodes))) if other is not node]
            self.link(node, *others[:degree])

    async def start(self, nodes: Sequence[SimNode] | None = None) -> None:
        """Start nodes and wait until they had time to connect."""
        for node in self.nodes if nodes is None else nodes:
            await node.start(self.group)
        gc.collect()
        gc.freeze()
        await asyncio.sleep(2.0)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task until the world ends."""
        self._tasks.append(self.group.create_task(work))

    def at_end(self, call: Callable[[], Awaitable[None]]) -> None:
        """Register what runs before the nodes stop."""
        self._endings.append(call)

    async def stop(self) -> None:
        for miner in self.miners.values():
            miner.stop()
        for task in self._tasks:
            task.cancel()
        for call in self._endings:
            await call()
        for node in self.nodes:
            await node.stop()

    def split(self, *parts: Sequence[SimNode]) -> None:
        self.climate.split([[node.id for node in part] for part in parts])

    def heal(self) -> None:
        self.climate.split(())
        self.net.heal()

    # Mining

    def compute_rate(self) -> float:
        """Return the tickets per second that the first target assumes."""
        return compute_difficulty(self.chain.params.genesis_target) * 1000 / self.chain.params.spacing_ms

    def mine(self, shares: dict[SimNode, float]) -> None:
        """Let nodes mine with the given shares of that rate."""
        rate = self.compute_rate()
        for node, share in shares.items():
            miner = Miner(node, share * rate, self.note_found, self.group)
            self.miners[node.index] = miner
            miner.draw()

    def stop_mining(self) -> None:
        for miner in self.miners.values():
            miner.stop()
        self.miners = {}

    def note_found(self, node: SimNode, made: MadeBlock) -> None:
        header = made.block.header
        size = len(msgspec.msgpack.encode((made.block, made.witness)))
        self.found[made.id] = Found(self.now, node.index, header.height, BlockId(header.parent), size)

    def _on_tip(self, node: SimNode, event: TipChanged) -> None:
        for id in event.connected:
            self.connected.setdefault(id, {}).setdefault(node.index, self.now)
        miner = self.miners.get(node.index)
        if miner is not None:
            miner.on_tip(event)

    # Observations

    def get_tips(self, nodes: Sequence[SimNode]) -> Counter[BlockId]:
        return Counter(node.ledger.tip.id for node in nodes)

    def list_chain(self, node: SimNode) -> list[BlockId]:
        """Return the ids of the node's chain above genesis."""
        ids, id = [], node.ledger.tip.id
        while id != self.chain.genesis_id:
            ids.append(id)
            header = node.ledger.get_header(id)
            assert header is not None
            id = BlockId(header.parent)
        return ids[::-1]

    def compute_delays(self, nodes: Sequence[SimNode], since: float = 0.0, before: float = inf) -> list[float]:
        """Return the seconds from the finding of each common block until each node had it, without the finder.

        Only blocks found from `since` on and before `before` count. Blocks that raced with another of `nodes` are left
        out: a node that saw the other one first has them only when the next block decides the race.
        """
        indices = {node.index for node in nodes}
        rivals = Counter(found.height for found in self.found.values() if found.by in indices)
        delays = []
        for id in self.list_chain(nodes[0]):
            found = self.found.get(id)
            if found is not None and since <= found.at < before and rivals[found.height] <= 1:
                seen = self.connected.get(id, {})
                delays += [at - found.at for index, at in seen.items() if index in indices and index != found.by]
        return sorted(delays)

    def count_bans(self, nodes: Sequence[SimNode]) -> int:
        """Return how often one of `nodes` was banned."""
        return sum(self.bans[node.id.hex()[:12]] for node in nodes)

    async def until(self, is_true: Callable[[], object], limit_s: float, step_s: float = 0.5) -> float:
        """Wait for a condition and return the time that it took. Raises TimeoutError after `limit_s` virtual
        seconds.
        """
        began = self.now
        async with asyncio.timeout(limit_s):
            while not is_true():  # noqa: ASYNC110 -- the sleep is virtual
                await asyncio.sleep(step_s)
        return self.now - began

    async def settle(self, nodes: Sequence[SimNode], limit_s: float) -> float:
        """Wait until all have one tip after mining stopped, and return the time; if tips are equal, one gets another
        block.

        Two tips of equal weight are no disagreement: each node keeps the one that it saw first until more work decides.
        """
        began = self.now
        await self.until(lambda: len({node.ledger.tip.weight for node in nodes}) == 1, limit_s)
        if len(self.get_tips(nodes)) > 1:
            block, allowed = await nodes[0].draft()
            made = self.mint.seal(block, allowed)
            self.note_found(nodes[0], made)
            await nodes[0].core.blocks.add(made.block, made.witness)
            await self.until_agreed(nodes, limit_s)
        return self.now - began

    async def until_agreed(self, nodes: Sequence[SimNode], limit_s: float) -> float:
        """Wait until all have one tip."""
        return await self.until(lambda: len(self.get_tips(nodes)) == 1, limit_s)


def make_chain(params: Params, allocations: dict[Address, Nano]) -> Network:
    """Return a network like the testnet, whose genesis time is the start of the simulation."""
    state = make_genesis(params, TimeMs(START_MS), allocations)
    return Network(params, state, compute_block_id(state.header), "sim", "simulation", ())


def simulate(
    scenario: Callable[[World], Awaitable[T]],
    seed: int,
    *,
    params: Params = TESTNET,
    loss: float = 0.002,
    accounts: Sequence[Address] = (),
    pool: MempoolLimits | None = None,
) -> T:
    """Run a scenario in its own world.

    Raises:
        AssertionError: a session failed because of a bug in the node.
    """

    async def main(folder: Path) -> T:
        async with asyncio.TaskGroup() as group:
            world = World(seed, folder, group, params, loss, accounts, pool or MempoolLimits())
            async with _logged(world):
                try:
                    result = await scenario(world)
                finally:
                    await world.stop()
        assert not world.troubles, world.troubles[:3]
        return result

    thresholds = gc.get_threshold()
    gc.set_threshold(200_000, 20, 50)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return run_virtually(main(Path(folder)))
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


@asynccontextmanager
async def _logged(world: World) -> AsyncIterator[None]:
    """Keep only log entries for errors, which are bugs; formatting those of a thousand nodes would be slow."""

    def keep(_: Any, method: str, event: dict[str, Any]) -> str:
        if event.get("event") == "peer banned":
            world.bans[event["peer"]] += 1
        elif event.get("event") == "peer disconnected":
            world.ended[event["reason"]] += 1
        elif method in ("error", "critical", "exception"):
            world.troubles.append(f"{method}: {event}")
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, keep],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
