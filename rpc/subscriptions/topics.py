"""What each topic of a subscription tells. It is asked at every step of the chain and after every event."""

from collections.abc import Iterable, Iterator
from typing import Final

from inos.consensus.jobevents import JobEvent, JobEventKind
from inos.primitives.transactions import (
    Transaction,
    Transfer,
    get_job_id,
    get_sender,
)
from inos.primitives.units import Address, BlockId, Height, JobId, TxId
from inos.rpc.methods.chain.summaries import summarize
from inos.rpc.methods.job.record import EVENT_NAMES
from inos.rpc.methods.miner.control import get_miner, render_miner
from inos.rpc.methods.state.history import render_entry
from inos.rpc.ports import NodePort
from inos.rpc.render import make_renderer
from inos.rpc.schemas import Model
from inos.rpc.subscriptions.follower import Step
from inos.rpc.subscriptions.notifications import FinalityNews, HeadNews, JobNews, TopicName, TransactionNews
from inos.rpc.subscriptions.session import News

MAX_TRACKED: Final = 4096
"""Claims one subscription watches for a lapse; the oldest are forgotten first."""
MAX_ENTRIES: Final = 10_000
"""Entries of one account in one block."""
MINER_S: Final = 1.0


class Topic:
    """Tells nothing by itself; the topics below override what concerns them."""

    name: TopicName
    every_s: float | None = None
    """Look again after so many seconds without an event."""

    def __init__(self, node: NodePort) -> None:
        self.node = node

    def on_step(self, step: Step) -> Iterable[News]:
        return ()

    def on_transaction(self, tx_id: TxId) -> Iterable[News]:
        return ()

    def on_look(self) -> Iterable[News]:
        """Asked at the beginning, and whenever all steps are made."""
        return ()


class Heads(Topic):
    name: TopicName = "heads"

    def on_step(self, step: Step) -> Iterable[News]:
        event = "connected" if step.is_connected else "disconnected"
        block = summarize(self.node, step.id, step.header)
        yield step.header.height, HeadNews.model_validate({"event": event, "block": block})


class Finality(Topic):
    """Args: from_height: the present final block is told at once where it is not below this."""

    name: TopicName = "finality"

    def __init__(self, node: NodePort, from_height: int | None) -> None:
        super().__init__(node)
        final = node.ledger.final.header.height
        self._told = final if from_height is None else max(min(final, from_height - 1), -1)

    def on_look(self) -> Iterable[News]:
        final = self.node.ledger.final
        if final.header.height > self._told:
            self._told = final.header.height
            yield self._told, FinalityNews(id=final.id.hex(), height=self._told)


class Transactions(Topic):
    name: TopicName = "transactions"

    def __init__(self, node: NodePort, address: Address) -> None:
        super().__init__(node)
        self._address = address

    def on_step(self, step: Step) -> Iterable[News]:
        if not step.is_connected:
            yield from self._tell_undone(step)
            return
        height = Height(step.header.height)
        entries = self.node.ledger.get_history(self._address, before=(Height(height + 1), 0), limit=MAX_ENTRIES)
        for place in reversed([each for each in entries if each.height == height]):
            entry = render_entry(self.node, place)
            if entry is not None and entry.block == step.id.hex():
                yield height, TransactionNews(event="included", block=entry.block, tx=None, entry=entry)

    def _tell_undone(self, step: Step) -> Iterator[News]:
        """Of an undone block only its transactions are left, not whom each of them concerned."""
        block, renderer = self.node.ledger.get_block(step.id), make_renderer(self.node)
        for tx in () if block is None else block.transactions:
            if self._concerns(tx):
                shown = renderer.transaction(tx)
                yield (
                    step.header.height,
                    TransactionNews(event="undone", block=step.id.hex(), tx=shown, entry=None),
                )

    def on_transaction(self, tx_id: TxId) -> Iterable[News]:
        tx = self.node.mempool.get(tx_id)
        if tx is not None and self._concerns(tx):
            shown = make_renderer(self.node).transaction(tx)
            height = self.node.ledger.tip.header.height
            yield height, TransactionNews(event="pending", block=None, tx=shown, entry=None)

    def _concerns(self, tx: Transaction) -> bool:
        """Whether the account sent it, or is paid by it; whose job it is about."""
        if get_sender(tx) == self._address or (isinstance(tx.payload, Transfer) and tx.payload.to == self._address):
            return True
        job_id = get_job_id(tx)
        job = None if job_id is None else self.node.ledger.state.get_job(job_id)
        return job is not None and self._address in (job.poster, job.worker)


class Jobs(Topic):
    """Args: job: the only one; None for all."""

    name: TopicName = "jobs"

    def __init__(self, node: NodePort, job: JobId | None) -> None:
        super().__init__(node)
        self._job = job
        self._claims: dict[JobId, int] = {}
        """Last height of claims seen, to find those that lapse."""

    def on_step(self, step: Step) -> Iterable[News]:
        height = step.header.height
        touched = self._list_touched(step.id)
        if not step.is_connected:
            return [(height, self._render(job_id, "undone", None)) for job_id in touched]
        due = [job_id for job_id, last in self._claims.items() if last < height]
        for job_id in due:
            del self._claims[job_id]
        news: list[News] = []
        for job_id in dict.fromkeys([*due, *touched]):
            if self._job not in (None, job_id):
                continue
            for at, event in self.node.ledger.list_job_events(job_id, limit=1000):
                if at == height:
                    self._track(job_id, event, height)
                    news.append((height, self._render(job_id, EVENT_NAMES[event.kind], event)))
        return news

    def _list_touched(self, block_id: BlockId) -> list[JobId]:
        """Jobs the block's transactions name, and those it settled."""
        block, figures = self.node.ledger.get_block(block_id), self.node.ledger.get_figures(block_id)
        jobs: list[JobId] = []
        for tx in () if block is None else block.transactions:
            job_id = get_job_id(tx)
            jobs += [] if job_id is None else [job_id]
        settled = [] if figures is None else [JobId(job) for job in figures.settled]
        return [job for job in dict.fromkeys([*jobs, *settled]) if self._job in (None, job)]

    def _track(self, job_id: JobId, event: JobEvent, height: int) -> None:
        job = self.node.ledger.state.get_job(job_id)
        if event.kind is JobEventKind.CLAIMED and job is not None:
            self._claims[job_id] = height + job.claim_window
            while len(self._claims) > MAX_TRACKED:
                del self._claims[next(iter(self._claims))]
        elif event.kind in (JobEventKind.DELIVERED, JobEventKind.SETTLED):
            self._claims.pop(job_id, None)

    def _render(self, job_id: JobId, name: str, event: JobEvent | None) -> JobNews:
        renderer, state = make_renderer(self.node), self.node.ledger.state
        job = state.get_job(job_id)
        worker = None if event is None or event.worker is None else renderer.address(event.worker)
        return JobNews.model_validate(
            {
                "event": name,
                "id": job_id.hex(),
                "worker": worker,
                "amount": None if event is None else str(event.amount),
                "job": None if job is None else renderer.job(job_id, job, state.get_claim(job_id)),
            }
        )


class MinerTopic(Topic):
    name: TopicName = "miner"
    every_s = MINER_S

    def __init__(self, node: NodePort) -> None:
        super().__init__(node)
        self._told: Model | None = None

    def on_look(self) -> Iterable[News]:
        status = render_miner(self.node, get_miner(self.node))
        if status != self._told:
            self._told = status
            yield self.node.ledger.tip.header.height, status
