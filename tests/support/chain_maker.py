"""Valid blocks with real seals, cheaply: any ticket wins, so a block costs one product of one ticket.

A `Branch` is a chain on its own, executed on a dictionary by the slow reference; what it makes is fed to the
ledger under test. `fork` leaves a branch where it is and goes on with a copy.
"""

import random
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from inos import work
from inos.chain.ledger import BlockOutcome, Ledger
from inos.chain.schema import META_ROOT
from inos.consensus.execution import ResultChecker
from inos.consensus.genesis_state import GenesisState, make_genesis
from inos.consensus.params import Params
from inos.consensus.records import JobState
from inos.primitives.blocks import Block, compute_anchor, compute_block_id
from inos.primitives.bls import get_bls
from inos.primitives.errors import ParentMissing, RuleViolation, VerdictMissing
from inos.primitives.matrices import DType, MatrixRef, Witness, make_matrix_ref
from inos.primitives.payments import Payment, pack_payments
from inos.primitives.transactions import (
    CancelJob,
    ClaimJob,
    Payload,
    SubmitResult,
    Transaction,
    Transfer,
    TransferMany,
    compute_tx_id,
)
from inos.primitives.units import Address, BlockId, Hash, JobId, Nano, Target, TimeMs
from inos.primitives.votes import Aggregate
from support.consensus_lab import (
    ALICE,
    ALLOCATIONS,
    BOB,
    CAROL,
    GENESIS_TIME,
    MINER,
    PARAMS,
    Key,
    Lab,
    Products,
    edit,
    make_post,
    sign_steadily,
)

ANY: Final = Target(2**256 - 1)
EASY: Final = msgspec.structs.replace(PARAMS, genesis_target=ANY, max_target=ANY, account_fee=0, burn_per_mille=1)
"""Every digest wins and every block weighs one ticket, so the longest branch is the heaviest.

With D = 1 a ticket would burn an eighth of a subsidy; here it burns a thousandth. New accounts cost nothing.
"""
NOW: Final = TimeMs(GENESIS_TIME + 10**9)
PEOPLE: Final = (ALICE, BOB, CAROL, MINER)
TRIES: Final = 10_000


class MadeBlock(NamedTuple):
    """A block with its witness."""

    block: Block
    witness: Witness

    @property
    def id(self) -> BlockId:
        return compute_block_id(self.block.header)


@cache
def make_operand_pair() -> tuple[work.Operand, work.Operand]:
    """Return operands of 16 x 1024 each, which make one ticket."""
    rng = np.random.default_rng(7)
    x, w = (work.Operand.commit(rng.integers(-64, 64, (16, 1024), np.int8)) for _ in range(2))
    return x, w


def seal(block: Block, *, allowed: int = ANY) -> MadeBlock:
    """Return the block with a valid seal; nonces are tried until one ticket wins."""
    x, w = make_operand_pair()
    for nonce in range(block.header.nonce, block.header.nonce + TRIES):
        unsealed = edit(block, nonce=nonce, seal=None)
        mined = work.mine(x, w, compute_anchor(unsealed.header), allowed, backend="numpy", threads=1)
        if mined.wins:
            return MadeBlock(edit(unsealed, seal=mined.wins[0].seal), mined.wins[0].witness)
    raise AssertionError(f"no ticket won in {TRIES} tries")


class Branch(Lab):
    """One chain from genesis on, with all its blocks."""

    def __init__(self, params: Params = EASY, allocations: dict[Address, Nano] | None = None) -> None:
        self.allocations = dict(ALLOCATIONS if allocations is None else allocations)
        super().__init__(params, self.allocations)
        self.blocks: list[MadeBlock] = []

    @property
    def genesis(self) -> GenesisState:
        return make_genesis(self.params, GENESIS_TIME, self.allocations)

    @property
    def tip_id(self) -> BlockId:
        return compute_block_id(self.headers[-1])

    def fork(self, back: int = 0) -> "Branch":
        """Return a copy that ends `back` blocks below this branch's tip. The checker of products is shared."""
        other = Branch(self.params, self.allocations)
        other.products = self.products
        for made in self.blocks[: len(self.blocks) - back]:
            other.append(made)
        return other

    def append(self, made: MadeBlock) -> MadeBlock:
        """Connect a block that was made elsewhere."""
        self.connect(made.block)
        self.blocks.append(made)
        return made

    def grow(
        self,
        *transactions: Transaction,
        miner: Address = MINER.address,
        nonce: int = 0,
        later_ms: int = 0,
        aggregate: Aggregate | None = None,
    ) -> MadeBlock:
        """Make the next block, seal it and connect it here. Another `nonce` or time makes it differ from its twins."""
        return self.append(
            self.draft(
                *transactions,
                miner=miner,
                nonce=nonce,
                later_ms=later_ms,
                aggregate=aggregate,
            )
        )

    def draft(
        self,
        *transactions: Transaction,
        miner: Address = MINER.address,
        nonce: int = 0,
        later_ms: int = 0,
        aggregate: Aggregate | None = None,
        **changes: Any,
    ) -> MadeBlock:
        """Make the next block, sealed but not connected; `changes` to its header may make it invalid."""
        block = self.make_block(transactions, miner=miner, aggregate=aggregate)
        block = edit(block, **{"nonce": nonce, "time_ms": block.header.time_ms + later_ms} | changes)
        return seal(block, allowed=int.from_bytes(block.header.target, "big"))

    def grow_by(self, count: int, *, nonce: int = 0) -> list[MadeBlock]:
        """Add `count` empty blocks."""
        return [self.grow(nonce=nonce) for _ in range(count)]

    def pay(self, key: Key, to: Address, amount: int = 1, *, fee: int = 1000, ahead: int = 0) -> Transaction:
        """Return a signed transfer."""
        return self.sign(key, Transfer(to, amount), fee=fee, ahead=ahead)

    def open_ledger(self, path: Path, results: ResultChecker | None = None, *, is_durable: bool = False) -> Ledger:
        """Open a ledger of this branch's network, which is empty if `path` is."""
        checker = self.products if results is None else results
        return Ledger.open(path, self.params, self.genesis, results=checker, bls=get_bls(), is_durable=is_durable)


def feed(ledger: Ledger, blocks: Sequence[MadeBlock]) -> list[BlockOutcome]:
    """Add blocks in order; the ledger's index is checked at the end."""
    outcomes = [ledger.add_block(made.block, made.witness, NOW) for made in blocks]
    ledger._index.check_invariants()
    return outcomes


def feed_in_any_order(ledger: Ledger, blocks: Sequence[MadeBlock], *, headers_first: bool = False) -> None:
    """Add blocks until all are in, and try those again whose parent was missing. Invalid ones are left out."""
    waiting = list(blocks)
    if headers_first:
        for made in sorted(blocks, key=lambda m: m.block.header.height):
            ledger.add_header(made.block.header, NOW)
    while waiting:
        left: list[MadeBlock] = []
        for made in waiting:
            try:
                ledger.add_block(made.block, made.witness, NOW)
            except ParentMissing:
                left.append(made)
            except (VerdictMissing, RuleViolation):
                continue
        if len(left) == len(waiting):
            raise AssertionError(f"{len(left)} blocks have no parent among those given")
        waiting = left
        ledger._index.check_invariants()


def dump(ledger: Ledger) -> dict[bytes, bytes]:
    """Return every key and value of the ledger's database."""
    return dict(ledger._db.iterate(b""))


def dump_chain(ledger: Ledger) -> dict[bytes, bytes]:
    """Return what depends only on the connected chain: no headers, bodies, witnesses or verdicts."""
    return {key: value for key, value in dump(ledger).items() if key[:1] not in b"hlobwx" and key != META_ROOT}


def make_result_ref(job_rows: int = 32, job_cols: int = 48, tag: int = 1) -> MatrixRef:
    """Return a result of `make_post`'s job whose bytes nobody has."""
    return make_matrix_ref(DType.INT32, job_rows, job_cols, Hash(tag.to_bytes(32, "big")))


def grow_at_random(
    branch: Branch,
    rng: random.Random,
    *,
    max_transactions: int = 6,
    choose: Callable[[Branch, Key, random.Random], tuple[Key, Payload]] | None = None,
    aggregate: Aggregate | None = None,
) -> MadeBlock:
    """Add a block with random valid transactions, by a random miner.

    Args:
        choose: who sends what; by default transfers and checked jobs.
        aggregate: votes that the block carries.
    """
    miner = rng.choice(PEOPLE)
    execution = branch.begin(miner=miner.address, aggregate=aggregate)
    taken: list[Transaction] = []
    ahead = dict.fromkeys(PEOPLE, 0)
    for _ in range(rng.randint(0, max_transactions)):
        key = rng.choice(PEOPLE)
        key, payload = (choose or choose_payload)(branch, key, rng)
        tx = branch.sign(key, payload, fee=rng.randint(0, 50), ahead=ahead[key])
        try:
            execution.add(tx)
        except (RuleViolation, VerdictMissing):
            continue
        ahead[key] += 1
        taken.append(tx)
    return branch.grow(*taken, miner=miner.address, nonce=rng.getrandbits(32), aggregate=aggregate)


def make_payments(rng: random.Random) -> TransferMany:
    """Return payments to some people and to one account that may be new."""
    receivers = [*(person.address for person in rng.sample(PEOPLE, 2)), Address(bytes([rng.randrange(250)]) * 20)]
    return TransferMany(pack_payments(Payment(to, rng.randint(10, 900)) for to in receivers))


def choose_payload(branch: Branch, key: Key, rng: random.Random) -> tuple[Key, Payload]:
    """Return a payload that is likely to be valid: claims for open jobs, results from the worker that holds the
    claim.
    """
    jobs = [JobId(k[1:]) for k in branch.records.all if k[0] == 2]
    rng.shuffle(jobs)
    by_state = {state: [j for j in jobs if _get_state(branch, j) == state] for state in JobState}
    choices: list[Callable[[], tuple[Key, Payload]]] = [
        lambda: (key, Transfer(rng.choice(PEOPLE).address, rng.randint(1, 5000))),
        lambda: (key, make_payments(rng)),
        lambda: (
            key,
            make_post(
                branch.height + 1,
                reward=rng.randint(1, 3000),
                deadline=branch.height + 1 + rng.randint(1, 8),
                claim_window=rng.randint(2, 6),
                max_burn=10**6,
            ),
        ),
    ]
    if open_jobs := by_state[JobState.OPEN]:
        poster = _find(branch.state.get_job(open_jobs[0]).poster)  # type: ignore[union-attr]
        choices += [lambda: (key, ClaimJob(open_jobs[0]))] * 2
        choices.append(lambda: (poster, CancelJob(open_jobs[0])))
    if claimed := by_state[JobState.CLAIMED]:
        claim = branch.state.get_claim(claimed[0])
        if claim is not None:
            result = SubmitResult(claimed[0], make_result_ref(tag=rng.randint(1, 3)))
            choices += [lambda: (_find(claim.worker), result)] * 2
    return rng.choice(choices)()


def _get_state(branch: Branch, job_id: JobId) -> JobState | None:
    job = branch.state.get_job(job_id)
    return None if job is None else job.state


def _find(address: bytes) -> Key:
    return next((key for key in PEOPLE if key.address == address), ALICE)


__all__ = [
    "ALICE",
    "ANY",
    "BOB",
    "CAROL",
    "EASY",
    "MINER",
    "NOW",
    "PEOPLE",
    "Branch",
    "Key",
    "MadeBlock",
    "Products",
    "compute_tx_id",
    "dump",
    "dump_chain",
    "feed",
    "feed_in_any_order",
    "grow_at_random",
    "make_post",
    "make_result_ref",
    "seal",
    "sign_steadily",
]
