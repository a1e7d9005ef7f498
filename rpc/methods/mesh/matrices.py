"""mesh_*: matrices by content, in and out."""

import asyncio
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import DTYPE_INT7, MAX_ROWS
from inos.primitives.units import MatrixId
from inos.rpc.errors import make_invalid_param, make_not_found
from inos.rpc.method import Example, method
from inos.rpc.methods.mesh.encoding import (
    DtypeName,
    check_answer_size,
    decode_base64,
    encode_matrix,
    read_npy,
    read_raw,
)
from inos.rpc.ports import NodePort
from inos.rpc.schemas import Hex32, Model
from inos.work import InvalidMatrix

MAX_WAIT_S = 60.0
MAX_ANSWER_BYTES = 48 * 2**20

Side = Annotated[int, Field(ge=1, le=MAX_ROWS)]


class PutParams(Model):
    """Either a whole .npy file in `data`, or raw numbers with dtype, rows and cols."""

    data: Annotated[str, Field(min_length=4, description="Base64 of a .npy file, or of row-major little-endian data.")]
    dtype: DtypeName | None = None
    rows: Side | None = None
    cols: Side | None = None

    @model_validator(mode="after")
    def _check_shape(self) -> Self:
        given = [value is not None for value in (self.dtype, self.rows, self.cols)]
        if any(given) and not all(given):
            raise ValueError("dtype, rows and cols go together; leave all of them out for a .npy file")
        return self


class Stored(Model):
    id: Hex32
    dtype: DtypeName
    rows: int
    cols: int
    root: Hex32


class GetParams(Model):
    id: Hex32
    wait_s: Annotated[
        float, Field(ge=0, le=MAX_WAIT_S, description="How long to ask peers for it where it is not here.")
    ] = 0.0


class Fetched(Model):
    id: Hex32
    dtype: DtypeName
    rows: int
    cols: int
    root: Hex32
    data: Annotated[str, Field(description="Base64 of the numbers, row-major, little-endian.")]


@method(
    "mesh_put",
    timeout_s=120.0,
    examples=(Example("a 1 x 4 operand", {"data": "AQID/w==", "dtype": "int8", "rows": 1, "cols": 4}),),
)
async def mesh_put(node: NodePort, params: PutParams) -> Stored:
    """Store a matrix on this node, which then serves it to others by its id.

    int8 is an operand, with entries in -64 .. 63; int32 is a result. Storing it again changes nothing.
    """
    array = await asyncio.to_thread(_read, params)
    try:
        ref = await node.add_matrix(array)
    except InvalidMatrix as error:
        raise make_invalid_param("data", error.message, code=error.code, hint=error.hint) from error
    return Stored(id=ref.id.hex(), dtype=_dtype_name(array), rows=ref.rows, cols=ref.cols, root=ref.root.hex())


@method("mesh_get", timeout_s=MAX_WAIT_S + 60)
async def mesh_get(node: NodePort, params: GetParams) -> Fetched:
    """A matrix by its id, from this node or, with `wait_s`, from its peers."""
    matrix = MatrixId(bytes.fromhex(params.id))
    _check_size(node, matrix)
    try:
        array = await node.fetch_matrix(matrix, params.wait_s)
    except MatrixMissing as error:
        hint = "" if params.wait_s else "pass wait_s to ask peers for it"
        raise make_not_found("matrix", params.id, hint=hint) from error
    _check_size(node, matrix)
    info = node.matrices.info(matrix)
    if info is None:
        raise make_not_found("matrix", params.id, hint="it was dropped while it was read")
    data = await asyncio.to_thread(encode_matrix, array)
    return Fetched(
        id=params.id, dtype=_dtype_name(array), rows=info.rows, cols=info.cols, root=info.root.hex(), data=data
    )


def _read(params: PutParams) -> NDArray[Any]:
    data = decode_base64(params.data)
    if params.dtype is None or params.rows is None or params.cols is None:
        return read_npy(data)
    return read_raw(data, params.dtype, params.rows, params.cols)


def _dtype_name(array: NDArray[Any]) -> DtypeName:
    return "int8" if array.dtype == np.int8 else "int32"


def _check_size(node: NodePort, matrix: MatrixId) -> None:
    info = node.matrices.info(matrix)
    if info is not None:
        size = info.rows * info.cols * (1 if info.dtype == DTYPE_INT7 else 4)
        check_answer_size(size, MAX_ANSWER_BYTES, matrix.hex())
