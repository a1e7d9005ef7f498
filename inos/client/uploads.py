"""Sends large matrices and files to a node, a few rows at a time: memory stays bounded, and an interrupted upload is
continued."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inos.client import models
from inos.client.answers import convert
from inos.client.errors import ClientError
from inos.client.operands import release_pages
from inos.primitives.matrices import PANEL_BYTES, STRIP_ROWS, MatrixRef

WHOLE_BYTES: Final = 24 << 20
"""Matrices up to this size are sent in one call."""
CHUNK_BYTES: Final = 8 << 20
CALL_TIMEOUT_S: Final = 120.0

Call: TypeAlias = Callable[..., Awaitable[Any]]
"""A JSON-RPC call: method, params, timeout_s."""
Progress: TypeAlias = Callable[[str, int, int], None]
"""The function is called with the name of the matrix that is moved, the rows moved so far, and all its rows."""


def ignore_progress(name: str, done: int, rows: int) -> None:
    """Do nothing; this is the default if no function is given."""


async def upload_rows(call: Call, array: NDArray[Any], ref: MatrixRef, name: str, on_progress: Progress) -> None:
    """Send the rows that the node does not have yet.

    Args:
        array: int8 or int32, or a file as one row of uint8; it may be mapped from a file, of which a few megabytes are
            read at a time.
        ref: the matrix's reference.
        name: the name of the matrix, for `on_progress`.

    Raises:
        ClientError: "wrong-matrix" if the node makes another matrix of it. RemoteError: the node refused.
    """
    is_file = array.dtype == np.uint8
    dtype, width = ("bytes", PANEL_BYTES) if is_file else (array.dtype.name, 1)
    shape = {"id": ref.id.hex(), "dtype": dtype, "rows": ref.rows, "cols": ref.cols}
    step = _compute_step(PANEL_BYTES if is_file else array.shape[1] * array.itemsize)
    answer = await call("mesh_putRows", shape, timeout_s=CALL_TIMEOUT_S)
    put = convert(models.StoredRows, answer, "mesh_putRows")
    while not put.is_complete:
        first = put.rows_done
        data = await asyncio.to_thread(_encode, array[first * width : (first + step) * width])
        release_pages(array)
        answer = await call("mesh_putRows", shape | {"first": first, "data": data}, timeout_s=CALL_TIMEOUT_S)
        put = convert(models.StoredRows, answer, "mesh_putRows")
        if put.rows_done <= first:
            raise ClientError("wrong-matrix", f"the node keeps no rows of matrix {shape['id']} beyond {first}")
        on_progress(name, put.rows_done, ref.rows)


def _encode(rows: NDArray[Any]) -> str:
    little = np.ascontiguousarray(rows, rows.dtype.newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode("ascii")


def _compute_step(row_bytes: int) -> int:
    """Return how many rows one call sends: whole strips."""
    return max(1, CHUNK_BYTES // (row_bytes * STRIP_ROWS)) * STRIP_ROWS
