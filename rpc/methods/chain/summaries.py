"""A block without its transactions, as lists, charts and subscriptions show it."""

from typing import Annotated

from pydantic import Field

from inos.primitives.blocks import Header, compute_difficulty, get_target
from inos.primitives.matrices import Seal
from inos.primitives.units import BlockId, Height
from inos.rpc.models.render import make_renderer
from inos.rpc.models.values import (
    AccountAddress,
    BigInteger,
    BlockFinality,
    BlockHeight,
    Count,
    Hash,
    Model,
    NanoAmount,
    UnixMs,
)
from inos.rpc.ports import NodePort


class BlockProductModel(Model):
    """The product that was multiplied for the block, X (m x k) times W (n x k) transposed, and the winning ticket."""

    x: Annotated[Hash, Field(description="The id of the matrix X.")]
    w: Annotated[Hash, Field(description="The id of the matrix W.")]
    m: Annotated[Count, Field(description="The rows of X.")]
    n: Annotated[Count, Field(description="The rows of W.")]
    k: Annotated[Count, Field(description="The columns of both.")]
    i: Annotated[Count, Field(description="The ticket's strip of 16 rows of X.")]
    j: Annotated[Count, Field(description="The ticket's strip of 16 rows of W.")]
    p: Annotated[Count, Field(description="The ticket's panel of 1024 columns of both.")]


class BlockSummaryModel(Model):
    """A block without its transactions. What it did is null if the block was never on the best chain."""

    id: Annotated[Hash, Field(description="The block's id.")]
    height: Annotated[BlockHeight, Field(description="The block's height.")]
    parent: Annotated[Hash, Field(description="The id of the parent block.")]
    time_ms: Annotated[UnixMs, Field(description="The block's time.")]
    spacing_ms: Annotated[
        int, Field(description="Milliseconds from its parent's time to its own; 0 for genesis and block 1.")
    ]
    beneficiary: Annotated[AccountAddress, Field(description="The account that gets subsidy and fees.")]
    difficulty: Annotated[BigInteger, Field(description="The mean number of tickets per block at its target.")]
    finality: Annotated[BlockFinality, Field(description="Says if the block is final.")]
    product: Annotated[BlockProductModel | None, Field(description="What was multiplied for it; null for genesis.")]
    transactions: Annotated[Count, Field(description="The number of its transactions.")]
    weight: Annotated[BigInteger | None, Field(description="The block's weight, in tickets.")]
    tickets_posted: Annotated[Count | None, Field(description="The tickets of the jobs that it posted.")]
    tickets_settled: Annotated[Count | None, Field(description="The tickets of the jobs that it settled.")]
    settled: Annotated[list[Hash], Field(description="The ids of the jobs that it settled.")]
    subsidy: Annotated[NanoAmount | None, Field(description="What the block minted for its beneficiary.")]
    fees: Annotated[NanoAmount | None, Field(description="The fees of its transactions.")]
    burned: Annotated[NanoAmount | None, Field(description="What was burned in it.")]
    settled_burn: Annotated[
        NanoAmount | None, Field(description="What the jobs that it settled had burned when they were posted.")
    ]
    supply: Annotated[NanoAmount | None, Field(description="The supply after the block.")]


def summarize(node: NodePort, block_id: BlockId, header: Header) -> BlockSummaryModel:
    """Return the summary of a block whose header the node has."""
    stats = node.ledger.reader.get_block_stats(block_id)
    block = node.ledger.get_block(block_id)
    parent = node.ledger.get_header(BlockId(header.parent)) if header.height > 1 else None
    return BlockSummaryModel(
        id=block_id.hex(),
        height=header.height,
        parent=header.parent.hex(),
        time_ms=header.time_ms,
        spacing_ms=0 if parent is None else header.time_ms - parent.time_ms,
        beneficiary=make_renderer(node).address(header.beneficiary),
        difficulty=str(compute_difficulty(get_target(header))),
        finality=node.ledger.get_block_finality(Height(header.height)),
        product=None if header.seal is None else _render_product(header.seal),
        transactions=0 if block is None else len(block.transactions),
        weight=None if stats is None else str(stats.weight),
        tickets_posted=None if stats is None else stats.tickets_posted,
        tickets_settled=None if stats is None else stats.tickets_settled,
        settled=[] if stats is None else [job.hex() for job in stats.settled],
        subsidy=None if stats is None else str(stats.subsidy),
        fees=None if stats is None else str(stats.fees),
        burned=None if stats is None else str(stats.burned),
        settled_burn=None if stats is None else str(stats.settled_burn),
        supply=None if stats is None else str(stats.supply),
    )


def _render_product(seal: Seal) -> BlockProductModel:
    return BlockProductModel(
        x=seal.x.id.hex(),
        w=seal.w.id.hex(),
        m=seal.x.rows,
        n=seal.w.rows,
        k=seal.x.cols,
        i=seal.i,
        j=seal.j,
        p=seal.p,
    )
