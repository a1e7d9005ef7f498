"""light_witnesses, light_finalityProofs and light_prove: what a light client checks, as bytes."""

from typing import Annotated, Final

from pydantic import Field

from inos.consensus.records import StateKey
from inos.primitives.codec import encode
from inos.primitives.units import BlockId
from inos.rpc.errors import NOT_FOUND, RpcError, make_not_found
from inos.rpc.method import Example, method
from inos.rpc.models.chain import StateProofModel
from inos.rpc.models.render import render_proof
from inos.rpc.models.values import Hash, HexBytes, HexText, Model
from inos.rpc.ports import NodePort

MAX_WITNESSES: Final = 16
MAX_PROOFS: Final = 16
MAX_KEY_DIGITS: Final = 256


class WitnessesParams(Model):
    blocks: Annotated[list[Hash], Field(min_length=1, max_length=MAX_WITNESSES, description="The ids of the blocks.")]


class WitnessesModel(Model):
    """The witnesses of blocks' seals, about 33 KB each."""

    witnesses: Annotated[
        list[HexBytes | None],
        Field(description="Canonical encodings, in the order of the request; null if this node does not keep one."),
    ]


class FinalityProofsParams(Model):
    first: Annotated[int, Field(ge=0, le=2**63 - 1, description="The first epoch whose checkpoint is proven.")] = 1


class FinalityProofsModel(Model):
    """The proofs that checkpoints are justified. docs/decisions/0068-following-finality.md explains them."""

    proofs: Annotated[
        list[HexBytes],
        Field(
            description=f"Canonical encodings, in the order of the epochs. If there are {MAX_PROOFS}, there are more."
        ),
    ]


class StateProofParams(Model):
    key: Annotated[
        HexText,
        Field(max_length=MAX_KEY_DIGITS, description="The state key: one byte for the kind of record, and the id."),
    ]
    block: Annotated[Hash | None, Field(description="The id of a recent checkpoint; null for the tip.")] = None


@method("light_witnesses")
async def light_witnesses(node: NodePort, params: WitnessesParams) -> WitnessesModel:
    """Return the witnesses that prove blocks' seals."""
    found = [node.ledger.get_witness(BlockId(bytes.fromhex(block))) for block in params.blocks]
    return WitnessesModel(witnesses=[None if each is None else encode(each).hex() for each in found])


@method("light_finalityProofs", examples=(Example("from the first epoch on", {"first": 1}),))
async def light_finality_proofs(node: NodePort, params: FinalityProofsParams) -> FinalityProofsModel:
    """Return the best chain's finality proofs from an epoch on, which prove checkpoints without executing blocks."""
    return FinalityProofsModel(proofs=[encode(each).hex() for each in node.ledger.list_steps(params.first, MAX_PROOFS)])


@method("light_prove")
async def light_prove(node: NodePort, params: StateProofParams) -> StateProofModel:
    """Prove the value or the absence of a state record, against the state root of a recent checkpoint or the tip."""
    key = StateKey(bytes.fromhex(params.key))
    if params.block is None:
        reader = node.ledger.reader
        return render_proof(key, reader.tip.id, reader.tip.header, *reader.prove(key))
    block = BlockId(bytes.fromhex(params.block))
    header = node.ledger.get_header(block)
    if header is None:
        raise make_not_found("block", params.block)
    found = await node.past_states.prove(block, key)
    if found is None:
        raise RpcError(
            NOT_FOUND,
            "state-not-kept",
            f"this node does not keep the state after block {params.block}",
            hint="nodes keep the states after recent checkpoints; name a later one",
        )
    return render_proof(key, block, header, *found)
