"""Large matrices to a node, some rows at a time: memory stays bounded, and a cut upload goes on."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.client.errors import ClientError
from inos.client.models import convert
from inos.client.operands import release_pages
from inos.primitives.matrices import STRIP_ROWS, MatrixRef

WHOLE_BYTES: Final = 24 << 20
"""Matrices up to here travel in one piece."""
CHUNK_BYTES: Final = 8 << 20
CALL_TIMEOUT_S: Final = 120.0

Call = Callable[..., Awaitable[Any]]
"""A JSON-RPC call: method, params, timeout_s."""
Progress = Callable[[str, int, int], None]
"""What is moved, and how many rows of how many are."""


class RowsPut(Struct, frozen=True):
    """Answer of mesh_putRows."""

    rows_done: int
    is_complete: bool


class RowsGot(Struct, frozen=True):
    """Answer of mesh_getRows."""

    id: str
    dtype: str
    rows: int
    cols: int
    first: int
    data: str


def be_silent(what: str, done: int, rows: int) -> None:
    """Progress for nobody."""


async def upload_rows(call: Call, array: NDArray[Any], ref: MatrixRef, name: str, tell: Progress) -> None:
    """Send the rows the node does not have yet.

    Args:
        array: int8 or int32; may be mapped from a file, of which a few megabytes are read at a time.
        ref: its reference.

    Raises:
        ClientError: "wrong-matrix" where the node makes another matrix of it. RemoteError: the node refused.
    """
    shape = {"id": ref.id.hex(), "dtype": array.dtype.name, "rows": ref.rows, "cols": ref.cols}
    step = _compute_step(array.shape[1] * array.itemsize)
    put = convert(RowsPut, await call("mesh_putRows", shape, timeout_s=CALL_TIMEOUT_S), "mesh_putRows")
    while not put.is_complete:
        first = put.rows_done
        data = await asyncio.to_thread(_encode, array[first : first + step])
        release_pages(array)
        answer = await call("mesh_putRows", shape | {"first": first, "data": data}, timeout_s=CALL_TIMEOUT_S)
        put = convert(RowsPut, answer, "mesh_putRows")
        if put.rows_done <= first:
            raise ClientError("wrong-matrix", f"the node keeps no rows of matrix {shape['id']} beyond {first}")
        tell(name, put.rows_done, ref.rows)


def _encode(rows: NDArray[Any]) -> str:
    little = np.ascontiguousarray(rows, rows.dtype.newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode("ascii")


def _compute_step(row_bytes: int) -> int:
    """Rows of one call: whole strips."""
    return max(1, CHUNK_BYTES // (row_bytes * STRIP_ROWS)) * STRIP_ROWS
