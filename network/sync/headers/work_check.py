"""Checks the work of a long chain of headers by a sample of its witnesses, before its old results count as checked.

A header only claims its seal's digest. A node that syncs through history cannot get the matrices of old results, which
the network no longer keeps. It takes results deeper than `result_depth` as checked if the heaviest chain of headers
stands for real work: of 64 blocks, drawn by weight, all witnesses are valid. A chain with a tenth of false seals passes
with probability 0.9^64, about 0.1 %.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from inos.network.errors import Misbehaviour, RequestFailed
from inos.network.peers.peer import Peer
from inos.network.ports import NodePort
from inos.network.settings import TimeLimits
from inos.network.sync.penalties import Penalise
from inos.network.wire.chain import BlockData, GetBlocks
from inos.primitives.blocks import compute_block_id
from inos.primitives.errors import InosError, RuleViolation
from inos.primitives.randomness import Randomness
from inos.primitives.units import BlockId

log = structlog.get_logger("inos.network")

SAMPLE: Final = 64
"""Witnesses that are checked."""
LOOK_S: Final = 2.0
RETRY_S: Final = 30.0
"""If a sample could not be completed, the next one is drawn after this time."""


class WorkCheck:
    """Checks the work behind headers; one object serves all peers. It belongs to the event loop's thread."""

    def __init__(
        self,
        node: NodePort,
        limits: TimeLimits,
        rng: Randomness,
        list_peers: Callable[[], Iterable[Peer]],
        penalise: Penalise,
    ) -> None:
        self._node = node
        self._limits = limits
        self._rng = rng
        self._list_peers = list_peers
        self._penalise = penalise

    async def run(self) -> None:
        """Check samples while the node is far behind, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            sample = self._node.ledger.draw_work_sample(SAMPLE, self._rng)
            if sample is None:
                continue
            tip, blocks = sample
            if await self._check_all(blocks):
                log.info("work of the header chain checked", tip=tip.hex(), witnesses=len(blocks))
                await self._node.blocks.vouch(tip)
            else:
                await asyncio.sleep(RETRY_S)

    async def _check_all(self, blocks: Iterable[BlockId]) -> bool:
        for block in blocks:
            if not await self._check(block):
                return False
        return True

    async def _check(self, block: BlockId) -> bool:
        """Return True if some peer gave the block with a valid witness."""
        header = self._node.ledger.get_header(block)
        height = 0 if header is None else header.height
        peers = [peer for peer in self._list_peers() if peer.first_block <= height]
        start = self._rng.getrandbits(16) % len(peers) if peers else 0
        for peer in peers[start:] + peers[:start]:
            try:
                reply = await self._request(peer, block)
                await self._node.verifier.check_seal(reply.block.header, reply.witness)
            except RequestFailed:
                continue
            except RuleViolation as error:
                await self._penalise(peer, Misbehaviour(error.code, f"witness of {block.hex()}: {error.message}"))
                continue
            except InosError as error:
                log.debug("witness not checked", block=block.hex(), code=error.code)
                continue
            return True
        return False

    async def _request(self, peer: Peer, block: BlockId) -> BlockData:
        with peer.requests.open(BlockData) as pending:
            await peer.send_request(pending, GetBlocks(pending.request, (block,)), self._limits.block)
            reply = await pending.next(self._limits.block)
        if not isinstance(reply, BlockData):
            raise RequestFailed("not-found", "the peer does not have this block")
        if compute_block_id(reply.block.header) != block:
            raise Misbehaviour("wrong-block", f"another block than {block.hex()} was sent")
        return reply
