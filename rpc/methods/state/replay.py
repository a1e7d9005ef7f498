"""An account's merit and reputation over time, computed again from its blocks and the outcomes of its claims."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from inos.consensus.jobevents import JobEventKind
from inos.consensus.movements import PLACE_END
from inos.consensus.reputation import compute_halved
from inos.primitives.matrices import compute_tickets
from inos.primitives.transactions import ClaimJob
from inos.primitives.units import Address, Height, JobId
from inos.rpc.ports import NodePort

MAX_ENTRIES: Final = 5000
"""The most entries of the account's history that are read."""
LAPSED, CHALLENGED, SETTLED, WON = range(4)
"""Kinds of changes, in the order in which a block applies them."""


class Change(Struct, frozen=True):
    """A change of merit or reputation: `tickets` of a settled job or a block, and the merit that a block spent."""

    height: int
    kind: int
    tickets: int
    spent: int


class Point(Struct, frozen=True):
    """Merit and reputation after a block."""

    height: int
    merit: int
    reputation: int


def replay_reputation(node: NodePort, address: Address) -> tuple[list[Point], bool]:
    """Return the points by height, the tip last, and whether they lead to the values in the state."""
    tip = node.ledger.tip.header.height
    merit = reputation = written = 0
    points: list[Point] = []
    for change in sorted(_list_changes(node, address), key=lambda one: (one.height, one.kind)):
        reputation = compute_halved(node.params, reputation, Height(written), Height(change.height))
        written = change.height
        if change.kind == LAPSED:
            reputation = reputation * 3 // 4
        elif change.kind == CHALLENGED:
            reputation = 0
        else:
            reputation += change.tickets
            merit += change.tickets if change.kind == SETTLED else -change.spent
        if points and points[-1].height == change.height:
            points.pop()
        points.append(Point(change.height, merit, int(reputation)))
    reputation = compute_halved(node.params, reputation, Height(written), Height(tip))
    if points and points[-1].height == tip:
        points.pop()
    points.append(Point(tip, merit, int(reputation)))
    account = node.ledger.state.get_account(address)
    present = compute_halved(node.params, account.reputation, Height(account.reputation_height), Height(tip))
    return points, (merit, reputation) == (account.merit, present)


def _list_changes(node: NodePort, address: Address) -> Iterator[Change]:
    jobs: set[JobId] = set()
    for entry in node.ledger.get_history(address, before=None, limit=MAX_ENTRIES):
        if entry.place == PLACE_END:
            block_id = node.ledger.get_block_id(entry.height)
            header = None if block_id is None else node.ledger.get_header(block_id)
            stats = None if block_id is None else node.ledger.get_block_stats(block_id)
            if header is not None and stats is not None:
                spent = stats.difficulty if header.uses_merit else 0
                yield Change(entry.height, WON, stats.weight, spent)
            continue
        found = None if entry.tx_id is None else node.ledger.get_transaction(entry.tx_id)
        payload = None if found is None else found[2].payload
        if isinstance(payload, ClaimJob) and payload.job not in jobs:
            jobs.add(JobId(payload.job))
            yield from _list_outcomes(node, JobId(payload.job), address)


def _list_outcomes(node: NodePort, job_id: JobId, address: Address) -> Iterator[Change]:
    """Yield how the account's claims on a job ended."""
    job = node.ledger.state.get_job(job_id)
    tickets = 0 if job is None else compute_tickets(job.x.rows, job.w.rows, job.x.cols)
    kinds = {JobEventKind.LAPSED: LAPSED, JobEventKind.CHALLENGED: CHALLENGED, JobEventKind.SETTLED: SETTLED}
    for height, event in node.ledger.list_job_events(job_id, limit=1000):
        if event.worker == address and event.kind in kinds:
            kind = kinds[event.kind]
            yield Change(height, kind, tickets if kind == SETTLED else 0, 0)
