"""state_*: what the tip's state holds."""

from typing import Annotated

from pydantic import Field, StringConstraints

from inos.chain.ledger import HistoryEntry
from inos.consensus.records import StateKey, account_key
from inos.consensus.state import compute_reputation, compute_supply
from inos.consensus.statetree import StateProof
from inos.primitives.blocks import Header
from inos.primitives.transactions import get_sender
from inos.primitives.units import Address, BlockId, Height
from inos.rpc.lookup import read_at_tip
from inos.rpc.method import method
from inos.rpc.methods.state.audit import audit
from inos.rpc.methods.state.movement import describe_movement, read_cursor, write_cursor
from inos.rpc.ports import NodePort
from inos.rpc.render import make_renderer, read_address
from inos.rpc.schemas import AddressText, Count, HeightNumber, Hex, Hex32, Model, NanoText, NumberText

MAX_HISTORY = 1000


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


class HistoryParams(Model):
    address: AddressText
    limit: Annotated[int, Field(ge=1, le=MAX_HISTORY)] = 20
    before: Annotated[str | None, StringConstraints(max_length=200), Field(description="`next` of a page.")] = None


class EntryModel(Model):
    """One transaction as the account saw it, or the reward of a block it won; amount without the fee."""

    id: Annotated[Hex32, Field(description="Of the transaction; of the block for a reward.")]
    height: HeightNumber
    block: Hex32
    time_ms: int
    kind: Annotated[
        str, Field(description="sent, received, post, claim, claimed, result, delivered, cancel or reward.")
    ]
    direction: Annotated[str, Field(description="in, out, self, or empty where no credits of the account moved.")]
    amount: NanoText
    fee: Annotated[NanoText, Field(description="0 where somebody else paid it.")]
    counterparty: AddressText | None


class HistoryPage(Model):
    """Newest first."""

    entries: list[EntryModel]
    next: Annotated[str | None, Field(description="Pass as `before` for the next page; null at the end.")]


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


@method("state_getHistory")
async def state_get_history(node: NodePort, params: HistoryParams) -> HistoryPage:
    """Transactions on the best chain that concern an address, newest first, a page at a time."""
    address = read_address(node, params.address)
    before = None if params.before is None else read_cursor(params.before)
    found = list(node.ledger.get_history(address, before=before, limit=params.limit + 1))
    entries = [render_entry(node, address, place) for place in found[: params.limit]]
    is_last = len(found) <= params.limit
    return HistoryPage(
        entries=[entry for entry in entries if entry is not None],
        next=None if is_last else write_cursor(found[params.limit - 1]),
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


def render_entry(node: NodePort, address: Address, place: HistoryEntry) -> EntryModel | None:
    """None where a reorganisation took it off the chain between two reads."""
    if place.tx_id is None:
        return _render_reward(node, place.height)
    found = node.ledger.get_transaction(place.tx_id)
    header = None if found is None else node.ledger.get_header(found[0])
    if found is None or header is None:
        return None
    block_id, _, tx = found
    movement, renderer = describe_movement(tx, address, node.ledger.state), make_renderer(node)
    return EntryModel(
        id=place.tx_id.hex(),
        height=header.height,
        block=block_id.hex(),
        time_ms=header.time_ms,
        kind=movement.kind,
        direction=movement.direction,
        amount=str(movement.amount),
        fee=str(tx.fee if get_sender(tx) == address else 0),
        counterparty=None if movement.counterparty is None else renderer.address(movement.counterparty),
    )


def _render_reward(node: NodePort, height: Height) -> EntryModel | None:
    """Subsidy and fees of a block the account won; None where a reorganisation took the block off."""
    block_id = node.ledger.get_block_id(height)
    header = None if block_id is None else node.ledger.get_header(block_id)
    figures = None if block_id is None else node.ledger.get_figures(block_id)
    if block_id is None or header is None or figures is None:
        return None
    return EntryModel(
        id=block_id.hex(),
        height=height,
        block=block_id.hex(),
        time_ms=header.time_ms,
        kind="reward",
        direction="in",
        amount=str(figures.subsidy + figures.fees),
        fee="0",
        counterparty=None,
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
