"""state_getHistory: what changed on an account and why, as the ledger recorded it with each block."""

import re
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints
from typing_extensions import TypeAliasType

from inos.chain.ledger import HistoryEntry
from inos.consensus.movements import PLACE_END, Movement, Reason
from inos.primitives.units import U32_MAX, BlockId, Height
from inos.rpc.errors import make_invalid_param
from inos.rpc.method import method
from inos.rpc.models.render import KINDS, Renderer, make_renderer, read_address
from inos.rpc.models.values import (
    AccountAddress,
    BlockHeight,
    Hash,
    Model,
    NanoAmount,
    NanoChange,
    TransactionKind,
    UnixMs,
)
from inos.rpc.ports import NodePort

MAX_HISTORY: Final = 1000
CURSOR: Final = re.compile(r"(?P<height>[0-9]{1,18})-(?P<place>[0-9]{1,10})")

HistoryEntryKind = TypeAliasType(
    "HistoryEntryKind",
    Annotated[
        TransactionKind | Literal["genesis", "block_start", "block_reward"],
        Field(
            description='The transaction\'s kind, or: "genesis": the genesis block allocated credits. "block_start": '
            'claims lapsed or results were paid at the start of a block. "block_reward": the account mined the block.'
        ),
    ],
)
MovementReason = TypeAliasType(
    "MovementReason",
    Annotated[
        str,
        Field(
            json_schema_extra={"enum": [reason.name.lower() for reason in Reason]},
            description="Why an account's balance or bonds changed.",
        ),
    ],
)


class HistoryParams(Model):
    address: Annotated[AccountAddress, Field(description="The account's address.")]
    limit: Annotated[int, Field(ge=1, le=MAX_HISTORY, description="The most entries to return.")] = 20
    before: Annotated[
        str | None,
        StringConstraints(max_length=200),
        Field(description="The `next` of the page before; null for the first page."),
    ] = None


class MovementModel(Model):
    """One change of an account's balance or bonds."""

    reason: Annotated[MovementReason, Field(description="Why it changed.")]
    balance: Annotated[NanoChange, Field(description="The change of the balance.")]
    bonded: Annotated[NanoChange, Field(description="The change of the bonds.")]
    counterparty: Annotated[AccountAddress | None, Field(description="The account at the other end, if there is one.")]
    job: Annotated[Hash | None, Field(description="The id of the job that it is about, if any.")]


class HistoryEntryModel(Model):
    """What a transaction, the start of a block or its reward changed on the account.

    A transaction that concerns the account without a change has no movements.
    """

    id: Annotated[Hash, Field(description="The transaction's id; the block's if there is no transaction.")]
    height: Annotated[BlockHeight, Field(description="The height of the block.")]
    block: Annotated[Hash, Field(description="The id of the block.")]
    place: Annotated[
        int,
        Field(
            ge=0,
            le=U32_MAX,
            description="The place in the block: 0 for its start, then the transactions, 4294967295 for its end. "
            "Pages of several accounts merge by height and place, and HEIGHT-PLACE serves as `before`.",
        ),
    ]
    time_ms: Annotated[UnixMs, Field(description="The time of the block.")]
    kind: Annotated[HistoryEntryKind, Field(description="What caused the changes.")]
    balance: Annotated[NanoChange, Field(description="The sum of all changes of the balance, the fee included.")]
    bonded: Annotated[NanoChange, Field(description="The sum of all changes of the bonds.")]
    fee: Annotated[
        NanoAmount, Field(description="The transaction's fee, if the account paid it; 0 if it did not send it.")
    ]
    movements: Annotated[list[MovementModel], Field(description="The changes, in the order in which they were made.")]


class HistoryPageModel(Model):
    """A page of an account's history.

    If the node executed every block, the sums over all pages are the account's balance and bonds.
    """

    entries: Annotated[list[HistoryEntryModel], Field(description="The entries, newest first.")]
    next: Annotated[str | None, Field(description="Pass it as `before` to get the next page; null at the end.")]


@method("state_getHistory")
async def state_get_history(node: NodePort, params: HistoryParams) -> HistoryPageModel:
    """List what changed on an account on the best chain and why, newest first, a page at a time."""
    address = read_address(node, params.address)
    before = None if params.before is None else read_cursor(params.before)
    found = list(node.ledger.reader.get_history(address, before=before, limit=params.limit + 1))
    entries = [render_entry(node, entry) for entry in found[: params.limit]]
    is_last = len(found) <= params.limit
    return HistoryPageModel(
        entries=[entry for entry in entries if entry is not None],
        next=None if is_last else write_cursor(found[params.limit - 1]),
    )


def render_entry(node: NodePort, entry: HistoryEntry) -> HistoryEntryModel | None:
    """Return the model of an entry; None if a reorg removed its block between two reads."""
    block_id = node.ledger.get_block_id(entry.height)
    header = None if block_id is None else node.ledger.get_header(block_id)
    kind = None if block_id is None else _get_kind(node, entry, block_id)
    if block_id is None or header is None or kind is None:
        return None
    fee = sum(movement.amount for movement in entry.movements if movement.reason is Reason.FEE)
    return HistoryEntryModel(
        id=(entry.tx_id or block_id).hex(),
        height=entry.height,
        block=block_id.hex(),
        place=entry.place,
        time_ms=header.time_ms,
        kind=kind,
        balance=str(sum(movement.balance for movement in entry.movements)),
        bonded=str(sum(movement.bonded for movement in entry.movements)),
        fee=str(fee),
        movements=[_render_movement(make_renderer(node), movement) for movement in entry.movements],
    )


def _get_kind(node: NodePort, entry: HistoryEntry, block: BlockId) -> HistoryEntryKind | None:
    """Return the kind of an entry; None for a transaction that is no longer in the block."""
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
    """Return the height and the place at which a page ended, from the text that was its `next`.

    Raises:
        RpcError: "bad-cursor".
    """
    match = CURSOR.fullmatch(text)
    if match is None or int(match["place"]) > U32_MAX:
        raise make_invalid_param("before", f"{text!r} is not the `next` of a page", code="bad-cursor")
    return Height(int(match["height"])), int(match["place"])


def write_cursor(entry: HistoryEntry) -> str:
    """Return the `before` of the page that follows an entry."""
    return f"{entry.height}-{entry.place}"
