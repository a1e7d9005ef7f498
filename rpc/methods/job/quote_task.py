"""job_quoteTask: what a program or a function would cost."""

from typing import Annotated

from pydantic import Field

from inos.consensus.jury import compute_min_bond, compute_task_mib
from inos.consensus.prices import compute_task_price
from inos.consensus.transactionrules import MAX_UNITS
from inos.primitives.units import Tickets
from inos.rpc.method import Example, method
from inos.rpc.methods.job.quote import PricePartsModel, RewardsModel, is_chain_mined, read_market
from inos.rpc.models.render import read_address
from inos.rpc.models.values import AccountAddress, Count, Model, NanoAmount
from inos.rpc.ports import NodePort


class TaskQuoteParams(Model):
    units: Annotated[int, Field(ge=1, le=MAX_UNITS, description="What the task is priced by.")]
    reward: Annotated[NanoAmount | None, Field(description="The reward, if it is not the suggested one.")] = None
    poster: Annotated[
        AccountAddress | None, Field(description="The account that would post it, which is in no jury about it.")
    ] = None


class TaskQuoteModel(Model):
    """What a task of so many units would cost now. A unit is paid and burns as a ticket does."""

    units: Annotated[Count, Field(description="What the task is priced by.")]
    burn: Annotated[NanoAmount, Field(description="What posting it burns in the next block, all parts together.")]
    burn_parts: Annotated[PricePartsModel, Field(description="The same by its parts.")]
    suggested_reward: Annotated[NanoAmount, Field(description="The typical reward for as many units.")]
    rewards: Annotated[RewardsModel, Field(description="The same beside a low and a high reward.")]
    sample: Annotated[
        Count, Field(description="The number of settled jobs that the medians are taken over; 0 if they are defaults.")
    ]
    bond: Annotated[NanoAmount, Field(description="The least bond that a claim may require for that reward.")]
    jurors: Annotated[Count, Field(description="The members of the voting committee that could be in a jury about it.")]
    expected_blocks: Annotated[Count, Field(description="The expected blocks from posting to settlement.")]
    is_mined: Annotated[
        bool, Field(description="False if no block came for 20 spacings, or none at all: nobody seems to mine.")
    ]
    expected_s: Annotated[
        float | None,
        Field(description="The expected blocks in seconds, at the network's spacing; null if nobody seems to mine."),
    ]


@method("job_quoteTask", examples=(Example("a small task", {"units": 5000}),))
async def job_quote_task(node: NodePort, params: TaskQuoteParams) -> TaskQuoteModel:
    """Estimate what a program or a function would cost now."""
    market, units = read_market(node), params.units
    price = compute_task_price(node.params, market.height, Tickets(market.difficulty), units)
    rates = market.rates
    low, typical, fast = (rates.compute_reward(rate, units) for rate in (rates.low, rates.typical, rates.fast))
    reward = typical if params.reward is None else int(params.reward)
    blocks = market.compute_blocks(units) + node.params.challenge_window
    is_mined = is_chain_mined(node)
    return TaskQuoteModel(
        units=units,
        burn=str(price.total),
        burn_parts=PricePartsModel(work=str(price.work), bytes=str(price.bytes), place=str(price.place)),
        suggested_reward=str(typical),
        rewards=RewardsModel(low=str(low), typical=str(typical), fast=str(fast)),
        sample=rates.sample,
        bond=str(compute_min_bond(node.params, reward, compute_task_mib(units))),
        jurors=market.count_jurors(None if params.poster is None else read_address(node, params.poster, "poster")),
        expected_blocks=blocks,
        is_mined=is_mined,
        expected_s=blocks * node.params.spacing_ms / 1000 if is_mined else None,
    )
