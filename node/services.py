"""Gathers the services of a running node for the RPC."""

from collections.abc import Callable
from dataclasses import dataclass

from inos.agents.voter.voter import Voter
from inos.agents.watcher import Watcher
from inos.chain.mempool import Mempool
from inos.chain.view import LedgerView
from inos.consensus.params import Params
from inos.core.events import EventBus
from inos.core.matrices.service import MatrixService
from inos.core.monitor import NodeMonitor
from inos.core.node_core import NodeCore
from inos.core.past_states import PastStates
from inos.core.templates import TemplateService
from inos.core.transactions import TransactionService
from inos.core.votes import VoteService
from inos.genesis import Network
from inos.miner import Miner
from inos.network.service import NetworkService
from inos.node.snapshots import SnapshotService
from inos.primitives.units import BlockId, NodeId
from inos.rpc import HealthChecks
from inos.workers.pool.pool import Pool
from inos.workers.server import WorkerService


@dataclass(frozen=True, kw_only=True)
class NodeServices:
    """Satisfies `inos.rpc.ports.NodePort`."""

    network: Network
    params: Params
    genesis_id: BlockId
    node_id: NodeId
    ledger: LedgerView
    mempool: Mempool
    events: EventBus
    transactions: TransactionService
    matrices: MatrixService
    templates: TemplateService
    votes: VoteService
    past_states: PastStates
    p2p: NetworkService
    miner: Miner | None
    workers: WorkerService | None
    pool: Pool | None
    watcher: Watcher | None
    voter: Voter | None
    monitor: NodeMonitor
    health: HealthChecks
    snapshots: SnapshotService
    request_stop: Callable[[], None]
    """Begins the ordered stop of the whole node."""


def make_services(
    core: NodeCore,
    p2p: NetworkService,
    *,
    miner: Miner | None,
    workers: WorkerService | None,
    pool: Pool | None,
    watcher: Watcher | None,
    voter: Voter | None,
    monitor: NodeMonitor,
    health: HealthChecks,
    snapshots: SnapshotService,
    request_stop: Callable[[], None],
) -> NodeServices:
    """Gather the services of the core and those around it."""
    return NodeServices(
        network=core.network,
        params=core.params,
        genesis_id=core.genesis_id,
        node_id=p2p.node_id,
        ledger=core.ledger,
        mempool=core.mempool,
        events=core.events,
        transactions=core.transactions,
        matrices=core.matrices,
        templates=core.templates,
        votes=core.votes,
        past_states=core.past_states,
        p2p=p2p,
        miner=miner,
        workers=workers,
        pool=pool,
        watcher=watcher,
        voter=voter,
        monitor=monitor,
        health=health,
        snapshots=snapshots,
        request_stop=request_stop,
    )
