"""job_history: the events of a job."""

from typing import Annotated, Final, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from inos.consensus.jobevents import JobEventKind
from inos.primitives.units import JobId
from inos.rpc.errors import make_not_found
from inos.rpc.method import method
from inos.rpc.methods.job.jobs import IN_POOL_HINT, JobParams
from inos.rpc.models.render import make_renderer
from inos.rpc.models.values import AccountAddress, BlockHeight, Hash, Model, NanoAmount
from inos.rpc.ports import NodePort

MAX_EVENTS: Final = 1000

EventNames = Literal[
    "posted",
    "claimed",
    "delivered",
    "settled",
    "lapsed",
    "challenged",
    "cancelled",
    "disputed",
    "upheld",
    "rejected",
    "undecided",
]
JobEventName = TypeAliasType(
    "JobEventName",
    Annotated[
        EventNames,
        Field(
            description='What happened to a job. "lapsed": the claim\'s time ended without a result, and the worker '
            'lost its bond. "challenged": the result was shown to be wrong. After both, the job is open again. '
            '"disputed": a jury decides. "upheld": it found the result right. "rejected": it did not, and the job is '
            'open again. "undecided": it came to no decision, and the job is closed.'
        ),
    ],
)
EVENT_NAMES: Final[dict[JobEventKind, EventNames]] = {
    JobEventKind.POSTED: "posted",
    JobEventKind.CLAIMED: "claimed",
    JobEventKind.DELIVERED: "delivered",
    JobEventKind.SETTLED: "settled",
    JobEventKind.LAPSED: "lapsed",
    JobEventKind.CHALLENGED: "challenged",
    JobEventKind.CANCELLED: "cancelled",
    JobEventKind.DISPUTED: "disputed",
    JobEventKind.UPHELD: "upheld",
    JobEventKind.REJECTED: "rejected",
    JobEventKind.UNDECIDED: "undecided",
}


class JobEventModel(Model):
    """Something that happened to a job."""

    event: Annotated[JobEventName, Field(description="What happened.")]
    height: Annotated[BlockHeight, Field(description="The height of the block in which it happened.")]
    worker: Annotated[
        AccountAddress | None,
        Field(description="The account that claimed, delivered, was paid, let its claim lapse, or was challenged."),
    ]
    amount: Annotated[
        NanoAmount,
        Field(
            description="posted: what was burned. claimed, delivered, lapsed, challenged: the bond. settled, "
            "cancelled: the reward."
        ),
    ]


class JobHistoryModel(Model):
    """The events of a job."""

    id: Annotated[Hash, Field(description="The job's id.")]
    events: Annotated[list[JobEventModel], Field(description=f"The events, oldest first, at most {MAX_EVENTS}.")]


@method("job_history")
async def job_history(node: NodePort, params: JobParams) -> JobHistoryModel:
    """Return the events of a job in order."""
    job_id = JobId(bytes.fromhex(params.id))
    events = node.ledger.reader.list_job_events(job_id, limit=MAX_EVENTS)
    if not events:
        raise make_not_found("job", params.id, hint=IN_POOL_HINT)
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
