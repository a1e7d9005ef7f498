"""chain_head, chain_getHeader and chain_getBlock."""

from typing import Annotated

from pydantic import Field

from inos.primitives.blocks import Block, Header, compute_difficulty, get_target
from inos.primitives.codec import encode
from inos.primitives.transactions import compute_tx_id
from inos.primitives.units import BlockId, Height
from inos.rpc.errors import make_not_found
from inos.rpc.lookup import find_block_id, get_block_finality, get_confirmations, refuse_removed
from inos.rpc.method import Example, method
from inos.rpc.models.chain import HeaderModel
from inos.rpc.models.render import make_renderer
from inos.rpc.models.transactions import TransactionModel
from inos.rpc.models.values import (
    BigInteger,
    BlockFinality,
    BlockHeight,
    BlockParam,
    Count,
    Hash,
    Model,
    NanoAmount,
    NoParams,
    UnixMs,
)
from inos.rpc.ports import NodePort


class HeadModel(Model):
    """The tip of the best chain."""

    id: Annotated[Hash, Field(description="The id of the tip.")]
    height: Annotated[BlockHeight, Field(description="The height of the tip.")]
    time_ms: Annotated[UnixMs, Field(description="The time of the tip.")]
    weight: Annotated[BigInteger, Field(description="The weight of the whole chain, in tickets.")]
    target: Annotated[Hash, Field(description="The tip's target as a 256-bit big-endian number.")]
    difficulty: Annotated[BigInteger, Field(description="The mean number of tickets per block at this target.")]
    state_root: Annotated[Hash, Field(description="The root of the state after the tip.")]
    finality: Annotated[BlockFinality, Field(description="Says if the tip is final.")]
    final_height: Annotated[BlockHeight, Field(description="The height of the last final block.")]
    justified_height: Annotated[BlockHeight, Field(description="The height of the last justified checkpoint.")]
    best_header_height: Annotated[
        BlockHeight, Field(description="The height of the best known header; above `height` while blocks are fetched.")
    ]
    peers: Annotated[Count, Field(description="The number of connected peers.")]
    pool: Annotated[Count, Field(description="The number of transactions in the pool.")]


class BlockParams(Model):
    block: BlockParam = "latest"
    full: Annotated[bool, Field(description="True for whole transactions, false for their ids only.")] = True


class HeaderParams(Model):
    block: BlockParam = "latest"


class BlockStatsModel(Model):
    """What a block did to the supply and to the market for work."""

    subsidy: Annotated[NanoAmount, Field(description="What the block minted for its beneficiary.")]
    fees: Annotated[NanoAmount, Field(description="The fees of its transactions, which its beneficiary gets.")]
    burned: Annotated[NanoAmount, Field(description="What was burned in it.")]
    posted_burn: Annotated[NanoAmount, Field(description="What the jobs burned that it posted.")]
    settled_burn: Annotated[
        NanoAmount, Field(description="What the jobs that it settled had burned when they were posted.")
    ]
    tickets_posted: Annotated[Count, Field(description="The tickets of the jobs that it posted.")]
    tickets_settled: Annotated[Count, Field(description="The tickets of the jobs that it settled.")]
    settled: Annotated[list[Hash], Field(description="The ids of the jobs that it settled.")]
    weight: Annotated[BigInteger, Field(description="The block's weight, in tickets.")]
    cost_us: Annotated[
        Count, Field(description="What the block costs by the cost table, in microseconds of the reference core.")
    ]
    supply: Annotated[NanoAmount, Field(description="The supply after the block.")]


class BlockModel(Model):
    """A block: its header, its stats and its transactions."""

    header: Annotated[HeaderModel, Field(description="The block's header.")]
    id: Annotated[Hash, Field(description="The block's id.")]
    height: Annotated[BlockHeight, Field(description="The block's height.")]
    size: Annotated[Count, Field(description="Bytes of the encoded block, without its witness.")]
    stats: Annotated[
        BlockStatsModel | None, Field(description="What the block did; null if it was never on the best chain.")
    ]
    transactions: Annotated[
        list[TransactionModel] | list[Hash],
        Field(description="The transactions in order, or their ids if `full` is false."),
    ]


@method("chain_head", examples=(Example("the tip", {}),))
async def chain_head(node: NodePort, params: NoParams) -> HeadModel:
    """Return the tip of the best chain that this node has connected."""
    tip = node.ledger.tip
    return HeadModel(
        id=tip.id.hex(),
        height=tip.header.height,
        time_ms=tip.header.time_ms,
        weight=str(tip.weight),
        target=tip.header.target.hex(),
        difficulty=str(compute_difficulty(get_target(tip.header))),
        state_root=tip.header.state_root.hex(),
        finality=node.ledger.get_block_finality(Height(tip.header.height)),
        final_height=node.ledger.final.header.height,
        justified_height=node.ledger.get_justified_height(),
        best_header_height=node.ledger.best_header.header.height,
        peers=node.p2p.count_peers(),
        pool=len(node.mempool),
    )


@method("chain_getHeader", examples=(Example("the header of block 1", {"block": 1}),))
async def chain_get_header(node: NodePort, params: HeaderParams) -> HeaderModel:
    """Return a block's header, given its height on the best chain, its id, or "latest"."""
    block_id = find_block_id(node, params.block)
    header = node.ledger.get_header(block_id)
    if header is None:
        raise make_not_found("block", str(params.block))
    return _render_header(node, block_id, header)


@method("chain_getBlock", examples=(Example("the newest block", {"block": "latest"}),))
async def chain_get_block(node: NodePort, params: BlockParams) -> BlockModel:
    """Return a block with its stats and transactions, given its height on the best chain, its id, or "latest"."""
    block_id = find_block_id(node, params.block)
    block = node.ledger.get_block(block_id)
    if block is None:
        header = node.ledger.get_header(block_id)
        if header is not None:
            refuse_removed(node, header.height)
        hint = "" if header is None else "the node has the header and still waits for the block"
        raise make_not_found("block", str(params.block), hint=hint)
    return _render_block(node, block_id, block, is_full=params.full)


def _render_header(node: NodePort, block_id: BlockId, header: Header) -> HeaderModel:
    return make_renderer(node).header(
        header,
        status=str(node.ledger.get_status(block_id)),
        finality=get_block_finality(node, block_id, header),
        confirmations=get_confirmations(node, block_id, header),
    )


def _render_block(node: NodePort, block_id: BlockId, block: Block, *, is_full: bool) -> BlockModel:
    renderer = make_renderer(node)
    return BlockModel(
        header=_render_header(node, block_id, block.header),
        id=block_id.hex(),
        height=block.header.height,
        size=len(encode(block)),
        stats=_render_stats(node, block_id),
        transactions=[renderer.transaction(tx) for tx in block.transactions]
        if is_full
        else [compute_tx_id(tx).hex() for tx in block.transactions],
    )


def _render_stats(node: NodePort, block_id: BlockId) -> BlockStatsModel | None:
    stats = node.ledger.reader.get_block_stats(block_id)
    if stats is None:
        return None
    return BlockStatsModel(
        subsidy=str(stats.subsidy),
        fees=str(stats.fees),
        burned=str(stats.burned),
        posted_burn=str(stats.posted_burn),
        settled_burn=str(stats.settled_burn),
        tickets_posted=stats.tickets_posted,
        tickets_settled=stats.tickets_settled,
        settled=[job.hex() for job in stats.settled],
        weight=str(stats.weight),
        cost_us=stats.cost_us,
        supply=str(stats.supply),
    )
