"""Finding blocks by what people call them, and reading one block's state while others are connected."""

from collections.abc import Callable
from typing import Final, TypeVar

from inos.chain.ledger import Tip
from inos.chain.view import Standing
from inos.primitives.blocks import Header
from inos.primitives.units import BlockId, Height
from inos.rpc.errors import BUSY, RpcError, make_not_found
from inos.rpc.ports import NodePort

CONSISTENT_TRIES: Final = 5
T = TypeVar("T")


def find_block_id(node: NodePort, name: int | str) -> BlockId:
    """The id of a block by height on the best chain, by hex id, or "latest".

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


def get_confirmations(node: NodePort, block_id: BlockId, header: Header) -> int:
    """Blocks of the best chain from this one to the tip, itself included; 0 off the best chain."""
    if header.height > node.ledger.tip.header.height or node.ledger.get_block_id(Height(header.height)) != block_id:
        return 0
    return node.ledger.tip.header.height - header.height + 1


def get_standing(node: NodePort, block_id: BlockId, header: Header) -> Standing:
    """How settled a block is; "open" off the best chain."""
    is_connected = get_confirmations(node, block_id, header) > 0
    return node.ledger.get_standing(Height(header.height)) if is_connected else "open"


def read_at_tip(node: NodePort, read: Callable[[], T]) -> tuple[Tip, T]:
    """What `read` returns, and the tip it belongs to: read again where a block was connected meanwhile.

    Raises:
        RpcError: "tip-moving" where that happened every time.
    """
    for _ in range(CONSISTENT_TRIES):
        tip = node.ledger.tip
        value = read()
        if node.ledger.tip.id == tip.id:
            return tip, value
    raise make_tip_moving()


def make_tip_moving() -> RpcError:
    """What is read of several blocks or records belonged to different tips, every time."""
    text = "blocks are being connected faster than the state can be read"
    return RpcError(BUSY, "tip-moving", text, hint="try again")
