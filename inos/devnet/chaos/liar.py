"""Peers that prove their identity and then lie. `python -m inos.devnet.chaos.liar NETWORK SEED ID@host:port ...`

Each connection plays one part: it claims a chain that does not exist, announces blocks and withholds them, forges
headers, bodies and witnesses, sends garbage transactions and strips, answers requests that were not made, sends
malformed frames, or never reads. When it is banned, it comes back under another identity. At the end it prints how
often it told each lie.
"""

import asyncio
import contextlib
import json
import random
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec.structs import replace

from inos.genesis import load_network
from inos.network.errors import LinkError, Misbehaviour, NetworkError
from inos.network.identity import NodeIdentity, PeerAddress, parse_peer_address
from inos.network.link import MAX_FRAME_BYTES, Link
from inos.network.settings import PROTOCOL_VERSION, USER_AGENT, TimeLimits
from inos.network.transport.websocket import WebSocketTransport
from inos.network.wire.base import Message
from inos.network.wire.chain import AnnounceBlock, BlockData, GetBlocks, GetHeaders, Headers
from inos.network.wire.control import Hello, Ping, Pong
from inos.network.wire.framing import Assembler, split
from inos.network.wire.limits import get_limit
from inos.network.wire.matrices import GetMatrix, GetRun, GetStrips, MatrixHead, RunData, Strip, Strips
from inos.network.wire.messages import decode_message, encode_message
from inos.network.wire.transactions import AnnounceTransactions, GetTransactions, Transactions
from inos.primitives.blocks import Block, Header, compute_block_id
from inos.primitives.codec import encode
from inos.primitives.matrices import STRIP_BYTES, DType, MatrixRef, Seal, Witness
from inos.primitives.transactions import Transaction, Transfer

PAUSE_S: Final = 0.4
BACK_S: Final = 1.5
PATIENCE_S: Final = 8.0
"""One connection lies for this long before the next part is played."""


class Liar:
    """One liar, which connects to all targets at once."""

    def __init__(self, network: str, seed: int) -> None:
        self._network = load_network(network)
        self._rng = random.Random(seed)
        self.lies: Counter[str] = Counter()

    async def run(self, targets: list[PeerAddress]) -> None:
        """Lie to all targets until cancelled."""
        async with asyncio.TaskGroup() as group:
            for target in targets:
                group.create_task(self._haunt(target))

    async def _haunt(self, target: PeerAddress) -> None:
        parts: list[Callable[[_Talk], Awaitable[None]]] = [
            boast, withhold, forge, spam, spoil_strips, answer_unasked, send_nonsense, never_read,
        ]  # fmt: skip
        while True:
            part = self._rng.choice(parts)
            transport = self._make_transport()
            try:
                link = await transport.dial(target, lambda part=part: self._make_hello(part is boast))  # type: ignore[misc]
                async with asyncio.timeout(PATIENCE_S):
                    await self._play(link, part)
            except (LinkError, NetworkError, Misbehaviour, TimeoutError, OSError):
                self.lies["thrown out"] += 1
            finally:
                await transport.stop()
            await asyncio.sleep(BACK_S * (0.5 + self._rng.random()))

    async def _play(self, link: Link, part: Callable[["_Talk"], Awaitable[None]]) -> None:
        talk = _Talk(link, self._rng, self.lies, self._network.params.chain_id)
        try:
            async with asyncio.TaskGroup() as group:
                if part is not never_read:
                    group.create_task(talk.listen())
                group.create_task(_repeat(part, talk))
        except* (LinkError, Misbehaviour):
            self.lies["thrown out"] += 1
        finally:
            await link.close()

    def _make_transport(self) -> WebSocketTransport:
        identity = NodeIdentity(self._rng.randbytes(32))
        return WebSocketTransport(identity, self._network.genesis_id, host="127.0.0.1", port=0, limits=TimeLimits())

    def _make_hello(self, is_boasting: bool) -> bytes:
        height = 10**6 if is_boasting else 0
        weight = b"\xff" * 32 if is_boasting else bytes(32)
        tip = self._rng.randbytes(32) if is_boasting else self._network.genesis_id
        chain_id, genesis = self._network.params.chain_id, self._network.genesis_id
        return encode(Hello(PROTOCOL_VERSION, chain_id, genesis, USER_AGENT, tip, height, weight, 0))


class _Talk:
    """One connection, and the messages received on it."""

    def __init__(self, link: Link, rng: random.Random, lies: Counter[str], chain_id: int) -> None:
        self.link = link
        self.rng = rng
        self.lies = lies
        self.chain_id = chain_id
        self.tip: Header | None = None
        self.heard: list[Message] = []

    async def send(self, message: Message, lie: str = "") -> None:
        for frame in split(encode_message(message), get_limit(type(message)).lane):
            await self.link.send(frame)
        if lie:
            self.lies[lie] += 1

    async def listen(self) -> None:
        """Answer pings, learn a real header, and keep requests for the part that answers them wrongly."""
        assembler = Assembler()
        await self.send(GetHeaders(1, ()))
        while True:
            whole = assembler.add(await self.link.receive())
            if whole is None:
                continue
            message = decode_message(whole[1], limit=get_limit(whole[0]).max_bytes)
            if isinstance(message, Ping):
                await self.send(Pong(message.nonce, message.tip, message.height + self.rng.randrange(3)))
            elif isinstance(message, Headers) and message.headers:
                self.tip = message.headers[-1]
            elif isinstance(message, AnnounceBlock):
                self.tip = message.header
            self.heard = [*self.heard[-50:], message]

    def make_header(self) -> Header | None:
        """Return a child of a real block with a seal that was not mined."""
        if self.tip is None:
            return None
        ref = MatrixRef(self.rng.randbytes(32), 64, 64, self.rng.randbytes(32))
        seal = Seal(ref, ref, 0, 0, 0, bytes(8) + self.rng.randbytes(24))
        return replace(
            self.tip,
            height=self.tip.height + 1,
            parent=compute_block_id(self.tip),
            time_ms=self.tip.time_ms + 2000,
            tx_root=bytes(32),
            seal=seal,
        )


async def boast(talk: _Talk) -> None:
    """Claim a tip that does not exist."""
    await talk.send(Ping(talk.rng.getrandbits(32), talk.rng.randbytes(32), 10**6), "claimed a tip that is none")


async def withhold(talk: _Talk) -> None:
    """Announce a header with a made-up seal and never send its body."""
    header = talk.make_header()
    if header is not None:
        await talk.send(AnnounceBlock(header), "announced and withheld")


async def forge(talk: _Talk) -> None:
    """Answer requests for headers and blocks with forged ones."""
    header = talk.make_header()
    if header is None:
        return
    await talk.send(AnnounceBlock(header), "announced a forged header")
    for message in talk.heard:
        if isinstance(message, GetHeaders):
            await talk.send(Headers(message.request, (header,)), "forged headers")
        if isinstance(message, GetBlocks):
            witness = Witness(talk.rng.randbytes(STRIP_BYTES), (), bytes(STRIP_BYTES), ())
            await talk.send(BlockData(message.request, Block(header, ()), witness), "forged a block")
    talk.heard.clear()


async def spam(talk: _Talk) -> None:
    """Announce transactions, and answer requests for them with invalid signatures."""
    await talk.send(AnnounceTransactions(tuple(talk.rng.randbytes(32) for _ in range(50))), "announced nothing")
    for message in talk.heard:
        if isinstance(message, GetTransactions):
            tx = Transaction(
                talk.chain_id, talk.rng.randbytes(32), 0, 10**9, Transfer(bytes(20), 1), talk.rng.randbytes(64)
            )
            await talk.send(Transactions(message.request, (tx,)), "sent a transaction nobody signed")
    talk.heard.clear()


async def spoil_strips(talk: _Talk) -> None:
    """Answer requests for matrices with wrong bytes."""
    for message in talk.heard:
        if isinstance(message, GetMatrix):
            await talk.send(
                MatrixHead(message.request, DType.INT7, 128, 512, talk.rng.randbytes(32)), "lied about a matrix"
            )
        if isinstance(message, GetStrips):
            strip = Strip(talk.rng.randbytes(STRIP_BYTES), ())
            await talk.send(Strips(message.request, message.first, (strip,)), "sent a wrong strip")
        if isinstance(message, GetRun):
            data = talk.rng.randbytes(STRIP_BYTES)
            await talk.send(RunData(message.request, message.index, data, ()), "sent a wrong run")
    talk.heard.clear()


async def answer_unasked(talk: _Talk) -> None:
    """Send replies to requests that were never made."""
    await talk.send(Headers(talk.rng.getrandbits(31), ()), "answered what nobody asked")


async def send_nonsense(talk: _Talk) -> None:
    """Send malformed frames."""
    await talk.link.send(talk.rng.randbytes(talk.rng.choice((1, 7, 900, MAX_FRAME_BYTES))))
    talk.lies["sent nonsense"] += 1


async def never_read(talk: _Talk) -> None:
    """Request everything and read nothing."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            await talk.send(GetHeaders(talk.rng.getrandbits(31), ()), "asked and never read")


async def _repeat(part: Callable[[_Talk], Awaitable[None]], talk: _Talk) -> None:
    while True:
        await part(talk)
        await asyncio.sleep(PAUSE_S)


async def _main(network: str, seed: int, targets: list[str]) -> dict[str, Any]:
    liar = Liar(network, seed)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with asyncio.TaskGroup() as group:
        lying = group.create_task(liar.run([parse_peer_address(text) for text in targets]))
        await stop.wait()
        lying.cancel()
    return dict(liar.lies)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))))
