"""A peer that sends blocks to a node, serves what the node asks of it, and notes which blocks the node relays."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from typing import Final

from inos.bench.net.partner import make_transport, send
from inos.genesis import Network
from inos.network.errors import LinkError
from inos.network.identity import parse_peer_address
from inos.network.link import Link
from inos.network.settings import PROTOCOL_VERSION, USER_AGENT
from inos.network.sync.relay.compact import make_compact
from inos.network.wire.base import Message, Request
from inos.network.wire.chain import BlockData, GetBlocks
from inos.network.wire.compact import (
    BlockTransactions,
    CompactAnswer,
    CompactBlock,
    GetBlockTransactions,
    GetCompactBlock,
    SetCompact,
)
from inos.network.wire.control import Hello, NotFound, Ping, Pong
from inos.network.wire.framing import Assembler
from inos.network.wire.limits import get_limit
from inos.network.wire.messages import decode_message
from inos.primitives.blocks import Block, Header, compute_block_id
from inos.primitives.codec import encode
from inos.primitives.matrices import Witness

NONCE: Final = 1


class Peer:
    """One link to a node. Use through `open_peer`."""

    def __init__(self, link: Link, tip: Header) -> None:
        self._link = link
        self._tip = tip
        self._blocks: dict[bytes, tuple[Block, Witness]] = {}
        self.relayed: dict[str, float] = {}
        """Seconds (monotonic) at which the node pushed a block, by the block's id."""

    async def offer(self, block: Block, witness: Witness) -> float:
        """Push a block as miners do, without the transactions; return when that began (monotonic, seconds)."""
        self._blocks[compute_block_id(block.header)] = block, witness
        message = CompactBlock(make_compact(block, witness, NONCE))
        began = time.monotonic()
        await send(self._link, message)
        return began

    async def run(self) -> None:
        """Answer the node, until cancelled."""
        await send(self._link, SetCompact(True))
        assembler = Assembler()
        with contextlib.suppress(LinkError):
            while True:
                whole = assembler.add(await self._link.receive())
                if whole is not None:
                    await self._answer(decode_message(whole[1], limit=get_limit(whole[0]).max_bytes))

    async def _answer(self, message: Message) -> None:
        match message:
            case Ping():
                tip = compute_block_id(self._tip)
                await send(self._link, Pong(message.nonce, tip, self._tip.height))
            case CompactBlock():
                self.relayed.setdefault(compute_block_id(message.body.header).hex(), time.monotonic())
            case GetBlockTransactions() if message.id in self._blocks:
                transactions = self._blocks[message.id][0].transactions
                chosen = tuple(transactions[index] for index in message.indices)
                await send(self._link, BlockTransactions(message.request, chosen))
            case GetCompactBlock() if message.id in self._blocks:
                body = make_compact(*self._blocks[message.id], NONCE)
                await send(self._link, CompactAnswer(message.request, body))
            case GetBlocks():
                for id in message.ids:
                    answer = BlockData(message.request, *self._blocks[id]) if id in self._blocks else None
                    await send(self._link, answer or NotFound(message.request, (id,)))
            case Request():
                await send(self._link, NotFound(message.request, ()))
            case _:
                pass


@contextlib.asynccontextmanager
async def open_peer(network: Network, address: str, tip: Header, weight: int) -> AsyncIterator[Peer]:
    """Dial a node as a peer that has the same tip."""
    transport = make_transport(network, os.urandom(32))
    hello = encode(
        Hello(
            PROTOCOL_VERSION,
            network.params.chain_id,
            network.genesis_id,
            USER_AGENT,
            compute_block_id(tip),
            tip.height,
            weight.to_bytes(32, "big"),
            0,
        )
    )
    link = await transport.dial(parse_peer_address(address), lambda: hello)
    peer = Peer(link, tip)
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(peer.run())
            yield peer
            task.cancel()
    finally:
        await link.close()
        await transport.stop()
