"""state_supply: what was minted and burned, and what exists."""

from typing import Annotated

from pydantic import Field

from inos.consensus.state import compute_supply
from inos.rpc.lookup import read_at_tip
from inos.rpc.method import method
from inos.rpc.methods.state.audit import audit
from inos.rpc.models.values import BlockHeight, Hash, Model, NanoAmount
from inos.rpc.ports import NodePort


class SupplyParams(Model):
    audit: Annotated[bool, Field(description="True to add up every record of the state and compare the sum.")] = False


class SupplyModel(Model):
    """The credits in existence: minted - burned = supply, which is also the sum of all balances, bonds and escrows."""

    minted: Annotated[NanoAmount, Field(description="What was minted since genesis, genesis included.")]
    burned: Annotated[NanoAmount, Field(description="What was burned since genesis.")]
    supply: Annotated[NanoAmount, Field(description="minted - burned.")]
    escrowed: Annotated[NanoAmount, Field(description="The rewards of jobs that are neither settled nor cancelled.")]
    height: Annotated[BlockHeight, Field(description="The height of the tip.")]
    block: Annotated[Hash, Field(description="The id of the tip.")]
    sum_of_records: Annotated[
        NanoAmount | None, Field(description="The sum of all balances, bonds and escrows; null without `audit`.")
    ]
    is_conserved: Annotated[bool | None, Field(description="True if that sum is the supply; null without `audit`.")]


@method("state_supply", timeout_s=120.0)
async def state_supply(node: NodePort, params: SupplyParams) -> SupplyModel:
    """Return what was minted and burned since genesis, and what exists. With `audit`, add up every record."""
    tip, market = read_at_tip(node, lambda: node.ledger.state.get_market())
    total: int | None = None
    if params.audit:
        tip, market, total = await audit(node)
    supply = compute_supply(market)
    return SupplyModel(
        minted=str(market.minted),
        burned=str(market.burned),
        supply=str(supply),
        escrowed=str(market.escrowed),
        height=tip.header.height,
        block=tip.id.hex(),
        sum_of_records=None if total is None else str(total),
        is_conserved=None if total is None else total == supply,
    )
