"""job_quote and job_prove: what a product would cost, and the proof that one was delivered and paid."""

from statistics import median
from typing import Annotated, Literal

from pydantic import Field

from inos.consensus.prices import compute_job_price, compute_product_bytes
from inos.consensus.records import Job, JobState, job_key
from inos.primitives.blocks import compute_difficulty, get_target
from inos.primitives.codec import encode
from inos.primitives.matrices import MAX_DEPTH, MAX_ROWS, compute_tickets
from inos.primitives.transactions import JobMode
from inos.primitives.units import Height, JobId
from inos.rpc.errors import make_invalid_param
from inos.rpc.lookup import find_block_id, read_at_tip
from inos.rpc.method import Example, method
from inos.rpc.methods.state.accounts import ProofModel, render_proof
from inos.rpc.ports import NodePort
from inos.rpc.schemas import Count, HeightNumber, Hex, Hex32, Model, NanoText

SAMPLE = 50
"""How many of the last settled jobs a quote looks at."""
DEFAULT_TICKET_REWARD = 1_000_000
"""Nano per ticket where no job was settled yet: what the devnet's own workload pays."""
MAX_HEADERS = 200

Rows = Annotated[int, Field(ge=1, le=MAX_ROWS)]


class QuoteParams(Model):
    m: Annotated[Rows, Field(description="Rows of X.")]
    n: Annotated[Rows, Field(description="Rows of W.")]
    k: Annotated[int, Field(ge=1, le=MAX_DEPTH, description="Columns of both.")]


class QuoteModel(Model):
    """What the product X (m x k) times W (n x k) transposed would cost now."""

    tickets: Count
    burn: Annotated[NanoText, Field(description="What posting it burns in the next block, all parts together.")]
    reward_per_ticket: Annotated[NanoText, Field(description="Median of the last settled jobs.")]
    suggested_reward: NanoText
    sample: Annotated[Count, Field(description="Settled jobs the suggestion rests on; 0: a default.")]
    expected_blocks: Annotated[Count, Field(description="From posting to settlement.")]
    expected_s: Annotated[float, Field(description="The same in seconds, at the network's spacing.")]
    bytes: Annotated[Count, Field(description="Of the strips of operands and result together.")]
    max_bytes: Annotated[Count, Field(description="The most a checked job may have.")]
    mode: Annotated[
        Literal["checked", "optimistic"],
        Field(description="By its size; an optimistic one is paid after a window for challenges."),
    ]


class ProveParams(Model):
    id: Hex32


class JobProofModel(Model):
    """A job's record in the tip's state, with all it takes to check it without a node."""

    height: HeightNumber
    header: Annotated[Hex, Field(description="Canonical encoding of the block whose state root the proof leads to.")]
    witness: Annotated[Hex | None, Field(description="Canonical encoding of its seal's witness, where it is kept.")]
    proof: ProofModel


class RawHeadersParams(Model):
    first: HeightNumber
    count: Annotated[int, Field(ge=1, le=MAX_HEADERS)] = MAX_HEADERS


class RawHeadersModel(Model):
    headers: Annotated[list[Hex], Field(description="Canonical encodings, in order; fewer at the chain's end.")]


@method("job_quote", examples=(Example("a small product", {"m": 512, "n": 256, "k": 1024}),))
async def job_quote(node: NodePort, params: QuoteParams) -> QuoteModel:
    """What a product would cost now: the burn, a reward as others paid lately, and how long it may take."""
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
    blocks = round(median(waits)) if waits else 4
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
        mode=JobMode.OPTIMISTIC if is_large else JobMode.CHECKED,
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


@method("job_prove")
async def job_prove(node: NodePort, params: ProveParams) -> JobProofModel:
    """A job's record with its Merkle proof against the tip, and the tip's header and witness.

    With the headers that follow (chain_getRawHeaders) it is a receipt: `inos job receipt` writes one.
    """
    key = job_key(JobId(bytes.fromhex(params.id)))
    tip, (value, proof) = read_at_tip(node, lambda: node.ledger.prove(key))
    witness = node.ledger.get_witness(tip.id)
    return JobProofModel(
        height=tip.header.height,
        header=encode(tip.header).hex(),
        witness=None if witness is None else encode(witness).hex(),
        proof=render_proof(key, tip.id, tip.header, value, proof),
    )


@method("chain_getRawHeaders", examples=(Example("from genesis", {"first": 0, "count": 10}),))
async def chain_get_raw_headers(node: NodePort, params: RawHeadersParams) -> RawHeadersModel:
    """Headers of the best chain as their ids are computed from, for programs that check them themselves."""
    tip = node.ledger.tip.header.height
    if params.first > tip:
        raise make_invalid_param("first", f"the chain is at height {tip}", code="block-unknown")
    headers: list[str] = []
    for height in range(params.first, min(tip, params.first + params.count - 1) + 1):
        header = node.ledger.get_header(find_block_id(node, height))
        if header is not None:
            headers.append(encode(header).hex())
    return RawHeadersModel(headers=headers)


def _compute_price(job: Job) -> float:
    """Nano per ticket."""
    return job.reward / compute_tickets(job.x.rows, job.w.rows, job.x.cols)
