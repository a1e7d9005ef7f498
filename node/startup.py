"""Starts the parts of a node, each so that the exit stack stops it within its time."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

import numpy as np
import structlog
from msgspec.structs import replace

from inos.agents.juror import Juror
from inos.agents.reporter import Reporter
from inos.agents.voter.voter import Voter
from inos.agents.watcher import Watcher
from inos.chain.ledger import Ledger
from inos.chain.mempool import Mempool, MempoolLimits
from inos.core.monitor import NodeMonitor
from inos.core.node_core import NodeCore
from inos.core.tasks import Tasks, cancel_within
from inos.core.verification.processes import ProcessBackend
from inos.core.verification.results import StoredResults
from inos.core.verification.signatures import RememberedSignatures
from inos.genesis import Network
from inos.mesh.store import MatrixStore
from inos.miner import Miner, MinerSettings, Purpose
from inos.miner.engine import MineStrips
from inos.network.identity import NodeIdentity
from inos.network.service import NetworkService
from inos.network.settings import NetworkSettings
from inos.node.accounts import MODULES
from inos.node.datadir import DataDir
from inos.node.memory import keep_trimmed
from inos.node.network_files import NetworkFiles
from inos.node.pool_file import keep_pool, load_pool, save_pool
from inos.node.settings import NodeSettings
from inos.node.snapshots import SnapshotService
from inos.node.voting import is_voting, load_voter_secret, open_journal, read_limits
from inos.primitives.bls import get_bls
from inos.primitives.clock import Clock
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.units import Address
from inos.rpc import Metrics, MetricsServer, NodePort, RpcServer, RpcSettings
from inos.rpc.server.token import load_or_create_token
from inos.work.backends import AUTO, CARDS
from inos.work.backends.choice import choose_backend, has_card_libraries
from inos.workers.pool.books import Books
from inos.workers.pool.node import CoreNode
from inos.workers.pool.pool import Pool, PoolSettings
from inos.workers.server import WorkerService, WorkerSettings

log: Final = structlog.get_logger("node")

LARGE_FILLER_ROWS: Final = 16_384
"""Clusters and graphics cards multiply fillers of up to so many rows: 2^20 tickets at a depth of 1,024."""

STOP_S: Final = 10.0
"""Each part has this many seconds to stop; then the next one is stopped regardless."""


class Startup:
    """Starts the core, then what surrounds it."""

    def __init__(self, stack: AsyncExitStack, settings: NodeSettings, data: DataDir, clock: Clock) -> None:
        self._stack = stack
        self._tasks = Tasks()
        self._settings = settings
        self._data = data
        self._clock = clock

    async def start_core(self, network: Network, awaits_state: int | None) -> NodeCore:
        """Open ledger and matrices, start the core, and restore the pool.

        Args:
            awaits_state: a new node waits for the state of a block at about this height; None to begin with genesis.
        """
        store = MatrixStore(self._data.matrices, max_bytes=self._settings.mesh_quota)
        results, bls = StoredResults(store), get_bls()
        remembered = RememberedSignatures(bls)
        open_ledger = partial(Ledger.open, results=results.known, bls=remembered, awaits_state=awaits_state)
        ledger = await asyncio.to_thread(open_ledger, self._data.ledger, network.params, network.state)
        self._stack.callback(ledger.close)
        if awaits_state is not None and not ledger.view.is_awaiting_state:
            height = ledger.view.tip.header.height
            log.info("this node has a chain already, and fetches no state from peers", height=height)
        core = NodeCore(
            network,
            ledger,
            Mempool(network.params, MempoolLimits()),
            store,
            results,
            self._clock,
            bls=bls,
            backend=ProcessBackend(remembered),
            scrub_rate=int(self._settings.mesh_scrub_rate),
            prune=self._settings.prune,
        )
        self._stop_at_exit("writer", partial(asyncio.to_thread, core.close))
        await self._stack.enter_async_context(self._tasks)  # Every task ends before the writer does.
        self._run("core", core.run())
        taken = await core.transactions.restore(load_pool(self._data.pool))
        if taken:
            log.info("pool restored", transactions=taken)
        self._stack.callback(save_pool, self._data.pool, core.mempool)
        self._run("pool file", keep_pool(self._data.pool, core.mempool))
        return core

    async def start_network(self, core: NodeCore, settings: NetworkSettings, identity: NodeIdentity) -> NetworkService:
        """Listen for peers, and dial others."""
        files = NetworkFiles(self._data.network)
        network = NetworkService(core, settings, identity, clock=self._clock, rng=random.SystemRandom(), files=files)
        await network.start()
        self._run("network", network.run())
        self._stop_at_exit("network", network.stop)
        return network

    def open_pool(self, core: NodeCore, key: bytes | None) -> Pool | None:
        """Open the books of the pool, if there is a key to pay its members with.

        Raises:
            ChainError, PoolError: the books cannot be used.
        """
        if key is None:
            return None
        address = compute_address(compute_public_key(key))
        books = Books(self._data.members, core.genesis_id, address)
        self._stack.callback(books.close)
        log.info("pool opened", members=len(books.members), fee_ppm=self._settings.pool_fee)
        return Pool(CoreNode(core, key), books, address, PoolSettings(self._settings.pool_fee), self._clock)

    def start_pool(self, pool: Pool | None, miner: Miner | None) -> None:
        """Let the pool follow the chain and pay."""
        if pool is not None and miner is not None:
            self._run("pool", pool.run(partial(count_own_tickets, miner)))

    def start_workers(
        self, core: NodeCore, settings: MinerSettings | None, pool: Pool | None = None
    ) -> WorkerService | None:
        """Let workers multiply for the miner, if the node mines."""
        if settings is None:
            return None
        token = load_or_create_token(self._data.fleet_token)
        served = WorkerSettings(
            beneficiary=settings.beneficiary,
            token=bytes.fromhex(token),
            has_fillers=settings.purpose is not Purpose.JOBS,
            socket_path=self._data.fleet_socket,
        )
        workers = WorkerService(core, served, _make_random(), pool, core.matrices.store)
        self._run("workers", workers.run())
        return workers

    async def start_miner(
        self, core: NodeCore, settings: MinerSettings | None, workers: WorkerService | None
    ) -> Miner | None:
        """Mine, if the settings name an address to mine for.

        Raises:
            ClusterError: the settings name a cluster that cannot be used.
        """
        if settings is None:
            return None
        mine = None if settings.engine is None else await self._open_cluster(settings.engine)
        if mine is None and settings.has_engine and settings.backend == AUTO and has_card_libraries():
            settings = await self._choose_backend(settings)
        if mine is not None or settings.backend in [card.name for card in CARDS]:
            settings = replace(settings, max_filler_rows=LARGE_FILLER_ROWS)
        miner = Miner(core, settings, _make_random(), mine, workers)
        if not settings.is_claiming:
            log.info("mining draws lottery tickets only, and takes no paid jobs")
        miner.start()
        self._run("miner", miner.run())
        return miner

    async def _choose_backend(self, settings: MinerSettings) -> MinerSettings:
        """Return settings with the fastest backend, which may be a graphics card."""
        name, found = await asyncio.to_thread(choose_backend, settings.threads)
        for each in found:
            rate = round(each.tickets_per_second)
            log.info("backend measured", backend=each.name, tickets_per_second=rate, trouble=each.trouble or None)
        return replace(settings, backend=name) if found else settings

    async def _open_cluster(self, address: str) -> MineStrips:
        """Connect to a cluster, whose package is imported only here."""
        from inos.work.cluster import open_engine

        cluster = await asyncio.to_thread(open_engine, address)
        self._stack.callback(cluster.close)
        log.info("mining on a cluster", address=address)
        return cluster.mine_strips

    def start_watcher(self, core: NodeCore, key: bytes | None) -> Watcher | None:
        """Watch optimistic results, if there is a key to challenge with."""
        if key is None:
            return None
        watcher = Watcher(core, key, self._data.path / MODULES)
        self._run("watcher", watcher.run())
        return watcher

    def start_voter(self, core: NodeCore, account: bytes | None) -> Voter | None:
        """Vote on finality, and judge disputed results if the node has an account to pay for it."""
        if not is_voting(self._settings, core.network):
            return None
        secret = load_voter_secret(self._data)
        journal = self._stack.enter_context(open_journal(self._data, secret, core.genesis_id, core.bls))
        voter = Voter(core, core.bls, secret, journal, account, read_limits(self._settings, core.network))
        self._run("voter", voter.run())
        if account is not None and self._settings.jury:
            self._run("juror", Juror(core, core.bls, secret, account, self._data.path / MODULES).run())
        return voter

    def start_reporter(self, core: NodeCore, account: bytes | None) -> None:
        """Report conflicting votes, if the node has an account; without one it relays the votes to nodes that have."""
        if account is not None:
            self._run("reporter", Reporter(core, account, random.SystemRandom()).run())

    def start_monitor(self, core: NodeCore, own: Address | None) -> NodeMonitor:
        """Observe the node itself."""
        monitor = NodeMonitor(core.events, self._clock, own)
        self._run("monitor", monitor.run())
        return monitor

    def start_trimming(self) -> None:
        """Give memory that was freed back to the system."""
        self._run("memory", keep_trimmed())

    def start_snapshots(self, core: NodeCore) -> SnapshotService:
        """Make copies when the RPC asks for one."""
        snapshots = SnapshotService(core.ledger, core.matrices.store, core.genesis_id)
        self._stop_at_exit("snapshot", snapshots.stop)
        return snapshots

    async def start_metrics(self, services: NodePort, host: str, port: int) -> tuple[Metrics, str]:
        """Serve metrics and health, and return their address too."""
        metrics = Metrics(services, self._clock.now_ms)
        server = MetricsServer(services, metrics, host, port)
        self._stop_at_exit("metrics", server.stop)
        await server.start()
        return metrics, server.url

    async def start_rpc(self, services: NodePort, metrics: Metrics | None, workers: WorkerService | None) -> RpcServer:
        """Serve JSON-RPC."""
        settings = self._settings
        server = RpcServer(
            services,
            RpcSettings(
                token_path=self._data.rpc_token,
                host=settings.rpc_host,
                port=settings.rpc_port,
                body_limit=settings.rpc_body_limit,
                allowed_hosts=settings.rpc_allowed_hosts,
                has_explorer=settings.explorer,
            ),
            observe=None if metrics is None else metrics.observe_call,
            workers=workers,
        )
        self._stop_at_exit("rpc", server.stop)
        await server.start()
        return server

    def _run(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run in the background until the stack unwinds to here."""
        self._stack.push_async_callback(cancel_within, self._tasks.start(name, work), STOP_S)

    def _stop_at_exit(self, name: str, stop: Callable[[], Awaitable[None]]) -> None:
        self._stack.push_async_callback(_stop, name, stop)


def count_own_tickets(miner: Miner) -> int:
    """Return the tickets that the miner's own engine has drawn since it started."""
    status = miner.get_status()
    return status.job_tickets + status.filler_tickets - status.worker_tickets


def _make_random() -> np.random.Generator:
    """Return a generator that nobody can predict the start of."""
    return np.random.default_rng(random.SystemRandom().getrandbits(128))


async def _stop(name: str, stop: Callable[[], Awaitable[None]]) -> None:
    """Stop one part within its time, and raise nothing, so that the other parts are stopped too."""
    try:
        async with asyncio.timeout(STOP_S):
            await stop()
    except TimeoutError:
        log.warning("a part did not stop in time", part=name, seconds=STOP_S)
