"""chain_usefulWork: how much of the work in a window of blocks was paid for."""

import asyncio
from typing import Annotated, Final

from pydantic import Field

from inos.chain.ledger import Tip
from inos.consensus.execution import BlockStats
from inos.consensus.prices import PPM, compute_price_per_tera, compute_window_share
from inos.primitives.blocks import compute_difficulty, get_target
from inos.primitives.units import BlockId, Height
from inos.rpc.lookup import CONSISTENT_TRIES, make_tip_moving
from inos.rpc.method import Example, method
from inos.rpc.models.values import BigInteger, BlockHeight, Count, Model, NanoAmount, Ratio, compute_ratio
from inos.rpc.ports import NodePort

MAX_WINDOW: Final = 100_000
YIELD_BLOCKS: Final = 200
"""Blocks read between two points at which other requests get their turn."""
SHARE_DECIMALS: Final = 6


class WindowParams(Model):
    window: Annotated[
        int, Field(ge=1, le=MAX_WINDOW, description="The number of blocks back from the tip; genesis is not counted.")
    ] = 100


class UsefulWorkModel(Model):
    """Work over a window of blocks. The share only says what was paid for; read it beside what was burned."""

    from_height: Annotated[BlockHeight, Field(description="The height of the first block of the window.")]
    to_height: Annotated[BlockHeight, Field(description="The height of the last block of the window, the tip.")]
    blocks: Annotated[Count, Field(description="The number of blocks in the window.")]
    weight_mined: Annotated[BigInteger, Field(description="The weight of the blocks, in tickets.")]
    tickets_settled: Annotated[Count, Field(description="The tickets of the jobs that they settled.")]
    tickets_posted: Annotated[Count, Field(description="The tickets of the jobs that they posted.")]
    paid_share: Annotated[Ratio, Field(description="tickets_settled / max(weight_mined, tickets_settled).")]
    burned: Annotated[NanoAmount, Field(description="What was burned in them.")]
    settled_burn: Annotated[
        NanoAmount, Field(description="What the jobs that they settled had burned when they were posted.")
    ]
    burned_share: Annotated[
        Ratio, Field(description="settled_burn / the blocks' subsidies: what faking the paid share would have cost.")
    ]
    price_per_tera: Annotated[
        NanoAmount, Field(description="What a job burns now for 10^12 multiply-accumulates of work.")
    ]


@method("chain_usefulWork", timeout_s=30.0, examples=(Example("the last hundred blocks", {"window": 100}),))
async def chain_useful_work(node: NodePort, params: WindowParams) -> UsefulWorkModel:
    """Return the weight mined in the last blocks, and how many tickets of it were paid for."""
    for _ in range(CONSISTENT_TRIES):
        tip = node.ledger.tip
        blocks = await _collect(node, tip, max(1, tip.header.height - params.window + 1))
        if blocks is not None:
            break
    else:
        raise make_tip_moving()
    weight, settled = sum(each.weight for each in blocks), sum(each.tickets_settled for each in blocks)
    burn, subsidies = sum(each.settled_burn for each in blocks), sum(each.subsidy for each in blocks)
    share = compute_window_share(settled=settled, weight=weight, settled_burn=burn, subsidies=subsidies)
    difficulty = compute_difficulty(get_target(tip.header))
    return UsefulWorkModel(
        from_height=tip.header.height - max(0, len(blocks) - 1),
        to_height=tip.header.height,
        blocks=len(blocks),
        weight_mined=str(weight),
        tickets_settled=settled,
        tickets_posted=sum(each.tickets_posted for each in blocks),
        paid_share=compute_ratio(share.paid_ppm, PPM, SHARE_DECIMALS),
        burned=str(sum(each.burned for each in blocks)),
        settled_burn=str(burn),
        burned_share=compute_ratio(share.burned_ppm, PPM, SHARE_DECIMALS),
        price_per_tera=str(compute_price_per_tera(node.params, Height(tip.header.height + 1), difficulty)),
    )


async def _collect(node: NodePort, tip: Tip, first: Height | int) -> list[BlockStats] | None:
    """Return the figures of the blocks from the tip down to height `first`, or to the block whose state this node
    started from.

    Return None if a reorg replaced some of them meanwhile.
    """
    blocks: list[BlockStats] = []
    block_id, height = tip.id, int(tip.header.height)
    while height >= first:
        header, stats = node.ledger.get_header(block_id), node.ledger.reader.get_block_stats(block_id)
        if stats is None and blocks and node.ledger.get_block(block_id) is None:
            return blocks
        if header is None or stats is None:
            return None
        blocks.append(stats)
        block_id, height = BlockId(header.parent), height - 1
        if len(blocks) % YIELD_BLOCKS == 0:
            await asyncio.sleep(0)
    return blocks
