"""state_getReputationHistory: an account's merit and reputation over time."""

import asyncio
from typing import Annotated

from pydantic import Field

from inos.rpc.lookup import read_at_tip
from inos.rpc.method import method
from inos.rpc.methods.state.replay import MAX_ENTRIES, replay_reputation
from inos.rpc.models.render import read_address
from inos.rpc.models.values import AccountAddress, BigInteger, BlockHeight, Model
from inos.rpc.ports import NodePort


class ReputationParams(Model):
    address: Annotated[AccountAddress, Field(description="The account's address.")]


class ReputationPointModel(Model):
    """Merit and reputation after a block that changed them; until the next point, reputation only halves over time."""

    height: Annotated[BlockHeight, Field(description="The height of the block.")]
    merit: Annotated[BigInteger, Field(description="The merit after it, in tickets.")]
    reputation: Annotated[BigInteger, Field(description="The reputation after it, in tickets.")]


class ReputationHistoryModel(Model):
    """An account's merit and reputation over time."""

    points: Annotated[list[ReputationPointModel], Field(description="The points, oldest first; the last is the tip's.")]
    is_complete: Annotated[
        bool,
        Field(
            description="True if the points lead to the values in the state. They may not if the account's history has "
            f"more than {MAX_ENTRIES} entries, or if this node started from a snapshot."
        ),
    ]


@method("state_getReputationHistory", timeout_s=30.0)
async def state_get_reputation_history(node: NodePort, params: ReputationParams) -> ReputationHistoryModel:
    """Return merit and reputation of an account over time, computed again from its blocks and jobs."""
    address = read_address(node, params.address)
    _, (points, is_complete) = await asyncio.to_thread(read_at_tip, node, lambda: replay_reputation(node, address))
    return ReputationHistoryModel(
        points=[
            ReputationPointModel(height=point.height, merit=str(max(0, point.merit)), reputation=str(point.reputation))
            for point in points
        ],
        is_complete=is_complete,
    )
