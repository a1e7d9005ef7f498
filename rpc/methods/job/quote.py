"""job_quote: what a product would cost."""

from statistics import median
from typing import Annotated, Final

from msgspec import Struct
from pydantic import Field

from inos.consensus.finality.checkpoints import get_voting_committee
from inos.consensus.prices import compute_per_tera, compute_product_bytes
from inos.consensus.records import Committee, JobState
from inos.primitives import transactions
from inos.primitives.blocks import compute_difficulty, get_target
from inos.primitives.matrices import MAX_DEPTH, MAX_ROWS, compute_tickets
from inos.primitives.units import Address, Height, Tickets
from inos.rpc.errors import make_invalid_param
from inos.rpc.lookup import read_at_tip
from inos.rpc.method import Example, method
from inos.rpc.methods.job.rates import SAMPLE, Rates, compute_rates
from inos.rpc.models.render import MODE_NAMES, MODES, read_address
from inos.rpc.models.values import AccountAddress, Count, JobMode, Model, NanoAmount
from inos.rpc.ports import NodePort
from inos.wallet.errors import WalletError
from inos.wallet.modes import choose_mode

DEFAULT_BLOCKS: Final = 4
"""Blocks from posting to settlement before any job was settled."""

Rows = Annotated[int, Field(ge=1, le=MAX_ROWS)]


class QuoteParams(Model):
    m: Annotated[Rows, Field(description="The rows of X.")]
    n: Annotated[Rows, Field(description="The rows of W.")]
    k: Annotated[int, Field(ge=1, le=MAX_DEPTH, description="The columns of both.")]
    reward: Annotated[NanoAmount | None, Field(description="The reward, if it is not the suggested one.")] = None
    poster: Annotated[
        AccountAddress | None, Field(description="The account that would post it, which is in no jury about it.")
    ] = None
    mode: Annotated[JobMode | None, Field(description="The mode, if it is not to be the cheaper one.")] = None


class PricePartsModel(Model):
    """The parts of what posting burns."""

    work: Annotated[NanoAmount, Field(description="The part for the tickets, at the tip's difficulty.")]
    bytes: Annotated[NanoAmount, Field(description="The part for the bytes that every node fetches; 0 if optimistic.")]
    place: Annotated[NanoAmount, Field(description="The part for the job's record in the state.")]


class RewardsModel(Model):
    """Rewards for the product, from what recently settled jobs paid per ticket; each ticket counts the same."""

    low: Annotated[NanoAmount, Field(description="A quarter of the settled tickets were paid at this rate or less.")]
    typical: Annotated[NanoAmount, Field(description="Half of them were paid at this rate or less.")]
    fast: Annotated[NanoAmount, Field(description="Three quarters of them were paid at this rate or less.")]


class QuoteModel(Model):
    """What the product X (m x k) times W (n x k) transposed would cost now."""

    tickets: Annotated[Count, Field(description="The lottery tickets that multiplying it draws.")]
    burn: Annotated[NanoAmount, Field(description="What posting it burns in the next block, all parts together.")]
    burn_parts: Annotated[PricePartsModel, Field(description="The same by its parts.")]
    burn_per_tera: Annotated[
        NanoAmount, Field(description="The same per 10^12 multiply-accumulates, padding not counted.")
    ]
    reward_per_ticket: Annotated[
        NanoAmount, Field(description="The median reward per ticket of recently settled jobs, weighted by tickets.")
    ]
    suggested_reward: Annotated[NanoAmount, Field(description="The typical reward for the product.")]
    rewards: Annotated[RewardsModel, Field(description="The same beside a low and a high reward.")]
    sample: Annotated[
        Count, Field(description="The number of settled jobs that the medians are taken over; 0 if they are defaults.")
    ]
    expected_blocks: Annotated[Count, Field(description="The expected blocks from posting to settlement.")]
    is_mined: Annotated[
        bool, Field(description="False if no block came for 20 spacings, or none at all: nobody seems to mine.")
    ]
    expected_s: Annotated[
        float | None,
        Field(description="The expected blocks in seconds, at the network's spacing; null if nobody seems to mine."),
    ]
    bytes: Annotated[Count, Field(description="The bytes of the strips of operands and result together.")]
    max_bytes: Annotated[Count, Field(description="The most bytes that a checked job may have.")]
    mode: Annotated[JobMode, Field(description="The mode that burns less, of those that are possible.")]
    mode_reason: Annotated[str, Field(description="Why it is this mode, in words.")]


@method("job_quote", examples=(Example("a small product", {"m": 512, "n": 256, "k": 1024}),))
async def job_quote(node: NodePort, params: QuoteParams) -> QuoteModel:
    """Estimate what a product would cost now: the burn, the reward that others paid, and the time it may take."""
    tickets = compute_tickets(params.m, params.n, params.k)
    market = read_market(node)
    rates, blocks = market.rates, market.compute_blocks(tickets)
    poster = None if params.poster is None else read_address(node, params.poster, "poster")
    low, typical, fast = (rates.compute_reward(rate, tickets) for rate in (rates.low, rates.typical, rates.fast))
    is_mined = is_chain_mined(node)
    try:
        choice = choose_mode(
            node.params,
            market.height,
            market.difficulty,
            rows_x=params.m,
            rows_w=params.n,
            depth=params.k,
            reward=typical if params.reward is None else int(params.reward),
            jurors=market.count_jurors(poster),
            wanted=None if params.mode is None else MODES[params.mode],
        )
    except WalletError as error:
        raise make_invalid_param("mode", error.message, code=error.code, hint=error.hint) from error
    if choice.mode == transactions.JobMode.OPTIMISTIC:
        blocks += node.params.challenge_window
    return QuoteModel(
        tickets=tickets,
        burn=str(choice.price.total),
        burn_parts=PricePartsModel(
            work=str(choice.price.work), bytes=str(choice.price.bytes), place=str(choice.price.place)
        ),
        burn_per_tera=str(compute_per_tera(choice.price.total, params.m, params.n, params.k)),
        reward_per_ticket=str(round(rates.typical)),
        suggested_reward=str(typical),
        rewards=RewardsModel(low=str(low), typical=str(typical), fast=str(fast)),
        sample=rates.sample,
        expected_blocks=blocks,
        is_mined=is_mined,
        expected_s=blocks * node.params.spacing_ms / 1000 if is_mined else None,
        bytes=compute_product_bytes(params.m, params.n, params.k),
        max_bytes=node.params.max_checked_bytes,
        mode=MODE_NAMES[choice.mode],
        mode_reason=choice.reason,
    )


class MarketView(Struct, frozen=True):
    """What quotes are made of, read at one tip.

    Args:
        height, difficulty: of the next block.
        usual_blocks: from posting to settlement.
    """

    height: Height
    difficulty: Tickets
    rates: Rates
    usual_blocks: int
    committee: Committee

    def compute_blocks(self, units: int) -> int:
        """Return the expected blocks from posting to a result of this much work."""
        return self.usual_blocks + units // max(1, self.difficulty)

    def count_jurors(self, poster: Address | None) -> int:
        return sum(member.address != poster for member in self.committee.members)


def read_market(node: NodePort) -> MarketView:
    tip, (settled, target, committee) = read_at_tip(
        node,
        lambda: (
            [job for _, job in node.ledger.reader.list_jobs(state=JobState.SETTLED, limit=SAMPLE, newest_first=True)],
            get_target(node.ledger.tip.header),
            get_voting_committee(node.ledger.state),
        ),
    )
    waits = [job.closed_at - job.posted_at for job in settled]
    return MarketView(
        Height(tip.header.height + 1),
        compute_difficulty(target),
        compute_rates(settled),
        round(median(waits)) if waits else DEFAULT_BLOCKS,
        committee,
    )


def is_chain_mined(node: NodePort) -> bool:
    """Return False if the last block is so old that nobody seems to mine, or if there is none."""
    return node.ledger.tip.header.height > 0 and all(c.is_ok for c in node.health.check().checks if c.name == "tip")
