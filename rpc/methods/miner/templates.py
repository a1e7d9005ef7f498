"""miner_template and miner_submit: mining by programs outside the node."""

from typing import Annotated, Any, TypeVar

from pydantic import Field

from inos.primitives.blocks import compute_difficulty, get_target
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.matrices import Seal, Witness
from inos.primitives.units import Address, BlockId
from inos.rpc import errors
from inos.rpc.errors import RpcError, make_invalid_param
from inos.rpc.method import Example, method
from inos.rpc.ports import NodePort
from inos.rpc.render import make_renderer, read_address
from inos.rpc.schemas import AddressText, Count, HeightNumber, Hex, Hex32, Model, NumberText

MAX_WAIT_S = 60.0
MAX_SEAL_BYTES = 1024
MAX_WITNESS_BYTES = 64 * 1024

T = TypeVar("T")


class TemplateParams(Model):
    beneficiary: Annotated[
        AddressText | None, Field(description="Who earns the block; the node's own beneficiary without.")
    ] = None
    known_tip: Annotated[
        Hex32 | None, Field(description="Answer only once the tip is another than this, or the time is over.")
    ] = None
    wait_s: Annotated[float, Field(ge=0, le=MAX_WAIT_S, description="Longest to wait past known_tip.")] = 30.0


class TemplateModel(Model):
    """A block without nonce and seal. anchor = H("anchor", header with a nonce, without its last field)."""

    id: Annotated[Hex32, Field(description="Hand it in with the win.")]
    parent: Hex32
    height: HeightNumber
    header: Annotated[Hex, Field(description="Canonical encoding, nonce 0 and seal null.")]
    allowed_target: Annotated[Hex32, Field(description="A digest wins that is at most this.")]
    difficulty: Annotated[NumberText, Field(description="Nominal number of tickets per block.")]
    beneficiary: AddressText
    transactions: Count


class SubmitParams(Model):
    template: Annotated[Hex32, Field(description="The template's id.")]
    nonce: Annotated[int, Field(ge=0, lt=1 << 64)]
    seal: Annotated[Hex, Field(max_length=2 * MAX_SEAL_BYTES, description="Canonical encoding of the seal.")]
    witness: Annotated[Hex, Field(max_length=2 * MAX_WITNESS_BYTES, description="Canonical encoding of the witness.")]


class SubmitModel(Model):
    block: Hex32
    is_connected: Annotated[bool, Field(description="False where another block was first: the win came too late.")]


@method("miner_template", timeout_s=MAX_WAIT_S + 15, examples=(Example("the node's own", {}),))
async def miner_template(node: NodePort, params: TemplateParams) -> TemplateModel:
    """A block to mine on the present tip, for any program that multiplies.

    Draw it under any nonce: multiply operands with the anchor of the header, and hand a winning ticket to
    miner_submit. With known_tip it answers as soon as there is work on a new tip.
    """
    beneficiary = _choose_beneficiary(node, params.beneficiary)
    if params.known_tip is not None:
        await node.templates.wait_tip(BlockId(bytes.fromhex(params.known_tip)), params.wait_s)
    offer = await node.templates.make_offer(beneficiary)
    header = offer.template.header
    return TemplateModel(
        id=offer.id.hex(),
        parent=header.parent.hex(),
        height=header.height,
        header=encode(header).hex(),
        allowed_target=offer.template.allowed_target.to_bytes(32, "big").hex(),
        difficulty=str(compute_difficulty(get_target(header))),
        beneficiary=make_renderer(node).address(beneficiary),
        transactions=len(offer.template.transactions),
    )


@method("miner_submit")
async def miner_submit(node: NodePort, params: SubmitParams) -> SubmitModel:
    """Hand in a winning ticket of a template; the block's id."""
    block, outcome = await node.templates.submit(
        BlockId(bytes.fromhex(params.template)),
        params.nonce,
        _decode(Seal, params.seal, "seal", MAX_SEAL_BYTES),
        _decode(Witness, params.witness, "witness", MAX_WITNESS_BYTES),
    )
    return SubmitModel(block=block.hex(), is_connected=block in outcome.connected)


def _choose_beneficiary(node: NodePort, text: str | None) -> Address:
    if text is not None:
        return read_address(node, text, "beneficiary")
    if node.miner is None:
        raise RpcError(
            errors.UNAVAILABLE,
            "no-beneficiary",
            "this node does not mine, so it has nobody to mine for",
            hint="give the address to earn the block as beneficiary",
        )
    return node.miner.get_status().beneficiary


def _decode(kind: type[T], text: str, name: str, limit: int) -> T:
    try:
        value: Any = decode(kind, bytes.fromhex(text), limit=limit)
    except CodecError as error:
        raise make_invalid_param(name, f"cannot be read: {error.message}") from error
    return value  # type: ignore[no-any-return]
