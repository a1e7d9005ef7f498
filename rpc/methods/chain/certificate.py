"""chain_getCertificate: a header and its witness as they are hashed, for whoever checks a seal himself."""

from typing import Annotated

from pydantic import Field

from inos.primitives.codec import encode
from inos.rpc.errors import make_not_found
from inos.rpc.lookup import find_block_id
from inos.rpc.method import Example, method
from inos.rpc.methods.chain.blocks import HeaderParams
from inos.rpc.ports import NodePort
from inos.rpc.schemas import HeightNumber, Hex, Hex32, Model


class CertificateModel(Model):
    """docs/protocol.md, section 3, says how it is checked; the explorer does it in the browser."""

    id: Hex32
    height: HeightNumber
    header: Annotated[Hex, Field(description='Canonical encoding: the block\'s id is H("header", these bytes).')]
    witness: Annotated[Hex | None, Field(description="Canonical encoding; null where it was dropped, or for genesis.")]


@method("chain_getCertificate", examples=(Example("the newest block's", {"block": "latest"}),))
async def chain_get_certificate(node: NodePort, params: HeaderParams) -> CertificateModel:
    """A block's header and witness, byte for byte: all it takes to check its seal."""
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
