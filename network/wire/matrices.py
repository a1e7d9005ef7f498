"""Matrices are requested by id: in runs of strips to be stored, in single strips to prove that a node has them."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.network.wire.base import Reply, Request
from inos.primitives.matrices import MAX_RESULT_PATH, STRIP_BYTES, U32, DType, Hash32

MAX_STRIPS: Final = 16
MAX_RUN_BYTES: Final = 64 * STRIP_BYTES
"""A run has this size, as in inos.mesh.runs: 1 MiB."""
MAX_RUNS: Final = 2**26


class GetMatrix(Request, frozen=True, tag=13):
    """Requests the head of a matrix by its id."""

    id: Hash32


class MatrixHead(Reply, frozen=True, tag=14):
    """Tells type, dimensions and root of a matrix; the id is their hash, so that a wrong head is detected at once."""

    dtype: DType
    rows: U32
    cols: U32
    root: Hash32


class GetStrips(Request, frozen=True, tag=15):
    """Requests `count` strips from `first` on, in leaf order."""

    id: Hash32
    first: U32
    count: Annotated[int, Meta(ge=1, le=MAX_STRIPS)]


class Strip(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Holds 16 rows x 1024 bytes with the path to the matrix's root."""

    data: Annotated[bytes, Meta(min_length=STRIP_BYTES, max_length=STRIP_BYTES)]
    path: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_RESULT_PATH)]


class Strips(Reply, frozen=True, tag=16):
    first: U32
    strips: Annotated[tuple[Strip, ...], Meta(min_length=1, max_length=MAX_STRIPS)]


class GetRun(Request, frozen=True, tag=40):
    """Requests the strips from 64 x `index` on, 64 of them or as many as there are."""

    id: Hash32
    index: Annotated[int, Meta(ge=0, lt=MAX_RUNS)]


class RunData(Reply, frozen=True, tag=41):
    """Carries one run, its strips one after the other, with one path from the root of its subtree to the
    matrix's root."""

    index: Annotated[int, Meta(ge=0, lt=MAX_RUNS)]
    data: Annotated[bytes, Meta(min_length=STRIP_BYTES, max_length=MAX_RUN_BYTES)]
    path: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_RESULT_PATH)]


class OfferCopy(Request, frozen=True, tag=42):
    """Asks the receiver to keep a copy of a matrix that the sender has and too few others have."""

    dtype: DType
    rows: U32
    cols: U32
    root: Hash32


class CopyAnswer(Reply, frozen=True, tag=43):
    """Says whether the sender has the matrix or fetches it now."""

    is_taken: bool
