"""Hundreds of routing nodes in one process: links are function calls, the clock jumps, and one seed decides
everything.
"""

import asyncio
import random
import selectors
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

from inos.network.discovery.routing.service import RoutingService
from inos.network.discovery.routing.settings import RoutingSettings
from inos.network.errors import HandshakeFailed, LinkError, Misbehaviour
from inos.network.identity import PeerAddress
from inos.network.peers.requests import OpenRequests
from inos.network.sync.serving import RequestServer
from inos.network.wire.base import Reply, Request
from inos.network.wire.kademlia import Contact, FindNodes, FindProviders, Nodes, Provide, Provided, Providers
from support.network_fakes import FakeMatrices

LATENCY_S = 0.05
SILENT_S = 30.0
"""A dial to a dead address takes this long unless the caller gives up."""


class _NoWait(selectors.SelectSelector):
    """A replacement for waiting, in which time passes at once."""

    def __init__(self, loop: "VirtualLoop") -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self._loop.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(_NoWait(self))

    def time(self) -> float:
        return self.now


def run_virtual(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


class LoopClock:
    def now_ms(self) -> int:
        return int(self.monotonic() * 1000)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class FakePeer:
    """One end of a link, which asks the node at the other end."""

    def __init__(self, world: "World", here: "FakeNode", there: "FakeNode", address: str, is_outbound: bool) -> None:
        self._world, self._here, self._there = world, here, there
        self.id = there.address.id
        self.name = self.id.hex()[:12]
        self.link = SimpleNamespace(remote_address=address, is_outbound=is_outbound)
        self.hello = SimpleNamespace(listen_port=there.claimed_port)
        self.requests = OpenRequests()
        self.known_blocks: set[bytes] = set()

    async def send_request(self, pending: Any, request: Request, limit_s: float) -> None:
        await asyncio.sleep(LATENCY_S)
        if self._there.is_dead:
            return
        await self._there.handle_request(self._there.peers[self._here.address.id], request, self.requests.deliver)


class FakeNode:
    """A node with routing, matrices, and the manager's part: reach, prove, and its connections."""

    def __init__(self, world: "World", seed: int, host: str, settings: RoutingSettings) -> None:
        self.world = world
        self.rng = random.Random(seed)
        self.address = PeerAddress(self.rng.randbytes(32), host, 9000)
        self.claimed_port = 9000
        self.is_dead = False
        self.lie: Any = None
        """Maps a request to a reply, if this node does not answer as it should."""
        self.matrices = FakeMatrices()
        self.punished: list[tuple[bytes, str]] = []
        self.peers: dict[bytes, FakePeer] = {}
        self.full: set[bytes] = set()
        self._answers = RequestServer(SimpleNamespace(matrices=self.matrices))
        self.routing = RoutingService(
            self.address.id, self.matrices, settings, self, self._punish, LoopClock(), self.rng
        )

    def list_full(self) -> list[FakePeer]:
        return [self.peers[id] for id in self.full]

    async def _punish(self, peer: Any, fault: Misbehaviour) -> None:
        self.punished.append((peer.id, fault.code))

    async def verify_address(self, address: PeerAddress) -> None:
        await self._find(address)

    async def get_or_dial(self, address: PeerAddress, limit_s: float) -> FakePeer:
        present = self.peers.get(address.id)
        if present is not None and not self.world.by_id[address.id].is_dead:
            return present
        try:
            async with asyncio.timeout(limit_s):
                other = await self._find(address)
        except TimeoutError:
            raise LinkError("cannot-dial", "nobody there in time") from None
        return self.connect(other)

    async def _find(self, address: PeerAddress) -> "FakeNode":
        self.world.dials += 1
        other = self.world.nodes.get((address.host, address.port))
        if other is None or other.is_dead:
            await asyncio.sleep(SILENT_S)
            raise LinkError("cannot-dial", "nobody there")
        await asyncio.sleep(2 * LATENCY_S)
        if other.address.id != address.id:
            raise HandshakeFailed("wrong-peer", "somebody else")
        return other

    def connect(self, other: "FakeNode", *, is_full: bool = False) -> FakePeer:
        there = f"{other.address.host}:{other.address.port}"
        self.peers[other.address.id] = FakePeer(self.world, self, other, there, True)
        other.peers[self.address.id] = FakePeer(self.world, other, self, f"{self.address.host}:5", False)
        if is_full:
            self.full.add(other.address.id)
            other.full.add(self.address.id)
            self.routing.on_connected(self.peers[other.address.id])  # type: ignore[arg-type]
            other.routing.on_connected(other.peers[self.address.id])  # type: ignore[arg-type]
        return self.peers[other.address.id]

    def disconnect(self) -> None:
        for id in tuple(self.peers):
            del self.peers[id]
            self.world.by_id[id].peers.pop(self.address.id, None)
            self.world.by_id[id].full.discard(self.address.id)
        self.full.clear()

    async def handle_request(self, asker: FakePeer, request: Request, deliver: Any) -> None:
        async def put(reply: Reply) -> None:
            await asyncio.sleep(LATENCY_S)
            deliver(reply)

        if self.lie is not None:
            reply = self.lie(request)
            if reply is not None:
                await put(reply)
                return
        asker.out = SimpleNamespace(put=put)  # type: ignore[attr-defined]
        if not await self.routing.handle_request(asker, request):  # type: ignore[arg-type]
            await self._answers.handle_request(asker, request)  # type: ignore[arg-type]


class World:
    """All nodes. Each one is in its own network group."""

    def __init__(self, count: int, seed: int = 1, settings: RoutingSettings | None = None) -> None:
        self.rng = random.Random(seed)
        self.settings = settings or RoutingSettings()
        self.dials = 0
        self.nodes: dict[tuple[str, int], FakeNode] = {}
        self.by_id: dict[bytes, FakeNode] = {}
        for number in range(count):
            self.add(f"{20 + number // 250}.{number % 250}.1.1")

    def add(self, host: str) -> FakeNode:
        node = FakeNode(self, self.rng.getrandbits(64), host, self.settings)
        self.nodes[node.address.host, node.address.port] = node
        self.by_id[node.address.id] = node
        return node

    @property
    def all(self) -> list[FakeNode]:
        return list(self.nodes.values())

    def list_nearest(self, key: bytes, count: int) -> list[FakeNode]:
        return sorted(self.all, key=lambda node: int.from_bytes(node.address.id) ^ int.from_bytes(key))[:count]

    def introduce(self, contacts: int = 60) -> None:
        """Let all nodes dial some others at random and those nearest to them, as after some time on the network."""
        for node in self.all:
            known = [
                *self.rng.sample(self.all, min(contacts, len(self.nodes))),
                *self.list_nearest(node.address.id, 21),
            ]
            for other in known:
                node.routing._maintenance._see(other.address)


def make_liar(world: World, node: FakeNode) -> Any:
    """Return a liar, which answers at once: it names twenty invented nodes nearest to the requested key, stores
    nothing, and claims to have everything.
    """

    def make_contact(key: bytes, number: int) -> Contact:
        return Contact(key[:28] + node.rng.randbytes(4), f"9{number % 10}.{node.rng.randrange(250)}.9.9", 9000)

    def lie(request: Request) -> Reply | None:
        match request:
            case FindNodes():
                return Nodes(request.request, tuple(make_contact(request.target, n) for n in range(20)))
            case FindProviders():
                lies = tuple(make_contact(request.id, n) for n in range(20))
                return Providers(request.request, lies, lies)
            case Provide():
                return Provided(request.request, (10,) * len(request.ids))
        return None

    return lie
