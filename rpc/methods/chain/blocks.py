"""chain_*: blocks, headers, transactions, and what the work came to."""

from typing import Annotated, Final, Literal

from pydantic import Field

from inos.primitives.blocks import Block, Header, compute_difficulty, get_target
from inos.primitives.codec import encode
from inos.primitives.units import BlockId, Height, TxId
from inos.rpc.errors import make_not_found
from inos.rpc.lookup import find_block_id, get_confirmations, get_standing
from inos.rpc.method import Example, method
from inos.rpc.ports import NodePort
from inos.rpc.render import make_renderer
from inos.rpc.schemas import (
    BlockName,
    Count,
    HeaderModel,
    HeightNumber,
    Hex32,
    Model,
    NanoText,
    NoParams,
    NumberText,
    StandingName,
    TransactionModel,
)

BELOW_STATE: Final = "this node began with a later block's state, and has no blocks up to it"


class HeadModel(Model):
    """The tip of the best chain."""

    id: Hex32
    height: HeightNumber
    time_ms: int
    weight: Annotated[NumberText, Field(description="Tickets the whole chain stands for.")]
    target: Hex32
    difficulty: NumberText
    state_root: Hex32
    standing: StandingName
    final_height: Annotated[HeightNumber, Field(description="Of the last block that is never undone.")]
    justified_height: HeightNumber
    best_header_height: Annotated[HeightNumber, Field(description="Above height while blocks are still fetched.")]
    peers: Count
    pool: Annotated[Count, Field(description="Transactions that wait to be mined.")]


class BlockParams(Model):
    block: BlockName = "latest"
    full: Annotated[bool, Field(description="Whole transactions; their ids only where false.")] = True


class HeaderParams(Model):
    block: BlockName = "latest"


class FiguresModel(Model):
    """What a block did to the supply and the market."""

    subsidy: NanoText
    fees: NanoText
    burned: NanoText
    posted_burn: Annotated[NanoText, Field(description="By the jobs posted in the block.")]
    settled_burn: Annotated[NanoText, Field(description="By the jobs settled in the block, when they were posted.")]
    tickets_posted: Count
    tickets_settled: Count
    settled: Annotated[list[Hex32], Field(description="Jobs settled in the block.")]
    weight: Annotated[NumberText, Field(description="Tickets the block stands for.")]
    cost_us: Annotated[Count, Field(description="Microseconds of the reference core, by the cost table.")]
    supply: NanoText


class BlockModel(Model):
    """A block: header, what it did, and its transactions."""

    header: HeaderModel
    id: Hex32
    height: HeightNumber
    size: Annotated[int, Field(description="Bytes of the encoded block, without its witness.")]
    figures: Annotated[FiguresModel | None, Field(description="Null where the block is not connected.")]
    transactions: list[TransactionModel] | list[Hex32]


class TransactionParams(Model):
    id: Hex32


class FoundTransaction(Model):
    """A transaction and where it is; block, height and index are null while it waits in the pool."""

    tx: TransactionModel
    status: Literal["included", "pending"]
    standing: StandingName
    block: Hex32 | None
    height: HeightNumber | None
    index: int | None
    confirmations: Count


@method("chain_head", examples=(Example("where the chain is", {}),))
async def chain_head(node: NodePort, params: NoParams) -> HeadModel:
    """The tip of the best chain this node has connected."""
    tip = node.ledger.tip
    return HeadModel(
        id=tip.id.hex(),
        height=tip.header.height,
        time_ms=tip.header.time_ms,
        weight=str(tip.weight),
        target=tip.header.target.hex(),
        difficulty=str(compute_difficulty(get_target(tip.header))),
        state_root=tip.header.state_root.hex(),
        standing=node.ledger.get_standing(Height(tip.header.height)),
        final_height=node.ledger.final.header.height,
        justified_height=node.ledger.get_justified_height(),
        best_header_height=node.ledger.best_header.header.height,
        peers=len(node.net_peers()),
        pool=len(node.mempool),
    )


@method("chain_getHeader", examples=(Example("the first block", {"block": 1}),))
async def chain_get_header(node: NodePort, params: HeaderParams) -> HeaderModel:
    """A block's header, by height on the best chain, by id, or "latest"."""
    block_id = find_block_id(node, params.block)
    header = node.ledger.get_header(block_id)
    if header is None:
        raise make_not_found("block", str(params.block))
    return _render_header(node, block_id, header)


@method("chain_getBlock", examples=(Example("the newest block", {"block": "latest"}),))
async def chain_get_block(node: NodePort, params: BlockParams) -> BlockModel:
    """A block with its figures and transactions, by height on the best chain, by id, or "latest"."""
    block_id = find_block_id(node, params.block)
    block = node.ledger.get_block(block_id)
    if block is None:
        is_connected = str(node.ledger.get_status(block_id)) == "connected"
        hint = BELOW_STATE if is_connected else "its header is known, the block has not arrived yet"
        raise make_not_found("block", str(params.block), hint=hint if node.ledger.get_header(block_id) else "")
    return _render_block(node, block_id, block, is_full=params.full)


@method("chain_getTransaction")
async def chain_get_transaction(node: NodePort, params: TransactionParams) -> FoundTransaction:
    """A transaction on the best chain or in this node's pool."""
    tx_id = TxId(bytes.fromhex(params.id))
    renderer = make_renderer(node)
    found = node.ledger.get_transaction(tx_id)
    if found is not None:
        block_id, index, tx = found
        header = node.ledger.get_header(block_id)
        if header is not None:
            return FoundTransaction(
                tx=renderer.transaction(tx),
                status="included",
                standing=node.ledger.get_standing(Height(header.height)),
                block=block_id.hex(),
                height=header.height,
                index=index,
                confirmations=get_confirmations(node, block_id, header),
            )
    pending = node.mempool.get(tx_id)
    if pending is None:
        raise make_not_found("transaction", params.id)
    return FoundTransaction(
        tx=renderer.transaction(pending),
        status="pending",
        standing="open",
        block=None,
        height=None,
        index=None,
        confirmations=0,
    )


def _render_header(node: NodePort, block_id: BlockId, header: Header) -> HeaderModel:
    return make_renderer(node).header(
        header,
        status=str(node.ledger.get_status(block_id)),
        standing=get_standing(node, block_id, header),
        confirmations=get_confirmations(node, block_id, header),
    )


def _render_block(node: NodePort, block_id: BlockId, block: Block, *, is_full: bool) -> BlockModel:
    renderer = make_renderer(node)
    return BlockModel(
        header=_render_header(node, block_id, block.header),
        id=block_id.hex(),
        height=block.header.height,
        size=len(encode(block)),
        figures=_render_figures(node, block_id),
        transactions=[renderer.transaction(tx) for tx in block.transactions]
        if is_full
        else [renderer.transaction(tx).id for tx in block.transactions],
    )


def _render_figures(node: NodePort, block_id: BlockId) -> FiguresModel | None:
    figures = node.ledger.get_figures(block_id)
    if figures is None:
        return None
    return FiguresModel(
        subsidy=str(figures.subsidy),
        fees=str(figures.fees),
        burned=str(figures.burned),
        posted_burn=str(figures.posted_burn),
        settled_burn=str(figures.settled_burn),
        tickets_posted=figures.tickets_posted,
        tickets_settled=figures.tickets_settled,
        settled=[job.hex() for job in figures.settled],
        weight=str(figures.weight),
        cost_us=figures.cost_us,
        supply=str(figures.supply),
    )
