"""A block in a line: what lists, charts and subscriptions show of it."""

from typing import Annotated, Literal

from pydantic import Field

from inos.primitives.blocks import Header, compute_difficulty, get_target
from inos.primitives.matrices import Seal
from inos.primitives.units import BlockId, Height
from inos.rpc.ports import NodePort
from inos.rpc.render import make_renderer
from inos.rpc.schemas import AddressText, Count, HeightNumber, Hex32, Model, NanoText, NumberText


class ProductModel(Model):
    """What was multiplied for the block: X (m x k) times W (n x k) transposed, and the ticket that won."""

    x: Hex32
    w: Hex32
    m: Count
    n: Count
    k: Count
    i: Annotated[Count, Field(description="Strip of 16 rows of X.")]
    j: Annotated[Count, Field(description="Strip of 16 rows of W.")]
    p: Annotated[Count, Field(description="Panel of 1024 columns of both.")]


class BlockSummary(Model):
    """A block without its transactions. What it did is null where it is off the best chain and never was on it."""

    id: Hex32
    height: HeightNumber
    parent: Hex32
    time_ms: int
    spacing_ms: Annotated[int, Field(description="After its parent; 0 for the first block.")]
    beneficiary: AddressText
    difficulty: NumberText
    standing: Annotated[
        Literal["final", "justified", "open"], Field(description="Final blocks are never undone; genesis is final.")
    ]
    product: Annotated[ProductModel | None, Field(description="Null for genesis.")]
    transactions: Count
    weight: NumberText | None
    tickets_posted: Count | None
    tickets_settled: Count | None
    settled: Annotated[list[Hex32], Field(description="Jobs settled in the block.")]
    subsidy: NanoText | None
    fees: NanoText | None
    burned: NanoText | None
    settled_burn: Annotated[NanoText | None, Field(description="By the jobs settled here, when they were posted.")]
    supply: NanoText | None


def summarize(node: NodePort, block_id: BlockId, header: Header) -> BlockSummary:
    """The block's line."""
    figures = node.ledger.get_figures(block_id)
    block = node.ledger.get_block(block_id)
    parent = node.ledger.get_header(BlockId(header.parent)) if header.height > 1 else None
    return BlockSummary(
        id=block_id.hex(),
        height=header.height,
        parent=header.parent.hex(),
        time_ms=header.time_ms,
        spacing_ms=0 if parent is None else header.time_ms - parent.time_ms,
        beneficiary=make_renderer(node).address(header.beneficiary),
        difficulty=str(compute_difficulty(get_target(header))),
        standing=node.ledger.get_standing(Height(header.height)),
        product=None if header.seal is None else _render_product(header.seal),
        transactions=0 if block is None else len(block.transactions),
        weight=None if figures is None else str(figures.weight),
        tickets_posted=None if figures is None else figures.tickets_posted,
        tickets_settled=None if figures is None else figures.tickets_settled,
        settled=[] if figures is None else [job.hex() for job in figures.settled],
        subsidy=None if figures is None else str(figures.subsidy),
        fees=None if figures is None else str(figures.fees),
        burned=None if figures is None else str(figures.burned),
        settled_burn=None if figures is None else str(figures.settled_burn),
        supply=None if figures is None else str(figures.supply),
    )


def _render_product(seal: Seal) -> ProductModel:
    return ProductModel(
        x=seal.x.id.hex(),
        w=seal.w.id.hex(),
        m=seal.x.rows,
        n=seal.w.rows,
        k=seal.x.cols,
        i=seal.i,
        j=seal.j,
        p=seal.p,
    )
