"""Makes every part of a node once, starts the parts in order, and stops them in the opposite order."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

import structlog

from inos import work
from inos.consensus.finality import compute_height
from inos.core.node_core import NodeCore
from inos.genesis import Network, load_network
from inos.miner import Miner
from inos.network.endpoints import split_endpoint
from inos.network.identity import load_identity
from inos.network.service import NetworkService
from inos.network.settings import NetworkSettings
from inos.node.accounts import check_payee, get_pool_key, load_watch_key, make_miner_settings
from inos.node.datadir import DataDir, write_atomically
from inos.node.network_name import find_network, keep_network
from inos.node.network_settings import DEVNET, make_network_settings
from inos.node.services import make_services
from inos.node.settings import NodeSettings
from inos.node.startup import Startup
from inos.node.voting import read_limits
from inos.primitives.clock import Clock, SystemClock
from inos.rpc import HealthChecks, RpcServer

log: Final = structlog.get_logger("node")


class Node:
    """Holds a running node. `open_node` returns it only when every part runs.

    Args:
        metrics_url: serves /metrics, /health and /ready; None if nothing does.
    """

    def __init__(
        self,
        settings: NodeSettings,
        core: NodeCore,
        p2p: NetworkService,
        miner: Miner | None,
        rpc: RpcServer,
        stop: asyncio.Event,
        metrics_url: str | None,
        net: NetworkSettings,
    ) -> None:
        self.settings = settings
        self._net = net
        self.core = core
        self.p2p = p2p
        self.miner = miner
        self.rpc = rpc
        self.metrics_url = metrics_url
        self._stop = stop

    @property
    def p2p_address(self) -> str:
        """Return the ID@host:port that other nodes pass to --peer."""
        host = self.settings.p2p_host
        reached_at = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        shown = f"[{reached_at}]" if ":" in reached_at else reached_at
        return f"{self.p2p.node_id.hex()}@{shown}:{self.p2p.listen_port}"

    @property
    def knows_nobody(self) -> bool:
        """Return True if the node has no address of another node to connect to."""
        return _knows_nobody(self._net, self.p2p)

    def request_stop(self) -> None:
        """Begin the ordered stop, and return at once."""
        self._stop.set()

    async def wait_stop_requested(self) -> None:
        """Return when `request_stop` was called."""
        await self._stop.wait()


@asynccontextmanager
async def open_node(settings: NodeSettings, clock: Clock | None = None) -> AsyncIterator[Node]:
    """Start a node; leaving the context stops it. If a part fails to start, those before it are stopped.

    Raises:
        InosError: data-dir-in-use, other-genesis, port-in-use, bad-peer, bad address, ... (see each part).
    """
    clock = clock or SystemClock()
    is_given = "network" in settings.model_fields_set
    name = settings.network if is_given else find_network(settings.data_dir)
    network = load_network(name)
    net = make_network_settings(settings, network)
    check_payee(settings, network)
    read_limits(settings, network)
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        data = stack.enter_context(DataDir(settings.data_dir, network.genesis_id))
        keep_network(data.path, name)
        miner_settings = make_miner_settings(settings, network, data)
        watch_key = load_watch_key(settings, data)
        identity = load_identity(data.path)
        start = Startup(stack, settings, data, clock)
        core = await start.start_core(network, _compute_awaited_height(settings, net, network))
        p2p = await start.start_network(core, net, identity)
        work.set_mining_priority(work.MiningPriority(settings.miner_priority))
        pool = start.open_pool(core, get_pool_key(settings, miner_settings))
        workers = start.start_workers(core, miner_settings, pool)
        miner = await start.start_miner(core, miner_settings, workers)
        start.start_pool(pool, miner)
        account = None if miner_settings is None else miner_settings.key
        watcher = start.start_watcher(core, watch_key)
        voter = start.start_voter(core, account)
        start.start_reporter(core, account or watch_key)
        start.start_trimming()
        monitor = start.start_monitor(core, None if miner_settings is None else miner_settings.beneficiary)
        health = HealthChecks(
            core.ledger,
            clock,
            data.path,
            monitor,
            get_sync=p2p.sync.monitor.get_status,
            count_peers=p2p.count_peers,
            is_alone=_may_be_alone(settings, network, is_mining=miner is not None),
            knows_nobody=partial(_knows_nobody, net, p2p),
        )
        services = make_services(
            core,
            p2p,
            miner=miner,
            workers=workers,
            pool=pool,
            watcher=watcher,
            voter=voter,
            monitor=monitor,
            health=health,
            snapshots=start.start_snapshots(core),
            request_stop=stop.set,
        )
        metrics, metrics_url = None, None
        if settings.metrics is not None:
            metrics, metrics_url = await start.start_metrics(services, *split_endpoint(settings.metrics))
        rpc = await start.start_rpc(services, metrics, workers)
        node = Node(settings, core, p2p, miner, rpc, stop, metrics_url, net)
        stack.callback(partial(data.ready.unlink, missing_ok=True))
        _write_ready(data, node)
        height = core.ledger.tip.header.height
        place = {"rpc": rpc.url, "p2p": node.p2p_address, "data": str(data.path), "metrics": metrics_url}
        log.info("node ready", network=network.name, height=height, knows_nobody=node.knows_nobody, **place)
        yield node
        log.info("node stops")


def _may_be_alone(settings: NodeSettings, network: Network, *, is_mining: bool) -> bool:
    """Return True if having no peers is no fault: no node is named, and the chain may be this node's own."""
    is_named = bool(settings.peers or settings.seeds or network.seeds)
    return not is_named and (is_mining or network.name == DEVNET)


def _knows_nobody(net: NetworkSettings, p2p: NetworkService) -> bool:
    """Return True if there is no node to dial; without discovery, seeds and address book are not used."""
    status = p2p.get_status()
    return not (net.peers or (net.discovery and (net.seeds or status.known_new or status.known_tried)))


def _compute_awaited_height(settings: NodeSettings, net: NetworkSettings, network: Network) -> int | None:
    """Return about which height the state has that a new node begins with, or None if it begins with genesis."""
    if net.checkpoint is not None:
        return compute_height(network.params, net.checkpoint.epoch)
    return 0 if settings.snapshot else None


def _write_ready(data: DataDir, node: Node) -> None:
    ready = {"pid": os.getpid(), "node_id": node.p2p.node_id.hex(), "rpc": node.rpc.url, "p2p": node.p2p_address}
    if node.metrics_url is not None:
        ready["metrics"] = node.metrics_url
    write_atomically(data.ready, json.dumps(ready) + "\n")
