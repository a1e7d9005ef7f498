"""The notifications of each topic."""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from inos.rpc.methods.chain.summaries import BlockSummaryModel
from inos.rpc.methods.job.history import JobEventName
from inos.rpc.methods.miner.control import MinerStatusModel
from inos.rpc.methods.state.history import HistoryEntryModel
from inos.rpc.models.jobs import JobModel
from inos.rpc.models.transactions import TransactionModel
from inos.rpc.models.values import AccountAddress, BlockHeight, Hash, Model, NanoAmount

Topics = Literal["heads", "finality", "transactions", "jobs", "miner"]
TopicName = TypeAliasType("TopicName", Annotated[Topics, Field(description="What a subscription reports.")])
SubscriptionId = TypeAliasType(
    "SubscriptionId",
    Annotated[str, Field(min_length=1, max_length=32, description="A subscription of one connection.")],
)


class HeadNotificationModel(Model):
    """Topic heads: a block was connected or disconnected.

    A reorg first disconnects blocks from the old tip downwards, then connects the new ones upwards.
    """

    event: Annotated[Literal["connected", "disconnected"], Field(description="What happened to the block.")]
    block: Annotated[BlockSummaryModel, Field(description="The block.")]


class FinalityNotificationModel(Model):
    """Topic finality: there is a new final block. It and all blocks below it are never undone."""

    id: Annotated[Hash, Field(description="The id of the block.")]
    height: Annotated[BlockHeight, Field(description="Its height.")]


class TransactionNotificationModel(Model):
    """Topic transactions: a transaction that concerns the account, or what a block itself changed on it."""

    event: Annotated[
        Literal["pending", "included", "undone"],
        Field(
            description='"pending": the pool accepted it. "included": a block was connected that holds it. "undone": '
            "that block was disconnected."
        ),
    ]
    block: Annotated[Hash | None, Field(description="The id of the block; null if pending.")]
    tx: Annotated[TransactionModel | None, Field(description="The transaction; null if included.")]
    entry: Annotated[
        HistoryEntryModel | None, Field(description="The entry of state_getHistory; null unless included.")
    ]


class JobNotificationModel(Model):
    """Topic jobs: something happened to a job."""

    event: Annotated[
        JobEventName | Literal["undone"],
        Field(
            description='What happened. "undone": a block with events of this job was disconnected, so all events at '
            "its height are undone."
        ),
    ]
    id: Annotated[Hash, Field(description="The job's id.")]
    worker: Annotated[
        AccountAddress | None, Field(description="The worker that the event is about, as in job_history.")
    ]
    amount: Annotated[NanoAmount | None, Field(description="The event's amount, as in job_history; null if undone.")]
    job: Annotated[
        JobModel | None, Field(description="The job in the tip's state; null if it is no longer on the chain.")
    ]


class ErrorDetailsModel(Model):
    """An error, as in a JSON-RPC response."""

    code: Annotated[int, Field(description="The error's number; see the list of errors.")]
    message: Annotated[str, Field(description="What went wrong.")]
    data: Annotated[
        dict[str, Any], Field(description="`code`, the stable name of the error, and `hint`, what to do about it.")
    ]


class SubscriptionNotificationModel(Model):
    """The parameters of a notification. Either `data` or `error` is null."""

    subscription: Annotated[SubscriptionId, Field(description="The subscription.")]
    topic: Annotated[TopicName, Field(description="Its topic.")]
    height: Annotated[
        BlockHeight,
        Field(
            description="The height at which it happened. To resume after a lost connection, subscribe with "
            "from_height one above the last one."
        ),
    ]
    data: Annotated[
        HeadNotificationModel
        | FinalityNotificationModel
        | TransactionNotificationModel
        | JobNotificationModel
        | MinerStatusModel
        | None,
        Field(description="What happened, by topic; null if the subscription ended."),
    ] = None
    error: Annotated[ErrorDetailsModel | None, Field(description="Why the subscription ended; null before.")] = None
