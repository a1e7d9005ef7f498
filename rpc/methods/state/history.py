"""state_getHistory: what moved on an account and why, as the ledger recorded it with each block."""

import re
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from inos.chain.ledger import HistoryEntry
from inos.consensus.movements import PLACE_END, Movement, Reason
from inos.primitives.units import U32_MAX, BlockId, Height
from inos.rpc.errors import make_invalid_param
from inos.rpc.method import method
from inos.rpc.ports import NodePort
from inos.rpc.render import KINDS, Renderer, make_renderer, read_address
from inos.rpc.schemas import AddressText, HeightNumber, Hex32, Model, NanoText, SignedNanoText, TxKind

MAX_HISTORY: Final = 1000
CURSOR: Final = re.compile(r"(?P<height>[0-9]{1,18})-(?P<place>[0-9]{1,10})")
EntryKind = TxKind | Literal["genesis", "block_start", "block_reward"]


class HistoryParams(Model):
    address: AddressText
    limit: Annotated[int, Field(ge=1, le=MAX_HISTORY)] = 20
    before: Annotated[str | None, StringConstraints(max_length=200), Field(description="`next` of a page.")] = None


class MovementModel(Model):
    """One change of the account."""

    reason: Annotated[str, Field(json_schema_extra={"enum": [reason.name.lower() for reason in Reason]})]
    balance: SignedNanoText
    bonded: SignedNanoText
    counterparty: Annotated[AddressText | None, Field(description="The account at the other end.")]
    job: Hex32 | None


class EntryModel(Model):
    """What a transaction, a block's start or a block's reward moved on the account; nothing where it only concerns it.

    At a block's start claims lapse and results are paid.
    """

    id: Annotated[Hex32, Field(description="Of the transaction; of the block where no transaction moved it.")]
    height: HeightNumber
    block: Hex32
    time_ms: int
    kind: EntryKind
    balance: Annotated[SignedNanoText, Field(description="Sum of the movements, the fee included.")]
    bonded: SignedNanoText
    fee: Annotated[NanoText, Field(description="What of it is the transaction's fee; 0 where another account paid.")]
    movements: Annotated[list[MovementModel], Field(description="In the order in which they were made.")]


class HistoryPage(Model):
    """Newest first. The sums over all pages are what the account has, if the node executed every block."""

    entries: list[EntryModel]
    next: Annotated[str | None, Field(description="Pass as `before` for the next page; null at the end.")]


@method("state_getHistory")
async def state_get_history(node: NodePort, params: HistoryParams) -> HistoryPage:
    """What moved on an address on the best chain and why, newest first, a page at a time."""
    address = read_address(node, params.address)
    before = None if params.before is None else read_cursor(params.before)
    found = list(node.ledger.get_history(address, before=before, limit=params.limit + 1))
    entries = [render_entry(node, entry) for entry in found[: params.limit]]
    is_last = len(found) <= params.limit
    return HistoryPage(
        entries=[entry for entry in entries if entry is not None],
        next=None if is_last else write_cursor(found[params.limit - 1]),
    )


def render_entry(node: NodePort, entry: HistoryEntry) -> EntryModel | None:
    """None where a reorganisation took it off the chain between two reads."""
    block_id = node.ledger.get_block_id(entry.height)
    header = None if block_id is None else node.ledger.get_header(block_id)
    kind = None if block_id is None else _get_kind(node, entry, block_id)
    if block_id is None or header is None or kind is None:
        return None
    fee = sum(movement.amount for movement in entry.movements if movement.reason is Reason.FEE)
    return EntryModel(
        id=(entry.tx_id or block_id).hex(),
        height=entry.height,
        block=block_id.hex(),
        time_ms=header.time_ms,
        kind=kind,
        balance=str(sum(movement.balance for movement in entry.movements)),
        bonded=str(sum(movement.bonded for movement in entry.movements)),
        fee=str(fee),
        movements=[_render_movement(make_renderer(node), movement) for movement in entry.movements],
    )


def _get_kind(node: NodePort, entry: HistoryEntry, block: BlockId) -> EntryKind | None:
    """None for a transaction that is not in that block any more."""
    if entry.tx_id is not None:
        found = node.ledger.get_transaction(entry.tx_id)
        return None if found is None or found[0] != block else KINDS[type(found[2].payload)]
    if entry.place == PLACE_END:
        return "block_reward"
    return "block_start" if entry.height else "genesis"


def _render_movement(renderer: Renderer, movement: Movement) -> MovementModel:
    return MovementModel(
        reason=movement.reason.name.lower(),
        balance=str(movement.balance),
        bonded=str(movement.bonded),
        counterparty=None if movement.counterparty is None else renderer.address(movement.counterparty),
        job=None if movement.job is None else movement.job.hex(),
    )


def read_cursor(text: str) -> tuple[Height, int]:
    """Where a page ended, from the text a page's `next` was.

    Raises:
        RpcError: invalid params.
    """
    match = CURSOR.fullmatch(text)
    if match is None or int(match["place"]) > U32_MAX:
        raise make_invalid_param("before", f"{text!r} is not the `next` of a page", code="bad-cursor")
    return Height(int(match["height"])), int(match["place"])


def write_cursor(entry: HistoryEntry) -> str:
    """The text for `before` of the page that follows."""
    return f"{entry.height}-{entry.place}"
