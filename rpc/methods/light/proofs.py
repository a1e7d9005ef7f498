"""light_*: what a light client needs, in the bytes it hashes: headers, witnesses, steps of finality, proofs."""

from typing import Annotated, Final

from pydantic import Field

from inos.consensus.records import StateKey
from inos.primitives.codec import encode
from inos.primitives.units import BlockId, Height
from inos.rpc.errors import NOT_FOUND, RpcError, make_not_found
from inos.rpc.lookup import read_at_tip
from inos.rpc.method import Example, method
from inos.rpc.methods.state.accounts import ProofModel, render_proof
from inos.rpc.ports import NodePort
from inos.rpc.schemas import HeightNumber, Hex, Hex32, Model

MAX_HEADERS: Final = 512
MAX_WITNESSES: Final = 16
MAX_STEPS: Final = 16
MAX_KEY_DIGITS: Final = 256


class HeadersParams(Model):
    first: HeightNumber
    limit: Annotated[int, Field(ge=1, le=MAX_HEADERS)] = MAX_HEADERS


class HeadersModel(Model):
    """Of the best chain, in order; the first is at the height asked for."""

    headers: Annotated[list[Hex], Field(description="Canonical encodings; the hash of one is its block's id.")]
    height: Annotated[HeightNumber, Field(description="Of this node's tip.")]


class WitnessesParams(Model):
    blocks: Annotated[list[Hex32], Field(min_length=1, max_length=MAX_WITNESSES)]


class WitnessesModel(Model):
    witnesses: Annotated[list[Hex | None], Field(description="Canonical encodings, null where it is not kept here.")]


class StepsParams(Model):
    first: Annotated[int, Field(ge=0, le=2**63 - 1, description="The first epoch wanted.")] = 1


class StepsModel(Model):
    """How checkpoints were justified, in order: docs/decisions/0068-following-finality.md."""

    steps: Annotated[list[Hex], Field(description=f"Canonical encodings; {MAX_STEPS} of them mean: there are more.")]


class ProveParams(Model):
    key: Annotated[Hex, Field(max_length=MAX_KEY_DIGITS, description="A state key: one byte of kind, and the id.")]
    block: Annotated[Hex32 | None, Field(description="A recent checkpoint; null is the tip.")] = None


@method("light_headers", examples=(Example("the first headers", {"first": 1, "limit": 8}),))
async def light_headers(node: NodePort, params: HeadersParams) -> HeadersModel:
    """Headers of the best chain as bytes, at most 512."""
    height = node.ledger.tip.header.height
    heights = range(params.first, min(height, params.first + params.limit - 1) + 1)
    found = [node.ledger.get_block_id(Height(each)) for each in heights]
    headers = [node.ledger.get_header(block) for block in found if block is not None]
    return HeadersModel(headers=[encode(header).hex() for header in headers if header is not None], height=height)


@method("light_witnesses")
async def light_witnesses(node: NodePort, params: WitnessesParams) -> WitnessesModel:
    """What proves blocks' seals, 33 KB each."""
    found = [node.ledger.get_witness(BlockId(bytes.fromhex(block))) for block in params.blocks]
    return WitnessesModel(witnesses=[None if each is None else encode(each).hex() for each in found])


@method("light_steps", examples=(Example("from the first epoch on", {"first": 1}),))
async def light_steps(node: NodePort, params: StepsParams) -> StepsModel:
    """How finality went on the best chain, from an epoch on: what proves a checkpoint without executing blocks."""
    return StepsModel(steps=[encode(step).hex() for step in node.ledger.list_steps(params.first, MAX_STEPS)])


@method("light_prove")
async def light_prove(node: NodePort, params: ProveParams) -> ProofModel:
    """A state record, or its absence, with the proof against the root of a recent checkpoint's state, or the tip's."""
    key = StateKey(bytes.fromhex(params.key))
    if params.block is None:
        tip, proven = read_at_tip(node, lambda: node.ledger.prove(key))
        return render_proof(key, tip.id, tip.header, *proven)
    block = BlockId(bytes.fromhex(params.block))
    header = node.ledger.get_header(block)
    if header is None:
        raise make_not_found("block", params.block)
    found = await node.prove_past(block, key)
    if found is None:
        raise RpcError(
            NOT_FOUND,
            "state-not-kept",
            f"this node does not keep the state after block {params.block}",
            hint="states are kept after recent checkpoints; ask for a later one",
        )
    return render_proof(key, block, header, *found)
