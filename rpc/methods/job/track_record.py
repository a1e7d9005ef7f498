"""job_trackRecord: what became of the jobs that an account took on and posted."""

from typing import Annotated

from pydantic import Field

from inos.chain.jobrecords import Side
from inos.rpc.method import method
from inos.rpc.models.render import read_address
from inos.rpc.models.values import AccountAddress, BlockHeight, Count, Model, NanoAmount
from inos.rpc.ports import NodePort


class TrackRecordParams(Model):
    address: Annotated[AccountAddress, Field(description="The account's address.")]


class WorkerRecordModel(Model):
    """Jobs that an account took on. Every claim ends settled, lapsed or challenged, or is still in progress."""

    claimed: Annotated[Count, Field(description="Claims made.")]
    settled: Annotated[Count, Field(description="Results that were paid.")]
    lapsed: Annotated[Count, Field(description="Claims that were not delivered in time; each cost its bond.")]
    challenged: Annotated[
        Count, Field(description="Results that were shown to be wrong; each cost its bond and all reputation.")
    ]
    disputed: Annotated[Count, Field(description="Results that a jury was asked about.")]
    rejected: Annotated[
        Count, Field(description="Results that a jury did not find right; each cost its bond and all reputation.")
    ]
    undecided: Annotated[Count, Field(description="Results whose jury came to no decision.")]
    tickets: Annotated[Count, Field(description="The tickets of the jobs settled.")]
    earned: Annotated[NanoAmount, Field(description="The rewards paid to the account, without returned bonds.")]
    bonds_lost: Annotated[NanoAmount, Field(description="The bonds that it lost.")]


class PosterRecordModel(Model):
    """Jobs that an account posted."""

    posted: Annotated[Count, Field(description="Jobs posted.")]
    settled: Annotated[Count, Field(description="Jobs whose result was paid.")]
    cancelled: Annotated[Count, Field(description="Jobs that the account cancelled.")]
    lapsed: Annotated[
        Count, Field(description="Claims on its jobs that lapsed, because of bad workers or withheld operands.")
    ]
    challenged: Annotated[Count, Field(description="Results of its jobs that were shown to be wrong.")]
    disputed: Annotated[Count, Field(description="Results of its jobs that a jury was asked about.")]
    rejected: Annotated[Count, Field(description="Results of its jobs that a jury did not find right.")]
    undecided: Annotated[Count, Field(description="Jobs whose jury came to no decision.")]
    tickets: Annotated[Count, Field(description="The tickets of the jobs settled.")]
    paid: Annotated[NanoAmount, Field(description="The rewards of the jobs settled.")]
    burned: Annotated[NanoAmount, Field(description="What posting its jobs burned, and the rewards of undecided ones.")]


class TrackRecordModel(Model):
    """What became of the jobs that an account took on and posted."""

    address: Annotated[AccountAddress, Field(description="The account's address.")]
    height: Annotated[BlockHeight, Field(description="The height of the tip.")]
    worker: Annotated[WorkerRecordModel, Field(description="The account as a worker.")]
    poster: Annotated[PosterRecordModel, Field(description="The account as a poster.")]


@method("job_trackRecord")
async def job_track_record(node: NodePort, params: TrackRecordParams) -> TrackRecordModel:
    """Return what became of all jobs that an account took on and posted since genesis.

    A good record promises nothing, and an account with a bad one can be replaced by a new account at no cost.
    """
    address = read_address(node, params.address, "address")
    reader = node.ledger.reader
    record = reader.get_record(address)
    return TrackRecordModel(
        address=params.address,
        height=reader.tip.header.height,
        worker=render_worker(record.worker),
        poster=render_poster(record.poster),
    )


def render_worker(side: Side) -> WorkerRecordModel:
    """Return the model of an account's totals as a worker."""
    return WorkerRecordModel(
        claimed=side.claimed,
        settled=side.settled,
        lapsed=side.lapsed,
        challenged=side.challenged,
        disputed=side.disputed,
        rejected=side.rejected,
        undecided=side.undecided,
        tickets=side.tickets,
        earned=str(side.paid),
        bonds_lost=str(side.lost),
    )


def render_poster(side: Side) -> PosterRecordModel:
    """Return the model of an account's totals as a poster."""
    return PosterRecordModel(
        posted=side.posted,
        settled=side.settled,
        cancelled=side.cancelled,
        lapsed=side.lapsed,
        challenged=side.challenged,
        disputed=side.disputed,
        rejected=side.rejected,
        undecided=side.undecided,
        tickets=side.tickets,
        paid=str(side.paid),
        burned=str(side.lost),
    )
