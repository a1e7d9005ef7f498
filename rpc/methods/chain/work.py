"""chain_usefulWork and chain_getParams: what the work of a window came to, and the network's parameters."""

import asyncio
from typing import Annotated

import msgspec
from pydantic import Field

from inos.chain.ledger import Tip
from inos.consensus.execution import BlockFigures
from inos.consensus.prices import PPM, compute_price_per_tera, compute_window_share
from inos.primitives.blocks import Header, compute_difficulty, encode_target, get_target
from inos.primitives.units import BlockId, Height
from inos.rpc.lookup import CONSISTENT_TRIES, make_tip_moving
from inos.rpc.method import Example, method
from inos.rpc.ports import NodePort
from inos.rpc.schemas import Count, HeightNumber, Hex32, Model, NanoText, NoParams, NumberText, RatioText, compute_ratio

MAX_WINDOW = 100_000
BREATH_BLOCKS = 200
"""After so many blocks other requests get their turn."""
SHARE_DECIMALS = 6


class WindowParams(Model):
    window: Annotated[int, Field(ge=1, le=MAX_WINDOW, description="Blocks back from the tip, genesis not counted.")] = (
        100
    )


class UsefulWork(Model):
    """Work over a window of blocks. The share says what somebody paid for: read it beside what was burned."""

    from_height: HeightNumber
    to_height: HeightNumber
    blocks: Count
    weight_mined: Annotated[NumberText, Field(description="Tickets the window's blocks stand for.")]
    tickets_settled: Count
    tickets_posted: Count
    paid_share: Annotated[RatioText, Field(description="tickets_settled / max(weight_mined, tickets_settled).")]
    burned: Annotated[NanoText, Field(description="In the window, for whatever reason.")]
    settled_burn: Annotated[NanoText, Field(description="By the jobs settled in the window, when they were posted.")]
    burned_share: Annotated[
        RatioText, Field(description="settled_burn / subsidies: what faking the paid share would have cost.")
    ]
    price_per_tera: Annotated[NanoText, Field(description="Burned now per 10^12 multiply-accumulates.")]


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
    burn_per_mille: int
    byte_burn_per_mille: int
    job_fee: NanoText
    account_fee: NanoText
    max_checked_bytes: int
    max_checked_block_bytes: int
    max_optimistic_bytes: int
    max_block_cost_us: int
    min_bond: NanoText
    min_claim_window: int
    max_claim_window: int
    max_job_lifetime: int
    base_open_claims: int
    reputation_per_claim: NanoText
    max_open_claims: int
    reputation_half_life: int
    job_retention: int
    result_depth: int
    challenge_window: int
    jury_size: int
    jury_window: int
    jury_mib_fee: NanoText
    epoch_blocks: int
    finality_start: int
    bond_leverage: int
    max_voters: int
    min_voter_bond: NanoText
    unbonding_epochs: int


AMOUNTS = (
    "subsidy_initial",
    "subsidy_tail",
    "job_fee",
    "account_fee",
    "min_bond",
    "reputation_per_claim",
    "jury_mib_fee",
    "min_voter_bond",
)
TARGETS = ("genesis_target", "max_target")


@method("chain_usefulWork", timeout_s=30.0, examples=(Example("the last hundred blocks", {"window": 100}),))
async def chain_useful_work(node: NodePort, params: WindowParams) -> UsefulWork:
    """Weight mined, tickets of paid jobs settled, their share and what they burned, over the last blocks."""
    for _ in range(CONSISTENT_TRIES):
        tip = node.ledger.tip
        blocks = await _collect(node, tip, max(1, tip.header.height - params.window + 1))
        if blocks is not None:
            break
    else:
        raise make_tip_moving()
    figures = [f for _, f in blocks]
    weight, settled = sum(f.weight for f in figures), sum(f.tickets_settled for f in figures)
    burn, subsidies = sum(f.settled_burn for f in figures), sum(f.subsidy for f in figures)
    share = compute_window_share(settled=settled, weight=weight, settled_burn=burn, subsidies=subsidies)
    difficulty = compute_difficulty(get_target(tip.header))
    return UsefulWork(
        from_height=tip.header.height - max(0, len(figures) - 1),
        to_height=tip.header.height,
        blocks=len(figures),
        weight_mined=str(weight),
        tickets_settled=settled,
        tickets_posted=sum(f.tickets_posted for f in figures),
        paid_share=compute_ratio(share.paid_ppm, PPM, SHARE_DECIMALS),
        burned=str(sum(f.burned for f in figures)),
        settled_burn=str(burn),
        burned_share=compute_ratio(share.burned_ppm, PPM, SHARE_DECIMALS),
        price_per_tera=str(compute_price_per_tera(node.params, Height(tip.header.height + 1), difficulty)),
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
