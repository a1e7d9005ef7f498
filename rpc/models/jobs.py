"""Models of jobs and claims."""

from typing import Annotated

from pydantic import Field

from inos.rpc.models.chain import MatrixRefModel
from inos.rpc.models.values import AccountAddress, BlockHeight, Count, Hash, JobMode, JobState, Model, NanoAmount


class ClaimModel(Model):
    """A worker's claim on a job."""

    worker: Annotated[AccountAddress, Field(description="The account that claimed the job.")]
    bond: Annotated[NanoAmount, Field(description="The worker's bond, which it loses if the claim lapses.")]
    claimed_at: Annotated[BlockHeight, Field(description="The height of the block with the claim.")]
    expires_at: Annotated[
        BlockHeight,
        Field(description="The last height at which to deliver; for a delivered job, the height at which it is paid."),
    ]


class JobModel(Model):
    """A job, as it is in the tip's state."""

    id: Annotated[Hash, Field(description="The job's id, which is the id of the transaction that posted it.")]
    state: Annotated[JobState, Field(description="The job's state.")]
    poster: Annotated[AccountAddress, Field(description="The account that posted the job.")]
    x: Annotated[MatrixRefModel, Field(description="The left operand X, m rows by k columns.")]
    w: Annotated[
        MatrixRefModel,
        Field(description="The right operand W, n rows by k columns; the product is X times W transposed."),
    ]
    tickets: Annotated[Count, Field(description="The lottery tickets that multiplying the job draws.")]
    reward: Annotated[NanoAmount, Field(description="What the worker is paid.")]
    bond: Annotated[NanoAmount, Field(description="The bond that a claim requires.")]
    burned: Annotated[NanoAmount, Field(description="What posting the job burned.")]
    claim_window: Annotated[Count, Field(description="Blocks that a worker has to deliver after its claim.")]
    deadline: Annotated[BlockHeight, Field(description="The last height at which the job can be delivered.")]
    mode: Annotated[JobMode, Field(description="How the result is verified.")]
    posted_at: Annotated[BlockHeight, Field(description="The height of the block that posted the job.")]
    closed_at: Annotated[
        BlockHeight | None, Field(description="The height at which the job was settled or cancelled; null before.")
    ]
    worker: Annotated[
        AccountAddress | None, Field(description="The account that holds the claim or delivered the result, if any.")
    ]
    claim: Annotated[ClaimModel | None, Field(description="The claim in force; null if there is none.")]
    y: Annotated[MatrixRefModel | None, Field(description="The result Y; null until it is delivered.")]
    rows_done: Annotated[
        Count | None,
        Field(
            description="Rows of the result that this node's own miner has computed; null if it does not work on the "
            "job. Only job_get fills it in."
        ),
    ] = None
