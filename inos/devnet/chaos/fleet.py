"""The honest nodes: they are started, killed and restarted, and crashes are noticed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from inos.client.client import Client
from inos.devnet.chaos.wiring import Wiring
from inos.network.identity import load_identity
from inos.node.process import NodeSpec, RunningNode, read_log_end, start_node, stop_process

TICKETS_PER_S: Final = 10_000.0
"""Filler tickets per second of all nodes together, for a block every two seconds at the devnet's first target."""
LEAST_RATE: Final = 330.0
STARTS_AT_ONCE: Final = 4


@dataclass
class HonestNode:
    """One node over all its restarts."""

    index: int
    spec: NodeSpec
    id: str
    rpc_url: str
    client: Client
    running: RunningNode | None = None
    starts: int = 0
    kills: int = 0
    is_wanted: bool = True
    crashes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def is_up(self) -> bool:
        return self.running is not None and self.is_wanted

    @property
    def log_path(self) -> Path:
        return self.spec.data_dir / "node.log"

    def read_token(self) -> str:
        return (self.spec.data_dir / "rpc.token").read_text().strip()


class Fleet:
    """All honest nodes, made by `open_fleet`."""

    def __init__(self, nodes: Sequence[HonestNode], wiring: Wiring, group: asyncio.TaskGroup) -> None:
        self.nodes = tuple(nodes)
        self._wiring = wiring
        self._group = group
        self._slots = asyncio.Semaphore(STARTS_AT_ONCE)

    def list_up(self) -> list[HonestNode]:
        return [node for node in self.nodes if node.is_up]

    async def start_all(self) -> None:
        """Start all nodes, a few at a time.

        Raises:
            DevnetError: one of them did not start.
        """
        async with asyncio.TaskGroup() as group:
            for node in self.nodes:
                group.create_task(self._start(node))

    async def _start(self, node: HonestNode) -> None:
        peers = []
        for text in self._wiring.list_peers(node.index):
            there, _, place = text.partition("@")
            peers.append(f"{self.nodes[int(there)].id}@{place}")
        async with self._slots:
            running = await start_node(node.spec, peers)
        node.starts += 1
        node.is_wanted, node.running = True, running
        self._wiring.set_ports(node.index, get_port(running.p2p_address), get_port(running.rpc_url))
        self._group.create_task(self._watch(node, running))

    async def _watch(self, node: HonestNode, running: RunningNode) -> None:
        """Note a crash if a node ends that was not killed."""
        code = await running.process.wait()
        if node.running is running:
            node.running = None
            if node.is_wanted:
                node.crashes.append(f"{node.name} ended by itself with {code}:\n{read_log_end(node.log_path)}")

    async def kill(self, node: HonestNode, down_s: float) -> None:
        """Kill a node that is up without warning, and start it again after `down_s` seconds.

        Raises:
            DevnetError: it did not come up again.
        """
        running = node.running
        if running is None:
            return
        node.is_wanted = False
        node.kills += 1
        with contextlib.suppress(ProcessLookupError):
            running.process.kill()
        await running.process.wait()
        node.running = None
        await asyncio.sleep(down_s)
        await self._start(node)

    async def stop_all(self) -> None:
        """Stop all nodes."""
        running = [node.running for node in self.nodes if node.running is not None]
        for node in self.nodes:
            node.is_wanted = False
        await asyncio.gather(*(stop_process(one.process) for one in running))


def get_port(address: str) -> int:
    """Return the port of "...:port"."""
    return int(address.rsplit(":", 1)[1])


def make_nodes(folder: Path, count: int, wiring: Wiring) -> list[HonestNode]:
    """Return nodes whose ids are known before they run; all of them mine."""
    rate = max(LEAST_RATE, TICKETS_PER_S / count)
    mining = ("--mine", "auto", "--threads", "1", "--filler-rate", f"{rate:g}")
    nodes = []
    for index in range(count):
        data_dir = folder / f"node-{index + 1}"
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = ("--network", "devnet", "--rpc-port", "0", "--log-format", "json", *wiring.get_flags(index), *mining)
        spec = NodeSpec(f"node-{index + 1}", data_dir, flags, wiring.get_prefix(index))
        url = wiring.get_rpc_url(index)
        nodes.append(HonestNode(index, spec, load_identity(data_dir).node_id.hex(), url, Client(url)))
    return nodes


@contextlib.asynccontextmanager
async def open_fleet(nodes: Iterable[HonestNode], wiring: Wiring) -> AsyncIterator[Fleet]:
    """Start the nodes and yield them once all are up; all of them are stopped afterwards."""
    async with asyncio.TaskGroup() as group:
        fleet = Fleet(tuple(nodes), wiring, group)
        try:
            await fleet.start_all()
            yield fleet
        finally:
            await fleet.stop_all()
            for node in fleet.nodes:
                await node.client.close()
