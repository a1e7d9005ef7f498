"""Finding blocks by what people call them."""

from primitives.blocks import Header
from primitives.units import BlockId, Height
from rpc.errors import make_not_found
from rpc.ports import NodePort


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
