"""chain_usefulWork and chain_getParams: what the work of a window came to, and the network's parameters."""

import asyncio
from typing import Annotated

import msgspec
from pydantic import Field

from inos.chain.ledger import Tip
from inos.consensus.execution import BlockFigures
from inos.primitives.blocks import Header, encode_target
from inos.primitives.units import BlockId, Height
from inos.rpc.lookup import CONSISTENT_TRIES, make_tip_moving
from inos.rpc.method import Example, method
from inos.rpc.ports import NodePort
from inos.rpc.schemas import Count, HeightNumber, Hex32, Model, NanoText, NoParams, NumberText, RatioText, compute_ratio

MAX_WINDOW = 100_000
BREATH_BLOCKS = 200
"""After so many blocks other requests get their turn."""
SHARE_DECIMALS = 6
BURN_DECIMALS = 3


class WindowParams(Model):
    window: Annotated[int, Field(ge=1, le=MAX_WINDOW, description="Blocks back from the tip, genesis not counted.")] = (
        100
    )


class UsefulWork(Model):
    """Work over a window of blocks. A share says only what somebody paid for: read it beside the burn."""

    from_height: HeightNumber
    to_height: HeightNumber
    blocks: Count
    blocks_with_merit: Count
    weight_mined: Annotated[NumberText, Field(description="Tickets the window's blocks stand for.")]
    tickets_settled: Count
    tickets_posted: Count
    useful_share: Annotated[RatioText, Field(description="tickets_settled / weight_mined.")]
    burned: Annotated[NanoText, Field(description="By jobs posted and bonds lost.")]
    burn_per_ticket: Annotated[RatioText, Field(description="Nano that posting burned, per ticket posted.")]


class ParamsModel(Model):
    """Every consensus parameter, as in the genesis file."""

    network: str
    chain_id: int
    spacing_ms: int
    asert_half_life_ms: int
    genesis_target: Hex32
    max_target: Hex32
    max_future_ms: int
    median_time_blocks: int
    max_block_bytes: int
    subsidy_initial: NanoText
    subsidy_decay_interval: int
    subsidy_tail: NanoText
    merit_premium: int
    base_fee_initial: NanoText
    base_fee_floor: NanoText
    base_fee_change_denominator: int
    useful_target_percent: int
    max_checked_bytes: int
    min_bond: NanoText
    min_claim_window: int
    max_claim_window: int
    max_job_lifetime: int
    base_open_claims: int
    reputation_per_claim: int
    max_open_claims: int
    reputation_half_life: int
    challenge_window: int
    epoch_blocks: int
    min_voter_bond: NanoText
    unbonding_epochs: int


AMOUNTS = ("subsidy_initial", "subsidy_tail", "base_fee_initial", "base_fee_floor", "min_bond", "min_voter_bond")
TARGETS = ("genesis_target", "max_target")


@method("chain_usefulWork", timeout_s=30.0, examples=(Example("the last hundred blocks", {"window": 100}),))
async def chain_useful_work(node: NodePort, params: WindowParams) -> UsefulWork:
    """Weight mined, tickets of paid jobs settled, and their share, over the last blocks."""
    for _ in range(CONSISTENT_TRIES):
        tip = node.ledger.tip
        blocks = await _collect(node, tip, max(1, tip.header.height - params.window + 1))
        if blocks is not None:
            break
    else:
        raise make_tip_moving()
    figures, with_merit = [f for _, f in blocks], sum(header.uses_merit for header, _ in blocks)
    weight, settled = sum(f.weight for f in figures), sum(f.tickets_settled for f in figures)
    posted, burned = sum(f.tickets_posted for f in figures), sum(f.burned for f in figures)
    return UsefulWork(
        from_height=tip.header.height - max(0, len(figures) - 1),
        to_height=tip.header.height,
        blocks=len(figures),
        blocks_with_merit=with_merit,
        weight_mined=str(weight),
        tickets_settled=settled,
        tickets_posted=posted,
        useful_share=compute_ratio(settled, weight, SHARE_DECIMALS),
        burned=str(burned),
        burn_per_ticket=compute_ratio(sum(f.base_fee * f.tickets_posted for f in figures), posted, BURN_DECIMALS),
    )


async def _collect(node: NodePort, tip: Tip, first: Height | int) -> list[tuple[Header, BlockFigures]] | None:
    """The tip's chain down to height `first`, or to the block whose state this node began with; None where a
    reorganisation took a part of it away meanwhile.
    """
    blocks: list[tuple[Header, BlockFigures]] = []
    block_id, height = tip.id, int(tip.header.height)
    while height >= first:
        header, figures = node.ledger.get_header(block_id), node.ledger.get_figures(block_id)
        if figures is None and blocks and node.ledger.get_block(block_id) is None:
            return blocks
        if header is None or figures is None:
            return None
        blocks.append((header, figures))
        block_id, height = BlockId(header.parent), height - 1
        if len(blocks) % BREATH_BLOCKS == 0:
            await asyncio.sleep(0)
    return blocks


@method("chain_getParams")
async def chain_get_params(node: NodePort, params: NoParams) -> ParamsModel:
    """The consensus parameters of this node's network."""
    values = msgspec.structs.asdict(node.params)
    values |= {name: str(values[name]) for name in AMOUNTS}
    values |= {name: encode_target(values[name]).hex() for name in TARGETS}
    return ParamsModel(**values)
