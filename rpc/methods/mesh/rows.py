"""mesh_putRows and mesh_getRows: matrices that are too large for one request, a few rows at a time."""

import asyncio
from typing import Annotated

from pydantic import Field

from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import MAX_ROWS
from inos.primitives.units import MatrixId
from inos.rpc.errors import make_invalid_param, make_not_found
from inos.rpc.method import method
from inos.rpc.methods.mesh.encoding import (
    check_answer_size,
    cut_rows,
    decode_base64,
    encode_matrix,
    get_shape,
    name_dtype,
    read_dtype,
    read_rows,
)
from inos.rpc.methods.mesh.matrices import MAX_ANSWER_BYTES, MAX_WAIT_S, Side
from inos.rpc.models.values import Count, Hash, MatrixDtype, Model
from inos.rpc.ports import NodePort
from inos.work import InvalidMatrix


class PutRowsParams(Model):
    id: Annotated[Hash, Field(description="The id of the whole matrix, which the sender has computed.")]
    dtype: Annotated[MatrixDtype, Field(description="The data type.")]
    rows: Annotated[Side, Field(description="The number of rows of the whole matrix.")]
    cols: Annotated[Side, Field(description="The number of columns; of a file: the bytes in its last row of 1024.")]
    first: Annotated[
        int, Field(ge=0, lt=MAX_ROWS, description="The index of the first row sent, which is the next one missing.")
    ] = 0
    data: Annotated[
        str,
        Field(
            description="Base64 of whole rows, little-endian; those of a file are 1024 bytes, the last one may be "
            "shorter. The rows must end at the end of a strip of 16 rows or of the matrix. Empty to ask which row "
            "comes next."
        ),
    ] = ""


class StoredRowsModel(Model):
    """How much of a matrix is stored."""

    rows_done: Annotated[
        Count,
        Field(description="The number of rows stored, from the first one on; the next one to send has this index."),
    ]
    is_complete: Annotated[bool, Field(description="True if the whole matrix is stored.")]


class GetRowsParams(Model):
    id: Annotated[Hash, Field(description="The matrix's id.")]
    count: Annotated[
        int, Field(ge=0, le=MAX_ROWS, description="The most rows to return; 0 to get the matrix's shape only.")
    ]
    first: Annotated[int, Field(ge=0, lt=MAX_ROWS, description="The index of the first row.")] = 0
    wait_s: Annotated[
        float,
        Field(
            ge=0, le=MAX_WAIT_S, description="Seconds to request the matrix from peers if this node does not have it."
        ),
    ] = 0.0

    @property
    def is_waiting(self) -> bool:
        return self.wait_s > 0


class MatrixRowsModel(Model):
    """Some rows of a matrix."""

    id: Annotated[Hash, Field(description="The matrix's id.")]
    dtype: Annotated[MatrixDtype, Field(description="The data type.")]
    rows: Annotated[Count, Field(description="The number of rows of the whole matrix.")]
    cols: Annotated[Count, Field(description="The number of columns; of a file: the bytes in its last row of 1024.")]
    size: Annotated[Count, Field(description="The bytes of all entries; of a file: its length.")]
    first: Annotated[Count, Field(description="The index of the first row returned.")]
    data: Annotated[
        str, Field(description="Base64 of the rows, row-major and little-endian; those of a file are its bytes.")
    ]


@method("mesh_putRows", timeout_s=120.0)
async def mesh_put_rows(node: NodePort, params: PutRowsParams) -> StoredRowsModel:
    """Store some rows of a large matrix or file. The node serves it by its id once all rows are stored.

    Without data, the answer says which row to send next, also after a lost connection or a restart of the node.
    """
    array = None
    if params.data:
        raw = await asyncio.to_thread(decode_base64, params.data)
        array = await asyncio.to_thread(read_rows, raw, params.dtype, (params.rows, params.cols), params.first)
    shape = (read_dtype(params.dtype), params.rows, params.cols)
    try:
        done = await node.matrices.put_rows(MatrixId(bytes.fromhex(params.id)), shape, params.first, array)
    except InvalidMatrix as error:
        raise make_invalid_param("data", error.message, code=error.code, hint=error.hint) from error
    return StoredRowsModel(rows_done=done, is_complete=done == params.rows)


@method("mesh_getRows", timeout_s=MAX_WAIT_S + 60)
async def mesh_get_rows(node: NodePort, params: GetRowsParams) -> MatrixRowsModel:
    """Return some rows of a matrix or file, from this node or, with `wait_s`, after it was fetched from peers."""
    matrix = MatrixId(bytes.fromhex(params.id))
    try:
        array = await node.matrices.fetch(matrix, params.wait_s)
    except MatrixMissing as error:
        hint = "" if params.wait_s else "pass wait_s to request it from peers"
        raise make_not_found("matrix", params.id, hint=hint) from error
    dtype, rows, cols = get_shape(array)
    part = cut_rows(array, params.first, params.count)
    check_answer_size(part.nbytes, MAX_ANSWER_BYTES, params.id)
    return MatrixRowsModel(
        id=params.id,
        dtype=name_dtype(dtype),
        rows=rows,
        cols=cols,
        size=array.nbytes,
        first=params.first,
        data=await asyncio.to_thread(encode_matrix, part),
    )
