"""mesh_put and mesh_get: whole matrices, by id."""

import asyncio
from typing import Annotated, Any, Final, Self, assert_never

from numpy.typing import NDArray
from pydantic import Field, model_validator

from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import MAX_ROWS, MatrixRef
from inos.primitives.units import MatrixId
from inos.rpc.errors import make_invalid_param, make_not_found
from inos.rpc.method import Example, method
from inos.rpc.methods.mesh.encoding import (
    DtypeName,
    check_answer_size,
    decode_base64,
    encode_matrix,
    get_shape,
    name_dtype,
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
    """A whole .npy file of numbers in `data`, or raw numbers with dtype, rows and cols, or any bytes with dtype."""

    data: Annotated[
        str,
        Field(description="Base64 of a .npy file, of the entries, row-major and little-endian, or of a file's bytes."),
    ]
    dtype: Annotated[
        MatrixDtype | None,
        Field(description='The data type; null to read numbers from a .npy file, which "bytes" stores as it is.'),
    ] = None
    rows: Annotated[Side | None, Field(description='The number of rows; null for a .npy file and for "bytes".')] = None
    cols: Annotated[Side | None, Field(description='The number of columns; null for a .npy file and for "bytes".')] = (
        None
    )

    @model_validator(mode="after")
    def _check_shape(self) -> Self:
        given = [value is not None for value in (self.rows, self.cols)]
        if self.dtype in (None, "bytes") and any(given):
            raise ValueError("rows and cols belong to the dtypes int8 and int32; a file's length tells its own")
        if self.dtype not in (None, "bytes") and not all(given):
            raise ValueError("int8 and int32 need rows and cols; leave all three out for a .npy file")
        return self


class MatrixInfoModel(Model):
    """What a matrix's id commits to."""

    id: Annotated[Hash, Field(description="The matrix's id.")]
    dtype: Annotated[MatrixDtype, Field(description="The data type.")]
    rows: Annotated[Count, Field(description="The number of rows.")]
    cols: Annotated[Count, Field(description="The number of columns; of a file: the bytes in its last row of 1024.")]
    root: Annotated[Hash, Field(description="The Merkle root over the matrix's strips of 16 rows.")]
    size: Annotated[Count, Field(description="The bytes of its entries; of a file: its length.")]


class MatrixDataModel(MatrixInfoModel):
    """A matrix with its entries."""

    data: Annotated[
        str, Field(description="Base64 of the entries, row-major and little-endian; of a file: of its bytes.")
    ]


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
    examples=(
        Example("a 1 x 4 operand", {"data": "AQID/w==", "dtype": "int8", "rows": 1, "cols": 4}),
        Example("a file", {"data": "aGVsbG8=", "dtype": "bytes"}),
    ),
)
async def mesh_put(node: NodePort, params: PutParams) -> MatrixInfoModel:
    """Store a matrix on this node, which then serves it to other nodes by its id.

    Storing a matrix again changes nothing.
    """
    data = await asyncio.to_thread(decode_base64, params.data)
    try:
        match params.dtype:
            case "bytes":
                ref = await node.matrices.put_bytes(data)
                return _describe(ref, params.dtype, len(data))
            case "int8" | "int32" | None:
                array = await asyncio.to_thread(_read, params, data)
                ref = await node.matrices.put(array)
                return _describe(ref, name_dtype(get_shape(array)[0]), array.nbytes)
            case _:
                assert_never(params.dtype)
    except InvalidMatrix as error:
        raise make_invalid_param("data", error.message, code=error.code, hint=error.hint) from error


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
        id=params.id,
        dtype=name_dtype(info.dtype),
        rows=info.rows,
        cols=info.cols,
        root=info.root.hex(),
        size=info.size,
        data=data,
    )


def _read(params: PutParams, data: bytes) -> NDArray[Any]:
    if params.dtype is None or params.dtype == "bytes" or params.rows is None or params.cols is None:
        return read_npy(data)
    return read_raw(data, params.dtype, params.rows, params.cols)


def _describe(ref: MatrixRef, dtype: DtypeName, size: int) -> MatrixInfoModel:
    return MatrixInfoModel(id=ref.id.hex(), dtype=dtype, rows=ref.rows, cols=ref.cols, root=ref.root.hex(), size=size)


def _check_size(node: NodePort, matrix: MatrixId) -> None:
    info = node.matrices.store.info(matrix)
    if info is not None:
        check_answer_size(info.size, MAX_ANSWER_BYTES, matrix.hex())
