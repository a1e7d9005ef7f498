"""state_getReputationHistory: an account's reputation over time."""

import asyncio
from typing import Annotated

from pydantic import Field

from inos.rpc.lookup import read_at_tip
from inos.rpc.method import method
from inos.rpc.methods.state.replay import MAX_ENTRIES, replay_reputation
from inos.rpc.models.render import read_address
from inos.rpc.models.values import AccountAddress, BlockHeight, Model, NanoAmount
from inos.rpc.ports import NodePort


class ReputationParams(Model):
    address: Annotated[AccountAddress, Field(description="The account's address.")]


class ReputationPointModel(Model):
    """Reputation after a block that changed it; until the next point it only halves over time."""

    height: Annotated[BlockHeight, Field(description="The height of the block.")]
    reputation: Annotated[NanoAmount, Field(description="The reputation after it.")]


class ReputationHistoryModel(Model):
    """An account's reputation over time."""

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
    """Return the reputation of an account over time, computed again from its jobs."""
    address = read_address(node, params.address)
    _, (points, is_complete) = await asyncio.to_thread(read_at_tip, node, lambda: replay_reputation(node, address))
    return ReputationHistoryModel(
        points=[ReputationPointModel(height=point.height, reputation=str(point.reputation)) for point in points],
        is_complete=is_complete,
    )
