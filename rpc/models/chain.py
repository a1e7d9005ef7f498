"""Models of headers, seals, checkpoints and state proofs."""

from typing import Annotated

from pydantic import Field

from inos.primitives.units import U32_MAX
from inos.rpc.models.values import (
    AccountAddress,
    BigInteger,
    BlockFinality,
    BlockHeight,
    Count,
    Hash,
    HexBytes,
    Model,
    UnixMs,
)


class MatrixRefModel(Model):
    """A reference to a matrix by its content: the id commits to data type, dimensions and the root over its strips."""

    id: Annotated[Hash, Field(description="The matrix's id.")]
    rows: Annotated[Count, Field(description="The number of rows.")]
    cols: Annotated[Count, Field(description="The number of columns.")]
    root: Annotated[Hash, Field(description="The Merkle root over the matrix's strips of 16 rows.")]


class SealModel(Model):
    """The winning ticket (i, j, p) of the product of x and w, and its digest."""

    x: Annotated[MatrixRefModel, Field(description="The left operand X.")]
    w: Annotated[MatrixRefModel, Field(description="The right operand W; the product is X times W transposed.")]
    i: Annotated[int, Field(ge=0, le=U32_MAX, description="The index of the strip of 16 rows of X.")]
    j: Annotated[int, Field(ge=0, le=U32_MAX, description="The index of the strip of 16 rows of W.")]
    p: Annotated[int, Field(ge=0, le=U32_MAX, description="The index of the panel of 1024 columns of both.")]
    digest: Annotated[Hash, Field(description="The ticket's digest; it is at most the target.")]


class HeaderModel(Model):
    """A block's header, its id, and whether the block is on the best chain and final."""

    id: Annotated[Hash, Field(description="The block's id, which is the hash of the header.")]
    height: Annotated[BlockHeight, Field(description="The block's height.")]
    version: Annotated[int, Field(description="The version of the header's format.")]
    chain_id: Annotated[int, Field(description="The id of the network's chain.")]
    parent: Annotated[Hash, Field(description="The id of the parent block.")]
    time_ms: Annotated[UnixMs, Field(description="The block's time.")]
    tx_root: Annotated[Hash, Field(description="The Merkle root of the block's transactions.")]
    state_root: Annotated[Hash, Field(description="The root of the state after the block.")]
    target: Annotated[Hash, Field(description="The target as a 256-bit big-endian number.")]
    difficulty: Annotated[BigInteger, Field(description="The mean number of tickets per block at this target.")]
    beneficiary: Annotated[AccountAddress, Field(description="The account that gets subsidy and fees.")]
    nonce: Annotated[BigInteger, Field(description="The header's nonce.")]
    seal: Annotated[SealModel | None, Field(description="The proof of work; null in the genesis block only.")]
    finality: Annotated[BlockFinality, Field(description="Says if the block is final.")]
    status: Annotated[
        str, Field(description='"connected" on the best chain; otherwise how much of the block this node has checked.')
    ]
    confirmations: Annotated[
        Count, Field(description="Blocks from this one to the tip, both included; 0 if it is not on the best chain.")
    ]


class CheckpointModel(Model):
    """A checkpoint: the last block of an epoch."""

    epoch: Annotated[Count, Field(description="The epoch that the block ends.")]
    id: Annotated[Hash, Field(description="The block's id.")]


class LinkModel(Model):
    """The content of a vote: if enough weight signs it, the justified source justifies the target."""

    source: Annotated[CheckpointModel, Field(description="A checkpoint that is already justified.")]
    target: Annotated[CheckpointModel, Field(description="The checkpoint that is voted for.")]


class StateProofModel(Model):
    """A Merkle proof of one state record: the path of H("state key", key). docs/protocol.md says how to check it."""

    key: Annotated[HexBytes, Field(description="The record's state key.")]
    value: Annotated[
        HexBytes | None, Field(description="The encoded record; null if the proof shows that there is no such record.")
    ]
    state_root: Annotated[Hash, Field(description="The state root that the proof leads to.")]
    block: Annotated[Hash, Field(description="The id of the block whose header has this state root.")]
    siblings: Annotated[
        list[Hash], Field(description="The hashes beside the path, from just below the root downwards.")
    ]
    other_path: Annotated[
        Hash | None, Field(description="For an absent key, the path of the leaf that is found in its place.")
    ]
    other_value: Annotated[HexBytes | None, Field(description="For an absent key, the value of that leaf.")]
