"""mesh_putRows and mesh_getRows: matrices too large for one request, a few rows at a time."""

import asyncio
from typing import Annotated

import numpy as np
from pydantic import Field

from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import DTYPE_INT7, DTYPE_INT32, MAX_ROWS
from inos.primitives.units import MatrixId
from inos.rpc.errors import make_invalid_param, make_not_found
from inos.rpc.method import method
from inos.rpc.methods.mesh.encoding import DtypeName, check_answer_size, decode_base64, encode_matrix, read_raw
from inos.rpc.methods.mesh.matrices import MAX_ANSWER_BYTES, MAX_WAIT_S, Side
from inos.rpc.ports import NodePort
from inos.rpc.schemas import Count, Hex32, Model
from inos.work import InvalidMatrix


class PutRowsParams(Model):
    id: Annotated[Hex32, Field(description="Of the whole matrix: whoever sends it has computed it.")]
    dtype: DtypeName
    rows: Side
    cols: Side
    first: Annotated[int, Field(ge=0, lt=MAX_ROWS, description="The first row sent: the next one that is missing.")] = 0
    data: Annotated[
        str,
        Field(description="Base64 of whole rows, little-endian, up to the end of a strip of 16 or of all."),
    ] = ""


class RowsPut(Model):
    rows_done: Annotated[Count, Field(description="Rows this node has, from the first one on: where to go on.")]
    is_complete: bool


class GetRowsParams(Model):
    id: Hex32
    count: Annotated[int, Field(ge=0, le=MAX_ROWS, description="Fewer come at the end; 0 asks for the shape alone.")]
    first: Annotated[int, Field(ge=0, lt=MAX_ROWS)] = 0
    wait_s: Annotated[float, Field(ge=0, le=MAX_WAIT_S, description="How long to ask peers for the matrix.")] = 0.0


class RowsGot(Model):
    id: Hex32
    dtype: DtypeName
    rows: Annotated[Count, Field(description="Of the whole matrix.")]
    cols: Count
    first: Count
    data: Annotated[str, Field(description="Base64 of the rows, little-endian.")]


@method("mesh_putRows", timeout_s=120.0)
async def mesh_put_rows(node: NodePort, params: PutRowsParams) -> RowsPut:
    """Store some rows of a large matrix; it is served by its id once all are here.

    Sent without data it says where to go on, also after a cut or a restart of the node.
    """
    dtype = DTYPE_INT7 if params.dtype == "int8" else DTYPE_INT32
    array = None
    if params.data:
        raw = decode_base64(params.data)
        width = params.cols * np.dtype(params.dtype).itemsize
        array = await asyncio.to_thread(read_raw, raw, params.dtype, len(raw) // width, params.cols)
    shape = (dtype, params.rows, params.cols)
    try:
        done = await node.add_rows(MatrixId(bytes.fromhex(params.id)), shape, params.first, array)
    except InvalidMatrix as error:
        raise make_invalid_param("data", error.message, code=error.code, hint=error.hint) from error
    return RowsPut(rows_done=done, is_complete=done == params.rows)


@method("mesh_getRows", timeout_s=MAX_WAIT_S + 60)
async def mesh_get_rows(node: NodePort, params: GetRowsParams) -> RowsGot:
    """Some rows of a matrix, from this node or, with `wait_s`, first fetched from its peers."""
    matrix = MatrixId(bytes.fromhex(params.id))
    try:
        array = await node.fetch_matrix(matrix, params.wait_s)
    except MatrixMissing as error:
        hint = "" if params.wait_s else "pass wait_s to ask peers for it"
        raise make_not_found("matrix", params.id, hint=hint) from error
    part = array[params.first : params.first + params.count]
    check_answer_size(part.nbytes, MAX_ANSWER_BYTES, params.id)
    return RowsGot(
        id=params.id,
        dtype="int8" if array.dtype == np.int8 else "int32",
        rows=array.shape[0],
        cols=array.shape[1],
        first=params.first,
        data=await asyncio.to_thread(encode_matrix, part),
    )
