"""chain_usefulWork: how much of the work in a window of blocks was paid for."""

from typing import Annotated, Final

from pydantic import Field

from inos.consensus.prices import PPM, compute_price_per_tera, compute_window_share
from inos.primitives.blocks import compute_difficulty, get_target
from inos.primitives.units import Height
from inos.rpc.method import Example, method
from inos.rpc.methods.chain.stats import SHARE_DECIMALS, read_totals_at
from inos.rpc.models.values import BigInteger, BlockHeight, Count, Model, NanoAmount, Ratio, compute_ratio
from inos.rpc.ports import NodePort

MAX_WINDOW: Final = 100_000


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


@method("chain_usefulWork", examples=(Example("the last hundred blocks", {"window": 100}),))
async def chain_useful_work(node: NodePort, params: WindowParams) -> UsefulWorkModel:
    """Return the weight mined in the last blocks, and how many tickets of it were paid for.

    A node that began with a later state counts from there on. Any window costs the same.
    """
    reader = node.ledger.reader
    base = min(node.ledger.base_height, reader.tip.header.height)
    header = reader.tip.header
    below = max(base, header.height - params.window)
    old, new = read_totals_at(reader, below), read_totals_at(reader, header.height)
    weight, settled = new.get_weight() - old.get_weight(), new.tickets_settled - old.tickets_settled
    burn, subsidies = new.settled_burn - old.settled_burn, new.subsidy - old.subsidy
    share = compute_window_share(settled=settled, weight=weight, settled_burn=burn, subsidies=subsidies)
    difficulty = compute_difficulty(get_target(header))
    return UsefulWorkModel(
        from_height=min(below + 1, header.height),
        to_height=header.height,
        blocks=header.height - below,
        weight_mined=str(weight),
        tickets_settled=settled,
        tickets_posted=new.tickets_posted - old.tickets_posted,
        paid_share=compute_ratio(share.paid_ppm, PPM, SHARE_DECIMALS),
        burned=str(new.burned - old.burned),
        settled_burn=str(burn),
        burned_share=compute_ratio(share.burned_ppm, PPM, SHARE_DECIMALS),
        price_per_tera=str(compute_price_per_tera(node.params, Height(header.height + 1), difficulty)),
    )
