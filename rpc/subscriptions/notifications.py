"""What a subscription tells: one notification's parameters, by topic."""

from typing import Annotated, Any, Literal

from pydantic import Field

from inos.rpc.methods.chain.summaries import BlockSummary
from inos.rpc.methods.job.record import EventName
from inos.rpc.methods.miner.control import MinerModel
from inos.rpc.methods.state.history import EntryModel
from inos.rpc.schemas import AddressText, HeightNumber, Hex32, JobModel, Model, NanoText, TransactionModel

TopicName = Literal["heads", "finality", "transactions", "jobs", "miner"]
SubscriptionId = Annotated[str, Field(min_length=1, max_length=32)]


class HeadNews(Model):
    """A block was connected, or undone: first the undone ones from the old tip down, then the new ones upwards."""

    event: Literal["connected", "disconnected"]
    block: BlockSummary


class FinalityNews(Model):
    """The newest final block. It and every block below it are never undone."""

    id: Hex32
    height: HeightNumber


class TransactionNews(Model):
    """A transaction of the address: in the pool, in a block, or undone with its block; or what a block itself moved."""

    event: Literal["pending", "included", "undone"]
    block: Annotated[Hex32 | None, Field(description="Null while it waits.")]
    tx: Annotated[TransactionModel | None, Field(description="Of a pending one.")]
    entry: Annotated[EntryModel | None, Field(description="Of one that was included: as state_getHistory has it.")]


class JobNews(Model):
    """What happened to a job. Where a block is undone, so is all that was told of its height: "undone" follows."""

    event: EventName | Literal["undone"]
    id: Hex32
    worker: AddressText | None
    amount: NanoText | None
    job: Annotated[JobModel | None, Field(description="As the tip has it; null where it is on chain no longer.")]


class Notification(Model):
    """Parameters of the notification `subscription`; exactly one of data and error is there."""

    subscription: SubscriptionId
    topic: TopicName
    height: Annotated[
        HeightNumber,
        Field(description="Go on from here: subscribe with from_height one above the last connected block's."),
    ]
    data: HeadNews | FinalityNews | TransactionNews | JobNews | MinerModel | None = None
    error: Annotated[dict[str, Any] | None, Field(description="Why the subscription ended.")] = None
