"""Functions that find blocks by name, and that read the state of one block while others are connected."""

from collections.abc import Callable
from typing import Final, TypeVar

from inos.chain.ledger import Tip
from inos.chain.view import BlockFinality
from inos.primitives.blocks import Header
from inos.primitives.units import BlockId, Height
from inos.rpc.errors import BUSY, NOT_FOUND, RpcError, make_not_found
from inos.rpc.ports import NodePort

CONSISTENT_TRIES: Final = 5
T = TypeVar("T")


def find_block_id(node: NodePort, name: int | str) -> BlockId:
    """Return the id of a block that is named by its height on the best chain, its id in hex, or "latest".

    Raises:
        RpcError: "block-unknown" for a height above the tip.
    """
    if name == "latest":
        return node.ledger.tip.id
    if isinstance(name, str):
        return BlockId(bytes.fromhex(name))
    block_id = node.ledger.get_block_id(Height(name)) if name <= node.ledger.tip.header.height else None
    if block_id is None:
        tip = node.ledger.tip.header.height
        raise make_not_found("block", f"at height {name}", hint=f"the chain is at height {tip}")
    return block_id


def refuse_removed(node: NodePort, height: int) -> None:
    """Raise an error if blocks at this height are not here because the node is pruned or began with a later state.

    Raises:
        RpcError: "block-removed".
    """
    first = node.ledger.first_block
    if 0 < height < first:
        raise RpcError(
            NOT_FOUND,
            "block-removed",
            f"this node has the header of block {height}, and bodies from height {first} on",
            hint="it is pruned (--prune), or began with the state of a later block; ask a node that keeps all blocks",
        )


def get_confirmations(node: NodePort, block_id: BlockId, header: Header) -> int:
    """Return the number of blocks from this one to the tip, both included; 0 if it is not on the best chain."""
    if header.height > node.ledger.tip.header.height or node.ledger.get_block_id(Height(header.height)) != block_id:
        return 0
    return node.ledger.tip.header.height - header.height + 1


def get_block_finality(node: NodePort, block_id: BlockId, header: Header) -> BlockFinality:
    """Say whether a block is final or justified; "none" if it is not on the best chain."""
    is_connected = get_confirmations(node, block_id, header) > 0
    return node.ledger.get_block_finality(Height(header.height)) if is_connected else "none"


def read_at_tip(node: NodePort, read: Callable[[], T]) -> tuple[Tip, T]:
    """Return the tip and what `read` returned at it; read again if a block was connected meanwhile.

    Raises:
        RpcError: "tip-moving" if that happened on every try.
    """
    for _ in range(CONSISTENT_TRIES):
        tip = node.ledger.tip
        value = read()
        if node.ledger.tip.id == tip.id:
            return tip, value
    raise make_tip_moving()


def make_tip_moving() -> RpcError:
    """Return the error for a read of several blocks or records that met a new tip on every try."""
    text = "blocks are connected faster than the state can be read"
    return RpcError(BUSY, "tip-moving", text, hint="try again")
