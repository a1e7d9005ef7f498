"""How an account's merit and reputation came to be: its claims and blocks, gone through in order once more."""

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
"""Entries of the account's history that are gone through."""
LAPSED, CHALLENGED, SETTLED, WON = range(4)
"""Kinds of moments, in the order in which a block applies them."""


class Moment(Struct, frozen=True):
    """Something that changed merit or reputation, by `tickets` where it settled or won; merit spent by a block."""

    height: int
    kind: int
    tickets: int
    spent: int


class Point(Struct, frozen=True):
    """Merit and reputation after a block."""

    height: int
    merit: int
    reputation: int


def compute_standing(node: NodePort, address: Address) -> tuple[list[Point], bool]:
    """Points by height, the tip last; and whether they lead to what the state holds, so that nothing is missing."""
    tip = node.ledger.tip.header.height
    merit = reputation = written = 0
    points: list[Point] = []
    for moment in sorted(_list_moments(node, address), key=lambda one: (one.height, one.kind)):
        reputation = compute_halved(node.params, reputation, Height(written), Height(moment.height))
        written = moment.height
        if moment.kind == LAPSED:
            reputation = reputation * 3 // 4
        elif moment.kind == CHALLENGED:
            reputation = 0
        else:
            reputation += moment.tickets
            merit += moment.tickets if moment.kind == SETTLED else -moment.spent
        if points and points[-1].height == moment.height:
            points.pop()
        points.append(Point(moment.height, merit, int(reputation)))
    reputation = compute_halved(node.params, reputation, Height(written), Height(tip))
    if points and points[-1].height == tip:
        points.pop()
    points.append(Point(tip, merit, int(reputation)))
    account = node.ledger.state.get_account(address)
    present = compute_halved(node.params, account.reputation, Height(account.reputation_height), Height(tip))
    return points, (merit, reputation) == (account.merit, present)


def _list_moments(node: NodePort, address: Address) -> Iterator[Moment]:
    jobs: set[JobId] = set()
    for entry in node.ledger.get_history(address, before=None, limit=MAX_ENTRIES):
        if entry.place == PLACE_END:
            block_id = node.ledger.get_block_id(entry.height)
            header = None if block_id is None else node.ledger.get_header(block_id)
            figures = None if block_id is None else node.ledger.get_figures(block_id)
            if header is not None and figures is not None:
                spent = figures.difficulty if header.uses_merit else 0
                yield Moment(entry.height, WON, figures.weight, spent)
            continue
        found = None if entry.tx_id is None else node.ledger.get_transaction(entry.tx_id)
        payload = None if found is None else found[2].payload
        if isinstance(payload, ClaimJob) and payload.job not in jobs:
            jobs.add(JobId(payload.job))
            yield from _list_outcomes(node, JobId(payload.job), address)


def _list_outcomes(node: NodePort, job_id: JobId, address: Address) -> Iterator[Moment]:
    """How the account's claims on a job ended."""
    job = node.ledger.state.get_job(job_id)
    tickets = 0 if job is None else compute_tickets(job.x.rows, job.w.rows, job.x.cols)
    kinds = {JobEventKind.LAPSED: LAPSED, JobEventKind.CHALLENGED: CHALLENGED, JobEventKind.SETTLED: SETTLED}
    for height, event in node.ledger.list_job_events(job_id, limit=1000):
        if event.worker == address and event.kind in kinds:
            kind = kinds[event.kind]
            yield Moment(height, kind, tickets if kind == SETTLED else 0, 0)
