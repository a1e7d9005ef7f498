"""The core puts the services of a node together around one ledger, one pool, one matrix store and one writer thread."""

import asyncio
from functools import partial

from inos.chain.ledger import Ledger
from inos.chain.mempool import Mempool
from inos.chain.votepool import VotePool
from inos.core.blocks import BlockService
from inos.core.events import EventBus
from inos.core.matrices.maintenance import MatrixMaintenance
from inos.core.matrices.named import NamedMatrices
from inos.core.matrices.needs import MAX_READ_BYTES, MAX_READS, list_needs
from inos.core.matrices.service import MatrixService
from inos.core.past_states import PastStates
from inos.core.pruning import PruneService
from inos.core.result_holders import ResultHolders
from inos.core.state_import import StateImportService
from inos.core.templates import TemplateService
from inos.core.threads import Threads
from inos.core.transactions import TransactionService
from inos.core.verification.backends import VerificationBackend
from inos.core.verification.blocks import BlockVerifier
from inos.core.verification.products import ProductVerifier
from inos.core.verification.results import StoredResults
from inos.core.votes import VoteService
from inos.core.writer import ChainWriter
from inos.genesis import Network
from inos.mesh.store import MatrixStore
from inos.primitives.bls import BlsBackend
from inos.primitives.clock import Clock
from inos.primitives.units import MatrixId


class NodeCore:
    """Holds the services of a node, which network, RPC, miner and agents call directly.

    Reads go to `ledger`, `mempool` and `matrices.store`. Every change is an async method of a service.

    Args:
        results: checks products; the ledger was opened with its `known` results.
        bls: checks and aggregates votes.
        backend: checks blocks before they come to the writer; it is closed with the core.
        threads: run blocking work; they are closed with the core.
        prune: blocks more than this far below the last final one are removed; None keeps all.
        scrub_rate: the scrubber reads and checks this many bytes of stored matrices a second.
    """

    def __init__(
        self,
        network: Network,
        ledger: Ledger,
        mempool: Mempool,
        store: MatrixStore,
        results: StoredResults,
        clock: Clock,
        *,
        bls: BlsBackend,
        backend: VerificationBackend,
        threads: Threads | None = None,
        scrub_rate: int = 0,
        prune: int | None = None,
    ) -> None:
        self.network = network
        self.params = network.params
        self.genesis_id = network.genesis_id
        self.clock = clock
        self.bls = bls
        self.ledger = view = ledger.view
        self.mempool = mempool
        self.events = events = EventBus()
        self.threads = threads = threads or Threads()
        self.verifier = BlockVerifier(network.params, backend, view, mempool)
        pool = VotePool(network.params, bls)
        self.result_holders = ResultHolders(network.params.spacing_ms, clock)
        writer = ChainWriter(ledger, mempool, pool, clock)
        self.matrices = MatrixService(store, events, threads, self._on_matrix)
        products = ProductVerifier(results, self.matrices, threads)
        self.blocks = BlockService(view, writer, pool, products, backend, events, threads, clock)
        self.transactions = TransactionService(
            view, writer, self.matrices, results, mempool, self.result_holders, events, threads
        )
        self.templates = TemplateService(view, mempool, pool, self.blocks, self.result_holders, events, threads, clock)
        self.votes = VoteService(pool, view, events, threads)
        self.past_states = PastStates(view, threads, clock)
        self.state_import = StateImportService(ledger, self.blocks, threads)
        self._pruning = None if prune is None else PruneService(ledger, events, threads, prune)
        needs = partial(list_needs, view, mempool, store, NamedMatrices(store, MAX_READS, MAX_READ_BYTES))
        self._maintenance = MatrixMaintenance(self.matrices, events, threads, needs, scrub_rate)

    async def run(self) -> None:
        """Try deferred input again and maintain the matrix store, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for service in (self._maintenance, self.votes, self.blocks, self.transactions):
                group.create_task(service.run())
            if self._pruning is not None:
                group.create_task(self._pruning.run())

    def close(self) -> None:
        """End the threads. Calls that run are finished first."""
        self.verifier.backend.close()
        self.threads.close()
        self.matrices.store.close()

    async def _on_matrix(self, matrix: MatrixId) -> None:
        """Try the input again that waited for a matrix."""
        await self.transactions.retry_waiting_for(matrix)
        await self.blocks.retry_held()
