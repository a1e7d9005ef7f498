"""Large matrices to and from a node, some rows at a time: memory stays bounded, and a cut upload goes on."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

import work
from inos._client_errors import ClientError
from inos._client_models import convert
from primitives.errors import InosError
from primitives.matrices import STRIP_ROWS, MatrixRef

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
        answer = await call("mesh_putRows", shape | {"first": first, "data": data}, timeout_s=CALL_TIMEOUT_S)
        put = convert(RowsPut, answer, "mesh_putRows")
        if put.rows_done <= first:
            raise ClientError("wrong-matrix", f"the node keeps no rows of matrix {shape['id']} beyond {first}")
        tell(name, put.rows_done, ref.rows)


async def download_rows(call: Call, matrix: str, path: Path, wait_s: float, name: str, tell: Progress) -> NDArray[Any]:
    """Fetch a matrix into a .npy file and check it against its id; the array, mapped from the file.

    Raises:
        ClientError: "wrong-matrix" where what came is not what the id stands for; the file is then of no use.
        RemoteError: the node does not have it.
        OSError: the disk refuses.
    """
    asked = {"id": matrix, "first": 0, "count": 0, "wait_s": wait_s}
    shape = convert(RowsGot, await call("mesh_getRows", asked, timeout_s=wait_s + CALL_TIMEOUT_S), "mesh_getRows")
    if shape.dtype not in ("int8", "int32") or min(shape.rows, shape.cols) < 1:
        raise ClientError("wrong-matrix", f"the node says matrix {matrix} is {shape.rows} x {shape.cols} {shape.dtype}")
    array = np.lib.format.open_memmap(path, "w+", np.dtype(shape.dtype), (shape.rows, shape.cols))
    step = _compute_step(shape.cols * array.itemsize)
    for first in range(0, shape.rows, step):
        count = min(step, shape.rows - first)
        asked = {"id": matrix, "first": first, "count": count}
        got = convert(RowsGot, await call("mesh_getRows", asked, timeout_s=CALL_TIMEOUT_S), "mesh_getRows")
        await asyncio.to_thread(_keep, array, first, count, got)
        tell(name, first + count, shape.rows)
    array.flush()
    found = await asyncio.to_thread(work.matrix_id, array)
    if found.hex() != matrix:
        raise ClientError(
            "wrong-matrix",
            f"the node sent something else for matrix {matrix}: it has the id {found.hex()}",
            hint="do not trust this node; ask another one",
        )
    return array


def _keep(array: NDArray[Any], first: int, count: int, got: RowsGot) -> None:
    try:
        flat = np.frombuffer(base64.b64decode(got.data, validate=True), array.dtype.newbyteorder("<"))
        array[first : first + count] = flat.reshape(count, array.shape[1])
    except (ValueError, InosError) as error:
        raise ClientError("wrong-matrix", f"the node sent no {count} rows of matrix {got.id}: {error}") from error


def _encode(rows: NDArray[Any]) -> str:
    little = np.ascontiguousarray(rows, rows.dtype.newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode("ascii")


def _compute_step(row_bytes: int) -> int:
    """Rows of one call: whole strips."""
    return max(1, CHUNK_BYTES // (row_bytes * STRIP_ROWS)) * STRIP_ROWS
