"""chain_getCertificate: a header and its witness as bytes, for clients that check the seal themselves."""

from typing import Annotated

from pydantic import Field

from inos.primitives.codec import encode
from inos.rpc.errors import make_not_found
from inos.rpc.lookup import find_block_id
from inos.rpc.method import method
from inos.rpc.methods.chain.blocks import HeaderParams
from inos.rpc.models.values import BlockHeight, Hash, HexBytes, Model
from inos.rpc.ports import NodePort


class CertificateModel(Model):
    """A block's certificate. docs/protocol.md, section 3, says how to check it; the explorer does so in the browser."""

    id: Annotated[Hash, Field(description="The block's id.")]
    height: Annotated[BlockHeight, Field(description="The block's height.")]
    header: Annotated[
        HexBytes,
        Field(description='The canonical encoding of the header; the block\'s id is H("header", these bytes).'),
    ]
    witness: Annotated[
        HexBytes | None,
        Field(
            description="The canonical encoding of the witness; null for genesis, or if this node no longer keeps it."
        ),
    ]


@method("chain_getCertificate")
async def chain_get_certificate(node: NodePort, params: HeaderParams) -> CertificateModel:
    """Return a block's header and witness as bytes, which is all that checking its seal requires."""
    block_id = find_block_id(node, params.block)
    header, witness = node.ledger.get_header(block_id), node.ledger.get_witness(block_id)
    if header is None:
        raise make_not_found("block", str(params.block))
    return CertificateModel(
        id=block_id.hex(),
        height=header.height,
        header=encode(header).hex(),
        witness=None if witness is None else encode(witness).hex(),
    )
