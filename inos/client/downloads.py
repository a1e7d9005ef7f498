"""Matrices read from a node some rows at a time, and products that are checked while they are written to a file.

The node is not trusted: received data is hashed and compared with its id, and a product is checked by Freivalds
(protocol, section 5) with the seed of its job. Only a few slices are in memory at a time.
"""

import asyncio
import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, assert_never

import numpy as np
from numpy.typing import NDArray

from inos import work
from inos.client import models
from inos.client.answers import convert
from inos.client.errors import ClientError, JobFailed, RemoteError
from inos.client.npy_writer import NpyWriter
from inos.client.uploads import CALL_TIMEOUT_S, CHUNK_BYTES, Call, Progress
from inos.primitives.matrices import PANEL_BYTES, STRIP_ROWS, DType, compute_file_length, compute_matrix_id
from inos.work.freivalds import RowCheck
from inos.work.strips import (
    NUMPY_TYPES,
    InvalidMatrix,
    StripTree,
    check_shape,
    compute_row_bytes,
    compute_stored_leaves,
    drop_padding,
)

ASK_S: Final = 20.0
"""The node asks its peers for this long in one call, which is repeated while there is time."""
DTYPES: Final = {"int8": DType.INT7, "int32": DType.INT32, "bytes": DType.BYTES}


class RemoteRows:
    """A matrix on a node, read from its first row to its last and hashed meanwhile. Made by `open_rows`."""

    def __init__(self, call: Call, matrix: str, dtype: DType, rows: int, cols: int) -> None:
        self._call, self._matrix = call, matrix
        self.dtype, self.rows, self.cols = dtype, rows, cols
        self._leaves = bytearray()

    @property
    def row_bytes(self) -> int:
        return compute_row_bytes(self.dtype, self.cols)

    async def read(self, first: int, count: int) -> NDArray[Any]:
        """Return the next rows, which must be whole strips, in as many calls as it takes; those of a file as one row of
        bytes."""
        step = max(1, CHUNK_BYTES // self.row_bytes)
        parts = [await self._fetch(at, min(step, first + count - at)) for at in range(first, first + count, step)]
        rows = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self._leaves += await asyncio.to_thread(compute_stored_leaves, self.dtype, rows)
        return rows

    async def check_id(self) -> None:
        """Check that what was read, once it is all, is the matrix that was asked for.

        Raises:
            ClientError: "wrong-matrix".
        """
        tree = await asyncio.to_thread(StripTree, self._leaves)
        found = compute_matrix_id(self.dtype, self.rows, self.cols, tree.root)
        if found.hex() != self._matrix:
            raise _make_wrong(self._matrix, f"what came has the id {found.hex()}")

    async def _fetch(self, first: int, count: int) -> NDArray[Any]:
        rows = await _get_rows(self._call, self._matrix, first, count, ASK_S)
        return await asyncio.to_thread(self._decode, rows, first, count)

    def _decode(self, got: models.MatrixRows, first: int, count: int) -> NDArray[Any]:
        stored = NUMPY_TYPES[self.dtype]
        try:
            flat = np.frombuffer(base64.b64decode(got.data, validate=True), stored)
            match self.dtype:
                case DType.INT7 | DType.INT32:
                    return flat.reshape(count, self.cols).astype(stored.newbyteorder("="), copy=False)
                case DType.BYTES:
                    left = compute_file_length(self.rows, self.cols) - first * PANEL_BYTES
                    return flat.reshape(min(count * PANEL_BYTES, left))
                case _:
                    assert_never(self.dtype)
        except ValueError as error:
            raise _make_wrong(self._matrix, f"{count} rows were asked for, and others came: {error}") from error


async def open_rows(call: Call, matrix: str, wait_s: float) -> RemoteRows:
    """Open a matrix that the node has, or gets from its peers within `wait_s` seconds.

    Raises:
        RemoteError: "matrix-unknown". ClientError: "wrong-matrix" if the node gives it an impossible shape or type.
    """
    until = time.monotonic() + wait_s
    while True:
        left = until - time.monotonic()
        try:
            got = await _get_rows(call, matrix, 0, 0, max(0.0, min(ASK_S, left)))
        except RemoteError as error:
            if error.code != "matrix-unknown" or left <= 0:
                raise
            continue
        try:
            dtype = DTYPES[got.dtype]
            check_shape(dtype, got.rows, got.cols)
        except (KeyError, InvalidMatrix) as error:
            raise _make_wrong(matrix, f"it is {got.rows} x {got.cols} {got.dtype}") from error
        return RemoteRows(call, matrix, dtype, got.rows, got.cols)


async def _get_rows(call: Call, matrix: str, first: int, count: int, wait_s: float) -> models.MatrixRows:
    asked = {"id": matrix, "first": first, "count": count, "wait_s": wait_s}
    answer = await call("mesh_getRows", asked, timeout_s=ASK_S + CALL_TIMEOUT_S)
    return convert(models.MatrixRows, answer, "mesh_getRows")


def get_operands(job: models.Job) -> tuple[models.MatrixRef, models.MatrixRef]:
    """Return the operands of a job that asks for a product.

    Raises:
        ClientError: "not-a-product".
    """
    if job.x is None or job.w is None:
        raise ClientError(
            "not-a-product", f"job {job.id} is a {job.kind}", hint="fetch its outputs: inos job outputs JOB"
        )
    return job.x, job.w


async def fetch_array(call: Call, matrix: str, wait_s: float) -> NDArray[Any]:
    """Return a whole matrix, fetched in as many calls as it takes and checked against its id; a file is one row of
    uint8."""
    rows = await open_rows(call, matrix, wait_s)
    stored = NUMPY_TYPES[rows.dtype]
    flat = np.empty(rows.rows * rows.row_bytes // stored.itemsize, stored.newbyteorder("="))
    array, at = flat.reshape(rows.rows, -1), 0
    for first, count in iterate_slices(rows):
        part = await rows.read(first, count)
        flat[at : at + part.size] = part.reshape(-1)
        at += part.size
    await rows.check_id()
    return drop_padding(rows.dtype, rows.rows, rows.cols, array)


async def save_product(
    call: Call, job: models.Job, y: models.MatrixRef, path: Path, wait_s: float, on_progress: Progress
) -> None:
    """Fetch a job's product, check it, and write it to a .npy file, which appears only once it is whole.

    Raises:
        JobFailed: "wrong-result". ClientError: "wrong-matrix". RemoteError: the node refused.
        OSError: the file cannot be written.
    """
    left, right, result = [await open_rows(call, ref.id, wait_s) for ref in (*get_operands(job), y)]
    shapes = [(each.dtype, each.rows, each.cols) for each in (left, right, result)]
    m, n, k = left.rows, right.rows, left.cols
    if shapes != [(DType.INT7, m, k), (DType.INT7, n, k), (DType.INT32, m, n)]:
        raise _make_wrong(y.id, f"X, W and Y are {shapes}, which is no product")
    check = await _prepare_check(job, y, right, on_progress)
    wrong: list[int] = []
    with NpyWriter(path, (m, n)) as file:
        for first, count in iterate_slices(left, result):
            x, rows = await left.read(first, count), await result.read(first, count)
            # All of it is read even so: where the node sends other bytes, the worker is not to blame.
            if not wrong:
                wrong = [first + row for row in await asyncio.to_thread(check.find_wrong_rows, x, rows)]
            await asyncio.to_thread(file.write, rows)
            on_progress("Y", first + count, m)
        await left.check_id()
        await result.check_id()
        if wrong:
            raise _make_refusal(job, wrong[0])
        await asyncio.to_thread(file.finish)


async def _prepare_check(job: models.Job, y: models.MatrixRef, w: RemoteRows, on_progress: Progress) -> RowCheck:
    """Read W into a Freivalds check with the job's seed."""
    refs = (*get_operands(job), y)
    seed = work.compute_freivalds_seed(*(bytes.fromhex(text) for text in (job.id, *(ref.id for ref in refs))))
    check = await asyncio.to_thread(RowCheck, seed, w.rows, w.cols)
    for first, count in iterate_slices(w):
        await asyncio.to_thread(check.absorb, first, await w.read(first, count))
        on_progress("W", first + count, w.rows)
    await w.check_id()
    return check


def iterate_slices(*matrices: RemoteRows) -> Iterator[tuple[int, int]]:
    """Yield (first row, rows) of slices of whole strips that are small over all `matrices`, which are equally long."""
    rows = matrices[0].rows
    step = max(1, CHUNK_BYTES // (sum(each.row_bytes for each in matrices) * STRIP_ROWS)) * STRIP_ROWS
    for first in range(0, rows, step):
        yield first, min(step, rows - first)


def _make_wrong(matrix: str, reason: str) -> ClientError:
    return ClientError(
        "wrong-matrix",
        f"the node sent something else for matrix {matrix}: {reason}",
        hint="do not trust this node; ask another one",
    )


def _make_refusal(job: models.Job, row: int) -> JobFailed:
    hint = "the chain should never settle such a job: do not trust this node"
    if job.mode == "optimistic":
        hint = "before it is settled, a node with --watch can challenge it; afterwards it is too late"
    message = f"row {row} of the result of job {job.id} is not that of X times W transposed"
    return JobFailed("wrong-result", job.id, message, hint=hint)
