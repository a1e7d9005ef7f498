"""state_*: what the tip's state holds."""

from typing import Annotated

from pydantic import Field

from consensus.records import account_key
from consensus.state import compute_reputation
from primitives.units import Height
from rpc.method import method
from rpc.ports import NodePort
from rpc.render import make_renderer, read_address
from rpc.schemas import AddressText, Count, HeightNumber, Hex, Hex32, Model, NanoText, NumberText


class AccountParams(Model):
    address: AddressText
    prove: Annotated[bool, Field(description="Add a Merkle proof against the tip's state root.")] = False


class ProofModel(Model):
    """Path of H("state key", key) in the state tree; docs/protocol.md says how to check it."""

    key: Hex
    value: Annotated[Hex | None, Field(description="Encoded record; null proves that there is none.")]
    state_root: Hex32
    block: Hex32
    siblings: list[Hex32]
    other_path: Annotated[Hex32 | None, Field(description="For an absent key: the leaf that stands there instead.")]
    other_value: Hex | None


class AccountModel(Model):
    """An account at the tip. An address never seen has all zeros."""

    address: AddressText
    nonce: Annotated[Count, Field(description="The nonce the next transaction on chain has.")]
    pending_nonce: Annotated[Count, Field(description="The nonce to use next, those in the pool counted.")]
    balance: NanoText
    bonded: NanoText
    merit: Annotated[NumberText, Field(description="Tickets of settled paid work not yet used.")]
    reputation: Annotated[NumberText, Field(description="Tickets, halvings up to the tip done.")]
    open_claims: Count
    height: HeightNumber
    block: Hex32
    proof: ProofModel | None


@method("state_getAccount")
async def state_get_account(node: NodePort, params: AccountParams) -> AccountModel:
    """Balance, nonce, merit and reputation of an address at the tip, with a Merkle proof when asked."""
    address = read_address(node, params.address)
    tip, state = node.ledger.tip, node.ledger.state
    account = state.get_account(address)
    return AccountModel(
        address=make_renderer(node).address(address),
        nonce=account.nonce,
        pending_nonce=node.mempool.next_nonce(address, state),
        balance=str(account.balance),
        bonded=str(account.bonded),
        merit=str(account.merit),
        reputation=str(compute_reputation(node.params, account, Height(tip.header.height))),
        open_claims=account.open_claims,
        height=tip.header.height,
        block=tip.id.hex(),
        proof=None,
    )
