"""Models of jobs and claims."""

from typing import Annotated

from pydantic import Field

from inos.rpc.models.chain import MatrixRefModel
from inos.rpc.models.values import (
    AccountAddress,
    BlockHeight,
    Count,
    Hash,
    JobKind,
    JobMode,
    JobState,
    Model,
    NanoAmount,
    TaskKind,
)


class ClaimModel(Model):
    """A worker's claim on a job."""

    worker: Annotated[AccountAddress, Field(description="The account that claimed the job.")]
    bond: Annotated[NanoAmount, Field(description="The worker's bond, which it loses if the claim lapses.")]
    claimed_at: Annotated[BlockHeight, Field(description="The height of the block with the claim.")]
    expires_at: Annotated[
        BlockHeight,
        Field(description="The last height at which to deliver; for a delivered job, the height at which it is paid."),
    ]


class TaskModel(Model):
    """What a task computes."""

    kind: Annotated[TaskKind, Field(description="Whether the task runs a program or a function.")]
    spec: Annotated[Hash, Field(description="The mesh id of the program, or of the function's specification.")]
    inputs: Annotated[list[Hash], Field(description="The mesh ids of the inputs, in order.")]
    tickets: Annotated[Count, Field(description="The lottery tickets among the units; 0 for a function.")]
    units: Annotated[Count, Field(description="What the task is priced by: a unit burns what a ticket burns.")]


class JobModel(Model):
    """A job, which is a product, a program or a function, as it is in the tip's state."""

    id: Annotated[Hash, Field(description="The job's id, which is the id of the transaction that posted it.")]
    state: Annotated[JobState, Field(description="The job's state.")]
    poster: Annotated[AccountAddress, Field(description="The account that posted the job.")]
    kind: Annotated[JobKind, Field(description="What the job asks for.")]
    x: Annotated[
        MatrixRefModel | None, Field(description="A product's left operand X, m rows by k columns; null for a task.")
    ]
    w: Annotated[
        MatrixRefModel | None,
        Field(
            description="A product's right operand W, n rows by k columns; the product is X times W transposed. Null "
            "for a task."
        ),
    ]
    task: Annotated[TaskModel | None, Field(description="What a task computes; null for a product.")]
    tickets: Annotated[Count, Field(description="The lottery tickets that computing the job draws.")]
    units: Annotated[Count, Field(description="What the job is priced by: a product's tickets, or a task's units.")]
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
    y: Annotated[
        MatrixRefModel | None, Field(description="A product's result Y; null until it is delivered, and for a task.")
    ]
    outputs: Annotated[
        list[Hash] | None,
        Field(description="The mesh ids of a task's outputs; null until it is delivered, and for a product."),
    ]
    rows_done: Annotated[
        Count | None,
        Field(
            description="Rows of the result that this node's own miner has computed; null if it does not work on the "
            "job. Only job_get fills it in."
        ),
    ] = None
