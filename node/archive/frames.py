"""Reads and writes the frames of a chain file, and resumes an interrupted one."""

import os
import struct
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, NamedTuple, NoReturn, Self, assert_never

import numpy as np
from blake3 import blake3
from msgspec import Struct
from numpy.typing import NDArray

from inos.core.errors import NodeError
from inos.primitives.blocks import Block
from inos.primitives.errors import CodecError
from inos.primitives.matrices import DType, Hash32, Witness
from inos.primitives.transactions import U64
from inos.primitives.units import HASH_BYTES, MatrixId
from inos.work.strips import NUMPY_TYPES

MAGIC: Final = b"INOSCHN2"
MAGIC_1: Final = b"INOSCHN1"
"""With this a file of protocol 1 begins."""
CHECKSUM_BYTES: Final = 16
FRAME_HEAD_BYTES: Final = 5
MAX_FRAME: Final = 1 << 28
"""A frame may have this many bytes: a block has 4 MiB at most, a matrix of a checked job 32 MiB."""
NO_CHECKSUM: Final = bytes(CHECKSUM_BYTES)
MATRIX_HEAD: Final = struct.Struct("<BII")


class Kind(IntEnum):
    """Says what a frame holds."""

    HEAD = 1
    MATRIX = 2
    """The payload is id (32 bytes) || data type u8 || rows u32 || columns u32 || entries; row-major, little-endian."""
    BLOCK = 3
    END = 4


KINDS: Final = frozenset(map(int, Kind))


class Head(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Names the chain by its genesis, and the height the file begins at."""

    genesis: Hash32
    first: U64


class SealedBlock(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    block: Block
    witness: Witness


class End(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Counts what the file holds in all."""

    blocks: U64
    matrices: U64
    tip: Hash32


def encode_matrix_head(matrix: MatrixId, dtype: DType, rows: int, cols: int) -> bytes:
    """Encode what stands before a matrix's entries."""
    return matrix + MATRIX_HEAD.pack(dtype, rows, cols)


def decode_matrix(payload: bytes) -> tuple[MatrixId, NDArray[Any]]:
    """Return a matrix and the id that the file gives it.

    Raises:
        CodecError: "malformed".
    """
    start = HASH_BYTES + MATRIX_HEAD.size
    try:
        dtype, rows, cols = MATRIX_HEAD.unpack_from(payload, HASH_BYTES)
        match DType(dtype):
            case DType.INT7 | DType.INT32 as known:
                array = np.frombuffer(payload, NUMPY_TYPES[known], offset=start).reshape(rows, cols)
            case DType.BYTES:
                raise ValueError("no block is checked with a file")
            case unknown:
                assert_never(unknown)
    except (struct.error, ValueError) as error:
        raise CodecError("malformed", f"these bytes are no matrix: {error}") from error
    return MatrixId(payload[:HASH_BYTES]), array


class Frame(NamedTuple):
    kind: Kind
    payload: bytes
    end: int
    """The next frame begins here, in bytes from the start of the file."""
    checksum: bytes


class FrameWriter:
    """Appends frames to an open file.

    Args:
        checksum: of the last frame that is there.
    """

    def __init__(self, file: BinaryIO, checksum: bytes = NO_CHECKSUM) -> None:
        self._file = file
        self._checksum = checksum

    def write(self, kind: Kind, *parts: bytes | memoryview) -> None:
        """Write one frame, whose payload is the parts one after the other. OSError: the disk refuses."""
        head = bytes([kind]) + sum(len(part) for part in parts).to_bytes(4, "big")
        digest = blake3(self._checksum + head)
        self._file.write(head)
        for part in parts:
            digest.update(part)
            self._file.write(part)
        self._checksum = digest.digest(CHECKSUM_BYTES)
        self._file.write(self._checksum)


class FrameReader:
    """Reads the frames of a file and checks each. Use it as a context manager.

    Raises:
        NodeError: "archive-unreadable", "not-an-archive", "old-protocol", "archive-truncated", "archive-damaged", each
            naming the file, the last two also the byte.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        try:
            self._file = self._path.open("rb")
            self.size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise NodeError("archive-unreadable", f"cannot read {self._path}: {error.strerror}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame up to the end of the file, whether or not the last one is an `End`."""
        magic = self._read(len(MAGIC))
        if magic == MAGIC_1:
            message = f"{self._path} is an exported chain of protocol 1, this program follows 2"
            hint = "export a chain of this network: protocol 2 is a new one, and old blocks do not count there"
            raise NodeError("old-protocol", message, hint=hint)
        if magic != MAGIC:
            hint = "give a file that inos db export wrote"
            raise NodeError("not-an-archive", f"{self._path} is not an exported chain", hint=hint)
        checksum, start = NO_CHECKSUM, len(MAGIC)
        while head := self._read(FRAME_HEAD_BYTES):
            length = int.from_bytes(head[1:], "big")
            if length > MAX_FRAME:
                self._refuse(start)
            payload, stored = self._read(length), self._read(CHECKSUM_BYTES)
            if len(head) < FRAME_HEAD_BYTES or len(payload) < length or len(stored) < CHECKSUM_BYTES:
                self._explain_end(start)
            checksum = blake3(checksum + head).update(payload).digest(CHECKSUM_BYTES)
            if checksum != stored or head[0] not in KINDS:
                self._refuse(start)
            start += FRAME_HEAD_BYTES + length + CHECKSUM_BYTES
            yield Frame(Kind(head[0]), payload, start, checksum)

    def _read(self, count: int) -> bytes:
        try:
            return self._file.read(count)
        except OSError as error:
            raise NodeError("archive-unreadable", f"cannot read {self._path}: {error.strerror}") from error

    def _explain_end(self, start: int) -> NoReturn:
        raise NodeError(
            "archive-truncated",
            f"{self._path} ends inside the frame at byte {start:,}",
            hint="copy it again, or export again: imported blocks stay",
        )

    def _refuse(self, start: int) -> NoReturn:
        raise NodeError(
            "archive-damaged",
            f"{self._path}: the frame at byte {start:,} is damaged",
            hint="copy it again, or export again: imported blocks stay",
        )
