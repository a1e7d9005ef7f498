"""Matrices read from a node some rows at a time, and products checked while they are written: a few slices in memory.

Nothing a node says is believed: what comes is hashed and compared with its id, and a product is checked by Freivalds
(protocol, section 5) with the seed of its job.
"""

import asyncio
import base64
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos import work
from inos.client import models
from inos.client.errors import ClientError, JobFailed, RemoteError
from inos.client.models import convert
from inos.client.uploads import CALL_TIMEOUT_S, CHUNK_BYTES, Call, Progress, RowsGot
from inos.primitives.matrices import DTYPE_INT7, DTYPE_INT32, STRIP_ROWS, compute_matrix_id
from inos.work.freivalds import RowCheck
from inos.work.strips import StripTree, compute_leaf_row

ASK_S: Final = 20.0
"""How long the node asks its peers in one call; it is called again while there is time."""
DTYPES: Final = {"int8": DTYPE_INT7, "int32": DTYPE_INT32}


class RemoteRows:
    """A matrix on a node, read from its first row to its last and hashed on the way. Made by `open_rows`."""

    def __init__(self, call: Call, matrix: str, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self._call, self._matrix = call, matrix
        self.shape, self.dtype = shape, dtype
        self._leaves = bytearray()

    @property
    def row_bytes(self) -> int:
        return self.shape[1] * self.dtype.itemsize

    async def read(self, first: int, count: int) -> NDArray[Any]:
        """The next rows: whole strips, in as many calls as it takes."""
        step = max(1, CHUNK_BYTES // self.row_bytes)
        parts = [await self._fetch(at, min(step, first + count - at)) for at in range(first, first + count, step)]
        rows = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self._leaves += await asyncio.to_thread(compute_leaf_row, rows)
        return rows

    async def check_id(self) -> None:
        """Whether what was read, all of it, is the matrix that was asked for.

        Raises:
            ClientError: "wrong-matrix".
        """
        tree = await asyncio.to_thread(StripTree, self._leaves)
        found = compute_matrix_id(DTYPES[self.dtype.name], *self.shape, tree.root)
        if found.hex() != self._matrix:
            raise _make_wrong(self._matrix, f"what came has the id {found.hex()}")

    async def _fetch(self, first: int, count: int) -> NDArray[Any]:
        asked = {"id": self._matrix, "first": first, "count": count, "wait_s": ASK_S}
        answer = await self._call("mesh_getRows", asked, timeout_s=ASK_S + CALL_TIMEOUT_S)
        return await asyncio.to_thread(self._decode, convert(RowsGot, answer, "mesh_getRows"), count)

    def _decode(self, got: RowsGot, count: int) -> NDArray[Any]:
        try:
            flat = np.frombuffer(base64.b64decode(got.data, validate=True), self.dtype.newbyteorder("<"))
            return flat.reshape(count, self.shape[1]).astype(self.dtype, copy=False)
        except ValueError as error:
            raise _make_wrong(self._matrix, f"no {count} rows came: {error}") from error


async def open_rows(call: Call, matrix: str, wait_s: float) -> RemoteRows:
    """A matrix that the node has, or gets from its peers within `wait_s` seconds.

    Raises:
        RemoteError: "matrix-unknown". ClientError: "wrong-matrix" where the node says nonsense of it.
    """
    until = time.monotonic() + wait_s
    while True:
        left = until - time.monotonic()
        asked = {"id": matrix, "count": 0, "wait_s": max(0.0, min(ASK_S, left))}
        try:
            got = convert(RowsGot, await call("mesh_getRows", asked, timeout_s=ASK_S + CALL_TIMEOUT_S), "mesh_getRows")
        except RemoteError as error:
            if error.code != "matrix-unknown" or left <= 0:
                raise
            continue
        if got.dtype not in DTYPES or min(got.rows, got.cols) < 1:
            raise _make_wrong(matrix, f"it is {got.rows} x {got.cols} {got.dtype}")
        return RemoteRows(call, matrix, (got.rows, got.cols), np.dtype(got.dtype))


async def fetch_array(call: Call, matrix: str, wait_s: float) -> NDArray[Any]:
    """A whole matrix in memory, in as many calls as it takes, checked against its id."""
    rows = await open_rows(call, matrix, wait_s)
    array = np.empty(rows.shape, rows.dtype)
    for first, count in iterate_slices(rows):
        array[first : first + count] = await rows.read(first, count)
    await rows.check_id()
    return array


async def save_product(call: Call, job: models.Job, y: models.Ref, path: Path, wait_s: float, tell: Progress) -> None:
    """Write a job's product to a .npy file, whole and right or not at all.

    Raises:
        JobFailed: "wrong-result". ClientError: "wrong-matrix". RemoteError: the node refused.
        OSError: the disk refuses.
    """
    left, right, result = [await open_rows(call, ref.id, wait_s) for ref in (job.x, job.w, y)]
    if left.shape[1] != right.shape[1] or result.shape != (left.shape[0], right.shape[0]):
        raise _make_wrong(y.id, f"it is {result.shape}, no product of {left.shape} and {right.shape}")
    seed = work.compute_freivalds_seed(*(bytes.fromhex(text) for text in (job.id, job.x.id, job.w.id, y.id)))
    check = await asyncio.to_thread(RowCheck, seed, *right.shape)
    for first, count in iterate_slices(right):
        await asyncio.to_thread(check.absorb, first, await right.read(first, count))
        tell("W", first + count, right.shape[0])
    await right.check_id()
    wrong: list[int] = []
    with _NpyFile(path, result.shape) as file:
        for first, count in iterate_slices(left, result):
            x, rows = await left.read(first, count), await result.read(first, count)
            # Read to the end all the same: a node that sends other bytes is no reason to blame the worker.
            if not wrong:
                wrong = [first + row for row in await asyncio.to_thread(check.find_wrong_rows, x, rows)]
            await asyncio.to_thread(file.write, rows)
            tell("Y", first + count, result.shape[0])
        await left.check_id()
        await result.check_id()
        if wrong:
            raise _make_refusal(job, wrong[0])
        await asyncio.to_thread(file.finish)


def iterate_slices(*matrices: RemoteRows) -> Iterator[tuple[int, int]]:
    """(first row, rows) of slices of whole strips, small over all `matrices`, which are equally long."""
    rows = matrices[0].shape[0]
    step = max(1, CHUNK_BYTES // (sum(each.row_bytes for each in matrices) * STRIP_ROWS)) * STRIP_ROWS
    for first in range(0, rows, step):
        yield first, min(step, rows - first)


class _NpyFile:
    """An int32 .npy file written row after row beside its place, which it takes when it is finished.

    Written, not mapped: a full disk is an error then, and not the end of the process.
    """

    def __init__(self, path: Path, shape: tuple[int, int]) -> None:
        self._path = path
        descriptor, self._name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        self._file = os.fdopen(descriptor, "wb")
        header = {"descr": "<i4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)

    def __enter__(self) -> "_NpyFile":
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            os.unlink(self._name)

    def write(self, rows: NDArray[np.int32]) -> None:
        self._file.write(np.ascontiguousarray(rows, "<i4").data)

    def finish(self) -> None:
        """On disk and under its name when this returns."""
        self._file.flush()
        os.fsync(self._file.fileno())
        os.chmod(self._name, 0o644)
        os.replace(self._name, self._path)


def _make_wrong(matrix: str, reason: str) -> ClientError:
    return ClientError(
        "wrong-matrix",
        f"the node sent something else for matrix {matrix}: {reason}",
        hint="do not trust this node; ask another one",
    )


def _make_refusal(job: models.Job, row: int) -> JobFailed:
    hint = "the chain should never settle such a job: do not trust this node"
    if job.mode == "optimistic":
        hint = "while it is delivered, any node with --watch gets it done again; once settled it is too late"
    message = f"row {row} of the result of job {job.id} is not that of X times W transposed"
    return JobFailed("wrong-result", job.id, message, hint=hint)
