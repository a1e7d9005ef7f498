"""subscribe and unsubscribe: being told instead of asking. Over a WebSocket (path /ws) only."""

from typing import Annotated, Final, assert_never

from pydantic import Field

from inos.primitives.units import JobId
from inos.rpc import errors
from inos.rpc.errors import RpcError, make_invalid_param
from inos.rpc.method import Example, method
from inos.rpc.methods.miner.control import get_miner
from inos.rpc.ports import NodePort
from inos.rpc.render import read_address
from inos.rpc.schemas import AddressText, HeightNumber, Hex32, Model
from inos.rpc.subscriptions.follower import MAX_REPLAY, make_follower
from inos.rpc.subscriptions.notifications import SubscriptionId, TopicName
from inos.rpc.subscriptions.session import Visit
from inos.rpc.subscriptions.topics import Finality, Heads, Jobs, MinerTopic, Topic, Transactions

TAKES: Final = {
    "heads": {"from_height", "after"},
    "finality": {"from_height"},
    "transactions": {"address", "from_height", "after"},
    "jobs": {"job", "from_height", "after"},
    "miner": set(),
}
"""Parameters of each topic."""


class SubscribeParams(Model):
    topic: TopicName
    from_height: Annotated[
        HeightNumber | None,
        Field(description=f"Tell first what happened from this block on, at most {MAX_REPLAY} blocks back."),
    ] = None
    after: Annotated[
        Hex32 | None,
        Field(description="The last block seen, in place of from_height: where it was undone, that is told first."),
    ] = None
    address: Annotated[AddressText | None, Field(description="Of transactions: whose.")] = None
    job: Annotated[Hex32 | None, Field(description="Of jobs: the only one to tell of.")] = None


class Subscribed(Model):
    subscription: SubscriptionId
    height: Annotated[HeightNumber, Field(description="Of the tip now.")]


class UnsubscribeParams(Model):
    subscription: SubscriptionId


class Unsubscribed(Model):
    subscription: SubscriptionId


@method(
    "subscribe",
    examples=(
        Example("blocks from 100 on, then each new one", {"topic": "heads", "from_height": 100}),
        Example("what happens to all jobs", {"topic": "jobs"}),
    ),
)
async def subscribe(node: NodePort, params: SubscribeParams, visit: Visit | None) -> Subscribed:
    """Be told of blocks, finality, an address's transactions, jobs, or the miner, over this WebSocket.

    What happens comes as notifications named `subscription` (see x-notifications in this document), in order and
    without gaps. A connection has at most 16 subscriptions, and ends with an error where its reader is too slow:
    it then resumes from the last height it saw. The topic miner needs the node's token.
    """
    session = check_visit(visit, "subscribe")
    _check_params(params)
    if params.topic == "miner" and not session.is_authorized:
        raise RpcError(errors.UNAUTHORIZED, "unauthorized", "the topic miner needs the node's bearer token")
    name = session.open(_make_topic(node, params), make_follower(node, params.from_height, params.after))
    return Subscribed(subscription=name, height=node.ledger.tip.header.height)


@method("unsubscribe", examples=(Example("end one", {"subscription": "s1"}),))
async def unsubscribe(node: NodePort, params: UnsubscribeParams, visit: Visit | None) -> Unsubscribed:
    """End a subscription of this connection; nothing of it follows this answer."""
    check_visit(visit, "unsubscribe").close(params.subscription)
    return Unsubscribed(subscription=params.subscription)


def check_visit(visit: Visit | None, name: str) -> Visit:
    """The caller's socket; RpcError "needs-websocket" for those who came by POST."""
    if visit is None:
        raise RpcError(
            errors.UNAVAILABLE,
            "needs-websocket",
            f"{name} needs a connection that stays open",
            hint="send the same request over a WebSocket to /ws of this address",
        )
    return visit


def _check_params(params: SubscribeParams) -> None:
    given = {name for name in ("from_height", "after", "address", "job") if getattr(params, name) is not None}
    if wrong := given - TAKES[params.topic]:
        raise make_invalid_param(min(wrong), f"the topic {params.topic} does not take it")
    if params.from_height is not None and params.after is not None:
        raise make_invalid_param("after", "give from_height or after, not both")
    if params.topic == "transactions" and params.address is None:
        raise make_invalid_param("address", "the topic transactions needs one")


def _make_topic(node: NodePort, params: SubscribeParams) -> Topic:
    match params.topic:
        case "heads":
            return Heads(node)
        case "finality":
            return Finality(node, params.from_height)
        case "transactions":
            return Transactions(node, read_address(node, params.address or ""))
        case "jobs":
            return Jobs(node, None if params.job is None else JobId(bytes.fromhex(params.job)))
        case "miner":
            get_miner(node)
            return MinerTopic(node)
        case _:
            assert_never(params.topic)
