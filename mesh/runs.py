"""Reads and verifies runs: 64 strips that travel and are written together, with one path for all of them.

Strips 64 r to 64 r + 63 are the leaves of one complete subtree of a matrix's tree (the last run's may be smaller),
so one path from that subtree's root up proves a mebibyte; a path for each strip would take 26 times as many hashes.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final, assert_never

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.mesh.files import HEAD_BYTES, MatrixInfo
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import PANEL_BYTES, STRIP_BYTES, STRIP_ROWS, DType
from inos.primitives.merkle import compute_root_from_path
from inos.primitives.units import HASH_BYTES, Hash
from inos.work.strips import ENTRY_MAX, ENTRY_MIN, InvalidMatrix, StripTree, check_index, compute_grid

RUN_LEVEL: Final = 6
RUN_STRIPS: Final = 1 << RUN_LEVEL
RUN_BYTES: Final = RUN_STRIPS * STRIP_BYTES
"""1 MiB takes some 5 ms on a 200 MB/s link, long enough that the cost of each message does not count."""


class Run(Struct, frozen=True):
    """Holds one run as it travels."""

    data: bytes
    """The run's strips one after the other, zero-padded as they are hashed."""
    path: tuple[Hash, ...]
    """The siblings from the root of the run's subtree up."""


def count_runs(info: MatrixInfo) -> int:
    return -(-info.strips // RUN_STRIPS)


def get_bounds(info: MatrixInfo, index: int) -> tuple[int, int]:
    """Return (first, last) strip of a run, last excluded.

    Raises:
        InvalidMatrix: "index-outside-matrix".
    """
    if not 0 <= index < count_runs(info):
        check_index(index * RUN_STRIPS, info.strips)
    return index * RUN_STRIPS, min((index + 1) * RUN_STRIPS, info.strips)


def compute_run_leaves(data: bytes | memoryview) -> bytearray:
    """Compute the leaves of strips that follow each other."""
    view, leaves = memoryview(data), bytearray()
    for at in range(0, len(view), STRIP_BYTES):
        leaves += compute_hash(Context.MATRIX_STRIP, view[at : at + STRIP_BYTES])
    return leaves


def check_run(info: MatrixInfo, index: int, data: bytes, path: Sequence[bytes]) -> bytearray:
    """Verify a run against its matrix's root, and return its leaves, 32 bytes each.

    Raises:
        InvalidMatrix: "index-outside-matrix", "bad-strip-size", "bad-path-length", "bad-path", "nonzero-padding",
            "entry-out-of-range".
    """
    first, last = get_bounds(info, index)
    if len(data) != (last - first) * STRIP_BYTES:
        raise InvalidMatrix("bad-strip-size", f"a run of {last - first} strips is not {len(data)} bytes")
    leaves = compute_run_leaves(data)
    try:
        node = StripTree(bytearray(leaves)).root
        root = compute_root_from_path(Context.MATRIX_NODE, node, index, count_runs(info), path)
    except ValueError as error:
        raise InvalidMatrix("bad-path-length", f"run {index} of matrix {info.id.hex()}: {error}") from error
    if root != info.root:
        raise InvalidMatrix("bad-path", f"run {index} and its path do not lead to the root of matrix {info.id.hex()}")
    _check_contents(info, first, data)
    return leaves


def _check_contents(info: MatrixInfo, first: int, data: bytes) -> None:
    """Check padding and range, because a tree can be built over any bytes."""
    cells = np.frombuffer(data, np.uint8).reshape(-1, STRIP_ROWS, PANEL_BYTES)
    strips, panels = compute_grid(info.dtype, info.rows, info.cols)
    places = np.arange(first, first + len(cells))
    rows_left = info.rows - (strips - 1) * STRIP_ROWS
    bytes_left = info.row_bytes - (panels - 1) * PANEL_BYTES
    is_padded = (rows_left < STRIP_ROWS and cells[places // panels == strips - 1][:, rows_left:].any()) or (
        bytes_left < PANEL_BYTES and cells[places % panels == panels - 1][:, :, bytes_left:].any()
    )
    is_in_range = True
    match info.dtype:
        case DType.INT7:
            entries = cells.view(np.int8)
            is_in_range = bool(entries.min() >= ENTRY_MIN and entries.max() <= ENTRY_MAX)
        case DType.INT32:
            pass
        case DType.BYTES:
            has_end = places[-1] == strips - 1
            is_padded = is_padded or (has_end and cells[-1, rows_left - 1, info.cols :].any())
        case _:
            assert_never(info.dtype)
    if is_padded:
        raise InvalidMatrix("nonzero-padding", f"strips from {first} on are not zero beyond {info.rows} x {info.cols}")
    if not is_in_range:
        raise InvalidMatrix("entry-out-of-range", f"strips from {first} on hold an entry beyond -64 to 63")


class _Part(Struct, frozen=True):
    """Describes the part of a run that is in one row of strips."""

    top: int
    """Its first row."""
    rows: int
    left: int
    """Its first byte of a row."""
    width: int
    """Its bytes, without padding."""
    at: int
    """Its first strip, counted within the run."""
    panels: int


def _cut(info: MatrixInfo, index: int) -> Iterator[_Part]:
    first, last = get_bounds(info, index)
    _, panels = compute_grid(info.dtype, info.rows, info.cols)
    row_bytes = info.row_bytes
    strip = first
    while strip < last:
        row, panel = divmod(strip, panels)
        count = min(panels - panel, last - strip)
        top, left = row * STRIP_ROWS, panel * PANEL_BYTES
        width = min(row_bytes - left, count * PANEL_BYTES)
        yield _Part(top, min(STRIP_ROWS, info.rows - top), left, width, strip - first, count)
        strip += count


def read_run(file: int, info: MatrixInfo, index: int) -> bytes:
    """Read a run's strips from a matrix's open file, without mapping it, so that serving takes no memory.

    Raises:
        InvalidMatrix: "index-outside-matrix". OSError: the disk refuses, or the file is too short.
    """
    first, last = get_bounds(info, index)
    run = np.zeros((last - first, STRIP_ROWS, PANEL_BYTES), np.uint8)
    for part in _cut(info, index):
        rows = np.zeros((part.rows, part.panels * PANEL_BYTES), np.uint8)
        rows[:, : part.width] = _read_rows(file, info, part)
        cut = rows.reshape(part.rows, part.panels, PANEL_BYTES).transpose(1, 0, 2)
        run[part.at : part.at + part.panels, : part.rows] = cut
    return run.tobytes()


def write_run(file: int, info: MatrixInfo, index: int, data: bytes) -> None:
    """Write a verified run's entries into their places in a matrix's open file.

    Raises:
        OSError: the disk refuses.
    """
    run = np.frombuffer(data, np.uint8).reshape(-1, STRIP_ROWS, PANEL_BYTES)
    for part in _cut(info, index):
        cut = run[part.at : part.at + part.panels, : part.rows].transpose(1, 0, 2)
        rows = np.ascontiguousarray(cut.reshape(part.rows, -1)[:, : part.width])
        _write_rows(file, info, part, rows)


def read_exactly(file: int, count: int, offset: int) -> bytes:
    """Read bytes [offset, offset + count) of a file. OSError: it ends before."""
    data = os.pread(file, count, offset)
    while len(data) < count:
        more = os.pread(file, count - len(data), offset + len(data))
        if not more:
            raise OSError(f"the file ends at {offset + len(data)}, before {offset + count}")
        data += more
    return data


def write_exactly(file: int, data: memoryview | bytes | bytearray, offset: int) -> None:
    """Write all of `data`; one call of the system may write a part."""
    view = memoryview(data)
    while view:
        count = os.pwrite(file, view, offset)
        view, offset = view[count:], offset + count


def get_leaf_offset(strip: int) -> int:
    """Return the offset of a strip's leaf in the file."""
    return HEAD_BYTES + strip * HASH_BYTES


def _get_offset(info: MatrixInfo, row: int, left: int) -> int:
    return get_leaf_offset(info.strips) + row * info.row_bytes + left


def _read_rows(file: int, info: MatrixInfo, part: _Part) -> NDArray[Any]:
    if part.width == info.row_bytes:
        data = read_exactly(file, part.rows * part.width, _get_offset(info, part.top, 0))
    else:
        rows = range(part.top, part.top + part.rows)
        data = b"".join(read_exactly(file, part.width, _get_offset(info, row, part.left)) for row in rows)
    return np.frombuffer(data, np.uint8).reshape(part.rows, part.width)


def _write_rows(file: int, info: MatrixInfo, part: _Part, rows: NDArray[np.uint8]) -> None:
    if part.width == info.row_bytes:
        write_exactly(file, rows.data.cast("B"), _get_offset(info, part.top, 0))
        return
    for number, row in enumerate(rows, part.top):
        write_exactly(file, row.data, _get_offset(info, number, part.left))
