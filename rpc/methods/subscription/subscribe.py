"""subscribe and unsubscribe. They need a WebSocket, at /ws."""

from typing import Annotated, Final, assert_never

from pydantic import Field

from inos.primitives.units import JobId
from inos.rpc import errors
from inos.rpc.errors import RpcError, make_invalid_param
from inos.rpc.method import Example, method
from inos.rpc.methods.miner.control import get_miner
from inos.rpc.models.render import read_address
from inos.rpc.models.values import AccountAddress, BlockHeight, Hash, Model
from inos.rpc.ports import NodePort
from inos.rpc.subscriptions.follower import MAX_REPLAY, make_follower
from inos.rpc.subscriptions.notifications import SubscriptionId, TopicName
from inos.rpc.subscriptions.session import SessionRequest
from inos.rpc.subscriptions.topics import Finality, Heads, Jobs, MinerTopic, Topic, Transactions

TOPIC_PARAMS: Final = {
    "heads": {"from_height", "after"},
    "finality": {"from_height"},
    "transactions": {"address", "from_height", "after"},
    "jobs": {"job", "from_height", "after"},
    "miner": set(),
}
"""The parameters that each topic takes."""


class SubscribeParams(Model):
    topic: Annotated[TopicName, Field(description="What to report.")]
    from_height: Annotated[
        BlockHeight | None,
        Field(
            description=f"The height of the first block to report, at most {MAX_REPLAY} below the tip; null to start "
            "after the tip."
        ),
    ] = None
    after: Annotated[
        Hash | None,
        Field(
            description="The id of the last block that the caller has seen, instead of from_height. If it is no "
            "longer on the best chain, the notifications start with its disconnection."
        ),
    ] = None
    address: Annotated[AccountAddress | None, Field(description="For the topic transactions: the account.")] = None
    job: Annotated[Hash | None, Field(description="For the topic jobs: the only job to report; null for all jobs.")] = (
        None
    )


class SubscribedModel(Model):
    """A new subscription."""

    subscription: Annotated[SubscriptionId, Field(description="The subscription's id, which its notifications carry.")]
    height: Annotated[BlockHeight, Field(description="The height of the tip.")]


class UnsubscribeParams(Model):
    subscription: Annotated[SubscriptionId, Field(description="The subscription's id.")]


class UnsubscribedModel(Model):
    """A subscription that has ended."""

    subscription: Annotated[SubscriptionId, Field(description="The subscription's id.")]


@method(
    "subscribe",
    examples=(
        Example("blocks from height 100 on, then each new one", {"topic": "heads", "from_height": 100}),
        Example("events of all jobs", {"topic": "jobs"}),
    ),
)
async def subscribe(node: NodePort, params: SubscribeParams, request: SessionRequest | None) -> SubscribedModel:
    """Subscribe to blocks, finality, an account's transactions, jobs, or the miner, over this WebSocket.

    Notifications named `subscription` (see x-notifications in this document) report what happens, in order and without
    gaps. A connection has at most 16 subscriptions. If its reader is too slow, the node closes it with an error; the
    reader can resume from the last height that it saw. The topic miner needs the node's token.
    """
    session = check_session(request, "subscribe")
    _check_params(params)
    if params.topic == "miner" and not session.is_authorized:
        raise RpcError(errors.UNAUTHORIZED, "unauthorized", "the topic miner needs the node's bearer token")
    id = session.subscribe(_make_topic(node, params), make_follower(node, params.from_height, params.after))
    return SubscribedModel(subscription=id, height=node.ledger.tip.header.height)


@method("unsubscribe", examples=(Example("end one", {"subscription": "s1"}),))
async def unsubscribe(node: NodePort, params: UnsubscribeParams, request: SessionRequest | None) -> UnsubscribedModel:
    """End a subscription of this connection. No notification of it follows the answer."""
    check_session(request, "unsubscribe").unsubscribe(params.subscription)
    return UnsubscribedModel(subscription=params.subscription)


def check_session(request: SessionRequest | None, name: str) -> SessionRequest:
    """Return the caller's session; raise RpcError "needs-websocket" if the request came by POST."""
    if request is None:
        raise RpcError(
            errors.UNAVAILABLE,
            "needs-websocket",
            f"{name} needs a WebSocket",
            hint="send the same request over a WebSocket to /ws of this address",
        )
    return request


def _check_params(params: SubscribeParams) -> None:
    given = {name for name in ("from_height", "after", "address", "job") if getattr(params, name) is not None}
    if wrong := given - TOPIC_PARAMS[params.topic]:
        raise make_invalid_param(min(wrong), f"the topic {params.topic} does not take it")
    if params.from_height is not None and params.after is not None:
        raise make_invalid_param("after", "give from_height or after, not both")
    if params.topic == "transactions" and params.address is None:
        raise make_invalid_param("address", "the topic transactions needs an address")


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
