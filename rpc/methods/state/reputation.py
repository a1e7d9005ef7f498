"""state_getStanding: an account's reputation over time."""

import asyncio
from typing import Annotated

from pydantic import Field

from inos.rpc.lookup import read_at_tip
from inos.rpc.method import method
from inos.rpc.methods.state.standing import MAX_ENTRIES, compute_standing
from inos.rpc.ports import NodePort
from inos.rpc.render import read_address
from inos.rpc.schemas import AddressText, HeightNumber, Model, NanoText


class StandingParams(Model):
    address: AddressText


class StandingPoint(Model):
    """After a block in which it changed; it then halves again and again until the next point."""

    height: HeightNumber
    reputation: NanoText


class StandingModel(Model):
    points: Annotated[list[StandingPoint], Field(description="Oldest first; the last one is the tip.")]
    is_complete: Annotated[
        bool,
        Field(description=f"Whether they lead to what the state holds; at most {MAX_ENTRIES} entries are read."),
    ]


@method("state_getStanding", timeout_s=30.0)
async def state_get_standing(node: NodePort, params: StandingParams) -> StandingModel:
    """Reputation of an address over time, told again from its jobs and lapses."""
    address = read_address(node, params.address)
    _, (points, is_complete) = await asyncio.to_thread(read_at_tip, node, lambda: compute_standing(node, address))
    return StandingModel(
        points=[StandingPoint(height=point.height, reputation=str(point.reputation)) for point in points],
        is_complete=is_complete,
    )
