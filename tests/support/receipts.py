"""A chain with votes on which one real product was paid, and receipts of it."""

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inos import work
from inos.client.receipt import Receipt, ReceiptBlock, make_receipt
from inos.consensus.records import job_key
from inos.consensus.statetree import make_proof
from inos.genesis import Network
from inos.primitives.blocks import compute_block_id
from inos.primitives.codec import encode
from inos.primitives.transactions import ClaimJob, SubmitResult, compute_tx_id
from inos.primitives.units import JobId
from support.chain_maker import EASY, Branch, MadeBlock, feed
from support.consensus_lab import ALICE, BOB, make_post
from support.final_chain import begin_voting, grow_voted

RNG: Final = np.random.default_rng(3)
X: Final = RNG.integers(-64, 64, (32, 70), np.int8)
W: Final = RNG.integers(-64, 64, (48, 70), np.int8)
Y: Final = X.astype(np.int32) @ W.astype(np.int32).T
PROVEN_AT: Final = 4 * EASY.epoch_blocks
CONFIRMATIONS: Final = 2


class PaidProduct(NamedTuple):
    """The network, and the receipt of a product that was settled below the final block PROVEN_AT."""

    network: Network
    receipt: Receipt
    blocks: list[MadeBlock]
    x: NDArray[Any]
    w: NDArray[Any]
    y: NDArray[Any]


def make_paid_product(folder: Path) -> PaidProduct:
    """Post, claim and deliver a job among voters, and let votes make its block final."""
    branch = Branch()
    begin_voting(branch)
    post = make_post(branch.height + 1, x=work.matrix_ref(X), w=work.matrix_ref(W))
    posted = branch.sign(ALICE, post)
    job = JobId(compute_tx_id(posted))
    branch.grow(posted)
    branch.grow(branch.sign(BOB, ClaimJob(job)))
    branch.grow(branch.sign(BOB, SubmitResult(job, work.matrix_ref(Y))))
    grow_voted(branch, PROVEN_AT - branch.height)
    value, proof = branch.records.all[job_key(job)], make_proof(branch.records.all, job_key(job))
    grow_voted(branch, 6 * EASY.epoch_blocks + 2 - branch.height)
    ledger = branch.open_ledger(folder / "chain")
    feed(ledger, branch.blocks)
    steps = [encode(step).hex() for step in ledger.view.list_steps(1, 100)]
    ledger.close()
    genesis = compute_block_id(branch.genesis.header)
    network = Network(branch.params, branch.genesis, genesis, "lab", "tests", ())
    proven = {"value": value.hex(), "siblings": [sibling.hex() for sibling in proof.siblings]}
    blocks = [make_block(made) for made in branch.blocks[PROVEN_AT - 1 : PROVEN_AT + CONFIRMATIONS]]
    receipt = make_receipt(job.hex(), "tests", genesis.hex(), proven, blocks, steps)
    return PaidProduct(network, receipt, branch.blocks, X, W, Y)


def make_block(made: MadeBlock) -> ReceiptBlock:
    """Return a block as receipts hold it."""
    return ReceiptBlock(header=encode(made.block.header).hex(), witness=encode(made.witness).hex())
