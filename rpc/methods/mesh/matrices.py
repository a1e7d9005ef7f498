"""mesh_put and mesh_get: whole matrices, by id."""

import asyncio
from typing import Annotated, Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import MAX_ROWS, DType
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
from inos.rpc.models.values import Count, Hash, MatrixDtype, Model
from inos.rpc.ports import NodePort
from inos.work import InvalidMatrix

MAX_WAIT_S: Final = 60.0
MAX_ANSWER_BYTES: Final = 48 * 2**20

Side = Annotated[int, Field(ge=1, le=MAX_ROWS)]


class PutParams(Model):
    """Either a whole .npy file in `data`, or raw numbers with dtype, rows and cols."""

    data: Annotated[
        str, Field(min_length=4, description="Base64 of a .npy file, or of the entries, row-major and little-endian.")
    ]
    dtype: Annotated[MatrixDtype | None, Field(description="The data type; null for a .npy file.")] = None
    rows: Annotated[Side | None, Field(description="The number of rows; null for a .npy file.")] = None
    cols: Annotated[Side | None, Field(description="The number of columns; null for a .npy file.")] = None

    @model_validator(mode="after")
    def _check_shape(self) -> Self:
        given = [value is not None for value in (self.dtype, self.rows, self.cols)]
        if any(given) and not all(given):
            raise ValueError("dtype, rows and cols belong together; leave all of them out for a .npy file")
        return self


class MatrixInfoModel(Model):
    """What a matrix's id commits to."""

    id: Annotated[Hash, Field(description="The matrix's id.")]
    dtype: Annotated[MatrixDtype, Field(description="The data type.")]
    rows: Annotated[Count, Field(description="The number of rows.")]
    cols: Annotated[Count, Field(description="The number of columns.")]
    root: Annotated[Hash, Field(description="The Merkle root over the matrix's strips of 16 rows.")]


class MatrixDataModel(MatrixInfoModel):
    """A matrix with its entries."""

    data: Annotated[str, Field(description="Base64 of the entries, row-major and little-endian.")]


class GetParams(Model):
    id: Annotated[Hash, Field(description="The matrix's id.")]
    wait_s: Annotated[
        float,
        Field(
            ge=0, le=MAX_WAIT_S, description="Seconds to request the matrix from peers if this node does not have it."
        ),
    ] = 0.0

    @property
    def is_waiting(self) -> bool:
        return self.wait_s > 0


@method(
    "mesh_put",
    timeout_s=120.0,
    examples=(Example("a 1 x 4 operand", {"data": "AQID/w==", "dtype": "int8", "rows": 1, "cols": 4}),),
)
async def mesh_put(node: NodePort, params: PutParams) -> MatrixInfoModel:
    """Store a matrix on this node, which then serves it to other nodes by its id.

    Storing a matrix again changes nothing.
    """
    array = await asyncio.to_thread(_read, params)
    try:
        ref = await node.matrices.put(array)
    except InvalidMatrix as error:
        raise make_invalid_param("data", error.message, code=error.code, hint=error.hint) from error
    return MatrixInfoModel(id=ref.id.hex(), dtype=_dtype_name(array), rows=ref.rows, cols=ref.cols, root=ref.root.hex())


@method("mesh_get", timeout_s=MAX_WAIT_S + 60)
async def mesh_get(node: NodePort, params: GetParams) -> MatrixDataModel:
    """Return a matrix by its id, from this node or, with `wait_s`, from its peers."""
    matrix = MatrixId(bytes.fromhex(params.id))
    _check_size(node, matrix)
    try:
        array = await node.matrices.fetch(matrix, params.wait_s)
    except MatrixMissing as error:
        hint = "" if params.wait_s else "pass wait_s to request it from peers"
        raise make_not_found("matrix", params.id, hint=hint) from error
    _check_size(node, matrix)
    info = node.matrices.store.info(matrix)
    if info is None:
        raise make_not_found("matrix", params.id, hint="it was deleted while it was read")
    data = await asyncio.to_thread(encode_matrix, array)
    return MatrixDataModel(
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
    info = node.matrices.store.info(matrix)
    if info is not None:
        size = info.rows * info.cols * (1 if info.dtype == DType.INT7 else 4)
        check_answer_size(size, MAX_ANSWER_BYTES, matrix.hex())
