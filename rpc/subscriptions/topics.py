"""The topics of subscriptions. Each reports what happened at every step of the chain and after every event."""

from collections.abc import Iterable, Iterator
from typing import Final

from inos.consensus.jobevents import JobEvent, JobEventKind
from inos.primitives.transactions import Transaction, get_job_id, get_sender, list_receivers
from inos.primitives.units import Address, BlockId, Height, JobId, TxId
from inos.rpc.methods.chain.summaries import summarize
from inos.rpc.methods.job.history import EVENT_NAMES
from inos.rpc.methods.miner.control import get_miner, render_miner
from inos.rpc.methods.state.history import render_entry
from inos.rpc.models.render import make_renderer
from inos.rpc.models.values import Model
from inos.rpc.ports import NodePort
from inos.rpc.subscriptions.follower import Step
from inos.rpc.subscriptions.notifications import (
    FinalityNotificationModel,
    HeadNotificationModel,
    JobNotificationModel,
    Topics,
    TransactionNotificationModel,
)
from inos.rpc.subscriptions.session import Report

MAX_TRACKED: Final = 4096
"""Claims that one subscription watches for a lapse; the oldest is dropped first."""
MAX_ENTRIES: Final = 10_000
"""The most entries of one account in one block that are reported."""
MINER_POLL_S: Final = 1.0


class Topic:
    """Base of all topics: reports nothing. Topics override the methods that concern them."""

    name: Topics
    poll_s: float | None = None
    """Seconds without an event after which on_idle is called again; None to wait for an event."""

    def __init__(self, node: NodePort) -> None:
        self.node = node

    def on_step(self, step: Step) -> Iterable[Report]:
        return ()

    def on_transaction(self, tx_id: TxId) -> Iterable[Report]:
        return ()

    def on_idle(self) -> Iterable[Report]:
        return ()


class Heads(Topic):
    """Reports blocks that are connected and disconnected."""

    name: Topics = "heads"

    def on_step(self, step: Step) -> Iterable[Report]:
        event = "connected" if step.is_connected else "disconnected"
        block = summarize(self.node, step.id, step.header)
        yield step.header.height, HeadNotificationModel.model_validate({"event": event, "block": block})


class Finality(Topic):
    """Reports the last final block. Args: from_height: the current one is reported at once if it is not below this."""

    name: Topics = "finality"

    def __init__(self, node: NodePort, from_height: int | None) -> None:
        super().__init__(node)
        final = node.ledger.final.header.height
        self._reported = final if from_height is None else max(min(final, from_height - 1), -1)

    def on_idle(self) -> Iterable[Report]:
        final = self.node.ledger.final
        if final.header.height > self._reported:
            self._reported = final.header.height
            yield self._reported, FinalityNotificationModel(id=final.id.hex(), height=self._reported)


class Transactions(Topic):
    """Reports transactions that concern an account."""

    name: Topics = "transactions"

    def __init__(self, node: NodePort, address: Address) -> None:
        super().__init__(node)
        self._address = address

    def on_step(self, step: Step) -> Iterable[Report]:
        if not step.is_connected:
            yield from self._report_undone(step)
            return
        height = Height(step.header.height)
        entries = self.node.ledger.reader.get_history(self._address, before=(Height(height + 1), 0), limit=MAX_ENTRIES)
        for found in reversed([each for each in entries if each.height == height]):
            entry = render_entry(self.node, found)
            if entry is not None and entry.block == step.id.hex():
                yield height, TransactionNotificationModel(event="included", block=entry.block, tx=None, entry=entry)

    def _report_undone(self, step: Step) -> Iterator[Report]:
        """Report the transactions of a disconnected block. Which accounts they concerned is no longer stored."""
        block, renderer = self.node.ledger.get_block(step.id), make_renderer(self.node)
        for tx in () if block is None else block.transactions:
            if self._concerns(tx):
                shown = renderer.transaction(tx)
                yield (
                    step.header.height,
                    TransactionNotificationModel(event="undone", block=step.id.hex(), tx=shown, entry=None),
                )

    def on_transaction(self, tx_id: TxId) -> Iterable[Report]:
        tx = self.node.mempool.get(tx_id)
        if tx is not None and self._concerns(tx):
            shown = make_renderer(self.node).transaction(tx)
            height = self.node.ledger.tip.header.height
            yield height, TransactionNotificationModel(event="pending", block=None, tx=shown, entry=None)

    def _concerns(self, tx: Transaction) -> bool:
        """Return True if the account sent the transaction, is paid by it, or posted or works on its job."""
        if get_sender(tx) == self._address or self._address in list_receivers(tx.payload):
            return True
        job_id = get_job_id(tx)
        job = None if job_id is None else self.node.ledger.state.get_job(job_id)
        return job is not None and self._address in (job.poster, job.worker)


class Jobs(Topic):
    """Reports events of jobs. Args: job: the only job to report; None for all."""

    name: Topics = "jobs"

    def __init__(self, node: NodePort, job: JobId | None) -> None:
        super().__init__(node)
        self._job = job
        self._claims: dict[JobId, int] = {}
        """The last height of each claim seen, to find claims that lapse."""

    def on_step(self, step: Step) -> Iterable[Report]:
        height = step.header.height
        touched = self._list_touched(step.id)
        if not step.is_connected:
            return [(height, self._render(job_id, "undone", None)) for job_id in touched]
        due = [job_id for job_id, last in self._claims.items() if last < height]
        for job_id in due:
            del self._claims[job_id]
        reports: list[Report] = []
        for job_id in dict.fromkeys([*due, *touched]):
            if self._job not in (None, job_id):
                continue
            for event_height, event in self.node.ledger.reader.list_job_events(job_id, limit=1000):
                if event_height == height:
                    self._track(job_id, event, height)
                    reports.append((height, self._render(job_id, EVENT_NAMES[event.kind], event)))
        return reports

    def _list_touched(self, block_id: BlockId) -> list[JobId]:
        """Return the jobs that the block's transactions name, and those that it settled."""
        block, stats = self.node.ledger.get_block(block_id), self.node.ledger.reader.get_block_stats(block_id)
        jobs: list[JobId] = []
        for tx in () if block is None else block.transactions:
            job_id = get_job_id(tx)
            jobs += [] if job_id is None else [job_id]
        settled = [] if stats is None else [JobId(job) for job in stats.settled]
        return [job for job in dict.fromkeys([*jobs, *settled]) if self._job in (None, job)]

    def _track(self, job_id: JobId, event: JobEvent, height: int) -> None:
        job = self.node.ledger.state.get_job(job_id)
        if event.kind is JobEventKind.CLAIMED and job is not None:
            self._claims[job_id] = height + job.claim_window
            while len(self._claims) > MAX_TRACKED:
                del self._claims[next(iter(self._claims))]
        elif event.kind in (JobEventKind.DELIVERED, JobEventKind.SETTLED):
            self._claims.pop(job_id, None)

    def _render(self, job_id: JobId, name: str, event: JobEvent | None) -> JobNotificationModel:
        renderer, state = make_renderer(self.node), self.node.ledger.state
        job = state.get_job(job_id)
        worker = None if event is None or event.worker is None else renderer.address(event.worker)
        return JobNotificationModel.model_validate(
            {
                "event": name,
                "id": job_id.hex(),
                "worker": worker,
                "amount": None if event is None else str(event.amount),
                "job": None if job is None else renderer.job(job_id, job, state.get_claim(job_id)),
            }
        )


class MinerTopic(Topic):
    """Reports the miner's status whenever it has changed."""

    name: Topics = "miner"
    poll_s = MINER_POLL_S

    def __init__(self, node: NodePort) -> None:
        super().__init__(node)
        self._reported: Model | None = None

    def on_idle(self) -> Iterable[Report]:
        status = render_miner(self.node, get_miner(self.node))
        if status != self._reported:
            self._reported = status
            yield self.node.ledger.tip.header.height, status
