"""miner_template and miner_submit: mining by programs outside the node."""

from typing import Annotated, Any, Final, TypeVar

from pydantic import Field

from inos.primitives.blocks import compute_difficulty, get_target
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.matrices import Seal, Witness
from inos.primitives.units import Address, BlockId
from inos.rpc import errors
from inos.rpc.errors import RpcError, make_invalid_param
from inos.rpc.method import Example, method
from inos.rpc.models.render import make_renderer, read_address
from inos.rpc.models.values import AccountAddress, BigInteger, BlockHeight, Count, Hash, HexBytes, HexText, Model
from inos.rpc.ports import NodePort

MAX_WAIT_S: Final = 60.0
MAX_SEAL_BYTES: Final = 1024
MAX_WITNESS_BYTES: Final = 64 * 1024

T = TypeVar("T")


class TemplateParams(Model):
    beneficiary: Annotated[
        AccountAddress | None,
        Field(description="The account that the block pays; null for the node's own beneficiary."),
    ] = None
    known_tip: Annotated[
        Hash | None, Field(description="Answer only when the tip is another block than this, or when wait_s is over.")
    ] = None
    wait_s: Annotated[
        float, Field(ge=0, le=MAX_WAIT_S, description="The most seconds to wait for a tip other than known_tip.")
    ] = 30.0

    @property
    def is_waiting(self) -> bool:
        return self.known_tip is not None and self.wait_s > 0


class BlockTemplateModel(Model):
    """A block without nonce and seal. The anchor is H("anchor", the header with a nonce and without its last field)."""

    id: Annotated[Hash, Field(description="The template's id, for miner_submit.")]
    parent: Annotated[Hash, Field(description="The id of the parent block, which is the tip.")]
    height: Annotated[BlockHeight, Field(description="The block's height.")]
    header: Annotated[HexBytes, Field(description="The canonical encoding of the header with nonce 0 and no seal.")]
    allowed_target: Annotated[
        Hash, Field(description="A ticket wins if its digest is at most this 256-bit big-endian number.")
    ]
    difficulty: Annotated[BigInteger, Field(description="The mean number of tickets per block.")]
    beneficiary: Annotated[AccountAddress, Field(description="The account that the block pays.")]
    transactions: Annotated[Count, Field(description="The number of transactions in the block.")]


class SubmitParams(Model):
    template: Annotated[Hash, Field(description="The template's id.")]
    nonce: Annotated[int, Field(ge=0, lt=1 << 64, description="The nonce of the header.")]
    seal: Annotated[HexText, Field(max_length=2 * MAX_SEAL_BYTES, description="The canonical encoding of the seal.")]
    witness: Annotated[
        HexText, Field(max_length=2 * MAX_WITNESS_BYTES, description="The canonical encoding of the witness.")
    ]


class SubmittedBlockModel(Model):
    """A block made from a template and a winning ticket."""

    block: Annotated[Hash, Field(description="The block's id.")]
    is_connected: Annotated[bool, Field(description="False if another block of this height came first.")]


@method(
    "miner_template",
    timeout_s=MAX_WAIT_S + 15,
    examples=(Example("for an account of a devnet", {"beneficiary": "dinos1rl4clmar7n0406x5ur40v2h9ds4tlf2u9pd5kr"}),),
)
async def miner_template(node: NodePort, params: TemplateParams) -> BlockTemplateModel:
    """Return a block to mine on the tip, for any program that multiplies.

    Choose a nonce, multiply operands with the anchor of the header, and pass a winning ticket to miner_submit. With
    known_tip, the answer comes when there is a new tip.
    """
    beneficiary = _choose_beneficiary(node, params.beneficiary)
    if params.known_tip is not None:
        await node.templates.wait_tip(BlockId(bytes.fromhex(params.known_tip)), params.wait_s)
    offer = await node.templates.issue(beneficiary)
    header = offer.template.header
    return BlockTemplateModel(
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
async def miner_submit(node: NodePort, params: SubmitParams) -> SubmittedBlockModel:
    """Submit a winning ticket of a template, and return the block's id."""
    block, outcome = await node.templates.submit(
        BlockId(bytes.fromhex(params.template)),
        params.nonce,
        _decode(Seal, params.seal, "seal", MAX_SEAL_BYTES),
        _decode(Witness, params.witness, "witness", MAX_WITNESS_BYTES),
    )
    return SubmittedBlockModel(block=block.hex(), is_connected=block in outcome.connected)


def _choose_beneficiary(node: NodePort, text: str | None) -> Address:
    if text is not None:
        return read_address(node, text, "beneficiary")
    if node.miner is None:
        raise RpcError(
            errors.UNAVAILABLE,
            "no-beneficiary",
            "this node does not mine, so there is no default beneficiary",
            hint="give the address that the block should pay as beneficiary",
        )
    return node.miner.get_status().beneficiary


def _decode(kind: type[T], text: str, name: str, limit: int) -> T:
    try:
        value: Any = decode(kind, bytes.fromhex(text), limit=limit)
    except CodecError as error:
        raise make_invalid_param(name, f"cannot be decoded: {error.message}") from error
    return value  # type: ignore[no-any-return]
