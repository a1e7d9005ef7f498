"""job_history and job_record: what happened to a job, and how an address has dealt so far."""

from typing import Annotated, Final, Literal

from pydantic import Field

from inos.chain.jobrecords import Side
from inos.consensus.jobevents import JobEventKind
from inos.primitives.units import JobId
from inos.rpc.errors import make_not_found
from inos.rpc.lookup import read_at_tip
from inos.rpc.method import method
from inos.rpc.methods.job.jobs import JobParams
from inos.rpc.ports import NodePort
from inos.rpc.render import make_renderer, read_address
from inos.rpc.schemas import AddressText, Count, HeightNumber, Hex32, Model, NanoText

MAX_EVENTS: Final = 1000

EventName = Literal["posted", "claimed", "delivered", "settled", "lapsed", "challenged", "cancelled"]
EVENT_NAMES: Final[dict[JobEventKind, EventName]] = {
    JobEventKind.POSTED: "posted",
    JobEventKind.CLAIMED: "claimed",
    JobEventKind.DELIVERED: "delivered",
    JobEventKind.SETTLED: "settled",
    JobEventKind.LAPSED: "lapsed",
    JobEventKind.CHALLENGED: "challenged",
    JobEventKind.CANCELLED: "cancelled",
}


class JobEventModel(Model):
    event: EventName
    height: HeightNumber
    worker: Annotated[AddressText | None, Field(description="Who claimed, delivered, was paid, lapsed or was wrong.")]
    amount: Annotated[
        NanoText,
        Field(description="Burned by the post; the bond of a claim, delivery, lapse or challenge; else the reward."),
    ]


class JobHistoryModel(Model):
    id: Hex32
    events: Annotated[list[JobEventModel], Field(description=f"Oldest first, at most {MAX_EVENTS}.")]


class RecordParams(Model):
    address: AddressText


class WorkerRecordModel(Model):
    """Jobs an address took on. Every claim ends settled, lapsed or challenged; what is left is under way."""

    claimed: Count
    settled: Count
    lapsed: Annotated[Count, Field(description="Claims not delivered in time; each cost its bond.")]
    challenged: Annotated[Count, Field(description="Results shown wrong; each cost its bond and all reputation.")]
    tickets: Annotated[Count, Field(description="Of the jobs settled.")]
    earned: Annotated[NanoText, Field(description="Rewards, bonds not counted.")]
    bonds_lost: NanoText


class PosterRecordModel(Model):
    """Jobs an address posted."""

    posted: Count
    settled: Count
    cancelled: Count
    lapsed: Annotated[Count, Field(description="Claims on its jobs that lapsed: bad workers, or operands withheld.")]
    challenged: Annotated[Count, Field(description="Results of its jobs shown wrong.")]
    tickets: Annotated[Count, Field(description="Of the jobs settled.")]
    paid: Annotated[NanoText, Field(description="Rewards of settled jobs.")]
    burned: NanoText


class RecordModel(Model):
    address: AddressText
    height: HeightNumber
    worker: WorkerRecordModel
    poster: PosterRecordModel


@method("job_history")
async def job_history(node: NodePort, params: JobParams) -> JobHistoryModel:
    """What happened to a job, in order: posted, claimed, lapsed, settled."""
    job_id = JobId(bytes.fromhex(params.id))
    events = node.ledger.list_job_events(job_id, limit=MAX_EVENTS)
    if not events:
        raise make_not_found("job", params.id, hint="its transaction may still wait in the pool: see tx_pool")
    renderer = make_renderer(node)
    return JobHistoryModel(
        id=params.id,
        events=[
            JobEventModel(
                event=EVENT_NAMES[event.kind],
                height=height,
                worker=None if event.worker is None else renderer.address(event.worker),
                amount=str(event.amount),
            )
            for height, event in events
        ],
    )


@method("job_record")
async def job_record(node: NodePort, params: RecordParams) -> RecordModel:
    """How an address has dealt since genesis, as a worker and as a poster. It is no promise, and free to begin anew."""
    address = read_address(node, params.address, "address")
    tip, record = read_at_tip(node, lambda: node.ledger.get_record(address))
    return RecordModel(
        address=params.address,
        height=tip.header.height,
        worker=_make_worker(record.worker),
        poster=_make_poster(record.poster),
    )


def _make_worker(side: Side) -> WorkerRecordModel:
    return WorkerRecordModel(
        claimed=side.claimed,
        settled=side.settled,
        lapsed=side.lapsed,
        challenged=side.challenged,
        tickets=side.tickets,
        earned=str(side.paid),
        bonds_lost=str(side.lost),
    )


def _make_poster(side: Side) -> PosterRecordModel:
    return PosterRecordModel(
        posted=side.posted,
        settled=side.settled,
        cancelled=side.cancelled,
        lapsed=side.lapsed,
        challenged=side.challenged,
        tickets=side.tickets,
        paid=str(side.paid),
        burned=str(side.lost),
    )
