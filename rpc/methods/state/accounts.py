"""state_*: what the tip's state holds."""

from typing import Annotated

from pydantic import Field

from inos.consensus.records import StateKey, account_key
from inos.consensus.state import compute_reputation, compute_supply
from inos.consensus.statetree import StateProof
from inos.primitives.blocks import Header
from inos.primitives.units import BlockId, Height
from inos.rpc.lookup import read_at_tip
from inos.rpc.method import method
from inos.rpc.methods.state.audit import audit
from inos.rpc.ports import NodePort
from inos.rpc.render import make_renderer, read_address
from inos.rpc.schemas import AddressText, Count, HeightNumber, Hex, Hex32, Model, NanoText, NumberText


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
    reputation: Annotated[NumberText, Field(description="Tickets, halvings up to the tip done.")]
    open_claims: Count
    height: HeightNumber
    block: Hex32
    proof: ProofModel | None


class SupplyParams(Model):
    audit: Annotated[bool, Field(description="Add up every record of the state, instead of trusting the market.")] = (
        False
    )


class SupplyModel(Model):
    """Credits in existence: minted - burned = supply, and so is the sum over all accounts, bonds and escrows."""

    minted: NanoText
    burned: NanoText
    supply: NanoText
    escrowed: NanoText
    height: HeightNumber
    block: Hex32
    sum_of_records: Annotated[NanoText | None, Field(description="With audit only.")]
    is_conserved: Annotated[bool | None, Field(description="With audit only: whether the sum is the supply.")]


@method("state_getAccount")
async def state_get_account(node: NodePort, params: AccountParams) -> AccountModel:
    """Balance, nonce and reputation of an address at the tip, with a Merkle proof when asked."""
    address = read_address(node, params.address)
    key = account_key(address)
    tip, (account, next_nonce, proven) = read_at_tip(
        node,
        lambda: (
            node.ledger.state.get_account(address),
            node.mempool.next_nonce(address, node.ledger.state),
            node.ledger.prove(key) if params.prove else None,
        ),
    )
    return AccountModel(
        address=make_renderer(node).address(address),
        nonce=account.nonce,
        pending_nonce=next_nonce,
        balance=str(account.balance),
        bonded=str(account.bonded),
        reputation=str(compute_reputation(node.params, account, Height(tip.header.height))),
        open_claims=account.open_claims,
        height=tip.header.height,
        block=tip.id.hex(),
        proof=None if proven is None else render_proof(key, tip.id, tip.header, *proven),
    )


@method("state_supply", timeout_s=120.0)
async def state_supply(node: NodePort, params: SupplyParams) -> SupplyModel:
    """What was minted and burned since genesis, and what exists. With `audit` every record is added up."""
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


def render_proof(key: StateKey, block: BlockId, header: Header, value: bytes | None, proof: StateProof) -> ProofModel:
    """A proof in hex."""
    return ProofModel(
        key=key.hex(),
        value=None if value is None else value.hex(),
        state_root=header.state_root.hex(),
        block=block.hex(),
        siblings=[sibling.hex() for sibling in proof.siblings],
        other_path=None if proof.other is None else proof.other.path.hex(),
        other_value=None if proof.other is None else proof.other.value.hex(),
    )
