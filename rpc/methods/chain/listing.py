"""chain_listBlocks: many blocks in a line each, for lists and charts."""

import asyncio
from typing import Annotated, Final

from pydantic import Field

from inos.primitives.units import BlockId, Height
from inos.rpc.errors import make_not_found
from inos.rpc.lookup import make_tip_moving
from inos.rpc.method import Example, method
from inos.rpc.methods.chain.summaries import BlockSummary, summarize
from inos.rpc.ports import NodePort
from inos.rpc.schemas import HeightNumber, Model

MAX_LISTED: Final = 500
BREATH_BLOCKS: Final = 50
"""After so many blocks other requests get their turn."""


class ListBlocksParams(Model):
    first: Annotated[HeightNumber | None, Field(description="The newest block listed; the tip where left out.")] = None
    count: Annotated[int, Field(ge=1, le=MAX_LISTED)] = 50


class BlockList(Model):
    """Newest first, each the parent of the one before it."""

    blocks: list[BlockSummary]
    next: Annotated[HeightNumber | None, Field(description="Pass as `first` for the next page; null at genesis.")]


@method("chain_listBlocks", examples=(Example("the newest ten", {"count": 10}),))
async def chain_list_blocks(node: NodePort, params: ListBlocksParams) -> BlockList:
    """Blocks of the best chain from a height down: what was multiplied, what each did to supply and market."""
    tip = node.ledger.tip
    first = tip.header.height if params.first is None else params.first
    place = node.ledger.get_block_id(Height(first)) if first <= tip.header.height else None
    if place is None:
        raise make_not_found("block", f"at height {first}", hint=f"the chain is at height {tip.header.height}")
    blocks: list[BlockSummary] = []
    while len(blocks) < params.count:
        header = node.ledger.get_header(place)
        if header is None:
            raise make_tip_moving()
        blocks.append(summarize(node, place, header))
        if header.height == 0:
            break
        place = BlockId(header.parent)
        if len(blocks) % BREATH_BLOCKS == 0:
            await asyncio.sleep(0)
    last = blocks[-1].height
    return BlockList(blocks=blocks, next=last - 1 if last > 0 else None)
