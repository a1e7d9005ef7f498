"""job_market: what is offered, what was paid lately, and how long it took, by kind of job."""

import asyncio
from fractions import Fraction
from statistics import median
from typing import Annotated, Final

from msgspec import Struct
from pydantic import Field

from inos.chain.reading import ChainReader
from inos.consensus.jobevents import JobEventKind
from inos.consensus.prices import TERA, TICKET_MACS
from inos.consensus.records import Job, JobState
from inos.primitives.units import JobId
from inos.rpc.method import Example, method
from inos.rpc.methods.job.rates import compute_rates, count_units
from inos.rpc.models.render import get_job_kind
from inos.rpc.models.values import BlockHeight, Count, JobKind, Model, NanoAmount
from inos.rpc.ports import NodePort

MAX_OPEN: Final = 500
"""At most so many open jobs are counted."""
MAX_SAMPLE: Final = 200
MAX_JOB_EVENTS: Final = 100
"""At most so many events of one job are read for the height of its last claim."""
YIELD_JOBS: Final = 50
KINDS: Final[tuple[JobKind, ...]] = ("product", "program", "function")


class MarketParams(Model):
    sample: Annotated[
        int, Field(ge=1, le=MAX_SAMPLE, description="So many recently settled jobs are considered, at most.")
    ] = 100


class KindMarketModel(Model):
    """One kind of job. Prices are per 10^12 multiply-accumulates: those of its tickets, or a task's units."""

    kind: Annotated[JobKind, Field(description="The kind of job.")]
    open: Annotated[Count, Field(description=f"Open jobs, of the newest {MAX_OPEN}.")]
    open_units: Annotated[Count, Field(description="Their units: a product's tickets, or a task's units.")]
    open_rewards: Annotated[NanoAmount, Field(description="What they offer in all.")]
    offered_per_tera: Annotated[
        NanoAmount | None, Field(description="The same per 10^12 multiply-accumulates; null without open jobs.")
    ]
    settled: Annotated[Count, Field(description="Settled jobs among those considered.")]
    low_per_tera: Annotated[
        NanoAmount | None, Field(description="A quarter of the units settled were paid this or less.")
    ]
    typical_per_tera: Annotated[NanoAmount | None, Field(description="Half of them were paid this or less.")]
    high_per_tera: Annotated[NanoAmount | None, Field(description="Three quarters of them were paid this or less.")]
    blocks_to_claim: Annotated[
        float | None, Field(description="The median of blocks from posting to the claim whose result was paid.")
    ]
    blocks_to_settle: Annotated[float | None, Field(description="The median of blocks from posting to payment.")]


class MarketModel(Model):
    """The market at the tip."""

    height: Annotated[BlockHeight, Field(description="The height of the tip.")]
    spacing_ms: Annotated[Count, Field(description="The network's time from block to block.")]
    is_whole: Annotated[bool, Field(description=f"False if there are more than {MAX_OPEN} open jobs.")]
    sample: Annotated[Count, Field(description="The number of settled jobs considered.")]
    from_height: Annotated[BlockHeight | None, Field(description="The height at which the first of them was settled.")]
    kinds: Annotated[list[KindMarketModel], Field(description="Each kind of job, products first.")]


class Paid(Struct, frozen=True):
    """A settled job, and the height of the claim that led to it."""

    job: Job
    claimed_at: int | None


@method("job_market", examples=(Example("of the last ten settled jobs", {"sample": 10}),))
async def job_market(node: NodePort, params: MarketParams) -> MarketModel:
    """Return what is offered now, and what was paid lately and how long it took, for each kind of job."""
    reader = node.ledger.reader
    found = reader.list_jobs(state=JobState.OPEN, limit=MAX_OPEN + 1, newest_first=True)
    offers = [job for _, job in found[:MAX_OPEN]]
    paid: list[Paid] = []
    for job_id, job in reader.list_jobs(state=JobState.SETTLED, limit=params.sample, newest_first=True):
        paid.append(Paid(job, _find_claim(reader, job_id)))
        if len(paid) % YIELD_JOBS == 0:
            await asyncio.sleep(0)
    return MarketModel(
        height=reader.tip.header.height,
        spacing_ms=node.params.spacing_ms,
        is_whole=len(found) <= MAX_OPEN,
        sample=len(paid),
        from_height=min((each.job.closed_at for each in paid), default=None),
        kinds=[_render_kind(kind, offers, paid) for kind in KINDS],
    )


def _find_claim(reader: ChainReader, job: JobId) -> int | None:
    """Return the height of the last claim on a job, or None if it is not known here."""
    events = reader.list_job_events(job, limit=MAX_JOB_EVENTS)
    return next((height for height, event in reversed(events) if event.kind is JobEventKind.CLAIMED), None)


def _render_kind(kind: JobKind, offers: list[Job], paid: list[Paid]) -> KindMarketModel:
    own = [job for job in offers if get_job_kind(job) == kind]
    done = [each for each in paid if get_job_kind(each.job) == kind]
    units, rewards = sum(map(count_units, own)), sum(job.reward for job in own)
    rates = compute_rates([each.job for each in done]) if done else None
    claims = [each.claimed_at - each.job.posted_at for each in done if each.claimed_at is not None]
    return KindMarketModel(
        kind=kind,
        open=len(own),
        open_units=units,
        open_rewards=str(rewards),
        offered_per_tera=_price(Fraction(rewards, units)) if units else None,
        settled=len(done),
        low_per_tera=_price(rates.low) if rates else None,
        typical_per_tera=_price(rates.typical) if rates else None,
        high_per_tera=_price(rates.fast) if rates else None,
        blocks_to_claim=float(median(claims)) if claims else None,
        blocks_to_settle=float(median(each.job.closed_at - each.job.posted_at for each in done)) if done else None,
    )


def _price(per_unit: Fraction) -> str:
    """Return nano per 10^12 multiply-accumulates from nano per unit."""
    return str(round(per_unit * Fraction(TERA, TICKET_MACS)))
