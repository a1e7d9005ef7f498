"""chain_listBlocks: a page of block summaries."""

import asyncio
from typing import Annotated, Final

from pydantic import Field

from inos.primitives.units import BlockId, Height
from inos.rpc.errors import make_not_found
from inos.rpc.lookup import make_tip_moving
from inos.rpc.method import Example, method
from inos.rpc.methods.chain.summaries import BlockSummaryModel, summarize
from inos.rpc.models.values import BlockHeight, Model
from inos.rpc.ports import NodePort

MAX_LISTED: Final = 500
YIELD_BLOCKS: Final = 50
"""Blocks read between two points at which other requests get their turn."""


class ListBlocksParams(Model):
    first: Annotated[
        BlockHeight | None, Field(description="The height of the newest block to list; the tip if null.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=MAX_LISTED, description="The most blocks to list.")] = 50


class BlockPageModel(Model):
    """A page of blocks, newest first."""

    blocks: Annotated[
        list[BlockSummaryModel], Field(description="The blocks; each is the parent of the one before it.")
    ]
    next: Annotated[
        BlockHeight | None, Field(description="Pass it as `first` to get the next page; null after genesis.")
    ]


@method("chain_listBlocks", examples=(Example("the newest two", {"limit": 2}),))
async def chain_list_blocks(node: NodePort, params: ListBlocksParams) -> BlockPageModel:
    """List blocks of the best chain from a height downwards, each with what was multiplied for it and what it did."""
    tip = node.ledger.tip
    first = tip.header.height if params.first is None else params.first
    block_id = node.ledger.get_block_id(Height(first)) if first <= tip.header.height else None
    if block_id is None:
        raise make_not_found("block", f"at height {first}", hint=f"the chain is at height {tip.header.height}")
    blocks: list[BlockSummaryModel] = []
    while len(blocks) < params.limit:
        header = node.ledger.get_header(block_id)
        if header is None:
            raise make_tip_moving()
        blocks.append(summarize(node, block_id, header))
        if header.height == 0:
            break
        block_id = BlockId(header.parent)
        if len(blocks) % YIELD_BLOCKS == 0:
            await asyncio.sleep(0)
    last = blocks[-1].height
    return BlockPageModel(blocks=blocks, next=last - 1 if last > 0 else None)
