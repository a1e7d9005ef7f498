"""This module answers the requests of peers. Only what the node has accepted is served."""

import asyncio

import structlog

from inos.network.peers.peer import Peer
from inos.network.ports import NodePort, RunView
from inos.network.wire.base import Request
from inos.network.wire.chain import MAX_HEADERS, BlockData, GetBlocks, GetHeaders, Headers
from inos.network.wire.control import NotFound
from inos.network.wire.matrices import GetMatrix, GetRun, GetStrips, MatrixHead, RunData, Strip, Strips
from inos.network.wire.skeleton import MAX_SKELETON_IDS, GetSkeleton, Skeleton
from inos.network.wire.snapshot import (
    MAX_FINALITY_PROOFS,
    FinalityProofs,
    GetFinalityProofs,
    GetStateRange,
    StateRangeData,
)
from inos.network.wire.transactions import GetTransactions, Transactions
from inos.primitives.codec import encode
from inos.primitives.errors import InosError
from inos.primitives.transactions import MAX_TX_BYTES, Transaction
from inos.primitives.units import BlockId, MatrixId, TxId

log = structlog.get_logger("inos.network")


class RequestServer:
    """Reads the node and queues replies to the peer, waiting for room in the queue."""

    def __init__(self, node: NodePort) -> None:
        self._node = node

    async def handle_request(self, peer: Peer, request: Request) -> None:
        """Answer one request.

        Raises:
            LinkError: the link has ended.
        """
        match request:
            case GetHeaders():
                locator = [BlockId(id) for id in request.locator]
                headers = tuple(self._node.ledger.get_headers_after(locator, MAX_HEADERS))
                await peer.out.put(Headers(request.request, headers))
            case GetSkeleton():
                locator = [BlockId(id) for id in request.locator]
                start, ids = self._node.ledger.get_skeleton(locator, request.step, MAX_SKELETON_IDS)
                await peer.out.put(Skeleton(request.request, start, tuple(ids)))
            case GetBlocks():
                await self._send_blocks(peer, request)
            case GetTransactions():
                await peer.out.put(Transactions(request.request, self._choose_transactions(request)))
            case GetMatrix():
                info = self._node.matrices.store.info(MatrixId(request.id))
                if info is None:
                    await peer.out.put(NotFound(request.request, (request.id,)))
                else:
                    head = MatrixHead(request.request, info.dtype, info.rows, info.cols, info.root)
                    await peer.out.put(head)
            case GetStrips():
                await self._send_strips(peer, request)
            case GetStateRange():
                found = await self._node.past_states.read_range(BlockId(request.block), request.place)
                if found is None:
                    await peer.out.put(NotFound(request.request, (request.block,)))
                else:
                    await peer.out.put(StateRangeData(request.request, found))
            case GetFinalityProofs():
                steps = self._node.ledger.list_steps(request.first, MAX_FINALITY_PROOFS)
                await peer.out.put(FinalityProofs(request.request, tuple(steps)))
            case GetRun():
                run = await self._read_run(request)
                if run is None:
                    await peer.out.put(NotFound(request.request, (request.id,)))
                else:
                    await peer.out.put(RunData(request.request, request.index, run.data, tuple(run.path)))
            case _:
                raise TypeError(f"no part of the node answers a {type(request).__name__}")

    def _choose_transactions(self, request: GetTransactions) -> tuple[Transaction, ...]:
        """Return the requested transactions that are in the pool, as far as they fit into one answer."""
        found: list[Transaction] = []
        room = MAX_TX_BYTES
        for id in request.ids:
            tx = self._node.mempool.get(TxId(id))
            size = 0 if tx is None else len(encode(tx))
            if tx is not None and size <= room:
                found.append(tx)
                room -= size
        return tuple(found)

    async def _send_blocks(self, peer: Peer, request: GetBlocks) -> None:
        ledger, missing = self._node.ledger, []
        for id in request.ids:
            block, witness = ledger.get_block(BlockId(id)), ledger.get_witness(BlockId(id))
            if block is None or witness is None:
                missing.append(id)
                continue
            peer.known_blocks.add(BlockId(id))
            await peer.out.put(BlockData(request.request, block, witness))
            await asyncio.sleep(0)  # This lets other tasks run, because sixteen full blocks take long.
        if missing:
            await peer.out.put(NotFound(request.request, tuple(missing)))

    async def _read_run(self, request: GetRun) -> RunView | None:
        """Return a run; return None also if this node is too busy to read it."""
        try:
            return await self._node.matrices.read_run(MatrixId(request.id), request.index)
        except InosError as error:
            log.info("run not served", id=request.id.hex(), code=error.code, reason=error.message)
            return None

    async def _send_strips(self, peer: Peer, request: GetStrips) -> None:
        id = MatrixId(request.id)
        store = self._node.matrices.store
        found = store.get_strips(id, request.first, request.count) if store.has(id) else ()
        if not found:
            await peer.out.put(NotFound(request.request, (request.id,)))
            return
        strips = tuple(Strip(data, tuple(path)) for data, path in found)
        await peer.out.put(Strips(request.request, request.first, strips))
