"""chain_getTransaction."""

from typing import Annotated, Literal

from pydantic import Field

from inos.primitives.codec import encode
from inos.primitives.units import Height, TxId
from inos.rpc.errors import make_not_found
from inos.rpc.lookup import get_confirmations, refuse_removed
from inos.rpc.method import method
from inos.rpc.models.render import make_renderer
from inos.rpc.models.transactions import TransactionModel
from inos.rpc.models.values import BlockFinality, BlockHeight, Count, Hash, HexBytes, Model
from inos.rpc.ports import NodePort


class TransactionParams(Model):
    id: Annotated[Hash, Field(description="The transaction's id.")]


class FoundTransactionModel(Model):
    """A transaction and where it is. `block`, `height` and `index` are null while it is in the pool."""

    tx: Annotated[TransactionModel, Field(description="The transaction.")]
    hex: Annotated[HexBytes, Field(description="Its canonical encoding, of which its id is a hash.")]
    status: Annotated[
        Literal["included", "pending"],
        Field(description='"included": a block of the best chain holds it. "pending": it is in the pool.'),
    ]
    finality: Annotated[BlockFinality, Field(description="Says if the block that holds it is final.")]
    block: Annotated[Hash | None, Field(description="The id of the block that holds it.")]
    height: Annotated[BlockHeight | None, Field(description="The height of that block.")]
    index: Annotated[Count | None, Field(description="Its position in that block, from 0.")]
    confirmations: Annotated[
        Count, Field(description="Blocks from that block to the tip, both included; 0 while it is in the pool.")
    ]


@method("chain_getTransaction")
async def chain_get_transaction(node: NodePort, params: TransactionParams) -> FoundTransactionModel:
    """Return a transaction of the best chain or of this node's pool."""
    tx_id = TxId(bytes.fromhex(params.id))
    renderer = make_renderer(node)
    found = node.ledger.get_transaction(tx_id)
    if found is not None:
        block_id, index, tx = found
        header = node.ledger.get_header(block_id)
        if header is not None:
            return FoundTransactionModel(
                tx=renderer.transaction(tx),
                hex=encode(tx).hex(),
                status="included",
                finality=node.ledger.get_block_finality(Height(header.height)),
                block=block_id.hex(),
                height=header.height,
                index=index,
                confirmations=get_confirmations(node, block_id, header),
            )
    pending = node.mempool.get(tx_id)
    if pending is None:
        position = node.ledger.reader.get_position(tx_id)
        if position is not None:
            refuse_removed(node, position.height)
        raise make_not_found("transaction", params.id)
    return FoundTransactionModel(
        tx=renderer.transaction(pending),
        hex=encode(pending).hex(),
        status="pending",
        finality="none",
        block=None,
        height=None,
        index=None,
        confirmations=0,
    )
