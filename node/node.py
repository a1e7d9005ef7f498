"""The composition root: everything made once, started in order, stopped in the opposite order."""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog

from inos.agents.reporter import Reporter
from inos.agents.voter.voter import Voter
from inos.agents.watcher import Watcher
from inos.chain.ledger import Ledger
from inos.chain.mempool import Mempool, MempoolLimits
from inos.consensus.finality import compute_height
from inos.core.service import NodeService
from inos.core.tasks import Tasks, cancel_within
from inos.core.verification.blocks import BlockVerifier
from inos.core.verification.processes import ProcessBackend
from inos.core.verification.results import StoredResults
from inos.core.verification.signatures import RememberedSignatures
from inos.genesis import Network, load_network
from inos.mesh.store import MatrixStore
from inos.miner import Miner, MinerSettings
from inos.network.endpoints import split_endpoint
from inos.network.identity import NodeIdentity, load_identity
from inos.network.service import NetworkService
from inos.network.settings import NetworkSettings
from inos.node.datadir import DataDir, write_atomically
from inos.node.health import HealthChecks
from inos.node.identity import check_payee, load_watch_key, make_miner_settings
from inos.node.mining_port import MiningPort
from inos.node.monitor import PulseTaker
from inos.node.netfiles import NetworkFiles
from inos.node.netsettings import make_network_settings
from inos.node.poolfile import load_pool, save_pool
from inos.node.rpc_port import RpcNode
from inos.node.settings import NodeSettings
from inos.node.snapshots import Snapshots
from inos.node.voting import is_voting, load_voter_secret, open_journal, read_limits
from inos.primitives.bls import get_bls
from inos.primitives.clock import Clock, SystemClock
from inos.primitives.units import NodeId
from inos.rpc import Metrics, MetricsServer, RpcServer, RpcSettings

log: Final = structlog.get_logger("node")

STOP_S: Final = 10.0
"""Time each part has to stop; then the next one is stopped all the same."""


class Node:
    """A running node, complete from the start: `open_node` hands it out only when every part runs."""

    def __init__(
        self,
        settings: NodeSettings,
        service: NodeService,
        peers: NetworkService,
        miner: Miner | None,
        rpc: RpcServer,
        node_id: NodeId,
        stop: asyncio.Event,
        metrics_url: str | None = None,
    ) -> None:
        self.settings = settings
        self.metrics_url = metrics_url
        """Where /metrics, /health and /ready are served; None where they are not."""
        self.service = service
        self.peers = peers
        self.miner = miner
        self.rpc = rpc
        self.node_id = node_id
        self._stop = stop

    @property
    def network(self) -> Network:
        return self.service.network

    @property
    def data_dir(self) -> Path:
        return self.settings.data_dir

    @property
    def rpc_url(self) -> str:
        return self.rpc.url

    @property
    def p2p_address(self) -> str:
        """ID@host:port for other nodes' --peer."""
        host = self.settings.p2p_host
        return f"{self.node_id.hex()}@{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{self.peers.listen_port}"

    def request_stop(self) -> None:
        """Begin the ordered stop; returns at once."""
        self._stop.set()

    async def wait_stop_requested(self) -> None:
        await self._stop.wait()


@asynccontextmanager
async def open_node(settings: NodeSettings, clock: Clock | None = None) -> AsyncIterator[Node]:
    """Start a node; leaving the context stops it. A failure on the way undoes what was started.

    Raises:
        InosError: data-dir-in-use, other-genesis, port-in-use, bad-peer, bad address, ... (see each part).
    """
    clock = clock or SystemClock()
    network = load_network(settings.network)
    net = make_network_settings(settings, network)
    check_payee(settings, network)
    read_limits(settings, network)
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        data = stack.enter_context(DataDir(settings.data_dir, network.genesis_id))
        orders = make_miner_settings(settings, network, data)
        watch_key = load_watch_key(settings, data)
        identity = load_identity(data.path)
        service = await _open_service(stack, settings, data, network, clock, _expect_state(settings, net, network))
        tasks = await stack.enter_async_context(Tasks())
        _run_until_stop(stack, tasks, "service", service.run())
        await _restore_pool(stack, data, service)
        talk = await _start_network(stack, tasks, service, net, identity, NetworkFiles(data.network))
        miner = _start_miner(stack, tasks, service, orders)
        watcher = _start_watcher(stack, tasks, service, watch_key)
        account = None if orders is None else orders.key
        voter = _start_voter(stack, tasks, service, settings, data, account)
        _start_reporter(stack, tasks, service, account or watch_key)
        pulse = PulseTaker(service, clock, None if orders is None else orders.beneficiary)
        _run_until_stop(stack, tasks, "pulse", pulse.run())
        health = _make_health(service, settings, talk, clock, data)
        snapshots = Snapshots(service)
        stack.push_async_callback(_stop, "snapshot", snapshots.stop)
        facade = RpcNode(
            service,
            talk,
            miner,
            identity.node_id,
            stop.set,
            watcher,
            voter,
            pulse=pulse,
            health=health,
            snapshots=snapshots,
        )
        metrics, metrics_url = await _start_metrics(stack, settings, facade, clock)
        rpc = await _start_rpc(stack, settings, data, facade, metrics)
        node = Node(settings, service, talk, miner, rpc, identity.node_id, stop, metrics_url)
        stack.callback(partial(data.ready.unlink, missing_ok=True))
        _write_ready(data, node)
        log.info("node ready", network=network.name, rpc=node.rpc_url, p2p=node.p2p_address)
        yield node
        log.info("node stops")


def _expect_state(settings: NodeSettings, net: NetworkSettings, network: Network) -> int | None:
    """At about which height the state is that a new node begins with; None where it begins with genesis."""
    if net.checkpoint is not None:
        return compute_height(network.params, net.checkpoint.epoch)
    return 0 if settings.snapshot else None


async def _open_service(
    stack: AsyncExitStack,
    settings: NodeSettings,
    data: DataDir,
    network: Network,
    clock: Clock,
    awaits_state: int | None,
) -> NodeService:
    matrices = MatrixStore(data.matrices, max_bytes=settings.mesh_quota)
    results = StoredResults(matrices)
    bls = get_bls()
    remembered = RememberedSignatures(bls)
    open_ledger = partial(Ledger.open, results=results, bls=remembered, awaits_state=awaits_state)
    ledger = await asyncio.to_thread(open_ledger, data.ledger, network.params, network.state)
    stack.callback(ledger.close)
    if awaits_state is not None and not ledger.is_awaiting_state:
        log.info("this node has a chain already, and takes no state from others", height=ledger.tip.header.height)
    mempool = Mempool(network.params, MempoolLimits())
    verifier = BlockVerifier(network.params, ProcessBackend(remembered), ledger, mempool)
    service = NodeService(
        network,
        ledger,
        mempool,
        matrices,
        results,
        clock,
        bls=bls,
        verifier=verifier,
        scrub_rate=int(settings.mesh_scrub_rate),
    )
    stack.push_async_callback(_stop, "writer", partial(asyncio.to_thread, service.close))
    return service


async def _restore_pool(stack: AsyncExitStack, data: DataDir, service: NodeService) -> None:
    taken = await service.add_pool(load_pool(data.pool))
    if taken:
        log.info("pool restored", transactions=taken)
    stack.callback(save_pool, data.pool, service.mempool)


async def _start_network(
    stack: AsyncExitStack,
    tasks: Tasks,
    service: NodeService,
    settings: NetworkSettings,
    identity: NodeIdentity,
    files: NetworkFiles,
) -> NetworkService:
    peers = NetworkService(service, settings, identity, clock=service.clock, files=files)
    await peers.start()
    _run_until_stop(stack, tasks, "network", peers.run())
    stack.push_async_callback(_stop, "network", peers.stop)
    return peers


def _start_miner(
    stack: AsyncExitStack, tasks: Tasks, service: NodeService, orders: MinerSettings | None
) -> Miner | None:
    if orders is None:
        return None
    miner = Miner(MiningPort(service), orders, np.random.default_rng(random.SystemRandom().getrandbits(128)))
    if not orders.is_claiming:
        log.info("mining draws lottery tickets only, and takes no paid jobs")
    miner.start()
    _run_until_stop(stack, tasks, "miner", miner.run())
    return miner


def _start_watcher(stack: AsyncExitStack, tasks: Tasks, service: NodeService, key: bytes | None) -> Watcher | None:
    if key is None:
        return None
    watcher = Watcher(service, key)
    _run_until_stop(stack, tasks, "watcher", watcher.run())
    return watcher


def _start_voter(
    stack: AsyncExitStack,
    tasks: Tasks,
    service: NodeService,
    settings: NodeSettings,
    data: DataDir,
    account: bytes | None,
) -> Voter | None:
    if not is_voting(settings, service.network):
        return None
    secret = load_voter_secret(data)
    journal = stack.enter_context(open_journal(data, secret, service.genesis_id, service.bls))
    voter = Voter(service, service.bls, secret, journal, account, read_limits(settings, service.network))
    _run_until_stop(stack, tasks, "voter", voter.run())
    return voter


def _start_reporter(stack: AsyncExitStack, tasks: Tasks, service: NodeService, account: bytes | None) -> None:
    """A node with an account of its own sends evidence; one without passes the votes on to those that have."""
    if account is not None:
        _run_until_stop(stack, tasks, "reporter", Reporter(service, account, random.SystemRandom()).run())


def _make_health(
    service: NodeService, settings: NodeSettings, talk: NetworkService, clock: Clock, data: DataDir
) -> HealthChecks:
    return HealthChecks(
        service.ledger,
        clock,
        data.path,
        get_sync=talk.sync.monitor.get_status,
        count_peers=lambda: len(talk.peers()),
        is_alone=not (settings.peers or settings.seeds or service.network.seeds),
    )


async def _start_metrics(
    stack: AsyncExitStack, settings: NodeSettings, node: RpcNode, clock: Clock
) -> tuple[Metrics | None, str | None]:
    if settings.metrics is None:
        return None, None
    metrics = Metrics(node, clock.now_ms)
    server = MetricsServer(node, metrics, *split_endpoint(settings.metrics))
    stack.push_async_callback(_stop, "metrics", server.stop)
    await server.start()
    return metrics, server.url


async def _start_rpc(
    stack: AsyncExitStack, settings: NodeSettings, data: DataDir, node: RpcNode, metrics: Metrics | None
) -> RpcServer:
    server = RpcServer(
        node,
        RpcSettings(
            token_path=data.rpc_token,
            host=settings.rpc_host,
            port=settings.rpc_port,
            body_limit=settings.rpc_body_limit,
            allowed_hosts=settings.rpc_allowed_hosts,
            has_explorer=settings.explorer,
        ),
        observe=None if metrics is None else metrics.observe_call,
    )
    stack.push_async_callback(_stop, "rpc", server.stop)
    await server.start()
    return server


def _run_until_stop(stack: AsyncExitStack, tasks: Tasks, name: str, work: Coroutine[Any, Any, None]) -> None:
    """Run in the background until the stack unwinds to here."""
    stack.push_async_callback(cancel_within, tasks.start(name, work), STOP_S)


async def _stop(name: str, stop: Callable[[], Awaitable[None]]) -> None:
    """Stop one part within its time; the rest is stopped whatever happens here."""
    try:
        async with asyncio.timeout(STOP_S):
            await stop()
    except TimeoutError:
        log.warning("a part did not stop in time", part=name, seconds=STOP_S)


def _write_ready(data: DataDir, node: Node) -> None:
    ready = {"pid": os.getpid(), "node_id": node.node_id.hex(), "rpc": node.rpc_url, "p2p": node.p2p_address}
    if node.metrics_url is not None:
        ready["metrics"] = node.metrics_url
    write_atomically(data.ready, json.dumps(ready) + "\n")
