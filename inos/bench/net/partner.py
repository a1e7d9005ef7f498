"""The other end of a measured link: `python -m inos.bench.net.partner NETWORK MODE [ID@host:port COUNT]`.

`serve` listens, answers requests for strips, and counts what it reads; for each line on its standard input it prints
its counts. `flood` keeps COUNT links to a node and sends on each as much as the limits allow; `idle` only keeps the
links. Each mode prints one line of JSON when it is ready.
"""

import asyncio
import contextlib
import json
import os
import random
import resource
import sys
from collections.abc import Callable
from typing import Final

from inos.genesis import Network, load_network
from inos.network.errors import LinkError, Misbehaviour
from inos.network.identity import NodeIdentity, PeerAddress, parse_peer_address
from inos.network.link import Link
from inos.network.settings import PROTOCOL_VERSION, USER_AGENT, TimeLimits
from inos.network.transport.websocket import WebSocketTransport
from inos.network.wire.base import Message
from inos.network.wire.chain import GetBlocks, GetHeaders
from inos.network.wire.compact import GetCompactBlock
from inos.network.wire.control import Hello, Ping, Pong
from inos.network.wire.framing import Assembler, split
from inos.network.wire.kademlia import FindNodes, FindProviders
from inos.network.wire.limits import LIMITS, get_limit
from inos.network.wire.matrices import GetMatrix, GetStrips, Strip, Strips
from inos.network.wire.messages import decode_message, encode_message
from inos.network.wire.skeleton import GetSkeleton
from inos.network.wire.transactions import AnnounceTransactions, GetTransactions
from inos.primitives.codec import encode
from inos.primitives.matrices import STRIP_BYTES

STRIPS: Final = 4
"""Strips in one answer, 64 KiB. Sixteen answers make a request of 1 MiB."""
ALLOWED: Final = 0.95
"""Part of each limit that a flood uses; beyond the limit it would be banned."""
REDIAL_S: Final = 1.0


async def send(link: Link, message: Message) -> None:
    """Send one message in frames."""
    for frame in split(encode_message(message), get_limit(type(message)).lane):
        await link.send(frame)


def make_transport(network: Network, secret: bytes) -> WebSocketTransport:
    """Return a transport with an identity of its own, on a free port of loopback."""
    limits = TimeLimits()
    return WebSocketTransport(NodeIdentity(secret), network.genesis_id, host="127.0.0.1", port=0, limits=limits)


def make_hello(network: Network) -> bytes:
    """Return the hello of a node that has only the genesis block."""
    id = network.genesis_id
    return encode(Hello(PROTOCOL_VERSION, network.params.chain_id, id, USER_AGENT, id, 0, bytes(32), 0))


class Counter:
    """Counts what comes over the links of a serving partner."""

    def __init__(self) -> None:
        self.messages = 0
        self._strips = tuple(Strip(os.urandom(STRIP_BYTES), ()) for _ in range(STRIPS))

    async def serve(self, link: Link) -> None:
        """Read one link until it is closed."""
        assembler = Assembler()
        with contextlib.suppress(LinkError, Misbehaviour):
            while True:
                whole = assembler.add(await link.receive())
                if whole is None:
                    continue
                message = decode_message(whole[1], limit=get_limit(whole[0]).max_bytes)
                self.messages += 1
                if isinstance(message, GetStrips):
                    for number in range(message.count):
                        await send(link, Strips(message.request, number, self._strips))

    def to_json(self) -> str:
        """Return the counts and the processor seconds used, as JSON."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return json.dumps({"messages": self.messages, "cpu_s": used.ru_utime + used.ru_stime})


async def run_server(network: Network) -> None:
    """Listen until the standard input ends."""
    secret = os.urandom(32)
    counter, transport = Counter(), make_transport(network, secret)
    await transport.listen(lambda: make_hello(network), counter.serve)
    print(json.dumps({"address": f"{NodeIdentity(secret).node_id.hex()}@127.0.0.1:{transport.port}"}), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(counter.to_json(), flush=True)
    await transport.stop()


class Visitor:
    """Keeps one link to a node, and dials again whenever the link is lost."""

    def __init__(self, network: Network, target: PeerAddress, rng: random.Random) -> None:
        self._network = network
        self._target = target
        self._rng = rng
        self._transport = make_transport(network, rng.randbytes(32))
        self.is_linked = asyncio.Event()
        self.losses = 0

    async def stay(self, *, floods: bool) -> None:
        """Keep the link until cancelled, and flood the node over it if `floods` is set."""
        while True:
            try:
                await self._visit(floods)
            except* (LinkError, Misbehaviour):
                self.losses += 1
            await asyncio.sleep(REDIAL_S)

    async def _visit(self, floods: bool) -> None:
        link = await self._transport.dial(self._target, lambda: make_hello(self._network))
        self.is_linked.set()
        try:
            await self._talk(link, floods)
        finally:
            await link.close()

    async def _talk(self, link: Link, floods: bool) -> None:
        works = [self._read(link)]
        if floods:
            works += [self._repeat(link, kind, make) for kind, make in self._list_floods()]
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)

    async def _read(self, link: Link) -> None:
        assembler = Assembler()
        while True:
            whole = assembler.add(await link.receive())
            if whole is not None and whole[0] is Ping:
                ping = decode_message(whole[1], limit=get_limit(Ping).max_bytes)
                if isinstance(ping, Ping):
                    await send(link, Pong(ping.nonce, ping.tip, ping.height))

    async def _repeat(self, link: Link, kind: type[Message], make: Callable[[], Message]) -> None:
        pause_s = 1 / (ALLOWED * LIMITS[kind].per_s)
        while True:
            await send(link, make())
            await asyncio.sleep(pause_s)

    def _list_floods(self) -> list[tuple[type[Message], Callable[[], Message]]]:
        """Return the most expensive message of each kind that a peer may send unasked, as functions that make it."""
        rng, genesis = self._rng, self._network.genesis_id

        def draw() -> int:
            return rng.getrandbits(32)

        def ids(count: int) -> tuple[bytes, ...]:
            return tuple(rng.randbytes(32) for _ in range(count))

        return [
            (GetHeaders, lambda: GetHeaders(draw(), (*ids(63), genesis))),
            (GetSkeleton, lambda: GetSkeleton(draw(), (*ids(63), genesis), 1)),
            (GetBlocks, lambda: GetBlocks(draw(), (*ids(15), genesis))),
            (GetCompactBlock, lambda: GetCompactBlock(draw(), genesis)),
            (AnnounceTransactions, lambda: AnnounceTransactions(ids(1024))),
            (GetTransactions, lambda: GetTransactions(draw(), ids(256))),
            (GetMatrix, lambda: GetMatrix(draw(), ids(1)[0])),
            (GetStrips, lambda: GetStrips(draw(), ids(1)[0], 0, 16)),
            (FindNodes, lambda: FindNodes(draw(), ids(1)[0])),
            (FindProviders, lambda: FindProviders(draw(), ids(1)[0])),
        ]


async def run_visitors(network: Network, target: PeerAddress, count: int, *, floods: bool) -> None:
    """Keep `count` links until cancelled."""
    visitors = [Visitor(network, target, random.Random(number)) for number in range(count)]
    async with asyncio.TaskGroup() as group:
        for visitor in visitors:
            group.create_task(visitor.stay(floods=floods))
            await visitor.is_linked.wait()
        print(json.dumps({"links": count}), flush=True)


def main() -> None:
    """Run the mode that the command line names."""
    network, mode = load_network(sys.argv[1]), sys.argv[2]
    if mode == "serve":
        asyncio.run(run_server(network))
    else:
        target, count = parse_peer_address(sys.argv[3]), int(sys.argv[4])
        asyncio.run(run_visitors(network, target, count, floods=mode == "flood"))


if __name__ == "__main__":
    main()
