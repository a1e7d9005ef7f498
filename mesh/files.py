"""Stores each matrix in one file: a head, the leaves of its tree, and the entries, row-major and little-endian.

A file is written under a temporary name, synced, then renamed, so a file under its final name is complete.
"""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, assert_never

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.matrices import U32, DType, Hash32, compute_file_length, compute_matrix_id
from inos.primitives.units import HASH_BYTES, Hash, MatrixId
from inos.work.strips import NUMPY_TYPES, InvalidMatrix, check_shape, compute_grid, compute_row_bytes

MAGIC: Final = b"INOSMAT1"
HEAD_BYTES: Final = 64
"""The head is magic, one length byte, the encoded info, zeros."""
SMALL_BYTES: Final = 1 << 16
"""Matrices up to this size are read, larger ones are mapped."""
SUFFIX: Final = ".matrix"
PART_SUFFIX: Final = ".part"
"""An incomplete matrix has this suffix: the layout is the same, with leaves of zeros for missing runs."""
PARTIAL_SUFFIX: Final = ".new"


class MatrixInfo(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Describes a matrix without its entries; its id is the hash of exactly these four."""

    dtype: DType
    rows: U32
    cols: U32
    root: Hash32

    @property
    def id(self) -> MatrixId:
        return compute_matrix_id(self.dtype, self.rows, self.cols, self.root)

    @property
    def strips(self) -> int:
        strips, panels = compute_grid(self.dtype, self.rows, self.cols)
        return strips * panels

    @property
    def row_bytes(self) -> int:
        return compute_row_bytes(self.dtype, self.cols)

    @property
    def data_bytes(self) -> int:
        """Return the bytes of the entries as they are stored; a file is filled up to a row's end."""
        return self.rows * self.row_bytes

    @property
    def size(self) -> int:
        """Return the bytes of the entries as they are used: those of a file are its length."""
        match self.dtype:
            case DType.INT7 | DType.INT32:
                return self.data_bytes
            case DType.BYTES:
                return compute_file_length(self.rows, self.cols)
            case _:
                assert_never(self.dtype)

    @property
    def file_bytes(self) -> int:
        return HEAD_BYTES + self.strips * HASH_BYTES + self.data_bytes


def write_matrix(path: Path, info: MatrixInfo, leaves: list[Hash], array: NDArray[Any]) -> None:
    """Write the file of a matrix whose leaves and entries belong together; the last row of bytes is filled up."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    try:
        with temporary.open("wb") as file:
            file.write(encode_head(info))
            file.write(b"".join(leaves))
            file.write(np.ascontiguousarray(array, dtype=NUMPY_TYPES[info.dtype]).data)
            file.truncate(info.file_bytes)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def copy_file(path: Path, target: Path) -> None:
    """Copy a file so that it is on disk when this returns. OSError: the disk refuses."""
    shutil.copyfile(path, target)
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_head(path: Path, info: MatrixInfo) -> None:
    """Rewrite the head of an existing file.

    Raises:
        OSError: the disk refuses.
    """
    with path.open("r+b") as file:
        file.write(encode_head(info))


def read_info(path: Path) -> MatrixInfo | None:
    """Return which matrix a file holds, complete or not; None if it holds none, or has the name of another."""
    try:
        with path.open("rb") as file:
            info = decode_head(file.read(HEAD_BYTES))
    except OSError:
        return None
    return info if info is not None and path.stem == info.id.hex() else None


def set_aside(path: Path) -> None:
    """Rename a damaged file, so that it can be examined and its name is free."""
    with suppress(OSError):
        path.replace(path.with_suffix(".damaged"))


def read_leaves(path: Path, info: MatrixInfo) -> bytearray:
    """Return the leaves as one row of bytes."""
    with path.open("rb") as file:
        file.seek(HEAD_BYTES)
        return bytearray(file.read(info.strips * HASH_BYTES))


def map_array(path: Path, info: MatrixInfo) -> NDArray[Any]:
    """Map the entries as they are stored, row by row, read-only; they are read from disk as they are used. Those of a
    small matrix are read at once, because mapping takes longer.

    Raises:
        OSError: the file is missing. ValueError: it is too short.
    """
    offset = HEAD_BYTES + info.strips * HASH_BYTES
    if info.data_bytes <= SMALL_BYTES:
        with open(path, "rb") as file:
            file.seek(offset)
            entries = np.frombuffer(file.read(info.data_bytes), dtype=NUMPY_TYPES[info.dtype])
        return entries.reshape(info.rows, -1)
    shape = (info.rows, info.row_bytes // NUMPY_TYPES[info.dtype].itemsize)
    return np.memmap(path, dtype=NUMPY_TYPES[info.dtype], mode="r", offset=offset, shape=shape)


def encode_head(info: MatrixInfo) -> bytes:
    """Return the first HEAD_BYTES of a matrix's file."""
    body = encode(info)
    return (MAGIC + bytes([len(body)]) + body).ljust(HEAD_BYTES, b"\0")


def decode_head(head: bytes) -> MatrixInfo | None:
    """Decode a file's first HEAD_BYTES; return None if they are no head, or no matrix has this shape."""
    if len(head) != HEAD_BYTES or not head.startswith(MAGIC):
        return None
    at = len(MAGIC) + 1
    try:
        info = decode(MatrixInfo, head[at : at + head[at - 1]], limit=HEAD_BYTES)
        check_shape(info.dtype, info.rows, info.cols)
    except (CodecError, InvalidMatrix):
        return None
    return info


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that a new name survives a power failure too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
