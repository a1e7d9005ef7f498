"""Fetches matrices by id, in runs of strips, from all peers that have them; each run is verified on arrival."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Final, assert_never

import structlog

from inos.mesh.store import MatrixInfo
from inos.network.errors import Misbehaviour, RequestFailed
from inos.network.peers.peer import Peer
from inos.network.ports import NodePort
from inos.network.settings import NetworkSettings
from inos.network.sync.matrices.provider_search import GetOrDial, ProviderLookup, ProviderSearch
from inos.network.sync.matrices.wanted import Allocate, FetchHead, FetchRun, FetchStep, WantedMatrices
from inos.network.sync.penalties import Penalise
from inos.network.wire.matrices import GetMatrix, GetRun, MatrixHead, RunData
from inos.primitives.clock import Clock
from inos.primitives.errors import InosError, MatrixMissing, RuleViolation
from inos.primitives.matrices import DType, MatrixRef, is_ref_consistent
from inos.primitives.transactions import PostJob, PostTask, SubmitOutcome, SubmitResult, Transaction
from inos.primitives.units import MatrixId
from inos.work.strips import InvalidMatrix, check_shape

log = structlog.get_logger("inos.network")

WORKERS: Final = 3
"""This many requests are open to one peer: while one run is written, another is in flight, and the peer reads a
third."""
RETRY_S: Final = 0.5
"""Peers without work look for some again this often."""
AHEAD_S: Final = 120.0
"""An operand that no task needs yet is wanted for this long."""


class MatrixSync:
    """Fetches matrices for all peers."""

    def __init__(
        self,
        node: NodePort,
        settings: NetworkSettings,
        clock: Clock,
        list_peers: Callable[[], Iterable[Peer]],
        penalise: Penalise,
        router: ProviderLookup,
        get_or_dial: GetOrDial,
    ) -> None:
        self._node = node
        self._limits = settings.limits
        self._clock = clock
        self._wants: WantedMatrices[Peer] = WantedMatrices(settings.prefetch_bytes)
        self._waiters: dict[MatrixId, set[asyncio.Event]] = {}
        self._has_work = asyncio.Event()
        self._search = ProviderSearch(self._wants, router, get_or_dial, list_peers, self._fetch_one, penalise, clock)

    def want(self, ids: Iterable[MatrixId], max_bytes: int | None = None) -> None:
        """Fetch matrices that this node needs, if they have at most `max_bytes` each."""
        until = self._clock.monotonic() + self._limits.matrix_wanted
        for id in ids:
            if not self._node.matrices.store.has(id) and not self._wants.add(id, None, until, max_bytes=max_bytes):
                log.warning("too many matrices wanted; this one is not fetched", id=id.hex())
        self._has_work.set()

    def prefetch(self, transactions: Iterable[Transaction]) -> None:
        """Fetch the matrices of announced jobs and results, so that they reach many nodes before they are needed."""
        until = self._clock.monotonic() + AHEAD_S
        for tx in transactions:
            for id, info in _list_named(tx):
                if not self._node.matrices.store.has(id):
                    self._wants.add(id, info, until, is_prefetch=True)
        self._has_work.set()

    def fetch_copy(self, info: MatrixInfo, limit_s: float) -> bool:
        """Fetch for `limit_s` seconds a copy that this node has promised; return False if too many matrices are
        wanted."""
        if not self._wants.add(info.id, info, self._clock.monotonic() + limit_s):
            return False
        self._node.matrices.store.retention.set_lent(info.id)
        self._has_work.set()
        return True

    def abandon_copy(self, id: MatrixId) -> None:
        """Stop fetching a copy that this node has promised, unless it needs the matrix by now."""
        if not self._node.matrices.store.retention.is_promised(id):
            self._wants.remove(id)

    def on_added(self, id: MatrixId) -> None:
        """Note that the node has the whole matrix."""
        self._wants.remove(id)
        for event in self._waiters.get(id, ()):
            event.set()

    async def fetch(self, id: MatrixId, timeout_s: float) -> None:
        """Wait until the matrix is in the node's store.

        Raises:
            MatrixMissing: no node sent it in time.
        """
        if self._node.matrices.store.has(id):
            return
        event = asyncio.Event()
        self._waiters.setdefault(id, set()).add(event)
        self.want([id])
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            raise MatrixMissing([id]) from None
        finally:
            self._waiters[id].discard(event)
            if not self._waiters[id]:
                del self._waiters[id]

    async def run(self) -> None:
        """Wake the workers, search what peers do not have, and give up the rest in time, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._search.run())
            group.create_task(self._repeat())

    async def _repeat(self) -> None:
        while True:
            for id in self._wants.expire(self._clock.monotonic()):
                log.info("matrix not found in time", id=id.hex())
            if len(self._wants):
                self._has_work.set()
            await asyncio.sleep(RETRY_S)

    async def fetch_from(self, peer: Peer) -> None:
        """Request wanted matrices from one peer for as long as it is connected.

        Raises:
            Misbehaviour: the peer sent a wrong strip or something that was not requested.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._fetch(peer))

    async def _fetch(self, peer: Peer) -> None:
        while True:
            step = self._wants.take(peer, self._clock.monotonic(), self._node.matrices.store.arrivals.list_missing)
            if step is None:
                self._has_work.clear()
                await self._has_work.wait()
                continue
            await self._ask(peer, step)

    async def _fetch_one(self, peer: Peer, id: MatrixId) -> None:
        """Request one wanted matrix from a peer until it is here, or the peer does not have what is requested.

        Raises:
            Misbehaviour: the peer sent a wrong strip or something that was not requested.
        """
        is_delivered = True
        while is_delivered and id in self._wants:
            step = self._wants.take(peer, self._clock.monotonic(), self._node.matrices.store.arrivals.list_missing, id)
            if step is None:
                # All missing runs are requested from other peers, which deliver them or release them soon.
                await asyncio.sleep(RETRY_S / 5)
                is_delivered = not peer.ended.is_set()
            else:
                is_delivered = await self._ask(peer, step)

    async def _ask(self, peer: Peer, step: FetchStep) -> bool:
        """Do one step with a peer; return True if the peer delivered."""
        is_lacking = True
        try:
            match step:
                case FetchHead():
                    await self._ask_head(peer, step)
                case Allocate():
                    await self._begin(step)
                case FetchRun():
                    await self._ask_run(peer, step)
                case _:
                    assert_never(step)
            is_lacking = False
        except RequestFailed as error:
            log.debug("no matrix from peer", peer=peer.name, code=error.code, id=step.id.hex())
        finally:
            self._wants.release(peer, step, self._clock.monotonic(), is_lacking=is_lacking)
            if is_lacking:
                # Another peer may have it.
                self._has_work.set()
        return not is_lacking

    async def _ask_head(self, peer: Peer, step: FetchHead) -> None:
        with peer.requests.open(MatrixHead) as pending:
            await peer.send_request(pending, GetMatrix(pending.request, step.id), self._limits.matrix)
            reply = await pending.next(self._limits.matrix)
        if not isinstance(reply, MatrixHead):
            raise RequestFailed("not-found", "the peer does not have the matrix")
        info = MatrixInfo(reply.dtype, reply.rows, reply.cols, reply.root)
        if info.id != step.id:
            raise Misbehaviour("wrong-matrix", f"the head is not that of matrix {step.id.hex()}")
        try:
            check_shape(info.dtype, info.rows, info.cols)
        except InvalidMatrix as error:
            raise Misbehaviour(error.code, f"no node can have matrix {step.id.hex()}: {error.message}") from error
        self._wants.set_info(step.id, info)
        self._has_work.set()

    async def _begin(self, step: Allocate) -> None:
        """Allocate a matrix whose shape is known, and request its runs from now on."""
        want = self._wants.get(step.id)
        try:
            is_here = await self._node.matrices.begin(step.info, None if want is None else want.max_bytes)
        except InosError as error:
            self._give_up(step.id, error)
            return
        if is_here:
            self.on_added(step.id)
        self._wants.set_begun(step.id)
        self._has_work.set()

    async def _ask_run(self, peer: Peer, step: FetchRun) -> None:
        with peer.requests.open(RunData) as pending:
            await peer.send_request(pending, GetRun(pending.request, step.id, step.index), self._limits.matrix)
            reply = await pending.next(self._limits.matrix)
        if not isinstance(reply, RunData):
            raise RequestFailed("not-found", "the peer does not have this run")
        if reply.index != step.index:
            raise Misbehaviour("wrong-strips", f"the peer sent run {reply.index} where run {step.index} was requested")
        try:
            is_complete = await self._node.matrices.add_run(step.id, step.index, reply.data, reply.path)
        except (RuleViolation, InvalidMatrix) as error:
            raise Misbehaviour(error.code, f"run {step.index} of {step.id.hex()}: {error.message}") from error
        except InosError as error:
            self._give_up(step.id, error)
            return
        peer.credit_matrix()
        if is_complete:
            self.on_added(step.id)

    def _give_up(self, id: MatrixId, error: InosError) -> None:
        """Stop fetching a matrix that this node does not keep: it has no room, it asked for less, or no matrix has
        this shape."""
        log.warning("matrix not kept", id=id.hex(), code=error.code, reason=error.message)
        self._wants.remove(id)


def _list_named(tx: Transaction) -> Iterator[tuple[MatrixId, MatrixInfo | None]]:
    """Yield the matrices that a transaction names, with their shapes where it tells them."""
    refs: tuple[tuple[MatrixRef, DType], ...] = ()
    if isinstance(tx.payload, PostJob):
        refs = ((tx.payload.x, DType.INT7), (tx.payload.w, DType.INT7))
    elif isinstance(tx.payload, SubmitResult):
        refs = ((tx.payload.y, DType.INT32),)
    elif isinstance(tx.payload, PostTask):
        yield from ((MatrixId(id), None) for id in (tx.payload.spec, *tx.payload.inputs))
    elif isinstance(tx.payload, SubmitOutcome):
        yield from ((MatrixId(id), None) for id in tx.payload.outputs)
    for ref, dtype in refs:
        if is_ref_consistent(ref, dtype):
            yield ref.matrix_id, MatrixInfo(dtype, ref.rows, ref.cols, ref.root)
