"""Registers one way to break each rule under its code; tests/unit/consensus/test_provoked_codes.py runs them all."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from inos.consensus.codes import Code
from inos.primitives.matrices import MatrixRef
from inos.primitives.transactions import ClaimJob, Payload, SubmitResult, Transaction
from inos.primitives.units import JobId
from support.consensus_lab import ALICE, BOB, Key, Lab
from support.juries import seat_committee
from support.tiles import make_optimistic, widen

T = TypeVar("T", bound=Callable[[], object])
PROVOKE: Final[dict[Code, Callable[[], object]]] = {}


def provokes(code: Code) -> Callable[[T], T]:
    """Register a function that breaks the rule of `code` by a block, a transaction or a proof."""

    def register(function: T) -> T:
        assert code not in PROVOKE, f"{code} is provoked twice"
        PROVOKE[code] = function
        return function

    return register


def mine(lab: Lab, *transactions: Transaction, **changes: Any) -> None:
    """Process a block with these transactions through all stages, valid or not."""
    lab.connect(lab.make_block(transactions, **changes))


def do(lab: Lab, key: Key, payload: Payload, **changes: Any) -> None:
    """Process a block with one transaction of `key`; `changes` are passed to Lab.sign."""
    mine(lab, lab.sign(key, payload, **changes))


def make_claimed(**changes: Any) -> tuple[Lab, JobId]:
    """Return a checked job of Alice's that Bob has claimed; `changes` are passed to make_post."""
    lab = Lab()
    job = lab.post(ALICE, **changes)
    do(lab, BOB, ClaimJob(job))
    return lab, job


def make_delivered(y: MatrixRef) -> tuple[Lab, JobId]:
    """Return an optimistic job of Alice's for which Bob has delivered `y`."""
    lab = Lab()
    widen(lab)
    mine(lab)
    seat_committee(lab, {"carol": 10})
    job = lab.post(ALICE, **make_optimistic(1))
    do(lab, BOB, ClaimJob(job))
    do(lab, BOB, SubmitResult(job, y))
    return lab, job
