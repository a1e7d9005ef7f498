"""state_getAccount."""

from typing import Annotated

from pydantic import Field

from inos.consensus.records import account_key
from inos.consensus.state import compute_reputation
from inos.primitives.units import Height
from inos.rpc.lookup import read_at_tip
from inos.rpc.method import method
from inos.rpc.models.chain import StateProofModel
from inos.rpc.models.render import make_renderer, read_address, render_proof
from inos.rpc.models.values import AccountAddress, BigInteger, BlockHeight, Count, Hash, Model, NanoAmount
from inos.rpc.ports import NodePort


class AccountParams(Model):
    address: Annotated[AccountAddress, Field(description="The account's address.")]
    prove: Annotated[bool, Field(description="True to add a Merkle proof against the tip's state root.")] = False


class AccountModel(Model):
    """An account at the tip. An address that was never used has zeros only."""

    address: Annotated[AccountAddress, Field(description="The account's address.")]
    nonce: Annotated[Count, Field(description="The nonce that its next transaction on the chain must have.")]
    pending_nonce: Annotated[
        Count, Field(description="The nonce to use for a new transaction, after those in the pool.")
    ]
    balance: Annotated[NanoAmount, Field(description="What the account can spend.")]
    bonded: Annotated[NanoAmount, Field(description="What it has in bonds of claims and of its voter.")]
    reputation: Annotated[BigInteger, Field(description="Its reputation in nano, halved up to the tip.")]
    open_claims: Annotated[Count, Field(description="The number of claims that it holds.")]
    height: Annotated[BlockHeight, Field(description="The height of the block whose state this is.")]
    block: Annotated[Hash, Field(description="The id of that block.")]
    proof: Annotated[StateProofModel | None, Field(description="The proof of its record, if it was asked for.")]


@method("state_getAccount")
async def state_get_account(node: NodePort, params: AccountParams) -> AccountModel:
    """Return balance, nonce and reputation of an account at the tip, with a Merkle proof if asked for."""
    address = read_address(node, params.address)
    key = account_key(address)
    tip, (account, next_nonce, proven) = read_at_tip(
        node,
        lambda: (
            node.ledger.state.get_account(address),
            node.mempool.next_nonce(address, node.ledger.state),
            node.ledger.reader.prove(key) if params.prove else None,
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
