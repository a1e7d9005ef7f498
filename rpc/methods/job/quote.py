"""job_quote: what a product would cost."""

from statistics import median
from typing import Annotated, Final

from pydantic import Field

from inos.consensus.prices import compute_job_price, compute_product_bytes
from inos.consensus.records import Job, JobState
from inos.primitives import transactions
from inos.primitives.blocks import compute_difficulty, get_target
from inos.primitives.matrices import MAX_DEPTH, MAX_ROWS, compute_tickets
from inos.primitives.units import Height
from inos.rpc.lookup import read_at_tip
from inos.rpc.method import Example, method
from inos.rpc.models.values import Count, JobMode, Model, NanoAmount
from inos.rpc.ports import NodePort

SAMPLE: Final = 50
"""The number of recently settled jobs that a quote considers."""
DEFAULT_TICKET_REWARD: Final = 1_000_000
"""Nano per ticket before any job was settled; the devnet's own workload pays as much."""
DEFAULT_BLOCKS: Final = 4
"""Blocks from posting to settlement before any job was settled."""

Rows = Annotated[int, Field(ge=1, le=MAX_ROWS)]


class QuoteParams(Model):
    m: Annotated[Rows, Field(description="The rows of X.")]
    n: Annotated[Rows, Field(description="The rows of W.")]
    k: Annotated[int, Field(ge=1, le=MAX_DEPTH, description="The columns of both.")]


class QuoteModel(Model):
    """What the product X (m x k) times W (n x k) transposed would cost now."""

    tickets: Annotated[Count, Field(description="The lottery tickets that multiplying it draws.")]
    burn: Annotated[NanoAmount, Field(description="What posting it burns in the next block, all parts together.")]
    reward_per_ticket: Annotated[
        NanoAmount, Field(description="The median reward per ticket of recently settled jobs.")
    ]
    suggested_reward: Annotated[NanoAmount, Field(description="reward_per_ticket times tickets.")]
    sample: Annotated[
        Count, Field(description="The number of settled jobs that the medians are taken over; 0 if they are defaults.")
    ]
    expected_blocks: Annotated[Count, Field(description="The expected blocks from posting to settlement.")]
    expected_s: Annotated[float, Field(description="The same in seconds, at the network's intended block spacing.")]
    bytes: Annotated[Count, Field(description="The bytes of the strips of operands and result together.")]
    max_bytes: Annotated[Count, Field(description="The most bytes that a checked job may have.")]
    mode: Annotated[JobMode, Field(description='"checked" if the product is small enough, else "optimistic".')]


@method("job_quote", examples=(Example("a small product", {"m": 512, "n": 256, "k": 1024}),))
async def job_quote(node: NodePort, params: QuoteParams) -> QuoteModel:
    """Estimate what a product would cost now: the burn, the reward that others paid, and the time it may take."""
    tickets = compute_tickets(params.m, params.n, params.k)
    tip, (settled, target) = read_at_tip(
        node,
        lambda: (
            [job for _, job in node.ledger.list_jobs(state=JobState.SETTLED, limit=SAMPLE, newest_first=True)],
            get_target(node.ledger.tip.header),
        ),
    )
    price = round(median(map(_compute_price, settled))) if settled else DEFAULT_TICKET_REWARD
    waits = [job.closed_at - job.posted_at for job in settled]
    blocks = round(median(waits)) if waits else DEFAULT_BLOCKS
    blocks += tickets // max(1, compute_difficulty(target))
    size = compute_product_bytes(params.m, params.n, params.k)
    is_large = size > node.params.max_checked_bytes
    if is_large:
        blocks += node.params.challenge_window
    burn = compute_job_price(
        node.params,
        Height(tip.header.height + 1),
        compute_difficulty(target),
        rows_x=params.m,
        rows_w=params.n,
        depth=params.k,
        mode=transactions.JobMode.OPTIMISTIC if is_large else transactions.JobMode.CHECKED,
    )
    return QuoteModel(
        tickets=tickets,
        burn=str(burn.total),
        reward_per_ticket=str(price),
        suggested_reward=str(max(1, price * tickets)),
        sample=len(settled),
        expected_blocks=blocks,
        expected_s=blocks * node.params.spacing_ms / 1000,
        bytes=size,
        max_bytes=node.params.max_checked_bytes,
        mode="optimistic" if is_large else "checked",
    )


def _compute_price(job: Job) -> float:
    """Return the reward in nano per ticket."""
    return job.reward / compute_tickets(job.x.rows, job.w.rows, job.x.cols)
