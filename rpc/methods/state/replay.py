"""An account's reputation over time, computed again from the outcomes of its claims."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from inos.consensus.jobevents import JobEventKind
from inos.consensus.reputation import compute_halved
from inos.primitives.transactions import ClaimJob
from inos.primitives.units import Address, Height, JobId
from inos.rpc.ports import NodePort

MAX_ENTRIES: Final = 5000
"""The most entries of the account's history that are read."""
KINDS: Final = (JobEventKind.LAPSED, JobEventKind.CHALLENGED, JobEventKind.REJECTED, JobEventKind.SETTLED)
"""What changes a worker's reputation, in the order in which a block applies it."""


class Change(Struct, frozen=True):
    """A change of reputation; `burned` is what the job had burned if it was settled."""

    height: int
    kind: JobEventKind
    burned: int


class Point(Struct, frozen=True):
    """Reputation after a block."""

    height: int
    reputation: int


def replay_reputation(node: NodePort, address: Address) -> tuple[list[Point], bool]:
    """Return the points by height, the tip last, and whether they lead to the value in the state."""
    tip = node.ledger.tip.header.height
    reputation = written = 0
    points: list[Point] = []
    for change in sorted(_list_changes(node, address), key=lambda one: (one.height, KINDS.index(one.kind))):
        reputation = compute_halved(node.params, reputation, Height(written), Height(change.height))
        written = change.height
        if change.kind is JobEventKind.LAPSED:
            reputation = reputation * 3 // 4
        elif change.kind is JobEventKind.SETTLED:
            reputation += change.burned
        else:
            reputation = 0
        if points and points[-1].height == change.height:
            points.pop()
        points.append(Point(change.height, int(reputation)))
    reputation = compute_halved(node.params, reputation, Height(written), Height(tip))
    if points and points[-1].height == tip:
        points.pop()
    points.append(Point(tip, int(reputation)))
    account = node.ledger.state.get_account(address)
    present = compute_halved(node.params, account.reputation, Height(account.reputation_height), Height(tip))
    return points, reputation == present


def _list_changes(node: NodePort, address: Address) -> Iterator[Change]:
    jobs: set[JobId] = set()
    for entry in node.ledger.reader.get_history(address, before=None, limit=MAX_ENTRIES):
        found = None if entry.tx_id is None else node.ledger.get_transaction(entry.tx_id)
        payload = None if found is None else found[2].payload
        if isinstance(payload, ClaimJob) and payload.job not in jobs:
            jobs.add(JobId(payload.job))
            yield from _list_outcomes(node, JobId(payload.job), address)


def _list_outcomes(node: NodePort, job_id: JobId, address: Address) -> Iterator[Change]:
    """Yield how the account's claims on a job ended; the job burned when it was posted."""
    burned = 0
    for height, event in node.ledger.reader.list_job_events(job_id, limit=1000):
        if event.kind is JobEventKind.POSTED:
            burned = event.amount
        if event.worker == address and event.kind in KINDS:
            yield Change(height, event.kind, burned if event.kind is JobEventKind.SETTLED else 0)
