"""Prometheus metrics of a node. All but the durations of RPC calls are read from the node on each scrape."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from inos.consensus.prices import PPM, compute_price_per_tera, compute_window_share
from inos.consensus.state import compute_supply
from inos.primitives.blocks import compute_difficulty, get_target
from inos.primitives.units import NANO_PER_CREDIT, Height, TimeMs
from inos.rpc.methods.node.version import get_version
from inos.rpc.ports import NodePort

BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
WINDOW: Final = 100
"""The number of blocks over which useful share and block spacing are averaged."""


class Metrics:
    """All metrics of one node, in their own registry.

    Args:
        now_ms: returns the time of the node's wall clock.
    """

    def __init__(self, node: NodePort, now_ms: Callable[[], TimeMs]) -> None:
        self.registry = CollectorRegistry()
        self._calls = Histogram(
            "inos_rpc_seconds",
            "Seconds that JSON-RPC calls took, by method and outcome (ok, or the error's code)",
            ("method", "outcome"),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.registry.register(_NodeCollector(node, now_ms))
        ProcessCollector(registry=self.registry)

    def observe_call(self, method: str, seconds: float, outcome: str) -> None:
        """Record a finished JSON-RPC call."""
        self._calls.labels(method, outcome).observe(seconds)

    def render(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self.registry)


class _NodeCollector:
    """Reads the node on each scrape."""

    def __init__(self, node: NodePort, now_ms: Callable[[], TimeMs]) -> None:
        self._node = node
        self._now_ms = now_ms

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering does not read the node."""
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from self._collect_chain()
        yield from self._collect_window()
        yield from self._collect_network()
        yield from self._collect_mesh()
        yield from self._collect_miner()
        yield from self._collect_process()

    def _collect_chain(self) -> Iterator[Metric]:
        ledger = self._node.ledger
        tip, market = ledger.tip, ledger.state.get_market()
        header = tip.header
        version = InfoMetricFamily("inos_build", "The software and the network of this node")
        version.add_metric((), {"version": get_version(), "network": self._node.network.name})
        yield version
        yield _gauge("inos_chain_height", "Height of the connected tip", header.height)
        yield _gauge(
            "inos_chain_best_header_height", "Height of the best known header", ledger.best_header.header.height
        )
        age_s = max(0.0, (self._now_ms() - header.time_ms) / 1000)
        yield _gauge("inos_chain_tip_age_seconds", "Seconds since the time in the tip's header", age_s)
        yield _gauge("inos_chain_weight_tickets", "Weight of the whole chain, in tickets", tip.weight)
        difficulty = compute_difficulty(get_target(header))
        yield _gauge("inos_chain_difficulty_tickets", "Mean tickets per block at the tip's target", difficulty)
        yield _gauge("inos_supply_credits", "Credits in existence", compute_supply(market) / NANO_PER_CREDIT)
        yield _counter(
            "inos_minted_credits", "Credits minted since genesis, genesis included", market.minted / NANO_PER_CREDIT
        )
        yield _counter("inos_burned_credits", "Credits burned since genesis", market.burned / NANO_PER_CREDIT)
        yield _gauge("inos_escrow_credits", "Rewards of unsettled jobs, in credits", market.escrowed / NANO_PER_CREDIT)
        price = compute_price_per_tera(self._node.params, Height(header.height + 1), difficulty)
        yield _gauge(
            "inos_job_burn_credits_per_tera",
            "Credits that a job posted now burns for 10^12 multiply-accumulates",
            price / NANO_PER_CREDIT,
        )
        stats = self._node.monitor.get_stats()
        yield _counter("inos_chain_blocks_connected", "Blocks connected since the start", stats.blocks_connected)
        yield _counter(
            "inos_chain_blocks_disconnected", "Blocks disconnected by reorgs since the start", stats.blocks_undone
        )
        yield _gauge(
            "inos_chain_deepest_reorg_blocks",
            "Blocks disconnected by the deepest reorg of the last hour",
            stats.deepest_reorganisation,
        )
        yield _gauge("inos_mempool_transactions", "Transactions in the pool", len(self._node.mempool))
        yield _gauge("inos_mempool_bytes", "Bytes of the transactions in the pool", self._node.mempool.bytes_used)

    def _collect_window(self) -> Iterator[Metric]:
        ledger = self._node.ledger
        block_id, times = ledger.tip.id, []
        weight = settled = burn = subsidies = 0
        for _ in range(WINDOW):
            header, stats = ledger.get_header(block_id), ledger.reader.get_block_stats(block_id)
            if header is None or stats is None:
                break
            weight, settled = weight + stats.weight, settled + stats.tickets_settled
            burn, subsidies = burn + stats.settled_burn, subsidies + stats.subsidy
            times.append(header.time_ms)
            block_id = type(block_id)(header.parent)
        spacing_s = (times[0] - times[-1]) / 1000 / (len(times) - 1) if len(times) > 1 else 0.0
        yield _gauge("inos_block_spacing_seconds", f"Mean seconds between the last {WINDOW} blocks", spacing_s)
        share = compute_window_share(settled=settled, weight=weight, settled_burn=burn, subsidies=subsidies)
        yield _gauge(
            "inos_paid_share_ratio",
            f"Tickets of jobs settled in the last {WINDOW} blocks, as a part of their weight",
            share.paid_ppm / PPM,
        )
        yield _gauge(
            "inos_burned_share_ratio",
            f"What the jobs settled in the last {WINDOW} blocks burned, as a part of the subsidies",
            share.burned_ppm / PPM,
        )

    def _collect_network(self) -> Iterator[Metric]:
        peers = self._node.p2p.peers()
        counts = GaugeMetricFamily("inos_peers", "Connected peers by direction", labels=("direction",))
        for name, is_inbound in (("inbound", True), ("outbound", False)):
            counts.add_metric((name,), sum(peer.is_outbound != is_inbound for peer in peers))
        yield counts
        moved = GaugeMetricFamily(
            "inos_peers_bytes", "Bytes exchanged with the connected peers, by direction", labels=("direction",)
        )
        moved.add_metric(("received",), sum(peer.bytes_in for peer in peers))
        moved.add_metric(("sent",), sum(peer.bytes_out for peer in peers))
        yield moved
        latencies = [peer.latency_ms / 1000 for peer in peers if peer.latency_ms is not None]
        yield _gauge("inos_peer_latency_max_seconds", "Longest round-trip time of a ping", max(latencies, default=0.0))
        status = self._node.p2p.get_status()
        known = GaugeMetricFamily(
            "inos_addresses", "Addresses in the address book, new (never reached) or tried (reached)", labels=("kind",)
        )
        known.add_metric(("new",), status.known_new)
        known.add_metric(("tried",), status.known_tried)
        yield known
        yield _gauge("inos_bans", "Nodes and network groups banned now", len(self._node.p2p.list_bans()))
        sync = self._node.p2p.sync.monitor.get_status()
        yield _gauge(
            "inos_sync_blocks_left",
            "Blocks between the tip and the best header",
            max(0, sync.header_height - sync.height),
        )
        yield _gauge("inos_sync_blocks_per_second", "Blocks synced per second", sync.blocks_per_s)

    def _collect_mesh(self) -> Iterator[Metric]:
        status = self._node.matrices.store.get_status()
        yield _gauge("inos_mesh_matrices", "Complete matrices stored", status.matrices)
        yield _gauge("inos_mesh_incomplete", "Matrices stored in part", status.incomplete)
        yield _gauge("inos_mesh_bytes", "Bytes of matrices on disk", status.bytes)
        yield _gauge("inos_mesh_pinned", "Matrices that are never evicted", status.pinned)
        yield _counter("inos_mesh_evicted", "Matrices evicted since the start", status.evicted)
        yield _counter("inos_mesh_damaged", "Matrices found damaged on disk since the start", status.damaged)
        yield _gauge("inos_disk_free_bytes", "Free bytes of the disk that holds the matrices", status.free_bytes)

    def _collect_miner(self) -> Iterator[Metric]:
        if self._node.miner is None:
            return
        status = self._node.miner.get_status()
        rate = status.tickets_per_second
        yield _gauge("inos_miner_tickets_per_second", "Tickets per second over the last half minute", rate)
        made = CounterMetricFamily(
            "inos_miner_tickets", "Tickets drawn since the start, from paid jobs or filler", labels=("purpose",)
        )
        made.add_metric(("job",), status.job_tickets)
        made.add_metric(("filler",), status.filler_tickets)
        yield made
        won = CounterMetricFamily(
            "inos_miner_blocks",
            "Blocks mined since the start: in time (won), or too late (stale)",
            labels=("kind",),
        )
        for kind, count in (
            ("won", status.blocks_won),
            ("stale", status.blocks_stale),
        ):
            won.add_metric((kind,), count)
        yield won
        jobs = CounterMetricFamily("inos_miner_jobs", "Jobs claimed since the start, by outcome", labels=("outcome",))
        jobs.add_metric(("settled",), status.jobs_settled)
        jobs.add_metric(("lost",), status.jobs_lost)
        yield jobs
        yield _gauge("inos_miner_jobs_in_progress", "Jobs claimed and not yet paid", status.jobs_in_progress)

    def _collect_process(self) -> Iterator[Metric]:
        stats = self._node.monitor.get_stats()
        yield _gauge("inos_uptime_seconds", "Seconds since the node started", stats.uptime_s)
        yield _gauge("inos_loop_lag_seconds", "Seconds by which the event loop last woke up late", stats.loop_lag_s)
        yield _counter(
            "inos_database_write_seconds", "Seconds spent writing the ledger", self._node.ledger.database.writing_s
        )
        yield _gauge("inos_database_bytes", "Size of the ledger's files", self._node.ledger.database.count_bytes())
        if stats.clock_ahead_ms is not None:
            yield _gauge(
                "inos_clock_ahead_seconds",
                "Seconds that this clock is ahead of the times in received blocks; relay takes a few of them",
                stats.clock_ahead_ms / 1000,
            )
        checks = GaugeMetricFamily("inos_health_ok", "1 if the check of /health passes, else 0", labels=("check",))
        for check in self._node.health.check().checks:
            checks.add_metric((check.name,), float(check.is_ok))
        yield checks


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=float(value))
